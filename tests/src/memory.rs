//! Looks for bytes in the readable memory of another process (Linux: `/proc/PID/maps` and `/proc/PID/mem`).

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::failure::{Doing, Failure, Outcome};

/// Read at once.
const CHUNK: usize = 1 << 20;

/// A place where the bytes were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Address of their first byte.
    pub address: u64,
    /// What the system says of the region: permissions, file.
    pub region: String,
}

/// Every place of `needle` in the readable memory of process `pid`.
///
/// The process runs on meanwhile: what it allocates and frees during the scan may or may not be seen.
///
/// # Errors
/// [`Failure`] when the process is gone or not ours to read, and when nothing at all could be read.
pub fn find(pid: u32, needle: &[u8]) -> Outcome<Vec<Hit>> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).doing(format_args!("the maps of process {pid}"))?;
    let mem = File::open(format!("/proc/{pid}/mem")).doing(format_args!("the memory of process {pid}"))?;
    let (mut hits, mut read) = (Vec::new(), 0);
    for line in maps.lines() {
        let Some((start, end, region)) = readable(line) else { continue };
        read += scan(&mem, start, end, needle, |address| hits.push(Hit { address, region: region.to_owned() }));
    }
    if read == 0 {
        return Err(Failure::new(format!("nothing of the memory of process {pid} could be read")));
    }
    Ok(hits)
}

/// Start, end and description of a region that can be read.
fn readable(line: &str) -> Option<(u64, u64, &str)> {
    let (range, region) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    // The kernel's own pages: readable by their flags, and not by this file.
    let kernel = ["[vvar", "[vsyscall]"].iter().any(|name| region.contains(name));
    if kernel || !region.starts_with('r') {
        return None;
    }
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?, region))
}

/// Scans one region and returns how much of it could be read. A region that went away meanwhile ends early.
fn scan(mem: &File, start: u64, end: u64, needle: &[u8], mut found: impl FnMut(u64)) -> usize {
    // Chunks overlap, so that a needle across a border is found, and found once.
    let overlap = needle.len().saturating_sub(1);
    let mut buffer = vec![0; CHUNK + overlap];
    let (mut at, mut kept, mut total) = (start, 0, 0);
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let Some(space) = buffer.get_mut(kept..kept + want) else { break };
        let Ok(count @ 1..) = mem.read_at(space, at) else { break };
        let filled = kept + count;
        let Some(bytes) = buffer.get(..filled) else { break };
        for position in positions(bytes, needle) {
            found(at - kept as u64 + position as u64);
        }
        total += count;
        at += count as u64;
        kept = overlap.min(filled);
        buffer.copy_within(filled - kept..filled, 0);
    }
    total
}

/// Every position of `needle` in `bytes`.
pub fn positions<'a>(bytes: &'a [u8], needle: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = needle.first().copied();
    let starts = bytes.iter().enumerate().filter(move |(_, byte)| Some(**byte) == first);
    starts
        .map(|(position, _)| position)
        .filter(|position| bytes.get(*position..).is_some_and(|rest| rest.starts_with(needle)))
}

/// Whether `needle` is somewhere in `bytes`.
pub fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    positions(bytes, needle).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_wherever_it_lies_and_as_often() {
        assert_eq!(positions(b"xabcabcab", b"abc").collect::<Vec<_>>(), [1, 4]);
        assert!(!contains(b"ab", b"abc"));
    }

    #[test]
    fn a_needle_across_the_border_of_two_chunks_is_found_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let mut bytes = vec![0; CHUNK + 100];
        bytes[CHUNK - 3..CHUNK + 3].copy_from_slice(b"needle");
        std::fs::write(&path, &bytes).unwrap();
        let mut found = Vec::new();
        let read = scan(&File::open(&path).unwrap(), 0, bytes.len() as u64, b"needle", |at| found.push(at));
        assert_eq!((read, found), (bytes.len(), vec![CHUNK as u64 - 3]));
    }

    #[test]
    fn this_process_has_in_its_memory_what_it_holds() {
        let needle: Vec<u8> = (0..32).map(|i| b'!' + i * 2).collect();
        assert!(!find(std::process::id(), &needle).unwrap().is_empty());
    }
}

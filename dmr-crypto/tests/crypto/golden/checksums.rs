//! The list of all vector files with their hashes, so that none changes, appears or disappears unnoticed.

use std::path::{Path, PathBuf};

use crate::hex::hex;
use crate::reference::sha256;

/// What is no vector.
const BESIDE: [&str; 2] = ["README.md", "SHA256SUMS"];

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// Every file below `directory` by its path from there, with slashes.
fn files(directory: &Path, before: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{before}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            files(&path, &format!("{name}/"), found);
        } else {
            found.push(name);
        }
    }
}

/// `sha256sum --check` reads the same list.
#[test]
fn golden_files_are_those_of_the_list_byte_for_byte() {
    let mut found = Vec::new();
    files(&vectors(), "", &mut found);
    found.retain(|name| !BESIDE.contains(&name.as_str()));
    found.sort_unstable();
    let line = |name: &String| format!("{}  {name}\n", hex(&sha256(&std::fs::read(vectors().join(name)).unwrap())));
    let made: String = found.iter().map(line).collect();
    let listed = std::fs::read_to_string(vectors().join("SHA256SUMS")).unwrap();
    assert_eq!(listed, made, "a vector file was changed, added or removed");
    assert!(found.len() >= 17, "only {} files", found.len());
}

//! Writing a history while it happens, and reading it again.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

use super::event::{Entry, Event, Phase};
use super::judge::judge;
use super::verdict::Verdict;
use crate::drill::say;
use crate::failure::{Doing, Failure, Outcome};
use crate::programs::workspace;

/// Records events from any thread. Each is in the file before the call returns, so that a drill that fails, or is
/// killed, leaves its evidence.
#[derive(Debug, Clone)]
pub struct History {
    path: Arc<PathBuf>,
    began: Instant,
    record: Arc<Mutex<Record>>,
}

#[derive(Debug)]
struct Record {
    file: File,
    entries: Vec<Entry>,
    /// Why the file does not have them all; told when the history is judged.
    trouble: Option<String>,
}

impl History {
    /// A new history of a drill, in `target/histories/`, in place of the one of its last run.
    ///
    /// # Errors
    /// [`Failure`] when there can be no such file.
    pub fn begin(drill: &str) -> Outcome<Self> {
        let directory = workspace().join("target").join("histories");
        std::fs::create_dir_all(&directory).doing(directory.display())?;
        let path = directory.join(format!("{drill}.jsonl"));
        // It need not be there.
        let _ = std::fs::remove_file(&path);
        Self::at(path)
    }

    /// A new history in this file.
    ///
    /// # Errors
    /// [`Failure`] when it is there already or cannot be made.
    pub fn at(path: PathBuf) -> Outcome<Self> {
        let file = File::options().append(true).create_new(true).open(&path).doing(path.display())?;
        let record = Record { file, entries: Vec::new(), trouble: None };
        Ok(Self { path: Arc::new(path), began: Instant::now(), record: Arc::new(Mutex::new(record)) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records an event, as of now.
    pub fn note(&self, event: Event) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that times grow with the lines.
        let time = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let entry = Entry { time, event };
        let written = serde_json::to_string(&entry).doing("an entry").and_then(|mut line| {
            line.push('\n');
            record.file.write_all(line.as_bytes()).doing(self.path.display())
        });
        if let Err(failure) = written {
            record.trouble.get_or_insert(failure.to_string());
        }
        record.entries.push(entry);
    }

    /// Records the beginning of a fault.
    pub fn fault_begins(&self, name: &str) {
        self.note(Event::Fault { name: name.to_owned(), phase: Phase::Begin });
    }

    /// Records the end of a fault.
    pub fn fault_ends(&self, name: &str) {
        self.note(Event::Fault { name: name.to_owned(), phase: Phase::End });
    }

    /// Records a fault without length.
    pub fn fault(&self, name: &str) {
        self.note(Event::Fault { name: name.to_owned(), phase: Phase::Moment });
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).entries.clone()
    }

    /// How many events so far fit.
    pub fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.entries.iter().filter(|entry| fits(&entry.event)).count()
    }

    /// How many messages were accepted so far.
    pub fn accepted(&self) -> usize {
        self.count(|event| matches!(event, Event::Accepted { .. }))
    }

    /// Judges everything so far.
    ///
    /// # Errors
    /// [`Failure`] when the file does not have it all.
    pub fn judge(&self) -> Outcome<Verdict> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        match &record.trouble {
            Some(trouble) => Err(Failure::new(format!("the history is not whole: {trouble}"))),
            None => Ok(judge(&record.entries)),
        }
    }

    /// Judges everything, and returns the verdict, which it also says, when it is a good one.
    ///
    /// # Errors
    /// [`Failure`] with the verdict, and with the path of the evidence.
    pub fn conclude(&self) -> Outcome<Verdict> {
        let verdict = self.judge()?;
        let evidence = self.path.display();
        verdict.sound().map_err(|failure| Failure::new(format!("{failure}evidence: {evidence}")))?;
        say(format_args!("{verdict}evidence: {evidence}"));
        Ok(verdict)
    }
}

/// The history in a file.
///
/// # Errors
/// [`Failure`] that names the line which is none.
pub fn read(path: &Path) -> Outcome<Vec<Entry>> {
    let text = std::fs::read_to_string(path).doing(path.display())?;
    let lines = (1..).zip(text.lines());
    lines.map(|(number, line)| serde_json::from_str(line).doing(format_args!("line {number}"))).collect()
}

/// A digest of a payload, the same at both ends.
pub fn digest(payload: &serde_json::Value) -> String {
    let bytes = Sha256::digest(payload.to_string());
    bytes.iter().take(8).fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

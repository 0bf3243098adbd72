//! A peer: a program that seals and opens in some language, asked line by line. `tests/peers/README.md` is the protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Doing, Failure, Outcome};
use crate::patience::PATIENCE;

/// Longest answer, in bytes: an envelope in hexadecimal, and room for its word.
const LONGEST: u64 = 4 << 20;

/// A running peer. Dropping it kills it, by its own process id.
///
/// Its standard input and output each have a thread, so that neither a peer that does not read nor one that does not
/// write is waited for longer than [`PATIENCE`].
#[derive(Debug)]
pub struct Peer {
    name: String,
    child: Child,
    log: PathBuf,
    requests: Option<Sender<String>>,
    answers: Receiver<String>,
}

impl Peer {
    /// Starts `command` as the peer called `name`. What it writes on standard error goes to a file in `place`.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn start(name: &str, mut command: Command, place: &Path) -> Outcome<Self> {
        let log = place.join(format!("{name}.log"));
        let file = std::fs::File::create(&log).doing(log.display())?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file)
            .spawn()
            .doing(format_args!("starting {command:?}"))?;
        let mut input = child.stdin.take().doing("the standard input of a peer")?;
        let output = child.stdout.take().doing("the standard output of a peer")?;
        let (requests, asked) = channel::<String>();
        thread::spawn(move || {
            for line in asked {
                // It has ended; the one who waits for its answer is told.
                if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        });
        let (said, answers) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            loop {
                let mut line = String::new();
                let read = output.by_ref().take(LONGEST).read_line(&mut line);
                if read.unwrap_or_default() == 0 || said.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name: name.to_owned(), child, log, requests: Some(requests), answers })
    }

    /// What it answers to a line, both without the line feed.
    ///
    /// # Errors
    /// [`Failure`] with what it said on standard error, when it does not answer.
    pub fn ask(&mut self, line: &str) -> Outcome<String> {
        let sent = self.requests.as_ref().is_some_and(|requests| requests.send(format!("{line}\n")).is_ok());
        let answer = if sent { self.answers.recv_timeout(PATIENCE) } else { Err(RecvTimeoutError::Disconnected) };
        match answer {
            Ok(answer) if answer.ends_with('\n') => Ok(answer.trim_end_matches(['\r', '\n']).to_owned()),
            Ok(answer) => Err(self.failure(&format!("a line that does not end, of {} bytes", answer.len()))),
            Err(RecvTimeoutError::Timeout) => Err(self.failure("no answer")),
            Err(RecvTimeoutError::Disconnected) => Err(self.failure("it ended")),
        }
    }

    /// Ends its input, and waits until it has ended by itself, which must be well.
    ///
    /// # Errors
    /// [`Failure`] when it goes on, or ends badly, or says something that nobody asked for.
    pub fn end(mut self) -> Outcome {
        self.requests = None;
        match self.answers.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => return Err(self.failure("it goes on without input")),
            Ok(_) => return Err(self.failure("an answer to nothing")),
        }
        let status = self.wait()?;
        if status.success() { Ok(()) } else { Err(self.failure(&status.to_string())) }
    }

    /// Its output has ended; it ends itself any moment.
    fn wait(&mut self) -> Outcome<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().doing("asking for the end of a peer")? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.failure("it does not end"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn failure(&self, what: &str) -> Failure {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        Failure::new(format!("the peer {}: {what}\n{}", self.name, last.join("\n")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Ends what a site started, whatever becomes of the process that started it.
//!
//! A static is not dropped, and a killed process drops nothing. So a shell of its own waits for the end of a pipe whose
//! other end only the test process holds: when that process ends, however it does, the pipe does too. (A signal tied to
//! the parent's death would be tied to the thread that started the node, and a test's thread ends with its test.)

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failure::{Doing, Outcome};

/// Waits for the end of its standard input, then kills every process whose environment names the directory in `$1`,
/// which no process outside of the site's has. Twice: one of them may be starting another meanwhile. An interrupt at
/// the terminal reaches it too, and must not end it before its work.
const SCRIPT: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
for sweep in 1 2; do
    for place in $(grep --text --files-with-matches --no-messages --fixed-strings "HOME=$1" /proc/[0-9]*/environ); do
        pid=${place#/proc/}
        kill -KILL "${pid%/environ}" 2>/dev/null
    done
done
rm -rf "$1/data"
"#;

/// Waits. Dropping it ends what is left of the site.
#[derive(Debug)]
pub(super) struct Warden(Child);

impl Warden {
    /// Begins to wait, on behalf of the site in this directory.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when there is no shell.
    pub(super) fn over(directory: &Path) -> Outcome<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "warden"]).arg(directory);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        child.doing("starting a warden").map(Self)
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // It fails only when it has ended already.
        let _ = self.0.wait();
    }
}

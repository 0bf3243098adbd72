//! Building the two programs, each by itself and with cargo's own progress to be seen.

use std::process::Stdio;
use std::time::Instant;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::programs::{cargo, dmr_agent, dmr_server};

use super::screen::Screen;

/// Builds `dmr-server` and `dmr-agent` in this program's own profile. The first time takes minutes, after that nothing.
///
/// Each is built by itself: built together, the server would be linked with what others ask of the shared libraries.
///
/// # Errors
/// [`Failure`] when one does not build.
pub fn build(screen: &Screen) -> Outcome {
    screen.title("Programs")?;
    for name in ["dmr-server", "dmr-agent"] {
        let mut command = cargo();
        command.args(["build", "--locked", "--package", name, "--bin", name]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        screen.command(format_args!("cargo {}", words.join(" ")))?;
        let started = Instant::now();
        let status = command.stdin(Stdio::null()).status().doing("running cargo")?;
        if !status.success() {
            return Err(Failure::new(format!("{name} does not build")));
        }
        screen.note(format_args!("{name} is ready ({:.1} s)", started.elapsed().as_secs_f64()))?;
    }
    // From here on they are only looked up.
    dmr_server().and(dmr_agent()).map(drop)
}

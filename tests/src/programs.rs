//! The programs under test, built by cargo as they are shipped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::failure::{Doing, Failure, Outcome};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs this, or the one on the path.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// The program `dmr-server`, built by itself: with the features it is shipped with, not those of the workspace.
///
/// # Errors
/// [`Failure`] with cargo's words when it does not build.
pub fn dmr_server() -> Outcome<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    built(&BUILT, "dmr-server")
}

/// The program `dmr-agent`, built by itself.
///
/// # Errors
/// [`Failure`] with cargo's words when it does not build.
pub fn dmr_agent() -> Outcome<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    built(&BUILT, "dmr-agent")
}

fn built(cell: &'static OnceLock<Result<PathBuf, String>>, name: &str) -> Outcome<&'static Path> {
    match cell.get_or_init(|| build(name).map_err(|failure| failure.to_string())) {
        Ok(path) => Ok(path),
        Err(text) => Err(Failure::new(text.as_str())),
    }
}

/// Builds the program in the profile that this code was built in, and says where cargo put it.
fn build(name: &str) -> Outcome<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--locked", "--package", name, "--bin", name]);
    command.arg("--message-format=json-render-diagnostics");
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.stdin(Stdio::null()).output().doing("running cargo")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!("{name} does not build:\n{words}")));
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .doing(format_args!("looking for the executable {name} in what cargo built"))
}

//! Programs for Node, with the packages that the lock file names, outside the source tree.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::c_library;
use crate::failure::{Doing, Failure, Outcome};
use crate::programs::workspace;

/// What stands in the directory beside the packages.
const FILES: [&str; 5] = [
    "examples/node/package.json",
    "examples/node/package-lock.json",
    "examples/node/dmr.mjs",
    "examples/node/seal_and_open.mjs",
    "tests/peers/peer.mjs",
];

/// The directory in which programs for Node run: `target/bindings-node`, whose packages `tests/run` has installed.
///
/// # Errors
/// [`Failure`] with the command that installs what is missing.
pub fn directory() -> Outcome<&'static Path> {
    static READY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match READY.get_or_init(|| prepare().map_err(|failure| failure.to_string())) {
        Ok(path) => Ok(path),
        Err(text) => Err(Failure::new(text.as_str())),
    }
}

fn prepare() -> Outcome<PathBuf> {
    let directory = workspace().join("target/bindings-node");
    if !directory.join("node_modules/koffi").is_dir() {
        return Err(Failure::new("the package koffi is not installed. Run: tests/run --prepare"));
    }
    for file in FILES {
        let source = workspace().join(file);
        let name = source.file_name().doing(file)?;
        fs::copy(&source, directory.join(name)).doing(file)?;
    }
    Ok(directory)
}

/// `node PROGRAM`, with the C library where the program finds it. `program` is the name of a file in [`directory`].
///
/// # Errors
/// As for [`directory`] and [`c_library::installed`].
pub fn program(program: &str) -> Outcome<Command> {
    let mut command = Command::new("node");
    command.arg(program).current_dir(directory()?);
    command.env("DMR_LIBRARY", c_library::installed()?.join("lib/libdmr.so.0"));
    Ok(command)
}

/// The peer in Node, to be started with this pin and directory, both absolute paths.
///
/// # Errors
/// As for [`program`].
pub fn peer(pin: &Path, directory: &Path) -> Outcome<Command> {
    let mut command = program("peer.mjs")?;
    command.args([pin, directory]);
    Ok(command)
}

//! The C library as it is shipped: built by cargo with its own target directory, and installed by its own command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::failure::{Doing, Failure, Outcome};
use crate::programs::{cargo, workspace};

/// Where the library was installed for the tests: `include/dmr.h`, `lib/libdmr.so`, `lib/pkgconfig/dmr.pc`.
///
/// # Errors
/// [`Failure`] with the words of cargo or of `bindings/install`.
pub fn installed() -> Outcome<&'static Path> {
    static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match INSTALLED.get_or_init(|| install().map_err(|failure| failure.to_string())) {
        Ok(path) => Ok(path),
        Err(text) => Err(Failure::new(text.as_str())),
    }
}

fn install() -> Outcome<PathBuf> {
    let target = workspace().join("target/bindings-c");
    let mut build = cargo();
    build.args(["build", "--locked", "--package", "dmr-bindings", "--features", "c", "--target-dir"]).arg(&target);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    run(&mut build)?;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let prefix = target.join("installed").join(profile);
    install_to(&prefix, &target.join(profile))?;
    Ok(prefix)
}

/// Installs what cargo has put into `built` under `prefix`, by the command that users run.
///
/// # Errors
/// [`Failure`] with the command's words.
pub fn install_to(prefix: &Path, built: &Path) -> Outcome {
    let mut install = Command::new(workspace().join("bindings/install"));
    run(install.arg(prefix).env("DMR_BUILT", built)).map(drop)
}

/// Where cargo put the library.
///
/// # Errors
/// As for [`installed`].
pub fn built() -> Outcome<PathBuf> {
    installed()?;
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    Ok(workspace().join("target/bindings-c").join(profile))
}

/// The program made of these sources by `compiler` (`gcc`, `clang`, `g++`), linked against the installed library as its
/// pkg-config file says, with every warning an error.
///
/// # Errors
/// [`Failure`] with the compiler's words.
pub fn compile(name: &str, sources: &[PathBuf], compiler: &str, flags: &[&str]) -> Outcome<PathBuf> {
    let prefix = installed()?;
    let mut asked = tool("pkg-config");
    asked.args(["--cflags", "--libs", "dmr"]).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    let words = String::from_utf8_lossy(&run(&mut asked)?.stdout).into_owned();
    let programs = workspace().join("target/bindings-c/programs");
    fs::create_dir_all(&programs).doing("making a directory for programs")?;
    let program = programs.join(format!("{name}-{compiler}{}", flags.concat().replace([',', '='], "")));
    let standard = if compiler.ends_with("++") { "-std=c++17" } else { "-std=c11" };
    let mut command = tool(compiler);
    command.args([standard, "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-pthread"]).args(flags).args(sources);
    command.args(words.split_whitespace());
    command.arg(format!("-Wl,-rpath,{}", prefix.join("lib").display())).arg("-o").arg(&program);
    run(&mut command)?;
    Ok(program)
}

/// A tool of the system's.
fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(workspace());
    command
}

/// Runs `command` to its end, which must be a good one.
///
/// # Errors
/// [`Failure`] with all it said; where there is no such program, with the command that installs it.
pub fn run(command: &mut Command) -> Outcome<Output> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| {
        Failure::new(format!("{shown}: {error}. `tests/run --prepare` installs what the tests need."))
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let words = [output.stdout, output.stderr].concat();
    Err(Failure::new(format!("{shown}: {}\n{}", output.status, String::from_utf8_lossy(&words))))
}

/// The frozen vectors in a form that needs no parser: a line is a path, a space, and the value's text in hexadecimal.
/// `more` are lines of the caller's own.
///
/// # Errors
/// [`Failure`] when one cannot be read or the file not written.
pub fn flat_vectors(file: &Path, more: &[(&str, &str)]) -> Outcome {
    let directory = workspace().join("tests/vectors");
    let mut lines = String::new();
    for entry in fs::read_dir(&directory).doing("reading the vectors")? {
        let path = entry.doing("reading the vectors")?.path();
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).doing(path.display())?;
        flatten(&mut lines, stem, &serde_json::from_str(&text).doing(path.display())?);
    }
    for (path, text) in more {
        line(&mut lines, path, text);
    }
    fs::write(file, lines).doing(file.display())
}

fn flatten(lines: &mut String, path: &str, value: &serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(lines, &format!("{path}.{name}"), value));
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| flatten(lines, &format!("{path}.{at}"), value));
        }
        serde_json::Value::String(text) => line(lines, path, text),
        other => line(lines, path, &other.to_string()),
    }
}

fn line(lines: &mut String, path: &str, text: &str) {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    lines.push_str(&format!("{path} {digits}\n"));
}

/// The peer in C, to be started with this pin and directory.
///
/// # Errors
/// As for [`compile`].
pub fn peer(pin: &Path, directory: &Path) -> Outcome<Command> {
    static COMPILED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let source = workspace().join("tests/peers/peer.c");
    let compiled =
        COMPILED.get_or_init(|| compile("peer", &[source], "gcc", &[]).map_err(|failure| failure.to_string()));
    let mut command = Command::new(compiled.as_ref().map_err(|text| Failure::new(text.as_str()))?);
    command.args([pin, directory]);
    Ok(command)
}

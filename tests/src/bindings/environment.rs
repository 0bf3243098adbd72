//! A virtual environment of Python with the built wheel in it: never the source tree.
//!
//! ```text
//! target/bindings-venv      what bindings/tests/python/requirements.txt names, and the wheel
//! target/bindings-python    what cargo compiled for the wheel, and the wheel itself
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::failure::{Doing, Failure, Outcome};
use crate::process::{Ended, run_within};
use crate::programs::workspace;

/// What a run of Python's tools may take: the first compiles the wheel and fetches packages.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(900);

/// The Python of the environment, made once in each run of a test binary.
///
/// # Errors
/// [`Failure`] with the words of the tool that failed.
pub fn python() -> Outcome<&'static Path> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match MADE.get_or_init(|| make().map_err(|failure| failure.to_string())) {
        Ok(path) => Ok(path),
        Err(text) => Err(Failure::new(text.as_str())),
    }
}

/// The directory of the sources that the wheel is built from.
pub fn sources() -> PathBuf {
    workspace().join("bindings")
}

/// Runs a program of Python's to its good end, and returns what it printed.
///
/// # Errors
/// [`Failure`] with all that it said when it ended otherwise.
pub fn run_python(args: &[&str]) -> Outcome<String> {
    let Ended { code, stdout, stderr } = run_within(LIMIT, python()?, args)?;
    if code == Some(0) {
        Ok(stdout)
    } else {
        Err(Failure::new(format!("python {}: {code:?}\n{stdout}{stderr}", args.join(" "))))
    }
}

fn make() -> Outcome<PathBuf> {
    let target = workspace().join("target");
    let venv = target.join("bindings-venv");
    let (python, stamp) = (venv.join("bin/python"), venv.join("requirements.txt"));
    let requirements = sources().join("tests/python/requirements.txt");
    let wanted = fs::read(&requirements).doing(requirements.display())?;
    if fs::read(&stamp).ok() != Some(wanted) || !python.exists() {
        let _ = fs::remove_dir_all(&venv);
        tool(Command::new("python3").args(["-m", "venv"]).arg(&venv), "python3 -m venv (Debian: python3-venv)")?;
        tool(pip(&python).args(["install", "--requirement"]).arg(&requirements), "pip install")?;
        fs::copy(&requirements, &stamp).doing(stamp.display())?;
    }
    let wheel = build_wheel(&python, &target.join("bindings-python"))?;
    tool(pip(&python).args(["install", "--force-reinstall", "--no-deps"]).arg(&wheel), "pip install of the wheel")?;
    Ok(python)
}

/// Builds the wheel by the command that `bindings/README.md` names, and says where it is.
fn build_wheel(python: &Path, target: &Path) -> Outcome<PathBuf> {
    let wheels = target.join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    let mut maturin = Command::new(python.with_file_name("maturin"));
    maturin.args(["build", "--release", "--locked", "--interpreter"]).arg(python);
    maturin.arg("--target-dir").arg(target).arg("--out").arg(&wheels).current_dir(sources());
    tool(&mut maturin, "maturin build")?;
    let mut entries = fs::read_dir(&wheels).doing(wheels.display())?;
    let wheel = entries.next().doing("looking for the wheel that maturin built")?.doing(wheels.display())?;
    Ok(wheel.path())
}

fn pip(python: &Path) -> Command {
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip
}

fn tool(command: &mut Command, what: &str) -> Outcome {
    let output = command.stdin(Stdio::null()).output().doing(what)?;
    if output.status.success() {
        return Ok(());
    }
    let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Err(Failure::new(format!("{what} failed; tests/run installs what is missing:\n{}", words.concat())))
}

//! A virtual environment of Python with the built wheel in it: never the source tree.
//!
//! ```text
//! target/bindings-venv      what bindings/tests/python/requirements.txt names, and the wheel
//! target/bindings-python    what cargo compiled for the wheel, and the wheel itself
//! ```

use std::fs::{self, File};
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

/// Does what a user does: `pip install WHAT` in a virtual environment in `place` that has nothing but pip. Returns its
/// Python. What cargo compiled for the wheel serves here too.
///
/// # Errors
/// [`Failure`] with the words of the tool that failed.
pub fn pip_install(what: &Path, place: &Path) -> Outcome<PathBuf> {
    python()?;
    let venv = place.join("venv");
    tool(Command::new("python3").args(["-m", "venv"]).arg(&venv), "python3 -m venv (Debian: python3-venv)")?;
    let python = venv.join("bin/python");
    let mut install = pip(&python);
    install.arg("install").arg(what).env("CARGO_TARGET_DIR", compiled());
    tool(&mut install, &format!("pip install {}", what.display()))?;
    Ok(python)
}

/// The source distribution, written into `place`.
///
/// # Errors
/// [`Failure`] with the words of maturin.
pub fn source_distribution(place: &Path) -> Outcome<PathBuf> {
    let mut maturin = Command::new(python()?.with_file_name("maturin"));
    maturin.args(["sdist", "--out"]).arg(place).current_dir(sources());
    tool(&mut maturin, "maturin sdist")?;
    only_file(place)
}

/// Where cargo compiles for the wheel: the flags are others than those of the workspace.
fn compiled() -> PathBuf {
    workspace().join("target/bindings-python")
}

fn only_file(directory: &Path) -> Outcome<PathBuf> {
    let mut entries = fs::read_dir(directory).doing(directory.display())?;
    let entry = entries.next().doing(format_args!("looking for what was made in {}", directory.display()))?;
    Ok(entry.doing(directory.display())?.path())
}

fn make() -> Outcome<PathBuf> {
    let target = workspace().join("target");
    // Test binaries may run at once; each of them makes sure of the environment.
    fs::create_dir_all(&target).doing(target.display())?;
    let turn = target.join("bindings-venv.lock");
    let turn = File::create(&turn).doing(turn.display())?;
    turn.lock().doing("waiting for the virtual environment")?;
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
    let wheel = build_wheel(&python, &compiled())?;
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
    only_file(&wheels)
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

//! A program that runs: its log in a file, its end with this value.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use crate::failure::{Doing, Failure, Outcome};
use crate::patience::{PATIENCE, eventually, until};

/// A running program. Dropping it kills it, by its own process id.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// What a program that has ended said.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Process {
    /// Starts `program`. What it writes goes to the end of the file `log`.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn start(program: &Path, args: &[impl AsRef<OsStr>], env: &[(String, String)], log: &Path) -> Outcome<Self> {
        Self::spawn(program, args, env, Stdio::null(), log)
    }

    /// The same with the file `input` as its standard input.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn start_reading(program: &Path, args: &[impl AsRef<OsStr>], input: &Path, log: &Path) -> Outcome<Self> {
        let input = File::open(input).doing(input.display())?;
        Self::spawn(program, args, &[], input.into(), log)
    }

    fn spawn(
        program: &Path,
        args: &[impl AsRef<OsStr>],
        env: &[(String, String)],
        input: Stdio,
        log: &Path,
    ) -> Outcome<Self> {
        let file = File::options().create(true).append(true).open(log).doing(log.display())?;
        let copy = file.try_clone().doing(log.display())?;
        let child = command(program)
            .args(args)
            .envs(env.iter().map(|(key, value)| (key, value)))
            .stdin(input)
            .stdout(file)
            .stderr(copy)
            .spawn()
            .doing(format_args!("starting {}", program.display()))?;
        Ok(Self { child, log: log.to_owned() })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written so far.
    ///
    /// # Errors
    /// [`Failure`] when the log cannot be read.
    pub fn log(&self) -> Outcome<String> {
        let bytes = std::fs::read(&self.log).doing(self.log.display())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last `count` lines it has written.
    pub fn last_lines(&self, count: usize) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// [`Failure`] when the system does not say.
    pub fn ended(&mut self) -> Outcome<Option<ExitStatus>> {
        self.child.try_wait().doing("asking for the end of a process")
    }

    /// Ends it at once, as a crash would: SIGKILL.
    ///
    /// # Errors
    /// [`Failure`] when the system refuses.
    pub fn kill(&mut self) -> Outcome {
        self.child.kill().doing("killing a process")?;
        self.child.wait().map(drop).doing("waiting for a killed process")
    }

    /// Sends it a signal by name, such as `TERM`.
    ///
    /// # Errors
    /// [`Failure`] when there is no such signal or process.
    pub fn signal(&self, name: &str) -> Outcome {
        // The shell's own `kill`: a bare system need not have the program.
        let script = format!("kill -{name} {}", self.id());
        let status = Command::new("sh").args(["-c", &script]).status().doing(&script)?;
        if status.success() { Ok(()) } else { Err(Failure::new(format!("{script}: {status}"))) }
    }

    /// Stops it where it is, and returns once every thread of it stands still. [`Process::resume`] lets it go on.
    ///
    /// # Errors
    /// [`Failure`] when it does not stop.
    pub async fn pause(&self) -> Outcome {
        self.signal("STOP")?;
        until("every thread of a process stands still", async || self.stands_still()).await
    }

    /// Lets a paused process go on.
    ///
    /// # Errors
    /// [`Failure`] when the system refuses.
    pub fn resume(&self) -> Outcome {
        self.signal("CONT")
    }

    /// Whether the system says of each of its threads that it is stopped.
    fn stands_still(&self) -> Outcome<bool> {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.id()));
        for task in std::fs::read_dir(&tasks).doing(tasks.display())? {
            let stat = task.doing(tasks.display())?.path().join("stat");
            let stat = std::fs::read_to_string(&stat).doing(stat.display())?;
            // "123 (name) T …": the name may hold anything but ends with the last parenthesis.
            if stat.rsplit(") ").next().is_none_or(|rest| !rest.starts_with('T')) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`Failure`] with its last lines when it goes on.
    pub async fn wait(&mut self) -> Outcome<ExitStatus> {
        match eventually("the process ends", PATIENCE, async || self.ended()).await {
            Ok(status) => Ok(status),
            Err(failure) => Err(Failure::new(format!("{failure}\n{}", self.last_lines(20)))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `program` without the settings that the environment of the tests may have for it.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DMR_")) {
        command.env_remove(name);
    }
    command
}

/// Runs `program` to its end. One that does not end in time is killed, with what it started: its code is 137.
///
/// # Errors
/// [`Failure`] when it cannot be started. How it ended is in the value.
pub fn run(program: &Path, args: &[impl AsRef<OsStr>]) -> Outcome<Ended> {
    run_within(PATIENCE, program, args)
}

/// The same with another limit.
///
/// # Errors
/// [`Failure`] when it cannot be started.
pub fn run_within(limit: Duration, program: &Path, args: &[impl AsRef<OsStr>]) -> Outcome<Ended> {
    let output = command(Path::new("timeout"))
        .args(["--signal=KILL", &limit.as_secs().to_string()])
        .arg(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .doing(format_args!("running {}", program.display()))?;
    Ok(output.into())
}

/// The same with this standard input.
///
/// # Errors
/// [`Failure`] when it cannot be started.
pub fn run_with_input(program: &Path, args: &[impl AsRef<OsStr>], input: &[u8]) -> Outcome<Ended> {
    let mut child = command(Path::new("timeout"))
        .args(["--signal=KILL", &PATIENCE.as_secs().to_string()])
        .arg(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .doing(format_args!("running {}", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has had enough closes its end, and says why.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output().map(Ended::from).doing(format_args!("running {}", program.display()))
}

/// Runs `program` to its end, which must be a good one, and returns its standard output.
///
/// # Errors
/// [`Failure`] with what it said when it ended otherwise.
pub fn run_well(program: &Path, args: &[impl AsRef<OsStr>]) -> Outcome<String> {
    let ended = run(program, args)?;
    if ended.code == Some(0) {
        return Ok(ended.stdout);
    }
    let args: Vec<_> = args.iter().map(|arg| arg.as_ref().to_string_lossy()).collect();
    let name = program.display();
    let code = ended.code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    Err(Failure::new(format!("{name} {} ended with {code}:\n{}{}", args.join(" "), ended.stdout, ended.stderr)))
}

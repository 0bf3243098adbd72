//! The receiving process, and how it speaks with the one that started it.
//!
//! In lines of JSON on its standard output: what it has to say once it is ready; then, for each line `RUN COUNT` on its
//! standard input, what it has received of that run once it has that many or nothing comes any more.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use dmr_tests::failure::{Doing as _, Failure, Outcome};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::options::Options;

/// The receiving process, from the side of the one that started it. Dropping it ends the process.
#[derive(Debug)]
pub struct Counterpart {
    child: Child,
    orders: ChildStdin,
    words: Lines<BufReader<ChildStdout>>,
    /// What it said when it was ready.
    pub ready: Value,
}

impl Counterpart {
    /// Starts the process with these options and more arguments, and waits until it is ready.
    ///
    /// # Errors
    /// [`Failure`] when it does not come so far.
    pub async fn start(options: &Options, more: &[&str]) -> Outcome<Self> {
        let program = std::env::current_exe().doing("this program's own file")?;
        let mut command = Command::new(program);
        command.arg("--as-recipients").args(["--agents", &options.agents.to_string()]);
        command.args(["--in-flight", &options.in_flight.to_string()]);
        command.args(["--receipts", options.receipts.as_str()]).args(more);
        command.args(["--server", options.server.as_deref().unwrap_or_default()]);
        command.arg("--root").arg(options.root.as_deref().unwrap_or(Path::new("")));
        command.arg("--keys").args(&options.keys);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().doing("starting the recipients")?;
        let orders = child.stdin.take().doing("the recipients' standard input")?;
        let words = child.stdout.take().doing("the recipients' standard output")?;
        let mut words = BufReader::new(words).lines();
        let ready = hear(&mut words).await?;
        Ok(Self { child, orders, words, ready })
    }

    /// Its process id.
    ///
    /// # Errors
    /// [`Failure`] when it has ended.
    pub fn process(&self) -> Outcome<u32> {
        self.child.id().doing("the recipients' process")
    }

    /// What it has received of a run of which so many messages were accepted.
    ///
    /// # Errors
    /// [`Failure`] when it has ended.
    pub async fn conclude(&mut self, run: u64, count: usize) -> Outcome<Value> {
        let order = format!("{run} {count}\n");
        self.orders.write_all(order.as_bytes()).await.doing("asking the recipients")?;
        hear(&mut self.words).await
    }
}

async fn hear(words: &mut Lines<BufReader<ChildStdout>>) -> Outcome<Value> {
    let line = words.next_line().await.doing("hearing the recipients")?;
    let line = line.ok_or_else(|| Failure::new("the recipients' process has ended; its words are above"))?;
    serde_json::from_str(&line).doing("what the recipients say")
}

/// The other end: says `ready`, then answers each order until the standard input ends.
///
/// # Errors
/// [`Failure`] of `conclude`, or when the other process does not keep to its part.
pub async fn answer(ready: &Value, mut conclude: impl AsyncFnMut(u64, usize) -> Outcome<Value>) -> Outcome {
    say(ready)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.doing("reading what to do")? {
        let (run, count) = line.split_once(' ').doing("a run and a count")?;
        let (run, count) = (run.parse().doing("a run")?, count.parse().doing("a count")?);
        say(&conclude(run, count).await?)?;
    }
    Ok(())
}

fn say(value: &Value) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).doing("writing to standard output")
}

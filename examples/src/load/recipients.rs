//! The receiving side, in a process of its own: acknowledges everything and remembers what came.
//!
//! It speaks with the process that started it in lines of JSON: `{"echo"}` once all its agents are logged in; then, for
//! the line `RUN COUNT` on its standard input, what it has received of that run once it has that many or nothing comes
//! any more.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dmr_agent::Deliveries;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::echo;
use super::options::Options;
use super::party::Party;
use super::spread::Spread;
use super::stamp::{Stamp, now};

/// Time without a message after which no more are expected.
const SILENCE: Duration = Duration::from_secs(10);

/// What came of one run.
#[derive(Debug, Default)]
struct Received {
    seen: HashSet<(u32, u64)>,
    duplicated: usize,
    deliver: Spread,
    settled: Spread,
}

#[derive(Debug, Default)]
struct Mailroom {
    runs: Mutex<HashMap<u64, Received>>,
    came: Notify,
}

/// Runs the receiving process until its standard input ends.
///
/// # Errors
/// [`Failure`] when an agent cannot log in, or the other process does not keep to its part.
pub async fn serve(options: &Options) -> Outcome {
    let party = Party::new(options)?;
    let agents = party.connect(party.pairs.iter().map(|(_, recipient)| recipient)).await?;
    let mailroom = Arc::new(Mailroom::default());
    for agent in &agents {
        let deliveries = agent.deliveries().doing("the stream of deliveries")?;
        tokio::spawn(receive(deliveries, Arc::clone(&mailroom)));
    }
    say(&json!({ "echo": echo::serve().await?.to_string() }))?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await.doing("reading what to do")? {
        let (run, count) = line.split_once(' ').doing("a run and a count")?;
        let (run, count) = (run.parse().doing("a run")?, count.parse().doing("a count")?);
        say(&mailroom.conclude(run, count).await)?;
    }
    Ok(())
}

fn say(value: &Value) -> Outcome {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}").and_then(|()| out.flush()).doing("writing to standard output")
}

async fn receive(mut deliveries: Deliveries, mailroom: Arc<Mailroom>) {
    while let Some(delivery) = deliveries.next().await {
        let came = now();
        let stamp = Stamp::of(&delivery.message.content.body);
        delivery.ack();
        if let Some(stamp) = stamp {
            let since = |moment: u64| Duration::from_nanos(moment.saturating_sub(stamp.at));
            mailroom.note(stamp, since(came), since(now()));
        }
    }
}

impl Mailroom {
    fn note(&self, stamp: Stamp, deliver: Duration, settled: Duration) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let received = runs.entry(stamp.run).or_default();
        if received.seen.insert((stamp.sender, stamp.sequence)) {
            received.deliver.add(deliver);
            received.settled.add(settled);
        } else {
            received.duplicated += 1;
        }
        drop(runs);
        self.came.notify_one();
    }

    /// What came of the run, once that many have come or nothing comes any more.
    async fn conclude(&self, run: u64, count: usize) -> Value {
        while self.received(run) < count && timeout(SILENCE, self.came.notified()).await.is_ok() {}
        let mut received = self.runs.lock().unwrap_or_else(PoisonError::into_inner).remove(&run).unwrap_or_default();
        json!({
            "received": received.seen.len(),
            "duplicated": received.duplicated,
            "deliver": received.deliver.to_json(),
            "settled": received.settled.to_json(),
        })
    }

    fn received(&self, run: u64) -> usize {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).get(&run).map_or(0, |received| received.seen.len())
    }
}

/// The receiving process, from the side of the one that started it. Dropping it ends the process.
#[derive(Debug)]
pub struct Recipients {
    child: Child,
    orders: ChildStdin,
    words: Lines<BufReader<ChildStdout>>,
    /// Where it echoes.
    pub echo: SocketAddr,
}

impl Recipients {
    /// Starts the process and waits until its agents are logged in.
    ///
    /// # Errors
    /// [`Failure`] when it does not come so far.
    pub async fn start(options: &Options) -> Outcome<Self> {
        let program = std::env::current_exe().doing("this program's own file")?;
        let mut command = Command::new(program);
        command.arg("--as-recipients").args(["--agents", &options.agents.to_string()]);
        command.args(["--receipts", options.receipts.as_str()]);
        command.args(["--server", options.server.as_deref().unwrap_or_default()]);
        command.arg("--root").arg(options.root.as_deref().unwrap_or(Path::new("")));
        command.arg("--keys").args(&options.keys);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().doing("starting the recipients")?;
        let orders = child.stdin.take().doing("the recipients' standard input")?;
        let words = child.stdout.take().doing("the recipients' standard output")?;
        let mut words = BufReader::new(words).lines();
        let ready = hear(&mut words).await?;
        let echo = ready.get("echo").and_then(Value::as_str).doing("the address of the echo")?;
        let echo = echo.parse().doing("the address of the echo")?;
        Ok(Self { child, orders, words, echo })
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

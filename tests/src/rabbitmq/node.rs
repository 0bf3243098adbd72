//! A node as its own process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::installation::script;
use super::plan::NodePlan;
use super::ports::{Ports, loopback};
use super::site::Site;
use crate::caller::Caller;
use crate::failure::{Doing, Failure, Outcome};
use crate::patience::eventually;
use crate::process::Process;

/// What a node may take to start on a busy machine: far more than it does.
pub(super) const START: Duration = Duration::from_secs(120);

/// A running, paused or ended node. Dropping it kills it, and its site with the last of its nodes.
#[derive(Debug)]
pub struct Node {
    /// The Erlang virtual machine, while it runs.
    process: Option<Process>,
    name: String,
    ports: Ports,
    /// Whether it listens for AMQP in TLS, which it does a moment later than without.
    tls: bool,
    /// After the process, which must not outlive it.
    site: Arc<Site>,
}

impl Node {
    /// A node alone in its site, ready.
    ///
    /// # Errors
    /// [`Failure`] with its last words, or with the command that installs RabbitMQ.
    pub async fn start() -> Outcome<Self> {
        Self::start_as(&NodePlan::default()).await
    }

    /// The same with another plan.
    ///
    /// # Errors
    /// [`Failure`] with its last words, or with the command that installs RabbitMQ.
    pub async fn start_as(plan: &NodePlan) -> Outcome<Self> {
        let mut node = Self::new(Arc::new(Site::open().await?), "rabbit", plan)?;
        node.start_again().await?;
        Ok(node)
    }

    /// A node that has its files and its ports and does not run yet: for a broker that starts after its servers.
    ///
    /// # Errors
    /// [`Failure`] when a file cannot be written.
    pub async fn prepare(plan: &NodePlan) -> Outcome<Self> {
        Self::new(Arc::new(Site::open().await?), "rabbit", plan)
    }

    pub(super) fn new(site: Arc<Site>, name: &str, plan: &NodePlan) -> Outcome<Self> {
        let node = Self { process: None, name: name.to_owned(), ports: Ports::claim()?, tls: plan.has_tls(), site };
        for (file, text) in [
            ("rabbitmq.conf", plan.settings(&node.ports)),
            ("enabled_plugins", plan.plugins()),
            ("advanced.config", NodePlan::advanced().to_owned()),
        ] {
            let path = node.path(file);
            std::fs::create_dir_all(path.parent().unwrap_or(&path)).doing(path.display())?;
            std::fs::write(&path, text).doing(path.display())?;
        }
        Ok(node)
    }

    /// Where to connect: `amqp://…`, with a user who may do everything.
    pub fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.ports.amqp())
    }

    /// Where to connect in TLS, when the plan says so.
    pub fn amqps_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}", self.ports.amqps())
    }

    /// The management API, for `guest` with the password `guest`.
    pub fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.management())
    }

    /// Its name among Erlang's nodes.
    pub fn name(&self) -> String {
        format!("{}@localhost", self.name)
    }

    /// The process id of its virtual machine; `None` while it does not run.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Its log so far.
    ///
    /// # Errors
    /// [`Failure`] when there is none.
    pub fn log(&self) -> Outcome<String> {
        let path = self.log_file();
        std::fs::read_to_string(&path).doing(path.display())
    }

    /// Calls its management API. A new one each time: connections belong to the runtime of the test that made them.
    pub(super) fn management(&self) -> Outcome<Caller> {
        Ok(Caller::new(self.management_url())?.with_password("guest", "guest"))
    }

    /// Arguments of `env` before the name of one of the node's programs.
    pub(super) fn environment(&self) -> Vec<String> {
        let mut all = self.site.environment();
        let (first, last) = self.ports.control();
        let mut add = |key: &str, value: String| all.push(format!("{key}={value}"));
        add("RABBITMQ_NODENAME", self.name());
        // None of the system's own settings.
        add("RABBITMQ_CONF_ENV_FILE", "/dev/null".to_owned());
        add("RABBITMQ_NODE_PORT", self.ports.amqp().to_string());
        add("RABBITMQ_DIST_PORT", self.ports.distribution().to_string());
        add("RABBITMQ_CTL_DIST_PORT_MIN", first.to_string());
        add("RABBITMQ_CTL_DIST_PORT_MAX", last.to_string());
        add("RABBITMQ_CTL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1".to_owned());
        add("RABBITMQ_MNESIA_BASE", self.site.directory().join("data").display().to_string());
        add("RABBITMQ_LOG_BASE", self.site.directory().join("log").display().to_string());
        add("RABBITMQ_PID_FILE", self.path("pid").display().to_string());
        add("RABBITMQ_CONFIG_FILE", self.path("rabbitmq").display().to_string());
        add("RABBITMQ_ADVANCED_CONFIG_FILE", self.path("advanced.config").display().to_string());
        add("RABBITMQ_ENABLED_PLUGINS_FILE", self.path("enabled_plugins").display().to_string());
        all
    }

    /// Starts the program and returns at once.
    pub(super) fn launch(&mut self) -> Outcome {
        let mut args = self.environment();
        // Without these two the script would stay, and its process id would not be the virtual machine's.
        args.push("RABBITMQ_ALLOW_INPUT=1".to_owned());
        let machine = "-noinput +S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}";
        args.push(format!("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS={machine}"));
        args.push(script("rabbitmq-server")?.display().to_string());
        let log = self.site.directory().join("log").join(format!("{}.out", self.name));
        self.process = Some(Process::start(Path::new("env"), &args, &[], &log)?);
        Ok(())
    }

    /// Waits until it serves AMQP and its management API.
    pub(super) async fn ready(&mut self) -> Outcome {
        self.ready_within(START).await
    }

    /// The same with another limit.
    pub(super) async fn ready_within(&mut self, limit: Duration) -> Outcome {
        let what = format!("{} serves", self.name());
        let waited = eventually(&what, limit, async || {
            if let Some(status) = self.process.as_mut().doing(&what)?.ended()? {
                return Ok(Some(Err(Failure::new(format!("{} has ended: {status}", self.name)))));
            }
            let in_tls = || TcpStream::connect(loopback(self.ports.amqps())).is_ok();
            let serves =
                self.greets() && (!self.tls || in_tls()) && self.management()?.get("/api/whoami").await?.status == 200;
            Ok(serves.then_some(Ok(())))
        });
        waited.await.flatten().map_err(|failure| Failure::new(format!("{failure}\n{}", self.last_lines(30))))
    }

    /// Whether it answers AMQP's first words: a listener alone does not say that it serves.
    pub(super) fn greets(&self) -> bool {
        let greeting = || -> std::io::Result<u8> {
            let limit = Duration::from_secs(1);
            let mut stream = TcpStream::connect_timeout(&loopback(self.ports.amqp()), limit)?;
            stream.set_read_timeout(Some(limit))?;
            stream.write_all(b"AMQP\x00\x00\x09\x01")?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok(first[0])
        };
        // A method frame: `connection.start`. A refusal begins with the letter A.
        greeting().is_ok_and(|first| first == 1)
    }

    /// Starts it with the same files and ports, and waits until it is ready. One that runs is left alone.
    ///
    /// # Errors
    /// [`Failure`] with its last words.
    pub async fn start_again(&mut self) -> Outcome {
        if self.process.is_none() {
            self.launch()?;
        }
        self.ready().await
    }

    /// Ends it as a loss of power would: SIGKILL to the virtual machine. Paused or not.
    ///
    /// # Errors
    /// [`Failure`] when it does not run.
    pub fn kill(&mut self) -> Outcome {
        self.process.take().doing("the node to kill")?.kill()
    }

    /// Kills it and starts it again.
    ///
    /// # Errors
    /// [`Failure`] with its last words.
    pub async fn restart(&mut self) -> Outcome {
        self.kill()?;
        self.start_again().await
    }

    /// Lets it end in good order: SIGTERM.
    ///
    /// # Errors
    /// [`Failure`] with its last words when it does not end.
    pub async fn stop(&mut self) -> Outcome {
        let mut process = self.process.take().doing("the node to stop")?;
        process.signal("TERM")?;
        process.wait().await.map(drop)
    }

    /// Stops its virtual machine where it is: its connections stay open and silent.
    ///
    /// # Errors
    /// [`Failure`] when it does not run.
    pub async fn pause(&self) -> Outcome {
        self.process.as_ref().doing("the node to pause")?.pause().await
    }

    /// Lets a paused one go on.
    ///
    /// # Errors
    /// [`Failure`] when it does not run.
    pub fn resume(&self) -> Outcome {
        self.process.as_ref().doing("the node to resume")?.resume()
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.site.directory().join(&self.name).join(file)
    }

    fn log_file(&self) -> PathBuf {
        self.site.directory().join("log").join(format!("{}.log", self.name()))
    }

    /// The end of its log, after what its virtual machine wrote before there was one.
    fn last_lines(&self, count: usize) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let lines = lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n");
        let said = self.process.as_ref().map(|process| process.last_lines(count)).unwrap_or_default();
        format!("{said}\n{lines}")
    }
}

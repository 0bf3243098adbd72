//! A relay server as its own process.

use std::net::SocketAddr;
use std::path::Path;

use crate::caller::Caller;
use crate::failure::{Failure, Outcome};
use crate::network::Network;
use crate::port::free_address;
use crate::process::Process;
use crate::programs::dmr_server;

/// How a server is started: what is not set here has the program's default.
#[derive(Debug, Clone)]
pub struct ServerPlan {
    name: String,
    args: Vec<String>,
    address: SocketAddr,
    admin: SocketAddr,
}

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    /// The process.
    pub process: Process,
    /// Calls the admin endpoint.
    pub admin: Caller,
    plan: ServerPlan,
}

impl ServerPlan {
    /// A server of this network, at free ports of loopback.
    ///
    /// # Errors
    /// [`Failure`] when there is no free port.
    pub fn new(network: &Network, name: &str) -> Outcome<Self> {
        let (address, admin) = (free_address()?, free_address()?);
        let plan = Self { name: name.to_owned(), args: vec!["run".to_owned()], address, admin };
        Ok(plan
            .with("--directory", network.bundle().to_string_lossy())
            .with("--root", network.root().to_string_lossy())
            .with("--network", network.name())
            .with("--name", name)
            .with("--listen", address.to_string())
            .with("--admin", admin.to_string())
            .with("--log", "trace"))
    }

    /// The same with another option.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Into<String>) -> Self {
        // The last one counts, so that a test can change what was set before.
        if let Some(place) = self.args.iter().position(|arg| arg == option) {
            self.args.drain(place..place + 2);
        }
        self.args.extend([option.to_owned(), value.into()]);
        self
    }

    /// The same with one more of an option that can be given several times.
    #[must_use]
    pub fn also(mut self, option: &str, value: impl Into<String>) -> Self {
        self.args.extend([option.to_owned(), value.into()]);
        self
    }

    /// The same with another flag.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.args.push(flag.to_owned());
        self
    }

    /// Where it listens for agents.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The arguments, of which the first is `run`.
    pub fn args(&self) -> &[String] {
        &self.args
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// [`Failure`] with its last lines when it does not become ready.
    pub async fn start(&self, network: &Network) -> Outcome<Server> {
        self.start_logging(&network.path(&format!("{}.log", self.name))).await
    }

    /// Starts it and returns at once, for one that is not expected to become ready.
    ///
    /// # Errors
    /// [`Failure`] when it cannot be started.
    pub fn launch(&self, network: &Network) -> Outcome<Server> {
        self.launch_logging(&network.path(&format!("{}.log", self.name)))
    }

    fn launch_logging(&self, log: &Path) -> Outcome<Server> {
        let process = Process::start(dmr_server()?, &self.args, &[], log)?;
        let admin = Caller::new(format!("http://{}", self.admin))?;
        Ok(Server { process, admin, plan: self.clone() })
    }

    async fn start_logging(&self, log: &Path) -> Outcome<Server> {
        let server = self.launch_logging(log)?;
        match server.admin.ready().await {
            Ok(()) => Ok(server),
            Err(failure) => Err(Failure::new(format!("{failure}\n{}", server.process.last_lines(20)))),
        }
    }
}

impl Server {
    /// Where agents connect: `ws://…`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.plan.address)
    }

    /// Where it listens for agents.
    pub fn address(&self) -> SocketAddr {
        self.plan.address
    }
}

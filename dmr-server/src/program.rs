//! What the program does besides serving, and how it says that it failed.

use std::io::{self, Write};
use std::num::NonZero;
use std::process::ExitCode;
use std::time::Duration;

use dmr_core::id::StoreId;
use dmr_transport::BrokerError;
use dmr_transport::amqp::inspection::PATIENCE;
use dmr_transport::amqp::management::ManagementError;
use dmr_transport::amqp::{AmqpBroker, log_in};
use dmr_transport::service::logging::LogError;
use dmr_transport::service::metrics::Metrics;
use tokio::runtime::{Builder, Runtime};

use crate::broker_settings::{AmqpPlan, BrokerPlan};
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::directory_report::{self, Moment, ReportError, Table};
use crate::operator::OperatorError;
use crate::operator::dead::DeadCommand;
use crate::operator::queues::QueuesCommand;
use crate::server::{BindError, Server};
use crate::settings::{DirectoryCommand, RunSettings, SettingsRefused};

/// Exit code for settings that are wrong: `EX_USAGE` of sysexits.h.
const USAGE: u8 = 64;

/// Why the program ends without success.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsRefused),
    /// Logging could not start.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The server could not start.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A directory does not serve.
    #[error(transparent)]
    Directory(#[from] ReportError),
    /// The broker is not set up as it must be: the report of it.
    #[error("the broker is not set up as it must be\n{0}\n--broker-check warn runs on it all the same")]
    Unfit(Box<str>),
    /// The management API gave no answer.
    #[error(transparent)]
    Management(#[from] ManagementError),
    /// The broker refused.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// An operator's command did not do what it should.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    /// Says why on the standard error: 64 for wrong settings, otherwise 1.
    pub fn report(&self) -> ExitCode {
        // Where even this cannot be written, nobody is left to tell.
        let _ = writeln!(io::stderr(), "error: {self}");
        match self {
            Self::Settings(_) | Self::Log(_) => ExitCode::from(USAGE),
            Self::Bind(error) if error.is_configuration() => ExitCode::from(USAGE),
            Self::Operator(error) if error.is_usage() => ExitCode::from(USAGE),
            Self::Bind(_)
            | Self::Directory(_)
            | Self::Unfit(_)
            | Self::Management(_)
            | Self::Broker(_)
            | Self::Operator(_)
            | Self::Io(_) => ExitCode::FAILURE,
        }
    }
}

/// A runtime for a server over this broker.
///
/// The AMQP library has threads of its own. With a worker on every core they take turns with the workers, and each message wakes
/// several of them: half as many workers pass more messages for less (docs/performance.md). `TOKIO_WORKER_THREADS` says
/// otherwise.
///
/// # Errors
/// What the system says.
pub fn runtime(broker: &BrokerPlan) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if matches!(broker, BrokerPlan::Amqp(_)) && std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads(cores.div_ceil(2));
    }
    builder.enable_all().build()
}

/// A server over the broker of this plan. One that is not set up as it must be is refused; one that does not answer is waited
/// for while the server runs, and nobody is given a session meanwhile.
///
/// # Errors
/// [`Failure`].
pub async fn bind(mut config: ServerConfig, broker: BrokerPlan) -> Result<Server, Failure> {
    let BrokerPlan::Amqp(plan) = broker else { return Ok(Server::bind(config).await?) };
    let AmqpPlan { config: amqp, mut inspector } = *plan;
    if let Some(inspector) = inspector.as_mut().filter(|inspector| inspector.is_required())
        && let Ok(report) = inspector.inspect(Duration::ZERO).await
    {
        if !report.is_fit() {
            return Err(Failure::Unfit(report.to_string().into()));
        }
        inspector.note_fit();
    }
    config.inspector = inspector;
    // Before the broker's handle counts anything.
    Metrics::install().map_err(BindError::from)?;
    Ok(Server::bind_with_broker(config, AmqpBroker::start(amqp, fresh_store)).await?)
}

/// A name for a store that has none; `None` when the system gives no randomness.
pub(crate) fn fresh_store() -> Option<StoreId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).ok()?;
    Some(StoreId::from_random_bytes(bytes))
}

/// `check`: validates everything that `run` needs, and starts nothing.
///
/// # Errors
/// [`Failure`].
pub fn check(settings: &RunSettings) -> Result<(), Failure> {
    let broker = settings.broker()?;
    let (directory, refused) = Server::check(settings.config()?)?;
    let mut out = io::stdout().lock();
    if let Some(error) = refused {
        writeln!(out, "warning: {error}; the directory that was kept would be used")?;
    }
    let participants = directory.directory().participants.len();
    writeln!(
        out,
        "ok: network {}, directory revision {} with {participants} participants, {}, expires {}",
        directory.network(),
        directory.revision(),
        directory.freshness(Clock::system().now().wall).as_str(),
        Moment(directory.expires()),
    )?;
    if let BrokerPlan::Amqp(plan) = broker
        && let Some(inspector) = plan.inspector
    {
        let runtime = Runtime::new()?;
        let report = runtime.block_on(inspector.inspect(PATIENCE))?;
        if !report.is_fit() {
            return Err(Failure::Unfit(report.to_string().into()));
        }
        writeln!(out, "{report}")?;
        let address = runtime.block_on(log_in(plan.config))?;
        writeln!(out, "logged in at {address}")?;
    }
    Ok(())
}

/// `dead list`, `dead show`, `dead redrive` and `dead purge`.
///
/// # Errors
/// [`Failure`].
pub fn dead(command: &DeadCommand) -> Result<(), Failure> {
    Runtime::new()?.block_on(command.run())
}

/// `queues`.
///
/// # Errors
/// [`Failure`].
pub fn queues(command: &QueuesCommand) -> Result<(), Failure> {
    Runtime::new()?.block_on(command.run())
}

/// `directory show` and `directory verify`.
///
/// # Errors
/// [`Failure`].
pub fn directory(command: &DirectoryCommand) -> Result<(), Failure> {
    let now = Clock::system().now().wall;
    let mut out = io::stdout().lock();
    match command {
        DirectoryCommand::Show { source, json } => {
            let directory = directory_report::read(&source.file, &source.pin()?, now)?;
            if *json {
                out.write_all(&directory.directory().to_json().map_err(ReportError::from)?)?;
                writeln!(out)?;
            } else {
                write!(out, "{}", Table { directory: &directory, now })?;
            }
        }
        DirectoryCommand::Verify { source } => {
            let directory = directory_report::read(&source.file, &source.pin()?, now)?;
            let freshness = directory_report::verdict(&directory, now)?;
            writeln!(
                out,
                "valid: network {}, revision {}, {}, expires {}",
                directory.network(),
                directory.revision(),
                freshness.as_str(),
                Moment(directory.expires()),
            )?;
        }
    }
    Ok(())
}

//! The relay as a program: read the settings, bind, serve until a signal, drain.

use std::process::ExitCode;

use dmr_server::broker_settings::BrokerPlan;
use dmr_server::program::{self, Failure};
use dmr_server::settings::{Cli, Command, RunSettings};
use dmr_transport::service::{logging, settings, shutdown};

fn main() -> ExitCode {
    let cli: Cli = match settings::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            error.report();
            return ExitCode::from(error.exit_code());
        }
    };
    let outcome = match cli.command {
        Command::Run(settings) => run(&settings),
        Command::Check(settings) => program::check(&settings),
        Command::Directory(command) => program::directory(&command),
        Command::Queues(command) => program::queues(&command),
        Command::Dead(command) => program::dead(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(settings: &RunSettings) -> Result<(), Failure> {
    let broker = settings.broker()?;
    let runtime = program::runtime(&broker)?;
    let outcome = runtime.block_on(serve(settings, broker));
    // A look at a file system that hangs must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn serve(settings: &RunSettings, broker: BrokerPlan) -> Result<(), Failure> {
    let config = settings.config()?;
    logging::start(settings.logs())?;
    // From here on a first signal drains and a second one ends the process.
    let shutdown = shutdown::signal()?;
    let server = program::bind(config, broker).await?;
    tracing::info!(links = %server.local_addr(), admin = server.admin_addr().map(tracing::field::display), "listening");
    server.serve(shutdown).await;
    Ok(())
}

//! How many messages, how fast, and what they cost: `cargo load`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use dmr_examples::load::baseline::consumer;
use dmr_examples::load::options::Options;
use dmr_examples::load::{idle, recipients, relay, run};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_transport::service::shutdown;
use serde_json::Value;

#[tokio::main]
async fn main() -> ExitCode {
    match perform(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = run::note(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn perform(options: Options) -> Outcome {
    if options.as_recipients {
        // It ends when the process that started it closes its standard input.
        return match &options.baseline_queue {
            Some(queue) => consumer::serve(&options, queue).await,
            None if options.relay => relay::recipients::serve(&options).await,
            None => recipients::serve(&options).await,
        };
    }
    options.check().map_err(Failure::new)?;
    let interrupted = shutdown::signal().doing("listening for signals")?;
    // Whichever ends first, dropping the other ends every process that was started.
    let report = tokio::select! {
        report = measure(options) => report?,
        () = interrupted => return Err(Failure::new("interrupted; every process that was started has been stopped")),
    };
    writeln!(std::io::stdout(), "{report}").doing("writing to standard output")
}

async fn measure(options: Options) -> Outcome<Value> {
    match options.idle {
        Some(links) => idle::measure(links).await,
        None => run::run(options).await,
    }
}

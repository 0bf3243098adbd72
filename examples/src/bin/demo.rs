//! A sealed question crosses from one institution to another, and its answer comes back: `cargo demo`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use dmr_examples::demo::question::Question;
use dmr_examples::demo::screen::Screen;
use dmr_examples::demo::stage::Stage;
use dmr_examples::demo::{conversation, programs, tampering};
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_transport::service::shutdown;

/// Starts a dmr-server and two dmr-agents with fresh keys on this machine, asks a question through them, and shows the
/// answer, what the server saw of it, and how long each leg took.
#[derive(Debug, Parser)]
struct Options {
    /// The question: a file like those in examples/questions. Default: stolen-car.json.
    question: Option<PathBuf>,
    /// Flip one bit on the way, before the server and behind it, and show the refusals.
    #[arg(long)]
    tamper: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let screen = Screen::default();
    match run(&options, &screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = screen.refused(format_args!("The demo could not go on: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options, screen: &Screen) -> Outcome {
    let question = Question::read(&options.question.clone().unwrap_or_else(Question::default_file))?;
    screen.title("DMR: a sealed question from one institution to another, through a server that cannot read it")?;
    programs::build(screen)?;
    let interrupted = shutdown::signal().doing("listening for signals")?;
    // Whichever ends first, dropping the other ends every process that was started.
    tokio::select! {
        outcome = show(options, screen, &question) => outcome,
        () = interrupted => Err(Failure::new("interrupted; every process that was started has been stopped")),
    }
}

async fn show(options: &Options, screen: &Screen, question: &Question) -> Outcome {
    let stage = Stage::set(screen).await?;
    if options.tamper {
        tampering::show(screen, &stage, question).await?;
    } else {
        conversation::hold(screen, &stage, question).await?;
    }
    stage.strike().await?;
    screen.line("")?;
    screen.good("Done: every process has ended, every file is removed.")
}

//! The program `dmr-agent`: what it can be told to do, and how it says that it failed.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use dmr_transport::service::settings;

use crate::command::{Cli, Command, Failure, directory, keys, run, send};

/// Runs the program with these arguments, the program's name first, to its end.
///
/// Exits with 0, with 64 (`EX_USAGE` of sysexits.h) for a wrong command line, configuration or message, with 3 to 6 for
/// the fates of a message that `send` did not see delivered, otherwise with 1.
pub fn main(argv: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli: Cli = match settings::parse(argv) {
        Ok(cli) => cli,
        Err(error) => {
            error.report();
            return ExitCode::from(error.exit_code());
        }
    };
    let outcome = match cli.command {
        Command::Keys(command) => keys::run(&command),
        Command::Directory(command) => directory::run(&command),
        Command::Run(settings) => run::run(&settings),
        Command::Check(settings) => run::check(&settings),
        Command::Send(settings) => match send::run(&settings) {
            Ok(fate) => return ExitCode::from(fate),
            Err(failure) => Err(failure),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    // Where even this cannot be written, nobody is left to tell.
    let _ = writeln!(io::stderr(), "error: {failure}");
    ExitCode::from(failure.exit_code())
}

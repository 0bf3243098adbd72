//! The agent as a program: see `dmr-agent --help`.

use std::process::ExitCode;

use dmr_agent::program;

fn main() -> ExitCode {
    program::main(std::env::args_os())
}

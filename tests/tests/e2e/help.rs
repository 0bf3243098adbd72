//! What `--help` says, as it was agreed on: a change of an option shows here.
//!
//! To accept a change: `DMR_ACCEPT_HELP=1 tests/run help`, and look at the difference before committing it.

use std::path::Path;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::process::run_well;
use dmr_tests::programs::{dmr_agent, dmr_server, workspace};

/// Compares with the file of this name under `tests/snapshots`, or writes it when told to.
fn assert_help(name: &str, program: &Path, args: &[&str]) -> Outcome {
    let said = run_well(program, &[args, &["--help"]].concat())?;
    let file = workspace().join("tests/snapshots").join(name);
    if std::env::var_os("DMR_ACCEPT_HELP").is_some() {
        return std::fs::write(&file, said).doing(file.display());
    }
    let agreed = std::fs::read_to_string(&file).doing(file.display())?;
    assert_eq!(said, agreed, "{} is out of date: see tests/tests/e2e/help.rs", file.display());
    Ok(())
}

#[test]
fn the_servers_help_is_as_agreed() -> Outcome {
    assert_help("dmr-server.txt", dmr_server()?, &[])?;
    assert_help("dmr-server-run.txt", dmr_server()?, &["run"])?;
    assert_help("dmr-server-queues.txt", dmr_server()?, &["queues"])?;
    assert_help("dmr-server-dead.txt", dmr_server()?, &["dead"])?;
    assert_help("dmr-server-dead-redrive.txt", dmr_server()?, &["dead", "redrive"])?;
    assert_help("dmr-server-directory-show.txt", dmr_server()?, &["directory", "show"])
}

#[test]
fn the_agents_help_is_as_agreed() -> Outcome {
    assert_help("dmr-agent.txt", dmr_agent()?, &[])?;
    assert_help("dmr-agent-run.txt", dmr_agent()?, &["run"])?;
    assert_help("dmr-agent-send.txt", dmr_agent()?, &["send"])?;
    assert_help("dmr-agent-keys-new.txt", dmr_agent()?, &["keys", "new"])?;
    assert_help("dmr-agent-directory-new.txt", dmr_agent()?, &["directory", "new"])?;
    assert_help("dmr-agent-directory-add.txt", dmr_agent()?, &["directory", "add"])
}

#[test]
fn every_option_can_be_given_as_a_variable() -> Outcome {
    let run = ["run", "--help"];
    for (program, args) in [(dmr_server()?, run), (dmr_agent()?, run), (dmr_agent()?, ["send", "--help"])] {
        let help = run_well(program, &args)?;
        for line in help.lines().map(str::trim_start).filter(|line| line.starts_with("--")) {
            let option = line.trim_start_matches('-').split([' ', '\n']).next().unwrap_or_default();
            let variable = format!("DMR_{}", option.to_uppercase().replace('-', "_"));
            assert!(help.contains(&format!("[env: {variable}=")), "--{option} has no variable {variable}");
        }
    }
    Ok(())
}

#[test]
fn the_server_says_that_its_memory_keeps_nothing() -> Outcome {
    let help = run_well(dmr_server()?, &["run", "--help"])?;
    assert!(help.contains("keeps nothing across a restart"), "{help}");
    Ok(())
}

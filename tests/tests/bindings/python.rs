//! The Python package: what a Python program sees, from the built wheel in an environment of its own.

use std::path::Path;

use dmr_tests::bindings::environment::{pip_install, python, run_python, source_distribution, sources};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::patience::PATIENCE;
use dmr_tests::process::{Process, run_within};
use dmr_tests::programs::{dmr_server, workspace};

/// Runs the tests in a file of `bindings/tests/python`.
fn pytest(file: &str) -> Outcome {
    let path = sources().join("tests/python").join(file);
    let shown = run_python(&["-m", "pytest", "-q", "-p", "no:cacheprovider", &path.to_string_lossy()])?;
    assert!(shown.contains(" passed"), "{shown}");
    assert!(!shown.contains(" skipped"), "a test that cannot run must fail: {shown}");
    Ok(())
}

#[test]
fn messages_are_sealed_opened_and_verified() -> Outcome {
    pytest("test_messages.py")
}

#[test]
fn arguments_are_taken_in_every_form_that_means_something_and_in_no_other() -> Outcome {
    pytest("test_arguments.py")
}

#[test]
fn the_keeper_s_changes_and_new_generations_of_keys_are_seen_by_everybody() -> Outcome {
    pytest("test_keeper.py")
}

#[test]
fn the_peer_in_python_speaks_the_peers_protocol() -> Outcome {
    pytest("test_peer.py")
}

#[test]
fn every_vector_is_read_as_rust_reads_it() -> Outcome {
    pytest("test_vectors.py")
}

#[test]
fn errors_are_those_of_the_table() -> Outcome {
    pytest("test_errors.py")
}

#[test]
fn it_is_safe_in_threads_and_after_a_fork_and_shows_no_secret() -> Outcome {
    pytest("test_safety.py")
}

#[test]
fn the_examples_in_its_documentation_run() -> Outcome {
    pytest("test_documentation.py")
}

#[test]
fn what_the_agent_is_made_of_does_what_it_says() -> Outcome {
    pytest("test_agent.py")
}

#[test]
fn its_links_survive_faulty_servers_cancelled_tasks_and_the_program_s_own_faults() -> Outcome {
    pytest("test_link_faults.py")
}

#[test]
fn programs_that_use_it_are_checked_by_mypy_and_its_stubs_by_stubtest() -> Outcome {
    let program = sources().join("tests/python/typed_program.py");
    let peer = workspace().join("tests/peers/peer.py");
    let programs = [&program.to_string_lossy(), &*peer.to_string_lossy()];
    for program in programs {
        run_python(&["-m", "mypy", "--strict", "--cache-dir", "/dev/null", program])?;
    }
    run_python(&["-m", "mypy", "--strict", "--cache-dir", "/dev/null", "--package", "dmr"])?;
    run_python(&["-m", "mypy.stubtest", "dmr"])?;
    Ok(())
}

#[test]
fn the_examples_run() -> Outcome {
    let example = |name: &str| workspace().join("examples").join(name).to_string_lossy().into_owned();
    let shown = run_python(&[&example("seal_and_open.py")])?;
    for line in ["sealed", "verified", "Is report 2026-00417", "not for tax", "tampered"] {
        assert!(shown.contains(line), "{line} is not in:\n{shown}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_offices_talk_in_the_example_with_an_agent() -> Outcome {
    let place = tempfile::tempdir().doing("a place for a log")?;
    let example = workspace().join("examples/ask_another_office.py");
    let server = [("DMR_SERVER".to_owned(), dmr_server()?.to_string_lossy().into_owned())];
    let mut talk = Process::start(python()?, &[example], &server, &place.path().join("log"))?;
    assert!(talk.wait().await?.success(), "{}", talk.log()?);
    let shown = talk.log()?;
    assert!(shown.contains("police answers:") && shown.contains("stolen since 14 November 2026"), "{shown}");
    Ok(())
}

/// Runs the example with this Python, away from the sources.
fn seals_and_opens(python: &Path, place: &Path) -> Outcome {
    let copy = place.join("seal_and_open.py");
    std::fs::copy(workspace().join("examples/seal_and_open.py"), &copy).doing(copy.display())?;
    let ended = run_within(PATIENCE, python, &[&copy])?;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(ended.stdout.contains("tampered"), "{}", ended.stdout);
    Ok(())
}

#[test]
fn pip_installs_the_directory_into_a_fresh_environment() -> Outcome {
    let place = tempfile::tempdir().doing("a place for an environment")?;
    seals_and_opens(&pip_install(&sources(), place.path())?, place.path())
}

#[test]
fn pip_installs_the_source_distribution_away_from_the_repository() -> Outcome {
    let place = tempfile::tempdir().doing("a place for an environment")?;
    let distribution = source_distribution(&place.path().join("dist"))?;
    seals_and_opens(&pip_install(&distribution, place.path())?, place.path())
}

//! The Python package: what a Python program sees, from the built wheel in an environment of its own.

use dmr_tests::bindings::environment::{run_python, sources};
use dmr_tests::failure::Outcome;
use dmr_tests::programs::workspace;

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
fn programs_that_use_it_are_checked_by_mypy_and_its_stubs_by_stubtest() -> Outcome {
    let program = sources().join("tests/python/typed_program.py");
    run_python(&["-m", "mypy", "--strict", "--cache-dir", "/dev/null", &program.to_string_lossy()])?;
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

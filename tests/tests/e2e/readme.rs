//! The README's walk by hand, run as it stands there: every `sh` block, in order, in one shell.

use std::path::Path;
use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::process::run_within;
use dmr_tests::programs::{dmr_agent, dmr_server, workspace};

/// What the walk may take: it builds a program.
const WALK: Duration = Duration::from_secs(600);

/// The `sh` blocks of a Markdown text, one after the other.
fn shell_blocks(text: &str) -> String {
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_walk_by_hand_in_the_readme_works() -> Outcome {
    let readme = std::fs::read_to_string(workspace().join("README.md")).doing("README.md")?;
    // Built already, and in the profile of the tests: a release build takes minutes and proves nothing more here.
    let profile = dmr_server()?.parent().and_then(Path::file_name).doing("a profile")?.to_string_lossy();
    let release = if profile == "release" { " --release" } else { "" };
    let target = dmr_agent()?.parent().and_then(Path::parent).doing("a target directory")?.display();
    let script = shell_blocks(&readme).replace(" --release", release).replace("/release\"", &format!("/{profile}\""));
    assert!(script.contains("/v1/questions") && script.contains("keys new"), "the walk is not in the README");

    let before = format!(
        "set -euo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\nexport CARGO_TARGET_DIR={target}\n"
    );
    let script = format!("{before}cd {}\n{script}", workspace().display());
    let walked = run_within(WALK, Path::new("bash"), &["-c", &script])?;
    assert_eq!(walked.code, Some(0), "{}\n{}", walked.stdout, walked.stderr);
    // The answer to the question, and the end of the message that was looked for later.
    assert!(walked.stdout.contains("\"payload\"") && walked.stdout.contains("inReplyTo"), "{}", walked.stdout);
    assert!(["delivered", "answered"].iter().any(|end| walked.stdout.contains(end)), "{}", walked.stdout);
    Ok(())
}

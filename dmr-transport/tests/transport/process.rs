//! Signals and logs belong to a process, so these tests run themselves in one of their own.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use dmr_transport::service::logging::{LogError, LogFormat, LogSettings, start};
use dmr_transport::service::shutdown;

const CHILD: &str = "DMR_TEST_CHILD";

/// This test program again, running only this test.
fn child(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("process::{test}"), "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[tokio::test]
async fn the_first_signal_ends_the_work_and_the_second_the_process() {
    if is_child() {
        let stop = shutdown::signal().unwrap();
        println!("\nworking");
        stop.await;
        println!("draining");
        std::future::pending::<()>().await;
    }
    let mut child = child("the_first_signal_ends_the_work_and_the_second_the_process");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "working"));
    signal(&child, "-TERM");
    assert!(lines.any(|line| line == "draining"));
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn logs_are_json_lines_on_the_standard_error_and_the_filter_holds() {
    if is_child() {
        let settings = LogSettings { log: "info,quiet=off".into(), log_format: LogFormat::Json };
        start(&settings).unwrap();
        tracing::info!(port = 8075, "listening");
        tracing::debug!("too detailed");
        tracing::error!(target: "quiet", "switched off");
        assert_eq!(start(&settings), Err(LogError::Already));
        return;
    }
    let mut child = child("logs_are_json_lines_on_the_standard_error_and_the_filter_holds");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success());
    let records: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 1, "{said}");
    assert_eq!(records[0]["message"], "listening");
    assert_eq!(records[0]["level"], "INFO");
    assert_eq!(records[0]["port"], 8075);
}

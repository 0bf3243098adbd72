//! Every program here, run as a reader would run it.

use std::path::Path;
use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::process::{Ended, run_within};
use dmr_tests::programs::workspace;
use serde_json::Value;

/// What any of them may take: the demo and the load program build the server and the agent.
const LIMIT: Duration = Duration::from_secs(600);

const DEMO: &str = env!("CARGO_BIN_EXE_demo");
const LOAD: &str = env!("CARGO_BIN_EXE_load");

fn run(program: &str, args: &[&str]) -> Outcome<Ended> {
    run_within(LIMIT, Path::new(program), args)
}

/// What a program that ends well prints.
fn printed(program: &str, args: &[&str]) -> Outcome<String> {
    let ended = run(program, args)?;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    Ok(ended.stdout)
}

fn question(name: &str) -> String {
    workspace().join("examples/questions").join(name).to_string_lossy().into_owned()
}

#[test]
fn the_demo_shows_the_conversation_what_the_server_saw_and_each_leg() -> Outcome {
    let shown = printed(DEMO, &[])?;
    let parts = [
        "dmr-server",
        "dmr-agent",
        "recorded as stolen since 14 November 2026",
        "ciphertext",
        "No 8 bytes in a row",
        " ms",
    ];
    for part in parts {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    Ok(())
}

#[test]
fn another_question_gets_another_answer() -> Outcome {
    let shown = printed(DEMO, &[&question("found-car.json")])?;
    assert!(shown.contains("case is closed") && !shown.contains("recorded as stolen since"), "{shown}");
    Ok(())
}

#[test]
fn a_demo_of_nothing_says_what_is_wrong() -> Outcome {
    let ended = run(DEMO, &["/nonexistent/question.json"])?;
    assert_ne!(ended.code, Some(0));
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(said.contains("/nonexistent/question.json"), "{said}");
    Ok(())
}

#[test]
fn a_changed_bit_is_noticed_on_either_side_of_the_server() -> Outcome {
    let shown = printed(DEMO, &["--tamper"])?;
    assert!(shown.contains("bad-signature") && shown.contains("Two changed envelopes were refused"), "{shown}");
    Ok(())
}

#[test]
fn the_smaller_programs_end_well() -> Outcome {
    let programs: [(&str, &[&str], &str); 4] = [
        (env!("CARGO_BIN_EXE_seal_and_open"), &[], "opened"),
        (env!("CARGO_BIN_EXE_seal_and_open"), &[], "tampered"),
        (env!("CARGO_BIN_EXE_ask_another_office"), &[], "Report 2026-00417"),
        (env!("CARGO_BIN_EXE_relay"), &["0"], "server relay of network demo"),
    ];
    for (program, args, part) in programs {
        let shown = printed(program, args)?;
        assert!(shown.contains(part), "{program}: {part} is not in:\n{shown}");
    }
    Ok(())
}

#[test]
fn a_load_loses_and_doubles_nothing_and_says_so_in_one_line() -> Outcome {
    for receipts in ["on", "off"] {
        let args = ["--agents", "2", "--in-flight", "8", "--seconds", "1", "--receipts", receipts];
        let printed = printed(LOAD, &args)?;
        assert_eq!(printed.lines().count(), 1, "{printed}");
        let report: Value = serde_json::from_str(&printed).doing("the report")?;
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64).doing(path);
        assert!(number("/accepted")? > 0.0, "{report}");
        assert_eq!((number("/lost")?, number("/duplicated")?, number("/failed")?), (0.0, 0.0, 0.0), "{report}");
        let settled = (receipts == "on").then_some("publish_settled_ms");
        for latency in ["publish_confirm_ms", "publish_deliver_ms", "echo_ms"].into_iter().chain(settled) {
            for quantile in ["p50", "p95", "p99", "max"] {
                assert!(number(&format!("/{latency}/{quantile}"))? > 0.0, "{report}");
            }
        }
        for process in ["server", "senders", "recipients"] {
            assert!(report.pointer(&format!("/processes/{process}")).is_some_and(Value::is_object), "{report}");
        }
    }
    Ok(())
}

#[test]
fn a_relay_of_sealed_envelopes_loses_nothing_over_rounds_of_so_many_messages() -> Outcome {
    let args = ["--relay", "--agents", "2", "--in-flight", "16", "--messages", "2000", "--rounds", "2"];
    let report: Value = serde_json::from_str(&printed(LOAD, &args)?).doing("the report")?;
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64).doing(path);
    assert_eq!((number("/accepted")?, number("/rounds")?), (2000.0, 2.0), "{report}");
    assert_eq!((number("/lost")?, number("/duplicated")?, number("/failed")?), (0.0, 0.0, 0.0), "{report}");
    for latency in ["publish_confirm_ms", "publish_deliver_ms", "publish_settled_ms"] {
        assert!(number(&format!("/{latency}/p50"))? > 0.0, "{report}");
    }
    assert!(number("/envelope_size")? > 1024.0 && number("/server_rss_kib/after")? > 0.0, "{report}");
    Ok(())
}

#[test]
fn a_baseline_without_a_broker_is_refused_in_words() -> Outcome {
    let ended = run(LOAD, &["--baseline", "--broker", "memory"])?;
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("--baseline needs --broker amqp://"), "{}", ended.stderr);
    Ok(())
}

#[test]
fn idle_links_are_weighed_over_ws_and_wss() -> Outcome {
    let report: Value = serde_json::from_str(&printed(LOAD, &["--idle", "50"])?).doing("the report")?;
    for kind in ["plain", "tls"] {
        let weight = report.pointer(&format!("/{kind}/bytes_per_link")).and_then(Value::as_u64);
        assert!(weight.is_some_and(|bytes| bytes > 0), "{report}");
    }
    Ok(())
}

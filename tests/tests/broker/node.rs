//! One node.

use std::path::Path;

use dmr_tests::certificate::certificates;
use dmr_tests::drill::{say, turn};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::{PATIENCE, eventually, until};
use dmr_tests::process::Process;
use dmr_tests::rabbitmq::{Node, NodePlan, shared};
use serde_json::json;

/// Whether this process is there and not just waiting to be collected.
fn runs(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[tokio::test]
async fn a_node_is_killed_restarted_paused_and_stopped_and_its_policies_survive() -> Outcome {
    let _turn = turn().await;
    let began = std::time::Instant::now();
    let mut node = Node::start().await?;
    say(format_args!("one node: {:?}", began.elapsed()));
    node.set_policy("kept", "^kept$", &json!({ "max-length": 7 })).await?;
    let first = node.id().unwrap();
    let began = std::time::Instant::now();
    node.restart().await?;
    say(format_args!("restarted: {:?}", began.elapsed()));
    assert!(!runs(first) && node.id() != Some(first));
    assert!(node.ctl(&["list_policies"]).await?.contains("max-length"));

    node.pause().await?;
    node.resume()?;
    assert!(node.running().await?.contains(&node.name()));
    node.stop().await?;
    assert_eq!(node.id(), None);
    node.start_again().await?;
    let last = node.id().unwrap();
    drop(node);
    assert!(!runs(last));
    Ok(())
}

#[tokio::test]
async fn a_shared_node_has_rooms_alarms_and_an_operator() -> Outcome {
    let node = shared().await?;
    assert!(node.add_vhost("room").await?.ends_with("/room"));
    assert!(node.ctl(&["list_vhosts"]).await?.contains("room"));
    node.raise_memory_alarm().await?;
    node.clear_memory_alarm().await?;
    assert_eq!(node.queue_facts("nobody").await?, None);
    let refused = node.delete_queue("nobody").await.unwrap_err();
    assert!(refused.to_string().contains("404"), "{refused}");
    assert!(node.kill_channels_of_consumers("nobody").await.is_err());
    node.close_all_connections().await?;
    assert_eq!(node.eval("1 + 1.").await?, "2");
    Ok(())
}

#[tokio::test]
async fn a_node_that_starts_late_listens_in_tls_as_well() -> Outcome {
    let _turn = turn().await;
    let network = Network::new("demo", &[])?;
    let files = certificates(&network)?;
    let plan = NodePlan::default().tls(files.authority, files.certificate, files.key);
    let mut node = Node::prepare(&plan).await?;
    assert!(node.id().is_none() && node.log().is_err());
    node.start_again().await?;
    let address = node.amqps_url().rsplit(':').next().unwrap().to_owned();
    let started = format!("started TLS (SSL) listener on 127.0.0.1:{address}");
    until("its log says so", async || Ok(node.log()?.contains(&started))).await
}

/// Starts a node in a test process of its own, tells its id, and waits to be killed. Only the next test runs it.
#[tokio::test]
#[ignore = "waits for ever; another test runs it in a process of its own, and kills that"]
async fn a_process_that_is_going_to_be_killed() -> Outcome {
    let node = shared().await?;
    std::fs::write(std::env::var("TEST_NODE_ID").unwrap(), node.id().unwrap().to_string()).unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn nothing_survives_a_test_process_that_is_killed() -> Outcome {
    let _turn = turn().await;
    let files = tempfile::tempdir().unwrap();
    let told = files.path().join("id");
    let program = std::env::current_exe().unwrap();
    // Not with the variables of the harness: a process it starts has none of those.
    let variable = format!("TEST_NODE_ID={}", told.display());
    let args =
        [&variable, program.to_str().unwrap(), "--ignored", "--exact", "node::a_process_that_is_going_to_be_killed"];
    let mut process = Process::start(Path::new("env"), &args, &[], &files.path().join("log"))?;
    let started = async || Ok(std::fs::read_to_string(&told).ok().and_then(|id| id.parse::<u32>().ok()));
    let id = eventually("the node has started", PATIENCE, started).await?;
    assert!(runs(id), "{}", process.last_lines(20));

    let home = environment(id).into_iter().find(|entry| entry.starts_with("HOME=")).unwrap();
    process.kill()?;
    until("no process of the site is left", async || {
        let processes = std::fs::read_dir("/proc").doing("the processes")?.flatten();
        let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        Ok(!ids.into_iter().any(|id: u32| environment(id).contains(&home)))
    })
    .await
}

fn environment(id: u32) -> Vec<String> {
    let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

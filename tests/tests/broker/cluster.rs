//! Three nodes.

use dmr_tests::drill::{say, turn};
use dmr_tests::failure::Outcome;
use dmr_tests::patience::until;
use dmr_tests::rabbitmq::Cluster;
use serde_json::json;

#[tokio::test]
async fn a_cluster_elects_pauses_in_the_minority_and_is_mended() -> Outcome {
    let _turn = turn().await;
    let began = std::time::Instant::now();
    let mut cluster = Cluster::start().await?;
    say(format_args!("three nodes: {:?}", began.elapsed()));
    let queue = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    cluster.node(0)?.declare_queue("letters", &queue).await?;
    let first = cluster.kill_leader_of("letters").await?;
    let second = cluster.leader_of("letters").await?;
    assert_ne!(first, second);
    let began = std::time::Instant::now();
    cluster.mend().await?;
    say(format_args!("one node again: {:?}", began.elapsed()));
    cluster.any()?.queue_when("letters", "has all its members", |facts| facts.online.len() == 3).await?;

    cluster.kill_majority()?;
    until("the minority serves nobody", async || Ok(cluster.any().is_err())).await?;
    let began = std::time::Instant::now();
    cluster.mend().await?;
    say(format_args!("two nodes again: {:?}", began.elapsed()));
    cluster.leader_of("letters").await.map(drop)
}

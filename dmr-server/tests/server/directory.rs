//! The directory's way from its file to the agents.

use std::time::Duration;

use dmr_core::directory::Status;
use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::reason::CloseReason;
use dmr_crypto::VerifiedDirectory;

use super::harness::{TestServer, WsAgent, eventually};
use super::network::{Network, now};

/// Gathers the parts of a directory, and verifies the whole.
async fn directory(agent: &mut WsAgent, network: &Network) -> VerifiedDirectory {
    let mut document = Vec::new();
    loop {
        match agent.frame().await {
            ServerFrame::Directory { total, offset, part, .. } => {
                assert_eq!(offset as usize, document.len());
                document.extend_from_slice(&part);
                if document.len() == total as usize {
                    return VerifiedDirectory::verify(&document, &network.pin, now()).unwrap();
                }
            }
            frame => panic!("{frame:?} in place of the directory"),
        }
    }
}

#[tokio::test]
async fn a_newer_directory_reaches_connected_agents_and_closes_those_it_removes() {
    let mut network = Network::of(&["tax", "police", "rescue"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    let mut rescue = server.log_in(&network, "rescue").await;
    let key = network.keys("rescue").any_login_key(now()).unwrap().id();
    network.amend(|directory| {
        directory.revoked.push(dmr_core::directory::RevokedKey { key, since: now() });
    });
    network.set_status("police", Status::Suspended);
    network.publish();
    assert_eq!(police.close_reason().await, Some(CloseReason::DirectoryChanged));
    assert_eq!(rescue.close_reason().await, Some(CloseReason::DirectoryChanged));
    let got = directory(&mut tax, &network).await;
    assert_eq!(got.digest(), network.directory.digest());
}

#[tokio::test]
async fn an_agent_gets_the_directory_when_its_own_is_older_and_only_then() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut behind = server.dial().await;
    let mut parts = behind.login_parts(&network, network.keys("tax")).await;
    parts.fields.directory_revision = 0;
    behind.log_in_with(&parts, network.keys("tax")).await;
    assert_eq!(directory(&mut behind, &network).await.revision(), network.directory.revision());
    let mut level = server.log_in(&network, "police").await;
    level.send(&AgentFrame::FetchDirectory { revision: network.directory.revision() }).await;
    let envelope = network.seal("police", &["tax"]);
    level.publish_confirmed(&envelope).await;
    level.send(&AgentFrame::FetchDirectory { revision: 1 }).await;
    assert_eq!(directory(&mut level, &network).await.revision(), network.directory.revision());
}

#[tokio::test]
async fn an_invalid_or_older_directory_is_kept_out_and_a_later_good_one_is_taken_up() {
    let mut network = Network::of(&["tax", "police"]);
    let older = network.directory.bundle().clone();
    network.amend(|_| ());
    network.publish();
    let server = TestServer::start(&network).await;
    let refused = server.metric("dmr_directory_refused_total").await;
    let mut tax = server.log_in(&network, "tax").await;
    let mut broken = network.directory.bundle().to_vec();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    let mut count = refused;
    for bad in [&broken[..], &older[..], b"", &[b'x'; 100]] {
        network.write_directory(bad);
        eventually("the file is refused", || async { server.metric("dmr_directory_refused_total").await > count })
            .await;
        count = server.metric("dmr_directory_refused_total").await;
        assert_eq!(server.page("/readyz").await.0, 200);
        tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    }
    network.amend(|_| ());
    network.publish();
    assert_eq!(directory(&mut tax, &network).await.revision(), network.directory.revision());
    eventually("the metric follows", || async {
        server.metric("dmr_directory_revision").await == network.directory.revision() as f64
    })
    .await;
}

#[tokio::test]
async fn the_kept_directory_refuses_an_older_one_after_a_restart() {
    let mut network = Network::of(&["tax", "police"]);
    let older = network.directory.bundle().clone();
    network.set_status("police", Status::Removed);
    network.publish();
    let state = network.home().join("state");
    let keep = ["--state", state.to_str().unwrap()];
    let server = TestServer::start_with(&network, &keep).await;
    server.terminate().await;
    assert!(server.ended().await.0.success());
    network.write_directory(&older);
    let server = TestServer::start_with(&network, &keep).await;
    assert_eq!(server.metric("dmr_directory_refused_total").await, 1.0);
    let mut police = server.dial().await;
    let parts = police.login_parts(&network, network.keys("police")).await;
    police.authenticate(&parts, network.keys("police")).await;
    assert_eq!(police.close_reason().await, Some(CloseReason::LoginRefused));
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_directory_past_half_of_its_life_is_a_warning() {
    let mut network = Network::of(&["tax"]);
    network.amend_at(now().minus(6 * MINUTE), 10 * MINUTE, |_| ());
    network.publish();
    let server = TestServer::start(&network).await;
    let (status, body) = server.page("/readyz").await;
    assert_eq!(status, 200);
    assert!(body.contains("renew it"), "{body}");
    server.metric_reaches("dmr_directory_renewal_due", 1.0).await;
    network.amend(|_| ());
    network.publish();
    eventually("no warning", || async { !server.page("/readyz").await.1.contains("renew it") }).await;
    server.terminate().await;
    let (_, log) = server.ended().await;
    assert!(log.contains("past half of its life"), "{log}");
}

#[tokio::test]
async fn a_server_whose_directory_has_expired_is_not_ready_until_there_is_a_newer_one() {
    let mut network = Network::of(&["tax", "police"]);
    network.amend_at(now().minus(10 * MINUTE), 9 * MINUTE, |_| ());
    network.publish();
    let server = TestServer::start(&network).await;
    let (status, body) = server.page("/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("expired"), "{body}");
    // Within its grace it still serves those who are there.
    let mut tax = server.log_in(&network, "tax").await;
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    network.amend(|_| ());
    network.publish();
    eventually("ready again", || async { server.page("/readyz").await.0 == 200 }).await;
}

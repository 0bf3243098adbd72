//! Who gets in.

use dmr_core::directory::Status;
use dmr_core::frame::{AgentFrame, Challenge, ChannelBinding, ServerFrame};
use dmr_core::reason::CloseReason;

use super::harness::{TestServer, WsAgent};
use super::network::{Network, name};

async fn refusal(agent: &mut WsAgent) -> CloseReason {
    let reason = match agent.frame().await {
        ServerFrame::Refused { reason } => reason,
        frame => panic!("{frame:?} in place of a refusal"),
    };
    assert_eq!(agent.close_reason().await, Some(reason));
    reason
}

#[tokio::test]
async fn a_login_that_holds_is_welcomed() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut agent = server.dial().await;
    let parts = agent.login_parts(&network, network.keys("tax")).await;
    let challenge = Challenge::decode(&parts.challenge).unwrap();
    assert_eq!((challenge.network, challenge.server), (name("testnet"), name("relay")));
    assert_eq!(challenge.directory_revision, network.directory.revision());
    let welcome = agent.log_in_with(&parts, network.keys("tax")).await;
    assert_eq!(welcome.credit, 64);
    let mut other = server.dial().await;
    assert_ne!(other.log_in(&network, "police").await.session, welcome.session);
}

#[tokio::test]
async fn every_wrong_login_is_refused_alike() {
    let mut network = Network::of(&["tax", "police", "gone", "away"]);
    network.set_status("gone", Status::Removed);
    network.set_status("away", Status::Suspended);
    network.publish();
    let stranger = Network::of(&["tax"]);
    let server = TestServer::start(&network).await;
    for case in ["other's key", "stranger", "removed", "suspended", "spoilt proof", "replayed challenge"] {
        let mut agent = server.dial().await;
        let (claimed, signer) = match case {
            "other's key" => (network.keys("tax"), network.keys("police")),
            "stranger" => (stranger.keys("tax"), stranger.keys("tax")),
            "removed" => (network.keys("gone"), network.keys("gone")),
            "suspended" => (network.keys("away"), network.keys("away")),
            _ => (network.keys("tax"), network.keys("tax")),
        };
        let mut parts = agent.login_parts(&network, claimed).await;
        match case {
            "spoilt proof" => {
                let fields = parts.fields.encode().unwrap();
                agent.send(&AgentFrame::Authenticate { fields, proof: vec![1; 64].into() }).await;
            }
            "replayed challenge" => {
                parts.challenge = server.dial().await.challenge().await;
                agent.authenticate(&parts, signer).await;
            }
            _ => agent.authenticate(&parts, signer).await,
        }
        assert_eq!(refusal(&mut agent).await, CloseReason::LoginRefused, "{case}");
    }
    server.log_in(&network, "tax").await;
}

#[tokio::test]
async fn a_revoked_key_does_not_log_in() {
    let mut network = Network::of(&["tax", "police"]);
    let key = network.keys("tax").any_login_key(super::network::now()).unwrap().id();
    network.amend(|directory| {
        let since = super::network::now();
        directory.revoked.push(dmr_core::directory::RevokedKey { key, since });
    });
    network.publish();
    let server = TestServer::start(&network).await;
    let mut agent = server.dial().await;
    let parts = agent.login_parts(&network, network.keys("tax")).await;
    agent.authenticate(&parts, network.keys("tax")).await;
    assert_eq!(refusal(&mut agent).await, CloseReason::LoginRefused);
    server.log_in(&network, "police").await;
}

#[tokio::test]
async fn another_network_version_or_binding_is_told_as_such() {
    let network = Network::of(&["tax"]);
    let server = TestServer::start(&network).await;
    let expected = [CloseReason::WrongNetwork, CloseReason::UnsupportedVersion, CloseReason::NoChannelBinding];
    for reason in expected {
        let mut agent = server.dial().await;
        let mut parts = agent.login_parts(&network, network.keys("tax")).await;
        match reason {
            CloseReason::WrongNetwork => parts.fields.network = name("othernet"),
            CloseReason::UnsupportedVersion => parts.fields.version = 9,
            _ => parts.fields.binding = ChannelBinding::TlsExporter([1; 32]),
        }
        agent.authenticate(&parts, network.keys("tax")).await;
        assert_eq!(refusal(&mut agent).await, reason);
    }
}

#[tokio::test]
async fn nothing_but_a_login_is_taken_before_the_login() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut eager = server.dial().await;
    eager.challenge().await;
    eager.publish(&network.seal("tax", &["police"])).await;
    assert_eq!(eager.close_reason().await, Some(CloseReason::ProtocolViolation));
    let mut babbler = server.dial().await;
    babbler.challenge().await;
    babbler.send_bytes(vec![0xff; 100].into()).await;
    assert_eq!(babbler.close_reason().await, Some(CloseReason::Malformed));
    let mut long = server.dial().await;
    long.challenge().await;
    long.send_bytes(vec![0; 5_000].into()).await;
    assert_eq!(long.close_reason().await, Some(CloseReason::FrameTooLarge));
}

//! TLS that ends in the server.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use dmr_core::frame::ChannelBinding;
use dmr_core::reason::CloseReason;
use dmr_transport::tls::{self, Roots};
use dmr_transport::websocket::DialerConfig;

use super::agent::TestAgent;
use super::harness::{TestServer, dial, dial_with};
use super::network::Network;

/// A self-signed certificate for localhost and its key, in files.
fn certificate(network: &Network) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (network.home().join("tls.pem"), network.home().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key).unwrap();
    file.write_all(made.signing_key.serialize_pem().as_bytes()).unwrap();
    (certificate, key)
}

#[tokio::test]
async fn over_wss_a_login_is_bound_to_its_connection_and_plain_links_are_not_served() {
    let network = Network::of(&["tax", "police"]);
    let (certificate, key) = certificate(&network);
    let options = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let server = TestServer::start_with(&network, &options).await;
    let address = format!("wss://localhost:{}", server.address.port());
    let secure = || DialerConfig {
        tls: Some(tls::client_config(&Roots::File(certificate.clone())).unwrap()),
        ..DialerConfig::default()
    };
    let mut agent = TestAgent::new(dial_with(&address, secure()).await.unwrap());
    assert!(matches!(agent.binding, ChannelBinding::TlsExporter(_)));
    agent.log_in(&network, "tax").await;
    agent.publish_confirmed(&network.seal("tax", &["police"])).await;

    let mut unbound = TestAgent::new(dial_with(&address, secure()).await.unwrap());
    let mut parts = unbound.login_parts(&network, network.keys("tax")).await;
    parts.fields.binding = ChannelBinding::None;
    unbound.authenticate(&parts, network.keys("tax")).await;
    assert_eq!(unbound.close_reason().await, Some(CloseReason::NoChannelBinding));

    let mut relayed = TestAgent::new(dial_with(&address, secure()).await.unwrap());
    let mut parts = relayed.login_parts(&network, network.keys("tax")).await;
    parts.fields.binding = agent.binding;
    relayed.authenticate(&parts, network.keys("tax")).await;
    assert_eq!(relayed.close_reason().await, Some(CloseReason::LoginRefused));

    assert!(dial(server.address).await.is_err());
}

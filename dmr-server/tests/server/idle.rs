//! What idle links and an idle server cost.

use super::harness::TestServer;
use super::network::Network;

/// Links that are measured: few enough for the usual bound of 1,024 descriptors.
const LINKS: u64 = 400;

#[tokio::test]
async fn an_idle_link_costs_less_than_16_kib_and_an_idle_server_less_than_20_mib() {
    let network = Network::of(&["tax"]);
    let bounds =
        ["--max-unauthenticated-per-address", "0", "--rate-handshakes", "0", "--max-links-per-participant", "1000"];
    let server = TestServer::start_with(&network, &bounds).await;
    let log_in = async || {
        let mut agent = server.log_in(&network, "tax").await;
        agent.subscribe(16).await;
        agent
    };
    let mut agents = Vec::new();
    for _ in 0..20 {
        agents.push(log_in().await);
    }
    let empty = server.resident();
    for _ in 0..LINKS {
        agents.push(log_in().await);
    }
    let each = server.resident().saturating_sub(empty) / LINKS;
    println!("server {} KiB, each of {LINKS} idle links {each} bytes", empty >> 10);
    assert!(each < 16 << 10, "{each} bytes each");
    assert!(empty < 20 << 20, "{empty} bytes idle");
}

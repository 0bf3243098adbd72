//! Peers that break the rules: they lose their link, and nobody else notices.

use std::net::SocketAddr;
use std::time::Duration;

use dmr_core::envelope::Envelope;
use dmr_core::frame::ServerFrame;
use dmr_core::reason::{CloseReason, RejectReason};
use dmr_transport::{Link, LinkReceiver, Received};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::agent::DEADLINE;
use super::harness::{TestServer, dial, eventually};
use super::network::Network;

/// Waits until the server has closed a raw connection, whatever it says before.
async fn closed(stream: &mut TcpStream) {
    let mut said = Vec::new();
    let _ = timeout(DEADLINE, stream.read_to_end(&mut said)).await.expect("the server closes in time");
}

#[tokio::test]
async fn strangers_past_the_bound_of_their_address_are_told_and_agents_inside_go_on() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut tax = server.log_in(&network, "tax").await;
    let mut strangers = Vec::new();
    for _ in 0..8 {
        strangers.push(dial(server.address).await.unwrap());
    }
    let ninth = dial(server.address).await.unwrap();
    let (_sender, mut receiver) = ninth.split();
    let reason = timeout(DEADLINE, receiver.receive()).await.unwrap().unwrap();
    assert_eq!(reason, Received::Closed(Some(CloseReason::TooManyConnections)));
    tax.publish_confirmed(&network.seal("tax", &["police"])).await;
    drop(strangers);
    eventually("there is room again", || async {
        let mut agent = server.dial().await;
        matches!(agent.receive().await, Received::Frame(_))
    })
    .await;
    assert!(server.metric("dmr_links_shed_total{reason=\"address\"}").await >= 1.0);
}

#[tokio::test]
async fn silent_and_slow_handshakes_and_logins_end_in_time() {
    let network = Network::of(&["tax"]);
    let server = TestServer::start_with(&network, &["--login-timeout", "400ms"]).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /v1/link HTTP/1.1\r\nHost: ").await.unwrap();
    let mut undecided = server.dial().await;
    closed(&mut silent).await;
    closed(&mut slow).await;
    assert_eq!(undecided.close_reason().await, Some(CloseReason::LoginTimeout));
}

#[tokio::test]
async fn garbage_on_the_port_disturbs_nobody() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    let lines: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        &[0xff; 20_000],
    ];
    for line in lines {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(line).await;
        let _ = stream.shutdown().await;
        closed(&mut stream).await;
        let envelope = network.seal("tax", &["police"]);
        tax.publish_confirmed(&envelope).await;
        police.take(&envelope).await;
    }
}

#[tokio::test]
async fn an_agent_that_breaks_the_protocol_loses_its_link_with_the_reason() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut honest = server.log_in(&network, "police").await;
    let cases: [(&[u8], CloseReason); 4] = [
        (&[9, 9, 9], CloseReason::Malformed),
        (&[2, 3, 1, 2, 3], CloseReason::Malformed),
        (&[5, 0], CloseReason::Malformed),
        (&[3, 77, 0], CloseReason::ProtocolViolation),
    ];
    for (bytes, expected) in cases {
        let mut agent = server.log_in(&network, "tax").await;
        agent.send_bytes(bytes.to_vec().into()).await;
        assert_eq!(agent.close_reason().await, Some(expected), "{bytes:?}");
    }
    let mut twice = server.log_in(&network, "tax").await;
    twice.subscribe(1).await;
    twice.subscribe(1).await;
    assert_eq!(twice.close_reason().await, Some(CloseReason::ProtocolViolation));
    honest.publish_confirmed(&network.seal("police", &["tax"])).await;
}

#[tokio::test]
async fn a_frame_longer_than_the_limit_closes_the_link() {
    let network = Network::of(&["tax", "police"]);
    let server = TestServer::start(&network).await;
    let mut agent = server.log_in(&network, "tax").await;
    // By hand, as our own sender refuses to make it: a masked binary frame that claims 64 MiB.
    let mut raw = raw_upgrade(server.address).await;
    let claim = [&[0x82, 0xff][..], &(64_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    raw.write_all(&claim).await.unwrap();
    let _ = raw.write_all(&[0; 64 << 10]).await;
    closed(&mut raw).await;
    agent.publish_confirmed(&network.seal("tax", &["police"])).await;
}

async fn raw_upgrade(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /v1/link HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: dmr.v1\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    timeout(DEADLINE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

/// The same envelope with its signature changed: what costs the server most to refuse.
fn badly_signed(envelope: &Envelope) -> Envelope {
    let mut signature = *envelope.signature();
    signature[0] ^= 1;
    Envelope::encode(envelope.header_bytes(), envelope.wraps(), envelope.body(), &signature).unwrap()
}

#[tokio::test]
async fn a_flood_of_bad_signatures_disturbs_nobody_and_costs_no_memory() {
    const WINDOW: usize = 32;
    let network = Network::of(&["tax", "police", "mallory"]);
    let server = TestServer::start_with(&network, &["--rate-messages", "0"]).await;
    let (mut tax, mut police) = (server.log_in(&network, "tax").await, server.log_in(&network, "police").await);
    police.subscribe(8).await;
    let mut mallory = server.log_in(&network, "mallory").await;
    let bad = badly_signed(&network.seal("mallory", &["police"]));
    let before = server.resident();
    let flood = tokio::spawn(async move {
        loop {
            for _ in 0..WINDOW {
                mallory.publish(&bad).await;
            }
            for _ in 0..WINDOW {
                let ServerFrame::Reject { reason, .. } = mallory.frame().await else { panic!("no reject") };
                assert_eq!(reason, RejectReason::BadSignature);
            }
        }
    });
    server.metric_reaches("dmr_messages_rejected_total{reason=\"bad-signature\"}", 1_000.0).await;
    for _ in 0..20 {
        let envelope = network.seal("tax", &["police"]);
        tax.publish_confirmed(&envelope).await;
        police.take(&envelope).await;
    }
    assert!(!flood.is_finished());
    flood.abort();
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes");
}

#[tokio::test]
async fn an_agent_that_never_reads_its_mailbox_costs_the_others_nothing() {
    let network = Network::of(&["tax", "police", "rescue"]);
    let server = TestServer::start_with(&network, &["--rate-messages", "0"]).await;
    let mut tax = server.log_in(&network, "tax").await;
    let mut deaf = server.log_in(&network, "police").await;
    deaf.subscribe(1_000).await;
    let text = "x".repeat(100_000);
    for _ in 0..200 {
        tax.publish_confirmed(&network.seal_text("tax", &["police"], &text, Duration::from_secs(600))).await;
    }
    let mut rescue = server.log_in(&network, "rescue").await;
    rescue.subscribe(8).await;
    let envelope = network.seal("tax", &["rescue"]);
    tax.publish_confirmed(&envelope).await;
    rescue.take(&envelope).await;
    // Closed as slow, what it had not settled goes back.
    server.metric_reaches("dmr_links_closed_total{reason=\"slow-peer\"}", 1.0).await;
    server.metric_reaches("dmr_queue_ready_messages", 200.0).await;
    drop(deaf);
}

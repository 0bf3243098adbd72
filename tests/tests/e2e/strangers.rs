//! What others may say to a server, and what it answers, while those who take part go on.

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::reason::{CloseReason, RejectReason};
use dmr_tests::agent::AgentPlan;
use dmr_tests::chatbot::Chatbot;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::proxy::{Proxy, Seen};
use dmr_tests::server::ServerPlan;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::intruder::{Intruder, login};
use crate::pair::{POLICE, Pair, TAX, takes};

#[tokio::test]
async fn garbage_instead_of_a_login_closes_the_link_and_disturbs_nobody() -> Outcome {
    let pair = Pair::start(takes).await?;
    let garbage: [(&[u8], CloseReason); 4] = [
        (b"garbage", CloseReason::Malformed),
        (&[], CloseReason::Malformed),
        (&[0xff; 5_000], CloseReason::FrameTooLarge),
        // A heartbeat: a frame, and not the one that is due.
        (&[5], CloseReason::ProtocolViolation),
    ];
    for (bytes, reason) in garbage {
        let mut link = Intruder::dial(&pair.server.url()).await?;
        link.challenge().await?;
        link.send_bytes(Bytes::copy_from_slice(bytes)).await?;
        assert_eq!(link.closed().await?, Some(reason), "{} bytes", bytes.len());
        pair.exchange("Still there?").await?;
    }
    Ok(())
}

#[tokio::test]
async fn garbage_instead_of_a_handshake_is_turned_away() -> Outcome {
    let pair = Pair::start(takes).await?;
    let long = [b"GET /v1/link HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 20_000]].concat();
    let garbage: [&[u8]; 4] = [&[0x16, 0x03, 0x01, 0, 5], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", &long, &[0; 64]];
    for bytes in garbage {
        let mut stream = TcpStream::connect(pair.server.address()).await.doing("connecting")?;
        // The server may close before everything is written.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    }
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn garbage_after_the_login_closes_that_link_alone() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut link = Intruder::log_in(&pair.network, POLICE, &pair.server.url()).await?;
    link.send_bytes(Bytes::from_static(&[200, 1, 2, 3])).await?;
    assert_eq!(link.closed().await?, Some(CloseReason::Malformed));
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn an_envelope_that_is_none_closes_the_link() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut link = Intruder::log_in(&pair.network, POLICE, &pair.server.url()).await?;
    link.send(&AgentFrame::Publish { envelope: Bytes::from_static(b"DMR1 is not enough") }).await?;
    assert_eq!(link.closed().await?, Some(CloseReason::Malformed));
    pair.exchange("Still there?").await
}

#[tokio::test]
async fn a_login_for_another_challenge_is_refused() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut first = Intruder::dial(&pair.server.url()).await?;
    let (_, challenge) = first.challenge().await?;
    let (fields, proof) = login(&pair.network, POLICE, &challenge)?;
    let mut second = Intruder::dial(&pair.server.url()).await?;
    second.challenge().await?;
    second.send(&AgentFrame::Authenticate { fields, proof }).await?;
    let refused = second.receive().await?;
    assert_eq!(refused, ServerFrame::Refused { reason: CloseReason::LoginRefused });
    assert_eq!(second.closed().await?, Some(CloseReason::LoginRefused));
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_refused_without_being_told_why_and_the_log_says_why() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.network.keys_new("stranger", &[])?;
    let mut link = Intruder::dial(&pair.server.url()).await?;
    let (_, challenge) = link.challenge().await?;
    let (fields, proof) = login(&pair.network, "stranger", &challenge)?;
    link.send(&AgentFrame::Authenticate { fields, proof }).await?;
    assert_eq!(link.receive().await?, ServerFrame::Refused { reason: CloseReason::LoginRefused });
    until("the server's log says why", async || {
        Ok(pair.server.process.log()?.contains("the directory knows no login key"))
    })
    .await?;
    pair.exchange("Still there?").await
}

/// Everything the Tax Authority has published so far, as it went over the wire.
fn published(wire: &Proxy) -> Vec<Bytes> {
    let envelopes = wire.sightings().into_iter().filter_map(|sighting| match sighting.frame {
        Seen::Agent(AgentFrame::Publish { envelope }) => Some(envelope),
        _ => None,
    });
    envelopes.collect()
}

#[tokio::test]
async fn an_envelope_under_another_participants_sender_id_is_refused() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let wire = Proxy::start(server.address()).await?;
    let tax = AgentPlan::new(&network, TAX, format!("ws://{}", wire.address()))?.start(&network).await?;
    let id = tax.send_well(POLICE, "Signed by the Tax Authority.").await?;

    // The Police log in as themselves and publish it as if it were theirs to publish.
    let mut link = Intruder::log_in(&network, POLICE, &server.url()).await?;
    let envelope = published(&wire).pop().doing("the envelope on the wire")?;
    link.send(&AgentFrame::Publish { envelope }).await?;
    let ServerFrame::Reject { id: rejected, reason, .. } = link.receive().await? else {
        return Err(Failure::new("not rejected"));
    };
    assert_eq!((rejected.to_string(), reason), (id, RejectReason::SenderMismatch));
    Ok(())
}

#[tokio::test]
async fn an_envelope_that_is_replayed_reaches_the_service_once() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let police = police.start(&network).await?;
    let wire = Proxy::start(server.address()).await?;
    let tax = AgentPlan::new(&network, TAX, format!("ws://{}", wire.address()))?.start(&network).await?;
    let id = tax.send_well(POLICE, "Once is enough.").await?;
    tax.api.message(&id, "delivered").await?;

    let envelope = published(&wire).pop().doing("the envelope on the wire")?;
    let mut link = Intruder::log_in(&network, TAX, &server.url()).await?;
    link.send(&AgentFrame::Publish { envelope }).await?;
    assert!(matches!(link.receive().await?, ServerFrame::Confirm { .. }), "the server keeps no state to notice");
    // What comes after the replay in the mailbox has arrived: so the replay has, too.
    let after = tax.send_well(POLICE, "And another.").await?;
    tax.api.message(&after, "delivered").await?;
    let keys: Vec<_> = chatbot.calls().into_iter().map(|call| call.key).collect();
    assert_eq!(keys, [id, after]);
    drop(police);
    Ok(())
}

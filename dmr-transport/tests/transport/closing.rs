//! How a WebSocket link ends when its two halves live on different tasks.

use std::time::Duration;

use dmr_core::reason::CloseReason;
use dmr_transport::{Link, LinkError, LinkReceiver, LinkSender, Received};
use tokio::time::{Instant, timeout};

use crate::network::pair;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn an_unknown_close_reason_of_a_newer_peer_is_kept() {
    let (agent, server) = pair("ws").await;
    let ((mut sender, _receiver), (_sender, mut receiver)) = (agent.split(), server.split());
    let newer = CloseReason::from_number(3_777);
    let (closed, received) = tokio::join!(sender.close(newer), receiver.receive());
    closed.unwrap();
    assert_eq!(received.unwrap(), Received::Closed(Some(newer)));
}

#[tokio::test]
async fn halves_on_different_tasks_both_learn_that_the_link_is_over() {
    let (agent, server) = pair("ws").await;
    let ((mut sender, mut receiver), (mut far_sender, far_receiver)) = (agent.split(), server.split());
    let receiving = tokio::spawn(async move { receiver.receive().await });
    // Nobody reads on the far side, so this sender ends up waiting.
    let sending = tokio::spawn(async move {
        loop {
            if let Err(error) = sender.ready().await {
                break error;
            }
            sender.queue(vec![0; 1 << 20].into()).unwrap();
        }
    });
    let begun = Instant::now();
    let _ = far_sender.close(CloseReason::SlowPeer).await;
    assert!(begun.elapsed() < Duration::from_secs(4));
    drop((far_sender, far_receiver));
    let (received, sent) = (timeout(SOON, receiving).await.unwrap().unwrap(), timeout(SOON, sending).await.unwrap());
    assert_eq!(received.unwrap(), Received::Closed(Some(CloseReason::SlowPeer)));
    assert!(matches!(sent.unwrap(), LinkError::Closed | LinkError::Io(_)));
}

#[tokio::test]
async fn a_close_is_over_as_soon_as_the_other_half_has_read_the_answer() {
    let (agent, server) = pair("ws").await;
    let ((mut sender, mut receiver), (_far_sender, mut far_receiver)) = (agent.split(), server.split());
    let receiving = tokio::spawn(async move { receiver.receive().await });
    let far = tokio::spawn(async move { far_receiver.receive().await });
    let begun = Instant::now();
    sender.close(CloseReason::Shutdown).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "the close waited for its timeout");
    assert_eq!(far.await.unwrap().unwrap(), Received::Closed(Some(CloseReason::Shutdown)));
    // Which half read the answer is chance; that the receiver is done is not.
    let received = timeout(SOON, receiving).await.unwrap().unwrap();
    assert!(!matches!(received, Ok(Received::Frame(_))), "{received:?}");
}

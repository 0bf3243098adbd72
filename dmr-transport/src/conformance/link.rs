//! The rules of links.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::limit;
use dmr_core::reason::CloseReason;
use tokio::time::{Instant, timeout};

use super::report::{Breach, QUIET, Report, must, never, poll_once, same, soon};
use crate::link::{Link, LinkError, LinkReceiver, LinkSender, Received};

/// Bytes that a link may hold for a receiver that does not read, kernel buffers included.
const HELD: usize = 32 << 20;
/// Longest time for a close: its bound and some leeway for a busy machine.
const CLOSE: Duration = Duration::from_secs(4);

/// Puts links to every rule, in both directions. `pair` opens a fresh pair of connected ends.
pub async fn check<A: Link, B: Link, F: Future<Output = (A, B)>>(pair: impl Fn() -> F) -> Report {
    let mut report = Report::default();
    macro_rules! rules {
        ($($rule:ident)*) => {$(
            let (near, far) = pair().await;
            report.judge(stringify!($rule), $rule(near, far)).await;
            let (far, near) = pair().await;
            report.judge(stringify!($rule), $rule(near, far)).await;
        )*};
    }
    rules! {
        frames_arrive_whole_and_in_order
        a_frame_of_the_largest_size_arrives
        a_longer_frame_is_refused_before_it_is_sent
        a_frame_is_queued_only_when_the_link_is_ready
        a_cancelled_receive_loses_nothing
        a_cancelled_flush_loses_nothing
        a_sender_waits_for_a_slow_receiver
        both_directions_flow_at_once
        a_close_comes_after_the_frames_before_it_and_says_why
        a_link_closed_here_is_closed
        a_link_closed_there_is_closed
        a_close_ends_though_nobody_reads
        a_dropped_link_ends_the_other_side
        both_sides_see_the_same_channel_binding
    }
    report
}

/// A frame of `len` bytes that begins like no other.
fn frame(seed: usize, len: usize) -> Bytes {
    let pattern: Vec<u8> = (0..=250).collect();
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(pattern.repeat(len / pattern.len() + 1));
    bytes.truncate(len);
    bytes.into()
}

async fn send(sender: &mut impl LinkSender, frame: Bytes) -> Result<(), Breach> {
    soon("a link ready for a frame", sender.ready()).await??;
    Ok(sender.queue(frame)?)
}

async fn flush(sender: &mut impl LinkSender) -> Result<(), Breach> {
    Ok(soon("a flush", sender.flush()).await??)
}

async fn expect_frame(receiver: &mut impl LinkReceiver, expected: &Bytes) -> Result<(), Breach> {
    let received = soon("a frame", receiver.receive()).await??;
    let frame = match received {
        Received::Frame(frame) => frame,
        Received::Closed(_) => return Err(Breach::Forbidden("the link closed by itself")),
    };
    same("length of a frame", &expected.len(), &frame.len())?;
    same("content of a frame", expected, &frame)
}

/// Sends all, receives all, at the same time.
async fn pass(sender: &mut impl LinkSender, receiver: &mut impl LinkReceiver, frames: &[Bytes]) -> Result<(), Breach> {
    let sending = async {
        for frame in frames {
            send(sender, frame.clone()).await?;
        }
        flush(sender).await
    };
    let receiving = async {
        for frame in frames {
            expect_frame(receiver, frame).await?;
        }
        Ok(())
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

async fn frames_arrive_whole_and_in_order(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    let lengths = [0, 1, 125, 126, 127, 4_095, 4_096, 4_097, 65_535, 65_536, 65_537, 300_000, 0, 0, 7, 8, 9];
    let frames: Vec<_> = lengths.iter().enumerate().map(|(seed, len)| frame(seed, *len)).collect();
    pass(&mut sender, &mut receiver, &frames).await?;
    let many: Vec<_> = (0..500).map(|seed| frame(seed, seed % 37 + 1)).collect();
    pass(&mut sender, &mut receiver, &many).await
}

async fn a_frame_of_the_largest_size_arrives(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    pass(&mut sender, &mut receiver, &[frame(1, limit::FRAME), frame(2, 3), frame(3, limit::FRAME)]).await
}

async fn a_longer_frame_is_refused_before_it_is_sent(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    soon("a link ready for a frame", sender.ready()).await??;
    let refused = sender.queue(Bytes::from(vec![0; limit::FRAME + 1]));
    must(matches!(refused, Err(LinkError::OwnFrameTooLarge { .. })), "a frame beyond the limit was queued")?;
    pass(&mut sender, &mut receiver, &[frame(1, 10)]).await
}

async fn a_frame_is_queued_only_when_the_link_is_ready(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    let refused = sender.queue(frame(1, 10));
    must(matches!(refused, Err(LinkError::NotReady)), "a frame was queued without `ready`")?;
    send(&mut sender, frame(2, 10)).await?;
    let refused = sender.queue(frame(3, 10));
    must(matches!(refused, Err(LinkError::NotReady)), "two frames were queued after one `ready`")?;
    flush(&mut sender).await?;
    expect_frame(&mut receiver, &frame(2, 10)).await
}

async fn a_cancelled_receive_loses_nothing(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    for seed in 0..50 {
        let expected = frame(seed, seed * 401);
        let mut early = poll_once(receiver.receive()).await;
        send(&mut sender, expected.clone()).await?;
        flush(&mut sender).await?;
        for _ in 0..4 {
            if early.is_none() {
                early = poll_once(receiver.receive()).await;
            }
        }
        match early {
            None => expect_frame(&mut receiver, &expected).await?,
            Some(received) => same("a frame", &Received::Frame(expected), &received?)?,
        }
    }
    Ok(())
}

async fn a_cancelled_flush_loses_nothing(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    let frames: Vec<_> = (0..10).map(|seed| frame(seed, 200_000)).collect();
    let sending = async {
        for frame in &frames {
            while poll_once(sender.ready()).await.transpose()?.is_none() {
                tokio::task::yield_now().await;
            }
            sender.queue(frame.clone())?;
            poll_once(sender.flush()).await.transpose()?;
        }
        flush(&mut sender).await
    };
    let receiving = async {
        for frame in &frames {
            expect_frame(&mut receiver, frame).await?;
        }
        Ok(())
    };
    tokio::try_join!(sending, receiving).map(|_| ())
}

async fn a_sender_waits_for_a_slow_receiver(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    let length = 1 << 20;
    let mut sent = 0;
    loop {
        match timeout(QUIET, sender.ready()).await {
            Err(_) => break,
            Ok(ready) => ready?,
        }
        sender.queue(frame(sent, length))?;
        sent += 1;
        must(sent * length <= HELD, "the link took frames without end though nobody received")?;
    }
    let draining = async {
        for seed in 0..sent {
            expect_frame(&mut receiver, &frame(seed, length)).await?;
        }
        Ok(())
    };
    tokio::try_join!(flush(&mut sender), draining).map(|_| ())
}

async fn both_directions_flow_at_once(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, mut receiver), (mut far_sender, mut far_receiver)) = (near.split(), far.split());
    let there: Vec<_> = (0..20).map(|seed| frame(seed, 100_000)).collect();
    let back: Vec<_> = (20..40).map(|seed| frame(seed, 100_000)).collect();
    let both = (pass(&mut sender, &mut far_receiver, &there), pass(&mut far_sender, &mut receiver, &back));
    tokio::try_join!(both.0, both.1).map(|_| ())
}

async fn a_close_comes_after_the_frames_before_it_and_says_why(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (_other, mut receiver)) = (near.split(), far.split());
    let frames: Vec<_> = (0..3).map(|seed| frame(seed, 10_000)).collect();
    let closing = async {
        for frame in &frames {
            send(&mut sender, frame.clone()).await?;
        }
        let _ = soon("a close", sender.close(CloseReason::Draining)).await?;
        Ok(())
    };
    let receiving = async {
        for frame in &frames {
            expect_frame(&mut receiver, frame).await?;
        }
        let end = soon("the close", receiver.receive()).await??;
        same("the end of the link", &Received::Closed(Some(CloseReason::Draining)), &end)?;
        let after = soon("the answer of a link that is over", receiver.receive()).await?;
        must(matches!(after, Err(LinkError::Closed)), "a closed link went on receiving")
    };
    tokio::try_join!(closing, receiving).map(|_| ())
}

async fn a_link_closed_here_is_closed(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, mut receiver), (_other, mut far_receiver)) = (near.split(), far.split());
    let closing = soon("a close", sender.close(CloseReason::Shutdown));
    let (closed, _told) = tokio::join!(closing, soon("the close", far_receiver.receive()));
    closed??;
    let ready = soon("an answer of a closed link", sender.ready()).await?;
    must(matches!(ready, Err(LinkError::Closed)), "a link closed here was ready to send")?;
    must(matches!(sender.queue(frame(1, 1)), Err(LinkError::Closed)), "a link closed here queued a frame")?;
    let again = soon("an answer of a closed link", sender.close(CloseReason::Shutdown)).await?;
    must(matches!(again, Err(LinkError::Closed)), "a link closed here closed again")?;
    let received = soon("an answer of a closed link", receiver.receive()).await?;
    must(matches!(received, Err(LinkError::Closed)), "a link closed here went on receiving")
}

async fn a_link_closed_there_is_closed(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), (mut far_sender, mut receiver)) = (near.split(), far.split());
    let receiving = soon("the close", receiver.receive());
    let (_, end) = tokio::join!(soon("a close", sender.close(CloseReason::LoginRefused)), receiving);
    same("the end of the link", &Received::Closed(Some(CloseReason::LoginRefused)), &end??)?;
    let ready = soon("an answer of a closed link", far_sender.ready()).await?;
    must(matches!(ready, Err(LinkError::Closed)), "a link closed there was ready to send")
}

async fn a_close_ends_though_nobody_reads(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, _keep), _unread) = (near.split(), far.split());
    for seed in 0..64 {
        if timeout(QUIET, sender.ready()).await.is_err() {
            break;
        }
        sender.queue(frame(seed, 1 << 20))?;
    }
    let begun = Instant::now();
    // Whether it could be said does not matter here, only that it ends.
    let _ = timeout(2 * CLOSE, sender.close(CloseReason::SlowPeer)).await;
    must(begun.elapsed() <= CLOSE, "a close took longer than its bound")
}

async fn a_dropped_link_ends_the_other_side(near: impl Link, far: impl Link) -> Result<(), Breach> {
    let ((mut sender, keep), (mut far_sender, mut receiver)) = (near.split(), far.split());
    send(&mut sender, frame(1, 10)).await?;
    flush(&mut sender).await?;
    never("a second frame", async {
        let _ = receiver.receive().await;
        receiver.receive().await
    })
    .await?;
    drop((sender, keep));
    let end = soon("the end of a dropped link", receiver.receive()).await?;
    must(!matches!(end, Ok(Received::Frame(_))), "a frame that nobody sent")?;
    let after = soon("the answer of a link that is over", receiver.receive()).await?;
    must(matches!(after, Err(LinkError::Closed)), "a broken link went on receiving")?;
    let ready = soon("an answer of a broken link", far_sender.ready()).await?;
    must(ready.is_err(), "a broken link was ready to send")
}

async fn both_sides_see_the_same_channel_binding(near: impl Link, far: impl Link) -> Result<(), Breach> {
    same("channel binding", &near.channel_binding(), &far.channel_binding())
}

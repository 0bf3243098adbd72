//! The rules of brokers.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

use super::report::{Breach, Report, must, never, same, soon};
use crate::broker::{
    Broker, BrokerError, DeadLetter, DeadLetters, Delivery, Disposition, Publication, PublishError, Subscription, Tag,
};

/// What the rules need to know of a broker's surroundings.
pub trait Harness {
    /// The broker.
    type Broker: Broker;

    /// A broker whose mailboxes and dead letters are empty, with at most [`Harness::MAILBOX`] messages in a mailbox.
    fn fresh(&self) -> impl Future<Output = Self::Broker>;

    /// Messages that fit a mailbox.
    const MAILBOX: usize;

    /// The broker's wall clock.
    fn now(&self) -> Timestamp;

    /// Lets this time pass on the broker's wall clock.
    fn pass(&self, span: Duration) -> impl Future<Output = ()>;
}

/// Puts a broker to every rule, each time a fresh one.
pub async fn check<H: Harness>(harness: &H) -> Report {
    let mut report = Report::default();
    macro_rules! rules {
        ($($rule:ident)*) => {$(
            let bench = Bench { harness, broker: harness.fresh().await };
            report.judge(stringify!($rule), $rule(bench)).await;
        )*};
    }
    rules! {
        a_confirmed_message_is_delivered_unchanged
        messages_come_in_the_order_they_were_published
        a_mailbox_nobody_declared_is_unroutable
        a_full_mailbox_refuses_and_confirms_nothing
        mailboxes_are_apart
        declaring_again_keeps_what_is_there
        prefetch_bounds_what_is_unsettled
        a_dropped_subscription_gives_back_what_it_had
        a_requeued_message_keeps_its_place
        an_acknowledged_message_never_comes_back
        a_dead_lettered_message_is_told_and_never_comes_back
        an_expired_message_is_dead_lettered_and_not_delivered
        a_message_that_expires_while_delivered_is_not_delivered_again
        competing_subscriptions_share_without_sharing_a_message
        a_waiting_subscription_hears_of_a_publish
        a_waiting_subscription_hears_of_a_requeue
        a_cancelled_next_loses_nothing
        settling_what_is_not_unsettled_changes_nothing
        the_store_keeps_its_name
        a_probe_leaves_nothing_behind
        depth_counts_what_waits
    }
    report
}

/// A fresh broker and what a rule says about messages.
struct Bench<'a, H: Harness> {
    harness: &'a H,
    broker: H::Broker,
}

impl<H: Harness> Bench<'_, H> {
    /// Declares the mailbox with this number.
    async fn mailbox(&self, number: u8) -> Result<ParticipantId, Breach> {
        let mailbox = participant(number);
        soon("a declared mailbox", self.broker.declare(&[mailbox])).await??;
        Ok(mailbox)
    }

    fn publication(&self, mailbox: ParticipantId, number: usize) -> Publication {
        let expires = self.harness.now().plus(Duration::from_secs(3600));
        let envelope = Bytes::from(format!("envelope {number}"));
        Publication { mailbox, sender: participant(200), id: message(number), expires, envelope }
    }

    async fn publish(&self, publication: Publication) -> Result<(), Breach> {
        Ok(soon("a confirm", self.broker.publish(publication)).await??)
    }

    /// Publishes messages 0 to `count - 1` into the mailbox.
    async fn fill(&self, mailbox: ParticipantId, count: usize) -> Result<(), Breach> {
        for number in 0..count {
            self.publish(self.publication(mailbox, number)).await?;
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        mailbox: ParticipantId,
        prefetch: u16,
    ) -> Result<<H::Broker as Broker>::Subscription, Breach> {
        Ok(soon("a subscription", self.broker.subscribe(mailbox, prefetch)).await??)
    }

    /// Checks that the next dead letter is this one.
    async fn expect_letter(&self, mailbox: ParticipantId, number: usize, reason: FailureReason) -> Result<(), Breach> {
        let mut letters = soon("the dead letters", self.broker.dead_letters()).await??;
        let letter = soon("a dead letter", letters.next()).await??;
        let expected = DeadLetter { mailbox, sender: participant(200), id: message(number), reason };
        same("a dead letter", &expected, &letter)
    }
}

fn participant(number: u8) -> ParticipantId {
    ParticipantId::from_custom_bytes([number; 16])
}

fn message(number: usize) -> MessageId {
    MessageId::from_custom_bytes(u128::try_from(number).unwrap_or(u128::MAX).wrapping_add(1).to_le_bytes())
}

/// The next delivery, which must be message `number`.
async fn expect(subscription: &mut impl Subscription, number: usize) -> Result<Delivery, Breach> {
    let delivery = soon("a delivery", subscription.next()).await??;
    same("a delivery", &Bytes::from(format!("envelope {number}")), &delivery.envelope)?;
    must(delivery.attempt >= 1, "an attempt before the first")?;
    Ok(delivery)
}

async fn settle(subscription: &mut impl Subscription, tag: Tag, disposition: Disposition) -> Result<(), Breach> {
    Ok(soon("a settled delivery", subscription.settle(tag, disposition)).await??)
}

async fn a_confirmed_message_is_delivered_unchanged(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    for len in [0, 1, 1_000, dmr_core::limit::ENVELOPE] {
        let envelope: Bytes = (0..len).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect();
        bench.publish(Publication { envelope: envelope.clone(), ..bench.publication(mailbox, len) }).await?;
        let delivery = soon("a delivery", subscription.next()).await??;
        must(delivery.envelope == envelope, "an envelope was changed")?;
        same("attempt", &1, &delivery.attempt)?;
        settle(&mut subscription, delivery.tag, Disposition::Ack).await?;
    }
    Ok(())
}

async fn messages_come_in_the_order_they_were_published(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 10).await?;
    let mut subscription = bench.subscribe(mailbox, 100).await?;
    for number in 0..10 {
        expect(&mut subscription, number).await?;
    }
    Ok(())
}

async fn a_mailbox_nobody_declared_is_unroutable(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let stranger = participant(9);
    let outcome = soon("an answer", bench.broker.publish(bench.publication(stranger, 0))).await?;
    same("publishing to nobody", &Err(PublishError::Unroutable(stranger)), &outcome)?;
    let subscribed = soon("an answer", bench.broker.subscribe(stranger, 1)).await?;
    must(matches!(subscribed, Err(BrokerError::UnknownMailbox(_))), "a subscription to a mailbox nobody declared")
}

async fn a_full_mailbox_refuses_and_confirms_nothing<H: Harness>(bench: Bench<'_, H>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, H::MAILBOX).await?;
    let outcome = soon("an answer", bench.broker.publish(bench.publication(mailbox, H::MAILBOX))).await?;
    same("publishing into a full mailbox", &Err(PublishError::Full(mailbox)), &outcome)?;
    let mut subscription = bench.subscribe(mailbox, u16::MAX).await?;
    for number in 0..H::MAILBOX {
        let delivery = expect(&mut subscription, number).await?;
        settle(&mut subscription, delivery.tag, Disposition::Ack).await?;
    }
    never("a message that was refused", subscription.next()).await?;
    bench.publish(bench.publication(mailbox, 0)).await
}

async fn mailboxes_are_apart(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let (one, other) = (bench.mailbox(1).await?, bench.mailbox(2).await?);
    let mut subscription = bench.subscribe(other, 8).await?;
    bench.publish(bench.publication(one, 1)).await?;
    never("a message for another mailbox", subscription.next()).await?;
    bench.publish(bench.publication(other, 2)).await?;
    expect(&mut subscription, 2).await.map(|_| ())
}

async fn declaring_again_keeps_what_is_there(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 2).await?;
    bench.mailbox(1).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    expect(&mut subscription, 0).await?;
    bench.mailbox(1).await?;
    expect(&mut subscription, 1).await.map(|_| ())
}

async fn prefetch_bounds_what_is_unsettled(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 5).await?;
    let mut subscription = bench.subscribe(mailbox, 2).await?;
    let first = expect(&mut subscription, 0).await?;
    expect(&mut subscription, 1).await?;
    never("a delivery beyond the prefetch", subscription.next()).await?;
    settle(&mut subscription, first.tag, Disposition::Ack).await?;
    expect(&mut subscription, 2).await?;
    never("a delivery beyond the prefetch", subscription.next()).await
}

async fn a_dropped_subscription_gives_back_what_it_had(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 4).await?;
    let mut lost = bench.subscribe(mailbox, 3).await?;
    for number in 0..3 {
        expect(&mut lost, number).await?;
    }
    drop(lost);
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    for number in 0..4 {
        expect(&mut subscription, number).await?;
    }
    Ok(())
}

async fn a_requeued_message_keeps_its_place(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 4).await?;
    let mut subscription = bench.subscribe(mailbox, 2).await?;
    let first = expect(&mut subscription, 0).await?;
    let second = expect(&mut subscription, 1).await?;
    settle(&mut subscription, first.tag, Disposition::Requeue).await?;
    let again = expect(&mut subscription, 0).await?;
    settle(&mut subscription, second.tag, Disposition::Ack).await?;
    settle(&mut subscription, again.tag, Disposition::Ack).await?;
    expect(&mut subscription, 2).await?;
    expect(&mut subscription, 3).await.map(|_| ())
}

async fn an_acknowledged_message_never_comes_back(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 3).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    for number in 0..2 {
        let delivery = expect(&mut subscription, number).await?;
        settle(&mut subscription, delivery.tag, Disposition::Ack).await?;
    }
    drop(subscription);
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    expect(&mut subscription, 2).await?;
    never("a message that was acknowledged", subscription.next()).await
}

async fn a_dead_lettered_message_is_told_and_never_comes_back(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 1).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    let delivery = expect(&mut subscription, 0).await?;
    settle(&mut subscription, delivery.tag, Disposition::DeadLetter(FailureReason::Refused)).await?;
    bench.expect_letter(mailbox, 0, FailureReason::Refused).await?;
    drop(subscription);
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    never("a message that was dead-lettered", subscription.next()).await
}

async fn an_expired_message_is_dead_lettered_and_not_delivered(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    let expires = bench.harness.now().plus(Duration::from_secs(1));
    bench.publish(Publication { expires, ..bench.publication(mailbox, 0) }).await?;
    bench.publish(bench.publication(mailbox, 1)).await?;
    bench.harness.pass(Duration::from_millis(1_100)).await;
    bench.expect_letter(mailbox, 0, FailureReason::Expired).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    expect(&mut subscription, 1).await.map(|_| ())
}

async fn a_message_that_expires_while_delivered_is_not_delivered_again(
    bench: Bench<'_, impl Harness>,
) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    let expires = bench.harness.now().plus(Duration::from_secs(1));
    bench.publish(Publication { expires, ..bench.publication(mailbox, 0) }).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    let delivery = expect(&mut subscription, 0).await?;
    bench.harness.pass(Duration::from_millis(1_100)).await;
    settle(&mut subscription, delivery.tag, Disposition::Requeue).await?;
    bench.expect_letter(mailbox, 0, FailureReason::Expired).await?;
    never("an expired message", subscription.next()).await
}

async fn competing_subscriptions_share_without_sharing_a_message(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 6).await?;
    let (mut one, mut other) = (bench.subscribe(mailbox, 3).await?, bench.subscribe(mailbox, 3).await?);
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(soon("a delivery", one.next()).await??.envelope);
        seen.push(soon("a delivery", other.next()).await??.envelope);
    }
    seen.sort();
    let expected: Vec<_> = (0..6).map(|number| Bytes::from(format!("envelope {number}"))).collect();
    same("the deliveries of both", &expected, &seen)
}

async fn a_waiting_subscription_hears_of_a_publish(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    let mut waiting = pin!(expect(&mut subscription, 0));
    never("a delivery of nothing", waiting.as_mut()).await?;
    bench.publish(bench.publication(mailbox, 0)).await?;
    waiting.await.map(|_| ())
}

async fn a_waiting_subscription_hears_of_a_requeue(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 2).await?;
    let (mut one, mut other) = (bench.subscribe(mailbox, 8).await?, bench.subscribe(mailbox, 8).await?);
    let first = expect(&mut one, 0).await?;
    expect(&mut one, 1).await?;
    let mut waiting = pin!(soon("a delivery", other.next()));
    never("a delivery that another holds", waiting.as_mut()).await?;
    settle(&mut one, first.tag, Disposition::Requeue).await?;
    // One subscription gives back what it has; the other, which waits, must be told.
    drop(one);
    waiting.await??;
    Ok(())
}

async fn a_cancelled_next_loses_nothing(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    for number in 0..5 {
        never("a delivery of nothing", subscription.next()).await?;
        bench.publish(bench.publication(mailbox, number)).await?;
        expect(&mut subscription, number).await?;
    }
    Ok(())
}

async fn settling_what_is_not_unsettled_changes_nothing(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.fill(mailbox, 2).await?;
    let mut subscription = bench.subscribe(mailbox, 1).await?;
    let first = expect(&mut subscription, 0).await?;
    settle(&mut subscription, Tag(first.tag.0.wrapping_add(1_000)), Disposition::Ack).await?;
    never("a delivery beyond the prefetch", subscription.next()).await?;
    settle(&mut subscription, first.tag, Disposition::Ack).await?;
    settle(&mut subscription, first.tag, Disposition::Requeue).await?;
    expect(&mut subscription, 1).await?;
    never("a message that was acknowledged", subscription.next()).await
}

async fn the_store_keeps_its_name(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let first = soon("the store", bench.broker.store()).await??;
    bench.mailbox(1).await?;
    let again = soon("the store", bench.broker.store()).await??;
    same("the store", &first, &again)
}

async fn a_probe_leaves_nothing_behind(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    bench.mailbox(1).await?;
    let before = soon("the depth", bench.broker.depth()).await??;
    soon("a probe", bench.broker.probe()).await??;
    let after = soon("the depth", bench.broker.depth()).await??;
    same("ready and unsettled", &(before.ready, before.unsettled), &(after.ready, after.unsettled))
}

async fn depth_counts_what_waits(bench: Bench<'_, impl Harness>) -> Result<(), Breach> {
    let mailbox = bench.mailbox(1).await?;
    bench.mailbox(2).await?;
    bench.fill(mailbox, 3).await?;
    let mut subscription = bench.subscribe(mailbox, 8).await?;
    let delivery = expect(&mut subscription, 0).await?;
    bench.harness.pass(Duration::from_secs(2)).await;
    let depth = soon("the depth", bench.broker.depth()).await??;
    same("mailboxes, ready, unsettled", &(2, 2, 1), &(depth.mailboxes, depth.ready, depth.unsettled))?;
    must(depth.bytes >= 30 && depth.oldest >= Duration::from_secs(2), "bytes or age are too small")?;
    settle(&mut subscription, delivery.tag, Disposition::Ack).await?;
    let depth = soon("the depth", bench.broker.depth()).await??;
    same("ready, unsettled", &(2, 0), &(depth.ready, depth.unsettled))
}

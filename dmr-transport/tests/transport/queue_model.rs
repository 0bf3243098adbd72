//! The queue model against a list that is too simple to be wrong, and its bounds one by one.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;
use dmr_transport::memory::{QueueLimits, QueueModel, SubscriptionId, Taken};
use dmr_transport::{DeadLetter, Disposition, Publication, PublishError, Tag};
use proptest::collection::vec;
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_000_000);
/// What a message counts beyond its envelope.
const OVERHEAD: u64 = 256;

fn mailbox(number: u8) -> ParticipantId {
    ParticipantId::from_custom_bytes([number; 16])
}

fn id(number: usize) -> MessageId {
    MessageId::from_custom_bytes(u128::try_from(number).unwrap().wrapping_add(1).to_le_bytes())
}

fn publication(to: u8, number: usize, expires: Timestamp) -> Publication {
    let envelope = Bytes::from(format!("{number}"));
    Publication { mailbox: mailbox(to), sender: mailbox(99), id: id(number), expires, envelope }
}

fn letter(to: u8, number: usize, reason: FailureReason) -> DeadLetter {
    DeadLetter { mailbox: mailbox(to), sender: mailbox(99), id: id(number), reason }
}

fn model(limits: QueueLimits) -> QueueModel {
    let mut model = QueueModel::new(limits);
    (0..3).for_each(|number| model.declare(mailbox(number)).unwrap());
    model
}

fn later(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// The message of a delivery, and its tag.
fn delivered(taken: Taken) -> (String, Tag) {
    match taken {
        Taken::Delivery(delivery) => (String::from_utf8(delivery.envelope.to_vec()).unwrap(), delivery.tag),
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Publish { to: u8, ttl: u64 },
    Subscribe { to: u8, prefetch: u16 },
    Take { who: prop::sample::Index },
    Settle { who: prop::sample::Index, which: prop::sample::Index, how: u8 },
    Unsubscribe { who: prop::sample::Index },
    Pass { seconds: u64 },
    Mourn,
}

fn step() -> impl Strategy<Value = Step> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        6 => (0..4_u8, 1..40_u64).prop_map(|(to, ttl)| Step::Publish { to, ttl }),
        2 => (0..4_u8, 0..5_u16).prop_map(|(to, prefetch)| Step::Subscribe { to, prefetch }),
        6 => index().prop_map(|who| Step::Take { who }),
        6 => (index(), index(), 0..3_u8).prop_map(|(who, which, how)| Step::Settle { who, which, how }),
        1 => index().prop_map(|who| Step::Unsubscribe { who }),
        2 => (0..15_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Mourn),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Where {
    Ready,
    Held { subscription: usize, tag: u64 },
    Gone,
}

#[derive(Debug, Clone)]
struct Message {
    to: u8,
    expires: Timestamp,
    deliveries: u32,
    place: Where,
}

/// Every message that ever was, in order, with where it is.
#[derive(Debug, Default)]
struct List {
    messages: Vec<Message>,
    /// Mailbox, prefetch and last tag of each subscription; `None` when it ended.
    subscriptions: Vec<Option<(u8, usize, u64)>>,
    dead: Vec<DeadLetter>,
}

impl List {
    fn die(&mut self, number: usize, reason: FailureReason) {
        self.messages[number].place = Where::Gone;
        self.dead.push(letter(self.messages[number].to, number, reason));
    }

    fn expire(&mut self, now: Timestamp) {
        let mut due: Vec<_> = (0..self.messages.len())
            .filter(|at| self.messages[*at].place == Where::Ready && self.messages[*at].expires < now)
            .collect();
        due.sort_by_key(|at| (self.messages[*at].expires, *at));
        due.into_iter().for_each(|number| self.die(number, FailureReason::Expired));
    }

    fn held(&self, by: usize) -> Vec<(usize, u64)> {
        let held = |(number, message): (usize, &Message)| match message.place {
            Where::Held { subscription, tag } if subscription == by => Some((number, tag)),
            _ => None,
        };
        self.messages.iter().enumerate().filter_map(held).collect()
    }

    fn requeue(&mut self, number: usize, limits: &QueueLimits, now: Timestamp) {
        if self.messages[number].expires < now {
            self.die(number, FailureReason::Expired);
        } else if self.messages[number].deliveries >= limits.deliveries {
            self.die(number, FailureReason::Undeliverable);
        } else {
            self.messages[number].place = Where::Ready;
        }
    }
}

/// Runs the steps on both and compares after each.
fn compare(steps: &[Step]) {
    let limits = QueueLimits { mailbox_messages: 6, deliveries: 3, dead_letters: 1_000, ..QueueLimits::default() };
    let mut model = model(limits);
    let mut ids: Vec<SubscriptionId> = Vec::new();
    let mut list = List::default();
    let mut now = START;
    for step in steps {
        model.expire(now);
        list.expire(now);
        match step {
            Step::Publish { to, ttl } => {
                let expires = now.plus(Duration::from_secs(*ttl));
                let stored = list.messages.iter().filter(|m| m.to == *to && m.place != Where::Gone).count();
                let expected = match *to {
                    3.. => Err(PublishError::Unroutable(mailbox(*to))),
                    _ if stored >= limits.mailbox_messages => Err(PublishError::Full(mailbox(*to))),
                    _ => Ok(()),
                };
                let number = list.messages.len();
                assert_eq!(model.publish(publication(*to, number, expires), now), expected);
                if expected.is_ok() {
                    list.messages.push(Message { to: *to, expires, deliveries: 0, place: Where::Ready });
                }
            }
            Step::Subscribe { to, prefetch } => match model.subscribe(mailbox(*to), *prefetch) {
                Ok(id) => {
                    assert!(*to < 3);
                    ids.push(id);
                    list.subscriptions.push(Some((*to, usize::from(*prefetch).max(1), 0)));
                }
                Err(_) => assert_eq!(*to, 3),
            },
            Step::Take { who } if !ids.is_empty() => {
                let who = who.index(ids.len());
                let taken = model.take(ids[who], now);
                let held = list.held(who).len();
                let Some((to, prefetch, last_tag)) = &mut list.subscriptions[who] else {
                    assert!(taken.is_err());
                    continue;
                };
                let next = list.messages.iter().position(|m| m.to == *to && m.place == Where::Ready);
                match next.filter(|_| held < *prefetch) {
                    None => assert_eq!(taken, Ok(Taken::Nothing)),
                    Some(number) => {
                        *last_tag += 1;
                        let message = &mut list.messages[number];
                        message.deliveries += 1;
                        message.place = Where::Held { subscription: who, tag: *last_tag };
                        let Ok(Taken::Delivery(delivery)) = taken else { panic!("{taken:?}") };
                        assert_eq!(delivery.envelope, number.to_string());
                        assert_eq!((delivery.attempt, delivery.tag), (message.deliveries, Tag(*last_tag)));
                    }
                }
            }
            Step::Settle { who, which, how } if !ids.is_empty() => {
                let who = who.index(ids.len());
                let held = list.held(who);
                let chosen = (!held.is_empty()).then(|| held[which.index(held.len())]);
                let disposition = match how {
                    0 => Disposition::Ack,
                    1 => Disposition::Requeue,
                    _ => Disposition::DeadLetter(FailureReason::Refused),
                };
                let tag = Tag(chosen.map_or(u64::MAX, |(_, tag)| tag));
                let settled = model.settle(ids[who], tag, disposition, now);
                assert_eq!(settled.is_err(), list.subscriptions[who].is_none());
                let Some((number, _)) = chosen else { continue };
                match disposition {
                    Disposition::Ack => list.messages[number].place = Where::Gone,
                    Disposition::Requeue => list.requeue(number, &limits, now),
                    Disposition::DeadLetter(reason) => list.die(number, reason),
                }
            }
            Step::Unsubscribe { who } if !ids.is_empty() => {
                let who = who.index(ids.len());
                model.unsubscribe(ids[who], now);
                let mut held = list.held(who);
                held.sort_by_key(|(_, tag)| *tag);
                held.into_iter().for_each(|(number, _)| list.requeue(number, &limits, now));
                list.subscriptions[who] = None;
            }
            Step::Pass { seconds } => now = now.plus(Duration::from_secs(*seconds)),
            Step::Mourn => {
                for expected in std::mem::take(&mut list.dead) {
                    assert_eq!(model.take_dead_letter(), Some(expected));
                }
                assert_eq!(model.take_dead_letter(), None);
            }
            Step::Take { .. } | Step::Settle { .. } | Step::Unsubscribe { .. } => {}
        }
        let depth = model.depth(now);
        let ready = list.messages.iter().filter(|m| m.place == Where::Ready).count();
        let held = list.messages.iter().filter(|m| matches!(m.place, Where::Held { .. })).count();
        assert_eq!((depth.ready, depth.unsettled), (u64::try_from(ready).unwrap(), u64::try_from(held).unwrap()));
        let stored = list.messages.iter().enumerate().filter(|(_, m)| m.place != Where::Gone);
        let bytes: u64 = stored.map(|(number, _)| OVERHEAD + u64::try_from(number.to_string().len()).unwrap()).sum();
        assert_eq!(depth.bytes, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_model_does_what_the_list_does(steps in vec(step(), 1..120)) {
        compare(&steps);
    }
}

#[test]
fn a_mailbox_is_bounded_in_bytes_and_all_of_them_together_are() {
    let each = OVERHEAD + 1;
    let limits = QueueLimits { mailbox_bytes: 2 * each, total_bytes: 3 * each, ..QueueLimits::default() };
    let mut model = model(limits);
    let far = later(1_000);
    for (to, expected) in [
        (0, Ok(())),
        (0, Ok(())),
        (0, Err(PublishError::Full(mailbox(0)))),
        (1, Ok(())),
        (1, Err(PublishError::Unavailable)),
    ] {
        assert_eq!(model.publish(publication(to, 1, far), START), expected);
    }
    let subscription = model.subscribe(mailbox(0), 1).unwrap();
    let (_, tag) = delivered(model.take(subscription, START).unwrap());
    assert_eq!(model.publish(publication(1, 1, far), START), Err(PublishError::Unavailable), "unsettled counts too");
    model.settle(subscription, tag, Disposition::Ack, START).unwrap();
    assert_eq!(model.publish(publication(1, 1, far), START), Ok(()));
}

#[test]
fn mailboxes_are_bounded() {
    let mut model = QueueModel::new(QueueLimits { mailboxes: 2, ..QueueLimits::default() });
    assert!(model.declare(mailbox(0)).is_ok() && model.declare(mailbox(1)).is_ok());
    assert!(model.declare(mailbox(2)).is_err());
    assert!(model.declare(mailbox(1)).is_ok(), "declaring again is no new mailbox");
}

#[test]
fn the_oldest_dead_letter_makes_room_and_is_counted() {
    let mut model = model(QueueLimits { dead_letters: 2, ..QueueLimits::default() });
    for number in 0..3 {
        model.publish(publication(0, number, later(1)), START).unwrap();
    }
    model.expire(later(2));
    assert_eq!((model.dead_letters(), model.dead_letters_dropped()), (2, 1));
    assert_eq!(model.take_dead_letter(), Some(letter(0, 1, FailureReason::Expired)));
    assert_eq!(model.take_dead_letter(), Some(letter(0, 2, FailureReason::Expired)));
}

#[test]
fn a_message_is_given_up_after_its_last_delivery() {
    let mut model = model(QueueLimits { deliveries: 2, ..QueueLimits::default() });
    model.publish(publication(0, 7, later(1_000)), START).unwrap();
    for again in [true, false] {
        let subscription = model.subscribe(mailbox(0), 1).unwrap();
        delivered(model.take(subscription, START).unwrap());
        assert_eq!(model.unsubscribe(subscription, START), again);
    }
    assert_eq!(model.take_dead_letter(), Some(letter(0, 7, FailureReason::Undeliverable)));
}

#[test]
fn one_operation_expires_a_bounded_number_of_messages() {
    let mut model = model(QueueLimits::default());
    for number in 0..1_000 {
        model.publish(publication(0, number, later(1)), START).unwrap();
    }
    model.publish(publication(0, 1_000, later(100)), START).unwrap();
    let subscription = model.subscribe(mailbox(0), 1).unwrap();
    let mut operations = 0;
    let last = loop {
        operations += 1;
        let before = model.dead_letters();
        let taken = model.take(subscription, later(2)).unwrap();
        assert!(model.dead_letters() - before <= 64);
        if taken != Taken::Again {
            break taken;
        }
    };
    assert_eq!(delivered(last).0, "1000");
    assert!(operations >= 16, "{operations}");
    assert_eq!(model.next_expiry(), None);
}

#[test]
fn a_message_lives_until_its_last_millisecond() {
    let mut model = model(QueueLimits::default());
    model.publish(publication(0, 1, START), START).unwrap();
    assert_eq!(model.next_expiry(), Some(START));
    model.expire(START);
    assert_eq!(model.dead_letters(), 0);
    model.expire(START.plus(Duration::from_millis(1)));
    assert_eq!(model.dead_letters(), 1);
}

#[test]
fn a_probe_works_while_there_is_room_and_leaves_nothing() {
    let mut model = model(QueueLimits { total_bytes: 2 * OVERHEAD + 6, mailboxes: 3, ..QueueLimits::default() });
    model.publish(publication(0, 1, later(10)), START).unwrap();
    let before = model.depth(START);
    model.probe(START).unwrap();
    assert_eq!((model.depth(START), model.dead_letters()), (before, 0));
    model.publish(publication(0, 2, later(10)), START).unwrap();
    let full = model.probe(START).unwrap_err();
    assert!(full.to_string().contains("no room"), "{full}");
    assert_eq!((model.depth(START).ready, model.depth(START).mailboxes), (2, 3));
}

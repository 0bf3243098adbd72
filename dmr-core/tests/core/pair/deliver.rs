//! Deliver and settle: credit, parking, and time.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, DeliveryTag, ServerFrame, Settlement};
use dmr_core::limit;
use dmr_core::reason::FailureReason;
use dmr_core::session::{AgentState, MAX_PARKED, ServerState};

use super::harness::{Hold, Pair};
use super::world::{self, police, tax_authority};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A pair whose agent takes `prefetch` deliveries at once.
fn prefetching(prefetch: u16) -> Pair {
    let mut config = Pair::agent_config(1);
    config.prefetch = Some(prefetch);
    Pair::ready_with(config)
}

/// A delivery of message `tag` that no broker knows of.
fn deliver(pair: &Pair, tag: u64) -> Bytes {
    let envelope = world::envelope(tag, tax_authority(), &[police()], 10, pair.now);
    ServerFrame::Deliver { tag: DeliveryTag(tag), attempt: 1, envelope }.encode().unwrap()
}

scripts! {
    fn a_delivery_is_acknowledged_only_after_the_program_settled_it() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1"]);
        assert_eq!((pair.agent.unsettled(), pair.links[0].session.unsettled()), (1, 1));
        assert_eq!(pair.broker.acknowledged, [0; 0]);
        pair.release(Hold::Handle);
        assert_eq!(pair.broker.acknowledged, [1]);
        assert_eq!((pair.agent.unsettled(), pair.links[0].session.unsettled()), (0, 0));
    }

    fn nothing_is_delivered_before_the_subscription_stands() {
        let mut pair = Pair::new();
        pair.hold(Hold::Subscribe);
        pair.put(1);
        pair.run();
        assert_eq!(pair.links[0].session.demand(), 0);
        assert_eq!(pair.told(), ["ready"]);
        pair.release(Hold::Subscribe);
        assert_eq!(pair.told(), ["delivered 1 attempt 1"]);
    }

    fn no_more_deliveries_are_unsettled_than_the_prefetch() {
        let mut pair = prefetching(2);
        pair.hold(Hold::Handle);
        for number in 1..=5 {
            pair.put(number);
        }
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "delivered 2 attempt 1"]);
        assert_eq!(pair.links[0].session.demand(), 0);
        pair.release(Hold::Handle);
        assert_eq!(pair.broker.acknowledged, [1, 2, 3, 4, 5]);
    }

    fn a_prefetch_past_the_servers_bound_is_cut_to_it() {
        let mut config = Pair::agent_config(1);
        config.prefetch = Some(1_000);
        let mut pair = Pair::with(config);
        pair.server.max_prefetch = 3;
        pair.hold(Hold::Handle);
        for number in 1..=5 {
            pair.put(number);
        }
        pair.run();
        assert_eq!(pair.agent.unsettled(), 3);
    }

    fn an_agent_that_only_sends_is_never_delivered_to() {
        let mut config = Pair::agent_config(1);
        config.prefetch = None;
        let mut pair = Pair::ready_with(config);
        pair.put(1);
        pair.run();
        assert_eq!(pair.from_agent, [""; 0]);
        assert_eq!(pair.broker.waiting(police()), [1]);
        pair.inject_to_agent(deliver(&pair, 1));
        pair.run();
        assert_eq!(pair.told(), ["down credit-exceeded"]);
    }

    fn a_rejected_delivery_is_dead_lettered_with_its_reason() {
        let mut pair = Pair::ready();
        pair.settlement = Settlement::Reject { reason: FailureReason::Refused };
        pair.put(1);
        pair.run();
        assert_eq!(pair.broker.dead, [(1, FailureReason::Refused)]);
    }

    fn a_retry_is_parked_until_it_is_due_and_comes_again_with_the_next_attempt() {
        let mut pair = Pair::ready();
        pair.settlement = Settlement::Retry { after_ms: 5_000 };
        pair.put(1);
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1"]);
        pair.settlement = Settlement::Ack;
        pair.advance(Duration::from_millis(4_999));
        assert_eq!((pair.told(), pair.broker.out()), (vec![], 1));
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["delivered 1 attempt 2"]);
        assert_eq!(pair.broker.acknowledged, [1]);
    }

    fn a_parked_delivery_takes_no_credit() {
        let mut pair = prefetching(1);
        pair.settlement = Settlement::Retry { after_ms: 60_000 };
        for number in 1..=10 {
            pair.put(number);
        }
        pair.run();
        assert_eq!(pair.delivered, (1..=10).collect::<Vec<_>>());
        assert_eq!(pair.links[0].session.demand(), 1);
    }

    fn past_their_bound_parked_deliveries_take_credit_so_that_nothing_grows() {
        let mut pair = prefetching(2);
        pair.settlement = Settlement::Retry { after_ms: 600_000 };
        for number in 0..500 {
            pair.put(number);
        }
        pair.run();
        assert_eq!(pair.delivered.len(), MAX_PARKED + 2);
        assert_eq!(pair.links[0].session.demand(), 0);
        pair.settlement = Settlement::Ack;
        pair.advance(seconds(601));
        assert_eq!(pair.broker.acknowledged.len(), 500);
    }

    fn a_retry_is_never_sooner_than_a_tenth_of_a_second_nor_later_than_ten_minutes() {
        for (asked, earliest) in [(0, Duration::from_millis(100)), (u32::MAX, seconds(600))] {
            let mut pair = Pair::ready();
            pair.settlement = Settlement::Retry { after_ms: asked };
            pair.put(1);
            pair.run();
            pair.told();
            pair.settlement = Settlement::Ack;
            pair.advance(earliest - Duration::from_millis(1));
            assert_eq!(pair.told(), [""; 0]);
            pair.advance(Duration::from_millis(1));
            assert_eq!(pair.told(), ["delivered 1 attempt 2"]);
        }
    }

    fn a_delivery_that_nobody_settles_closes_the_link_and_goes_back() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1"]);
        pair.advance(Duration::from_millis(599_999));
        assert_eq!(pair.told(), [""; 0]);
        pair.advance(Duration::from_millis(1));
        assert_eq!(pair.told(), ["down settle-timeout"]);
        assert_eq!(pair.broker.waiting(police()), [1]);
        pair.release(Hold::Handle);
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["ready", "delivered 1 attempt 2"]);
    }

    fn what_was_unsettled_on_a_lost_link_comes_again_and_a_late_settle_counts_for_nothing() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Handle);
        pair.put(1);
        pair.run();
        // Both links number their deliveries from 1: the late settle would hit the wrong one.
        let late = pair.held_delivery();
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "down link-lost", "ready", "delivered 1 attempt 2"]);
        pair.agent("settle", |agent| agent.settle(late, Settlement::Reject { reason: FailureReason::Refused }));
        pair.run();
        assert_eq!((pair.agent.unsettled(), pair.broker.dead.len()), (1, 0));
        pair.release(Hold::Handle);
        assert_eq!(pair.broker.acknowledged, [1]);
    }

    fn parked_deliveries_of_a_lost_link_go_back_at_once() {
        let mut pair = Pair::ready();
        pair.settlement = Settlement::Retry { after_ms: 600_000 };
        pair.put(1);
        pair.run();
        pair.settlement = Settlement::Ack;
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.broker.acknowledged, [1]);
    }

    fn a_settle_of_what_was_not_delivered_closes_the_link() {
        for settlement in [
            Settlement::Ack,
            Settlement::Retry { after_ms: 1 },
            Settlement::Reject { reason: FailureReason::Refused },
        ] {
            let mut pair = Pair::ready();
            pair.inject_to_server(AgentFrame::Settle { tag: DeliveryTag(1), settlement }.encode().unwrap());
            pair.run();
            assert_eq!(pair.server_told(), ["ended protocol-violation"]);
        }
    }

    fn a_second_subscription_and_one_for_nothing_close_the_link() {
        let mut pair = Pair::ready();
        pair.inject_to_server(AgentFrame::Subscribe { prefetch: 1 }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended protocol-violation"]);
        let mut config = Pair::agent_config(1);
        config.prefetch = None;
        let mut pair = Pair::ready_with(config);
        pair.inject_to_server(AgentFrame::Subscribe { prefetch: 0 }.encode().unwrap());
        pair.run();
        assert_eq!(pair.server_told(), ["ended protocol-violation"]);
    }

    fn more_deliveries_than_the_credit_close_the_link() {
        let mut pair = prefetching(2);
        pair.hold(Hold::Handle);
        for tag in 1..=3 {
            pair.inject_to_agent(deliver(&pair, tag));
        }
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "delivered 2 attempt 1", "down credit-exceeded"]);
    }

    fn a_settle_gives_its_credit_back_only_when_it_has_gone_out() {
        let mut pair = prefetching(2);
        pair.agent_writes = false;
        // The program settles them at once, but the server cannot know.
        for tag in 1..=2 {
            pair.inject_to_agent(deliver(&pair, tag));
        }
        pair.run();
        assert_eq!(pair.agent.unsettled(), 0);
        pair.inject_to_agent(deliver(&pair, 3));
        pair.run();
        assert_eq!(pair.agent.state(), AgentState::Closing);
        pair.agent_writes = true;
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "delivered 2 attempt 1", "down credit-exceeded"]);
    }

    fn the_same_tag_twice_closes_the_link() {
        let mut pair = prefetching(8);
        pair.hold(Hold::Handle);
        pair.agent_writes = false;
        pair.put(1);
        pair.run();
        pair.inject_to_agent(deliver(&pair, 1));
        pair.agent_writes = true;
        pair.run();
        assert_eq!(pair.told(), ["delivered 1 attempt 1", "down credit-exceeded"]);
    }

    fn a_link_that_takes_no_frames_stops_the_deliveries_but_no_answers() {
        let mut pair = prefetching(64);
        pair.server_writes = false;
        for number in 1..=20 {
            let envelope = world::envelope(number, tax_authority(), &[police()], 1 << 20, pair.now);
            pair.broker.put(police(), envelope);
        }
        pair.run();
        assert_eq!(pair.links[0].session.demand(), 0);
        assert!(pair.broker.out() * (1 << 20) <= 3 * limit::FRAME, "{} out", pair.broker.out());
        // Events do not wait behind it: a publish reaches the broker.
        pair.publish(99).unwrap();
        pair.run();
        assert_eq!(pair.broker.waiting(tax_authority()), [99]);
        pair.server_writes = true;
        pair.run();
        assert_eq!(pair.broker.acknowledged.len(), 20);
        // The confirm overtook what waited.
        assert_eq!(pair.told()[0], "confirmed 99");
    }

    fn a_delivery_without_demand_goes_back_at_once() {
        let mut pair = Pair::ready();
        pair.hold(Hold::Subscribe);
        pair.cut();
        pair.advance(seconds(1));
        assert_eq!(pair.server_state(), ServerState::Ready);
        let (now, envelope) = (pair.now, world::envelope(1, tax_authority(), &[police()], 10, pair.now));
        pair.server_told();
        pair.server("deliver", |server| server.deliver(7, 1, envelope, now));
        pair.run();
        assert_eq!(pair.server_told(), ["settle Requeue"]);
    }
}

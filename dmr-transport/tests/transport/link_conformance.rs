//! Every link keeps every rule, and links with a fault break just the rules it touches.

use dmr_transport::conformance::faulty_link::{FaultyLink, LinkFault};
use dmr_transport::conformance::{Report, link};
use dmr_transport::memory::MemoryLink;

use crate::network;

const RULES: usize = 14;

fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.held(), 2 * RULES);
}

#[tokio::test(start_paused = true)]
async fn memory_links_keep_every_rule() {
    assert_clean(&link::check(async || MemoryLink::pair()).await);
}

#[tokio::test]
async fn plain_websocket_links_keep_every_rule() {
    assert_clean(&link::check(async || network::pair("ws").await).await);
}

#[tokio::test]
async fn websocket_links_in_tls_keep_every_rule() {
    assert_clean(&link::check(async || network::pair("wss").await).await);
}

/// The rules that a fault breaches.
async fn breached(fault: LinkFault) -> Vec<&'static str> {
    let pair = async || {
        let (near, far) = MemoryLink::pair();
        (FaultyLink::new(near, fault), FaultyLink::new(far, fault))
    };
    link::check(pair).await.breached()
}

#[tokio::test(start_paused = true)]
async fn a_link_with_a_fault_breaks_the_rules_that_forbid_it_and_no_others() {
    for (fault, rules) in [
        (
            LinkFault::LosesFrames,
            &[
                "frames_arrive_whole_and_in_order",
                "a_cancelled_receive_loses_nothing",
                "a_cancelled_flush_loses_nothing",
                "a_sender_waits_for_a_slow_receiver",
                "both_directions_flow_at_once",
            ][..],
        ),
        (LinkFault::Reorders, &["frames_arrive_whole_and_in_order", "both_directions_flow_at_once"]),
        (LinkFault::Merges, &["frames_arrive_whole_and_in_order", "both_directions_flow_at_once"]),
        (
            LinkFault::Duplicates,
            &[
                "frames_arrive_whole_and_in_order",
                "a_cancelled_receive_loses_nothing",
                "a_cancelled_flush_loses_nothing",
                "a_sender_waits_for_a_slow_receiver",
                "both_directions_flow_at_once",
            ],
        ),
        (
            LinkFault::HangsOnClose,
            &[
                "a_close_comes_after_the_frames_before_it_and_says_why",
                "a_link_closed_here_is_closed",
                "a_link_closed_there_is_closed",
                "a_close_ends_though_nobody_reads",
            ],
        ),
        (
            LinkFault::ForgetsTheReason,
            &["a_close_comes_after_the_frames_before_it_and_says_why", "a_link_closed_there_is_closed"],
        ),
        (LinkFault::LosesOnCancel, &["a_cancelled_receive_loses_nothing"]),
        (
            LinkFault::NeverWaits,
            &["a_sender_waits_for_a_slow_receiver", "a_link_closed_here_is_closed", "a_close_ends_though_nobody_reads"],
        ),
    ] {
        assert_eq!(breached(fault).await, rules, "{fault:?}");
    }
}

//! The contracts of [`Link`](crate::Link) and [`Broker`](crate::Broker) as rules that every implementation is put to.
//!
//! ```text
//!  link::check(pairs)      broker::check(harness)      ──▶ Report: which rules held, which were breached and how
//!        ▲                        ▲
//!   memory, ws, wss          memory, …                 faulty_link, faulty_broker: must fail, and only where they err
//! ```
//!
//! A rule is a function whose name is the sentence it checks. Rules that say that something does *not* happen wait a
//! fifth of a second for it; under tokio's paused time they cost nothing.

pub mod broker;
pub mod faulty_broker;
pub mod faulty_link;
pub mod link;
mod report;

pub use report::{Breach, Report, Violation};

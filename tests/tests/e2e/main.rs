//! The real programs, as processes, from end to end.
//!
//! Reading order: [`pair`] is the cast of most tests; [`question`] is the main job; [`recovery`] what crashes and
//! absences do to it, [`replicas`] and [`shutdown`] beside it; [`refusals`] and [`strangers`] what others may try; [`secrecy`] where nothing may be found;
//! [`tls`]; [`directory`]; [`http_api`]; [`commands`], of which [`send`] is one; [`readme`] runs what the README says.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value yields null; it never panics")]

mod commands;
mod directory;
mod help;
mod http_api;
mod intruder;
mod pair;
mod question;
mod readme;
mod recovery;
mod refusals;
mod replicas;
mod secrecy;
mod send;
mod shutdown;
mod strangers;
mod tls;

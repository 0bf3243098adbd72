//! What was promised, while harm is done: a load over the real programs, each event in a history, and a verdict on it.
//!
//! One module is one kind of harm. `tests/run` runs them short, `tests/run --long` in full; a failure says the seed to
//! repeat it with, and where its history is.

mod broker_restarted;
mod cast;
mod consumer_ended;
mod dead_letters_full;
mod mailbox_full;
mod memory_alarm;
mod operator;
mod server_killed;
mod stage;
mod unroutable;

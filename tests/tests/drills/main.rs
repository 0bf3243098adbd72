//! What was promised, while harm is done: a load over the real programs, each event in a history, and a verdict on it.
//!
//! One module is one kind of harm. `tests/run` runs them short, `tests/run --long` in full; a failure says the seed to
//! repeat it with, and where its history is.

mod broker_restarted;
mod cast;
mod server_killed;
mod stage;

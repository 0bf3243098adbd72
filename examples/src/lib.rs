//! Programs that show DMR at work. Each is run by a test.
//!
//! ```text
//!   cargo demo                                           a question and its answer, between the real programs
//!   cargo run -p dmr-examples --bin seal_and_open        the cryptography, in one process
//!   cargo run -p dmr-examples --bin ask_another_office   the agent as a library
//!   cargo run -p dmr-examples --bin relay                the server as a library
//!   cargo run -p dmr-examples --bin chatbot              a service behind an agent's webhook
//!   cargo load                                           how much, how fast, and what it costs
//! ```
//!
//! Read them in this order; [`demo`] and [`load`] hold the parts of the two larger ones. Those that answer questions
//! share the Police's chatbot, [`police`]:
//!
//! ```
//! let reply = dmr_examples::police::reply("Is report 2026-00398 closed?");
//! assert!(reply.ends_with("handed back to its owner; the case is closed."));
//! ```
//!
//! Nothing here is needed by anything else, and nothing here is shipped.

pub mod demo;
pub mod load;
pub mod police;

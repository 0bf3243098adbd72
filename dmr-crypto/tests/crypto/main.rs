//! Everything that can be said of the sealing, the signatures and the directory from outside.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets something unexpected fails"
)]

mod directory;
mod documents;
mod envelope;
mod golden;
mod hex;
mod hostile;
mod login;
mod published;
mod random;
mod reference;
mod secrets;
mod world;
mod wycheproof;

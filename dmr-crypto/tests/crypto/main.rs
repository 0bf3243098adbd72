//! Everything that can be said of the sealing, the signatures and the directory from outside.

mod directory;
mod documents;
mod envelope;
mod login;
mod reference;
mod secrets;
mod world;

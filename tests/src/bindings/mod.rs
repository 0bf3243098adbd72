//! What the tests of the bindings run: the C library, the wheel in an environment of its own, and the peers, which are
//! small programs of one protocol in every language.

pub mod c_library;
pub mod environment;
pub mod node;
pub mod peer;

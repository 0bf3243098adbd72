//! An agent session and server sessions against each other, on a virtual clock.
//!
//! [`harness`] is the pair and the verbs that scripts are written in, [`driver`] does what the sessions ask for, and
//! [`world`] is the broker and the cryptography. Each other file is a chapter of scripts; [`coverage`] holds the
//! tables of every transition and asserts that the scripts show them all; [`random`] is the chapter without a script.

/// Makes each script a test and lists them all, for [`coverage`] to run again.
macro_rules! scripts {
    ($(fn $name:ident() $body:block)*) => {
        $(
            #[test]
            fn $name() $body
        )*

        pub(super) const SCRIPTS: &[fn()] = &[$($name),*];
    };
}

mod any_state;
mod coverage;
mod deliver;
mod directory;
mod drain;
mod driver;
mod harness;
mod heartbeat;
mod link_loss;
mod login;
mod misuse;
mod publish;
mod random;
mod shutdown;
mod takeover;
mod world;

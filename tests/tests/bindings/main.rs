//! The bindings as their users have them: the library installed, the wheel in a fresh environment, programs compiled by
//! ordinary compilers.

mod agent;
mod c;
mod cross;
mod exchange;
mod python;
mod reference;
mod specification;
mod stage;

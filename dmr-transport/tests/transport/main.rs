//! Links, brokers and program plumbing from the outside.

mod settings;

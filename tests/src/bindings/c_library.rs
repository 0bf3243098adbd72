//! The C library as it is shipped, built by cargo with its own target directory.

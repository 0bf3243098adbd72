//! The C library: what a C program sees.

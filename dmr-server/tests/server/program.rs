//! The program: its options, exit codes and signals.

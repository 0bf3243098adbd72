//! A peer: a program that seals and opens in some language, asked line by line.

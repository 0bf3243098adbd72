//! The harness's own brokers: that they start, are what they say, and leave nothing behind.

mod cluster;
mod conformance;
mod consumer;
mod node;

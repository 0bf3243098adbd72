//! The harness's own brokers: that they start, are what they say, and leave nothing behind; and the handle that servers hold, on them.

mod cluster;
mod conformance;
mod consumer;
mod handle;
mod node;

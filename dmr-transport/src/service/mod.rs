//! What the two programs share: settings, logs, signals, an HTTP listener, health, metrics and files that survive a
//! crash.
//!
//! Nothing here knows what a server or an agent does; each program composes these parts in its `run`.

pub mod health;
pub mod http;
mod impatient;
pub mod logging;
pub mod metrics;
pub mod settings;
pub mod shutdown;
pub mod socket_metrics;
pub mod state_file;
pub mod units;

//! What was promised, while harm is done to a RabbitMQ cluster, to the servers on it, and to the agents behind those.
//!
//! One module is one kind of harm, under load in both directions, with a verdict over its history. `tests/run` runs them
//! short, `tests/run --long` in full. Where the harm is to the broker alone, no agent may lose its link by it.

mod authority;
mod cast;
mod confirm;
mod dead;
mod leader;
mod link;
mod majority;
mod recipient;
mod replicas;
mod rolling;
mod several;
mod stage;
mod superseded;
mod tls;

//! RabbitMQ as the broker.

mod comparison;
mod diagnosis;
pub mod finding;
pub mod inspection;
pub mod management;
pub mod policy;
#[cfg(test)]
mod shipped;

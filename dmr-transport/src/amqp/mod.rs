//! RabbitMQ as the broker.

mod comparison;
pub mod finding;
pub mod inspection;
pub mod management;
pub mod policy;

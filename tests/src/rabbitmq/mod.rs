//! RabbitMQ nodes of one's own on loopback: started, harmed, mended and ended by a test.
//!
//! ```text
//!   Site ── directory, cookie, epmd, Warden
//!    ├─ Node ── beam, Ports        Node::start, or shared() for one that all tests of a process use
//!    ├─ Node                       Cluster::start: three of them, pause_minority
//!    └─ Node
//! ```
//!
//! No system service is needed or touched: each site has its own port mapper, its own cookie and its own files under
//! `target/rabbitmq/`, and each node its own name and ports. A node is the Erlang virtual machine itself, not a script
//! around it, so that its process id is the one to kill.
//!
//! # Reading order
//!
//! [`node`], [`cluster`] for what a test starts; [`fault`] for what it does to it; [`facts`] for what it asks it;
//! [`plan`] for what is configured; [`site`], [`warden`], [`ports`] for what is beneath.
//!
//! # Guaranteed
//!
//! What was started ends with its value, and everything ends with the test process, also when that is killed: see
//! [`warden`]. Data goes with the value; the logs stay until the next test process starts a node.

pub mod cluster;
pub mod control;
pub mod facts;
pub mod fault;
pub mod installation;
pub mod node;
pub mod operator;
pub mod plan;
pub mod ports;
pub mod shared;
pub mod shipped;
pub mod site;
pub mod warden;

pub use cluster::Cluster;
pub use facts::QueueFacts;
pub use node::Node;
pub use plan::NodePlan;
pub use shared::shared;

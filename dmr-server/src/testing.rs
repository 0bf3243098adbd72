//! A network, an agent, a server without ports and a broker in trouble. The first two are the integration tests' as well.

#[path = "../tests/server/agent.rs"]
pub(crate) mod agent;
pub(crate) mod broker;
#[path = "../tests/server/network.rs"]
pub(crate) mod network;
pub(crate) mod server;

//! A network and an agent for tests, shared with the integration tests.

#[path = "../tests/server/agent.rs"]
pub(crate) mod agent;
#[path = "../tests/server/network.rs"]
pub(crate) mod network;

//! The policies as they are shipped in `deploy/rabbitmq`.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::failure::{Doing, Outcome};
use crate::network::read_json;
use crate::programs::workspace;

/// The definitions file, with all of them.
pub fn definitions() -> PathBuf {
    workspace().join("deploy").join("rabbitmq").join("definitions.json")
}

/// One of them with a bound of messages, as the management API takes it. The bound is soft: what is on its way when it is
/// reached enters, one message at least.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when no policy of this name is shipped.
pub fn bounded(name: &str, messages: u64) -> Outcome<Value> {
    let shipped = read_json(&definitions())?;
    let policies = shipped["policies"].as_array().doing("the policies that are shipped")?;
    let mut policy = policies.iter().find(|policy| policy["name"] == name).doing(name)?.clone();
    policy["definition"]["max-length"] = json!(messages);
    Ok(policy)
}

/// The same for the queues whose names match `pattern`, before the shipped one where both apply.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when no policy of this name is shipped.
pub fn bounded_for(name: &str, pattern: &str, messages: u64) -> Outcome<Value> {
    let mut policy = bounded(name, messages)?;
    policy["pattern"] = json!(pattern);
    policy["priority"] = json!(20);
    Ok(policy)
}

//! One node for all tests of a process that do it no harm.

use tokio::sync::OnceCell;

use super::node::Node;
use crate::failure::Outcome;

/// The node, started when it is first asked for. It ends with the process: see [`super::warden`]. A test makes a virtual
/// host of its own there, or queues whose names nobody else uses.
///
/// # Errors
/// [`Failure`](crate::failure::Failure) when it does not start.
pub async fn shared() -> Outcome<&'static Node> {
    static SHARED: OnceCell<Node> = OnceCell::const_new();
    SHARED.get_or_try_init(Node::start).await
}

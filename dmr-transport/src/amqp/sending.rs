//! A publish under way, which outlives whoever waits for it.
//!
//! The library writes a channel's close before what is still to be published on it, and the broker ends the whole connection for
//! what comes on a closed channel. So a publish that nobody waits for any more is not broken off: a task waits for its confirm, and
//! only then, or when it must have been written, the channel is closed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::connection::Open;
use super::publisher::Outcome;

/// Time for a confirm that nobody waits for any more. It begins anew while the broker takes nothing.
const LINGER: Duration = Duration::from_secs(30);

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A publish under way.
pub(super) struct Sending {
    open: Arc<Open>,
    work: Option<Work>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Sending {
    /// A publish over this connection. The future holds the channel.
    pub(super) fn new(open: Arc<Open>, work: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Self { open, work: Some(Box::pin(work)) }
    }

    /// What became of it.
    ///
    /// # Cancel safety
    /// Safe: it goes on, and may be asked for again.
    pub(super) async fn outcome(&mut self) -> Outcome {
        let Some(work) = self.work.as_mut() else { return Outcome::Undecided };
        let outcome = work.await;
        self.work = None;
        outcome
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let (Some(mut work), Ok(runtime)) = (self.work.take(), Handle::try_current()) else { return };
        let open = Arc::clone(&self.open);
        runtime.spawn(async move {
            while timeout(LINGER, &mut work).await.is_err() && open.is_connected() && open.is_blocked() {}
        });
    }
}

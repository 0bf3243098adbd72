//! A channel that is closed in good order, whatever becomes of whoever holds it.
//!
//! Dropping the library's own handle has it close the channel behind our back; if the broker closes it in the same moment, the
//! library takes that for an error of the whole connection. Asked for, and awaited in a task, an end that comes twice is one.

use std::ops::Deref;
use std::time::Duration;

use lapin::Channel;
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Time for the broker to confirm that a channel is closed.
const CLOSING: Duration = Duration::from_secs(2);

/// A channel with one owner. Dropped, it is closed by a task: what it had not settled goes back, a consumer that was being
/// made is gone.
#[derive(Debug)]
pub(super) struct OwnedChannel(Option<Channel>);

impl OwnedChannel {
    /// Takes a channel over.
    pub(super) fn new(channel: Channel) -> Self {
        Self(Some(channel))
    }

    /// Whether it is open as far as is known.
    pub(super) fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|channel| channel.status().connected())
    }

    /// Closes it; returns when the broker has, or has not in two seconds.
    pub(super) async fn close(mut self) {
        if let Some(channel) = self.0.take() {
            close(channel).await;
        }
    }
}

async fn close(channel: Channel) {
    if channel.status().connected() {
        // One that the broker has closed meanwhile is closed; one that does not answer ends with its connection.
        let _ = timeout(CLOSING, channel.close(200, "done".into())).await;
    }
}

impl Deref for OwnedChannel {
    type Target = Channel;
    #[expect(clippy::expect_used, reason = "it is taken by what consumes this alone")]
    fn deref(&self) -> &Channel {
        self.0.as_ref().expect("a channel until it is closed")
    }
}

impl Drop for OwnedChannel {
    fn drop(&mut self) {
        let Some(channel) = self.0.take() else { return };
        if channel.status().connected()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(close(channel));
        }
    }
}

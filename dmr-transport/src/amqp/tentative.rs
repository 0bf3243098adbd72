//! A channel whose owner may give up before the broker has answered.

use std::ops::Deref;

use lapin::Channel;

/// A channel on which somebody wants to consume. Dropped before that has succeeded, it is closed: a broker that was slow
/// to answer makes the consumer all the same, and would deliver to nobody as long as the channel lives.
pub(super) struct Tentative {
    channel: Channel,
    is_kept: bool,
}

impl Tentative {
    pub(super) fn new(channel: Channel) -> Self {
        Self { channel, is_kept: false }
    }

    /// The channel, which stays open.
    pub(super) fn keep(mut self) -> Channel {
        self.is_kept = true;
        self.channel.clone()
    }
}

impl Deref for Tentative {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

impl Drop for Tentative {
    fn drop(&mut self) {
        if self.is_kept || !self.channel.status().connected() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let channel = self.channel.clone();
            // The broker answers in order, after what it has not answered yet; or the connection ends.
            runtime.spawn(async move { channel.close(200, "given up".into()).await });
        }
    }
}

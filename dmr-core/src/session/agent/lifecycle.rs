//! The life of a link: opened, lost, closed, drained, and when the next one is opened.

use std::time::Duration;

use super::directory_parts::DirectoryParts;
use super::{AgentOutput, AgentSession, AgentState};
use crate::limit;
use crate::reason::CloseReason;
use crate::time::Now;

/// A link that was ready for this long was a good one: the backoff begins anew.
const STABLE: Duration = Duration::from_secs(10);

impl AgentSession {
    pub(super) fn connect(&mut self) {
        self.server = self.choice.next(self.clock.elapsed);
        self.enter(AgentState::Connecting, Some(self.config.connect_timeout));
        self.outputs.push_back(AgentOutput::Connect { server: self.server });
    }

    pub(super) fn enter(&mut self, state: AgentState, lasts: Option<Duration>) {
        self.state = state;
        self.deadline = lasts.map(|lasts| self.clock.elapsed.saturating_add(lasts));
    }

    /// The link asked for is open.
    pub fn link_up(&mut self, now: Now) {
        self.clock = now;
        if self.state == AgentState::Connecting {
            self.enter(AgentState::AwaitingChallenge, Some(self.config.login_timeout));
        }
        self.check_invariants();
    }

    /// The link is gone or could not be opened. `reason` counts unless the session closed it for one of its own.
    pub fn link_down(&mut self, reason: CloseReason, now: Now) {
        self.clock = now;
        match self.state {
            AgentState::Waiting | AgentState::Stopped => {}
            AgentState::Closing => self.lost(self.close_reason),
            _ => self.lost(reason),
        }
        self.check_invariants();
    }

    /// What the old link held is over; when to open the next.
    fn lost(&mut self, reason: CloseReason) {
        self.link += 1;
        self.heartbeat = None;
        self.unsettled.clear();
        self.frames.clear();
        self.close = None;
        self.server_drains = false;
        self.max_envelope = limit::ENVELOPE;
        self.directory_parts = DirectoryParts::default();
        self.outbox.link_lost();
        let ready_for = self.ready_since.take().map(|since| self.clock.elapsed.saturating_sub(since));
        if self.shutting_down {
            return self.stop();
        }
        if ready_for.is_some_and(|span| span >= STABLE) {
            self.backoff.reset();
        }
        let retry_in = self.reconnect_delay(reason);
        self.enter(AgentState::Waiting, Some(retry_in));
        self.outputs.push_back(AgentOutput::Down { reason, retry_in });
    }

    /// Ordinary losses back off; a refusal sends the agent to the other servers, and once all have refused, to a
    /// much longer wait.
    fn reconnect_delay(&mut self, reason: CloseReason) -> Duration {
        let delay = self.backoff.next_delay();
        if reason.is_retryable() {
            return delay;
        }
        self.refusals += 1;
        let refused = self.config.refused_delay;
        self.choice.avoid(self.server, self.clock.elapsed.saturating_add(refused));
        if self.refusals < self.config.server_names.len().max(self.config.first_refusals) {
            return delay;
        }
        self.refusals = 0;
        self.backoff.spread(refused)
    }

    /// Closes the link for `reason` and opens another.
    pub fn reconnect(&mut self, reason: CloseReason, now: Now) {
        self.clock = now;
        self.begin_close(reason);
        self.check_invariants();
    }

    /// The close takes the place of everything queued; a driver that does not report the link down is not waited for.
    pub(super) fn begin_close(&mut self, reason: CloseReason) {
        let has_link = !matches!(
            self.state,
            AgentState::Waiting | AgentState::Connecting | AgentState::Closing | AgentState::Stopped
        );
        if has_link {
            self.enter(AgentState::Closing, Some(self.config.grace));
            self.close_reason = reason;
            self.heartbeat = None;
            self.frames.clear();
            self.close = Some(reason);
        }
    }

    /// Sends nothing new, and closes once nothing is in flight either way or the grace period is over.
    pub(super) fn start_finishing(&mut self) {
        if self.state == AgentState::Ready {
            self.enter(AgentState::Draining, Some(self.config.grace));
        }
        self.finish();
    }

    pub(super) fn finish(&mut self) {
        let sends = self.shutting_down && !self.server_drains && self.outbox.has_queued();
        let in_flight = self.outbox.unconfirmed() > 0 || sends || !self.unsettled.is_empty() || !self.frames.is_empty();
        if self.state == AgentState::Draining && !in_flight {
            self.begin_close(if self.shutting_down { CloseReason::Shutdown } else { CloseReason::Draining });
        }
    }

    /// Takes nothing new, waits for confirms and settles for the grace period, closes, and is stopped.
    pub fn shutdown(&mut self, now: Now) {
        self.clock = now;
        self.shutting_down = true;
        match self.state {
            AgentState::Waiting | AgentState::Connecting => self.stop(),
            AgentState::Ready | AgentState::Draining => self.start_finishing(),
            AgentState::AwaitingChallenge | AgentState::Signing | AgentState::AwaitingWelcome => {
                self.begin_close(CloseReason::Shutdown);
            }
            AgentState::Closing | AgentState::Stopped => {}
        }
        self.check_invariants();
    }

    pub(super) fn stop(&mut self) {
        self.enter(AgentState::Stopped, None);
        self.outputs.push_back(AgentOutput::Stopped);
    }

    pub(super) fn deadline_passed(&mut self) {
        match self.state {
            AgentState::Waiting => self.connect(),
            AgentState::Connecting => self.lost(CloseReason::ConnectFailed),
            AgentState::AwaitingChallenge | AgentState::Signing | AgentState::AwaitingWelcome => {
                self.begin_close(CloseReason::LoginTimeout);
            }
            AgentState::Draining if self.shutting_down => self.begin_close(CloseReason::Shutdown),
            AgentState::Draining => self.begin_close(CloseReason::Draining),
            AgentState::Closing => self.lost(self.close_reason),
            AgentState::Ready | AgentState::Stopped => {}
        }
    }
}

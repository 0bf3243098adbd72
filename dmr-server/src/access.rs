//! Access: what the login on one link grants, and what is decided on the strength of it.

use std::sync::Arc;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::frame::ChannelBinding;
use dmr_core::id::KeyId;
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::session::{Login, Refusal};
use dmr_core::time::Now;
use dmr_crypto::VerifiedDirectory;
use dmr_transport::{Announcement, Broker};

use crate::allowance::Allowance;
use crate::gate::Pass;
use crate::registry::Seat;
use crate::shared::Shared;
use crate::signals::Signals;
use crate::{login, policy, publish};

/// One link's standing: its place among the connections and the sessions, and who it belongs to once it logged in.
pub(crate) struct Access<B: Broker> {
    shared: Arc<Shared<B>>,
    binding: ChannelBinding,
    seat: Seat,
    pass: Pass,
    granted: Option<Granted>,
}

struct Granted {
    login: Login,
    key: KeyId,
    allowance: Arc<Allowance>,
}

impl<B: Broker> Access<B> {
    /// The standing of a link that has not logged in.
    pub(crate) fn new(shared: Arc<Shared<B>>, binding: ChannelBinding, seat: Seat, pass: Pass) -> Self {
        Self { shared, binding, seat, pass, granted: None }
    }

    /// What the rest of the server tells this link.
    pub(crate) fn signals(&self) -> &Signals {
        self.seat.signals()
    }

    /// This server's signature over its challenge; empty when it has no key.
    pub(crate) fn sign_challenge(&self, challenge: &[u8]) -> Bytes {
        let keys = self.shared.keys.as_ref();
        keys.map(|keys| Bytes::copy_from_slice(&keys.sign_challenge(challenge))).unwrap_or_default()
    }

    /// Checks a login. When it holds, it supersedes an older link of the same instance.
    ///
    /// # Errors
    /// What the agent is told. The log says more.
    pub(crate) fn check_login(
        &mut self,
        challenge: &[u8],
        fields: &[u8],
        proof: &[u8],
        now: Now,
    ) -> Result<Login, CloseReason> {
        let directory = self.shared.directory();
        let fields = login::check(challenge, fields, proof, self.binding, &directory, now.wall).map_err(|error| {
            self.shared.metrics.login_refused();
            tracing::warn!(session = %self.seat.session(), %error, "login refused");
            error.close_reason()
        })?;
        let (participant, instance) = (fields.participant, fields.instance);
        self.seat.log_in(participant, instance, now.wall).map_err(|_| {
            tracing::warn!(session = %self.seat.session(), %participant, "too many links of one participant");
            CloseReason::TooManyConnections
        })?;
        self.pass.authenticated();
        self.shared.metrics.session_opened();
        let session = self.seat.session();
        self.shared.announcer.announce(Announcement::LoggedIn { participant, instance, session, since: now.wall });
        tracing::info!(%session, %participant, %instance, "logged in");
        let login = Login { participant, instance, directory_revision: fields.directory_revision };
        let allowance = self.shared.allowances.of(participant);
        self.granted = Some(Granted { login, key: fields.key, allowance });
        Ok(login)
    }

    /// The directory in use, if the login still holds under it.
    ///
    /// # Errors
    /// Why the link ends.
    pub(crate) fn check_again(&self, now: Now) -> Result<VerifiedDirectory, CloseReason> {
        let directory = self.shared.directory();
        let Some(Granted { login, key, .. }) = &self.granted else { return Ok(directory) };
        if login::still_holds(login.participant, *key, &directory, now.wall) {
            return Ok(directory);
        }
        tracing::warn!(session = %self.seat.session(), participant = %login.participant, "the login holds no more");
        Err(CloseReason::DirectoryChanged)
    }

    /// Whether an envelope may be published.
    ///
    /// # Errors
    /// What the sender is told.
    pub(crate) fn check_envelope(&self, envelope: &Envelope, now: Now) -> Result<(), Refusal> {
        let unavailable = Refusal { reason: RejectReason::Unavailable, retry_after: publish::RETRY_AFTER };
        let granted = self.granted.as_ref().ok_or(unavailable)?;
        let verdict = policy::admit(envelope, &self.shared.directory.borrow(), &granted.allowance, now.wall);
        if let Err(refusal) = &verdict {
            let (sender, id, reason) = (envelope.header().sender, envelope.header().id, refusal.reason);
            if reason == RejectReason::RateLimited {
                // The one reason that no rate bounds must not fill the log.
                tracing::debug!(%sender, %id, %reason, "rejected");
            } else {
                tracing::info!(%sender, %id, %reason, "rejected");
            }
        }
        verdict
    }

    /// Whether a delivery may be handed to the agent.
    ///
    /// # Errors
    /// Why it is dead.
    pub(crate) fn check_delivery(&self, envelope: &Bytes, attempt: u32, now: Now) -> Result<(), FailureReason> {
        let granted = self.granted.as_ref().ok_or(FailureReason::Rejected)?;
        policy::release(envelope, granted.login.participant, &self.shared.directory.borrow(), now.wall)?;
        if attempt > 1 {
            self.shared.metrics.redelivered();
        }
        Ok(())
    }
}

impl<B: Broker> Drop for Access<B> {
    fn drop(&mut self) {
        if self.granted.is_some() {
            self.shared.metrics.session_ended();
        }
    }
}

//! Logging in: what the login is bound to, and whether the server may still serve.

use bytes::Bytes;

use super::{Exchange, LoginRefusal, LoginRequest, Note, Sealing, SignedLogin};
use crate::frame::{Challenge, ChannelBinding};

impl<S: Sealing> Exchange<S> {
    /// Signs the login for a challenge, or refuses the server.
    pub(super) fn log_in(&mut self, challenge: Challenge, challenge_bytes: Bytes, signature: Bytes) {
        match self.login(&challenge, &challenge_bytes, &signature) {
            Ok(SignedLogin { fields, proof }) => {
                self.challenge = Some((challenge_bytes, signature));
                self.session.challenge_signed(fields, proof, self.clock);
            }
            Err(refusal) => {
                self.session.challenge_refused(refusal.close_reason(), self.clock);
                self.note(Note::LoginNotTried { server: Some(challenge.server), refusal });
            }
        }
    }

    fn login(&self, challenge: &Challenge, bytes: &Bytes, signature: &Bytes) -> Result<SignedLogin, LoginRefusal> {
        let request = LoginRequest {
            challenge,
            challenge_bytes: bytes,
            signature,
            instance: self.instance,
            binding: self.agreed_binding(challenge)?,
            refused_logins: self.refused_logins,
        };
        self.sealing.log_in(&request, self.clock.wall)
    }

    /// A connection with TLS is bound to. One that ends elsewhere is not, and that only with the operator's leave.
    fn agreed_binding(&self, challenge: &Challenge) -> Result<ChannelBinding, LoginRefusal> {
        match self.binding {
            ChannelBinding::None => Ok(ChannelBinding::None),
            bound if challenge.binds_channel => Ok(bound),
            _ if self.allow_unbound => Ok(ChannelBinding::None),
            _ => Err(LoginRefusal::NoChannelBinding),
        }
    }

    /// The directory changed under a live link: its server must still be one that may serve.
    pub(super) fn check_server_again(&mut self) {
        if let Some((challenge, signature)) = &self.challenge
            && let Err(refusal) = self.sealing.check_server(challenge, signature, self.clock.wall)
        {
            self.session.reconnect(refusal.close_reason(), self.clock);
            self.note(Note::LoginNotTried { server: None, refusal });
        }
    }
}

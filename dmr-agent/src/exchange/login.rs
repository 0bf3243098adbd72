//! Logging in: which server, which key, bound to which connection.

use bytes::Bytes;
use dmr_core::frame::{AuthFields, Challenge, ChannelBinding, VERSION};
use dmr_core::id::Nonce;
use dmr_core::reason::CloseReason;
use dmr_core::time::Timestamp;
use dmr_crypto::{IdentitySecret, Keyring, VerifiedDirectory};

use super::Exchange;

impl Exchange {
    /// Checks the server's name where the directory lists servers, and signs the login.
    pub(super) fn log_in(&mut self, challenge: &Challenge, challenge_bytes: Bytes, signature: Bytes) {
        let now = self.sealer.clock().now();
        match self.login(challenge, &challenge_bytes, &signature) {
            Ok((fields, proof)) => {
                self.challenge = Some((challenge_bytes, signature));
                self.session.challenge_signed(fields, proof, now);
            }
            Err(reason) => self.session.challenge_refused(reason, now),
        }
    }

    fn login(&self, challenge: &Challenge, bytes: &Bytes, signature: &Bytes) -> Result<(Bytes, Bytes), CloseReason> {
        let wall = self.sealer.clock().wall();
        let directory = self.sealer.directory();
        if let Some(directory) = &directory {
            prove_server(bytes, signature, directory, wall)?;
        }
        let keyring = self.sealer.keyring();
        let Some(key) = self.login_key(&keyring, directory.as_ref(), wall) else {
            tracing::error!("the keyring has no login key");
            return Err(CloseReason::LoginRefused);
        };
        let mut nonce = [0; Nonce::LEN];
        getrandom::fill(&mut nonce).map_err(|_| CloseReason::Unavailable)?;
        let fields = AuthFields {
            network: challenge.network.clone(),
            participant: keyring.participant(),
            key: key.id(),
            version: VERSION,
            nonce: Nonce(nonce),
            instance: self.instance,
            binding: self.agreed_binding(challenge)?,
            directory_revision: directory.map_or(0, |directory| directory.revision()),
        };
        let fields = fields.encode().map_err(|_| CloseReason::Malformed)?;
        let proof = dmr_crypto::prove_login(key, bytes, &fields);
        Ok((fields, Bytes::copy_from_slice(&proof)))
    }

    /// The key that the directory here lists. After refusals the others in turn: the server may have a newer directory,
    /// which it sends only after a login.
    fn login_key<'a>(
        &self,
        keyring: &'a Keyring,
        directory: Option<&VerifiedDirectory>,
        wall: Timestamp,
    ) -> Option<&'a IdentitySecret> {
        let listed = directory.and_then(|directory| keyring.login_key(directory, wall).ok());
        let others = keyring.login_keys(wall).into_iter();
        let others = others.filter(|key| listed.is_none_or(|listed| listed.id() != key.id()));
        let keys: Vec<_> = listed.into_iter().chain(others).collect();
        keys.get(self.refused_logins.checked_rem(keys.len())?).copied()
    }

    /// A connection with TLS is bound to. One that ends elsewhere is not, and that only with the operator's leave.
    fn agreed_binding(&self, challenge: &Challenge) -> Result<ChannelBinding, CloseReason> {
        match self.binding {
            ChannelBinding::None => Ok(ChannelBinding::None),
            bound if challenge.binds_channel => Ok(bound),
            _ if self.switches.allow_unbound => Ok(ChannelBinding::None),
            _ => {
                tracing::error!(server = %challenge.server, "the server cannot bind logins to TLS (see --allow-unbound)");
                Err(CloseReason::NoChannelBinding)
            }
        }
    }

    /// The directory changed under a live link: its server must still be one that may serve.
    pub(super) fn check_server_again(&mut self, directory: &VerifiedDirectory) {
        let now = self.sealer.clock().now();
        if let Some((challenge, signature)) = &self.challenge
            && let Err(reason) = prove_server(challenge, signature, directory, now.wall)
        {
            self.session.reconnect(reason, now);
        }
    }
}

fn prove_server(
    challenge: &Bytes,
    signature: &Bytes,
    directory: &VerifiedDirectory,
    wall: Timestamp,
) -> Result<(), CloseReason> {
    match dmr_crypto::verify_challenge(challenge, signature, directory, wall) {
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::error!(%error, "the server does not prove its name");
            Err(CloseReason::WrongServer)
        }
    }
}

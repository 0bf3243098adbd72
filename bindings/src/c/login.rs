//! Login proofs, made and checked.

use bytes::Bytes;
use dmr_core::exchange::{LoginRequest, SignedLogin};
use dmr_core::frame::{Challenge, ChannelBinding};
use dmr_core::id::InstanceId;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, VerifiedDirectory, sign_login};

use super::argument::plain;
use super::boundary::{Failure, boundary, dmr_status};
use super::bytes::dmr_bytes;
use super::directory::dmr_directory;
use super::handle::Handle;
use super::id::{dmr_id, dmr_name};
use super::keys::dmr_keys;

/// What ties a login to this process and its connection. Start from all zeros.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_login_options {
    /// This process: a fresh id for each. A newer link of the same instance supersedes the older.
    pub instance: dmr_id,
    /// Not 0: `binding` counts. A connection with TLS must be bound when the challenge offers it.
    pub has_binding: u8,
    /// The TLS connection's `tls-exporter` (RFC 9266): 32 bytes of exported keying material.
    pub binding: [u8; 32],
    /// Not 0: a server that cannot bind logins is used all the same, because TLS ends elsewhere. Only `dmr_session_sign`
    /// looks at it.
    pub allows_unbound: u8,
    /// How many logins in a row this server has refused, from 0: chooses among the login keys, since a server may have
    /// a directory that is not known here yet.
    pub attempt: u32,
}

/// A login: what goes into the frame that answers a challenge. Freed with `dmr_login_free`.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_login {
    /// The fields that were signed.
    pub fields: dmr_bytes,
    /// The signature over challenge and fields: 64 bytes.
    pub proof: dmr_bytes,
}

/// A server's challenge, decoded.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_challenge {
    /// The network that the server serves.
    pub network: dmr_name,
    /// The server's name.
    pub server: dmr_name,
    /// Lowest protocol version it speaks.
    pub version_min: u16,
    /// Highest protocol version it speaks.
    pub version_max: u16,
    /// Largest envelope it takes, in bytes.
    pub max_envelope: u32,
    /// Revision of the directory it has.
    pub directory_revision: u64,
    /// Not 0: it can bind the login to the TLS connection.
    pub binds_channel: u8,
    /// Not 0: it names a key of its own.
    pub is_signed: u8,
}

/// Whose login it was.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_logged_in {
    /// The participant.
    pub participant: dmr_id,
    /// Its process.
    pub instance: dmr_id,
    /// Revision of the directory that it has; 0 for none.
    pub directory_revision: u64,
    /// Not 0: `binding` counts.
    pub has_binding: u8,
    /// What it says of the connection: to be compared with one's own.
    pub binding: [u8; 32],
}

plain!(dmr_login_options, dmr_login, dmr_challenge, dmr_logged_in);

/// The login for a challenge.
pub(crate) fn prove(
    keys: &Keyring,
    directory: Option<&VerifiedDirectory>,
    challenge: &[u8],
    options: &dmr_login_options,
    wall: Timestamp,
) -> Result<SignedLogin, Failure> {
    let bound = options.has_binding != 0;
    let request = LoginRequest {
        challenge: &Challenge::decode(challenge)?,
        challenge_bytes: &Bytes::copy_from_slice(challenge),
        signature: &Bytes::new(),
        instance: InstanceId::try_from(options.instance)?,
        binding: if bound { ChannelBinding::TlsExporter(options.binding) } else { ChannelBinding::None },
        refused_logins: usize::try_from(options.attempt).unwrap_or(usize::MAX),
    };
    Ok(sign_login(keys, directory, &request, wall)?)
}

/// The login that answers a challenge. It does not check the server: see `dmr_challenge_verify`. A session does both:
/// see `dmr_session_sign`.
///
/// `keys`: who logs in. `directory`: the newest, or null when there is none yet. `challenge`, `len`: as received.
/// `options`: of this process and connection. `now_ms`: milliseconds since 1970. `login`: to be freed with
/// `dmr_login_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_login_prove(
    keys: *const dmr_keys,
    directory: *const dmr_directory,
    challenge: *const u8,
    len: usize,
    options: *const dmr_login_options,
    now_ms: u64,
    login: *mut dmr_login,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let login = caller.out(login, "login")?;
            let (keys, directory) = (dmr_keys::get(keys)?, dmr_directory::get_optional(directory)?);
            let challenge = caller.bytes(challenge, len, "challenge")?;
            let options = caller.one(options, "options")?;
            let SignedLogin { fields, proof } =
                prove(&keys, directory.as_deref(), challenge, options, Timestamp(now_ms))?;
            login.put(dmr_login { fields: dmr_bytes::copy_of(&fields), proof: dmr_bytes::copy_of(&proof) });
            Ok(())
        })
    }
}

/// Wipes and frees what `login` holds and sets it to zeros; freeing that again does no harm. A copy of the struct must
/// not be freed as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_login_free(login: *mut dmr_login) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            Ok(caller.change(login, "login", |login| {
                login.fields.release();
                login.proof.release();
            })?)
        })
    }
}

/// Checks a login, as a server does.
///
/// `directory`: the newest. `challenge`: as it was sent. `fields`, `proof`: as they came. `now_ms`: milliseconds since
/// 1970. `who`: nothing in it needs freeing; compare `binding` with your own connection, and allow one attempt for
/// each challenge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_login_verify(
    directory: *const dmr_directory,
    challenge: *const u8,
    challenge_len: usize,
    fields: *const u8,
    fields_len: usize,
    proof: *const u8,
    proof_len: usize,
    now_ms: u64,
    who: *mut dmr_logged_in,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let who = caller.out(who, "who")?;
            let directory = dmr_directory::get(directory)?;
            let challenge = caller.bytes(challenge, challenge_len, "challenge")?;
            let fields = caller.bytes(fields, fields_len, "fields")?;
            let proof = caller.bytes(proof, proof_len, "proof")?;
            let auth = dmr_crypto::verify_login(challenge, fields, proof, &directory, Timestamp(now_ms))?;
            let binding = match auth.binding {
                ChannelBinding::TlsExporter(binding) => Some(binding),
                _ => None,
            };
            who.put(dmr_logged_in {
                participant: auth.participant.into(),
                instance: auth.instance.into(),
                directory_revision: auth.directory_revision,
                has_binding: binding.is_some().into(),
                binding: binding.unwrap_or([0; 32]),
            });
            Ok(())
        })
    }
}

/// Checks a server's signature over its challenge, and decodes it. A directory that lists no server demands none.
///
/// `directory`: the newest. `challenge`, `signature`: as received. `now_ms`: milliseconds since 1970. `decoded`: nothing in
/// it needs freeing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_challenge_verify(
    directory: *const dmr_directory,
    challenge: *const u8,
    challenge_len: usize,
    signature: *const u8,
    signature_len: usize,
    now_ms: u64,
    decoded: *mut dmr_challenge,
) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(decoded, "decoded")?;
            let directory = dmr_directory::get(directory)?;
            let challenge = caller.bytes(challenge, challenge_len, "challenge")?;
            let signature = caller.bytes(signature, signature_len, "signature")?;
            let decoded = dmr_crypto::verify_challenge(challenge, signature, &directory, Timestamp(now_ms))?;
            out.put(dmr_challenge::from(&decoded));
            Ok(())
        })
    }
}

impl From<&Challenge> for dmr_challenge {
    fn from(challenge: &Challenge) -> Self {
        Self {
            network: (&challenge.network).into(),
            server: (&challenge.server).into(),
            version_min: challenge.version_min,
            version_max: challenge.version_max,
            max_envelope: challenge.max_envelope,
            directory_revision: challenge.directory_revision,
            binds_channel: challenge.binds_channel.into(),
            is_signed: challenge.server_key.is_some().into(),
        }
    }
}

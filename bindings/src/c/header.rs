//! Looking at an envelope's header without believing it.

use dmr_core::limit;

use super::argument::plain;
use super::boundary::{boundary, dmr_status};
use super::id::{dmr_digest, dmr_id, dmr_name};
use super::open::decode;

/// Most recipients of one envelope.
pub const DMR_RECIPIENTS: usize = 64;

/// One recipient, and its sealing key that was chosen.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_recipient {
    /// Who may open the envelope.
    pub participant: dmr_id,
    /// Id of the key.
    pub key: [u8; 16],
}

/// What an envelope says of itself. Nothing of it is verified.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct dmr_header {
    /// The network.
    pub network: dmr_name,
    /// Its id.
    pub id: dmr_id,
    /// Who is said to have sealed it.
    pub sender: dmr_id,
    /// Id of the sender's key.
    pub sender_key: [u8; 16],
    /// What its signature would name it by.
    pub digest: dmr_digest,
    /// When it was sealed, in milliseconds since 1970.
    pub created_ms: u64,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// Revision of the directory it was sealed under.
    pub directory_revision: u64,
    /// Digest of that directory.
    pub directory_digest: dmr_digest,
    /// `DMR_SUITE_…`.
    pub suite: u16,
    /// `DMR_KIND_…`, or another number.
    pub kind: u16,
    /// How many recipients, 1 to 64.
    pub recipient_count: usize,
    /// The recipients, ascending by id; zeros behind the last.
    pub recipients: [dmr_recipient; 64],
}

plain!(dmr_recipient, dmr_header);

// The size of the array is the protocol's bound.
const _: () = assert!(DMR_RECIPIENTS == limit::RECIPIENTS);

/// What an envelope says of itself: its form is checked, its signature is not. For routing and for logs; trust only
/// what `dmr_verify` and `dmr_open` tell.
///
/// `envelope`, `len`: as it came. `header`: nothing in it needs freeing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_inspect(envelope: *const u8, len: usize, header: *mut dmr_header) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(header, "header")?;
            let envelope = decode(caller, envelope, len)?;
            let header = envelope.header();
            let none = dmr_recipient { participant: dmr_id::NONE, key: [0; 16] };
            let mut recipients = [none; DMR_RECIPIENTS];
            for (to, from) in recipients.iter_mut().zip(header.recipients.as_slice()) {
                *to = dmr_recipient { participant: from.participant.into(), key: from.key.0 };
            }
            out.put(dmr_header {
                network: (&header.network).into(),
                id: header.id.into(),
                sender: header.sender.into(),
                sender_key: header.sender_key.0,
                digest: dmr_crypto::digest_of(&envelope).into(),
                created_ms: header.created.0,
                expires_ms: header.expires.0,
                directory_revision: header.directory_revision,
                directory_digest: header.directory_digest.into(),
                suite: header.suite.number(),
                kind: header.kind.0,
                recipient_count: header.recipients.as_slice().len(),
                recipients,
            });
            Ok(())
        })
    }
}

//! Keys, sealing and opening, signatures, and the signed directory of DMR: everything that makes a relay unable to
//! read, forge or redirect what it carries.
//!
//! ```text
//!   keeper                          sender                    server                    recipient
//!   authority::{found, add, …}      seal(keyring, dir, …)     verify_envelope(dir)      open(keyring, dir, …)
//!        │ bundle                        │ envelope                │                         ▲
//!        ▼                               └────────────────────────▶└─────────────────────────┘
//!   DirectoryTrust::offer ──▶ VerifiedDirectory: the only thing that sealing and opening accept
//! ```
//!
//! Pure computation: no sockets, no files, no clock. Time is an argument; the one thing taken from the system is
//! randomness.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "seal")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use dmr_core::content::{Content, Message};
//! use dmr_core::directory::Validity;
//! use dmr_core::header::{Kind, Suite};
//! use dmr_core::id::{MessageId, ParticipantId};
//! use dmr_core::time::Timestamp;
//! use dmr_crypto::{Keyring, SealRequest, authority, open, seal, verify_envelope};
//!
//! let now = Timestamp(1_790_000_000_000);
//! let (day, year) = (Duration::from_hours(24), Duration::from_hours(365 * 24));
//! let validity = Validity { not_before: now, not_after: now.plus(year) };
//!
//! // Two participants make their keys, and hand their public cards to the directory's keeper.
//! let tax = Keyring::generate(ParticipantId::from_random_bytes([1; 16]), "tax".parse()?, Suite::XWing, validity)?;
//! let police = Keyring::generate(ParticipantId::from_random_bytes([2; 16]), "police".parse()?, Suite::XWing, validity)?;
//! let network = authority::found("demo".parse()?, now, 30 * day)?;
//! let cards = [tax.card(), police.card()];
//! let key = &network.directory_key;
//! let directory = authority::add(&network.directory, &network.pin, key, &cards, now, 30 * day)?;
//!
//! // One seals a question to the other.
//! let content = Content::V1(Message {
//!     content_type: "text/plain".into(),
//!     conversation: None,
//!     sequence: None,
//!     room: None,
//!     in_reply_to: None,
//!     body: "Is the passport ready?".into(),
//! });
//! let request = SealRequest {
//!     id: MessageId::from_random_bytes([3; 16]),
//!     kind: Kind::QUESTION,
//!     recipients: &[police.participant()],
//!     created: now,
//!     expires: now.plus(day),
//!     content: &content,
//! };
//! let sealed = seal(&tax, &directory, request)?;
//!
//! // The server can tell who sealed it, and nothing of what it says. The recipient opens it.
//! assert_eq!(verify_envelope(&sealed.envelope, &directory, now)?.sender, tax.participant());
//! let opened = open(&police, &directory, &sealed.envelope, now)?;
//! assert_eq!((opened.content, opened.digest), (content, sealed.digest));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "seal"))]
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! | feature | holds | who |
//! |---|---|---|
//! | `verify` | Ed25519 verification, SHA-2, the directory and its ratchet, login checks | everyone |
//! | `sign` | identity secrets, a server's key, the directory's keeper, key files | servers, keepers, agents |
//! | `seal` | sealing secrets, keyrings, HPKE, the content cipher | agents |
//!
//! Without `seal` nothing in the dependency tree can decrypt: no AEAD, no X25519, no ML-KEM.
//!
//! # Reading order
//!
//! 1. `digest`: every label and hash on one page.
//! 2. `public_key`, `identity`, `sealing`, `keyring`: keys, from one number to a participant's set of them.
//! 3. `jws`, `root`, `directory`: how a directory becomes a [`VerifiedDirectory`], and [`DirectoryTrust`], which
//!    remembers what it saw.
//! 4. `envelope`: [`seal`], [`verify_envelope`], [`open`], in the order in which they happen.
//! 5. [`Sealer`]: keys and the directory in use, together, as the exchange of `dmr-core` uses them.
//! 6. `login`, `server_keys`, `keyfile`, [`authority`]: the rest of a participant's, a server's and a keeper's life.
//!
//! # Guaranteed, and not
//!
//! - An opened envelope was sealed by its sender, for this recipient among the others its header names, in this network,
//!   within its times, under a key the directory lists and does not revoke; all who open it open the same content.
//! - Nothing is sealed under a directory that does not verify, is forked, or expired longer ago than the grace.
//! - No input makes this crate panic. Errors and `Debug` hold no secret and no plaintext; secrets are erased when
//!   dropped.
//! - Suite 2 protects confidentiality against a later quantum computer; signatures are Ed25519 in both suites.
//! - Not guaranteed: that an envelope arrives, or arrives once (a replay opens again: the replay guard of `dmr-core`
//!   comes after [`open`]); forward secrecy within the life of a sealing key; anything once a participant's own secrets
//!   are stolen, until its key is revoked.

#[cfg(feature = "sign")]
pub mod authority;
mod digest;
mod directory;
mod envelope;
mod error_name;
#[cfg(feature = "sign")]
mod identity;
mod jws;
#[cfg(feature = "sign")]
mod keyfile;
#[cfg(feature = "seal")]
mod keyring;
mod login;
mod public_key;
mod root;
#[cfg(feature = "seal")]
mod sealer;
#[cfg(feature = "seal")]
mod sealing;
#[cfg(feature = "sign")]
mod server_keys;

pub use digest::{answer_id, digest_of, key_id};
pub use directory::{DirectoryRefused, DirectoryTrust, Fork, Freshness, Offer, TrustError, VerifiedDirectory};
pub use envelope::{EnvelopeFacts, VerifyError, check_recipients, verify_envelope};
#[cfg(feature = "seal")]
pub use envelope::{OpenError, Opened, SealError, SealRequest, Sealed, open, seal};
#[cfg(feature = "sign")]
pub use identity::{IdentitySecret, RandomError};
pub use jws::JwsError;
#[cfg(feature = "sign")]
pub use keyfile::{KeyFileError, KeyFileText};
#[cfg(feature = "seal")]
pub use keyring::{Keyring, StandingError};
pub use login::{ChallengeError, LoginError, verify_challenge, verify_login};
#[cfg(feature = "sign")]
pub use login::{prove_login, sign_challenge};
pub use public_key::{IdentityPublicKey, KeyError, check_sealing_key};
pub use root::{RootError, RootPin};
#[cfg(feature = "seal")]
pub use sealer::{Sealer, fresh_message_id, sign_login};
#[cfg(feature = "seal")]
pub use sealing::SealingSecret;
#[cfg(feature = "sign")]
pub use server_keys::ServerKeys;

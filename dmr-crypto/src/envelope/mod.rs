//! Envelopes: sealed by their sender, verified by every relay, opened by their recipients.

#[cfg(feature = "seal")]
#[cfg(test)]
mod golden;
#[cfg(feature = "seal")]
mod keys;
#[cfg(feature = "seal")]
mod open;
#[cfg(feature = "seal")]
mod padding;
#[cfg(feature = "seal")]
mod plaintext;
#[cfg(feature = "seal")]
mod seal;
mod verify;

#[cfg(feature = "seal")]
pub use open::{OpenError, Opened, open};
#[cfg(feature = "seal")]
pub use seal::{SealError, SealRequest, Sealed, seal};
pub use verify::{EnvelopeFacts, VerifyError, check_recipients, verify_envelope};

//! The bounds that every party keeps. Sizes are in bytes.

use std::time::Duration;

/// Encoded content before padding: 1 MiB.
pub const MESSAGE: usize = 1 << 20;
/// A whole envelope: 1.25 MiB, which holds the padding (at most 12 %) and the wraps of 64 recipients.
pub const ENVELOPE: usize = (1 << 20) + (1 << 18);
/// An encoded header: 8 KiB.
pub const HEADER: usize = 8 << 10;
/// A frame after login: an envelope and 4 KiB.
pub const FRAME: usize = ENVELOPE + (4 << 10);
/// A frame before login: 4 KiB.
pub const LOGIN_FRAME: usize = 4 << 10;
/// A directory document with the root documents it comes with: 16 MiB.
pub const DIRECTORY: usize = 16 << 20;
/// The part of a directory document in one frame: 256 KiB.
pub const DIRECTORY_PART: usize = 256 << 10;
/// Recipients of one envelope.
pub const RECIPIENTS: usize = 64;
/// Receipts in one receipt message.
pub const RECEIPTS: usize = 64;
/// Wrapped key sent to one recipient: the 32-byte content key and the cipher's 16-byte tag.
pub const WRAP_CT: usize = 48;
/// Difference between two honest clocks that is tolerated.
pub const CLOCK_SKEW: Duration = Duration::from_secs(120);
/// Lifetime of an envelope where the directory names no other: 24 hours.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

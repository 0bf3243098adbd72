//! What happened in a drill, in the manner of Jepsen: recorded as it happens, judged when it is over.
//!
//! ```text
//!   callers ──send, accepted, refused, unknown──▶ ┌─────────┐
//!   services ───────────sink────────────────────▶ │ History │──▶ FILE.jsonl ──▶ judge ──▶ Verdict
//!   callers ──────────receipt───────────────────▶ │         │
//!   the drill ─────────fault────────────────────▶ └─────────┘
//! ```
//!
//! The judge knows nothing of the system but these events, and reads them in the order of the file, which is the order
//! in which they happened as far as one process can tell. It finds what was promised and not kept:
//!
//! | word | meaning | in a sound history |
//! |---|---|---|
//! | lost | accepted, and neither handled nor failed | none |
//! | unexpected | handled and never sent, or other than it was sent, or after a refusal | none |
//! | misrouted | at the service of another than its recipient, or under another's name | none |
//! | doubled | more than one effect at a service that keeps idempotency keys | none |
//! | undecided | accepted without an end that its sender sees, or sent and never answered | none |
//! | false receipts | delivered and not handled, failed and handled, or both | none |
//! | malformed | the record contradicts itself | none |
//! | duplicated | the service was called more than once, which it may be | counted |
//! | recovered | the sender was told nothing certain, and it was handled | counted |
//! | out of order | handled before one that was accepted before it was sent; neither was called for twice | counted |
//!
//! Reading order: [`event`], [`record`], [`verdict`], [`judge`].

pub mod event;
mod judge;
pub mod record;
pub mod verdict;

pub use event::{Entry, Event, Fate, Phase};
pub use judge::judge;
pub use record::{History, digest, read};
pub use verdict::{Recovery, Verdict};

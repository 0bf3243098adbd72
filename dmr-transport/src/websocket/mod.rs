//! Links over WebSockets (RFC 6455), plain or in TLS.
//!
//! ```text
//!  WebSocketDialer::dial ──TCP──TLS 1.3──GET /v1/link──▶ accept
//!                          subprotocol dmr.v1, binary frames, no extension, no Origin
//! ```
//!
//! Every bound is set here and none left to the library: 5 s for each of connect, TLS and upgrade, 32 headers in
//! 8 KiB, frames of [`dmr_core::limit::FRAME`], a read buffer of 4 KiB, one frame waiting to be sent. A text frame
//! ends the link with close code 1003, a frame too long with 1009, a broken rule with 1002.
//!
//! There is no keepalive on this layer: sessions exchange heartbeats, which also prove that the other *program* is
//! alive. Pings are answered, for proxies that send them.

mod accept;
mod address;
mod dial;
mod error;
mod link;
mod wire;

pub use accept::{AcceptConfig, accept};
pub use address::{AddressError, ServerAddress};
pub use dial::{DialerConfig, WebSocketDialer};
pub use link::{WebSocketLink, WebSocketReceiver, WebSocketSender};

/// The WebSocket subprotocol that both sides must speak.
pub const SUBPROTOCOL: &str = "dmr.v1";
/// The path of the upgrade request: the one servers answer, and the one addresses without a path mean.
pub const PATH: &str = "/v1/link";
/// Headers in an upgrade request.
const HEADERS: usize = 32;
/// Bytes of an upgrade request or its answer.
const HEADER_BYTES: u64 = 8 << 10;

//! What the WebSocket library says, in the words of links.

use std::io;

use async_tungstenite::tungstenite::Error as WsError;
use async_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use dmr_core::limit;

use super::wire::InputExceeded;
use crate::link::LinkError;

/// An error of an open link.
pub(super) fn link_error(error: WsError) -> LinkError {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => LinkError::Closed,
        WsError::Protocol(ProtocolError::SendAfterClosing) => LinkError::Closed,
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            LinkError::Io(io::Error::new(io::ErrorKind::UnexpectedEof, "ended without a close"))
        }
        WsError::Protocol(broken) => LinkError::Protocol(broken.to_string().into()),
        WsError::Io(error) if is_input_exceeded(&error) => LinkError::FrameTooLarge { limit: limit::LOGIN_FRAME },
        WsError::Io(error) => LinkError::Io(error),
        WsError::Tls(error) => LinkError::Tls(error.to_string().into()),
        WsError::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
            LinkError::FrameTooLarge { limit: max_size }
        }
        WsError::Capacity(CapacityError::TooManyHeaders) => LinkError::Handshake("too many headers".into()),
        WsError::WriteBufferFull(_) => LinkError::NotReady,
        WsError::Utf8(_) => LinkError::Protocol("text that is not UTF-8".into()),
        WsError::AttackAttempt => LinkError::Handshake("headers in too many small pieces".into()),
        WsError::Url(error) => LinkError::Address(error.to_string().into()),
        WsError::Http(response) => LinkError::Handshake(format!("HTTP {}", response.status().as_u16()).into()),
        WsError::HttpFormat(_) => LinkError::Handshake("not an HTTP message".into()),
    }
}

/// An error of the upgrade, before the link is open.
pub(super) fn upgrade_error(error: WsError) -> LinkError {
    match error {
        WsError::Io(error) if is_input_exceeded(&error) => LinkError::Handshake("headers longer than 8 KiB".into()),
        WsError::Io(error) => LinkError::Io(error),
        WsError::Protocol(broken) => LinkError::Handshake(broken.to_string().into()),
        other => link_error(other),
    }
}

/// An error of the TLS handshake.
pub(super) fn tls_error(error: io::Error) -> LinkError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => LinkError::Tls(tls.to_string().into()),
        None => LinkError::Io(error),
    }
}

fn is_input_exceeded(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<InputExceeded>())
}

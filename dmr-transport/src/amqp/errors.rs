//! What errors of the AMQP library mean here.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};

use crate::broker::BrokerError;

/// Whether the broker has no such queue or exchange.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ProtocolError(error) if matches!(error.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND))
    )
}

/// The broker did not do it.
pub(super) fn unavailable(error: &lapin::Error) -> BrokerError {
    BrokerError::Unavailable(error.to_string().into())
}

//! Errors of the HTTP API: `application/problem+json` (RFC 9457) with stable types.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dmr_core::reason::RejectReason;
use serde_json::{Map, Value, json};

use super::field::FieldError;
use dmr_core::exchange::SendError;

/// What went wrong, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The last part of the stable type.
    name: &'static str,
    title: &'static str,
    detail: Option<String>,
    retry_after: Option<Duration>,
    /// More members, such as the pointer to a wrong field.
    members: Map<String, Value>,
}

impl Problem {
    /// Every type begins with this.
    pub(crate) const TYPE: &'static str = "urn:dmr:problem:";
    const EXPIRED: &'static str = "expired";

    pub(crate) fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title, detail: None, retry_after: None, members: Map::new() }
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// No server took it: the caller still has it.
    pub(crate) fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "no server could take the message")
            .detail(format!("{detail}; nothing was sent, and the same request may be sent again"))
            .retry_after(Duration::from_secs(2))
    }

    /// It is not known whether a server took it.
    pub(crate) fn unknown() -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "unknown", "the server has not confirmed the message yet")
            .detail("it may be accepted or not; the same request may be sent again and is sent once")
    }

    /// Whether the message has expired, so that trying again under its id changes nothing.
    pub(crate) fn is_expired(&self) -> bool {
        self.name == Self::EXPIRED
    }

    /// Another message has this id.
    pub(crate) fn conflict() -> Self {
        Self::new(StatusCode::CONFLICT, "id-conflict", "this id was used for another message")
    }

    /// The body is longer than a message may be.
    pub(crate) fn too_large() -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the message is too large")
    }

    /// The last part of the type: a stable word.
    pub(crate) const fn word(&self) -> &'static str {
        self.name
    }

    /// What is wrong, for a person.
    pub(crate) fn sentence(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.title),
            None => self.title.to_owned(),
        }
    }

    /// The title, status and type, for a caller that is not HTTP.
    #[cfg(test)]
    pub(crate) fn summary(&self) -> (u16, &'static str) {
        (self.status.as_u16(), self.name)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, name, title, detail, retry_after, members } = self;
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("{}{name}", Self::TYPE)));
        body.insert("title".to_owned(), json!(title));
        body.insert("status".to_owned(), json!(status.as_u16()));
        if let Some(detail) = detail {
            body.insert("detail".to_owned(), json!(detail));
        }
        body.extend(members);
        let mut response = (status, Value::Object(body).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = retry_after {
            // Whole seconds, and never 0: that would say at once.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "the request is malformed")
            .detail(format!("{} {}", if error.pointer.is_empty() { "the body" } else { &error.pointer }, error.detail))
            .member("pointer", error.pointer)
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        let detail = error.to_string();
        let problem = match error {
            SendError::Unsealable(reason) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "this agent cannot seal messages now")
                    .member("reason", reason.as_str())
                    .retry_after(Duration::from_secs(5))
            }
            SendError::UnknownRecipient(_) => {
                Self::new(StatusCode::NOT_FOUND, "unknown-recipient", "the directory does not list the recipient")
            }
            SendError::RecipientInactive(_) => {
                Self::new(StatusCode::FORBIDDEN, "recipient-inactive", "the recipient does not take part now")
            }
            SendError::PolicyRefused(_) => Self::new(StatusCode::FORBIDDEN, "policy-refused", "the policy refused it"),
            SendError::Lifetime { .. } => return FieldError::new("/expiresInSeconds", detail).into(),
            SendError::Recipients => return FieldError::new("/recipientId", detail).into(),
            SendError::TooLarge { .. } => Self::too_large(),
            SendError::Full { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "outbox-full", "too many messages wait for their receipts")
                    .retry_after(retry_after)
            }
            SendError::Duplicate(_) => Self::conflict(),
            SendError::Rejected { reason, retry_after, .. } => rejected(reason, retry_after),
            SendError::Expired => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                Self::EXPIRED,
                "the message expired before a server confirmed it",
            ),
            SendError::Withdrawn => return Self::unavailable("no server is connected"),
            SendError::Stopped => return Self::unavailable("this agent is shutting down"),
            // `Seal`, `NotAQuestion`, and whatever a later version adds: none is the caller's fault.
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "sealing-failed", "the message could not be sealed"),
        };
        problem.detail(detail)
    }
}

fn rejected(reason: RejectReason, retry_after: Duration) -> Problem {
    let problem = match reason {
        RejectReason::UnknownRecipient => {
            Problem::new(StatusCode::NOT_FOUND, "unknown-recipient", "the server does not know the recipient")
        }
        RejectReason::RecipientInactive => {
            Problem::new(StatusCode::FORBIDDEN, "recipient-inactive", "the recipient does not take part now")
        }
        RejectReason::PolicyRefused => Problem::new(StatusCode::FORBIDDEN, "policy-refused", "the policy refused it"),
        RejectReason::TooLarge => Problem::too_large(),
        RejectReason::RateLimited => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", "too many messages").retry_after(retry_after)
        }
        RejectReason::MailboxFull => {
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "mailbox-full", "the recipient's mailbox is full")
                .retry_after(retry_after)
        }
        RejectReason::Undecided => Problem::unknown(),
        retryable if retryable.is_retryable() => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server could not take the message")
                .retry_after(retry_after)
        }
        _ => Problem::new(StatusCode::FORBIDDEN, "refused", "the server refused the message"),
    };
    problem.member("reason", reason.as_str())
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use dmr_core::id::{MessageId, ParticipantId};

    use super::*;
    use dmr_core::exchange::Unsealable;

    #[test]
    fn every_refusal_has_its_status_and_type() {
        let someone = ParticipantId::from_custom_bytes([1; 16]);
        let second = Duration::from_secs(1);
        let rejected = |reason| SendError::Rejected { reason, retry_after: second, recipients: Vec::new() };
        for (error, status, name) in [
            (SendError::Unsealable(Unsealable::Forked), 503, "not-ready"),
            (SendError::UnknownRecipient(someone), 404, "unknown-recipient"),
            (SendError::RecipientInactive(someone), 403, "recipient-inactive"),
            (SendError::PolicyRefused(someone), 403, "policy-refused"),
            (SendError::Recipients, 400, "malformed"),
            (SendError::Lifetime { asked: second, allowed: second }, 400, "malformed"),
            (SendError::TooLarge { len: 2, limit: 1 }, 413, "too-large"),
            (SendError::Full { retry_after: second }, 429, "outbox-full"),
            (SendError::Duplicate(MessageId::from_custom_bytes([1; 16])), 409, "id-conflict"),
            (SendError::Expired, 504, "expired"),
            (SendError::Withdrawn, 503, "unavailable"),
            (SendError::Stopped, 503, "unavailable"),
            (SendError::Seal("x".into()), 500, "sealing-failed"),
            (rejected(RejectReason::UnknownRecipient), 404, "unknown-recipient"),
            (rejected(RejectReason::RecipientInactive), 403, "recipient-inactive"),
            (rejected(RejectReason::PolicyRefused), 403, "policy-refused"),
            (rejected(RejectReason::TooLarge), 413, "too-large"),
            (rejected(RejectReason::RateLimited), 429, "rate-limited"),
            (rejected(RejectReason::MailboxFull), 429, "mailbox-full"),
            (rejected(RejectReason::Unavailable), 503, "unavailable"),
            (rejected(RejectReason::StaleDirectory), 503, "unavailable"),
            (rejected(RejectReason::Undecided), 504, "unknown"),
            (rejected(RejectReason::BadSignature), 403, "refused"),
        ] {
            assert_eq!(Problem::from(error.clone()).summary(), (status, name), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_problem_is_json_with_its_type_and_says_when_to_retry() {
        let full = SendError::Full { retry_after: Duration::from_millis(1_200) };
        let response = Problem::from(full).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
        assert_eq!(body["type"], "urn:dmr:problem:outbox-full");
        assert_eq!(body["status"], 429);
    }

    #[tokio::test]
    async fn a_wrong_field_is_named_by_its_pointer() {
        let response = Problem::from(FieldError::new("/payload/chat/id", "is missing")).into_response();
        let body: Value = serde_json::from_slice(&to_bytes(response.into_body(), 10_000).await.unwrap()).unwrap();
        assert_eq!(body["pointer"], "/payload/chat/id");
        assert_eq!(body["detail"], "/payload/chat/id is missing");
    }
}

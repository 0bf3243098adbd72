//! What became of a message that `dmr-agent send` sent: a line of JSON, and an exit code.

use std::io::{self, Write};

use bytes::Bytes;
use dmr_core::header::Kind;
use dmr_core::id::{MessageId, ParticipantId};
use dmr_core::reason::FailureReason;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::{Problem, timestamp_now};
use crate::delivery::Delivery;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) id: MessageId,
    pub(crate) kind: Kind,
    pub(crate) recipient: Option<ParticipantId>,
    /// When the errand began, a server confirmed it, and the fate was known: as they are printed.
    started: String,
    pub(crate) accepted: Option<String>,
    ended: String,
    notice: Option<FailureReason>,
    end: End,
}

/// How an errand ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Its answer. It is acknowledged once it is printed.
    Answered {
        /// As `GET /v1/messages/{id}` shows it.
        view: Bytes,
        delivery: Box<Delivery>,
    },
    /// Its recipient signed that it has it, and `declined` where it signed that it will not answer.
    Delivered { declined: bool },
    /// It will not arrive, and whether its recipient signed that.
    Failed { reason: FailureReason, signed: bool },
    /// Nothing final is known here: the word of [`MessageStatus::as_str`](crate::MessageStatus::as_str).
    Undecided(&'static str),
    /// Nobody has it.
    NotAccepted(Problem),
}

impl End {
    /// The program's exit code for it. 1 and 64 have their own meaning.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Answered { .. } | Self::Delivered { .. } => 0,
            Self::Failed { signed: true, .. } => 3,
            Self::Failed { signed: false, .. } => 4,
            Self::Undecided(_) => 5,
            Self::NotAccepted(_) => 6,
        }
    }
}

/// One line on the standard output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: MessageId,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_id: Option<ParticipantId>,
    kind: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    signed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    declined: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'a str>,
    started_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_at: Option<&'a str>,
    ended_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a RawValue>,
}

impl Fate {
    /// An errand that begins now.
    pub(crate) fn new(id: MessageId, kind: Kind) -> Self {
        let end = End::Undecided("pending");
        let started = timestamp_now();
        Self { id, kind, recipient: None, ended: started.clone(), started, accepted: None, notice: None, end }
    }

    /// A server has confirmed it now.
    pub(crate) fn accepted_now(&mut self) {
        self.accepted = Some(timestamp_now());
    }

    /// The same with what a server said, unsigned.
    pub(crate) fn noticed(mut self, notice: Option<FailureReason>) -> Self {
        self.notice = notice;
        self
    }

    /// The same, ended so now.
    pub(crate) fn ended(mut self, end: End) -> Self {
        (self.end, self.ended) = (end, timestamp_now());
        self
    }

    /// Prints it as one line, and acknowledges an answer that was printed: one that was not comes again, to another agent
    /// of the participant. Returns the exit code.
    ///
    /// # Errors
    /// What the output says.
    pub(crate) fn print(self, mut output: impl Write) -> io::Result<u8> {
        let mut line = serde_json::to_vec(&self.line())?;
        line.push(b'\n');
        output.write_all(&line)?;
        output.flush()?;
        let code = self.end.exit_code();
        if let End::Answered { delivery, .. } = self.end {
            delivery.ack();
        }
        Ok(code)
    }

    fn line(&self) -> Line<'_> {
        let (status, reason, by) = match &self.end {
            End::Answered { .. } => ("answered", None, Some("recipient")),
            End::Delivered { .. } => ("delivered", None, Some("recipient")),
            End::Failed { reason, signed } => ("failed", Some(reason.as_str()), Some(self.speaker(*signed))),
            End::Undecided(status) => (*status, None, self.accepted.as_ref().map(|_| "server")),
            End::NotAccepted(problem) => ("not-accepted", Some(problem.word()), None),
        };
        let answer = match &self.end {
            // It was rendered as JSON.
            End::Answered { view, .. } => serde_json::from_slice(view).ok(),
            _ => None,
        };
        let detail = match &self.end {
            End::NotAccepted(problem) => Some(problem.sentence()),
            _ => None,
        };
        Line {
            id: self.id,
            recipient_id: self.recipient,
            kind: if self.kind == Kind::QUESTION { "question" } else { "event" },
            status,
            reason,
            detail,
            by,
            signed: by == Some("recipient"),
            declined: matches!(self.end, End::Delivered { declined: true }),
            notice: self.notice.map(FailureReason::as_str),
            started_at: &self.started,
            accepted_at: self.accepted.as_deref(),
            ended_at: &self.ended,
            answer,
        }
    }

    /// Who said that it failed.
    const fn speaker(&self, signed: bool) -> &'static str {
        match (signed, self.notice) {
            (true, _) => "recipient",
            (false, Some(_)) => "server",
            (false, None) => "agent",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn printed(fate: Fate) -> (Value, u8) {
        let mut output = Vec::new();
        let code = fate.print(&mut output).unwrap();
        assert_eq!(output.iter().filter(|byte| **byte == b'\n').count(), 1);
        (serde_json::from_slice(&output).unwrap(), code)
    }

    fn fate(end: End) -> Fate {
        let mut fate = Fate::new(MessageId::from_custom_bytes([1; 16]), Kind::QUESTION);
        fate.accepted_now();
        fate.ended(end)
    }

    #[test]
    fn a_fate_says_who_said_so_and_has_its_own_exit_code() {
        let reason = FailureReason::Refused;
        for (end, code, status, by, signed) in [
            (End::Delivered { declined: false }, 0, "delivered", json!("recipient"), true),
            (End::Failed { reason, signed: true }, 3, "failed", json!("recipient"), true),
            (End::Failed { reason, signed: false }, 4, "failed", json!("agent"), false),
            (End::Undecided("accepted"), 5, "accepted", json!("server"), false),
            (End::NotAccepted(Problem::unavailable("nobody is there")), 6, "not-accepted", json!(null), false),
        ] {
            let (line, exit) = printed(fate(end));
            assert_eq!(
                (exit, &line["status"], &line["by"], &line["signed"]),
                (code, &json!(status), &by, &json!(signed))
            );
        }
    }

    #[test]
    fn a_servers_notice_is_shown_as_its_own_word() {
        let unsigned = fate(End::Failed { reason: FailureReason::Expired, signed: false });
        let (line, code) = printed(unsigned.noticed(Some(FailureReason::Expired)));
        assert_eq!((code, &line["by"], &line["notice"]), (4, &json!("server"), &json!("expired")));
        let overridden = fate(End::Delivered { declined: false }).noticed(Some(FailureReason::Expired));
        let (line, code) = printed(overridden);
        assert_eq!((code, &line["by"], &line["notice"]), (0, &json!("recipient"), &json!("expired")));
    }
}

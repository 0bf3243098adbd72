//! What a service's response to a message means. Pure: the table of the webhook's rules.

use std::time::Duration;

use dmr_core::header::Kind;
use dmr_core::limit;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{check_payload, is_rfc3339, timestamp_now, type_name};
use crate::json_message::JsonMessage;

/// The `type` of an answer that names none, to a question whose own type does not fit it.
const ANSWER: &str = "Answer";
/// Longest body of an answer: a message, less what is sealed around the body.
const LONGEST_ANSWER: usize = limit::MESSAGE - 1024;
/// Longest wait that a service may ask for with `Retry-After`.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A response, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Response<'a> {
    pub(super) status: u16,
    /// The header `Retry-After`.
    pub(super) retry_after: Option<&'a str>,
    /// The body, `None` when it is longer than a message.
    pub(super) body: Option<&'a [u8]>,
}

/// What becomes of the message.
#[derive(Debug)]
pub(super) enum Meaning {
    /// The service took it.
    Taken,
    /// The service took it and answered.
    Answered(JsonMessage),
    /// The service took it, and its answer is no message: it is settled without one.
    BadAnswer(&'static str),
    /// The service will never take it.
    Refused,
    /// Try again, not before this.
    Later(Duration),
}

/// The answer in a response's body. Members that are not named here are the service's own.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(rename = "type")]
    type_name: Option<String>,
    timestamp: Option<String>,
}

/// What `response` to a message of this kind and type means.
pub(super) fn meaning(kind: Kind, message_type: &str, response: Response<'_>) -> Meaning {
    match response.status {
        200..=299 if kind == Kind::QUESTION => answer(message_type, response.body),
        200..=299 => Meaning::Taken,
        408 | 429 => Meaning::Later(wait(response.retry_after)),
        400..=499 => Meaning::Refused,
        _ => Meaning::Later(wait(response.retry_after)),
    }
}

fn answer(question_type: &str, body: Option<&[u8]>) -> Meaning {
    let Some(body) = body else { return Meaning::BadAnswer("it is longer than a message") };
    // No JSON, or JSON of another form: the service said that it took the question, and no more.
    let Ok(answer) = serde_json::from_slice::<Answer<'_>>(body) else { return Meaning::Taken };
    let Some(payload) = answer.payload else { return Meaning::Taken };
    let timestamp = match answer.timestamp {
        Some(timestamp) if is_rfc3339(&timestamp) => timestamp,
        Some(_) => return Meaning::BadAnswer("its timestamp is not of RFC 3339"),
        None => timestamp_now(),
    };
    let named = answer.type_name.map(type_name).transpose();
    let type_name = match named {
        Ok(Some(named)) if check_payload(&named, payload).is_ok() => named,
        Ok(Some(_)) => return Meaning::BadAnswer("its payload is not of the shape that its type has"),
        Ok(None) if check_payload(question_type, payload).is_ok() => question_type.to_owned(),
        Ok(None) if check_payload(ANSWER, payload).is_ok() => ANSWER.to_owned(),
        Ok(None) => return Meaning::BadAnswer("its payload is nested too deeply"),
        Err(_) => return Meaning::BadAnswer("its type is empty, too long or not plain text"),
    };
    let answer = JsonMessage { timestamp, type_name, payload: payload.to_owned() };
    if answer.encode().len() > LONGEST_ANSWER {
        return Meaning::BadAnswer("it is longer than a message");
    }
    Meaning::Answered(answer)
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3); a date counts as no hint.
fn wait(retry_after: Option<&str>) -> Duration {
    let seconds = retry_after.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(kind: Kind, status: u16, body: &str) -> String {
        let response = Response { status, retry_after: None, body: Some(body.as_bytes()) };
        match meaning(kind, "Note", response) {
            Meaning::Taken => "taken".into(),
            Meaning::Answered(answer) => format!("{} {}", answer.type_name, answer.payload.get()),
            Meaning::BadAnswer(_) => "bad".into(),
            Meaning::Refused => "refused".into(),
            Meaning::Later(_) => "later".into(),
        }
    }

    #[test]
    fn the_status_decides_for_every_kind() {
        for kind in [Kind::QUESTION, Kind::ANSWER, Kind::EVENT, Kind(77)] {
            for (status, meaning) in [
                (200, "taken"),
                (202, "taken"),
                (204, "taken"),
                (299, "taken"),
                (301, "later"),
                (302, "later"),
                (307, "later"),
                (400, "refused"),
                (401, "refused"),
                (404, "refused"),
                (408, "later"),
                (410, "refused"),
                (422, "refused"),
                (429, "later"),
                (499, "refused"),
                (500, "later"),
                (502, "later"),
                (503, "later"),
                (599, "later"),
                (100, "later"),
            ] {
                assert_eq!(says(kind, status, ""), meaning, "{kind} {status}");
            }
        }
    }

    #[test]
    fn only_a_question_is_answered_and_only_by_a_payload() {
        let body = r#"{"payload": {"n": 1.10}, "more": true}"#;
        assert_eq!(says(Kind::QUESTION, 200, body), r#"Note {"n": 1.10}"#);
        assert_eq!(says(Kind::QUESTION, 201, r#"{"payload":null}"#), "taken");
        for kind in [Kind::ANSWER, Kind::EVENT, Kind(77)] {
            assert_eq!(says(kind, 200, body), "taken");
        }
        for none in ["", "ok", "{}", "[]", "\"payload\"", r#"{"answer": 1}"#, r#"{"payload": "#] {
            assert_eq!(says(Kind::QUESTION, 200, none), "taken", "{none}");
        }
        assert_eq!(says(Kind::QUESTION, 500, body), "later");
        assert_eq!(says(Kind::QUESTION, 404, body), "refused");
    }

    #[test]
    fn an_answer_may_name_its_type_and_time_and_both_are_checked() {
        let named = r#"{"payload": 1, "type": "Reply", "timestamp": "2026-01-01T00:00:00.5Z"}"#;
        assert_eq!(says(Kind::QUESTION, 200, named), "Reply 1");
        for bad in [
            r#"{"payload": 1, "type": ""}"#,
            r#"{"payload": 1, "timestamp": "noon"}"#,
            r#"{"payload": 1, "type": "ChatMessage"}"#,
        ] {
            assert_eq!(says(Kind::QUESTION, 200, bad), "bad", "{bad}");
        }
    }

    #[test]
    fn an_answer_without_a_type_has_the_questions_where_that_fits() {
        let response = |body: &'static str| Response { status: 200, retry_after: None, body: Some(body.as_bytes()) };
        let chat = r#"{"payload":{"chat":{"id":"c","created":"t"},
            "messages":[{"id":"m","chatId":"c","authorTimestamp":"t","authorRole":"bot"}]}}"#;
        for (body, expected) in [(chat, "ChatMessage"), (r#"{"payload":{"text":"hi"}}"#, "Answer")] {
            let Meaning::Answered(answer) = meaning(Kind::QUESTION, "ChatMessage", response(body)) else {
                panic!("no answer in {body}");
            };
            assert_eq!(answer.type_name, expected);
        }
    }

    #[test]
    fn an_answer_longer_than_a_message_settles_the_question_without_one() {
        let response = Response { status: 200, retry_after: None, body: None };
        assert!(matches!(meaning(Kind::QUESTION, "Note", response), Meaning::BadAnswer(_)));
        assert!(matches!(meaning(Kind::EVENT, "Note", response), Meaning::Taken));
        let body = format!(r#"{{"payload":"{}"}}"#, "x".repeat(limit::MESSAGE - 100));
        let response = Response { status: 200, retry_after: None, body: Some(body.as_bytes()) };
        assert!(matches!(meaning(Kind::QUESTION, "Note", response), Meaning::BadAnswer(_)));
    }

    #[test]
    fn a_service_may_ask_for_a_wait_of_up_to_a_minute() {
        for (text, seconds) in [(Some("7"), 7), (Some("100000"), 60), (Some("Fri, 1 Jan 2027"), 0), (None, 0)] {
            let response = Response { status: 503, retry_after: text, body: None };
            let Meaning::Later(wait) = meaning(Kind::EVENT, "Note", response) else { panic!("not later") };
            assert_eq!(wait.as_secs(), seconds);
        }
    }
}

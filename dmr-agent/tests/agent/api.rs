//! The HTTP API: every status, and that the same id is sent once.

use std::time::Duration;

use dmr_agent::{Answer as Reply, BearerToken, Limits, Service, ServiceError};
use dmr_core::header::Kind;
use dmr_core::reason::{FailureReason, RejectReason};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::network::{Network, next};
use crate::relay::Relay;
use crate::service::{Running, config, launch, note, start};
use crate::wait::{until_true, within};

const ID: &str = "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f";

pub(crate) fn network() -> (Network, Relay) {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    (network, relay)
}

pub(crate) async fn running() -> (Network, Relay, Running) {
    let (network, relay) = network();
    let running = start(config(&network, "tax"), &relay).await;
    (network, relay, running)
}

fn with(mut message: Value, member: &str, value: Value) -> Value {
    message[member] = value;
    message
}

#[tokio::test]
async fn a_message_is_accepted_and_its_status_follows() {
    let (network, relay, tax) = running().await;
    let sent = tax.post("/v1/messages", &note("police", "hello")).await;
    assert_eq!((sent.status, &sent.body["status"]), (202, &json!("accepted")));
    let id = sent.body["id"].as_str().unwrap();
    assert_eq!(tax.status(id).await, "accepted");
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let delivery = next(&mut inbox).await;
    assert_eq!(delivery.message.kind, Kind::QUESTION);
    let body: Value = serde_json::from_slice(&delivery.message.content.body).unwrap();
    assert_eq!(body["timestamp"], "2026-01-31T12:00:00.5Z");
    delivery.ack();
    until_true("delivered", || {
        let status = tax.agent.message(id.parse().unwrap()).map(|status| status.as_str());
        status == Some("delivered")
    })
    .await;
    assert_eq!(tax.status(id).await, "delivered");
}

#[tokio::test]
async fn a_refused_message_shows_its_reason_and_who_signed_that() {
    let (network, relay, tax) = running().await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.post("/v1/messages", &note("police", "hello")).await;
    next(&mut inbox).await.reject(FailureReason::Refused);
    let id = sent.body["id"].as_str().unwrap().to_owned();
    let failed = async {
        while tax.status(&id).await != "failed" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("failed", failed).await;
    let status = tax.get(&format!("/v1/messages/{id}")).await;
    assert_eq!(status.body, json!({"id": id, "status": "failed", "reason": "refused", "signed": true}));
}

#[tokio::test]
async fn a_question_is_answered_in_one_request() {
    let (network, relay, tax) = running().await;
    let (police, mut inbox) = network.receiver("police", &relay).await;
    let service = tokio::spawn(async move {
        let body = r#"{"timestamp":"2026-02-01T00:00:00Z","type":"Note","payload":{"n":1.10}}"#;
        next(&mut inbox).await.answer(Reply::new(dmr_agent::MESSAGE_TYPE, body)).await.unwrap();
    });
    let asked = tax.post("/v1/questions?timeout=10s", &with(note("police", "well?"), "id", json!(ID))).await;
    service.await.unwrap();
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(asked.text.contains(r#""payload":{"n":1.10}"#), "the payload's text survives: {}", asked.text);
    assert_eq!(asked.body["senderId"], police.participant().to_string());
    assert_eq!(asked.body["recipientId"], tax.agent.participant().to_string());
    assert_eq!(asked.body["inReplyTo"], ID);
    let status = tax.get(&format!("/v1/messages/{ID}")).await;
    assert_eq!((&status.body["status"], &status.body["answer"]), (&json!("answered"), &asked.body));
    let again = tax.post("/v1/questions", &with(note("police", "well?"), "id", json!(ID))).await;
    assert_eq!((again.status, again.body), (200, asked.body));
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn a_late_answer_is_at_the_questions_address() {
    let (network, relay, tax) = running().await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.post("/v1/questions?timeout=100ms", &with(note("police", "soon?"), "id", json!(ID))).await;
    assert_eq!((asked.status, asked.problem()), (504, "no-answer-yet"));
    assert_eq!((&asked.body["id"], &asked.body["questionStatus"]), (&json!(ID), &json!("accepted")));
    let body = r#"{"timestamp":"2026-02-01T00:00:00Z","type":"Note","payload":"late"}"#;
    next(&mut inbox).await.answer(Reply::new(dmr_agent::MESSAGE_TYPE, body)).await.unwrap();
    let answered = async {
        loop {
            let status = tax.get(&format!("/v1/messages/{ID}")).await;
            if status.body["answer"]["payload"] == "late" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the late answer", answered).await;
}

#[tokio::test]
async fn a_question_that_is_refused_does_not_wait_for_its_timeout() {
    let (network, relay, tax) = running().await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    tokio::spawn(async move { next(&mut inbox).await.reject(FailureReason::Refused) });
    let asked = tax.post("/v1/questions?timeout=600", &note("police", "no")).await;
    assert_eq!((asked.status, asked.problem()), (504, "question-failed"));
    assert_eq!((&asked.body["questionStatus"], &asked.body["reason"]), (&json!("failed"), &json!("refused")));
}

#[tokio::test]
async fn the_same_id_and_body_is_sent_once_and_another_body_is_a_conflict() {
    let (_network, relay, tax) = running().await;
    let message = with(note("police", "once"), "id", json!(ID));
    for _ in 0..3 {
        let sent = tax.post("/v1/messages", &message).await;
        assert_eq!((sent.status, sent.body), (202, json!({"id": ID, "status": "accepted"})));
    }
    let reordered = format!(
        r#" {{"payload": {{ "text" : "onc\u0065" }}, "type": "Note", "timestamp": "2026-01-31T12:00:00.5Z",
            "recipientId": "police", "id": "{ID}"}} "#
    );
    let same = tax.call(tax.request("POST", "/v1/messages").body(reordered)).await;
    assert_eq!(same.status, 202);
    let other = tax.post("/v1/messages", &with(message, "payload", json!("other"))).await;
    assert_eq!((other.status, other.problem()), (409, "id-conflict"));
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn many_requests_at_once_under_one_id_send_one_message() {
    let (_network, relay, tax) = running().await;
    let message = with(note("police", "race"), "id", json!(ID));
    let calls = (0..32).map(|_| {
        let request = tax.request("POST", "/v1/messages").json(&message);
        tokio::spawn(async move { request.send().await.unwrap().status().as_u16() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(within("a response", call).await.unwrap(), 202);
    }
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn a_message_goes_on_when_its_caller_hangs_up() {
    let (_network, relay, tax) = running().await;
    relay.hold_confirms(true);
    let request = tax.request("POST", "/v1/messages").json(&with(note("police", "gone"), "id", json!(ID)));
    let hung_up = request.timeout(Duration::from_millis(200)).send().await;
    assert!(hung_up.is_err());
    relay.hold_confirms(false);
    let again = tax.post("/v1/messages", &with(note("police", "gone"), "id", json!(ID))).await;
    assert_eq!(again.status, 202);
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn wrong_requests_name_the_wrong_field() {
    let (_network, relay, tax) = running().await;
    let question = note("police", "x");
    for (body, pointer) in [
        (with(question.clone(), "timestamp", json!("soon")), "/timestamp"),
        (with(question.clone(), "recipientId", json!("Nobody At All")), "/recipientId"),
        (with(question.clone(), "type", json!("ChatMessage")), "/payload/chat"),
        (with(question.clone(), "id", json!("7")), "/id"),
        (with(question.clone(), "expiresInSeconds", json!(90_000)), "/expiresInSeconds"),
        (with(question.clone(), "surprise", json!(1)), "/surprise"),
    ] {
        let refused = tax.post("/v1/messages", &body).await;
        assert_eq!((refused.status, refused.problem()), (400, "malformed"), "{body}");
        assert_eq!(refused.body["pointer"], pointer, "{body}");
    }
    let garbage = tax.call(tax.request("POST", "/v1/messages").body("{")).await;
    assert_eq!((garbage.status, garbage.problem()), (400, "malformed"));
    let reply = with(question.clone(), "inReplyTo", json!(ID));
    let asked = tax.post("/v1/questions", &reply).await;
    assert_eq!((asked.status, &asked.body["pointer"]), (400, &json!("/inReplyTo")));
    for timeout in ["soon", "-1", "601", "11m", "1&timeout=2"] {
        let refused = tax.post(&format!("/v1/questions?timeout={timeout}"), &question).await;
        assert_eq!((refused.status, &refused.body["parameter"]), (400, &json!("timeout")), "{timeout}");
    }
    assert!(relay.published(Kind::QUESTION).is_empty());
}

#[tokio::test]
async fn what_cannot_be_found_is_404() {
    let (_network, _relay, tax) = running().await;
    for recipient in ["nobody", ID] {
        let refused = tax.post("/v1/messages", &note(recipient, "x")).await;
        assert_eq!((refused.status, refused.problem()), (404, "unknown-recipient"), "{recipient}");
    }
    let reply = with(note("police", "x"), "inReplyTo", json!(ID));
    let refused = tax.post("/v1/messages", &reply).await;
    assert_eq!((refused.status, refused.problem()), (404, "unknown-question"));
    for path in [format!("/v1/messages/{ID}"), "/v1/messages/x".to_owned(), "/v1/messages/%FF".to_owned()] {
        let refused = tax.get(&path).await;
        assert_eq!((refused.status, refused.problem()), (404, "unknown-message"), "{path}");
    }
    let refused = tax.get("/v2/messages").await;
    assert_eq!((refused.status, refused.problem()), (404, "no-such-route"));
    let refused = tax.call(tax.request("DELETE", "/v1/messages")).await;
    assert_eq!((refused.status, refused.problem()), (405, "method-not-allowed"));
}

#[tokio::test]
async fn what_a_server_refuses_has_its_status_and_the_id_is_free_again() {
    let (_network, relay, tax) = running().await;
    let message = with(note("police", "x"), "id", json!(ID));
    for (reason, status, problem) in [
        (RejectReason::PolicyRefused, 403, "policy-refused"),
        (RejectReason::RecipientInactive, 403, "recipient-inactive"),
        (RejectReason::BadSignature, 403, "refused"),
        (RejectReason::UnknownRecipient, 404, "unknown-recipient"),
        (RejectReason::TooLarge, 413, "too-large"),
        (RejectReason::RateLimited, 429, "rate-limited"),
        (RejectReason::MailboxFull, 429, "mailbox-full"),
        (RejectReason::Unavailable, 503, "unavailable"),
    ] {
        relay.refuse_next(&[reason]);
        let refused = tax.post("/v1/messages", &message).await;
        assert_eq!((refused.status, refused.problem()), (status, problem));
        assert_eq!(refused.body["reason"], reason.as_str());
        assert_eq!(refused.retry_after.is_some(), matches!(status, 429 | 503), "{problem}");
    }
    assert_eq!(tax.post("/v1/messages", &message).await.status, 202);
}

#[tokio::test]
async fn a_caller_that_does_not_send_its_body_holds_no_connection() {
    let (_network, _relay, tax) = running().await;
    let mut stream = tokio::net::TcpStream::connect(tax.address).await.unwrap();
    stream.write_all(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let mut told = Vec::new();
    within("the end", stream.read_to_end(&mut told)).await.unwrap();
    assert!(told.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&told));
}

#[tokio::test]
async fn what_is_too_large_is_413() {
    let (_network, relay, tax) = running().await;
    for length in [(1 << 20) - 100, 3 << 20] {
        let refused = tax.post("/v1/messages", &note("police", &"x".repeat(length))).await;
        assert_eq!((refused.status, refused.problem()), (413, "too-large"), "{length}");
    }
    let large = tax.post("/v1/messages", &note("police", &"x".repeat((1 << 20) - 400))).await;
    assert_eq!(large.status, 202);
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn a_full_outbox_is_429_with_a_hint() {
    let (network, relay) = network();
    let mut config = config(&network, "tax");
    config.agent.limits = Limits { outbox_messages: 1, ..Limits::default() };
    let tax = start(config, &relay).await;
    assert_eq!(tax.post("/v1/messages", &note("police", "one")).await.status, 202);
    let refused = tax.post("/v1/messages", &note("police", "two")).await;
    assert_eq!((refused.status, refused.problem()), (429, "outbox-full"));
    assert_eq!(refused.retry_after.as_deref(), Some("1"));
}

#[tokio::test]
async fn without_a_server_nothing_is_sent_and_the_caller_hears_503() {
    let (_network, relay, tax) = running().await;
    relay.go_down();
    until_true("no link", || !tax.agent.is_connected()).await;
    let message = with(note("police", "later"), "id", json!(ID));
    let refused = tax.post("/v1/messages", &message).await;
    assert_eq!((refused.status, refused.problem()), (503, "unavailable"));
    assert!(refused.retry_after.is_some());
    relay.come_up();
    let link = async {
        while !tax.agent.is_connected() {
            tokio::time::sleep(Duration::from_millis(2)).await
        }
    };
    within("a link", link).await;
    assert!(relay.published(Kind::QUESTION).is_empty(), "what was taken back stays back");
    assert_eq!(tax.post("/v1/messages", &message).await.status, 202);
}

#[tokio::test]
async fn without_a_confirm_the_caller_hears_504_and_may_ask_again() {
    let (_network, relay, tax) = running().await;
    relay.hold_confirms(true);
    let message = with(note("police", "unknown"), "id", json!(ID));
    let unknown = tax.post("/v1/messages", &message).await;
    assert_eq!((unknown.status, unknown.problem()), (504, "unknown"));
    assert_eq!(tax.status(ID).await, "pending");
    relay.hold_confirms(false);
    assert_eq!(tax.post("/v1/messages", &message).await.status, 202);
    assert_eq!(relay.published(Kind::QUESTION).len(), 1);
}

#[tokio::test]
async fn what_a_slow_server_never_read_is_taken_back() {
    let (network, relay) = network();
    relay.set_credit(1);
    let tax = start(config(&network, "tax"), &relay).await;
    relay.hold_confirms(true);
    let first = tax.post("/v1/messages", &note("police", "uses up the credit")).await;
    assert_eq!(first.status, 504);
    let second = tax.post("/v1/messages", &with(note("police", "never sent"), "id", json!(ID))).await;
    assert_eq!((second.status, second.problem()), (503, "unavailable"));
    relay.hold_confirms(false);
    assert_eq!(tax.post("/v1/messages", &with(note("police", "sent now"), "id", json!(ID))).await.status, 202);
    assert_eq!(relay.published(Kind::QUESTION).len(), 2);
}

#[tokio::test]
async fn without_a_directory_the_caller_hears_503() {
    let (network, relay) = network();
    relay.go_down();
    let tax = launch(config(&network, "tax"), &relay).await;
    let refused = tax.post("/v1/messages", &note("police", "x")).await;
    assert_eq!((refused.status, refused.problem()), (503, "not-ready"));
    assert_eq!(refused.body["reason"], "no-directory");
    let refused = tax.get("/v1/participants").await;
    assert_eq!((refused.status, refused.problem()), (503, "not-ready"));
    let not_ready = tax.get("/readyz").await;
    assert_eq!((not_ready.status, not_ready.problem()), (503, "not-ready"));
    assert_eq!(not_ready.body["reasons"].as_array().unwrap().len(), 2);
    assert_eq!(tax.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_token_is_demanded_of_callers_and_not_of_probes() {
    let (network, relay) = network();
    let mut config = config(&network, "tax");
    config.token = BearerToken::from_file(b"a-token-of-the-test\n");
    let tax = start(config, &relay).await;
    for path in ["/v1/participants", "/metrics", "/nowhere"] {
        let refused = tax.get(path).await;
        assert_eq!((refused.status, refused.problem()), (401, "unauthorized"), "{path}");
        let wrong = tax.call(tax.request("GET", path).bearer_auth("another-token-here")).await;
        assert_eq!(wrong.status, 401, "{path}");
    }
    let listed = tax.call(tax.request("GET", "/v1/participants").bearer_auth("a-token-of-the-test")).await;
    assert_eq!(listed.status, 200);
    assert_eq!((tax.get("/livez").await.status, tax.get("/readyz").await.status), (200, 200));
}

#[tokio::test]
async fn an_address_that_is_not_loopback_demands_a_token() {
    let (network, relay) = network();
    let mut config = config(&network, "tax");
    config.listen = "0.0.0.0:0".parse().unwrap();
    let refused = Service::bind_with(config, relay.dialer(), vec![None]).await;
    assert!(matches!(refused, Err(ServiceError::TokenNeeded(_))));
}

#[tokio::test]
async fn a_web_page_has_no_business_here() {
    let (_network, relay, tax) = running().await;
    let request = tax.request("POST", "/v1/messages").header("origin", "https://evil.example");
    let refused = tax.call(request.json(&note("police", "x"))).await;
    assert_eq!((refused.status, refused.problem()), (403, "browser-origin"));
    assert!(relay.published(Kind::QUESTION).is_empty());
}

#[tokio::test]
async fn a_question_that_came_in_is_answered_by_its_id() {
    let (network, relay) = network();
    let bot = crate::chatbot::Chatbot::saying(&[]).await;
    let mut settings = config(&network, "police");
    settings.webhook = Some(crate::service::webhook(&bot.url()));
    let police = start(settings, &relay).await;
    let tax = start(config(&network, "tax"), &relay).await;
    let asking = tokio::spawn({
        let request = tax.request("POST", "/v1/questions?timeout=10").json(&with(note("police", "?"), "id", json!(ID)));
        async move { request.send().await.unwrap().json::<Value>().await.unwrap() }
    });
    until_true("the webhook was told", || bot.calls().len() == 1).await;
    let answer = with(note("tax", "by hand"), "inReplyTo", json!(ID));
    let sent = police.post("/v1/messages", &answer).await;
    assert_eq!(sent.status, 202, "{sent:?}");
    let answered = within("the answer", asking).await.unwrap();
    assert_eq!((&answered["payload"]["text"], &answered["inReplyTo"]), (&json!("by hand"), &json!(ID)));
}

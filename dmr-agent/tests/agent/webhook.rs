//! The webhook's rules, over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dmr_agent::MessageStatus;
use dmr_core::header::Kind;
use dmr_core::reason::FailureReason;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::chatbot::{Chatbot, Say};
use crate::network::{Network, next};
use crate::relay::{Relay, dead};
use crate::service::{Running, config, note, start, webhook};
use crate::wait::{until, until_true};

struct Scene {
    network: Network,
    relay: Relay,
    bot: Chatbot,
    tax: Running,
    _police: Running,
}

async fn scene(says: &[Say]) -> Scene {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let bot = Chatbot::saying(says).await;
    let mut settings = config(&network, "police");
    settings.webhook = Some(webhook(&bot.url()));
    let police = start(settings, &relay).await;
    let tax = start(config(&network, "tax"), &relay).await;
    Scene { network, relay, bot, tax, _police: police }
}

impl Scene {
    /// Sends a question and waits for its end.
    async fn end_of_a_question(&self) -> MessageStatus {
        let sent = self.tax.post("/v1/messages", &note("police", "well?")).await;
        assert_eq!(sent.status, 202, "{sent:?}");
        let id = sent.body["id"].as_str().unwrap().parse().unwrap();
        until("an end", || self.tax.agent.message(id).filter(MessageStatus::is_final)).await
    }
}

const REFUSED: MessageStatus = MessageStatus::Failed { reason: FailureReason::Refused, signed: true };
const UNDELIVERABLE: MessageStatus = MessageStatus::Failed { reason: FailureReason::Undeliverable, signed: true };

#[tokio::test]
async fn the_service_is_told_what_the_sender_wrote_and_its_payload_is_the_answer() {
    let scene = scene(&[Say::Json(200, r#"{"payload": {"n": 2.50}, "other": 1}"#)]).await;
    let asked = scene.tax.post("/v1/questions?timeout=10", &note("police", "well?")).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    assert!(asked.text.contains(r#""payload":{"n": 2.50}"#), "{}", asked.text);
    let calls = scene.bot.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].key, asked.body["inReplyTo"]);
    assert_eq!(
        calls[0].body,
        json!({
            "id": asked.body["inReplyTo"],
            "senderId": scene.network.id("tax"),
            "recipientId": scene.network.id("police"),
            "timestamp": "2026-01-31T12:00:00.5Z",
            "type": "Note",
            "payload": {"text": "well?"},
        })
    );
    assert!(calls[0].raw.ends_with(br#""payload":{"text":"well?"}}"#));
}

#[tokio::test]
async fn a_2xx_without_a_payload_settles_a_question_without_an_answer() {
    for say in
        [Say::Status(200), Say::Status(204), Say::Json(200, "{}"), Say::Json(201, "not json"), Say::Bytes(2 << 20)]
    {
        let scene = scene(std::slice::from_ref(&say)).await;
        assert_eq!(scene.end_of_a_question().await, MessageStatus::Delivered, "{say:?}");
        assert_eq!(scene.bot.calls().len(), 1);
        assert!(scene.relay.published(Kind::ANSWER).is_empty());
    }
}

#[tokio::test]
async fn a_4xx_is_a_final_refusal_told_in_a_signed_receipt() {
    for status in [400, 401, 404, 409, 422] {
        let scene = scene(&[Say::Status(status)]).await;
        assert_eq!(scene.end_of_a_question().await, REFUSED, "{status}");
        assert_eq!(scene.bot.calls().len(), 1, "{status}");
        until_true("dead-lettered", || scene.relay.settled().contains(&dead(FailureReason::Refused))).await;
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_under_the_same_key() {
    for say in [Say::Status(408), Say::Status(429), Say::Status(500), Say::Status(503)] {
        let scene = scene(&[say.clone(), say.clone()]).await;
        assert_eq!(scene.end_of_a_question().await, MessageStatus::Delivered, "{say:?}");
        let calls = scene.bot.calls();
        assert_eq!(calls.len(), 3, "{say:?}");
        assert!(calls.iter().all(|call| call.key == calls[0].key && call.raw == calls[0].raw));
    }
}

#[tokio::test]
async fn after_three_failures_the_message_is_refused_told_and_dead_lettered() {
    let scene = scene(&[Say::Status(500), Say::Status(502), Say::Status(503), Say::Status(204)]).await;
    assert_eq!(scene.end_of_a_question().await, UNDELIVERABLE);
    assert_eq!(scene.bot.calls().len(), 3);
    until_true("dead-lettered", || scene.relay.settled().contains(&dead(FailureReason::Undeliverable))).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Chatbot::saying(&[]).await;
    let redirect = Say::Redirect(elsewhere.url());
    let scene = scene(&[redirect.clone(), redirect.clone(), redirect]).await;
    assert_eq!(scene.end_of_a_question().await, UNDELIVERABLE);
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn a_service_that_says_nothing_is_given_up_after_the_timeout() {
    let scene = scene(&[Say::Silence]).await;
    assert_eq!(scene.end_of_a_question().await, MessageStatus::Delivered);
    assert_eq!(scene.bot.calls().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_tried_three_times() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let mut settings = config(&network, "police");
    settings.webhook = Some(webhook("http://127.0.0.1:1/nobody"));
    let _police = start(settings, &relay).await;
    let tax = network.agent("tax", &relay).await;
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"Note","payload":1}"#;
    let message = dmr_agent::OutgoingMessage::event(network.id("police"), dmr_agent::MESSAGE_TYPE, body);
    let sent = tax.send(message).await.unwrap();
    until_true("undeliverable", || tax.message(sent.message.id) == Some(UNDELIVERABLE)).await;
}

#[tokio::test]
async fn answers_and_events_elicit_no_answers() {
    let answer = Say::Json(200, r#"{"payload": "an answer"}"#);
    let scene = scene(&[answer.clone(), answer]).await;
    let to = scene.network.id("police");
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"Note","payload":1}"#;
    let event = dmr_agent::OutgoingMessage::event(to, dmr_agent::MESSAGE_TYPE, body);
    let sent = scene.tax.agent.send(event).await.unwrap().message.id;
    until_true("delivered", || scene.tax.agent.message(sent) == Some(MessageStatus::Delivered)).await;
    // An answer to a question of another life of the police's agent: unsolicited, and the webhook's all the same.
    let question = dmr_core::content::Reference {
        id: dmr_core::id::MessageId::from_custom_bytes([6; 16]),
        digest: dmr_core::id::Digest([6; 32]),
    };
    let reply = dmr_agent::OutgoingMessage::answer(to, question, dmr_agent::MESSAGE_TYPE, body);
    let sent = scene.tax.agent.send(reply).await.unwrap().message.id;
    until_true("delivered", || scene.tax.agent.message(sent) == Some(MessageStatus::Delivered)).await;
    let calls = scene.bot.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[1].body["inReplyTo"], question.id.to_string());
    assert!(scene.relay.published(Kind::ANSWER).len() == 1, "only the one that tax sent");
}

#[tokio::test]
async fn a_message_that_no_agent_program_wrote_is_refused_as_malformed() {
    let scene = scene(&[]).await;
    let text = dmr_agent::OutgoingMessage::event(scene.network.id("police"), "text/plain", "hello");
    let sent = scene.tax.agent.send(text).await.unwrap().message.id;
    let malformed = MessageStatus::Failed { reason: FailureReason::Malformed, signed: true };
    until_true("refused", || scene.tax.agent.message(sent) == Some(malformed)).await;
    assert!(scene.bot.calls().is_empty());
}

#[tokio::test]
async fn answers_to_messages_go_to_the_webhook_and_are_readable_too() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let bot = Chatbot::saying(&[]).await;
    let mut settings = config(&network, "tax");
    settings.webhook = Some(webhook(&bot.url()));
    let tax = start(settings, &relay).await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let sent = tax.post("/v1/messages", &note("police", "write to me")).await;
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"Note","payload":"done"}"#;
    let answer = dmr_agent::Answer::new(dmr_agent::MESSAGE_TYPE, body);
    next(&mut inbox).await.answer(answer).await.unwrap();
    until_true("the webhook was told", || bot.calls().len() == 1).await;
    assert_eq!(bot.calls()[0].body["inReplyTo"], sent.body["id"]);
    let path = format!("/v1/messages/{}", sent.body["id"].as_str().unwrap());
    let readable = async {
        while tax.get(&path).await.body["answer"]["payload"] != "done" {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    crate::wait::within("readable", readable).await;
}

#[tokio::test]
async fn a_late_answer_is_readable_although_the_webhook_refuses_it() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let bot = Chatbot::saying(&[Say::Status(404)]).await;
    let mut settings = config(&network, "tax");
    settings.webhook = Some(webhook(&bot.url()));
    let tax = start(settings, &relay).await;
    let (_police, mut inbox) = network.receiver("police", &relay).await;
    let asked = tax.post("/v1/questions?timeout=0", &note("police", "in time?")).await;
    assert_eq!((asked.status, asked.problem()), (504, "no-answer-yet"));
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"Note","payload":"late"}"#;
    next(&mut inbox).await.answer(dmr_agent::Answer::new(dmr_agent::MESSAGE_TYPE, body)).await.unwrap();
    until_true("the webhook was told", || bot.calls().len() == 1).await;
    let late = tax.get(&format!("/v1/messages/{}", asked.body["id"].as_str().unwrap())).await;
    assert_eq!((&late.body["status"], &late.body["answer"]["payload"]), (&json!("answered"), &json!("late")));
}

#[tokio::test]
async fn a_body_that_breaks_off_matters_only_where_it_may_be_the_answer() {
    let (address, calls) = never_finishing().await;
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let mut settings = config(&network, "police");
    settings.webhook = Some(webhook(&format!("http://{address}/hook")));
    let _police = start(settings, &relay).await;
    let tax = network.agent("tax", &relay).await;
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","type":"Note","payload":1}"#;
    let event = dmr_agent::OutgoingMessage::event(network.id("police"), dmr_agent::MESSAGE_TYPE, body);
    let told = tax.send(event).await.unwrap().message.id;
    until_true("taken", || tax.message(told) == Some(MessageStatus::Delivered)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // The timeout covers the body: three calls of half a second each.
    let question = dmr_agent::OutgoingMessage::question(network.id("police"), dmr_agent::MESSAGE_TYPE, body);
    let asked = tax.send(question).await.unwrap().message.id;
    until_true("given up", || tax.message(asked) == Some(UNDELIVERABLE)).await;
    assert_eq!(calls.load(Ordering::Relaxed), 4);
}

/// A service that says 200, and then never finishes the body it announced.
async fn never_finishing() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&calls);
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let mut request = [0; 1_024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"payload\":").await.unwrap();
            open.push(stream);
        }
    });
    (address, calls)
}

#[tokio::test]
async fn without_a_webhook_nothing_unsolicited_is_acknowledged() {
    let network = Network::of(&["tax", "police"]);
    let relay = Relay::new(network.directory());
    let police = start(config(&network, "police"), &relay).await;
    let tax = start(config(&network, "tax"), &relay).await;
    let sent = tax.post("/v1/messages", &note("police", "anyone?")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(tax.status(sent.body["id"].as_str().unwrap()).await, "accepted");
    assert!(relay.settled_by(police.agent.participant()).is_empty());
    assert_eq!(relay.held().await, 1);
}

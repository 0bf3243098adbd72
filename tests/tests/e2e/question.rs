//! The main job: a question crosses from one institution to another, and its answer comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dmr_core::envelope::Envelope;
use dmr_core::frame::ServerFrame;
use dmr_core::header::Kind;
use dmr_tests::agent::{AgentPlan, chat_message, said};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::proxy::{Proxy, Seen};
use dmr_tests::server::ServerPlan;
use serde_json::json;

use crate::pair::{POLICE, Pair, TAX, answer_saying, echoes, takes};

#[tokio::test]
async fn a_question_is_answered_by_the_other_institutions_webhook() -> Outcome {
    let pair = Pair::start(echoes).await?;
    let answer = pair.tax.ask(POLICE, "Is the car with the plate 123 ABC stolen?", 30).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(said(&answer["payload"]), "You said: Is the car with the plate 123 ABC stolen?");
    assert_eq!(answer["senderId"].as_str(), Some(pair.network.id(POLICE)?.as_str()));

    let calls = pair.chatbot.calls();
    assert_eq!(calls.len(), 1);
    let call = calls.first().doing("the call")?;
    let sent = chat_message(POLICE, "Is the car with the plate 123 ABC stolen?");
    assert_eq!(call.body["payload"], sent["payload"]);
    assert_eq!(call.body["timestamp"], sent["timestamp"], "it reappears as it was written");
    assert_eq!(call.body["type"], "ChatMessage");
    assert_eq!(call.body["senderId"].as_str(), Some(pair.network.id(TAX)?.as_str()));
    assert_eq!(call.body["recipientId"].as_str(), Some(pair.network.id(POLICE)?.as_str()));
    assert_eq!(call.body["id"].as_str(), Some(call.key.as_str()), "the id is the idempotency key");
    assert_eq!(call.body.get("inReplyTo"), None, "a question answers nothing");
    assert_eq!(answer["inReplyTo"].as_str(), Some(call.key.as_str()));

    let question = pair.tax.api.message(&call.key, "answered").await?;
    assert_eq!(question["id"].as_str(), Some(call.key.as_str()));
    Ok(())
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_told_what_is_for_the_service() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let (chatbot, proxy) = (Chatbot::start(echoes).await?, Chatbot::start(takes).await?);
    let mut police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        police = police.env(variable, &proxy.url());
    }
    let _police = police.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    let answer = tax.ask(POLICE, "Who hears this?", 30).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!((chatbot.calls().len(), proxy.calls().len()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn a_message_without_an_answer_ends_with_a_signed_receipt() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    let wire = Proxy::start(server.address()).await?;
    let tax = AgentPlan::new(&network, TAX, format!("ws://{}", wire.address()))?.start(&network).await?;

    let id = tax.send_well(POLICE, "For your records.").await?;
    tax.api.message(&id, "delivered").await?;
    assert_eq!(chatbot.effects().keys().collect::<Vec<_>>(), [&id]);
    let received = wire.sightings().into_iter().filter_map(|sighting| match sighting.frame {
        Seen::Server(ServerFrame::Deliver { envelope, .. }) => Envelope::decode(envelope).ok(),
        _ => None,
    });
    let received: Vec<_> = received.map(|envelope| envelope.header().clone()).collect();
    assert_eq!(received.iter().map(|header| header.kind).collect::<Vec<_>>(), [Kind::RECEIPT]);
    assert_eq!(received[0].sender.to_string(), network.id(POLICE)?);
    Ok(())
}

#[tokio::test]
async fn the_same_id_and_body_is_sent_once_and_another_body_is_a_conflict() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut message = chat_message(POLICE, "Once, please.");
    message["id"] = json!("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f");
    let first = pair.tax.api.post("/v1/messages", &message).await?;
    assert_eq!((first.status, first.json()["status"].as_str()), (202, Some("accepted")), "{}", first.text);

    // The same JSON, its members in another order and with white space.
    let text = format!(
        r#"{{ "type": {}, "timestamp": {}, "recipientId": {}, "payload": {}, "id": {} }}"#,
        message["type"], message["timestamp"], message["recipientId"], message["payload"], message["id"]
    );
    let again = pair.tax.api.post_bytes("/v1/messages", text.into_bytes()).await?;
    assert_eq!((again.status, again.json()), (202, first.json()), "{}", again.text);

    message["payload"]["messages"][0]["content"] = json!("Something else.");
    let other = pair.tax.api.post("/v1/messages", &message).await?;
    assert_eq!(other.status, 409, "{}", other.text);

    pair.tax.api.message("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f", "delivered").await?;
    assert_eq!(pair.chatbot.calls().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_late_answer_can_be_read_at_its_question() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    let asked = tax.ask(POLICE, "Anybody there?", 1).await?;
    assert_eq!(asked.status, 504, "{}", asked.text);
    assert!(asked.content_type.starts_with("application/problem+json"), "{}", asked.content_type);

    let chatbot = Chatbot::start(echoes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    until("the chatbot is asked", async || Ok(!chatbot.calls().is_empty())).await?;
    let id = chatbot.calls().first().map(|call| call.key.clone()).doing("the call")?;
    let question = tax.api.message(&id, "answered").await?;
    assert_eq!(said(&question["answer"]["payload"]), "You said: Anybody there?", "{question}");
    Ok(())
}

#[tokio::test]
async fn a_service_can_answer_later_by_itself() -> Outcome {
    let pair = Pair::start(takes).await?;
    let id = pair.tax.send_well(POLICE, "Take your time.").await?;
    pair.tax.api.message(&id, "delivered").await?;

    let mut answer = chat_message(TAX, "");
    answer["payload"] = answer_saying("It took its time.");
    answer["inReplyTo"] = json!(id);
    let posted = pair.police.api.post("/v1/messages", &answer).await?;
    assert_eq!(posted.status, 202, "{}", posted.text);
    let question = pair.tax.api.message(&id, "answered").await?;
    assert_eq!(said(&question["answer"]["payload"]), "It took its time.", "{question}");
    Ok(())
}

#[tokio::test]
async fn an_answer_to_no_question_of_its_recipient_is_not_taken() -> Outcome {
    let pair = Pair::start(takes).await?;
    let mut answer = chat_message(TAX, "");
    answer["payload"] = answer_saying("Nobody asked.");
    answer["inReplyTo"] = json!("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f");
    let posted = pair.police.api.post("/v1/messages", &answer).await?;
    assert!((400..500).contains(&posted.status), "{} {}", posted.status, posted.text);
    Ok(())
}

#[tokio::test]
async fn a_final_refusal_by_the_service_is_told_to_the_sender() -> Outcome {
    let pair = Pair::start(|_| Reply::Status(422)).await?;
    let id = pair.tax.send_well(POLICE, "You will not like this.").await?;
    let status = pair.tax.api.message(&id, "failed").await?;
    assert_eq!((&status["reason"], &status["signed"]), (&json!("refused"), &json!(true)), "{status}");
    assert_eq!(pair.chatbot.calls().len(), 1, "a refusal is final");
    Ok(())
}

#[tokio::test]
async fn a_service_that_is_down_is_tried_three_times_and_the_sender_is_told() -> Outcome {
    let pair = Pair::start(|_| Reply::Status(503)).await?;
    let id = pair.tax.send_well(POLICE, "Are you open?").await?;
    let status = pair.tax.api.message(&id, "failed").await?;
    assert_eq!(status["reason"], "undeliverable", "{status}");
    assert_eq!(pair.chatbot.calls().len(), 3);
    until("the server counts a dead letter", async || {
        Ok(pair.server.admin.metric("dmr_messages_dead_lettered_total", &[]).await?.unwrap_or_default() >= 1.0)
    })
    .await
}

#[tokio::test]
async fn a_service_that_does_not_answer_or_sends_elsewhere_counts_as_down() -> Outcome {
    for reply in [Reply::Silence, Reply::Status(302)] {
        let network = Network::new("demo", &[TAX, POLICE])?;
        let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
        let chatbot = Chatbot::start(move |_| reply.clone()).await?;
        let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
        let police = police.with("--deliver-timeout", "500ms").with("--deliver-attempts", "2");
        let _police = police.start(&network).await?;
        let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
        let id = tax.send_well(POLICE, "Hello?").await?;
        let status = tax.api.message(&id, "failed").await?;
        assert_eq!(status["reason"], "undeliverable", "{status}");
        assert_eq!(chatbot.calls().len(), 2);
    }
    Ok(())
}

#[tokio::test]
async fn a_service_that_recovers_is_given_the_message_again_under_the_same_key() -> Outcome {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let pair = Pair::start(move |_| match counter.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Status(500),
        1 => Reply::Status(429),
        _ => Reply::Taken,
    })
    .await?;
    let id = pair.tax.send_well(POLICE, "Third time lucky.").await?;
    pair.tax.api.message(&id, "delivered").await?;
    let keys: Vec<_> = pair.chatbot.calls().into_iter().map(|call| call.key).collect();
    assert_eq!(keys, [id.clone(), id.clone(), id]);
    Ok(())
}

#[tokio::test]
async fn without_a_webhook_nothing_unsolicited_is_acknowledged() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    let deaf = AgentPlan::new(&network, POLICE, server.url())?.start(&network).await?;
    let id = tax.send_well(POLICE, "Nobody listens yet.").await?;
    deaf.api.ready().await?;
    assert_eq!(tax.api.message(&id, "accepted").await?["status"], "accepted");
    drop(deaf);

    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    tax.api.message(&id, "delivered").await?;
    assert_eq!(chatbot.effects().keys().collect::<Vec<_>>(), [&id]);
    Ok(())
}

#[tokio::test]
async fn a_question_can_go_to_a_participant_by_its_id() -> Outcome {
    let pair = Pair::start(echoes).await?;
    let answer = pair.tax.ask(&pair.network.id(POLICE)?, "By id.", 30).await?;
    assert_eq!(said(&answer.json()["payload"]), "You said: By id.", "{}", answer.text);
    Ok(())
}

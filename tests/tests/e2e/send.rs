//! `dmr-agent send`: one message from a shell, and its fate.

use std::time::Duration;

use dmr_tests::agent::{AgentPlan, chat_message, said};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::sender::{Sender, Sent};
use dmr_tests::server::ServerPlan;
use serde_json::{Value, json};

use crate::pair::{POLICE, Pair, TAX, echoes, takes};

const TEXT: &str = "Is report 2026-00417 still open?";

/// A message as it is written for `send`: without a recipient.
fn message() -> Value {
    let mut message = chat_message(POLICE, TEXT);
    message.as_object_mut().map(|members| members.remove("recipientId"));
    message
}

fn sender(pair: &Pair, to: &str) -> Sender {
    Sender::new(&pair.network, TAX, pair.server.url(), to)
}

/// The exit code and the status, and one line on the standard output where there was a fate.
fn assert_fate(sent: &Sent, code: i32, status: &str) {
    assert_eq!((sent.code, sent.fate["status"].as_str()), (Some(code), Some(status)), "{}{}", sent.fate, sent.stderr);
    assert!(!sent.stderr.contains(TEXT) && !sent.stderr.contains("panicked"), "{}", sent.stderr);
}

#[tokio::test]
async fn an_event_is_delivered_and_progress_is_for_the_one_who_watches() -> Outcome {
    let pair = Pair::start(takes).await?;
    let server = format!("relay-1={}", pair.server.url());
    let event = Sender::new(&pair.network, TAX, &server, POLICE).with("--kind", "event");
    let sent = event.send(message().to_string()).await?;
    assert_fate(&sent, 0, "delivered");
    assert_eq!((&sent.fate["by"], &sent.fate["signed"]), (&json!("recipient"), &json!(true)), "{}", sent.fate);
    assert_eq!(sent.fate["recipientId"], pair.network.id(POLICE)?);
    assert!(sent.fate["acceptedAt"].is_string() && sent.fate["endedAt"].is_string(), "{}", sent.fate);
    for line in [format!("connected to {server}"), format!("accepted by {server}")] {
        assert!(sent.stderr.contains(&line), "{line} is not in: {}", sent.stderr);
    }
    let told = pair.chatbot.effects();
    let id = sent.fate["id"].as_str().doing("the id")?;
    assert_eq!(said(&told.get(id).doing("the message at the service")?["payload"]), TEXT);
    Ok(())
}

#[tokio::test]
async fn a_question_is_answered_and_the_answer_is_in_the_line() -> Outcome {
    // Alone in the mailbox: no other replica may get the answer.
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(echoes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let _police = police.start(&network).await?;
    let sent = Sender::new(&network, TAX, server.url(), POLICE).send(message().to_string()).await?;
    assert_fate(&sent, 0, "answered");
    let answer = &sent.fate["answer"];
    assert_eq!(said(&answer["payload"]), format!("You said: {TEXT}"));
    assert_eq!((&answer["inReplyTo"], &answer["senderId"]), (&sent.fate["id"], &json!(network.id(POLICE)?)));
    Ok(())
}

#[tokio::test]
async fn an_answer_that_comes_later_is_waited_for_where_that_is_asked_for() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url());
    let police = police.start(&network).await?;
    let waits = Sender::new(&network, TAX, server.url(), POLICE).with("--timeout", "50s").flag("--await-answer");
    let mut waiting = waits.launch(&network, &message().to_string())?;
    until("its receipt is there", async || Ok(waiting.log()?.contains("waiting for the answer"))).await?;
    let question = chatbot.effects().into_keys().next().doing("the question at the service")?;
    let mut later = chat_message(TAX, "It is closed.");
    later["inReplyTo"] = json!(question);
    assert_eq!(police.api.post("/v1/messages", &later).await?.status, 202);
    assert_eq!(waiting.wait().await?.code(), Some(0));
    let log = waiting.log()?;
    let fate: Value = log.lines().find_map(|line| serde_json::from_str(line).ok()).doing("the fate")?;
    assert_eq!((&fate["status"], said(&fate["answer"]["payload"])), (&json!("answered"), "It is closed."));
    Ok(())
}

#[tokio::test]
async fn a_refusal_by_the_service_is_a_failure_that_its_agent_signed() -> Outcome {
    let pair = Pair::start(|_| Reply::Status(422)).await?;
    let sent = sender(&pair, POLICE).send(message().to_string()).await?;
    assert_fate(&sent, 3, "failed");
    let expected = (&json!("refused"), &json!("recipient"), &json!(true));
    assert_eq!((&sent.fate["reason"], &sent.fate["by"], &sent.fate["signed"]), expected, "{}", sent.fate);
    Ok(())
}

#[tokio::test]
async fn a_servers_word_is_shown_as_unsigned() -> Outcome {
    let pair = Pair::start(takes).await?;
    pair.join("archive").await?;
    // Nobody takes it, and servers tell of that before agents give a message up.
    let mut short_lived = message();
    short_lived["expiresInSeconds"] = json!(1);
    let sent = sender(&pair, "archive").send(short_lived.to_string()).await?;
    assert_fate(&sent, 4, "failed");
    let expected = (&json!("expired"), &json!("server"), &json!(false), &json!("expired"));
    let fate = &sent.fate;
    assert_eq!((&fate["reason"], &fate["by"], &fate["signed"], &fate["notice"]), expected, "{fate}");

    let mut posted = chat_message("archive", TEXT);
    posted["expiresInSeconds"] = json!(1);
    let posted = pair.tax.api.post("/v1/messages", &posted).await?.json();
    let status = pair.tax.api.message(posted["id"].as_str().doing("the id")?, "failed").await?;
    let expected = (&json!("expired"), &json!(false), &json!("expired"));
    assert_eq!((&status["reason"], &status["signed"], &status["notice"]), expected, "{status}");
    Ok(())
}

#[tokio::test]
async fn a_message_to_nobody_is_not_accepted() -> Outcome {
    let pair = Pair::start(takes).await?;
    for to in ["nobody", "0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f"] {
        let sent = sender(&pair, to).send(message().to_string()).await?;
        assert_fate(&sent, 6, "not-accepted");
        assert_eq!(sent.fate["reason"], "unknown-recipient", "{}", sent.fate);
    }
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_wrong_is_refused_with_64_and_a_word_and_nothing_is_sent() -> Outcome {
    let pair = Pair::start(takes).await?;
    let with = |name: &str, value: Value| {
        let mut message = message();
        message[name] = value;
        message.to_string()
    };
    let wrong = [
        (String::new(), "ends too early"),
        ("{".to_owned(), "ends too early"),
        (format!("{0}{0}", message()), "not JSON"),
        ("x".repeat(2 << 20), "longer than a message may be"),
        (with("timestamp", json!("yesterday")), "/timestamp"),
        (with("payload", json!(1)), "/payload"),
        (with("recipientId", json!(TAX)), "/recipientId"),
        (with("recipientId", json!(pair.network.id(TAX)?)), "/recipientId"),
        (with("inReplyTo", json!("0193a5c8-7e1d-7cc2-8f4e-0a1b2c3d4e5f")), "/inReplyTo"),
        (with("colour", json!("blue")), "/colour"),
    ];
    for (input, mention) in wrong {
        let sent = sender(&pair, POLICE).send(input).await?;
        assert_eq!((sent.code, &sent.fate), (Some(64), &Value::Null), "{mention}: {}", sent.stderr);
        assert!(sent.stderr.contains(mention) && !sent.stderr.contains(TEXT), "{mention} is not in: {}", sent.stderr);
    }
    let event = sender(&pair, POLICE).with("--kind", "event").flag("--await-answer");
    assert_eq!(event.send(message().to_string()).await?.code, Some(64));
    // The name in the message and the id on the command line are the same participant.
    let agreeing = sender(&pair, &pair.network.id(POLICE)?).send(with("recipientId", json!(POLICE))).await?;
    assert_fate(&agreeing, 0, "delivered");
    assert_eq!(pair.chatbot.effects().len(), 1);
    Ok(())
}

#[tokio::test]
async fn without_a_server_nothing_is_accepted_when_the_time_is_over() -> Outcome {
    let network = Network::new("demo", &[TAX])?;
    let nowhere = Sender::new(&network, TAX, "ws://127.0.0.1:9", POLICE).with("--timeout", "1s");
    let sent = nowhere.send(message().to_string()).await?;
    assert_fate(&sent, 6, "not-accepted");
    assert_eq!(sent.fate["reason"], "unavailable", "{}", sent.fate);
    Ok(())
}

#[tokio::test]
async fn what_nobody_has_spoken_of_in_time_is_undecided() -> Outcome {
    let pair = Pair::start(|_| Reply::Silence).await?;
    let sent = sender(&pair, POLICE).with("--timeout", "3s").send(message().to_string()).await?;
    assert_fate(&sent, 5, "accepted");
    assert_eq!((&sent.fate["by"], &sent.fate["signed"]), (&json!("server"), &json!(false)), "{}", sent.fate);
    Ok(())
}

#[tokio::test]
async fn a_question_that_is_taken_has_no_answer_in_time() -> Outcome {
    let pair = Pair::start(takes).await?;
    let waits = sender(&pair, POLICE).with("--timeout", "8s").flag("--await-answer");
    let sent = waits.send(message().to_string()).await?;
    assert_fate(&sent, 5, "delivered");
    assert!(sent.stderr.contains("waiting for the answer"), "{}", sent.stderr);
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_the_wait_and_says_what_is_known() -> Outcome {
    let pair = Pair::start(|_| Reply::Silence).await?;
    let mut waiting = sender(&pair, POLICE).launch(&pair.network, &message().to_string())?;
    until("it is accepted", async || Ok(waiting.log()?.contains("accepted by"))).await?;
    waiting.signal("INT")?;
    assert_eq!(waiting.wait().await?.code(), Some(5));
    assert!(waiting.log()?.contains("\"status\":\"accepted\""), "{}", waiting.last_lines(5));
    Ok(())
}

#[tokio::test]
async fn beside_the_running_agent_receipts_find_their_sender_and_the_agent_keeps_its_own() -> Outcome {
    let pair = Pair::start(takes).await?;
    for _ in 0..5 {
        let sent = sender(&pair, POLICE).with("--timeout", "50s").send(message().to_string()).await?;
        assert_fate(&sent, 0, "delivered");
    }
    // While another one waits for somebody who is away, the agent's own messages are decided as ever.
    pair.join("archive").await?;
    let waiting = sender(&pair, "archive").launch(&pair.network, &message().to_string())?;
    until("it is accepted", async || Ok(waiting.log()?.contains("accepted by"))).await?;
    for number in 0..5 {
        pair.exchange(&format!("Message {number}")).await?;
    }
    assert!(pair.tax.api.ready().await.is_ok(), "it was not superseded");
    Ok(())
}

#[tokio::test]
async fn a_message_from_others_that_comes_while_it_waits_is_left_to_the_agent() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE, "archive"])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.start(&network).await?;
    // Nobody else is there for the Tax Authority, so that the question reaches the one that waits.
    let waits = Sender::new(&network, TAX, server.url(), "archive").with("--timeout", "600s");
    let mut waiting = waits.launch(&network, &message().to_string())?;
    until("it is accepted", async || Ok(waiting.log()?.contains("accepted by"))).await?;
    let id = police.send_well(TAX, TEXT).await?;
    until("it was given back", async || {
        let redelivered = server.admin.metric("dmr_messages_redelivered_total", &[]).await?;
        Ok(redelivered.unwrap_or_default() >= 1.0)
    })
    .await?;
    assert!(!waiting.log()?.contains(TEXT));
    // The agent takes it, beside the one that goes on waiting.
    let chatbot = Chatbot::start(takes).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.deliver_to(chatbot.url()).start(&network).await?;
    police.api.message_within(&id, &["delivered"], Duration::from_secs(55)).await?;
    assert_eq!(chatbot.effects().into_keys().collect::<Vec<_>>(), [id]);
    assert!(waiting.ended()?.is_none());
    drop(tax);
    Ok(())
}

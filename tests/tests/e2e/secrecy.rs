//! Where a plaintext must not be found: the server's memory, the wire, and every log.

use std::fs::File;
use std::io::Read as _;

use dmr_core::envelope::Envelope;
use dmr_core::frame::AgentFrame;
use dmr_tests::agent::{Agent, AgentPlan, said};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::memory::{contains, find};
use dmr_tests::network::Network;
use dmr_tests::process::Process;
use dmr_tests::proxy::{Proxy, Seen};
use dmr_tests::server::ServerPlan;

use crate::pair::{POLICE, TAX, answer_saying};

/// Random characters that are nowhere by chance.
fn canary() -> Outcome<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).doing("random characters")?;
    Ok(bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}

/// Bytes from the middle of the sealed body of the first envelope that went by.
fn ciphertext(wire: &Proxy) -> Outcome<Vec<u8>> {
    let envelope = wire.sightings().into_iter().find_map(|sighting| match sighting.frame {
        Seen::Agent(AgentFrame::Publish { envelope }) => Some(envelope),
        _ => None,
    });
    let envelope = Envelope::decode(envelope.doing("an envelope on the wire")?).doing("an envelope")?;
    Ok(envelope.body().get(64..128).doing("the middle of a body")?.to_vec())
}

fn assert_silent(process: &Process, canary: &str) -> Outcome {
    let log = process.log()?;
    assert!(!log.is_empty(), "the log is where it is looked for");
    assert!(!log.contains(canary), "the canary is in a log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_is_found_in_the_sending_agent_and_nowhere_on_its_way() -> Outcome {
    let (question, answer) = (canary()?, canary()?);
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let (tax_wire, police_wire) = (Proxy::start(server.address()).await?, Proxy::start(server.address()).await?);
    let url = |wire: &Proxy| format!("ws://{}", wire.address());
    let tax = AgentPlan::new(&network, TAX, url(&tax_wire))?.start(&network).await?;

    // The recipient is away: the envelope lies in the server, the asking agent waits.
    let asking = tokio::spawn({
        let (api, message) = (tax.api.clone(), dmr_tests::agent::chat_message(POLICE, &question));
        async move { api.post("/v1/questions?timeout=120", &message).await }
    });
    dmr_tests::patience::until("the question lies in the server", async || {
        Ok(server.admin.metric("dmr_queue_ready_messages", &[]).await?.unwrap_or_default() >= 1.0)
    })
    .await?;
    let sealed = ciphertext(&tax_wire)?;
    assert!(!find(tax.process.id(), question.as_bytes())?.is_empty(), "the scanner finds it in the sending agent");
    assert!(!find(server.process.id(), &sealed)?.is_empty(), "the scanner finds its ciphertext in the server");
    assert_eq!(find(server.process.id(), question.as_bytes())?, [], "while the recipient is away");

    let reply = {
        let answer = answer.clone();
        move |_: &_| Reply::Answer(answer_saying(&answer))
    };
    let chatbot = Chatbot::start(reply).await?;
    let plan = AgentPlan::new(&network, POLICE, url(&police_wire))?.deliver_to(chatbot.url());
    let police: Agent = plan.start(&network).await?;
    let answered = asking.await.doing("the caller")??;
    assert_eq!(said(&answered.json()["payload"]), answer, "{}", answered.text);
    assert_eq!(said(&chatbot.calls().first().doing("the call")?.body["payload"]), question);

    for canary in [&question, &answer] {
        assert_eq!(find(server.process.id(), canary.as_bytes())?, [], "after delivery");
        for wire in [&tax_wire, &police_wire] {
            let bytes = wire.bytes();
            assert!(bytes.len() > 1_000 && !contains(&bytes, canary.as_bytes()), "on the wire");
        }
        assert_silent(&server.process, canary)?;
        assert_silent(&tax.process, canary)?;
        assert_silent(&police.process, canary)?;
    }
    assert!(contains(&tax_wire.bytes(), &sealed), "the proxy does see what goes by");
    Ok(())
}

#[tokio::test]
async fn no_log_holds_a_secret_key() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    tax.send_well(POLICE, "Something to seal.").await?;
    let keys = dmr_tests::network::read_json(&network.keys(TAX))?;
    let (seed, secret) = (&keys["identity"][0]["seed"], &keys["sealing"][0]["secret"]);
    for secret in [seed, secret] {
        let secret = secret.as_str().doing("a secret in the key file")?;
        assert!(secret.len() >= 43, "32 bytes in base64url");
        assert_silent(&tax.process, secret)?;
        assert!(!server.process.log()?.contains(secret));
    }
    Ok(())
}

//! An agent in Python and an agent in Rust, through a real server that dies meanwhile.

#![expect(clippy::indexing_slicing, reason = "indexing a JSON value yields null; it never panics")]

use std::collections::BTreeSet;
use std::path::Path;

use dmr_tests::agent::{AgentPlan, said};
use dmr_tests::bindings::environment::{python, sources};
use dmr_tests::certificate::certificates;
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::failure::{Failure, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::process::Process;
use dmr_tests::server::{Server, ServerPlan};
use serde_json::{Value, json};

const TAX: &str = "tax-authority";
const POLICE: &str = "police";
/// Questions each way.
const QUESTIONS: usize = 40;

/// Starts `office.py` for a participant; what it prints goes to the file of its name.
fn office(
    network: &Network,
    name: &str,
    what: &str,
    more: &[&str],
    env: &[(&str, &str)],
    server: &str,
) -> Outcome<Process> {
    let script = sources().join("tests/python/office.py").to_string_lossy().into_owned();
    let (keys, root) =
        (network.keys(name).to_string_lossy().into_owned(), network.root().to_string_lossy().into_owned());
    let mut args = vec![script.as_str(), what, &keys, &root];
    args.extend(more);
    args.push(server);
    let env: Vec<_> = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Process::start(python()?, &args, &env, &network.path(&format!("{name}-{what}.log")))
}

/// Answers a ChatMessage with one that quotes it.
fn answers(delivery: &Value) -> Reply {
    let mut payload = delivery["payload"].clone();
    payload["messages"][0]["content"] = json!(format!("Rust read: {}", said(&delivery["payload"])));
    Reply::Answer(payload)
}

async fn says(process: &Process, what: &str) -> Outcome {
    let said = until(what, async || Ok(process.log()?.lines().any(|line| line == what))).await;
    said.map_err(|failure| Failure::new(format!("{failure}\n{}", process.last_lines(20))))
}

async fn kill_and_start_again(server: &mut Server, plan: &ServerPlan, network: &Network) -> Outcome {
    server.process.kill()?;
    *server = plan.start(network).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_asks_rust_while_the_server_is_killed_and_every_question_is_answered_once() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?;
    let mut server = plan.start(&network).await?;
    let chatbot = Chatbot::start(answers).await?;
    let _police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url()).start(&network).await?;
    let tax = office(&network, TAX, "ask", &[POLICE, &QUESTIONS.to_string()], &[], &server.url())?;
    says(&tax, &format!("answer {} {POLICE} Rust read: Question {}", QUESTIONS / 4, QUESTIONS / 4)).await?;
    kill_and_start_again(&mut server, &plan, &network).await?;
    says(&tax, "done").await?;
    let log = tax.log()?;
    for number in 0..QUESTIONS {
        let line = format!("answer {number} {POLICE} Rust read: Question {number}");
        assert_eq!(log.lines().filter(|said| *said == line).count(), 1, "{line}\n{log}");
    }
    assert_eq!(chatbot.effects().len(), QUESTIONS, "each question is one effect");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_asks_python_while_the_server_is_killed_and_nothing_is_lost_or_handled_twice() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let plan = ServerPlan::new(&network, "relay-1")?;
    let mut server = plan.start(&network).await?;
    let state = network.text("python-state");
    let mut police = office(&network, POLICE, "answer", &[], &[("DMR_STATE", &state)], &server.url())?;
    says(&police, "ready").await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;
    for number in 0..QUESTIONS {
        if number == QUESTIONS / 2 {
            kill_and_start_again(&mut server, &plan, &network).await?;
        }
        let answer = tax.ask(POLICE, &format!("Question {number}"), 60).await?;
        // While the server is away the caller is told so, and asks again: nothing was sent then.
        let answer = if answer.status == 503 {
            until("the agent is back", async || Ok(tax.api.get("/readyz").await?.status == 200)).await?;
            tax.ask(POLICE, &format!("Question {number}"), 60).await?
        } else {
            answer
        };
        assert_eq!(said(&answer.json()["payload"]), format!("Python read: Question {number}"), "{}", answer.text);
    }
    let log = police.log()?;
    let questions: Vec<&str> = log.lines().filter(|line| line.starts_with("question ")).collect();
    let ids: BTreeSet<&str> = questions.iter().filter_map(|line| line.split(' ').nth(1)).collect();
    assert_eq!((questions.len(), ids.len()), (QUESTIONS, QUESTIONS), "{log}");
    assert!(Path::new(&state).join("directory.jws").exists(), "the directory is kept");

    police.signal("TERM")?;
    assert!(police.wait().await?.success());
    assert!(police.log()?.contains("closing the link: shutdown"), "{}", police.log()?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_logs_in_over_tls_bound_to_the_connection_and_refuses_a_stranger_s_certificate() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let files = certificates(&network)?;
    let plan = ServerPlan::new(&network, "relay-1")?
        .with("--tls-cert", files.certificate.to_string_lossy())
        .with("--tls-key", files.key.to_string_lossy());
    let server = plan.start(&network).await?;
    let url = format!("wss://localhost:{}", server.address().port());
    let ca = files.authority.to_string_lossy().into_owned();

    let stranger = office(&network, TAX, "ask", &[POLICE, "1"], &[], &url)?;
    until("a certificate of nobody's is refused", async || {
        Ok(stranger.log()?.contains("the TLS handshake failed: certificate verify failed"))
    })
    .await?;
    drop(stranger);

    let police = office(&network, POLICE, "answer", &[], &[("DMR_CA", &ca)], &url)?;
    says(&police, "ready").await?;
    let tax = office(&network, TAX, "ask", &[POLICE, "3"], &[("DMR_CA", &ca)], &url)?;
    says(&tax, "done").await?;

    // A server that ends TLS itself refuses a login that is not bound to it, so these were. Nor is a name that is not in
    // the certificate taken for one that is.
    let elsewhere = url.replace("localhost", "ip6-localhost");
    let lost = office(&network, TAX, "ask", &[POLICE, "1"], &[("DMR_CA", &ca)], &elsewhere)?;
    until("another name is refused", async || {
        let log = lost.log()?;
        Ok(log.contains("certificate is not for") || log.contains("no connection to the server"))
    })
    .await?;
    Ok(())
}

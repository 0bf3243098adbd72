//! The operator's commands on a real broker: is it fit, how full is it, what died, and back with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dmr_tests::agent::{AgentPlan, chat_message, said};
use dmr_tests::chatbot::{Chatbot, Reply};
use dmr_tests::drill::turn;
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::patience::{PATIENCE, eventually, until};
use dmr_tests::process::{Ended, run};
use dmr_tests::programs::dmr_server;
use dmr_tests::rabbitmq::NodePlan;
use dmr_tests::server::ServerPlan;
use serde_json::{Value, json};

use crate::cast::PARTICIPANTS;
use crate::stage::{Stage, broker_url, import_policies};

impl Stage {
    /// Runs `dmr-server` with these arguments and the options that name the broker.
    fn operator(&self, args: &[&str]) -> Outcome<Ended> {
        let (broker, management) = (broker_url(&self.node), self.node.management_url());
        let (directory, root) = (self.network.bundle(), self.network.root());
        let mut all = args.to_vec();
        all.extend(["--broker", &broker, "--broker-management", &management]);
        let (directory, root) = (directory.to_string_lossy(), root.to_string_lossy());
        all.extend(["--directory", &directory, "--root", &root, "--network", self.network.name()]);
        run(dmr_server()?, &all)
    }

    /// The dead letters, each as JSON.
    fn letters(&self) -> Outcome<Vec<Value>> {
        lines(&ended_with(0, self.operator(&["dead", "list", "--json"])?))
    }
}

/// Runs `run`, or another command with the same options, to its end.
fn program(command: &str, plan: &ServerPlan) -> Outcome<Ended> {
    let options = plan.args().iter().skip(1).map(String::as_str);
    run(dmr_server()?, &std::iter::once(command).chain(options).collect::<Vec<_>>())
}

/// What the command printed, which must have ended with this code.
#[track_caller]
fn ended_with(code: i32, ended: Ended) -> String {
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    format!("{}{}", ended.stdout, ended.stderr)
}

fn lines(text: &str) -> Outcome<Vec<Value>> {
    text.lines().map(|line| serde_json::from_str(line).doing(line)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_not_set_up_is_refused_and_told_how_to_mend_it() -> Outcome {
    let _turn = turn().await;
    let mut stage = Stage::prepare("operator-check", &NodePlan::default()).await?;
    let silent = ended_with(1, program("check", &stage.plan)?);
    assert!(silent.contains("error:"), "{silent}");
    stage.boot().await?;
    for command in ["check", "run"] {
        let refused = ended_with(1, program(command, &stage.plan)?);
        assert!(refused.contains("rabbitmqctl set_policy") && refused.contains("dmr-mailboxes"), "{refused}");
    }
    let wrong = stage.plan.clone().with("--broker", "amqp://guest:secret@127.0.0.1");
    let wrong = ended_with(64, program("check", &wrong)?);
    assert!(wrong.contains("password"), "{wrong}");

    import_policies(&stage.node).await?;
    let fit = ended_with(0, program("check", &stage.plan)?);
    assert!(fit.contains("ok: network demo"), "{fit}");
    let _server = stage.plan.start(&stage.network).await?;
    ended_with(0, program("check", &stage.plan)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_listed_shown_redriven_and_purged() -> Outcome {
    let _turn = turn().await;
    let [tax_name, police_name] = PARTICIPANTS;
    let stage = Stage::open("operator-dead").await?;
    let server = stage.plan.start(&stage.network).await?;
    let tax = AgentPlan::new(&stage.network, tax_name, server.url())?.start(&stage.network).await?;

    // One expires while its recipient is away; another one waits for it.
    let mut late = chat_message(police_name, "Is anybody there?");
    late["expiresInSeconds"] = json!(2);
    let late = tax.api.post("/v1/messages", &late).await?.well()?.json()["id"].as_str().doing("an id")?.to_owned();
    let noticed = async || {
        let message = tax.api.get(&format!("/v1/messages/{late}")).await?.json();
        Ok((message["notice"] == "expired").then_some(message))
    };
    let expired = eventually("the sender has a notice", PATIENCE, noticed).await?;
    assert_eq!((&expired["status"], &expired["signed"]), (&json!("failed"), &json!(false)), "{expired}");
    let unwanted = tax.send_well(police_name, "This is not for you.").await?;
    let waits = || -> Outcome<bool> {
        let queues = lines(&ended_with(0, stage.operator(&["queues", "--json"])?))?;
        let mailbox = queues.iter().find(|queue| queue["queue"] == police_name).doing("the mailbox")?;
        Ok(mailbox["ready"] == 1 && mailbox["consumers"] == 0 && mailbox["oldestSeconds"].is_u64())
    };
    until("the message waits, as the operator sees", async || waits()).await?;

    // The service refuses it for good. The recipient's signed word overrides the server's notice.
    let willing = Arc::new(AtomicBool::new(false));
    let mood = Arc::clone(&willing);
    let reply = move |_: &Value| if mood.load(Ordering::SeqCst) { Reply::Taken } else { Reply::Status(422) };
    let service = Chatbot::start(reply).await?;
    let plan = AgentPlan::new(&stage.network, police_name, server.url())?.deliver_to(service.url());
    let mut police = plan.start(&stage.network).await?;
    let refused = tax.api.message(&unwanted, "failed").await?;
    assert_eq!(refused["signed"], true, "{refused}");
    until("both are dead letters", async || Ok(stage.letters()?.len() == 2)).await?;
    police.process.kill()?;

    let letters = stage.letters()?;
    let letter = |id: &str| letters.iter().find(|letter| letter["id"] == id).doing("a letter");
    assert_eq!(letter(&late)?["reason"], "expired");
    for id in [&late, &unwanted] {
        assert_eq!((&letter(id)?["sender"], &letter(id)?["mailbox"]), (&json!(tax_name), &json!(police_name)));
        let shown = ended_with(0, stage.operator(&["dead", "show", id])?);
        assert!(shown.contains(id.as_str()) && shown.contains("network     demo"), "{shown}");
        assert!(!shown.contains("Is anybody there"), "{shown}");
    }

    // Its agent has forgotten the verdict by now, and the service has changed its mind.
    let redriven = ended_with(0, stage.operator(&["dead", "redrive", &unwanted])?);
    assert!(redriven.contains("in its mailbox again"), "{redriven}");
    willing.store(true, Ordering::SeqCst);
    let _police = plan.start(&stage.network).await?;
    tax.api.message_within(&unwanted, &["delivered"], Duration::from_secs(30)).await?;
    let effects = service.effects();
    assert_eq!(effects.values().map(|body| said(&body["payload"])).collect::<Vec<_>>(), ["This is not for you."]);

    let stays = ended_with(1, stage.operator(&["dead", "redrive", "--all"])?);
    assert!(stays.contains("it has expired"), "{stays}");
    let asked = ended_with(64, stage.operator(&["dead", "purge"])?);
    assert!(asked.contains("--yes"), "{asked}");
    assert_eq!(stage.letters()?.len(), 1);
    let purged = ended_with(0, stage.operator(&["dead", "purge", "--yes"])?);
    assert!(purged.contains("1 dead letters thrown away"), "{purged}");
    assert!(stage.letters()?.is_empty());
    ended_with(1, stage.operator(&["dead", "show", &late])?);
    Ok(())
}

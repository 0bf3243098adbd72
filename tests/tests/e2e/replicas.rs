//! Several agents of one participant, and several links of one agent.

use std::collections::BTreeSet;

use dmr_tests::agent::AgentPlan;
use dmr_tests::chatbot::Chatbot;
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::network::Network;
use dmr_tests::patience::until;
use dmr_tests::server::ServerPlan;

use crate::pair::{POLICE, TAX, echoes, takes};

#[tokio::test]
async fn an_answer_may_reach_another_replica_which_is_a_timeout_and_never_a_loss() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let police_bot = Chatbot::start(echoes).await?;
    let police = AgentPlan::new(&network, POLICE, server.url())?.deliver_to(police_bot.url());
    let _police = police.start(&network).await?;
    let (first_bot, second_bot) = (Chatbot::start(takes).await?, Chatbot::start(takes).await?);
    let replica = |bot: &Chatbot| Ok(AgentPlan::new(&network, TAX, server.url())?.deliver_to(bot.url()));
    let first = replica(&first_bot)?.start(&network).await?;
    let _second = replica(&second_bot)?.start(&network).await?;

    let (mut here, mut timed_out) = (0, BTreeSet::new());
    // They take turns at the mailbox: a few questions are enough for an answer to go to the other.
    for number in 0..20 {
        let answer = first.ask(POLICE, &format!("Question {number}"), 2).await?;
        match answer.status {
            200 => here += 1,
            504 => drop(timed_out.insert(answer.json()["id"].as_str().doing("the question's id")?.to_owned())),
            status => assert_eq!(status, 200, "{}", answer.text),
        }
        if here > 0 && !timed_out.is_empty() {
            break;
        }
    }
    assert!(here > 0 && !timed_out.is_empty(), "{here} answers came here, {} went elsewhere", timed_out.len());
    until("the others' answers have reached the other replica's service", async || {
        let answers = second_bot.effects().into_values();
        let there: BTreeSet<_> = answers.filter_map(|body| body["inReplyTo"].as_str().map(str::to_owned)).collect();
        Ok(there == timed_out)
    })
    .await
}

#[tokio::test]
async fn the_messages_of_a_replica_that_dies_go_to_the_other() -> Outcome {
    let network = Network::new("demo", &[TAX, POLICE])?;
    let server = ServerPlan::new(&network, "relay-1")?.start(&network).await?;
    let chatbot = Chatbot::start(takes).await?;
    let plan = || Ok(AgentPlan::new(&network, POLICE, server.url())?.deliver_to(chatbot.url()));
    let mut first = plan()?.start(&network).await?;
    let tax = AgentPlan::new(&network, TAX, server.url())?.start(&network).await?;

    first.process.pause().await?;
    let mut ids = BTreeSet::new();
    for number in 0..5 {
        ids.insert(tax.send_well(POLICE, &format!("Message {number}")).await?);
    }
    let _second = plan()?.start(&network).await?;
    first.process.kill()?;
    for id in &ids {
        tax.api.message(id, "delivered").await?;
    }
    assert_eq!(chatbot.effects().into_keys().collect::<BTreeSet<_>>(), ids);
    Ok(())
}

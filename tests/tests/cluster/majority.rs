//! One node of three stops, and then two.

use std::time::Duration;

use dmr_tests::drill::{count, turn};
use dmr_tests::failure::{Failure, Outcome};
use dmr_tests::history::{Event, Fate, History};
use dmr_tests::load::{Load, LoadPlan};
use dmr_tests::network::Network;
use dmr_tests::patience::{PATIENCE, eventually, until};

use crate::cast::{PARTICIPANTS, Party, Posted, SETTLING, lanes};
use crate::stage::{Relay, cluster, nodes};

/// From the return of the nodes to the first message that is accepted.
const RETURN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_without_one_node_goes_on() -> Outcome {
    let _turn = turn().await;
    let messages = count(600, 10_000);
    let mut cluster = cluster().await?;
    let history = History::begin("minority-stopped")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let relay = Relay::start(&network, "relay-1", &nodes(&cluster)?).await?;
    let parties = Party::both(&network, &[&relay], &history).await?;
    let links = relay.links().await?;

    let plan = LoadPlan { per_second: 60, ..LoadPlan::new(messages) };
    let load = Load::start(plan, lanes(&parties), &history);
    load.accepted(messages / 8).await?;
    history.fault("minority stopped");
    cluster.node_mut(2)?.stop().await?;
    load.accepted(history.accepted() + messages / 8).await?;
    load.settle(SETTLING).await?;
    assert!(cluster.node(2)?.id().is_none(), "nobody started the third node meanwhile");
    cluster.mend().await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.attempts, verdict.acknowledged, verdict.failed), (messages, messages, 0), "{verdict}");
    assert_eq!(relay.links().await?, links, "an agent connected again");
    verdict.recovered_within(Duration::from_secs(5))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nothing_is_accepted_and_all_of_it_is_afterwards() -> Outcome {
    let _turn = turn().await;
    let messages = count(900, 10_000);
    let mut cluster = cluster().await?;
    let history = History::begin("majority-stopped")?;
    let network = Network::new("demo", &PARTICIPANTS)?;
    let relay = Relay::start(&network, "relay-1", &nodes(&cluster)?).await?;
    let parties = Party::both(&network, &[&relay], &history).await?;
    let links = relay.links().await?;

    let plan = LoadPlan { per_second: 60, patience: Duration::from_secs(240), ..LoadPlan::new(messages) };
    let load = Load::start(plan, lanes(&parties), &history);
    load.accepted(messages / 4).await?;
    history.fault_begins("majority stopped");
    cluster.kill_majority()?;
    until("the minority serves nobody", async || Ok(cluster.any().is_err())).await?;

    // What had been confirmed before has been answered for once a later one is refused.
    refused(&parties, &history).await?;
    let accepted = history.accepted();
    refused(&parties, &history).await?;
    assert_eq!(history.accepted(), accepted, "accepted without a majority");
    cluster.mend().await?;
    history.fault_ends("majority stopped");
    // The load may have ended while the last node was on its way.
    accepted_now(&parties, &history).await?;
    load.settle(SETTLING).await?;

    let verdict = history.conclude()?;
    assert_eq!((verdict.acknowledged, verdict.refused, verdict.failed), (messages + 1, 0, 0), "{verdict}");
    assert_eq!(relay.links().await?, links, "an agent connected again");
    verdict.recovered_within(RETURN)
}

/// Posts messages until one is accepted, and waits for its receipt.
async fn accepted_now([party, _]: &[Party; 2], history: &History) -> Outcome {
    let id = eventually("a message is accepted", PATIENCE, async || {
        let Posted { id, answer } = party.post(PARTICIPANTS[1], history.entries().len(), 3_600, history).await?;
        if answer.status == 202 {
            history.note(Event::Accepted { id: id.clone() });
            return Ok(Some(id));
        }
        history.note(Event::Unknown { id, why: format!("{} {}", answer.status, answer.text) });
        Ok(None)
    })
    .await?;
    party.agent.api.message_within(&id, &["delivered"], SETTLING).await?;
    history.note(Event::Receipt { id, fate: Fate::Delivered, why: String::new() });
    Ok(())
}

/// Asks both agents to send a message, and sees that they say "not now". Such a message may still arrive later.
async fn refused(parties: &[Party; 2], history: &History) -> Outcome {
    for (party, recipient) in parties.iter().zip(PARTICIPANTS.iter().rev()) {
        let Posted { id, answer } = party.post(recipient, history.entries().len(), 3_600, history).await?;
        let why = format!("{} {}", answer.status, answer.text);
        if !matches!(answer.status, 429 | 503 | 504) {
            return Err(Failure::new(format!("not refused for now: {why}")));
        }
        history.note(Event::Unknown { id, why });
    }
    Ok(())
}

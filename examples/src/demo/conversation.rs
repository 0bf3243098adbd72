//! The question and its answer, as the two institutions see them.

use std::time::Instant;

use dmr_core::header::Kind;
use dmr_tests::failure::{Failure, Outcome};
use dmr_tests::patience::until;
use dmr_tests::proxy::Direction;

use super::passage::Passage;
use super::question::Question;
use super::screen::Screen;
use super::stage::{POLICE, Stage, TAX};
use super::{legs, relay_view};
use crate::police::last_words;

/// Asks the question, shows the answer, and shows what the server saw of both.
///
/// # Errors
/// [`Failure`] when there is no answer, or the server could have read anything.
pub async fn hold(screen: &Screen, stage: &Stage, question: &Question) -> Outcome {
    screen.title("The conversation")?;
    screen.command(format_args!("curl --json @{} http://…/v1/questions", question.shown_file().display()))?;
    let posted = Instant::now();
    let answer = ask(screen, stage, question).await?;
    let answered = Instant::now();
    screen.quote(&format!("{POLICE}'s chatbot answers"), &answer)?;

    // The recipient's receipt for the answer is the last envelope of the exchange.
    until("the receipt went past", async || {
        let passages = Passage::all(stage);
        Ok(Passage::find(&passages, Kind::RECEIPT, POLICE, Direction::ToAgent).is_some())
    })
    .await?;
    let passages = Passage::all(stage);
    relay_view::show(screen, stage, &passages)?;
    relay_view::prove_absent(screen, stage, &[&question.text, &answer], &passages)?;
    legs::show(screen, stage, &passages, posted, answered)
}

/// Asks the question and returns what the answer says.
///
/// # Errors
/// [`Failure`] with the agent's words when there is no answer.
pub async fn ask(screen: &Screen, stage: &Stage, question: &Question) -> Outcome<String> {
    screen.quote(&format!("{TAX} asks {POLICE}"), &question.text)?;
    let answer = stage.tax.agent.api.post("/v1/questions", &question.body).await?;
    let message = answer.json();
    match message.get("payload").and_then(last_words) {
        Some(text) if answer.status == 200 => Ok(text.to_owned()),
        _ => Err(Failure::new(format!("no answer: {} {}", answer.status, answer.text))),
    }
}

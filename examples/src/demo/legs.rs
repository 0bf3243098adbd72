//! How long each leg of the way took, read off the clock of this process.

use std::time::{Duration, Instant};

use dmr_core::header::Kind;
use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::proxy::Direction::{ToAgent, ToServer};

use super::passage::Passage;
use super::screen::Screen;
use super::stage::{POLICE, Stage, TAX};

/// Shows each leg from the post of the question to the answer's arrival.
///
/// # Errors
/// [`Failure`](dmr_tests::failure::Failure) when a leg was not seen.
pub fn show(screen: &Screen, stage: &Stage, passages: &[Passage], posted: Instant, answered: Instant) -> Outcome {
    let at = |kind, office, direction| {
        let passage = Passage::find(passages, kind, office, direction).map(|passage| passage.at);
        passage.doing(format_args!("the {kind} on the link of {office}"))
    };
    let (asked, replied) = stage.last_call().doing("a call of the chatbot")?;
    let legs = [
        ("tax-authority's agent", "takes the question by HTTP, seals and signs it", at(Kind::QUESTION, TAX, ToServer)?),
        ("server", "checks the signature, stores, relays", at(Kind::QUESTION, POLICE, ToAgent)?),
        ("police's agent", "verifies and opens it, calls the webhook", asked),
        ("police's chatbot", "reads it and answers", replied),
        ("police's agent", "seals and signs the answer", at(Kind::ANSWER, POLICE, ToServer)?),
        ("server", "checks the signature, stores, relays", at(Kind::ANSWER, TAX, ToAgent)?),
        ("tax-authority's agent", "verifies and opens it, answers by HTTP", answered),
    ];
    screen.title("The time of each leg")?;
    let mut from = posted;
    for (who, what, until) in legs {
        screen.line(format_args!("{:>9}  {who:<22} {what}", span(until.saturating_duration_since(from))))?;
        from = until;
    }
    screen.line(format_args!("{:>9}  in all", span(answered.saturating_duration_since(posted))))
}

fn span(span: Duration) -> String {
    format!("{:.2} ms", span.as_secs_f64() * 1e3)
}

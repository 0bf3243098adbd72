//! One byte changes on the way: before the server, and after it. Neither gets through, and the next message does.

use dmr_core::reason::RejectReason;
use dmr_tests::failure::{Failure, Outcome};
use dmr_tests::proxy::Direction;

use super::conversation::ask;
use super::question::Question;
use super::screen::Screen;
use super::stage::{POLICE, Stage};

/// Tampers with the question in both places, shows each refusal, and then sends it untouched.
///
/// # Errors
/// [`Failure`] when a spoilt question is accepted or reaches the chatbot, or the untouched one is not answered.
pub async fn show(screen: &Screen, stage: &Stage, question: &Question) -> Outcome {
    screen.title("Somebody on the way to the server flips one bit of the ciphertext")?;
    stage.tax.wire.spoil_next(Direction::ToServer);
    let refusal = stage.tax.agent.api.post("/v1/messages", &question.body).await?;
    let problem = refusal.json();
    let text = |name: &str| problem.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    if refusal.status != 403 || !text("detail").contains(RejectReason::BadSignature.as_str()) {
        return Err(Failure::new(format!("not refused for its signature: {} {}", refusal.status, refusal.text)));
    }
    screen.refused("The server refuses it: the signature does not fit. Nothing is stored.")?;
    screen.field("status", refusal.status)?;
    screen.field("type", text("type"))?;
    screen.field("detail", text("detail"))?;

    screen.title("The server itself, or somebody behind it, flips one bit")?;
    stage.police.wire.spoil_next(Direction::ToAgent);
    let accepted = stage.tax.agent.api.post("/v1/messages", &question.body).await?;
    let id = accepted.json().get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
    if accepted.status != 202 {
        return Err(Failure::new(format!("not accepted: {} {}", accepted.status, accepted.text)));
    }
    let status = stage.tax.agent.api.message(&id, "failed").await?;
    let word = |name: &str| status.get(name).map(ToString::to_string).unwrap_or_default();
    if stage.last_call().is_some() {
        return Err(Failure::new("the chatbot was given a changed message"));
    }
    screen
        .refused(format_args!("{POLICE}'s agent refuses it, its chatbot never hears of it, and the sender is told:"))?;
    screen.field("message", &id)?;
    screen.field("status", word("status"))?;
    screen.field("reason", word("reason"))?;
    screen.field(
        "signed",
        format_args!("{}: the server's word. A receipt is signed only for what its sender signed.", word("signed")),
    )?;

    screen.title("Untouched, the same question gets through")?;
    let answer = ask(screen, stage, question).await?;
    screen.quote(&format!("{POLICE}'s chatbot answers"), &answer)?;
    screen.good("Two changed envelopes were refused, and one untouched question was answered.")
}

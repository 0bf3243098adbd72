//! `dmr-agent send`: one message from the standard input, and its fate to the standard output.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::time::Duration;

use clap::{Args, ValueEnum};
use dmr_core::header::Kind;
use dmr_transport::service::{logging, shutdown, units};
use dmr_transport::websocket::ServerAddress;
use tokio::time::Instant;

use super::Failure;
use super::link_settings::LinkSettings;
use crate::agent::Agent;
use crate::api::{BODY, FieldError, MessageRequest, RecipientName, recipient_name};
use crate::config::AgentConfig;
use crate::errand::{Errand, Step};

/// The options of `send`.
#[derive(Debug, Args)]
#[command(
    after_long_help = "The message has the form of POST /v1/messages: {\"timestamp\", \"type\", \"payload\", \"id\"?, \
                       \"expiresInSeconds\"?}; a \"recipientId\" must agree with --to.\n\n\
                       Exit codes: 0 delivered or answered, signed by the recipient; 3 failed, signed by the recipient; 4 failed, by \
                       a server's unsigned word or because it expired; 5 undecided when the time was over; 6 not accepted, nobody \
                       has it; 64 a setting, a file or the message is wrong; 1 anything else; 130 a second signal.",
    mut_arg("log", |arg| arg.default_value("warn")),
    mut_arg("state", |arg| arg.help(STATE))
)]
pub(crate) struct SendSettings {
    /// Whom it is for: a participant's name or UUID
    #[arg(long, value_name = "NAME", env = "DMR_TO", value_parser = to)]
    to: RecipientName,
    /// What it is
    #[arg(long, value_name = "KIND", env = "DMR_KIND", value_enum, default_value_t)]
    kind: MessageKind,
    /// How long to wait for its fate, connecting included
    #[arg(long, value_name = "TIME", env = "DMR_TIMEOUT", default_value = "30s", value_parser = units::duration)]
    timeout: Duration,
    /// Wait for the answer to a question past its receipt
    #[arg(long, env = "DMR_AWAIT_ANSWER")]
    await_answer: bool,
    #[command(flatten)]
    link: LinkSettings,
}

const STATE: &str = "Directory that `run` keeps the last good directory in: read here, so that an older one is refused, and never written";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum MessageKind {
    /// May be answered
    #[default]
    Question,
    /// Expects no answer
    Event,
}

fn to(text: &str) -> Result<RecipientName, &'static str> {
    recipient_name(text).map_err(|_| "neither a participant's name nor its UUID")
}

/// Sends the message and prints its fate; the exit code for that.
pub(crate) fn run(settings: &SendSettings) -> Result<u8, Failure> {
    if settings.await_answer && settings.kind == MessageKind::Event {
        return Err(Failure::Settings("--await-answer: an event has no answer".to_owned()));
    }
    let mut config = settings.link.config()?;
    // Another process serves the participant, or will: what is not said of this message is for that one.
    config.guest = true;
    logging::start(&settings.link.logs)?;
    let request = read(&settings.to)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(send(settings, config, request))
}

async fn send(settings: &SendSettings, config: AgentConfig, request: MessageRequest) -> Result<u8, Failure> {
    let errand = Errand {
        to: settings.to.clone(),
        request,
        kind: if settings.kind == MessageKind::Question { Kind::QUESTION } else { Kind::EVENT },
        await_answer: settings.await_answer,
        deadline: Instant::now() + settings.timeout,
    };
    // From here on a first signal ends the wait and a second one the process.
    let stop = shutdown::signal()?;
    let servers = config.servers.clone();
    let agent = Agent::connect(config).await?;
    let fate = errand.run(&agent, stop, |step| tell(step, &servers)).await;
    let printed = match fate {
        Ok(fate) => fate.print(io::stdout().lock()).map_err(Failure::Io),
        Err(error) => Err(Failure::Message { error }),
    };
    agent.shutdown().await;
    printed
}

/// The one message on the standard input.
fn read(to: &RecipientName) -> Result<MessageRequest, Failure> {
    let wrong = |pointer: &str, detail: &str| Failure::Message { error: FieldError::new(pointer, detail) };
    let input = io::stdin().lock();
    if input.is_terminal() {
        say("one message as JSON, and then Ctrl-D:");
    }
    let mut body = Vec::new();
    let most = u64::try_from(BODY).unwrap_or(u64::MAX);
    input.take(most.saturating_add(1)).read_to_end(&mut body)?;
    if body.len() > BODY {
        return Err(wrong("", "is longer than a message may be"));
    }
    let request = MessageRequest::parse_for(&body, Some(to)).map_err(|error| Failure::Message { error })?;
    if request.in_reply_to.is_some() {
        return Err(wrong("/inReplyTo", "cannot be answered here: only the agent that was given the question can"));
    }
    let differs = match (&request.recipient, to) {
        (RecipientName::Id(one), RecipientName::Id(other)) => one != other,
        (RecipientName::Name(one), RecipientName::Name(other)) => one != other,
        // The directory tells.
        _ => false,
    };
    if differs {
        return Err(wrong("/recipientId", "names another recipient than --to"));
    }
    Ok(request)
}

fn tell(step: Step, servers: &[ServerAddress]) {
    let server = |place: Option<usize>| {
        place.and_then(|place| servers.get(place)).map_or_else(|| "a server".to_owned(), ToString::to_string)
    };
    say(&match step {
        Step::Ready(place) => format!("connected to {}", server(place)),
        Step::Accepted(place) => format!("accepted by {}", server(place)),
        Step::Delivered => "delivered, as its recipient signed; waiting for the answer".to_owned(),
        Step::Unsigned(reason) => format!("failed, and nobody signed that yet: {reason}"),
        Step::Unreadable => "its answer was written by no agent program, and was refused".to_owned(),
    });
}

/// Progress, for a person.
fn say(line: &str) {
    // Where it cannot be written, nobody watches.
    let _ = writeln!(io::stderr(), "{line}");
}

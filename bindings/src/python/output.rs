//! What an exchange tells, as the events of `dmr.events`.

use dmr_core::exchange::{ExchangeOutput, InHand as Held, IncomingMessage, LoginRefusal, Note};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::envelope::uuids;
use super::error::send_failed;
use super::exchange::InHand;
use super::value::{datetime, made, number, reference, uuid};

/// Levels of Python's `logging`.
const DEBUG: u8 = 10;
const INFO: u8 = 20;
const WARNING: u8 = 30;
const ERROR: u8 = 40;

/// The event of an output; `None` for one that says nothing to Python.
pub(super) fn event(py: Python<'_>, output: ExchangeOutput) -> PyResult<Option<Bound<'_, PyAny>>> {
    let event = match output {
        ExchangeOutput::Connect { server } => tell(py, "Connect", (server,)),
        ExchangeOutput::LoggedIn { server, session, store } => {
            tell(py, "LoggedIn", (server, uuid(py, &session)?, uuid(py, &store)?))
        }
        ExchangeOutput::LoggedOut { reason, retry_in } => {
            tell(py, "LoggedOut", (reason.to_string(), retry_in.as_secs_f64()))
        }
        ExchangeOutput::Published { id, outcome } => {
            let error = outcome.err().map(|error| send_failed(py, &error).into_value(py));
            tell(py, "Published", (uuid(py, &id)?, error))
        }
        ExchangeOutput::Answer { question, message, in_hand } => {
            let (message, in_hand) = handed_over(py, *message, in_hand)?;
            tell(py, "Answer", (uuid(py, &question)?, message, in_hand))
        }
        ExchangeOutput::AskFailed { question, reason } => {
            tell(py, "AskFailed", (uuid(py, &question)?, reason.to_string()))
        }
        ExchangeOutput::AskEnded { question } => tell(py, "AskEnded", (uuid(py, &question)?,)),
        ExchangeOutput::Delivery { message, in_hand } => {
            let (message, in_hand) = handed_over(py, *message, in_hand)?;
            tell(py, "Delivery", (message, in_hand))
        }
        ExchangeOutput::Document { document } => tell(py, "Document", (PyBytes::new(py, &document),)),
        ExchangeOutput::StatusChanged { id } => tell(py, "StatusChanged", (uuid(py, &id)?,)),
        ExchangeOutput::Note(note) => match words(&note) {
            Some((level, text)) => tell(py, "Note", (level, text)),
            None => return Ok(None),
        },
        ExchangeOutput::Stopped => tell(py, "Stopped", ()),
        _ => return Ok(None),
    };
    event.map(Some)
}

fn tell<'py>(py: Python<'py>, class: &str, fields: impl pyo3::call::PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
    made(py, "dmr.events", class, fields)
}

/// The message as Python sees it, and what it is settled by.
fn handed_over<'py>(
    py: Python<'py>,
    message: IncomingMessage,
    held: Held,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, InHand>)> {
    let content = &message.content;
    let names = (
        reference(py, &message.reference)?,
        uuid(py, &message.sender)?,
        uuids(py, &message.recipients)?,
        number(py, "Kind", message.kind.0)?,
        datetime(py, message.created)?,
        datetime(py, message.expires)?,
    );
    let sealed = (
        content.content_type.as_str(),
        PyBytes::new(py, &content.body),
        content.conversation.map(|id| uuid(py, &id)).transpose()?,
        content.sequence,
        content.room.map(|id| uuid(py, &id)).transpose()?,
        content.in_reply_to.map(|question| reference(py, &question)).transpose()?,
    );
    let tuple = made(py, "dmr.events", "incoming", (names, sealed, message.attempt, message.solicited))?;
    Ok((tuple, Bound::new(py, InHand::new(held, message))?))
}

/// The level and the words of a note; `None` for what is only worth counting.
fn words(note: &Note) -> Option<(u8, String)> {
    Some(match note {
        Note::LoginNotTried { server, refusal } => {
            let hint = if *refusal == LoginRefusal::NoChannelBinding { " (see allow_unbound)" } else { "" };
            let server = server.as_ref().map_or("its server", |name| name.as_str());
            (ERROR, format!("no login is tried at {server}: {refusal}{hint}"))
        }
        Note::Opened { id, sender, kind, attempt } => {
            (DEBUG, format!("opened {kind} {id} from {sender}, attempt {attempt}"))
        }
        Note::NotOpened { id, sender, error } => {
            (WARNING, format!("envelope {id} from {sender} was not opened: {error}"))
        }
        Note::ForkClaimed { sender } => {
            (ERROR, format!("ALARM: {sender} was shown another directory of our revision, or lies"))
        }
        Note::Refused { reason } => (INFO, format!("a delivery was refused: {reason}")),
        Note::UnaskedAnswer { id, sender } => {
            (WARNING, format!("answer {id} is by {sender}, who was not asked, or to another text"))
        }
        Note::ForeignReceipt { id, sender } => {
            (WARNING, format!("{sender} has not message {id}, and sent a receipt for it"))
        }
        Note::Rejected { id, reason } => (WARNING, format!("the server rejected message {id}: {reason}")),
        Note::Expired { id } => (WARNING, format!("message {id} expired without a receipt")),
        Note::Noticed { id, reason } => (WARNING, format!("the server says that message {id} failed: {reason}")),
        Note::ReceiptsUnsent { to, count, error, later } => {
            let what = if *later { "they are tried later" } else { "they are given up" };
            (WARNING, format!("{count} receipts for {to} cannot be sent, {what}: {error}"))
        }
        Note::ReceiptsStuck { to, count } => {
            (WARNING, format!("no server takes {count} receipts for {to}; they are tried later"))
        }
        _ => return None,
    })
}

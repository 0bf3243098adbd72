//! What an exchange asks its driver for, and tells it.

use std::time::Duration;

use bytes::Bytes;

use super::{Accepted, IncomingMessage, LoginRefusal, SealedMessage, SendError};
use crate::content::Reference;
use crate::header::Kind;
use crate::id::{MessageId, Name, ParticipantId, SessionId, StoreId};
use crate::reason::{CloseReason, FailureReason, RejectReason};
use crate::session::DeliveryId;

/// What an exchange asks its driver for, and tells it.
#[derive(Debug)]
#[non_exhaustive]
pub enum ExchangeOutput {
    /// Open a link to this server, giving up any other; answer with `link_up` or `link_down`.
    Connect {
        /// Position in the list of servers.
        server: usize,
    },
    /// Logged in.
    LoggedIn {
        /// Position in the list of servers.
        server: usize,
        /// The login's name in both sides' logs.
        session: SessionId,
        /// The broker's memory.
        store: StoreId,
    },
    /// The link is gone; another is opened after the delay.
    LoggedOut {
        /// Why.
        reason: CloseReason,
        /// The delay.
        retry_in: Duration,
    },
    /// What became of the publishing of a message that `publish` took, or of an answer that `settle` took: told once.
    Published {
        /// The message.
        id: MessageId,
        /// That every recipient's mailbox has it, or why nothing more is tried.
        outcome: Result<Accepted, SendError>,
    },
    /// The answer to a question that was published to be waited for; to be settled by whoever asked.
    Answer {
        /// The question.
        question: MessageId,
        /// The answer, or that there will be none ([`Kind::DECLINE`]).
        message: Box<IncomingMessage>,
        /// To settle it by.
        in_hand: InHand,
    },
    /// Every recipient of a question that is waited for has spoken, and one at least refused it, signed.
    AskFailed {
        /// The question.
        question: MessageId,
        /// Why.
        reason: FailureReason,
    },
    /// A question that is waited for was given up or has expired: no answer is waited for any more.
    AskEnded {
        /// The question.
        question: MessageId,
    },
    /// A message for the program, to be settled by it.
    Delivery {
        /// The message.
        message: Box<IncomingMessage>,
        /// To settle it by.
        in_hand: InHand,
    },
    /// A directory document came in, unverified: verify it, and say so with `directory_changed` when it is in use. It may
    /// be dropped; it is asked for again when it is needed.
    Document {
        /// The document.
        document: Bytes,
    },
    /// What is known of a message in [`Records`](super::Records) has changed, or was forgotten.
    StatusChanged {
        /// The message.
        id: MessageId,
    },
    /// Something to count or to log. Nothing depends on it.
    Note(Note),
    /// The session has shut down. Nothing follows.
    Stopped,
}

/// A message in the program's hands. It settles exactly one delivery: it cannot be copied, and settling takes it.
///
/// One that is dropped is never settled: the server then gives its message to another after ten minutes, and the program
/// may have one less at once. Drivers settle it as [`Outcome::Retry`] instead.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a message that is not settled takes up room here until the exchange ends"]
pub struct InHand {
    pub(super) delivery: DeliveryId,
    pub(super) sender: ParticipantId,
    pub(super) envelope: Reference,
    pub(super) kind: Kind,
    /// When it was handed over, on the clock's `elapsed`.
    pub(super) since: Duration,
}

/// What the program decided about a message.
#[derive(Debug)]
pub enum Outcome {
    /// It has taken the message: its sender gets a receipt that says delivered.
    Ack,
    /// It will never take it: its sender gets a receipt with the reason, and it is dead-lettered.
    Reject(FailureReason),
    /// The message comes again after this long, at most ten minutes.
    Retry(Duration),
    /// This answers it. The question is acknowledged once the answer is confirmed, and then `Published` says so.
    Answer(SealedMessage),
}

/// What is worth counting or logging, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// No login was tried at this server.
    LoginNotTried {
        /// The server's name for itself.
        server: Option<Name>,
        /// Why.
        refusal: LoginRefusal,
    },
    /// An envelope was opened, and is no copy.
    Opened {
        /// The message.
        id: MessageId,
        /// Its sender.
        sender: ParticipantId,
        /// What it is for.
        kind: Kind,
        /// 1 for the first attempt to deliver it.
        attempt: u32,
    },
    /// An envelope was not opened: refused, or looked at again under a newer directory.
    NotOpened {
        /// The message, as its header says.
        id: MessageId,
        /// Its sender, as its header says.
        sender: ParticipantId,
        /// Why.
        error: Box<str>,
    },
    /// Alarm: a sender was shown another directory of the revision in use, or lies.
    ForkClaimed {
        /// The sender.
        sender: ParticipantId,
    },
    /// A delivery was refused without asking the program.
    Refused {
        /// Why.
        reason: FailureReason,
    },
    /// A copy of a message that was handled before.
    Repeated,
    /// An answer by someone who was not asked, or to another text.
    UnaskedAnswer {
        /// The answer.
        id: MessageId,
        /// Its sender.
        sender: ParticipantId,
    },
    /// A receipt by someone who has not the message it names.
    ForeignReceipt {
        /// The message.
        id: MessageId,
        /// The receipt's sender.
        sender: ParticipantId,
    },
    /// A receipt for a message of this process.
    ReceiptNoted,
    /// A receipt for a message that this process does not know.
    ReceiptUnknown,
    /// A recipient answered or declined a question.
    Answered,
    /// Every recipient spoke of a message, and one at least refused it, signed.
    Failed,
    /// A server confirmed a message.
    Accepted,
    /// A server did not take a message.
    Rejected {
        /// The message.
        id: MessageId,
        /// Why.
        reason: RejectReason,
    },
    /// A message expired without a receipt.
    Expired {
        /// The message.
        id: MessageId,
    },
    /// A server says, unsigned, that a message failed.
    Noticed {
        /// The message.
        id: MessageId,
        /// Why.
        reason: FailureReason,
    },
    /// The program settled a message.
    Settled {
        /// `ack`, `reject`, `retry` or `answer`.
        how: &'static str,
        /// How long it had it.
        took: Duration,
    },
    /// So many receipts went out in one message.
    ReceiptsSent {
        /// Receipts.
        count: usize,
    },
    /// Receipts cannot be sent.
    ReceiptsUnsent {
        /// To whom.
        to: ParticipantId,
        /// Receipts.
        count: usize,
        /// Why.
        error: SendError,
        /// Whether their deliveries come again; otherwise they were settled without.
        later: bool,
    },
    /// No server takes the receipts for this sender; they are tried later.
    ReceiptsStuck {
        /// The sender.
        to: ParticipantId,
        /// Receipts.
        count: usize,
    },
}

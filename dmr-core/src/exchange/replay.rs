//! What the replay guard remembers.

use crate::content::Verdict;
use crate::id::MessageId;
use crate::reason::FailureReason;

/// What became of a message that was handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remembered {
    /// The program took it.
    Delivered,
    /// It was refused.
    Failed(FailureReason),
    /// The program answered it with this message.
    Answered(MessageId),
}

impl Remembered {
    /// What a receipt says of it.
    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Delivered | Self::Answered(_) => Verdict::Delivered,
            Self::Failed(reason) => Verdict::Failed(reason),
        }
    }
}

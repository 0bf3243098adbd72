//! The JSON form of directories and cards.

/// Why a document is not a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// Not the JSON of a directory.
    #[error("not a directory: {0}")]
    Json(Box<str>),
}

/// Why a document is not a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// Not the JSON of a card.
    #[error("not a card: {0}")]
    Json(Box<str>),
}

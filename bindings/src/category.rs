//! What kind of thing went wrong: what a caller can act on without knowing the error.

/// What kind of thing went wrong: the hundreds of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Category {
    /// 1xx: what was given is malformed, too long, or cannot be taken now.
    Input,
    /// 2xx: a directory or card is not well formed.
    Directory,
    /// 3xx: a key or a key file cannot be used, or there is no randomness.
    Key,
    /// 4xx: a signed document is not to be trusted.
    Trust,
    /// 5xx: the directory does not allow what was asked.
    Authority,
    /// 6xx: an envelope's sender, a login or a server is not who it says.
    Verify,
    /// 7xx: it could not be sealed or opened.
    Seal,
    /// 8xx: the call itself is wrong: see [`CallError`](crate::CallError).
    Call,
    /// 9xx: a message was not accepted, or no login was tried.
    Send,
}

impl Category {
    /// Every category.
    pub const ALL: &'static [Self] = &[
        Self::Input,
        Self::Directory,
        Self::Key,
        Self::Trust,
        Self::Authority,
        Self::Verify,
        Self::Seal,
        Self::Call,
        Self::Send,
    ];

    /// The Python exception of this category, a subclass of `dmr.DmrError`.
    pub const fn exception(self) -> &'static str {
        match self {
            Self::Input => "InputError",
            Self::Directory => "DirectoryError",
            Self::Key => "KeyringError",
            Self::Trust => "TrustError",
            Self::Authority => "AuthorityError",
            Self::Verify => "VerifyError",
            Self::Seal => "SealError",
            Self::Call => "CallError",
            Self::Send => "SendError",
        }
    }
}

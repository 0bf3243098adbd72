//! What can go wrong with the management API, and whose fault it is.

/// Why the management API gave no answer. Never shows the password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagementError {
    /// Nobody answers there.
    #[error("{address}: no connection to the management api: {cause}; is the plugin rabbitmq_management enabled?")]
    Unreachable {
        /// Where.
        address: Box<str>,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The connection, its TLS or the answer took too long.
    #[error("{address}: the management api did not answer in time")]
    Timeout {
        /// Where.
        address: Box<str>,
    },
    /// Plain `http` to another machine would show the password to the network.
    #[error("{address}: plain http would show the password to the network; use https")]
    PlainNotAllowed {
        /// Where.
        address: Box<str>,
    },
    /// TLS failed: usually the certificate is not from an authority that is trusted here.
    #[error("{address}: tls: {cause}")]
    Tls {
        /// Where.
        address: Box<str>,
        /// What TLS says.
        cause: Box<str>,
    },
    /// The broker does not know the user, or the user may not see this (401 or 403).
    #[error(
        "the broker refuses user {user}: {reason}; it needs its password, the tag 'monitoring' \
             and permissions in the virtual host"
    )]
    Unauthorized {
        /// Who.
        user: Box<str>,
        /// What the broker says.
        reason: Box<str>,
    },
    /// There is no such virtual host, or the user has no permission in it at all.
    #[error("the broker shows no virtual host {vhost}: it does not exist, or the user has no permission in it")]
    NoVhost {
        /// Which.
        vhost: Box<str>,
    },
    /// There is no such thing, or whatever listens there is no management API (404).
    #[error("{address}: {path}: not found")]
    NotFound {
        /// Where.
        address: Box<str>,
        /// What was asked for.
        path: Box<str>,
    },
    /// The broker answered with another status than 200. From 500 on it may pass.
    #[error("{address}: status {status}: {reason}")]
    Refused {
        /// Where.
        address: Box<str>,
        /// The HTTP status. A redirect counts: it is not followed.
        status: u16,
        /// What the broker says.
        reason: Box<str>,
    },
    /// The answer is longer than 16 MiB.
    #[error("{address}: {path}: the answer is longer than 16 MiB")]
    TooLong {
        /// Where.
        address: Box<str>,
        /// What was asked for.
        path: Box<str>,
    },
    /// What answers does not speak HTTP, or broke off.
    #[error("{address}: not an http answer: {cause}")]
    Http {
        /// Where.
        address: Box<str>,
        /// What is wrong with it.
        cause: Box<str>,
    },
    /// The answer is not JSON, or not the JSON that RabbitMQ's management API gives.
    #[error("{address}: the answer about {what} is not what rabbitmq's management api gives")]
    Malformed {
        /// Where.
        address: Box<str>,
        /// What was asked for.
        what: &'static str,
    },
    /// User or password cannot be sent: the name has a colon, or one of them is longer than 1 KiB.
    #[error("user name or password cannot be sent over http: a colon in the name, or too long")]
    Credentials,
}

impl ManagementError {
    /// Whether asking again later may help, without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Http { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            Self::PlainNotAllowed { .. }
            | Self::Tls { .. }
            | Self::Unauthorized { .. }
            | Self::NoVhost { .. }
            | Self::NotFound { .. }
            | Self::TooLong { .. }
            | Self::Malformed { .. }
            | Self::Credentials => false,
        }
    }
}

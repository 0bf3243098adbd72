//! Addresses of brokers: `amqp://[user@]host[:port][/vhost]`, or `amqps`.

use std::fmt;
use std::str::FromStr;

use crate::authority::{self, AuthorityError, host_and_port};

/// Why a text is not the address of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AmqpAddressError {
    /// Neither `amqp://` nor `amqps://`.
    #[error("the address does not begin with amqp:// or amqps://")]
    Scheme,
    /// A password, which lists of processes would show.
    #[error("the address holds a password, which lists of processes show: keep it in a file of its own")]
    Password,
    /// No host, or characters that no host name, IPv4 address or bracketed IPv6 address has.
    #[error("the address names no host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The virtual host is not one segment, percent-encoded where needed, without a query.
    #[error("the virtual host is not one percent-encoded segment: the default one is written %2f, or left out")]
    Vhost,
}

/// Where a broker listens.
///
/// Without a port: 5672 for `amqp`, 5671 for `amqps`. Without a virtual host: `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AmqpAddress {
    secure: bool,
    user: Option<Box<str>>,
    host: Box<str>,
    port: u16,
    vhost: Box<str>,
}

impl AmqpAddress {
    /// Whether the connection runs over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The user, when the address names one.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// A host name or an IP address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The virtual host, decoded.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }
}

impl FromStr for AmqpAddress {
    type Err = AmqpAddressError;

    fn from_str(text: &str) -> Result<Self, AmqpAddressError> {
        let (secure, rest) = match (text.strip_prefix("amqp://"), text.strip_prefix("amqps://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(AmqpAddressError::Scheme),
        };
        let (authority, vhost) = match rest.split_once('/') {
            Some((authority, "")) => (authority, "/".into()),
            Some((authority, vhost)) => (authority, vhost_of(vhost)?),
            None => (rest, "/".into()),
        };
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err(AmqpAddressError::Password),
            Some((user, rest)) => (Some(decoded(user).ok_or(AmqpAddressError::Host)?), rest),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let port = port.unwrap_or(if secure { 5671 } else { 5672 });
        Ok(Self { secure, user, host: host.into(), port, vhost })
    }
}

impl fmt::Display for AmqpAddress {
    /// The address without its user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "amqps" } else { "amqp" };
        write!(f, "{scheme}://{}:{}", authority::shown(&self.host), self.port)?;
        if &*self.vhost == "/" { Ok(()) } else { write!(f, "/{}", encoded(&self.vhost)) }
    }
}

impl From<AuthorityError> for AmqpAddressError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Host => Self::Host,
            AuthorityError::Port => Self::Port,
        }
    }
}

fn vhost_of(text: &str) -> Result<Box<str>, AmqpAddressError> {
    if text.contains(['/', '?', '#']) {
        return Err(AmqpAddressError::Vhost);
    }
    decoded(text).ok_or(AmqpAddressError::Vhost)
}

/// Percent-decoding, RFC 3986 section 2.1.
fn decoded(text: &str) -> Option<Box<str>> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(if byte == b'%' { 16 * digit(bytes.next())? + digit(bytes.next())? } else { byte });
    }
    String::from_utf8(out).ok().filter(|text| !text.is_empty()).map(String::into_boxed_str)
}

/// Percent-encoding of everything but unreserved characters, RFC 3986 section 2.3.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02x}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, Option<String>, String, u16, String) {
        let address: AmqpAddress = text.parse().unwrap();
        let user = address.user().map(str::to_owned);
        (address.is_secure(), user, address.host().to_owned(), address.port(), address.vhost().to_owned())
    }

    #[test]
    fn an_address_has_a_scheme_a_host_and_defaults() {
        assert_eq!(parts("amqp://mq"), (false, None, "mq".into(), 5672, "/".into()));
        assert_eq!(parts("amqps://mq/"), (true, None, "mq".into(), 5671, "/".into()));
        let full = (false, Some("dmr".into()), "::1".into(), 7, "a/b".into());
        assert_eq!(parts("amqp://dmr@[::1]:7/a%2fb"), full);
        assert_eq!(parts("amqp://10.0.0.1:5673/%2F").4, "/");
    }

    #[test]
    fn an_address_prints_as_it_parses_but_for_its_user() {
        for text in ["amqp://mq:5672", "amqps://[::1]:5671/a%2fb"] {
            assert_eq!(text.parse::<AmqpAddress>().unwrap().to_string(), text);
        }
        assert_eq!("amqp://dmr@mq".parse::<AmqpAddress>().unwrap().to_string(), "amqp://mq:5672");
    }

    #[test]
    fn what_is_no_address_says_why() {
        use AmqpAddressError as E;
        for (text, error) in [
            ("mq:5672", E::Scheme),
            ("http://mq", E::Scheme),
            ("amqp://guest:guest@mq", E::Password),
            ("amqp://", E::Host),
            ("amqp://m q", E::Host),
            ("amqp://[::1", E::Host),
            ("amqp://[::1]x", E::Host),
            ("amqp://mq:0", E::Port),
            ("amqp://mq:65536", E::Port),
            ("amqp://mq/a/b", E::Vhost),
            ("amqp://mq/a?heartbeat=1", E::Vhost),
            ("amqp://mq/%zz", E::Vhost),
        ] {
            assert_eq!(text.parse::<AmqpAddress>(), Err(error), "{text}");
        }
    }
}

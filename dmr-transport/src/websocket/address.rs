//! Addresses of servers: `[name=]ws://host[:port][/path]`, or `wss`.

use std::fmt;
use std::str::FromStr;

use dmr_core::id::Name;

use super::PATH;
use crate::authority::{self, AuthorityError, host_and_port};

/// Why a text is not the address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// What stands before `=` is not a server's name.
    #[error("what stands before '=' is not a name: 1 to 64 of a-z 0-9 . _ - beginning with a letter or a digit")]
    Name,
    /// Neither `ws://` nor `wss://`.
    #[error("the address does not begin with ws:// or wss://")]
    Scheme,
    /// No host, or characters that no host name, IPv4 address or bracketed IPv6 address has.
    #[error("the address names no host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// The path holds a query, a fragment or characters that must be escaped.
    #[error("the path holds a query, a fragment or a character that is not allowed")]
    Path,
}

/// Where a server listens, and optionally which server must answer there.
///
/// Without a port: 80 for `ws`, 443 for `wss`. Without a path: [`PATH`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerAddress {
    name: Option<Name>,
    secure: bool,
    host: Box<str>,
    port: u16,
    path: Box<str>,
}

impl ServerAddress {
    /// The server that must answer, when the address says so.
    pub fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// Whether the link runs over TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// A host name or an IP address, IPv6 without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the upgrade request, beginning with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address without the server's name, as the upgrade request needs it.
    pub(super) fn uri(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}:{}{}", authority::shown(&self.host), self.port, self.path)
    }
}

impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (name, url) = match text.split_once("=w") {
            Some((name, _)) if !name.contains(':') => {
                (Some(name.parse().map_err(|_| AddressError::Name)?), text.get(name.len() + 1..).unwrap_or_default())
            }
            _ => (None, text),
        };
        let (secure, rest) = match (url.strip_prefix("ws://"), url.strip_prefix("wss://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(AddressError::Scheme),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let path = if path.len() <= 1 { PATH } else { path };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte);
        if !path.bytes().all(plain) {
            return Err(AddressError::Path);
        }
        let (host, port) = host_and_port(authority)?;
        let port = port.unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { name, secure, host: host.into(), port, path: path.into() })
    }
}

impl From<AuthorityError> for AddressError {
    fn from(error: AuthorityError) -> Self {
        match error {
            AuthorityError::Host => Self::Host,
            AuthorityError::Port => Self::Port,
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        f.write_str(&self.uri())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_scheme_host_port_path_and_server() {
        let full: ServerAddress = "north=wss://relay.example.org:8443/dmr/link".parse().unwrap();
        assert_eq!(full.name().map(Name::as_str), Some("north"));
        assert!(full.is_secure());
        assert_eq!((full.host(), full.port(), full.path()), ("relay.example.org", 8443, "/dmr/link"));
        assert_eq!(full.to_string(), "north=wss://relay.example.org:8443/dmr/link");
    }

    #[test]
    fn what_an_address_leaves_out_has_a_default() {
        let plain: ServerAddress = "ws://127.0.0.1".parse().unwrap();
        assert_eq!((plain.name(), plain.is_secure(), plain.port(), plain.path()), (None, false, 80, PATH));
        let six: ServerAddress = "wss://[::1]/".parse().unwrap();
        assert_eq!((six.host(), six.port(), six.path()), ("::1", 443, PATH));
        assert_eq!(six.uri(), format!("wss://[::1]:443{PATH}"));
    }

    #[test]
    fn an_address_survives_its_own_text() {
        for text in ["ws://localhost:8075", "a.b_c=ws://10.0.0.1:1/x%20y", "wss://[2001:db8::7]:9000/", "wss://h."] {
            let address: ServerAddress = text.parse().unwrap();
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_says_which_part_is_wrong() {
        for (text, error) in [
            ("", AddressError::Scheme),
            ("http://host", AddressError::Scheme),
            ("WS://host", AddressError::Scheme),
            ("North=ws://host", AddressError::Name),
            ("=ws://host", AddressError::Name),
            ("ws://", AddressError::Host),
            ("ws://:80", AddressError::Host),
            ("ws://a..b", AddressError::Host),
            ("ws://user@host", AddressError::Host),
            ("ws://[::1", AddressError::Host),
            ("ws://[not-six]", AddressError::Host),
            ("ws://[::1]x", AddressError::Host),
            ("ws://::1", AddressError::Host),
            ("ws://host:", AddressError::Port),
            ("ws://host:0", AddressError::Port),
            ("ws://host:+80", AddressError::Port),
            ("ws://host:65536", AddressError::Port),
            ("ws://host/a?b", AddressError::Path),
            ("ws://host/a#b", AddressError::Path),
            ("ws://host/a b", AddressError::Path),
            ("ws://host/a\r\nX: y", AddressError::Path),
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(error), "{text}");
        }
    }
}

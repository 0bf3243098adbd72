//! Where the management API listens: `http[s]://host[:port][/prefix]`.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;

use crate::authority;

/// Why a text is not the address of a management API. Does not repeat the text: a password may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Neither `http://` nor `https://`, or not a URL at all.
    #[error("not an address such as http://127.0.0.1:15672 or https://broker.example.org:15671")]
    Form,
    /// A user or a password stands in it.
    #[error("user and password do not belong into the address, where logs would show them")]
    Userinfo,
    /// A query or a fragment stands in it.
    #[error("the address of the management api has no query")]
    Query,
}

/// The address of a management API. Without a port: 15672 for `http`, 15671 for `https`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ManagementAddress {
    secure: bool,
    host: Box<str>,
    port: u16,
    /// `management.path_prefix`, without a slash at its end.
    prefix: Box<str>,
}

impl ManagementAddress {
    /// Whether it is reached over TLS.
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

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What the header `Host` says.
    pub(super) fn authority(&self) -> String {
        format!("{}:{}", authority::shown(&self.host), self.port)
    }
}

impl FromStr for ManagementAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::Form)?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(AddressError::Form),
        };
        let authority = uri.authority().ok_or(AddressError::Form)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::Userinfo);
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(AddressError::Query);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        // A colon that leads to no port is a port that is no number.
        let port = match authority.port_u16() {
            Some(0) => return Err(AddressError::Form),
            Some(port) => port,
            None if authority.as_str().ends_with(authority.host()) && secure => 15_671,
            None if authority.as_str().ends_with(authority.host()) => 15_672,
            None => return Err(AddressError::Form),
        };
        if host.is_empty() {
            return Err(AddressError::Form);
        }
        Ok(Self { secure, host: host.into(), port, prefix: uri.path().trim_end_matches('/').into() })
    }
}

impl fmt::Display for ManagementAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.secure { "https" } else { "http" }, self.authority(), self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_defaults_and_survives_its_own_text() {
        for (text, shown) in [
            ("http://localhost", "http://localhost:15672"),
            ("https://broker.example.org/", "https://broker.example.org:15671"),
            ("http://[::1]:23002/mq/", "http://[::1]:23002/mq"),
        ] {
            let address: ManagementAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_not_an_address_says_why_and_shows_nothing() {
        for (text, error) in [
            ("", AddressError::Form),
            ("localhost:15672", AddressError::Form),
            ("amqp://localhost", AddressError::Form),
            ("http://", AddressError::Form),
            ("http://host:0", AddressError::Form),
            ("http://host:65536", AddressError::Form),
            ("http://guest:guest@host", AddressError::Userinfo),
            ("http://host/?a=b", AddressError::Query),
            ("http://host/#a", AddressError::Query),
        ] {
            assert_eq!(text.parse::<ManagementAddress>(), Err(error), "{text}");
        }
    }
}

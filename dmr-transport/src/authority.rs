//! The authority of an address: a host and perhaps a port (RFC 3986, section 3.2), without a user.

use std::net::{IpAddr, Ipv6Addr};

/// What is wrong with an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorityError {
    /// No host, or one that is neither a name nor an address.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
}

/// The host of `host`, `host:port`, `[v6]` or `[v6]:port`, IPv6 without its brackets, and the port where there is one.
pub(crate) fn host_and_port(authority: &str) -> Result<(&str, Option<u16>), AuthorityError> {
    let (host, port) = split(authority)?;
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0).ok_or(AuthorityError::Port)?)
        }
        Some(_) => return Err(AuthorityError::Port),
    };
    Ok((host, port))
}

fn split(authority: &str) -> Result<(&str, Option<&str>), AuthorityError> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or(AuthorityError::Host)?;
        host.parse::<Ipv6Addr>().map_err(|_| AuthorityError::Host)?;
        return match tail.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if tail.is_empty() => Ok((host, None)),
            None => Err(AuthorityError::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let named = host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label);
    if named || host.parse::<IpAddr>().is_ok() { Ok((host, port)) } else { Err(AuthorityError::Host) }
}

/// A host as an address shows it: IPv6 in brackets.
pub(crate) fn shown(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

//! Ports on loopback that nobody uses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::{Doing, Failure, Outcome};

/// Below the range from which the system takes the near ends of outgoing connections, so that none of those collides.
const FIRST: u32 = 10_000;
/// How many ports there are to choose from.
const COUNT: u32 = 22_000;

/// Counts the ports given out, so that no two tests of this process get the same one.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address on loopback whose port is free now, for a program that is told where to listen.
///
/// # Errors
/// [`Failure`] when every port in the range is taken.
pub fn free_address() -> Outcome<SocketAddr> {
    // Two test processes at once begin far from each other; within one, no port is given out twice.
    bind().map(|(address, _)| address)
}

/// Listens on a free port of loopback.
///
/// # Errors
/// [`Failure`] when every port in the range is taken.
pub fn listen() -> Outcome<(SocketAddr, tokio::net::TcpListener)> {
    let (address, listener) = bind()?;
    listener.set_nonblocking(true).doing("listening")?;
    Ok((address, tokio::net::TcpListener::from_std(listener).doing("listening")?))
}

fn bind() -> Outcome<(SocketAddr, TcpListener)> {
    let origin = std::process::id().wrapping_mul(7_919);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + origin.wrapping_add(step) % COUNT;
        let Ok(port) = u16::try_from(port) else { continue };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if let Ok(listener) = TcpListener::bind(address) {
            return Ok((address, listener));
        }
    }
    Err(Failure::new("no free port between 10000 and 32000"))
}

//! Ports on loopback that nobody uses.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failure::{Failure, Outcome};

/// Below the range from which the system takes the near ends of outgoing connections, so that none of those collides.
const FIRST: u32 = 10_000;
/// How many ports there are to choose from.
const COUNT: u32 = 22_000;

/// Counts the ports given out, so that no two tests of this process get the same one.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// An address on loopback whose port is free now.
///
/// # Errors
/// [`Failure`] when every port in the range is taken.
pub fn free_address() -> Outcome<SocketAddr> {
    // Two test processes at once begin far from each other.
    let origin = std::process::id().wrapping_mul(7_919);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + origin.wrapping_add(step) % COUNT;
        let Ok(port) = u16::try_from(port) else { continue };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(Failure::new("no free port between 10000 and 32000"))
}

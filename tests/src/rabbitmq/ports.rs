//! The ports of a node: a row of neighbours that nobody else on this machine takes meanwhile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use crate::failure::{Failure, Outcome};

/// Below [`crate::port`]'s range and below those of outgoing connections.
const FIRST: u16 = 6_000;
/// Ports in a row.
const WIDTH: u16 = 10;
/// Rows there are.
const ROWS: u16 = 400;

/// Counts the rows tried, so that the next one is looked for where none has been given out.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// A row of ports. The first one stays bound as long as the row is held: a program that is killed and started again
/// finds its ports free, since nobody who asks here, in whichever process, is given them.
#[derive(Debug)]
pub struct Ports {
    /// Held for its end only.
    _claim: TcpListener,
    first: u16,
}

impl Ports {
    /// A free row.
    ///
    /// # Errors
    /// [`Failure`] when there is none.
    pub fn claim() -> Outcome<Self> {
        // Each process begins elsewhere; the claim decides where two meet.
        let origin = u16::try_from(std::process::id() % u32::from(ROWS)).unwrap_or_default();
        for _ in 0..ROWS {
            let row = NEXT.fetch_add(1, Ordering::Relaxed) % ROWS;
            let first = FIRST + (origin.wrapping_mul(37) + row) % ROWS * WIDTH;
            let Ok(claim) = bind(first) else { continue };
            if (1..WIDTH).all(|place| bind(first + place).is_ok()) {
                return Ok(Self { _claim: claim, first });
            }
        }
        let last = FIRST + ROWS * WIDTH;
        Err(Failure::new(format!("no {WIDTH} free ports in a row between {FIRST} and {last}")))
    }

    /// For AMQP.
    pub fn amqp(&self) -> u16 {
        self.first + 1
    }

    /// For AMQP in TLS.
    pub fn amqps(&self) -> u16 {
        self.first + 2
    }

    /// For the management API.
    pub fn management(&self) -> u16 {
        self.first + 3
    }

    /// For other nodes and `rabbitmqctl`.
    pub fn distribution(&self) -> u16 {
        self.first + 4
    }

    /// For Erlang's port mapper.
    pub fn mapper(&self) -> u16 {
        self.first + 5
    }

    /// First and last of those that `rabbitmqctl` listens at while it runs: as many of them may run at once.
    pub fn control(&self) -> (u16, u16) {
        (self.first + 6, self.first + WIDTH - 1)
    }
}

/// An address on loopback.
pub(super) fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn bind(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(loopback(port))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_rows_that_are_held_share_a_port() {
        let rows: Vec<_> = (0..20).map(|_| Ports::claim().unwrap()).collect();
        let firsts: BTreeSet<_> = rows.iter().map(|row| row.first / WIDTH).collect();
        assert_eq!(firsts.len(), rows.len());
        assert!(rows.iter().all(|row| bind(row.first).is_err() && bind(row.amqp()).is_ok()));
        assert!(rows.iter().all(|row| row._claim.local_addr().unwrap().port() == row.first));
    }
}

//! The gate: which connections are let in, before anything is known of them but their address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::clock::Clock;
use crate::limits::Limits;

/// Handshakes between two sweeps of the per-address buckets: what bounds their number.
const SWEEP_EVERY: u64 = 1_024;

/// Seconds' worth of handshakes that an address may open at once.
const BURST_SECONDS: u32 = 4;

/// Why a connection is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shed {
    /// The server holds as many links as it may.
    Connections,
    /// As many links as may be are still to log in.
    Unauthenticated,
    /// As many of this address are still to log in.
    Address,
    /// This address opens links too fast.
    Handshakes,
}

impl Shed {
    pub(crate) const ALL: [Self; 4] = [Self::Connections, Self::Unauthenticated, Self::Address, Self::Handshakes];

    /// A stable word for metrics and logs.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Unauthenticated => "unauthenticated",
            Self::Address => "address",
            Self::Handshakes => "handshakes",
        }
    }
}

type Buckets = RateLimiter<IpAddr, HashMapStateStore<IpAddr>, Clock, NoOpMiddleware<Nanos>>;

/// Counts connections and turns away those past a bound. Its memory is bounded by the links it let in.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: Limits,
    counts: Mutex<Counts>,
    handshakes: Option<Buckets>,
    checked: AtomicU64,
}

#[derive(Debug, Default)]
struct Counts {
    links: usize,
    unauthenticated: usize,
    /// Unauthenticated links of each address that has any.
    by_address: HashMap<IpAddr, usize>,
}

impl Gate {
    pub(crate) fn new(limits: Limits, clock: Clock) -> Arc<Self> {
        let handshakes = NonZeroU32::new(limits.handshakes_per_address).map(|rate| {
            let burst = NonZeroU32::new(rate.get().saturating_mul(BURST_SECONDS)).unwrap_or(rate);
            let quota = Quota::per_second(rate).allow_burst(burst);
            RateLimiter::new(quota, HashMapStateStore::default(), clock)
        });
        Arc::new(Self { limits, counts: Mutex::default(), handshakes, checked: AtomicU64::new(0) })
    }

    /// Lets a connection in or says why not. It counts until the pass is dropped.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Pass, Shed> {
        let address = network_of(address);
        self.check_handshakes(address)?;
        let mut counts = self.counts();
        if counts.links >= self.limits.connections {
            return Err(Shed::Connections);
        }
        if counts.unauthenticated >= self.limits.unauthenticated {
            return Err(Shed::Unauthenticated);
        }
        let bound = self.limits.unauthenticated_per_address;
        let of_address = counts.by_address.entry(address).or_default();
        if bound > 0 && *of_address >= bound {
            return Err(Shed::Address);
        }
        *of_address += 1;
        counts.unauthenticated += 1;
        counts.links += 1;
        Ok(Pass { gate: Arc::clone(self), address, authenticated: false })
    }

    /// Links that were let in and are not over.
    pub(crate) fn links(&self) -> usize {
        self.counts().links
    }

    fn check_handshakes(&self, address: IpAddr) -> Result<(), Shed> {
        let Some(buckets) = &self.handshakes else { return Ok(()) };
        if self.checked.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
        buckets.check_key(&address).map_err(|_| Shed::Handshakes)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that was let in.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    address: IpAddr,
    authenticated: bool,
}

impl Pass {
    /// The login held: the connection no longer counts among the strangers.
    pub(crate) fn authenticated(&mut self) {
        if !self.authenticated {
            self.authenticated = true;
            self.gate.counts().forget_stranger(self.address);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.counts();
        if !self.authenticated {
            counts.forget_stranger(self.address);
        }
        counts.links = counts.links.saturating_sub(1);
    }
}

impl Counts {
    fn forget_stranger(&mut self, address: IpAddr) {
        self.unauthenticated = self.unauthenticated.saturating_sub(1);
        if let Some(count) = self.by_address.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&address);
            }
        }
    }
}

/// What an address counts as: itself, or its /64 network, which is what one IPv6 subscriber has.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn gate(limits: Limits) -> Arc<Gate> {
        Gate::new(limits, Clock::system())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_ninth_stranger_of_one_address_is_shed_and_others_are_not() {
        let gate = gate(Limits::default());
        let mut passes: Vec<Pass> = (0..8).map(|_| gate.admit(address("192.0.2.1")).unwrap()).collect();
        assert_eq!(gate.admit(address("192.0.2.1")).unwrap_err(), Shed::Address);
        assert_eq!(gate.admit(address("::ffff:192.0.2.1")).unwrap_err(), Shed::Address);
        gate.admit(address("192.0.2.2")).unwrap();
        passes[0].authenticated();
        let _ninth = gate.admit(address("192.0.2.1")).unwrap();
        assert_eq!(gate.links(), 9);
    }

    #[tokio::test]
    async fn one_ipv6_network_counts_as_one_address() {
        let gate = gate(Limits::default());
        let _passes: Vec<Pass> =
            (0..8).map(|host| gate.admit(address(&format!("2001:db8::{host:x}"))).unwrap()).collect();
        assert_eq!(gate.admit(address("2001:db8::ffff")).unwrap_err(), Shed::Address);
        gate.admit(address("2001:db8:0:1::1")).unwrap();
    }

    #[tokio::test]
    async fn the_bounds_in_all_hold_and_dropped_passes_make_room() {
        let limits = Limits { connections: 3, unauthenticated: 2, ..Limits::default() };
        let gate = gate(limits);
        let mut first = gate.admit(address("192.0.2.1")).unwrap();
        let second = gate.admit(address("192.0.2.2")).unwrap();
        assert_eq!(gate.admit(address("192.0.2.3")).unwrap_err(), Shed::Unauthenticated);
        first.authenticated();
        first.authenticated();
        let _third = gate.admit(address("192.0.2.3")).unwrap();
        assert_eq!(gate.admit(address("192.0.2.4")).unwrap_err(), Shed::Connections);
        drop(second);
        let _fourth = gate.admit(address("192.0.2.4")).unwrap();
        assert_eq!(gate.links(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_opens_links_too_fast_waits_for_its_bucket() {
        let limits = Limits { handshakes_per_address: 2, ..Limits::default() };
        let gate = gate(limits);
        for _ in 0..8 {
            drop(gate.admit(address("192.0.2.1")).unwrap());
        }
        assert_eq!(gate.admit(address("192.0.2.1")).unwrap_err(), Shed::Handshakes);
        drop(gate.admit(address("192.0.2.2")).unwrap());
        tokio::time::advance(Duration::from_millis(500)).await;
        drop(gate.admit(address("192.0.2.1")).unwrap());
        assert_eq!(gate.admit(address("192.0.2.1")).unwrap_err(), Shed::Handshakes);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_from_many_addresses_leaves_nothing_behind() {
        let gate = gate(Limits::default());
        for host in 0..20_000_u32 {
            drop(gate.admit(IpAddr::V4(host.wrapping_add(0x0a00_0000).into())).unwrap());
            tokio::time::advance(Duration::from_millis(5)).await;
        }
        assert!(gate.counts().by_address.is_empty());
        let kept = gate.handshakes.as_ref().unwrap().len();
        assert!(kept <= 2 * SWEEP_EVERY as usize, "{kept}");
    }
}

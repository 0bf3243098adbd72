//! How a session behaves.

use std::ffi::c_char;
use std::time::Duration;

use dmr_core::backoff::BackoffConfig;
use dmr_core::id::{InstanceId, Name, ParticipantId};
use dmr_core::session::AgentSessionConfig;

use super::argument::{Caller, plain};
use super::boundary::{Failure, boundary, dmr_status};
use super::id::{dmr_id, random};
use crate::CallError;

/// Most servers of one session.
pub const DMR_SERVERS: usize = 64;

/// Largest prefetch.
const PREFETCH: u16 = 1_024;

/// How a session behaves. Fill it with `dmr_session_defaults` first, then set network, participant and servers. It and all
/// that it points to stay the caller's, and are not needed once the session is made.
#[repr(C)]
#[derive(Debug)]
pub struct dmr_session_config {
    /// The network, ending in zero. No default.
    pub network: *const c_char,
    /// The names that the servers' challenges must bear, in the order in which `dmr_event.server` counts them; a null
    /// among them allows any. No default.
    pub server_names: *const *const c_char,
    /// How many servers, 1 to 64. Default 0, which is refused.
    pub server_count: usize,
    /// Who takes part. No default.
    pub participant: dmr_id,
    /// This process. Default: fresh.
    pub instance: dmr_id,
    /// Seed of the jitter; different in every process. Default: random.
    pub seed: u64,
    /// Messages kept until their receipt. Default 10,000.
    pub outbox_messages: usize,
    /// Bytes of envelopes kept until their receipt. Default 64 MiB.
    pub outbox_bytes: usize,
    /// Time for opening a link, in ms. Default 15,000.
    pub connect_timeout_ms: u64,
    /// Time from the open link to the welcome, in ms. Default 10,000.
    pub login_timeout_ms: u64,
    /// Time for finishing at a drain and at a shutdown, in ms. Default 5,000.
    pub grace_ms: u64,
    /// Upper end of the first delay before connecting again, in ms; it doubles each time. Default 250.
    pub backoff_base_ms: u64,
    /// Upper end of every such delay, in ms. Default 30,000.
    pub backoff_cap_ms: u64,
    /// Delay after a refusal that will not pass soon, in ms. Default 60,000.
    pub refused_delay_ms: u64,
    /// Refusals in a row that are answered by an ordinary delay. Default 1.
    pub first_refusals: usize,
    /// Deliveries that may be unsettled at once, 1 to 1,024; 0: the session only sends. Default 64.
    pub prefetch: u16,
    /// Not 0: deliveries come with the first login. 0: only after `dmr_session_accept_deliveries`. Default 1.
    pub subscribes_at_once: u8,
}

plain!(dmr_session_config);

impl dmr_session_config {
    /// The session's configuration that this is.
    pub(crate) fn read(&self, caller: &Caller) -> Result<AgentSessionConfig, Failure> {
        let mut server_names = Vec::new();
        for name in caller.many(self.server_names, self.server_count, DMR_SERVERS, "config.server_names")? {
            let name = if name.is_null() { None } else { Some(caller.name(*name, "config.server_names")?) };
            server_names.push(name);
        }
        if server_names.is_empty() {
            return Err(CallError::OutOfRange { argument: "config.server_count", value: 0 }.into());
        }
        if self.prefetch > PREFETCH {
            return Err(CallError::OutOfRange { argument: "config.prefetch", value: self.prefetch.into() }.into());
        }
        Ok(AgentSessionConfig {
            network: caller.name(self.network, "config.network")?,
            participant: self.participant.try_into()?,
            instance: self.instance.try_into()?,
            server_names,
            prefetch: (self.prefetch != 0).then_some(self.prefetch),
            subscribes_at_once: self.subscribes_at_once != 0,
            outbox_messages: self.outbox_messages,
            outbox_bytes: self.outbox_bytes,
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            login_timeout: Duration::from_millis(self.login_timeout_ms),
            grace: Duration::from_millis(self.grace_ms),
            backoff: BackoffConfig {
                base: Duration::from_millis(self.backoff_base_ms),
                cap: Duration::from_millis(self.backoff_cap_ms),
            },
            refused_delay: Duration::from_millis(self.refused_delay_ms),
            first_refusals: self.first_refusals,
            seed: self.seed,
        })
    }
}

/// The defaults, with a fresh instance and seed; what has no default is null or zero.
///
/// `config`: to be filled in; nothing in it needs freeing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dmr_session_defaults(config: *mut dmr_session_config) -> dmr_status {
    // SAFETY: the caller keeps what the header asks of every pointer.
    unsafe {
        boundary(|caller| {
            let out = caller.out(config, "config")?;
            let instance = InstanceId::from_random_bytes(random()?);
            let seed = u64::from_ne_bytes(random()?);
            // Neither is used: the defaults do not depend on them.
            let (network, someone): (Name, _) = ("any".parse()?, ParticipantId::from_random_bytes([0; 16]));
            let config = AgentSessionConfig::new(network, someone, instance, Vec::new(), seed);
            let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            out.put(dmr_session_config {
                network: std::ptr::null(),
                server_names: std::ptr::null(),
                server_count: 0,
                participant: dmr_id::NONE,
                instance: config.instance.into(),
                seed: config.seed,
                outbox_messages: config.outbox_messages,
                outbox_bytes: config.outbox_bytes,
                connect_timeout_ms: ms(config.connect_timeout),
                login_timeout_ms: ms(config.login_timeout),
                grace_ms: ms(config.grace),
                backoff_base_ms: ms(config.backoff.base),
                backoff_cap_ms: ms(config.backoff.cap),
                refused_delay_ms: ms(config.refused_delay),
                first_refusals: config.first_refusals,
                prefetch: config.prefetch.unwrap_or(0),
                subscribes_at_once: config.subscribes_at_once.into(),
            });
            Ok(())
        })
    }
}

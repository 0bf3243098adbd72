//! The registry: which sessions this server holds. An entry belongs to a session id and to nothing else, so a late
//! end of an old link can never evict a newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmr_core::id::{InstanceId, MessageId, ParticipantId, SessionId};
use dmr_core::reason::FailureReason;

use crate::signals::{Signal, Signals};

/// The participant has as many links as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyLinks;

/// The sessions of one server, logged in or not.
#[derive(Debug)]
pub(crate) struct Registry {
    links_per_participant: usize,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    signals: HashMap<SessionId, Arc<Signals>>,
    participants: HashMap<ParticipantId, Vec<(SessionId, InstanceId)>>,
    draining: bool,
}

impl Registry {
    pub(crate) fn new(links_per_participant: usize) -> Arc<Self> {
        Arc::new(Self { links_per_participant, sessions: Mutex::default() })
    }

    /// Enters a session that has not logged in. It stays until the seat is dropped.
    pub(crate) fn open(self: &Arc<Self>, session: SessionId) -> Seat {
        let signals = Arc::new(Signals::default());
        let mut sessions = self.sessions();
        if sessions.draining {
            signals.send(Signal::Drain);
        }
        sessions.signals.insert(session, Arc::clone(&signals));
        Seat { registry: Arc::clone(self), session, participant: None, signals }
    }

    /// Tells every session that there is a newer directory.
    pub(crate) fn directory_changed(&self) {
        self.sessions().signals.values().for_each(|signals| signals.send(Signal::DirectoryChanged));
    }

    /// Tells every session, and each that opens from now on, that the server is going away.
    pub(crate) fn drain(&self) {
        let mut sessions = self.sessions();
        sessions.draining = true;
        sessions.signals.values().for_each(|signals| signals.send(Signal::Drain));
    }

    /// Tells the sessions of a sender what became of its message. Without one here, nobody is told: it is only advice.
    pub(crate) fn notify(&self, sender: ParticipantId, id: MessageId, reason: FailureReason) {
        let sessions = self.sessions();
        for (session, _) in sessions.participants.get(&sender).into_iter().flatten() {
            if let Some(signals) = sessions.signals.get(session) {
                signals.send(Signal::Notice(id, reason));
            }
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the registry, given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    registry: Arc<Registry>,
    session: SessionId,
    participant: Option<ParticipantId>,
    signals: Arc<Signals>,
}

impl Seat {
    /// The session.
    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    /// What this session is told.
    pub(crate) fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Whose session it is, once the login holds. An older session of the same instance is told that it is superseded,
    /// and counts no more.
    ///
    /// # Errors
    /// [`TooManyLinks`] when the participant's other instances hold all its links.
    pub(crate) fn log_in(&mut self, participant: ParticipantId, instance: InstanceId) -> Result<(), TooManyLinks> {
        let mut sessions = self.registry.sessions();
        let Sessions { signals, participants, .. } = &mut *sessions;
        let links = participants.entry(participant).or_default();
        let others = links.iter().filter(|(_, other)| *other != instance).count();
        if others >= self.registry.links_per_participant {
            return Err(TooManyLinks);
        }
        links.retain(|(older, other)| {
            if *other != instance {
                return true;
            }
            if let Some(signals) = signals.get(older) {
                signals.send(Signal::Supersede);
            }
            false
        });
        links.push((self.session, instance));
        self.participant = Some(participant);
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sessions = self.registry.sessions();
        sessions.signals.remove(&self.session);
        let Some(participant) = self.participant else { return };
        if let Some(links) = sessions.participants.get_mut(&participant) {
            links.retain(|(session, _)| *session != self.session);
            if links.is_empty() {
                sessions.participants.remove(&participant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u8) -> SessionId {
        SessionId::from_bytes([number; 16]).unwrap()
    }

    fn instance(number: u8) -> InstanceId {
        InstanceId::from_bytes([number; 16]).unwrap()
    }

    fn participant(number: u8) -> ParticipantId {
        ParticipantId::from_bytes([number; 16]).unwrap()
    }

    #[tokio::test]
    async fn a_late_end_of_a_superseded_session_cannot_release_its_successor() {
        let registry = Registry::new(8);
        let (mut old, mut new) = (registry.open(session(1)), registry.open(session(2)));
        old.log_in(participant(1), instance(1)).unwrap();
        new.log_in(participant(1), instance(1)).unwrap();
        assert_eq!(old.signals().next().await, Signal::Supersede);
        drop(old);
        registry.notify(participant(1), MessageId::from_custom_bytes([1; 16]), FailureReason::Expired);
        assert!(matches!(new.signals().next().await, Signal::Notice(_, FailureReason::Expired)));
    }

    #[test]
    fn replicas_share_a_participant_up_to_the_bound_and_a_superseding_link_always_fits() {
        let registry = Registry::new(2);
        let mut seats: Vec<Seat> = (1..=6).map(|number| registry.open(session(number))).collect();
        seats[0].log_in(participant(1), instance(1)).unwrap();
        seats[1].log_in(participant(1), instance(2)).unwrap();
        assert_eq!(seats[2].log_in(participant(1), instance(3)), Err(TooManyLinks));
        seats[3].log_in(participant(1), instance(2)).unwrap();
        seats[4].log_in(participant(2), instance(3)).unwrap();
        drop(seats.remove(0));
        seats[1].log_in(participant(1), instance(3)).unwrap();
    }

    #[tokio::test]
    async fn a_session_that_opens_while_draining_is_told_so() {
        let registry = Registry::new(8);
        let before = registry.open(session(1));
        registry.drain();
        let after = registry.open(session(2));
        assert_eq!(before.signals().next().await, Signal::Drain);
        assert_eq!(after.signals().next().await, Signal::Drain);
    }

    #[test]
    fn the_registry_keeps_nothing_of_who_left() {
        let registry = Registry::new(8);
        for number in 1..=100 {
            let mut seat = registry.open(session(number));
            seat.log_in(participant(number), instance(number)).unwrap();
        }
        let sessions = registry.sessions();
        assert!(sessions.participants.is_empty() && sessions.signals.is_empty());
    }
}

//! The registry: which sessions this server holds. An entry belongs to a session id and to nothing else, so a late
//! end of an old link can never evict a newer one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dmr_core::id::{InstanceId, MessageId, ParticipantId, SessionId};
use dmr_core::reason::FailureReason;
use dmr_core::time::Timestamp;

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
    participants: HashMap<ParticipantId, Vec<Newcomer>>,
    draining: bool,
}

/// A session that logged in, here or at another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Newcomer {
    pub(crate) instance: InstanceId,
    pub(crate) session: SessionId,
    pub(crate) since: Timestamp,
}

impl Newcomer {
    /// Whether this one takes the place of `other`. Of two sessions of one instance exactly one does, whoever asks: the
    /// later one, by clocks that may differ a little, and of two at the same moment the one with the higher id.
    fn supersedes(&self, other: &Self) -> bool {
        self.instance == other.instance && (self.since, self.session) > (other.since, other.session)
    }
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
        for link in sessions.participants.get(&sender).into_iter().flatten() {
            if let Some(signals) = sessions.signals.get(&link.session) {
                signals.send(Signal::Notice(id, reason));
            }
        }
    }

    /// Tells the older sessions here of an instance that logged in somewhere.
    pub(crate) fn supersede(&self, participant: ParticipantId, newcomer: Newcomer) {
        self.sessions().supersede(participant, newcomer, |older| newcomer.supersedes(older));
    }

    /// Tells every session to connect again: what they were told of the broker at their login is true no more.
    pub(crate) fn renew(&self) {
        self.sessions().signals.values().for_each(|signals| signals.send(Signal::Drain));
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
    pub(crate) fn log_in(
        &mut self,
        participant: ParticipantId,
        instance: InstanceId,
        since: Timestamp,
    ) -> Result<(), TooManyLinks> {
        let mut sessions = self.registry.sessions();
        let links = sessions.participants.entry(participant).or_default();
        let others = links.iter().filter(|link| link.instance != instance).count();
        if others >= self.registry.links_per_participant {
            return Err(TooManyLinks);
        }
        let newcomer = Newcomer { instance, session: self.session, since };
        // Here the order is known, whatever the clock says.
        sessions.supersede(participant, newcomer, |older| older.instance == instance);
        sessions.participants.entry(participant).or_default().push(newcomer);
        self.participant = Some(participant);
        Ok(())
    }
}

impl Sessions {
    /// Takes out, and tells, the links of a participant that this one supersedes.
    fn supersede(&mut self, participant: ParticipantId, newcomer: Newcomer, is_older: impl Fn(&Newcomer) -> bool) {
        let Some(links) = self.participants.get_mut(&participant) else { return };
        links.retain(|link| {
            if link.session == newcomer.session || !is_older(link) {
                return true;
            }
            if let Some(signals) = self.signals.get(&link.session) {
                signals.send(Signal::Supersede);
            }
            false
        });
        if links.is_empty() {
            self.participants.remove(&participant);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut sessions = self.registry.sessions();
        sessions.signals.remove(&self.session);
        let Some(participant) = self.participant else { return };
        if let Some(links) = sessions.participants.get_mut(&participant) {
            links.retain(|link| link.session != self.session);
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
        old.log_in(participant(1), instance(1), Timestamp(1)).unwrap();
        new.log_in(participant(1), instance(1), Timestamp(1)).unwrap();
        assert_eq!(old.signals().next().await, Signal::Supersede);
        drop(old);
        registry.notify(participant(1), MessageId::from_custom_bytes([1; 16]), FailureReason::Expired);
        assert!(matches!(new.signals().next().await, Signal::Notice(_, FailureReason::Expired)));
    }

    #[tokio::test]
    async fn of_two_sessions_of_an_instance_at_two_servers_the_later_one_stays_whichever_is_heard_of_last() {
        let (one, other) = (Registry::new(8), Registry::new(8));
        let (mut early, mut late) = (one.open(session(1)), other.open(session(2)));
        early.log_in(participant(1), instance(1), Timestamp(10)).unwrap();
        late.log_in(participant(1), instance(1), Timestamp(20)).unwrap();
        let told = |session, since| Newcomer { instance: instance(1), session, since: Timestamp(since) };
        for registry in [&one, &other] {
            registry.supersede(participant(1), told(session(2), 20));
            registry.supersede(participant(1), told(session(1), 10));
        }
        assert_eq!(early.signals().next().await, Signal::Supersede);
        // Only the one that stayed is told of its messages.
        other.notify(participant(1), MessageId::from_custom_bytes([1; 16]), FailureReason::Expired);
        assert!(matches!(late.signals().next().await, Signal::Notice(_, FailureReason::Expired)));
    }

    #[tokio::test]
    async fn a_newcomer_supersedes_no_other_instance_and_no_other_participant() {
        let registry = Registry::new(8);
        let (mut replica, mut stranger) = (registry.open(session(1)), registry.open(session(2)));
        replica.log_in(participant(1), instance(1), Timestamp(10)).unwrap();
        stranger.log_in(participant(2), instance(2), Timestamp(10)).unwrap();
        let newcomer = Newcomer { instance: instance(2), session: session(9), since: Timestamp(20) };
        registry.supersede(participant(1), newcomer);
        for (seat, number) in [(&replica, 1), (&stranger, 2)] {
            registry.notify(participant(number), MessageId::from_custom_bytes([1; 16]), FailureReason::Expired);
            assert!(matches!(seat.signals().next().await, Signal::Notice(..)));
        }
    }

    #[test]
    fn replicas_share_a_participant_up_to_the_bound_and_a_superseding_link_always_fits() {
        let registry = Registry::new(2);
        let mut seats: Vec<Seat> = (1..=6).map(|number| registry.open(session(number))).collect();
        seats[0].log_in(participant(1), instance(1), Timestamp(1)).unwrap();
        seats[1].log_in(participant(1), instance(2), Timestamp(1)).unwrap();
        assert_eq!(seats[2].log_in(participant(1), instance(3), Timestamp(1)), Err(TooManyLinks));
        seats[3].log_in(participant(1), instance(2), Timestamp(1)).unwrap();
        seats[4].log_in(participant(2), instance(3), Timestamp(1)).unwrap();
        drop(seats.remove(0));
        seats[1].log_in(participant(1), instance(3), Timestamp(1)).unwrap();
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
            seat.log_in(participant(number), instance(number), Timestamp(1)).unwrap();
        }
        let sessions = registry.sessions();
        assert!(sessions.participants.is_empty() && sessions.signals.is_empty());
    }
}

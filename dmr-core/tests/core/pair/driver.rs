//! The driver of a pair: does, one at a time, what the sessions ask for, and carries frames.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, AuthFields, RecipientResult, ServerFrame, Settlement};
use dmr_core::id::{Nonce, SessionId};
use dmr_core::reason::{CloseReason, FailureReason, RejectReason};
use dmr_core::session::{
    AgentOutput, AgentSession, DeliveryId, Login, Refusal, ServerOutput, ServerSession, ServerState, Ticket, Transmit,
};

use super::harness::{Hold, Link, Pair};
use super::world::{self, is_proof, is_signed, number, police};

/// An answer that is due.
#[derive(Debug)]
pub(super) enum Due {
    Dial(usize),
    SignChallenge(usize),
    Sign(Bytes),
    CheckLogin(usize, Bytes, Bytes, Bytes),
    CheckEnvelope(usize, Ticket, Envelope),
    Publish(usize, Ticket, Envelope),
    Subscribe(usize),
    Handle(DeliveryId, u64),
}

impl Due {
    fn kind(&self) -> Hold {
        match self {
            Self::Dial(_) => Hold::Dial,
            Self::SignChallenge(_) => Hold::SignChallenge,
            Self::Sign(_) => Hold::Sign,
            Self::CheckLogin(..) => Hold::CheckLogin,
            Self::CheckEnvelope(..) => Hold::CheckEnvelope,
            Self::Publish(..) => Hold::Publish,
            Self::Subscribe(_) => Hold::Subscribe,
            Self::Handle(..) => Hold::Handle,
        }
    }
}

impl Pair {
    /// One thing, the first of those that can be done. `false`: there is none.
    pub(super) fn step(&mut self) -> bool {
        if let Some(output) = self.agent.poll_output() {
            self.obey_agent(output);
            return true;
        }
        self.check_outbox();
        for link in 0..self.links.len() {
            if let Some(output) = self.links[link].session.poll_output() {
                self.obey_server(link, output);
                return true;
            }
        }
        self.step_answers() || self.step_agent_link() || self.step_server_links() || self.step_mailbox()
    }

    fn obey_agent(&mut self, output: AgentOutput) {
        let line = match output {
            AgentOutput::Connect { server } => {
                if let Some(old) = self.current.take() {
                    self.cut_for_server(old);
                }
                return self.due.push_back(Due::Dial(server));
            }
            AgentOutput::Sign { challenge_bytes, .. } => return self.due.push_back(Due::Sign(challenge_bytes)),
            AgentOutput::Ready { .. } => "ready".to_owned(),
            AgentOutput::Down { reason, .. } => {
                self.due.retain(|due| !matches!(due, Due::Handle(..) | Due::Sign(_) | Due::Dial(_)));
                format!("down {reason}")
            }
            AgentOutput::Confirmed { id } => {
                if self.unkept.contains(&number(id)) {
                    self.live.remove(&number(id));
                }
                format!("confirmed {}", number(id))
            }
            AgentOutput::Rejected { id, reason, recipients, .. } => {
                assert!(self.live.remove(&number(id)), "rejected what was not there");
                let each: String = recipients.iter().map(recipient_line).collect();
                format!("rejected {} {reason}{each}", number(id))
            }
            AgentOutput::Delivered { delivery, attempt, envelope } => {
                let signed = Envelope::decode(envelope).ok().filter(is_signed);
                let Some(envelope) = signed else {
                    let reason = FailureReason::Rejected;
                    self.agent("settle", |agent| agent.settle(delivery, Settlement::Reject { reason }));
                    return self.told.push("delivered garbage".to_owned());
                };
                let number = number(envelope.header().id);
                self.due.push_back(Due::Handle(delivery, number));
                format!("delivered {number} attempt {attempt}")
            }
            AgentOutput::Expired { id } => {
                assert!(self.live.remove(&number(id)), "expired what was not there");
                format!("expired {}", number(id))
            }
            AgentOutput::Directory { document } => format!("directory of {}", document.len()),
            AgentOutput::Notice { id, reason } => format!("notice {} {reason}", number(id)),
            AgentOutput::Stopped => "stopped".to_owned(),
        };
        self.told.push(line);
    }

    fn obey_server(&mut self, link: usize, output: ServerOutput) {
        let session = self.links[link].session.session();
        let line = match output {
            ServerOutput::SignChallenge { .. } => return self.due.push_back(Due::SignChallenge(link)),
            ServerOutput::CheckLogin { challenge, fields, proof } => {
                return self.due.push_back(Due::CheckLogin(link, challenge, fields, proof));
            }
            ServerOutput::LoggedIn(login) => {
                if let Some(older) = self.registry.insert(login.instance, session)
                    && let Some(at) = self.links.iter().position(|link| link.session.session() == older)
                {
                    self.server_at(at, "superseded", ServerSession::supersede);
                }
                "logged in".to_owned()
            }
            ServerOutput::SendDirectory => {
                let (revision, document) = self.directory.clone();
                return self.server_at(link, "directory", |server| server.directory_changed(revision, document));
            }
            ServerOutput::CheckEnvelope { ticket, envelope } => {
                return self.due.push_back(Due::CheckEnvelope(link, ticket, envelope));
            }
            ServerOutput::Publish { ticket, envelope } => {
                return self.due.push_back(Due::Publish(link, ticket, envelope));
            }
            ServerOutput::Subscribe { mailbox, prefetch } => {
                assert_eq!(mailbox, police());
                self.links[link].prefetch = Some(prefetch);
                return self.due.push_back(Due::Subscribe(link));
            }
            ServerOutput::Settle { tag, disposition } => {
                self.broker.settle(tag, disposition);
                format!("settle {disposition:?}")
            }
            ServerOutput::Ended { reason } => {
                self.broker.unsubscribe(session);
                self.registry.retain(|_, registered| *registered != session);
                self.links[link].prefetch = None;
                format!("ended {reason}")
            }
        };
        self.server_told.push(line);
    }

    /// Gives the first answer that is not held.
    fn step_answers(&mut self) -> bool {
        let Some(at) = self.due.iter().position(|due| !self.holds.contains(&due.kind())) else { return false };
        let (now, due) = (self.now, self.due.remove(at).unwrap());
        match due {
            Due::Dial(server) if self.unreachable.contains(&server) => {
                self.agent("link down", |agent| agent.link_down(CloseReason::ConnectFailed, now));
            }
            Due::Dial(server) => {
                self.dialled.push(server);
                self.open_link();
            }
            Due::SignChallenge(link) => {
                self.server_at(link, "challenge signed", |server| server.challenge_signed(Bytes::new(), now));
            }
            Due::Sign(challenge) => match self.distrust {
                Some(reason) => self.agent("challenge refused", |agent| agent.challenge_refused(reason, now)),
                None => {
                    let (fields, proof) = world::login(&challenge, self.agent_revision);
                    self.agent("challenge signed", |agent| agent.challenge_signed(fields, proof, now));
                }
            },
            Due::CheckLogin(link, challenge, fields, proof) => {
                let verdict = self.check_login(&challenge, &fields, &proof);
                let input = if verdict.is_ok() { "login holds" } else { "login refused" };
                self.server_at(link, input, |server| server.login_checked(verdict, now));
            }
            Due::CheckEnvelope(link, ticket, envelope) => {
                let forged = Refusal { reason: RejectReason::BadSignature, retry_after: Duration::ZERO };
                let forged = (!is_signed(&envelope)).then_some(forged);
                let verdict = self.refusal.or(forged).map_or(Ok(()), Err);
                self.server_at(link, "envelope checked", |server| server.envelope_checked(ticket, envelope, verdict));
            }
            Due::Publish(link, ticket, envelope) => {
                let results = self.broker.publish(&envelope);
                self.server_at(link, "published", |server| server.published(ticket, results, Duration::ZERO));
            }
            Due::Subscribe(link) => self.server_at(link, "subscribed", ServerSession::subscribed),
            Due::Handle(delivery, number) => {
                let settlement = self.settlement;
                self.delivered.push(number);
                self.agent("settle", |agent| agent.settle(delivery, settlement));
            }
        }
        true
    }

    fn open_link(&mut self) {
        let now = self.now;
        let number = u8::try_from(self.links.len() % 250 + 1).unwrap();
        let (high, low) = (self.links.len() / 250, number);
        let mut session = [low; 16];
        session[0] = u8::try_from(high % 250).unwrap();
        self.server.session = SessionId::from_bytes(session).unwrap();
        self.server.nonce = Nonce([number; 32]);
        self.server.store = self.broker.store;
        self.server.directory_revision = self.directory.0;
        let session = ServerSession::new(self.server.clone(), now);
        self.links.push(Link { session, to_server: VecDeque::new(), to_agent: VecDeque::new(), prefetch: None });
        self.current = Some(self.links.len() - 1);
        self.agent("link up", |agent| agent.link_up(now));
    }

    fn check_login(&self, challenge: &[u8], fields: &[u8], proof: &[u8]) -> Result<Login, CloseReason> {
        if let Some(reason) = self.login_verdict {
            return Err(reason);
        }
        let AuthFields { participant, instance, directory_revision, .. } = AuthFields::decode(fields).unwrap();
        let holds = participant == police() && is_proof(challenge, fields, proof);
        holds.then_some(Login { participant, instance, directory_revision }).ok_or(CloseReason::LoginRefused)
    }

    /// Moves one frame out of or to the agent.
    fn step_agent_link(&mut self) -> bool {
        let now = self.now;
        let Some(link) = self.current else { return false };
        if self.agent_writes && self.agent.wants_transmit() {
            let transmit = self.agent("transmit", AgentSession::poll_transmit);
            if let Some(Transmit::Frame(frame)) = &transmit {
                self.from_agent.push(AgentFrame::decode(frame).unwrap().name());
            }
            self.links[link].to_server.extend(transmit.clone());
            if let Some(Transmit::Close(_)) = transmit {
                self.current = None;
                self.links[link].to_agent.clear();
                self.agent("closed", |agent| agent.link_down(CloseReason::LinkLost, now));
            }
            return transmit.is_some();
        }
        match self.links[link].to_agent.pop_front() {
            None => return false,
            Some(_) if !self.agent_hears => {}
            Some(Transmit::Frame(frame)) => {
                let name = ServerFrame::decode(&frame).map_or("garbage", |frame| frame.name());
                self.agent(name, |agent| agent.receive(&frame, now));
            }
            Some(Transmit::Close(reason)) => {
                self.current = None;
                self.agent("link down", |agent| agent.link_down(reason, now));
            }
        }
        true
    }

    /// Moves one frame out of or to a server.
    fn step_server_links(&mut self) -> bool {
        let now = self.now;
        for at in 0..self.links.len() {
            let is_current = self.current == Some(at);
            let link = &mut self.links[at];
            if link.session.state() == ServerState::Ended {
                continue;
            }
            if self.server_writes && link.session.wants_transmit() {
                let transmit = self.server_at(at, "transmit", ServerSession::poll_transmit);
                if let Some(Transmit::Frame(frame)) = &transmit {
                    self.from_server.push(ServerFrame::decode(frame).unwrap().name());
                }
                if is_current {
                    self.links[at].to_agent.extend(transmit.clone());
                }
                if let Some(Transmit::Close(_)) = transmit {
                    self.links[at].to_server.clear();
                    self.server_at(at, "closed", |server| server.link_down(CloseReason::LinkLost));
                }
                return true;
            }
            match link.to_server.pop_front() {
                None => continue,
                Some(_) if !self.server_hears => {}
                Some(Transmit::Frame(frame)) => {
                    let name = AgentFrame::decode(&frame).map_or("garbage", |frame| frame.name());
                    self.server_at(at, name, |server| server.receive(&frame, now));
                }
                Some(Transmit::Close(reason)) => {
                    self.server_at(at, "link down", |server| server.link_down(reason));
                }
            }
            return true;
        }
        false
    }

    /// Hands one waiting message to a session that has demand.
    fn step_mailbox(&mut self) -> bool {
        let now = self.now;
        for at in 0..self.links.len() {
            let link = &self.links[at];
            let room = link.prefetch.is_some_and(|prefetch| self.broker.out() < usize::from(prefetch));
            if room && link.session.demand() > 0 {
                let session = link.session.session();
                if let Some((tag, attempt, envelope)) = self.broker.take(session, police()) {
                    self.server_at(at, "deliver", |server| server.deliver(tag, attempt, envelope, now));
                    return true;
                }
            }
        }
        false
    }
}

fn recipient_line(result: &RecipientResult) -> String {
    format!(" {}", result.reason.map_or("stored".to_owned(), |reason| reason.to_string()))
}

//! Envelopes on their way past the proxies: all that the server is given of a message.

use std::time::Instant;

use dmr_core::envelope::Envelope;
use dmr_core::frame::{AgentFrame, ServerFrame};
use dmr_core::header::Kind;
use dmr_tests::proxy::{Direction, Seen};

use super::stage::{Office, POLICE, Stage, TAX};

/// An envelope that went past.
#[derive(Debug, Clone)]
pub struct Passage {
    /// When.
    pub at: Instant,
    /// On whose link.
    pub office: &'static str,
    /// Which way.
    pub direction: Direction,
    /// What the server can decode of it, without any key.
    pub envelope: Envelope,
}

impl Passage {
    /// Every envelope that went past on both links, in order.
    pub fn all(stage: &Stage) -> Vec<Self> {
        let mut passages: Vec<_> = on_link(&stage.tax, TAX).chain(on_link(&stage.police, POLICE)).collect();
        passages.sort_by_key(|passage| passage.at);
        passages
    }

    /// The first of this kind that went this way on the link of `office`.
    pub fn find<'a>(all: &'a [Self], kind: Kind, office: &str, direction: Direction) -> Option<&'a Self> {
        let fits = |passage: &&Self| {
            passage.envelope.header().kind == kind && passage.office == office && passage.direction == direction
        };
        all.iter().find(fits)
    }
}

fn on_link(office: &Office, name: &'static str) -> impl Iterator<Item = Passage> {
    office.wire.sightings().into_iter().filter_map(move |sighting| {
        let (direction, envelope) = match sighting.frame {
            Seen::Agent(AgentFrame::Publish { envelope }) => (Direction::ToServer, envelope),
            Seen::Server(ServerFrame::Deliver { envelope, .. }) => (Direction::ToAgent, envelope),
            _ => return None,
        };
        Some(Passage { at: sighting.at, office: name, direction, envelope: Envelope::decode(envelope).ok()? })
    })
}

//! A place on the wire: between an agent and its server, keeping what goes by, and spoiling it when told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use dmr_core::frame::{AgentFrame, ServerFrame};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::failure::Outcome;
use crate::port::listen;
use crate::wire::{Piece, Wire};

/// Which way something went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the agent to the server.
    ToServer,
    /// From the server to the agent.
    ToAgent,
}

/// A frame that went by.
#[derive(Debug, Clone)]
pub struct Sighting {
    /// When.
    pub at: Instant,
    /// Its bytes, without the WebSocket's mask.
    pub bytes: Bytes,
    /// What it is.
    pub frame: Seen,
}

/// A frame, by direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// From the agent.
    Agent(AgentFrame),
    /// From the server.
    Server(ServerFrame),
    /// Not a frame of this protocol.
    Garbage,
}

/// A proxy for plain WebSocket links. Dropping it ends every link through it.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    record: Arc<Mutex<Record>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Record {
    raw: Vec<u8>,
    sightings: Vec<Sighting>,
    spoil: Option<Direction>,
    links: usize,
    /// Grows with each cut; a link ends when it is not what it was at the link's beginning.
    cut: watch::Sender<usize>,
}

impl Proxy {
    /// Listens on a free port of loopback and passes every link on to `server`.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when it cannot listen.
    pub async fn start(server: SocketAddr) -> Outcome<Self> {
        let (address, listener) = listen()?;
        let record = Arc::new(Mutex::new(Record::default()));
        let task = tokio::spawn(accept(listener, server, Arc::clone(&record)));
        Ok(Self { address, record, task })
    }

    /// Where agents connect instead of to the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that has gone by in both directions: as it travelled, and without the WebSocket's masks.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.record).raw.clone()
    }

    /// Every frame that has gone by.
    pub fn sightings(&self) -> Vec<Sighting> {
        lock(&self.record).sightings.clone()
    }

    /// Links opened so far.
    pub fn links(&self) -> usize {
        lock(&self.record).links
    }

    /// Ends every link that goes through here now. New ones are let through.
    pub fn cut(&self) {
        lock(&self.record).cut.send_modify(|cuts| *cuts += 1);
    }

    /// Flips one bit of the sealed body, or of the signature after it, in the next envelope that goes this way. Only in
    /// that one.
    pub fn spoil_next(&self, direction: Direction) {
        lock(&self.record).spoil = Some(direction);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, server: SocketAddr, record: Arc<Mutex<Record>>) {
    // Dropping the set ends the links.
    let mut links = JoinSet::new();
    while let Ok((agent, _)) = listener.accept().await {
        // A server that is down is seen by the agent as a link that ends at once.
        let Ok(onward) = TcpStream::connect(server).await else { continue };
        let cut = {
            let mut record = lock(&record);
            record.links += 1;
            record.cut.subscribe()
        };
        let (_, _) = (agent.set_nodelay(true), onward.set_nodelay(true));
        let (from_agent, to_agent) = agent.into_split();
        let (from_server, to_server) = onward.into_split();
        let upward = pass(from_agent, to_server, Direction::ToServer, Arc::clone(&record));
        let downward = pass(from_server, to_agent, Direction::ToAgent, Arc::clone(&record));
        links.spawn(until_cut(cut.clone(), upward));
        links.spawn(until_cut(cut, downward));
    }
}

async fn until_cut(mut cut: watch::Receiver<usize>, passing: impl Future<Output = ()>) {
    tokio::select! {
        () = passing => {}
        _ = cut.changed() => {}
    }
}

/// Passes one direction on, piece by piece, until either side ends.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, direction: Direction, record: Arc<Mutex<Record>>) {
    let (mut wire, mut buffer, mut message) = (Wire::default(), vec![0; 64 << 10], Vec::new());
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        wire.take(buffer.get(..count).unwrap_or_default());
        while let Some(mut piece) = wire.next_piece() {
            note(&mut lock(&record), &mut piece, &mut message, direction);
            if to.write_all(&piece.raw).await.is_err() {
                return;
            }
        }
    }
}

/// Length of what follows an envelope's body: the signature with its one-byte length.
const AFTER_BODY: usize = 65;

/// Notes a piece. `message` gathers the fragments of one that comes in several.
fn note(record: &mut Record, piece: &mut Piece, message: &mut Vec<u8>, direction: Direction) {
    let fragment = piece.message();
    record.raw.extend_from_slice(&piece.raw);
    record.raw.extend_from_slice(&fragment);
    if !piece.binary {
        return;
    }
    message.extend_from_slice(&fragment);
    if !piece.last {
        return;
    }
    let bytes = Bytes::from(std::mem::take(message));
    let frame = match direction {
        Direction::ToServer => AgentFrame::decode(&bytes).map_or(Seen::Garbage, Seen::Agent),
        Direction::ToAgent => ServerFrame::decode(&bytes).map_or(Seen::Garbage, Seen::Server),
    };
    let carries_envelope =
        matches!(frame, Seen::Agent(AgentFrame::Publish { .. }) | Seen::Server(ServerFrame::Deliver { .. }));
    if carries_envelope && record.spoil == Some(direction) {
        record.spoil = None;
        // The envelope is the last field of both frames.
        piece.flip(AFTER_BODY);
    }
    record.sightings.push(Sighting { at: Instant::now(), bytes, frame });
}

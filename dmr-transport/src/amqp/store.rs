//! The store's name: the first record of a stream, written by whichever server comes first.
//!
//! A stream is read without taking anything from it and keeps its order for ever, so servers that start together, each
//! writing a name of its own, all read the same one. A broker that lost its data, or whose operator deletes the stream
//! after restoring a backup, gets a new name, and agents publish again what was not answered for.

use std::time::Duration;

use bytes::Bytes;
use dmr_core::id::StoreId;
use lapin::BasicProperties;
use lapin::options::BasicConsumeOptions;
use lapin::types::{AMQPValue, FieldTable};

use super::connection::Open;
use super::facts::PERSISTENT;
use super::owned_consumer::OwnedConsumer;
use super::passive::Looks;
use super::publisher::{Outcome, Outgoing, Publisher};
use super::topology::{EXCHANGE, STORE, short};
use crate::broker::BrokerError;

/// Reads the store's name; `None` when there is no stream for it. One that is empty is given a name: a new one each time, or
/// two brokers in succession could have the same.
///
/// # Errors
/// [`BrokerError::Unavailable`].
pub(super) async fn name(
    publisher: &Publisher,
    consuming: &Open,
    answer_timeout: Duration,
    fresh: &(dyn Fn() -> Option<StoreId> + Send + Sync),
) -> Result<Option<StoreId>, BrokerError> {
    let Some(waiting) = Looks::new(consuming, answer_timeout).at(STORE).await? else { return Ok(None) };
    if waiting.ready == 0 {
        let fresh = fresh().ok_or_else(|| BrokerError::Unavailable("the system gave no randomness".into()))?;
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: short(STORE),
            properties: BasicProperties::default().with_delivery_mode(PERSISTENT),
            body: Bytes::copy_from_slice(fresh.as_bytes()),
        };
        let outcome = publisher.publish(&outgoing).await;
        if outcome != Outcome::Confirmed {
            return Err(BrokerError::Unavailable("the store could not be named".into()));
        }
    }
    first(consuming).await.map(Some)
}

/// The first record of the stream.
async fn first(open: &Open) -> Result<StoreId, BrokerError> {
    let mut arguments = FieldTable::default();
    arguments.insert(short("x-stream-offset"), AMQPValue::LongString("first".into()));
    let mut records = OwnedConsumer::open(open, STORE, 1, BasicConsumeOptions::default(), arguments).await?;
    // Nothing is acknowledged, and nothing taken: it is a stream.
    let record = records.next().await?;
    let name = <[u8; 16]>::try_from(&*record.data).ok().and_then(|bytes| StoreId::from_bytes(bytes).ok());
    name.ok_or_else(|| BrokerError::Unavailable("the stream that names the store holds something else".into()))
}

//! The store's name: the first record of a stream, written by whichever server comes first.
//!
//! A stream is read without taking anything from it and keeps its order for ever, so servers that start together, each
//! writing a name of its own, all read the same one. A broker that lost its data, or whose operator deletes the stream
//! after restoring a backup, gets a new name, and agents publish again what was not answered for.

use std::time::Duration;

use dmr_core::id::StoreId;
use futures_util::StreamExt as _;
use lapin::BasicProperties;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::timeout;

use super::connection::{KeptConnection, Open};
use super::errors::unavailable;
use super::publisher::{Outcome, Outgoing, Publisher};
use super::topology::{self, EXCHANGE, STORE, short};
use crate::broker::BrokerError;

/// Time for the stream's first record.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the store's name, and gives it `fresh` where it has none yet.
///
/// # Errors
/// [`BrokerError::Unavailable`].
pub(super) async fn name(
    publishing: &KeptConnection,
    publisher: &Publisher,
    consuming: &Open,
    fresh: StoreId,
) -> Result<StoreId, BrokerError> {
    let late = |_| BrokerError::Unavailable("the stream that names the store was not made in time".into());
    if timeout(PATIENCE, records(publishing)).await.map_err(late)?? == 0 {
        let outgoing = Outgoing {
            exchange: EXCHANGE,
            routing_key: STORE,
            properties: BasicProperties::default().with_delivery_mode(2),
            body: fresh.as_bytes(),
        };
        let outcome = publisher.publish(&outgoing).await;
        if outcome != Outcome::Confirmed {
            return Err(BrokerError::Unavailable("the store could not be named".into()));
        }
    }
    timeout(PATIENCE, first(consuming))
        .await
        .map_err(|_| BrokerError::Unavailable("the store's name could not be read in time".into()))?
}

/// Makes sure that the stream exists, and says how many records it has.
async fn records(publishing: &KeptConnection) -> Result<u32, BrokerError> {
    let failed = |error: lapin::Error| unavailable(&error);
    let channel = publishing.now()?.channel().await.map_err(failed)?;
    let records = topology::declare_store(&channel).await.map_err(failed)?;
    let _ = channel.close(200, "declared".into()).await;
    Ok(records)
}

/// The first record of the stream.
async fn first(open: &Open) -> Result<StoreId, BrokerError> {
    let failed = |error: lapin::Error| unavailable(&error);
    let channel = open.channel().await.map_err(failed)?;
    channel.basic_qos(1, BasicQosOptions::default()).await.map_err(failed)?;
    let mut arguments = FieldTable::default();
    arguments.insert(short("x-stream-offset"), AMQPValue::LongString("first".into()));
    let options = BasicConsumeOptions::default();
    let mut records = channel.basic_consume(short(STORE), short(""), options, arguments).await.map_err(failed)?;
    let Some(record) = records.next().await else {
        return Err(BrokerError::Unavailable("the stream that names the store ended".into()));
    };
    let record = record.map_err(failed)?;
    let name = <[u8; 16]>::try_from(&*record.data).ok().and_then(|bytes| StoreId::from_bytes(bytes).ok());
    // Reading took nothing; what follows is only manners.
    let _ = record.ack(BasicAckOptions::default()).await;
    let _ = channel.close(200, "read".into()).await;
    name.ok_or_else(|| BrokerError::Unavailable("the stream that names the store holds something else".into()))
}

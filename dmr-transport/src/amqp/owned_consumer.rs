//! A consumer and its channel, which end together and in order.
//!
//! Dropped by themselves they would be cancelled and closed by two tasks of the library at once, and the later one would take the
//! connection with it.

use futures_util::StreamExt as _;
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::runtime::Handle;

use super::connection::Open;
use super::errors::unavailable;
use super::owned_channel::OwnedChannel;
use super::topology::short;
use crate::broker::BrokerError;

/// Consumes a queue on a channel of its own, acknowledging.
#[derive(Debug)]
pub(super) struct OwnedConsumer(Option<(OwnedChannel, Consumer)>);

impl OwnedConsumer {
    /// Consumes a queue, with at most so many deliveries unsettled.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    ///
    /// # Cancel safety
    /// Safe: a consumer that was being made goes with its channel.
    pub(super) async fn open(
        open: &Open,
        queue: &str,
        prefetch: u16,
        options: BasicConsumeOptions,
        arguments: FieldTable,
    ) -> Result<Self, BrokerError> {
        let channel = open.channel().await?;
        Self::on(channel, queue, prefetch, options, arguments).await
    }

    /// The same on a channel that is there already.
    ///
    /// # Errors
    /// [`BrokerError::Unavailable`].
    pub(super) async fn on(
        channel: OwnedChannel,
        queue: &str,
        prefetch: u16,
        options: BasicConsumeOptions,
        arguments: FieldTable,
    ) -> Result<Self, BrokerError> {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(|error| unavailable(&error))?;
        let consumer = channel.basic_consume(short(queue), short(""), options, arguments).await;
        let consumer = consumer.map_err(|error| unavailable(&error))?;
        Ok(Self(Some((channel, consumer))))
    }

    /// The next delivery.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`].
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn next(&mut self) -> Result<Delivery, BrokerError> {
        let (_, consumer) = self.0.as_mut().ok_or(BrokerError::SubscriptionEnded)?;
        match consumer.next().await {
            Some(Ok(delivery)) => Ok(delivery),
            Some(Err(_)) | None => Err(BrokerError::SubscriptionEnded),
        }
    }

    /// Acknowledges a delivery.
    ///
    /// # Errors
    /// [`BrokerError::SubscriptionEnded`].
    pub(super) async fn acknowledge(&self, tag: u64) -> Result<(), BrokerError> {
        let (channel, _) = self.0.as_ref().ok_or(BrokerError::SubscriptionEnded)?;
        let acknowledged = channel.basic_ack(tag, BasicAckOptions::default()).await;
        acknowledged.map_err(|_| BrokerError::SubscriptionEnded)
    }
}

impl Drop for OwnedConsumer {
    fn drop(&mut self) {
        let Some((channel, consumer)) = self.0.take() else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                channel.close().await;
                drop(consumer);
            });
        }
    }
}

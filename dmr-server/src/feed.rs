//! The feed: one link's subscription, made again with a backoff when the broker ends it.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use dmr_core::backoff::{Backoff, BackoffConfig};
use dmr_core::id::ParticipantId;
use dmr_transport::{Broker, BrokerError, Disposition, Subscription, Tag};
use tokio::time::{Instant, Sleep, sleep_until};

/// Time for what is still to be settled when a link ends.
const FINISH: Duration = Duration::from_secs(2);

/// Delays between attempts to subscribe again. The broker's handle knows by itself when there is a connection again, so
/// asking often costs little, and waiting long would keep an agent without its messages.
const AGAIN: BackoffConfig = BackoffConfig { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// How long a feed that gave a delivery back takes nothing, so that another replica of the participant may have it.
const AFTER_REQUEUE: Duration = Duration::from_millis(5);

/// What a feed yields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fed {
    /// The mailbox can be read from now on. Said once, not after each new subscription.
    Subscribed,
    /// An envelope from the mailbox.
    Delivery {
        /// To settle it by, on this feed.
        number: u64,
        /// 1 for the first attempt.
        attempt: u32,
        /// The envelope.
        envelope: Bytes,
    },
}

/// Yields the deliveries of one mailbox and settles them.
///
/// Deliveries are numbered by the feed, not by the broker: what a subscription that ended had delivered is forgotten
/// here and comes again, and its old number settles nothing. Its memory is bounded by the prefetch.
#[derive(Debug)]
pub(crate) struct Feed<B: Broker> {
    broker: B,
    mailbox: ParticipantId,
    prefetch: u16,
    state: State<B>,
    announced: bool,
    backoff: Backoff,
    last_number: u64,
    unsettled: BTreeMap<u64, Tag>,
    settlements: VecDeque<(u64, Disposition)>,
    /// Nothing is taken before.
    pause: Option<Instant>,
}

type Subscribing<B> = Pin<Box<dyn Future<Output = Result<<B as Broker>::Subscription, BrokerError>> + Send>>;

enum State<B: Broker> {
    Subscribing(Subscribing<B>),
    Live(B::Subscription),
    Waiting(Pin<Box<Sleep>>),
}

impl<B: Broker> std::fmt::Debug for State<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Subscribing(_) => "Subscribing",
            Self::Live(_) => "Live",
            Self::Waiting(_) => "Waiting",
        })
    }
}

impl<B: Broker> Feed<B> {
    /// A feed that subscribes when it is first asked. Feeds with another seed come back at other times.
    pub(crate) fn new(broker: B, mailbox: ParticipantId, prefetch: u16, seed: u64) -> Self {
        let state = State::Subscribing(subscribe(broker.clone(), mailbox, prefetch));
        Self {
            broker,
            mailbox,
            prefetch,
            state,
            announced: false,
            backoff: Backoff::new(AGAIN, seed),
            last_number: 0,
            unsettled: BTreeMap::new(),
            settlements: VecDeque::new(),
            pause: None,
        }
    }

    /// Settles a delivery with the next call of [`Self::next`]. An unknown number changes nothing.
    pub(crate) fn settle(&mut self, number: u64, disposition: Disposition) {
        if self.unsettled.contains_key(&number) {
            self.settlements.push_back((number, disposition));
        }
    }

    /// Whether [`Self::next`] has anything to do when no delivery is wanted.
    pub(crate) fn is_busy(&self) -> bool {
        !self.settlements.is_empty() || !matches!(self.state, State::Live(_))
    }

    /// Settles what is to be settled; then, if one is wanted, waits for a delivery. `None`: only settled.
    ///
    /// # Cancel safety
    /// Safe: a delivery is either returned or still in the mailbox, and a settlement that was not finished is made
    /// again.
    pub(crate) async fn next(&mut self, wanted: bool) -> Option<Fed> {
        loop {
            match &mut self.state {
                State::Waiting(sleep) => {
                    sleep.as_mut().await;
                    let subscribing = subscribe(self.broker.clone(), self.mailbox, self.prefetch);
                    self.state = State::Subscribing(subscribing);
                }
                State::Subscribing(subscribing) => match subscribing.as_mut().await {
                    Ok(subscription) => {
                        self.backoff.reset();
                        self.state = State::Live(subscription);
                        if !std::mem::replace(&mut self.announced, true) {
                            return Some(Fed::Subscribed);
                        }
                    }
                    Err(error) => self.wait(&error),
                },
                State::Live(subscription) => {
                    if wanted
                        && self.settlements.is_empty()
                        && let Some(pause) = self.pause
                    {
                        sleep_until(pause).await;
                        self.pause = None;
                    }
                    match step(subscription, &mut self.settlements, &self.unsettled, wanted).await {
                        Ok(Step::Settled(number)) => {
                            if let Some((_, Disposition::Requeue)) = self.settlements.pop_front() {
                                self.pause = Some(Instant::now() + AFTER_REQUEUE);
                            }
                            self.unsettled.remove(&number);
                        }
                        Ok(Step::Idle) => return None,
                        Ok(Step::Delivered(delivery)) => {
                            self.last_number += 1;
                            self.unsettled.insert(self.last_number, delivery.tag);
                            let (attempt, envelope) = (delivery.attempt, delivery.envelope);
                            return Some(Fed::Delivery { number: self.last_number, attempt, envelope });
                        }
                        Err(error) => self.wait(&error),
                    }
                }
            }
        }
    }

    /// Settles what is to be settled, for at most two seconds, and ends. The rest goes back to the mailbox.
    pub(crate) async fn finish(mut self) {
        if matches!(self.state, State::Live(_)) && !self.settlements.is_empty() {
            // Too late is the same as never: the broker delivers again.
            let _ = tokio::time::timeout(FINISH, self.next(false)).await;
        }
    }

    fn wait(&mut self, error: &BrokerError) {
        self.unsettled.clear();
        self.settlements.clear();
        let delay = self.backoff.next_delay();
        tracing::warn!(mailbox = %self.mailbox, %error, ?delay, "no subscription; subscribing again");
        self.state = State::Waiting(Box::pin(tokio::time::sleep(delay)));
    }
}

enum Step {
    Settled(u64),
    Idle,
    Delivered(dmr_transport::Delivery),
}

async fn step<S: Subscription>(
    subscription: &mut S,
    settlements: &mut VecDeque<(u64, Disposition)>,
    unsettled: &BTreeMap<u64, Tag>,
    wanted: bool,
) -> Result<Step, BrokerError> {
    if let Some(&(number, disposition)) = settlements.front() {
        if let Some(&tag) = unsettled.get(&number) {
            subscription.settle(tag, disposition).await?;
        }
        return Ok(Step::Settled(number));
    }
    if wanted { subscription.next().await.map(Step::Delivered) } else { Ok(Step::Idle) }
}

/// Declares the mailbox if the broker lost it, then subscribes.
fn subscribe<B: Broker>(broker: B, mailbox: ParticipantId, prefetch: u16) -> Subscribing<B> {
    Box::pin(async move {
        match broker.subscribe(mailbox, prefetch).await {
            Err(BrokerError::UnknownMailbox(_)) => {
                broker.declare(&[mailbox]).await?;
                broker.subscribe(mailbox, prefetch).await
            }
            outcome => outcome,
        }
    })
}

#[cfg(test)]
mod tests;

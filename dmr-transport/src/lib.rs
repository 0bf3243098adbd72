//! Links and brokers of DMR.

mod broker;
mod link;

pub use broker::{
    Broker, BrokerError, DeadLetter, DeadLetters, Delivery, Depth, Disposition, Publication, PublishError,
    Subscription, Tag,
};
pub use link::{Link, LinkError, LinkReceiver, LinkSender, Received};

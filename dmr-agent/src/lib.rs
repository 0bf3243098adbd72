//! The agent of DMR.

mod agent;
mod api;
mod clock;
mod command;
mod config;
mod delivery;
mod dialer;
mod directory_keeper;
mod error;
mod exchange;
mod json_message;
mod limits;
mod link_driver;
mod message;
mod message_view;
mod observe;
pub mod program;
mod questions;
mod records;
mod sealing;
mod service;
mod webhook;

pub use agent::Agent;
pub use api::BearerToken;
pub use clock::Clock;
pub use config::AgentConfig;
pub use delivery::{Deliveries, Delivery};
pub use dialer::Dialer;
pub use error::{AskError, ConnectError, SendError, Unsealable};
pub use json_message::MESSAGE_TYPE;
pub use limits::Limits;
pub use message::{Accepted, Answer, IncomingMessage, OutgoingMessage};
pub use records::MessageStatus;
pub use service::{Service, ServiceConfig, ServiceError};
pub use webhook::{CallerError, WebhookConfig, WebhookUrl, WebhookUrlError};

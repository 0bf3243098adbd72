//! How an agent opens a link to the server it chose.

use std::future::Future;

use dmr_transport::websocket::{ServerAddress, WebSocketDialer, WebSocketLink};
use dmr_transport::{Link, LinkError};

/// Opens links to the servers of an agent's list.
pub trait Dialer: Send + Sync + 'static {
    /// The kind of link.
    type Link: Link;

    /// Opens a link to the server at this position in the list.
    ///
    /// # Errors
    /// [`LinkError`]: nothing is open then. The agent tries another server, with backoff.
    ///
    /// # Cancel safety
    /// Dropped, nothing stays open.
    fn dial(&self, server: usize) -> impl Future<Output = Result<Self::Link, LinkError>> + Send;
}

/// Dials the addresses of a list over WebSockets.
#[derive(Debug, Clone)]
pub(crate) struct AddressDialer {
    pub(crate) dialer: WebSocketDialer,
    pub(crate) servers: Vec<ServerAddress>,
}

impl Dialer for AddressDialer {
    type Link = WebSocketLink;

    async fn dial(&self, server: usize) -> Result<WebSocketLink, LinkError> {
        match self.servers.get(server) {
            Some(address) => self.dialer.dial(address).await,
            None => Err(LinkError::Address("no server at this position of the list".into())),
        }
    }
}

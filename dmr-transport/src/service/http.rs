//! An HTTP listener with the bounds that `axum::serve` cannot set.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::impatient::Impatient;

/// Pause after a failed accept: the usual cause, no free descriptor, does not pass by asking again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bounds of an HTTP listener. Bodies are the router's to bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once. Default 256. Past it, connections wait in the kernel's queue.
    pub connections: usize,
    /// Time for a request's headers, and so also how long a connection may stay without a request. Default 5 s.
    pub header_timeout: Duration,
    /// Headers of a request. Default 64; more get 431.
    pub headers: usize,
    /// Bytes of a request's line and headers. Default 16 KiB; more get 431.
    pub header_bytes: usize,
    /// Time for a caller to take the next part of an answer. Default 10 s: too small cuts off slow callers, too large
    /// lets those that do not read hold connections.
    pub write_timeout: Duration,
    /// Time that requests in progress have left at shutdown. Default 5 s.
    pub grace: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        let (five, ten) = (Duration::from_secs(5), Duration::from_secs(10));
        Self {
            connections: 256,
            header_timeout: five,
            headers: 64,
            header_bytes: 16 << 10,
            write_timeout: ten,
            grace: five,
        }
    }
}

/// Serves the router on the listener until `shutdown`, then finishes what is in progress within the grace period.
///
/// Each request carries the caller's address as [`ConnectInfo<SocketAddr>`].
pub async fn serve(listener: TcpListener, router: Router, limits: HttpLimits, shutdown: impl Future<Output = ()>) {
    let connections = Arc::new(Semaphore::new(limits.connections));
    let draining = watch::Sender::new(false);
    let mut shutdown = pin!(shutdown);
    let mut refused = false;
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &connections) => accepted,
        };
        match accepted {
            Ok((stream, peer, permit)) => {
                refused = false;
                let connection = connection(stream, peer, router.clone(), limits, draining.subscribe());
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                // Once for each time that it begins: it may go on ten times a second.
                if !std::mem::replace(&mut refused, true) {
                    tracing::warn!(%error, "no HTTP connection could be accepted");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    draining.send_replace(true);
    // Connections hold a receiver each: all are gone when the channel has none.
    if timeout(limits.grace, draining.closed()).await.is_err() {
        tracing::warn!("HTTP requests were cut off at the end of the grace period");
    }
}

async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Serves one connection until it ends, or until the grace period does.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: HttpLimits,
    mut draining: watch::Receiver<bool>,
) {
    // Answers are small and whole; waiting to fill a segment only delays them. Without it they still arrive.
    let _ = stream.set_nodelay(true);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_headers(limits.headers)
        .max_header_size(limits.header_bytes)
        .serve_connection(TokioIo::new(Impatient::new(stream, limits.write_timeout)), service);
    let mut served = pin!(served);
    let drained = async {
        // An error means that the listener is gone, which is no less an end.
        let _ = draining.wait_for(|draining| *draining).await;
    };
    let mut outcome = tokio::select! {
        outcome = served.as_mut() => Some(outcome),
        () = drained => None,
    };
    if outcome.is_none() {
        served.as_mut().graceful_shutdown();
        outcome = timeout(limits.grace, served).await.ok();
    }
    if let Some(Err(error)) = outcome {
        tracing::debug!(%peer, %error, "HTTP connection ended");
    }
}

//! The baseline: a frame goes to another process over a bare WebSocket and comes back, with nothing done to it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use bytes::Bytes;
use dmr_tests::failure::{Doing as _, Failure, Outcome};
use dmr_transport::websocket::{AcceptConfig, DialerConfig, WebSocketDialer, accept};
use dmr_transport::{Link, LinkReceiver, LinkSender, Received};
use tokio::net::TcpListener;

use super::spread::Spread;

/// Frames that warm the connection up, and frames that count.
const ROUNDS: (usize, usize) = (200, 2_000);

/// Sends back whatever comes, for one link at a time. Returns where.
///
/// # Errors
/// [`Failure`] when it cannot listen.
pub async fn serve() -> Outcome<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing("listening for an echo")?;
    let address = listener.local_addr().doing("listening for an echo")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(link) = accept(stream, &AcceptConfig::default()).await else { continue };
            let (mut sender, mut receiver) = link.split();
            while let Ok(Received::Frame(frame)) = receiver.receive().await {
                if send(&mut sender, frame).await.is_err() {
                    break;
                }
            }
        }
    });
    Ok(address)
}

/// How long a frame of so many bytes takes there and back, one at a time.
///
/// # Errors
/// [`Failure`] when the link breaks.
pub async fn measure(address: SocketAddr, len: usize) -> Outcome<Spread> {
    let address = format!("ws://{address}").parse().doing("the echo's address")?;
    let link = WebSocketDialer::new(DialerConfig::default()).dial(&address).await.doing("a link to the echo")?;
    let (mut sender, mut receiver) = link.split();
    let (frame, mut spread) = (Bytes::from(vec![0x5a; len]), Spread::default());
    for round in 0..ROUNDS.0 + ROUNDS.1 {
        let began = Instant::now();
        send(&mut sender, frame.clone()).await?;
        match receiver.receive().await.doing("an echo")? {
            Received::Frame(echo) if echo.len() == len => {}
            _ => return Err(Failure::new("the echo sent something else")),
        }
        if round >= ROUNDS.0 {
            spread.add(began.elapsed());
        }
    }
    Ok(spread)
}

/// One frame, on its way when this returns.
///
/// # Errors
/// [`Failure`] when the link is over.
pub async fn send(sender: &mut impl LinkSender, frame: Bytes) -> Outcome {
    sender.ready().await.doing("waiting for room")?;
    sender.queue(frame).doing("queueing a frame")?;
    sender.flush().await.doing("sending a frame")
}

//! The server as a part of another program: bind, ask for the address, serve until told to stop.
//!
//! ```text
//! cargo run -p dmr-examples --bin relay -- [SECONDS]
//! ```

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmr_core::frame::{Challenge, ServerFrame};
use dmr_core::time::Timestamp;
use dmr_crypto::authority;
use dmr_server::{Server, ServerConfig};
use dmr_transport::websocket::{DialerConfig, WebSocketDialer};
use dmr_transport::{Link, LinkReceiver, Received};
use tokio::sync::oneshot;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).as_deref().unwrap_or("1").parse()?;

    // A network without participants yet: its keeper would add their cards to the file while the server runs.
    let now = Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
    let network = authority::found("demo".parse()?, now, Duration::from_hours(24))?;
    let files = tempfile::tempdir()?;
    let path = files.path().join("directory.jws");
    std::fs::write(&path, network.directory.bundle())?;

    let mut config = ServerConfig::new(path, network.pin, "relay".parse()?);
    config.listen = "127.0.0.1:0".parse()?; // port 0: the system chooses
    config.admin = Some("127.0.0.1:0".parse()?);
    config.limits.connections = 100;
    let server = Server::bind(config).await?;
    let address = format!("ws://{}", server.local_addr()).parse()?;
    println!("agents connect to   {address}");
    println!("operators look at   {:?}", server.admin_addr());

    // Any future may say when to stop: here, so long after what follows. Links are told to go elsewhere, and get the
    // grace period to finish.
    let (looked, has_looked) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async move {
        // Dropped is said, too.
        let _ = has_looked.await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }));

    // What everyone who connects is told before a login.
    let (_sender, mut receiver) = WebSocketDialer::new(DialerConfig::default()).dial(&address).await?.split();
    if let Received::Frame(frame) = receiver.receive().await?
        && let ServerFrame::Challenge { challenge, .. } = ServerFrame::decode(&frame)?
    {
        let challenge = Challenge::decode(&challenge)?;
        println!("the first frame     server {} of network {}", challenge.server, challenge.network);
    }

    drop(looked);
    serving.await?;
    println!("served for {seconds} s and stopped");
    Ok(())
}

//! Two institutions and a server in one process: the simplest use of the library.
//!
//! ```text
//! cargo run -p dmr-examples --bin ask_another_office
//! ```
//!
//! Between institutions each of the three runs on a machine of its own, and the directory comes from its keeper.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dmr_agent::{Agent, AgentConfig, Answer, OutgoingMessage};
use dmr_core::directory::Validity;
use dmr_core::header::Suite;
use dmr_core::time::Timestamp;
use dmr_crypto::{Keyring, authority};
use dmr_examples::police;
use dmr_server::{Server, ServerConfig};
use dmr_transport::websocket::ServerAddress;

const DAY: Duration = Duration::from_hours(24);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Keys of both institutions, and a directory that lists them.
    let now = Timestamp(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?);
    let validity = Validity { not_before: now, not_after: now.plus(90 * DAY) };
    let keys = |id: &str, name: &str| -> Result<Keyring, Box<dyn Error>> {
        Ok(Keyring::generate(id.parse()?, name.parse()?, Suite::X25519, validity)?)
    };
    let tax = keys("0193a5c8-7e1d-7cc2-8f4e-000000000001", "tax-authority")?;
    let police = keys("0193a5c8-7e1d-7cc2-8f4e-000000000002", "police")?;
    let to_police = police.participant();
    let network = authority::found("demo".parse()?, now, 30 * DAY)?;
    let (pin, cards) = (network.pin, [tax.card(), police.card()]);
    let directory = authority::add(&network.directory, &pin, &network.directory_key, &cards, now, 30 * DAY)?;

    // The server. It is given the directory and no key.
    let files = tempfile::tempdir()?;
    let path = files.path().join("directory.jws");
    std::fs::write(&path, directory.bundle())?;
    let mut config = ServerConfig::new(path, pin.clone(), "relay".parse()?);
    config.listen = "127.0.0.1:0".parse()?;
    config.admin = None;
    let server = Server::bind(config).await?;
    let address: ServerAddress = format!("ws://{}", server.local_addr()).parse()?;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));

    // The Police's agent answers whatever it is asked.
    let police = Agent::connect(AgentConfig::new(police, pin.clone(), vec![address.clone()])).await?;
    let mut deliveries = police.deliveries().ok_or("the stream exists once")?;
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            let words = String::from_utf8_lossy(&delivery.message.content.body).into_owned();
            // Nothing is acknowledged before this: dropped, the delivery would come again.
            if let Err(error) = delivery.answer(Answer::new("text/plain", police::reply(&words))).await {
                println!("not answered: {error}");
            }
        }
    });

    // The Tax Authority's agent asks.
    let tax = Agent::connect(AgentConfig::new(tax, pin, vec![address])).await?;
    tokio::time::timeout(Duration::from_secs(10), tax.ready()).await?;
    let words = "Is the vehicle of report 2026-00417 still recorded as stolen?";
    println!("tax-authority asks: {words}");
    let question = OutgoingMessage::question(to_police, "text/plain", words);
    let answer = tax.ask(question, Duration::from_secs(10)).await?;
    println!("police answers:     {}", String::from_utf8_lossy(&answer.content.body));

    tax.shutdown().await;
    police.shutdown().await;
    let _ = stop.send(());
    serving.await?;
    Ok(())
}

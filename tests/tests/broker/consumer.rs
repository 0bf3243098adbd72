//! A consumer that speaks just enough AMQP 0-9-1 to see how the broker ends it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use dmr_tests::failure::{Doing as _, Outcome};
use dmr_tests::rabbitmq::{Node, shared};
use serde_json::json;

/// Class and method of what the broker says, as the specification numbers them.
const CONSUME_OK: (u16, u16) = (60, 21);
const CHANNEL_CLOSE: (u16, u16) = (20, 40);
const CONNECTION_CLOSE: (u16, u16) = (10, 50);
const CANCEL: (u16, u16) = (60, 30);

struct Consumer(TcpStream);

impl Consumer {
    /// Consumes from a queue of the default virtual host, over one channel of one connection.
    fn start(node: &Node, queue: &str) -> Outcome<Self> {
        let address = node.amqp_url().rsplit('@').next().doing("an address")?.to_owned();
        let stream = TcpStream::connect(&address).doing(&address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).doing("a limit")?;
        let mut consumer = Self(stream);
        consumer.0.write_all(b"AMQP\x00\x00\x09\x01").doing("the greeting")?;
        consumer.hears((10, 10))?;
        // That it wants to be told when its queue is deleted; mechanism, answer, locale.
        let wish = [&short("consumer_cancel_notify")[..], b"t\x01"].concat();
        let capabilities = [&short("capabilities")[..], b"F", &long(&wish)].concat();
        let answer = [&long(&capabilities)[..], &short("PLAIN"), &long(b"\0guest\0guest"), &short("en_US")].concat();
        consumer.say(0, (10, 11), &answer)?;
        // Tune: 2047 channels, 128 KiB, no heartbeats.
        consumer.hears((10, 30))?;
        consumer.say(0, (10, 31), &[7, 255, 0, 2, 0, 0, 0, 0])?;
        consumer.say(0, (10, 40), &[&short("/")[..], &[0, 0]].concat())?;
        consumer.hears((10, 41))?;
        consumer.say(1, (20, 10), &[0])?;
        consumer.hears((20, 11))?;
        let consume = [&[0, 0][..], &short(queue), &short("drill"), &[0], &long(&[])].concat();
        consumer.say(1, (60, 20), &consume)?;
        consumer.hears(CONSUME_OK)?;
        Ok(consumer)
    }

    fn say(&mut self, channel: u8, method: (u16, u16), arguments: &[u8]) -> Outcome {
        let method = [&method.0.to_be_bytes()[..], &method.1.to_be_bytes(), arguments].concat();
        let frame = [&[1, 0, channel][..], &long(&method), &[0xce]].concat();
        self.0.write_all(&frame).doing("a frame")
    }

    /// Reads the next method, which must be this one, and returns its arguments.
    fn hears(&mut self, method: (u16, u16)) -> Outcome<Vec<u8>> {
        let (mut head, mut length) = ([0; 3], [0; 4]);
        self.0.read_exact(&mut head).doing("a frame's kind and channel")?;
        self.0.read_exact(&mut length).doing("a frame's length")?;
        let length = u32::from_be_bytes(length);
        let mut frame = vec![0; usize::try_from(length).doing("a length")? + 1];
        self.0.read_exact(&mut frame).doing("a frame")?;
        let [a, b, c, d] = *frame.first_chunk().doing("a method")?;
        let heard = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        assert_eq!(heard, method, "{}", String::from_utf8_lossy(&frame));
        Ok(frame.split_off(4))
    }

    /// The same, of which the first two bytes are the broker's reason.
    fn is_told(&mut self, method: (u16, u16)) -> Outcome<u16> {
        self.hears(method)?.first_chunk().map(|reason| u16::from_be_bytes(*reason)).doing("a reason")
    }
}

fn short(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap_or_default()], text.as_bytes()].concat()
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes(), bytes].concat()
}

#[tokio::test]
async fn what_is_done_to_a_consumer_is_what_a_broker_does() -> Outcome {
    let node = shared().await?;
    let queue = json!({ "durable": true, "arguments": { "x-queue-type": "quorum" } });
    node.declare_queue("consumed", &queue).await?;
    let one = async || {
        let consumer = Consumer::start(node, "consumed")?;
        node.queue_when("consumed", "has a consumer", |facts| facts.consumers == 1).await?;
        Ok(consumer)
    };

    let mut consumer = one().await?;
    assert_eq!(node.kill_channels_of_consumers("consumed").await?, 1);
    assert_eq!(consumer.is_told(CHANNEL_CLOSE)?, 406, "as for an acknowledgement that does not come");
    drop(consumer);
    node.queue_when("consumed", "has no consumer", |facts| facts.consumers == 0).await?;

    let mut consumer = one().await?;
    assert_eq!(node.close_connections_of_consumers("consumed").await?, 1);
    assert_eq!(consumer.is_told(CONNECTION_CLOSE)?, 320);
    drop(consumer);
    node.queue_when("consumed", "has no consumer", |facts| facts.consumers == 0).await?;

    let mut consumer = one().await?;
    node.kill_member("consumed").await?;
    node.queue_when("consumed", "is led again", |facts| facts.leader.is_some() && facts.consumers == 1).await?;
    node.delete_queue("consumed").await?;
    consumer.hears(CANCEL)?;
    assert_eq!(node.queue_facts("consumed").await?, None);
    Ok(())
}

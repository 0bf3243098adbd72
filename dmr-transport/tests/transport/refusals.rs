//! What a WebSocket link refuses, and what the other side is told.

use std::time::Duration;

use dmr_core::limit;
use dmr_transport::websocket::{AcceptConfig, DialerConfig, PATH, WebSocketDialer, WebSocketReceiver, accept};
use dmr_transport::{Link, LinkError, LinkReceiver, Received};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::network::{Authority, listener, meet};

const SOON: Duration = Duration::from_secs(10);

/// A stranger's connection to a listener that accepts one link.
struct Stranger {
    stream: TcpStream,
    accepted: tokio::task::JoinHandle<Result<dmr_transport::websocket::WebSocketLink, LinkError>>,
}

impl Stranger {
    async fn connect(accepting: AcceptConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let accepted = tokio::spawn(async move { accept(server, &accepting).await });
        Self { stream, accepted }
    }

    /// A connection that has upgraded, without a WebSocket library, and the server's receiving half.
    async fn upgraded() -> (TcpStream, WebSocketReceiver) {
        let mut stranger = Self::connect(AcceptConfig::default()).await;
        stranger.say(request("").as_bytes()).await;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stranger.stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        let (_sender, receiver) = stranger.accepted.await.unwrap().unwrap().split();
        (stranger.stream, receiver)
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// What the stranger hears until the end, and what the listener made of it.
    async fn end(mut self) -> (String, LinkError) {
        let refusal = timeout(SOON, self.accepted).await.unwrap().unwrap().unwrap_err();
        let mut heard = Vec::new();
        // A reset instead of an end is an end too.
        let _ = timeout(SOON, self.stream.read_to_end(&mut heard)).await.unwrap();
        (String::from_utf8_lossy(&heard).into_owned(), refusal)
    }
}

/// An upgrade request, with these headers besides the necessary ones.
fn request(more: &str) -> String {
    request_to(PATH, &format!("Sec-WebSocket-Protocol: dmr.v1\r\n{more}"))
}

fn request_to(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
}

/// What becomes of an upgrade request: the status line's code and the refusal.
async fn refused(request: &str) -> (String, LinkError) {
    let mut stranger = Stranger::connect(AcceptConfig::default()).await;
    stranger.say(request.as_bytes()).await;
    let (heard, refusal) = stranger.end().await;
    (heard.split(' ').nth(1).unwrap_or("nothing").to_owned(), refusal)
}

#[tokio::test]
async fn an_upgrade_without_exactly_our_subprotocol_gets_400() {
    let other = "Sec-WebSocket-Protocol: chat\r\n";
    let among = "Sec-WebSocket-Protocol: chat, dmr.v1\r\n";
    let twice = "Sec-WebSocket-Protocol: dmr.v1\r\nSec-WebSocket-Protocol: dmr.v1\r\n";
    for headers in ["", other, among, twice, "Sec-WebSocket-Protocol: DMR.v1\r\n"] {
        let (status, refusal) = refused(&request_to(PATH, headers)).await;
        assert_eq!(status, "400", "{headers}");
        assert!(matches!(refusal, LinkError::Handshake(_)), "{refusal}");
    }
}

#[tokio::test]
async fn an_upgrade_from_a_web_page_gets_403() {
    let (status, refusal) = refused(&request("Origin: https://example.org\r\n")).await;
    assert_eq!(status, "403");
    assert!(matches!(refusal, LinkError::Handshake(_)), "{refusal}");
}

#[tokio::test]
async fn an_upgrade_on_another_path_gets_404() {
    for path in ["/", "/v1/link/", "/v1/messages"] {
        let (status, _) = refused(&request_to(path, "Sec-WebSocket-Protocol: dmr.v1\r\n")).await;
        assert_eq!(status, "404", "{path}");
    }
}

#[tokio::test]
async fn more_than_32_headers_get_431() {
    let many: String = (0..30).map(|number| format!("X-{number}: y\r\n")).collect();
    let (status, _) = refused(&request(&many)).await;
    assert_eq!(status, "431");
}

#[tokio::test]
async fn more_than_8_kib_of_headers_end_the_connection() {
    let mut stranger = Stranger::connect(AcceptConfig::default()).await;
    let long = request(&format!("X-Long: {}\r\n", "x".repeat(32 << 10)));
    let _ = stranger.stream.write_all(long.as_bytes()).await;
    let (_, refusal) = stranger.end().await;
    assert!(matches!(refusal, LinkError::Handshake(_)), "{refusal}");
}

#[tokio::test]
async fn what_is_not_an_upgrade_ends_the_connection() {
    for request in [
        "hello\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /v1/link HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /v1/link HTTP/1.0\r\nHost: x\r\n\r\n",
        "\u{1}\u{2}\u{3}\u{fffd}\r\n\r\n",
    ] {
        let (_, refusal) = refused(request).await;
        assert!(matches!(refusal, LinkError::Handshake(_)), "{request:?}: {refusal}");
    }
    let mut stranger = Stranger::connect(AcceptConfig::default()).await;
    stranger.say(b"GET /v1/link HTT").await;
    stranger.stream.shutdown().await.unwrap();
    assert!(matches!(stranger.end().await.1, LinkError::Handshake(_)));
}

#[tokio::test]
async fn headers_that_trickle_in_and_silence_both_end_at_the_timeout() {
    let accepting = AcceptConfig { upgrade_timeout: Duration::from_millis(300), ..AcceptConfig::default() };
    let silent = Stranger::connect(accepting.clone()).await;
    assert!(matches!(silent.end().await.1, LinkError::Timeout(_)));

    let mut slow = Stranger::connect(accepting).await;
    let begun = Instant::now();
    while !slow.accepted.is_finished() {
        slow.say(b"G").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < SOON, "the trickle was tolerated");
    }
    assert!(matches!(slow.accepted.await.unwrap(), Err(LinkError::Timeout(_) | LinkError::Handshake(_))));
}

#[tokio::test]
async fn a_connection_that_is_silent_before_tls_ends_at_the_timeout() {
    let tls = Some(Authority::shared().server());
    let accepting = AcceptConfig { tls, tls_timeout: Duration::from_millis(300), ..AcceptConfig::default() };
    let silent = Stranger::connect(accepting).await;
    assert!(matches!(silent.end().await.1, LinkError::Timeout(_)));
}

/// What a server's receiver makes of these bytes after an upgrade, and the close code it answers with.
async fn close_code(bytes: &[u8]) -> (LinkError, Option<u16>) {
    let (mut stream, mut receiver) = Stranger::upgraded().await;
    let said = async {
        // The server may have ended the link before all of it is said.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
    };
    let ((), outcome) = tokio::join!(said, timeout(SOON, receiver.receive()));
    drop(receiver);
    let mut heard = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut heard)).await.unwrap();
    // 0x88: a final close frame; a length; the code.
    let code = match heard.as_slice() {
        [0x88, 2, high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    };
    (outcome.unwrap().unwrap_err(), code)
}

/// A masked WebSocket frame with a mask of zeros.
fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap();
    [&[first, 0x80 | len, 0, 0, 0, 0], content].concat()
}

#[tokio::test]
async fn broken_rules_end_the_link_with_1002() {
    let unmasked = vec![0x82, 3, 1, 2, 3];
    for (rule, bytes) in [
        ("an unmasked frame", unmasked),
        ("a reserved bit", masked(0xc2, b"abc")),
        ("an unknown opcode", masked(0x83, b"abc")),
        ("an unknown control opcode", masked(0x8b, b"")),
        ("a continuation of nothing", masked(0x80, b"abc")),
        ("a fragmented ping", masked(0x09, b"abc")),
        ("a new message inside another", [masked(0x02, b"a"), masked(0x82, b"b")].concat()),
    ] {
        let (error, code) = close_code(&bytes).await;
        assert!(matches!(error, LinkError::Protocol(_)), "{rule}: {error}");
        assert_eq!(code, Some(1002), "{rule}");
    }
}

#[tokio::test]
async fn a_text_frame_ends_the_link_with_1003() {
    let (error, code) = close_code(&masked(0x81, b"text")).await;
    assert!(matches!(error, LinkError::Protocol(_)), "{error}");
    assert_eq!(code, Some(1003));
}

#[tokio::test]
async fn a_frame_too_long_ends_the_link_with_1009_even_when_all_of_it_was_sent() {
    let len = limit::FRAME + 1;
    let mut bytes = vec![0x82, 0xff];
    bytes.extend(u64::try_from(len).unwrap().to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(vec![0; len]);
    let (error, code) = close_code(&bytes).await;
    assert!(matches!(error, LinkError::FrameTooLarge { limit } if limit == limit::FRAME), "{error}");
    assert_eq!(code, Some(1009));
}

#[tokio::test]
async fn fragments_that_together_are_too_long_end_the_link_with_1009() {
    let fragment = 100_000_u32;
    let mut bytes = Vec::new();
    for number in 0..14 {
        bytes.extend([if number == 0 { 0x02 } else { 0x00 }, 0xff, 0, 0, 0, 0]);
        bytes.extend(fragment.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(vec![0; 100_000]);
    }
    let (error, code) = close_code(&bytes).await;
    assert!(matches!(error, LinkError::FrameTooLarge { .. }), "{error}");
    assert_eq!(code, Some(1009));
}

#[tokio::test]
async fn input_beyond_a_bound_ends_the_link_with_1009_and_lifting_it_lets_all_through() {
    let (mut stream, mut receiver) = Stranger::upgraded().await;
    receiver.limit_input(Some(4 << 10));
    stream.write_all(&masked(0x82, &[7; 100])).await.unwrap();
    assert!(matches!(receiver.receive().await, Ok(Received::Frame(frame)) if frame.len() == 100));
    receiver.limit_input(None);
    for _ in 0..100 {
        stream.write_all(&masked(0x82, &[7; 100])).await.unwrap();
        receiver.receive().await.unwrap();
    }
    receiver.limit_input(Some(4 << 10));
    let flood = masked(0x89, &[7; 100]).repeat(1_000);
    let (_, outcome) = tokio::join!(stream.write_all(&flood), timeout(SOON, receiver.receive()));
    assert!(matches!(outcome.unwrap(), Err(LinkError::FrameTooLarge { .. })));
}

#[tokio::test]
async fn a_ping_is_answered_and_close_codes_that_are_not_ours_have_no_reason() {
    let (mut stream, mut receiver) = Stranger::upgraded().await;
    stream.write_all(&masked(0x89, b"are you there")).await.unwrap();
    stream.write_all(&masked(0x88, &1000_u16.to_be_bytes())).await.unwrap();
    assert_eq!(receiver.receive().await.unwrap(), Received::Closed(None));
    drop(receiver);
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard[..15], [&[0x8a, 13], &b"are you there"[..]].concat());
}

#[tokio::test]
async fn tls_to_a_plain_port_and_plain_to_a_tls_port_both_fail() {
    let authority = Authority::shared();
    let quick = Duration::from_millis(500);
    let dialing = DialerConfig { tls: Some(authority.client()), tls_timeout: quick, ..DialerConfig::default() };
    let accepting = AcceptConfig { upgrade_timeout: quick, ..AcceptConfig::default() };
    let (agent, server) = meet("wss", dialing, accepting).await;
    assert!(agent.is_err() && server.is_err());

    let accepting = AcceptConfig { tls: Some(authority.server()), ..AcceptConfig::default() };
    let (agent, server) = meet("ws", DialerConfig::default(), accepting).await;
    assert!(agent.is_err());
    assert!(matches!(server, Err(LinkError::Tls(_))), "{server:?}");
}

#[tokio::test]
async fn a_server_with_another_authority_or_another_name_is_refused() {
    let (ours, theirs) = (Authority::shared(), Authority::new());
    let dialing = DialerConfig { tls: Some(ours.client()), ..DialerConfig::default() };
    let accepting = AcceptConfig { tls: Some(theirs.server()), ..AcceptConfig::default() };
    let (agent, server) = meet("wss", dialing.clone(), accepting).await;
    assert!(matches!(&agent, Err(LinkError::Tls(why)) if why.contains("invalid peer certificate")), "{agent:?}");
    assert!(server.is_err());

    let (listener, address) = listener("wss").await;
    let elsewhere = address.to_string().replace("127.0.0.1", "127.0.0.2").parse().unwrap();
    let other = TcpListener::bind(("127.0.0.2", address.port())).await.unwrap();
    drop(listener);
    let accepting = AcceptConfig { tls: Some(ours.server()), ..AcceptConfig::default() };
    let dialer = WebSocketDialer::new(dialing);
    let (agent, _) = tokio::join!(dialer.dial(&elsewhere), async {
        let (stream, _) = other.accept().await.unwrap();
        accept(stream, &accepting).await
    });
    assert!(matches!(&agent, Err(LinkError::Tls(why)) if why.contains("not valid for name")), "{agent:?}");
}

/// A ClientHello of TLS 1.2 (RFC 5246, section 7.4.1.2), with the extensions that a server needs to answer one.
fn hello_of_tls_1_2() -> Vec<u8> {
    let groups = [0, 10, 0, 4, 0, 2, 0, 29];
    let signatures = [0, 13, 0, 6, 0, 4, 4, 3, 8, 4];
    let extensions = [&groups[..], &signatures[..]].concat();
    // Version, random, no session id, one suite (ECDHE-RSA, AES-128-GCM), no compression.
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2f, 1, 0], &[0, 18]].concat();
    body.extend(extensions);
    let handshake = [&[1, 0, 0, u8::try_from(body.len()).unwrap()], &body[..]].concat();
    [&[22, 3, 1, 0, u8::try_from(handshake.len()).unwrap()], &handshake[..]].concat()
}

#[tokio::test]
async fn tls_1_2_is_refused_with_the_alert_that_says_so() {
    let accepting = AcceptConfig { tls: Some(Authority::shared().server()), ..AcceptConfig::default() };
    let mut stranger = Stranger::connect(accepting).await;
    stranger.say(&hello_of_tls_1_2()).await;
    let mut alert = [0; 7];
    stranger.stream.read_exact(&mut alert).await.unwrap();
    // An alert record; fatal; protocol_version.
    assert_eq!((alert[0], alert[5], alert[6]), (21, 2, 70));
    let (_, refusal) = stranger.end().await;
    assert!(matches!(refusal, LinkError::Tls(_)), "{refusal}");
}

#[tokio::test]
async fn plain_links_stay_on_this_machine_unless_allowed_to_leave() {
    // 192.0.2.0/24 is for documentation (RFC 5737): nothing answers there.
    let address = "ws://192.0.2.1:9".parse().unwrap();
    let refused = WebSocketDialer::new(DialerConfig::default()).dial(&address).await;
    assert!(matches!(refused, Err(LinkError::PlainNotAllowed(_))), "{refused:?}");
    let connect_timeout = Duration::from_millis(100);
    let config = DialerConfig { allow_plain: true, connect_timeout, ..DialerConfig::default() };
    let unreached = WebSocketDialer::new(config).dial(&address).await;
    assert!(matches!(unreached, Err(LinkError::Timeout(_) | LinkError::Io(_))), "{unreached:?}");
    let secure = "wss://localhost:9".parse().unwrap();
    let refused = WebSocketDialer::new(DialerConfig::default()).dial(&secure).await;
    assert!(matches!(refused, Err(LinkError::Tls(_))), "{refused:?}");
}

#[tokio::test]
async fn a_dialer_refuses_a_server_that_speaks_something_else_or_nothing() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        &format!("HTTP/1.1 101 Switching Protocols\r\nX-Long: {}\r\n\r\n", "x".repeat(20_000)),
    ] {
        let (listener, address) = listener("ws").await;
        let dialer = WebSocketDialer::new(DialerConfig::default());
        let (dialled, ()) = tokio::join!(dialer.dial(&address), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        assert!(matches!(dialled, Err(LinkError::Handshake(_) | LinkError::Io(_))), "{answer}: {dialled:?}");
    }
    let (listener, address) = listener("ws").await;
    let upgrade_timeout = Duration::from_millis(200);
    let dialer = WebSocketDialer::new(DialerConfig { upgrade_timeout, ..DialerConfig::default() });
    let silent = dialer.dial(&address).await;
    assert!(matches!(silent, Err(LinkError::Timeout(_))), "{silent:?}");
    drop(listener);
}

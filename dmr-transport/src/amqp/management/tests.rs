//! The client against listeners that answer as RabbitMQ does, and as nothing should.

use std::future::pending;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// What RabbitMQ 3.10.8 says of a mailbox, to the columns asked for.
const QUEUE: &str = r#"{"arguments":{"x-queue-type":"quorum"},"consumers":2,"durable":true,
    "effective_policy_definition":{"delivery-limit":10000,"overflow":"reject-publish"},"leader":"rabbit@one",
    "members":["rabbit@one"],"message_bytes":2048,"message_stats":{"publish_details":{"rate":1.5}},"messages_dlx":1,
    "messages_ready":3,"messages_unacknowledged":4,"name":"dmr.a.x","online":["rabbit@one"],"operator_policy":null,
    "policy":"dmr-mailboxes","state":"running","type":"quorum"}"#;
/// And in the first seconds of its life.
const NEW_QUEUE: &str = r#"{"arguments":{"x-queue-type":"quorum"},"durable":true,"leader":"rabbit@one",
    "members":["rabbit@one"],"name":"dmr.a.x","online":["rabbit@one"],"type":"quorum"}"#;

/// A listener that answers one request with these bytes, and the request it got.
async fn answering(answer: Vec<u8>) -> (Management, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let management = client(&format!("http://{}/mq", listener.local_addr().unwrap()));
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        // A client that has heard enough hangs up before the end.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(request).unwrap()
    });
    (management, asked)
}

fn client(address: &str) -> Management {
    let credentials = Credentials::new("dmr-server", Zeroizing::new("opensesame".into()));
    let mut config = ManagementConfig::new(address.parse().unwrap(), credentials);
    config.vhost = "a/b c".into();
    Management::new(config)
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn refused(answer: Vec<u8>) -> ManagementError {
    let (management, _) = answering(answer).await;
    management.exchanges().await.unwrap_err()
}

#[tokio::test]
async fn a_queue_is_asked_for_by_its_encoded_name_and_password() {
    let (management, asked) = answering(http("200 OK", QUEUE)).await;
    let queue = management.queue("dmr.a.x").await.unwrap().unwrap();
    assert_eq!((&*queue.name, &*queue.kind, queue.policy.as_deref()), ("dmr.a.x", "quorum", Some("dmr-mailboxes")));
    assert_eq!(queue.effective.unwrap().len(), 2);
    let figures = queue.figures.unwrap();
    assert_eq!((figures.ready, figures.unacknowledged, figures.dead_lettering), (3, 4, 1));
    assert_eq!((figures.bytes, figures.consumers, figures.publish_rate, figures.ack_rate), (2_048, 2, 1.5, 0.0));
    let asked = asked.await.unwrap();
    assert!(asked.starts_with("GET /mq/api/queues/a%2Fb%20c/dmr.a.x?columns=name,"), "{asked}");
    assert!(asked.contains("authorization: Basic ZG1yLXNlcnZlcjpvcGVuc2VzYW1l\r\n"), "{asked}");
}

#[tokio::test]
async fn a_new_queue_has_no_figures_and_no_policy_yet() {
    let (management, _) = answering(http("200 OK", NEW_QUEUE)).await;
    let queue = management.queue("dmr.a.x").await.unwrap().unwrap();
    assert_eq!((queue.effective, queue.figures, queue.policy), (None, None, None));
}

#[tokio::test]
async fn a_list_of_queues_is_one_page_after_the_other() {
    let page = format!(r#"{{"items":[{QUEUE}],"page":1,"page_count":1}}"#);
    let (management, asked) = answering(http("200 OK", &page)).await;
    assert_eq!(management.queues(r"^dmr\.").await.unwrap().len(), 1);
    assert!(asked.await.unwrap().contains("&use_regex=true&name=%5Edmr%5C.&"));
}

#[tokio::test]
async fn a_refusal_says_who_erred() {
    let login = refused(http("401 Unauthorized", r#"{"error":"x","reason":"Login failed\u001b[2J"}"#)).await;
    assert!(matches!(&login, ManagementError::Unauthorized { reason, .. } if &**reason == "Login failed[2J"));
    assert!(!format!("{login} {login:?}").contains("opensesame"));
    let vhost = refused(http("404 Not Found", "{}")).await;
    assert!(matches!(vhost, ManagementError::NoVhost { vhost } if &*vhost == "a/b c"));
    let elsewhere = refused(http("302 Found\r\nlocation: http://127.0.0.1:1/", "")).await;
    assert!(matches!(elsewhere, ManagementError::Refused { status: 302, .. }));
    let failed = refused(http("503 Service Unavailable", "")).await;
    assert!(failed.is_retryable() && !login.is_retryable());
}

#[tokio::test]
async fn an_answer_that_is_not_the_brokers_is_refused() {
    for body in ["<html>", "{}", r#"[{"name":1}]"#] {
        assert!(matches!(refused(http("200 OK", body)).await, ManagementError::Malformed { .. }), "{body}");
    }
    assert!(matches!(refused(b"SSH-2.0-x\r\n".to_vec()).await, ManagementError::Http { .. }));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[".to_vec();
    assert!(matches!(refused(cut).await, ManagementError::Http { .. }));
    let long = http("200 OK", &" ".repeat((16 << 20) + 1));
    assert!(matches!(refused(long).await, ManagementError::TooLong { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_is_given_up_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let management = client(&format!("http://{}", listener.local_addr().unwrap()));
    let silent = tokio::spawn(async move {
        let connection = listener.accept().await.unwrap();
        pending::<()>().await;
        drop(connection);
    });
    assert!(matches!(management.overview().await, Err(ManagementError::Timeout { .. })));
    silent.abort();
}

#[tokio::test]
async fn a_password_neither_leaves_this_machine_in_the_clear_nor_shows_in_debug() {
    let far = client("http://192.0.2.1");
    assert!(matches!(far.overview().await, Err(ManagementError::PlainNotAllowed { .. })));
    assert!(!format!("{far:?}").contains("opensesame"));
    let none = client("http://127.0.0.1:1");
    assert!(matches!(none.overview().await, Err(ManagementError::Unreachable { .. })));
}

//! A service behind the webhook, in the test's own process.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

/// One thing that the service says.
#[derive(Debug, Clone)]
pub(crate) enum Say {
    Status(u16),
    Json(u16, &'static str),
    Redirect(String),
    Silence,
    Bytes(usize),
}

/// One call that came in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) raw: Bytes,
}

#[derive(Default)]
struct Script {
    says: VecDeque<Say>,
    calls: Vec<Call>,
}

/// A running service: it follows its script, and says 204 when that is over.
#[derive(Clone)]
pub(crate) struct Chatbot {
    script: Arc<Mutex<Script>>,
    address: SocketAddr,
}

impl Chatbot {
    pub(crate) async fn saying(says: &[Say]) -> Self {
        let script = Arc::new(Mutex::new(Script { says: says.iter().cloned().collect(), calls: Vec::new() }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(call)).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { script, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.script.lock().unwrap().calls.clone()
    }
}

async fn call(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, raw: Bytes) -> Response {
    let say = {
        let mut script = script.lock().unwrap();
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        script.calls.push(Call { key, body: serde_json::from_slice(&raw).unwrap(), raw });
        script.says.pop_front().unwrap_or(Say::Status(204))
    };
    match say {
        Say::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Say::Json(status, body) => {
            (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Say::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Say::Silence => {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            StatusCode::OK.into_response()
        }
        Say::Bytes(length) => vec![b'x'; length].into_response(),
    }
}

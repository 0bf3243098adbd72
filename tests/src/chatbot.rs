//! The institution's own service: a webhook that is told messages and may answer questions.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::failure::Outcome;
use crate::port::listen;

/// What a service says to one call.
#[derive(Debug, Clone)]
pub enum Reply {
    /// 200 with this as the answer's `payload`.
    Answer(Value),
    /// 204: taken, without an answer.
    Taken,
    /// This status and nothing else.
    Status(u16),
    /// Nothing, ever: the connection stays open and silent.
    Silence,
}

/// A running service. It keeps the idempotency key of what it has handled, as a good service does.
#[derive(Debug)]
pub struct Chatbot {
    address: SocketAddr,
    diary: Arc<Mutex<Diary>>,
    task: JoinHandle<()>,
}

/// What came in.
#[derive(Debug, Default)]
struct Diary {
    calls: Vec<Call>,
    effects: BTreeMap<String, (Value, Reply)>,
}

/// One call of the webhook.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it came in.
    pub at: Instant,
    /// Its `Idempotency-Key`, empty when it had none.
    pub key: String,
    /// Its body.
    pub body: Value,
}

struct Shop<F, W> {
    diary: Arc<Mutex<Diary>>,
    reply: F,
    witness: W,
}

impl Chatbot {
    /// Serves a webhook at a free port of loopback. `reply` decides what each call is told: an answer or a 204 is an
    /// effect, has it once per idempotency key, and is repeated as it was; anything else leaves no trace.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when it cannot listen.
    pub async fn start(reply: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Outcome<Self> {
        Self::start_before(reply, |_, _| {}).await
    }

    /// The same before a witness, who is told of every call and of what it was told, before the caller is.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when it cannot listen.
    pub async fn start_before(
        reply: impl Fn(&Value) -> Reply + Send + Sync + 'static,
        witness: impl Fn(&Call, &Reply) + Send + Sync + 'static,
    ) -> Outcome<Self> {
        let (address, listener) = listen()?;
        let diary = Arc::new(Mutex::new(Diary::default()));
        let shop = Arc::new(Shop { diary: Arc::clone(&diary), reply, witness });
        let router = Router::new().route("/dmr", post(call)).with_state(shop);
        let task = tokio::spawn(async move {
            // It ends only with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, diary, task })
    }

    /// For `--deliver-to`.
    pub fn url(&self) -> String {
        format!("http://{}/dmr", self.address)
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.diary).calls.clone()
    }

    /// What was handled, once per idempotency key.
    pub fn effects(&self) -> BTreeMap<String, Value> {
        lock(&self.diary).effects.iter().map(|(key, (body, _))| (key.clone(), body.clone())).collect()
    }
}

impl Drop for Chatbot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn call<F, W>(State(shop): State<Arc<Shop<F, W>>>, headers: HeaderMap, Json(body): Json<Value>) -> Response
where
    F: Fn(&Value) -> Reply + Send + Sync + 'static,
    W: Fn(&Call, &Reply) + Send + Sync + 'static,
{
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let reply = {
        let mut diary = lock(&shop.diary);
        let call = Call { at: Instant::now(), key: key.clone(), body: body.clone() };
        let reply = match diary.effects.get(&key) {
            Some((_, reply)) => reply.clone(),
            None => {
                let reply = (shop.reply)(&body);
                if matches!(reply, Reply::Answer(_) | Reply::Taken) {
                    diary.effects.insert(key, (body, reply.clone()));
                }
                reply
            }
        };
        (shop.witness)(&call, &reply);
        diary.calls.push(call);
        reply
    };
    match reply {
        Reply::Answer(answer) => Json(json!({ "payload": answer })).into_response(),
        Reply::Taken => StatusCode::NO_CONTENT.into_response(),
        Reply::Status(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Reply::Silence => std::future::pending().await,
    }
}

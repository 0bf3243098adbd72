//! Calls an agent's local HTTP API as an institution's own services do.

use std::sync::Once;
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Doing, Failure, Outcome};
use crate::patience::{PATIENCE, eventually};

/// Calls one agent or admin endpoint.
#[derive(Debug, Clone)]
pub struct Caller {
    http: reqwest::Client,
    base: String,
    credentials: Option<Credentials>,
}

/// Who calls.
#[derive(Debug, Clone)]
enum Credentials {
    Token(String),
    Password(String, String),
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// `Content-Type`, empty when there is none.
    pub content_type: String,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The same answer, when its status is one of success.
    ///
    /// # Errors
    /// [`Failure`] with the answer when it is not.
    pub fn well(self) -> Outcome<Self> {
        if (200..300).contains(&self.status) {
            Ok(self)
        } else {
            Err(Failure::new(format!("{} {}", self.status, self.text)))
        }
    }
}

impl Caller {
    /// Calls `base`, such as `http://127.0.0.1:8077`.
    ///
    /// # Errors
    /// [`Failure`] when no HTTP caller can be made.
    pub fn new(base: impl Into<String>) -> Outcome<Self> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // It fails only when there is one already, which serves as well.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().doing("making an HTTP caller")?;
        Ok(Self { http, base: base.into(), credentials: None })
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.credentials = Some(Credentials::Token(token.to_owned()));
        self
    }

    /// The same as a user with a password.
    #[must_use]
    pub fn with_password(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials::Password(user.to_owned(), password.to_owned()));
        self
    }

    /// `GET`.
    ///
    /// # Errors
    /// [`Failure`] when the call cannot be made or is not answered.
    pub async fn get(&self, path: &str) -> Outcome<Answer> {
        self.call(self.http.get(format!("{}{path}", self.base)), path).await
    }

    /// `POST` with this JSON.
    ///
    /// # Errors
    /// [`Failure`] when the call cannot be made or is not answered.
    pub async fn post(&self, path: &str, body: &Value) -> Outcome<Answer> {
        self.call(self.http.post(format!("{}{path}", self.base)).json(body), path).await
    }

    /// `PUT` with this JSON.
    ///
    /// # Errors
    /// [`Failure`] when the call cannot be made or is not answered.
    pub async fn put(&self, path: &str, body: &Value) -> Outcome<Answer> {
        self.call(self.http.put(format!("{}{path}", self.base)).json(body), path).await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// [`Failure`] when the call cannot be made or is not answered.
    pub async fn delete(&self, path: &str) -> Outcome<Answer> {
        self.call(self.http.delete(format!("{}{path}", self.base)), path).await
    }

    /// `POST` with these bytes as `application/json`.
    ///
    /// # Errors
    /// [`Failure`] when the call cannot be made or is not answered.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Outcome<Answer> {
        let request = self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.call(request.body(body), path).await
    }

    async fn call(&self, mut request: reqwest::RequestBuilder, path: &str) -> Outcome<Answer> {
        request = match &self.credentials {
            None => request,
            Some(Credentials::Token(token)) => request.bearer_auth(token),
            Some(Credentials::Password(user, password)) => request.basic_auth(user, Some(password)),
        };
        let response = request.send().await.doing(format_args!("calling {}{path}", self.base))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
        let text = response.text().await.doing(format_args!("reading the answer of {}{path}", self.base))?;
        Ok(Answer { status, content_type, retry_after, text })
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// [`Failure`] with what it says otherwise when it does not become ready.
    pub async fn ready(&self) -> Outcome {
        self.readiness(200).await.map(drop)
    }

    /// Waits until `/readyz` answers with this status, and returns the answer.
    ///
    /// # Errors
    /// [`Failure`] with what it says otherwise.
    pub async fn readiness(&self, status: u16) -> Outcome<Answer> {
        let mut last = String::new();
        let waited = eventually(&format!("{} says {status} to /readyz", self.base), PATIENCE, async || {
            let answer = self.get("/readyz").await?;
            last = format!("{} {}", answer.status, answer.text);
            Ok((answer.status == status).then_some(answer))
        })
        .await;
        waited.map_err(|failure| Failure::new(format!("{failure}; last answer: {last}")))
    }

    /// Waits until `GET /v1/messages/ID` has this `status`, and returns what it says.
    ///
    /// # Errors
    /// [`Failure`] with what it says otherwise.
    pub async fn message(&self, id: &str, status: &str) -> Outcome<Value> {
        self.message_within(id, &[status], PATIENCE).await
    }

    /// Waits until `GET /v1/messages/ID` has one of these `status`es, and returns what it says.
    ///
    /// # Errors
    /// [`Failure`] with what it says otherwise.
    pub async fn message_within(&self, id: &str, statuses: &[&str], limit: Duration) -> Outcome<Value> {
        let mut last = Value::Null;
        let what = format!("message {id} is {}", statuses.join(" or "));
        let waited = eventually(&what, limit, async || {
            last = self.get(&format!("/v1/messages/{id}")).await?.json();
            let there = last["status"].as_str().is_some_and(|status| statuses.contains(&status));
            Ok(there.then(|| last.clone()))
        })
        .await;
        waited.map_err(|failure| Failure::new(format!("{failure}; it is {last}")))
    }

    /// The value of a metric, summed over its label sets that contain all of `labels`; `None` when it is not there.
    ///
    /// # Errors
    /// [`Failure`] when `/metrics` does not answer.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Outcome<Option<f64>> {
        let text = self.get("/metrics").await?.text;
        let values = text.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (series_name, series_labels) = series.split_once('{').unwrap_or((series, ""));
            let fits = series_name == name && labels.iter().all(|label| series_labels.contains(label));
            fits.then(|| value.parse::<f64>().ok()).flatten()
        });
        Ok(values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value)))
    }
}

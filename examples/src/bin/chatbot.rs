//! The Police's chatbot by itself: a service behind an agent's webhook.
//!
//! ```text
//! cargo run -p dmr-examples --bin chatbot -- 127.0.0.1:9000
//! dmr-agent run … --deliver-to http://127.0.0.1:9000/dmr
//! ```
//!
//! It needs nothing of DMR: a POST with JSON comes in, and a `payload` in the reply is the answer.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::net::SocketAddr;

use axum::extract::Json;
use axum::http::StatusCode;
use axum::routing::post;
use dmr_examples::police;
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).as_deref().unwrap_or("127.0.0.1:9000").parse()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("--deliver-to http://{}/dmr", listener.local_addr()?);
    axum::serve(listener, axum::Router::new().route("/dmr", post(webhook))).await?;
    Ok(())
}

/// 200 with a `payload` answers a question and settles it; 204 would settle it without an answer; 422 refuses it for
/// good, and its sender is told so in a signed receipt; 503 has it delivered again later.
async fn webhook(Json(delivery): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let payload = police::answer(&delivery).ok_or(StatusCode::UNPROCESSABLE_ENTITY)?;
    let asked = delivery.get("payload").and_then(police::last_words).unwrap_or_default();
    println!("asked:    {asked}\nanswered: {}", police::last_words(&payload).unwrap_or_default());
    Ok(Json(json!({ "payload": payload })))
}

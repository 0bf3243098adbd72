//! Who can be written to.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use dmr_core::directory::Status;
use serde_json::{Value, json};

use super::ApiState;
use super::messages::json_response;
use super::problem::Problem;
use dmr_core::exchange::{SendError, Unsealable};

/// `GET /v1/participants`: the directory in use, by name.
pub(super) async fn list(State(state): State<Arc<ApiState>>) -> Result<Response, Problem> {
    let directory = state.agent.directory().ok_or(SendError::Unsealable(Unsealable::NoDirectory))?;
    let mut participants: Vec<_> = directory.directory().participants.iter().collect();
    participants.sort_by(|a, b| a.name.cmp(&b.name));
    let listed: Vec<Value> = participants
        .into_iter()
        .map(|participant| {
            json!({
                "id": participant.id,
                "name": participant.name,
                "status": match participant.status {
                    Status::Active => "active",
                    Status::Suspended => "suspended",
                    Status::Removed => "removed",
                },
            })
        })
        .collect();
    let body = json!({"network": directory.network(), "revision": directory.revision(), "participants": listed});
    Ok(json_response(StatusCode::OK, &body))
}

//! Waiting for something until it is so or a deadline has passed. The only waiting there is in the tests.

use std::time::Duration;

use tokio::time::Instant;

use crate::failure::{Failure, Outcome};

/// What any single step of a test may take. Far more than it takes on a busy machine with two cores.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(20);

/// Asks `probe` again and again until it yields a value.
///
/// # Errors
/// [`Failure`] that names `what` when `limit` has passed.
pub async fn eventually<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Outcome<Option<T>>,
) -> Outcome<T> {
    let deadline = Instant::now() + limit;
    let mut last = String::new();
    loop {
        match probe().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(failure) => last = format!(" (last: {failure})"),
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("not within {} s: {what}{last}", limit.as_secs())));
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Asks `holds` again and again until it is true.
///
/// # Errors
/// [`Failure`] that names `what` when [`PATIENCE`] has passed.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> Outcome<bool>) -> Outcome {
    eventually(what, PATIENCE, async || Ok(holds().await?.then_some(()))).await
}

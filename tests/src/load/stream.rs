//! A load that runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Interval};

use super::plan::{Lane, LoadPlan};
use crate::caller::Caller;
use crate::drill::say;
use crate::failure::{Doing, Outcome};
use crate::history::{Event, Fate, History, digest};
use crate::patience::eventually;

/// Time before a message is posted again.
const AGAIN: Duration = Duration::from_millis(100);
/// Time between two looks at what became of the messages.
const LOOK: Duration = Duration::from_millis(100);

/// A load that runs. Dropping it ends it where it is.
#[derive(Debug)]
pub struct Load {
    callers: JoinSet<Outcome>,
    watcher: JoinHandle<()>,
    desk: Arc<Desk>,
}

/// What the callers have in common.
#[derive(Debug)]
struct Desk {
    plan: LoadPlan,
    lanes: Vec<Lane>,
    history: History,
    /// The number of the next message.
    next: AtomicUsize,
    pace: tokio::sync::Mutex<Interval>,
    /// Sequences given out, by lane.
    sequences: Mutex<BTreeMap<(String, String), u64>>,
    /// Messages without an end, with their senders and whether they were accepted.
    open: Mutex<Vec<Open>>,
}

#[derive(Debug)]
struct Open {
    id: String,
    api: Caller,
    accepted: bool,
}

/// What came of posting a message.
enum Posted {
    Accepted,
    Refused(String),
    Unknown(String),
}

impl Load {
    /// Begins, and says its seed. Messages take the lanes at random.
    pub fn start(plan: LoadPlan, lanes: Vec<Lane>, history: &History) -> Self {
        let LoadPlan { seed, messages, callers, per_second, .. } = plan;
        say(format_args!("DMR_SEED={seed}: {messages} messages, {callers} callers, {per_second} in a second at most"));
        let pace = tokio::time::interval(Duration::from_secs(1) / per_second.max(1));
        let desk = Arc::new(Desk {
            plan,
            lanes,
            history: history.clone(),
            next: AtomicUsize::new(0),
            pace: tokio::sync::Mutex::new(pace),
            sequences: Mutex::default(),
            open: Mutex::default(),
        });
        let callers = (0..callers).map(|_| Arc::clone(&desk).call()).collect();
        let watcher = tokio::spawn(Arc::clone(&desk).watch());
        Self { callers, watcher, desk }
    }

    /// Waits until so many messages were accepted: the middle of a load is a good time for harm.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when they were not in time.
    pub async fn accepted(&self, count: usize) -> Outcome {
        let history = &self.desk.history;
        let enough = async || Ok((history.accepted() >= count).then_some(()));
        eventually(&format!("{count} messages are accepted"), self.desk.plan.patience, enough).await
    }

    /// Messages begun so far.
    pub fn begun(&self) -> usize {
        self.desk.next.load(Ordering::SeqCst).min(self.desk.plan.messages)
    }

    /// Waits until every message is accepted, refused, or given up.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when a caller could not go on.
    pub async fn finish(&mut self) -> Outcome {
        while let Some(joined) = self.callers.join_next().await {
            joined.doing("a caller")??;
        }
        Ok(())
    }

    /// Waits for [`Load::finish`], then until every accepted message has an end that its sender sees, or `limit` has
    /// passed. What has none then is for the judge to find.
    ///
    /// # Errors
    /// [`Failure`](crate::failure::Failure) when a caller could not go on.
    pub async fn settle(mut self, limit: Duration) -> Outcome {
        self.finish().await?;
        let all_ended = async || {
            let open = self.desk.open();
            Ok((!open.iter().any(|message| message.accepted)).then_some(()))
        };
        if let Err(failure) = eventually("every accepted message has an end", limit, all_ended).await {
            say(failure);
        }
        Ok(())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Desk {
    /// A caller: one message after the other, as long as there are any.
    async fn call(self: Arc<Self>) -> Outcome {
        loop {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            if number >= self.plan.messages {
                return Ok(());
            }
            self.pace.lock().await.tick().await;
            let (id, lane, body) = self.plan.message(number, &self.lanes).doing("a lane for a message")?;
            self.history.note(Event::Send {
                id: id.clone(),
                from: lane.from.clone(),
                to: lane.to.clone(),
                sequence: self.sequence(lane),
                hash: digest(&body["payload"]),
            });
            let posted = self.post(&lane.api, &body).await;
            let accepted = matches!(posted, Posted::Accepted);
            let refused = matches!(posted, Posted::Refused(_));
            self.history.note(match posted {
                Posted::Accepted => Event::Accepted { id: id.clone() },
                Posted::Refused(why) => Event::Refused { id: id.clone(), why },
                Posted::Unknown(why) => Event::Unknown { id: id.clone(), why },
            });
            if !refused {
                self.open().push(Open { id, api: lane.api.clone(), accepted });
            }
        }
    }

    /// Posts a message until it has an answer that is one, always with the same id, as a caller should.
    async fn post(&self, api: &Caller, body: &serde_json::Value) -> Posted {
        let deadline = Instant::now() + self.plan.patience;
        // Whether an attempt may have succeeded without our knowledge. Only 429 says that nothing was done.
        let mut doubt = false;
        loop {
            let last = match api.post("/v1/messages", body).await {
                Ok(answer) if answer.status == 202 => return Posted::Accepted,
                Ok(answer) => {
                    let said = format!("{} {}", answer.status, answer.text);
                    match answer.status {
                        429 => {}
                        503 | 504 => doubt = true,
                        _ if doubt => return Posted::Unknown(said),
                        _ => return Posted::Refused(said),
                    }
                    said
                }
                Err(failure) => {
                    doubt = true;
                    failure.to_string()
                }
            };
            if Instant::now() >= deadline {
                return Posted::Unknown(last);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Looks again and again at what became of the messages, and records their ends. It goes on while the load does, so
    /// that an agent may forget what it has told.
    async fn watch(self: Arc<Self>) {
        loop {
            let ids: Vec<_> = self.open().iter().map(|open| (open.id.clone(), open.api.clone())).collect();
            for (id, api) in ids {
                // An agent that is down is asked again.
                let Ok(answer) = api.get(&format!("/v1/messages/{id}")).await else { continue };
                let answer = answer.json();
                let fate = match answer["status"].as_str() {
                    // An answer is a receipt as well.
                    Some("delivered" | "answered") => Fate::Delivered,
                    Some("failed") => Fate::Failed,
                    _ => continue,
                };
                let why = answer["reason"].as_str().unwrap_or_default().to_owned();
                self.history.note(Event::Receipt { id: id.clone(), fate, why });
                self.open().retain(|open| open.id != id);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sequence(&self, lane: &Lane) -> u64 {
        let mut sequences = self.sequences.lock().unwrap_or_else(PoisonError::into_inner);
        let next = sequences.entry((lane.from.clone(), lane.to.clone())).or_default();
        *next += 1;
        *next
    }
}

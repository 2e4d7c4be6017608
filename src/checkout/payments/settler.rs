//! The settler: what Stripe says of payments meanwhile is applied together, as orders are placed together. No timer: the next set
//! is whatever was told while the last one committed. A set that fails as a whole is applied again in halves, down to one. What
//! isn't plain has its turn where it came from, in a transaction of its own, so that it holds nobody up.

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;
use tokio::sync::{mpsc, oneshot};

use super::delivery::DeliveryTerms;
use super::settling::{self, Told};
use crate::app::App;
use crate::db;
use crate::error::{AppError, Result};

/// Payments settled with one transaction at most.
const BATCH_MAX: usize = 64;
/// Jobs that wait for it; there are never as many at once.
const WAITING_MAX: usize = 1_024;

struct Waiting {
    told: Told,
    answer: oneshot::Sender<Result<bool>>,
}

/// Where jobs tell how sessions stand; one loop an instance applies it.
pub struct Settler(mpsc::Sender<Waiting>);

/// The other end, for [`run`].
pub struct Queue(mpsc::Receiver<Waiting>);

impl Settler {
    /// With the other end of its queue.
    pub fn new() -> (Self, Queue) {
        let (queue, waiting) = mpsc::channel(WAITING_MAX);
        (Self(queue), Queue(waiting))
    }

    /// Applies it with whatever else is waiting; false where that isn't plain, and nothing was done.
    ///
    /// # Errors
    /// The database's.
    pub async fn apply(&self, told: Told) -> Result<bool> {
        let (answer, applied) = oneshot::channel();
        self.0.send(Waiting { told, answer }).await.map_err(|_| AppError::busy())?;
        applied.await.map_err(|_| AppError::busy())?
    }
}

/// Applies until the task is ended.
pub async fn run(app: Arc<App>, Queue(mut queue): Queue) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let (told, answers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|waiting: Waiting| (waiting.told, waiting.answer)).unzip();
        let results = apply_all(&app, &told).await;
        for (answer, result) in answers.into_iter().zip(results) {
            // A job that no longer waits runs again, and finds it done.
            let _ = answer.send(result);
        }
    }
}

/// Applies a set, halving what fails as a whole.
async fn apply_all(app: &App, told: &[Told]) -> Vec<Result<bool>> {
    let mut results = Vec::with_capacity(told.len());
    let mut parts = vec![told];
    while let Some(part) = parts.pop() {
        match apply_once(app, part).await {
            Ok(applied) => results.extend(applied.into_iter().map(Ok)),
            Err(error) if part.len() == 1 => {
                // Another one's lock isn't waited for here.
                results.push(if error.is_lock_timeout() { Ok(false) } else { Err(error) });
            }
            Err(error) => {
                tracing::warn!(payments = part.len(), %error, "a set failed and is settled again in halves");
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
        }
    }
    results
}

async fn apply_once(app: &App, part: &[Told]) -> Result<Vec<bool>> {
    let terms = DeliveryTerms::of(&app.settings);
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        conn.batch_execute(db::SET_BY_SET).await?;
        settling::apply(conn, terms, now, part).await
    })
    .await
}

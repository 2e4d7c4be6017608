//! The placer: requests that wait are placed together. No timer: the next batch is whatever queued while the last one
//! committed, as group commit does. A batch that fails as a whole is placed again in halves, down to one.

use std::sync::Arc;

use diesel_async::SimpleAsyncConnection;
use tokio::sync::{mpsc, oneshot};

use super::service::{self, PlaceOrder, Placed, Shop};
use crate::app::App;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;

/// Orders placed with one transaction at most.
const BATCH_MAX: usize = 256;

struct Waiting {
    order: PlaceOrder,
    answer: oneshot::Sender<Result<Placed>>,
}

/// Where handlers put orders; one loop an instance places them.
#[derive(Clone)]
pub struct Placer {
    queue: mpsc::Sender<Waiting>,
}

/// The other end, for [`run`].
pub struct Queue(mpsc::Receiver<Waiting>);

impl Placer {
    /// A queue for at most `capacity` waiting orders.
    pub fn new(capacity: usize) -> (Self, Queue) {
        let (queue, waiting) = mpsc::channel(capacity);
        (Self { queue }, Queue(waiting))
    }

    /// Places one order with whatever else is waiting.
    ///
    /// # Errors
    /// Why it is refused; `busy` when the queue is full.
    pub async fn place(&self, order: PlaceOrder) -> Result<Placed> {
        let (answer, placed) = oneshot::channel();
        self.queue.try_send(Waiting { order, answer }).map_err(|_| Code::Busy.error().retry_after(1))?;
        placed.await.map_err(|_| Code::Busy.error().retry_after(1))?
    }

    /// Orders that wait now.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// Places until the task is ended.
pub async fn run(app: Arc<App>, Queue(mut queue): Queue) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let (orders, answers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|waiting| (waiting.order, waiting.answer)).unzip();
        let results = place_all(&app, &orders).await;
        app.jobs.wake(Lane::Stripe);
        app.jobs.wake(Lane::Local);
        for (answer, result) in answers.into_iter().zip(results) {
            // Who no longer waits finds the order by his key.
            let _ = answer.send(result);
        }
    }
}

/// Places a batch, halving what fails as a whole.
async fn place_all(app: &App, orders: &[PlaceOrder]) -> Vec<Result<Placed>> {
    let mut results = Vec::with_capacity(orders.len());
    let mut parts = vec![orders];
    while let Some(part) = parts.pop() {
        match place_once(app, part).await {
            Ok(placed) => results.extend(placed),
            Err(error) if part.len() == 1 => results.push(Err(single_failure(error))),
            Err(error) => {
                tracing::warn!(orders = part.len(), %error, "a batch failed and is placed again in halves");
                let (first, second) = part.split_at(part.len() / 2);
                parts.push(second);
                parts.push(first);
            }
        }
    }
    results
}

async fn place_once(app: &App, part: &[PlaceOrder]) -> Result<Vec<Result<Placed>>> {
    let shop = Shop::of(&app.settings);
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        conn.batch_execute("SET LOCAL lock_timeout = '2s'").await?;
        service::place(conn, &shop, now, part).await
    })
    .await
}

/// One order that failed for itself: another request holds what it needs, or a constraint says what the rules missed.
fn single_failure(error: AppError) -> AppError {
    if error.is_lock_timeout() {
        Code::RequestInProgress.error().retry_after(1).with_cause(error)
    } else {
        error
    }
}

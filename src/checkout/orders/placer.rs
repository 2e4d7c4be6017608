//! The placer: requests that wait are placed together. No timer: the next batch is whatever queued while the last one
//! committed, as group commit does. A batch that fails as a whole is placed again in halves, down to one.
//!
//! When more come than can be placed, those who are let in wait no longer than they would otherwise, and the others are told
//! at the door to come back. A seat in the queue is taken before anything is asked of the database for an order, and whoever
//! has waited too long, because the database is slow, is told so too: then nothing of his is written.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use diesel_async::SimpleAsyncConnection;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::service::{self, PlaceOrder, Placed, Shop};
use crate::app::App;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;

/// Orders placed with one transaction at most.
const BATCH_MAX: usize = 256;

struct Waiting {
    order: PlaceOrder,
    since: Instant,
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

    /// Takes a seat in the queue.
    ///
    /// # Errors
    /// `busy` when there is none.
    pub fn seat(&self) -> Result<Seat> {
        self.queue.clone().try_reserve_owned().map(Seat).map_err(|_| AppError::busy())
    }

    /// Places one order with whatever else is waiting.
    ///
    /// # Errors
    /// Why it is refused; `busy` when the queue is full.
    pub async fn place(&self, order: PlaceOrder) -> Result<Placed> {
        self.seat()?.place(order).await
    }

    /// Orders that wait now, and those that have a seat and aren't known whole yet.
    pub fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// A place in the queue, given back when it is dropped.
pub struct Seat(OwnedPermit<Waiting>);

impl Seat {
    /// [`Placer::place`], by who has a seat already.
    ///
    /// # Errors
    /// Why it is refused; `busy` when it waited too long.
    pub async fn place(self, order: PlaceOrder) -> Result<Placed> {
        let (answer, placed) = oneshot::channel();
        self.0.send(Waiting { order, since: Instant::now(), answer });
        placed.await.map_err(|_| AppError::busy())?
    }
}

/// That there is a seat, looked at before anything else of a request: who is refused here costs the answer alone. None is
/// taken yet, since a body may come slowly, and whoever sends many such bodies would have them all.
pub struct Room;

impl FromRequest for Room {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<web::Data<App>>();
        let is_full = app.is_some_and(|app| app.placer.queue.capacity() == 0);
        ready(if is_full { Err(AppError::busy()) } else { Ok(Self) })
    }
}

/// Places until the task is ended.
pub async fn run(app: Arc<App>, Queue(mut queue): Queue) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        // Of the youngest: nobody who hasn't waited too long is told that he has.
        let since = waiting.last().map_or_else(Instant::now, |last| last.since);
        let (orders, answers): (Vec<_>, Vec<_>) =
            waiting.drain(..).map(|waiting| (waiting.order, waiting.answer)).unzip();
        let results = place_all(&app, since, &orders).await;
        app.jobs.wake(Lane::Stripe);
        app.jobs.wake(Lane::Local);
        for (answer, result) in answers.into_iter().zip(results) {
            // Who no longer waits finds the order by his key.
            let _ = answer.send(result);
        }
    }
}

/// Places a batch, halving what fails as a whole.
async fn place_all(app: &App, since: Instant, orders: &[PlaceOrder]) -> Vec<Result<Placed>> {
    let most = Duration::from_secs(u64::from(app.settings.limits.placer_seconds));
    let mut results = Vec::with_capacity(orders.len());
    let mut parts = vec![orders];
    while let Some(part) = parts.pop() {
        if since.elapsed() >= most {
            results.extend(part.iter().map(|_| Err(AppError::busy())));
            continue;
        }
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
        conn.batch_execute(db::SET_BY_SET).await?;
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

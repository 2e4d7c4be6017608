//! One loop an instance reads every watched drop at once, each second at most; a reader takes the newest state when he can.
//! What he was too slow for is not kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::{self, Bytes};
use futures::Stream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::dto::Frame;
use super::model::{self, Shown};
use super::streams::{Seat, Streams};
use crate::app::App;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::shop::audience::Visitor;
use crate::shop::visitors::{self, Looker};
use crate::types::id::{AccountId, DropId};

/// Between two looks at the database.
const ROUND: Duration = Duration::from_secs(1);
/// Nothing is sent for no longer than that: proxies close what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A stream ends after that, as an access token does; its reader comes back by himself.
const LIFETIME: Duration = Duration::from_secs(600);
/// How long the first look may take.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// Milliseconds after which a reader whose stream ended comes back.
const RETRY_MS: u32 = 3_000;

/// A drop as the last look found it: none where it isn't there any more; and what a stranger is told of it.
#[derive(Clone, Debug)]
struct Look {
    shown: Option<(Shown, Option<Frame>)>,
}

/// Which drops are watched on this instance.
#[derive(Debug, Default)]
pub struct Hub {
    watched: Mutex<HashMap<DropId, watch::Sender<Option<Arc<Look>>>>>,
    someone: Notify,
    pub streams: Arc<Streams>,
}

impl Hub {
    fn watch(&self, id: DropId) -> watch::Receiver<Option<Arc<Look>>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = watched.entry(id).or_insert_with(|| watch::Sender::new(None)).subscribe();
        self.someone.notify_one();
        seat
    }

    /// Drops that somebody still watches; the others are forgotten.
    fn watched(&self) -> Vec<DropId> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.retain(|_, seats| seats.receiver_count() > 0);
        watched.keys().copied().collect()
    }

    fn tell(&self, mut looks: HashMap<DropId, (Shown, Option<Frame>)>, ids: &[DropId]) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if let Some(seats) = watched.get(id) {
                seats.send_replace(Some(Arc::new(Look { shown: looks.remove(id) })));
            }
        }
    }
}

/// Looks at all that is watched, round after round, until the app is shutting down.
pub async fn run(app: Arc<App>) {
    let mut shutdown = app.shutdown.subscribe();
    while !*shutdown.borrow() {
        let ids = app.live.watched();
        if ids.is_empty() {
            tokio::select! {
                () = app.live.someone.notified() => {}
                _ = shutdown.changed() => {}
            }
            continue;
        }
        let next = Instant::now() + ROUND;
        match look(&app, &ids).await {
            Ok(looks) => app.live.tell(looks, &ids),
            Err(error) => tracing::warn!(%error, "can't look how watched drops stand"),
        }
        tokio::select! {
            () = sleep_until(next) => {}
            _ = shutdown.changed() => {}
        }
    }
}

async fn look(app: &App, ids: &[DropId]) -> Result<HashMap<DropId, (Shown, Option<Frame>)>> {
    let shown = model::look(&mut *db::connect(&app.pool).await?, ids).await?;
    let now = app.clock.now();
    let mut looks = HashMap::with_capacity(shown.len());
    for shown in shown {
        let public = Frame::new(&shown, Visitor::default(), &shown.ranks, &app.settings.currency, now)?;
        looks.insert(shown.drop.id, (shown, public));
    }
    Ok(looks)
}

/// Until the shop stops.
async fn end(shutdown: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, and with it the shop.
    let _ = shutdown.wait_for(|is_over| *is_over).await;
}

/// Somebody who follows a drop.
struct Reader {
    app: web::Data<App>,
    looks: watch::Receiver<Option<Arc<Look>>>,
    shutdown: watch::Receiver<bool>,
    /// None: a stranger, who is told what all strangers are.
    who: Option<Looker>,
    known: Option<String>,
    heartbeat_at: Instant,
    ends_at: Instant,
    _seat: Seat,
}

impl Reader {
    /// Who reads, as he stands now: while he reads on, he is taken for that.
    async fn looker(&self, account: Option<AccountId>) -> Result<Looker> {
        let look = self.looks.borrow().clone();
        let shown = look.as_ref().and_then(|look| look.shown.as_ref());
        let audiences = shown.into_iter().flat_map(|(shown, _)| shown.audiences());
        let mut conn = db::connect(&self.app.pool).await?;
        visitors::load(&mut conn, account, audiences, self.app.clock.now()).await
    }

    /// What this reader is told now; none: nothing any more.
    fn frame(&mut self) -> Result<Option<Frame>> {
        let look = self.looks.borrow_and_update().clone();
        let Some((shown, public)) = look.as_ref().and_then(|look| look.shown.as_ref()) else {
            return Ok(None);
        };
        match &self.who {
            None => Ok(public.clone()),
            Some(looker) => {
                let currency = &self.app.settings.currency;
                Frame::new(shown, looker.visitor(), &looker.ranks, currency, self.app.clock.now())
            }
        }
    }

    /// The next bytes to send: a state that differs from the last one, or a comment where there was none for long.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                () = end(&mut self.shutdown) => return None,
                () = sleep_until(self.ends_at) => return None,
                changed = self.looks.changed() => {
                    changed.ok()?;
                    let frame = self.frame().ok()??;
                    if self.known.as_ref() != Some(&frame.id) {
                        self.heartbeat_at = Instant::now() + HEARTBEAT;
                        self.known = Some(frame.id);
                        return Some(frame.bytes);
                    }
                }
                () = sleep_until(self.heartbeat_at) => {
                    self.heartbeat_at = Instant::now() + HEARTBEAT;
                    return Some(Bytes::from_static(b": still here\n\n"));
                }
            }
        }
    }
}

/// Follows a drop: its state at once, unless `known` is its id, and each time it changes. Ends when the drop goes, when the
/// shop stops, and after ten minutes.
///
/// # Errors
/// `not_found` for what this visitor doesn't see, `busy` when the database doesn't answer in time.
pub async fn follow(
    app: web::Data<App>,
    seat: Seat,
    id: DropId,
    account: Option<AccountId>,
    known: Option<String>,
) -> Result<impl Stream<Item = Result<Bytes, std::convert::Infallible>>> {
    let now = Instant::now();
    let mut reader = Reader {
        looks: app.live.watch(id),
        shutdown: app.shutdown.subscribe(),
        who: None,
        known,
        heartbeat_at: now + HEARTBEAT,
        ends_at: now + LIFETIME,
        _seat: seat,
        app,
    };
    let first = timeout(FIRST_LOOK, reader.looks.wait_for(Option::is_some)).await;
    if !first.is_ok_and(|seen| seen.is_ok()) {
        return Err(AppError::busy());
    }
    if account.is_some() {
        reader.who = Some(reader.looker(account).await?);
    }
    let frame = reader.frame()?.ok_or(Code::NotFound)?;
    let mut prelude = format!("retry: {RETRY_MS}\n\n").into_bytes();
    if reader.known.as_ref() != Some(&frame.id) {
        prelude.extend_from_slice(&frame.bytes);
        reader.known = Some(frame.id);
    }
    let prelude = Some(Bytes::from(prelude));
    Ok(futures::stream::unfold((reader, prelude), |(mut reader, prelude)| async move {
        let bytes = match prelude {
            Some(bytes) => bytes,
            None => reader.next().await?,
        };
        Some((Ok(bytes), (reader, None)))
    }))
}

//! The snapshot: every public answer as ready bytes, a set a language. A read copies a pointer and compares two clocks.
//!
//! It is as old as its last look at the database: the pulse looks every half second, and a read that finds it older than
//! [`MAX_AGE`] (or past a moment at which a drive opens or closes) looks itself, once for all that wait. A look asks for
//! the catalog's version and the counts of the pools; only a changed version loads everything.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::http::Uri;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::dto::{DriveView, TierView};
use super::model;
use crate::app::App;
use crate::db::page::{List, Page, PageQuery};
use crate::db::reads::Reads;
use crate::db::{self, Conn};
use crate::error::Result;
use crate::http::ready::Ready;
use crate::membership::drives::model::Drive;
use crate::membership::drives::rules;
use crate::membership::tiers::model::Tier;
use crate::membership::{benefits, drives, plans, tiers};
use crate::shop::products::model::Product;
use crate::shop::{products, rights};
use crate::types::locale::Locale;

/// `remaining` is at most a second old when it reaches the reader; the rest is for the way.
const MAX_AGE: Duration = Duration::from_millis(900);

/// Something in each language.
#[derive(Clone, Debug)]
struct Spoken<T> {
    zh: T,
    en: T,
}

impl<T> Spoken<T> {
    fn build(make: impl Fn(Locale) -> Result<T>) -> Result<Self> {
        Ok(Self { zh: make(Locale::ZhCn)?, en: make(Locale::En)? })
    }

    fn pick(&self, locale: Locale) -> &T {
        locale.pick(&self.zh, &self.en)
    }
}

/// All that is served, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    version: i64,
    tiers: Tiers,
    /// Newest first, as they are listed.
    drives: Arc<Vec<Drive>>,
    rendered: Vec<Spoken<Ready>>,
    /// By id and by code, the place in `rendered`.
    places: HashMap<String, usize>,
    first_page: Spoken<Ready>,
    /// The shop's time at which a drive's state changes by the clock.
    valid_until: Option<DateTime<Utc>>,
}

/// The tiers' page.
#[derive(Clone, Debug)]
struct Tiers {
    ready: Spoken<Ready>,
    /// The shop's time at which something that a tier opens comes onto the shelf, or leaves it.
    valid_until: Option<DateTime<Utc>>,
}

impl Tiers {
    fn is_in_time(&self, now: DateTime<Utc>) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }
}

impl Snapshot {
    pub fn tiers(&self, locale: Locale) -> &Ready {
        self.tiers.ready.pick(locale)
    }

    /// The drive of this id or code.
    pub fn drive(&self, id_or_code: &str, locale: Locale) -> Option<&Ready> {
        let place = *self.places.get(id_or_code)?;
        self.rendered.get(place).map(|ready| ready.pick(locale))
    }

    /// A page of drives, newest first.
    ///
    /// # Errors
    /// `invalid_field`, `invalid_cursor`
    pub fn drives(&self, query: &PageQuery, locale: Locale) -> Result<Ready> {
        if query.limit.is_none() && query.cursor.is_none() {
            return Ok(self.first_page.pick(locale).clone());
        }
        Ok(page_of(&self.drives, &self.rendered, query.page()?, locale))
    }
}

/// Puts rendered drives together to a list, as [`List`] would be written.
fn page_of(drives: &[Drive], rendered: &[Spoken<Ready>], page: Page, locale: Locale) -> Ready {
    let fetch = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
    let rows: Vec<_> =
        drives.iter().zip(rendered).filter(|(drive, _)| drive.id.0 < page.before).take(fetch).collect();
    let list = List::cut(rows, page, |(drive, _)| drive.id.0);
    let mut body = b"{\"data\":[".to_vec();
    for (index, (_, ready)) in list.data.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&ready.pick(locale).body);
    }
    body.extend_from_slice(b"],\"next_cursor\":");
    match list.next_cursor {
        // URL-safe base64 needs no escaping.
        Some(cursor) => body.extend_from_slice(format!("\"{cursor}\"").as_bytes()),
        None => body.extend_from_slice(b"null"),
    }
    body.push(b'}');
    Ready::new(body)
}

/// The snapshot and when it last saw the database (the machine's time).
#[derive(Debug, Default)]
pub struct Catalog {
    current: RwLock<Option<(Arc<Snapshot>, Instant)>>,
    looking: Mutex<()>,
}

impl Catalog {
    fn current(&self) -> Option<(Arc<Snapshot>, Instant)> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, now: DateTime<Utc>) -> Option<Arc<Snapshot>> {
        let (snapshot, seen_at) = self.current()?;
        let in_time = snapshot.valid_until.is_none_or(|until| now < until) && snapshot.tiers.is_in_time(now);
        (in_time && seen_at.elapsed() <= MAX_AGE).then_some(snapshot)
    }

    /// The page of a path without a query, where it lies ready and is no older than it may be, with its route's pattern.
    pub fn ready(&self, uri: &Uri, locale: Locale, now: DateTime<Utc>) -> Option<(Ready, &'static str)> {
        let path = uri.path().strip_prefix("/v1/").filter(|_| uri.query().is_none())?;
        let snapshot = || self.fresh(now);
        match (path, path.strip_prefix("drives/")) {
            ("tiers", _) => Some((snapshot()?.tiers(locale).clone(), "/v1/tiers")),
            ("drives", _) => Some((snapshot()?.first_page.pick(locale).clone(), "/v1/drives")),
            (_, Some(drive)) => Some((snapshot()?.drive(drive, locale)?.clone(), "/v1/drives/{id}")),
            _ => None,
        }
    }

    /// A snapshot that is no older than it may be.
    ///
    /// # Errors
    /// The database's, when it has to look and can't.
    pub async fn get(&self, app: &App) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = self.fresh(app.clock.now()) {
            return Ok(snapshot);
        }
        let _turn = self.looking.lock().await;
        if let Some(snapshot) = self.fresh(app.clock.now()) {
            return Ok(snapshot);
        }
        let mut conn = db::connect(&app.pool).await?;
        self.look(&mut conn, &app.reads, app.clock.now()).await
    }

    /// Looks at the database, unless somebody is looking already.
    ///
    /// # Errors
    /// The database's.
    pub async fn on_pulse(&self, conn: &mut Conn, reads: &Reads, now: DateTime<Utc>) -> Result<()> {
        if let Ok(_turn) = self.looking.try_lock() {
            self.look(conn, reads, now).await?;
        }
        Ok(())
    }

    /// One look at a time, so that an older one never overwrites a newer.
    async fn look(&self, conn: &mut Conn, reads: &Reads, now: DateTime<Utc>) -> Result<Arc<Snapshot>> {
        let seen_at = Instant::now();
        let version = model::version(conn).await?;
        let snapshot = match self.current() {
            Some((snapshot, _)) if snapshot.version == version && snapshot.tiers.is_in_time(now) => {
                recount(conn, snapshot, now).await?
            }
            _ => Arc::new(load_where_it_is(conn, reads, version, now).await?),
        };
        let entry = Some((Arc::clone(&snapshot), seen_at));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = entry;
        Ok(snapshot)
    }
}

/// Everything anew, from the replica if it knows this version already: `conn` is the primary's, whose counts and version
/// alone are looked up every time.
async fn load_where_it_is(
    conn: &mut Conn,
    reads: &Reads,
    version: i64,
    now: DateTime<Utc>,
) -> Result<Snapshot> {
    let from_replica = async |conn: &mut Conn| {
        if model::version(conn).await? < version {
            return Ok(None);
        }
        load(conn, version, now).await.map(Some)
    };
    match reads.from_replica(&from_replica).await.flatten() {
        Some(snapshot) => Ok(snapshot),
        None => load(conn, version, now).await,
    }
}

/// Everything anew.
async fn load(conn: &mut Conn, version: i64, now: DateTime<Utc>) -> Result<Snapshot> {
    let tiers = tiers::model::on_offer(conn).await?;
    let plans = plans::model::on_offer(conn).await?;
    let benefits = benefits::model::on_offer(conn).await?;
    let drives = drives::model::on_show(conn).await?;
    let opened = rights::model::opened_by_belonging(conn, None).await?;
    let ranks = products::model::ranks(conn).await?;
    let valid_until = opened.iter().filter_map(|product| rights::rules::next_change_at(product, now)).min();
    let ready = Spoken::build(|locale| {
        let view = |tier: &Tier| {
            let is_told_of = |product: &&Product| rights::rules::is_told_of(product, tier.rank, &ranks, now);
            let opens: Vec<_> = opened.iter().filter(is_told_of).collect();
            let associates = tier.associate_tier.and_then(|id| ranks.code_of(id)).unwrap_or(&tier.code);
            TierView::new(tier, associates, (&plans, &benefits), &opens, locale)
        };
        Ready::json(&List::<TierView>::whole(tiers.iter().map(view).collect()))
    })?;
    let tiers = Tiers { ready, valid_until };
    build(version, tiers, Arc::new(drives), now)
}

fn build(version: i64, tiers: Tiers, drives: Arc<Vec<Drive>>, now: DateTime<Utc>) -> Result<Snapshot> {
    let render = |drive: &Drive| Spoken::build(|locale| Ready::json(&DriveView::new(drive, locale, now)));
    let rendered: Vec<_> = drives.iter().map(render).collect::<Result<_>>()?;
    let mut places = HashMap::with_capacity(drives.len() * 2);
    for (place, drive) in drives.iter().enumerate() {
        places.insert(drive.id.to_string(), place);
        places.insert(drive.code.clone(), place);
    }
    let page = PageQuery::default().page()?;
    let first_page = Spoken::build(|locale| Ok(page_of(&drives, &rendered, page, locale)))?;
    let valid_until = drives.iter().filter_map(|drive| rules::next_change_at(drive, now)).min();
    Ok(Snapshot { version, tiers, drives, rendered, places, first_page, valid_until })
}

/// The same catalog with the pools as they stand now; the same snapshot where nothing moved.
async fn recount(conn: &mut Conn, old: Arc<Snapshot>, now: DateTime<Utc>) -> Result<Arc<Snapshot>> {
    // Closed ones too: what was unpaid at the end may come back.
    let pools: Vec<_> = old.drives.iter().map(|drive| drive.pool).collect();
    let counts = model::counts(conn, &pools).await?;
    let counts: HashMap<_, _> = counts.into_iter().map(|(pool, held, taken)| (pool, (held, taken))).collect();
    let moved = |drive: &Drive| {
        counts.get(&drive.pool).filter(|counts| **counts != (drive.held, drive.taken)).copied()
    };
    let is_in_time = old.valid_until.is_none_or(|until| now < until);
    if is_in_time && old.drives.iter().all(|drive| moved(drive).is_none()) {
        return Ok(old);
    }
    let drives = old.drives.iter().map(|drive| match moved(drive) {
        Some((held, taken)) => Drive { held, taken, ..drive.clone() },
        None => drive.clone(),
    });
    build(old.version, old.tiers.clone(), Arc::new(drives.collect()), now).map(Arc::new)
}

/// After a commit that changed the catalog: this instance shows it at once, the others at their next look. A failure is
/// no reason to fail the request that is done.
pub async fn after_write(app: &App) {
    let _turn = app.catalog.looking.lock().await;
    let looked = async {
        let mut conn = db::connect(&app.pool).await?;
        app.catalog.look(&mut conn, &app.reads, app.clock.now()).await
    };
    if let Err(error) = looked.await {
        tracing::warn!(%error, "the catalog can't be read again after a change");
    }
}

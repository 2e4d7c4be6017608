//! Pages that look the same to everybody who isn't signed in: made once, then given out as ready bytes for less than a second
//! (api.md: what is left of a drop is at most a second old). However many ask, one of them makes a page; the others wait
//! for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix_web::http::Uri;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use tokio::sync::Mutex;

use super::language::locale_of;
use super::ready::Ready;
use crate::error::Result;
use crate::ports::clock::Clock;
use crate::types::locale::Locale;

/// What lies here at most; then all of it is made anew.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A page's path with its query, in a language.
type Name = (Locale, String);

/// See the module.
pub struct Shelf {
    max_age: Duration,
    places: RwLock<HashMap<Name, Arc<Place>>>,
    bytes: AtomicUsize,
}

#[derive(Default)]
struct Place {
    page: RwLock<Option<Page>>,
    making: Mutex<()>,
}

struct Page {
    ready: Ready,
    /// The pattern of its route.
    route: Arc<str>,
    made_at: Instant,
    /// Of the shop's clock: one that was moved since makes it old.
    offset: TimeDelta,
}

impl Shelf {
    /// With an age of zero every page is made for who asks.
    pub fn new(max_age: Duration) -> Self {
        Self { max_age, places: RwLock::default(), bytes: AtomicUsize::new(0) }
    }

    /// Answers with the page of a request's path, which `make` makes where it isn't there or is too old.
    ///
    /// # Errors
    /// Those of `make`; what fails isn't kept.
    pub async fn answer(
        &self,
        request: &HttpRequest,
        clock: &Clock,
        make: impl AsyncFnOnce() -> Result<Ready>,
    ) -> Result<HttpResponse> {
        let locale = locale_of(request);
        let route = || request.match_pattern().unwrap_or_default().into();
        let ready = self.get((locale, request.uri().to_string()), route, clock, make).await?;
        Ok(ready.answer(locale, request))
    }

    /// The page that lies ready under a path, with the pattern of its route.
    pub fn ready(&self, uri: &Uri, locale: Locale, clock: &Clock) -> Option<(Ready, Arc<str>)> {
        let name = (locale, uri.to_string());
        let place = self.places.read().unwrap_or_else(PoisonError::into_inner).get(&name).map(Arc::clone)?;
        self.fresh(&place, clock)
    }

    async fn get(
        &self,
        name: Name,
        route: impl FnOnce() -> Arc<str>,
        clock: &Clock,
        make: impl AsyncFnOnce() -> Result<Ready>,
    ) -> Result<Ready> {
        if self.max_age.is_zero() {
            return make().await;
        }
        let place = self.place(name);
        if let Some((ready, _)) = self.fresh(&place, clock) {
            return Ok(ready);
        }
        let _turn = place.making.lock().await;
        if let Some((ready, _)) = self.fresh(&place, clock) {
            return Ok(ready);
        }
        let (made_at, offset) = (Instant::now(), clock.offset());
        let made = make().await?;
        self.bytes.fetch_add(made.body.len(), Ordering::Relaxed);
        let mut page = place.page.write().unwrap_or_else(PoisonError::into_inner);
        // The same as before needn't be compressed again.
        let known = page.take().map(|page| page.ready).filter(|known| known.etag == made.etag);
        let ready = known.unwrap_or(made);
        *page = Some(Page { ready: ready.clone(), route: route(), made_at, offset });
        Ok(ready)
    }

    fn place(&self, name: Name) -> Arc<Place> {
        if let Some(place) = self.places.read().unwrap_or_else(PoisonError::into_inner).get(&name) {
            return Arc::clone(place);
        }
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if self.bytes.load(Ordering::Relaxed) > BYTES_MAX {
            places.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        self.bytes.fetch_add(name.1.len(), Ordering::Relaxed);
        Arc::clone(places.entry(name).or_default())
    }

    fn fresh(&self, place: &Place, clock: &Clock) -> Option<(Ready, Arc<str>)> {
        let page = place.page.read().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |page: &&Page| page.made_at.elapsed() < self.max_age && page.offset == clock.offset();
        page.as_ref().filter(is_fresh).map(|page| (page.ready.clone(), Arc::clone(&page.route)))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn name(path: &str) -> Name {
        (Locale::En, path.to_owned())
    }

    fn route() -> Arc<str> {
        "/".into()
    }

    #[tokio::test]
    async fn a_page_is_made_once_until_it_is_old_or_the_clock_is_moved() {
        let (shelf, clock, made) = (Shelf::new(Duration::from_secs(60)), Clock::real(), Cell::new(0));
        let make = async || {
            made.set(made.get() + 1);
            tokio::task::yield_now().await;
            Ready::json(&made.get())
        };
        let asked = (0..20).map(|_| shelf.get(name("/a"), route, &clock, make));
        for page in futures::future::join_all(asked).await {
            assert_eq!(page.unwrap().body, "1");
        }
        assert_eq!(shelf.get(name("/b"), route, &clock, make).await.unwrap().body, "2");
        clock.raise_offset(TimeDelta::hours(1));
        assert_eq!(shelf.get(name("/a"), route, &clock, make).await.unwrap().body, "3");
        let old = Shelf::new(Duration::ZERO);
        for _ in 0..2 {
            old.get(name("/a"), route, &clock, make).await.unwrap();
        }
        assert_eq!(made.get(), 5);
    }

    #[tokio::test]
    async fn what_fails_is_not_kept_and_the_shelf_has_an_end() {
        let (shelf, clock) = (Shelf::new(Duration::from_secs(60)), Clock::real());
        let failed =
            shelf.get(name("/a"), route, &clock, async || Err(crate::error::Code::NotFound.error())).await;
        assert!(failed.is_err());
        let large = vec![b' '; BYTES_MAX / 4];
        for number in 0..12 {
            let made =
                shelf.get(name(&format!("/{number}")), route, &clock, async || Ok(Ready::new(large.clone())));
            made.await.unwrap();
        }
        let kept = shelf.places.read().unwrap().len();
        assert!((1..=6).contains(&kept), "{kept}");
    }
}

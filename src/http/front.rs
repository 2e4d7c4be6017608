//! What lies ready for everybody is answered in front of everything else: it isn't routed, and needs nothing of what other
//! answers pass on their way out. It looks the same as if it had (a test compares them).

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderMap, ORIGIN};

use super::language::locale_in;
use super::limits;
use super::ready::Ready;
use crate::app::App;
use crate::types::locale::Locale;

/// A page that lies ready.
pub struct Front {
    ready: Ready,
    locale: Locale,
    /// Its route's pattern.
    pub route: Arc<str>,
}

impl Front {
    /// What is ready for this request. None for who is signed in, for pages of other origins (`cors` answers these) and
    /// for who asks too often.
    pub fn of(app: &App, request: &ServiceRequest) -> Option<Self> {
        let is_plain =
            |headers: &HeaderMap| !headers.contains_key(AUTHORIZATION) && !headers.contains_key(ORIGIN);
        if request.method() != Method::GET || !is_plain(request.headers()) {
            return None;
        }
        let (locale, uri) = (locale_in(request.headers()), request.uri());
        let (ready, route) = match app.catalog.ready(uri, locale, app.clock.now()) {
            Some((ready, route)) => (ready, Arc::from(route)),
            None => app.shelf.ready(uri, locale, &app.clock)?,
        };
        limits::wait_of(app, request).is_none().then_some(Self { ready, locale, route })
    }

    pub fn answer(&self, request: &ServiceRequest) -> HttpResponse {
        self.ready.answer(self.locale, request)
    }
}

//! The language that a request asks for.

use actix_web::HttpRequest;
use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};

use crate::types::locale::Locale;

/// By `Accept-Language`; the shop's first language without one.
pub fn locale_of(request: &HttpRequest) -> Locale {
    locale_in(request.headers())
}

/// [`locale_of`], of its headers.
pub fn locale_in(headers: &HeaderMap) -> Locale {
    let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Locale::from_accept_language(header.unwrap_or_default())
}

//! ETags of what operators edit, and the If-Match that a PATCH must carry, so that no edit overwrites one that its author
//! hasn't seen (RFC 9110 §13.1.1).

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::{FromRequest, HttpRequest};

use crate::error::{AppError, Code, Result};

/// The version that the caller has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(i32);

impl IfMatch {
    /// # Errors
    /// `version_mismatch` when it isn't the present one.
    pub fn check(self, version: i32) -> Result<()> {
        if self.0 == version { Ok(()) } else { Err(Code::VersionMismatch.error()) }
    }
}

/// The header that goes with a thing of this version.
pub fn etag(version: i32) -> (actix_web::http::header::HeaderName, String) {
    (ETAG, format!("\"v{version}\""))
}

/// What isn't an ETag of ours matches no version: versions start at 1. A proxy that compresses makes ETags weak.
fn parse(header: &str) -> IfMatch {
    let tag = header.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let version = tag.strip_prefix("\"v").and_then(|rest| rest.strip_suffix('"'));
    IfMatch(version.and_then(|version| version.parse().ok()).unwrap_or(0))
}

impl FromRequest for IfMatch {
    type Error = AppError;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let header = request.headers().get(IF_MATCH).and_then(|value| value.to_str().ok());
        ready(header.map(parse).ok_or_else(|| Code::PreconditionRequired.error()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_present_version_matches() {
        assert!(parse(&etag(7).1).check(7).is_ok());
        assert!(parse("W/\"v7\"").check(7).is_ok());
        for other in ["\"v6\"", "\"7\"", "v7", "*", "", "\"v-7\"", "\"v7\", \"v8\""] {
            assert_eq!(parse(other).check(7).unwrap_err().code, Code::VersionMismatch, "{other}");
        }
    }
}

//! Answers for everybody, as ready bytes with an ETag: 304 for who has them already, compressed once for all who take that.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use actix_web::http::header::{
    ACCEPT_ENCODING, AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, ContentEncoding,
    ETAG, Encoding, Header, HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::{AppError, Result};
use crate::types::locale::Locale;

/// Smaller ones go out as they are: compressing them saves less than it costs who reads them.
pub const SMALL_BYTES: usize = 1_024;

/// An answer's body and its ETag.
#[derive(Clone, Debug)]
pub struct Ready {
    pub body: Bytes,
    /// Weak: it is the same whether the body is compressed or not.
    pub etag: String,
    /// Made when the first one asks for it.
    packed: Arc<Packed>,
}

#[derive(Debug, Default)]
struct Packed {
    brotli: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
}

impl Ready {
    /// Of a body that is JSON.
    pub fn new(body: Vec<u8>) -> Self {
        let hash = Sha256::digest(&body);
        let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { body: Bytes::from(body), etag: format!("W/\"{hex}\""), packed: Arc::default() }
    }

    /// # Errors
    /// When it is no JSON, which nothing that is shown is.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        serde_json::to_vec(value).map(Self::new).map_err(AppError::internal)
    }

    /// 304 where the reader has it already (RFC 9110 §13.1.2: weak comparison, a list, or `*`).
    pub fn answer(&self, locale: Locale, request: &impl HttpMessage) -> HttpResponse {
        let is_known = self.is_known(request.headers());
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header((ETAG, self.etag.as_str()))
            .insert_header((CACHE_CONTROL, "public, max-age=0, must-revalidate"))
            .insert_header((CONTENT_LANGUAGE, locale.as_str()))
            // `Origin`: what other origins may read says so in its headers.
            .insert_header((VARY, "Accept-Language, Accept-Encoding, Origin"));
        if is_known {
            return response.finish();
        }
        let (body, encoding) = self.encoded(request);
        if let Some(encoding) = encoding {
            response.insert_header((CONTENT_ENCODING, encoding));
        }
        response.content_type("application/json").body(body)
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let known = text(headers, IF_NONE_MATCH);
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        !known.is_empty()
            && (known.trim() == "*" || known.split(',').any(|tag| opaque(tag) == opaque(&self.etag)))
    }

    /// As the reader takes it.
    fn encoded(&self, request: &impl HttpMessage) -> (Bytes, Option<ContentEncoding>) {
        let as_it_is = (self.body.clone(), None);
        if self.body.len() < SMALL_BYTES || !request.headers().contains_key(ACCEPT_ENCODING) {
            return as_it_is;
        }
        let known = [Encoding::brotli(), Encoding::gzip(), Encoding::identity()];
        let taken = AcceptEncoding::parse(request).ok().and_then(|taken| taken.negotiate(known.iter()));
        match taken {
            Some(Encoding::Known(taken @ ContentEncoding::Brotli)) => {
                (self.packed.brotli.get_or_init(|| brotli(&self.body)).clone(), Some(taken))
            }
            Some(Encoding::Known(taken @ ContentEncoding::Gzip)) => {
                (self.packed.gzip.get_or_init(|| gzip(&self.body)).clone(), Some(taken))
            }
            _ => as_it_is,
        }
    }
}

fn gzip(body: &[u8]) -> Bytes {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    // Into memory nothing fails.
    let _ = packed.write_all(body);
    packed.finish().unwrap_or_default().into()
}

fn brotli(body: &[u8]) -> Bytes {
    let mut packed = brotli::CompressorWriter::new(Vec::new(), 4_096, 5, 20);
    let _ = packed.write_all(body);
    packed.into_inner().into()
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn it_is_compressed_as_the_reader_takes_it() {
        let ready = Ready::new(vec![b'7'; 4 * SMALL_BYTES]);
        let encoded = |accepted: &'static str| {
            ready.encoded(&TestRequest::default().insert_header((ACCEPT_ENCODING, accepted)).to_request())
        };
        let (body, encoding) = encoded("gzip, deflate");
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut plain).unwrap();
        assert_eq!((plain, encoding), (ready.body.to_vec(), Some(ContentEncoding::Gzip)));
        let (body, encoding) = encoded("gzip, deflate, br");
        let mut plain = Vec::new();
        brotli::Decompressor::new(&body[..], 4_096).read_to_end(&mut plain).unwrap();
        assert_eq!((plain, encoding), (ready.body.to_vec(), Some(ContentEncoding::Brotli)));
        for others in ["identity", "zstd", "br;q=0, gzip;q=0", ""] {
            assert_eq!(encoded(others), (ready.body.clone(), None), "{others}");
        }
        let small = Ready::new(vec![b'7'; SMALL_BYTES - 1]);
        let asked = TestRequest::default().insert_header((ACCEPT_ENCODING, "br")).to_request();
        assert_eq!(small.encoded(&asked), (small.body.clone(), None));
    }
}

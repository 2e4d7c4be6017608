//! Small pages of our own: one file each with its style and script inside, and a policy that lets nothing else run.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// A page that is ready to be sent.
pub struct Page {
    html: String,
    policy: String,
}

impl Page {
    /// Puts `style` and `script` where the page says `{style}` and `{script}`. The policy (CSP 3) allows just these two,
    /// by their hashes, and calls to this server.
    pub fn new(page: &str, style: &str, script: &str) -> Self {
        let html = page.replace("{style}", style).replace("{script}", script);
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
            hash(script),
            hash(style),
        );
        Self { html, policy }
    }

    pub fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((CONTENT_SECURITY_POLICY, self.policy.clone()))
            .insert_header((CACHE_CONTROL, "no-store"))
            .body(self.html.clone())
    }
}

/// How a policy (CSP 3) names a style or a script.
pub fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}

//! Publishes terms of sale.

use serde_json::json;
use url::Url;

use super::dto::NewTerms;
use super::model::{self, TermsRow};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db;
use crate::error::{Code, Result};

/// Puts a new version into force, from now on. A version is never changed or taken back: orders refer to it.
///
/// # Errors
/// `invalid_field`, `code_taken`.
pub async fn publish(app: &App, actor: Actor, new: &NewTerms) -> Result<TermsRow> {
    check(new)?;
    let row = TermsRow { version: new.version.clone(), url: new.url.clone(), published_at: app.clock.now() };
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, &row).await?;
        let entry = Entry {
            actor,
            action: "terms.publish",
            subject_kind: "terms",
            subject_id: row.version.clone(),
            reason: None,
            detail: json!({ "url": row.url }),
        };
        audit::record(conn, row.published_at, entry).await
    })
    .await?;
    Ok(row)
}

fn check(new: &NewTerms) -> Result<()> {
    let is_name = (1..=40).contains(&new.version.len())
        && new.version.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !is_name {
        return Err(Code::InvalidField.at("version", "expected 1 to 40 letters, digits, `-`, `.`, `_`"));
    }
    let is_web = new.url.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_web || new.url.len() > 2_000 {
        return Err(Code::InvalidField.at("url", "expected an http or https URL"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_have_a_plain_name_and_a_web_address() {
        let terms = |version: &str, url: &str| {
            check(&NewTerms { version: version.to_owned(), url: url.to_owned() }).is_ok()
        };
        assert!(terms("2026-11", "https://shop.example/terms"));
        assert!(!terms("", "https://shop.example/terms"));
        assert!(!terms("a b", "https://shop.example/terms"));
        assert!(!terms(&"v".repeat(41), "https://shop.example/terms"));
        assert!(!terms("1", "javascript:alert(1)"));
        assert!(!terms("1", "/terms"));
    }
}

//! Publishing the rules of the community, and accepting them.

use serde_json::json;

use super::dto::{NewRules, StandingView};
use super::model::{self, Acceptance, Rules};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db;
use crate::error::{Code, Result};
use crate::types::id::AccountId;
use crate::types::text;

/// A text has at most so many characters.
const TEXT_MAX: usize = 20_000;

/// Puts a new version into force, from now on. A version is never changed or taken back: acceptances refer to it.
///
/// # Errors
/// `invalid_field`, `code_taken`
pub async fn publish(app: &App, actor: Actor, new: &NewRules) -> Result<Rules> {
    let named = (1..=40).contains(&new.version.len())
        && new.version.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !named {
        return Err(Code::InvalidField.at("version", "expected 1 to 40 letters, digits, `-`, `.`, `_`"));
    }
    let row = Rules {
        version: new.version.clone(),
        text_zh: whole("texts.zh-CN", &new.texts.zh)?,
        text_en: whole("texts.en", &new.texts.en)?,
        expulsion_money: new.expulsion_money,
        published_at: app.clock.now(),
    };
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, &row).await?;
        let entry = Entry {
            actor,
            action: "community_rules.publish",
            subject_kind: "community_rules",
            subject_id: row.version.clone(),
            reason: None,
            detail: json!({ "expulsion_money": row.expulsion_money }),
        };
        audit::record(conn, row.published_at, entry).await
    })
    .await?;
    Ok(row)
}

fn whole(field: &str, typed: &str) -> Result<String> {
    text::block(typed, TEXT_MAX).map_err(|error| Code::InvalidField.at(field, error.to_string()))
}

/// Accepts the version in force, outside an order. Twice does no more than once.
///
/// # Errors
/// `community_rules_changed`
pub async fn accept(app: &App, account: AccountId, version: &str) -> Result<StandingView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let current = model::current_version(conn).await?;
        rules::is_current(current.as_deref(), version)?;
        let row =
            Acceptance { account_id: account, version: version.to_owned(), order_id: None, accepted_at: now };
        model::accept(conn, vec![row]).await
    })
    .await?;
    standing(app, account).await
}

/// # Errors
/// The database's.
pub async fn standing(app: &App, account: AccountId) -> Result<StandingView> {
    let mut conn = db::connect(&app.pool).await?;
    let current = model::current_version(&conn).await?;
    Ok(StandingView::new(current, model::last_accepted(&mut conn, account).await?))
}

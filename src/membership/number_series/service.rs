//! Operators' work on number series, and giving their numbers.

use serde_json::json;

use super::dto::{NewSeries, SeriesChange};
use super::model::{self, Series, SeriesNumber};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::membership::chapters::rules;
use crate::membership::memberships::rules::member_number;
use crate::people::accounts::model as accounts;
use crate::people::segments;
use crate::people::segments::rules::TAG_MAX;
use crate::types::id::{AccountId, NumberSeriesId};

/// # Errors
/// `invalid_field`, `code_taken`
pub async fn create(app: &App, actor: Actor, new: &NewSeries) -> Result<Series> {
    let names = fields::names("names", &new.names)?;
    let series = Series {
        id: NumberSeriesId::new(),
        code: fields::slug("code", &new.code)?,
        name_zh: names.zh,
        name_en: names.en,
        prefix: rules::prefix(&new.prefix)?,
        role: fields::line("role", &new.role, TAG_MAX)?,
        next_sequence: 1,
        created_at: app.clock.now(),
        archived_at: None,
        version: 1,
    };
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, &series).await?;
        record(conn, actor, "number_series.create", &series, app).await
    })
    .await?;
    Ok(series)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`
pub async fn change(
    app: &App,
    actor: Actor,
    id: NumberSeriesId,
    seen: IfMatch,
    change: SeriesChange,
) -> Result<Series> {
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let role = fields::kept("role", change.role)?;
    let role = role.map(|role| fields::line("role", &role, TAG_MAX)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let mut series = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(series.version)?;
        if let Some(names) = names.clone() {
            (series.name_zh, series.name_en) = (names.zh, names.en);
        }
        series.role = role.clone().unwrap_or(series.role);
        series.version += 1;
        model::store(conn, &series).await?;
        record(conn, actor, "number_series.change", &series, app).await?;
        Ok(series)
    })
    .await
}

/// No more numbers of it are given; those that were stay. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: NumberSeriesId) -> Result<Series> {
    db::transaction(&app.pool, async |conn| {
        let mut series = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if series.archived_at.is_some() {
            return Ok(series);
        }
        series.archived_at = Some(app.clock.now());
        series.version += 1;
        model::store(conn, &series).await?;
        record(conn, actor, "number_series.archive", &series, app).await?;
        Ok(series)
    })
    .await
}

/// Gives an account the next number of a series. A refusal leaves no gap.
///
/// # Errors
/// `not_found`, `closed` for an archived series, `role_missing`, `number_given`; `invalid_field` for an account that isn't there.
pub async fn give(app: &App, actor: Actor, id: NumberSeriesId, account: AccountId) -> Result<SeriesNumber> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let buyer = accounts::lock_buyers(conn, &[account]).await?.pop();
        let buyer = buyer.filter(|buyer| !buyer.is_guest && buyer.email.is_some());
        let tags = segments::model::tags(conn, account).await?;
        // Counters are locked last.
        let mut series = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if buyer.is_none() {
            return Err(Code::InvalidField.at("account", "there is no such account"));
        }
        if series.archived_at.is_some() {
            return Err(Code::Closed.error());
        }
        if !tags.contains(&series.role) {
            return Err(Code::RoleMissing.error());
        }
        let number = SeriesNumber {
            number: member_number(&series.prefix, series.next_sequence),
            series_id: id,
            account_id: account,
            sequence: series.next_sequence,
            given_at: now,
        };
        model::insert_number(conn, &number).await?;
        series.next_sequence += 1;
        model::store(conn, &series).await?;
        let entry = Entry {
            actor,
            action: "number_series.give",
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: None,
            detail: json!({ "series": series.code, "number": number.number }),
        };
        audit::record(conn, now, entry).await?;
        Ok(number)
    })
    .await
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, series: &Series, app: &App) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "number_series",
        subject_id: series.id.to_string(),
        reason: None,
        detail: json!({ "code": series.code, "prefix": series.prefix, "version": series.version }),
    };
    audit::record(conn, app.clock.now(), entry).await
}

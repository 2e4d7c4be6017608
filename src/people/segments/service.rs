//! Operators' work on segments and tags.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{NewSegment, SegmentAdditions, SegmentChange, SegmentPreviewed};
use super::model::{self, Segment};
use super::rules::{Rule, TAG_MAX};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::page::PageQuery;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::people::accounts::model as accounts;
use crate::types::email::Email;
use crate::types::id::{AccountId, SegmentId};

const NAME_MAX: usize = 100;
/// Accounts of one request.
const ADDITIONS_MAX: usize = 1_000;
const TAGS_MAX: usize = 50;

/// A rule that can be read, and what it names is there.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`.
pub async fn checked(conn: &mut Conn, app: &App, typed: &Value, now: DateTime<Utc>) -> Result<Rule> {
    let rule: Rule = serde_json::from_value(typed.clone())
        .map_err(|error| Code::InvalidField.at("rule", error.to_string()))?;
    let (rule, named) = rule.checked(&app.settings.currency, now)?;
    let known = model::known_names(conn, &named).await?;
    let unknown = |what: &str, name: &dyn std::fmt::Display| {
        Err(Code::InvalidField.at("rule", format!("there is no {what} {name}")))
    };
    let codes = [
        ("tier", &named.tiers, &known.tiers),
        ("level", &named.levels, &known.levels),
        ("stage", &named.stages, &known.stages),
    ];
    for (what, named, known) in codes {
        if let Some(code) = named.difference(known).next() {
            return unknown(what, code);
        }
    }
    match named.products.difference(&known.products).next() {
        Some(product) => unknown("product", product),
        None => Ok(rule),
    }
}

/// Whom a rule would mean now.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`.
pub async fn preview(app: &App, rule: &Value) -> Result<SegmentPreviewed> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let tried = Segment {
        id: SegmentId::new(),
        code: String::new(),
        name: String::new(),
        rule: Some(checked(&mut conn, app, rule, now).await?),
        created_at: now,
        archived_at: None,
        version: 1,
    };
    let count = model::count(&mut conn, &tried, now).await?;
    let accounts = model::page_of(&mut conn, &tried, PageQuery::default().page()?, now).await?;
    Ok(SegmentPreviewed { count, accounts })
}

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewSegment) -> Result<Segment> {
    let now = app.clock.now();
    let (code, name) = (fields::slug("code", &new.code)?, fields::line("name", &new.name, NAME_MAX)?);
    db::transaction(&app.pool, async |conn| {
        let rule = match &new.rule {
            Some(rule) => Some(checked(conn, app, rule, now).await?),
            None => None,
        };
        let segment = Segment {
            id: SegmentId::new(),
            code: code.clone(),
            name: name.clone(),
            rule,
            created_at: now,
            archived_at: None,
            version: 1,
        };
        model::insert(conn, &segment).await?;
        record(conn, actor, "segment.create", &segment, json!({ "rule": segment.rule }), now).await?;
        Ok(segment)
    })
    .await
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `amount_out_of_range`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: SegmentId,
    seen: IfMatch,
    change: SegmentChange,
) -> Result<Segment> {
    let now = app.clock.now();
    let name = fields::kept("name", change.name)?;
    let name = name.map(|typed| fields::line("name", &typed, NAME_MAX)).transpose()?;
    let rule = fields::kept("rule", change.rule)?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let rule = match (&rule, &before.rule) {
            (None, _) => before.rule,
            (Some(rule), Some(_)) => Some(checked(conn, app, rule, now).await?),
            (Some(_), None) => return Err(Code::InvalidField.at("rule", "this is a saved list")),
        };
        let name = name.clone().unwrap_or(before.name);
        let segment = Segment { name, rule, version: before.version + 1, ..before };
        model::store(conn, &segment).await?;
        record(conn, actor, "segment.change", &segment, json!({ "rule": segment.rule }), now).await?;
        Ok(segment)
    })
    .await
}

/// From now on it means nobody. Twice does no more than once.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: SegmentId) -> Result<Segment> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let segment = Segment { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &segment).await?;
        record(conn, actor, "segment.archive", &segment, json!({}), now).await?;
        Ok(segment)
    })
    .await
}

/// Puts accounts on a saved list, all or none; who is on it stays.
///
/// # Errors
/// `not_found`; `invalid_field` names the first that isn't there, or that the segment has a rule.
pub async fn add(app: &App, actor: Actor, id: SegmentId, new: &SegmentAdditions) -> Result<Segment> {
    let now = app.clock.now();
    if !(1..=ADDITIONS_MAX).contains(&(new.accounts.len() + new.emails.len())) {
        return Err(Code::InvalidField.at("accounts", format!("expected 1 to {ADDITIONS_MAX} in all")));
    }
    let mut keys = Vec::with_capacity(new.emails.len());
    for (index, typed) in new.emails.iter().enumerate() {
        let email: Email = typed
            .parse()
            .map_err(|_| Code::InvalidField.at(format!("emails[{index}]"), "not an e-mail address"))?;
        keys.push(email.key());
    }
    db::transaction(&app.pool, async |conn| {
        let segment = listed(conn, id).await?;
        let known = model::known_accounts(conn, &new.accounts, &keys).await?;
        let unknown = |field: &str, index: usize| {
            Code::InvalidField.at(format!("{field}[{index}]"), "there is no such account")
        };
        if let Some(index) = new.accounts.iter().position(|id| !known.iter().any(|(found, _)| found == id)) {
            return Err(unknown("accounts", index));
        }
        let has = |key: &String| known.iter().any(|(_, found)| found.as_ref() == Some(key));
        if let Some(index) = keys.iter().position(|key| !has(key)) {
            return Err(unknown("emails", index));
        }
        let ids: Vec<_> = known.into_iter().map(|(id, _)| id).collect();
        let added = model::add(conn, id, &ids).await?;
        record(conn, actor, "segment.add", &segment, json!({ "added": added }), now).await?;
        Ok(segment)
    })
    .await
}

/// Takes an account off a saved list.
///
/// # Errors
/// `not_found`, also where it isn't on it.
pub async fn remove(app: &App, actor: Actor, id: SegmentId, account: AccountId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let segment = listed(conn, id).await?;
        if !model::remove(conn, id, account).await? {
            return Err(Code::NotFound.error());
        }
        let detail = json!({ "account": account.to_string() });
        record(conn, actor, "segment.remove", &segment, detail, now).await
    })
    .await
}

async fn listed(conn: &mut Conn, id: SegmentId) -> Result<Segment> {
    let segment = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
    if segment.rule.is_some() {
        return Err(Code::InvalidField.because("A rule says who is in this segment."));
    }
    Ok(segment)
}

/// Puts these tags in the place of an account's.
///
/// # Errors
/// `not_found`, `invalid_field`.
pub async fn set_tags(app: &App, actor: Actor, account: AccountId, typed: &[String]) -> Result<Vec<String>> {
    let now = app.clock.now();
    if typed.len() > TAGS_MAX {
        return Err(Code::InvalidField.at("tags", format!("expected at most {TAGS_MAX}")));
    }
    let tag = |(index, tag): (usize, &String)| fields::line(&format!("tags[{index}]"), tag, TAG_MAX);
    let tags: BTreeSet<String> = typed.iter().enumerate().map(tag).collect::<Result<_>>()?;
    db::transaction(&app.pool, async |conn| {
        accounts::lock(conn, account).await.map_err(|_| Code::NotFound)?;
        model::set_tags(conn, account, &tags).await?;
        let entry = Entry {
            actor,
            action: "account.tags",
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: None,
            // What they say of a person goes with him.
            detail: json!({ "tags": tags.len() }),
        };
        audit::record(conn, now, entry).await
    })
    .await?;
    Ok(tags.into_iter().collect())
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    segment: &Segment,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = segment.id.to_string();
    let entry = Entry { actor, action, subject_kind: "segment", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

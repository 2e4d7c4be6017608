//! Operators' work on offers.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::{NewOffer, OfferChange};
use super::model::{self, Offer, OfferKind};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::shop::audience::Audience;
use crate::shop::products::model as products;
use crate::shop::products::service::{groups, known_audience};
use crate::types::id::{OfferId, VariantId};
use crate::types::patch::Patch;

/// Units and times beyond this are slips of the keyboard.
const MOST: i32 = 1_000;

fn checked(new: &NewOffer, currency: &str, now: DateTime<Utc>) -> Result<Offer> {
    let many = |field: &str, typed: Option<i32>| fields::within(field, typed.unwrap_or(1), 1, MOST);
    let dated =
        |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
    let is_swap = new.kind == OfferKind::Swap;
    for (field, is_there) in [
        ("buy_quantity", new.buy_quantity.is_some()),
        ("get_quantity", new.get_quantity.is_some()),
        ("most_per_order", new.most_per_order.is_some()),
    ] {
        if is_swap && is_there {
            return Err(Code::InvalidField.at(field, "goes with a gift"));
        }
    }
    if is_swap != new.supplement.is_some() {
        return Err(Code::InvalidField.at("supplement", "goes with a swap, which needs it"));
    }
    if is_swap && new.buy == new.get {
        return Err(Code::InvalidField.at("get", "expected another thing"));
    }
    let supplement = new.supplement.as_ref();
    let offer = Offer {
        id: OfferId::new(),
        code: fields::slug("code", &new.code)?,
        kind: new.kind,
        names: fields::names("names", &new.names)?,
        buyers: new.buyers.clone().unwrap_or(Audience::Everyone),
        buy: new.buy,
        buy_quantity: many("buy_quantity", new.buy_quantity)?,
        get: new.get,
        get_quantity: many("get_quantity", new.get_quantity)?,
        most_per_order: new
            .most_per_order
            .map(|most| fields::within("most_per_order", most, 1, MOST))
            .transpose()?,
        supplement_minor: supplement.map(|money| fields::price("supplement", money, currency)).transpose()?,
        starts_at: dated("starts_at", new.starts_at)?,
        ends_at: dated("ends_at", new.ends_at)?,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    in_order(&offer)?;
    Ok(offer)
}

fn in_order(offer: &Offer) -> Result<()> {
    match (offer.starts_at, offer.ends_at) {
        (Some(start), Some(end)) if end <= start => {
            Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `unknown_article`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewOffer) -> Result<Offer> {
    let now = app.clock.now();
    let offer = checked(new, &app.settings.currency, now)?;
    db::transaction(&app.pool, async |conn| {
        known_audience("buyers", &offer.buyers, &groups(conn).await?)?;
        known_articles(conn, &offer).await?;
        model::insert(conn, &offer).await?;
        record(conn, actor, "offer.create", &offer, now).await?;
        Ok(offer.clone())
    })
    .await
}

/// A swap is between two variants; what a gift is about may be a bundle too.
async fn known_articles(conn: &mut Conn, offer: &Offer) -> Result<()> {
    let known = products::articles(conn, &[offer.buy, offer.get]).await?;
    let is_good = |id: VariantId| {
        let mut found = known.iter().filter(|article| article.id == id && article.archived_at.is_none());
        found.any(|article| offer.kind == OfferKind::Gift || !article.is_bundle())
    };
    for (field, id) in [("buy", offer.buy), ("get", offer.get)] {
        if !is_good(id) {
            return Err(Code::UnknownArticle.at(field, "unknown, archived, or a bundle in a swap"));
        }
    }
    Ok(())
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: OfferId,
    seen: IfMatch,
    change: OfferChange,
) -> Result<Offer> {
    let now = app.clock.now();
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let buyers = fields::kept("buyers", change.buyers)?;
    let dated = |field: &str, patch: Patch<DateTime<Utc>>| match patch.into_change() {
        Some(Some(at)) => fields::dated(field, at, now).map(|at| Some(Some(at))),
        other => Ok(other),
    };
    let (starts_at, ends_at) = (dated("starts_at", change.starts_at)?, dated("ends_at", change.ends_at)?);
    let most = change.most_per_order.into_change();
    if let Some(Some(most)) = most {
        fields::within("most_per_order", most, 1, MOST)?;
    }
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        if most.is_some() && before.kind == OfferKind::Swap {
            return Err(Code::InvalidField.at("most_per_order", "goes with a gift"));
        }
        if let Some(buyers) = &buyers {
            known_audience("buyers", buyers, &groups(conn).await?)?;
        }
        let offer = Offer {
            names: names.clone().unwrap_or(before.names),
            buyers: buyers.clone().unwrap_or(before.buyers),
            most_per_order: most.unwrap_or(before.most_per_order),
            starts_at: starts_at.unwrap_or(before.starts_at),
            ends_at: ends_at.unwrap_or(before.ends_at),
            version: before.version + 1,
            ..before
        };
        in_order(&offer)?;
        model::store(conn, &offer).await?;
        record(conn, actor, "offer.change", &offer, now).await?;
        Ok(offer)
    })
    .await
}

/// Ends an offer for good. Twice does no more than once; what it gave stays given.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: OfferId) -> Result<Offer> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let offer = Offer { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &offer).await?;
        record(conn, actor, "offer.archive", &offer, now).await?;
        Ok(offer)
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    offer: &Offer,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "offer",
        subject_id: offer.id.to_string(),
        reason: None,
        detail: json!({ "code": offer.code, "version": offer.version }),
    };
    audit::record(conn, now, entry).await
}

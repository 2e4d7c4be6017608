//! Operators' work on methods of shipping.

use serde_json::json;

use super::dto::{NewShippingMethod, ShippingMethodChange};
use super::model::{self, ShippingMethod};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::shop::audience::Audience;
use crate::shop::products::service::{groups, known_audience};
use crate::types::id::ShippingMethodId;
use crate::types::money::Money;
use crate::types::patch::Patch;

/// Makes a method.
///
/// # Errors
/// `code_taken`, `invalid_field`, `amount_out_of_range`.
pub async fn create(app: &App, actor: Actor, new: &NewShippingMethod) -> Result<ShippingMethod> {
    let (now, currency) = (app.clock.now(), &app.settings.currency);
    let minor = |field: &str, money: &Option<Money>| {
        money.as_ref().map(|money| fields::price(field, money, currency)).transpose()
    };
    let method = ShippingMethod {
        id: ShippingMethodId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        countries: countries(&new.countries)?,
        fee_minor: fields::price("fee", &new.fee, currency)?,
        fee_per_kg_minor: minor("fee_per_kg", &new.fee_per_kg)?.unwrap_or(0),
        free_from_minor: minor("free_from", &new.free_from)?,
        free_for: new.free_for.clone(),
        created_at: now,
        archived_at: None,
        version: 1,
    };
    db::transaction(&app.pool, async |conn| {
        known(conn, method.free_for.as_ref()).await?;
        model::insert(conn, &method).await?;
        let entry = entry(actor, "shipping_method.create", method.id, &method.code);
        audit::record(conn, now, entry).await
    })
    .await?;
    Ok(method)
}

async fn known(conn: &mut Conn, free_for: Option<&Audience>) -> Result<()> {
    if let Some(buyers) = free_for {
        known_audience("free_for", buyers, &groups(conn).await?)?;
    }
    Ok(())
}

fn countries(typed: &[String]) -> Result<Vec<String>> {
    let mut countries = Vec::with_capacity(typed.len());
    for (index, country) in typed.iter().enumerate() {
        let country = country.to_ascii_uppercase();
        let is_code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
        if !is_code || countries.contains(&country) || index >= 250 {
            let field = format!("countries[{index}]");
            return Err(Code::InvalidField.at(field, "expected two letters such as CN, each once"));
        }
        countries.push(country);
    }
    if countries.is_empty() {
        return Err(Code::InvalidField.at("countries", "expected at least one"));
    }
    Ok(countries)
}

/// Changes a method. Orders that exist keep the fee that they were placed with.
///
/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `amount_out_of_range`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: ShippingMethodId,
    seen: IfMatch,
    change: ShippingMethodChange,
) -> Result<ShippingMethod> {
    let (now, currency) = (app.clock.now(), &app.settings.currency);
    let names = fields::kept("names", change.names)?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let places = fields::kept("countries", change.countries)?;
    let places = places.map(|typed| countries(&typed)).transpose()?;
    let fee = fields::kept("fee", change.fee)?;
    let fee_minor = fee.map(|fee| fields::price("fee", &fee, currency)).transpose()?;
    let minor = |field: &str, money: Patch<Money>| match money.into_change() {
        Some(Some(money)) => fields::price(field, &money, currency).map(|minor| Some(Some(minor))),
        Some(None) => Ok(Some(None)),
        None => Ok(None),
    };
    let per_kg_minor = minor("fee_per_kg", change.fee_per_kg)?;
    let from_minor = minor("free_from", change.free_from)?;
    let free_for = change.free_for.into_change();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        known(conn, free_for.as_ref().and_then(Option::as_ref)).await?;
        let method = ShippingMethod {
            names: names.clone().unwrap_or(before.names),
            countries: places.clone().unwrap_or(before.countries),
            fee_minor: fee_minor.unwrap_or(before.fee_minor),
            fee_per_kg_minor: per_kg_minor.map_or(before.fee_per_kg_minor, |minor| minor.unwrap_or(0)),
            free_from_minor: from_minor.unwrap_or(before.free_from_minor),
            free_for: free_for.clone().unwrap_or(before.free_for),
            version: before.version + 1,
            ..before
        };
        model::store(conn, &method).await?;
        audit::record(conn, now, entry(actor, "shipping_method.change", id, &method.code)).await?;
        Ok(method)
    })
    .await
}

/// Takes a method off the list. Twice does no more than once.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: ShippingMethodId) -> Result<ShippingMethod> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let is_new = model::archive(conn, id, now).await?;
        let method = model::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
        if is_new {
            let entry = entry(actor, "shipping_method.archive", id, &method.code);
            audit::record(conn, now, entry).await?;
        }
        Ok(method)
    })
    .await
}

fn entry<'a>(actor: Actor, action: &'a str, id: ShippingMethodId, code: &str) -> Entry<'a> {
    Entry {
        actor,
        action,
        subject_kind: "shipping_method",
        subject_id: id.to_string(),
        reason: None,
        detail: json!({ "code": code }),
    }
}

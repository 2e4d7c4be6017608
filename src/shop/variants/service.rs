//! Operators' work on variants and prices.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{NewPrice, NewVariantBody, VariantChangeBody};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::shop::audience::Audience;
use crate::shop::products::model::{self, Article, NewVariant, Price, Product, ProductKind, VariantChange};
use crate::shop::products::service::{VARIANTS_MAX, found, groups, known_audience};
use crate::shop::stock::model as stock;
use crate::types::id::{PoolId, PriceId, ProductId, VariantId};

pub const PARTS_MAX: usize = 50;
/// Units of anything; beyond it is a slip of the keyboard.
pub const UNITS_MAX: i64 = 1_000_000_000;

pub const GRAMS_MAX: i32 = 1_000_000;
pub const PER_ORDER_MAX: i32 = 10_000;

/// Where a new variant stands among its siblings, and in the body.
pub struct Place {
    pub position: i32,
    /// What leads to the variant's fields: `variants[0].`, or nothing.
    pub field: String,
}

/// Adds a variant to a product that is there.
///
/// # Errors
/// `not_found`, `invalid_field`, `amount_out_of_range`, `code_taken`, `unknown_article` for a part that isn't there.
pub async fn create(app: &App, actor: Actor, product: ProductId, new: &NewVariantBody) -> Result<Article> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let product = model::lock(conn, product).await?.filter(|product| product.archived_at.is_none());
        let product = product.ok_or(Code::NotFound)?;
        let position = model::next_position(conn, product.id).await?;
        let most = if product.kind == ProductKind::Bundle { 1 } else { VARIANTS_MAX };
        if usize::try_from(position).is_ok_and(|position| position >= most) {
            return Err(Code::InvalidField.at("sku", format!("a product has at most {most} variants")));
        }
        let place = Place { position, field: String::new() };
        let id = add(conn, &app.settings.currency, &product, &place, new, now).await?;
        found(conn, product).await?;
        record(conn, actor, "variant.create", id, json!({ "sku": new.sku }), now).await?;
        the(conn, id).await
    })
    .await
}

async fn the(conn: &mut Conn, id: VariantId) -> Result<Article> {
    model::articles(conn, &[id]).await?.pop().ok_or_else(|| Code::NotFound.error())
}

/// Writes a new variant of a product that is new or locked.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`, `unknown_article` for a part that isn't there.
pub async fn add(
    conn: &mut Conn,
    currency: &str,
    product: &Product,
    place: &Place,
    body: &NewVariantBody,
    now: DateTime<Utc>,
) -> Result<VariantId> {
    let field = |name: &str| format!("{}{name}", place.field);
    let is_bundle = product.kind == ProductKind::Bundle;
    if is_bundle == body.parts.is_empty() || body.parts.len() > PARTS_MAX {
        let why = if is_bundle { "expected 1 to 50" } else { "only a bundle has parts" };
        return Err(Code::InvalidField.at(field("parts"), why));
    }
    if product.kind == ProductKind::Goods && body.limit.is_some() {
        return Err(Code::InvalidField.at(field("limit"), "goods have stock: move some in"));
    }
    let options = options(&field("options"), &body.options)?;
    let limit = body.limit.map(|limit| fields::within(&field("limit"), limit, 0, UNITS_MAX)).transpose()?;
    let pool = match (product.kind, limit) {
        (ProductKind::Goods, _) => Some((PoolId::new(), "stock", 0)),
        (_, Some(limit)) => Some((PoolId::new(), "limit", limit)),
        (_, None) => None,
    };
    let parts = parts(conn, &field("parts"), body).await?;
    let new = NewVariant {
        id: VariantId::new(),
        product: product.id,
        sku: fields::line(&field("sku"), &body.sku, 64)?,
        position: place.position,
        options,
        price_minor: fields::price(&field("price"), &body.price, currency)?,
        currency: currency.to_owned(),
        weight_grams: fields::within(&field("weight_grams"), body.weight_grams, 0, GRAMS_MAX)?,
        pool,
        open_sale: body.open_sale,
        max_per_order: fields::within(
            &field("max_per_order"),
            body.max_per_order.unwrap_or(100),
            1,
            PER_ORDER_MAX,
        )?,
        low_stock_at: body
            .low_stock_at
            .map(|left| fields::within(&field("low_stock_at"), left, 0, UNITS_MAX))
            .transpose()?,
        ships_from: body.ships_from.map(|at| fields::dated(&field("ships_from"), at, now)).transpose()?,
        parts,
        created_at: now,
    };
    model::insert_variant(conn, &new).await?;
    Ok(new.id)
}

/// # Errors
/// `invalid_field`.
pub fn options(field: &str, typed: &serde_json::Map<String, Value>) -> Result<Value> {
    let is_good = |(name, value): (&String, &Value)| {
        (1..=50).contains(&name.len()) && value.as_str().is_some_and(|text| (1..=100).contains(&text.len()))
    };
    if typed.len() > 10 || !typed.iter().all(is_good) {
        return Err(Code::InvalidField.at(field, "expected up to 10 short names with short texts"));
    }
    Ok(Value::Object(typed.clone()))
}

/// Parts are variants that are sold, and no bundles: their parts would have to be claimed too.
async fn parts(conn: &mut Conn, field: &str, body: &NewVariantBody) -> Result<Vec<(VariantId, i32)>> {
    let ids: Vec<_> = body.parts.iter().map(|part| part.variant).collect();
    let known = model::articles(conn, &ids).await?;
    let mut parts: Vec<(VariantId, i32)> = Vec::with_capacity(body.parts.len());
    for (index, part) in body.parts.iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        let article = known.iter().find(|article| article.id == part.variant);
        if article.is_none_or(|article| article.is_bundle() || article.archived_at.is_some()) {
            return Err(Code::UnknownArticle.at(at("variant"), "unknown, archived, or a bundle"));
        }
        if parts.iter().any(|(variant, _)| *variant == part.variant) {
            return Err(Code::InvalidField.at(at("variant"), "named twice"));
        }
        parts.push((part.variant, fields::within(&at("quantity"), part.quantity, 1, 1_000)?));
    }
    Ok(parts)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `amount_out_of_range`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: VariantId,
    seen: IfMatch,
    change: VariantChangeBody,
) -> Result<Article> {
    let now = app.clock.now();
    let asked = checked(change, &app.settings.currency, now)?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock_variant(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        if asked.low_stock_at.flatten().is_some() && before.pool.is_none() {
            return Err(Code::InvalidField.at("low_stock_at", "as many can be sold as are wanted"));
        }
        if asked.ships_from.is_some_and(|from| from.is_none_or(|from| from <= now)) {
            // Who buys what isn't there must be told so.
            let announced = stock::announced(conn, &[id]).await?;
            if announced.get(&id).is_some_and(|quantity| *quantity > 0) {
                return Err(
                    Code::InUse.because("Units are announced: enter that they came, or take them back.")
                );
            }
        }
        let asked = VariantChange { version: Some(before.version + 1), ..asked.clone() };
        model::store_variant(conn, id, &asked).await?;
        if let Some(price_minor) = asked.price_minor.filter(|minor| *minor != before.price_minor) {
            model::enter_list_price(conn, id, price_minor, now).await?;
        }
        let after = the(conn, id).await?;
        let detail = json!({
            "sku": after.sku, "version": after.version,
            "price_minor": { "was": before.price_minor, "is": after.price_minor },
        });
        record(conn, actor, "variant.change", id, detail, now).await?;
        Ok(after)
    })
    .await
}

fn checked(change: VariantChangeBody, currency: &str, now: DateTime<Utc>) -> Result<VariantChange> {
    let kept = fields::kept("price", change.price)?;
    let weight_grams = fields::kept("weight_grams", change.weight_grams)?;
    let max_per_order = fields::kept("max_per_order", change.max_per_order)?;
    let typed = fields::kept("options", change.options)?;
    Ok(VariantChange {
        price_minor: kept.map(|price| fields::price("price", &price, currency)).transpose()?,
        weight_grams: weight_grams
            .map(|grams| fields::within("weight_grams", grams, 0, GRAMS_MAX))
            .transpose()?,
        open_sale: fields::kept("open_sale", change.open_sale)?,
        max_per_order: max_per_order
            .map(|most| fields::within("max_per_order", most, 1, PER_ORDER_MAX))
            .transpose()?,
        options: typed.map(|typed| options("options", &typed)).transpose()?,
        low_stock_at: change
            .low_stock_at
            .into_change()
            .map(|left| left.map(|left| fields::within("low_stock_at", left, 0, UNITS_MAX)).transpose())
            .transpose()?,
        ships_from: change
            .ships_from
            .into_change()
            .map(|at| at.map(|at| fields::dated("ships_from", at, now)).transpose())
            .transpose()?,
        ..VariantChange::default()
    })
}

/// Takes a variant off the shelf. Twice does no more than once; what is ordered stays ordered, and bundles that hold it go
/// on.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: VariantId) -> Result<Article> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock_variant(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let change = VariantChange {
            archived_at: Some(now),
            version: Some(before.version + 1),
            ..VariantChange::default()
        };
        model::store_variant(conn, id, &change).await?;
        record(conn, actor, "variant.archive", id, json!({ "sku": before.sku }), now).await?;
        the(conn, id).await
    })
    .await
}

/// Gives a variant another price.
///
/// # Errors
/// `not_found`, `invalid_field`, `amount_out_of_range`.
pub async fn add_price(app: &App, actor: Actor, variant: VariantId, new: &NewPrice) -> Result<Price> {
    let now = app.clock.now();
    let price_minor = fields::price("price", &new.price, &app.settings.currency)?;
    let quantity_from = fields::within("quantity_from", new.quantity_from.unwrap_or(1), 1, 10_000)?;
    let dated =
        |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
    let (starts_at, ends_at) = (dated("starts_at", new.starts_at)?, dated("ends_at", new.ends_at)?);
    if ends_at.is_some_and(|end| end <= starts_at.unwrap_or(now)) {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at, still to come"));
    }
    db::transaction(&app.pool, async |conn| {
        let groups = groups(conn).await?;
        let article = model::articles(conn, &[variant]).await?.pop().ok_or(Code::NotFound)?;
        let buyers = new.buyers.as_ref().unwrap_or(&Audience::Everyone);
        let price = Price {
            id: PriceId::new(),
            variant,
            buyers: known_audience("buyers", buyers, &groups)?,
            quantity_from,
            price_minor,
            starts_at,
            ends_at,
            created_at: now,
            archived_at: None,
        };
        model::insert_price(conn, &price).await?;
        let detail = json!({ "price": price.id.to_string(), "price_minor": price_minor });
        record(conn, actor, "price.create", article.id, detail, now).await?;
        Ok(price)
    })
    .await
}

/// Takes a price away. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn end_price(app: &App, actor: Actor, id: PriceId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if let Some(variant) = model::archive_price(conn, id, now).await? {
            let detail = json!({ "price": id.to_string() });
            record(conn, actor, "price.archive", variant, detail, now).await?;
        }
        Ok(())
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    variant: VariantId,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = variant.to_string();
    let entry = Entry { actor, action, subject_kind: "variant", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

//! What a drop sells and to whom, as operators write it. In the caller's transaction.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{AudienceBody, ItemBody, ItemChange};
use super::model::{self, AudienceOf, Drop, Item, ItemPrice};
use crate::checkout::claims;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::fields;
use crate::shop::audience::Audience;
use crate::shop::products::model as products;
use crate::shop::products::service::{Groups, groups, known_audience};
use crate::shop::stock::model::resize;
use crate::types::id::{AudienceId, PoolId};
use crate::types::money::Money;
use crate::types::patch::Patch;

const ITEMS_MAX: usize = 20;
const AUDIENCES_MAX: usize = 10;
const UNITS_MAX: i64 = 1_000_000_000;

/// The items of a new drop.
///
/// # Errors
/// `invalid_field`, `unknown_article`, `amount_out_of_range`.
pub async fn new(conn: &mut Conn, bodies: &[ItemBody], currency: &str) -> Result<Vec<Item>> {
    if !(1..=ITEMS_MAX).contains(&bodies.len()) {
        return Err(Code::InvalidField.at("items", format!("expected 1 to {ITEMS_MAX}")));
    }
    let ids: Vec<_> = bodies.iter().map(|item| item.variant).collect();
    let known = products::articles(conn, &ids).await?;
    let groups = groups(conn).await?;
    let mut items: Vec<Item> = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.iter().enumerate() {
        let field = |name: &str| format!("items[{index}].{name}");
        let article =
            known.iter().find(|article| article.id == body.variant && article.archived_at.is_none());
        let article =
            article.ok_or_else(|| Code::UnknownArticle.at(field("variant"), "unknown or archived"))?;
        if items.iter().any(|item| item.variant == body.variant) {
            return Err(Code::InvalidField.at(field("variant"), "named twice"));
        }
        let price = match (&body.price, &body.price_for) {
            (Some(money), buyers) => Some(price(&field(""), money, buyers.as_ref(), currency, &groups)?),
            (None, Some(_)) => return Err(Code::InvalidField.at(field("price_for"), "it goes with a price")),
            (None, None) => None,
        };
        let capacity = fields::within(&field("quantity"), body.quantity, 1, UNITS_MAX)?;
        let (variant, is_bundle, pool) = (article.id, article.is_bundle(), PoolId::new());
        items.push(Item { variant, is_bundle, pool, capacity, held: 0, taken: 0, waiting: 0, price });
    }
    Ok(items)
}

/// `field` ends in a dot.
fn price(
    field: &str,
    money: &Money,
    buyers: Option<&Audience>,
    currency: &str,
    groups: &Groups,
) -> Result<ItemPrice> {
    let buyers = match buyers {
        Some(buyers) => known_audience(&format!("{field}price_for"), buyers, groups)?,
        None => Audience::Everyone,
    };
    Ok(ItemPrice { minor: fields::price(&format!("{field}price"), money, currency)?, buyers })
}

/// The audiences of a new drop, by opening.
///
/// # Errors
/// `invalid_field`
pub async fn audiences(
    conn: &mut Conn,
    bodies: &[AudienceBody],
    now: DateTime<Utc>,
) -> Result<Vec<AudienceOf>> {
    if bodies.len() > AUDIENCES_MAX {
        return Err(Code::InvalidField.at("audiences", format!("expected at most {AUDIENCES_MAX}")));
    }
    let groups = groups(conn).await?;
    let mut audiences = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.iter().enumerate() {
        let field = |name: &str| format!("audiences[{index}].{name}");
        let allocation = body
            .allocation
            .map(|units| fields::within(&field("allocation"), units, 1, UNITS_MAX))
            .transpose()?;
        audiences.push(AudienceOf {
            id: AudienceId::new(),
            buyers: known_audience(&field("buyers"), &body.buyers, &groups)?,
            opens_at: fields::dated(&field("opens_at"), body.opens_at, now)?,
            pool: allocation.map(|_| PoolId::new()),
            allocation,
        });
    }
    audiences.sort_by_key(|of| (of.opens_at, of.id));
    Ok(audiences)
}

/// Does its window hold its audiences?
///
/// # Errors
/// `invalid_field`
pub fn in_order(drop: &Drop) -> Result<()> {
    if drop.closes_at <= drop.opens_at {
        return Err(Code::InvalidField.at("closes_at", "expected a time after opens_at"));
    }
    if drop.audiences.iter().any(|of| of.opens_at >= drop.closes_at) {
        return Err(Code::InvalidField.at("closes_at", "an audience is let in later"));
    }
    Ok(())
}

/// Changes how many of what a locked drop sells, and for how much; what was changed, for the audit log.
///
/// # Errors
/// `unknown_article`, `invalid_field`, `amount_out_of_range`, `stock_not_free`.
pub async fn change(conn: &mut Conn, drop: &Drop, changes: &[ItemChange], currency: &str) -> Result<Value> {
    if changes.len() > ITEMS_MAX {
        return Err(Code::InvalidField.at("items", format!("expected at most {ITEMS_MAX}")));
    }
    let groups = groups(conn).await?;
    let pools: Vec<_> = drop.items.iter().map(|item| item.pool).collect();
    let left = match changes {
        [] => Vec::new(),
        _ => claims::lock(conn, &pools).await?,
    };
    let mut changed = Vec::with_capacity(changes.len());
    for (index, change) in changes.iter().enumerate() {
        let field = format!("items[{index}].");
        let item = drop
            .item(change.variant)
            .ok_or_else(|| Code::UnknownArticle.at(format!("{field}variant"), "the drop doesn't sell it"))?;
        if changes.iter().take(index).any(|other| other.variant == change.variant) {
            return Err(Code::InvalidField.at(format!("{field}variant"), "named twice"));
        }
        if let Some(add) = change.add {
            let pool = left.iter().find(|pool| pool.id == item.pool).ok_or(Code::UnknownDrop)?;
            let room = UNITS_MAX - pool.capacity;
            let add = fields::within(&format!("{field}add"), add, -UNITS_MAX, room)?;
            if pool.left() + add < 0 {
                return Err(Code::StockNotFree.because(format!("{} are free.", pool.left())));
            }
            resize(conn, item.pool, add).await?;
        }
        if !matches!((&change.price, &change.price_for), (Patch::Absent, Patch::Absent)) {
            let price = new_price(&field, item, change, currency, &groups)?;
            model::store_price(conn, drop.id, item.variant, price.as_ref()).await?;
        }
        changed.push(json!({ "variant": change.variant.to_string(), "add": change.add }));
    }
    Ok(json!({ "items": changed }))
}

fn new_price(
    field: &str,
    item: &Item,
    change: &ItemChange,
    currency: &str,
    groups: &Groups,
) -> Result<Option<ItemPrice>> {
    let old = item.price.as_ref();
    let minor = match &change.price {
        Patch::Absent => old.map(|price| price.minor),
        Patch::Null => None,
        Patch::Value(money) => Some(fields::price(&format!("{field}price"), money, currency)?),
    };
    let buyers = match &change.price_for {
        Patch::Absent => old.map_or(Audience::Everyone, |price| price.buyers.clone()),
        Patch::Null => Audience::Everyone,
        Patch::Value(_) if minor.is_none() => {
            return Err(Code::InvalidField.at(format!("{field}price_for"), "it goes with a price"));
        }
        Patch::Value(buyers) => known_audience(&format!("{field}price_for"), buyers, groups)?,
    };
    Ok(minor.map(|minor| ItemPrice { minor, buyers }))
}

//! Rows of prices: other prices than a variant's own, and the history of its own.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::model::{audience, stored};
use super::rules::{ListPrice, PublicSale};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{list_prices, prices};
use crate::shop::audience::Audience;
use crate::types::id::{ListPriceId, PriceId, VariantId};

/// Another price, for who or what or when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Price {
    pub id: PriceId,
    pub variant: VariantId,
    pub buyers: Audience,
    pub quantity_from: i32,
    pub price_minor: i64,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Taken away: it counts no longer, and the row stays.
    pub archived_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = prices)]
struct PriceRow {
    id: PriceId,
    variant_id: VariantId,
    buyers: Value,
    quantity_from: i32,
    price_minor: i64,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
}

impl TryFrom<PriceRow> for Price {
    type Error = AppError;

    fn try_from(row: PriceRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            variant: row.variant_id,
            buyers: audience(row.buyers)?,
            quantity_from: row.quantity_from,
            price_minor: row.price_minor,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_at: row.created_at,
            archived_at: row.archived_at,
        })
    }
}

/// Prices that aren't archived, by variant.
///
/// # Errors
/// The database's.
pub async fn prices_of(mut conn: &Conn, ids: &[VariantId]) -> Result<HashMap<VariantId, Vec<Price>>> {
    let rows: Vec<PriceRow> = prices::table
        .filter(prices::variant_id.eq_any(ids))
        .filter(prices::archived_at.is_null())
        .order(prices::id)
        .select(PriceRow::as_select())
        .load(&mut conn)
        .await?;
    let mut prices: HashMap<VariantId, Vec<Price>> = HashMap::new();
    for row in rows {
        prices.entry(row.variant_id).or_default().push(row.try_into()?);
    }
    Ok(prices)
}

/// # Errors
/// The database's.
pub async fn insert_price(conn: &mut Conn, price: &Price) -> Result<()> {
    diesel::insert_into(prices::table)
        .values((
            prices::id.eq(price.id),
            prices::variant_id.eq(price.variant),
            prices::buyers.eq(stored(&price.buyers)?),
            prices::quantity_from.eq(price.quantity_from),
            prices::price_minor.eq(price.price_minor),
            prices::starts_at.eq(price.starts_at),
            prices::ends_at.eq(price.ends_at),
            prices::created_at.eq(price.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes a price away; the variant that had it.
///
/// # Errors
/// The database's.
pub async fn archive_price(conn: &mut Conn, id: PriceId, now: DateTime<Utc>) -> Result<Option<VariantId>> {
    let live = prices::table.find(id).filter(prices::archived_at.is_null());
    let query = diesel::update(live).set(prices::archived_at.eq(now)).returning(prices::variant_id);
    Ok(query.get_result(conn).await.optional()?)
}

/// A page of a variant's prices, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn prices_page(conn: &mut Conn, variant: VariantId, page: Page) -> Result<Vec<Price>> {
    let rows: Vec<PriceRow> = prices::table
        .filter(prices::variant_id.eq(variant))
        .filter(prices::id.lt(PriceId(page.before)))
        .order(prices::id.desc())
        .limit(page.fetch())
        .select(PriceRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Price::try_from).collect()
}

/// Enters a variant's own price into its history: from now on it is this.
///
/// # Errors
/// The database's.
pub async fn enter_list_price(
    conn: &mut Conn,
    variant: VariantId,
    price_minor: i64,
    from_at: DateTime<Utc>,
) -> Result<()> {
    enter_list_prices(conn, &[(variant, price_minor, from_at)]).await
}

/// [`enter_list_price`] of many variants with one statement.
///
/// # Errors
/// The database's.
pub async fn enter_list_prices(conn: &mut Conn, new: &[(VariantId, i64, DateTime<Utc>)]) -> Result<()> {
    let row = |(variant, price_minor, from_at): &(VariantId, i64, DateTime<Utc>)| {
        (
            list_prices::id.eq(ListPriceId::new()),
            list_prices::variant_id.eq(*variant),
            list_prices::price_minor.eq(*price_minor),
            list_prices::from_at.eq(*from_at),
        )
    };
    let rows: Vec<_> = new.iter().map(row).collect();
    diesel::insert_into(list_prices::table).values(rows).execute(conn).await?;
    Ok(())
}

/// What the public has paid for these variants since when: their own prices, oldest first, and the sales to everyone,
/// past ones too.
///
/// # Errors
/// The database's.
pub async fn public_history(
    conn: &mut Conn,
    variants: &[VariantId],
) -> Result<HashMap<VariantId, (Vec<ListPrice>, Vec<PublicSale>)>> {
    let mut histories: HashMap<VariantId, (Vec<ListPrice>, Vec<PublicSale>)> = HashMap::new();
    if variants.is_empty() {
        return Ok(histories);
    }
    let own: Vec<(VariantId, i64, DateTime<Utc>)> = list_prices::table
        .filter(list_prices::variant_id.eq_any(variants))
        .order((list_prices::variant_id, list_prices::from_at, list_prices::id))
        .select((list_prices::variant_id, list_prices::price_minor, list_prices::from_at))
        .load(conn)
        .await?;
    for (variant, price_minor, from_at) in own {
        histories.entry(variant).or_default().0.push(ListPrice { price_minor, from_at });
    }
    let rows: Vec<PriceRow> = prices::table
        .filter(prices::variant_id.eq_any(variants))
        .filter(prices::quantity_from.eq(1))
        .select(PriceRow::as_select())
        .load(conn)
        .await?;
    for row in rows {
        let price = Price::try_from(row)?;
        histories.entry(price.variant).or_default().1.extend(PublicSale::of(&price));
    }
    Ok(histories)
}

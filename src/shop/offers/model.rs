//! Rows of offers, and of what they gave on the lines of orders.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::offers;
use crate::shop::audience::Audience;
use crate::shop::products::model::{audience, stored};
use crate::types::id::{LineId, OfferId, VariantId};
use crate::types::locale::Names;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What an offer does.
    OfferKind {
        /// Who buys so many of one thing gets so many of another, or of the same, for nothing.
        Gift = "gift",
        /// One thing instead of another, for its price and a fixed supplement.
        Swap = "swap",
    }
}

/// An offer.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub id: OfferId,
    pub code: String,
    pub kind: OfferKind,
    pub names: Names,
    pub buyers: Audience,
    /// What is bought; of a swap what is given up.
    pub buy: VariantId,
    pub buy_quantity: i32,
    /// What one gets.
    pub get: VariantId,
    pub get_quantity: i32,
    /// How often it counts in one order.
    pub most_per_order: Option<i32>,
    /// Of a swap: on one unit.
    pub supplement_minor: Option<i64>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = offers)]
struct OfferRow {
    id: OfferId,
    code: String,
    kind: OfferKind,
    name_zh: String,
    name_en: String,
    buyers: Value,
    buy_variant_id: VariantId,
    buy_quantity: i32,
    get_variant_id: VariantId,
    get_quantity: i32,
    most_per_order: Option<i32>,
    supplement_minor: Option<i64>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<OfferRow> for Offer {
    type Error = AppError;

    fn try_from(row: OfferRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            kind: row.kind,
            names: Names { zh: row.name_zh, en: row.name_en },
            buyers: audience(row.buyers)?,
            buy: row.buy_variant_id,
            buy_quantity: row.buy_quantity,
            get: row.get_variant_id,
            get_quantity: row.get_quantity,
            most_per_order: row.most_per_order,
            supplement_minor: row.supplement_minor,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

fn row_of(offer: &Offer) -> Result<OfferRow> {
    Ok(OfferRow {
        id: offer.id,
        code: offer.code.clone(),
        kind: offer.kind,
        name_zh: offer.names.zh.clone(),
        name_en: offer.names.en.clone(),
        buyers: stored(&offer.buyers)?,
        buy_variant_id: offer.buy,
        buy_quantity: offer.buy_quantity,
        get_variant_id: offer.get,
        get_quantity: offer.get_quantity,
        most_per_order: offer.most_per_order,
        supplement_minor: offer.supplement_minor,
        starts_at: offer.starts_at,
        ends_at: offer.ends_at,
        created_at: offer.created_at,
        archived_at: offer.archived_at,
        version: offer.version,
    })
}

/// Offers that aren't archived for who buys one of these, oldest first: the older one comes first where two could be used.
///
/// # Errors
/// The database's.
pub async fn for_buyers_of(mut conn: &Conn, variants: &[VariantId]) -> Result<Vec<Offer>> {
    if variants.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<OfferRow> = offers::table
        .filter(offers::buy_variant_id.eq_any(variants))
        .filter(offers::archived_at.is_null())
        .order(offers::id)
        .select(OfferRow::as_select())
        .load(&mut conn)
        .await?;
    rows.into_iter().map(Offer::try_from).collect()
}

/// A page of offers, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Offer>> {
    let rows: Vec<OfferRow> = offers::table
        .filter(offers::id.lt(OfferId(page.before)))
        .order(offers::id.desc())
        .limit(page.fetch())
        .select(OfferRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Offer::try_from).collect()
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: OfferId) -> Result<Option<Offer>> {
    let row: Option<OfferRow> =
        offers::table.find(id).select(OfferRow::as_select()).first(conn).await.optional()?;
    row.map(Offer::try_from).transpose()
}

/// Locks an offer that is to be changed, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: OfferId) -> Result<Option<Offer>> {
    let query = offers::table.find(id).for_no_key_update().select(OfferRow::as_select());
    let row: Option<OfferRow> = query.first(conn).await.optional()?;
    row.map(Offer::try_from).transpose()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, offer: &Offer) -> Result<()> {
    diesel::insert_into(offers::table).values(row_of(offer)?).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a locked offer: for whom, when, how often, its names, its end.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, offer: &Offer) -> Result<()> {
    let row = row_of(offer)?;
    diesel::update(offers::table.find(offer.id))
        .set((
            offers::name_zh.eq(row.name_zh),
            offers::name_en.eq(row.name_en),
            offers::buyers.eq(row.buyers),
            offers::most_per_order.eq(row.most_per_order),
            offers::starts_at.eq(row.starts_at),
            offers::ends_at.eq(row.ends_at),
            offers::archived_at.eq(row.archived_at),
            offers::version.eq(row.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

batch_insert! {
    /// What an offer gave on a line: units for nothing, or units for a supplement.
    pub struct NewLineOffer as LineOfferColumns into "line_offers" {
        line_id: LineId => SqlUuid,
        offer_id: OfferId => SqlUuid,
        quantity: i64 => BigInt,
        discount_minor: i64 => BigInt,
    }
}

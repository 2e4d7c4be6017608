//! Rows of articles: variants with their products, the parts of bundles, and prices.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::model::{Product, ProductKind, ProductRow, audience, stored};
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::{bundle_parts, pools, prices, products, variants};
use crate::shop::audience::Audience;
use crate::types::id::{PoolId, PriceId, ProductId, VariantId};
use crate::types::locale::Names;

/// Something that a line can sell: a variant with its product, a bundle with its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Article {
    pub id: VariantId,
    pub sku: String,
    pub position: i32,
    /// What distinguishes it from its siblings: `{"size": "XL"}`.
    pub options: Value,
    pub price_minor: i64,
    pub currency: String,
    pub weight_grams: i32,
    /// Its stock or limit; none where as many can be sold as are wanted.
    pub pool: Option<PoolId>,
    /// False: sold in drops alone.
    pub open_sale: bool,
    pub max_per_order: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub product: Product,
    /// Of a bundle, by variant.
    pub parts: Vec<Part>,
    /// Other prices than its own that aren't archived.
    pub prices: Vec<Price>,
}

impl Article {
    pub fn is_bundle(&self) -> bool {
        self.product.kind == ProductKind::Bundle
    }

    /// Goes into a parcel, whole or in part.
    pub fn is_shipped(&self) -> bool {
        match self.product.kind {
            ProductKind::Goods => true,
            ProductKind::Digital => false,
            ProductKind::Bundle => self.parts.iter().any(|part| part.kind == ProductKind::Goods),
        }
    }

    /// For whom something of it is: the product, or another price.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.product.audiences().chain(self.prices.iter().map(|price| &price.buyers))
    }

    /// Of one unit.
    pub fn weight_grams(&self) -> i64 {
        let part = |part: &Part| i64::from(part.weight_grams) * i64::from(part.quantity);
        i64::from(self.weight_grams) + self.parts.iter().map(part).sum::<i64>()
    }
}

/// A part of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub variant: VariantId,
    pub sku: String,
    pub product: ProductId,
    pub kind: ProductKind,
    pub names: Names,
    /// In one bundle.
    pub quantity: i32,
    pub weight_grams: i32,
    pub pool: Option<PoolId>,
    pub right_days: Option<i32>,
}

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
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = variants)]
struct VariantRow {
    id: VariantId,
    sku: String,
    position: i32,
    options: Value,
    price_minor: i64,
    currency: String,
    weight_grams: i32,
    pool_id: Option<PoolId>,
    open_sale: bool,
    max_per_order: i32,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
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
        })
    }
}

/// The articles of these ids, archived ones too, in no order.
///
/// # Errors
/// The database's.
pub async fn articles(conn: &mut Conn, ids: &[VariantId]) -> Result<Vec<Article>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(VariantRow, ProductRow)> = variants::table
        .inner_join(products::table)
        .filter(variants::id.eq_any(ids))
        .order((variants::product_id, variants::position))
        .select((VariantRow::as_select(), ProductRow::as_select()))
        .load(conn)
        .await?;
    let mut parts = parts_of(conn, ids).await?;
    let mut prices = prices_of(conn, ids).await?;
    rows.into_iter()
        .map(|(row, product)| {
            Ok(Article {
                id: row.id,
                sku: row.sku,
                position: row.position,
                options: row.options,
                price_minor: row.price_minor,
                currency: row.currency,
                weight_grams: row.weight_grams,
                pool: row.pool_id,
                open_sale: row.open_sale,
                max_per_order: row.max_per_order,
                created_at: row.created_at,
                archived_at: row.archived_at,
                product: product.try_into()?,
                parts: parts.remove(&row.id).unwrap_or_default(),
                prices: prices.remove(&row.id).unwrap_or_default(),
            })
        })
        .collect()
}

async fn parts_of(conn: &mut Conn, bundles: &[VariantId]) -> Result<HashMap<VariantId, Vec<Part>>> {
    type Row = (
        VariantId,
        i32,
        VariantId,
        String,
        i32,
        Option<PoolId>,
        ProductId,
        ProductKind,
        String,
        String,
        Option<i32>,
    );
    let rows: Vec<Row> = bundle_parts::table
        .inner_join(variants::table.on(variants::id.eq(bundle_parts::part_id)))
        .inner_join(products::table.on(products::id.eq(variants::product_id)))
        .filter(bundle_parts::bundle_id.eq_any(bundles))
        .order((bundle_parts::bundle_id, bundle_parts::part_id))
        .select((
            bundle_parts::bundle_id,
            bundle_parts::quantity,
            variants::id,
            variants::sku,
            variants::weight_grams,
            variants::pool_id,
            products::id,
            products::kind,
            products::name_zh,
            products::name_en,
            products::right_days,
        ))
        .load(conn)
        .await?;
    let mut parts: HashMap<VariantId, Vec<Part>> = HashMap::new();
    for (bundle, quantity, variant, sku, weight_grams, pool, product, kind, zh, en, right_days) in rows {
        let names = Names { zh, en };
        let part = Part { variant, sku, product, kind, names, quantity, weight_grams, pool, right_days };
        parts.entry(bundle).or_default().push(part);
    }
    Ok(parts)
}

async fn prices_of(conn: &mut Conn, ids: &[VariantId]) -> Result<HashMap<VariantId, Vec<Price>>> {
    let rows: Vec<PriceRow> = prices::table
        .filter(prices::variant_id.eq_any(ids))
        .filter(prices::archived_at.is_null())
        .order(prices::id)
        .select(PriceRow::as_select())
        .load(conn)
        .await?;
    let mut prices: HashMap<VariantId, Vec<Price>> = HashMap::new();
    for row in rows {
        prices.entry(row.variant_id).or_default().push(row.try_into()?);
    }
    Ok(prices)
}

/// The articles of these products, in the order of their positions.
///
/// # Errors
/// The database's.
pub async fn articles_of(conn: &mut Conn, products: &[ProductId]) -> Result<Vec<Article>> {
    let ids: Vec<VariantId> =
        variants::table.filter(variants::product_id.eq_any(products)).select(variants::id).load(conn).await?;
    articles(conn, &ids).await
}

/// A variant to be written, with its pool and the parts that make it up.
#[derive(Clone, Debug)]
pub struct NewVariant {
    pub id: VariantId,
    pub product: ProductId,
    pub sku: String,
    pub position: i32,
    pub options: Value,
    pub price_minor: i64,
    pub currency: String,
    pub weight_grams: i32,
    /// With how many it starts; none where it is without limit.
    pub pool: Option<(PoolId, &'static str, i64)>,
    pub open_sale: bool,
    pub max_per_order: i32,
    /// (variant, quantity)
    pub parts: Vec<(VariantId, i32)>,
    pub created_at: DateTime<Utc>,
}

/// # Errors
/// `code_taken`
pub async fn insert_variant(conn: &mut Conn, new: &NewVariant) -> Result<()> {
    if let Some((pool, kind, capacity)) = new.pool {
        diesel::insert_into(pools::table)
            .values((pools::id.eq(pool), pools::kind.eq(kind), pools::capacity.eq(capacity)))
            .execute(conn)
            .await?;
    }
    diesel::insert_into(variants::table)
        .values((
            variants::id.eq(new.id),
            variants::product_id.eq(new.product),
            variants::sku.eq(&new.sku),
            variants::position.eq(new.position),
            variants::options.eq(&new.options),
            variants::price_minor.eq(new.price_minor),
            variants::currency.eq(&new.currency),
            variants::weight_grams.eq(new.weight_grams),
            variants::pool_id.eq(new.pool.map(|(pool, ..)| pool)),
            variants::open_sale.eq(new.open_sale),
            variants::max_per_order.eq(new.max_per_order),
            variants::created_at.eq(new.created_at),
        ))
        .execute(conn)
        .await?;
    let part = |(variant, quantity): &(VariantId, i32)| {
        (
            bundle_parts::bundle_id.eq(new.id),
            bundle_parts::part_id.eq(*variant),
            bundle_parts::quantity.eq(*quantity),
        )
    };
    let parts: Vec<_> = new.parts.iter().map(part).collect();
    diesel::insert_into(bundle_parts::table).values(parts).execute(conn).await?;
    Ok(())
}

/// What can change of a variant; none stays.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = variants)]
pub struct VariantChange {
    pub price_minor: Option<i64>,
    pub weight_grams: Option<i32>,
    pub open_sale: Option<bool>,
    pub max_per_order: Option<i32>,
    pub options: Option<Value>,
    pub archived_at: Option<DateTime<Utc>>,
}

/// # Errors
/// The database's.
pub async fn store_variant(conn: &mut Conn, id: VariantId, change: &VariantChange) -> Result<()> {
    diesel::update(variants::table.find(id)).set(change).execute(conn).await?;
    Ok(())
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

//! Rows of articles: variants with their products and the parts of bundles. Their prices are in `prices.rs`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::model::{Product, ProductKind, ProductRow};
use super::prices::{Price, enter_list_prices, prices_of};
use crate::db::Conn;
use crate::error::Result;
use crate::schema::{bundle_parts, pools, products, variants};
use crate::shop::audience::Audience;
use crate::types::id::{PoolId, ProductId, VariantId};
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
    pub version: i32,
    /// Operators are told when no more than so many are left.
    pub low_stock_at: Option<i64>,
    /// It isn't there yet, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
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

    /// Its own pool and its parts'.
    pub fn pools(&self) -> impl Iterator<Item = PoolId> {
        self.pool.into_iter().chain(self.parts.iter().filter_map(|part| part.pool))
    }

    /// It, or a part of it, isn't there yet, and it is sent from then on.
    pub fn ships_from(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let of_parts = self.parts.iter().map(|part| part.ships_from);
        of_parts.chain([self.ships_from]).flatten().max().filter(|from| now < *from)
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

    /// Is a digital good, or has one in it.
    pub fn gives_rights(&self) -> bool {
        match self.product.kind {
            ProductKind::Goods => false,
            ProductKind::Digital => true,
            ProductKind::Bundle => self.parts.iter().any(|part| part.kind == ProductKind::Digital),
        }
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
    pub ships_from: Option<DateTime<Utc>>,
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
    version: i32,
    low_stock_at: Option<i64>,
    ships_from: Option<DateTime<Utc>>,
}

/// The articles of these ids, archived ones too, in no order.
///
/// # Errors
/// The database's.
pub async fn articles(conn: &Conn, ids: &[VariantId]) -> Result<Vec<Article>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = variants::table
        .inner_join(products::table)
        .filter(variants::id.eq_any(ids))
        .order((variants::product_id, variants::position))
        .select((VariantRow::as_select(), ProductRow::as_select()));
    let rows = async { Ok(found.load::<(VariantRow, ProductRow)>(&mut &*conn).await?) };
    let (rows, mut parts, mut prices) = tokio::try_join!(rows, parts_of(conn, ids), prices_of(conn, ids))?;
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
                version: row.version,
                low_stock_at: row.low_stock_at,
                ships_from: row.ships_from,
                product: product.try_into()?,
                parts: parts.remove(&row.id).unwrap_or_default(),
                prices: prices.remove(&row.id).unwrap_or_default(),
            })
        })
        .collect()
}

async fn parts_of(mut conn: &Conn, bundles: &[VariantId]) -> Result<HashMap<VariantId, Vec<Part>>> {
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
        Option<DateTime<Utc>>,
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
            variants::ships_from,
        ))
        .load(&mut conn)
        .await?;
    let mut parts: HashMap<VariantId, Vec<Part>> = HashMap::new();
    for (bundle, quantity, variant, sku, weight_grams, pool, product, kind, zh, en, right_days, ships_from) in
        rows
    {
        let names = Names { zh, en };
        let part =
            Part { variant, sku, product, kind, names, quantity, weight_grams, pool, right_days, ships_from };
        parts.entry(bundle).or_default().push(part);
    }
    Ok(parts)
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
    pub low_stock_at: Option<i64>,
    pub ships_from: Option<DateTime<Utc>>,
    /// (variant, quantity)
    pub parts: Vec<(VariantId, i32)>,
    pub created_at: DateTime<Utc>,
}

/// # Errors
/// `code_taken`
pub async fn insert_variant(conn: &mut Conn, new: &NewVariant) -> Result<()> {
    insert_variants(conn, std::slice::from_ref(new)).await
}

/// Writes new variants, which may be parts of one another, with one statement a table.
///
/// # Errors
/// `code_taken`
pub async fn insert_variants(conn: &mut Conn, new: &[NewVariant]) -> Result<()> {
    let pool = |(pool, kind, capacity): (PoolId, &'static str, i64)| {
        (pools::id.eq(pool), pools::kind.eq(kind), pools::capacity.eq(capacity))
    };
    let of_pools: Vec<_> = new.iter().filter_map(|new| new.pool.map(pool)).collect();
    diesel::insert_into(pools::table).values(of_pools).execute(conn).await?;
    let row = |new: &NewVariant| {
        (
            variants::id.eq(new.id),
            variants::product_id.eq(new.product),
            variants::sku.eq(new.sku.clone()),
            variants::position.eq(new.position),
            variants::options.eq(new.options.clone()),
            variants::price_minor.eq(new.price_minor),
            variants::currency.eq(new.currency.clone()),
            variants::weight_grams.eq(new.weight_grams),
            variants::pool_id.eq(new.pool.map(|(pool, ..)| pool)),
            variants::open_sale.eq(new.open_sale),
            variants::max_per_order.eq(new.max_per_order),
            variants::low_stock_at.eq(new.low_stock_at),
            variants::ships_from.eq(new.ships_from),
            variants::created_at.eq(new.created_at),
        )
    };
    let rows: Vec<_> = new.iter().map(row).collect();
    diesel::insert_into(variants::table).values(rows).execute(conn).await?;
    let of_bundle = |new: &NewVariant| {
        let part = |(variant, quantity): &(VariantId, i32)| {
            (
                bundle_parts::bundle_id.eq(new.id),
                bundle_parts::part_id.eq(*variant),
                bundle_parts::quantity.eq(*quantity),
            )
        };
        new.parts.iter().map(part).collect::<Vec<_>>()
    };
    let parts: Vec<_> = new.iter().flat_map(of_bundle).collect();
    diesel::insert_into(bundle_parts::table).values(parts).execute(conn).await?;
    let prices: Vec<_> = new.iter().map(|new| (new.id, new.price_minor, new.created_at)).collect();
    enter_list_prices(conn, &prices).await
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
    pub version: Option<i32>,
    pub low_stock_at: Option<Option<i64>>,
    pub ships_from: Option<Option<DateTime<Utc>>>,
}

/// Locks a variant that is to be changed, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_variant(conn: &mut Conn, id: VariantId) -> Result<Option<Article>> {
    let query = variants::table.find(id).for_no_key_update().select(variants::id);
    let known: Option<VariantId> = query.first(conn).await.optional()?;
    match known {
        Some(id) => Ok(articles(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// The position after the last one of a product, which is locked.
///
/// # Errors
/// The database's.
pub async fn next_position(conn: &mut Conn, product: ProductId) -> Result<i32> {
    let last: Option<i32> = variants::table
        .filter(variants::product_id.eq(product))
        .select(diesel::dsl::max(variants::position))
        .first(conn)
        .await?;
    Ok(last.map_or(0, |last| last + 1))
}

/// # Errors
/// The database's.
pub async fn store_variant(conn: &mut Conn, id: VariantId, change: &VariantChange) -> Result<()> {
    diesel::update(variants::table.find(id)).set(change).execute(conn).await?;
    Ok(())
}

//! Rows of products, their variants, the parts of bundles, and prices.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred_stripe::Method;
use serde_json::Value;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{bundle_parts, pools, prices, products, tiers, variants};
use crate::shop::audience::{Audience, Ranks};
use crate::types::id::{PoolId, PriceId, ProductId, TierId, VariantId};
use crate::types::locale::Names;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a product is.
    ProductKind {
        /// Goes into a parcel.
        Goods = "goods",
        /// Is a right: a course, paid content, access to something live.
        Digital = "digital",
        /// Several things sold as one line.
        Bundle = "bundle",
    }
}

/// A product without its variants.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    pub id: ProductId,
    pub slug: String,
    pub kind: ProductKind,
    pub names: Names,
    pub about: Names,
    /// URLs.
    pub images: Vec<String>,
    pub category: Option<String>,
    pub tags: Vec<String>,
    /// Tax that prices include, in hundredths of a percent.
    pub tax_rate_bp: i32,
    pub sees: Audience,
    pub buys: Audience,
    pub payment_methods: Vec<Method>,
    pub hold_minutes: i32,
    /// A digital good's right ends so many days after it was bought.
    pub right_days: Option<i32>,
    pub shown_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub shown_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

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
#[diesel(table_name = products)]
struct ProductRow {
    id: ProductId,
    slug: String,
    kind: ProductKind,
    name_zh: String,
    name_en: String,
    about_zh: String,
    about_en: String,
    images: Vec<String>,
    category: Option<String>,
    tags: Vec<String>,
    tax_rate_bp: i32,
    sees: Value,
    buys: Value,
    payment_methods: Vec<String>,
    hold_minutes: i32,
    right_days: Option<i32>,
    shown_from: Option<DateTime<Utc>>,
    shown_until: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
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

/// An audience as it is stored.
///
/// # Errors
/// On what another program wrote.
pub fn audience(stored: Value) -> Result<Audience> {
    serde_json::from_value(stored).map_err(AppError::internal)
}

impl TryFrom<ProductRow> for Product {
    type Error = AppError;

    fn try_from(row: ProductRow) -> Result<Self> {
        let methods = row.payment_methods.iter().map(|name| Method::parse(name));
        Ok(Self {
            id: row.id,
            slug: row.slug,
            kind: row.kind,
            names: Names { zh: row.name_zh, en: row.name_en },
            about: Names { zh: row.about_zh, en: row.about_en },
            images: row.images,
            category: row.category,
            tags: row.tags,
            tax_rate_bp: row.tax_rate_bp,
            sees: audience(row.sees)?,
            buys: audience(row.buys)?,
            payment_methods: methods
                .collect::<Option<_>>()
                .ok_or_else(|| AppError::internal("a stored payment method is unknown"))?,
            hold_minutes: row.hold_minutes,
            right_days: row.right_days,
            shown_from: row.shown_from,
            shown_until: row.shown_until,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
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

/// Ranks of all tiers, archived ones too: members keep them.
///
/// # Errors
/// The database's.
pub async fn ranks(conn: &mut Conn) -> Result<Ranks> {
    let rows: Vec<(TierId, String, i32)> =
        tiers::table.select((tiers::id, tiers::code, tiers::rank)).load(conn).await?;
    Ok(Ranks::new(rows))
}

/// What a list of products is filtered by.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub with_archived: bool,
    /// All of these are terms of the product (see `search.rs`).
    pub terms: Vec<String>,
    pub category: Option<String>,
    pub tag: Option<String>,
    pub kind: Option<ProductKind>,
}

/// A page of products, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: Filter, page: Page) -> Result<Vec<Product>> {
    let mut query = products::table
        .filter(products::id.lt(ProductId(page.before)))
        .order(products::id.desc())
        .limit(page.fetch())
        .select(ProductRow::as_select())
        .into_boxed();
    if !filter.with_archived {
        query = query.filter(products::archived_at.is_null());
    }
    if !filter.terms.is_empty() {
        query = query.filter(products::search_terms.contains(filter.terms));
    }
    if let Some(category) = filter.category {
        query = query.filter(products::category.eq(category));
    }
    if let Some(tag) = filter.tag {
        query = query.filter(products::tags.contains(vec![tag]));
    }
    if let Some(kind) = filter.kind {
        query = query.filter(products::kind.eq(kind));
    }
    let rows: Vec<ProductRow> = query.load(conn).await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// A product by its id or slug, archived or not.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id_or_slug: &str) -> Result<Option<Product>> {
    let mut query = products::table.select(ProductRow::as_select()).into_boxed();
    query = match id_or_slug.parse::<ProductId>() {
        Ok(id) => query.filter(products::id.eq(id)),
        Err(_) => query.filter(products::slug.eq(id_or_slug)),
    };
    let row: Option<ProductRow> = query.first(conn).await.optional()?;
    row.map(Product::try_from).transpose()
}

/// Writes what a product is found by.
///
/// # Errors
/// The database's.
pub async fn store_terms(conn: &mut Conn, id: ProductId, terms: &[String]) -> Result<()> {
    diesel::update(products::table.find(id)).set(products::search_terms.eq(terms)).execute(conn).await?;
    Ok(())
}

/// Locks a product that is to be changed, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: ProductId) -> Result<Option<Product>> {
    let query = products::table.find(id).for_no_key_update().select(ProductRow::as_select());
    let row: Option<ProductRow> = query.first(conn).await.optional()?;
    row.map(Product::try_from).transpose()
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

fn stored(audience: &Audience) -> Result<Value> {
    serde_json::to_value(audience).map_err(AppError::internal)
}

fn method_names(product: &Product) -> Vec<&'static str> {
    product.payment_methods.iter().map(|method| method.as_str()).collect()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, product: &Product) -> Result<()> {
    diesel::insert_into(products::table)
        .values((
            products::id.eq(product.id),
            products::slug.eq(&product.slug),
            products::kind.eq(product.kind),
            products::created_at.eq(product.created_at),
            changeable(product)?,
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes what can change of a locked product.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, product: &Product) -> Result<()> {
    diesel::update(products::table.find(product.id)).set(changeable(product)?).execute(conn).await?;
    Ok(())
}

#[derive(Insertable, AsChangeset)]
#[diesel(table_name = products, treat_none_as_null = true)]
struct Changeable<'a> {
    name_zh: &'a str,
    name_en: &'a str,
    about_zh: &'a str,
    about_en: &'a str,
    images: &'a [String],
    category: Option<&'a str>,
    tags: &'a [String],
    tax_rate_bp: i32,
    sees: Value,
    buys: Value,
    payment_methods: Vec<&'static str>,
    hold_minutes: i32,
    right_days: Option<i32>,
    shown_from: Option<DateTime<Utc>>,
    shown_until: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

fn changeable(product: &Product) -> Result<Changeable<'_>> {
    Ok(Changeable {
        name_zh: &product.names.zh,
        name_en: &product.names.en,
        about_zh: &product.about.zh,
        about_en: &product.about.en,
        images: &product.images,
        category: product.category.as_deref(),
        tags: &product.tags,
        tax_rate_bp: product.tax_rate_bp,
        sees: stored(&product.sees)?,
        buys: stored(&product.buys)?,
        payment_methods: method_names(product),
        hold_minutes: product.hold_minutes,
        right_days: product.right_days,
        shown_from: product.shown_from,
        shown_until: product.shown_until,
        archived_at: product.archived_at,
        version: product.version,
    })
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

//! Rows of products. What of them a line can sell is in `articles.rs`.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use kindred_stripe::Method;
use serde_json::Value;

pub use super::articles::*;
pub use super::prices::*;
pub use super::related::*;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{levels, products, tiers};
use crate::shop::audience::{Audience, Ranks};
use crate::statement;
use crate::types::id::ProductId;
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
    /// Who may open a digital good without having bought it.
    pub opens_for: Option<Audience>,
    pub shown_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub shown_until: Option<DateTime<Utc>>,
    /// Announced, and not sold before.
    pub available_from: Option<DateTime<Utc>>,
    /// While it is only announced, nobody is told its price.
    pub hides_price: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Product {
    /// For whom something of it is.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        [&self.sees, &self.buys].into_iter()
    }

    /// What it is found by, its SKUs apart.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let texts = [&self.slug, &self.names.zh, &self.names.en, &self.about.zh, &self.about.en];
        texts.into_iter().chain(&self.tags).map(String::as_str)
    }
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = products)]
pub struct ProductRow {
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
    opens_for: Option<Value>,
    shown_from: Option<DateTime<Utc>>,
    shown_until: Option<DateTime<Utc>>,
    available_from: Option<DateTime<Utc>>,
    hides_price: bool,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
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
            opens_for: row.opens_for.map(audience).transpose()?,
            shown_from: row.shown_from,
            shown_until: row.shown_until,
            available_from: row.available_from,
            hides_price: row.hides_price,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

/// Ranks of all tiers, archived ones too: members keep them.
///
/// # Errors
/// The database's.
pub async fn ranks(conn: &Conn) -> Result<Ranks> {
    let (mut of_tiers, mut of_levels) = (conn, conn);
    // Who stands on one that is archived does so until his review.
    let (rows, levels) = tokio::try_join!(
        tiers::table.select((tiers::id, tiers::code, tiers::rank)).load(&mut of_tiers),
        levels::table.select((levels::code, levels::rank)).load::<(String, i32)>(&mut of_levels),
    )?;
    Ok(Ranks::new(rows).with_levels(levels.into_iter().collect()))
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

/// The products of these ids, archived ones too, in no order.
///
/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, ids: &[ProductId]) -> Result<Vec<Product>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = products::table.filter(products::id.eq_any(ids)).select(ProductRow::as_select());
    let rows: Vec<ProductRow> = query.load(conn).await?;
    rows.into_iter().map(Product::try_from).collect()
}

/// Writes what a product is found by.
///
/// # Errors
/// The database's.
pub async fn store_terms(conn: &mut Conn, id: ProductId, terms: &[String]) -> Result<()> {
    diesel::update(products::table.find(id)).set(products::search_terms.eq(terms)).execute(conn).await?;
    Ok(())
}

statement! {
    struct StoreTerms = "UPDATE products SET search_terms = ARRAY(SELECT jsonb_array_elements_text(found.terms)) FROM UNNEST("
        [ids: Vec<ProductId> => Array<SqlUuid>] ", "
        [terms: Vec<Value> => Array<Jsonb>] ") AS found (id, terms) WHERE products.id = found.id"
}

/// Writes what products are found by, with one statement.
///
/// # Errors
/// The database's.
pub async fn store_all_terms(conn: &mut Conn, all: &[(ProductId, Vec<String>)]) -> Result<()> {
    if !all.is_empty() {
        let ids = all.iter().map(|(id, _)| *id).collect();
        let terms = all.iter().map(|(_, terms)| Value::from(terms.clone())).collect();
        StoreTerms { ids, terms }.execute(conn).await?;
    }
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

/// As it is written into the row.
///
/// # Errors
/// Never in practice.
pub fn stored(audience: &Audience) -> Result<Value> {
    serde_json::to_value(audience).map_err(AppError::internal)
}

fn method_names(product: &Product) -> Vec<&'static str> {
    product.payment_methods.iter().map(|method| method.as_str()).collect()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, product: &Product) -> Result<()> {
    insert_all(conn, &[product]).await
}

/// Writes new products with one statement.
///
/// # Errors
/// `code_taken`
pub async fn insert_all(conn: &mut Conn, new: &[&Product]) -> Result<()> {
    let mut rows = Vec::with_capacity(new.len());
    for product in new {
        rows.push((
            products::id.eq(product.id),
            products::slug.eq(&product.slug),
            products::kind.eq(product.kind),
            products::created_at.eq(product.created_at),
            changeable(product)?,
        ));
    }
    diesel::insert_into(products::table).values(rows).execute(conn).await?;
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
    opens_for: Option<Value>,
    shown_from: Option<DateTime<Utc>>,
    shown_until: Option<DateTime<Utc>>,
    available_from: Option<DateTime<Utc>>,
    hides_price: bool,
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
        opens_for: product.opens_for.as_ref().map(stored).transpose()?,
        shown_from: product.shown_from,
        shown_until: product.shown_until,
        available_from: product.available_from,
        hides_price: product.hides_price,
        archived_at: product.archived_at,
        version: product.version,
    })
}

//! Rows of products and variants by slug and SKU, read and written set by set.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::shelf::{Placed, Reading, Shelf, Shelved, Sku};
use crate::db::Conn;
use crate::error::Result;
use crate::imports::Batch;
use crate::membership::catalog::model as catalog;
use crate::schema::{products, variants};
use crate::shop::products::model::{self, NewVariant, Product, ProductKind, ProductRow, VariantChange};
use crate::shop::products::search;
use crate::types::id::{PoolId, ProductId, VariantId};

/// The products of these slugs, archived ones too, in the order of their locks.
///
/// # Errors
/// The database's.
pub async fn by_slug(conn: &mut Conn, slugs: &[&str], reading: Reading) -> Result<Vec<Product>> {
    if slugs.is_empty() {
        return Ok(Vec::new());
    }
    let named = products::table.filter(products::slug.eq_any(slugs)).order(products::id);
    let rows: Vec<ProductRow> = match reading {
        Reading::ToChange => named.for_no_key_update().select(ProductRow::as_select()).load(conn).await?,
        Reading::ToLook => named.select(ProductRow::as_select()).load(conn).await?,
    };
    rows.into_iter().map(Product::try_from).collect()
}

/// Locks the variants of products that are locked.
///
/// # Errors
/// The database's.
pub async fn lock_variants(conn: &mut Conn, of: &[ProductId]) -> Result<()> {
    let query = variants::table.filter(variants::product_id.eq_any(of)).order(variants::id);
    let _: Vec<VariantId> = query.for_no_key_update().select(variants::id).load(conn).await?;
    Ok(())
}

/// What these SKUs name.
///
/// # Errors
/// The database's.
pub async fn by_sku(conn: &mut Conn, skus: &[String]) -> Result<HashMap<String, Sku>> {
    type Row = (String, VariantId, String, ProductKind, Option<DateTime<Utc>>);
    if skus.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = variants::table
        .inner_join(products::table)
        .filter(variants::sku.eq_any(skus))
        .select((variants::sku, variants::id, products::slug, products::kind, variants::archived_at))
        .load(conn)
        .await?;
    let entry = |(sku, id, slug, kind, archived_at): Row| {
        (sku, Sku { id, slug, is_bundle: kind == ProductKind::Bundle, is_archived: archived_at.is_some() })
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Writes what has come of a part's lines.
///
/// # Errors
/// The database's; `code_taken` where another transaction has made the same meanwhile.
pub async fn all(conn: &mut Conn, shelf: &Shelf, batch: &Batch<'_>) -> Result<()> {
    let new: Vec<_> =
        shelf.products().filter(|shelved| shelved.is_new).map(|shelved| &shelved.product).collect();
    model::insert_all(conn, &new).await?;
    for shelved in shelf.products().filter(|shelved| !shelved.is_new && shelved.is_changed) {
        let product = Product { version: shelved.product.version + 1, ..shelved.product.clone() };
        model::store(conn, &product).await?;
    }
    let mut placed = Vec::new();
    for shelved in shelf.products() {
        let of_it = shelved.variants.iter().filter(|variant| variant.stored.is_none());
        placed.extend(of_it.map(|variant| new_variant(shelved, variant, batch)));
    }
    model::insert_variants(conn, &placed).await?;
    for variant in shelf.products().flat_map(|shelved| &shelved.variants) {
        change(conn, variant, batch).await?;
    }
    let is_worded_anew = |shelved: &&Shelved| {
        shelved.is_new
            || shelved.is_changed
            || shelved.variants.iter().any(|variant| variant.stored.is_none())
    };
    let terms: Vec<_> = shelf.products().filter(is_worded_anew).map(terms_of).collect();
    model::store_all_terms(conn, &terms).await?;
    // The tiers' page tells of what belonging opens.
    let is_told =
        |shelved: &Shelved| shelved.product.kind == ProductKind::Digital && is_worded_anew(&shelved);
    if shelf.products().any(is_told) { catalog::raise_version(conn).await } else { Ok(()) }
}

fn terms_of(shelved: &Shelved) -> (ProductId, Vec<String>) {
    let skus = shelved.variants.iter().map(|variant| variant.sku.as_str());
    (shelved.product.id, search::terms(shelved.product.texts().chain(skus)))
}

fn new_variant(shelved: &Shelved, variant: &Placed, batch: &Batch<'_>) -> NewVariant {
    let pool = match (shelved.product.kind, variant.limit) {
        (ProductKind::Goods, _) => Some((PoolId::new(), "stock", 0)),
        (_, limit) => limit.map(|limit| (PoolId::new(), "limit", limit)),
    };
    NewVariant {
        id: variant.id,
        product: shelved.product.id,
        sku: variant.sku.clone(),
        position: variant.position,
        options: variant.facts.options.clone(),
        price_minor: variant.facts.price_minor,
        currency: batch.currency.to_owned(),
        weight_grams: variant.facts.weight_grams,
        pool,
        open_sale: variant.facts.open_sale,
        max_per_order: variant.facts.max_per_order,
        low_stock_at: variant.facts.low_stock_at,
        ships_from: variant.facts.ships_from,
        parts: variant.parts.iter().map(|part| (part.id, part.quantity)).collect(),
        created_at: batch.now,
    }
}

async fn change(conn: &mut Conn, variant: &Placed, batch: &Batch<'_>) -> Result<()> {
    let Some((stored, version)) = variant.stored.as_ref().filter(|_| variant.is_changed()) else {
        return Ok(());
    };
    let facts = &variant.facts;
    let change = VariantChange {
        price_minor: Some(facts.price_minor),
        weight_grams: Some(facts.weight_grams),
        open_sale: Some(facts.open_sale),
        max_per_order: Some(facts.max_per_order),
        low_stock_at: Some(facts.low_stock_at),
        ships_from: Some(facts.ships_from),
        options: Some(facts.options.clone()),
        archived_at: (facts.is_archived && !stored.is_archived).then_some(batch.now),
        version: Some(version + 1),
    };
    model::store_variant(conn, variant.id, &change).await?;
    if facts.price_minor != stored.price_minor {
        model::enter_list_price(conn, variant.id, facts.price_minor, batch.now).await?;
    }
    Ok(())
}

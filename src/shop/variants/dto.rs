//! Variants and prices over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checkout::claims::Pool;
use crate::shop::audience::Audience;
use crate::shop::products::model::{Article, Price};
use crate::types::id::{BundleId, PriceId, VariantId};
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVariantBody {
    /// The shop's own code of it.
    #[schema(example = "BOX-2014")]
    pub sku: String,
    /// What distinguishes it from its siblings: `{"size": "XL"}`.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub options: Map<String, Value>,
    pub price: Money,
    #[serde(default)]
    pub weight_grams: i32,
    /// Of a bundle or a digital good: how many may be sold in all; absent: as many as are wanted. Goods have stock moves.
    pub limit: Option<i64>,
    /// False: sold in drops alone.
    #[serde(default = "yes")]
    pub open_sale: bool,
    pub max_per_order: Option<i32>,
    /// Tell operators when no more than so many are left.
    pub low_stock_at: Option<i64>,
    /// It isn't there yet, and is sent from then on: enter how many as a stock move `announced`.
    pub ships_from: Option<DateTime<Utc>>,
    /// Of a bundle.
    #[serde(default)]
    pub parts: Vec<PartBody>,
}

fn yes() -> bool {
    true
}

/// A part of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartBody {
    pub variant: VariantId,
    /// In one bundle.
    pub quantity: i32,
}

/// What is absent stays. Orders that exist keep what they sold.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VariantChangeBody {
    /// Its own price, from now on; the earlier one stays in the history.
    #[serde(default)]
    #[schema(value_type = Option<Money>)]
    pub price: Patch<Money>,
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub options: Patch<Map<String, Value>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub weight_grams: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub open_sale: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub max_per_order: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub low_stock_at: Patch<i64>,
    /// Null, or a time that is over: it is there.
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub ships_from: Patch<DateTime<Utc>>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrice {
    pub price: Money,
    /// Whom it is for; everyone by default.
    pub buyers: Option<Audience>,
    /// From so many units in a line on.
    pub quantity_from: Option<i32>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminVariant)]
pub struct AdminVariantView {
    pub id: VariantId,
    /// Of a bundle: what an order's line calls it.
    pub bundle: Option<BundleId>,
    pub sku: String,
    #[schema(value_type = Object)]
    pub options: Value,
    pub price: Money,
    pub weight_grams: i32,
    /// Null: without limit.
    pub stock: Option<StockView>,
    pub open_sale: bool,
    pub max_per_order: i32,
    pub low_stock_at: Option<i64>,
    pub ships_from: Option<DateTime<Utc>>,
    pub parts: Vec<PartBody>,
    pub prices: Vec<PriceView>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

/// How a pool stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StockView {
    /// All that came in less what went out otherwise than by a sale.
    pub total: i64,
    /// Of unpaid orders.
    pub held: i64,
    pub sold: i64,
    pub free: i64,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminPrice)]
pub struct PriceView {
    pub id: PriceId,
    pub price: Money,
    pub buyers: Audience,
    pub quantity_from: i32,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// It was taken away then; a price is never edited.
    pub archived_at: Option<DateTime<Utc>>,
}

impl AdminVariantView {
    /// `pools` has the article's own among others.
    pub fn new(article: &Article, pools: &[Pool]) -> Self {
        let pool = article.pool.and_then(|id| pools.iter().find(|pool| pool.id == id));
        Self {
            id: article.id,
            bundle: article.is_bundle().then_some(BundleId(article.id.0)),
            sku: article.sku.clone(),
            options: article.options.clone(),
            price: Money::new(article.price_minor, &article.currency),
            weight_grams: article.weight_grams,
            stock: pool.map(|pool| StockView {
                total: pool.capacity,
                held: pool.held,
                sold: pool.taken,
                free: pool.left(),
            }),
            open_sale: article.open_sale,
            max_per_order: article.max_per_order,
            low_stock_at: article.low_stock_at,
            ships_from: article.ships_from,
            parts: article
                .parts
                .iter()
                .map(|part| PartBody { variant: part.variant, quantity: part.quantity })
                .collect(),
            prices: article.prices.iter().map(|price| PriceView::new(price, &article.currency)).collect(),
            archived_at: article.archived_at,
            version: article.version,
        }
    }
}

impl PriceView {
    pub fn new(price: &Price, currency: &str) -> Self {
        Self {
            id: price.id,
            price: Money::new(price.price_minor, currency),
            buyers: price.buyers.clone(),
            quantity_from: price.quantity_from,
            starts_at: price.starts_at,
            ends_at: price.ends_at,
            created_at: price.created_at,
            archived_at: price.archived_at,
        }
    }
}

//! Products over the wire: for operators, and for who looks.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::model::{Article, Price, Product, ProductKind};
use super::rules;
use crate::checkout::claims::Pool;
use crate::error::Code;
use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::types::id::{BundleId, PoolId, PriceId, ProductId, VariantId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProduct {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "book-box-2014")]
    pub slug: String,
    pub kind: ProductKind,
    pub names: Names,
    pub about: Option<Names>,
    /// https URLs.
    #[serde(default)]
    pub images: Vec<String>,
    pub category: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Tax that prices include, in hundredths of a percent: 900 is 9 %.
    #[serde(default)]
    pub tax_rate_bp: i32,
    /// Who is shown it; everyone by default.
    pub sees: Option<Audience>,
    /// Who may buy it; everyone by default.
    pub buys: Option<Audience>,
    /// `card`, `wechat_pay`, `alipay`; all by default.
    pub payment_methods: Option<Vec<String>>,
    /// How long an unpaid order holds its units.
    pub hold_minutes: Option<i32>,
    /// Of a digital good: its right ends so many days after it was bought; absent: never.
    pub right_days: Option<i32>,
    pub shown_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub shown_until: Option<DateTime<Utc>>,
    /// At least one; of a bundle exactly one, with its parts.
    pub variants: Vec<NewVariantBody>,
}

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
pub struct ProductChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub about: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub sees: Patch<Audience>,
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub buys: Patch<Audience>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub hold_minutes: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub shown_from: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub shown_until: Patch<DateTime<Utc>>,
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

/// A product as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminProduct)]
pub struct AdminProductView {
    pub id: ProductId,
    pub slug: String,
    pub kind: ProductKind,
    pub names: Names,
    pub about: Names,
    pub images: Vec<String>,
    pub category: Option<String>,
    pub tags: Vec<String>,
    pub tax_rate_bp: i32,
    pub sees: Audience,
    pub buys: Audience,
    pub payment_methods: Vec<&'static str>,
    pub hold_minutes: i32,
    pub right_days: Option<i32>,
    pub shown_from: Option<DateTime<Utc>>,
    pub shown_until: Option<DateTime<Utc>>,
    pub variants: Vec<AdminVariantView>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
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
    pub parts: Vec<PartBody>,
    pub prices: Vec<PriceView>,
    pub archived_at: Option<DateTime<Utc>>,
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
        }
    }
}

/// A product, its articles, and the pools that they and their parts have.
#[derive(Debug)]
pub struct Whole {
    pub product: Product,
    pub articles: Vec<Article>,
    pub pools: Vec<Pool>,
}

impl Whole {
    /// For whom something of it is.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.product.audiences().chain(self.articles.iter().flat_map(Article::audiences))
    }

    fn pool(&self, id: PoolId) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.id == id)
    }

    /// How many of it could be sold now; none: as many as are wanted.
    fn available(&self, article: &Article) -> Option<i64> {
        let of_parts = article.parts.iter().filter_map(|part| Some((part.pool?, i64::from(part.quantity))));
        article
            .pool
            .map(|pool| (pool, 1))
            .into_iter()
            .chain(of_parts)
            .map(|(pool, of_one)| self.pool(pool).map_or(0, |pool| pool.left().max(0) / of_one.max(1)))
            .min()
    }
}

impl From<Whole> for AdminProductView {
    fn from(whole: Whole) -> Self {
        let variants = whole.articles.iter().map(|article| AdminVariantView {
            id: article.id,
            bundle: article.is_bundle().then_some(BundleId(article.id.0)),
            sku: article.sku.clone(),
            options: article.options.clone(),
            price: Money::new(article.price_minor, &article.currency),
            weight_grams: article.weight_grams,
            stock: article.pool.and_then(|id| whole.pool(id)).map(|pool| StockView {
                total: pool.capacity,
                held: pool.held,
                sold: pool.taken,
                free: pool.left(),
            }),
            open_sale: article.open_sale,
            max_per_order: article.max_per_order,
            parts: article
                .parts
                .iter()
                .map(|part| PartBody { variant: part.variant, quantity: part.quantity })
                .collect(),
            prices: article.prices.iter().map(|price| PriceView::new(price, &article.currency)).collect(),
            archived_at: article.archived_at,
        });
        let variants = variants.collect();
        let product = whole.product;
        Self {
            id: product.id,
            slug: product.slug,
            kind: product.kind,
            names: product.names,
            about: product.about,
            images: product.images,
            category: product.category,
            tags: product.tags,
            tax_rate_bp: product.tax_rate_bp,
            sees: product.sees,
            buys: product.buys,
            payment_methods: product.payment_methods.iter().map(|method| method.as_str()).collect(),
            hold_minutes: product.hold_minutes,
            right_days: product.right_days,
            shown_from: product.shown_from,
            shown_until: product.shown_until,
            variants,
            created_at: product.created_at,
            archived_at: product.archived_at,
            version: product.version,
        }
    }
}

/// A product as its reader sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Product)]
pub struct ProductView {
    pub id: ProductId,
    pub slug: String,
    pub kind: ProductKind,
    pub name: String,
    pub names: Names,
    pub about: String,
    pub images: Vec<String>,
    pub category: Option<String>,
    pub tags: Vec<String>,
    /// Could you buy it, were enough left?
    pub may_buy: bool,
    /// The code of the refusal, where you couldn't.
    pub refusal: Option<&'static str>,
    pub variants: Vec<VariantView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Variant)]
pub struct VariantView {
    pub id: VariantId,
    /// Of a bundle: what an order's line calls it.
    pub bundle: Option<BundleId>,
    pub sku: String,
    #[schema(value_type = Object)]
    pub options: Value,
    /// Of one unit, for you, now.
    pub price: Money,
    pub list_price: Money,
    /// Which price it is: `list_price`, `sale_price`, `audience_price`, `quantity_price`.
    pub why: &'static str,
    /// False: sold in drops alone.
    pub open_sale: bool,
    pub max_per_order: i32,
    /// How many could be sold now; null: as many as are wanted.
    pub available: Option<i64>,
    pub parts: Vec<PartView>,
}

/// What is in a bundle.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Part)]
pub struct PartView {
    pub variant: VariantId,
    pub sku: String,
    pub name: String,
    pub quantity: i32,
}

impl ProductView {
    pub fn new(whole: &Whole, visitor: Visitor, ranks: &Ranks, locale: Locale, now: DateTime<Utc>) -> Self {
        let product = &whole.product;
        let refusal = product.buys.admit(visitor, ranks).err().map(Code::as_str);
        let on_sale = whole.articles.iter().filter(|article| article.archived_at.is_none());
        let variants = on_sale.map(|article| {
            let price = rules::unit_price(article, 1, visitor, ranks, now);
            VariantView {
                id: article.id,
                bundle: article.is_bundle().then_some(BundleId(article.id.0)),
                sku: article.sku.clone(),
                options: article.options.clone(),
                price: Money::new(price.minor, &article.currency),
                list_price: Money::new(article.price_minor, &article.currency),
                why: price.why,
                open_sale: article.open_sale,
                max_per_order: article.max_per_order,
                available: whole.available(article),
                parts: article
                    .parts
                    .iter()
                    .map(|part| PartView {
                        variant: part.variant,
                        sku: part.sku.clone(),
                        name: part.names.pick(locale).to_owned(),
                        quantity: part.quantity,
                    })
                    .collect(),
            }
        });
        Self {
            id: product.id,
            slug: product.slug.clone(),
            kind: product.kind,
            name: product.names.pick(locale).to_owned(),
            names: product.names.clone(),
            about: product.about.pick(locale).to_owned(),
            images: product.images.clone(),
            category: product.category.clone(),
            tags: product.tags.clone(),
            may_buy: refusal.is_none(),
            refusal,
            variants: variants.collect(),
        }
    }
}

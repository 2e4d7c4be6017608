//! Products over the wire: for operators, and for who looks.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Article, Product, ProductKind};
use super::rules;
use crate::checkout::claims::Pool;
use crate::error::Code;
use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::shop::variants::dto::{AdminVariantView, NewVariantBody};
use crate::types::id::{BundleId, PoolId, ProductId, VariantId};
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
    /// Of a digital good: who may open it without buying it: `members`, a `tier` or a `segment`.
    pub opens_for: Option<Audience>,
    pub shown_from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub shown_until: Option<DateTime<Utc>>,
    /// Until then it is announced: shown, and not sold.
    pub available_from: Option<DateTime<Utc>>,
    /// While it is only announced, nobody is told its price.
    #[serde(default)]
    pub hides_price: bool,
    /// Other products that who looks at this one may like, at most 20.
    #[serde(default)]
    pub related: Vec<ProductId>,
    /// At least one; of a bundle exactly one, with its parts.
    pub variants: Vec<NewVariantBody>,
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
    #[schema(value_type = Option<Vec<String>>)]
    pub images: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub category: Patch<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub tags: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub tax_rate_bp: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub payment_methods: Patch<Vec<String>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub right_days: Patch<i32>,
    #[serde(default)]
    #[schema(value_type = Option<Audience>)]
    pub opens_for: Patch<Audience>,
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
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub available_from: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub hides_price: Patch<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<ProductId>>)]
    pub related: Patch<Vec<ProductId>>,
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
    pub opens_for: Option<Audience>,
    pub shown_from: Option<DateTime<Utc>>,
    pub shown_until: Option<DateTime<Utc>>,
    pub available_from: Option<DateTime<Utc>>,
    pub hides_price: bool,
    pub related: Vec<ProductId>,
    pub variants: Vec<AdminVariantView>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

/// A product, its articles, and the pools that they and their parts have.
#[derive(Debug)]
pub struct Whole {
    pub product: Product,
    pub articles: Vec<Article>,
    pub pools: Vec<Pool>,
    /// In the operators' order.
    pub related: Vec<ProductId>,
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
        let view = |article| AdminVariantView::new(article, &whole.pools);
        let variants = whole.articles.iter().map(view).collect();
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
            opens_for: product.opens_for,
            shown_from: product.shown_from,
            shown_until: product.shown_until,
            available_from: product.available_from,
            hides_price: product.hides_price,
            related: whole.related,
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
    /// It is announced, and sold from then on.
    pub available_from: Option<DateTime<Utc>>,
    pub variants: Vec<VariantView>,
    /// Others that you may like; of one product alone, not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<Vec<ProductCard>>,
}

/// A product in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProductCard {
    pub id: ProductId,
    pub slug: String,
    pub kind: ProductKind,
    pub name: String,
    pub image: Option<String>,
    /// It is announced, and sold from then on.
    pub available_from: Option<DateTime<Utc>>,
}

/// Who looks, in which language, when.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub visitor: Visitor<'a>,
    pub ranks: &'a Ranks,
    pub locale: Locale,
    pub now: DateTime<Utc>,
}

impl ProductCard {
    pub fn new(product: &Product, look: &Look<'_>) -> Self {
        Self {
            id: product.id,
            kind: product.kind,
            name: product.names.pick(look.locale).to_owned(),
            available_from: product.available_from.filter(|from| look.now < *from),
            slug: product.slug.clone(),
            image: product.images.first().cloned(),
        }
    }
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
    /// Of one unit, for you, now; null while the product is only announced and its price is kept back.
    pub price: Option<Money>,
    pub list_price: Option<Money>,
    /// Where everybody gets it cheaper now: the lowest price that everybody got in the 30 days before that began.
    pub before_price: Option<Money>,
    /// Which price it is: `list_price`, `sale_price`, `audience_price`, `quantity_price`.
    pub why: &'static str,
    /// False: sold in drops alone.
    pub open_sale: bool,
    pub max_per_order: i32,
    /// How many could be sold now; null: as many as are wanted.
    pub available: Option<i64>,
    /// It isn't there yet, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
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
    /// `before` has the prices to tell as "before", by variant.
    pub fn new(whole: &Whole, look: &Look<'_>, before: &HashMap<VariantId, i64>) -> Self {
        let Look { visitor, ranks, locale, now } = *look;
        let product = &whole.product;
        let is_announced = rules::is_announced(product, now);
        let announced = is_announced.then_some(Code::NotOpen);
        let refusal = product.buys.admit(visitor, ranks).err().or(announced).map(Code::as_str);
        let on_sale = whole.articles.iter().filter(|article| article.archived_at.is_none());
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
            available_from: product.available_from.filter(|_| is_announced),
            variants: on_sale.map(|article| VariantView::new(whole, article, look, before)).collect(),
            related: None,
        }
    }
}

impl VariantView {
    fn new(whole: &Whole, article: &Article, look: &Look<'_>, before: &HashMap<VariantId, i64>) -> Self {
        let Look { visitor, ranks, locale, now } = *look;
        let price = rules::unit_price(article, 1, visitor, ranks, now);
        let is_told = !rules::is_price_hidden(&article.product, now);
        let money = |minor| is_told.then(|| Money::new(minor, &article.currency));
        Self {
            id: article.id,
            bundle: article.is_bundle().then_some(BundleId(article.id.0)),
            sku: article.sku.clone(),
            options: article.options.clone(),
            price: money(price.minor),
            list_price: money(article.price_minor),
            before_price: before.get(&article.id).and_then(|minor| money(*minor)),
            why: price.why,
            open_sale: article.open_sale,
            max_per_order: article.max_per_order,
            available: whole.available(article),
            ships_from: article.ships_from(now),
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
    }
}

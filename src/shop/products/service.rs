//! Operators' work on products.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kindred_stripe::Method;
use serde_json::{Value, json};

use super::dto::{NewPrice, NewProduct, NewVariantBody, ProductChange, Whole};
use super::model::{self, Article, NewVariant, Price, Product, ProductKind, VariantChange};
use super::search;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::people::segments::model as segments;
use crate::shop::audience::{Audience, Ranks};
use crate::types::id::{PoolId, PriceId, ProductId, VariantId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

/// An unpaid order's Checkout Session lives `hold + 30 min`, and Stripe allows it 24 hours at most.
const LONGEST_HOLD_MINUTES: i32 = 1_380;
const VARIANTS_MAX: usize = 50;
const PARTS_MAX: usize = 50;
const ABOUT_MAX: usize = 10_000;
/// Units of anything; beyond it is a slip of the keyboard.
const UNITS_MAX: i64 = 1_000_000_000;

/// Puts products together with their articles and pools.
///
/// # Errors
/// The database's.
pub async fn whole(conn: &mut Conn, products: Vec<Product>) -> Result<Vec<Whole>> {
    let ids: Vec<_> = products.iter().map(|product| product.id).collect();
    let articles = model::articles_of(conn, &ids).await?;
    let pools: Vec<PoolId> = articles
        .iter()
        .flat_map(|article| article.pool.into_iter().chain(article.parts.iter().filter_map(|part| part.pool)))
        .collect();
    let pools = claims::read(conn, &pools).await?;
    let with = |product: Product| {
        let of_it = |article: &&Article| article.product.id == product.id;
        let articles: Vec<_> = articles.iter().filter(of_it).cloned().collect();
        Whole { product, articles, pools: pools.clone() }
    };
    Ok(products.into_iter().map(with).collect())
}

/// Tiers and segments that an audience may name.
pub struct Groups {
    ranks: Ranks,
    segments: BTreeSet<String>,
}

/// # Errors
/// The database's.
pub async fn groups(conn: &mut Conn) -> Result<Groups> {
    Ok(Groups { ranks: model::ranks(conn).await?, segments: segments::codes(conn).await? })
}

/// A tier or a segment that a rule names must be there.
///
/// # Errors
/// `invalid_field`.
pub fn known_audience(field: &str, audience: &Audience, groups: &Groups) -> Result<Audience> {
    match audience {
        Audience::Tier { at_least } if groups.ranks.of_code(at_least).is_none() => {
            Err(Code::InvalidField.at(format!("{field}.at_least"), "there is no such tier"))
        }
        Audience::Segment { segment } if !groups.segments.contains(segment) => {
            Err(Code::InvalidField.at(format!("{field}.segment"), "there is no such segment"))
        }
        _ => Ok(audience.clone()),
    }
}

fn methods(typed: Option<&[String]>) -> Result<Vec<Method>> {
    let all = ["card", "wechat_pay", "alipay"].map(str::to_owned);
    crate::membership::plans::rules::methods(typed.unwrap_or(&all))
}

fn about(typed: Option<&Names>) -> Result<Names> {
    let Some(typed) = typed else { return Ok(Names::new("", "")) };
    let text = |field: &str, text: &str| {
        if text.is_empty() {
            return Ok(String::new());
        }
        crate::types::text::block(text, ABOUT_MAX)
            .map_err(|error| Code::InvalidField.at(format!("about.{field}"), error.to_string()))
    };
    Ok(Names { zh: text("zh-CN", &typed.zh)?, en: text("en", &typed.en)? })
}

fn images(typed: &[String]) -> Result<Vec<String>> {
    for (index, image) in typed.iter().enumerate() {
        let is_good = url::Url::parse(image).is_ok_and(|url| url.scheme() == "https") && image.len() <= 2_000;
        if !is_good || index >= 20 {
            return Err(Code::InvalidField.at(format!("images[{index}]"), "expected up to 20 https URLs"));
        }
    }
    Ok(typed.to_vec())
}

fn tags(typed: &[String]) -> Result<Vec<String>> {
    let tag = |(index, tag): (usize, &String)| fields::line(&format!("tags[{index}]"), tag, 50);
    typed.iter().take(50).enumerate().map(tag).collect()
}

fn checked(new: &NewProduct, groups: &Groups, now: DateTime<Utc>) -> Result<Product> {
    let audience = |field: &str, typed: &Option<Audience>| {
        known_audience(field, typed.as_ref().unwrap_or(&Audience::Everyone), groups)
    };
    if new.right_days.is_some() && new.kind != ProductKind::Digital {
        return Err(Code::InvalidField.at("right_days", "goes with digital goods"));
    }
    let dated =
        |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
    let product = Product {
        id: ProductId::new(),
        slug: fields::slug("slug", &new.slug)?,
        kind: new.kind,
        names: fields::names("names", &new.names)?,
        about: about(new.about.as_ref())?,
        images: images(&new.images)?,
        category: new.category.as_deref().map(|typed| fields::slug("category", typed)).transpose()?,
        tags: tags(&new.tags)?,
        tax_rate_bp: fields::within("tax_rate_bp", new.tax_rate_bp, 0, 10_000)?,
        sees: audience("sees", &new.sees)?,
        buys: audience("buys", &new.buys)?,
        payment_methods: methods(new.payment_methods.as_deref())?,
        hold_minutes: fields::within(
            "hold_minutes",
            new.hold_minutes.unwrap_or(15),
            1,
            LONGEST_HOLD_MINUTES,
        )?,
        right_days: new.right_days.map(|days| fields::within("right_days", days, 1, 36_500)).transpose()?,
        shown_from: dated("shown_from", new.shown_from)?,
        shown_until: dated("shown_until", new.shown_until)?,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    in_order(&product)?;
    Ok(product)
}

fn in_order(product: &Product) -> Result<()> {
    match (product.shown_from, product.shown_until) {
        (Some(from), Some(until)) if until <= from => {
            Err(Code::InvalidField.at("shown_until", "expected a time after shown_from"))
        }
        _ => Ok(()),
    }
}

/// Makes a product with its variants.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`, `unknown_article` for a part that isn't there.
pub async fn create(app: &App, actor: Actor, new: &NewProduct) -> Result<Whole> {
    let now = app.clock.now();
    let most = if new.kind == ProductKind::Bundle { 1 } else { VARIANTS_MAX };
    if !(1..=most).contains(&new.variants.len()) {
        return Err(Code::InvalidField.at("variants", format!("expected 1 to {most}")));
    }
    db::transaction(&app.pool, async |conn| {
        let groups = groups(conn).await?;
        let product = checked(new, &groups, now)?;
        model::insert(conn, &product).await?;
        for (index, body) in new.variants.iter().enumerate() {
            add(conn, &app.settings.currency, &product, index, body, now).await?;
        }
        record(conn, actor, "product.create", &product, now).await?;
        found(conn, product).await
    })
    .await
}

async fn the_whole(conn: &mut Conn, product: Product) -> Result<Whole> {
    whole(conn, vec![product]).await?.pop().ok_or_else(|| Code::NotFound.error())
}

/// Writes what the product is found by now.
async fn found(conn: &mut Conn, product: Product) -> Result<Whole> {
    let whole = the_whole(conn, product).await?;
    let product = &whole.product;
    let texts = [&product.slug, &product.names.zh, &product.names.en, &product.about.zh, &product.about.en];
    let skus = whole.articles.iter().map(|article| &article.sku);
    let terms = texts.into_iter().chain(&product.tags).chain(skus).map(String::as_str);
    model::store_terms(conn, product.id, &search::terms(terms)).await?;
    Ok(whole)
}

async fn add(
    conn: &mut Conn,
    currency: &str,
    product: &Product,
    index: usize,
    body: &NewVariantBody,
    now: DateTime<Utc>,
) -> Result<()> {
    let field = |name: &str| format!("variants[{index}].{name}");
    let is_bundle = product.kind == ProductKind::Bundle;
    if is_bundle == body.parts.is_empty() || body.parts.len() > PARTS_MAX {
        let why = if is_bundle { "expected 1 to 50" } else { "only a bundle has parts" };
        return Err(Code::InvalidField.at(field("parts"), why));
    }
    if product.kind == ProductKind::Goods && body.limit.is_some() {
        return Err(Code::InvalidField.at(field("limit"), "goods have stock: move some in"));
    }
    let options = options(&field("options"), &body.options)?;
    let limit = body.limit.map(|limit| fields::within(&field("limit"), limit, 0, UNITS_MAX)).transpose()?;
    let pool = match (product.kind, limit) {
        (ProductKind::Goods, _) => Some((PoolId::new(), "stock", 0)),
        (_, Some(limit)) => Some((PoolId::new(), "limit", limit)),
        (_, None) => None,
    };
    let parts = parts(conn, &field("parts"), body).await?;
    let new = NewVariant {
        id: VariantId::new(),
        product: product.id,
        sku: fields::line(&field("sku"), &body.sku, 64)?,
        position: i32::try_from(index).unwrap_or(i32::MAX),
        options,
        price_minor: fields::price(&field("price"), &body.price, currency)?,
        currency: currency.to_owned(),
        weight_grams: fields::within(&field("weight_grams"), body.weight_grams, 0, 1_000_000)?,
        pool,
        open_sale: body.open_sale,
        max_per_order: fields::within(&field("max_per_order"), body.max_per_order.unwrap_or(100), 1, 10_000)?,
        parts,
        created_at: now,
    };
    model::insert_variant(conn, &new).await
}

fn options(field: &str, typed: &serde_json::Map<String, Value>) -> Result<Value> {
    let is_good = |(name, value): (&String, &Value)| {
        (1..=50).contains(&name.len()) && value.as_str().is_some_and(|text| (1..=100).contains(&text.len()))
    };
    if typed.len() > 10 || !typed.iter().all(is_good) {
        return Err(Code::InvalidField.at(field, "expected up to 10 short names with short texts"));
    }
    Ok(Value::Object(typed.clone()))
}

/// Parts are variants that are sold, and no bundles: their parts would have to be claimed too.
async fn parts(conn: &mut Conn, field: &str, body: &NewVariantBody) -> Result<Vec<(VariantId, i32)>> {
    let ids: Vec<_> = body.parts.iter().map(|part| part.variant).collect();
    let known = model::articles(conn, &ids).await?;
    let mut parts: Vec<(VariantId, i32)> = Vec::with_capacity(body.parts.len());
    for (index, part) in body.parts.iter().enumerate() {
        let at = |name: &str| format!("{field}[{index}].{name}");
        let article = known.iter().find(|article| article.id == part.variant);
        if article.is_none_or(|article| article.is_bundle() || article.archived_at.is_some()) {
            return Err(Code::UnknownArticle.at(at("variant"), "unknown, archived, or a bundle"));
        }
        if parts.iter().any(|(variant, _)| *variant == part.variant) {
            return Err(Code::InvalidField.at(at("variant"), "named twice"));
        }
        parts.push((part.variant, fields::within(&at("quantity"), part.quantity, 1, 1_000)?));
    }
    Ok(parts)
}

/// A field that may be emptied.
fn emptied<T>(patch: Patch<T>, before: Option<T>) -> Option<T> {
    match patch {
        Patch::Absent => before,
        Patch::Null => None,
        Patch::Value(value) => Some(value),
    }
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: ProductId,
    seen: IfMatch,
    change: ProductChange,
) -> Result<Whole> {
    let now = app.clock.now();
    let names =
        fields::kept("names", change.names)?.map(|names| fields::names("names", &names)).transpose()?;
    let about_it = fields::kept("about", change.about)?.map(|typed| about(Some(&typed))).transpose()?;
    let sees = fields::kept("sees", change.sees)?;
    let buys = fields::kept("buys", change.buys)?;
    let hold = fields::kept("hold_minutes", change.hold_minutes)?
        .map(|minutes| fields::within("hold_minutes", minutes, 1, LONGEST_HOLD_MINUTES))
        .transpose()?;
    let (shown_from, shown_until) = (change.shown_from, change.shown_until);
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let groups = groups(conn).await?;
        let audience = |field: &str, typed: &Option<Audience>, before: Audience| match typed {
            Some(typed) => known_audience(field, typed, &groups),
            None => Ok(before),
        };
        let product = Product {
            names: names.clone().unwrap_or(before.names),
            about: about_it.clone().unwrap_or(before.about),
            sees: audience("sees", &sees, before.sees)?,
            buys: audience("buys", &buys, before.buys)?,
            hold_minutes: hold.unwrap_or(before.hold_minutes),
            shown_from: emptied(shown_from.clone(), before.shown_from),
            shown_until: emptied(shown_until.clone(), before.shown_until),
            version: before.version + 1,
            ..before
        };
        in_order(&product)?;
        model::store(conn, &product).await?;
        record(conn, actor, "product.change", &product, now).await?;
        found(conn, product).await
    })
    .await
}

/// Takes a product off the shelf. Twice does no more than once; what is ordered stays ordered.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: ProductId) -> Result<Whole> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return the_whole(conn, before).await;
        }
        let product = Product { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &product).await?;
        let change = VariantChange { archived_at: Some(now), ..VariantChange::default() };
        for article in model::articles_of(conn, &[id]).await? {
            model::store_variant(conn, article.id, &change).await?;
        }
        record(conn, actor, "product.archive", &product, now).await?;
        the_whole(conn, product).await
    })
    .await
}

/// Gives a variant another price.
///
/// # Errors
/// `not_found`, `invalid_field`, `amount_out_of_range`.
pub async fn add_price(app: &App, actor: Actor, variant: VariantId, new: &NewPrice) -> Result<Price> {
    let now = app.clock.now();
    let price_minor = fields::price("price", &new.price, &app.settings.currency)?;
    let quantity_from = fields::within("quantity_from", new.quantity_from.unwrap_or(1), 1, 10_000)?;
    let dated =
        |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
    let (starts_at, ends_at) = (dated("starts_at", new.starts_at)?, dated("ends_at", new.ends_at)?);
    if ends_at.is_some_and(|end| end <= starts_at.unwrap_or(now)) {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at, still to come"));
    }
    db::transaction(&app.pool, async |conn| {
        let groups = groups(conn).await?;
        let article = model::articles(conn, &[variant]).await?.pop().ok_or(Code::NotFound)?;
        let buyers = new.buyers.as_ref().unwrap_or(&Audience::Everyone);
        let price = Price {
            id: PriceId::new(),
            variant,
            buyers: known_audience("buyers", buyers, &groups)?,
            quantity_from,
            price_minor,
            starts_at,
            ends_at,
            created_at: now,
        };
        model::insert_price(conn, &price).await?;
        let detail = json!({ "price": price.id.to_string(), "price_minor": price_minor });
        record_variant(conn, actor, "price.create", article.id, detail, now).await?;
        Ok(price)
    })
    .await
}

/// Takes a price away. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn end_price(app: &App, actor: Actor, id: PriceId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if let Some(variant) = model::archive_price(conn, id, now).await? {
            let detail = json!({ "price": id.to_string() });
            record_variant(conn, actor, "price.archive", variant, detail, now).await?;
        }
        Ok(())
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    product: &Product,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "product",
        subject_id: product.id.to_string(),
        reason: None,
        detail: json!({ "slug": product.slug, "version": product.version }),
    };
    audit::record(conn, now, entry).await
}

async fn record_variant(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    variant: VariantId,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = variant.to_string();
    let entry = Entry { actor, action, subject_kind: "variant", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

//! Operators' work on products.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use kindred_stripe::Method;
use serde_json::json;

use super::dto::{NewProduct, ProductChange, Whole};
use super::model::{self, Article, Product, ProductKind, VariantChange};
use super::{rules, search};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims::{self, Pool};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::levels::model as levels;
use crate::membership::catalog;
use crate::people::segments::model as segments;
use crate::shop::audience::{Audience, Ranks};
use crate::shop::variants::service::{self as variants, Place};
use crate::types::id::{PoolId, ProductId, VariantId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

/// An unpaid order's Checkout Session lives `hold + 30 min`, and Stripe allows it 24 hours at most.
pub const LONGEST_HOLD_MINUTES: i32 = 1_380;
pub const VARIANTS_MAX: usize = 50;
const RELATED_MAX: usize = 20;
const ABOUT_MAX: usize = 10_000;

/// Puts products together with their articles and pools.
///
/// # Errors
/// The database's.
pub async fn whole(conn: &mut Conn, products: Vec<Product>) -> Result<Vec<Whole>> {
    let ids: Vec<_> = products.iter().map(|product| product.id).collect();
    let articles = model::articles_of(conn, &ids).await?;
    let pools: Vec<PoolId> = articles.iter().flat_map(Article::pools).collect();
    let pools = claims::read(conn, &pools).await?;
    let mut related = model::related_of(conn, &ids).await?;
    let mut of_product: HashMap<ProductId, Vec<Article>> = HashMap::new();
    for article in articles {
        of_product.entry(article.product.id).or_default().push(article);
    }
    let with = |product: Product| {
        let articles = of_product.remove(&product.id).unwrap_or_default();
        let is_its = |pool: &&Pool| articles.iter().any(|article| article.pools().any(|id| id == pool.id));
        let pools = pools.iter().filter(is_its).copied().collect();
        let related = related.remove(&product.id).unwrap_or_default();
        Whole { product, articles, pools, related }
    };
    Ok(products.into_iter().map(with).collect())
}

/// The prices to tell as "before", by variant, where the public price is a reduction now. What is sold in drops alone has
/// none: nobody could buy it before.
///
/// # Errors
/// The database's.
pub async fn before_prices(
    conn: &mut Conn,
    wholes: &[Whole],
    now: DateTime<Utc>,
) -> Result<HashMap<VariantId, i64>> {
    let articles = || wholes.iter().flat_map(|whole| &whole.articles);
    let on_sale: Vec<_> = articles()
        .filter(|article| article.open_sale && rules::is_on_public_sale(article, now))
        .map(|article| article.id)
        .collect();
    let histories = model::public_history(conn, &on_sale).await?;
    let before = |article: &Article| {
        let (own, sales) = histories.get(&article.id)?;
        let sold_from = article.product.shown_from.max(article.product.available_from);
        Some((article.id, rules::before_price(own, sales, sold_from, now)?))
    };
    Ok(articles().filter_map(before).collect())
}

/// Products related to one, in the operators' order, whoever may see them.
///
/// # Errors
/// The database's.
pub async fn related_to(conn: &mut Conn, whole: &Whole) -> Result<Vec<Product>> {
    let mut known = model::load(conn, &whole.related).await?;
    known.sort_by_key(|product| whole.related.iter().position(|id| *id == product.id));
    Ok(known)
}

/// Writes what is related to a product: others that are there, each once.
async fn relate(conn: &mut Conn, product: ProductId, related: &[ProductId]) -> Result<()> {
    let known = model::load(conn, related).await?;
    for (index, other) in related.iter().enumerate() {
        let is_new = !related.iter().take(index).any(|earlier| earlier == other);
        let is_known = known.iter().any(|known| known.id == *other && known.archived_at.is_none());
        if *other == product || !is_new || !is_known || index >= RELATED_MAX {
            let why = format!("expected up to {RELATED_MAX} other products, each once");
            return Err(Code::InvalidField.at(format!("related[{index}]"), why));
        }
    }
    model::store_related(conn, product, related).await
}

/// Tiers, levels and segments that an audience may name.
#[derive(Default)]
pub struct Groups {
    ranks: Ranks,
    levels: BTreeSet<String>,
    segments: BTreeSet<String>,
}

/// # Errors
/// The database's.
pub async fn groups(conn: &mut Conn) -> Result<Groups> {
    Ok(Groups {
        ranks: model::ranks(conn).await?,
        levels: levels::open_codes(conn).await?,
        segments: segments::codes(conn).await?,
    })
}

/// A tier, a level or a segment that a rule names must be there.
///
/// # Errors
/// `invalid_field`.
pub fn known_audience(field: &str, audience: &Audience, groups: &Groups) -> Result<Audience> {
    match audience {
        Audience::Tier { at_least } if groups.ranks.of_code(at_least).is_none() => {
            Err(Code::InvalidField.at(format!("{field}.at_least"), "there is no such tier"))
        }
        Audience::Level { at_least } if !groups.levels.contains(at_least) => {
            Err(Code::InvalidField.at(format!("{field}.at_least"), "there is no such level"))
        }
        Audience::Segment { segment } if !groups.segments.contains(segment) => {
            Err(Code::InvalidField.at(format!("{field}.segment"), "there is no such segment"))
        }
        _ => Ok(audience.clone()),
    }
}

/// Methods of payment; all where none are named.
///
/// # Errors
/// `invalid_field`.
pub fn methods(typed: Option<&[String]>) -> Result<Vec<Method>> {
    let all = ["card", "wechat_pay", "alipay"].map(str::to_owned);
    crate::membership::plans::rules::methods(typed.unwrap_or(&all))
}

/// A description, in one language.
///
/// # Errors
/// `invalid_field`.
pub fn about_text(field: &str, text: &str) -> Result<String> {
    crate::types::text::block(text, ABOUT_MAX)
        .map_err(|error| Code::InvalidField.at(field, error.to_string()))
}

fn about(typed: Option<&Names>) -> Result<Names> {
    let Some(typed) = typed else { return Ok(Names::new("", "")) };
    let text = |field: &str, text: &str| {
        if text.is_empty() { Ok(String::new()) } else { about_text(&format!("about.{field}"), text) }
    };
    Ok(Names { zh: text("zh-CN", &typed.zh)?, en: text("en", &typed.en)? })
}

/// # Errors
/// `invalid_field`.
pub fn images(typed: &[String]) -> Result<Vec<String>> {
    for (index, image) in typed.iter().enumerate() {
        let is_good = url::Url::parse(image).is_ok_and(|url| url.scheme() == "https") && image.len() <= 2_000;
        if !is_good || index >= 20 {
            return Err(Code::InvalidField.at(format!("images[{index}]"), "expected up to 20 https URLs"));
        }
    }
    Ok(typed.to_vec())
}

/// # Errors
/// `invalid_field`.
pub fn tags(typed: &[String]) -> Result<Vec<String>> {
    let tag = |(index, tag): (usize, &String)| fields::line(&format!("tags[{index}]"), tag, 50);
    typed.iter().take(50).enumerate().map(tag).collect()
}

fn checked(new: &NewProduct, groups: &Groups, now: DateTime<Utc>) -> Result<Product> {
    let audience = |field: &str, typed: &Option<Audience>| {
        known_audience(field, typed.as_ref().unwrap_or(&Audience::Everyone), groups)
    };
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
        opens_for: new
            .opens_for
            .as_ref()
            .map(|typed| known_audience("opens_for", typed, groups))
            .transpose()?,
        shown_from: dated("shown_from", new.shown_from)?,
        shown_until: dated("shown_until", new.shown_until)?,
        available_from: dated("available_from", new.available_from)?,
        hides_price: new.hides_price,
        created_at: now,
        archived_at: None,
        version: 1,
    };
    in_order(&product)?;
    Ok(product)
}

/// What is true of a product as a whole.
///
/// # Errors
/// `invalid_field`.
pub fn in_order(product: &Product) -> Result<()> {
    if product.right_days.is_some() && product.kind != ProductKind::Digital {
        return Err(Code::InvalidField.at("right_days", "goes with digital goods"));
    }
    match &product.opens_for {
        Some(_) if product.kind != ProductKind::Digital => {
            return Err(Code::InvalidField.at("opens_for", "goes with digital goods"));
        }
        // What whoever signs up may open needs no right: it is free content.
        Some(Audience::Everyone | Audience::SignedIn) => {
            return Err(Code::InvalidField.at("opens_for", "expected members, a tier or a segment"));
        }
        _ => {}
    }
    match (product.shown_from.max(product.available_from), product.shown_until) {
        (Some(from), Some(until)) if until <= from => {
            Err(Code::InvalidField.at("shown_until", "expected a time after shown_from and available_from"))
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
    let whole = db::transaction(&app.pool, async |conn| {
        let groups = groups(conn).await?;
        let product = checked(new, &groups, now)?;
        model::insert(conn, &product).await?;
        relate(conn, product.id, &new.related).await?;
        for (index, body) in new.variants.iter().enumerate() {
            let place = Place {
                position: i32::try_from(index).unwrap_or(i32::MAX),
                field: format!("variants[{index}]."),
            };
            variants::add(conn, &app.settings.currency, &product, &place, body, now).await?;
        }
        told_of_tiers(conn, &product).await?;
        record(conn, actor, "product.create", &product, now).await?;
        found(conn, product).await
    })
    .await?;
    after_write(app, &whole).await;
    Ok(whole)
}

/// The tiers' page tells of what belonging opens.
async fn told_of_tiers(conn: &mut Conn, product: &Product) -> Result<()> {
    if product.kind == ProductKind::Digital { catalog::model::raise_version(conn).await } else { Ok(()) }
}

async fn after_write(app: &App, whole: &Whole) {
    if whole.product.kind == ProductKind::Digital {
        catalog::service::after_write(app).await;
    }
}

async fn the_whole(conn: &mut Conn, product: Product) -> Result<Whole> {
    whole(conn, vec![product]).await?.pop().ok_or_else(|| Code::NotFound.error())
}

/// Writes what the product is found by now.
///
/// # Errors
/// The database's.
pub async fn found(conn: &mut Conn, product: Product) -> Result<Whole> {
    let whole = the_whole(conn, product).await?;
    let product = &whole.product;
    let skus = whole.articles.iter().map(|article| article.sku.as_str());
    let terms = product.texts().chain(skus);
    model::store_terms(conn, product.id, &search::terms(terms)).await?;
    Ok(whole)
}

/// What an operator changes of a product, checked as far as it can be without the database.
struct Checked {
    names: Option<Names>,
    about: Option<Names>,
    images: Option<Vec<String>>,
    category: Patch<String>,
    tags: Option<Vec<String>>,
    tax_rate_bp: Option<i32>,
    sees: Option<Audience>,
    buys: Option<Audience>,
    methods: Option<Vec<Method>>,
    hold_minutes: Option<i32>,
    right_days: Patch<i32>,
    opens_for: Patch<Audience>,
    shown_from: Patch<DateTime<Utc>>,
    shown_until: Patch<DateTime<Utc>>,
    available_from: Patch<DateTime<Utc>>,
    hides_price: Option<bool>,
    related: Option<Vec<ProductId>>,
}

impl Checked {
    fn new(change: ProductChange, now: DateTime<Utc>) -> Result<Self> {
        let dated = |field: &str, patch| emptiable(patch, |at| fields::dated(field, at, now));
        Ok(Self {
            names: kept("names", change.names, |names| fields::names("names", &names))?,
            about: kept("about", change.about, |typed| about(Some(&typed)))?,
            images: kept("images", change.images, |typed| images(&typed))?,
            category: emptiable(change.category, |typed| fields::slug("category", &typed))?,
            tags: kept("tags", change.tags, |typed| tags(&typed))?,
            tax_rate_bp: kept("tax_rate_bp", change.tax_rate_bp, |rate| {
                fields::within("tax_rate_bp", rate, 0, 10_000)
            })?,
            sees: fields::kept("sees", change.sees)?,
            buys: fields::kept("buys", change.buys)?,
            methods: kept("payment_methods", change.payment_methods, |typed| methods(Some(&typed)))?,
            hold_minutes: kept("hold_minutes", change.hold_minutes, |minutes| {
                fields::within("hold_minutes", minutes, 1, LONGEST_HOLD_MINUTES)
            })?,
            right_days: emptiable(change.right_days, |days| fields::within("right_days", days, 1, 36_500))?,
            opens_for: change.opens_for,
            shown_from: dated("shown_from", change.shown_from)?,
            shown_until: dated("shown_until", change.shown_until)?,
            available_from: dated("available_from", change.available_from)?,
            hides_price: fields::kept("hides_price", change.hides_price)?,
            related: fields::kept("related", change.related)?,
        })
    }

    fn onto(&self, before: Product, groups: &Groups) -> Result<Product> {
        let audience = |field: &str, typed: &Option<Audience>, before: Audience| match typed {
            Some(typed) => known_audience(field, typed, groups),
            None => Ok(before),
        };
        let opens_for = match &self.opens_for {
            Patch::Value(typed) => Some(known_audience("opens_for", typed, groups)?),
            kept_or_emptied => emptied(kept_or_emptied, before.opens_for),
        };
        let product = Product {
            names: self.names.clone().unwrap_or(before.names),
            about: self.about.clone().unwrap_or(before.about),
            images: self.images.clone().unwrap_or(before.images),
            category: emptied(&self.category, before.category),
            tags: self.tags.clone().unwrap_or(before.tags),
            tax_rate_bp: self.tax_rate_bp.unwrap_or(before.tax_rate_bp),
            sees: audience("sees", &self.sees, before.sees)?,
            buys: audience("buys", &self.buys, before.buys)?,
            payment_methods: self.methods.clone().unwrap_or(before.payment_methods),
            hold_minutes: self.hold_minutes.unwrap_or(before.hold_minutes),
            right_days: emptied(&self.right_days, before.right_days),
            opens_for,
            shown_from: emptied(&self.shown_from, before.shown_from),
            shown_until: emptied(&self.shown_until, before.shown_until),
            available_from: emptied(&self.available_from, before.available_from),
            hides_price: self.hides_price.unwrap_or(before.hides_price),
            version: before.version + 1,
            ..before
        };
        in_order(&product)?;
        Ok(product)
    }
}

/// A field that can be changed, not emptied.
fn kept<T, U>(field: &str, patch: Patch<T>, check: impl Fn(T) -> Result<U>) -> Result<Option<U>> {
    fields::kept(field, patch)?.map(check).transpose()
}

/// A field that can be changed and emptied.
fn emptiable<T, U>(patch: Patch<T>, check: impl Fn(T) -> Result<U>) -> Result<Patch<U>> {
    Ok(match patch {
        Patch::Absent => Patch::Absent,
        Patch::Null => Patch::Null,
        Patch::Value(typed) => Patch::Value(check(typed)?),
    })
}

fn emptied<T: Clone>(patch: &Patch<T>, before: Option<T>) -> Option<T> {
    match patch {
        Patch::Absent => before,
        Patch::Null => None,
        Patch::Value(value) => Some(value.clone()),
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
    let checked = Checked::new(change, now)?;
    let whole = db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let product = checked.onto(before, &groups(conn).await?)?;
        if let Some(related) = &checked.related {
            relate(conn, id, related).await?;
        }
        model::store(conn, &product).await?;
        told_of_tiers(conn, &product).await?;
        record(conn, actor, "product.change", &product, now).await?;
        found(conn, product).await
    })
    .await?;
    after_write(app, &whole).await;
    Ok(whole)
}

/// Takes a product off the shelf. Twice does no more than once; what is ordered stays ordered.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: ProductId) -> Result<Whole> {
    let now = app.clock.now();
    let whole = db::transaction(&app.pool, async |conn| {
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
        told_of_tiers(conn, &product).await?;
        record(conn, actor, "product.archive", &product, now).await?;
        the_whole(conn, product).await
    })
    .await?;
    after_write(app, &whole).await;
    Ok(whole)
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

//! Making, filling, looking at and merging baskets.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::dto::{BasketLines, BasketView, MergedBasket, NewBasket};
use super::model::{self, Basket, Kept};
use super::rules;
use crate::app::App;
use crate::checkout::orders::appraisal::{self, Appraisal};
use crate::checkout::orders::dto::{LineRequest, parse_lines};
use crate::checkout::orders::prices::Parcel;
use crate::checkout::orders::seen::FromBasket;
use crate::checkout::orders::service::Customer;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::http::guest::BasketSecret;
use crate::http::precondition::IfMatch;
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::secrets;
use crate::shop::products::model as products;
use crate::shop::shipping::model::{self as shipping, ShippingMethod};
use crate::shop::shipping::rules::fee_minor;
use crate::shop::visitors;
use crate::types::email::Email;
use crate::types::id::{AccountId, BasketId, VariantId};
use crate::types::locale::Locale;

/// Lets people and scanners tell what leaked.
const SECRET_PREFIX: &str = "kb_";

/// Who asks for a basket.
#[derive(Clone, Debug)]
pub struct Asker {
    pub account: Option<AccountId>,
    pub secret: BasketSecret,
    /// In which a guest is spoken to.
    pub locale: Locale,
}

impl Asker {
    /// Who would buy what is in the basket. A guest has the account's id that the basket's order would stand under; his
    /// address comes with the person's key.
    pub fn customer(&self, basket: BasketId, email: Option<(&Email, String)>) -> Customer {
        match self.account {
            Some(account) => Customer::Account(account),
            None => Customer::Guest(Buyer::guest(AccountId(basket.0), email, self.locale)),
        }
    }

    fn may_open(&self, basket: &Basket) -> bool {
        basket.is_open_to(self.account, self.secret.hash().as_deref())
    }
}

/// A basket with its version, which is its ETag.
pub struct Looked<T> {
    pub view: T,
    pub version: i32,
}

/// Makes a guest's basket with a secret; of an account, answers the one that is open.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn create(app: &App, account: Option<AccountId>) -> Result<NewBasket> {
    let now = app.clock.now();
    let Some(account) = account else {
        let (id, secret) = (BasketId::new(), secrets::generate(SECRET_PREFIX)?);
        model::insert_guests(&mut *db::connect(&app.pool).await?, id, &secrets::hash(&secret), now).await?;
        return Ok(NewBasket { id, secret: Some(secret) });
    };
    let id = db::transaction(&app.pool, async |conn| {
        accounts::lock(conn, account).await?;
        model::open_of(conn, account, now).await
    })
    .await?;
    Ok(NewBasket { id, secret: None })
}

/// A basket that the asker may see.
///
/// # Errors
/// `not_found`, for a stranger's and for a wrong secret too.
pub async fn find(conn: &mut Conn, id: BasketId, asker: &Asker) -> Result<Basket> {
    let basket = model::find(conn, id).await?.filter(|basket| asker.may_open(basket));
    basket.ok_or_else(|| Code::NotFound.at("basket", "there is no such basket"))
}

/// # Errors
/// `not_found`.
pub async fn show(app: &App, id: BasketId, asker: &Asker) -> Result<Looked<BasketView>> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    find(&mut conn, id, asker).await?;
    model::touch(&mut conn, id, now).await?;
    let basket = find(&mut conn, id, asker).await?;
    look(app, &mut conn, &basket, asker, now).await
}

/// What is in it, and how that stands.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn appraise(
    conn: &mut Conn,
    basket: &Basket,
    asker: &Asker,
    at: (DateTime<Utc>, Tz),
) -> Result<Appraisal> {
    let lines = parse_lines(&lines_of(basket))?;
    appraisal::appraise(conn, at, asker.customer(basket.id, None), &lines).await
}

fn lines_of(basket: &Basket) -> Vec<LineRequest> {
    basket.lines.iter().map(|kept| kept.line.clone()).collect()
}

async fn look(
    app: &App,
    conn: &mut Conn,
    basket: &Basket,
    asker: &Asker,
    now: DateTime<Utc>,
) -> Result<Looked<BasketView>> {
    let lines = parse_lines(&lines_of(basket))?;
    let appraisal = appraise(conn, basket, asker, (now, app.settings.timezone)).await?;
    let view = BasketView::new(basket, &lines, &appraisal, &app.settings.currency);
    Ok(Looked { view, version: basket.version })
}

/// Puts these lines in, in place of all that was in it. What can't be bought now may lie in a basket; what could never be
/// ordered may not.
///
/// # Errors
/// `not_found`, `basket_ended`, `version_mismatch` where `seen` isn't its version; `invalid_field`, `stands_alone`,
/// `unknown_article` and the like, each with its line.
pub async fn put_lines(
    app: &App,
    id: BasketId,
    asker: &Asker,
    seen: Option<IfMatch>,
    body: &BasketLines,
) -> Result<Looked<BasketView>> {
    let now = app.clock.now();
    let asked: Vec<_> = body.lines.iter().map(normal).collect();
    let lines = parse_lines(&asked)?;
    db::transaction(&app.pool, async |conn| {
        let before = locked(conn, id, asker).await?;
        if let Some(seen) = seen {
            seen.check(before.version)?;
        }
        let at = (now, app.settings.timezone);
        let appraisal = appraisal::appraise(conn, at, asker.customer(id, None), &lines).await?;
        let kept = keep(&asked, appraisal)?;
        model::store_lines(conn, id, &kept, now).await?;
        let after = find(conn, id, asker).await?;
        look(app, conn, &after, asker, now).await
    })
    .await
}

async fn locked(conn: &mut Conn, id: BasketId, asker: &Asker) -> Result<Basket> {
    let basket = model::load_locked(conn, &[id]).await?.pop().filter(|basket| asker.may_open(basket));
    let basket = basket.ok_or_else(|| Code::NotFound.error())?;
    if basket.ended_at.is_some() { Err(Code::BasketEnded.error()) } else { Ok(basket) }
}

/// Codes are kept as they are compared.
fn normal(line: &LineRequest) -> LineRequest {
    LineRequest {
        f_code: line.f_code.as_deref().map(normal_code),
        invitation: line.invitation.as_deref().map(normal_code),
        ..line.clone()
    }
}

/// Lines with how they stand now.
fn keep(asked: &[LineRequest], appraisal: Appraisal) -> Result<Vec<Kept>> {
    let kept = asked.iter().zip(appraisal.lines).map(|(line, now)| match (now.found, now.refusal) {
        // 422: no order could have such a line.
        (_, Some(refusal)) if refusal.code.status() == 422 => Err(refusal),
        (None, refusal) => Err(refusal.unwrap_or_else(|| AppError::internal("a line that isn't there"))),
        (Some(found), refusal) => Ok(Kept {
            line: line.clone(),
            unit_minor: found.unit_price_minor,
            refusal: refusal.map(|refusal| refusal.code.as_str().to_owned()),
        }),
    });
    // What is wrong with a line is said before what is wrong with all of them together.
    let kept = kept.collect::<Result<_>>()?;
    appraisal.refusal.map_or(Ok(kept), Err)
}

/// Puts a guest's basket to the account's own and ends it. Again does nothing more.
///
/// # Errors
/// `not_found` for a wrong secret or a basket that is no guest's; `basket_ended` where it was ordered, or merged into
/// somebody else's.
pub async fn merge(
    app: &App,
    account: AccountId,
    id: BasketId,
    asker: &Asker,
) -> Result<Looked<MergedBasket>> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        accounts::lock(conn, account).await?;
        let found = find(conn, id, asker).await?;
        if found.account.is_some() {
            return Err(Code::NotFound.error());
        }
        let own = match found.merged_into {
            Some(into) => into,
            None => model::open_of(conn, account, now).await?,
        };
        let mut both: HashMap<_, _> = model::load_locked(conn, &[id, own])
            .await?
            .into_iter()
            .map(|basket| (basket.id, basket))
            .collect();
        let (Some(guests), Some(own)) = (both.remove(&id), both.remove(&own)) else {
            return Err(Code::NotFound.error());
        };
        let left_out = match (guests.ended_at, guests.merged_into) {
            (None, _) => put_together(conn, &guests, &own, now).await?,
            (Some(_), Some(into)) if into == own.id && own.account == Some(account) => Vec::new(),
            _ => return Err(Code::BasketEnded.error()),
        };
        let own = model::find(conn, own.id).await?.ok_or(Code::NotFound)?;
        let Looked { view, version } = look(app, conn, &own, asker, now).await?;
        Ok(Looked { view: MergedBasket { basket: view, left_out }, version })
    })
    .await
}

async fn put_together(
    conn: &mut Conn,
    guests: &Basket,
    own: &Basket,
    now: DateTime<Utc>,
) -> Result<Vec<LineRequest>> {
    let ids: Vec<_> = own.lines.iter().filter_map(|kept| article_of(&kept.line)).collect();
    let limits: HashMap<_, _> = products::articles(conn, &ids)
        .await?
        .into_iter()
        .map(|article| (article.id, i64::from(article.max_per_order)))
        .collect();
    let most =
        |line: &LineRequest| article_of(line).and_then(|article| limits.get(&article)).copied().unwrap_or(1);
    let merged = rules::merge(&own.lines, &guests.lines, most);
    model::store_lines(conn, own.id, &merged.lines, now).await?;
    model::end_merged(conn, guests.id, own.id, now).await?;
    Ok(merged.left_out)
}

fn article_of(line: &LineRequest) -> Option<VariantId> {
    line.variant.or(line.bundle.map(|bundle| VariantId(bundle.0)))
}

/// A basket that is to be ordered or quoted, as it is now.
pub struct ToOrder {
    pub basket: FromBasket,
    pub lines: Vec<LineRequest>,
    /// Of one unit of each line, when it was put in.
    pub units_minor: Vec<i64>,
}

/// # Errors
/// `not_found`; `invalid_field` where it is empty.
pub async fn to_order(conn: &mut Conn, id: BasketId, asker: &Asker) -> Result<ToOrder> {
    let basket = find(conn, id, asker).await?;
    if basket.lines.is_empty() {
        return Err(Code::InvalidField.at("basket", "it is empty"));
    }
    Ok(ToOrder {
        basket: FromBasket { id, version: basket.version },
        lines: lines_of(&basket),
        units_minor: basket.lines.iter().map(|kept| kept.unit_minor).collect(),
    })
}

/// Methods on offer that go to the country, cheapest first, with what each takes for the basket.
///
/// # Errors
/// `not_found` for the basket.
pub async fn shipping_offers(
    app: &App,
    asker: &Asker,
    basket: Option<BasketId>,
    country: Option<&str>,
) -> Result<Vec<(ShippingMethod, Option<i64>)>> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let parcel = match basket {
        Some(id) => {
            let basket = find(&mut conn, id, asker).await?;
            appraise(&mut conn, &basket, asker, (now, app.settings.timezone)).await?.parcel
        }
        None => None,
    };
    let goes = |method: &ShippingMethod| {
        country.is_none_or(|country| method.countries.iter().any(|known| known == country))
    };
    let methods: Vec<_> = shipping::on_offer(&mut conn).await?.into_iter().filter(goes).collect();
    let audiences = methods.iter().filter_map(|method| method.free_for.as_ref());
    let looker = visitors::load(&mut conn, asker.account, audiences, now).await?;
    let price = |method: &ShippingMethod| {
        let Parcel { goods_minor, weight_grams } = parcel?;
        // It takes the same wherever it goes.
        let country = country.or(method.countries.first().map(String::as_str))?;
        fee_minor(method, country, goods_minor, weight_grams, looker.visitor(), &looker.ranks).ok()
    };
    let mut offers: Vec<_> = methods.into_iter().map(|method| (price(&method), method)).collect();
    // Without a basket they are in order by their fee already.
    offers.sort_by_key(|(price_minor, _)| *price_minor);
    Ok(offers.into_iter().map(|(price_minor, method)| (method, price_minor)).collect())
}

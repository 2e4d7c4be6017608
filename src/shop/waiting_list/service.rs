//! Joining, leaving, and offering what came back.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{self, Entry, EntryState, Standing};
use super::rules::{self, Comer, Turn};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Lane, Outcome};
use crate::membership::invitations::rules::{code_from, shown_code};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::shop::drops::model::{self as drops, Drop, FCode};
use crate::shop::drops::rules::DropState;
use crate::shop::drops::service::{pools_of, set_aside};
use crate::shop::products::model::{self as products, Article};
use crate::shop::visitors;
use crate::types::id::{AccountId, DropId, FCodeId, PoolId, VariantId, WaitingId};

/// Offers of one transaction.
const AT_ONCE: i64 = 100;

/// What of a drop and an article one unit takes: (pool, how many of it).
fn unit(drop: &Drop, article: &Article) -> Result<Vec<(PoolId, i64)>> {
    let item = drop.item(article.id).ok_or_else(|| AppError::internal("a line for what the drop lacks"))?;
    let of_article = pools_of(article).into_iter().map(|(_, pool, of_one)| (pool, of_one));
    Ok([(item.pool, 1)].into_iter().chain(of_article).collect())
}

/// Takes a place at the end of the line, where nothing is left for this person now.
///
/// # Errors
/// `not_found`, `unknown_article`; `still_on_sale`, `audience_sold_out`, `already_waiting`; what would refuse an order of
/// his: `closed`, `not_open`, `members_only`, `tier_required`, `cap_reached`.
pub async fn join(app: &App, account: AccountId, id_or_code: &str, variant: VariantId) -> Result<Standing> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let id = drops::find_id(conn, id_or_code).await?.ok_or(Code::NotFound)?;
        let (drop, article) = wanted(conn, id, variant).await?;
        let unit = unit(&drop, &article)?;
        let mut pools: Vec<_> = unit.iter().map(|(pool, _)| *pool).collect();
        pools.extend(drop.audiences.iter().filter_map(|of| of.pool));
        let left: HashMap<_, _> =
            claims::lock(conn, &pools).await?.iter().map(|pool| (pool.id, pool.left())).collect();
        let buyer = accounts::lock_buyers(conn, &[account]).await?.pop().ok_or(Code::Unauthenticated)?;
        let person = buyer.person_key.clone().ok_or(Code::Unauthenticated)?;
        may_join(conn, &buyer, &drop, &article, &left, now).await?;
        model::close_taken(conn, (id, variant), account, &person, now).await?;
        let (place, position) = model::next_place(conn, id, variant).await?;
        let entry = Entry {
            id: WaitingId::new(),
            drop: id,
            variant,
            account,
            person_key: person,
            place,
            state: EntryState::Waiting,
            f_code: None,
            joined_at: now,
            offered_at: None,
            ended_at: None,
            passed_over_for: None,
        };
        if !model::insert(conn, &entry).await? {
            return Err(Code::AlreadyWaiting.error());
        }
        Ok(Standing { entry, position: Some(position), offer: None })
    })
    .await
}

async fn wanted(conn: &mut Conn, id: DropId, variant: VariantId) -> Result<(Drop, Article)> {
    let drop = drops::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    let article = products::articles(conn, &[variant]).await?.pop();
    let article = article.filter(|article| drop.item(article.id).is_some());
    Ok((drop, article.ok_or_else(|| Code::UnknownArticle.at("variant", "the drop doesn't sell it"))?))
}

/// Under the locks of the drop's and the article's pools, of which `left` tells how far they are.
async fn may_join(
    conn: &mut Conn,
    buyer: &Buyer,
    drop: &Drop,
    article: &Article,
    left: &HashMap<PoolId, i64>,
    now: DateTime<Utc>,
) -> Result<()> {
    let people: Vec<_> = buyer.person_key.iter().cloned().collect();
    let purchases = drops::purchases(conn, &[drop.id], &[buyer.id], &people).await?;
    let audiences = drop.audiences().chain(article.audiences());
    let looker = visitors::load(conn, Some(buyer.id), audiences, now).await?;
    let (visitor, ranks) = (looker.visitor(), &looker.ranks);
    let bought = purchases.iter().map(|(.., units)| units).sum();
    rules::may_have(Comer { visitor, ranks, bought }, drop, article, now)?;
    let pools: Vec<_> = left.keys().copied().collect();
    let reserved = model::reserved(conn, &pools, now).await?;
    let free =
        |pool: &PoolId| left.get(pool).copied().unwrap_or(0) - reserved.get(pool).copied().unwrap_or(0);
    let unit: Vec<_> = unit(drop, article)?.iter().map(|(pool, of_one)| (*of_one, free(pool))).collect();
    let doors = crate::shop::drops::rules::doors(drop, visitor, ranks, now)?;
    let is_shut = |pool: Option<PoolId>| pool.is_some_and(|pool| free(&pool) < 1);
    let is_audience_sold_out = !doors.is_empty() && doors.iter().all(|door| is_shut(door.pool));
    Ok(rules::is_in_vain(rules::whole_units(&unit), is_audience_sold_out)?)
}

/// Gives a place up, or declines an offer: its unit goes to the next in line.
///
/// # Errors
/// `not_found` for what isn't open any more; `in_use` while an unpaid order holds the offered unit.
pub async fn leave(app: &App, account: AccountId, id: WaitingId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let found = model::find(conn, account, id).await?.ok_or(Code::NotFound)?;
        match found.offer {
            Some(offer) => decline(conn, account, id, offer.pool, now).await,
            None => give_up(conn, account, &found.entry, now).await,
        }
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(())
}

async fn give_up(conn: &mut Conn, account: AccountId, entry: &Entry, now: DateTime<Utc>) -> Result<()> {
    let drop = drops::load(conn, &[entry.drop]).await?.pop().ok_or(Code::NotFound)?;
    let item = drop.item(entry.variant).ok_or(Code::NotFound)?;
    claims::lock(conn, &[item.pool]).await?;
    let found = model::find(conn, account, entry.id).await?.ok_or(Code::NotFound)?;
    match found.entry.state {
        EntryState::Waiting => {
            model::end(conn, &[entry.id], EntryState::Left, now).await?;
            model::shorten(conn, entry.drop, entry.variant, 1).await
        }
        // He has been offered a unit this very moment.
        EntryState::Offered => Err(Code::InUse.error()),
        _ => Err(Code::NotFound.error()),
    }
}

async fn decline(
    conn: &mut Conn,
    account: AccountId,
    id: WaitingId,
    pool: PoolId,
    now: DateTime<Utc>,
) -> Result<()> {
    let held = claims::lock(conn, &[pool]).await?.first().map_or(0, |pool| pool.held);
    let found = model::find(conn, account, id).await?.ok_or(Code::NotFound)?;
    let is_bought = found.offer.as_ref().is_some_and(|offer| offer.taken > 0);
    match (found.entry.state, found.entry.f_code) {
        (EntryState::Offered, Some(_)) if held > 0 => Err(Code::InUse.error()),
        (EntryState::Offered, Some(code)) if !is_bought => {
            drops::expire_f_code(conn, code, now).await?;
            jobs::enqueue(conn, &Job::EndFCodes {}, now, now).await?;
            Ok(())
        }
        _ => Err(Code::NotFound.error()),
    }
}

/// Something was given back or added: whoever waits for it is offered it by a job. In the transaction that frees it, once
/// its pools are locked, so that nobody who joins a line meanwhile is missed.
///
/// # Errors
/// The database's.
pub async fn wake(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    if model::is_anybody_waiting(conn).await? {
        jobs::enqueue(conn, &Job::OfferFreed {}, now, now).await?;
    }
    Ok(())
}

/// [`wake`] where something of these pools, which are locked, is kept back for who waits: in a rush much is given back that
/// nobody waits for.
///
/// # Errors
/// The database's.
pub async fn wake_for(conn: &mut Conn, pools: &[PoolId], now: DateTime<Utc>) -> Result<()> {
    if model::reserved(conn, pools, now).await?.values().any(|units| *units > 0) {
        jobs::enqueue(conn, &Job::OfferFreed {}, now, now).await?;
    }
    Ok(())
}

/// Offers what is free to those who wait, in order: the job `offer_freed`. Lines of drops that are over end.
///
/// # Errors
/// The database's.
pub async fn offer_freed(app: &App) -> Result<Outcome> {
    let (now, lasts) = (app.clock.now(), app.settings.waiting_offer);
    let lines = model::lines(&mut *db::connect(&app.pool).await?).await?;
    for line in lines {
        while db::transaction(&app.pool, async |conn| serve(conn, line, lasts, now).await).await? > 0 {}
    }
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// Serves the first of a line, at most [`AT_ONCE`]; how many were offered a unit or passed over.
async fn serve(
    conn: &mut Conn,
    (id, variant): (DropId, VariantId),
    lasts: TimeDelta,
    now: DateTime<Utc>,
) -> Result<usize> {
    let (drop, article) = wanted(conn, id, variant).await?;
    let is_over = crate::shop::drops::rules::state(&drop, now) == DropState::Closed;
    // A look without locks first: in a rush much is given back that has nothing to do with this line.
    if !is_over && drop.item(variant).is_none_or(|item| item.free() < 1) {
        return Ok(0);
    }
    let unit = unit(&drop, &article)?;
    let pools: Vec<_> = unit.iter().map(|(pool, _)| *pool).collect();
    let left: HashMap<_, _> =
        claims::lock(conn, &pools).await?.iter().map(|pool| (pool.id, pool.left())).collect();
    if is_over {
        let closed = model::close(conn, id, variant, now).await?;
        model::shorten(conn, id, variant, closed).await?;
        return Ok(0);
    }
    let free = |pool: &PoolId| left.get(pool).copied().unwrap_or(0);
    let unit: Vec<_> = unit.iter().map(|(pool, of_one)| (*of_one, free(pool))).collect();
    let units = rules::whole_units(&unit).min(model::waiting_in(conn, id, variant).await?);
    if units < 1 {
        return Ok(0);
    }
    let units = usize::try_from(units).unwrap_or(usize::MAX);
    let (chosen, passed) = choose(conn, &drop, &article, units, now).await?;
    model::pass_over(conn, &passed, now).await?;
    model::shorten(conn, id, variant, chosen.len() + passed.len()).await?;
    make_offers(conn, &drop, &article, &chosen, now + lasts, now).await?;
    Ok(chosen.len() + passed.len())
}

/// Somebody who is offered a unit; his account is locked, so that it isn't erased before his mail is queued.
struct Next {
    entry: Entry,
    buyer: Buyer,
    /// His address.
    email: String,
}

/// Why somebody is passed over whose account was erased; nobody can be told so but operators.
const ACCOUNT_ERASED: &str = "account_erased";

/// The next in line, as many as there are units, and those before them who can have none, each with the reason. The line's
/// pools are locked; locks its first accounts.
async fn choose(
    conn: &mut Conn,
    drop: &Drop,
    article: &Article,
    units: usize,
    now: DateTime<Utc>,
) -> Result<(Vec<Next>, Vec<(WaitingId, &'static str)>)> {
    let first = model::first_of(conn, drop.id, article.id, AT_ONCE).await?;
    let accounts: Vec<_> = first.iter().map(|entry| entry.account).collect();
    let people: Vec<_> = first.iter().map(|entry| entry.person_key.clone()).collect();
    let buyers = accounts::lock_buyers(conn, &accounts).await?;
    let mut buyers: HashMap<_, _> = buyers.into_iter().map(|buyer| (buyer.id, buyer)).collect();
    let crowd = visitors::crowd(conn, &accounts, drop.audiences().chain(article.audiences()), now).await?;
    let purchases = match drop.cap_per_person {
        Some(_) => drops::purchases(conn, &[drop.id], &accounts, &people).await?,
        None => Vec::new(),
    };
    let bought = |entry: &Entry| -> i64 {
        let his = |(_, account, person, _): &&(DropId, AccountId, String, i64)| {
            *account == entry.account || *person == entry.person_key
        };
        purchases.iter().filter(his).map(|(.., units)| units).sum()
    };
    let (mut chosen, mut passed) = (Vec::new(), Vec::new());
    for entry in first {
        if chosen.len() == units {
            break;
        }
        let buyer = buyers.remove(&entry.account);
        let Some((buyer, email)) = buyer.and_then(|buyer| buyer.email.clone().map(|email| (buyer, email)))
        else {
            passed.push((entry.id, ACCOUNT_ERASED));
            continue;
        };
        let comer =
            Comer { visitor: crowd.visitor(entry.account), ranks: &crowd.ranks, bought: bought(&entry) };
        match rules::turn(comer, drop, article, now) {
            Turn::Offer => chosen.push(Next { entry, buyer, email }),
            Turn::PassOver(why) => passed.push((entry.id, why.as_str())),
            Turn::StandStill => break,
        }
    }
    Ok((chosen, passed))
}

/// Sets a unit aside for each, under a code of his own, and mails it.
async fn make_offers(
    conn: &mut Conn,
    drop: &Drop,
    article: &Article,
    chosen: &[Next],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(first) = chosen.first() else { return Ok(()) };
    let units = i64::try_from(chosen.len()).map_err(AppError::internal)?;
    let cause = format!("waiting_list:{}", first.entry.id);
    set_aside(conn, Actor::System, drop, article, units, &cause, now).await?;
    let code = |next: &Next| FCode {
        id: FCodeId::new(),
        drop: drop.id,
        variant: article.id,
        code: code_from(rand::random()),
        pool: PoolId::new(),
        email_key: None,
        account: Some(next.entry.account),
        is_offer: true,
        expires_at,
        ended_at: None,
        created_at: now,
        held: 0,
        taken: 0,
    };
    let codes: Vec<_> = chosen.iter().map(code).collect();
    drops::insert_f_codes(conn, &codes).await?;
    let offers: Vec<_> = chosen.iter().zip(&codes).map(|(next, code)| (next.entry.id, code.id)).collect();
    model::offer(conn, &offers, now).await?;
    let mails: Vec<_> = chosen
        .iter()
        .zip(&codes)
        .map(|(next, code)| {
            let to = Recipient {
                account: Some(next.buyer.id),
                address: next.email.clone(),
                locale: next.buyer.locale,
            };
            (to, format!("waiting_list_offer:{}", next.entry.id), mail(drop, article, code))
        })
        .collect();
    mails::queue_all(conn, now, &mails).await
}

fn mail(drop: &Drop, article: &Article, code: &FCode) -> Mail {
    Mail::WaitingListOffer {
        drop_zh: drop.names.zh.clone(),
        drop_en: drop.names.en.clone(),
        article_zh: article.product.names.zh.clone(),
        article_en: article.product.names.en.clone(),
        f_code: shown_code(&code.code),
        expires_at: code.expires_at,
    }
}

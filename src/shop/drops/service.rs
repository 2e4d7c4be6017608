//! Operators' work on drops, their F-codes, and what the checkout asks of them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::dto::{DropChange, NewDrop, NewFCodes};
use super::guests::{self, Guest};
use super::model::{self, Drop, FCode};
use super::{items, rules};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::jobs::{self, Job, Outcome};
use crate::membership::invitations::rules::code_from;
use crate::people::accounts::model as accounts;
use crate::shop::board::dto::BoardBody;
use crate::shop::board::model::MilestoneKind;
use crate::shop::crowdfunding::model as crowdfunding;
use crate::shop::crowdfunding::rules::{self as funding, LAST_ORDERS};
use crate::shop::products::model::{self as products, Article};
use crate::shop::stock::model::{Move, Reason, resize};
use crate::shop::stock::service::enter_if_free;
use crate::shop::waiting_list::model::EntryState;
use crate::shop::{board, waiting_list};
use crate::types::id::{AccountId, DropId, FCodeId, LineId, MoveId, OrderId, PoolId, VariantId};
use crate::types::patch::Patch;

/// How long a code guarantees its unit, unless it is said otherwise.
const F_CODE_LASTS: TimeDelta = TimeDelta::hours(24);

/// Makes a drop.
///
/// # Errors
/// `invalid_field`, `code_taken`, `unknown_article`.
pub async fn create(app: &App, actor: Actor, new: &NewDrop) -> Result<Drop> {
    let now = app.clock.now();
    let code = fields::slug("code", &new.code)?;
    let names = fields::names("names", &new.names)?;
    let opens_at = fields::dated("opens_at", new.opens_at, now)?;
    let closes_at = fields::ahead("closes_at", new.closes_at, now)?;
    let cap = new.cap_per_person.map(|cap| fields::within("cap_per_person", cap, 1, 10_000)).transpose()?;
    let currency = &app.settings.currency;
    let milestones = milestones_of(new.board.as_ref(), currency)?;
    let on_sale = new.items.iter().map(|item| item.quantity).fold(0, i64::saturating_add);
    let goal = new.goal.as_ref().map(|goal| goal.parse(&app.settings.currency, on_sale)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let drop = Drop {
            id: DropId::new(),
            code: code.clone(),
            names: names.clone(),
            opens_at,
            closes_at,
            cap_per_person: cap,
            created_at: now,
            archived_at: None,
            version: 1,
            items: items::new(conn, &new.items, currency).await?,
            audiences: items::audiences(conn, &new.audiences, now).await?,
            goal: goal.clone(),
        };
        items::in_order(&drop)?;
        if drop.goal.is_some() {
            fund(conn, &drop, now).await?;
        }
        model::insert(conn, &drop).await?;
        if let Some(milestones) = &milestones {
            board::service::set(conn, drop.id, Some(milestones), now).await?;
        }
        record(conn, actor, "drop.create", &drop, json!({}), now).await?;
        Ok(drop)
    })
    .await
}

/// A crowdfunded drop sells what can be given back whole, and ends early enough for it; its end is a job.
async fn fund(conn: &mut Conn, drop: &Drop, now: DateTime<Utc>) -> Result<()> {
    let ids: Vec<_> = drop.items.iter().map(|item| item.variant).collect();
    if !products::articles(conn, &ids).await?.iter().all(funding::is_returnable) {
        return Err(Code::InvalidField.at("items", "crowdfunded are goods that are sent, nothing digital"));
    }
    check_window(drop, None)?;
    jobs::enqueue(conn, &Job::DecideGoal { drop: drop.id }, drop.closes_at + LAST_ORDERS, now).await?;
    Ok(())
}

fn check_window(drop: &Drop, first_order_at: Option<DateTime<Utc>>) -> Result<()> {
    let days = funding::longest_window().num_days();
    let why = || format!("what is crowdfunded runs {days} days at most, so that refunds are still possible");
    funding::check_window(drop, first_order_at).map_err(|code| code.at("closes_at", why()))
}

/// The window of a crowdfunded drop may change until it is over.
async fn change_window(conn: &mut Conn, before: &Drop, after: &Drop, now: DateTime<Utc>) -> Result<()> {
    crowdfunding::lock(conn, before.id).await?;
    let has_moved = (before.opens_at, before.closes_at) != (after.opens_at, after.closes_at);
    if !has_moved {
        return Ok(());
    }
    if funding::ends_at(before) <= now {
        return Err(Code::Closed.because("It is over: backers are waiting for what was promised."));
    }
    // A goal is decided some days after the end, so that who ordered in time may pay.
    if funding::ends_at(after) < now {
        return Err(Code::InvalidField.at("closes_at", "a crowdfunded drop can't have ended before now"));
    }
    check_window(after, crowdfunding::first_order_at(conn, after.id).await?)?;
    jobs::enqueue(conn, &Job::DecideGoal { drop: after.id }, after.closes_at + LAST_ORDERS, now).await?;
    jobs::enqueue(conn, &Job::MovePromises { drop: after.id }, now, now).await?;
    Ok(())
}

fn milestones_of(board: Option<&BoardBody>, currency: &str) -> Result<Option<Vec<(MilestoneKind, i64)>>> {
    board.map(|board| board::rules::milestones(&board.milestones, currency)).transpose()
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`; `closed` for the window of a crowdfunded drop that is over; for its items
/// `unknown_article`, `stock_not_free` where fewer units are free than are taken away, `amount_out_of_range`.
pub async fn change(app: &App, actor: Actor, id: DropId, seen: IfMatch, change: DropChange) -> Result<Drop> {
    let (now, currency) = (app.clock.now(), &app.settings.currency);
    let milestones = match &change.board {
        Patch::Value(board) => milestones_of(Some(board), currency)?,
        _ => None,
    };
    let names =
        fields::kept("names", change.names)?.map(|names| fields::names("names", &names)).transpose()?;
    let dated = |field: &str, patch: Patch<DateTime<Utc>>| {
        fields::kept(field, patch)?.map(|at| fields::dated(field, at, now)).transpose()
    };
    // The end may be set to a moment that is over: that closes the drop.
    let (opens_at, closes_at) = (dated("opens_at", change.opens_at)?, dated("closes_at", change.closes_at)?);
    let cap = match change.cap_per_person {
        Patch::Value(cap) => Patch::Value(fields::within("cap_per_person", cap, 1, 10_000)?),
        other => other,
    };
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let drop = Drop {
            names: names.clone().unwrap_or_else(|| before.names.clone()),
            opens_at: opens_at.unwrap_or(before.opens_at),
            closes_at: closes_at.unwrap_or(before.closes_at),
            cap_per_person: match cap {
                Patch::Absent => before.cap_per_person,
                Patch::Null => None,
                Patch::Value(cap) => Some(cap),
            },
            version: before.version + 1,
            ..before.clone()
        };
        items::in_order(&drop)?;
        let changed = items::change(conn, &drop, &change.items, currency).await?;
        if drop.goal.is_some() {
            change_window(conn, &before, &drop, now).await?;
        }
        model::store(conn, &drop).await?;
        match &change.board {
            Patch::Absent => {}
            _ => board::service::set(conn, id, milestones.as_deref(), now).await?,
        }
        if !change.items.is_empty() {
            waiting_list::service::wake(conn, now).await?;
        }
        record(conn, actor, "drop.change", &drop, changed, now).await?;
        model::load(conn, &[id]).await?.pop().ok_or_else(|| Code::NotFound.error())
    })
    .await
}

/// Ends a drop for good. Twice does no more than once; its F-codes stay good until their date. A goal is decided by what was
/// pledged until now.
///
/// # Errors
/// `not_found`.
pub async fn archive(app: &App, actor: Actor, id: DropId) -> Result<Drop> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let drop = Drop { archived_at: Some(now), version: before.version + 1, ..before };
        if drop.goal.is_some() {
            crowdfunding::lock(conn, id).await?;
            jobs::enqueue(conn, &Job::DecideGoal { drop: id }, now + LAST_ORDERS, now).await?;
            jobs::enqueue(conn, &Job::MovePromises { drop: id }, now, now).await?;
        }
        model::store(conn, &drop).await?;
        record(conn, actor, "drop.archive", &drop, json!({}), now).await?;
        Ok(drop)
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    drop: &Drop,
    more: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "drop",
        subject_id: drop.id.to_string(),
        reason: None,
        detail: json!({ "code": drop.code, "version": drop.version, "more": more }),
    };
    audit::record(conn, now, entry).await
}

/// Makes F-codes: their units leave the drop's pool and stock now, so that each is a promise that can be kept.
///
/// # Errors
/// `not_found`, `closed`, `invalid_field`, `stock_not_free` where fewer units are free, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn issue(
    app: &App,
    actor: Actor,
    id: DropId,
    new: &NewFCodes,
    request: &Request,
) -> Result<Vec<FCode>> {
    let now = app.clock.now();
    let expires_at = match new.expires_at {
        Some(at) => fields::ahead("expires_at", at, now)?,
        None => now + F_CODE_LASTS,
    };
    db::transaction(&app.pool, async |conn| {
        // The resource of a batch is its first code's id; the others share its moment.
        let batch = FCodeId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, batch.0, now).await? {
            return model::batch_of(conn, FCodeId(earlier)).await;
        }
        let (drop, article) = for_codes(conn, id, new.variant, now).await?;
        let guests = guests::of(conn, new, now).await?;
        let units = i64::try_from(guests.len()).map_err(AppError::internal)?;
        let code = |(index, guest): (usize, &Guest)| {
            let code = FCode {
                id: if index == 0 { batch } else { FCodeId::new() },
                drop: id,
                variant: new.variant,
                code: code_from(rand::random()),
                pool: PoolId::new(),
                email_key: None,
                account: None,
                is_offer: false,
                expires_at,
                ended_at: None,
                created_at: now,
                held: 0,
                taken: 0,
            };
            code.bound_to(guest)
        };
        let codes: Vec<_> = guests.iter().enumerate().map(code).collect();
        model::insert_f_codes(conn, &codes).await?;
        guests::tell(conn, (&drop, &article), &codes, &guests, now).await?;
        // Last: buyers wait for these locks.
        set_aside(conn, actor, &drop, &article, units, &format!("f_codes:{batch}"), now).await?;
        record(conn, actor, "f_codes.issue", &drop, json!({ "quantity": units }), now).await?;
        Ok(codes)
    })
    .await
}

async fn for_codes(
    conn: &mut Conn,
    id: DropId,
    variant: VariantId,
    now: DateTime<Utc>,
) -> Result<(Drop, Article)> {
    let drop = model::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    if rules::state(&drop, now) == rules::DropState::Closed {
        return Err(Code::Closed.error());
    }
    let article = products::articles(conn, &[variant]).await?.pop();
    let article = article.filter(|article| drop.item(article.id).is_some());
    Ok((drop, article.ok_or_else(|| Code::UnknownArticle.at("variant", "the drop doesn't sell it"))?))
}

/// Every pool that a unit of the article takes from, with how many of each: its stock and its parts', and the variant of
/// each, for the ledger.
pub fn pools_of(article: &Article) -> Vec<(Option<VariantId>, PoolId, i64)> {
    let is_stock = !article.is_bundle() && article.is_shipped();
    let own = article.pool.map(|pool| (is_stock.then_some(article.id), pool, 1));
    let of_parts = article.parts.iter().filter_map(|part| {
        let is_stock = part.kind == crate::shop::products::model::ProductKind::Goods;
        Some((is_stock.then_some(part.variant), part.pool?, i64::from(part.quantity)))
    });
    own.into_iter().chain(of_parts).collect()
}

/// Moves units out of the drop and out of stock; negative units move them back.
///
/// # Errors
/// `stock_not_free`, `unknown_drop` for what the drop doesn't sell.
pub async fn set_aside(
    conn: &mut Conn,
    actor: Actor,
    drop: &Drop,
    article: &Article,
    units: i64,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let item = drop.item(article.id).ok_or(Code::UnknownDrop)?;
    let sources = pools_of(article);
    let all: Vec<_> = sources.iter().map(|(_, pool, _)| *pool).chain([item.pool]).collect();
    let left: HashMap<PoolId, i64> =
        claims::lock(conn, &all).await?.iter().map(|pool| (pool.id, pool.left())).collect();
    let free = left.get(&item.pool).copied().unwrap_or(0);
    if free < units {
        return Err(Code::StockNotFree.because(format!("{free} of the drop are free.")));
    }
    resize(conn, item.pool, -units).await?;
    for (variant, pool, of_one) in sources {
        let quantity = -(units * of_one);
        match variant {
            Some(variant_id) => {
                let reason = if units > 0 { Reason::SetAside } else { Reason::ReturnedToSale };
                let entry = Move {
                    id: MoveId::new(),
                    variant_id,
                    quantity,
                    reason,
                    note: None,
                    cause: format!("{cause}:{variant_id}"),
                    moved_by: actor.kind().to_owned(),
                    moved_at: now,
                };
                enter_if_free(conn, pool, &entry).await?;
            }
            None if left.get(&pool).copied().unwrap_or(0) + quantity < 0 => {
                return Err(Code::StockNotFree.error());
            }
            None => resize(conn, pool, quantity).await?,
        }
    }
    Ok(())
}

/// Codes whose time is over give their units back: the job `end_f_codes`. A code in an unpaid order waits for its end.
///
/// # Errors
/// The database's.
pub async fn end_expired(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    while db::transaction(&app.pool, async |conn| end_some(conn, now).await).await? > 0 {}
    Ok(Outcome::Done)
}

/// At most 200 of them; how many.
async fn end_some(conn: &mut Conn, now: DateTime<Utc>) -> Result<usize> {
    let due = model::expired_f_codes(conn, now, 200).await?;
    let drops = model::load(conn, &due.iter().map(|code| code.drop).collect::<Vec<_>>()).await?;
    let articles = products::articles(conn, &due.iter().map(|code| code.variant).collect::<Vec<_>>()).await?;
    // All that will be touched is locked at once, in the order of ids, as an order locks it.
    let mut pools: Vec<_> = due.iter().map(|code| code.pool).collect();
    pools.extend(drops.iter().flat_map(|drop| drop.items.iter().map(|item| item.pool)));
    pools.extend(articles.iter().flat_map(pools_of).map(|(_, pool, _)| pool));
    let locked: HashMap<PoolId, claims::Pool> =
        claims::lock(conn, &pools).await?.into_iter().map(|pool| (pool.id, pool)).collect();
    let (mut returned, mut used) = (Vec::new(), Vec::new());
    for code in due {
        let Some(pool) = locked.get(&code.pool).filter(|pool| pool.held == 0) else { continue };
        if pool.left() > 0 {
            let drop = drops.iter().find(|drop| drop.id == code.drop);
            let article = articles.iter().find(|article| article.id == code.variant);
            let (Some(drop), Some(article)) = (drop, article) else {
                return Err(AppError::internal("an F-code of nothing"));
            };
            resize(conn, pool.id, -1).await?;
            let cause = format!("f_code:{}", code.id);
            set_aside(conn, Actor::System, drop, article, -1, &cause, now).await?;
            returned.push(code.id);
        } else {
            used.push(code.id);
        }
    }
    waiting_list::model::codes_ended(conn, &returned, EntryState::Lapsed, now).await?;
    waiting_list::model::codes_ended(conn, &used, EntryState::Taken, now).await?;
    let ended: Vec<_> = returned.iter().chain(&used).copied().collect();
    model::end_f_codes(conn, &ended, now).await?;
    if !returned.is_empty() {
        waiting_list::service::wake(conn, now).await?;
    }
    Ok(ended.len())
}

/// What a line had goes back on sale: its units no longer count for the cap, and an F-code is good again or, past its time,
/// gives its unit back.
///
/// # Errors
/// The database's.
pub async fn take_back(
    conn: &mut Conn,
    line: LineId,
    f_code: Option<FCodeId>,
    now: DateTime<Utc>,
) -> Result<()> {
    model::release_purchase(conn, line, now).await?;
    if let Some(code) = f_code {
        model::reopen_f_code(conn, code).await?;
    }
    Ok(())
}

/// An order whose hold had ended is honoured after all: its units of capped drops count again, if the cap allows. Its
/// pools are locked.
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut Conn, order: OrderId, account: AccountId) -> Result<bool> {
    let mine = model::purchases_of(conn, order).await?;
    if mine.is_empty() {
        return Ok(true);
    }
    let ids: Vec<_> = mine.iter().map(|(drop, ..)| *drop).collect();
    let drops = model::load(conn, &ids).await?;
    let person = accounts::load_buyer(conn, account).await.ok().and_then(|buyer| buyer.person_key);
    let people: Vec<_> = person.into_iter().collect();
    let others = model::purchases(conn, &ids, &[account], &people).await?;
    let fits =
        drops.iter().filter_map(|drop| Some((drop.id, i64::from(drop.cap_per_person?)))).all(|(id, cap)| {
            let units = |rows: &[(DropId, i64)]| -> i64 {
                rows.iter().filter(|(drop, _)| *drop == id).map(|(_, units)| units).sum()
            };
            let others: Vec<_> = others.iter().map(|(drop, _, _, units)| (*drop, *units)).collect();
            units(&mine) + units(&others) <= cap
        });
    if fits {
        model::renew_purchases(conn, order).await?;
    }
    Ok(fits)
}

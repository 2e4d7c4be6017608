//! Moving points, in the transaction of what causes it. Balances are locked by account, after those of store credit and before
//! baskets.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::dto::{NewPointsRule, PointsProgrammeChange, PointsProgrammeView};
use super::model::{self, LotKind, NewLot, Why, Writes};
use super::programme::{self, Programme, Rule};
use super::rules::{self, Lot, Purse};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::http::precondition::IfMatch;
use crate::people::accounts::model as accounts;
use crate::shop::products::service::{groups, known_audience};
use crate::types::id::{AccountId, OrderId, PointsEntryId, PointsLotId, PointsRuleId};

/// Points for an account, once for their cause.
#[derive(Clone, Debug)]
pub struct Grant {
    pub account: AccountId,
    pub kind: LotKind,
    /// What they are for, such as `check_in:<account>:<day>`.
    pub cause: String,
    pub points: i64,
    /// Of which so many count for levels; they may be more.
    pub level_points: i64,
    pub order: Option<OrderId>,
    /// As it is shown to whose points they are.
    pub reason: Option<String>,
}

impl Grant {
    fn row(&self, lot: &Lot, now: DateTime<Utc>) -> NewLot {
        NewLot {
            id: lot.id,
            account_id: self.account,
            kind: self.kind.as_str(),
            cause: self.cause.clone(),
            order_id: self.order,
            points: lot.points,
            level_points: lot.level_points,
            pending: lot.pending,
            active: lot.active,
            active_at: lot.active_at,
            expires_at: lot.expires_at,
            created_at: now,
        }
    }

    fn why(&self) -> Why {
        Why { cause: self.cause.clone(), order: self.order, reason: self.reason.clone() }
    }
}

/// By which rules points come and go, and where days begin.
#[derive(Clone, Debug)]
pub struct Terms {
    pub programme: Programme,
    pub zone: Tz,
}

impl Terms {
    /// # Errors
    /// The database's.
    pub async fn load(conn: &mut Conn, zone: Tz) -> Result<Self> {
        Ok(Self { programme: programme::load(conn).await?, zone })
    }

    /// When what can be spent from now on expires.
    pub fn expires_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        rules::expires_at(now, self.programme.lasts_months, self.zone)
    }
}

/// Adds points that can be spent at once, set by set; those whose cause has a lot are left out. Tells the causes that were
/// written.
///
/// # Errors
/// `amount_out_of_range`; the database's.
pub async fn grant(
    conn: &mut Conn,
    terms: &Terms,
    grants: &[Grant],
    now: DateTime<Utc>,
) -> Result<HashSet<String>> {
    let owners: BTreeSet<_> = grants.iter().map(|one| one.account).collect();
    let mut purses = model::lock(conn, &owners.into_iter().collect::<Vec<_>>()).await?;
    let causes: Vec<_> = grants.iter().map(|one| one.cause.clone()).collect();
    let known = model::known(conn, &causes).await?;
    let (mut writes, mut written) = (Writes::default(), HashSet::new());
    let is_something = |one: &&Grant| one.points > 0 || one.level_points > 0;
    for one in grants.iter().filter(is_something).filter(|one| !known.contains(&one.cause)) {
        if !written.insert(one.cause.clone()) {
            continue;
        }
        let purse = purses.entry(one.account).or_default();
        let lot = Lot {
            expires_at: terms.expires_at(now),
            ..Lot::new(within(one.points)?, within(one.level_points)?, Some(now))
        };
        purse.earn(lot);
        writes.lot(one.row(&lot, now));
        terms.programme.settle(purse, now);
        writes.take(one.account, purse, &one.why(), now);
    }
    writes.write(conn).await?;
    Ok(written)
}

/// Takes back what an account was given for these causes; what of it was spent is owed. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn take_back(
    conn: &mut Conn,
    account: AccountId,
    causes: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let lots = model::of_causes(conn, causes).await?;
    if lots.is_empty() {
        return Ok(());
    }
    let mut purse = model::lock(conn, &[account]).await?.remove(&account).unwrap_or_default();
    let mut writes = Writes::default();
    for (lot, cause) in lots {
        bring(conn, &mut purse, &[lot]).await?;
        purse.lower(lot, 0, 0);
        let why = Why { cause: format!("taken_back:{cause}:{}", PointsEntryId::new()), ..Why::default() };
        writes.take(account, &mut purse, &why, now);
    }
    programme::load(conn).await?.settle(&mut purse, now);
    let why = Why { cause: format!("settled:{account}:{}", PointsEntryId::new()), ..Why::default() };
    writes.take(account, &mut purse, &why, now);
    writes.write(conn).await
}

fn within(points: i64) -> Result<i64> {
    if (0..=rules::POINTS_MAX).contains(&points) { Ok(points) } else { Err(Code::AmountOutOfRange.error()) }
}

/// Takes points, where the account has them; false where it hasn't. Once for its cause: a repeat has paid.
///
/// # Errors
/// The database's.
pub async fn spend(
    conn: &mut Conn,
    account: AccountId,
    points: i64,
    why: &Why,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut purse = model::lock(conn, &[account]).await?.remove(&account).unwrap_or_default();
    if model::has_entry(conn, &why.cause).await? {
        return Ok(true);
    }
    if !purse.spend(points, now) {
        return Ok(false);
    }
    let mut writes = Writes::default();
    writes.take(account, &mut purse, why, now);
    writes.write(conn).await?;
    Ok(true)
}

/// Points that pay an order, or come back.
fn of_order(order: OrderId) -> Why {
    Why { cause: format!("order:{order}:{}", PointsEntryId::new()), order: Some(order), reason: None }
}

/// An order that is placed pays with points: its account's purse is locked, and has them.
pub fn pay(
    writes: &mut Writes,
    purse: &mut Purse,
    order: (OrderId, AccountId),
    points: i64,
    now: DateTime<Utc>,
) {
    let (order, account) = order;
    purse.spend(points, now);
    writes.take(account, purse, &of_order(order), now);
}

/// Gives back what an order paid with points: it ends unpaid. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    give_back(conn, order, i64::MAX, now).await.map(|_| ())
}

/// Gives back so many of the points that paid an order, to the lots that they came from, the last spent first; no more than
/// haven't come back yet. How many.
///
/// # Errors
/// The database's.
pub async fn give_back(conn: &mut Conn, order: OrderId, points: i64, now: DateTime<Utc>) -> Result<i64> {
    let Some((account, ..)) = model::paid_by(conn, order).await?.first().copied() else { return Ok(0) };
    let mut purse = model::lock(conn, &[account]).await?.remove(&account).unwrap_or_default();
    // Again, under the lock.
    let parts = model::paid_by(conn, order).await?;
    let ids: Vec<_> = parts.iter().map(|(_, lot, _)| *lot).collect();
    bring(conn, &mut purse, &ids).await?;
    let mut left = points;
    for (_, lot, spent) in parts {
        let back = spent.min(left);
        purse.give_back(lot, back, now);
        left -= back;
    }
    programme::load(conn).await?.settle(&mut purse, now);
    let mut writes = Writes::default();
    writes.take(account, &mut purse, &of_order(order), now);
    writes.write(conn).await?;
    Ok(points - left)
}

/// Adds lots to a purse, which is locked, that nothing can be spent of now.
///
/// # Errors
/// The database's.
pub async fn bring(conn: &mut Conn, purse: &mut Purse, ids: &[PointsLotId]) -> Result<()> {
    let known: HashSet<_> = purse.lots.iter().map(|lot| lot.id).collect();
    let missing: Vec<_> = ids.iter().copied().filter(|id| !known.contains(id)).collect();
    purse.lots.extend(model::lots(conn, &missing).await?.iter().map(model::LotRow::lot));
    Ok(())
}

/// Pays again what was given back, for an order whose money came late; false where the account no longer has it.
///
/// # Errors
/// The database's.
pub async fn renew(
    conn: &mut Conn,
    order: OrderId,
    account: AccountId,
    points: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let paid: i64 = model::paid_by(conn, order).await?.iter().map(|(.., spent)| spent).sum();
    if paid >= points {
        return Ok(true);
    }
    spend(conn, account, points - paid, &of_order(order), now).await
}

/// What an operator does to somebody's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    Give {
        points: i64,
        level_points: i64,
    },
    Take(i64),
    /// So much is no longer owed.
    Forgive(i64),
}

/// An operator gives, takes, or lets go what is owed, with a reason, once a request.
///
/// # Errors
/// `not_found`, `points_insufficient`, `amount_out_of_range`, `idempotency_key_reused`, `request_in_progress`.
pub async fn adjust(
    app: &App,
    actor: Actor,
    account: AccountId,
    adjustment: Adjustment,
    reason: &str,
    request: &Request,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if idempotency::claim(conn, request, 201, account.0, now).await? != Claim::First {
            return Ok(());
        }
        accounts::lock_buyers(conn, &[account]).await?.first().ok_or(Code::NotFound)?;
        let cause = format!("operator:{}", PointsEntryId::new());
        let why = Why { cause: cause.clone(), order: None, reason: Some(reason.to_owned()) };
        let (points, level_points) = match adjustment {
            Adjustment::Give { points, level_points } => {
                let terms = Terms::load(conn, app.settings.timezone).await?;
                let reason = why.reason.clone();
                let kind = LotKind::Operator;
                let given = Grant { account, kind, cause, points, level_points, order: None, reason };
                grant(conn, &terms, &[given], now).await?;
                (points, level_points)
            }
            Adjustment::Take(points) if spend(conn, account, points, &why, now).await? => (-points, 0),
            Adjustment::Take(_) => return Err(Code::PointsInsufficient.error()),
            Adjustment::Forgive(points) => (forgive(conn, account, points, &why, now).await?, 0),
        };
        let entry = Entry {
            actor,
            action: "points.adjust",
            subject_kind: "account",
            subject_id: account.to_string(),
            reason: Some(reason),
            detail: json!({ "points": points, "level_points": level_points }),
        };
        audit::record(conn, now, entry).await
    })
    .await
}

async fn forgive(
    conn: &mut Conn,
    account: AccountId,
    points: i64,
    why: &Why,
    now: DateTime<Utc>,
) -> Result<i64> {
    let mut purse = model::lock(conn, &[account]).await?.remove(&account).unwrap_or_default();
    if points > purse.balance.owed {
        return Err(Code::PointsInsufficient.error());
    }
    purse.forgive(points, None);
    let mut writes = Writes::default();
    writes.take(account, &mut purse, why, now);
    writes.write(conn).await?;
    Ok(points)
}

/// What an order has earned, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    pub account: AccountId,
    pub order: OrderId,
    /// (points, level points) for all the money that was paid.
    pub whole: (i64, i64),
    /// The same for what of it hasn't gone back.
    pub kept: (i64, i64),
    /// Nothing of it can be sent back any more.
    pub is_final: bool,
}

/// The cause of the lot that an order earns.
pub fn earned_by(order: OrderId) -> String {
    format!("order:{order}")
}

/// Brings what an order earns to where it belongs: entered, lowered for what went back, spendable once it is final. Is
/// it still to be looked after? The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn follow(conn: &mut Conn, terms: &Terms, of: &Earned, now: DateTime<Utc>) -> Result<bool> {
    let cause = earned_by(of.order);
    let mut purse = model::lock(conn, &[of.account]).await?.remove(&of.account).unwrap_or_default();
    let known = model::by_cause(conn, &cause).await?;
    let (points, level_points) = of.whole;
    let (order, reason) = (Some(of.order), None);
    let whole =
        Grant { account: of.account, kind: LotKind::Order, cause, points, level_points, order, reason };
    // Its states make a repeat harmless: each look has a cause of its own.
    let look = PointsEntryId::new();
    let why = |what: &str| Why { cause: format!("{what}:{}:{look}", whole.cause), ..whole.why() };
    let mut writes = Writes::default();
    let id = match known {
        None if points == 0 && level_points == 0 => return Ok(false),
        None => {
            let lot = Lot::new(points, level_points, None);
            purse.earn(lot);
            writes.lot(whole.row(&lot, now));
            writes.take(of.account, &mut purse, &whole.why(), now);
            lot.id
        }
        Some(row) => {
            bring(conn, &mut purse, &[row.id]).await?;
            row.id
        }
    };
    let (points, level_points) = of.kept;
    purse.lower(id, points, level_points);
    let rest = purse.raise(id, points, level_points, now);
    writes.take(of.account, &mut purse, &why("changed"), now);
    if rest > 0 {
        let cause = format!("restored:{}:{look}", of.order);
        let again = Grant { kind: LotKind::Restored, cause, points: rest, level_points: 0, ..whole.clone() };
        let lot = Lot { expires_at: terms.expires_at(now), ..Lot::new(rest, 0, Some(now)) };
        purse.earn(lot);
        writes.lot(again.row(&lot, now));
        writes.take(of.account, &mut purse, &again.why(), now);
    }
    if of.is_final {
        purse.mature(id, now, terms.expires_at(now));
    }
    terms.programme.settle(&mut purse, now);
    writes.take(of.account, &mut purse, &why("followed"), now);
    let is_pending = purse.lots.iter().any(|lot| lot.id == id && lot.is_pending());
    writes.write(conn).await?;
    Ok(is_pending)
}

/// Changes the programme.
///
/// # Errors
/// `version_mismatch`, `invalid_field`, `amount_out_of_range`.
pub async fn change_programme(
    app: &App,
    actor: Actor,
    seen: IfMatch,
    asked: &PointsProgrammeChange,
) -> Result<Programme> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    db::transaction(&app.pool, async |conn| {
        let before = programme::lock(conn).await?;
        seen.check(before.version)?;
        let after = asked.apply(before, currency)?;
        programme::store(conn, &after).await?;
        let detail = serde_json::to_value(PointsProgrammeView::of(&after, currency)).unwrap_or_default();
        record(conn, actor, ("points_programme.change", "points_programme", "1".to_owned()), detail, now)
            .await?;
        Ok(after)
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    (action, subject_kind, subject_id): (&'static str, &'static str, String),
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry { actor, action, subject_kind, subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// Lets something earn at another rate, from now on or from a day to come.
///
/// # Errors
/// `invalid_field`, `code_taken`.
pub async fn create_rule(app: &App, actor: Actor, new: &NewPointsRule) -> Result<Rule> {
    let now = app.clock.now();
    let rule = new.checked(now)?;
    db::transaction(&app.pool, async |conn| {
        if let Some(audience) = &rule.audience {
            known_audience("audience", audience, &groups(conn).await?)?;
        }
        programme::insert_rule(conn, &rule).await?;
        let detail =
            json!({ "code": rule.code, "rate_bp": rule.rate_bp, "level_rate_bp": rule.level_rate_bp });
        record(conn, actor, ("points_rule.create", "points_rule", rule.id.to_string()), detail, now).await?;
        Ok(rule.clone())
    })
    .await
}

/// Ends a rule. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive_rule(app: &App, actor: Actor, id: PointsRuleId) -> Result<Rule> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut rule = programme::lock_rule(conn, id).await?.ok_or(Code::NotFound)?;
        if rule.archived_at.is_none() {
            rule.archived_at = Some(now);
            rule.version += 1;
            programme::store_rule(conn, &rule).await?;
            let subject = ("points_rule.archive", "points_rule", id.to_string());
            record(conn, actor, subject, json!({ "code": rule.code }), now).await?;
        }
        Ok(rule)
    })
    .await
}

/// The account is erased: nobody can spend its points any more.
///
/// # Errors
/// The database's.
pub async fn forfeit(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<()> {
    let mut purse = model::lock(conn, &[account]).await?.remove(&account).unwrap_or_default();
    let ids = model::unspent(conn, account).await?;
    bring(conn, &mut purse, &ids).await?;
    for id in ids {
        purse.write_off(id);
    }
    let mut writes = Writes::default();
    let why = Why { cause: format!("erased:{account}"), ..Why::default() };
    writes.take(account, &mut purse, &why, now);
    writes.write(conn).await
}

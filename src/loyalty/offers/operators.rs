//! Operators' work on upgrade offers.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::{AdminUpgradeOffer, NewUpgradeOffer, UpgradeOfferChange};
use super::model::{self, UpgradeOffer};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::loyalty::levels::model as levels;
use crate::loyalty::metrics::rules::Criteria;
use crate::membership::plans::model as plans;
use crate::membership::upgrades::rules::is_sold;
use crate::promotion::campaigns::model::{UNLIMITED, insert_pool, set_capacity};
use crate::shop::products::model::ranks;
use crate::types::id::{PoolId, UpgradeOfferId};
use crate::types::money::Money;

/// Limits beyond this are slips of the keyboard.
const USES_MAX: i64 = 1_000_000_000;

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `unknown_plan`, `upgrade_not_sold`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewUpgradeOffer) -> Result<AdminUpgradeOffer> {
    let (now, currency) = (app.clock.now(), &app.settings.currency);
    let quota = new.quota.map(quota).transpose()?;
    let budget_minor = new.budget.as_ref().map(|typed| budget(typed, currency)).transpose()?;
    let (code, names) = (fields::slug("code", &new.code)?, fields::names("names", &new.names)?);
    let price_minor = fields::price("price", &new.price, currency)?;
    let starts_at = new.starts_at.map_or(Ok(now), |at| fields::dated("starts_at", at, now))?;
    let ends_at = ends_at(new.ends_at, starts_at, now)?;
    db::transaction(&app.pool, async |conn| {
        let levels = levels::ranks(conn).await?;
        let criteria = Criteria::checked("criteria", &new.criteria, Some(&levels))?;
        check_plan(conn, new, price_minor).await?;
        let of = UpgradeOffer {
            id: UpgradeOfferId::new(),
            code: code.clone(),
            names: names.clone(),
            from_tier: new.from_tier,
            plan: new.plan,
            price_minor,
            criteria,
            pool: PoolId::new(),
            budget_pool: PoolId::new(),
            starts_at,
            ends_at,
            mails: new.mails,
            walked_to: None,
            walked_at: None,
            created_at: now,
            archived_at: None,
            version: 1,
        };
        insert_pool(conn, of.pool, "upgrade_offer", quota.unwrap_or(UNLIMITED)).await?;
        insert_pool(conn, of.budget_pool, "upgrade_budget", budget_minor.unwrap_or(UNLIMITED)).await?;
        model::insert(conn, &of).await?;
        record(conn, actor, "upgrade_offer.create", &of, now).await?;
        view(conn, of, currency).await
    })
    .await
}

fn quota(typed: i64) -> Result<i64> {
    fields::within("quota", typed, 1, USES_MAX)
}

/// A budget may be more than one order.
fn budget(typed: &Money, currency: &str) -> Result<i64> {
    if typed.currency != currency {
        return Err(Code::InvalidField.at("budget.currency", format!("the shop's currency is {currency}")));
    }
    fields::within("budget.amount", typed.amount, 1, USES_MAX * 100)
}

fn ends_at(typed: DateTime<Utc>, starts_at: DateTime<Utc>, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let at = fields::ahead("ends_at", typed, now)?;
    if at <= starts_at {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    Ok(at)
}

/// The plan must be there and be sold to members of the tier; it stays as it is until the offer is written.
async fn check_plan(conn: &mut Conn, new: &NewUpgradeOffer, price_minor: i64) -> Result<()> {
    let plan = plans::find_for_use(conn, new.plan).await?.filter(|plan| plan.archived_at.is_none());
    let plan = plan.ok_or_else(|| Code::UnknownPlan.at("plan", "there is no such plan"))?;
    if !is_sold(&plan) {
        return Err(Code::UpgradeNotSold.at("plan", "neither open_sale nor open_upgrade"));
    }
    if price_minor >= plan.price_minor {
        let why = format!("expected less than the plan's price, {}", plan.price_minor);
        return Err(Code::InvalidField.at("price.amount", why));
    }
    let Some(tier) = new.from_tier else { return Ok(()) };
    match ranks(conn).await?.of(tier) {
        Some(rank) if rank < plan.tier_rank => Ok(()),
        Some(_) => Err(Code::InvalidField.at("from_tier", "expected a tier below the plan's")),
        None => Err(Code::InvalidField.at("from_tier", "there is no such tier")),
    }
}

/// # Errors
/// `not_found`, `version_mismatch`, `closed` where it is archived, `invalid_field`, `limit_below_uses`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: UpgradeOfferId,
    seen: IfMatch,
    asked: &UpgradeOfferChange,
) -> Result<AdminUpgradeOffer> {
    let (now, currency) = (app.clock.now(), &app.settings.currency);
    let names = fields::kept("names", asked.names.clone())?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    let ends = fields::kept("ends_at", asked.ends_at.clone())?;
    let mails = fields::kept("mails", asked.mails.clone())?;
    let uses = asked.quota.clone().into_change().map(|typed| typed.map(quota).transpose()).transpose()?;
    let budget_minor = asked.budget.clone().into_change();
    let budget_minor =
        budget_minor.map(|typed| typed.map(|typed| budget(&typed, currency)).transpose()).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        if before.archived_at.is_some() {
            return Err(Code::Closed.error());
        }
        let after = UpgradeOffer {
            names: names.clone().unwrap_or(before.names),
            ends_at: match ends {
                Some(at) => ends_at(at, before.starts_at, now)?,
                None => before.ends_at,
            },
            mails: mails.unwrap_or(before.mails),
            version: before.version + 1,
            ..before
        };
        resize(conn, &after, [("quota", after.pool, uses), ("budget", after.budget_pool, budget_minor)])
            .await?;
        model::store(conn, &after).await?;
        record(conn, actor, "upgrade_offer.change", &after, now).await?;
        view(conn, after, currency).await
    })
    .await
}

/// Gives the pools of a locked offer the capacities that are asked for: absent, as it is; none, without a
/// limit.
async fn resize(
    conn: &mut Conn,
    of: &UpgradeOffer,
    wanted: [(&'static str, PoolId, Option<Option<i64>>); 2],
) -> Result<()> {
    let pools = claims::lock(conn, &[of.pool, of.budget_pool]).await?;
    for (field, id, capacity) in wanted {
        let Some(capacity) = capacity else { continue };
        let claimed = pools.iter().find(|pool| pool.id == id).map_or(0, |pool| pool.held + pool.taken);
        let capacity = capacity.unwrap_or(UNLIMITED);
        if capacity < claimed {
            return Err(Code::LimitBelowUses.at(field, format!("{claimed} are held or used")));
        }
        set_capacity(conn, id, capacity).await?;
    }
    Ok(())
}

/// It ends for good; orders that hold it keep it. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn archive(app: &App, actor: Actor, id: UpgradeOfferId) -> Result<AdminUpgradeOffer> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut of = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if of.archived_at.is_none() {
            of.archived_at = Some(now);
            of.version += 1;
            model::store(conn, &of).await?;
            record(conn, actor, "upgrade_offer.archive", &of, now).await?;
        }
        view(conn, of, &app.settings.currency).await
    })
    .await
}

/// # Errors
/// `not_found`
pub async fn show(app: &App, id: UpgradeOfferId) -> Result<AdminUpgradeOffer> {
    let mut conn = db::connect(&app.pool).await?;
    let of = model::find(&mut conn, id).await?.ok_or(Code::NotFound)?;
    view(&mut conn, of, &app.settings.currency).await
}

async fn view(conn: &mut Conn, of: UpgradeOffer, currency: &str) -> Result<AdminUpgradeOffer> {
    Ok(views(conn, vec![of], currency).await?.pop().ok_or(Code::NotFound)?)
}

/// Offers with how far their limits are used.
///
/// # Errors
/// The database's.
pub async fn views(
    conn: &mut Conn,
    offers: Vec<UpgradeOffer>,
    currency: &str,
) -> Result<Vec<AdminUpgradeOffer>> {
    let ids: Vec<_> = offers.iter().flat_map(|of| [of.pool, of.budget_pool]).collect();
    let pools = claims::read(conn, &ids).await?;
    Ok(offers.into_iter().map(|of| AdminUpgradeOffer::new(of, &pools, currency)).collect())
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    of: &UpgradeOffer,
    now: DateTime<Utc>,
) -> Result<()> {
    let detail = json!({ "code": of.code, "version": of.version, "ends_at": of.ends_at });
    let subject_id = of.id.to_string();
    let entry = Entry { actor, action, subject_kind: "upgrade_offer", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

//! Operators' work on coupon campaigns.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{CampaignChange, CampaignCopy, CampaignView, NewCampaign, NewLimits};
use super::model::{self, Campaign, UNLIMITED};
use super::rules::{Benefit, Class};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::{self, Conn, Pool};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::membership::plans::model as plans;
use crate::promotion::coupons::{model as coupons, uses};
use crate::shop::products::model as products;
use crate::shop::products::service::{groups, known_audience};
use crate::types::id::{CampaignId, PoolId};
use crate::types::patch::Patch;

/// Limits beyond this are slips of the keyboard.
const USES_MAX: i64 = 1_000_000_000;
const TIMES_MAX: i32 = 1_000_000;
const PRIORITY_MAX: i32 = 1_000;
const VALID_DAYS_MAX: i32 = 3_650;

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `unknown_article`, `unknown_plan`, `code_taken`.
pub async fn create(
    pool: &Pool,
    actor: Actor,
    new: &NewCampaign,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<CampaignView> {
    let campaign = checked(new, now)?;
    let limits = Limits::checked(&new.limits, currency)?;
    check_rule(&campaign, currency)?;
    db::transaction(pool, async |conn| {
        known(conn, &campaign).await?;
        let campaign = insert(conn, campaign.clone(), &limits).await?;
        record(conn, actor, "coupon_campaign.create", &campaign, now).await?;
        view(conn, campaign, currency).await
    })
    .await
}

fn checked(new: &NewCampaign, now: DateTime<Utc>) -> Result<Campaign> {
    let dated =
        |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
    let once = |patch: &Patch<i32>| match patch {
        Patch::Value(value) => Some(*value),
        Patch::Absent | Patch::Null => None,
    };
    Ok(Campaign {
        id: CampaignId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        class: new.class,
        benefit: new.benefit.clone(),
        scope: new.scope.clone(),
        conditions: new.conditions.clone(),
        combines_with: classes(&new.combines_with),
        priority: new.priority,
        automatic: new.automatic,
        per_person: once(&new.limits.per_person),
        per_order: new.limits.per_order.unwrap_or(1),
        per_day: once(&new.limits.per_day),
        pool: None,
        budget_pool: None,
        starts_at: dated("starts_at", new.starts_at)?,
        ends_at: dated("ends_at", new.ends_at)?,
        valid_days: new.valid_days,
        on_repeat_card: new.on_repeat_card,
        created_at: now,
        paused_at: None,
        archived_at: None,
        version: 1,
    })
}

/// Each once, in the order in which they are applied.
fn classes(named: &[Class]) -> Vec<Class> {
    Class::ALL.into_iter().filter(|class| named.contains(class)).collect()
}

/// Everything about the rule that needs no database.
fn check_rule(campaign: &Campaign, currency: &str) -> Result<()> {
    campaign.benefit.check(campaign.class, currency)?;
    campaign.scope.check(campaign.class)?;
    campaign.conditions.check(currency)?;
    fields::within("priority", campaign.priority, -PRIORITY_MAX, PRIORITY_MAX)?;
    for (field, value) in [
        ("limits.per_person", campaign.per_person),
        ("limits.per_order", Some(campaign.per_order)),
        ("limits.per_day", campaign.per_day),
    ] {
        value.map(|value| fields::within(field, value, 1, TIMES_MAX)).transpose()?;
    }
    if let Some(days) = campaign.valid_days {
        fields::within("valid_days", days, 1, VALID_DAYS_MAX)?;
    }
    if campaign.per_order > 1 && !campaign.combines_with.contains(&campaign.class) {
        let wanted = "more than one in an order needs its own class in combines_with";
        return Err(Code::InvalidField.at("limits.per_order", wanted));
    }
    match (campaign.starts_at, campaign.ends_at) {
        (Some(start), Some(end)) if end <= start => {
            Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"))
        }
        _ => Ok(()),
    }
}

/// Everything that the rule names must be there.
async fn known(conn: &mut Conn, campaign: &Campaign) -> Result<()> {
    let scope = &campaign.scope;
    if let Some(audience) = &campaign.conditions.audience {
        known_audience("conditions.audience", audience, &groups(conn).await?)?;
    }
    let mut wanted = scope.products.clone();
    wanted.extend(campaign.conditions.has_bought);
    let found = products::load(conn, &wanted).await?;
    if !wanted.iter().all(|id| found.iter().any(|product| product.id == *id)) {
        return Err(Code::UnknownArticle.at("scope.products", "there is no such product"));
    }
    let mut wanted = scope.variants.clone();
    if let Benefit::Gift { variant, .. } = &campaign.benefit {
        wanted.push(*variant);
    }
    let found = products::articles(conn, &wanted).await?;
    if !wanted.iter().all(|id| found.iter().any(|article| article.id == *id)) {
        return Err(Code::UnknownArticle.at("scope.variants", "there is no such variant or bundle"));
    }
    let found = plans::load(conn, &scope.plans).await?;
    if !scope.plans.iter().all(|id| found.iter().any(|plan| plan.id == *id)) {
        return Err(Code::UnknownPlan.at("scope.plans", "there is no such plan"));
    }
    let ranks = products::ranks(conn).await?;
    match scope.tiers.iter().find(|code| ranks.of_code(code).is_none()) {
        Some(_) => Err(Code::InvalidField.at("scope.tiers", "there is no such tier")),
        None => Ok(()),
    }
}

/// The limits that are pools, as they are asked for.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Absent: as it is; null: none.
    total: Option<Option<i64>>,
    budget_minor: Option<Option<i64>>,
}

impl Limits {
    fn checked(asked: &NewLimits, currency: &str) -> Result<Self> {
        let total = match asked.total.clone().into_change() {
            Some(Some(total)) => Some(Some(fields::within("limits.total", total, 1, USES_MAX)?)),
            other => other,
        };
        let budget_minor = match asked.budget.clone().into_change() {
            Some(Some(money)) => Some(Some(budget("limits.budget", &money, currency)?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(Self { total, budget_minor })
    }

    /// Must uses be counted under a lock?
    fn need_pool(&self, campaign: &Campaign) -> bool {
        !campaign.automatic
            || self.total.flatten().is_some()
            || campaign.per_person.is_some()
            || campaign.conditions.first_order
    }
}

/// A budget may be more than one order: up to a thousand million of the currency.
fn budget(field: &str, money: &crate::types::money::Money, currency: &str) -> Result<i64> {
    if money.currency != currency {
        return Err(
            Code::InvalidField.at(format!("{field}.currency"), format!("the shop's currency is {currency}"))
        );
    }
    fields::within(&format!("{field}.amount"), money.amount, 1, USES_MAX * 100)
}

/// Writes a new campaign and its pools.
async fn insert(conn: &mut Conn, mut campaign: Campaign, limits: &Limits) -> Result<Campaign> {
    if limits.need_pool(&campaign) {
        campaign.pool = Some(PoolId::new());
    }
    campaign.budget_pool = limits.budget_minor.flatten().map(|_| PoolId::new());
    for (pool, kind, capacity) in [
        (campaign.pool, "coupon", limits.total.flatten()),
        (campaign.budget_pool, "coupon_budget", limits.budget_minor.flatten()),
    ] {
        if let Some(pool) = pool {
            model::insert_pool(conn, pool, kind, capacity.unwrap_or(UNLIMITED)).await?;
        }
    }
    model::insert(conn, &campaign).await?;
    Ok(campaign)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`, `campaign_in_use` for what would take back a promise,
/// `limit_below_uses`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: CampaignId,
    seen: IfMatch,
    asked: &CampaignChange,
) -> Result<CampaignView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let limits = Limits::checked(&asked.limits, currency)?;
    let names = fields::kept("names", asked.names.clone())?;
    let names = names.map(|names| fields::names("names", &names)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let mut after = changed(before.clone(), asked, now)?;
        after.names = names.clone().unwrap_or(after.names);
        check_rule(&after, currency)?;
        known(conn, &after).await?;
        if before.per_day.is_none() && after.per_day.is_some() {
            let why = "it was made without such a limit: copy it instead";
            return Err(Code::CampaignInUse.at("limits.per_day", why));
        }
        if is_used(conn, id).await? {
            keeps_promises(&before, &after)?;
        }
        resize(conn, &after, &limits, now, app).await?;
        model::store(conn, &after).await?;
        record(conn, actor, "coupon_campaign.change", &after, now).await?;
        view(conn, after, currency).await
    })
    .await
}

fn changed(before: Campaign, asked: &CampaignChange, now: DateTime<Utc>) -> Result<Campaign> {
    let dated = |field: &str, patch: &Patch<DateTime<Utc>>, old| match patch {
        Patch::Absent => Ok(old),
        Patch::Null => Ok(None),
        Patch::Value(at) => fields::dated(field, *at, now).map(Some),
    };
    let number = |patch: &Patch<i32>, old| patch.clone().into_change().unwrap_or(old);
    Ok(Campaign {
        benefit: asked.benefit.clone().unwrap_or(before.benefit),
        scope: asked.scope.clone().unwrap_or(before.scope),
        conditions: asked.conditions.clone().unwrap_or(before.conditions),
        combines_with: asked.combines_with.as_deref().map_or(before.combines_with, classes),
        priority: asked.priority.unwrap_or(before.priority),
        per_person: number(&asked.limits.per_person, before.per_person),
        per_order: asked.limits.per_order.unwrap_or(before.per_order),
        per_day: number(&asked.limits.per_day, before.per_day),
        starts_at: dated("starts_at", &asked.starts_at, before.starts_at)?,
        ends_at: dated("ends_at", &asked.ends_at, before.ends_at)?,
        valid_days: number(&asked.valid_days, before.valid_days),
        on_repeat_card: asked.on_repeat_card.unwrap_or(before.on_repeat_card),
        version: before.version + 1,
        ..before
    })
}

/// Is there a code of it, or a use?
async fn is_used(conn: &mut Conn, id: CampaignId) -> Result<bool> {
    Ok(coupons::any_of(conn, id).await? || uses::any_of(conn, id).await?)
}

/// What people were told stays true.
fn keeps_promises(before: &Campaign, after: &Campaign) -> Result<()> {
    let refuse = |field: &'static str, why: &'static str| Err(Code::CampaignInUse.at(field, why));
    for (field, is_same) in [
        ("benefit", before.benefit == after.benefit),
        ("scope", before.scope == after.scope),
        ("conditions", before.conditions == after.conditions),
    ] {
        if !is_same {
            return refuse(field, "there are codes or uses of it: copy the campaign instead");
        }
    }
    if !before.combines_with.iter().all(|class| after.combines_with.contains(class)) {
        return refuse("combines_with", "it can only grow now");
    }
    let is_less = |before: Option<i32>, after: Option<i32>| match (before, after) {
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after < before,
        (_, None) => false,
    };
    for (field, before, after) in [
        ("limits.per_person", before.per_person, after.per_person),
        ("limits.per_order", Some(before.per_order), Some(after.per_order)),
        ("limits.per_day", before.per_day, after.per_day),
    ] {
        if is_less(before, after) {
            return refuse(field, "it can only rise now");
        }
    }
    if before.per_day.is_some() && after.per_day.is_none() {
        return refuse("limits.per_day", "it can only rise now");
    }
    let starts_later = match (before.starts_at, after.starts_at) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after > before,
    };
    let ends_sooner = match (before.ends_at, after.ends_at) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(before), Some(after)) => after < before,
    };
    if starts_later {
        return refuse("starts_at", "it can only be earlier now");
    }
    if ends_sooner {
        return refuse("ends_at", "it can only be later now: pause or archive the campaign");
    }
    Ok(())
}

/// Gives the pools of a locked campaign the capacities that are asked for.
async fn resize(
    conn: &mut Conn,
    campaign: &Campaign,
    limits: &Limits,
    now: DateTime<Utc>,
    app: &App,
) -> Result<()> {
    let kinds = [
        ("limits.total", campaign.pool, limits.total, limits.need_pool(campaign)),
        ("limits.budget", campaign.budget_pool, limits.budget_minor, limits.budget_minor.flatten().is_some()),
    ];
    for (field, pool, capacity, is_needed) in kinds {
        match pool {
            Some(pool) => {
                let Some(capacity) = capacity else { continue };
                let claimed =
                    claims::lock(conn, &[pool]).await?.first().map_or(0, |pool| pool.held + pool.taken);
                let capacity = capacity.unwrap_or(UNLIMITED);
                if capacity < claimed {
                    return Err(Code::LimitBelowUses.at(field, format!("{claimed} are held or used")));
                }
                model::set_capacity(conn, pool, capacity).await?;
            }
            None if is_needed => {
                // Uses before this one were not counted, and who orders now may not know of a new pool.
                return Err(
                    Code::CampaignInUse.at(field, "it was made without such a limit: copy it instead")
                );
            }
            None => {}
        }
    }
    let today = now.with_timezone(&app.settings.timezone).date_naive();
    if let Some(per_day) = campaign.per_day {
        let days = model::days_of(conn, campaign.id).await?;
        let mut pools: Vec<_> = days.iter().filter(|(day, _)| *day >= today).map(|(_, pool)| *pool).collect();
        pools.sort_unstable();
        claims::lock(conn, &pools).await?;
        for pool in pools {
            model::set_capacity(conn, pool, i64::from(per_day)).await?;
        }
    }
    Ok(())
}

/// A new campaign with the rule of this one.
///
/// # Errors
/// `not_found`, `invalid_field`, `code_taken`.
pub async fn copy(app: &App, actor: Actor, id: CampaignId, asked: &CampaignCopy) -> Result<CampaignView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    db::transaction(&app.pool, async |conn| {
        let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
        let capacity = |pools: &[claims::Pool], pool: Option<PoolId>| {
            let found = pools.iter().find(|known| Some(known.id) == pool);
            found.map(|pool| pool.capacity).filter(|capacity| *capacity < UNLIMITED)
        };
        let pools: Vec<_> = of.pool.into_iter().chain(of.budget_pool).collect();
        let pools = claims::read(conn, &pools).await?;
        let limits = Limits {
            total: Some(capacity(&pools, of.pool)),
            budget_minor: Some(capacity(&pools, of.budget_pool)),
        };
        let dated =
            |field: &str, at: Option<DateTime<Utc>>| at.map(|at| fields::dated(field, at, now)).transpose();
        let campaign = Campaign {
            id: CampaignId::new(),
            code: fields::slug("code", &asked.code)?,
            names: asked
                .names
                .as_ref()
                .map_or(Ok(of.names.clone()), |names| fields::names("names", names))?,
            pool: None,
            budget_pool: None,
            starts_at: dated("starts_at", asked.starts_at)?,
            ends_at: dated("ends_at", asked.ends_at)?,
            created_at: now,
            paused_at: Some(now),
            archived_at: None,
            version: 1,
            ..of
        };
        check_rule(&campaign, currency)?;
        let campaign = insert(conn, campaign, &limits).await?;
        record(conn, actor, "coupon_campaign.copy", &campaign, now).await?;
        view(conn, campaign, currency).await
    })
    .await
}

/// What can be done to a campaign as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nobody can use it until it is resumed; orders that hold a use keep it.
    Pause,
    Resume,
    /// It ends for good; orders that hold a use keep it.
    Archive,
}

/// Twice does no more than once.
///
/// # Errors
/// `not_found`; `closed` where it is archived.
pub async fn act(app: &App, actor: Actor, id: CampaignId, act: Act) -> Result<CampaignView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.archived_at.is_some() && act != Act::Archive {
            return Err(Code::Closed.error());
        }
        let mut after = before.clone();
        let name = match act {
            Act::Pause => {
                after.paused_at = before.paused_at.or(Some(now));
                "coupon_campaign.pause"
            }
            Act::Resume => {
                after.paused_at = None;
                "coupon_campaign.resume"
            }
            Act::Archive => {
                after.archived_at = before.archived_at.or(Some(now));
                "coupon_campaign.archive"
            }
        };
        if after != before {
            after.version += 1;
            model::store(conn, &after).await?;
            record(conn, actor, name, &after, now).await?;
        }
        view(conn, after, &app.settings.currency).await
    })
    .await
}

/// A campaign with how far its limits are used, and what is probably not meant.
///
/// # Errors
/// The database's.
pub async fn view(conn: &mut Conn, campaign: Campaign, currency: &str) -> Result<CampaignView> {
    Ok(views(conn, vec![campaign], currency).await?.pop().ok_or(Code::NotFound)?)
}

/// # Errors
/// The database's.
pub async fn views(conn: &mut Conn, campaigns: Vec<Campaign>, currency: &str) -> Result<Vec<CampaignView>> {
    let ids: Vec<_> = campaigns.iter().flat_map(|one| one.pool.into_iter().chain(one.budget_pool)).collect();
    let pools = claims::read(conn, &ids).await?;
    let mut views = Vec::with_capacity(campaigns.len());
    for campaign in campaigns {
        let mut warnings = Vec::new();
        if model::matches_nothing(conn, &campaign).await? {
            warnings.push("scope_matches_nothing");
        }
        if !campaign.automatic && !coupons::any_of(conn, campaign.id).await? {
            warnings.push("no_code_yet");
        }
        views.push(CampaignView::new(campaign, &pools, warnings, currency));
    }
    Ok(views)
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    campaign: &Campaign,
    now: DateTime<Utc>,
) -> Result<()> {
    let detail = json!({ "code": campaign.code, "version": campaign.version });
    log(conn, actor, action, campaign.id, detail, now).await
}

/// Records what was done to a campaign or its codes.
///
/// # Errors
/// The database's.
pub async fn log(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    campaign: CampaignId,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = campaign.to_string();
    let entry = Entry { actor, action, subject_kind: "coupon_campaign", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

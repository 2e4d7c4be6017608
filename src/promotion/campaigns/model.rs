//! Rows of coupon campaigns and of their pools.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::rules::{Benefit, Class, Conditions, Scope};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{coupon_campaigns, coupon_days, pools};
use crate::types::id::{CampaignId, PoolId};
use crate::types::locale::Names;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What happens where a card turns out to have paid for more uses than one person may have. It is known only after the
    /// payment, and not of wallets.
    #[derive(Default)]
    OnRepeatCard {
        /// The order stands, and an operator decides.
        #[default]
        Flag = "flag",
        /// The money goes back.
        Refund = "refund",
    }
}

/// A rule by which coupons work. Its limits are the capacities of its pools.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    pub id: CampaignId,
    /// For operators, and the name under which its figures stand.
    pub code: String,
    pub names: Names,
    pub class: Class,
    pub benefit: Benefit,
    pub scope: Scope,
    pub conditions: Conditions,
    /// Classes of coupons that may stand beside it, if they agree.
    pub combines_with: Vec<Class>,
    /// Higher ones go first among equals.
    pub priority: i32,
    /// It needs no code.
    pub automatic: bool,
    /// Uses of one person.
    pub per_person: Option<i32>,
    pub per_order: i32,
    /// Uses in one day of the shop.
    pub per_day: Option<i32>,
    /// Uses, and the lock under which those of a person are counted; none where nothing about uses is limited.
    pub pool: Option<PoolId>,
    /// Minor units of discount.
    pub budget_pool: Option<PoolId>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// A code that is given to somebody ends so many days later.
    pub valid_days: Option<i32>,
    pub on_repeat_card: OnRepeatCard,
    pub created_at: DateTime<Utc>,
    pub paused_at: Option<DateTime<Utc>>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Campaign {
    /// It was paused, and may go on.
    pub fn is_resting(&self) -> bool {
        self.paused_at.is_some() && self.archived_at.is_none()
    }
}

/// The capacity of a pool that limits nothing, and is there for its lock.
pub const UNLIMITED: i64 = i64::MAX / 4;

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = coupon_campaigns)]
struct CampaignRow {
    id: CampaignId,
    code: String,
    name_zh: String,
    name_en: String,
    class: Class,
    benefit: Value,
    scope: Value,
    conditions: Value,
    combines_with: Vec<Class>,
    priority: i32,
    automatic: bool,
    per_person: Option<i32>,
    per_order: i32,
    per_day: Option<i32>,
    pool_id: Option<PoolId>,
    budget_pool_id: Option<PoolId>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    valid_days: Option<i32>,
    on_repeat_card: OnRepeatCard,
    created_at: DateTime<Utc>,
    paused_at: Option<DateTime<Utc>>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<CampaignRow> for Campaign {
    type Error = AppError;

    fn try_from(row: CampaignRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            class: row.class,
            benefit: serde_json::from_value(row.benefit).map_err(AppError::internal)?,
            scope: serde_json::from_value(row.scope).map_err(AppError::internal)?,
            conditions: serde_json::from_value(row.conditions).map_err(AppError::internal)?,
            combines_with: row.combines_with,
            priority: row.priority,
            automatic: row.automatic,
            per_person: row.per_person,
            per_order: row.per_order,
            per_day: row.per_day,
            pool: row.pool_id,
            budget_pool: row.budget_pool_id,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            valid_days: row.valid_days,
            on_repeat_card: row.on_repeat_card,
            created_at: row.created_at,
            paused_at: row.paused_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

fn json(rule: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(rule).map_err(AppError::internal)
}

fn row_of(campaign: &Campaign) -> Result<CampaignRow> {
    Ok(CampaignRow {
        id: campaign.id,
        code: campaign.code.clone(),
        name_zh: campaign.names.zh.clone(),
        name_en: campaign.names.en.clone(),
        class: campaign.class,
        benefit: json(&campaign.benefit)?,
        scope: json(&campaign.scope)?,
        conditions: json(&campaign.conditions)?,
        combines_with: campaign.combines_with.clone(),
        priority: campaign.priority,
        automatic: campaign.automatic,
        per_person: campaign.per_person,
        per_order: campaign.per_order,
        per_day: campaign.per_day,
        pool_id: campaign.pool,
        budget_pool_id: campaign.budget_pool,
        starts_at: campaign.starts_at,
        ends_at: campaign.ends_at,
        valid_days: campaign.valid_days,
        on_repeat_card: campaign.on_repeat_card,
        created_at: campaign.created_at,
        paused_at: campaign.paused_at,
        archived_at: campaign.archived_at,
        version: campaign.version,
    })
}

fn read(rows: Vec<CampaignRow>) -> Result<Vec<Campaign>> {
    rows.into_iter().map(Campaign::try_from).collect()
}

/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[CampaignId]) -> Result<Vec<Campaign>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query =
        coupon_campaigns::table.filter(coupon_campaigns::id.eq_any(ids)).select(CampaignRow::as_select());
    read(query.load(&mut conn).await?)
}

/// Those that need no code and aren't archived.
///
/// # Errors
/// The database's.
pub async fn automatic(mut conn: &Conn) -> Result<Vec<Campaign>> {
    let query = coupon_campaigns::table
        .filter(coupon_campaigns::automatic)
        .filter(coupon_campaigns::archived_at.is_null())
        .order(coupon_campaigns::id)
        .select(CampaignRow::as_select());
    read(query.load(&mut conn).await?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: CampaignId) -> Result<Option<Campaign>> {
    Ok(load(conn, &[id]).await?.pop())
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, code: &str) -> Result<Option<Campaign>> {
    let query =
        coupon_campaigns::table.filter(coupon_campaigns::code.eq(code)).select(CampaignRow::as_select());
    query.first(conn).await.optional()?.map(Campaign::try_from).transpose()
}

/// Locks a campaign that is to be changed, until the transaction ends; its pools are locked after it.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: CampaignId) -> Result<Option<Campaign>> {
    let query = coupon_campaigns::table.find(id).for_no_key_update().select(CampaignRow::as_select());
    query.first(conn).await.optional()?.map(Campaign::try_from).transpose()
}

/// A page of campaigns, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Campaign>> {
    let query = coupon_campaigns::table
        .filter(coupon_campaigns::id.lt(CampaignId(page.before)))
        .order(coupon_campaigns::id.desc())
        .limit(page.fetch())
        .select(CampaignRow::as_select());
    read(query.load(conn).await?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, campaign: &Campaign) -> Result<()> {
    diesel::insert_into(coupon_campaigns::table).values(row_of(campaign)?).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a locked campaign.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, campaign: &Campaign) -> Result<()> {
    let row = row_of(campaign)?;
    diesel::update(coupon_campaigns::table.find(campaign.id))
        .set((
            coupon_campaigns::name_zh.eq(row.name_zh),
            coupon_campaigns::name_en.eq(row.name_en),
            coupon_campaigns::benefit.eq(row.benefit),
            coupon_campaigns::scope.eq(row.scope),
            coupon_campaigns::conditions.eq(row.conditions),
            coupon_campaigns::combines_with.eq(row.combines_with),
            coupon_campaigns::priority.eq(row.priority),
            coupon_campaigns::per_person.eq(row.per_person),
            coupon_campaigns::per_order.eq(row.per_order),
            coupon_campaigns::per_day.eq(row.per_day),
            coupon_campaigns::starts_at.eq(row.starts_at),
            coupon_campaigns::ends_at.eq(row.ends_at),
            coupon_campaigns::valid_days.eq(row.valid_days),
            coupon_campaigns::on_repeat_card.eq(row.on_repeat_card),
            coupon_campaigns::paused_at.eq(row.paused_at),
            coupon_campaigns::archived_at.eq(row.archived_at),
            coupon_campaigns::version.eq(row.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn insert_pool(conn: &mut Conn, id: PoolId, kind: &str, capacity: i64) -> Result<()> {
    diesel::insert_into(pools::table)
        .values((pools::id.eq(id), pools::kind.eq(kind), pools::capacity.eq(capacity)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Sets how much a locked pool can take.
///
/// # Errors
/// The database's; `pools_within_capacity` where more is held or taken than that.
pub async fn set_capacity(conn: &mut Conn, pool: PoolId, capacity: i64) -> Result<()> {
    diesel::update(pools::table.find(pool)).set(pools::capacity.eq(capacity)).execute(conn).await?;
    Ok(())
}

/// The pool of a campaign's uses on one day: its id follows from both, so that whoever comes first that day makes it.
pub fn day_pool(campaign: CampaignId, day: NaiveDate) -> PoolId {
    PoolId(Uuid::new_v5(&campaign.0, day.to_string().as_bytes()))
}

/// Makes the pools of that day for the campaigns that limit their uses a day, where they aren't there yet.
///
/// # Errors
/// The database's.
pub async fn open_day(conn: &mut Conn, campaigns: &[&Campaign], day: NaiveDate) -> Result<()> {
    let limited: Vec<_> =
        campaigns.iter().filter_map(|one| Some((one.id, i64::from(one.per_day?)))).collect();
    if limited.is_empty() {
        return Ok(());
    }
    let pools_of_day: Vec<_> = limited
        .iter()
        .map(|(campaign, capacity)| {
            let id = day_pool(*campaign, day);
            (pools::id.eq(id), pools::kind.eq("coupon_day"), pools::capacity.eq(*capacity))
        })
        .collect();
    diesel::insert_into(pools::table).values(pools_of_day).on_conflict_do_nothing().execute(conn).await?;
    let days: Vec<_> = limited
        .iter()
        .map(|(campaign, _)| {
            let pool = day_pool(*campaign, day);
            (coupon_days::campaign_id.eq(*campaign), coupon_days::day.eq(day), coupon_days::pool_id.eq(pool))
        })
        .collect();
    diesel::insert_into(coupon_days::table).values(days).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// Pools of days that have begun, by campaign.
///
/// # Errors
/// The database's.
pub async fn days_of(conn: &mut Conn, campaign: CampaignId) -> Result<Vec<(NaiveDate, PoolId)>> {
    let query = coupon_days::table.filter(coupon_days::campaign_id.eq(campaign));
    Ok(query.select((coupon_days::day, coupon_days::pool_id)).load(conn).await?)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Bool)]
    is_there: bool,
}

/// Does nothing that is sold now lie in its scope? What can be said without prices.
///
/// # Errors
/// The database's.
pub async fn matches_nothing(conn: &mut Conn, campaign: &Campaign) -> Result<bool> {
    let scope = &campaign.scope;
    let is_named = |length: usize| length > 0;
    let of_goods =
        is_named(scope.products.len()) || is_named(scope.variants.len()) || is_named(scope.categories.len());
    let of_plans = is_named(scope.plans.len()) || is_named(scope.tiers.len());
    if !of_goods && !of_plans {
        return Ok(false);
    }
    let sql = "SELECT EXISTS (SELECT FROM variants v JOIN products p ON p.id = v.product_id
                              WHERE v.archived_at IS NULL AND p.archived_at IS NULL
                                AND (p.id = ANY($1) OR v.id = ANY($2) OR p.category = ANY($3)))
                   OR EXISTS (SELECT FROM plans p JOIN tiers t ON t.id = p.tier_id
                              WHERE p.archived_at IS NULL AND (p.id = ANY($4) OR t.code = ANY($5))) AS is_there";
    let found: Found = diesel::sql_query(sql)
        .bind::<Array<SqlUuid>, _>(&scope.products)
        .bind::<Array<SqlUuid>, _>(&scope.variants)
        .bind::<Array<Text>, _>(&scope.categories)
        .bind::<Array<SqlUuid>, _>(&scope.plans)
        .bind::<Array<Text>, _>(&scope.tiers)
        .get_result(conn)
        .await?;
    Ok(!found.is_there)
}

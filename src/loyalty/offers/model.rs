//! Rows of upgrade offers, and of who was told of them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::loyalty::metrics::rules::Criteria;
use crate::schema::upgrade_offers;
use crate::types::id::{AccountId, PlanId, PoolId, TierId, UpgradeOfferId};
use crate::types::locale::Names;
use crate::{batch_insert, statement};

/// Another price of a plan, for members of a lower tier. Its limits are the capacities of its pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeOffer {
    pub id: UpgradeOfferId,
    pub code: String,
    pub names: Names,
    /// None: of any lower tier.
    pub from_tier: Option<TierId>,
    pub plan: PlanId,
    /// Stands where the plan's price stood.
    pub price_minor: i64,
    pub criteria: Criteria,
    /// Uses, and the lock under which those of a person are counted.
    pub pool: PoolId,
    /// Minor units that the uses take off together.
    pub budget_pool: PoolId,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Who becomes entitled is told by mail.
    pub mails: bool,
    /// In the round of mails that is under way: accounts up to here have been looked at.
    pub walked_to: Option<Uuid>,
    /// The last round was over then.
    pub walked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = upgrade_offers)]
struct Row {
    id: UpgradeOfferId,
    code: String,
    name_zh: String,
    name_en: String,
    from_tier_id: Option<TierId>,
    plan_id: PlanId,
    price_minor: i64,
    criteria: Value,
    pool_id: PoolId,
    budget_pool_id: PoolId,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    mails: bool,
    walked_to: Option<Uuid>,
    walked_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<Row> for UpgradeOffer {
    type Error = AppError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            from_tier: row.from_tier_id,
            plan: row.plan_id,
            price_minor: row.price_minor,
            criteria: serde_json::from_value(row.criteria).map_err(AppError::internal)?,
            pool: row.pool_id,
            budget_pool: row.budget_pool_id,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            mails: row.mails,
            walked_to: row.walked_to,
            walked_at: row.walked_at,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

fn read(rows: Vec<Row>) -> Result<Vec<UpgradeOffer>> {
    rows.into_iter().map(UpgradeOffer::try_from).collect()
}

/// # Errors
/// `code_taken`; the database's.
pub async fn insert(conn: &mut Conn, of: &UpgradeOffer) -> Result<()> {
    let row = Row {
        id: of.id,
        code: of.code.clone(),
        name_zh: of.names.zh.clone(),
        name_en: of.names.en.clone(),
        from_tier_id: of.from_tier,
        plan_id: of.plan,
        price_minor: of.price_minor,
        criteria: serde_json::to_value(&of.criteria).map_err(AppError::internal)?,
        pool_id: of.pool,
        budget_pool_id: of.budget_pool,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        mails: of.mails,
        walked_to: of.walked_to,
        walked_at: of.walked_at,
        created_at: of.created_at,
        archived_at: of.archived_at,
        version: of.version,
    };
    diesel::insert_into(upgrade_offers::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[UpgradeOfferId]) -> Result<Vec<UpgradeOffer>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let query = upgrade_offers::table.filter(upgrade_offers::id.eq_any(ids)).select(Row::as_select());
    read(query.load(&mut conn).await?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: UpgradeOfferId) -> Result<Option<UpgradeOffer>> {
    Ok(load(conn, &[id]).await?.pop())
}

/// The offer of this id or code.
///
/// # Errors
/// The database's.
pub async fn named(conn: &mut Conn, name: &str) -> Result<Option<UpgradeOffer>> {
    if let Ok(id) = name.parse() {
        return find(conn, id).await;
    }
    let query = upgrade_offers::table.filter(upgrade_offers::code.eq(name)).select(Row::as_select());
    query.first(conn).await.optional()?.map(UpgradeOffer::try_from).transpose()
}

/// Locks an offer until the transaction ends; its pools are locked after it.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: UpgradeOfferId) -> Result<Option<UpgradeOffer>> {
    let query = upgrade_offers::table.find(id).for_no_key_update().select(Row::as_select());
    query.first(conn).await.optional()?.map(UpgradeOffer::try_from).transpose()
}

/// Offers that are open now, of one plan or of all, the cheapest first.
///
/// # Errors
/// The database's.
pub async fn open(conn: &mut Conn, plan: Option<PlanId>, now: DateTime<Utc>) -> Result<Vec<UpgradeOffer>> {
    let mut query = upgrade_offers::table
        .filter(upgrade_offers::archived_at.is_null())
        .filter(upgrade_offers::starts_at.le(now))
        .filter(upgrade_offers::ends_at.gt(now))
        .order((upgrade_offers::price_minor, upgrade_offers::id))
        .select(Row::as_select())
        .into_boxed();
    if let Some(plan) = plan {
        query = query.filter(upgrade_offers::plan_id.eq(plan));
    }
    read(query.load(conn).await?)
}

/// A page of offers, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<UpgradeOffer>> {
    let query = upgrade_offers::table
        .filter(upgrade_offers::id.lt(UpgradeOfferId(page.before)))
        .order(upgrade_offers::id.desc())
        .limit(page.fetch())
        .select(Row::as_select());
    read(query.load(conn).await?)
}

/// Writes what can change of a locked offer.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &UpgradeOffer) -> Result<()> {
    diesel::update(upgrade_offers::table.find(of.id))
        .set((
            upgrade_offers::name_zh.eq(&of.names.zh),
            upgrade_offers::name_en.eq(&of.names.en),
            upgrade_offers::ends_at.eq(of.ends_at),
            upgrade_offers::mails.eq(of.mails),
            upgrade_offers::archived_at.eq(of.archived_at),
            upgrade_offers::version.eq(of.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes how far the mails of a locked offer are.
///
/// # Errors
/// The database's.
pub async fn set_walked(
    conn: &mut Conn,
    id: UpgradeOfferId,
    to: Option<AccountId>,
    at: Option<DateTime<Utc>>,
) -> Result<()> {
    diesel::update(upgrade_offers::table.find(id))
        .set((upgrade_offers::walked_to.eq(to.map(|to| to.0)), upgrade_offers::walked_at.eq(at)))
        .execute(conn)
        .await?;
    Ok(())
}

batch_insert! {
    /// An account was told of an offer.
    pub struct NewTelling as TellingColumns into "upgrade_offer_tellings" {
        offer_id: UpgradeOfferId => SqlUuid,
        account_id: AccountId => SqlUuid,
        told_at: DateTime<Utc> => Timestamptz,
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: AccountId,
}

statement! {
    struct Untold = "SELECT a.id FROM accounts a JOIN memberships m ON m.account_id = a.id AND m.state = 'active'
            JOIN tiers t ON t.id = m.tier_id
        WHERE a.erased_at IS NULL AND a.marketing AND a.email_verified_at IS NOT NULL AND a.id > "
        [after: Uuid => SqlUuid] " AND (m.ends_at IS NULL OR m.ends_at > "
        [now: DateTime<Utc> => Timestamptz] ") AND t.rank < (SELECT h.rank FROM upgrade_offers o
                JOIN plans p ON p.id = o.plan_id JOIN tiers h ON h.id = p.tier_id WHERE o.id = "
        [offer: UpgradeOfferId => SqlUuid] ") AND m.tier_id = coalesce("
        [from_tier: Option<TierId> => Nullable<SqlUuid>] ", m.tier_id)
          AND NOT EXISTS (SELECT FROM mail_opt_outs l WHERE l.account_id = a.id AND l.list = 'notices')
          AND NOT EXISTS (SELECT FROM upgrade_offer_tellings x WHERE x.offer_id = $3 AND x.account_id = a.id)
          AND NOT EXISTS (SELECT FROM upgrade_offer_uses u
              WHERE u.offer_id = $3 AND u.released_at IS NULL AND u.account_id = a.id)
          AND NOT EXISTS (SELECT FROM upgrade_offer_uses u
              WHERE u.offer_id = $3 AND u.released_at IS NULL AND u.person_key = a.person_key)
        ORDER BY a.id LIMIT "
        [limit: i64 => BigInt] ""
}

/// The next accounts, after `after`, whose membership the offer might be for and who may be told of it: they
/// accept news, have neither used it nor been told. Whether they are entitled isn't asked here.
///
/// # Errors
/// The database's.
pub async fn untold(
    conn: &mut Conn,
    of: &UpgradeOffer,
    after: Uuid,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<AccountId>> {
    let query = Untold { after, now, offer: of.id, from_tier: of.from_tier, limit };
    let rows: Vec<Found> = query.load(conn).await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

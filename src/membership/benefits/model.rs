//! Rows of benefits.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::Gives;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::benefits;
use crate::types::id::{BenefitId, CampaignId, LevelId, TierId, VariantId};
use crate::types::locale::Names;
use crate::types::period::Term;

/// Who gets a benefit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenBy {
    /// Who has a membership of it.
    Tier(TierId),
    /// Who stands on it, member or not.
    Level(LevelId),
}

/// Something that members of a tier get, or who stands on a level.
#[derive(Clone, Debug, PartialEq)]
pub struct Benefit {
    pub id: BenefitId,
    pub given_by: GivenBy,
    /// A stable word for programs, such as `service_channel`: one a tier.
    pub kind: String,
    pub gives: Gives,
    pub names: Names,
    /// Its period; none: what is allowed is allowed once a person.
    pub every: Option<Term>,
    /// How often in a period; none: as often as one likes.
    pub allowed: Option<i64>,
    /// Of a coupon.
    pub campaign_id: Option<CampaignId>,
    /// Of an article; a bundle's too.
    pub variant_id: Option<VariantId>,
    /// Of a service what one use is worth, of free shipping the most that it takes off.
    pub value_minor: Option<i64>,
    /// Also while somebody tries the membership.
    pub in_trial: bool,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Benefit {
    pub fn tier(&self) -> Option<TierId> {
        match self.given_by {
            GivenBy::Tier(tier) => Some(tier),
            GivenBy::Level(_) => None,
        }
    }

    pub fn level(&self) -> Option<LevelId> {
        match self.given_by {
            GivenBy::Level(level) => Some(level),
            GivenBy::Tier(_) => None,
        }
    }

    /// So often, whatever the membership and however many follow each other.
    pub fn is_once(&self) -> bool {
        self.every.is_none() && self.allowed.is_some()
    }
}

#[derive(Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = benefits)]
struct BenefitRow {
    id: BenefitId,
    tier_id: Option<TierId>,
    kind: String,
    gives: Gives,
    name_zh: String,
    name_en: String,
    every: Option<String>,
    allowed: Option<i64>,
    campaign_id: Option<CampaignId>,
    variant_id: Option<VariantId>,
    value_minor: Option<i64>,
    in_trial: bool,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
    level_id: Option<LevelId>,
}

impl TryFrom<BenefitRow> for Benefit {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: BenefitRow) -> Result<Self> {
        let every = row.every.map(|every| every.parse()).transpose();
        let given_by = row.tier_id.map(GivenBy::Tier).or(row.level_id.map(GivenBy::Level));
        Ok(Self {
            id: row.id,
            given_by: given_by.ok_or_else(|| AppError::internal("a benefit of nobody"))?,
            kind: row.kind,
            gives: row.gives,
            names: Names { zh: row.name_zh, en: row.name_en },
            every: every.map_err(AppError::internal)?,
            allowed: row.allowed,
            campaign_id: row.campaign_id,
            variant_id: row.variant_id,
            value_minor: row.value_minor,
            in_trial: row.in_trial,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

fn benefits_of(rows: Vec<BenefitRow>) -> Result<Vec<Benefit>> {
    rows.into_iter().map(Benefit::try_from).collect()
}

/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[BenefitId]) -> Result<Vec<Benefit>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = benefits::table.filter(benefits::id.eq_any(ids));
    benefits_of(found.select(BenefitRow::as_select()).load(&mut conn).await?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: BenefitId) -> Result<Option<Benefit>> {
    Ok(load(conn, &[id]).await?.pop())
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: BenefitId) -> Result<Option<Benefit>> {
    let row = benefits::table.find(id).for_no_key_update().select(BenefitRow::as_select());
    row.first(conn).await.optional()?.map(Benefit::try_from).transpose()
}

/// All that isn't archived, in the order in which it was made.
///
/// # Errors
/// The database's.
pub async fn on_offer(conn: &mut Conn) -> Result<Vec<Benefit>> {
    let live = benefits::table.filter(benefits::archived_at.is_null()).order(benefits::id);
    benefits_of(live.select(BenefitRow::as_select()).load(conn).await?)
}

/// What a tier gives now, in the order in which it was made.
///
/// # Errors
/// The database's.
pub async fn of_tier(conn: &mut Conn, tier: TierId) -> Result<Vec<Benefit>> {
    of_tiers(conn, &[tier]).await
}

/// What these tiers give now, in the order in which it was made.
///
/// # Errors
/// The database's.
pub async fn of_tiers(conn: &mut Conn, tiers: &[TierId]) -> Result<Vec<Benefit>> {
    let live =
        benefits::table.filter(benefits::tier_id.eq_any(tiers)).filter(benefits::archived_at.is_null());
    benefits_of(live.order(benefits::id).select(BenefitRow::as_select()).load(conn).await?)
}

/// What these levels give now, in the order in which it was made.
///
/// # Errors
/// The database's.
pub async fn of_levels(conn: &mut Conn, levels: &[LevelId]) -> Result<Vec<Benefit>> {
    if levels.is_empty() {
        return Ok(Vec::new());
    }
    let live =
        benefits::table.filter(benefits::level_id.eq_any(levels)).filter(benefits::archived_at.is_null());
    benefits_of(live.order(benefits::id).select(BenefitRow::as_select()).load(conn).await?)
}

/// What is of the same kind as one of these, by whomever it is given; these among them.
///
/// # Errors
/// The database's.
pub async fn with_rivals(mut conn: &Conn, ids: &[BenefitId]) -> Result<Vec<Benefit>> {
    let named = load(conn, ids).await?;
    let kinds: Vec<_> = named.iter().map(|benefit| benefit.kind.clone()).collect();
    if kinds.is_empty() {
        return Ok(named);
    }
    let rivals = benefits::table
        .filter(benefits::kind.eq_any(kinds))
        .filter(benefits::id.ne_all(ids))
        .filter(benefits::archived_at.is_null());
    let rivals =
        benefits_of(rivals.order(benefits::id).select(BenefitRow::as_select()).load(&mut conn).await?)?;
    Ok(named.into_iter().chain(rivals).collect())
}

/// What takes something off a parcel now, of any tier or level.
///
/// # Errors
/// The database's.
pub async fn free_shipping(mut conn: &Conn) -> Result<Vec<Benefit>> {
    let live = benefits::table
        .filter(benefits::gives.eq(Gives::FreeShipping))
        .filter(benefits::archived_at.is_null());
    benefits_of(live.order(benefits::id).select(BenefitRow::as_select()).load(&mut conn).await?)
}

/// A page of all of them, or of a tier's or a level's, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, of: Option<GivenBy>, page: Page) -> Result<Vec<Benefit>> {
    let mut query = benefits::table
        .filter(benefits::id.lt(BenefitId(page.before)))
        .order(benefits::id.desc())
        .limit(page.fetch())
        .select(BenefitRow::as_select())
        .into_boxed();
    query = match of {
        None => query,
        Some(GivenBy::Tier(tier)) => query.filter(benefits::tier_id.eq(tier)),
        Some(GivenBy::Level(level)) => query.filter(benefits::level_id.eq(level)),
    };
    benefits_of(query.load(conn).await?)
}

/// # Errors
/// `code_taken` where the tier has one of this kind.
pub async fn insert(conn: &mut Conn, benefit: &Benefit) -> Result<()> {
    let row = BenefitRow {
        id: benefit.id,
        tier_id: benefit.tier(),
        kind: benefit.kind.clone(),
        gives: benefit.gives,
        name_zh: benefit.names.zh.clone(),
        name_en: benefit.names.en.clone(),
        every: benefit.every.map(|every| every.to_string()),
        allowed: benefit.allowed,
        campaign_id: benefit.campaign_id,
        variant_id: benefit.variant_id,
        value_minor: benefit.value_minor,
        in_trial: benefit.in_trial,
        created_at: benefit.created_at,
        archived_at: benefit.archived_at,
        version: benefit.version,
        level_id: benefit.level(),
    };
    diesel::insert_into(benefits::table).values(row).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a locked one.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, benefit: &Benefit) -> Result<()> {
    diesel::update(benefits::table.find(benefit.id))
        .set((
            benefits::name_zh.eq(&benefit.names.zh),
            benefits::name_en.eq(&benefit.names.en),
            benefits::allowed.eq(benefit.allowed),
            benefits::value_minor.eq(benefit.value_minor),
            benefits::in_trial.eq(benefit.in_trial),
            benefits::archived_at.eq(benefit.archived_at),
            benefits::version.eq(benefit.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

//! Rows of give-outs, their rounds, and who took one.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{claim_codes, give_out_claims, give_out_rounds, give_outs, pools};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, CampaignId, CouponId, GiveOutId, PoolId, TreatCodeId, TreatId};
use crate::types::stored::stored_enum;

/// Coupons of a campaign for whoever comes first.
#[derive(Clone, Debug, PartialEq)]
pub struct GiveOut {
    pub id: GiveOutId,
    /// By which people name it.
    pub code: String,
    /// What of: a campaign, or a treat.
    pub campaign_id: Option<CampaignId>,
    pub treat_id: Option<TreatId>,
    pub audience: Audience,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// None: one round from the start to the end.
    pub every_minutes: Option<i32>,
    pub per_round: i64,
    /// Of one person, over all rounds; one in a round.
    pub per_person: i32,
    /// What taking one costs.
    pub points: Option<i64>,
    pub created_at: DateTime<Utc>,
    /// An operator ended it.
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = give_outs)]
struct GiveOutRow {
    id: GiveOutId,
    code: String,
    campaign_id: Option<CampaignId>,
    treat_id: Option<TreatId>,
    audience: Value,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    every_minutes: Option<i32>,
    per_round: i64,
    per_person: i32,
    points: Option<i64>,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<GiveOutRow> for GiveOut {
    type Error = AppError;

    fn try_from(row: GiveOutRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            campaign_id: row.campaign_id,
            treat_id: row.treat_id,
            audience: serde_json::from_value(row.audience).map_err(AppError::internal)?,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            every_minutes: row.every_minutes,
            per_round: row.per_round,
            per_person: row.per_person,
            points: row.points,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

stored_enum! {
    /// What people come to by a code.
    ClaimKind {
        GiveOut = "give_out",
        Game = "game",
        Packet = "packet",
        Chain = "chain",
    }
}

/// Takes a code for something that people claim: all of them share one namespace.
///
/// # Errors
/// `code_taken`
pub async fn take_code(conn: &mut Conn, code: &str, kind: ClaimKind) -> Result<()> {
    let row = (claim_codes::code.eq(code), claim_codes::kind.eq(kind));
    diesel::insert_into(claim_codes::table).values(row).execute(conn).await?;
    Ok(())
}

/// What a code is of.
///
/// # Errors
/// The database's.
pub async fn kind_of(conn: &mut Conn, code: &str) -> Result<Option<ClaimKind>> {
    Ok(claim_codes::table.find(code).select(claim_codes::kind).first(conn).await.optional()?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, of: &GiveOut) -> Result<()> {
    let row = GiveOutRow {
        id: of.id,
        code: of.code.clone(),
        campaign_id: of.campaign_id,
        treat_id: of.treat_id,
        audience: serde_json::to_value(&of.audience).map_err(AppError::internal)?,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        every_minutes: of.every_minutes,
        per_round: of.per_round,
        per_person: of.per_person,
        points: of.points,
        created_at: of.created_at,
        ended_at: of.ended_at,
    };
    take_code(conn, &of.code, ClaimKind::GiveOut).await?;
    diesel::insert_into(give_outs::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, code: &str) -> Result<Option<GiveOut>> {
    let query = give_outs::table.filter(give_outs::code.eq(code)).select(GiveOutRow::as_select());
    query.first(conn).await.optional()?.map(GiveOut::try_from).transpose()
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: GiveOutId) -> Result<Option<GiveOut>> {
    let query = give_outs::table.find(id).select(GiveOutRow::as_select());
    query.first(conn).await.optional()?.map(GiveOut::try_from).transpose()
}

/// A page of give-outs, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<GiveOut>> {
    let rows: Vec<GiveOutRow> = give_outs::table
        .filter(give_outs::id.lt(GiveOutId(page.before)))
        .order(give_outs::id.desc())
        .limit(page.fetch())
        .select(GiveOutRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(GiveOut::try_from).collect()
}

/// Ends a give-out that hasn't been ended: false where it was.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, id: GiveOutId, now: DateTime<Utc>) -> Result<bool> {
    let open = give_outs::table.find(id).filter(give_outs::ended_at.is_null());
    Ok(diesel::update(open).set(give_outs::ended_at.eq(now)).execute(conn).await? == 1)
}

/// The pool of a round: its id follows from both, so that whoever comes first makes it.
pub fn round_pool(of: GiveOutId, round_at: DateTime<Utc>) -> PoolId {
    PoolId(Uuid::new_v5(&of.0, round_at.to_rfc3339().as_bytes()))
}

/// Makes the pool of a round where it isn't there yet.
///
/// # Errors
/// The database's.
pub async fn open_round(conn: &mut Conn, of: &GiveOut, round_at: DateTime<Utc>) -> Result<PoolId> {
    let pool = round_pool(of.id, round_at);
    diesel::insert_into(pools::table)
        .values((pools::id.eq(pool), pools::kind.eq("give_out"), pools::capacity.eq(of.per_round)))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    diesel::insert_into(give_out_rounds::table)
        .values((
            give_out_rounds::give_out_id.eq(of.id),
            give_out_rounds::starts_at.eq(round_at),
            give_out_rounds::pool_id.eq(pool),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(pool)
}

/// Somebody took one.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = give_out_claims)]
pub struct NewClaim {
    pub id: Uuid,
    pub give_out_id: GiveOutId,
    pub round_at: DateTime<Utc>,
    pub account_id: AccountId,
    pub person_key: String,
    pub nth: i32,
    pub coupon_id: Option<CouponId>,
    pub treat_code_id: Option<TreatCodeId>,
    pub created_at: DateTime<Utc>,
}

/// # Errors
/// The database's.
pub async fn insert_claim(conn: &mut Conn, claim: &NewClaim) -> Result<()> {
    diesel::insert_into(give_out_claims::table).values(claim).execute(conn).await?;
    Ok(())
}

/// What a claim brought: a coupon, or one of a treat. Requests of long ago named the coupon instead of the claim.
///
/// # Errors
/// The database's.
pub async fn find_claim(
    conn: &mut Conn,
    id: Uuid,
) -> Result<Option<(Option<CouponId>, Option<TreatCodeId>)>> {
    let named = give_out_claims::id.eq(id).or(give_out_claims::coupon_id.eq(CouponId(id)));
    let query = give_out_claims::table.filter(named);
    let query = query.select((give_out_claims::coupon_id, give_out_claims::treat_code_id));
    Ok(query.first(conn).await.optional()?)
}

/// What a person took, over all accounts: the beginnings of the rounds.
///
/// # Errors
/// The database's.
pub async fn taken_by(
    conn: &mut Conn,
    of: GiveOutId,
    account: AccountId,
    person: &str,
) -> Result<Vec<DateTime<Utc>>> {
    Ok(give_out_claims::table
        .filter(give_out_claims::give_out_id.eq(of))
        .filter(give_out_claims::account_id.eq(account).or(give_out_claims::person_key.eq(person)))
        .select(give_out_claims::round_at)
        .load(conn)
        .await?)
}

//! Rows of codes, and of the jobs that make many of them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{coupon_issues, coupon_uses, coupons};
use crate::types::id::{AccountId, CampaignId, CouponId, CouponIssueId};

/// Coupons of one account that a quote tries.
const USABLE_MAX: i64 = 20;

/// One code of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = coupons)]
pub struct Coupon {
    pub id: CouponId,
    pub campaign_id: CampaignId,
    /// As it is compared.
    pub code: String,
    /// As it was written, of a shared one.
    pub label: Option<String>,
    /// It may be used as often as its campaign allows; any other once.
    pub is_shared: bool,
    /// Whose it is; none: whoever has the code.
    pub account_id: Option<AccountId>,
    pub issue_id: Option<CouponIssueId>,
    /// Exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Coupon {
    /// The code as people are shown it.
    pub fn shown(&self) -> &str {
        self.label.as_deref().unwrap_or(&self.code)
    }
}

batch_insert! {
    /// A code that is made now.
    pub struct NewCoupon as CouponColumns into "coupons" {
        id: CouponId => SqlUuid,
        campaign_id: CampaignId => SqlUuid,
        code: String => Text,
        label: Option<String> => Nullable<Text>,
        is_shared: bool => Bool,
        account_id: Option<AccountId> => Nullable<SqlUuid>,
        issue_id: Option<CouponIssueId> => Nullable<SqlUuid>,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// Codes that are made together.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = coupon_issues)]
pub struct Issue {
    pub id: CouponIssueId,
    pub campaign_id: CampaignId,
    pub quantity: i64,
    /// So many are there.
    pub made: i64,
    pub prefix: String,
    /// Random letters of a code.
    pub length: i32,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// Codes by their text, as it is stored.
///
/// # Errors
/// The database's.
pub async fn find(mut conn: &Conn, codes: &[String]) -> Result<Vec<Coupon>> {
    if codes.is_empty() {
        return Ok(Vec::new());
    }
    let query = coupons::table.filter(coupons::code.eq_any(codes)).select(Coupon::as_select());
    Ok(query.load(&mut conn).await?)
}

/// Locks codes that are used once, in id order, after the pools: nobody else uses them meanwhile. As they stand under the
/// lock.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, ids: &[CouponId]) -> Result<Vec<Coupon>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(coupons::table
        .filter(coupons::id.eq_any(ids))
        .order(coupons::id)
        .for_no_key_update()
        .select(Coupon::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn by_id(conn: &mut Conn, id: CouponId) -> Result<Option<Coupon>> {
    Ok(coupons::table.find(id).select(Coupon::as_select()).first(conn).await.optional()?)
}

/// A page of a campaign's codes, newest first.
///
/// # Errors
/// The database's.
pub async fn of_campaign(conn: &mut Conn, campaign: CampaignId, page: Page) -> Result<Vec<Coupon>> {
    Ok(coupons::table
        .filter(coupons::campaign_id.eq(campaign))
        .filter(coupons::id.lt(CouponId(page.before)))
        .order(coupons::id.desc())
        .limit(page.fetch())
        .select(Coupon::as_select())
        .load(conn)
        .await?)
}

/// A page of what is an account's own, newest first.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<Coupon>> {
    Ok(coupons::table
        .filter(coupons::account_id.eq(account))
        .filter(coupons::id.lt(CouponId(page.before)))
        .order(coupons::id.desc())
        .limit(page.fetch())
        .select(Coupon::as_select())
        .load(conn)
        .await?)
}

/// Codes of an account's own that it might use now, the ones that end first before others.
///
/// # Errors
/// The database's.
pub async fn usable(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<Vec<String>> {
    Ok(coupons::table
        .filter(coupons::account_id.eq(account))
        .filter(coupons::revoked_at.is_null())
        .filter(coupons::expires_at.is_null().or(coupons::expires_at.gt(now)))
        .filter(diesel::dsl::not(diesel::dsl::exists(
            coupon_uses::table
                .filter(coupon_uses::coupon_id.eq(coupons::id.nullable()))
                .filter(coupon_uses::is_single)
                .filter(coupon_uses::released_at.is_null()),
        )))
        .order((coupons::expires_at.asc().nulls_last(), coupons::id))
        .limit(USABLE_MAX)
        .select(coupons::code)
        .load(conn)
        .await?)
}

/// Codes that were made by one issue, or of a whole campaign, in the order in which they were made, from after `after`.
///
/// # Errors
/// The database's.
pub async fn to_export(
    conn: &mut Conn,
    campaign: CampaignId,
    issue: Option<CouponIssueId>,
    after: CouponId,
    limit: i64,
) -> Result<Vec<Coupon>> {
    let mut query = coupons::table
        .filter(coupons::campaign_id.eq(campaign))
        .filter(coupons::id.gt(after))
        .order(coupons::id)
        .limit(limit)
        .select(Coupon::as_select())
        .into_boxed();
    if let Some(issue) = issue {
        query = query.filter(coupons::issue_id.eq(issue));
    }
    Ok(query.load(conn).await?)
}

/// Which codes are to be revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    One(CouponId),
    Issue(CouponIssueId),
    All,
}

/// Revokes codes of a campaign that aren't revoked, at most so many. Orders that hold or used one keep it. How many.
///
/// # Errors
/// The database's.
pub async fn revoke(
    conn: &mut Conn,
    campaign: CampaignId,
    which: Which,
    most: i64,
    now: DateTime<Utc>,
) -> Result<usize> {
    let mut chosen = coupons::table
        .filter(coupons::campaign_id.eq(campaign))
        .filter(coupons::revoked_at.is_null())
        .limit(most)
        .select(coupons::id)
        .into_boxed();
    chosen = match which {
        Which::One(id) => chosen.filter(coupons::id.eq(id)),
        Which::Issue(id) => chosen.filter(coupons::issue_id.eq(id)),
        Which::All => chosen,
    };
    let ids: Vec<CouponId> = chosen.load(conn).await?;
    let found = coupons::table.filter(coupons::id.eq_any(ids)).filter(coupons::revoked_at.is_null());
    Ok(diesel::update(found).set(coupons::revoked_at.eq(now)).execute(conn).await?)
}

/// Revokes these coupons, which are locked. Orders that hold or used one keep it.
///
/// # Errors
/// The database's.
pub async fn revoke_these(conn: &mut Conn, ids: &[CouponId], now: DateTime<Utc>) -> Result<()> {
    let found = coupons::table.filter(coupons::id.eq_any(ids)).filter(coupons::revoked_at.is_null());
    diesel::update(found).set(coupons::revoked_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// Are there codes of it?
///
/// # Errors
/// The database's.
pub async fn any_of(conn: &mut Conn, campaign: CampaignId) -> Result<bool> {
    let query =
        coupons::table.filter(coupons::campaign_id.eq(campaign)).filter(coupons::revoked_at.is_null());
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// # Errors
/// The database's.
pub async fn insert_issue(conn: &mut Conn, issue: &Issue) -> Result<()> {
    diesel::insert_into(coupon_issues::table).values(issue).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_issue(conn: &mut Conn, id: CouponIssueId) -> Result<Option<Issue>> {
    Ok(coupon_issues::table.find(id).select(Issue::as_select()).first(conn).await.optional()?)
}

/// Locks an issue until the transaction ends: who else works on it waits.
///
/// # Errors
/// The database's.
pub async fn lock_issue(conn: &mut Conn, id: CouponIssueId) -> Result<Option<Issue>> {
    let query = coupon_issues::table.find(id).for_no_key_update().select(Issue::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// Locks the issues of a campaign, or one of them, by id, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_issues(
    conn: &mut Conn,
    campaign: CampaignId,
    one: Option<CouponIssueId>,
) -> Result<Vec<Issue>> {
    let of_campaign = coupon_issues::table.filter(coupon_issues::campaign_id.eq(campaign));
    let all = of_campaign.order(coupon_issues::id).for_no_key_update().select(Issue::as_select());
    Ok(match one {
        Some(one) => all.filter(coupon_issues::id.eq(one)).load(conn).await?,
        None => all.load(conn).await?,
    })
}

/// A page of a campaign's issues, newest first.
///
/// # Errors
/// The database's.
pub async fn issues_of(conn: &mut Conn, campaign: CampaignId, page: Page) -> Result<Vec<Issue>> {
    Ok(coupon_issues::table
        .filter(coupon_issues::campaign_id.eq(campaign))
        .filter(coupon_issues::id.lt(CouponIssueId(page.before)))
        .order(coupon_issues::id.desc())
        .limit(page.fetch())
        .select(Issue::as_select())
        .load(conn)
        .await?)
}

/// Writes how far a locked issue is.
///
/// # Errors
/// The database's.
pub async fn store_issue(conn: &mut Conn, issue: &Issue) -> Result<()> {
    diesel::update(coupon_issues::table.find(issue.id))
        .set((
            coupon_issues::made.eq(issue.made),
            coupon_issues::ended_at.eq(issue.ended_at),
            coupon_issues::revoked_at.eq(issue.revoked_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

//! Rows of mailings, and of who has got one.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Uuid as SqlUuid;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{accounts, coupon_mailings};
use crate::types::id::{AccountId, CampaignId, CouponId, MailingId, SegmentId};

/// Coupons of a campaign for everybody in a segment.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = coupon_mailings)]
pub struct Mailing {
    pub id: MailingId,
    pub campaign_id: CampaignId,
    pub segment_id: SegmentId,
    /// In the segment when it began.
    pub accounts: i64,
    pub given: i64,
    pub mailed: i64,
    /// Accounts before this one are still to come.
    pub before: Uuid,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

batch_insert! {
    /// An account has its coupon.
    pub struct NewRecipient as RecipientColumns into "coupon_mailing_accounts" {
        mailing_id: MailingId => SqlUuid,
        account_id: AccountId => SqlUuid,
        coupon_id: CouponId => SqlUuid,
    }
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, of: &Mailing) -> Result<()> {
    diesel::insert_into(coupon_mailings::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: MailingId) -> Result<Option<Mailing>> {
    Ok(coupon_mailings::table.find(id).select(Mailing::as_select()).first(conn).await.optional()?)
}

/// Locks a mailing until the transaction ends: who else works on it waits.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: MailingId) -> Result<Option<Mailing>> {
    let query = coupon_mailings::table.find(id).for_no_key_update().select(Mailing::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// A page of a campaign's mailings, newest first.
///
/// # Errors
/// The database's.
pub async fn of_campaign(conn: &mut Conn, campaign: CampaignId, page: Page) -> Result<Vec<Mailing>> {
    Ok(coupon_mailings::table
        .filter(coupon_mailings::campaign_id.eq(campaign))
        .filter(coupon_mailings::id.lt(MailingId(page.before)))
        .order(coupon_mailings::id.desc())
        .limit(page.fetch())
        .select(Mailing::as_select())
        .load(conn)
        .await?)
}

/// Writes how far a locked mailing is.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Mailing) -> Result<()> {
    diesel::update(coupon_mailings::table.find(of.id))
        .set((
            coupon_mailings::given.eq(of.given),
            coupon_mailings::mailed.eq(of.mailed),
            coupon_mailings::before.eq(of.before),
            coupon_mailings::ended_at.eq(of.ended_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Those of these accounts that accept news at an address that is theirs for certain.
///
/// # Errors
/// The database's.
pub async fn accept_news(conn: &mut Conn, ids: &[AccountId]) -> Result<HashSet<AccountId>> {
    let found: Vec<AccountId> = accounts::table
        .filter(accounts::id.eq_any(ids))
        .filter(accounts::marketing)
        .filter(accounts::email_verified_at.is_not_null())
        .select(accounts::id)
        .load(conn)
        .await?;
    Ok(found.into_iter().collect())
}

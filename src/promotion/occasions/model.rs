//! Rows of occasions, and of what was given on them.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::rules::{OccasionEvent, kept_on};
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{accounts, occasion_grants, occasions, orders};
use crate::types::id::{AccountId, CampaignId, CouponId, OccasionId, OrderId, PoolId};

/// A rule: whoever it happens to gets a coupon of this campaign.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = occasions)]
pub struct Occasion {
    pub id: OccasionId,
    pub event: OccasionEvent,
    /// Which order.
    pub nth: Option<i32>,
    pub campaign_id: CampaignId,
    /// Coupons in all, and the lock under which they are given.
    pub pool_id: PoolId,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// An operator ended it.
    pub ended_at: Option<DateTime<Utc>>,
}

batch_insert! {
    /// A coupon that is given for a cause.
    pub struct NewGrant as GrantColumns into "occasion_grants" {
        id: Uuid => SqlUuid,
        occasion_id: OccasionId => SqlUuid,
        account_id: AccountId => SqlUuid,
        person_key: String => Text,
        cause: String => Text,
        period: String => Text,
        coupon_id: CouponId => SqlUuid,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, of: &Occasion) -> Result<()> {
    diesel::insert_into(occasions::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: OccasionId) -> Result<Option<Occasion>> {
    Ok(occasions::table.find(id).select(Occasion::as_select()).first(conn).await.optional()?)
}

/// A page of rules, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Occasion>> {
    Ok(occasions::table
        .filter(occasions::id.lt(OccasionId(page.before)))
        .order(occasions::id.desc())
        .limit(page.fetch())
        .select(Occasion::as_select())
        .load(conn)
        .await?)
}

/// Rules of an event that count what happens now.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, event: OccasionEvent, now: DateTime<Utc>) -> Result<Vec<Occasion>> {
    Ok(occasions::table
        .filter(occasions::event.eq(event))
        .filter(occasions::ended_at.is_null())
        .filter(occasions::starts_at.le(now))
        .filter(occasions::ends_at.is_null().or(occasions::ends_at.gt(now)))
        .order(occasions::id)
        .select(Occasion::as_select())
        .load(conn)
        .await?)
}

/// Ends a rule that hasn't been ended: false where it was.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, id: OccasionId, now: DateTime<Utc>) -> Result<bool> {
    let open = occasions::table.find(id).filter(occasions::ended_at.is_null());
    Ok(diesel::update(open).set(occasions::ended_at.eq(now)).execute(conn).await? == 1)
}

/// Who was given one before: (account, person, period), of these accounts and people.
///
/// # Errors
/// The database's.
pub async fn given(
    conn: &mut Conn,
    of: OccasionId,
    accounts: &[AccountId],
    people: &[String],
) -> Result<Vec<(AccountId, String, String)>> {
    Ok(occasion_grants::table
        .filter(occasion_grants::occasion_id.eq(of))
        .filter(occasion_grants::account_id.eq_any(accounts).or(occasion_grants::person_key.eq_any(people)))
        .select((occasion_grants::account_id, occasion_grants::person_key, occasion_grants::period))
        .load(conn)
        .await?)
}

/// The n-th order that an account paid and kept, and when it was paid.
///
/// # Errors
/// The database's.
pub async fn nth_order(
    conn: &mut Conn,
    account: AccountId,
    nth: i32,
) -> Result<Option<(OrderId, Option<DateTime<Utc>>)>> {
    Ok(orders::table
        .filter(orders::account_id.eq(account))
        .filter(orders::state.eq_any(["paid", "fulfilled", "partly_refunded"]))
        .order((orders::paid_at, orders::id))
        .offset(i64::from(nth) - 1)
        .limit(1)
        .select((orders::id, orders::paid_at))
        .first(conn)
        .await
        .optional()?)
}

/// Verified accounts whose birthday is kept on that day, which begins then, that told it before that, and that were given nothing
/// for that year, by id, after `after`.
///
/// # Errors
/// The database's.
pub async fn birthdays(
    conn: &mut Conn,
    of: OccasionId,
    (day, begins_at): (NaiveDate, DateTime<Utc>),
    after: AccountId,
    limit: i64,
) -> Result<Vec<AccountId>> {
    let period = chrono::Datelike::year(&day).to_string();
    let given = occasion_grants::table
        .filter(occasion_grants::occasion_id.eq(of))
        .filter(occasion_grants::account_id.eq(accounts::id))
        .filter(occasion_grants::period.eq(period));
    Ok(accounts::table
        .filter(accounts::birthday.eq_any(kept_on(day)))
        .filter(accounts::birthday_set_at.is_null().or(accounts::birthday_set_at.lt(begins_at)))
        .filter(accounts::erased_at.is_null())
        .filter(accounts::is_guest.eq(false))
        .filter(accounts::email_verified_at.is_not_null())
        .filter(accounts::id.gt(after))
        .filter(diesel::dsl::not(diesel::dsl::exists(given)))
        .order(accounts::id)
        .limit(limit)
        .select(accounts::id)
        .load(conn)
        .await?)
}

//! Rows of whom a notice is for, and what became of each.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use super::model::Notice;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::membership::memberships::rules::GRACE;
use crate::people::segments::model as segments;
use crate::schema::notice_recipients;
use crate::types::id::{AccountId, NoticeId};
use crate::types::stored::stored_enum;

stored_enum! {
    RecipientState as "NoticeRecipientState" {
        Waiting = "waiting",
        /// The mail is in the outbox.
        Queued = "queued",
        Skipped = "skipped",
        /// The notice was cancelled before.
        Cancelled = "cancelled",
    }
}

stored_enum! {
    Skipped as "NoticeSkipped" {
        /// The member takes no announcements any more.
        OptedOut = "opted_out",
        /// Nothing of a list goes to the address.
        Suppressed = "suppressed",
        /// The member had as many notices in that month as anybody may have.
        Cap = "cap",
        /// The account was erased, or its address isn't verified any more.
        Gone = "gone",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = notice_recipients)]
pub struct Recipient {
    pub notice_id: NoticeId,
    pub account_id: AccountId,
    pub state: RecipientState,
    pub reason: Option<Skipped>,
    pub decided_at: Option<DateTime<Utc>>,
}

/// The next accounts that the notice is for by now, newest first, whoever takes announcements or not.
///
/// # Errors
/// The database's.
pub async fn audience(
    conn: &mut Conn,
    of: &Notice,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<AccountId>> {
    if let Some(segment) = of.segment_id {
        let segment = segments::find(conn, segment).await?.ok_or(Code::NotFound)?;
        return segments::page_of(conn, &segment, Page { limit: limit - 1, before: of.before }, now).await;
    }
    let rows: Vec<One> = diesel::sql_query(AUDIENCE)
        .bind::<Nullable<SqlUuid>, _>(of.tier_id)
        .bind::<Nullable<SqlUuid>, _>(of.chapter_id)
        .bind::<Timestamptz, _>(now - GRACE)
        .bind::<SqlUuid, _>(of.before)
        .bind::<BigInt, _>(limit)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.account_id).collect())
}

/// Members and their associates whose membership is open, in its grace too.
const AUDIENCE: &str = "
SELECT account_id FROM standings
WHERE (tier_id = $1 OR chapter_id = $2) AND state IN ('active', 'frozen')
  AND (state = 'frozen' OR ends_at IS NULL OR ends_at > $3) AND account_id < $4
ORDER BY account_id DESC LIMIT $5";

#[derive(QueryableByName)]
struct One {
    #[diesel(sql_type = SqlUuid)]
    account_id: AccountId,
}

/// Fixes those of the accounts that take announcements as recipients, each once: how many are new.
///
/// # Errors
/// The database's.
pub async fn fix(conn: &mut Conn, notice: NoticeId, accounts: &[AccountId]) -> Result<usize> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    Ok(diesel::sql_query(FIX).bind::<SqlUuid, _>(notice).bind::<Array<SqlUuid>, _>(ids).execute(conn).await?)
}

const FIX: &str = "
INSERT INTO notice_recipients (notice_id, account_id, state)
SELECT $1, a.id, 'waiting' FROM accounts a
WHERE a.id = ANY ($2) AND a.marketing AND a.email_verified_at IS NOT NULL AND a.erased_at IS NULL AND NOT a.is_guest
  AND NOT EXISTS (SELECT FROM mail_opt_outs o WHERE o.account_id = a.id AND o.list = 'notices')
  AND NOT EXISTS (SELECT FROM mail_suppressions s WHERE s.email_key = a.email_key)
ORDER BY a.id
ON CONFLICT DO NOTHING";

/// The next recipients who wait, taken until the transaction ends; those that another one has taken are skipped.
///
/// # Errors
/// The database's.
pub async fn take(conn: &mut Conn, notice: NoticeId, limit: i64) -> Result<Vec<AccountId>> {
    Ok(notice_recipients::table
        .filter(notice_recipients::notice_id.eq(notice))
        .filter(notice_recipients::state.eq(RecipientState::Waiting))
        .order(notice_recipients::account_id)
        .limit(limit)
        .select(notice_recipients::account_id)
        .for_update()
        .skip_locked()
        .load(conn)
        .await?)
}

/// Somebody who was taken, as he stands now.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Taken {
    #[diesel(sql_type = SqlUuid)]
    pub id: AccountId,
    #[diesel(sql_type = Text)]
    pub address: String,
    #[diesel(sql_type = Text)]
    pub locale: String,
    /// Why he gets nothing.
    #[diesel(sql_type = Nullable<Text>)]
    pub refused: Option<Skipped>,
}

/// How these accounts stand. They are locked.
///
/// # Errors
/// The database's.
pub async fn look_at(conn: &mut Conn, accounts: &[AccountId]) -> Result<Vec<Taken>> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    Ok(diesel::sql_query(LOOK_AT).bind::<Array<SqlUuid>, _>(ids).load(conn).await?)
}

const LOOK_AT: &str = "
SELECT a.id, coalesce(a.email, '') AS address, a.locale,
       CASE WHEN a.erased_at IS NOT NULL OR a.email IS NULL OR a.email_verified_at IS NULL THEN 'gone'
            WHEN NOT a.marketing OR EXISTS (SELECT FROM mail_opt_outs o WHERE o.account_id = a.id AND o.list = 'notices')
                THEN 'opted_out'
            WHEN EXISTS (SELECT FROM mail_suppressions s WHERE s.email_key = a.email_key) THEN 'suppressed' END AS refused
FROM accounts a WHERE a.id = ANY ($1) ORDER BY a.id";

/// Those of the accounts that may have one more notice in the month, each claimed by a guarded write: of two notices at once
/// the later one sees what the earlier one took.
///
/// # Errors
/// The database's.
pub async fn claim_month(
    conn: &mut Conn,
    accounts: &[AccountId],
    month: &str,
    cap: i32,
) -> Result<Vec<AccountId>> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let rows: Vec<One> = diesel::sql_query(CLAIM_MONTH)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Text, _>(month)
        .bind::<Integer, _>(cap)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|row| row.account_id).collect())
}

const CLAIM_MONTH: &str = "
INSERT INTO notice_months (account_id, month, taken, cap)
SELECT id, $2, 1, $3 FROM unnest($1) AS wanted (id) ORDER BY id
ON CONFLICT (account_id, month) DO UPDATE
SET taken = notice_months.taken + 1, cap = greatest(notice_months.cap, excluded.cap)
WHERE notice_months.taken < excluded.cap
RETURNING account_id";

/// Writes what became of recipients: queued where there is no reason against it.
///
/// # Errors
/// The database's.
pub async fn decide(
    conn: &mut Conn,
    notice: NoticeId,
    decided: &[(AccountId, Option<Skipped>)],
    month: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<Uuid> = decided.iter().map(|(id, _)| id.0).collect();
    let reasons: Vec<Option<Skipped>> = decided.iter().map(|(_, reason)| *reason).collect();
    diesel::sql_query(DECIDE)
        .bind::<SqlUuid, _>(notice)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Nullable<Text>>, _>(reasons)
        .bind::<Text, _>(month)
        .bind::<Timestamptz, _>(now)
        .execute(conn)
        .await?;
    Ok(())
}

const DECIDE: &str = "
UPDATE notice_recipients r
SET state = CASE WHEN d.reason IS NULL THEN 'queued' ELSE 'skipped' END, reason = d.reason,
    month = CASE WHEN d.reason IS NULL THEN $4 END, decided_at = $5
FROM unnest($2, $3) AS d (id, reason)
WHERE r.notice_id = $1 AND r.account_id = d.id AND r.state = 'waiting'";

/// Nobody waits any more: how many did.
///
/// # Errors
/// The database's.
pub async fn cancel(conn: &mut Conn, notice: NoticeId, now: DateTime<Utc>) -> Result<usize> {
    let waiting = notice_recipients::table
        .filter(notice_recipients::notice_id.eq(notice))
        .filter(notice_recipients::state.eq(RecipientState::Waiting));
    Ok(diesel::update(waiting)
        .set((notice_recipients::state.eq(RecipientState::Cancelled), notice_recipients::decided_at.eq(now)))
        .execute(conn)
        .await?)
}

/// A page of whom a notice is for, newest account first.
///
/// # Errors
/// The database's.
pub async fn page_of(conn: &mut Conn, notice: NoticeId, page: Page) -> Result<Vec<Recipient>> {
    Ok(notice_recipients::table
        .filter(notice_recipients::notice_id.eq(notice))
        .filter(notice_recipients::account_id.lt(AccountId(page.before)))
        .order(notice_recipients::account_id.desc())
        .limit(page.fetch())
        .select(Recipient::as_select())
        .load(conn)
        .await?)
}

/// What became of a notice's mails in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Outcome {
    #[diesel(sql_type = BigInt)]
    pub sent: i64,
    #[diesel(sql_type = BigInt)]
    pub failed: i64,
}

/// # Errors
/// The database's.
pub async fn outcome(conn: &mut Conn, notice: NoticeId) -> Result<Outcome> {
    Ok(diesel::sql_query(OUTCOME).bind::<SqlUuid, _>(notice).get_result(conn).await?)
}

const OUTCOME: &str = "
SELECT count(*) FILTER (WHERE m.state = 'sent') AS sent, count(*) FILTER (WHERE m.state = 'dead') AS failed
FROM notice_recipients r JOIN mails m ON m.cause = 'notice:ntc_' || replace(r.notice_id::text, '-', '')
    || ':acc_' || replace(r.account_id::text, '-', '')
WHERE r.notice_id = $1 AND r.state = 'queued'";

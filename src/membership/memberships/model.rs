//! Rows of memberships and terms. An account's membership changes only while its row in `accounts` is
//! locked by who calls, and its own row is locked too, since the job that closes it locks nothing else.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{chapter_choices, chapters, membership_terms, memberships, order_lines};
use crate::types::id::{AccountId, ChapterId, LineId, MembershipId, PlanId, TermId, TierId};
use crate::types::stored::stored_enum;
use crate::{batch_insert, statement};

stored_enum! {
    /// What is stored; what it means now is [`super::rules::Life`].
    Stored {
        Active = "active",
        Frozen = "frozen",
        Expired = "expired",
        Revoked = "revoked",
    }
}

stored_enum! {
    /// Where a term comes from.
    Source {
        /// It was bought: `line_id` says with which line.
        Order = "order",
        /// An operator gave it.
        Grant = "grant",
        /// An operator lengthened the membership.
        Extension = "extension",
        /// Somebody gave it: a gift says who.
        Gift = "gift",
        /// Some days for nothing, once a person.
        Trial = "trial",
    }
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = memberships)]
pub struct MembershipRow {
    pub id: MembershipId,
    pub account_id: AccountId,
    pub tier_id: TierId,
    /// The plan of the newest term; none where an operator made it without one.
    pub plan_id: Option<PlanId>,
    pub chapter_id: ChapterId,
    pub state: Stored,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; none is for life. The end of the last term.
    pub ends_at: Option<DateTime<Utc>>,
    pub frozen_at: Option<DateTime<Utc>>,
    /// Why it is frozen, each as [`super::rules::FreezeCause`] writes it.
    pub frozen_causes: Vec<String>,
    pub closed_at: Option<DateTime<Utc>>,
    pub version: i32,
    /// Time for which it was frozen, in seconds.
    pub rested_seconds: i64,
}

impl MembershipRow {
    /// Neither expired nor revoked yet: an account has at most one such.
    pub fn is_open(&self) -> bool {
        matches!(self.state, Stored::Active | Stored::Frozen)
    }
}

#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = membership_terms)]
pub struct TermRow {
    pub id: TermId,
    pub membership_id: MembershipId,
    pub account_id: AccountId,
    pub source: Source,
    pub line_id: Option<LineId>,
    pub tier_id: TierId,
    pub plan_id: Option<PlanId>,
    /// The n-th end = this + n periods.
    pub anchor_at: DateTime<Utc>,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; none is for life.
    pub ends_at: Option<DateTime<Utc>>,
    /// Money paid for it and credit used.
    pub value_minor: i64,
    pub value_from: DateTime<Utc>,
    /// Seconds from `value_from` to the end when the value was put in; none for life.
    pub value_seconds: Option<i64>,
    /// Ended before its time: by a refund, an upgrade, or with its revoked membership.
    pub ended_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// The part of the value that came from the terms that it replaced.
    pub credited_minor: i64,
    /// The term of the upgrade that ended it.
    pub replaced_by: Option<TermId>,
}

/// The open memberships of these accounts, in no order.
///
/// # Errors
/// The database's.
pub async fn open_of(mut conn: &Conn, accounts: &[AccountId]) -> Result<Vec<MembershipRow>> {
    Ok(memberships::table
        .filter(memberships::account_id.eq_any(accounts))
        .filter(memberships::state.eq_any([Stored::Active, Stored::Frozen]))
        .select(MembershipRow::as_select())
        .load(&mut conn)
        .await?)
}

/// All memberships of an account, newest first.
///
/// # Errors
/// The database's.
pub async fn all_of(conn: &mut Conn, account: AccountId) -> Result<Vec<MembershipRow>> {
    let own = memberships::table.filter(memberships::account_id.eq(account));
    Ok(own.order(memberships::id.desc()).select(MembershipRow::as_select()).load(conn).await?)
}

/// [`all_of`] of these accounts, locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock_all_of(mut conn: &Conn, accounts: &[AccountId]) -> Result<Vec<MembershipRow>> {
    Ok(memberships::table
        .filter(memberships::account_id.eq_any(accounts))
        .order((memberships::account_id, memberships::id.desc()))
        .for_no_key_update()
        .select(MembershipRow::as_select())
        .load(&mut conn)
        .await?)
}

/// Whose membership it is.
///
/// # Errors
/// The database's.
pub async fn account_of(conn: &mut Conn, id: MembershipId) -> Result<Option<AccountId>> {
    let row = memberships::table.find(id).select(memberships::account_id);
    Ok(row.first(conn).await.optional()?)
}

/// The terms of a membership that were not ended before their time, in order.
///
/// # Errors
/// The database's.
pub async fn terms_of(conn: &mut Conn, membership: MembershipId) -> Result<Vec<TermRow>> {
    Ok(membership_terms::table
        .filter(membership_terms::membership_id.eq(membership))
        .filter(membership_terms::ended_at.is_null())
        .order((membership_terms::starts_at, membership_terms::id))
        .select(TermRow::as_select())
        .load(conn)
        .await?)
}

/// All terms of a membership, those that were ended before their time too, in order.
///
/// # Errors
/// The database's.
pub async fn all_terms_of(conn: &Conn, membership: MembershipId) -> Result<Vec<TermRow>> {
    all_terms_among(conn, &[membership]).await
}

/// [`all_terms_of`] these memberships.
///
/// # Errors
/// The database's.
pub async fn all_terms_among(mut conn: &Conn, memberships: &[MembershipId]) -> Result<Vec<TermRow>> {
    Ok(membership_terms::table
        .filter(membership_terms::membership_id.eq_any(memberships))
        .order((membership_terms::starts_at, membership_terms::id))
        .select(TermRow::as_select())
        .load(&mut conn)
        .await?)
}

/// The terms that an upgrade's term replaced, in order, each with whether all that was paid for it went back.
///
/// # Errors
/// The database's.
pub async fn replaced_by(conn: &mut Conn, term: TermId) -> Result<Vec<(TermRow, bool)>> {
    let terms: Vec<TermRow> = membership_terms::table
        .filter(membership_terms::replaced_by.eq(term))
        .order((membership_terms::starts_at, membership_terms::id))
        .select(TermRow::as_select())
        .load(conn)
        .await?;
    let lines: Vec<_> = terms.iter().filter_map(|term| term.line_id).collect();
    let refunded: Vec<LineId> = order_lines::table
        .filter(order_lines::id.eq_any(lines))
        .filter(order_lines::total_minor.gt(0))
        .filter(order_lines::refunded_minor.eq(order_lines::total_minor))
        .select(order_lines::id)
        .load(conn)
        .await?;
    let is_refunded = |term: &TermRow| term.line_id.is_some_and(|line| refunded.contains(&line));
    Ok(terms.into_iter().map(|term| (term.clone(), is_refunded(&term))).collect())
}

/// What stays paid of these terms' own lines, by whatever means.
///
/// # Errors
/// The database's.
pub async fn stays_paid_minor(conn: &mut Conn, terms: &[TermRow]) -> Result<i64> {
    let lines: Vec<_> = terms.iter().filter_map(|term| term.line_id).collect();
    let stays: Vec<i64> = order_lines::table
        .filter(order_lines::id.eq_any(lines))
        .select(order_lines::total_minor - order_lines::refunded_minor)
        .load(conn)
        .await?;
    Ok(stays.into_iter().sum())
}

/// What went back of the lines behind a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct PaidBack {
    #[diesel(sql_type = SqlUuid)]
    pub term: TermId,
    /// Of its own line.
    #[diesel(sql_type = BigInt)]
    pub own_minor: i64,
    /// Since it was quoted, of the lines whose terms it replaced.
    #[diesel(sql_type = BigInt)]
    pub credited_minor: i64,
}

/// What money went back, or is on its way, of the lines behind these terms.
///
/// # Errors
/// The database's.
pub async fn paid_back(mut conn: &Conn, terms: &[TermRow]) -> Result<Vec<PaidBack>> {
    let bought: Vec<_> = terms.iter().filter(|term| term.value_minor > 0).map(|term| term.id).collect();
    if bought.is_empty() {
        return Ok(Vec::new());
    }
    Ok(WentBack { bought }.load(&mut conn).await?)
}

statement! {
    struct WentBack = "WITH RECURSIVE behind(term, began_at, id, line_id) AS (
    SELECT t.id, coalesce(q.created_at, t.created_at), t.id, t.line_id FROM membership_terms t
    LEFT JOIN order_lines l ON l.id = t.line_id LEFT JOIN upgrade_quotes q ON q.id = l.upgrade_quote_id
    WHERE t.id = ANY ("
    [bought: Vec<TermId> => Array<SqlUuid>] ")
    UNION ALL
    SELECT b.term, b.began_at, t.id, t.line_id FROM behind b JOIN membership_terms t ON t.replaced_by = b.id)
SELECT b.term, coalesce(sum(x.amount_minor) FILTER (WHERE b.id = b.term), 0)::bigint AS own_minor,
       coalesce(sum(x.amount_minor) FILTER (WHERE b.id <> b.term), 0)::bigint AS credited_minor
FROM behind b JOIN refund_lines x ON x.line_id = b.line_id JOIN refunds r ON r.id = x.refund_id
WHERE r.state <> 'failed' AND r.points IS NULL AND (b.id = b.term OR r.created_at > b.began_at)
GROUP BY b.term"
}

/// The term that a line was fulfilled with.
///
/// # Errors
/// The database's.
pub async fn term_of_line(conn: &mut Conn, line: LineId) -> Result<Option<TermRow>> {
    Ok(membership_terms::table
        .filter(membership_terms::line_id.eq(line))
        .select(TermRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// # Errors
/// The database's.
pub async fn find_term(conn: &mut Conn, id: TermId) -> Result<Option<TermRow>> {
    Ok(membership_terms::table.find(id).select(TermRow::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: MembershipId) -> Result<Option<MembershipRow>> {
    Ok(memberships::table.find(id).select(MembershipRow::as_select()).first(conn).await.optional()?)
}

batch_insert! {
    struct NewMembership as MembershipColumns into "memberships" {
        id: MembershipId => SqlUuid,
        account_id: AccountId => SqlUuid,
        tier_id: TierId => SqlUuid,
        plan_id: Option<PlanId> => Nullable<SqlUuid>,
        chapter_id: ChapterId => SqlUuid,
        state: &'static str => Text,
        starts_at: DateTime<Utc> => Timestamptz,
        ends_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        version: i32 => Integer,
    }
}

/// Enters memberships that begin: neither frozen nor closed.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, rows: impl IntoIterator<Item = &MembershipRow>) -> Result<()> {
    let row = |row: &MembershipRow| NewMembership {
        id: row.id,
        account_id: row.account_id,
        tier_id: row.tier_id,
        plan_id: row.plan_id,
        chapter_id: row.chapter_id,
        state: row.state.as_str(),
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        version: row.version,
    };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    NewMembership::insert(&mut &*conn, rows).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn insert_term(conn: &mut Conn, row: &TermRow) -> Result<()> {
    insert_terms(conn, [row]).await
}

batch_insert! {
    struct NewTerm as TermColumns into "membership_terms" {
        id: TermId => SqlUuid,
        membership_id: MembershipId => SqlUuid,
        account_id: AccountId => SqlUuid,
        source: &'static str => Text,
        line_id: Option<LineId> => Nullable<SqlUuid>,
        tier_id: TierId => SqlUuid,
        plan_id: Option<PlanId> => Nullable<SqlUuid>,
        anchor_at: DateTime<Utc> => Timestamptz,
        starts_at: DateTime<Utc> => Timestamptz,
        ends_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        value_minor: i64 => BigInt,
        value_from: DateTime<Utc> => Timestamptz,
        value_seconds: Option<i64> => Nullable<BigInt>,
        created_at: DateTime<Utc> => Timestamptz,
        credited_minor: i64 => BigInt,
    }
}

/// Enters new terms, which nothing has ended.
///
/// # Errors
/// The database's.
pub async fn insert_terms(conn: &mut Conn, rows: impl IntoIterator<Item = &TermRow>) -> Result<()> {
    let row = |row: &TermRow| NewTerm {
        id: row.id,
        membership_id: row.membership_id,
        account_id: row.account_id,
        source: row.source.as_str(),
        line_id: row.line_id,
        tier_id: row.tier_id,
        plan_id: row.plan_id,
        anchor_at: row.anchor_at,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        value_minor: row.value_minor,
        value_from: row.value_from,
        value_seconds: row.value_seconds,
        created_at: row.created_at,
        credited_minor: row.credited_minor,
    };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    NewTerm::insert(&mut &*conn, rows).await?;
    Ok(())
}

/// Writes what can change of a membership that is locked, and raises its version.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, row: &MembershipRow) -> Result<()> {
    diesel::update(memberships::table.filter(memberships::id.eq(row.id)))
        .set((
            memberships::tier_id.eq(row.tier_id),
            memberships::plan_id.eq(row.plan_id),
            memberships::state.eq(row.state),
            memberships::ends_at.eq(row.ends_at),
            memberships::frozen_at.eq(row.frozen_at),
            memberships::frozen_causes.eq(&row.frozen_causes),
            memberships::closed_at.eq(row.closed_at),
            memberships::rested_seconds.eq(row.rested_seconds),
            memberships::version.eq(memberships::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Raises the versions of open memberships of which one of these lines has made a term that isn't over, or was credited to an
/// upgrade: what was quoted for them no longer holds.
///
/// # Errors
/// The database's.
pub async fn raise_versions(conn: &mut Conn, lines: &[LineId], now: DateTime<Utc>) -> Result<()> {
    let counts = membership_terms::ended_at
        .is_null()
        .and(membership_terms::ends_at.is_null().or(membership_terms::ends_at.gt(now)))
        .or(membership_terms::replaced_by.is_not_null());
    let of_lines = membership_terms::table
        .filter(membership_terms::line_id.eq_any(lines))
        .filter(counts.assume_not_null())
        .select(membership_terms::membership_id);
    let touched = memberships::table
        .filter(memberships::id.eq_any(of_lines))
        .filter(memberships::state.eq_any([Stored::Active, Stored::Frozen]));
    diesel::update(touched).set(memberships::version.eq(memberships::version + 1)).execute(conn).await?;
    Ok(())
}

/// Writes what can change of a term.
///
/// # Errors
/// The database's.
pub async fn store_term(conn: &mut Conn, row: &TermRow) -> Result<()> {
    diesel::update(membership_terms::table.filter(membership_terms::id.eq(row.id)))
        .set((
            membership_terms::tier_id.eq(row.tier_id),
            membership_terms::anchor_at.eq(row.anchor_at),
            membership_terms::starts_at.eq(row.starts_at),
            membership_terms::ends_at.eq(row.ends_at),
            membership_terms::value_from.eq(row.value_from),
            membership_terms::ended_at.eq(row.ended_at),
            membership_terms::replaced_by.eq(row.replaced_by),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Closes an active membership if it ended at or before `ended_by`. One guarded write: of this job and a purchase that
/// extends the membership the later one sees what the earlier one did.
///
/// # Errors
/// The database's.
pub async fn close_if_ended_by(
    conn: &mut Conn,
    membership: MembershipId,
    ended_by: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let due = memberships::table
        .filter(memberships::id.eq(membership))
        .filter(memberships::state.eq(Stored::Active))
        .filter(memberships::ends_at.le(ended_by));
    let closed = diesel::update(due)
        .set((
            memberships::state.eq(Stored::Expired),
            memberships::closed_at.eq(now),
            memberships::version.eq(memberships::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(closed == 1)
}

/// # Errors
/// The database's.
pub async fn default_chapter(conn: &mut Conn) -> Result<ChapterId> {
    Ok(chapters::table.filter(chapters::is_default).select(chapters::id).first(conn).await?)
}

/// The chapter that an account chose before its first membership, while that takes people in.
///
/// # Errors
/// The database's.
pub async fn chosen_chapter(conn: &mut Conn, account: AccountId) -> Result<Option<ChapterId>> {
    Ok(chosen_chapters(conn, &[account]).await?.remove(&account))
}

/// [`chosen_chapter`] for many.
///
/// # Errors
/// The database's.
pub async fn chosen_chapters(
    mut conn: &Conn,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, ChapterId>> {
    let chosen = chapter_choices::table
        .inner_join(chapters::table)
        .filter(chapter_choices::account_id.eq_any(accounts))
        .filter(chapters::archived_at.is_null())
        .select((chapter_choices::account_id, chapters::id));
    Ok(chosen.load(&mut conn).await?.into_iter().collect())
}

/// The chapter of the account's newest membership.
///
/// # Errors
/// The database's.
pub async fn chapter_of(conn: &mut Conn, account: AccountId) -> Result<Option<ChapterId>> {
    let own = memberships::table.filter(memberships::account_id.eq(account)).order(memberships::id.desc());
    Ok(own.select(memberships::chapter_id).first(conn).await.optional()?)
}

/// Puts a locked membership into another chapter. What was quoted for it stays: its version doesn't change.
///
/// # Errors
/// The database's.
pub async fn set_chapter(conn: &mut Conn, membership: MembershipId, chapter: ChapterId) -> Result<()> {
    diesel::update(memberships::table.find(membership))
        .set(memberships::chapter_id.eq(chapter))
        .execute(conn)
        .await?;
    Ok(())
}

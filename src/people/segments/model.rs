//! Rows of segments and tags, and who is in a segment now.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::condition::Matches;
use super::rules::{Named, Rule};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{account_tags, accounts, levels, products, segment_accounts, segments, stages, tiers};
use crate::types::id::{AccountId, SegmentId};

/// People, listed or ruled.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub id: SegmentId,
    /// As audiences name it.
    pub code: String,
    pub name: String,
    /// None: a saved list.
    pub rule: Option<Rule>,
    pub created_at: DateTime<Utc>,
    /// From then on it means nobody.
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = segments)]
struct SegmentRow {
    id: SegmentId,
    code: String,
    name: String,
    rule: Option<Value>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<SegmentRow> for Segment {
    type Error = AppError;

    fn try_from(row: SegmentRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            name: row.name,
            rule: row.rule.map(serde_json::from_value).transpose().map_err(AppError::internal)?,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

fn stored(rule: Option<&Rule>) -> Result<Option<Value>> {
    rule.map(serde_json::to_value).transpose().map_err(AppError::internal)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, segment: &Segment) -> Result<()> {
    diesel::insert_into(segments::table)
        .values((
            segments::id.eq(segment.id),
            segments::code.eq(&segment.code),
            segments::name.eq(&segment.name),
            segments::kind.eq(if segment.rule.is_some() { "rule" } else { "list" }),
            segments::rule.eq(stored(segment.rule.as_ref())?),
            segments::created_at.eq(segment.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes what can change of a locked segment.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, segment: &Segment) -> Result<()> {
    diesel::update(segments::table.find(segment.id))
        .set((
            segments::name.eq(&segment.name),
            segments::rule.eq(stored(segment.rule.as_ref())?),
            segments::archived_at.eq(segment.archived_at),
            segments::version.eq(segment.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: SegmentId) -> Result<Option<Segment>> {
    let row: Option<SegmentRow> =
        segments::table.find(id).select(SegmentRow::as_select()).first(conn).await.optional()?;
    row.map(Segment::try_from).transpose()
}

/// The segment of this code; an archived one isn't found.
///
/// # Errors
/// The database's.
pub async fn by_code(conn: &mut Conn, code: &str) -> Result<Option<Segment>> {
    let query = segments::table.filter(segments::code.eq(code)).filter(segments::archived_at.is_null());
    let row: Option<SegmentRow> = query.select(SegmentRow::as_select()).first(conn).await.optional()?;
    row.map(Segment::try_from).transpose()
}

/// [`find`], locked until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: SegmentId) -> Result<Option<Segment>> {
    let query = segments::table.find(id).select(SegmentRow::as_select()).for_no_key_update();
    let row: Option<SegmentRow> = query.first(conn).await.optional()?;
    row.map(Segment::try_from).transpose()
}

/// A page of segments, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Segment>> {
    let rows: Vec<SegmentRow> = segments::table
        .filter(segments::id.lt(SegmentId(page.before)))
        .order(segments::id.desc())
        .limit(page.fetch())
        .select(SegmentRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Segment::try_from).collect()
}

/// Codes of all segments that aren't archived.
///
/// # Errors
/// The database's.
pub async fn codes(conn: &mut Conn) -> Result<BTreeSet<String>> {
    let codes: Vec<String> =
        segments::table.filter(segments::archived_at.is_null()).select(segments::code).load(conn).await?;
    Ok(codes.into_iter().collect())
}

type Query<'a> = accounts::BoxedQuery<'a, diesel::pg::Pg>;

/// Accounts of a segment that aren't erased.
fn accounts_in(segment: &Segment, now: DateTime<Utc>) -> Query<'static> {
    let live = accounts::table
        .into_boxed()
        .filter(accounts::erased_at.is_null())
        .filter(accounts::is_guest.eq(false));
    match &segment.rule {
        Some(rule) => live.filter(Matches::new(rule, now)),
        None => {
            let listed = segment_accounts::table
                .filter(segment_accounts::segment_id.eq(segment.id))
                .select(segment_accounts::account_id);
            live.filter(accounts::id.eq_any(listed))
        }
    }
}

/// Which of these segments each of these accounts is in now; unknown and archived ones hold nobody. One query a segment,
/// whatever the number of accounts.
///
/// # Errors
/// The database's.
pub async fn segments_of(
    mut conn: &Conn,
    codes: &BTreeSet<String>,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<HashMap<AccountId, Vec<String>>> {
    let mut found: HashMap<AccountId, Vec<String>> = HashMap::new();
    if codes.is_empty() || accounts.is_empty() {
        return Ok(found);
    }
    let rows: Vec<SegmentRow> = segments::table
        .filter(segments::code.eq_any(codes))
        .filter(segments::archived_at.is_null())
        .select(SegmentRow::as_select())
        .load(&mut conn)
        .await?;
    for row in rows {
        let segment = Segment::try_from(row)?;
        let inside: Vec<AccountId> = accounts_in(&segment, now)
            .filter(accounts::id.eq_any(accounts))
            .select(accounts::id)
            .load(&mut conn)
            .await?;
        for account in inside {
            found.entry(account).or_default().push(segment.code.clone());
        }
    }
    Ok(found)
}

/// How many are in it now.
///
/// # Errors
/// The database's.
pub async fn count(conn: &mut Conn, segment: &Segment, now: DateTime<Utc>) -> Result<i64> {
    Ok(accounts_in(segment, now).count().get_result(conn).await?)
}

/// A page of who is in it now, newest account first.
///
/// # Errors
/// The database's.
pub async fn page_of(
    conn: &mut Conn,
    segment: &Segment,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Vec<AccountId>> {
    Ok(accounts_in(segment, now)
        .filter(accounts::id.lt(AccountId(page.before)))
        .order(accounts::id.desc())
        .limit(page.fetch())
        .select(accounts::id)
        .load(conn)
        .await?)
}

/// Adds accounts to a saved list; who is on it stays.
///
/// # Errors
/// The database's.
pub async fn add(conn: &mut Conn, segment: SegmentId, accounts: &[AccountId]) -> Result<usize> {
    let row = |account: &AccountId| {
        (segment_accounts::segment_id.eq(segment), segment_accounts::account_id.eq(*account))
    };
    let rows: Vec<_> = accounts.iter().map(row).collect();
    Ok(diesel::insert_into(segment_accounts::table)
        .values(rows)
        .on_conflict_do_nothing()
        .execute(conn)
        .await?)
}

/// Takes an account off a saved list.
///
/// # Errors
/// The database's.
pub async fn remove(conn: &mut Conn, segment: SegmentId, account: AccountId) -> Result<bool> {
    let row = segment_accounts::table.find((segment, account));
    Ok(diesel::delete(row).execute(conn).await? == 1)
}

/// Those of these accounts that are there, each with its address's key.
///
/// # Errors
/// The database's.
pub async fn known_accounts(
    conn: &mut Conn,
    ids: &[AccountId],
    email_keys: &[String],
) -> Result<Vec<(AccountId, Option<String>)>> {
    Ok(accounts::table
        .filter(accounts::erased_at.is_null())
        .filter(accounts::is_guest.eq(false))
        .filter(accounts::id.eq_any(ids).or(accounts::email_key.eq_any(email_keys)))
        .select((accounts::id, accounts::email_key))
        .load(conn)
        .await?)
}

/// What of the named is there.
///
/// # Errors
/// The database's.
pub async fn known_names(conn: &mut Conn, named: &Named) -> Result<Named> {
    let tiers = tiers::table.filter(tiers::code.eq_any(&named.tiers)).select(tiers::code);
    let levels = levels::table.filter(levels::code.eq_any(&named.levels)).select(levels::code);
    let stages = stages::table.filter(stages::code.eq_any(&named.stages)).select(stages::code);
    let products = products::table.filter(products::id.eq_any(&named.products)).select(products::id);
    Ok(Named {
        tiers: tiers.load(conn).await?.into_iter().collect(),
        levels: levels.filter(levels::archived_at.is_null()).load(conn).await?.into_iter().collect(),
        stages: stages.filter(stages::archived_at.is_null()).load(conn).await?.into_iter().collect(),
        products: products.load(conn).await?.into_iter().collect(),
    })
}

/// An account's tags.
///
/// # Errors
/// The database's.
pub async fn tags(conn: &mut Conn, account: AccountId) -> Result<Vec<String>> {
    Ok(account_tags::table
        .filter(account_tags::account_id.eq(account))
        .order(account_tags::tag)
        .select(account_tags::tag)
        .load(conn)
        .await?)
}

/// Puts these tags in the place of an account's.
///
/// # Errors
/// The database's.
pub async fn set_tags(conn: &mut Conn, account: AccountId, tags: &BTreeSet<String>) -> Result<()> {
    let gone = account_tags::table
        .filter(account_tags::account_id.eq(account))
        .filter(account_tags::tag.ne_all(tags));
    diesel::delete(gone).execute(conn).await?;
    let rows: Vec<_> =
        tags.iter().map(|tag| (account_tags::account_id.eq(account), account_tags::tag.eq(tag))).collect();
    diesel::insert_into(account_tags::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// Removes an erased account from saved lists, with its tags.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let tags = account_tags::table.filter(account_tags::account_id.eq(account));
    diesel::delete(tags).execute(conn).await?;
    let listed = segment_accounts::table.filter(segment_accounts::account_id.eq(account));
    diesel::delete(listed).execute(conn).await?;
    Ok(())
}

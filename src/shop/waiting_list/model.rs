//! Rows of waiting lists. A line's two counters and its entries are written under the lock of the article's pool in the
//! drop.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::rules::{self, Need};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{f_codes, pools, waiting_entries, waiting_lines};
use crate::statement;
use crate::types::id::{AccountId, DropId, FCodeId, PoolId, VariantId, WaitingId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where somebody who waits stands.
    EntryState as "WaitingState" {
        Waiting = "waiting",
        /// A unit is set aside for him under a code of his own.
        Offered = "offered",
        /// He bought it.
        Taken = "taken",
        /// The offer's date passed, or he declined it: the unit went on to the next in line.
        Lapsed = "lapsed",
        /// He gave his place up.
        Left = "left",
        /// The drop ended, or he was passed over because he may have none of it any more.
        Closed = "closed",
    }
}

/// A place in a line.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = waiting_entries)]
pub struct Entry {
    pub id: WaitingId,
    #[diesel(column_name = drop_id)]
    pub drop: DropId,
    #[diesel(column_name = variant_id)]
    pub variant: VariantId,
    #[diesel(column_name = account_id)]
    pub account: AccountId,
    pub person_key: String,
    /// Counted from 1 for each line, and never given twice.
    pub place: i64,
    pub state: EntryState,
    #[diesel(column_name = f_code_id)]
    pub f_code: Option<FCodeId>,
    pub joined_at: DateTime<Utc>,
    pub offered_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Why he was passed over when it was his turn.
    pub passed_over_for: Option<String>,
}

/// Is anybody waiting for anything? Asked with every order of goods, so it has to be cheap.
///
/// # Errors
/// The database's.
pub async fn is_anybody_waiting(mut conn: &Conn) -> Result<bool> {
    let waiting = waiting_lines::table.filter(waiting_lines::waiting.gt(0));
    Ok(diesel::select(diesel::dsl::exists(waiting)).get_result(&mut conn).await?)
}

#[derive(QueryableByName)]
struct NeedRow {
    #[diesel(sql_type = SqlUuid)]
    drop_id: DropId,
    #[diesel(sql_type = SqlUuid)]
    variant_id: VariantId,
    #[diesel(sql_type = BigInt)]
    waiting: i64,
    #[diesel(sql_type = SqlUuid)]
    pool_id: PoolId,
    #[diesel(sql_type = BigInt)]
    of_one: i64,
    #[diesel(sql_type = BigInt)]
    free: i64,
}

/// What the lines of open drops that touch these pools need: a row a line and pool.
const NEEDS: &str = "WITH lines AS (
        SELECT l.drop_id, l.variant_id, l.waiting FROM waiting_lines l JOIN drops d ON d.id = l.drop_id
        WHERE l.waiting > 0 AND d.archived_at IS NULL AND d.closes_at > $2),
    needs AS (
        SELECT l.*, i.pool_id, 1::bigint AS of_one FROM lines l
            JOIN drop_items i ON i.drop_id = l.drop_id AND i.variant_id = l.variant_id
        UNION ALL SELECT l.*, v.pool_id, 1 FROM lines l
            JOIN variants v ON v.id = l.variant_id WHERE v.pool_id IS NOT NULL
        UNION ALL SELECT l.*, v.pool_id, b.quantity FROM lines l
            JOIN bundle_parts b ON b.bundle_id = l.variant_id JOIN variants v ON v.id = b.part_id
            WHERE v.pool_id IS NOT NULL)
    SELECT n.drop_id, n.variant_id, n.waiting, n.pool_id, n.of_one, p.capacity - p.held - p.taken AS free
    FROM needs n JOIN pools p ON p.id = n.pool_id
    WHERE (n.drop_id, n.variant_id) IN (SELECT drop_id, variant_id FROM needs WHERE pool_id = ANY($1))";

/// How much of each of these pools is kept back for people who wait. True for the rest of the transaction where the pools
/// are locked: who joins a line, and who gives something back, locks them too.
///
/// # Errors
/// The database's.
pub async fn reserved(mut conn: &Conn, pools: &[PoolId], now: DateTime<Utc>) -> Result<HashMap<PoolId, i64>> {
    if pools.is_empty() || !is_anybody_waiting(conn).await? {
        return Ok(HashMap::new());
    }
    let rows: Vec<NeedRow> = diesel::sql_query(NEEDS)
        .bind::<Array<SqlUuid>, _>(pools)
        .bind::<Timestamptz, _>(now)
        .load(&mut conn)
        .await?;
    let needs = rows.into_iter().map(|row| Need {
        line: (row.drop_id, row.variant_id),
        waiting: row.waiting,
        pool: row.pool_id,
        of_one: row.of_one,
        free: row.free,
    });
    Ok(rules::reserved(&needs.collect::<Vec<_>>()))
}

/// Lines in which somebody waits.
///
/// # Errors
/// The database's.
pub async fn lines(conn: &mut Conn) -> Result<Vec<(DropId, VariantId)>> {
    Ok(waiting_lines::table
        .filter(waiting_lines::waiting.gt(0))
        .order((waiting_lines::drop_id, waiting_lines::variant_id))
        .select((waiting_lines::drop_id, waiting_lines::variant_id))
        .load(conn)
        .await?)
}

/// How many wait in a line; its pool is locked.
///
/// # Errors
/// The database's.
pub async fn waiting_in(conn: &mut Conn, drop: DropId, variant: VariantId) -> Result<i64> {
    let count = waiting_lines::table.find((drop, variant)).select(waiting_lines::waiting);
    Ok(count.first(conn).await.optional()?.unwrap_or(0))
}

/// Makes one more place at the end of a line, whose pool is locked: the place, and how many then wait.
///
/// # Errors
/// The database's.
pub async fn next_place(conn: &mut Conn, drop: DropId, variant: VariantId) -> Result<(i64, i64)> {
    let first = (
        waiting_lines::drop_id.eq(drop),
        waiting_lines::variant_id.eq(variant),
        waiting_lines::waiting.eq(1),
        waiting_lines::last_place.eq(1),
    );
    Ok(diesel::insert_into(waiting_lines::table)
        .values(first)
        .on_conflict((waiting_lines::drop_id, waiting_lines::variant_id))
        .do_update()
        .set((
            waiting_lines::waiting.eq(waiting_lines::waiting + 1),
            waiting_lines::last_place.eq(waiting_lines::last_place + 1),
        ))
        .returning((waiting_lines::last_place, waiting_lines::waiting))
        .get_result(conn)
        .await?)
}

/// So many fewer wait; the line's pool is locked.
///
/// # Errors
/// The database's.
pub async fn shorten(conn: &mut Conn, drop: DropId, variant: VariantId, by: usize) -> Result<()> {
    let by = i64::try_from(by).map_err(crate::error::AppError::internal)?;
    diesel::update(waiting_lines::table.find((drop, variant)))
        .set(waiting_lines::waiting.eq(waiting_lines::waiting - by))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes a new entry; false where the person stands in the line, or has an offer, already.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, entry: &Entry) -> Result<bool> {
    let query = diesel::insert_into(waiting_entries::table).values(entry).on_conflict_do_nothing();
    Ok(query.execute(conn).await? == 1)
}

statement! {
    struct CloseTaken = "UPDATE waiting_entries e SET state = 'taken', ended_at = "
        [now: DateTime<Utc> => Timestamptz] " FROM f_codes f JOIN pools p ON p.id = f.pool_id \
         WHERE f.id = e.f_code_id AND p.taken > 0 AND e.state = 'offered' AND e.drop_id = "
        [drop: DropId => SqlUuid] " AND e.variant_id = " [variant: VariantId => SqlUuid] " AND (e.account_id = "
        [account: AccountId => SqlUuid] " OR e.person_key = " [person: String => Text] ")"
}

/// An offer that the person has bought doesn't keep him from waiting again.
///
/// # Errors
/// The database's.
pub async fn close_taken(
    conn: &mut Conn,
    (drop, variant): (DropId, VariantId),
    account: AccountId,
    person: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    CloseTaken { now, drop, variant, account, person: person.to_owned() }.execute(conn).await?;
    Ok(())
}

/// The first of a line, by place.
///
/// # Errors
/// The database's.
pub async fn first_of(conn: &mut Conn, drop: DropId, variant: VariantId, limit: i64) -> Result<Vec<Entry>> {
    Ok(waiting_entries::table
        .filter(waiting_entries::drop_id.eq(drop))
        .filter(waiting_entries::variant_id.eq(variant))
        .filter(waiting_entries::state.eq(EntryState::Waiting))
        .order(waiting_entries::place)
        .limit(limit)
        .select(Entry::as_select())
        .load(conn)
        .await?)
}

statement! {
    struct Offer = "UPDATE waiting_entries e SET state = 'offered', f_code_id = o.code, offered_at = "
        [now: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [entries: Vec<WaitingId> => Array<SqlUuid>] ", "
        [codes: Vec<FCodeId> => Array<SqlUuid>] ") AS o (id, code) WHERE e.id = o.id"
}

/// Links entries to the codes that are offered.
///
/// # Errors
/// The database's.
pub async fn offer(conn: &mut Conn, offers: &[(WaitingId, FCodeId)], now: DateTime<Utc>) -> Result<()> {
    let (entries, codes) = offers.iter().copied().unzip();
    Offer { now, entries, codes }.execute(conn).await?;
    Ok(())
}

/// Ends entries.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, ids: &[WaitingId], state: EntryState, now: DateTime<Utc>) -> Result<()> {
    diesel::update(waiting_entries::table.filter(waiting_entries::id.eq_any(ids)))
        .set((waiting_entries::state.eq(state), waiting_entries::ended_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

statement! {
    struct PassOver = "UPDATE waiting_entries e SET state = 'closed', passed_over_for = p.why, ended_at = "
        [now: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [entries: Vec<WaitingId> => Array<SqlUuid>] ", "
        [reasons: Vec<String> => Array<Text>] ") AS p (id, why) WHERE e.id = p.id"
}

/// Ends the entries of people who can have none, each with its reason.
///
/// # Errors
/// The database's.
pub async fn pass_over(
    conn: &mut Conn,
    passed: &[(WaitingId, &'static str)],
    now: DateTime<Utc>,
) -> Result<()> {
    if !passed.is_empty() {
        let (entries, reasons) = passed.iter().map(|(id, why)| (*id, (*why).to_owned())).unzip();
        PassOver { now, entries, reasons }.execute(conn).await?;
    }
    Ok(())
}

/// Everybody who still waits is told no more: the drop is over. How many.
///
/// # Errors
/// The database's.
pub async fn close(conn: &mut Conn, drop: DropId, variant: VariantId, now: DateTime<Utc>) -> Result<usize> {
    let waiting = waiting_entries::table
        .filter(waiting_entries::drop_id.eq(drop))
        .filter(waiting_entries::variant_id.eq(variant))
        .filter(waiting_entries::state.eq(EntryState::Waiting));
    Ok(diesel::update(waiting)
        .set((waiting_entries::state.eq(EntryState::Closed), waiting_entries::ended_at.eq(now)))
        .execute(conn)
        .await?)
}

/// The codes of offers have ended: `state` says whether their units were bought or went back.
///
/// # Errors
/// The database's.
pub async fn codes_ended(
    conn: &mut Conn,
    codes: &[FCodeId],
    state: EntryState,
    now: DateTime<Utc>,
) -> Result<()> {
    if codes.is_empty() {
        return Ok(());
    }
    let offered = waiting_entries::table
        .filter(waiting_entries::f_code_id.eq_any(codes))
        .filter(waiting_entries::state.eq_any([EntryState::Offered, EntryState::Taken]));
    diesel::update(offered)
        .set((waiting_entries::state.eq(state), waiting_entries::ended_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// An entry with what its owner wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub entry: Entry,
    /// How many stand before him, and himself; none where he doesn't wait.
    pub position: Option<i64>,
    pub offer: Option<Offered>,
}

/// The code of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// As it is stored.
    pub code: String,
    pub pool: PoolId,
    /// Exclusive.
    pub expires_at: DateTime<Utc>,
    pub held: i64,
    pub taken: i64,
}

type OfferedRow = (String, PoolId, DateTime<Utc>, i64, i64);

/// Gives entries their positions and offers.
async fn standings(conn: &mut Conn, entries: Vec<Entry>) -> Result<Vec<Standing>> {
    let codes: Vec<_> = entries.iter().filter_map(|entry| entry.f_code).collect();
    let rows: Vec<(FCodeId, OfferedRow)> = f_codes::table
        .inner_join(pools::table)
        .filter(f_codes::id.eq_any(codes))
        .select((
            f_codes::id,
            (f_codes::code, f_codes::pool_id, f_codes::expires_at, pools::held, pools::taken),
        ))
        .load(conn)
        .await?;
    let mut offers: HashMap<_, _> = rows
        .into_iter()
        .map(|(id, (code, pool, expires_at, held, taken))| {
            (id, Offered { code, pool, expires_at, held, taken })
        })
        .collect();
    let waiting: Vec<_> =
        entries.iter().filter(|entry| entry.state == EntryState::Waiting).map(|entry| entry.id).collect();
    let before = diesel::alias!(waiting_entries as others);
    let positions: Vec<(WaitingId, i64)> = if waiting.is_empty() {
        Vec::new()
    } else {
        waiting_entries::table
            .inner_join(
                before.on(before
                    .field(waiting_entries::drop_id)
                    .eq(waiting_entries::drop_id)
                    .and(before.field(waiting_entries::variant_id).eq(waiting_entries::variant_id))
                    .and(before.field(waiting_entries::state).eq(EntryState::Waiting))
                    .and(before.field(waiting_entries::place).le(waiting_entries::place))),
            )
            .filter(waiting_entries::id.eq_any(waiting))
            .group_by(waiting_entries::id)
            .select((waiting_entries::id, diesel::dsl::count_star()))
            .load(conn)
            .await?
    };
    let positions: HashMap<_, _> = positions.into_iter().collect();
    let standing = |entry: Entry| Standing {
        position: positions.get(&entry.id).copied(),
        offer: entry.f_code.and_then(|code| offers.remove(&code)),
        entry,
    };
    Ok(entries.into_iter().map(standing).collect())
}

/// A page of an account's entries, newest first.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<Standing>> {
    let entries = waiting_entries::table
        .filter(waiting_entries::account_id.eq(account))
        .filter(waiting_entries::id.lt(WaitingId(page.before)))
        .order(waiting_entries::id.desc())
        .limit(page.fetch())
        .select(Entry::as_select())
        .load(conn)
        .await?;
    standings(conn, entries).await
}

/// A page of a drop's entries, newest first; of one article where one is given.
///
/// # Errors
/// The database's.
pub async fn of_drop(
    conn: &mut Conn,
    drop: DropId,
    variant: Option<VariantId>,
    page: Page,
) -> Result<Vec<Standing>> {
    let mut query = waiting_entries::table
        .filter(waiting_entries::drop_id.eq(drop))
        .filter(waiting_entries::id.lt(WaitingId(page.before)))
        .order(waiting_entries::id.desc())
        .limit(page.fetch())
        .select(Entry::as_select())
        .into_boxed();
    if let Some(variant) = variant {
        query = query.filter(waiting_entries::variant_id.eq(variant));
    }
    let entries = query.load(conn).await?;
    standings(conn, entries).await
}

/// An account's entry.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, account: AccountId, id: WaitingId) -> Result<Option<Standing>> {
    let entry: Option<Entry> = waiting_entries::table
        .find(id)
        .filter(waiting_entries::account_id.eq(account))
        .select(Entry::as_select())
        .first(conn)
        .await
        .optional()?;
    Ok(standings(conn, entry.into_iter().collect()).await?.pop())
}

/// Nobody who was erased can be found by his address.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId, nobody: &str) -> Result<()> {
    diesel::update(waiting_entries::table.filter(waiting_entries::account_id.eq(account)))
        .set(waiting_entries::person_key.eq(nobody))
        .execute(conn)
        .await?;
    Ok(())
}

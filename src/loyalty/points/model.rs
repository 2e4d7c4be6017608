//! Rows of points: lots, entries, and the balances that both add up to.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::rules::{Balance, Lot, Movement, Purse};
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::loyalty::walks::service as walks;
use crate::schema::{points_balances, points_entries, points_lots};
use crate::statement;
use crate::types::id::{AccountId, OrderId, PointsEntryId, PointsLotId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// By what points were earned.
    LotKind as "PointsSource" {
        Order = "order",
        CheckIn = "check_in",
        Referral = "referral",
        Operator = "operator",
        /// A welcome to a level.
        Level = "level",
        /// A refund failed after other points had paid for what it took.
        Restored = "restored",
    }
}

stored_enum! {
    /// What an entry of the ledger is.
    EntryKind as "PointsEntryKind" {
        Earned = "earned",
        /// What was pending can be spent.
        Matured = "matured",
        Spent = "spent",
        /// What was spent is back in its lot.
        Returned = "returned",
        Expired = "expired",
        /// What they were earned by is gone.
        Reversed = "reversed",
        /// It isn't gone after all.
        Restored = "restored",
        /// What they were earned by is gone, and they were spent.
        Owed = "owed",
        /// Paid what was owed.
        Settled = "settled",
        /// An operator lets go what is owed.
        Forgiven = "forgiven",
    }
}

/// An entry of the ledger.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = points_entries)]
pub struct EntryRow {
    pub id: PointsEntryId,
    pub lot_id: Option<PointsLotId>,
    pub kind: EntryKind,
    pub pending: i64,
    pub active: i64,
    pub owed: i64,
    pub level: i64,
    pub order_id: Option<OrderId>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

batch_insert! {
    struct NewEntry as EntryColumns into "points_entries" {
        id: PointsEntryId => SqlUuid,
        account_id: AccountId => SqlUuid,
        lot_id: Option<PointsLotId> => Nullable<SqlUuid>,
        kind: &'static str => Text,
        cause: String => Text,
        pending: i64 => BigInt,
        active: i64 => BigInt,
        spent: i64 => BigInt,
        expired: i64 => BigInt,
        reversed: i64 => BigInt,
        owed: i64 => BigInt,
        level: i64 => BigInt,
        order_id: Option<OrderId> => Nullable<SqlUuid>,
        reason: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

batch_insert! {
    /// A lot to write.
    pub struct NewLot as LotColumns into "points_lots" {
        id: PointsLotId => SqlUuid,
        account_id: AccountId => SqlUuid,
        kind: &'static str => Text,
        cause: String => Text,
        order_id: Option<OrderId> => Nullable<SqlUuid>,
        points: i64 => BigInt,
        level_points: i64 => BigInt,
        pending: i64 => BigInt,
        active: i64 => BigInt,
        active_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// A lot as it is stored.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = points_lots)]
pub struct LotRow {
    pub id: PointsLotId,
    pub account_id: AccountId,
    pub kind: LotKind,
    pub order_id: Option<OrderId>,
    pub points: i64,
    pub level_points: i64,
    pub pending: i64,
    pub active: i64,
    pub spent: i64,
    pub expired: i64,
    pub reversed: i64,
    pub clawed_back: i64,
    pub level_reversed: i64,
    pub active_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl LotRow {
    /// As the rules see it.
    pub fn lot(&self) -> Lot {
        Lot {
            id: self.id,
            points: self.points,
            level_points: self.level_points,
            pending: self.pending,
            active: self.active,
            spent: self.spent,
            expired: self.expired,
            reversed: self.reversed,
            clawed_back: self.clawed_back,
            level_reversed: self.level_reversed,
            active_at: self.active_at,
            expires_at: self.expires_at,
        }
    }
}

statement! {
    struct Open = "INSERT INTO points_balances (account_id) SELECT one.account_id FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>]
        ") AS one (account_id) ORDER BY one.account_id ON CONFLICT DO NOTHING"
}

statement! {
    struct Move = "UPDATE points_balances AS b SET pending = b.pending + change.pending, \
         active = b.active + change.active, owed = b.owed + change.owed FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [pending: Vec<i64> => Array<BigInt>] ", "
        [active: Vec<i64> => Array<BigInt>] ", "
        [owed: Vec<i64> => Array<BigInt>]
        ") AS change (account_id, pending, active, owed) WHERE b.account_id = change.account_id"
}

statement! {
    struct Keep = "UPDATE points_lots AS l SET pending = change.pending, active = change.active, \
         spent = change.spent, expired = change.expired, reversed = change.reversed, \
         clawed_back = change.clawed_back, level_reversed = change.level_reversed, \
         active_at = change.active_at, expires_at = change.expires_at FROM UNNEST("
        [ids: Vec<PointsLotId> => Array<SqlUuid>] ", "
        [pending: Vec<i64> => Array<BigInt>] ", "
        [active: Vec<i64> => Array<BigInt>] ", "
        [spent: Vec<i64> => Array<BigInt>] ", "
        [expired: Vec<i64> => Array<BigInt>] ", "
        [reversed: Vec<i64> => Array<BigInt>] ", "
        [clawed_back: Vec<i64> => Array<BigInt>] ", "
        [level_reversed: Vec<i64> => Array<BigInt>] ", "
        [active_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [expires_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>]
        ") AS change (id, pending, active, spent, expired, reversed, clawed_back, level_reversed, active_at, \
         expires_at) WHERE l.id = change.id"
}

/// How accounts stand, without a lock. Who never had points isn't there.
///
/// # Errors
/// The database's.
pub async fn balances(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Balance>> {
    let rows = points_balances::table.filter(points_balances::account_id.eq_any(accounts));
    Ok(by_account(rows.load(conn).await?))
}

fn by_account(rows: Vec<(AccountId, i64, i64, i64)>) -> HashMap<AccountId, Balance> {
    let balance = |(id, pending, active, owed)| (id, Balance { pending, active, owed });
    rows.into_iter().map(balance).collect()
}

/// Locks accounts' points by account, after balances of store credit and before baskets; makes those that aren't there. With
/// each comes what it can spend.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Purse>> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    Open { accounts: accounts.to_vec() }.execute(conn).await?;
    let rows: Vec<(AccountId, i64, i64, i64)> = points_balances::table
        .filter(points_balances::account_id.eq_any(accounts))
        .order(points_balances::account_id)
        .for_no_key_update()
        .load(conn)
        .await?;
    with_lots(conn, by_account(rows)).await
}

/// [`lock`] for looking only.
///
/// # Errors
/// The database's.
pub async fn read(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Purse>> {
    let balances = balances(conn, accounts).await?;
    with_lots(conn, balances).await
}

async fn with_lots(
    conn: &mut Conn,
    balances: HashMap<AccountId, Balance>,
) -> Result<HashMap<AccountId, Purse>> {
    let accounts: Vec<_> = balances.keys().copied().collect();
    let mut purses: HashMap<_, _> =
        balances.into_iter().map(|(id, balance)| (id, Purse { balance, ..Purse::default() })).collect();
    let rows: Vec<LotRow> = points_lots::table
        .filter(points_lots::account_id.eq_any(accounts))
        .filter(points_lots::active.gt(0))
        .order((points_lots::account_id, points_lots::expires_at.asc().nulls_last(), points_lots::id))
        .select(LotRow::as_select())
        .load(conn)
        .await?;
    for row in rows {
        if let Some(purse) = purses.get_mut(&row.account_id) {
            purse.lots.push(row.lot());
        }
    }
    Ok(purses)
}

/// Lots by their ids.
///
/// # Errors
/// The database's.
pub async fn lots(conn: &mut Conn, ids: &[PointsLotId]) -> Result<Vec<LotRow>> {
    Ok(points_lots::table
        .filter(points_lots::id.eq_any(ids))
        .order(points_lots::id)
        .select(LotRow::as_select())
        .load(conn)
        .await?)
}

/// The lot of a cause.
///
/// # Errors
/// The database's.
pub async fn by_cause(conn: &mut Conn, cause: &str) -> Result<Option<LotRow>> {
    let query = points_lots::table.filter(points_lots::cause.eq(cause)).select(LotRow::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// A lot that somebody was given.
#[derive(Clone, Debug, Queryable)]
pub struct GivenLot {
    pub account_id: AccountId,
    pub cause: String,
    /// What of it still counts as earned.
    pub kept: i64,
    pub created_at: DateTime<Utc>,
}

/// The lots of one kind of these accounts.
///
/// # Errors
/// The database's.
pub async fn given_for(conn: &mut Conn, accounts: &[AccountId], kind: LotKind) -> Result<Vec<GivenLot>> {
    Ok(points_lots::table
        .filter(points_lots::account_id.eq_any(accounts))
        .filter(points_lots::kind.eq(kind))
        .order(points_lots::id)
        .select((
            points_lots::account_id,
            points_lots::cause,
            points_lots::points - points_lots::reversed - points_lots::clawed_back,
            points_lots::created_at,
        ))
        .load(conn)
        .await?)
}

/// The lots of these causes, each with its own.
///
/// # Errors
/// The database's.
pub async fn of_causes(conn: &mut Conn, causes: &[String]) -> Result<Vec<(PointsLotId, String)>> {
    Ok(points_lots::table
        .filter(points_lots::cause.eq_any(causes))
        .order(points_lots::id)
        .select((points_lots::id, points_lots::cause))
        .load(conn)
        .await?)
}

/// Which of these causes have a lot.
///
/// # Errors
/// The database's.
pub async fn known(conn: &mut Conn, causes: &[String]) -> Result<HashSet<String>> {
    let rows: Vec<String> = points_lots::table
        .filter(points_lots::cause.eq_any(causes))
        .select(points_lots::cause)
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Is there an entry of this cause?
///
/// # Errors
/// The database's.
pub async fn has_entry(conn: &mut Conn, cause: &str) -> Result<bool> {
    let known = points_entries::table.filter(points_entries::cause.eq(cause));
    Ok(diesel::select(diesel::dsl::exists(known)).get_result(conn).await?)
}

/// Why points move.
#[derive(Clone, Debug, Default)]
pub struct Why {
    /// With the lot the same cause never moves anything twice.
    pub cause: String,
    pub order: Option<OrderId>,
    /// As it is shown to whose points they are.
    pub reason: Option<String>,
}

/// What is to be written of many accounts' points, which are locked.
#[derive(Default)]
pub struct Writes {
    lots: Vec<NewLot>,
    entries: Vec<NewEntry>,
    kept: Vec<Lot>,
    moved: HashMap<AccountId, (i64, i64, i64)>,
}

impl Writes {
    /// A lot that a purse has earned.
    pub fn lot(&mut self, row: NewLot) {
        self.lots.push(row);
    }

    /// What a purse has moved since it was last asked.
    pub fn take(&mut self, account: AccountId, purse: &mut Purse, why: &Why, now: DateTime<Utc>) {
        for by in std::mem::take(&mut purse.moved) {
            let sum = self.moved.entry(account).or_default();
            *sum = (sum.0 + by.pending, sum.1 + by.active, sum.2 + by.owed);
            if let Some(lot) = purse.lots.iter().find(|lot| Some(lot.id) == by.lot) {
                self.kept.retain(|kept| kept.id != lot.id);
                self.kept.push(*lot);
            }
            self.entries.push(entry(account, &by, why, now));
        }
    }

    /// # Errors
    /// The database's; `points_balances_never_overdrawn` is the alarm that a rule was missed.
    pub async fn write(self, conn: &mut Conn) -> Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut change =
            Move { accounts: Vec::new(), pending: Vec::new(), active: Vec::new(), owed: Vec::new() };
        for (account, (pending, active, owed)) in self.moved {
            change.accounts.push(account);
            change.pending.push(pending);
            change.active.push(active);
            change.owed.push(owed);
        }
        change.execute(conn).await?;
        NewLot::insert(&mut &*conn, self.lots).await?;
        keep(self.kept).execute(conn).await?;
        let moved_levels = self
            .entries
            .iter()
            .filter(|entry| entry.level != 0)
            .map(|entry| (entry.account_id, entry.level < 0));
        let moved_levels: BTreeSet<_> = moved_levels.collect();
        let at = self.entries.as_slice().first().map(|entry| entry.created_at).unwrap_or_default();
        NewEntry::insert(&mut &*conn, self.entries).await?;
        for went_back in [false, true] {
            let of = moved_levels.iter().filter(|(_, back)| *back == went_back).map(|(account, _)| *account);
            walks::touched(conn, &of.collect::<Vec<_>>(), went_back, at).await?;
        }
        Ok(())
    }
}

fn keep(lots: Vec<Lot>) -> Keep {
    let column = |of: fn(&Lot) -> i64| lots.iter().map(of).collect();
    Keep {
        ids: lots.iter().map(|lot| lot.id).collect(),
        pending: column(|lot| lot.pending),
        active: column(|lot| lot.active),
        spent: column(|lot| lot.spent),
        expired: column(|lot| lot.expired),
        reversed: column(|lot| lot.reversed),
        clawed_back: column(|lot| lot.clawed_back),
        level_reversed: column(|lot| lot.level_reversed),
        active_at: lots.iter().map(|lot| lot.active_at).collect(),
        expires_at: lots.iter().map(|lot| lot.expires_at).collect(),
    }
}

fn entry(account: AccountId, by: &Movement, why: &Why, now: DateTime<Utc>) -> NewEntry {
    NewEntry {
        id: PointsEntryId::new(),
        account_id: account,
        lot_id: by.lot,
        kind: by.kind.as_str(),
        cause: why.cause.clone(),
        pending: by.pending,
        active: by.active,
        spent: by.spent,
        expired: by.expired,
        reversed: by.reversed,
        owed: by.owed,
        level: by.level,
        order_id: why.order,
        reason: why.reason.clone(),
        created_at: now,
    }
}

/// What an order has paid with points and not got back: whose they were, and so many of each lot, the last spent first.
///
/// # Errors
/// The database's.
pub async fn paid_by(conn: &mut Conn, order: OrderId) -> Result<Vec<(AccountId, PointsLotId, i64)>> {
    let rows: Vec<(AccountId, Option<PointsLotId>, i64)> = points_entries::table
        .filter(points_entries::order_id.eq(order))
        .filter(points_entries::kind.eq_any([EntryKind::Spent, EntryKind::Returned]))
        .order(points_entries::id)
        .select((points_entries::account_id, points_entries::lot_id, points_entries::spent))
        .load(conn)
        .await?;
    let mut sums: Vec<(AccountId, PointsLotId, i64)> = Vec::new();
    for (account, lot, spent) in rows {
        let Some(lot) = lot else { continue };
        match sums.iter_mut().find(|(_, known, _)| *known == lot) {
            Some((_, _, sum)) => *sum += spent,
            None => sums.push((account, lot, spent)),
        }
    }
    sums.retain(|(_, _, spent)| *spent > 0);
    sums.reverse();
    Ok(sums)
}

/// A page of an account's entries, the latest first.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<EntryRow>> {
    Ok(points_entries::table
        .filter(points_entries::account_id.eq(account))
        .filter(points_entries::id.lt(PointsEntryId(page.before)))
        .order(points_entries::id.desc())
        .limit(page.fetch())
        .select(EntryRow::as_select())
        .load(conn)
        .await?)
}

/// Lots of an account of which something is pending or can be spent.
///
/// # Errors
/// The database's.
pub async fn unspent(conn: &mut Conn, account: AccountId) -> Result<Vec<PointsLotId>> {
    Ok(points_lots::table
        .filter(points_lots::account_id.eq(account))
        .filter(points_lots::active.gt(0).or(points_lots::pending.gt(0)))
        .order(points_lots::id)
        .select(points_lots::id)
        .load(conn)
        .await?)
}

/// Lots whose time is over, of some accounts: whose they are.
///
/// # Errors
/// The database's.
pub async fn owners_of_expired(conn: &mut Conn, now: DateTime<Utc>, limit: i64) -> Result<Vec<AccountId>> {
    let mut owners: Vec<AccountId> = points_lots::table
        .filter(points_lots::active.gt(0))
        .filter(points_lots::expires_at.le(now))
        .order(points_lots::expires_at)
        .limit(limit)
        .select(points_lots::account_id)
        .load(conn)
        .await?;
    owners.sort_unstable();
    owners.dedup();
    Ok(owners)
}

/// What expires until then and nobody was told of: (lot, whose, points, when), the first first.
///
/// # Errors
/// The database's.
pub async fn unwarned(
    conn: &mut Conn,
    (now, until): (DateTime<Utc>, DateTime<Utc>),
    limit: i64,
) -> Result<Vec<(PointsLotId, AccountId)>> {
    Ok(points_lots::table
        .filter(points_lots::active.gt(0))
        .filter(points_lots::expires_at.gt(now))
        .filter(points_lots::expires_at.le(until))
        .filter(points_lots::warned_at.is_null())
        .order(points_lots::expires_at)
        .limit(limit)
        .select((points_lots::id, points_lots::account_id))
        .load(conn)
        .await?)
}

/// These accounts were told of what expires until then. Their points are locked.
///
/// # Errors
/// The database's.
pub async fn set_warned(
    conn: &mut Conn,
    accounts: &[AccountId],
    (now, until): (DateTime<Utc>, DateTime<Utc>),
) -> Result<()> {
    let told = points_lots::table
        .filter(points_lots::account_id.eq_any(accounts))
        .filter(points_lots::active.gt(0))
        .filter(points_lots::expires_at.gt(now))
        .filter(points_lots::expires_at.le(until));
    diesel::update(told).set(points_lots::warned_at.eq(now)).execute(conn).await?;
    Ok(())
}

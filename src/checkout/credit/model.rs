//! Rows of store credit: entries, and the balances that they add up to.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::rules::Balance;
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{credit_balances, credit_entries};
use crate::statement;
use crate::types::id::{AccountId, CreditEntryId, OrderId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Why store credit came or went.
    EntryKind {
        GiftCard = "gift_card",
        /// Paid for an order.
        Order = "order",
        /// The order ended unpaid.
        OrderReturned = "order_returned",
        Refund = "refund",
        Referral = "referral",
        /// A share of a red packet, what was put into one, and what was left of it.
        Packet = "packet",
        /// Won in a game.
        Prize = "prize",
        Operator = "operator",
        /// Taken back, because what it was given for is gone.
        ClawBack = "claw_back",
        /// Taken from what came, for what had been taken back after it was spent.
        Owed = "owed",
    }
}

/// An entry of the ledger.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = credit_entries)]
pub struct EntryRow {
    pub id: CreditEntryId,
    pub account_id: AccountId,
    pub kind: EntryKind,
    pub amount_minor: i64,
    pub owed_minor: i64,
    pub order_id: Option<OrderId>,
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

batch_insert! {
    /// An entry to write. `amount_minor` moves the balance, `owed_minor` what is owed.
    pub struct NewEntry as EntryColumns into "credit_entries" {
        id: CreditEntryId => SqlUuid,
        account_id: AccountId => SqlUuid,
        kind: &'static str => Text,
        cause: String => Text,
        amount_minor: i64 => BigInt,
        owed_minor: i64 => BigInt,
        order_id: Option<OrderId> => Nullable<SqlUuid>,
        reason: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

statement! {
    struct Open = "INSERT INTO credit_balances (account_id) SELECT one.account_id FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>]
        ") AS one (account_id) ORDER BY one.account_id ON CONFLICT DO NOTHING"
}

statement! {
    struct Move = "UPDATE credit_balances AS b SET balance_minor = b.balance_minor + change.amount, \
         owed_minor = b.owed_minor + change.owed FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [amounts: Vec<i64> => Array<BigInt>] ", "
        [owed: Vec<i64> => Array<BigInt>]
        ") AS change (account_id, amount, owed) WHERE b.account_id = change.account_id"
}

/// Balances as they stand, without a lock. Who never had credit has none.
///
/// # Errors
/// The database's.
pub async fn balances(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Balance>> {
    let rows = credit_balances::table.filter(credit_balances::account_id.eq_any(accounts));
    let rows: Vec<(AccountId, i64, i64)> = rows
        .select((credit_balances::account_id, credit_balances::balance_minor, credit_balances::owed_minor))
        .load(conn)
        .await?;
    Ok(by_account(rows))
}

/// Locks balances by account, after accounts' own rows and before counters; makes those that aren't there.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Balance>> {
    if accounts.is_empty() {
        return Ok(HashMap::new());
    }
    Open { accounts: accounts.to_vec() }.execute(conn).await?;
    let rows: Vec<(AccountId, i64, i64)> = credit_balances::table
        .filter(credit_balances::account_id.eq_any(accounts))
        .order(credit_balances::account_id)
        .select((credit_balances::account_id, credit_balances::balance_minor, credit_balances::owed_minor))
        .for_no_key_update()
        .load(conn)
        .await?;
    Ok(by_account(rows))
}

fn by_account(rows: Vec<(AccountId, i64, i64)>) -> HashMap<AccountId, Balance> {
    rows.into_iter()
        .map(|(id, balance_minor, owed_minor)| (id, Balance { balance_minor, owed_minor }))
        .collect()
}

/// Which of these causes have an entry.
///
/// # Errors
/// The database's.
pub async fn known(conn: &mut Conn, causes: &[String]) -> Result<HashSet<String>> {
    let rows: Vec<String> = credit_entries::table
        .filter(credit_entries::cause.eq_any(causes))
        .select(credit_entries::cause)
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Appends entries and moves the balances, which are locked.
///
/// # Errors
/// The database's; `credit_balances_never_overdrawn` is the alarm that a rule was missed.
pub async fn write(conn: &mut Conn, entries: Vec<NewEntry>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut sums: HashMap<AccountId, (i64, i64)> = HashMap::new();
    for entry in &entries {
        let sum = sums.entry(entry.account_id).or_default();
        *sum = (sum.0 + entry.amount_minor, sum.1 + entry.owed_minor);
    }
    let mut change = Move { accounts: Vec::new(), amounts: Vec::new(), owed: Vec::new() };
    for (account, (amount, owed)) in sums {
        change.accounts.push(account);
        change.amounts.push(amount);
        change.owed.push(owed);
    }
    change.execute(conn).await?;
    NewEntry::insert(&mut &*conn, entries).await?;
    Ok(())
}

/// What was paid for an order, and given back because it ended unpaid: whose, and the amounts.
///
/// # Errors
/// The database's.
pub async fn of_order(conn: &mut Conn, order: OrderId) -> Result<Vec<(AccountId, i64)>> {
    Ok(credit_entries::table
        .filter(credit_entries::order_id.eq(order))
        .filter(credit_entries::kind.eq_any([EntryKind::Order, EntryKind::OrderReturned]))
        .select((credit_entries::account_id, credit_entries::amount_minor))
        .load(conn)
        .await?)
}

/// A page of an account's entries, the latest first.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<EntryRow>> {
    Ok(credit_entries::table
        .filter(credit_entries::account_id.eq(account))
        .filter(credit_entries::id.lt(CreditEntryId(page.before)))
        .order(credit_entries::id.desc())
        .limit(page.fetch())
        .select(EntryRow::as_select())
        .load(conn)
        .await?)
}

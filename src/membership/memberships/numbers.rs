//! Rows of member numbers, and the chapters' counters of them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::member_numbers;
use crate::types::id::{AccountId, ChapterId};
use crate::{batch_insert, statement};

/// The member's number, if the account ever had one.
///
/// # Errors
/// The database's.
pub async fn of(conn: &Conn, account: AccountId) -> Result<Option<String>> {
    Ok(of_all(conn, &[account]).await?.remove(&account))
}

/// [`of`] for many.
///
/// # Errors
/// The database's.
pub async fn of_all(mut conn: &Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, String>> {
    let own = member_numbers::table.filter(member_numbers::account_id.eq_any(accounts));
    let rows = own.select((member_numbers::account_id, member_numbers::number));
    Ok(rows.load(&mut conn).await?.into_iter().collect())
}

statement! {
    struct TakeSequences = "UPDATE chapters SET next_sequence = next_sequence + "
        [count: i64 => BigInt] " WHERE id = "
        [chapter: ChapterId => SqlUuid] " RETURNING prefix, next_sequence AS next"
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Text)]
    prefix: String,
    #[diesel(sql_type = BigInt)]
    next: i64,
}

/// Takes so many of the chapter's next sequences, of which the first one is told; its row stays locked until the transaction
/// ends, so that a rollback leaves no gap. Counters are locked last.
///
/// # Errors
/// The database's.
pub async fn take_sequences(conn: &mut Conn, chapter: ChapterId, count: usize) -> Result<(String, i64)> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let counted: Counted = TakeSequences { count, chapter }.get_result(conn).await?;
    Ok((counted.prefix, counted.next - count))
}

batch_insert! {
    /// A number, given for ever.
    pub struct NewNumber as NumberColumns into "member_numbers" {
        number: String => Text,
        account_id: AccountId => SqlUuid,
        chapter_id: ChapterId => SqlUuid,
        sequence: i64 => BigInt,
        given_at: DateTime<Utc> => Timestamptz,
    }
}

//! Limits on attempts, counted over all instances in the table `attempts`, in windows of the machine's time. What a key
//! names (an address, an account) is hashed: the table also sees addresses of strangers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Integer, Text, Timestamptz};
use diesel_async::RunQueryDsl;

use super::secrets;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::ports::clock::machine_now;
use crate::schema::attempts;
use crate::statement;

/// The key of one kind of attempt at one subject.
pub fn key(kind: &str, subject: &str) -> String {
    format!("{kind}:{}", URL_SAFE_NO_PAD.encode(secrets::hash(subject)))
}

#[derive(QueryableByName)]
struct Counted {
    #[diesel(sql_type = Timestamptz)]
    window_started_at: DateTime<Utc>,
    #[diesel(sql_type = Integer)]
    count: i32,
}

// The count stops just above the limit, and a refused attempt doesn't make the window longer.
statement! {
    struct Count = "INSERT INTO attempts AS a (key, window_started_at, count) VALUES ("
        [key: String => Text] ", "
        [now: DateTime<Utc> => Timestamptz] ", 1) ON CONFLICT (key) DO UPDATE SET \
             count = CASE WHEN a.window_started_at <= $4 THEN 1 ELSE LEAST(a.count, "
        [limit: i32 => Integer] ") + 1 END, window_started_at = CASE WHEN a.window_started_at <= "
        [over: DateTime<Utc> => Timestamptz] " THEN $2 ELSE a.window_started_at END \
         RETURNING window_started_at, count"
}

/// Counts one attempt and refuses it when `limit` were made in the window. Call it outside of a transaction, before the
/// work: one that is rolled back would not be counted, and many at once would all pass a check made without counting.
///
/// # Errors
/// `too_many_attempts` with the seconds until the window ends; the database's.
pub async fn count(conn: &mut Conn, key: &str, window: TimeDelta, limit: i32) -> Result<()> {
    let now = machine_now();
    let counted = Count { key: key.to_owned(), now, limit, over: now - window };
    let row: Counted = counted.get_result(conn).await?;
    if row.count <= limit {
        return Ok(());
    }
    let left = (row.window_started_at + window - now).num_seconds().max(0);
    Err(Code::TooManyAttempts.error().retry_after(u64::try_from(left).unwrap_or(0) + 1))
}

/// Refuses where `limit` were made in the window, and counts nothing.
///
/// # Errors
/// As [`count`].
pub async fn check(conn: &mut Conn, key: &str, window: TimeDelta, limit: i32) -> Result<()> {
    let query = attempts::table.find(key).select((attempts::window_started_at, attempts::count));
    let known: Option<(DateTime<Utc>, i32)> = query.first(conn).await.optional()?;
    let now = machine_now();
    match known.filter(|(start, count)| *start > now - window && *count >= limit) {
        None => Ok(()),
        Some((start, _)) => {
            let left = (start + window - now).num_seconds().max(0);
            Err(Code::TooManyAttempts.error().retry_after(u64::try_from(left).unwrap_or(0) + 1))
        }
    }
}

/// Forgets the attempts of a key: the last one was right.
///
/// # Errors
/// The database's.
pub async fn clear(conn: &mut Conn, key: &str) -> Result<()> {
    diesel::delete(attempts::table.filter(attempts::key.eq(key))).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_nothing_of_its_subject() {
        let key = key("sign_in", "zhang@example.org");
        assert!(key.starts_with("sign_in:") && !key.contains("zhang"));
        assert_ne!(key, super::key("reset", "zhang@example.org"));
    }
}

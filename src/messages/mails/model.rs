//! The outbox's rows.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::Mail;
use crate::db::Conn;
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::schema::mails;
use crate::types::id::{AccountId, MailId};
use crate::types::locale::Locale;

/// Whom a mail goes to. `account` is none for people without one.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    pub account: Option<AccountId>,
    pub address: String,
    pub locale: Locale,
}

/// An address is personal data: logs get the account alone.
impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipient").field("account", &self.account).field("locale", &self.locale).finish()
    }
}

#[derive(Insertable)]
#[diesel(table_name = mails)]
struct NewMail<'a> {
    id: MailId,
    cause: &'a str,
    account_id: Option<AccountId>,
    to_address: &'a str,
    kind: String,
    locale: &'static str,
    data: Value,
    created_at: DateTime<Utc>,
}

/// Queues one mail in the transaction that causes it. `cause` names it once and for ever: where a mail of that cause
/// exists, nothing happens.
///
/// # Errors
/// The database's.
pub async fn queue(
    conn: &mut Conn,
    now: DateTime<Utc>,
    to: &Recipient,
    cause: &str,
    mail: &Mail,
) -> Result<()> {
    queue_rows(conn, now, vec![new_row(now, to, cause, mail)?]).await
}

/// Queues many mails, each with its cause, with one statement for the rows and one for their jobs.
///
/// # Errors
/// The database's.
pub async fn queue_all(
    conn: &mut Conn,
    now: DateTime<Utc>,
    batch: &[(Recipient, String, Mail)],
) -> Result<()> {
    let mut rows = Vec::with_capacity(batch.len());
    for (to, cause, mail) in batch {
        rows.push(new_row(now, to, cause, mail)?);
    }
    queue_rows(conn, now, rows).await
}

fn new_row<'a>(now: DateTime<Utc>, to: &'a Recipient, cause: &'a str, mail: &Mail) -> Result<NewMail<'a>> {
    let (kind, data) = mail.to_columns()?;
    Ok(NewMail {
        id: MailId::new(),
        cause,
        account_id: to.account,
        to_address: &to.address,
        kind,
        locale: to.locale.as_str(),
        data,
        created_at: now,
    })
}

async fn queue_rows(conn: &mut Conn, now: DateTime<Utc>, rows: Vec<NewMail<'_>>) -> Result<()> {
    // A statement takes 65,535 parameters.
    for chunk in rows.chunks(5_000) {
        let inserted: Vec<MailId> = diesel::insert_into(mails::table)
            .values(chunk)
            .on_conflict(mails::cause)
            .do_nothing()
            .returning(mails::id)
            .get_results(conn)
            .await?;
        let batch: Vec<_> = inserted.into_iter().map(|mail| (Job::SendMail { mail }, now)).collect();
        jobs::enqueue_all(conn, &batch, now).await?;
    }
    Ok(())
}

//! The outbox's rows.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;

use super::Mail;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::jobs::{self, Job, Lane};
use crate::schema::mails;
use crate::statement;
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

statement! {
    struct Queue = "INSERT INTO mails (id, cause, account_id, to_address, kind, locale, data, created_at) SELECT mail.*, "
        [now: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [ids: Vec<MailId> => Array<SqlUuid>] ", "
        [causes: Vec<String> => Array<Text>] ", "
        [accounts: Vec<Option<AccountId>> => Array<Nullable<SqlUuid>>] ", "
        [addresses: Vec<String> => Array<Text>] ", "
        [kinds: Vec<String> => Array<Text>] ", "
        [locales: Vec<&'static str> => Array<Text>] ", "
        [data: Vec<Value> => Array<Jsonb>] ") AS mail ON CONFLICT (cause) DO NOTHING RETURNING id"
}

#[derive(QueryableByName)]
struct Queued {
    #[diesel(sql_type = SqlUuid)]
    id: MailId,
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
    queue_rows(conn, now, None, [(to, cause, mail)]).await
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
    queue_rows(conn, now, None, batch.iter().map(|(to, cause, mail)| (to, cause.as_str(), mail))).await
}

/// [`queue_all`], to be sent in another lane than that of mails.
///
/// # Errors
/// The database's.
pub async fn queue_in(
    conn: &mut Conn,
    now: DateTime<Utc>,
    lane: Lane,
    batch: &[(Recipient, String, Mail)],
) -> Result<()> {
    queue_rows(conn, now, Some(lane), batch.iter().map(|(to, cause, mail)| (to, cause.as_str(), mail))).await
}

/// The mails of these causes, in their order.
///
/// # Errors
/// The database's.
pub async fn by_causes(conn: &mut Conn, causes: &[String]) -> Result<Vec<MailId>> {
    let rows: Vec<(String, MailId)> =
        mails::table.filter(mails::cause.eq_any(causes)).select((mails::cause, mails::id)).load(conn).await?;
    let of = |cause: &String| rows.iter().find(|(known, _)| known == cause).map(|(_, id)| *id);
    Ok(causes.iter().filter_map(of).collect())
}

async fn queue_rows<'a>(
    conn: &mut Conn,
    now: DateTime<Utc>,
    lane: Option<Lane>,
    batch: impl IntoIterator<Item = (&'a Recipient, &'a str, &'a Mail)>,
) -> Result<()> {
    let mut queue = Queue {
        now,
        ids: Vec::new(),
        causes: Vec::new(),
        accounts: Vec::new(),
        addresses: Vec::new(),
        kinds: Vec::new(),
        locales: Vec::new(),
        data: Vec::new(),
    };
    for (to, cause, mail) in batch {
        let (kind, data) = mail.to_columns()?;
        queue.ids.push(MailId::new());
        queue.causes.push(cause.to_owned());
        queue.accounts.push(to.account);
        queue.addresses.push(to.address.clone());
        queue.kinds.push(kind);
        queue.locales.push(to.locale.as_str());
        queue.data.push(data);
    }
    if queue.ids.is_empty() {
        return Ok(());
    }
    let queued: Vec<Queued> = queue.load(conn).await?;
    let batch: Vec<_> = queued.into_iter().map(|mail| (Job::SendMail { mail: mail.id }, now)).collect();
    jobs::queue::enqueue_in(conn, lane.unwrap_or(Lane::Mail), &batch, now).await?;
    Ok(())
}

/// A row of the outbox.
#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = mails)]
pub struct MailRow {
    pub id: MailId,
    pub cause: String,
    pub account_id: Option<AccountId>,
    pub to_address: String,
    pub kind: String,
    pub locale: String,
    pub data: Value,
    pub state: String,
    pub last_error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: MailId) -> Result<Option<MailRow>> {
    Ok(mails::table.find(id).select(MailRow::as_select()).first(conn).await.optional()?)
}

/// With the row locked, for a decision that is written in the same transaction.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: MailId) -> Result<Option<MailRow>> {
    Ok(mails::table.find(id).select(MailRow::as_select()).for_update().first(conn).await.optional()?)
}

/// What an operator looks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<String>,
    pub kind: Option<String>,
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: &Filter, page: Page) -> Result<Vec<MailRow>> {
    let mut query = mails::table
        .filter(mails::id.lt(MailId(page.before)))
        .order(mails::id.desc())
        .limit(page.fetch())
        .select(MailRow::as_select())
        .into_boxed();
    if let Some(state) = &filter.state {
        query = query.filter(mails::state.eq(state));
    }
    if let Some(kind) = &filter.kind {
        query = query.filter(mails::kind.eq(kind));
    }
    Ok(query.load(conn).await?)
}

/// Of these mails those that wait to be sent.
///
/// # Errors
/// The database's.
pub async fn queued(mut conn: &Conn, ids: &[MailId]) -> Result<Vec<MailRow>> {
    let waiting = mails::table.filter(mails::id.eq_any(ids)).filter(mails::state.eq("queued"));
    Ok(waiting.select(MailRow::as_select()).load(&mut conn).await?)
}

// Found by their ids, whatever the planner thinks of an array's size; data is looked up for each.
statement! {
    struct MarkSent = "UPDATE mails SET state = 'sent', last_error = NULL, sent_at = "
        [now: DateTime<Utc> => Timestamptz] ", data = coalesce((SELECT row.data::jsonb FROM UNNEST("
        [ids: Vec<MailId> => Array<SqlUuid>] ", "
        [data: Vec<Option<String>> => Array<Nullable<Text>>] ") AS row (id, data) WHERE row.id = mails.id), mails.data) \
         WHERE id = ANY ($2) AND state = 'queued'"
}

/// Sent: where secrets had to go, what is left (JSON) replaces the row's data. Nothing happens to a mail that isn't queued any
/// more.
///
/// # Errors
/// The database's.
pub async fn mark_sent(conn: &mut Conn, sent: &[(MailId, Option<String>)], now: DateTime<Utc>) -> Result<()> {
    let (ids, data) = sent.iter().cloned().unzip();
    MarkSent { now, ids, data }.execute(conn).await?;
    Ok(())
}

/// Remembers why a try failed; the mail stays queued.
///
/// # Errors
/// The database's.
pub async fn note_failure(conn: &mut Conn, id: MailId, why: &str) -> Result<()> {
    diesel::update(mails::table.find(id).filter(mails::state.eq("queued")))
        .set(mails::last_error.eq(why))
        .execute(conn)
        .await?;
    Ok(())
}

/// Given up. Keeps its secrets, so that an operator may send it again; see [`forget_secrets`].
///
/// # Errors
/// The database's.
pub async fn mark_dead(conn: &mut Conn, id: MailId, why: &str) -> Result<()> {
    diesel::update(mails::table.find(id).filter(mails::state.eq("queued")))
        .set((mails::state.eq("dead"), mails::last_error.eq(why)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Its job failed for the last time: dead, with the reason of the last try where one is known.
///
/// # Errors
/// The database's.
pub async fn give_up(conn: &mut Conn, id: MailId, why: &str) -> Result<()> {
    let known: Option<Option<String>> =
        mails::table.find(id).select(mails::last_error).first(conn).await.optional()?;
    let why = known.flatten().unwrap_or_else(|| crate::ports::mail::without_addresses(why));
    mark_dead(conn, id, &why).await
}

/// Back into the queue; the caller queues its job.
///
/// # Errors
/// The database's.
pub async fn requeue(conn: &mut Conn, id: MailId) -> Result<()> {
    diesel::update(mails::table.find(id))
        .set((
            mails::state.eq("queued"),
            mails::sent_at.eq(None::<DateTime<Utc>>),
            mails::last_error.eq(None::<String>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes the one-time tokens out of dead mails made before `before`: by then they have expired. A gift card's hasn't; an
/// operator mails a new one.
///
/// # Errors
/// The database's.
pub async fn forget_secrets(conn: &mut Conn, before: DateTime<Utc>) -> Result<()> {
    let scrubbed = serde_json::json!({ "token": super::mail::SCRUBBED });
    let with_secrets = mails::table
        .filter(mails::state.eq("dead"))
        .filter(mails::created_at.lt(before))
        .filter(mails::kind.eq_any(Mail::SECRET_KINDS))
        .filter(mails::data.ne(&scrubbed));
    diesel::update(with_secrets).set(mails::data.eq(&scrubbed)).execute(conn).await?;
    Ok(())
}

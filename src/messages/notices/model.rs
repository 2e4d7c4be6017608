//! Rows of notices.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::messages::mails::Mail;
use crate::messages::mails::model::MailRow;
use crate::schema::{mails, notices};
use crate::types::id::{ChapterId, MailId, NoticeId, SegmentId, TierId};
use crate::types::locale::Locale;
use crate::types::stored::stored_enum;

stored_enum! {
    State as "NoticeState" {
        Draft = "draft",
        Scheduled = "scheduled",
        /// Its time has come: its recipients are fixed and queued, part by part.
        Sending = "sending",
        /// Nobody waits for it any more.
        Sent = "sent",
        Cancelled = "cancelled",
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = notices)]
pub struct Notice {
    pub id: NoticeId,
    pub subject_zh: String,
    pub subject_en: String,
    pub body_zh: String,
    pub body_en: String,
    /// For whom: one of these three.
    pub tier_id: Option<TierId>,
    pub chapter_id: Option<ChapterId>,
    pub segment_id: Option<SegmentId>,
    pub state: State,
    pub test_zh: Option<MailId>,
    pub test_en: Option<MailId>,
    /// The version whose words the tests had.
    pub tested_version: Option<i32>,
    pub send_at: Option<DateTime<Utc>>,
    /// Accounts before this one are still to be looked at.
    pub before: Uuid,
    pub collected_at: Option<DateTime<Utc>>,
    pub recipients: i64,
    pub queued: i64,
    pub skipped: i64,
    pub cancelled: i64,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Notice {
    /// Subject and text in a language.
    pub fn words(&self, locale: Locale) -> (&str, &str) {
        locale.pick((&self.subject_zh, &self.body_zh), (&self.subject_en, &self.body_en))
    }
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, notice: &Notice) -> Result<()> {
    diesel::insert_into(notices::table).values(notice).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: NoticeId) -> Result<Option<Notice>> {
    Ok(notices::table.find(id).select(Notice::as_select()).first(conn).await.optional()?)
}

/// [`find`], locked until the transaction ends: who else works on it waits.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: NoticeId) -> Result<Option<Notice>> {
    let row = notices::table.find(id).for_no_key_update();
    Ok(row.select(Notice::as_select()).first(conn).await.optional()?)
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, state: Option<State>, page: Page) -> Result<Vec<Notice>> {
    let mut query = notices::table
        .filter(notices::id.lt(NoticeId(page.before)))
        .order(notices::id.desc())
        .limit(page.fetch())
        .select(Notice::as_select())
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(notices::state.eq(state));
    }
    Ok(query.load(conn).await?)
}

/// Writes what can change of a locked notice.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Notice) -> Result<()> {
    diesel::update(notices::table.find(of.id))
        .set((
            (
                notices::subject_zh.eq(&of.subject_zh),
                notices::subject_en.eq(&of.subject_en),
                notices::body_zh.eq(&of.body_zh),
                notices::body_en.eq(&of.body_en),
                notices::tier_id.eq(of.tier_id),
                notices::chapter_id.eq(of.chapter_id),
                notices::segment_id.eq(of.segment_id),
                notices::test_zh.eq(of.test_zh),
                notices::test_en.eq(of.test_en),
                notices::tested_version.eq(of.tested_version),
            ),
            (
                notices::state.eq(of.state),
                notices::send_at.eq(of.send_at),
                notices::before.eq(of.before),
                notices::collected_at.eq(of.collected_at),
                notices::recipients.eq(of.recipients),
                notices::queued.eq(of.queued),
                notices::skipped.eq(of.skipped),
                notices::cancelled.eq(of.cancelled),
                notices::ended_at.eq(of.ended_at),
                notices::version.eq(of.version),
            ),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Have both test mails of a notice gone?
///
/// # Errors
/// The database's.
pub async fn tests_sent(conn: &mut Conn, of: &Notice) -> Result<bool> {
    let tests: Vec<_> = [of.test_zh, of.test_en].into_iter().flatten().collect();
    let sent = mails::table.filter(mails::id.eq_any(tests)).filter(mails::state.eq("sent"));
    let count: i64 = sent.count().get_result(conn).await?;
    Ok(count == 2)
}

/// A row of the outbox with the words of its notice, where it is one: they lie with the notice, once for all of its mails.
///
/// # Errors
/// The database's.
pub async fn worded(conn: &mut Conn, row: MailRow) -> Result<MailRow> {
    if let Ok(Mail::Notice { notice, .. }) = Mail::from_columns(&row.kind, row.data.clone())
        && let Some(notice) = find(conn, notice).await?
    {
        let (_, data) = Mail::notice_of(&notice, Locale::from_stored(&row.locale)).to_columns()?;
        return Ok(MailRow { data, ..row });
    }
    Ok(row)
}

/// A notice of no tier in particular, for tests of rules.
#[cfg(test)]
pub fn sample(state: State) -> Notice {
    Notice {
        id: NoticeId::new(),
        subject_zh: "聚会".to_owned(),
        subject_en: "Meeting".to_owned(),
        body_zh: "周六见。".to_owned(),
        body_en: "See you on Saturday.".to_owned(),
        tier_id: Some(TierId::new()),
        chapter_id: None,
        segment_id: None,
        state,
        test_zh: None,
        test_en: None,
        tested_version: None,
        send_at: None,
        before: Uuid::max(),
        collected_at: None,
        recipients: 0,
        queued: 0,
        skipped: 0,
        cancelled: 0,
        created_at: DateTime::default(),
        ended_at: None,
        version: 3,
    }
}

//! What operators do with notices.

use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::{AudienceName, NewNotice, NoticeChange};
use super::model::{self, Notice, State};
use super::{recipients, rules};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::jobs::{self, Job, Lane};
use crate::membership::chapters::model as chapters;
use crate::membership::tiers::model as tiers;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::segments::model as segments;
use crate::types::email::Email;
use crate::types::id::{ChapterId, MailId, NoticeId, SegmentId, TierId};
use crate::types::locale::{Locale, Names};
use crate::types::text;

/// A text has at most so many characters.
const BODY_MAX: usize = 20_000;

fn subjects(typed: &Names) -> Result<Names> {
    Ok(Names {
        zh: fields::line("subject.zh-CN", &typed.zh, 200)?,
        en: fields::line("subject.en", &typed.en, 200)?,
    })
}

fn bodies(typed: &Names) -> Result<Names> {
    let whole = |field: &str, typed: &str| {
        let typed = rules::tidy(typed);
        text::block(&typed, BODY_MAX).map_err(|error| Code::InvalidField.at(field, error.to_string()))
    };
    Ok(Names { zh: whole("body.zh-CN", &typed.zh)?, en: whole("body.en", &typed.en)? })
}

/// Whom a notice is for, as it is stored.
type Audience = (Option<TierId>, Option<ChapterId>, Option<SegmentId>);

async fn audience(conn: &mut Conn, named: &AudienceName) -> Result<Audience> {
    let unknown = |field: &str| Code::InvalidField.at(format!("audience.{field}"), "there is no such one");
    Ok(match named {
        AudienceName::Tier(code) => {
            let tier = tiers::id_by_code(conn, code).await?;
            (Some(tier.ok_or_else(|| unknown("tier"))?), None, None)
        }
        AudienceName::Chapter(code) => {
            let chapter = chapters::by_code(conn, code).await?;
            (None, Some(chapter.ok_or_else(|| unknown("chapter"))?.id), None)
        }
        AudienceName::Segment(code) => {
            let segment = segments::by_code(conn, code).await?;
            (None, None, Some(segment.ok_or_else(|| unknown("segment"))?.id))
        }
    })
}

/// Drafts a notice.
///
/// # Errors
/// `invalid_field`
pub async fn create(app: &App, actor: Actor, new: &NewNotice) -> Result<Notice> {
    let (subject, body) = (subjects(&new.subject)?, bodies(&new.body)?);
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let (tier_id, chapter_id, segment_id) = audience(conn, &new.audience).await?;
        let notice = Notice {
            id: NoticeId::new(),
            subject_zh: subject.zh.clone(),
            subject_en: subject.en.clone(),
            body_zh: body.zh.clone(),
            body_en: body.en.clone(),
            tier_id,
            chapter_id,
            segment_id,
            state: State::Draft,
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
            created_at: now,
            ended_at: None,
            version: 1,
        };
        model::insert(conn, &notice).await?;
        record(conn, actor, "notice.create", &notice, None, now).await?;
        Ok(notice)
    })
    .await
}

/// Changes a draft. It is to be tested again.
///
/// # Errors
/// `not_found`, `version_mismatch`, `notice_not_draft`, `invalid_field`
pub async fn change(
    app: &App,
    actor: Actor,
    id: NoticeId,
    seen: IfMatch,
    change: NoticeChange,
) -> Result<Notice> {
    let subject = fields::kept("subject", change.subject)?.map(|typed| subjects(&typed)).transpose()?;
    let body = fields::kept("body", change.body)?.map(|typed| bodies(&typed)).transpose()?;
    let named = fields::kept("audience", change.audience)?;
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut notice = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(notice.version)?;
        rules::may_change(&notice)?;
        if let Some(subject) = subject.clone() {
            (notice.subject_zh, notice.subject_en) = (subject.zh, subject.en);
        }
        if let Some(body) = body.clone() {
            (notice.body_zh, notice.body_en) = (body.zh, body.en);
        }
        if let Some(named) = &named {
            (notice.tier_id, notice.chapter_id, notice.segment_id) = audience(conn, named).await?;
        }
        notice.version += 1;
        model::store(conn, &notice).await?;
        record(conn, actor, "notice.change", &notice, None, now).await?;
        Ok(notice)
    })
    .await
}

/// Sends the words as they are now to an address, in both languages.
///
/// # Errors
/// `not_found`, `notice_not_draft`
pub async fn test(app: &App, actor: Actor, id: NoticeId, to: &Email) -> Result<Notice> {
    let now = app.clock.now();
    let tested = db::transaction(&app.pool, async |conn| {
        let mut notice = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        rules::may_change(&notice)?;
        let once = Uuid::now_v7();
        let letter = |locale: Locale| {
            let to = Recipient { account: None, address: to.as_str().to_owned(), locale };
            (to, format!("notice_test:{id}:{once}:{}", locale.as_str()), Mail::notice(id))
        };
        let letters = Locale::ALL.map(letter);
        mails::queue_all(conn, now, &letters).await?;
        let causes = letters.map(|(_, cause, _)| cause);
        let [zh, en]: [MailId; 2] = mails::model::by_causes(conn, &causes)
            .await?
            .try_into()
            .map_err(|_| AppError::internal("a test mail wasn't queued"))?;
        (notice.test_zh, notice.test_en) = (Some(zh), Some(en));
        notice.tested_version = Some(notice.version);
        model::store(conn, &notice).await?;
        record(conn, actor, "notice.test", &notice, None, now).await?;
        Ok(notice)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(tested)
}

/// Sends it at a time, or now.
///
/// # Errors
/// `not_found`, `notice_not_draft`, `notice_not_tested`, `invalid_field`
pub async fn schedule(
    app: &App,
    actor: Actor,
    id: NoticeId,
    send_at: Option<DateTime<Utc>>,
) -> Result<Notice> {
    let now = app.clock.now();
    let send_at = send_at.map(|at| fields::ahead("send_at", at, now)).transpose()?.unwrap_or(now);
    let scheduled = db::transaction(&app.pool, async |conn| {
        let mut notice = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        rules::may_schedule(&notice, model::tests_sent(conn, &notice).await?)?;
        notice.state = State::Scheduled;
        notice.send_at = Some(send_at);
        notice.version += 1;
        model::store(conn, &notice).await?;
        jobs::enqueue(conn, &Job::SendNotice { notice: id }, send_at, now).await?;
        record(conn, actor, "notice.schedule", &notice, None, now).await?;
        Ok(notice)
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(scheduled)
}

/// Who isn't queued by now is never written to.
///
/// # Errors
/// `not_found`, `notice_ended`
pub async fn cancel(app: &App, actor: Actor, id: NoticeId, reason: &str) -> Result<Notice> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let mut notice = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        rules::may_cancel(&notice)?;
        let waited = recipients::cancel(conn, id, now).await?;
        notice.cancelled += i64::try_from(waited).map_err(AppError::internal)?;
        notice.state = State::Cancelled;
        notice.ended_at = Some(now);
        notice.version += 1;
        model::store(conn, &notice).await?;
        record(conn, actor, "notice.cancel", &notice, Some(reason), now).await?;
        Ok(notice)
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    notice: &Notice,
    reason: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "notice",
        subject_id: notice.id.to_string(),
        reason,
        detail: json!({
            "version": notice.version, "send_at": notice.send_at, "queued": notice.queued,
            "cancelled": notice.cancelled,
        }),
    };
    audit::record(conn, now, entry).await
}

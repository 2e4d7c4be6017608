//! Notices over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Notice, State};
use super::recipients::{Outcome, Recipient, RecipientState, Skipped};
use crate::messages::mails::render::Rendered;
use crate::types::email::Email;
use crate::types::id::{AccountId, ChapterId, NoticeId, SegmentId, TierId};
use crate::types::locale::{Locale, Names};
use crate::types::patch::Patch;

/// For whom: `{"tier": "diehard"}`, `{"chapter": "zhengzhou"}` or `{"segment": "spent-much"}`, by its code.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NoticeAudienceName)]
pub enum AudienceName {
    Tier(String),
    Chapter(String),
    Segment(String),
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// At most 200 characters each.
    pub subject: Names,
    /// Plain text of at most 20,000 characters each; an empty line begins a paragraph.
    pub body: Names,
    pub audience: AudienceName,
}

/// What may change of a draft.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub subject: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub body: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<AudienceName>)]
    pub audience: Patch<AudienceName>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeTest {
    #[schema(value_type = String, format = "email")]
    pub to: Email,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSchedule {
    /// By default now.
    #[serde(default)]
    pub send_at: Option<DateTime<Utc>>,
}

/// Why; it goes into the audit log.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeCancel {
    pub reason: String,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NoticeFilter {
    pub state: Option<State>,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    pub locale: Option<Locale>,
}

/// For whom, by id: one of them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = NoticeAudience)]
pub struct AudienceView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<TierId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chapter: Option<ChapterId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment: Option<SegmentId>,
}

/// How far it is: `recipients` is the sum of the others.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoticeCounts {
    /// Fixed when its time came: who took announcements then.
    pub recipients: i64,
    pub waiting: i64,
    /// Their mails are in the outbox, or have left it.
    pub queued: i64,
    /// Had left meanwhile, or had as many notices in that month as anybody may have.
    pub skipped: i64,
    pub cancelled: i64,
    /// Of those that were queued; only told of one notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<i64>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Notice)]
pub struct NoticeView {
    pub id: NoticeId,
    pub state: State,
    pub subject: Names,
    pub body: Names,
    pub audience: AudienceView,
    /// A test of these words was sent for; it may be scheduled once that mail has gone.
    pub tested: bool,
    pub send_at: Option<DateTime<Utc>>,
    pub counts: NoticeCounts,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl NoticeView {
    pub fn new(of: Notice, outcome: Option<Outcome>) -> Self {
        Self {
            id: of.id,
            state: of.state,
            audience: AudienceView { tier: of.tier_id, chapter: of.chapter_id, segment: of.segment_id },
            tested: of.tested_version.is_some_and(|tested| tested == of.version || of.state != State::Draft),
            send_at: of.send_at,
            counts: NoticeCounts {
                recipients: of.recipients,
                waiting: of.recipients - of.queued - of.skipped - of.cancelled,
                queued: of.queued,
                skipped: of.skipped,
                cancelled: of.cancelled,
                sent: outcome.map(|outcome| outcome.sent),
                failed: outcome.map(|outcome| outcome.failed),
            },
            created_at: of.created_at,
            ended_at: of.ended_at,
            version: of.version,
            subject: Names { zh: of.subject_zh, en: of.subject_en },
            body: Names { zh: of.body_zh, en: of.body_en },
        }
    }
}

/// The mail as its reader gets it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoticePreview {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl From<Rendered> for NoticePreview {
    fn from(rendered: Rendered) -> Self {
        Self { subject: rendered.subject, text: rendered.text, html: rendered.html }
    }
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NoticeRecipient {
    pub account: AccountId,
    pub state: RecipientState,
    pub reason: Option<Skipped>,
    pub decided_at: Option<DateTime<Utc>>,
}

impl From<Recipient> for NoticeRecipient {
    fn from(row: Recipient) -> Self {
        Self { account: row.account_id, state: row.state, reason: row.reason, decided_at: row.decided_at }
    }
}

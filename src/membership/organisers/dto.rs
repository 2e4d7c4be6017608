//! Organisers over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{ChapterMember, Organiser, State};
use super::rules::masked;
use crate::types::id::{AccountId, ChapterId, OrganiserId};
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOrganiser {
    /// Why you want to; at most 2000 characters, for the operators.
    pub motive: String,
    /// The name that everybody may see beside the chapter once you are approved; absent: you aren't listed.
    #[schema(example = "罗小姐")]
    pub public_name: Option<String>,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganiserChange {
    /// Null: you aren't listed any more.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub public_name: Patch<String>,
}

/// Why; the applicant reads it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganiserReason {
    pub reason: String,
}

/// Which applications.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrganiserFilter {
    pub chapter: Option<ChapterId>,
    pub state: Option<State>,
}

/// An application to organise a chapter; `approved` while the office lasts.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = OrganiserApplication)]
pub struct OrganiserView {
    pub id: OrganiserId,
    pub chapter: ChapterId,
    pub state: State,
    pub motive: String,
    pub public_name: Option<String>,
    /// Why it was refused or ended.
    pub reason: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminOrganiserApplication)]
pub struct AdminOrganiserView {
    pub account: AccountId,
    #[serde(flatten)]
    pub application: OrganiserView,
}

impl From<Organiser> for OrganiserView {
    fn from(row: Organiser) -> Self {
        Self {
            id: row.id,
            chapter: row.chapter_id,
            state: row.state,
            motive: row.motive,
            public_name: row.public_name,
            reason: row.reason,
            decided_at: row.decided_at,
            ended_at: row.ended_at,
            created_at: row.created_at,
        }
    }
}

impl From<Organiser> for AdminOrganiserView {
    fn from(row: Organiser) -> Self {
        Self { account: row.account_id, application: row.into() }
    }
}

/// A member as the organisers of his chapter see him.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChapterMemberView {
    pub number: Option<String>,
    /// Its first letter.
    pub name: Option<String>,
    /// The tier's code.
    pub tier: String,
}

impl From<ChapterMember> for ChapterMemberView {
    fn from((_, number, name, tier): ChapterMember) -> Self {
        Self { number, name: masked(name.as_deref()), tier }
    }
}

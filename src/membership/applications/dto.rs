//! Applications over the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::model::{Application, State};
use crate::types::id::{AccountId, ApplicationId, DriveId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApplication {
    /// Answers by question, at most 20 of 2000 characters.
    #[schema(example = json!({"why": "I have listened since the first day."}))]
    pub answers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The applicant reads it.
    pub reason: String,
}

/// Which applications.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ApplicationFilter {
    pub drive: Option<DriveId>,
    pub state: Option<State>,
}

/// An application as the one who applied sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Application)]
pub struct ApplicationView {
    pub id: ApplicationId,
    pub drive: DriveId,
    #[schema(value_type = Object)]
    pub answers: Value,
    pub state: State,
    /// Why it was refused.
    pub reason: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    /// Until when (exclusive) an approved one may buy.
    pub buy_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// An application as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminApplication)]
pub struct AdminApplicationView {
    pub account: AccountId,
    #[serde(flatten)]
    pub application: ApplicationView,
}

impl From<Application> for ApplicationView {
    fn from(application: Application) -> Self {
        Self {
            id: application.id,
            drive: application.drive_id,
            answers: application.answers,
            state: application.state,
            reason: application.reason,
            decided_at: application.decided_at,
            buy_until: application.buy_until,
            created_at: application.created_at,
        }
    }
}

impl From<Application> for AdminApplicationView {
    fn from(application: Application) -> Self {
        Self { account: application.account_id, application: application.into() }
    }
}

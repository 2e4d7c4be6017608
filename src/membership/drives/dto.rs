//! Drives over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Admission, Drive};
use super::rules::{self, Release, State};
use crate::types::id::{DriveId, PlanId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDrive {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "luoji-2013-diehard")]
    pub code: String,
    /// Drives of one series give one place a person; the code where absent.
    #[schema(example = "luoji-2013")]
    pub series: Option<String>,
    pub names: Names,
    pub plan: PlanId,
    #[schema(example = 500)]
    pub quota: i64,
    /// Parts in which the quota is let out; absent or null: all of it at the opening.
    pub releases: Option<Vec<ReleaseView>>,
    #[serde(default = "open_to_all")]
    pub admission: Admission,
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
    /// How long an approved application gives the right to buy.
    #[serde(default = "three_days")]
    #[schema(default = 72)]
    pub buy_within_hours: i32,
}

fn open_to_all() -> Admission {
    Admission::Open
}

fn three_days() -> i32 {
    72
}

/// What is absent stays. A change of the quota of a drive with dated parts names the parts too.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DriveChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<i64>)]
    pub quota: Patch<i64>,
    /// Null: all of it at the opening.
    #[serde(default)]
    #[schema(value_type = Option<Vec<ReleaseView>>)]
    pub releases: Patch<Vec<ReleaseView>>,
    #[serde(default)]
    #[schema(value_type = Option<Admission>)]
    pub admission: Patch<Admission>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub opens_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<DateTime<Utc>>)]
    pub closes_at: Patch<DateTime<Utc>>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub buy_within_hours: Patch<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Release)]
pub struct ReleaseView {
    pub at: DateTime<Utc>,
    pub quantity: i64,
}

/// Which drives.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DriveFilter {
    pub series: Option<String>,
}

/// A drive as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminDrive)]
pub struct DriveView {
    pub id: DriveId,
    pub code: String,
    pub series: String,
    pub names: Names,
    pub plan: PlanId,
    pub quota: i64,
    /// Places of unpaid orders.
    pub held: i64,
    pub taken: i64,
    pub remaining: i64,
    /// Null: all of it at the opening.
    pub releases: Option<Vec<ReleaseView>>,
    pub admission: Admission,
    pub state: State,
    pub opens_at: DateTime<Utc>,
    pub closes_at: DateTime<Utc>,
    pub buy_within_hours: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match. Sales don't change it.
    pub version: i32,
}

impl DriveView {
    pub fn new(drive: Drive, now: DateTime<Utc>) -> Self {
        let remaining = rules::remaining(&drive);
        let state = rules::state(&drive, now);
        let view = |release: Release| ReleaseView { at: release.at, quantity: release.quantity };
        Self {
            id: drive.id,
            code: drive.code,
            series: drive.series,
            names: Names { zh: drive.name_zh, en: drive.name_en },
            plan: drive.plan.id,
            quota: drive.quota,
            held: drive.held,
            taken: drive.taken,
            remaining,
            releases: drive.is_dated.then(|| drive.releases.into_iter().map(view).collect()),
            admission: drive.admission,
            state,
            opens_at: drive.opens_at,
            closes_at: drive.closes_at,
            buy_within_hours: drive.buy_within_hours,
            created_at: drive.created_at,
            archived_at: drive.archived_at,
            version: drive.version,
        }
    }
}

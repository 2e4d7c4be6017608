//! Number series over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Series, SeriesNumber};
use crate::types::id::{AccountId, NumberSeriesId};
use crate::types::locale::Names;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSeries {
    /// Small letters, digits, hyphens; never changes.
    #[schema(example = "teachers")]
    pub code: String,
    pub names: Names,
    /// 1 to 6 capital letters that no chapter and no other series has; never changes.
    #[schema(example = "LS")]
    pub prefix: String,
    /// The tag that an account must have to get a number.
    #[schema(example = "teacher")]
    pub role: String,
}

/// What is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesChange {
    #[serde(default)]
    #[schema(value_type = Option<Names>)]
    pub names: Patch<Names>,
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub role: Patch<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminNumberSeries)]
pub struct SeriesView {
    pub id: NumberSeriesId,
    pub code: String,
    pub names: Names,
    pub prefix: String,
    pub role: String,
    pub next_sequence: i64,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    /// Also the ETag: send it back as If-Match.
    pub version: i32,
}

impl From<Series> for SeriesView {
    fn from(series: Series) -> Self {
        Self {
            id: series.id,
            code: series.code,
            names: Names { zh: series.name_zh, en: series.name_en },
            prefix: series.prefix,
            role: series.role,
            next_sequence: series.next_sequence,
            created_at: series.created_at,
            archived_at: series.archived_at,
            version: series.version,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GiveNumber {
    pub account: AccountId,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminSeriesNumber)]
pub struct NumberView {
    pub number: String,
    pub account: AccountId,
    pub given_at: DateTime<Utc>,
}

impl From<SeriesNumber> for NumberView {
    fn from(number: SeriesNumber) -> Self {
        Self { number: number.number, account: number.account_id, given_at: number.given_at }
    }
}

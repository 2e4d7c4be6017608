//! Imports over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ImportKind;
use super::model::{ImportRow, ImportState, LineErrorRow};
use crate::types::id::{ImportId, JobId};

/// How a file is taken in.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// Tell what would be wrong, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Which errors are shown.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ErrorsQuery {
    /// Those of later lines than this; 0 by default.
    #[serde(default)]
    pub after_line: i32,
    /// 1 to 1000; 100 by default.
    pub limit: Option<i64>,
}

/// A file and how far it has come.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Import)]
pub struct ImportView {
    pub id: ImportId,
    pub kind: ImportKind,
    pub state: ImportState,
    /// Nothing was or will be changed.
    pub dry_run: bool,
    /// Below the header, blank ones not counted.
    pub lines: i32,
    pub lines_done: i32,
    /// Of those that are done; the others were entered.
    pub lines_failed: i32,
    /// Things that were made, or would have been.
    pub created: i32,
    pub changed: i32,
    /// The first errors after the line that was asked for, one a line.
    pub errors: Vec<LineErrorView>,
    /// The job that does it; in the answer to the upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// Why a line was not entered.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ImportError)]
pub struct LineErrorView {
    /// Of the file; the header is line 1.
    pub line: i32,
    /// Empty: the line as a whole.
    pub column: String,
    /// One of the stable codes of problems.
    pub code: String,
    pub message: String,
}

impl ImportView {
    pub fn new(row: ImportRow, errors: Vec<LineErrorRow>, job: Option<JobId>) -> Self {
        let error = |row: LineErrorRow| LineErrorView {
            line: row.line,
            column: row.column_name,
            code: row.code,
            message: row.message,
        };
        Self {
            id: row.id,
            kind: row.kind,
            state: row.state,
            dry_run: row.is_dry_run,
            lines: row.lines,
            lines_done: row.lines_done,
            lines_failed: row.lines_failed,
            created: row.created,
            changed: row.changed,
            errors: errors.into_iter().map(error).collect(),
            job,
            created_at: row.created_at,
            finished_at: row.finished_at,
        }
    }
}

//! Imports: files in CSV whose lines are done in the background, with progress, an error a line, and a dry run.
//!
//! [`service::accept`] takes a file: it is read as a whole ([`cells::read`]), so that a wrong encoding or wrong columns are
//! told at once, cut into parts of [`service::PART_LINES`] lines and stored, with a job, in one transaction. The job does
//! part after part ([`service::step`]), each in one transaction that also takes the part away: killed at any moment, an
//! import goes on with the part at which it stopped. A line that can't be done leaves an error and changes nothing; the
//! others of its part are done.
//!
//! To add a kind of import: a variant of [`ImportKind`] with its columns; a function that does the lines of a part in the
//! caller's transaction ([`Batch`] → [`Applied`]), called in [`apply`]; one that tells the same errors and writes nothing,
//! called in [`rehearse`], with what it must remember from part to part in [`Memory`]; and routes that call
//! [`service::accept`] and show [`dto::ImportView`], as `shop/products/import/routes.rs` does. Doing a line twice must do no
//! more than doing it once: who isn't sure that a file went through sends it again.

pub mod cells;
pub mod command;
pub mod dto;
pub mod model;
pub mod service;
pub mod upload;

use chrono::{DateTime, Utc};

use crate::audit::Actor;
use crate::checkout::shipments::import as shipments;
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::promotion::treats::import as treats;
use crate::shop::products::import;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What the lines of a file are.
    ImportKind {
        /// Products with their variants, a variant a line.
        Products = "products",
        /// Parcels that were sent.
        Shipments = "shipments",
        /// Partner coupons.
        TreatCodes = "treat_codes",
    }
}

/// A column that a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    /// Without it nothing can be done.
    pub is_required: bool,
}

impl ImportKind {
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Products => import::COLUMNS,
            Self::Shipments => shipments::COLUMNS,
            Self::TreatCodes => treats::COLUMNS,
        }
    }
}

/// A line of a file.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where it begins in the file, from 1; the header is one too.
    pub line: i32,
    columns: &'a [String],
    cells: &'a [String],
}

impl<'a> Row<'a> {
    /// The cell without blanks around it; none where the file has no such column.
    pub fn cell(&self, column: &str) -> Option<&'a str> {
        let index = self.columns.iter().position(|known| known == column)?;
        self.cells.get(index).map(|cell| cell.trim())
    }

    /// An error about one of its cells; `column` empty: about the line.
    pub fn error(&self, column: &str, code: Code, message: impl Into<String>) -> LineError {
        LineError { line: self.line, column: column.to_owned(), code, message: message.into() }
    }
}

/// Why a line was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    pub line: i32,
    /// Empty: the line as a whole.
    pub column: String,
    pub code: Code,
    pub message: String,
}

/// A part of a file, to be done in one transaction.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    pub rows: &'a [Row<'a>],
    /// Who handed the file in.
    pub actor: Actor,
    pub currency: &'a str,
    pub now: DateTime<Utc>,
}

/// What became of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub created: i32,
    pub changed: i32,
    /// One a line at most, in the order of the lines.
    pub errors: Vec<LineError>,
}

/// What a dry run remembers of the parts that it has seen: what they would have made.
#[derive(Default)]
pub struct Memory {
    products: import::Shelf,
    sent: shipments::Sent,
    treats: treats::Seen,
}

async fn apply(conn: &mut Conn, kind: ImportKind, batch: Batch<'_>) -> Result<Applied> {
    match kind {
        ImportKind::Products => import::apply(conn, batch).await,
        ImportKind::Shipments => shipments::apply(conn, batch).await,
        ImportKind::TreatCodes => treats::apply(conn, batch).await,
    }
}

async fn rehearse(
    conn: &mut Conn,
    kind: ImportKind,
    batch: Batch<'_>,
    memory: &mut Memory,
) -> Result<Applied> {
    match kind {
        ImportKind::Products => import::rehearse(conn, batch, &mut memory.products).await,
        ImportKind::Shipments => shipments::rehearse(conn, batch, &mut memory.sent).await,
        ImportKind::TreatCodes => treats::rehearse(conn, batch, &mut memory.treats).await,
    }
}

/// An error of a check that names a field, as one of a line.
pub fn line_error(row: &Row<'_>, column: &str, error: AppError) -> LineError {
    let detail = error.errors.into_iter().next().map(|field| field.detail);
    row.error(column, error.code, detail.unwrap_or_else(|| error.detail.into_owned()))
}

//! Check-ins over the wire.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::model::CheckIn;

/// A day on which somebody came by.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CheckInView {
    /// Of the shop.
    #[schema(value_type = String, format = "date")]
    pub day: NaiveDate,
    /// Days in a row, this one among them.
    pub streak: i32,
    /// What it gave.
    pub points: i64,
    pub created_at: DateTime<Utc>,
}

impl From<CheckIn> for CheckInView {
    fn from(row: CheckIn) -> Self {
        Self { day: row.day, streak: row.streak, points: row.points, created_at: row.created_at }
    }
}

/// Somebody's check-ins.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CheckInsView {
    /// The shop's day now.
    #[schema(value_type = String, format = "date")]
    pub today: NaiveDate,
    pub checked_in: bool,
    /// Days in a row up to today, or to yesterday as long as today can still be added.
    pub streak: i32,
    /// What the next one gives.
    pub next_points: i64,
    /// Of the last two months, the latest first.
    pub data: Vec<CheckInView>,
}

//! The report of sales over the wire.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::model::Row;
use super::rules::Span;
use crate::types::money::Money;

/// What a row of a report is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Days of the shop's zone, as `2014-09-01`.
    #[default]
    Day,
    /// Codes of channels.
    Channel,
    /// SKUs; plans by their code; `shipping`.
    Sku,
}

impl By {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Channel => "channel",
            Self::Sku => "sku",
        }
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SalesQuery {
    /// A day, in the shop's zone; thirty days before `until` by default.
    #[param(example = "2014-09-01")]
    pub from: Option<NaiveDate>,
    /// Exclusive; tomorrow by default.
    #[param(example = "2014-10-01")]
    pub until: Option<NaiveDate>,
    #[serde(default)]
    #[param(inline)]
    pub by: By,
}

/// What was sold of one thing, in one channel or on one day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SalesFigures {
    /// The day, channel or SKU; in `totals` it is `total`.
    pub key: String,
    /// Sold, less what channels took back.
    pub units: i64,
    /// Orders that were paid, and reports of channels.
    pub orders: i64,
    /// What was paid, shipping with it, on the day of the payment.
    pub revenue: Money,
    /// What went back, on the day on which it did. It isn't taken off the revenue.
    pub refunds: Money,
}

/// What was sold from one day to another.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SalesReport {
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    /// In which days begin.
    #[schema(example = "Asia/Shanghai")]
    pub zone: String,
    pub by: By,
    pub data: Vec<SalesFigures>,
    pub totals: SalesFigures,
}

impl SalesFigures {
    fn of(row: Row, currency: &str) -> Self {
        Self {
            key: row.key,
            units: row.units,
            orders: row.orders,
            revenue: Money::new(row.revenue_minor, currency),
            refunds: Money::new(row.refunds_minor, currency),
        }
    }
}

impl SalesReport {
    pub fn new(span: Span, zone: String, by: By, rows: Vec<Row>, totals: Vec<Row>, currency: &str) -> Self {
        let totals = totals.into_iter().next().unwrap_or_else(|| Row::nothing("total"));
        Self {
            from: span.from,
            until: span.until,
            zone,
            by,
            data: rows.into_iter().map(|row| SalesFigures::of(row, currency)).collect(),
            totals: SalesFigures::of(totals, currency),
        }
    }
}

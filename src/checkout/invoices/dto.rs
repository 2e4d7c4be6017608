//! Invoices over the wire: what a list says of each. The document itself is a page or a PDF.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::content::InvoiceKind;
use super::model::InvoiceRow;
use crate::error::Result;
use crate::types::id::{InvoiceId, OrderId, RefundId};
use crate::types::money::Money;

/// An invoice, a credit note or a correction. What it says never changes.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct InvoiceView {
    pub id: InvoiceId,
    pub kind: InvoiceKind,
    #[schema(example = "2014-000123")]
    pub number: String,
    pub order: OrderId,
    /// Of a credit note and its correction.
    pub refund: Option<RefundId>,
    /// The number of the invoice that a credit note is about, or of the note that a correction undoes.
    pub about: Option<String>,
    pub total: Money,
    /// Included in the total.
    pub tax_included: Money,
    /// Shown to operators who serve members; null once the buyer was erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub buyer: Option<Option<String>>,
    pub issued_at: DateTime<Utc>,
}

impl InvoiceView {
    /// # Errors
    /// When the row can't be read.
    pub fn of(row: &InvoiceRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            kind: row.kind,
            number: row.number.clone(),
            order: row.order_id,
            refund: row.refund_id,
            about: row.content()?.about.map(|about| about.number),
            total: Money::new(row.total_minor, &row.currency),
            tax_included: Money::new(row.tax_minor, &row.currency),
            buyer: None,
            issued_at: row.issued_at,
        })
    }

    /// With who bought.
    ///
    /// # Errors
    /// When the row can't be read.
    pub fn with_buyer(self, row: &InvoiceRow) -> Result<Self> {
        let buyer = row.buyer()?.map(|buyer| buyer.name.unwrap_or(buyer.email));
        Ok(Self { buyer: Some(buyer), ..self })
    }
}

/// Filters of an operator's list.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InvoiceFilter {
    pub kind: Option<InvoiceKind>,
    /// Of the shop's zone.
    pub year: Option<i32>,
    pub order: Option<OrderId>,
    pub number: Option<String>,
}

//! What an invoice says, as it is stored: frozen when it is issued. Amounts are minor units of its currency.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::types::id::LineId;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What is issued; each kind has numbers of its own.
    InvoiceKind {
        Invoice = "invoice",
        /// About a refund that went through.
        CreditNote = "credit_note",
        /// Undoes the credit note of a refund that was taken back.
        Correction = "correction",
    }
}

impl InvoiceKind {
    /// What its numbers begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Invoice => "",
            Self::CreditNote => "CN-",
            Self::Correction => "CI-",
        }
    }
}

/// All that stays when the buyer is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    pub seller: Seller,
    pub order_number: String,
    pub ordered_at: DateTime<Utc>,
    pub paid_at: DateTime<Utc>,
    /// How it was paid, as Stripe calls it; none where points or credit paid all of it.
    pub method: Option<String>,
    /// The invoice or credit note that this is about.
    pub about: Option<About>,
    pub lines: Vec<ContentLine>,
    pub shipping_minor: i64,
    /// What of the total was paid with points and with store credit; the rest was charged.
    pub points_minor: i64,
    pub credit_minor: i64,
    /// Totals by rate, the highest first.
    pub taxes: Vec<TaxSum>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    pub name: String,
    pub address: Vec<String>,
    pub tax_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub number: String,
    pub issued_at: DateTime<Utc>,
}

/// A line as it was sold; of a credit note, what of it went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentLine {
    pub line: LineId,
    pub title: String,
    /// None where a part of the line went back.
    pub quantity: Option<i64>,
    pub unit_price_minor: Option<i64>,
    pub discount_minor: i64,
    /// In hundredths of a percent.
    pub tax_rate_bp: i32,
    /// Included in the total.
    pub tax_minor: i64,
    pub total_minor: i64,
}

/// What is taxed at one rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxSum {
    pub rate_bp: i32,
    /// With tax.
    pub total_minor: i64,
    pub tax_minor: i64,
}

/// Who bought: the part of an invoice that erasure takes away.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buyer {
    pub name: Option<String>,
    pub email: String,
    /// Line by line; empty where nothing was sent.
    pub address: Vec<String>,
}

/// Personal data stays out of logs.
impl std::fmt::Debug for Buyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buyer").finish_non_exhaustive()
    }
}

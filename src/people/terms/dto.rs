//! What goes over the wire about terms of sale.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::TermsRow;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerms {
    /// The name that an order's `consents.terms` repeats.
    #[schema(max_length = 40, example = "2026-11")]
    pub version: String,
    /// Where the text is.
    #[schema(example = "https://shop.example/terms/2026-11")]
    pub url: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Terms {
    pub version: String,
    pub url: String,
    pub published_at: DateTime<Utc>,
}

impl From<TermsRow> for Terms {
    fn from(row: TermsRow) -> Self {
        Self { version: row.version, url: row.url, published_at: row.published_at }
    }
}

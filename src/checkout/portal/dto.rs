//! Visits to Stripe's page for saved cards, over the wire.

use serde::{Deserialize, Serialize};

use crate::types::id::PortalVisitId;

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortalRequest {
    /// Where the page's way back leads: of an allowed origin.
    pub return_url: String,
}

/// The page on which saved cards are looked after.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PortalVisit {
    pub id: PortalVisitId,
    /// Stripe's page, good for some minutes; null while it is being made: look again at the answer's `Location`.
    pub url: Option<String>,
    /// There is no page: `unavailable`, ask again later.
    pub failure: Option<String>,
}

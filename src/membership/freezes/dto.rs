//! Freezes over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// Then it goes on by itself: a day from now at least.
    pub until: DateTime<Utc>,
}

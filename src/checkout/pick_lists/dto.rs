//! Pick lists over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::PickList;
use crate::types::id::{DropId, PickListId};

/// Which orders to pick: of those that nobody picks yet, the ones that were promised soonest.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPickList {
    /// How many orders at most, up to 10,000.
    pub orders: i64,
    /// Of this drop alone.
    pub drop: Option<DropId>,
    /// With this article alone among others.
    pub sku: Option<String>,
}

/// Orders that are picked together.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PickList)]
pub struct PickListView {
    pub id: PickListId,
    /// How many orders were put on it.
    pub orders: i64,
    /// Of them, how many still have something to be sent.
    pub open: i64,
    pub created_at: DateTime<Utc>,
    /// What wasn't sent then is for others to pick.
    pub released_at: Option<DateTime<Utc>>,
}

impl PickListView {
    pub fn new(list: PickList, open: i64) -> Self {
        let PickList { id, orders, created_at, released_at, .. } = list;
        Self { id, orders, open, created_at, released_at }
    }
}

//! Waiting lists over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{EntryState, Standing};
use crate::membership::invitations::rules::shown_code;
use crate::types::id::{AccountId, DropId, VariantId, WaitingId};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWaiting {
    /// As the drop's item names it; of a bundle too.
    pub variant: VariantId,
    /// One.
    #[serde(default = "one")]
    #[schema(default = 1, minimum = 1, maximum = 1)]
    pub quantity: i64,
}

fn one() -> i64 {
    1
}

/// Your place in a waiting list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Waiting)]
pub struct WaitingView {
    pub id: WaitingId,
    pub drop: DropId,
    pub variant: VariantId,
    pub state: EntryState,
    /// 1: you are next. Null once you don't wait any more.
    pub position: Option<i64>,
    /// What is set aside for you, or was.
    pub offer: Option<WaitingOffer>,
    /// Why you were passed over when it was your turn, as an order would have been refused: `tier_required`, `cap_reached` …
    pub passed_over_for: Option<String>,
    pub joined_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// A unit that is set aside: order it with this code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WaitingOffer {
    /// Yours alone: send it as `f_code` of the order's line.
    #[schema(example = "7Q4M2-X9PAB")]
    pub f_code: String,
    /// Exclusive.
    pub expires_at: DateTime<Utc>,
}

/// An entry of a waiting list, as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminWaiting)]
pub struct AdminWaitingView {
    pub id: WaitingId,
    pub account: AccountId,
    pub variant: VariantId,
    /// Counted from 1 for each article; never given twice.
    pub place: i64,
    pub state: EntryState,
    pub position: Option<i64>,
    pub joined_at: DateTime<Utc>,
    pub offered_at: Option<DateTime<Utc>>,
    /// Until when the offer stands, or stood.
    pub offer_expires_at: Option<DateTime<Utc>>,
    /// Why he was passed over when it was his turn: `tier_required`, `cap_reached`, `account_erased` …
    pub passed_over_for: Option<String>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// The stored state is brought up to date when the code ends; that it was bought is known before.
fn state_of(standing: &Standing) -> EntryState {
    let is_bought = standing.offer.as_ref().is_some_and(|offer| offer.taken > 0);
    match standing.entry.state {
        EntryState::Offered if is_bought => EntryState::Taken,
        state => state,
    }
}

impl From<Standing> for WaitingView {
    fn from(standing: Standing) -> Self {
        let state = state_of(&standing);
        let Standing { entry, position, offer } = standing;
        Self {
            id: entry.id,
            drop: entry.drop,
            variant: entry.variant,
            state,
            position,
            offer: offer
                .map(|offer| WaitingOffer { f_code: shown_code(&offer.code), expires_at: offer.expires_at }),
            passed_over_for: entry.passed_over_for,
            joined_at: entry.joined_at,
            ended_at: entry.ended_at,
        }
    }
}

impl From<Standing> for AdminWaitingView {
    fn from(standing: Standing) -> Self {
        let state = state_of(&standing);
        let Standing { entry, position, offer } = standing;
        Self {
            id: entry.id,
            account: entry.account,
            variant: entry.variant,
            place: entry.place,
            state,
            position,
            joined_at: entry.joined_at,
            offered_at: entry.offered_at,
            offer_expires_at: offer.map(|offer| offer.expires_at),
            passed_over_for: entry.passed_over_for,
            ended_at: entry.ended_at,
        }
    }
}

//! Associates over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Cause, Named, State};
use super::rules::{self, Giving};
use crate::types::email::Email;
use crate::types::id::{AccountId, AssociateId};

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAssociate {
    /// Whoever has an account with this address, or makes one, may take the seat.
    #[schema(value_type = String, example = "bob@example.org")]
    pub email: Email,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssociateToken {
    /// Of the invitation's mail.
    pub token: String,
}

/// The seats that a plan gives.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct SeatsView {
    /// As many as the plan of the running term gives.
    pub allowed: i32,
    /// By invitations that are open.
    pub held: i32,
    /// By associates.
    pub taken: i32,
    /// So many may be invited.
    pub left: i32,
}

#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
#[schema(as = Associates)]
pub struct AssociatesView {
    pub seats: SeatsView,
    pub data: Vec<AssociateView>,
}

/// Somebody on a seat, or invited to one.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Associate)]
pub struct AssociateView {
    pub id: AssociateId,
    /// `invited` or `active`.
    pub state: State,
    /// The address that was invited, until somebody has taken the seat.
    pub email: Option<String>,
    pub name: Option<String>,
    pub number: Option<String>,
    pub invited_at: DateTime<Utc>,
    /// Of an invitation, exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    /// Since when it is taken.
    pub since: Option<DateTime<Utc>>,
}

impl AssociatesView {
    /// Invitations whose time is over count no more.
    pub fn new(named: Vec<Named>, giving: Option<Giving>, now: DateTime<Utc>) -> Self {
        let data: Vec<_> = named
            .into_iter()
            .filter(|(row, _, _)| row.state == State::Active || row.expires_at > now)
            .map(AssociateView::from)
            .collect();
        let count = |state| {
            let of_state = data.iter().filter(|view| view.state == state).count();
            i32::try_from(of_state).unwrap_or(i32::MAX)
        };
        let seats = SeatsView {
            allowed: giving.map_or(0, |giving| giving.seats),
            held: count(State::Invited),
            taken: count(State::Active),
            left: rules::left(giving, data.len()),
        };
        Self { seats, data }
    }
}

impl From<Named> for AssociateView {
    fn from((row, name, number): Named) -> Self {
        let is_invited = row.state == State::Invited;
        Self {
            id: row.id,
            state: row.state,
            email: row.email,
            name,
            number,
            invited_at: row.created_at,
            expires_at: is_invited.then_some(row.expires_at),
            since: row.accepted_at,
        }
    }
}

/// An associate as operators see it, open or over.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminAssociate)]
pub struct AdminAssociateView {
    pub id: AssociateId,
    pub account: Option<AccountId>,
    pub state: State,
    pub name: Option<String>,
    pub number: Option<String>,
    pub email: Option<String>,
    pub invited_at: DateTime<Utc>,
    pub since: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Why it ended.
    pub cause: Option<Cause>,
}

impl From<Named> for AdminAssociateView {
    fn from((row, name, number): Named) -> Self {
        Self {
            id: row.id,
            account: row.account_id,
            state: row.state,
            name,
            number,
            email: row.email,
            invited_at: row.created_at,
            since: row.accepted_at,
            ended_at: row.ended_at,
            cause: row.cause,
        }
    }
}

//! Invitations over the wire, for operators.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::Invitation;
use super::rules;
use crate::types::email::Email;
use crate::types::id::{DriveId, InvitationId};

/// Either `codes` or `emails`.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitations {
    /// Makes that many codes: 1 to 1000.
    pub codes: Option<i64>,
    /// How many places each code is good for: 1 by default.
    pub uses: Option<i64>,
    /// Reserves a place for each of these addresses: 1 to 1000. Who has verified the address needs no code.
    #[schema(value_type = Option<Vec<String>>)]
    pub emails: Option<Vec<Email>>,
    /// Exclusive; none: until the drive closes.
    pub expires_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    pub id: InvitationId,
    pub drive: DriveId,
    /// For the field `invitation` of an order's line.
    pub code: String,
    /// The address that it is reserved for, in lower case; null: whoever has the code.
    pub email: Option<String>,
    pub uses: i64,
    /// Uses of unpaid orders.
    pub held: i64,
    pub taken: i64,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id,
            drive: invitation.drive,
            code: rules::shown_code(&invitation.code),
            email: invitation.email_key,
            uses: invitation.uses,
            held: invitation.held,
            taken: invitation.taken,
            expires_at: invitation.expires_at,
            revoked_at: invitation.revoked_at,
            created_at: invitation.created_at,
        }
    }
}

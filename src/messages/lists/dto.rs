//! Lists and suppressed addresses over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Suppression, SuppressionReason};
use super::rules::MailList;
use crate::types::email::Email;
use crate::types::id::SuppressionId;
use crate::types::stored::stored_enum;

/// Which lists you are on. Announcements and coupons are sent only where `marketing` allows it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct MailPreferences {
    pub notices: bool,
    pub coupons: bool,
    pub birthday: bool,
    pub reminders: bool,
}

impl MailPreferences {
    /// Of an account that has left these lists.
    pub fn without(left: &[MailList]) -> Self {
        let is_on = |list| !left.contains(&list);
        Self {
            notices: is_on(MailList::Notices),
            coupons: is_on(MailList::Coupons),
            birthday: is_on(MailList::Birthday),
            reminders: is_on(MailList::Reminders),
        }
    }
}

/// Each may be left out. What orders, memberships and the account need can't be switched off.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MailPreferencesPatch {
    pub notices: Option<bool>,
    pub coupons: Option<bool>,
    pub birthday: Option<bool>,
    pub reminders: Option<bool>,
}

impl MailPreferencesPatch {
    /// What is asked for, list by list.
    pub fn wanted(self) -> impl Iterator<Item = (MailList, bool)> {
        let each = [
            (MailList::Notices, self.notices),
            (MailList::Coupons, self.coupons),
            (MailList::Birthday, self.birthday),
            (MailList::Reminders, self.reminders),
        ];
        each.into_iter().filter_map(|(list, wanted)| Some((list, wanted?)))
    }
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UnsubscribeQuery {
    /// Of the mail.
    #[serde(default)]
    pub t: String,
}

/// You are off this list; others stay as they are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Unsubscribed {
    pub list: MailList,
}

stored_enum! {
    /// What became of a mail, as the mail's provider tells it.
    BounceKind {
        /// The address will never take a mail.
        HardBounce = "hard_bounce",
        /// It didn't take this one.
        SoftBounce = "soft_bounce",
        /// Its reader calls it spam.
        Complaint = "complaint",
        /// An operator doesn't want it written to.
        ByHand = "by_hand",
    }
}

/// Of an address, or of a mail by its Message-ID.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounce {
    pub kind: BounceKind,
    #[schema(value_type = Option<String>, format = "email")]
    pub address: Option<Email>,
    /// With or without its angle brackets.
    #[schema(example = "<mail_…@shop.example>")]
    pub message_id: Option<String>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BounceTaken {
    /// Nothing of a list goes to the address any more.
    pub suppressed: bool,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Suppression)]
pub struct SuppressionView {
    pub id: SuppressionId,
    pub address: String,
    pub reason: SuppressionReason,
    pub created_at: DateTime<Utc>,
}

impl From<Suppression> for SuppressionView {
    fn from(row: Suppression) -> Self {
        Self { id: row.id, address: row.email_key, reason: row.reason, created_at: row.created_at }
    }
}

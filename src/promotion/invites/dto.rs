//! Invite codes over the wire.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::promotion::referrals::programme::Reward;
use crate::types::money::Money;

/// Your own code, and what comes of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct InviteCode {
    /// Friends give it as `invite_code` when they sign up or order.
    #[schema(example = "7Q4M2X9PABK")]
    pub code: String,
    /// The storefront, with the code: `?invite=…`.
    #[schema(example = "https://shop.example/?invite=7Q4M2X9PABK")]
    pub link: String,
    pub programme: PublicProgramme,
}

/// What the shop gives now to who invites, and to who comes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicProgramme {
    /// False: nothing is given now.
    pub is_open: bool,
    /// What you get; null: nothing.
    pub inviter_reward: Option<Reward>,
    /// What your friend gets; null: nothing.
    pub friend_reward: Option<Reward>,
    /// What the friend's first order must come to at least, without shipping.
    pub minimum_order: Money,
    pub ends_at: Option<DateTime<Utc>>,
}

//! What a gift membership may be sold for, and who can redeem it. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::GiftRow;
use crate::checkout::gift_codes::rules::{Marks, Receiver, State, may_deliver};
use crate::error::{AppError, Code, Result};
use crate::membership::memberships::model::{MembershipRow, Stored};
use crate::membership::memberships::rules::{GRACE, Joining, joining};
use crate::membership::plans::model::Plan;
use crate::types::email::Email;
use crate::types::id::TierId;

/// The buyer is reminded so long before a gift expires that nobody has redeemed.
pub const REMINDERS: [TimeDelta; 2] = [TimeDelta::days(30), TimeDelta::days(7)];

/// Can a term of this plan be given away, to be delivered then?
///
/// # Errors
/// `unknown_plan`; `plan_not_given` for one that isn't on open sale: its places are for people, one each; `gift_to_oneself`;
/// `invalid_field`.
pub fn may_sell(
    field: &str,
    plan: &Plan,
    buyer: Option<&str>,
    to: Option<&Receiver>,
    now: DateTime<Utc>,
) -> Result<()> {
    if plan.archived_at.is_some() {
        return Err(Code::UnknownPlan.at(format!("{field}.plan"), "unknown"));
    }
    if !plan.open_sale {
        return Err(Code::PlanNotGiven.at(format!("{field}.plan"), "not on open sale"));
    }
    let person = |email: &str| email.parse().ok().map(|email: Email| email.person());
    if let Some(to) = to
        && buyer.and_then(person) == Some(to.email.person())
    {
        return Err(Code::GiftToOneself.at(format!("{field}.to.email"), "your own address"));
    }
    may_deliver(field, to, now)
}

/// Where it stands.
pub fn state(gift: &GiftRow, now: DateTime<Utc>) -> State {
    let marks = Marks {
        activated_at: gift.activated_at,
        delivered_at: gift.delivered_at,
        expires_at: gift.expires_at,
        redeemed_at: gift.redeemed_at,
        held_at: gift.held_at,
        voided_at: gift.voided_at,
    };
    marks.state(now)
}

/// Why nobody can redeem it now.
///
/// # Errors
/// `gift_redeemed`, `gift_void`, `gift_held`, `gift_expired`.
pub fn may_redeem(gift: &GiftRow, now: DateTime<Utc>) -> Result<(), Code> {
    match state(gift, now) {
        State::Open => Ok(()),
        State::Redeemed => Err(Code::GiftRedeemed),
        State::Held => Err(Code::GiftHeld),
        State::Expired => Err(Code::GiftExpired),
        State::Void | State::Unpaid | State::Scheduled => Err(Code::GiftVoid),
    }
}

/// Why somebody can't redeem it now: the gift stays good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    /// From when on he can, as far as that is known.
    pub from: Option<DateTime<Utc>>,
}

impl Refusal {
    pub fn error(self) -> AppError {
        match self.from {
            Some(from) => self.code.at("code", format!("it can be redeemed from {} on", from.to_rfc3339())),
            None => self.code.error(),
        }
    }
}

/// Can who has these memberships, newest first, get a term of this tier? It stands behind what runs of the same tier, or starts
/// anew; it is never put in the place of anything. While another tier runs, whether higher or lower, there is nothing that it
/// could be added to: it waits until that is over.
///
/// # Errors
/// `membership_order_pending` while an order may still change it; `membership_revoked` for one that was thrown out;
/// `membership_frozen`, `already_for_life`, `other_tier_runs`.
pub fn may_receive(
    held: &[MembershipRow],
    tier: TierId,
    is_ordering: bool,
    now: DateTime<Utc>,
) -> Result<Joining, Refusal> {
    let refuse = |code| Refusal { code, from: None };
    if is_ordering {
        return Err(refuse(Code::MembershipOrderPending));
    }
    let open = held.iter().find(|row| row.is_open());
    if open.is_none() && held.first().is_some_and(|row| row.state == Stored::Revoked) {
        return Err(refuse(Code::MembershipRevoked));
    }
    joining(open, tier, now, GRACE).map_err(|code| match (code, open.and_then(|row| row.ends_at)) {
        (Code::UseUpgradeQuote, Some(end)) => Refusal { code: Code::OtherTierRuns, from: Some(end) },
        (Code::UseUpgradeQuote, None) => refuse(Code::AlreadyForLife),
        (code, _) => refuse(code),
    })
}

/// Until when a gift is to be redeemed: so long from its delivery, or from its payment where that comes later.
pub fn expires_at(gift: &GiftRow, valid: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    gift.deliver_at.max(now) + valid
}

/// When its buyer is reminded of it.
pub fn reminders(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    REMINDERS.iter().map(|before| expires_at - *before).filter(|at| *at > now).collect()
}

/// Which of the reminders is due: the one whose time was the last to come. None long before the end.
pub fn reminder_due(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
    let come = REMINDERS.iter().filter(|before| expires_at - **before <= now);
    come.map(TimeDelta::num_days).min()
}

/// Until when it is to be redeemed once a dispute of it is over: the time for which it was held is given back.
pub fn let_go_until(gift: &GiftRow, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let held = gift.held_at.map_or(TimeDelta::zero(), |held_at| now - held_at);
    gift.expires_at.map(|end| end + held)
}

#[cfg(test)]
mod tests;

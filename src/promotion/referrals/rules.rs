//! What a referral comes to, from facts alone.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Referral, ReferralState, RewardRow, Side};
use crate::types::id::{AccountId, OrderId};
use crate::types::stored::stored_enum;

/// After the return window, or after an operator released it, what is missing (a verified address, a membership to lengthen)
/// is waited for that long.
pub const WAIT_MAX: TimeDelta = TimeDelta::days(30);
/// Between two looks at what can't be told a time for.
pub const LOOK_AGAIN: TimeDelta = TimeDelta::days(1);

stored_enum! {
    /// Why a referral may be no real one.
    Signal as "ReferralSignal" {
        /// Both are one person: the same address but for dots or a tag.
        SamePerson = "same_person",
        /// The card has paid an order of the inviter's.
        InvitersCard = "inviters_card",
        /// The card has paid an order of somebody else's.
        CardUsedBefore = "card_used_before",
        /// The parcel goes where parcels of the inviter went, or where he has an address.
        InvitersAddress = "inviters_address",
        /// The parcel goes where another friend's went.
        SharedAddress = "shared_address",
        /// The friend has invited the inviter.
        Mutual = "mutual",
    }
}

impl Signal {
    /// One invites oneself: there is nothing for an operator to look at.
    pub fn is_certain(self) -> bool {
        matches!(self, Self::SamePerson | Self::InvitersCard)
    }
}

/// How the payment of the friend's order is disputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispute {
    /// Not, or it was won.
    None,
    Open,
    Lost,
}

/// The friend's order as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub order: OrderId,
    pub friend: AccountId,
    /// None once the account is erased.
    pub person: Option<String>,
    /// The friend, under whatever account, hadn't paid an order before.
    pub is_first: bool,
    pub placed_at: DateTime<Utc>,
    /// What goods and terms came to, without shipping.
    pub basis_minor: i64,
    /// What of it wasn't paid back.
    pub kept_minor: i64,
    pub dispute: Dispute,
    /// When nothing of it can be sent back any more (exclusive); none while that can't be told.
    pub final_at: Option<DateTime<Utc>>,
    /// Of where its goods go.
    pub address_hash: Option<String>,
}

/// Why a referral ends now, if it does: the order no longer is what it was made for.
pub fn lost(referral: &Referral, bought: &Bought) -> Option<&'static str> {
    match bought.dispute {
        Dispute::Lost => Some("dispute_lost"),
        // A guest's order was adopted by an account that has come before, or is the inviter's.
        _ if referral.friend_id != bought.friend => Some("self_invitation"),
        _ if referral.state.is_open() && !bought.is_first => Some("not_new"),
        _ if bought.kept_minor < referral.minimum_minor.max(1) => Some("refunded"),
        _ => None,
    }
}

/// Where a referral that isn't decided stands: (state, reason).
pub fn standing(referral: &Referral, bought: &Bought) -> (ReferralState, Option<&'static str>) {
    if bought.dispute == Dispute::Open {
        (ReferralState::Held, Some("dispute"))
    } else if !referral.signals.is_empty() && referral.released_at.is_none() {
        (ReferralState::Held, Some("suspicious"))
    } else {
        (ReferralState::Pending, None)
    }
}

/// Can a side be given its reward?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    Yes,
    /// Not yet, for this reason.
    NotYet(&'static str),
    /// Never: its account is gone.
    Never,
}

/// What is done with a referral that stands, once it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is looked at again then, and waits for this reason.
    Wait(DateTime<Utc>, Option<&'static str>),
    Refuse(&'static str),
    /// These sides are given their reward; the others lose it.
    Reward(Vec<Side>),
}

/// Decides about a referral that is pending. `ready` tells of each side whether it could be given what it was promised; the
/// friend is among them even where he was promised nothing, for he must be somebody.
pub fn decide(
    final_at: Option<DateTime<Utc>>,
    released_at: Option<DateTime<Utc>>,
    ready: &[(Side, Ready)],
    now: DateTime<Utc>,
) -> Decision {
    let Some(final_at) = final_at else { return Decision::Wait(now + LOOK_AGAIN, None) };
    if now < final_at {
        return Decision::Wait(final_at, None);
    }
    let of = |side: Side| ready.iter().find(|(of, _)| *of == side).map(|(_, ready)| *ready);
    if of(Side::Friend) == Some(Ready::Never) {
        return Decision::Refuse("friend_gone");
    }
    let waits = ready.iter().find_map(|(_, ready)| match ready {
        Ready::NotYet(why) => Some(*why),
        Ready::Yes | Ready::Never => None,
    });
    // While an operator looked at it nobody knew that something was missing.
    let until = released_at.map_or(final_at, |at| at.max(final_at)) + WAIT_MAX;
    if let Some(why) = waits
        && now < until
    {
        return Decision::Wait((now + LOOK_AGAIN).min(until), Some(why));
    }
    if of(Side::Friend) == Some(Ready::NotYet(FRIEND_NOT_VERIFIED)) {
        return Decision::Refuse(FRIEND_NOT_VERIFIED);
    }
    let given = ready.iter().filter(|(_, ready)| *ready == Ready::Yes).map(|(side, _)| *side);
    Decision::Reward(given.collect())
}

/// What of the programme's budget isn't needed once these sides alone are given what was promised.
pub fn spared_minor(rewards: &[RewardRow], given: &[Side]) -> i64 {
    rewards.iter().filter(|row| !given.contains(&row.side)).filter_map(|row| row.amount_minor).sum()
}

/// The friend's address isn't verified.
pub const FRIEND_NOT_VERIFIED: &str = "friend_not_verified";
/// The inviter's address isn't verified.
pub const INVITER_NOT_VERIFIED: &str = "inviter_not_verified";

/// A friend's name as his inviter sees it: the first letter.
pub fn masked(name: Option<&str>) -> Option<String> {
    let first = name?.trim().chars().next()?;
    Some(format!("{first}**"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promotion::referrals::programme::Reward;
    use crate::types::id::ReferralId;
    use crate::types::money::Money;

    fn noon() -> DateTime<Utc> {
        "2014-06-17T04:00:00Z".parse().unwrap()
    }

    fn referral(minimum_minor: i64) -> Referral {
        Referral {
            id: ReferralId::new(),
            inviter_id: AccountId::new(),
            friend_id: AccountId::new(),
            person_key: "friend@b.test".to_owned(),
            order_id: OrderId::new(),
            code: "CODE".to_owned(),
            day: noon().date_naive(),
            basis_minor: 10_000,
            minimum_minor,
            budget_minor: 0,
            state: ReferralState::Pending,
            reason: None,
            signals: Vec::new(),
            released_at: None,
            address_hash: None,
            created_at: noon(),
            ended_at: None,
        }
    }

    fn bought(by: &Referral, kept_minor: i64, dispute: Dispute) -> Bought {
        Bought {
            order: by.order_id,
            friend: by.friend_id,
            person: None,
            is_first: true,
            placed_at: noon(),
            basis_minor: 10_000,
            kept_minor,
            dispute,
            final_at: Some(noon()),
            address_hash: None,
        }
    }

    #[test]
    fn what_is_kept_must_come_to_the_minimum() {
        let with = |minimum, kept| {
            let referral = referral(minimum);
            lost(&referral, &bought(&referral, kept, Dispute::None))
        };
        assert_eq!((with(0, 1), with(0, 0)), (None, Some("refunded")));
        assert_eq!((with(5_000, 5_000), with(5_000, 4_999)), (None, Some("refunded")));
        let plain = referral(0);
        assert_eq!(lost(&plain, &bought(&plain, 10_000, Dispute::Open)), None);
        assert_eq!(lost(&plain, &bought(&plain, 10_000, Dispute::Lost)), Some("dispute_lost"));
        let others = bought(&referral(0), 10_000, Dispute::None);
        assert_eq!(lost(&plain, &others), Some("self_invitation"));
    }

    #[test]
    fn a_dispute_or_a_signal_that_nobody_looked_at_holds() {
        let plain = referral(0);
        let quiet = bought(&plain, 10_000, Dispute::None);
        let disputed = bought(&plain, 10_000, Dispute::Open);
        assert_eq!(standing(&plain, &quiet), (ReferralState::Pending, None));
        assert_eq!(standing(&plain, &disputed), (ReferralState::Held, Some("dispute")));
        let mut seen = plain.clone();
        seen.note(&[Signal::SharedAddress, Signal::SharedAddress]);
        assert_eq!(seen.signals, ["shared_address"]);
        assert_eq!(standing(&seen, &quiet), (ReferralState::Held, Some("suspicious")));
        seen.released_at = Some(noon());
        assert_eq!(standing(&seen, &quiet), (ReferralState::Pending, None));
        assert_eq!(standing(&seen, &disputed).0, ReferralState::Held);
    }

    #[test]
    fn nothing_is_given_before_the_end_of_the_return_window() {
        let both = [(Side::Inviter, Ready::Yes), (Side::Friend, Ready::Yes)];
        let tick = TimeDelta::microseconds(1);
        let decide = |final_at, now| decide(final_at, None, &both, now);
        assert_eq!(decide(None, noon()), Decision::Wait(noon() + LOOK_AGAIN, None));
        assert_eq!(decide(Some(noon()), noon() - tick), Decision::Wait(noon(), None));
        assert_eq!(decide(Some(noon()), noon()), Decision::Reward(vec![Side::Inviter, Side::Friend]));
    }

    #[test]
    fn what_is_missing_is_waited_for_and_then_lost() {
        let end = noon() + WAIT_MAX;
        let tick = TimeDelta::microseconds(1);
        let decide = |final_at, ready: &[_], now| decide(final_at, None, ready, now);
        let inviter = [(Side::Inviter, Ready::NotYet("no_membership")), (Side::Friend, Ready::Yes)];
        let wait = Decision::Wait(noon() + LOOK_AGAIN, Some("no_membership"));
        assert_eq!(decide(Some(noon()), &inviter, noon()), wait);
        assert_eq!(decide(Some(noon()), &inviter, end - tick), Decision::Wait(end, Some("no_membership")));
        assert_eq!(decide(Some(noon()), &inviter, end), Decision::Reward(vec![Side::Friend]));
        let friend = [(Side::Inviter, Ready::Yes), (Side::Friend, Ready::NotYet(FRIEND_NOT_VERIFIED))];
        assert_eq!(decide(Some(noon()), &friend, end), Decision::Refuse(FRIEND_NOT_VERIFIED));
        let gone = [(Side::Inviter, Ready::Yes), (Side::Friend, Ready::Never)];
        assert_eq!(decide(Some(noon()), &gone, noon()), Decision::Refuse("friend_gone"));
        let left = [(Side::Inviter, Ready::Never), (Side::Friend, Ready::Yes)];
        assert_eq!(decide(Some(noon()), &left, noon()), Decision::Reward(vec![Side::Friend]));
    }

    #[test]
    fn what_is_missing_is_waited_for_from_the_release_on() {
        let inviter = [(Side::Inviter, Ready::NotYet("no_membership")), (Side::Friend, Ready::Yes)];
        let tick = TimeDelta::microseconds(1);
        let late = noon() + WAIT_MAX * 2;
        let at = |released_at, now| decide(Some(noon()), Some(released_at), &inviter, now);
        assert_eq!(at(late, late), Decision::Wait(late + LOOK_AGAIN, Some("no_membership")));
        let end = late + WAIT_MAX;
        assert_eq!(at(late, end - tick), Decision::Wait(end, Some("no_membership")));
        assert_eq!(at(late, end), Decision::Reward(vec![Side::Friend]));
        // One that was released before the end of the window gains nothing by it.
        assert_eq!(at(noon() - LOOK_AGAIN, noon() + WAIT_MAX), Decision::Reward(vec![Side::Friend]));
    }

    #[test]
    fn a_side_that_gets_nothing_spares_its_part_of_the_budget() {
        let credit = |side, minor| {
            let amount = Money::new(minor, "CNY");
            RewardRow::promised(ReferralId::new(), side, &Reward::Credit { amount })
        };
        let both = [credit(Side::Inviter, 2_000), credit(Side::Friend, 1_000)];
        let spared = |given: &[Side]| spared_minor(&both, given);
        assert_eq!(
            (spared(&[Side::Inviter, Side::Friend]), spared(&[Side::Friend]), spared(&[])),
            (0, 2_000, 3_000)
        );
        let days =
            RewardRow::promised(ReferralId::new(), Side::Inviter, &Reward::MembershipDays { days: 30 });
        assert_eq!(spared_minor(&[days], &[]), 0);
    }

    #[test]
    fn of_a_name_one_letter_is_shown() {
        assert_eq!(masked(Some(" 张三丰 ")).as_deref(), Some("张**"));
        assert_eq!(
            (masked(Some("Ann")).as_deref(), masked(Some(" ")), masked(None)),
            (Some("A**"), None, None)
        );
    }
}

//! When a drop sells, to whom, and what its codes are good for.

use chrono::{DateTime, Utc};

use super::model::{AudienceOf, Drop, FCode, Item};
use crate::error::Code;
use crate::shop::audience::{Ranks, Visitor};
use crate::shop::products::rules::UnitPrice;
use crate::types::id::AccountId;
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a drop stands.
    DropState {
        Scheduled = "scheduled",
        Open = "open",
        SoldOut = "sold_out",
        Closed = "closed",
    }
}

/// Follows from the clock and the pools. It is open once its first audience is let in.
pub fn state(drop: &Drop, now: DateTime<Utc>) -> DropState {
    if drop.archived_at.is_some() || now >= drop.closes_at {
        DropState::Closed
    } else if now < first_opening(drop) {
        DropState::Scheduled
    } else if drop.items.iter().all(|item| item.on_sale() < 1) {
        DropState::SoldOut
    } else {
        DropState::Open
    }
}

/// When the first ones may buy.
pub fn first_opening(drop: &Drop) -> DateTime<Utc> {
    drop.audiences.iter().map(|of| of.opens_at).min().unwrap_or(drop.opens_at)
}

/// The audiences through which this visitor may buy now, in the order in which they are tried; none: everybody may, from
/// the drop's opening on.
///
/// # Errors
/// `closed`; `not_open`, where his audience's time has still to come; else why he is in none of them.
pub fn doors<'a>(
    drop: &'a Drop,
    visitor: Visitor,
    ranks: &Ranks,
    now: DateTime<Utc>,
) -> Result<Vec<&'a AudienceOf>, Code> {
    if drop.archived_at.is_some() || now >= drop.closes_at {
        return Err(Code::Closed);
    }
    if drop.audiences.is_empty() {
        return if now < drop.opens_at { Err(Code::NotOpen) } else { Ok(Vec::new()) };
    }
    let his: Vec<_> = drop.audiences.iter().filter(|of| of.buyers.admits(visitor, ranks)).collect();
    let open: Vec<_> = his.iter().copied().filter(|of| of.opens_at <= now).collect();
    match (his.is_empty(), open.is_empty()) {
        (false, false) => Ok(open),
        (false, true) => Err(Code::NotOpen),
        (true, _) => Err(drop
            .audiences
            .iter()
            .find_map(|of| of.buyers.admit(visitor, ranks).err())
            .unwrap_or(Code::NotOpen)),
    }
}

/// Is this visitor in one of the drop's audiences, whatever the time?
///
/// # Errors
/// Why he is in none of them.
pub fn is_meant(drop: &Drop, visitor: Visitor, ranks: &Ranks) -> Result<(), Code> {
    if opens_for(drop, visitor, ranks).is_some() {
        return Ok(());
    }
    drop.audiences.iter().try_for_each(|of| of.buyers.admit(visitor, ranks))
}

/// From when this visitor may buy; none: he is in no audience.
pub fn opens_for(drop: &Drop, visitor: Visitor, ranks: &Ranks) -> Option<DateTime<Utc>> {
    if drop.audiences.is_empty() {
        return Some(drop.opens_at);
    }
    drop.audiences.iter().filter(|of| of.buyers.admits(visitor, ranks)).map(|of| of.opens_at).min()
}

/// Why a price is what it is: it is lawful in this drop alone.
pub const DROP_PRICE: &str = "drop_price";

/// The price of one unit in a drop: that of the drop, where it is for this visitor and lower than `elsewhere`, which he
/// would pay outside of it.
pub fn unit_price(elsewhere: UnitPrice, item: &Item, visitor: Visitor, ranks: &Ranks) -> UnitPrice {
    match item.price.as_ref().filter(|price| price.buyers.admits(visitor, ranks)) {
        Some(price) if price.minor < elsewhere.minor => UnitPrice { minor: price.minor, why: DROP_PRICE },
        _ => elsewhere,
    }
}

/// Who would use a code.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    pub account: AccountId,
    pub email_key: Option<&'a str>,
}

/// May this buyer use the code for that article now? Whether its unit is still there is its pool's to say.
///
/// # Errors
/// `f_code_expired`, `f_code_not_yours`.
pub fn may_use(code: &FCode, holder: Holder<'_>, now: DateTime<Utc>) -> Result<(), Code> {
    let is_his = match (code.account, code.email_key.as_deref()) {
        (Some(account), _) => account == holder.account,
        (None, Some(key)) => Some(key) == holder.email_key,
        (None, None) => true,
    };
    if !is_his {
        return Err(Code::FCodeNotYours);
    }
    if code.ended_at.is_some() || code.expires_at <= now {
        return Err(Code::FCodeExpired);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::shop::audience::Audience;
    use crate::shop::drops::model::ItemPrice;
    use crate::types::id::{AudienceId, DropId, FCodeId, PoolId, TierId, VariantId};
    use crate::types::locale::Names;

    fn start() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    /// Diehard members a day before, regular ones an hour before, everybody at the start.
    fn drop() -> Drop {
        let of = |buyers, before: TimeDelta| AudienceOf {
            id: AudienceId::new(),
            buyers,
            opens_at: start() - before,
            pool: None,
            allocation: None,
        };
        let tier = |code: &str| Audience::Tier { at_least: code.to_owned() };
        Drop {
            id: DropId::new(),
            code: "book-box".into(),
            names: Names::new("书盒", "Book box"),
            opens_at: start(),
            closes_at: start() + TimeDelta::hours(2),
            cap_per_person: Some(1),
            created_at: start(),
            archived_at: None,
            version: 1,
            items: vec![Item {
                variant: VariantId::new(),
                is_bundle: true,
                pool: PoolId::new(),
                capacity: 10,
                held: 4,
                taken: 5,
                waiting: 0,
                price: None,
            }],
            audiences: vec![
                of(tier("diehard"), TimeDelta::hours(24)),
                of(tier("regular"), TimeDelta::hours(1)),
                of(Audience::Everyone, TimeDelta::zero()),
            ],
            goal: None,
        }
    }

    #[test]
    fn each_is_let_in_at_his_time() {
        let ranks = Ranks::new([
            (TierId::new(), "regular".to_owned(), 10),
            (TierId::new(), "diehard".to_owned(), 20),
        ]);
        let visitor = |tier_rank| Visitor { is_signed_in: true, tier_rank, ..Visitor::default() };
        let (guest, regular, diehard) = (visitor(None), visitor(Some(10)), visitor(Some(20)));
        let drop = drop();
        let tick = TimeDelta::microseconds(1);
        let count = |who, at| doors(&drop, who, &ranks, at).map(|doors| doors.len());
        let (day, hour) = (start() - TimeDelta::hours(24), start() - TimeDelta::hours(1));
        assert_eq!(count(diehard, day - tick), Err(Code::NotOpen));
        assert_eq!(count(diehard, day), Ok(1));
        assert_eq!(count(regular, hour - tick), Err(Code::NotOpen));
        assert_eq!(count(regular, hour), Ok(1));
        assert_eq!(count(guest, start() - tick), Err(Code::NotOpen));
        assert_eq!(count(guest, start()), Ok(1));
        assert_eq!(count(diehard, start()), Ok(3));
        assert_eq!(count(guest, start() + TimeDelta::hours(2)), Err(Code::Closed));
        let members = Drop { audiences: drop.audiences[..2].to_vec(), ..drop.clone() };
        assert_eq!(doors(&members, guest, &ranks, start()).unwrap_err(), Code::MembersOnly);
        let open = Drop { audiences: Vec::new(), ..drop };
        assert_eq!(doors(&open, guest, &ranks, start() - tick).unwrap_err(), Code::NotOpen);
        assert!(doors(&open, guest, &ranks, start()).unwrap().is_empty());
    }

    #[test]
    fn a_drops_own_price_is_for_whom_it_is_meant_and_only_if_it_is_lower() {
        let ranks = Ranks::new([(TierId::new(), "diehard".to_owned(), 20)]);
        let visitor = |tier_rank| Visitor { is_signed_in: true, tier_rank, ..Visitor::default() };
        let buyers = Audience::Tier { at_least: "diehard".to_owned() };
        let mut item = drop().items.remove(0);
        let elsewhere = UnitPrice { minor: 199_900, why: "list_price" };
        assert_eq!(unit_price(elsewhere, &item, visitor(Some(20)), &ranks), elsewhere);
        item.price = Some(ItemPrice { minor: 149_900, buyers: buyers.clone() });
        let sample = UnitPrice { minor: 149_900, why: DROP_PRICE };
        assert_eq!(unit_price(elsewhere, &item, visitor(Some(20)), &ranks), sample);
        assert_eq!(unit_price(elsewhere, &item, visitor(Some(10)), &ranks), elsewhere);
        item.price = Some(ItemPrice { minor: 199_900, buyers });
        assert_eq!(unit_price(elsewhere, &item, visitor(Some(20)), &ranks), elsewhere);
    }

    #[test]
    fn states_follow_the_clock_and_the_pools() {
        let first = drop();
        let day = start() - TimeDelta::hours(24);
        assert_eq!(state(&first, day - TimeDelta::microseconds(1)), DropState::Scheduled);
        assert_eq!(state(&first, day), DropState::Open);
        assert_eq!(state(&first, first.closes_at), DropState::Closed);
        let mut full = drop();
        full.items[0].held = 5;
        assert_eq!(state(&full, start()), DropState::SoldOut);
        let mut kept = drop();
        kept.items[0].waiting = 1;
        assert_eq!(state(&kept, start()), DropState::SoldOut, "the last one is for who waits");
    }

    #[test]
    fn a_code_is_good_until_its_end_and_for_its_person() {
        let code = FCode {
            id: FCodeId::new(),
            drop: DropId::new(),
            variant: VariantId::new(),
            code: "7Q4M2X9PAB".into(),
            pool: PoolId::new(),
            email_key: Some("a@b.org".into()),
            account: None,
            is_offer: false,
            expires_at: start(),
            ended_at: None,
            created_at: start(),
            held: 0,
            taken: 0,
        };
        let before = start() - TimeDelta::microseconds(1);
        let account = AccountId::new();
        let may_use = |code: &FCode, email_key, at| may_use(code, Holder { account, email_key }, at);
        assert_eq!(may_use(&code, Some("a@b.org"), before), Ok(()));
        assert_eq!(may_use(&code, Some("a@b.org"), start()), Err(Code::FCodeExpired));
        assert_eq!(may_use(&code, Some("c@b.org"), before), Err(Code::FCodeNotYours));
        assert_eq!(may_use(&code, None, before), Err(Code::FCodeNotYours));
        let own = FCode { email_key: None, account: Some(account), ..code.clone() };
        assert_eq!(may_use(&own, None, before), Ok(()));
        let foreign = FCode { account: Some(AccountId::new()), ..own };
        assert_eq!(may_use(&foreign, Some("a@b.org"), before), Err(Code::FCodeNotYours));
        let open = FCode { email_key: None, ..code.clone() };
        assert_eq!(may_use(&open, None, before), Ok(()));
        let ended = FCode { ended_at: Some(before), ..open };
        assert_eq!(may_use(&ended, None, before), Err(Code::FCodeExpired));
    }
}

//! What two baskets are together, and what has changed since something was put in.

use super::model::Kept;
use crate::checkout::orders::dto::{LINES_MAX, LineRequest};
use crate::error::Code;
use crate::types::stored::stored_enum;

stored_enum! {
    /// What is different since a line was put in.
    Change as "BasketChange" {
        PriceChanged = "price_changed",
        /// There is not enough of it left; there was.
        SoldOut = "sold_out",
        /// It isn't sold any more.
        Gone = "gone",
    }
}

/// A line as it was put in, or as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State<'a> {
    /// Of one unit; none where it isn't there.
    pub unit_minor: Option<i64>,
    /// The code of the refusal.
    pub refusal: Option<&'a str>,
}

/// What has changed between the two.
pub fn changes(before: State<'_>, now: State<'_>) -> Vec<Change> {
    let new = |is: fn(&str) -> bool| now.refusal.is_some_and(is) && !before.refusal.is_some_and(is);
    let mut changes = Vec::new();
    if now.unit_minor.is_some() && now.unit_minor != before.unit_minor {
        changes.push(Change::PriceChanged);
    }
    if new(is_sold_out) {
        changes.push(Change::SoldOut);
    }
    if new(is_gone) {
        changes.push(Change::Gone);
    }
    changes
}

fn is_one_of(refusal: &str, codes: &[Code]) -> bool {
    codes.iter().any(|code| code.as_str() == refusal)
}

fn is_sold_out(refusal: &str) -> bool {
    let codes = [
        Code::SoldOut,
        Code::OutOfStock,
        Code::AudienceSoldOut,
        Code::PartSoldOut,
        Code::FCodeUsed,
        Code::InvitationUsedUp,
    ];
    is_one_of(refusal, &codes)
}

fn is_gone(refusal: &str) -> bool {
    let codes = [
        Code::UnknownArticle,
        Code::UnknownPlan,
        Code::UnknownDrive,
        Code::UnknownDrop,
        Code::UnknownFCode,
        Code::UnknownInvitation,
        Code::Closed,
        Code::FCodeExpired,
        Code::InvitationExpired,
        Code::DropRequired,
        Code::DriveRequired,
        Code::UnknownUpgradeQuote,
        Code::QuoteExpired,
        Code::StaleQuote,
    ];
    is_one_of(refusal, &codes)
}

/// What became of two baskets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub lines: Vec<Kept>,
    /// Of the guest's, what didn't fit.
    pub left_out: Vec<LineRequest>,
}

/// Puts a guest's lines to an account's own: the same article in the same drop adds its quantity up to `most`, its limit in
/// one order; a code counts once; of two plans the account's own stays.
pub fn merge(own: &[Kept], guests: &[Kept], most: impl Fn(&LineRequest) -> i64) -> Merged {
    let mut merged = Merged { lines: own.to_vec(), left_out: Vec::new() };
    for guest in guests {
        let has_plan = merged.lines.iter().any(|kept| kept.line.is_membership());
        let has_room = merged.lines.len() < LINES_MAX;
        let is_article = !guest.line.is_gift();
        match merged.lines.iter_mut().find(|kept| is_article && is_same(&kept.line, &guest.line)) {
            Some(kept) => add(&mut kept.line, &guest.line, &most),
            None if has_room && !(has_plan && guest.line.is_membership()) => merged.lines.push(guest.clone()),
            None => merged.left_out.push(guest.line.clone()),
        }
    }
    merged
}

fn is_same(one: &LineRequest, other: &LineRequest) -> bool {
    let without_quantity = |line: &LineRequest| LineRequest { quantity: None, ..line.clone() };
    without_quantity(one) == without_quantity(other)
}

/// What is in an account's own basket never gets less by a merge, though its limit did.
fn add(own: &mut LineRequest, guests: &LineRequest, most: impl Fn(&LineRequest) -> i64) {
    if own.is_membership() || own.f_code.is_some() {
        return;
    }
    let (had, more) = (own.quantity.unwrap_or(1), guests.quantity.unwrap_or(1));
    own.quantity = Some(had.saturating_add(more).min(most(own).max(had)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::{DropId, PlanId, VariantId};

    fn kept(line: LineRequest) -> Kept {
        Kept { line, unit_minor: 100, refusal: None }
    }

    fn goods(variant: VariantId, quantity: i64) -> LineRequest {
        LineRequest { variant: Some(variant), quantity: Some(quantity), ..LineRequest::default() }
    }

    fn plan() -> LineRequest {
        LineRequest { plan: Some(PlanId::new()), ..LineRequest::default() }
    }

    #[test]
    fn quantities_add_up_to_the_limit_of_an_order() {
        let (tea, kiwis) = (VariantId::new(), VariantId::new());
        let own = [kept(goods(tea, 2)), kept(goods(kiwis, 9))];
        let quantities = |guests: i64| {
            let merged = merge(&own, &[kept(goods(tea, guests)), kept(goods(kiwis, 1))], |_| 5);
            assert!(merged.left_out.is_empty());
            merged.lines.iter().map(|kept| kept.line.quantity.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(quantities(2), [4, 9]);
        assert_eq!(quantities(3), [5, 9]);
        assert_eq!(quantities(4), [5, 9]);
        assert_eq!(quantities(i64::MAX), [5, 9]);
    }

    #[test]
    fn only_the_same_thing_is_added() {
        let tea = VariantId::new();
        let in_drop = LineRequest { drop: Some(DropId::new()), ..goods(tea, 1) };
        let with_code = LineRequest { f_code: Some("7Q4M2X9PAB".into()), ..in_drop.clone() };
        let own = [kept(goods(tea, 1)), kept(with_code.clone())];
        let merged = merge(&own, &[kept(in_drop), kept(with_code), kept(goods(tea, 1))], |_| 5);
        let quantities: Vec<_> = merged.lines.iter().map(|kept| kept.line.quantity.unwrap()).collect();
        assert_eq!(quantities, [2, 1, 1]);
    }

    #[test]
    fn the_own_plan_stays_and_twenty_lines_are_enough() {
        let (own_plan, guests_plan) = (plan(), plan());
        let mut own: Vec<_> = (0..18).map(|_| kept(goods(VariantId::new(), 1))).collect();
        own.push(kept(own_plan.clone()));
        let guests =
            [kept(guests_plan.clone()), kept(goods(VariantId::new(), 1)), kept(goods(VariantId::new(), 3))];
        let merged = merge(&own, &guests, |_| 5);
        assert_eq!((merged.lines.len(), merged.lines[18].line.clone()), (20, own_plan));
        assert_eq!(merged.left_out, [guests_plan.clone(), guests[2].line.clone()]);
        let merged = merge(&[], &[kept(guests_plan.clone())], |_| 5);
        assert_eq!((merged.lines[0].line.clone(), merged.left_out.len()), (guests_plan, 0));
    }

    #[test]
    fn what_has_changed_is_told_and_what_was_so_is_not() {
        let state = |unit_minor, refusal| State { unit_minor, refusal };
        let put_in = state(Some(100), None);
        assert_eq!(changes(put_in, put_in), []);
        assert_eq!(changes(put_in, state(Some(90), None)), [Change::PriceChanged]);
        assert_eq!(changes(put_in, state(Some(100), Some("out_of_stock"))), [Change::SoldOut]);
        assert_eq!(changes(put_in, state(None, Some("unknown_drop"))), [Change::Gone]);
        assert_eq!(changes(put_in, state(Some(90), Some("closed"))), [Change::PriceChanged, Change::Gone]);
        assert_eq!(changes(put_in, state(Some(100), Some("members_only"))), []);
        let sold_out = state(Some(100), Some("sold_out"));
        assert_eq!(changes(sold_out, state(Some(100), Some("out_of_stock"))), []);
        assert_eq!(changes(sold_out, put_in), []);
    }
}

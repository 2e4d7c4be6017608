//! More in the pack: which units of a cart cost nothing. Pure.

use super::rules::{Explained, PricedItem};
use crate::error::Code;
use crate::shop::offers::model::Offer;
use crate::types::id::OfferId;

/// An offer for who buys something of the cart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gift<'a> {
    pub offer: &'a Offer,
    /// Why this buyer can't use it now.
    pub refusal: Option<Code>,
}

/// Units of a line that an offer gives, or sells otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    pub line: usize,
    pub offer: OfferId,
    pub quantity: i64,
    pub discount_minor: i64,
}

/// Too few are bought.
pub const NOT_ENOUGH: &str = "not_enough_bought";
/// Enough is bought, and what is given isn't in the cart: add it.
pub const NOT_IN_CART: &str = "gift_not_in_cart";

/// Applies the offers one after another, the oldest first. A unit counts once: as bought for one offer, or as given by one.
/// What is given must be in the cart as a line; it is given in the order of the lines.
pub fn give(items: &[PricedItem<'_>], gifts: &[Gift<'_>]) -> (Vec<Given>, Vec<Explained>) {
    let mut units = Units { items, left: items.iter().map(|item| item.quantity).collect() };
    let (mut given, mut explanation) = (Vec::new(), Vec::new());
    for gift in gifts {
        let explain = |line: Option<usize>, outcome: &str, reason: &str, amount_minor: i64| Explained {
            line,
            rule: format!("offer:{}", gift.offer.code),
            outcome: outcome.to_owned(),
            reason: reason.to_owned(),
            amount_minor,
        };
        match units.apply(gift) {
            Ok(of_offer) => {
                explanation.extend(
                    of_offer
                        .iter()
                        .map(|of| explain(Some(of.line), "applied", "gift_offer", of.discount_minor)),
                );
                given.extend(of_offer);
            }
            Err(reason) => explanation.push(explain(None, "refused", reason, 0)),
        }
    }
    (given, explanation)
}

/// What of the cart no offer has counted yet, by line.
struct Units<'a> {
    items: &'a [PricedItem<'a>],
    left: Vec<i64>,
}

impl Units<'_> {
    fn of(&self, variant: crate::types::id::VariantId) -> i64 {
        let lines = self.items.iter().zip(&self.left);
        lines.filter(|(item, _)| item.article() == Some(variant)).map(|(_, left)| left).sum()
    }

    /// Counts so many units of a variant: (line, units).
    fn take(&mut self, variant: crate::types::id::VariantId, mut wanted: i64) -> Vec<(usize, i64)> {
        let mut taken = Vec::new();
        for (line, (item, left)) in self.items.iter().zip(&mut self.left).enumerate() {
            let units = if item.article() == Some(variant) { (*left).min(wanted) } else { 0 };
            if units > 0 {
                *left -= units;
                wanted -= units;
                taken.push((line, units));
            }
        }
        taken
    }

    fn apply(&mut self, gift: &Gift<'_>) -> Result<Vec<Given>, &'static str> {
        let offer = gift.offer;
        if let Some(code) = gift.refusal {
            return Err(code.as_str());
        }
        let (buy, get) = (i64::from(offer.buy_quantity), i64::from(offer.get_quantity));
        let is_same = offer.buy == offer.get;
        let a_time = if is_same { buy + get } else { buy };
        let most = offer.most_per_order.map_or(i64::MAX, i64::from);
        let times = (self.of(offer.buy) / a_time.max(1)).min(most);
        if times == 0 {
            return Err(NOT_ENOUGH);
        }
        let units = if is_same { times * get } else { self.of(offer.get).min(times * get) };
        if units == 0 {
            return Err(NOT_IN_CART);
        }
        // Of what is bought only that counts which is needed for what is given.
        self.take(offer.buy, (units + get - 1) / get.max(1) * buy);
        let taken = self.take(offer.get, units);
        let given = taken.into_iter().map(|(line, quantity)| Given {
            line,
            offer: offer.id,
            quantity,
            discount_minor: self.items.get(line).map_or(0, |item| item.unit_price_minor * quantity),
        });
        Ok(given.collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::loyalty::points::programme::Rates;
    use crate::promotion::campaigns::rules::Sold;
    use crate::shop::audience::Audience;
    use crate::shop::offers::model::OfferKind;
    use crate::types::id::{ProductId, VariantId};
    use crate::types::locale::Names;

    fn item(variant: VariantId, quantity: i64, unit_price_minor: i64) -> PricedItem<'static> {
        let product = ProductId(variant.0);
        let sold = Sold::Article { variant, product, category: None, in_drop: false, is_reduced: false };
        let rates = Rates::default();
        PricedItem { quantity, unit_price_minor, why: "list_price", tax_rate_bp: 0, sold, rates }
    }

    fn offer(buy: (VariantId, i32), get: (VariantId, i32), most_per_order: Option<i32>) -> Offer {
        Offer {
            id: OfferId::new(),
            code: "o".into(),
            kind: OfferKind::Gift,
            names: Names::new("", ""),
            buyers: Audience::Everyone,
            buy: buy.0,
            buy_quantity: buy.1,
            get: get.0,
            get_quantity: get.1,
            most_per_order,
            supplement_minor: None,
            starts_at: None,
            ends_at: None,
            created_at: "2014-06-17T02:00:00Z".parse().unwrap(),
            archived_at: None,
            version: 1,
        }
    }

    fn gift(offer: &Offer) -> Gift<'_> {
        Gift { offer, refusal: None }
    }

    /// (line, units, off) of what is given; the reasons.
    fn ask(items: &[PricedItem<'_>], gifts: &[Gift<'_>]) -> (Vec<(usize, i64, i64)>, Vec<String>) {
        let (given, explained) = give(items, gifts);
        let given = given.iter().map(|given| (given.line, given.quantity, given.discount_minor)).collect();
        (given, explained.into_iter().map(|explained| explained.reason).collect())
    }

    #[test]
    fn who_buys_two_kiwis_gets_a_tea_that_is_in_the_cart() {
        let (kiwi, tea) = (VariantId::new(), VariantId::new());
        let offer = offer((kiwi, 2), (tea, 1), None);
        let gifts = [gift(&offer)];
        let cart = |kiwis, teas| vec![item(kiwi, kiwis, 9_900), item(tea, teas, 5_000)];
        assert_eq!(ask(&cart(1, 1), &gifts), (vec![], vec![NOT_ENOUGH.to_owned()]));
        assert_eq!(ask(&cart(2, 1), &gifts), (vec![(1, 1, 5_000)], vec!["gift_offer".to_owned()]));
        assert_eq!(ask(&cart(3, 2), &gifts).0, [(1, 1, 5_000)]);
        assert_eq!(ask(&cart(4, 3), &gifts).0, [(1, 2, 10_000)]);
        assert_eq!(ask(&cart(4, 1), &gifts).0, [(1, 1, 5_000)]);
        assert_eq!(ask(&[item(kiwi, 2, 9_900)], &gifts), (vec![], vec![NOT_IN_CART.to_owned()]));
        let refused = [Gift { offer: &offer, refusal: Some(Code::MembersOnly) }];
        assert_eq!(ask(&cart(2, 1), &refused), (vec![], vec!["members_only".to_owned()]));
        let lines =
            vec![item(kiwi, 1, 9_900), item(tea, 1, 5_000), item(kiwi, 3, 9_000), item(tea, 1, 4_000)];
        assert_eq!(ask(&lines, &gifts).0, [(1, 1, 5_000), (3, 1, 4_000)]);
    }

    #[test]
    fn three_for_two_of_the_same_counts_whole_packs_up_to_the_most() {
        let tea = VariantId::new();
        let free = |quantity, most| {
            let offer = offer((tea, 2), (tea, 1), most);
            ask(&[item(tea, quantity, 100)], &[gift(&offer)])
                .0
                .iter()
                .map(|(_, units, _)| *units)
                .sum::<i64>()
        };
        assert_eq!([2, 3, 5, 6, 9].map(|quantity| free(quantity, None)), [0, 1, 1, 2, 3]);
        assert_eq!(free(9, Some(2)), 2);
    }

    #[test]
    fn a_unit_counts_once() {
        let (kiwi, tea, mug) = (VariantId::new(), VariantId::new(), VariantId::new());
        let (first, second) = (offer((kiwi, 2), (tea, 1), None), offer((kiwi, 2), (mug, 1), None));
        let cart = |kiwis| vec![item(kiwi, kiwis, 100), item(tea, 1, 10), item(mug, 1, 20)];
        let gifts = [gift(&first), gift(&second)];
        assert_eq!(
            ask(&cart(2), &gifts),
            (vec![(1, 1, 10)], vec!["gift_offer".to_owned(), NOT_ENOUGH.to_owned()])
        );
        assert_eq!(ask(&cart(4), &gifts).0, [(1, 1, 10), (2, 1, 20)]);
        // What was given buys nothing.
        let of_tea = offer((tea, 1), (mug, 1), None);
        assert_eq!(ask(&cart(2), &[gift(&first), gift(&of_tea)]).0, [(1, 1, 10)]);
    }

    proptest! {
        #[test]
        fn no_line_gives_more_than_it_has(
            lines in prop::collection::vec((0usize..3, 1i64..20, 0i64..1_000), 1..6),
            offers in prop::collection::vec((0usize..3, 1i32..4, 0usize..3, 1i32..4), 0..5),
        ) {
            let articles = [VariantId::new(), VariantId::new(), VariantId::new()];
            let items: Vec<_> = lines.iter().map(|(a, quantity, minor)| item(articles[*a], *quantity, *minor)).collect();
            let offers: Vec<_> = offers.iter().map(|(b, n, g, m)| offer((articles[*b], *n), (articles[*g], *m), None)).collect();
            let gifts: Vec<_> = offers.iter().map(gift).collect();
            let (given, explained) = give(&items, &gifts);
            prop_assert!(explained.len() >= offers.len());
            for (line, item) in items.iter().enumerate() {
                let of_line = given.iter().filter(|given| given.line == line);
                let (units, off) = of_line.fold((0, 0), |sum, given| (sum.0 + given.quantity, sum.1 + given.discount_minor));
                prop_assert!(units <= item.quantity && off == units * item.unit_price_minor);
            }
        }
    }
}

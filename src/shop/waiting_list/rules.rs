//! Who may wait, and how much is kept back for those who do.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::error::Code;
use crate::shop::audience::{Ranks, Visitor};
use crate::shop::drops::model::Drop;
use crate::shop::drops::rules as drops;
use crate::shop::products::model::Article;
use crate::shop::products::rules as products;
use crate::types::id::{DropId, PoolId, VariantId};

/// What one line takes from one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    pub line: (DropId, VariantId),
    /// How many wait in the line.
    pub waiting: i64,
    pub pool: PoolId,
    /// What one unit takes from the pool.
    pub of_one: i64,
    /// What is free in the pool now.
    pub free: i64,
}

/// How much of each pool is kept for people who wait: as many whole units as could be offered now, or as wait. What can't
/// make a whole unit (a part of a bundle while another part is missing) is for everybody.
pub fn reserved(needs: &[Need]) -> HashMap<PoolId, i64> {
    let mut units: HashMap<(DropId, VariantId), i64> = HashMap::new();
    for need in needs {
        let whole = need.free.max(0) / need.of_one.max(1);
        let known = units.entry(need.line).or_insert(need.waiting);
        *known = whole.min(*known);
    }
    let mut reserved = HashMap::new();
    for need in needs {
        let wanted = units.get(&need.line).copied().unwrap_or(0).saturating_mul(need.of_one);
        *reserved.entry(need.pool).or_insert(0) += wanted;
    }
    reserved
}

/// How many whole units the pools can give: (what one takes, what is free) for each.
pub fn whole_units(pools: &[(i64, i64)]) -> i64 {
    pools.iter().map(|(of_one, free)| free.max(&0) / of_one.max(&1)).min().unwrap_or(0)
}

/// Somebody who wants to wait.
#[derive(Clone, Copy, Debug)]
pub struct Comer<'a> {
    pub visitor: Visitor<'a>,
    pub ranks: &'a Ranks,
    /// Units of the drop that the person has or holds.
    pub bought: i64,
}

/// May he have one, once one is there?
///
/// # Errors
/// What would refuse an order of his, apart from what is left: `unknown_article`, `closed`, `not_open`, `members_only`,
/// `tier_required`, `cap_reached`.
pub fn may_have(comer: Comer<'_>, drop: &Drop, article: &Article, now: DateTime<Utc>) -> Result<(), Code> {
    products::may_buy(article, comer.visitor, comer.ranks, now)?;
    drops::doors(drop, comer.visitor, comer.ranks, now)?;
    match drop.cap_per_person {
        Some(cap) if comer.bought >= i64::from(cap) => Err(Code::CapReached),
        _ => Ok(()),
    }
}

/// What becomes of somebody whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Offer,
    /// He may have none any more; why. The next in line has his turn.
    PassOver(Code),
    /// Nobody could order it now, with an offer or without: the line stands still.
    StandStill,
}

/// Is somebody who waits offered a unit now? By what would be asked when he orders with the offer's code: whether he may buy
/// the article, is meant by the drop, whatever his audience's time, and stays within its cap.
pub fn turn(comer: Comer<'_>, drop: &Drop, article: &Article, now: DateTime<Utc>) -> Turn {
    let Comer { visitor, ranks, bought } = comer;
    let product = &article.product;
    let allowed = product
        .sees
        .admit(visitor, ranks)
        .and_then(|()| product.buys.admit(visitor, ranks))
        .and_then(|()| drops::is_meant(drop, visitor, ranks));
    if article.archived_at.is_some() || product.archived_at.is_some() {
        // For good: nobody behind him can have it either, and each is told so in his turn.
        return Turn::PassOver(Code::UnknownArticle);
    }
    match (allowed, drop.cap_per_person) {
        (Err(why), _) => Turn::PassOver(why),
        (Ok(()), Some(cap)) if bought >= i64::from(cap) => Turn::PassOver(Code::CapReached),
        (Ok(()), _) if products::may_buy(article, visitor, ranks, now).is_err() => Turn::StandStill,
        (Ok(()), _) => Turn::Offer,
    }
}

/// Waiting makes sense only where nothing is left for him: `free` units that nobody is waiting for. What other audiences
/// are let in to later is sold then.
///
/// # Errors
/// `still_on_sale`, `audience_sold_out`.
pub fn is_in_vain(free: i64, is_audience_sold_out: bool) -> Result<(), Code> {
    match (free, is_audience_sold_out) {
        (..1, _) => Ok(()),
        (_, true) => Err(Code::AudienceSoldOut),
        (_, false) => Err(Code::StillOnSale),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::shop::audience::Audience;
    use crate::shop::products::model::{Product, ProductKind};
    use crate::types::id::ProductId;
    use crate::types::locale::Names;

    fn now() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn drop(cap_per_person: Option<i32>) -> Drop {
        Drop {
            id: DropId::new(),
            code: "tea".into(),
            names: Names::new("茶", "Tea"),
            opens_at: now(),
            closes_at: now() + TimeDelta::days(1),
            cap_per_person,
            created_at: now(),
            archived_at: None,
            version: 1,
            items: Vec::new(),
            audiences: Vec::new(),
            goal: None,
        }
    }

    fn article(sees: Audience, buys: Audience, shown_from: Option<DateTime<Utc>>) -> Article {
        Article {
            id: VariantId::new(),
            sku: "TEA".into(),
            position: 0,
            options: json!({}),
            price_minor: 9_000,
            currency: "CNY".into(),
            weight_grams: 100,
            pool: None,
            open_sale: true,
            max_per_order: 2,
            created_at: now(),
            archived_at: None,
            version: 1,
            low_stock_at: None,
            ships_from: None,
            product: Product {
                id: ProductId::new(),
                slug: "tea".into(),
                kind: ProductKind::Goods,
                names: Names::new("茶", "Tea"),
                about: Names::new("", ""),
                images: Vec::new(),
                category: None,
                tags: Vec::new(),
                tax_rate_bp: 0,
                sees,
                buys,
                payment_methods: Vec::new(),
                hold_minutes: 15,
                right_days: None,
                opens_for: None,
                shown_from,
                shown_until: None,
                available_from: None,
                hides_price: false,
                created_at: now(),
                archived_at: None,
                version: 1,
            },
            parts: Vec::new(),
            prices: Vec::new(),
        }
    }

    #[test]
    fn who_may_have_none_is_passed_over_and_what_nobody_can_order_waits() {
        let ranks = Ranks::default();
        let guest = Visitor { is_signed_in: true, tier_rank: None, ..Visitor::default() };
        let member = Visitor { tier_rank: Some(10), ..guest };
        let (all, members) = (|| Audience::Everyone, || Audience::Members);
        let ask = |visitor, bought, cap, article: &Article| {
            turn(Comer { visitor, ranks: &ranks, bought }, &drop(cap), article, now())
        };
        let tea = article(all(), all(), None);
        assert_eq!(ask(guest, 9, None, &tea), Turn::Offer);
        assert_eq!(ask(guest, 1, Some(2), &tea), Turn::Offer);
        assert_eq!(ask(guest, 2, Some(2), &tea), Turn::PassOver(Code::CapReached));
        for of_members in [article(members(), all(), None), article(all(), members(), None)] {
            assert_eq!(ask(guest, 0, None, &of_members), Turn::PassOver(Code::MembersOnly));
            assert_eq!(ask(member, 0, None, &of_members), Turn::Offer);
        }
        let hidden = article(all(), members(), Some(now() + TimeDelta::microseconds(1)));
        assert_eq!(ask(member, 0, None, &hidden), Turn::StandStill);
        assert_eq!(ask(guest, 0, None, &hidden), Turn::PassOver(Code::MembersOnly));
        assert_eq!(ask(member, 0, None, &article(all(), members(), Some(now()))), Turn::Offer);
    }

    fn need(line: (DropId, VariantId), pool: PoolId, waiting: i64, of_one: i64, free: i64) -> Need {
        Need { line, waiting, pool, of_one, free }
    }

    #[test]
    fn whole_units_are_kept_for_as_many_as_wait_and_no_more() {
        let line = (DropId::new(), VariantId::new());
        let (item, book, tea) = (PoolId::new(), PoolId::new(), PoolId::new());
        let ask = |waiting, free_items, free_books, free_teas| {
            let needs = [
                need(line, item, waiting, 1, free_items),
                need(line, book, waiting, 6, free_books),
                need(line, tea, waiting, 1, free_teas),
            ];
            let kept = reserved(&needs);
            (kept[&item], kept[&book], kept[&tea])
        };
        assert_eq!(ask(3, 5, 60, 10), (3, 18, 3));
        assert_eq!(ask(3, 2, 60, 10), (2, 12, 2));
        assert_eq!(ask(3, 5, 11, 10), (1, 6, 1));
        assert_eq!(ask(3, 5, 5, 10), (0, 0, 0), "no whole box: its parts are for everybody");
        assert_eq!(ask(3, 5, 60, 0), (0, 0, 0));
        assert_eq!(ask(3, 0, 60, 10), (0, 0, 0));
    }

    #[test]
    fn lines_that_share_a_pool_each_keep_theirs() {
        let (one, two) = ((DropId::new(), VariantId::new()), (DropId::new(), VariantId::new()));
        let stock = PoolId::new();
        let kept = reserved(&[need(one, stock, 2, 1, 10), need(two, stock, 3, 2, 10)]);
        assert_eq!(kept[&stock], 2 + 6);
    }

    #[test]
    fn one_waits_only_for_what_is_gone() {
        assert_eq!(is_in_vain(0, false), Ok(()));
        assert_eq!(is_in_vain(-1, true), Ok(()));
        assert_eq!(is_in_vain(1, false), Err(Code::StillOnSale));
        assert_eq!(is_in_vain(1, true), Err(Code::AudienceSoldOut));
        assert_eq!(whole_units(&[(1, 3), (6, 17)]), 2);
        assert_eq!(whole_units(&[(1, -1)]), 0);
        assert_eq!(whole_units(&[]), 0);
    }
}

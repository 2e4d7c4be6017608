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
    use super::*;

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

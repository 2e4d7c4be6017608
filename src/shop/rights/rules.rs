//! What belonging opens, and which of several rights is told first.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::shop::products::model::Product;
use crate::shop::products::rules::is_shown;
use crate::types::id::{MembershipId, OrderId, ProductId};
use crate::types::locale::Names;

/// Where a right comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(as = AccessSource)]
pub enum Source {
    /// It was bought.
    Order { order: OrderId },
    /// The membership opens it.
    Tier {
        /// The code of the membership's tier.
        tier: String,
        membership: MembershipId,
    },
    /// The level on which the account stands opens it.
    Level,
    /// The account is in a segment; operators' names of segments are their own.
    Segment,
}

/// A right that holds now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    pub product: ProductId,
    pub slug: String,
    pub names: Names,
    pub source: Source,
    /// None: not known, as of a level or a segment.
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive; none: it has no end, or, of a level or a segment, none that is known.
    pub ends_at: Option<DateTime<Utc>>,
}

/// A membership that gives access now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belonging {
    pub membership: MembershipId,
    /// The tier's code.
    pub tier: String,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; none is for life.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Belonging {
    /// When its access ends, were it never renewed: at its end and, once that has passed, at the end of grace.
    fn access_ends_at(&self, now: DateTime<Utc>, grace: TimeDelta) -> Option<DateTime<Utc>> {
        self.ends_at.map(|end| if now < end { end } else { end + grace })
    }
}

/// The right to open this product that belonging gives a visitor, whose membership, where it gives access now, is `member`.
/// Nothing is opened before it could be bought either, and nothing that was taken off the shelf by its operators; the end of
/// a window in which it is sold ends no right.
pub fn by_belonging(
    product: &Product,
    visitor: Visitor<'_>,
    member: Option<&Belonging>,
    ranks: &Ranks,
    now: DateTime<Utc>,
    grace: TimeDelta,
) -> Option<Right> {
    let opens_for = product.opens_for.as_ref().filter(|audience| audience.admits(visitor, ranks))?;
    let sold_from = product.shown_from.max(product.available_from);
    if product.archived_at.is_some() || sold_from.is_some_and(|from| now < from) {
        return None;
    }
    let (source, starts_at, ends_at) = match opens_for {
        Audience::Members | Audience::Tier { .. } => {
            let member = member?;
            let source = Source::Tier { tier: member.tier.clone(), membership: member.membership };
            let starts_at = sold_from.map_or(member.starts_at, |from| from.max(member.starts_at));
            (source, Some(starts_at), member.access_ends_at(now, grace))
        }
        Audience::Level { .. } => (Source::Level, None, None),
        Audience::Segment { .. } => (Source::Segment, None, None),
        // No product is stored with these: what everybody may open needs no right.
        Audience::Everyone | Audience::SignedIn => return None,
    };
    Some(Right {
        product: product.id,
        slug: product.slug.clone(),
        names: product.names.clone(),
        source,
        starts_at,
        ends_at,
    })
}

/// Is it among the benefits of a tier that everybody is told of: does belonging to that tier open it, and is it on the shelf
/// for everybody now? What only some are shown isn't told on a public page.
pub fn is_told_of(product: &Product, tier_rank: i32, ranks: &Ranks, now: DateTime<Utc>) -> bool {
    let member = Visitor { is_signed_in: true, tier_rank: Some(tier_rank), ..Visitor::default() };
    product.opens_for.as_ref().is_some_and(|audience| audience.admits(member, ranks))
        && is_shown(product, Visitor::default(), ranks, now)
}

/// When the next of a product's windows opens or ends, if one does.
pub fn next_change_at(product: &Product, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    [product.shown_from, product.shown_until].into_iter().flatten().filter(|at| now < *at).min()
}

/// The one that lasts longest first; among those that last as long what was bought before what belonging opens, the newest
/// first. A segment may be left at any moment, so what it opens comes last.
pub fn longest_first(rights: &mut [Right]) {
    rights.sort_by_key(|right| {
        let place = match right.source {
            Source::Order { .. } => 0,
            Source::Tier { .. } => 1,
            Source::Level | Source::Segment => 2,
        };
        let lasts_until = right.ends_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
        (place == 2, Reverse(lasts_until), place, Reverse(right.starts_at))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::products::model::ProductKind;
    use crate::types::id::TierId;

    fn now() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn tick() -> TimeDelta {
        TimeDelta::microseconds(1)
    }

    const GRACE: TimeDelta = TimeDelta::days(7);

    fn course(opens_for: Option<Audience>) -> Product {
        Product {
            id: ProductId::new(),
            slug: "course".into(),
            kind: ProductKind::Digital,
            names: Names::new("课", "Course"),
            about: Names::new("", ""),
            images: Vec::new(),
            category: None,
            tags: Vec::new(),
            tax_rate_bp: 0,
            sees: Audience::Everyone,
            buys: Audience::Everyone,
            payment_methods: Vec::new(),
            hold_minutes: 15,
            right_days: Some(30),
            opens_for,
            shown_from: None,
            shown_until: None,
            available_from: None,
            hides_price: false,
            created_at: now(),
            archived_at: None,
            version: 1,
        }
    }

    fn member(ends_at: Option<DateTime<Utc>>) -> Belonging {
        Belonging {
            membership: MembershipId::new(),
            tier: "regular".into(),
            starts_at: now() - TimeDelta::days(1),
            ends_at,
        }
    }

    fn ask(
        product: &Product,
        rank: Option<i32>,
        member: Option<&Belonging>,
        at: DateTime<Utc>,
    ) -> Option<Right> {
        let ranks = Ranks::new(
            [("regular", 10), ("diehard", 20)].map(|(code, rank)| (TierId::new(), code.into(), rank)),
        );
        let segments = ["students".to_owned()];
        let visitor =
            Visitor { is_signed_in: true, tier_rank: rank, segments: &segments, ..Visitor::default() };
        by_belonging(product, visitor, member, &ranks, at, GRACE)
    }

    #[test]
    fn a_membership_opens_it_until_its_end_and_in_grace_until_that_of_grace() {
        let course = course(Some(Audience::Members));
        let end = now() + TimeDelta::days(3);
        let anna = member(Some(end));
        let ends_at = |at| ask(&course, Some(10), Some(&anna), at).unwrap().ends_at;
        assert_eq!((ends_at(end - tick()), ends_at(end)), (Some(end), Some(end + GRACE)));
        let for_life = ask(&course, Some(10), Some(&member(None)), now()).unwrap();
        assert_eq!((for_life.starts_at, for_life.ends_at), (Some(now() - TimeDelta::days(1)), None));
        assert_eq!(ask(&course, None, None, now()), None);
    }

    #[test]
    fn each_rule_opens_to_its_own() {
        let anna = member(None);
        let tier = |code: &str| Some(Audience::Tier { at_least: code.into() });
        let segment = |code: &str| Some(Audience::Segment { segment: code.into() });
        let opens = |rule| ask(&course(rule), Some(10), Some(&anna), now()).map(|right| right.source);
        let by_tier = Source::Tier { tier: "regular".into(), membership: anna.membership };
        assert_eq!(opens(tier("regular")), Some(by_tier));
        assert_eq!((opens(tier("diehard")), opens(None)), (None, None));
        assert_eq!((opens(segment("students")), opens(segment("others"))), (Some(Source::Segment), None));
        assert_eq!((opens(Some(Audience::Everyone)), opens(Some(Audience::SignedIn))), (None, None));
    }

    #[test]
    fn nothing_is_opened_before_it_could_be_bought() {
        let anna = member(None);
        let from = now() + TimeDelta::days(1);
        let opens =
            |product: &Product, at| ask(product, Some(10), Some(&anna), at).map(|right| right.starts_at);
        let announced = Product { available_from: Some(from), ..course(Some(Audience::Members)) };
        assert_eq!((opens(&announced, from - tick()), opens(&announced, from)), (None, Some(Some(from))));
        let hidden = Product { shown_from: Some(from), ..course(Some(Audience::Members)) };
        assert_eq!((opens(&hidden, from - tick()), opens(&hidden, from)), (None, Some(Some(from))));
        let sold_out = Product { shown_until: Some(now()), ..course(Some(Audience::Members)) };
        assert!(opens(&sold_out, now()).is_some());
        let gone = Product { archived_at: Some(now()), ..course(Some(Audience::Members)) };
        assert_eq!(opens(&gone, now()), None);
    }

    #[test]
    fn a_public_page_tells_of_what_everybody_is_shown() {
        let ranks = Ranks::new(
            [("regular", 10), ("diehard", 20)].map(|(code, rank)| (TierId::new(), code.into(), rank)),
        );
        let told = |product: &Product, at| [10, 20].map(|rank| is_told_of(product, rank, &ranks, at));
        let of_diehards = course(Some(Audience::Tier { at_least: "diehard".into() }));
        assert_eq!(told(&course(Some(Audience::Members)), now()), [true, true]);
        assert_eq!(told(&of_diehards, now()), [false, true]);
        assert_eq!(told(&course(None), now()), [false, false]);
        assert_eq!(told(&course(Some(Audience::Segment { segment: "a".into() })), now()), [false, false]);
        let secret = Product { sees: Audience::Members, ..course(Some(Audience::Members)) };
        assert_eq!(told(&secret, now()), [false, false]);
        let (from, until) = (now(), now() + TimeDelta::days(1));
        let window =
            Product { shown_from: Some(from), shown_until: Some(until), ..course(Some(Audience::Members)) };
        assert_eq!((told(&window, from - tick())[0], told(&window, from)[0]), (false, true));
        assert_eq!((told(&window, until - tick())[0], told(&window, until)[0]), (true, false));
        let change_at = |at| next_change_at(&window, at);
        assert_eq!((change_at(from - tick()), change_at(from)), (Some(from), Some(until)));
        assert_eq!(change_at(until), None);
    }

    #[test]
    fn the_one_that_lasts_longest_comes_first() {
        let right = |source, days: Option<i64>| Right {
            product: ProductId::new(),
            slug: "course".into(),
            names: Names::new("", ""),
            source,
            starts_at: None,
            ends_at: days.map(|days| now() + TimeDelta::days(days)),
        };
        let bought = Source::Order { order: OrderId::new() };
        let tier = Source::Tier { tier: "regular".into(), membership: MembershipId::new() };
        let segment = right(Source::Segment, None);
        let order = |mut rights: Vec<Right>| {
            longest_first(&mut rights);
            rights.into_iter().map(|right| (right.source, right.ends_at.is_none())).collect::<Vec<_>>()
        };
        let found =
            order(vec![segment.clone(), right(tier.clone(), Some(9)), right(bought.clone(), Some(8))]);
        assert_eq!(found, [(tier.clone(), false), (bought.clone(), false), (Source::Segment, true)]);
        let found = order(vec![right(tier.clone(), None), segment, right(bought.clone(), None)]);
        assert_eq!(found, [(bought.clone(), true), (tier.clone(), true), (Source::Segment, true)]);
        let found = order(vec![right(tier.clone(), Some(8)), right(bought.clone(), Some(8))]);
        assert_eq!(found, [(bought, false), (tier, false)]);
    }
}

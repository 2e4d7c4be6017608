//! What an article costs and who may have it.

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{Article, Price, Product};
use crate::error::Code;
use crate::shop::audience::{Audience, Ranks, Visitor};

/// Why a price is what it is; stable names.
pub const LIST_PRICE: &str = "list_price";
pub const SALE_PRICE: &str = "sale_price";
pub const AUDIENCE_PRICE: &str = "audience_price";
pub const SEGMENT_PRICE: &str = "segment_price";
pub const QUANTITY_PRICE: &str = "quantity_price";

/// The price of one unit, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPrice {
    pub minor: i64,
    pub why: &'static str,
}

/// The lowest price that is lawful for this visitor and quantity now. At equal amounts the article's own wins, then the
/// older one.
pub fn unit_price(
    article: &Article,
    quantity: i64,
    visitor: Visitor,
    ranks: &Ranks,
    now: DateTime<Utc>,
) -> UnitPrice {
    let own = UnitPrice { minor: article.price_minor, why: LIST_PRICE };
    let lawful = article.prices.iter().filter(|price| {
        runs(price, now) && quantity >= i64::from(price.quantity_from) && price.buyers.admits(visitor, ranks)
    });
    lawful
        .map(|price| UnitPrice { minor: price.price_minor, why: why(price) })
        .fold(own, |best, next| if next.minor < best.minor { next } else { best })
}

fn runs(price: &Price, now: DateTime<Utc>) -> bool {
    price.starts_at.is_none_or(|start| start <= now) && price.ends_at.is_none_or(|end| now < end)
}

fn why(price: &Price) -> &'static str {
    match (&price.buyers, price.quantity_from) {
        (Audience::Everyone, 1) => SALE_PRICE,
        (Audience::Everyone, _) => QUANTITY_PRICE,
        (Audience::Segment { .. }, _) => SEGMENT_PRICE,
        _ => AUDIENCE_PRICE,
    }
}

/// Is it on the shelf for this visitor? What isn't is as if it weren't there.
pub fn is_shown(product: &Product, visitor: Visitor, ranks: &Ranks, now: DateTime<Utc>) -> bool {
    product.archived_at.is_none()
        && product.shown_from.is_none_or(|from| from <= now)
        && product.shown_until.is_none_or(|until| now < until)
        && product.sees.admits(visitor, ranks)
}

/// Is it only announced: shown, and sold from a later time on?
pub fn is_announced(product: &Product, now: DateTime<Utc>) -> bool {
    product.available_from.is_some_and(|from| now < from)
}

/// Is its price kept back until it can be bought?
pub fn is_price_hidden(product: &Product, now: DateTime<Utc>) -> bool {
    product.hides_price && is_announced(product, now)
}

/// May this visitor buy it? Whether there is one left is the pools' to say.
///
/// # Errors
/// `unknown_article` for what isn't shown to him; else the reason that the product's rule gives; `not_open` for what is
/// only announced yet.
pub fn may_buy(article: &Article, visitor: Visitor, ranks: &Ranks, now: DateTime<Utc>) -> Result<(), Code> {
    if article.archived_at.is_some() || !is_shown(&article.product, visitor, ranks, now) {
        return Err(Code::UnknownArticle);
    }
    article.product.buys.admit(visitor, ranks)?;
    if is_announced(&article.product, now) { Err(Code::NotOpen) } else { Ok(()) }
}

/// Does everybody get it cheaper now than its own price?
pub fn is_on_public_sale(article: &Article, now: DateTime<Utc>) -> bool {
    let is_sale = |price: &Price| runs(price, now) && why(price) == SALE_PRICE;
    article.prices.iter().any(|price| is_sale(price) && price.price_minor < article.price_minor)
}

/// A price that is told as "before" is the lowest of so long before the reduction (Directive 98/6/EC, article 6a).
const REFERENCE: TimeDelta = TimeDelta::days(30);

/// A variant's own price from a time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListPrice {
    pub price_minor: i64,
    pub from_at: DateTime<Utc>,
}

/// A price that everybody got, for one unit, in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicSale {
    pub price_minor: i64,
    pub from_at: DateTime<Utc>,
    /// Exclusive.
    pub until: Option<DateTime<Utc>>,
}

impl PublicSale {
    /// None for a price that isn't everybody's, or that never ran: it counts from when it was entered at the earliest, and
    /// until it was taken away at the latest.
    pub fn of(price: &Price) -> Option<Self> {
        let from_at = price.starts_at.map_or(price.created_at, |start| start.max(price.created_at));
        let until = price.ends_at.into_iter().chain(price.archived_at).min();
        let is_public = price.buyers == Audience::Everyone && price.quantity_from == 1;
        let has_run = until.is_none_or(|until| from_at < until);
        (is_public && has_run).then_some(Self { price_minor: price.price_minor, from_at, until })
    }
}

/// The price to tell as "before", where the public price now is a reduction: the lowest public price of the 30 days before
/// the reduction began (Directive 98/6/EC, article 6a). None where there is no reduction, or where it was as cheap before.
///
/// A reduction is a sale to everyone below the variant's own price. It began when the public price became what it is now.
/// An own price that was simply lowered is a new price, and prices for some (tiers, segments, quantities) are not public:
/// neither counts. Nor does the time before `sold_from`: nobody paid a price at which nothing was sold.
pub fn before_price(
    history: &[ListPrice],
    sales: &[PublicSale],
    sold_from: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<i64> {
    let own_at = |at: DateTime<Utc>| history.iter().rfind(|own| own.from_at <= at).map(|own| own.price_minor);
    let runs_at = |sale: &&PublicSale, at: DateTime<Utc>| {
        sale.from_at <= at && sale.until.is_none_or(|until| at < until)
    };
    let public_at = |at: DateTime<Utc>| {
        let sale = sales.iter().filter(|sale| runs_at(sale, at)).map(|sale| sale.price_minor).min();
        own_at(at).map(|own| sale.map_or(own, |sale| own.min(sale)))
    };
    let present = public_at(now)?;
    if present >= own_at(now)? {
        return None;
    }
    // Whenever the public price may have changed.
    let of_sales = sales.iter().flat_map(|sale| sale.until.into_iter().chain([sale.from_at]));
    let mut moments: Vec<_> = history.iter().map(|own| own.from_at).chain(of_sales).collect();
    moments.retain(|at| *at <= now);
    moments.sort_unstable();
    let is_present = |at: &&DateTime<Utc>| public_at(**at) == Some(present);
    let began = *moments.iter().rev().take_while(is_present).last()?;
    let window_from = sold_from.map_or(began - REFERENCE, |from| from.max(began - REFERENCE));
    let in_window = moments.iter().copied().filter(|at| window_from < *at && *at < began);
    let before = in_window.chain((window_from < began).then_some(window_from)).filter_map(public_at).min()?;
    (before > present).then_some(before)
}

/// How many of one article a line may ask for.
///
/// # Errors
/// `invalid_field` is the caller's to name; this gives the largest quantity that is lawful.
pub fn is_quantity(article: &Article, quantity: i64) -> bool {
    (1..=i64::from(article.max_per_order)).contains(&quantity)
}

/// Tax inside an amount: amount × rate / (1 + rate), rounded half away from zero, once a line. The rate is in hundredths of
/// a percent.
pub fn included_tax_minor(amount_minor: i64, rate_bp: i32) -> i64 {
    let rate = i128::from(rate_bp);
    let (numerator, divisor) = (i128::from(amount_minor) * rate, 10_000 + rate);
    i64::try_from((2 * numerator + divisor) / (2 * divisor)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::shop::products::model::{Part, ProductKind};
    use crate::types::id::{PriceId, ProductId, VariantId};
    use crate::types::locale::Names;

    fn now() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn article(prices: Vec<Price>) -> Article {
        Article {
            id: VariantId::new(),
            sku: "BOX-2014".into(),
            position: 0,
            options: json!({}),
            price_minor: 49_900,
            currency: "CNY".into(),
            weight_grams: 3_200,
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
                slug: "book-box-2014".into(),
                kind: ProductKind::Bundle,
                names: Names::new("书盒", "Book box"),
                about: Names::new("", ""),
                images: Vec::new(),
                category: None,
                tags: Vec::new(),
                tax_rate_bp: 900,
                sees: Audience::Everyone,
                buys: Audience::Members,
                payment_methods: Vec::new(),
                hold_minutes: 15,
                right_days: None,
                opens_for: None,
                shown_from: Some(now()),
                shown_until: Some(now() + TimeDelta::hours(1)),
                available_from: None,
                hides_price: false,
                created_at: now(),
                archived_at: None,
                version: 1,
            },
            parts: Vec::new(),
            prices,
        }
    }

    fn price(buyers: Audience, quantity_from: i32, price_minor: i64) -> Price {
        Price {
            id: PriceId::new(),
            variant: VariantId::new(),
            buyers,
            quantity_from,
            price_minor,
            starts_at: Some(now()),
            ends_at: Some(now() + TimeDelta::hours(1)),
            created_at: now(),
            archived_at: None,
        }
    }

    const MEMBER: Visitor<'static> =
        Visitor { is_signed_in: true, tier_rank: Some(10), level_rank: None, segments: &[] };
    const GUEST: Visitor<'static> = Visitor { tier_rank: None, ..MEMBER };

    #[test]
    fn the_lowest_lawful_price_counts_and_says_why() {
        let ranks = Ranks::default();
        let article = article(vec![
            price(Audience::Members, 1, 45_000),
            price(Audience::Everyone, 1, 48_000),
            price(Audience::Everyone, 2, 40_000),
            price(Audience::Everyone, 1, 60_000),
        ]);
        let ask = |quantity, visitor, at| {
            let price = unit_price(&article, quantity, visitor, &ranks, at);
            (price.minor, price.why)
        };
        assert_eq!(ask(1, GUEST, now()), (48_000, SALE_PRICE));
        assert_eq!(ask(1, MEMBER, now()), (45_000, AUDIENCE_PRICE));
        assert_eq!(ask(2, MEMBER, now()), (40_000, QUANTITY_PRICE));
        let tick = TimeDelta::microseconds(1);
        assert_eq!(ask(2, MEMBER, now() - tick), (49_900, LIST_PRICE));
        assert_eq!(ask(1, GUEST, now() + TimeDelta::hours(1) - tick), (48_000, SALE_PRICE));
        assert_eq!(ask(1, GUEST, now() + TimeDelta::hours(1)), (49_900, LIST_PRICE));
    }

    #[test]
    fn it_is_there_in_its_window_and_sold_to_whom_it_is_meant_for() {
        let ranks = Ranks::default();
        let box_ = article(Vec::new());
        let tick = TimeDelta::microseconds(1);
        let ask = |visitor, at| may_buy(&box_, visitor, &ranks, at);
        assert_eq!(ask(MEMBER, now()), Ok(()));
        assert_eq!(ask(GUEST, now()), Err(Code::MembersOnly));
        assert_eq!(ask(MEMBER, now() - tick), Err(Code::UnknownArticle));
        assert_eq!(ask(MEMBER, now() + TimeDelta::hours(1)), Err(Code::UnknownArticle));
        let archived = Article { archived_at: Some(now()), ..box_.clone() };
        assert_eq!(may_buy(&archived, MEMBER, &ranks, now()), Err(Code::UnknownArticle));
        assert!(is_quantity(&box_, 1) && is_quantity(&box_, 2));
        assert!(!is_quantity(&box_, 0) && !is_quantity(&box_, 3) && !is_quantity(&box_, -1));
    }

    #[test]
    fn what_is_announced_is_shown_and_sold_from_its_time_on() {
        let ranks = Ranks::default();
        let start = now() + TimeDelta::minutes(30);
        let mut box_ = article(Vec::new());
        box_.product.available_from = Some(start);
        box_.product.hides_price = true;
        let tick = TimeDelta::microseconds(1);
        assert!(is_shown(&box_.product, MEMBER, &ranks, start - tick));
        assert_eq!(may_buy(&box_, MEMBER, &ranks, start - tick), Err(Code::NotOpen));
        assert_eq!(may_buy(&box_, GUEST, &ranks, start - tick), Err(Code::MembersOnly));
        assert_eq!(may_buy(&box_, MEMBER, &ranks, start), Ok(()));
        assert!(is_price_hidden(&box_.product, start - tick) && !is_price_hidden(&box_.product, start));
        box_.product.hides_price = false;
        assert!(!is_price_hidden(&box_.product, start - tick));
    }

    fn day(days: i64) -> DateTime<Utc> {
        now() + TimeDelta::days(days)
    }

    fn own(price_minor: i64, from_at: DateTime<Utc>) -> ListPrice {
        ListPrice { price_minor, from_at }
    }

    fn sale(price_minor: i64, from_at: DateTime<Utc>, until: DateTime<Utc>) -> PublicSale {
        PublicSale { price_minor, from_at, until: Some(until) }
    }

    #[test]
    fn before_is_the_lowest_public_price_of_thirty_days_before_the_reduction() {
        let tick = TimeDelta::microseconds(1);
        let history = [own(100, day(-90))];
        let now_on_sale = sale(80, day(0), day(60));
        // From the first to the last moment of the sale, and however long it runs.
        let ask = |at| before_price(&history, &[now_on_sale], None, at);
        assert_eq!((ask(day(0) - tick), ask(day(0))), (None, Some(100)));
        assert_eq!((ask(day(60) - tick), ask(day(60))), (Some(100), None));
        // An earlier sale counts while a moment of it lies within the thirty days.
        let earlier = |until| before_price(&history, &[sale(90, day(-60), until), now_on_sale], None, day(1));
        assert_eq!(earlier(day(-30)), Some(100));
        assert_eq!(earlier(day(-30) + tick), Some(90));
        // As cheap before, or cheaper: no reduction to tell of.
        let before =
            |minor| before_price(&history, &[sale(minor, day(-9), day(-8)), now_on_sale], None, day(1));
        assert_eq!((before(81), before(80), before(79)), (Some(81), None, None));
        // A deeper cut is a reduction of its own; a sale that follows on at the same price isn't.
        let deeper = [sale(80, day(-5), day(60)), sale(70, day(0), day(60))];
        assert_eq!(before_price(&history, &deeper, None, day(1)), Some(80));
        let follows = [sale(80, day(-50), day(0)), now_on_sale];
        assert_eq!(before_price(&history, &follows, None, day(1)), Some(100));
        let apart = [sale(80, day(-50), day(0) - tick), now_on_sale];
        assert_eq!(before_price(&history, &apart, None, day(1)), None);
    }

    #[test]
    fn an_own_price_that_was_raised_for_the_sale_tells_nothing() {
        let tick = TimeDelta::microseconds(1);
        let raised =
            |at| before_price(&[own(100, day(-90)), own(150, at)], &[sale(80, day(0), day(9))], None, day(1));
        assert_eq!(raised(day(-30) + tick), Some(100));
        assert_eq!(raised(day(-30)), Some(150));
        // A lowered own price is a new price, not a reduction.
        assert_eq!(before_price(&[own(100, day(-90)), own(80, day(-1))], &[], None, day(1)), None);
        // What was never sold has no price before; nor has the time before it could be bought.
        assert_eq!(before_price(&[own(100, day(0))], &[sale(80, day(0), day(9))], None, day(1)), None);
        let sold_from =
            |from| before_price(&[own(100, day(-90))], &[sale(80, day(0), day(9))], Some(from), day(1));
        assert_eq!((sold_from(day(0)), sold_from(day(0) - tick)), (None, Some(100)));
        assert_eq!(before_price(&[], &[sale(80, day(0), day(9))], None, day(1)), None);
    }

    #[test]
    fn a_public_sale_runs_from_its_entry_until_it_is_taken_away() {
        let entered =
            Price { starts_at: Some(day(-5)), ends_at: Some(day(5)), ..price(Audience::Everyone, 1, 80) };
        let run = |price: &Price| PublicSale::of(price).map(|sale| (sale.from_at, sale.until));
        assert_eq!(run(&entered), Some((now(), Some(day(5)))));
        assert_eq!(run(&Price { archived_at: Some(day(2)), ..entered.clone() }), Some((now(), Some(day(2)))));
        assert_eq!(run(&Price { archived_at: Some(now()), ..entered.clone() }), None);
        assert_eq!(run(&Price { ends_at: None, ..entered.clone() }), Some((now(), None)));
        assert_eq!(run(&Price { quantity_from: 2, ..entered.clone() }), None);
        assert_eq!(run(&Price { buyers: Audience::Members, ..entered }), None);
    }

    #[test]
    fn it_ships_from_the_latest_time_of_its_parts_while_that_is_to_come() {
        let part = |ships_from| Part {
            variant: VariantId::new(),
            sku: "TEA".into(),
            product: ProductId::new(),
            kind: ProductKind::Goods,
            names: Names::new("茶", "Tea"),
            quantity: 1,
            weight_grams: 0,
            pool: None,
            right_days: None,
            ships_from,
        };
        let mut box_ = article(Vec::new());
        assert_eq!(box_.ships_from(now()), None);
        box_.ships_from = Some(day(3));
        box_.parts = vec![part(None), part(Some(day(9)))];
        assert_eq!(box_.ships_from(now()), Some(day(9)));
        assert_eq!(box_.ships_from(day(9) - TimeDelta::microseconds(1)), Some(day(9)));
        assert_eq!(box_.ships_from(day(9)), None);
    }

    #[test]
    fn tax_is_inside_and_rounded_once() {
        assert_eq!(included_tax_minor(10_900, 900), 900);
        assert_eq!(included_tax_minor(49_900, 900), 4_120);
        assert_eq!(included_tax_minor(1, 900), 0);
        assert_eq!(included_tax_minor(99_999_999, 10_000), 50_000_000);
        assert_eq!(included_tax_minor(49_900, 0), 0);
    }
}

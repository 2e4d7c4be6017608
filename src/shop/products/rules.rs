//! What an article costs and who may have it.

use chrono::{DateTime, Utc};

use super::model::{Article, Price, Product};
use crate::error::Code;
use crate::shop::audience::{Ranks, Visitor};

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
    use crate::shop::audience::Audience;
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

/// May this visitor buy it? Whether there is one left is the pools' to say.
///
/// # Errors
/// `unknown_article` for what isn't shown to him; else the reason that the product's rule gives.
pub fn may_buy(article: &Article, visitor: Visitor, ranks: &Ranks, now: DateTime<Utc>) -> Result<(), Code> {
    if article.archived_at.is_some() || !is_shown(&article.product, visitor, ranks, now) {
        return Err(Code::UnknownArticle);
    }
    article.product.buys.admit(visitor, ranks)
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
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;
    use crate::shop::audience::Audience;
    use crate::shop::products::model::ProductKind;
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
                shown_from: Some(now()),
                shown_until: Some(now() + TimeDelta::hours(1)),
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
        }
    }

    const MEMBER: Visitor<'static> = Visitor { is_signed_in: true, tier_rank: Some(10), segments: &[] };
    const GUEST: Visitor<'static> = Visitor { is_signed_in: true, tier_rank: None, segments: &[] };

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
    fn tax_is_inside_and_rounded_once() {
        assert_eq!(included_tax_minor(10_900, 900), 900);
        assert_eq!(included_tax_minor(49_900, 900), 4_120);
        assert_eq!(included_tax_minor(1, 900), 0);
        assert_eq!(included_tax_minor(99_999_999, 10_000), 50_000_000);
        assert_eq!(included_tax_minor(49_900, 0), 0);
    }
}

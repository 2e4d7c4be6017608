//! What a quote proposes: something better instead of a line for a supplement, and what would come for nothing.

use chrono::{DateTime, Utc};

use super::catalog::Catalog;
use super::prices::article_title;
use super::rules::{ArticleFacts, Facts, LineFacts};
use crate::checkout::claims;
use crate::db::Conn;
use crate::error::Result;
use crate::shop::offers::model::{Offer, OfferKind};
use crate::shop::offers::rules::may_use;
use crate::shop::products::model::{self as products, Article};
use crate::shop::products::rules;
use crate::types::id::{OfferId, VariantId};

/// Something that the buyer could have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub offer: OfferId,
    pub code: String,
    pub kind: OfferKind,
    pub name: String,
    /// The line that it is about.
    pub line: usize,
    /// What to put into the cart: of a swap in the place of the line, of a gift beside it.
    pub variant: VariantId,
    pub title: String,
    pub quantity: i64,
    /// Of one unit; of a gift nothing.
    pub unit_price_minor: i64,
    /// Of a swap: more than what is given up, for one unit.
    pub supplement_minor: Option<i64>,
}

/// Lines with the offers that are for them and that this buyer may use now.
fn candidates<'a>(
    facts: &'a Facts<'_>,
    catalog: &'a Catalog,
    now: DateTime<Utc>,
) -> Vec<(usize, &'a ArticleFacts<'a>, &'a Offer)> {
    let gifts = facts.gifts.iter().map(|gift| gift.offer);
    let offers: Vec<&Offer> = catalog.swaps().chain(gifts).collect();
    let mut found = Vec::new();
    for (index, line) in facts.lines.iter().enumerate() {
        let LineFacts::Article(line) = line else { continue };
        let is_plain = line.drop.is_none() && line.swap.is_none();
        for offer in offers.iter().filter(|offer| offer.buy == line.article.id) {
            let is_fit = match offer.kind {
                OfferKind::Swap => is_plain,
                OfferKind::Gift => line.quantity >= i64::from(offer.buy_quantity) && !has(facts, offer.get),
            };
            if is_fit && may_use(offer, facts.visitor, facts.ranks, now).is_ok() {
                found.push((index, line, *offer));
            }
        }
    }
    found
}

fn has(facts: &Facts<'_>, variant: VariantId) -> bool {
    facts.lines.iter().any(|line| matches!(line, LineFacts::Article(line) if line.article.id == variant))
}

/// What this buyer could have now: there is enough of it, and a swap is cheaper than the thing by itself.
///
/// # Errors
/// The database's.
pub async fn of(
    conn: &mut Conn,
    facts: &Facts<'_>,
    catalog: &Catalog,
    now: DateTime<Utc>,
) -> Result<Vec<Proposal>> {
    let candidates = candidates(facts, catalog, now);
    let ids: Vec<VariantId> = candidates.iter().map(|(.., offer)| offer.get).collect();
    let articles = products::articles(conn, &ids).await?;
    let pools: Vec<_> = articles.iter().flat_map(Article::pools).collect();
    let pools = claims::read(conn, &pools).await?;
    let has_enough = |article: &Article, quantity: i64| {
        let of_parts = article.parts.iter().filter_map(|part| Some((part.pool?, i64::from(part.quantity))));
        let mut all = article.pool.map(|pool| (pool, 1)).into_iter().chain(of_parts);
        all.all(|(id, of_one)| {
            pools.iter().any(|pool| pool.id == id && pool.left() >= of_one.saturating_mul(quantity))
        })
    };
    let mut proposals = Vec::new();
    for (index, line, offer) in candidates {
        let Some(article) = articles.iter().find(|article| article.id == offer.get) else { continue };
        let quantity = match offer.kind {
            OfferKind::Swap => line.quantity,
            OfferKind::Gift => i64::from(offer.get_quantity),
        };
        let is_sold = article.open_sale
            && rules::is_quantity(article, quantity)
            && rules::may_buy(article, facts.visitor, facts.ranks, now).is_ok();
        let unit = |of| rules::unit_price(of, line.quantity, facts.visitor, facts.ranks, now).minor;
        let unit_price_minor =
            offer.supplement_minor.map_or(0, |more| unit(line.article).saturating_add(more));
        let is_cheaper = offer.kind == OfferKind::Gift || unit_price_minor < unit(article);
        if is_sold && is_cheaper && has_enough(article, quantity) {
            proposals.push(Proposal {
                offer: offer.id,
                code: offer.code.clone(),
                kind: offer.kind,
                name: offer.names.pick(facts.buyer.locale).to_owned(),
                line: index,
                variant: article.id,
                title: article_title(article, facts.buyer.locale),
                quantity,
                unit_price_minor,
                supplement_minor: offer.supplement_minor,
            });
        }
    }
    Ok(proposals)
}

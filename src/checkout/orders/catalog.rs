//! What the carts of a batch name: read set by set, before anything is locked.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};

use super::coupons::{Found, Offered};
use super::prices::sold_article;
use super::service::{Cart, Line};
use crate::db::Conn;
use crate::error::Result;
use crate::loyalty::offers::model::{self as upgrade_offers, UpgradeOffer};
use crate::loyalty::points::programme::{Earning, earning};
use crate::membership::benefits::model::{self as benefits, Benefit};
use crate::membership::drives::model::{self as drives, Admission, Drive};
use crate::membership::invitations::model::{self as invitations, Invitation};
use crate::membership::plans::model::{self as plans, Plan};
use crate::membership::renewals::model::{self as renewals, Renewal};
use crate::membership::upgrades::model::{self as upgrades, UpgradeQuote};
use crate::people::accounts::model as accounts;
use crate::promotion::campaigns::model::Campaign;
use crate::promotion::campaigns::rules::Sold;
use crate::shop::audience::Ranks;
use crate::shop::drops::model::{self as drops, Drop, FCode};
use crate::shop::offers::model::{self as offers, Offer, OfferKind};
use crate::shop::products::model::{self as products, Article};
use crate::shop::shipping::model::{self as shipping, ShippingMethod};
use crate::shop::visitors::segments_in;
use crate::types::id::{
    AccountId, BenefitId, DriveId, DropId, PlanId, PoolId, RenewalId, ShippingMethodId, UpgradeQuoteId,
    VariantId,
};

/// Everything that carts are judged by, read set by set.
#[derive(Default)]
pub struct Catalog {
    pub(super) plans: HashMap<PlanId, Plan>,
    pub(super) upgrades: HashMap<UpgradeQuoteId, UpgradeQuote>,
    /// By which these were quoted.
    pub(super) upgrade_offers: Vec<UpgradeOffer>,
    pub(super) renewals: HashMap<RenewalId, Renewal>,
    pub(super) drives: HashMap<DriveId, Drive>,
    pub(super) invitations: Vec<Invitation>,
    pub(super) articles: HashMap<VariantId, Article>,
    pub(super) drops: HashMap<DropId, Drop>,
    pub(super) f_codes: Vec<FCode>,
    pub(super) methods: HashMap<ShippingMethodId, ShippingMethod>,
    /// For who buys something of the carts, or gives it up.
    pub(super) offers: Vec<Offer>,
    /// Those that lines name, and what takes something off a parcel.
    pub(super) benefits: Vec<Benefit>,
    /// What lines give up for something else; nothing of it is claimed.
    pub(super) given_up: HashMap<VariantId, Article>,
    pub(super) coupons: Offered,
    /// What lines earn.
    pub(super) earning: Earning,
    pub(super) ranks: Ranks,
}

impl Catalog {
    /// Offers of something better for who buys something of the carts.
    pub fn swaps(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|offer| offer.kind == OfferKind::Swap)
    }

    /// Tries a campaign as if it needed no code and weren't paused.
    ///
    /// # Errors
    /// The database's.
    pub async fn try_out(&mut self, conn: &mut Conn, campaign: Campaign) -> Result<()> {
        self.coupons.try_out(campaign);
        self.ranks = products::ranks(conn).await?;
        Ok(())
    }

    /// What carts may buy of it, as the scopes of coupons know it; which price anybody pays, and which sale of a plan it is, isn't known yet.
    fn sold(&self) -> Vec<Sold<'_>> {
        let of_drives = self.drives.values().map(|drive| Sold::Plan {
            plan: drive.plan.id,
            tier: &drive.plan.tier_code,
            sale: None,
        });
        let of_plans =
            self.plans.values().map(|plan| Sold::Plan { plan: plan.id, tier: &plan.tier_code, sale: None });
        let articles = self.articles.values().map(|article| sold_article(article, false, false));
        of_drives.chain(of_plans).chain(articles).collect()
    }

    /// Does any of the carts make or change a membership?
    pub fn has_plans(&self) -> bool {
        !self.plans.is_empty() || !self.drives.is_empty()
    }

    /// Codes of the segments that something here is for.
    pub(super) fn segments(&self) -> BTreeSet<String> {
        let of_articles = self.articles.values().flat_map(Article::audiences);
        let of_drops = self.drops.values().flat_map(Drop::audiences);
        let of_methods = self.methods.values().filter_map(|method| method.free_for.as_ref());
        let given_up = self.given_up.values().flat_map(Article::audiences);
        let of_offers = self.offers.iter().map(|offer| &offer.buyers);
        let goods = of_articles.chain(of_drops).chain(of_methods).chain(given_up);
        let others = self.coupons.audiences().chain(self.earning.audiences());
        segments_in(goods.chain(of_offers).chain(others))
    }
}

/// Who buys, each once, in the order of their locks.
pub fn accounts_of(carts: &[&Cart]) -> Vec<AccountId> {
    let ids: BTreeSet<_> = carts.iter().map(|cart| cart.customer.account()).collect();
    ids.into_iter().collect()
}

/// What the carts name, each once.
#[derive(Default)]
struct Named {
    plans: BTreeSet<PlanId>,
    upgrades: BTreeSet<UpgradeQuoteId>,
    renewals: BTreeSet<RenewalId>,
    drives: BTreeSet<DriveId>,
    invitations: BTreeSet<String>,
    articles: BTreeSet<VariantId>,
    benefits: BTreeSet<BenefitId>,
    given_up: BTreeSet<VariantId>,
    drops: BTreeSet<DropId>,
    f_codes: BTreeSet<String>,
    methods: BTreeSet<ShippingMethodId>,
}

impl Named {
    fn by(carts: &[&Cart]) -> Self {
        let mut named = Self::default();
        for cart in carts {
            named.methods.extend(cart.shipping.as_ref().map(|choice| choice.method));
            for line in &cart.lines {
                named.add(line);
            }
        }
        named
    }

    fn add(&mut self, line: &Line) {
        match line {
            Line::Plan(line) => {
                match line.drive {
                    Some(drive) => self.drives.insert(drive),
                    None => self.plans.insert(line.plan),
                };
                self.invitations.extend(line.invitation.clone());
            }
            Line::Upgrade(quote) => {
                self.upgrades.insert(*quote);
            }
            Line::Renewal(renewal) => {
                self.renewals.insert(*renewal);
            }
            Line::Article(line) => {
                self.articles.insert(line.article);
                self.given_up.extend(line.instead_of);
                self.benefits.extend(line.benefit);
                self.drops.extend(line.drop);
                self.f_codes.extend(line.f_code.clone());
            }
            Line::Gift(line) => {
                self.plans.insert(line.plan);
            }
            Line::GiftCard(_) => {}
        }
    }
}

fn ids<T: Copy>(named: &BTreeSet<T>) -> Vec<T> {
    named.iter().copied().collect()
}

/// Reads what the carts name.
///
/// # Errors
/// The database's.
pub async fn read_catalog(
    conn: &Conn,
    carts: &[&Cart],
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Catalog> {
    let named = Named::by(carts);
    // What doesn't depend on one another goes out together.
    let (found, goods, coupons, earning, ranks) = tokio::try_join!(
        read_memberships(conn, carts, &named),
        read_goods(conn, &named),
        Found::read(conn, carts),
        earning(conn),
        when(!named.articles.is_empty(), products::ranks(conn)),
    )?;
    let Catalog { plans, upgrades, upgrade_offers, renewals, drives, invitations, .. } = found;
    let mut catalog =
        Catalog { plans, upgrades, upgrade_offers, renewals, drives, invitations, earning, ranks, ..goods };
    catalog.coupons = coupons.touching(&catalog.sold(), (day, now));
    let has_audiences = catalog.coupons.audiences().chain(catalog.earning.audiences()).next().is_some();
    if catalog.articles.is_empty() && has_audiences {
        catalog.ranks = products::ranks(conn).await?;
    }
    Ok(catalog)
}

async fn read_memberships(conn: &Conn, carts: &[&Cart], named: &Named) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut plans = named.plans.clone();
    if !named.upgrades.is_empty() {
        let quotes = upgrades::load(conn, &ids(&named.upgrades)).await?;
        plans.extend(quotes.iter().map(|quote| quote.plan_id));
        let offers: BTreeSet<_> = quotes.iter().filter_map(|quote| quote.offer_id).collect();
        catalog.upgrade_offers = upgrade_offers::load(conn, &ids(&offers)).await?;
        catalog.upgrades = quotes.into_iter().map(|quote| (quote.id, quote)).collect();
    }
    if !named.renewals.is_empty() {
        let renewals = renewals::load(conn, &ids(&named.renewals)).await?;
        plans.extend(renewals.iter().map(|renewal| renewal.plan_id));
        catalog.renewals = renewals.into_iter().map(|renewal| (renewal.id, renewal)).collect();
    }
    if !named.drives.is_empty() {
        let drives = drives::load(conn, &ids(&named.drives)).await?;
        catalog.drives = drives.into_iter().map(|drive| (drive.id, drive)).collect();
        catalog.invitations = read_invitations(conn, carts, named, &catalog.drives).await?;
    }
    if !plans.is_empty() {
        let plans = plans::load(conn, &ids(&plans)).await?;
        catalog.plans = plans.into_iter().map(|plan| (plan.id, plan)).collect();
    }
    Ok(catalog)
}

async fn read_goods(conn: &Conn, named: &Named) -> Result<Catalog> {
    if named.articles.is_empty() {
        return Ok(Catalog::default());
    }
    let (articles, given_up) = (ids(&named.articles), ids(&named.given_up));
    let bought: Vec<_> = named.articles.union(&named.given_up).copied().collect();
    let (drops, benefits, methods) = (ids(&named.drops), ids(&named.benefits), ids(&named.methods));
    let f_codes: Vec<_> = named.f_codes.iter().cloned().collect();
    let (articles, given_up, offers, drops, f_codes, benefits, waivers, methods) = tokio::try_join!(
        products::articles(conn, &articles),
        products::articles(conn, &given_up),
        offers::for_buyers_of(conn, &bought),
        drops::load(conn, &drops),
        drops::f_codes(conn, &f_codes),
        benefits::with_rivals(conn, &benefits),
        when(!methods.is_empty(), benefits::free_shipping(conn)),
        shipping::load(conn, &methods),
    )?;
    let by_id = |articles: Vec<Article>| articles.into_iter().map(|article| (article.id, article)).collect();
    Ok(Catalog {
        articles: by_id(articles),
        given_up: by_id(given_up),
        drops: drops.into_iter().map(|drop| (drop.id, drop)).collect(),
        f_codes,
        methods: methods.into_iter().map(|method| (method.id, method)).collect(),
        offers,
        benefits: benefits.into_iter().chain(waivers).collect(),
        ..Catalog::default()
    })
}

async fn read_invitations(
    conn: &Conn,
    carts: &[&Cart],
    named: &Named,
    drives: &HashMap<DriveId, Drive>,
) -> Result<Vec<Invitation>> {
    let by_invitation = |drive: &&Drive| drive.admission == Admission::Invitation;
    let invited: Vec<_> = drives.values().filter(by_invitation).map(|drive| drive.id).collect();
    if invited.is_empty() {
        return Ok(Vec::new());
    }
    // Whose address is on the list needs no code.
    let addresses = accounts::email_keys(conn, &accounts_of(carts)).await?;
    let codes: Vec<_> = named.invitations.iter().cloned().collect();
    invitations::find(conn, &invited, &codes, &addresses).await
}

/// Pools that the carts may claim of. All pools of a drop are among them: under their locks nobody else buys in it, which
/// the cap a person needs.
pub fn pools_of(catalog: &Catalog) -> Vec<PoolId> {
    let mut pools: BTreeSet<PoolId> = catalog.drives.values().map(|drive| drive.pool).collect();
    pools.extend(catalog.invitations.iter().map(|invitation| invitation.pool));
    pools.extend(catalog.upgrade_offers.iter().flat_map(|offer| [offer.pool, offer.budget_pool]));
    for article in catalog.articles.values() {
        pools.extend(article.pool);
        pools.extend(article.parts.iter().filter_map(|part| part.pool));
    }
    for drop in catalog.drops.values() {
        pools.extend(drop.items.iter().map(|item| item.pool));
        pools.extend(drop.audiences.iter().filter_map(|of| of.pool));
    }
    pools.extend(catalog.f_codes.iter().map(|code| code.pool));
    pools.extend(catalog.coupons.pools());
    pools.into_iter().collect()
}

/// What isn't asked for is empty.
pub async fn when<T: Default>(is_asked: bool, read: impl Future<Output = Result<T>>) -> Result<T> {
    if is_asked { read.await } else { Ok(T::default()) }
}

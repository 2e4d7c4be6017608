//! What orders are judged by beside what they name: read under the locks, then gathered for one cart at a time.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::benefits::BenefitLedger;
use super::catalog::{Catalog, when};
use super::model;
use super::offers::OfferLedger;
use super::rules::{
    ArticleFacts, Facts, GiftFacts, Ledger, LineFacts, PlanFacts, RenewalFacts, Swap, UpgradeFacts,
};
use super::service::{ArticleLine, Cart, Customer, Line, PlanLine};
use crate::checkout::claims;
use crate::checkout::pricing::gifts::Gift;
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::loyalty::levels::model as levels;
use crate::membership::applications::model::{self as applications, Application};
use crate::membership::associates::access::{self, Standing};
use crate::membership::benefits::model::{Benefit, GivenBy};
use crate::membership::benefits::rules::Gives;
use crate::membership::drives::model::Admission;
use crate::membership::invitations::model::Invitation;
use crate::membership::measures::model as measures;
use crate::membership::memberships::model::MembershipRow;
use crate::people::accounts::model::Buyer;
use crate::people::segments::model::segments_of;
use crate::shop::audience::Visitor;
use crate::shop::drops::model::{self as drops, FCode};
use crate::shop::offers::model::{Offer, OfferKind};
use crate::shop::offers::rules as offer_rules;
use crate::shop::visitors::visitor_of;
use crate::shop::waiting_list::model as waiting_list;
use crate::types::id::{AccountId, RenewalId, UpgradeQuoteId};

/// What is read under the locks.
pub struct Locked {
    buyers: HashMap<AccountId, Buyer>,
    /// Their own.
    memberships: HashMap<AccountId, MembershipRow>,
    /// Those whose associates they are.
    heads: HashMap<AccountId, MembershipRow>,
    /// From when the periods of these are counted.
    periods_from: HashMap<AccountId, DateTime<Utc>>,
    applications: Vec<Application>,
    /// Of those that the catalog names.
    segments: HashMap<AccountId, Vec<String>>,
    levels: HashMap<AccountId, levels::Standing>,
}

impl Locked {
    /// The membership under which an account stands: its own, or one whose associate it is.
    fn standing(&self, account: &AccountId) -> Option<&MembershipRow> {
        self.memberships.get(account).or_else(|| self.heads.get(account))
    }
}

/// Reads what may change unless the pools and the buyers are locked; for a quote they aren't.
///
/// # Errors
/// The database's.
pub async fn read_locked(
    conn: &Conn,
    catalog: &Catalog,
    pools: Vec<claims::Pool>,
    buyers: Vec<Buyer>,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<(Locked, Ledger)> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let by_application: Vec<_> = catalog
        .drives
        .values()
        .filter(|drive| drive.admission == Admission::Application)
        .map(|drive| drive.id)
        .collect();
    let segments = catalog.segments();
    let (mut ledger, applications, standings, segments, levels) = tokio::try_join!(
        read_ledger(conn, catalog, &pools, &buyers, now),
        when(!by_application.is_empty(), applications::of(conn, &by_application, &ids)),
        access::standings_of(conn, &ids),
        segments_of(conn, &segments, &ids, now),
        when(catalog.ranks.has_levels(), levels::standings(conn, &ids, now)),
    )?;
    let mut periods_from = HashMap::with_capacity(standings.len());
    for standing in &standings {
        periods_from.insert(standing.account(), standing.periods_from());
    }
    let (own, others): (Vec<_>, Vec<_>) = standings.into_iter().partition(|row| row.seat().is_none());
    let by_account = |rows: Vec<Standing>| -> HashMap<AccountId, MembershipRow> {
        rows.into_iter().map(Standing::into_row).map(|row| (row.account_id, row)).collect()
    };
    let (memberships, heads) = (by_account(own), by_account(others));
    let rows: Vec<_> = memberships.values().chain(heads.values()).collect();
    ledger.benefits = BenefitLedger::read(conn, &catalog.benefits, &rows, &buyers, zone).await?;
    let locked = Locked {
        memberships,
        heads,
        periods_from,
        buyers: buyers.into_iter().map(|buyer| (buyer.id, buyer)).collect(),
        applications,
        segments,
        levels,
    };
    Ok((locked, ledger))
}

/// What is left, and what the buyers have used of it.
async fn read_ledger(
    conn: &Conn,
    catalog: &Catalog,
    pools: &[claims::Pool],
    buyers: &[Buyer],
    now: DateTime<Utc>,
) -> Result<Ledger> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
    let pool_ids: Vec<_> = pools.iter().map(|pool| pool.id).collect();
    let series: BTreeSet<_> = catalog.drives.values().map(|drive| drive.series.clone()).collect();
    let series: Vec<_> = series.into_iter().collect();
    let capped: Vec<_> =
        catalog.drops.values().filter(|drop| drop.cap_per_person.is_some()).map(|drop| drop.id).collect();
    let (upgrade_offers, past, pending, expelled, reserved, places, purchases) = tokio::try_join!(
        OfferLedger::read(conn, &catalog.upgrade_offers, buyers),
        catalog.coupons.past(conn, buyers),
        model::with_pending_membership(conn, &ids),
        when(catalog.has_plans(), measures::expelled_of(conn, &ids)),
        when(!catalog.articles.is_empty(), waiting_list::reserved(conn, &pool_ids, now)),
        when(!series.is_empty(), model::live_places(conn, &series, &ids, &people)),
        when(!capped.is_empty(), drops::purchases(conn, &capped, &ids, &people)),
    )?;
    Ok(Ledger {
        left: pools.iter().map(|pool| (pool.id, pool.left())).collect(),
        pending,
        expelled,
        account_places: places.iter().map(|(series, account, _)| (series.clone(), *account)).collect(),
        person_places: places.into_iter().map(|(series, _, person)| (series, person)).collect(),
        purchases,
        reserved,
        past,
        upgrade_offers,
        ..Ledger::default()
    })
}

/// Gathers what is known of a cart.
///
/// # Errors
/// `unauthenticated`; for a line that names what isn't there `unknown_plan`, `unknown_drive`, `unknown_invitation`,
/// `unknown_article`, `unknown_drop`, `unknown_f_code`, `unknown_benefit`; `invalid_field` for a shipping method that isn't there.
pub fn facts_of<'a>(
    cart: &'a Cart,
    catalog: &'a Catalog,
    locked: &'a Locked,
    now: DateTime<Utc>,
) -> Result<Facts<'a>> {
    let mut facts = facts_without_lines(&cart.customer, catalog, locked, now)?;
    for (index, line) in cart.lines.iter().enumerate() {
        facts.lines.push(line_facts(index, line, facts.buyer, catalog, locked, now)?);
    }
    facts.shipping = match &cart.shipping {
        Some(choice) if !catalog.articles.is_empty() => {
            let method = catalog.methods.get(&choice.method);
            let method = method.ok_or_else(|| Code::InvalidField.at("shipping.method", "unknown"))?;
            Some((method, &choice.address))
        }
        _ => None,
    };
    facts.gifts = gifts_of(&facts.lines, catalog, facts.visitor, now);
    Ok(facts)
}

/// What is known of who buys.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub fn facts_without_lines<'a>(
    customer: &'a Customer,
    catalog: &'a Catalog,
    locked: &'a Locked,
    now: DateTime<Utc>,
) -> Result<Facts<'a>> {
    let (buyer, level, visitor) = match customer {
        Customer::Guest(buyer) => (buyer, None, Visitor::default()),
        Customer::Account(id) => {
            let buyer = locked.buyers.get(id).ok_or(Code::Unauthenticated)?;
            let segments = locked.segments.get(id).map_or(&[][..], Vec::as_slice);
            let level = locked.levels.get(id);
            let rank = level.map(|level| level.rank);
            (
                buyer,
                level.map(|of| of.level),
                visitor_of(locked.standing(id), rank, segments, &catalog.ranks, now),
            )
        }
    };
    let membership = locked.memberships.get(&buyer.id);
    let standing = locked.standing(&buyer.id).zip(locked.periods_from.get(&buyer.id).copied());
    let is_waiver = |benefit: &&Benefit| {
        let is_his = match benefit.given_by {
            GivenBy::Tier(tier) => standing.is_some_and(|(row, _)| row.tier_id == tier),
            GivenBy::Level(of) => level == Some(of),
        };
        benefit.gives == Gives::FreeShipping && is_his
    };
    let waivers = catalog.benefits.iter().filter(is_waiver).collect();
    let rivals = catalog.benefits.as_slice();
    let (ranks, earning, lines, gifts) = (&catalog.ranks, &catalog.earning, Vec::new(), Vec::new());
    let shipping = None;
    Ok(Facts {
        buyer,
        membership,
        standing,
        level,
        visitor,
        ranks,
        earning,
        lines,
        shipping,
        gifts,
        waivers,
        rivals,
    })
}

/// What is known of one line of a cart.
///
/// # Errors
/// As [`facts_of`].
pub fn line_facts<'a>(
    index: usize,
    line: &'a Line,
    buyer: &Buyer,
    catalog: &'a Catalog,
    locked: &'a Locked,
    now: DateTime<Utc>,
) -> Result<LineFacts<'a>> {
    match line {
        Line::Plan(line) => plan_facts(index, line, buyer, catalog, locked).map(LineFacts::Plan),
        Line::Upgrade(quote) => upgrade_facts(index, *quote, buyer, catalog).map(LineFacts::Upgrade),
        Line::Renewal(id) => renewal_facts(index, *id, buyer, catalog).map(LineFacts::Renewal),
        Line::Article(line) => article_facts(index, line, catalog, now).map(LineFacts::Article),
        Line::GiftCard(line) => Ok(LineFacts::GiftCard(line)),
        Line::Gift(line) => {
            let plan = catalog.plans.get(&line.plan);
            let plan = plan.ok_or_else(|| at_line(Code::UnknownPlan, index, "gift.plan", "unknown"))?;
            Ok(LineFacts::Gift(GiftFacts { plan, line }))
        }
    }
}

/// A field of a line, for whom it is to be told.
fn at_line(code: Code, index: usize, field: &str, why: &'static str) -> AppError {
    code.at(format!("lines[{index}].{field}"), why)
}

fn plan_facts<'a>(
    index: usize,
    line: &PlanLine,
    buyer: &Buyer,
    catalog: &'a Catalog,
    locked: &'a Locked,
) -> Result<PlanFacts<'a>> {
    let unknown_drive = |why| at_line(Code::UnknownDrive, index, "drive", why);
    let drive = match line.drive {
        Some(id) => Some(catalog.drives.get(&id).ok_or_else(|| unknown_drive("unknown"))?),
        None => None,
    };
    let plan = match drive {
        Some(drive) if drive.plan.id == line.plan => &drive.plan,
        Some(_) => return Err(unknown_drive("this drive sells another plan")),
        None => catalog
            .plans
            .get(&line.plan)
            .ok_or_else(|| at_line(Code::UnknownPlan, index, "plan", "unknown"))?,
    };
    let of_drive = |found: &&Invitation| drive.is_some_and(|drive| drive.id == found.drive);
    let invitation = match &line.invitation {
        Some(code) => {
            let found = catalog.invitations.iter().find(|found| found.code == *code);
            if found.is_none() && drive.is_some_and(|drive| drive.admission == Admission::Invitation) {
                return Err(at_line(Code::UnknownInvitation, index, "invitation", "unknown"));
            }
            found.filter(of_drive)
        }
        None => catalog
            .invitations
            .iter()
            .filter(of_drive)
            .find(|found| found.email_key.is_some() && found.email_key == buyer.email_key),
    };
    let application = locked
        .applications
        .iter()
        .find(|found| found.account_id == buyer.id && drive.is_some_and(|drive| drive.id == found.drive_id));
    Ok(PlanFacts { plan, drive, invitation, application })
}

/// A stranger's quote is told like one that isn't there.
fn upgrade_facts<'a>(
    index: usize,
    quote: UpgradeQuoteId,
    buyer: &Buyer,
    catalog: &'a Catalog,
) -> Result<UpgradeFacts<'a>> {
    let known = catalog.upgrades.get(&quote).filter(|quote| quote.account_id == buyer.id);
    let known = known.and_then(|quote| Some((quote, catalog.plans.get(&quote.plan_id)?)));
    let (quote, plan) =
        known.ok_or_else(|| at_line(Code::UnknownUpgradeQuote, index, "upgrade_quote", "unknown"))?;
    Ok(UpgradeFacts { quote, plan })
}

/// So is a stranger's renewal.
fn renewal_facts<'a>(
    index: usize,
    id: RenewalId,
    buyer: &Buyer,
    catalog: &'a Catalog,
) -> Result<RenewalFacts<'a>> {
    let known = catalog.renewals.get(&id).filter(|renewal| renewal.account_id == buyer.id);
    let known = known.and_then(|renewal| Some((renewal, catalog.plans.get(&renewal.plan_id)?)));
    let (renewal, plan) = known.ok_or_else(|| at_line(Code::UnknownRenewal, index, "renewal", "unknown"))?;
    Ok(RenewalFacts { renewal, plan })
}

/// Offers of more in the pack for who buys something of the cart.
pub fn gifts_of<'a>(
    lines: &[LineFacts<'a>],
    catalog: &'a Catalog,
    visitor: Visitor<'_>,
    now: DateTime<Utc>,
) -> Vec<Gift<'a>> {
    let is_bought = |offer: &&Offer| {
        offer.kind == OfferKind::Gift
            && lines
                .iter()
                .any(|line| matches!(line, LineFacts::Article(line) if line.article.id == offer.buy))
    };
    let offers = catalog.offers.iter().filter(is_bought);
    let gift =
        |offer| Gift { offer, refusal: offer_rules::may_use(offer, visitor, &catalog.ranks, now).err() };
    offers.map(gift).collect()
}

/// The offer under which the line's article is sold instead of another one: one that runs, the cheapest of them.
fn swap_facts<'a>(
    index: usize,
    line: &ArticleLine,
    catalog: &'a Catalog,
    now: DateTime<Utc>,
) -> Result<Option<Swap<'a>>> {
    let Some(given_up) = line.instead_of else { return Ok(None) };
    let is_it =
        |offer: &&Offer| offer.kind == OfferKind::Swap && offer.buy == given_up && offer.get == line.article;
    let runs = |offer: &Offer| {
        offer.starts_at.is_none_or(|start| start <= now) && offer.ends_at.is_none_or(|end| now < end)
    };
    let best = catalog.offers.iter().filter(is_it).min_by_key(|offer| (!runs(offer), offer.supplement_minor));
    let unknown = || at_line(Code::UnknownOffer, index, "instead_of", "there is no such offer");
    let offer = best.ok_or_else(unknown)?;
    Ok(Some(Swap { offer, given_up: catalog.given_up.get(&given_up).ok_or_else(unknown)? }))
}

fn article_facts<'a>(
    index: usize,
    line: &ArticleLine,
    catalog: &'a Catalog,
    now: DateTime<Utc>,
) -> Result<ArticleFacts<'a>> {
    let article = catalog
        .articles
        .get(&line.article)
        .filter(|article| article.is_bundle() == line.is_bundle)
        .ok_or_else(|| at_line(Code::UnknownArticle, index, line.field(), "unknown"))?;
    let unknown_drop = || at_line(Code::UnknownDrop, index, "drop", "it doesn't sell this");
    let drop = match line.drop {
        Some(id) => {
            let drop = catalog.drops.get(&id).filter(|drop| drop.item(article.id).is_some());
            Some(drop.ok_or_else(unknown_drop)?)
        }
        None => None,
    };
    let f_code = match &line.f_code {
        Some(code) => {
            let its = |found: &&FCode| {
                found.code == *code && found.variant == article.id && line.drop == Some(found.drop)
            };
            let found = catalog.f_codes.iter().find(its);
            Some(found.ok_or_else(|| at_line(Code::UnknownFCode, index, "f_code", "not a code for this"))?)
        }
        None => None,
    };
    let swap = swap_facts(index, line, catalog, now)?;
    let benefit = match line.benefit {
        Some(id) => {
            let found = catalog.benefits.iter().find(|benefit| benefit.id == id);
            Some(found.ok_or_else(|| at_line(Code::UnknownBenefit, index, "benefit", "unknown"))?)
        }
        None => None,
    };
    Ok(ArticleFacts { article, quantity: line.quantity, drop, f_code, swap, benefit })
}

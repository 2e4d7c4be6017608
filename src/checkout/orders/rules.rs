//! What an order may be: decided in memory, under the locks, for one line after another.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use url::Url;

use super::benefits::BenefitLedger;
use super::coupons::Past;
use super::dto::TermsConsent;
use super::offers::OfferLedger;
use super::service::{GiftCardLine, GiftLine};
use crate::checkout::credit::rules::Balance;
use crate::checkout::gift_cards::rules::may_sell;
use crate::checkout::gifts::rules as gifts;
use crate::checkout::pricing::gifts::Gift;
use crate::error::{AppError, Code, FieldError, Result};
use crate::loyalty::points::programme::Earning;
use crate::loyalty::points::rules::Purse;
use crate::membership::applications::model::Application;
use crate::membership::applications::rules as applications;
use crate::membership::benefits::model::Benefit;
use crate::membership::drives::model::{Admission, Drive};
use crate::membership::drives::rules as drives;
use crate::membership::invitations::model::Invitation;
use crate::membership::invitations::rules::{self as invitations, Guest};
use crate::membership::memberships::model::MembershipRow;
use crate::membership::memberships::rules::{self as memberships, GRACE};
use crate::membership::plans::model::Plan;
use crate::membership::renewals::model::Renewal;
use crate::membership::renewals::rules as renewals;
use crate::membership::upgrades::model::UpgradeQuote;
use crate::membership::upgrades::rules as upgrades;
use crate::people::accounts::model::Buyer;
use crate::shop::audience::{Ranks, Visitor};
use crate::shop::crowdfunding::rules as crowdfunding;
use crate::shop::drops::model::{Drop, FCode};
use crate::shop::drops::rules::{self as drops, Holder};
use crate::shop::offers::model::Offer;
use crate::shop::offers::rules as offers;
use crate::shop::products::model::Article;
use crate::shop::products::rules as products;
use crate::shop::shipping::model::ShippingMethod;
use crate::shop::shipping::rules::Address;
use crate::types::id::{AccountId, DropId, LevelId, PoolId};

/// How far the pools are, counting what this batch has claimed so far.
#[derive(Debug, Default)]
pub struct Ledger {
    pub left: HashMap<PoolId, i64>,
    /// Accounts with an unpaid membership order.
    pub pending: HashSet<AccountId>,
    /// Accounts that were expelled from the community.
    pub expelled: HashSet<AccountId>,
    /// The version of the rules of the community that is in force.
    pub community_rules: Option<String>,
    /// The version of the terms of sale that is in force, where an order accepts one.
    pub terms: Option<String>,
    /// (series, account) and (series, person) that have a place.
    pub account_places: HashSet<(String, AccountId)>,
    pub person_places: HashSet<(String, String)>,
    /// Units of capped drops: (drop, account, person, units).
    pub purchases: Vec<(DropId, AccountId, String, i64)>,
    /// What is kept for those in waiting lists.
    pub reserved: HashMap<PoolId, i64>,
    /// What was used of coupons.
    pub past: Past,
    /// Store credit of who pays by it.
    pub credit: HashMap<AccountId, Balance>,
    /// Points of who pays with them.
    pub purses: HashMap<AccountId, Purse>,
    /// What was used of members' benefits.
    pub benefits: BenefitLedger,
    /// What was used of upgrade offers.
    pub upgrade_offers: OfferLedger,
}

impl Ledger {
    /// What anybody may claim of a pool. An F-code's own is never reserved.
    pub fn open(&self, pool: PoolId) -> i64 {
        let of = |map: &HashMap<PoolId, i64>| map.get(&pool).copied().unwrap_or(0);
        of(&self.left) - of(&self.reserved)
    }

    /// Store credit that an account has.
    pub fn credit_minor(&self, account: AccountId) -> i64 {
        self.credit.get(&account).map_or(0, |balance| balance.balance_minor)
    }

    /// Points that an account can spend now.
    pub fn points(&self, account: AccountId, now: DateTime<Utc>) -> i64 {
        self.purses.get(&account).map_or(0, |purse| purse.spendable(now))
    }

    /// An order pays so much by store credit.
    pub fn spend(&mut self, account: AccountId, amount_minor: i64) {
        if let Some(balance) = self.credit.get_mut(&account) {
            balance.balance_minor -= amount_minor;
        }
    }

    /// Takes what an order claims as a whole.
    pub fn claim(&mut self, claims: &BTreeMap<PoolId, i64>) {
        for (pool, quantity) in claims {
            if let Some(left) = self.left.get_mut(pool) {
                *left -= quantity;
            }
        }
    }
}

/// What is known of one cart.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub buyer: &'a Buyer,
    pub membership: Option<&'a MembershipRow>,
    /// The membership under which the buyer stands, his own or his head's, and from when its periods are counted.
    pub standing: Option<(&'a MembershipRow, DateTime<Utc>)>,
    /// On which level the buyer stands.
    pub level: Option<LevelId>,
    pub visitor: Visitor<'a>,
    pub ranks: &'a Ranks,
    /// What lines earn.
    pub earning: &'a Earning,
    pub lines: Vec<LineFacts<'a>>,
    pub shipping: Option<(&'a ShippingMethod, &'a Address)>,
    /// More in the pack, for who buys something of the cart.
    pub gifts: Vec<Gift<'a>>,
    /// What the buyer's tier and level take off a parcel.
    pub waivers: Vec<&'a Benefit>,
    /// Benefits of the kinds that lines name: of a tier's and a level's the better counts.
    pub rivals: &'a [Benefit],
}

/// What is known of one line.
#[derive(Clone, Copy, Debug)]
pub enum LineFacts<'a> {
    Plan(PlanFacts<'a>),
    Upgrade(UpgradeFacts<'a>),
    Renewal(RenewalFacts<'a>),
    Article(ArticleFacts<'a>),
    GiftCard(&'a GiftCardLine),
    Gift(GiftFacts<'a>),
}

impl LineFacts<'_> {
    /// It makes, lengthens or changes a membership.
    pub fn is_membership(&self) -> bool {
        matches!(self, Self::Plan(_) | Self::Upgrade(_) | Self::Renewal(_))
    }
}

#[derive(Clone, Copy, Debug)]
pub struct PlanFacts<'a> {
    pub plan: &'a Plan,
    pub drive: Option<&'a Drive>,
    /// The invitation whose code was sent, or the one reserved for the buyer's address.
    pub invitation: Option<&'a Invitation>,
    pub application: Option<&'a Application>,
}

#[derive(Clone, Copy, Debug)]
pub struct GiftFacts<'a> {
    pub plan: &'a Plan,
    pub line: &'a GiftLine,
}

#[derive(Clone, Copy, Debug)]
pub struct UpgradeFacts<'a> {
    /// The buyer's own.
    pub quote: &'a UpgradeQuote,
    pub plan: &'a Plan,
}

#[derive(Clone, Copy, Debug)]
pub struct RenewalFacts<'a> {
    /// The buyer's own.
    pub renewal: &'a Renewal,
    pub plan: &'a Plan,
}

#[derive(Clone, Copy, Debug)]
pub struct ArticleFacts<'a> {
    pub article: &'a Article,
    pub quantity: i64,
    /// It sells the article.
    pub drop: Option<&'a Drop>,
    /// A code for this article in that drop.
    pub f_code: Option<&'a FCode>,
    /// It is bought instead of something else.
    pub swap: Option<Swap<'a>>,
    /// By which it costs nothing.
    pub benefit: Option<&'a Benefit>,
}

/// What a line is sold instead of, and under which offer.
#[derive(Clone, Copy, Debug)]
pub struct Swap<'a> {
    pub offer: &'a Offer,
    pub given_up: &'a Article,
}

/// What a line claims, by pool, and its units that count for the cap of a drop.
pub type LineClaims = (BTreeMap<PoolId, i64>, Option<(DropId, i64)>);

/// What an admitted order does to the ledger, and what its lines claim.
#[derive(Debug, Default)]
pub struct Admitted {
    /// A line each, by pool.
    pub claims: Vec<BTreeMap<PoolId, i64>>,
    /// A line each: units that count for the cap of a drop.
    pub capped: Vec<Option<(DropId, i64)>>,
}

impl Admitted {
    /// The next line of the cart is admitted.
    pub fn add(&mut self, (claims, capped): LineClaims) {
        self.claims.push(claims);
        self.capped.push(capped);
    }

    fn claimed(&self, pool: PoolId) -> i64 {
        self.claims.iter().filter_map(|line| line.get(&pool)).sum()
    }

    fn units(&self, drop: DropId) -> i64 {
        self.capped.iter().flatten().filter(|(of, _)| *of == drop).map(|(_, units)| units).sum()
    }
}

/// May this be ordered now? Reads the ledger and changes nothing.
///
/// # Errors
/// The first rule that refuses, with the line that it is about.
pub fn admit(facts: &Facts<'_>, ledger: &Ledger, now: DateTime<Utc>) -> Result<Admitted> {
    go_together(facts)?;
    let mut admitted = Admitted::default();
    for (index, line) in facts.lines.iter().enumerate() {
        let claims = admit_line(facts, line, ledger, &admitted, index, now)?;
        admitted.add(claims);
    }
    Ok(admitted)
}

/// May these lines be in one order?
///
/// # Errors
/// `invalid_field` for two plans; `stands_alone` for a pledge beside something else.
pub fn go_together(facts: &Facts<'_>) -> Result<()> {
    if facts.lines.iter().filter(|line| line.is_membership()).count() > 1 {
        return Err(Code::InvalidField.at("lines", "expected one plan at most"));
    }
    if is_pledge(facts) && facts.lines.len() > 1 {
        return Err(Code::StandsAlone.at("lines", "expected one line"));
    }
    Ok(())
}

/// Is anything of it crowdfunded?
pub fn is_pledge(facts: &Facts<'_>) -> bool {
    facts.lines.iter().any(
        |line| matches!(line, LineFacts::Article(line) if line.drop.is_some_and(|drop| drop.goal.is_some())),
    )
}

/// May this line be ordered now, beside those that were admitted before it? `index` is its position in the cart.
///
/// # Errors
/// The first rule that refuses, with the line that it is about.
pub fn admit_line(
    facts: &Facts<'_>,
    line: &LineFacts<'_>,
    ledger: &Ledger,
    admitted: &Admitted,
    index: usize,
    now: DateTime<Utc>,
) -> Result<LineClaims> {
    let judged = match line {
        LineFacts::Plan(plan) => admit_plan(facts, plan, ledger, now).map(|()| (pools_claimed(plan), None)),
        LineFacts::Upgrade(upgrade) => {
            admit_upgrade(facts, upgrade, ledger, now).map(|claims| (claims, None))
        }
        LineFacts::Renewal(renewal) => {
            admit_renewal(facts, renewal, ledger, now).map(|()| LineClaims::default())
        }
        LineFacts::Article(article) => admit_article(facts, article, ledger, admitted, index, now),
        LineFacts::GiftCard(card) => {
            let field = format!("lines[{index}].gift_card");
            may_sell(&field, card.amount.amount, card.to.as_ref(), now).map(|()| LineClaims::default())
        }
        LineFacts::Gift(GiftFacts { plan, line }) => {
            let field = format!("lines[{index}].gift");
            let buyer = facts.buyer.email.as_deref();
            gifts::may_sell(&field, plan, buyer, line.to.as_ref(), now).map(|()| LineClaims::default())
        }
    };
    judged.map_err(|error| of_line(error, index))
}

/// Says which line a refusal is about, unless it names a field already.
fn of_line(mut error: AppError, index: usize) -> AppError {
    if error.errors.is_empty() {
        let detail = error.detail.to_string();
        error.errors.push(FieldError { field: format!("lines[{index}]"), detail });
    }
    error
}

fn admit_plan(facts: &Facts<'_>, line: &PlanFacts<'_>, ledger: &Ledger, now: DateTime<Utc>) -> Result<()> {
    let buyer = facts.buyer;
    // A membership is an account's.
    if !facts.visitor.is_signed_in {
        return Err(Code::Unauthenticated.error());
    }
    if ledger.expelled.contains(&buyer.id) {
        return Err(Code::Expelled.error());
    }
    match line.drive {
        Some(drive) => {
            drives::check_open(drive, now)?;
            let has_place = ledger.account_places.contains(&(drive.series.clone(), buyer.id))
                || buyer.person_key.as_ref().is_some_and(|person| {
                    ledger.person_places.contains(&(drive.series.clone(), person.clone()))
                });
            if has_place {
                return Err(Code::OnePerPerson.error());
            }
        }
        None if line.plan.archived_at.is_some() => return Err(Code::UnknownPlan.error()),
        None if !line.plan.open_sale => return Err(Code::DriveRequired.error()),
        None => {}
    }
    memberships::may_buy(facts.membership, line.plan.tier, now, GRACE)?;
    if ledger.pending.contains(&buyer.id) {
        return Err(Code::MembershipOrderPending.error());
    }
    if let Some(drive) = line.drive {
        let_in(buyer, line, drive, now)?;
        has_room(line, drive, ledger, now)?;
    }
    Ok(())
}

fn admit_upgrade(
    facts: &Facts<'_>,
    line: &UpgradeFacts<'_>,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<BTreeMap<PoolId, i64>> {
    upgrades::may_order(line.quote, line.plan, facts.membership, now)?;
    if ledger.pending.contains(&facts.buyer.id) {
        return Err(Code::MembershipOrderPending.error());
    }
    ledger.upgrade_offers.admit(line.quote, facts.buyer, |pool| ledger.open(pool), now)
}

/// Who has the plan may go on with it, also where it is sold in drives alone, or no longer.
fn admit_renewal(
    facts: &Facts<'_>,
    line: &RenewalFacts<'_>,
    ledger: &Ledger,
    now: DateTime<Utc>,
) -> Result<()> {
    renewals::may_order(line.renewal, facts.membership)?;
    memberships::may_buy(facts.membership, line.plan.tier, now, GRACE)?;
    if ledger.pending.contains(&facts.buyer.id) {
        return Err(Code::MembershipOrderPending.error());
    }
    Ok(())
}

fn let_in(buyer: &Buyer, line: &PlanFacts<'_>, drive: &Drive, now: DateTime<Utc>) -> Result<()> {
    match drive.admission {
        Admission::Open => Ok(()),
        Admission::Application => Ok(applications::may_buy(line.application, now)?),
        Admission::Invitation => {
            let invitation = line.invitation.ok_or(Code::InvitationRequired)?;
            let guest = Guest {
                email_key: buyer.email_key.as_deref(),
                is_email_verified: buyer.email_verified_at.is_some(),
            };
            Ok(invitations::may_use(invitation, guest, now)?)
        }
    }
}

/// Places: of the quota, of the parts that have been let out by now, and of the invitation.
fn has_room(line: &PlanFacts<'_>, drive: &Drive, ledger: &Ledger, now: DateTime<Utc>) -> Result<()> {
    if let Some(invitation) = invitation_used(line)
        && ledger.left.get(&invitation.pool).copied().unwrap_or(0) < 1
    {
        return Err(Code::InvitationUsedUp.error());
    }
    let left = ledger.left.get(&drive.pool).copied().unwrap_or(0);
    if left < 1 {
        return Err(Code::SoldOut.error());
    }
    let to_come = drive.quota - drives::released(&drive.releases, now);
    if left <= to_come { Err(Code::PartSoldOut.error()) } else { Ok(()) }
}

/// An invitation counts only where the drive asks for one.
pub fn invitation_used<'a>(line: &PlanFacts<'a>) -> Option<&'a Invitation> {
    line.invitation.filter(|_| line.drive.is_some_and(|drive| drive.admission == Admission::Invitation))
}

/// The pools of which an admitted plan claims one each.
fn pools_claimed(line: &PlanFacts<'_>) -> BTreeMap<PoolId, i64> {
    let drive = line.drive.map(|drive| drive.pool);
    drive
        .into_iter()
        .chain(invitation_used(line).map(|invitation| invitation.pool))
        .map(|pool| (pool, 1))
        .collect()
}

fn admit_article(
    facts: &Facts<'_>,
    line: &ArticleFacts<'_>,
    ledger: &Ledger,
    admitted: &Admitted,
    index: usize,
    now: DateTime<Utc>,
) -> Result<LineClaims> {
    let (article, quantity) = (line.article, line.quantity);
    let most = if line.f_code.is_some() { 1 } else { i64::from(article.max_per_order) };
    if !(1..=most).contains(&quantity) {
        let field = format!("lines[{index}].quantity");
        return Err(Code::InvalidField.at(field, format!("expected 1 to {most}")));
    }
    // What a tier gives needn't be on the shelf.
    match line.benefit {
        Some(benefit) => ledger.benefits.admit(facts, line, benefit, index, now)?,
        None => products::may_buy(article, facts.visitor, facts.ranks, now)?,
    }
    if let Some(swap) = line.swap {
        let (visitor, ranks) = (facts.visitor, facts.ranks);
        let asked = offers::may_use(swap.offer, visitor, ranks, now)
            .and_then(|()| products::may_buy(swap.given_up, visitor, ranks, now))
            .and(if swap.given_up.open_sale { Ok(()) } else { Err(Code::DropRequired) });
        asked.map_err(|code| code.at(format!("lines[{index}].instead_of"), "not for you, or not now"))?;
    }
    // So is the right to a digital good.
    if article.gives_rights() && !facts.visitor.is_signed_in {
        return Err(Code::Unauthenticated.error());
    }
    let left = |pool: PoolId| ledger.open(pool) - admitted.claimed(pool);
    match (line.drop, line.f_code) {
        (Some(drop), Some(code)) => {
            let holder = Holder { account: facts.buyer.id, email_key: facts.buyer.email_key.as_deref() };
            drops::may_use(code, holder, now)?;
            // A code opens the door before others, not a campaign that hasn't begun or is over.
            if drop.goal.is_some() {
                crowdfunding::check_running(drop, now)?;
            }
            if left(code.pool) < 1 {
                return Err(Code::FCodeUsed.error());
            }
            // What a waiting list offers is for who may buy in the drop, and counts for its cap; an operator's code is beyond
            // both.
            if code.is_offer {
                drops::is_meant(drop, facts.visitor, facts.ranks)?;
            }
            let capped = match code.is_offer {
                true => within_cap(facts, drop, quantity, ledger, admitted)?,
                false => None,
            };
            // Its unit was taken out of the drop and out of stock when the code was made.
            Ok((BTreeMap::from([(code.pool, 1)]), capped))
        }
        (Some(drop), None) => {
            let mut claims = in_drop(facts, line, drop, &left, now)?;
            let capped = within_cap(facts, drop, quantity, ledger, admitted)?;
            claims.extend(from_stock(article, quantity, &left, Code::SoldOut)?);
            Ok((claims, capped))
        }
        (None, _) if !article.open_sale && line.benefit.is_none() => Err(Code::DropRequired.error()),
        (None, _) => Ok((from_stock(article, quantity, &left, Code::OutOfStock)?, None)),
    }
}

/// Units that count for the drop's cap, where it has one.
fn within_cap(
    facts: &Facts<'_>,
    drop: &Drop,
    quantity: i64,
    ledger: &Ledger,
    admitted: &Admitted,
) -> Result<Option<(DropId, i64)>> {
    let Some(cap) = drop.cap_per_person else { return Ok(None) };
    if bought(facts.buyer, drop.id, ledger) + admitted.units(drop.id) + quantity > i64::from(cap) {
        return Err(Code::CapReached.error());
    }
    Ok(Some((drop.id, quantity)))
}

/// Units of the drop, and of the audience through which the buyer comes in: the first that has enough left.
fn in_drop(
    facts: &Facts<'_>,
    line: &ArticleFacts<'_>,
    drop: &Drop,
    left: &impl Fn(PoolId) -> i64,
    now: DateTime<Utc>,
) -> Result<BTreeMap<PoolId, i64>> {
    let doors = drops::doors(drop, facts.visitor, facts.ranks, now)?;
    let item = drop.item(line.article.id).ok_or(Code::UnknownDrop)?;
    if left(item.pool) < line.quantity {
        return Err(Code::SoldOut.error());
    }
    let mut claims = BTreeMap::from([(item.pool, line.quantity)]);
    let is_wide = |pool: Option<PoolId>| pool.is_none_or(|pool| left(pool) >= line.quantity);
    match doors.iter().find(|door| is_wide(door.pool)) {
        Some(door) => claims.extend(door.pool.map(|pool| (pool, line.quantity))),
        None if doors.is_empty() => {}
        None => return Err(Code::AudienceSoldOut.error()),
    }
    Ok(claims)
}

fn bought(buyer: &Buyer, drop: DropId, ledger: &Ledger) -> i64 {
    let his = |(of, account, person, _): &&(DropId, AccountId, String, i64)| {
        *of == drop && (*account == buyer.id || Some(person) == buyer.person_key.as_ref())
    };
    ledger.purchases.iter().filter(his).map(|(.., units)| units).sum()
}

/// What the article takes of its own pool and of its parts'.
fn from_stock(
    article: &Article,
    quantity: i64,
    left: &impl Fn(PoolId) -> i64,
    refusal: Code,
) -> Result<BTreeMap<PoolId, i64>> {
    let of_parts = article.parts.iter().filter_map(|part| Some((part.pool?, i64::from(part.quantity))));
    let mut claims = BTreeMap::new();
    for (pool, of_one) in article.pool.map(|pool| (pool, 1)).into_iter().chain(of_parts) {
        let wanted = of_one.checked_mul(quantity).ok_or(Code::AmountOutOfRange)?;
        if left(pool) < wanted {
            return Err(refusal.error());
        }
        claims.insert(pool, wanted);
    }
    Ok(claims)
}

/// Enters an admitted order into the ledger, so that the batch's later orders see it.
pub fn enter(facts: &Facts<'_>, admitted: &Admitted, ledger: &mut Ledger) {
    admitted.claims.iter().for_each(|claims| ledger.claim(claims));
    let person = facts.buyer.person_key.clone();
    for (drop, units) in admitted.capped.iter().flatten() {
        let person = person.clone().unwrap_or_default();
        ledger.purchases.push((*drop, facts.buyer.id, person, *units));
    }
    for line in &facts.lines {
        if line.is_membership() {
            ledger.pending.insert(facts.buyer.id);
        }
        if let LineFacts::Upgrade(upgrade) = line {
            ledger.upgrade_offers.enter(upgrade.quote, facts.buyer);
        }
        let LineFacts::Plan(line) = line else { continue };
        let Some(drive) = line.drive else { continue };
        ledger.account_places.insert((drive.series.clone(), facts.buyer.id));
        if let Some(person) = person.clone() {
            ledger.person_places.insert((drive.series.clone(), person));
        }
    }
}

const NUMBER_ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// An order's number for people: the shop's date and eight letters that aren't mistaken for one another.
pub fn order_number(now: DateTime<Utc>, zone: Tz, random: u64) -> String {
    let letters = (0..8_u32).map(|place| {
        let index = usize::try_from((random >> (place * 5)) & 31).unwrap_or(0);
        NUMBER_ALPHABET.get(index).copied().map_or('0', char::from)
    });
    format!("{}-{}", now.with_timezone(&zone).format("%Y%m%d"), letters.collect::<String>())
}

/// The version of the terms of sale that is accepted: only the one in force can be.
///
/// # Errors
/// `unknown_terms`
pub fn accepted_terms(said: Option<&TermsConsent>, in_force: Option<&str>) -> Result<Option<String>> {
    match said {
        Some(TermsConsent::InForce(true)) => Ok(in_force.map(str::to_owned)),
        Some(TermsConsent::InForce(false)) | None => Ok(None),
        Some(TermsConsent::Version(version)) if in_force == Some(version) => Ok(Some(version.clone())),
        Some(TermsConsent::Version(_)) => {
            Err(Code::UnknownTerms.at("consents.terms", "not the version in force"))
        }
    }
}

/// A URL to which buyers may be sent back: on an allowed origin. Stripe's template `{CHECKOUT_SESSION_ID}` may stand in it.
///
/// # Errors
/// `url_not_allowed` with the field's name.
pub fn check_return_url(field: &str, text: &str, allowed_origins: &[String]) -> Result<()> {
    let refuse = |why: &str| -> AppError { Code::UrlNotAllowed.at(field, why) };
    if text.len() > 2_000 || text.chars().any(char::is_control) {
        return Err(refuse("too long, or not a URL"));
    }
    let url = Url::parse(text).map_err(|_| refuse("not an absolute URL"))?;
    let has_login = !url.username().is_empty() || url.password().is_some();
    let origin = url.origin().ascii_serialization();
    if has_login || !matches!(url.scheme(), "http" | "https") || !allowed_origins.contains(&origin) {
        return Err(refuse("not on an allowed origin"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_dated_in_the_shops_zone_and_unmistakable() {
        let late = "2026-11-21T17:30:00Z".parse().unwrap();
        let number = order_number(late, chrono_tz::Asia::Shanghai, u64::MAX);
        assert_eq!(number, "20261122-ZZZZZZZZ");
        assert_eq!(order_number(late, chrono_tz::UTC, 1), "20261121-10000000");
    }

    #[test]
    fn buyers_are_sent_back_to_allowed_origins_alone() {
        let allowed = ["https://shop.example".to_owned()];
        let check = |url: &str| check_return_url("success_url", url, &allowed);
        assert!(check("https://shop.example/thanks?s={CHECKOUT_SESSION_ID}").is_ok());
        for bad in [
            "https://shop.example.evil.net/",
            "https://shop.example@evil.net/",
            "https://user@shop.example/",
            "http://shop.example/",
            "https://shop.example:8443/",
            "javascript:alert(1)",
            "/thanks",
            "",
        ] {
            let refused = check(bad).unwrap_err();
            assert_eq!(
                (refused.code, refused.errors[0].field.as_str()),
                (Code::UrlNotAllowed, "success_url")
            );
        }
    }
}

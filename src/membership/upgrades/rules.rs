//! What an upgrade costs: the worth of the terms that aren't over is credited. `prorate`: due = round(new price × seconds left
//! / seconds of a whole new term) − credit, the end stays; `restart`: due = new price − credit, a new term from now. Never
//! below 0.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::model::{Mode, UpgradeQuote};
use crate::error::Code;
use crate::membership::memberships::model::{MembershipRow, TermRow};
use crate::membership::memberships::rules::{GRACE, Life, Span, first_span, life, worth};
use crate::membership::plans::model::Plan;
use crate::types::id::{AccountId, UpgradeOfferId, UpgradeQuoteId};
use crate::types::money::scale_minor;
use crate::types::period::Term;

/// For how long a quote may be ordered with.
pub const VALID_FOR: TimeDelta = TimeDelta::minutes(15);

/// The membership that can be changed to this plan now.
///
/// # Errors
/// `membership_not_open` where none runs (in grace there is nothing left to upgrade from), `membership_frozen`,
/// `not_an_upgrade` for a tier that isn't higher, `unknown_plan` for one that is archived, `upgrade_not_sold`.
pub fn upgradable<'a>(
    open: Option<&'a MembershipRow>,
    rank: i32,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<&'a MembershipRow, Code> {
    let open = open.ok_or(Code::MembershipNotOpen)?;
    match life(open, now, GRACE) {
        Life::Active => {}
        Life::Frozen => return Err(Code::MembershipFrozen),
        Life::Grace | Life::Expired | Life::Revoked => return Err(Code::MembershipNotOpen),
    }
    if plan.archived_at.is_some() {
        return Err(Code::UnknownPlan);
    }
    if plan.tier_rank <= rank {
        return Err(Code::NotAnUpgrade);
    }
    if is_sold(plan) { Ok(open) } else { Err(Code::UpgradeNotSold) }
}

/// What an upgrade comes to, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub credit_minor: i64,
    pub charge_minor: i64,
    pub due_minor: i64,
    /// Exclusive; none is for life.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The figures of an upgrade at that moment, for terms with the values that stayed paid for them.
///
/// # Errors
/// `already_for_life` where a term without an end would get one; `amount_out_of_range` never for what the shop can hold.
pub fn figures(
    terms: &[TermRow],
    price_minor: i64,
    term: Term,
    mode: Mode,
    now: DateTime<Utc>,
    zone: Tz,
) -> Result<Figures, Code> {
    let worth = worth(terms, now).map_err(|_| Code::AmountOutOfRange)?;
    let credit_minor = worth.paid_minor - worth.used_minor;
    let span = span(terms, term, mode, now, zone)?;
    let whole = term.end_after(now, 1, zone).map(|end| (end - now).num_seconds());
    let charge_minor = match (mode, span.ends_at, whole) {
        (Mode::Prorate, Some(end), Some(whole)) => {
            let left = (end - now).num_seconds();
            scale_minor(price_minor, left, whole).map_err(|_| Code::AmountOutOfRange)?
        }
        _ => price_minor,
    };
    let due_minor = (charge_minor - credit_minor).max(0);
    Ok(Figures { credit_minor, charge_minor, due_minor, ends_at: span.ends_at })
}

/// A price that stands where the plan's stood, by an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferPrice {
    pub offer: UpgradeOfferId,
    pub price_minor: i64,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
}

/// A membership, and what it can be changed to.
#[derive(Clone, Debug)]
pub struct Upgradable {
    pub account: AccountId,
    pub open: MembershipRow,
    /// With the values that stayed paid for them.
    pub terms: Vec<TermRow>,
    pub plan: Plan,
    pub mode: Mode,
}

impl Upgradable {
    /// The quote at that moment. An offer changes the price, never how the rest is reckoned; where no less is due by
    /// it, the quote is without it.
    ///
    /// # Errors
    /// Those of [`figures`].
    pub fn quote(&self, by: Option<OfferPrice>, now: DateTime<Utc>, zone: Tz) -> Result<UpgradeQuote, Code> {
        let at = |price_minor| figures(&self.terms, price_minor, self.plan.term, self.mode, now, zone);
        let plain = at(self.plan.price_minor)?;
        let mut valid_until = now + VALID_FOR;
        let (mut found, mut offer_id) = (plain, None);
        if let Some(by) = by {
            let less = at(by.price_minor)?;
            if less.due_minor < plain.due_minor {
                (found, offer_id) = (less, Some(by.offer));
                valid_until = valid_until.min(by.ends_at);
            }
        }
        Ok(UpgradeQuote {
            id: UpgradeQuoteId::new(),
            account_id: self.account,
            membership_id: self.open.id,
            membership_version: self.open.version,
            plan_id: self.plan.id,
            mode: self.mode,
            credit_minor: found.credit_minor,
            charge_minor: found.charge_minor,
            due_minor: found.due_minor,
            ends_at: found.ends_at,
            created_at: now,
            valid_until,
            offer_id,
            discount_minor: plain.due_minor - found.due_minor,
        })
    }
}

/// When the term of an upgrade that happens now starts and ends. For life is always anew.
///
/// # Errors
/// `already_for_life`.
pub fn span(terms: &[TermRow], term: Term, mode: Mode, now: DateTime<Utc>, zone: Tz) -> Result<Span, Code> {
    let last = terms.last().ok_or(Code::MembershipNotOpen)?;
    match (last.ends_at, term) {
        (None, Term::Lifetime) => Ok(first_span(term, now, zone)),
        (None, _) => Err(Code::AlreadyForLife),
        (Some(end), Term::Months(_) | Term::Days(_)) if mode == Mode::Prorate => {
            Ok(Span { anchor_at: last.anchor_at, starts_at: now, ends_at: Some(end) })
        }
        (Some(_), _) => Ok(first_span(term, now, zone)),
    }
}

/// Is the quote about this membership, just as it stands?
///
/// # Errors
/// `stale_quote` where the membership has changed since; `membership_not_open`, `membership_frozen`.
pub fn still_fits(
    quote: &UpgradeQuote,
    open: Option<&MembershipRow>,
    now: DateTime<Utc>,
) -> Result<(), Code> {
    let open = open.ok_or(Code::MembershipNotOpen)?;
    match life(open, now, GRACE) {
        Life::Active if (open.id, open.version) == (quote.membership_id, quote.membership_version) => Ok(()),
        Life::Active => Err(Code::StaleQuote),
        Life::Frozen => Err(Code::MembershipFrozen),
        Life::Grace | Life::Expired | Life::Revoked => Err(Code::MembershipNotOpen),
    }
}

/// May it be ordered with now?
///
/// # Errors
/// `quote_expired`; `stale_quote` also where the plan isn't sold so any more; those of [`still_fits`].
pub fn may_order(
    quote: &UpgradeQuote,
    plan: &Plan,
    open: Option<&MembershipRow>,
    now: DateTime<Utc>,
) -> Result<(), Code> {
    if now >= quote.valid_until {
        return Err(Code::QuoteExpired);
    }
    if !is_sold(plan) {
        return Err(Code::StaleQuote);
    }
    still_fits(quote, open, now)
}

/// Is it sold to members of other tiers?
pub fn is_sold(plan: &Plan) -> bool {
    plan.archived_at.is_none() && (plan.open_sale || plan.open_upgrade)
}

#[cfg(test)]
mod tests;

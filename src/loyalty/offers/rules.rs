//! Whose an offer is: the membership that it is for, what it asks for, and what is left of it.

use chrono::{DateTime, Utc};

use super::model::UpgradeOffer;
use crate::error::{AppError, Code, FieldError};
use crate::loyalty::metrics::rules::{Figures, LevelRanks, Progress};
use crate::membership::memberships::model::MembershipRow;
use crate::membership::plans::model::Plan;
use crate::membership::upgrades::rules::{OfferPrice, upgradable};
use crate::types::period::Term;

/// Is it open now?
///
/// # Errors
/// `not_open`, `closed`.
pub fn check_open(of: &UpgradeOffer, now: DateTime<Utc>) -> Result<(), Code> {
    if of.archived_at.is_some() || of.ends_at <= now {
        return Err(Code::Closed);
    }
    if now < of.starts_at { Err(Code::NotOpen) } else { Ok(()) }
}

/// Can this membership, of a tier of that rank, be changed to the offer's plan, and is the offer for its tier?
pub fn is_for(of: &UpgradeOffer, plan: &Plan, open: &MembershipRow, rank: i32, now: DateTime<Utc>) -> bool {
    let ends = open.ends_at.is_some() || plan.term == Term::Lifetime;
    is_for_tier(of, open) && ends && upgradable(Some(open), rank, plan, now).is_ok()
}

fn is_for_tier(of: &UpgradeOffer, open: &MembershipRow) -> bool {
    of.from_tier.is_none_or(|tier| tier == open.tier_id)
}

/// What is left of an offer's limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub uses: i64,
    pub budget_minor: i64,
}

impl Left {
    /// Is nothing left of it for anybody?
    pub fn is_used_up(self) -> bool {
        self.uses < 1 || self.budget_minor < 1
    }

    /// Is there a use left, by which that much less is due?
    ///
    /// # Errors
    /// `sold_out`
    pub fn has_room(self, discount_minor: i64) -> Result<(), AppError> {
        if self.uses < 1 || self.budget_minor < discount_minor {
            return Err(Code::SoldOut
                .because("This offer is used up. A use may come back while others have yet to pay."));
        }
        Ok(())
    }
}

/// An offer, as it stands for somebody.
#[derive(Clone, Debug)]
pub struct Judged {
    pub offer: UpgradeOffer,
    /// Each of what it asks for, beside what he has done.
    pub progress: Vec<Progress>,
    pub met: bool,
    /// An order of his holds it, or has used it.
    pub is_used: bool,
    pub left: Left,
}

impl Judged {
    pub fn new(
        offer: UpgradeOffer,
        figures: &Figures,
        levels: &LevelRanks,
        is_used: bool,
        left: Left,
    ) -> Self {
        let progress = offer.criteria.progress(figures, levels);
        let met = offer.criteria.is_met(figures, levels);
        Self { offer, progress, met, is_used, left }
    }

    /// May this membership's upgrade be quoted by it? What is left of its budget is asked when the quote is
    /// known.
    ///
    /// # Errors
    /// `not_entitled` with what is missing, `one_per_person`, `sold_out`.
    pub fn may_use(&self, open: &MembershipRow) -> Result<OfferPrice, AppError> {
        if !is_for_tier(&self.offer, open) {
            return Err(Code::NotEntitled.because("This offer is for members of another tier."));
        }
        if !self.met {
            return Err(missing(&self.progress));
        }
        if self.is_used {
            return Err(
                Code::OnePerPerson.because("You have used this offer, or an order of yours holds it.")
            );
        }
        self.left.has_room(0)?;
        let UpgradeOffer { id, price_minor, ends_at, .. } = self.offer;
        Ok(OfferPrice { offer: id, price_minor, ends_at })
    }
}

/// What somebody would have to do yet.
fn missing(progress: &[Progress]) -> AppError {
    let told = |one: &Progress| {
        let what = one.metric.map_or("level", |metric| metric.as_str());
        let window = one.window.as_ref().map(|window| format!(" in {window}")).unwrap_or_default();
        let detail = format!("{} of {}{window}, {} missing", one.have, one.needed, one.missing);
        FieldError { field: format!("offer.{what}"), detail }
    };
    let mut refused = Code::NotEntitled.error();
    refused.errors = progress.iter().filter(|one| !one.met).map(told).collect();
    refused
}

#[cfg(test)]
mod tests;

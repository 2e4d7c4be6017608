//! Benefits of members in orders: an article at no price, a parcel that costs nothing or less.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::prices::public_price_minor;
use super::rules::{ArticleFacts, Facts, LineFacts};
use crate::checkout::pricing::rules::Explained;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::membership::benefits::model::{Benefit, GivenBy};
use crate::membership::benefits::rules::{self, Ground};
use crate::membership::benefits::uses::{NewUse, Used, User, trials_among};
use crate::membership::memberships::model::MembershipRow;
use crate::people::accounts::model::Buyer;
use crate::types::id::MembershipId;

/// What is used of benefits, counting what this batch has used so far.
#[derive(Debug)]
pub struct BenefitLedger {
    zone: Tz,
    used: Used,
    /// Memberships that stand by a trial alone.
    trials: HashSet<MembershipId>,
}

impl Default for BenefitLedger {
    fn default() -> Self {
        Self { zone: Tz::UTC, used: Used::default(), trials: HashSet::new() }
    }
}

/// What a benefit takes off a parcel.
#[derive(Clone, Copy, Debug)]
pub struct Waived<'a> {
    pub benefit: &'a Benefit,
    pub minor: i64,
}

/// What a benefit takes off a fee.
pub fn waived_minor(waiver: &Benefit, fee_minor: i64) -> i64 {
    waiver.value_minor.map_or(fee_minor, |most| fee_minor.min(most))
}

impl Waived<'_> {
    pub fn explained(&self) -> Explained {
        Explained {
            line: None,
            // Which of both it is: of tier and level the better takes it off.
            rule: match self.benefit.given_by {
                GivenBy::Tier(_) => format!("benefit:{}", self.benefit.kind),
                GivenBy::Level(_) => format!("level_benefit:{}", self.benefit.kind),
            },
            outcome: "applied".to_owned(),
            reason: "free_shipping".to_owned(),
            amount_minor: self.minor,
        }
    }
}

/// Rows of the benefits that one order uses; ids of the order and its lines are still to come.
#[derive(Debug, Default)]
pub struct Entered {
    /// A line each.
    pub lines: Vec<Vec<NewUse>>,
    pub parcel: Option<NewUse>,
}

impl BenefitLedger {
    /// Reads what was used of these benefits, which is final while the buyers are locked. Nothing is asked where there are
    /// no benefits.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        conn: &Conn,
        benefits: &[Benefit],
        standings: &[&MembershipRow],
        buyers: &[Buyer],
        zone: Tz,
    ) -> Result<Self> {
        if benefits.is_empty() {
            return Ok(Self { zone, ..Self::default() });
        }
        let ids: Vec<_> = benefits.iter().map(|benefit| benefit.id).collect();
        let accounts: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
        let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
        let used = Used::read(conn, &ids, &accounts, &people).await?;
        let memberships: Vec<_> = standings.iter().map(|row| row.id).collect();
        Ok(Self { zone, used, trials: trials_among(conn, &memberships).await? })
    }

    /// How often the buyer can use the benefit now.
    ///
    /// # Errors
    /// Those of [`rules::may_use`]; `benefit_outranked`.
    fn left(&self, benefit: &Benefit, facts: &Facts<'_>, now: DateTime<Utc>) -> Result<i64, Code> {
        let user = self.user(facts, now);
        rules::may_use(benefit, &user.ground, now)?;
        if rules::outranked_by(benefit, &user.ground, facts.rivals, now).is_some() {
            return Err(Code::BenefitOutranked);
        }
        Ok(self.used.left(benefit, &user))
    }

    fn user<'a>(&self, facts: &Facts<'a>, now: DateTime<Utc>) -> User<'a> {
        let (account, person) = (facts.buyer.id, facts.buyer.person_key.as_deref());
        let is_trial = facts.standing.is_some_and(|(row, _)| self.trials.contains(&row.id));
        let ground = Ground { membership: facts.standing, is_trial, level: facts.level };
        User { account, person, ground, now, zone: self.zone }
    }

    /// May the line at this position be had by its benefit, beside those before it?
    ///
    /// # Errors
    /// `unknown_benefit` for one of another article or tier, `members_only`, `membership_frozen`, `benefit_not_in_trial`,
    /// `level_required`, `benefit_outranked`, `benefit_used_up`.
    pub fn admit(
        &self,
        facts: &Facts<'_>,
        line: &ArticleFacts<'_>,
        benefit: &Benefit,
        index: usize,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let field = || format!("lines[{index}].benefit");
        if benefit.variant_id != Some(line.article.id) {
            return Err(Code::UnknownBenefit.at(field(), "it gives something else"));
        }
        if line.article.archived_at.is_some() {
            return Err(Code::UnknownArticle.error());
        }
        let left = self.left(benefit, facts, now)?;
        let before: i64 = facts
            .lines
            .iter()
            .take(index)
            .filter_map(|line| match line {
                LineFacts::Article(line) if line.benefit.is_some_and(|other| other.id == benefit.id) => {
                    Some(line.quantity)
                }
                _ => None,
            })
            .sum();
        if before + line.quantity > left {
            return Err(Code::BenefitUsedUp.at(field(), format!("{} left", (left - before).max(0))));
        }
        Ok(())
    }

    /// The benefit that takes most off this buyer's parcel, which costs about so much; of two the one that isn't counted.
    pub fn waiver<'a>(&self, facts: &Facts<'a>, fee_minor: i64, now: DateTime<Utc>) -> Option<&'a Benefit> {
        let usable = |benefit: &&&Benefit| self.left(benefit, facts, now).is_ok_and(|left| left > 0);
        let by_worth = |benefit: &&&Benefit| (waived_minor(benefit, fee_minor), benefit.allowed.is_none());
        facts.waivers.iter().filter(usable).max_by_key(by_worth).copied()
    }

    /// Enters what an admitted order uses, so that the batch's later orders see it.
    ///
    /// # Errors
    /// `unauthenticated` for an erased account.
    pub fn enter(
        &mut self,
        facts: &Facts<'_>,
        waived: Option<Waived<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Entered> {
        let user = self.user(facts, now);
        let mut lines = Vec::with_capacity(facts.lines.len());
        for line in &facts.lines {
            let rows = match line {
                LineFacts::Article(line @ ArticleFacts { benefit: Some(benefit), quantity, .. }) => {
                    let worth_minor = public_price_minor(line, facts, now);
                    self.used.enter(benefit, &user, *quantity, worth_minor).ok_or(Code::Unauthenticated)?
                }
                _ => Vec::new(),
            };
            lines.push(rows);
        }
        let parcel = match waived {
            Some(Waived { benefit, minor }) => {
                let rows = self.used.enter(benefit, &user, 1, minor).ok_or(Code::Unauthenticated)?;
                rows.into_iter().next()
            }
            None => None,
        };
        Ok(Entered { lines, parcel })
    }
}

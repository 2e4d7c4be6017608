//! What came of two years.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::types::money::Money;

/// The contract of `kindred rehearse loyal-fans --json`.
#[derive(Clone, Debug, Serialize)]
pub struct FansReport {
    pub name: String,
    /// From the start of the program's work to its end.
    pub seconds: f64,
    pub people: i64,
    /// How much time passed on the shop's clock, in days, and in how many moves of it.
    pub days: i64,
    pub moves: i64,
    /// That were paid, and of them paid back.
    pub orders: i64,
    pub refunds: i64,
    pub check_ins: i64,
    /// Friends for whom somebody was rewarded.
    pub referrals: i64,
    pub points: Points,
    /// How many stand where, by the codes of levels and stages.
    pub levels: BTreeMap<String, i64>,
    pub stages: BTreeMap<String, i64>,
    pub judgements: Judgements,
    /// How often the offer was used, and how many came too late.
    pub offers_taken: i64,
    pub offers_missed: i64,
    pub mails: i64,
    /// By Stripe's book.
    pub captured: Money,
    pub refunded: Money,
    /// People who have other points than they should, stand on another level or stage, or were judged otherwise.
    pub wrong_points: i64,
    pub wrong_levels: i64,
    pub wrong_stages: i64,
    /// What was paid or got back and isn't what people remember.
    pub wrong_money: i64,
    /// Points that were spent before they were there.
    pub overdrawn: i64,
    /// Check-ins of a day, judgements of a moment, uses of the offer and mails that are there twice.
    pub doubled: i64,
    pub checks_failed: i64,
    pub passed: bool,
}

/// Points of all, by what became of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Points {
    pub earned: i64,
    pub pending: i64,
    pub active: i64,
    pub spent: i64,
    pub expired: i64,
    pub reversed: i64,
    pub owed: i64,
}

/// Changes of levels.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Judgements {
    pub raised: i64,
    pub kept: i64,
    pub dropped: i64,
    pub corrected: i64,
}

/// For people.
impl fmt::Display for FansReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "passed" } else { "DID NOT PASS" };
        writeln!(f, "{}: {verdict} in {} s", self.name, self.seconds)?;
        writeln!(f, "{} people, {} days in {} moves of the clock", self.people, self.days, self.moves)?;
        writeln!(
            f,
            "orders {}, refunds {}, check-ins {}, referrals {}, mails {}",
            self.orders, self.refunds, self.check_ins, self.referrals, self.mails
        )?;
        let Points { earned, pending, active, spent, expired, reversed, owed } = self.points;
        writeln!(
            f,
            "points earned {earned}: pending {pending}, active {active}, spent {spent}, expired {expired}, reversed {reversed}; owed {owed}"
        )?;
        let told = |of: &BTreeMap<String, i64>| {
            of.iter().map(|(code, count)| format!("{code} {count}")).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "levels: {}; stages: {}", told(&self.levels), told(&self.stages))?;
        let Judgements { raised, kept, dropped, corrected } = self.judgements;
        writeln!(f, "raised {raised}, kept {kept}, dropped {dropped}, corrected {corrected}")?;
        writeln!(f, "offers taken {}, missed {}", self.offers_taken, self.offers_missed)?;
        writeln!(f, "captured {}, refunded {}", self.captured.amount, self.refunded.amount)?;
        write!(
            f,
            "wrong: points {}, levels {}, stages {}, money {}; overdrawn {}, doubled {}, checks failed {}",
            self.wrong_points,
            self.wrong_levels,
            self.wrong_stages,
            self.wrong_money,
            self.overdrawn,
            self.doubled,
            self.checks_failed
        )
    }
}

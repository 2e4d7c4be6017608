//! What came of three years.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::types::money::Money;

/// The contract of `kindred rehearse three-years --json`.
#[derive(Clone, Debug, Serialize)]
pub struct YearsReport {
    pub name: String,
    /// From the start of the program's work to its end.
    pub seconds: f64,
    pub people: i64,
    /// How much time passed on the shop's clock, in days, in how many moves of it, and how many of these were over more than a day (two,
    /// where few live).
    pub days: i64,
    pub moves: i64,
    pub leaps: i64,
    /// Who bought a membership, and how many are members at the end, by the tier's code; associates aren't counted.
    pub joined: i64,
    pub members: BTreeMap<String, i64>,
    /// Ends of terms that were paid for, by the saved card without its owner, or by a link; of both: after a charge had failed.
    pub renewed_by_card: i64,
    pub renewed_by_link: i64,
    pub recovered: i64,
    /// Charges of saved cards that came to nothing.
    pub charges_failed: i64,
    pub upgraded: i64,
    pub downgraded: i64,
    pub cancelled: i64,
    pub expired: i64,
    /// Memberships that were given, redeemed, and not.
    pub gifts: Gifts,
    pub rested: i64,
    /// Who took a seat, and who still has one.
    pub associates: i64,
    pub associates_left: i64,
    pub moved: i64,
    pub refunds: i64,
    pub orders: i64,
    pub invoices: i64,
    pub mails: i64,
    /// By Stripe's book.
    pub captured: Money,
    pub refunded: Money,
    /// What stayed.
    pub revenue: Money,
    pub number_gaps: i64,
    /// Terms that were paid for or given and aren't there; money that should have come and didn't.
    pub lost: i64,
    /// Terms that nobody paid for or gave.
    pub free: i64,
    /// What happened twice (charges, ends of terms, refunds, mails), and people who paid more than they were told.
    pub doubled: i64,
    pub checks_failed: i64,
    pub passed: bool,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Gifts {
    pub bought: i64,
    pub redeemed: i64,
    pub refunded: i64,
    /// Nobody redeemed them in time.
    pub expired: i64,
}

/// For people.
impl fmt::Display for YearsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed { "passed" } else { "DID NOT PASS" };
        writeln!(f, "{}: {verdict} in {} s", self.name, self.seconds)?;
        writeln!(
            f,
            "{} people, {} days in {} moves of the clock, {} of them leaps",
            self.people, self.days, self.moves, self.leaps
        )?;
        let members: Vec<_> = self.members.iter().map(|(tier, count)| format!("{tier} {count}")).collect();
        writeln!(f, "joined {}, members at the end: {}", self.joined, members.join(", "))?;
        writeln!(
            f,
            "renewed by card {}, by link {}; charges failed {}, recovered {}; cancelled {}, expired {}",
            self.renewed_by_card,
            self.renewed_by_link,
            self.charges_failed,
            self.recovered,
            self.cancelled,
            self.expired
        )?;
        let Gifts { bought, redeemed, refunded, expired } = self.gifts;
        writeln!(
            f,
            "upgraded {}, downgraded {}, rested {}, moved {}; associates {}, still {}",
            self.upgraded, self.downgraded, self.rested, self.moved, self.associates, self.associates_left
        )?;
        writeln!(f, "gifts {bought}: redeemed {redeemed}, refunded {refunded}, expired {expired}")?;
        writeln!(
            f,
            "orders {}, invoices {}, mails {}, refunds {}",
            self.orders, self.invoices, self.mails, self.refunds
        )?;
        writeln!(
            f,
            "captured {}, refunded {}, revenue {} {}",
            self.captured.amount, self.refunded.amount, self.revenue.amount, self.revenue.currency
        )?;
        write!(
            f,
            "number gaps {}, lost {}, free {}, doubled {}, checks failed {}",
            self.number_gaps, self.lost, self.free, self.doubled, self.checks_failed
        )
    }
}

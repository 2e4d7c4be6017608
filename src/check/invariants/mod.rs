//! The invariants, a table a subject. Each statement reads whole tables and joins them once, so that the time it takes
//! grows with the rows and not with their square.
//!
//! What a statement may count on is only that each business step is one transaction. Where two steps may lie between (a
//! refund that Stripe hasn't answered yet), both states are allowed.

mod associates;
mod baskets;
mod benefits;
mod boards;
mod channels;
mod chapters;
mod claims;
mod community;
mod coupons;
mod credit;
mod crowdfunding;
mod gifts;
mod goods;
mod invoices;
mod jobs;
mod levels;
mod mails;
mod memberships;
mod notices;
mod orders;
mod partners;
mod payments;
mod places;
mod points;
mod referrals;
mod refunds;
mod renewals;
mod returns;
mod upgrade_offers;
mod waiting;
mod withdrawals;

use super::Invariant;

pub use jobs::DEAD as DEAD_JOBS;

/// All of them, in the order of the report.
pub fn all() -> impl Iterator<Item = &'static Invariant> {
    [
        claims::ALL,
        places::ALL,
        orders::ALL,
        baskets::ALL,
        coupons::ALL,
        referrals::ALL,
        partners::ALL,
        credit::ALL,
        points::ALL,
        levels::ALL,
        gifts::ALL,
        goods::ALL,
        channels::ALL,
        crowdfunding::ALL,
        waiting::ALL,
        boards::ALL,
        payments::ALL,
        refunds::ALL,
        returns::ALL,
        invoices::ALL,
        withdrawals::ALL,
        memberships::ALL,
        benefits::ALL,
        upgrade_offers::ALL,
        renewals::ALL,
        chapters::ALL,
        community::ALL,
        associates::ALL,
        mails::ALL,
        notices::ALL,
        jobs::ALL,
    ]
    .into_iter()
    .flatten()
}

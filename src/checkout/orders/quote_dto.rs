//! Quotes over the wire.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::coupons::Outcome;
use super::dto::Sells;
use super::proposals::Proposal;
use super::quotes::Quoted;
use crate::checkout::pricing::rules::{Explained, TotalsView};
use crate::promotion::campaigns::reason::Reason;
use crate::shop::offers::model::OfferKind;
use crate::types::id::{OfferId, VariantId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// Prices of a quote stand for that long.
const QUOTE: TimeDelta = TimeDelta::minutes(15);

/// A priced line of a quote.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct QuotedLine {
    #[serde(flatten)]
    pub sells: Sells,
    pub title: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub discount: Money,
    pub total: Money,
    /// It isn't there yet, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
}

/// Something that you could have.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = QuotedOffer)]
pub struct ProposalView {
    pub offer: OfferId,
    pub code: String,
    /// `swap`: put `variant` in the place of the line, with `instead_of`. `gift`: add `variant` as a line.
    pub kind: OfferKind,
    pub name: String,
    /// Position of the line that it is about, from 0.
    pub line: usize,
    pub variant: VariantId,
    pub title: String,
    pub quantity: i64,
    /// Of one unit, with the offer.
    pub unit_price: Money,
    /// Of a swap: what one unit costs more than what is given up.
    pub supplement: Option<Money>,
}

impl ProposalView {
    pub fn new(proposal: Proposal, currency: &str) -> Self {
        Self {
            offer: proposal.offer,
            code: proposal.code,
            kind: proposal.kind,
            name: proposal.name,
            line: proposal.line,
            variant: proposal.variant,
            title: proposal.title,
            quantity: proposal.quantity,
            unit_price: Money::new(proposal.unit_price_minor, currency),
            supplement: proposal.supplement_minor.map(|minor| Money::new(minor, currency)),
        }
    }
}

/// What an order would cost now, and why. No effect, no promise: places are held by an order.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct QuoteView {
    pub lines: Vec<QuotedLine>,
    pub totals: TotalsView,
    pub explanation: Vec<Explained>,
    /// What became of each code, and of campaigns that need none.
    pub coupons: Vec<CouponOutcome>,
    /// Coupons of your own that would make it cheaper.
    pub better_coupons: Option<BetterCoupons>,
    /// What else you could have: something better for a supplement, something for nothing.
    pub offers: Vec<ProposalView>,
    /// Prices may have changed after that.
    pub valid_until: DateTime<Utc>,
}

impl QuoteView {
    /// `codes` as they were sent.
    pub fn new(quoted: Quoted, codes: &[String], currency: &str, now: DateTime<Utc>) -> Self {
        let money = |minor| Money::new(minor, currency);
        let lines = quoted.priced.lines.iter().zip(quoted.lines).map(|(line, quoted)| QuotedLine {
            sells: Sells::of(&quoted.line),
            title: quoted.title,
            quantity: line.quantity,
            unit_price: money(line.unit_price_minor),
            discount: money(line.discount_minor),
            total: money(line.total_minor),
            ships_from: quoted.ships_from,
        });
        Self {
            lines: lines.collect(),
            totals: quoted.priced.totals.view(currency),
            explanation: quoted.priced.explanation,
            coupons: CouponOutcome::all(quoted.coupons, codes, quoted.locale, currency),
            better_coupons: quoted
                .better
                .map(|(coupon_codes, due_minor)| BetterCoupons { coupon_codes, due: money(due_minor) }),
            offers: quoted
                .proposals
                .into_iter()
                .map(|proposal| ProposalView::new(proposal, currency))
                .collect(),
            valid_until: now + QUOTE,
        }
    }
}

/// What became of a coupon.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct CouponOutcome {
    /// As it was sent; absent where it needs no code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the campaign is called, in the buyer's language; absent for a code that names nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// `applied` or `refused`.
    #[schema(example = "applied")]
    pub outcome: &'static str,
    /// Why it is refused: a stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// The same for the buyer to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
    /// What it takes off, shipping too.
    pub discount: Money,
}

impl CouponOutcome {
    /// `codes` as they were sent.
    pub fn all(outcomes: Vec<Outcome>, codes: &[String], locale: Locale, currency: &str) -> Vec<Self> {
        let view = |outcome: Outcome| {
            let reason = outcome.result.err();
            Self {
                code: outcome.asked.and_then(|index| codes.get(index)).cloned(),
                campaign: outcome.campaign,
                outcome: if reason.is_none() { "applied" } else { "refused" },
                reason: reason.map(Reason::as_str),
                message: reason.map(|reason| reason.message(locale)),
                discount: Money::new(outcome.result.unwrap_or(0), currency),
            }
        };
        outcomes.into_iter().map(view).collect()
    }
}

/// A set of coupons that costs the buyer less.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct BetterCoupons {
    /// Send these as `coupon_codes`.
    pub coupon_codes: Vec<String>,
    /// What would be due.
    pub due: Money,
}

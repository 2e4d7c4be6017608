//! Partners, their codes, commissions and payouts over the wire.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::entries::{EntryKind, Listed, Payout};
use super::model::{Figures, Partner, PartnerCode};
use super::rules::percent;
use crate::checkout::claims::Pool;
use crate::promotion::campaigns::model::UNLIMITED;
use crate::types::id::{AccountId, CommissionId, OrderId, PartnerCodeId, PartnerId, PartnerPayoutId};
use crate::types::locale::Names;
use crate::types::money::Money;
use crate::types::patch::Patch;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartner {
    pub name: String,
    pub email: String,
    /// His own in this shop: what he buys himself earns nothing.
    pub account: Option<AccountId>,
}

/// What is to be changed; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerChange {
    pub name: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<AccountId>)]
    pub account: Patch<AccountId>,
}

/// A partner, with what his orders earned him.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Partner)]
pub struct PartnerView {
    pub id: PartnerId,
    pub name: String,
    pub email: String,
    pub account: Option<AccountId>,
    /// Orders that came by his codes.
    pub orders: i64,
    /// What may yet go back.
    pub held: Money,
    /// What the next payout comes to; below zero where more went back than came since the last one.
    pub payable: Money,
    pub paid: Money,
    pub version: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
}

impl PartnerView {
    pub fn new(of: Partner, figures: Figures, currency: &str) -> Self {
        let money = |minor| Money::new(minor, currency);
        Self {
            id: of.id,
            name: of.name,
            email: of.email,
            account: of.account_id,
            orders: figures.orders,
            held: money(figures.held),
            payable: money(figures.payable),
            paid: money(figures.paid),
            version: of.version,
            created_at: of.created_at,
            archived_at: of.archived_at,
        }
    }
}

#[derive(Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartnerCode {
    /// Letters, digits and hyphens; absent: one is made. No member and no other partner has it.
    #[schema(example = "ANN-2026")]
    pub code: Option<String>,
    pub names: Names,
    /// More than 0 and at most 100, with two decimals at most.
    #[schema(value_type = String, example = "12.5")]
    pub rate_percent: Decimal,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    /// So many paid orders count; absent: all.
    pub max_orders: Option<i64>,
}

/// A code of a partner's.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PartnerCode)]
pub struct CodeView {
    pub id: PartnerCodeId,
    pub partner: PartnerId,
    /// Buyers give it as `invite_code` when they order.
    pub code: String,
    /// The storefront, with the code: `?invite=…`.
    pub link: String,
    pub names: Names,
    #[schema(example = "12.5")]
    pub rate_percent: String,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub max_orders: Option<i64>,
    /// Paid orders that it brought.
    pub orders: i64,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl CodeView {
    pub fn new(of: PartnerCode, pool: Option<&Pool>, link: String) -> Self {
        Self {
            id: of.id,
            partner: of.partner_id,
            code: of.label,
            link,
            names: Names::new(&of.name_zh, &of.name_en),
            rate_percent: percent(of.rate_bp),
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            max_orders: pool.map(|pool| pool.capacity).filter(|most| *most < UNLIMITED),
            orders: pool.map_or(0, |pool| pool.taken),
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}

/// An entry of a commission: entries are added and never changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Commission)]
pub struct CommissionView {
    pub id: CommissionId,
    pub order: OrderId,
    pub code: String,
    pub kind: EntryKind,
    /// Of what corrects: `refund`, `dispute_lost`, `own_order`, `corrected` (a refund failed).
    pub reason: Option<String>,
    /// Earned: what goods and terms came to, without shipping; else what of it had gone back by then.
    pub basis: Money,
    #[schema(example = "12.5")]
    pub rate_percent: String,
    /// Below zero where it was reversed.
    pub amount: Money,
    /// `held` (the order may yet go back), `payable` or `paid`.
    #[schema(example = "held")]
    pub state: &'static str,
    pub payout: Option<PartnerPayoutId>,
    pub created_at: DateTime<Utc>,
}

impl CommissionView {
    pub fn new((entry, code, payable_since, payout): Listed, currency: &str) -> Self {
        Self {
            id: entry.id,
            order: entry.order_id,
            code,
            kind: entry.kind,
            reason: entry.reason,
            basis: Money::new(entry.basis_minor, currency),
            rate_percent: percent(entry.rate_bp),
            amount: Money::new(entry.amount_minor, currency),
            state: match (payout, payable_since) {
                (Some(_), _) => "paid",
                (None, Some(_)) => "payable",
                (None, None) => "held",
            },
            payout,
            created_at: entry.created_at,
        }
    }
}

/// Money that a partner was paid.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PartnerPayout)]
pub struct PayoutView {
    pub id: PartnerPayoutId,
    pub partner: PartnerId,
    pub amount: Money,
    /// How many entries of commissions it pays.
    pub entries: i32,
    pub created_at: DateTime<Utc>,
}

impl PayoutView {
    pub fn new(of: Payout, currency: &str) -> Self {
        Self {
            id: of.id,
            partner: of.partner_id,
            amount: Money::new(of.amount_minor, currency),
            entries: of.entries,
            created_at: of.created_at,
        }
    }
}

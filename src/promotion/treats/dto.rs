//! Merchants and their treats over the wire.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Figures, Merchant, Settled, Treat, TreatKind};
use crate::types::id::{MerchantId, TreatId};
use crate::types::locale::Names;
use crate::types::money::Money;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMerchant {
    /// Small letters, digits, hyphens.
    #[schema(example = "noodle-house")]
    pub code: String,
    pub names: Names,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Merchant)]
pub struct MerchantView {
    pub id: MerchantId,
    pub code: String,
    pub names: Names,
    pub created_at: DateTime<Utc>,
}

impl From<Merchant> for MerchantView {
    fn from(of: Merchant) -> Self {
        Self {
            id: of.id,
            code: of.code,
            names: Names { zh: of.name_zh, en: of.name_en },
            created_at: of.created_at,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTreat {
    /// Small letters, digits, hyphens; files of codes name it so.
    #[schema(example = "free-noodles")]
    pub code: String,
    pub merchant: MerchantId,
    pub kind: TreatKind,
    pub names: Names,
    /// What the holder must know.
    pub terms: Names,
    /// What a voucher is worth.
    pub face_value: Option<Money>,
    /// A voucher ends so many days after it was claimed.
    pub valid_days: Option<i32>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
}

/// A treat, and how far it is given.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Treat)]
pub struct TreatView {
    pub id: TreatId,
    pub code: String,
    pub merchant: MerchantId,
    pub kind: TreatKind,
    pub names: Names,
    pub terms: Names,
    pub face_value: Option<Money>,
    pub valid_days: Option<i32>,
    pub ends_at: Option<DateTime<Utc>>,
    /// Partner coupons that are nobody's yet.
    pub left: i64,
    pub claimed: i64,
    /// Vouchers taken at counters.
    pub redeemed: i64,
    /// Vouchers that ended before anybody took them.
    pub expired: i64,
    pub created_at: DateTime<Utc>,
}

impl TreatView {
    pub fn new(of: Treat, figures: Figures, currency: &str) -> Self {
        Self {
            id: of.id,
            code: of.code,
            merchant: of.merchant_id,
            kind: of.kind,
            names: Names { zh: of.name_zh, en: of.name_en },
            terms: Names { zh: of.terms_zh, en: of.terms_en },
            face_value: of.face_minor.map(|minor| Money::new(minor, currency)),
            valid_days: of.valid_days,
            ends_at: of.ends_at,
            left: figures.left,
            claimed: figures.claimed,
            redeemed: figures.redeemed,
            expired: figures.expired,
            created_at: of.created_at,
        }
    }
}

/// Whose treat something in a wallet is.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct WalletMerchant {
    pub code: String,
    pub name: String,
    /// What its holder must know.
    pub terms: String,
}

/// When and where a voucher was taken.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Redemption {
    pub at: DateTime<Utc>,
    #[schema(example = "Nanjing Road")]
    pub outlet: String,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoucherCode {
    /// As it was read from the phone: capitals, spaces and hyphens don't matter.
    pub code: String,
}

/// A voucher that a counter has taken.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RedeemedVoucher {
    pub treat: String,
    pub names: Names,
    pub face_value: Money,
    pub redeemed_at: DateTime<Utc>,
    pub outlet: String,
}

/// Days of the shop.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SettlementQuery {
    /// Thirty days before `until` by default.
    pub from: Option<NaiveDate>,
    /// Exclusive; tomorrow by default.
    pub until: Option<NaiveDate>,
}

/// What merchants took at their counters.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Settlement {
    pub from: NaiveDate,
    /// Exclusive.
    pub until: NaiveDate,
    pub vouchers: i64,
    pub value: Money,
    /// By day and merchant.
    pub days: Vec<SettlementDay>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SettlementDay {
    pub day: NaiveDate,
    /// The merchant's code.
    pub merchant: String,
    pub vouchers: i64,
    pub value: Money,
}

impl SettlementDay {
    pub fn new(of: Settled, currency: &str) -> Self {
        Self {
            day: of.day,
            merchant: of.merchant,
            vouchers: of.vouchers,
            value: Money::new(of.value_minor, currency),
        }
    }
}

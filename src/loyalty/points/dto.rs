//! Points over the wire. Rates and shares are decimals with two places, as text.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::model::{EntryKind, EntryRow};
use super::programme::{Programme, Rule, Streak};
use super::rules::{Exchange, Overdrawn, POINTS_MAX, Purse};
use super::service::Adjustment;
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::fields;
use crate::promotion::campaigns::rules::Scope;
use crate::shop::audience::Audience;
use crate::types::id::{OrderId, PointsEntryId, PointsRuleId};
use crate::types::money::Money;
use crate::types::patch::Patch;

/// Rates beyond 1,000 points for each 100 minor units are slips of the keyboard.
const RATE_MAX_BP: i32 = 100_000;
const STREAKS_MAX: usize = 20;

/// One movement.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsEntryView {
    pub id: PointsEntryId,
    pub kind: EntryKind,
    /// Moves what can be spent: below 0 where it was spent, has expired or was taken back.
    pub active: i64,
    /// Moves what can be spent later.
    pub pending: i64,
    /// Moves what is owed: above 0 where points were taken back after they were spent.
    pub owed: i64,
    /// Moves the points that count for levels.
    pub level: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl From<EntryRow> for PointsEntryView {
    fn from(row: EntryRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            active: row.active,
            pending: row.pending,
            owed: row.owed,
            level: row.level,
            order: row.order_id,
            reason: row.reason,
            created_at: row.created_at,
        }
    }
}

/// Points that expire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ExpiringPoints {
    pub points: i64,
    /// Exclusive.
    pub expires_at: DateTime<Utc>,
}

/// How an account's points stand.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsView {
    /// Can be spent, unless something is owed.
    pub active: i64,
    /// Earned by orders that can still be sent back.
    pub pending: i64,
    /// Taken back after they were spent: the next ones pay for them, or an operator decides.
    pub owed: i64,
    /// What of `active` expires when, the first first.
    pub expiring: Vec<ExpiringPoints>,
    /// What they are worth at checkout; absent where they can't pay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worth: Option<PointsWorth>,
}

/// So many points pay so much, in whole steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsWorth {
    pub points: i64,
    pub pay: Money,
    /// An order takes so many at least.
    pub at_least: i64,
    /// And pays so much of it with them at most, in percent of what it comes to.
    #[schema(value_type = String, example = "50")]
    pub share_percent: Decimal,
}

impl PointsWorth {
    fn of(by: Exchange, currency: &str) -> Self {
        Self {
            points: by.step_points,
            pay: Money::new(by.step_minor, currency),
            at_least: by.least_points,
            share_percent: fields::of_hundredths(by.most_share_bp),
        }
    }

    fn checked(&self, currency: &str) -> Result<Exchange> {
        let step_minor = fields::price("worth.pay", &self.pay, currency)?;
        Ok(Exchange {
            step_points: fields::within("worth.points", self.points, 1, POINTS_MAX)?,
            step_minor: fields::within("worth.pay.amount", step_minor, 1, i64::MAX)?,
            least_points: fields::within("worth.at_least", self.at_least, 0, POINTS_MAX)?,
            most_share_bp: fields::hundredths("worth.share_percent", self.share_percent, 10_000)?,
        })
    }
}

impl PointsView {
    pub fn of(purse: &Purse, programme: &Programme, currency: &str, now: DateTime<Utc>) -> Self {
        let mut expiring: Vec<ExpiringPoints> = Vec::new();
        for lot in &purse.lots {
            let (points, Some(expires_at)) = (lot.spendable(now), lot.expires_at) else { continue };
            match expiring.last_mut().filter(|last| last.expires_at == expires_at) {
                Some(last) => last.points += points,
                None if points > 0 => expiring.push(ExpiringPoints { points, expires_at }),
                None => {}
            }
        }
        Self {
            active: purse.lots.iter().map(|lot| lot.spendable(now)).sum(),
            pending: purse.balance.pending,
            owed: purse.balance.owed,
            expiring,
            worth: programme
                .exchange
                .filter(|_| programme.is_on)
                .map(|exchange| PointsWorth::of(exchange, currency)),
        }
    }
}

/// An account's points, and its ledger by page, the latest first.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsOfAccount {
    #[serde(flatten)]
    pub points: PointsView,
    #[serde(flatten)]
    pub entries: List<PointsEntryView>,
}

/// Gives points, takes them, or lets go what is owed: one of them.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsAdjustment {
    /// Below 0 they are taken; no more than can be spent.
    #[serde(default)]
    pub points: i64,
    /// Points that count for levels, beside those that are given.
    #[serde(default)]
    pub level_points: i64,
    /// So much is no longer owed.
    #[serde(default)]
    pub forgive: i64,
    /// Shown to the member, and kept in the audit log.
    #[schema(max_length = 500)]
    pub reason: String,
}

impl PointsAdjustment {
    /// # Errors
    /// `invalid_field`
    pub fn checked(&self) -> Result<(Adjustment, String)> {
        let points = fields::within("points", self.points, -POINTS_MAX, POINTS_MAX)?;
        let level_points = fields::within("level_points", self.level_points, 0, POINTS_MAX)?;
        let forgiven = fields::within("forgive", self.forgive, 0, POINTS_MAX)?;
        let adjustment = match (points, level_points, forgiven) {
            (0.., 0.., 0) if points > 0 || level_points > 0 => Adjustment::Give { points, level_points },
            (..0, 0, 0) => Adjustment::Take(-points),
            (0, 0, 1..) => Adjustment::Forgive(forgiven),
            _ => return Err(Code::InvalidField.at("points", "expected one of giving, taking and forgiving")),
        };
        Ok((adjustment, fields::reason(&self.reason)?))
    }
}

/// What becomes of points that are taken back after they were spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointsOverdrawn {
    /// The next ones pay for them.
    Owe,
    /// Nothing more can be spent until an operator has decided.
    Block,
}

/// How points are earned, spent and lost.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsProgrammeView {
    pub is_on: bool,
    /// Points for each 100 minor units.
    #[schema(value_type = String, example = "1.5")]
    pub rate: Decimal,
    /// The same, of points that count for levels.
    #[schema(value_type = String, example = "1")]
    pub level_rate: Decimal,
    /// How points pay; null: they can't.
    pub worth: Option<PointsWorth>,
    /// How long points last, from the day on which they can be spent to the end of a day of the shop; null: for good.
    pub lasts_months: Option<i32>,
    /// A mail tells so many days before points expire.
    pub warn_days: i32,
    pub overdrawn: PointsOverdrawn,
    /// For a check-in.
    pub check_in_points: i64,
    pub streaks: Vec<Streak>,
    pub version: i32,
}

impl PointsProgrammeView {
    pub fn of(of: &Programme, currency: &str) -> Self {
        Self {
            is_on: of.is_on,
            rate: fields::of_hundredths(of.rate_bp),
            level_rate: fields::of_hundredths(of.level_rate_bp),
            worth: of.exchange.map(|by| PointsWorth::of(by, currency)),
            lasts_months: of.lasts_months,
            warn_days: of.warn_days,
            overdrawn: match of.overdrawn {
                Overdrawn::Owe => PointsOverdrawn::Owe,
                Overdrawn::Block => PointsOverdrawn::Block,
            },
            check_in_points: of.check_in_points,
            streaks: of.streaks.clone(),
            version: of.version,
        }
    }
}

/// Changes of the programme; what is absent stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PointsProgrammeChange {
    pub is_on: Option<bool>,
    #[schema(value_type = Option<String>)]
    pub rate: Option<Decimal>,
    #[schema(value_type = Option<String>)]
    pub level_rate: Option<Decimal>,
    #[serde(default)]
    #[schema(value_type = Option<PointsWorth>)]
    pub worth: Patch<PointsWorth>,
    #[serde(default)]
    #[schema(value_type = Option<i32>)]
    pub lasts_months: Patch<i32>,
    pub warn_days: Option<i32>,
    pub overdrawn: Option<PointsOverdrawn>,
    pub check_in_points: Option<i64>,
    pub streaks: Option<Vec<Streak>>,
}

impl PointsProgrammeChange {
    /// # Errors
    /// `invalid_field`, `amount_out_of_range`.
    pub fn apply(&self, before: Programme, currency: &str) -> Result<Programme> {
        let rate = |field, rate: Option<Decimal>, kept| {
            rate.map_or(Ok(kept), |rate| fields::hundredths(field, rate, RATE_MAX_BP))
        };
        let streaks = self.streaks.clone().unwrap_or(before.streaks);
        if streaks.len() > STREAKS_MAX {
            return Err(Code::InvalidField.at("streaks", format!("expected at most {STREAKS_MAX}")));
        }
        for (index, of) in streaks.iter().enumerate() {
            fields::within(&format!("streaks[{index}].days"), of.days, 2, 3_650)?;
            fields::within(&format!("streaks[{index}].points"), of.points, 1, POINTS_MAX)?;
        }
        Ok(Programme {
            is_on: self.is_on.unwrap_or(before.is_on),
            rate_bp: rate("rate", self.rate, before.rate_bp)?,
            level_rate_bp: rate("level_rate", self.level_rate, before.level_rate_bp)?,
            exchange: match &self.worth {
                Patch::Absent => before.exchange,
                Patch::Null => None,
                Patch::Value(worth) => Some(worth.checked(currency)?),
            },
            lasts_months: match self.lasts_months {
                Patch::Absent => before.lasts_months,
                Patch::Null => None,
                Patch::Value(months) => Some(fields::within("lasts_months", months, 1, 1_200)?),
            },
            warn_days: fields::within("warn_days", self.warn_days.unwrap_or(before.warn_days), 1, 365)?,
            overdrawn: match self.overdrawn {
                None => before.overdrawn,
                Some(PointsOverdrawn::Owe) => Overdrawn::Owe,
                Some(PointsOverdrawn::Block) => Overdrawn::Block,
            },
            check_in_points: fields::within(
                "check_in_points",
                self.check_in_points.unwrap_or(before.check_in_points),
                0,
                POINTS_MAX,
            )?,
            streaks,
            version: before.version + 1,
        })
    }
}

/// What earns at another rate than everything else.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct PointsRuleView {
    pub id: PointsRuleId,
    #[schema(example = "double-books")]
    pub code: String,
    /// Lines that are meant; empty: all but gift cards, which earn nothing.
    pub scope: Scope,
    /// Whom it is for; null: everybody.
    pub audience: Option<Audience>,
    /// Points for each 100 minor units; null: as usual. The best of those that fit a line counts, also where it is less than
    /// usual.
    #[schema(value_type = Option<String>)]
    pub rate: Option<Decimal>,
    /// The same, of points that count for levels.
    #[schema(value_type = Option<String>)]
    pub level_rate: Option<Decimal>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl From<Rule> for PointsRuleView {
    fn from(rule: Rule) -> Self {
        Self {
            id: rule.id,
            code: rule.code,
            scope: rule.scope,
            audience: rule.audience,
            rate: rule.rate_bp.map(fields::of_hundredths),
            level_rate: rule.level_rate_bp.map(fields::of_hundredths),
            starts_at: rule.starts_at,
            ends_at: rule.ends_at,
            created_at: rule.created_at,
            archived_at: rule.archived_at,
            version: rule.version,
        }
    }
}

#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPointsRule {
    pub code: String,
    #[serde(default)]
    pub scope: Scope,
    pub audience: Option<Audience>,
    #[schema(value_type = Option<String>)]
    pub rate: Option<Decimal>,
    #[schema(value_type = Option<String>)]
    pub level_rate: Option<Decimal>,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
}

impl NewPointsRule {
    /// # Errors
    /// `invalid_field`
    pub fn checked(&self, now: DateTime<Utc>) -> Result<Rule> {
        let rate = |field, rate: Option<Decimal>| {
            rate.map(|rate| fields::hundredths(field, rate, RATE_MAX_BP)).transpose()
        };
        if self.rate.is_none() && self.level_rate.is_none() {
            return Err(Code::InvalidField.at("rate", "expected a rate, a level_rate or both"));
        }
        if self.starts_at.zip(self.ends_at).is_some_and(|(start, end)| end <= start) {
            return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
        }
        Ok(Rule {
            id: PointsRuleId::new(),
            code: fields::slug("code", &self.code)?,
            scope: self.scope.clone(),
            audience: self.audience.clone(),
            rate_bp: rate("rate", self.rate)?,
            level_rate_bp: rate("level_rate", self.level_rate)?,
            starts_at: self.starts_at.map(|at| fields::dated("starts_at", at, now)).transpose()?,
            ends_at: self.ends_at.map(|at| fields::ahead("ends_at", at, now)).transpose()?,
            created_at: now,
            archived_at: None,
            version: 1,
        })
    }
}

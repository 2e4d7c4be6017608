//! Memberships over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Source, TermRow};
use super::rules::{self, GRACE, Life, Worth, life, standing_at};
use super::views::Member;
use crate::error::{AppError, Result};
use crate::membership::associates::dto::AdminAssociateView;
use crate::membership::benefits::dto::OwnBenefit;
use crate::membership::benefits::uses::Had;
use crate::membership::plans::model::Renews;
use crate::membership::renewals::dto::ComingRenewal;
use crate::types::id::{AccountId, AssociateId, ChapterId, LineId, MembershipId, PlanId, TermId, TierId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;

/// The caller's membership: the open one, or the last one it had.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Membership)]
pub struct MembershipView {
    pub id: MembershipId,
    pub state: Life,
    /// The tier's code.
    pub tier: String,
    pub tier_name: String,
    pub tier_names: Names,
    /// The plan's code.
    pub plan: Option<String>,
    pub number: Option<String>,
    /// The chapter's code.
    pub chapter: String,
    pub starts_at: DateTime<Utc>,
    /// Exclusive; null: for life.
    pub ends_at: Option<DateTime<Utc>>,
    /// Frozen by your own wish: when it goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_until: Option<DateTime<Utc>>,
    /// `card`: the saved card is charged at the end.
    pub renews: Renews,
    /// What comes at the end; null where it has none, or is over.
    pub renewal: Option<ComingRenewal>,
    /// The code of the level, which is earned beside it (`GET /v1/me/level`); null: none.
    pub level: Option<String>,
    /// You belong by somebody else's membership: state, tier and dates follow that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub associate: Option<AssociateOfView>,
    /// What the tier gives, and the digital goods that it opens; empty while the membership gives no access.
    pub benefits: Vec<OwnBenefit>,
    pub worth: WorthView,
}

/// By which seat an associate belongs.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AssociateOf)]
pub struct AssociateOfView {
    /// To leave: `DELETE /v1/me/associates/{id}`.
    pub id: AssociateId,
    /// The head's member number.
    pub head: Option<String>,
}

/// What was paid for the terms that aren't over, and what was had for it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Worth)]
pub struct WorthView {
    /// For the terms that aren't over, and stayed paid.
    pub paid: Money,
    /// What the benefits that were used since these began are worth: what others pay for them, what coupons took off.
    pub used: Money,
    /// How much less than others one paid for what one bought since then.
    pub saved: Money,
    /// What is left of `paid` by the time that is left of the terms: an upgrade would credit it now.
    pub remaining: Money,
}

impl WorthView {
    fn new(worth: Worth, had: Had, currency: &str) -> Self {
        Self {
            paid: Money::new(worth.paid_minor, currency),
            used: Money::new(had.used_minor, currency),
            saved: Money::new(had.saved_minor, currency),
            remaining: Money::new(worth.paid_minor - worth.used_minor, currency),
        }
    }
}

impl MembershipView {
    /// # Errors
    /// When the worth doesn't fit, which no sale allows.
    pub fn new(
        member: Member,
        terms: &[TermRow],
        had: Had,
        locale: Locale,
        currency: &str,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let row = member.row;
        let state = life(&row, now, GRACE);
        let worth = rules::worth(terms, standing_at(&row, now)).map_err(AppError::internal)?;
        Ok(Self {
            id: row.id,
            state,
            tier: member.tier_code,
            tier_name: member.tier_names.pick(locale).to_owned(),
            tier_names: member.tier_names,
            renews: Renews::Never,
            renewal: None,
            plan: member.plan.map(|(code, _)| code),
            number: member.number,
            chapter: member.chapter_code,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            frozen_until: None,
            level: None,
            associate: member.seat.map(|(id, head)| AssociateOfView { id, head }),
            benefits: Vec::new(),
            worth: WorthView::new(worth, had, currency),
        })
    }
}

impl MembershipView {
    /// With what comes at its end.
    pub fn going_on(self, renewal: Option<ComingRenewal>) -> Self {
        let is_on = renewal.as_ref().is_some_and(|renewal| renewal.on);
        Self { renews: if is_on { Renews::Card } else { Renews::Never }, renewal, ..self }
    }
}

/// A member's number, and nothing personal.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = NumberCheck)]
pub struct NumberView {
    pub number: String,
    /// Does the membership open doors now?
    pub valid: bool,
    /// The code of the member's tier, or of the last one.
    pub tier: Option<String>,
    /// When the number was given.
    pub since: DateTime<Utc>,
}

/// Which members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MemberFilter {
    pub state: Option<Life>,
    pub tier: Option<TierId>,
    pub account: Option<AccountId>,
    pub number: Option<String>,
    pub chapter: Option<ChapterId>,
}

/// A membership as operators see it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminMember)]
pub struct MemberView {
    pub id: MembershipId,
    pub account: AccountId,
    /// Null after erasure.
    pub name: Option<String>,
    pub email: Option<String>,
    pub number: Option<String>,
    pub state: Life,
    pub tier: String,
    pub plan: Option<String>,
    pub chapter: String,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub frozen_at: Option<DateTime<Utc>>,
    /// `operator`, `dispute:dsp_…`, `measure:meas_…`
    pub frozen_causes: Vec<String>,
    pub closed_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// With its terms.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminMemberDetail)]
pub struct MemberDetailView {
    #[serde(flatten)]
    pub member: MemberView,
    pub worth: WorthView,
    pub terms: Vec<TermView>,
    /// Who belongs, belonged or is invited to belong by it, the newest first.
    pub associates: Vec<AdminAssociateView>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AdminTerm)]
pub struct TermView {
    pub id: TermId,
    pub source: Source,
    pub line: Option<LineId>,
    pub plan: Option<PlanId>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    /// Money paid for it and credit used.
    pub value: Money,
    /// Ended before its time, by a refund or with a revoked membership.
    pub ended_at: Option<DateTime<Utc>>,
}

impl MemberView {
    pub fn new(member: Member, now: DateTime<Utc>) -> Self {
        let row = member.row;
        Self {
            state: life(&row, now, GRACE),
            id: row.id,
            account: row.account_id,
            name: member.name,
            email: member.email,
            number: member.number,
            tier: member.tier_code,
            plan: member.plan.map(|(code, _)| code),
            chapter: member.chapter_code,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            frozen_at: row.frozen_at,
            frozen_causes: row.frozen_causes,
            closed_at: row.closed_at,
            version: row.version,
        }
    }
}

impl MemberDetailView {
    /// # Errors
    /// When the worth doesn't fit, which no sale allows.
    pub fn new(
        member: Member,
        terms: &[TermRow],
        had: Had,
        associates: Vec<AdminAssociateView>,
        currency: &str,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let at = standing_at(&member.row, now);
        let worth = rules::worth(terms, at).map_err(AppError::internal)?;
        Ok(Self {
            worth: WorthView::new(worth, had, currency),
            terms: terms.iter().map(|term| TermView::new(term, currency)).collect(),
            associates,
            member: MemberView::new(member, now),
        })
    }
}

impl TermView {
    fn new(term: &TermRow, currency: &str) -> Self {
        Self {
            id: term.id,
            source: term.source,
            line: term.line_id,
            plan: term.plan_id,
            starts_at: term.starts_at,
            ends_at: term.ends_at,
            value: Money::new(term.value_minor, currency),
            ended_at: term.ended_at,
        }
    }
}

/// Why, for the audit log.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reasoned {
    #[schema(example = "She moved abroad for half a year.")]
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRequest {
    /// Whose term is given, without payment.
    pub plan: PlanId,
    pub reason: String,
}

#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendRequest {
    /// A period such as `P1Y`, `P1M`, `P7D`, or `lifetime`, added at the end.
    #[schema(example = "P1M")]
    pub term: String,
    pub reason: String,
}

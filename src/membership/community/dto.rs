//! The rules of the community over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Acceptance, MoneyRule, Rules};
use crate::types::locale::{Locale, Names};

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRules {
    /// The name that an order's `consents.community_rules` repeats.
    #[schema(max_length = 40, example = "2026-11")]
    pub version: String,
    /// The whole text, at most 20,000 characters each.
    pub texts: Names,
    /// What the rules promise to who is expelled.
    pub expulsion_money: MoneyRule,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CommunityRules)]
pub struct RulesView {
    pub version: String,
    /// In the reader's language.
    pub text: String,
    pub texts: Names,
    pub expulsion_money: MoneyRule,
    pub published_at: DateTime<Utc>,
}

impl RulesView {
    pub fn new(rules: Rules, locale: Locale) -> Self {
        let texts = Names { zh: rules.text_zh, en: rules.text_en };
        Self {
            version: rules.version,
            text: texts.pick(locale).to_owned(),
            texts,
            expulsion_money: rules.expulsion_money,
            published_at: rules.published_at,
        }
    }
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRules {
    /// The version in force, as you were shown it.
    pub version: String,
}

/// What the account accepted, and what it is asked to accept.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MyCommunityRules)]
pub struct StandingView {
    /// The version in force; null where the shop has no rules.
    pub current: Option<String>,
    /// The newest version that you accepted.
    pub accepted: Option<String>,
    pub accepted_at: Option<DateTime<Utc>>,
    /// There is a newer version than the one that you accepted.
    pub asked: bool,
}

impl StandingView {
    pub fn new(current: Option<String>, accepted: Option<Acceptance>) -> Self {
        let version = accepted.as_ref().map(|accepted| accepted.version.clone());
        Self {
            asked: current.is_some() && current != version,
            current,
            accepted: version,
            accepted_at: accepted.map(|accepted| accepted.accepted_at),
        }
    }
}

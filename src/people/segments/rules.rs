//! The rule of a segment: what it may say. What it asks of an account's rows is in `condition.rs`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Code, Result};
use crate::fields;
use crate::types::id::ProductId;
use crate::types::money::Money;

/// Conditions within conditions.
const DEPTH_MAX: usize = 4;
/// Conditions of one rule, the inner ones too.
const CONDITIONS_MAX: usize = 30;
const DAYS_MAX: i32 = 36_500;
pub const TAG_MAX: usize = 50;

/// Whom a segment means: `{"all": [{"tier_at_least": "regular"}, {"not": {"tag": "teacher"}}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Not(Box<Rule>),
    /// Has a membership that gives access now, of that tier or one that ranks higher. By the tier's code.
    TierAtLeast(String),
    /// Stands on that level or one that ranks higher. By the level's code.
    LevelAtLeast(String),
    /// Stands on that stage of the ladder or a higher one. By the stage's code.
    StageAtLeast(String),
    Tag(String),
    Spent(Spent),
    Bought(Bought),
    /// Was a member of any tier before that moment.
    MemberBefore(DateTime<Utc>),
    SignedUpBefore(DateTime<Utc>),
}

/// Money paid for orders and not sent back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spent {
    pub at_least: Money,
    /// For orders paid in the last so many days; ever, where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_days: Option<i32>,
}

/// Has paid for a product, by itself, and hasn't had all of it refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bought {
    pub product: ProductId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_days: Option<i32>,
}

/// Tiers, levels, stages and products that a rule names: they must be there when it is written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub tiers: BTreeSet<String>,
    pub levels: BTreeSet<String>,
    pub stages: BTreeSet<String>,
    pub products: BTreeSet<ProductId>,
}

impl Rule {
    /// The rule as it is stored, and what it names.
    ///
    /// # Errors
    /// `invalid_field`, `amount_out_of_range`.
    pub fn checked(&self, currency: &str, now: DateTime<Utc>) -> Result<(Self, Named)> {
        let mut checker = Checker { currency, now, conditions: 0, named: Named::default() };
        let rule = checker.check(self, 1)?;
        Ok((rule, checker.named))
    }
}

struct Checker<'a> {
    currency: &'a str,
    now: DateTime<Utc>,
    conditions: usize,
    named: Named,
}

impl Checker<'_> {
    fn check(&mut self, rule: &Rule, depth: usize) -> Result<Rule> {
        self.conditions += 1;
        if depth > DEPTH_MAX || self.conditions > CONDITIONS_MAX {
            let most = format!("expected at most {CONDITIONS_MAX} conditions, {DEPTH_MAX} deep");
            return Err(Code::InvalidField.at("rule", most));
        }
        Ok(match rule {
            Rule::All(inner) => Rule::All(self.check_each(inner, depth)?),
            Rule::Any(inner) => Rule::Any(self.check_each(inner, depth)?),
            Rule::Not(inner) => Rule::Not(Box::new(self.check(inner, depth + 1)?)),
            Rule::TierAtLeast(code) => {
                self.named.tiers.insert(code.clone());
                rule.clone()
            }
            Rule::LevelAtLeast(code) => {
                self.named.levels.insert(code.clone());
                rule.clone()
            }
            Rule::StageAtLeast(code) => {
                self.named.stages.insert(code.clone());
                rule.clone()
            }
            Rule::Tag(tag) => Rule::Tag(fields::line("rule.tag", tag, TAG_MAX)?),
            Rule::Spent(spent) => {
                fields::price("rule.spent.at_least", &spent.at_least, self.currency)?;
                days("rule.spent.within_days", spent.within_days)?;
                rule.clone()
            }
            Rule::Bought(bought) => {
                self.named.products.insert(bought.product);
                days("rule.bought.within_days", bought.within_days)?;
                rule.clone()
            }
            Rule::MemberBefore(at) => Rule::MemberBefore(fields::dated("rule.member_before", *at, self.now)?),
            Rule::SignedUpBefore(at) => {
                Rule::SignedUpBefore(fields::dated("rule.signed_up_before", *at, self.now)?)
            }
        })
    }

    fn check_each(&mut self, inner: &[Rule], depth: usize) -> Result<Vec<Rule>> {
        if inner.is_empty() {
            return Err(Code::InvalidField.at("rule", "all and any need a condition"));
        }
        inner.iter().map(|rule| self.check(rule, depth + 1)).collect()
    }
}

fn days(field: &str, days: Option<i32>) -> Result<()> {
    days.map_or(Ok(()), |days| fields::within(field, days, 1, DAYS_MAX).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn now() -> DateTime<Utc> {
        "2014-06-17T02:00:00Z".parse().unwrap()
    }

    fn rule(text: Value) -> Rule {
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn it_reads_as_it_is_written() {
        let text = json!({ "all": [
            { "tier_at_least": "regular" },
            { "not": { "any": [{ "tag": "teacher" }, { "signed_up_before": "2013-12-09T00:00:00Z" }] } },
            { "spent": { "at_least": { "amount": 100_000, "currency": "CNY" }, "within_days": 365 } },
        ] });
        let read = rule(text.clone());
        assert_eq!(serde_json::to_value(&read).unwrap(), text);
        let (stored, named) = read.checked("CNY", now()).unwrap();
        assert_eq!(stored, read);
        assert_eq!(named.tiers, BTreeSet::from(["regular".to_owned()]));
        for wrong in [json!({}), json!({ "tag": 1 }), json!({ "spend": 1 }), json!({ "tag": "a", "all": [] })]
        {
            assert!(serde_json::from_value::<Rule>(wrong).is_err());
        }
    }

    #[test]
    fn it_has_bounds() {
        let nested =
            |depth: usize| (1..depth).fold(json!({ "tag": "a" }), |inner, _| json!({ "not": inner }));
        assert!(rule(nested(4)).checked("CNY", now()).is_ok());
        assert!(rule(nested(5)).checked("CNY", now()).is_err());
        let wide = |count: usize| json!({ "any": vec![json!({ "tag": "a" }); count] });
        assert!(rule(wide(29)).checked("CNY", now()).is_ok());
        assert!(rule(wide(30)).checked("CNY", now()).is_err());
        assert!(rule(wide(0)).checked("CNY", now()).is_err());
        let spent = |amount: i64, currency: &str, days: i32| {
            let at_least = json!({ "amount": amount, "currency": currency });
            rule(json!({ "spent": { "at_least": at_least, "within_days": days } }))
                .checked("CNY", now())
                .is_ok()
        };
        assert!(spent(0, "CNY", 1) && spent(1, "CNY", 36_500));
        assert!(!spent(-1, "CNY", 1) && !spent(1, "USD", 1));
        assert!(!spent(1, "CNY", 0) && !spent(1, "CNY", 36_501));
    }
}

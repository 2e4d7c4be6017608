//! What the rule of a segment asks of an account's rows, as SQL.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text, Timestamptz, Uuid as SqlUuid};

use super::rules::Rule;
use crate::membership::memberships::rules::GRACE;
use crate::schema::accounts;
use crate::types::id::ProductId;

/// The rule as a condition of a query on `accounts`. There is no second reading of a rule: lists, counts and prices all
/// ask this one.
#[derive(Clone, Debug)]
pub struct Matches {
    condition: Condition,
}

impl Matches {
    pub fn new(rule: &Rule, now: DateTime<Utc>) -> Self {
        Self { condition: Condition::of(rule, now) }
    }
}

/// A rule with its moments worked out.
#[derive(Clone, Debug)]
enum Condition {
    Joined(Vec<Condition>, &'static str),
    Not(Box<Condition>),
    Tier { at_least: String, with_grace: DateTime<Utc> },
    Level { at_least: String, now: DateTime<Utc>, with_grace: DateTime<Utc> },
    Stage { at_least: String },
    Tag(String),
    Spent { minor: i64, since: DateTime<Utc> },
    Bought { product: ProductId, since: DateTime<Utc> },
    MemberBefore(DateTime<Utc>),
    SignedUpBefore(DateTime<Utc>),
}

impl Condition {
    fn of(rule: &Rule, now: DateTime<Utc>) -> Self {
        let since = |days: Option<i32>| match days {
            Some(days) => now - TimeDelta::days(days.into()),
            None => DateTime::UNIX_EPOCH,
        };
        let each = |inner: &[Rule]| inner.iter().map(|rule| Self::of(rule, now)).collect();
        match rule {
            Rule::All(inner) => Self::Joined(each(inner), " AND "),
            Rule::Any(inner) => Self::Joined(each(inner), " OR "),
            Rule::Not(inner) => Self::Not(Box::new(Self::of(inner, now))),
            Rule::TierAtLeast(code) => Self::Tier { at_least: code.clone(), with_grace: now - GRACE },
            Rule::LevelAtLeast(code) => Self::Level { at_least: code.clone(), now, with_grace: now - GRACE },
            Rule::StageAtLeast(code) => Self::Stage { at_least: code.clone() },
            Rule::Tag(tag) => Self::Tag(tag.clone()),
            Rule::Spent(spent) => {
                Self::Spent { minor: spent.at_least.amount, since: since(spent.within_days) }
            }
            Rule::Bought(bought) => {
                Self::Bought { product: bought.product, since: since(bought.within_days) }
            }
            Rule::MemberBefore(at) => Self::MemberBefore(*at),
            Rule::SignedUpBefore(at) => Self::SignedUpBefore(*at),
        }
    }

    fn walk<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Joined(inner, word) => {
                for (index, condition) in inner.iter().enumerate() {
                    out.push_sql(if index == 0 { "(" } else { word });
                    condition.walk(out)?;
                }
                out.push_sql(")");
            }
            Self::Not(inner) => {
                out.push_sql("NOT ");
                inner.walk(out)?;
            }
            Self::Tier { at_least, with_grace } => {
                out.push_sql(
                    "EXISTS (SELECT FROM standings m JOIN tiers t ON t.id = m.tier_id \
                     WHERE m.account_id = accounts.id AND m.state = 'active' AND (m.ends_at IS NULL OR m.ends_at > ",
                );
                out.push_bind_param::<Timestamptz, _>(with_grace)?;
                out.push_sql(") AND t.rank >= (SELECT rank FROM tiers WHERE code = ");
                out.push_bind_param::<Text, _>(at_least)?;
                out.push_sql("))");
            }
            Self::Level { at_least, now, with_grace } => walk_level(out, at_least, now, with_grace)?,
            Self::Stage { at_least } => {
                out.push_sql(
                    "EXISTS (SELECT FROM account_stages s JOIN stages g ON g.id = s.stage_id \
                     WHERE s.account_id = accounts.id AND g.rank >= (SELECT rank FROM stages WHERE code = ",
                );
                out.push_bind_param::<Text, _>(at_least)?;
                out.push_sql("))");
            }
            Self::Tag(tag) => {
                out.push_sql(
                    "EXISTS (SELECT FROM account_tags g WHERE g.account_id = accounts.id AND g.tag = ",
                );
                out.push_bind_param::<Text, _>(tag)?;
                out.push_sql(")");
            }
            // Money alone: see the view.
            Self::Spent { minor, since } => {
                out.push_sql(
                    "coalesce((SELECT sum(o.minor) FROM order_money o WHERE o.account_id = accounts.id AND o.paid_at >= ",
                );
                out.push_bind_param::<Timestamptz, _>(since)?;
                out.push_sql("), 0) >= ");
                out.push_bind_param::<BigInt, _>(minor)?;
            }
            Self::Bought { product, since } => {
                out.push_sql(
                    "EXISTS (SELECT FROM orders o JOIN order_lines l ON l.order_id = o.id \
                     JOIN variants v ON v.id = l.variant_id WHERE o.account_id = accounts.id \
                     AND (l.refunded_minor < l.total_minor OR l.total_minor = 0) AND v.product_id = ",
                );
                out.push_bind_param::<SqlUuid, _>(product)?;
                out.push_sql(" AND o.paid_at >= ");
                out.push_bind_param::<Timestamptz, _>(since)?;
                out.push_sql(")");
            }
            Self::MemberBefore(at) => {
                out.push_sql(
                    "(EXISTS (SELECT FROM memberships m WHERE m.account_id = accounts.id AND m.starts_at < ",
                );
                out.push_bind_param::<Timestamptz, _>(at)?;
                out.push_sql(
                    ") OR EXISTS (SELECT FROM associates a WHERE a.account_id = accounts.id AND a.accepted_at < ",
                );
                out.push_bind_param::<Timestamptz, _>(at)?;
                out.push_sql("))");
            }
            Self::SignedUpBefore(at) => {
                out.push_sql("accounts.created_at < ");
                out.push_bind_param::<Timestamptz, _>(at)?;
            }
        }
        Ok(())
    }
}

/// Who stands on this level or above: by what he earned, what an operator gave, or the floor of his tier.
fn walk_level<'b>(
    out: &mut AstPass<'_, 'b, Pg>,
    at_least: &'b String,
    now: &'b DateTime<Utc>,
    with_grace: &'b DateTime<Utc>,
) -> QueryResult<()> {
    out.push_sql("EXISTS (SELECT FROM levels l WHERE l.rank >= (SELECT rank FROM levels WHERE code = ");
    out.push_bind_param::<Text, _>(at_least)?;
    out.push_sql(
        ") AND (EXISTS (SELECT FROM account_levels a WHERE a.account_id = accounts.id AND (a.level_id = l.id \
         OR (a.manual_level_id = l.id AND (a.manual_until IS NULL OR a.manual_until > ",
    );
    out.push_bind_param::<Timestamptz, _>(now)?;
    out.push_sql(
        ")))) OR EXISTS (SELECT FROM standings m JOIN tiers t ON t.id = m.tier_id WHERE m.account_id = accounts.id \
         AND t.floor_level_id = l.id AND m.state = 'active' AND (m.ends_at IS NULL OR m.ends_at > ",
    );
    out.push_bind_param::<Timestamptz, _>(with_grace)?;
    out.push_sql("))))");
    Ok(())
}

impl QueryFragment<Pg> for Matches {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.condition.walk(&mut out)
    }
}

impl QueryId for Matches {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Expression for Matches {
    type SqlType = Bool;
}

impl AppearsOnTable<accounts::table> for Matches {}
impl SelectableExpression<accounts::table> for Matches {}
impl diesel::expression::ValidGrouping<()> for Matches {
    type IsAggregate = diesel::expression::is_aggregate::No;
}

//! The programme: how points are earned, spent and lost. There is one; it is off until an operator turns it on. Beside it rules,
//! by which some lines earn at another rate.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules::{Exchange, Overdrawn, Purse};
use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::promotion::campaigns::rules::{Class, Scope, Sold};
use crate::schema::{points_programme, points_rules};
use crate::shop::audience::{Audience, Ranks, Visitor};
use crate::types::id::PointsRuleId;

/// More for days in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Streak {
    /// On that many days in a row, and again after as many more.
    pub days: i32,
    /// On top of what each day gives.
    pub points: i64,
}

/// The programme as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programme {
    pub is_on: bool,
    /// Hundredths of a point for each 100 minor units.
    pub rate_bp: i32,
    /// The same, of points that count for levels.
    pub level_rate_bp: i32,
    /// How points pay; none: they can't.
    pub exchange: Option<Exchange>,
    /// From the day on which points can be spent; none: they last.
    pub lasts_months: Option<i32>,
    pub warn_days: i32,
    pub overdrawn: Overdrawn,
    pub check_in_points: i64,
    pub streaks: Vec<Streak>,
    pub version: i32,
}

/// What lines earn: the programme, and rules beside it.
#[derive(Clone, Debug, Default)]
pub struct Earning {
    /// None: nothing is earned.
    pub programme: Option<Programme>,
    pub rules: Vec<Rule>,
}

impl Earning {
    /// What a line earns: the best rates of the rules that fit it, each with its rule's code; else the usual ones.
    pub fn rates(
        &self,
        sold: Sold<'_>,
        visitor: Visitor<'_>,
        ranks: &Ranks,
        now: DateTime<Utc>,
    ) -> Rates<'_> {
        let Some(programme) = self.programme.as_ref().filter(|_| sold != Sold::GiftCard) else {
            return Rates::default();
        };
        let best = |usual: i32, of: fn(&Rule) -> Option<i32>| {
            let fitting = self.rules.iter().filter(|rule| rule.fits(sold, visitor, ranks, now));
            let rates = fitting.filter_map(|rule| Some((of(rule)?, rule.code.as_str())));
            // A rule is for what it names: it may give less than everything else gets.
            rates.max_by_key(|(rate, _)| *rate).map_or((usual, None), |(rate, code)| (rate, Some(code)))
        };
        Rates {
            points: best(programme.rate_bp, |rule| rule.rate_bp),
            level: best(programme.level_rate_bp, |rule| rule.level_rate_bp),
        }
    }

    /// How points pay.
    pub fn exchange(&self) -> Option<Exchange> {
        self.programme.as_ref().and_then(|programme| programme.exchange)
    }

    /// Those that rules are for.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.rules.iter().filter_map(|rule| rule.audience.as_ref())
    }
}

/// What orders earn that are placed now.
///
/// # Errors
/// The database's.
pub async fn earning(conn: &Conn) -> Result<Earning> {
    let (programme, rules) = tokio::try_join!(load(conn), open_rules(conn))?;
    if !programme.is_on {
        return Ok(Earning::default());
    }
    Ok(Earning { programme: Some(programme), rules })
}

impl Programme {
    /// What is owed is paid by what has come, where that is the rule.
    pub fn settle(&self, purse: &mut Purse, now: DateTime<Utc>) {
        if self.overdrawn == Overdrawn::Owe {
            purse.settle(now);
        }
    }

    /// What the n-th day in a row gives.
    pub fn check_in(&self, streak: i32) -> i64 {
        let is_reached = |of: &&Streak| of.days > 0 && streak % of.days == 0;
        let more: i64 = self.streaks.iter().filter(is_reached).map(|of| of.points).sum();
        self.check_in_points.saturating_add(more)
    }
}

/// What a line earns, in hundredths of a point for each 100 minor units, and by which rule, where it isn't the programme's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates<'a> {
    pub points: (i32, Option<&'a str>),
    pub level: (i32, Option<&'a str>),
}

/// What earns at another rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: PointsRuleId,
    pub code: String,
    pub scope: Scope,
    /// None: everybody.
    pub audience: Option<Audience>,
    pub rate_bp: Option<i32>,
    pub level_rate_bp: Option<i32>,
    pub starts_at: Option<DateTime<Utc>>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

impl Rule {
    fn fits(&self, sold: Sold<'_>, visitor: Visitor<'_>, ranks: &Ranks, now: DateTime<Utc>) -> bool {
        self.archived_at.is_none()
            && self.starts_at.is_none_or(|start| start <= now)
            && self.ends_at.is_none_or(|end| now < end)
            && self.scope.covers(Class::Order, sold)
            && self.audience.as_ref().is_none_or(|audience| audience.admits(visitor, ranks))
    }
}

#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = points_programme)]
#[diesel(treat_none_as_null = true)]
struct Row {
    is_on: bool,
    rate_bp: i32,
    level_rate_bp: i32,
    step_points: Option<i64>,
    step_minor: Option<i64>,
    least_points: i64,
    most_share_bp: i32,
    lasts_months: Option<i32>,
    warn_days: i32,
    overdrawn: String,
    check_in_points: i64,
    streaks: Value,
    version: i32,
}

impl TryFrom<Row> for Programme {
    type Error = AppError;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            is_on: row.is_on,
            rate_bp: row.rate_bp,
            level_rate_bp: row.level_rate_bp,
            exchange: row.step_points.zip(row.step_minor).map(|(step_points, step_minor)| Exchange {
                step_points,
                step_minor,
                least_points: row.least_points,
                most_share_bp: row.most_share_bp,
            }),
            lasts_months: row.lasts_months,
            warn_days: row.warn_days,
            overdrawn: if row.overdrawn == "block" { Overdrawn::Block } else { Overdrawn::Owe },
            check_in_points: row.check_in_points,
            streaks: serde_json::from_value(row.streaks).map_err(AppError::internal)?,
            version: row.version,
        })
    }
}

/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn) -> Result<Programme> {
    let row: Row = points_programme::table.select(Row::as_select()).first(&mut conn).await?;
    Programme::try_from(row)
}

/// Locks the programme until the transaction ends: nobody else changes it meanwhile.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn) -> Result<Programme> {
    let row: Row = points_programme::table.for_no_key_update().select(Row::as_select()).first(conn).await?;
    Programme::try_from(row)
}

/// Writes a programme that is locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, of: &Programme) -> Result<()> {
    let row = Row {
        is_on: of.is_on,
        rate_bp: of.rate_bp,
        level_rate_bp: of.level_rate_bp,
        step_points: of.exchange.map(|by| by.step_points),
        step_minor: of.exchange.map(|by| by.step_minor),
        least_points: of.exchange.map_or(0, |by| by.least_points),
        most_share_bp: of.exchange.map_or(0, |by| by.most_share_bp),
        lasts_months: of.lasts_months,
        warn_days: of.warn_days,
        overdrawn: match of.overdrawn {
            Overdrawn::Owe => "owe",
            Overdrawn::Block => "block",
        }
        .to_owned(),
        check_in_points: of.check_in_points,
        streaks: serde_json::to_value(&of.streaks).map_err(AppError::internal)?,
        version: of.version,
    };
    diesel::update(points_programme::table).set(row).execute(conn).await?;
    Ok(())
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = points_rules)]
#[diesel(treat_none_as_null = true)]
struct RuleRow {
    id: PointsRuleId,
    code: String,
    scope: Value,
    audience: Option<Value>,
    rate_bp: Option<i32>,
    level_rate_bp: Option<i32>,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

impl TryFrom<RuleRow> for Rule {
    type Error = AppError;

    fn try_from(row: RuleRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            scope: serde_json::from_value(row.scope).map_err(AppError::internal)?,
            audience: row.audience.map(serde_json::from_value).transpose().map_err(AppError::internal)?,
            rate_bp: row.rate_bp,
            level_rate_bp: row.level_rate_bp,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

impl RuleRow {
    fn of(rule: &Rule) -> Result<Self> {
        let json = |value: &Audience| serde_json::to_value(value).map_err(AppError::internal);
        Ok(Self {
            id: rule.id,
            code: rule.code.clone(),
            scope: serde_json::to_value(&rule.scope).map_err(AppError::internal)?,
            audience: rule.audience.as_ref().map(json).transpose()?,
            rate_bp: rule.rate_bp,
            level_rate_bp: rule.level_rate_bp,
            starts_at: rule.starts_at,
            ends_at: rule.ends_at,
            created_at: rule.created_at,
            archived_at: rule.archived_at,
            version: rule.version,
        })
    }
}

/// Rules that aren't archived, the oldest first.
///
/// # Errors
/// The database's.
pub async fn open_rules(mut conn: &Conn) -> Result<Vec<Rule>> {
    let rows: Vec<RuleRow> = points_rules::table
        .filter(points_rules::archived_at.is_null())
        .order(points_rules::id)
        .select(RuleRow::as_select())
        .load(&mut conn)
        .await?;
    rows.into_iter().map(Rule::try_from).collect()
}

/// # Errors
/// `code_taken`; the database's.
pub async fn insert_rule(conn: &mut Conn, rule: &Rule) -> Result<()> {
    diesel::insert_into(points_rules::table).values(RuleRow::of(rule)?).execute(conn).await?;
    Ok(())
}

/// Locks a rule.
///
/// # Errors
/// The database's.
pub async fn lock_rule(conn: &mut Conn, id: PointsRuleId) -> Result<Option<Rule>> {
    let query = points_rules::table.find(id).for_no_key_update().select(RuleRow::as_select());
    query.first::<RuleRow>(conn).await.optional()?.map(Rule::try_from).transpose()
}

/// Writes a rule that is locked.
///
/// # Errors
/// The database's.
pub async fn store_rule(conn: &mut Conn, rule: &Rule) -> Result<()> {
    let row = RuleRow::of(rule)?;
    diesel::update(points_rules::table.find(rule.id)).set(row).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::id::{ProductId, VariantId};

    fn programme() -> Programme {
        Programme {
            is_on: true,
            rate_bp: 100,
            level_rate_bp: 100,
            exchange: None,
            lasts_months: None,
            warn_days: 30,
            overdrawn: Overdrawn::Owe,
            check_in_points: 2,
            streaks: vec![Streak { days: 7, points: 20 }, Streak { days: 30, points: 100 }],
            version: 1,
        }
    }

    fn rule(code: &str, product: ProductId, rate_bp: Option<i32>, level_rate_bp: Option<i32>) -> Rule {
        Rule {
            id: PointsRuleId::new(),
            code: code.to_owned(),
            scope: Scope { products: vec![product], ..Scope::default() },
            audience: None,
            rate_bp,
            level_rate_bp,
            starts_at: None,
            ends_at: None,
            created_at: DateTime::UNIX_EPOCH,
            archived_at: None,
            version: 1,
        }
    }

    #[test]
    fn the_best_rate_of_the_rules_that_fit_counts_before_the_usual_one() {
        let product = ProductId::new();
        let sold = Sold::Article {
            variant: VariantId::new(),
            product,
            category: None,
            in_drop: false,
            is_reduced: false,
        };
        let now = DateTime::UNIX_EPOCH;
        let ranks = Ranks::default();
        let of = |rules: &[Rule], sold| {
            let earning = Earning { programme: Some(programme()), rules: rules.to_vec() };
            let rates = earning.rates(sold, Visitor::default(), &ranks, now);
            let named = |(rate, code): (i32, Option<&str>)| (rate, code.map(str::to_owned));
            (named(rates.points), named(rates.level))
        };
        let double = rule("double", product, Some(200), None);
        let triple = rule("triple", product, Some(300), Some(0));
        let other = rule("other", ProductId::new(), Some(900), Some(900));
        assert_eq!(of(&[], sold), ((100, None), (100, None)));
        assert_eq!(
            of(&[double.clone(), triple.clone(), other], sold),
            ((300, Some("triple".to_owned())), (0, Some("triple".to_owned())))
        );
        let over = Rule { ends_at: Some(now), ..triple };
        assert_eq!(of(&[double, over], sold), ((200, Some("double".to_owned())), (100, None)));
        assert_eq!(of(&[], Sold::GiftCard), ((0, None), (0, None)));
    }

    #[test]
    fn days_in_a_row_give_more() {
        let days = [1, 6, 7, 14, 30, 210].map(|day| programme().check_in(day));
        assert_eq!(days, [2, 2, 22, 22, 102, 122]);
    }
}

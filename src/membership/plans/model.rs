//! Rows of plans.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred_stripe::Method;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{drives, plans, tiers};
use crate::types::id::{PlanId, TierId};
use crate::types::period::Term;
use crate::types::stored::stored_enum;

stored_enum! {
    /// How a plan goes on when its term is over.
    Renews {
        /// It ends.
        Never = "never",
        /// With the card that was saved when it was bought.
        Card = "card",
    }
}

/// A plan with what its tier is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub id: PlanId,
    pub code: String,
    pub tier: TierId,
    pub tier_code: String,
    pub tier_zh: String,
    pub tier_en: String,
    pub tier_rank: i32,
    pub term: Term,
    pub price_minor: i64,
    pub currency: String,
    pub renews: Renews,
    pub payment_methods: Vec<Method>,
    pub hold_minutes: i32,
    /// False: sold in drives alone.
    pub open_sale: bool,
    /// Members of a lower tier may change to it, even where it isn't on open sale.
    pub open_upgrade: bool,
    /// New people may try it for so many days without payment; 0: they can't.
    pub trial_days: i32,
    /// How many associates its member may have.
    pub associate_seats: i32,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
}

/// The row and its tier's names; [`Plan`] is what it means.
#[derive(Debug, Queryable)]
pub struct PlanRow {
    id: PlanId,
    code: String,
    tier: TierId,
    tier_code: String,
    tier_zh: String,
    tier_en: String,
    tier_rank: i32,
    term: String,
    price_minor: i64,
    currency: String,
    renews: Renews,
    payment_methods: Vec<String>,
    hold_minutes: i32,
    open_sale: bool,
    open_upgrade: bool,
    trial_days: i32,
    associate_seats: i32,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

/// What to select for a [`PlanRow`], from plans joined with tiers.
pub const COLUMNS: Columns = (
    plans::id,
    plans::code,
    tiers::id,
    tiers::code,
    tiers::name_zh,
    tiers::name_en,
    tiers::rank,
    plans::term,
    plans::price_minor,
    plans::currency,
    plans::renews,
    plans::payment_methods,
    plans::hold_minutes,
    plans::open_sale,
    plans::open_upgrade,
    plans::trial_days,
    plans::associate_seats,
    plans::created_at,
    plans::archived_at,
    plans::version,
);

pub type Columns = (
    plans::id,
    plans::code,
    tiers::id,
    tiers::code,
    tiers::name_zh,
    tiers::name_en,
    tiers::rank,
    plans::term,
    plans::price_minor,
    plans::currency,
    plans::renews,
    plans::payment_methods,
    plans::hold_minutes,
    plans::open_sale,
    plans::open_upgrade,
    plans::trial_days,
    plans::associate_seats,
    plans::created_at,
    plans::archived_at,
    plans::version,
);

impl TryFrom<PlanRow> for Plan {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: PlanRow) -> Result<Self> {
        let methods = row.payment_methods.iter().map(|name| Method::parse(name));
        Ok(Self {
            id: row.id,
            code: row.code,
            tier: row.tier,
            tier_code: row.tier_code,
            tier_zh: row.tier_zh,
            tier_en: row.tier_en,
            tier_rank: row.tier_rank,
            term: row.term.parse().map_err(AppError::internal)?,
            price_minor: row.price_minor,
            currency: row.currency,
            renews: row.renews,
            payment_methods: methods
                .collect::<Option<_>>()
                .ok_or_else(|| AppError::internal("a stored payment method is unknown"))?,
            hold_minutes: row.hold_minutes,
            open_sale: row.open_sale,
            open_upgrade: row.open_upgrade,
            trial_days: row.trial_days,
            associate_seats: row.associate_seats,
            created_at: row.created_at,
            archived_at: row.archived_at,
            version: row.version,
        })
    }
}

/// The plans of these ids, archived ones too, in no order.
///
/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[PlanId]) -> Result<Vec<Plan>> {
    let rows: Vec<PlanRow> = plans::table
        .inner_join(tiers::table)
        .filter(plans::id.eq_any(ids))
        .select(COLUMNS)
        .load(&mut conn)
        .await?;
    rows.into_iter().map(Plan::try_from).collect()
}

/// A plan, archived or not.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: PlanId) -> Result<Option<Plan>> {
    Ok(load(conn, &[id]).await?.pop())
}

/// Locks a plan that is to be changed until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: PlanId) -> Result<Option<Plan>> {
    let locked: Option<PlanId> =
        plans::table.find(id).for_no_key_update().select(plans::id).first(conn).await.optional()?;
    match locked {
        Some(id) => find(conn, id).await,
        None => Ok(None),
    }
}

/// Keeps a plan that is to be sold from being changed or archived until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn find_for_use(conn: &mut Conn, id: PlanId) -> Result<Option<Plan>> {
    let locked: Option<PlanId> =
        plans::table.find(id).for_share().select(plans::id).first(conn).await.optional()?;
    match locked {
        Some(id) => find(conn, id).await,
        None => Ok(None),
    }
}

/// A page of all plans, newest first; of one tier where one is given.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, tier: Option<TierId>, page: Page) -> Result<Vec<Plan>> {
    let mut query = plans::table
        .inner_join(tiers::table)
        .filter(plans::id.lt(PlanId(page.before)))
        .order(plans::id.desc())
        .limit(page.fetch())
        .select(COLUMNS)
        .into_boxed();
    if let Some(tier) = tier {
        query = query.filter(plans::tier_id.eq(tier));
    }
    let rows: Vec<PlanRow> = query.load(conn).await?;
    rows.into_iter().map(Plan::try_from).collect()
}

/// All plans that are not archived, cheapest first.
///
/// # Errors
/// The database's.
pub async fn on_offer(conn: &mut Conn) -> Result<Vec<Plan>> {
    let rows: Vec<PlanRow> = plans::table
        .inner_join(tiers::table)
        .filter(plans::archived_at.is_null())
        .order((plans::price_minor, plans::id))
        .select(COLUMNS)
        .load(conn)
        .await?;
    rows.into_iter().map(Plan::try_from).collect()
}

fn method_names(plan: &Plan) -> Vec<&'static str> {
    plan.payment_methods.iter().map(|method| method.as_str()).collect()
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, plan: &Plan) -> Result<()> {
    diesel::insert_into(plans::table)
        .values((
            plans::id.eq(plan.id),
            plans::code.eq(&plan.code),
            plans::tier_id.eq(plan.tier),
            plans::term.eq(plan.term.to_string()),
            plans::price_minor.eq(plan.price_minor),
            plans::currency.eq(&plan.currency),
            plans::renews.eq(plan.renews),
            plans::payment_methods.eq(method_names(plan)),
            plans::hold_minutes.eq(plan.hold_minutes),
            plans::open_sale.eq(plan.open_sale),
            plans::open_upgrade.eq(plan.open_upgrade),
            plans::trial_days.eq(plan.trial_days),
            plans::associate_seats.eq(plan.associate_seats),
            plans::created_at.eq(plan.created_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes what can change of a locked plan.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, plan: &Plan) -> Result<()> {
    diesel::update(plans::table.find(plan.id))
        .set((
            plans::term.eq(plan.term.to_string()),
            plans::price_minor.eq(plan.price_minor),
            plans::renews.eq(plan.renews),
            plans::payment_methods.eq(method_names(plan)),
            plans::hold_minutes.eq(plan.hold_minutes),
            plans::open_sale.eq(plan.open_sale),
            plans::open_upgrade.eq(plan.open_upgrade),
            plans::trial_days.eq(plan.trial_days),
            plans::associate_seats.eq(plan.associate_seats),
            plans::archived_at.eq(plan.archived_at),
            plans::version.eq(plan.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Does a drive that is neither archived nor over sell it?
///
/// # Errors
/// The database's.
pub async fn is_in_drive(conn: &mut Conn, id: PlanId, now: DateTime<Utc>) -> Result<bool> {
    let live = drives::table
        .filter(drives::plan_id.eq(id))
        .filter(drives::archived_at.is_null())
        .filter(drives::closes_at.gt(now));
    Ok(diesel::select(diesel::dsl::exists(live)).get_result(conn).await?)
}

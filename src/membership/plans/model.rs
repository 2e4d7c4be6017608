//! Rows of plans.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred_stripe::Method;

use crate::db::Conn;
use crate::error::{AppError, Result};
use crate::schema::{plans, tiers};
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
pub async fn load(conn: &mut Conn, ids: &[PlanId]) -> Result<Vec<Plan>> {
    let rows: Vec<PlanRow> = plans::table
        .inner_join(tiers::table)
        .filter(plans::id.eq_any(ids))
        .select(COLUMNS)
        .load(conn)
        .await?;
    rows.into_iter().map(Plan::try_from).collect()
}

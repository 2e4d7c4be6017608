//! What the programme has brought and cost, from the rows.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel_async::RunQueryDsl;
use serde::Serialize;

use crate::db::Conn;
use crate::error::Result;
use crate::types::money::Money;

/// Figures of all referrals.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReferralFigures)]
pub struct Figures {
    pub states: Vec<StateFigures>,
    /// Store credit that was given and not taken back.
    pub credit: Money,
    /// Coupons that were given and not taken back.
    pub coupons: i64,
    /// Days of membership that were given and not taken back.
    pub membership_days: i64,
    /// Points that were given and not taken back.
    pub points: i64,
}

/// Of the referrals in one state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StateFigures {
    #[schema(example = "rewarded")]
    pub state: String,
    pub referrals: i64,
    pub inviters: i64,
    /// What the friends' first orders came to, without shipping.
    pub orders: Money,
}

#[derive(QueryableByName)]
struct OfState {
    #[diesel(sql_type = Text)]
    state: String,
    #[diesel(sql_type = BigInt)]
    referrals: i64,
    #[diesel(sql_type = BigInt)]
    inviters: i64,
    #[diesel(sql_type = BigInt)]
    basis: i64,
}

#[derive(QueryableByName)]
struct OfRewards {
    #[diesel(sql_type = BigInt)]
    credit: i64,
    #[diesel(sql_type = BigInt)]
    coupons: i64,
    #[diesel(sql_type = BigInt)]
    days: i64,
    #[diesel(sql_type = BigInt)]
    points: i64,
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, currency: &str) -> Result<Figures> {
    let states: Vec<OfState> = diesel::sql_query(
        "SELECT state, count(*) AS referrals, count(DISTINCT inviter_id) AS inviters, \
         sum(basis_minor)::bigint AS basis FROM referrals GROUP BY state ORDER BY state",
    )
    .load(conn)
    .await?;
    let rewards: OfRewards = diesel::sql_query(
        "SELECT coalesce(sum(amount_minor), 0)::bigint AS credit, count(coupon_id) AS coupons, \
         coalesce(sum(days), 0)::bigint AS days, coalesce(sum(points), 0)::bigint AS points FROM referral_rewards WHERE state IN ('given', 'spent')",
    )
    .get_result(conn)
    .await?;
    let view = |of: OfState| StateFigures {
        state: of.state,
        referrals: of.referrals,
        inviters: of.inviters,
        orders: Money::new(of.basis, currency),
    };
    Ok(Figures {
        states: states.into_iter().map(view).collect(),
        credit: Money::new(rewards.credit, currency),
        coupons: rewards.coupons,
        membership_days: rewards.days,
        points: rewards.points,
    })
}

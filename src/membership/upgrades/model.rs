//! Rows of quotes for upgrades.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{tiers, upgrade_quotes};
use crate::types::id::{AccountId, MembershipId, PlanId, TierId, UpgradeOfferId, UpgradeQuoteId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// How an upgrade is charged.
    Mode as "UpgradeMode" {
        /// The higher price for the time that is left; the end stays.
        Prorate = "prorate",
        /// The whole price, for a new term from now on.
        Restart = "restart",
    }
}

/// What a change to another tier's plan would cost a membership as it stood when it was asked for.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable)]
#[diesel(table_name = upgrade_quotes)]
pub struct UpgradeQuote {
    pub id: UpgradeQuoteId,
    pub account_id: AccountId,
    pub membership_id: MembershipId,
    pub membership_version: i32,
    pub plan_id: PlanId,
    pub mode: Mode,
    /// What is left of the terms that were paid for.
    pub credit_minor: i64,
    /// What the new term costs before the credit.
    pub charge_minor: i64,
    pub due_minor: i64,
    /// Exclusive; none is for life. Where the term starts anew it is counted again when it is paid.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    /// Exclusive.
    pub valid_until: DateTime<Utc>,
    /// By which it costs less.
    pub offer_id: Option<UpgradeOfferId>,
    /// By how much less is due than without the offer.
    pub discount_minor: i64,
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, quote: &UpgradeQuote) -> Result<()> {
    diesel::insert_into(upgrade_quotes::table).values(quote).execute(conn).await?;
    Ok(())
}

/// Those of these quotes that there are, in no order.
///
/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[UpgradeQuoteId]) -> Result<Vec<UpgradeQuote>> {
    Ok(upgrade_quotes::table
        .filter(upgrade_quotes::id.eq_any(ids))
        .select(UpgradeQuote::as_select())
        .load(&mut conn)
        .await?)
}

/// Where a tier stands among the others.
///
/// # Errors
/// The database's.
pub async fn rank_of(conn: &mut Conn, tier: TierId) -> Result<i32> {
    Ok(tiers::table.find(tier).select(tiers::rank).first(conn).await?)
}

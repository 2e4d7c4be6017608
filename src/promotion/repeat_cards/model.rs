//! Rows of uses that a card paid for too often.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Integer, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{coupon_campaigns, coupon_flags, coupon_uses, orders};
use crate::statement;
use crate::types::id::{CampaignId, CouponUseId, OrderId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// How a flag ended.
    Outcome as "CouponFlagOutcome" {
        Kept = "kept",
        Refunded = "refunded",
    }
}

/// A use that is one too many for the card that paid it.
#[derive(Clone, Debug, QueryableByName)]
pub struct Repeat {
    #[diesel(sql_type = SqlUuid)]
    pub use_id: CouponUseId,
    #[diesel(sql_type = SqlUuid)]
    pub order_id: OrderId,
    /// Uses of the campaign that the card had paid for before.
    #[diesel(sql_type = Integer)]
    pub earlier: i32,
    /// By the campaign's rule its money goes back.
    #[diesel(sql_type = Bool)]
    pub is_refunded: bool,
}

/// Uses of orders whose campaigns allow a person so many, and of which the card that paid (each with its order) has paid for as
/// many before. Those that were paid together count in the order of their ids.
///
/// # Errors
/// The database's.
pub async fn repeats(conn: &mut Conn, paid: &[(OrderId, &str)]) -> Result<Vec<Repeat>> {
    let (orders, cards) = paid.iter().map(|(order, card)| (*order, (*card).to_owned())).unzip();
    Ok(Repeats { orders, cards }.load(conn).await?)
}

statement! {
    struct Repeats = "WITH paid AS (SELECT * FROM UNNEST("
        [orders: Vec<OrderId> => Array<SqlUuid>] ", "
        [cards: Vec<String> => Array<Text>] ") AS paid (order_id, card)) \
         SELECT u.id AS use_id, u.order_id, count(DISTINCT e.id)::integer AS earlier, \
             k.on_repeat_card = 'refund' AS is_refunded \
         FROM paid JOIN coupon_uses u ON u.order_id = paid.order_id AND u.released_at IS NULL \
         JOIN coupon_campaigns k ON k.id = u.campaign_id AND k.per_person IS NOT NULL \
         JOIN payments p ON p.card_fingerprint = paid.card AND p.captured_minor > 0 AND NOT p.sent_back \
         JOIN coupon_uses e ON e.order_id = p.order_id AND e.campaign_id = u.campaign_id AND e.order_id <> u.order_id \
             AND e.released_at IS NULL AND (e.order_id < u.order_id OR e.order_id NOT IN (SELECT order_id FROM paid)) \
         GROUP BY u.id, k.id HAVING count(DISTINCT e.id) >= k.per_person"
}

/// Opens flags, once a use.
///
/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, repeats: &[Repeat], now: DateTime<Utc>) -> Result<()> {
    let row = |one: &Repeat| {
        (
            coupon_flags::use_id.eq(one.use_id),
            coupon_flags::earlier.eq(one.earlier),
            coupon_flags::is_refunded.eq(one.is_refunded),
            coupon_flags::created_at.eq(now),
        )
    };
    let rows: Vec<_> = repeats.iter().map(row).collect();
    diesel::insert_into(coupon_flags::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    Ok(())
}

/// A flag with what it is about.
#[derive(Clone, Debug, Queryable)]
pub struct Flag {
    pub use_id: CouponUseId,
    pub campaign: CampaignId,
    pub campaign_code: String,
    pub order: OrderId,
    pub order_number: String,
    pub earlier: i32,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<Outcome>,
    pub reason: Option<String>,
}

/// A page of flags, the latest first: those that are open, or all.
///
/// # Errors
/// The database's.
pub async fn page(conn: &mut Conn, is_open: bool, page: Page) -> Result<Vec<Flag>> {
    let mut query = coupon_flags::table
        .inner_join(coupon_uses::table.inner_join(coupon_campaigns::table).inner_join(orders::table))
        .filter(coupon_flags::use_id.lt(CouponUseId(page.before)))
        .order(coupon_flags::use_id.desc())
        .limit(page.fetch())
        .select((
            coupon_flags::use_id,
            coupon_uses::campaign_id,
            coupon_campaigns::code,
            coupon_uses::order_id,
            orders::number,
            coupon_flags::earlier,
            coupon_flags::created_at,
            coupon_flags::ended_at,
            coupon_flags::outcome,
            coupon_flags::reason,
        ))
        .into_boxed();
    if is_open {
        query = query.filter(coupon_flags::ended_at.is_null());
    }
    Ok(query.load(conn).await?)
}

/// Ends flags of these uses that are open. Tells how many.
///
/// # Errors
/// The database's.
pub async fn end(
    conn: &mut Conn,
    uses: &[CouponUseId],
    outcome: Outcome,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<usize> {
    let open = coupon_flags::table
        .filter(coupon_flags::use_id.eq_any(uses))
        .filter(coupon_flags::ended_at.is_null());
    Ok(diesel::update(open)
        .set((
            coupon_flags::ended_at.eq(now),
            coupon_flags::outcome.eq(outcome),
            coupon_flags::reason.eq(reason),
        ))
        .execute(conn)
        .await?)
}

/// Uses of an order.
///
/// # Errors
/// The database's.
pub async fn uses_of(conn: &mut Conn, order: OrderId) -> Result<Vec<CouponUseId>> {
    let uses = coupon_uses::table.filter(coupon_uses::order_id.eq(order));
    Ok(uses.select(coupon_uses::id).load(conn).await?)
}

/// Is there such a flag?
///
/// # Errors
/// The database's.
pub async fn exists(conn: &mut Conn, id: CouponUseId) -> Result<bool> {
    Ok(diesel::select(diesel::dsl::exists(coupon_flags::table.find(id))).get_result(conn).await?)
}

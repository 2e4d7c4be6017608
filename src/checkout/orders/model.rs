//! Rows of orders, their lines, their places in a series, and the keys of repeated requests.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, not};
use diesel::prelude::*;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::access::OrderBuyer;
use crate::batch_insert;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::schema::{
    idempotency_keys, order_adoptions, order_lines, order_tokens, orders, series_places, terms_versions,
};
use crate::statement;
use crate::types::id::{
    AccountId, BenefitId, DriveId, DropId, FCodeId, InvitationId, LineId, OrderId, PlanId, RenewalId,
    ShippingMethodId, UpgradeQuoteId, VariantId,
};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where an order stands.
    OrderState {
        PendingPayment = "pending_payment",
        Paid = "paid",
        /// Paid, and every line delivered.
        Fulfilled = "fulfilled",
        Cancelled = "cancelled",
        /// The hold ran out.
        Expired = "expired",
        Refunded = "refunded",
        PartlyRefunded = "partly_refunded",
    }
}

/// An order's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = orders)]
pub struct OrderRow {
    pub id: OrderId,
    pub number: String,
    pub account_id: AccountId,
    pub state: OrderState,
    pub currency: String,
    pub subtotal_minor: i64,
    pub discount_minor: i64,
    pub shipping_minor: i64,
    pub tax_included_minor: i64,
    pub total_minor: i64,
    /// That pay `points_minor` of it.
    pub points: i64,
    pub points_minor: i64,
    pub credit_minor: i64,
    pub due_minor: i64,
    pub refunded_minor: i64,
    pub explanation: Value,
    pub email: String,
    pub locale: String,
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    pub success_url: String,
    pub cancel_url: String,
    pub hold_minutes: i32,
    /// Where parcels go, as it was given.
    pub ship_to: Option<Value>,
    pub shipping_method_id: Option<ShippingMethodId>,
    pub created_at: DateTime<Utc>,
    pub paid_at: Option<DateTime<Utc>>,
    pub closed_at: Option<DateTime<Utc>>,
}

/// The kind of lines that sell gift cards.
pub const GIFT_CARD: &str = "gift_card";
/// The kind of lines that sell a term of a plan for somebody else.
pub const GIFT: &str = "gift";
/// The kind of lines that change a membership to another tier.
pub const UPGRADE: &str = "upgrade";
/// The kind of lines by which a membership goes on after its term.
pub const RENEWAL: &str = "renewal";

/// A line's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = order_lines)]
pub struct LineRow {
    pub id: LineId,
    pub order_id: OrderId,
    pub position: i32,
    pub kind: String,
    pub plan_id: Option<PlanId>,
    pub drive_id: Option<DriveId>,
    /// A variant's or a bundle's.
    pub variant_id: Option<VariantId>,
    pub drop_id: Option<DropId>,
    pub f_code_id: Option<FCodeId>,
    pub title: String,
    pub quantity: i64,
    pub unit_price_minor: i64,
    pub discount_minor: i64,
    pub total_minor: i64,
    pub tax_included_minor: i64,
    /// In hundredths of a percent, as it was when the line was sold.
    pub tax_rate_bp: i32,
    pub refunded_minor: i64,
    /// What points paid of the total.
    pub points_minor: i64,
    /// What of that came back as points; a part of what was refunded.
    pub points_back_minor: i64,
    /// What the rest earns, in hundredths of a point for each 100 minor units.
    pub points_rate_bp: i32,
    /// The same, of points that count for levels.
    pub level_rate_bp: i32,
    /// Units that were handed over to a carrier.
    pub shipped: i64,
    /// Units of them that come or came back: of returns that weren't rejected or given up.
    pub returned: i64,
    /// When a refund or a cancellation put all that was left of it back on sale.
    pub restocked_at: Option<DateTime<Utc>>,
    pub fulfilled_at: Option<DateTime<Utc>>,
    /// It wasn't there when it was ordered, and is sent from then on.
    pub ships_from: Option<DateTime<Utc>>,
    /// Of a line that changes a membership to another tier.
    pub upgrade_quote_id: Option<UpgradeQuoteId>,
    /// Of a line by which a membership goes on after its term.
    pub renewal_id: Option<RenewalId>,
    /// By which an article cost nothing.
    pub benefit_id: Option<BenefitId>,
}

impl LineRow {
    pub fn is_gift_card(&self) -> bool {
        self.kind == GIFT_CARD
    }

    /// It sells a term for somebody else.
    pub fn is_gift(&self) -> bool {
        self.kind == GIFT
    }

    /// It makes, lengthens or changes the buyer's membership.
    pub fn is_membership(&self) -> bool {
        self.plan_id.is_some() && !self.is_gift()
    }

    /// What was paid for it with money: by Stripe, or by store credit.
    pub fn money_minor(&self) -> i64 {
        self.total_minor - self.points_minor
    }

    /// What of that money hasn't gone back.
    pub fn money_left_minor(&self) -> i64 {
        let left = self.money_minor() - (self.refunded_minor - self.points_back_minor);
        // A refund at Stripe's own desk may take more of a line than money paid of it.
        left.clamp(0, (self.total_minor - self.refunded_minor).max(0))
    }

    /// All that was paid for it went back.
    pub fn is_refunded(&self) -> bool {
        self.total_minor > 0 && self.refunded_minor == self.total_minor
    }
}

batch_insert! {
    pub struct NewOrder as OrderColumns into "orders" {
        id: OrderId => SqlUuid,
        number: String => Text,
        account_id: AccountId => SqlUuid,
        state: OrderState => Text,
        currency: String => Text,
        subtotal_minor: i64 => BigInt,
        discount_minor: i64 => BigInt,
        shipping_minor: i64 => BigInt,
        tax_included_minor: i64 => BigInt,
        total_minor: i64 => BigInt,
        points: i64 => BigInt,
        points_minor: i64 => BigInt,
        credit_minor: i64 => BigInt,
        due_minor: i64 => BigInt,
        explanation: Value => Jsonb,
        email: String => Text,
        locale: String => Text,
        invite_code: Option<String> => Nullable<Text>,
        terms_version: Option<String> => Nullable<Text>,
        consents: Value => Jsonb,
        success_url: String => Text,
        cancel_url: String => Text,
        hold_minutes: i32 => Integer,
        has_membership: bool => Bool,
        ship_to: Option<Value> => Nullable<Jsonb>,
        shipping_method_id: Option<ShippingMethodId> => Nullable<SqlUuid>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

batch_insert! {
    pub struct NewLine as LineColumns into "order_lines" {
        id: LineId => SqlUuid,
        order_id: OrderId => SqlUuid,
        position: i32 => Integer,
        kind: &'static str => Text,
        plan_id: Option<PlanId> => Nullable<SqlUuid>,
        drive_id: Option<DriveId> => Nullable<SqlUuid>,
        invitation_id: Option<InvitationId> => Nullable<SqlUuid>,
        variant_id: Option<VariantId> => Nullable<SqlUuid>,
        drop_id: Option<DropId> => Nullable<SqlUuid>,
        f_code_id: Option<FCodeId> => Nullable<SqlUuid>,
        title: String => Text,
        quantity: i64 => BigInt,
        unit_price_minor: i64 => BigInt,
        discount_minor: i64 => BigInt,
        total_minor: i64 => BigInt,
        tax_included_minor: i64 => BigInt,
        ships_from: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        tax_rate_bp: i32 => Integer,
        upgrade_quote_id: Option<UpgradeQuoteId> => Nullable<SqlUuid>,
        renewal_id: Option<RenewalId> => Nullable<SqlUuid>,
        benefit_id: Option<BenefitId> => Nullable<SqlUuid>,
        saved_minor: i64 => BigInt,
        points_minor: i64 => BigInt,
        points_rate_bp: i32 => Integer,
        level_rate_bp: i32 => Integer,
    }
}

batch_insert! {
    /// A person's one place in a series.
    pub struct NewSeriesPlace as SeriesPlaceColumns into "series_places" {
        id: Uuid => SqlUuid,
        series: String => Text,
        account_id: AccountId => SqlUuid,
        person_key: String => Text,
        order_id: OrderId => SqlUuid,
    }
}

batch_insert! {
    /// The answer to a repeat of a request, written with what it did.
    pub struct NewKey as KeyColumns into "idempotency_keys" {
        account_id: AccountId => SqlUuid,
        route: &'static str => Text,
        key: String => Text,
        body_hash: Vec<u8> => Binary,
        status: i16 => SmallInt,
        resource: Uuid => SqlUuid,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

batch_insert! {
    /// What a guest shows to see his order.
    pub struct NewToken as TokenColumns into "order_tokens" {
        order_id: OrderId => SqlUuid,
        hash: Vec<u8> => Binary,
    }
}

/// The buyer of an order that was placed by a guest, for who has its token; also once an account has adopted it.
///
/// # Errors
/// The database's.
pub async fn buyer_of_token(conn: &mut Conn, id: OrderId, hash: &[u8]) -> Result<Option<OrderBuyer>> {
    let row: Option<(AccountId, Option<AccountId>)> = order_tokens::table
        .inner_join(orders::table.left_join(order_adoptions::table))
        .filter(order_tokens::order_id.eq(id))
        .filter(order_tokens::hash.eq(hash))
        .select((orders::account_id, order_adoptions::guest_id.nullable()))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(|(account, guest)| OrderBuyer::with_token(id, guest.unwrap_or(account))))
}

/// Who bought these orders, each once.
///
/// # Errors
/// The database's.
pub async fn buyers_of(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<AccountId>> {
    let buyers = orders::table.filter(orders::id.eq_any(ids)).select(orders::account_id).distinct();
    Ok(buyers.load(conn).await?)
}

/// Orders, among these, of guests: no account has adopted them.
///
/// # Errors
/// The database's.
pub async fn of_guests(conn: &mut Conn, ids: &[OrderId]) -> Result<HashSet<OrderId>> {
    let adopted = order_adoptions::table.filter(order_adoptions::order_id.eq(order_tokens::order_id));
    let known = order_tokens::table.filter(order_tokens::order_id.eq_any(ids)).filter(not(exists(adopted)));
    let rows: Vec<OrderId> = known.select(order_tokens::order_id).load(conn).await?;
    Ok(rows.into_iter().collect())
}

/// What an earlier request with the same key did.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct EarlierKey {
    #[diesel(sql_type = SqlUuid)]
    pub account_id: AccountId,
    #[diesel(sql_type = Text)]
    pub key: String,
    #[diesel(sql_type = Binary)]
    pub body_hash: Vec<u8>,
    #[diesel(sql_type = SqlUuid)]
    pub resource: Uuid,
}

/// Requests of these accounts and keys (pairwise) on one route that were done before.
///
/// # Errors
/// The database's.
pub async fn earlier_keys(
    mut conn: &Conn,
    route: &str,
    accounts: &[AccountId],
    keys: &[String],
) -> Result<Vec<EarlierKey>> {
    Ok(idempotency_keys::table
        .filter(idempotency_keys::route.eq(route))
        .filter(idempotency_keys::account_id.eq_any(accounts))
        .filter(idempotency_keys::key.eq_any(keys))
        .select((
            idempotency_keys::account_id,
            idempotency_keys::key,
            idempotency_keys::body_hash,
            idempotency_keys::resource,
        ))
        .load::<(AccountId, String, Vec<u8>, Uuid)>(&mut conn)
        .await?
        .into_iter()
        .map(|(account_id, key, body_hash, resource)| EarlierKey { account_id, key, body_hash, resource })
        .collect())
}

/// Accounts, among these, that have an unpaid membership order.
///
/// # Errors
/// The database's.
pub async fn with_pending_membership(mut conn: &Conn, accounts: &[AccountId]) -> Result<HashSet<AccountId>> {
    let rows: Vec<AccountId> = orders::table
        .filter(orders::account_id.eq_any(accounts))
        .filter(orders::has_membership)
        .filter(orders::state.eq("pending_payment"))
        .select(orders::account_id)
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Places that these accounts, or other accounts of the same people, have in any series: (series, account, person).
///
/// # Errors
/// The database's.
pub async fn live_places(
    mut conn: &Conn,
    series: &[String],
    accounts: &[AccountId],
    people: &[String],
) -> Result<Vec<(String, AccountId, String)>> {
    Ok(series_places::table
        .filter(series_places::series.eq_any(series))
        .filter(series_places::account_id.eq_any(accounts).or(series_places::person_key.eq_any(people)))
        .filter(series_places::released_at.is_null())
        .select((series_places::series, series_places::account_id, series_places::person_key))
        .load(&mut conn)
        .await?)
}

/// Gives a person's place in the series back.
///
/// # Errors
/// The database's.
pub async fn release_places(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let live = series_places::table
        .filter(series_places::order_id.eq(order))
        .filter(series_places::released_at.is_null());
    diesel::update(live).set(series_places::released_at.eq(now)).execute(conn).await?;
    Ok(())
}

statement! {
    struct Renew = "INSERT INTO series_places (id, series, account_id, person_key, order_id) \
         SELECT gen_random_uuid(), p.series, p.account_id, p.person_key, p.order_id FROM \
         (SELECT DISTINCT ON (series) * FROM series_places WHERE order_id = "
        [order: OrderId => SqlUuid] " ORDER BY series, id DESC) AS p ON CONFLICT DO NOTHING"
}

/// Takes the place in the series again that a released hold had; false when the person has another by now.
///
/// # Errors
/// The database's.
pub async fn renew_places(conn: &mut Conn, order: OrderId) -> Result<bool> {
    let had: Vec<String> = series_places::table
        .filter(series_places::order_id.eq(order))
        .select(series_places::series)
        .distinct()
        .load(conn)
        .await?;
    Ok(Renew { order }.execute(conn).await? == had.len())
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: OrderId) -> Result<OrderRow> {
    let row = orders::table.find(id).select(OrderRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Locks an order's own row: the first lock of whatever changes an order.
///
/// # Errors
/// `not_found`.
pub async fn lock(conn: &mut Conn, id: OrderId) -> Result<OrderRow> {
    let row = orders::table
        .find(id)
        .select(OrderRow::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// [`lock`] for many, in the order of their ids. Those that aren't there are left out.
///
/// # Errors
/// The database's.
pub async fn lock_all(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<OrderRow>> {
    let rows = orders::table.filter(orders::id.eq_any(ids)).order(orders::id);
    Ok(rows.select(OrderRow::as_select()).for_no_key_update().load(conn).await?)
}

/// [`load`] for many.
///
/// # Errors
/// The database's.
pub async fn load_all(mut conn: &Conn, ids: &[OrderId]) -> Result<Vec<OrderRow>> {
    Ok(orders::table.filter(orders::id.eq_any(ids)).select(OrderRow::as_select()).load(&mut conn).await?)
}

/// The orders that have these numbers.
///
/// # Errors
/// The database's.
pub async fn by_numbers(conn: &mut Conn, numbers: &[String]) -> Result<Vec<(String, OrderId)>> {
    Ok(orders::table
        .filter(orders::number.eq_any(numbers))
        .select((orders::number, orders::id))
        .load(conn)
        .await?)
}

/// Lines of these orders, in order.
///
/// # Errors
/// The database's.
pub async fn lines_of(mut conn: &Conn, ids: &[OrderId]) -> Result<Vec<LineRow>> {
    Ok(order_lines::table
        .filter(order_lines::order_id.eq_any(ids))
        .order((order_lines::order_id, order_lines::position))
        .select(LineRow::as_select())
        .load(&mut conn)
        .await?)
}

/// Moves an order's state; `closed_at` and `paid_at` follow from it.
///
/// # Errors
/// The database's.
pub async fn set_state(conn: &mut Conn, id: OrderId, state: OrderState, now: DateTime<Utc>) -> Result<()> {
    let row = orders::table.find(id);
    match state {
        OrderState::Cancelled | OrderState::Expired => {
            diesel::update(row)
                .set((orders::state.eq(state), orders::closed_at.eq(now)))
                .execute(conn)
                .await?;
        }
        OrderState::Paid => {
            diesel::update(row)
                .set((
                    orders::state.eq(state),
                    orders::paid_at.eq(now),
                    orders::closed_at.eq(None::<DateTime<Utc>>),
                ))
                .execute(conn)
                .await?;
        }
        _ => {
            diesel::update(row).set(orders::state.eq(state)).execute(conn).await?;
        }
    }
    Ok(())
}

statement! {
    struct Pay = "UPDATE orders SET state = row.state, closed_at = NULL, paid_at = "
        [now: DateTime<Utc> => Timestamptz] " FROM UNNEST("
        [orders: Vec<OrderId> => Array<SqlUuid>] ", "
        [states: Vec<&'static str> => Array<Text>] ") AS row (id, state) WHERE orders.id = row.id"
}

/// Orders are paid, and are in these states by that.
///
/// # Errors
/// The database's.
pub async fn set_paid(conn: &mut Conn, paid: &[(OrderId, OrderState)], now: DateTime<Utc>) -> Result<()> {
    let (orders, states) = paid.iter().map(|(order, state)| (*order, state.as_str())).unzip();
    Pay { now, orders, states }.execute(conn).await?;
    Ok(())
}

/// All that was to be delivered of these paid orders is.
///
/// # Errors
/// The database's.
pub async fn end_fulfilled(conn: &mut Conn, ids: &[OrderId]) -> Result<()> {
    let rows = orders::table.filter(orders::id.eq_any(ids));
    diesel::update(rows).set(orders::state.eq(OrderState::Fulfilled)).execute(conn).await?;
    Ok(())
}

/// Marks lines as delivered.
///
/// # Errors
/// The database's.
pub async fn set_fulfilled(conn: &mut Conn, lines: &[LineId], now: DateTime<Utc>) -> Result<()> {
    diesel::update(order_lines::table.filter(order_lines::id.eq_any(lines)))
        .set(order_lines::fulfilled_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes that all that was left of a line went back on sale.
///
/// # Errors
/// The database's.
pub async fn set_restocked(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(order_lines::table.find(line))
        .set(order_lines::restocked_at.eq(now))
        .execute(conn)
        .await?;
    Ok(())
}

statement! {
    struct AddRefunded = "UPDATE order_lines SET refunded_minor = refunded_minor + add.amount FROM UNNEST("
        [lines: Vec<LineId> => Array<SqlUuid>] ", "
        [amounts: Vec<i64> => Array<BigInt>] ") AS add (id, amount) WHERE order_lines.id = add.id"
}

statement! {
    struct AddPointsBack = "UPDATE order_lines SET points_back_minor = points_back_minor + add.amount FROM UNNEST("
        [lines: Vec<LineId> => Array<SqlUuid>] ", "
        [amounts: Vec<i64> => Array<BigInt>] ") AS add (id, amount) WHERE order_lines.id = add.id"
}

/// Notes what of a refund that was added came back as points.
///
/// # Errors
/// The database's.
pub async fn add_points_back(conn: &mut Conn, lines: &[(LineId, i64)]) -> Result<()> {
    let (ids, amounts) = lines.iter().copied().unzip();
    AddPointsBack { lines: ids, amounts }.execute(conn).await?;
    Ok(())
}

/// Adds to what lines and their order have had refunded; negative amounts undo a refund that failed.
///
/// # Errors
/// The database's; the columns' CHECKs are the alarm.
pub async fn add_refunded(
    conn: &mut Conn,
    order: OrderId,
    amount_minor: i64,
    lines: &[(LineId, i64)],
    state: OrderState,
) -> Result<()> {
    let (ids, amounts) = lines.iter().copied().unzip();
    AddRefunded { lines: ids, amounts }.execute(conn).await?;
    diesel::update(orders::table.find(order))
        .set((orders::refunded_minor.eq(orders::refunded_minor + amount_minor), orders::state.eq(state)))
        .execute(conn)
        .await?;
    Ok(())
}

/// The version of the terms of sale in force.
///
/// # Errors
/// The database's.
pub async fn terms_in_force(mut conn: &Conn, now: DateTime<Utc>) -> Result<Option<String>> {
    Ok(terms_versions::table
        .filter(terms_versions::published_at.le(now))
        .order((terms_versions::published_at.desc(), terms_versions::version.desc()))
        .select(terms_versions::version)
        .first(&mut conn)
        .await
        .optional()?)
}

/// What buyers have said, with these orders, of charging their cards for renewals.
///
/// # Errors
/// The database's.
pub async fn renewal_consents(mut conn: &Conn, ids: &[OrderId]) -> Result<HashMap<OrderId, bool>> {
    let said = orders::table.filter(orders::id.eq_any(ids)).select((orders::id, orders::consents));
    let rows: Vec<(OrderId, Value)> = said.load(&mut conn).await?;
    let consent = |said: &Value| said.get("renewal").and_then(Value::as_bool);
    Ok(rows.into_iter().filter_map(|(id, said)| Some((id, consent(&said)?))).collect())
}

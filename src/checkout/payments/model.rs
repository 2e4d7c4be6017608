//! Rows of payments.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use kindred_stripe::Checkout;

use crate::db::Conn;
use crate::error::{Code, Result};
use crate::schema::{card_charges, payments};
use crate::types::id::{OrderId, PaymentId};
use crate::types::stored::stored_enum;
use crate::{batch_insert, statement};

stored_enum! {
    /// Where an attempt to pay stands.
    PaymentState {
        /// The page is being made.
        Preparing = "preparing",
        /// The page can be opened.
        Ready = "ready",
        /// A delayed method was chosen; the money is on its way.
        Processing = "processing",
        Succeeded = "succeeded",
        Failed = "failed",
        Expired = "expired",
        /// Nothing is due.
        NotNeeded = "not_needed",
    }
}

impl PaymentState {
    pub fn is_live(self) -> bool {
        matches!(self, Self::Preparing | Self::Ready | Self::Processing)
    }
}

/// A payment's row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = payments)]
pub struct PaymentRow {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub attempt: i32,
    pub state: PaymentState,
    pub amount_minor: i64,
    pub currency: String,
    pub methods: Vec<String>,
    /// Part of the key under which the page is asked for: a new one where the first can never succeed.
    pub call_attempt: i32,
    pub session_expires_at: Option<DateTime<Utc>>,
    pub stripe_session_id: Option<String>,
    pub url: Option<String>,
    /// The end of the hold.
    pub expires_at: Option<DateTime<Utc>>,
    pub stripe_payment_intent_id: Option<String>,
    pub method_used: Option<String>,
    pub failure_code: Option<String>,
    pub captured_minor: i64,
    pub sent_back: bool,
    pub saves_card: bool,
    pub created_at: DateTime<Utc>,
}

batch_insert! {
    pub struct NewPayment as PaymentColumns into "payments" {
        id: PaymentId => SqlUuid,
        order_id: OrderId => SqlUuid,
        attempt: i32 => Integer,
        state: PaymentState => Text,
        amount_minor: i64 => BigInt,
        currency: String => Text,
        methods: String => Text as "string_to_array(methods, ',')",
        saves_card: bool => Bool,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

batch_insert! {
    /// A payment that is taken from a saved card.
    pub struct NewCharge as ChargeColumns into "card_charges" {
        payment_id: PaymentId => SqlUuid,
    }
}

/// Which card a payment is taken from, and since when Stripe may know of it.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = card_charges)]
pub struct ChargeRow {
    /// Chosen when Stripe is asked first, and sent unchanged by a repeat.
    pub stripe_payment_method_id: Option<String>,
    pub called_at: Option<DateTime<Utc>>,
}

/// The charge of a saved card that a payment is, if it is one.
///
/// # Errors
/// The database's.
pub async fn charge_of(conn: &mut Conn, id: PaymentId) -> Result<Option<ChargeRow>> {
    let row = card_charges::table.find(id).select(ChargeRow::as_select());
    Ok(row.first(conn).await.optional()?)
}

/// Fixes which card is asked, before Stripe is called.
///
/// # Errors
/// The database's.
pub async fn fix_card(conn: &mut Conn, id: PaymentId, card: &str, now: DateTime<Utc>) -> Result<()> {
    diesel::update(card_charges::table.find(id))
        .set((card_charges::stripe_payment_method_id.eq(card), card_charges::called_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores what Stripe calls a charge that isn't decided yet.
///
/// # Errors
/// The database's.
pub async fn store_intent(conn: &mut Conn, id: PaymentId, intent: &str) -> Result<()> {
    diesel::update(payments::table.find(id))
        .set(payments::stripe_payment_intent_id.eq(intent))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: PaymentId) -> Result<PaymentRow> {
    let row = payments::table.find(id).select(PaymentRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// The latest attempt of each of these orders.
///
/// # Errors
/// The database's.
pub async fn latest_of(mut conn: &Conn, orders: &[OrderId]) -> Result<Vec<PaymentRow>> {
    Ok(payments::table
        .filter(payments::order_id.eq_any(orders))
        .distinct_on(payments::order_id)
        .order((payments::order_id, payments::attempt.desc()))
        .select(PaymentRow::as_select())
        .load(&mut conn)
        .await?)
}

/// Those of these payments that are there, in no order.
///
/// # Errors
/// The database's.
pub async fn load_all(mut conn: &Conn, ids: &[PaymentId]) -> Result<Vec<PaymentRow>> {
    Ok(payments::table
        .filter(payments::id.eq_any(ids))
        .select(PaymentRow::as_select())
        .load(&mut conn)
        .await?)
}

/// Other attempts of these orders than these that may still bring money.
///
/// # Errors
/// The database's.
pub async fn live_beside(
    mut conn: &Conn,
    orders: &[OrderId],
    settled: &[PaymentId],
) -> Result<Vec<PaymentRow>> {
    Ok(payments::table
        .filter(payments::order_id.eq_any(orders))
        .filter(payments::id.ne_all(settled))
        .filter(payments::state.eq_any(["preparing", "ready", "processing"]))
        .select(PaymentRow::as_select())
        .load(&mut conn)
        .await?)
}

/// The attempt of an order that may still bring money.
///
/// # Errors
/// The database's.
pub async fn live_of(conn: &mut Conn, order: OrderId) -> Result<Option<PaymentRow>> {
    Ok(payments::table
        .filter(payments::order_id.eq(order))
        .filter(payments::state.eq_any(["preparing", "ready", "processing"]))
        .select(PaymentRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// Every payment of an order that was captured, the first first.
///
/// # Errors
/// The database's.
pub async fn captured_of(conn: &mut Conn, order: OrderId) -> Result<Vec<PaymentRow>> {
    Ok(payments::table
        .filter(payments::order_id.eq(order))
        .filter(payments::captured_minor.gt(0))
        .order(payments::attempt)
        .select(PaymentRow::as_select())
        .load(conn)
        .await?)
}

/// What Stripe's objects say whose they are.
#[derive(Clone, Debug, Default)]
pub struct StripeRefs<'a> {
    pub sessions: Vec<&'a str>,
    pub intents: Vec<&'a str>,
    /// From our metadata.
    pub payments: Vec<PaymentId>,
}

/// The payments that any of these belongs to, in no order.
///
/// # Errors
/// The database's.
pub async fn find_all(mut conn: &Conn, by: &StripeRefs<'_>) -> Result<Vec<PaymentRow>> {
    let is_named = payments::stripe_session_id
        .eq_any(&by.sessions)
        .or(payments::stripe_payment_intent_id.eq_any(&by.intents))
        .or(payments::id.eq_any(&by.payments));
    Ok(payments::table.filter(is_named).select(PaymentRow::as_select()).load(&mut conn).await?)
}

/// Ends what is live of an order, when the order ends.
///
/// # Errors
/// The database's.
pub async fn end_live(
    conn: &mut Conn,
    order: OrderId,
    state: PaymentState,
    now: DateTime<Utc>,
) -> Result<()> {
    let live = payments::table.filter(payments::order_id.eq(order)).filter(payments::state.eq_any([
        "preparing",
        "ready",
        "processing",
        "not_needed",
    ]));
    diesel::update(live).set((payments::state.eq(state), payments::ended_at.eq(now))).execute(conn).await?;
    Ok(())
}

/// Moves one payment's state.
///
/// # Errors
/// The database's.
pub async fn set_state(
    conn: &mut Conn,
    id: PaymentId,
    state: PaymentState,
    failure_code: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let ended_at = if state.is_live() { None } else { Some(now) };
    diesel::update(payments::table.find(id))
        .set((
            payments::state.eq(state),
            payments::failure_code.eq(failure_code),
            payments::ended_at.eq(ended_at),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The payments among these whose page is still to be made.
///
/// # Errors
/// The database's.
pub async fn to_open(mut conn: &Conn, ids: &[PaymentId]) -> Result<Vec<PaymentRow>> {
    // One that was called for before it ended may have a page that nobody knows.
    let is_wanted = payments::state.eq("preparing").or(payments::session_expires_at.is_not_null());
    Ok(payments::table
        .filter(payments::id.eq_any(ids))
        .filter(payments::stripe_session_id.is_null())
        .filter(is_wanted)
        .select(PaymentRow::as_select())
        .load(&mut conn)
        .await?)
}

/// Fixes, once, when the sessions of these payments end at Stripe, before Stripe is called: a repeat must send the same. Where
/// that comes too late for Stripe's minimum (`least` from now), a new key asks anew.
///
/// # Errors
/// The database's.
pub async fn fix_session_ends(
    mut conn: &Conn,
    ids: &[PaymentId],
    now: DateTime<Utc>,
    least: TimeDelta,
    slack: TimeDelta,
) -> Result<()> {
    let fix = FixSessionEnds { now, after: now + least + slack, ids: ids.to_vec(), too_late: now + least };
    fix.execute(&mut conn).await?;
    Ok(())
}

// diesel keeps no UPDATE of its own prepared; each order passes these. A session outlives its hold, which starts anew.
statement! {
    struct FixSessionEnds = "UPDATE payments p SET session_expires_at = \
            greatest(p.expires_at - "
        [now: DateTime<Utc> => Timestamptz] ", make_interval(mins => o.hold_minutes)) + "
        [after: DateTime<Utc> => Timestamptz] ", \
            call_attempt = p.call_attempt + CASE WHEN p.session_expires_at IS NULL THEN 0 ELSE 1 END \
         FROM orders o WHERE o.id = p.order_id AND p.id = ANY ("
        [ids: Vec<PaymentId> => Array<SqlUuid>] ") AND p.stripe_session_id IS NULL \
            AND (p.session_expires_at < "
        [too_late: DateTime<Utc> => Timestamptz] " OR p.session_expires_at IS NULL AND p.state = 'preparing')"
}

statement! {
    struct StoreSessions = "UPDATE payments SET stripe_session_id = row.session, url = row.url, \
             methods = string_to_array(row.methods, ',') FROM UNNEST("
        [ids: Vec<PaymentId> => Array<SqlUuid>] ", "
        [sessions: Vec<String> => Array<Text>] ", "
        [urls: Vec<Option<String>> => Array<Nullable<Text>>] ", "
        [methods: Vec<String> => Array<Text>] ") AS row (id, session, url, methods) WHERE payments.id = row.id"
}

// The state is told as a value: said here it would have the index of all that are being prepared read, of a rush tens of thousands.
statement! {
    struct SetReady = "UPDATE payments SET state = 'ready', expires_at = row.expires_at FROM UNNEST("
        [ids: Vec<PaymentId> => Array<SqlUuid>] ", "
        [times: Vec<DateTime<Utc>> => Array<Timestamptz>] ") AS row (id, expires_at) WHERE payments.id = row.id AND state = "
        [from: PaymentState => Text] ""
}

/// A new key for the page, where the old one's answer will never be a page.
///
/// # Errors
/// The database's.
pub async fn next_call(conn: &mut Conn, id: PaymentId) -> Result<()> {
    diesel::update(payments::table.find(id))
        .set((
            payments::call_attempt.eq(payments::call_attempt + 1),
            payments::session_expires_at.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Stores what sessions are called and where their pages are.
///
/// # Errors
/// The database's.
pub async fn store_sessions(conn: &mut Conn, opened: &[(PaymentId, &Checkout)]) -> Result<()> {
    if opened.is_empty() {
        return Ok(());
    }
    let store = StoreSessions {
        ids: opened.iter().map(|(id, _)| *id).collect(),
        sessions: opened.iter().map(|(_, session)| session.id.clone()).collect(),
        urls: opened.iter().map(|(_, session)| session.url.clone()).collect(),
        methods: opened.iter().map(|(_, session)| session.methods.join(",")).collect(),
    };
    store.execute(conn).await?;
    Ok(())
}

/// The pages are ready: the holds' clocks start.
///
/// # Errors
/// The database's.
pub async fn set_ready(conn: &mut Conn, ready: &[(PaymentId, DateTime<Utc>)]) -> Result<()> {
    if !ready.is_empty() {
        let (ids, times) = ready.iter().copied().unzip();
        SetReady { ids, times, from: PaymentState::Preparing }.execute(conn).await?;
    }
    Ok(())
}

/// Moves the end of the hold.
///
/// # Errors
/// The database's.
pub async fn set_hold_end(conn: &mut Conn, id: PaymentId, at: DateTime<Utc>) -> Result<()> {
    diesel::update(payments::table.find(id)).set(payments::expires_at.eq(at)).execute(conn).await?;
    Ok(())
}

/// Money that Stripe has taken for a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    pub amount_minor: i64,
    pub currency: String,
    pub intent: Option<String>,
    pub charge: Option<String>,
    pub card_fingerprint: Option<String>,
    pub method: Option<String>,
    pub saved_method: Option<String>,
}

/// Writes the capture of money that can't be kept.
///
/// # Errors
/// The database's.
pub async fn set_sent_back(
    conn: &mut Conn,
    id: PaymentId,
    capture: &Capture,
    now: DateTime<Utc>,
) -> Result<()> {
    capture_all(conn, &[(id, capture)], true, now).await
}

/// Writes captures of money that is kept.
///
/// # Errors
/// The database's.
pub async fn set_captured(
    conn: &mut Conn,
    captures: &[(PaymentId, &Capture)],
    now: DateTime<Utc>,
) -> Result<()> {
    capture_all(conn, captures, false, now).await
}

async fn capture_all(
    conn: &mut Conn,
    captures: &[(PaymentId, &Capture)],
    sent_back: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    if captures.is_empty() {
        return Ok(());
    }
    let text = |of: fn(&Capture) -> &Option<String>| -> Vec<Option<String>> {
        captures.iter().map(|(_, capture)| of(capture).clone()).collect()
    };
    let written = Captured {
        now,
        ended_at: now,
        sent_back,
        ids: captures.iter().map(|(id, _)| *id).collect(),
        amounts: captures.iter().map(|(_, capture)| capture.amount_minor).collect(),
        intents: text(|capture| &capture.intent),
        charges: text(|capture| &capture.charge),
        cards: text(|capture| &capture.card_fingerprint),
        methods: text(|capture| &capture.method),
        saved: text(|capture| &capture.saved_method),
    };
    written.execute(conn).await?;
    Ok(())
}

statement! {
    struct Captured = "UPDATE payments SET state = 'succeeded', failure_code = NULL, captured_minor = row.amount, captured_at = "
        [now: DateTime<Utc> => Timestamptz] ", ended_at = "
        [ended_at: DateTime<Utc> => Timestamptz] ", sent_back = "
        [sent_back: bool => Bool] ", stripe_payment_intent_id = row.intent, stripe_charge_id = row.charge, \
             card_fingerprint = row.card, method_used = row.method, stripe_payment_method_id = row.saved FROM UNNEST("
        [ids: Vec<PaymentId> => Array<SqlUuid>] ", "
        [amounts: Vec<i64> => Array<BigInt>] ", "
        [intents: Vec<Option<String>> => Array<Nullable<Text>>] ", "
        [charges: Vec<Option<String>> => Array<Nullable<Text>>] ", "
        [cards: Vec<Option<String>> => Array<Nullable<Text>>] ", "
        [methods: Vec<Option<String>> => Array<Nullable<Text>>] ", "
        [saved: Vec<Option<String>> => Array<Nullable<Text>>] ") AS row (id, amount, intent, charge, card, method, saved) WHERE payments.id = row.id"
}

/// Claims the right to ask Stripe about a payment because its buyer waits: once in `every`, over all instances.
///
/// # Errors
/// The database's.
pub async fn claim_check(
    conn: &mut Conn,
    id: PaymentId,
    machine_now: DateTime<Utc>,
    every: TimeDelta,
) -> Result<bool> {
    let due = payments::table
        .find(id)
        .filter(payments::state.eq_any(["ready", "processing"]))
        .filter(payments::checked_at.is_null().or(payments::checked_at.lt(machine_now - every)));
    Ok(diesel::update(due).set(payments::checked_at.eq(machine_now)).execute(conn).await? == 1)
}

//! Settling: what Stripe says of a payment is applied to the order, once, and only forward. The webhook, the buyer's
//! return, the end of the hold and the reconciler all come here.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::{Checkout, CheckoutStatus, Method, PaymentStatus};
use serde_json::json;

use super::delivery::DeliveryTerms;
use super::model::{self, Capture, NewPayment, PaymentRow, PaymentState, StripeRefs};
use super::settling::{self, Due, Told};
use crate::audit::Actor;
use crate::checkout::claims;
use crate::checkout::credit::{model as balances, service as credit};
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::orders::service as ordering;
use crate::checkout::{pledges, refunds};
use crate::db::Conn;
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::loyalty::offers::uses as offer_uses;
use crate::loyalty::points::service as points;
use crate::membership::benefits::uses as benefits;
use crate::membership::memberships::model::{MembershipRow, Stored};
use crate::membership::memberships::rules::GRACE;
use crate::membership::plans::model as plans;
use crate::membership::renewals::model::{self as coming, RenewalState};
use crate::membership::upgrades::service as upgrades;
use crate::membership::{measures, memberships};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::promotion::coupons::uses;
use crate::shop::{drops, waiting_list};
use crate::types::id::{OrderId, PaymentId, PoolId};

/// A delayed method's money may be on its way for that long; then the hold ends.
pub const PROCESSING_MAX: TimeDelta = TimeDelta::days(3);
/// Stripe's sessions live at least that long; ours outlives the hold by it.
pub const SESSION_EXTRA: TimeDelta = TimeDelta::minutes(30);

/// Applies a session's present state to its payment, whatever it is. Runs in the caller's transaction and locks the order first.
///
/// # Errors
/// The database's.
pub async fn apply(conn: &mut Conn, terms: DeliveryTerms, now: DateTime<Utc>, told: &Told) -> Result<()> {
    if told.may_be_plain()
        && settling::apply(conn, terms, now, std::slice::from_ref(told)).await?.contains(&true)
    {
        return Ok(());
    }
    let Told { payment, session } = told;
    let row = model::load(conn, *payment).await?;
    let order = orders::lock(conn, row.order_id).await?;
    let row = model::load(conn, *payment).await?;
    let is_paid = is_paid(session);
    match row.stripe_session_id.as_deref() {
        None => model::store_sessions(conn, &[(row.id, session)]).await?,
        // Another session of the same attempt, whose page nobody was shown.
        Some(known) if known != session.id && !is_paid => return Ok(()),
        Some(_) => {}
    }
    match session.status {
        CheckoutStatus::Complete if is_paid => {
            settle(conn, terms, now, &order, &row, &capture_of(&row, session)).await
        }
        CheckoutStatus::Complete if session.failure_code.is_some() || has_failed(session) => {
            fail(conn, now, &order, &row, session.failure_code.as_deref()).await
        }
        CheckoutStatus::Complete => wait_for_money(conn, now, &row).await,
        CheckoutStatus::Expired => expire(conn, now, &order, &row).await,
        CheckoutStatus::Open | CheckoutStatus::Unknown => Ok(()),
    }
}

pub(super) fn is_paid(session: &Checkout) -> bool {
    matches!(session.payment_status, PaymentStatus::Paid | PaymentStatus::NoPaymentRequired)
}

/// A delayed payment that ended badly: Stripe asks its intent for another method, or has cancelled it.
fn has_failed(session: &Checkout) -> bool {
    matches!(session.intent_status.as_deref(), Some("requires_payment_method" | "canceled"))
}

pub(super) fn capture_of(row: &PaymentRow, session: &Checkout) -> Capture {
    Capture {
        amount_minor: session.amount_total_minor.unwrap_or(row.amount_minor),
        currency: session.currency.clone().unwrap_or_else(|| row.currency.clone()),
        intent: session.payment_intent.clone(),
        charge: session.latest_charge.clone(),
        card_fingerprint: session.card_fingerprint.clone(),
        method: session.method_used.clone(),
        // A wallet's can't be used again.
        saved_method: session.payment_method.clone().filter(|_| row.saves_card && is_card(session)),
    }
}

fn is_card(session: &Checkout) -> bool {
    session.method_used.as_deref() == Some(Method::Card.as_str())
}

pub(super) async fn wait_for_money(conn: &mut Conn, now: DateTime<Utc>, row: &PaymentRow) -> Result<()> {
    if !matches!(row.state, PaymentState::Preparing | PaymentState::Ready) {
        return Ok(());
    }
    model::set_state(conn, row.id, PaymentState::Processing, None, now).await?;
    jobs::enqueue(conn, &Job::EndProcessing { payment: row.id }, now + PROCESSING_MAX, now).await?;
    Ok(())
}

/// The attempt failed for good; the place stays held for another one, at least for a hold's length.
async fn fail(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    code: Option<&str>,
) -> Result<()> {
    if !row.state.is_live() {
        return Ok(());
    }
    model::set_state(conn, row.id, PaymentState::Failed, Some(code.unwrap_or("failed")), now).await?;
    if order.state == OrderState::PendingPayment {
        let again = now + TimeDelta::minutes(i64::from(order.hold_minutes));
        let ends_at = row.expires_at.map_or(again, |at| at.max(again));
        model::set_hold_end(conn, row.id, ends_at).await?;
        jobs::enqueue(conn, &Job::EndHold { order: order.id }, ends_at, now).await?;
    }
    Ok(())
}

/// Stripe will never make this attempt's page: it failed, the place stays held for another one.
///
/// # Errors
/// The database's.
pub async fn fail_attempt(conn: &mut Conn, now: DateTime<Utc>, id: PaymentId, code: &str) -> Result<()> {
    let row = model::load(conn, id).await?;
    let order = orders::lock(conn, row.order_id).await?;
    let row = model::load(conn, id).await?;
    fail(conn, now, &order, &row, Some(code)).await
}

/// The session has ended at Stripe without money. At the hold's end that ends the order.
async fn expire(conn: &mut Conn, now: DateTime<Utc>, order: &OrderRow, row: &PaymentRow) -> Result<()> {
    if !row.state.is_live() {
        return Ok(());
    }
    if order.state == OrderState::PendingPayment {
        return ordering::close(conn, order.id, OrderState::Expired, now).await;
    }
    model::set_state(conn, row.id, PaymentState::Expired, None, now).await
}

/// Why money that came can't be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Impossible {
    AmountDiffers,
    OrderClosed,
    PaidAlready,
    NoPlaceLeft,
    MembershipForbids,
    GoalMissed,
    /// The order's coupon is another one's by now.
    CouponGone,
    /// What a benefit gave for it was used otherwise since.
    BenefitGone,
    /// The upgrade offer was used otherwise by its person since.
    OfferGone,
    /// So is the store credit that was to pay a part of it.
    CreditGone,
    /// So are the points.
    PointsGone,
}

impl Impossible {
    fn reason(self) -> &'static str {
        match self {
            Self::AmountDiffers => "amount_differs",
            Self::OrderClosed => "order_closed",
            Self::PaidAlready => "paid_already",
            Self::NoPlaceLeft => "no_place_left",
            Self::MembershipForbids => "membership_forbids",
            Self::GoalMissed => "goal_missed",
            Self::CouponGone => "coupon_gone",
            Self::BenefitGone => "benefit_gone",
            Self::OfferGone => "offer_gone",
            Self::CreditGone => "credit_gone",
            Self::PointsGone => "points_gone",
        }
    }
}

/// Takes the money into the order and delivers it, or sends the money back. The order's row is locked; locks its pools,
/// then its account, then counters.
pub(super) async fn settle(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    capture: &Capture,
) -> Result<()> {
    if row.captured_minor > 0 {
        return settle_second(conn, now, order, row, capture).await;
    }
    let lines = orders::lines_of(conn, &[order.id]).await?;
    match make_possible(conn, now, order, row, &lines, capture).await? {
        Ok(claims) => {
            let due = Due { order: order.clone(), lines, paid: Some((row.id, capture.clone())) };
            settling::complete(conn, terms, now, &[due], claims).await
        }
        Err(why) => send_back(conn, now, order, row, capture, why).await,
    }
}

/// Money of an attempt that has brought money. The same again is nothing new; another intent of Stripe's has taken it twice (a
/// charge that was asked for once more, two pages of one attempt): it is a payment of its own, and goes back.
async fn settle_second(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    capture: &Capture,
) -> Result<()> {
    let Some(intent) = capture.intent.as_deref() else { return Ok(()) };
    if row.stripe_payment_intent_id.as_deref().is_none_or(|known| known == intent)
        || !model::find_all(conn, &StripeRefs { intents: vec![intent], ..StripeRefs::default() })
            .await?
            .is_empty()
    {
        return Ok(());
    }
    let last = model::latest_of(conn, &[order.id]).await?.pop().map_or(row.attempt, |last| last.attempt);
    let second = NewPayment {
        id: PaymentId::new(),
        order_id: order.id,
        attempt: last + 1,
        state: PaymentState::Expired,
        amount_minor: row.amount_minor,
        currency: row.currency.clone(),
        methods: row.methods.join(","),
        saves_card: false,
        expires_at: None,
        created_at: now,
    };
    let id = second.id;
    NewPayment::insert(&mut &*conn, vec![second]).await?;
    let second = model::load(conn, id).await?;
    let capture = Capture { saved_method: None, ..capture.clone() };
    send_back(conn, now, order, &second, &capture, Impossible::PaidAlready).await
}

/// How an order's claims stand once it can be honoured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claims {
    Taken,
    /// Still held, and nothing can keep them from being taken. So their pools, for which all who buy the same wait, are
    /// locked at the very end.
    Held,
}

/// Nothing is due: delivered as a paid order is.
///
/// # Errors
/// The database's.
pub async fn settle_free(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    id: OrderId,
) -> Result<()> {
    let order = orders::lock(conn, id).await?;
    if order.state != OrderState::PendingPayment || order.due_minor != 0 {
        return Ok(());
    }
    let lines = orders::lines_of(conn, &[id]).await?;
    let live = claims::lock_of(conn, &[id]).await?;
    let why = if buys_forbidden(conn, now, &order, &lines).await? {
        Some(Impossible::MembershipForbids)
    } else if pledges::service::are_missed(conn, &lines).await? {
        Some(Impossible::GoalMissed)
    } else {
        None
    };
    if let Some(why) = why {
        return give_up_free(conn, now, &order, why).await;
    }
    claims::take(conn, live, now).await?;
    settling::complete(conn, terms, now, &[Due { order, lines, paid: None }], Claims::Taken).await
}

/// What needed no payment can't be honoured: the store credit that paid it comes back, and its buyer is told.
async fn give_up_free(conn: &mut Conn, now: DateTime<Utc>, order: &OrderRow, why: Impossible) -> Result<()> {
    ordering::close(conn, order.id, OrderState::Cancelled, now).await?;
    let mail = Mail::OrderCancelled {
        order_number: order.number.clone(),
        amount_minor: 0,
        credit_minor: order.credit_minor,
        points: order.points,
        currency: order.currency.clone(),
    };
    mails::queue(conn, now, &recipient_of(order), &format!("cancelled:{}", order.id), &mail).await?;
    let detail = json!({ "credit_minor": order.credit_minor });
    ordering::audit_order(conn, now, Actor::System, "order.cancel", order.id, why.reason(), detail).await
}

/// Sees that the order can be honoured and takes its claims: those it holds, unless nothing can keep them from being taken
/// later, or those a released hold had, where there is room again.
async fn make_possible(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    lines: &[LineRow],
    capture: &Capture,
) -> Result<Result<Claims, Impossible>> {
    if capture.amount_minor != row.amount_minor || capture.currency != row.currency {
        return Ok(Err(Impossible::AmountDiffers));
    }
    match order.state {
        OrderState::PendingPayment => {
            let is_plain = !lines.iter().any(LineRow::is_membership);
            if is_plain && !pledges::service::have_goals(conn, lines).await? {
                return Ok(Ok(Claims::Held));
            }
            let live = claims::lock_of(conn, &[order.id]).await?;
            if buys_forbidden(conn, now, order, lines).await? {
                return Ok(Err(Impossible::MembershipForbids));
            }
            if pledges::service::are_missed(conn, lines).await? {
                return Ok(Err(Impossible::GoalMissed));
            }
            claims::take(conn, live, now).await?;
            Ok(Ok(Claims::Taken))
        }
        OrderState::Expired => {
            let had = claims::released_of(conn, order.id).await?;
            let ids: Vec<_> = had.iter().map(|claim| claim.pool_id).collect();
            let pools = claims::lock(conn, &ids).await?;
            // Who comes late with his money doesn't come before those who wait in line.
            let reserved = waiting_list::model::reserved(conn, &ids, now).await?;
            // Two lines may have claimed of one pool: it must have room for both.
            let mut wanted: BTreeMap<PoolId, i64> = BTreeMap::new();
            for claim in &had {
                *wanted.entry(claim.pool_id).or_default() += claim.quantity;
            }
            let fits = wanted.iter().all(|(id, quantity)| {
                let kept = reserved.get(id).copied().unwrap_or(0);
                pools.iter().any(|pool| pool.id == *id && pool.left() - kept >= *quantity)
            });
            if !fits {
                return Ok(Err(Impossible::NoPlaceLeft));
            }
            if buys_forbidden(conn, now, order, lines).await? {
                return Ok(Err(Impossible::MembershipForbids));
            }
            if pledges::service::are_missed(conn, lines).await? {
                return Ok(Err(Impossible::GoalMissed));
            }
            if let Err(why) = renew(conn, now, order).await? {
                return Ok(Err(why));
            }
            claims::take_again(conn, order.id, now).await?;
            Ok(Ok(Claims::Taken))
        }
        OrderState::Cancelled => Ok(Err(Impossible::OrderClosed)),
        OrderState::Paid | OrderState::Fulfilled | OrderState::Refunded | OrderState::PartlyRefunded => {
            Ok(Err(Impossible::PaidAlready))
        }
    }
}

/// What the order had beside its claims it has again, unless that is used otherwise by now. Its pools and its account
/// are locked.
async fn renew(conn: &mut Conn, now: DateTime<Utc>, order: &OrderRow) -> Result<Result<(), Impossible>> {
    if !orders::renew_places(conn, order.id).await? {
        return Ok(Err(Impossible::PaidAlready));
    }
    if !drops::service::renew(conn, order.id, order.account_id).await? {
        return Ok(Err(Impossible::NoPlaceLeft));
    }
    let person = accounts::load_buyer(conn, order.account_id).await.ok().and_then(|buyer| buyer.person_key);
    if !uses::renew(conn, order.id, person.as_deref()).await? {
        return Ok(Err(Impossible::CouponGone));
    }
    if !benefits::renew(conn, order.id).await? {
        return Ok(Err(Impossible::BenefitGone));
    }
    if !offer_uses::renew(conn, order.id).await? {
        return Ok(Err(Impossible::OfferGone));
    }
    if !credit::renew(conn, order.id, order.account_id, order.credit_minor, now).await? {
        return Ok(Err(Impossible::CreditGone));
    }
    if !points::renew(conn, order.id, order.account_id, order.points, now).await? {
        return Ok(Err(Impossible::PointsGone));
    }
    Ok(Ok(()))
}

/// Has the account, since it ordered, become what can't take this membership? Locks the account's row, and its balance where
/// the order is paid from it.
async fn buys_forbidden(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    lines: &[LineRow],
) -> Result<bool> {
    let account = order.account_id;
    accounts::lock_buyers(conn, &[account]).await?;
    if order.credit_minor > 0 {
        balances::lock(conn, &[account]).await?;
    }
    if let Some(quote) = lines.iter().find_map(|line| line.upgrade_quote_id) {
        return Ok(!upgrades::fits(conn, quote, now).await?);
    }
    if let Some(id) = lines.iter().find_map(|line| line.renewal_id) {
        // A second order of it, whose money came late.
        let Some(renewal) = coming::load(conn, &[id]).await?.pop() else { return Ok(true) };
        let row = memberships::model::find(conn, renewal.membership_id).await?;
        // Revoked, or its money went back: what comes now would begin it anew.
        let is_ended = |row: &MembershipRow| {
            row.state == Stored::Revoked || row.closed_at.is_some_and(|at| at < renewal.ends_at + GRACE)
        };
        if renewal.state == RenewalState::Paid || row.is_none_or(|row| is_ended(&row)) {
            return Ok(true);
        }
    }
    let ids: Vec<_> =
        lines.iter().filter(|line| line.is_membership()).filter_map(|line| line.plan_id).collect();
    if ids.is_empty() {
        return Ok(false);
    }
    if !measures::model::expelled_of(conn, &[account]).await?.is_empty() {
        return Ok(true);
    }
    let open = memberships::model::open_of(conn, &[account]).await?;
    let plans = plans::load(conn, &ids).await?;
    Ok(plans.iter().any(|plan| memberships::rules::may_buy(open.first(), plan.tier, now, GRACE).is_err()))
}

/// Other attempts of the orders that are still open must not be paid as well.
pub(super) async fn close_others(
    conn: &mut Conn,
    now: DateTime<Utc>,
    orders: &[OrderId],
    settled: &[PaymentId],
) -> Result<()> {
    for other in model::live_beside(conn, orders, settled).await? {
        model::set_state(conn, other.id, PaymentState::Expired, None, now).await?;
        jobs::enqueue(conn, &Job::CloseCheckout { payment: other.id }, now, now).await?;
    }
    Ok(())
}

/// The buyer, at the address that the order was placed with.
pub fn recipient_of(order: &OrderRow) -> Recipient {
    Recipient {
        account: Some(order.account_id),
        address: order.email.clone(),
        locale: ordering::locale_of(order),
    }
}

/// Records the capture and its full refund, mails the buyer, and ends an order that can't go on.
async fn send_back(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    row: &PaymentRow,
    capture: &Capture,
    why: Impossible,
) -> Result<()> {
    model::set_sent_back(conn, row.id, capture, now).await?;
    match order.state {
        OrderState::PendingPayment => ordering::close(conn, order.id, OrderState::Cancelled, now).await?,
        // What it had again before something else was missing.
        OrderState::Expired => ordering::let_go(conn, order.id, now).await?,
        _ => {}
    }
    let refund = refunds::service::send_back(conn, now, order, row.id, capture, why.reason()).await?;
    let detail = json!({
        "payment": row.id.to_string(),
        "refund": refund.to_string(),
        "amount_minor": capture.amount_minor,
        "currency": capture.currency,
    });
    ordering::audit_order(conn, now, Actor::System, "payment.sent_back", order.id, why.reason(), detail).await
}

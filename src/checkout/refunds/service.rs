//! Refunds asked for by operators, sent back by the shop itself, or made in Stripe's dashboard.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use kindred_stripe::{Refund, RefundStatus};
use serde_json::json;

use super::adopted;
use super::model::{self, RefundLine, RefundRow, RefundState};
use super::rules::{self, Asked, Parts, Refundable};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::claims;
use crate::checkout::credit::model::EntryKind;
use crate::checkout::credit::service::{self as credit, Grant};
use crate::checkout::earned;
use crate::checkout::gift_cards::service as gift_cards;
use crate::checkout::gifts::service as gifts;
use crate::checkout::invited;
use crate::checkout::invoices::service as invoices;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::orders::service as ordering;
use crate::checkout::payments::delivery::articles_of;
use crate::checkout::payments::model::{self as payments, Capture, PaymentRow};
use crate::checkout::payments::service::recipient_of;
use crate::checkout::pledges;
use crate::checkout::shipments::promises;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::loyalty::offers::uses as offer_uses;
use crate::loyalty::points::rules::returned;
use crate::loyalty::points::service as points_ledger;
use crate::membership::benefits::uses::{self as benefits, Part};
use crate::membership::measures::model as measures;
use crate::membership::memberships::ending;
use crate::messages::mails::{self, Mail};
use crate::people::accounts::model as accounts;
use crate::promotion::coupons::uses;
use crate::shop::stock::service as stock;
use crate::shop::{drops, rights};
use crate::types::id::{LineId, OrderId, PaymentId, RefundId};

/// A refund that is asked for.
#[derive(Clone, Debug)]
pub struct NewRefund {
    pub order: OrderId,
    pub asked: Asked,
    pub reason: String,
    pub restock: bool,
    /// What money paid of it becomes store credit.
    pub into_credit: bool,
    /// Who or what asks, once: a repeat finds the same refund.
    pub cause: String,
    pub tells: Tells,
}

/// What the buyer's mail about a refund tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// That money goes back, and why.
    Refund,
    /// That the order is cancelled, and its money goes back.
    Cancellation,
}

/// Refunds an order in full, by lines or by amount: rights end with their line, and what was sold goes back on sale where
/// the operator says so. Stripe is asked by a job.
///
/// # Errors
/// `not_found`, `nothing_to_refund`, `refund_exceeds_captured`, `invalid_field`.
pub async fn request(app: &App, actor: Actor, new: &NewRefund) -> Result<RefundId> {
    let now = app.clock.now();
    let refund = db::transaction(&app.pool, async |conn| request_on(conn, now, actor, new).await).await?;
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(refund)
}

/// [`request`] in the caller's transaction.
///
/// # Errors
/// As [`request`].
pub async fn request_on(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    new: &NewRefund,
) -> Result<RefundId> {
    let order = orders::lock(conn, new.order).await?;
    match by_cause(conn, new).await? {
        Some(earlier) => Ok(earlier),
        None => enter(conn, now, actor, &order, new).await,
    }
}

/// [`request_on`] for a cause that is new. The order's row is locked; locks its pools, its account, counters. After the
/// commit wake the lanes of Stripe and of mails.
///
/// # Errors
/// As [`request`].
pub async fn enter(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    order: &OrderRow,
    new: &NewRefund,
) -> Result<RefundId> {
    if order.paid_at.is_none() {
        return Err(Code::NothingToRefund.error());
    }
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let redeemed = gift_cards::redeemed_of(conn, &cards_of(&lines)).await?;
    let parts = plan(order, &lines, &redeemed, &new.asked)?;
    if new.into_credit && !has_account(conn, order).await? {
        return Err(Code::InvalidField.at("into_credit", "its buyer has no account"));
    }
    let captured = payments::captured_of(conn, order.id).await?;
    let payment = captured.iter().find(|payment| !payment.sent_back);
    let left_minor = match payment {
        Some(payment) if !new.into_credit => {
            payment.captured_minor - model::sum_of_payment(conn, payment.id).await?
        }
        _ => 0,
    };
    let (money, by_points) = by_means(conn, order, &lines, &parts).await?;
    let (paid, credit) = money.split(left_minor);
    let ways = [
        (Way::Payment(payment.map(|payment| payment.id)), &paid),
        (Way::Credit, &credit),
        (Way::Points(points_back(conn, order, by_points.amount_minor()).await?), &by_points),
    ];
    let mut rows = Vec::with_capacity(ways.len());
    for (way, parts) in ways.into_iter().filter(|(_, parts)| parts.amount_minor() > 0) {
        let first = rows.first().map(|row: &RefundRow| row.id);
        rows.push(insert(conn, now, actor, order, new, (way, first), parts).await?);
    }
    let first = rows.first().ok_or(Code::NothingToRefund)?.id;
    let restock = new.restock.then_some(Restock { actor, cause: first });
    book(conn, now, order, &lines, &parts, How::Asked(restock)).await?;
    for row in &rows {
        send(conn, now, order, row).await?;
    }
    pledges::service::follow(conn, order.id, &lines, now).await?;
    promises::review(conn, order.id, now).await?;
    queue_mail(conn, now, order, &rows, new.tells).await?;
    let detail = json!({
        "refund": first.to_string(),
        "amount_minor": parts.amount_minor(),
        "credit_minor": credit.amount_minor(),
        "points_minor": by_points.amount_minor(),
        "restock": new.restock,
    });
    ordering::audit_order(conn, now, actor, "refund.create", order.id, &new.reason, detail).await?;
    Ok(first)
}

pub(super) fn cards_of(lines: &[LineRow]) -> Vec<LineId> {
    lines.iter().filter(|line| line.is_gift_card()).map(|line| line.id).collect()
}

/// Is there somebody who can spend what becomes store credit?
async fn has_account(conn: &mut Conn, order: &OrderRow) -> Result<bool> {
    let is_guests = orders::of_guests(conn, &[order.id]).await?.contains(&order.id);
    Ok(!is_guests
        && accounts::load_buyer(conn, order.account_id).await.is_ok_and(|buyer| buyer.email.is_some()))
}

/// How a part of a refund goes back.
#[derive(Clone, Copy, Debug)]
enum Way {
    Payment(Option<PaymentId>),
    Credit,
    Points(i64),
}

/// What of a refund is money, and what points had paid.
async fn by_means(
    conn: &mut Conn,
    order: &OrderRow,
    lines: &[LineRow],
    parts: &Parts,
) -> Result<(Parts, Parts)> {
    if order.points_minor == 0 {
        return Ok((parts.clone(), Parts { lines: Vec::new(), shipping_minor: 0 }));
    }
    let (by_points, _) = came_back(conn, order.id).await?;
    let money_minor = (order.total_minor - order.refunded_minor) - (order.points_minor - by_points);
    let of_line = |id: LineId| {
        let line = lines.iter().find(|line| line.id == id);
        line.map_or(0, LineRow::money_left_minor)
    };
    Ok(parts.by_means(money_minor, of_line))
}

/// What of an order's points has come back: what they had paid, and how many.
async fn came_back(conn: &mut Conn, order: OrderId) -> Result<(i64, i64)> {
    let rows = model::of_order(conn, order).await?;
    let back = rows.iter().filter(|row| row.state != RefundState::Failed);
    let back = back.filter_map(|row| Some((row.amount_minor, row.points?)));
    Ok(back.fold((0, 0), |(minor, points), (of, back)| (minor + of, points + back)))
}

/// How many points come back for so much of what they had paid: in the end all of them.
async fn points_back(conn: &mut Conn, order: &OrderRow, minor: i64) -> Result<i64> {
    if minor == 0 {
        return Ok(0);
    }
    let (back_minor, back) = came_back(conn, order.id).await?;
    Ok(returned(order.points, order.points_minor, back_minor + minor) - back)
}

/// Writes the refund of what goes back one way. The first has the request's cause, so that a repeat finds it.
async fn insert(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    order: &OrderRow,
    new: &NewRefund,
    (way, first): (Way, Option<RefundId>),
    parts: &Parts,
) -> Result<RefundRow> {
    let (payment, points, kind) = match way {
        Way::Payment(payment) => (payment, None, "credit_of"),
        Way::Credit => (None, None, "credit_of"),
        Way::Points(points) => (None, Some(points), "points_of"),
    };
    let row = RefundRow {
        id: RefundId::new(),
        order_id: order.id,
        payment_id: payment,
        cause: first.map_or_else(|| new.cause.clone(), |first| format!("{kind}:{first}")),
        amount_minor: parts.amount_minor(),
        currency: order.currency.clone(),
        reason: new.reason.clone(),
        state: if payment.is_some() { RefundState::Queued } else { RefundState::Succeeded },
        call_attempt: 1,
        stripe_refund_id: None,
        failure_reason: None,
        created_at: now,
        ended_at: payment.is_none().then_some(now),
        requested_by: actor.kind().to_owned(),
        shipping_minor: parts.shipping_minor,
        points,
    };
    let line = |(line_id, amount_minor): &(LineId, i64)| RefundLine {
        refund_id: row.id,
        line_id: *line_id,
        amount_minor: *amount_minor,
        restock: new.restock,
    };
    if !model::insert(conn, &row, &parts.lines.iter().map(line).collect::<Vec<_>>()).await? {
        // The key was used for another order.
        return Err(Code::IdempotencyKeyReused.error());
    }
    Ok(row)
}

/// Stripe is asked by a job; store credit and points are there at once.
async fn send(conn: &mut Conn, now: DateTime<Utc>, order: &OrderRow, row: &RefundRow) -> Result<()> {
    if row.payment_id.is_some() {
        jobs::enqueue(conn, &Job::SendRefund { refund: row.id }, now, now).await?;
        return Ok(());
    }
    if let Some(points) = row.points {
        let lines = model::lines_of(conn, row.id).await?;
        let lines: Vec<_> = lines.iter().map(|line| (line.line_id, line.amount_minor)).collect();
        orders::add_points_back(conn, &lines).await?;
        points_ledger::give_back(conn, order.id, points, now).await?;
        return invoices::owe(conn, &[order.id], invoices::Cause::Refunded(row.id), now).await;
    }
    let granted = Grant {
        account: order.account_id,
        amount_minor: row.amount_minor,
        kind: EntryKind::Refund,
        cause: format!("refund:{}", row.id),
        order: Some(order.id),
        reason: None,
    };
    credit::grant(conn, &[granted], now).await?;
    invoices::owe(conn, &[order.id], invoices::Cause::Refunded(row.id), now).await
}

/// A repeat of the same request answers the same refund; another request under the key is refused.
async fn by_cause(conn: &mut Conn, new: &NewRefund) -> Result<Option<RefundId>> {
    let of_order = model::of_order(conn, new.order).await?;
    let Some(earlier) = of_order.iter().find(|row| row.cause == new.cause) else { return Ok(None) };
    if earlier.reason == new.reason { Ok(Some(earlier.id)) } else { Err(Code::IdempotencyKeyReused.error()) }
}

/// What goes back of an order, as it stands. Gift cards go back as a whole, and only before anybody has redeemed them: else
/// the buyer would have both.
fn plan(order: &OrderRow, lines: &[LineRow], redeemed: &[LineId], asked: &Asked) -> Result<Parts> {
    let of_lines: i64 = lines.iter().map(|line| line.refunded_minor).sum();
    let shipping_minor = order.shipping_minor - (order.refunded_minor - of_lines);
    let unredeemed: Vec<_> = lines.iter().filter(|line| !redeemed.contains(&line.id)).collect();
    if let Asked::Lines(wanted) = asked
        && wanted.iter().any(|(line, _)| redeemed.contains(line))
    {
        return Err(Code::GiftCardRedeemed.error());
    }
    let left = |line: &&LineRow| line.total_minor - line.refunded_minor;
    let all_minor = unredeemed.iter().map(left).sum::<i64>() + shipping_minor;
    if all_minor == 0 && !redeemed.is_empty() && *asked == Asked::Full {
        return Err(Code::GiftCardRedeemed.error());
    }
    let takes_part = matches!(asked, Asked::Amount(minor) if *minor < all_minor);
    let from = unredeemed.iter().filter(|line| !(takes_part && line.is_gift_card()));
    let from: Vec<_> = from.map(|line| refundable(line)).collect();
    let whole = || Code::InvalidField.at("amount", "a gift card is refunded as a whole: name its line");
    if let Asked::Amount(minor) = asked
        && takes_part
        && *minor > from.iter().map(Refundable::left_minor).sum::<i64>() + shipping_minor
    {
        return Err(whole());
    }
    let parts = rules::plan(&from, shipping_minor, asked)?;
    let is_part = |(id, minor): &(LineId, i64)| {
        lines.iter().any(|line| line.id == *id && line.is_gift_card() && *minor < left(&line))
    };
    if parts.lines.iter().any(is_part) { Err(whole()) } else { Ok(parts) }
}

pub(super) fn refundable(line: &LineRow) -> Refundable {
    Refundable { line: line.id, total_minor: line.total_minor, refunded_minor: line.refunded_minor }
}

/// What was sold goes back on sale: on whose word, and by which refund.
#[derive(Clone, Copy, Debug)]
pub(super) struct Restock {
    actor: Actor,
    cause: RefundId,
}

/// Who has decided a refund.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// Somebody who asked here.
    Asked(Option<Restock>),
    /// Somebody in Stripe's dashboard: it is done, whatever we think of it.
    Adopted(RefundId),
}

/// Enters a refund of a paid order: lines and order count it, and a line that is refunded in full loses its right. Its
/// pledge and its promise follow, in this order: a goal is locked before promises.
pub(super) async fn book(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    lines: &[LineRow],
    parts: &Parts,
    how: How,
) -> Result<()> {
    let (restock, is_adopted) = match how {
        How::Asked(restock) => (restock, None),
        How::Adopted(refund) => (None, Some(refund)),
    };
    let amount_minor = parts.amount_minor();
    let state = if order.refunded_minor + amount_minor >= order.total_minor {
        OrderState::Refunded
    } else {
        OrderState::PartlyRefunded
    };
    orders::add_refunded(conn, order.id, amount_minor, &parts.lines, state).await?;
    invited::service::changed(conn, order.id, now).await?;
    earned::service::changed(conn, order.id, now).await?;
    let ended: Vec<_> = lines
        .iter()
        .filter(|line| {
            let part = parts.lines.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, minor)| *minor);
            part > 0 && line.refunded_minor + part == line.total_minor
        })
        .collect();
    let touched = |line: &&LineRow| {
        parts.lines.iter().find(|(id, _)| *id == line.id).map(|(_, minor)| (line.id, *minor))
    };
    let cards: Vec<_> =
        lines.iter().filter(|line| line.is_gift_card()).filter_map(|line| touched(&line)).collect();
    let members: Vec<_> =
        lines.iter().filter(|line| line.is_membership()).filter_map(|line| touched(&line)).collect();
    let unsent: Vec<_> = match state {
        OrderState::Refunded => lines.iter().filter(|line| is_unsent_benefit(line)).collect(),
        _ => Vec::new(),
    };
    if ended.is_empty() && cards.is_empty() && members.is_empty() && unsent.is_empty() {
        return give_back_coupons(conn, order.id, state, now).await;
    }
    let taken_in = match restock {
        // Units of which some came back, or will, by a return: the others come back one by one.
        Some(_) => articles_of(conn, &rest_of(&ended)).await?,
        None => HashMap::new(),
    };
    let mut pools: Vec<_> =
        claims::live_of(conn, &[order.id]).await?.iter().map(|claim| claim.pool_id).collect();
    pools.extend(taken_in.values().flat_map(stock::pools_of));
    claims::lock(conn, &pools).await?;
    gifts::lock_accounts(conn, order.id, order.account_id).await?;
    gift_cards::give_up(conn, &cards, is_adopted, now).await?;
    let given: Vec<_> = ended.iter().filter(|line| line.is_gift()).map(|line| line.id).collect();
    gifts::give_up(conn, &given, now).await?;
    let members: Vec<_> = members.into_iter().map(|(line, _)| line).collect();
    ending::paid_back(conn, &members, now).await?;
    for line in ended {
        ending::end_term(conn, line.id, is_adopted.is_some(), now).await?;
        rights::model::end_of_line(conn, line.id, now).await?;
        // Once: its refund may have failed since it went back on sale.
        let Some(Restock { actor, cause }) = restock.filter(|_| line.restocked_at.is_none()) else {
            continue;
        };
        match line.variant_id.and_then(|id| taken_in.get(&id)).filter(|_| line.returned > 0) {
            Some(article) => {
                let units = line.quantity - line.returned;
                let cause = format!("refund:{cause}:{}", line.id);
                stock::take_in(conn, actor, article, units, &cause, now).await?;
                orders::set_restocked(conn, line.id, now).await?;
            }
            None => give_back(conn, now, order.id, line).await?,
        }
    }
    for line in unsent {
        match restock {
            Some(_) => give_back(conn, now, order.id, line).await?,
            None => benefits::release(conn, Part::Line(line.id), now).await?,
        }
    }
    if state == OrderState::Refunded && lines.iter().all(|line| line.shipped == 0) {
        benefits::release(conn, Part::Parcel(order.id), now).await?;
    }
    give_back_coupons(conn, order.id, state, now).await
}

/// Nothing is sent of an order that is refunded as a whole: what a benefit was to give with it can be had again.
fn is_unsent_benefit(line: &LineRow) -> bool {
    line.benefit_id.is_some() && line.shipped == 0 && line.restocked_at.is_none()
}

/// An order that is refunded in full, and of which everything is back on sale, gives its coupons back. Where a line cost
/// nothing, and so stays its buyer's, they stay used.
async fn give_back_coupons(
    conn: &mut Conn,
    order: OrderId,
    state: OrderState,
    now: DateTime<Utc>,
) -> Result<()> {
    let lines = orders::lines_of(conn, &[order]).await?;
    if state == OrderState::Refunded && lines.iter().all(|line| line.restocked_at.is_some()) {
        give_back_whole(conn, order, now).await?;
    }
    Ok(())
}

/// What the order claimed as a whole can be claimed again: its coupons, and what a benefit took off its parcel. Locks the
/// coupons' pools.
///
/// # Errors
/// The database's.
pub async fn give_back_whole(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    claims::give_back_whole(conn, order, now).await?;
    benefits::release(conn, Part::Parcel(order), now).await?;
    uses::release(conn, order, now).await
}

/// Lines of which units are on a way of their own.
fn rest_of(ended: &[&LineRow]) -> Vec<LineRow> {
    ended.iter().filter(|line| line.returned > 0).map(|line| LineRow::clone(line)).collect()
}

/// All that a line had can be claimed by others: its claims end, its place, its upgrade offer or its units of a drop no longer
/// count for its buyer. The pools are locked.
///
/// # Errors
/// The database's.
pub async fn give_back(conn: &mut Conn, now: DateTime<Utc>, order: OrderId, line: &LineRow) -> Result<()> {
    claims::give_back(conn, order, line.id, now).await?;
    benefits::release(conn, Part::Line(line.id), now).await?;
    offer_uses::release(conn, offer_uses::Part::Line(line.id), now).await?;
    orders::set_restocked(conn, line.id, now).await?;
    if line.is_membership() {
        return orders::release_places(conn, order, now).await;
    }
    drops::service::take_back(conn, line.id, line.f_code_id, now).await
}

/// One mail tells of all that goes back together.
pub(super) async fn queue_mail(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    rows: &[RefundRow],
    tells: Tells,
) -> Result<()> {
    let Some(first) = rows.first() else { return Ok(()) };
    let (order_number, currency) = (order.number.clone(), first.currency.clone());
    let sum = |is_meant: fn(&RefundRow) -> bool| {
        rows.iter().filter(|row| is_meant(row)).map(|row| row.amount_minor).sum()
    };
    let (amount_minor, credit_minor) = (sum(|row| row.payment_id.is_some()), sum(RefundRow::is_credit));
    let points = rows.iter().filter_map(|row| row.points).sum();
    let mail = match tells {
        Tells::Refund => Mail::Refunded {
            order_number,
            amount_minor,
            credit_minor,
            points,
            currency,
            reason: first.reason.clone(),
        },
        Tells::Cancellation => {
            Mail::OrderCancelled { order_number, amount_minor, credit_minor, points, currency }
        }
    };
    mails::queue(conn, now, &recipient_of(order), &format!("refund:{}", first.id), &mail).await
}

/// The shop sends a capture back in full that it can't honour. Once a payment.
///
/// # Errors
/// The database's.
pub async fn send_back(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    payment: PaymentId,
    capture: &Capture,
    why: &str,
) -> Result<RefundId> {
    let row = RefundRow {
        id: RefundId::new(),
        order_id: order.id,
        payment_id: Some(payment),
        cause: format!("sent_back:{payment}"),
        amount_minor: capture.amount_minor,
        currency: capture.currency.clone(),
        reason: why.to_owned(),
        state: RefundState::Queued,
        call_attempt: 1,
        stripe_refund_id: None,
        failure_reason: None,
        created_at: now,
        ended_at: None,
        requested_by: Actor::System.kind().to_owned(),
        shipping_minor: 0,
        points: None,
    };
    if model::insert(conn, &row, &[]).await? {
        jobs::enqueue(conn, &Job::SendRefund { refund: row.id }, now, now).await?;
        queue_mail(conn, now, order, std::slice::from_ref(&row), Tells::Refund).await?;
    }
    Ok(row.id)
}

/// Applies what Stripe says of one refund of a payment. Only forward, but for a success that Stripe takes back (a failed
/// transfer): then the order counts it no longer and an operator sees it.
///
/// # Errors
/// The database's.
pub async fn apply(conn: &mut Conn, now: DateTime<Utc>, payment: &PaymentRow, refund: &Refund) -> Result<()> {
    let order = orders::lock(conn, payment.order_id).await?;
    let known = match model::find_stripe(conn, &refund.id).await? {
        Some(row) => Some(row),
        None => match refund.refund_id.as_deref().and_then(|id| id.parse().ok()) {
            Some(id) => model::load(conn, id).await.ok().filter(|row| row.payment_id == Some(payment.id)),
            None => None,
        },
    };
    let row = match known {
        Some(row) => row,
        None => return adopted::adopt(conn, now, &order, payment, refund).await,
    };
    let state = state_of(refund.status);
    if row.state == state && row.stripe_refund_id.is_some() {
        return Ok(());
    }
    let is_backward = row.state == RefundState::Succeeded && state == RefundState::Pending;
    if is_backward || row.state == RefundState::Failed {
        return Ok(());
    }
    if state == RefundState::Failed {
        return fail(conn, now, &row, Some(&refund.id), refund.failure_reason.as_deref()).await;
    }
    model::store(conn, row.id, Some(&refund.id), state, None, now).await?;
    if state == RefundState::Succeeded {
        invited::service::changed(conn, row.order_id, now).await?;
    }
    owe_note(conn, now, payment, row.id, state).await
}

/// Money of a sale that went back for good is a credit note's. What was sent back at once was never invoiced.
pub(super) async fn owe_note(
    conn: &mut Conn,
    now: DateTime<Utc>,
    payment: &PaymentRow,
    refund: RefundId,
    state: RefundState,
) -> Result<()> {
    if state != RefundState::Succeeded || payment.sent_back {
        return Ok(());
    }
    invoices::owe(conn, &[payment.order_id], invoices::Cause::Refunded(refund), now).await
}

pub(super) fn state_of(status: RefundStatus) -> RefundState {
    match status {
        RefundStatus::Succeeded => RefundState::Succeeded,
        RefundStatus::Failed | RefundStatus::Canceled => RefundState::Failed,
        RefundStatus::Pending | RefundStatus::RequiresAction | RefundStatus::Unknown => RefundState::Pending,
    }
}

/// The money didn't go back: the order doesn't count it any more. Rights that ended stay ended; an operator decides. A gift that
/// nobody had redeemed is good again.
/// The order's row is locked.
///
/// # Errors
/// The database's.
pub async fn fail(
    conn: &mut Conn,
    now: DateTime<Utc>,
    row: &RefundRow,
    stripe_id: Option<&str>,
    why: Option<&str>,
) -> Result<()> {
    model::store(conn, row.id, stripe_id, RefundState::Failed, Some(why.unwrap_or("unknown")), now).await?;
    invited::service::changed(conn, row.order_id, now).await?;
    earned::service::changed(conn, row.order_id, now).await?;
    let parts: Vec<_> = model::lines_of(conn, row.id)
        .await?
        .into_iter()
        .map(|line| (line.line_id, -line.amount_minor))
        .collect();
    if !parts.is_empty() || row.shipping_minor > 0 {
        let order = orders::load(conn, row.order_id).await?;
        let left = order.refunded_minor - row.amount_minor;
        let lines = orders::lines_of(conn, &[row.order_id]).await?;
        let state = match left {
            1.. => OrderState::PartlyRefunded,
            _ if lines.iter().all(|line| line.fulfilled_at.is_some()) => OrderState::Fulfilled,
            _ => OrderState::Paid,
        };
        orders::add_refunded(conn, row.order_id, -row.amount_minor, &parts, state).await?;
        pledges::service::follow(conn, row.order_id, &lines, now).await?;
        promises::review(conn, row.order_id, now).await?;
        if row.state == RefundState::Succeeded {
            invoices::owe(conn, &[row.order_id], invoices::Cause::TakenBack(row.id), now).await?;
        }
        gifts::revive(conn, row.order_id, now).await?;
        if !row.cause.starts_with("measure:") {
            // It may have been a part of what an expulsion gives back.
            for measure in measures::refunding(conn, row.order_id).await? {
                jobs::enqueue(conn, &Job::RefundExpelled { measure }, now, now).await?;
            }
        }
    }
    let detail = json!({ "refund": row.id.to_string(), "amount_minor": row.amount_minor });
    ordering::audit_order(
        conn,
        now,
        Actor::System,
        "refund.failed",
        row.order_id,
        why.unwrap_or("unknown"),
        detail,
    )
    .await
}

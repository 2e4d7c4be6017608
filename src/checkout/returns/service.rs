//! Returns, asked for by buyers and led on by operators. Each step is decided under the lock of the order's row, so that
//! two returns never cover a unit twice, and no money goes back twice.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::model::{self, Reason, ReturnLine, ReturnRow, ReturnState};
use super::rules::{self, Act, Arrived, Sent};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::claims;
use crate::checkout::orders::access::OrderBuyer;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::orders::service::{audit_order, locale_of};
use crate::checkout::payments::delivery::articles_of;
use crate::checkout::payments::service::recipient_of;
use crate::checkout::refunds::rules::{Asked, Parts};
use crate::checkout::refunds::service::{self as refunds, NewRefund, Tells};
use crate::checkout::shipments::model as shipments;
use crate::checkout::shipments::rules::delivered_or_sent;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;
use crate::messages::mails::{self, Mail};
use crate::shop::stock::service as stock;
use crate::types::id::{AccountId, LineId, OrderId, ReturnId};

/// A return that a buyer asks for.
#[derive(Clone, Debug)]
pub struct NewReturn {
    pub order: OrderId,
    pub lines: Vec<(LineId, i64)>,
    pub reason: Reason,
    pub note: Option<String>,
}

/// Enters a request to send goods back, once a request.
///
/// # Errors
/// `not_found`, `invalid_field`, `not_returnable`, `return_window_over`, `idempotency_key_reused`, `request_in_progress`.
pub async fn request(app: &App, buyer: OrderBuyer, new: &NewReturn, request: &Request) -> Result<ReturnId> {
    let now = app.clock.now();
    let window = app.settings.goods.return_window;
    db::transaction(&app.pool, async |conn| {
        let order = own(conn, buyer, new.order).await?;
        let id = ReturnId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return Ok(ReturnId(earlier));
        }
        let sent = sent_of(conn, &order).await?;
        let row = ReturnRow {
            id,
            order_id: order.id,
            state: ReturnState::Requested,
            reason: new.reason,
            note: new.note.clone(),
            is_late: rules::judge(&sent, &new.lines, new.reason, now, window)?,
            answer: None,
            refund_id: None,
            requested_at: now,
            decided_at: None,
            received_at: None,
            ended_at: None,
        };
        let lines: Vec<_> = new
            .lines
            .iter()
            .map(|(line_id, quantity)| ReturnLine {
                return_id: id,
                line_id: *line_id,
                quantity: *quantity,
                restocked: 0,
                written_off: 0,
                refunded_minor: 0,
            })
            .collect();
        model::insert(conn, &row, &lines).await?;
        Ok(id)
    })
    .await
}

async fn own(conn: &mut Conn, buyer: OrderBuyer, order: OrderId) -> Result<OrderRow> {
    let order = orders::lock(conn, order).await?;
    if buyer.owns(&order) { Ok(order) } else { Err(Code::NotFound.error()) }
}

/// What of an order's lines was sent, when, and what is left of that.
async fn sent_of(conn: &mut Conn, order: &OrderRow) -> Result<Vec<Sent>> {
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let parcels = shipments::of_order(conn, order.id).await?;
    let of_line = |line: &LineRow| Sent {
        line: line.id,
        shipped: line.shipped,
        returned: line.returned,
        is_settled: line.is_refunded() || line.restocked_at.is_some(),
        parcels: parcels
            .iter()
            .flat_map(|(parcel, units)| {
                let from = delivered_or_sent(parcel.shipped_at, parcel.delivered_at);
                units.iter().filter(|(id, _)| *id == line.id).map(move |(_, units)| (from, *units))
            })
            .collect(),
    };
    Ok(lines.iter().map(of_line).collect())
}

/// Reads a return and then locks its order and reads it again; none where the same request was done before.
async fn begin(
    conn: &mut Conn,
    id: ReturnId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Option<(OrderRow, ReturnRow)>> {
    let order = model::load(conn, id).await?.order_id;
    let order = orders::lock(conn, order).await?;
    if let Claim::Repeat(_) = idempotency::claim(conn, request, 200, id.0, now).await? {
        return Ok(None);
    }
    Ok(Some((order, model::load(conn, id).await?)))
}

/// The buyer withdraws a return that hasn't arrived.
///
/// # Errors
/// `not_found`, `wrong_return_state`, `idempotency_key_reused`, `request_in_progress`.
pub async fn withdraw(
    app: &App,
    buyer: OrderBuyer,
    order: OrderId,
    id: ReturnId,
    request: &Request,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        of_order(conn, buyer, order, id).await?;
        let Some((_, row)) = begin(conn, id, request, now).await? else { return Ok(()) };
        cancel(conn, row, now).await
    })
    .await
}

/// [`withdraw`] for an account that is erased.
///
/// # Errors
/// `not_found`, `wrong_return_state` once it has arrived.
pub async fn give_up(app: &App, account: AccountId, order: OrderId, id: ReturnId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let row = of_order(conn, OrderBuyer::signed_in(account), order, id).await?;
        cancel(conn, row, now).await
    })
    .await
}

/// The buyer's return, its order's row locked.
async fn of_order(conn: &mut Conn, buyer: OrderBuyer, order: OrderId, id: ReturnId) -> Result<ReturnRow> {
    own(conn, buyer, order).await?;
    let row = model::load(conn, id).await?;
    if row.order_id == order { Ok(row) } else { Err(Code::NotFound.error()) }
}

async fn cancel(conn: &mut Conn, mut row: ReturnRow, now: DateTime<Utc>) -> Result<()> {
    row.state = rules::next(row.state, Act::Withdraw)?;
    row.ended_at = Some(now);
    keep_all(conn, row.id).await?;
    model::store(conn, &row).await
}

/// Nothing comes back: the units stay their buyer's, and may be asked for again.
async fn keep_all(conn: &mut Conn, id: ReturnId) -> Result<()> {
    let lines = model::lines_of(conn, &[id]).await?;
    model::add_returned(conn, lines.iter().map(|line| (line.line_id, -line.quantity))).await
}

/// What an operator answers a return with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// How it is to be sent back.
    Approve(String),
    /// Why it may not.
    Reject(String),
    /// Why it ends without money: nothing has arrived, or what arrived earned none.
    Close(String),
}

/// Approves, rejects or closes a return, and mails its buyer.
///
/// # Errors
/// `not_found`, `wrong_return_state`, `idempotency_key_reused`, `request_in_progress`.
pub async fn answer(app: &App, actor: Actor, id: ReturnId, answer: &Answer, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some((order, mut row)) = begin(conn, id, request, now).await? else { return Ok(()) };
        let order_number = order.number.clone();
        let (act, action, words, mail) = match answer.clone() {
            Answer::Approve(words) => {
                let mail = Mail::ReturnApproved { order_number, instructions: words.clone() };
                (Act::Approve, "return.approve", words, mail)
            }
            Answer::Reject(words) => {
                let mail = Mail::ReturnRejected { order_number, reason: words.clone() };
                (Act::Reject, "return.reject", words, mail)
            }
            Answer::Close(words) => {
                let mail = Mail::ReturnClosed { order_number, reason: words.clone() };
                (Act::Close, "return.close", words, mail)
            }
        };
        row.state = rules::next(row.state, act)?;
        row.answer = Some(words.clone());
        row.decided_at = row.decided_at.or(Some(now));
        if act != Act::Approve {
            row.ended_at = Some(now);
            if row.received_at.is_none() {
                keep_all(conn, id).await?;
            }
        }
        model::store(conn, &row).await?;
        let cause = format!("return:{id}:{}", row.state.as_str());
        mails::queue(conn, now, &recipient_of(&order), &cause, &mail).await?;
        record(conn, now, actor, action, &row, &words, json!({})).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

async fn record(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    action: &str,
    row: &ReturnRow,
    reason: &str,
    mut detail: Value,
) -> Result<()> {
    if let Some(fields) = detail.as_object_mut() {
        fields.insert("return".to_owned(), json!(row.id));
    }
    audit_order(conn, now, actor, action, row.order_id, reason, detail).await
}

/// A return has arrived: what can be sold again goes back on sale, the rest is written off. Units that didn't come stay
/// their buyer's.
///
/// # Errors
/// `not_found`, `wrong_return_state`, `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn receive(
    app: &App,
    actor: Actor,
    id: ReturnId,
    arrived: &[(LineId, Arrived)],
    request: &Request,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some((order, mut row)) = begin(conn, id, request, now).await? else { return Ok(()) };
        row.state = rules::next(row.state, Act::Receive)?;
        row.received_at = Some(now);
        let mut lines = model::lines_of(conn, &[id]).await?;
        let asked: Vec<_> = lines.iter().map(|line| (line.line_id, line.quantity)).collect();
        rules::check_arrived(&asked, arrived)?;
        for line in &mut lines {
            if let Some((_, units)) = arrived.iter().find(|(id, _)| *id == line.line_id) {
                (line.restocked, line.written_off) = (units.restocked, units.written_off);
                model::store_line(conn, line).await?;
            }
        }
        let kept = lines.iter().map(|line| (line.line_id, line.received() - line.quantity));
        model::add_returned(conn, kept).await?;
        put_back(conn, actor, &order, &lines, now).await?;
        model::store(conn, &row).await?;
        let units = |of: fn(&ReturnLine) -> i64| lines.iter().map(of).sum::<i64>();
        let detail =
            json!({ "restocked": units(|line| line.restocked), "written_off": units(|line| line.written_off) });
        record(conn, now, actor, "return.receive", &row, "received", detail).await
    })
    .await
}

/// Units that go back on sale, each part of a bundle to its own shelf. All pools are locked at once.
async fn put_back(
    conn: &mut Conn,
    actor: Actor,
    order: &OrderRow,
    lines: &[ReturnLine],
    now: DateTime<Utc>,
) -> Result<()> {
    let sold = orders::lines_of(conn, &[order.id]).await?;
    let articles = articles_of(conn, &sold).await?;
    let pools: Vec<_> = articles.values().flat_map(stock::pools_of).collect();
    claims::lock(conn, &pools).await?;
    for line in lines {
        let article = sold
            .iter()
            .find(|sold| sold.id == line.line_id)
            .and_then(|sold| articles.get(&sold.variant_id?))
            .ok_or_else(|| AppError::internal("a returned line that sells no goods"))?;
        let cause = format!("return:{}:{}", line.return_id, line.line_id);
        stock::take_in(conn, actor, article, line.restocked, &cause, now).await?;
    }
    Ok(())
}

/// The money of a return that has arrived goes back: each unit's share of what was paid for its line, at most what is left
/// of it, and so much of the shipping. By the one path of refunds, which mails the buyer.
///
/// # Errors
/// `not_found`, `wrong_return_state`, `nothing_to_refund`, `refund_exceeds_captured` for more shipping than is left,
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn refund(
    app: &App,
    actor: Actor,
    id: ReturnId,
    shipping_minor: i64,
    request: &Request,
) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some((order, mut row)) = begin(conn, id, request, now).await? else { return Ok(()) };
        row.state = rules::next(row.state, Act::Refund)?;
        row.ended_at = Some(now);
        let lines = worth(conn, &order, id).await?;
        let new = NewRefund {
            order: order.id,
            asked: Asked::Exactly(Parts {
                lines: lines.iter().map(|line| (line.line_id, line.refunded_minor)).collect(),
                shipping_minor,
            }),
            reason: locale_of(&order).pick("已收到退货", "We have received your return").to_owned(),
            // What can be sold again went back on sale when it arrived.
            restock: false,
            into_credit: false,
            cause: format!("return:{id}"),
            tells: Tells::Refund,
        };
        row.refund_id = Some(refunds::enter(conn, now, actor, &order, &new).await?);
        for line in &lines {
            model::store_line(conn, line).await?;
        }
        model::store(conn, &row).await?;
        let detail = json!({ "refund": row.refund_id });
        record(conn, now, actor, "return.refund", &row, "refunded", detail).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// A return's lines with what their units are worth: never more than is left of a line.
async fn worth(conn: &mut Conn, order: &OrderRow, id: ReturnId) -> Result<Vec<ReturnLine>> {
    let sold = orders::lines_of(conn, &[order.id]).await?;
    let mut lines = model::lines_of(conn, &[id]).await?;
    let ids: Vec<_> = lines.iter().map(|line| line.line_id).collect();
    let before = model::units_refunded(conn, &ids).await?;
    for line in &mut lines {
        let Some(sold) = sold.iter().find(|sold| sold.id == line.line_id) else { continue };
        let earlier = before.get(&sold.id).copied().unwrap_or(0);
        let share = rules::share_minor(sold.total_minor, sold.quantity, earlier, line.received());
        line.refunded_minor = share.min(sold.total_minor - sold.refunded_minor);
    }
    Ok(lines)
}

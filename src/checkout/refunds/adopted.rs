//! Refunds that were made in Stripe's dashboard.

use chrono::{DateTime, Utc};
use kindred_stripe::Refund;
use serde_json::json;

use super::model::{self, RefundLine, RefundRow, RefundState};
use super::rules::{self, Asked, Parts, Refundable};
use super::service::{How, Tells, book, cards_of, fail, owe_note, queue_mail, refundable, state_of};
use crate::audit::Actor;
use crate::checkout::claims;
use crate::checkout::credit::service as credit;
use crate::checkout::gift_cards::service as gift_cards;
use crate::checkout::gifts::service as gifts;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow};
use crate::checkout::orders::service as ordering;
use crate::checkout::payments::model::PaymentRow;
use crate::checkout::pledges;
use crate::checkout::shipments::promises;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::types::id::{LineId, RefundId};

/// Money goes back by Stripe for which store credit was given already: the credit is taken back, and owed where it is spent,
/// the latest first, until the order has so much left. True where something was.
async fn undo_credit(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    wanted_minor: i64,
) -> Result<bool> {
    let mut left_minor = order.total_minor - order.refunded_minor;
    if wanted_minor <= left_minor {
        return Ok(false);
    }
    // In the order in which the booking of the refund needs them.
    claims::lock_of(conn, &[order.id]).await?;
    gifts::lock_accounts(conn, order.id, order.account_id).await?;
    let given = model::of_order(conn, order.id).await?;
    let given = given.iter().rev().filter(|row| row.is_credit() && row.state != RefundState::Failed);
    for row in given {
        if wanted_minor <= left_minor {
            break;
        }
        left_minor += row.amount_minor;
        let cause = format!("refund_undone:{}", row.id);
        credit::claw_back(conn, order.account_id, row.amount_minor, &cause, true, now).await?;
        fail(conn, now, row, None, Some("refunded_at_stripe")).await?;
    }
    Ok(true)
}

/// A refund that was made in Stripe's dashboard: entered as if an operator had asked here.
pub(super) async fn adopt(
    conn: &mut Conn,
    now: DateTime<Utc>,
    order: &OrderRow,
    payment: &PaymentRow,
    refund: &Refund,
) -> Result<()> {
    if state_of(refund.status) == RefundState::Failed || payment.captured_minor == 0 {
        return Ok(());
    }
    let undone = !payment.sent_back && undo_credit(conn, now, order, refund.amount_minor).await?;
    let order = &if undone { orders::load(conn, order.id).await? } else { order.clone() };
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let parts = if payment.sent_back {
        Parts { lines: Vec::new(), shipping_minor: 0 }
    } else {
        let redeemed = gift_cards::redeemed_of(conn, &cards_of(&lines)).await?;
        plan_adopted(order, &lines, &redeemed, refund.amount_minor)?
    };
    let row = RefundRow {
        id: RefundId::new(),
        order_id: order.id,
        payment_id: Some(payment.id),
        cause: format!("stripe:{}", refund.id),
        amount_minor: refund.amount_minor,
        currency: refund.currency.clone(),
        reason: "stripe_dashboard".to_owned(),
        state: state_of(refund.status),
        call_attempt: 1,
        stripe_refund_id: Some(refund.id.clone()),
        failure_reason: None,
        created_at: now,
        ended_at: None,
        requested_by: "stripe_dashboard".to_owned(),
        shipping_minor: parts.shipping_minor,
        points: None,
    };
    let of_lines: Vec<_> = parts
        .lines
        .iter()
        .map(|(line_id, amount_minor)| RefundLine {
            refund_id: row.id,
            line_id: *line_id,
            amount_minor: *amount_minor,
            restock: false,
        })
        .collect();
    if !model::insert(conn, &row, &of_lines).await? {
        return Ok(());
    }
    if !payment.sent_back {
        book(conn, now, order, &lines, &parts, How::Adopted(row.id)).await?;
        pledges::service::follow(conn, order.id, &lines, now).await?;
        promises::review(conn, order.id, now).await?;
    }
    owe_note(conn, now, payment, row.id, row.state).await?;
    queue_mail(conn, now, order, std::slice::from_ref(&row), Tells::Refund).await?;
    let detail = json!({ "refund": row.id.to_string(), "amount_minor": row.amount_minor });
    ordering::audit_order(conn, now, Actor::System, "refund.adopted", order.id, "stripe_dashboard", detail)
        .await
}

/// What a refund that was made in Stripe's dashboard takes back, which can't be refused: goods and shipping first, then gift
/// cards, redeemed ones last.
fn plan_adopted(
    order: &OrderRow,
    lines: &[LineRow],
    redeemed: &[LineId],
    amount_minor: i64,
) -> Result<Parts> {
    let of_lines: i64 = lines.iter().map(|line| line.refunded_minor).sum();
    let shipping_minor = order.shipping_minor - (order.refunded_minor - of_lines);
    let goods: Vec<_> = lines.iter().filter(|line| !line.is_gift_card()).map(refundable).collect();
    let goods_minor = goods.iter().map(Refundable::left_minor).sum::<i64>() + shipping_minor;
    let mut left_minor = amount_minor - amount_minor.min(goods_minor);
    let mut parts = match amount_minor - left_minor {
        0 => Parts { lines: Vec::new(), shipping_minor: 0 },
        minor => rules::plan(&goods, shipping_minor, &Asked::Amount(minor))?,
    };
    let mut cards: Vec<_> = lines.iter().filter(|line| line.is_gift_card()).collect();
    cards.sort_by_key(|line| redeemed.contains(&line.id));
    for card in cards {
        let minor = refundable(card).left_minor().min(left_minor);
        left_minor -= minor;
        parts.lines.extend((minor > 0).then_some((card.id, minor)));
    }
    if left_minor > 0 { Err(Code::RefundExceedsCaptured.error()) } else { Ok(parts) }
}

//! Parcels: what of an order has been handed over. The last one fulfils it.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;

use super::model::{self, Shipment};
use super::{promises, rules};
use crate::app::App;
use crate::audit::Actor;
use crate::checkout::cancellations::model as cancellations;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::orders::service::audit_order;
use crate::checkout::payments::service::recipient_of;
use crate::checkout::pledges;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::Lane;
use crate::messages::mails::{self, Mail, ReceiptLine};
use crate::shop::products::model::{self as products, Article, ProductKind};
use crate::shop::stock::service as stock;
use crate::types::id::{LineId, OrderId, PoolId, ShipmentId, VariantId};

/// A parcel that an operator sends.
#[derive(Clone, Debug)]
pub struct NewShipment {
    pub order: OrderId,
    pub carrier: String,
    pub tracking_number: Option<String>,
    /// What is in it; none: all that is still to be sent.
    pub lines: Option<Vec<(LineId, i64)>>,
}

/// Enters a parcel, once a request, and mails the buyer. The last parcel of an order fulfils it.
///
/// # Errors
/// `not_found`, `goal_not_reached`, `not_arrived` for what was announced and didn't come yet, `nothing_to_ship` for more
/// than is still to be sent (what was refunded in full or cancelled isn't), `invalid_field`,
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn ship(app: &App, actor: Actor, new: &NewShipment, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = orders::lock(conn, new.order).await?;
        let id = ShipmentId::new();
        if let Claim::Repeat(_) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return Ok(());
        }
        let parcel = pack(conn, &order, new.lines.as_deref(), &|_| 0).await?;
        send(conn, actor, &order, new, Parcel { id, cause: format!("shipment:{id}"), ..parcel }, now).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// A parcel that can be sent.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub id: ShipmentId,
    /// What it is sent by, once.
    pub cause: String,
    /// Units of lines.
    pub contents: Vec<(LineId, i64)>,
    lines: Vec<LineRow>,
    /// What was still to be sent of each line before it.
    open: HashMap<LineId, i64>,
}

/// How many units of a line are still to be sent.
pub fn open_units(line: &LineRow, article: &Article) -> i64 {
    if article.is_shipped() && !line.is_refunded() { line.quantity - line.shipped } else { 0 }
}

/// Sees what goes into a parcel of an order, whose row is locked; all that is open where nothing is `asked` for. `before`
/// says how much of a line is as good as sent; it is nothing but in a dry run. Nothing is written.
///
/// # Errors
/// As [`ship`].
pub async fn pack(
    conn: &mut Conn,
    order: &OrderRow,
    asked: Option<&[(LineId, i64)]>,
    before: &(dyn Fn(LineId) -> i64 + Sync),
) -> Result<Parcel> {
    if order.paid_at.is_none() {
        return Err(Code::NothingToShip.because("The order isn't paid."));
    }
    if order.state == OrderState::Refunded || cancellations::find(conn, order.id).await?.is_some() {
        return Err(Code::NothingToShip.because("The order was cancelled or refunded."));
    }
    let lines = orders::lines_of(conn, &[order.id]).await?;
    pledges::service::check_ready_to_ship(conn, &lines).await?;
    let ids: Vec<VariantId> = lines.iter().filter_map(|line| line.variant_id).collect();
    let articles = products::articles(conn, &ids).await?;
    let open_of = |line: &LineRow| {
        let article = articles.iter().find(|article| Some(article.id) == line.variant_id);
        article.map_or(0, |article| open_units(line, article)) - before(line.id)
    };
    let open: HashMap<LineId, i64> = lines.iter().map(|line| (line.id, open_of(line))).collect();
    let contents = contents(&lines, asked, |line| open.get(&line.id).copied().unwrap_or(0))?;
    stock::refuse_announced(conn, &units_of(&lines, &contents, &articles)).await?;
    let id = ShipmentId::new();
    Ok(Parcel { id, cause: format!("shipment:{id}"), contents, lines, open })
}

/// Enters a parcel that was packed under the lock of its order's row, and mails the buyer.
///
/// # Errors
/// The database's.
pub async fn send(
    conn: &mut Conn,
    actor: Actor,
    order: &OrderRow,
    new: &NewShipment,
    parcel: Parcel,
    now: DateTime<Utc>,
) -> Result<()> {
    let Parcel { id, cause, contents, lines, open } = parcel;
    let row = Shipment {
        id,
        order_id: order.id,
        carrier: new.carrier.clone(),
        tracking_number: new.tracking_number.clone(),
        cause,
        shipped_at: now,
        delivered_at: None,
    };
    if !model::insert(conn, &row, &contents).await? {
        return Err(AppError::internal("a new parcel has an old cause"));
    }
    let in_it =
        |line: &LineRow| contents.iter().find(|(id, _)| *id == line.id).map_or(0, |(_, units)| *units);
    let is_done = |line: &LineRow| open.get(&line.id).copied().unwrap_or(0) == in_it(line);
    for line in lines.iter().filter(|line| in_it(line) > 0 && is_done(line)) {
        orders::set_fulfilled(conn, line.id, now).await?;
    }
    let is_over = lines.iter().all(|line| line.fulfilled_at.is_some() || is_done(line));
    if is_over && order.state == OrderState::Paid {
        orders::set_state(conn, order.id, OrderState::Fulfilled, now).await?;
    }
    promises::review(conn, order.id, now).await?;
    let mail = Mail::Shipped {
        order_number: order.number.clone(),
        carrier: new.carrier.clone(),
        tracking_number: new.tracking_number.clone(),
        lines: lines
            .iter()
            .filter(|line| in_it(line) > 0)
            .map(|line| ReceiptLine {
                title: line.title.clone(),
                quantity: in_it(line),
                total_minor: line.total_minor,
            })
            .collect(),
    };
    mails::queue(conn, now, &recipient_of(order), &format!("shipped:{id}"), &mail).await?;
    let detail = json!({ "shipment": id.to_string() });
    audit_order(conn, now, actor, "shipment.create", order.id, "shipped", detail).await
}

/// An operator tells of a parcel that has arrived; told again, the later word counts. The time to send things back counts
/// from it.
///
/// # Errors
/// `not_found`, `invalid_field` for a time before the dispatch or in time to come.
pub async fn deliver(
    app: &App,
    actor: Actor,
    id: ShipmentId,
    delivered_at: Option<DateTime<Utc>>,
) -> Result<OrderId> {
    let now = app.clock.now();
    let at = delivered_at.map_or(now, |at| at.trunc_subsecs(6));
    db::transaction(&app.pool, async |conn| {
        let order = model::load(conn, id).await?.order_id;
        orders::lock(conn, order).await?;
        rules::check_delivered(model::load(conn, id).await?.shipped_at, at, now)?;
        model::set_delivered(conn, id, at).await?;
        let detail = json!({ "shipment": id.to_string(), "delivered_at": at });
        audit_order(conn, now, actor, "shipment.deliver", order, "delivered", detail).await?;
        Ok(order)
    })
    .await
}

/// What a parcel takes out of which stock. A unit that an F-code had set aside left its stock when the code was made.
fn units_of(
    lines: &[LineRow],
    parcel: &[(LineId, i64)],
    articles: &[Article],
) -> BTreeMap<VariantId, (PoolId, i64)> {
    let mut units: BTreeMap<VariantId, (PoolId, i64)> = BTreeMap::new();
    for (id, quantity) in parcel {
        let Some(line) = lines.iter().find(|line| line.id == *id) else { continue };
        let Some(article) = articles.iter().find(|article| Some(article.id) == line.variant_id) else {
            continue;
        };
        let own = article.pool.filter(|_| article.product.kind == ProductKind::Goods);
        let own = own.map(|pool| (article.id, pool, 1));
        let goods = article.parts.iter().filter(|part| part.kind == ProductKind::Goods);
        let of_parts = goods.filter_map(|part| Some((part.variant, part.pool?, i64::from(part.quantity))));
        for (variant, pool, of_one) in own.into_iter().chain(of_parts) {
            let taken = if line.f_code_id.is_some() { 0 } else { of_one * quantity };
            units.entry(variant).or_insert((pool, 0)).1 += taken;
        }
    }
    units
}

/// What goes into the parcel: each line once, no more than is open of it.
fn contents(
    lines: &[LineRow],
    asked: Option<&[(LineId, i64)]>,
    open: impl Fn(&LineRow) -> i64,
) -> Result<Vec<(LineId, i64)>> {
    let all: Vec<_> =
        lines.iter().map(|line| (line.id, open(line))).filter(|(_, quantity)| *quantity > 0).collect();
    let Some(asked) = asked else {
        return if all.is_empty() { Err(Code::NothingToShip.error()) } else { Ok(all) };
    };
    let mut parcel: Vec<(LineId, i64)> = Vec::with_capacity(asked.len());
    for (index, (id, quantity)) in asked.iter().enumerate() {
        let wrong = |field: &str, why: &'static str| {
            Err(Code::InvalidField.at(format!("lines[{index}].{field}"), why))
        };
        if !lines.iter().any(|line| line.id == *id) {
            return wrong("line", "not a line of this order");
        }
        if parcel.iter().any(|(known, _)| known == id) {
            return wrong("line", "named twice");
        }
        if *quantity < 1 {
            return wrong("quantity", "expected at least 1");
        }
        let left = all.iter().find(|(open, _)| open == id).map_or(0, |(_, left)| *left);
        if *quantity > left {
            return Err(Code::NothingToShip.because(format!("{left} of this line are still to be sent.")));
        }
        parcel.push((*id, *quantity));
    }
    if parcel.is_empty() { Err(Code::InvalidField.at("lines", "expected at least one")) } else { Ok(parcel) }
}

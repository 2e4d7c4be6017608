//! Parcels: what of an order has been handed over. The last one fulfils it.

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::json;

use super::model::{self, Shipment};
use super::packing::{Facts, Parcel};
use super::{promises, rules};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::orders::model::{self as orders, OrderRow, OrderState};
use crate::checkout::orders::service::audit_order;
use crate::checkout::payments::service::recipient_of;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::jobs::Lane;
use crate::messages::mails::{self, Mail, ReceiptLine};
use crate::types::id::{LineId, OrderId, ShipmentId};

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
        let facts = Facts::read(conn, &[order.id]).await?;
        let mut parcel = facts.pack(&order, new.lines.as_deref(), &|_| 0)?;
        facts.check_arrived(conn, &parcel).await?;
        (parcel.id, parcel.cause) = (id, format!("shipment:{id}"));
        let (carrier, tracking_number) = (new.carrier.clone(), new.tracking_number.clone());
        send(conn, actor, &[Packed { order, parcel, carrier, tracking_number }], now).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(())
}

/// A parcel of an order whose row is locked.
#[derive(Clone, Debug)]
pub struct Packed {
    pub order: OrderRow,
    pub parcel: Parcel,
    pub carrier: String,
    pub tracking_number: Option<String>,
}

impl Packed {
    fn row(&self, now: DateTime<Utc>) -> Shipment {
        Shipment {
            id: self.parcel.id,
            order_id: self.order.id,
            carrier: self.carrier.clone(),
            tracking_number: self.tracking_number.clone(),
            cause: self.parcel.cause.clone(),
            shipped_at: now,
            delivered_at: None,
        }
    }

    /// Nothing is left of the order after it.
    fn is_last(&self) -> bool {
        let mut lines = self.parcel.lines.iter();
        lines.all(|line| line.fulfilled_at.is_some() || self.parcel.completes(line.id))
    }

    fn mail(&self) -> Mail {
        let in_it = self.parcel.lines.iter().filter(|line| self.parcel.units_of(line.id) > 0);
        Mail::Shipped {
            order_number: self.order.number.clone(),
            carrier: self.carrier.clone(),
            tracking_number: self.tracking_number.clone(),
            lines: in_it
                .map(|line| ReceiptLine {
                    title: line.title.clone(),
                    quantity: self.parcel.units_of(line.id),
                    total_minor: line.total_minor,
                })
                .collect(),
        }
    }
}

/// Enters parcels that were packed under the locks of their orders' rows, each of another order, and mails the buyers.
///
/// # Errors
/// The database's.
pub async fn send(conn: &mut Conn, actor: Actor, parcels: &[Packed], now: DateTime<Utc>) -> Result<()> {
    if parcels.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = parcels.iter().map(|packed| packed.row(now)).collect();
    let contents: Vec<_> = parcels
        .iter()
        .flat_map(|Packed { parcel, .. }| {
            parcel.contents.iter().map(|(line, units)| (parcel.id, *line, *units))
        })
        .collect();
    if !model::insert(conn, &rows, &contents).await? {
        return Err(AppError::internal("a new parcel has an old cause"));
    }
    let done: Vec<_> = parcels
        .iter()
        .flat_map(|Packed { parcel, .. }| parcel.contents.iter().filter(|(line, _)| parcel.completes(*line)))
        .map(|(line, _)| *line)
        .collect();
    orders::set_fulfilled(conn, &done, now).await?;
    let is_over = |packed: &&Packed| packed.is_last() && packed.order.state == OrderState::Paid;
    let over: Vec<_> = parcels.iter().filter(is_over).map(|packed| packed.order.id).collect();
    orders::end_fulfilled(conn, &over).await?;
    promises::review_all(conn, parcels.iter().map(|packed| packed.order.id).collect(), now).await?;
    let mail = |packed: &Packed| {
        (recipient_of(&packed.order), format!("shipped:{}", packed.parcel.id), packed.mail())
    };
    mails::queue_all(conn, now, &parcels.iter().map(mail).collect::<Vec<_>>()).await?;
    let entry = |packed: &Packed| Entry {
        actor,
        action: "shipment.create",
        subject_kind: "order",
        subject_id: packed.order.id.to_string(),
        reason: Some("shipped"),
        detail: json!({ "shipment": packed.parcel.id.to_string() }),
    };
    audit::record_all(conn, now, parcels.iter().map(entry).collect()).await
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

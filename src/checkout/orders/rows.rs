//! The rows that a batch leaves: gathered order by order, written column by column.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kindred_stripe::Method;
use uuid::Uuid;

use super::model::{NewKey, NewLine, NewOrder, NewSeriesPlace, OrderState};
use super::rules::{self, Facts};
use super::service::{PlaceOrder, ROUTE, Shop};
use crate::checkout::claims::{self, NewClaim};
use crate::checkout::payments::model::{NewPayment, PaymentState};
use crate::checkout::pricing::rules::Priced;
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job};
use crate::membership::plans::model::{Plan, Renews};
use crate::types::id::{ClaimId, LineId, OrderId, PaymentId};

/// The rows of a batch, column by column when they are written.
#[derive(Default)]
pub struct Rows {
    orders: Vec<NewOrder>,
    lines: Vec<NewLine>,
    claims: Vec<NewClaim>,
    places: Vec<NewSeriesPlace>,
    payments: Vec<NewPayment>,
    keys: Vec<NewKey>,
    jobs: Vec<(Job, DateTime<Utc>)>,
}

impl Rows {
    /// The rows of one accepted order.
    ///
    /// # Errors
    /// `unauthenticated` for an erased account.
    pub fn add(
        &mut self,
        order: &PlaceOrder,
        facts: &Facts<'_>,
        title: String,
        priced: &Priced,
        shop: &Shop,
        now: DateTime<Utc>,
    ) -> Result<OrderId> {
        let id = OrderId::new();
        let totals = priced.totals;
        self.orders.push(NewOrder {
            id,
            number: rules::order_number(now, shop.zone, rand::random()),
            account_id: facts.buyer.id,
            state: OrderState::PendingPayment.as_str(),
            currency: shop.currency.clone(),
            subtotal_minor: totals.subtotal_minor,
            discount_minor: totals.discount_minor,
            shipping_minor: totals.shipping_minor,
            tax_included_minor: totals.tax_included_minor,
            total_minor: totals.total_minor,
            points_minor: totals.points_minor,
            credit_minor: totals.credit_minor,
            due_minor: totals.due_minor,
            explanation: serde_json::to_value(&priced.explanation).map_err(AppError::internal)?,
            email: facts.buyer.email.clone().ok_or(Code::Unauthenticated)?,
            locale: facts.buyer.locale.as_str().to_owned(),
            invite_code: order.invite_code.clone().or_else(|| facts.buyer.invite_code.clone()),
            terms_version: order.terms_version.clone(),
            consents: order.consents.clone(),
            success_url: order.success_url.clone(),
            cancel_url: order.cancel_url.clone(),
            hold_minutes: facts.plan.hold_minutes,
            has_membership: true,
            created_at: now,
        });
        for (position, line) in priced.lines.iter().enumerate() {
            let line_id = LineId::new();
            self.lines.push(NewLine {
                id: line_id,
                order_id: id,
                position: i32::try_from(position).map_err(AppError::internal)?,
                kind: "plan",
                plan_id: Some(facts.plan.id),
                drive_id: facts.drive.map(|drive| drive.id),
                invitation_id: rules::invitation_used(facts).map(|invitation| invitation.id),
                title: title.clone(),
                quantity: line.quantity,
                unit_price_minor: line.unit_price_minor,
                discount_minor: line.discount_minor,
                total_minor: line.total_minor,
            });
            self.claims.extend(rules::pools_claimed(facts).into_iter().map(|pool_id| NewClaim {
                id: ClaimId::new(),
                pool_id,
                order_id: id,
                line_id,
                quantity: 1,
                state: "held",
                created_at: now,
            }));
        }
        if let Some(drive) = facts.drive {
            self.places.push(NewSeriesPlace {
                id: Uuid::now_v7(),
                series: drive.series.clone(),
                account_id: facts.buyer.id,
                person_key: facts.buyer.person_key.clone().ok_or(Code::Unauthenticated)?,
                order_id: id,
            });
        }
        self.add_payment(id, totals.due_minor, facts.plan, shop, now);
        self.keys.push(NewKey {
            account_id: facts.buyer.id,
            route: ROUTE,
            key: order.key.clone(),
            body_hash: order.body_hash.clone(),
            status: 201,
            resource: id.0,
            created_at: now,
        });
        Ok(id)
    }

    fn add_payment(&mut self, order: OrderId, due_minor: i64, plan: &Plan, shop: &Shop, now: DateTime<Utc>) {
        let payment = PaymentId::new();
        let is_needed = due_minor > 0;
        let state = if is_needed { PaymentState::Preparing } else { PaymentState::NotNeeded };
        self.payments.push(NewPayment {
            id: payment,
            order_id: order,
            attempt: 1,
            state: state.as_str(),
            amount_minor: due_minor,
            currency: shop.currency.clone(),
            methods: method_names(&plan.payment_methods),
            saves_card: plan.renews == Renews::Card,
            expires_at: None,
            created_at: now,
        });
        let job = if is_needed { Job::OpenCheckout { payment } } else { Job::SettleFree { order } };
        self.jobs.push((job, now));
    }

    /// Writes everything, and moves the pools' counters.
    ///
    /// # Errors
    /// The database's.
    pub async fn write(self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        if self.orders.is_empty() {
            return Ok(());
        }
        let mut held = BTreeMap::new();
        for claim in &self.claims {
            held.entry(claim.pool_id).or_insert((0, 0)).0 += claim.quantity;
        }
        // Rows that refer to others go out after them; those that don't go out together, pipelined.
        let (mut one, mut two, mut three, mut four) = (&*conn, &*conn, &*conn, &*conn);
        let orders = NewOrder::insert(&mut one, self.orders);
        let keys = NewKey::insert(&mut two, self.keys);
        tokio::try_join!(orders, keys, claims::shift(&mut three, &held))?;
        let lines = NewLine::insert(&mut one, self.lines);
        let places = NewSeriesPlace::insert(&mut two, self.places);
        let payments = NewPayment::insert(&mut three, self.payments);
        tokio::try_join!(lines, places, payments)?;
        let claims = async { NewClaim::insert(&mut one, self.claims).await.map_err(AppError::from) };
        let jobs = jobs::queue::enqueue_pipelined(&mut four, &self.jobs, now);
        tokio::try_join!(claims, jobs)?;
        Ok(())
    }
}

/// How methods are written into the row.
pub fn method_names(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(",")
}

//! Waiting for an order to move: however many requests wait on an instance, one query a round asks for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio::sync::{Notify, watch};

use super::model::OrderState;
use crate::app::App;
use crate::checkout::payments::model::{self as payments, PaymentState};
use crate::db::{self, Conn};
use crate::error::Result;
use crate::schema::orders;
use crate::types::id::OrderId;

/// Between two rounds.
const ROUND: Duration = Duration::from_millis(100);
/// The longest that a request may wait (api.md).
pub const WAIT_MAX: Duration = Duration::from_secs(20);

/// How an order stands, as far as waiting goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub order: OrderState,
    pub payment: Option<PaymentState>,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitFor {
    /// Until the payment page is ready, or never will be.
    Payment,
    /// Until the order is paid, or never will be.
    Settled,
}

impl WaitFor {
    pub fn is_over(self, standing: Standing) -> bool {
        match self {
            Self::Payment => standing.payment != Some(PaymentState::Preparing),
            Self::Settled => standing.order != OrderState::PendingPayment,
        }
    }
}

/// Who waits for what, on this instance.
#[derive(Default)]
pub struct WaitingRoom {
    asked: Mutex<HashMap<OrderId, watch::Sender<Option<Standing>>>>,
    someone: Notify,
}

impl WaitingRoom {
    fn seat(&self, id: OrderId) -> watch::Receiver<Option<Standing>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let seats = asked.entry(id).or_insert_with(|| watch::Sender::new(None));
        // What others were told before may not be so any more: who comes now waits for the next look.
        seats.send_replace(None);
        let seat = seats.subscribe();
        self.someone.notify_one();
        seat
    }

    /// Orders that somebody still waits for; seats that were left are cleared.
    fn waited_for(&self) -> Vec<OrderId> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, seats| seats.receiver_count() > 0);
        asked.keys().copied().collect()
    }

    fn tell(&self, id: OrderId, standing: Standing) {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seats) = asked.get(&id) {
            seats.send_if_modified(|known| known.replace(standing) != Some(standing));
        }
    }

    /// Waits until `wanted` is over, for `at_most`; true when it is.
    pub async fn wait(&self, id: OrderId, wanted: WaitFor, at_most: Duration) -> bool {
        let mut seat = self.seat(id);
        let over = seat.wait_for(|standing| standing.is_some_and(|standing| wanted.is_over(standing)));
        matches!(tokio::time::timeout(at_most, over).await, Ok(Ok(_)))
    }
}

/// Asks for all who wait, round after round, until the app is shutting down.
pub async fn run(app: Arc<App>) {
    let mut shutdown = app.shutdown.subscribe();
    while !*shutdown.borrow() {
        let ids = app.waiting.waited_for();
        if ids.is_empty() {
            tokio::select! {
                () = app.waiting.someone.notified() => {}
                _ = shutdown.changed() => {}
            }
            continue;
        }
        let asked = async { standings(&mut *db::connect(&app.pool).await?, &ids).await };
        match asked.await {
            Ok(standings) => standings.into_iter().for_each(|(id, standing)| app.waiting.tell(id, standing)),
            Err(error) => tracing::warn!(%error, "can't look how waited-for orders stand"),
        }
        tokio::time::sleep(ROUND).await;
    }
}

async fn standings(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<(OrderId, Standing)>> {
    let states: Vec<(OrderId, OrderState)> =
        orders::table.filter(orders::id.eq_any(ids)).select((orders::id, orders::state)).load(conn).await?;
    let payments: HashMap<OrderId, PaymentState> = payments::latest_of(conn, ids)
        .await?
        .into_iter()
        .map(|payment| (payment.order_id, payment.state))
        .collect();
    let standing = |(id, order)| (id, Standing { order, payment: payments.get(&id).copied() });
    Ok(states.into_iter().map(standing).collect())
}

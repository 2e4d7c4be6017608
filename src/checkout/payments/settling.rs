//! Sets of payments. What is plain, pages that can be opened and money for orders that wait for it, is applied set by set with so
//! many statements, however large the set; the rest has its turn alone, by [`service::apply`].
//!
//! Locks the orders by id, then the pools, then the accounts, then counters.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use kindred_stripe::{Checkout, CheckoutStatus};

use super::delivery::{DeliveryTerms, count, deliver};
use super::model::{self, Capture, PaymentRow, PaymentState};
use super::service::{self, Claims, capture_of, is_paid};
use crate::checkout::claims::{self, Claim};
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::pledges;
use crate::checkout::renewals::service::{self as renewals, Settled};
use crate::db::Conn;
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::membership::measures::model::expelled_of;
use crate::membership::memberships::model as memberships;
use crate::membership::memberships::rules::{GRACE, may_buy};
use crate::membership::plans::model as plans;
use crate::people::accounts::model as accounts;
use crate::promotion::repeat_cards::service as repeat_cards;
use crate::types::id::{AccountId, DropId, OrderId, PaymentId};

/// How a session stands, as Stripe says.
#[derive(Clone, Debug)]
pub struct Told {
    pub payment: PaymentId,
    pub session: Checkout,
}

impl Told {
    /// Might it be plain?
    pub fn may_be_plain(&self) -> bool {
        match self.session.status {
            CheckoutStatus::Open => true,
            CheckoutStatus::Complete => is_paid(&self.session),
            CheckoutStatus::Expired | CheckoutStatus::Unknown => false,
        }
    }
}

/// An order that can be honoured.
pub struct Due {
    pub order: OrderRow,
    pub lines: Vec<LineRow>,
    /// By which payment, where anything was due.
    pub paid: Option<(PaymentId, Capture)>,
}

impl Due {
    fn is_membership(&self) -> bool {
        self.lines.iter().any(LineRow::is_membership)
    }

    /// In which something was bought.
    pub fn drops(&self) -> impl Iterator<Item = DropId> {
        self.lines.iter().filter_map(|line| line.drop_id)
    }
}

/// Applies what is plain; true for each of which that was so.
///
/// # Errors
/// The database's; then nothing was applied.
pub async fn apply(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    told: &[Told],
) -> Result<Vec<bool>> {
    let payments: Vec<_> = told.iter().map(|one| one.payment).collect();
    let of = model::load_all(conn, &payments).await?;
    let ids: Vec<_> = of.iter().map(|row| row.order_id).collect();
    let locked = orders::lock_all(conn, &ids).await?;
    // As they stand under the locks.
    let (rows, lines) = tokio::try_join!(model::load_all(conn, &payments), orders::lines_of(conn, &ids))?;
    let mut sorted = Sorted::default();
    for one in told {
        let row = rows.iter().find(|row| row.id == one.payment);
        let order = row.and_then(|row| locked.iter().find(|order| order.id == row.order_id));
        if let (Some(row), Some(order)) = (row, order) {
            sorted.add(one, row, order, &lines, now);
        }
    }
    model::store_sessions(conn, &sorted.opened).await?;
    model::set_ready(conn, &sorted.ready).await?;
    jobs::enqueue_all(conn, &sorted.jobs, now).await?;
    let (dues, live) = possible(conn, now, sorted.dues).await?;
    let claims = match live {
        Some(live) => {
            claims::take(conn, live, now).await?;
            Claims::Taken
        }
        None => Claims::Held,
    };
    complete(conn, terms, now, &dues, claims).await?;
    let mut done: HashSet<_> = sorted.done.into_iter().collect();
    done.extend(dues.iter().filter_map(|due| due.paid.as_ref().map(|(payment, _)| *payment)));
    // What says the same twice is done by the first one.
    let first = |one: &Told| told.iter().find(|other| other.payment == one.payment);
    let is_said = |one: &Told| first(one).is_some_and(|other| other.session == one.session);
    Ok(told.iter().map(|one| done.contains(&one.payment) && is_said(one)).collect())
}

/// What a set has that may be plain.
#[derive(Default)]
struct Sorted<'a> {
    orders: HashSet<OrderId>,
    members: HashSet<AccountId>,
    done: Vec<PaymentId>,
    opened: Vec<(PaymentId, &'a Checkout)>,
    ready: Vec<(PaymentId, DateTime<Utc>)>,
    jobs: Vec<(Job, DateTime<Utc>)>,
    dues: Vec<Due>,
}

impl<'a> Sorted<'a> {
    fn add(
        &mut self,
        told: &'a Told,
        row: &PaymentRow,
        order: &OrderRow,
        lines: &[LineRow],
        now: DateTime<Utc>,
    ) {
        let Told { session, .. } = told;
        // What is said of one order follows one after the other.
        if !told.may_be_plain() || !self.orders.insert(order.id) {
            return;
        }
        if session.status == CheckoutStatus::Open {
            return self.add_page(session, row, order, now);
        }
        if is_known(row, session) {
            return self.done.push(row.id);
        }
        let lines: Vec<_> = lines.iter().filter(|line| line.order_id == order.id).cloned().collect();
        let capture = capture_of(row, session);
        // A membership is an account's: the next order of it follows.
        let is_next = lines.iter().any(LineRow::is_membership) && !self.members.insert(order.account_id);
        if !is_next && is_plain(order, row, &lines, &capture) {
            self.dues.push(Due { order: order.clone(), lines, paid: Some((row.id, capture)) });
        }
    }

    /// The page can be opened: the hold's clock starts, and its end is a job.
    fn add_page(&mut self, session: &'a Checkout, row: &PaymentRow, order: &OrderRow, now: DateTime<Utc>) {
        self.done.push(row.id);
        match row.stripe_session_id.as_deref() {
            None => self.opened.push((row.id, session)),
            // Another session of the same attempt, whose page nobody was shown.
            Some(known) if known != session.id => return,
            Some(_) => {}
        }
        if row.state != PaymentState::Preparing || order.state != OrderState::PendingPayment {
            return;
        }
        let hold = TimeDelta::minutes(i64::from(order.hold_minutes));
        // A later attempt keeps the hold that the first one started.
        let ends_at = row.expires_at.unwrap_or(now + hold);
        self.ready.push((row.id, ends_at));
        self.jobs.push((Job::EndHold { order: order.id }, ends_at));
        let warn_at = ends_at - hold / 3;
        if hold >= TimeDelta::minutes(10) && warn_at > now {
            self.jobs.push((Job::WarnHold { payment: row.id }, warn_at));
        }
    }
}

/// Money that has been taken in: several events tell of it.
fn is_known(row: &PaymentRow, session: &Checkout) -> bool {
    let known =
        row.stripe_payment_intent_id.is_some() && row.stripe_payment_intent_id == session.payment_intent;
    row.captured_minor > 0 && known && row.stripe_session_id.is_some()
}

/// The first money of an order that waits for it, as much as is due, for goods or one's own membership.
fn is_plain(order: &OrderRow, row: &PaymentRow, lines: &[LineRow], capture: &Capture) -> bool {
    let is_first = row.captured_minor == 0 && row.stripe_session_id.is_some();
    let is_due = capture.amount_minor == row.amount_minor && capture.currency == row.currency;
    let sells = |line: &LineRow| {
        let changes = line.upgrade_quote_id.is_some() || line.renewal_id.is_some();
        !changes && !line.is_gift() && !line.is_gift_card()
    };
    let has_credit = order.credit_minor > 0 && lines.iter().any(LineRow::is_membership);
    order.state == OrderState::PendingPayment && is_first && is_due && !has_credit && lines.iter().all(sells)
}

/// Those that can be honoured, and their claims, where the pools had to be locked for that: with a membership among them the
/// accounts are locked too.
async fn possible(
    conn: &mut Conn,
    now: DateTime<Utc>,
    mut dues: Vec<Due>,
) -> Result<(Vec<Due>, Option<Vec<Claim>>)> {
    let drops: Vec<_> = dues.iter().flat_map(Due::drops).collect();
    let goals = pledges::service::goals_among(conn, &drops).await?;
    dues.retain(|due| due.drops().all(|drop| !goals.contains(&drop)));
    let members: Vec<_> =
        dues.iter().filter(|due| due.is_membership()).map(|due| due.order.account_id).collect();
    if members.is_empty() {
        return Ok((dues, None));
    }
    let mut live = claims::lock_of(conn, &dues.iter().map(|due| due.order.id).collect::<Vec<_>>()).await?;
    accounts::lock_buyers(conn, &members).await?;
    let bought: Vec<_> =
        dues.iter().flat_map(|due| due.lines.iter()).filter_map(|line| line.plan_id).collect();
    let (expelled, open, plans) = tokio::try_join!(
        expelled_of(conn, &members),
        memberships::open_of(conn, &members),
        plans::load(conn, &bought)
    )?;
    let forbids = |due: &Due| {
        let account = due.order.account_id;
        let own = open.iter().find(|row| row.account_id == account);
        let wanted: Vec<_> = due.lines.iter().filter_map(|line| line.plan_id).collect();
        let mut wanted = plans.iter().filter(|plan| wanted.contains(&plan.id));
        due.is_membership()
            && (expelled.contains(&account)
                || wanted.any(|plan| may_buy(own, plan.tier, now, GRACE).is_err()))
    };
    dues.retain(|due| !forbids(due));
    live.retain(|claim| dues.iter().any(|due| due.order.id == claim.order_id));
    Ok((dues, Some(live)))
}

/// Takes the money into orders, of which no two make memberships of one account, and delivers them. Their rows are locked, and
/// the accounts of those that make memberships.
///
/// # Errors
/// The database's.
pub(super) async fn complete(
    conn: &mut Conn,
    terms: DeliveryTerms,
    now: DateTime<Utc>,
    set: &[Due],
    claims: Claims,
) -> Result<()> {
    if set.is_empty() {
        return Ok(());
    }
    let paid: Vec<_> = set.iter().filter_map(|due| Some((due.order.id, due.paid.as_ref()?))).collect();
    let captures: Vec<_> = paid.iter().map(|(_, (payment, capture))| (*payment, capture)).collect();
    model::set_captured(conn, &captures, now).await?;
    let orders: Vec<_> = paid.iter().map(|(order, _)| *order).collect();
    let payments: Vec<_> = captures.iter().map(|(payment, _)| *payment).collect();
    service::close_others(conn, now, &orders, &payments).await?;
    deliver(conn, terms, now, set).await?;
    let settled = set.iter().map(|due| Settled {
        order: &due.order,
        lines: &due.lines,
        has_card: due.paid.as_ref().is_some_and(|(_, capture)| capture.saved_method.is_some()),
    });
    renewals::settled(conn, &settled.collect::<Vec<_>>(), now).await?;
    let cards =
        paid.iter().filter_map(|(order, (_, capture))| Some((*order, capture.card_fingerprint.as_deref()?)));
    repeat_cards::judge(conn, &cards.collect::<Vec<_>>(), now).await?;
    let drops: Vec<_> = set.iter().flat_map(Due::drops).collect();
    let goals = pledges::service::goals_among(conn, &drops).await?;
    for due in set.iter().filter(|due| due.drops().any(|drop| goals.contains(&drop))) {
        pledges::service::follow(conn, due.order.id, &due.lines, now).await?;
    }
    if claims == Claims::Held {
        let orders: Vec<_> = set.iter().map(|due| due.order.id).collect();
        let live = claims::lock_of(conn, &orders).await?;
        claims::take(conn, live, now).await?;
    }
    count(conn, set, now).await
}

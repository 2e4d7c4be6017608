//! Placing and cancelling. [`place`] takes a batch and works set by set in one transaction; a single order is a batch of
//! one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use kindred_stripe::Method;
use serde_json::Value;
use uuid::Uuid;

use super::model::{self, NewKey, NewLine, NewOrder, NewSeriesPlace, OrderState};
use super::rules::{self, Facts, Ledger};
use crate::app::App;
use crate::audit::{self, Actor};
use crate::checkout::claims::{self, NewClaim};
use crate::checkout::payments::model::{self as payments, NewPayment, PaymentState};
use crate::checkout::pricing::rules::{Priced, PricedItem, price};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::applications::model::{self as applications, Application};
use crate::membership::drives::model::{self as drives, Admission, Drive};
use crate::membership::invitations::model::{self as invitations, Invitation};
use crate::membership::memberships::model::{self as memberships, MembershipRow};
use crate::membership::plans::model::{self as plans, Plan, Renews};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{AccountId, ClaimId, DriveId, LineId, OrderId, PaymentId, PlanId, PoolId};
use crate::types::locale::Locale;

/// The route under which the keys of placed orders are kept.
pub const ROUTE: &str = "POST /v1/orders";
pub const CANCEL_ROUTE: &str = "POST /v1/orders/{id}/cancel";

/// One line, as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    Plan { plan: PlanId, drive: Option<DriveId>, invitation: Option<String> },
}

/// What is to be bought.
#[derive(Clone, Debug)]
pub struct Cart {
    pub account: AccountId,
    pub line: Line,
}

/// An order to place.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    pub cart: Cart,
    pub key: String,
    pub body_hash: Vec<u8>,
    pub invite_code: Option<String>,
    pub terms_version: Option<String>,
    pub consents: Value,
    pub success_url: String,
    pub cancel_url: String,
}

/// An order that stands, or stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    pub order: OrderId,
    /// True when an earlier request with the same key placed it.
    pub replayed: bool,
}

/// What a shop's zone and currency decide.
#[derive(Clone, Debug)]
pub struct Shop {
    pub zone: Tz,
    pub currency: String,
}

/// Everything that carts are judged by, read set by set.
#[derive(Default)]
struct Catalog {
    plans: HashMap<PlanId, Plan>,
    drives: HashMap<DriveId, Drive>,
    invitations: Vec<Invitation>,
}

/// What is read under the locks.
struct Locked {
    buyers: HashMap<AccountId, Buyer>,
    memberships: HashMap<AccountId, MembershipRow>,
    applications: Vec<Application>,
}

/// Places a batch in the caller's transaction: every order is accepted or refused for itself, in the order of the batch,
/// and only accepted ones leave rows. Locks pools by id, then accounts by id.
///
/// # Errors
/// The database's alone: then nothing of the batch stands, and the caller may place its halves.
pub async fn place(
    conn: &mut Conn,
    shop: &Shop,
    now: DateTime<Utc>,
    batch: &[PlaceOrder],
) -> Result<Vec<Result<Placed>>> {
    let carts: Vec<&Cart> = batch.iter().map(|order| &order.cart).collect();
    let catalog = read_catalog(conn, &carts).await?;
    let pools = claims::lock(conn, &pools_of(&catalog)).await?;
    let accounts = accounts_of(&carts);
    let buyers = accounts::lock_buyers(conn, &accounts).await?;
    let (locked, mut ledger) = read_locked(conn, &catalog, pools, buyers).await?;
    let keys: Vec<String> = batch.iter().map(|order| order.key.clone()).collect();
    let earlier = model::earlier_keys(conn, ROUTE, &accounts, &keys).await?;
    let mut known: HashMap<(AccountId, String), (Vec<u8>, OrderId)> = earlier
        .into_iter()
        .map(|row| ((row.account_id, row.key), (row.body_hash, OrderId(row.resource))))
        .collect();
    let mut rows = Rows::default();
    let mut answers = Vec::with_capacity(batch.len());
    for order in batch {
        let key = (order.cart.account, order.key.clone());
        let answer = match known.get(&key) {
            Some((hash, _)) if *hash != order.body_hash => Err(Code::IdempotencyKeyReused.error()),
            Some((_, placed)) => Ok(Placed { order: *placed, replayed: true }),
            None => accept(order, &catalog, &locked, &mut ledger, shop, now, &mut rows),
        };
        if let Ok(Placed { order: placed, replayed: false }) = answer {
            known.insert(key, (order.body_hash.clone(), placed));
        }
        answers.push(answer);
    }
    rows.write(conn, now).await?;
    Ok(answers)
}

fn accounts_of(carts: &[&Cart]) -> Vec<AccountId> {
    let ids: BTreeSet<_> = carts.iter().map(|cart| cart.account).collect();
    ids.into_iter().collect()
}

async fn read_catalog(conn: &mut Conn, carts: &[&Cart]) -> Result<Catalog> {
    let (mut plan_ids, mut drive_ids, mut codes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for cart in carts {
        let Line::Plan { plan, drive, invitation } = &cart.line;
        match drive {
            Some(drive) => drive_ids.insert(*drive),
            None => plan_ids.insert(*plan),
        };
        codes.extend(invitation.clone());
    }
    let drive_ids: Vec<_> = drive_ids.into_iter().collect();
    let drives: HashMap<_, _> =
        drives::load(conn, &drive_ids).await?.into_iter().map(|drive| (drive.id, drive)).collect();
    let plans = match plan_ids.is_empty() {
        true => Vec::new(),
        false => plans::load(conn, &plan_ids.into_iter().collect::<Vec<_>>()).await?,
    };
    let invited: Vec<_> = drives
        .values()
        .filter(|drive| drive.admission == Admission::Invitation)
        .map(|drive| drive.id)
        .collect();
    let invitations = if invited.is_empty() {
        Vec::new()
    } else {
        // Whose address is on the list needs no code.
        let addresses = accounts::email_keys(conn, &accounts_of(carts)).await?;
        invitations::find(conn, &invited, &codes.into_iter().collect::<Vec<_>>(), &addresses).await?
    };
    Ok(Catalog { plans: plans.into_iter().map(|plan| (plan.id, plan)).collect(), drives, invitations })
}

fn pools_of(catalog: &Catalog) -> Vec<PoolId> {
    let drives = catalog.drives.values().map(|drive| drive.pool);
    drives.chain(catalog.invitations.iter().map(|invitation| invitation.pool)).collect()
}

async fn read_locked(
    conn: &mut Conn,
    catalog: &Catalog,
    pools: Vec<claims::Pool>,
    buyers: Vec<Buyer>,
) -> Result<(Locked, Ledger)> {
    let ids: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
    let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
    let series: BTreeSet<_> = catalog.drives.values().map(|drive| drive.series.clone()).collect();
    let by_application: Vec<_> = catalog
        .drives
        .values()
        .filter(|drive| drive.admission == Admission::Application)
        .map(|drive| drive.id)
        .collect();
    let mut ledger = Ledger {
        left: pools.iter().map(|pool| (pool.id, pool.left())).collect(),
        pending: model::with_pending_membership(conn, &ids).await?,
        ..Ledger::default()
    };
    if !series.is_empty() {
        let series: Vec<_> = series.into_iter().collect();
        for (series, account, person) in model::live_places(conn, &series, &ids, &people).await? {
            ledger.account_places.insert((series.clone(), account));
            ledger.person_places.insert((series, person));
        }
    }
    let applications = if by_application.is_empty() {
        Vec::new()
    } else {
        applications::of(conn, &by_application, &ids).await?
    };
    let memberships = memberships::open_of(conn, &ids).await?;
    let locked = Locked {
        memberships: memberships.into_iter().map(|row| (row.account_id, row)).collect(),
        buyers: buyers.into_iter().map(|buyer| (buyer.id, buyer)).collect(),
        applications,
    };
    Ok((locked, ledger))
}

/// Gathers what is known of a cart's line.
///
/// # Errors
/// `unknown_plan`, `unknown_drive`, `unknown_invitation`, `unauthenticated`.
fn facts_of<'a>(cart: &Cart, catalog: &'a Catalog, locked: &'a Locked) -> Result<Facts<'a>> {
    let buyer = locked.buyers.get(&cart.account).ok_or(Code::Unauthenticated)?;
    let Line::Plan { plan, drive, invitation } = &cart.line;
    let drive = match drive {
        Some(id) => {
            Some(catalog.drives.get(id).ok_or_else(|| Code::UnknownDrive.at("lines[0].drive", "unknown"))?)
        }
        None => None,
    };
    let plan = match drive {
        Some(drive) if drive.plan.id == *plan => &drive.plan,
        Some(_) => return Err(Code::UnknownDrive.at("lines[0].drive", "this drive sells another plan")),
        None => catalog.plans.get(plan).ok_or_else(|| Code::UnknownPlan.at("lines[0].plan", "unknown"))?,
    };
    let of_drive = |found: &&Invitation| drive.is_some_and(|drive| drive.id == found.drive);
    let found = match invitation {
        Some(code) => {
            let found = catalog.invitations.iter().find(|found| found.code == *code);
            if found.is_none() && drive.is_some_and(|drive| drive.admission == Admission::Invitation) {
                return Err(Code::UnknownInvitation.at("lines[0].invitation", "unknown"));
            }
            found.filter(of_drive)
        }
        None => catalog
            .invitations
            .iter()
            .filter(of_drive)
            .find(|found| found.email_key.is_some() && found.email_key == buyer.email_key),
    };
    let application = locked
        .applications
        .iter()
        .find(|found| found.account_id == buyer.id && drive.is_some_and(|drive| drive.id == found.drive_id));
    Ok(Facts {
        buyer,
        plan,
        drive,
        invitation: found,
        application,
        membership: locked.memberships.get(&buyer.id),
    })
}

fn title_of(facts: &Facts<'_>) -> String {
    let locale = facts.buyer.locale;
    let tier = locale.pick(&facts.plan.tier_zh, &facts.plan.tier_en);
    match facts.drive {
        Some(drive) => format!("{} · {tier}", locale.pick(&drive.name_zh, &drive.name_en)),
        None => tier.clone(),
    }
}

/// Prices what was admitted.
fn price_of(facts: &Facts<'_>, title: &str) -> Result<Priced> {
    price(&[PricedItem {
        title,
        plan_code: &facts.plan.code,
        drive_code: facts.drive.map(|drive| drive.code.as_str()),
        quantity: 1,
        list_price_minor: facts.plan.price_minor,
    }])
}

/// A cart with its price, as an order placed now would have it.
#[derive(Clone, Debug)]
pub struct Quoted {
    pub title: String,
    pub plan: PlanId,
    pub drive: Option<DriveId>,
    pub priced: Priced,
}

/// Prices a cart without a lock or an effect.
///
/// # Errors
/// As an order would be refused.
pub async fn quote(conn: &mut Conn, now: DateTime<Utc>, cart: &Cart) -> Result<Quoted> {
    let catalog = read_catalog(conn, &[cart]).await?;
    let pools = claims::read(conn, &pools_of(&catalog)).await?;
    let buyers = vec![accounts::load_buyer(conn, cart.account).await?];
    let (locked, ledger) = read_locked(conn, &catalog, pools, buyers).await?;
    let facts = facts_of(cart, &catalog, &locked)?;
    rules::admit(&facts, &ledger, now)?;
    let title = title_of(&facts);
    let priced = price_of(&facts, &title)?;
    Ok(Quoted { title, plan: facts.plan.id, drive: facts.drive.map(|drive| drive.id), priced })
}

fn accept(
    order: &PlaceOrder,
    catalog: &Catalog,
    locked: &Locked,
    ledger: &mut Ledger,
    shop: &Shop,
    now: DateTime<Utc>,
    rows: &mut Rows,
) -> Result<Placed> {
    let facts = facts_of(&order.cart, catalog, locked)?;
    rules::admit(&facts, ledger, now)?;
    let title = title_of(&facts);
    let priced = price_of(&facts, &title)?;
    let order = rows.add(order, &facts, title, &priced, shop, now)?;
    rules::enter(&facts, ledger);
    Ok(Placed { order, replayed: false })
}

/// The rows of a batch, column by column when they are written.
#[derive(Default)]
struct Rows {
    orders: Vec<NewOrder>,
    lines: Vec<NewLine>,
    claims: Vec<NewClaim>,
    places: Vec<NewSeriesPlace>,
    payments: Vec<NewPayment>,
    keys: Vec<NewKey>,
    jobs: Vec<(Job, DateTime<Utc>)>,
}

impl Rows {
    fn add(
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

    async fn write(self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
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

/// The buyer gives an unpaid order up: its claims go back at once, its session is expired by a job; a payment that slips
/// through all the same is sent back.
///
/// # Errors
/// `not_found`, `order_not_pending`, `payment_in_progress` while a delayed method runs, `idempotency_key_reused`.
pub async fn cancel(app: &App, account: AccountId, id: OrderId, key: &str) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let order = model::lock(conn, id).await?;
        if order.account_id != account {
            return Err(Code::NotFound.error());
        }
        if is_repeat(conn, CANCEL_ROUTE, account, key, id).await? {
            return Ok(());
        }
        if order.state != OrderState::PendingPayment {
            return Err(Code::OrderNotPending.error());
        }
        let live = payments::live_of(conn, id).await?;
        if live.as_ref().is_some_and(|payment| payment.state == PaymentState::Processing) {
            return Err(Code::PaymentInProgress.error());
        }
        close(conn, id, OrderState::Cancelled, now).await?;
        if let Some(payment) = live.filter(|payment| payment.stripe_session_id.is_some()) {
            jobs::enqueue(conn, &Job::CloseCheckout { payment: payment.id }, now, now).await?;
        }
        remember(conn, CANCEL_ROUTE, account, key, id, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// Was this done before, by the same request? A key says so for one order only.
///
/// # Errors
/// `idempotency_key_reused` when the key was used for another order.
pub async fn is_repeat(
    conn: &mut Conn,
    route: &'static str,
    account: AccountId,
    key: &str,
    order: OrderId,
) -> Result<bool> {
    let earlier = model::earlier_keys(conn, route, &[account], &[key.to_owned()]).await?;
    match earlier.first() {
        None => Ok(false),
        Some(row) if row.body_hash == order.0.as_bytes() => Ok(true),
        Some(_) => Err(Code::IdempotencyKeyReused.error()),
    }
}

/// Keeps the key of a request that acts on one order and has no body that matters.
///
/// # Errors
/// The database's.
pub async fn remember(
    conn: &mut Conn,
    route: &'static str,
    account: AccountId,
    key: &str,
    order: OrderId,
    now: DateTime<Utc>,
) -> Result<()> {
    let row = NewKey {
        account_id: account,
        route,
        key: key.to_owned(),
        body_hash: order.0.as_bytes().to_vec(),
        status: 200,
        resource: order.0,
        created_at: now,
    };
    NewKey::insert(&mut &*conn, vec![row]).await?;
    Ok(())
}

/// Ends an unpaid order: everything it held goes back. Its row is locked.
///
/// # Errors
/// The database's.
pub async fn close(conn: &mut Conn, id: OrderId, state: OrderState, now: DateTime<Utc>) -> Result<()> {
    claims::release(conn, id, now).await?;
    model::release_places(conn, id, now).await?;
    payments::end_live(conn, id, PaymentState::Expired, now).await?;
    model::set_state(conn, id, state, now).await
}

/// The locale in which an order speaks to its buyer.
pub fn locale_of(order: &model::OrderRow) -> Locale {
    Locale::from_stored(&order.locale)
}

/// Records an operator's or the system's act on an order.
///
/// # Errors
/// The database's.
pub async fn audit_order(
    conn: &mut Conn,
    now: DateTime<Utc>,
    actor: Actor,
    action: &str,
    order: OrderId,
    reason: &str,
    detail: Value,
) -> Result<()> {
    let entry = audit::Entry {
        actor,
        action,
        subject_kind: "order",
        subject_id: order.to_string(),
        reason: Some(reason),
        detail,
    };
    audit::record(conn, now, entry).await
}

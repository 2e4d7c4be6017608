//! What becomes of renewals when orders are paid or a charge fails, and ordering one by a link.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::dto::LinkedOrder;
use super::model;
use crate::app::App;
use crate::checkout::orders::model::{self as orders, LineRow, OrderRow, OrderState};
use crate::checkout::orders::service::{self as ordering, Cart, Customer, Line, PlaceOrder};
use crate::checkout::payments::attempts::reopen;
use crate::checkout::payments::model as attempts;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::memberships::model::{self as memberships, MembershipRow};
use crate::membership::memberships::rules::GRACE;
use crate::membership::plans::model::{self as plans, Plan, Renews};
use crate::membership::renewals::model::{self as renewals, Renewal, RenewalState, Settings};
use crate::membership::renewals::rules;
use crate::membership::renewals::service::{self as coming, tell, turned_off};
use crate::messages::mails::Mail;
use crate::people::accounts::model as accounts;
use crate::people::one_time::{self, Purpose, TokenRow};
use crate::types::id::{AccountId, OrderId, RenewalId};
use crate::types::money::Money;

/// A paid order, and whether its card was saved.
#[derive(Clone, Copy, Debug)]
pub struct Settled<'a> {
    pub order: &'a OrderRow,
    pub lines: &'a [LineRow],
    pub has_card: bool,
}

/// Paid orders, each of another account, have changed their buyers' memberships: their renewals are paid, and where the card was
/// saved with a plan that renews by card, it goes on by that from now on, unless its member has turned that off. The accounts'
/// rows are locked.
///
/// # Errors
/// The database's.
pub async fn settled(conn: &mut Conn, settled: &[Settled<'_>], now: DateTime<Utc>) -> Result<()> {
    let bought: Vec<_> = settled
        .iter()
        .filter_map(|one| Some((one, one.lines.iter().find(|line| line.is_membership())?)))
        .collect();
    if bought.is_empty() {
        return Ok(());
    }
    for id in bought.iter().filter_map(|(_, line)| line.renewal_id) {
        let renewal = renewals::load(conn, &[id]).await?.pop().ok_or(Code::UnknownRenewal)?;
        renewals::store(conn, &coming::closed(renewal, RenewalState::Paid, now)).await?;
    }
    let accounts: Vec<_> = bought.iter().map(|(one, _)| one.order.account_id).collect();
    let orders: Vec<_> = bought.iter().map(|(one, _)| one.order.id).collect();
    // A link of a mail is for one term.
    one_time::withdraw_all(conn, &accounts, Purpose::Renewal).await?;
    let rows = memberships::open_of(conn, &accounts).await?;
    let plans: Vec<_> = rows.iter().filter_map(|row| row.plan_id).collect();
    let (said, plans, consents) = tokio::try_join!(
        renewals::settings_of_accounts(conn, &accounts),
        plans::load(conn, &plans),
        orders::renewal_consents(conn, &orders)
    )?;
    let mut changed = Vec::with_capacity(bought.len());
    for (one, line) in bought {
        let Some(row) = rows.iter().find(|row| row.account_id == one.order.account_id) else { continue };
        let plan = row.plan_id.and_then(|id| plans.iter().find(|plan| plan.id == id));
        let consent = consents.get(&one.order.id).copied();
        changed.push(settings(one, line, row, (plan, &said, consent), now));
    }
    renewals::store_all_settings(conn, &changed).await
}

/// What holds of a membership that was paid for, by its plan, by what its account has said so far, the newest first, and by what
/// it said with the order.
fn settings(
    one: &Settled<'_>,
    line: &LineRow,
    row: &MembershipRow,
    (plan, said, consent): (Option<&Plan>, &[Settings], Option<bool>),
    now: DateTime<Utc>,
) -> Settings {
    let known = said.iter().find(|known| known.membership_id == row.id).cloned();
    let known = known.unwrap_or_else(|| Settings::none(row.id, row.account_id));
    // Who has a new membership still means what he said of the last one.
    let is_earlier = |last: &&Settings| last.account_id == row.account_id && last.membership_id != row.id;
    let earlier = said.iter().find(is_earlier);
    let is_offered = plan.is_some_and(|plan| plan.renews == Renews::Card);
    let was_on = known.is_on || line.renewal_id.is_some() && earlier.is_some_and(|last| last.is_on);
    let off_before = known.switched_off_at.or_else(|| earlier.and_then(|last| last.switched_off_at));
    // Who buys a plan that says so agrees, unless he says no; who pays by a link has said nothing.
    let agrees = consent.unwrap_or(line.renewal_id.is_none());
    let switched_off_at = if one.has_card && consent == Some(false) { Some(now) } else { off_before };
    Settings {
        is_on: is_offered && switched_off_at.is_none() && (was_on || one.has_card && agrees),
        switched_off_at,
        // What was planned has come; who buys on doesn't mean to end.
        next_plan_id: known
            .next_plan_id
            .filter(|next| line.renewal_id.is_none() && Some(*next) != row.plan_id),
        cancelled_at: None,
        cancel_reason: None,
        ..known
    }
}

/// The card wasn't charged by an order: says when it is asked once more, if it is, and mails its owner a link.
///
/// # Errors
/// The database's.
pub async fn charge_failed(conn: &mut Conn, order: &OrderRow, code: &str, now: DateTime<Utc>) -> Result<()> {
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let Some(id) = lines.iter().find_map(|line| line.renewal_id) else { return Ok(()) };
    let buyer = accounts::lock_buyers(conn, &[order.account_id]).await?.pop();
    let renewal = renewals::load(conn, &[id]).await?.pop();
    let (Some(buyer), Some(renewal)) = (buyer, renewal) else { return Ok(()) };
    if renewal.state != RenewalState::Open {
        return Ok(());
    }
    let cause = format!("renewal_failed:{}", order.id);
    failed(conn, &buyer, renewal, code, &cause, now).await
}

/// A charge came to nothing. The account's row is locked.
///
/// # Errors
/// The database's.
pub async fn failed(
    conn: &mut Conn,
    buyer: &accounts::Buyer,
    renewal: Renewal,
    code: &str,
    cause: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let retry_at = rules::retry_at(renewal.charges, code, renewal.ends_at, now);
    let failed = Renewal { failure: Some(code.to_owned()), next_charge_at: retry_at, ..renewal };
    renewals::store(conn, &failed).await?;
    if let Some(at) = retry_at {
        let job = Job::Renew { membership: failed.membership_id, ends_at: failed.ends_at };
        jobs::enqueue(conn, &job, at, now).await?;
    }
    let mail = Mail::RenewalFailed {
        token: link(conn, buyer, now).await?,
        reason: code.to_owned(),
        amount_minor: failed.told_minor.unwrap_or(failed.price_minor),
        currency: failed.currency.clone(),
        retry_at,
        grace_ends_at: failed.ends_at + GRACE,
    };
    tell(conn, buyer, cause, &mail, now).await
}

/// Is the card still to be charged for this order: is its renewal on, and for the end that the membership has? Locks the account's
/// row.
///
/// # Errors
/// The database's.
pub async fn is_due(conn: &mut Conn, order: &OrderRow, now: DateTime<Utc>) -> Result<bool> {
    let lines = orders::lines_of(conn, &[order.id]).await?;
    let Some(id) = lines.iter().find_map(|line| line.renewal_id) else { return Ok(false) };
    accounts::lock_buyers(conn, &[order.account_id]).await?;
    let Some(renewal) = renewals::load(conn, &[id]).await?.pop() else { return Ok(false) };
    let settings = renewals::settings_of(conn, renewal.membership_id, order.account_id).await?;
    let open = memberships::open_of(conn, &[order.account_id]).await?;
    let rests = open.first().is_some_and(|row| row.frozen_at.is_some());
    let fits = !rests && rules::may_order(&renewal, open.first()).is_ok();
    Ok(settings.is_on && fits && now < renewal.ends_at + GRACE)
}

/// A token for the links of a mail: who has it may pay for the member's next term, or stop the charge.
///
/// # Errors
/// The database's.
pub async fn link(conn: &mut Conn, buyer: &accounts::Buyer, now: DateTime<Utc>) -> Result<String> {
    let email = buyer.email.as_deref().unwrap_or_default();
    Ok(one_time::issue(conn, buyer.id, Purpose::Renewal, email, now).await?.token)
}

/// Whose link it is.
///
/// # Errors
/// `token_invalid`
pub async fn owner_of(app: &App, token: &str) -> Result<AccountId> {
    let mut conn = db::connect(&app.pool).await?;
    let found: TokenRow = one_time::look(&mut conn, token, &[Purpose::Renewal], app.clock.now()).await?;
    Ok(found.account_id)
}

/// Orders the member's next term, or finds the order that waits for its payment, with a page to pay it on.
///
/// # Errors
/// `membership_not_open`, `already_for_life`, `membership_frozen`, `renewal_not_offered`, `use_upgrade_quote` while a change of
/// tier is planned and the term runs, `membership_order_pending`, also where the order that waits has other coupons than these
/// codes; `coupon_refused`.
pub async fn order_by_link(app: &App, account: AccountId, codes: Vec<String>) -> Result<OrderId> {
    let renewal = coming::offer(app, account).await?;
    let mut conn = db::connect(&app.pool).await?;
    let earlier = model::orders_of(&mut conn, renewal.id).await?;
    let key = |count: usize| format!("renewal-link:{}:{count}", renewal.id);
    if let Some((waits, _)) = earlier.iter().find(|(_, state)| *state == OrderState::PendingPayment) {
        let (last, hash) = (key(earlier.len() - 1), hash_of(renewal.id, false, &codes));
        let same = codes.is_empty() || is_same(&mut conn, account, &last, &hash, *waits).await?;
        drop(conn);
        if !same {
            return Err(Code::MembershipOrderPending.error());
        }
        reopen(app, *waits).await?;
        return Ok(*waits);
    }
    drop(conn);
    let order = order_of(app, &renewal, key(earlier.len()), false, codes);
    Ok(app.placer.place(order).await?.order)
}

/// Did a request with these very codes place it?
async fn is_same(
    conn: &mut Conn,
    account: AccountId,
    key: &str,
    hash: &[u8],
    order: OrderId,
) -> Result<bool> {
    match ordering::placed_before(conn, account, key, hash).await {
        Ok(placed) => Ok(placed == Some(order)),
        Err(error) if error.code == Code::IdempotencyKeyReused => Ok(false),
        Err(error) => Err(error),
    }
}

/// An order as who has the link sees it.
///
/// # Errors
/// The database's.
pub async fn linked(app: &App, id: OrderId) -> Result<LinkedOrder> {
    let mut conn = db::connect(&app.pool).await?;
    let order = orders::load(&mut conn, id).await?;
    let payment = attempts::latest_of(&conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    Ok(LinkedOrder {
        id,
        number: order.number,
        due: Money::new(order.due_minor, &order.currency),
        payment_state: payment.state,
        url: payment.url,
        expires_at: payment.expires_at,
    })
}

/// The card isn't charged any more: in one step.
///
/// # Errors
/// `membership_not_open`
pub async fn stop_by_link(app: &App, account: AccountId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        accounts::lock_buyers(conn, &[account]).await?;
        let held = memberships::lock_all_of(conn, &[account]).await?;
        let row = rules::endable(held.iter().find(|row| row.is_open()), now)?;
        let settings = renewals::settings_of(conn, row.id, account).await?;
        renewals::store_settings(conn, &turned_off(settings, now)).await?;
        coming::look_anew(conn, row, now).await
    })
    .await?;
    app.jobs.wake(Lane::Stripe);
    Ok(())
}

/// The order of a renewal; with `charges_card` the saved card pays it, and its owner isn't there to type `codes`.
pub fn order_of(
    app: &App,
    renewal: &Renewal,
    key: String,
    charges_card: bool,
    codes: Vec<String>,
) -> PlaceOrder {
    let home = app.settings.storefront_url.to_string();
    let body_hash = hash_of(renewal.id, charges_card, &codes);
    PlaceOrder {
        cart: Cart {
            customer: Customer::Account(renewal.account_id),
            lines: vec![Line::Renewal(renewal.id)],
            shipping: None,
            coupon_codes: codes,
            points: 0,
            credit_minor: 0,
            charges_card,
        },
        basket: None,
        token_hash: None,
        shown: None,
        body_hash,
        key,
        invite: None,
        terms: None,
        consents: json!({}),
        community_rules: None,
        backer_name: None,
        success_url: home.clone(),
        cancel_url: home,
    }
}

fn hash_of(renewal: RenewalId, charges_card: bool, codes: &[String]) -> Vec<u8> {
    let mut hash = renewal.0.as_bytes().to_vec();
    hash.push(u8::from(charges_card));
    for code in codes {
        hash.push(b' ');
        hash.extend(code.as_bytes());
    }
    hash
}

//! The job that does what is due before and at the end of a term, step by step: each in a transaction of its own, under the
//! account's lock, and only where it is still the next one. Stripe is asked between them.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use kindred_stripe::Card;

use super::model;
use super::service::{failed, link, order_of};
use crate::app::App;
use crate::checkout::orders::model::OrderState;
use crate::checkout::orders::quotes;
use crate::checkout::orders::service::{self as ordering, Shop};
use crate::checkout::payments::jobs::stripe_failure;
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::membership::memberships::model::{self as memberships, MembershipRow, Stored};
use crate::membership::memberships::rules::GRACE;
use crate::membership::memberships::service as membership;
use crate::membership::plans::model::Plan;
use crate::membership::renewals::model::{self as renewals, Renewal, RenewalState, Settings};
use crate::membership::renewals::rules::{self, Going, REFUSED, Step};
use crate::membership::renewals::service::{closed, ensure, following, tell};
use crate::membership::tiers::model as tiers;
use crate::messages::mails::Mail;
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::MembershipId;

/// Steps that may be due at once, and more: a step that isn't done stays the next one.
const STEPS_MAX: usize = 10;
/// While another order of the member waits for its payment.
const LATER: TimeDelta = TimeDelta::hours(1);

/// What is known of a membership on the way to its end.
struct Known {
    row: MembershipRow,
    ends_at: DateTime<Utc>,
    starts_at: DateTime<Utc>,
    settings: Settings,
    plan: Option<Plan>,
    renewal: Option<Renewal>,
}

impl Known {
    fn next_step(&self, now: DateTime<Utc>) -> (Step, DateTime<Utc>) {
        let going = Going {
            way: rules::way(self.plan.as_ref(), &self.settings),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            renewal: self.renewal.as_ref(),
        };
        rules::next_step(&going, now)
    }

    fn plan(&self) -> Result<&Plan> {
        self.plan.as_ref().ok_or_else(|| AppError::internal("a step without a plan"))
    }
}

/// Does what is due: the job `renew`. One that comes to a membership with another end does nothing: another is queued for that.
///
/// # Errors
/// When Stripe's answer is unknown, or the database's.
pub async fn run(app: &App, id: MembershipId, ends_at: DateTime<Utc>) -> Result<Outcome> {
    for _ in 0..STEPS_MAX {
        let now = app.clock.now();
        let known = read(&mut *db::connect(&app.pool).await?, id, ends_at).await?;
        let Some(known) = known else { return Ok(Outcome::Done) };
        let (step, at) = known.next_step(now);
        let (step, at) =
            if is_gone(app, &known).await? { (Step::Lapse, ends_at + GRACE) } else { (step, at) };
        if at > now {
            return Ok(Outcome::Again(at));
        }
        match step {
            Step::Announce | Step::Notice => with_card(app, &known, step).await?,
            Step::Remind(days) => remind(app, &known, days).await?,
            Step::Charge => {
                if let Some(later) = charge(app, &known).await? {
                    return Ok(Outcome::Again(later));
                }
            }
            Step::Lapse => return lapse(app, &known).await,
        }
        app.jobs.wake(Lane::Mail);
    }
    Ok(Outcome::Again(app.clock.now() + LATER))
}

/// Is its account erased? Then nobody is told of anything.
async fn is_gone(app: &App, known: &Known) -> Result<bool> {
    let buyer = accounts::load_buyer(&mut *db::connect(&app.pool).await?, known.row.account_id).await;
    match buyer {
        Ok(_) => Ok(false),
        Err(error) if error.code == Code::Unauthenticated => Ok(true),
        Err(error) => Err(error),
    }
}

/// None where the membership isn't on its way to that end.
async fn read(conn: &mut Conn, id: MembershipId, ends_at: DateTime<Utc>) -> Result<Option<Known>> {
    let Some(row) = memberships::find(conn, id).await? else { return Ok(None) };
    let goes_on = matches!(row.state, Stored::Active | Stored::Expired) && row.ends_at == Some(ends_at);
    if !goes_on || (row.state == Stored::Expired && row.closed_at.is_none_or(|at| at < ends_at + GRACE)) {
        return Ok(None);
    }
    let settings = renewals::settings_of(conn, row.id, row.account_id).await?;
    let plan = following(conn, &row, &settings).await?;
    let terms = memberships::terms_of(conn, row.id).await?;
    let starts_at = terms.last().map_or(row.starts_at, |term| term.starts_at);
    let renewal = renewals::open_of(conn, row.id)
        .await?
        .filter(|open| open.ends_at == ends_at && plan.as_ref().is_some_and(|plan| plan.id == open.plan_id));
    Ok(Some(Known { row, ends_at, starts_at, settings, plan, renewal }))
}

/// What is known under the account's lock, and whom to write to; none where `step` isn't the next one any more.
async fn locked(
    conn: &mut Conn,
    known: &Known,
    step: Step,
    now: DateTime<Utc>,
) -> Result<Option<(Known, Buyer)>> {
    let buyer = accounts::lock_buyers(conn, &[known.row.account_id]).await?.pop();
    let again = read(conn, known.row.id, known.ends_at).await?;
    let again = again.filter(|again| again.next_step(now).0 == step);
    Ok(again.zip(buyer))
}

/// Tells of what the card will be charged, or a month ahead of what will be different. Where no card is saved any more its owner
/// is reminded instead.
async fn with_card(app: &App, known: &Known, step: Step) -> Result<()> {
    let card = card_of(app, known).await?;
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some((known, buyer)) = locked(conn, known, step, now).await? else { return Ok(()) };
        let Some(card) = &card else {
            let without = Settings { is_on: false, ..known.settings };
            return renewals::store_settings(conn, &without).await;
        };
        let plan = known.plan()?;
        let renewal = ensure(conn, &known.row, known.ends_at, plan, now).await?;
        if step == Step::Announce {
            announce(conn, &known, &buyer, &renewal, card, now).await?;
            return renewals::store(conn, &Renewal { announced_at: Some(now), ..renewal }).await;
        }
        let charge_at = known.ends_at.max(now + rules::NOTICE_AT_LEAST);
        let told_minor = to_tell(app, conn, &renewal, charge_at).await?;
        let mail = Mail::RenewalNotice {
            token: link(conn, &buyer, now).await?,
            tier_zh: plan.tier_zh.clone(),
            tier_en: plan.tier_en.clone(),
            amount_minor: told_minor,
            currency: renewal.currency.clone(),
            charge_at,
            card: card.last4.clone(),
        };
        tell(conn, &buyer, &format!("renewal_notice:{}", renewal.id), &mail, now).await?;
        renewals::store(conn, &Renewal { noticed_at: Some(now), told_minor: Some(told_minor), ..renewal })
            .await
    })
    .await
}

/// What the card will be charged: the price, less what coupons that need no code take off it on that day. Where the order can't
/// be judged yet, the price.
async fn to_tell(app: &App, conn: &mut Conn, renewal: &Renewal, charge_at: DateTime<Utc>) -> Result<i64> {
    let cart = order_of(app, renewal, String::new(), true, Vec::new()).cart;
    match quotes::price_at(conn, &Shop::of(&app.settings), charge_at, &cart).await {
        Ok(priced) => Ok(priced.totals.total_minor.min(renewal.price_minor)),
        Err(error) if error.code.status() < 500 => Ok(renewal.price_minor),
        Err(error) => Err(error),
    }
}

/// The card that would be charged.
async fn card_of(app: &App, known: &Known) -> Result<Option<Card>> {
    let buyer = accounts::load_buyer(&mut *db::connect(&app.pool).await?, known.row.account_id).await?;
    let Some(customer) = buyer.stripe_customer_id else { return Ok(None) };
    let mut cards = app.stripe()?.cards_of(&customer).await.map_err(stripe_failure)?;
    let default = cards.iter().position(|card| card.is_default).unwrap_or(0);
    Ok((!cards.is_empty()).then(|| cards.swap_remove(default)))
}

async fn announce(
    conn: &mut Conn,
    known: &Known,
    buyer: &Buyer,
    renewal: &Renewal,
    card: &Card,
    now: DateTime<Utc>,
) -> Result<()> {
    let plan = known.plan()?;
    let last_minor = renewals::last_price(conn, known.row.id, plan.id).await?;
    if let Some(was_minor) = last_minor.filter(|minor| *minor != renewal.price_minor) {
        let mail = Mail::PriceChange {
            tier_zh: plan.tier_zh.clone(),
            tier_en: plan.tier_en.clone(),
            was_minor,
            amount_minor: renewal.price_minor,
            currency: renewal.currency.clone(),
            from: known.ends_at,
        };
        tell(conn, buyer, &format!("price_change:{}", renewal.id), &mail, now).await?;
    }
    let (year, month) = (i64::from(known.ends_at.year()), i64::from(known.ends_at.month()));
    if (card.exp_year, card.exp_month) < (year, month) {
        let mail = Mail::CardExpiring {
            token: link(conn, buyer, now).await?,
            card: card.last4.clone(),
            month: card.exp_month,
            year: card.exp_year,
            charge_at: known.ends_at,
        };
        tell(conn, buyer, &format!("card_expiring:{}", renewal.id), &mail, now).await?;
    }
    Ok(())
}

async fn remind(app: &App, known: &Known, days: i32) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some((known, buyer)) = locked(conn, known, Step::Remind(days), now).await? else { return Ok(()) };
        let plan = known.plan()?;
        let renewal = ensure(conn, &known.row, known.ends_at, plan, now).await?;
        let mail = Mail::RenewalReminder {
            token: link(conn, &buyer, now).await?,
            tier_zh: plan.tier_zh.clone(),
            tier_en: plan.tier_en.clone(),
            amount_minor: renewal.told_minor.unwrap_or(renewal.price_minor),
            currency: renewal.currency.clone(),
            ends_at: known.ends_at,
            grace_ends_at: known.ends_at + GRACE,
            is_over: days == 0,
            // Another tier can't begin before this one is over.
            can_pay: days == 0 || plan.tier == known.row.tier_id,
        };
        tell(conn, &buyer, &format!("renewal_reminder:{}:{days}", renewal.id), &mail, now).await?;
        renewals::store(conn, &Renewal { reminded_days: Some(days), ..renewal }).await
    })
    .await
}

/// Places the order whose payment is taken from the card; the time of a later look where another order is in its way.
async fn charge(app: &App, known: &Known) -> Result<Option<DateTime<Utc>>> {
    let now = app.clock.now();
    let Some(renewal) = &known.renewal else { return Ok(None) };
    let key = format!("renewal:{}:{}", renewal.id, renewal.charges + 1);
    let order = order_of(app, renewal, key, true, Vec::new());
    let refused = db::transaction(&app.pool, async |conn| {
        let placed =
            ordering::place(conn, &Shop::of(&app.settings), now, std::slice::from_ref(&order)).await?.pop();
        // Under the account's lock, which placing took.
        let Some((known, buyer)) = locked(conn, known, Step::Charge, now).await? else {
            return Err(Code::StaleQuote.error());
        };
        let renewal = known.renewal.ok_or(Code::StaleQuote)?;
        let asked = Renewal { charges: renewal.charges + 1, failure: None, next_charge_at: None, ..renewal };
        match placed {
            Some(Ok(_)) => renewals::store(conn, &asked).await?,
            Some(Err(error)) if error.code == Code::MembershipOrderPending => return Ok(Some(error.code)),
            Some(Err(error)) => {
                tracing::warn!(renewal = %asked.id, code = %error, "a renewal is refused");
                let cause = format!("renewal_refused:{}:{}", asked.id, asked.charges);
                failed(conn, &buyer, asked, REFUSED, &cause, now).await?;
            }
            None => return Err(AppError::internal("no order was placed")),
        }
        Ok(None)
    })
    .await;
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Local);
    match refused {
        Ok(None) => Ok(None),
        Ok(Some(_)) => Ok(Some(now + LATER)),
        // It was changed meanwhile: what is due is looked at anew.
        Err(error) if error.code == Code::StaleQuote => Ok(None),
        Err(error) => Err(error),
    }
}

/// Grace is over. Nobody can pay the renewal any more; while a charge isn't decided it waits.
async fn lapse(app: &App, known: &Known) -> Result<Outcome> {
    let now = app.clock.now();
    let waits = db::transaction(&app.pool, async |conn| {
        let Some((known, buyer)) = locked(conn, known, Step::Lapse, now).await? else {
            // Its account is gone, or it has another end.
            membership::close_if_over(conn, known.row.id, now).await?;
            return Ok(false);
        };
        if let Some(renewal) = renewals::open_of(conn, known.row.id).await? {
            let orders = model::orders_of(conn, renewal.id).await?;
            if orders.iter().any(|(_, state)| *state == OrderState::PendingPayment) {
                return Ok(true);
            }
            renewals::store(conn, &closed(renewal, RenewalState::Over, now)).await?;
        }
        membership::close_if_over(conn, known.row.id, now).await?;
        let other = memberships::open_of(conn, &[known.row.account_id]).await?;
        if other.iter().any(|other| other.id != known.row.id) {
            return Ok(false);
        }
        let Some(tier) = tiers::find(conn, known.row.tier_id).await? else { return Ok(false) };
        let (tier_zh, tier_en) = (tier.names.zh, tier.names.en);
        let mail = Mail::MembershipExpired { tier_zh, tier_en, ended_at: known.ends_at };
        let cause = format!("membership_expired:{}:{}", known.row.id, known.ends_at.timestamp());
        tell(conn, &buyer, &cause, &mail, now).await?;
        Ok(false)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(if waits { Outcome::Again(now + LATER) } else { Outcome::Done })
}

//! What members say of the end of their term, and the renewal that is open for it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::dto::ComingRenewal;
use super::model::{self, Renewal, RenewalState, Settings};
use super::rules::{self, Way};
use crate::app::App;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::memberships::model::{self as memberships, MembershipRow, Source, TermRow};
use crate::membership::plans::model::{self as plans, Plan, Renews};
use crate::membership::upgrades::model::rank_of;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::types::id::{AccountId, MembershipId, PlanId, RenewalId};
use crate::types::money::Money;

/// Turns renewal by the saved card on or off, in one step. Turning it on takes back that the membership was cancelled.
///
/// # Errors
/// `membership_not_open`, `already_for_life`, `renewal_not_offered` where its plan doesn't renew by card, `no_saved_card`;
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn switch(app: &App, on: bool, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(Opened { row, buyer, settings }) = opened(conn, request, now).await? else { return Ok(()) };
        let settings = if on {
            let plan = following(conn, &row, &settings).await?.ok_or(Code::RenewalNotOffered)?;
            if plan.renews != Renews::Card {
                return Err(Code::RenewalNotOffered.error());
            }
            if buyer.stripe_customer_id.is_none() {
                return Err(Code::NoSavedCard.error());
            }
            Settings {
                is_on: true,
                switched_off_at: None,
                cancelled_at: None,
                cancel_reason: None,
                ..settings
            }
        } else {
            turned_off(settings, now)
        };
        model::store_settings(conn, &settings).await?;
        look_anew(conn, &row, now).await
    })
    .await?;
    wake(app);
    Ok(())
}

/// By the member himself: what he buys later doesn't turn it on.
pub fn turned_off(settings: Settings, now: DateTime<Utc>) -> Settings {
    Settings { is_on: false, switched_off_at: settings.switched_off_at.or(Some(now)), ..settings }
}

/// The membership ends with its term: nothing is charged, nobody reminds. What was planned for the end is dropped.
///
/// # Errors
/// `membership_not_open`, `already_for_life`; `idempotency_key_reused`, `request_in_progress`.
pub async fn cancel(app: &App, reason: Option<&str>, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(Opened { row, buyer, settings }) = opened(conn, request, now).await? else { return Ok(()) };
        if settings.cancelled_at.is_some() {
            return Ok(());
        }
        let cancelled = Settings {
            next_plan_id: None,
            cancelled_at: Some(now),
            cancel_reason: reason.map(str::to_owned),
            ..turned_off(settings, now)
        };
        model::store_settings(conn, &cancelled).await?;
        let Some(ends_at) = row.ends_at else { return Ok(()) };
        let cause = format!("membership_cancelled:{}:{}", row.id, now.timestamp_micros());
        tell(conn, &buyer, &cause, &Mail::MembershipCancelled { ends_at }, now).await?;
        look_anew(conn, &row, now).await
    })
    .await?;
    wake(app);
    Ok(())
}

/// Plans what the membership becomes at its end, or drops what was planned.
///
/// # Errors
/// `membership_not_open`, `already_for_life`, `not_a_downgrade`, `upgrade_not_sold`, `unknown_plan`;
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn plan_change(app: &App, plan: Option<PlanId>, request: &Request) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(Opened { row, buyer, settings }) = opened(conn, request, now).await? else { return Ok(()) };
        let Some(id) = plan else {
            model::drop_planned(conn, row.id).await?;
            return look_anew(conn, &row, now).await;
        };
        let next = plans::find_for_use(conn, id).await?;
        let next = next.ok_or_else(|| Code::UnknownPlan.at("plan", "unknown"))?;
        let current = match row.plan_id {
            Some(id) => plans::find(conn, id).await?,
            None => None,
        };
        let rank = rank_of(conn, row.tier_id).await?;
        rules::may_follow((row.tier_id, rank), current.as_ref(), &next)?;
        let planned =
            Settings { next_plan_id: Some(next.id), cancelled_at: None, cancel_reason: None, ..settings };
        model::store_settings(conn, &planned).await?;
        let Some(from) = row.ends_at else { return Ok(()) };
        let mail = Mail::ChangePlanned {
            by_card: planned.is_on && next.renews == Renews::Card,
            tier_zh: next.tier_zh,
            tier_en: next.tier_en,
            amount_minor: next.price_minor,
            currency: next.currency,
            from,
        };
        let cause = format!("change_planned:{}:{}", row.id, now.timestamp_micros());
        tell(conn, &buyer, &cause, &mail, now).await?;
        look_anew(conn, &row, now).await
    })
    .await?;
    wake(app);
    Ok(())
}

/// The caller's membership, of which something is said: under the account's lock, once a key. None for a repeat.
async fn opened(conn: &mut Conn, request: &Request, now: DateTime<Utc>) -> Result<Option<Opened>> {
    let account = request.account;
    let claim = idempotency::claim(conn, request, 200, account.0, now).await?;
    if matches!(claim, Claim::Repeat(_)) {
        return Ok(None);
    }
    let buyer = accounts::lock_buyers(conn, &[account]).await?.pop().ok_or(Code::Unauthenticated)?;
    let held = memberships::lock_all_of(conn, &[account]).await?;
    let row = rules::endable(held.iter().find(|row| row.is_open()), now)?.clone();
    let settings = model::settings_of(conn, row.id, account).await?;
    Ok(Some(Opened { row, buyer, settings }))
}

struct Opened {
    row: MembershipRow,
    buyer: Buyer,
    settings: Settings,
}

fn wake(app: &App) {
    app.jobs.wake(Lane::Stripe);
    app.jobs.wake(Lane::Mail);
}

/// Which step is due has changed: the job looks now.
///
/// # Errors
/// The database's.
pub async fn look_anew(conn: &mut Conn, row: &MembershipRow, now: DateTime<Utc>) -> Result<()> {
    let Some(ends_at) = row.ends_at else { return Ok(()) };
    jobs::enqueue(conn, &Job::Renew { membership: row.id, ends_at }, now, now).await?;
    Ok(())
}

/// Mails a member.
///
/// # Errors
/// The database's.
pub async fn tell(
    conn: &mut Conn,
    buyer: &Buyer,
    cause: &str,
    mail: &Mail,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(address) = buyer.email.clone() else { return Ok(()) };
    let to = Recipient { account: Some(buyer.id), address, locale: buyer.locale };
    mails::queue(conn, now, &to, cause, mail).await
}

/// The plan that is to follow: the one that was planned, or the membership's own; none after a trial.
///
/// # Errors
/// The database's.
pub async fn following(conn: &mut Conn, row: &MembershipRow, settings: &Settings) -> Result<Option<Plan>> {
    let terms = memberships::terms_of(conn, row.id).await?;
    match next_plan(row, settings, terms.last()) {
        Some(id) => plans::find(conn, id).await,
        None => Ok(None),
    }
}

/// By its last term. A trial ends by itself: before something is bought or given nothing follows, and no card is charged.
fn next_plan(row: &MembershipRow, settings: &Settings, last: Option<&TermRow>) -> Option<PlanId> {
    let is_trial = last.is_some_and(|term| term.source == Source::Trial);
    settings.next_plan_id.or(row.plan_id).filter(|_| !is_trial)
}

/// The renewal of this end by that plan which may be paid, made where there is none. One of another end or plan is over. Its
/// price is the plan's until its member was told of one. The account's row is locked.
///
/// # Errors
/// The database's.
pub async fn ensure(
    conn: &mut Conn,
    row: &MembershipRow,
    ends_at: DateTime<Utc>,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Renewal> {
    match model::open_of(conn, row.id).await? {
        Some(open) if open.ends_at == ends_at && open.plan_id == plan.id => {
            // What was told a month ahead can only become less.
            let price_minor = match open.announced_at {
                Some(_) => plan.price_minor.min(open.price_minor),
                None => plan.price_minor,
            };
            if open.noticed_at.is_some() || open.price_minor == price_minor {
                return Ok(open);
            }
            let open = Renewal { price_minor, ..open };
            model::store(conn, &open).await?;
            return Ok(open);
        }
        Some(other) => model::store(conn, &closed(other, RenewalState::Over, now)).await?,
        None => {}
    }
    let renewal = Renewal {
        id: RenewalId::new(),
        membership_id: row.id,
        account_id: row.account_id,
        ends_at,
        plan_id: plan.id,
        price_minor: plan.price_minor,
        currency: plan.currency.clone(),
        state: RenewalState::Open,
        announced_at: None,
        noticed_at: None,
        reminded_days: None,
        charges: 0,
        next_charge_at: None,
        failure: None,
        created_at: now,
        closed_at: None,
        told_minor: None,
    };
    model::insert(conn, &renewal).await?;
    Ok(renewal)
}

/// A renewal that nobody can pay any more.
pub fn closed(renewal: Renewal, state: RenewalState, now: DateTime<Utc>) -> Renewal {
    Renewal { state, closed_at: Some(now), next_charge_at: None, ..renewal }
}

/// The renewal that the member can order now, whatever was planned for the card.
///
/// # Errors
/// `membership_not_open`, `already_for_life`, `membership_frozen`, `renewal_not_offered` where no plan follows.
pub async fn offer(app: &App, account: AccountId) -> Result<Renewal> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| offer_on(conn, account, now).await).await
}

/// [`offer`] in the caller's transaction. Locks the account's row.
///
/// # Errors
/// As [`offer`].
pub async fn offer_on(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<Renewal> {
    accounts::lock_buyers(conn, &[account]).await?;
    let held = memberships::lock_all_of(conn, &[account]).await?;
    let row = rules::endable(held.iter().find(|row| row.is_open()), now)?;
    if row.frozen_at.is_some() {
        return Err(Code::MembershipFrozen.error());
    }
    let settings = model::settings_of(conn, row.id, account).await?;
    let plan = following(conn, row, &settings).await?.ok_or(Code::RenewalNotOffered)?;
    let ends_at = row.ends_at.ok_or(Code::AlreadyForLife)?;
    ensure(conn, row, ends_at, &plan, now).await
}

/// What comes at the end of each of these memberships that is open and has one. `terms` are theirs, in order.
///
/// # Errors
/// The database's.
pub async fn coming(
    conn: &Conn,
    rows: &[&MembershipRow],
    terms: &[TermRow],
) -> Result<HashMap<MembershipId, ComingRenewal>> {
    let ending: Vec<_> =
        rows.iter().filter_map(|row| Some((*row, row.ends_at.filter(|_| row.is_open())?))).collect();
    let ids: Vec<_> = ending.iter().map(|(row, _)| row.id).collect();
    let (said, open) = tokio::try_join!(model::settings_among(conn, &ids), model::open_among(conn, &ids))?;
    let mut said: HashMap<_, _> =
        said.into_iter().map(|settings| (settings.membership_id, settings)).collect();
    let mut open: HashMap<_, _> = open.into_iter().map(|renewal| (renewal.membership_id, renewal)).collect();
    let mut coming = Vec::with_capacity(ending.len());
    for (row, ends_at) in ending {
        let settings = said.remove(&row.id).unwrap_or_else(|| Settings::none(row.id, row.account_id));
        let last = terms.iter().rfind(|term| term.membership_id == row.id && term.ended_at.is_none());
        let next = next_plan(row, &settings, last);
        let open = open.remove(&row.id).filter(|open| open.ends_at == ends_at);
        coming.push((row.id, settings, next, open));
    }
    let wanted: Vec<_> = coming.iter().filter_map(|(_, _, next, _)| *next).collect();
    let plans = plans::load(conn, &wanted).await?;
    let shown = coming.into_iter().map(|(id, settings, next, open)| {
        let plan = plans.iter().find(|plan| Some(plan.id) == next);
        (id, shown(&settings, plan, open))
    });
    Ok(shown.collect())
}

/// As its member sees it. `open` is the renewal of this end that may be paid, by whichever plan.
fn shown(settings: &Settings, plan: Option<&Plan>, open: Option<Renewal>) -> ComingRenewal {
    let way = rules::way(plan, settings);
    let plan = plan.filter(|_| way != Way::Ends);
    let open = open.filter(|open| plan.is_some_and(|plan| plan.id == open.plan_id));
    let noticed = open.as_ref().filter(|open| open.noticed_at.is_some());
    let price_minor =
        noticed.map(|open| open.told_minor.unwrap_or(open.price_minor)).or(plan.map(|plan| plan.price_minor));
    ComingRenewal {
        on: way == Way::Card,
        price: price_minor.zip(plan).map(|(minor, plan)| Money::new(minor, &plan.currency)),
        plan: plan.map(|plan| plan.id),
        is_change: settings.next_plan_id.is_some(),
        noticed_at: noticed.and_then(|open| open.noticed_at),
        failure: open.as_ref().and_then(|open| open.failure.clone()),
        next_charge_at: open.and_then(|open| open.next_charge_at),
        cancelled_at: settings.cancelled_at,
    }
}

//! Gift memberships: ordered, paid, redeemed, taken back. Whoever changes one has locked its order's row first, so that a refund
//! or a dispute knows whose accounts it touches; then accounts by id, and the gift's own row.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::dto::GiftAnswer;
use super::model::{self, GiftRow, NewGiftRow};
use super::rules;
use crate::app::App;
use crate::checkout::gift_cards::service::Disputed;
use crate::checkout::gift_codes::rules::{Receiver, State, code as code_typed};
use crate::checkout::orders::model as orders;
use crate::checkout::refunds::model as refunds;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job, Lane};
use crate::membership::memberships::giving::{self, Given};
use crate::membership::memberships::model::{self as memberships, Source};
use crate::membership::memberships::rules::FreezeCause;
use crate::membership::memberships::{ending, service as membership};
use crate::membership::plans::model::{self as plans, Plan};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::people::secrets;
use crate::types::id::{AccountId, DisputeId, GiftId, LineId, OrderId};
use crate::types::locale::Locale;

/// The row of a gift that is ordered: good for nothing before it is paid.
///
/// # Errors
/// `unauthenticated` for an erased account.
pub fn ordered(
    line: LineId,
    buyer: &Buyer,
    plan: &Plan,
    to: Option<&Receiver>,
    now: DateTime<Utc>,
) -> Result<NewGiftRow> {
    let own = || buyer.email.clone().ok_or_else(|| Code::Unauthenticated.error());
    Ok(NewGiftRow {
        id: GiftId::new(),
        line_id: line,
        account_id: buyer.id,
        plan_id: plan.id,
        term: plan.term.to_string(),
        is_addressed: to.is_some(),
        to_email: to.map_or_else(own, |to| Ok(to.email.as_str().to_owned()))?,
        to_name: to.and_then(|to| to.name.clone()),
        from_name: buyer.name.clone(),
        message: to.and_then(|to| to.message.clone()),
        locale: buyer.locale.as_str().to_owned(),
        deliver_at: to.and_then(|to| to.deliver_at).unwrap_or(now),
        created_at: now,
    })
}

/// A line's gift is paid for: a job delivers it on its day.
///
/// # Errors
/// The database's.
pub async fn activate(conn: &mut Conn, line: LineId, valid: TimeDelta, now: DateTime<Utc>) -> Result<()> {
    let [gift] = model::of_lines(conn, &[line]).await?.try_into().map_err(|_| missing())?;
    let gift = model::activate(conn, line, rules::expires_at(&gift, valid, now), now).await?;
    queue_delivery(conn, &gift, now).await?;
    queue_reminders(conn, &gift, now).await
}

fn missing() -> AppError {
    AppError::internal("a line without its gift")
}

async fn queue_delivery(conn: &mut Conn, gift: &GiftRow, now: DateTime<Utc>) -> Result<()> {
    jobs::enqueue(conn, &Job::DeliverGift { gift: gift.id }, gift.deliver_at.max(now), now).await?;
    Ok(())
}

/// Jobs that remind the buyer. Called whenever the end may have changed: one that comes too early finds nothing to say.
pub(super) async fn queue_reminders(conn: &mut Conn, gift: &GiftRow, now: DateTime<Utc>) -> Result<()> {
    let Some(end) = gift.expires_at else { return Ok(()) };
    let job = Job::RemindGift { gift: gift.id };
    let due: Vec<_> = rules::reminders(end, now).into_iter().map(|at| (job.clone(), at)).collect();
    jobs::enqueue_all(conn, &due, now).await?;
    Ok(())
}

/// Who bought a gift, where mails reach him.
pub(super) async fn buyer_of(conn: &mut Conn, gift: &GiftRow) -> Option<Recipient> {
    let buyer = accounts::load_buyer(conn, gift.account_id).await.ok()?;
    // A guest's account is nobody's whose mails could be listed.
    let account = Some(buyer.id).filter(|_| !buyer.is_guest);
    Some(Recipient { account, address: buyer.email?, locale: buyer.locale })
}

/// The plan of a gift: archived ones too, for what was sold is given.
///
/// # Errors
/// The database's.
pub(super) async fn plan_of(conn: &mut Conn, gift: &GiftRow) -> Result<Plan> {
    plans::find(conn, gift.plan_id).await?.ok_or_else(|| AppError::internal("a sold plan is gone"))
}

pub(super) async fn order_number(conn: &mut Conn, gift: &GiftRow) -> Result<String> {
    let order = model::order_of(conn, gift.line_id).await?;
    Ok(orders::load(conn, order).await?.number)
}

/// Locks the accounts of an order's buyer and of who redeemed its gifts, whose memberships may change. The order is locked.
///
/// # Errors
/// The database's.
pub async fn lock_accounts(conn: &mut Conn, order: OrderId, buyer: AccountId) -> Result<()> {
    let mut ids = BTreeSet::from([buyer]);
    ids.extend(model::receivers_of(conn, order).await?);
    accounts::lock_buyers(conn, &ids.into_iter().collect::<Vec<_>>()).await?;
    Ok(())
}

/// All that was paid for these gifts went back: their codes are worth nothing, and what they gave ends.
///
/// # Errors
/// The database's.
pub async fn give_up(conn: &mut Conn, lines: &[LineId], now: DateTime<Utc>) -> Result<()> {
    for gift in model::lock_of_lines(conn, lines).await? {
        take_back(conn, &gift, now).await?;
    }
    Ok(())
}

async fn take_back(conn: &mut Conn, gift: &GiftRow, now: DateTime<Utc>) -> Result<()> {
    model::void(conn, gift.id, now).await?;
    if let Some(term) = gift.term_id {
        ending::take_back(conn, term, now).await?;
    }
    Ok(())
}

/// A refund of the order has failed: gifts that a refund had taken back, that nobody had redeemed and of whose money something
/// stayed, are good again. What an operator took back, or a bank, stays so. The order is locked.
///
/// # Errors
/// The database's.
pub async fn revive(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let lines = orders::lines_of(conn, &[order]).await?;
    let paid: Vec<_> =
        lines.iter().filter(|line| line.is_gift() && !line.is_refunded()).map(|line| line.id).collect();
    if paid.is_empty() {
        return Ok(());
    }
    // Whatever a refund ended, it ended at its own moment.
    let refunds: Vec<_> =
        refunds::of_order(conn, order).await?.into_iter().map(|row| row.created_at).collect();
    for gift in model::lock_of_lines(conn, &paid).await? {
        if gift.redeemed_at.is_some() || !gift.voided_at.is_some_and(|at| refunds.contains(&at)) {
            continue;
        }
        model::revive(conn, gift.id).await?;
        let gift = model::load(conn, gift.id).await?;
        if rules::state(&gift, now) == State::Scheduled {
            queue_delivery(conn, &gift, now).await?;
        }
        queue_reminders(conn, &gift, now).await?;
    }
    Ok(())
}

/// A gift whose payment is disputed can't be redeemed; where it was, the receiver's membership is frozen as long as what it gave
/// isn't over. Where the money is lost the gift ends, and what is left of what it gave; nothing else of the receiver's. Where it
/// is won the time is given back. `is_over`: no other dispute of the order is open.
///
/// # Errors
/// The database's.
pub async fn follow_dispute(
    conn: &mut Conn,
    lines: &[LineId],
    dispute: DisputeId,
    how: Disputed,
    is_over: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let cause = FreezeCause::Dispute(dispute);
    for gift in model::lock_of_lines(conn, lines).await? {
        match (how, gift.redeemed_by) {
            (Disputed::Open, Some(receiver)) if is_running(conn, &gift, now).await? => {
                membership::freeze(conn, receiver, cause, now).await?;
            }
            (Disputed::Open, Some(_)) => {}
            (Disputed::Open, None) => model::hold(conn, gift.id, now).await?,
            (Disputed::Won | Disputed::Lost, Some(receiver)) => {
                membership::resume(conn, receiver, cause, now).await?;
            }
            (Disputed::Won, None) if is_over => let_go(conn, &gift, now).await?,
            (Disputed::Won | Disputed::Lost, None) => {}
        }
        if how == Disputed::Lost {
            take_back(conn, &gift, now).await?;
        }
    }
    Ok(())
}

/// Isn't what it gave over?
async fn is_running(conn: &mut Conn, gift: &GiftRow, now: DateTime<Utc>) -> Result<bool> {
    let Some(term) = gift.term_id else { return Ok(false) };
    match memberships::find_term(conn, term).await? {
        Some(term) => ending::runs(conn, &term, now).await,
        None => Ok(false),
    }
}

async fn let_go(conn: &mut Conn, gift: &GiftRow, now: DateTime<Utc>) -> Result<()> {
    if gift.held_at.is_none() {
        return Ok(());
    }
    model::let_go(conn, gift.id, rules::let_go_until(gift, now)).await?;
    let gift = model::load(conn, gift.id).await?;
    // Its day may have passed meanwhile.
    if rules::state(&gift, now) == State::Scheduled {
        queue_delivery(conn, &gift, now).await?;
    }
    queue_reminders(conn, &gift, now).await
}

fn unknown() -> AppError {
    Code::UnknownGift.at("code", "there is no such code")
}

fn hash_of(typed: &str) -> Option<Vec<u8>> {
    code_typed(typed).map(|code| secrets::hash(&code))
}

/// The gift with this code, as somebody types it.
///
/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, typed: &str) -> Result<Option<GiftRow>> {
    match hash_of(typed) {
        Some(hash) => model::find_code(conn, &hash).await,
        None => Ok(None),
    }
}

/// What a gift is, and whether this account, where one asks, can redeem it. Without an effect.
///
/// # Errors
/// The database's.
pub async fn check(
    conn: &mut Conn,
    gift: &GiftRow,
    account: Option<AccountId>,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<GiftAnswer> {
    let plan = plan_of(conn, gift).await?;
    let mut refusal = rules::may_redeem(gift, now).map_err(|code| rules::Refusal { code, from: None }).err();
    if let (None, Some(account)) = (refusal, account) {
        let held = memberships::all_of(conn, account).await?;
        let is_ordering = orders::with_pending_membership(conn, &[account]).await?.contains(&account);
        refusal = rules::may_receive(&held, plan.tier, is_ordering, now).err();
    }
    Ok(GiftAnswer::of_gift(gift, &plan, refusal, locale))
}

/// Adds what the gift gives to what the account has. Tells the gift.
///
/// # Errors
/// `unknown_gift`, `gift_redeemed`, `gift_void`, `gift_held`, `gift_expired`, those of [`rules::may_receive`],
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn redeem(app: &App, account: AccountId, typed: &str, request: &Request) -> Result<GiftId> {
    let now = app.clock.now();
    let id = db::transaction(&app.pool, async |conn| {
        let hash = hash_of(typed).ok_or_else(unknown)?;
        let found = model::find_code(conn, &hash).await?.ok_or_else(unknown)?;
        if idempotency::claim(conn, request, 200, found.id.0, now).await? != Claim::First {
            return Ok(found.id);
        }
        let order = model::order_of(conn, found.line_id).await?;
        let order = orders::lock(conn, order).await?;
        let receiver = accounts::lock_buyers(conn, &[account]).await?.pop().ok_or(Code::Unauthenticated)?;
        // Another code may have replaced this one meanwhile.
        let gift = model::lock_code(conn, &hash).await?.ok_or_else(unknown)?;
        rules::may_redeem(&gift, now)?;
        let plan = plan_of(conn, &gift).await?;
        let held = memberships::lock_all_of(conn, &[account]).await?;
        let is_ordering = orders::with_pending_membership(conn, &[account]).await?.contains(&account);
        rules::may_receive(&held, plan.tier, is_ordering, now).map_err(rules::Refusal::error)?;
        let term = gift.term.parse().map_err(AppError::internal)?;
        let given = Given { account, source: Source::Gift, term, now, zone: app.settings.timezone };
        let activated = giving::give(conn, &plan, &given).await?;
        model::redeem(conn, gift.id, account, activated.term, now).await?;
        let mut queued = Vec::with_capacity(2);
        if let Some(address) = receiver.email {
            let to = Recipient { account: Some(account), address, locale: receiver.locale };
            queued.push((to, format!("welcome:{}", activated.term), giving::welcome(&activated)));
        }
        if let Some(buyer) = buyer_of(conn, &gift).await.filter(|_| gift.account_id != account) {
            let told = Mail::GiftRedeemed {
                tier_zh: plan.tier_zh.clone(),
                tier_en: plan.tier_en.clone(),
                order_number: order.number.clone(),
            };
            queued.push((buyer, format!("gift_redeemed:{}", gift.id), told));
        }
        mails::queue_all(conn, now, &queued).await?;
        Ok(gift.id)
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(id)
}

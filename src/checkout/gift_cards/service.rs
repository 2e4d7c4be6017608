//! Gift cards: ordered, paid, delivered, redeemed, taken back. A card's row is locked after accounts' and before balances of
//! store credit.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{GiftReplacement, NewGift};
use super::model::{self, GiftCard, NewGiftCard};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::credit::model::{self as balances, EntryKind};
use crate::checkout::credit::service::{self as credit, Grant};
use crate::checkout::gift_codes::rules::{Receiver, State, code as code_typed};
use crate::checkout::orders::model as orders;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Lane};
use crate::people::accounts::model::Buyer;
use crate::people::secrets;
use crate::types::id::{AccountId, GiftCardId, LineId, OrderId, RefundId};

/// The row of a card that is ordered: worth nothing before it is paid.
pub fn ordered(
    line: LineId,
    buyer: &Buyer,
    amount_minor: i64,
    currency: &str,
    to: Option<&Receiver>,
    now: DateTime<Utc>,
) -> Result<NewGiftCard> {
    let own = || buyer.email.clone().ok_or_else(|| Code::Unauthenticated.error());
    Ok(NewGiftCard {
        id: GiftCardId::new(),
        line_id: Some(line),
        account_id: Some(buyer.id),
        amount_minor,
        currency: currency.to_owned(),
        to_email: to.map_or_else(own, |to| Ok(to.email.as_str().to_owned()))?,
        to_name: to.and_then(|to| to.name.clone()),
        from_name: buyer.name.clone(),
        message: to.and_then(|to| to.message.clone()),
        locale: buyer.locale.as_str().to_owned(),
        deliver_at: to.and_then(|to| to.deliver_at).unwrap_or(now),
        expires_at: None,
        reason: None,
        created_at: now,
        activated_at: None,
    })
}

/// A line's card is paid for: a job delivers it on its day.
///
/// # Errors
/// The database's.
pub async fn activate(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<()> {
    let card = model::activate(conn, line, now).await?;
    queue_delivery(conn, &card, now).await
}

async fn queue_delivery(conn: &mut Conn, card: &GiftCard, now: DateTime<Utc>) -> Result<()> {
    let job = Job::DeliverGiftCard { card: card.id };
    jobs::enqueue(conn, &job, card.deliver_at.max(now), now).await?;
    Ok(())
}

/// Those of these lines whose cards were redeemed, without a lock.
///
/// # Errors
/// The database's.
pub async fn redeemed_of(conn: &mut Conn, lines: &[LineId]) -> Result<Vec<LineId>> {
    let cards = model::of_lines(conn, lines).await?;
    Ok(cards.iter().filter(|card| card.redeemed_at.is_some()).filter_map(|card| card.line_id).collect())
}

/// Cards of these lines, of which so much was refunded, are worth nothing any more. One that was redeemed meanwhile can't be
/// refunded, unless Stripe has done it (`adopted`): then so much is taken back from who redeemed it.
///
/// # Errors
/// `gift_card_redeemed`
pub async fn give_up(
    conn: &mut Conn,
    refunded: &[(LineId, i64)],
    adopted: Option<RefundId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let lines: Vec<_> = refunded.iter().map(|(line, _)| *line).collect();
    let cards = model::lock_of_lines(conn, &lines).await?;
    lock_holders(conn, &cards).await?;
    for card in &cards {
        let Some(holder) = card.redeemed_by else { continue };
        let Some(refund) = adopted else { return Err(Code::GiftCardRedeemed.error()) };
        let minor =
            refunded.iter().find(|(line, _)| card.line_id == Some(*line)).map_or(0, |(_, minor)| *minor);
        let cause = format!("card_refunded:{}:{refund}", card.id);
        credit::claw_back(conn, holder, minor, &cause, card.account_id == Some(holder), now).await?;
    }
    void_unredeemed(conn, &cards, now).await
}

/// Who redeemed cards that an order bought.
///
/// # Errors
/// The database's.
pub async fn holders_of(conn: &mut Conn, order: OrderId) -> Result<BTreeSet<AccountId>> {
    let lines: Vec<_> = orders::lines_of(conn, &[order]).await?.iter().map(|line| line.id).collect();
    Ok(model::of_lines(conn, &lines).await?.iter().filter_map(|card| card.redeemed_by).collect())
}

/// Balances are locked by account, not by card.
async fn lock_holders(conn: &mut Conn, cards: &[GiftCard]) -> Result<()> {
    let holders: BTreeSet<_> = cards.iter().filter_map(|card| card.redeemed_by).collect();
    balances::lock(conn, &holders.into_iter().collect::<Vec<_>>()).await.map(|_| ())
}

async fn void_unredeemed(conn: &mut Conn, cards: &[GiftCard], now: DateTime<Utc>) -> Result<()> {
    let live = cards.iter().filter(|card| card.redeemed_at.is_none() && card.voided_at.is_none());
    model::void(conn, &live.map(|card| card.id).collect::<Vec<_>>(), now).await
}

/// How a dispute of the payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disputed {
    Open,
    Won,
    Lost,
}

/// Cards whose payment is disputed can't be redeemed; where the money is lost they end, and what was redeemed of them is taken
/// back: from who bought the card himself in full, from others as far as it is still there.
///
/// # Errors
/// The database's.
pub async fn follow_dispute(
    conn: &mut Conn,
    lines: &[LineId],
    how: Disputed,
    now: DateTime<Utc>,
) -> Result<()> {
    let cards = model::lock_of_lines(conn, lines).await?;
    let ids: Vec<_> = cards.iter().map(|card| card.id).collect();
    match how {
        Disputed::Open => model::set_held(conn, &ids, Some(now)).await,
        Disputed::Won => {
            model::set_held(conn, &ids, None).await?;
            // Their day may have passed meanwhile.
            for card in cards.iter().filter(|card| card.activated_at.is_some() && card.delivered_at.is_none())
            {
                queue_delivery(conn, card, now).await?;
            }
            Ok(())
        }
        Disputed::Lost => {
            lock_holders(conn, &cards).await?;
            for card in &cards {
                let Some(holder) = card.redeemed_by else { continue };
                // Who was given it did nothing wrong: he owes nothing for what he has spent.
                let owe = card.account_id == Some(holder);
                let cause = format!("dispute_lost:{}", card.id);
                credit::claw_back(conn, holder, card.amount_minor, &cause, owe, now).await?;
            }
            void_unredeemed(conn, &cards, now).await
        }
    }
}

fn unknown() -> AppError {
    Code::UnknownGiftCard.at("code", "there is no such code")
}

fn hash_of(typed: &str) -> Option<Vec<u8>> {
    code_typed(typed).map(|code| secrets::hash(&code))
}

/// The card with this code, as somebody types it.
///
/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, typed: &str) -> Result<Option<GiftCard>> {
    match hash_of(typed) {
        Some(hash) => model::find_code(conn, &hash).await,
        None => Ok(None),
    }
}

async fn lock_code(conn: &mut Conn, typed: &str) -> Result<GiftCard> {
    model::lock_code(conn, &hash_of(typed).ok_or_else(unknown)?).await?.ok_or_else(unknown)
}

/// Turns a card into store credit of the account. Tells the card.
///
/// # Errors
/// `unknown_gift_card`, `gift_card_redeemed`, `gift_card_void`, `gift_card_held`, `gift_card_expired`,
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn redeem(app: &App, account: AccountId, typed: &str, request: &Request) -> Result<GiftCard> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let found = find_code(conn, typed).await?.ok_or_else(unknown)?;
        if idempotency::claim(conn, request, 200, found.id.0, now).await? != Claim::First {
            return Ok(found);
        }
        // Another code may have replaced this one meanwhile.
        let card = lock_code(conn, typed).await?;
        rules::may_redeem(&card, now)?;
        if card.currency != app.settings.currency {
            return Err(Code::GiftCardVoid.because("It is of another currency than the shop's."));
        }
        model::redeem(conn, card.id, account, now).await?;
        let granted = Grant {
            account,
            amount_minor: card.amount_minor,
            kind: EntryKind::GiftCard,
            cause: format!("gift_card:{}", card.id),
            order: None,
            reason: None,
        };
        credit::grant(conn, &[granted], now).await?;
        Ok(card)
    })
    .await
}

/// An operator gives a card out.
///
/// # Errors
/// `invalid_field`, `idempotency_key_reused`, `request_in_progress`.
pub async fn give_out(app: &App, actor: Actor, new: &NewGift, request: &Request) -> Result<GiftCardId> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let amount_minor = fields::price("amount", &new.amount, currency)?;
    let to = new.to.parse("to")?;
    rules::may_sell("", amount_minor, Some(&to), now).map_err(|mut error| {
        error.errors.iter_mut().for_each(|one| one.field = one.field.trim_start_matches('.').to_owned());
        error
    })?;
    let expires_at = new.expires_at.map(|at| fields::ahead("expires_at", at, now)).transpose()?;
    let deliver_at = to.deliver_at.unwrap_or(now);
    if expires_at.is_some_and(|end| end <= deliver_at) {
        return Err(Code::InvalidField.at("expires_at", "expected a time after the delivery"));
    }
    let reason = fields::reason(&new.reason)?;
    let id = GiftCardId::new();
    let row = NewGiftCard {
        id,
        line_id: None,
        account_id: None,
        amount_minor,
        currency: currency.clone(),
        to_email: to.email.as_str().to_owned(),
        to_name: to.name,
        from_name: None,
        message: to.message,
        locale: new.locale.unwrap_or_default().as_str().to_owned(),
        deliver_at,
        expires_at,
        reason: Some(reason.clone()),
        created_at: now,
        activated_at: Some(now),
    };
    let id = db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
            return Ok(GiftCardId(earlier));
        }
        NewGiftCard::insert(&mut &*conn, vec![row.clone()]).await?;
        jobs::enqueue(conn, &Job::DeliverGiftCard { card: id }, deliver_at, now).await?;
        record(conn, actor, "gift_card.give_out", id, &reason, json!({ "amount_minor": amount_minor }), now)
            .await?;
        Ok(id)
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(id)
}

/// An operator takes a card back that nobody has redeemed. Twice does no more than once.
///
/// # Errors
/// `not_found`, `gift_card_redeemed`; `gift_card_void` where its order isn't paid.
pub async fn void(app: &App, actor: Actor, id: GiftCardId, reason: &str) -> Result<GiftCard> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let card = model::lock(conn, id).await?;
        if card.redeemed_at.is_some() {
            return Err(Code::GiftCardRedeemed.error());
        }
        if card.activated_at.is_none() {
            return Err(Code::GiftCardVoid.because("Its order isn't paid: cancel that."));
        }
        if card.voided_at.is_none() {
            model::void(conn, &[id], now).await?;
            record(conn, actor, "gift_card.void", id, reason, json!({}), now).await?;
        }
        model::load(conn, id).await
    })
    .await
}

/// A code was lost or seen by somebody: a new one is mailed, the old one is worth nothing.
///
/// # Errors
/// `not_found`, `gift_card_redeemed`, `gift_card_void`, `gift_card_held`, `gift_card_expired`, `invalid_field`,
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn replace(
    app: &App,
    actor: Actor,
    id: GiftCardId,
    asked: &GiftReplacement,
    request: &Request,
) -> Result<GiftCard> {
    let now = app.clock.now();
    let reason = fields::reason(&asked.reason)?;
    let card = db::transaction(&app.pool, async |conn| {
        if idempotency::claim(conn, request, 200, id.0, now).await? != Claim::First {
            return model::load(conn, id).await;
        }
        let card = model::lock(conn, id).await?;
        if card.to_email.is_empty() && asked.email.is_none() {
            return Err(Code::InvalidField.at("email", "its holder's address is gone: name one"));
        }
        if rules::state(&card, now) != State::Scheduled {
            rules::may_redeem(&card, now)?;
        }
        if let Some(email) = &asked.email {
            model::set_receiver(conn, id, email.as_str()).await?;
        }
        if card.delivered_at.is_some() {
            model::take_code(conn, id).await?;
            jobs::enqueue(conn, &Job::DeliverGiftCard { card: id }, now, now).await?;
        }
        record(conn, actor, "gift_card.replace", id, &reason, json!({}), now).await?;
        model::load(conn, id).await
    })
    .await?;
    app.jobs.wake(Lane::Local);
    Ok(card)
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    id: GiftCardId,
    reason: &str,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let subject_id = id.to_string();
    let entry = Entry { actor, action, subject_kind: "gift_card", subject_id, reason: Some(reason), detail };
    audit::record(conn, now, entry).await
}

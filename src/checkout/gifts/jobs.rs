//! The jobs that deliver a gift membership, and remind its buyer of one that nobody has redeemed.

use super::model::{self, GiftRow};
use super::rules::{reminder_due, state};
use super::service::{buyer_of, order_number, plan_of};
use crate::app::App;
use crate::checkout::gift_codes::rules::{CODE_LETTERS, State, end_of, fresh, written};
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::membership::plans::model::Plan;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::secrets;
use crate::types::id::GiftId;
use crate::types::locale::Locale;

/// Delivers a gift that is paid for and was neither delivered nor taken back: to whom it is for, and a word to its buyer; or to
/// the buyer, who hands it on. The code is made here and kept nowhere: the mail in the outbox has it until it is sent.
///
/// # Errors
/// The database's.
pub async fn deliver(app: &App, id: GiftId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let gift = model::lock(conn, id).await?;
        // Whose address was erased has nobody to deliver it to, before an operator names somebody.
        if state(&gift, now) != State::Scheduled || gift.to_email.is_empty() {
            return Ok(());
        }
        let plan = plan_of(conn, &gift).await?;
        let code = fresh(&secrets::random_bytes::<CODE_LETTERS>()?);
        let end = end_of(&code);
        model::store_code(conn, id, &secrets::hash(&code), &end, now).await?;
        let queued = delivered(conn, &gift, &plan, written(&code)).await?;
        let queued: Vec<_> =
            queued.into_iter().map(|(to, kind, mail)| (to, format!("{kind}:{id}:{end}"), mail)).collect();
        mails::queue_all(conn, now, &queued).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// The mails of a delivery.
async fn delivered(
    conn: &mut Conn,
    gift: &GiftRow,
    plan: &Plan,
    token: String,
) -> Result<Vec<(Recipient, &'static str, Mail)>> {
    let buyer = buyer_of(conn, gift).await;
    let (tier_zh, tier_en) = (plan.tier_zh.clone(), plan.tier_en.clone());
    let (term, order_number) = (gift.term.clone(), order_number(conn, gift).await?);
    let own = buyer.as_ref().filter(|buyer| buyer.address == gift.to_email).and_then(|buyer| buyer.account);
    let to =
        Recipient { account: own, address: gift.to_email.clone(), locale: Locale::from_stored(&gift.locale) };
    if !gift.is_addressed {
        let code =
            Mail::GiftCode { token, tier_zh, tier_en, term, order_number, expires_at: gift.expires_at };
        return Ok(vec![(to, "gift_code", code)]);
    }
    let told = buyer.map(|buyer| {
        let told = Mail::GiftDelivered {
            tier_zh: tier_zh.clone(),
            tier_en: tier_en.clone(),
            order_number,
            expires_at: gift.expires_at,
        };
        (buyer, "gift_delivered", told)
    });
    let given = Mail::Gift {
        token,
        tier_zh,
        tier_en,
        term,
        to_name: gift.to_name.clone().unwrap_or_default(),
        from_name: gift.from_name.clone().unwrap_or_default(),
        message: gift.message.clone().unwrap_or_default(),
        expires_at: gift.expires_at,
    };
    Ok([(to, "gift", given)].into_iter().chain(told).collect())
}

/// Tells the buyer that nobody has redeemed a gift, and until when that is possible: once for each of the reminders, and once
/// more where the end was moved.
///
/// # Errors
/// The database's.
pub async fn remind(app: &App, id: GiftId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let gift = model::lock(conn, id).await?;
        let Some(expires_at) = gift.expires_at.filter(|_| state(&gift, now) == State::Open) else {
            return Ok(());
        };
        let (Some(days), Some(buyer)) = (reminder_due(expires_at, now), buyer_of(conn, &gift).await) else {
            return Ok(());
        };
        let plan = plan_of(conn, &gift).await?;
        let mail = Mail::GiftExpiring {
            tier_zh: plan.tier_zh,
            tier_en: plan.tier_en,
            order_number: order_number(conn, &gift).await?,
            expires_at,
        };
        let cause = format!("gift_expiring:{id}:{}:{days}", expires_at.timestamp());
        mails::queue(conn, now, &buyer, &cause, &mail).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

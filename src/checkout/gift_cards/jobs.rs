//! The job that makes a gift card's code and mails it.

use super::model::{self, GiftCard};
use super::rules::state;
use crate::app::App;
use crate::checkout::gift_codes::rules::{CODE_LETTERS, State, end_of, fresh, written};
use crate::db::{self, Conn};
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::people::secrets;
use crate::types::id::{AccountId, GiftCardId};
use crate::types::locale::Locale;

/// Delivers a card that is paid for and was neither delivered nor taken back. Its code is made here and kept nowhere: the
/// mail in the outbox has it until it is sent.
///
/// # Errors
/// The database's.
pub async fn deliver(app: &App, id: GiftCardId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let card = model::lock(conn, id).await?;
        if state(&card, now) != State::Scheduled {
            return Ok(());
        }
        let code = fresh(&secrets::random_bytes::<CODE_LETTERS>()?);
        let end = end_of(&code);
        model::store_code(conn, id, &secrets::hash(&code), &end, now).await?;
        let recipient = Recipient {
            account: own_account(conn, &card).await?,
            address: card.to_email.clone(),
            locale: Locale::from_stored(&card.locale),
        };
        let mail = Mail::GiftCard {
            token: written(&code),
            amount_minor: card.amount_minor,
            currency: card.currency.clone(),
            to_name: card.to_name.clone().unwrap_or_default(),
            from_name: card.from_name.clone().unwrap_or_default(),
            message: card.message.clone().unwrap_or_default(),
            expires_at: card.expires_at,
        };
        mails::queue(conn, now, &recipient, &format!("gift_card:{id}:{end}"), &mail).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

/// Whose mail it is, where the buyer gets the card himself.
async fn own_account(conn: &mut Conn, card: &GiftCard) -> Result<Option<AccountId>> {
    let Some(buyer) = card.account_id else { return Ok(None) };
    let email = accounts::load_buyer(conn, buyer).await.ok().and_then(|buyer| buyer.email);
    Ok(card.account_id.filter(|_| email.as_ref() == Some(&card.to_email)))
}

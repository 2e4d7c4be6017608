//! Asking for a mail at the start, and the job that mails.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, TimeDelta, Utc};

use super::model::{self, Due};
use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::jobs::{Lane, Outcome};
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model::{self as accounts, Buyer};
use crate::shop::products::model::{self as products, Product};
use crate::shop::products::rules;
use crate::shop::visitors;
use crate::types::id::{AccountId, ProductId};

/// Mails of one transaction.
const CHUNK: i64 = 250;
/// Chunks of one run: the mails of a popular start must not stand before everybody's receipts and one-time links.
const CHUNKS_A_RUN: usize = 4;
/// Between runs while some are left.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// Asks for a mail at the start; false where the account has asked before.
///
/// # Errors
/// `not_found` for what isn't shown to the account, `already_on_sale`.
pub async fn add(app: &App, account: AccountId, id_or_slug: &str) -> Result<bool> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let product = products::find(&mut conn, id_or_slug).await?.ok_or(Code::NotFound)?;
    let looker = visitors::load(&mut conn, Some(account), product.audiences(), now).await?;
    if !rules::is_shown(&product, looker.visitor(), &looker.ranks, now) {
        return Err(Code::NotFound.error());
    }
    if !rules::is_announced(&product, now) {
        return Err(Code::AlreadyOnSale.error());
    }
    model::add(&mut conn, product.id, account, now).await
}

/// Asks no more. What isn't there was not asked for either.
///
/// # Errors
/// The database's.
pub async fn remove(app: &App, account: AccountId, id_or_slug: &str) -> Result<()> {
    let mut conn = db::connect(&app.pool).await?;
    match products::find(&mut conn, id_or_slug).await? {
        Some(product) => model::remove(&mut conn, product.id, account).await,
        None => Ok(()),
    }
}

/// The job [`crate::jobs::Job::SendReminders`]: queues the mails of what can be bought by now, some thousands a minute. A
/// reminder goes in the transaction that queues its mail, so that each is mailed once whenever the program dies.
///
/// # Errors
/// The database's.
pub async fn send_due(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    for _ in 0..CHUNKS_A_RUN {
        let taken = db::transaction(&app.pool, async |conn| {
            let due = model::due(conn, CHUNK, now).await?;
            mail(conn, &due, now).await?;
            Ok(due.len())
        })
        .await?;
        app.jobs.wake(Lane::Mail);
        if taken == 0 {
            return Ok(Outcome::Done);
        }
    }
    Ok(Outcome::Again(now + PAUSE))
}

/// Queues the mails of what is due, and takes it away. Whoever was erased, or isn't shown the product any more, is not
/// mailed. Accounts are locked first, as erasure does, so that no address outlives it in a mail.
async fn mail(conn: &mut Conn, due: &[Due], now: DateTime<Utc>) -> Result<()> {
    let people: BTreeSet<AccountId> = due.iter().map(|due| due.account_id).collect();
    let people: Vec<_> = people.into_iter().collect();
    let buyers: HashMap<AccountId, Buyer> =
        accounts::lock_buyers(conn, &people).await?.into_iter().map(|buyer| (buyer.id, buyer)).collect();
    let ids: Vec<_> = due.iter().map(|due| due.id).collect();
    let due = model::take(conn, &ids).await?;
    let named: BTreeSet<ProductId> = due.iter().map(|due| due.product_id).collect();
    let known = products::load(conn, &named.into_iter().collect::<Vec<_>>()).await?;
    let crowd = visitors::crowd(conn, &people, known.iter().flat_map(Product::audiences), now).await?;
    let mut batch = Vec::with_capacity(due.len());
    for due in due {
        let product = known.iter().find(|product| product.id == due.product_id);
        let visitor = crowd.visitor(due.account_id);
        let product = product.filter(|product| rules::is_shown(product, visitor, &crowd.ranks, now));
        let (Some(product), Some(to)) = (product, buyers.get(&due.account_id).and_then(recipient)) else {
            continue;
        };
        let mail = Mail::NowAvailable {
            product_zh: product.names.zh.clone(),
            product_en: product.names.en.clone(),
            slug: product.slug.clone(),
        };
        batch.push((to, format!("now_available:{}", due.id), mail));
    }
    mails::queue_all(conn, now, &batch).await
}

/// None for who was erased.
fn recipient(buyer: &Buyer) -> Option<Recipient> {
    let address = buyer.email.clone()?;
    Some(Recipient { account: Some(buyer.id), address, locale: buyer.locale })
}

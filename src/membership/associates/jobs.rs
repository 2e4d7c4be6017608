//! What is done about seats by the clock, and after the commit.

use crate::app::App;
use crate::db;
use crate::error::Result;
use crate::jobs::{Lane, Outcome};
use crate::membership::memberships::model as memberships;
use crate::membership::tiers;
use crate::messages::mails::{self, Mail, Recipient};
use crate::people::accounts::model as accounts;
use crate::types::id::{AccountId, AssociateId, MembershipId};

use super::{endings, model};

const PAGE: i64 = 200;

/// The job [`crate::jobs::Job::TendAssociates`]: invitations that nobody answered, and seats whose terms are over. One
/// transaction a family.
///
/// # Errors
/// The database's.
pub async fn tend_all(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    let mut after = None;
    loop {
        let due = model::to_tend(&mut *db::connect(&app.pool).await?, after, now, PAGE).await?;
        for (membership, head) in &due {
            tend_one(app, *membership, *head).await?;
        }
        after = match due.last() {
            Some((last, _)) => Some(*last),
            None => return Ok(Outcome::Done),
        };
    }
}

async fn tend_one(app: &App, membership: MembershipId, head: AccountId) -> Result<()> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        accounts::lock_buyers(conn, &[head]).await?;
        let held = memberships::lock_all_of(conn, &[head]).await?;
        match held.iter().find(|row| row.id == membership && row.is_open()) {
            Some(row) => endings::tend(conn, row, now).await,
            None => endings::head_is_over(conn, membership, now).await,
        }
    })
    .await
}

/// The job [`crate::jobs::Job::TellAssociate`]: mails who was an associate that he is one no more. His account is locked first,
/// as erasure does, so that no address outlives it in a mail.
///
/// # Errors
/// The database's.
pub async fn tell(app: &App, associate: AssociateId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let Some(row) = model::find(conn, associate).await? else { return Ok(()) };
        let (Some(account), Some(cause)) = (row.account_id, row.cause) else { return Ok(()) };
        let Some(buyer) = accounts::lock_buyers(conn, &[account]).await?.pop() else { return Ok(()) };
        let Some(address) = buyer.email.clone() else { return Ok(()) };
        let head = memberships::find(conn, row.membership_id).await?;
        let tier = match head {
            Some(head) => tiers::model::find(conn, head.tier_id).await?,
            None => None,
        };
        let Some(tier) = tier else { return Ok(()) };
        let to = Recipient { account: Some(account), address, locale: buyer.locale };
        let mail = Mail::AssociateEnded {
            cause: cause.as_str().to_owned(),
            tier_zh: tier.names.zh,
            tier_en: tier.names.en,
        };
        mails::queue(conn, now, &to, &format!("associate:{associate}:ended"), &mail).await
    })
    .await?;
    app.jobs.wake(Lane::Mail);
    Ok(Outcome::Done)
}

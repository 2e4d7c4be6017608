//! Export and erasure.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::credit::{model as credit, service as credit_service};
use crate::checkout::{cancellations, returns};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::loyalty::points::service as points;
use crate::membership::{associates, memberships};
use crate::people::operators::rules::{Role, roles_from_stored};
use crate::people::passwords::Password;
use crate::people::sessions::model::{EndReason, Which};
use crate::people::{accounts, attempts, operators, sessions};
use crate::promotion::packets::model::holding;
use crate::promotion::packets::service as packets;
use crate::types::id::{AccountId, SessionId};

/// Everything held about an account.
///
/// # Errors
/// `unauthenticated` when the account is gone.
pub async fn export(app: &App, account: AccountId) -> Result<Value> {
    let mut conn = db::connect(&app.pool).await?;
    accounts::model::load(&mut conn, account).await?;
    model::export(&mut conn, account).await
}

/// What an account still has to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forfeit {
    /// Refuse while an order is pending, a term runs, or store credit is left.
    Nothing,
    /// Give all of it up.
    Everything,
}

/// Erases an account. Its orders, ledgers and member number stay, anonymous.
///
/// # Errors
/// `wrong_password`; `order_pending`, `membership_running`, `credit_left` unless they are given up; `payment_in_progress` while a
/// payment of such an order is on its way; `last_owner`.
pub async fn erase(app: &App, account: AccountId, password: &Password, forfeit: Forfeit) -> Result<()> {
    sessions::service::ask_password(app, account, password).await?;
    if forfeit == Forfeit::Everything {
        give_up_orders(app, account).await?;
        packets::give_up(app, account).await?;
    }
    let now = app.clock.now();
    let ended = db::transaction(&app.pool, async |conn| erase_on(conn, account, forfeit, now).await).await?;
    app.tokens.note_ended(&ended, now);
    Ok(())
}

/// Cancels what waits for payment, and returns that haven't arrived, as the buyer could: claims go back, the payment page
/// closes.
async fn give_up_orders(app: &App, account: AccountId) -> Result<()> {
    let pending = model::pending_orders(&mut *db::connect(&app.pool).await?, account).await?;
    for order in pending {
        match cancellations::service::give_up(app, account, order, &format!("erasure:{order}")).await {
            // It was paid or has run out meanwhile: nothing is left to give up.
            Err(error) if error.code == Code::OrderNotPending => {}
            done => done?,
        }
    }
    let open = model::open_returns(&mut *db::connect(&app.pool).await?, account).await?;
    for (order, id) in open {
        match returns::service::give_up(app, account, order, id).await {
            // What has arrived is in the shop's hands: its money goes back all the same.
            Err(error) if error.code == Code::WrongReturnState => {}
            done => done?,
        }
    }
    Ok(())
}

async fn erase_on(
    conn: &mut Conn,
    account: AccountId,
    forfeit: Forfeit,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    // With the account's row locked, no order can be placed for it any more.
    operators::model::lock_with_owners(conn, account).await?;
    let row = accounts::model::load(conn, account).await?;
    if roles_from_stored(&row.roles).contains(&Role::Owner) {
        operators::model::refuse_last_owner(conn, account).await?;
    }
    if !model::pending_orders(conn, account).await?.is_empty() {
        return Err(Code::OrderPending.error());
    }
    match forfeit {
        Forfeit::Nothing if has_running_term(conn, account, now).await? => {
            return Err(Code::MembershipRunning.error());
        }
        Forfeit::Nothing
            if model::has_parcels_to_come(conn, account).await?
                || !model::open_returns(conn, account).await?.is_empty() =>
        {
            return Err(Code::OrderPending.error());
        }
        Forfeit::Nothing if has_credit(conn, account).await? => return Err(Code::CreditLeft.error()),
        Forfeit::Nothing => {}
        // One that was made since its packets were ended.
        Forfeit::Everything if has_packets(conn, account).await? => return Err(Code::CreditLeft.error()),
        Forfeit::Everything => {
            memberships::service::revoke(conn, account, now).await?;
            let cause = format!("erased:{account}");
            credit_service::claw_back(conn, account, i64::MAX, &cause, false, now).await?;
        }
    }
    points::forfeit(conn, account, now).await?;
    associates::endings::forget(conn, account, row.email_key.as_deref(), now).await?;
    let ended = sessions::model::end(conn, account, Which::All, EndReason::Erased, now).await?;
    let email_key = row.email_key.as_deref();
    attempts::clear(conn, &sessions::service::attempts_key(email_key.unwrap_or_default())).await?;
    model::anonymise(conn, account, row.email.as_deref(), email_key, now).await?;
    let entry = Entry {
        actor: Actor::Account(account),
        action: "account.erase",
        subject_kind: "account",
        subject_id: account.to_string(),
        reason: None,
        detail: json!({ "forfeit": forfeit == Forfeit::Everything }),
    };
    audit::record(conn, now, entry).await?;
    Ok(ended)
}

/// A frozen membership has its time still to come.
async fn has_running_term(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<bool> {
    let open = memberships::model::open_of(conn, &[account]).await?;
    Ok(open.iter().any(|row| row.frozen_at.is_some() || row.ends_at.is_none_or(|end| end > now)))
}

async fn has_credit(conn: &mut Conn, account: AccountId) -> Result<bool> {
    let balances = credit::balances(conn, &[account]).await?;
    let has_balance = balances.get(&account).is_some_and(|balance| balance.balance_minor > 0);
    Ok(has_balance || has_packets(conn, account).await?)
}

/// What nobody has opened of its packets is the account's.
async fn has_packets(conn: &mut Conn, account: AccountId) -> Result<bool> {
    Ok(!holding(conn, account).await?.is_empty())
}

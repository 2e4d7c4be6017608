//! Rows of lists that were left, and of suppressed addresses.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::MailList;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{accounts, mail_opt_outs, mail_suppressions, mails};
use crate::types::id::{AccountId, MailId, SuppressionId};
use crate::types::stored::stored_enum;

stored_enum! {
    SuppressionReason {
        HardBounce = "hard_bounce",
        Complaint = "complaint",
        ByHand = "by_hand",
    }
}

/// An address to which nothing of a list is sent.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = mail_suppressions)]
pub struct Suppression {
    pub id: SuppressionId,
    /// In lower case.
    pub email_key: String,
    pub reason: SuppressionReason,
    pub created_at: DateTime<Utc>,
}

/// The lists that an account has left.
///
/// # Errors
/// The database's.
pub async fn left_by(conn: &mut Conn, account: AccountId) -> Result<Vec<MailList>> {
    let rows = mail_opt_outs::table.filter(mail_opt_outs::account_id.eq(account));
    Ok(rows.select(mail_opt_outs::list).load(conn).await?)
}

/// Takes a locked account off a list; the first time stays.
///
/// # Errors
/// The database's.
pub async fn leave(conn: &mut Conn, account: AccountId, list: MailList, now: DateTime<Utc>) -> Result<()> {
    diesel::insert_into(mail_opt_outs::table)
        .values((
            mail_opt_outs::account_id.eq(account),
            mail_opt_outs::list.eq(list),
            mail_opt_outs::opted_out_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

/// Puts an account back on a list.
///
/// # Errors
/// The database's.
pub async fn join(conn: &mut Conn, account: AccountId, list: MailList) -> Result<()> {
    diesel::delete(mail_opt_outs::table.find((account, list))).execute(conn).await?;
    Ok(())
}

/// Why a mail of a list must not go now; none where it may.
///
/// # Errors
/// The database's.
pub async fn refusal(
    conn: &mut Conn,
    account: Option<AccountId>,
    address: &str,
    list: MailList,
) -> Result<Option<&'static str>> {
    if is_suppressed(conn, &address.to_lowercase()).await? {
        return Ok(Some("nothing of a list is sent to this address"));
    }
    let Some(account) = account else { return Ok(None) };
    if left_by(conn, account).await?.contains(&list) {
        return Ok(Some("the account has left the list"));
    }
    let news: Option<bool> =
        accounts::table.find(account).select(accounts::marketing).first(conn).await.optional()?;
    if list == MailList::Notices && news != Some(true) {
        return Ok(Some("the account takes no news"));
    }
    Ok(None)
}

async fn is_suppressed(conn: &mut Conn, email_key: &str) -> Result<bool> {
    let found = mail_suppressions::table.filter(mail_suppressions::email_key.eq(email_key));
    Ok(diesel::select(diesel::dsl::exists(found)).get_result(conn).await?)
}

/// The account that has this address.
///
/// # Errors
/// The database's.
pub async fn account_of(conn: &mut Conn, email_key: &str) -> Result<Option<AccountId>> {
    let own = accounts::table.filter(accounts::email_key.eq(email_key)).select(accounts::id);
    Ok(own.first(conn).await.optional()?)
}

/// Where a mail went to.
///
/// # Errors
/// The database's.
pub async fn address_of(conn: &mut Conn, mail: MailId) -> Result<Option<String>> {
    Ok(mails::table.find(mail).select(mails::to_address).first(conn).await.optional()?)
}

/// An address that is suppressed already stays so, for its first reason. False for that.
///
/// # Errors
/// The database's.
pub async fn suppress(conn: &mut Conn, row: &Suppression) -> Result<bool> {
    let new = diesel::insert_into(mail_suppressions::table).values(row).on_conflict_do_nothing();
    Ok(new.execute(conn).await? == 1)
}

/// A page, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Suppression>> {
    Ok(mail_suppressions::table
        .filter(mail_suppressions::id.lt(SuppressionId(page.before)))
        .order(mail_suppressions::id.desc())
        .limit(page.fetch())
        .select(Suppression::as_select())
        .load(conn)
        .await?)
}

/// False where there is no such one.
///
/// # Errors
/// The database's.
pub async fn delete(conn: &mut Conn, id: SuppressionId) -> Result<bool> {
    Ok(diesel::delete(mail_suppressions::table.find(id)).execute(conn).await? == 1)
}

/// Of an erased account: the lists that it left, and its addresses.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId, addresses: &[String]) -> Result<()> {
    diesel::delete(mail_opt_outs::table.filter(mail_opt_outs::account_id.eq(account))).execute(conn).await?;
    let keys: Vec<_> = addresses.iter().map(|address| address.to_lowercase()).collect();
    diesel::delete(mail_suppressions::table.filter(mail_suppressions::email_key.eq_any(keys)))
        .execute(conn)
        .await?;
    Ok(())
}

//! Queries of accounts and roles, for operators.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::rules::{Role, roles_to_stored};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::people::accounts::model::AccountRow;
use crate::schema::accounts;
use crate::types::email::Email;
use crate::types::id::AccountId;

/// A page of accounts, newest first.
///
/// # Errors
/// The database's.
pub async fn list(
    conn: &mut Conn,
    email: Option<&Email>,
    role: Option<Role>,
    page: Page,
) -> Result<Vec<AccountRow>> {
    let mut query = accounts::table
        .filter(accounts::id.lt(AccountId(page.before)))
        .filter(accounts::is_guest.eq(false))
        .order(accounts::id.desc())
        .limit(page.fetch())
        .select(AccountRow::as_select())
        .into_boxed();
    if let Some(email) = email {
        query = query.filter(accounts::email_key.eq(email.key()));
    }
    if let Some(role) = role {
        // The second condition is the first's index: operators are few.
        query = query
            .filter(accounts::roles.contains(vec![role.as_str()]))
            .filter(accounts::roles.ne(Vec::<String>::new()));
    }
    Ok(query.load(conn).await?)
}

/// An account, erased ones too. A guest's is none that anybody has.
///
/// # Errors
/// `not_found`.
pub async fn load(conn: &mut Conn, id: AccountId) -> Result<AccountRow> {
    let known = accounts::table.find(id).filter(accounts::is_guest.eq(false));
    let row: Option<AccountRow> = known.select(AccountRow::as_select()).first(conn).await.optional()?;
    row.ok_or_else(|| Code::NotFound.error())
}

/// Locks an account and all owners, in id order: while these are held, nobody else can take an owner away.
///
/// # Errors
/// The database's.
pub async fn lock_with_owners(conn: &mut Conn, id: AccountId) -> Result<()> {
    let owners = accounts::roles.contains(vec![Role::Owner.as_str()]);
    let _: Vec<AccountId> = accounts::table
        .filter(accounts::id.eq(id).or(owners.and(accounts::roles.ne(Vec::<String>::new()))))
        .order(accounts::id)
        .select(accounts::id)
        .for_no_key_update()
        .load(conn)
        .await?;
    Ok(())
}

/// Call it under [`lock_with_owners`].
///
/// # Errors
/// `last_owner` when no other account owns the shop.
pub async fn refuse_last_owner(conn: &mut Conn, id: AccountId) -> Result<()> {
    let others = accounts::table
        .filter(accounts::roles.contains(vec![Role::Owner.as_str()]))
        .filter(accounts::roles.ne(Vec::<String>::new()))
        .filter(accounts::id.ne(id));
    let has_others: bool = diesel::select(diesel::dsl::exists(others)).get_result(conn).await?;
    if has_others { Ok(()) } else { Err(Code::LastOwner.error()) }
}

/// # Errors
/// The database's.
pub async fn set_roles(conn: &mut Conn, id: AccountId, roles: &[Role]) -> Result<AccountRow> {
    Ok(diesel::update(accounts::table.find(id))
        .set((accounts::roles.eq(roles_to_stored(roles)), accounts::version.eq(accounts::version + 1)))
        .returning(AccountRow::as_returning())
        .get_result(conn)
        .await?)
}

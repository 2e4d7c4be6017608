//! Rows and queries of accounts. An erased account has no address, and none of these finds it by one.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::batch_insert;
use crate::db::Conn;
use crate::error::{Code, Result};
use crate::people::operators::rules::{Role, roles_from_stored};
use crate::people::person;
use crate::schema::accounts;
use crate::types::email::Email;
use crate::types::id::AccountId;
use crate::types::locale::Locale;

#[derive(Clone, Queryable, Selectable)]
#[diesel(table_name = accounts)]
pub struct AccountRow {
    pub id: AccountId,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub password_hash: Option<String>,
    pub name: Option<String>,
    pub locale: String,
    pub marketing: bool,
    /// Month and day.
    pub birthday: Option<String>,
    pub roles: Vec<String>,
    pub invite_code: Option<String>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub erased_at: Option<DateTime<Utc>>,
    pub version: i32,
}

#[derive(Insertable)]
#[diesel(table_name = accounts)]
pub struct NewAccount<'a> {
    pub id: AccountId,
    pub email: &'a str,
    pub email_key: String,
    pub person_key: String,
    pub password_hash: &'a str,
    pub name: Option<&'a str>,
    pub locale: &'static str,
    pub marketing: bool,
    pub roles: Vec<&'static str>,
    pub invite_code: Option<&'a str>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// An account as one who buys: what drives, orders and payments need to know of it.
#[derive(Clone)]
pub struct Buyer {
    pub id: AccountId,
    pub email: Option<String>,
    pub email_key: Option<String>,
    /// For "one a person": see [`crate::people::person`].
    pub person_key: Option<String>,
    pub email_verified_at: Option<DateTime<Utc>>,
    pub locale: Locale,
    pub name: Option<String>,
    pub stripe_customer_id: Option<String>,
    /// Nobody can sign in to it.
    pub is_guest: bool,
}

impl Buyer {
    /// Somebody who isn't signed in. What he says of himself proves nothing: his address, which comes with the person's
    /// key, opens no door, and counts only for "one a person".
    pub fn guest(id: AccountId, email: Option<(&Email, String)>, locale: Locale) -> Self {
        Self {
            id,
            email: email.as_ref().map(|(email, _)| email.as_str().to_owned()),
            email_key: None,
            person_key: email.map(|(_, person)| person),
            email_verified_at: None,
            locale,
            name: None,
            stripe_customer_id: None,
            is_guest: true,
        }
    }
}

batch_insert! {
    /// The account of a guest who orders. Without a key its address is nobody's to sign in, sign up or be found with.
    pub struct NewGuest as GuestColumns into "accounts" {
        id: AccountId => SqlUuid,
        email: String => Text,
        person_key: String => Text,
        locale: &'static str => Text,
        is_guest: bool => Bool,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// Addresses and names are personal data: logs get the id alone.
impl std::fmt::Debug for Buyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buyer").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = accounts)]
struct BuyerRow {
    id: AccountId,
    email: Option<String>,
    email_key: Option<String>,
    person_key: Option<String>,
    email_verified_at: Option<DateTime<Utc>>,
    locale: String,
    name: Option<String>,
    stripe_customer_id: Option<String>,
    is_guest: bool,
}

impl From<BuyerRow> for Buyer {
    fn from(row: BuyerRow) -> Self {
        Self {
            id: row.id,
            email: row.email,
            email_key: row.email_key,
            person_key: row.person_key,
            email_verified_at: row.email_verified_at,
            locale: Locale::from_stored(&row.locale),
            name: row.name,
            stripe_customer_id: row.stripe_customer_id,
            is_guest: row.is_guest,
        }
    }
}

/// Locks accounts in id order until the transaction ends, so that what is decided about each stays true. Erased ones are
/// left out.
///
/// # Errors
/// The database's.
pub async fn lock_buyers(conn: &mut Conn, ids: &[AccountId]) -> Result<Vec<Buyer>> {
    let rows: Vec<BuyerRow> = accounts::table
        .filter(accounts::id.eq_any(ids))
        .filter(accounts::erased_at.is_null())
        .order(accounts::id)
        .select(BuyerRow::as_select())
        .for_no_key_update()
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Buyer::from).collect())
}

/// What these accounts are called, where they said.
///
/// # Errors
/// The database's.
pub async fn names_of(conn: &mut Conn, ids: &[AccountId]) -> Result<Vec<(AccountId, Option<String>)>> {
    let rows = accounts::table.filter(accounts::id.eq_any(ids)).select((accounts::id, accounts::name));
    Ok(rows.load(conn).await?)
}

/// Reads a buyer without a lock: for quotes, and to tell who is asking.
///
/// # Errors
/// `unauthenticated` when there is no such account any more.
pub async fn load_buyer(conn: &mut Conn, id: AccountId) -> Result<Buyer> {
    let row: Option<BuyerRow> = accounts::table
        .find(id)
        .filter(accounts::erased_at.is_null())
        .select(BuyerRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Buyer::from).ok_or_else(|| Code::Unauthenticated.error())
}

/// [`load_buyer`] of each of these that is there, in no order.
///
/// # Errors
/// The database's.
pub async fn buyers(mut conn: &Conn, ids: &[AccountId]) -> Result<Vec<Buyer>> {
    let rows: Vec<BuyerRow> = accounts::table
        .filter(accounts::id.eq_any(ids))
        .filter(accounts::erased_at.is_null())
        .select(BuyerRow::as_select())
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().map(Buyer::from).collect())
}

/// The keys of the addresses that these accounts have.
///
/// # Errors
/// The database's.
pub async fn email_keys(mut conn: &Conn, ids: &[AccountId]) -> Result<Vec<String>> {
    let keys: Vec<Option<String>> =
        accounts::table.filter(accounts::id.eq_any(ids)).select(accounts::email_key).load(&mut conn).await?;
    Ok(keys.into_iter().flatten().collect())
}

/// Owners and managers: who is told of what needs a person.
///
/// # Errors
/// The database's.
pub async fn operators(conn: &mut Conn) -> Result<Vec<Buyer>> {
    let rows: Vec<BuyerRow> = accounts::table
        // Of whom there is an index.
        .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("roles <> '{}'"))
        .filter(accounts::roles.overlaps_with(vec!["owner", "manager"]))
        .order(accounts::id)
        .select(BuyerRow::as_select())
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(Buyer::from).collect())
}

/// Keeps the customer that was made at Stripe for an account; the first one stays.
///
/// # Errors
/// The database's.
pub async fn set_stripe_customer(conn: &mut Conn, id: AccountId, customer: &str) -> Result<()> {
    diesel::update(accounts::table.find(id).filter(accounts::stripe_customer_id.is_null()))
        .set(accounts::stripe_customer_id.eq(customer))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// `unauthenticated` when there is no such account any more.
pub async fn load(conn: &mut Conn, id: AccountId) -> Result<AccountRow> {
    find(conn, id).await?.ok_or_else(|| Code::Unauthenticated.error())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: AccountId) -> Result<Option<AccountRow>> {
    Ok(accounts::table
        .find(id)
        .filter(accounts::erased_at.is_null())
        .select(AccountRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// [`load`], locked until the transaction ends.
///
/// # Errors
/// `unauthenticated` when there is no such account any more.
pub async fn lock(conn: &mut Conn, id: AccountId) -> Result<AccountRow> {
    let row: Option<AccountRow> = accounts::table
        .find(id)
        .filter(accounts::erased_at.is_null())
        .select(AccountRow::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    row.ok_or_else(|| Code::Unauthenticated.error())
}

/// # Errors
/// The database's.
pub async fn find_by_email(conn: &mut Conn, email: &Email) -> Result<Option<AccountRow>> {
    Ok(accounts::table
        .filter(accounts::email_key.eq(email.key()))
        .select(AccountRow::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// The roles of an account, and whether its address is verified.
///
/// # Errors
/// `unauthenticated` when there is no such account any more.
pub async fn roles(conn: &mut Conn, id: AccountId) -> Result<(Vec<Role>, bool)> {
    let row: Option<(Vec<String>, Option<DateTime<Utc>>)> = accounts::table
        .find(id)
        .filter(accounts::erased_at.is_null())
        .select((accounts::roles, accounts::email_verified_at))
        .first(conn)
        .await
        .optional()?;
    let (roles, verified_at) = row.ok_or(Code::Unauthenticated)?;
    Ok((roles_from_stored(&roles), verified_at.is_some()))
}

/// # Errors
/// `email_taken`.
pub async fn insert_all(conn: &mut Conn, rows: &[NewAccount<'_>]) -> Result<()> {
    // A statement takes 65,535 parameters.
    for chunk in rows.chunks(4_000) {
        diesel::insert_into(accounts::table).values(chunk).execute(conn).await?;
    }
    Ok(())
}

/// Makes sure that a password which was just compared is still the account's, and holds that until the transaction ends:
/// a session opened in it can't escape a reset that runs at the same time. Stores the new hash where there is one.
///
/// # Errors
/// `invalid_credentials` when the password has changed meanwhile.
pub async fn confirm_password(
    conn: &mut Conn,
    id: AccountId,
    stored: &str,
    rehashed: Option<&str>,
) -> Result<()> {
    let same = accounts::table.find(id).filter(accounts::password_hash.eq(stored));
    let is_same = match rehashed {
        Some(hash) => diesel::update(same).set(accounts::password_hash.eq(hash)).execute(conn).await? == 1,
        None => {
            let row: Option<AccountId> =
                same.select(accounts::id).for_share().first(conn).await.optional()?;
            row.is_some()
        }
    };
    if is_same { Ok(()) } else { Err(Code::InvalidCredentials.error()) }
}

/// What a person changes of the own account; none leaves a field.
#[derive(Clone, Default, PartialEq, Eq, AsChangeset)]
#[diesel(table_name = accounts)]
pub struct ProfileChange {
    pub name: Option<Option<String>>,
    pub locale: Option<&'static str>,
    pub marketing: Option<bool>,
    pub birthday: Option<String>,
    pub birthday_set_at: Option<DateTime<Utc>>,
    /// The same address, written in another way.
    pub email: Option<String>,
    pub password_hash: Option<String>,
}

impl ProfileChange {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Writes a change that isn't empty.
///
/// # Errors
/// The database's.
pub async fn change(conn: &mut Conn, id: AccountId, change: &ProfileChange) -> Result<AccountRow> {
    Ok(diesel::update(accounts::table.find(id))
        .set((change, accounts::version.eq(accounts::version + 1)))
        .returning(AccountRow::as_returning())
        .get_result(conn)
        .await?)
}

/// Marks the account's address as verified; the first time stays. True for that.
///
/// # Errors
/// The database's.
pub async fn set_verified(conn: &mut Conn, id: AccountId, now: DateTime<Utc>) -> Result<bool> {
    let unverified = accounts::table.find(id).filter(accounts::email_verified_at.is_null());
    let set = (accounts::email_verified_at.eq(now), accounts::version.eq(accounts::version + 1));
    Ok(diesel::update(unverified).set(set).execute(conn).await? == 1)
}

/// Puts a verified address in the place of the old one.
///
/// # Errors
/// `email_taken`.
pub async fn set_email(conn: &mut Conn, id: AccountId, email: &Email, now: DateTime<Utc>) -> Result<()> {
    let person = person::key(conn, email).await?;
    diesel::update(accounts::table.find(id))
        .set((
            accounts::email.eq(email.as_str()),
            accounts::email_key.eq(email.key()),
            accounts::person_key.eq(person),
            accounts::email_verified_at.eq(now),
            accounts::version.eq(accounts::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

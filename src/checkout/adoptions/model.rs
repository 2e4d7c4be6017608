//! Rows of guests' orders on their way to an account.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use crate::checkout::{gift_cards, gifts};
use crate::db::Conn;
use crate::error::Result;
use crate::membership::community;
use crate::people::person;
use crate::schema::{accounts, coupon_uses, drop_purchases, mails, order_adoptions, order_lines, orders};
use crate::types::email::Email;
use crate::types::id::{AccountId, OrderId};

/// A guest's order, and the account that it stands under for want of a real one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Queryable)]
pub struct Bought {
    pub order: OrderId,
    pub guest: AccountId,
}

/// Orders that guests placed with this address, the newest first, at most so many; with other addresses of the same person,
/// none.
///
/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, email: &Email, most: i64) -> Result<Vec<Bought>> {
    let person = person::key(conn, email).await?;
    let rows: Vec<(OrderId, AccountId, String)> = accounts::table
        .inner_join(orders::table)
        .filter(accounts::person_key.eq(person))
        .filter(accounts::is_guest)
        .filter(sql::<Text>("lower(orders.email)").eq(email.key()))
        .order(orders::id.desc())
        .limit(most)
        .select((orders::id, accounts::id, orders::email))
        .load(conn)
        .await?;
    let is_theirs = |typed: &str| typed.parse::<Email>().is_ok_and(|typed| typed.key() == email.key());
    Ok(rows
        .into_iter()
        .filter(|(_, _, typed)| is_theirs(typed))
        .map(|(order, guest, _)| Bought { order, guest })
        .collect())
}

/// Locks these orders by id; they come back with the accounts that they stand under now.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, ids: &[OrderId]) -> Result<Vec<Bought>> {
    Ok(orders::table
        .filter(orders::id.eq_any(ids))
        .order(orders::id)
        .select((orders::id, orders::account_id))
        .for_no_key_update()
        .load(conn)
        .await?)
}

/// Moves orders, which are locked, and what lies beside them under their guests' accounts. What else an account may have
/// (rights, memberships, places, codes, addresses) a guest never has; a basket that was ordered stays who it was, so that a
/// repeat of the order finds it, and so do the keys of requests.
///
/// # Errors
/// The database's.
pub async fn move_orders(conn: &mut Conn, bought: &[Bought], to: AccountId) -> Result<()> {
    let (ids, guests) = split(bought);
    diesel::update(orders::table.filter(orders::id.eq_any(&ids)))
        .set(orders::account_id.eq(to))
        .execute(conn)
        .await?;
    let lines = order_lines::table.filter(order_lines::order_id.eq_any(&ids)).select(order_lines::id);
    // Under which person they count stays as it was when they were bought.
    diesel::update(drop_purchases::table.filter(drop_purchases::line_id.eq_any(lines)))
        .set(drop_purchases::account_id.eq(to))
        .execute(conn)
        .await?;
    diesel::update(coupon_uses::table.filter(coupon_uses::order_id.eq_any(&ids)))
        .set(coupon_uses::account_id.eq(to))
        .execute(conn)
        .await?;
    gift_cards::model::move_to(conn, &ids, to).await?;
    gifts::model::move_to(conn, &ids, to).await?;
    community::model::move_to(conn, &guests, to).await?;
    diesel::update(mails::table.filter(mails::account_id.eq_any(&guests)))
        .set(mails::account_id.eq(to))
        .execute(conn)
        .await?;
    Ok(())
}

/// Notes what was adopted, each order once, and takes from the guests' accounts whatever tells of a person.
///
/// # Errors
/// The database's.
pub async fn note(conn: &mut Conn, bought: &[Bought], by: AccountId, now: DateTime<Utc>) -> Result<()> {
    let rows: Vec<_> = bought
        .iter()
        .map(|Bought { order, guest }| {
            (
                order_adoptions::order_id.eq(*order),
                order_adoptions::guest_id.eq(*guest),
                order_adoptions::account_id.eq(by),
                order_adoptions::adopted_at.eq(now),
            )
        })
        .collect();
    diesel::insert_into(order_adoptions::table).values(&rows).execute(conn).await?;
    let (_, guests) = split(bought);
    diesel::update(accounts::table.filter(accounts::id.eq_any(&guests)))
        .set((accounts::email.eq(None::<String>), accounts::person_key.eq(None::<String>)))
        .execute(conn)
        .await?;
    Ok(())
}

fn split(bought: &[Bought]) -> (Vec<OrderId>, Vec<AccountId>) {
    bought.iter().map(|Bought { order, guest }| (*order, *guest)).unzip()
}

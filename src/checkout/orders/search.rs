//! Lists of orders: a buyer's own, and what operators look for.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;
use serde::Deserialize;

use super::model::{OrderRow, OrderState};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{Code, Result};
use crate::schema::{order_lines, orders, shipping_promises, variants};
use crate::types::email::Email;
use crate::types::id::{AccountId, DriveId, DropId, OrderId, VariantId};

/// Filters of an operator's list; what is given must hold all together.
#[derive(Clone, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderFilter {
    pub account: Option<AccountId>,
    pub state: Option<OrderState>,
    pub number: Option<String>,
    /// The address that the order was placed with, in whatever letters. For who serves members.
    pub email: Option<String>,
    /// Of a line; a bundle is found by its own, not by its parts'.
    pub sku: Option<String>,
    pub drop: Option<DropId>,
    pub drive: Option<DriveId>,
    /// Placed then or later.
    pub from: Option<DateTime<Utc>>,
    /// Placed before then.
    pub until: Option<DateTime<Utc>>,
    /// `true`: paid, and something of it is still to be sent.
    pub unshipped: Option<bool>,
}

/// What a list of orders is filtered by.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub account: Option<AccountId>,
    pub state: Option<OrderState>,
    pub number: Option<String>,
    /// In lower case, as [`Email::key`] has it.
    pub email_key: Option<String>,
    pub sku: Option<String>,
    pub drop: Option<DropId>,
    pub drive: Option<DriveId>,
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub until: Option<DateTime<Utc>>,
    pub shipping: Option<Shipping>,
}

/// Whether parcels of an order are still to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipping {
    Due,
    NotDue,
}

impl OrderFilter {
    /// # Errors
    /// `invalid_field`.
    pub fn checked(self) -> Result<Filter> {
        let email = self.email.map(|typed| typed.parse::<Email>()).transpose();
        let email = email.map_err(|_| Code::InvalidField.at("email", "not an e-mail address"))?;
        Ok(Filter {
            account: self.account,
            state: self.state,
            number: self.number,
            email_key: email.map(|email| email.key()),
            sku: self.sku,
            drop: self.drop,
            drive: self.drive,
            from: self.from,
            until: self.until,
            shipping: self.unshipped.map(|due| if due { Shipping::Due } else { Shipping::NotDue }),
        })
    }
}

/// A page of orders, newest first. Each filter has an index that leads to its orders.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, filter: &Filter, page: Page) -> Result<Vec<OrderRow>> {
    let mut query = orders::table
        .filter(orders::id.lt(OrderId(page.before)))
        .order(orders::id.desc())
        .limit(page.fetch())
        .select(OrderRow::as_select())
        .into_boxed();
    if let Some(account) = filter.account {
        query = query.filter(orders::account_id.eq(account));
    }
    if let Some(state) = filter.state {
        query = query.filter(orders::state.eq(state));
    }
    if let Some(number) = filter.number.clone() {
        query = query.filter(orders::number.eq(number));
    }
    if let Some(key) = filter.email_key.clone() {
        query = query.filter(sql::<Text>("lower(orders.email)").eq(key));
    }
    if let Some(from) = filter.from {
        query = query.filter(orders::created_at.ge(from));
    }
    if let Some(until) = filter.until {
        query = query.filter(orders::created_at.lt(until));
    }
    let lines = order_lines::table.select(order_lines::order_id);
    if let Some(sku) = filter.sku.clone() {
        // Told by its value, PostgreSQL knows whether it is sold often or rarely.
        let sold: Vec<VariantId> =
            variants::table.filter(variants::sku.eq(sku)).select(variants::id).load(conn).await?;
        query = query.filter(orders::id.eq_any(lines.filter(order_lines::variant_id.eq_any(sold))));
    }
    if let Some(drop) = filter.drop {
        query = query.filter(orders::id.eq_any(lines.filter(order_lines::drop_id.eq(drop))));
    }
    if let Some(drive) = filter.drive {
        query = query.filter(orders::id.eq_any(lines.filter(order_lines::drive_id.eq(drive))));
    }
    let due = shipping_promises::table
        .filter(shipping_promises::done_at.is_null())
        .select(shipping_promises::order_id);
    match filter.shipping {
        Some(Shipping::Due) => query = query.filter(orders::id.eq_any(due)),
        Some(Shipping::NotDue) => query = query.filter(orders::id.ne_all(due)),
        None => {}
    }
    Ok(query.load(conn).await?)
}

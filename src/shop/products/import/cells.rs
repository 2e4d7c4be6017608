//! What the cells of a line say of a product and of a variant. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::imports::cells::{join, split};
use crate::imports::{LineError, Row, line_error};
use crate::shop::audience::Audience;
use crate::shop::products::model::{Product, ProductKind};
use crate::shop::products::service::{self, Groups};
use crate::shop::variants::service as variants;
use crate::types::locale::Names;
use crate::types::money::{self, Money};

/// What separates several values in one cell.
pub const LIST: char = '|';
/// What separates a part's SKU from how many of it are in one bundle.
pub const TIMES: char = '*';

type Read<T> = Result<T, LineError>;

/// A cell that says something.
fn said<'a>(row: &Row<'a>, column: &str) -> Option<&'a str> {
    row.cell(column).filter(|cell| !cell.is_empty())
}

/// A cell that must say something of what is new.
pub fn needed<'a>(row: &Row<'a>, column: &str) -> Read<&'a str> {
    said(row, column).ok_or_else(|| row.error(column, Code::InvalidField, "needed for what is new"))
}

fn wrong(row: &Row<'_>, column: &str, why: &str) -> LineError {
    row.error(column, Code::InvalidField, why)
}

/// Changes `field` to what the cell says, if it says something.
fn set<T>(row: &Row<'_>, column: &str, field: &mut T, read: impl FnOnce(&str) -> Result<T>) -> Read<()> {
    if let Some(cell) = said(row, column) {
        *field = read(cell).map_err(|error| line_error(row, column, error))?;
    }
    Ok(())
}

/// The same for what may be empty: a cell that says nothing empties it.
fn put<T>(row: &Row<'_>, column: &str, field: &mut T, read: impl FnOnce(&str) -> Result<T>) -> Read<()> {
    if let Some(cell) = row.cell(column) {
        *field = read(cell).map_err(|error| line_error(row, column, error))?;
    }
    Ok(())
}

fn optional<T>(cell: &str, read: impl FnOnce(&str) -> Result<T>) -> Result<Option<T>> {
    if cell.is_empty() { Ok(None) } else { read(cell).map(Some) }
}

fn invalid(why: &str) -> AppError {
    Code::InvalidField.at("", why)
}

fn number<T: std::str::FromStr>(cell: &str) -> Result<T> {
    cell.parse().map_err(|_| invalid("expected a whole number"))
}

fn truth(cell: &str) -> Result<bool> {
    match cell.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("expected true or false")),
    }
}

fn time(cell: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    let at = cell.parse().map_err(|_| invalid("expected a time such as 2014-06-17T10:00:00+08:00"))?;
    fields::dated("", at, now)
}

fn audience(cell: &str, groups: &Groups) -> Result<Audience> {
    let typed = serde_json::from_str(cell)
        .map_err(|_| invalid(r#"expected an audience such as {"who":"tier","at_least":"diehard"}"#))?;
    service::known_audience("", &typed, groups)
}

/// The kind of the product.
pub fn kind(cell: &str) -> Result<ProductKind> {
    match cell {
        "goods" => Ok(ProductKind::Goods),
        "digital" => Ok(ProductKind::Digital),
        "bundle" => Ok(ProductKind::Bundle),
        _ => Err(invalid("expected goods, digital or bundle")),
    }
}

/// The product as it is after a line that names it.
///
/// # Errors
/// The first cell that is wrong.
pub fn product(row: &Row<'_>, before: &Product, groups: &Groups, now: DateTime<Utc>) -> Read<Product> {
    let mut after = before.clone();
    let name = |cell: &str| fields::line("", cell, 100);
    let about =
        |cell: &str| optional(cell, |cell| service::about_text("", cell)).map(Option::unwrap_or_default);
    let dated = |cell: &str| optional(cell, |cell| time(cell, now));
    set(row, "name_zh", &mut after.names.zh, name)?;
    set(row, "name_en", &mut after.names.en, name)?;
    put(row, "about_zh", &mut after.about.zh, about)?;
    put(row, "about_en", &mut after.about.en, about)?;
    put(row, "category", &mut after.category, |cell| optional(cell, |cell| fields::slug("", cell)))?;
    put(row, "tags", &mut after.tags, |cell| service::tags(&split(cell, LIST)))?;
    put(row, "images", &mut after.images, |cell| service::images(&split(cell, LIST)))?;
    set(row, "tax_rate_bp", &mut after.tax_rate_bp, |cell| fields::within("", number(cell)?, 0, 10_000))?;
    set(row, "sees", &mut after.sees, |cell| audience(cell, groups))?;
    set(row, "buys", &mut after.buys, |cell| audience(cell, groups))?;
    set(row, "payment_methods", &mut after.payment_methods, |cell| {
        service::methods(Some(&split(cell, LIST)))
    })?;
    set(row, "hold_minutes", &mut after.hold_minutes, |cell| {
        fields::within("", number(cell)?, 1, service::LONGEST_HOLD_MINUTES)
    })?;
    put(row, "right_days", &mut after.right_days, |cell| {
        optional(cell, |cell| fields::within("", number(cell)?, 1, 36_500))
    })?;
    put(row, "opens_for", &mut after.opens_for, |cell| optional(cell, |cell| audience(cell, groups)))?;
    put(row, "shown_from", &mut after.shown_from, dated)?;
    put(row, "shown_until", &mut after.shown_until, dated)?;
    put(row, "available_from", &mut after.available_from, dated)?;
    set(row, "hides_price", &mut after.hides_price, truth)?;
    let unnamed = |names: &Names| {
        if names.zh.is_empty() { Some("name_zh") } else { names.en.is_empty().then_some("name_en") }
    };
    if let Some(column) = unnamed(&after.names) {
        return Err(wrong(row, column, "needed for what is new"));
    }
    service::in_order(&after).map_err(|error| {
        let column = error.errors.first().map_or_else(String::new, |field| field.field.clone());
        line_error(row, &column, error)
    })?;
    Ok(after)
}

/// What lines can change of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    pub options: Value,
    pub price_minor: i64,
    pub weight_grams: i32,
    pub open_sale: bool,
    pub max_per_order: i32,
    pub low_stock_at: Option<i64>,
    pub ships_from: Option<DateTime<Utc>>,
    pub is_archived: bool,
}

/// A variant of which nothing is said yet; its price must be.
impl Default for Facts {
    fn default() -> Self {
        Self {
            options: Value::Object(Map::new()),
            price_minor: 0,
            weight_grams: 0,
            open_sale: true,
            max_per_order: 100,
            low_stock_at: None,
            ships_from: None,
            is_archived: false,
        }
    }
}

/// The variant as it is after a line that names it.
///
/// # Errors
/// The first cell that is wrong.
pub fn variant(row: &Row<'_>, before: &Facts, currency: &str, now: DateTime<Utc>) -> Read<Facts> {
    let mut after = before.clone();
    put(row, "options", &mut after.options, options)?;
    set(row, "price", &mut after.price_minor, |cell| price(cell, currency))?;
    if said(row, "currency").is_some_and(|cell| cell != currency) {
        return Err(wrong(row, "currency", &format!("the shop's currency is {currency}")));
    }
    set(row, "weight_grams", &mut after.weight_grams, |cell| {
        fields::within("", number(cell)?, 0, variants::GRAMS_MAX)
    })?;
    set(row, "open_sale", &mut after.open_sale, truth)?;
    set(row, "max_per_order", &mut after.max_per_order, |cell| {
        fields::within("", number(cell)?, 1, variants::PER_ORDER_MAX)
    })?;
    put(row, "low_stock_at", &mut after.low_stock_at, |cell| {
        optional(cell, |cell| fields::within("", number(cell)?, 0, variants::UNITS_MAX))
    })?;
    put(row, "ships_from", &mut after.ships_from, |cell| optional(cell, |cell| time(cell, now)))?;
    set(row, "archived", &mut after.is_archived, truth)?;
    if before.is_archived && !after.is_archived {
        return Err(wrong(row, "archived", "what is archived doesn't come back: make another one"));
    }
    Ok(after)
}

fn options(cell: &str) -> Result<Value> {
    let mut typed = Map::new();
    for pair in split(cell, LIST) {
        let (name, value) = pair.split_once('=').ok_or_else(|| invalid("expected size=XL|colour=red"))?;
        if typed.insert(name.trim().to_owned(), Value::from(value.trim())).is_some() {
            return Err(invalid("named twice"));
        }
    }
    variants::options("", &typed)
}

fn price(cell: &str, currency: &str) -> Result<i64> {
    let minor = money::parse_plain(cell, currency).ok_or_else(|| {
        invalid("expected an amount such as 499.00, with no more decimals than the currency has")
    })?;
    fields::price("", &Money::new(minor, currency), currency)
}

/// The parts of a bundle, as SKUs with how many of each: `TEA*2|BOOK*6`; one without a number is there once.
///
/// # Errors
/// `invalid_field`.
pub fn parts(row: &Row<'_>) -> Read<Option<Vec<(String, i32)>>> {
    let Some(cell) = said(row, "parts") else { return Ok(None) };
    let mut parts: Vec<(String, i32)> = Vec::new();
    for part in split(cell, LIST) {
        let (sku, quantity) = match part.rsplit_once(TIMES) {
            Some((sku, quantity)) => {
                let read =
                    number(quantity.trim()).and_then(|quantity| fields::within("", quantity, 1, 1_000));
                (sku, read.map_err(|error| line_error(row, "parts", error))?)
            }
            None => (part.as_str(), 1),
        };
        let sku = sku.trim().to_owned();
        if parts.iter().any(|(known, _)| *known == sku) {
            return Err(wrong(row, "parts", "named twice"));
        }
        parts.push((sku, quantity));
    }
    if parts.len() > variants::PARTS_MAX {
        return Err(wrong(row, "parts", "expected 1 to 50"));
    }
    Ok(Some(parts))
}

/// How many of a new digital good or bundle may be sold in all.
///
/// # Errors
/// `invalid_field`.
pub fn limit(row: &Row<'_>) -> Read<Option<i64>> {
    let read = |cell: &str| fields::within("", number(cell)?, 0, variants::UNITS_MAX);
    said(row, "limit").map(read).transpose().map_err(|error| line_error(row, "limit", error))
}

/// A time as it is written.
pub fn write_time(at: Option<DateTime<Utc>>) -> String {
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)).unwrap_or_default()
}

/// Options as they are written.
pub fn write_options(options: &Value) -> String {
    let pairs = options.as_object().into_iter().flatten();
    let pairs: Vec<_> =
        pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    join(pairs.iter().map(String::as_str), LIST)
}

/// Parts as they are written.
pub fn write_parts<'a>(parts: impl IntoIterator<Item = (&'a str, i32)>) -> String {
    let parts: Vec<_> = parts.into_iter().map(|(sku, quantity)| format!("{sku}{TIMES}{quantity}")).collect();
    join(parts.iter().map(String::as_str), LIST)
}

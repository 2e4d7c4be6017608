//! What an invoice, a credit note and a correction say, and how they are numbered. Pure: facts in, content out.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, Utc};
use chrono_tz::Tz;

use super::content::{About, Buyer, Content, ContentLine, InvoiceKind, Seller, TaxSum};
use crate::checkout::orders::model::{LineRow, OrderRow};
use crate::checkout::refunds::model::RefundLine;
use crate::error::{AppError, Result};
use crate::shop::shipping::rules::Address;
use crate::types::id::LineId;
use crate::types::money::scale_minor;

/// The calendar year of the shop, of which numbers are counted.
pub fn year_of(at: DateTime<Utc>, zone: Tz) -> i32 {
    at.with_timezone(&zone).year()
}

/// Such as `2014-000123` and `CN-2014-000012`; past a million a year it grows longer.
pub fn number(kind: InvoiceKind, year: i32, sequence: i64) -> String {
    format!("{}{year}-{sequence:06}", kind.prefix())
}

/// The number after the last one: the first of a new year is 1.
///
/// # Errors
/// When `year` is before the counter's: another instance's clock was ahead, and the year that it ended stays ended.
pub fn next(counter: (i32, i64), year: i32) -> Result<(i32, i64), EndedYear> {
    match counter {
        (known, last) if known == year => Ok((year, last + 1)),
        (known, _) if known < year => Ok((year, 1)),
        _ => Err(EndedYear),
    }
}

/// The year is over: numbers of the next one were given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedYear;

/// What is issued, but for its number and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub content: Content,
    pub total_minor: i64,
    pub tax_minor: i64,
}

impl Draft {
    fn of(content: Content) -> Self {
        let of_lines: i64 = content.lines.iter().map(|line| line.total_minor).sum();
        Self {
            total_minor: of_lines + content.shipping_minor,
            tax_minor: content.lines.iter().map(|line| line.tax_minor).sum(),
            content,
        }
    }
}

/// What the shop knows of a paid order.
#[derive(Clone, Copy, Debug)]
pub struct Sold<'a> {
    pub order: &'a OrderRow,
    pub paid_at: DateTime<Utc>,
    pub lines: &'a [LineRow],
    pub method: Option<&'a str>,
}

/// A paid order's invoice: what was sold, as it was sold.
pub fn invoice(sold: &Sold<'_>, seller: &Seller) -> Draft {
    let lines = sold.lines.iter().map(|line| ContentLine {
        line: line.id,
        title: line.title.clone(),
        quantity: Some(line.quantity),
        unit_price_minor: Some(line.unit_price_minor),
        discount_minor: line.discount_minor,
        tax_rate_bp: line.tax_rate_bp,
        tax_minor: line.tax_included_minor,
        total_minor: line.total_minor,
    });
    let content = Content {
        seller: seller.clone(),
        order_number: sold.order.number.clone(),
        ordered_at: sold.order.created_at,
        paid_at: sold.paid_at,
        method: sold.method.map(str::to_owned),
        about: None,
        lines: lines.collect(),
        shipping_minor: sold.order.shipping_minor,
        points_minor: sold.order.points_minor,
        credit_minor: sold.order.credit_minor,
        taxes: Vec::new(),
    };
    Draft::of(summed(content))
}

/// A refund that went through.
#[derive(Clone, Copy, Debug)]
pub struct Returned<'a> {
    pub lines: &'a [RefundLine],
    pub shipping_minor: i64,
}

/// A refund's credit note. `credited` is what earlier notes took off each line, with its tax: the notes of a line that goes
/// back bit by bit add up to its tax to the last minor unit.
///
/// # Errors
/// When a line isn't the invoice's, or its tax is out of range.
pub fn credit_note(
    invoice: &Content,
    about: About,
    returned: &Returned<'_>,
    credited: &HashMap<LineId, Credited>,
) -> Result<Draft> {
    let mut lines = Vec::with_capacity(returned.lines.len());
    for part in returned.lines {
        let sold = invoice.lines.iter().find(|line| line.line == part.line_id);
        let sold = sold.ok_or_else(|| AppError::internal("a refund of a line that was not invoiced"))?;
        let before = credited.get(&part.line_id).copied().unwrap_or_default();
        let until_now = before.total_minor + part.amount_minor;
        let tax_until_now =
            scale_minor(sold.tax_minor, until_now, sold.total_minor).map_err(AppError::internal)?;
        let is_whole = part.amount_minor == sold.total_minor;
        lines.push(ContentLine {
            quantity: sold.quantity.filter(|_| is_whole),
            unit_price_minor: sold.unit_price_minor.filter(|_| is_whole),
            discount_minor: if is_whole { sold.discount_minor } else { 0 },
            tax_minor: tax_until_now - before.tax_minor,
            total_minor: part.amount_minor,
            ..sold.clone()
        });
    }
    let content = Content {
        about: Some(about),
        lines,
        shipping_minor: returned.shipping_minor,
        points_minor: 0,
        credit_minor: 0,
        taxes: Vec::new(),
        ..invoice.clone()
    };
    Ok(Draft::of(summed(content)))
}

/// What undoes a credit note: its own lines once more.
pub fn correction(note: &Content, about: About) -> Draft {
    Draft::of(Content { about: Some(about), ..note.clone() })
}

/// What credit notes have taken off a line so far, less what corrections gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credited {
    pub total_minor: i64,
    pub tax_minor: i64,
}

/// Counts one more document of an order into what was credited of each of its lines.
pub fn count_credited(credited: &mut HashMap<LineId, Credited>, kind: InvoiceKind, content: &Content) {
    let sign = match kind {
        InvoiceKind::Invoice => return,
        InvoiceKind::CreditNote => 1,
        InvoiceKind::Correction => -1,
    };
    for line in &content.lines {
        let sum = credited.entry(line.line).or_default();
        sum.total_minor += sign * line.total_minor;
        sum.tax_minor += sign * line.tax_minor;
    }
}

/// With its totals by rate. Shipping carries no tax of its own.
fn summed(content: Content) -> Content {
    let mut sums: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
    for line in &content.lines {
        let sum = sums.entry(line.tax_rate_bp).or_default();
        sum.0 += line.total_minor;
        sum.1 += line.tax_minor;
    }
    if content.shipping_minor > 0 {
        sums.entry(0).or_default().0 += content.shipping_minor;
    }
    let sum = |(rate_bp, (total_minor, tax_minor))| TaxSum { rate_bp, total_minor, tax_minor };
    Content { taxes: sums.into_iter().rev().map(sum).collect(), ..content }
}

/// Who bought: whom the parcel goes to, else the account. None once the buyer was erased.
pub fn buyer(order: &OrderRow, account_name: Option<&str>) -> Option<Buyer> {
    if order.email.is_empty() {
        return None;
    }
    let ship_to: Option<Address> =
        order.ship_to.clone().and_then(|address| serde_json::from_value(address).ok());
    let name = ship_to.as_ref().map(|address| address.name.as_str()).or(account_name);
    Some(Buyer {
        name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        email: order.email.clone(),
        address: ship_to.as_ref().map(address_lines).unwrap_or_default(),
    })
}

fn address_lines(address: &Address) -> Vec<String> {
    let join = |parts: &[Option<&str>]| {
        let parts: Vec<_> = parts.iter().flatten().copied().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    };
    let place = [
        address.postcode.as_deref(),
        address.province.as_deref(),
        Some(address.city.as_str()),
        address.district.as_deref(),
    ];
    let street = [Some(address.line1.as_str()), address.line2.as_deref()];
    let lines = [join(&street), join(&place), address.country.clone()];
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests;

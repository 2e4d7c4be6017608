//! Parcels from a file: what a carrier's machine, or a filled-in pick list, says was sent.
//!
//! Lines of one part of the file with the same order, carrier and tracking number are one parcel. A line with neither
//! carrier nor tracking number wasn't sent and says nothing. A parcel that is known by its tracking number is not sent
//! again, so that a file may be handed in twice.

use std::collections::HashMap;

use super::model;
use super::packing::Facts;
use super::service::{self as shipping, Packed};
use crate::checkout::orders::model::{self as orders, OrderRow};
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::imports::{Applied, Batch, Column, LineError, Row, line_error};
use crate::types::id::{LineId, OrderId};

const fn column(name: &'static str, is_required: bool) -> Column {
    Column { name, is_required }
}

/// Columns of a pick list. Needed are those of order and carrier; without `line` all that is open of the order is sent.
pub const COLUMNS: &[Column] = &[
    column("order", true),
    column("line", false),
    column("quantity", false),
    column("sku", false),
    column("title", false),
    column("contents", false),
    column("ship_by", false),
    column("name", false),
    column("phone", false),
    column("country", false),
    column("province", false),
    column("city", false),
    column("district", false),
    column("line1", false),
    column("line2", false),
    column("postcode", false),
    column("carrier", true),
    column("tracking_number", false),
];

/// A parcel that the file tells of.
struct Told<'a> {
    /// The first of its lines: errors are told there.
    row: Row<'a>,
    order: OrderId,
    carrier: String,
    tracking_number: Option<String>,
    /// None: all that is open.
    lines: Option<Vec<(LineId, i64)>>,
}

impl Told<'_> {
    /// The same parcel in another file, or the same file again, has the same cause.
    fn cause(&self) -> Option<String> {
        let tracking_number = self.tracking_number.as_deref()?;
        let first = self.lines.as_ref().and_then(|lines| lines.first());
        let line = first.map_or_else(|| "all".to_owned(), |(line, _)| line.to_string());
        Some(format!("import:{}:{}:{tracking_number}:{line}", self.order, self.carrier))
    }
}

/// What a dry run remembers: units that earlier parts of the file would have sent.
#[derive(Default)]
pub struct Sent(HashMap<LineId, i64>);

/// Sends the parcels of a part, in rounds: of an order that has several, one a round.
///
/// # Errors
/// The database's.
pub async fn apply(conn: &mut Conn, batch: Batch<'_>) -> Result<Applied> {
    let mut applied = Applied::default();
    let mut told = read(conn, &batch, &mut applied.errors).await?;
    // All of the part before anything of it is written: pools come before the audit log's head.
    let ids: Vec<_> = told.iter().map(|one| one.order).collect();
    orders::lock_all(conn, &ids).await?;
    Facts::read(conn, &ids).await?.lock_announced(conn).await?;
    while !told.is_empty() {
        let mut later = Vec::new();
        let mut round: Vec<Told<'_>> = Vec::with_capacity(told.len());
        for one in told {
            let is_next = round.last().is_none_or(|last| last.order != one.order);
            if is_next { round.push(one) } else { later.push(one) }
        }
        send(conn, &batch, &round, &mut applied).await?;
        told = later;
    }
    Ok(applied)
}

/// Sends parcels of which each is of another order, together; but for those of what was announced: of these each is sent
/// before it is seen whether enough has come for the next.
async fn send(conn: &mut Conn, batch: &Batch<'_>, round: &[Told<'_>], applied: &mut Applied) -> Result<()> {
    let ids: Vec<_> = round.iter().map(|told| told.order).collect();
    let orders = by_id(orders::lock_all(conn, &ids).await?);
    let facts = Facts::read(conn, &ids).await?;
    let mut together = Vec::with_capacity(round.len());
    for told in unknown(conn, round).await? {
        let packed = match pack(&orders, &facts, told, &|_| 0) {
            Ok(packed) if facts.is_of_announced(&packed.parcel) => {
                let arrived = facts.check_arrived(conn, &packed.parcel).await;
                arrived.map(|()| (packed, true))
            }
            other => other.map(|packed| (packed, false)),
        };
        match packed {
            Ok((packed, true)) => {
                shipping::send(conn, batch.actor, &[packed], batch.now).await?;
                applied.created += 1;
            }
            Ok((packed, false)) => together.push(packed),
            Err(error) => applied.errors.push(refused(told, error)?),
        }
    }
    shipping::send(conn, batch.actor, &together, batch.now).await?;
    applied.created += i32::try_from(together.len()).map_err(AppError::internal)?;
    Ok(())
}

/// A line that is told why not; what isn't its fault ends the part.
fn refused(told: &Told<'_>, error: AppError) -> Result<LineError> {
    if error.code == Code::Internal { Err(error) } else { Ok(line_error(&told.row, "order", error)) }
}

fn by_id(rows: Vec<OrderRow>) -> HashMap<OrderId, OrderRow> {
    rows.into_iter().map(|row| (row.id, row)).collect()
}

/// Those that weren't entered before.
async fn unknown<'t, 'a>(conn: &mut Conn, told: &'t [Told<'a>]) -> Result<Vec<&'t Told<'a>>> {
    let causes: Vec<_> = told.iter().filter_map(Told::cause).collect();
    let known = model::known(conn, &causes).await?;
    Ok(told.iter().filter(|told| told.cause().is_none_or(|cause| !known.contains(&cause))).collect())
}

fn pack(
    orders: &HashMap<OrderId, OrderRow>,
    facts: &Facts,
    told: &Told<'_>,
    before: &(dyn Fn(LineId) -> i64 + Sync),
) -> Result<Packed> {
    let order = orders.get(&told.order).ok_or(Code::NotFound)?;
    let mut parcel = facts.pack(order, told.lines.as_deref(), before)?;
    if let Some(cause) = told.cause() {
        parcel.cause = cause;
    }
    let (carrier, tracking_number) = (told.carrier.clone(), told.tracking_number.clone());
    Ok(Packed { order: order.clone(), parcel, carrier, tracking_number })
}

/// Tells what [`apply`] would, and writes nothing.
///
/// # Errors
/// The database's.
pub async fn rehearse(conn: &mut Conn, batch: Batch<'_>, sent: &mut Sent) -> Result<Applied> {
    let mut applied = Applied::default();
    let told = read(conn, &batch, &mut applied.errors).await?;
    let ids: Vec<_> = told.iter().map(|told| told.order).collect();
    let orders = by_id(orders::load_all(conn, &ids).await?);
    let facts = Facts::read(conn, &ids).await?;
    for told in unknown(conn, &told).await? {
        let before = |line: LineId| sent.0.get(&line).copied().unwrap_or(0);
        let packed = match pack(&orders, &facts, told, &before) {
            Ok(packed) => facts.check_arrived(conn, &packed.parcel).await.map(|()| packed),
            Err(error) => Err(error),
        };
        match packed {
            Ok(packed) => {
                applied.created += 1;
                for (line, quantity) in packed.parcel.contents {
                    *sent.0.entry(line).or_default() += quantity;
                }
            }
            Err(error) => applied.errors.push(refused(told, error)?),
        }
    }
    Ok(applied)
}

/// The parcels of a part, in the order of their orders' ids: so are orders locked.
async fn read<'a>(conn: &mut Conn, batch: &Batch<'a>, errors: &mut Vec<LineError>) -> Result<Vec<Told<'a>>> {
    let numbers: Vec<String> =
        batch.rows.iter().filter_map(|row| row.cell("order")).map(str::to_owned).collect();
    let known: HashMap<String, OrderId> = orders::by_numbers(conn, &numbers).await?.into_iter().collect();
    let mut parcels: Vec<Told<'a>> = Vec::new();
    for row in batch.rows {
        match read_row(row, &known) {
            Ok(None) => {}
            Ok(Some(told)) => add(&mut parcels, told, errors),
            Err(error) => errors.push(error),
        }
    }
    parcels.sort_by_key(|told| told.order);
    Ok(parcels)
}

fn add<'a>(parcels: &mut Vec<Told<'a>>, told: Told<'a>, errors: &mut Vec<LineError>) {
    let same = parcels.iter_mut().find(|known| {
        (known.order, &known.carrier, &known.tracking_number)
            == (told.order, &told.carrier, &told.tracking_number)
    });
    let Some(same) = same else {
        parcels.push(told);
        return;
    };
    match (&mut same.lines, told.lines) {
        (Some(lines), Some(more)) => lines.extend(more),
        _ => errors.push(told.row.error("order", Code::InvalidField, "this parcel has lines and all lines")),
    }
}

fn read_row<'a>(
    row: &Row<'a>,
    known: &HashMap<String, OrderId>,
) -> std::result::Result<Option<Told<'a>>, LineError> {
    let filled = |column: &str| row.cell(column).filter(|cell| !cell.is_empty());
    if filled("carrier").is_none() && filled("tracking_number").is_none() {
        return Ok(None);
    }
    let wrong = |column: &str, message: &str| row.error(column, Code::InvalidField, message);
    let number = filled("order").ok_or_else(|| wrong("order", "missing"))?;
    let order =
        known.get(number).ok_or_else(|| row.error("order", Code::NotFound, "there is no such order"))?;
    let carrier = filled("carrier").ok_or_else(|| wrong("carrier", "missing"))?;
    let carrier = fields::line("carrier", carrier, 100).map_err(|error| line_error(row, "carrier", error))?;
    let tracking_number = filled("tracking_number")
        .map(|typed| fields::line("tracking_number", typed, 100))
        .transpose()
        .map_err(|error| line_error(row, "tracking_number", error))?;
    let lines = match (filled("line"), filled("quantity")) {
        (None, None) => None,
        (None, Some(_)) => return Err(wrong("line", "missing beside a quantity")),
        (Some(line), quantity) => {
            let line: LineId = line.parse().map_err(|_| wrong("line", "expected the id of a line"))?;
            let quantity = quantity.ok_or_else(|| wrong("quantity", "missing"))?;
            let quantity: i64 = quantity.parse().map_err(|_| wrong("quantity", "expected a whole number"))?;
            Some(vec![(line, quantity)])
        }
    };
    Ok(Some(Told { row: *row, order: *order, carrier, tracking_number, lines }))
}

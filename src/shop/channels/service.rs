//! Operators' work on channels, and what channels report.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::dto::{ChannelChange, NewAllocation, NewChannel, NewSale};
use super::model::{self, Allocation, Channel, Sale, SaleLine, SaleRow};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims::{self, Pool};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::http::precondition::IfMatch;
use crate::shop::stock::model::{Move, Reason};
use crate::shop::stock::service::enter_if_free;
use crate::types::id::{ChannelId, ChannelSaleId, MoveId, PoolId, VariantId};

/// More of one thing is a slip of the keyboard.
const QUANTITY_MAX: i64 = 1_000_000_000;
/// What a channel may report of one variant at once, in minor units.
const AMOUNT_MAX: i64 = 1_000_000_000_000;
const LINES_MAX: usize = 100;

/// # Errors
/// `invalid_field`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewChannel) -> Result<Channel> {
    let channel = Channel {
        id: ChannelId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        is_own: false,
        created_at: app.clock.now(),
        archived_at: None,
        version: 1,
    };
    db::transaction(&app.pool, async |conn| {
        model::insert(conn, &channel).await?;
        record(conn, actor, "channel.create", &channel, json!({}), channel.created_at).await
    })
    .await?;
    Ok(channel)
}

/// # Errors
/// `not_found`, `version_mismatch`, `invalid_field`.
pub async fn change(
    app: &App,
    actor: Actor,
    id: ChannelId,
    seen: IfMatch,
    change: ChannelChange,
) -> Result<Channel> {
    let now = app.clock.now();
    let names =
        fields::kept("names", change.names)?.map(|names| fields::names("names", &names)).transpose()?;
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        seen.check(before.version)?;
        let names = names.clone().unwrap_or_else(|| before.names.clone());
        let channel = Channel { names, version: before.version + 1, ..before };
        model::store(conn, &channel).await?;
        record(conn, actor, "channel.change", &channel, json!({}), now).await?;
        Ok(channel)
    })
    .await
}

/// Nothing can be sold in it any more. Twice does no more than once.
///
/// # Errors
/// `not_found`; `own_channel`; `in_use` while units are set aside for it.
pub async fn archive(app: &App, actor: Actor, id: ChannelId) -> Result<Channel> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let before = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
        if before.is_own {
            return Err(Code::OwnChannel.error());
        }
        if before.archived_at.is_some() {
            return Ok(before);
        }
        let allocations = model::allocations(conn, &[id]).await?;
        if allocations.iter().any(|of| of.capacity > of.taken) {
            return Err(Code::InUse.because("Units are set aside for it: give them back first."));
        }
        let channel = Channel { archived_at: Some(now), version: before.version + 1, ..before };
        model::store(conn, &channel).await?;
        record(conn, actor, "channel.archive", &channel, json!({}), now).await?;
        Ok(channel)
    })
    .await
}

/// Locks a channel that sells otherwise than by orders.
async fn outside(conn: &mut Conn, id: ChannelId) -> Result<Channel> {
    let channel = model::lock(conn, id).await?.ok_or(Code::NotFound)?;
    match channel {
        channel if channel.is_own => Err(Code::OwnChannel.error()),
        channel if channel.archived_at.is_some() => Err(Code::Closed.because("The channel is archived.")),
        channel => Ok(channel),
    }
}

/// Sets units aside for a channel, out of open stock, or gives them back; once a request.
///
/// # Errors
/// `not_found`, `own_channel`, `closed`, `unknown_article`; `stock_not_free` where fewer are free, `allocation_sold_out`
/// where fewer are left to give back; `idempotency_key_reused`, `request_in_progress`.
pub async fn allocate(
    app: &App,
    actor: Actor,
    id: ChannelId,
    new: &NewAllocation,
    request: &Request,
) -> Result<Allocation> {
    let now = app.clock.now();
    let quantity = fields::within("quantity", new.quantity, -QUANTITY_MAX, QUANTITY_MAX)?;
    if quantity == 0 {
        return Err(Code::InvalidField.at("quantity", "expected other than 0"));
    }
    db::transaction(&app.pool, async |conn| {
        let entry = MoveId::new();
        if let Claim::Repeat(_) = idempotency::claim(conn, request, 201, entry.0, now).await? {
            return allocation(conn, id, new.variant).await;
        }
        let channel = outside(conn, id).await?;
        let source = model::sources(conn, id, &[new.variant]).await?.pop();
        let source = source.ok_or_else(|| Code::UnknownArticle.at("variant", "there is no stock of it"))?;
        let pool = match source.allocation {
            Some(pool) => pool,
            None => model::make_allocation(conn, id, new.variant).await?,
        };
        let locked = claims::lock(conn, &[source.stock, pool]).await?;
        let left = left_of(&locked, pool);
        if left + quantity < 0 {
            return Err(Code::AllocationSoldOut.because(format!("{left} of them aren't sold.")));
        }
        let reason = if quantity > 0 { Reason::SetAside } else { Reason::ReturnedToSale };
        let entry = Move {
            id: entry,
            variant_id: new.variant,
            quantity: -quantity,
            reason,
            note: None,
            cause: format!("channel:{id}:{entry}"),
            moved_by: actor.kind().to_owned(),
            moved_at: now,
        };
        enter_if_free(conn, source.stock, &entry).await?;
        model::resize(conn, id, pool, quantity, entry.id).await?;
        let more = json!({ "variant": new.variant.to_string(), "quantity": quantity });
        record(conn, actor, "channel.allocate", &channel, more, now).await?;
        allocation(conn, id, new.variant).await
    })
    .await
}

async fn allocation(conn: &mut Conn, id: ChannelId, variant: VariantId) -> Result<Allocation> {
    let of = model::allocations(conn, &[id]).await?.into_iter().find(|of| of.variant == variant);
    of.ok_or_else(|| AppError::internal("an allocation that was made is gone"))
}

fn left_of(pools: &[Pool], id: PoolId) -> i64 {
    pools.iter().find(|pool| pool.id == id).map_or(0, Pool::left)
}

/// Enters what a channel sold: once a reference, whatever the request's key.
///
/// # Errors
/// `not_found`, `own_channel`, `closed`, `invalid_field`, `unknown_article`; `allocation_sold_out` or `out_of_stock` where
/// there aren't so many; `reference_used` for other lines under a known reference; `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn report(
    app: &App,
    actor: Actor,
    id: ChannelId,
    new: &NewSale,
    request: &Request,
) -> Result<Sale> {
    let now = app.clock.now();
    let row = SaleRow {
        id: ChannelSaleId::new(),
        channel_id: id,
        reference: fields::line("reference", &new.reference, 100)?,
        reverses: None,
        note: None,
        sold_at: sold_at(new, now)?,
        reported_by: actor.kind().to_owned(),
        created_at: now,
    };
    check_lines(new, &app.settings.currency)?;
    db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, row.id.0, now).await? {
            let earlier = model::load_sales(conn, &[ChannelSaleId(earlier)]).await?.pop();
            return earlier.ok_or_else(|| AppError::internal("a report that was entered is gone"));
        }
        let channel = outside(conn, id).await?;
        if model::by_reference(conn, id, &row.reference).await?.is_some() {
            return Err(Code::ReferenceUsed.at("reference", "reported before"));
        }
        let sale = Sale { lines: take(conn, &row, new).await?, row: row.clone() };
        book(conn, &sale).await?;
        let more = json!({ "sale": row.id.to_string(), "reference": row.reference });
        record(conn, actor, "channel.sale", &channel, more, now).await?;
        Ok(sale)
    })
    .await
}

fn sold_at(new: &NewSale, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
    match new.sold_at {
        None => Ok(now),
        Some(at) if at > now => Err(Code::InvalidField.at("sold_at", "it is still to come")),
        Some(at) => fields::dated("sold_at", at, now),
    }
}

fn check_lines(new: &NewSale, currency: &str) -> Result<()> {
    if !(1..=LINES_MAX).contains(&new.lines.len()) {
        return Err(Code::InvalidField.at("lines", format!("expected 1 to {LINES_MAX}")));
    }
    for (index, line) in new.lines.iter().enumerate() {
        let field = |name: &str| format!("lines[{index}].{name}");
        fields::within(&field("quantity"), line.quantity, 1, QUANTITY_MAX)?;
        fields::within(&field("amount.amount"), line.amount.amount, 0, AMOUNT_MAX)?;
        if line.amount.currency != currency {
            let why = format!("the shop's currency is {currency}");
            return Err(Code::InvalidField.at(field("amount.currency"), why));
        }
        if new.lines.iter().take(index).any(|other| other.variant == line.variant) {
            return Err(Code::InvalidField.at(field("variant"), "named twice"));
        }
    }
    Ok(())
}

/// Locks the pools that the lines take from and sees that there are so many.
async fn take(conn: &mut Conn, row: &SaleRow, new: &NewSale) -> Result<Vec<SaleLine>> {
    let ids: Vec<_> = new.lines.iter().map(|line| line.variant).collect();
    let sources = model::sources(conn, row.channel_id, &ids).await?;
    let wanted: Vec<_> = sources.iter().map(super::rules::Sources::pool).collect();
    let pools = claims::lock(conn, &wanted).await?;
    let mut lines = Vec::with_capacity(new.lines.len());
    for (index, line) in new.lines.iter().enumerate() {
        let field = |name: &str| format!("lines[{index}].{name}");
        let source = sources.iter().find(|source| source.variant == line.variant);
        let source =
            source.ok_or_else(|| Code::UnknownArticle.at(field("variant"), "there is no stock of it"))?;
        let left = left_of(&pools, source.pool());
        let pool = source
            .take(line.quantity, left)
            .map_err(|code| code.at(field("quantity"), format!("{left} are left")))?;
        lines.push(SaleLine {
            sale_id: row.id,
            variant_id: line.variant,
            pool_id: pool,
            quantity: line.quantity,
            amount_minor: line.amount.amount,
            currency: line.amount.currency.clone(),
        });
    }
    Ok(lines)
}

/// Writes a report and takes its units, or gives those of a reversal back. Its pools are locked.
async fn book(conn: &mut Conn, sale: &Sale) -> Result<()> {
    if !model::enter(conn, sale).await? {
        return Err(AppError::internal("a report was entered beside its channel's lock"));
    }
    let mut changes = BTreeMap::new();
    for line in &sale.lines {
        changes.entry(line.pool_id).or_insert((0, 0)).1 += line.quantity;
    }
    claims::shift(&mut &*conn, &changes).await?;
    Ok(())
}

/// Takes a report back by a counter-entry: its units can be sold again from where they came. Once a report; a repeat answers
/// the same entry.
///
/// # Errors
/// `not_found`; `already_reversed` by another request, or for what is itself a counter-entry; `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn reverse(
    app: &App,
    actor: Actor,
    id: ChannelSaleId,
    reason: &str,
    request: &Request,
) -> Result<Sale> {
    let now = app.clock.now();
    let reason = fields::line("reason", reason, 200)?;
    db::transaction(&app.pool, async |conn| {
        let entry = ChannelSaleId::new();
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, entry.0, now).await? {
            let earlier = model::load_sales(conn, &[ChannelSaleId(earlier)]).await?.pop();
            return earlier.ok_or_else(|| AppError::internal("a reversal that was entered is gone"));
        }
        let sale = model::load_sales(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
        let channel = model::lock(conn, sale.row.channel_id).await?.ok_or(Code::NotFound)?;
        if sale.row.reverses.is_some() || model::is_reversed(conn, id).await? {
            return Err(Code::AlreadyReversed.error());
        }
        let pools: Vec<_> = sale.lines.iter().map(|line| line.pool_id).collect();
        claims::lock(conn, &pools).await?;
        let back = |line: &SaleLine| SaleLine {
            sale_id: entry,
            quantity: -line.quantity,
            amount_minor: -line.amount_minor,
            ..line.clone()
        };
        let counter = Sale {
            lines: sale.lines.iter().map(back).collect(),
            row: SaleRow {
                id: entry,
                reverses: Some(id),
                note: Some(reason.clone()),
                sold_at: now,
                reported_by: actor.kind().to_owned(),
                created_at: now,
                ..sale.row
            },
        };
        book(conn, &counter).await?;
        let more = json!({ "sale": id.to_string(), "by": entry.to_string(), "reason": reason });
        record(conn, actor, "channel.reverse", &channel, more, now).await?;
        Ok(counter)
    })
    .await
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    channel: &Channel,
    more: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        actor,
        action,
        subject_kind: "channel",
        subject_id: channel.id.to_string(),
        reason: None,
        detail: json!({ "code": channel.code, "version": channel.version, "more": more }),
    };
    audit::record(conn, now, entry).await
}

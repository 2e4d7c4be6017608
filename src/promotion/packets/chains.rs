//! Chains: made by operators, and gone on with by those who open their packets.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::dto::{ChainView, NewChain, PublicChain};
use super::model::{self, Chain, Packet};
use super::service::{self as packets, HOURS, HOURS_MAX, PARTS_MAX};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::people::accounts::model as accounts;
use crate::promotion::campaigns::model::insert_pool;
use crate::promotion::giveouts::dto::Claimed;
use crate::promotion::giveouts::model::{ClaimKind, take_code};
use crate::promotion::giveouts::service::{claimers, is_meant};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, ChainId, PacketId, PoolId};
use crate::types::locale::Locale;
use crate::types::money::Money;

/// Limits beyond this are slips of the keyboard.
const LINKS_MAX: i64 = 1_000_000;

/// Makes a chain and its first packet.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewChain) -> Result<ChainView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let (amount_minor, parts) = packets::splittable(&new.amount, new.parts, PARTS_MAX, currency)?;
    let links = fields::within("max_links", new.max_links, 1, LINKS_MAX)?;
    let budget = fields::price("budget", &new.budget, currency)?;
    if budget < amount_minor {
        return Err(Code::InvalidField.at("budget", "expected enough for the first packet"));
    }
    let of = Chain {
        id: ChainId::new(),
        code: fields::slug("code", &new.code)?,
        names: fields::names("names", &new.names)?,
        audience: Audience::SignedIn,
        starts_at: fields::dated("starts_at", new.starts_at, now)?,
        ends_at: fields::ahead("ends_at", new.ends_at, now)?,
        amount_minor,
        parts,
        split: new.split,
        packet_hours: fields::within("packet_hours", new.packet_hours.unwrap_or(HOURS), 1, HOURS_MAX)?,
        links_pool_id: PoolId::new(),
        budget_pool_id: PoolId::new(),
        created_at: now,
        ended_at: None,
    };
    if of.ends_at <= of.starts_at {
        return Err(Code::InvalidField.at("ends_at", "expected a time after starts_at"));
    }
    db::transaction(&app.pool, async |conn| {
        let of = Chain { audience: claimers(conn, new.audience.as_ref()).await?, ..of.clone() };
        insert_pool(conn, of.links_pool_id, "chain_links", links).await?;
        insert_pool(conn, of.budget_pool_id, "chain_budget", budget).await?;
        take_code(conn, &of.code, ClaimKind::Chain).await?;
        model::insert_chain(conn, &of).await?;
        let first = add(conn, &of, (PacketId::new(), 1), None, of.starts_at.max(now)).await?;
        record(conn, actor, "chain.create", &of, now).await?;
        let made = view(conn, of, currency).await?;
        Ok(ChainView { first_packet: Some(first.code), ..made })
    })
    .await
}

/// Adds a packet to a chain, whose pools are locked or new.
async fn add(
    conn: &mut Conn,
    of: &Chain,
    (id, link): (PacketId, i32),
    parent: Option<PacketId>,
    now: DateTime<Utc>,
) -> Result<Packet> {
    let packet = Packet {
        id,
        chain_id: Some(of.id),
        link: Some(link),
        parent_id: parent,
        audience: model::stored(&of.audience)?,
        greeting: of.names.zh.clone(),
        amount_minor: of.amount_minor,
        parts: of.parts,
        split: of.split,
        ends_at: (now + TimeDelta::hours(i64::from(of.packet_hours))).min(of.ends_at),
        ..packets::blank(packets::new_code()?, now)?
    };
    packets::insert(conn, &packet, now).await?;
    let taken = BTreeMap::from([(of.links_pool_id, (0, 1)), (of.budget_pool_id, (0, of.amount_minor))]);
    claims::shift(&mut &*conn, &taken).await?;
    Ok(packet)
}

/// Ends a chain: nobody starts a packet any more; those that were started stay until their end. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, actor: Actor, id: ChainId) -> Result<ChainView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let was_open = model::end_chain(conn, id, now).await?;
        let of = model::find_chain(conn, id).await?.ok_or(Code::NotFound)?;
        if was_open {
            record(conn, actor, "chain.end", &of, now).await?;
        }
        view(conn, of, &app.settings.currency).await
    })
    .await
}

/// # Errors
/// The database's.
pub async fn view(conn: &mut Conn, of: Chain, currency: &str) -> Result<ChainView> {
    let pools = claims::read(conn, &[of.links_pool_id, of.budget_pool_id]).await?;
    Ok(ChainView::new(of, &pools, currency))
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, of: &Chain, now: DateTime<Utc>) -> Result<()> {
    let (subject_id, detail) = (of.id.to_string(), json!({ "code": of.code }));
    let entry = Entry { actor, action, subject_kind: "chain", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

/// Does it run now?
fn is_open(of: &Chain, now: DateTime<Utc>) -> Result<(), Code> {
    if now < of.starts_at {
        Err(Code::NotOpen)
    } else if of.ended_at.is_some() || of.ends_at <= now {
        Err(Code::Closed)
    } else {
        Ok(())
    }
}

/// How a chain stands for everybody.
///
/// # Errors
/// `not_found`
pub async fn show(app: &App, conn: &mut Conn, code: &str, locale: Locale) -> Result<PublicChain> {
    let of = model::find_chain_code(conn, code).await?.ok_or(Code::NotFound)?;
    let pools = claims::read(conn, &[of.links_pool_id, of.budget_pool_id]).await?;
    let left = |id, least: i64| pools.iter().any(|pool| pool.id == id && pool.left() >= least);
    let links = pools.iter().find(|pool| pool.id == of.links_pool_id);
    let state = match is_open(&of, app.clock.now()) {
        Err(Code::NotOpen) => "scheduled",
        Err(_) => "closed",
        Ok(()) if left(of.links_pool_id, 1) && left(of.budget_pool_id, of.amount_minor) => "open",
        Ok(()) => "given_out",
    };
    Ok(PublicChain {
        kind: "chain",
        name: of.names.pick(locale).to_owned(),
        state,
        amount: Money::new(of.amount_minor, &app.settings.currency),
        parts: of.parts,
        split: of.split,
        links: links.map_or(0, |pool| pool.taken),
        max_links: links.map_or(0, |pool| pool.capacity),
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        code: of.code,
    })
}

/// Starts the next packet by a right that came with opening one, once a request and a right. Locks the chain's pools, then
/// the account, then the right.
///
/// # Errors
/// `not_found`, `not_open`, `closed`, `given_out` where links or budget are gone, `no_right_left`, the audience's reason,
/// `idempotency_key_reused`, `request_in_progress`.
pub async fn start(app: &App, code: &str, account: AccountId, request: &Request) -> Result<Claimed> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        let started = start_on(conn, code, account, request, now).await?;
        let packet = model::find(conn, started).await?.ok_or(Code::NotFound)?;
        let packet = packets::claimed(conn, &packet).await?;
        Ok(Claimed { kind: "packet", packet: Some(packet), ..Claimed::nothing() })
    })
    .await
}

async fn start_on(
    conn: &mut Conn,
    code: &str,
    account: AccountId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<PacketId> {
    let of = model::find_chain_code(conn, code).await?.ok_or(Code::NotFound)?;
    // The packet's id is known before the key is claimed, and the packet is made with it.
    let id = PacketId::new();
    if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, id.0, now).await? {
        return Ok(PacketId(earlier));
    }
    let pools = claims::lock(conn, &[of.links_pool_id, of.budget_pool_id]).await?;
    // As it stands under the locks.
    let of = model::find_chain(conn, of.id).await?.ok_or(Code::NotFound)?;
    is_open(&of, now)?;
    accounts::lock_buyers(conn, &[account]).await?;
    is_meant(conn, &of.audience, account, now).await?;
    let (right, parent) = model::lock_right(conn, of.id, account).await?.ok_or(Code::NoRightLeft)?;
    let pool = |id| pools.iter().find(|pool| pool.id == id);
    let links = pool(of.links_pool_id).filter(|pool| pool.left() > 0).ok_or(Code::GivenOut)?;
    pool(of.budget_pool_id).filter(|pool| pool.left() >= of.amount_minor).ok_or(Code::GivenOut)?;
    let link = i32::try_from(links.taken + 1).map_err(AppError::internal)?;
    add(conn, &of, (id, link), Some(parent), now).await?;
    model::use_right(conn, right, id, now).await?;
    Ok(id)
}

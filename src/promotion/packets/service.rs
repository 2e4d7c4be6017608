//! Packets: made, opened by many at once, and ended.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::dto::{ClaimedPacket, NewPacket, NewShopPacket, PacketView, PublicPacket};
use super::model::{self, Packet};
use super::rules;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::checkout::claims;
use crate::checkout::credit::model::EntryKind;
use crate::checkout::credit::service::{self as credit, Grant};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{AppError, Code, Result};
use crate::fields;
use crate::jobs::{self, Job, Outcome};
use crate::people::accounts::model as accounts;
use crate::people::secrets;
use crate::promotion::campaigns::model::insert_pool;
use crate::promotion::coupons::code::code_from;
use crate::promotion::giveouts::dto::Claimed;
use crate::promotion::giveouts::model::{ClaimKind, take_code};
use crate::promotion::giveouts::service::{claimers, is_meant};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, PacketId, PoolId};
use crate::types::money::Money;
use crate::types::text;

/// Of a member's packet, and of one of a chain.
pub const PARTS_MAX: i32 = 500;
/// Of one of the shop's.
const SHOP_PARTS_MAX: i32 = 10_000;
/// A week.
pub const HOURS_MAX: i32 = 168;
pub const HOURS: i32 = 24;
const GREETING_MAX: usize = 200;

/// A code that nobody could guess: who has it was given it.
///
/// # Errors
/// Never in practice: the machine has random bytes.
pub fn new_code() -> Result<String> {
    Ok(code_from("", &secrets::random_bytes::<16>()?).to_ascii_lowercase())
}

fn greeting(typed: &str) -> Result<String> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(String::new());
    }
    text::line(typed, GREETING_MAX).map_err(|error| Code::InvalidField.at("greeting", error.to_string()))
}

/// An amount that can be split so.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`.
pub fn splittable(amount: &Money, parts: i32, most: i32, currency: &str) -> Result<(i64, i32)> {
    let parts = fields::within("parts", parts, 1, most)?;
    let minor = fields::price("amount", amount, currency)?;
    if minor < i64::from(parts) {
        return Err(Code::InvalidField.at("amount", "expected a minor unit a part at least"));
    }
    Ok((minor, parts))
}

/// A member puts store credit into a packet, once a request.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`, `credit_insufficient`, `idempotency_key_reused`, `request_in_progress`.
pub async fn make(app: &App, account: AccountId, new: &NewPacket, request: &Request) -> Result<PacketView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let (amount_minor, parts) = splittable(&new.amount, new.parts, PARTS_MAX, currency)?;
    let hours = fields::within("hours", new.hours.unwrap_or(HOURS), 1, HOURS_MAX)?;
    let of = Packet {
        account_id: Some(account),
        greeting: greeting(&new.greeting)?,
        amount_minor,
        parts,
        split: new.split,
        ends_at: now + TimeDelta::hours(i64::from(hours)),
        ..blank(new_code()?, now)?
    };
    db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, of.id.0, now).await? {
            return view(conn, PacketId(earlier), currency).await;
        }
        let known = accounts::lock_buyers(conn, &[account]).await?;
        known.first().filter(|buyer| !buyer.is_guest).ok_or(Code::Unauthenticated)?;
        let spent = grant(&of, account, amount_minor, "made");
        if !credit::spend(conn, &spent, now).await? {
            return Err(Code::CreditInsufficient.error());
        }
        insert(conn, &of, now).await?;
        view(conn, of.id, currency).await
    })
    .await
}

/// An operator makes a packet of the shop's, once a request.
///
/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`, `idempotency_key_reused`, `request_in_progress`.
pub async fn make_shops(
    app: &App,
    actor: Actor,
    new: &NewShopPacket,
    request: &Request,
) -> Result<PacketView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let (amount_minor, parts) = splittable(&new.amount, new.parts, SHOP_PARTS_MAX, currency)?;
    let code = new.code.as_ref().map_or_else(new_code, |code| fields::slug("code", code))?;
    let of = Packet {
        greeting: greeting(&new.greeting)?,
        amount_minor,
        parts,
        split: new.split,
        ends_at: fields::ahead("ends_at", new.ends_at, now)?,
        ..blank(code, now)?
    };
    db::transaction(&app.pool, async |conn| {
        if let Claim::Repeat(earlier) = idempotency::claim(conn, request, 201, of.id.0, now).await? {
            return view(conn, PacketId(earlier), currency).await;
        }
        let audience = model::stored(&claimers(conn, new.audience.as_ref()).await?)?;
        let of = Packet { audience, ..of.clone() };
        insert(conn, &of, now).await?;
        record(conn, actor, "packet.create", &of, now).await?;
        view(conn, of.id, currency).await
    })
    .await
}

/// A packet of nothing yet, for everybody who is signed in.
///
/// # Errors
/// Never in practice: the machine has random bytes.
pub fn blank(code: String, now: DateTime<Utc>) -> Result<Packet> {
    Ok(Packet {
        id: PacketId::new(),
        code,
        account_id: None,
        chain_id: None,
        link: None,
        parent_id: None,
        audience: model::stored(&Audience::SignedIn)?,
        greeting: String::new(),
        amount_minor: 0,
        parts: 0,
        split: rules::Split::Equal,
        seed: secrets::random_bytes::<32>()?.to_vec(),
        pool_id: PoolId::new(),
        created_at: now,
        ends_at: now,
        ended_at: None,
        returned_minor: None,
    })
}

/// Writes a packet with its parts, and the job that ends it.
///
/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, of: &Packet, now: DateTime<Utc>) -> Result<()> {
    insert_pool(conn, of.pool_id, "packet", i64::from(of.parts)).await?;
    take_code(conn, &of.code, ClaimKind::Packet).await?;
    model::insert(conn, of, &rules::parts(of.amount_minor, of.parts, of.split, &of.seed)).await?;
    jobs::enqueue(conn, &Job::EndPacket { packet: of.id }, of.ends_at, now).await?;
    Ok(())
}

async fn view(conn: &mut Conn, id: PacketId, currency: &str) -> Result<PacketView> {
    let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    let pools = claims::read(conn, &[of.pool_id]).await?;
    Ok(PacketView::new(of, &pools, currency))
}

async fn record(conn: &mut Conn, actor: Actor, action: &str, of: &Packet, now: DateTime<Utc>) -> Result<()> {
    let detail = json!({ "amount_minor": of.amount_minor, "parts": of.parts });
    let subject_id = of.id.to_string();
    let entry = Entry { actor, action, subject_kind: "packet", subject_id, reason: None, detail };
    audit::record(conn, now, entry).await
}

fn grant(of: &Packet, account: AccountId, amount_minor: i64, what: &str) -> Grant {
    Grant {
        account,
        amount_minor,
        kind: EntryKind::Packet,
        cause: format!("packet:{}:{what}", of.id),
        order: None,
        reason: None,
    }
}

/// How a packet stands for everybody.
///
/// # Errors
/// `not_found`
pub async fn show(app: &App, conn: &mut Conn, code: &str) -> Result<PublicPacket> {
    let of = model::find_code(conn, code).await?.ok_or(Code::NotFound)?;
    let pools = claims::read(conn, &[of.pool_id]).await?;
    let (opened, left) = pools.first().map_or((0, 0), |pool| (pool.taken, pool.left()));
    let state = match rules::is_open(&of, app.clock.now()) {
        Err(Code::NotOpen) => "scheduled",
        Err(_) => "closed",
        Ok(()) if left < 1 => "given_out",
        Ok(()) => "open",
    };
    Ok(PublicPacket {
        kind: "packet",
        chain: chain_code(conn, &of).await?,
        code: of.code,
        greeting: of.greeting,
        state,
        amount: Money::new(of.amount_minor, &app.settings.currency),
        split: of.split,
        parts: of.parts,
        opened,
        ends_at: of.ends_at,
    })
}

async fn chain_code(conn: &mut Conn, of: &Packet) -> Result<Option<String>> {
    match of.chain_id {
        Some(chain) => Ok(model::find_chain(conn, chain).await?.map(|chain| chain.code)),
        None => Ok(None),
    }
}

/// Opens a packet once a request: who comes gets the next part, as long as there are some. Locks its pool, then the account.
///
/// # Errors
/// `not_found`, `closed`, `given_out`, `cap_reached` for who has opened it, the audience's reason, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn open(app: &App, code: &str, account: AccountId, request: &Request) -> Result<Claimed> {
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    let of = model::find_code(&mut conn, code).await?.ok_or(Code::NotFound)?;
    if idempotency::earlier(&mut conn, request).await?.is_some() {
        return told(app, &mut conn, &of, account).await;
    }
    rules::is_open(&of, now)?;
    // Most who come find nothing left: they are told without a lock.
    let pools = claims::read(&mut conn, &[of.pool_id]).await?;
    if pools.first().is_none_or(|pool| pool.left() < 1) {
        return Err(gone(&mut conn, &of, account).await?.error());
    }
    drop(conn);
    db::transaction(&app.pool, async |conn| {
        open_on(conn, of.id, account, request, now).await?;
        told(app, conn, &of, account).await
    })
    .await
}

/// Who has one is told so rather than that it is empty.
async fn gone(conn: &mut Conn, of: &Packet, account: AccountId) -> Result<Code> {
    Ok(match model::part_of(conn, of.id, account).await? {
        Some(_) => Code::CapReached,
        None => Code::GivenOut,
    })
}

async fn open_on(
    conn: &mut Conn,
    id: PacketId,
    account: AccountId,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<()> {
    if let Claim::Repeat(_) = idempotency::claim(conn, request, 201, id.0, now).await? {
        return Ok(());
    }
    let pool = model::find(conn, id).await?.ok_or(Code::NotFound)?.pool_id;
    let pools = claims::lock(conn, &[pool]).await?;
    // As it stands under the lock.
    let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    rules::is_open(&of, now)?;
    let pool = pools.first().filter(|pool| pool.left() > 0);
    let buyers = accounts::lock_buyers(conn, &[account]).await?;
    let buyer = buyers.into_iter().next().ok_or(Code::Unauthenticated)?;
    // It is money: one who types others' addresses gets none.
    buyer.email_verified_at.ok_or(Code::EmailNotVerified)?;
    let person = buyer.person_key.ok_or(Code::Unauthenticated)?;
    is_meant(conn, &of.audience()?, account, now).await?;
    if model::has_opened(conn, id, account, &person).await? {
        return Err(Code::CapReached.error());
    }
    let pool = pool.ok_or(Code::GivenOut)?;
    let position = i32::try_from(pool.taken).map_err(AppError::internal)?;
    let part = model::open_part(conn, (id, position), account, &person, now).await?;
    let amount_minor = part.ok_or_else(|| AppError::internal("the next part was opened before"))?;
    if let Some(chain) = of.chain_id {
        model::give_right(conn, chain, id, account, now).await?;
    }
    credit::grant(conn, &[grant(&of, account, amount_minor, &position.to_string())], now).await?;
    claims::shift(&mut &*conn, &BTreeMap::from([(pool.id, (0, 1))])).await?;
    Ok(())
}

/// What an account got of a packet.
async fn told(app: &App, conn: &mut Conn, of: &Packet, account: AccountId) -> Result<Claimed> {
    let amount = model::part_of(conn, of.id, account).await?.ok_or(Code::NotFound)?;
    let packet = claimed(conn, of).await?;
    Ok(Claimed { packet: Some(packet), ..Claimed::credit(Money::new(amount, &app.settings.currency)) })
}

/// A packet as who started or opened it is told of it.
///
/// # Errors
/// The database's.
pub async fn claimed(conn: &mut Conn, of: &Packet) -> Result<ClaimedPacket> {
    let pools = claims::read(conn, &[of.pool_id]).await?;
    Ok(ClaimedPacket {
        code: of.code.clone(),
        greeting: of.greeting.clone(),
        parts: of.parts,
        opened: pools.first().map_or(0, |pool| pool.taken),
        ends_at: of.ends_at,
        chain: chain_code(conn, of).await?,
    })
}

/// An operator ends a packet before its time: what nobody has opened goes back. Twice does no more than once.
///
/// # Errors
/// `not_found`
pub async fn end(app: &App, actor: Actor, id: PacketId) -> Result<PacketView> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| {
        if let Some(of) = end_on(conn, id, now).await? {
            record(conn, actor, "packet.end", &of, now).await?;
        }
        view(conn, id, &app.settings.currency).await
    })
    .await
}

/// The job [`Job::EndPacket`].
///
/// # Errors
/// The database's.
pub async fn run_end(app: &App, id: PacketId) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| end_on(conn, id, now).await).await?;
    Ok(Outcome::Done)
}

/// Ends what an account has in packets, each in a transaction of its own: what nobody has opened is its store credit again,
/// before that is given up or taken back.
///
/// # Errors
/// The database's.
pub async fn give_up(app: &App, account: AccountId) -> Result<()> {
    let now = app.clock.now();
    let open = model::holding(&mut *db::connect(&app.pool).await?, account).await?;
    for id in open {
        db::transaction(&app.pool, async |conn| end_on(conn, id, now).await).await?;
    }
    Ok(())
}

/// What an account owes is paid from what it has in packets: jobs end these now. For callers that hold locks which come after
/// the packets'.
///
/// # Errors
/// The database's.
pub async fn recall(conn: &mut Conn, account: AccountId, now: DateTime<Utc>) -> Result<()> {
    for packet in model::holding(conn, account).await? {
        jobs::enqueue(conn, &Job::EndPacket { packet }, now, now).await?;
    }
    Ok(())
}

/// Gives back what nobody has opened: to who made it, to the budget of its chain, or to nobody where the shop made it. None
/// where it had ended. Locks its pool and the chain's budget.
async fn end_on(conn: &mut Conn, id: PacketId, now: DateTime<Utc>) -> Result<Option<Packet>> {
    let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    let budget = match of.chain_id {
        Some(chain) => model::find_chain(conn, chain).await?.map(|chain| chain.budget_pool_id),
        None => None,
    };
    let pools: Vec<_> = std::iter::once(of.pool_id).chain(budget).collect();
    let pools = claims::lock(conn, &pools).await?;
    let of = model::find(conn, id).await?.ok_or(Code::NotFound)?;
    if of.ended_at.is_some() {
        return Ok(None);
    }
    let opened = pools.iter().find(|pool| pool.id == of.pool_id).map_or(0, |pool| pool.taken);
    let opened = usize::try_from(opened).map_err(AppError::internal)?;
    let rest: i64 = model::parts(conn, id).await?.iter().skip(opened).sum();
    model::end(conn, id, rest, now).await?;
    if let Some(account) = of.account_id.filter(|_| rest > 0) {
        credit::grant(conn, &[grant(&of, account, rest, "returned")], now).await?;
    }
    if let Some(budget) = budget {
        claims::shift(&mut &*conn, &BTreeMap::from([(budget, (0, -rest))])).await?;
    }
    Ok(Some(of))
}

/// Those of these packets whose parts don't come out of their seeds.
///
/// # Errors
/// The database's.
pub async fn split_wrong(conn: &mut Conn, of: &[Packet]) -> Result<Vec<PacketId>> {
    let ids: Vec<_> = of.iter().map(|packet| packet.id).collect();
    let mut found: BTreeMap<PacketId, Vec<i64>> = BTreeMap::new();
    for (packet, minor) in model::parts_of(conn, &ids).await? {
        found.entry(packet).or_default().push(minor);
    }
    let is_wrong = |packet: &&Packet| {
        let expected = rules::parts(packet.amount_minor, packet.parts, packet.split, &packet.seed);
        found.get(&packet.id) != Some(&expected)
    };
    Ok(of.iter().filter(is_wrong).map(|packet| packet.id).collect())
}

//! Rows of packets with their parts, and of chains with the rights to go on with them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde_json::Value;
use uuid::Uuid;

use super::rules::Split;
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{chain_rights, chains, packet_parts, packets};
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, ChainId, PacketId, PoolId};
use crate::types::locale::Names;

/// An amount for the first who come.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = packets)]
pub struct Packet {
    pub id: PacketId,
    pub code: String,
    /// Who paid for it; none: the shop.
    pub account_id: Option<AccountId>,
    pub chain_id: Option<ChainId>,
    pub link: Option<i32>,
    /// The packet that was opened to start this one.
    pub parent_id: Option<PacketId>,
    /// An audience, as it is written.
    pub audience: Value,
    pub greeting: String,
    pub amount_minor: i64,
    pub parts: i32,
    pub split: Split,
    pub seed: Vec<u8>,
    /// Parts that were opened.
    pub pool_id: PoolId,
    /// From then on it can be opened.
    pub created_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub returned_minor: Option<i64>,
}

impl Packet {
    /// # Errors
    /// Never in practice: it was written by [`stored`].
    pub fn audience(&self) -> Result<Audience> {
        serde_json::from_value(self.audience.clone()).map_err(AppError::internal)
    }
}

/// An audience as it is stored.
///
/// # Errors
/// Never in practice.
pub fn stored(audience: &Audience) -> Result<Value> {
    serde_json::to_value(audience).map_err(AppError::internal)
}

batch_insert! {
    /// A part that nobody has opened.
    pub struct NewPart as PartColumns into "packet_parts" {
        packet_id: PacketId => SqlUuid,
        position: i32 => Integer,
        amount_minor: i64 => BigInt,
    }
}

/// Packets that go from hand to hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub id: ChainId,
    pub code: String,
    pub names: Names,
    pub audience: Audience,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Of each packet.
    pub amount_minor: i64,
    pub parts: i32,
    pub split: Split,
    pub packet_hours: i32,
    /// Packets in all.
    pub links_pool_id: PoolId,
    /// Minor units in all.
    pub budget_pool_id: PoolId,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = chains)]
struct ChainRow {
    id: ChainId,
    code: String,
    name_zh: String,
    name_en: String,
    audience: Value,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    amount_minor: i64,
    parts: i32,
    split: Split,
    packet_hours: i32,
    links_pool_id: PoolId,
    budget_pool_id: PoolId,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl TryFrom<ChainRow> for Chain {
    type Error = AppError;

    fn try_from(row: ChainRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            code: row.code,
            names: Names { zh: row.name_zh, en: row.name_en },
            audience: serde_json::from_value(row.audience).map_err(AppError::internal)?,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            amount_minor: row.amount_minor,
            parts: row.parts,
            split: row.split,
            packet_hours: row.packet_hours,
            links_pool_id: row.links_pool_id,
            budget_pool_id: row.budget_pool_id,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, of: &Packet, parts: &[i64]) -> Result<()> {
    diesel::insert_into(packets::table).values(of).execute(conn).await?;
    let row = |(position, amount_minor): (i32, &i64)| NewPart {
        packet_id: of.id,
        position,
        amount_minor: *amount_minor,
    };
    NewPart::insert(&mut &*conn, (0..).zip(parts).map(row).collect()).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: PacketId) -> Result<Option<Packet>> {
    Ok(packets::table.find(id).select(Packet::as_select()).first(conn).await.optional()?)
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, code: &str) -> Result<Option<Packet>> {
    let query = packets::table.filter(packets::code.eq(code)).select(Packet::as_select());
    Ok(query.first(conn).await.optional()?)
}

/// A page of an account's packets, newest first; of all where none is named.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, account: Option<AccountId>, page: Page) -> Result<Vec<Packet>> {
    let mut query = packets::table
        .filter(packets::id.lt(PacketId(page.before)))
        .order(packets::id.desc())
        .limit(page.fetch())
        .select(Packet::as_select())
        .into_boxed();
    if let Some(account) = account {
        query = query.filter(packets::account_id.eq(account));
    }
    Ok(query.load(conn).await?)
}

/// Amounts of a packet's parts, from the first that is opened to the last.
///
/// # Errors
/// The database's.
pub async fn parts(conn: &mut Conn, of: PacketId) -> Result<Vec<i64>> {
    let query = packet_parts::table.filter(packet_parts::packet_id.eq(of)).order(packet_parts::position);
    Ok(query.select(packet_parts::amount_minor).load(conn).await?)
}

/// Amounts of the parts of these packets, each packet's from the first that is opened to the last.
///
/// # Errors
/// The database's.
pub async fn parts_of(conn: &mut Conn, of: &[PacketId]) -> Result<Vec<(PacketId, i64)>> {
    let query = packet_parts::table.filter(packet_parts::packet_id.eq_any(of));
    let query = query.order((packet_parts::packet_id, packet_parts::position));
    Ok(query.select((packet_parts::packet_id, packet_parts::amount_minor)).load(conn).await?)
}

/// What an account got of a packet.
///
/// # Errors
/// The database's.
pub async fn part_of(conn: &mut Conn, of: PacketId, account: AccountId) -> Result<Option<i64>> {
    let query = packet_parts::table
        .filter(packet_parts::packet_id.eq(of))
        .filter(packet_parts::account_id.eq(account))
        .select(packet_parts::amount_minor);
    Ok(query.first(conn).await.optional()?)
}

/// Has the person opened it, with whatever account?
///
/// # Errors
/// The database's.
pub async fn has_opened(conn: &mut Conn, of: PacketId, account: AccountId, person: &str) -> Result<bool> {
    let query = packet_parts::table
        .filter(packet_parts::packet_id.eq(of))
        .filter(packet_parts::account_id.eq(account).or(packet_parts::person_key.eq(person)));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// Gives a part that nobody has opened to this account: its amount.
///
/// # Errors
/// The database's; `cap_reached` where the person has one.
pub async fn open_part(
    conn: &mut Conn,
    (of, position): (PacketId, i32),
    account: AccountId,
    person: &str,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let free = packet_parts::table.find((of, position)).filter(packet_parts::account_id.is_null());
    Ok(diesel::update(free)
        .set((
            packet_parts::account_id.eq(account),
            packet_parts::person_key.eq(person),
            packet_parts::opened_at.eq(now),
        ))
        .returning(packet_parts::amount_minor)
        .get_result(conn)
        .await
        .optional()?)
}

/// Ends a packet, whose pool is locked, with what goes back.
///
/// # Errors
/// The database's.
pub async fn end(conn: &mut Conn, of: PacketId, returned_minor: i64, now: DateTime<Utc>) -> Result<()> {
    diesel::update(packets::table.find(of))
        .set((packets::ended_at.eq(now), packets::returned_minor.eq(returned_minor)))
        .execute(conn)
        .await?;
    Ok(())
}

/// What an erased account wrote goes.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let made = packets::table.filter(packets::account_id.eq(account));
    diesel::update(made).set(packets::greeting.eq("")).execute(conn).await?;
    Ok(())
}

/// Packets of an account that still hold some of its store credit.
///
/// # Errors
/// The database's.
pub async fn holding(conn: &mut Conn, account: AccountId) -> Result<Vec<PacketId>> {
    let unopened = packet_parts::table
        .filter(packet_parts::packet_id.eq(packets::id))
        .filter(packet_parts::account_id.is_null());
    Ok(packets::table
        .filter(packets::account_id.eq(account))
        .filter(packets::ended_at.is_null())
        .filter(diesel::dsl::exists(unopened))
        .order(packets::id)
        .select(packets::id)
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn insert_chain(conn: &mut Conn, of: &Chain) -> Result<()> {
    let row = ChainRow {
        id: of.id,
        code: of.code.clone(),
        name_zh: of.names.zh.clone(),
        name_en: of.names.en.clone(),
        audience: stored(&of.audience)?,
        starts_at: of.starts_at,
        ends_at: of.ends_at,
        amount_minor: of.amount_minor,
        parts: of.parts,
        split: of.split,
        packet_hours: of.packet_hours,
        links_pool_id: of.links_pool_id,
        budget_pool_id: of.budget_pool_id,
        created_at: of.created_at,
        ended_at: of.ended_at,
    };
    diesel::insert_into(chains::table).values(row).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_chain(conn: &mut Conn, id: ChainId) -> Result<Option<Chain>> {
    let query = chains::table.find(id).select(ChainRow::as_select());
    query.first(conn).await.optional()?.map(Chain::try_from).transpose()
}

/// # Errors
/// The database's.
pub async fn find_chain_code(conn: &mut Conn, code: &str) -> Result<Option<Chain>> {
    let query = chains::table.filter(chains::code.eq(code)).select(ChainRow::as_select());
    query.first(conn).await.optional()?.map(Chain::try_from).transpose()
}

/// A page of chains, newest first.
///
/// # Errors
/// The database's.
pub async fn list_chains(conn: &mut Conn, page: Page) -> Result<Vec<Chain>> {
    let rows: Vec<ChainRow> = chains::table
        .filter(chains::id.lt(ChainId(page.before)))
        .order(chains::id.desc())
        .limit(page.fetch())
        .select(ChainRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Chain::try_from).collect()
}

/// Ends a chain that hasn't been ended: false where it was.
///
/// # Errors
/// The database's.
pub async fn end_chain(conn: &mut Conn, id: ChainId, now: DateTime<Utc>) -> Result<bool> {
    let open = chains::table.find(id).filter(chains::ended_at.is_null());
    Ok(diesel::update(open).set(chains::ended_at.eq(now)).execute(conn).await? == 1)
}

/// Who opened a packet of a chain may start the next one.
///
/// # Errors
/// The database's.
pub async fn give_right(
    conn: &mut Conn,
    chain: ChainId,
    packet: PacketId,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::insert_into(chain_rights::table)
        .values((
            chain_rights::id.eq(Uuid::now_v7()),
            chain_rights::chain_id.eq(chain),
            chain_rights::account_id.eq(account),
            chain_rights::packet_id.eq(packet),
            chain_rights::created_at.eq(now),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// The oldest right of an account that isn't used, locked: its id, and the packet that it came from.
///
/// # Errors
/// The database's.
pub async fn lock_right(
    conn: &mut Conn,
    chain: ChainId,
    account: AccountId,
) -> Result<Option<(Uuid, PacketId)>> {
    Ok(chain_rights::table
        .filter(chain_rights::chain_id.eq(chain))
        .filter(chain_rights::account_id.eq(account))
        .filter(chain_rights::started_id.is_null())
        .order(chain_rights::id)
        .select((chain_rights::id, chain_rights::packet_id))
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?)
}

/// A right was used for this packet.
///
/// # Errors
/// The database's.
pub async fn use_right(conn: &mut Conn, right: Uuid, started: PacketId, now: DateTime<Utc>) -> Result<()> {
    diesel::update(chain_rights::table.find(right))
        .set((chain_rights::started_id.eq(started), chain_rights::started_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(())
}

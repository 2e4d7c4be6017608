//! Red packets and chains over the wire.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{Chain, Packet};
use super::rules::Split;
use crate::checkout::claims::Pool;
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, ChainId, PacketId};
use crate::types::locale::Names;
use crate::types::money::Money;

/// A packet that a member pays for from the own store credit.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPacket {
    /// A minor unit a part at least.
    pub amount: Money,
    /// Into how many: 1 to 500.
    pub parts: i32,
    pub split: Split,
    /// What those read who open it; may be empty.
    #[serde(default)]
    #[schema(example = "恭喜发财")]
    pub greeting: String,
    /// What nobody has opened comes back then: 1 to 168, 24 by default.
    pub hours: Option<i32>,
}

/// A packet that the shop pays for.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewShopPacket {
    /// Small letters, digits, hyphens: the address that people come to. One nobody could guess where it is absent.
    pub code: Option<String>,
    /// A minor unit a part at least.
    pub amount: Money,
    /// Into how many: 1 to 10,000.
    pub parts: i32,
    pub split: Split,
    #[serde(default)]
    pub greeting: String,
    /// For whom: who is signed in by default.
    pub audience: Option<Audience>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
}

/// A packet for who made it, and for operators.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Packet)]
pub struct PacketView {
    pub id: PacketId,
    /// `POST /v1/coupon-campaigns/{code}/claim` opens it.
    pub code: String,
    /// Whose it is; null: the shop's.
    pub account: Option<AccountId>,
    pub chain: Option<ChainId>,
    pub amount: Money,
    pub parts: i32,
    pub opened: i64,
    pub split: Split,
    pub greeting: String,
    pub created_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// What nobody had opened, once it is over.
    pub returned: Option<Money>,
}

impl PacketView {
    pub fn new(of: Packet, pools: &[Pool], currency: &str) -> Self {
        let money = |minor| Money::new(minor, currency);
        Self {
            opened: pools.iter().find(|pool| pool.id == of.pool_id).map_or(0, |pool| pool.taken),
            id: of.id,
            code: of.code,
            account: of.account_id,
            chain: of.chain_id,
            amount: money(of.amount_minor),
            parts: of.parts,
            split: of.split,
            greeting: of.greeting,
            created_at: of.created_at,
            ends_at: of.ends_at,
            ended_at: of.ended_at,
            returned: of.returned_minor.map(money),
        }
    }
}

/// A packet as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicPacket {
    /// `packet`
    #[schema(example = "packet")]
    pub kind: &'static str,
    pub code: String,
    pub greeting: String,
    /// `scheduled`, `open`, `given_out` or `closed`.
    #[schema(example = "open")]
    pub state: &'static str,
    pub amount: Money,
    pub split: Split,
    pub parts: i32,
    pub opened: i64,
    /// Of a chain: its code. Who opens this packet may start the next one there.
    pub chain: Option<String>,
    pub ends_at: DateTime<Utc>,
}

/// A chain as everybody sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PublicChain {
    /// `chain`
    #[schema(example = "chain")]
    pub kind: &'static str,
    pub code: String,
    pub name: String,
    /// `scheduled`, `open`, `given_out` or `closed`.
    #[schema(example = "open")]
    pub state: &'static str,
    /// Of each packet.
    pub amount: Money,
    pub parts: i32,
    pub split: Split,
    pub links: i64,
    pub max_links: i64,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// A packet that was started or opened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ClaimedPacket {
    pub code: String,
    pub greeting: String,
    pub parts: i32,
    pub opened: i64,
    pub ends_at: DateTime<Utc>,
    /// Of a chain: its code.
    pub chain: Option<String>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChain {
    /// Small letters, digits, hyphens: the address at which a next packet is started.
    #[schema(example = "new-year")]
    pub code: String,
    pub names: Names,
    /// Who may open and start packets: who is signed in by default.
    pub audience: Option<Audience>,
    pub starts_at: DateTime<Utc>,
    /// Exclusive.
    pub ends_at: DateTime<Utc>,
    /// Of each packet.
    pub amount: Money,
    /// Of each packet: 1 to 500.
    pub parts: i32,
    pub split: Split,
    /// How long each packet can be opened: 1 to 168, 24 by default.
    pub packet_hours: Option<i32>,
    /// Packets in all.
    pub max_links: i64,
    /// What all packets may cost together; what is left of one comes back to it.
    pub budget: Money,
}

/// A chain for operators.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Chain)]
pub struct ChainView {
    pub id: ChainId,
    pub code: String,
    pub names: Names,
    pub audience: Audience,
    pub amount: Money,
    pub parts: i32,
    pub split: Split,
    pub packet_hours: i32,
    pub links: i64,
    pub max_links: i64,
    pub budget: Money,
    /// Of the budget: given, or in packets that can be opened.
    pub spent: Money,
    /// The first packet, where people begin; only told when the chain is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_packet: Option<String>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl ChainView {
    pub fn new(of: Chain, pools: &[Pool], currency: &str) -> Self {
        let pool = |id| pools.iter().find(|pool| pool.id == id);
        let money = |minor| Money::new(minor, currency);
        let (links, budget) = (pool(of.links_pool_id), pool(of.budget_pool_id));
        Self {
            links: links.map_or(0, |pool| pool.taken),
            max_links: links.map_or(0, |pool| pool.capacity),
            budget: money(budget.map_or(0, |pool| pool.capacity)),
            spent: money(budget.map_or(0, |pool| pool.taken)),
            first_packet: None,
            id: of.id,
            code: of.code,
            names: of.names,
            audience: of.audience,
            amount: money(of.amount_minor),
            parts: of.parts,
            split: of.split,
            packet_hours: of.packet_hours,
            starts_at: of.starts_at,
            ends_at: of.ends_at,
            created_at: of.created_at,
            ended_at: of.ended_at,
        }
    }
}

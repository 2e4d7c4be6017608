//! The audit log: who did what to money, rights and rules. Append-only; each row carries the hash of the one before, so
//! that an edited or removed row shows in `kindred check`.

use chrono::{DateTime, SecondsFormat, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{audit_head, audit_log};
use crate::types::id::{AccountId, ApiKeyId};

/// Who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    Operator(AccountId),
    ApiKey(ApiKeyId),
    Account(AccountId),
    System,
}

impl Actor {
    pub fn kind(self) -> &'static str {
        match self {
            Self::Operator(_) => "operator",
            Self::ApiKey(_) => "api_key",
            Self::Account(_) => "account",
            Self::System => "system",
        }
    }

    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::Operator(id) | Self::Account(id) => Some(id.0),
            Self::ApiKey(id) => Some(id.0),
            Self::System => None,
        }
    }
}

/// What was done, such as action `refund.create` on subject (`order`, `ord_…`).
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub actor: Actor,
    pub action: &'a str,
    pub subject_kind: &'a str,
    pub subject_id: String,
    pub reason: Option<&'a str>,
    /// No secrets and no addresses.
    pub detail: Value,
}

/// A row as it lies in the table.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_log)]
pub struct AuditRow {
    pub seq: i64,
    pub at: DateTime<Utc>,
    pub actor_kind: String,
    pub actor_id: Option<Uuid>,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: String,
    pub reason: Option<String>,
    pub detail: Value,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
}

impl AuditRow {
    /// SHA-256 over every field but the hash itself, each led by its length, so that nothing can be shifted between two.
    pub fn computed_hash(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        let actor_id = self.actor_id.map(|id| id.to_string()).unwrap_or_default();
        let at = self.at.to_rfc3339_opts(SecondsFormat::Micros, true);
        let reason = self.reason.as_ref().map_or_else(String::new, |reason| format!("r{reason}"));
        let seq = self.seq.to_string();
        let detail = self.detail.to_string();
        let fields: [&[u8]; 10] = [
            seq.as_bytes(),
            at.as_bytes(),
            self.actor_kind.as_bytes(),
            actor_id.as_bytes(),
            self.action.as_bytes(),
            self.subject_kind.as_bytes(),
            self.subject_id.as_bytes(),
            reason.as_bytes(),
            detail.as_bytes(),
            &self.prev_hash,
        ];
        for field in fields {
            hasher.update(field.len().to_string());
            hasher.update(b":");
            hasher.update(field);
        }
        hasher.finalize().to_vec()
    }
}

/// Writes one row, in the transaction that does what it tells of. Locks `audit_head`, the last lock of the order.
///
/// # Errors
/// The database's.
pub async fn record(conn: &mut Conn, now: DateTime<Utc>, entry: Entry<'_>) -> Result<()> {
    record_all(conn, now, vec![entry]).await
}

/// Writes many rows, one after another in the chain, with one statement.
///
/// # Errors
/// The database's.
pub async fn record_all(conn: &mut Conn, now: DateTime<Utc>, entries: Vec<Entry<'_>>) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut seq, mut hash): (i64, Vec<u8>) =
        audit_head::table.select((audit_head::seq, audit_head::hash)).for_update().first(conn).await?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        seq += 1;
        let mut row = AuditRow {
            seq,
            at: now,
            actor_kind: entry.actor.kind().to_owned(),
            actor_id: entry.actor.id(),
            action: entry.action.to_owned(),
            subject_kind: entry.subject_kind.to_owned(),
            subject_id: entry.subject_id,
            reason: entry.reason.map(str::to_owned),
            detail: entry.detail,
            prev_hash: hash,
            hash: Vec::new(),
        };
        row.hash = row.computed_hash();
        hash = row.hash.clone();
        rows.push(row);
    }
    // A statement takes 65,535 parameters.
    for chunk in rows.chunks(5_000) {
        diesel::insert_into(audit_log::table).values(chunk).execute(conn).await?;
    }
    diesel::update(audit_head::table)
        .set((audit_head::seq.eq(seq), audit_head::hash.eq(hash)))
        .execute(conn)
        .await?;
    Ok(())
}

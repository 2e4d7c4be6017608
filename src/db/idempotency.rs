//! Requests that must not act twice: the answer's row is written in the transaction that acts, so that a refusal leaves
//! the key free and a repeat finds what was done.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Conn;
use crate::error::{AppError, Code, Result};
use crate::schema::idempotency_keys;
use crate::types::id::AccountId;

/// A request as its key names it.
#[derive(Clone, Debug)]
pub struct Request {
    pub account: AccountId,
    /// The route's pattern.
    pub route: &'static str,
    pub key: String,
    pub body_hash: Vec<u8>,
}

/// Is it the first?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is: act now, in this transaction.
    First,
    /// It was done: answer with this resource as it is now.
    Repeat(Uuid),
}

/// SHA-256 over what was asked, as it was understood: spaces and the order of fields don't matter.
///
/// # Errors
/// Never in practice: bodies are JSON.
pub fn hash(asked: &impl Serialize) -> Result<Vec<u8>> {
    let canonical = serde_json::to_value(asked).map_err(AppError::internal)?;
    Ok(Sha256::digest(canonical.to_string()).to_vec())
}

/// What the same request did before, where it did: for who needn't lock anything otherwise.
///
/// # Errors
/// `idempotency_key_reused` for another body.
pub async fn earlier(conn: &mut Conn, request: &Request) -> Result<Option<Uuid>> {
    let query = idempotency_keys::table
        .find((request.account, request.route, &request.key))
        .select((idempotency_keys::body_hash, idempotency_keys::resource));
    let known: Option<(Vec<u8>, Uuid)> = query.first(conn).await.optional()?;
    match known {
        None => Ok(None),
        Some((body_hash, resource)) if body_hash == request.body_hash => Ok(Some(resource)),
        Some(_) => Err(Code::IdempotencyKeyReused.error()),
    }
}

/// Claims the key for this transaction. A twin that is still running is waited for, 2 seconds at most.
///
/// # Errors
/// `idempotency_key_reused` for another body, `request_in_progress` while a twin runs.
pub async fn claim(
    conn: &mut Conn,
    request: &Request,
    status: i16,
    resource: Uuid,
    now: DateTime<Utc>,
) -> Result<Claim> {
    conn.batch_execute("SET LOCAL lock_timeout = '2s'").await?;
    let inserted = diesel::insert_into(idempotency_keys::table)
        .values((
            idempotency_keys::account_id.eq(request.account),
            idempotency_keys::route.eq(request.route),
            idempotency_keys::key.eq(&request.key),
            idempotency_keys::body_hash.eq(&request.body_hash),
            idempotency_keys::status.eq(status),
            idempotency_keys::resource.eq(resource),
            idempotency_keys::created_at.eq(now),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .map_err(AppError::from);
    let inserted = match inserted {
        Err(error) if error.is_lock_timeout() => return Err(Code::RequestInProgress.error()),
        other => other?,
    };
    conn.batch_execute("SET LOCAL lock_timeout TO DEFAULT").await?;
    if inserted == 1 {
        return Ok(Claim::First);
    }
    let (body_hash, resource): (Vec<u8>, Uuid) = idempotency_keys::table
        .find((request.account, request.route, &request.key))
        .select((idempotency_keys::body_hash, idempotency_keys::resource))
        .first(conn)
        .await?;
    if body_hash == request.body_hash {
        Ok(Claim::Repeat(resource))
    } else {
        Err(Code::IdempotencyKeyReused.error())
    }
}

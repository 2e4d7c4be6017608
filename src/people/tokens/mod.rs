//! Access tokens: Ed25519-signed JWTs that live for minutes and are checked without asking the database, and the
//! sessions that ended meanwhile, whose tokens are refused all the same.
//!
//! Each instance learns new keys and ended sessions on the pulse, within half a second; the instance that ends a session
//! knows at once.

pub mod keys;
pub mod routes;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use jsonwebtoken::{Algorithm, Header, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use self::keys::{Key, KeyRing};
use crate::db::{self, Conn, Pool};
use crate::error::{AppError, Code, Result};
use crate::schema::sessions;
use crate::types::id::{AccountId, SessionId};

pub use routes::configure;

/// The `typ` of the header (RFC 9068 §2.1): keeps other signed things from passing for an access token.
const TOKEN_TYPE: &str = "at+jwt";
/// How far back the pulse looks for ended sessions: longer than a transaction takes and than clocks differ.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(60);
/// A key that isn't known is looked up in the database at most that often, in seconds.
const LOOK_UP_EVERY_SECONDS: u64 = 1;

/// Tokens that are known at a time, of some 600 bytes each.
const KNOWN_MAX: usize = 16_384;

/// Who a valid access token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub account: AccountId,
    pub session: SessionId,
}

/// What is in an access token. Times are seconds of the shop's clock.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: AccountId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// A token that was good when it was first shown.
#[derive(Clone)]
struct Known {
    bearer: Bearer,
    kid: Box<str>,
    /// In seconds of the shop's clock.
    expires_at: i64,
}

/// Signs and checks access tokens.
pub struct Tokens {
    issuer: String,
    lifetime: TimeDelta,
    validation: Validation,
    ring: RwLock<Arc<KeyRing>>,
    /// Sessions that ended within the last token's lifetime, and when.
    ended: RwLock<HashMap<SessionId, DateTime<Utc>>>,
    /// Up to when ended sessions have been read.
    read_until: RwLock<Option<DateTime<Utc>>>,
    /// Tokens whose signature was checked: that takes longer than all else of a small request.
    known: Cache<Box<str>, Known>,
    looked_up: Mutex<Option<Instant>>,
}

impl Tokens {
    /// Loads the keys; makes the first one.
    ///
    /// # Errors
    /// The database's.
    pub async fn open(
        conn: &mut Conn,
        issuer: &str,
        lifetime: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        keys::ensure(conn, now).await?;
        let issuer = issuer.trim_end_matches('/').to_owned();
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&issuer]);
        validation.set_required_spec_claims(&["iss", "sub", "exp"]);
        // Time is the shop's, not the machine's: `check` compares it.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Ok(Self {
            issuer,
            lifetime,
            validation,
            ring: RwLock::new(Arc::new(keys::load(conn, now).await?)),
            ended: RwLock::default(),
            read_until: RwLock::default(),
            known: Cache::new(KNOWN_MAX),
            looked_up: Mutex::default(),
        })
    }

    pub fn lifetime(&self) -> TimeDelta {
        self.lifetime
    }

    /// The keys that tokens may be signed with.
    pub fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over new keys and ended sessions: the pulse calls it.
    ///
    /// # Errors
    /// The database's.
    pub async fn refresh(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        self.reload_keys(conn, now).await?;
        let read_until = *self.read_until.read().unwrap_or_else(PoisonError::into_inner);
        let since = read_until.map_or(now - self.lifetime, |at| at) - LOOK_BACK;
        let rows: Vec<(SessionId, Option<DateTime<Utc>>)> = sessions::table
            .filter(sessions::ended_at.gt(since))
            .select((sessions::id, sessions::ended_at))
            .load(conn)
            .await?;
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.extend(rows.into_iter().filter_map(|(id, at)| Some((id, at?))));
        let forget = now - self.lifetime - LOOK_BACK;
        ended.retain(|_, at| *at > forget);
        *self.read_until.write().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    async fn reload_keys(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        if self.ring().matches(&keys::load_ids(conn, now).await?) {
            return Ok(());
        }
        let ring = Arc::new(keys::load(conn, now).await?);
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// Sessions ended by this instance, just committed: their tokens are refused from now on.
    pub fn note_ended(&self, sessions: &[SessionId], now: DateTime<Utc>) {
        let mut ended = self.ended.write().unwrap_or_else(PoisonError::into_inner);
        ended.extend(sessions.iter().map(|session| (*session, now)));
    }

    /// A new access token.
    ///
    /// # Errors
    /// `internal` when there is no key.
    pub fn issue(&self, bearer: Bearer, now: DateTime<Utc>) -> Result<String> {
        let ring = self.ring();
        let key = ring.signing(now).ok_or_else(|| AppError::internal("there is no signing key"))?;
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key.kid.clone());
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: bearer.account,
            sid: bearer.session,
            iat: now.timestamp(),
            exp: (now + self.lifetime).timestamp(),
        };
        jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(AppError::internal)
    }

    /// Whom a token speaks for.
    ///
    /// # Errors
    /// `unauthenticated` for one that is forged, expired, of an ended session or none at all.
    pub async fn verify(&self, pool: &Pool, token: &str, now: DateTime<Utc>) -> Result<Bearer> {
        if let Some(known) = self.recall(token, now) {
            return known;
        }
        let header = jsonwebtoken::decode_header(token).map_err(refuse)?;
        let is_ours = header.alg == Algorithm::EdDSA && header.typ.as_deref() == Some(TOKEN_TYPE);
        let kid = header.kid.filter(|_| is_ours).ok_or(Code::Unauthenticated)?;
        let mut ring = self.ring();
        if ring.find(&kid).is_none() {
            ring = self.look_up(pool, now).await?;
        }
        self.check(token, ring.find(&kid).ok_or(Code::Unauthenticated)?, now)
    }

    /// Of a token that was shown before: it is refused all the same once it has expired, or its session or its key has ended.
    fn recall(&self, token: &str, now: DateTime<Utc>) -> Option<Result<Bearer>> {
        let known = self.known.get(token)?;
        let has_key = self.ring().find(&known.kid).is_some();
        Some(if has_key { self.still_good(&known, now) } else { Err(Code::Unauthenticated.error()) })
    }

    /// Another instance may have made a key a moment ago. At most one look-up a second: unknown keys cost nothing to send.
    async fn look_up(&self, pool: &Pool, now: DateTime<Utc>) -> Result<Arc<KeyRing>> {
        let Ok(mut last) = self.looked_up.try_lock() else { return Ok(self.ring()) };
        if last.is_none_or(|at| at.elapsed().as_secs() >= LOOK_UP_EVERY_SECONDS) {
            *last = Some(Instant::now());
            let mut conn = db::connect(pool).await?;
            self.reload_keys(&mut conn, now).await?;
        }
        Ok(self.ring())
    }

    fn check(&self, token: &str, key: &Key, now: DateTime<Utc>) -> Result<Bearer> {
        let claims =
            jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).map_err(refuse)?.claims;
        let bearer = Bearer { account: claims.sub, session: claims.sid };
        let known = Known { bearer, kid: key.kid.as_str().into(), expires_at: claims.exp };
        self.still_good(&known, now)?;
        self.known.insert(token.into(), known);
        Ok(bearer)
    }

    fn still_good(&self, token: &Known, now: DateTime<Utc>) -> Result<Bearer> {
        let ended = self.ended.read().unwrap_or_else(PoisonError::into_inner);
        if token.expires_at <= now.timestamp() || ended.contains_key(&token.bearer.session) {
            return Err(Code::Unauthenticated.error());
        }
        Ok(token.bearer)
    }
}

/// Why a token is bad is nobody's business but the log's, and there it would be noise.
fn refuse(_: jsonwebtoken::errors::Error) -> AppError {
    Code::Unauthenticated.error()
}

#[cfg(test)]
mod tests;

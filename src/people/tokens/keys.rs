//! The key pairs of the access tokens. A new key is published ten minutes before it signs, so that other instances and
//! storefronts that cache the key set know it; an old one verifies until the last token it signed has expired.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::db::{self, Conn};
use crate::error::{AppError, Result};
use crate::jobs::Outcome;
use crate::people::secrets;
use crate::schema::signing_keys;

/// How long a new key is in the key set before it signs.
pub const PUBLISHED_BEFORE: TimeDelta = TimeDelta::minutes(10);
/// How old a key gets before the next one is made.
pub const ROTATE_AFTER: TimeDelta = TimeDelta::days(30);
/// Longest lifetime of an access token that can be set, and some time for clocks that differ.
const VERIFIES_FOR: TimeDelta = TimeDelta::minutes(65);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = signing_keys)]
struct KeyRow {
    kid: String,
    /// PKCS #8, DER.
    private_key: Vec<u8>,
    /// 32 bytes.
    public_key: Vec<u8>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// A key pair, ready for use.
pub struct Key {
    pub kid: String,
    pub encoding: EncodingKey,
    pub decoding: DecodingKey,
    public: Vec<u8>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

/// The keys that are in use, the newest first.
#[derive(Default)]
pub struct KeyRing {
    keys: Vec<Key>,
}

/// A key of the published set (RFC 8037 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Jwk {
    pub kty: &'static str,
    pub crv: &'static str,
    #[serde(rename = "use")]
    pub usage: &'static str,
    pub alg: &'static str,
    pub kid: String,
    pub x: String,
}

/// The published set (RFC 7517 §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeySet {
    pub keys: Vec<Jwk>,
}

type KeyIds = Vec<(String, Option<DateTime<Utc>>)>;

impl KeyRing {
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// The newest key that has been published long enough, else the oldest.
    pub fn signing(&self, now: DateTime<Utc>) -> Option<&Key> {
        let live = || self.keys.iter().filter(|key| key.expires_at.is_none_or(|at| at > now));
        live().find(|key| key.created_at + PUBLISHED_BEFORE <= now).or_else(|| live().next_back())
    }

    pub fn public(&self) -> KeySet {
        let keys = self.keys.iter().map(|key| Jwk {
            kty: "OKP",
            crv: "Ed25519",
            usage: "sig",
            alg: "EdDSA",
            kid: key.kid.clone(),
            x: URL_SAFE_NO_PAD.encode(&key.public),
        });
        KeySet { keys: keys.collect() }
    }

    pub fn matches(&self, ids: &KeyIds) -> bool {
        self.keys.len() == ids.len()
            && self
                .keys
                .iter()
                .zip(ids)
                .all(|(key, (kid, expires_at))| key.kid == *kid && key.expires_at == *expires_at)
    }
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Self {
        Self {
            encoding: EncodingKey::from_ed_der(&row.private_key),
            decoding: DecodingKey::from_ed_der(&row.public_key),
            kid: row.kid,
            public: row.public_key,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// The identity of the keys in use, in the order of [`load`].
///
/// # Errors
/// The database's.
pub async fn load_ids(conn: &mut Conn, now: DateTime<Utc>) -> Result<KeyIds> {
    Ok(signing_keys::table
        .filter(signing_keys::expires_at.is_null().or(signing_keys::expires_at.gt(now)))
        .order((signing_keys::created_at.desc(), signing_keys::kid))
        .select((signing_keys::kid, signing_keys::expires_at))
        .load(conn)
        .await?)
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, now: DateTime<Utc>) -> Result<KeyRing> {
    let rows: Vec<KeyRow> = signing_keys::table
        .filter(signing_keys::expires_at.is_null().or(signing_keys::expires_at.gt(now)))
        .order((signing_keys::created_at.desc(), signing_keys::kid))
        .select(KeyRow::as_select())
        .load(conn)
        .await?;
    Ok(KeyRing { keys: rows.into_iter().map(Key::from).collect() })
}

/// Makes the first key. Two instances that start at once may both make one: both are good.
///
/// # Errors
/// The database's.
pub async fn ensure(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    let any = diesel::dsl::exists(signing_keys::table.filter(signing_keys::expires_at.is_null()));
    if !diesel::select(any).get_result::<bool>(conn).await? {
        diesel::insert_into(signing_keys::table).values(generate(now)?).execute(conn).await?;
    }
    Ok(())
}

fn generate(now: DateTime<Utc>) -> Result<KeyRow> {
    let signing = ed25519_dalek::SigningKey::from_bytes(&secrets::random_bytes()?);
    let public_key = signing.verifying_key().to_bytes().to_vec();
    let private_key = signing.to_pkcs8_der().map_err(|error| AppError::internal(error.to_string()))?;
    Ok(KeyRow {
        kid: thumbprint(&public_key),
        private_key: private_key.as_bytes().to_vec(),
        public_key,
        created_at: now,
        expires_at: None,
    })
}

/// RFC 7638, with the members that RFC 8037 §2 names.
fn thumbprint(public_key: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

/// The job [`crate::jobs::Job::RotateSigningKeys`]: where the newest key is old, makes the next one and gives the older
/// ones an end; removes those whose end has passed. Running twice does nothing more.
///
/// # Errors
/// The database's.
pub async fn rotate(app: &App) -> Result<Outcome> {
    let now = app.clock.now();
    db::transaction(&app.pool, async |conn| rotate_on(conn, now).await).await?;
    Ok(Outcome::Done)
}

async fn rotate_on(conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
    diesel::delete(signing_keys::table.filter(signing_keys::expires_at.lt(now))).execute(conn).await?;
    let rows: Vec<(String, DateTime<Utc>)> = signing_keys::table
        .filter(signing_keys::expires_at.is_null())
        .order((signing_keys::created_at.desc(), signing_keys::kid))
        .select((signing_keys::kid, signing_keys::created_at))
        .for_update()
        .load(conn)
        .await?;
    if rows.as_slice().first().is_some_and(|(_, created_at)| *created_at + ROTATE_AFTER > now) {
        return Ok(());
    }
    let next = generate(now)?;
    diesel::insert_into(signing_keys::table).values(&next).execute(conn).await?;
    let old: Vec<&String> = rows.iter().map(|(kid, _)| kid).collect();
    diesel::update(signing_keys::table.filter(signing_keys::kid.eq_any(old)))
        .set(signing_keys::expires_at.eq(now + PUBLISHED_BEFORE + VERIFIES_FOR))
        .execute(conn)
        .await?;
    Ok(())
}

/// One fresh key, for tests.
#[cfg(test)]
pub fn sample_ring(now: DateTime<Utc>) -> Result<KeyRing> {
    Ok(KeyRing { keys: vec![Key::from(generate(now)?)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn ring(created: &[(&str, Option<&str>)]) -> KeyRing {
        let key = |(created_at, expires_at): &(&str, Option<&str>)| {
            let mut row = generate(at(created_at)).unwrap();
            row.kid = (*created_at).to_owned();
            row.expires_at = expires_at.map(at);
            Key::from(row)
        };
        KeyRing { keys: created.iter().map(key).collect() }
    }

    #[test]
    fn a_new_key_signs_once_it_has_been_published_for_long_enough() {
        let (old, new) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let ring = ring(&[(new, None), (old, Some("2026-02-01T01:15:00Z"))]);
        let signing = |now| ring.signing(at(now)).unwrap().kid.clone();
        assert_eq!(signing("2026-02-01T00:09:59Z"), old);
        assert_eq!(signing("2026-02-01T00:10:00Z"), new);
        assert_eq!(ring.public().keys.len(), 2);
    }

    #[test]
    fn the_only_key_signs_at_once() {
        let only = ring(&[("2026-01-01T00:00:00Z", None)]);
        assert!(only.signing(at("2026-01-01T00:00:00Z")).is_some());
        let ended =
            ring(&[("2026-02-01T00:00:00Z", None), ("2026-01-01T00:00:00Z", Some("2026-02-01T00:05:00Z"))]);
        assert_eq!(ended.signing(at("2026-02-01T00:05:00Z")).unwrap().kid, "2026-02-01T00:00:00Z");
        assert!(KeyRing::default().signing(at("2026-01-01T00:00:00Z")).is_none());
    }

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // Appendix A.3 of RFC 8037.
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}

use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn tokens() -> Tokens {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&["http://shop.test"]);
    validation.validate_exp = false;
    validation.validate_aud = false;
    Tokens {
        issuer: "http://shop.test".to_owned(),
        lifetime: TimeDelta::minutes(10),
        validation,
        ring: RwLock::new(Arc::new(keys::sample_ring(now()).unwrap())),
        ended: RwLock::default(),
        read_until: RwLock::default(),
        known: Cache::new(KNOWN_MAX),
        looked_up: Mutex::default(),
    }
}

fn bearer() -> Bearer {
    Bearer { account: AccountId::new(), session: SessionId::new() }
}

fn check(tokens: &Tokens, token: &str, at: DateTime<Utc>) -> Result<Bearer> {
    let ring = tokens.ring();
    let header = jsonwebtoken::decode_header(token).map_err(refuse)?;
    tokens.check(token, ring.find(&header.kid.unwrap_or_default()).ok_or(Code::Unauthenticated)?, at)
}

#[test]
fn a_token_speaks_for_its_session_until_it_expires() {
    let (tokens, bearer) = (tokens(), bearer());
    let token = tokens.issue(bearer, now()).unwrap();
    assert_eq!(check(&tokens, &token, now()).unwrap(), bearer);
    assert_eq!(check(&tokens, &token, now() + TimeDelta::seconds(599)).unwrap(), bearer);
    assert!(check(&tokens, &token, now() + TimeDelta::seconds(600)).is_err());
    tokens.note_ended(&[bearer.session], now());
    assert!(check(&tokens, &token, now()).is_err());
}

#[test]
fn what_is_known_of_a_token_ends_with_it_its_session_and_its_key() {
    let (tokens, bearer) = (tokens(), bearer());
    let token = tokens.issue(bearer, now()).unwrap();
    assert!(tokens.recall(&token, now()).is_none());
    check(&tokens, &token, now()).unwrap();
    let recalled = |tokens: &Tokens, at| tokens.recall(&token, at).unwrap();
    assert_eq!(recalled(&tokens, now()).unwrap(), bearer);
    assert!(tokens.recall(&token[1..], now()).is_none());
    assert!(recalled(&tokens, now() + TimeDelta::seconds(600)).is_err());
    tokens.note_ended(&[bearer.session], now());
    assert!(recalled(&tokens, now()).is_err());
    tokens.ended.write().unwrap().clear();
    assert!(recalled(&tokens, now()).is_ok());
    *tokens.ring.write().unwrap() = Arc::new(keys::sample_ring(now()).unwrap());
    assert!(recalled(&tokens, now()).is_err());
}

#[test]
fn another_issuer_or_a_changed_byte_is_refused() {
    let (ours, bearer) = (tokens(), bearer());
    let token = ours.issue(bearer, now()).unwrap();
    let other = Tokens { issuer: "http://other.test".to_owned(), ring: RwLock::new(ours.ring()), ..tokens() };
    let foreign = other.issue(bearer, now()).unwrap();
    assert!(check(&ours, &foreign, now()).is_err());
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    parts[1] = foreign.split('.').nth(1).unwrap().to_owned();
    assert!(check(&ours, &parts.join("."), now()).is_err());
}

#[test]
fn a_token_signed_with_the_public_key_as_a_secret_is_refused() {
    let (tokens, bearer) = (tokens(), bearer());
    let ring = tokens.ring();
    let jwk = &ring.public().keys[0];
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(jwk.kid.clone());
    header.typ = Some(TOKEN_TYPE.to_owned());
    let claims = json!({ "iss": "http://shop.test", "sub": bearer.account, "sid": bearer.session,
                         "iat": now().timestamp(), "exp": now().timestamp() + 60 });
    let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(jwk.x.as_bytes())).unwrap();
    assert!(check(&tokens, &forged, now()).is_err());
}

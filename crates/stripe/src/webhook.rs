//! Webhooks: whether they are Stripe's, and what they tell.
//!
//! The scheme is Stripe's `v1`: HMAC-SHA-256 over `{timestamp}.{raw body}`, in hexadecimal, in the header
//! `Stripe-Signature: t=…,v1=…[,v1=…]` (<https://docs.stripe.com/webhooks#verify-manually>).

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::answer;
use crate::types::Event;

type Signature = Hmac<Sha256>;

/// Why a payload isn't taken for Stripe's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No timestamp, or no `v1` that could be a signature.
    #[error("the signature header can't be read")]
    Malformed,
    /// Signed longer ago than tolerated, or from the future: perhaps a replay.
    #[error("the signature's time is out of tolerance")]
    OutOfTolerance,
    /// No `v1` is right under any secret.
    #[error("no signature fits any secret")]
    NoMatch,
}

/// Whether the payload, byte for byte as it came, was signed under one of the secrets at a time within the tolerance
/// (seconds, both ways).
///
/// Any `v1` may fit under any secret: while a secret is rotated, Stripe signs with both and we may know either. An
/// empty secret never fits. Signatures are compared in constant time.
pub fn verify(
    payload: &[u8],
    signature_header: &str,
    secrets: &[impl AsRef<str>],
    now_unix: i64,
    tolerance_seconds: i64,
) -> Result<(), SignatureError> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in signature_header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) if time.is_none() => time = Some(value),
            Some(("v1", value)) => signatures.extend(from_hex(value)),
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    let signed_at: i64 = time.parse().map_err(|_| SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    let fits = secrets.iter().map(AsRef::as_ref).filter(|secret| !secret.is_empty()).any(|secret| {
        let expected = signature(payload, secret, time);
        signatures.iter().any(|given| expected.clone().verify_slice(given).is_ok())
    });
    if !fits {
        return Err(SignatureError::NoMatch);
    }
    if now_unix.abs_diff(signed_at) > tolerance_seconds.unsigned_abs() {
        return Err(SignatureError::OutOfTolerance);
    }
    Ok(())
}

/// The header for a payload signed under one secret at a time: for a simulator and for tests. Further signatures may
/// be appended as `,v1=…`.
pub fn sign(payload: &[u8], secret: &str, timestamp: i64) -> String {
    let time = timestamp.to_string();
    let bytes = signature(payload, secret, &time).finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// What a payload tells, whatever its kind and API version; `None` where it isn't a JSON object with an id. Verify it
/// first.
pub fn read(payload: &[u8]) -> Option<Event> {
    answer::event(&serde_json::from_slice(payload).ok()?)
}

fn signature(payload: &[u8], secret: &str, time: &str) -> Signature {
    let mut mac = keyed(secret);
    mac.update(time.as_bytes());
    mac.update(b".");
    mac.update(payload);
    mac
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length; the error is the trait's, for other MACs"
)]
fn keyed(secret: &str) -> Signature {
    Signature::new_from_slice(secret.as_bytes()).expect("HMAC takes any key")
}

/// 32 bytes from 64 hexadecimal digits, and nothing from anything else.
fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let &[high, low] = pair else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::ObjectRef;

    const NOW: i64 = 1_700_000_000;
    const TOLERANCE: i64 = 300;
    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;

    fn check(header: &str, secrets: &[&str]) -> Result<(), SignatureError> {
        verify(BODY, header, secrets, NOW, TOLERANCE)
    }

    #[test]
    fn a_signature_made_elsewhere_fits() {
        // Made with Python's hmac, so that both halves of this module can't be wrong together.
        let hex = "fe79aee1a002fffa0e48e9e0419752a55f344c646cc7cba408ff68411d3d7a4e";
        assert_eq!(sign(BODY, "whsec_one", NOW), format!("t={NOW},v1={hex}"));
        assert_eq!(check(&format!("t={NOW},v1={hex},v0=6ffbb59b"), &["whsec_one"]), Ok(()));
        assert_eq!(check(&format!("v1={}, t={NOW}", hex.to_uppercase()), &["whsec_one"]), Ok(()));
    }

    #[test]
    fn any_signature_fits_under_any_secret() {
        let old = sign(BODY, "whsec_old", NOW);
        let new = sign(BODY, "whsec_new", NOW);
        let second = new.split_once(',').unwrap().1;
        let both = format!("{old},{second}");
        assert_eq!(check(&both, &["whsec_old"]), Ok(()));
        assert_eq!(check(&both, &["whsec_new"]), Ok(()));
        assert_eq!(check(&new, &["whsec_old", "whsec_new"]), Ok(()));
        assert_eq!(check(&both, &["whsec_other"]), Err(SignatureError::NoMatch));
        assert_eq!(check(&both, &[]), Err(SignatureError::NoMatch));
    }

    #[test]
    fn an_empty_secret_never_fits() {
        assert_eq!(check(&sign(BODY, "", NOW), &[""]), Err(SignatureError::NoMatch));
        assert_eq!(check(&sign(BODY, "", NOW), &["", "whsec_one"]), Err(SignatureError::NoMatch));
    }

    #[test]
    fn body_and_time_are_both_signed() {
        let header = sign(BODY, "whsec_one", NOW - 10);
        assert_eq!(verify(b"{}", &header, &["whsec_one"], NOW, TOLERANCE), Err(SignatureError::NoMatch));
        let later = header.replace(&(NOW - 10).to_string(), &NOW.to_string());
        assert_eq!(check(&later, &["whsec_one"]), Err(SignatureError::NoMatch));
        let raw = [0xff, 0x00, 0xfe];
        assert_eq!(verify(&raw, &sign(&raw, "whsec_é", NOW), &["whsec_é"], NOW, TOLERANCE), Ok(()));
    }

    #[test]
    fn the_tolerance_holds_both_ways() {
        for (signed_at, expected) in [
            (NOW - TOLERANCE, Ok(())),
            (NOW - TOLERANCE - 1, Err(SignatureError::OutOfTolerance)),
            (NOW + TOLERANCE, Ok(())),
            (NOW + TOLERANCE + 1, Err(SignatureError::OutOfTolerance)),
            (i64::MIN, Err(SignatureError::OutOfTolerance)),
            (i64::MAX, Err(SignatureError::OutOfTolerance)),
        ] {
            assert_eq!(check(&sign(BODY, "whsec_one", signed_at), &["whsec_one"]), expected, "{signed_at}");
        }
    }

    #[test]
    fn no_header_makes_it_panic_or_pass() {
        let good = sign(BODY, "whsec_one", NOW);
        let hex = good.split_once("v1=").unwrap().1;
        let malformed = [
            String::new(),
            ",".repeat(10_000),
            "=".to_owned(),
            "t=,v1=".to_owned(),
            format!("v1={hex}"),
            format!("t={NOW}"),
            format!("t={NOW},v0={hex}"),
            format!("t={NOW},v1={}", &hex[..62]),
            format!("t={NOW},v1={hex}00"),
            format!("t={NOW},v1={}g", &hex[..63]),
            format!("t={NOW},v1=é{}", &hex[..62]),
            format!("t={NOW},v1={}", "支".repeat(22)),
            format!("t=支付,v1={hex}"),
            format!("t=99999999999999999999,v1={hex}"),
            "支付宝".to_owned(),
            "\u{0}\u{1f}\u{7f}".to_owned(),
        ];
        for header in malformed {
            assert_eq!(check(&header, &["whsec_one"]), Err(SignatureError::Malformed), "{header}");
        }
        // What was signed is the text of the time, so another spelling of the same number isn't it.
        assert_eq!(check(&format!("t=0{NOW},v1={hex}"), &["whsec_one"]), Err(SignatureError::NoMatch));
        // A second time doesn't replace the signed one.
        assert_eq!(check(&format!("{good},t={}", NOW + 1), &["whsec_one"]), Ok(()));
        assert_eq!(check(&format!("t={},{good}", NOW - 1), &["whsec_one"]), Err(SignatureError::NoMatch));
    }

    fn event(kind: &str, object: serde_json::Value) -> Event {
        let payload = json!({"id": "evt_1", "object": "event", "type": kind, "created": NOW, "livemode": false,
            "api_version": "2026-09-30.endive", "data": {"object": object}, "pending_webhooks": 1});
        let event = read(payload.to_string().as_bytes()).unwrap();
        assert_eq!((event.id.as_str(), event.kind.as_str(), event.created), ("evt_1", kind, NOW));
        event
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_checkouts_event_carries_our_ids() {
        let object = json!({"id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1",
            "metadata": {"order_id": "ord_1", "payment_id": "pay_1"}});
        let expected = ObjectRef {
            kind: "checkout.session".to_owned(),
            id: "cs_1".to_owned(),
            payment_intent: some("pi_1"),
            order_id: some("ord_1"),
            payment_id: some("pay_1"),
            refund_id: None,
        };
        assert_eq!(event("checkout.session.completed", object).object, expected);
    }

    #[test]
    fn every_object_leads_to_its_payment_intent() {
        let refund = json!({"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1",
            "metadata": {"refund_id": "ref_1"}});
        let object = event("refund.updated", refund).object;
        assert_eq!((object.refund_id, object.payment_intent), (some("ref_1"), some("pi_1")));

        let dispute =
            json!({"id": "du_1", "object": "dispute", "payment_intent": {"id": "pi_1"}, "metadata": {}});
        let object = event("charge.dispute.created", dispute).object;
        assert_eq!((object.kind.as_str(), object.payment_intent), ("dispute", some("pi_1")));

        let intent = json!({"id": "pi_1", "object": "payment_intent", "metadata": {"order_id": "ord_1", "payment_id": "pay_1"}});
        let object = event("payment_intent.succeeded", intent).object;
        assert_eq!((object.payment_intent, object.order_id), (some("pi_1"), some("ord_1")));
        assert_eq!(object.payment_id, some("pay_1"));

        let charge = json!({"id": "ch_1", "object": "charge", "payment_intent": null});
        assert_eq!(event("charge.refunded", charge).object.payment_intent, None);
    }

    #[test]
    fn nothing_authentic_is_lost() {
        let strange = event("moon.landed", json!({"object": ["not", "text"], "id": 7, "metadata": "no map"}));
        assert_eq!(strange.object, ObjectRef::default());
        assert_eq!(event("moon.landed", json!([])).object, ObjectRef::default());
        let bare = read(br#"{"id": "evt_1", "created": "yesterday"}"#).unwrap();
        assert_eq!((bare.kind.as_str(), bare.created), ("", 0));
        let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found",
            "created": "2026-11-21T00:00:00Z", "related_object": {"id": "mtr_1", "type": "billing.meter"}});
        let thin = read(thin.to_string().as_bytes()).unwrap();
        assert_eq!((thin.object.kind.as_str(), thin.object.id.as_str()), ("billing.meter", "mtr_1"));
    }

    #[test]
    fn what_has_no_id_is_no_event() {
        for payload in
            ["", "null", "[]", "7", "{}", r#"{"id": 7}"#, r#"{"id": ""}"#, "{\"id\": \"evt_1\"", "\u{feff}{}"]
        {
            assert_eq!(read(payload.as_bytes()), None, "{payload}");
        }
        assert_eq!(read(&[0xff, 0xfe]), None);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(read(deep.as_bytes()), None);
    }
}

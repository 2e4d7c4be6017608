//! Counters: a voucher is taken once, by a key that is bound to the merchant and the place where it stands.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::dto::RedeemedVoucher;
use super::model;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::idempotency::{self, Claim, Request};
use crate::db::{self, Conn};
use crate::error::{Code, FieldError, Result};
use crate::http::auth::Counter;
use crate::membership::invitations::rules::normal_code;
use crate::people::attempts;
use crate::types::id::TreatCodeId;
use crate::types::locale::Names;
use crate::types::money::Money;

const WINDOW: TimeDelta = TimeDelta::hours(1);
/// Wrong codes of one counter in the window: people mistype, and nobody finds one in 2^60 by trying.
const WRONG_MAX: i32 = 300;

/// Takes a voucher, once a request. Of two counters at once one takes it.
///
/// # Errors
/// `not_found`; `voucher_redeemed` with when and where; `voucher_expired`; `too_many_attempts`, `idempotency_key_reused`,
/// `request_in_progress`.
pub async fn redeem(app: &App, counter: &Counter, typed: &str, request: &Request) -> Result<RedeemedVoucher> {
    let now = app.clock.now();
    let key = attempts::key("voucher", &counter.key.to_string());
    attempts::check(&mut *db::connect(&app.pool).await?, &key, WINDOW, WRONG_MAX).await?;
    let code = normal_code(typed);
    let done = db::transaction(&app.pool, async |conn| {
        redeem_on(conn, counter, &code, request, &app.settings.currency, now).await
    })
    .await;
    if matches!(&done, Err(error) if error.code == Code::NotFound) {
        attempts::count(&mut *db::connect(&app.pool).await?, &key, WINDOW, WRONG_MAX).await?;
    }
    done
}

async fn redeem_on(
    conn: &mut Conn,
    counter: &Counter,
    code: &str,
    request: &Request,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<RedeemedVoucher> {
    let found = model::lock_voucher(conn, counter.merchant, code).await?;
    let (voucher, treat) = found.ok_or(Code::NotFound)?;
    let told = |at: DateTime<Utc>, outlet: &str| RedeemedVoucher {
        treat: treat.code.clone(),
        names: Names { zh: treat.name_zh.clone(), en: treat.name_en.clone() },
        face_value: Money::new(treat.face_minor.unwrap_or_default(), currency),
        redeemed_at: at,
        outlet: outlet.to_owned(),
    };
    let repeat = idempotency::claim(conn, request, 200, voucher.id.0, now).await?;
    match (voucher.redeemed_at, voucher.outlet.as_deref()) {
        (Some(at), Some(outlet)) if repeat != Claim::First => return Ok(told(at, outlet)),
        (Some(at), Some(outlet)) => return Err(taken(at, outlet)),
        _ => {}
    }
    if voucher.expires_at.into_iter().chain(treat.ends_at).min().is_some_and(|end| end <= now) {
        return Err(Code::VoucherExpired.error());
    }
    model::redeem(conn, voucher.id, counter.key, &counter.outlet, now).await?;
    record(conn, counter, voucher.id, now).await?;
    Ok(told(now, &counter.outlet))
}

/// Who stands at the second counter can tell the guest when and where it was taken.
fn taken(at: DateTime<Utc>, outlet: &str) -> crate::error::AppError {
    let field = |field: &str, detail: String| FieldError { field: field.to_owned(), detail };
    let mut error =
        Code::VoucherRedeemed.because(format!("It was taken at {outlet} on {}.", at.to_rfc3339()));
    error.errors = vec![field("redeemed_at", at.to_rfc3339()), field("outlet", outlet.to_owned())];
    error
}

async fn record(conn: &mut Conn, counter: &Counter, id: TreatCodeId, now: DateTime<Utc>) -> Result<()> {
    let entry = Entry {
        actor: Actor::ApiKey(counter.key),
        action: "voucher.redeem",
        subject_kind: "voucher",
        subject_id: id.to_string(),
        reason: None,
        detail: json!({ "outlet": counter.outlet }),
    };
    audit::record(conn, now, entry).await
}

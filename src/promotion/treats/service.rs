//! Merchants and treats: made by operators, handed out by claims.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

use super::dto::{NewMerchant, NewTreat, Redemption, TreatView, WalletMerchant};
use super::model::{self, Merchant, NewCode, Treat, TreatCode, TreatKind};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::fields;
use crate::people::secrets;
use crate::promotion::coupons::code::code_from;
use crate::promotion::coupons::dto::{WalletCoupon, WalletItem};
use crate::types::id::{AccountId, MerchantId, TreatCodeId, TreatId};
use crate::types::locale::{Locale, Names};
use crate::types::money::Money;
use crate::types::text;

const DAYS_MAX: i32 = 3_650;
const TERMS_MAX: usize = 2_000;

/// # Errors
/// `invalid_field`, `code_taken`.
pub async fn create_merchant(app: &App, actor: Actor, new: &NewMerchant) -> Result<Merchant> {
    let now = app.clock.now();
    let names = fields::names("names", &new.names)?;
    let of = Merchant {
        id: MerchantId::new(),
        code: fields::slug("code", &new.code)?,
        name_zh: names.zh,
        name_en: names.en,
        created_at: now,
    };
    db::transaction(&app.pool, async |conn| {
        model::insert_merchant(conn, &of).await?;
        let subject = ("merchant", of.id.to_string());
        record(conn, actor, "merchant.create", subject, &of.code, now).await?;
        Ok(of.clone())
    })
    .await
}

/// # Errors
/// `invalid_field`, `amount_out_of_range`, `code_taken`.
pub async fn create(app: &App, actor: Actor, new: &NewTreat) -> Result<TreatView> {
    let now = app.clock.now();
    let currency = &app.settings.currency;
    let is_voucher = new.kind == TreatKind::Voucher;
    if is_voucher != new.face_value.is_some() {
        return Err(Code::InvalidField.at("face_value", "goes with voucher, and voucher with it"));
    }
    if !is_voucher && new.valid_days.is_some() {
        return Err(
            Code::InvalidField.at("valid_days", "only vouchers have them: a file has the ends of codes")
        );
    }
    let face =
        new.face_value.as_ref().map(|money| fields::price("face_value", money, currency)).transpose()?;
    let names = fields::names("names", &new.names)?;
    let terms = terms(&new.terms)?;
    let of = Treat {
        id: TreatId::new(),
        code: fields::slug("code", &new.code)?,
        merchant_id: new.merchant,
        kind: new.kind,
        name_zh: names.zh,
        name_en: names.en,
        terms_zh: terms.zh,
        terms_en: terms.en,
        face_minor: face.map(|minor| fields::within("face_value", minor, 1, i64::MAX)).transpose()?,
        valid_days: new.valid_days.map(|days| fields::within("valid_days", days, 1, DAYS_MAX)).transpose()?,
        ends_at: new.ends_at.map(|at| fields::ahead("ends_at", at, now)).transpose()?,
        created_at: now,
    };
    db::transaction(&app.pool, async |conn| {
        if model::load_merchants(conn, &[of.merchant_id]).await?.is_empty() {
            return Err(Code::InvalidField.at("merchant", "there is no such merchant"));
        }
        model::insert(conn, &of).await?;
        record(conn, actor, "treat.create", ("treat", of.id.to_string()), &of.code, now).await?;
        Ok(TreatView::new(of.clone(), model::Figures::default(), currency))
    })
    .await
}

fn terms(typed: &Names) -> Result<Names> {
    let block = |field: &str, typed: &str| {
        text::block(typed, TERMS_MAX).map_err(|error| Code::InvalidField.at(field, error.to_string()))
    };
    Ok(Names { zh: block("terms.zh-CN", &typed.zh)?, en: block("terms.en", &typed.en)? })
}

async fn record(
    conn: &mut Conn,
    actor: Actor,
    action: &str,
    (subject_kind, subject_id): (&'static str, String),
    code: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry =
        Entry { actor, action, subject_kind, subject_id, reason: None, detail: json!({ "code": code }) };
    audit::record(conn, now, entry).await
}

/// A treat that can be given out.
///
/// # Errors
/// `not_found`, `closed`.
pub async fn open_treat(conn: &mut Conn, id: TreatId, now: DateTime<Utc>) -> Result<Treat> {
    let of = model::load(conn, &[id]).await?.pop().ok_or(Code::NotFound)?;
    if of.ends_at.is_some_and(|end| end <= now) { Err(Code::Closed.error()) } else { Ok(of) }
}

/// Hands one of a treat to somebody, in the caller's transaction: the next code of a merchant's own, or a new voucher.
///
/// # Errors
/// `given_out` where the merchant's codes are gone, `closed`.
pub async fn give(
    conn: &mut Conn,
    treat: TreatId,
    (account, person): (AccountId, &str),
    now: DateTime<Utc>,
) -> Result<TreatCodeId> {
    let of = open_treat(conn, treat, now).await?;
    if of.kind == TreatKind::PartnerCoupon {
        let id = model::lock_free(conn, treat, now).await?.ok_or(Code::GivenOut)?;
        model::hand_to(conn, id, account, person, now).await?;
        return Ok(id);
    }
    let id = TreatCodeId::new();
    let ends = of.valid_days.map(|days| now + TimeDelta::days(i64::from(days)));
    let voucher = NewCode {
        id,
        treat_id: treat,
        merchant_id: of.merchant_id,
        code: code_from("", &secrets::random_bytes::<12>()?),
        account_id: Some(account),
        person_key: Some(person.to_owned()),
        claimed_at: Some(now),
        wallet_id: Some(Uuid::now_v7()),
        expires_at: ends.into_iter().chain(of.ends_at).min(),
        created_at: now,
    };
    NewCode::insert(&mut &*conn, vec![voucher]).await?;
    Ok(id)
}

/// What somebody holds, as its holder sees it, in the same order.
///
/// # Errors
/// The database's.
pub async fn wallet(
    conn: &mut Conn,
    codes: Vec<TreatCode>,
    currency: &str,
    locale: Locale,
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, WalletItem)>> {
    let wanted: Vec<_> = codes.iter().map(|code| code.treat_id).collect();
    let treats = model::load(conn, &wanted).await?;
    let merchants: Vec<_> = treats.iter().map(|treat| treat.merchant_id).collect();
    let merchants = model::load_merchants(conn, &merchants).await?;
    let item = |code: TreatCode| {
        let treat = treats.iter().find(|treat| treat.id == code.treat_id)?;
        let merchant = merchants.iter().find(|merchant| merchant.id == treat.merchant_id)?;
        let ends = code.expires_at.into_iter().chain(treat.ends_at).min();
        let redeemed = code.redeemed_at.zip(code.outlet).map(|(at, outlet)| Redemption { at, outlet });
        let state = match &redeemed {
            Some(_) => "used",
            None if ends.is_some_and(|end| end <= now) => "expired",
            None => "usable",
        };
        let coupon = WalletCoupon {
            id: code.id.to_string(),
            code: code.code,
            name: locale.pick(&treat.name_zh, &treat.name_en).clone(),
            class: None,
            benefit: None,
            minimum_spend: None,
            state,
            expires_at: ends,
            created_at: code.claimed_at?,
            merchant: Some(WalletMerchant {
                code: merchant.code.clone(),
                name: locale.pick(&merchant.name_zh, &merchant.name_en).clone(),
                terms: locale.pick(&treat.terms_zh, &treat.terms_en).clone(),
            }),
            face_value: treat.face_minor.map(|minor| Money::new(minor, currency)),
            redeemed,
        };
        Some((code.wallet_id?, WalletItem { kind: treat.kind.as_str(), coupon }))
    };
    Ok(codes.into_iter().filter_map(item).collect())
}

/// A treat as everybody sees it.
#[derive(Clone, Debug)]
pub struct Described {
    pub name: String,
    pub face_minor: Option<i64>,
    pub merchant: WalletMerchant,
}

/// # Errors
/// The database's.
pub async fn described(conn: &mut Conn, id: TreatId, locale: Locale) -> Result<Option<Described>> {
    let Some(of) = model::load(conn, &[id]).await?.pop() else { return Ok(None) };
    let Some(merchant) = model::load_merchants(conn, &[of.merchant_id]).await?.pop() else { return Ok(None) };
    Ok(Some(Described {
        name: locale.pick(of.name_zh, of.name_en),
        face_minor: of.face_minor,
        merchant: WalletMerchant {
            code: merchant.code,
            name: locale.pick(merchant.name_zh, merchant.name_en),
            terms: locale.pick(of.terms_zh, of.terms_en),
        },
    }))
}

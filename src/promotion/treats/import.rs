//! Codes of merchants' own from a file, a code a line. One that is there already is told and left as it is.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::model::{self, NewCode, Treat, TreatKind};
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::imports::{Applied, Batch, Column, LineError, Row};
use crate::types::id::{MerchantId, TreatCodeId};

const CODE_MAX: usize = 200;

/// What a file has.
pub const COLUMNS: &[Column] = &[
    Column { name: "treat", is_required: true },
    Column { name: "code", is_required: true },
    Column { name: "expires_at", is_required: false },
];

/// What a dry run remembers: codes of earlier parts.
#[derive(Default)]
pub struct Seen(HashSet<(MerchantId, String)>);

/// Takes the codes of a part in.
///
/// # Errors
/// The database's.
pub async fn apply(conn: &mut Conn, batch: Batch<'_>) -> Result<Applied> {
    let (codes, errors) = read(conn, &batch, &HashSet::new()).await?;
    let created = i32::try_from(codes.len()).map_err(AppError::internal)?;
    NewCode::insert(&mut &*conn, codes).await?;
    Ok(Applied { created, changed: 0, errors })
}

/// Tells what [`apply`] would, and writes nothing.
///
/// # Errors
/// The database's.
pub async fn rehearse(conn: &mut Conn, batch: Batch<'_>, seen: &mut Seen) -> Result<Applied> {
    let (codes, errors) = read(conn, &batch, &seen.0).await?;
    let created = i32::try_from(codes.len()).map_err(AppError::internal)?;
    seen.0.extend(codes.into_iter().map(|code| (code.merchant_id, code.code)));
    Ok(Applied { created, changed: 0, errors })
}

async fn read(
    conn: &mut Conn,
    batch: &Batch<'_>,
    before: &HashSet<(MerchantId, String)>,
) -> Result<(Vec<NewCode>, Vec<LineError>)> {
    let named = batch.rows.iter().filter_map(|row| row.cell("treat")).map(str::to_owned).collect();
    let treats = model::by_codes(conn, &named).await?;
    let by_code: HashMap<_, _> = treats.iter().map(|treat| (treat.code.as_str(), treat)).collect();
    let merchants: Vec<_> = treats.iter().map(|treat| treat.merchant_id).collect();
    model::lock_merchants(conn, &merchants).await?;
    let codes: Vec<_> = batch.rows.iter().filter_map(|row| row.cell("code")).map(str::to_owned).collect();
    let mut known = model::known_codes(conn, &merchants, &codes).await?;
    known.extend(before.iter().cloned());
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for row in batch.rows {
        match line(row, &by_code, batch.now) {
            Ok(code) if known.insert((code.merchant_id, code.code.clone())) => found.push(code),
            Ok(_) => errors.push(row.error("code", Code::CodeTaken, "this code is there already")),
            Err(error) => errors.push(error),
        }
    }
    Ok((found, errors))
}

fn line(row: &Row<'_>, treats: &HashMap<&str, &Treat>, now: DateTime<Utc>) -> Result<NewCode, LineError> {
    let filled = |column: &str| row.cell(column).filter(|cell| !cell.is_empty());
    let wrong = |column: &str, message: &str| row.error(column, Code::InvalidField, message);
    let treat = filled("treat").ok_or_else(|| wrong("treat", "missing"))?;
    let treat =
        treats.get(treat).ok_or_else(|| row.error("treat", Code::NotFound, "there is no such treat"))?;
    if treat.kind != TreatKind::PartnerCoupon {
        return Err(wrong("treat", "its vouchers are made when they are claimed"));
    }
    let code = filled("code").ok_or_else(|| wrong("code", "missing"))?;
    if code.chars().count() > CODE_MAX || code.chars().any(char::is_control) {
        return Err(wrong("code", "expected at most 200 characters on one line"));
    }
    let expires_at = match filled("expires_at") {
        None => None,
        Some(typed) => match typed.parse::<DateTime<Utc>>() {
            Ok(at) if at > now => Some(at),
            Ok(_) => return Err(wrong("expires_at", "it has ended")),
            Err(_) => return Err(wrong("expires_at", "expected a time such as 2014-12-31T16:00:00Z")),
        },
    };
    Ok(NewCode {
        id: TreatCodeId::new(),
        treat_id: treat.id,
        merchant_id: treat.merchant_id,
        code: code.to_owned(),
        account_id: None,
        person_key: None,
        claimed_at: None,
        wallet_id: None,
        expires_at,
        created_at: now,
    })
}

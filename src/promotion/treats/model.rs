//! Rows of merchants, their treats, and the codes of these.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use uuid::Uuid;

use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::schema::{merchants, treat_codes, treats};
use crate::types::id::{AccountId, ApiKeyId, MerchantId, TreatCodeId, TreatId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// What a merchant gives.
    TreatKind {
        /// Codes of the merchant's own, good in its shop alone.
        PartnerCoupon = "partner_coupon",
        /// Taken at the merchant's counters, once each.
        Voucher = "voucher",
    }
}

/// Another firm.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = merchants)]
pub struct Merchant {
    pub id: MerchantId,
    pub code: String,
    pub name_zh: String,
    pub name_en: String,
    pub created_at: DateTime<Utc>,
}

/// Something that a merchant gives.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = treats)]
pub struct Treat {
    pub id: TreatId,
    pub code: String,
    pub merchant_id: MerchantId,
    pub kind: TreatKind,
    pub name_zh: String,
    pub name_en: String,
    pub terms_zh: String,
    pub terms_en: String,
    /// What a voucher is worth.
    pub face_minor: Option<i64>,
    /// A voucher ends so many days after it was claimed.
    pub valid_days: Option<i32>,
    /// Exclusive.
    pub ends_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// One code of a treat.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = treat_codes)]
pub struct TreatCode {
    pub id: TreatCodeId,
    pub treat_id: TreatId,
    pub code: String,
    /// Whose it is.
    pub account_id: Option<AccountId>,
    pub claimed_at: Option<DateTime<Utc>>,
    pub wallet_id: Option<Uuid>,
    /// Exclusive.
    pub expires_at: Option<DateTime<Utc>>,
    pub redeemed_at: Option<DateTime<Utc>>,
    /// Where it was taken.
    pub outlet: Option<String>,
}

batch_insert! {
    /// A code that is made or loaded now. A voucher is its holder's from the start.
    pub struct NewCode as CodeColumns into "treat_codes" {
        id: TreatCodeId => SqlUuid,
        treat_id: TreatId => SqlUuid,
        merchant_id: MerchantId => SqlUuid,
        code: String => Text,
        account_id: Option<AccountId> => Nullable<SqlUuid>,
        person_key: Option<String> => Nullable<Text>,
        claimed_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        wallet_id: Option<Uuid> => Nullable<SqlUuid>,
        expires_at: Option<DateTime<Utc>> => Nullable<Timestamptz>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// # Errors
/// `code_taken`
pub async fn insert_merchant(conn: &mut Conn, of: &Merchant) -> Result<()> {
    diesel::insert_into(merchants::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn load_merchants(conn: &mut Conn, ids: &[MerchantId]) -> Result<Vec<Merchant>> {
    let query = merchants::table.filter(merchants::id.eq_any(ids)).select(Merchant::as_select());
    Ok(query.load(conn).await?)
}

/// A page of merchants, newest first.
///
/// # Errors
/// The database's.
pub async fn list_merchants(conn: &mut Conn, page: Page) -> Result<Vec<Merchant>> {
    Ok(merchants::table
        .filter(merchants::id.lt(MerchantId(page.before)))
        .order(merchants::id.desc())
        .limit(page.fetch())
        .select(Merchant::as_select())
        .load(conn)
        .await?)
}

/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, of: &Treat) -> Result<()> {
    diesel::insert_into(treats::table).values(of).execute(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn load(conn: &mut Conn, ids: &[TreatId]) -> Result<Vec<Treat>> {
    let query = treats::table.filter(treats::id.eq_any(ids)).select(Treat::as_select());
    Ok(query.load(conn).await?)
}

/// Locks merchants until the transaction ends: of two who bring the same codes one waits, and finds them there.
///
/// # Errors
/// The database's.
pub async fn lock_merchants(conn: &mut Conn, ids: &[MerchantId]) -> Result<()> {
    let rows = merchants::table.filter(merchants::id.eq_any(ids)).order(merchants::id);
    let _: Vec<MerchantId> = rows.select(merchants::id).for_no_key_update().load(conn).await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn by_codes(conn: &mut Conn, codes: &HashSet<String>) -> Result<Vec<Treat>> {
    let query = treats::table.filter(treats::code.eq_any(codes)).select(Treat::as_select());
    Ok(query.load(conn).await?)
}

/// A page of treats, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, page: Page) -> Result<Vec<Treat>> {
    Ok(treats::table
        .filter(treats::id.lt(TreatId(page.before)))
        .order(treats::id.desc())
        .limit(page.fetch())
        .select(Treat::as_select())
        .load(conn)
        .await?)
}

/// How far a treat is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, QueryableByName)]
pub struct Figures {
    #[diesel(sql_type = BigInt)]
    pub left: i64,
    #[diesel(sql_type = BigInt)]
    pub claimed: i64,
    #[diesel(sql_type = BigInt)]
    pub redeemed: i64,
    #[diesel(sql_type = BigInt)]
    pub expired: i64,
}

#[derive(QueryableByName)]
struct FiguresRow {
    #[diesel(sql_type = SqlUuid)]
    treat_id: TreatId,
    #[diesel(embed)]
    figures: Figures,
}

/// # Errors
/// The database's.
pub async fn figures(
    conn: &mut Conn,
    ids: &[TreatId],
    now: DateTime<Utc>,
) -> Result<HashMap<TreatId, Figures>> {
    let sql = "SELECT treat_id, count(*) FILTER (WHERE account_id IS NULL) AS left, count(account_id) AS claimed, \
               count(redeemed_at) AS redeemed, count(account_id) FILTER (WHERE redeemed_at IS NULL AND expires_at <= $2) \
               AS expired FROM treat_codes WHERE treat_id = ANY($1) GROUP BY treat_id";
    let rows: Vec<FiguresRow> =
        diesel::sql_query(sql).bind::<Array<SqlUuid>, _>(ids).bind::<Timestamptz, _>(now).load(conn).await?;
    Ok(rows.into_iter().map(|row| (row.treat_id, row.figures)).collect())
}

/// Those of these codes that a merchant has here already.
///
/// # Errors
/// The database's.
pub async fn known_codes(
    conn: &mut Conn,
    merchants: &[MerchantId],
    codes: &[String],
) -> Result<HashSet<(MerchantId, String)>> {
    let rows: Vec<(MerchantId, String)> = treat_codes::table
        .filter(treat_codes::merchant_id.eq_any(merchants))
        .filter(treat_codes::code.eq_any(codes))
        .select((treat_codes::merchant_id, treat_codes::code))
        .load(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

/// When a code ends, as the index of free ones has it.
const ENDS: &str = "coalesce(expires_at, 'infinity'::timestamptz)";

/// The code of a treat that is nobody's and ends next, locked; one that somebody else is just taking is passed over.
///
/// # Errors
/// The database's.
pub async fn lock_free(conn: &mut Conn, of: TreatId, now: DateTime<Utc>) -> Result<Option<TreatCodeId>> {
    Ok(treat_codes::table
        .filter(treat_codes::treat_id.eq(of))
        .filter(treat_codes::account_id.is_null())
        .filter(sql::<Timestamptz>(ENDS).gt(now))
        .order((sql::<Timestamptz>(ENDS), treat_codes::id))
        .select(treat_codes::id)
        .for_update()
        .skip_locked()
        .first(conn)
        .await
        .optional()?)
}

/// Hands a locked code to somebody.
///
/// # Errors
/// The database's.
pub async fn hand_to(
    conn: &mut Conn,
    id: TreatCodeId,
    account: AccountId,
    person: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(treat_codes::table.find(id))
        .set((
            treat_codes::account_id.eq(account),
            treat_codes::person_key.eq(person),
            treat_codes::claimed_at.eq(now),
            treat_codes::wallet_id.eq(Uuid::now_v7()),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// # Errors
/// The database's.
pub async fn find_code(conn: &mut Conn, id: TreatCodeId) -> Result<Option<TreatCode>> {
    Ok(treat_codes::table.find(id).select(TreatCode::as_select()).first(conn).await.optional()?)
}

/// A page of what an account holds, newest first.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<TreatCode>> {
    Ok(treat_codes::table
        .filter(treat_codes::account_id.eq(account))
        .filter(treat_codes::wallet_id.lt(page.before))
        .order(treat_codes::wallet_id.desc())
        .limit(page.fetch())
        .select(TreatCode::as_select())
        .load(conn)
        .await?)
}

/// Which of these codes, as they are compared, these accounts hold; at most so many.
///
/// # Errors
/// The database's.
pub async fn codes_held(
    mut conn: &Conn,
    accounts: &[AccountId],
    codes: &[String],
    limit: i64,
) -> Result<Vec<(AccountId, String)>> {
    let rows: Vec<(Option<AccountId>, String)> = treat_codes::table
        .filter(treat_codes::account_id.eq_any(accounts))
        .filter(sql::<Text>(COMPARED).eq_any(codes))
        .limit(limit)
        .select((treat_codes::account_id, treat_codes::code))
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(account, code)| Some((account?, code))).collect())
}

/// A code as [`crate::membership::invitations::rules::normal_code`] writes it.
const COMPARED: &str =
    "translate(upper(left(regexp_replace(code, '[[:space:][:cntrl:]-]', '', 'g'), 64)), 'OIL', '011')";

/// A merchant's voucher that somebody holds, by its code, locked: of two counters one waits.
///
/// # Errors
/// The database's.
pub async fn lock_voucher(
    conn: &mut Conn,
    merchant: MerchantId,
    code: &str,
) -> Result<Option<(TreatCode, Treat)>> {
    let code: Option<TreatCode> = treat_codes::table
        .filter(treat_codes::merchant_id.eq(merchant))
        .filter(treat_codes::code.eq(code))
        .filter(treat_codes::account_id.is_not_null())
        .select(TreatCode::as_select())
        .for_no_key_update()
        .first(conn)
        .await
        .optional()?;
    let Some(code) = code else { return Ok(None) };
    let treat = load(conn, &[code.treat_id]).await?.pop();
    Ok(treat.filter(|treat| treat.kind == TreatKind::Voucher).map(|treat| (code, treat)))
}

/// A counter takes a locked voucher.
///
/// # Errors
/// The database's.
pub async fn redeem(
    conn: &mut Conn,
    id: TreatCodeId,
    by: ApiKeyId,
    outlet: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    diesel::update(treat_codes::table.find(id))
        .set((
            treat_codes::redeemed_at.eq(now),
            treat_codes::outlet.eq(outlet),
            treat_codes::redeemed_by.eq(by),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// What a merchant took in one day.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct Settled {
    #[diesel(sql_type = Date)]
    pub day: NaiveDate,
    /// Its code.
    #[diesel(sql_type = Text)]
    pub merchant: String,
    #[diesel(sql_type = BigInt)]
    pub vouchers: i64,
    #[diesel(sql_type = BigInt)]
    pub value_minor: i64,
}

/// What merchants took between two moments, by day of that zone and merchant.
///
/// # Errors
/// The database's.
pub async fn settled(
    conn: &mut Conn,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    zone: &str,
) -> Result<Vec<Settled>> {
    let sql = "SELECT (c.redeemed_at AT TIME ZONE $3)::date AS day, m.code AS merchant, count(*) AS vouchers, \
               sum(t.face_minor)::bigint AS value_minor \
               FROM treat_codes c JOIN treats t ON t.id = c.treat_id JOIN merchants m ON m.id = c.merchant_id \
               WHERE c.redeemed_at >= $1 AND c.redeemed_at < $2 GROUP BY 1, 2 ORDER BY 1, 2";
    Ok(diesel::sql_query(sql)
        .bind::<Timestamptz, _>(from)
        .bind::<Timestamptz, _>(until)
        .bind::<Text, _>(zone)
        .load(conn)
        .await?)
}

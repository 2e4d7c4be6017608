//! Queries for reading: a membership with what its tier, plan, chapter and number are called.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::model::{MembershipRow, Stored};
use super::rules::{GRACE, Life};
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::membership::associates::model::State;
use crate::membership::number_series;
use crate::membership::plans::model::Renews;
use crate::schema::{accounts, associates, chapters, member_numbers, memberships, plans, tiers};
use crate::types::id::{AccountId, AssociateId, ChapterId, MembershipId, TierId};
use crate::types::locale::Names;

/// A membership as it is shown.
#[derive(Clone, Debug)]
pub struct Member {
    pub row: MembershipRow,
    pub tier_code: String,
    pub tier_names: Names,
    /// Code and renewal of the plan.
    pub plan: Option<(String, Renews)>,
    pub chapter_code: String,
    pub number: Option<String>,
    /// The account's; none after erasure.
    pub name: Option<String>,
    pub email: Option<String>,
    /// From when the periods of benefits are counted.
    pub periods_from: DateTime<Utc>,
    /// Of an associate: his seat, and the head's number.
    pub seat: Option<(AssociateId, Option<String>)>,
}

#[derive(Queryable)]
struct MemberRow {
    row: MembershipRow,
    tier_code: String,
    tier_zh: String,
    tier_en: String,
    plan: Option<(String, Renews)>,
    chapter_code: String,
    number: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

impl TryFrom<MemberRow> for Member {
    type Error = AppError;

    /// Fails on a row that another program wrote.
    fn try_from(row: MemberRow) -> Result<Self> {
        Ok(Self {
            periods_from: row.row.starts_at,
            row: row.row,
            tier_code: row.tier_code,
            tier_names: Names { zh: row.tier_zh, en: row.tier_en },
            plan: row.plan,
            chapter_code: row.chapter_code,
            number: row.number,
            name: row.name,
            email: row.email,
            seat: None,
        })
    }
}

macro_rules! members {
    () => {
        memberships::table
            .inner_join(tiers::table)
            .left_join(plans::table)
            .inner_join(chapters::table)
            .inner_join(accounts::table)
            .left_join(member_numbers::table.on(member_numbers::account_id.eq(memberships::account_id)))
            .select((
                MembershipRow::as_select(),
                tiers::code,
                tiers::name_zh,
                tiers::name_en,
                (plans::code, plans::renews).nullable(),
                chapters::code,
                member_numbers::number.nullable(),
                accounts::name,
                accounts::email,
            ))
    };
}

/// The account's membership: the open one, or else the last one it had.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &Conn, account: AccountId) -> Result<Option<Member>> {
    Ok(of_accounts(conn, &[account]).await?.remove(&account))
}

/// [`of_account`] of each of these that ever had one.
///
/// # Errors
/// The database's.
pub async fn of_accounts(mut conn: &Conn, accounts: &[AccountId]) -> Result<HashMap<AccountId, Member>> {
    let rows: Vec<MemberRow> = members!()
        .filter(memberships::account_id.eq_any(accounts))
        .order(memberships::id.desc())
        .load(&mut conn)
        .await?;
    let mut found: HashMap<AccountId, Member> = HashMap::new();
    for row in rows {
        let member = Member::try_from(row)?;
        let account = member.row.account_id;
        if member.row.is_open() || !found.contains_key(&account) {
            found.insert(account, member);
        }
    }
    Ok(found)
}

/// # Errors
/// The database's.
pub async fn find(mut conn: &Conn, id: MembershipId) -> Result<Option<Member>> {
    let row: Option<MemberRow> =
        members!().filter(memberships::id.eq(id)).first(&mut conn).await.optional()?;
    row.map(Member::try_from).transpose()
}

/// Which memberships a list shows.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub life: Option<Life>,
    pub tier: Option<TierId>,
    pub account: Option<AccountId>,
    pub number: Option<String>,
    pub chapter: Option<ChapterId>,
}

/// A page of memberships, newest first.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, wanted: &Wanted, now: DateTime<Utc>, page: Page) -> Result<Vec<Member>> {
    let mut query = members!()
        .filter(memberships::id.lt(MembershipId(page.before)))
        .order(memberships::id.desc())
        .limit(page.fetch())
        .into_boxed();
    if let Some(tier) = wanted.tier {
        query = query.filter(memberships::tier_id.eq(tier));
    }
    if let Some(account) = wanted.account {
        query = query.filter(memberships::id.eq_any(under(conn, account).await?));
    }
    if let Some(chapter) = wanted.chapter {
        query = query.filter(memberships::chapter_id.eq(chapter));
    }
    if let Some(number) = &wanted.number {
        let Some((holder, _)) = by_number(conn, number).await? else { return Ok(Vec::new()) };
        query = query.filter(memberships::id.eq_any(under(conn, holder).await?));
    }
    // As `rules::life` says it.
    let is_active = memberships::state.eq(Stored::Active);
    let ends_at = memberships::ends_at;
    query = match wanted.life {
        None => query,
        Some(Life::Active) => query.filter(is_active.and(ends_at.is_null().or(ends_at.gt(now)))),
        Some(Life::Grace) => query.filter(is_active.and(ends_at.le(now)).and(ends_at.gt(now - GRACE))),
        Some(Life::Expired) => {
            query.filter(memberships::state.eq(Stored::Expired).or(is_active.and(ends_at.le(now - GRACE))))
        }
        Some(Life::Frozen) => query.filter(memberships::state.eq(Stored::Frozen)),
        Some(Life::Revoked) => query.filter(memberships::state.eq(Stored::Revoked)),
    };
    let rows: Vec<MemberRow> = query.load(conn).await?;
    rows.into_iter().map(Member::try_from).collect()
}

/// The memberships under which an account stands or stood: its own, and that of the head whose associate it is. Few, each
/// found by an index; a condition over both in one query is by none.
async fn under(conn: &mut Conn, account: AccountId) -> Result<Vec<MembershipId>> {
    let own = memberships::table.filter(memberships::account_id.eq(account)).select(memberships::id);
    let mut ids: Vec<MembershipId> = own.load(conn).await?;
    let of_head = associates::table
        .filter(associates::account_id.eq(account))
        .filter(associates::state.eq(State::Active))
        .select(associates::membership_id);
    ids.extend(of_head.load::<MembershipId>(conn).await?);
    Ok(ids)
}

/// Whose number it is, a member's or one by role, and since when.
///
/// # Errors
/// The database's.
pub async fn by_number(conn: &mut Conn, number: &str) -> Result<Option<(AccountId, DateTime<Utc>)>> {
    let found = member_numbers::table
        .find(number)
        .select((member_numbers::account_id, member_numbers::given_at))
        .first(conn)
        .await
        .optional()?;
    match found {
        Some(found) => Ok(Some(found)),
        None => number_series::model::by_number(conn, number).await,
    }
}

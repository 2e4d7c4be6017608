//! Rows of what members want at the end of their term, and of each going on.

use chrono::{DateTime, Utc};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::Conn;
use crate::error::Result;
use crate::schema::{membership_terms, order_lines, renewal_settings, renewals};
use crate::statement;
use crate::types::id::{AccountId, LineId, MembershipId, PlanId, RenewalId};
use crate::types::stored::stored_enum;

stored_enum! {
    /// Where a renewal stands.
    RenewalState {
        /// It may be paid.
        Open = "open",
        Paid = "paid",
        /// Nobody paid it, or the membership has another end or plan by now.
        Over = "over",
    }
}

/// What a member has said of the end of his term.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = renewal_settings)]
pub struct Settings {
    pub membership_id: MembershipId,
    pub account_id: AccountId,
    /// The saved card is charged at the end.
    pub is_on: bool,
    /// When the member turned it off himself.
    pub switched_off_at: Option<DateTime<Utc>>,
    /// What it is to be from its end on.
    pub next_plan_id: Option<PlanId>,
    pub cancelled_at: Option<DateTime<Utc>>,
    pub cancel_reason: Option<String>,
}

impl Settings {
    /// Of a membership about which nothing was said.
    pub fn none(membership_id: MembershipId, account_id: AccountId) -> Self {
        Self {
            membership_id,
            account_id,
            is_on: false,
            switched_off_at: None,
            next_plan_id: None,
            cancelled_at: None,
            cancel_reason: None,
        }
    }
}

/// Going on after one end of a membership.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = renewals, treat_none_as_null = true)]
pub struct Renewal {
    pub id: RenewalId,
    pub membership_id: MembershipId,
    pub account_id: AccountId,
    /// The end that it follows.
    pub ends_at: DateTime<Utc>,
    pub plan_id: PlanId,
    /// The plan's, until its member was told; what he was told from then on.
    pub price_minor: i64,
    pub currency: String,
    pub state: RenewalState,
    /// A month ahead: of a new price, of a card that expires.
    pub announced_at: Option<DateTime<Utc>>,
    /// 5 to 7 days ahead: what will be charged, and how to stop it.
    pub noticed_at: Option<DateTime<Utc>>,
    /// Days before the end of the last reminder.
    pub reminded_days: Option<i32>,
    /// Orders that were placed to charge the card.
    pub charges: i32,
    /// When the card is charged once more after a failure.
    pub next_charge_at: Option<DateTime<Utc>>,
    /// Why the last charge failed, in Stripe's short word or ours.
    pub failure: Option<String>,
    pub created_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
    /// What the card will be charged at most, as its owner was told: the price less what coupons would take off it.
    pub told_minor: Option<i64>,
}

/// What was said of a membership, or that nothing was.
///
/// # Errors
/// The database's.
pub async fn settings_of(conn: &mut Conn, membership: MembershipId, account: AccountId) -> Result<Settings> {
    let row = renewal_settings::table.find(membership).select(Settings::as_select()).first(conn).await;
    Ok(row.optional()?.unwrap_or_else(|| Settings::none(membership, account)))
}

/// What was said of those of these memberships of which anything was.
///
/// # Errors
/// The database's.
pub async fn settings_among(mut conn: &Conn, memberships: &[MembershipId]) -> Result<Vec<Settings>> {
    Ok(renewal_settings::table
        .filter(renewal_settings::membership_id.eq_any(memberships))
        .select(Settings::as_select())
        .load(&mut conn)
        .await?)
}

/// All that these accounts have said, of their newest memberships first.
///
/// # Errors
/// The database's.
pub async fn settings_of_accounts(mut conn: &Conn, accounts: &[AccountId]) -> Result<Vec<Settings>> {
    Ok(renewal_settings::table
        .filter(renewal_settings::account_id.eq_any(accounts))
        .order(renewal_settings::membership_id.desc())
        .select(Settings::as_select())
        .load(&mut conn)
        .await?)
}

/// Writes what is said of a membership, whose account is locked.
///
/// # Errors
/// The database's.
pub async fn store_settings(conn: &mut Conn, settings: &Settings) -> Result<()> {
    store_all_settings(conn, std::slice::from_ref(settings)).await
}

statement! {
    struct Store = "INSERT INTO renewal_settings (membership_id, account_id, is_on, switched_off_at, next_plan_id, \
             cancelled_at, cancel_reason) SELECT * FROM UNNEST("
        [memberships: Vec<MembershipId> => Array<SqlUuid>] ", "
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [on: Vec<bool> => Array<Bool>] ", "
        [off_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [plans: Vec<Option<PlanId>> => Array<Nullable<SqlUuid>>] ", "
        [cancelled_at: Vec<Option<DateTime<Utc>>> => Array<Nullable<Timestamptz>>] ", "
        [reasons: Vec<Option<String>> => Array<Nullable<Text>>] ") ON CONFLICT (membership_id) DO UPDATE SET \
             account_id = excluded.account_id, is_on = excluded.is_on, switched_off_at = excluded.switched_off_at, \
             next_plan_id = excluded.next_plan_id, cancelled_at = excluded.cancelled_at, cancel_reason = excluded.cancel_reason"
}

/// [`store_settings`] for many, each of another membership.
///
/// # Errors
/// The database's.
pub async fn store_all_settings(conn: &mut Conn, settings: &[Settings]) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let store = Store {
        memberships: settings.iter().map(|one| one.membership_id).collect(),
        accounts: settings.iter().map(|one| one.account_id).collect(),
        on: settings.iter().map(|one| one.is_on).collect(),
        off_at: settings.iter().map(|one| one.switched_off_at).collect(),
        plans: settings.iter().map(|one| one.next_plan_id).collect(),
        cancelled_at: settings.iter().map(|one| one.cancelled_at).collect(),
        reasons: settings.iter().map(|one| one.cancel_reason.clone()).collect(),
    };
    store.execute(conn).await?;
    Ok(())
}

/// The membership has changed: what was planned for its end isn't meant any more.
///
/// # Errors
/// The database's.
pub async fn drop_planned(conn: &mut Conn, membership: MembershipId) -> Result<()> {
    diesel::update(renewal_settings::table.find(membership))
        .set(renewal_settings::next_plan_id.eq(None::<PlanId>))
        .execute(conn)
        .await?;
    Ok(())
}

/// The renewal of a membership that may be paid.
///
/// # Errors
/// The database's.
pub async fn open_of(conn: &mut Conn, membership: MembershipId) -> Result<Option<Renewal>> {
    Ok(renewals::table
        .filter(renewals::membership_id.eq(membership))
        .filter(renewals::state.eq(RenewalState::Open))
        .select(Renewal::as_select())
        .first(conn)
        .await
        .optional()?)
}

/// The renewals of these memberships that may be paid, at most one of each.
///
/// # Errors
/// The database's.
pub async fn open_among(mut conn: &Conn, memberships: &[MembershipId]) -> Result<Vec<Renewal>> {
    Ok(renewals::table
        .filter(renewals::membership_id.eq_any(memberships))
        // As the index says it: planned once, a value is told too late.
        .filter(sql::<Bool>("renewals.state = 'open'"))
        .select(Renewal::as_select())
        .load(&mut conn)
        .await?)
}

/// Those of these renewals that there are, in no order.
///
/// # Errors
/// The database's.
pub async fn load(mut conn: &Conn, ids: &[RenewalId]) -> Result<Vec<Renewal>> {
    Ok(renewals::table.filter(renewals::id.eq_any(ids)).select(Renewal::as_select()).load(&mut conn).await?)
}

/// # Errors
/// The database's.
pub async fn insert(conn: &mut Conn, renewal: &Renewal) -> Result<()> {
    diesel::insert_into(renewals::table).values(renewal).execute(conn).await?;
    Ok(())
}

/// Writes a renewal, whose account is locked.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, renewal: &Renewal) -> Result<()> {
    diesel::update(renewals::table.find(renewal.id)).set(renewal).execute(conn).await?;
    Ok(())
}

/// What the newest term of a plan that was bought cost, before coupons.
///
/// # Errors
/// The database's.
pub async fn last_price(conn: &mut Conn, membership: MembershipId, plan: PlanId) -> Result<Option<i64>> {
    let lines: Vec<Option<LineId>> = membership_terms::table
        .filter(membership_terms::membership_id.eq(membership))
        .filter(membership_terms::plan_id.eq(plan))
        .filter(membership_terms::line_id.is_not_null())
        .order(membership_terms::starts_at.desc())
        .limit(1)
        .select(membership_terms::line_id)
        .load(conn)
        .await?;
    let Some(line) = lines.into_iter().flatten().next() else { return Ok(None) };
    let sold = order_lines::table.find(line).filter(order_lines::kind.eq_any(["plan", "renewal"]));
    Ok(sold.select(order_lines::unit_price_minor).first(conn).await.optional()?)
}

/// What an erased account has said, in its own words too.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    let said = renewal_settings::table.filter(renewal_settings::account_id.eq(account));
    diesel::delete(said).execute(conn).await?;
    Ok(())
}

//! Uses of benefits: counted, entered and given back. Who writes one has locked its account's row; the unique keys are the
//! alarm.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::model::Benefit;
use super::rules::{Ground, Window};
use crate::batch_insert;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::Result;
use crate::membership::memberships::model::Source;
use crate::schema::{benefit_uses, benefits, membership_terms};
use crate::statement;
use crate::types::id::{
    AccountId, BenefitId, BenefitUseId, CouponId, LevelId, LineId, MembershipId, OrderId,
};

batch_insert! {
    /// One of the times that a period allows.
    pub struct NewUse as UseColumns into "benefit_uses" {
        id: BenefitUseId => SqlUuid,
        benefit_id: BenefitId => SqlUuid,
        account_id: AccountId => SqlUuid,
        membership_id: Option<MembershipId> => Nullable<SqlUuid>,
        person_key: String => Text,
        is_once: bool => Bool,
        nth: i32 => Integer,
        ordinal: i64 => BigInt,
        allowed: Option<i64> => Nullable<BigInt>,
        order_id: Option<OrderId> => Nullable<SqlUuid>,
        line_id: Option<LineId> => Nullable<SqlUuid>,
        coupon_id: Option<CouponId> => Nullable<SqlUuid>,
        worth_minor: i64 => BigInt,
        note: Option<String> => Nullable<Text>,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// A use as it is shown.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = benefit_uses)]
pub struct UseRow {
    pub id: BenefitUseId,
    pub benefit_id: BenefitId,
    pub account_id: AccountId,
    pub order_id: Option<OrderId>,
    pub line_id: Option<LineId>,
    pub coupon_id: Option<CouponId>,
    pub worth_minor: i64,
    pub note: Option<String>,
    pub created_at: DateTime<Utc>,
    pub released_at: Option<DateTime<Utc>>,
}

/// A use that stands, as limits count it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = benefit_uses)]
struct Counted {
    benefit_id: BenefitId,
    account_id: AccountId,
    membership_id: Option<MembershipId>,
    person_key: String,
    nth: i32,
    ordinal: i64,
}

impl From<&NewUse> for Counted {
    fn from(row: &NewUse) -> Self {
        Self {
            benefit_id: row.benefit_id,
            account_id: row.account_id,
            membership_id: row.membership_id,
            person_key: row.person_key.clone(),
            nth: row.nth,
            ordinal: row.ordinal,
        }
    }
}

/// Who uses: an account, and on what it stands.
#[derive(Clone, Copy, Debug)]
pub struct User<'a> {
    pub account: AccountId,
    /// See [`crate::people::person`].
    pub person: Option<&'a str>,
    pub ground: Ground<'a>,
    pub now: DateTime<Utc>,
    /// The shop's.
    pub zone: Tz,
}

impl User<'_> {
    /// The membership under which a use of the benefit counts; a level's counts under none.
    fn membership_for(&self, benefit: &Benefit) -> Option<MembershipId> {
        self.ground.membership.filter(|_| benefit.tier().is_some()).map(|(row, _)| row.id)
    }
}

/// What was used, of some benefits by some people. What is entered counts from then on.
#[derive(Clone, Debug, Default)]
pub struct Used {
    counted: Vec<Counted>,
}

impl Used {
    /// Standing uses of these benefits by these accounts and people.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(
        mut conn: &Conn,
        benefits: &[BenefitId],
        accounts: &[AccountId],
        people: &[String],
    ) -> Result<Self> {
        if benefits.is_empty() {
            return Ok(Self::default());
        }
        let theirs = benefit_uses::account_id
            .eq_any(accounts)
            .or(benefit_uses::is_once.and(benefit_uses::person_key.eq_any(people)));
        let counted = benefit_uses::table
            .filter(benefit_uses::released_at.is_null())
            .filter(theirs)
            .filter(benefit_uses::benefit_id.eq_any(benefits))
            .select(Counted::as_select())
            .load(&mut conn)
            .await?;
        Ok(Self { counted })
    }

    /// The times of a period that are used, and the period.
    fn of(&self, benefit: &Benefit, user: &User<'_>) -> (Window, HashSet<i64>) {
        let window = user.ground.window(benefit, (user.now, user.zone));
        let membership = user.membership_for(benefit);
        let is_his = |one: &&Counted| {
            one.benefit_id == benefit.id
                && if benefit.is_once() {
                    one.account_id == user.account || Some(one.person_key.as_str()) == user.person
                } else {
                    one.account_id == user.account
                        && one.membership_id == membership
                        && u32::try_from(one.nth) == Ok(window.nth)
                }
        };
        (window, self.counted.iter().filter(is_his).map(|one| one.ordinal).collect())
    }

    /// The period that runs, and how often the benefit was used in it.
    pub fn so_far(&self, benefit: &Benefit, user: &User<'_>) -> (Window, i64) {
        let (window, used) = self.of(benefit, user);
        (window, i64::try_from(used.len()).unwrap_or(i64::MAX))
    }

    /// How often it can be used now.
    pub fn left(&self, benefit: &Benefit, user: &User<'_>) -> i64 {
        let (_, used) = self.so_far(benefit, user);
        benefit.allowed.map_or(i64::MAX, |allowed| (allowed - used).max(0))
    }

    /// Enters so many more uses, each `worth_minor`; the caller has asked what is left. None where the user has no person.
    pub fn enter(
        &mut self,
        benefit: &Benefit,
        user: &User<'_>,
        times: i64,
        worth_minor: i64,
    ) -> Option<Vec<NewUse>> {
        let (window, used) = self.of(benefit, user);
        let person = user.person?;
        let free = (1..).filter(|ordinal| !used.contains(ordinal));
        let rows = free.take(usize::try_from(times).ok()?).map(|ordinal| {
            Some(NewUse {
                id: BenefitUseId::new(),
                benefit_id: benefit.id,
                account_id: user.account,
                membership_id: user.membership_for(benefit),
                person_key: person.to_owned(),
                is_once: benefit.is_once(),
                nth: i32::try_from(window.nth).ok()?,
                ordinal,
                allowed: benefit.allowed,
                order_id: None,
                line_id: None,
                coupon_id: None,
                worth_minor,
                note: None,
                created_at: user.now,
            })
        });
        let rows: Vec<_> = rows.collect::<Option<_>>()?;
        self.counted.extend(rows.iter().map(Counted::from));
        Some(rows)
    }
}

/// Those of these memberships that have nothing but a trial: not even something that was bought to follow it.
///
/// # Errors
/// The database's.
pub async fn trials_among(mut conn: &Conn, memberships: &[MembershipId]) -> Result<HashSet<MembershipId>> {
    let terms: Vec<(MembershipId, Source)> = membership_terms::table
        .filter(membership_terms::membership_id.eq_any(memberships))
        .filter(membership_terms::ended_at.is_null())
        .select((membership_terms::membership_id, membership_terms::source))
        .load(&mut conn)
        .await?;
    let (trials, others): (Vec<_>, Vec<_>) =
        terms.into_iter().partition(|(_, source)| *source == Source::Trial);
    let joined: HashSet<_> = others.into_iter().map(|(id, _)| id).collect();
    Ok(trials.into_iter().map(|(id, _)| id).filter(|id| !joined.contains(id)).collect())
}

/// # Errors
/// The database's.
pub async fn find(conn: &mut Conn, id: BenefitUseId) -> Result<Option<UseRow>> {
    Ok(benefit_uses::table.find(id).select(UseRow::as_select()).first(conn).await.optional()?)
}

/// A page of an account's uses, newest first, each with the kind of its benefit.
///
/// # Errors
/// The database's.
pub async fn of_account(conn: &mut Conn, account: AccountId, page: Page) -> Result<Vec<(UseRow, String)>> {
    Ok(benefit_uses::table
        .inner_join(benefits::table)
        .filter(benefit_uses::account_id.eq(account))
        .filter(benefit_uses::id.lt(BenefitUseId(page.before)))
        .order(benefit_uses::id.desc())
        .limit(page.fetch())
        .select((UseRow::as_select(), benefits::kind))
        .load(conn)
        .await?)
}

/// A page of a benefit's uses, newest first.
///
/// # Errors
/// The database's.
pub async fn of_benefit(conn: &mut Conn, benefit: BenefitId, page: Page) -> Result<Vec<UseRow>> {
    Ok(benefit_uses::table
        .filter(benefit_uses::benefit_id.eq(benefit))
        .filter(benefit_uses::id.lt(BenefitUseId(page.before)))
        .order(benefit_uses::id.desc())
        .limit(page.fetch())
        .select(UseRow::as_select())
        .load(conn)
        .await?)
}

/// Which uses of an order are meant.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// All of them.
    Order(OrderId),
    /// That of its parcel.
    Parcel(OrderId),
    Line(LineId),
}

/// Uses no longer count. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, part: Part, now: DateTime<Utc>) -> Result<()> {
    let mut meant = diesel::update(benefit_uses::table.filter(benefit_uses::released_at.is_null()))
        .set(benefit_uses::released_at.eq(now))
        .into_boxed();
    meant = match part {
        Part::Order(order) => meant.filter(benefit_uses::order_id.eq(order)),
        Part::Parcel(order) => {
            meant.filter(benefit_uses::order_id.eq(order)).filter(benefit_uses::line_id.is_null())
        }
        Part::Line(line) => meant.filter(benefit_uses::line_id.eq(line)),
    };
    meant.execute(conn).await?;
    Ok(())
}

/// A single use no longer counts. False where that was so before.
///
/// # Errors
/// The database's.
pub async fn release_one(conn: &mut Conn, id: BenefitUseId, now: DateTime<Utc>) -> Result<bool> {
    let standing =
        benefit_uses::table.filter(benefit_uses::id.eq(id)).filter(benefit_uses::released_at.is_null());
    Ok(diesel::update(standing).set(benefit_uses::released_at.eq(now)).execute(conn).await? == 1)
}

/// A use of an order whose hold had ended.
#[derive(Clone, Debug, Queryable)]
struct Ended {
    id: BenefitUseId,
    benefit_id: BenefitId,
    account_id: AccountId,
    membership_id: Option<MembershipId>,
    person_key: String,
    is_once: bool,
    nth: i32,
    allowed: Option<i64>,
}

/// The uses of an order whose hold had ended count again, unless what they used was used otherwise since. The account is
/// locked.
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut Conn, order: OrderId) -> Result<bool> {
    let ended: Vec<Ended> = benefit_uses::table
        .filter(benefit_uses::order_id.eq(order))
        .filter(benefit_uses::released_at.is_not_null())
        .order(benefit_uses::id)
        .select((
            benefit_uses::id,
            benefit_uses::benefit_id,
            benefit_uses::account_id,
            benefit_uses::membership_id,
            benefit_uses::person_key,
            benefit_uses::is_once,
            benefit_uses::nth,
            benefit_uses::allowed,
        ))
        .load(conn)
        .await?;
    let Some(account) = ended.iter().map(|one| one.account_id).next() else { return Ok(true) };
    let ids: Vec<_> = ended.iter().map(|one| one.benefit_id).collect();
    let people: Vec<_> = ended.iter().map(|one| one.person_key.clone()).collect();
    let mut used = Used::read(conn, &ids, &[account], &people).await?;
    let mut renewed = BTreeMap::new();
    for one in ended {
        let is_same = |other: &&Counted| {
            other.benefit_id == one.benefit_id
                && (one.is_once || (other.membership_id == one.membership_id && other.nth == one.nth))
        };
        let taken: HashSet<_> = used.counted.iter().filter(is_same).map(|other| other.ordinal).collect();
        let free = (1..=one.allowed.unwrap_or(i64::MAX)).find(|ordinal| !taken.contains(ordinal));
        let Some(ordinal) = free else { return Ok(false) };
        used.counted.push(Counted {
            benefit_id: one.benefit_id,
            account_id: one.account_id,
            membership_id: one.membership_id,
            person_key: one.person_key,
            nth: one.nth,
            ordinal,
        });
        renewed.insert(one.id, ordinal);
    }
    for (id, ordinal) in renewed {
        diesel::update(benefit_uses::table.find(id))
            .set((benefit_uses::ordinal.eq(ordinal), benefit_uses::released_at.eq(None::<DateTime<Utc>>)))
            .execute(conn)
            .await?;
    }
    Ok(true)
}

/// Coupons that were claimed under a membership since then and still count.
///
/// # Errors
/// The database's.
pub async fn coupons_of(
    conn: &mut Conn,
    membership: MembershipId,
    since: DateTime<Utc>,
) -> Result<Vec<CouponId>> {
    let found: Vec<Option<CouponId>> = benefit_uses::table
        .filter(benefit_uses::membership_id.eq(membership))
        .filter(benefit_uses::created_at.ge(since))
        .filter(benefit_uses::coupon_id.is_not_null())
        .filter(benefit_uses::released_at.is_null())
        .select(benefit_uses::coupon_id)
        .load(conn)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// Coupons that an account claimed of what a level gives since then, and that still count.
///
/// # Errors
/// The database's.
pub async fn coupons_of_level(
    conn: &mut Conn,
    (account, level): (AccountId, LevelId),
    since: DateTime<Utc>,
) -> Result<Vec<CouponId>> {
    let found: Vec<Option<CouponId>> = benefit_uses::table
        .inner_join(benefits::table)
        .filter(benefit_uses::account_id.eq(account))
        .filter(benefits::level_id.eq(level))
        .filter(benefit_uses::created_at.ge(since))
        .filter(benefit_uses::coupon_id.is_not_null())
        .filter(benefit_uses::released_at.is_null())
        .select(benefit_uses::coupon_id)
        .load(conn)
        .await?;
    Ok(found.into_iter().flatten().collect())
}

/// What was written beside an account's uses goes.
///
/// # Errors
/// The database's.
pub async fn forget(conn: &mut Conn, account: AccountId) -> Result<()> {
    diesel::update(benefit_uses::table.filter(benefit_uses::account_id.eq(account)))
        .set(benefit_uses::note.eq(None::<String>))
        .execute(conn)
        .await?;
    Ok(())
}

/// What a member had from it, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Had {
    /// What the benefits that were used are worth; coupons what they took off.
    pub used_minor: i64,
    /// What was bought cheaper than others could.
    pub saved_minor: i64,
}

/// What these accounts had from their memberships, each since its time. What isn't paid doesn't count, nor what was given back.
///
/// # Errors
/// The database's.
pub async fn had_since(
    mut conn: &Conn,
    since: &[(AccountId, DateTime<Utc>)],
) -> Result<HashMap<AccountId, Had>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SqlUuid)]
        account: AccountId,
        #[diesel(sql_type = BigInt)]
        used_minor: i64,
        #[diesel(sql_type = BigInt)]
        saved_minor: i64,
    }
    if since.is_empty() {
        return Ok(HashMap::new());
    }
    let (accounts, since) = since.iter().copied().unzip();
    let rows: Vec<Row> = HadSince { accounts, since }.load(&mut conn).await?;
    let had = |row: Row| (row.account, Had { used_minor: row.used_minor, saved_minor: row.saved_minor });
    Ok(rows.into_iter().map(had).collect())
}

statement! {
    struct HadSince = "SELECT a.account, (SELECT coalesce(sum(u.worth_minor), 0) FROM benefit_uses u LEFT JOIN orders o ON o.id = u.order_id
        WHERE u.account_id = a.account AND u.created_at >= a.since AND u.released_at IS NULL AND u.membership_id IS NOT NULL
          AND (u.order_id IS NULL OR o.paid_at IS NOT NULL))::bigint
     + (SELECT coalesce(sum(c.discount_minor + c.shipping_minor), 0)
        FROM benefit_uses u JOIN coupon_uses c ON c.coupon_id = u.coupon_id JOIN orders o ON o.id = c.order_id
        WHERE u.account_id = a.account AND u.created_at >= a.since AND u.released_at IS NULL AND u.membership_id IS NOT NULL
          AND c.is_single AND c.released_at IS NULL AND o.paid_at IS NOT NULL)::bigint AS used_minor,
       (SELECT coalesce(sum(CASE WHEN l.refunded_minor = 0 THEN l.saved_minor
                                 ELSE round(l.saved_minor::numeric * (l.total_minor - l.refunded_minor) / l.total_minor)
                            END), 0)
        FROM orders o JOIN order_lines l ON l.order_id = o.id
        WHERE o.account_id = a.account AND o.paid_at >= a.since AND l.saved_minor > 0 AND l.restocked_at IS NULL)::bigint
            AS saved_minor
     FROM UNNEST("
        [accounts: Vec<AccountId> => Array<SqlUuid>] ", "
        [since: Vec<DateTime<Utc>> => Array<Timestamptz>] ") AS a (account, since)"
}

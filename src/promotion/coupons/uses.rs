//! What orders made of coupons. A use stands from the order on, until the order ends unpaid or is given back as a whole;
//! what it claims of its campaign's pools goes the way of the order's other claims.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Date, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use super::model as coupons_model;
use crate::batch_insert;
use crate::checkout::orders::model::OrderState;
use crate::db::Conn;
use crate::error::Result;
use crate::promotion::campaigns::model as campaigns;
use crate::promotion::campaigns::rules::History;
use crate::schema::{accounts, coupon_uses, order_lines, orders, variants};
use crate::types::id::{AccountId, CampaignId, CouponId, CouponUseId, LineId, OrderId, ProductId};

batch_insert! {
    /// One use of a campaign by an order.
    pub struct NewUse as UseColumns into "coupon_uses" {
        id: CouponUseId => SqlUuid,
        campaign_id: CampaignId => SqlUuid,
        coupon_id: Option<CouponId> => Nullable<SqlUuid>,
        is_single: bool => Bool,
        order_id: OrderId => SqlUuid,
        account_id: AccountId => SqlUuid,
        person_key: String => Text,
        day: NaiveDate => Date,
        discount_minor: i64 => BigInt,
        shipping_minor: i64 => BigInt,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

batch_insert! {
    /// What a use took off a line.
    pub struct NewLineCoupon as LineCouponColumns into "line_coupons" {
        line_id: LineId => SqlUuid,
        use_id: CouponUseId => SqlUuid,
        discount_minor: i64 => BigInt,
    }
}

/// A use that stands, as limits count it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Counted {
    pub campaign: CampaignId,
    pub account: AccountId,
    pub person: String,
}

/// The order of a use.
///
/// # Errors
/// The database's.
pub async fn order_of(conn: &mut Conn, id: CouponUseId) -> Result<OrderId> {
    Ok(coupon_uses::table.find(id).select(coupon_uses::order_id).first(conn).await?)
}

/// Standing uses of these campaigns by these accounts and people.
///
/// # Errors
/// The database's.
pub async fn counted(
    mut conn: &Conn,
    campaigns: &[CampaignId],
    accounts: &[AccountId],
    people: &[String],
) -> Result<Vec<Counted>> {
    if campaigns.is_empty() {
        return Ok(Vec::new());
    }
    Ok(coupon_uses::table
        .filter(coupon_uses::campaign_id.eq_any(campaigns))
        .filter(coupon_uses::account_id.eq_any(accounts).or(coupon_uses::person_key.eq_any(people)))
        .filter(coupon_uses::released_at.is_null())
        .select((coupon_uses::campaign_id, coupon_uses::account_id, coupon_uses::person_key))
        .load(&mut conn)
        .await?)
}

/// Which of these codes, each good for one use, an order holds or has used: true where it was paid.
///
/// # Errors
/// The database's.
pub async fn taken(mut conn: &Conn, ids: &[CouponId]) -> Result<HashMap<CouponId, bool>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Option<CouponId>, OrderState)> = coupon_uses::table
        .inner_join(orders::table)
        .filter(coupon_uses::coupon_id.eq_any(ids))
        .filter(coupon_uses::is_single)
        .filter(coupon_uses::released_at.is_null())
        .select((coupon_uses::coupon_id, orders::state))
        .load(&mut conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, state)| Some((id?, state != OrderState::PendingPayment))).collect())
}

/// An account: its person, whether it is a guest's, since when, and its birthday.
type Known = (AccountId, Option<String>, bool, DateTime<Utc>, Option<String>);

/// The pasts of buyers, as conditions ask for them. `people` are their keys; a guest's address counts for its person.
///
/// # Errors
/// The database's.
pub async fn histories(
    mut conn: &Conn,
    buyers: &[(AccountId, Option<String>)],
    products: &BTreeSet<ProductId>,
) -> Result<HashMap<AccountId, History>> {
    let ids: Vec<_> = buyers.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let people: Vec<_> = buyers.iter().filter_map(|(_, person)| person.clone()).collect();
    // All accounts of these people, guests' too: each question by an index of its own.
    let known: Vec<Known> = accounts::table
        .filter(accounts::id.eq_any(&ids).or(accounts::person_key.eq_any(&people)))
        .select((
            accounts::id,
            accounts::person_key,
            accounts::is_guest,
            accounts::created_at,
            accounts::birthday,
        ))
        .load(&mut conn)
        .await?;
    let theirs: Vec<_> = known.iter().map(|(id, ..)| *id).chain(ids.iter().copied()).collect();
    let buying: Vec<AccountId> = orders::table
        .filter(orders::account_id.eq_any(&theirs))
        .filter(orders::state.ne_all([OrderState::Cancelled, OrderState::Expired]))
        .select(orders::account_id)
        .distinct()
        .load(&mut conn)
        .await?;
    let ordered: Vec<(AccountId, Option<String>)> = buying
        .into_iter()
        .map(|id| (id, known.iter().find(|(known, ..)| *known == id).and_then(|(_, key, ..)| key.clone())))
        .collect();
    let bought: Vec<(AccountId, ProductId)> = if products.is_empty() {
        Vec::new()
    } else {
        order_lines::table
            .inner_join(orders::table)
            .inner_join(variants::table)
            .filter(orders::account_id.eq_any(&ids))
            .filter(orders::paid_at.is_not_null())
            .filter(variants::product_id.eq_any(products))
            .filter(
                order_lines::refunded_minor.lt(order_lines::total_minor).or(order_lines::total_minor.eq(0)),
            )
            .select((orders::account_id, variants::product_id))
            .distinct()
            .load(&mut conn)
            .await?
    };
    let history = |(id, person): &(AccountId, Option<String>)| {
        let account = known.iter().find(|(known, _, is_guest, ..)| known == id && !is_guest);
        let history = History {
            signed_up_at: account.map(|(_, _, _, at, _)| *at),
            birthday: account.and_then(|(.., birthday)| birthday.clone()),
            has_ordered: ordered.iter().any(|(of, key)| of == id || (key.is_some() && key == person)),
            bought: bought.iter().filter(|(of, _)| of == id).map(|(_, product)| *product).collect(),
        };
        (*id, history)
    };
    Ok(buyers.iter().map(history).collect())
}

/// An order's uses no longer count.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    let standing =
        coupon_uses::table.filter(coupon_uses::order_id.eq(order)).filter(coupon_uses::released_at.is_null());
    diesel::update(standing).set(coupon_uses::released_at.eq(now)).execute(conn).await?;
    Ok(())
}

/// The uses of an order whose hold had ended count again, unless a code of it is in use elsewhere by now, its person has
/// come to his limit, or it was for a first order and there is another one. The order's pools are locked; locks its codes.
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut Conn, order: OrderId, person: Option<&str>) -> Result<bool> {
    let mine: Vec<(CampaignId, Option<CouponId>, AccountId)> = coupon_uses::table
        .filter(coupon_uses::order_id.eq(order))
        .select((coupon_uses::campaign_id, coupon_uses::coupon_id, coupon_uses::account_id))
        .load(conn)
        .await?;
    let Some(account) = mine.iter().map(|(.., account)| *account).next() else { return Ok(true) };
    let single: Vec<_> = mine.iter().filter_map(|(_, coupon, _)| *coupon).collect();
    coupons_model::lock(conn, &single).await?;
    if !taken(conn, &single).await?.is_empty() {
        return Ok(false);
    }
    let ids: Vec<_> = mine.iter().map(|(campaign, ..)| *campaign).collect();
    let people: Vec<_> = person.map(str::to_owned).into_iter().collect();
    let others = counted(conn, &ids, &[account], &people).await?;
    let key = [(account, person.map(str::to_owned))];
    let history = histories(conn, &key, &BTreeSet::new()).await?;
    let has_ordered = history.get(&account).is_some_and(|history| history.has_ordered);
    for campaign in campaigns::load(conn, &ids).await? {
        if campaign.conditions.first_order && has_ordered {
            return Ok(false);
        }
        let Some(limit) = campaign.per_person.and_then(|limit| usize::try_from(limit).ok()) else { continue };
        let wanted = ids.iter().filter(|id| **id == campaign.id).count();
        if others.iter().filter(|other| other.campaign == campaign.id).count() + wanted > limit {
            return Ok(false);
        }
    }
    let ended = coupon_uses::table.filter(coupon_uses::order_id.eq(order));
    diesel::update(ended).set(coupon_uses::released_at.eq(None::<DateTime<Utc>>)).execute(conn).await?;
    Ok(true)
}

/// Was it ever used?
///
/// # Errors
/// The database's.
pub async fn any_of(conn: &mut Conn, campaign: CampaignId) -> Result<bool> {
    let query = coupon_uses::table.filter(coupon_uses::campaign_id.eq(campaign));
    Ok(diesel::select(diesel::dsl::exists(query)).get_result(conn).await?)
}

/// Names of the methods with which an order's coupons let it be paid; none: with all.
///
/// # Errors
/// The database's.
pub async fn methods_of(conn: &mut Conn, order: OrderId) -> Result<Vec<Vec<String>>> {
    let ids: Vec<CampaignId> = coupon_uses::table
        .filter(coupon_uses::order_id.eq(order))
        .filter(coupon_uses::released_at.is_null())
        .select(coupon_uses::campaign_id)
        .load(conn)
        .await?;
    let named = campaigns::load(conn, &ids).await?.into_iter().map(|one| one.conditions.payment_methods);
    Ok(named.filter(|names| !names.is_empty()).collect())
}

//! Uses of upgrade offers by orders. A use stands from the order on, until the order ends unpaid or its line
//! goes back on sale; what it claims of its offer's pools goes the way of the order's other claims.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::batch_insert;
use crate::db::Conn;
use crate::error::Result;
use crate::schema::upgrade_offer_uses;
use crate::types::id::{AccountId, LineId, OrderId, UpgradeOfferId, UpgradeOfferUseId};

batch_insert! {
    /// One use of an offer by a line.
    pub struct NewUse as UseColumns into "upgrade_offer_uses" {
        id: UpgradeOfferUseId => SqlUuid,
        offer_id: UpgradeOfferId => SqlUuid,
        account_id: AccountId => SqlUuid,
        person_key: String => Text,
        order_id: OrderId => SqlUuid,
        line_id: LineId => SqlUuid,
        discount_minor: i64 => BigInt,
        created_at: DateTime<Utc> => Timestamptz,
    }
}

/// A use that stands, as "once a person" counts it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = upgrade_offer_uses)]
pub struct Counted {
    pub offer_id: UpgradeOfferId,
    pub account_id: AccountId,
    pub person_key: String,
}

impl Counted {
    /// Is it of this account, or of another one of its person?
    pub fn is_of(&self, account: AccountId, person: Option<&str>) -> bool {
        self.account_id == account || Some(self.person_key.as_str()) == person
    }
}

/// Standing uses of these offers by these accounts and people. It is final while the offers' pools are locked.
///
/// # Errors
/// The database's.
pub async fn standing(
    mut conn: &Conn,
    offers: &[UpgradeOfferId],
    accounts: &[AccountId],
    people: &[String],
) -> Result<Vec<Counted>> {
    if offers.is_empty() {
        return Ok(Vec::new());
    }
    let theirs =
        upgrade_offer_uses::account_id.eq_any(accounts).or(upgrade_offer_uses::person_key.eq_any(people));
    Ok(upgrade_offer_uses::table
        .filter(upgrade_offer_uses::offer_id.eq_any(offers))
        .filter(upgrade_offer_uses::released_at.is_null())
        .filter(theirs)
        .select(Counted::as_select())
        .load(&mut conn)
        .await?)
}

/// Which use is meant.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    Order(OrderId),
    Line(LineId),
}

/// A use no longer counts: its person may use the offer again. Twice does no more than once.
///
/// # Errors
/// The database's.
pub async fn release(conn: &mut Conn, part: Part, now: DateTime<Utc>) -> Result<()> {
    let mut meant =
        diesel::update(upgrade_offer_uses::table.filter(upgrade_offer_uses::released_at.is_null()))
            .set(upgrade_offer_uses::released_at.eq(now))
            .into_boxed();
    meant = match part {
        Part::Order(order) => meant.filter(upgrade_offer_uses::order_id.eq(order)),
        Part::Line(line) => meant.filter(upgrade_offer_uses::line_id.eq(line)),
    };
    meant.execute(conn).await?;
    Ok(())
}

/// The use of an order whose hold had ended counts again, unless its person has used the offer otherwise since.
/// The order's pools are locked.
///
/// # Errors
/// The database's.
pub async fn renew(conn: &mut Conn, order: OrderId) -> Result<bool> {
    let ended = || {
        let of_order = upgrade_offer_uses::table.filter(upgrade_offer_uses::order_id.eq(order));
        of_order.filter(upgrade_offer_uses::released_at.is_not_null())
    };
    let mine: Vec<Counted> = ended().select(Counted::as_select()).load(conn).await?;
    for one in mine {
        if !standing(conn, &[one.offer_id], &[one.account_id], &[one.person_key]).await?.is_empty() {
            return Ok(false);
        }
    }
    let again = upgrade_offer_uses::released_at.eq(None::<DateTime<Utc>>);
    diesel::update(ended()).set(again).execute(conn).await?;
    Ok(true)
}

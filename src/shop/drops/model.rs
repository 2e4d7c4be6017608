//! Rows of drops, what they sell, and for whom. Their F-codes are in `f_codes.rs`.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Array;
use diesel_async::RunQueryDsl;
use serde_json::Value;

pub use super::f_codes::*;
use crate::db::Conn;
use crate::db::page::Page;
use crate::error::{AppError, Result};
use crate::schema::{
    drop_audiences, drop_goals, drop_items, drop_purchases, drops, order_lines, pools, products, variants,
    waiting_lines,
};
use crate::shop::audience::Audience;
use crate::shop::crowdfunding::model::{self as crowdfunding, Goal, GoalRow};
use crate::shop::products::model::{ProductKind, audience};
use crate::types::id::{AccountId, AudienceId, DropId, LineId, OrderId, PoolId, VariantId};
use crate::types::locale::Names;
use crate::{batch_insert, statement};

/// A limited sale.
#[derive(Clone, Debug, PartialEq)]
pub struct Drop {
    pub id: DropId,
    pub code: String,
    pub names: Names,
    pub opens_at: DateTime<Utc>,
    /// Exclusive.
    pub closes_at: DateTime<Utc>,
    /// Units of the drop, of whatever it sells, that one person may have.
    pub cap_per_person: Option<i32>,
    pub created_at: DateTime<Utc>,
    pub archived_at: Option<DateTime<Utc>>,
    pub version: i32,
    /// What it sells: the pool bounds how many in all.
    pub items: Vec<Item>,
    /// By opening time, then id.
    pub audiences: Vec<AudienceOf>,
    /// Where it is crowdfunded.
    pub goal: Option<Goal>,
}

impl Drop {
    pub fn item(&self, variant: VariantId) -> Option<&Item> {
        self.items.iter().find(|item| item.variant == variant)
    }

    /// For whom something of it is.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        let of_prices = self.items.iter().filter_map(|item| Some(&item.price.as_ref()?.buyers));
        self.audiences.iter().map(|of| &of.buyers).chain(of_prices)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub variant: VariantId,
    pub is_bundle: bool,
    pub pool: PoolId,
    pub capacity: i64,
    pub held: i64,
    pub taken: i64,
    /// People in its waiting list: what comes back is for them.
    pub waiting: i64,
    /// Lawful in this drop alone.
    pub price: Option<ItemPrice>,
}

/// What an article costs in a drop, and for whom of those who buy in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemPrice {
    pub minor: i64,
    pub buyers: Audience,
}

impl Item {
    /// What nobody holds or took.
    pub fn free(&self) -> i64 {
        self.capacity - self.held - self.taken
    }

    /// What anybody may buy now.
    pub fn on_sale(&self) -> i64 {
        (self.free() - self.waiting).max(0)
    }
}

/// Who may buy in a drop, and from when.
#[derive(Clone, Debug, PartialEq)]
pub struct AudienceOf {
    pub id: AudienceId,
    pub buyers: Audience,
    pub opens_at: DateTime<Utc>,
    /// Bounds how many they may take together.
    pub pool: Option<PoolId>,
    pub allocation: Option<i64>,
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = drops)]
struct DropRow {
    id: DropId,
    code: String,
    name_zh: String,
    name_en: String,
    opens_at: DateTime<Utc>,
    closes_at: DateTime<Utc>,
    cap_per_person: Option<i32>,
    created_at: DateTime<Utc>,
    archived_at: Option<DateTime<Utc>>,
    version: i32,
}

/// The drops of these ids, archived ones too, newest first.
///
/// # Errors
/// The database's.
pub async fn load(conn: &Conn, ids: &[DropId]) -> Result<Vec<Drop>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = drops::table
        .left_join(drop_goals::table)
        .filter(drops::id.eq_any(ids))
        .order(drops::id.desc())
        .select((DropRow::as_select(), Option::<GoalRow>::as_select()));
    let rows = async { Ok(found.load::<(DropRow, Option<GoalRow>)>(&mut &*conn).await?) };
    let (rows, mut items, mut audiences) =
        tokio::try_join!(rows, items_of(conn, ids), audiences_of(conn, ids))?;
    let drop = |(row, goal): (DropRow, Option<GoalRow>)| Drop {
        goal: goal.map(Goal::from),
        items: items.remove(&row.id).unwrap_or_default(),
        audiences: audiences.remove(&row.id).unwrap_or_default(),
        id: row.id,
        code: row.code,
        names: Names { zh: row.name_zh, en: row.name_en },
        opens_at: row.opens_at,
        closes_at: row.closes_at,
        cap_per_person: row.cap_per_person,
        created_at: row.created_at,
        archived_at: row.archived_at,
        version: row.version,
    };
    Ok(rows.into_iter().map(drop).collect())
}

async fn items_of(mut conn: &Conn, ids: &[DropId]) -> Result<HashMap<DropId, Vec<Item>>> {
    type Counts = (i64, i64, i64, Option<i64>);
    type Row = (DropId, VariantId, ProductKind, PoolId, Counts, (Option<i64>, Option<Value>));
    let in_line = waiting_lines::drop_id
        .eq(drop_items::drop_id)
        .and(waiting_lines::variant_id.eq(drop_items::variant_id));
    let rows: Vec<Row> = drop_items::table
        .inner_join(pools::table)
        .inner_join(variants::table.on(variants::id.eq(drop_items::variant_id)))
        .inner_join(products::table.on(products::id.eq(variants::product_id)))
        .left_join(waiting_lines::table.on(in_line))
        .filter(drop_items::drop_id.eq_any(ids))
        .order((drop_items::drop_id, drop_items::variant_id))
        .select((
            drop_items::drop_id,
            drop_items::variant_id,
            products::kind,
            pools::id,
            (pools::capacity, pools::held, pools::taken, waiting_lines::waiting.nullable()),
            (drop_items::price_minor, drop_items::price_buyers),
        ))
        .load(&mut conn)
        .await?;
    let mut items: HashMap<DropId, Vec<Item>> = HashMap::new();
    for (drop, variant, kind, pool, (capacity, held, taken, waiting), price) in rows {
        let price = match price {
            (Some(minor), Some(buyers)) => Some(ItemPrice { minor, buyers: audience(buyers)? }),
            _ => None,
        };
        let (is_bundle, waiting) = (kind == ProductKind::Bundle, waiting.unwrap_or(0));
        let item = Item { variant, is_bundle, pool, capacity, held, taken, waiting, price };
        items.entry(drop).or_default().push(item);
    }
    Ok(items)
}

async fn audiences_of(mut conn: &Conn, ids: &[DropId]) -> Result<HashMap<DropId, Vec<AudienceOf>>> {
    type Row = (DropId, AudienceId, Value, DateTime<Utc>, Option<PoolId>, Option<i64>);
    let rows: Vec<Row> = drop_audiences::table
        .left_join(pools::table)
        .filter(drop_audiences::drop_id.eq_any(ids))
        .order((drop_audiences::drop_id, drop_audiences::opens_at, drop_audiences::id))
        .select((
            drop_audiences::drop_id,
            drop_audiences::id,
            drop_audiences::buyers,
            drop_audiences::opens_at,
            drop_audiences::pool_id,
            pools::capacity.nullable(),
        ))
        .load(&mut conn)
        .await?;
    let mut audiences: HashMap<DropId, Vec<AudienceOf>> = HashMap::new();
    for (drop, id, buyers, opens_at, pool, allocation) in rows {
        let of = AudienceOf { id, buyers: audience(buyers)?, opens_at, pool, allocation };
        audiences.entry(drop).or_default().push(of);
    }
    Ok(audiences)
}

/// The id of a drop by its id or code; archived ones are not found by their code.
///
/// # Errors
/// The database's.
pub async fn find_id(conn: &mut Conn, id_or_code: &str) -> Result<Option<DropId>> {
    if let Ok(id) = id_or_code.parse() {
        return Ok(Some(id));
    }
    Ok(drops::table
        .filter(drops::code.eq(id_or_code))
        .filter(drops::archived_at.is_null())
        .select(drops::id)
        .first(conn)
        .await
        .optional()?)
}

/// A page of drops, newest first; archived ones only where they are asked for.
///
/// # Errors
/// The database's.
pub async fn list(conn: &mut Conn, with_archived: bool, page: Page) -> Result<Vec<Drop>> {
    let mut query = drops::table
        .filter(drops::id.lt(DropId(page.before)))
        .order(drops::id.desc())
        .limit(page.fetch())
        .select(drops::id)
        .into_boxed();
    if !with_archived {
        query = query.filter(drops::archived_at.is_null());
    }
    let ids: Vec<DropId> = query.load(conn).await?;
    load(conn, &ids).await
}

/// Writes a new drop with its items, audiences and goal; their pools have the capacities that they say.
///
/// # Errors
/// `code_taken`
pub async fn insert(conn: &mut Conn, drop: &Drop) -> Result<()> {
    let of_items = drop.items.iter().map(|item| (item.pool, "drop", item.capacity));
    let of_audiences = drop.audiences.iter().filter_map(|of| Some((of.pool?, "audience", of.allocation?)));
    let rows: Vec<_> = of_items
        .chain(of_audiences)
        .map(|(pool, kind, capacity)| {
            (pools::id.eq(pool), pools::kind.eq(kind), pools::capacity.eq(capacity))
        })
        .collect();
    diesel::insert_into(pools::table).values(rows).execute(conn).await?;
    diesel::insert_into(drops::table)
        .values((
            drops::id.eq(drop.id),
            drops::code.eq(&drop.code),
            drops::name_zh.eq(&drop.names.zh),
            drops::name_en.eq(&drop.names.en),
            drops::opens_at.eq(drop.opens_at),
            drops::closes_at.eq(drop.closes_at),
            drops::cap_per_person.eq(drop.cap_per_person),
            drops::created_at.eq(drop.created_at),
        ))
        .execute(conn)
        .await?;
    let mut items = Vec::with_capacity(drop.items.len());
    for item in &drop.items {
        items.push((
            drop_items::drop_id.eq(drop.id),
            drop_items::variant_id.eq(item.variant),
            drop_items::pool_id.eq(item.pool),
            drop_items::price_minor.eq(item.price.as_ref().map(|price| price.minor)),
            drop_items::price_buyers.eq(stored_buyers(item.price.as_ref())?),
        ));
    }
    diesel::insert_into(drop_items::table).values(items).execute(conn).await?;
    let mut audiences = Vec::with_capacity(drop.audiences.len());
    for of in &drop.audiences {
        audiences.push((
            drop_audiences::id.eq(of.id),
            drop_audiences::drop_id.eq(drop.id),
            drop_audiences::buyers.eq(serde_json::to_value(&of.buyers).map_err(AppError::internal)?),
            drop_audiences::opens_at.eq(of.opens_at),
            drop_audiences::pool_id.eq(of.pool),
        ));
    }
    diesel::insert_into(drop_audiences::table).values(audiences).execute(conn).await?;
    if let Some(goal) = &drop.goal {
        crowdfunding::insert(conn, drop.id, goal).await?;
    }
    Ok(())
}

fn stored_buyers(price: Option<&ItemPrice>) -> Result<Option<Value>> {
    price.map(|price| serde_json::to_value(&price.buyers)).transpose().map_err(AppError::internal)
}

/// Writes what an article costs in a drop.
///
/// # Errors
/// The database's.
pub async fn store_price(
    conn: &mut Conn,
    drop: DropId,
    variant: VariantId,
    price: Option<&ItemPrice>,
) -> Result<()> {
    diesel::update(drop_items::table.find((drop, variant)))
        .set((
            drop_items::price_minor.eq(price.map(|price| price.minor)),
            drop_items::price_buyers.eq(stored_buyers(price)?),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

/// Locks a drop that is to be changed, until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(conn: &mut Conn, id: DropId) -> Result<Option<Drop>> {
    let query = drops::table.find(id).for_no_key_update().select(drops::id);
    let known: Option<DropId> = query.first(conn).await.optional()?;
    match known {
        Some(id) => Ok(load(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// Writes what can change of a locked drop: its window, its cap, its names, its end.
///
/// # Errors
/// The database's.
pub async fn store(conn: &mut Conn, drop: &Drop) -> Result<()> {
    diesel::update(drops::table.find(drop.id))
        .set((
            drops::name_zh.eq(&drop.names.zh),
            drops::name_en.eq(&drop.names.en),
            drops::opens_at.eq(drop.opens_at),
            drops::closes_at.eq(drop.closes_at),
            drops::cap_per_person.eq(drop.cap_per_person),
            drops::archived_at.eq(drop.archived_at),
            drops::version.eq(drop.version),
        ))
        .execute(conn)
        .await?;
    Ok(())
}

batch_insert! {
    /// Units of a drop that a line claims, for the cap a person.
    pub struct NewPurchase as PurchaseColumns into "drop_purchases" {
        line_id: LineId => diesel::sql_types::Uuid,
        drop_id: DropId => diesel::sql_types::Uuid,
        account_id: AccountId => diesel::sql_types::Uuid,
        person_key: String => diesel::sql_types::Text,
        quantity: i64 => diesel::sql_types::BigInt,
    }
}

/// Units that these accounts, or other accounts of the same people, have of these drops: (drop, account, person, units).
///
/// # Errors
/// The database's.
pub async fn purchases(
    mut conn: &Conn,
    drops: &[DropId],
    accounts: &[AccountId],
    people: &[String],
) -> Result<Vec<(DropId, AccountId, String, i64)>> {
    let of = PurchasesOf {
        drops: drops.to_vec(),
        accounts: accounts.to_vec(),
        again: drops.to_vec(),
        people: people.to_vec(),
    };
    let rows: Vec<PurchaseRow> = of.load(&mut conn).await?;
    Ok(rows.into_iter().map(|row| (row.drop_id, row.account_id, row.person_key, row.quantity)).collect())
}

#[derive(QueryableByName)]
struct PurchaseRow {
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    drop_id: DropId,
    #[diesel(sql_type = diesel::sql_types::Uuid)]
    account_id: AccountId,
    #[diesel(sql_type = diesel::sql_types::Text)]
    person_key: String,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    quantity: i64,
}

// Two indexes, one after the other: for an OR over both PostgreSQL reads all that a drop has sold.
statement! {
    struct PurchasesOf = "SELECT line_id, drop_id, account_id, person_key, quantity FROM drop_purchases WHERE account_id = ANY ("
        [accounts: Vec<AccountId> => Array<diesel::sql_types::Uuid>] ") AND drop_id = ANY ("
        [drops: Vec<DropId> => Array<diesel::sql_types::Uuid>] ") AND released_at IS NULL UNION \
         SELECT line_id, drop_id, account_id, person_key, quantity FROM drop_purchases WHERE person_key = ANY ("
        [people: Vec<String> => Array<diesel::sql_types::Text>] ") AND drop_id = ANY ("
        [again: Vec<DropId> => Array<diesel::sql_types::Uuid>] ") AND released_at IS NULL"
}

statement! {
    struct Release = "UPDATE drop_purchases SET released_at = "
        [now: DateTime<Utc> => diesel::sql_types::Timestamptz] " FROM order_lines l WHERE l.id = line_id AND l.order_id = "
        [order: OrderId => diesel::sql_types::Uuid] " AND released_at IS NULL"
}

/// An order gives its units of drops back to their people's caps.
///
/// # Errors
/// The database's.
pub async fn release_purchases(conn: &mut Conn, order: OrderId, now: DateTime<Utc>) -> Result<()> {
    Release { now, order }.execute(conn).await?;
    Ok(())
}

/// A line's units no longer count.
///
/// # Errors
/// The database's.
pub async fn release_purchase(conn: &mut Conn, line: LineId, now: DateTime<Utc>) -> Result<()> {
    let live = drop_purchases::table.find(line).filter(drop_purchases::released_at.is_null());
    diesel::update(live).set(drop_purchases::released_at.eq(now)).execute(conn).await?;
    Ok(())
}

statement! {
    struct Renew = "UPDATE drop_purchases SET released_at = NULL FROM order_lines l WHERE l.id = line_id AND l.order_id = "
        [order: OrderId => diesel::sql_types::Uuid] ""
}

/// An order whose hold had ended counts again.
///
/// # Errors
/// The database's.
pub async fn renew_purchases(conn: &mut Conn, order: OrderId) -> Result<()> {
    Renew { order }.execute(conn).await?;
    Ok(())
}

/// What an order had of capped drops: (drop, units).
///
/// # Errors
/// The database's.
pub async fn purchases_of(conn: &mut Conn, order: OrderId) -> Result<Vec<(DropId, i64)>> {
    Ok(drop_purchases::table
        .inner_join(order_lines::table)
        .filter(order_lines::order_id.eq(order))
        .select((drop_purchases::drop_id, drop_purchases::quantity))
        .load(conn)
        .await?)
}

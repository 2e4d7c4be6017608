//! What is bought in the bench, and by whom: one hot drop (goods, one a person), a thousand products, a drive, and accounts
//! whose tokens are made here with the shop's own key, since what is measured begins after signing in.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_types::{Array, Text, Uuid as SqlUuid};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use serde_json::{Value, json};
use uuid::Uuid;

use super::load::{Requests, request};
use crate::db::Conn;
use crate::dev::rehearse::{RehearsalError, SHOP, impossible};
use crate::error::AppError;
use crate::membership::seed::luoji;
use crate::people::accounts::service::{NewSeed, seed_all};
use crate::people::tokens::{Bearer, Tokens};
use crate::schema::accounts;
use crate::shop::audience::Audience;
use crate::shop::drops::model as drops;
use crate::shop::products::model::ProductKind;
use crate::shop::seed::{Thing, drop, express, put};
use crate::shop::shipping::model::{self as shipping, ShippingMethod};
use crate::types::id::{AccountId, DriveId, DropId, PlanId, SessionId, ShippingMethodId, VariantId};
use crate::types::locale::{Locale, Names};

/// Products that are bought evenly.
pub const PRODUCTS: usize = 1_000;
/// More than anybody buys here.
const PLENTY: i64 = 1_000_000_000;
const HOT_MINOR: i64 = 49_900;
/// A token that outlives the bench.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::days(1);

/// Slugs, SKUs and codes of what is sold in the drops.
const HOT: &str = "hot";
const GONE: &str = "gone";

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    drive: DriveId,
    #[diesel(sql_type = SqlUuid)]
    plan: PlanId,
    #[diesel(sql_type = SqlUuid)]
    method: ShippingMethodId,
    #[diesel(sql_type = SqlUuid)]
    hot: DropId,
    #[diesel(sql_type = SqlUuid)]
    gone: DropId,
    #[diesel(sql_type = SqlUuid)]
    article: VariantId,
    #[diesel(sql_type = Array<SqlUuid>)]
    products: Vec<VariantId>,
}

/// What is sold.
pub struct Shop {
    pub drop: DropId,
    pub hot: VariantId,
    /// A drop of which nothing is left.
    pub sold_out: DropId,
    pub products: Vec<VariantId>,
    /// The place in the drive of regular members: drive and plan.
    pub drive: (DriveId, PlanId),
    method: ShippingMethodId,
    tokens: Tokens,
    now: DateTime<Utc>,
}

/// Somebody with a token.
#[derive(Clone)]
pub struct Buyer {
    pub account: AccountId,
    /// By which one a person is counted.
    pub person: Arc<str>,
    pub token: Arc<str>,
}

impl Shop {
    /// Writes all of it into a new database.
    ///
    /// # Errors
    /// The database's.
    pub async fn seed(conn: &mut Conn, now: DateTime<Utc>) -> Result<Self, RehearsalError> {
        luoji(conn, now).await?;
        let free = ShippingMethod { fee_minor: 0, fee_per_kg_minor: 0, free_for: None, ..express(now) };
        shipping::insert(conn, &free).await?;
        let opened = now - TimeDelta::hours(1);
        for (slug, stock) in [(HOT, PLENTY), (GONE, 0)] {
            let article = put(conn, &thing(slug, Audience::SignedIn, false), now).await?;
            let names = Names::new("限量", "A drop");
            drops::insert(conn, &drop(slug, names, (article, stock), opened, Some(1), &[])).await?;
        }
        for number in 0..PRODUCTS {
            let slug = format!("product-{number:04}");
            put(conn, &thing(&slug, Audience::Everyone, true), now).await?;
        }
        open_drive(conn, opened).await?;
        Self::open(conn, now).await
    }

    /// What [`Shop::seed`] has written before.
    ///
    /// # Errors
    /// The database's, also where it hasn't.
    pub async fn open(conn: &mut Conn, now: DateTime<Utc>) -> Result<Self, RehearsalError> {
        let found: Found = diesel::sql_query(
            "SELECT d.id AS drive, d.plan_id AS plan, m.id AS method, hot.id AS hot, gone.id AS gone, v.id AS article,
                (SELECT array_agg(id ORDER BY sku) FROM variants WHERE sku LIKE 'product-%') AS products
             FROM drives d, shipping_methods m, drops hot, drops gone, variants v
             WHERE d.code LIKE '%regular%' AND hot.code = $1 AND gone.code = $2 AND v.sku = $1 LIMIT 1",
        )
        .bind::<Text, _>(HOT)
        .bind::<Text, _>(GONE)
        .get_result(conn)
        .await
        .map_err(AppError::from)?;
        Ok(Self {
            drop: found.hot,
            hot: found.article,
            sold_out: found.gone,
            products: found.products,
            drive: (found.drive, found.plan),
            method: found.method,
            tokens: Tokens::open(conn, SHOP, TOKEN_LIFETIME, now).await?,
            now,
        })
    }

    /// Accounts nobody has bought with, and their tokens.
    ///
    /// # Errors
    /// The database's.
    pub async fn buyers(&self, conn: &mut Conn, count: usize) -> Result<Vec<Buyer>, RehearsalError> {
        let batch = Uuid::now_v7().simple().to_string();
        let mut seeds = Vec::with_capacity(count);
        for number in 0..count {
            let email = format!("{batch}.{number}@buyers.test");
            seeds.push(NewSeed {
                email: email.parse().map_err(|_| impossible("a buyer's address is wrong"))?,
                password_hash: String::new(),
                name: None,
                locale: Locale::ZhCn,
                is_verified: true,
                roles: Vec::new(),
            });
        }
        let ids = seed_all(conn, &seeds, self.now).await?;
        let persons: Vec<(AccountId, Option<String>)> = accounts::table
            .filter(accounts::id.eq_any(ids))
            .select((accounts::id, accounts::person_key))
            .load(conn)
            .await
            .map_err(AppError::from)?;
        let issue = |(account, person): (AccountId, Option<String>)| {
            let session = SessionId::new();
            let token = self.tokens.issue(Bearer { account, session }, self.now)?;
            Ok(Buyer { account, person: person.unwrap_or_default().into(), token: token.into() })
        };
        persons.into_iter().map(issue).collect::<Result<_, AppError>>().map_err(RehearsalError::from)
    }

    /// The hot article in its drop.
    pub fn hot_line(&self) -> Value {
        json!({ "variant": self.hot, "quantity": 1, "drop": self.drop })
    }

    /// The n-th of the products, evenly.
    ///
    /// # Errors
    /// Never: there are products.
    pub fn spread_line(&self, number: usize) -> Value {
        json!({ "variant": self.products.get(number % self.products.len()), "quantity": 1 })
    }

    pub fn drive_line(&self) -> Value {
        json!({ "plan": self.drive.1, "drive": self.drive.0 })
    }

    /// One order for each buyer, each with a key of its own.
    pub fn orders(&self, buyers: &[Buyer], line: impl Fn(usize) -> Value) -> Requests {
        let order = |(number, buyer): (usize, &Buyer)| {
            let body = self.body(&line(number));
            let bearer = format!("Bearer {}", buyer.token);
            let key = Uuid::now_v7().to_string();
            let headers = [("Authorization", bearer.as_str()), ("Idempotency-Key", key.as_str())];
            request("POST", "/v1/orders", &headers, &body.to_string())
        };
        let ready: Vec<Vec<u8>> = buyers.iter().enumerate().map(order).collect();
        Arc::new(move |number, out| {
            let at = usize::try_from(number).unwrap_or_default();
            out.extend_from_slice(ready.get(at % ready.len().max(1)).map_or(&[], Vec::as_slice));
        })
    }

    /// The body of an order of one line.
    pub fn body(&self, line: &Value) -> Value {
        let shipping = json!({ "method": self.method, "address": {
            "name": "罗小姐", "phone": "13800000000", "country": "CN", "city": "北京", "line1": "朝阳门外大街 1 号",
        } });
        json!({
            "lines": [line],
            "shipping": line.get("variant").map(|_| shipping),
            "success_url": format!("{SHOP}/welcome"),
            "cancel_url": format!("{SHOP}/"),
            "consents": { "terms": true },
        })
    }
}

fn thing(slug: &str, buys: Audience, open_sale: bool) -> Thing<'_> {
    Thing {
        slug,
        sku: slug,
        kind: ProductKind::Goods,
        names: ("限量商品", "A thing of the bench"),
        price_minor: HOT_MINOR,
        weight_grams: 400,
        buys,
        stock: PLENTY,
        open_sale,
        parts: Vec::new(),
    }
}

/// The drive of regular members, open, with more places than are bought; and terms to accept.
async fn open_drive(conn: &mut Conn, opened: DateTime<Utc>) -> Result<(), RehearsalError> {
    let at = opened.to_rfc3339();
    let more = format!(
        "INSERT INTO terms_versions VALUES ('bench', 'http://shop.test/terms', '{at}');
         UPDATE drives SET opens_at = '{at}' WHERE code LIKE '%regular%';
         UPDATE drive_releases SET at = '{at}', quantity = {PLENTY}
            WHERE drive_id IN (SELECT id FROM drives WHERE code LIKE '%regular%');
         UPDATE pools SET capacity = {PLENTY} WHERE id IN (SELECT pool_id FROM drives WHERE code LIKE '%regular%');"
    );
    Ok(conn.batch_execute(&more).await.map_err(AppError::from)?)
}

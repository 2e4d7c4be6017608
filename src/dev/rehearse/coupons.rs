//! The coupon rush: 50,000 people come for 5,000 coupons that are given out on the hour, and whoever has one uses it, until a
//! budget that is enough for 4,000 of them is spent. Before that a million unique codes are made. The numbers are ours.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{SinkExt, StreamExt, TryStreamExt, pin_mut};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_postgres::Client;

use super::person::Person;
use super::report::tenths;
use super::sale::Sale;
use super::scenario::{HOLD_MINUTES, Scenario, Ware, connect};
use super::visit::{Answer, Call, Trouble, Visit, trouble};
use super::{RehearsalError, desk, figures, goods, impossible};
use crate::db;
use crate::error::AppError;
use crate::shop::audience::Audience;
use crate::shop::products::model::ProductKind;
use crate::shop::seed::{Thing, express, put};
use crate::shop::shipping::model::{self as shipping, ShippingMethod};
use crate::types::id::ShippingMethodId;
use crate::types::money::Money;

/// The campaign's and the give-out's code.
pub const RUSH: &str = "coupon-rush";
/// The campaign of the codes that are made beforehand.
const ISSUED: &str = "issued";
/// What is bought with a coupon.
const TEA: &str = "festival-tea";
/// Where the coupons are given out.
pub const CLAIM: &str = "/v1/coupon-campaigns/coupon-rush/claim";
/// Where the tea hangs.
pub const PAGE: &str = "/v1/products/festival-tea";
const PRICE_MINOR: i64 = 10_000;
const OFF_MINOR: i64 = 5_000;
/// Coupons that are given out, and codes that are made, in a rehearsal of full size; the ware's quota is what the budget is
/// enough for.
const GIVEN_OUT: i64 = 5_000;
const CODES: i64 = 1_000_000;
/// How long the codes may take.
const CODES_MAX: Duration = Duration::from_secs(120);

pub fn coupon_rush() -> Vec<Ware> {
    vec![Ware {
        code: RUSH.to_owned(),
        key: RUSH,
        quota: 4_000,
        f_codes: 0,
        price_minor: PRICE_MINOR - OFF_MINOR,
        name_zh: "抢券",
        name_en: "The coupon rush",
    }]
}

/// What the rehearsal reports of coupons.
#[derive(Clone, Debug, Serialize)]
pub struct Coupons {
    /// Unique codes that were made by a job, how long that took, and how many times the COPY of the same rows it took.
    pub codes: i64,
    pub codes_seconds: f64,
    pub times_copy: f64,
    /// Coupons that were given out, and how many of them were used.
    pub given_out: i64,
    pub used: i64,
    /// What was taken off by paid orders, and how much could have been.
    pub discount: Money,
    pub budget: Money,
}

/// How long the codes took: to make them, and to copy them.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    making: Duration,
    copying: Duration,
}

/// Writes what is bought, its stock and who runs the shop.
///
/// # Errors
/// The database's.
pub async fn seed(
    method: ShippingMethodId,
    buyers: u32,
    (url, hash): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), RehearsalError> {
    let mut conn = db::establish(url).await.map_err(AppError::internal)?;
    goods::put_operators(&mut conn, hash, now).await?;
    let free =
        ShippingMethod { id: method, fee_minor: 0, fee_per_kg_minor: 0, free_for: None, ..express(now) };
    shipping::insert(&mut conn, &free).await?;
    let tea = Thing {
        slug: TEA,
        sku: "TEA-RUSH",
        kind: ProductKind::Goods,
        names: ("节日茶", "Festival tea"),
        price_minor: PRICE_MINOR,
        weight_grams: 400,
        buys: Audience::SignedIn,
        // There is enough of it: it is the coupons that are scarce.
        stock: i64::from(buyers),
        open_sale: true,
        parts: Vec::new(),
    };
    put(&mut conn, &tea, now).await?;
    let sql = format!("UPDATE products SET hold_minutes = {HOLD_MINUTES}");
    connect(url).await?.batch_execute(&sql).await?;
    Ok(())
}

/// An operator makes the codes, the campaign and the give-out, which opens at once. Tells how long the codes took, to make
/// and to copy.
///
/// # Errors
/// What should not happen.
pub async fn open(sale: &Sale, buyers: u32, url: &str) -> Result<Made, RehearsalError> {
    let making = by_operator(sale, buyers).await.map_err(|Trouble(what)| impossible(what))?;
    Ok(Made { making, copying: copy(&connect(url).await?).await? })
}

async fn by_operator(sale: &Sale, buyers: u32) -> Result<Duration, Trouble> {
    let scenario = &sale.scenario;
    let visit = sale.enter(buyers).await.map_err(|error| trouble(error.to_string()))?;
    let mut operator = Person::new(desk::email(0));
    operator.sign_in(&visit).await?;
    let off = json!({ "amount": OFF_MINOR, "currency": scenario.currency });
    let campaign = |code: &str, limits| {
        json!({
            "code": code, "names": { "zh-CN": "五十元券", "en": "Fifty yuan off" }, "class": "product",
            "benefit": { "kind": "amount", "off": off }, "limits": limits,
        })
    };
    let quantity = scenario.scaled(CODES).max(1);
    let issued = make(&mut operator, &visit, &campaign(ISSUED, json!({ "per_person": 1 }))).await?;
    let begun = Instant::now();
    let path = format!("/v1/admin/coupon-campaigns/{}/coupons", issued.text("/id"));
    let body = json!({ "quantity": quantity, "prefix": "TEA" });
    let issue = operator.demand(&visit, Call::post(&path, &body).key("codes"), 202).await?;
    let path = format!("/v1/admin/coupon-issues/{}", issue.text("/id"));
    while operator
        .demand(&visit, Call::get(&path), 200)
        .await?
        .body
        .pointer("/ended_at")
        .is_none_or(serde_json::Value::is_null)
    {
        if begun.elapsed() > CODES_MAX {
            return Err(trouble("the codes were never done"));
        }
        sleep(Duration::from_millis(100)).await;
    }
    let making = begun.elapsed();
    let budget = json!({ "amount": scenario.units() * OFF_MINOR, "currency": scenario.currency });
    // One more than the budget allows: it is the budget that binds.
    let limits = json!({ "per_person": 1, "total": given_out(scenario), "budget": budget });
    let rush = make(&mut operator, &visit, &campaign(RUSH, limits)).await?;
    let now = sale.clock.now();
    let body = json!({
        "code": RUSH, "campaign": rush.text("/id"), "starts_at": now, "ends_at": now + TimeDelta::days(1),
        "per_round": given_out(scenario), "per_person": 1,
    });
    operator.demand(&visit, Call::post("/v1/admin/give-outs", &body), 201).await?;
    Ok(making)
}

async fn make(operator: &mut Person, visit: &Visit<'_>, body: &serde_json::Value) -> Result<Answer, Trouble> {
    operator
        .demand(
            visit,
            Call::post("/v1/admin/coupon-campaigns", body).key(body["code"].as_str().unwrap_or_default()),
            201,
        )
        .await
}

fn given_out(scenario: &Scenario) -> i64 {
    scenario.scaled(GIVEN_OUT).max(scenario.units())
}

/// How long PostgreSQL takes to copy the rows of the codes into a table like theirs.
async fn copy(client: &Client) -> Result<Duration, RehearsalError> {
    client.batch_execute("CREATE TABLE coupons_again (LIKE coupons INCLUDING ALL)").await?;
    let rows: Vec<Bytes> = client.copy_out("COPY coupons TO STDOUT BINARY").await?.try_collect().await?;
    let begun = Instant::now();
    let sink = client.copy_in("COPY coupons_again FROM STDIN BINARY").await?;
    pin_mut!(sink);
    let mut stream = futures::stream::iter(rows).map(Ok::<_, tokio_postgres::Error>);
    sink.send_all(&mut stream).await?;
    sink.finish().await?;
    let copying = begun.elapsed();
    client.batch_execute("DROP TABLE coupons_again").await?;
    Ok(copying)
}

/// Holds the limits against the rows: as many coupons as were to be given out, one a person, and not one minor unit beyond
/// the budget. What speaks against passing goes into `against`.
///
/// # Errors
/// The database's.
pub async fn judge(
    client: &Client,
    scenario: &Scenario,
    made: Made,
    against: &mut Vec<String>,
) -> Result<Coupons, RehearsalError> {
    let of_campaign = |what: &str, code: &str, rest: &str| {
        format!("SELECT {what} FROM coupon_campaigns k JOIN {rest} WHERE k.code = '{code}'")
    };
    let codes = of_campaign("count(*)", ISSUED, "coupons c ON c.campaign_id = k.id");
    let given = of_campaign(
        "count(*)",
        RUSH,
        "give_outs g ON g.campaign_id = k.id JOIN give_out_claims c ON c.give_out_id = g.id",
    );
    let people = of_campaign(
        "count(DISTINCT c.person_key)",
        RUSH,
        "give_outs g ON g.campaign_id = k.id JOIN give_out_claims c ON c.give_out_id = g.id",
    );
    let paid = "coupon_uses u ON u.campaign_id = k.id AND u.released_at IS NULL JOIN orders o ON o.id = u.order_id \
                AND o.paid_at IS NOT NULL";
    let used = of_campaign("count(*)", RUSH, paid);
    let off = of_campaign("coalesce(sum(o.discount_minor), 0)::bigint", RUSH, paid);
    let budget = of_campaign("p.capacity", RUSH, "pools p ON p.id = k.budget_pool_id");
    let mut counted = Vec::with_capacity(6);
    for sql in [codes, given, people, used, off, budget] {
        counted.push(figures::count(client, &sql).await?);
    }
    let &[codes, given_out_now, people, used, off, budget] = counted.as_slice() else {
        return Err(impossible("a count is missing"));
    };
    for (what, found, expected) in [
        ("codes", codes, scenario.scaled(CODES).max(1)),
        ("coupons given out", given_out_now, given_out(scenario)),
        ("people who have one", people, given_out(scenario)),
        ("uses", used, scenario.units()),
        ("the discount", off, budget),
        ("the budget", budget, scenario.units() * OFF_MINOR),
    ] {
        if found != expected {
            against.push(format!("{what}: {found}, to be {expected}"));
        }
    }
    let money = |minor| Money::new(minor, scenario.currency);
    let seconds = made.making.as_secs_f64();
    Ok(Coupons {
        codes,
        codes_seconds: tenths(seconds),
        times_copy: tenths(seconds / made.copying.as_secs_f64().max(0.001)),
        given_out: given_out_now,
        used,
        discount: money(off),
        budget: money(budget),
    })
}

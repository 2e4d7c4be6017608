//! A shop that sells: the application, a Stripe simulator on the same clock, drives, and buyers that pay.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kindred::db::Conn;
use kindred::dev::stripe::{Running, Settings as SimulatorSettings, Simulator};
use kindred::ports::clock::Clock;
use kindred::schema::{drives, plans, pools, tiers};
use kindred::types::id::{DriveId, PlanId, PoolId, TierId};
use serde_json::{Value, json};

use super::{Person, Request, TestApp, database};

pub const WEBHOOK_SECRET: &str = "whsec_of_the_tests";

pub struct Shop {
    pub app: TestApp,
    pub stripe: Running,
}

/// A drive to be made; its plan and tier are made with it.
#[derive(Clone, Debug)]
pub struct DriveSeed {
    pub code: &'static str,
    pub series: &'static str,
    pub tier: &'static str,
    pub quota: i64,
    pub price_minor: i64,
    pub methods: Vec<&'static str>,
    pub admission: &'static str,
    pub renews: &'static str,
    pub opens_in: TimeDelta,
    pub closes_in: TimeDelta,
    pub hold_minutes: i32,
}

impl Default for DriveSeed {
    fn default() -> Self {
        Self {
            code: "luoji-2013-regular",
            series: "luoji-2013",
            tier: "regular",
            quota: 5_000,
            price_minor: 20_000,
            methods: vec!["wechat_pay"],
            admission: "open",
            renews: "never",
            opens_in: TimeDelta::zero(),
            closes_in: TimeDelta::days(30),
            hold_minutes: 15,
        }
    }
}

/// A drive on sale.
#[derive(Clone, Copy, Debug)]
pub struct Sale {
    pub drive: DriveId,
    pub plan: PlanId,
    pub pool: PoolId,
}

/// The settings of an instance whose Stripe is this simulator.
fn at_stripe(stripe: &Running) -> [(&'static str, &str); 4] {
    [
        ("KINDRED_STRIPE_URL", stripe.url.as_str()),
        ("STRIPE_SECRET_KEY", "sk_test_simulated"),
        ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("KINDRED_STRIPE_RATE", "2000"),
    ]
}

impl Shop {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    pub async fn open_with(values: &[(&str, &str)]) -> Self {
        Self::open_on(Arc::new(database::TestDatabase::create().await), values).await
    }

    pub async fn open_on(database: Arc<database::TestDatabase>, values: &[(&str, &str)]) -> Self {
        let clock = Clock::real();
        let mut settings = SimulatorSettings::new(clock.clone(), "sk_test_simulated");
        settings.webhook_secrets = vec![WEBHOOK_SECRET.to_owned()];
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stripe = Simulator::listen(settings, listener).unwrap();
        let values: Vec<_> = values.iter().copied().chain(at_stripe(&stripe)).collect();
        let app = TestApp::spawn_on(database, super::settings(&values), clock).await;
        stripe.simulator.set_webhook_url(Some(format!("{}/v1/stripe/webhooks", app.url)));
        Self { app, stripe }
    }

    /// A second instance of it.
    pub async fn sibling(&self, values: &[(&str, &str)]) -> TestApp {
        let values: Vec<_> = values.iter().copied().chain(at_stripe(&self.stripe)).collect();
        self.app.sibling(&values).await
    }

    pub async fn finish(self) {
        self.settle().await;
        self.app.check().await;
        self.app.finish().await;
    }

    pub fn simulator(&self) -> &Simulator {
        &self.stripe.simulator
    }

    /// Until webhooks have come and jobs are done.
    pub async fn settle(&self) {
        self.app.drain().await;
        // False: some webhooks had not arrived in time on a busy machine.
        for _ in 0..6 {
            if self.simulator().run_due().await {
                break;
            }
        }
        self.app.drain().await;
        let errors = self.app.job_errors().await;
        if !errors.is_empty() {
            println!("jobs that failed: {errors:?}");
        }
    }

    /// Moves the clock of shop and simulator.
    pub async fn advance(&self, by: TimeDelta) {
        self.app.advance(by).await;
        self.settle().await;
    }

    pub async fn drive(&self, seed: DriveSeed) -> Sale {
        let mut conn = self.app.conn().await;
        let now = self.app.app.clock.now();
        insert_drive(&mut conn, &seed, now).await
    }

    pub fn order(&self, person: &Person, sale: Sale, key: &str) -> Request<'_> {
        self.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&order_body(sale))
    }

    /// The order as its buyer sees it.
    pub async fn show(&self, person: &Person, order: &Value) -> Value {
        let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
        self.app.get(&path).bearer(&person.token).send().await.ok(200)
    }

    /// As [`Shop::show`], once it is settled or the wait is over.
    pub async fn settled(&self, person: &Person, order: &Value) -> Value {
        let path = format!("/v1/orders/{}?wait=settled", order["id"].as_str().unwrap());
        self.app.get(&path).bearer(&person.token).send().await.ok(200)
    }

    /// Does something on the payment page; the status it answers.
    pub async fn on_page(&self, order: &Value, fields: &[(&str, &str)]) -> u16 {
        let url = order["payment"]["url"].as_str().expect("a payment page").to_owned();
        let form: HashMap<_, _> = fields.iter().copied().collect();
        let body = serde_urlencoded(&form);
        let sent =
            self.app.client.post(url).header("Content-Type", "application/x-www-form-urlencoded").body(body);
        sent.timeout(Duration::from_secs(20)).send().await.unwrap().status().as_u16()
    }

    pub async fn pay(&self, order: &Value) {
        assert_eq!(self.on_page(order, &[("action", "pay")]).await, 303);
    }

    /// Signs in, orders, pays, and is a member.
    pub async fn join(&self, email: &str, sale: Sale) -> (Person, Value) {
        let person = self.app.member(email).await;
        let order = self.order(&person, sale, "join").send().await.ok(201);
        self.pay(&order).await;
        let order = self.settled(&person, &order).await;
        assert_eq!(order["state"], "fulfilled");
        (person, order)
    }

    /// (capacity, held, taken).
    pub async fn pool(&self, sale: Sale) -> (i64, i64, i64) {
        let mut conn = self.app.conn().await;
        let row = pools::table.find(sale.pool).select((pools::capacity, pools::held, pools::taken));
        row.first(&mut conn).await.unwrap()
    }

    pub async fn membership(&self, person: &Person) -> Option<Value> {
        let answer = self.app.get("/v1/me/membership").bearer(&person.token).send().await;
        (answer.status == 200).then_some(answer.json)
    }
}

pub fn order_body(sale: Sale) -> Value {
    json!({
        "lines": [{ "plan": sale.plan, "drive": sale.drive }],
        "success_url": "http://shop.test/thanks",
        "cancel_url": "http://shop.test/",
    })
}

fn serde_urlencoded(form: &HashMap<&str, &str>) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(form.iter());
    out.finish()
}

async fn insert_drive(conn: &mut Conn, seed: &DriveSeed, now: DateTime<Utc>) -> Sale {
    let known: Option<TierId> = tiers::table
        .filter(tiers::code.eq(seed.tier))
        .select(tiers::id)
        .first(conn)
        .await
        .optional()
        .unwrap();
    let tier = known.unwrap_or_default();
    if known.is_none() {
        let rank = if seed.tier == "regular" { 10 } else { 20 };
        diesel::insert_into(tiers::table)
            .values((
                tiers::id.eq(tier),
                tiers::code.eq(seed.tier),
                tiers::name_zh.eq("普通会员"),
                tiers::name_en.eq("Regular"),
                tiers::rank.eq(rank),
                tiers::created_at.eq(now),
            ))
            .execute(conn)
            .await
            .unwrap();
    }
    let sale = Sale { drive: DriveId::new(), plan: PlanId::new(), pool: PoolId::new() };
    diesel::insert_into(plans::table)
        .values((
            plans::id.eq(sale.plan),
            plans::code.eq(format!("plan-of-{}", seed.code)),
            plans::tier_id.eq(tier),
            plans::term.eq("P1Y"),
            plans::price_minor.eq(seed.price_minor),
            plans::currency.eq("CNY"),
            plans::renews.eq(seed.renews),
            plans::payment_methods.eq(&seed.methods),
            plans::hold_minutes.eq(seed.hold_minutes),
            plans::open_sale.eq(false),
            plans::created_at.eq(now),
        ))
        .execute(conn)
        .await
        .unwrap();
    diesel::insert_into(pools::table)
        .values((pools::id.eq(sale.pool), pools::kind.eq("drive"), pools::capacity.eq(seed.quota)))
        .execute(conn)
        .await
        .unwrap();
    diesel::insert_into(drives::table)
        .values((
            drives::id.eq(sale.drive),
            drives::code.eq(seed.code),
            drives::series.eq(seed.series),
            drives::name_zh.eq("罗辑思维首次招募"),
            drives::name_en.eq("The first drive"),
            drives::plan_id.eq(sale.plan),
            drives::pool_id.eq(sale.pool),
            drives::admission.eq(seed.admission),
            drives::opens_at.eq(now + seed.opens_in),
            drives::closes_at.eq(now + seed.closes_in),
            drives::created_at.eq(now),
        ))
        .execute(conn)
        .await
        .unwrap();
    sale
}

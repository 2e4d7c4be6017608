//! Things to sell in a test.

use chrono::{DateTime, TimeDelta, Utc};
use kindred::db;
use kindred::membership::seed;
use serde_json::{Value, json};

use super::TestApp;
use super::people::Person;

impl TestApp {
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// The demo's tiers, plans and drives.
    pub async fn luoji(&self) {
        let now = self.now();
        db::transaction(&self.app.pool, async |conn| seed::luoji(conn, now).await).await.unwrap();
        kindred::membership::catalog::service::after_write(&self.app).await;
    }

    /// Posts as an operator; answers the thing that was made.
    pub async fn make(&self, operator: &Person, path: &str, body: &Value) -> Value {
        self.post(path).bearer(&operator.token).json(body).send().await.ok(201)
    }

    /// A tier and a plan of it for a year: (tier, plan).
    pub async fn tier_and_plan(&self, operator: &Person, code: &str) -> (Value, Value) {
        let tier = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "rank": 10 });
        let tier = self.make(operator, "/v1/admin/tiers", &tier).await;
        let plan = json!({
            "code": format!("{code}-year"), "tier": tier["id"], "term": "P1Y",
            "price": { "amount": 20_000, "currency": "CNY" }, "renews": "never",
            "payment_methods": ["wechat_pay"],
        });
        let plan = self.make(operator, "/v1/admin/plans", &plan).await;
        (tier, plan)
    }

    /// A drive of ten places that opens now for a day, but for what `change` says.
    pub async fn drive_with(&self, operator: &Person, code: &str, change: Value) -> Value {
        let (_, plan) = self.tier_and_plan(operator, code).await;
        let mut body = json!({
            "code": code, "names": { "zh-CN": "招募", "en": "Drive" }, "plan": plan["id"], "quota": 10,
            "opens_at": self.now(), "closes_at": self.now() + TimeDelta::days(1),
        });
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.make(operator, "/v1/admin/drives", &body).await
    }
}

/// One statement, with no parameters.
pub async fn run_sql(conn: &mut db::Conn, sql: &str) -> usize {
    diesel_async::RunQueryDsl::execute(diesel::sql_query(sql.to_owned()), conn).await.unwrap()
}

/// A count that one statement selects as `count`.
pub async fn count_sql(conn: &mut db::Conn, sql: &str) -> i64 {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let query = diesel::sql_query(sql.to_owned());
    let row: Row = diesel_async::RunQueryDsl::get_result(query, conn).await.unwrap();
    row.count
}

/// A text that one statement selects as `text`.
pub async fn text_sql(conn: &mut db::Conn, sql: &str) -> String {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        text: String,
    }
    let query = diesel::sql_query(sql.to_owned());
    let row: Row = diesel_async::RunQueryDsl::get_result(query, conn).await.unwrap();
    row.text
}

//! Channels: one stock for the own mall and for others, with an allocation where one is wanted; and what the reports say.

use chrono::TimeDelta;
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use kindred::checkout::reports::dto::By;
use kindred::checkout::reports::model as reports;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::http::Answer;
use crate::support::mall::{Mall, yuan};

/// A mall with mooncakes and a partner's shop.
struct Channels {
    mall: Mall,
    cakes: Value,
    partner: Value,
}

impl Channels {
    async fn open(stock: i64) -> Self {
        let mall = Mall::open().await;
        let cakes = mall.goods("MOONCAKES", 199, stock).await;
        let partner = make(&mall, "tmall").await;
        Self { mall, cakes, partner }
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/admin/channels/{}{rest}", self.partner["id"].as_str().unwrap())
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        let request = self.mall.shop.app.post(path).bearer(&self.mall.owner.token).key(key);
        request.json(&body).send().await
    }

    async fn allocate(&self, key: &str, quantity: i64) -> Answer {
        let body = json!({ "variant": self.cakes, "quantity": quantity });
        self.post(&self.path("/allocations"), key, body).await
    }

    fn sale(&self, reference: &str, quantity: i64) -> Value {
        let line = json!({ "variant": self.cakes, "quantity": quantity, "amount": yuan(188 * quantity) });
        json!({ "reference": reference, "lines": [line] })
    }

    async fn sell(&self, reference: &str, quantity: i64) -> Answer {
        self.post(&self.path("/sales"), &format!("key-{reference}"), self.sale(reference, quantity)).await
    }

    async fn reverse(&self, sale: &Value, key: &str) -> Answer {
        let path = format!("/v1/admin/channel-sales/{}/reverse", sale["id"].as_str().unwrap());
        self.post(&path, key, json!({ "reason": "Typed twice." })).await
    }

    /// (set aside, sold, left).
    async fn allocation(&self) -> (i64, i64, i64) {
        let channel = self.mall.shop.app.get(&self.path("")).bearer(&self.mall.owner.token);
        let channel = channel.send().await.ok(200);
        let of = |field: &str| channel["allocations"][0][field].as_i64().unwrap();
        (of("quantity"), of("sold"), of("left"))
    }

    async fn report(&self, query: &str) -> Value {
        let path = format!("/v1/admin/reports/sales{query}");
        self.mall.shop.app.get(&path).bearer(&self.mall.owner.token).send().await.ok(200)
    }
}

async fn make(mall: &Mall, code: &str) -> Value {
    let body = json!({ "code": code, "names": { "zh-CN": "合作商城", "en": "A partner's shop" } });
    mall.shop.app.make(&mall.owner, "/v1/admin/channels", &body).await
}

/// (key, units, orders, revenue, refunds) of a row.
fn figures(row: &Value) -> (String, i64, i64, i64, i64) {
    let of = |pointer: &str| row.pointer(pointer).and_then(Value::as_i64).unwrap();
    let key = row["key"].as_str().unwrap().to_owned();
    (key, of("/units"), of("/orders"), of("/revenue/amount"), of("/refunds/amount"))
}

fn row(key: &str, units: i64, orders: i64, revenue: i64, refunds: i64) -> (String, i64, i64, i64, i64) {
    (key.to_owned(), units, orders, revenue, refunds)
}

/// The mooncakes of 2014, a thousandth: 40 boxes, 23 of them in the own mall.
#[tokio::test(flavor = "multi_thread")]
async fn mooncakes_are_sold_in_the_own_mall_and_beside_it() {
    let shop = Channels::open(40).await;
    let mall = &shop.mall;
    assert_eq!(shop.allocate("set", 17).await.ok(201)["left"], 17);
    assert_eq!(mall.stands(&shop.cakes).await, (23, 0, 0), "what is set aside is no longer the mall's");
    let person = mall.shop.app.member("a@b.test").await;
    let lines = |quantity: i64| json!([{ "variant": shop.cakes, "quantity": quantity }]);
    mall.order(&person, "24", lines(24)).await.refused(409, "out_of_stock");
    let order = mall.buy(&person, "20", lines(20)).await;
    let more = mall.buy(&person, "3", lines(3)).await;
    let first = shop.sell("day-1", 10).await.ok(201);
    shop.sell("day-2", 7).await.ok(201);
    let refused = shop.sell("day-3", 1).await;
    assert_eq!(refused.refused(409, "allocation_sold_out")["errors"][0]["field"], "lines[0].quantity");
    assert_eq!((shop.allocation().await, mall.stands(&shop.cakes).await), ((17, 17, 0), (23, 0, 23)));

    let report = shop.report("?by=channel").await;
    let due = |order: &Value| order["totals"]["total"]["amount"].as_i64().unwrap();
    let (own, partner) = (due(&order) + due(&more), 17 * 18_800);
    let rows: Vec<_> = report["data"].as_array().unwrap().iter().map(figures).collect();
    assert_eq!(rows, [row("own-mall", 23, 2, own, 0), row("tmall", 17, 2, partner, 0)]);
    assert_eq!(figures(&report["totals"]), row("total", 40, 4, own + partner, 0));

    // Refunds and reversals stand beside what was sold.
    let path = format!("/v1/admin/orders/{}/refunds", more["id"].as_str().unwrap());
    shop.post(&path, "r", json!({ "reason": "Broken.", "restock": true })).await.ok(201);
    let counter = shop.reverse(&first, "undo").await.ok(201);
    assert_eq!((&counter["reverses"], &counter["lines"][0]["quantity"]), (&first["id"], &json!(-10)));
    assert_eq!(shop.allocation().await, (17, 7, 10), "they can be sold again, there alone");
    let report = shop.report("?by=sku").await;
    let rows: Vec<_> = report["data"].as_array().unwrap().iter().map(figures).collect();
    let shipping = |order: &Value| order["totals"]["shipping"]["amount"].as_i64().unwrap();
    let back = 3 * 19_900 + 10 * 18_800;
    let expected = [
        row("MOONCAKES", 30, 4, 23 * 19_900 + partner, back),
        row("shipping", 0, 2, shipping(&order) + shipping(&more), shipping(&more)),
    ];
    assert_eq!(rows, expected);
    assert_eq!(figures(&report["totals"]), row("total", 30, 4, own + partner, back + shipping(&more)));
    let orders = "SELECT sum(total_minor)::bigint AS count FROM orders WHERE paid_at IS NOT NULL";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, orders).await, own);
    shop.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_sell_at_once_never_sell_more_than_there_is() {
    let shop = Channels::open(20).await;
    let mall = &shop.mall;
    shop.allocate("set", 7).await.ok(201);
    // Another channel without an allocation sells from open stock, as the own mall does.
    let event = make(mall, "event").await;
    let at_event = format!("/v1/admin/channels/{}/sales", event["id"].as_str().unwrap());
    let buyers = mall.members(12).await;
    let lines = json!([{ "variant": shop.cakes }]);
    let references: Vec<_> = (0..12).map(|index| format!("s{index}")).collect();
    let partner = join_all(references.iter().map(|reference| shop.sell(reference, 1)));
    let at_event = async |reference: &str| {
        let key = format!("event-{reference}");
        shop.post(&at_event, &key, shop.sale(reference, 1)).await
    };
    let event = join_all(references.iter().map(|reference| at_event(reference)));
    let own = join_all(buyers.iter().map(|person| mall.order(person, "rush", lines.clone())));
    let (partner, event, own) = futures::join!(partner, event, own);
    let accepted = |answers: &[Answer], code: &str| {
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            answer.refused(409, code);
        }
        answers.iter().filter(|answer| answer.status == 201).count()
    };
    assert_eq!(accepted(&partner, "allocation_sold_out"), 7);
    assert_eq!(accepted(&event, "out_of_stock") + accepted(&own, "out_of_stock"), 13);
    let (total, held, sold) = mall.stands(&shop.cakes).await;
    assert_eq!((total, held + sold), (13, 13));
    // Many give one report back: one counter-entry.
    let taken: Vec<_> = partner.into_iter().filter(|answer| answer.status == 201).collect();
    let sale = &taken[0].json;
    let keys: Vec<_> = (0..6).map(|index| format!("undo{index}")).collect();
    let undone = join_all(keys.iter().map(|key| shop.reverse(sale, key))).await;
    assert_eq!(accepted(&undone, "already_reversed"), 1);
    assert_eq!(shop.allocation().await, (7, 6, 1));
    // And many give back the one unit that is left.
    let back = join_all(keys.iter().map(|key| shop.allocate(key, -1))).await;
    assert_eq!(accepted(&back, "allocation_sold_out"), 1);
    assert_eq!((shop.allocation().await, mall.stands(&shop.cakes).await.0), ((6, 6, 0), 14));
    shop.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_counts_once_and_what_no_sale_can_be_is_refused_by_field() {
    let shop = Channels::open(10).await;
    let mall = &shop.mall;
    let app = &mall.shop.app;
    let course = json!([{ "sku": "COURSE", "price": yuan(9) }]);
    let course = mall.product("course", "digital", course, json!({})).await["variants"][0]["id"].clone();
    shop.allocate("set", 11).await.refused(409, "stock_not_free");
    shop.allocate("set", 5).await.ok(201);
    assert_eq!(shop.allocate("set", 5).await.ok(201)["quantity"], 5);
    shop.allocate("set", 4).await.refused(422, "idempotency_key_reused");
    shop.allocate("zero", 0).await.refused(422, "invalid_field");
    shop.allocate("back", -6).await.refused(409, "allocation_sold_out");

    let sale = shop.sell("r1", 2).await.ok(201);
    assert_eq!(shop.sell("r1", 2).await.ok(201), sale, "the same request");
    shop.post(&shop.path("/sales"), "key-r1", shop.sale("r1", 3))
        .await
        .refused(422, "idempotency_key_reused");
    shop.post(&shop.path("/sales"), "other", shop.sale("r1", 2)).await.refused(409, "reference_used");
    let tomorrow = app.now() + TimeDelta::days(1);
    let with = |pointer: &str, value: Value| {
        let mut body = shop.sale("r2", 1);
        if let Some(field) = pointer.strip_prefix("+") {
            body[field] = value;
        } else {
            *body.pointer_mut(pointer).unwrap() = value;
        }
        body
    };
    let twice = json!([shop.sale("", 1)["lines"][0], shop.sale("", 1)["lines"][0]]);
    for (body, code, field) in [
        (with("/reference", json!(" ")), "invalid_field", "reference"),
        (with("/lines", json!([])), "invalid_field", "lines"),
        (with("/lines", twice), "invalid_field", "lines[1].variant"),
        (with("/lines/0/quantity", json!(0)), "invalid_field", "lines[0].quantity"),
        (with("/lines/0/quantity", json!(10_000_000_000_i64)), "invalid_field", "lines[0].quantity"),
        (with("/lines/0/amount", yuan(-1)), "invalid_field", "lines[0].amount.amount"),
        (with("/lines/0/amount/currency", json!("USD")), "invalid_field", "lines[0].amount.currency"),
        (with("/lines/0/variant", course.clone()), "unknown_article", "lines[0].variant"),
        (with("+sold_at", json!(tomorrow)), "invalid_field", "sold_at"),
    ] {
        let refused = shop.post(&shop.path("/sales"), "bad", body.clone()).await;
        assert_eq!(refused.refused(422, code)["errors"][0]["field"], field, "{body}");
    }
    shop.post("/v1/admin/channels/chn_00000000000000000000000000000000/sales", "k", shop.sale("r", 1))
        .await
        .refused(404, "not_found");
    assert_eq!(shop.allocation().await, (5, 2, 3), "nothing of it left a trace");

    let counter = shop.reverse(&sale, "undo").await.ok(201);
    assert_eq!(shop.reverse(&sale, "undo").await.ok(201), counter);
    shop.reverse(&sale, "again").await.refused(409, "already_reversed");
    shop.reverse(&counter, "back").await.refused(409, "already_reversed");
    shop.post(&shop.path("/sales"), "r1-again", shop.sale("r1", 2)).await.refused(409, "reference_used");
    let listed = app.get(&shop.path("/sales")).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(listed["data"], json!([counter, sale]));

    // Who helps members may enter a sale, and not set aside.
    let support = app.operator(Role::Support).await;
    let body = shop.sale("by support", 1);
    let request = app.post(&shop.path("/sales")).bearer(&support.token).key("s");
    request.json(&body).send().await.ok(201);
    let body = json!({ "variant": shop.cakes, "quantity": 1 });
    let request = app.post(&shop.path("/allocations")).bearer(&support.token).key("s");
    request.json(&body).send().await.refused(403, "forbidden");

    let archive = shop.path("/archive");
    shop.post(&archive, "a", json!({})).await.refused(409, "in_use");
    shop.allocate("rest", -4).await.ok(201);
    assert_eq!(mall.stands(&shop.cakes).await, (9, 0, 0));
    shop.post(&archive, "a", json!({})).await.ok(200);
    shop.sell("late", 1).await.refused(409, "closed");
    let all = app.get("/v1/admin/channels").bearer(&mall.owner.token).send().await.ok(200);
    let own = all["data"].as_array().unwrap().iter().find(|channel| channel["is_own"] == true).unwrap();
    let own_path = format!("/v1/admin/channels/{}", own["id"].as_str().unwrap());
    shop.post(&format!("{own_path}/sales"), "o", shop.sale("o", 1)).await.refused(409, "own_channel");
    shop.post(&format!("{own_path}/archive"), "o", json!({})).await.refused(409, "own_channel");
    let names = json!({ "names": { "zh-CN": "商城", "en": "The mall" } });
    let rename = |version: &str| {
        let request = app.patch(&own_path).bearer(&mall.owner.token).header("If-Match", version);
        request.json(&names).send()
    };
    assert_eq!(rename("\"v1\"").await.ok(200)["names"]["en"], "The mall");
    rename("\"v1\"").await.refused(412, "version_mismatch");
    shop.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_go_by_the_shops_days_and_come_as_csv() {
    let shop = Channels::open(10).await;
    let mall = &shop.mall;
    let app = &mall.shop.app;
    // A day of 2014 in Shanghai: its last moment, and the first of the next.
    for (reference, at) in [("late", "2014-09-01T15:59:59Z"), ("early", "2014-09-01T16:00:00Z")] {
        let mut body = shop.sale(reference, 1);
        body["sold_at"] = json!(at);
        shop.post(&shop.path("/sales"), reference, body).await.ok(201);
    }
    let person = app.member("a@b.test").await;
    let plan = mall.buy(&person, "plan", json!([{ "plan": mall.regular["id"] }])).await;
    assert_eq!(plan["state"], "fulfilled");
    let report = shop.report("?from=2014-09-01&until=2014-09-03").await;
    let rows: Vec<_> = report["data"].as_array().unwrap().iter().map(figures).collect();
    assert_eq!(rows, [row("2014-09-01", 1, 1, 18_800, 0), row("2014-09-02", 1, 1, 18_800, 0)]);
    assert_eq!((&report["zone"], &report["by"]), (&json!("Asia/Shanghai"), &json!("day")));
    let one = shop.report("?from=2014-09-01&until=2014-09-02&by=channel").await;
    assert_eq!(figures(&one["totals"]), row("total", 1, 1, 18_800, 0));
    // Without days: the last thirty, in which a membership was sold.
    let recent = shop.report("?by=sku").await;
    assert_eq!(figures(&recent["data"][0]), row("regular-year", 1, 1, 20_000, 0));
    assert_eq!(recent["data"].as_array().unwrap().len(), 1);

    let csv = async |query: &str| {
        let path = format!("/v1/admin/reports/sales?{query}");
        app.get(&path).bearer(&mall.owner.token).header("Accept", "text/csv").send().await
    };
    let answer = csv("from=2014-09-01&until=2014-09-03").await;
    assert_eq!(answer.header("Content-Type"), "text/csv; charset=utf-8");
    let lines = "day,units,orders,revenue_minor,refunds_minor,currency\r\n\
        2014-09-01,1,1,18800,0,CNY\r\n2014-09-02,1,1,18800,0,CNY\r\n";
    assert_eq!(answer.text, lines);
    // A code that a spreadsheet would run.
    let formula =
        mall.product("formula", "goods", json!([{ "sku": "=1+1", "price": yuan(1) }]), json!({})).await;
    let formula = formula["variants"][0]["id"].clone();
    mall.stock(&formula, 1, "received").await.ok(201);
    mall.buy(&person, "formula", json!([{ "variant": formula }])).await;
    assert!(csv("by=sku").await.text.contains("\r\n'=1+1,1,1,100,0,CNY\r\n"));
    csv("from=2014-09-02&until=2014-09-02").await.refused(422, "invalid_field");
    csv("from=2001-01-01&until=2014-09-02").await.refused(422, "invalid_field");
    shop.mall.finish().await;
}

/// Each part of a report is found by its time: with the years a report of one day takes no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_reads_what_it_is_about_by_indexes() {
    #[derive(diesel::QueryableByName)]
    struct Plan {
        #[diesel(sql_type = diesel::sql_types::Text)]
        #[diesel(column_name = "QUERY PLAN")]
        line: String,
    }
    let shop = Channels::open(1).await;
    let mut conn = shop.mall.shop.app.conn().await;
    let sql = reports::statement(Some(By::Day)).replace("$1", "'2014-09-01'").replace("$2", "'2014-09-02'");
    let sql = format!("EXPLAIN {}", sql.replace("$3", "'UTC'"));
    // A table of a few rows is read whole, unless that is forbidden.
    run_sql(&mut conn, "SET enable_seqscan = off").await;
    let plan: Vec<Plan> = diesel::sql_query(sql).load(&mut conn).await.unwrap();
    let plan = plan.into_iter().map(|row| row.line).collect::<Vec<_>>().join("\n");
    for index in ["orders_paid", "refunds_created", "channel_sales_sold"] {
        assert!(plan.contains(index), "{index}: {plan}");
    }
    run_sql(&mut conn, "RESET enable_seqscan").await;
    drop(conn);
    shop.mall.finish().await;
}

//! Operators' reports: drives, coupons, points, and what holds for all of them. Those of members are tested in
//! `reports_of_members`, that of sales with channels.

use chrono::{Days, NaiveDate, TimeDelta};
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::{run_sql, text_sql};
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::shop::DriveSeed;
use crate::support::{Answer, Person, TestApp};

pub const CUSTOMERS: [&str; 3] = ["members", "frozen", "customers"];
pub const MONTH: [&str; 4] = ["joined", "returned", "ended", "members_at_end"];
const COUPONS: [&str; 8] =
    ["issued", "given", "held", "redeemed", "released", "discount", "orders", "revenue"];
const POINTS: [&str; 6] = ["earned", "matured", "spent", "returned", "expired", "reversed"];

async fn ask(mall: &Mall, query: &str, accept: &str) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/reports/{query}");
    mall.shop.app.get(&path).bearer(&owner.token).header("Accept", accept).send().await
}

pub async fn report(mall: &Mall, query: &str) -> Value {
    ask(mall, query, "application/json").await.ok(200)
}

/// The lines of a report as CSV, and how its file is called.
pub async fn csv(mall: &Mall, query: &str) -> (String, String) {
    let answer = ask(mall, query, "text/csv").await;
    assert_eq!((answer.status, answer.header("Content-Type")), (200, "text/csv; charset=utf-8"));
    assert!(answer.header("Vary").contains("Accept"));
    let name = answer.header("Content-Disposition").to_owned();
    (answer.text, name)
}

/// A field of a row, amounts in minor units.
pub fn figure(row: &Value, field: &str) -> i64 {
    let value = &row[field];
    value.as_i64().or_else(|| value["amount"].as_i64()).unwrap_or_else(|| panic!("{field}: {row}"))
}

/// The rows by their keys, with these fields.
pub fn rows<const N: usize>(report: &Value, fields: [&str; N]) -> Vec<(String, [i64; N])> {
    let named = |row: &Value| {
        let key = row.get("key").or_else(|| row.get("cohort")).or_else(|| row.get("code")).unwrap();
        (key.as_str().unwrap().to_owned(), fields.map(|field| figure(row, field)))
    };
    report["data"].as_array().unwrap().iter().map(named).collect()
}

pub fn named<const N: usize>(rows: &[(&str, [i64; N])]) -> Vec<(String, [i64; N])> {
    rows.iter().map(|(key, figures)| ((*key).to_owned(), *figures)).collect()
}

/// The day that it is in the shop.
pub fn shops_day(mall: &Mall) -> NaiveDate {
    mall.shop.app.now().with_timezone(&mall.shop.app.app.settings.timezone).date_naive()
}

pub async fn sql(mall: &Mall, statement: &str) {
    run_sql(&mut *mall.shop.app.conn().await, statement).await;
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: Value) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let mut body = body;
    body["reason"] = json!("Broken.");
    let path = format!("/v1/admin/orders/{}/refunds", id(order));
    desk::post(mall, &owner, &path, key, body).await.ok(201);
    mall.shop.settle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drive_tells_its_places_and_what_was_paid_and_went_back() {
    let mall = Mall::open().await;
    let shop = &mall.shop;
    let sale = shop.drive(DriveSeed::default()).await;
    let later =
        DriveSeed { code: "later", series: "2014", opens_in: TimeDelta::days(9), ..DriveSeed::default() };
    shop.drive(later).await;
    shop.join("anna@b.test", sale).await;
    let (_, order) = shop.join("bao@b.test", sale).await;
    let chen = shop.app.member("chen@b.test").await;
    shop.order(&chen, sale, "held").send().await.ok(201);

    let fields = ["quota", "held", "taken", "orders", "revenue", "refunds"];
    let first = report(&mall, "drives").await;
    let expected = [("luoji-2013-regular", [5_000, 1, 2, 2, 40_000, 0]), ("later", [5_000, 0, 0, 0, 0, 0])];
    assert_eq!(rows(&first, fields), named(&expected));
    let told = ["series", "plan", "tier"].map(|field| first["data"][0][field].as_str().unwrap());
    assert_eq!(told, ["luoji-2013", "plan-of-luoji-2013-regular", "regular"]);

    refund(&mall, &order, "r", json!({ "amount": yuan(50) })).await;
    assert_eq!(figure(&report(&mall, "drives").await["data"][0], "refunds"), 5_000);
    let (lines, name) = csv(&mall, "drives").await;
    let lines: Vec<_> = lines.split("\r\n").collect();
    let [head, drive, _, ""] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(head.split(',').count(), drive.split(',').count());
    assert!(
        drive.starts_with("luoji-2013-regular,luoji-2013,plan-of-luoji-2013-regular,regular,2"),
        "{drive}"
    );
    assert!(drive.ends_with("Z,5000,1,2,2,40000,5000,CNY"), "{drive}");
    assert!(name.starts_with("attachment; filename=\"drives-2"), "{name}");

    // The bank sends the refund back: nothing went back.
    let stripe = "SELECT stripe_refund_id AS text FROM refunds";
    let stripe = text_sql(&mut *shop.app.conn().await, stripe).await;
    shop.simulator().settle_refund(&stripe, false).unwrap();
    shop.settle().await;
    assert_eq!(rows(&report(&mall, "drives").await, fields), named(&expected));
    mall.finish().await;
}

/// 10 yuan off goods, with a shared code of its name, but for what `more` says.
async fn campaign(mall: &Mall, code: &str, more: Value) -> Value {
    let mut body = json!({
        "code": code, "names": { "zh-CN": "优惠", "en": "Off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = desk::post(mall, &mall.owner, "/v1/admin/coupon-campaigns", code, body).await.ok(201);
    let path = format!("/v1/admin/coupon-campaigns/{}/shared-codes", id(&made));
    desk::post(mall, &mall.owner, &path, code, json!({ "code": code })).await.ok(201);
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_tells_what_it_gave_and_what_its_orders_came_to() {
    let mall = Mall::open().await;
    let lines = json!([{ "variant": mall.goods("KIWI", 68, 50).await, "quantity": 2 }]);
    let spring = campaign(&mall, "spring", json!({ "combines_with": ["shipping"] })).await;
    let free = json!({ "kind": "percentage", "percent": "100" });
    let ship = json!({ "class": "shipping", "benefit": free, "combines_with": ["product"] });
    campaign(&mall, "ship", ship).await;
    campaign(&mall, "summer", json!({})).await;
    let (anna, bao) = (mall.shop.app.member("anna@b.test").await, mall.shop.app.member("bao@b.test").await);
    let path = format!("/v1/admin/coupon-campaigns/{}/grants", id(&spring));
    let grants = json!({ "accounts": [anna.id, bao.id], "reason": "For waiting." });
    desk::post(&mall, &mall.owner, &path, "g", grants).await.ok(201);
    let order = async |key: &str, codes: &[&str]| {
        let mut body = mall.body(lines.clone());
        body["coupon_codes"] = json!(codes);
        desk::post(&mall, &anna, "/v1/orders?wait=payment", key, body).await.ok(201)
    };
    let ended = order("ended", &["spring"]).await;
    desk::cancel(&mall, &anna, &ended, "c").await.ok(200);
    let both = order("both", &["spring", "ship"]).await;
    mall.shop.pay(&both).await;
    let both = mall.shop.settled(&anna, &both).await;
    order("held", &["spring"]).await;

    // 136.00 of goods less 10.00, and a parcel for nothing.
    let minor = |field: &str| both["totals"][field]["amount"].as_i64().unwrap();
    assert_eq!((minor("total"), minor("shipping")), (12_600, 0));
    // A parcel of a kilogram.
    let parcel = 1_200;
    let expected = [
        ("ship", [1, 0, 0, 1, 0, parcel, 1, 12_600]),
        ("spring", [3, 2, 1, 1, 1, 1_000, 1, 12_600]),
        ("summer", [1, 0, 0, 0, 0, 0, 0, 0]),
    ];
    assert_eq!(rows(&report(&mall, "coupons").await, COUPONS), named(&expected));
    let (text, _) = csv(&mall, "coupons").await;
    let head =
        "campaign,issued,given,held,redeemed,released,discount_minor,orders,revenue_minor,currency\r\n";
    assert!(text.starts_with(head), "{text}");
    assert!(
        text.contains("\r\nspring,3,2,1,1,1,1000,1,12600,CNY\r\nsummer,1,0,0,0,0,0,0,0,CNY\r\n"),
        "{text}"
    );

    // The whole order goes back to the shelf: its uses are given back.
    refund(&mall, &both, "r", json!({ "restock": true })).await;
    let after = rows(&report(&mall, "coupons").await, COUPONS);
    assert_eq!(
        after[..2],
        named(&[("ship", [1, 0, 0, 0, 1, 0, 0, 0]), ("spring", [3, 2, 1, 0, 2, 0, 0, 0])])
    );

    // The last moment of a day in Shanghai, and the first of the next.
    let of_summer = "campaign_id = (SELECT id FROM coupon_campaigns WHERE code = 'summer')";
    for (at, day) in [("2014-08-31T15:59:59Z", "2014-08-31"), ("2014-08-31T16:00:00Z", "2014-09-01")] {
        sql(&mall, &format!("UPDATE coupons SET created_at = '{at}' WHERE {of_summer}")).await;
        for of in ["2014-08-31", "2014-09-01"] {
            let next = of.parse::<NaiveDate>().unwrap() + Days::new(1);
            let seen = rows(&report(&mall, &format!("coupons?from={of}&until={next}")).await, COUPONS);
            let issued = if of == day { named(&[("summer", [1, 0, 0, 0, 0, 0, 0, 0])]) } else { Vec::new() };
            assert_eq!(seen, issued, "{at} {of}");
        }
    }
    mall.shop.app.finish().await;
}

/// Changes the programme of points as it stands.
async fn programme(mall: &Mall, body: Value) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = "/v1/admin/points-programme";
    let etag = desk::get(mall, &owner, path).await.header("etag").to_owned();
    let request = mall.shop.app.patch(path).bearer(&owner.token).header("If-Match", &etag);
    request.json(&body).send().await.ok(200);
}

/// An operator gives or takes points.
async fn adjust(mall: &Mall, person: &Person, key: &str, points: i64) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let body = json!({ "points": points, "reason": "For waiting." });
    desk::post(mall, &owner, &format!("/v1/admin/accounts/{}/points", person.id), key, body).await.ok(201);
}

/// (active, pending, owed, liability).
fn outstanding(report: &Value) -> (i64, i64, i64, Option<i64>) {
    let of = &report["outstanding"];
    let points = |field: &str| of[field].as_i64().unwrap();
    (points("active"), points("pending"), points("owed"), of["liability"]["amount"].as_i64())
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_told_by_what_became_of_them_and_what_the_shop_owes_for_them() {
    let mall = Mall::open().await;
    // 100 points are worth 30 fen: what is left of them doesn't come out even.
    let pay = json!({ "amount": 30, "currency": "CNY" });
    let worth = json!({ "points": 100, "pay": pay, "at_least": 100, "share_percent": "50" });
    programme(&mall, json!({ "is_on": true, "rate": "1", "worth": worth, "lasts_months": 12 })).await;
    let tea = json!([{ "variant": mall.goods("TEA", 88, 10).await, "quantity": 2 }]);
    let ada = mall.shop.app.member("ada@b.test").await;
    adjust(&mall, &ada, "give", 505).await;
    adjust(&mall, &ada, "take", -150).await;
    let placed = mall.buy(&ada, "k", tea.clone()).await;
    mall.shop.settle().await;
    // 176 by the order, of which 88 go back before they are final.
    refund(&mall, &placed, "r", json!({ "amount": yuan(88) })).await;
    let told = report(&mall, "points").await;
    assert_eq!(POINTS.map(|field| figure(&told["totals"], field)), [681, 0, 150, 0, 0, 88]);
    assert_eq!(rows(&told, POINTS).len(), 1);
    assert_eq!(outstanding(&told), (355, 88, 0, Some(106)), "355 × 30 / 100, rounded down");

    // An order pays with them, ends unpaid, and gives them back.
    let mut body = mall.body(tea);
    body["points"] = json!(300);
    let held = desk::post(&mall, &ada, "/v1/orders?wait=payment", "held", body).await.ok(201);
    assert_eq!(outstanding(&report(&mall, "points").await), (55, 88, 0, Some(16)));
    desk::cancel(&mall, &ada, &held, "c").await.ok(200);
    desk::send(&mall, &placed).await;
    mall.shop.advance(TimeDelta::days(16)).await;
    let told = report(&mall, "points").await;
    assert_eq!(POINTS.map(|field| figure(&told["totals"], field)), [681, 88, 450, 300, 0, 88]);
    assert_eq!(outstanding(&told), (443, 0, 0, Some(132)));

    // By month the same, and what was before is no part of it; with all of it the sums are what is outstanding.
    mall.shop.advance(TimeDelta::days(355)).await;
    let told = report(&mall, "points?by=month").await;
    let all = report(&mall, &format!("points?from={}", shops_day(&mall) - Days::new(800))).await;
    let sums = POINTS.map(|field| figure(&all["totals"], field));
    assert_eq!(
        sums,
        [681, 88, 450, 300, 355, 88],
        "what an operator gave is over, what was earned later isn't"
    );
    let (active, pending, ..) = outstanding(&told);
    assert_eq!(sums[0] - sums[2] + sums[3] - sums[4] - sums[5], active + pending);
    programme(&mall, json!({ "is_on": false })).await;
    assert_eq!(outstanding(&report(&mall, "points").await), (88, 0, 0, None), "points can't pay now");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_of_the_last_moment_of_a_month_are_that_months() {
    let mall = Mall::open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    adjust(&mall, &ada, "give", 500).await;
    adjust(&mall, &ada, "take", -150).await;
    for (kind, at) in [("earned", "2014-08-31T15:59:59Z"), ("spent", "2014-08-31T16:00:00Z")] {
        sql(&mall, &format!("UPDATE points_entries SET created_at = '{at}' WHERE kind = '{kind}'")).await;
    }
    let earned = [500, 0, 0, 0, 0, 0];
    let spent = [0, 0, 150, 0, 0, 0];
    let days = report(&mall, "points?from=2014-08-31&until=2014-09-02").await;
    assert_eq!(rows(&days, POINTS), named(&[("2014-08-31", earned), ("2014-09-01", spent)]));
    let first = report(&mall, "points?from=2014-08-31&until=2014-09-01").await;
    assert_eq!(rows(&first, POINTS), named(&[("2014-08-31", earned)]));
    let months = report(&mall, "points?by=month&from=2014-08-20&until=2014-09-02").await;
    assert_eq!([&months["from"], &months["until"]], ["2014-08-01", "2014-10-01"]);
    assert_eq!(rows(&months, POINTS), named(&[("2014-08", earned), ("2014-09", spent)]));
    let (lines, name) = csv(&mall, "points?by=month&from=2014-09-30&until=2014-10-01").await;
    assert_eq!(lines, "month,earned,matured,spent,returned,expired,reversed\r\n2014-09,0,0,150,0,0,0\r\n");
    assert_eq!(name, "attachment; filename=\"points-2014-09-01-2014-10-01.csv\"");
    // The shop has turned nothing on: what is there can't pay.
    assert_eq!(outstanding(&months), (350, 0, 0, None));
    mall.shop.app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_shop_has_reports_of_nothing() {
    let app = TestApp::spawn().await;
    let analyst = app.operator(Role::Analyst).await;
    let get = |query: &str, accept: &str| {
        let request = app.get(&format!("/v1/admin/reports/{query}")).bearer(&analyst.token);
        request.header("Accept", accept).send()
    };
    for (query, head) in [
        ("members?by=tier", "tier,members,frozen"),
        ("retention", "cohort,size,offset,kept"),
        (
            "drives",
            "drive,series,plan,tier,opens_at,closes_at,quota,held,taken,orders,revenue_minor,refunds_minor,\
             currency",
        ),
        (
            "coupons",
            "campaign,issued,given,held,redeemed,released,discount_minor,orders,revenue_minor,currency",
        ),
        ("points", "day,earned,matured,spent,returned,expired,reversed"),
    ] {
        assert_eq!(get(query, "application/json").await.ok(200)["data"], json!([]), "{query}");
        assert_eq!(get(query, "text/csv").await.text, format!("{head}\r\n"), "{query}");
    }
    // Ladders, chapters and months are there all the same.
    let levels = get("members?by=level", "application/json").await.ok(200);
    assert_eq!(rows(&levels, CUSTOMERS), named(&[("none", [0, 0, 0])]));
    let stages = rows(&get("members?by=stage", "application/json").await.ok(200), CUSTOMERS);
    assert_eq!((stages.len(), &stages[4].0), (5, &"none".to_owned()));
    let months = get("members?by=month", "application/json").await.ok(200);
    assert_eq!(rows(&months, MONTH).len(), 12);
    assert_eq!(
        months["totals"],
        json!({ "key": "total", "joined": 0, "returned": 0, "ended": 0, "members_at_end": 0 })
    );
    let points = get("points", "application/json").await.ok(200);
    assert_eq!(outstanding(&points), (0, 0, 0, None));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn days_that_make_no_sense_are_refused_by_field() {
    let app = TestApp::spawn().await;
    let analyst = app.operator(Role::Analyst).await;
    let get = |query: &str| app.get(&format!("/v1/admin/reports/{query}")).bearer(&analyst.token).send();
    for (query, field) in [
        // Of now: there is no other day.
        ("members?from=2014-01-01", "from"),
        ("members?by=level&until=2014-01-01", "until"),
        ("members?by=month&from=2014-02-02&until=2014-02-02", "until"),
        ("members?by=month&from=2001-01-01&until=2014-01-01", "until"),
        ("retention?from=2014-02-02&until=2014-02-01", "until"),
        ("retention?from=-4800-01-01&until=-4799-01-01", "from"),
        ("coupons?from=2014-02-02&until=2014-02-02", "until"),
        ("points?from=2001-01-01&until=2014-01-01", "until"),
        ("points?by=month&from=2014-02-02&until=2014-02-01", "until"),
        ("sales?from=-4800-01-01&until=-4799-01-01", "from"),
    ] {
        let refused = get(query).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field, "{query}");
    }
    for query in ["members?by=planet", "retention?every=P1D", "coupons?by=day", "points?from=yesterday"] {
        get(query).await.refused(400, "malformed_request");
    }
    app.finish().await;
}

//! Invoices, credit notes and their corrections: numbers without gaps, what is said, and how it is answered.

use chrono::{DateTime, Datelike, TimeDelta, TimeZone, Utc};
use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use futures::future::join_all;
use kindred::checkout::invoices::font::PdfFont;
use kindred::checkout::invoices::pdf;
use kindred::checkout::invoices::service::issue_due;
use kindred::checkout::invoices::sheet::{Party, Sheet, Table};
use kindred::people::operators::rules::Role;
use kindred::schema::{invoices, invoices_due, refunds};
use kindred::types::id::OrderId;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::shop::{DriveSeed, Shop};

/// (number, order), in the order of numbers.
async fn numbers(shop: &Shop, kind: &str) -> Vec<(String, OrderId)> {
    invoices::table
        .filter(invoices::kind.eq(kind))
        .order((invoices::year, invoices::sequence))
        .select((invoices::number, invoices::order_id))
        .load(&mut shop.app.conn().await)
        .await
        .unwrap()
}

fn year_of(at: DateTime<Utc>) -> i32 {
    at.with_timezone(&chrono_tz::Asia::Shanghai).year()
}

/// What an order's invoice, or what lies at a path below the order, answers.
async fn paper(
    shop: &Shop,
    token: &str,
    path: &str,
    accept: &str,
) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let request = shop.app.client.get(format!("{}{path}", shop.app.url)).bearer_auth(token);
    let answer = request.header("Accept", accept).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.unwrap().to_vec())
}

fn invoice_path(order: &Value) -> String {
    format!("/v1/orders/{}/invoice", order["id"].as_str().unwrap())
}

async fn refund(mall: &Mall, order: &Value, key: &str, body: &Value) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let made = mall.shop.app.post(&path).bearer(&owner.token).key(key).json(body).send().await.ok(201);
    mall.shop.settle().await;
    made
}

async fn notes(mall: &Mall, person: &Person, order: &Value) -> Vec<Value> {
    let path = format!("/v1/orders/{}/credit-notes", order["id"].as_str().unwrap());
    let answer = mall.shop.app.get(&path).bearer(&person.token).send().await.ok(200);
    answer["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rush_is_invoiced_without_a_gap_and_each_order_once() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let buyers = 24;
    let joined: Vec<_> = (0..buyers).map(|index| format!("p{index}@rush.test")).collect();
    join_all(joined.iter().map(|email| shop.join(email, sale))).await;
    shop.settle().await;
    let year = year_of(shop.app.now());
    let expected: Vec<_> = (1..=buyers).map(|number| format!("{year}-{number:06}")).collect();
    let issued = numbers(&shop, "invoice").await;
    assert_eq!(issued.iter().map(|(number, _)| number.clone()).collect::<Vec<_>>(), expected);
    shop.app.check().await;

    // As if the job had been killed after each order was settled, twice over, and ran on many instances at once.
    let again = "INSERT INTO invoices_due (kind, order_id, due_at) SELECT kind, order_id, issued_at FROM invoices, \
                 generate_series(1, 2); DELETE FROM invoices; UPDATE invoice_counters SET last = 0";
    shop.app.conn().await.batch_execute(again).await.unwrap();
    for done in join_all((0..6).map(|_| issue_due(&shop.app.app))).await {
        done.unwrap();
    }
    let issued = numbers(&shop, "invoice").await;
    assert_eq!(issued.iter().map(|(number, _)| number.clone()).collect::<Vec<_>>(), expected);
    let mut orders: Vec<_> = issued.iter().map(|(_, order)| *order).collect();
    orders.sort_unstable();
    orders.dedup();
    assert_eq!(orders.len(), 24);
    let due: i64 = invoices_due::table.count().get_result(&mut shop.app.conn().await).await.unwrap();
    assert_eq!(due, 0);
    issue_due(&shop.app.app).await.unwrap();
    assert_eq!(numbers(&shop, "invoice").await, issued);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_the_shop_begins_with_number_one() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let year = year_of(mall.shop.app.now());
    let new_year = chrono_tz::Asia::Shanghai.with_ymd_and_hms(year + 1, 1, 1, 0, 0, 0).unwrap();
    let new_year = new_year.with_timezone(&Utc);
    mall.shop.app.member("a@b.test").await;
    let mut bought = 0;
    // Two hours before midnight in Shanghai, and one before it in London.
    for at in [new_year - TimeDelta::hours(2), new_year + TimeDelta::hours(1)] {
        mall.shop.advance(at - mall.shop.app.now()).await;
        let person = mall.shop.app.sign_in("a@b.test").await;
        for _ in 0..2 {
            bought += 1;
            mall.buy(&person, &bought.to_string(), json!([{ "variant": tea }])).await;
            mall.shop.settle().await;
        }
    }
    let issued: Vec<_> = numbers(&mall.shop, "invoice").await.into_iter().map(|(number, _)| number).collect();
    let expected = [(year, 1), (year, 2), (year + 1, 1), (year + 1, 2)];
    assert_eq!(issued, expected.map(|(year, number)| format!("{year}-{number:06}")));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refund_that_goes_through_has_a_credit_note_and_one_taken_back_a_correction() {
    let mall = Mall::open().await;
    let more = json!({ "tax_rate_bp": 900 });
    let variants = json!([{ "sku": "BOX", "price": yuan(109), "weight_grams": 500 }]);
    let product = mall.product("box", "goods", variants, more).await;
    let variant = product["variants"][0]["id"].clone();
    mall.stock(&variant, 10, "received").await.ok(201);
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.order(&person, "k", json!([{ "variant": variant }])).await.ok(201);
    assert_eq!(mall.shop.on_page(&order, &[("action", "pay"), ("method", "wechat_pay")]).await, 303);
    mall.shop.settle().await;
    assert!(notes(&mall, &person, &order).await.is_empty());

    mall.shop.simulator().set_refund_delay(TimeDelta::days(5));
    refund(&mall, &order, "1", &json!({ "reason": "Dented.", "amount": yuan(10) })).await;
    assert!(notes(&mall, &person, &order).await.is_empty(), "a wallet's refund is on its way");
    mall.shop.advance(TimeDelta::days(6)).await;
    mall.shop.simulator().set_refund_delay(TimeDelta::zero());
    refund(&mall, &order, "2", &json!({ "reason": "All the rest." })).await;
    mall.shop.settle().await;
    let person = mall.shop.app.sign_in("a@b.test").await;
    let credited = notes(&mall, &person, &order).await;
    let year = year_of(mall.shop.app.now());
    assert_eq!(
        credited.iter().map(|note| note["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
        [format!("CN-{year}-000001"), format!("CN-{year}-000002")]
    );
    assert_eq!((&credited[0]["total"], &credited[1]["total"]), (&yuan(10), &yuan(111)));
    let tax = |note: &Value| note["tax_included"]["amount"].as_i64().unwrap();
    assert_eq!((tax(&credited[0]), tax(&credited[1])), (83, 817), "together the tax of the line");
    assert!(credited[0]["about"].as_str().unwrap().ends_with("-000001"));

    // The bank sends the second one back: nothing that was issued changes, a correction undoes it.
    let stripe_id: Option<String> = refunds::table
        .order(refunds::id.desc())
        .select(refunds::stripe_refund_id)
        .first(&mut mall.shop.app.conn().await)
        .await
        .unwrap();
    mall.shop.simulator().settle_refund(&stripe_id.unwrap(), false).unwrap();
    mall.shop.settle().await;
    let after = notes(&mall, &person, &order).await;
    assert_eq!(after[..2], credited[..]);
    assert_eq!((&after[2]["kind"], &after[2]["total"]), (&json!("correction"), &yuan(111)));
    assert_eq!(after[2]["about"], credited[1]["number"]);
    mall.shop.app.check().await;

    // Once more, and now it arrives: its note has the tax of the first try.
    refund(&mall, &order, "3", &json!({ "reason": "Again." })).await;
    let last = notes(&mall, &person, &order).await.pop().unwrap();
    assert_eq!((&last["total"], tax(&last)), (&yuan(111), 817));
    let path =
        format!("/v1/orders/{}/credit-notes/{}", order["id"].as_str().unwrap(), last["id"].as_str().unwrap());
    let (status, _, page) = paper(&mall.shop, &person.token, &path, "text/html").await;
    let page = String::from_utf8(page).unwrap();
    assert!(status == 200 && page.contains("贷项通知单") && page.contains("¥111.00"), "{page}");
    let stranger = mall.shop.app.member("s@b.test").await;
    assert_eq!(paper(&mall.shop, &stranger.token, &path, "text/html").await.0, 404);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_its_buyers_and_only_of_what_was_charged() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let free = json!({
        "code": "free", "tier": mall.regular["tier"], "term": "P1Y", "price": yuan(0), "renews": "never",
        "payment_methods": ["card"], "open_sale": true,
    });
    let free = mall.shop.app.make(&mall.owner, "/v1/admin/plans", &free).await;
    let person = mall.shop.app.member("a@b.test").await;
    let pending = mall.order(&person, "p", json!([{ "variant": tea }])).await.ok(201);
    let of = |token: String, path: String| {
        let request = mall.shop.app.get(&path).bearer(&token);
        async move { request.send().await }
    };
    of(person.token.clone(), invoice_path(&pending)).await.refused(404, "no_invoice");
    let given = mall.order(&person, "f", json!([{ "plan": free["id"] }])).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&person, &given).await["state"], "fulfilled");
    of(person.token.clone(), invoice_path(&given)).await.refused(404, "no_invoice");
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 2 }])).await;
    mall.shop.settle().await;
    let answer = of(person.token.clone(), invoice_path(&order)).await;
    assert_eq!((answer.status, answer.header("vary").starts_with("Accept")), (200, true));
    assert!(answer.text.contains("¥192.00") && answer.text.contains("罗小姐"), "{}", answer.text);
    let stranger = mall.shop.app.member("s@b.test").await;
    of(stranger.token.clone(), invoice_path(&order)).await.refused(404, "not_found");
    mall.shop.app.get(&invoice_path(&order)).send().await.refused(401, "unauthenticated");
    of(person.token.clone(), "/v1/orders/ivc_1/invoice".to_owned()).await.refused(404, "not_found");
    let (status, ..) = paper(&mall.shop, &person.token, &invoice_path(&order), "application/json").await;
    assert_eq!(status, 406);
    // While it is to come.
    let taken = "INSERT INTO invoices_due (kind, order_id, due_at) SELECT kind, order_id, issued_at + interval '1 day' \
                 FROM invoices; DELETE FROM invoices; UPDATE invoice_counters SET last = 0";
    mall.shop.app.conn().await.batch_execute(taken).await.unwrap();
    let waits = of(person.token.clone(), invoice_path(&order)).await;
    waits.refused(409, "invoice_not_issued");
    assert_eq!(waits.header("retry-after"), "2");
    issue_due(&mall.shop.app.app).await.unwrap();
    of(person.token.clone(), invoice_path(&order)).await.ok(200);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pdf_has_its_text_and_a_part_of_the_font() {
    let shop = Shop::open_with(&[
        ("KINDRED_SELLER_NAME", "罗辑思维书店"),
        ("KINDRED_SELLER_ADDRESS", "朝阳门外大街 1 号|北京"),
        ("KINDRED_SELLER_TAX_ID", "91110105MA000000XX"),
    ])
    .await;
    let sale = shop.drive(DriveSeed::default()).await;
    let (person, order) = shop.join("a@b.test", sale).await;
    shop.settle().await;
    let path = invoice_path(&order);
    let (status, headers, bytes) = paper(&shop, &person.token, &path, "application/pdf").await;
    assert_eq!((status, &headers["content-type"]), (200, &"application/pdf".parse().unwrap()));
    assert!(bytes.starts_with(b"%PDF-") && bytes.len() < 200_000, "{} bytes", bytes.len());
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let text = document.extract_text(&[1]).unwrap();
    for part in [
        "账单",
        "罗辑思维书店",
        "朝阳门外大街 1 号",
        "税号 91110105MA000000XX",
        "普通会员",
        "a@b.test",
        "200.00",
        "1 / 1",
    ] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    let fonts: Vec<_> = document
        .objects
        .values()
        .filter_map(|object| object.as_dict().ok()?.get(b"FontName").ok()?.as_name().ok())
        .collect();
    let tag = fonts[0].split(|byte| *byte == b'+').next().unwrap();
    assert!(fonts.len() == 1 && tag.len() == 6 && tag.iter().all(u8::is_ascii_uppercase), "{fonts:?}");
    let (_, _, page) = paper(&shop, &person.token, &path, "text/html,application/xhtml+xml,*/*;q=0.8").await;
    let page = String::from_utf8(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("税号 91110105MA000000XX"));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_font_there_are_pages_alone() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checkout/invoices");
    let shop = Shop::open_with(&[("KINDRED_PDF_FONT", folder)]).await;
    let sale = shop.drive(DriveSeed::default()).await;
    let (person, order) = shop.join("a@b.test", sale).await;
    shop.settle().await;
    let path = invoice_path(&order);
    let request = shop.app.get(&path).bearer(&person.token).header("Accept", "application/pdf");
    request.send().await.refused(406, "pdf_font_missing");
    let (status, headers, _) = paper(&shop, &person.token, &path, "application/pdf, text/html;q=0.5").await;
    assert_eq!((status, &headers["content-type"]), (200, &"text/html; charset=utf-8".parse().unwrap()));
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_escaped_frozen_and_in_the_buyers_language() {
    let mall = Mall::open().await;
    let more = json!({ "names": { "zh-CN": "书盒 <b>&", "en": "Box <script>alert(1)</script> & more" } });
    let variants = json!([{ "sku": "BOX", "price": yuan(10), "weight_grams": 500 }]);
    let product = mall.product("box", "goods", variants, more).await;
    mall.stock(&product["variants"][0]["id"], 10, "received").await.ok(201);
    let person = mall.shop.app.member("a@b.test").await;
    let request = mall.shop.app.patch("/v1/me").bearer(&person.token);
    request.json(&json!({ "locale": "en" })).send().await.ok(200);
    let order = mall.buy(&person, "k", json!([{ "variant": product["variants"][0]["id"] }])).await;
    mall.shop.settle().await;
    let page = async || {
        let (_, _, page) = paper(&mall.shop, &person.token, &invoice_path(&order), "").await;
        String::from_utf8(page).unwrap()
    };
    let before = page().await;
    assert!(
        before.contains("<html lang=\"en\">") && before.contains("Unit price") && !before.contains("单价")
    );
    assert!(before.contains("Box &lt;script&gt;alert(1)&lt;") && !before.contains("<script"), "{before}");
    let path = format!("/v1/admin/products/{}", product["id"].as_str().unwrap());
    let request = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", "\"v1\"");
    let renamed = json!({ "names": { "zh-CN": "新", "en": "New" } });
    request.json(&renamed).send().await.ok(200);
    assert_eq!(page().await, before);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_forgotten_and_the_sums_stay() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea }])).await;
    mall.shop.settle().await;
    let export = mall.shop.app.get("/v1/me/export").bearer(&person.token).send().await.ok(200);
    assert_eq!(export["invoices"][0]["buyer"]["name"], "罗小姐");
    let body = json!({ "password": PASSWORD, "forfeit": true });
    mall.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await.ok(204);
    // A refund after that: its credit note knows nobody either.
    refund(&mall, &order, "1", &json!({ "reason": "Gone." })).await;
    let path = format!("/v1/admin/invoices?order={}", order["id"].as_str().unwrap());
    let list = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    for issued in list["data"].as_array().unwrap() {
        assert_eq!((&issued["total"], issued.get("buyer")), (&yuan(102), Some(&Value::Null)));
        let path = format!("/v1/admin/invoices/{}", issued["id"].as_str().unwrap());
        let page = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await;
        assert!(page.text.contains("应购买方要求已删除") && page.text.contains("¥102.00"));
        assert!(!page.text.contains("罗小姐") && !page.text.contains("a@b.test"), "{}", page.text);
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_find_them_by_kind_year_order_and_number() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let mut orders = Vec::new();
    for key in ["1", "2", "3"] {
        orders.push(mall.buy(&person, key, json!([{ "variant": tea }])).await);
        mall.shop.settle().await;
    }
    refund(&mall, &orders[1], "r", &json!({ "reason": "Broken." })).await;
    let find = async |token: &str, query: &str| {
        mall.shop.app.get(&format!("/v1/admin/invoices?{query}")).bearer(token).send().await
    };
    let found = async |query: &str| {
        let answer = find(&mall.owner.token, query).await.ok(200);
        let data = answer["data"].as_array().unwrap().clone();
        data.iter().map(|issued| issued["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let year = year_of(mall.shop.app.now());
    let (note, second) = (format!("CN-{year}-000001"), format!("{year}-000002"));
    assert_eq!(found("kind=credit_note").await, std::slice::from_ref(&note));
    assert_eq!(found(&format!("order={}", orders[1]["id"].as_str().unwrap())).await, [note, second.clone()]);
    assert_eq!(found(&format!("number={second}")).await, [second]);
    assert_eq!(found(&format!("year={}", year + 1)).await, [""; 0]);
    assert_eq!(found(&format!("year={year}")).await.len(), 4);
    let first = find(&mall.owner.token, "kind=invoice&limit=2").await.ok(200);
    let query = format!("kind=invoice&limit=2&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = find(&mall.owner.token, &query).await.ok(200);
    assert_eq!((rest["data"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
    find(&mall.owner.token, "kind=receipt").await.refused(400, "malformed_request");
    assert_eq!(first["data"][0]["buyer"], "罗小姐");
    let analyst = mall.shop.app.operator(Role::Analyst).await;
    let masked = find(&analyst.token, "limit=1").await.ok(200);
    assert_eq!(masked["data"][0].get("buyer"), None);
    let path = format!("/v1/admin/invoices/{}", first["data"][0]["id"].as_str().unwrap());
    mall.shop.app.get(&path).bearer(&analyst.token).send().await.refused(403, "forbidden");
    let gone = "/v1/admin/invoices/ivc_00000000000000000000000000000000";
    mall.shop.app.get(gone).bearer(&mall.owner.token).send().await.refused(404, "not_found");
    mall.finish().await;
}

#[test]
fn a_long_invoice_goes_over_pages_with_a_head_on_each() {
    let cells = |text: &str| {
        vec![text.to_owned(), "1".into(), "¥1.00".into(), "9%".into(), "¥0.08".into(), "¥1.00".into()]
    };
    let title = "柳桃奇异果 with a name that is much longer than its column and goes on, 一行写不下的商品名称一直写下去";
    let table = |head: &[&'static str], rows| Table { head: head.to_vec(), rows };
    let sheet = Sheet {
        lang: "zh-CN",
        title: "账单",
        number: "2014-000123".to_owned(),
        seller: Party { label: "销售方", lines: vec!["罗辑思维".to_owned()] },
        buyer: Party { label: "购买方", lines: vec!["😀".to_owned(), "a".repeat(300)] },
        facts: vec![("编号", "2014-000123".to_owned())],
        items: table(
            &["项目", "数量", "单价", "税率", "含税额", "金额"],
            (1..=60).map(|line| cells(&format!("{line} {title}"))).collect(),
        ),
        sums: vec![("合计", "¥60.00".to_owned())],
        means: Vec::new(),
        taxes: table(&["税率", "不含税", "税额", "价税合计"], Vec::new()),
        note: "价格均含税。",
    };
    let font = PdfFont::find(None).expect("scripts/setup.sh installs a font");
    let (data, face) = font.read().unwrap();
    let bytes = pdf::draw(&sheet, &data, face).unwrap();
    let document = lopdf::Document::load_mem(&bytes).unwrap();
    let pages = document.get_pages().len();
    assert!((3..6).contains(&pages) && bytes.len() < 200_000, "{pages} pages, {} bytes", bytes.len());
    let texts: Vec<_> = (1..=3).map(|page| document.extract_text(&[page]).unwrap()).collect();
    for (index, text) in texts.iter().enumerate() {
        assert!(text.contains("含税额") && text.contains(&format!("{} / {pages}", index + 1)), "{text}");
    }
    assert!(!texts[1].contains("购买方"));
}

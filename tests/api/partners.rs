//! Partners: what their codes earn them, what goes back of it, and what is paid out.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::run_sql;
use crate::support::desk::{count, get, id, post};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

const PARTNERS: &str = "/v1/admin/partners";

pub async fn owner(mall: &Mall) -> Person {
    mall.shop.app.sign_in(&mall.owner.email).await
}

async fn again(mall: &Mall, person: &Person) -> Person {
    mall.shop.app.sign_in(&person.email).await
}

pub async fn partner(mall: &Mall, more: Value) -> Value {
    let mut body = json!({ "name": "安达人", "email": "ann@kol.test" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    mall.shop.app.make(&mall.owner, PARTNERS, &body).await
}

fn new_code(code: &str, rate: &str, more: Value) -> Value {
    let mut body =
        json!({ "code": code, "names": { "zh-CN": "安的码", "en": "Ann's" }, "rate_percent": rate });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn try_code(mall: &Mall, of: &Value, key: &str, body: Value) -> Answer {
    post(mall, &owner(mall).await, &format!("{PARTNERS}/{}/codes", id(of)), key, body).await
}

pub async fn code(mall: &Mall, of: &Value, code: &str, rate: &str, more: Value) -> Value {
    try_code(mall, of, code, new_code(code, rate, more)).await.ok(201)
}

/// A course: nothing is sent.
async fn course(mall: &Mall, price: Value) -> Value {
    let variants = json!([{ "sku": "COURSE", "price": price }]);
    mall.product("course", "digital", variants, json!({})).await["variants"][0]["id"].clone()
}

fn body(mall: &Mall, article: &Value, code: &str) -> Value {
    let mut body = mall.body(json!([{ "variant": article, "quantity": 1 }]));
    body["invite_code"] = json!(code);
    body
}

async fn place(mall: &Mall, person: &Person, key: &str, body: &Value) -> Value {
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
    request.json(body).send().await.ok(201)
}

/// Orders and pays by card, and the order as it then is.
async fn buy(mall: &Mall, person: &Person, key: &str, body: &Value) -> Value {
    let placed = place(mall, person, key, body).await;
    let fields = [("action", "pay"), ("method", "card")];
    assert_eq!(mall.shop.on_page(&placed, &fields).await, 303);
    let settled = mall.shop.settled(person, &placed).await;
    mall.shop.settle().await;
    settled
}

async fn refund(mall: &Mall, placed: &Value, key: &str, body: Value) {
    let path = format!("/v1/admin/orders/{}/refunds", id(placed));
    post(mall, &owner(mall).await, &path, key, body).await.ok(201);
    mall.shop.settle().await;
}

/// The partner's (orders, held, payable, paid), in minor units.
pub async fn stands(mall: &Mall, of: &Value) -> (i64, i64, i64, i64) {
    let seen = get(mall, &owner(mall).await, &format!("{PARTNERS}/{}", id(of))).await.ok(200);
    let minor = |field: &str| seen[field]["amount"].as_i64().unwrap();
    (seen["orders"].as_i64().unwrap(), minor("held"), minor("payable"), minor("paid"))
}

/// His entries, the oldest first: (kind, reason, amount, state).
pub async fn entries(mall: &Mall, of: &Value) -> Vec<(String, String, i64, String)> {
    let path = format!("{PARTNERS}/{}/commissions?limit=100", id(of));
    let list = get(mall, &owner(mall).await, &path).await.ok(200);
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let row = |of: &Value| {
        (text(&of["kind"]), text(&of["reason"]), of["amount"]["amount"].as_i64().unwrap(), text(&of["state"]))
    };
    list["data"].as_array().unwrap().iter().rev().map(row).collect()
}

pub fn entry(kind: &str, reason: &str, amount: i64, state: &str) -> (String, String, i64, String) {
    (kind.to_owned(), reason.to_owned(), amount, state.to_owned())
}

async fn pay_out(mall: &Mall, of: &Value, key: &str) -> Answer {
    post(mall, &owner(mall).await, &format!("{PARTNERS}/{}/payouts", id(of)), key, json!({})).await
}

async fn wait(mall: &Mall) {
    mall.shop.advance(TimeDelta::days(15)).await;
}

/// The rule of a code in an explanation: (outcome, reason).
fn told(priced: &Value) -> (String, String) {
    let rules = priced["explanation"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["rule"] == "invite_code").expect("the code is told of");
    (rule["outcome"].as_str().unwrap().to_owned(), rule["reason"].as_str().unwrap().to_owned())
}

async fn quoted(mall: &Mall, person: &Person, article: &Value, code: &str) -> String {
    let wanted = body(mall, article, code);
    let person = again(mall, person).await;
    told(&mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&wanted).send().await.ok(200)).1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partner_earns_by_what_comes_by_his_code_and_is_paid_once() {
    let mall = Mall::open().await;
    // 12.5 % of 99.98 yuan are 12.4975.
    let article = course(&mall, json!({ "amount": 9_998, "currency": "CNY" })).await;
    let tea = mall.goods("TEA", 90, 10).await;
    let ann = partner(&mall, json!({})).await;
    let made = code(&mall, &ann, "Ann-2026", "12.5", json!({ "max_orders": 50 })).await;
    assert_eq!(
        (&made["code"], &made["rate_percent"], &made["orders"]),
        (&json!("ANN-2026"), &json!("12.5"), &json!(0))
    );
    assert!(made["link"].as_str().unwrap().ends_with("?invite=ANN-2026"), "{made}");

    let ben = mall.shop.app.member("ben@b.test").await;
    let placed = buy(&mall, &ben, "k", &body(&mall, &article, "ann-2026")).await;
    assert_eq!(told(&placed), ("applied".to_owned(), "invite_counts".to_owned()));
    // Shipping earns nothing; who bought before counts for a partner again.
    let sent = buy(&mall, &ben, "second", &body(&mall, &tea, "ANN-2026")).await;
    assert!(sent["totals"]["total"]["amount"].as_i64().unwrap() > 9_000, "{sent}");
    assert_eq!(stands(&mall, &ann).await, (2, 1_250 + 1_125, 0, 0));
    assert_eq!(count(&mall, "referrals").await, 0);
    pay_out(&mall, &ann, "early").await.refused(409, "nothing_payable");

    // The jobs again, as after a crash.
    run_sql(
        &mut *mall.shop.app.conn().await,
        "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind IN ('follow_invite', 'watch_invite')",
    )
    .await;
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ann).await.0, 2);

    // Not before the end of the time to withdraw; what isn't sent waits.
    mall.shop.advance(crate::referrals::final_in(&mall, &sent) - TimeDelta::minutes(5)).await;
    assert_eq!(stands(&mall, &ann).await, (2, 2_375, 0, 0));
    mall.shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(stands(&mall, &ann).await, (2, 1_125, 1_250, 0));
    let both = join_all([pay_out(&mall, &ann, "a"), pay_out(&mall, &ann, "b")]).await;
    let mut statuses: Vec<_> = both.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "one is paid");
    let paid = both.into_iter().find(|answer| answer.status == 201).unwrap().ok(201);
    assert_eq!((&paid["amount"]["amount"], &paid["entries"]), (&json!(1_250), &json!(1)));
    assert_eq!(stands(&mall, &ann).await, (2, 1_125, 0, 1_250));

    crate::support::desk::send(&mall, &sent).await;
    wait(&mall).await;
    let second = pay_out(&mall, &ann, "c").await.ok(201);
    assert_eq!(pay_out(&mall, &ann, "c").await.ok(201), second, "a repeat is told the same");
    let staff = owner(&mall).await;
    let list = get(&mall, &staff, &format!("{PARTNERS}/{}/payouts", id(&ann))).await.ok(200);
    assert_eq!(list["data"], json!([second, paid]));
    let path = format!("{PARTNERS}/{}/commissions", id(&ann));
    let file = mall.shop.app.get(&path).bearer(&staff.token).header("Accept", "text/csv").send().await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
    let lines: Vec<_> = file.text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0]
            .starts_with("id,created_at,order,code,kind,reason,basis,rate_percent,earned,reversed,currency,")
    );
    let row = format!("{},ANN-2026,earned,,99.98,12.5,12.50,0.00,CNY,paid,{}", id(&placed), id(&paid));
    assert!(lines[2].ends_with(&row), "{}", file.text);
    let newest = get(&mall, &staff, &format!("{path}?limit=1")).await.ok(200);
    let next = newest["next_cursor"].as_str().unwrap();
    let oldest = get(&mall, &staff, &format!("{path}?limit=1&cursor={next}")).await.ok(200);
    assert_eq!((&oldest["data"][0]["order"], &oldest["data"][0]["payout"]), (&placed["id"], &paid["id"]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_in_parts_takes_back_what_was_earned_and_no_more() {
    let mall = Mall::open().await;
    let article = course(&mall, yuan(100)).await;
    let ann = partner(&mall, json!({})).await;
    code(&mall, &ann, "ANN", "0.07", json!({})).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let placed = buy(&mall, &ben, "k", &body(&mall, &article, "ANN")).await;
    let part =
        |amount: i64| json!({ "amount": { "amount": amount, "currency": "CNY" }, "reason": "sent back" });
    // 7 fen are earned: of thirds go back 2, 3 and 2.
    for (key, amount) in [("1", 3_333), ("2", 3_333), ("3", 3_334)] {
        refund(&mall, &placed, key, part(amount)).await;
    }
    let seen: Vec<_> = entries(&mall, &ann).await.into_iter().map(|entry| entry.2).collect();
    assert_eq!(seen, [7, -2, -3, -2]);

    // After the payout what goes back is taken off the next one.
    code(&mall, &ann, "ANN-10", "10", json!({})).await;
    let second = buy(&mall, &ben, "second", &body(&mall, &article, "ANN-10")).await;
    wait(&mall).await;
    assert_eq!(pay_out(&mall, &ann, "a").await.ok(201)["amount"], yuan(10));
    refund(&mall, &second, "4", part(2_500)).await;
    assert_eq!(stands(&mall, &ann).await, (2, 0, -250, 1_000));
    pay_out(&mall, &ann, "b").await.refused(409, "nothing_payable");
    assert_eq!(entries(&mall, &ann).await.last().unwrap(), &entry("reversed", "refund", -250, "payable"));
    let ben = again(&mall, &ben).await;
    buy(&mall, &ben, "third", &body(&mall, &article, "ANN-10")).await;
    wait(&mall).await;
    let paid = pay_out(&mall, &ann, "c").await.ok(201);
    assert_eq!((&paid["amount"]["amount"], &paid["entries"]), (&json!(750), &json!(2)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_holds_and_a_lost_one_takes_the_rest() {
    let mall = Mall::open().await;
    let article = course(&mall, yuan(100)).await;
    let ann = partner(&mall, json!({})).await;
    code(&mall, &ann, "ANN", "10", json!({})).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let won = buy(&mall, &ben, "won", &body(&mall, &article, "ANN")).await;
    let lost = buy(&mall, &ben, "lost", &body(&mall, &article, "ANN")).await;
    let after = buy(&mall, &ben, "after", &body(&mall, &article, "ANN")).await;
    let quarter = json!({ "amount": yuan(25), "reason": "late" });
    refund(&mall, &lost, "quarter", quarter).await;
    let dispute = async |placed: &Value| {
        let book = mall.shop.simulator().book();
        let paid = book.payments.iter().find(|payment| payment.order_id.as_deref() == Some(id(placed)));
        let dispute =
            mall.shop.simulator().open_dispute(&paid.unwrap().payment_intent, "fraudulent").unwrap();
        mall.shop.settle().await;
        dispute
    };
    let (first, second) = (dispute(&won).await, dispute(&lost).await);
    wait(&mall).await;
    assert_eq!(stands(&mall, &ann).await, (3, 1_750, 1_000, 0), "both are held");
    mall.shop.simulator().close_dispute(&first, "won").unwrap();
    mall.shop.simulator().close_dispute(&second, "lost").unwrap();
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ann).await, (3, 0, 2_000, 0));
    let last = entries(&mall, &ann).await.pop().unwrap();
    assert_eq!(last, entry("reversed", "dispute_lost", -750, "payable"));

    // One that comes after the window holds what isn't paid yet, and lets it go when it is won.
    let third = dispute(&after).await;
    assert_eq!(stands(&mall, &ann).await, (3, 1_000, 1_000, 0));
    mall.shop.simulator().close_dispute(&third, "won").unwrap();
    mall.shop.settle().await;
    assert_eq!(pay_out(&mall, &ann, "a").await.ok(201)["amount"], yuan(20));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_buyers_the_first_ones_count() {
    let mall = Mall::open().await;
    let article = course(&mall, yuan(100)).await;
    let ann = partner(&mall, json!({})).await;
    let made = code(&mall, &ann, "ANN", "10", json!({ "max_orders": 3 })).await;
    let mut placed = Vec::new();
    for index in 0..8 {
        let person = mall.shop.app.member(&format!("m{index}@b.test")).await;
        placed.push(place(&mall, &person, "k", &body(&mall, &article, "ANN")).await);
    }
    let pays = placed.iter().map(|order| mall.shop.on_page(order, &[("action", "pay"), ("method", "card")]));
    assert!(join_all(pays).await.iter().all(|status| *status == 303));
    mall.shop.settle().await;
    assert_eq!(count(&mall, "orders WHERE paid_at IS NOT NULL").await, 8);
    assert_eq!((stands(&mall, &ann).await, count(&mall, "commissions").await), ((3, 3_000, 0, 0), 3));
    let staff = owner(&mall).await;
    let codes = get(&mall, &staff, &format!("{PARTNERS}/{}/codes", id(&ann))).await.ok(200);
    assert_eq!((&codes["data"][0]["orders"], &codes["data"][0]["id"]), (&json!(3), &made["id"]));
    let late = mall.shop.app.member("late@b.test").await;
    assert_eq!(quoted(&mall, &late, &article, "ANN").await, "partner_code_used_up");
    let order = buy(&mall, &late, "k", &body(&mall, &article, "ANN")).await;
    assert_eq!(told(&order), ("refused".to_owned(), "partner_code_used_up".to_owned()));
    assert_eq!(stands(&mall, &ann).await.0, 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_doesnt_count_is_told_and_refuses_no_order() {
    let mall = Mall::open().await;
    let article = course(&mall, yuan(100)).await;
    let anna = mall.shop.app.member("anna.li@gmail.com").await;
    let ann = partner(&mall, json!({ "email": "press@kol.test", "account": anna.id })).await;
    let now = mall.shop.app.now();
    let soon = json!({ "starts_at": now + TimeDelta::days(1), "ends_at": now + TimeDelta::days(2) });
    code(&mall, &ann, "SOON", "10", soon).await;
    let ends = code(&mall, &ann, "ENDS", "10", json!({})).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    // His own orders: by his account, another one of his address, and the address of the partner.
    let twin = mall.shop.app.member("AnnaLi+2@googlemail.com").await;
    let press = mall.shop.app.member("Press+shop@kol.test").await;
    for person in [&anna, &twin, &press] {
        assert_eq!(quoted(&mall, person, &article, "ENDS").await, "own_invite_code");
        let person = again(&mall, person).await;
        buy(&mall, &person, "own", &body(&mall, &article, "ENDS")).await;
    }
    assert_eq!(quoted(&mall, &ben, &article, "SOON").await, "partner_code_not_started");
    let pending = place(&mall, &again(&mall, &ben).await, "before", &body(&mall, &article, "ENDS")).await;
    let path = format!("{PARTNERS}/{}/codes/{}/end", id(&ann), id(&ends));
    for _ in 0..2 {
        assert!(
            post(&mall, &owner(&mall).await, &path, "end", json!({})).await.ok(200)["ended_at"].is_string()
        );
    }
    assert_eq!(count(&mall, "audit_log WHERE action = 'partner_code.end'").await, 1);
    assert_eq!(quoted(&mall, &ben, &article, "ENDS").await, "partner_code_ended");
    let ben = again(&mall, &ben).await;
    assert_eq!(told(&buy(&mall, &ben, "after", &body(&mall, &article, "ENDS")).await).0, "refused");
    assert_eq!(stands(&mall, &ann).await.0, 0);
    // One that was placed before the end counts.
    assert_eq!(mall.shop.on_page(&pending, &[("action", "pay"), ("method", "card")]).await, 303);
    mall.shop.settle().await;
    assert_eq!(stands(&mall, &ann).await.0, 1);
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(quoted(&mall, &ben, &article, "SOON").await, "invite_counts");
    let archive = format!("{PARTNERS}/{}/archive", id(&ann));
    post(&mall, &owner(&mall).await, &archive, "x", json!({})).await.ok(200);
    assert_eq!(quoted(&mall, &ben, &article, "SOON").await, "partner_code_ended");
    try_code(&mall, &ann, "late", new_code("LATE", "1", json!({}))).await.refused(409, "closed");
    wait(&mall).await;
    assert_eq!(pay_out(&mall, &ann, "a").await.ok(201)["amount"], yuan(10), "what he earned stays his");

    // Erased, the account is no partner's; his export told that it was.
    let anna = again(&mall, &anna).await;
    let export = get(&mall, &anna, "/v1/me/export").await.ok(200);
    assert_eq!(export["partners"][0]["email"], "press@kol.test");
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    mall.shop.app.delete("/v1/me").bearer(&anna.token).json(&erase).send().await.ok(204);
    assert_eq!(count(&mall, "partners WHERE account_id IS NULL AND email = 'press@kol.test'").await, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_mistype_changes_nothing() {
    let mall = Mall::open().await;
    let ann = partner(&mall, json!({})).await;
    let staff = owner(&mall).await;
    let nobody = "acc_00000000000000000000000000000001";
    for (field, wrong) in [
        ("name", json!({ "name": " ", "email": "a@b.test" })),
        ("email", json!({ "name": "A", "email": "a.b.test" })),
        ("account", json!({ "name": "A", "email": "a@b.test", "account": nobody })),
    ] {
        let answer = mall.shop.app.post(PARTNERS).bearer(&staff.token).json(&wrong).send().await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    let past = mall.shop.app.now() - TimeDelta::days(1);
    for (index, (field, wrong)) in [
        ("rate_percent", new_code("ABC", "0", json!({}))),
        ("rate_percent", new_code("ABC", "100.01", json!({}))),
        ("rate_percent", new_code("ABC", "1.005", json!({}))),
        ("code", new_code("a!", "1", json!({}))),
        ("max_orders", new_code("ABC", "1", json!({ "max_orders": 0 }))),
        ("ends_at", new_code("ABC", "1", json!({ "ends_at": past }))),
        ("names.en", new_code("ABC", "1", json!({ "names": { "zh-CN": "安", "en": "" } }))),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = try_code(&mall, &ann, &format!("wrong-{index}"), wrong).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    // A code is one member's or one partner's, however it is written.
    let anna = mall.shop.app.member("anna@b.test").await;
    let hers = get(&mall, &anna, "/v1/me/invite-code").await.ok(200)["code"].clone();
    let taken = new_code(hers.as_str().unwrap(), "1", json!({}));
    try_code(&mall, &ann, "hers", taken).await.refused(409, "code_taken");
    let made = code(&mall, &ann, "LOVE", "1", json!({})).await;
    assert_eq!(code(&mall, &ann, "LOVE", "1", json!({})).await, made, "a repeat");
    try_code(&mall, &ann, "LOVE", new_code("LOVE", "2", json!({})))
        .await
        .refused(422, "idempotency_key_reused");
    try_code(&mall, &ann, "other", new_code("l0ve", "1", json!({}))).await.refused(409, "code_taken");
    let random = json!({ "names": { "zh-CN": "安", "en": "Ann" }, "rate_percent": "1" });
    let random = try_code(&mall, &ann, "random", random).await.ok(201);
    assert_eq!(random["code"].as_str().unwrap().len(), 11);
    assert_eq!((count(&mall, "partners").await, count(&mall, "partner_codes").await), (1, 2));

    let path = format!("{PARTNERS}/{}", id(&ann));
    let patch = async |etag: &str, body: Value| {
        let request = mall.shop.app.patch(&path).bearer(&staff.token).header("If-Match", etag);
        request.json(&body).send().await
    };
    let changed = patch("\"v1\"", json!({ "name": "Ann", "account": anna.id })).await.ok(200);
    assert_eq!(
        (&changed["name"], &changed["account"], &changed["version"]),
        (&json!("Ann"), &json!(anna.id), &json!(2))
    );
    patch("\"v1\"", json!({ "name": "Bea" })).await.refused(412, "version_mismatch");
    assert_eq!(patch("\"v2\"", json!({ "account": null })).await.ok(200)["account"], Value::Null);
    let bare = mall.shop.app.patch(&path).bearer(&staff.token).json(&json!({})).send().await;
    bare.refused(428, "precondition_required");
    get(&mall, &staff, &format!("{PARTNERS}/ptr_00000000000000000000000000000001"))
        .await
        .refused(404, "not_found");
    let listed = get(&mall, &staff, PARTNERS).await.ok(200);
    assert_eq!((listed["data"].as_array().unwrap().len(), &listed["data"][0]["name"]), (1, &json!("Ann")));
    mall.finish().await;
}

//! Coupons: what they take off, whom they are for, and limits that hold when everyone comes at once.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

/// What a campaign is where a test doesn't say otherwise: 10 yuan off goods, with a shared code of its name.
async fn campaign(mall: &Mall, code: &str, more: Value) -> Value {
    let mut body = json!({
        "code": code,
        "names": { "zh-CN": "优惠", "en": "Off" },
        "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) },
    });
    let fields = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(fields);
    let made = admin(mall, "/v1/admin/coupon-campaigns", code, body).await.ok(201);
    if made["automatic"] == false {
        let path = format!("/v1/admin/coupon-campaigns/{}/shared-codes", text(&made["id"]));
        admin(mall, &path, code, json!({ "code": code })).await.ok(201);
    }
    made
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn admin(mall: &Mall, path: &str, key: &str, body: Value) -> Answer {
    mall.shop.app.post(path).bearer(&mall.owner.token).key(key).json(&body).send().await
}

fn with(mall: &Mall, lines: &Value, codes: &[&str]) -> Value {
    let mut body = mall.body(lines.clone());
    body["coupon_codes"] = json!(codes);
    body
}

async fn quote(mall: &Mall, person: &Person, lines: &Value, codes: &[&str]) -> Value {
    let body = with(mall, lines, codes);
    mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&body).send().await.ok(200)
}

async fn order(mall: &Mall, person: &Person, key: &str, lines: &Value, codes: &[&str]) -> Answer {
    let body = with(mall, lines, codes);
    mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
}

/// (discount, what the lines come to) of a quote or an order, in minor units.
fn off_and_left(priced: &Value) -> (i64, i64) {
    let minor = |field: &str| priced["totals"][field]["amount"].as_i64().unwrap();
    (minor("discount"), minor("due") - minor("shipping"))
}

/// Why the codes of a quote were refused; `applied` where one wasn't.
fn reasons(quote: &Value) -> Vec<String> {
    let told = |outcome: &Value| outcome["reason"].as_str().unwrap_or("applied").to_owned();
    quote["coupons"].as_array().unwrap().iter().map(told).collect()
}

/// Uses that are held, and such that are taken.
async fn uses(mall: &Mall, campaign: &Value) -> (i64, i64) {
    let code = text(&campaign["code"]);
    let of = async |state: &str| {
        let sql = format!(
            "SELECT p.{state} AS count FROM pools p JOIN coupon_campaigns c ON c.pool_id = p.id WHERE c.code = '{code}'"
        );
        count_sql(&mut *mall.shop.app.conn().await, &sql).await
    };
    (of("held").await, of("taken").await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_code_takes_its_sum_off_and_is_counted_until_the_order_ends() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis, "quantity": 2 }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let spring =
        campaign(&mall, "spring", json!({ "limits": { "per_person": 1, "budget": yuan(100) } })).await;

    let seen = quote(&mall, &anna, &lines, &[" sp-ring "]).await;
    assert_eq!((off_and_left(&seen), reasons(&seen)), ((1_000, 12_600), vec!["applied".to_owned()]));
    assert_eq!(seen["coupons"][0]["discount"], yuan(10));
    let placed = order(&mall, &anna, "a", &lines, &["spring"]).await.ok(201);
    assert_eq!(off_and_left(&placed), (1_000, 12_600));
    assert_eq!(placed["explanation"][1]["rule"], "coupon:spring");
    assert_eq!(uses(&mall, &spring).await, (1, 0));
    // The same request finds its own order, another one finds the limit reached.
    assert_eq!(order(&mall, &anna, "a", &lines, &["spring"]).await.ok(201)["id"], placed["id"]);
    let answer = order(&mall, &anna, "b", &lines, &["spring"]).await;
    let refused = answer.refused(422, "coupon_refused");
    assert_eq!(refused["errors"][0]["field"], "coupon_codes[0]");
    assert!(text(&refused["errors"][0]["detail"]).starts_with("coupon_person_limit"), "{refused}");

    // Cancelled, it can be used again; paid, it is used.
    let cancel = format!("/v1/orders/{}/cancel", text(&placed["id"]));
    mall.shop.app.post(&cancel).bearer(&anna.token).key("c").send().await.ok(200);
    assert_eq!(uses(&mall, &spring).await, (0, 0));
    let placed = order(&mall, &anna, "d", &lines, &["spring"]).await.ok(201);
    mall.shop.pay(&placed).await;
    assert_eq!(mall.shop.settled(&anna, &placed).await["state"], "paid");
    assert_eq!(uses(&mall, &spring).await, (0, 1));
    assert_eq!(mall.shop.simulator().book().captured_minor, 13_800);
    let path = format!("/v1/admin/coupon-campaigns/{}/figures", text(&spring["id"]));
    let figures = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200);
    let counted = ["issued", "held", "redeemed", "released"].map(|field| figures[field].as_i64().unwrap());
    assert_eq!(counted, [1, 0, 1, 1]);
    assert_eq!((&figures["discount"], &figures["budget"]), (&yuan(10), &yuan(100)));
    assert_eq!(figures["revenue"]["amount"], 13_800);

    // A full refund that puts the goods back on sale gives the use back too.
    let path = format!("/v1/admin/orders/{}/refunds", text(&placed["id"]));
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(uses(&mall, &spring).await, (0, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_best_lawful_set_is_used_whatever_the_order_of_the_codes() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 100, 50).await;
    let tea = mall.goods("TEA", 50, 50).await;
    let lines = json!([{ "variant": kiwis, "quantity": 2 }, { "variant": tea }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let percent = |percent: &str| json!({ "kind": "percentage", "percent": percent });
    campaign(&mall, "ten-off", json!({})).await;
    let fifth = json!({ "benefit": percent("20"), "combines_with": ["order"] });
    campaign(&mall, "fifth", fifth).await;
    let tenth = json!({ "class": "order", "benefit": percent("10"), "combines_with": ["product"] });
    campaign(&mall, "tenth", tenth).await;

    // 250 − 20 % = 200, − 10 % = 180: better than the 10 yuan that combine with nothing.
    for codes in [["ten-off", "fifth", "tenth"], ["tenth", "fifth", "ten-off"]] {
        let seen = quote(&mall, &anna, &lines, &codes).await;
        assert_eq!(off_and_left(&seen), (7_000, 18_000));
        let refused: Vec<_> = reasons(&seen).into_iter().filter(|reason| reason != "applied").collect();
        assert_eq!(refused, ["coupon_not_combined"]);
    }
    // Parts sum to the whole, and what a set doesn't need is no reason to refuse the order.
    let placed = order(&mall, &anna, "k", &lines, &["ten-off", "fifth", "tenth"]).await.ok(201);
    let of_lines = |field: &str| -> i64 {
        placed["lines"].as_array().unwrap().iter().map(|line| line[field]["amount"].as_i64().unwrap()).sum()
    };
    assert_eq!((of_lines("discount"), of_lines("total")), (7_000, 18_000));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_condition_is_asked_and_its_reason_told() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let tea = mall.goods("TEA", 30, 50).await;
    let one = json!([{ "variant": kiwis }]);
    let member = mall.member("member@b.test", &mall.regular).await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    let now = mall.shop.app.now();
    let make = async |code: &str, more: Value| campaign(&mall, code, more).await;
    make("members", json!({ "conditions": { "audience": { "who": "members" } } })).await;
    make("spend", json!({ "conditions": { "minimum_spend": yuan(69) } })).await;
    make("pieces", json!({ "conditions": { "minimum_quantity": 2 } })).await;
    make("first", json!({ "conditions": { "first_order": true } })).await;
    make("later", json!({ "starts_at": now + TimeDelta::hours(1) })).await;
    make("birthday", json!({ "conditions": { "birthday_month": true } })).await;
    make("tea", json!({ "scope": { "variants": [tea] } })).await;
    make("alipay", json!({ "conditions": { "payment_methods": ["alipay"] } })).await;
    let gift = json!({ "class": "gift_item", "benefit": { "kind": "gift", "variant": tea, "quantity": 1 } });
    make("gift", gift).await;
    let ask = async |person: &Person, lines: &Value, code: &str| {
        reasons(&quote(&mall, person, lines, &[code]).await).remove(0)
    };
    let two = json!([{ "variant": kiwis, "quantity": 2 }]);
    for (code, on_one, on_two) in [
        ("members", "coupon_members_only", "coupon_members_only"),
        ("spend", "coupon_minimum_spend", "applied"),
        ("pieces", "coupon_minimum_quantity", "applied"),
        ("first", "applied", "applied"),
        ("later", "coupon_not_started", "coupon_not_started"),
        ("birthday", "coupon_not_birthday_month", "coupon_not_birthday_month"),
        ("tea", "coupon_nothing_in_scope", "coupon_nothing_in_scope"),
        ("alipay", "applied", "applied"),
        ("gift", "coupon_gift_not_in_cart", "coupon_gift_not_in_cart"),
        ("nothing", "unknown_coupon", "unknown_coupon"),
    ] {
        assert_eq!(ask(&visitor, &one, code).await, on_one, "{code}");
        assert_eq!(ask(&visitor, &two, code).await, on_two, "{code}");
    }
    assert_eq!(ask(&member, &one, "members").await, "applied");
    let with_tea = json!([{ "variant": kiwis }, { "variant": tea, "quantity": 2 }]);
    let seen = quote(&mall, &visitor, &with_tea, &["gift"]).await;
    assert_eq!(off_and_left(&seen), (3_000, 9_800));
    // Only as it is allowed.
    let placed = order(&mall, &visitor, "m", &one, &["alipay"]).await.ok(201);
    assert_eq!(placed["payment"]["methods"], json!(["alipay"]));
    assert_eq!(ask(&visitor, &one, "first").await, "coupon_first_order_only");
    // The same code twice, and a birthday.
    assert_eq!(reasons(&quote(&mall, &visitor, &one, &["spend", "SP-END"]).await)[1], "coupon_repeated");
    let month = now.format("%m-15").to_string();
    let patched = mall.shop.app.patch("/v1/me").bearer(&visitor.token);
    patched.json(&json!({ "birthday": month })).send().await.ok(200);
    assert_eq!(ask(&visitor, &one, "birthday").await, "applied");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_limit_is_passed_when_everyone_comes_at_once() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 500).await;
    let lines = json!([{ "variant": kiwis }]);
    let limits = json!({ "limits": { "total": 7, "per_person": 1 } });
    let total = campaign(&mall, "total", limits).await;
    // 65 yuan pay for six uses of 10.
    let budget = campaign(&mall, "budget", json!({ "limits": { "budget": yuan(65) } })).await;
    let daily = campaign(&mall, "daily", json!({ "limits": { "per_day": 5 } })).await;
    let people = mall.members(24).await;
    for (campaign, code, most, reason) in [
        (&total, "total", 7, "coupon_used_up"),
        (&budget, "budget", 6, "coupon_budget_used_up"),
        (&daily, "daily", 5, "coupon_day_used_up"),
    ] {
        let codes = [code];
        let tries = people.iter().map(|person| order(&mall, person, code, &lines, &codes));
        let answers = join_all(tries).await;
        let refused = answers.iter().filter(|answer| answer.status == 422);
        assert_eq!(answers.len() - refused.clone().count(), most, "{code}");
        for answer in refused {
            assert!(text(&answer.json["errors"][0]["detail"]).starts_with(reason), "{code}");
        }
        assert_eq!(uses(&mall, campaign).await, (i64::try_from(most).unwrap(), 0));
    }
    // One person, many windows and an address with a tag.
    let once = campaign(&mall, "once", json!({ "limits": { "per_person": 1 } })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let tagged = mall.shop.app.member("anna+two@b.test").await;
    let keys: Vec<_> = (0..8).map(|n| format!("once {n}").replace(' ', "-")).collect();
    let tries = keys
        .iter()
        .enumerate()
        .map(|(n, key)| order(&mall, if n % 2 == 0 { &anna } else { &tagged }, key, &lines, &["once"]));
    let made = join_all(tries).await.iter().filter(|answer| answer.status == 201).count();
    assert_eq!((made, uses(&mall, &once).await), (1, (1, 0)));

    // The next day there are new ones.
    mall.shop.app.advance(TimeDelta::days(1)).await;
    let anna = mall.shop.app.sign_in(&anna.email).await;
    order(&mall, &anna, "tomorrow", &lines, &["daily"]).await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_many_is_used_once_and_many_are_made_by_a_job() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    let spring = campaign(&mall, "spring", json!({})).await;
    let path = format!("/v1/admin/coupon-campaigns/{}", text(&spring["id"]));
    let body = json!({ "quantity": 25_000, "prefix": "box" });
    let issue = admin(&mall, &format!("{path}/coupons"), "i", body.clone()).await.ok(202);
    assert_eq!(admin(&mall, &format!("{path}/coupons"), "i", body).await.ok(202)["id"], issue["id"]);
    mall.shop.settle().await;
    let issue = format!("/v1/admin/coupon-issues/{}", text(&issue["id"]));
    let made = mall.shop.app.get(&issue).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!((&made["made"], made["ended_at"].is_string()), (&json!(25_000), true));
    let csv = mall.shop.app.get(&format!("{path}/coupons?issue={}", text(&made["id"])));
    let csv = csv.bearer(&mall.owner.token).header("Accept", "text/csv").send().await.text;
    let codes: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect();
    assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 25_000);
    assert!(codes.iter().all(|code| code.starts_with("B0X") && code.len() == 16), "{}", codes[0]);

    // Used once, whoever comes with it at the same moment; while it waits for its payment it is held.
    let people = mall.members(12).await;
    let first = [codes[0].as_str()];
    let tries = people.iter().map(|person| order(&mall, person, "k", &lines, &first));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let check = async |code: &str| {
        let body = json!({ "code": code });
        mall.shop.app.post("/v1/coupons/check").bearer(&people[0].token).json(&body).send().await
    };
    assert_eq!(check(&codes[0]).await.ok(200)["refusal"], "coupon_held");
    // Read out with hyphens, small letters and letters that look alike.
    let typed = codes[1].to_lowercase().replace('0', "o").replace('1', "l");
    assert_eq!(check(&format!("{}-{}", &typed[..4], &typed[4..])).await.ok(200)["may_use"], true);
    // One is revoked, then those of the issue, twice.
    let find = mall.shop.app.post("/v1/admin/coupons/find").bearer(&mall.owner.token);
    let coupon = find.json(&json!({ "code": codes[1] })).send().await.ok(200);
    let revoke = async |body: Value| {
        let request = mall.shop.app.post(&format!("{path}/revocations")).bearer(&mall.owner.token);
        request.json(&body).send().await.ok(200)["revoked"].clone()
    };
    assert_eq!(revoke(json!({ "coupon": coupon["id"], "reason": "Leaked." })).await, 1);
    assert_eq!(check(&codes[1]).await.ok(200)["refusal"], "coupon_revoked");
    assert_eq!(revoke(json!({ "issue": made["id"], "reason": "Leaked." })).await, 24_999);
    assert_eq!(revoke(json!({ "issue": made["id"], "reason": "Leaked." })).await, 0);
    assert_eq!(reasons(&quote(&mall, &people[1], &lines, &[&codes[2]]).await), ["coupon_revoked"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_codes_is_stopped() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    campaign(&mall, "spring", json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let ben = mall.shop.app.member("ben@b.test").await;
    for n in 0..15 {
        quote(&mall, &anna, &lines, &[&format!("wrong{n}")]).await;
        order(&mall, &anna, &format!("k{n}"), &lines, &[&format!("wrong{n}")])
            .await
            .refused(422, "coupon_refused");
    }
    order(&mall, &anna, "k", &lines, &["spring"]).await.refused(429, "too_many_attempts");
    let check = async |person: &Person| {
        let body = json!({ "code": "spring" });
        mall.shop.app.post("/v1/coupons/check").bearer(&person.token).json(&body).send().await
    };
    check(&anna).await.refused(429, "too_many_attempts");
    check(&ben).await.ok(200);
    // Without a code everything goes on.
    order(&mall, &anna, "k", &lines, &[]).await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_coupons_are_in_the_wallet_and_proposed() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let thanks = campaign(&mall, "thanks", json!({ "valid_days": 30 })).await;
    let path = format!("/v1/admin/coupon-campaigns/{}/grants", text(&thanks["id"]));
    let body = json!({ "accounts": [anna.id], "reason": "For waiting." });
    assert_eq!(admin(&mall, &path, "g", body.clone()).await.ok(201)["given"], 1);
    admin(&mall, &path, "g", body).await.ok(201);
    let wallet = async |person: &Person| {
        mall.shop.app.get("/v1/me/coupons").bearer(&person.token).send().await.ok(200)["data"].clone()
    };
    let own = wallet(&anna).await;
    assert_eq!((own.as_array().unwrap().len(), &own[0]["state"]), (1, &json!("usable")));
    let code = text(&own[0]["code"]).to_owned();
    let seen = quote(&mall, &anna, &lines, &[]).await;
    assert_eq!(seen["better_coupons"], json!({ "coupon_codes": [code], "due": yuan(70) }));
    assert_eq!(reasons(&quote(&mall, &ben, &lines, &[&code]).await), ["coupon_not_yours"]);
    let placed = order(&mall, &anna, "k", &lines, &[&code]).await.ok(201);
    assert_eq!(off_and_left(&placed), (1_000, 5_800));
    assert_eq!(wallet(&anna).await[0]["state"], "held");
    mall.shop.pay(&placed).await;
    mall.shop.settled(&anna, &placed).await;
    assert_eq!(wallet(&anna).await[0]["state"], "used");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_needs_no_payment_and_too_little_is_refused() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let ship = json!({
        "class": "shipping", "benefit": { "kind": "percentage", "percent": "100" }, "combines_with": ["product"],
    });
    campaign(&mall, "ship", ship).await;
    let with_ship = |benefit: Value| json!({ "benefit": benefit, "combines_with": ["shipping"], "limits": { "per_person": 1 } });
    let free = campaign(&mall, "free", with_ship(json!({ "kind": "percentage", "percent": "100" }))).await;
    let off = |minor: i64| json!({ "kind": "amount", "off": { "amount": minor, "currency": "CNY" } });
    campaign(&mall, "nearly", with_ship(off(6_401))).await;
    campaign(&mall, "least", with_ship(off(6_400))).await;
    let placed = order(&mall, &anna, "k", &lines, &["free", "ship"]).await.ok(201);
    assert_eq!((off_and_left(&placed), &placed["totals"]["shipping"]), ((6_800, 0), &yuan(0)));
    assert_eq!(placed["payment"]["state"], "not_needed");
    let settled = mall.shop.settled(&anna, &placed).await;
    assert_eq!((&settled["state"], uses(&mall, &free).await), (&json!("paid"), (0, 1)));
    // Stripe takes no less than four yuan: with 3.99 left for the goods the parcel is paid for.
    let placed = order(&mall, &anna, "n", &lines, &["nearly", "ship"]).await.ok(201);
    assert_eq!(placed["totals"]["due"]["amount"], 1_599);
    order(&mall, &anna, "l", &lines, &["least", "ship"]).await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_whose_order_was_paid_late_counts_or_the_money_goes_back() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    let limits = json!({ "limits": { "total": 1 } });
    let single = campaign(&mall, "single", limits).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let late = order(&mall, &anna, "k", &lines, &["single"]).await.ok(201);
    mall.shop.on_page(&late, &[("action", "pay_late"), ("method", "wechat_pay"), ("delay", "300000")]).await;
    mall.shop.app.advance(TimeDelta::days(3) + TimeDelta::minutes(20)).await;
    let ben = mall.shop.app.sign_in(&ben.email).await;
    assert_eq!(uses(&mall, &single).await, (0, 0));
    let other = order(&mall, &ben, "o", &lines, &["single"]).await.ok(201);
    mall.shop.pay(&other).await;
    mall.shop.settled(&ben, &other).await;
    assert_eq!(uses(&mall, &single).await, (0, 1));
    // The first one's money comes: the one use is another's, so it goes back.
    mall.shop.app.advance(TimeDelta::days(1)).await;
    mall.shop.settle().await;
    assert_eq!(mall.shop.simulator().book().refunded_minor, 7_000);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_keeps_what_it_promised() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let now = mall.shop.app.now();
    let more = json!({ "limits": { "total": 5, "per_person": 2 }, "ends_at": now + TimeDelta::days(10) });
    let spring = campaign(&mall, "spring", more).await;
    order(&mall, &anna, "k", &lines, &["spring"]).await.ok(201);
    order(&mall, &anna, "l", &lines, &["spring"]).await.ok(201);
    let path = format!("/v1/admin/coupon-campaigns/{}", text(&spring["id"]));
    let change = async |version: i64, body: Value| {
        let request = mall.shop.app.patch(&path).bearer(&mall.owner.token);
        request.header("If-Match", &format!("\"v{version}\"")).json(&body).send().await
    };
    for body in [
        json!({ "benefit": { "kind": "amount", "off": yuan(5) } }),
        json!({ "scope": { "variants": [kiwis] } }),
        json!({ "conditions": { "first_order": true } }),
        json!({ "limits": { "per_person": 1 } }),
        json!({ "ends_at": now + TimeDelta::days(9) }),
        json!({ "limits": { "budget": yuan(100) } }),
    ] {
        change(1, body).await.refused(409, "campaign_in_use");
    }
    change(1, json!({ "limits": { "total": 1 } })).await.refused(409, "limit_below_uses");
    let changed =
        change(1, json!({ "limits": { "total": 2, "per_person": 3 }, "priority": 5 })).await.ok(200);
    assert_eq!((&changed["limits"]["total"], &changed["priority"]), (&json!(2), &json!(5)));
    change(1, json!({ "priority": 6 })).await.refused(412, "version_mismatch");
    assert_eq!(reasons(&quote(&mall, &anna, &lines, &["spring"]).await), ["coupon_used_up"]);

    // A copy begins paused, with limits and figures of its own; simulated, it is told what it would do.
    let copy = admin(&mall, &format!("{path}/copy"), "c", json!({ "code": "autumn" })).await.ok(201);
    assert_eq!((&copy["limits"]["total"], copy["paused_at"].is_string()), (&json!(2), true));
    let copied = format!("/v1/admin/coupon-campaigns/{}", text(&copy["id"]));
    let mut asked = json!({ "account": anna.id, "lines": lines, "coupon_codes": ["spring"] });
    asked["shipping"] = mall.body(json!([]))["shipping"].clone();
    let told = admin(&mall, &format!("{copied}/simulate"), "s", asked).await.ok(200);
    assert_eq!(told["totals"]["due"], yuan(70));
    assert_eq!(reasons(&told), ["coupon_used_up", "applied"]);
    for (act, state) in [("resume", "paused_at"), ("pause", "paused_at"), ("archive", "archived_at")] {
        let done =
            mall.shop.app.post(&format!("{copied}/{act}")).bearer(&mall.owner.token).send().await.ok(200);
        assert_eq!(done[state].is_string(), act != "resume");
    }
    mall.shop
        .app
        .post(&format!("{copied}/resume"))
        .bearer(&mall.owner.token)
        .send()
        .await
        .refused(409, "closed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_no_code_applies_by_itself() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let lines = json!([{ "variant": kiwis, "quantity": 3 }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let pack = json!({ "automatic": true, "benefit": { "kind": "buy_get", "buy": 2, "get": 1 } });
    campaign(&mall, "three-for-two", pack).await;
    let limited = json!({ "automatic": true, "benefit": { "kind": "percentage", "percent": "50" }, "limits": { "total": 1 } });
    let half = campaign(&mall, "half", limited).await;
    let first = order(&mall, &anna, "a", &lines, &[]).await.ok(201);
    assert_eq!((off_and_left(&first), uses(&mall, &half).await), ((10_200, 10_200), (1, 0)));
    // The limited one is used up: the other one applies, and nobody is told of what he never asked for.
    let second = quote(&mall, &anna, &lines, &[]).await;
    assert_eq!((off_and_left(&second), reasons(&second)), ((6_800, 13_600), vec!["applied".to_owned()]));
    let uses = "SELECT count(*) AS count FROM coupon_uses";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, uses).await, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_no_campaign_is_refused_by_field() {
    let mall = Mall::open().await;
    let now = mall.shop.app.now();
    let base = json!({
        "code": "x", "names": { "zh-CN": "优", "en": "Off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(1) },
    });
    for (field, more) in [
        ("benefit.percent", json!({ "benefit": { "kind": "percentage", "percent": "100.01" } })),
        ("benefit.percent", json!({ "benefit": { "kind": "percentage", "percent": "0" } })),
        ("benefit.percent", json!({ "benefit": { "kind": "percentage", "percent": "-5" } })),
        ("benefit.off", json!({ "benefit": { "kind": "amount", "off": yuan(0) } })),
        (
            "benefit.off.currency",
            json!({ "benefit": { "kind": "amount", "off": { "amount": 1, "currency": "USD" } } }),
        ),
        (
            "benefit.kind",
            json!({ "class": "shipping", "benefit": { "kind": "buy_get", "buy": 1, "get": 1 } }),
        ),
        ("benefit.buy", json!({ "benefit": { "kind": "buy_get", "buy": 0, "get": 1 } })),
        ("scope", json!({ "scope": { "tiers": ["regular"] } })),
        ("scope.tiers", json!({ "class": "membership", "scope": { "tiers": ["nobody"] } })),
        ("limits.total", json!({ "limits": { "total": 0 } })),
        ("limits.per_person", json!({ "limits": { "per_person": -1 } })),
        ("limits.per_order", json!({ "limits": { "per_order": 2 } })),
        ("limits.budget.amount", json!({ "limits": { "budget": yuan(0) } })),
        ("ends_at", json!({ "starts_at": now, "ends_at": now })),
        ("conditions.payment_methods", json!({ "conditions": { "payment_methods": ["cash"] } })),
        (
            "conditions.audience.at_least",
            json!({ "conditions": { "audience": { "who": "tier", "at_least": "gold" } } }),
        ),
        ("conditions.newcomer_days", json!({ "conditions": { "newcomer_days": 0 } })),
    ] {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = admin(&mall, "/v1/admin/coupon-campaigns", "x", body).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    let mut warned = base.clone();
    warned["scope"] = json!({ "categories": ["nothing"] });
    let made = admin(&mall, "/v1/admin/coupon-campaigns", "w", warned).await.ok(201);
    assert_eq!(made["warnings"], json!(["scope_matches_nothing", "no_code_yet"]));
    admin(&mall, "/v1/admin/coupon-campaigns", "w2", base).await.refused(409, "code_taken");
    let codes = "SELECT count(*) AS count FROM coupons";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, codes).await, 0);
    mall.finish().await;
}

//! What merchants give: codes of their own, each to one person, and vouchers that one counter takes.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person, Request};

async fn admin(mall: &Mall, path: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(path).bearer(&owner.token).key("k").json(&body).send().await
}

async fn seen(mall: &Mall, path: &str) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.get(path).bearer(&owner.token).send().await.ok(200)
}

fn names(name: &str) -> Value {
    json!({ "zh-CN": name, "en": name })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A noodle house and one treat of it, given out to so many.
async fn treat(mall: &Mall, kind: &str, per_round: i64, more: Value) -> (Value, Value) {
    let merchant = json!({ "code": "noodles", "names": names("Noodle house") });
    let merchant = admin(mall, "/v1/admin/merchants", merchant).await.ok(201);
    let mut body = json!({
        "code": "bowl", "merchant": merchant["id"], "kind": kind, "names": names("A bowl"), "terms": names("Eat in."),
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let treat = admin(mall, "/v1/admin/treats", body).await.ok(201);
    let now = mall.shop.app.now();
    let give_out = json!({
        "code": "lunch", "treat": treat["id"], "starts_at": now, "ends_at": now + TimeDelta::days(30), "per_round": per_round,
    });
    admin(mall, "/v1/admin/give-outs", give_out).await.ok(201);
    (merchant, treat)
}

async fn claim(mall: &Mall, person: &Person, key: &str) -> Answer {
    mall.shop.app.post("/v1/coupon-campaigns/lunch/claim").bearer(&person.token).key(key).send().await
}

async fn wallet(mall: &Mall, person: &Person) -> Vec<Value> {
    let seen = mall.shop.app.get("/v1/me/coupons").bearer(&person.token).send().await.ok(200);
    seen["data"].as_array().unwrap().clone()
}

async fn upload(mall: &Mall, query: &str, csv: &str) -> Value {
    let path = format!("/v1/admin/treat-code-imports{query}");
    let request = mall.shop.app.client.post(format!("{}{path}", mall.shop.app.url));
    let request =
        request.bearer_auth(&mall.owner.token).header("Content-Type", "text/csv").body(csv.to_owned());
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let told: Value = answer.json().await.unwrap();
    mall.shop.app.drain().await;
    seen(mall, &format!("/v1/admin/treat-code-imports/{}", text(&told["id"]))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_code_of_a_merchant_goes_to_one_person_and_is_good_only_there() {
    let mall = Mall::open().await;
    treat(&mall, "partner_coupon", 100, json!({})).await;
    let codes: String = (0..20).map(|n| format!("bowl,NOODLE-{n:02},\n")).collect();
    let file = format!(
        "treat,code,expires_at\n{codes}bowl,NOODLE-07,\nno-such,X,\nbowl,,\nbowl,LATE,2001-01-01T00:00:00Z\nbowl,ODD,soon\n"
    );
    // A dry run tells the same and takes nothing in.
    for (query, there) in [("?dry_run=true", 0), ("", 20)] {
        let told = upload(&mall, query, &file).await;
        assert_eq!((&told["created"], &told["lines_failed"]), (&json!(20), &json!(5)));
        let errors: Vec<_> = told["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| {
                (
                    error["line"].as_i64().unwrap(),
                    text(&error["column"]).to_owned(),
                    text(&error["code"]).to_owned(),
                )
            })
            .collect();
        let expected = [
            (22, "code", "code_taken"),
            (23, "treat", "not_found"),
            (24, "code", "invalid_field"),
            (25, "expires_at", "invalid_field"),
            (26, "expires_at", "invalid_field"),
        ];
        assert_eq!(errors, expected.map(|(line, column, code)| (line, column.to_owned(), code.to_owned())));
        assert_eq!(seen(&mall, "/v1/admin/treats").await["data"][0]["left"], there);
    }
    // The same file again takes nothing in twice.
    assert_eq!(upload(&mall, "", &file).await["created"], 0);

    let people = mall.members_named("p", 40).await;
    let answers = join_all(
        people.iter().flat_map(|person| ["k", "k", "other"].into_iter().map(|key| claim(&mall, person, key))),
    )
    .await;
    let mut given = Vec::new();
    for (person, own) in people.iter().zip(answers.chunks(3)) {
        let held = wallet(&mall, person).await;
        for answer in own.iter().filter(|answer| answer.status == 201) {
            assert_eq!(answer.json["code"], held[0]["code"]);
        }
        assert!(held.len() <= 1);
        given.extend(held.into_iter().map(|item| text(&item["code"]).to_owned()));
    }
    given.sort_unstable();
    let all: Vec<_> = (0..20).map(|n| format!("NOODLE-{n:02}")).collect();
    assert_eq!(given, all, "each code once");
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.clone().all(|answer| {
        ["given_out", "cap_reached", "request_in_progress"].contains(&text(&answer.json["code"]))
    }));

    // In the wallet with whose it is; typed here, its holder is told where it is good, and others that there is no such.
    let (holder, stranger) = (
        people.iter().zip(answers.chunks(3)).find(|(_, own)| own[0].status == 201).unwrap().0,
        mall.shop.app.member("stranger@b.test").await,
    );
    let item = &wallet(&mall, holder).await[0];
    assert_eq!((&item["kind"], &item["state"]), (&json!("partner_coupon"), &json!("usable")));
    assert_eq!(item["merchant"], json!({ "code": "noodles", "name": "Noodle house", "terms": "Eat in." }));
    let tea = mall.goods("TEA", 90, 10).await;
    for (person, reason) in [(holder, "coupon_good_elsewhere"), (&stranger, "unknown_coupon")] {
        let mut body = mall.body(json!([{ "variant": tea }]));
        body["coupon_codes"] = json!([item["code"]]);
        let quote = mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&body).send().await.ok(200);
        assert_eq!(quote["coupons"][0]["reason"], reason);
        let order = mall.shop.app.post("/v1/orders").bearer(&person.token).key("o").json(&body).send().await;
        order.refused(422, "coupon_refused");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_that_ends_next_is_given_first_and_none_that_has_ended() {
    let mall = Mall::open().await;
    treat(&mall, "partner_coupon", 100, json!({})).await;
    let at = |hours: i64| (mall.shop.app.now() + TimeDelta::hours(hours)).to_rfc3339();
    let file = format!(
        "treat,code,expires_at\nbowl,NEVER,\nbowl,LATER,{}\nbowl,GONE,{}\nbowl,SOON,{}\n",
        at(72),
        at(1),
        at(48)
    );
    // Two files with the same codes at once: each code is taken in once, and the lines of the other one are told.
    let both = tokio::join!(upload(&mall, "", &file), upload(&mall, "", &file));
    let of = |field: &str| both.0[field].as_i64().unwrap() + both.1[field].as_i64().unwrap();
    assert_eq!((of("created"), of("lines_failed")), (4, 4));
    for told in [&both.0, &both.1] {
        assert_eq!(told["state"], "done", "{told}");
    }
    mall.shop.advance(TimeDelta::hours(2)).await;
    for (email, code) in [("a@b.test", "SOON"), ("b@b.test", "LATER"), ("c@b.test", "NEVER")] {
        let person = mall.shop.app.member(email).await;
        assert_eq!(claim(&mall, &person, "k").await.ok(201)["code"], code);
    }
    let late = mall.shop.app.member("late@b.test").await;
    claim(&mall, &late, "k").await.refused(409, "given_out");
    mall.finish().await;
}

/// A key of a counter of that merchant.
async fn counter(mall: &Mall, merchant: &Value, outlet: &str) -> String {
    let body = json!({
        "name": outlet, "roles": ["counter"], "counter": { "merchant": merchant["id"], "outlet": outlet },
    });
    let made = admin(mall, "/v1/admin/api-keys", body).await.ok(201);
    assert_eq!(made["counter"]["outlet"], outlet);
    text(&made["key"]).to_owned()
}

async fn redeem(mall: &Mall, key: &str, request: &str, code: &str) -> Answer {
    let path = "/v1/admin/counter-vouchers/redeem";
    mall.shop.app.post(path).bearer(key).key(request).json(&json!({ "code": code })).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_counters_one_takes_a_voucher_and_the_other_is_told_where() {
    let mall = Mall::open().await;
    let worth = json!({ "face_value": yuan(88), "valid_days": 7 });
    let (merchant, _) = treat(&mall, "voucher", 12, worth).await;
    let people = mall.members_named("p", 40).await;
    let answers = join_all(people.iter().map(|person| claim(&mall, person, "k"))).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(won.len(), 12);
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| {
        answer.refused(409, "given_out");
    });
    assert_eq!((&won[0].json["kind"], &won[0].json["face_value"]), (&json!("voucher"), &yuan(88)));
    let public = mall.shop.app.get("/v1/coupon-campaigns/lunch").send().await.ok(200);
    assert_eq!((&public["face_value"], &public["merchant"]["code"]), (&yuan(88), &json!("noodles")));

    // Thirty counters at once, each with a key of its own, want the same ten vouchers.
    let keys = join_all((0..3).map(|n| {
        let (mall, merchant) = (&mall, &merchant);
        async move { counter(mall, merchant, &format!("Counter {n}")).await }
    }))
    .await;
    let codes: Vec<_> = won.iter().map(|answer| text(&answer.json["code"]).to_owned()).collect();
    let tries = join_all(
        codes[..10]
            .iter()
            .flat_map(|code| {
                let typed = format!(" {}-{} ", &code[..4], code[4..].to_lowercase());
                keys.iter().map(|key| (key.clone(), typed.clone())).collect::<Vec<_>>()
            })
            .enumerate()
            .map(|(n, (key, typed))| {
                let mall = &mall;
                async move { redeem(mall, &key, &format!("r{n}"), &typed).await }
            }),
    )
    .await;
    for of_code in tries.chunks(3) {
        let taken: Vec<_> = of_code.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(taken.len(), 1, "{of_code:?}");
        for other in of_code.iter().filter(|answer| answer.status != 200) {
            let told = other.refused(409, "voucher_redeemed");
            assert_eq!(told["errors"][0]["field"], "redeemed_at");
            assert_eq!(told["errors"][1], json!({ "field": "outlet", "detail": taken[0].json["outlet"] }));
        }
    }
    // A lost answer is asked for again.
    let winner = tries.iter().position(|answer| answer.status == 200).unwrap();
    let again = redeem(&mall, &keys[winner % 3], &format!("r{winner}"), &codes[winner / 3]).await;
    again.refused(422, "idempotency_key_reused");
    let typed = format!(" {}-{} ", &codes[winner / 3][..4], codes[winner / 3][4..].to_lowercase());
    let again = redeem(&mall, &keys[winner % 3], &format!("r{winner}"), &typed).await.ok(200);
    assert_eq!(again, tries[winner].json);

    // Another merchant's counter knows no such voucher; one that has ended isn't taken.
    let other = json!({ "code": "tea-house", "names": names("Tea house") });
    let other = admin(&mall, "/v1/admin/merchants", other).await.ok(201);
    let foreign = counter(&mall, &other, "Elsewhere").await;
    redeem(&mall, &foreign, "f", &codes[11]).await.refused(404, "not_found");
    redeem(&mall, &keys[0], "g", "NO-SUCH-CODE").await.refused(404, "not_found");
    redeem(&mall, &keys[0], "l", &codes[10]).await.ok(200);
    mall.shop.advance(TimeDelta::days(7)).await;
    redeem(&mall, &keys[0], "m", &codes[11]).await.refused(409, "voucher_expired");

    // What is owed, by merchant and day, as JSON and as CSV; and the figures.
    let report = seen(&mall, "/v1/admin/reports/counter-vouchers").await;
    assert_eq!((&report["vouchers"], &report["value"]), (&json!(11), &yuan(11 * 88)));
    let counted: i64 = report["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| {
            assert_eq!(day["merchant"], "noodles");
            day["vouchers"].as_i64().unwrap()
        })
        .sum();
    assert_eq!(counted, 11);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let csv = mall.shop.app.get("/v1/admin/reports/counter-vouchers").header("Accept", "text/csv");
    let csv = csv.bearer(&owner.token).send().await;
    assert!(csv.text.starts_with("day,merchant,vouchers,value_minor,currency"), "{}", csv.text);
    let sum: i64 =
        csv.text.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().parse::<i64>().unwrap()).sum();
    assert_eq!(sum, 11 * 8_800);
    let figures = seen(&mall, "/v1/admin/treats").await["data"][0].clone();
    let figures = ["claimed", "redeemed", "expired"].map(|field| figures[field].as_i64().unwrap());
    assert_eq!(figures, [12, 11, 1]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counters_key_can_do_nothing_else_and_nobody_else_its_work() {
    let mall = Mall::open().await;
    let (merchant, _) = treat(&mall, "voucher", 1, json!({ "face_value": yuan(1) })).await;
    let key = counter(&mall, &merchant, "Nanjing Road").await;
    for path in
        ["products", "orders", "coupon-campaigns", "treats", "reports/counter-vouchers", "jobs", "accounts"]
    {
        let path = format!("/v1/admin/{path}");
        mall.shop.app.get(&path).bearer(&key).send().await.refused(403, "forbidden");
    }
    let post =
        |path: &'static str, key: &str| -> Request<'_> { mall.shop.app.post(path).bearer(key).key("x") };
    post("/v1/admin/give-outs", &key).json(&json!({})).send().await.refused(403, "forbidden");
    mall.shop.app.get("/v1/me").bearer(&key).send().await.refused(401, "unauthenticated");
    let manager = mall.shop.app.operator(Role::Manager).await;
    for token in [&mall.owner.token, &manager.token] {
        let asked = post("/v1/admin/counter-vouchers/redeem", token).json(&json!({ "code": "x" }));
        asked.send().await.refused(403, "forbidden");
    }
    let place = json!({ "merchant": merchant["id"], "outlet": "x" });
    for more in [
        json!({ "roles": ["counter"] }),
        json!({ "roles": ["manager"], "counter": place }),
        json!({ "roles": ["counter", "manager"], "counter": place }),
    ] {
        let mut body = json!({ "name": "x" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = admin(&mall, "/v1/admin/api-keys", body).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "counter");
    }
    // No person is a counter.
    let path = format!("/v1/admin/accounts/{}", manager.id);
    let shown = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await;
    let version = shown.header("etag").to_owned();
    let body = json!({ "roles": ["counter"], "reason": "x" });
    let asked = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", &version).json(&body);
    asked.send().await.refused(422, "invalid_field");
    for (field, more) in [
        ("face_value", json!({ "kind": "voucher" })),
        ("face_value", json!({ "kind": "partner_coupon", "face_value": yuan(1) })),
        ("face_value", json!({ "kind": "voucher", "face_value": yuan(0) })),
        ("valid_days", json!({ "kind": "partner_coupon", "valid_days": 1 })),
    ] {
        let mut body =
            json!({ "code": "other", "merchant": merchant["id"], "names": names("x"), "terms": names("x") });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let refused = admin(&mall, "/v1/admin/treats", body).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    mall.finish().await;
}

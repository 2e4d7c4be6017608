//! Coupons for one sale of a plan: joining, renewing, upgrading, giving; and what they do to renewals by saved card.

use serde_json::{Value, json};

use crate::renewals::{Club, plan};
use crate::support::Person;
use crate::support::http::Answer;
use crate::support::mall::yuan;

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn admin(club: &Club, path: &str, body: &Value) -> Answer {
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    let key = uuid::Uuid::new_v4().to_string();
    club.shop.app.post(path).bearer(&owner.token).key(&key).json(body).send().await
}

/// A tenth off plans, with a shared code of its name unless it needs none.
async fn campaign(club: &Club, code: &str, more: Value) -> Value {
    let mut body = json!({
        "code": code, "names": { "zh-CN": "优惠", "en": "Off" }, "class": "membership",
        "benefit": { "kind": "percentage", "percent": "10" },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = admin(club, "/v1/admin/coupon-campaigns", &body).await.ok(201);
    if made["automatic"] == false {
        let path = format!("/v1/admin/coupon-campaigns/{}/shared-codes", text(&made["id"]));
        admin(club, &path, &json!({ "code": code })).await.ok(201);
    }
    made
}

async fn pause(club: &Club, campaign: &Value) {
    let path = format!("/v1/admin/coupon-campaigns/{}/pause", text(&campaign["id"]));
    assert!(admin(club, &path, &json!({})).await.status < 300);
}

fn cart(line: Value, codes: &[&str]) -> Value {
    json!({
        "lines": [line], "coupon_codes": codes, "success_url": "http://shop.test/",
        "cancel_url": "http://shop.test/",
    })
}

/// (what becomes of the code, what is due).
async fn quoted(club: &Club, person: &Person, line: &Value, code: &str) -> (String, Value) {
    let body = cart(line.clone(), &[code]);
    let quote = club.shop.app.post("/v1/quotes").bearer(&person.token).json(&body).send().await.ok(200);
    let reason = quote["coupons"][0]["reason"].as_str().unwrap_or("applied").to_owned();
    (reason, quote["totals"]["due"].clone())
}

async fn place(club: &Club, person: &Person, key: &str, line: &Value, codes: &[&str]) -> Answer {
    let body = cart(line.clone(), codes);
    club.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
}

fn applied(due: Value) -> (String, Value) {
    ("applied".to_owned(), due)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_for_the_sale_that_it_names() {
    let club = Club::open().await;
    for sale in ["join", "renewal", "upgrade", "gift"] {
        campaign(&club, sale, json!({ "scope": { "sales": [sale] } })).await;
    }
    let other = |due| ("coupon_other_sale".to_owned(), due);
    let ada = club.shop.app.member("ada@example.org").await;
    let plan = json!({ "plan": club.regular["id"] });
    let gift = json!({ "gift": { "plan": club.regular["id"] } });
    assert_eq!(quoted(&club, &ada, &plan, "renewal").await, other(yuan(200)));
    assert_eq!(quoted(&club, &ada, &plan, "join").await, applied(yuan(180)));
    assert_eq!(quoted(&club, &ada, &gift, "join").await, other(yuan(200)));
    assert_eq!(quoted(&club, &ada, &gift, "gift").await, applied(yuan(180)));
    let answer = place(&club, &ada, "join", &plan, &["renewal"]).await;
    let refused = answer.refused(422, "coupon_refused");
    assert!(text(&refused["errors"][0]["detail"]).starts_with("coupon_other_sale"), "{refused}");

    let ada = club.member("eva@example.org", &club.regular).await;
    let up = json!({ "plan": club.diehard["id"], "mode": "restart" });
    let up = club.shop.app.post("/v1/upgrade-quotes").bearer(&ada.token).json(&up).send().await.ok(201);
    let up = json!({ "upgrade_quote": up["id"] });
    assert_eq!(quoted(&club, &ada, &up, "renewal").await.0, "coupon_other_sale");
    assert_eq!(quoted(&club, &ada, &up, "upgrade").await.0, "applied");
    // The same plan again, and the renewal that she orders herself; in grace too.
    club.say(&ada, "renewal", json!({ "on": false })).await.ok(200);
    let ada = club.to_end(-1, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "grace");
    let renewal = club.shop.app.post("/v1/renewals").bearer(&ada.token).send().await;
    let renewal = json!({ "renewal": renewal.ok(201)["id"] });
    for line in [&plan, &renewal] {
        assert_eq!(quoted(&club, &ada, line, "join").await, other(yuan(200)), "{line}");
        assert_eq!(quoted(&club, &ada, line, "renewal").await, applied(yuan(180)), "{line}");
    }
    // Whose membership is over joins anew.
    let ada = club.to_end(-8, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "expired");
    assert_eq!(quoted(&club, &ada, &plan, "renewal").await, other(yuan(200)));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_ordered_with_a_code_and_its_worth_is_what_was_paid() {
    let club = Club::open().await;
    campaign(&club, "stay", json!({ "scope": { "sales": ["renewal"] }, "limits": { "total": 1 } })).await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let bob = club.member("bob@example.org", &club.regular).await;
    let plan = json!({ "plan": club.regular["id"] });
    let order = place(&club, &ada, "again", &plan, &["stay"]).await.ok(201);
    assert_eq!(order["totals"]["due"], yuan(180));
    club.shop.pay(&order).await;
    assert_eq!(club.shop.settled(&ada, &order).await["state"], "fulfilled");
    assert_eq!(club.mine(&ada).await["worth"]["paid"], yuan(380));
    let renewal = club.shop.app.post("/v1/renewals").bearer(&bob.token).send().await.ok(201);
    let answer = place(&club, &bob, "late", &json!({ "renewal": renewal["id"] }), &["stay"]).await;
    let refused = answer.refused(422, "coupon_refused");
    assert!(text(&refused["errors"][0]["detail"]).starts_with("coupon_used_up"), "{refused}");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_of_a_mail_takes_codes() {
    let club = Club::open().await;
    campaign(&club, "stay", json!({ "scope": { "sales": ["renewal"] } })).await;
    campaign(&club, "join", json!({ "scope": { "sales": ["join"] } })).await;
    let ada = club.member("ada@example.org", &club.regular).await;
    club.say(&ada, "renewal", json!({ "on": false })).await.ok(200);
    let ada = club.to_end(0, &ada).await;
    let (_, token) = club.link(&ada, "renew").await;
    let follow = async |codes: &[&str]| {
        let body = json!({ "token": token, "coupon_codes": codes });
        club.shop.app.post("/v1/renewal-links").json(&body).send().await
    };
    follow(&["a", "b", "c", "d", "e", "f"]).await.refused(422, "invalid_field");
    let answer = follow(&["join"]).await;
    let refused = answer.refused(422, "coupon_refused");
    assert!(text(&refused["errors"][0]["detail"]).starts_with("coupon_other_sale"), "{refused}");
    let order = follow(&["Stay"]).await.ok(201);
    assert_eq!((&order["due"], &order["payment_state"]), (&yuan(180), &json!("ready")));
    // The same again, and the bare link, find it; with other codes there is one that waits.
    assert_eq!(follow(&["stay"]).await.ok(201)["id"], order["id"]);
    assert_eq!(follow(&[]).await.ok(201)["id"], order["id"]);
    follow(&["join"]).await.refused(409, "membership_order_pending");
    club.shop.pay(&json!({ "payment": { "url": order["url"] } })).await;
    club.shop.settle().await;
    assert_eq!(club.mine(&ada).await["state"], "active");
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000 + 18_000);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sales_are_checked_and_go_with_plans() {
    let club = Club::open().await;
    let of = |class: &str, sales: Value| {
        json!({
            "code": "x", "names": { "zh-CN": "优惠", "en": "Off" }, "class": class,
            "benefit": { "kind": "percentage", "percent": "10" }, "scope": { "sales": sales },
        })
    };
    let wrong = admin(&club, "/v1/admin/coupon-campaigns", &of("product", json!(["renewal"]))).await;
    assert_eq!(wrong.refused(422, "invalid_field")["errors"][0]["field"], "scope");
    let wrong = admin(&club, "/v1/admin/coupon-campaigns", &of("membership", json!(["rejoin"]))).await;
    assert!([400, 422].contains(&wrong.status), "{}", wrong.text);
    let made = admin(&club, "/v1/admin/coupon-campaigns", &of("order", json!(["renewal"]))).await.ok(201);
    assert_eq!(made["scope"]["sales"], json!(["renewal"]));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_card_is_charged_what_was_told_with_the_coupon_that_needs_no_code() {
    let club = Club::open().await;
    let more = json!({ "scope": { "sales": ["renewal"] }, "automatic": true });
    let made = campaign(&club, "stay", more).await;
    let ada = club.member("ada@example.org", &club.regular).await;
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000);
    let ada = club.to_end(6, &ada).await;
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("180.00"), "{notice}");
    assert_eq!(club.mine(&ada).await["renewal"]["price"], yuan(180));
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000 + 18_000);
    // Told with it, she pays no more where it has ended since.
    let ada = club.to_end(6, &ada).await;
    pause(&club, &made).await;
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000 + 18_000 + 18_000);
    let uses = "SELECT count(*) AS count FROM coupon_uses";
    assert_eq!(club.count(uses).await, 1);
    // Told without it, she pays less where one has begun.
    let ada = club.to_end(6, &ada).await;
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("200.00"), "{notice}");
    let more = json!({ "scope": { "sales": ["renewal"] }, "automatic": true });
    campaign(&club, "late", more).await;
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000 + 3 * 18_000);
    assert_eq!((club.count(uses).await, club.mine(&ada).await["state"].clone()), (2, json!("active")));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_for_wallets_leaves_a_renewal_by_card_alone() {
    let club = Club::open().await;
    let more = json!({ "automatic": true, "conditions": { "payment_methods": ["alipay"] } });
    let ada = club.member("ada@example.org", &club.regular).await;
    campaign(&club, "wallets", more).await;
    let ada = club.to_end(6, &ada).await;
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("200.00"), "{notice}");
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "active");
    assert_eq!(club.mails("renewal_failed").await, 0);
    assert_eq!(club.shop.simulator().book().captured_minor, 40_000);
    // Who pays by a link may choose the wallet.
    let more = json!({ "renews": "never", "price": yuan(150) });
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    let wallet = plan(&club.shop, &owner, "wallet", &club.regular["tier"], more).await;
    let line = json!({ "plan": wallet["id"] });
    let bob = club.shop.app.member("bob@example.org").await;
    let order = place(&club, &bob, "join", &line, &[]).await.ok(201);
    assert_eq!((&order["totals"]["due"], &order["payment"]["methods"]), (&yuan(135), &json!(["alipay"])));
    club.shop.finish().await;
}

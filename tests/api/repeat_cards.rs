//! One card, many people: what happens to a coupon that a card has used up under other names.

use serde_json::{Value, json};

use crate::support::Person;
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};

async fn campaign(mall: &Mall, code: &str, more: Value) {
    let mut body = json!({
        "code": code, "names": { "zh-CN": "优惠", "en": "Off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "limits": { "per_person": 1 },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = desk::post(mall, &mall.owner, "/v1/admin/coupon-campaigns", code, body).await.ok(201);
    let path = format!("/v1/admin/coupon-campaigns/{}/shared-codes", id(&made));
    desk::post(mall, &mall.owner, &path, code, json!({ "code": code })).await.ok(201);
}

/// Somebody new orders with the code and pays with that card.
async fn buy(mall: &Mall, email: &str, tea: &Value, code: &str, card: &str) -> (Person, Value) {
    let person = mall.shop.app.member(email).await;
    let mut body = mall.body(json!([{ "variant": tea }]));
    body["coupon_codes"] = json!([code]);
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key("k");
    let order = request.json(&body).send().await.ok(201);
    let fields = [("action", "pay"), ("method", "card"), ("fingerprint", card)];
    assert_eq!(mall.shop.on_page(&order, &fields).await, 303);
    mall.shop.settled(&person, &order).await;
    mall.shop.settle().await;
    (person, order)
}

async fn flags(mall: &Mall, query: &str) -> Vec<Value> {
    let path = format!("/v1/admin/coupon-flags{query}");
    desk::get(mall, &mall.owner, &path).await.ok(200)["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_used_the_coupon_up_is_flagged_and_an_operator_decides() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 88, 20).await;
    campaign(&mall, "spring", json!({})).await;
    buy(&mall, "ada@b.test", &tea, "spring", "one_card").await;
    buy(&mall, "bao@b.test", &tea, "spring", "another").await;
    assert!(flags(&mall, "").await.is_empty(), "each card once");
    let (cai, kept) = buy(&mall, "cai@b.test", &tea, "spring", "one_card").await;
    let (dou, refunded) = buy(&mall, "dou@b.test", &tea, "spring", "one_card").await;
    assert_eq!(mall.shop.show(&cai, &kept).await["state"], "paid", "it stands meanwhile");
    let open = flags(&mall, "?open=true").await;
    assert_eq!(open.iter().map(|flag| &flag["earlier"]).collect::<Vec<_>>(), [&json!(2), &json!(1)]);
    assert_eq!((&open[1]["order"], &open[1]["campaign_code"]), (&kept["id"], &json!("spring")));
    let decide = async |flag: &Value, outcome: &str| {
        let path = format!("/v1/admin/coupon-flags/{}/decide", id(flag));
        let body = json!({ "outcome": outcome, "reason": "Looked at." });
        mall.shop.app.post(&path).bearer(&mall.owner.token).json(&body).send().await.status
    };
    assert_eq!((decide(&open[1], "kept").await, decide(&open[1], "kept").await), (204, 204));
    assert_eq!((decide(&open[0], "refunded").await, decide(&open[0], "refunded").await), (204, 204));
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&cai, &kept).await["state"], "paid");
    assert_eq!(mall.shop.show(&dou, &refunded).await["state"], "refunded");
    assert!(flags(&mall, "?open=true").await.is_empty());
    let outcomes: Vec<_> = flags(&mall, "").await.into_iter().map(|flag| flag["outcome"].clone()).collect();
    assert_eq!(outcomes, [json!("refunded"), json!("kept")]);
    let nothing = json!({ "outcome": "kept", "reason": "x" });
    let path = "/v1/admin/coupon-flags/use_00000000000000000000000000000000/decide";
    mall.shop.app.post(path).bearer(&mall.owner.token).json(&nothing).send().await.refused(404, "not_found");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_the_campaigns_rule_the_money_goes_back_by_itself() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 88, 20).await;
    campaign(&mall, "strict", json!({ "on_repeat_card": "refund" })).await;
    campaign(&mall, "free", json!({ "limits": {}, "on_repeat_card": "refund" })).await;
    let (ada, first) = buy(&mall, "ada@b.test", &tea, "strict", "one_card").await;
    let (bao, second) = buy(&mall, "bao@b.test", &tea, "strict", "one_card").await;
    assert_eq!(mall.shop.show(&ada, &first).await["state"], "paid");
    let now = mall.shop.show(&bao, &second).await;
    assert_eq!((&now["state"], &now["refunded"]), (&json!("refunded"), &now["totals"]["total"]));
    let flag = &flags(&mall, "").await[0];
    assert_eq!((&flag["order"], &flag["outcome"]), (&second["id"], &json!("refunded")));
    // What isn't limited a person isn't limited a card, and what came back counts no longer.
    for email in ["cai@b.test", "dou@b.test"] {
        let (person, order) = buy(&mall, email, &tea, "free", "one_card").await;
        assert_eq!(mall.shop.show(&person, &order).await["state"], "paid");
    }
    assert_eq!(flags(&mall, "").await.len(), 1);
    assert_eq!(mall.stands(&tea).await, (20, 0, 3));
    mall.finish().await;
}

//! After the sale: what a guest does with the token alone, and what nobody does without it.

use serde_json::{Value, json};

use crate::guests::{count, look, order, path, post};
use crate::support::Answer;
use crate::support::desk::{act, send};
use crate::support::mall::{Mall, yuan};

const GUEST: &str = "luo.guest@b.test";

fn token(order: &Value) -> String {
    order["order_token"].as_str().unwrap().to_owned()
}

/// A request with a token, or with none.
async fn ask(mall: &Mall, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
    let app = &mall.shop.app;
    let mut request = match method {
        "GET" => app.get(path),
        "DELETE" => app.delete(path),
        _ => app.post(path).key("r"),
    };
    if let Some(token) = token {
        request = request.header("Order-Token", token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_of_an_order_opens_with_its_token_and_no_other() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let lines = json!([{ "variant": tea, "quantity": 2 }]);
    let mine = order(&mall, GUEST, lines.clone()).await.ok(201);
    let other = order(&mall, GUEST, lines).await.ok(201);
    mall.shop.pay(&mine).await;
    look(&mall, &mine, "?wait=settled").await.ok(200);
    send(&mall, &mine).await;
    mall.shop.settle().await;

    let lines = json!([{ "line": mine["lines"][0]["id"], "quantity": 1 }]);
    let wish = json!({ "lines": lines, "reason": "damaged", "note": "摔坏了" });
    let asked = ask(&mall, "POST", &path(&mine, "/returns"), Some(&token(&mine)), Some(&wish)).await;
    let location = asked.header("location").to_owned();
    let asked = asked.ok(201);
    assert_eq!(location, path(&mine, &format!("/returns/{}", asked["id"].as_str().unwrap())));
    // The same request again is the same return, with other words it is refused.
    let again = ask(&mall, "POST", &path(&mine, "/returns"), Some(&token(&mine)), Some(&wish)).await.ok(201);
    assert_eq!(again["id"], asked["id"]);
    let more = json!({ "lines": lines, "reason": "changed_mind" });
    ask(&mall, "POST", &path(&mine, "/returns"), Some(&token(&mine)), Some(&more))
        .await
        .refused(422, "idempotency_key_reused");

    let ended = format!("{location}/cancel");
    let wrong = token(&other);
    let stranger = mall.shop.app.member("stranger@b.test").await;
    for (method, path, body) in [
        ("POST", path(&mine, "/returns"), Some(&wish)),
        ("GET", path(&mine, "/returns"), None),
        ("GET", location.clone(), None),
        ("POST", ended.clone(), None),
        ("GET", path(&mine, "/invoice"), None),
        ("GET", path(&mine, "/credit-notes"), None),
        ("GET", path(&mine, "/credit-notes/ivc_00000000000000000000000000000000"), None),
        ("POST", path(&mine, "/cancel"), None),
        ("POST", path(&mine, "/payments"), Some(&json!({}))),
        ("DELETE", path(&mine, "/backer-name"), None),
    ] {
        ask(&mall, method, &path, None, body).await.refused(401, "unauthenticated");
        ask(&mall, method, &path, None, Some(&json!("nonsense"))).await.refused(401, "unauthenticated");
        for token in [&*wrong, "nonsense", &"x".repeat(90)] {
            ask(&mall, method, &path, Some(token), body).await.refused(404, "not_found");
        }
        // Signed in beside it, somebody else's token helps no more.
        if method == "GET" {
            let request = mall.shop.app.get(&path).bearer(&stranger.token).header("Order-Token", &wrong);
            request.send().await.refused(404, "not_found");
        }
    }
    // A return is seen through its own order alone.
    let elsewhere = path(&other, &location[location.find("/returns").unwrap()..]);
    ask(&mall, "GET", &elsewhere, Some(&wrong), None).await.refused(404, "not_found");

    let with = async |method: &str, path: &str| ask(&mall, method, path, Some(&token(&mine)), None).await;
    let list = with("GET", &path(&mine, "/returns")).await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(with("GET", &location).await.ok(200)["state"], "requested");
    assert_eq!(with("POST", &ended).await.ok(200)["state"], "cancelled");
    assert_eq!(with("POST", &ended).await.ok(200)["state"], "cancelled", "a repeat");
    with("POST", &path(&mine, "/cancel")).await.refused(409, "already_shipped");
    with("DELETE", &path(&mine, "/backer-name")).await.refused(404, "not_found");
    let invoice = with("GET", &path(&mine, "/invoice")).await;
    assert_eq!(invoice.status, 200);
    assert!(invoice.text.contains("¥192.00") && invoice.text.contains("罗小姐"), "{}", invoice.text);
    let pdf = mall.shop.app.get(&path(&mine, "/invoice")).header("Order-Token", &token(&mine));
    let pdf = pdf.header("Accept", "application/pdf").send().await;
    assert!(pdf.status == 200 || pdf.refused(406, "pdf_font_missing").is_object());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_sent_back_is_paid_back_with_a_credit_note() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let mine = order(&mall, GUEST, json!([{ "variant": tea, "quantity": 2 }])).await.ok(201);
    mall.shop.pay(&mine).await;
    look(&mall, &mine, "?wait=settled").await.ok(200);
    send(&mall, &mine).await;
    let lines = json!([{ "line": mine["lines"][0]["id"], "quantity": 1 }]);
    let wish = json!({ "lines": lines, "reason": "damaged" });
    let asked = ask(&mall, "POST", &path(&mine, "/returns"), Some(&token(&mine)), Some(&wish)).await.ok(201);
    let how = json!({ "instructions": "寄到仓库" });
    act(&mall, &mall.owner, &asked, "approve", "a", how).await.ok(200);
    let arrived = json!({ "lines": [{ "line": asked["lines"][0]["line"], "restock": 1, "write_off": 0 }] });
    act(&mall, &mall.owner, &asked, "receive", "b", arrived).await.ok(200);
    act(&mall, &mall.owner, &asked, "refund", "c", json!({})).await.ok(200);
    mall.shop.settle().await;
    let seen = look(&mall, &mine, "").await.ok(200);
    assert_eq!((&seen["state"], &seen["refunded"]), (&json!("partly_refunded"), &yuan(90)));
    let notes = ask(&mall, "GET", &path(&mine, "/credit-notes"), Some(&token(&mine)), None).await.ok(200);
    let note = path(&mine, &format!("/credit-notes/{}", notes["data"][0]["id"].as_str().unwrap()));
    let note = ask(&mall, "GET", &note, Some(&token(&mine)), None).await;
    assert!(note.status == 200 && note.text.contains("90.00"), "{}", note.text);
    let told = format!("mails WHERE to_address = '{GUEST}' AND kind IN ('return_approved', 'refunded')");
    assert_eq!(count(&mall, &format!("SELECT count(*) AS count FROM {told}")).await, 2);

    // One that was paid and not sent is given up, and all of its money goes back.
    let other = order(&mall, GUEST, json!([{ "variant": tea }])).await.ok(201);
    mall.shop.pay(&other).await;
    look(&mall, &other, "?wait=settled").await.ok(200);
    for _ in 0..2 {
        post(&mall, &other, "/cancel", "c").await.ok(200);
    }
    mall.shop.settle().await;
    assert_eq!(look(&mall, &other, "").await.ok(200)["state"], "refunded");
    mall.finish().await;
}

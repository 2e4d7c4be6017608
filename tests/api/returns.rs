//! Goods that come back: asked for, approved, received and paid back, unit by unit.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::desk::{act, arrive, ask, count, get, id, post, send, ship};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;

#[tokio::test(flavor = "multi_thread")]
async fn a_box_goes_out_and_comes_back_with_every_yuan_part_and_mail() {
    let mall = Mall::open().await;
    let (bundle, [book, notebook, _]) = mall.book_box(10).await;
    let drop = mall.drop(&bundle["id"], 8, json!({})).await;
    let person = mall.member("ada@b.test", &mall.regular).await;
    let lines = json!([{ "bundle": bundle["bundle"], "drop": drop["id"], "quantity": 2 }]);
    let order = mall.buy(&person, "k", lines).await;
    let paid = order["totals"]["total"]["amount"].as_i64().unwrap();
    let shipping = order["totals"]["shipping"]["amount"].as_i64().unwrap();
    assert!(shipping > 0 && paid == 2 * 49_900 + shipping);
    ask(&mall, &person, &order, "early", 1, "damaged").await.refused(409, "not_returnable");
    send(&mall, &order).await;

    // The buyer asks, is told how to send it, and sends both.
    let note = json!({
        "lines": [{ "line": order["lines"][0]["id"], "quantity": 2 }], "reason": "not_as_described", "note": "盒子压坏了",
    });
    let path = format!("/v1/orders/{}/returns", id(&order));
    let asked = post(&mall, &person, &path, "r", note.clone()).await;
    let location = asked.header("location").to_owned();
    let asked = asked.ok(201);
    assert_eq!((&asked["state"], &asked["is_late"]), (&json!("requested"), &json!(false)));
    assert_eq!(get(&mall, &person, &location).await.ok(200), asked);
    assert_eq!(post(&mall, &person, &path, "r", note).await.ok(201)["id"], asked["id"]);
    assert_eq!(mall.shop.show(&person, &order).await["returns"][0], asked);
    assert_eq!(get(&mall, &person, &path).await.ok(200)["data"].as_array().unwrap().len(), 1);
    let how = json!({ "instructions": "请寄回\n北京市朝阳区 1 号" });
    let approved = act(&mall, &mall.owner, &asked, "approve", "a", how).await.ok(200);
    assert_eq!((&approved["state"], &approved["note"]), (&json!("approved"), &json!("盒子压坏了")));

    // One box can be sold again, part by part; the other one can't.
    let arrived = json!({ "lines": [{ "line": order["lines"][0]["id"], "restock": 1, "write_off": 1 }] });
    let received = act(&mall, &mall.owner, &asked, "receive", "b", arrived.clone()).await.ok(200);
    assert_eq!((&received["state"], &received["lines"][0]["restocked"]), (&json!("received"), &json!(1)));
    act(&mall, &mall.owner, &asked, "receive", "b", arrived).await.ok(200);
    assert_eq!((mall.stands(&book).await, mall.stands(&notebook).await), ((66, 0, 12), (11, 0, 2)));
    let ledger = format!("/v1/admin/stock-moves?variant={}", book.as_str().unwrap());
    let ledger = get(&mall, &mall.owner, &ledger).await.ok(200);
    assert_eq!(
        (&ledger["data"][0]["reason"], &ledger["data"][0]["quantity"]),
        (&json!("returned"), &json!(6))
    );

    // All the money goes back, shipping too, once.
    let money = json!({ "shipping": { "amount": shipping, "currency": "CNY" } });
    let refunded = act(&mall, &mall.owner, &asked, "refund", "c", money.clone()).await.ok(200);
    assert_eq!((&refunded["state"], &refunded["lines"][0]["refunded"]), (&json!("refunded"), &yuan(998)));
    assert_eq!(act(&mall, &mall.owner, &asked, "refund", "c", money).await.ok(200), refunded);
    mall.shop.settle().await;
    let order = mall.shop.show(&person, &order).await;
    assert_eq!((&order["state"], &order["refunded"]["amount"]), (&json!("refunded"), &json!(paid)));
    assert_eq!(
        (&order["lines"][0]["returned"], &order["returns"][0]["refund"]),
        (&json!(2), &order["refunds"][0]["id"])
    );
    assert_eq!(mall.shop.simulator().book().refunded_minor, paid);
    assert_eq!(count(&mall, "mails WHERE kind = 'return_approved'").await, 1);
    assert_eq!(count(&mall, "mails WHERE kind = 'refunded' AND state = 'sent'").await, 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_unit_has_its_share_and_an_operators_refund_takes_the_rest() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 3 }])).await;
    send(&mall, &order).await;
    let first = ask(&mall, &person, &order, "1", 1, "changed_mind").await.ok(201);
    arrive(&mall, &mall.owner, &first, 1, 0).await;
    assert_eq!(mall.stands(&tea).await, (11, 0, 3));
    let paid_back = act(&mall, &mall.owner, &first, "refund", "x", json!({})).await.ok(200);
    assert_eq!(paid_back["lines"][0]["refunded"], yuan(90));
    assert_eq!(mall.shop.show(&person, &order).await["state"], "partly_refunded");

    // The rest goes back by an operator's refund: the two others come back to the shelf, the first one not once more.
    let second = ask(&mall, &person, &order, "2", 1, "changed_mind").await.ok(201);
    let path = format!("/v1/admin/orders/{}/refunds", id(&order));
    let body = json!({ "reason": "All of it.", "restock": true });
    let rest = post(&mall, &mall.owner, &path, "all", body).await.ok(201);
    assert_eq!(rest["amount"]["amount"], order["totals"]["total"]["amount"].as_i64().unwrap() - 9_000);
    assert_eq!(mall.stands(&tea).await, (12, 0, 3), "one is still with its buyer");
    arrive(&mall, &mall.owner, &second, 1, 0).await;
    assert_eq!(mall.stands(&tea).await, (13, 0, 3), "as many are free as there were");
    act(&mall, &mall.owner, &second, "refund", "y", json!({})).await.refused(409, "nothing_to_refund");
    let why = json!({ "reason": "已经退款" });
    assert_eq!(act(&mall, &mall.owner, &second, "close", "z", why).await.ok(200)["state"], "closed");
    ask(&mall, &person, &order, "3", 1, "damaged").await.refused(409, "not_returnable");
    mall.shop.settle().await;
    assert_eq!(mall.shop.simulator().book().refunded_minor, order["totals"]["total"]["amount"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_is_never_in_two_returns() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 5 }])).await;
    let parcel = |units: i64| json!({ "carrier": "顺丰", "lines": [{ "line": order["lines"][0]["id"], "quantity": units }] });
    ship(&mall, &mall.owner, &order, "p", parcel(3)).await.ok(201);
    let keys: Vec<_> = (0..8).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| ask(&mall, &person, &order, key, 1, "changed_mind"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "not_returnable");
    }
    // The same request at once is one return.
    ship(&mall, &mall.owner, &order, "q", parcel(2)).await.ok(201);
    let twins = join_all((0..4).map(|_| ask(&mall, &person, &order, "twin", 1, "damaged"))).await;
    let ids: Vec<_> = twins.into_iter().map(|twin| twin.ok(201)["id"].clone()).collect();
    assert!(ids.iter().all(|of| *of == ids[0]));
    assert_eq!(mall.shop.show(&person, &order).await["lines"][0]["returned"], 4);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_pay_a_return_back_once_and_never_more_than_was_paid() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 2 }])).await;
    send(&mall, &order).await;
    let back = ask(&mall, &person, &order, "r", 2, "changed_mind").await.ok(201);
    arrive(&mall, &mall.owner, &back, 2, 0).await;
    let over = json!({ "shipping": yuan(1_000) });
    act(&mall, &mall.owner, &back, "refund", "over", over).await.refused(409, "refund_exceeds_captured");
    let keys = ["1", "2", "3", "4"];
    let paid = join_all(keys.map(|key| act(&mall, &mall.owner, &back, "refund", key, json!({})))).await;
    assert_eq!(paid.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in paid.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "wrong_return_state");
    }
    assert_eq!(count(&mall, "refunds").await, 1);

    // One pays the return back, another one the whole order: together all of it, never more.
    let order = mall.buy(&person, "k2", json!([{ "variant": tea, "quantity": 2 }])).await;
    send(&mall, &order).await;
    let back = ask(&mall, &person, &order, "r2", 1, "damaged").await.ok(201);
    arrive(&mall, &mall.owner, &back, 0, 1).await;
    let whole = format!("/v1/admin/orders/{}/refunds", id(&order));
    let (one, other) = futures::join!(
        act(&mall, &mall.owner, &back, "refund", "z", json!({})),
        post(&mall, &mall.owner, &whole, "z", json!({ "reason": "All." })),
    );
    other.ok(201);
    assert!(one.status == 200 || one.json["code"] == "nothing_to_refund", "{}", one.text);
    let order = mall.shop.show(&person, &order).await;
    assert_eq!(order["refunded"], order["totals"]["total"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_mind_ends_with_its_window_and_damage_does_not() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 4 }])).await;
    let parcel = send(&mall, &order).await;
    assert_eq!(parcel["delivered_at"], Value::Null);
    mall.shop.advance(TimeDelta::days(14) - TimeDelta::minutes(5)).await;
    let person = mall.shop.app.sign_in(&person.email).await;
    ask(&mall, &person, &order, "1", 1, "changed_mind").await.ok(201);
    mall.shop.advance(TimeDelta::minutes(5)).await;
    for reason in ["changed_mind", "other"] {
        ask(&mall, &person, &order, reason, 1, reason).await.refused(409, "return_window_over");
    }
    assert_eq!(ask(&mall, &person, &order, "2", 1, "damaged").await.ok(201)["is_late"], true);

    // It arrived later than it was sent: the window counts from then.
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/shipments/{}/deliver", id(&parcel));
    let now = mall.shop.app.now();
    for at in [now + TimeDelta::hours(1), now - TimeDelta::days(15)] {
        let body = json!({ "delivered_at": at });
        post(&mall, &owner, &path, "", body).await.refused(422, "invalid_field");
    }
    let arrived = json!({ "delivered_at": now - TimeDelta::days(12) });
    post(&mall, &owner, &path, "-", arrived).await.ok(200);
    assert_eq!(ask(&mall, &person, &order, "3", 1, "changed_mind").await.ok(201)["is_late"], false);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_withdrawn_or_never_arrives_stays_its_buyers() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 2 }])).await;
    send(&mall, &order).await;
    let why = || json!({ "reason": "已拆封" });
    let withdraw = async |of: &Value, key: &str| {
        let path = format!("/v1/orders/{}/returns/{}/cancel", id(&order), id(of));
        post(&mall, &person, &path, key, json!({})).await
    };
    let returned = async || mall.shop.show(&person, &order).await["lines"][0]["returned"].clone();

    let refused = ask(&mall, &person, &order, "1", 2, "changed_mind").await.ok(201);
    let answer = act(&mall, &mall.owner, &refused, "reject", "1", why()).await.ok(200);
    assert_eq!((&answer["state"], &answer["answer"]), (&json!("rejected"), &json!("已拆封")));
    withdraw(&refused, "1").await.refused(409, "wrong_return_state");

    let withdrawn = ask(&mall, &person, &order, "2", 2, "changed_mind").await.ok(201);
    act(&mall, &mall.owner, &withdrawn, "refund", "2", json!({})).await.refused(409, "wrong_return_state");
    act(&mall, &mall.owner, &withdrawn, "approve", "2", json!({ "instructions": "寄回" })).await.ok(200);
    assert_eq!(returned().await, 2);
    assert_eq!(withdraw(&withdrawn, "2").await.ok(200)["state"], "cancelled");
    assert_eq!(withdraw(&withdrawn, "2").await.ok(200)["state"], "cancelled");
    assert_eq!(returned().await, 0);

    let lost = ask(&mall, &person, &order, "3", 2, "wrong_item").await.ok(201);
    act(&mall, &mall.owner, &lost, "close", "3", why()).await.refused(409, "wrong_return_state");
    act(&mall, &mall.owner, &lost, "approve", "3", json!({ "instructions": "寄回" })).await.ok(200);
    assert_eq!(act(&mall, &mall.owner, &lost, "close", "3", why()).await.ok(200)["state"], "closed");
    assert_eq!(returned().await, 0);

    // Fewer arrive than were asked for: the other one may be asked for again.
    let half = ask(&mall, &person, &order, "4", 2, "changed_mind").await.ok(201);
    arrive(&mall, &mall.owner, &half, 0, 1).await;
    assert_eq!(returned().await, 1);
    assert_eq!(mall.stands(&tea).await, (10, 0, 2), "what is written off doesn't come back");
    withdraw(&half, "4").await.refused(409, "wrong_return_state");
    ask(&mall, &person, &order, "5", 2, "changed_mind").await.refused(409, "not_returnable");
    ask(&mall, &person, &order, "5", 1, "changed_mind").await.ok(201);
    for (kind, mails) in [("return_rejected", 1), ("return_approved", 3), ("return_closed", 1)] {
        assert_eq!(count(&mall, &format!("mails WHERE kind = '{kind}'")).await, mails, "{kind}");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_return_can_be_is_refused_and_leaves_nothing() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let (person, stranger) = (mall.shop.app.member("a@b.test").await, mall.shop.app.member("x@b.test").await);
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 2 }])).await;
    let other = mall.buy(&stranger, "k", json!([{ "variant": tea }])).await;
    send(&mall, &order).await;
    let path = format!("/v1/orders/{}/returns", id(&order));
    let line = |units: i64| json!({ "line": order["lines"][0]["id"], "quantity": units });
    let body = |lines: Value| json!({ "lines": lines, "reason": "damaged" });
    for (body, status, code) in [
        (body(json!([line(0)])), 422, "invalid_field"),
        (body(json!([line(-1)])), 422, "invalid_field"),
        (body(json!([line(1_000_000_000)])), 409, "not_returnable"),
        (body(json!([line(i64::MAX)])), 409, "not_returnable"),
        (body(json!([line(3)])), 409, "not_returnable"),
        (body(json!([line(1), line(1)])), 422, "invalid_field"),
        (body(json!([])), 422, "invalid_field"),
        (body(json!([{ "line": other["lines"][0]["id"], "quantity": 1 }])), 422, "invalid_field"),
        (body(json!([{ "line": order["id"], "quantity": 1 }])), 422, "invalid_field"),
        (json!({ "lines": [line(1)], "reason": "boredom" }), 422, "invalid_field"),
        (json!({ "lines": [line(1)] }), 422, "invalid_field"),
        (json!({ "lines": [line(1)], "reason": "damaged", "note": "a\u{0}b" }), 422, "invalid_field"),
        (
            json!({ "lines": [line(1)], "reason": "damaged", "note": "長".repeat(1_001) }),
            422,
            "invalid_field",
        ),
        (json!({ "lines": [line(1)], "reason": "damaged", "refund": true }), 422, "invalid_field"),
    ] {
        post(&mall, &person, &path, "bad", body.clone()).await.refused(status, code);
    }
    let good = body(json!([line(1)]));
    post(&mall, &stranger, &path, "k", good.clone()).await.refused(404, "not_found");
    get(&mall, &stranger, &path).await.refused(404, "not_found");
    let keyless = mall.shop.app.post(&path).bearer(&person.token).json(&good).send().await;
    keyless.refused(400, "idempotency_key_missing");
    post(&mall, &person, "/v1/orders/ord_1/returns", "k", good.clone()).await.refused(404, "not_found");
    assert_eq!(count(&mall, "returns").await, 0);

    let asked = post(&mall, &person, &path, "k", good).await.ok(201);
    post(&mall, &person, &path, "k", body(json!([line(2)]))).await.refused(422, "idempotency_key_reused");
    let of_another = format!("/v1/orders/{}/returns/{}", id(&other), id(&asked));
    get(&mall, &stranger, &of_another).await.refused(404, "not_found");
    let withdraw = format!("{of_another}/cancel");
    post(&mall, &stranger, &withdraw, "k", json!({})).await.refused(404, "not_found");

    let try_it = async |verb: &str, body: Value| act(&mall, &mall.owner, &asked, verb, "bad", body).await;
    try_it("approve", json!({ "instructions": " " })).await.refused(422, "invalid_field");
    try_it("reject", json!({})).await.refused(422, "invalid_field");
    try_it("receive", json!({ "lines": [] })).await.refused(409, "wrong_return_state");
    act(&mall, &mall.owner, &asked, "approve", "a", json!({ "instructions": "寄回" })).await.ok(200);
    act(&mall, &mall.owner, &asked, "approve", "a", json!({ "instructions": "别" }))
        .await
        .refused(422, "idempotency_key_reused");
    try_it("approve", json!({ "instructions": "寄回" })).await.refused(409, "wrong_return_state");
    let line = &order["lines"][0]["id"];
    for lines in [
        json!([]),
        json!([{ "line": line }]),
        json!([{ "line": line, "restock": 2 }]),
        json!([{ "line": line, "restock": 1, "write_off": 1 }]),
        json!([{ "line": line, "restock": -1, "write_off": 1 }]),
        json!([{ "line": line, "write_off": i64::MAX }]),
        json!([{ "line": line, "restock": 1 }, { "line": line, "restock": 1 }]),
        json!([{ "line": other["lines"][0]["id"], "restock": 1 }]),
    ] {
        try_it("receive", json!({ "lines": lines })).await.refused(422, "invalid_field");
    }
    let arrived = json!({ "lines": [{ "line": line, "restock": 1 }] });
    act(&mall, &mall.owner, &asked, "receive", "r", arrived).await.ok(200);
    for shipping in
        [json!({ "amount": -1, "currency": "CNY" }), json!({ "amount": 1, "currency": "USD" }), json!(5)]
    {
        try_it("refund", json!({ "shipping": shipping })).await.refused(422, "invalid_field");
    }
    let unknown = json!({ "id": "ret_00000000000070008000000000000000" });
    act(&mall, &mall.owner, &unknown, "close", "u", json!({ "reason": "x" })).await.refused(404, "not_found");
    assert_eq!(mall.stands(&tea).await, (11, 0, 3));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_tells_of_returns_and_an_erasure_forgets_their_words() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "quantity": 2 }])).await;
    send(&mall, &order).await;
    let path = format!("/v1/orders/{}/returns", id(&order));
    let lines = json!([{ "line": order["lines"][0]["id"], "quantity": 1 }]);
    let body = json!({ "lines": lines, "reason": "damaged", "note": "我住在朝阳区" });
    post(&mall, &person, &path, "r", body).await.ok(201);
    let export = get(&mall, &person, "/v1/me/export").await;
    assert!(export.text.contains("我住在朝阳区") && export.text.contains("return_lines"));
    let erase =
        async |body: Value| mall.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await;
    erase(json!({ "password": PASSWORD })).await.refused(409, "order_pending");
    erase(json!({ "password": PASSWORD, "forfeit": true })).await.ok(204);
    assert_eq!(count(&mall, "returns WHERE state = 'cancelled' AND note IS NULL").await, 1);
    assert_eq!(count(&mall, "order_lines WHERE returned = 0").await, 1);
    mall.finish().await;
}

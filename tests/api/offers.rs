//! Offers: more in the pack, and something better instead for a supplement.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};

async fn offer(mall: &Mall, body: Value) -> Value {
    let mut whole = json!({ "code": "offer", "kind": "gift", "names": { "zh-CN": "优惠", "en": "Offer" } });
    for (field, value) in body.as_object().unwrap() {
        whole[field] = value.clone();
    }
    mall.shop.app.make(&mall.owner, "/v1/admin/offers", &whole).await
}

/// `rule outcome reason` of what offers did.
fn told(order: &Value) -> Vec<String> {
    let explained = order["explanation"].as_array().unwrap().iter();
    let of_offers = explained.filter(|told| told["rule"].as_str().unwrap().starts_with("offer:"));
    let text = |told: &Value, field: &str| told[field].as_str().unwrap().to_owned();
    of_offers
        .map(|of| format!("{} {} {}", text(of, "rule"), text(of, "outcome"), text(of, "reason")))
        .collect()
}

fn amount(order: &Value, field: &str) -> i64 {
    order["totals"][field]["amount"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_buys_two_kiwis_gets_a_tea_that_is_in_the_cart() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let (kiwi, tea) = (mall.goods("KIWI", 99, 20).await, mall.goods("TEA", 50, 3).await);
    let made = offer(&mall, json!({ "code": "two-kiwis", "buy": kiwi, "buy_quantity": 2, "get": tea })).await;
    let ann = app.member("ann@b.test").await;
    let cart = |kiwis: i64, teas: i64| match teas {
        0 => json!([{ "variant": kiwi, "quantity": kiwis }]),
        teas => json!([{ "variant": kiwi, "quantity": kiwis }, { "variant": tea, "quantity": teas }]),
    };
    // One is too few; two without a tea propose one.
    let quote = mall.quote(&ann, cart(1, 1)).await.ok(200);
    assert_eq!(
        (amount(&quote, "discount"), told(&quote)),
        (0, vec!["offer:two-kiwis refused not_enough_bought".to_owned()])
    );
    let quote = mall.quote(&ann, cart(2, 0)).await.ok(200);
    assert_eq!(told(&quote), ["offer:two-kiwis refused gift_not_in_cart"]);
    let proposed = &quote["offers"][0];
    assert_eq!(
        (&proposed["kind"], &proposed["variant"], &proposed["quantity"]),
        (&json!("gift"), &tea, &json!(1))
    );
    assert_eq!((&proposed["unit_price"], &proposed["line"]), (&yuan(0), &json!(0)));
    let quote = mall.quote(&ann, cart(2, 2)).await.ok(200);
    assert_eq!((amount(&quote, "subtotal"), amount(&quote, "discount")), (29_800, 5_000));
    assert_eq!((&quote["lines"][1]["discount"], &quote["lines"][1]["total"]), (&yuan(50), &yuan(50)));
    assert_eq!(quote["offers"], json!([]));

    // As ordered, with the stock of both, and told with the order; a full refund gives back what was paid.
    let order = mall.order(&ann, "k", cart(4, 3)).await.ok(201);
    assert_eq!(order["totals"]["discount"], yuan(100));
    assert_eq!(amount(&order, "total"), 4 * 9_900 + 5_000 + amount(&order, "shipping"));
    assert_eq!(told(&order), ["offer:two-kiwis applied gift_offer"]);
    mall.shop.pay(&order).await;
    mall.shop.settled(&ann, &order).await;
    assert_eq!(mall.stands(&tea).await, (3, 0, 3));
    mall.quote(&ann, cart(2, 1)).await.refused(409, "out_of_stock");
    let quote = mall.quote(&ann, cart(2, 0)).await.ok(200);
    assert_eq!(quote["offers"], json!([]), "what isn't there is not proposed");
    let given = "SELECT sum(discount_minor)::bigint AS count FROM line_offers";
    assert_eq!(count_sql(&mut *app.conn().await, given).await, 10_000);
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    app.post(&path).bearer(&mall.owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(mall.shop.simulator().book().refunded_minor, amount(&order, "total"));

    // Out of its time it gives nothing, and the order that has it keeps it.
    let path = format!("/v1/admin/offers/{}", made["id"].as_str().unwrap());
    for _ in 0..2 {
        let ended = app.post(&format!("{path}/archive")).bearer(&mall.owner.token).send().await.ok(200);
        assert_eq!(ended["version"], 2);
    }
    let quote = mall.quote(&ann, cart(2, 1)).await.ok(200);
    assert_eq!((amount(&quote, "discount"), told(&quote)), (0, vec![]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_for_its_audience_in_its_window_and_a_whole_cart_may_be_free() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let course =
        mall.product("course", "digital", json!([{ "sku": "C", "price": yuan(30) }]), json!({})).await;
    let course = course["variants"][0]["id"].clone();
    let tea = mall.goods("TEA", 50, 9).await;
    let now = app.now();
    let window = json!({
        "buy": tea, "get": course, "buyers": { "who": "members" },
        "starts_at": now + TimeDelta::hours(1), "ends_at": now + TimeDelta::hours(2),
    });
    let made = offer(&mall, window).await;
    let lines = json!([{ "variant": tea }, { "variant": course }]);
    let reasons = async |email: &str| {
        let person = app.sign_in(email).await;
        told(&mall.quote(&person, lines.clone()).await.ok(200))
    };
    mall.member("fan@b.test", &mall.regular).await;
    app.member("guest@b.test").await;
    assert_eq!(reasons("fan@b.test").await, ["offer:offer refused not_open"]);
    mall.shop.advance(TimeDelta::hours(1)).await;
    assert_eq!(reasons("fan@b.test").await, ["offer:offer applied gift_offer"]);
    assert_eq!(reasons("guest@b.test").await, ["offer:offer refused members_only"]);
    mall.shop.advance(TimeDelta::hours(1)).await;
    assert_eq!(reasons("fan@b.test").await, ["offer:offer refused closed"]);

    let owner = app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/offers/{}", made["id"].as_str().unwrap());
    let patch = |version: &'static str, body: Value| {
        app.patch(&path).bearer(&owner.token).header("If-Match", version).json(&body).send()
    };
    let open =
        json!({ "starts_at": null, "ends_at": null, "buyers": { "who": "everyone" }, "most_per_order": 1 });
    assert_eq!(patch("\"v1\"", open.clone()).await.ok(200)["version"], 2);
    patch("\"v1\"", open).await.refused(412, "version_mismatch");
    let gone = json!({ "buyers": { "who": "tier", "at_least": "gone" } });
    assert_eq!(
        patch("\"v2\"", gone).await.refused(422, "invalid_field")["errors"][0]["field"],
        "buyers.at_least"
    );
    let guest = app.sign_in("guest@b.test").await;
    let many = json!([{ "variant": tea, "quantity": 3 }, { "variant": course, "quantity": 3 }]);
    let quote = mall.quote(&guest, many).await.ok(200);
    assert_eq!(quote["totals"]["discount"], yuan(30));

    // Its right is given as if it were paid for.
    let order = mall.buy(&guest, "k", lines).await;
    assert_eq!(order["lines"][1]["total"], yuan(0));
    app.get("/v1/me/access/course").bearer(&guest.token).send().await.ok(200);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_larger_screen_instead_for_two_hundred_more() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let (small, large) = (mall.goods("SCREEN-17", 999, 5).await, mall.goods("SCREEN-19", 1399, 2).await);
    offer(
        &mall,
        json!({ "code": "19-for-17", "kind": "swap", "buy": small, "get": large, "supplement": yuan(200) }),
    )
    .await;
    let ann = app.member("ann@b.test").await;
    let quote = mall.quote(&ann, json!([{ "variant": small }])).await.ok(200);
    let proposed = &quote["offers"][0];
    assert_eq!(
        (&proposed["kind"], &proposed["variant"], &proposed["line"]),
        (&json!("swap"), &large, &json!(0))
    );
    assert_eq!((&proposed["unit_price"], &proposed["supplement"]), (&yuan(1199), &yuan(200)));
    let swapped = json!([{ "variant": large, "instead_of": small, "quantity": 2 }]);
    let order = mall.order(&ann, "k", swapped.clone()).await.ok(201);
    assert_eq!(
        (&order["lines"][0]["unit_price"], &order["explanation"][0]["reason"]),
        (&yuan(1199), &json!("swap_offer"))
    );
    assert_eq!((mall.stands(&large).await, mall.stands(&small).await), ((2, 2, 0), (5, 0, 0)));
    // What is asked for is claimed, and sold out as ever; then nothing is proposed.
    let bea = app.member("bea@b.test").await;
    mall.order(&bea, "k", swapped).await.refused(409, "out_of_stock");
    assert_eq!(mall.quote(&bea, json!([{ "variant": small }])).await.ok(200)["offers"], json!([]));
    mall.shop.pay(&order).await;
    mall.shop.settled(&ann, &order).await;
    let taken = "SELECT quantity AS count FROM line_offers";
    assert_eq!(count_sql(&mut *app.conn().await, taken).await, 2);

    // Cheaper by itself: it costs what it costs; and the price that is given up is the caller's own.
    mall.stock(&large, 5, "received").await.ok(201);
    let path = format!("/v1/admin/variants/{}/prices", large.as_str().unwrap());
    app.make(&mall.owner, &path, &json!({ "price": yuan(1100), "ends_at": app.now() + TimeDelta::hours(1) }))
        .await;
    let one = json!([{ "variant": large, "instead_of": small }]);
    let quote = mall.quote(&bea, one.clone()).await.ok(200);
    assert_eq!(
        (&quote["lines"][0]["unit_price"], &quote["explanation"][0]["reason"]),
        (&yuan(1100), &json!("sale_price"))
    );
    assert_eq!(mall.quote(&bea, json!([{ "variant": small }])).await.ok(200)["offers"], json!([]));
    let fan = mall.member("fan@b.test", &mall.regular).await;
    let path = format!("/v1/admin/variants/{}/prices", small.as_str().unwrap());
    let of_members = json!({ "price": yuan(800), "buyers": { "who": "members" } });
    app.make(&mall.owner, &path, &of_members).await;
    assert_eq!(mall.quote(&fan, one).await.ok(200)["lines"][0]["unit_price"], yuan(1000));

    for (lines, status, code, field) in [
        (json!([{ "variant": small, "instead_of": large }]), 422, "unknown_offer", "lines[0].instead_of"),
        (json!([{ "variant": large, "instead_of": large }]), 422, "unknown_offer", "lines[0].instead_of"),
        (
            json!([{ "bundle": "bun_00000000000000000000000000000000", "instead_of": small }]),
            422,
            "invalid_field",
            "lines[0].instead_of",
        ),
        (json!([{ "plan": mall.regular["id"], "instead_of": small }]), 422, "invalid_field", "lines[0].drop"),
    ] {
        let refused = mall.quote(&bea, lines.clone()).await;
        assert_eq!(refused.refused(status, code)["errors"][0]["field"], field, "{lines}");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_offers_are_refused() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let tea = mall.goods("TEA", 50, 1).await;
    let (pack, ()) = mall.book_box_of(&tea).await;
    let unknown = "var_00000000000000000000000000000000";
    let names = json!({ "zh-CN": "a", "en": "a" });
    let gift = |more: Value| {
        let mut body = json!({ "code": "o", "kind": "gift", "names": names, "buy": tea, "get": tea });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let swap = |more: Value| {
        let mut body = gift(json!({ "kind": "swap", "get": pack["id"], "supplement": yuan(1) }));
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let now = app.now();
    for (body, code, field) in [
        (gift(json!({ "code": "no slug" })), "invalid_field", "code"),
        (gift(json!({ "buy": unknown })), "unknown_article", "buy"),
        (gift(json!({ "get": unknown })), "unknown_article", "get"),
        (gift(json!({ "buy_quantity": 0 })), "invalid_field", "buy_quantity"),
        (gift(json!({ "get_quantity": 1_000_000_000 })), "invalid_field", "get_quantity"),
        (gift(json!({ "most_per_order": 0 })), "invalid_field", "most_per_order"),
        (gift(json!({ "supplement": yuan(1) })), "invalid_field", "supplement"),
        (gift(json!({ "starts_at": now, "ends_at": now })), "invalid_field", "ends_at"),
        (
            gift(json!({ "buyers": { "who": "tier", "at_least": "gone" } })),
            "invalid_field",
            "buyers.at_least",
        ),
        (swap(json!({})), "unknown_article", "get"),
        (swap(json!({ "get": tea })), "invalid_field", "get"),
        (swap(json!({ "supplement": null })), "invalid_field", "supplement"),
        (
            swap(json!({ "supplement": { "amount": -1, "currency": "CNY" } })),
            "amount_out_of_range",
            "supplement.amount",
        ),
        (swap(json!({ "buy_quantity": 2 })), "invalid_field", "buy_quantity"),
    ] {
        let refused = app.post("/v1/admin/offers").bearer(&mall.owner.token).json(&body).send().await;
        assert_eq!(refused.refused(422, code)["errors"][0]["field"], field, "{body}: {}", refused.text);
    }
    app.make(&mall.owner, "/v1/admin/offers", &gift(json!({}))).await;
    let again = app.post("/v1/admin/offers").bearer(&mall.owner.token).json(&gift(json!({})));
    again.send().await.refused(409, "code_taken");
    mall.finish().await;
}

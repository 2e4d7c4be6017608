//! Baskets: filled as a guest or signed in, priced for who looks, put together at sign-in, and ordered once.

use chrono::TimeDelta;
use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::baskets::Basket;
use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;

fn quantities(basket: &Value) -> Vec<i64> {
    let lines = basket["lines"].as_array().unwrap();
    lines.iter().map(|line| line["quantity"].as_i64().unwrap()).collect()
}

async fn price(mall: &Mall, variant: &Value, body: Value) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/variants/{}/prices", variant.as_str().unwrap());
    mall.shop.app.make(&owner, &path, &body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_each_what_it_costs_him_and_what_has_changed() {
    let mall = Mall::open().await;
    let (tea, book) = (mall.goods("TEA", 90, 2).await, mall.goods("BOOK", 40, 0).await);
    let kiwis = mall.goods("KIWI", 68, 9).await;
    let drop = mall.drop(&kiwis, 5, json!({ "closes_at": mall.shop.app.now() + TimeDelta::hours(2) })).await;
    price(&mall, &tea, json!({ "price": yuan(80), "buyers": { "who": "members" } })).await;

    // What is sold out may be put in.
    let guests = Basket::of_guest(&mall).await;
    assert!(guests.id.starts_with("bsk_") && guests.secret.as_ref().unwrap().starts_with("kb_"));
    let lines = json!([
        { "variant": tea, "quantity": 2 }, { "variant": book },
        { "variant": kiwis, "quantity": 3, "drop": drop["id"] }, { "plan": mall.regular["id"] },
    ]);
    let seen = guests.put(&mall, lines).await.ok(200);
    assert_eq!(seen, guests.look(&mall).await);
    let of = |seen: &Value, index: usize, field: &str| seen["lines"][index][field].clone();
    assert_eq!((of(&seen, 0, "unit_price"), of(&seen, 0, "total")), (yuan(90), yuan(180)));
    assert_eq!((of(&seen, 0, "why"), of(&seen, 0, "available")), (json!("list_price"), json!(2)));
    assert_eq!((of(&seen, 1, "may_buy"), of(&seen, 1, "refusal")), (json!(false), json!("out_of_stock")));
    assert_eq!((of(&seen, 2, "available"), of(&seen, 2, "title")), (json!(5), json!("kiwi")));
    assert_eq!(of(&seen, 3, "refusal"), "unauthenticated");
    assert!((0..4).all(|index| of(&seen, index, "changes") == json!([])));
    assert_eq!((&seen["subtotal"], &seen["may_order"]), (&yuan(180 + 204), &json!(false)));
    assert_eq!((&seen["needs_account"], &seen["needs_shipping"]), (&json!(true), &json!(true)));

    // A member sees the member's price in his own; the guest's basket in his hands is priced for him too.
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let his = guests.held_by(&fan).look(&mall).await;
    assert_eq!((of(&his, 0, "unit_price"), of(&his, 0, "list_price")), (yuan(80), yuan(90)));
    assert_eq!(
        (of(&his, 0, "why"), of(&his, 3, "refusal")),
        (json!("audience_price"), json!("use_upgrade_quote"))
    );

    // Two hours later: dearer, there again, gone; somebody else took a tin.
    mall.stock(&book, 5, "received").await.ok(201);
    let other = mall.shop.app.member("other@b.test").await;
    mall.buy(&other, "k", json!([{ "variant": tea }])).await;
    mall.shop.advance(TimeDelta::hours(2)).await;
    price(&mall, &kiwis, json!({ "price": yuan(60) })).await;
    let seen = guests.look(&mall).await;
    assert_eq!((of(&seen, 0, "refusal"), of(&seen, 0, "available")), (json!("out_of_stock"), json!(1)));
    assert_eq!((of(&seen, 0, "changes"), of(&seen, 1, "changes")), (json!(["sold_out"]), json!([])));
    assert_eq!((of(&seen, 1, "may_buy"), of(&seen, 2, "refusal")), (json!(true), json!("closed")));
    assert_eq!(of(&seen, 2, "changes"), json!(["price_changed", "gone"]));
    assert_eq!((of(&seen, 2, "unit_price"), of(&seen, 2, "unit_price_before")), (yuan(60), yuan(68)));
    assert_eq!(seen["subtotal"], yuan(40));
    // Put in again as it is, nothing is new; what isn't sold any more can't be bought, but the others can.
    let lines = json!([{ "variant": tea }, { "variant": book }]);
    let seen = guests.put(&mall, lines).await.ok(200);
    assert_eq!((&seen["may_order"], &seen["subtotal"]), (&json!(true), &yuan(130)));
    assert!((0..2).all(|index| of(&seen, index, "changes") == json!([])));
    assert_eq!(guests.put(&mall, json!([])).await.ok(200)["may_order"], false);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_basket_is_not_there() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 9).await;
    let (ada, bao) = (mall.shop.app.member("ada@b.test").await, mall.shop.app.member("bao@b.test").await);
    let (own, guests) = (Basket::of(&mall, &ada).await, Basket::of_guest(&mall).await);
    let other = Basket::of_guest(&mall).await;
    assert_eq!(Basket::of(&mall, &ada).await.id, own.id, "an account has one");
    assert_ne!(Basket::of(&mall, &bao).await.id, own.id);
    let lines = json!([{ "variant": tea }]);
    own.put(&mall, lines.clone()).await.ok(200);
    guests.put(&mall, lines.clone()).await.ok(200);
    let thieves = [
        Basket { token: None, ..own.clone() },
        Basket { secret: other.secret.clone(), token: None, ..own.clone() },
        own.held_by(&bao),
        Basket { secret: None, ..guests.clone() },
        Basket { secret: other.secret.clone(), ..guests.clone() },
        Basket { secret: Some(String::new()), ..guests.clone() },
        Basket { secret: Some("x".repeat(5_000)), ..guests.clone() },
        Basket { secret: None, ..guests.held_by(&ada) },
        Basket { id: "bsk_00000000000000000000000000000000".into(), ..guests.clone() },
        Basket { id: "nonsense".into(), ..guests.clone() },
    ];
    for thief in &thieves {
        thief.on(mall.shop.app.get(&thief.path())).send().await.refused(404, "not_found");
        thief.put(&mall, json!([])).await.refused(404, "not_found");
        let merge = thief.held_by(&bao).merge(&mall).await;
        merge.refused(404, "not_found");
        if thief.id.starts_with("bsk_") {
            thief.quote(&mall).await.refused(404, "not_found");
            thief.held_by(&bao).order(&mall, "k", json!({})).await.refused(404, "not_found");
            let path = format!("/v1/shipping-methods?country=CN&basket={}", thief.id);
            thief.on(mall.shop.app.get(&path)).send().await.refused(404, "not_found");
        }
    }
    own.merge(&mall).await.refused(404, "not_found");
    guests.merge(&mall).await.refused(401, "unauthenticated");
    assert_eq!(
        (quantities(&own.look(&mall).await), quantities(&guests.look(&mall).await)),
        (vec![1], vec![1])
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tabs_the_second_reads_again() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 9).await;
    let basket = Basket::of_guest(&mall).await;
    let tag = |answer: &crate::support::Answer| answer.header("etag").to_owned();
    let put = async |seen: &str, quantity: i64| {
        let request = basket.on(mall.shop.app.put(&format!("{}/lines", basket.path())));
        let body = json!({ "lines": [{ "variant": tea, "quantity": quantity }] });
        request.header("If-Match", seen).json(&body).send().await
    };
    let first = tag(&basket.on(mall.shop.app.get(&basket.path())).send().await);
    let answers = join_all((1..=6).map(|quantity| put(&first, quantity))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 5));
    lost.iter().for_each(|answer| {
        answer.refused(412, "version_mismatch");
    });
    let second = tag(&won[0]);
    assert_eq!(tag(&basket.on(mall.shop.app.get(&basket.path())).send().await), second);
    assert_eq!(quantities(&put(&second, 7).await.ok(200)), [7]);
    put("\"nonsense\"", 1).await.refused(412, "version_mismatch");
    assert_eq!(quantities(&basket.look(&mall).await), [7]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_order_could_have_is_refused_with_its_line() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 9).await;
    let basket = Basket::of_guest(&mall).await;
    let kept = json!([{ "variant": tea, "quantity": 2 }]);
    basket.put(&mall, kept).await.ok(200);
    let line = |more: Value| {
        let mut line = json!({ "variant": tea });
        for (field, value) in more.as_object().unwrap() {
            line[field] = value.clone();
        }
        json!([{ "variant": tea }, line])
    };
    let many: Vec<_> = (0..21).map(|_| json!({ "variant": tea })).collect();
    for (lines, code, field) in [
        (line(json!({ "quantity": 0 })), "invalid_field", "lines[1].quantity"),
        (line(json!({ "quantity": -3 })), "invalid_field", "lines[1].quantity"),
        (line(json!({ "quantity": 101 })), "invalid_field", "lines[1].quantity"),
        (line(json!({ "quantity": 1_000_000_000_000_i64 })), "invalid_field", "lines[1].quantity"),
        (line(json!({ "f_code": "ZZZZZ-ZZZZZ" })), "invalid_field", "lines[1].f_code"),
        (line(json!({ "drop": "drop_00000000000000000000000000000000" })), "unknown_drop", "lines[1].drop"),
        (
            json!([{ "variant": "var_00000000000000000000000000000000" }]),
            "unknown_article",
            "lines[0].variant",
        ),
        (json!([{ "plan": "plan_00000000000000000000000000000000" }]), "unknown_plan", "lines[0].plan"),
        (json!([{ "variant": "ord_00000000000000000000000000000000" }]), "invalid_field", "lines[0].variant"),
        (json!([{}]), "invalid_field", "lines[0]"),
        (json!(many), "invalid_field", "lines"),
        (json!([{ "plan": mall.regular["id"] }, { "plan": mall.diehard["id"] }]), "invalid_field", "lines"),
        (json!([{ "variant": tea, "colour": "red" }]), "invalid_field", "lines[0].colour"),
    ] {
        let answer = basket.put(&mall, lines.clone()).await;
        assert_eq!(answer.refused(422, code)["errors"][0]["field"], field, "{lines}: {}", answer.text);
    }
    assert_eq!(quantities(&basket.look(&mall).await), [2]);

    // And of orders and quotes that name one.
    let ada = mall.shop.app.member("ada@b.test").await;
    let own = Basket::of(&mall, &ada).await;
    let refused = async |more: Value, field: &str| {
        let answer = own.order(&mall, "k", more).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field, "{}", answer.text);
    };
    refused(json!({}), "basket").await;
    own.put(&mall, json!([{ "variant": tea }])).await.ok(200);
    refused(json!({ "lines": [{ "variant": tea }] }), "basket").await;
    refused(json!({ "basket": null }), "lines").await;
    refused(json!({ "expected_due": { "amount": 1, "currency": "EUR" } }), "expected_due.currency").await;
    let without = json!({ "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
    let answer = mall.shop.app.post("/v1/quotes").json(&without).send().await;
    answer.refused(401, "unauthenticated");
    assert_eq!(own.quote(&mall).await.ok(200)["totals"]["due"], yuan(102));
    assert_eq!(basket.quote(&mall).await.ok(200)["totals"]["due"], yuan(192));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sign_in_a_guests_basket_goes_into_the_accounts_once() {
    let mall = Mall::open().await;
    let (tea, book) = (mall.goods("TEA", 90, 200).await, mall.goods("BOOK", 40, 9).await);
    let ada = mall.shop.app.member("ada@b.test").await;
    let own = Basket::of(&mall, &ada).await;
    own.put(&mall, json!([{ "variant": tea, "quantity": 3 }, { "plan": mall.regular["id"] }])).await.ok(200);
    let guests = Basket::of_guest(&mall).await;
    let lines = json!([
        { "variant": tea, "quantity": 4 }, { "variant": book }, { "plan": mall.diehard["id"] },
    ]);
    guests.put(&mall, lines).await.ok(200);

    // Ten times at once: once.
    let signed_in = guests.held_by(&ada);
    let answers = join_all((0..10).map(|_| signed_in.merge(&mall))).await;
    let left_out = answers.iter().filter(|answer| answer.json["left_out"] != json!([])).count();
    assert_eq!(left_out, 1, "the first is told that one plan is enough");
    for answer in answers {
        let merged = answer.ok(200);
        assert_eq!((&merged["id"], quantities(&merged)), (&json!(own.id), vec![7, 1, 1]));
    }
    let ended = guests.look(&mall).await;
    assert_eq!((&ended["state"], &ended["merged_into"]), (&json!("merged"), &json!(own.id)));
    guests.put(&mall, json!([])).await.refused(409, "basket_ended");
    signed_in.order(&mall, "k", json!({})).await.refused(409, "basket_ended");
    let bao = mall.shop.app.member("bao@b.test").await;
    guests.held_by(&bao).merge(&mall).await.refused(409, "basket_ended");
    assert_eq!(quantities(&Basket::of(&mall, &bao).await.look(&mall).await), [0; 0]);

    // No more than one order may have; two accounts at once: one has it.
    let more = Basket::of_guest(&mall).await;
    more.put(&mall, json!([{ "variant": tea, "quantity": 99 }])).await.ok(200);
    let (first, second) = join(more.held_by(&ada).merge(&mall), more.held_by(&bao).merge(&mall)).await;
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let had = quantities(&own.look(&mall).await);
    let bao_had = quantities(&Basket::of(&mall, &bao).await.look(&mall).await);
    assert!((had == [100, 1, 1] && bao_had.is_empty()) || (had == [7, 1, 1] && bao_had == [99]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_basket_is_ordered_once_however_often_it_is_asked_for() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let own = Basket::of(&mall, &ada).await;
    own.put(&mall, json!([{ "variant": tea, "quantity": 2 }])).await.ok(200);
    let keys: Vec<_> = (0..8).map(|index| format!("k{}", index % 4)).collect();
    let answers = join_all(keys.iter().map(|key| own.order(&mall, key, json!({})))).await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 2, "one key, twice");
    assert_eq!(placed[0].json["id"], placed[1].json["id"]);
    refused.iter().for_each(|answer| {
        answer.refused(409, "basket_ended");
    });
    assert_eq!(mall.stands(&tea).await, (100, 2, 0));
    let ended = own.look(&mall).await;
    assert_eq!((&ended["state"], &ended["order"]), (&json!("ordered"), &placed[0].json["id"]));
    assert_eq!((&ended["may_order"], quantities(&ended)), (&json!(false), vec![2]));
    mall.shop.pay(&placed[0].json).await;
    assert_eq!(mall.shop.settled(&ada, &placed[0].json).await["state"], "paid");
    let next = Basket::of(&mall, &ada).await;
    assert_ne!(next.id, own.id);

    // What is refused leaves the basket as it was.
    next.put(&mall, json!([{ "variant": tea, "quantity": 100 }])).await.ok(200);
    let refused = next.order(&mall, "more", json!({})).await;
    assert_eq!(refused.refused(409, "out_of_stock")["errors"][0]["field"], "lines[0]");
    assert_eq!(next.look(&mall).await["state"], "open");
    // A guest's basket may be ordered by who has signed in since.
    let guests = Basket::of_guest(&mall).await;
    guests.put(&mall, json!([{ "variant": tea }])).await.ok(200);
    guests.held_by(&ada).order(&mall, "guests", json!({})).await.ok(201);
    guests.held_by(&ada).merge(&mall).await.refused(409, "basket_ended");
    mall.finish().await;
}

/// Whatever happens at once, the order has what the basket had in the end.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_has_what_lies_in_its_basket() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 1_000).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let mut stale = 0;
    for round in 0..12 {
        let basket = Basket::of(&mall, &ada).await;
        basket.put(&mall, json!([{ "variant": tea, "quantity": 1 }])).await.ok(200);
        let changes = join_all(
            (2..6).map(|quantity| basket.put(&mall, json!([{ "variant": tea, "quantity": quantity }]))),
        );
        let key = format!("k{round}");
        let (changes, order) = join(changes, basket.order(&mall, &key, json!({}))).await;
        assert!(changes.iter().all(|answer| [200, 409].contains(&answer.status)));
        let order = if order.status == 201 {
            order.json
        } else {
            stale += 1;
            assert_eq!(order.refused(409, "stale_quote")["errors"][0]["field"], "basket");
            basket.order(&mall, &key, json!({})).await.ok(201)
        };
        assert_eq!(
            vec![order["lines"][0]["quantity"].as_i64().unwrap()],
            quantities(&basket.look(&mall).await)
        );
    }
    println!("{stale} of 12 were changed between reading and placing");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_shown_another_price_is_told_before_he_pays() {
    let mall = Mall::open().await;
    let (tea, book) = (mall.goods("TEA", 90, 10).await, mall.goods("BOOK", 40, 10).await);
    let ada = mall.shop.app.member("ada@b.test").await;
    let basket = Basket::of(&mall, &ada).await;
    basket.put(&mall, json!([{ "variant": tea, "quantity": 2 }, { "variant": book }])).await.ok(200);
    let shown = basket.quote(&mall).await.ok(200)["totals"]["due"].clone();
    let path = format!("/v1/admin/variants/{}/prices", book.as_str().unwrap());
    let sale = mall.shop.app.make(&mall.owner, &path, &json!({ "price": yuan(30) })).await;
    let stale = basket.order(&mall, "k", json!({ "expected_due": shown })).await;
    let errors = stale.refused(409, "stale_quote")["errors"].clone();
    assert_eq!((&errors[0]["field"], &errors[1]["field"]), (&json!("expected_due"), &json!("lines[1]")));
    assert_eq!(errors[1]["detail"], "one costs 3000 now, in minor units, and did 4000");
    assert_eq!(errors.as_array().unwrap().len(), 2);
    assert_eq!(mall.stands(&tea).await, (10, 0, 0));
    // Without a basket too; and with what is right the same key goes through.
    let mut body = mall.body(json!([{ "variant": book }]));
    body["expected_due"] = yuan(52);
    let order =
        |body: &Value| mall.shop.app.post("/v1/orders").bearer(&ada.token).key("lines").json(body).send();
    assert_eq!(order(&body).await.refused(409, "stale_quote")["errors"].as_array().unwrap().len(), 1);
    body["expected_due"] = yuan(42);
    assert_eq!(order(&body).await.ok(201)["totals"]["due"], yuan(42));
    let now = basket.quote(&mall).await.ok(200)["totals"]["due"].clone();
    let placed = basket.order(&mall, "k", json!({ "expected_due": now })).await.ok(201);
    assert_eq!(placed["totals"]["due"], now);
    // A repeat finds the order, whatever it would cost now.
    let gone = format!("/v1/admin/prices/{}", sale["id"].as_str().unwrap());
    mall.shop.app.delete(&gone).bearer(&mall.owner.token).send().await.ok(204);
    let again = basket.order(&mall, "k", json!({ "expected_due": now })).await.ok(201);
    assert_eq!(again["id"], placed["id"]);
    basket.order(&mall, "k", json!({})).await.refused(422, "idempotency_key_reused");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_priced_for_the_basket_and_for_who_asks() {
    let mall = Mall::open().await;
    let method = json!({
        "code": "post", "names": { "zh-CN": "邮政", "en": "Post" }, "countries": ["CN", "DE"], "fee": yuan(10),
        "fee_per_kg": yuan(20), "free_from": yuan(300),
    });
    mall.shop.app.make(&mall.owner, "/v1/admin/shipping-methods", &method).await;
    let tea = mall.goods("TEA", 90, 10).await;
    let offers = async |query: &str, basket: Option<&Basket>| {
        let query = format!("/v1/shipping-methods?{query}");
        let request = match basket {
            Some(basket) => basket.on(mall.shop.app.get(&format!("{query}&basket={}", basket.id))),
            None => mall.shop.app.get(&query),
        };
        let data = request.header("Accept-Language", "en").send().await.ok(200)["data"].clone();
        let offer = |offer: &Value| (offer["name"].as_str().unwrap().to_owned(), offer["price"].clone());
        data.as_array().unwrap().iter().map(offer).collect::<Vec<_>>()
    };
    let said = |name: &str, price: Value| (name.to_owned(), price);
    let unpriced = [said("Post", Value::Null), said("Express", Value::Null)];
    assert_eq!(offers("country=CN", None).await, unpriced);
    let guests = Basket::of_guest(&mall).await;
    assert_eq!(offers("country=CN", Some(&guests)).await, unpriced, "there is nothing to send");
    guests.put(&mall, json!([{ "variant": tea, "quantity": 3 }])).await.ok(200);
    let priced = [said("Express", yuan(17)), said("Post", yuan(30))];
    assert_eq!(offers("country=cn&postcode=100020", Some(&guests)).await, priced);
    assert_eq!(offers("country=DE", Some(&guests)).await, [said("Post", yuan(30))]);
    guests.put(&mall, json!([{ "variant": tea, "quantity": 4 }])).await.ok(200);
    assert_eq!(offers("country=CN", Some(&guests)).await[0], said("Post", yuan(0)));
    // Free for who is diehard; what is offered is what is charged.
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let own = Basket::of(&mall, &fan).await;
    own.put(&mall, json!([{ "variant": tea, "quantity": 3 }])).await.ok(200);
    assert_eq!(offers("country=CN", Some(&own)).await[0], said("Express", yuan(0)));
    assert_eq!(own.quote(&mall).await.ok(200)["totals"]["shipping"], yuan(0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_touches_for_thirty_days_is_forgotten() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let lines = json!([{ "variant": tea }]);
    let (own, seen) = (Basket::of(&mall, &ada).await, Basket::of_guest(&mall).await);
    let (left, merged) = (Basket::of_guest(&mall).await, Basket::of_guest(&mall).await);
    for basket in [&own, &seen, &left, &merged] {
        basket.put(&mall, lines.clone()).await.ok(200);
    }
    merged.held_by(&ada).merge(&mall).await.ok(200);
    mall.shop.advance(TimeDelta::days(20)).await;
    let until = seen.look(&mall).await["expires_at"].clone();
    mall.shop.advance(TimeDelta::days(10) + TimeDelta::hours(2)).await;
    assert_eq!(seen.look(&mall).await["state"], "open", "looked at, it is kept until {until}");
    left.on(mall.shop.app.get(&left.path())).send().await.refused(404, "not_found");
    merged.on(mall.shop.app.get(&merged.path())).send().await.refused(404, "not_found");
    let count = "SELECT count(*) AS count FROM baskets";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, count).await, 1);
    mall.shop.advance(TimeDelta::days(30) + TimeDelta::hours(2)).await;
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, count).await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_takes_his_baskets_along() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let (own, guests) = (Basket::of(&mall, &ada).await, Basket::of_guest(&mall).await);
    guests.put(&mall, json!([{ "variant": tea }])).await.ok(200);
    guests.held_by(&ada).merge(&mall).await.ok(200);
    let export = mall.shop.app.get("/v1/me/export").bearer(&ada.token).send().await.ok(200);
    assert_eq!(export["baskets"][0]["lines"][0]["line"]["variant"], tea);
    assert!(export["baskets"][0].get("secret_hash").is_none());
    let leave = mall.shop.app.delete("/v1/me").bearer(&ada.token).json(&json!({ "password": PASSWORD }));
    leave.send().await.ok(204);
    let count = "SELECT count(*) AS count FROM baskets";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, count).await, 0);
    own.on(mall.shop.app.get(&own.path())).send().await.refused(401, "unauthenticated");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_makes_few_baskets_a_minute_without_an_account() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_CREDENTIALS_PER_MINUTE", "3")]).await;
    for _ in 0..3 {
        app.post("/v1/baskets").send().await.ok(201);
    }
    app.post("/v1/baskets").send().await.refused(429, "too_many_requests");
    app.post("/v1/%62askets").send().await.refused(429, "too_many_requests");
    app.post("/v1/baskets").bearer("nonsense").send().await.refused(401, "unauthenticated");
    app.finish().await;
}

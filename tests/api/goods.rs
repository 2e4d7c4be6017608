//! Goods: from the shelf or a drop to the door and back, and limits that hold when everyone comes at once.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::dev::stripe::Fault;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};

#[tokio::test(flavor = "multi_thread")]
async fn a_book_box_goes_from_the_drop_to_the_door_and_back() {
    let mall = Mall::open().await;
    let (bundle, [book, notebook, _]) = mall.book_box(10).await;
    let start = mall.shop.app.now() + TimeDelta::hours(24);
    let audiences = json!([
        { "buyers": { "who": "tier", "at_least": "diehard" }, "opens_at": start - TimeDelta::hours(24) },
        { "buyers": { "who": "members" }, "opens_at": start },
    ]);
    let more = json!({ "opens_at": start, "closes_at": start + TimeDelta::days(3), "audiences": audiences });
    let drop = mall.drop(&bundle["id"], 8, more).await;
    let fan = mall.member("diehard@b.test", &mall.diehard).await;
    let regular = mall.member("regular@b.test", &mall.regular).await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    let lines = json!([{ "bundle": bundle["bundle"], "drop": drop["id"] }]);

    // Everybody sees it and is told why he can't buy it, or when.
    let seen = async |person: &Person| {
        mall.shop.app.get("/v1/drops/drop").bearer(&person.token).send().await.ok(200)
    };
    assert_eq!(seen(&visitor).await["refusal"], "members_only");
    assert_eq!(seen(&regular).await["refusal"], "not_open");
    assert_eq!(seen(&fan).await["may_buy"], true);
    let product = mall.shop.app.get("/v1/products/book-box").bearer(&visitor.token).send().await.ok(200);
    assert_eq!((&product["may_buy"], &product["refusal"]), (&json!(false), &json!("members_only")));
    assert_eq!(product["variants"][0]["available"], 10);
    mall.order(&visitor, "k", lines.clone()).await.refused(403, "members_only");
    mall.order(&regular, "k", lines.clone()).await.refused(409, "not_open");
    mall.order(&fan, "k", json!([{ "bundle": bundle["bundle"] }])).await.refused(422, "drop_required");

    let order = mall.order(&fan, "k", lines.clone()).await.ok(201);
    assert_eq!((&order["totals"]["due"], &order["totals"]["shipping"]), (&yuan(499), &yuan(0)));
    assert_eq!(order["totals"]["tax_included"]["amount"], 4_120);
    assert_eq!((mall.stands(&book).await, mall.stands(&notebook).await), ((60, 6, 0), (10, 1, 0)));
    mall.shop.pay(&order).await;
    let order = mall.shop.settled(&fan, &order).await;
    assert_eq!(order["state"], "paid");
    assert_eq!(order["ship_to"]["city"], "北京");

    // The parcel goes out, once.
    let id = order["id"].as_str().unwrap();
    let ship = |key: &str, body: Value| {
        let path = format!("/v1/admin/orders/{id}/shipments");
        mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body).send()
    };
    let parcel = json!({ "carrier": "顺丰", "tracking_number": "SF1" });
    ship("p", parcel.clone()).await.ok(201);
    assert_eq!(ship("p", parcel.clone()).await.ok(201)["data"].as_array().unwrap().len(), 1);
    ship("q", parcel).await.refused(409, "nothing_to_ship");
    let order = mall.shop.show(&fan, &order).await;
    assert_eq!((&order["state"], &order["shipments"][0]["carrier"]), (&json!("fulfilled"), &json!("顺丰")));
    let mails = "SELECT count(*) AS count FROM mails WHERE kind = 'shipped'";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, mails).await, 1);

    // And back: the money, and each part to its shelf.
    let path = format!("/v1/admin/orders/{id}/refunds");
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&fan, &order).await["state"], "refunded");
    assert_eq!((mall.stands(&book).await, mall.stands(&notebook).await), ((60, 0, 0), (10, 0, 0)));
    assert_eq!(mall.shop.simulator().book().refunded_minor, 49_900);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_is_never_sold_twice() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 7).await;
    let people = mall.members(30).await;
    let lines = json!([{ "variant": kiwis, "quantity": 2 }]);
    assert_eq!(mall.rush(&people, &lines, "out_of_stock").await, 3);
    assert_eq!(mall.stands(&kiwis).await, (7, 6, 0));
    mall.finish().await;
}

/// Two lines of one order, and orders at once, that take the same part (medusajs/medusa#16502).
#[tokio::test(flavor = "multi_thread")]
async fn lines_that_share_a_part_never_take_more_of_it_than_there_is() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let of = |sku: &str, quantity: i64| json!([{ "sku": sku, "price": yuan(300), "parts": [{ "variant": tea, "quantity": quantity }] }]);
    let two = mall.product("pair", "bundle", of("PAIR", 2), json!({})).await;
    let three = mall.product("trio", "bundle", of("TRIO", 3), json!({})).await;
    let bundle = |product: &Value, quantity: i64| json!({ "bundle": product["variants"][0]["bundle"], "quantity": quantity });
    let person = mall.shop.app.member("a@b.test").await;
    let refused = mall.order(&person, "k", json!([bundle(&two, 3), bundle(&three, 2)])).await;
    assert_eq!(refused.refused(409, "out_of_stock")["errors"][0]["field"], "lines[1]");
    assert_eq!(mall.stands(&tea).await, (10, 0, 0));
    let people = mall.members(12).await;
    let lines = json!([bundle(&two, 1), bundle(&three, 1), { "variant": tea }]);
    assert_eq!(mall.rush(&people, &lines, "out_of_stock").await, 1);
    assert_eq!(mall.stands(&tea).await, (10, 6, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_for_a_person_at_once_and_by_a_second_address() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 100).await;
    let drop = mall.drop(&kiwis, 100, json!({ "cap_per_person": 2 })).await;
    let person = mall.shop.app.member("zhang.san@gmail.com").await;
    let alias = mall.shop.app.member("zhangsan+2@gmail.com").await;
    let lines = |quantity: i64| json!([{ "variant": kiwis, "drop": drop["id"], "quantity": quantity }]);
    mall.order(&person, "three", lines(3)).await.refused(409, "cap_reached");
    let keys = ["1", "2", "3", "4", "5", "6"];
    let wanted = keys.iter().flat_map(|key| [(&person, *key), (&alias, *key)]);
    let answers = join_all(wanted.map(|(who, key)| mall.order(who, key, lines(1)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "cap_reached");
    }
    // What isn't paid counts no longer; what was paid late counts again, where the cap allows.
    mall.shop.advance(TimeDelta::minutes(16)).await;
    let person = mall.shop.app.sign_in("zhang.san@gmail.com").await;
    mall.order(&person, "again", lines(2)).await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_takes_no_more_than_its_allocation_and_others_come_later() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 20).await;
    let now = mall.shop.app.now();
    let audiences = json!([
        { "buyers": { "who": "members" }, "opens_at": now, "allocation": 5 },
        { "buyers": { "who": "everyone" }, "opens_at": now + TimeDelta::hours(1) },
    ]);
    let drop = mall.drop(&kiwis, 12, json!({ "audiences": audiences })).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let people = mall.members(9).await;
    let stranger = mall.shop.app.member("stranger@b.test").await;
    mall.order(&stranger, "k", lines.clone()).await.refused(409, "not_open");
    assert_eq!(mall.rush(&people, &lines, "audience_sold_out").await, 5);
    // Nobody paid: all twelve are there again, now for everyone.
    mall.shop.advance(TimeDelta::hours(1)).await;
    let mut crowd = Vec::new();
    for index in 0..15 {
        crowd.push(mall.shop.app.member(&format!("s{index}@b.test")).await);
    }
    assert_eq!(mall.rush(&crowd, &lines, "sold_out").await, 12);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_f_code_guarantees_its_unit_until_its_date() {
    let mall = Mall::open().await;
    let (bundle, [book, ..]) = mall.book_box(6).await;
    let drop = mall.drop(&bundle["id"], 5, json!({})).await;
    let issue = |key: &str, body: Value| {
        let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
        mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body).send()
    };
    let ask = |quantity: i64| json!({ "variant": bundle["id"], "quantity": quantity });
    issue("many", ask(6)).await.refused(409, "stock_not_free");
    let codes = issue("two", ask(2)).await.ok(201);
    assert_eq!(issue("two", ask(2)).await.ok(201), codes);
    issue("two", ask(1)).await.refused(422, "idempotency_key_reused");
    assert_eq!(mall.stands(&book).await, (24, 0, 0), "twelve of 36 books are set aside");
    let code = |index: usize| codes["data"][index]["code"].clone();
    let members = mall.members(12).await;
    let lines = json!([{ "bundle": bundle["bundle"], "drop": drop["id"] }]);
    assert_eq!(mall.rush(&members, &lines, "sold_out").await, 3);

    // Of many who have the code one gets its unit, though all is sold.
    let with = |code: Value| json!([{ "bundle": bundle["bundle"], "drop": drop["id"], "f_code": code }]);
    let holders = mall.members_named("h", 8).await;
    assert_eq!(mall.rush(&holders, &with(code(0)), "f_code_used").await, 1);
    mall.order(&holders[0], "x", with(json!("ZZZZZ-ZZZZZ"))).await.refused(422, "unknown_f_code");
    let check = json!({ "code": code(1) });
    let check = mall.shop.app.post("/v1/f-codes/check").bearer(&holders[0].token).json(&check);
    assert_eq!(check.send().await.ok(200)["may_use"], true);

    // Past its date a code's unit is for everybody again; that of an unpaid order too.
    mall.shop.advance(TimeDelta::hours(25)).await;
    let late = mall.member("late@b.test", &mall.regular).await;
    mall.order(&late, "k", with(code(1))).await.refused(409, "f_code_expired");
    assert_eq!(mall.stands(&book).await, (36, 0, 0));
    let crowd = mall.members_named("c", 8).await;
    assert_eq!(mall.rush(&crowd, &lines, "sold_out").await, 5);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_code_is_its_persons_and_comes_back_with_a_refund() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 3).await;
    let drop = mall.drop(&kiwis, 3, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let bao = mall.shop.app.member("bao@b.test").await;
    let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
    let body = json!({ "variant": kiwis, "emails": ["Anna@b.test", "anna@b.test"] });
    let codes = mall.shop.app.post(&path).bearer(&mall.owner.token).key("k").json(&body).send().await.ok(201);
    assert_eq!(codes["data"].as_array().unwrap().len(), 1);
    let lines = json!([{ "variant": kiwis, "drop": drop["id"], "f_code": codes["data"][0]["code"] }]);
    mall.order(&bao, "k", lines.clone()).await.refused(403, "f_code_not_yours");
    let order = mall.buy(&anna, "k", lines).await;
    assert_eq!(order["state"], "paid");
    mall.shop.advance(TimeDelta::hours(25)).await;
    assert_eq!(mall.stands(&kiwis).await, (2, 0, 0), "a used code's unit doesn't come back by its date");
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let count = "SELECT capacity AS count FROM pools WHERE kind = 'stock'";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, count).await, 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_needs_no_parcel_and_its_right_ends_with_its_days_or_its_money() {
    let mall = Mall::open().await;
    let variants = json!([{ "sku": "COURSE", "price": yuan(99), "limit": 2 }]);
    let course = mall.product("ppt-course", "digital", variants, json!({ "right_days": 30 })).await;
    let lines = json!([{ "variant": course["variants"][0]["id"] }]);
    let (anna, bao) = (mall.shop.app.member("anna@b.test").await, mall.shop.app.member("bao@b.test").await);
    let access = async |person: &Person| {
        mall.shop.app.get("/v1/me/access/ppt-course").bearer(&person.token).send().await
    };
    access(&anna).await.refused(404, "not_found");
    let mut body = mall.body(lines.clone());
    body.as_object_mut().unwrap().remove("shipping");
    let order = mall.shop.app.post("/v1/orders?wait=payment").bearer(&anna.token).key("k").json(&body);
    let order = order.send().await.ok(201);
    assert_eq!(order["ship_to"], Value::Null);
    mall.shop.pay(&order).await;
    assert_eq!(mall.shop.settled(&anna, &order).await["state"], "fulfilled");
    let right = access(&anna).await.ok(200);
    assert_eq!(right["source"]["order"], order["id"]);
    assert_eq!(mall.buy(&bao, "k", lines.clone()).await["state"], "fulfilled");
    let late = mall.shop.app.member("late@b.test").await;
    mall.order(&late, "k", lines).await.refused(409, "out_of_stock");

    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let refund = json!({ "reason": "Withdrawn." });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("r").json(&refund).send().await.ok(201);
    access(&anna).await.refused(404, "not_found");
    access(&bao).await.ok(200);
    mall.shop.advance(TimeDelta::days(30)).await;
    let bao = mall.shop.app.sign_in("bao@b.test").await;
    access(&bao).await.refused(404, "not_found");
    let all = mall.shop.app.get("/v1/me/access").bearer(&bao.token).send().await.ok(200);
    assert_eq!(all["data"], json!([]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pays_the_lowest_price_that_is_lawful_for_him() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let path = format!("/v1/admin/variants/{}/prices", tea.as_str().unwrap());
    let price = async |body: Value| mall.shop.app.make(&mall.owner, &path, &body).await;
    price(json!({ "price": yuan(80), "buyers": { "who": "tier", "at_least": "diehard" } })).await;
    price(json!({ "price": yuan(85), "quantity_from": 3 })).await;
    let now = mall.shop.app.now();
    let sale = json!({ "price": yuan(70), "starts_at": now + TimeDelta::hours(1), "ends_at": now + TimeDelta::hours(2) });
    let sale = price(sale).await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let unit = async |person: &Person, quantity: i64| {
        let quote = mall.quote(person, json!([{ "variant": tea, "quantity": quantity }])).await.ok(200);
        let why = quote["explanation"][0]["reason"].as_str().unwrap().to_owned();
        (quote["lines"][0]["unit_price"]["amount"].as_i64().unwrap() / 100, why)
    };
    let said = |price: i64, why: &str| (price, why.to_owned());
    assert_eq!(unit(&visitor, 1).await, said(90, "list_price"));
    assert_eq!(unit(&visitor, 3).await, said(85, "quantity_price"));
    assert_eq!(unit(&fan, 3).await, said(80, "audience_price"));
    let shelf = mall.shop.app.get("/v1/products/tea").bearer(&fan.token).send().await.ok(200);
    assert_eq!(
        (&shelf["variants"][0]["price"], &shelf["variants"][0]["why"]),
        (&yuan(80), &json!("audience_price"))
    );
    mall.shop.advance(TimeDelta::hours(1)).await;
    let visitor = mall.shop.app.sign_in("visitor@b.test").await;
    assert_eq!(unit(&visitor, 1).await, said(70, "sale_price"));
    // Charged as quoted, and no longer once the price is gone.
    let order = mall.order(&visitor, "k", json!([{ "variant": tea, "quantity": 4 }])).await.ok(201);
    assert_eq!((&order["totals"]["subtotal"], &order["totals"]["shipping"]), (&yuan(280), &yuan(17)));
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let gone = format!("/v1/admin/prices/{}", sale["id"].as_str().unwrap());
    mall.shop.app.delete(&gone).bearer(&owner.token).send().await.ok(204);
    assert_eq!(unit(&visitor, 1).await, said(90, "list_price"));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_moves_once_a_request_and_never_below_what_is_sold() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 5).await;
    let again = mall.stock(&tea, 5, "received").await.ok(201);
    assert_eq!(again["quantity"], 5);
    assert_eq!(mall.stands(&tea).await, (5, 0, 0));
    let person = mall.shop.app.member("a@b.test").await;
    mall.order(&person, "k", json!([{ "variant": tea, "quantity": 3 }])).await.ok(201);
    mall.stock(&tea, -3, "damaged").await.refused(409, "stock_not_free");
    let takers = join_all((0..6).map(|index| {
        let body = json!({ "variant": tea, "quantity": -1, "reason": "written_off" });
        let request = mall.shop.app.post("/v1/admin/stock-moves").bearer(&mall.owner.token);
        request.key(&format!("k{index}")).json(&body).send()
    }))
    .await;
    assert_eq!(takers.iter().filter(|answer| answer.status == 201).count(), 2);
    assert_eq!(mall.stands(&tea).await, (3, 3, 0));
    for (body, field) in [
        (json!({ "variant": tea, "quantity": 0, "reason": "received" }), "quantity"),
        (json!({ "variant": tea, "quantity": 10_000_000_000_i64, "reason": "received" }), "quantity"),
        (json!({ "variant": tea, "quantity": 1, "reason": "set_aside" }), "reason"),
    ] {
        let request = mall.shop.app.post("/v1/admin/stock-moves").bearer(&mall.owner.token).key("bad");
        assert_eq!(
            request.json(&body).send().await.refused(422, "invalid_field")["errors"][0]["field"],
            field
        );
    }
    let ledger = mall.shop.app.get("/v1/admin/stock-moves").bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(ledger["data"].as_array().unwrap().len(), 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parcels_go_out_in_parts_and_shipping_goes_back_with_all() {
    let mall = Mall::open().await;
    let (tea, book) = (mall.goods("TEA", 90, 10).await, mall.goods("BOOK", 40, 10).await);
    let person = mall.shop.app.member("a@b.test").await;
    let lines = json!([{ "variant": tea, "quantity": 2 }, { "variant": book }]);
    let order = mall.buy(&person, "k", lines).await;
    assert_eq!((&order["totals"]["shipping"], &order["state"]), (&yuan(17), &json!("paid")));
    let id = order["id"].as_str().unwrap();
    let ship = |key: &str, lines: Value| {
        let body = json!({ "carrier": "顺丰", "lines": lines });
        let path = format!("/v1/admin/orders/{id}/shipments");
        mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body).send()
    };
    let line =
        |index: usize, quantity: i64| json!({ "line": order["lines"][index]["id"], "quantity": quantity });
    ship("1", json!([line(0, 3)])).await.refused(409, "nothing_to_ship");
    ship("1", json!([line(0, 0)])).await.refused(422, "invalid_field");
    ship("1", json!([line(0, 1), line(0, 1)])).await.refused(422, "invalid_field");
    ship("1", json!([])).await.refused(422, "invalid_field");
    // Two operators send the same unit at once: one parcel.
    let twins = join_all(["a", "b"].map(|key| ship(key, json!([line(0, 2)])))).await;
    assert_eq!(twins.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(mall.shop.show(&person, &order).await["state"], "paid");
    ship("3", json!([line(1, 1)])).await.ok(201);
    assert_eq!(mall.shop.show(&person, &order).await["state"], "fulfilled");

    let refund = |key: &str, body: Value| {
        let path = format!("/v1/admin/orders/{id}/refunds");
        mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body).send()
    };
    let one =
        json!({ "reason": "Broken.", "lines": [{ "line": order["lines"][1]["id"] }], "restock": false });
    assert_eq!(refund("1", one).await.ok(201)["amount"], yuan(40));
    assert_eq!(refund("2", json!({ "reason": "All." })).await.ok(201)["amount"], yuan(197));
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&person, &order).await["state"], "refunded");
    assert_eq!(mall.stands(&tea).await, (10, 0, 2), "nothing came back");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_order_of_goods_can_be_is_refused_and_leaves_nothing() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let (bundle, _) = mall.book_box_of(&tea).await;
    let person = mall.shop.app.member("a@b.test").await;
    let drop = mall.drop(&tea, 5, json!({})).await;
    let variant = |more: Value| {
        let mut line = json!({ "variant": tea });
        for (field, value) in more.as_object().unwrap() {
            line[field] = value.clone();
        }
        json!([line])
    };
    for (lines, code, field) in [
        (variant(json!({ "quantity": 0 })), "invalid_field", "lines[0].quantity"),
        (variant(json!({ "quantity": -1 })), "invalid_field", "lines[0].quantity"),
        (variant(json!({ "quantity": 1_000_000_000 })), "invalid_field", "lines[0].quantity"),
        (variant(json!({ "plan": mall.regular["id"] })), "invalid_field", "lines[0]"),
        (
            variant(json!({ "drive": "drv_00000000000000000000000000000000" })),
            "invalid_field",
            "lines[0].drive",
        ),
        (variant(json!({ "f_code": "ZZZZZ-ZZZZZ" })), "invalid_field", "lines[0].f_code"),
        (
            variant(json!({ "drop": "drop_00000000000000000000000000000000" })),
            "unknown_drop",
            "lines[0].drop",
        ),
        (json!([{}]), "invalid_field", "lines[0]"),
        (
            json!([{ "variant": "var_00000000000000000000000000000000" }]),
            "unknown_article",
            "lines[0].variant",
        ),
        (json!([{ "variant": bundle["id"] }]), "unknown_article", "lines[0].variant"),
        (json!([{ "bundle": bundle["bundle"], "drop": drop["id"] }]), "unknown_drop", "lines[0].drop"),
        (json!([{ "plan": mall.regular["id"], "quantity": 2 }]), "invalid_field", "lines[0].quantity"),
        (json!([{ "plan": mall.regular["id"] }, { "plan": mall.diehard["id"] }]), "invalid_field", "lines"),
    ] {
        let answer = mall.order(&person, "k", lines.clone()).await;
        assert_eq!(answer.refused(422, code)["errors"][0]["field"], field, "{lines}: {}", answer.text);
    }
    let with = |pointer: &str, value: Value| {
        let mut body = mall.body(json!([{ "variant": tea }]));
        *body.pointer_mut(pointer).unwrap() = value;
        mall.shop.app.post("/v1/orders").bearer(&person.token).key("k").json(&body).send()
    };
    with("/shipping", Value::Null).await.refused(422, "shipping_required");
    with("/shipping/address/country", json!("DE")).await.refused(422, "not_shipped_there");
    with("/shipping/address/city", json!("")).await.refused(422, "invalid_field");
    with("/shipping/method", json!("shm_00000000000000000000000000000000"))
        .await
        .refused(422, "invalid_field");
    let archive = format!("/v1/admin/drops/{}/archive", drop["id"].as_str().unwrap());
    mall.shop.app.post(&archive).bearer(&mall.owner.token).send().await.ok(200);
    mall.order(&person, "k", variant(json!({ "drop": drop["id"] }))).await.refused(409, "closed");
    assert_eq!(mall.stands(&tea).await, (10, 0, 0));
    // A membership and goods in one order: one payment, both delivered.
    let order = mall.buy(&person, "k", json!([{ "plan": mall.regular["id"] }, { "variant": tea }])).await;
    assert_eq!((&order["state"], &order["totals"]["due"]), (&json!("paid"), &yuan(302)));
    assert!(mall.shop.membership(&person).await.is_some());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_about_goods_ends_their_rights_and_leaves_the_membership_alone() {
    let mall = Mall::open().await;
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let course =
        mall.product("course", "digital", json!([{ "sku": "COURSE", "price": yuan(99) }]), json!({})).await;
    let order = mall.order(&fan, "k", json!([{ "variant": course["variants"][0]["id"] }])).await.ok(201);
    assert_eq!(mall.shop.on_page(&order, &[("action", "pay"), ("method", "card")]).await, 303);
    assert_eq!(mall.shop.settled(&fan, &order).await["state"], "fulfilled");
    let intent = mall.shop.simulator().book().payments[0].payment_intent.clone();
    let dispute = mall.shop.simulator().open_dispute(&intent, "fraudulent").unwrap();
    mall.shop.settle().await;
    assert_eq!(mall.shop.membership(&fan).await.unwrap()["state"], "active");
    mall.shop.simulator().close_dispute(&dispute, "lost").unwrap();
    mall.shop.settle().await;
    assert_eq!(mall.shop.membership(&fan).await.unwrap()["state"], "active");
    let access = mall.shop.app.get("/v1/me/access/course").bearer(&fan.token).send().await;
    access.refused(404, "not_found");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_found_by_words_and_by_two_characters() {
    let mall = Mall::open().await;
    for (slug, zh, category, tag) in [
        ("book-box", "罗辑思维书盒", "books", "2014"),
        ("kiwis", "柳桃奇异果", "fruit", "2014"),
        ("mooncakes", "真爱特供月饼", "cakes", "gift"),
    ] {
        let variants = json!([{ "sku": format!("SKU-{slug}"), "price": yuan(1) }]);
        let more = json!({ "names": { "zh-CN": zh, "en": slug }, "category": category, "tags": [tag] });
        mall.product(slug, "goods", variants, more).await;
    }
    let found = async |query: &str| {
        let answer = mall.shop.app.get(&format!("/v1/products?{query}")).send().await.ok(200);
        let data = answer["data"].as_array().unwrap().clone();
        data.iter().map(|product| product["slug"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found("q=%E4%B9%A6%E7%9B%92").await, ["book-box"]);
    assert_eq!(found("q=%E6%9C%88%E9%A5%BC").await, ["mooncakes"]);
    assert_eq!(found("q=KIW").await, ["kiwis"]);
    assert_eq!(found("q=sku+book").await, ["book-box"]);
    assert_eq!(found("q=pear").await, [""; 0]);
    assert_eq!(found("tag=2014").await, ["kiwis", "book-box"]);
    assert_eq!(found("tag=2014&category=books&kind=goods").await, ["book-box"]);
    let empty = mall.shop.app.get("/v1/products?q=%2C").send().await;
    assert_eq!(empty.refused(422, "invalid_field")["errors"][0]["field"], "q");
    // A new name is found, the old one no longer.
    let kiwis = mall.shop.app.get("/v1/products/kiwis").send().await.ok(200);
    let path = format!("/v1/admin/products/{}", kiwis["id"].as_str().unwrap());
    let request = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", "\"v1\"");
    request.json(&json!({ "names": { "zh-CN": "橙子", "en": "Oranges" } })).send().await.ok(200);
    assert_eq!(
        (found("q=oran").await, found("q=%E5%A5%87%E5%BC%82").await),
        (vec!["kiwis".to_owned()], vec![])
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_waits_for_his_parcel_or_gives_it_up_and_his_address_goes() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let drop = mall.drop(&tea, 5, json!({ "cap_per_person": 1 })).await;
    let person = mall.shop.app.member("a@b.test").await;
    let order = mall.buy(&person, "k", json!([{ "variant": tea, "drop": drop["id"] }])).await;
    assert_eq!(order["state"], "paid");
    let export = mall.shop.app.get("/v1/me/export").bearer(&person.token).send().await.ok(200);
    assert_eq!(export["orders"][0]["ship_to"]["city"], "北京");
    assert_eq!(export["drop_purchases"].as_array().unwrap().len(), 1);
    let leave = |forfeit: bool| {
        let body = json!({ "password": crate::support::people::PASSWORD, "forfeit": forfeit });
        mall.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send()
    };
    leave(false).await.refused(409, "order_pending");
    leave(true).await.ok(204);
    let path = format!("/v1/admin/orders/{}", order["id"].as_str().unwrap());
    let kept = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!((&kept["ship_to"]["city"], &kept["ship_to"]["country"]), (&json!(""), &json!("CN")));
    let analyst = mall.shop.app.operator(Role::Analyst).await;
    let masked = mall.shop.app.get(&path).bearer(&analyst.token).send().await.ok(200);
    assert_eq!(masked["ship_to"], Value::Null);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_product_or_drop_can_be_is_refused_by_field() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 1).await;
    let (bundle, _) = mall.book_box_of(&tea).await;
    let good = json!({
        "slug": "new", "kind": "goods", "names": { "zh-CN": "新", "en": "New" },
        "variants": [{ "sku": "NEW", "price": yuan(1) }],
    });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let variant = |more: Value| {
        let mut variant = json!({ "sku": "NEW", "price": yuan(1) });
        for (field, value) in more.as_object().unwrap() {
            variant[field] = value.clone();
        }
        with("variants", json!([variant]))
    };
    let part = |id: &Value| json!({ "parts": [{ "variant": id, "quantity": 1 }] });
    let mut of_bundle = variant(part(&bundle["id"]));
    of_bundle["kind"] = json!("bundle");
    for (body, code, field) in [
        (with("slug", json!("Not a slug")), "invalid_field", "slug"),
        (with("variants", json!([])), "invalid_field", "variants"),
        (with("tax_rate_bp", json!(10_001)), "invalid_field", "tax_rate_bp"),
        (with("right_days", json!(3)), "invalid_field", "right_days"),
        (with("images", json!(["http://a.test/1.png"])), "invalid_field", "images[0]"),
        (with("buys", json!({ "who": "tier", "at_least": "gone" })), "invalid_field", "buys.at_least"),
        (with("payment_methods", json!(["cash"])), "invalid_field", "payment_methods[0]"),
        (with("colour", json!("red")), "invalid_field", "colour"),
        (variant(json!({ "price": yuan(-1) })), "amount_out_of_range", "variants[0].price.amount"),
        (variant(json!({ "limit": 1 })), "invalid_field", "variants[0].limit"),
        (variant(part(&tea)), "invalid_field", "variants[0].parts"),
        (of_bundle, "unknown_article", "variants[0].parts[0].variant"),
    ] {
        let answer =
            mall.shop.app.post("/v1/admin/products").bearer(&mall.owner.token).json(&body).send().await;
        assert_eq!(answer.refused(422, code)["errors"][0]["field"], field, "{body}: {}", answer.text);
    }
    let taken = variant(json!({ "sku": "TEA" }));
    let request = mall.shop.app.post("/v1/admin/products").bearer(&mall.owner.token);
    request.json(&taken).send().await.refused(409, "code_taken");
    let now = mall.shop.app.now();
    let drop = |more: Value| {
        let mut body = json!({
            "code": "new", "names": { "zh-CN": "新", "en": "New" }, "opens_at": now,
            "closes_at": now + TimeDelta::hours(1), "items": [{ "variant": tea, "quantity": 1 }],
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    };
    let late = json!([{ "buyers": { "who": "everyone" }, "opens_at": now + TimeDelta::hours(1) }]);
    for (body, code, field) in [
        (drop(json!({ "items": [] })), "invalid_field", "items"),
        (drop(json!({ "items": [{ "variant": tea, "quantity": 0 }] })), "invalid_field", "items[0].quantity"),
        (drop(json!({ "cap_per_person": 0 })), "invalid_field", "cap_per_person"),
        (drop(json!({ "closes_at": now })), "invalid_field", "closes_at"),
        (drop(json!({ "audiences": late })), "invalid_field", "closes_at"),
    ] {
        let answer = mall.shop.app.post("/v1/admin/drops").bearer(&mall.owner.token).json(&body).send().await;
        assert_eq!(answer.refused(422, code)["errors"][0]["field"], field, "{body}: {}", answer.text);
    }
    // Two operators edit one product: the second has to read it again.
    let made = mall.shop.app.make(&mall.owner, "/v1/admin/products", &good).await;
    let path = format!("/v1/admin/products/{}", made["id"].as_str().unwrap());
    let patch = |version: &str, body: Value| {
        let request = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", version);
        request.json(&body).send()
    };
    let hidden = json!({ "shown_from": now + TimeDelta::hours(1) });
    assert_eq!(patch("\"v1\"", hidden.clone()).await.ok(200)["version"], 2);
    patch("\"v1\"", hidden).await.refused(412, "version_mismatch");
    mall.shop.app.get("/v1/products/new").send().await.refused(404, "not_found");
    patch("\"v2\"", json!({ "shown_from": null })).await.ok(200);
    mall.shop.app.get("/v1/products/new").send().await.ok(200);
    mall.shop.app.post(&format!("{path}/archive")).bearer(&mall.owner.token).send().await.ok(200);
    mall.shop.app.get("/v1/products/new").send().await.refused(404, "not_found");
    mall.finish().await;
}

/// Two lines claim of one stock; the money comes when there is room for one of them alone.
#[tokio::test(flavor = "multi_thread")]
async fn late_money_takes_all_its_lines_or_goes_back() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 2).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let line = json!({ "variant": tea });
    let order = mall.order(&anna, "two", json!([line, line])).await.ok(201);
    // It is on its way for longer than the place is kept.
    let late = [("action", "pay_late"), ("delay", "345600"), ("method", "wechat_pay")];
    assert_eq!(mall.shop.on_page(&order, &late).await, 303);
    mall.shop.advance(TimeDelta::hours(74)).await;
    assert_eq!(mall.stands(&tea).await, (2, 0, 0));
    let bao = mall.shop.app.member("bao@b.test").await;
    mall.buy(&bao, "one", json!([line])).await;
    mall.shop.advance(TimeDelta::hours(24)).await;
    assert_eq!(mall.stands(&tea).await, (2, 0, 1));
    let book = mall.shop.simulator().book();
    assert_eq!((book.payments.len(), book.refunded_minor), (2, 19_200));
    mall.finish().await;
}

/// The answer is made of what was written, the repeat's of what lies in the database.
#[tokio::test(flavor = "multi_thread")]
async fn who_places_an_order_is_answered_as_it_stands() {
    let mall = Mall::open().await;
    let person = mall.member("ada@standing.test", &mall.regular).await;
    let pen = mall.goods("PEN", 30, 50).await;
    let (boxed, _) = mall.book_box(5).await;
    let drop = mall.drop(&boxed["id"], 3, json!({ "cap_per_person": 2 })).await;
    // No page is made meanwhile.
    mall.shop.simulator().inject(Fault::status("create_checkout", 503).times(99));
    let gift = json!({ "plan": mall.regular["id"], "to": { "email": "bob@standing.test", "name": "Bob" } });
    let carts = [
        json!([{ "variant": pen, "quantity": 2 }]),
        json!([{ "bundle": boxed["bundle"], "drop": drop["id"] }, { "variant": pen }]),
        json!([{ "gift_card": { "amount": yuan(100) } }, { "gift": gift }]),
    ];
    for (nth, lines) in carts.into_iter().enumerate() {
        let place = async || {
            let request = mall.shop.app.post("/v1/orders").bearer(&person.token).key(&format!("k{nth}"));
            request.json(&mall.body(lines.clone())).send().await.ok(201)
        };
        let (first, again) = (place().await, place().await);
        assert_eq!(first["state"], "pending_payment");
        assert_eq!(first, again);
    }
    mall.shop.simulator().clear_faults();
    mall.finish().await;
}

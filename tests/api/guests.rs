//! Guest checkout: a basket, an address, a payment, and a token to see the order with. No account anywhere.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::baskets::Basket;
use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

const GUEST: &str = "luo.guest@b.test";

pub async fn filled(mall: &Mall, lines: Value) -> Basket {
    let basket = Basket::of_guest(mall).await;
    basket.put(mall, lines).await.ok(200);
    basket
}

/// Orders `lines` as a guest of this address.
pub async fn order(mall: &Mall, email: &str, lines: Value) -> Answer {
    filled(mall, lines).await.order(mall, "k", json!({ "email": email })).await
}

pub fn path(order: &Value, action: &str) -> String {
    format!("/v1/orders/{}{action}", order["id"].as_str().unwrap())
}

pub async fn look(mall: &Mall, order: &Value, query: &str) -> Answer {
    let token = order["order_token"].as_str().unwrap();
    mall.shop.app.get(&path(order, query)).header("Order-Token", token).send().await
}

pub async fn post(mall: &Mall, order: &Value, action: &str, key: &str) -> Answer {
    let token = order["order_token"].as_str().unwrap();
    let request = mall.shop.app.post(&path(order, action)).header("Order-Token", token).key(key);
    request.json(&json!({})).send().await
}

pub async fn count(mall: &Mall, sql: &str) -> i64 {
    count_sql(&mut *mall.shop.app.conn().await, sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_buys_kiwis_to_the_door() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let basket = filled(&mall, json!([{ "variant": kiwis, "quantity": 2 }])).await;
    let quote = basket.quote(&mall).await.ok(200);
    let more = json!({ "email": "Luo.Guest@b.test", "expected_due": quote["totals"]["due"] });
    let answer = basket.order(&mall, "k", more).await;
    let location = answer.header("location").to_owned();
    let placed = answer.ok(201);
    assert_eq!(location, path(&placed, ""));
    assert_eq!((&placed["totals"]["due"], &placed["payment"]["state"]), (&yuan(148), &json!("ready")));
    assert_eq!(mall.stands(&kiwis).await, (10, 2, 0));
    mall.shop.pay(&placed).await;
    let paid = look(&mall, &placed, "?wait=settled").await.ok(200);
    assert_eq!((&paid["state"], &paid["ship_to"]["city"]), (&json!("paid"), &json!("北京")));
    assert!(paid.get("order_token").is_none(), "told once");

    // The operator knows the address, and no account; the parcel goes out, the mails reach the guest.
    let owner = &mall.owner;
    let seen = mall.shop.app.get(&format!("/v1/admin{}", &path(&placed, "")[3..])).bearer(&owner.token);
    let seen = seen.send().await.ok(200);
    assert_eq!((&seen["email"], seen.get("account")), (&json!("Luo.Guest@b.test"), None));
    let parcel = json!({ "carrier": "顺丰", "tracking_number": "SF1" });
    let ship = mall.shop.app.post(&format!("/v1/admin{}", &path(&placed, "/shipments")[3..]));
    ship.bearer(&owner.token).key("p").json(&parcel).send().await.ok(201);
    assert_eq!(look(&mall, &placed, "").await.ok(200)["state"], "fulfilled");
    let mails = "SELECT count(*) AS count FROM mails WHERE to_address = 'Luo.Guest@b.test' AND kind IN ('receipt', 'shipped')";
    assert_eq!(count(&mall, mails).await, 2);

    // Another one is given up; the same request again finds it so.
    let other = order(&mall, GUEST, json!([{ "variant": kiwis }])).await.ok(201);
    for _ in 0..2 {
        assert_eq!(post(&mall, &other, "/cancel", "c").await.ok(200)["state"], "cancelled");
    }
    post(&mall, &other, "/cancel", "again").await.refused(409, "order_not_pending");
    assert_eq!(mall.stands(&kiwis).await, (10, 0, 2));

    // Nothing is saved of a card, and no customer made.
    let saved = "SELECT count(*) AS count FROM payments p, accounts a WHERE p.saves_card OR a.stripe_customer_id IS NOT NULL";
    assert_eq!(count(&mall, saved).await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_token_an_order_is_not_there() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let mine = order(&mall, GUEST, json!([{ "variant": tea }])).await.ok(201);
    let other = order(&mall, GUEST, json!([{ "variant": tea }])).await.ok(201);
    let ada = mall.shop.app.member(GUEST).await;
    let own = mall.order(&ada, "k", json!([{ "variant": tea }])).await.ok(201);
    let (mine_path, own_path) = (path(&mine, ""), path(&own, ""));
    let token = |order: &Value| order["order_token"].as_str().unwrap().to_owned();
    for (path, wrong) in [
        (&mine_path, token(&other)),
        (&mine_path, "nonsense".to_owned()),
        (&mine_path, "x".repeat(90)),
        (&own_path, token(&mine)),
    ] {
        let request = |action: &str| {
            mall.shop.app.post(&format!("{path}{action}")).header("Order-Token", &wrong).key("w")
        };
        mall.shop.app.get(path).header("Order-Token", &wrong).send().await.refused(404, "not_found");
        assert!([401, 404].contains(&request("/cancel").send().await.status));
        assert!([401, 404].contains(&request("/payments").json(&json!({})).send().await.status));
    }
    mall.shop
        .app
        .get(&mine_path)
        .header("Order-Token", &token(&other))
        .send()
        .await
        .refused(404, "not_found");
    mall.shop.app.get(&mine_path).send().await.refused(401, "unauthenticated");
    // The account of the same address has another past: what was typed proves nothing.
    mall.shop.app.get(&mine_path).bearer(&ada.token).send().await.refused(404, "not_found");
    let list = mall.shop.app.get("/v1/orders").bearer(&ada.token).send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    mall.shop
        .app
        .get("/v1/orders")
        .header("Order-Token", &token(&mine))
        .send()
        .await
        .refused(401, "unauthenticated");
    // Signed in with the guest's token beside: both are seen.
    for path in [&mine_path, &own_path] {
        let request = mall.shop.app.get(path).bearer(&ada.token).header("Order-Token", &token(&mine));
        request.send().await.ok(200);
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_an_account_says_so() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let variant = |product: &Value| json!([{ "variant": product["variants"][0]["id"] }]);
    let digital = json!([{ "sku": "COURSE", "price": yuan(99) }]);
    let course = mall.product("course", "digital", digital, json!({})).await;
    let parts =
        json!([{ "variant": tea, "quantity": 1 }, { "variant": course["variants"][0]["id"], "quantity": 1 }]);
    let bundle = json!([{ "sku": "PACK", "price": yuan(150), "parts": parts }]);
    let pack = mall.product("pack", "bundle", bundle, json!({})).await;
    let for_whom = async |slug: &str, who: &str| {
        let variants = json!([{ "sku": slug, "price": yuan(1) }]);
        mall.product(slug, "digital", variants, json!({ "buys": { "who": who } })).await
    };
    let (signed_in, members) =
        (for_whom("signed-in", "signed_in").await, for_whom("members", "members").await);
    for lines in [
        variant(&course),
        json!([{ "bundle": pack["variants"][0]["bundle"] }]),
        variant(&signed_in),
        variant(&members),
        json!([{ "plan": mall.regular["id"] }]),
        json!([{ "variant": tea }, { "plan": mall.regular["id"] }]),
    ] {
        let basket = filled(&mall, lines.clone()).await;
        assert_eq!(basket.look(&mall).await["needs_account"], true, "{lines}");
        basket.quote(&mall).await.refused(401, "unauthenticated");
        basket.order(&mall, "k", json!({ "email": GUEST })).await.refused(401, "unauthenticated");
    }
    // A code that is bound to an address isn't a guest's who types it in; one that isn't, is whoever has it.
    let drop = mall.drop(&tea, 4, json!({})).await;
    let codes = async |key: &str, body: Value| {
        let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
        let made =
            mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body).send().await.ok(201);
        json!([{ "variant": tea, "drop": drop["id"], "f_code": made["data"][0]["code"] }])
    };
    let bound = codes("bound", json!({ "variant": tea, "emails": [GUEST] })).await;
    order(&mall, GUEST, bound).await.refused(403, "f_code_not_yours");
    let free = codes("free", json!({ "variant": tea, "quantity": 1 })).await;
    order(&mall, GUEST, free.clone()).await.ok(201);
    order(&mall, GUEST, free).await.refused(409, "f_code_used");

    // And what an order of a guest has to say.
    let basket = filled(&mall, json!([{ "variant": tea }])).await;
    let refused = async |more: Value, field: &str| {
        let answer = basket.order(&mall, "k", more).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field, "{}", answer.text);
    };
    refused(json!({}), "email").await;
    refused(json!({ "email": "nobody" }), "email").await;
    refused(json!({ "email": "a@b.test\r\nBcc: x@y.z" }), "email").await;
    let book = json!({ "method": mall.express["id"], "address_id": "addr_00000000000000000000000000000000" });
    refused(json!({ "email": GUEST, "shipping": book }), "shipping.address_id").await;
    basket
        .order(&mall, "k", json!({ "email": GUEST, "shipping": null }))
        .await
        .refused(422, "shipping_required");
    let body = mall.body(json!([{ "variant": tea }]));
    let request = |body: &Value| mall.shop.app.post("/v1/orders").key("k").json(body).send();
    request(&body).await.refused(401, "unauthenticated");
    let ada = mall.shop.app.member("ada@b.test").await;
    let own = Basket::of(&mall, &ada).await;
    own.put(&mall, json!([{ "variant": tea }])).await.ok(200);
    let answer = own.order(&mall, "k", json!({ "email": GUEST })).await;
    assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], "email");
    let without_key =
        basket.on(mall.shop.app.post("/v1/orders")).json(&basket.body(&mall, json!({ "email": GUEST })));
    without_key.send().await.refused(400, "idempotency_key_missing");
    assert_eq!(
        count(&mall, "SELECT count(*) AS count FROM accounts WHERE is_guest").await,
        1,
        "of the order that stands"
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_told_the_token_again() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let basket = filled(&mall, json!([{ "variant": tea, "quantity": 2 }])).await;
    let more = json!({ "email": GUEST });
    let twins = join_all((0..6).map(|_| basket.order(&mall, "k", more.clone()))).await;
    let twins: Vec<_> = twins.into_iter().map(|answer| answer.ok(201)).collect();
    for twin in &twins {
        assert_eq!((&twin["id"], &twin["order_token"]), (&twins[0]["id"], &twins[0]["order_token"]));
    }
    look(&mall, &twins[0], "").await.ok(200);
    let other = json!({ "email": "other@b.test" });
    basket.order(&mall, "k", other.clone()).await.refused(422, "idempotency_key_reused");
    basket.order(&mall, "another", more.clone()).await.refused(409, "basket_ended");
    assert_eq!(mall.stands(&tea).await, (10, 2, 0));
    // The same key with another basket is another request.
    let next = filled(&mall, json!([{ "variant": tea }])).await;
    let next = next.order(&mall, "k", other).await.ok(201);
    assert_ne!((&next["id"], &next["order_token"]), (&twins[0]["id"], &twins[0]["order_token"]));
    // Of two addresses for one basket at once, one has it, and the order is seen by who holds the basket.
    let contested = filled(&mall, json!([{ "variant": tea }])).await;
    let emails = ["one@b.test", "two@b.test", "three@b.test"];
    let wishes = emails.map(|email| json!({ "email": email }));
    let answers =
        join_all(emails.iter().zip(&wishes).map(|(key, more)| contested.order(&mall, key, more.clone())))
            .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| {
        answer.refused(409, "basket_ended");
    });
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_is_never_sold_twice_to_guests() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 7).await;
    let mut baskets = Vec::new();
    for _ in 0..30 {
        baskets.push(filled(&mall, json!([{ "variant": kiwis, "quantity": 2 }])).await);
    }
    let mails: Vec<_> = (0..30).map(|index| json!({ "email": format!("g{index}@b.test") })).collect();
    let answers =
        join_all(baskets.iter().zip(&mails).map(|(basket, more)| basket.order(&mall, "k", more.clone())))
            .await;
    let (placed, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((placed.len(), mall.stands(&kiwis).await), (3, (7, 6, 0)));
    for answer in refused {
        assert_eq!(answer.refused(409, "out_of_stock")["errors"][0]["field"], "lines[0]");
    }
    assert_eq!(count(&mall, "SELECT count(*) AS count FROM accounts WHERE is_guest").await, 3);
    // Unpaid ones go back, and who was refused finds his basket as it was.
    mall.shop.advance(TimeDelta::minutes(16)).await;
    assert_eq!(mall.stands(&kiwis).await, (7, 0, 0));
    let open: Vec<_> = join_all(baskets.iter().map(|basket| basket.look(&mall))).await;
    assert_eq!(open.iter().filter(|basket| basket["may_order"] == true).count(), 27);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_for_a_person_signed_in_or_not_and_by_a_second_address() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 100).await;
    let drop = mall.drop(&kiwis, 100, json!({ "cap_per_person": 3 })).await;
    let lines = |quantity: i64| json!([{ "variant": kiwis, "drop": drop["id"], "quantity": quantity }]);
    let person = mall.shop.app.member("zhang.san@gmail.com").await;
    order(&mall, "ZhangSan+4@gmail.com", lines(4)).await.refused(409, "cap_reached");
    let mut guests = Vec::new();
    for _ in 0..6 {
        guests.push(filled(&mall, lines(1)).await);
    }
    let as_guest = guests.iter().enumerate().map(|(index, basket)| {
        let email = format!("zhang.san+{index}@googlemail.com");
        let mall = &mall;
        async move { basket.order(mall, "k", json!({ "email": email })).await }
    });
    let as_member = ["1", "2", "3"].map(|key| mall.order(&person, key, lines(1)));
    let (guests, members) = futures::future::join(join_all(as_guest), join_all(as_member)).await;
    let answers: Vec<_> = guests.into_iter().chain(members).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "cap_reached");
    }
    // Others may, and what wasn't paid counts no longer.
    order(&mall, "li.si@gmail.com", lines(3)).await.ok(201);
    mall.shop.advance(TimeDelta::minutes(16)).await;
    let again = order(&mall, "zhangsan@gmail.com", lines(3)).await.ok(201);
    mall.shop.pay(&again).await;
    assert_eq!(look(&mall, &again, "?wait=settled").await.ok(200)["state"], "paid");
    let person = mall.shop.app.sign_in("zhang.san@gmail.com").await;
    mall.order(&person, "late", lines(1)).await.refused(409, "cap_reached");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_attempt_is_followed_by_another_under_the_same_hold() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 1).await;
    let placed = order(&mall, GUEST, json!([{ "variant": tea }])).await.ok(201);
    mall.shop.on_page(&placed, &[("action", "fail_late"), ("method", "card"), ("delay", "0")]).await;
    mall.shop.settle().await;
    assert_eq!(look(&mall, &placed, "").await.ok(200)["payment"]["state"], "failed");
    let again = post(&mall, &placed, "/payments?wait=payment", "again").await.ok(201);
    assert_eq!((&again["payment"]["attempt"], &again["payment"]["state"]), (&json!(2), &json!("ready")));
    assert_eq!(mall.stands(&tea).await, (1, 1, 0));
    mall.shop.pay(&again).await;
    assert_eq!(look(&mall, &placed, "?wait=settled").await.ok(200)["state"], "paid");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guests_address_is_nobodys_account() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let placed = order(&mall, GUEST, json!([{ "variant": tea }])).await.ok(201);
    mall.shop.pay(&placed).await;
    look(&mall, &placed, "?wait=settled").await.ok(200);
    // No way in by it, no mail to it, nothing for operators to do with it.
    let sign_in = json!({ "email": GUEST, "password": "a phrase of the tests" });
    mall.shop.app.post("/v1/sessions").json(&sign_in).send().await.refused(401, "invalid_credentials");
    mall.shop.app.post("/v1/password-resets").json(&json!({ "email": GUEST })).send().await.ok(202);
    mall.shop.settle().await;
    assert_eq!(count(&mall, "SELECT count(*) AS count FROM mails WHERE kind = 'reset_password'").await, 0);
    let guest = "SELECT count(*) AS count FROM accounts WHERE is_guest AND email_key IS NULL AND person_key IS NOT NULL";
    assert_eq!(count(&mall, guest).await, 1);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let listed = mall.shop.app.get("/v1/admin/accounts?limit=100").bearer(&owner.token).send().await;
    assert!(!listed.text.contains(GUEST), "{}", listed.text);
    let id = placed_by(&mall).await;
    mall.shop
        .app
        .get(&format!("/v1/admin/accounts/{id}"))
        .bearer(&owner.token)
        .send()
        .await
        .refused(404, "not_found");
    let grant = json!({ "plan": mall.regular["id"], "reason": "Invited." });
    let path = format!("/v1/admin/accounts/{id}/memberships");
    let request = mall.shop.app.post(&path).bearer(&owner.token).key("grant").json(&grant);
    request.send().await.refused(404, "not_found");
    // Who signs up with it has an account like any other, and the guest's orders stay the guest's.
    let sign_up = json!({ "email": GUEST, "password": "correct horse 7 battery" });
    mall.shop.app.post("/v1/accounts").json(&sign_up).send().await.ok(201);
    mall.shop.app.post("/v1/accounts").json(&sign_up).send().await.refused(409, "email_taken");
    look(&mall, &placed, "").await.ok(200);
    // Money goes back as with anybody.
    let path = format!("/v1/admin/orders/{}/refunds", placed["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(look(&mall, &placed, "").await.ok(200)["state"], "refunded");
    let told =
        format!("SELECT count(*) AS count FROM mails WHERE kind = 'refunded' AND to_address = '{GUEST}'");
    assert_eq!(count(&mall, &told).await, 1);
    mall.finish().await;
}

/// The id of the one guest's account.
async fn placed_by(mall: &Mall) -> String {
    use diesel::prelude::*;
    use diesel_async::RunQueryDsl;
    use kindred::schema::accounts;
    use kindred::types::id::AccountId;
    let id: AccountId = accounts::table
        .filter(accounts::is_guest)
        .select(accounts::id)
        .first(&mut *mall.shop.app.conn().await)
        .await
        .unwrap();
    id.to_string()
}

/// A guest who signs in between two steps.
#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_on_the_way_orders_as_a_member() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let path = format!("/v1/admin/variants/{}/prices", tea.as_str().unwrap());
    let members = json!({ "price": yuan(80), "buyers": { "who": "members" } });
    mall.shop.app.make(&mall.owner, &path, &members).await;
    let basket = filled(&mall, json!([{ "variant": tea }])).await;
    assert_eq!(basket.quote(&mall).await.ok(200)["totals"]["subtotal"], yuan(90));
    let fan: Person = mall.member("fan@b.test", &mall.diehard).await;
    let placed = basket.held_by(&fan).order(&mall, "k", json!({})).await.ok(201);
    assert_eq!((&placed["totals"]["due"], placed.get("order_token")), (&yuan(80), None));
    assert_eq!(mall.shop.show(&fan, &placed).await["id"], placed["id"]);
    assert_eq!(count(&mall, "SELECT count(*) AS count FROM accounts WHERE is_guest").await, 0);
    mall.finish().await;
}

//! What was bought as a guest becomes an account's: by proving the address, or with the order's token. Once, with all that
//! hangs on it, and whatever else happens to the orders meanwhile.

use chrono::TimeDelta;
use futures::future::{join, join_all};
use serde_json::{Value, json};

use crate::accounts::traces;
use crate::guests::{count, filled, look, order, path, post};
use crate::support::desk::{get, send};
use crate::support::mall::Mall;
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

/// As it was typed when ordering, and when signing up.
const TYPED: &str = "Luo.Guest@b.test";
const EMAIL: &str = "luo.guest@B.test";

async fn sign_up(mall: &Mall) -> Person {
    let body = json!({ "email": EMAIL, "password": PASSWORD });
    mall.shop.app.post("/v1/accounts").json(&body).send().await.ok(201);
    mall.shop.app.sign_in(EMAIL).await
}

/// The one-time token in the newest mail to an address that has one.
async fn mailed(mall: &Mall, address: &str) -> String {
    mall.shop.app.drain().await;
    let mails = mall.shop.app.app.postbox.inbox().unwrap().to(address);
    let token = mails.as_slice().iter().find_map(|mail| {
        let start = mail.text.find("token=")? + "token=".len();
        mail.text[start..].split_whitespace().next().map(str::to_owned)
    });
    token.unwrap()
}

async fn verify(mall: &Mall, person: &Person, token: &str) -> Answer {
    let request = mall.shop.app.post("/v1/email-verifications").bearer(&person.token);
    request.json(&json!({ "token": token })).send().await
}

/// An account that has proved the address.
async fn verified(mall: &Mall) -> Person {
    let person = sign_up(mall).await;
    verify(mall, &person, &mailed(mall, EMAIL).await).await.ok(204);
    person
}

async fn adopt(mall: &Mall, person: &Person, order: &Value, token: &str) -> Answer {
    let request = mall.shop.app.post(&path(order, "/adopt")).bearer(&person.token);
    request.header("Order-Token", token).send().await
}

fn token(order: &Value) -> &str {
    order["order_token"].as_str().unwrap()
}

async fn orders_of(mall: &Mall, person: &Person) -> Vec<String> {
    let list = get(mall, person, "/v1/orders?limit=100").await.ok(200);
    list["data"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect()
}

/// How much is left under accounts of guests, of all that a table keeps for an account.
async fn left_with_guests(mall: &Mall) -> i64 {
    let mut left = 0;
    for table in
        ["orders", "drop_purchases", "pledges", "mails", "rights", "sessions", "memberships", "addresses"]
    {
        let sql = format!(
            "SELECT count(*) AS count FROM {table} t JOIN accounts a ON a.id = t.account_id WHERE a.is_guest"
        );
        left += count(mall, &sql).await;
    }
    left
}

#[tokio::test(flavor = "multi_thread")]
async fn who_proves_the_address_finds_what_was_bought_with_it() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 20).await;
    let drop = mall.drop(&tea, 10, json!({ "cap_per_person": 3 })).await;
    let lines = json!([{ "variant": tea, "drop": drop["id"], "quantity": 2 }]);
    let paid = order(&mall, TYPED, lines.clone()).await.ok(201);
    mall.shop.pay(&paid).await;
    look(&mall, &paid, "?wait=settled").await.ok(200);
    let basket = filled(&mall, json!([{ "variant": tea }])).await;
    let pending = basket.order(&mall, "k", json!({ "email": "luo.guest@b.test" })).await.ok(201);
    let given_up = order(&mall, TYPED, json!([{ "variant": tea }])).await.ok(201);
    post(&mall, &given_up, "/cancel", "c").await.ok(200);
    // The same person, for all one knows; another address all the same.
    let tagged = order(&mall, "luo.guest+tea@b.test", json!([{ "variant": tea }])).await.ok(201);

    let person = sign_up(&mall).await;
    assert!(orders_of(&mall, &person).await.is_empty(), "a typed address proves nothing");
    adopt(&mall, &person, &paid, token(&paid)).await.refused(403, "email_not_verified");
    let proof = mailed(&mall, EMAIL).await;
    verify(&mall, &person, &proof).await.ok(204);
    let mut wanted = [&paid, &pending, &given_up].map(|order| order["id"].as_str().unwrap().to_owned());
    wanted.sort();
    wanted.reverse();
    assert_eq!(orders_of(&mall, &person).await, wanted);
    verify(&mall, &person, &proof).await.refused(410, "token_invalid");
    assert_eq!(orders_of(&mall, &person).await, wanted);

    // It is an order like any other: paid, listed for operators, counted for the cap.
    let own = mall.shop.show(&person, &pending).await;
    mall.shop.pay(&own).await;
    assert_eq!(mall.shop.settled(&person, &pending).await["state"], "paid");
    let seen = mall.shop.app.get(&format!("/v1/admin{}", &path(&paid, "")[3..])).bearer(&mall.owner.token);
    assert_eq!(seen.send().await.ok(200)["account"], json!(person.id.to_string()));
    mall.order(&person, "more", lines).await.refused(409, "cap_reached");
    let one = json!([{ "variant": tea, "drop": drop["id"] }]);
    mall.order(&person, "one", one).await.ok(201);

    // The token opens it still, and requests that were done are known again.
    look(&mall, &paid, "").await.ok(200);
    assert_eq!(post(&mall, &given_up, "/cancel", "c").await.ok(200)["state"], "cancelled");
    let again = basket.order(&mall, "k", json!({ "email": "luo.guest@b.test" })).await.ok(201);
    assert_eq!((&again["id"], &again["order_token"]), (&pending["id"], &pending["order_token"]));

    // Once adopted it is told of, and whose it is doesn't change; what wasn't stays a guest's.
    let export = get(&mall, &person, "/v1/me/export").await.ok(200);
    assert_eq!(export["orders"].as_array().unwrap().len(), 4);
    assert_eq!(export["order_adoptions"].as_array().unwrap().len(), 3);
    assert_eq!(export["baskets"].as_array().unwrap().len(), 3);
    assert_eq!(export["drop_purchases"].as_array().unwrap().len(), 2);
    assert!(export["mails"].as_array().unwrap().iter().any(|mail| mail["kind"] == "receipt"));
    let audited = "SELECT count(*) AS count FROM audit_log WHERE action = 'account.adopt_orders'";
    assert_eq!(count(&mall, audited).await, 1);
    adopt(&mall, &person, &tagged, token(&tagged)).await.refused(403, "order_not_yours");
    assert_eq!(left_with_guests(&mall).await, 1, "the order of the other address");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_adopts_with_the_token_what_has_its_address() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 20).await;
    let person = verified(&mall).await;
    let mine = order(&mall, TYPED, json!([{ "variant": tea }])).await.ok(201);
    let second = order(&mall, TYPED, json!([{ "variant": tea }])).await.ok(201);
    let others = order(&mall, "wang@b.test", json!([{ "variant": tea }])).await.ok(201);
    assert!(orders_of(&mall, &person).await.is_empty());
    mall.shop.app.post(&path(&mine, "/adopt")).send().await.refused(401, "unauthenticated");
    let with = mall.shop.app.post(&path(&mine, "/adopt")).header("Order-Token", token(&mine));
    with.send().await.refused(401, "unauthenticated");
    let without = mall.shop.app.post(&path(&mine, "/adopt")).bearer(&person.token);
    without.send().await.refused(404, "not_found");
    for wrong in [token(&second), token(&others), "nonsense"] {
        adopt(&mall, &person, &mine, wrong).await.refused(404, "not_found");
    }
    adopt(&mall, &person, &others, token(&others)).await.refused(403, "order_not_yours");
    let wang = mall.shop.app.stranger("wang@b.test").await;
    adopt(&mall, &wang, &others, token(&others)).await.refused(403, "email_not_verified");

    // Many at once, by two who each claim it: one has it, and it was adopted once.
    let same: Vec<_> = join_all((0..8).map(|_| adopt(&mall, &person, &mine, token(&mine)))).await;
    for answer in same {
        assert_eq!(answer.ok(200)["id"], mine["id"]);
    }
    adopt(&mall, &wang, &mine, token(&mine)).await.refused(409, "order_adopted");
    assert_eq!(orders_of(&mall, &person).await.len(), 1);
    let audited = "SELECT count(*) AS count FROM audit_log WHERE action = 'account.adopt_orders'";
    assert_eq!(count(&mall, audited).await, 1);

    // Who changes the address brings along what was bought with the new one.
    let body = json!({ "email": "Wang.New@b.test", "password": PASSWORD });
    let newer = order(&mall, "wang.new@b.test", json!([{ "variant": tea }])).await.ok(201);
    mall.shop.app.patch("/v1/me").bearer(&person.token).json(&body).send().await.ok(200);
    verify(&mall, &person, &mailed(&mall, "Wang.New@b.test").await).await.ok(204);
    assert_eq!(orders_of(&mall, &person).await.len(), 2);
    assert_eq!(mall.shop.show(&person, &newer).await["id"], newer["id"]);
    // The old one is its address no longer.
    adopt(&mall, &person, &second, token(&second)).await.refused(403, "order_not_yours");
    // A mail that sets a password proves an address too.
    mall.shop.app.post("/v1/password-resets").json(&json!({ "email": "wang@b.test" })).send().await.ok(202);
    let reset = json!({ "token": mailed(&mall, "wang@b.test").await, "password": PASSWORD });
    mall.shop.app.put("/v1/password-resets").json(&reset).send().await.ok(204);
    let wang = mall.shop.app.sign_in("wang@b.test").await;
    assert_eq!(orders_of(&mall, &wang).await, [others["id"].as_str().unwrap()]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_become_one_are_one_backer() {
    let mall = Mall::open().await;
    let book = mall.goods("BOOK", 40, 20).await;
    let drop = mall.drop(&book, 20, json!({ "goal": { "units": 5 } })).await;
    let lines = json!([{ "variant": book, "drop": drop["id"] }]);
    let backers =
        async || mall.shop.app.get("/v1/drops/drop").send().await.ok(200)["crowdfunding"]["backers"].clone();
    let mut placed = Vec::new();
    for email in [TYPED, TYPED, "wang@b.test"] {
        let order = order(&mall, email, lines.clone()).await.ok(201);
        mall.shop.pay(&order).await;
        look(&mall, &order, "?wait=settled").await.ok(200);
        placed.push(order);
    }
    assert_eq!(backers().await, 3);
    let person = verified(&mall).await;
    assert_eq!(backers().await, 2);
    mall.buy(&person, "own", lines.clone()).await;
    assert_eq!(backers().await, 2);
    let late = order(&mall, TYPED, lines).await.ok(201);
    adopt(&mall, &person, &late, token(&late)).await.ok(200);
    let late = mall.shop.show(&person, &late).await;
    mall.shop.pay(&late).await;
    mall.shop.settled(&person, &late).await;
    assert_eq!(backers().await, 2);
    mall.shop.app.delete(&path(&placed[0], "/backer-name")).bearer(&person.token).send().await.ok(204);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_that_settle_meanwhile_lose_nothing() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 100).await;
    let drop = mall.drop(&tea, 60, json!({ "goal": { "units": 60 } })).await;
    let mut placed = Vec::new();
    for index in 0..16 {
        let sale = if index % 2 == 0 { drop["id"].clone() } else { Value::Null };
        let lines = json!([{ "variant": tea, "drop": sale }]);
        placed.push(order(&mall, TYPED, lines).await.ok(201));
    }
    let person = sign_up(&mall).await;
    let proof = mailed(&mall, EMAIL).await;
    let pay = join_all(placed.iter().map(|order| async {
        mall.shop.pay(order).await;
        mall.shop.app.drain().await;
    }));
    let prove = join_all((0..3).map(|_| verify(&mall, &person, &proof)));
    let bids = join_all(placed.iter().map(|order| adopt(&mall, &person, order, token(order))));
    let look_on = join_all(placed.iter().map(|order| look(&mall, order, "?wait=settled")));
    let ((_, proved), (bids, seen)) = join(join(pay, prove), join(bids, look_on)).await;
    assert_eq!(proved.iter().filter(|answer| answer.status == 204).count(), 1);
    assert!(bids.iter().all(|answer| [200, 403].contains(&answer.status)));
    for answer in seen {
        answer.ok(200);
    }
    mall.shop.settle().await;
    assert_eq!(orders_of(&mall, &person).await.len(), 16);
    assert_eq!(left_with_guests(&mall).await, 0);
    for order in &placed {
        assert_eq!(mall.shop.settled(&person, order).await["state"], "paid");
    }
    let drop = mall.shop.app.get("/v1/drops/drop").send().await.ok(200);
    assert_eq!(drop["crowdfunding"]["backers"], 1);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_leaves_no_trace_of_what_was_bought_as_a_guest() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 20).await;
    let mine = order(&mall, TYPED, json!([{ "variant": tea }])).await.ok(201);
    mall.shop.pay(&mine).await;
    look(&mall, &mine, "?wait=settled").await.ok(200);
    let given_up = order(&mall, TYPED, json!([{ "variant": tea }])).await.ok(201);
    post(&mall, &given_up, "/cancel", "c").await.ok(200);
    send(&mall, &mine).await;
    mall.shop.settle().await;
    let person = verified(&mall).await;
    let export = get(&mall, &person, "/v1/me/export").await;
    assert!(export.text.contains("罗小姐") && export.text.contains("13800000000"));
    assert!(!export.text.contains("secret_hash"));
    let erase = mall.shop.app.delete("/v1/me").bearer(&person.token).json(&json!({ "password": PASSWORD }));
    erase.send().await.ok(204);
    mall.shop.settle().await;
    look(&mall, &mine, "").await.refused(404, "not_found");
    mall.shop.advance(TimeDelta::days(31)).await;
    let texts = [TYPED, EMAIL, "罗小姐", "13800000000", "朝阳门外"];
    assert_eq!(traces(&mall.shop.app, &texts).await, Vec::<String>::new());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_followed_by_who_isnt_signed_in_brings_no_orders_along() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let bought = order(&mall, EMAIL, json!([{ "variant": tea }])).await.ok(201);
    // Somebody made the account with another person's address, who follows the link in the belief that it is his own.
    let stranger = sign_up(&mall).await;
    let body = json!({ "token": mailed(&mall, EMAIL).await });
    mall.shop.app.post("/v1/email-verifications").json(&body).send().await.ok(204);
    assert!(orders_of(&mall, &stranger).await.is_empty());
    // The order's own token does.
    adopt(&mall, &stranger, &bought, token(&bought)).await.ok(200);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_the_community_that_a_guest_accepted_are_accepted_by_who_adopts() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 20).await;
    let rules =
        json!({ "version": "1", "texts": { "zh-CN": "友善", "en": "Be kind." }, "expulsion_money": "rest" });
    mall.shop.app.make(&mall.owner, "/v1/admin/community-rules", &rules).await;
    let accepting = json!({ "email": TYPED, "consents": { "community_rules": "1" } });
    for key in ["one", "two"] {
        filled(&mall, json!([{ "variant": tea }])).await.order(&mall, key, accepting.clone()).await.ok(201);
    }
    mall.shop.advance(TimeDelta::days(2)).await;
    // He accepts them himself later: he has since the first order.
    let person = sign_up(&mall).await;
    let request = mall.shop.app.post("/v1/me/community-rules").bearer(&person.token);
    request.json(&json!({ "version": "1" })).send().await.ok(200);
    verify(&mall, &person, &mailed(&mall, EMAIL).await).await.ok(204);
    let of = "SELECT count(*) AS count FROM community_acceptances c JOIN orders o ON o.id = c.order_id
              WHERE c.accepted_at = o.created_at AND c.account_id = o.account_id";
    assert_eq!(count(&mall, of).await, 1);
    assert_eq!(count(&mall, "SELECT count(*) AS count FROM community_acceptances").await, 1);
    mall.finish().await;
}

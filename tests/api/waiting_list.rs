//! Waiting lists: who came too late is offered what comes back, in order, and nobody else can buy it first.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::db;
use kindred::people::accounts::model as accounts;
use kindred::people::personal_data::model as personal_data;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::catalog::count_sql;
use crate::support::mall::Mall;
use crate::support::{Answer, Person};

async fn join(mall: &Mall, person: &Person, drop: &Value, variant: &Value) -> Answer {
    let path = format!("/v1/drops/{}/waiting-list", drop["id"].as_str().unwrap());
    mall.shop.app.post(&path).bearer(&person.token).json(&json!({ "variant": variant })).send().await
}

/// The newest place of a person in any line.
async fn place(mall: &Mall, person: &Person) -> Value {
    let list = mall.shop.app.get("/v1/me/waiting-list").bearer(&person.token).send().await.ok(200);
    list["data"][0].clone()
}

async fn everybody(mall: &Mall, prefix: &str, count: usize) -> Vec<Person> {
    join_all((0..count).map(|n| async move { mall.shop.app.member(&format!("{prefix}{n}@b.test")).await }))
        .await
}

async fn again(mall: &Mall, people: &[Person]) -> Vec<Person> {
    join_all(people.iter().map(|person| mall.shop.app.sign_in(&person.email))).await
}

fn with_code(variant: &Value, drop: &Value, code: &Value) -> Value {
    json!([{ "variant": variant, "drop": drop["id"], "f_code": code }])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_goes_to_the_first_in_line_and_to_nobody_else() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let more = json!({ "closes_at": mall.shop.app.now() + TimeDelta::days(30) });
    let drop = mall.drop(&kiwis, 10, more).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let open_sale = json!([{ "variant": kiwis }]);

    // Fifty want ten; five of the ten pay, and forty wait.
    let crowd = everybody(&mall, "c", 50).await;
    join(&mall, &crowd[0], &drop, &kiwis).await.refused(409, "still_on_sale");
    let answers = join_all(crowd.iter().map(|person| mall.order(person, "k", lines.clone()))).await;
    let (mut orders, mut late) = (Vec::new(), Vec::new());
    for (person, answer) in crowd.iter().zip(answers) {
        match answer.status {
            201 => orders.push(answer.json),
            _ => {
                answer.refused(409, "sold_out");
                late.push(person);
            }
        }
    }
    assert_eq!((orders.len(), late.len()), (10, 40));
    for order in &orders[..5] {
        mall.shop.pay(order).await;
    }
    mall.shop.settle().await;
    let joined = join_all(late.iter().map(|person| join(&mall, person, &drop, &kiwis))).await;
    let mut line: Vec<_> = late
        .iter()
        .zip(joined)
        .map(|(person, answer)| (answer.ok(201)["position"].as_i64().unwrap(), *person))
        .collect();
    line.sort_by_key(|(position, _)| *position);
    let positions: Vec<_> = line.iter().map(|(position, _)| *position).collect();
    assert_eq!(positions, (1..=40).collect::<Vec<_>>());
    join(&mall, line[3].1, &drop, &kiwis).await.refused(409, "already_waiting");

    // Five holds run out while others try to buy, in the drop and off the shelf.
    let line: Vec<_> = line.into_iter().map(|(_, person)| person.email.clone()).collect();
    mall.shop.advance(TimeDelta::minutes(14)).await;
    let passers = everybody(&mall, "p", 12).await;
    let rush = async {
        let mut bought = 0;
        for round in 0..4 {
            let key = format!("r{round}");
            let tries = passers.iter().enumerate().map(|(n, person)| {
                let lines = if n % 2 == 0 { &lines } else { &open_sale };
                mall.order(person, &key, lines.clone())
            });
            let answers = join_all(tries).await;
            bought += answers.iter().filter(|answer| answer.status == 201).count();
        }
        bought
    };
    let (bought, ()) = tokio::join!(rush, mall.shop.advance(TimeDelta::minutes(2)));
    assert_eq!(bought, 0, "nobody gets in between");

    let people = join_all(line.iter().map(|email| mall.shop.app.sign_in(email))).await;
    let places = join_all(people.iter().map(|person| place(&mall, person))).await;
    for (n, place) in places.iter().enumerate() {
        let expected = if n < 5 { ("offered", Value::Null) } else { ("waiting", json!(n - 4)) };
        assert_eq!((place["state"].as_str().unwrap(), place["position"].clone()), expected, "place {n}");
    }
    assert_eq!(mall.stands(&kiwis).await, (5, 0, 5), "five are set aside");
    let mails = "SELECT count(*) AS count FROM mails WHERE kind = 'waiting_list_offer'";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, mails).await, 5);

    // An offer is its person's; four accept it, as an ordinary order, and one lets it lapse.
    let code = |n: usize| with_code(&kiwis, &drop, &places[n]["offer"]["f_code"]);
    mall.order(&people[7], "x", code(0)).await.refused(403, "f_code_not_yours");
    mall.order(&people[7], "x", lines.clone()).await.refused(409, "sold_out");
    for (n, person) in people.iter().enumerate().take(4) {
        assert_eq!(mall.buy(person, "offer", code(n)).await["state"], "paid");
        assert_eq!(place(&mall, person).await["state"], "taken");
    }
    mall.shop.advance(TimeDelta::hours(25)).await;
    let people = again(&mall, &people).await;
    mall.order(&people[4], "late", code(4)).await.refused(409, "f_code_expired");
    assert_eq!(place(&mall, &people[4]).await["state"], "lapsed");
    assert_eq!(place(&mall, &people[5]).await["state"], "offered");
    assert_eq!(place(&mall, &people[6]).await["position"], 1);
    // Who has bought, or let an offer lapse, may wait again, at the end.
    assert_eq!(join(&mall, &people[4], &drop, &kiwis).await.ok(201)["position"], 35);
    assert_eq!(join(&mall, &people[0], &drop, &kiwis).await.ok(201)["position"], 36);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_frees_a_unit_offers_it() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 3).await;
    let more = json!({ "closes_at": mall.shop.app.now() + TimeDelta::days(30) });
    let drop = mall.drop(&kiwis, 3, more).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
    let body = json!({ "variant": kiwis, "quantity": 1 });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("f").json(&body).send().await.ok(201);
    let [anna, bao] = [mall.shop.app.member("anna@b.test").await, mall.shop.app.member("bao@b.test").await];
    let paid = mall.buy(&anna, "k", lines.clone()).await;
    let unpaid = mall.order(&bao, "k", lines.clone()).await.ok(201);
    let waiting = everybody(&mall, "w", 6).await;
    for person in &waiting {
        join(&mall, person, &drop, &kiwis).await.ok(201);
    }
    let states = async || {
        let people = again(&mall, &waiting).await;
        let places = join_all(people.iter().map(|person| place(&mall, person))).await;
        places.iter().filter(|place| place["state"] == "offered").count()
    };

    let path = format!("/v1/orders/{}/cancel", unpaid["id"].as_str().unwrap());
    mall.shop.app.post(&path).bearer(&bao.token).key("c").send().await.ok(200);
    mall.shop.settle().await;
    assert_eq!(states().await, 1, "a cancelled order");

    let path = format!("/v1/admin/orders/{}/refunds", paid["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(states().await, 2, "a refund");

    // A day later the operator's code and both offers have run out: three units for the next three.
    mall.shop.advance(TimeDelta::hours(24)).await;
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let people = again(&mall, &waiting).await;
    let places = join_all(people.iter().map(|person| place(&mall, person))).await;
    let states: Vec<_> = places.iter().map(|place| place["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["lapsed", "lapsed", "offered", "offered", "offered", "waiting"]);

    // One declines; his unit goes on at once. One who only waited gives his place up.
    let leave = async |person: &Person, place: &Value| {
        let path = format!("/v1/me/waiting-list/{}", place["id"].as_str().unwrap());
        mall.shop.app.delete(&path).bearer(&person.token).send().await
    };
    leave(&people[1], &places[2]).await.refused(404, "not_found");
    let held = mall.order(&people[3], "k", with_code(&kiwis, &drop, &places[3]["offer"]["f_code"])).await;
    leave(&people[3], &places[3]).await.refused(409, "in_use");
    assert_eq!(leave(&people[2], &places[2]).await.status, 204);
    mall.shop.settle().await;
    assert_eq!(place(&mall, &people[2]).await["state"], "lapsed");
    assert_eq!(place(&mall, &people[5]).await["state"], "offered");
    leave(&people[2], &places[2]).await.refused(404, "not_found");
    mall.shop.pay(&held.ok(201)).await;
    mall.shop.settle().await;

    join(&mall, &bao, &drop, &kiwis).await.refused(401, "unauthenticated");
    let bao = mall.shop.app.sign_in("bao@b.test").await;
    let last = join(&mall, &bao, &drop, &kiwis).await.ok(201);
    assert_eq!(last["position"], 1);
    assert_eq!(leave(&bao, &last).await.status, 204);
    assert_eq!(place(&mall, &bao).await["state"], "left");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_buy_waits_and_the_cap_holds_for_offers() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 2).await;
    let kiwis = mall.goods("KIWI", 68, 100).await;
    let now = mall.shop.app.now();
    let more = json!({
        "cap_per_person": 1, "closes_at": now + TimeDelta::hours(30),
        "items": [{ "variant": tea, "quantity": 2 }, { "variant": kiwis, "quantity": 50 }],
        "audiences": [
            { "buyers": { "who": "tier", "at_least": "diehard" }, "opens_at": now, "allocation": 1 },
            { "buyers": { "who": "members" }, "opens_at": now + TimeDelta::hours(1) },
        ],
    });
    let drop = mall.drop(&tea, 2, more).await;
    let of = |variant: &Value| json!([{ "variant": variant, "drop": drop["id"] }]);
    let stranger = mall.shop.app.member("stranger@b.test").await;
    let fans = [mall.member("f0@b.test", &mall.diehard).await, mall.member("f1@b.test", &mall.diehard).await];
    let regular = mall.member("r@b.test", &mall.regular).await;
    join(&mall, &stranger, &drop, &tea).await.refused(403, "members_only");
    join(&mall, &regular, &drop, &tea).await.refused(409, "not_open");
    let nobody = json!({ "id": "nothing" });
    join(&mall, &regular, &nobody, &tea).await.refused(404, "not_found");
    let other = mall.goods("OTHER", 1, 1).await;
    join(&mall, &regular, &drop, &other).await.refused(422, "unknown_article");
    mall.order(&fans[0], "k", of(&tea)).await.ok(201);
    join(&mall, &fans[0], &drop, &tea).await.refused(409, "cap_reached");
    // The part of the diehards is gone; the rest is sold later, so there is nothing to wait for.
    join(&mall, &fans[1], &drop, &tea).await.refused(409, "audience_sold_out");

    mall.shop.advance(TimeDelta::hours(2)).await;
    let buyers = mall.members_named("b", 2).await;
    for buyer in &buyers {
        mall.buy(buyer, "k", of(&tea)).await;
    }
    let waiting = mall.members_named("w", 3).await;
    for person in &waiting {
        join(&mall, person, &drop, &tea).await.ok(201);
    }
    // The first in line buys something else meanwhile, and so has what the cap allows.
    mall.buy(&waiting[0], "k", of(&kiwis)).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let stock = json!({ "variant": tea, "quantity": 5, "reason": "received" });
    mall.shop
        .app
        .post("/v1/admin/stock-moves")
        .bearer(&owner.token)
        .key("s")
        .json(&stock)
        .send()
        .await
        .ok(201);
    mall.shop.settle().await;
    assert_eq!(place(&mall, &waiting[1]).await["state"], "waiting", "the drop itself is sold out");
    let order = mall.shop.app.get("/v1/orders").bearer(&buyers[0].token).send().await.ok(200);
    let path = format!("/v1/admin/orders/{}/refunds", order["data"][0]["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    mall.shop.app.post(&path).bearer(&owner.token).key("r").json(&refund).send().await.ok(201);
    mall.shop.settle().await;
    assert_eq!(place(&mall, &waiting[0]).await["state"], "closed");
    let offered = place(&mall, &waiting[1]).await;
    assert_eq!(offered["state"], "offered");
    assert_eq!(place(&mall, &waiting[2]).await["position"], 1);
    let list = format!("/v1/admin/drops/{}/waiting-list", drop["id"].as_str().unwrap());
    let list = mall.shop.app.get(&list).bearer(&owner.token).send().await.ok(200);
    let seen: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|entry| (&entry["place"], &entry["state"])).collect();
    let expected = [(3, "waiting"), (2, "offered"), (1, "closed")].map(|(n, state)| (json!(n), json!(state)));
    assert_eq!(seen, expected.iter().map(|(n, state)| (n, state)).collect::<Vec<_>>());

    // What is offered counts for the cap as anything else does.
    mall.buy(&waiting[1], "other", of(&kiwis)).await;
    let code = with_code(&tea, &drop, &offered["offer"]["f_code"]);
    mall.order(&waiting[1], "offer", code).await.refused(409, "cap_reached");

    // The drop ends: nobody waits any more, and what was offered before stays good until its date.
    mall.shop.advance(TimeDelta::hours(29)).await;
    let people = again(&mall, &waiting).await;
    assert_eq!(place(&mall, &people[2]).await["state"], "closed");
    join(&mall, &people[2], &drop, &tea).await.refused(409, "closed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_outlives_the_drop_and_its_person_may_be_erased() {
    let mall = Mall::open().await;
    let (bundle, [book, ..]) = mall.book_box(2).await;
    let more = json!({ "closes_at": mall.shop.app.now() + TimeDelta::hours(1) });
    let drop = mall.drop(&bundle["id"], 2, more).await;
    let lines = json!([{ "bundle": bundle["bundle"], "drop": drop["id"] }]);
    let buyers = mall.members_named("b", 2).await;
    for buyer in &buyers {
        mall.order(buyer, "k", lines.clone()).await.ok(201);
    }
    let waiting = mall.members_named("w", 3).await;
    for person in &waiting {
        join(&mall, person, &drop, &bundle["id"]).await.ok(201);
    }
    // The first of them leaves the shop.
    let export = mall.shop.app.get("/v1/me/export").bearer(&waiting[0].token).send().await.ok(200);
    assert_eq!(export["waiting_entries"][0]["state"], "waiting");
    let erasure = json!({ "password": crate::support::people::PASSWORD, "forfeit": true });
    let erased = mall.shop.app.delete("/v1/me").bearer(&waiting[0].token).json(&erasure).send().await;
    assert_eq!(erased.status, 204, "{}", erased.text);
    mall.shop.advance(TimeDelta::minutes(50)).await;
    let people = again(&mall, &waiting[1..]).await;
    let offers = join_all(people.iter().map(|person| place(&mall, person))).await;
    assert!(offers.iter().all(|place| place["state"] == "offered"), "{offers:?}");
    assert_eq!(mall.stands(&book).await, (0, 0, 0), "every book is set aside");

    mall.shop.advance(TimeDelta::minutes(20)).await;
    let people = again(&mall, &people).await;
    mall.order(&people[0], "k", lines).await.refused(409, "closed");
    let code = &offers[0]["offer"]["f_code"];
    let with_code = json!([{ "bundle": bundle["bundle"], "drop": drop["id"], "f_code": code }]);
    assert_eq!(mall.buy(&people[0], "offer", with_code).await["state"], "paid");
    mall.shop.advance(TimeDelta::hours(25)).await;
    assert_eq!(mall.stands(&book).await, (6, 0, 0), "the other one's unit went back to the shelf");
    mall.finish().await;
}

/// A refund of an order that frees its units.
async fn free(mall: &Mall, order: &Value) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
    let refund = json!({ "reason": "Sent back.", "restock": true });
    let key = order["id"].as_str().unwrap();
    mall.shop.app.post(&path).bearer(&owner.token).key(key).json(&refund).send().await.ok(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_buy_any_more_is_passed_over_and_told_why() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let kiwis = mall.goods("KIWI", 68, 2).await;
    let segment = json!({ "code": "teachers", "name": "Teachers", "rule": { "tag": "teacher" } });
    app.make(&mall.owner, "/v1/admin/segments", &segment).await;
    let now = app.now();
    let more = json!({ "closes_at": now + TimeDelta::days(30), "audiences": [
        { "buyers": { "who": "members" }, "opens_at": now },
        { "buyers": { "who": "segment", "segment": "teachers" }, "opens_at": now },
    ] });
    let drop = mall.drop(&kiwis, 2, more).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let tag = async |person: &Person, tags: Value| {
        let path = format!("/v1/admin/accounts/{}/tags", person.id);
        app.put(&path).bearer(&mall.owner.token).json(&json!({ "tags": tags })).send().await.ok(200);
    };
    let buyer = mall.member("buyer@b.test", &mall.regular).await;
    let mut orders = Vec::new();
    for key in ["1", "2"] {
        orders.push(mall.buy(&buyer, key, lines.clone()).await);
    }
    let frozen = mall.member("frozen@b.test", &mall.regular).await;
    let teacher = app.member("teacher@b.test").await;
    tag(&teacher, json!(["teacher"])).await;
    let member = mall.member("member@b.test", &mall.diehard).await;
    let still = app.member("still@b.test").await;
    tag(&still, json!(["teacher"])).await;
    for person in [&frozen, &teacher, &member, &still] {
        join(&mall, person, &drop, &kiwis).await.ok(201);
    }
    let held = app.get("/v1/me/membership").bearer(&frozen.token).send().await.ok(200);
    let path = format!("/v1/admin/memberships/{}/freeze", held["id"].as_str().unwrap());
    let request = app.post(&path).bearer(&mall.owner.token).key("f").json(&json!({ "reason": "Asked." }));
    request.send().await.ok(200);
    tag(&teacher, json!([])).await;

    free(&mall, &orders[0]).await;
    mall.shop.settle().await;
    for person in [&frozen, &teacher] {
        let place = place(&mall, person).await;
        let found = (&place["state"], &place["passed_over_for"], &place["offer"]);
        assert_eq!(found, (&json!("closed"), &json!("members_only"), &Value::Null), "{}", person.email);
    }
    assert_eq!(place(&mall, &member).await["state"], "offered");
    assert_eq!(place(&mall, &still).await["position"], 1);
    free(&mall, &orders[1]).await;
    mall.shop.settle().await;
    let offered = place(&mall, &still).await;
    assert_eq!((&offered["state"], &offered["passed_over_for"]), (&json!("offered"), &Value::Null));
    let list = format!("/v1/admin/drops/{}/waiting-list", drop["id"].as_str().unwrap());
    let list = app.get(&list).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(list["data"][3]["passed_over_for"], "members_only");
    let mails = "SELECT count(*) AS count FROM mails WHERE kind = 'waiting_list_offer'";
    assert_eq!(count_sql(&mut *app.conn().await, mails).await, 2);
    mall.finish().await;
}

/// The line stands still while nobody could order: what is off the shelf is offered to nobody, and nobody loses his place.
#[tokio::test(flavor = "multi_thread")]
async fn the_line_stands_still_while_nothing_can_be_ordered() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let kiwis = mall.goods("KIWI", 68, 1).await;
    let more = json!({ "closes_at": app.now() + TimeDelta::days(30) });
    let drop = mall.drop(&kiwis, 1, more).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let [anna, bao] = [app.member("anna@b.test").await, app.member("bao@b.test").await];
    let order = mall.buy(&anna, "k", lines).await;
    join(&mall, &bao, &drop, &kiwis).await.ok(201);
    let path = format!(
        "/v1/admin/products/{}",
        app.get("/v1/products/kiwi").send().await.ok(200)["id"].as_str().unwrap()
    );
    let shown_from = async |version: i64, at: Value| {
        let owner = app.sign_in(&mall.owner.email).await;
        let request = app.patch(&path).bearer(&owner.token).header("If-Match", &format!("\"v{version}\""));
        request.json(&json!({ "shown_from": at })).send().await.ok(200);
    };
    shown_from(1, json!(app.now() + TimeDelta::hours(1))).await;
    free(&mall, &order).await;
    mall.shop.settle().await;
    assert_eq!(place(&mall, &bao).await["position"], 1);
    mall.shop.advance(TimeDelta::hours(1)).await;
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let bao = app.sign_in(&bao.email).await;
    assert_eq!(place(&mall, &bao).await["state"], "offered");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_while_he_is_chosen_gets_no_mail() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let kiwis = mall.goods("KIWI", 68, 1).await;
    let more = json!({ "closes_at": app.now() + TimeDelta::days(30) });
    let drop = mall.drop(&kiwis, 1, more).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let [buyer, gone, next] =
        [app.member("buyer@b.test").await, app.member("gone@b.test").await, app.member("next@b.test").await];
    let order = mall.buy(&buyer, "k", lines).await;
    for person in [&gone, &next] {
        join(&mall, person, &drop, &kiwis).await.ok(201);
    }
    // He is being erased: his account is locked, and nothing of it is committed when the offer is made.
    let (is_locked, may_commit) = (Notify::new(), Notify::new());
    let now = app.now();
    let erasure = db::transaction(&app.app.pool, async |conn| {
        let him = accounts::lock_buyers(conn, &[gone.id]).await?.pop().unwrap();
        personal_data::anonymise(conn, gone.id, him.email.as_deref(), him.email_key.as_deref(), now).await?;
        is_locked.notify_one();
        may_commit.notified().await;
        Ok(())
    });
    let offer = async {
        is_locked.notified().await;
        free(&mall, &order).await;
        let waits = "SELECT count(*) AS count FROM pg_stat_activity \
                     WHERE datname = current_database() AND wait_event_type = 'Lock'";
        for _ in 0..300 {
            if count_sql(&mut *app.conn().await, waits).await > 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        may_commit.notify_one();
    };
    let (erased, ()) = tokio::join!(erasure, offer);
    erased.unwrap();
    mall.shop.settle().await;
    let mails = format!(
        "SELECT count(*) AS count FROM mails WHERE kind = 'waiting_list_offer' AND account_id = '{}'",
        gone.id.0
    );
    assert_eq!(count_sql(&mut *app.conn().await, &mails).await, 0);
    assert_eq!(place(&mall, &next).await["state"], "offered");
    let passed = "SELECT count(*) AS count FROM waiting_entries WHERE passed_over_for = 'account_erased'";
    assert_eq!(count_sql(&mut *app.conn().await, passed).await, 1);
    mall.finish().await;
}

//! Upgrade offers: who is entitled, what an upgrade costs by one, once a person, within a quota and a budget.

mod desk;

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::run_sql;
use crate::support::mall::yuan;
use crate::support::{Answer, Person};
use crate::upgrades::{Club, line};

const PATH: &str = "/v1/admin/upgrade-offers";

/// Whoever has bought something may have it.
fn anybody() -> Value {
    json!({ "metric": "spend", "amount": 1 })
}

/// A body for `diehard` at 800 instead of 1,200 yuan, for a month, for anybody, but for what `change` says.
fn body(club: &Club, code: &str, change: Value) -> Value {
    let mut body = json!({
        "code": code, "names": { "zh-CN": "老罗友", "en": "Old friends" }, "plan": club.diehard["id"],
        "price": yuan(800), "criteria": anybody(), "ends_at": club.shop.app.now() + TimeDelta::days(30),
    });
    for (field, value) in change.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

async fn owner(club: &Club) -> Person {
    club.shop.app.sign_in(&club.owner.email).await
}

async fn offer(club: &Club, code: &str, change: Value) -> Value {
    let body = body(club, code, change);
    club.shop.app.make(&owner(club).await, PATH, &body).await
}

fn path(offer: &Value) -> String {
    format!("{PATH}/{}", offer["id"].as_str().unwrap())
}

async fn show(club: &Club, offer: &Value) -> Value {
    club.shop.app.get(&path(offer)).bearer(&owner(club).await.token).send().await.ok(200)
}

/// (held, taken, held of the budget, taken of the budget).
async fn used(club: &Club, offer: &Value) -> (i64, i64, i64, i64) {
    let seen = show(club, offer).await;
    let minor = |field: &str| seen[field]["amount"].as_i64().unwrap();
    let uses = |field: &str| seen[field].as_i64().unwrap();
    (uses("held"), uses("taken"), minor("budget_held"), minor("budget_taken"))
}

async fn change(club: &Club, offer: &Value, body: Value) -> Answer {
    let owner = owner(club).await;
    let etag = club.shop.app.get(&path(offer)).bearer(&owner.token).send().await.header("etag").to_owned();
    let patch = club.shop.app.patch(&path(offer)).bearer(&owner.token).header("If-Match", &etag);
    patch.json(&body).send().await
}

async fn archive(club: &Club, offer: &Value) -> Value {
    let path = format!("{}/archive", path(offer));
    club.shop.app.post(&path).bearer(&owner(club).await.token).send().await.ok(200)
}

/// A quote for `diehard` by an offer.
async fn quote(club: &Club, person: &Person, offer: &Value, mode: &str) -> Answer {
    let body = json!({ "plan": club.diehard["id"], "mode": mode, "offer": offer });
    club.shop.app.post("/v1/upgrade-quotes").bearer(&person.token).json(&body).send().await
}

/// One by which a whole new term costs 400 yuan less.
async fn quoted(club: &Club, person: &Person, offer: &Value) -> Value {
    let quote = quote(club, person, &offer["id"], "restart").await.ok(201);
    assert_eq!((&quote["offer"], &quote["discount"]), (&offer["id"], &yuan(400)));
    quote
}

async fn own(club: &Club, person: &Person) -> Vec<Value> {
    let path = "/v1/me/upgrade-offers";
    let list = club.shop.app.get(path).bearer(&person.token).send().await.ok(200);
    list["data"].as_array().unwrap().clone()
}

async fn cancel(club: &Club, person: &Person, order: &Value) {
    let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
    let key = format!("cancel-{}", order["id"].as_str().unwrap());
    club.shop.app.post(&path).bearer(&person.token).key(&key).json(&json!({})).send().await.ok(200);
    club.shop.settle().await;
}

async fn standing(club: &Club) -> i64 {
    club.count("SELECT count(*) AS count FROM upgrade_offer_uses WHERE released_at IS NULL").await
}

/// The hold of an order was over before its page was paid.
async fn expire(club: &Club, order: &Value) {
    let id = order["id"].as_str().unwrap().trim_start_matches("ord_").to_owned();
    let sql = format!(
        "UPDATE pools p SET held = p.held - c.quantity FROM claims c
             WHERE c.pool_id = p.id AND c.order_id = '{id}' AND c.state = 'held';
         UPDATE claims SET state = 'released', ended_at = created_at WHERE order_id = '{id}' AND state = 'held';
         UPDATE upgrade_offer_uses SET released_at = created_at WHERE order_id = '{id}';
         UPDATE payments SET state = 'expired' WHERE order_id = '{id}';
         UPDATE orders SET state = 'expired', closed_at = created_at WHERE id = '{id}'"
    );
    club.shop.app.conn().await.batch_execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_done_what_it_asks_for_pays_by_its_price_and_the_same_arithmetic() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let criteria = json!({ "all": [
        { "metric": "tenure", "amount": 73 },
        { "metric": "spend", "amount": 20_000, "window": "P1Y" },
    ] });
    let ends_at = club.shop.app.now() + TimeDelta::days(100);
    let offer = offer(&club, "a-year", json!({ "criteria": criteria, "ends_at": ends_at })).await;
    let by = json!("a-year");

    let refused = quote(&club, &anna, &by, "prorate").await;
    let refused = refused.refused(403, "not_entitled");
    assert_eq!(refused["errors"], json!([{ "field": "offer.tenure", "detail": "0 of 73, 73 missing" }]));
    let seen = own(&club, &anna).await;
    assert_eq!(
        (&seen[0]["id"], &seen[0]["met"], &seen[0]["price"]),
        (&offer["id"], &json!(false), &yuan(800))
    );
    assert_eq!(
        (&seen[0]["progress"][0]["missing"], &seen[0]["progress"][1]["met"]),
        (&json!(73), &json!(true))
    );
    assert_eq!(club.quote(&anna, &club.diehard, "prorate").await.ok(201)["offers"], json!([]));

    let anna = club.advance(TimeDelta::days(73), &anna).await;
    assert_eq!(own(&club, &anna).await[0]["met"], true);
    // It is shown, and used only where it is named.
    let plain = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    assert_eq!((&plain["due"], &plain["offer"], &plain["discount"]), (&yuan(800), &Value::Null, &yuan(0)));
    let shown = &plain["offers"][0];
    assert_eq!((&shown["code"], &shown["price"], &shown["due"]), (&json!("a-year"), &yuan(800), &yuan(480)));
    let restart = quote(&club, &anna, &offer["id"], "restart").await.ok(201);
    assert_eq!(
        (&restart["charge"], &restart["due"], &restart["discount"]),
        (&yuan(800), &yuan(640), &yuan(400))
    );
    let quote = quote(&club, &anna, &by, "prorate").await.ok(201);
    assert_eq!((&quote["credit"], &quote["charge"], &quote["due"]), (&yuan(160), &yuan(640), &yuan(480)));
    assert_eq!((&quote["offer"], &quote["discount"]), (&offer["id"], &yuan(320)));
    assert_eq!(used(&club, &offer).await, (0, 0, 0, 0), "a quote holds nothing");

    let order = club.order(&anna, "up", line(&quote)).await.ok(201);
    assert_eq!(
        (&order["totals"]["due"], &order["explanation"][0]["reason"]),
        (&yuan(480), &json!("upgrade_offer"))
    );
    assert_eq!(used(&club, &offer).await, (1, 0, 32_000, 0));
    assert!(own(&club, &anna).await.is_empty());
    club.shop.pay(&order).await;
    assert_eq!(club.shop.settled(&anna, &order).await["state"], "fulfilled");
    assert_eq!(used(&club, &offer).await, (0, 1, 0, 32_000));
    let mine = club.mine(&anna).await;
    // It is worth what was paid for it, not what others would have paid.
    assert_eq!((&mine["tier"], &mine["worth"]["paid"]), (&json!("diehard"), &yuan(640)));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_gold_it_costs_nothing_and_needs_no_payment() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    run_sql(
        &mut *club.shop.app.conn().await,
        "INSERT INTO levels (id, code, rank, name_zh, name_en, review, warn_days, grace_days, drops, welcome_points,
                             created_at)
         VALUES (gen_random_uuid(), 'gold', 30, '金', 'Gold', 'P1Y', 0, 0, 'to_fit', 0, '2026-01-01T00:00:00Z')",
    )
    .await;
    let gold =
        json!({ "criteria": { "level": "gold" }, "price": yuan(0), "from_tier": club.regular["tier"] });
    let offer = offer(&club, "gold", gold).await;
    let refused = quote(&club, &anna, &offer["id"], "restart").await;
    assert_eq!(refused.refused(403, "not_entitled")["errors"][0]["field"], "offer.level");
    let floor = "UPDATE tiers SET floor_level_id = (SELECT id FROM levels WHERE code = 'gold')
                 WHERE code = 'regular'";
    run_sql(&mut *club.shop.app.conn().await, floor).await;
    let quote = quote(&club, &anna, &offer["id"], "restart").await.ok(201);
    assert_eq!((&quote["charge"], &quote["due"], &quote["discount"]), (&yuan(0), &yuan(0), &yuan(1_000)));
    let order = club.buy(&anna, "up", line(&quote)).await;
    assert_eq!(order["payment"]["state"], "not_needed");
    let mine = club.mine(&anna).await;
    assert_eq!((&mine["tier"], &mine["worth"]["paid"]), (&json!("diehard"), &yuan(200)));
    assert_eq!(used(&club, &offer).await, (0, 1, 0, 100_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_uses_it_once_whatever_addresses_he_has() {
    let club = Club::open().await;
    let offer = offer(&club, "once", json!({})).await;
    let (anna, _) = club.member("anna@example.org").await;
    let (alias, _) = club.member("anna+2@example.org").await;
    let (first, second) = (quoted(&club, &anna, &offer).await, quoted(&club, &alias, &offer).await);
    let answers =
        join_all([club.order(&anna, "up", line(&first)), club.order(&alias, "up", line(&second))]).await;
    let placed: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!((placed.len(), standing(&club).await), (1, 1));
    let refused = answers.iter().find(|answer| answer.status != 201).unwrap();
    refused.refused(409, "one_per_person");
    let (winner, other, left) =
        if answers[0].status == 201 { (&anna, &alias, &second) } else { (&alias, &anna, &first) };
    quote(&club, other, &offer["id"], "restart").await.refused(409, "one_per_person");
    assert!(own(&club, other).await.is_empty());
    assert_eq!(club.quote(other, &club.diehard, "restart").await.ok(201)["offers"], json!([]));
    assert_eq!(used(&club, &offer).await, (1, 0, 40_000, 0));
    // What is cancelled is no use; the other's quote is still good.
    cancel(&club, winner, &placed[0].json).await;
    assert_eq!(used(&club, &offer).await, (0, 0, 0, 0));
    club.buy(other, "again", line(left)).await;
    quote(&club, winner, &offer["id"], "restart").await.refused(409, "one_per_person");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_as_many_have_it_as_there_are() {
    let club = Club::open().await;
    let offer = offer(&club, "few", json!({ "quota": 1 })).await;
    let mut people = Vec::new();
    for index in 0..8 {
        people.push(club.member(&format!("m{index}@example.org")).await.0);
    }
    let quotes = join_all(people.iter().map(|person| quoted(&club, person, &offer))).await;
    let orders = people.iter().zip(&quotes).map(|(person, quote)| club.order(person, "up", line(quote)));
    let answers = join_all(orders).await;
    let winners: Vec<_> = (0..8).filter(|index| answers[*index].status == 201).collect();
    assert_eq!(winners.len(), 1);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        refused.refused(409, "sold_out");
    }
    // The quota ended between quote and order: nothing of them was left behind.
    assert_eq!(used(&club, &offer).await, (1, 0, 40_000, 0));
    assert_eq!(club.count("SELECT count(*) AS count FROM order_lines WHERE kind = 'upgrade'").await, 1);
    assert_eq!(standing(&club).await, 1);
    let loser = usize::from(winners[0] == 0);
    quote(&club, &people[loser], &offer["id"], "restart").await.refused(409, "sold_out");
    assert_eq!(own(&club, &people[loser]).await[0]["sold_out"], true);
    let refused = change(&club, &offer, json!({ "quota": 0 })).await;
    refused.refused(422, "invalid_field");
    // What comes back can be had, and so can what an operator puts to it.
    cancel(&club, &people[winners[0]], &answers[winners[0]].json).await;
    club.order(&people[loser], "again", line(&quotes[loser])).await.ok(201);
    assert_eq!(change(&club, &offer, json!({ "quota": 2 })).await.ok(200)["quota"], 2);
    let third = (0..8).find(|index| *index != loser && *index != winners[0]).unwrap();
    club.order(&people[third], "again", line(&quotes[third])).await.ok(201);
    change(&club, &offer, json!({ "quota": 1 })).await.refused(409, "limit_below_uses");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_ends_it_too() {
    let club = Club::open().await;
    // For one whole term and a half.
    let offer = offer(&club, "budget", json!({ "budget": yuan(600) })).await;
    let (anna, _) = club.member("anna@example.org").await;
    let (bob, _) = club.member("bob@example.org").await;
    let (first, second) = (quoted(&club, &anna, &offer).await, quoted(&club, &bob, &offer).await);
    let order = club.order(&anna, "up", line(&first)).await.ok(201);
    assert_eq!(show(&club, &offer).await["budget_left"], yuan(200));
    club.order(&bob, "up", line(&second)).await.refused(409, "sold_out");
    quote(&club, &bob, &offer["id"], "restart").await.refused(409, "sold_out");
    assert_eq!(club.quote(&bob, &club.diehard, "restart").await.ok(201)["offers"], json!([]));
    change(&club, &offer, json!({ "budget": yuan(399) })).await.refused(409, "limit_below_uses");
    assert_eq!(change(&club, &offer, json!({ "budget": null })).await.ok(200)["budget_left"], Value::Null);
    club.buy(&bob, "up", line(&second)).await;
    club.shop.pay(&order).await;
    club.shop.settled(&anna, &order).await;
    assert_eq!(used(&club, &offer).await, (0, 2, 0, 80_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_ends_unpaid_gives_it_back() {
    let club = Club::open().await;
    let offer = offer(&club, "back", json!({ "quota": 1 })).await;
    let (anna, _) = club.member("anna@example.org").await;
    let quote = quoted(&club, &anna, &offer).await;
    let order = club.order(&anna, "up", line(&quote)).await.ok(201);
    assert_eq!(used(&club, &offer).await, (1, 0, 40_000, 0));
    let anna = club.advance(TimeDelta::hours(2), &anna).await;
    assert_eq!(club.shop.show(&anna, &order).await["state"], "expired");
    assert_eq!((used(&club, &offer).await, standing(&club).await), ((0, 0, 0, 0), 0));
    club.order(&anna, "late", line(&quote)).await.refused(409, "quote_expired");
    let quote = quoted(&club, &anna, &offer).await;
    club.buy(&anna, "again", line(&quote)).await;
    assert_eq!(used(&club, &offer).await, (0, 1, 0, 40_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_late_finds_its_offer_or_goes_back() {
    for (taken_by, reason) in [("nobody", ""), ("himself", "offer_gone"), ("another", "no_place_left")] {
        let club = Club::open().await;
        let quota = if taken_by == "himself" { 2 } else { 1 };
        let offer = offer(&club, "late", json!({ "quota": quota })).await;
        let (anna, _) = club.member("anna@example.org").await;
        let (alias, _) = club.member("anna+2@example.org").await;
        let (bob, _) = club.member("bob@example.org").await;
        let quote = quoted(&club, &anna, &offer).await;
        let order = club.order(&anna, "up", line(&quote)).await.ok(201);
        expire(&club, &order).await;
        if let Some(other) = match taken_by {
            "himself" => Some(&alias),
            "another" => Some(&bob),
            _ => None,
        } {
            let quote = quoted(&club, other, &offer).await;
            club.order(other, "up", line(&quote)).await.ok(201);
        }
        club.shop.pay(&order).await;
        club.shop.settle().await;
        let late = club.shop.show(&anna, &order).await;
        if reason.is_empty() {
            assert_eq!(late["state"], "fulfilled");
            assert_eq!(used(&club, &offer).await, (0, 1, 0, 40_000));
            assert_eq!(club.mine(&anna).await["tier"], "diehard");
        } else {
            assert_eq!((&late["state"], &late["refunds"][0]["reason"]), (&json!("expired"), &json!(reason)));
            assert_eq!(used(&club, &offer).await, (1, 0, 40_000, 0), "{taken_by}");
            assert_eq!(club.mine(&anna).await["tier"], "regular");
        }
        assert_eq!(standing(&club).await, 1);
        club.shop.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_leaves_it_used_unless_it_goes_back_on_sale() {
    let club = Club::open().await;
    let offer = offer(&club, "refund", json!({ "quota": 1 })).await;
    let (anna, _) = club.member("anna@example.org").await;
    let quote = quoted(&club, &anna, &offer).await;
    let order = club.buy(&anna, "up", line(&quote)).await;
    club.refund(&order).await;
    assert_eq!(club.mine(&anna).await["tier"], "regular");
    assert_eq!((used(&club, &offer).await, standing(&club).await), ((0, 1, 0, 40_000), 1));
    self::quote(&club, &anna, &offer["id"], "restart").await.refused(409, "one_per_person");

    let (bob, _) = club.member("bob@example.org").await;
    change(&club, &offer, json!({ "quota": 2 })).await.ok(200);
    let quote = quoted(&club, &bob, &offer).await;
    let order = club.buy(&bob, "up", line(&quote)).await;
    club.ask_refund(&order, json!({ "restock": true })).await.ok(201);
    club.shop.settle().await;
    assert_eq!((used(&club, &offer).await, standing(&club).await), ((0, 1, 0, 40_000), 1));
    let quote = quoted(&club, &bob, &offer).await;
    club.buy(&bob, "again", line(&quote)).await;
    assert_eq!(used(&club, &offer).await, (0, 2, 0, 80_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_its_plan_its_tier_and_its_time() {
    let club = Club::open().await;
    let now = club.shop.app.now();
    let (anna, _) = club.member("anna@example.org").await;
    let ask = async |person: &Person, offer: Value| quote(&club, person, &offer, "restart").await;
    ask(&anna, json!("nothing")).await.refused(422, "unknown_upgrade_offer");
    ask(&anna, json!("uof_0192f0c1d5a87c3e9f1b2a3c4d5e6f70")).await.refused(422, "unknown_upgrade_offer");
    let other = json!({ "plan": club.patron["id"], "price": yuan(2_000) });
    offer(&club, "other", other).await;
    ask(&anna, json!("other")).await.refused(422, "unknown_upgrade_offer");
    let of_patrons =
        json!({ "from_tier": club.diehard["tier"], "plan": club.patron["id"], "price": yuan(0) });
    offer(&club, "of-diehards", of_patrons).await;
    let body = json!({ "plan": club.patron["id"], "mode": "restart", "offer": "of-diehards" });
    let refused = club.shop.app.post("/v1/upgrade-quotes").bearer(&anna.token).json(&body).send().await;
    refused.refused(403, "not_entitled");
    let seen: Vec<_> = own(&club, &anna).await.iter().map(|one| one["code"].clone()).collect();
    assert_eq!(seen, [json!("other")]);
    let stranger = club.shop.app.member("stranger@example.org").await;
    ask(&stranger, json!("other")).await.refused(409, "membership_not_open");
    assert!(own(&club, &stranger).await.is_empty());

    let later = json!({ "starts_at": now + TimeDelta::hours(1), "ends_at": now + TimeDelta::hours(2) });
    let soon = offer(&club, "soon", later).await;
    ask(&anna, json!("soon")).await.refused(409, "not_open");
    let anna = club.advance(TimeDelta::minutes(110), &anna).await;
    // A quote ends with the offer.
    let quote = ask(&anna, json!("soon")).await.ok(201);
    assert_eq!(quote["valid_until"], soon["ends_at"]);
    let anna = club.advance(TimeDelta::minutes(10), &anna).await;
    club.order(&anna, "late", line(&quote)).await.refused(409, "quote_expired");
    ask(&anna, json!("soon")).await.refused(409, "closed");

    // Archived between quote and order; what was ordered before stays.
    let offer = offer(&club, "archived", json!({})).await;
    let (bob, _) = club.member("bob@example.org").await;
    let (first, second) = (quoted(&club, &anna, &offer).await, quoted(&club, &bob, &offer).await);
    let order = club.order(&bob, "up", line(&second)).await.ok(201);
    assert!(archive(&club, &offer).await["archived_at"].is_string());
    assert_eq!(archive(&club, &offer).await["version"], 2);
    club.order(&anna, "up", line(&first)).await.refused(409, "closed");
    ask(&anna, json!("archived")).await.refused(409, "closed");
    change(&club, &offer, json!({ "quota": 5 })).await.refused(409, "closed");
    club.shop.pay(&order).await;
    assert_eq!(club.shop.settled(&bob, &order).await["state"], "fulfilled");
    // Whom it would make nothing cheaper doesn't use it up.
    let dear = json!({ "price": { "amount": 119_999, "currency": "CNY" }, "quota": 1 });
    let dear = self::offer(&club, "dear", dear).await;
    let cheaper = json!({ "price": yuan(900) });
    let path = format!("/v1/admin/plans/{}", club.diehard["id"].as_str().unwrap());
    let patch = club.shop.app.patch(&path).bearer(&owner(&club).await.token).header("If-Match", "\"v1\"");
    patch.json(&cheaper).send().await.ok(200);
    let quote = ask(&anna, dear["id"].clone()).await.ok(201);
    assert_eq!((&quote["offer"], &quote["charge"], &quote["offers"]), (&Value::Null, &yuan(900), &json!([])));
    club.shop.finish().await;
}

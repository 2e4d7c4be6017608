//! Levels and the ladder: what brings somebody up, what a review takes, what operators and tiers give beside it.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::loyalty::levels::reviews;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

/// A level that takes so many yuan within a year, and another sum to keep.
pub async fn level(mall: &Mall, code: &str, rank: i64, enter: i64, keep: i64, more: Value) -> Value {
    let spend = |amount: i64| json!({ "metric": "spend", "amount": amount * 100, "window": "P365D" });
    let mut body = json!({
        "code": code, "rank": rank, "names": { "zh-CN": code, "en": code }, "enter": spend(enter), "keep": spend(keep),
        "review": "P365D",
    });
    for (field, value) in more.as_object().unwrap() {
        body[field] = value.clone();
    }
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.make(&owner, "/v1/admin/levels", &body).await
}

/// A shop with silver (100 yuan a year) and gold (300 to reach it, 200 to keep it).
pub async fn open() -> (Mall, Value) {
    let mall = Mall::open().await;
    level(&mall, "silver", 10, 100, 100, json!({})).await;
    level(&mall, "gold", 30, 300, 200, json!({})).await;
    let tea = mall.goods("TEA", 88, 1_000).await;
    (mall, tea)
}

/// So many orders of 100 yuan: 88 of goods and their parcel.
pub async fn buy(mall: &Mall, person: &Person, key: &str, tea: &Value, orders: usize) -> Vec<Value> {
    let mut bought = Vec::new();
    for nth in 0..orders {
        let lines = json!([{ "variant": tea, "quantity": 1 }]);
        bought.push(mall.buy(person, &format!("{key}-{nth}"), lines).await);
    }
    mall.shop.settle().await;
    bought
}

async fn seen(mall: &Mall, person: &Person) -> Value {
    let person = mall.shop.app.sign_in(&person.email).await;
    desk::get(mall, &person, "/v1/me/level").await.ok(200)
}

pub async fn code(mall: &Mall, person: &Person) -> Option<String> {
    seen(mall, person).await["level"]["code"].as_str().map(str::to_owned)
}

async fn stage(mall: &Mall, person: &Person) -> Option<String> {
    seen(mall, person).await["stage"]["code"].as_str().map(str::to_owned)
}

/// Kinds of a member's changes, the first first, as the operators see them.
pub async fn changes(mall: &Mall, person: &Person) -> Vec<String> {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/accounts/{}/level-changes", person.id);
    let seen = desk::get(mall, &owner, &path).await.ok(200);
    let kinds = seen["data"].as_array().unwrap().iter().rev();
    kinds.map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
}

pub async fn mails(mall: &Mall, kind: &str, person: &Person) -> i64 {
    let sql = format!(
        "SELECT count(*) AS count FROM mails WHERE kind = '{kind}' AND to_address = '{}'",
        person.email
    );
    count_sql(&mut *mall.shop.app.conn().await, &sql).await
}

async fn give(mall: &Mall, person: &Person, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    desk::post(mall, &owner, &format!("/v1/admin/accounts/{}/level", person.id), "k", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_is_reached_at_once_with_its_welcome_and_tells_what_is_missing_for_the_next() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let before = seen(&mall, &ada).await;
    assert_eq!((&before["level"], &before["next"]["code"]), (&json!(null), &json!("silver")));
    assert_eq!(
        before["progress"][0],
        json!({
            "metric": "spend", "window": "P365D", "needed": 10_000, "have": 0, "missing": 10_000, "met": false,
        })
    );
    buy(&mall, &ada, "a", &tea, 1).await;
    let now = seen(&mall, &ada).await;
    assert_eq!((&now["level"]["code"], &now["next"]["code"]), (&json!("silver"), &json!("gold")));
    assert_eq!(
        (&now["progress"][0]["have"], &now["progress"][0]["missing"]),
        (&json!(10_000), &json!(20_000))
    );
    assert_eq!((&now["why"][0]["source"], &now["review"]["would_keep"]), (&json!("earned"), &json!(false)));
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("customer"));
    buy(&mall, &ada, "b", &tea, 2).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"));
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("user"));
    assert_eq!(changes(&mall, &ada).await, ["raised", "raised"]);
    assert_eq!(mails(&mall, "level_reached", &ada).await, 2);
    // Everybody may see what there is to reach.
    let all = mall.shop.app.get("/v1/levels").send().await.ok(200);
    let codes: Vec<_> = all["data"].as_array().unwrap().iter().map(|level| level["code"].clone()).collect();
    assert_eq!(codes, [json!("silver"), json!("gold")]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_keeps_or_takes_a_level_and_warns_before() {
    let (mall, tea) = open().await;
    let (ada, bob) = (mall.shop.app.member("ada@b.test").await, mall.shop.app.member("bob@b.test").await);
    buy(&mall, &ada, "a", &tea, 3).await;
    buy(&mall, &bob, "b", &tea, 3).await;
    // In the year that follows Ada buys for 200, Bob for 100.
    mall.shop.advance(TimeDelta::days(100)).await;
    let (ada2, bob2) = (mall.shop.app.sign_in(&ada.email).await, mall.shop.app.sign_in(&bob.email).await);
    buy(&mall, &ada2, "a2", &tea, 2).await;
    buy(&mall, &bob2, "b2", &tea, 1).await;
    mall.shop.advance(TimeDelta::days(234)).await;
    assert_eq!((mails(&mall, "level_review", &ada).await, mails(&mall, "level_review", &bob).await), (0, 0));
    mall.shop.advance(TimeDelta::days(2)).await;
    assert_eq!((mails(&mall, "level_review", &ada).await, mails(&mall, "level_review", &bob).await), (0, 1));
    assert_eq!(seen(&mall, &bob).await["review"]["progress"][0]["missing"], 10_000);
    assert_eq!(code(&mall, &bob).await.as_deref(), Some("gold"), "never down between reviews");
    mall.shop.advance(TimeDelta::days(30)).await;
    let codes = (code(&mall, &ada).await, code(&mall, &bob).await);
    assert_eq!((codes.0.as_deref(), codes.1.as_deref()), (Some("gold"), Some("silver")));
    assert_eq!(changes(&mall, &ada).await, ["raised", "raised", "kept"]);
    assert_eq!(changes(&mall, &bob).await, ["raised", "raised", "dropped"]);
    assert_eq!(mails(&mall, "level_dropped", &bob).await, 1);
    // Of nobody there is no history.
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    for what in ["level", "level-changes", "stage-steps"] {
        let path = format!("/v1/admin/accounts/acc_{:032x}/{what}", 1);
        desk::get(&mall, &owner, &path).await.refused(404, "not_found");
    }
    // Twice the job does no more than once.
    mall.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(changes(&mall, &bob).await.len(), 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reviews_that_were_missed_are_held_each_once_as_of_their_day() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 3).await;
    mall.shop.advance(TimeDelta::days(10)).await;
    let ada2 = mall.shop.app.sign_in(&ada.email).await;
    buy(&mall, &ada2, "a2", &tea, 2).await;
    mall.shop.advance(TimeDelta::days(3 * 365)).await;
    // Kept by the first year's money; the second review took gold, and silver with it.
    assert_eq!(changes(&mall, &ada).await, ["raised", "raised", "kept", "dropped"]);
    assert_eq!(code(&mall, &ada).await, None);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/accounts/{}/level-changes", ada.id);
    let last = desk::get(&mall, &owner, &path).await.ok(200)["data"][0].clone();
    assert!(last["judged_at"].as_str().unwrap() < last["created_at"].as_str().unwrap());
    assert_eq!((&last["why"]["level"], &last["why"]["progress"][0]["have"]), (&json!("gold"), &json!(0)));
    // Who comes back begins anew.
    let ada = mall.shop.app.sign_in(&ada.email).await;
    buy(&mall, &ada, "again", &tea, 1).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("silver"));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grace_gives_one_more_chance() {
    let mall = Mall::open().await;
    level(&mall, "silver", 10, 100, 100, json!({ "grace_days": 20, "warn_days": 0 })).await;
    let tea = mall.goods("TEA", 88, 100).await;
    let (ada, bob) = (mall.shop.app.member("ada@b.test").await, mall.shop.app.member("bob@b.test").await);
    buy(&mall, &ada, "a", &tea, 1).await;
    buy(&mall, &bob, "b", &tea, 1).await;
    mall.shop.advance(TimeDelta::days(366)).await;
    assert_eq!(changes(&mall, &ada).await, ["raised", "grace"]);
    let told = (mails(&mall, "level_review", &ada).await, code(&mall, &ada).await);
    assert_eq!((told.0, told.1.as_deref()), (1, Some("silver")));
    assert!(seen(&mall, &ada).await["review"]["in_grace"].as_bool().unwrap());
    let ada = mall.shop.app.sign_in(&ada.email).await;
    buy(&mall, &ada, "a2", &tea, 1).await;
    mall.shop.advance(TimeDelta::days(21)).await;
    assert_eq!(changes(&mall, &ada).await, ["raised", "grace", "kept"]);
    assert_eq!(changes(&mall, &bob).await, ["raised", "grace", "dropped"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_takes_back_the_level_that_it_brought_and_its_points() {
    let mall = Mall::open().await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = "/v1/admin/points-programme";
    let etag = mall.shop.app.get(path).bearer(&owner.token).send().await.header("etag").to_owned();
    let on = json!({ "is_on": true, "rate": "0", "level_rate": "0" });
    mall.shop.app.patch(path).bearer(&owner.token).header("If-Match", &etag).json(&on).send().await.ok(200);
    level(&mall, "silver", 10, 100, 100, json!({ "welcome_points": 10 })).await;
    level(&mall, "gold", 30, 300, 200, json!({ "welcome_points": 500 })).await;
    let tea = mall.goods("TEA", 88, 100).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let bought = buy(&mall, &ada, "a", &tea, 3).await;
    let points = async || {
        let seen = desk::get(&mall, &ada, "/v1/me/points").await.ok(200);
        (seen["active"].as_i64().unwrap(), seen["owed"].as_i64().unwrap())
    };
    assert_eq!((code(&mall, &ada).await.as_deref(), points().await), (Some("gold"), (510, 0)));
    let refund = json!({ "reason": "Broken." });
    desk::post(&mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(&bought[0])), "r1", refund.clone())
        .await
        .ok(201);
    mall.shop.settle().await;
    assert_eq!((code(&mall, &ada).await.as_deref(), points().await), (Some("silver"), (10, 0)));
    assert_eq!(changes(&mall, &ada).await, ["raised", "raised", "corrected"]);
    assert_eq!(mails(&mall, "level_dropped", &ada).await, 1);
    for (nth, order) in bought[1..].iter().enumerate() {
        let key = format!("r{}", nth + 2);
        desk::post(&mall, &owner, &format!("/v1/admin/orders/{}/refunds", id(order)), &key, refund.clone())
            .await
            .ok(201);
    }
    mall.shop.settle().await;
    assert_eq!((code(&mall, &ada).await, points().await), (None, (0, 0)));
    assert_eq!(stage(&mall, &ada).await, None);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_raised_by_what_is_refunded_has_what_he_had_before_by_the_rules_of_then() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 1).await;
    let review_at = seen(&mall, &ada).await["review_at"].clone();
    mall.shop.advance(TimeDelta::days(30)).await;
    let later = mall.shop.app.sign_in(&ada.email).await;
    let bought = buy(&mall, &later, "b", &tea, 2).await;
    let more = buy(&mall, &later, "c", &tea, 1).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"));
    // It takes more by now: what isn't about her level takes nothing from her.
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let all = desk::get(&mall, &owner, "/v1/admin/levels").await.ok(200);
    let gold = all["data"].as_array().unwrap().iter().find(|level| level["code"] == "gold").unwrap().clone();
    let path = format!("/v1/admin/levels/{}", id(&gold));
    let enter = json!({ "enter": { "metric": "spend", "amount": 90_000, "window": "P365D" } });
    let patch = mall.shop.app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"");
    patch.json(&enter).send().await.ok(200);
    let refund = async |order: &Value, key: &str| {
        let path = format!("/v1/admin/orders/{}/refunds", id(order));
        desk::post(&mall, &owner, &path, key, json!({ "reason": "Broken." })).await.ok(201);
        mall.shop.settle().await;
    };
    refund(&more[0], "r1").await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"));
    refund(&bought[0], "r2").await;
    // Silver as before, and her year goes on.
    let now = seen(&mall, &ada).await;
    assert_eq!((&now["level"]["code"], &now["review_at"]), (&json!("silver"), &review_at));
    assert_eq!(changes(&mall, &ada).await, ["raised", "raised", "corrected"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_tiers_give_levels_beside_what_was_earned_and_the_highest_counts() {
    let (mall, tea) = open().await;
    let owner = mall.owner.clone();
    let levels = desk::get(&mall, &owner, "/v1/admin/levels").await.ok(200);
    let silver =
        levels["data"].as_array().unwrap().iter().find(|level| level["code"] == "silver").unwrap().clone();
    let tier = format!("/v1/admin/tiers/{}", mall.diehard["tier"].as_str().unwrap());
    let etag = mall.shop.app.get(&tier).bearer(&owner.token).send().await.header("etag").to_owned();
    let floor = json!({ "floor_level": silver["id"] });
    mall.shop
        .app
        .patch(&tier)
        .bearer(&owner.token)
        .header("If-Match", &etag)
        .json(&floor)
        .send()
        .await
        .ok(200);
    let ada = mall.member("ada@b.test", &mall.diehard).await;
    assert_eq!(seen(&mall, &ada).await["why"], json!([{ "source": "tier", "level": "silver" }]));
    // She earns it too, which comes first of two that are alike.
    buy(&mall, &ada, "a", &tea, 2).await;
    let first = seen(&mall, &ada).await;
    let sources: Vec<_> = first["why"].as_array().unwrap().iter().map(|one| one["source"].clone()).collect();
    assert_eq!(sources, [json!("earned"), json!("tier")]);
    let membership = desk::get(&mall, &ada, "/v1/me/membership").await.ok(200);
    assert_eq!(membership["level"], "silver");
    // An operator's, for a time.
    give(&mall, &ada, json!({ "level": "iron", "reason": "A mistake." })).await.refused(422, "invalid_field");
    let until = mall.shop.app.now() + TimeDelta::days(10);
    let given =
        give(&mall, &ada, json!({ "level": "gold", "until": until, "reason": "She spoke at our fair." }))
            .await
            .ok(200);
    assert_eq!((&given["level"]["code"], &given["why"][0]["source"]), (&json!("gold"), &json!("manual")));
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("user"));
    mall.shop.advance(TimeDelta::days(11)).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("silver"));
    assert_eq!(changes(&mall, &ada).await, ["raised", "manual", "manual_ended"]);
    // Until it is taken back; once.
    give(&mall, &ada, json!({ "level": "gold", "reason": "Again." })).await.ok(200);
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let back = format!("/v1/admin/accounts/{}/level/take-back", ada.id);
    desk::post(&mall, &owner, &back, "k", json!({ "reason": "Enough." })).await.ok(200);
    desk::post(&mall, &owner, &back, "k", json!({ "reason": "Enough." })).await.refused(404, "not_found");
    // The floor of a tier can't be archived.
    let archive = format!("/v1/admin/levels/{}/archive", id(&silver));
    desk::post(&mall, &owner, &archive, "k", json!({})).await.refused(409, "in_use");
    // Once the membership is over the floor is gone, and so is what the review finds nothing for.
    mall.shop.advance(TimeDelta::days(380)).await;
    assert_eq!(seen(&mall, &ada).await["why"], json!([]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_change_raise_at_once_and_let_nobody_fall_before_his_review() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 2).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("silver"));
    let find = async |code: &str| {
        let owner = mall.shop.app.sign_in(&mall.owner.email).await;
        let all = desk::get(&mall, &owner, "/v1/admin/levels").await.ok(200);
        let found =
            all["data"].as_array().unwrap().iter().find(|level| level["code"] == code).unwrap().clone();
        (owner, format!("/v1/admin/levels/{}", id(&found)))
    };
    let change = async |code: &str, body: Value| {
        let (owner, path) = find(code).await;
        let etag = mall.shop.app.get(&path).bearer(&owner.token).send().await.header("etag").to_owned();
        let answer = mall
            .shop
            .app
            .patch(&path)
            .bearer(&owner.token)
            .header("If-Match", &etag)
            .json(&body)
            .send()
            .await;
        mall.shop.settle().await;
        answer
    };
    let spend = |minor: i64| json!({ "metric": "spend", "amount": minor, "window": "P365D" });
    change("gold", json!({ "enter": spend(20_000) })).await.ok(200);
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"), "the walk has seen her");
    change("gold", json!({ "enter": spend(90_000), "keep": spend(90_000) })).await.ok(200);
    change("silver", json!({ "enter": spend(95_000), "keep": null })).await.ok(200);
    mall.shop.advance(TimeDelta::days(300)).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"));
    mall.shop.advance(TimeDelta::days(70)).await;
    assert_eq!(code(&mall, &ada).await, None);
    // What operators type is checked.
    for (field, body) in [
        ("enter", json!({ "enter": { "metric": "speed", "amount": 1 } })),
        ("enter", json!({ "enter": { "metric": "spend", "amount": 0 } })),
        ("enter", json!({ "enter": { "level": "silver" } })),
        ("review", json!({ "review": "lifetime" })),
        ("rank", json!({ "rank": 0 })),
        ("grace_days", json!({ "grace_days": -1 })),
        ("keep", json!({ "enter": null })),
        ("welcome_points", json!({ "welcome_points": i64::MAX })),
    ] {
        let refused = change("gold", body).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    change("gold", json!({ "rank": 10 })).await.refused(409, "rank_taken");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_level_opens_prices_and_gives_is_for_who_stands_on_it() {
    let (mall, tea) = open().await;
    let owner = mall.owner.clone();
    let levels = desk::get(&mall, &owner, "/v1/admin/levels").await.ok(200);
    let silver =
        levels["data"].as_array().unwrap().iter().find(|level| level["code"] == "silver").unwrap()["id"]
            .clone();
    // A product for silver and above, and a segment of those on the ladder.
    let only = mall
        .product(
            "only",
            "goods",
            json!([{ "sku": "ONLY", "price": yuan(50), "weight_grams": 1 }]),
            json!({ "buys": { "who": "level", "at_least": "silver" } }),
        )
        .await;
    let only = only["variants"][0]["id"].clone();
    mall.stock(&only, 10, "received").await.ok(201);
    let ada = mall.shop.app.member("ada@b.test").await;
    let cart = json!([{ "variant": only, "quantity": 1 }]);
    mall.quote(&ada, cart.clone()).await.refused(403, "level_required");
    // The parcel of who stands on silver costs nothing, twice a month.
    let parcels = json!({
        "level": silver, "kind": "parcels", "gives": "free_shipping", "names": { "zh-CN": "包邮", "en": "Parcels" },
        "every": "P1M", "allowed": 2,
    });
    mall.shop.app.make(&owner, "/v1/admin/benefits", &parcels).await;
    buy(&mall, &ada, "a", &tea, 1).await;
    let quote = mall.quote(&ada, cart.clone()).await.ok(200);
    assert_eq!(quote["totals"]["shipping"]["amount"], 0);
    let rules: Vec<_> =
        quote["explanation"].as_array().unwrap().iter().map(|one| one["rule"].clone()).collect();
    assert!(rules.contains(&json!("level_benefit:parcels")), "{rules:?}");
    mall.buy(&ada, "free", cart.clone()).await;
    let own = seen(&mall, &ada).await;
    assert_eq!((&own["benefits"][0]["kind"], &own["benefits"][0]["left"]), (&json!("parcels"), &json!(1)));
    // Tier and level give the same: the better counts, and it is told which.
    let bob = mall.member("bob@b.test", &mall.regular).await;
    buy(&mall, &bob, "b", &tea, 1).await;
    let of_tier = json!({
        "tier": mall.regular["tier"], "kind": "parcels", "gives": "free_shipping", "every": "P1M", "allowed": 5,
        "names": { "zh-CN": "包邮", "en": "Parcels" },
    });
    let of_tier = mall.shop.app.make(&owner, "/v1/admin/benefits", &of_tier).await;
    let quote = mall.quote(&bob, cart.clone()).await.ok(200);
    let rules: Vec<_> =
        quote["explanation"].as_array().unwrap().iter().map(|one| one["rule"].clone()).collect();
    assert!(
        rules.contains(&json!("benefit:parcels")) && !rules.contains(&json!("level_benefit:parcels")),
        "{rules:?}"
    );
    let own = seen(&mall, &bob).await;
    assert_eq!(
        (&own["benefits"][0]["outranked_by"], &own["benefits"][0]["left"]),
        (&of_tier["id"], &json!(0))
    );
    // Segments and notices go by levels and stages too.
    let rule = json!({ "all": [{ "level_at_least": "silver" }, { "stage_at_least": "user" }] });
    let preview =
        desk::post(&mall, &owner, "/v1/admin/segments/preview", "k", json!({ "rule": rule })).await.ok(200);
    assert_eq!((&preview["count"], &preview["accounts"][0]), (&json!(1), &json!(ada.id.to_string())));
    let wrong = json!({ "rule": { "level_at_least": "iron" } });
    desk::post(&mall, &owner, "/v1/admin/segments/preview", "k", wrong).await.refused(422, "invalid_field");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_at_once_raise_somebody_once_and_none_is_overlooked() {
    let (mall, tea) = open().await;
    let lines = json!([{ "variant": tea, "quantity": 1 }]);
    for round in 0..4 {
        let ada = mall.shop.app.member(&format!("ada{round}@b.test")).await;
        // Just enough for gold: whichever is seen last counts.
        let keys = ["k0", "k1", "k2"];
        let placed = join_all(keys.iter().map(|key| mall.order(&ada, key, lines.clone()))).await;
        let placed: Vec<_> = placed.into_iter().map(|answer| answer.ok(201)).collect();
        join_all(placed.iter().map(|order| mall.shop.pay(order))).await;
        join_all(placed.iter().map(|order| mall.shop.settled(&ada, order))).await;
        mall.shop.settle().await;
        assert_eq!(code(&mall, &ada).await.as_deref(), Some("gold"));
        let raised = changes(&mall, &ada).await;
        assert!(raised.len() <= 2 && raised.iter().all(|kind| kind == "raised"), "{raised:?}");
        assert_eq!(mails(&mall, "level_reached", &ada).await, i64::try_from(raised.len()).unwrap());
    }
    mall.finish().await;
}

/// 5,000 more who reached it in the same way as who did, without their orders; and a year has passed for all of them.
pub async fn crowd(mall: &Mall) {
    let mut conn = mall.shop.app.conn().await;
    run_sql(&mut conn, "INSERT INTO accounts (id, email, email_key, locale, marketing, roles, created_at, is_guest)
        SELECT gen_random_uuid(), 'm' || n || '@c.test', 'm' || n || '@c.test', 'en', false, '{}', a.created_at, false
        FROM generate_series(1, 5000) n, (SELECT min(created_at) AS created_at FROM accounts) a").await;
    run_sql(&mut conn, "INSERT INTO account_levels (account_id, level_id, since, judged_at, judged_by, due_at, in_grace, warn_at)
        SELECT a.id, l.level_id, l.since, l.judged_at, 'enter', l.due_at, false, NULL
        FROM accounts a, account_levels l WHERE a.email LIKE '%@c.test'").await;
    run_sql(&mut conn, "INSERT INTO level_changes (id, account_id, kind, to_level_id, cause, why, judged_at, created_at)
        SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(row_number() OVER ()), 12, '0'))::uuid, account_id, 'raised', level_id, 'raised:' || account_id, '{}', judged_at, judged_at
        FROM account_levels WHERE account_id IN (SELECT id FROM accounts WHERE email LIKE '%@c.test')").await;
    run_sql(&mut conn, "UPDATE account_levels SET since = since - interval '366 days', judged_at = judged_at - interval '366 days',
        due_at = due_at - interval '366 days', warn_at = NULL").await;
    // As autovacuum would soon: plans of tables that were empty a moment ago read all of them each time.
    run_sql(&mut conn, "ANALYZE accounts, account_levels, level_changes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_that_is_cut_short_goes_on_and_judges_each_once() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 3).await;
    crowd(&mall).await;
    // The review is cut short between two of its parts.
    let count = async |sql: &str| count_sql(&mut *mall.shop.app.conn().await, sql).await;
    let dropped = "SELECT count(*) AS count FROM level_changes WHERE kind = 'dropped'";
    let app = std::sync::Arc::clone(&mall.shop.app.app);
    let run = tokio::spawn(async move { reviews::run(&app).await.map(|_| ()) });
    while count(dropped).await == 0 {
        assert!(!run.is_finished());
    }
    run.abort();
    assert!(run.await.is_err());
    let done = count(dropped).await;
    assert!((1..=5_000).contains(&done), "{done}");
    reviews::run(&mall.shop.app.app).await.unwrap();
    assert_eq!(count(dropped).await, 5_001);
    assert_eq!(count("SELECT count(*) AS count FROM mails WHERE kind = 'level_dropped'").await, 5_001);
    assert_eq!(count("SELECT count(*) AS count FROM account_levels WHERE level_id IS NOT NULL").await, 0);
    let sql = "SELECT count(*) AS count FROM (SELECT 1 FROM level_changes WHERE kind IN ('kept', 'dropped')
               GROUP BY account_id HAVING count(*) > 1) twice";
    assert_eq!(count(sql).await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ladder_is_climbed_by_its_rules_and_every_step_has_a_reason() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 2).await;
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("user"));
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let body = json!({
        "code": "regular-guest", "rank": 25, "names": { "zh-CN": "常客", "en": "Regular guest" },
        "criteria": { "all": [{ "metric": "orders", "amount": 2, "window": "P90D" }, { "level": "silver" }] },
    });
    let new = mall.shop.app.make(&owner, "/v1/admin/stages", &body).await;
    mall.shop.settle().await;
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("regular-guest"));
    // Within ninety days alone: the daily walk sees that they are over.
    mall.shop.advance(TimeDelta::days(92)).await;
    assert_eq!(stage(&mall, &ada).await.as_deref(), Some("user"));
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let steps = desk::get(&mall, &owner, &format!("/v1/admin/accounts/{}/stage-steps", ada.id)).await.ok(200);
    let walked: Vec<_> = steps["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["from"].clone(), step["to"].clone()))
        .collect();
    assert_eq!(walked[0], (json!("regular-guest"), json!("user")));
    assert_eq!(steps["data"][0]["why"]["progress"][0]["have"], 0);
    // A rank that is taken, criteria that make no sense, and who may do it.
    let wrong = json!({ "rank": 20 });
    let path = format!("/v1/admin/stages/{}", id(&new));
    let patch = |body: Value| {
        mall.shop.app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"").json(&body)
    };
    patch(wrong).send().await.refused(409, "rank_taken");
    patch(json!({ "criteria": { "level": "iron" } })).send().await.refused(422, "invalid_field");
    let support = mall.shop.app.operator(Role::Support).await;
    desk::post(&mall, &support, "/v1/admin/stages", "k", body).await.refused(403, "forbidden");
    let archived = desk::post(&mall, &owner, &format!("{path}/archive"), "k", json!({})).await.ok(200);
    assert!(archived["archived_at"].is_string());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_stands_nowhere() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let bought = buy(&mall, &ada, "a", &tea, 1).await;
    desk::send(&mall, &bought[0]).await;
    mall.shop.advance(TimeDelta::days(30)).await;
    let ada = mall.shop.app.sign_in(&ada.email).await;
    let export = desk::get(&mall, &ada, "/v1/me/export").await.ok(200);
    assert_eq!(export["level_changes"].as_array().unwrap().len(), 1);
    let body = json!({ "password": crate::support::people::PASSWORD, "forfeit": true });
    mall.shop.app.delete("/v1/me").bearer(&ada.token).json(&body).send().await.ok(204);
    mall.shop.advance(TimeDelta::days(400)).await;
    let left = count_sql(
        &mut *mall.shop.app.conn().await,
        "SELECT (SELECT count(*) FROM account_levels) + (SELECT count(*) FROM account_stages) AS count",
    )
    .await;
    assert_eq!(left, 0);
    mall.finish().await;
}

//! Games: prizes that no rush wins oftener than they are there, and plays that anybody can recompute.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use futures::future::join_all;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

async fn admin(mall: &Mall, path: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(path).bearer(&owner.token).key("k").json(&body).send().await
}

fn names(name: &str) -> Value {
    json!({ "zh-CN": name, "en": name })
}

/// A wheel with five coupons, three times ten yuan, and nothing; open for a day.
async fn wheel(mall: &Mall, more: Value) -> Value {
    let campaign = json!({
        "code": "won", "names": names("won"), "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 7,
    });
    let campaign = admin(mall, "/v1/admin/coupon-campaigns", campaign).await.ok(201);
    let now = mall.shop.app.now();
    let mut body = json!({
        "code": "wheel", "names": names("wheel"), "starts_at": now, "ends_at": now + TimeDelta::days(2),
        "when_out": "next", "prizes": [
            { "names": names("coupon"), "kind": "coupon", "campaign": campaign["id"], "weight": 5, "stock": 5 },
            { "names": names("credit"), "kind": "credit", "amount": yuan(10), "weight": 3, "stock": 3 },
            { "names": names("nothing"), "kind": "nothing", "weight": 2 },
        ],
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin(mall, "/v1/admin/games", body).await.ok(201)
}

async fn play(mall: &Mall, person: &Person, key: &str) -> Answer {
    mall.shop.app.post("/v1/coupon-campaigns/wheel/claim").bearer(&person.token).key(key).send().await
}

async fn seen(mall: &Mall) -> Value {
    mall.shop.app.get("/v1/coupon-campaigns/wheel").send().await.ok(200)
}

/// Every play, the first one first.
async fn plays(mall: &Mall) -> Vec<Value> {
    let path = "/v1/coupon-campaigns/wheel/plays?limit=100";
    let mut all = mall.shop.app.get(path).send().await.ok(200)["data"].as_array().unwrap().clone();
    all.reverse();
    all
}

/// As docs/GIVEOUTS.md says, in other words than the shop's.
fn drawn_by(seed: &[u8], message: &str, weights: &[u64]) -> i64 {
    let mut mac = Hmac::<Sha256>::new_from_slice(seed).unwrap();
    mac.update(message.as_bytes());
    let bytes: [u8; 8] = mac.finalize().into_bytes()[..8].try_into().unwrap();
    let sum: u64 = weights.iter().sum();
    let point = (u128::from(u64::from_be_bytes(bytes)) * u128::from(sum)) >> 64;
    let mut end = 0;
    weights
        .iter()
        .position(|weight| {
            end += u128::from(*weight);
            point < end
        })
        .unwrap() as i64
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_play_at_once_and_every_play_can_be_recomputed() {
    let mall = Mall::open().await;
    let made = wheel(&mall, json!({})).await;
    assert!(made["seed"].is_null() && made["prizes"][0]["odds"] == "5/10", "{made}");
    let people = mall.members_named("p", 40).await;
    // Each asks twice in two windows, and once more with the same key.
    let answers = join_all(
        people.iter().flat_map(|person| ["k", "k", "other"].into_iter().map(|key| play(&mall, person, key))),
    )
    .await;
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        let code = answer.json["code"].as_str().unwrap();
        assert!(["cap_reached", "request_in_progress"].contains(&code), "{}", answer.text);
    }
    let mut kinds: BTreeMap<String, i64> = BTreeMap::new();
    for own in answers.chunks(3) {
        let mut won: Vec<_> = own.iter().filter(|answer| answer.status == 201).collect();
        won.dedup_by_key(|answer| answer.json["play"]["number"].clone());
        assert_eq!(won.len(), 1, "one play a person");
        *kinds.entry(won[0].json["kind"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    // Forty plays, half of them for coupons: all prizes are gone, and not one more was given.
    let expected = [("coupon", 5), ("credit", 3), ("nothing", 32)].map(|(kind, n)| (kind.to_owned(), n));
    assert_eq!(kinds, BTreeMap::from(expected));
    let public = seen(&mall).await;
    let left: Vec<_> =
        public["prizes"].as_array().unwrap().iter().map(|prize| prize["left"].clone()).collect();
    assert_eq!((left, &public["plays"]), (vec![json!(0), json!(0), json!(null)], &json!(40)));

    // What was won is there: a coupon in the wallet, an amount in the credit.
    for (person, own) in people.iter().zip(answers.chunks(3)) {
        let won = own.iter().find(|answer| answer.status == 201).unwrap();
        let again = play(&mall, person, "k").await;
        let wallet = mall.shop.app.get("/v1/me/coupons").bearer(&person.token).send().await.ok(200);
        let credit = mall.shop.app.get("/v1/me/credit").bearer(&person.token).send().await.ok(200);
        match won.json["kind"].as_str().unwrap() {
            "coupon" => assert_eq!(wallet["data"][0]["code"], won.json["code"]),
            "credit" => assert_eq!(
                (&won.json["amount"], credit["balance"]["amount"].as_i64()),
                (&yuan(10), Some(1_000))
            ),
            _ => assert_eq!(
                (wallet["data"].as_array().unwrap().len(), credit["balance"]["amount"].as_i64()),
                (0, Some(0))
            ),
        }
        if again.status == 201 {
            assert_eq!(again.json["play"], won.json["play"], "a repeat tells the same");
        }
    }

    // Over, its seed is what was committed to, and replays every play, stocks and all.
    let path = format!("/v1/admin/games/{}/end", made["id"].as_str().unwrap());
    for _ in 0..2 {
        admin(&mall, &path, json!({})).await.ok(200);
    }
    let public = seen(&mall).await;
    let seed = bytes(public["seed"].as_str().unwrap());
    let hash: String = Sha256::digest(&seed).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((&made["seed_hash"], &public["seed_hash"]), (&json!(hash), &json!(hash)));
    let mut stock = [5, 3, i64::MAX];
    for (number, play) in plays(&mall).await.iter().enumerate() {
        let message = format!("{}:{}", made["id"].as_str().unwrap(), number + 1);
        assert_eq!(play["message"], message);
        let drawn = drawn_by(&seed, &message, &[5, 3, 2]);
        let given = (drawn..3).find(|position| stock[usize::try_from(*position).unwrap()] > 0).unwrap();
        stock[usize::try_from(given).unwrap()] -= 1;
        assert_eq!((&play["drawn"], &play["given"]), (&json!(drawn), &json!(given)));
    }
    play(&mall, &people[0], "late").await.refused(409, "closed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_a_day_and_in_all_whoever_one_says_to_be() {
    let mall = Mall::open().await;
    wheel(&mall, json!({ "plays_a_day": 2, "plays_in_all": 3, "when_out": "nothing" })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let tagged = mall.shop.app.member("anna+two@b.test").await;
    let answers =
        join_all((0..6).map(|n| (if n % 2 == 0 { &anna } else { &tagged }, n)).map(|(person, n)| {
            let mall = &mall;
            async move { play(mall, person, &format!("k{n}")).await }
        }))
        .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
    mall.shop.app.advance(TimeDelta::days(1)).await;
    let anna = mall.shop.app.sign_in("anna@b.test").await;
    play(&mall, &anna, "next-day").await.ok(201);
    play(&mall, &anna, "one-more").await.refused(409, "cap_reached");
    mall.shop.app.advance(TimeDelta::days(1)).await;
    let anna = mall.shop.app.sign_in("anna@b.test").await;
    play(&mall, &anna, "over").await.refused(409, "closed");
    assert!(seen(&mall).await["seed"].is_string(), "over by itself");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_no_game_is_refused_by_field() {
    let mall = Mall::open().await;
    let made = wheel(&mall, json!({ "audience": { "who": "members" } })).await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    play(&mall, &visitor, "k").await.refused(403, "members_only");
    let now = mall.shop.app.now();
    let nothing = json!({ "names": names("x"), "kind": "nothing", "weight": 1 });
    let prize = |more: Value| {
        let mut prize = nothing.clone();
        prize.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "prizes": [prize] })
    };
    for (field, more) in [
        ("prizes", json!({ "prizes": [] })),
        ("prizes[0].weight", prize(json!({ "weight": 0 }))),
        ("prizes[0].stock", prize(json!({ "stock": 1 }))),
        ("prizes[0].stock", prize(json!({ "kind": "credit", "amount": yuan(1) }))),
        ("prizes[0].amount", prize(json!({ "kind": "credit", "stock": 1 }))),
        ("prizes[0].amount", prize(json!({ "kind": "credit", "stock": 1, "amount": yuan(0) }))),
        ("prizes[0].campaign", prize(json!({ "kind": "coupon", "stock": 1 }))),
        ("audience", json!({ "audience": { "who": "everyone" } })),
        ("ends_at", json!({ "ends_at": now })),
        ("plays_a_day", json!({ "plays_a_day": 0 })),
    ] {
        let mut body = json!({
            "code": "other", "names": names("x"), "starts_at": now, "ends_at": now + TimeDelta::hours(1),
            "when_out": "nothing", "prizes": [nothing],
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = admin(&mall, "/v1/admin/games", body.clone()).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    // Games and give-outs are claimed under codes of one namespace.
    let campaign = made["prizes"][0]["benefit"].clone();
    assert_eq!(campaign["kind"], "amount");
    let body = json!({
        "code": "wheel", "names": names("x"), "starts_at": now, "ends_at": now + TimeDelta::hours(1),
        "when_out": "nothing", "prizes": [nothing],
    });
    admin(&mall, "/v1/admin/games", body).await.refused(409, "code_taken");
    mall.finish().await;
}

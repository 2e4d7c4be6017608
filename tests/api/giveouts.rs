//! Give-outs: so many a round, one a person, whoever comes and however often.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

/// A campaign of 10 yuan off, given out from in an hour on: so many an hour, for three hours.
async fn give_out(mall: &Mall, per_round: i64, more: Value) -> Value {
    let campaign = json!({
        "code": "rush", "names": { "zh-CN": "抢券", "en": "Rush" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 7,
    });
    let campaign = admin(mall, "/v1/admin/coupon-campaigns", campaign).await.ok(201);
    let start = mall.shop.app.now() + TimeDelta::hours(1);
    let mut body = json!({
        "code": "rush", "campaign": campaign["id"], "starts_at": start, "ends_at": start + TimeDelta::hours(3),
        "every_minutes": 60, "per_round": per_round,
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin(mall, "/v1/admin/give-outs", body).await.ok(201)
}

async fn admin(mall: &Mall, path: &str, body: Value) -> Answer {
    mall.shop.app.post(path).bearer(&mall.owner.token).json(&body).send().await
}

async fn claim(mall: &Mall, person: &Person, key: &str) -> Answer {
    mall.shop.app.post("/v1/coupon-campaigns/rush/claim").bearer(&person.token).key(key).send().await
}

async fn state(mall: &Mall) -> (Value, Value) {
    let seen = mall.shop.app.get("/v1/coupon-campaigns/rush").send().await.ok(200);
    (seen["state"].clone(), seen["remaining"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_gives_what_it_has_one_a_person_and_the_next_one_gives_more() {
    let mall = Mall::open().await;
    give_out(&mall, 7, json!({ "per_person": 2 })).await;
    let early = mall.shop.app.member("early@b.test").await;
    assert_eq!(state(&mall).await, (json!("scheduled"), json!(7)));
    claim(&mall, &early, "k").await.refused(409, "not_open");
    mall.shop.app.advance(TimeDelta::hours(1)).await;

    // Forty come at once; some ask twice in two windows, some again with the same key.
    let people = mall.members_named("first", 40).await;
    let answers = join_all(
        people.iter().flat_map(|person| ["k", "k", "other"].into_iter().map(|key| claim(&mall, person, key))),
    )
    .await;
    let mut given: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json["code"].to_string())
        .collect();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), 7);
    let refused = answers.iter().filter(|answer| answer.status != 201);
    assert!(refused.clone().all(|answer| {
        ["given_out", "cap_reached", "request_in_progress"].contains(&answer.json["code"].as_str().unwrap())
    }));
    assert_eq!(state(&mall).await, (json!("given_out"), json!(0)));
    let lucky =
        people.iter().zip(answers.chunks(3)).find(|(_, own)| own[0].status == 201).map(|(person, _)| person);
    let lucky = lucky.unwrap();
    // Who took one is told of it again, and has it in the wallet for a week.
    let again = claim(&mall, lucky, "k").await.ok(201);
    let wallet = mall.shop.app.get("/v1/me/coupons").bearer(&lucky.token).send().await.ok(200);
    assert_eq!((wallet["data"].as_array().unwrap().len(), &wallet["data"][0]["code"]), (1, &again["code"]));

    // The next hour has seven again: one more for who has one, and none for who has two.
    mall.shop.app.advance(TimeDelta::hours(1)).await;
    let lucky = mall.shop.app.sign_in(&lucky.email).await;
    assert_eq!(state(&mall).await, (json!("open"), json!(7)));
    claim(&mall, &lucky, "second").await.ok(201);
    claim(&mall, &lucky, "same round").await.refused(400, "idempotency_key_missing");
    claim(&mall, &lucky, "same-round").await.refused(409, "cap_reached");
    let (name, domain) = lucky.email.split_once('@').unwrap();
    let tagged = mall.shop.app.member(&format!("{name}+more@{domain}")).await;
    claim(&mall, &tagged, "k").await.refused(409, "cap_reached");
    mall.shop.app.advance(TimeDelta::hours(1)).await;
    let lucky = mall.shop.app.sign_in(&lucky.email).await;
    claim(&mall, &lucky, "third").await.refused(409, "cap_reached");
    mall.shop.app.advance(TimeDelta::hours(1)).await;
    assert_eq!(state(&mall).await, (json!("closed"), json!(0)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_are_meant_and_only_until_it_is_ended() {
    let mall = Mall::open().await;
    let made =
        give_out(&mall, 7, json!({ "audience": { "who": "members" }, "starts_at": mall.shop.app.now() }))
            .await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    let member = mall.member("member@b.test", &mall.regular).await;
    claim(&mall, &visitor, "k").await.refused(403, "members_only");
    claim(&mall, &member, "k").await.ok(201);
    mall.shop
        .app
        .post("/v1/coupon-campaigns/rush/claim")
        .key("k")
        .send()
        .await
        .refused(401, "unauthenticated");
    mall.shop
        .app
        .post("/v1/coupon-campaigns/no/claim")
        .bearer(&member.token)
        .key("k")
        .send()
        .await
        .refused(404, "not_found");
    let path = format!("/v1/admin/give-outs/{}/end", made["id"].as_str().unwrap());
    for _ in 0..2 {
        admin(&mall, &path, json!({})).await.ok(200);
    }
    claim(&mall, &visitor, "l").await.refused(409, "closed");
    let bad = json!({ "audience": { "who": "everyone" } });
    let now = mall.shop.app.now();
    for (field, more) in [
        ("audience", bad),
        ("per_round", json!({ "per_round": 0 })),
        ("every_minutes", json!({ "every_minutes": 0 })),
        ("ends_at", json!({ "ends_at": now })),
    ] {
        let mut body = json!({
            "code": "other", "campaign": made["campaign"], "starts_at": now, "ends_at": now + TimeDelta::hours(1),
            "per_round": 1,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = admin(&mall, "/v1/admin/give-outs", body).await;
        assert_eq!(answer.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    mall.finish().await;
}

//! Red packets and chains: exactly so many get one, the parts sum to the whole, and no right is used twice.

use chrono::TimeDelta;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

async fn admin(mall: &Mall, path: &str, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(path).bearer(&owner.token).key(key).json(&body).send().await
}

async fn claim(mall: &Mall, code: &str, person: &Person, key: &str) -> Answer {
    let path = format!("/v1/coupon-campaigns/{code}/claim");
    mall.shop.app.post(&path).bearer(&person.token).key(key).send().await
}

async fn credit(mall: &Mall, person: &Person) -> i64 {
    let person = mall.shop.app.sign_in(&person.email).await;
    let seen = mall.shop.app.get("/v1/me/credit").bearer(&person.token).send().await.ok(200);
    seen["balance"]["amount"].as_i64().unwrap()
}

fn minor(answer: &Answer) -> i64 {
    answer.json["amount"]["amount"].as_i64().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Somebody with so much store credit.
async fn rich(mall: &Mall, email: &str, amount: i64) -> Person {
    let person = mall.shop.app.member(email).await;
    let path = format!("/v1/admin/accounts/{}/credit", person.id);
    admin(mall, &path, email, json!({ "amount": yuan(amount), "reason": "Sorry." })).await.ok(201);
    person
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_who_open_at_once_seven_share_it_to_the_last_fen() {
    let mall = Mall::open().await;
    let ends = mall.shop.app.now() + TimeDelta::hours(5);
    let body = json!({
        "code": "luck", "amount": yuan(88), "parts": 7, "split": "random", "greeting": "恭喜发财", "ends_at": ends,
    });
    let made = admin(&mall, "/v1/admin/packets", "k", body.clone()).await.ok(201);
    assert_eq!(admin(&mall, "/v1/admin/packets", "k", body.clone()).await.ok(201)["id"], made["id"]);
    admin(&mall, "/v1/admin/packets", "l", body).await.refused(409, "code_taken");
    let people = mall.members_named("p", 40).await;
    let answers = join_all(
        people
            .iter()
            .flat_map(|person| ["k", "k", "other"].into_iter().map(|key| claim(&mall, "luck", person, key))),
    )
    .await;
    let (mut sum, mut winners) = (0, 0);
    for (person, own) in people.iter().zip(answers.chunks(3)) {
        let got = credit(&mall, person).await;
        for answer in own {
            match answer.status {
                201 => assert_eq!((minor(answer), &answer.json["kind"]), (got, &json!("credit"))),
                _ => assert!(
                    ["given_out", "cap_reached", "request_in_progress"].contains(&text(&answer.json["code"])),
                    "{}",
                    answer.text
                ),
            }
        }
        assert_eq!(got > 0, own.iter().any(|answer| answer.status == 201));
        winners += i64::from(got > 0);
        sum += got;
    }
    assert_eq!((winners, sum), (7, 8_800));
    let seen = mall.shop.app.get("/v1/coupon-campaigns/luck").send().await.ok(200);
    assert_eq!(
        (&seen["state"], &seen["opened"], &seen["greeting"]),
        (&json!("given_out"), &json!(7), &json!("恭喜发财"))
    );
    // Another account of one who has opened it finds it opened.
    let winner = people.iter().zip(answers.chunks(3)).find(|(_, own)| own[0].status == 201).unwrap().0;
    claim(&mall, "luck", winner, "again").await.refused(409, "cap_reached");
    mall.shop.advance(TimeDelta::hours(6)).await;
    let winner = mall.shop.app.sign_in(&winner.email).await;
    claim(&mall, "luck", &winner, "late").await.refused(409, "closed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_pays_and_gets_back_what_nobody_opened() {
    let mall = Mall::open().await;
    let anna = rich(&mall, "anna@b.test", 50).await;
    let bao = mall.shop.app.member("bao@b.test").await;
    let tagged = mall.shop.app.member("bao+two@b.test").await;
    let make = async |key: &str, amount: i64| {
        let body = json!({ "amount": yuan(amount), "parts": 3, "split": "equal", "hours": 2 });
        mall.shop.app.post("/v1/me/packets").bearer(&anna.token).key(key).json(&body).send().await
    };
    make("poor", 51).await.refused(409, "credit_insufficient");
    // Two windows, fifty yuan: one packet of forty.
    let answers = join_all(["a", "b"].map(|key| make(key, 40))).await;
    let made = answers.iter().find(|answer| answer.status == 201).unwrap();
    answers.iter().find(|answer| answer.status != 201).unwrap().refused(409, "credit_insufficient");
    assert_eq!(credit(&mall, &anna).await, 1_000);
    let code = text(&made.json["code"]).to_owned();
    let got = claim(&mall, &code, &bao, "k").await;
    assert_eq!((got.status, minor(&got)), (201, 1_334));
    claim(&mall, &code, &tagged, "k").await.refused(409, "cap_reached");
    // The maker may open it too.
    assert_eq!(minor(&claim(&mall, &code, &anna, "own").await), 1_333);
    mall.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &bao).await), (1_000 + 1_333 + 1_333, 1_334));
    let anna = mall.shop.app.sign_in("anna@b.test").await;
    let own = mall.shop.app.get("/v1/me/packets").bearer(&anna.token).send().await.ok(200);
    let told = &own["data"][0];
    assert_eq!((&told["opened"], &told["returned"]["amount"]), (&json!(2), &json!(1_333)));
    for (field, more) in [
        ("parts", json!({ "parts": 0 })),
        ("parts", json!({ "parts": 501 })),
        ("amount", json!({ "amount": { "amount": 2, "currency": "CNY" } })),
        ("hours", json!({ "hours": 169 })),
        ("greeting", json!({ "greeting": "x".repeat(201) })),
    ] {
        let mut body = json!({ "amount": yuan(1), "parts": 3, "split": "equal" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = mall.shop.app.post("/v1/me/packets").bearer(&anna.token).key("bad").json(&body);
        assert_eq!(request.send().await.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_packet_ends_at_once_and_for_all() {
    let mall = Mall::open().await;
    let ends = mall.shop.app.now() + TimeDelta::hours(5);
    let body = json!({
        "code": "tea", "amount": yuan(9), "parts": 3, "split": "equal", "ends_at": ends,
        "audience": { "who": "members" },
    });
    let made = admin(&mall, "/v1/admin/packets", "k", body).await.ok(201);
    let people = mall.members_named("p", 30).await;
    let visitor = mall.shop.app.member("visitor@b.test").await;
    claim(&mall, "tea", &visitor, "k").await.refused(403, "members_only");
    let path = format!("/v1/admin/packets/{}/end", text(&made["id"]));
    // It is ended while thirty open it: what was opened and what goes back are the whole.
    let (answers, ended) = tokio::join!(
        join_all(people.iter().map(|person| claim(&mall, "tea", person, "k"))),
        admin(&mall, &path, "e", json!({}))
    );
    let given: i64 = answers.iter().filter(|answer| answer.status == 201).map(minor).sum();
    assert_eq!(given + ended.ok(200)["returned"]["amount"].as_i64().unwrap(), 900);
    admin(&mall, &path, "e", json!({})).await.ok(200);
    mall.finish().await;
}

/// A chain of packets of three yuan for three each.
async fn chain(mall: &Mall, max_links: i64, budget: i64) -> Value {
    let now = mall.shop.app.now();
    let body = json!({
        "code": "year", "names": { "zh-CN": "新年接龙", "en": "New year" }, "starts_at": now,
        "ends_at": now + TimeDelta::days(2), "amount": yuan(3), "parts": 3, "split": "random",
        "max_links": max_links, "budget": yuan(budget),
    });
    admin(mall, "/v1/admin/chains", "k", body).await.ok(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opens_one_starts_the_next_once_until_the_links_are_gone() {
    let mall = Mall::open().await;
    let made = chain(&mall, 4, 100).await;
    let people = mall.members_named("p", 9).await;
    claim(&mall, "year", &people[8], "k").await.refused(409, "no_right_left");
    // The first packet's three; each starts the next one, in two windows and again: three packets.
    let first = text(&made["first_packet"]).to_owned();
    let opened = join_all(people[..3].iter().map(|person| claim(&mall, &first, person, "o"))).await;
    assert!(opened.iter().all(|answer| answer.status == 201 && answer.json["packet"]["chain"] == "year"));
    let started = join_all(
        people[..3]
            .iter()
            .flat_map(|person| ["a", "a", "b"].into_iter().map(|key| claim(&mall, "year", person, key))),
    )
    .await;
    let mut codes: Vec<String> = started
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| text(&answer.json["packet"]["code"]).to_owned())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 3);
    for answer in started.iter().filter(|answer| answer.status != 201) {
        assert!(["no_right_left", "given_out", "request_in_progress"].contains(&text(&answer.json["code"])));
    }
    // The four links are made: who opens one now has a right that leads nowhere.
    claim(&mall, &codes[0], &people[4], "o").await.ok(201);
    claim(&mall, "year", &people[4], "s").await.refused(409, "given_out");
    let seen = mall.shop.app.get("/v1/coupon-campaigns/year").send().await.ok(200);
    assert_eq!((&seen["state"], &seen["links"]), (&json!("given_out"), &json!(4)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_never_passed_and_has_again_what_came_back() {
    let mall = Mall::open().await;
    let made = chain(&mall, 100, 7).await;
    let people = mall.members_named("p", 6).await;
    let first = text(&made["first_packet"]).to_owned();
    join_all(people[..3].iter().map(|person| claim(&mall, &first, person, "o"))).await;
    // Seven yuan pay for two packets of three.
    let started = join_all(people[..3].iter().map(|person| claim(&mall, "year", person, "s"))).await;
    assert_eq!(started.iter().filter(|answer| answer.status == 201).count(), 1);
    started.iter().filter(|answer| answer.status != 201).for_each(|answer| {
        answer.refused(409, "given_out");
    });
    // Nobody opens the second: a day later its three yuan are there for another one.
    mall.shop.advance(TimeDelta::hours(25)).await;
    let mut people = people;
    for person in &mut people {
        *person = mall.shop.app.sign_in(&person.email).await;
    }
    let started = join_all(people[..3].iter().map(|person| claim(&mall, "year", person, "t"))).await;
    assert_eq!(started.iter().filter(|answer| answer.status == 201).count(), 1);
    let rights = "SELECT count(*) AS count FROM chain_rights WHERE started_id IS NULL";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, rights).await, 1);
    let path = format!("/v1/admin/chains/{}/end", text(&made["id"]));
    admin(&mall, &path, "e", json!({})).await.ok(200);
    for person in &people[..3] {
        claim(&mall, "year", person, "u").await.refused(409, "closed");
    }
    mall.finish().await;
}

//! City chapters: areas, choosing and moving, numbers by chapter and by role, organisers.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::accounts::traces;
use crate::support::catalog::{count_sql, run_sql};
use crate::support::desk::id;
use crate::support::mall::Mall;
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

async fn owner(mall: &Mall) -> Person {
    mall.shop.app.sign_in(&mall.owner.email).await
}

async fn chapter(mall: &Mall, code: &str, prefix: &str) -> Value {
    let body = json!({ "code": code, "name": code, "prefix": prefix });
    mall.shop.app.make(&owner(mall).await, "/v1/admin/chapters", &body).await
}

async fn area(mall: &Mall, code: &str, parent: &Value) -> Value {
    let body = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "parent": parent });
    mall.shop.app.make(&owner(mall).await, "/v1/admin/areas", &body).await
}

async fn choose(mall: &Mall, person: &Person, code: &str) -> Answer {
    let request = mall.shop.app.put("/v1/me/chapter").bearer(&person.token);
    request.json(&json!({ "chapter": code })).send().await
}

async fn home(mall: &Mall, person: &Person) -> Value {
    mall.shop.app.get("/v1/me/chapter").bearer(&person.token).send().await.ok(200)
}

async fn grant(mall: &Mall, by: &Person, person: &Person, plan: &Value) -> Answer {
    let path = format!("/v1/admin/accounts/{}/memberships", person.id);
    let body = json!({ "plan": plan["id"], "reason": "Invited." });
    mall.shop.app.post(&path).bearer(&by.token).key(&person.email).json(&body).send().await
}

async fn act(mall: &Mall, by: &Person, path: &str, body: Value) -> Answer {
    mall.shop.app.post(path).bearer(&by.token).json(&body).send().await
}

async fn change(mall: &Mall, path: &str, version: i32, body: Value) -> Answer {
    let owner = owner(mall).await;
    let request =
        mall.shop.app.patch(path).bearer(&owner.token).header("If-Match", &format!("\"v{version}\""));
    request.json(&body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn chapters_lie_in_a_tree_of_areas() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let henan = area(&mall, "henan", &Value::Null).await;
    let city = area(&mall, "zhengzhou-city", &henan["id"]).await;
    let zy = chapter(&mall, "zhengzhou", "ZY").await;
    let path = format!("/v1/admin/chapters/{}", id(&zy));
    change(&mall, &path, 1, json!({ "area": "area_00000000000000000000000000000000" }))
        .await
        .refused(422, "unknown_area");
    let placed = change(&mall, &path, 1, json!({ "area": city["id"] })).await.ok(200);
    assert_eq!((&placed["area"], &placed["version"]), (&city["id"], &json!(2)));
    change(&mall, &path, 1, json!({ "area": null })).await.refused(412, "version_mismatch");

    let shown = app.get("/v1/chapters").header("Accept-Language", "en").send().await;
    let etag = shown.header("etag").to_owned();
    let shown = shown.ok(200);
    assert_eq!(shown["areas"][0]["code"], "henan");
    assert_eq!(shown["areas"][0]["areas"][0]["code"], "zhengzhou-city");
    let codes: Vec<_> =
        shown["data"].as_array().unwrap().iter().map(|chapter| chapter["code"].clone()).collect();
    assert_eq!(codes, [json!("default"), json!("zhengzhou")]);
    let zy_shown = &shown["data"][1];
    assert_eq!((&zy_shown["area"], &zy_shown["prefix"]), (&json!("zhengzhou-city"), &json!("ZY")));
    let again = app.get("/v1/chapters").header("Accept-Language", "en").header("If-None-Match", &etag);
    assert_eq!(again.send().await.status, 304);

    // No area lies in itself, nor more than six deep; none goes while something lies in it.
    let henan_path = format!("/v1/admin/areas/{}", id(&henan));
    change(&mall, &henan_path, 1, json!({ "parent": city["id"] })).await.refused(409, "area_cycle");
    change(&mall, &henan_path, 1, json!({ "parent": henan["id"] })).await.refused(409, "area_cycle");
    let mut parent = city["id"].clone();
    for depth in 3..=6 {
        parent = area(&mall, &format!("depth-{depth}"), &parent).await["id"].clone();
    }
    let owner = owner(&mall).await;
    let deeper = json!({ "code": "too-deep", "names": { "zh-CN": "深", "en": "Deep" }, "parent": parent });
    act(&mall, &owner, "/v1/admin/areas", deeper).await.refused(409, "area_too_deep");
    let root = area(&mall, "china", &Value::Null).await;
    change(&mall, &henan_path, 1, json!({ "parent": root["id"] })).await.refused(409, "area_too_deep");
    let delete = async |area: &Value| {
        app.delete(&format!("/v1/admin/areas/{}", id(area))).bearer(&owner.token).send().await
    };
    delete(&city).await.refused(409, "in_use");
    delete(&henan).await.refused(409, "in_use");
    delete(&root).await.ok(204);
    delete(&root).await.refused(404, "not_found");
    let named =
        change(&mall, &henan_path, 1, json!({ "names": { "zh-CN": "河南", "en": "Henan" } })).await.ok(200);
    assert_eq!(named["names"]["zh-CN"], "河南");
    let logged = "SELECT count(*) AS count FROM audit_log WHERE action LIKE 'area.%'";
    assert_eq!(count_sql(&mut *app.conn().await, logged).await, 9);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_areas_put_into_one_another_at_once_make_no_cycle() {
    let mall = Mall::open().await;
    for round in 0..5 {
        let one = area(&mall, &format!("one-{round}"), &Value::Null).await;
        let two = area(&mall, &format!("two-{round}"), &Value::Null).await;
        let put = async |area: &Value, into: &Value| {
            change(&mall, &format!("/v1/admin/areas/{}", id(area)), 1, json!({ "parent": into["id"] })).await
        };
        let (a, b) = tokio::join!(put(&one, &two), put(&two, &one));
        let (won, lost) = if a.status == 200 { (a, b) } else { (b, a) };
        won.ok(200);
        lost.refused(409, "area_cycle");
    }
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chooses_a_chapter_first_gets_its_number_and_moves_with_it() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    chapter(&mall, "zhengzhou", "ZY").await;
    let beijing = chapter(&mall, "beijing", "BJ").await;
    app.get("/v1/me/chapter").send().await.refused(401, "unauthenticated");
    let anna = app.member("anna@b.test").await;
    assert_eq!(home(&mall, &anna).await["chapter"], "default");
    choose(&mall, &anna, "nowhere").await.refused(422, "unknown_chapter");
    // As often as she likes before she is a member.
    for code in ["beijing", "default", "zhengzhou"] {
        assert_eq!(choose(&mall, &anna, code).await.ok(200)["chapter"], code);
    }
    let body = json!({
        "lines": [{ "plan": mall.regular["id"] }], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/",
    });
    let order = app.post("/v1/orders?wait=payment").bearer(&anna.token).key("join").json(&body);
    let order = order.send().await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(&anna, &order).await;
    let at_home = home(&mall, &anna).await;
    assert_eq!((&at_home["chapter"], &at_home["number"]), (&json!("zhengzhou"), &json!("ZY0001")));
    assert_eq!(at_home["may_move_at"], Value::Null);

    let moved = choose(&mall, &anna, "beijing").await.ok(200);
    assert_eq!((&moved["chapter"], &moved["number"]), (&json!("beijing"), &json!("ZY0001")));
    assert!(moved["may_move_at"].is_string());
    let membership = app.get("/v1/me/membership").bearer(&anna.token).send().await.ok(200);
    assert_eq!((&membership["chapter"], &membership["number"]), (&json!("beijing"), &json!("ZY0001")));
    // Where she is already is no move.
    choose(&mall, &anna, "beijing").await.ok(200);
    choose(&mall, &anna, "zhengzhou").await.refused(409, "moved_recently");
    mall.shop.advance(TimeDelta::days(30) - TimeDelta::minutes(1)).await;
    let anna = app.sign_in(&anna.email).await;
    choose(&mall, &anna, "zhengzhou").await.refused(409, "moved_recently");
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let anna = app.sign_in(&anna.email).await;
    choose(&mall, &anna, "zhengzhou").await.ok(200);

    // An archived chapter takes nobody in; who is there stays, and who chose it before lands in the default one.
    let ben = app.member("ben@b.test").await;
    choose(&mall, &ben, "beijing").await.ok(200);
    let path = format!("/v1/admin/chapters/{}", id(&beijing));
    let owner = owner(&mall).await;
    act(&mall, &owner, &format!("{path}/archive"), json!({})).await.ok(200);
    act(&mall, &owner, &format!("{path}/archive"), json!({})).await.ok(200);
    let cleo = app.member("cleo@b.test").await;
    choose(&mall, &cleo, "beijing").await.refused(409, "chapter_archived");
    assert_eq!(grant(&mall, &owner, &ben, &mall.regular).await.ok(201)["number"], "KD0001");
    let shown = app.get("/v1/chapters").send().await.ok(200);
    assert!(shown["data"].as_array().unwrap().iter().all(|chapter| chapter["code"] != "beijing"));
    act(&mall, &owner, &format!("{path}/reopen"), json!({})).await.ok(200);
    choose(&mall, &cleo, "beijing").await.ok(200);
    let list = app.get("/v1/admin/chapters").bearer(&owner.token).send().await.ok(200);
    let home_of_all =
        list["data"].as_array().unwrap().iter().find(|c| c["is_default"] == true).unwrap().clone();
    let path = format!("/v1/admin/chapters/{}/archive", id(&home_of_all));
    act(&mall, &owner, &path, json!({})).await.refused(409, "in_use");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_who_join_two_chapters_at_once_leave_no_gap() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    chapter(&mall, "zhengzhou", "ZY").await;
    chapter(&mall, "beijing", "BJ").await;
    let mut people = Vec::new();
    for n in 0..40 {
        let person = app.member(&format!("p{n}@rush.test")).await;
        choose(&mall, &person, if n % 2 == 0 { "zhengzhou" } else { "beijing" }).await.ok(200);
        people.push(person);
    }
    let owner = owner(&mall).await;
    let joins = people.iter().map(|person| grant(&mall, &owner, person, &mall.regular));
    let answers: Vec<Value> = join_all(joins).await.into_iter().map(|answer| answer.ok(201)).collect();
    let numbers: BTreeSet<String> =
        answers.iter().map(|answer| answer["number"].as_str().unwrap().to_owned()).collect();
    let wanted: BTreeSet<String> =
        (1..=20).flat_map(|n| [format!("ZY{n:04}"), format!("BJ{n:04}")]).collect();
    assert_eq!(numbers, wanted);
    // Operators see them by chapter.
    let list = app.get("/v1/admin/chapters").bearer(&owner.token).send().await.ok(200);
    let zy = list["data"].as_array().unwrap().iter().find(|c| c["code"] == "zhengzhou").unwrap();
    assert_eq!(zy["next_sequence"], 21);
    let path = format!("/v1/admin/members?limit=100&chapter={}", id(zy));
    let members = app.get(&path).bearer(&owner.token).send().await.ok(200);
    let members = members["data"].as_array().unwrap();
    assert_eq!(members.len(), 20);
    assert!(members.iter().all(|member| member["chapter"] == "zhengzhou"));
    // Two moves of one member at once are one move.
    let (to, again) =
        tokio::join!(choose(&mall, &people[0], "beijing"), choose(&mall, &people[0], "default"));
    let statuses = BTreeSet::from([to.status, again.status]);
    assert_eq!(statuses, BTreeSet::from([200, 409]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn teachers_have_a_series_of_their_own() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let owner = owner(&mall).await;
    chapter(&mall, "zhengzhou", "ZY").await;
    let body = |prefix: &str| {
        json!({
            "code": "teachers", "names": { "zh-CN": "老师", "en": "Teachers" }, "prefix": prefix, "role": "teacher",
        })
    };
    // Chapters and series share one namespace of prefixes, in both directions.
    act(&mall, &owner, "/v1/admin/number-series", body("ZY")).await.refused(409, "code_taken");
    act(&mall, &owner, "/v1/admin/number-series", body("L1")).await.refused(422, "invalid_field");
    let series = app.make(&owner, "/v1/admin/number-series", &body("LS")).await;
    let new = json!({ "code": "lishui", "name": "丽水", "prefix": "LS" });
    act(&mall, &owner, "/v1/admin/chapters", new).await.refused(409, "code_taken");
    let list = app.get("/v1/admin/chapters").bearer(&owner.token).send().await.ok(200);
    let zy = list["data"].as_array().unwrap().iter().find(|c| c["code"] == "zhengzhou").unwrap().clone();
    let zy_path = format!("/v1/admin/chapters/{}", id(&zy));
    change(&mall, &zy_path, 1, json!({ "prefix": "LS" })).await.refused(409, "code_taken");

    let path = format!("/v1/admin/number-series/{}", id(&series));
    let give = async |person: &Person| {
        act(&mall, &owner, &format!("{path}/numbers"), json!({ "account": person.id })).await
    };
    let anna = mall.member("anna@b.test", &mall.regular).await;
    give(&anna).await.refused(409, "role_missing");
    let mut people = vec![anna];
    for n in 0..20 {
        people.push(app.member(&format!("t{n}@b.test")).await);
    }
    for person in &people {
        let tags = app.put(&format!("/v1/admin/accounts/{}/tags", person.id)).bearer(&owner.token);
        assert!(tags.json(&json!({ "tags": ["teacher"] })).send().await.status < 300);
    }
    // At once, and each twice: one number each, without a gap.
    let answers = join_all(people.iter().chain(&people).map(&give)).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
    refused.iter().for_each(|answer| {
        answer.refused(409, "number_given");
    });
    let numbers: BTreeSet<String> =
        given.into_iter().map(|answer| answer.ok(201)["number"].as_str().unwrap().to_owned()).collect();
    assert_eq!(numbers, (1..=21).map(|n| format!("LS{n:04}")).collect());

    let at_home = home(&mall, &people[0]).await;
    assert_eq!(at_home["number"], "KD0001");
    let by_role = at_home["series_numbers"][0].clone();
    assert_eq!((&by_role["series"], &by_role["name"]), (&json!("teachers"), &json!("老师")));
    let number = by_role["number"].as_str().unwrap();
    let check = app.get(&format!("/v1/members/{number}")).send().await.ok(200);
    assert_eq!((&check["valid"], &check["tier"]), (&json!(true), &json!("regular")));
    // Pages from the last one down.
    let first = app.get(&format!("{path}/numbers?limit=20")).bearer(&owner.token).send().await.ok(200);
    assert_eq!(first["data"][0]["number"], "LS0021");
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app
        .get(&format!("{path}/numbers?limit=20&cursor={cursor}"))
        .bearer(&owner.token)
        .send()
        .await
        .ok(200);
    assert_eq!((&rest["data"][0]["number"], &rest["next_cursor"]), (&json!("LS0001"), &Value::Null));
    // Erased, the number stays and is nobody's who could be named; archived, the series gives no more.
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    app.delete("/v1/me").bearer(&people[0].token).json(&erase).send().await.ok(204);
    assert_eq!(app.get(&format!("/v1/members/{number}")).send().await.ok(200)["valid"], false);
    assert_eq!(change(&mall, &path, 1, json!({ "role": "mentor" })).await.ok(200)["role"], "mentor");
    act(&mall, &owner, &format!("{path}/archive"), json!({})).await.ok(200);
    let ben = app.member("ben@b.test").await;
    give(&ben).await.refused(409, "closed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisers_apply_and_see_their_members_and_nothing_personal() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    chapter(&mall, "zhengzhou", "ZY").await;
    chapter(&mall, "beijing", "BJ").await;
    let support = app.operator(Role::Support).await;
    let join = async |email: &str| {
        let person = app.member(email).await;
        choose(&mall, &person, "zhengzhou").await.ok(200);
        grant(&mall, &mall.owner, &person, &mall.regular).await.ok(201);
        person
    };
    let (anna, ben) = (join("anna@b.test").await, join("ben@b.test").await);
    app.patch("/v1/me").bearer(&ben.token).json(&json!({ "name": "Benjamin Secret" })).send().await.ok(200);
    let apply = async |person: &Person, code: &str, body: Value| {
        act(&mall, person, &format!("/v1/chapters/{code}/organiser-applications"), body).await
    };
    let motive = json!({ "motive": "I know everybody here." });
    let nobody = app.member("nobody@b.test").await;
    apply(&nobody, "zhengzhou", motive.clone()).await.refused(403, "members_only");
    apply(&anna, "nowhere", motive.clone()).await.refused(404, "not_found");
    apply(&anna, "beijing", motive.clone()).await.refused(409, "other_chapter");
    apply(&anna, "zhengzhou", json!({ "motive": " " })).await.refused(422, "invalid_field");
    // One open application, also of two at once.
    let named = json!({ "motive": "I know everybody here.", "public_name": "Anna of ZY" });
    let (a, b) =
        tokio::join!(apply(&anna, "zhengzhou", named.clone()), apply(&anna, "zhengzhou", named.clone()));
    let (won, lost) = if a.status == 201 { (a, b) } else { (b, a) };
    lost.refused(409, "application_exists");
    let application = won.ok(201);
    let path = format!("/v1/admin/organiser-applications/{}", id(&application));

    let see =
        async |person: &Person| app.get("/v1/chapters/zhengzhou/members").bearer(&person.token).send().await;
    see(&anna).await.refused(403, "organisers_only");
    // Of two operators one decides.
    let (approval, refusal) = (format!("{path}/approve"), format!("{path}/refuse"));
    let (a, b) = tokio::join!(
        act(&mall, &support, &approval, json!({})),
        act(&mall, &support, &refusal, json!({ "reason": "No." })),
    );
    let approved = a.status == 200;
    if approved {
        b.refused(409, "application_decided")
    } else {
        a.refused(409, "application_decided")
    };
    let application = if approved {
        application
    } else {
        let again = apply(&anna, "zhengzhou", named).await.ok(201);
        act(&mall, &support, &format!("/v1/admin/organiser-applications/{}/approve", id(&again)), json!({}))
            .await
            .ok(200);
        again
    };
    let path = format!("/v1/admin/organiser-applications/{}", id(&application));
    let own_path = format!("/v1/me/organiser-applications/{}", id(&application));
    let listed = see(&anna).await;
    assert!(!listed.text.contains("Secret") && !listed.text.contains('@'), "{}", listed.text);
    let listed = listed.ok(200);
    let ben_seen = listed["data"].as_array().unwrap().iter().find(|m| m["number"] == "ZY0002").unwrap();
    assert_eq!(*ben_seen, json!({ "number": "ZY0002", "name": "B**", "tier": "regular" }));
    app.get("/v1/chapters/beijing/members").bearer(&anna.token).send().await.refused(403, "organisers_only");
    see(&ben).await.refused(403, "organisers_only");
    let organisers = async || {
        let shown = app.get("/v1/chapters").send().await.ok(200);
        shown["data"].as_array().unwrap().iter().find(|c| c["code"] == "zhengzhou").unwrap()["organisers"]
            .clone()
    };
    assert_eq!(organisers().await, json!(["Anna of ZY"]));
    // Listed by consent alone, which can be taken back.
    let rename = async |person: &Person, body: Value| {
        app.patch(&own_path).bearer(&person.token).json(&body).send().await
    };
    rename(&ben, json!({ "public_name": null })).await.refused(404, "not_found");
    rename(&anna, json!({ "public_name": null })).await.ok(200);
    assert_eq!(organisers().await, json!([]));
    rename(&anna, json!({ "public_name": "Anna" })).await.ok(200);
    // An organiser gives the office up before moving.
    choose(&mall, &anna, "beijing").await.refused(409, "is_organiser");
    apply(&anna, "zhengzhou", motive.clone()).await.refused(409, "application_exists");
    app.post(&format!("{own_path}/withdraw")).bearer(&ben.token).send().await.refused(404, "not_found");
    let ended = app.post(&format!("{own_path}/withdraw")).bearer(&anna.token).send().await.ok(200);
    assert_eq!(ended["state"], "ended");
    see(&anna).await.refused(403, "organisers_only");
    assert_eq!(organisers().await, json!([]));
    act(&mall, &support, &format!("{path}/end"), json!({ "reason": "Gone." }))
        .await
        .refused(409, "application_decided");
    choose(&mall, &anna, "beijing").await.ok(200);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_ends_by_the_operator_by_moving_away_and_by_erasure() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    chapter(&mall, "beijing", "BJ").await;
    let owner = owner(&mall).await;
    let apply = async |person: &Person| {
        let body = json!({ "motive": "I am Zhang Sanfeng", "public_name": "Sanfeng" });
        act(&mall, person, "/v1/chapters/default/organiser-applications", body).await.ok(201)
    };
    let decide = async |application: &Value, verb: &str| {
        let path = format!("/v1/admin/organiser-applications/{}/{verb}", id(application));
        let body = if verb == "approve" { json!({}) } else { json!({ "reason": "So it was decided." }) };
        act(&mall, &owner, &path, body).await
    };
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let first = apply(&anna).await;
    assert_eq!(decide(&first, "refuse").await.ok(200)["reason"], "So it was decided.");
    let second = apply(&anna).await;
    decide(&second, "approve").await.ok(200);
    assert_eq!(decide(&second, "end").await.ok(200)["state"], "ended");
    for kind in ["organiser_approved", "organiser_refused", "organiser_ended"] {
        let sql = format!("SELECT count(*) AS count FROM mails WHERE kind = '{kind}'");
        assert_eq!(count_sql(&mut *app.conn().await, &sql).await, 1, "{kind}");
    }
    // Who moved away before the decision can't be approved any more.
    let third = apply(&anna).await;
    choose(&mall, &anna, "beijing").await.ok(200);
    decide(&third, "approve").await.refused(409, "other_chapter");
    decide(&third, "refuse").await.ok(200);
    // Erased: the office is over, and nothing is left of who had it.
    let zhang = mall.member("zhang@b.test", &mall.regular).await;
    let fourth = apply(&zhang).await;
    decide(&fourth, "approve").await.ok(200);
    let export = app.get("/v1/me/export").bearer(&zhang.token).send().await.ok(200);
    assert_eq!(export["chapter_organisers"][0]["public_name"], "Sanfeng");
    mall.shop.settle().await;
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    app.delete("/v1/me").bearer(&zhang.token).json(&erase).send().await.ok(204);
    app.delete("/v1/me").bearer(&anna.token).json(&erase).send().await.ok(204);
    assert_eq!(traces(app, &["Sanfeng"]).await, Vec::<String>::new());
    decide(&fourth, "end").await.refused(409, "application_decided");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_taken_twice_is_an_alarm_and_not_only_a_rule() {
    let mall = Mall::open().await;
    chapter(&mall, "zhengzhou", "ZY").await;
    let mut conn = mall.shop.app.conn().await;
    // The prefix goes with its chapter, whoever changes it.
    assert_eq!(run_sql(&mut conn, "UPDATE chapters SET prefix = 'ZZ' WHERE code = 'zhengzhou'").await, 1);
    let kept = "SELECT count(*) AS count FROM number_prefixes WHERE prefix = 'ZZ'";
    assert_eq!(count_sql(&mut conn, kept).await, 1);
    drop(conn);
    mall.finish().await;
}

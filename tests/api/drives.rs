//! What everybody sees of tiers and drives, and how operators edit them.

use chrono::TimeDelta;
use kindred::jobs::schedule;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::catalog::{count_sql, run_sql};

#[tokio::test(flavor = "multi_thread")]
async fn everybody_reads_tiers_in_their_language() {
    let app = TestApp::spawn().await;
    app.luoji().await;
    app.luoji().await; // a second run changes nothing
    let answer = app.get("/v1/tiers").send().await;
    assert_eq!(answer.header("content-language"), "zh-CN");
    let etag = answer.header("etag").to_owned();
    let tiers = answer.ok(200);
    assert_eq!(tiers["next_cursor"], Value::Null);
    let [regular, diehard] = tiers["data"].as_array().unwrap().as_slice() else { panic!("{tiers}") };
    assert_eq!((&regular["code"], &regular["name"]), (&json!("regular"), &json!("普通会员")));
    assert_eq!(diehard["names"], json!({ "zh-CN": "铁杆会员", "en": "Diehard member" }));
    assert_eq!(diehard["benefits"][3]["kind"], "free_meals");
    let plan = &diehard["plans"][0];
    assert!(plan["id"].as_str().unwrap().starts_with("plan_"));
    assert_eq!(plan["price"], json!({ "amount": 120_000, "currency": "CNY" }));
    assert_eq!((&plan["term"], &plan["renews"]), (&json!("P1Y"), &json!("never")));
    assert_eq!(plan["payment_methods"], json!(["wechat_pay"]));

    let known = app.get("/v1/tiers").header("If-None-Match", &format!("\"x\", {etag}")).send().await;
    assert_eq!((known.status, known.text.as_str()), (304, ""));
    let english = app.get("/v1/tiers").header("Accept-Language", "fr, en-GB;q=0.8, zh;q=0.1").send().await;
    assert_eq!(english.header("content-language"), "en");
    assert!(english.header("vary").to_lowercase().contains("accept-language"));
    assert_eq!(english.ok(200)["data"][0]["name"], "Regular member");
    let other =
        app.get("/v1/tiers").header("Accept-Language", "en").header("If-None-Match", &etag).send().await;
    assert_eq!(other.status, 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_reads_drives_by_id_and_code() {
    let app = TestApp::spawn().await;
    app.luoji().await;
    let list = app.get("/v1/drives").send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let drive = app.get("/v1/drives/luoji-2013-diehard").send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().iter().filter(|item| **item == drive).count(), 1);
    let by_id = app.get(&format!("/v1/drives/{}", drive["id"].as_str().unwrap())).send().await.ok(200);
    assert_eq!(by_id, drive);
    assert_eq!(drive["series"], "luoji-2013");
    assert_eq!((&drive["quota"], &drive["remaining"]), (&json!(500), &json!(500)));
    assert_eq!((&drive["available_now"], &drive["next_release_at"]), (&json!(500), &Value::Null));
    assert_eq!((&drive["admission"], &drive["state"]), (&json!("open"), &json!("open")));
    assert_eq!(drive["plan"]["tier"], "diehard");
    assert_eq!(drive["plan"]["code"], "diehard-2013");
    assert_eq!(drive["plan"]["price"]["amount"], 120_000);

    // A page at a time, the newest first.
    let first = app.get("/v1/drives?limit=1").send().await.ok(200);
    assert_eq!(first["data"], json!([list["data"][0]]));
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = app.get(&format!("/v1/drives?limit=1&cursor={cursor}")).send().await.ok(200);
    assert_eq!((&second["data"], &second["next_cursor"]), (&json!([list["data"][1]]), &Value::Null));
    app.get("/v1/drives?limit=0").send().await.refused(422, "invalid_field");
    app.get("/v1/drives?cursor=x").send().await.refused(400, "invalid_cursor");
    for unknown in ["nope", "drv_00000000000000000000000000000000", "plan_x"] {
        app.get(&format!("/v1/drives/{unknown}")).send().await.refused(404, "not_found");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn states_follow_the_clock_and_the_pool() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let opens_at = app.now() + TimeDelta::hours(1);
    let later = opens_at + TimeDelta::hours(2);
    let closes_at = opens_at + TimeDelta::hours(5);
    let change = json!({
        "opens_at": opens_at, "closes_at": closes_at, "quota": 10,
        "releases": [{ "at": opens_at, "quantity": 4 }, { "at": later, "quantity": 6 }],
    });
    let id = app.drive_with(&owner, "rhythm", change).await["id"].clone();
    let look = async |state: &str, remaining: i64, available: i64| {
        let drive = app.get("/v1/drives/rhythm").send().await.ok(200);
        let seen = (&drive["state"], &drive["remaining"], &drive["available_now"]);
        assert_eq!(seen, (&json!(state), &json!(remaining), &json!(available)));
        drive
    };
    assert_eq!(look("scheduled", 10, 0).await["next_release_at"], json!(opens_at));
    app.advance(TimeDelta::hours(1)).await;
    assert_eq!(look("open", 10, 4).await["next_release_at"], json!(later));
    let pools = |held: i64, taken: i64| {
        let drive = id.as_str().unwrap().trim_start_matches("drv_").to_owned();
        format!(
            "UPDATE pools SET held = {held}, taken = {taken} WHERE id = (SELECT pool_id FROM drives WHERE id = '{drive}')"
        )
    };
    let mut conn = app.conn().await;
    run_sql(&mut conn, &pools(1, 3)).await;
    // What the pool says shows with the next pulse.
    schedule::beat(&app.app, false).await.unwrap();
    look("open", 6, 0).await;
    app.advance(TimeDelta::hours(2)).await;
    assert_eq!(look("open", 6, 6).await["next_release_at"], Value::Null);
    run_sql(&mut conn, &pools(0, 10)).await;
    schedule::beat(&app.app, false).await.unwrap();
    look("sold_out", 0, 0).await;
    run_sql(&mut conn, &pools(0, 9)).await;
    schedule::beat(&app.app, false).await.unwrap();
    app.advance(TimeDelta::hours(3)).await;
    look("closed", 1, 0).await;
    run_sql(&mut conn, &pools(0, 0)).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sold_is_refused_by_field() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let (tier, plan) = app.tier_and_plan(&owner, "base").await;
    let refuse = async |path: &str, body: Value, code: &str, field: &str| {
        let answer = app.post(path).bearer(&owner.token).json(&body).send().await;
        let problem = answer.refused(422, code).clone();
        let named = problem["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
        assert_eq!(named, field, "{body}");
    };
    let with = |base: &Value, field: &str, value: Value| {
        let mut body = base.clone();
        body[field] = value;
        body
    };
    let new_tier = json!({ "code": "gold", "names": { "zh-CN": "金", "en": "Gold" }, "rank": 1 });
    refuse("/v1/admin/tiers", with(&new_tier, "code", json!("Gold")), "invalid_field", "code").await;
    refuse(
        "/v1/admin/tiers",
        with(&new_tier, "names", json!({ "zh-CN": "", "en": "b" })),
        "invalid_field",
        "names.zh-CN",
    )
    .await;
    refuse("/v1/admin/tiers", with(&new_tier, "rank", json!("1")), "invalid_field", "rank").await;
    refuse("/v1/admin/tiers", with(&new_tier, "colour", json!(1)), "invalid_field", "colour").await;

    let new_plan = json!({
        "code": "base-month", "tier": tier["id"], "term": "P1M", "price": { "amount": 1, "currency": "CNY" },
        "renews": "card", "payment_methods": ["card"],
    });
    let plans = "/v1/admin/plans";
    refuse(plans, with(&new_plan, "term", json!("P0M")), "invalid_field", "term").await;
    refuse(
        plans,
        with(&new_plan, "price", json!({ "amount": -1, "currency": "CNY" })),
        "amount_out_of_range",
        "price.amount",
    )
    .await;
    refuse(
        plans,
        with(&new_plan, "price", json!({ "amount": 1.5, "currency": "CNY" })),
        "invalid_field",
        "price.amount",
    )
    .await;
    refuse(
        plans,
        with(&new_plan, "price", json!({ "amount": 1, "currency": "USD" })),
        "invalid_field",
        "price.currency",
    )
    .await;
    refuse(
        plans,
        with(&new_plan, "payment_methods", json!(["wechat_pay"])),
        "invalid_field",
        "payment_methods",
    )
    .await;
    refuse(plans, with(&new_plan, "payment_methods", json!(["cash"])), "invalid_field", "payment_methods[0]")
        .await;
    refuse(plans, with(&new_plan, "hold_minutes", json!(1_381)), "invalid_field", "hold_minutes").await;
    refuse(
        plans,
        with(&new_plan, "tier", json!("tier_00000000000000000000000000000000")),
        "invalid_field",
        "tier",
    )
    .await;
    refuse(plans, with(&new_plan, "tier", plan["id"].clone()), "invalid_field", "tier").await;
    app.make(&owner, plans, &new_plan).await;
    app.post(plans).bearer(&owner.token).json(&new_plan).send().await.refused(409, "code_taken");

    let now = app.now();
    let new_drive = json!({
        "code": "drive", "names": { "zh-CN": "招募", "en": "Drive" }, "plan": plan["id"], "quota": 10,
        "opens_at": now, "closes_at": now + TimeDelta::days(1),
    });
    let drives = "/v1/admin/drives";
    refuse(
        drives,
        with(&new_drive, "closes_at", json!(now - TimeDelta::seconds(1))),
        "invalid_field",
        "closes_at",
    )
    .await;
    refuse(
        drives,
        with(&new_drive, "opens_at", json!(now + TimeDelta::days(1))),
        "invalid_field",
        "closes_at",
    )
    .await;
    refuse(drives, with(&new_drive, "closes_at", json!("tomorrow")), "invalid_field", "closes_at").await;
    refuse(
        drives,
        with(&new_drive, "closes_at", json!("+12026-01-01T00:00:00Z")),
        "invalid_field",
        "closes_at",
    )
    .await;
    refuse(drives, with(&new_drive, "quota", json!(0)), "invalid_field", "quota").await;
    refuse(
        drives,
        with(&new_drive, "releases", json!([{ "at": now, "quantity": 9 }])),
        "invalid_field",
        "releases",
    )
    .await;
    refuse(drives, with(&new_drive, "admission", json!("friends")), "invalid_field", "admission").await;
    refuse(
        drives,
        with(&new_drive, "plan", json!("plan_00000000000000000000000000000000")),
        "unknown_plan",
        "",
    )
    .await;
    let made = app.make(&owner, drives, &new_drive).await;
    assert_eq!(made["series"], "drive");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_needs_the_version_that_was_read() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let sibling = app.sibling(&[]).await;
    let drive = app.drive_with(&owner, "edited", json!({})).await;
    let path = format!("/v1/admin/drives/{}", drive["id"].as_str().unwrap());
    let seen = app.get(&path).bearer(&owner.token).send().await;
    let etag = seen.header("etag").to_owned();
    let change = json!({ "names": { "zh-CN": "改名", "en": "Renamed" } });
    let patch = |body: &Value| app.patch(&path).bearer(&owner.token).json(body);
    patch(&change).send().await.refused(428, "precondition_required");
    patch(&change).header("If-Match", "\"v99\"").send().await.refused(412, "version_mismatch");
    schedule::beat(&sibling.app, false).await.unwrap();
    sibling.get("/v1/drives/edited").send().await.ok(200);
    let changed = patch(&change).header("If-Match", &etag).send().await;
    assert_ne!(changed.header("etag"), etag);
    assert_eq!(changed.ok(200)["names"]["en"], "Renamed");
    patch(&change).header("If-Match", &etag).send().await.refused(412, "version_mismatch");
    // This instance shows it at once, another one with its next pulse.
    assert_eq!(app.get("/v1/drives/edited").send().await.ok(200)["name"], "改名");
    schedule::beat(&sibling.app, false).await.unwrap();
    assert_eq!(sibling.get("/v1/drives/edited").send().await.ok(200)["name"], "改名");
    let nulled = patch(&json!({ "quota": null })).header("If-Match", "\"v2\"").send().await;
    nulled.refused(422, "invalid_field");
    sibling.finish().await;
    app.finish().await;
}

/// Two operators who read the same version: one of them writes, the other is told.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_edits_of_one_version_one_wins() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let (_, plan) = app.tier_and_plan(&owner, "base").await;
    let path = format!("/v1/admin/plans/{}", plan["id"].as_str().unwrap());
    let edit = |amount: i64| {
        let body = json!({ "price": { "amount": amount, "currency": "CNY" } });
        app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"").json(&body).send()
    };
    let answers = futures::future::join_all((1..=8).map(edit)).await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 412).count(), 7);
    let now = app.get(&path).bearer(&owner.token).send().await.ok(200);
    assert_eq!(now["price"], won[0].json["price"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_never_falls_below_its_claims() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let drive = app.drive_with(&owner, "quota", json!({ "quota": 40 })).await;
    let id = drive["id"].as_str().unwrap();
    let path = format!("/v1/admin/drives/{id}");
    // Buyers claim one place each while the operator tries to shrink the drive, again and again.
    let claim = "UPDATE pools SET held = held + 1 WHERE kind = 'drive' AND held + taken < capacity";
    let buyers = (0..8).map(|_| async {
        let mut conn = app.conn().await;
        let mut places = 0;
        for _ in 0..10 {
            places += run_sql(&mut conn, claim).await;
        }
        places
    });
    let operator = async {
        let mut results = Vec::new();
        for (version, quota) in (1..=20).zip((0..20).map(|n| 39 - n)) {
            let seen = app.get(&path).bearer(&owner.token).send().await;
            let answer = app
                .patch(&path)
                .bearer(&owner.token)
                .header("If-Match", seen.header("etag"))
                .json(&json!({ "quota": quota }))
                .send()
                .await;
            assert!(version > 0);
            if answer.status != 200 {
                answer.refused(409, "quota_below_claims");
            }
            results.push(answer.status);
        }
        results
    };
    let (places, results) = tokio::join!(futures::future::join_all(buyers), operator);
    let places: usize = places.into_iter().sum();
    let mut conn = app.conn().await;
    let now = app.get(&path).bearer(&owner.token).send().await.ok(200);
    assert_eq!(now["held"], json!(places));
    assert_eq!(now["remaining"], json!(0), "{results:?}");
    assert_eq!(now["quota"], json!(places));
    assert_eq!(
        count_sql(&mut conn, "SELECT count(*) AS count FROM pools WHERE held + taken > capacity").await,
        0
    );
    let etag = app.get(&path).bearer(&owner.token).send().await.header("etag").to_owned();
    let below = json!({ "quota": places - 1 });
    let answer = app.patch(&path).bearer(&owner.token).header("If-Match", &etag).json(&below).send().await;
    answer.refused(409, "quota_below_claims");
    run_sql(&mut conn, "UPDATE pools SET held = 0").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quota_and_parts_change_together() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let opens_at = app.now();
    let parts =
        json!([{ "at": opens_at, "quantity": 4 }, { "at": opens_at + TimeDelta::hours(1), "quantity": 6 }]);
    let drive = app.drive_with(&owner, "parts", json!({ "opens_at": opens_at, "releases": parts })).await;
    let path = format!("/v1/admin/drives/{}", drive["id"].as_str().unwrap());
    let patch = async |version: i32, body: Value| {
        let etag = format!("\"v{version}\"");
        app.patch(&path).bearer(&owner.token).header("If-Match", &etag).json(&body).send().await
    };
    let problem = patch(1, json!({ "quota": 12 })).await.refused(422, "invalid_field").clone();
    assert_eq!(problem["errors"][0]["field"], "releases");
    let more = json!([parts[0], { "at": opens_at + TimeDelta::hours(1), "quantity": 8 }]);
    let changed = patch(1, json!({ "quota": 12, "releases": more })).await.ok(200);
    assert_eq!((&changed["quota"], &changed["releases"][1]["quantity"]), (&json!(12), &json!(8)));
    let public = app.get("/v1/drives/parts").send().await.ok(200);
    assert_eq!((&public["remaining"], &public["available_now"]), (&json!(12), &json!(4)));
    let whole = patch(2, json!({ "quota": 7, "releases": null })).await.ok(200);
    assert_eq!((&whole["quota"], &whole["releases"]), (&json!(7), &Value::Null));
    assert_eq!(app.get("/v1/drives/parts").send().await.ok(200)["available_now"], 7);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_not_archived_and_what_is_archived_is_not_shown() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let drive = app.drive_with(&owner, "shelf", json!({})).await;
    let tier = app.get("/v1/tiers").send().await.ok(200)["data"][0].clone();
    let archive = async |kind: &str, id: &Value| {
        let path = format!("/v1/admin/{kind}/{}/archive", id.as_str().unwrap());
        app.post(&path).bearer(&owner.token).send().await
    };
    let plan = &drive["plan"];
    archive("tiers", &tier["id"]).await.refused(409, "in_use");
    archive("plans", plan).await.refused(409, "in_use");
    let archived = archive("drives", &drive["id"]).await.ok(200);
    assert_eq!(archived["state"], "closed");
    assert_eq!(archive("drives", &drive["id"]).await.ok(200), archived);
    app.get("/v1/drives/shelf").send().await.refused(404, "not_found");
    assert_eq!(app.get("/v1/drives").send().await.ok(200)["data"], json!([]));
    archive("plans", plan).await.ok(200);
    archive("tiers", &tier["id"]).await.ok(200);
    assert_eq!(app.get("/v1/tiers").send().await.ok(200)["data"], json!([]));
    let body = json!({
        "code": "again", "names": { "zh-CN": "招募", "en": "Drive" }, "plan": plan, "quota": 1,
        "opens_at": app.now(), "closes_at": app.now() + TimeDelta::days(1),
    });
    app.post("/v1/admin/drives").bearer(&owner.token).json(&body).send().await.refused(422, "unknown_plan");
    let all = app.get("/v1/admin/drives?series=shelf").bearer(&owner.token).send().await.ok(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_owner_and_manager_edit_and_every_edit_is_in_the_log() {
    let app = TestApp::spawn().await;
    let body = json!({ "code": "gold", "names": { "zh-CN": "金", "en": "Gold" }, "rank": 1 });
    app.post("/v1/admin/tiers").json(&body).send().await.refused(401, "unauthenticated");
    let member = app.member("member@example.org").await;
    app.post("/v1/admin/tiers").bearer(&member.token).json(&body).send().await.refused(403, "forbidden");
    app.get("/v1/admin/tiers").bearer(&member.token).send().await.refused(403, "forbidden");
    for role in [Role::Support, Role::Analyst] {
        let operator = app.operator(role).await;
        app.post("/v1/admin/tiers")
            .bearer(&operator.token)
            .json(&body)
            .send()
            .await
            .refused(403, "forbidden");
        app.get("/v1/admin/tiers").bearer(&operator.token).send().await.ok(200);
    }
    let manager = app.operator(Role::Manager).await;
    app.make(&manager, "/v1/admin/tiers", &body).await;
    let mut conn = app.conn().await;
    let logged =
        "SELECT count(*) AS count FROM audit_log WHERE action = 'tier.create' AND subject_kind = 'tier'";
    assert_eq!(count_sql(&mut conn, logged).await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chapter_keeps_its_prefix_once_a_number_has_it() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let list = app.get("/v1/admin/chapters").bearer(&owner.token).send().await.ok(200);
    let chapter = &list["data"][0];
    assert_eq!((&chapter["prefix"], &chapter["is_default"]), (&json!("KD"), &json!(true)));
    let new = json!({ "code": "zhengzhou", "name": "郑州罗友会", "prefix": "ZY" });
    app.make(&owner, "/v1/admin/chapters", &new).await;
    app.post("/v1/admin/chapters").bearer(&owner.token).json(&new).send().await.refused(409, "code_taken");
    let path = format!("/v1/admin/chapters/{}", chapter["id"].as_str().unwrap());
    let patch = async |version: i32, body: Value| {
        let etag = format!("\"v{version}\"");
        app.patch(&path).bearer(&owner.token).header("If-Match", &etag).json(&body).send().await
    };
    patch(1, json!({ "prefix": "ZY" })).await.refused(409, "code_taken");
    patch(1, json!({ "prefix": "Z1" })).await.refused(422, "invalid_field");
    assert_eq!(patch(1, json!({ "prefix": "LJ", "name": "罗友会" })).await.ok(200)["prefix"], "LJ");
    let (_, plan) = app.tier_and_plan(&owner, "regular").await;
    let anna = app.seed("anna@example.org", true, &[]).await;
    let grant = json!({ "plan": plan["id"], "reason": "The first." });
    let memberships = format!("/v1/admin/accounts/{anna}/memberships");
    app.post(&memberships).bearer(&owner.token).key("first").json(&grant).send().await.ok(201);
    patch(2, json!({ "prefix": "KD" })).await.refused(409, "in_use");
    patch(2, json!({ "prefix": "LJ", "name": "同好" })).await.ok(200);
    app.finish().await;
}

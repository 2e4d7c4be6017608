//! What operators do with upgrade offers, and who is told of them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn operators_make_offers_and_keep_what_was_promised() {
    let club = Club::open().await;
    let now = club.shop.app.now();
    let post = async |change: Value| {
        let body = body(&club, "one", change);
        club.shop.app.post(PATH).bearer(&club.owner.token).json(&body).send().await
    };
    for (field, wrong) in [
        ("code", json!("No Code")),
        ("price", yuan(1_200)),
        ("price", json!({ "amount": -1, "currency": "CNY" })),
        ("criteria", json!({ "metric": "spend", "amount": 0 })),
        ("criteria", json!({ "level": "iron" })),
        ("quota", json!(0)),
        ("budget", json!({ "amount": 1, "currency": "USD" })),
        ("ends_at", json!(now)),
        ("from_tier", club.diehard["tier"].clone()),
        ("from_tier", json!("tier_0192f0c1d5a87c3e9f1b2a3c4d5e6f70")),
    ] {
        let answer = post(json!({ field: wrong })).await;
        assert_eq!(answer.status, 422, "{field}: {}", answer.text);
        let named = answer.json["errors"][0]["field"].as_str().unwrap();
        assert!(named.starts_with(field), "{}", answer.text);
    }
    post(json!({ "plan": "plan_0192f0c1d5a87c3e9f1b2a3c4d5e6f70" })).await.refused(422, "unknown_plan");
    let made = post(json!({ "quota": 10, "budget": yuan(4_000), "from_tier": club.regular["tier"] })).await;
    let location = made.header("location").to_owned();
    let made = made.ok(201);
    assert_eq!(location, path(&made));
    assert_eq!(
        (&made["quota"], &made["budget"], &made["budget_left"]),
        (&json!(10), &yuan(4_000), &yuan(4_000))
    );
    assert_eq!(made["criteria"], anybody());
    post(json!({})).await.refused(409, "code_taken");

    let patch = club.shop.app.patch(&path(&made)).bearer(&club.owner.token);
    patch.json(&json!({})).send().await.refused(428, "precondition_required");
    let patch = club.shop.app.patch(&path(&made)).bearer(&club.owner.token).header("If-Match", "\"v7\"");
    patch.json(&json!({})).send().await.refused(412, "version_mismatch");
    assert_eq!(change(&club, &made, json!({ "price": yuan(1) })).await.status / 100, 4);
    change(&club, &made, json!({ "ends_at": now })).await.refused(422, "invalid_field");
    let longer = now + TimeDelta::days(60);
    let wanted =
        json!({ "names": { "zh-CN": "新", "en": "New" }, "ends_at": longer, "quota": null, "mails": true });
    let changed = change(&club, &made, wanted).await.ok(200);
    assert_eq!(
        (&changed["names"]["en"], &changed["quota"], &changed["mails"], &changed["version"]),
        (&json!("New"), &Value::Null, &json!(true), &json!(2))
    );
    let list = club.shop.app.get(&format!("{PATH}?limit=1")).bearer(&club.owner.token).send().await.ok(200);
    assert_eq!((&list["data"][0]["id"], &list["next_cursor"]), (&made["id"], &Value::Null));
    archive(&club, &made).await;
    let told =
        club.count("SELECT count(*) AS count FROM audit_log WHERE action LIKE 'upgrade_offer.%'").await;
    assert_eq!(told, 3);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_becomes_entitled_is_told_once_if_he_accepts_news() {
    let club = Club::open().await;
    let mut people = Vec::new();
    for name in ["keen", "quiet", "gone"] {
        people.push(club.member(&format!("{name}@example.org")).await.0);
    }
    let consenting = "UPDATE accounts SET marketing = true WHERE email <> 'quiet@example.org'";
    run_sql(&mut *club.shop.app.conn().await, consenting).await;
    let leaves = json!({ "preferences": { "notices": false } });
    club.shop.app.patch("/v1/me").bearer(&people[2].token).json(&leaves).send().await.ok(200);
    let two_days = json!({ "criteria": { "metric": "tenure", "amount": 2 }, "mails": true });
    let offer = offer(&club, "two-days", two_days).await;
    self::offer(&club, "silent", json!({})).await;
    let letters =
        async || club.count("SELECT count(*) AS count FROM mails WHERE kind = 'upgrade_offer'").await;

    club.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(letters().await, 0, "nobody is entitled yet");
    club.shop.advance(TimeDelta::days(2)).await;
    assert_eq!(letters().await, 1);
    let inbox = club.shop.app.app.postbox.inbox().unwrap().to("keen@example.org");
    let letter = inbox.iter().find(|mail| mail.subject.starts_with("老罗友")).unwrap();
    assert!(letter.unsubscribe_url.as_ref().is_some_and(|url| url.contains("notices")));
    assert!(letter.text.contains("¥800.00") && letter.text.contains("¥1,200.00"), "{}", letter.text);
    club.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(letters().await, 1, "once");
    // Who accepts news from now on is told from now on; who has left the list isn't.
    run_sql(&mut *club.shop.app.conn().await, "UPDATE accounts SET marketing = true").await;
    club.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(letters().await, 2);

    // Nobody is told of what is used up, as long as it is.
    let keen = club.shop.app.sign_in("keen@example.org").await;
    change(&club, &offer, json!({ "quota": 1 })).await.ok(200);
    let by = quote(&club, &keen, &offer["id"], "restart").await.ok(201);
    club.buy(&keen, "up", line(&by)).await;
    club.member("late@example.org").await;
    run_sql(&mut *club.shop.app.conn().await, "UPDATE accounts SET marketing = true").await;
    club.shop.advance(TimeDelta::days(3)).await;
    assert_eq!(letters().await, 2);
    change(&club, &offer, json!({ "quota": 2 })).await.ok(200);
    club.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(letters().await, 3);
    let told = "SELECT count(*) AS count FROM upgrade_offer_tellings t JOIN accounts a ON a.id = t.account_id
                WHERE a.email IN ('keen@example.org', 'quiet@example.org', 'late@example.org')";
    assert_eq!(club.count(told).await, 3);
    // Nor of what is archived.
    archive(&club, &offer).await;
    run_sql(&mut *club.shop.app.conn().await, "DELETE FROM mail_opt_outs").await;
    club.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(letters().await, 3);
    club.shop.finish().await;
}

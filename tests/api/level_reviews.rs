//! Levels and what happens meanwhile: rules that change while a review runs, and people who go and come back.

use std::sync::Arc;

use chrono::TimeDelta;
use kindred::loyalty::levels::reviews;
use serde_json::json;

use crate::levels::{buy, changes, code, crowd, level, mails, open};
use crate::support::catalog::count_sql;
use crate::support::desk::{get, id};
use crate::support::mall::Mall;

async fn count(mall: &Mall, what: &str) -> i64 {
    count_sql(&mut *mall.shop.app.conn().await, &format!("SELECT count(*) AS count FROM {what}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_edited_while_a_review_runs_judge_nobody_twice() {
    let (mall, tea) = open().await;
    let ada = mall.shop.app.member("ada@b.test").await;
    buy(&mall, &ada, "a", &tea, 3).await;
    crowd(&mall).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let levels = get(&mall, &owner, "/v1/admin/levels").await.ok(200);
    let gold = levels["data"].as_array().unwrap().iter().find(|level| level["code"] == "gold").unwrap();
    let path = format!("/v1/admin/levels/{}", id(gold));
    let etag = get(&mall, &owner, &path).await.header("etag").to_owned();
    let app = Arc::clone(&mall.shop.app.app);
    let run = tokio::spawn(async move { reviews::run(&app).await.map(|_| ()) });
    while count(&mall, "level_changes WHERE kind = 'dropped'").await == 0 {
        assert!(!run.is_finished());
    }
    // Half-way it gets another measure, which nobody meets either.
    let keep = json!({ "keep": { "metric": "check_ins", "amount": 7 } });
    mall.shop
        .app
        .patch(&path)
        .bearer(&owner.token)
        .header("If-Match", &etag)
        .json(&keep)
        .send()
        .await
        .ok(200);
    let of_old = count(&mall, "level_changes WHERE kind = 'dropped' AND why::text LIKE '%spend%'").await;
    run.await.unwrap().unwrap();
    mall.shop.settle().await;
    let by = async |metric: &str| {
        count(&mall, &format!("level_changes WHERE kind = 'dropped' AND why::text LIKE '%\"{metric}\"%'"))
            .await
    };
    let (old, new) = (by("spend").await, by("check_ins").await);
    assert_eq!(old + new, 5_001, "each by one of both");
    assert!(old >= of_old && new > 0, "those whose turn came later by the new one: {old}, {new}");
    let twice =
        "(SELECT 1 FROM level_changes WHERE kind = 'dropped' GROUP BY account_id HAVING count(*) > 1) twice";
    assert_eq!(count(&mall, twice).await, 0);
    assert_eq!(count(&mall, "mails WHERE kind = 'level_dropped'").await, 5_001);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_and_comes_back_rises_again_and_is_welcomed_once() {
    let mall = Mall::open().await;
    let programme = "/v1/admin/points-programme";
    let etag = get(&mall, &mall.owner, programme).await.header("etag").to_owned();
    let on = json!({ "is_on": true, "rate": "0" });
    let request = mall.shop.app.patch(programme).bearer(&mall.owner.token).header("If-Match", &etag);
    request.json(&on).send().await.ok(200);
    level(&mall, "silver", 10, 100, 100, json!({ "welcome_points": 40 })).await;
    let tea = mall.goods("TEA", 88, 1_000).await;
    let ada = mall.shop.app.member("ada@b.test").await;
    let points = async || {
        let ada = mall.shop.app.sign_in(&ada.email).await;
        get(&mall, &ada, "/v1/me/points").await.ok(200)["active"].clone()
    };
    buy(&mall, &ada, "a", &tea, 1).await;
    assert_eq!((code(&mall, &ada).await.as_deref(), points().await), (Some("silver"), json!(40)));
    // She stays away for two years: her level goes at its review, and nothing more happens to her.
    mall.shop.advance(TimeDelta::days(367)).await;
    mall.shop.advance(TimeDelta::days(365)).await;
    assert_eq!((code(&mall, &ada).await, changes(&mall, &ada).await.len()), (None, 2));
    // She comes back, and is where she was at once; but not welcomed anew.
    let again = mall.shop.app.sign_in(&ada.email).await;
    buy(&mall, &again, "b", &tea, 1).await;
    assert_eq!(code(&mall, &ada).await.as_deref(), Some("silver"));
    assert_eq!(changes(&mall, &ada).await, ["raised", "dropped", "raised"]);
    assert_eq!((mails(&mall, "level_reached", &ada).await, points().await), (2, json!(40)));
    let lots = count(&mall, "points_lots WHERE kind = 'level'").await;
    assert_eq!(lots, 1);
    mall.finish().await;
}

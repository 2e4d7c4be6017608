//! A member lets the membership rest.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::http::Answer;
use crate::support::mall::yuan;
use crate::support::shop::Shop;

struct Club {
    shop: Shop,
    owner: Person,
    plan: Value,
}

impl Club {
    async fn open() -> Self {
        let shop = Shop::open_with(&[("KINDRED_FREEZE_DAYS", "30")]).await;
        let owner = shop.app.operator(Role::Owner).await;
        let (tier, _) = shop.app.tier_and_plan(&owner, "regular").await;
        let plan = json!({
            "code": "year", "tier": tier["id"], "term": "P365D", "price": yuan(200), "renews": "never",
            "payment_methods": ["card"], "open_sale": true,
        });
        let plan = shop.app.make(&owner, "/v1/admin/plans", &plan).await;
        Self { shop, owner, plan }
    }

    async fn order(&self, person: &Person, key: &str) -> Answer {
        let body = json!({
            "lines": [{ "plan": self.plan["id"] }], "success_url": "http://shop.test/",
            "cancel_url": "http://shop.test/",
        });
        self.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
    }

    async fn member(&self, email: &str) -> Person {
        let person = self.shop.app.member(email).await;
        let order = self.order(&person, "join").await.ok(201);
        self.shop.pay(&order).await;
        assert_eq!(self.shop.settled(&person, &order).await["state"], "fulfilled");
        person
    }

    async fn freeze(&self, person: &Person, key: &str, days: i64) -> Answer {
        let body = json!({ "until": self.shop.app.now() + TimeDelta::days(days) + TimeDelta::seconds(-1) });
        let path = "/v1/me/membership/freeze";
        self.shop.app.post(path).bearer(&person.token).key(key).json(&body).send().await
    }

    async fn resume(&self, person: &Person, key: &str) -> Answer {
        self.shop.app.post("/v1/me/membership/resume").bearer(&person.token).key(key).send().await
    }

    async fn advance(&self, days: i64, person: &Person) -> Person {
        self.shop.advance(TimeDelta::days(days)).await;
        self.shop.app.sign_in(&person.email).await
    }

    async fn mine(&self, person: &Person) -> Value {
        self.shop.app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
    }
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_moves_by_the_time_that_it_rested() {
    let club = Club::open().await;
    let anna = club.member("anna@example.org").await;
    let before = club.mine(&anna).await;
    let frozen = club.freeze(&anna, "first", 11).await.ok(200);
    assert_eq!((&frozen["state"], frozen["benefits"].as_array().unwrap().len()), (&json!("frozen"), 0));
    assert!(frozen["frozen_until"].is_string());
    // The same request again does nothing more; another one is refused, and so is what would change it.
    club.freeze(&anna, "second", 2).await.refused(409, "membership_frozen");
    club.order(&anna, "more").await.refused(409, "membership_frozen");

    // Resumed before the time is over: what counts is what was used.
    let anna = club.advance(6, &anna).await;
    let resumed = club.resume(&anna, "resume").await.ok(200);
    assert_eq!((&resumed["state"], &resumed["frozen_until"]), (&json!("active"), &Value::Null));
    assert_eq!(club.resume(&anna, "resume").await.ok(200)["ends_at"], resumed["ends_at"]);
    club.resume(&anna, "again").await.refused(409, "membership_not_frozen");
    let moved = time(&resumed["ends_at"]) - time(&before["ends_at"]);
    assert!((TimeDelta::days(6)..TimeDelta::days(6) + TimeDelta::hours(1)).contains(&moved), "{moved}");

    // 30 days a year, of which 24 are left; the job resumes it, once.
    club.freeze(&anna, "too-long", 25).await.refused(409, "freeze_limit");
    club.freeze(&anna, "long", 23).await.ok(200);
    let anna = club.advance(40, &anna).await;
    let after = club.mine(&anna).await;
    assert_eq!(after["state"], "active");
    let moved = time(&after["ends_at"]) - time(&resumed["ends_at"]);
    assert!((moved - TimeDelta::days(23)).abs() < TimeDelta::hours(1), "{moved}");
    club.freeze(&anna, "no-more", 2).await.refused(409, "freeze_limit");
    // Next year there are days again.
    let anna = club.advance(330, &anna).await;
    club.freeze(&anna, "next-year", 10).await.ok(200);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_runs_rests_and_other_causes_hold_on() {
    let club = Club::open().await;
    let bob = club.shop.app.member("bob@example.org").await;
    club.freeze(&bob, "none", 2).await.refused(409, "membership_not_open");
    club.resume(&bob, "none").await.refused(409, "membership_not_frozen");
    let anna = club.member("anna@example.org").await;
    club.freeze(&anna, "short", 1).await.refused(422, "invalid_field");
    club.freeze(&anna, "back", -1).await.refused(422, "invalid_field");
    let pending = club.order(&anna, "next").await.ok(201);
    club.freeze(&anna, "pending", 2).await.refused(409, "membership_order_pending");
    let path = format!("/v1/orders/{}/cancel", pending["id"].as_str().unwrap());
    club.shop.app.post(&path).bearer(&anna.token).key("cancel").send().await.ok(200);

    // Ten tabs freeze once.
    let keys: Vec<_> = (0..10).map(|tab| format!("tab-{tab}")).collect();
    let answers = join_all(keys.iter().map(|key| club.freeze(&anna, key, 5))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refused(409, "membership_frozen");
    }
    let id = club.mine(&anna).await["id"].as_str().unwrap().to_owned();
    let operator = |verb: &'static str, owner: Person| {
        let path = format!("/v1/admin/memberships/{id}/{verb}");
        let app = &club.shop.app;
        async move {
            let body = json!({ "reason": "Asked." });
            app.post(&path).bearer(&owner.token).key(verb).json(&body).send().await.ok(200)
        }
    };
    operator("freeze", club.owner.clone()).await;
    let anna = club.advance(7, &anna).await;
    assert_eq!(club.mine(&anna).await["state"], "frozen", "the operator's cause holds");
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    operator("resume", owner.clone()).await;
    assert_eq!(club.mine(&anna).await["state"], "active");
    // What is revoked no longer rests.
    club.freeze(&anna, "last", 5).await.ok(200);
    operator("revoke", owner).await;
    assert_eq!(club.mine(&anna).await["state"], "revoked");
    let anna = club.advance(7, &anna).await;
    assert_eq!(club.mine(&anna).await["state"], "revoked");
    club.shop.finish().await;
}

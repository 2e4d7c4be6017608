//! Changing to a higher tier: what a quote says, what is charged, what the membership is then.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::mall::yuan;
use crate::support::shop::Shop;

/// A shop with three tiers: a year (of 365 days) of `regular` for 200 yuan, `diehard` for 1,200 and `patron` for 3,000; only the
/// first is on open sale, the others are sold to members.
pub struct Club {
    pub shop: Shop,
    pub owner: Person,
    pub regular: Value,
    pub diehard: Value,
    pub patron: Value,
}

impl Club {
    pub async fn open() -> Self {
        let shop = Shop::open().await;
        let owner = shop.app.operator(Role::Owner).await;
        let regular = tier(&shop, &owner, "regular", 10, 200, true).await;
        let diehard = tier(&shop, &owner, "diehard", 20, 1_200, false).await;
        let patron = tier(&shop, &owner, "patron", 30, 3_000, false).await;
        Self { shop, owner, regular, diehard, patron }
    }

    pub async fn advance(&self, by: TimeDelta, person: &Person) -> Person {
        self.shop.advance(by).await;
        self.shop.app.sign_in(&person.email).await
    }

    pub async fn quote(&self, person: &Person, plan: &Value, mode: &str) -> Answer {
        let body = json!({ "plan": plan["id"], "mode": mode });
        self.shop.app.post("/v1/upgrade-quotes").bearer(&person.token).json(&body).send().await
    }

    pub async fn order(&self, person: &Person, key: &str, line: Value) -> Answer {
        let body =
            json!({ "lines": [line], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
        self.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
    }

    pub async fn buy(&self, person: &Person, key: &str, line: Value) -> Value {
        let order = self.order(person, key, line).await.ok(201);
        if order["payment"]["state"] != "not_needed" {
            self.shop.pay(&order).await;
        }
        let order = self.shop.settled(person, &order).await;
        assert_eq!(order["state"], "fulfilled");
        order
    }

    /// Somebody with a year of `regular`, which he has paid for, and that order.
    pub async fn member(&self, email: &str) -> (Person, Value) {
        let person = self.shop.app.member(email).await;
        let order = self.buy(&person, "join", json!({ "plan": self.regular["id"] })).await;
        (person, order)
    }

    pub async fn mine(&self, person: &Person) -> Value {
        self.shop.app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
    }

    /// An operator refunds what `of` says, or all of it.
    pub async fn ask_refund(&self, order: &Value, of: Value) -> Answer {
        let owner = self.shop.app.sign_in(&self.owner.email).await;
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let key = uuid::Uuid::new_v4().to_string();
        let mut body = json!({ "reason": "Asked for it." });
        for (field, value) in of.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.shop.app.post(&path).bearer(&owner.token).key(&key).json(&body).send().await
    }

    pub async fn refund(&self, order: &Value) {
        self.ask_refund(order, json!({})).await.ok(201);
        self.shop.settle().await;
    }

    pub async fn count(&self, sql: &str) -> i64 {
        let mut conn = self.shop.app.conn().await;
        count_sql(&mut conn, sql).await
    }
}

async fn tier(shop: &Shop, owner: &Person, code: &str, rank: i32, price_yuan: i64, open_sale: bool) -> Value {
    let tier = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "rank": rank });
    let tier = shop.app.make(owner, "/v1/admin/tiers", &tier).await;
    let plan = json!({
        "code": format!("{code}-year"), "tier": tier["id"], "term": "P365D", "price": yuan(price_yuan),
        "renews": "never", "payment_methods": ["card", "alipay"], "open_sale": open_sale,
        "open_upgrade": !open_sale,
    });
    shop.app.make(owner, "/v1/admin/plans", &plan).await
}

pub fn line(quote: &Value) -> Value {
    json!({ "upgrade_quote": quote["id"] })
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_pays_the_difference_and_later_is_credited_what_that_came_to() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let before = club.mine(&anna).await;
    let anna = club.advance(TimeDelta::days(73), &anna).await;

    let restart = club.quote(&anna, &club.diehard, "restart").await.ok(201);
    assert_eq!(
        (&restart["credit"], &restart["charge"], &restart["due"]),
        (&yuan(160), &yuan(1_200), &yuan(1_040))
    );
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    assert_eq!((&quote["credit"], &quote["charge"], &quote["due"]), (&yuan(160), &yuan(960), &yuan(800)));
    assert_eq!(quote["ends_at"], before["ends_at"]);
    // A quote changes nothing.
    assert_eq!(club.mine(&anna).await["tier"], "regular");

    let order = club.order(&anna, "up", line(&quote)).await.ok(201);
    assert_eq!((&order["totals"]["due"], &order["lines"][0]["kind"]), (&yuan(800), &json!("upgrade")));
    assert_eq!(order["lines"][0]["plan"], club.diehard["id"]);
    assert_eq!(order["explanation"][0]["reason"], "upgrade_prorate");
    club.order(&anna, "up-again", line(&restart)).await.refused(409, "membership_order_pending");
    assert_eq!(club.mine(&anna).await["tier"], "regular");
    club.shop.pay(&order).await;
    assert_eq!(club.shop.settled(&anna, &order).await["state"], "fulfilled");

    let after = club.mine(&anna).await;
    assert_eq!((&after["tier"], &after["plan"]), (&json!("diehard"), &json!("diehard-year")));
    for same in ["id", "number", "ends_at", "starts_at"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["worth"]["paid"], yuan(960));
    assert_eq!(club.count("SELECT count(*) AS count FROM mails WHERE kind = 'upgraded'").await, 1);
    club.order(&anna, "twice", line(&quote)).await.refused(409, "stale_quote");
    club.order(&anna, "the-other", line(&restart)).await.refused(409, "stale_quote");

    // With 146 days left it is worth what a diehard's term that was paid whole would be.
    let anna = club.advance(TimeDelta::days(146), &anna).await;
    let quote = club.quote(&anna, &club.patron, "restart").await.ok(201);
    assert_eq!((&quote["credit"], &quote["due"]), (&yuan(480), &yuan(2_520)));
    club.buy(&anna, "patron", line(&quote)).await;
    let patron = club.mine(&anna).await;
    assert_eq!((&patron["tier"], &patron["worth"]["paid"]), (&json!("patron"), &yuan(3_000)));
    assert!(time(&patron["ends_at"]) - club.shop.app.now() > TimeDelta::days(364));
    assert_eq!(
        club.count("SELECT count(*) AS count FROM membership_terms WHERE replaced_by IS NOT NULL").await,
        2
    );
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upgrade_is_refused_with_its_reason() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let bob = club.shop.app.member("bob@example.org").await;
    club.quote(&bob, &club.diehard, "prorate").await.refused(409, "membership_not_open");
    club.quote(&anna, &club.regular, "prorate").await.refused(409, "not_an_upgrade");
    let unknown = json!({ "id": "plan_0192f0c1d5a87c3e9f1b2a3c4d5e6f70" });
    club.quote(&anna, &unknown, "prorate").await.refused(422, "unknown_plan");
    let body = json!({ "plan": club.diehard["id"], "mode": "half" });
    let wrong = club.shop.app.post("/v1/upgrade-quotes").bearer(&anna.token).json(&body).send().await;
    assert_eq!(wrong.status / 100, 4, "{}", wrong.text);
    let hidden = json!({
        "code": "hidden", "tier": club.patron["tier"], "term": "P1Y", "price": yuan(5_000), "renews": "never",
        "payment_methods": ["card"],
    });
    let hidden = club.shop.app.make(&club.owner, "/v1/admin/plans", &hidden).await;
    club.quote(&anna, &hidden, "prorate").await.refused(409, "upgrade_not_sold");
    let life = json!({
        "code": "life", "tier": club.patron["tier"], "term": "lifetime", "price": yuan(9_000), "renews": "never",
        "payment_methods": ["card"], "open_upgrade": true,
    });
    let life = club.shop.app.make(&club.owner, "/v1/admin/plans", &life).await;
    club.quote(&anna, &life, "prorate").await.refused(422, "invalid_field");
    assert_eq!(club.quote(&anna, &life, "restart").await.ok(201)["ends_at"], Value::Null);

    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    let (bob_again, _) = club.member("carl@example.org").await;
    club.order(&bob_again, "stolen", line(&quote)).await.refused(422, "unknown_upgrade_quote");
    let twice = json!({ "upgrade_quote": quote["id"], "quantity": 2 });
    club.order(&anna, "twice", twice).await.refused(422, "invalid_field");
    let beside = json!({ "upgrade_quote": quote["id"], "plan": club.diehard["id"] });
    club.order(&anna, "beside", beside).await.refused(422, "invalid_field");
    let body = json!({
        "lines": [line(&quote), { "plan": club.regular["id"] }],
        "success_url": "http://shop.test/", "cancel_url": "http://shop.test/",
    });
    let both = club.shop.app.post("/v1/orders").bearer(&anna.token).key("both").json(&body).send().await;
    both.refused(422, "invalid_field");
    // A tier that is reached isn't bought anew while the term runs.
    let members = json!({ "plan": club.regular["id"] });
    club.buy(&anna, "one-more-year", members).await;
    club.order(&anna, "stale", line(&quote)).await.refused(409, "stale_quote");
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    let anna = club.advance(TimeDelta::minutes(15), &anna).await;
    club.order(&anna, "late", line(&quote)).await.refused(409, "quote_expired");

    let id = club.mine(&anna).await["id"].as_str().unwrap().to_owned();
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    let freeze = club.shop.app.post(&format!("/v1/admin/memberships/{id}/freeze")).bearer(&owner.token);
    freeze.key("freeze").json(&json!({ "reason": "Abroad." })).send().await.ok(200);
    club.quote(&anna, &club.diehard, "prorate").await.refused(409, "membership_frozen");
    assert_eq!(club.count("SELECT count(*) AS count FROM order_lines WHERE kind = 'upgrade'").await, 0);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_when_the_term_is_over_goes_back() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let anna = club.advance(TimeDelta::days(365) - TimeDelta::minutes(20), &anna).await;
    let quote = club.quote(&anna, &club.diehard, "restart").await.ok(201);
    let order = club.order(&anna, "up", line(&quote)).await.ok(201);
    let late = [("action", "pay_late"), ("method", "alipay"), ("delay", "7200")];
    assert_eq!(club.shop.on_page(&order, &late).await, 303);
    let anna = club.advance(TimeDelta::hours(3), &anna).await;
    let order = club.shop.show(&anna, &order).await;
    assert_eq!(
        (&order["state"], &order["refunds"][0]["reason"]),
        (&json!("cancelled"), &json!("membership_forbids"))
    );
    assert_eq!(club.shop.simulator().book().refunded_minor, quote["due"]["amount"].as_i64().unwrap());
    let mine = club.mine(&anna).await;
    assert_eq!((&mine["tier"], &mine["state"]), (&json!("regular"), &json!("grace")));
    club.quote(&anna, &club.diehard, "restart").await.refused(409, "membership_not_open");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_the_upgrade_brings_the_former_tier_back() {
    let club = Club::open().await;
    let (anna, joined) = club.member("anna@example.org").await;
    let before = club.mine(&anna).await;
    let anna = club.advance(TimeDelta::days(73), &anna).await;
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    let upgrade = club.buy(&anna, "up", line(&quote)).await;
    club.refund(&upgrade).await;
    let back = club.mine(&anna).await;
    for same in ["id", "tier", "plan", "ends_at", "number"] {
        assert_eq!(back[same], before[same], "{same}");
    }
    assert_eq!(back["worth"]["paid"], yuan(200));

    // Up once more. The first year's money can't go back before the upgrade's, which it was credited to.
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    assert_eq!(quote["due"], yuan(800));
    let upgrade = club.buy(&anna, "up-again", line(&quote)).await;
    assert_eq!(club.mine(&anna).await["worth"]["paid"], yuan(960));
    club.ask_refund(&joined, json!({})).await.refused(409, "refund_later_first");
    // Of a part of it that goes back nothing is credited any more.
    club.ask_refund(&joined, json!({ "amount": yuan(40) })).await.ok(201);
    let mine = club.mine(&anna).await;
    assert_eq!((&mine["tier"], &mine["worth"]["paid"]), (&json!("diehard"), &yuan(920)));
    assert_eq!(club.quote(&anna, &club.patron, "restart").await.ok(201)["credit"], yuan(920));
    // All of it in their order: nothing is left.
    club.refund(&upgrade).await;
    assert_eq!(club.mine(&anna).await["tier"], "regular");
    club.ask_refund(&joined, json!({})).await.ok(201);
    club.shop.settle().await;
    assert_eq!(club.mine(&anna).await["state"], "expired");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_an_upgrade_is_not_lost_with_it() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let before = club.mine(&anna).await;
    let id = before["id"].as_str().unwrap().to_owned();
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    let upgrade = club.buy(&anna, "up", line(&quote)).await;
    // Frozen for ten days, and a week more as a gift.
    let operate = |verb: &'static str, body: Value, owner: Person| {
        let path = format!("/v1/admin/memberships/{id}/{verb}");
        let app = &club.shop.app;
        async move { app.post(&path).bearer(&owner.token).key(verb).json(&body).send().await.ok(200) }
    };
    let reason = json!({ "reason": "Abroad." });
    operate("freeze", reason.clone(), club.owner.clone()).await;
    let anna = club.advance(TimeDelta::days(10), &anna).await;
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    operate("resume", reason, owner.clone()).await;
    operate("extend", json!({ "term": "P7D", "reason": "A gift." }), owner).await;
    club.refund(&upgrade).await;
    let back = club.mine(&anna).await;
    assert_eq!((&back["tier"], &back["plan"]), (&json!("regular"), &json!("regular-year")));
    let longer = time(&back["ends_at"]) - time(&before["ends_at"]) - TimeDelta::days(17);
    assert!(longer.abs() < TimeDelta::hours(1), "{longer}");

    // A year that was bought for the higher tier can't stand behind the lower one.
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    let upgrade = club.buy(&anna, "up-again", line(&quote)).await;
    let sold = json!({ "open_sale": true });
    let path = format!("/v1/admin/plans/{}", club.diehard["id"].as_str().unwrap());
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    let patch = club.shop.app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"");
    patch.json(&sold).send().await.ok(200);
    let year = club.buy(&anna, "one-more-year", json!({ "plan": club.diehard["id"] })).await;
    club.ask_refund(&upgrade, json!({})).await.refused(409, "refund_later_first");
    club.refund(&year).await;
    club.refund(&upgrade).await;
    assert_eq!(club.mine(&anna).await["tier"], "regular");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_between_quote_and_payment_sends_the_upgrade_back() {
    let club = Club::open().await;
    let (anna, joined) = club.member("anna@example.org").await;
    let quote = club.quote(&anna, &club.diehard, "restart").await.ok(201);
    let order = club.order(&anna, "up", line(&quote)).await.ok(201);
    club.ask_refund(&joined, json!({ "amount": yuan(190) })).await.ok(201);
    club.shop.pay(&order).await;
    let order = club.shop.settled(&anna, &order).await;
    assert_eq!(
        (&order["state"], &order["refunds"][0]["reason"]),
        (&json!("cancelled"), &json!("membership_forbids"))
    );
    let quote = club.quote(&anna, &club.diehard, "restart").await.ok(201);
    assert_eq!(quote["credit"], yuan(10));
    // A year that was over before an upgrade stays what it was.
    let anna = club.advance(TimeDelta::days(364), &anna).await;
    club.buy(&anna, "second-year", json!({ "plan": club.regular["id"] })).await;
    let anna = club.advance(TimeDelta::days(30), &anna).await;
    let quote = club.quote(&anna, &club.diehard, "prorate").await.ok(201);
    club.buy(&anna, "up-now", line(&quote)).await;
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_credits_nothing_and_what_costs_nothing_needs_no_payment() {
    let club = Club::open().await;
    let owner = club.shop.app.sign_in(&club.owner.email).await;
    let given = club.shop.app.member("given@example.org").await;
    let path = format!("/v1/admin/accounts/{}/memberships", given.id);
    let body = json!({ "plan": club.regular["id"], "reason": "A gift of the house." });
    club.shop.app.post(&path).bearer(&owner.token).key("give").json(&body).send().await.ok(201);
    let quote = club.quote(&given, &club.diehard, "prorate").await.ok(201);
    assert_eq!((&quote["credit"], &quote["due"]), (&yuan(0), &yuan(1_200)));

    // A cheap plan of a higher tier: what was paid is more than it costs, and stays what it is worth.
    let offer = json!({
        "code": "offer", "tier": club.patron["tier"], "term": "P365D", "price": yuan(50), "renews": "never",
        "payment_methods": ["card"], "open_upgrade": true,
    });
    let offer = club.shop.app.make(&owner, "/v1/admin/plans", &offer).await;
    let (anna, _) = club.member("anna@example.org").await;
    let quote = club.quote(&anna, &offer, "restart").await.ok(201);
    assert_eq!((&quote["credit"], &quote["charge"], &quote["due"]), (&yuan(200), &yuan(50), &yuan(0)));
    let order = club.buy(&anna, "up", line(&quote)).await;
    assert_eq!(order["payment"]["state"], "not_needed");
    let mine = club.mine(&anna).await;
    assert_eq!((&mine["tier"], &mine["worth"]["paid"]), (&json!("patron"), &yuan(200)));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_upgrade_once() {
    let club = Club::open().await;
    let (anna, _) = club.member("anna@example.org").await;
    let quote = club.quote(&anna, &club.diehard, "restart").await.ok(201);
    let (first, second) =
        join(club.order(&anna, "one-tab", line(&quote)), club.order(&anna, "another-tab", line(&quote)))
            .await;
    let (placed, refused) = if first.status == 201 { (first, second) } else { (second, first) };
    refused.refused(409, "membership_order_pending");
    let order = placed.ok(201);
    club.shop.pay(&order).await;
    assert_eq!(club.shop.settled(&anna, &order).await["state"], "fulfilled");
    assert_eq!(
        club.count("SELECT count(*) AS count FROM membership_terms WHERE credited_minor > 0").await,
        1
    );
    club.shop.finish().await;
}

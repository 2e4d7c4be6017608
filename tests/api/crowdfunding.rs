//! Crowdfunding: goals that are reached and missed, around the deadline and after it, and who is named.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use kindred::checkout::pledges;
use kindred::db;
use kindred::jobs::{self, Job, Outcome};
use kindred::schema::refunds;
use kindred::types::id::DropId;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::mall::{Mall, yuan};

/// A book that is crowdfunded for three days.
struct Funded {
    mall: Mall,
    book: Value,
    drop: Value,
}

impl Funded {
    async fn open(goal: Value, closes_in: TimeDelta) -> Self {
        Self::in_mall(Mall::open().await, goal, closes_in).await
    }

    async fn in_mall(mall: Mall, goal: Value, closes_in: TimeDelta) -> Self {
        let book = mall.goods("BOOK", 68, 100).await;
        let closes_at = mall.shop.app.now() + closes_in;
        let drop = mall.drop(&book, 100, json!({ "goal": goal, "closes_at": closes_at })).await;
        Self { mall, book, drop }
    }

    fn lines(&self, quantity: i64) -> Value {
        json!([{ "variant": self.book, "drop": self.drop["id"], "quantity": quantity }])
    }

    async fn back(&self, person: &Person, quantity: i64) -> Value {
        let order = self.mall.buy(person, "back", self.lines(quantity)).await;
        assert_eq!(order["state"], "paid");
        order
    }

    async fn back_as(&self, person: &Person, name: Value) -> Answer {
        let mut body = self.mall.body(self.lines(1));
        body["consents"] = json!({ "backer_name": name });
        let request = self.mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key("named");
        request.json(&body).send().await
    }

    async fn stands(&self) -> Value {
        self.mall.shop.app.get("/v1/drops/drop").send().await.ok(200)["crowdfunding"].clone()
    }

    async fn names(&self, query: &str) -> (Vec<String>, Value) {
        let path = format!("/v1/drops/drop/backers{query}");
        let page = self.mall.shop.app.get(&path).send().await.ok(200);
        let names = page["data"].as_array().unwrap().iter();
        let names = names.map(|backer| backer["name"].as_str().unwrap().to_owned());
        (names.collect(), page["next_cursor"].clone())
    }

    async fn count(&self, sql: &str) -> i64 {
        count_sql(&mut *self.mall.shop.app.conn().await, sql).await
    }

    /// Operators and buyers sign in again after the clock was moved.
    async fn again(&self, person: &Person) -> Person {
        self.mall.shop.app.sign_in(&person.email).await
    }

    fn id(&self) -> DropId {
        self.drop["id"].as_str().unwrap().parse().unwrap()
    }

    /// Captured and refunded, by the simulator's book.
    fn money(&self) -> (i64, i64) {
        let book = self.mall.shop.simulator().book();
        (book.payments.iter().map(|payment| payment.amount_minor).sum(), book.refunded_minor)
    }
}

fn units(units: i64) -> Value {
    json!({ "units": units })
}

const REFUND_MAILS: &str = "SELECT count(*) AS count FROM mails WHERE kind = 'refunded'";
const REACHED_MAILS: &str = "SELECT count(*) AS count FROM mails WHERE kind = 'goal_reached'";

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_that_is_missed_by_one_gives_everything_back_with_its_shipping() {
    let funded = Funded::open(units(4), TimeDelta::days(3)).await;
    let app = &funded.mall.shop.app;
    let (ada, bob) = (app.member("ada@b.test").await, app.member("bob@b.test").await);
    let order = funded.back(&ada, 2).await;
    funded.back(&bob, 1).await;
    let stands = funded.stands().await;
    assert_eq!((&stands["state"], &stands["goal"]), (&json!("running"), &units(4)));
    assert_eq!(
        (&stands["pledged"], &stands["backers"]),
        (&json!({ "units": 3, "amount": yuan(204) }), &json!(2))
    );
    assert_eq!(stands["ends_at"], funded.drop["closes_at"]);
    funded.mall.shop.advance(TimeDelta::days(3)).await;
    funded.mall.shop.advance(TimeDelta::minutes(2)).await;
    let stands = funded.stands().await;
    assert_eq!((&stands["state"], &stands["pledged"]["units"]), (&json!("missed"), &json!(3)));
    let order = funded.mall.shop.show(&funded.again(&ada).await, &order).await;
    assert_eq!(order["state"], "refunded");
    assert_eq!(order["refunded"], order["totals"]["due"]);
    let (captured, refunded) = funded.money();
    assert!(captured > 20_400 && captured == refunded, "{captured} {refunded}");
    assert_eq!(funded.mall.stands(&funded.book).await, (100, 0, 0), "it is for sale again");
    assert_eq!((funded.count(REFUND_MAILS).await, funded.count(REACHED_MAILS).await), (2, 0));
    let inbox = "SELECT count(*) AS count FROM mails WHERE kind = 'refunded' AND data ->> 'reason' LIKE '%众筹没有达到目标'";
    assert_eq!(funded.count(inbox).await, 2, "each is told why");
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_that_is_reached_is_told_and_then_its_parcels_go_out() {
    let funded = Funded::open(json!({ "amount": yuan(204) }), TimeDelta::days(3)).await;
    let app = &funded.mall.shop.app;
    let (ada, bob) = (app.member("ada@b.test").await, app.member("bob@b.test").await);
    let order = funded.back(&ada, 2).await;
    let other = funded.back(&bob, 1).await;
    let ship = async |order: &Value, key: &str| {
        let owner = funded.again(&funded.mall.owner).await;
        let path = format!("/v1/admin/orders/{}/shipments", order["id"].as_str().unwrap());
        app.post(&path).bearer(&owner.token).key(key).json(&json!({ "carrier": "顺丰" })).send().await
    };
    ship(&order, "early").await.refused(409, "goal_not_reached");
    funded.mall.shop.advance(TimeDelta::days(3) + TimeDelta::minutes(2)).await;
    assert_eq!(funded.stands().await["state"], "reached");
    assert_eq!((funded.count(REFUND_MAILS).await, funded.count(REACHED_MAILS).await), (0, 2));
    ship(&order, "now").await.ok(201);
    let ada = funded.again(&ada).await;
    assert_eq!(funded.mall.shop.show(&ada, &order).await["state"], "fulfilled");
    // What is refunded later doesn't take the decision back.
    let owner = funded.again(&funded.mall.owner).await;
    let path = format!("/v1/admin/orders/{}/refunds", other["id"].as_str().unwrap());
    let body = json!({ "reason": "He moved." });
    app.post(&path).bearer(&owner.token).key("r").json(&body).send().await.ok(201);
    let stands = funded.stands().await;
    assert_eq!((&stands["state"], &stands["pledged"]["units"]), (&json!("reached"), &json!(3)));
    funded.mall.finish().await;
}

/// Forty people around the close: they pay at once, in their hold but after the close, late, or never.
async fn at_the_deadline(goal: i64) -> (Funded, Vec<Value>) {
    let funded = Funded::open(units(goal), TimeDelta::minutes(5)).await;
    let shop = &funded.mall.shop;
    let mut people = Vec::new();
    for index in 0..40 {
        people.push(shop.app.member(&format!("p{index}@b.test")).await);
    }
    let lines = funded.lines(1);
    let placed = join_all(people.iter().map(|person| funded.mall.order(person, "back", lines.clone()))).await;
    let orders: Vec<_> = placed.into_iter().map(|answer| answer.ok(201)).collect();
    let every_fourth = |rest: usize| orders.iter().skip(rest).step_by(4);
    join_all(every_fourth(0).map(|order| shop.pay(order))).await;
    let late = [("action", "pay_late"), ("delay", "600")];
    join_all(every_fourth(3).map(|order| shop.on_page(order, &late))).await;
    shop.settle().await;
    assert_eq!(funded.stands().await["pledged"]["units"], 10);
    shop.advance(TimeDelta::minutes(7)).await;
    let stands = funded.stands().await;
    assert_eq!(stands["state"], "running", "holds of the last ones are open: {stands}");
    let late = shop.app.sign_in("p0@b.test").await;
    funded.mall.order(&late, "after", lines).await.refused(409, "closed");
    join_all(every_fourth(1).map(|order| shop.pay(order))).await;
    shop.advance(TimeDelta::minutes(40)).await;
    (funded, orders)
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_backers_at_the_deadline_keep_what_reached_the_goal() {
    let (funded, orders) = at_the_deadline(30).await;
    let stands = funded.stands().await;
    assert_eq!(
        (&stands["state"], &stands["pledged"]["units"], &stands["backers"]),
        (&json!("reached"), &json!(30), &json!(30))
    );
    let (captured, refunded) = funded.money();
    let each = orders[0]["totals"]["due"]["amount"].as_i64().unwrap();
    assert_eq!((captured, refunded), (30 * each, 0));
    assert_eq!(funded.count(REACHED_MAILS).await, 30);
    assert_eq!(funded.mall.stands(&funded.book).await, (100, 0, 30));
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_backers_at_the_deadline_have_everything_back_where_one_was_missing() {
    let (funded, orders) = at_the_deadline(31).await;
    let stands = funded.stands().await;
    assert_eq!((&stands["state"], &stands["pledged"]["units"]), (&json!("missed"), &json!(30)));
    let (captured, refunded) = funded.money();
    let each = orders[0]["totals"]["due"]["amount"].as_i64().unwrap();
    assert_eq!((captured, refunded), (30 * each, 30 * each));
    assert_eq!((funded.count(REFUND_MAILS).await, funded.count(REACHED_MAILS).await), (30, 0));
    assert_eq!(funded.mall.stands(&funded.book).await, (100, 0, 0));
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_after_the_decision_is_treated_by_it() {
    for (goal, state, refunded) in [(2, "missed", true), (1, "reached", false)] {
        let funded = Funded::open(units(goal), TimeDelta::minutes(5)).await;
        let app = &funded.mall.shop.app;
        let (ada, bob) = (app.member("ada@b.test").await, app.member("bob@b.test").await);
        funded.back(&ada, 1).await;
        let order = funded.mall.order(&bob, "late", funded.lines(1)).await.ok(201);
        // Five days: longer than a delayed payment is waited for.
        let late = [("action", "pay_late"), ("delay", "432000")];
        assert_eq!(funded.mall.shop.on_page(&order, &late).await, 303);
        funded.mall.shop.settle().await;
        funded.mall.shop.advance(TimeDelta::days(4)).await;
        assert_eq!(funded.stands().await["state"], state);
        funded.mall.shop.advance(TimeDelta::days(2)).await;
        let stands = funded.stands().await;
        assert_eq!((&stands["state"], &stands["pledged"]["units"]), (&json!(state), &json!(1)), "{stands}");
        let (captured, back) = funded.money();
        assert!(captured > 0 && back == if refunded { captured } else { 0 }, "{captured} {back}");
        let mails = (funded.count(REFUND_MAILS).await, funded.count(REACHED_MAILS).await);
        assert_eq!(mails, if refunded { (2, 0) } else { (0, 2) }, "the late one is told too");
        funded.mall.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_goes_a_batch_at_a_time_and_never_refunds_what_an_operator_refunds_too() {
    // Six calls a second: three refunds a batch.
    let mall = Mall::open_with(&[("KINDRED_STRIPE_RATE", "6")]).await;
    let funded = Funded::in_mall(mall, units(9), TimeDelta::minutes(5)).await;
    let app = &funded.mall.shop.app;
    let people = funded.mall.members(8).await;
    let mut orders = Vec::new();
    for person in &people {
        orders.push(funded.back(person, 1).await);
    }
    let later = app.now() + TimeDelta::minutes(30);
    let id = funded.id();
    let decided =
        db::transaction(&app.app.pool, async |conn| pledges::service::decide(conn, id, later).await);
    assert_eq!(decided.await.unwrap(), None);
    // It was decided once, and nothing has been done yet.
    let again = db::transaction(&app.app.pool, async |conn| pledges::service::decide(conn, id, later).await);
    assert_eq!(again.await.unwrap(), None);
    let jobs = "SELECT count(*) AS count FROM jobs WHERE kind = 'conclude_goal'";
    assert_eq!(funded.count(jobs).await, 1);

    let owner = funded.again(&funded.mall.owner).await;
    let by_hand = orders.iter().take(4).enumerate().map(|(index, order)| {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let body = json!({ "reason": "By hand.", "restock": true });
        app.post(&path).bearer(&owner.token).key(&format!("hand{index}")).json(&body).send()
    });
    // Three runs of the job at once, as after a lost lease.
    let runs = join_all((0..3).map(|_| pledges::jobs::conclude(&app.app, id)));
    let (by_hand, runs) = futures::join!(join_all(by_hand), runs);
    assert!(runs.iter().all(|run| matches!(run, Ok(Outcome::Again(_)))), "{runs:?}");
    for answer in &by_hand {
        assert!(answer.status == 201 || answer.json["code"] == "nothing_to_refund", "{}", answer.text);
    }
    let refunds = "SELECT count(*) AS count FROM refunds";
    let made = funded.count(refunds).await;
    assert!(made < 8, "a batch is three: {made}");
    let mut runs = 0;
    while pledges::jobs::conclude(&app.app, id).await.unwrap() != Outcome::Done {
        runs += 1;
    }
    assert!(runs >= 1);
    assert_eq!(funded.count(refunds).await, 8);
    funded.mall.shop.settle().await;
    let (captured, refunded) = funded.money();
    assert_eq!(captured, refunded);
    assert_eq!(funded.mall.stands(&funded.book).await, (100, 0, 0));
    assert_eq!(funded.count(REFUND_MAILS).await, 8);
    funded.mall.finish().await;
}

/// However many queue the job, its batches follow each other at its own pace.
#[tokio::test(flavor = "multi_thread")]
async fn many_conclusions_keep_the_pace_of_one() {
    let mall = Mall::open_with(&[("KINDRED_STRIPE_RATE", "2")]).await;
    let funded = Funded::in_mall(mall, units(99), TimeDelta::minutes(5)).await;
    let app = &funded.mall.shop.app;
    for person in &funded.mall.members(6).await {
        funded.back(person, 1).await;
    }
    let (id, now) = (funded.id(), app.now());
    let later = now + TimeDelta::minutes(30);
    let many: Vec<_> = (0..20).map(|_| (Job::ConcludeGoal { drop: id }, now)).collect();
    db::transaction(&app.app.pool, async |conn| {
        jobs::enqueue_all(conn, &many, now).await?;
        pledges::service::decide(conn, id, later).await
    })
    .await
    .unwrap();
    app.drain().await;
    let queued = "SELECT count(*) AS count FROM jobs WHERE kind = 'conclude_goal' AND state <> 'done'";
    assert!(funded.count(queued).await <= 2, "one goes on, and that of the decision waits for its time");
    // A refund a second.
    let made = funded.count("SELECT count(*) AS count FROM refunds").await;
    let passed = (app.now() - now).num_seconds();
    assert!(made >= 1 && made <= passed + 2, "{made} in {passed} s");
    funded.mall.shop.advance(TimeDelta::seconds(20)).await;
    let (captured, refunded) = funded.money();
    assert_eq!(captured, refunded);
    funded.mall.finish().await;
}

/// What the operator sent back of the shipping comes back from the bank after the goal was missed: it is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn shipping_whose_refund_fails_after_the_decision_goes_back_by_it() {
    let funded = Funded::open(units(9), TimeDelta::hours(1)).await;
    let app = &funded.mall.shop.app;
    let ada = app.member("ada@b.test").await;
    let order = funded.back(&ada, 1).await;
    let refund = async |key: &str, body: Value| {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        app.post(&path).bearer(&funded.mall.owner.token).key(key).json(&body).send().await.ok(201);
        funded.mall.shop.settle().await;
    };
    refund("line", json!({ "reason": "Line.", "lines": [{ "line": order["lines"][0]["id"] }] })).await;
    refund("shipping", json!({ "reason": "And its shipping." })).await;
    funded.mall.shop.advance(TimeDelta::hours(1) + TimeDelta::minutes(2)).await;
    assert_eq!(funded.stands().await["state"], "missed");
    let made = "SELECT count(*) AS count FROM refunds WHERE state = 'succeeded'";
    assert_eq!(funded.count(made).await, 2, "nothing was left to refund");

    let of_shipping = refunds::table.filter(refunds::shipping_minor.gt(0)).select(refunds::stripe_refund_id);
    let of_shipping: Option<String> = of_shipping.first(&mut *app.conn().await).await.unwrap();
    funded.mall.shop.simulator().settle_refund(&of_shipping.unwrap(), false).unwrap();
    funded.mall.shop.settle().await;
    funded.mall.shop.advance(TimeDelta::seconds(5)).await;
    let shown = funded.mall.shop.show(&funded.again(&ada).await, &order).await;
    assert_eq!(
        (&shown["state"], &shown["refunded"]),
        (&json!("refunded"), &shown["totals"]["due"]),
        "{shown}"
    );
    let (captured, refunded) = funded.money();
    assert_eq!(captured, refunded);
    assert_eq!(
        funded.count("SELECT count(*) AS count FROM refunds WHERE cause LIKE 'goal_missed:%'").await,
        1
    );
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_moves_with_the_window() {
    let funded = Funded::open(units(1), TimeDelta::days(3)).await;
    let app = &funded.mall.shop.app;
    let (ada, bob) = (app.member("ada@b.test").await, app.member("bob@b.test").await);
    let order = funded.back(&ada, 1).await;
    let other = funded.back(&bob, 1).await;
    let ship_by = async |person: &Person, order: &Value| {
        let shown = funded.mall.shop.show(&funded.again(person).await, order).await;
        shown["ship_by"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap()
    };
    let closes_at: DateTime<Utc> = funded.drop["closes_at"].as_str().unwrap().parse().unwrap();
    let within = TimeDelta::hours(72);
    assert_eq!(ship_by(&ada, &order).await, closes_at + within);
    // What is given back needs no other promise.
    let path = format!("/v1/admin/orders/{}/refunds", other["id"].as_str().unwrap());
    let body = json!({ "reason": "He moved." });
    app.post(&path).bearer(&funded.mall.owner.token).key("r").json(&body).send().await.ok(201);
    let path = format!("/v1/admin/drops/{}", funded.drop["id"].as_str().unwrap());
    let later = closes_at + TimeDelta::days(10);
    let change = app.patch(&path).bearer(&funded.mall.owner.token).header("If-Match", "\"v1\"");
    change.json(&json!({ "closes_at": later })).send().await.ok(200);
    funded.mall.shop.settle().await;
    assert_eq!(ship_by(&ada, &order).await, later + within);
    assert_eq!(ship_by(&bob, &other).await, closes_at + within);
    // Ended before its time it is sent sooner.
    funded.mall.shop.advance(TimeDelta::hours(5)).await;
    let owner = funded.again(&funded.mall.owner).await;
    let ended = app.post(&format!("{path}/archive")).bearer(&owner.token).send().await.ok(200);
    let ended_at: DateTime<Utc> = ended["archived_at"].as_str().unwrap().parse().unwrap();
    funded.mall.shop.settle().await;
    assert_eq!(ship_by(&ada, &order).await, ended_at + within);
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backers_are_named_with_their_consent_and_as_long_as_it_lasts() {
    let funded = Funded::open(units(50), TimeDelta::days(3)).await;
    let app = &funded.mall.shop.app;
    let mut people = Vec::new();
    for name in ["ada", "bob", "cleo", "dan"] {
        people.push(app.member(&format!("{name}@b.test")).await);
    }
    for wrong in [json!(""), json!("x".repeat(41)), json!("a\nb")] {
        let refused = funded.back_as(&people[0], wrong).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "consents.backer_name");
    }
    let mut orders = Vec::new();
    for (person, name) in people.iter().zip(["罗小姐", "<b>Bob</b>", "Cleo", "Dan"]) {
        let order = funded.back_as(person, json!(format!(" {name} "))).await.ok(201);
        assert_eq!(order["backer_name"], name);
        orders.push(order);
    }
    assert_eq!(funded.names("").await.0, [""; 0], "nobody has paid");
    for (person, order) in people.iter().zip(&orders).take(3) {
        funded.mall.shop.pay(order).await;
        funded.mall.shop.settled(person, order).await;
    }
    funded.back(&people[3], 1).await;
    let (first, cursor) = funded.names("?limit=2").await;
    assert_eq!(first, ["罗小姐", "<b>Bob</b>"]);
    assert_eq!(
        funded.names(&format!("?limit=2&cursor={}", cursor.as_str().unwrap())).await,
        (vec!["Cleo".to_owned()], Value::Null)
    );
    let stored = "SELECT count(*) AS count FROM orders WHERE consents ? 'backer_name'";
    assert_eq!(funded.count(stored).await, 0, "the name is in one place");

    // Taken back by its owner alone, by an operator, with a refund, and by leaving.
    let path = |index: usize| format!("/v1/orders/{}/backer-name", orders[index]["id"].as_str().unwrap());
    app.delete(&path(0)).bearer(&people[1].token).send().await.refused(404, "not_found");
    app.delete(&path(0)).bearer(&people[0].token).send().await.ok(204);
    app.delete(&path(0)).bearer(&people[0].token).send().await.ok(204);
    assert_eq!(funded.names("").await.0, ["<b>Bob</b>", "Cleo"]);
    let strike = path(1).replace("/v1/", "/v1/admin/");
    app.delete(&strike).bearer(&funded.mall.owner.token).send().await.ok(204);
    assert_eq!(funded.names("").await.0, ["Cleo"]);
    let export = app.get("/v1/me/export").bearer(&people[2].token).send().await.ok(200);
    assert_eq!(export["pledges"][0]["backer_name"], "Cleo");
    let body = json!({ "password": crate::support::people::PASSWORD, "forfeit": true });
    app.delete("/v1/me").bearer(&people[2].token).json(&body).send().await.ok(204);
    assert_eq!(funded.names("").await.0, [""; 0]);
    assert_eq!(funded.stands().await["backers"], 4, "they still count");
    let ordinary = json!([{ "variant": funded.book }]);
    let mut body = funded.mall.body(ordinary);
    body["consents"] = json!({ "backer_name": "Bob" });
    let refused = app.post("/v1/orders").bearer(&people[1].token).key("o").json(&body).send().await;
    assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "consents.backer_name");
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refunded_before_the_close_does_not_count() {
    let funded = Funded::open(units(2), TimeDelta::days(3)).await;
    let app = &funded.mall.shop.app;
    let (ada, bob) = (app.member("ada@b.test").await, app.member("bob@b.test").await);
    let first = funded.back(&ada, 1).await;
    let second = funded.mall.buy(&ada, "again", funded.lines(1)).await;
    funded.back(&bob, 1).await;
    let refund = async |order: &Value, key: &str, body: Value| {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        app.post(&path).bearer(&funded.mall.owner.token).key(key).json(&body).send().await.ok(201);
        funded.mall.shop.settle().await;
        let stands = funded.stands().await;
        (stands["pledged"]["units"].as_i64().unwrap(), stands["backers"].as_i64().unwrap())
    };
    assert_eq!(refund(&first, "1", json!({ "reason": "Part.", "amount": yuan(1) })).await, (3, 2));
    assert_eq!(refund(&first, "2", json!({ "reason": "All." })).await, (2, 2), "she backs it once more");
    // Her line alone, without the shipping: that goes back with the goal.
    let line = json!({ "reason": "Line.", "lines": [{ "line": second["lines"][0]["id"] }] });
    assert_eq!(refund(&second, "3", line).await, (1, 1));
    funded.mall.shop.advance(TimeDelta::days(3) + TimeDelta::minutes(2)).await;
    assert_eq!(funded.stands().await["state"], "missed");
    let (captured, refunded) = funded.money();
    assert_eq!(captured, refunded);
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_crowdfunding_can_be_is_refused_by_field() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    let free = mall.goods("FREE", 0, 10).await;
    let course = json!([{ "sku": "COURSE", "price": yuan(9) }]);
    let course = mall.product("course", "digital", course, json!({})).await["variants"][0]["id"].clone();
    let app = &mall.shop.app;
    let now = app.now();
    let post = async |more: Value| {
        let mut body = json!({
            "code": "new", "names": { "zh-CN": "新", "en": "New" }, "opens_at": now,
            "closes_at": now + TimeDelta::days(75), "items": [{ "variant": tea, "quantity": 5 }], "goal": units(5),
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        app.post("/v1/admin/drops").bearer(&mall.owner.token).json(&body).send().await
    };
    let second = TimeDelta::seconds(1);
    let early = json!([{ "buyers": { "who": "members" }, "opens_at": now - second }]);
    for (more, field) in [
        (json!({ "goal": units(6) }), "goal.units"),
        (json!({ "goal": {} }), "goal"),
        (json!({ "closes_at": now + TimeDelta::days(75) + second }), "closes_at"),
        (json!({ "audiences": early }), "closes_at"),
        (json!({ "items": [{ "variant": course, "quantity": 5 }] }), "items"),
    ] {
        let refused = post(more.clone()).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field, "{more}");
    }
    let items = json!([{ "variant": tea, "quantity": 5 }, { "variant": free, "quantity": 5 }]);
    let drop = post(json!({ "items": items })).await.ok(201);
    let person = app.member("a@b.test").await;
    let line = |variant: &Value| json!({ "variant": variant, "drop": drop["id"] });
    mall.order(&person, "k", json!([line(&tea), { "variant": tea }])).await.refused(422, "stands_alone");
    mall.order(&person, "k", json!([line(&free)])).await.refused(422, "pledge_needs_price");
    mall.order(&person, "k", json!([line(&tea)])).await.ok(201);

    let path = format!("/v1/admin/drops/{}", drop["id"].as_str().unwrap());
    let patch = async |version: i64, body: Value| {
        let owner = app.sign_in(&mall.owner.email).await;
        let request = app.patch(&path).bearer(&owner.token).header("If-Match", &format!("\"v{version}\""));
        request.json(&body).send().await
    };
    // The first order was taken: a later opening doesn't buy time.
    let moved = |days: i64| json!({ "opens_at": now + TimeDelta::days(days), "closes_at": now + TimeDelta::days(75 + days) });
    assert_eq!(patch(1, moved(1)).await.refused(422, "invalid_field")["errors"][0]["field"], "closes_at");
    patch(1, json!({ "closes_at": now + TimeDelta::hours(1) })).await.ok(200);
    mall.shop.advance(TimeDelta::hours(2)).await;
    patch(2, json!({ "closes_at": now + TimeDelta::hours(9) })).await.refused(409, "closed");
    let names = json!({ "names": { "zh-CN": "旧", "en": "Old" } });
    assert_eq!(patch(2, names).await.ok(200)["crowdfunding"]["state"], "missed");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_ends_it_before_its_time_and_a_refund_that_fails_is_shown() {
    let funded = Funded::open(units(9), TimeDelta::days(30)).await;
    let app = &funded.mall.shop.app;
    let ada = app.member("ada@b.test").await;
    let order = funded.mall.order(&ada, "back", funded.lines(1)).await.ok(201);
    assert_eq!(funded.mall.shop.on_page(&order, &[("action", "pay"), ("method", "card")]).await, 303);
    assert_eq!(funded.mall.shop.settled(&ada, &order).await["state"], "paid");
    // Stripe refunds no charge that is disputed.
    let intent = funded.mall.shop.simulator().book().payments[0].payment_intent.clone();
    funded.mall.shop.simulator().open_dispute(&intent, "fraudulent").unwrap();
    let archive = format!("/v1/admin/drops/{}/archive", funded.drop["id"].as_str().unwrap());
    app.post(&archive).bearer(&funded.mall.owner.token).send().await.ok(200);
    funded.mall.shop.advance(TimeDelta::minutes(2)).await;
    let owner = funded.again(&funded.mall.owner).await;
    let path = format!("/v1/admin/drops/{}", funded.drop["id"].as_str().unwrap());
    let seen = app.get(&path).bearer(&owner.token).send().await.ok(200);
    assert_eq!(seen["crowdfunding"]["state"], "missed");
    let order = funded.mall.shop.show(&ada, &order).await;
    assert_eq!((&order["state"], &order["refunds"][0]["state"]), (&json!("paid"), &json!("failed")));
    assert_eq!(order["refunds"].as_array().unwrap().len(), 1);
    funded.mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(funded.count("SELECT count(*) AS count FROM refunds").await, 1, "it isn't tried for ever");
    funded.mall.finish().await;
}

/// A code opens a door to the drop, not a time in which nobody else may pledge.
#[tokio::test(flavor = "multi_thread")]
async fn an_f_code_is_good_while_the_campaign_runs() {
    let funded = Funded::open(units(1), TimeDelta::hours(3)).await;
    let anna = funded.mall.shop.app.member("anna@b.test").await;
    let bao = funded.mall.shop.app.member("bao@b.test").await;
    let path = format!("/v1/admin/drops/{}/f-codes", funded.drop["id"].as_str().unwrap());
    let expires_at = funded.mall.shop.app.now() + TimeDelta::days(2);
    let body = json!({ "variant": funded.book, "quantity": 2, "expires_at": expires_at });
    let codes = funded.mall.shop.app.post(&path).bearer(&funded.mall.owner.token).key("codes").json(&body);
    let codes = codes.send().await.ok(201);
    let with = |index: usize| {
        let code = &codes["data"][index]["code"];
        json!([{ "variant": funded.book, "drop": funded.drop["id"], "f_code": code }])
    };
    assert_eq!(funded.mall.buy(&anna, "code", with(0)).await["state"], "paid");
    funded.mall.shop.advance(TimeDelta::hours(4)).await;
    let bao = funded.again(&bao).await;
    funded.mall.order(&bao, "late", with(1)).await.refused(409, "closed");
    assert_eq!(funded.stands().await["state"], "reached");
    let owner = funded.mall.shop.app.sign_in(&funded.mall.owner.email).await;
    let drop = format!("/v1/admin/drops/{}", funded.drop["id"].as_str().unwrap());
    let now = funded.mall.shop.app.now();
    let change = json!({ "closes_at": now - TimeDelta::minutes(1) });
    let request = funded.mall.shop.app.patch(&drop).bearer(&owner.token).header("If-Match", "\"v1\"");
    request.json(&change).send().await.refused(409, "closed");
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_end_is_not_moved_into_the_past() {
    let funded = Funded::open(units(1), TimeDelta::days(3)).await;
    funded.mall.shop.advance(TimeDelta::hours(2)).await;
    let owner = funded.mall.shop.app.sign_in(&funded.mall.owner.email).await;
    let drop = format!("/v1/admin/drops/{}", funded.drop["id"].as_str().unwrap());
    let now = funded.mall.shop.app.now();
    let change = async |closes_at| {
        let request = funded.mall.shop.app.patch(&drop).bearer(&owner.token).header("If-Match", "\"v1\"");
        request.json(&json!({ "closes_at": closes_at })).send().await
    };
    let refused = change(now - TimeDelta::hours(1)).await;
    assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "closes_at");
    change(now + TimeDelta::hours(1)).await.ok(200);
    funded.mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pledge_that_store_credit_pays_counts_and_comes_back() {
    let funded = Funded::open(units(2), TimeDelta::days(3)).await;
    let mall = &funded.mall;
    let ada = mall.shop.app.member("ada@b.test").await;
    let path = format!("/v1/admin/accounts/{}/credit", ada.id);
    let body = json!({ "amount": yuan(80), "reason": "Sorry." });
    mall.shop.app.post(&path).bearer(&mall.owner.token).key("c").json(&body).send().await.ok(201);
    let mut body = mall.body(funded.lines(1));
    body["credit"] = json!(8_000);
    let order = mall.shop.app.post("/v1/orders").bearer(&ada.token).key("k").json(&body).send().await.ok(201);
    assert_eq!(order["totals"]["due"]["amount"], 0);
    mall.shop.settle().await;
    assert_eq!(mall.shop.show(&ada, &order).await["state"], "paid");
    assert_eq!(funded.stands().await["pledged"]["units"], 1);
    mall.shop.advance(TimeDelta::days(3)).await;
    mall.shop.advance(TimeDelta::minutes(2)).await;
    let ada = funded.again(&ada).await;
    assert_eq!(mall.shop.show(&ada, &order).await["state"], "refunded");
    let credit = mall.shop.app.get("/v1/me/credit").bearer(&ada.token).send().await.ok(200);
    assert_eq!(credit["balance"]["amount"], 8_000);
    funded.mall.finish().await;
}

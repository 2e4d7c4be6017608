//! Random lives of members: whatever they and the shop do, in whatever order, the invariants hold after each step, nobody has a
//! term that wasn't paid or given, and nobody is credited more than he paid.

use chrono::TimeDelta;
use kindred::people::operators::rules::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::mall::yuan;
use crate::support::shop::Shop;

/// What happens next in a life.
#[derive(Clone, Debug)]
enum Act {
    Buy(usize),
    Upgrade {
        to: usize,
        restart: bool,
    },
    Renew,
    Freeze(i64),
    Resume,
    Switch(bool),
    Cancel,
    Plan(Option<usize>),
    Grant(usize),
    Extend(i64),
    /// An order of his, counted from the newest, goes back.
    Refund {
        order: usize,
        part: bool,
    },
    Card(&'static str),
    Pass(i64),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..3_usize).prop_map(Act::Buy),
        3 => (0..3_usize, any::<bool>()).prop_map(|(to, restart)| Act::Upgrade { to, restart }),
        2 => Just(Act::Renew),
        1 => (1..20_i64).prop_map(Act::Freeze),
        1 => Just(Act::Resume),
        1 => any::<bool>().prop_map(Act::Switch),
        1 => Just(Act::Cancel),
        2 => prop::option::of(0..3_usize).prop_map(Act::Plan),
        1 => (0..3_usize).prop_map(Act::Grant),
        1 => (1..40_i64).prop_map(Act::Extend),
        2 => (0..3_usize, any::<bool>()).prop_map(|(order, part)| Act::Refund { order, part }),
        1 => prop_oneof![Just("ok"), Just("decline"), Just("authentication_required")].prop_map(Act::Card),
        6 => (1..200_i64).prop_map(Act::Pass),
    ]
}

struct Life {
    shop: Shop,
    owner: String,
    plans: Vec<Value>,
    person: Person,
    orders: Vec<Value>,
    done: usize,
}

impl Life {
    async fn begin() -> Self {
        let shop = Shop::open().await;
        let owner = shop.app.operator(Role::Owner).await;
        let mut plans = Vec::new();
        for (code, rank, price) in [("regular", 10, 200), ("diehard", 20, 1_200), ("patron", 30, 3_000)] {
            let tier = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "rank": rank });
            let tier = shop.app.make(&owner, "/v1/admin/tiers", &tier).await;
            let plan = json!({
                "code": code, "tier": tier["id"], "term": "P1Y", "price": yuan(price), "renews": "card",
                "payment_methods": ["card"], "open_sale": true, "open_upgrade": true,
            });
            plans.push(shop.app.make(&owner, "/v1/admin/plans", &plan).await);
        }
        let person = shop.app.member("life@example.org").await;
        Self { shop, owner: owner.email, plans, person, orders: Vec::new(), done: 0 }
    }

    fn key(&self) -> String {
        format!("act-{}", self.done)
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.shop.app.post(path).bearer(&self.person.token).key(&self.key()).json(&body).send().await
    }

    async fn by_owner(&self, path: &str, body: Value) -> Answer {
        let owner = self.shop.app.sign_in(&self.owner).await;
        self.shop.app.post(path).bearer(&owner.token).key(&self.key()).json(&body).send().await
    }

    async fn mine(&self) -> Option<Value> {
        self.shop.membership(&self.person).await
    }

    async fn order(&mut self, line: Value) -> Option<Answer> {
        let body =
            json!({ "lines": [line], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
        let answer = self.post("/v1/orders?wait=payment", body).await;
        if answer.status != 201 {
            return Some(answer);
        }
        let order = answer.ok(201);
        if order["payment"]["state"] != "not_needed" {
            self.shop.pay(&order).await;
        }
        self.orders.push(self.shop.settled(&self.person, &order).await);
        None
    }

    /// Does it; the refusal, where it is one.
    async fn act(&mut self, act: &Act) -> Option<Answer> {
        let ids: Vec<Value> = self.plans.iter().map(|plan| plan["id"].clone()).collect();
        let plan = |index: usize| ids[index].clone();
        let answer = match act {
            Act::Buy(index) => {
                let line = json!({ "plan": plan(*index) });
                return self.order(line).await;
            }
            Act::Upgrade { to, restart } => {
                let mode = if *restart { "restart" } else { "prorate" };
                let paid = self.paid_minor().await;
                let quote = self.post("/v1/upgrade-quotes", json!({ "plan": plan(*to), "mode": mode })).await;
                if quote.status != 201 {
                    return Some(quote);
                }
                let quote = quote.ok(201);
                let credit = quote["credit"]["amount"].as_i64().unwrap();
                assert!(credit <= paid, "credited {credit} of {paid} that stayed paid");
                return self.order(json!({ "upgrade_quote": quote["id"] })).await;
            }
            Act::Renew => {
                let renewal = self.post("/v1/renewals", json!({})).await;
                if renewal.status != 201 {
                    return Some(renewal);
                }
                return self.order(json!({ "renewal": renewal.ok(201)["id"] })).await;
            }
            Act::Freeze(days) => {
                let until = self.shop.app.now() + TimeDelta::days(*days) + TimeDelta::hours(1);
                self.post("/v1/me/membership/freeze", json!({ "until": until })).await
            }
            Act::Resume => self.post("/v1/me/membership/resume", json!({})).await,
            Act::Switch(on) => self.post("/v1/me/membership/renewal", json!({ "on": on })).await,
            Act::Cancel => self.post("/v1/me/membership/cancel", json!({ "reason": "Enough." })).await,
            Act::Plan(to) => {
                let body = json!({ "plan": to.map(plan) });
                self.post("/v1/me/membership/downgrade", body).await
            }
            Act::Grant(index) => {
                let path = format!("/v1/admin/accounts/{}/memberships", self.person.id);
                self.by_owner(&path, json!({ "plan": plan(*index), "reason": "A present." })).await
            }
            Act::Extend(days) => {
                let membership = self.mine().await?;
                let path = format!("/v1/admin/memberships/{}/extend", membership["id"].as_str().unwrap());
                self.by_owner(&path, json!({ "term": format!("P{days}D"), "reason": "Sorry." })).await
            }
            Act::Refund { order, part } => {
                let order = self.orders.iter().rev().nth(*order)?.clone();
                let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
                let mut body = json!({ "reason": "Asked for it." });
                if *part {
                    body["amount"] = json!({ "amount": 1_000, "currency": "CNY" });
                }
                self.by_owner(&path, body).await
            }
            Act::Card(behaviour) => {
                let sql = "SELECT count(*) AS count FROM accounts WHERE stripe_customer_id IS NOT NULL";
                if count_sql(&mut *self.shop.app.conn().await, sql).await > 0 {
                    let sql = "SELECT stripe_customer_id AS text FROM accounts WHERE stripe_customer_id IS NOT NULL";
                    let customer =
                        crate::support::catalog::text_sql(&mut *self.shop.app.conn().await, sql).await;
                    self.shop.simulator().set_card(&customer, behaviour, None).unwrap();
                }
                return None;
            }
            Act::Pass(days) => {
                self.shop.advance(TimeDelta::days(*days)).await;
                self.person = self.shop.app.sign_in(&self.person.email).await;
                return None;
            }
        };
        (answer.status >= 300).then_some(answer)
    }

    /// What he paid and didn't get back.
    async fn paid_minor(&self) -> i64 {
        let book = self.shop.simulator().book();
        book.captured_minor - book.refunded_minor
    }

    async fn holds(&self) {
        self.shop.settle().await;
        self.shop.app.check().await;
        let Some(mine) = self.mine().await else { return };
        let worth = mine["worth"]["paid"]["amount"].as_i64().unwrap();
        let paid = self.paid_minor().await;
        assert!(worth <= paid, "worth {worth}, and {paid} stayed paid");
    }
}

/// One life of so many acts, the same for a seed each time.
async fn live(seed: u8, acts: usize) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let acts = prop::collection::vec(act(), acts).new_tree(&mut runner).unwrap().current();
    let mut life = Life::begin().await;
    let mut refused = 0;
    for act in &acts {
        life.done += 1;
        if let Some(answer) = life.act(act).await {
            // What the state forbids, or what such a body never could do; never a failure of ours.
            assert!(
                [403, 404, 409, 422].contains(&answer.status),
                "{act:?}: {} {}",
                answer.status,
                answer.json
            );
            refused += 1;
        }
        life.holds().await;
    }
    assert!(refused < acts.len(), "nothing happened in this life");
    life.shop.finish().await;
}

macro_rules! lives {
    ($($name:ident = $seed:literal),* $(,)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            live($seed, 25).await;
        })*
    };
}

lives! {
    the_first_life = 1,
    the_second_life = 2,
    the_third_life = 3,
    the_fourth_life = 4,
}

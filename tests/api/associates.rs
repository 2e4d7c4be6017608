//! Families: seats that a plan gives, who takes them, and that an associate is what the head's membership is.

use chrono::TimeDelta;
use futures::future::{join, join_all};
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::count_sql;
use crate::support::http::Answer;
use crate::support::mall::yuan;
use crate::support::people::PASSWORD;
use crate::support::shop::Shop;

/// Harley's four: a year of `full` for 400 yuan with two seats, `full` for life with three, both with associates of the tier
/// `associate`; a year of `single` for 200 yuan without any, and `club`, a higher tier whose associates are of it too, with one.
struct House {
    shop: Shop,
    owner: Person,
    year: Value,
    life: Value,
    single: Value,
    alone: Value,
    club: Value,
}

impl House {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let owner = shop.app.operator(Role::Owner).await;
        let tier = async |code: &str, rank: i32, associates: &Value| {
            let names = json!({ "zh-CN": code, "en": code });
            let tier = json!({ "code": code, "names": names, "rank": rank, "associate_tier": associates });
            shop.app.make(&owner, "/v1/admin/tiers", &tier).await
        };
        let associate = tier("associate", 5, &Value::Null).await;
        let full = tier("full", 10, &associate["id"]).await;
        let club = tier("club", 20, &Value::Null).await;
        let plan = async |code: &str, tier: &Value, term: &str, price: i64, seats: i32| {
            let plan = json!({
                "code": code, "tier": tier["id"], "term": term, "price": yuan(price), "renews": "never",
                "payment_methods": ["card", "alipay"], "open_sale": true, "associate_seats": seats,
            });
            shop.app.make(&owner, "/v1/admin/plans", &plan).await
        };
        let year = plan("full-year", &full, "P365D", 400, 2).await;
        let life = plan("full-life", &full, "lifetime", 4_000, 3).await;
        let single = plan("full-single", &full, "P365D", 200, 0).await;
        let alone = plan("associate-year", &associate, "P365D", 100, 0).await;
        let club = plan("club-year", &club, "P365D", 1_000, 1).await;
        Self { shop, owner, year, life, single, alone, club }
    }

    async fn order(&self, person: &Person, key: &str, line: Value) -> Answer {
        let body =
            json!({ "lines": [line], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
        self.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
    }

    async fn buy(&self, person: &Person, key: &str, line: Value) -> Value {
        let order = self.order(person, key, line).await.ok(201);
        self.shop.pay(&order).await;
        let order = self.shop.settled(person, &order).await;
        assert_eq!(order["state"], "fulfilled");
        order
    }

    /// Somebody with an account and a plan that he has paid for.
    async fn head(&self, email: &str, plan: &Value) -> (Person, Value) {
        let person = self.shop.app.member(email).await;
        let order = self.buy(&person, "join", json!({ "plan": plan["id"] })).await;
        (person, order)
    }

    async fn invite(&self, head: &Person, key: &str, email: &str) -> Answer {
        let request = self.shop.app.post("/v1/me/associates").bearer(&head.token).key(key);
        request.json(&json!({ "email": email })).send().await
    }

    /// The token of the newest invitation to an address.
    async fn token(&self, email: &str) -> String {
        self.shop.settle().await;
        let inbox = self.shop.app.app.postbox.inbox().unwrap().all();
        let mail = inbox.into_iter().find(|mail| mail.to == email && mail.text.contains("ka_")).unwrap();
        mail.text.lines().find(|line| line.starts_with("ka_")).unwrap().to_owned()
    }

    async fn accept(&self, person: &Person, token: &str) -> Answer {
        let path = "/v1/associate-invitations/accept";
        let request = self.shop.app.post(path).bearer(&person.token);
        request.json(&json!({ "token": token })).send().await
    }

    /// An associate of a head, with an account of this address.
    async fn associate(&self, head: &Person, email: &str) -> Person {
        self.invite(head, email, email).await.ok(201);
        let token = self.token(email).await;
        let person = self.shop.app.member(email).await;
        self.accept(&person, &token).await.ok(200);
        person
    }

    async fn family(&self, head: &Person) -> Value {
        self.shop.app.get("/v1/me/associates").bearer(&head.token).send().await.ok(200)
    }

    /// (allowed, held, taken, left)
    async fn seats(&self, head: &Person) -> [i64; 4] {
        let seats = self.family(head).await["seats"].clone();
        ["allowed", "held", "taken", "left"].map(|field| seats[field].as_i64().unwrap())
    }

    async fn mine(&self, person: &Person) -> Answer {
        self.shop.app.get("/v1/me/membership").bearer(&person.token).send().await
    }

    /// State and tier.
    async fn stands(&self, person: &Person) -> (String, String) {
        let mine = self.mine(person).await.ok(200);
        (mine["state"].as_str().unwrap().to_owned(), mine["tier"].as_str().unwrap().to_owned())
    }

    async fn delete(&self, person: &Person, id: &Value) -> Answer {
        let path = format!("/v1/me/associates/{}", id.as_str().unwrap());
        self.shop.app.delete(&path).bearer(&person.token).send().await
    }

    async fn advance(&self, days: i64) {
        self.shop.advance(TimeDelta::days(days)).await;
    }

    async fn back(&self, person: &Person) -> Person {
        self.shop.app.sign_in(&person.email).await
    }

    async fn act(&self, path: &str, body: Value) -> Answer {
        let owner = self.back(&self.owner).await;
        let key = uuid::Uuid::new_v4().to_string();
        self.shop.app.post(path).bearer(&owner.token).key(&key).json(&body).send().await
    }

    async fn refund(&self, order: &Value) {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        self.act(&path, json!({ "reason": "Asked." })).await.ok(201);
        self.shop.settle().await;
    }

    async fn upgrade(&self, person: &Person, key: &str, plan: &Value) -> Value {
        let body = json!({ "plan": plan["id"], "mode": "restart" });
        let quote = self.shop.app.post("/v1/upgrade-quotes").bearer(&person.token).json(&body).send().await;
        self.buy(person, key, json!({ "upgrade_quote": quote.ok(201)["id"] })).await
    }

    async fn check(&self, number: &Value) -> Value {
        let path = format!("/v1/members/{}", number.as_str().unwrap());
        self.shop.app.get(&path).send().await.ok(200)
    }

    async fn count(&self, sql: &str) -> i64 {
        let mut conn = self.shop.app.conn().await;
        count_sql(&mut conn, sql).await
    }

    fn mails_to(&self, email: &str, subject: &str) -> usize {
        let inbox = self.shop.app.app.postbox.inbox().unwrap().all();
        inbox.iter().filter(|mail| mail.to == email && mail.subject.contains(subject)).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_associate_has_a_number_and_belongs_by_the_heads_membership() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    assert_eq!(house.seats(&anna).await, [2, 0, 0, 2]);
    let invited = house.invite(&anna, "one", "Bob@example.org").await.ok(201);
    assert_eq!(
        (&invited["data"][0]["state"], &invited["data"][0]["email"]),
        (&json!("invited"), &json!("Bob@example.org"))
    );
    assert_eq!(
        house.invite(&anna, "one", "Bob@example.org").await.ok(201)["data"][0]["id"],
        invited["data"][0]["id"]
    );
    assert_eq!(house.seats(&anna).await, [2, 1, 0, 1]);
    house.invite(&anna, "one", "other@example.org").await.refused(422, "idempotency_key_reused");
    house.invite(&anna, "two", "bob@example.org").await.refused(409, "already_invited");
    house.invite(&anna, "self", "anna@example.org").await.refused(422, "invalid_field");

    let token = house.token("Bob@example.org").await;
    let eve = house.shop.app.member("eve@example.org").await;
    house.accept(&eve, &token).await.refused(403, "invitation_not_yours");
    house.accept(&eve, "ka_nonsense").await.refused(410, "token_invalid");
    let bob = house.shop.app.member("bob@example.org").await;
    house.mine(&bob).await.refused(404, "no_membership");
    let mine = house.accept(&bob, &token).await.ok(200);
    let head = house.mine(&anna).await.ok(200);
    assert_eq!((&mine["state"], &mine["tier"]), (&json!("active"), &json!("associate")));
    assert_eq!((&mine["ends_at"], &mine["chapter"]), (&head["ends_at"], &head["chapter"]));
    assert_eq!((&mine["associate"]["head"], &mine["plan"]), (&head["number"], &Value::Null));
    assert_eq!(mine["worth"]["paid"]["amount"], 0, "what the head has paid is the head's");
    assert_ne!(mine["number"], head["number"]);
    assert_eq!(house.check(&mine["number"]).await["tier"], "associate");
    assert_eq!(house.check(&mine["number"]).await["valid"], true);
    let card = house.shop.app.get("/v1/me/membership/card").bearer(&bob.token).send().await;
    assert!(card.status == 200 && card.text.contains(mine["number"].as_str().unwrap()));
    house.accept(&bob, &token).await.ok(200);
    assert_eq!(house.seats(&anna).await, [2, 0, 1, 1]);
    house.shop.settle().await;
    assert_eq!(house.mails_to("bob@example.org", mine["number"].as_str().unwrap()), 1);

    // An associate has no seats to give, and nobody who runs on his own takes one.
    assert_eq!(house.seats(&bob).await, [0, 0, 0, 0]);
    house.invite(&bob, "mine", "carl@example.org").await.refused(409, "is_associate");
    house.invite(&eve, "none", "carl@example.org").await.refused(409, "membership_not_open");
    let (carl, _) = house.head("carl@example.org", &house.year).await;
    house.invite(&carl, "bob", "bob@example.org").await.ok(201);
    let second = house.token("bob@example.org").await;
    house.accept(&bob, &second).await.refused(409, "is_associate");
    house.invite(&anna, "carl", "carl@example.org").await.ok(201);
    let to_carl = house.token("carl@example.org").await;
    house.accept(&carl, &to_carl).await.refused(409, "has_membership");
    house.invite(&anna, "full", "dora@example.org").await.refused(409, "no_seat_left");

    // Turned down, the seat is free; the token is good for nothing more.
    let decline = async |token: &str| {
        let path = "/v1/associate-invitations/decline";
        house.shop.app.post(path).json(&json!({ "token": token })).send().await
    };
    decline(&to_carl).await.ok(204);
    decline(&to_carl).await.ok(204);
    house.accept(&carl, &to_carl).await.refused(409, "invitation_expired");
    decline(&token).await.refused(409, "invitation_expired");
    assert_eq!(house.seats(&anna).await, [2, 0, 1, 1]);
    // He leaves, and may follow the other invitation; his number is the same.
    house.delete(&eve, &mine["associate"]["id"]).await.refused(404, "not_found");
    house.delete(&bob, &mine["associate"]["id"]).await.ok(204);
    house.delete(&bob, &mine["associate"]["id"]).await.ok(204);
    house.mine(&bob).await.refused(404, "no_membership");
    assert_eq!(house.check(&mine["number"]).await["valid"], false);
    assert_eq!(house.accept(&bob, &second).await.ok(200)["number"], mine["number"]);
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_never_take_more_seats_than_there_are() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.life).await;
    let emails: Vec<_> = (0..12).map(|n| format!("m{n}@example.org")).collect();
    let answers = join_all(emails.iter().map(|email| house.invite(&anna, email, email))).await;
    let invited: Vec<_> = answers
        .iter()
        .zip(&emails)
        .filter(|(answer, _)| answer.status == 201)
        .map(|(_, email)| email)
        .collect();
    assert_eq!(invited.len(), 3);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(409, "no_seat_left");
    }
    // Of the same accepted and withdrawn at once one wins, and the seat is counted once.
    let family = house.family(&anna).await;
    let rows = family["data"].as_array().unwrap();
    let id = rows.iter().find(|row| row["email"] == json!(invited[0])).unwrap()["id"].clone();
    let token = house.token(invited[0]).await;
    let bob = house.shop.app.member(invited[0]).await;
    let accepts = join_all((0..4).map(|_| house.accept(&bob, &token)));
    let (accepted, withdrawn) = join(accepts, house.delete(&anna, &id)).await;
    withdrawn.ok(204);
    // Who had it, and has lost it by the time of the answer, is told that he has no membership.
    assert!(accepted.iter().all(|answer| [200, 404, 409].contains(&answer.status)), "{accepted:?}");
    assert_eq!(house.seats(&anna).await, [3, 2, 0, 1]);
    // Invited by two, he takes one seat.
    let (carl, _) = house.head("carl@example.org", &house.year).await;
    let mut tokens = Vec::new();
    for head in [&anna, &carl] {
        house.invite(head, "both", "dora@example.org").await.ok(201);
        tokens.push(house.token("dora@example.org").await);
    }
    let dora = house.shop.app.member("dora@example.org").await;
    let (one, other) = join(house.accept(&dora, &tokens[0]), house.accept(&dora, &tokens[1])).await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    // The mails of who withdraws and invites again have an end.
    for n in 0..20 {
        let answer = house.invite(&carl, &format!("again-{n}"), "no@example.org").await;
        match answer.status {
            201 => {
                let family = house.family(&carl).await;
                let rows = family["data"].as_array().unwrap();
                let row = rows.iter().find(|row| row["email"] == "no@example.org").unwrap();
                house.delete(&carl, &row["id"]).await.ok(204);
            }
            _ => {
                answer.refused(429, "too_many_attempts");
            }
        }
    }
    house.invite(&carl, "no-more", "no@example.org").await.refused(429, "too_many_attempts");
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_the_head_happens_to_the_associate() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let id = house.mine(&anna).await.ok(200)["id"].as_str().unwrap().to_owned();
    let reason = json!({ "reason": "Asked." });
    let act = async |verb: &str| {
        house.act(&format!("/v1/admin/memberships/{id}/{verb}"), reason.clone()).await.ok(200)
    };
    act("freeze").await;
    assert_eq!(house.stands(&bob).await.0, "frozen");
    house.invite(&anna, "frozen", "carl@example.org").await.refused(409, "membership_frozen");
    act("resume").await;
    assert_eq!(house.stands(&bob).await.0, "active");

    // In grace he belongs still, and when the head comes back within it nothing has happened.
    house.advance(367).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    assert_eq!(house.stands(&bob).await, ("grace".into(), "associate".into()));
    house.buy(&anna, "again", json!({ "plan": house.year["id"] })).await;
    assert_eq!(house.stands(&bob).await, ("active".into(), "associate".into()));
    assert_eq!(house.seats(&anna).await, [2, 0, 1, 1]);

    // After grace it is over; when the head comes back then, he invites anew.
    let number = house.mine(&bob).await.ok(200)["number"].clone();
    house.invite(&anna, "late", "late@example.org").await.ok(201);
    house.advance(374).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    house.mine(&bob).await.refused(404, "no_membership");
    assert_eq!(house.check(&number).await["valid"], false);
    assert_eq!(house.mails_to("bob@example.org", "附属会员"), 2, "he joined, and is one no more");
    house.buy(&anna, "back", json!({ "plan": house.year["id"] })).await;
    assert_eq!(house.seats(&anna).await, [2, 0, 0, 2]);
    house.mine(&bob).await.refused(404, "no_membership");
    house.invite(&anna, "anew", "bob@example.org").await.ok(201);
    let token = house.token("bob@example.org").await;
    assert_eq!(house.accept(&bob, &token).await.ok(200)["number"], number);
    // Revoked, refunded or lost to the bank: the same.
    let id = house.mine(&anna).await.ok(200)["id"].as_str().unwrap().to_owned();
    house.act(&format!("/v1/admin/memberships/{id}/revoke"), reason).await.ok(200);
    house.mine(&bob).await.refused(404, "no_membership");
    let shown =
        house.shop.app.get(&format!("/v1/admin/members/{id}")).bearer(&house.back(&house.owner).await.token);
    let shown = shown.send().await.ok(200);
    assert_eq!(
        (&shown["associates"][0]["state"], &shown["associates"][0]["cause"]),
        (&json!("ended"), &json!("head_over"))
    );
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_of_the_head_holds_the_associates_and_a_lost_one_ends_them() {
    let house = House::open().await;
    let anna = house.shop.app.member("anna@example.org").await;
    let order = house.order(&anna, "join", json!({ "plan": house.year["id"] })).await.ok(201);
    assert_eq!(house.shop.on_page(&order, &[("action", "pay"), ("method", "card")]).await, 303);
    house.shop.settled(&anna, &order).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let paid = house.shop.simulator().book().payments[0].clone();
    let dispute = house.shop.simulator().open_dispute(&paid.payment_intent, "fraudulent").unwrap();
    house.shop.settle().await;
    assert_eq!(house.stands(&bob).await.0, "frozen");
    house.shop.simulator().close_dispute(&dispute, "lost").unwrap();
    house.shop.settle().await;
    house.mine(&bob).await.refused(404, "no_membership");
    assert_eq!(house.mine(&anna).await.ok(200)["state"], "revoked");
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_takes_the_associates_along_and_its_refund_puts_them_back() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let carl = house.associate(&anna, "carl@example.org").await;
    // The club gives one seat: two are there and stay, and there is none for a third.
    let upgrade = house.upgrade(&anna, "club", &house.club).await;
    for associate in [&bob, &carl] {
        assert_eq!(house.stands(associate).await, ("active".into(), "club".into()));
    }
    assert_eq!(house.seats(&anna).await, [1, 0, 2, 0]);
    house.invite(&anna, "third", "dora@example.org").await.refused(409, "no_seat_left");
    house.refund(&upgrade).await;
    assert_eq!(house.seats(&anna).await, [2, 0, 2, 0]);
    assert_eq!(house.stands(&carl).await, ("active".into(), "associate".into()));

    // A year of a plan with none begins: what the one before has given ends with it.
    house.buy(&anna, "single", json!({ "plan": house.single["id"] })).await;
    assert_eq!(house.seats(&anna).await, [2, 0, 2, 0]);
    house.advance(366).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    assert_eq!(house.seats(&anna).await, [0, 0, 0, 0]);
    house.mine(&bob).await.refused(404, "no_membership");
    assert_eq!(house.mine(&anna).await.ok(200)["state"], "active");
    assert_eq!(house.mails_to("carl@example.org", "不再是"), 1);
    // Bought and refunded, the seats that it gave are gone at once.
    let family = house.upgrade(&anna, "family", &house.club).await;
    let bob = {
        house.invite(&anna, "bob", "bob@example.org").await.ok(201);
        let token = house.token("bob@example.org").await;
        house.accept(&bob, &token).await.ok(200);
        bob
    };
    house.refund(&family).await;
    assert_eq!(house.stands(&anna).await, ("active".into(), "full".into()));
    house.mine(&bob).await.refused(404, "no_membership");
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_buys_a_membership_leaves_his_seat_and_who_has_none_left_may_take_one() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let number = house.mine(&bob).await.ok(200)["number"].clone();
    let order = house.buy(&bob, "own", json!({ "plan": house.alone["id"] })).await;
    let own = house.mine(&bob).await.ok(200);
    assert_eq!((&own["associate"], &own["plan"]), (&Value::Null, &json!("associate-year")));
    assert_eq!(own["number"], number);
    assert_eq!(house.seats(&anna).await, [2, 0, 0, 2]);
    // His money goes back: he has neither, until he is invited again.
    house.refund(&order).await;
    assert_eq!(house.mine(&bob).await.ok(200)["state"], "expired");
    house.invite(&anna, "again", "bob@example.org").await.ok(201);
    let token = house.token("bob@example.org").await;
    assert_eq!(house.accept(&bob, &token).await.ok(200)["state"], "active");

    // A membership that is over by date holds nobody, in grace or not.
    let (carl, _) = house.head("carl@example.org", &house.single).await;
    house.advance(360).await;
    let anna = house.back(&anna).await;
    house.buy(&anna, "next", json!({ "plan": house.year["id"] })).await;
    house.invite(&anna, "carl", "carl@example.org").await.ok(201);
    let token = house.token("carl@example.org").await;
    let carl = house.back(&carl).await;
    house.accept(&carl, &token).await.refused(409, "has_membership");
    house.advance(6).await;
    let carl = house.back(&carl).await;
    assert_eq!(house.mine(&carl).await.ok(200)["state"], "grace");
    assert_eq!(house.accept(&carl, &token).await.ok(200)["tier"], "associate");
    // A gift of an operator is a membership of his own too.
    let path = format!("/v1/admin/accounts/{}/memberships", carl.id);
    house.act(&path, json!({ "plan": house.single["id"], "reason": "A gift." })).await.ok(201);
    let anna = house.back(&anna).await;
    assert_eq!(house.seats(&anna).await[2], 1);
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_nobody_answers_and_what_operators_end() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    house.invite(&anna, "bob", "bob@example.org").await.ok(201);
    let token = house.token("bob@example.org").await;
    let bob = house.shop.app.member("bob@example.org").await;
    house.advance(30).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    house.accept(&bob, &token).await.refused(409, "invitation_expired");
    assert_eq!(house.seats(&anna).await, [2, 0, 0, 2]);
    let open = "SELECT count(*) FROM associate_seats WHERE held > 0";
    house.shop.advance(TimeDelta::hours(1)).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    assert_eq!(house.count(open).await, 0);

    house.invite(&anna, "bob-again", "bob@example.org").await.ok(201);
    let token = house.token("bob@example.org").await;
    let mine = house.accept(&bob, &token).await.ok(200);
    let path = format!("/v1/admin/associates/{}/end", mine["associate"]["id"].as_str().unwrap());
    house.act(&path, json!({ "reason": "" })).await.refused(422, "invalid_field");
    house.act(&path, json!({ "reason": "Sold the seat." })).await.ok(204);
    house.act(&path, json!({ "reason": "Sold the seat." })).await.ok(204);
    house.mine(&bob).await.refused(404, "no_membership");
    let owner = house.back(&house.owner).await;
    let admin = async |path: String| house.shop.app.get(&path).bearer(&owner.token).send().await.ok(200);
    let log = admin("/v1/admin/audit?action=associate.end".to_owned()).await;
    assert_eq!(log["data"].as_array().unwrap().len(), 1);
    // An associate's number or account leads to the head.
    let carl = house.associate(&anna, "carl@example.org").await;
    let number = house.mine(&carl).await.ok(200)["number"].as_str().unwrap().to_owned();
    for query in [format!("number={number}"), format!("account={}", carl.id)] {
        let found = admin(format!("/v1/admin/members?{query}")).await;
        assert_eq!(found["data"][0]["account"], json!(anna.id), "{query}");
    }
    let bad = json!({ "associate_seats": 51 });
    let path = format!("/v1/admin/plans/{}", house.year["id"].as_str().unwrap());
    let patch = house.shop.app.patch(&path).bearer(&owner.token).header("If-Match", "\"v1\"");
    patch.json(&bad).send().await.refused(422, "invalid_field");
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_members_is_for_associates_of_the_tier_that_the_seat_gives() {
    let house = House::open().await;
    let owner = &house.owner;
    let app = &house.shop.app;
    let segment =
        |code: &str, tier: &str| json!({ "code": code, "name": code, "rule": { "tier_at_least": tier } });
    app.make(owner, "/v1/admin/segments", &segment("insiders", "associate")).await;
    let product = json!({
        "slug": "course", "kind": "digital", "names": { "zh-CN": "课", "en": "Course" },
        "opens_for": { "who": "tier", "at_least": "associate" },
        "variants": [{ "sku": "COURSE", "price": yuan(100) }],
    });
    let product = app.make(owner, "/v1/admin/products", &product).await;
    let shut = json!({
        "slug": "shut", "kind": "digital", "names": { "zh-CN": "课", "en": "Shut" },
        "opens_for": { "who": "tier", "at_least": "full" },
        "variants": [{ "sku": "SHUT", "price": yuan(100) }],
    });
    let shut = app.make(owner, "/v1/admin/products", &shut).await;
    for (product, audience, price) in [
        (&product, json!({ "who": "segment", "segment": "insiders" }), 70),
        (&shut, json!({ "who": "tier", "at_least": "full" }), 60),
    ] {
        let path = format!("/v1/admin/variants/{}/prices", product["variants"][0]["id"].as_str().unwrap());
        app.make(owner, &path, &json!({ "price": yuan(price), "buyers": audience })).await;
    }
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let price = async |person: &Person, product: &Value| {
        let lines = json!([{ "variant": product["variants"][0]["id"] }]);
        let body =
            json!({ "lines": lines, "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
        let quote = app.post("/v1/quotes").bearer(&person.token).json(&body).send().await.ok(200);
        quote["totals"]["total"]["amount"].as_i64().unwrap() / 100
    };
    let opens = async |person: &Person| {
        let access = app.get("/v1/me/access").bearer(&person.token).send().await.ok(200);
        access["data"].as_array().unwrap().len()
    };
    assert_eq!((price(&bob, &product).await, price(&bob, &shut).await, opens(&bob).await), (70, 100, 1));
    assert_eq!((price(&anna, &product).await, price(&anna, &shut).await, opens(&anna).await), (70, 60, 2));
    let order = house.order(&bob, "course", json!({ "variant": product["variants"][0]["id"] })).await.ok(201);
    assert_eq!(order["totals"]["due"]["amount"], 7_000);
    let id = house.mine(&anna).await.ok(200)["id"].as_str().unwrap().to_owned();
    house.act(&format!("/v1/admin/memberships/{id}/freeze"), json!({ "reason": "Asked." })).await.ok(200);
    assert_eq!((price(&bob, &product).await, opens(&bob).await), (100, 0));
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_leaves_seats_and_no_address() {
    let house = House::open().await;
    let (anna, _) = house.head("anna@example.org", &house.year).await;
    let bob = house.associate(&anna, "bob@example.org").await;
    let export = house.shop.app.get("/v1/me/export").bearer(&bob.token).send().await.ok(200);
    assert_eq!(export["associates"].as_array().unwrap().len(), 1);
    assert!(!export.to_string().contains("token_hash"));
    house.invite(&anna, "carl", "carl@example.org").await.ok(201);
    let carl = house.shop.app.member("carl@example.org").await;
    let erase = async |person: &Person, forfeit: bool| {
        let body = json!({ "password": PASSWORD, "forfeit": forfeit });
        house.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await
    };
    erase(&bob, false).await.ok(204);
    erase(&carl, false).await.ok(204);
    assert_eq!(house.seats(&anna).await, [2, 0, 0, 2]);
    let dora = house.associate(&anna, "dora@example.org").await;
    house.invite(&anna, "emil", "emil@example.org").await.ok(201);
    erase(&anna, false).await.refused(409, "membership_running");
    erase(&anna, true).await.ok(204);
    house.mine(&dora).await.refused(404, "no_membership");
    let left = "SELECT count(*) FROM associates WHERE email IS NOT NULL OR state IN ('invited', 'active')";
    assert_eq!(house.count(left).await, 0);
    house.shop.finish().await;
}

/// For life: bought with any method, given, reached by an upgrade; never renewed, lengthened or frozen by its member; and what
/// goes back ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_membership_for_life() {
    let house = House::open().await;
    let anna = house.shop.app.member("anna@example.org").await;
    let order = house.order(&anna, "join", json!({ "plan": house.life["id"] })).await.ok(201);
    assert_eq!(house.shop.on_page(&order, &[("action", "pay"), ("method", "alipay")]).await, 303);
    let order = house.shop.settled(&anna, &order).await;
    let mine = house.mine(&anna).await.ok(200);
    assert_eq!(
        (&mine["state"], &mine["ends_at"], &mine["renews"]),
        (&json!("active"), &Value::Null, &json!("never"))
    );
    assert_eq!(mine["worth"]["paid"], yuan(4_000));
    assert_eq!(mine["worth"]["remaining"], yuan(4_000), "it never wears off");
    house.order(&anna, "more", json!({ "plan": house.year["id"] })).await.refused(409, "already_for_life");
    let until = house.shop.app.now() + TimeDelta::days(5);
    let freeze = house.shop.app.post("/v1/me/membership/freeze").bearer(&anna.token).key("freeze");
    freeze.json(&json!({ "until": until })).send().await.refused(409, "already_for_life");
    let bob = house.associate(&anna, "bob@example.org").await;
    assert_eq!(house.mine(&bob).await.ok(200)["ends_at"], Value::Null, "an associate for life");
    house.advance(3_650).await;
    let (anna, bob) = (house.back(&anna).await, house.back(&bob).await);
    assert_eq!(house.stands(&anna).await.0, "active");
    assert_eq!(house.stands(&bob).await.0, "active");
    assert_eq!(house.check(&mine["number"]).await["valid"], true);
    let card = house.shop.app.get("/v1/me/membership/card").bearer(&anna.token).send().await;
    assert!(card.text.contains("终身会员"));
    // An operator freezes it; the clock has nothing to give back.
    let id = mine["id"].as_str().unwrap().to_owned();
    for verb in ["freeze", "resume"] {
        house.act(&format!("/v1/admin/memberships/{id}/{verb}"), json!({ "reason": "Asked." })).await.ok(200);
    }
    assert_eq!(house.mine(&anna).await.ok(200)["ends_at"], Value::Null);
    let body = json!({ "term": "P1M", "reason": "Asked." });
    house.act(&format!("/v1/admin/memberships/{id}/extend"), body).await.refused(409, "already_for_life");
    house.refund(&order).await;
    assert_eq!(house.mine(&anna).await.ok(200)["state"], "expired");
    house.mine(&bob).await.refused(404, "no_membership");

    // A year, then for life by an upgrade, which is refunded: the year is there again.
    let patch = json!({ "open_upgrade": true });
    let (carl, _) = house.head("carl@example.org", &house.alone).await;
    let ends_at = house.mine(&carl).await.ok(200)["ends_at"].clone();
    let owner = house.back(&house.owner).await;
    let path = format!("/v1/admin/plans/{}", house.life["id"].as_str().unwrap());
    house
        .shop
        .app
        .patch(&path)
        .bearer(&owner.token)
        .header("If-Match", "\"v1\"")
        .json(&patch)
        .send()
        .await
        .ok(200);
    let upgrade = house.upgrade(&carl, "life", &house.life).await;
    assert_eq!(house.mine(&carl).await.ok(200)["ends_at"], Value::Null);
    house.refund(&upgrade).await;
    let back = house.mine(&carl).await.ok(200);
    assert_eq!((&back["tier"], &back["ends_at"]), (&json!("associate"), &ends_at));
    // Given, after the year that runs.
    let dora = house.shop.app.member("dora@example.org").await;
    let grant = format!("/v1/admin/accounts/{}/memberships", dora.id);
    for plan in [&house.single, &house.life] {
        house.act(&grant, json!({ "plan": plan["id"], "reason": "A gift." })).await.ok(201);
    }
    house.advance(400).await;
    let dora = house.back(&dora).await;
    assert_eq!(house.mine(&dora).await.ok(200)["ends_at"], Value::Null);
    assert_eq!(house.seats(&dora).await[0], 3);
    house.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_associate_tries_nothing() {
    let house = House::open().await;
    let tried = json!({
        "code": "tried", "tier": house.single["tier"], "term": "P365D", "price": yuan(200), "renews": "never",
        "payment_methods": ["card"], "open_sale": true, "trial_days": 10,
    });
    let tried = house.shop.app.make(&house.owner, "/v1/admin/plans", &tried).await;
    let (ada, _) = house.head("ada@example.org", &house.year).await;
    let bob = house.associate(&ada, "bob@example.org").await;
    let ask = async |person: &Person, key: &str| {
        let request = house.shop.app.post("/v1/me/trials").bearer(&person.token).key(key);
        request.json(&json!({ "plan": tried["id"] })).send().await
    };
    ask(&bob, "k").await.refused(409, "not_new");
    assert_eq!(house.seats(&ada).await, [2, 0, 1, 1]);
    assert_eq!(house.count("SELECT count(*) AS count FROM trials").await, 0);
    // Whose invitation is open may still try: accepting it ends nothing of his.
    house.invite(&ada, "carl", "carl@example.org").await.ok(201);
    let carl = house.shop.app.member("carl@example.org").await;
    ask(&carl, "k").await.ok(201);
    let token = house.token("carl@example.org").await;
    house.accept(&carl, &token).await.refused(409, "has_membership");
    house.shop.finish().await;
}

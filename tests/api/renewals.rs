//! Going on after a term: by the saved card, by a link, as something smaller, or not at all.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join;
use kindred::dev::stripe::{Fault, FaultKind};
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::{count_sql, run_sql, text_sql};
use crate::support::http::Answer;
use crate::support::mall::yuan;
use crate::support::shop::Shop;

/// A shop with a year (of 365 days) of `regular` for 200 yuan and of `diehard` for 1,200, both renewed by card.
pub struct Club {
    pub shop: Shop,
    pub owner: Person,
    pub regular: Value,
    pub diehard: Value,
}

impl Club {
    pub async fn open() -> Self {
        let shop = Shop::open().await;
        let owner = shop.app.operator(Role::Owner).await;
        let mut plans = Vec::new();
        for (code, rank, price) in [("regular", 10, 200), ("diehard", 20, 1_200)] {
            let tier = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "rank": rank });
            let tier = shop.app.make(&owner, "/v1/admin/tiers", &tier).await;
            plans.push(plan(&shop, &owner, code, &tier["id"], json!({ "price": yuan(price) })).await);
        }
        let [regular, diehard] = plans.try_into().unwrap();
        Self { shop, owner, regular, diehard }
    }

    pub async fn advance(&self, by: TimeDelta, person: &Person) -> Person {
        self.shop.advance(by).await;
        self.shop.app.sign_in(&person.email).await
    }

    /// To so many days before the end of that person's term, or after it.
    pub async fn to_end(&self, days_before: i64, person: &Person) -> Person {
        let person = self.shop.app.sign_in(&person.email).await;
        let ends_at = time(&self.mine(&person).await["ends_at"]);
        let at = ends_at - TimeDelta::days(days_before) + TimeDelta::seconds(1);
        self.advance((at - self.shop.app.now()).max(TimeDelta::zero()), &person).await
    }

    pub async fn order(&self, person: &Person, key: &str, line: Value) -> Answer {
        let body =
            json!({ "lines": [line], "success_url": "http://shop.test/", "cancel_url": "http://shop.test/" });
        self.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key).json(&body).send().await
    }

    pub async fn buy(&self, person: &Person, key: &str, line: Value) -> Value {
        let order = self.order(person, key, line).await.ok(201);
        self.shop.pay(&order).await;
        let order = self.shop.settled(person, &order).await;
        assert_eq!(order["state"], "fulfilled");
        order
    }

    pub async fn member(&self, email: &str, plan: &Value) -> Person {
        let person = self.shop.app.member(email).await;
        self.buy(&person, "join", json!({ "plan": plan["id"] })).await;
        person
    }

    pub async fn mine(&self, person: &Person) -> Value {
        self.shop.app.get("/v1/me/membership").bearer(&person.token).send().await.ok(200)
    }

    pub async fn say(&self, person: &Person, what: &str, body: Value) -> Answer {
        let path = format!("/v1/me/membership/{what}");
        let key = uuid::Uuid::new_v4().to_string();
        self.shop.app.post(&path).bearer(&person.token).key(&key).json(&body).send().await
    }

    pub async fn change_plan(&self, plan: &Value, change: Value) {
        let owner = self.shop.app.sign_in(&self.owner.email).await;
        let path = format!("/v1/admin/plans/{}", plan["id"].as_str().unwrap());
        let now = self.shop.app.get(&path).bearer(&owner.token).send().await;
        let version = now.header("ETag").to_owned();
        let request = self.shop.app.patch(&path).bearer(&owner.token).header("If-Match", &version);
        request.json(&change).send().await.ok(200);
    }

    /// The customer at Stripe, whose cards can be made to fail.
    pub async fn customer(&self, person: &Person) -> String {
        let sql = format!("SELECT stripe_customer_id AS text FROM accounts WHERE email = '{}'", person.email);
        text_sql(&mut *self.shop.app.conn().await, &sql).await
    }

    pub async fn card(&self, person: &Person, behaviour: &str, times: Option<u32>) {
        let customer = self.customer(person).await;
        self.shop.simulator().set_card(&customer, behaviour, times).unwrap();
    }

    pub async fn count(&self, sql: &str) -> i64 {
        count_sql(&mut *self.shop.app.conn().await, sql).await
    }

    pub async fn mails(&self, kind: &str) -> i64 {
        self.count(&format!("SELECT count(*) AS count FROM mails WHERE kind = '{kind}'")).await
    }

    /// The text of the last mail to somebody that has a link to that page, and its token.
    pub async fn link(&self, person: &Person, page: &str) -> (String, String) {
        self.shop.settle().await;
        let mails = self.shop.app.app.postbox.inbox().unwrap().to(&person.email);
        let mark = format!("/{page}?token=");
        let mail = mails.into_iter().find(|mail| mail.text.contains(&mark)).expect("a mail with a link");
        let token = mail.text.split(&mark).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        (mail.text, token)
    }

    pub async fn follow(&self, token: &str) -> Answer {
        self.shop.app.post("/v1/renewal-links").json(&json!({ "token": token })).send().await
    }

    /// Pays on the page of an order that a link made.
    pub async fn pay_link(&self, token: &str) {
        let order = self.follow(token).await.ok(201);
        assert_eq!(order["payment_state"], "ready", "{order}");
        self.shop.pay(&json!({ "payment": { "url": order["url"] } })).await;
        self.shop.settle().await;
    }
}

pub async fn plan(shop: &Shop, owner: &Person, code: &str, tier: &Value, more: Value) -> Value {
    let mut plan = json!({
        "code": format!("{code}-year"), "tier": tier, "term": "P365D", "price": yuan(200), "renews": "card",
        "payment_methods": ["card", "alipay"], "open_sale": true,
    });
    for (field, value) in more.as_object().unwrap() {
        plan[field] = value.clone();
    }
    shop.app.make(owner, "/v1/admin/plans", &plan).await
}

pub fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_saved_card_is_charged_at_the_end_after_a_notice() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let before = club.mine(&ada).await;
    assert_eq!((&before["renews"], &before["renewal"]["on"]), (&json!("card"), &json!(true)));
    assert_eq!(before["renewal"]["price"], yuan(200));

    let ada = club.to_end(8, &ada).await;
    assert_eq!(club.mails("renewal_notice").await, 0);
    let ada = club.to_end(7, &ada).await;
    assert_eq!(club.mails("renewal_notice").await, 1);
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("4242") && notice.contains("200.00"), "{}", notice);
    assert!(club.mine(&ada).await["renewal"]["noticed_at"].is_string());

    let ada = club.to_end(1, &ada).await;
    assert_eq!(club.shop.simulator().book().payments.len(), 1);
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    let ada = club.to_end(0, &ada).await;
    let after = club.mine(&ada).await;
    assert_eq!(time(&after["ends_at"]), ends_at + TimeDelta::days(365));
    for same in ["id", "number", "state", "renews"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    let book = club.shop.simulator().book();
    assert_eq!((book.payments.len(), book.captured_minor), (2, 40_000));
    assert_eq!(club.mails("renewed").await, 1);
    assert_eq!(club.mails("membership_expired").await + club.mails("renewal_reminder").await, 0);
    let orders = club.shop.app.get("/v1/orders").bearer(&ada.token).send().await.ok(200);
    assert_eq!(
        (&orders["data"][0]["state"], &orders["data"][0]["lines"][0]["kind"]),
        (&json!("fulfilled"), &json!("renewal"))
    );
    // And so it goes on.
    let ada = club.to_end(0, &ada).await;
    assert_eq!(time(&club.mine(&ada).await["ends_at"]), ends_at + TimeDelta::days(730));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_month_of_two_years_is_charged_once_however_the_clock_moves() {
    let club = Club::open().await;
    let tier = &club.regular["tier"];
    let month =
        plan(&club.shop, &club.owner, "monthly", tier, json!({ "term": "P1M", "price": yuan(20) })).await;
    let ada = club.member("ada@example.org", &month).await;
    let joined = club.shop.app.now();
    let ada = club.advance(TimeDelta::days(730), &ada).await;
    let terms = "SELECT count(*) AS count FROM membership_terms WHERE ended_at IS NULL";
    let count = club.count(terms).await;
    assert!((24..=25).contains(&count), "{count}");
    assert_eq!(club.count("SELECT count(*) AS count FROM renewals WHERE state = 'paid'").await, count - 1);
    let mine = club.mine(&ada).await;
    assert_eq!(mine["state"], "active");
    assert!(time(&mine["ends_at"]) > joined + TimeDelta::days(730));
    assert_eq!(club.shop.simulator().book().captured_minor, 2_000 * count);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_stops_it_by_the_api_or_by_the_link() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let bob = club.member("bob@example.org", &club.regular).await;
    let ada = club.to_end(6, &ada).await;
    let (_, token) = club.link(&bob, "stop-renewal").await;
    let stop =
        |token: String| club.shop.app.post("/v1/renewal-links/stop").json(&json!({ "token": token })).send();
    stop("kt_wrong".to_owned()).await.refused(410, "token_invalid");
    stop(token.clone()).await.ok(204);
    stop(token).await.ok(204);
    let off = club.say(&ada, "renewal", json!({ "on": false })).await.ok(200);
    assert_eq!((&off["renews"], &off["renewal"]["on"]), (&json!("never"), &json!(false)));

    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "grace");
    assert_eq!(club.shop.simulator().book().payments.len(), 2);
    // Each was reminded once he had stopped it: at once, a day before, and at the end.
    assert_eq!(club.mails("renewal_reminder").await, 6);
    let ada = club.to_end(-8, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "expired");
    assert_eq!(club.mails("membership_expired").await, 2);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_turned_off_stays_off_when_more_is_bought_and_can_be_turned_on() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    club.say(&ada, "renewal", json!({ "on": false })).await.ok(200);
    club.buy(&ada, "more", json!({ "plan": club.regular["id"] })).await;
    assert_eq!(club.mine(&ada).await["renews"], "never");
    let on = club.say(&ada, "renewal", json!({ "on": true })).await.ok(200);
    assert_eq!(on["renews"], "card");
    let key = "the-same";
    let ask = |on: bool| {
        let request = club.shop.app.post("/v1/me/membership/renewal").bearer(&ada.token).key(key);
        request.json(&json!({ "on": on })).send()
    };
    ask(false).await.ok(200);
    ask(true).await.refused(422, "idempotency_key_reused");
    club.say(&ada, "renewal", json!({ "on": true })).await.ok(200);
    // A repeat changes nothing any more.
    ask(false).await.ok(200);
    assert_eq!(club.mine(&ada).await["renews"], "card");

    let wallet = club.shop.app.member("wallet@example.org").await;
    let order = club.order(&wallet, "join", json!({ "plan": club.diehard["id"] })).await.ok(201);
    assert_eq!(club.shop.on_page(&order, &[("action", "pay"), ("method", "alipay")]).await, 303);
    club.shop.settle().await;
    assert_eq!(club.mine(&wallet).await["renews"], "never");
    let never =
        plan(&club.shop, &club.owner, "never", &club.regular["tier"], json!({ "renews": "never" })).await;
    let cash = club.member("cash@example.org", &never).await;
    club.say(&cash, "renewal", json!({ "on": true })).await.refused(409, "renewal_not_offered");
    let stranger = club.shop.app.member("stranger@example.org").await;
    club.say(&stranger, "renewal", json!({ "on": true })).await.refused(409, "membership_not_open");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_is_asked_again_with_pauses_and_then_no_more() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let bob = club.member("bob@example.org", &club.regular).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    club.card(&ada, "insufficient_funds", Some(2)).await;
    club.card(&bob, "decline", None).await;
    let ada = club.to_end(0, &ada).await;
    let mine = club.mine(&ada).await;
    assert_eq!(
        (&mine["state"], &mine["renewal"]["failure"]),
        (&json!("grace"), &json!("insufficient_funds"))
    );
    assert!(mine["renewal"]["next_charge_at"].is_string());
    assert_eq!(club.mails("renewal_failed").await, 2);
    let ada = club.advance(TimeDelta::days(2), &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "grace");
    let ada = club.advance(TimeDelta::days(1), &ada).await;
    let mine = club.mine(&ada).await;
    assert_eq!((&mine["state"], time(&mine["ends_at"])), (&json!("active"), ends_at + TimeDelta::days(365)));

    let bob = club.advance(TimeDelta::days(6), &bob).await;
    assert_eq!(club.mine(&bob).await["state"], "expired");
    // Bob's was asked at the end, and 1, 3 and 5 days after it.
    assert_eq!(club.mails("renewal_failed").await, 2 + 4);
    assert_eq!(club.mails("membership_expired").await, 1);
    assert_eq!(club.shop.simulator().book().captured_minor, 60_000);
    assert_eq!(club.count("SELECT count(*) AS count FROM renewals WHERE state = 'over'").await, 1);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_wants_its_owner_gets_him_by_a_link() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    club.card(&ada, "authentication_required", None).await;
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.mine(&ada).await["renewal"]["failure"], "authentication_required");
    assert!(club.mine(&ada).await["renewal"]["next_charge_at"].is_null());
    let ada = club.advance(TimeDelta::days(4), &ada).await;
    assert_eq!(club.mails("renewal_failed").await, 1);
    let (_, token) = club.link(&ada, "renew").await;
    club.pay_link(&token).await;
    let mine = club.mine(&ada).await;
    assert_eq!((&mine["state"], time(&mine["ends_at"])), (&json!("active"), ends_at + TimeDelta::days(365)));
    // It was for this term.
    club.follow(&token).await.refused(410, "token_invalid");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_removed_is_no_trap() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let bob = club.member("bob@example.org", &club.regular).await;
    let customer = club.customer(&ada).await;
    club.shop.simulator().detach_cards(&customer);
    let ada = club.to_end(6, &ada).await;
    // Nothing to charge: she is reminded instead, a month and a week ahead; he was told what will be charged.
    assert_eq!(club.mine(&ada).await["renews"], "never");
    assert_eq!((club.mails("renewal_notice").await, club.mails("renewal_reminder").await), (1, 2));
    let customer = club.customer(&bob).await;
    club.shop.simulator().detach_cards(&customer);
    let bob = club.to_end(0, &bob).await;
    assert_eq!(club.mine(&bob).await["renewal"]["failure"], "card_removed");
    let (mail, token) = club.link(&bob, "renew").await;
    assert!(mail.contains("no saved card") || mail.contains("已移除"), "{mail}");
    club.pay_link(&token).await;
    assert_eq!(club.mine(&bob).await["state"], "active");
    assert_eq!(club.mine(&bob).await["renews"], "card");
    drop(ada);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_or_a_long_silence_charges_once() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    // Stripe has taken the money, and we heard nothing of it, not even by webhook: for two days.
    club.shop.simulator().inject(Fault::new("create_payment_intent", FaultKind::AnswerLost).times(60));
    club.shop.simulator().inject(Fault::new("payment_intent.succeeded", FaultKind::Drop).times(20));
    club.shop.simulator().inject(Fault::new("charge.succeeded", FaultKind::Drop).times(20));
    let at = ends_at - club.shop.app.now() + TimeDelta::seconds(1);
    let ada = club.advance(at, &ada).await;
    // The job waits for its next try by the shop's clock.
    let ada = club.advance(TimeDelta::days(2), &ada).await;
    let mine = club.mine(&ada).await;
    assert_eq!(time(&mine["ends_at"]), ends_at + TimeDelta::days(365));
    assert_eq!(club.shop.simulator().book().captured_minor, 40_000);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_stripe_delay_a_charge_and_never_double_it() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    for operation in ["create_payment_intent", "list_payment_methods", "list_customer_payment_methods"] {
        club.shop.simulator().inject(Fault::status(operation, 500).times(2));
        club.shop.simulator().inject(Fault::status(operation, 429).times(2));
    }
    let ada = club.to_end(0, &ada).await;
    let ada = club.advance(TimeDelta::hours(2), &ada).await;
    assert_eq!(time(&club.mine(&ada).await["ends_at"]), ends_at + TimeDelta::days(365));
    assert_eq!(club.shop.simulator().book().captured_minor, 40_000);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_price_is_told_a_month_ahead_and_what_was_told_is_charged() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    club.change_plan(&club.regular, json!({ "price": yuan(240) })).await;
    let ada = club.to_end(29, &ada).await;
    assert_eq!(club.mails("price_change").await, 1);
    let ada = club.to_end(6, &ada).await;
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("240.00"), "{}", notice);
    club.change_plan(&club.regular, json!({ "price": yuan(300) })).await;
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.shop.simulator().book().captured_minor, 20_000 + 24_000);
    assert_eq!(club.mine(&ada).await["renewal"]["price"], yuan(300));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_will_have_expired_is_told_of_and_another_one_is_taken() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let customer = club.customer(&ada).await;
    let month = club.shop.app.now() + TimeDelta::days(300);
    use chrono::Datelike;
    club.shop
        .simulator()
        .set_card_expiry(&customer, i64::from(month.month()), i64::from(month.year()))
        .unwrap();
    let ada = club.to_end(29, &ada).await;
    assert_eq!(club.mails("card_expiring").await, 1);
    // She saves another card on Stripe's page.
    let body = json!({ "return_url": "http://shop.test/" });
    let visit =
        club.shop.app.post("/v1/me/billing-portal").bearer(&ada.token).json(&body).send().await.ok(201);
    let url = visit["url"].as_str().expect("a page").to_owned();
    let form = "action=add&exp_month=12&exp_year=2040&last4=1881&default=1";
    let sent = club.shop.app.client.post(&url).header("Content-Type", "application/x-www-form-urlencoded");
    assert!(sent.body(form).send().await.unwrap().status().as_u16() < 400);
    let ada = club.to_end(6, &ada).await;
    let (notice, _) = club.link(&ada, "stop-renewal").await;
    assert!(notice.contains("1881"), "{}", notice);
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "active");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_for_saved_cards_is_for_who_has_one() {
    let club = Club::open().await;
    let stranger = club.shop.app.member("stranger@example.org").await;
    let ask = |person: &Person, url: &str| {
        let request = club.shop.app.post("/v1/me/billing-portal").bearer(&person.token);
        request.json(&json!({ "return_url": url })).send()
    };
    ask(&stranger, "http://shop.test/").await.refused(409, "no_saved_card");
    ask(&stranger, "http://elsewhere.test/").await.refused(422, "url_not_allowed");
    let ada = club.member("ada@example.org", &club.regular).await;
    let visit = ask(&ada, "http://shop.test/").await.ok(201);
    let path = format!("/v1/me/billing-portal/{}", visit["id"].as_str().unwrap());
    assert_eq!(club.shop.app.get(&path).bearer(&ada.token).send().await.ok(200)["url"], visit["url"]);
    club.shop.app.get(&path).bearer(&stranger.token).send().await.refused(404, "not_found");
    club.shop.simulator().inject(Fault::status("create_portal_session", 400));
    assert_eq!(ask(&ada, "http://shop.test/").await.ok(201)["failure"], "unavailable");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_pays_by_wallet_is_reminded_and_goes_on_by_a_link_from_the_old_end() {
    let club = Club::open().await;
    let more = json!({ "renews": "never", "price": yuan(150) });
    let wallet = plan(&club.shop, &club.owner, "wallet", &club.regular["tier"], more).await;
    let ada = club.member("ada@example.org", &wallet).await;
    let bob = club.member("bob@example.org", &wallet).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    for (days, mails) in [(31, 0), (30, 2), (8, 2), (7, 4)] {
        club.to_end(days, &ada).await;
        assert_eq!(club.mails("renewal_reminder").await, mails, "{days} days before");
    }
    // Two clicks at once, and one more, are one order.
    let (_, token) = club.link(&ada, "renew").await;
    let (one, two) = join(club.follow(&token), club.follow(&token)).await;
    let answers = [one, two].into_iter().filter(|answer| answer.status == 201).count();
    assert!(answers >= 1);
    club.pay_link(&token).await;
    assert_eq!(club.count("SELECT count(*) AS count FROM order_lines WHERE kind = 'renewal'").await, 1);
    let ada = club.shop.app.sign_in(&ada.email).await;
    assert_eq!(time(&club.mine(&ada).await["ends_at"]), ends_at + TimeDelta::days(365));

    let bob = club.to_end(0, &bob).await;
    let ends_at = time(&club.mine(&bob).await["ends_at"]);
    assert_eq!(club.mails("renewal_reminder").await, 4 + 2);
    assert_eq!(club.mine(&bob).await["state"], "grace");
    // Signed in, he orders it himself, in grace, from the old end.
    let renewal = club.shop.app.post("/v1/renewals").bearer(&bob.token).send().await.ok(201);
    assert_eq!((&renewal["price"], &renewal["plan"]), (&yuan(150), &wallet["id"]));
    let ada = club.shop.app.sign_in(&ada.email).await;
    club.order(&ada, "theft", json!({ "renewal": renewal["id"] })).await.refused(422, "unknown_renewal");
    club.buy(&bob, "again", json!({ "renewal": renewal["id"] })).await;
    assert_eq!(time(&club.mine(&bob).await["ends_at"]), ends_at + TimeDelta::days(365));
    club.order(&bob, "twice", json!({ "renewal": renewal["id"] })).await.refused(409, "stale_quote");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_keeps_what_was_paid_and_hears_no_more() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let cancelled = club.say(&ada, "cancel", json!({ "reason": "Moving abroad." })).await.ok(200);
    assert!(cancelled["renewal"]["cancelled_at"].is_string());
    assert_eq!((&cancelled["renews"], &cancelled["state"]), (&json!("never"), &json!("active")));
    club.say(&ada, "cancel", json!({})).await.ok(200);
    assert_eq!(club.mails("membership_cancelled").await, 1);
    let reason = "SELECT cancel_reason AS text FROM renewal_settings";
    assert_eq!(text_sql(&mut *club.shop.app.conn().await, reason).await, "Moving abroad.");
    let ada = club.to_end(-8, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "expired");
    assert_eq!(club.mails("renewal_reminder").await + club.mails("renewal_notice").await, 0);
    club.say(&ada, "cancel", json!({})).await.refused(409, "membership_not_open");

    let bob = club.member("bob@example.org", &club.regular).await;
    club.say(&bob, "cancel", json!({})).await.ok(200);
    let back = club.say(&bob, "renewal", json!({ "on": true })).await.ok(200);
    assert_eq!((&back["renews"], &back["renewal"]["cancelled_at"]), (&json!("card"), &Value::Null));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planned_change_comes_at_the_end_and_can_be_dropped() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.diehard).await;
    let bob = club.member("bob@example.org", &club.diehard).await;
    let before = club.mine(&ada).await;
    for person in [&ada, &bob] {
        let planned = club.say(person, "downgrade", json!({ "plan": club.regular["id"] })).await.ok(200);
        assert_eq!((&planned["tier"], &planned["renewal"]["plan"]), (&json!("diehard"), &club.regular["id"]));
        assert_eq!(
            (&planned["renewal"]["is_change"], &planned["renewal"]["price"]),
            (&json!(true), &yuan(200))
        );
    }
    let dropped = club.say(&bob, "downgrade", json!({ "plan": null })).await.ok(200);
    assert_eq!(dropped["renewal"]["plan"], club.diehard["id"]);
    club.say(&bob, "downgrade", json!({ "plan": club.diehard["id"] })).await.refused(409, "not_a_downgrade");
    let wrong = json!({ "plan": "plan_00000000000000000000000000000000" });
    club.say(&bob, "downgrade", wrong).await.refused(422, "unknown_plan");
    let low = club.member("low@example.org", &club.regular).await;
    club.say(&low, "downgrade", json!({ "plan": club.diehard["id"] })).await.refused(409, "not_a_downgrade");
    club.change_plan(&club.regular, json!({ "open_sale": false })).await;
    let bob = club.shop.app.sign_in(&bob.email).await;
    club.say(&bob, "downgrade", json!({ "plan": club.regular["id"] })).await.refused(409, "upgrade_not_sold");

    let ada = club.to_end(0, &ada).await;
    let ada = club.advance(TimeDelta::minutes(1), &ada).await;
    let after = club.mine(&ada).await;
    assert_eq!(
        (&after["tier"], &after["state"], &after["renews"]),
        (&json!("regular"), &json!("active"), &json!("card"))
    );
    assert_eq!(after["number"], before["number"]);
    assert_eq!(after["renewal"]["is_change"], false);
    let bob = club.shop.app.sign_in(&bob.email).await;
    assert_eq!(club.mine(&bob).await["tier"], "diehard");
    // Three joined, and each goes on: as what they are, or were to be.
    assert_eq!(club.shop.simulator().book().captured_minor, 260_000 + 20_000 + 120_000 + 20_000);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_drops_what_was_planned_and_is_told_of_anew() {
    let club = Club::open().await;
    let year =
        plan(&club.shop, &club.owner, "other", &club.regular["tier"], json!({ "price": yuan(180) })).await;
    let ada = club.member("ada@example.org", &club.regular).await;
    club.say(&ada, "downgrade", json!({ "plan": year["id"] })).await.ok(200);
    let ada = club.to_end(6, &ada).await;
    let body = json!({ "plan": club.diehard["id"], "mode": "prorate" });
    let quote = club.shop.app.post("/v1/upgrade-quotes").bearer(&ada.token).json(&body).send().await.ok(201);
    club.buy(&ada, "up", json!({ "upgrade_quote": quote["id"] })).await;
    let mine = club.mine(&ada).await;
    assert_eq!(
        (&mine["renewal"]["plan"], &mine["renewal"]["is_change"]),
        (&club.diehard["id"], &json!(false))
    );
    let ends_at = time(&mine["ends_at"]);
    club.shop.settle().await;
    assert_eq!(club.mails("renewal_notice").await, 2);
    let ada = club.to_end(0, &ada).await;
    let mine = club.mine(&ada).await;
    assert_eq!((&mine["tier"], time(&mine["ends_at"])), (&json!("diehard"), ends_at + TimeDelta::days(365)));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_membership_that_rests_is_not_charged_before_its_end_has_come() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    let ada = club.to_end(3, &ada).await;
    assert_eq!(club.mails("renewal_notice").await, 1);
    let until = club.shop.app.now() + TimeDelta::days(20);
    club.say(&ada, "freeze", json!({ "until": until })).await.ok(200);
    let ada = club.advance(TimeDelta::days(10), &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "frozen");
    assert_eq!(club.shop.simulator().book().payments.len(), 1);
    let ada = club.advance(TimeDelta::days(15), &ada).await;
    let mine = club.mine(&ada).await;
    // It went on for the three days that were left, and a notice of its own came before the charge.
    assert_eq!(club.mails("renewal_notice").await, 2);
    assert_eq!(mine["state"], "active");
    let late = time(&mine["ends_at"]) - ends_at - TimeDelta::days(365 + 20);
    assert!(late.abs() < TimeDelta::minutes(1), "{late}");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_twice_for_one_renewal_goes_back() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    club.say(&ada, "renewal", json!({ "on": false })).await.ok(200);
    let ada = club.to_end(0, &ada).await;
    let (_, token) = club.link(&ada, "renew").await;
    let first = club.follow(&token).await.ok(201);
    let page = json!({ "payment": { "url": first["url"] } });
    // A delayed method, whose money comes when the hold is long over.
    let late = [("action", "pay_late"), ("method", "alipay"), ("delay", "345600")];
    assert_eq!(club.shop.on_page(&page, &late).await, 303);
    club.shop.settle().await;
    let ada = club.advance(TimeDelta::days(3) + TimeDelta::hours(1), &ada).await;
    club.pay_link(&token).await;
    let ends_at = time(&club.mine(&ada).await["ends_at"]);
    let ada = club.advance(TimeDelta::days(2), &ada).await;
    assert_eq!(time(&club.mine(&ada).await["ends_at"]), ends_at);
    let book = club.shop.simulator().book();
    assert_eq!((book.captured_minor, book.refunded_minor), (60_000, 20_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_member_is_charged_no_more() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ada = club.to_end(6, &ada).await;
    let body = json!({ "password": crate::support::people::PASSWORD, "forfeit": true });
    club.shop.app.delete("/v1/me").bearer(&ada.token).json(&body).send().await.ok(204);
    club.shop.advance(TimeDelta::days(20)).await;
    assert_eq!(club.shop.simulator().book().payments.len(), 1);
    assert_eq!(club.mails("membership_expired").await, 0);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_twice_does_each_step_once() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let twins = "INSERT INTO jobs (id, lane, kind, payload, run_at, created_at)
                 SELECT gen_random_uuid(), lane, kind, payload, run_at, created_at
                 FROM jobs, generate_series(1, 4) WHERE kind = 'renew' AND state = 'queued'";
    for days in [7, 0] {
        run_sql(&mut *club.shop.app.conn().await, twins).await;
        club.to_end(days, &ada).await;
    }
    assert_eq!((club.mails("renewal_notice").await, club.mails("renewed").await), (1, 1));
    assert_eq!(club.shop.simulator().book().captured_minor, 40_000);
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_stripe_has_taken_twice_goes_back_once() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ada = club.to_end(0, &ada).await;
    let ends_at = club.mine(&ada).await["ends_at"].clone();
    let one = async |column: &str| {
        let sql = format!(
            "SELECT {column} AS text FROM card_charges c JOIN payments p ON p.id = c.payment_id
             JOIN orders o ON o.id = p.order_id"
        );
        text_sql(&mut *club.shop.app.conn().await, &sql).await
    };
    let charge = kindred_stripe::NewCharge {
        order_id: one("'ord_' || replace(o.id::text, '-', '')").await,
        payment_id: one("'pay_' || replace(p.id::text, '-', '')").await,
        order_number: one("o.number").await,
        amount_minor: 20_000,
        currency: "CNY".to_owned(),
        description: "Again".to_owned(),
        customer: club.customer(&ada).await,
        payment_method: one("c.stripe_payment_method_id").await,
    };
    // Under a key that Stripe has forgotten: another intent of the same payment.
    club.shop.app.app.stripe().unwrap().charge_saved_card("another-key", &charge).await.unwrap();
    club.shop.settle().await;
    let book = club.shop.simulator().book();
    assert_eq!((book.captured_minor, book.refunded_minor), (60_000, 20_000));
    assert_eq!(club.mine(&ada).await["ends_at"], ends_at);
    let back = "SELECT count(*) AS count FROM refunds WHERE reason = 'paid_already' AND amount_minor = 20000";
    assert_eq!(club.count(back).await, 1);
    // Told of it once more, nothing else happens.
    club.shop.app.check().await;
    let again = "UPDATE stripe_events SET state = 'received' WHERE kind = 'payment_intent.succeeded'";
    run_sql(&mut *club.shop.app.conn().await, again).await;
    let queued = "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind = 'apply_event'";
    run_sql(&mut *club.shop.app.conn().await, queued).await;
    club.shop.settle().await;
    assert_eq!((club.count(back).await, club.shop.simulator().book().refunded_minor), (1, 20_000));
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_an_old_address_open_nothing() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let ada = club.to_end(6, &ada).await;
    let (_, token) = club.link(&ada, "stop-renewal").await;
    let body = json!({ "email": "ada.new@example.org", "password": crate::support::people::PASSWORD });
    club.shop.app.patch("/v1/me").bearer(&ada.token).json(&body).send().await.ok(200);
    club.shop.settle().await;
    let mail =
        club.shop.app.app.postbox.inbox().unwrap().to("ada.new@example.org").into_iter().next().unwrap();
    let proof = mail.text.split("token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let verify = club.shop.app.post("/v1/email-verifications").json(&json!({ "token": proof }));
    verify.send().await.ok(204);
    let stop = club.shop.app.post("/v1/renewal-links/stop").json(&json!({ "token": token }));
    stop.send().await.refused(410, "token_invalid");
    club.follow(&token).await.refused(410, "token_invalid");
    let ada = club.shop.app.sign_in("ada.new@example.org").await;
    let ada = club.to_end(0, &ada).await;
    assert_eq!(club.mine(&ada).await["state"], "active");
    club.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_renews_goes_on_under_the_rules_that_he_accepted() {
    let club = Club::open().await;
    let ada = club.member("ada@example.org", &club.regular).await;
    let bob = club.member("bob@example.org", &club.regular).await;
    club.say(&bob, "renewal", json!({ "on": false })).await.ok(200);
    let publish = async |version: &str| {
        let owner = club.shop.app.sign_in(&club.owner.email).await;
        let rules = json!({ "version": version, "texts": { "zh-CN": "友善", "en": "Be kind." }, "expulsion_money": "rest" });
        club.shop.app.make(&owner, "/v1/admin/community-rules", &rules).await
    };
    publish("1").await;
    let ada = club.to_end(0, &ada).await;
    // The card is charged: nobody is there who could accept.
    assert_eq!(club.mine(&ada).await["state"], "active");
    assert_eq!(club.shop.simulator().book().captured_minor, 60_000);
    let standing = async |person: &Person| {
        club.shop.app.get("/v1/me/community-rules").bearer(&person.token).send().await.ok(200)
    };
    let of_ada = standing(&ada).await;
    assert_eq!((&of_ada["accepted"], &of_ada["asked"]), (&Value::Null, &json!(true)));
    // Nor does a link ask; who orders the plan himself is asked, and so is who renews under a version that he hasn't seen.
    let bob = club.shop.app.sign_in(&bob.email).await;
    let line = json!({ "plan": club.regular["id"] });
    club.order(&bob, "plan", line.clone()).await.refused(422, "community_rules_required");
    let (_, token) = club.link(&bob, "renew").await;
    club.pay_link(&token).await;
    assert_eq!(club.mine(&bob).await["state"], "active");
    let accept =
        club.shop.app.post("/v1/me/community-rules").bearer(&bob.token).json(&json!({ "version": "1" }));
    accept.send().await.ok(200);
    publish("2").await;
    let bob = club.shop.app.sign_in(&bob.email).await;
    let of_bob = standing(&bob).await;
    assert_eq!((&of_bob["accepted"], &of_bob["asked"]), (&json!("1"), &json!(true)));
    club.say(&bob, "renewal", json!({ "on": true })).await.ok(200);
    let bob = club.to_end(0, &bob).await;
    assert_eq!(club.mine(&bob).await["state"], "active");
    assert_eq!(standing(&bob).await["accepted"], "1");
    club.shop.finish().await;
}

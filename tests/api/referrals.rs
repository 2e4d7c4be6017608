//! Invite codes and referrals: whom they reward, when, how often at most, and how the rewards come back.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::checkout::withdrawals::rules::deadline;
use serde_json::{Value, json};

use crate::support::baskets::Basket;
use crate::support::catalog::{count_sql, run_sql};
use crate::support::desk::{count, get, id, send};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

pub const PROGRAMME: &str = "/v1/admin/referral-programme";

/// Changes the programme as it stands.
async fn change(mall: &Mall, body: &Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let seen = get(mall, &owner, PROGRAMME).await;
    let etag = seen.header("etag").to_owned();
    mall.shop.app.patch(PROGRAMME).bearer(&owner.token).header("If-Match", &etag).json(body).send().await
}

/// Turns the programme on: 20 yuan of credit for who invites, 10 for who comes; with `more`.
pub async fn turn_on(mall: &Mall, more: Value) {
    let mut body = json!({
        "is_on": true,
        "inviter_reward": { "kind": "credit", "amount": yuan(20) },
        "friend_reward": { "kind": "credit", "amount": yuan(10) },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    change(mall, &body).await.ok(200);
}

pub async fn code_of(mall: &Mall, person: &Person) -> String {
    let shown = get(mall, person, "/v1/me/invite-code").await.ok(200);
    shown["code"].as_str().unwrap().to_owned()
}

/// A course for 100 yuan: nothing is sent.
pub async fn course(mall: &Mall) -> Value {
    let variants = json!([{ "sku": "COURSE", "price": yuan(100) }]);
    mall.product("course", "digital", variants, json!({})).await["variants"][0]["id"].clone()
}

pub fn body(mall: &Mall, article: &Value, code: Option<&str>, more: Value) -> Value {
    let mut body = mall.body(json!([{ "variant": article, "quantity": 1 }]));
    if let Some(code) = code {
        body["invite_code"] = json!(code);
    }
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

pub async fn order(mall: &Mall, person: &Person, key: &str, body: &Value) -> Value {
    let request = mall.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
    request.json(body).send().await.ok(201)
}

/// Orders and pays with a card; by default one of the buyer's own.
pub async fn buy(mall: &Mall, person: &Person, key: &str, body: &Value, card: Option<&str>) -> Value {
    let placed = order(mall, person, key, body).await;
    pay(mall, &placed, card).await;
    mall.shop.settled(person, &placed).await
}

pub async fn pay(mall: &Mall, placed: &Value, card: Option<&str>) {
    let mut fields = vec![("action", "pay"), ("method", "card")];
    fields.extend(card.map(|card| ("fingerprint", card)));
    assert_eq!(mall.shop.on_page(placed, &fields).await, 303);
}

/// A friend who buys the course by this code.
pub async fn friend(mall: &Mall, email: &str, article: &Value, code: &str) -> (Person, Value) {
    let person = mall.shop.app.member(email).await;
    let placed = buy(mall, &person, "first", &body(mall, article, Some(code), json!({})), None).await;
    (person, placed)
}

pub async fn again(mall: &Mall, person: &Person) -> Person {
    mall.shop.app.sign_in(&person.email).await
}

/// What became of each of a person's referrals, the newest first: (state, reason).
pub async fn states(mall: &Mall, person: &Person) -> Vec<(String, String)> {
    let person = again(mall, person).await;
    let list = get(mall, &person, "/v1/me/referrals?limit=100").await.ok(200);
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    list["data"].as_array().unwrap().iter().map(|of| (text(&of["state"]), text(&of["reason"]))).collect()
}

pub fn is(state: &str, reason: &str) -> Vec<(String, String)> {
    vec![(state.to_owned(), reason.to_owned())]
}

/// The newest referral as operators see it.
pub async fn newest(mall: &Mall) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    get(mall, &owner, "/v1/admin/referrals").await.ok(200)["data"][0].clone()
}

/// (balance, owed) of store credit, in yuan.
pub async fn credit(mall: &Mall, person: &Person) -> (i64, i64) {
    let person = again(mall, person).await;
    let seen = get(mall, &person, "/v1/me/credit").await.ok(200);
    let yuan = |field: &str| seen[field]["amount"].as_i64().unwrap() / 100;
    (yuan("balance"), yuan("owed"))
}

pub async fn refund(mall: &Mall, placed: &Value, body: Value) {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/orders/{}/refunds", id(placed));
    let key = format!("{}-{}", id(placed), body["amount"]["amount"]);
    mall.shop.app.post(&path).bearer(&owner.token).key(&key).json(&body).send().await.ok(201);
    mall.shop.settle().await;
}

async fn judge(mall: &Mall, of: &Value, verb: &str) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/referrals/{}/{verb}", id(of));
    mall.shop.app.post(&path).bearer(&owner.token).json(&json!({ "reason": "looked at" })).send().await
}

/// How long it is until nothing of an order that is just paid can go back any more.
pub fn final_in(mall: &Mall, placed: &Value) -> TimeDelta {
    let paid_at = placed["paid_at"].as_str().unwrap().parse().unwrap();
    deadline(paid_at, mall.shop.app.app.settings.timezone).unwrap() - mall.shop.app.now()
}

/// Past the return window.
pub async fn wait(mall: &Mall) {
    mall.shop.advance(TimeDelta::days(15)).await;
}

pub async fn sql(mall: &Mall, sql: &str) -> usize {
    run_sql(&mut *mall.shop.app.conn().await, sql).await
}

/// The rule of a code in an explanation: (outcome, reason).
pub fn told(priced: &Value) -> (String, String) {
    let rules = priced["explanation"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["rule"] == "invite_code").expect("the code is told of");
    (rule["outcome"].as_str().unwrap().to_owned(), rule["reason"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_are_rewarded_once_the_friend_keeps_what_he_bought() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let campaign = json!({
        "code": "welcome", "names": { "zh-CN": "新人券", "en": "Welcome" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 30,
    });
    let campaign = mall.shop.app.make(&mall.owner, "/v1/admin/coupon-campaigns", &campaign).await;
    let coupon = json!({ "kind": "coupon", "campaign": campaign["id"] });
    turn_on(&mall, json!({ "friend_reward": coupon })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let shown = get(&mall, &anna, "/v1/me/invite-code").await.ok(200);
    let code = shown["code"].as_str().unwrap();
    assert_eq!((code.len(), &shown["programme"]["is_open"]), (11, &json!(true)));
    assert!(shown["link"].as_str().unwrap().ends_with(&format!("?invite={code}")), "{shown}");
    assert_eq!(code_of(&mall, &anna).await, code, "it stays");

    // However it is typed.
    let typed = format!(" {}-{} ", &code[..5].to_lowercase(), &code[5..]);
    let ben = mall.shop.app.member("ben@b.test").await;
    sql(&mall, "UPDATE accounts SET name = '王二小' WHERE email = 'ben@b.test'").await;
    let wanted = body(&mall, &article, Some(typed.trim()), json!({}));
    let quote = mall.shop.app.post("/v1/quotes").bearer(&ben.token).json(&wanted).send().await.ok(200);
    assert_eq!(told(&quote), ("applied".to_owned(), "invite_counts".to_owned()));
    let placed = buy(&mall, &ben, "k", &wanted, None).await;
    assert_eq!(told(&placed).0, "applied");
    mall.shop.settle().await;
    let list = get(&mall, &anna, "/v1/me/referrals").await.ok(200);
    let own = &list["data"][0];
    assert_eq!((&own["friend"], &own["state"]), (&json!("王**"), &json!("pending")));
    assert_eq!((&own["reward"]["amount"], &own["reward"]["state"]), (&yuan(20), &json!("promised")));
    assert!(!list.to_string().contains("ben@") && !list.to_string().contains(&ben.id.to_string()));

    // Not before the end of the return window, nor of the time to withdraw, which ends at the shop's midnight.
    mall.shop.advance(final_in(&mall, &placed) - TimeDelta::minutes(5)).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    mall.shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(states(&mall, &anna).await, is("rewarded", ""));
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &ben).await), ((20, 0), (0, 0)));
    let ben = again(&mall, &ben).await;
    let wallet = get(&mall, &ben, "/v1/me/coupons").await.ok(200);
    assert_eq!(
        (wallet["data"].as_array().unwrap().len(), &wallet["data"][0]["state"]),
        (1, &json!("usable"))
    );
    let mails = mall.shop.app.app.postbox.inbox().unwrap().to("anna@b.test");
    assert!(mails.iter().any(|mail| mail.text.contains("王**") && mail.text.contains("¥20.00")));
    assert_eq!(count(&mall, "mails WHERE kind = 'referral_reward' AND state = 'sent'").await, 2);

    // Its jobs again, as after a crash: nothing more.
    sql(&mall, "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind IN ('follow_invite', 'watch_invite')").await;
    mall.shop.settle().await;
    assert_eq!(credit(&mall, &anna).await, (20, 0));
    assert_eq!(count(&mall, "coupons WHERE account_id IS NOT NULL").await, 1);
    // A second order of the friend brings nothing, and says so.
    let ben = again(&mall, &ben).await;
    let second = buy(&mall, &ben, "second", &wanted, None).await;
    assert_eq!(told(&second), ("refused".to_owned(), "not_a_new_customer".to_owned()));
    wait(&mall).await;
    assert_eq!((states(&mall, &anna).await.len(), credit(&mall, &anna).await), (1, (20, 0)));
    let owner = again(&mall, &mall.owner).await;
    let figures = get(&mall, &owner, &format!("{PROGRAMME}/figures")).await.ok(200);
    assert_eq!((&figures["credit"], &figures["coupons"]), (&yuan(20), &json!(1)));
    assert_eq!(figures["states"][0]["orders"], yuan(100));
    let programme = get(&mall, &owner, PROGRAMME).await.ok(200);
    assert_eq!((&programme["used"]["taken"], &programme["used"]["budget_taken"]), (&json!(1), &yuan(20)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_counts_for_nothing_is_told_and_refuses_no_order() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let anna = mall.shop.app.member("anna.li@gmail.com").await;
    let code = code_of(&mall, &anna).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let quote = async |person: &Person, code: &str| {
        let wanted = body(&mall, &article, Some(code), json!({}));
        let answer = mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&wanted).send().await;
        told(&answer.ok(200)).1
    };
    assert_eq!(quote(&ben, &code).await, "invite_programme_closed");
    turn_on(&mall, json!({ "minimum_order": yuan(101) })).await;
    assert_eq!(quote(&ben, &code).await, "invite_minimum_not_met");
    change(&mall, &json!({ "minimum_order": yuan(100) })).await.ok(200);
    assert_eq!(quote(&ben, &code).await, "invite_counts");
    assert_eq!(quote(&ben, "NOBODYS-CODE").await, "unknown_invite_code");
    assert_eq!(quote(&anna, &code).await, "own_invite_code");
    let dotted = mall.shop.app.member("Anna.Li+shop@googlemail.com").await;
    assert_eq!(quote(&dotted, &code).await, "own_invite_code");

    // Wrong letters keep nobody from buying.
    let wanted = body(&mall, &article, Some("NOBODYS-CODE"), json!({}));
    let placed = buy(&mall, &ben, "k", &wanted, None).await;
    assert_eq!((&placed["state"], told(&placed).1.as_str()), (&json!("fulfilled"), "unknown_invite_code"));
    assert_eq!(quote(&ben, &code).await, "not_a_new_customer");
    let ends = json!({ "ends_at": mall.shop.app.now() + TimeDelta::days(1) });
    change(&mall, &ends).await.ok(200);
    mall.shop.advance(TimeDelta::days(1)).await;
    let late = mall.shop.app.member("late@b.test").await;
    assert_eq!(quote(&late, &code).await, "invite_programme_closed");
    assert_eq!(count(&mall, "referrals").await, 0);

    // What an operator mistypes.
    for (field, wrong) in [
        (
            "inviter_reward",
            json!({ "inviter_reward": { "kind": "coupon", "campaign": "camp_00000000000000000000000000000001" } }),
        ),
        ("friend_reward.amount.amount", json!({ "friend_reward": { "kind": "credit", "amount": yuan(0) } })),
        ("friend_reward.days", json!({ "friend_reward": { "kind": "membership_days", "days": 366 } })),
        ("touch_days", json!({ "touch_days": 0 })),
        ("caps.per_inviter", json!({ "caps": { "per_inviter": 0 } })),
        ("caps.budget.currency", json!({ "caps": { "budget": { "amount": 1, "currency": "USD" } } })),
        ("ends_at", json!({ "starts_at": mall.shop.app.now() + TimeDelta::days(9) })),
    ] {
        assert_eq!(change(&mall, &wrong).await.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    let owner = again(&mall, &mall.owner).await;
    let stale = mall.shop.app.patch(PROGRAMME).bearer(&owner.token).header("If-Match", "\"v1\"");
    stale.json(&json!({ "is_on": false })).send().await.refused(412, "version_mismatch");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_earns_by_inviting_himself() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let tea = mall.goods("TEA", 90, 100).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna.li@gmail.com").await;
    let code = code_of(&mall, &anna).await;
    let at = |line1: &str| {
        let mut more = mall.body(json!([]))["shipping"].clone();
        more["address"]["line1"] = json!(line1);
        json!({ "shipping": more })
    };
    let home = body(&mall, &tea, None, at("Chaoyang Road 1-2"));
    buy(&mall, &anna, "own", &home, Some("annas-card")).await;

    // The same person under other addresses, as an account and as a guest.
    for (index, email) in ["annali+2@gmail.com", "a.n.n.a.li@googlemail.com"].iter().enumerate() {
        let twin = mall.shop.app.member(email).await;
        buy(
            &mall,
            &twin,
            "k",
            &body(&mall, &article, Some(&code), json!({})),
            Some(&format!("card-{index}")),
        )
        .await;
    }
    // Her own code, in her own hands.
    buy(&mall, &anna, "again", &body(&mall, &article, Some(&code), json!({})), None).await;
    let basket = Basket::of_guest(&mall).await;
    basket.put(&mall, json!([{ "variant": tea, "quantity": 1 }])).await.ok(200);
    let mut guest = at("Far Away 9");
    guest["email"] = json!("AnnaLi@gmail.com");
    guest["invite_code"] = json!(code);
    let placed = basket.order(&mall, "k", guest).await.ok(201);
    pay(&mall, &placed, Some("guest-card")).await;
    mall.shop.settle().await;
    assert_eq!(count(&mall, "referrals").await, 0, "none of them is new");

    // Somebody else's address, paid with her card: refused. One door, or a card that somebody else has used: an operator looks.
    let cousin = mall.shop.app.member("cousin@b.test").await;
    buy(&mall, &cousin, "k", &body(&mall, &article, Some(&code), json!({})), Some("annas-card")).await;
    mall.shop.settle().await;
    let found = newest(&mall).await;
    assert_eq!((&found["state"], &found["signals"]), (&json!("refused"), &json!(["inviters_card"])));
    assert_eq!(states(&mall, &anna).await, is("refused", "not_eligible"));
    let flatmate = mall.shop.app.member("flatmate@b.test").await;
    buy(&mall, &flatmate, "k", &body(&mall, &tea, Some(&code), at("chaoyang road 1, 2")), None).await;
    mall.shop.settle().await;
    let found = newest(&mall).await;
    assert_eq!((&found["state"], &found["signals"]), (&json!("held"), &json!(["inviters_address"])));
    for (email, signals) in [("one@b.test", json!([])), ("two@b.test", json!(["shared_address"]))] {
        let friend = mall.shop.app.member(email).await;
        buy(&mall, &friend, "k", &body(&mall, &tea, Some(&code), at("Another Street 7")), None).await;
        mall.shop.settle().await;
        assert_eq!(newest(&mall).await["signals"], signals);
    }
    let borrower = mall.shop.app.member("borrower@b.test").await;
    buy(&mall, &borrower, "k", &body(&mall, &article, Some(&code), json!({})), Some("guest-card")).await;
    mall.shop.settle().await;
    assert_eq!(newest(&mall).await["signals"], json!(["inviters_card"]), "she has used it as a guest");
    // Who never bought herself.
    let eve = mall.shop.app.member("eve@b.test").await;
    let eves = code_of(&mall, &eve).await;
    friend(&mall, "eve+1@b.test", &article, &eves).await;
    mall.shop.settle().await;
    assert_eq!(newest(&mall).await["signals"], json!(["same_person"]));
    assert_eq!(states(&mall, &eve).await, is("refused", "not_eligible"));
    // Two who invite each other.
    let carl = mall.shop.app.member("carl@b.test").await;
    let carls = code_of(&mall, &carl).await;
    let (dora, _) = friend(&mall, "dora@b.test", &article, &carls).await;
    let doras = code_of(&mall, &dora).await;
    buy(&mall, &carl, "k", &body(&mall, &article, Some(&doras), json!({})), None).await;
    mall.shop.settle().await;
    assert_eq!(newest(&mall).await["signals"], json!(["mutual"]));

    // However long they wait; the goods are never sent, so the one who is fine waits too.
    mall.shop.advance(TimeDelta::days(60)).await;
    assert_eq!(credit(&mall, &anna).await, (0, 0));
    assert_eq!(
        count(&mall, "credit_entries WHERE kind = 'referral'").await,
        0,
        "both of Carl's and Dora's are looked at"
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_the_inviters_is_found_later_too() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let twin = mall.shop.app.member("twin@b.test").await;
    buy(&mall, &twin, "k", &body(&mall, &article, Some(&code), json!({})), Some("new-card")).await;
    mall.shop.settle().await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    buy(&mall, &anna, "k", &body(&mall, &article, None, json!({})), Some("new-card")).await;
    wait(&mall).await;
    assert_eq!(states(&mall, &anna).await, is("refused", "not_eligible"));
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &twin).await), ((0, 0), (0, 0)));
    mall.finish().await;
}

/// Twelve friends pay at once under these caps: how many count, and what the others are refused for.
async fn rush(caps: Value, inviters: usize) -> (i64, Vec<String>) {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({ "caps": caps })).await;
    let mut codes = Vec::new();
    for index in 0..inviters {
        let inviter = mall.shop.app.member(&format!("inviter{index}@b.test")).await;
        codes.push(code_of(&mall, &inviter).await);
    }
    let mut placed = Vec::new();
    for index in 0..12 {
        let friend = mall.shop.app.member(&format!("friend{index}@b.test")).await;
        let wanted = body(&mall, &article, Some(&codes[index % inviters]), json!({}));
        placed.push(order(&mall, &friend, "k", &wanted).await);
    }
    join_all(placed.iter().map(|placed| pay(&mall, placed, None))).await;
    mall.shop.settle().await;
    let owner = again(&mall, &mall.owner).await;
    let list = get(&mall, &owner, "/v1/admin/referrals?limit=100").await.ok(200);
    let list = list["data"].as_array().unwrap();
    assert_eq!(list.len(), 12);
    let mut reasons: Vec<_> = list.iter().filter_map(|of| of["reason"].as_str().map(str::to_owned)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let pending = list.iter().filter(|of| of["state"] == "pending").count();
    // And they are paid, no more than these, and never more than the budget.
    wait(&mall).await;
    let rewarded = count(&mall, "referrals WHERE state = 'rewarded'").await;
    assert_eq!(i64::try_from(pending).unwrap(), rewarded);
    let paid = "SELECT coalesce(sum(amount_minor), 0)::bigint AS count FROM credit_entries";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, paid).await, rewarded * 3_000);
    mall.finish().await;
    (rewarded, reasons)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_one_inviter_count_than_his_cap() {
    assert_eq!(rush(json!({ "per_inviter": 5 }), 1).await, (5, vec!["inviter_cap_reached".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_of_one_inviter_count_in_a_day() {
    let caps = json!({ "per_inviter_day": 2 });
    assert_eq!(rush(caps, 2).await, (4, vec!["inviter_day_cap_reached".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_count_than_the_programme_takes() {
    assert_eq!(rush(json!({ "total": 7 }), 3).await, (7, vec!["programme_used_up".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_credit_is_promised_than_the_budget_has() {
    // 30 yuan a referral, both sides: of 100 three.
    let caps = json!({ "budget": yuan(100) });
    assert_eq!(rush(caps, 3).await, (3, vec!["programme_used_up".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_day_has_room_again_and_a_cap_can_not_go_below_what_is_used() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({ "caps": { "per_inviter_day": 1, "total": 2 } })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    for email in ["a@b.test", "b@b.test"] {
        friend(&mall, email, &article, &code).await;
        mall.shop.settle().await;
    }
    mall.shop.advance(TimeDelta::days(1)).await;
    friend(&mall, "c@b.test", &article, &code).await;
    mall.shop.settle().await;
    let found: Vec<_> = states(&mall, &anna).await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(found, ["pending", "refused", "pending"]);
    change(&mall, &json!({ "caps": { "total": 1 } })).await.refused(409, "limit_below_uses");
    change(&mall, &json!({ "caps": { "total": 3, "per_inviter_day": null } })).await.ok(200);
    friend(&mall, "d@b.test", &article, &code).await;
    mall.shop.settle().await;
    assert_eq!(states(&mall, &anna).await[0].0, "pending");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_takes_both_rewards_back_also_what_was_spent() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({ "minimum_order": yuan(60) })).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let (_, early) = friend(&mall, "early@b.test", &article, &code).await;
    let (late, order) = friend(&mall, "late@b.test", &article, &code).await;
    mall.shop.settle().await;

    // Before the reward, and only where less than the minimum is kept.
    refund(&mall, &early, json!({ "reason": "Kulanz", "amount": yuan(40) })).await;
    assert_eq!(states(&mall, &anna).await[1].0, "pending");
    refund(&mall, &early, json!({ "reason": "Kulanz", "amount": yuan(1) })).await;
    assert_eq!(states(&mall, &anna).await[1], ("reversed".to_owned(), "refunded".to_owned()));
    wait(&mall).await;
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &late).await), ((20, 0), (10, 0)));

    // After it: Anna has spent 15 of her 20 yuan; the rest goes, and 15 are owed.
    let owner = again(&mall, &mall.owner).await;
    let path = format!("/v1/admin/accounts/{}/credit", anna.id);
    let spent = json!({ "amount": { "amount": -1_500, "currency": "CNY" }, "reason": "spent" });
    mall.shop.app.post(&path).bearer(&owner.token).key("spent").json(&spent).send().await.ok(201);
    refund(&mall, &order, json!({ "reason": "sent back" })).await;
    assert_eq!(states(&mall, &anna).await[0], ("reversed".to_owned(), "refunded".to_owned()));
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &late).await), ((0, 15), (0, 0)));
    sql(&mall, "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind IN ('follow_invite', 'watch_invite')").await;
    mall.shop.settle().await;
    assert_eq!(credit(&mall, &anna).await, (0, 15));
    // The next reward pays what is owed; the caps are free again.
    change(&mall, &json!({ "caps": { "per_inviter": 1 } })).await.ok(200);
    friend(&mall, "next@b.test", &article, &code).await;
    wait(&mall).await;
    assert_eq!(credit(&mall, &anna).await, (5, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coupons_and_days_come_back_as_far_as_they_are_there() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let campaign = json!({
        "code": "thanks", "names": { "zh-CN": "谢", "en": "Thanks" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) },
    });
    let campaign = mall.shop.app.make(&mall.owner, "/v1/admin/coupon-campaigns", &campaign).await;
    let rewards = json!({
        "inviter_reward": { "kind": "membership_days", "days": 30 },
        "friend_reward": { "kind": "coupon", "campaign": campaign["id"] },
    });
    turn_on(&mall, rewards).await;
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let code = code_of(&mall, &anna).await;
    let ends = async || {
        let anna = again(&mall, &anna).await;
        let end = mall.shop.membership(&anna).await.unwrap()["ends_at"].clone();
        end.as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    let before = ends().await;
    let (keeps, kept) = friend(&mall, "keeps@b.test", &article, &code).await;
    let (uses, used) = friend(&mall, "uses@b.test", &article, &code).await;
    wait(&mall).await;
    assert_eq!(ends().await - before, TimeDelta::days(60));

    // One friend has used his coupon: it stays used. The other one's is revoked.
    let uses = again(&mall, &uses).await;
    let wallet = get(&mall, &uses, "/v1/me/coupons").await.ok(200);
    let with = json!({ "coupon_codes": [wallet["data"][0]["code"]] });
    buy(&mall, &uses, "with", &body(&mall, &article, None, with), None).await;
    refund(&mall, &kept, json!({ "reason": "sent back" })).await;
    refund(&mall, &used, json!({ "reason": "sent back" })).await;
    assert_eq!(ends().await, before);
    let keeps = again(&mall, &keeps).await;
    assert_eq!(get(&mall, &keeps, "/v1/me/coupons").await.ok(200)["data"][0]["state"], "revoked");
    let rewards =
        async |state: &str| count(&mall, &format!("referral_rewards WHERE state = '{state}'")).await;
    assert_eq!((rewards("taken_back").await, rewards("spent").await), (3, 1));

    // Without a membership days are waited for, and lost in the end; the friend has his coupon then.
    let eva = mall.shop.app.member("eva@b.test").await;
    let code = code_of(&mall, &eva).await;
    let (guest, _) = friend(&mall, "evas@b.test", &article, &code).await;
    wait(&mall).await;
    assert_eq!(states(&mall, &eva).await, is("pending", "no_membership"));
    mall.shop.advance(TimeDelta::days(30)).await;
    assert_eq!(states(&mall, &eva).await, is("rewarded", ""));
    let guest = again(&mall, &guest).await;
    assert_eq!(get(&mall, &guest, "/v1/me/coupons").await.ok(200)["data"][0]["state"], "usable");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn points_are_given_once_and_what_was_spent_of_them_is_owed_when_they_go_back() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let rewards = json!({
        "inviter_reward": { "kind": "points", "points": 200 }, "friend_reward": { "kind": "points", "points": 50 },
    });
    turn_on(&mall, rewards).await;
    let path = "/v1/admin/points-programme";
    let etag = mall.shop.app.get(path).bearer(&mall.owner.token).send().await.header("etag").to_owned();
    let on = json!({ "is_on": true, "rate": "0", "level_rate": "0" });
    let patch = mall.shop.app.patch(path).bearer(&mall.owner.token).header("If-Match", &etag);
    patch.json(&on).send().await.ok(200);
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let (bob, order) = friend(&mall, "bob@b.test", &article, &code).await;
    let points = async |person: &Person| {
        let seen = get(&mall, &again(&mall, person).await, "/v1/me/points").await.ok(200);
        (seen["active"].as_i64().unwrap(), seen["owed"].as_i64().unwrap())
    };
    assert_eq!((points(&anna).await, points(&bob).await), ((0, 0), (0, 0)));
    wait(&mall).await;
    assert_eq!((points(&anna).await, points(&bob).await), ((200, 0), (50, 0)));
    assert_eq!(
        count(&mall, "mails WHERE kind = 'referral_reward' AND data ->> 'points' IN ('200', '50')").await,
        2
    );
    // Anna spends 150 of them before the friend sends all back.
    let owner = again(&mall, &mall.owner).await;
    let path = format!("/v1/admin/accounts/{}/points", anna.id);
    let spent = json!({ "points": -150, "reason": "spent" });
    mall.shop.app.post(&path).bearer(&owner.token).key("spent").json(&spent).send().await.ok(201);
    refund(&mall, &order, json!({ "reason": "sent back" })).await;
    assert_eq!((points(&anna).await, points(&bob).await), ((0, 150), (0, 0)));
    assert_eq!(states(&mall, &anna).await, is("reversed", "refunded"));
    sql(&mall, "UPDATE jobs SET state = 'queued', finished_at = NULL WHERE kind IN ('follow_invite', 'watch_invite')").await;
    mall.shop.settle().await;
    assert_eq!(points(&anna).await, (0, 150));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_holds_and_its_end_decides() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let dispute = async |placed: &Value| {
        let book = mall.shop.simulator().book();
        let paid = book.payments.iter().find(|payment| payment.order_id.as_deref() == Some(id(placed)));
        let dispute =
            mall.shop.simulator().open_dispute(&paid.unwrap().payment_intent, "fraudulent").unwrap();
        mall.shop.settle().await;
        dispute
    };
    let end = async |dispute: &str, how: &str| {
        mall.shop.simulator().close_dispute(dispute, how).unwrap();
        mall.shop.settle().await;
    };
    let (_, won) = friend(&mall, "won@b.test", &article, &code).await;
    let (_, lost) = friend(&mall, "lost@b.test", &article, &code).await;
    let (_, after) = friend(&mall, "after@b.test", &article, &code).await;
    mall.shop.settle().await;
    let (first, second) = (dispute(&won).await, dispute(&lost).await);
    let found = states(&mall, &anna).await;
    assert_eq!(
        found[1..],
        [("held".to_owned(), "in_review".to_owned()), ("held".to_owned(), "in_review".to_owned())]
    );
    judge(&mall, &newest(&mall).await, "release").await.refused(409, "referral_decided");
    wait(&mall).await;
    assert_eq!(credit(&mall, &anna).await, (20, 0), "for the one that isn't disputed");
    end(&first, "won").await;
    assert_eq!(credit(&mall, &anna).await, (40, 0));
    end(&second, "lost").await;
    assert_eq!(states(&mall, &anna).await[1], ("reversed".to_owned(), "refunded".to_owned()));
    let third = dispute(&after).await;
    assert_eq!(credit(&mall, &anna).await, (40, 0), "what was given stays until it is decided");
    end(&third, "lost").await;
    assert_eq!(credit(&mall, &anna).await, (20, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_must_have_proved_their_address() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.stranger("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let mut friends = Vec::new();
    for email in ["proves@b.test", "never@b.test"] {
        let person = mall.shop.app.stranger(email).await;
        buy(&mall, &person, "k", &body(&mall, &article, Some(&code), json!({})), None).await;
        friends.push(person);
    }
    wait(&mall).await;
    let found = states(&mall, &anna).await;
    assert!(
        found.iter().all(|(state, reason)| state == "pending" && reason == "inviter_not_verified"),
        "{found:?}"
    );
    sql(
        &mall,
        "UPDATE accounts SET email_verified_at = created_at WHERE email IN ('anna@b.test', 'proves@b.test')",
    )
    .await;
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(states(&mall, &anna).await[0], ("pending".to_owned(), "friend_not_verified".to_owned()));
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &friends[0]).await), ((20, 0), (10, 0)));
    mall.shop.advance(TimeDelta::days(30)).await;
    assert_eq!(states(&mall, &anna).await[0], ("refused".to_owned(), "friend_not_verified".to_owned()));
    assert_eq!(credit(&mall, &anna).await, (20, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_touch_counts_and_one_from_sign_up_for_its_time() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let bea = mall.shop.app.member("bea@b.test").await;
    let (annas, beas) = (code_of(&mall, &anna).await, code_of(&mall, &bea).await);
    let sign_up = async |email: &str| {
        let new = json!({ "email": email, "password": PASSWORD, "invite_code": annas });
        mall.shop.app.post("/v1/accounts").json(&new).send().await.ok(201);
        mall.shop.app.sign_in(email).await
    };
    let late = sign_up("late@b.test").await;
    mall.shop.advance(TimeDelta::days(29)).await;
    let soon = sign_up("soon@b.test").await;
    let other = sign_up("other@b.test").await;
    buy(&mall, &soon, "k", &body(&mall, &article, None, json!({})), None).await;
    // The order's own code is the later touch; one that names nobody is none.
    buy(&mall, &other, "k", &body(&mall, &article, Some(&beas), json!({})), None).await;
    let typo = sign_up("typo@b.test").await;
    buy(&mall, &typo, "k", &body(&mall, &article, Some("NOBODYS"), json!({})), None).await;
    mall.shop.advance(TimeDelta::days(1)).await;
    let late = again(&mall, &late).await;
    buy(&mall, &late, "k", &body(&mall, &article, None, json!({})), None).await;
    mall.shop.settle().await;
    assert_eq!((states(&mall, &anna).await.len(), states(&mall, &bea).await.len()), (2, 1));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_release_or_refuse_what_is_held() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let old = mall.shop.app.member("old@b.test").await;
    buy(&mall, &old, "k", &body(&mall, &article, None, json!({})), Some("family")).await;
    for email in ["spouse@b.test", "child@b.test"] {
        let person = mall.shop.app.member(email).await;
        buy(&mall, &person, "k", &body(&mall, &article, Some(&code), json!({})), Some("family")).await;
        mall.shop.settle().await;
    }
    let owner = again(&mall, &mall.owner).await;
    let held = get(&mall, &owner, "/v1/admin/referrals?state=held").await.ok(200)["data"].clone();
    let (child, spouse) = (&held[0], &held[1]);
    assert_eq!((held.as_array().unwrap().len(), &child["inviter"]), (2, &json!(anna.id)));
    let of = format!("/v1/admin/referrals?friend={}", child["friend"].as_str().unwrap());
    assert_eq!(get(&mall, &owner, &of).await.ok(200)["data"].as_array().unwrap().len(), 1);
    let path = format!("/v1/admin/referrals/{}", id(child));
    assert_eq!(get(&mall, &owner, &path).await.ok(200), *child);

    wait(&mall).await;
    assert_eq!(credit(&mall, &anna).await, (0, 0));
    let released = judge(&mall, spouse, "release").await.ok(200);
    assert_eq!((&released["state"], &released["rewards"][0]["state"]), (&json!("rewarded"), &json!("given")));
    judge(&mall, spouse, "release").await.ok(200);
    judge(&mall, spouse, "refuse").await.refused(409, "referral_decided");
    for _ in 0..2 {
        assert_eq!(judge(&mall, child, "refuse").await.ok(200)["reason"], "operator");
    }
    judge(&mall, child, "release").await.refused(409, "referral_decided");
    assert_eq!(credit(&mall, &anna).await, (20, 0));
    let audited =
        "audit_log WHERE action IN ('referral.release', 'referral.refuse') AND reason = 'looked at'";
    assert_eq!(count(&mall, audited).await, 2);
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn goods_count_from_their_delivery_and_not_while_something_comes_back() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let wanted = body(&mall, &tea, Some(&code), json!({}));
    let placed = buy(&mall, &ben, "k", &wanted, None).await;
    mall.shop.advance(TimeDelta::days(20)).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    send(&mall, &placed).await;
    mall.shop.advance(TimeDelta::days(13)).await;
    let ben = again(&mall, &ben).await;
    let asked = crate::support::desk::ask(&mall, &ben, &placed, "r", 1, "changed_mind").await.ok(201);
    mall.shop.advance(TimeDelta::days(5)).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""), "it may yet come back");
    let owner = again(&mall, &mall.owner).await;
    let why = json!({ "reason": "no" });
    crate::support::desk::act(&mall, &owner, &asked, "reject", "n", why).await.ok(200);
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!(states(&mall, &anna).await, is("rewarded", ""));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_bought_is_rewarded_once_he_is_somebody() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let basket = Basket::of_guest(&mall).await;
    basket.put(&mall, json!([{ "variant": tea, "quantity": 1 }])).await.ok(200);
    let guest = json!({ "email": "gus@b.test", "invite_code": code });
    let placed = basket.order(&mall, "k", guest).await.ok(201);
    pay(&mall, &placed, None).await;
    mall.shop.settle().await;
    send(&mall, &placed).await;
    wait(&mall).await;
    assert_eq!(states(&mall, &anna).await, is("pending", "friend_not_verified"));
    let gus = mall.shop.app.member("gus@b.test").await;
    let adopted = mall.shop.app.post(&format!("/v1/orders/{}/adopt", id(&placed))).bearer(&gus.token);
    let token = placed["order_token"].as_str().unwrap();
    adopted.header("Order-Token", token).send().await.ok(200);
    mall.shop.settle().await;
    assert_eq!(states(&mall, &anna).await, is("rewarded", ""));
    assert_eq!((credit(&mall, &anna).await, credit(&mall, &gus).await), ((20, 0), (10, 0)));

    // Erased, he is nobody, and Anna keeps what she got.
    let gus = again(&mall, &gus).await;
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    mall.shop.app.delete("/v1/me").bearer(&gus.token).json(&erase).send().await.ok(204);
    assert_eq!(crate::accounts::traces(&mall.shop.app, &["gus@b.test"]).await, Vec::<String>::new());
    let anna = again(&mall, &anna).await;
    let export = get(&mall, &anna, "/v1/me/export").await.ok(200);
    assert_eq!(export["invite_codes"][0]["code"], json!(code));
    assert_eq!(
        (&export["referrals"][0]["side"], export["referrals"][0].get("friend_id")),
        (&json!("inviter"), None)
    );
    assert_eq!(export["referral_rewards"].as_array().unwrap().len(), 1);
    mall.finish().await;
}

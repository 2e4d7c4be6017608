//! What counts for a referral or a commission, and when: the time to withdraw, codes of a sign-up, orders that were sent back,
//! budgets, and refunds that fail.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::partners;
use crate::referrals::{
    PROGRAMME, again, body, buy, code_of, course, credit, final_in, friend, is, pay, refund, sql, states,
    told, turn_on, wait,
};
use crate::support::Person;
use crate::support::baskets::Basket;
use crate::support::desk::{count, get, id};
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;

async fn quoted(mall: &Mall, person: &Person, article: &Value, code: &str) -> String {
    let person = again(mall, person).await;
    let wanted = body(mall, article, Some(code), json!({}));
    told(&mall.shop.app.post("/v1/quotes").bearer(&person.token).json(&wanted).send().await.ok(200)).1
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_while_the_law_lets_a_buyer_withdraw() {
    // A week to return: shorter than the time to withdraw.
    let mall = Mall::open_with(&[("KINDRED_RETURN_DAYS", "7")]).await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let ann = partners::partner(&mall, json!({})).await;
    partners::code(&mall, &ann, "ANN", "10", json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let (_, placed) = friend(&mall, "ben@b.test", &article, &code).await;
    friend(&mall, "eva@b.test", &article, "ANN").await;
    mall.shop.settle().await;
    mall.shop.advance(TimeDelta::days(8)).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    assert_eq!(partners::stands(&mall, &ann).await, (1, 1_000, 0, 0));
    mall.shop.advance(final_in(&mall, &placed) - TimeDelta::minutes(5)).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    mall.shop.advance(TimeDelta::minutes(10)).await;
    assert_eq!(states(&mall, &anna).await, is("rewarded", ""));
    assert_eq!(partners::stands(&mall, &ann).await, (1, 0, 1_000, 0));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sent_everything_back_is_new_but_is_paid_for_once() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let plain = body(&mall, &article, None, json!({}));
    let first = buy(&mall, &ben, "first", &plain, None).await;
    assert_eq!(quoted(&mall, &ben, &article, &code).await, "not_a_new_customer");
    refund(&mall, &first, json!({ "reason": "Kulanz", "amount": yuan(99) })).await;
    assert_eq!(quoted(&mall, &ben, &article, &code).await, "not_a_new_customer");
    refund(&mall, &first, json!({ "reason": "Kulanz" })).await;
    assert_eq!(quoted(&mall, &ben, &article, &code).await, "invite_counts");

    let wanted = body(&mall, &article, Some(&code), json!({}));
    let second = buy(&mall, &again(&mall, &ben).await, "second", &wanted, None).await;
    wait(&mall).await;
    assert_eq!((states(&mall, &anna).await, credit(&mall, &anna).await), (is("rewarded", ""), (20, 0)));
    // What went back after the reward opens no second one.
    refund(&mall, &second, json!({ "reason": "sent back" })).await;
    assert_eq!(
        (states(&mall, &anna).await, credit(&mall, &anna).await),
        (is("reversed", "refunded"), (0, 0))
    );
    assert_eq!(quoted(&mall, &ben, &article, &code).await, "not_a_new_customer");
    buy(&mall, &again(&mall, &ben).await, "third", &wanted, None).await;
    wait(&mall).await;
    assert_eq!((count(&mall, "referrals").await, credit(&mall, &anna).await), (1, (0, 0)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_a_sign_up_counts_for_nothing_that_was_ordered_before_it() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 10).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let order = async |email: &str, more: Value| {
        let basket = Basket::of_guest(&mall).await;
        basket.put(&mall, json!([{ "variant": tea, "quantity": 1 }])).await.ok(200);
        let mut guest = json!({ "email": email });
        guest.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        basket.order(&mall, "k", guest).await.ok(201)
    };
    // Signs up by the code after the order, and adopts it: before it is paid, and after.
    let adopt = async |email: &str, placed: &Value| {
        let new = json!({ "email": email, "password": PASSWORD, "invite_code": code });
        mall.shop.app.post("/v1/accounts").json(&new).send().await.ok(201);
        sql(&mall, &format!("UPDATE accounts SET email_verified_at = now() WHERE email_key = '{email}'"))
            .await;
        let person = mall.shop.app.sign_in(email).await;
        let request = mall.shop.app.post(&format!("/v1/orders/{}/adopt", id(placed))).bearer(&person.token);
        request.header("Order-Token", placed["order_token"].as_str().unwrap()).send().await.ok(200);
        mall.shop.settle().await;
    };
    let unpaid = order("early@b.test", json!({})).await;
    adopt("early@b.test", &unpaid).await;
    pay(&mall, &unpaid, None).await;
    mall.shop.settle().await;
    let paid = order("late@b.test", json!({})).await;
    pay(&mall, &paid, None).await;
    mall.shop.settle().await;
    adopt("late@b.test", &paid).await;
    assert_eq!(
        (count(&mall, "orders WHERE paid_at IS NOT NULL").await, count(&mall, "referrals").await),
        (2, 0)
    );
    // One that is typed with the guest's order counts, whenever he signs up.
    let typed = order("typed@b.test", json!({ "invite_code": code })).await;
    pay(&mall, &typed, None).await;
    mall.shop.settle().await;
    adopt("typed@b.test", &typed).await;
    assert_eq!(states(&mall, &anna).await, is("pending", ""));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_side_loses_goes_back_into_the_budget() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({ "caps": { "budget": yuan(40) } })).await;
    // Anna never proves her address: her 20 yuan are lost, and the friend's 10 are given.
    let anna = mall.shop.app.stranger("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let (ben, placed) = friend(&mall, "ben@b.test", &article, &code).await;
    wait(&mall).await;
    mall.shop.advance(TimeDelta::days(31)).await;
    assert_eq!((states(&mall, &anna).await, credit(&mall, &ben).await), (is("rewarded", ""), (10, 0)));
    let used = async || {
        let owner = again(&mall, &mall.owner).await;
        get(&mall, &owner, PROGRAMME).await.ok(200)["used"]["budget_taken"].clone()
    };
    assert_eq!(used().await, yuan(10));
    // So there is room for another one, of 30.
    let bea = mall.shop.app.member("bea@b.test").await;
    let code = code_of(&mall, &bea).await;
    friend(&mall, "carl@b.test", &article, &code).await;
    wait(&mall).await;
    assert_eq!((states(&mall, &bea).await, used().await), (is("rewarded", ""), yuan(40)));
    refund(&mall, &placed, json!({ "reason": "sent back" })).await;
    assert_eq!(used().await, yuan(30));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_refused_for_what_is_typed_as_a_code() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    for nonsense in ["我的邀请码", "x\u{7}y", &"x".repeat(65)] {
        assert_eq!(quoted(&mall, &ben, &article, nonsense).await, "unknown_invite_code");
    }
    let wanted = body(&mall, &article, Some("安娜的"), json!({}));
    let placed =
        mall.shop.app.post("/v1/orders").bearer(&ben.token).key("k").json(&wanted).send().await.ok(201);
    assert_eq!((told(&placed).1.as_str(), &placed["invite_code"]), ("unknown_invite_code", &Value::Null));
    let spaced = format!(" {} {}\t", &code[..3], &code[3..]);
    assert_eq!(quoted(&mall, &ben, &article, &spaced).await, "invite_counts");
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commission_comes_back_where_a_refund_fails_and_is_of_what_was_charged() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    let ann = partners::partner(&mall, json!({})).await;
    partners::code(&mall, &ann, "ANN", "10", json!({})).await;
    let ben = mall.shop.app.member("ben@b.test").await;
    let wanted = body(&mall, &article, Some("ANN"), json!({}));
    let placed = buy(&mall, &ben, "k", &wanted, None).await;
    mall.shop.settle().await;
    mall.shop.simulator().set_refund_delay(TimeDelta::days(5));
    refund(&mall, &placed, json!({ "reason": "late", "amount": yuan(40) })).await;
    assert_eq!(partners::stands(&mall, &ann).await.1, 600);
    let sent = "SELECT stripe_refund_id AS text FROM refunds";
    let stripe_id = crate::support::catalog::text_sql(&mut *mall.shop.app.conn().await, sent).await;
    mall.shop.simulator().settle_refund(&stripe_id, false).unwrap();
    mall.shop.settle().await;
    let seen = partners::entries(&mall, &ann).await;
    assert_eq!(
        seen,
        [
            partners::entry("earned", "", 1_000, "held"),
            partners::entry("reversed", "refund", -400, "held"),
            partners::entry("restored", "corrected", 400, "held"),
        ]
    );

    // Store credit pays 70 of 100 yuan: 30 were charged. Of what goes back the first 70 aren't the partner's.
    mall.shop.simulator().set_refund_delay(TimeDelta::zero());
    let owner = again(&mall, &mall.owner).await;
    let path = format!("/v1/admin/accounts/{}/credit", ben.id);
    let gift = json!({ "amount": yuan(70), "reason": "Sorry." });
    mall.shop.app.post(&path).bearer(&owner.token).key("gift").json(&gift).send().await.ok(201);
    let ben = again(&mall, &ben).await;
    let mixed = body(&mall, &article, Some("ANN"), json!({ "credit": 7_000 }));
    let second = buy(&mall, &ben, "second", &mixed, None).await;
    mall.shop.settle().await;
    assert_eq!(partners::stands(&mall, &ann).await.1, 1_300);
    refund(&mall, &second, json!({ "reason": "late", "amount": yuan(50) })).await;
    assert_eq!(partners::stands(&mall, &ann).await.1, 1_300);
    refund(&mall, &second, json!({ "reason": "late", "amount": yuan(35) })).await;
    assert_eq!(partners::stands(&mall, &ann).await.1, 1_150);
    mall.finish().await;
}

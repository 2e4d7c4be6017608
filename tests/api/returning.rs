//! Who erases the account and comes back with the same address: limits a person still hold, and of the address nothing stays.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::accounts::traces;
use crate::referrals::{again, body, buy, code_of, course, told, turn_on};
use crate::support::desk::post;
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::{Answer, Person};

const EMAIL: &str = "gus.tav@gmail.com";

async fn make(mall: &Mall, path: &str, key: &str, body: Value) -> Value {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    post(mall, &owner, path, key, body).await.ok(201)
}

fn names(name: &str) -> Value {
    json!({ "zh-CN": name, "en": name })
}

async fn claim(mall: &Mall, code: &str, person: &Person) -> Answer {
    post(mall, person, &format!("/v1/coupon-campaigns/{code}/claim"), code, json!({})).await
}

async fn erase(mall: &Mall, person: &Person, forfeit: bool) -> Answer {
    let body = json!({ "password": PASSWORD, "forfeit": forfeit });
    mall.shop.app.delete("/v1/me").bearer(&person.token).json(&body).send().await
}

/// A give-out of coupons and one of vouchers, a packet and a game, each once a person: their codes.
async fn gifts(mall: &Mall) -> [&'static str; 4] {
    let campaign = json!({
        "code": "ten", "names": names("ten"), "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 30,
    });
    let campaign = make(mall, "/v1/admin/coupon-campaigns", "c", campaign).await;
    let (now, end) = (mall.shop.app.now(), mall.shop.app.now() + TimeDelta::days(30));
    let coupons = json!({
        "code": "coupons", "campaign": campaign["id"], "starts_at": now, "ends_at": end, "per_round": 10,
    });
    make(mall, "/v1/admin/give-outs", "g", coupons).await;
    let merchant = json!({ "code": "noodles", "names": names("Noodle house") });
    let merchant = make(mall, "/v1/admin/merchants", "m", merchant).await;
    let treat = json!({
        "code": "bowl", "merchant": merchant["id"], "kind": "voucher", "names": names("A bowl"),
        "terms": names("Eat in."), "face_value": yuan(88), "valid_days": 7,
    });
    let treat = make(mall, "/v1/admin/treats", "t", treat).await;
    let vouchers = json!({
        "code": "vouchers", "treat": treat["id"], "starts_at": now, "ends_at": end, "per_round": 10,
    });
    make(mall, "/v1/admin/give-outs", "v", vouchers).await;
    let packet = json!({ "code": "packet", "amount": yuan(9), "parts": 9, "split": "equal", "ends_at": end });
    make(mall, "/v1/admin/packets", "p", packet).await;
    let game = json!({
        "code": "game", "names": names("game"), "starts_at": now, "ends_at": end, "plays_in_all": 1,
        "when_out": "nothing", "prizes": [{ "names": names("nothing"), "kind": "nothing", "weight": 1 }],
    });
    make(mall, "/v1/admin/games", "w", game).await;
    let welcome = json!({ "event": "birthday", "campaign": campaign["id"] });
    make(mall, "/v1/admin/occasions", "o", welcome).await;
    ["coupons", "vouchers", "packet", "game"]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_with_the_same_address_is_not_new() {
    let mall = Mall::open().await;
    let article = course(&mall).await;
    turn_on(&mall, json!({})).await;
    let codes = gifts(&mall).await;
    let tea = mall.goods("TEA", 90, 10).await;
    let drop = mall.drop(&tea, 5, json!({ "cap_per_person": 1 })).await;
    let of_drop = json!([{ "variant": tea, "drop": drop["id"] }]);
    let anna = mall.shop.app.member("anna@b.test").await;
    let code = code_of(&mall, &anna).await;
    let gus = mall.shop.app.member(EMAIL).await;
    for code in codes {
        claim(&mall, code, &gus).await.ok(201);
    }
    buy(&mall, &gus, "k", &body(&mall, &article, None, json!({})), None).await;
    mall.buy(&gus, "drop", of_drop.clone()).await;
    mall.shop.settle().await;
    erase(&mall, &gus, true).await.ok(204);
    assert_eq!(traces(&mall.shop.app, &[EMAIL, "gustav@gmail.com"]).await, Vec::<String>::new());

    // However he writes his address now.
    let gus = mall.shop.app.member("Gustav+new@googlemail.com").await;
    for code in codes {
        claim(&mall, code, &gus).await.refused(409, "cap_reached");
    }
    mall.order(&gus, "again", of_drop).await.refused(409, "cap_reached");
    let wanted = body(&mall, &article, Some(&code), json!({}));
    let quote = mall.shop.app.post("/v1/quotes").bearer(&gus.token).json(&wanted).send().await.ok(200);
    assert_eq!(told(&quote).1, "not_a_new_customer");
    mall.shop.settle().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_birthday_is_kept_once_a_year_over_two_accounts() {
    let mall = Mall::open().await;
    gifts(&mall).await;
    let zone = mall.shop.app.app.settings.timezone;
    let today = mall.shop.app.now().with_timezone(&zone).date_naive();
    let tomorrow = (today + TimeDelta::days(1)).format("%m-%d").to_string();
    let tell = async |person: &Person, birthday: &str| {
        let request = mall.shop.app.patch("/v1/me").bearer(&person.token);
        request.json(&json!({ "birthday": birthday })).send().await.ok(200);
    };
    let coupons = async |person: &Person| {
        let person = again(&mall, person).await;
        let seen = mall.shop.app.get("/v1/me/coupons").bearer(&person.token).send().await.ok(200);
        seen["data"].as_array().unwrap().len()
    };
    let gus = mall.shop.app.member(EMAIL).await;
    tell(&gus, &tomorrow).await;
    // Those who tell it on the day, or when it is over, have it kept the next time.
    let late = mall.shop.app.member("late@b.test").await;
    tell(&late, &today.format("%m-%d").to_string()).await;
    let later = mall.shop.app.member("later@b.test").await;
    tell(&later, &(today - TimeDelta::days(3)).format("%m-%d").to_string()).await;
    mall.shop.advance(TimeDelta::days(1)).await;
    assert_eq!((coupons(&gus).await, coupons(&late).await, coupons(&later).await), (1, 0, 0));
    erase(&mall, &again(&mall, &gus).await, true).await.ok(204);
    let gus = mall.shop.app.member(EMAIL).await;
    let soon = (mall.shop.app.now().with_timezone(&zone).date_naive() + TimeDelta::days(1)).format("%m-%d");
    tell(&gus, &soon.to_string()).await;
    mall.shop.advance(TimeDelta::days(1)).await;
    let is_new_year = soon.to_string() == "01-01";
    assert_eq!(coupons(&gus).await, usize::from(is_new_year));
    // A year on each of them has one.
    mall.shop.advance(TimeDelta::days(365)).await;
    assert_eq!((coupons(&late).await, coupons(&later).await), (1, 1));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_opened_of_a_packet_is_its_makers() {
    let mall = Mall::open().await;
    let gus = mall.shop.app.member(EMAIL).await;
    let gift = json!({ "amount": yuan(50), "reason": "Sorry." });
    make(&mall, &format!("/v1/admin/accounts/{}/credit", gus.id), "c", gift).await;
    let packet = json!({ "amount": yuan(50), "parts": 5, "split": "equal" });
    let made = post(&mall, &gus, "/v1/me/packets", "p", packet).await.ok(201);
    let code = made["code"].as_str().unwrap();
    let (bao, late) = (mall.shop.app.member("bao@b.test").await, mall.shop.app.member("late@b.test").await);
    claim(&mall, code, &bao).await.ok(201);
    erase(&mall, &gus, false).await.refused(409, "credit_left");
    erase(&mall, &gus, true).await.ok(204);
    claim(&mall, code, &late).await.refused(409, "closed");
    let conn = &mut *mall.shop.app.conn().await;
    let sum = "SELECT sum(balance_minor)::bigint AS count FROM credit_balances";
    assert_eq!(crate::support::catalog::count_sql(conn, sum).await, 1_000, "Bao's part alone");
    let returned = "SELECT returned_minor AS count FROM packets";
    assert_eq!(crate::support::catalog::count_sql(conn, returned).await, 4_000);
    mall.shop.settle().await;
    mall.finish().await;
}

//! Benefits of a tier: claimed, used and given back, so many a period; and what the fee was worth.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::checkout::expire;
use crate::support::catalog::count_sql;
use crate::support::desk::{self, id};
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

async fn admin(mall: &Mall, path: &str, key: &str, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    mall.shop.app.post(path).bearer(&owner.token).key(key).json(&body).send().await
}

/// A benefit of members of `plan`'s tier.
async fn benefit(mall: &Mall, plan: &Value, kind: &str, gives: &str, more: Value) -> Value {
    let mut body = json!({
        "tier": plan["tier"], "kind": kind, "gives": gives, "names": { "zh-CN": kind, "en": kind },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    admin(mall, "/v1/admin/benefits", kind, body).await.ok(201)
}

/// A campaign of 10 yuan off goods whose codes are good for 90 days.
async fn campaign(mall: &Mall) -> Value {
    let body = json!({
        "code": "perk", "names": { "zh-CN": "会员券", "en": "Perk" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) }, "valid_days": 90,
    });
    admin(mall, "/v1/admin/coupon-campaigns", "perk", body).await.ok(201)
}

async fn monthly_coupon(mall: &Mall) -> Value {
    let campaign = campaign(mall).await;
    let more = json!({ "every": "P1M", "allowed": 1, "campaign": campaign["id"] });
    benefit(mall, &mall.regular, "monthly_coupon", "coupon", more).await
}

async fn claim(mall: &Mall, person: &Person, benefit: &Value, key: &str) -> Answer {
    let path = format!("/v1/me/benefits/{}/claim", id(benefit));
    mall.shop.app.post(&path).bearer(&person.token).key(key).send().await
}

async fn mine(mall: &Mall, person: &Person) -> Value {
    desk::get(mall, person, "/v1/me/membership").await.ok(200)
}

async fn back(mall: &Mall, person: &Person, by: TimeDelta) -> Person {
    mall.shop.advance(by).await;
    mall.shop.app.sign_in(&person.email).await
}

/// (used, left, until) of the benefit of this kind.
fn stands(membership: &Value, kind: &str) -> (Value, Value, Value) {
    let benefits = membership["benefits"].as_array().unwrap();
    let found = benefits.iter().find(|benefit| benefit["kind"] == kind).expect(kind);
    (found["used"].clone(), found["left"].clone(), found["until"].clone())
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_a_month_is_claimed_once_a_month_however_many_ask() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 9).await;
    let perk = monthly_coupon(&mall).await;
    let stranger = mall.shop.app.member("stranger@b.test").await;
    claim(&mall, &stranger, &perk, "k").await.refused(403, "members_only");
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let seen = mine(&mall, &anna).await;
    assert_eq!(stands(&seen, "monthly_coupon").0, 0);

    // Twelve windows at once, and one that asks twice with one key.
    let keys: Vec<String> = (0..12).map(|n| format!("w{n}")).chain(["w0".to_owned()]).collect();
    let answers = join_all(keys.iter().map(|key| claim(&mall, &anna, &perk, key))).await;
    let mut codes: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json["code"].clone())
        .collect();
    codes.dedup();
    assert_eq!(codes.len(), 1, "{codes:?}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        assert!(["benefit_used_up", "request_in_progress"].contains(&answer.json["code"].as_str().unwrap()));
    }
    let wallet = desk::get(&mall, &anna, "/v1/me/coupons").await.ok(200);
    assert_eq!((wallet["data"].as_array().unwrap().len(), &wallet["data"][0]["code"]), (1, &codes[0]));
    let after = mine(&mall, &anna).await;
    let (used, left, until) = stands(&after, "monthly_coupon");
    assert_eq!((used, left), (json!(1), json!(0)));

    // The next month has one, and months that went by unused have none any more.
    let anna = back(&mall, &anna, time(&until) - mall.shop.app.now() - TimeDelta::seconds(1)).await;
    claim(&mall, &anna, &perk, "early").await.refused(409, "benefit_used_up");
    let anna = back(&mall, &anna, TimeDelta::seconds(1)).await;
    claim(&mall, &anna, &perk, "february").await.ok(201);
    let anna = back(&mall, &anna, TimeDelta::days(100)).await;
    claim(&mall, &anna, &perk, "later").await.ok(201);
    claim(&mall, &anna, &perk, "once-more").await.refused(409, "benefit_used_up");

    // Its worth is what it takes off, once that is paid.
    let wallet = desk::get(&mall, &anna, "/v1/me/coupons").await.ok(200);
    let mut body = mall.body(json!([{ "variant": tea }]));
    body["coupon_codes"] = json!([wallet["data"][0]["code"]]);
    let order = desk::post(&mall, &anna, "/v1/orders?wait=payment", "tea", body).await.ok(201);
    assert_eq!(mine(&mall, &anna).await["worth"]["used"], yuan(0));
    mall.shop.pay(&order).await;
    mall.shop.settled(&anna, &order).await;
    assert_eq!(mine(&mall, &anna).await["worth"]["used"], yuan(10));

    let uses = desk::get(&mall, &anna, "/v1/me/benefit-uses?limit=2").await.ok(200);
    assert_eq!((uses["data"].as_array().unwrap().len(), uses["next_cursor"].is_string()), (2, true));
    assert_eq!(
        (&uses["data"][0]["kind"], &uses["data"][0]["worth"]),
        (&json!("monthly_coupon"), &Value::Null)
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_refunded_membership_gave_is_taken_back_and_another_tier_gives_nothing() {
    let mall = Mall::open().await;
    let perk = monthly_coupon(&mall).await;
    let club = mall.member("club@b.test", &mall.diehard).await;
    claim(&mall, &club, &perk, "k").await.refused(422, "unknown_benefit");

    let anna = mall.shop.app.member("anna@b.test").await;
    let mut body = mall.body(json!([{ "plan": mall.regular["id"] }]));
    body.as_object_mut().unwrap().remove("shipping");
    let order = desk::post(&mall, &anna, "/v1/orders?wait=payment", "join", body).await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(&anna, &order).await;
    let coupon = claim(&mall, &anna, &perk, "k").await.ok(201);
    assert_eq!(coupon["state"], "usable");
    let path = format!("/v1/admin/orders/{}/refunds", id(&order));
    admin(&mall, &path, "refund", json!({ "reason": "Withdrew." })).await.ok(201);
    mall.shop.settle().await;
    let wallet = desk::get(&mall, &anna, "/v1/me/coupons").await.ok(200);
    assert_eq!(
        (&wallet["data"][0]["code"], &wallet["data"][0]["state"]),
        (&coupon["code"], &json!("revoked"))
    );
    claim(&mall, &anna, &perk, "again").await.refused(403, "members_only");
    mall.finish().await;
}

/// A gift of welcome for members of `plan`'s tier: a bag that isn't on open sale; (benefit, variant).
async fn welcome_gift(mall: &Mall, plan: &Value, stock: i64) -> (Value, Value) {
    let variants = json!([{ "sku": "BAG", "price": yuan(50), "weight_grams": 300, "open_sale": false }]);
    let more = json!({ "buys": { "who": "tier", "at_least": "diehard" } });
    let product = mall.product("bag", "goods", variants, more).await;
    let bag = product["variants"][0]["id"].clone();
    mall.stock(&bag, stock, "received").await.ok(201);
    let gift = benefit(mall, plan, "welcome_gift", "article", json!({ "allowed": 1, "variant": bag })).await;
    (gift, bag)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_gift_is_a_line_that_costs_nothing_once_a_person() {
    let mall = Mall::open().await;
    let (gift, bag) = welcome_gift(&mall, &mall.regular, 9).await;
    let line = json!([{ "variant": bag, "benefit": gift["id"] }]);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    mall.shop.settle().await;
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    let told =
        |to: &str| inbox.iter().filter(|mail| mail.to == to && mail.subject.contains("welcome_gift")).count();
    assert_eq!(told("anna@b.test"), 1);

    // The parcel is paid as usual.
    let quote = mall.quote(&anna, line.clone()).await.ok(200);
    assert_eq!((&quote["totals"]["subtotal"], &quote["lines"][0]["benefit"]), (&yuan(0), &gift["id"]));
    assert_eq!(quote["explanation"][0]["reason"], "benefit");
    // One, in however many windows.
    let orders = join_all((0..8).map(|n| {
        let (mall, anna, line, key) = (&mall, &anna, line.clone(), format!("w{n}"));
        async move { mall.order(anna, &key, line).await }
    }));
    let (placed, refused): (Vec<_>, Vec<_>) =
        orders.await.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(placed.len(), 1);
    refused.iter().for_each(|answer| {
        answer.refused(409, "benefit_used_up");
    });
    let order = placed.into_iter().next().unwrap().ok(201);
    assert_eq!(order["lines"][0]["benefit"], gift["id"]);
    mall.shop.pay(&order).await;
    assert_eq!(mall.shop.settled(&anna, &order).await["state"], "paid");
    assert_eq!(
        (mall.stands(&bag).await, mine(&mall, &anna).await["worth"]["used"].clone()),
        ((9, 0, 1), yuan(50))
    );

    // Cancelled before it is sent, it can be had again; sent, it can't.
    desk::cancel(&mall, &anna, &order, "c").await.ok(200);
    assert_eq!(
        (mall.stands(&bag).await, mine(&mall, &anna).await["worth"]["used"].clone()),
        ((9, 0, 0), yuan(0))
    );
    let order = mall.order(&anna, "again", line.clone()).await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(&anna, &order).await;
    desk::send(&mall, &order).await;
    mall.order(&anna, "third", line.clone()).await.refused(409, "benefit_used_up");

    // Another address of the same person has had it, and isn't told of it.
    let alias = mall.member("anna+shop@b.test", &mall.regular).await;
    mall.order(&alias, "k", line.clone()).await.refused(409, "benefit_used_up");
    mall.shop.settle().await;
    let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
    assert!(!inbox.iter().any(|mail| mail.to == "anna+shop@b.test" && mail.subject.contains("welcome_gift")));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_that_is_never_sent_can_be_had_again() {
    let mall = Mall::open().await;
    let (gift, bag) = welcome_gift(&mall, &mall.regular, 9).await;
    let tea = mall.goods("TEA", 90, 9).await;
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let gift_line = json!({ "variant": bag, "benefit": gift["id"] });
    // Refunded beside what was paid, on sale again or not; and by itself, where its parcel was all that was paid.
    for (key, lines, restock) in [
        ("both", json!([{ "variant": tea }, gift_line]), true),
        ("kept", json!([{ "variant": tea }, gift_line]), false),
        ("alone", json!([gift_line]), true),
    ] {
        let order = mall.buy(&anna, key, lines).await;
        let path = format!("/v1/admin/orders/{}/refunds", id(&order));
        admin(&mall, &path, key, json!({ "reason": "Sold by mistake.", "restock": restock })).await.ok(201);
        mall.shop.settle().await;
        assert_eq!(mall.shop.show(&anna, &order).await["state"], "refunded");
        assert_eq!(stands(&mine(&mall, &anna).await, "welcome_gift").1, 1, "{key}");
    }
    // What wasn't put back on sale stays out of it.
    assert_eq!((mall.stands(&bag).await, mall.stands(&tea).await), ((9, 0, 1), (9, 0, 1)));
    let order = mall.buy(&anna, "at-last", json!([gift_line])).await;
    desk::send(&mall, &order).await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gifts_run_out_like_everything_else() {
    let mall = Mall::open().await;
    let (gift, bag) = welcome_gift(&mall, &mall.regular, 3).await;
    let people = mall.members(12).await;
    let line = json!([{ "variant": bag, "benefit": gift["id"] }]);
    assert_eq!(mall.rush(&people, &line, "out_of_stock").await, 3);
    assert_eq!(mall.stands(&bag).await, (3, 3, 0));
    // What isn't paid for (its parcel) comes back, and so does the right to it.
    mall.shop.advance(TimeDelta::hours(2)).await;
    assert_eq!(mall.stands(&bag).await, (3, 0, 0));
    let standing = "benefit_uses WHERE released_at IS NULL";
    assert_eq!(desk::count(&mall, standing).await, 0);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_names_a_benefit_of_its_own_article_and_tier() {
    let mall = Mall::open().await;
    let (gift, bag) = welcome_gift(&mall, &mall.diehard, 9).await;
    let tea = mall.goods("TEA", 90, 9).await;
    let (anna, dora) =
        (mall.member("anna@b.test", &mall.regular).await, mall.member("dora@b.test", &mall.diehard).await);
    let stranger = mall.shop.app.member("s@b.test").await;
    let line = |variant: &Value, more: Value| {
        let mut line = json!({ "variant": variant, "benefit": gift["id"] });
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([line])
    };
    mall.order(&stranger, "a", line(&bag, json!({}))).await.refused(403, "members_only");
    mall.order(&anna, "b", line(&bag, json!({}))).await.refused(422, "unknown_benefit");
    mall.order(&dora, "c", line(&tea, json!({}))).await.refused(422, "unknown_benefit");
    mall.order(&dora, "d", line(&bag, json!({ "benefit": "ben_00000000000070008000000000000000" })))
        .await
        .refused(422, "unknown_benefit");
    mall.order(&dora, "e", line(&bag, json!({ "quantity": 2 }))).await.refused(409, "benefit_used_up");
    let twice = json!([{ "variant": bag, "benefit": gift["id"] }, { "variant": bag, "benefit": gift["id"] }]);
    mall.order(&dora, "f", twice).await.refused(409, "benefit_used_up");
    mall.order(&dora, "g", json!([{ "plan": mall.regular["id"], "benefit": gift["id"] }]))
        .await
        .refused(422, "invalid_field");
    let drop = mall.drop(&tea, 5, json!({})).await;
    mall.order(&dora, "h", line(&tea, json!({ "drop": drop["id"] }))).await.refused(422, "invalid_field");
    // Without its benefit it isn't sold.
    mall.order(&dora, "i", json!([{ "variant": bag }])).await.refused(422, "drop_required");
    let path = format!("/v1/admin/benefits/{}/archive", id(&gift));
    admin(&mall, &path, "x", json!({})).await.ok(200);
    mall.order(&dora, "j", line(&bag, json!({}))).await.refused(422, "unknown_benefit");
    mall.finish().await;
}

/// Two parcels a year for nothing.
async fn free_parcels(mall: &Mall, more: Value) -> Value {
    let mut body = json!({ "every": "P1Y", "allowed": 2 });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    benefit(mall, &mall.regular, "free_parcels", "free_shipping", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_parcels_a_year_cost_nothing() {
    let mall = Mall::open().await;
    free_parcels(&mall, json!({})).await;
    let tea = mall.goods("TEA", 90, 30).await;
    let line = json!([{ "variant": tea }]);
    let (anna, other) =
        (mall.member("anna@b.test", &mall.regular).await, mall.shop.app.member("o@b.test").await);
    let fee =
        mall.quote(&other, line.clone()).await.ok(200)["totals"]["shipping"]["amount"].as_i64().unwrap();
    assert!(fee > 0);
    let quote = mall.quote(&anna, line.clone()).await.ok(200);
    assert_eq!(quote["totals"]["shipping"], yuan(0));
    let told =
        quote["explanation"].as_array().unwrap().iter().find(|told| told["rule"] == "benefit:free_parcels");
    assert_eq!(told.unwrap()["amount_minor"], fee);

    // Six at once: two are sent for nothing.
    let orders = join_all((0..6).map(|n| {
        let (mall, anna, line, key) = (&mall, &anna, line.clone(), format!("w{n}"));
        async move { mall.order(anna, &key, line).await.ok(201) }
    }));
    let orders = orders.await;
    let (free, paid): (Vec<_>, Vec<_>) =
        orders.into_iter().partition(|order| order["totals"]["shipping"]["amount"] == 0);
    assert_eq!((free.len(), paid.len()), (2, 4));
    assert_eq!(stands(&mine(&mall, &anna).await, "free_parcels").1, 0);
    mall.shop.pay(&free[0]).await;
    mall.shop.settled(&anna, &free[0]).await;
    assert_eq!(mine(&mall, &anna).await["worth"]["used"]["amount"], fee);
    // One that ends unpaid or is cancelled gives its own back.
    desk::cancel(&mall, &anna, &free[1], "c1").await.ok(200);
    assert_eq!(stands(&mine(&mall, &anna).await, "free_parcels").1, 1);
    desk::cancel(&mall, &anna, &free[0], "c0").await.ok(200);
    mall.shop.settle().await;
    let after = mine(&mall, &anna).await;
    assert_eq!((stands(&after, "free_parcels").1, &after["worth"]["used"]), (json!(2), &yuan(0)));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rest_too_small_to_charge_is_left_to_the_parcel() {
    let mall = Mall::open().await;
    let (gift, bag) = welcome_gift(&mall, &mall.regular, 9).await;
    let line = json!([{ "variant": bag, "benefit": gift["id"] }]);
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let fee = mall.quote(&anna, line.clone()).await.ok(200)["totals"]["shipping"]["amount"].as_i64().unwrap();
    // One that leaves a yuan to pay, and one that is never counted and takes less.
    let most = json!({ "amount": fee - 100, "currency": "CNY" });
    free_parcels(&mall, json!({ "value": most })).await;
    let quote = mall.quote(&anna, line.clone()).await.ok(200);
    assert_eq!(quote["totals"]["due"]["amount"], fee, "less than can be charged is not taken off to");
    let tea = mall.goods("TEA", 90, 9).await;
    let with_tea = json!([{ "variant": bag, "benefit": gift["id"] }, { "variant": tea }]);
    let quote = mall.quote(&anna, with_tea).await.ok(200);
    assert!(quote["explanation"].to_string().contains("benefit:free_parcels"));
    let less = json!({ "value": { "amount": fee - 100, "currency": "CNY" } });
    let unlimited = benefit(&mall, &mall.regular, "always", "free_shipping", less).await;
    let order = mall.buy(&anna, "tea", json!([{ "variant": tea }])).await;
    assert_eq!(order["state"], "paid");
    let uses = desk::get(&mall, &anna, "/v1/me/benefit-uses").await.ok(200);
    assert_eq!((&uses["data"][0]["benefit"], uses["data"].as_array().unwrap().len()), (&unlimited["id"], 1));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_comes_late_finds_its_benefit_or_goes_back() {
    for is_used_otherwise in [false, true] {
        let mall = Mall::open().await;
        free_parcels(&mall, json!({ "allowed": 1, "value": yuan(5) })).await;
        let tea = mall.goods("TEA", 90, 30).await;
        let line = json!([{ "variant": tea }]);
        let anna = mall.member("anna@b.test", &mall.regular).await;
        let stranger = mall.shop.app.member("s@b.test").await;
        let of = |priced: &Value| priced["totals"]["shipping"]["amount"].as_i64().unwrap();
        let full = of(&mall.quote(&stranger, line.clone()).await.ok(200));
        let order = mall.order(&anna, "late", line.clone()).await.ok(201);
        assert_eq!(of(&order), full - 500, "no more than five yuan are taken off");
        expire(&mall.shop, &order).await;
        if is_used_otherwise {
            assert_eq!(of(&mall.order(&anna, "other", line).await.ok(201)), full - 500);
        }
        mall.shop.pay(&order).await;
        mall.shop.settle().await;
        let late = mall.shop.show(&anna, &order).await;
        if is_used_otherwise {
            assert_eq!(
                (&late["state"], &late["refunds"][0]["reason"]),
                (&json!("expired"), &json!("benefit_gone"))
            );
        } else {
            assert_eq!(late["state"], "paid");
            assert_eq!(stands(&mine(&mall, &anna).await, "free_parcels").1, 0);
        }
        mall.shop.settle().await;
        mall.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_entered_by_who_gives_it() {
    let mall = Mall::open().await;
    let meals = benefit(
        &mall,
        &mall.regular,
        "free_meals",
        "service",
        json!({ "every": "P1Y", "allowed": 2, "value": yuan(30) }),
    )
    .await;
    let anna = mall.member("anna@b.test", &mall.regular).await;
    let number = mine(&mall, &anna).await["number"].clone();
    let path = format!("/v1/admin/benefits/{}/uses", id(&meals));
    let support = mall.shop.app.operator(Role::Support).await;
    let enter = async |key: &str, body: Value| {
        mall.shop.app.post(&path).bearer(&support.token).key(key).json(&body).send().await
    };
    claim(&mall, &anna, &meals, "k").await.refused(409, "benefit_not_claimable");
    let first = enter("first", json!({ "number": number, "note": "Hot pot, Nanjing Road" })).await.ok(201);
    assert_eq!(
        enter("first", json!({ "number": number, "note": "Hot pot, Nanjing Road" })).await.ok(201),
        first
    );
    enter("first", json!({ "number": number })).await.refused(422, "idempotency_key_reused");
    let rest = join_all((0..6).map(|n| {
        let (enter, account) = (&enter, anna.id);
        async move { enter(&format!("r{n}"), json!({ "account": account })).await }
    }));
    let (taken, refused): (Vec<_>, Vec<_>) = rest.await.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((taken.len(), refused.len()), (1, 5));
    refused.iter().for_each(|answer| {
        answer.refused(409, "benefit_used_up");
    });
    let seen = mine(&mall, &anna).await;
    assert_eq!((stands(&seen, "free_meals").1, &seen["worth"]["used"]), (json!(0), &yuan(60)));
    let own = desk::get(&mall, &anna, "/v1/me/benefit-uses").await.ok(200);
    assert_eq!(
        (&own["data"][1]["note"], &own["data"][1]["worth"]),
        (&json!("Hot pot, Nanjing Road"), &yuan(30))
    );

    let release = format!("/v1/admin/benefit-uses/{}/release", id(&first));
    desk::post(&mall, &support, &release, "x", json!({ "reason": "" })).await.refused(422, "invalid_field");
    let released =
        desk::post(&mall, &support, &release, "x", json!({ "reason": "Another table's." })).await.ok(200);
    assert!(released["released_at"].is_string());
    assert_eq!(
        desk::post(&mall, &support, &release, "y", json!({ "reason": "Twice." })).await.ok(200),
        released
    );
    assert_eq!(stands(&mine(&mall, &anna).await, "free_meals").1, 1);
    for (body, code) in [
        (json!({}), "invalid_field"),
        (json!({ "number": "KD9999" }), "invalid_field"),
        (json!({ "number": number, "account": anna.id }), "invalid_field"),
    ] {
        enter("bad", body).await.refused(422, code);
    }
    let stranger = mall.shop.app.member("s@b.test").await;
    enter("stranger", json!({ "account": stranger.id })).await.refused(403, "members_only");
    let list = desk::get(&mall, &support, &path).await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worth_of_a_fee_is_what_was_used_and_saved_for_it() {
    let mall = Mall::open().await;
    let tea = mall.goods("TEA", 90, 30).await;
    let path = format!("/v1/admin/variants/{}/prices", tea.as_str().unwrap());
    let cheaper = json!({ "price": yuan(80), "buyers": { "who": "members" } });
    mall.shop.app.make(&mall.owner, &path, &cheaper).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let before = mall.buy(&anna, "before", json!([{ "variant": tea, "quantity": 2 }])).await;
    assert_eq!(before["lines"][0]["unit_price"], yuan(90));
    let mut body = mall.body(json!([{ "plan": mall.regular["id"] }]));
    body.as_object_mut().unwrap().remove("shipping");
    let order = desk::post(&mall, &anna, "/v1/orders?wait=payment", "join", body).await.ok(201);
    mall.shop.pay(&order).await;
    mall.shop.settled(&anna, &order).await;
    let bought = mall.buy(&anna, "tea", json!([{ "variant": tea, "quantity": 4 }])).await;
    assert_eq!(bought["lines"][0]["unit_price"], yuan(80));
    let worth = mine(&mall, &anna).await["worth"].clone();
    assert_eq!((&worth["paid"], &worth["used"], &worth["saved"]), (&yuan(200), &yuan(0), &yuan(40)));
    assert!(worth["remaining"]["amount"].as_i64().unwrap() > 19_900);

    // What goes back was no saving.
    let path = format!("/v1/admin/orders/{}/refunds", id(&bought));
    admin(&mall, &path, "half", json!({ "amount": yuan(160), "reason": "Two were broken." })).await.ok(201);
    mall.shop.settle().await;
    let saved = mine(&mall, &anna).await["worth"]["saved"]["amount"].as_i64().unwrap();
    assert!((1_900..=2_200).contains(&saved), "{saved}");
    let member = mine(&mall, &anna).await["id"].clone();
    let seen =
        desk::get(&mall, &mall.owner, &format!("/v1/admin/members/{}", member.as_str().unwrap())).await;
    assert_eq!(seen.ok(200)["worth"]["saved"]["amount"], saved);
    // Over, it sets nothing against nothing.
    let ends_at = time(&mine(&mall, &anna).await["ends_at"]);
    let anna = back(&mall, &anna, ends_at - mall.shop.app.now()).await;
    let over = mine(&mall, &anna).await;
    assert_eq!(
        (&over["state"], &over["worth"]["paid"], &over["worth"]["saved"]),
        (&json!("grace"), &yuan(0), &yuan(0))
    );
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_has_only_what_is_given_in_trials_and_frozen_months_dont_count() {
    let mall = Mall::open().await;
    let plan = json!({
        "code": "regular-trial", "tier": mall.regular["tier"], "term": "P365D", "price": yuan(200), "renews": "never",
        "payment_methods": ["card"], "open_sale": true, "trial_days": 10,
    });
    let plan = mall.shop.app.make(&mall.owner, "/v1/admin/plans", &plan).await;
    let perk = monthly_coupon(&mall).await;
    let meals = json!({ "every": "P1M", "allowed": 1, "in_trial": true, "value": yuan(30) });
    let meals = benefit(&mall, &mall.regular, "free_meals", "service", meals).await;
    let anna = mall.shop.app.member("anna@b.test").await;
    desk::post(&mall, &anna, "/v1/me/trials", "t", json!({ "plan": plan["id"] })).await.ok(201);
    claim(&mall, &anna, &perk, "k").await.refused(409, "benefit_not_in_trial");
    let path = format!("/v1/admin/benefits/{}/uses", id(&meals));
    admin(&mall, &path, "meal", json!({ "account": anna.id })).await.ok(201);
    // Who joins behind the trial has the rest at once, and is told of the gift.
    welcome_gift(&mall, &mall.regular, 3).await;
    let told = || {
        let inbox = mall.shop.app.app.postbox.inbox().unwrap().all();
        inbox.iter().filter(|mail| mail.to == "anna@b.test" && mail.subject.contains("welcome_gift")).count()
    };
    let grant = format!("/v1/admin/accounts/{}/memberships", anna.id);
    admin(&mall, &grant, "join", json!({ "plan": plan["id"], "reason": "Paid in cash." })).await.ok(201);
    mall.shop.settle().await;
    assert_eq!(told(), 1);
    claim(&mall, &anna, &perk, "k").await.ok(201);

    let bob = mall.member("bob@b.test", &mall.regular).await;
    claim(&mall, &bob, &perk, "one").await.ok(201);
    let bob = back(&mall, &bob, TimeDelta::days(20)).await;
    let until = mall.shop.app.now() + TimeDelta::days(15);
    desk::post(&mall, &bob, "/v1/me/membership/freeze", "f", json!({ "until": until })).await.ok(200);
    claim(&mall, &bob, &perk, "frozen").await.refused(409, "membership_frozen");
    // 36 days after he joined, of which he was there for 21: it is the first month still.
    let bob = back(&mall, &bob, TimeDelta::days(16)).await;
    claim(&mall, &bob, &perk, "same-month").await.refused(409, "benefit_used_up");
    let until = time(&stands(&mine(&mall, &bob).await, "monthly_coupon").2);
    let bob = back(&mall, &bob, until - mall.shop.app.now()).await;
    claim(&mall, &bob, &perk, "second-month").await.ok(201);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_say_what_there_is_and_slips_are_told() {
    let mall = Mall::open().await;
    let campaign = campaign(&mall).await;
    let bag = mall.goods("BAG", 50, 1).await;
    let make = async |more: Value| {
        let mut body = json!({
            "tier": mall.regular["tier"], "kind": "x", "gives": "service", "names": { "zh-CN": "x", "en": "x" },
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        admin(&mall, "/v1/admin/benefits", "k", body).await
    };
    for (more, field) in [
        (json!({ "kind": "Two words" }), "kind"),
        (json!({ "tier": "tier_00000000000070008000000000000000" }), "tier"),
        (json!({ "allowed": 0 }), "allowed"),
        (json!({ "every": "monthly", "allowed": 1 }), "every"),
        (json!({ "every": "P1M" }), "every"),
        (json!({ "gives": "coupon", "allowed": 1 }), "campaign"),
        (json!({ "campaign": campaign["id"] }), "campaign"),
        (json!({ "gives": "coupon", "campaign": campaign["id"] }), "allowed"),
        (json!({ "gives": "article", "allowed": 1 }), "variant"),
        (json!({ "gives": "early_access", "value": yuan(1) }), "value"),
    ] {
        let refused = make(more.clone()).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field, "{more}");
    }
    let unknown = "var_00000000000070008000000000000000";
    make(json!({ "gives": "article", "allowed": 1, "variant": unknown }))
        .await
        .refused(422, "unknown_article");
    let made =
        make(json!({ "gives": "article", "allowed": 2, "every": "P1Y", "variant": bag })).await.ok(201);
    make(json!({})).await.refused(409, "code_taken");

    let path = format!("/v1/admin/benefits/{}", id(&made));
    let patch = async |seen: &str, body: Value| {
        let request = mall.shop.app.patch(&path).bearer(&mall.owner.token).header("If-Match", seen);
        request.json(&body).send().await
    };
    patch("\"v9\"", json!({ "allowed": 3 })).await.refused(412, "version_mismatch");
    patch("\"v1\"", json!({ "allowed": null })).await.refused(422, "invalid_field");
    patch("\"v1\"", json!({ "value": yuan(1) })).await.refused(422, "invalid_field");
    let changed =
        patch("\"v1\"", json!({ "allowed": 3, "names": { "zh-CN": "包", "en": "Bag" } })).await.ok(200);
    assert_eq!((&changed["allowed"], &changed["version"]), (&json!(3), &json!(2)));
    // What everybody is told follows at once.
    let tiers = mall.shop.app.get("/v1/tiers").send().await.ok(200);
    let told = &tiers["data"][0]["benefits"][0];
    assert_eq!((&told["kind"], &told["allowed"], &told["every"]), (&json!("x"), &json!(3), &json!("P1Y")));
    let archive = format!("{path}/archive");
    admin(&mall, &archive, "a", json!({})).await.ok(200);
    assert_eq!(mall.shop.app.get("/v1/tiers").send().await.ok(200)["data"][0]["benefits"], json!([]));
    make(json!({})).await.ok(201);
    let list = format!("/v1/admin/benefits?tier={}", mall.regular["tier"].as_str().unwrap());
    let list = desk::get(&mall, &mall.owner, &list).await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    let audited = "SELECT count(*) AS count FROM audit_log WHERE subject_kind = 'benefit'";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, audited).await, 4);
    mall.finish().await;
}

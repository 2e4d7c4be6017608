//! Payments of many that come at once are settled together, each as if it had come alone.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::dev::bench::limit::settling::Paid;
use kindred::dev::stripe::sign;
use serde_json::{Value, json};

use crate::support::Person;
use crate::support::catalog::{count_sql, run_sql, text_sql};
use crate::support::mall::Mall;
use crate::support::shop::{DriveSeed, Sale, Shop, WEBHOOK_SECRET};

const MEMBERS: usize = 20;
const BUYERS: usize = 20;

async fn people(shop: &Shop, of: &str, count: usize) -> Vec<Person> {
    join_all(
        (0..count).map(|number| async move { shop.app.member(&format!("{of}{number}@settling.test")).await }),
    )
    .await
}

async fn join_drive(shop: &Shop, people: &[Person], sale: Sale) -> Vec<Value> {
    let orders = join_all(people.iter().map(|person| shop.order(person, sale, "join").send())).await;
    orders.into_iter().map(|order| order.ok(201)).collect()
}

/// Pays on the pages; Stripe's events of it don't come by themselves.
async fn pay_unseen(shop: &Shop, orders: &[Value]) {
    for order in orders {
        let form = [("action", "pay_unseen"), ("method", "wechat_pay")];
        assert_eq!(shop.on_page(order, &form).await, 303);
    }
}

/// Every event of a paid session comes so often, all of them at once.
async fn hooks(shop: &Shop, times: usize) {
    let app = &shop.app;
    let url = format!("{}/v1/events?type=checkout.session.completed&limit=100", shop.stripe.url);
    let listed = app.client.get(url).bearer_auth("sk_test_simulated").send().await.unwrap();
    let listed: Value = listed.json().await.unwrap();
    let events: Vec<Paid> = listed["data"].as_array().unwrap().iter().filter_map(Paid::read).collect();
    let hooks = (0..times).flat_map(|_| &events).map(|event| async {
        let secret = WEBHOOK_SECRET.to_owned();
        let signature = sign(&event.payload, app.app.clock.now().timestamp(), &[&secret]);
        let hook = app.client.post(format!("{}/v1/stripe/webhooks", app.url)).body(event.payload.clone());
        let answer = hook.header("Stripe-Signature", signature).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    });
    join_all(hooks).await;
}

fn uuid_of(order: &Value) -> String {
    order["id"].as_str().unwrap().trim_start_matches("ord_").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_and_buyers_of_goods_who_pay_at_once_are_settled_together_and_each_once() {
    let mall = Mall::open().await;
    let shop = &mall.shop;
    let quota = i64::try_from(MEMBERS).unwrap() + 5;
    let sale = shop.drive(DriveSeed { tier: "patron", quota, ..DriveSeed::default() }).await;
    let tea = mall.goods("TEA", 40, 100).await;
    let tea_drop = mall.drop(&tea, 60, json!({})).await;
    let mut orders = join_drive(shop, &people(shop, "member", MEMBERS).await, sale).await;
    let lines = json!([{ "variant": tea, "quantity": 2, "drop": tea_drop["id"] }]);
    let buyers = people(shop, "buyer", BUYERS).await;
    let bought = join_all(buyers.iter().map(|buyer| mall.order(buyer, "tea", lines.clone()))).await;
    orders.extend(bought.into_iter().map(|order| order.ok(201)));
    pay_unseen(shop, &orders).await;
    hooks(shop, 2).await;
    shop.settle().await;

    let mut conn = shop.app.conn().await;
    let paid = "SELECT string_agg(state || ':' || count, ' ' ORDER BY state) AS text FROM \
                (SELECT state, count(*) FROM orders GROUP BY state) AS of";
    assert_eq!(text_sql(&mut conn, paid).await, format!("fulfilled:{MEMBERS} paid:{BUYERS}"));
    let numbers = "SELECT min(sequence) || '-' || max(sequence) || '/' || count(DISTINCT account_id) AS text \
                   FROM member_numbers";
    assert_eq!(text_sql(&mut conn, numbers).await, format!("1-{MEMBERS}/{MEMBERS}"));
    let mails = "SELECT string_agg(kind || ':' || count, ' ' ORDER BY kind) AS text FROM \
                 (SELECT kind, count(*) FROM mails WHERE kind IN ('receipt', 'welcome') GROUP BY kind) AS of";
    assert_eq!(text_sql(&mut conn, mails).await, format!("receipt:{} welcome:{MEMBERS}", MEMBERS + BUYERS));
    assert_eq!(shop.pool(sale).await, (quota, 0, quota - 5));
    let last = "SELECT max(units_after) || '/' || max(revenue_after_minor) || '/' || count(DISTINCT units_after) AS text \
                FROM drop_sales";
    assert_eq!(text_sql(&mut conn, last).await, format!("{}/{}/{BUYERS}", 2 * BUYERS, BUYERS * 8_000));
    let promised = "SELECT count(*) FROM shipping_promises WHERE done_at IS NULL";
    assert_eq!(count_sql(&mut conn, promised).await, i64::try_from(BUYERS).unwrap());
    let often = "SELECT count(*) FROM payments WHERE state <> 'succeeded' OR captured_minor <> amount_minor OR sent_back";
    assert_eq!(count_sql(&mut conn, often).await, 0);
    drop(conn);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_settled_keeps_nobody_else_from_it() {
    let shop = Shop::open().await;
    let sale = shop.drive(DriveSeed::default()).await;
    let orders = join_drive(&shop, &people(&shop, "member", 12).await, sale).await;
    pay_unseen(&shop, &orders).await;
    let (other_amount, failing) = (uuid_of(&orders[3]), uuid_of(&orders[7]));
    let mut conn = shop.app.conn().await;
    // As if the page had been made for another amount than the order's.
    for sql in [
        "UPDATE orders SET subtotal_minor = 25000, total_minor = 25000, due_minor = 25000 WHERE id",
        "UPDATE order_lines SET unit_price_minor = 25000, total_minor = 25000 WHERE order_id",
        "UPDATE payments SET amount_minor = 25000 WHERE order_id",
    ] {
        run_sql(&mut conn, &format!("{sql} = '{other_amount}'")).await;
    }
    let fails = "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END'";
    run_sql(&mut conn, fails).await;
    let trigger = format!(
        "CREATE TRIGGER fails BEFORE UPDATE ON orders FOR EACH ROW WHEN (NEW.id = '{failing}') EXECUTE FUNCTION fails()"
    );
    run_sql(&mut conn, &trigger).await;
    hooks(&shop, 1).await;
    let settled = "SELECT count(*) FROM orders WHERE state = 'fulfilled'";
    for _ in 0..200 {
        if count_sql(&mut conn, settled).await == 10 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(count_sql(&mut conn, settled).await, 10);
    let one = "SELECT state AS text FROM orders WHERE id = ";
    assert_eq!(text_sql(&mut conn, &format!("{one}'{failing}'")).await, "pending_payment");
    run_sql(&mut conn, "DROP TRIGGER fails ON orders").await;
    run_sql(&mut conn, "DROP FUNCTION fails").await;
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(text_sql(&mut conn, &format!("{one}'{failing}'")).await, "fulfilled");
    assert_eq!(text_sql(&mut conn, &format!("{one}'{other_amount}'")).await, "cancelled");
    let numbers =
        "SELECT min(sequence) || '-' || max(sequence) || '/' || count(*) AS text FROM member_numbers";
    assert_eq!(text_sql(&mut conn, numbers).await, "1-11/11");
    assert_eq!(shop.pool(sale).await, (5_000, 0, 11));
    drop(conn);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_of_one_account_paid_at_once_are_settled_one_after_the_other() {
    let mall = Mall::open().await;
    let shop = &mall.shop;
    let tea = mall.goods("TEA", 40, 100).await;
    let person = shop.app.member("often@settling.test").await;
    let plan = json!([{ "plan": mall.regular["id"] }]);
    let mut orders = vec![mall.order(&person, "plan", plan).await.ok(201)];
    for number in 0..6 {
        let lines = json!([{ "variant": tea, "quantity": 1 }]);
        orders.push(mall.order(&person, &format!("tea-{number}"), lines).await.ok(201));
    }
    pay_unseen(shop, &orders).await;
    hooks(shop, 3).await;
    shop.settle().await;
    assert_eq!(mall.stands(&tea).await, (100, 0, 6));
    assert_eq!(shop.membership(&person).await.unwrap()["state"], "active");
    let mut conn = shop.app.conn().await;
    let terms = "SELECT count(*) FROM membership_terms";
    assert_eq!(count_sql(&mut conn, terms).await, 1);
    let receipts = "SELECT count(*) FROM mails WHERE kind = 'receipt'";
    assert_eq!(count_sql(&mut conn, receipts).await, 7);
    drop(conn);
    mall.finish().await;
}

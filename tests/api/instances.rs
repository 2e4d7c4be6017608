//! Two instances sell the same at the same time: each places what has come to it, in transactions of its own, and they lock
//! the same rows.

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use futures::future::join_all;
use kindred::db;
use serde_json::{Value, json};

use crate::support::database::TestDatabase;
use crate::support::mall::{Mall, yuan};
use crate::support::shop::Shop;
use crate::support::{Answer, Person, TestApp};

const BUYERS: usize = 32;
const WAVES: usize = 4;
/// Carts for which there is stock: three waves, and a few of the last one.
const CARTS: usize = 100;

#[derive(QueryableByName)]
struct Deadlocks {
    #[diesel(sql_type = BigInt)]
    deadlocks: i64,
}

/// One of each, and a bundle that takes of the first and the last, in a sequence of one's own: so no two carts beside one
/// another name their pools in the same order.
fn cart(articles: &[Value; 3], bundle: &Value, number: usize) -> Value {
    let mut lines: Vec<Value> = articles.iter().map(|article| json!({ "variant": article })).collect();
    lines.push(json!({ "bundle": bundle }));
    lines.rotate_left(number / 2 % 4);
    if number.is_multiple_of(2) {
        lines.reverse();
    }
    Value::from(lines)
}

async fn order(mall: &Mall, app: &TestApp, buyer: &Person, key: &str, lines: Value) -> Answer {
    app.post("/v1/orders").bearer(&buyer.token).key(key).json(&mall.body(lines)).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn carts_of_the_same_articles_through_two_instances_are_all_answered_and_none_waits_for_another_in_a_ring()
 {
    let database = Arc::new(TestDatabase::create().await);
    let mall = Mall::furnish(Shop::open_on(Arc::clone(&database), &[]).await).await;
    let second = mall.shop.sibling(&[]).await;
    let instance = |number: usize| if number.is_multiple_of(2) { &mall.shop.app } else { &second };
    let carts = i64::try_from(CARTS).unwrap();
    let articles = [
        mall.goods("FIRST", 40, 2 * carts).await,
        mall.goods("MIDDLE", 60, carts + 50).await,
        mall.goods("LAST", 90, 2 * carts).await,
    ];
    let parts = json!([
        { "variant": articles[2], "quantity": 1 },
        { "variant": articles[0], "quantity": 1 },
    ]);
    let pack = json!([{ "sku": "PACK", "price": yuan(120), "parts": parts }]);
    let pack = mall.product("pack", "bundle", pack, json!({})).await;
    let bundle = &pack["variants"][0]["bundle"];
    let buyers = join_all((0..BUYERS).map(|number| async move {
        let email = format!("buyer{number}@instances.test");
        instance(number).seed(&email, true, &[]).await;
        instance(number).sign_in(&email).await
    }))
    .await;

    let mut placed = 0;
    for wave in 0..WAVES {
        let key = format!("wave-{wave}");
        let orders = buyers.iter().enumerate().map(|(number, buyer)| {
            order(&mall, instance(number), buyer, &key, cart(&articles, bundle, number + wave))
        });
        let (sold, refused): (Vec<_>, Vec<_>) =
            join_all(orders).await.into_iter().partition(|answer| answer.status == 201);
        for answer in refused {
            answer.refused(409, "out_of_stock");
        }
        placed += sold.len();
        assert_eq!(placed, CARTS.min(BUYERS * (wave + 1)), "after wave {wave}");
    }
    assert_eq!(mall.stands(&articles[0]).await, (2 * carts, 2 * carts, 0));
    assert_eq!(mall.stands(&articles[1]).await, (carts + 50, carts, 0));
    assert_eq!(mall.stands(&articles[2]).await, (2 * carts, 2 * carts, 0));

    second.finish().await;
    mall.finish().await;
    // PostgreSQL counts what a connection has seen once that is closed. A deadlock would be tried again, and nobody would see
    // more of it than a second's wait.
    let mut conn = db::establish(database.url()).await.unwrap();
    let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let seen: Deadlocks = diesel::sql_query(sql).get_result(&mut conn).await.unwrap();
    assert_eq!(seen.deadlocks, 0);
}

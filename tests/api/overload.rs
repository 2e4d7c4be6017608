//! More is asked than can be done: who is let in gets his order, the others are told at once to come back, and nothing of
//! theirs is written. What money hangs on goes on meanwhile.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use futures::future::join_all;
use kindred::db::{self, Conn};
use kindred_stripe::webhook;
use serde_json::json;

use crate::support::catalog::count_sql;
use crate::support::shop::{DriveSeed, Sale, Shop, WEBHOOK_SECRET};
use crate::support::{Answer, Person};

/// A database that is slow to take orders: each transaction that writes one waits for as long as the gate is closed.
struct Gate(Conn);

impl Gate {
    async fn close(shop: &Shop) -> Self {
        let mut conn = db::establish(shop.app.database_url()).await.unwrap();
        conn.batch_execute(
            "CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS
                'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
            CREATE TRIGGER gate BEFORE INSERT ON orders EXECUTE FUNCTION wait_at_gate();
            SELECT pg_advisory_lock(1)",
        )
        .await
        .unwrap();
        Self(conn)
    }

    /// Until a transaction waits.
    async fn stops_one(&mut self) {
        let waiting = "SELECT count(*) AS count FROM pg_locks JOIN pg_database d ON d.oid = database
            WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()";
        while count_sql(&mut self.0, waiting).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn open(&mut self) {
        self.0.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();
    }
}

async fn order(shop: &Shop, sale: Sale, person: &Person) -> Answer {
    shop.order(person, sale, "once").send().await
}

async fn people(shop: &Shop, count: usize) -> Vec<Person> {
    let mut people = Vec::with_capacity(count);
    for index in 0..count {
        people.push(shop.app.member(&format!("crowd{index}@b.test")).await);
    }
    people
}

/// An event that is somebody else's, signed by Stripe.
async fn webhook(shop: &Shop) -> Answer {
    let event = json!({ "id": "evt_1", "object": "event", "type": "checkout.session.completed",
        "data": { "object": { "id": "cs_1", "object": "checkout.session" } } })
    .to_string();
    let signature = webhook::sign(event.as_bytes(), WEBHOOK_SECRET, shop.app.app.clock.now().timestamp());
    let request = shop.app.post("/v1/stripe/webhooks").raw("application/json", event);
    request.header("Stripe-Signature", &signature).send().await
}

fn is_told_to_come_back(answer: &Answer) {
    answer.refused(503, "busy");
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=3).contains(&seconds), "{seconds}");
}

async fn orders(shop: &Shop) -> i64 {
    count_sql(&mut *shop.app.conn().await, "SELECT count(*) AS count FROM orders").await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_the_queue_full_comes_back_and_has_one_order() {
    let limits = [("KINDRED_LIMIT_PLACER_QUEUE", "20"), ("KINDRED_LIMIT_PLACER_SECONDS", "600")];
    let shop = Shop::open_with(&limits).await;
    let sale = shop.drive(DriveSeed::default()).await;
    let people = people(&shop, 51).await;
    let (first, rest) = people.split_first().unwrap();
    let (queue, late) = rest.split_at(20);
    let mut gate = Gate::close(&shop).await;

    // One is being placed, twenty wait, thirty find no seat.
    let first = order(&shop, sale, first);
    let others = async {
        gate.stops_one().await;
        let queue = join_all(queue.iter().map(|person| order(&shop, sale, person)));
        let meanwhile = async {
            while shop.app.app.placer.waiting() < 20 {
                tokio::task::yield_now().await;
            }
            let refused = join_all(late.iter().map(|person| order(&shop, sale, person))).await;
            refused.iter().for_each(is_told_to_come_back);
            assert_eq!(orders(&shop).await, 0);
            // A body that isn't even one is refused at the same door: nobody has looked at it.
            let nonsense = shop.app.post("/v1/orders").raw("application/json", "{").send().await;
            is_told_to_come_back(&nonsense);
            // Reads, and what Stripe says, go on.
            shop.app.get("/v1/drives").send().await.ok(200);
            shop.app.get("/v1/orders").bearer(&late[0].token).send().await.ok(200);
            webhook(&shop).await.ok(200);
            gate.open().await;
        };
        futures::join!(queue, meanwhile).0
    };
    let (first, queued) = futures::join!(first, others);
    let mut placed = vec![first.ok(201)];
    placed.extend(queued.into_iter().map(|answer| answer.ok(201)));
    assert_eq!(orders(&shop).await, 21);

    // Everybody asks again with the same key, no more at a time than there are seats.
    let mut again = Vec::new();
    for some in people.chunks(10) {
        again.extend(join_all(some.iter().map(|person| order(&shop, sale, person))).await);
    }
    let again: Vec<_> = again.into_iter().map(|answer| answer.ok(201)["id"].clone()).collect();
    let placed: Vec<_> = placed.into_iter().map(|order| order["id"].clone()).collect();
    assert_eq!(again[..21], placed);
    assert_eq!(orders(&shop).await, 51);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waited_too_long_is_told_so_and_nothing_of_his_is_written() {
    let shop = Shop::open_with(&[("KINDRED_LIMIT_PLACER_SECONDS", "1")]).await;
    let sale = shop.drive(DriveSeed::default()).await;
    let people = people(&shop, 4).await;
    let mut gate = Gate::close(&shop).await;
    let first = order(&shop, sale, &people[0]);
    let others = async {
        gate.stops_one().await;
        let queue = join_all(people[1..].iter().map(|person| order(&shop, sale, person)));
        let meanwhile = async {
            while shop.app.app.placer.waiting() < 3 {
                tokio::task::yield_now().await;
            }
            // Patience is counted by the machine's clock, which nobody moves.
            tokio::time::sleep(Duration::from_secs(1)).await;
            gate.open().await;
        };
        futures::join!(queue, meanwhile).0
    };
    let (first, late) = futures::join!(first, others);
    first.ok(201);
    late.iter().for_each(is_told_to_come_back);
    assert_eq!(orders(&shop).await, 1);
    for person in &people {
        order(&shop, sale, person).await.ok(201);
    }
    assert_eq!(orders(&shop).await, 4);
    shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_too_many_wait_for_the_database_more_are_turned_away_but_money_is_not() {
    let settings = [("KINDRED_DATABASE_CONNECTIONS", "2"), ("KINDRED_PUBLIC_AGE_MS", "60000")];
    let shop = Shop::open_with(&settings).await;
    let sale = shop.drive(DriveSeed::default()).await;
    let person = shop.app.member("reader@b.test").await;
    shop.app.get("/v1/products").send().await.ok(200);
    let taken = (shop.app.conn().await, shop.app.conn().await);
    let read = || shop.app.get("/v1/orders").bearer(&person.token).send();
    let crowd = join_all((0..150).map(|_| read()));
    let is_crowded = async {
        while shop.app.app.pool.status().waiting <= 2 * 64 {
            tokio::task::yield_now().await;
        }
    };
    let meanwhile = async {
        is_crowded.await;
        is_told_to_come_back(&read().await);
        is_told_to_come_back(&order(&shop, sale, &person).await);
        shop.app.get("/v1/products").send().await.ok(200);
        // The event waits for its turn; it isn't sent away.
        let opens = async { drop(taken) };
        futures::join!(webhook(&shop), opens).0.ok(200);
    };
    let (crowd, ()) = futures::join!(crowd, meanwhile);
    // Jobs wait in that line too.
    let read_at_last = crowd.iter().filter(|answer| answer.status == 200).count();
    assert!(read_at_last >= 100, "{read_at_last}");
    crowd.iter().filter(|answer| answer.status != 200).for_each(is_told_to_come_back);
    // It is as if nothing had been.
    order(&shop, sale, &person).await.ok(201);
    shop.finish().await;
}

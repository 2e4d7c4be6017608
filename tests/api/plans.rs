//! On a large database no statement of the hot paths, of what is read, or of the periodic jobs goes through a large table: each
//! is told by the server with the plan it was run by.

mod database;
mod walk;
mod watch;

use std::time::Duration;

use chrono::TimeDelta;
use diesel_async::SimpleAsyncConnection;
use kindred::jobs::{self, Job, worker};
use serde_json::{Value, json};

use crate::guests::filled;
use crate::support::mall::{Mall, yuan};
use crate::support::people::PASSWORD;
use crate::support::shop::{DriveSeed, Sale, Shop};
use crate::support::{Answer, Person, desk};

use database::Large;
use watch::Watch;

/// What may go through a large table, and why.
pub struct Allowed {
    /// A part of the statement's text.
    pub statement: &'static str,
    /// Empty for any.
    pub table: &'static str,
    pub why: &'static str,
}

pub const ALLOWED: &[Allowed] = &[
    Allowed {
        statement: "AS counted FROM a LEFT JOIN",
        table: "",
        why: "figures of 2,000 accounts at once: where a table holds a few rows for each, going through it is the shorter way",
    },
    Allowed {
        statement: "ORDER BY \"accounts\".\"id\" FOR NO KEY UPDATE",
        table: "accounts",
        why: "2,000 accounts at once, of a table with twelve thousand",
    },
    Allowed {
        statement: "FROM \"account_levels\" WHERE (\"account_levels\".\"account_id\" = ANY($1))",
        table: "account_levels",
        why: "2,000 accounts at once, of a table with a row for each",
    },
    Allowed {
        statement: "FROM \"account_stages\" WHERE (\"account_stages\".\"account_id\" = ANY($1))",
        table: "account_stages",
        why: "2,000 accounts at once, of a table with a row for each",
    },
    Allowed {
        statement: "h.level_id AS level, l.rank, h.source FROM",
        table: "",
        why: "2,000 accounts at once, of tables with a row for each",
    },
    Allowed {
        statement: "SELECT DISTINCT \"associates\".\"membership_id\", \"associates\".\"head_id\"",
        table: "",
        why: "once an hour, a page at a time: whose seat ends is told by the head's terms alone",
    },
    Allowed {
        statement: "coalesce(sum(pending), 0)::bigint AS pending",
        table: "",
        why: "operators' report: what all points together come to, of an account each and of the lots that aren't spent",
    },
    Allowed {
        statement: "SELECT l.id, l.drive_id, l.order_id, l.total_minor FROM order_lines l",
        table: "",
        why: "operators' report: what each drive ever brought, and most of what a shop with drives sells is sold in one",
    },
    Allowed {
        statement: "WITH own AS (SELECT code FROM channels WHERE is_own)",
        table: "",
        why: "operators' report of a period, read by time: for one in thirty of so few rows no index is shorter",
    },
    Allowed {
        statement: "SELECT s.account_id, s.tier_id, s.chapter_id, t.floor_level_id",
        table: "",
        why: "operators' report: members are counted one by one",
    },
    Allowed {
        statement: "SELECT id, account_id, starts_at AS came_at",
        table: "",
        why: "operators' report: whoever came, and whether he is still there",
    },
    Allowed {
        statement: "FROM notice_recipients r JOIN mails m",
        table: "notice_recipients",
        why: "operators' look at one announcement: its recipients are counted, here all that there are",
    },
    Allowed {
        statement: "SELECT COUNT(*) FROM \"accounts\" WHERE (((",
        table: "",
        why: "operators' look at one segment: whom it holds is counted, here everybody",
    },
    Allowed {
        statement: "FROM commissions c JOIN partner_orders o",
        table: "",
        why: "operators' list: what a page of partners earned, here all that there are",
    },
    Allowed {
        statement: "count(DISTINCT inviter_id) AS inviters",
        table: "referrals",
        why: "operators' figures of the one programme: all referrals by state",
    },
    Allowed {
        statement: "FROM referral_rewards WHERE state IN ('given', 'spent')",
        table: "referral_rewards",
        why: "operators' figures of the one programme: nearly all rewards",
    },
    Allowed {
        statement: "count(redeemed_at) AS redeemed",
        table: "treat_codes",
        why: "operators' list: codes of a page of treats are counted, here of all that there are",
    },
    Allowed {
        statement: "FROM \"jobs\" WHERE (\"jobs\".\"last_error\" IS NOT NULL)",
        table: "jobs",
        why: "the tests themselves ask which jobs failed",
    },
];

/// More than five executions a connection: from then on PostgreSQL may take a plan for any value.
const ROUNDS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn no_hot_statement_goes_through_a_large_table() {
    let large = Large::make().await;
    let mut watch = Watch::new(&large).await;
    assert!(watch.large().len() > 80, "{:?}", watch.large());
    let shop = Shop::open_on(large.test_database(), &[]).await;
    watch.look("the start").await;
    let mall = Mall::furnish(shop).await;
    settle(&mall).await;
    watch.look("the first jobs").await;
    let sale = mall.shop.drive(DriveSeed::default()).await;
    let tea = mall.goods("TEA-NEW", 90, 1_000).await;
    coupon(&mall).await;
    watch.look("setting up").await;

    let mut buyer = mall.shop.app.member("first@plans.test").await;
    for round in 0..ROUNDS {
        buyer = buys(&mut watch, &mall, sale, &tea, round).await;
    }
    desk_work(&mut watch, &mall, &buyer, &tea).await;
    for job in periodic() {
        let mut conn = mall.shop.app.conn().await;
        let now = mall.shop.app.now();
        jobs::enqueue(&mut conn, &job, now, now).await.unwrap();
        drop(conn);
        settle(&mall).await;
        watch.look(&format!("{job:?}")).await;
    }
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let buyer = mall.shop.app.sign_in(&buyer.email).await;
    walk::everything(&mut watch, &mall, &owner, &buyer).await;
    let erase = json!({ "password": PASSWORD, "forfeit": true });
    expect(204, mall.shop.app.delete("/v1/me").bearer(&buyer.token).json(&erase).send().await);
    settle(&mall).await;
    watch.look("an erasure").await;

    println!("{}", watch.told());
    println!("{} statements on {} large tables", watch.statements, watch.large().len());
    assert!(watch.statements > 3_000, "{}", watch.statements);
    assert!(watch.findings.is_empty(), "{} findings:\n{}", watch.findings.len(), watch.told());
    let idle: Vec<_> = (0..ALLOWED.len()).filter(|at| !watch.excused.contains(at)).collect();
    assert!(
        idle.is_empty(),
        "not needed: {idle:?} {:?}",
        idle.iter().map(|at| ALLOWED[*at].why).collect::<Vec<_>>()
    );
    it_would_be_seen(&mut watch, &mall, &large).await;
    mall.shop.app.finish().await;
    large.close().await;
}

/// Without its index the list of somebody's orders goes through all of them.
async fn it_would_be_seen(watch: &mut Watch, mall: &Mall, large: &Large) {
    let mut conn = kindred::db::establish(&large.url).await.unwrap();
    conn.batch_execute(
        "DROP INDEX orders_account; DROP INDEX orders_paid_by; DROP INDEX orders_one_pending_membership",
    )
    .await
    .unwrap();
    let person = mall.shop.app.member("last@plans.test").await;
    desk::get(mall, &person, "/v1/orders?limit=5").await.ok(200);
    watch.look("a list without its index").await;
    let found = watch.findings.keys().any(|(query, table)| table == "orders" && query.contains("account_id"));
    assert!(found, "{}", watch.told());
}

/// What isn't as expected is told; what it would have run is then missing.
fn expect(status: u16, answer: Answer) {
    if answer.status != status {
        println!("{status} was expected: {} {}", answer.status, answer.text);
    }
}

/// Some jobs have much to do here.
async fn settle(mall: &Mall) {
    worker::drain(&mall.shop.app.app, Duration::from_secs(180)).await.unwrap();
}

async fn coupon(mall: &Mall) {
    let body = json!({
        "code": "plans", "names": { "zh-CN": "优惠", "en": "Off" }, "class": "product",
        "benefit": { "kind": "amount", "off": yuan(10) },
    });
    let made = desk::post(mall, &mall.owner, "/v1/admin/coupon-campaigns", "c", body).await.ok(201);
    let path = format!("/v1/admin/coupon-campaigns/{}/shared-codes", desk::id(&made));
    expect(201, desk::post(mall, &mall.owner, &path, "c", json!({ "code": "PLANS" })).await);
    let path = format!("/v1/admin/coupon-campaigns/{}/coupons", desk::id(&made));
    expect(202, desk::post(mall, &mall.owner, &path, "i", json!({ "quantity": 200 })).await);
    settle(mall).await;
}

/// Somebody signs in, joins, and buys goods with a coupon, out of a basket; all of it is paid.
async fn buys(watch: &mut Watch, mall: &Mall, sale: Sale, tea: &Value, round: usize) -> Person {
    let shop = &mall.shop;
    let person = shop.app.member(&format!("buyer{round}@plans.test")).await;
    let refresh = json!({ "refresh_token": person.refresh_token });
    expect(201, shop.app.post("/v1/sessions/refresh").json(&refresh).send().await);
    watch.look("signing in").await;
    let order = shop.order(&person, sale, "join").send().await.ok(201);
    watch.look("placing").await;
    shop.pay(&order).await;
    shop.settled(&person, &order).await;
    shop.settle().await;
    watch.look("paying and settling").await;
    let lines = json!([{ "variant": tea, "quantity": 1 }]);
    let mut body = mall.body(lines.clone());
    body["coupon_codes"] = json!(["PLANS", "NONE"]);
    expect(200, shop.app.post("/v1/quotes").bearer(&person.token).json(&body).send().await);
    watch.look("quoting with coupons").await;
    body["coupon_codes"] = json!(["PLANS"]);
    let order = shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key("goods").json(&body);
    let order = order.send().await.ok(201);
    shop.pay(&order).await;
    shop.settled(&person, &order).await;
    watch.look("goods with a coupon").await;
    let basket = filled(mall, lines).await;
    expect(200, basket.held_by(&person).merge(mall).await);
    expect(201, shop.app.post("/v1/me/check-ins").bearer(&person.token).key("day").send().await);
    watch.look("baskets and check-ins").await;
    person
}

/// Parcels, a return, a refund, and a membership that is given.
async fn desk_work(watch: &mut Watch, mall: &Mall, person: &Person, tea: &Value) {
    let order = mall.buy(person, "more", json!([{ "variant": tea, "quantity": 2 }])).await;
    desk::send(mall, &order).await;
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let asked = desk::ask(mall, person, &order, "back", 1, "changed_mind").await;
    if asked.status == 201 {
        desk::arrive(mall, &owner, &asked.json, 1, 0).await;
    } else {
        expect(201, asked);
    }
    mall.shop.settle().await;
    watch.look("parcels and returns").await;
    let order = mall.buy(person, "yet-more", json!([{ "variant": tea, "quantity": 1 }])).await;
    let path = format!("/v1/admin/orders/{}/refunds", desk::id(&order));
    let body =
        json!({ "lines": [{ "line": order["lines"][0]["id"], "amount": yuan(5) }], "reason": "Sorry." });
    expect(201, desk::post(mall, &owner, &path, "refund", body).await);
    mall.shop.settle().await;
    watch.look("a refund").await;
    mall.member("given@plans.test", &mall.regular).await;
    mall.shop.advance(TimeDelta::minutes(30)).await;
    watch.look("half an hour later").await;
}

/// Every job that comes by itself, and those that look for what there is to do.
fn periodic() -> Vec<Job> {
    vec![
        Job::Purge {},
        Job::Reconcile {},
        Job::IssueInvoices {},
        Job::EndFCodes {},
        Job::OfferFreed {},
        Job::ExpirePoints {},
        Job::WarnOfPoints {},
        Job::ReviewLevels {},
        Job::FollowLevels {},
        Job::WalkLoyalty {},
        Job::OfferUpgrades {},
        Job::GiveBirthdays {},
        Job::TendAssociates {},
        Job::WatchStock {},
        Job::SendReminders {},
        Job::RotateSigningKeys {},
    ]
}

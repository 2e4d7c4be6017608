//! Pages that lie ready look as they do when they are made for who asks.

use diesel_async::SimpleAsyncConnection;
use kindred::db;
use reqwest::header::HeaderMap;

use crate::support::mall::Mall;
use crate::support::shop::DriveSeed;
use crate::support::{Answer, TestApp};

/// What every answer has of its own, and what is only said to pages of other origins.
const OWN: [&str; 4] = ["date", "x-request-id", "vary", "access-control-expose-headers"];

fn alike(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    let mut told: Vec<_> =
        told.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    told.sort();
    told
}

/// Asked from a foreign page it is answered by its handler.
async fn by_the_handler(app: &TestApp, path: &str, known: &str) -> Answer {
    app.get(path).header("If-None-Match", known).header("Origin", "http://else.test").send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_ready_looks_as_if_it_were_made_for_who_asks() {
    let mall = Mall::open_with(&[("KINDRED_PUBLIC_AGE_MS", "60000")]).await;
    let app = &mall.shop.app;
    mall.goods("TEA", 90, 10).await;
    let sale = mall.shop.drive(DriveSeed::default()).await;
    let drive = format!("/v1/drives/{}", sale.drive);
    // The seed wrote it past the program, which looks for a new version.
    let mut conn = db::establish(app.database_url()).await.unwrap();
    conn.batch_execute("UPDATE catalog_version SET version = version + 1").await.unwrap();
    while app.get(&drive).send().await.status != 200 {
        tokio::task::yield_now().await;
    }
    for path in
        ["/v1/products", "/v1/products?limit=1", "/v1/drops", "/v1/tiers", "/v1/drives", drive.as_str()]
    {
        let made = by_the_handler(app, path, "").await;
        assert_eq!(made.status, 200, "{path}: {}", made.text);
        let tag = made.header("etag").to_owned();
        for known in ["", tag.as_str()] {
            let made = by_the_handler(app, path, known).await;
            let ready = app.get(path).header("If-None-Match", known).send().await;
            assert_eq!(ready.status, if known.is_empty() { 200 } else { 304 }, "{path}");
            assert_eq!((ready.status, &ready.text), (made.status, &made.text), "{path}");
            assert_eq!(alike(&ready.headers), alike(&made.headers), "{path}");
            assert!(ready.header("x-request-id").starts_with("req_"), "{path}");
            assert!(ready.header("vary").contains("Accept-Language"), "{path}");
        }
        let other = app.get(path).header("Accept-Language", "en").send().await;
        assert_eq!(other.header("content-language"), "en", "{path}");
        let refused = app.get(path).bearer("nobody").send().await;
        assert!([200, 401].contains(&refused.status), "{path}: {}", refused.status);
    }
    app.get("/v1/products").bearer("nobody").send().await.refused(401, "unauthenticated");
    let counted = app.get("/metrics").send().await.text;
    let of_route = |route: &str| counted.lines().any(|line| line.contains(&format!("route=\"{route}\"")));
    assert!(of_route("/v1/drives/{id}") && of_route("/v1/products") && !of_route("none"), "{counted}");
    mall.shop.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_so_whatever_lies_ready() {
    let app = TestApp::spawn_with(&[("KINDRED_LIMIT_REQUESTS_PER_MINUTE", "5")]).await;
    let mut refused = 0;
    for _ in 0..8 {
        let answer = app.get("/v1/tiers").send().await;
        match answer.status {
            200 => assert_eq!(refused, 0),
            _ => {
                answer.refused(429, "too_many_requests");
                refused += 1;
            }
        }
    }
    // The first one may not have found anything ready: it is counted once all the same.
    assert!((2..=3).contains(&refused), "{refused}");
    app.finish().await;
}

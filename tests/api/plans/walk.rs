//! Reads all that can be read: every GET of the API's document, each of its filters for itself.

use std::collections::BTreeMap;

use kindred::http::openapi;
use serde_json::Value;

use super::watch::Watch;
use crate::support::Person;
use crate::support::mall::Mall;

/// They would wait, or are read by programs.
const LEFT_OUT: [&str; 3] = ["/v1/drops/{id}/events", "/metrics", "/docs"];

/// A value of every filter; one that is missing here fails the test. Ids stand for the first of their list.
fn value_of(path: &str, filter: &str, ids: &BTreeMap<String, String>) -> Option<String> {
    let id_of = |list: &str| ids.get(list).cloned();
    let fixed = |value: &str| Some(value.to_owned());
    match (path, filter) {
        (_, "limit" | "cursor" | "wait" | "token" | "t" | "after_line" | "locale" | "issue") => None,
        (_, "email") => fixed("buyer1@plans.test"),
        (_, "account" | "inviter" | "friend" | "actor") => id_of("/v1/admin/accounts"),
        (_, "order") => id_of("/v1/admin/orders"),
        (_, "drive") => id_of("/v1/admin/drives"),
        (_, "drop") => id_of("/v1/admin/drops"),
        (_, "tier") => id_of("/v1/admin/tiers"),
        (_, "level") => id_of("/v1/admin/levels"),
        (_, "chapter") => id_of("/v1/admin/chapters"),
        (_, "variant") => None,
        (_, "basket") => None,
        ("/v1/admin/products", "kind") | ("/v1/products", "kind") => fixed("goods"),
        ("/v1/admin/invoices", "kind") => fixed("invoice"),
        ("/v1/admin/jobs", "kind") => fixed("send_mail"),
        (_, "kind") => fixed("receipt"),
        ("/v1/admin/jobs", "state") => fixed("queued"),
        ("/v1/admin/jobs", "lane") => fixed("mail"),
        ("/v1/admin/mails", "state") => fixed("queued"),
        ("/v1/admin/orders", "state") => fixed("paid"),
        ("/v1/admin/members", "state") => fixed("active"),
        ("/v1/admin/notices", "state") => fixed("sent"),
        ("/v1/admin/returns", "state") => fixed("requested"),
        ("/v1/admin/measures", "state") => fixed("in_force"),
        ("/v1/admin/referrals", "state") => fixed("held"),
        ("/v1/admin/withdrawals", "state") => fixed("open"),
        (_, "state") => fixed("received"),
        (_, "appeal") => fixed("open"),
        (_, "open" | "unshipped") => fixed("true"),
        (_, "role") => fixed("owner"),
        (_, "action") => fixed("order.refund"),
        (_, "subject_kind") => fixed("order"),
        (_, "subject") => fixed("ord_5"),
        (_, "since" | "from" | "until") if !path.contains("/reports/") => fixed("2026-11-20T00:00:00Z"),
        (_, "series") => fixed("luoji-2013"),
        (_, "year") => fixed("2026"),
        (_, "number") => fixed("KD0005"),
        (_, "sku") => fixed("TEA-NEW"),
        (_, "q" | "category" | "tag") => fixed("tea"),
        (_, "country") => fixed("CN"),
        (_, "postcode") => fixed("100000"),
        (_, "by" | "every" | "from" | "until") => None,
        (path, filter) => panic!("{path}: a value to filter by {filter}"),
    }
}

/// Where something is read by an id: the list whose first one it is.
fn list_of(path: &str) -> String {
    path.split("/{").next().unwrap().to_owned()
}

fn fill(path: &str, ids: &BTreeMap<String, String>) -> Option<String> {
    let mut filled = String::new();
    for part in path.split_inclusive('/') {
        if part.starts_with('{') {
            let end = if part.ends_with('/') { "/" } else { "" };
            let id = match part.trim_end_matches('/') {
                "{code}" => "PLANS".to_owned(),
                "{number}" => "KD0005".to_owned(),
                "{product}" => ids.get("/v1/products")?.clone(),
                _ => ids.get(filled.trim_end_matches('/')).or_else(|| ids.get(&list_of(path)))?.clone(),
            };
            filled += &id;
            filled += end;
        } else {
            filled += part;
        }
    }
    Some(filled)
}

pub async fn everything(watch: &mut Watch, mall: &Mall, owner: &Person, buyer: &Person) {
    let document = openapi::document();
    let mut paths: Vec<(&String, &Value)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter_map(|(path, item)| Some((path, item.get("get")?)))
        .filter(|(path, _)| !LEFT_OUT.contains(&path.as_str()))
        .collect();
    // Lists first: they tell ids.
    paths.sort_by_key(|(path, _)| (path.matches('{').count(), (*path).clone()));
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut unread = Vec::new();
    for (path, get) in paths {
        let reader = if path.starts_with("/v1/admin") { owner } else { buyer };
        let Some(filled) = fill(path, &ids) else {
            unread.push(path.as_str());
            continue;
        };
        let read = async |url: &str| mall.shop.app.get(url).bearer(&reader.token).send().await;
        let answer = read(&filled).await;
        assert_ne!(answer.status, 401, "{filled}: {}", answer.text);
        if answer.status >= 500 {
            // A row that nobody could have written: what was asked for is seen all the same.
            println!("{filled}: {}", answer.status);
        }
        if let Some(id) = answer.json["data"][0]["id"].as_str() {
            ids.insert(filled.clone(), id.to_owned());
        }
        watch.look(path).await;
        let filters = get["parameters"].as_array().into_iter().flatten();
        for filter in filters.filter(|filter| filter["in"] == "query") {
            let name = filter["name"].as_str().unwrap();
            let Some(value) = value_of(path, name, &ids) else { continue };
            let url = format!("{filled}?{name}={value}");
            let answer = read(&url).await;
            if !matches!(answer.status, 200 | 404) {
                println!("{url}: {} {}", answer.status, answer.text);
            }
            watch.look(&url).await;
        }
    }
    println!("of these nothing was there to read: {unread:?}");
}

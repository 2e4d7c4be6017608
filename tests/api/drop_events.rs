//! Drops as they happen: events, the sales board with its milestones, samples at a price of their own, codes as CSV.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::catalog::count_sql;
use crate::support::mall::{Mall, yuan};
use crate::support::{Answer, Person};

/// A stream of events, read as a browser would.
struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    async fn open(mall: &Mall, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = mall.shop.app.client.get(format!("{}{path}", mall.shop.app.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // A browser offers to unpack; nothing may be kept back for it.
        let response = request.header("Accept-Encoding", "gzip, br").send().await.unwrap();
        Self { response, read: String::new() }
    }

    async fn opened(mall: &Mall, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = Self::open(mall, path, headers).await;
        assert_eq!(stream.response.status(), 200);
        assert_eq!(stream.response.headers()["content-type"], "text/event-stream");
        assert!(!stream.response.headers().contains_key("content-encoding"));
        stream
    }

    /// The next block that ends in an empty line; none when the stream has ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let more = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            match more.expect("nothing came for long").unwrap_or(None) {
                Some(bytes) => self.read.push_str(std::str::from_utf8(&bytes).unwrap()),
                None => return None,
            }
        }
    }

    /// The next state: (id, data).
    async fn state(&mut self) -> Option<(String, Value)> {
        loop {
            let block = self.block().await?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if field("event: ").as_deref() == Some("state") {
                let data = serde_json::from_str(&field("data: ").unwrap()).unwrap();
                return Some((field("id: ").unwrap(), data));
            }
        }
    }

    /// The first state for which that holds.
    async fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        loop {
            let (_, state) = self.state().await.expect("the stream ended");
            if holds(&state) {
                return state;
            }
        }
    }
}

async fn change(mall: &Mall, id: &Value, body: Value) -> Answer {
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/drops/{}", id.as_str().unwrap());
    let seen = mall.shop.app.get(&path).bearer(&owner.token).send().await;
    let etag = seen.header("etag").to_owned();
    mall.shop.app.patch(&path).bearer(&owner.token).header("If-Match", &etag).json(&body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_is_told_what_changes_and_when_it_opens_for_him() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let start = mall.shop.app.now() + TimeDelta::hours(2);
    let audiences = json!([
        { "buyers": { "who": "tier", "at_least": "diehard" }, "opens_at": start - TimeDelta::hours(1) },
        { "buyers": { "who": "everyone" }, "opens_at": start },
    ]);
    let more = json!({ "opens_at": start, "closes_at": start + TimeDelta::days(1), "audiences": audiences });
    let drop = mall.drop(&kiwis, 3, more).await;
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let bearer = format!("Bearer {}", fan.token);
    let mut public = Stream::opened(&mall, "/v1/drops/drop/events", &[]).await;
    let mut own = Stream::opened(&mall, "/v1/drops/drop/events", &[("Authorization", &bearer)]).await;
    assert_eq!(public.block().await.as_deref(), Some("retry: 3000"));
    let (_, state) = public.state().await.unwrap();
    assert_eq!((&state["state"], &state["items"][0]["remaining"]), (&json!("scheduled"), &json!(3)));
    let time = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time(&state["opens_for_you_at"]), time(&json!(start)));
    assert!(time(&state["now"]) < start - TimeDelta::hours(1));
    assert!(state["board"].is_null(), "it isn't public");
    let (_, state) = own.state().await.unwrap();
    assert_eq!(time(&state["opens_for_you_at"]), time(&json!(start - TimeDelta::hours(1))));

    // The clock opens it, an order takes one, the end of its hold gives it back.
    mall.shop.advance(TimeDelta::minutes(61)).await;
    assert_eq!(public.until(|state| state["state"] == "open").await["items"][0]["remaining"], 3);
    let fan = mall.shop.app.sign_in("fan@b.test").await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    mall.order(&fan, "k", lines).await.ok(201);
    public.until(|state| state["items"][0]["remaining"] == 2).await;
    own.until(|state| state["items"][0]["remaining"] == 2).await;
    mall.shop.advance(TimeDelta::minutes(20)).await;
    public.until(|state| state["items"][0]["remaining"] == 3).await;
    change(&mall, &drop["id"], json!({ "items": [{ "variant": kiwis, "add": 4 }] })).await.ok(200);
    public.until(|state| state["items"][0]["remaining"] == 7).await;

    // Who comes back with the id of what he knows is told only what is new.
    let mut fresh = Stream::opened(&mall, "/v1/drops/drop/events", &[]).await;
    let (id, _) = fresh.state().await.unwrap();
    let mut back = Stream::opened(&mall, "/v1/drops/drop/events", &[("Last-Event-ID", &id)]).await;
    let mut lost = Stream::opened(&mall, "/v1/drops/drop/events", &[("Last-Event-ID", "nonsense")]).await;
    assert_eq!(lost.state().await.unwrap().0, id);
    let buyer = mall.member("second@b.test", &mall.diehard).await;
    mall.order(&buyer, "k", json!([{ "variant": kiwis, "drop": drop["id"] }])).await.ok(201);
    assert_eq!(back.state().await.unwrap().1["items"][0]["remaining"], 6);

    // The operator ends the drop, and with it the streams.
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    let path = format!("/v1/admin/drops/{}/archive", drop["id"].as_str().unwrap());
    mall.shop.app.post(&path).bearer(&owner.token).send().await.ok(200);
    while public.block().await.is_some() {}
    while own.block().await.is_some() {}
    let gone = Stream::open(&mall, "/v1/drops/drop/events", &[]).await;
    assert_eq!(gone.response.status(), 404);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_may_not_see_is_not_streamed_to_them_and_streams_end_with_the_shop() {
    let mall = Mall::open().await;
    let secret = json!({ "sees": { "who": "members" } });
    let variants = json!([{ "sku": "SECRET", "price": yuan(10), "weight_grams": 1 }]);
    let hidden = mall.product("secret", "goods", variants, secret).await["variants"][0]["id"].clone();
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let both = json!([{ "variant": hidden, "quantity": 5 }, { "variant": kiwis, "quantity": 5 }]);
    mall.drop(&hidden, 5, json!({ "code": "secret" })).await;
    mall.drop(&hidden, 5, json!({ "code": "mixed", "items": both })).await;
    let member = mall.member("m@b.test", &mall.regular).await;
    let bearer = format!("Bearer {}", member.token);
    let count = |value: &Value| value["items"].as_array().unwrap().len();

    let stranger = Stream::open(&mall, "/v1/drops/secret/events", &[]).await;
    assert_eq!(stranger.response.status(), 404);
    mall.shop.app.get("/v1/drops/secret").send().await.refused(404, "not_found");
    let list = mall.shop.app.get("/v1/drops").send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!((&list["data"][0]["code"], count(&list["data"][0])), (&json!("mixed"), 1));
    let mut mixed = Stream::opened(&mall, "/v1/drops/mixed/events", &[]).await;
    assert_eq!(count(&mixed.state().await.unwrap().1), 1);
    let mut own = Stream::opened(&mall, "/v1/drops/mixed/events", &[("Authorization", &bearer)]).await;
    assert_eq!(count(&own.state().await.unwrap().1), 2);
    mall.shop.app.get("/v1/drops/secret").bearer(&member.token).send().await.ok(200);
    let nothing = Stream::open(&mall, "/v1/drops/nothing/events", &[]).await;
    assert_eq!(nothing.response.status(), 404);
    let forged = Stream::open(&mall, "/v1/drops/mixed/events", &[("Authorization", "Bearer x")]).await;
    assert_eq!(forged.response.status(), 401);

    // An open stream doesn't keep the shop from ending in order.
    let ended = async {
        while mixed.block().await.is_some() {}
        while own.block().await.is_some() {}
    };
    tokio::join!(ended, mall.finish());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_and_all_of_them_have_a_number_of_streams() {
    let limits = [
        ("KINDRED_LIMIT_STREAMS", "3"),
        ("KINDRED_LIMIT_STREAMS_PER_ADDRESS", "2"),
        ("KINDRED_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let mall = Mall::open_with(&limits).await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    mall.drop(&kiwis, 3, json!({})).await;
    let open = async |address: &str| {
        Stream::open(&mall, "/v1/drops/drop/events", &[("X-Forwarded-For", address)]).await
    };
    let one = open("203.0.113.1").await;
    let mut two = open("203.0.113.1").await;
    two.state().await.unwrap();
    let refused = open("203.0.113.1").await;
    assert_eq!(refused.response.status(), 429);
    assert!(refused.response.headers().contains_key("retry-after"));
    let three = open("2001:db8::1").await;
    assert_eq!(three.response.status(), 200);
    assert_eq!(open("198.51.100.1").await.response.status(), 503);
    // Who leaves makes room, as soon as it is noticed: with the next thing that is sent.
    drop(one);
    let buyer = mall.shop.app.member("b@b.test").await;
    let mut bought = 0;
    let room = loop {
        let drops = mall.shop.app.get("/v1/drops/drop").send().await.ok(200);
        let lines = json!([{ "variant": kiwis, "drop": drops["id"] }]);
        if bought < 3 {
            mall.order(&buyer, &format!("k{bought}"), lines).await.ok(201);
            bought += 1;
            two.state().await.unwrap();
        }
        let again = open("198.51.100.1").await;
        if again.response.status() == 200 || bought == 3 {
            break again;
        }
    };
    assert_eq!(room.response.status(), 200);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_tells_what_was_sold_and_milestones_stay_reached() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 100, 100).await;
    let board = json!({ "milestones": [{ "units": 3 }, { "units": 30 }, { "revenue": yuan(450) }] });
    let drop = mall.drop(&kiwis, 50, json!({ "board": board })).await;
    assert_eq!(drop["board"]["milestones"].as_array().unwrap().len(), 3);
    let read = async || mall.shop.app.get("/v1/drops/drop").send().await.ok(200)["board"].clone();
    let board = read().await;
    assert_eq!((&board["units"], &board["orders"], &board["revenue"]), (&json!(0), &json!(0), &yuan(0)));
    let mut stream = Stream::opened(&mall, "/v1/drops/drop/events", &[]).await;

    // Many at once; only what is paid counts, and each milestone is reached once.
    let crowd = join_all((0..6).map(|n| {
        let mall = &mall;
        async move { mall.shop.app.member(&format!("c{n}@b.test")).await }
    }))
    .await;
    mall.shop.advance(TimeDelta::seconds(510)).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let orders = join_all(crowd.iter().map(|person| mall.order(person, "k", lines.clone()))).await;
    let orders: Vec<_> = orders.into_iter().map(|order| order.ok(201)).collect();
    join_all(orders[..5].iter().map(|order| mall.shop.pay(order))).await;
    mall.shop.settle().await;
    let board = read().await;
    assert_eq!((&board["units"], &board["orders"], &board["revenue"]), (&json!(5), &json!(5), &yuan(500)));
    assert!(board["open_seconds"].as_i64().unwrap() >= 510);
    let reached = |board: &Value| -> Vec<bool> {
        board["milestones"].as_array().unwrap().iter().map(|of| !of["reached_at"].is_null()).collect()
    };
    // By kind, then amount: 450 yuan, three units, thirty units.
    assert_eq!(reached(&board), [true, true, false]);
    assert!(board["milestones"][1]["seconds_after_opening"].as_i64().unwrap() >= 510);
    let told = stream.until(|state| state["board"]["units"] == 5).await;
    assert_eq!(told["board"]["milestones"], board["milestones"]);

    // A refund takes nothing off it.
    let owner = mall.shop.app.sign_in(&mall.owner.email).await;
    for (n, order) in orders[..4].iter().enumerate() {
        let path = format!("/v1/admin/orders/{}/refunds", order["id"].as_str().unwrap());
        let refund = json!({ "reason": "Sent back.", "restock": true });
        let request = mall.shop.app.post(&path).bearer(&owner.token).key(&format!("r{n}")).json(&refund);
        request.send().await.ok(201);
    }
    mall.shop.settle().await;
    assert_eq!(read().await["milestones"], board["milestones"]);
    assert_eq!(read().await["units"], 5);

    // New milestones are as old as the sales that made them; without a board there is nothing to see.
    let other = json!({ "board": { "milestones": [{ "units": 5 }, { "units": 6 }] } });
    let changed = change(&mall, &drop["id"], other).await.ok(200);
    assert_eq!(reached(&changed["board"]), [true, false]);
    for (bad, field) in [
        (json!({ "milestones": [{ "units": 0 }] }), "board.milestones[0].units"),
        (json!({ "milestones": [{ "units": 1, "revenue": yuan(1) }] }), "board.milestones[0]"),
        (json!({ "milestones": [{ "units": 1 }, { "units": 1 }] }), "board.milestones[1]"),
    ] {
        let refused = change(&mall, &drop["id"], json!({ "board": bad })).await;
        assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], field);
    }
    change(&mall, &drop["id"], json!({ "board": null })).await.ok(200);
    assert!(read().await.is_null());
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_has_a_price_of_its_own_for_chosen_members_in_its_drop_alone() {
    let mall = Mall::open().await;
    let phone = mall.goods("PHONE", 1_999, 100).await;
    let item = json!([{
        "variant": phone, "quantity": 10, "price": yuan(1_499), "price_for": { "who": "tier", "at_least": "diehard" },
    }]);
    let drop = mall.drop(&phone, 10, json!({ "items": item, "cap_per_person": 1 })).await;
    let fan = mall.member("fan@b.test", &mall.diehard).await;
    let regular = mall.member("regular@b.test", &mall.regular).await;
    let in_drop = json!([{ "variant": phone, "drop": drop["id"] }]);
    let price = async |person: &Person, lines: &Value| {
        let quote = mall.quote(person, lines.clone()).await.ok(200);
        let explained = quote["explanation"][0]["reason"].as_str().unwrap().to_owned();
        (quote["totals"]["subtotal"].clone(), explained)
    };
    let sample = (yuan(1_499), "drop_price".to_owned());
    let normal = (yuan(1_999), "list_price".to_owned());
    assert_eq!(price(&fan, &in_drop).await, sample);
    assert_eq!(price(&regular, &in_drop).await, normal);
    assert_eq!(price(&fan, &json!([{ "variant": phone }])).await, normal);
    let seen = async |person: &Person| {
        let drop = mall.shop.app.get("/v1/drops/drop").bearer(&person.token).send().await.ok(200);
        drop["items"][0]["price"].clone()
    };
    assert_eq!((seen(&fan).await, seen(&regular).await), (yuan(1_499), Value::Null));
    let order = mall.buy(&fan, "k", in_drop.clone()).await;
    assert_eq!(order["lines"][0]["unit_price"], yuan(1_499));

    // It can be changed, taken away, and only be lawful for somebody where there is one.
    let set = |change: Value| {
        let mut change = change;
        change["variant"] = phone.clone();
        json!({ "items": [change] })
    };
    change(&mall, &drop["id"], set(json!({ "price": yuan(1_299), "price_for": null }))).await.ok(200);
    assert_eq!(price(&regular, &in_drop).await, (yuan(1_299), "drop_price".to_owned()));
    change(&mall, &drop["id"], set(json!({ "price": null }))).await.ok(200);
    assert_eq!(price(&regular, &in_drop).await, normal);
    let bad = set(json!({ "price_for": { "who": "members" } }));
    let refused = change(&mall, &drop["id"], bad).await;
    assert_eq!(refused.refused(422, "invalid_field")["errors"][0]["field"], "items[0].price_for");
    change(&mall, &drop["id"], set(json!({ "add": -10 }))).await.refused(409, "stock_not_free");
    let changed = change(&mall, &drop["id"], set(json!({ "add": -9 }))).await.ok(200);
    assert_eq!((&changed["items"][0]["quantity"], &changed["items"][0]["remaining"]), (&json!(1), &json!(0)));
    let nothing = json!({ "items": [{ "variant": "var_00000000000070008000000000000001", "add": 1 }] });
    change(&mall, &drop["id"], nothing).await.refused(422, "unknown_article");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_added_to_a_drop_goes_to_those_who_wait_first() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let drop = mall.drop(&kiwis, 1, json!({})).await;
    let lines = json!([{ "variant": kiwis, "drop": drop["id"] }]);
    let people = mall.members_named("p", 4).await;
    mall.order(&people[0], "k", lines.clone()).await.ok(201);
    let path = format!("/v1/drops/{}/waiting-list", drop["id"].as_str().unwrap());
    for person in &people[1..3] {
        let body = json!({ "variant": kiwis });
        mall.shop.app.post(&path).bearer(&person.token).json(&body).send().await.ok(201);
    }
    change(&mall, &drop["id"], json!({ "items": [{ "variant": kiwis, "add": 3 }] })).await.ok(200);
    mall.shop.settle().await;
    for person in &people[1..3] {
        let mine = mall.shop.app.get("/v1/me/waiting-list").bearer(&person.token).send().await.ok(200);
        assert_eq!(mine["data"][0]["state"], "offered");
    }
    mall.order(&people[3], "k", lines.clone()).await.ok(201);
    mall.order(&people[3], "l", lines).await.refused(409, "sold_out");
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_come_as_csv() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 2_500).await;
    let drop = mall.drop(&kiwis, 2_500, json!({})).await;
    let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
    let issue = |key: &str, quantity: i64| {
        let body = json!({ "variant": kiwis, "quantity": quantity });
        let request = mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body);
        request.header("Accept", "text/csv").send()
    };
    let made = issue("a", 2).await;
    assert_eq!((made.status, made.header("content-type")), (201, "text/csv; charset=utf-8"));
    assert_eq!(issue("a", 2).await.text, made.text, "a repeat answers the same codes");
    let lines: Vec<_> = made.text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "code,variant,is_bound,is_used,expires_at,ended_at"));
    let cells: Vec<_> = lines[1].split(',').collect();
    assert_eq!((cells[0].len(), cells[1], cells[2], cells[3]), (11, kiwis.as_str().unwrap(), "no", "no"));
    issue("b", 2_200).await;
    let all = mall.shop.app.get(&path).bearer(&mall.owner.token).header("Accept", "text/csv").send().await;
    assert_eq!((all.status, all.text.lines().count()), (200, 2_203));
    let unique: std::collections::BTreeSet<_> =
        all.text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(unique.len(), 2_202);
    assert!(lines[1..].iter().all(|line| all.text.contains(*line)));
    let page = mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 20);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_in_a_segment_get_a_code_each_by_mail() {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 10).await;
    let drop = mall.drop(&kiwis, 10, json!({ "cap_per_person": 1 })).await;
    let segment = json!({ "code": "fans", "name": "Fans", "rule": { "tier_at_least": "diehard" } });
    mall.shop.app.make(&mall.owner, "/v1/admin/segments", &segment).await;
    let path = format!("/v1/admin/drops/{}/f-codes", drop["id"].as_str().unwrap());
    let issue = async |key: &str, more: Value| {
        let mut body = json!({ "variant": kiwis });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        let request = mall.shop.app.post(&path).bearer(&mall.owner.token).key(key).json(&body);
        request.send().await
    };
    let field = |answer: Answer| answer.refused(422, "invalid_field")["errors"][0]["field"].clone();
    assert_eq!(field(issue("none", json!({ "segment": "fans" })).await), "segment");
    assert_eq!(field(issue("none", json!({ "segment": "nobody" })).await), "segment");
    assert_eq!(field(issue("none", json!({ "segment": "fans", "quantity": 1 })).await), "quantity");
    let mut fans = Vec::new();
    for n in 0..3 {
        fans.push(mall.member(&format!("fan{n}@b.test"), &mall.diehard).await);
    }
    let regular = mall.member("regular@b.test", &mall.regular).await;
    let codes = issue("all", json!({ "segment": "fans" })).await.ok(201);
    assert_eq!(codes["data"].as_array().unwrap().len(), 3);
    assert_eq!(issue("all", json!({ "segment": "fans" })).await.ok(201), codes);
    mall.shop.settle().await;
    let mails = "SELECT count(*) AS count FROM mails WHERE kind = 'f_code' AND state = 'sent'";
    assert_eq!(count_sql(&mut *mall.shop.app.conn().await, mails).await, 3);
    // An operator's code is beyond the cap: who has what the cap allows may use it all the same.
    mall.order(&fans[0], "open", json!([{ "variant": kiwis, "drop": drop["id"] }])).await.ok(201);
    let with =
        |n: usize| json!([{ "variant": kiwis, "drop": drop["id"], "f_code": codes["data"][n]["code"] }]);
    let mut bought = 0;
    for n in 0..3 {
        mall.order(&regular, &format!("k{n}"), with(n)).await.refused(403, "f_code_not_yours");
        let key = format!("k{n}");
        let answers = join_all(fans.iter().map(|fan| mall.order(fan, &key, with(n)))).await;
        bought += answers.iter().filter(|answer| answer.status == 201).count();
    }
    assert_eq!(bought, 3, "each code is one fan's");
    mall.finish().await;
}

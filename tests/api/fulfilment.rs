//! Fulfilment in bulk: pick lists that share no order, filled in and handed in as files of parcels.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::desk::{count, id, post};
use crate::support::mall::Mall;

/// Twelve boxes of kiwis, paid by twelve people.
async fn twelve_orders() -> (Mall, Vec<Value>) {
    let mall = Mall::open().await;
    let kiwis = mall.goods("KIWI", 68, 50).await;
    let mut orders = Vec::new();
    for index in 0..12 {
        let person = mall.shop.app.member(&format!("p{index}@b.test")).await;
        orders.push(mall.buy(&person, "kiwi", json!([{ "variant": kiwis, "quantity": 2 }])).await);
    }
    (mall, orders)
}

async fn pick(mall: &Mall, key: &str, orders: i64) -> Value {
    post(mall, &mall.owner, "/v1/admin/pick-lists", key, json!({ "orders": orders })).await.ok(201)
}

async fn show(mall: &Mall, list: &Value) -> Value {
    let path = format!("/v1/admin/pick-lists/{}", id(list));
    mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200)
}

async fn sheet(mall: &Mall, list: &Value) -> Vec<String> {
    let path = format!("/v1/admin/pick-lists/{}", id(list));
    let request = mall.shop.app.get(&path).bearer(&mall.owner.token).header("Accept", "text/csv");
    let answer = request.send().await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    answer.text.trim_start_matches('\u{feff}').lines().map(str::to_owned).collect()
}

/// Hands a file of parcels in and waits until it is done.
async fn import(mall: &Mall, query: &str, lines: &[String]) -> Value {
    let request = mall.shop.app.post(&format!("/v1/admin/shipment-imports{query}")).bearer(&mall.owner.token);
    let taken = request.raw("text/csv", lines.join("\n")).send().await;
    let path = taken.header("location").to_owned();
    taken.ok(202);
    mall.shop.settle().await;
    mall.shop.app.get(&path).bearer(&mall.owner.token).send().await.ok(200)
}

fn counts(import: &Value) -> [i64; 3] {
    assert_eq!(import["state"], "done", "{import}");
    ["lines", "lines_failed", "created"].map(|field| import[field].as_i64().unwrap())
}

/// `line column code` of each error.
fn errors(import: &Value) -> Vec<String> {
    let shown = |error: &Value| {
        let text = |field: &str| error[field].as_str().unwrap().to_owned();
        format!("{} {} {}", error["line"], text("column"), text("code"))
    };
    import["errors"].as_array().unwrap().iter().map(shown).collect()
}

/// The line of a pick list, with carrier and tracking number in its last two columns.
fn filled(line: &str, number: &str) -> String {
    format!("{},顺丰,{number}", line.strip_suffix(",,").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_picked_by_several_is_sent_once() {
    let (mall, _) = twelve_orders().await;
    // Three who begin at once share no order, and the fourth has nothing to do.
    let made = join_all(["a", "b", "c"].map(|key| pick(&mall, key, 4))).await;
    let repeated = pick(&mall, "a", 4).await;
    assert_eq!(repeated, made[0]);
    let late = post(&mall, &mall.owner, "/v1/admin/pick-lists", "d", json!({ "orders": 4 })).await;
    late.refused(409, "nothing_to_pick");
    let mut numbers = Vec::new();
    for list in &made {
        let lines = sheet(&mall, list).await;
        assert_eq!((lines.len(), lines[0].split(',').next()), (5, Some("order")));
        assert!(
            lines[1].contains(",KIWI,") && lines[1].contains("罗小姐") && lines[1].ends_with(",,"),
            "{}",
            lines[1]
        );
        numbers.extend(lines[1..].iter().map(|line| line.split(',').next().unwrap().to_owned()));
    }
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 12);

    // Three of a list go out; the fourth line was left empty. Handed in twice, each is sent once.
    let mut lines = sheet(&mall, &made[0]).await;
    for (index, line) in lines.iter_mut().enumerate().skip(1).take(3) {
        *line = filled(line, &format!("SF{index}"));
    }
    assert_eq!(counts(&import(&mall, "?dry_run=true", &lines).await), [4, 0, 3]);
    assert_eq!(count(&mall, "shipments").await, 0);
    assert_eq!(counts(&import(&mall, "", &lines).await), [4, 0, 3]);
    assert_eq!(counts(&import(&mall, "", &lines).await), [4, 0, 0]);
    assert_eq!(count(&mall, "shipments").await, 3);
    assert_eq!(count(&mall, "mails WHERE kind = 'shipped'").await, 3);
    assert_eq!(count(&mall, "orders WHERE state = 'fulfilled'").await, 3);
    assert_eq!((sheet(&mall, &made[0]).await.len(), &show(&mall, &made[0]).await["open"]), (2, &json!(1)));

    // What one gives up another may pick.
    let release = format!("/v1/admin/pick-lists/{}/release", id(&made[0]));
    mall.shop.app.post(&release).bearer(&mall.owner.token).send().await.ok(200);
    mall.shop.app.post(&release).bearer(&mall.owner.token).send().await.ok(200);
    assert_eq!(sheet(&mall, &made[0]).await.len(), 1);
    assert_eq!(pick(&mall, "e", 10).await["orders"], 1);
    let listed = mall.shop.app.get("/v1/admin/pick-lists").bearer(&mall.owner.token).send().await.ok(200);
    // The first three were begun at once: any of them may have come last.
    let mut open: Vec<_> =
        listed["data"].as_array().unwrap().iter().map(|list| list["open"].as_i64().unwrap()).collect();
    assert_eq!(open[0], 1);
    open[1..].sort_unstable();
    assert_eq!(open, [1, 0, 4, 4]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_line_of_a_file_is_told_and_the_others_are_sent() {
    let (mall, orders) = twelve_orders().await;
    let anna = mall.shop.app.member("anna@b.test").await;
    let kiwis = &orders[0]["lines"][0]["variant"];
    let unpaid = mall.order(&anna, "unpaid", json!([{ "variant": kiwis }])).await.ok(201);
    let number = |order: &Value| order["number"].as_str().unwrap().to_owned();
    let line = |order: &Value| order["lines"][0]["id"].as_str().unwrap().to_owned();
    let lines = vec![
        "order,line,quantity,carrier,tracking_number".to_owned(),
        format!("{},,,顺丰,SF1", number(&orders[0])),
        "20130101-AAAAAAAA,,,顺丰,SF2".to_owned(),
        format!("{},,,,SF3", number(&orders[1])),
        format!("{},{},3,顺丰,SF4", number(&orders[2]), line(&orders[2])),
        format!("{},{},1,顺丰,SF5", number(&orders[3]), line(&orders[4])),
        format!("{},,,顺丰,SF6", number(&unpaid)),
        format!("{},{},x,顺丰,SF7", number(&orders[5]), line(&orders[5])),
        format!("{},{},1,顺丰,SF8", number(&orders[6]), line(&orders[6])),
        format!("{},{},1,顺丰,SF9", number(&orders[6]), line(&orders[6])),
        format!("{},,,顺丰,SF10", number(&orders[6])),
        ",,,顺丰,SF11".to_owned(),
    ];
    let expected = [
        "3 order not_found",
        "4 carrier invalid_field",
        "5 order nothing_to_ship",
        "6 order invalid_field",
        "7 order nothing_to_ship",
        "8 quantity invalid_field",
        "11 order nothing_to_ship",
        "12 order invalid_field",
    ];
    let tried = import(&mall, "?dry_run=true", &lines).await;
    assert_eq!((counts(&tried), errors(&tried)), ([11, 8, 3], expected.map(str::to_owned).to_vec()));
    assert_eq!(count(&mall, "shipments").await, 0);
    let done = import(&mall, "", &lines).await;
    assert_eq!((counts(&done), errors(&done)), ([11, 8, 3], expected.map(str::to_owned).to_vec()));
    assert_eq!(count(&mall, "shipments").await, 3);
    // A file with other columns is no file of parcels.
    let wrong = mall.shop.app.post("/v1/admin/shipment-imports").bearer(&mall.owner.token);
    let wrong = wrong.raw("text/csv", "number,carrier\n1,SF").send().await;
    assert_eq!(wrong.refused(422, "csv_columns")["errors"][0]["field"], "number");
    for orders in [0, 10_001, -1] {
        let body = json!({ "orders": orders });
        let answer = post(&mall, &mall.owner, "/v1/admin/pick-lists", "bad", body).await;
        answer.refused(422, "invalid_field");
    }
    mall.finish().await;
}

//! The catalog as a file: out, in, what is wrong with which line, and imports that are cut off.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::audit::Actor;
use kindred::imports::model::ImportRow;
use kindred::imports::service::{self, NewImport};
use kindred::imports::{ImportKind, cells};
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::catalog::{count_sql, run_sql};
use crate::support::http::Answer;
use crate::support::mall::{Mall, yuan};
use crate::support::{Person, TestApp};

async fn send(
    app: &TestApp,
    owner: &Person,
    query: &str,
    media_type: &str,
    body: impl Into<reqwest::Body>,
) -> Answer {
    let request = app.post(&format!("/v1/admin/product-imports{query}")).bearer(&owner.token);
    request.raw(media_type, body).send().await
}

/// Hands a file in and waits until it is done.
async fn import(app: &TestApp, owner: &Person, query: &str, text: impl Into<reqwest::Body>) -> Value {
    let taken = send(app, owner, query, "text/csv", text).await;
    let path = taken.header("location").to_owned();
    let job = taken.ok(202)["job"].as_str().unwrap().to_owned();
    app.drain().await;
    let job = app.get(&format!("/v1/admin/jobs/{job}")).bearer(&owner.token).send().await.ok(200);
    assert_eq!(job["state"], "done", "{job}");
    app.get(&path).bearer(&owner.token).send().await.ok(200)
}

/// (lines, failed, created, changed) of an import that is done.
fn counts(import: &Value) -> [i64; 4] {
    assert_eq!((&import["state"], &import["lines_done"]), (&json!("done"), &import["lines"]), "{import}");
    ["lines", "lines_failed", "created", "changed"].map(|field| import[field].as_i64().unwrap())
}

/// `line column code` of each error.
fn errors(import: &Value) -> Vec<String> {
    let shown = |error: &Value| {
        let text = |field: &str| error[field].as_str().unwrap().to_owned();
        assert!(!text("message").is_empty());
        format!("{} {} {}", error["line"], text("column"), text("code"))
    };
    import["errors"].as_array().unwrap().iter().map(shown).collect()
}

async fn export(app: &TestApp, owner: &Person) -> String {
    let request = app.get("/v1/admin/products").bearer(&owner.token).header("Accept", "text/csv");
    let answer = request.send().await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    answer.text
}

const HEADER: &str = "slug,sku,kind,name_zh,name_en,price,options,tags,parts\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_goes_out_and_comes_in_again_with_nothing_changed() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let (_, [book, ..]) = mall.book_box(5).await;
    let odd = json!({
        "names": { "zh-CN": "=1+1", "en": "@SUM, \"quoted\"" }, "about": { "zh-CN": "一行\n又一行", "en": "-" },
        "tags": ["a|b", "back\\slash"], "images": ["https://shop.test/a.jpg?x=1|2"], "category": "tea",
        "sees": { "who": "tier", "at_least": "diehard" }, "tax_rate_bp": 900, "right_days": 30, "hides_price": true,
        "shown_until": app.now() + TimeDelta::days(9), "available_from": app.now() + TimeDelta::hours(1),
    });
    let variants = json!([
        { "sku": "+COURSE", "price": { "amount": 5, "currency": "CNY" }, "limit": 7, "options": { "for": "all|some" } },
        { "sku": "COURSE*2", "price": yuan(2), "open_sale": false, "max_per_order": 3 },
    ]);
    mall.product("course", "digital", variants, odd).await;
    let pack = json!([{ "sku": "PACK", "price": yuan(80), "parts": [{ "variant": book, "quantity": 2 }] }]);
    mall.product("pack", "bundle", pack, json!({})).await;
    let gone = mall.goods("GONE", 1, 0).await;
    let path = format!("/v1/admin/variants/{}/archive", gone.as_str().unwrap());
    app.post(&path).bearer(&owner.token).send().await.ok(200);

    let file = export(app, owner).await;
    assert!(file.starts_with("slug,sku,kind,"));
    let raw = app.client.get(format!("{}/v1/admin/products", app.url)).bearer_auth(&owner.token);
    let raw = raw.header("Accept", "text/csv").send().await.unwrap().bytes().await.unwrap();
    assert!(raw.starts_with("\u{feff}slug,".as_bytes()), "spreadsheets see that it is UTF-8");
    for cell in
        ["'=1+1", "\"'@SUM, \"\"quoted\"\"\"", "'+COURSE", "'-", "a\\|b|back\\\\slash", "0.05", "BOOK*2"]
    {
        assert!(file.contains(cell), "{cell} in {file}");
    }
    let before = app.get("/v1/admin/products?limit=100").bearer(&owner.token).send().await.ok(200);
    for query in ["?dry_run=true", ""] {
        let same = import(app, owner, query, file.clone()).await;
        assert_eq!(counts(&same), [8, 0, 0, 0], "{same}");
    }
    let after = app.get("/v1/admin/products?limit=100").bearer(&owner.token).send().await.ok(200);
    assert_eq!(before, after);
    assert_eq!(export(app, owner).await, file);

    // Into another shop: the whole of it is made anew (its tiers are there), bundles after their parts.
    let other = Mall::open().await;
    let mut lines: Vec<&str> = file.split_inclusive("\r\n").collect();
    if lines.len() == 1 {
        lines = file.split_inclusive('\n').collect();
    }
    let is_bundle = |line: &&str| line.contains(",bundle,");
    let header = lines.remove(0).to_owned();
    let (bundles, others): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| is_bundle(line));
    let file = header + &others.concat() + &bundles.concat();
    let made = import(
        &other.shop.app,
        &other.owner,
        "",
        file.replace(",true,0\n", ",,\n").replace(",true,0\r\n", ",,\r\n"),
    )
    .await;
    assert_eq!(counts(&made), [8, 0, 8, 0], "{made}");
    let course =
        other.shop.app.get("/v1/admin/products?limit=100").bearer(&other.owner.token).send().await.ok(200);
    let course =
        course["data"].as_array().unwrap().iter().find(|found| found["slug"] == "course").unwrap().clone();
    let kept = before["data"].as_array().unwrap().iter().find(|found| found["slug"] == "course").unwrap();
    for field in [
        "names",
        "about",
        "tags",
        "images",
        "sees",
        "tax_rate_bp",
        "right_days",
        "available_from",
        "shown_until",
    ] {
        assert_eq!(course[field], kept[field], "{field}");
    }
    assert_eq!(course["variants"][0]["stock"]["total"], 7);
    other.finish().await;
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_makes_and_changes_and_doing_it_twice_does_no_more() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let tea = mall.goods("TEA", 90, 5).await;
    let text = format!(
        "{HEADER}tea,TEA,goods,茶,Tea,88.50,,hot|cold,\ntea,TEA-L,,,,150,size=L,hot|cold,\n\
         shirt,SHIRT-M,goods,衫,Shirt,49,size=M,,\nshirt,SHIRT-L,goods,衫,Shirt,49,size=L,,\n\
         set,SET,bundle,套装,Set,99.9,,,TEA*2|SHIRT-M\n"
    );
    let dry = import(app, owner, "?dry_run=true", text.clone()).await;
    assert_eq!((counts(&dry), &dry["dry_run"]), ([5, 0, 4, 1], &json!(true)));
    app.get("/v1/products/shirt").send().await.refused(404, "not_found");
    assert_eq!(count_sql(&mut *app.conn().await, "SELECT count(*) AS count FROM variants").await, 1);

    let done = import(app, owner, "", text.clone()).await;
    assert_eq!(counts(&done), [5, 0, 4, 1]);
    let seen = app.get("/v1/products/tea").send().await.ok(200);
    assert_eq!((&seen["names"]["zh-CN"], &seen["tags"]), (&json!("茶"), &json!(["hot", "cold"])));
    assert_eq!(seen["variants"][0]["price"]["amount"], 8_850);
    assert_eq!(seen["variants"][1]["options"]["size"], "L");
    let set = app.get("/v1/products/set").send().await.ok(200);
    assert_eq!(
        (&set["variants"][0]["parts"][0]["quantity"], &set["variants"][0]["price"]["amount"]),
        (&json!(2), &json!(9_990))
    );
    let found = app.get("/v1/products?q=shirt-l").send().await.ok(200);
    assert_eq!(found["data"][0]["slug"], "shirt");
    assert_eq!(mall.stands(&tea).await, (5, 0, 0), "an import leaves stock alone");

    let versions = "SELECT sum(version) AS count FROM variants";
    let before = count_sql(&mut *app.conn().await, versions).await;
    assert_eq!(counts(&import(app, owner, "", text).await), [5, 0, 0, 0]);
    assert_eq!(count_sql(&mut *app.conn().await, versions).await, before);

    // What is not among the columns stays; an empty cell empties what may be empty; the history knows the price.
    let few = "sku,slug,price,tags\nTEA,tea,80,\n";
    assert_eq!(counts(&import(app, owner, "", few).await), [1, 0, 0, 1]);
    let seen = app.get("/v1/products/tea").send().await.ok(200);
    assert_eq!((&seen["names"]["zh-CN"], &seen["tags"]), (&json!("茶"), &json!([])));
    let history = "SELECT count(*) AS count FROM list_prices l JOIN variants v ON v.id = l.variant_id WHERE v.sku = 'TEA'";
    assert_eq!(count_sql(&mut *app.conn().await, history).await, 3);
    let archived = import(app, owner, "", "slug,sku,archived\ntea,TEA-L,TRUE\n").await;
    assert_eq!(counts(&archived), [1, 0, 0, 1]);
    assert_eq!(app.get("/v1/products/tea").send().await.ok(200)["variants"].as_array().unwrap().len(), 1);
    let list = app.get("/v1/admin/product-imports?limit=2").bearer(&owner.token).send().await.ok(200);
    assert_eq!((list["data"].as_array().unwrap().len(), list["data"][0]["id"] == archived["id"]), (2, true));
    let acts = "SELECT count(*) AS count FROM audit_log WHERE action = 'products.import'";
    assert_eq!(count_sql(&mut *app.conn().await, acts).await, 3);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_line_is_told_and_the_others_are_entered() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    mall.goods("TEA", 90, 5).await;
    let (pack, ()) = {
        let tea = app.get("/v1/products/tea").send().await.ok(200)["variants"][0]["id"].clone();
        mall.book_box_of(&tea).await
    };
    let mut text = String::from(
        "slug,sku,kind,name_zh,name_en,price,currency,options,parts,limit,open_sale,sees,shown_from,archived,right_days,images\n",
    );
    let wrong = [
        (",A,goods,a,a,1,,,,,,,,,,", "slug invalid_field"),
        ("no slug,A,goods,a,a,1,,,,,,,,,,", "slug invalid_field"),
        ("a,,goods,a,a,1,,,,,,,,,,", "sku invalid_field"),
        ("tea-2,TEA,goods,a,a,1,,,,,,,,,,", "sku code_taken"),
        ("a,A,,a,a,1,,,,,,,,,,", "kind invalid_field"),
        ("a,A,things,a,a,1,,,,,,,,,,", "kind invalid_field"),
        ("tea,TEA,digital,,,,,,,,,,,,,", "kind invalid_field"),
        ("a,A,goods,,a,1,,,,,,,,,,", "name_zh invalid_field"),
        ("a,A,goods,a,a,,,,,,,,,,,", "price invalid_field"),
        ("a,A,goods,a,a,\"1,999\",,,,,,,,,,", "price invalid_field"),
        ("a,A,goods,a,a,0.001,,,,,,,,,,", "price invalid_field"),
        ("a,A,goods,a,a,-1,,,,,,,,,,", "price amount_out_of_range"),
        ("tea,TEA,,,,1000000,,,,,,,,,,", "price amount_out_of_range"),
        ("a,A,goods,a,a,1,USD,,,,,,,,,", "currency invalid_field"),
        ("a,A,goods,a,a,1,,red,,,,,,,,", "options invalid_field"),
        ("a,A,goods,a,a,1,,,TEA,,,,,,,", "parts invalid_field"),
        ("a,A,bundle,a,a,1,,,,,,,,,,", "parts invalid_field"),
        ("a,A,bundle,a,a,1,,,TEA*0,,,,,,,", "parts invalid_field"),
        ("a,A,bundle,a,a,1,,,NOTHING,,,,,,,", "parts unknown_article"),
        ("a,A,bundle,a,a,1,,,PACK,,,,,,,", "parts unknown_article"),
        ("pack,PACK,,,,,,,TEA*3,,,,,,,", "parts invalid_field"),
        ("pack,PACK-2,,,,1,,,TEA,,,,,,,", "sku invalid_field"),
        ("a,A,goods,a,a,1,,,,5,,,,,,", "limit invalid_field"),
        ("a,A,goods,a,a,1,,,,,maybe,,,,,", "open_sale invalid_field"),
        ("a,A,goods,a,a,1,,,,,,everyone,,,,", "sees invalid_field"),
        (
            "a,A,goods,a,a,1,,,,,,\"{\"\"who\"\":\"\"tier\"\",\"\"at_least\"\":\"\"gone\"\"}\",,,,",
            "sees invalid_field",
        ),
        ("a,A,goods,a,a,1,,,,,,,yesterday,,,", "shown_from invalid_field"),
        ("a,A,goods,a,a,1,,,,,,,,true,,", "archived invalid_field"),
        ("a,A,goods,a,a,1,,,,,,,,,30,", "right_days invalid_field"),
        ("a,A,goods,a,a,1,,,,,,,,,,http://x.test/a", "images invalid_field"),
        ("a,A,goods", " csv_columns"),
    ];
    for (line, _) in wrong {
        text += line;
        text += "\n";
    }
    text += "good,GOOD,goods,好,Good,1,,,,,,,,,,\n";
    let expected: Vec<_> = (2..).zip(wrong).map(|(line, (_, error))| format!("{line} {error}")).collect();
    for query in ["?dry_run=true", ""] {
        let done = import(app, owner, query, text.clone()).await;
        assert_eq!(counts(&done), [32, 31, 1, 0]);
        assert_eq!(errors(&done), expected, "{query}");
        let path =
            format!("/v1/admin/product-imports/{}?after_line=31&limit=1", done["id"].as_str().unwrap());
        let rest = app.get(&path).bearer(&owner.token).send().await.ok(200);
        assert_eq!(errors(&rest), ["32  csv_columns"]);
    }
    app.get("/v1/products/good").send().await.ok(200);
    app.get("/v1/products/a").send().await.refused(404, "not_found");
    let seen = app.get("/v1/products/pack").send().await.ok(200);
    assert_eq!(seen["variants"][0]["id"], pack["id"]);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_none_are_refused_as_a_whole() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let good = format!("{HEADER}tea,TEA,goods,茶,Tea,1,,,\n");
    let refused = send(app, owner, "", "application/json", good.clone()).await;
    refused.refused(415, "unsupported_media_type");
    let columns = send(app, owner, "", "text/csv", "slug,price,colour\na,1,red\n").await;
    let named: Vec<_> = columns.refused(422, "csv_columns")["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    assert_eq!(named, ["colour", "sku"]);
    send(app, owner, "", "text/csv", "").await.refused(422, "csv_columns");
    send(app, owner, "", "text/csv", HEADER).await.refused(422, "csv_empty");
    assert!(matches!(send(app, owner, "?dry_run=maybe", "text/csv", good.clone()).await.status, 400 | 422));
    let long = format!("slug,sku\n{}", "a,b\n".repeat(cells::LINES_MAX + 1));
    send(app, owner, "", "text/csv", long).await.refused(422, "csv_too_long");
    let large = vec![b'a'; cells::BYTES_MAX + 1];
    send(app, owner, "", "text/csv", large).await.refused(413, "body_too_large");

    // GB18030 is read where it is said, and never guessed.
    let gb = encoding_rs::GB18030.encode(&good).0.into_owned();
    send(app, owner, "", "text/csv", gb.clone()).await.refused(422, "csv_encoding");
    send(app, owner, "", "text/csv; charset=utf-16", good).await.refused(422, "csv_encoding");
    let taken = send(app, owner, "", "text/csv; charset=gb18030", gb.clone()).await;
    taken.ok(202);
    app.drain().await;
    assert_eq!(app.get("/v1/products/tea").send().await.ok(200)["names"]["zh-CN"], "茶");

    let support = app.operator(Role::Support).await;
    send(app, &support, "", "text/csv", "slug,sku\na,b\n").await.refused(403, "forbidden");
    let unknown = "/v1/admin/product-imports/imp_00000000000000000000000000000000";
    app.get(unknown).bearer(&support.token).send().await.refused(404, "not_found");
    mall.finish().await;
}

/// Takes a file in without the job that would do it: the test does it by hand.
async fn accept(app: &TestApp, text: &str, is_dry_run: bool) -> ImportRow {
    let sheet = cells::read(text.as_bytes(), None, ImportKind::Products.columns()).unwrap();
    let new = NewImport { kind: ImportKind::Products, sheet: &sheet, is_dry_run, actor: Actor::System };
    let conn = &mut *app.conn().await;
    let unclaimed = "CHECK (kind <> 'run_import' OR state <> 'running')";
    run_sql(conn, &format!("ALTER TABLE jobs ADD CONSTRAINT unclaimed {unclaimed}")).await;
    let (row, _) = service::accept(&app.app.pool, new, app.now()).await.unwrap();
    run_sql(conn, "DELETE FROM jobs WHERE kind = 'run_import'").await;
    run_sql(conn, "ALTER TABLE jobs DROP CONSTRAINT unclaimed").await;
    row
}

fn many(products: usize, variants: usize) -> String {
    let mut text = String::from(HEADER);
    for product in 0..products {
        for variant in 0..variants {
            text += &format!(
                "p-{product},SKU-{product}-{variant},goods,第{product}号,Number {product},{product}.50,n={variant},a|b,\n"
            );
        }
    }
    text
}

/// Cut off after any part, by whoever does it, several at once: every line is entered once.
#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_it_stopped() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let conn = &mut *app.conn().await;
    let row = accept(app, &many(130, 10), false).await;
    let now = app.now();
    let first = service::step(&app.app.pool, row.id, "CNY", now).await.unwrap();
    assert_eq!((first.lines_done, first.is_over()), (500, false));
    // The database refuses in the middle of a part: nothing of it stands, and the next try does it.
    run_sql(conn, "ALTER TABLE variants ADD CONSTRAINT broken CHECK (sku <> 'SKU-99-9') NOT VALID").await;
    assert!(
        service::step(&app.app.pool, row.id, "CNY", now).await.is_err(),
        "SKU-99-9 is in the second part"
    );
    assert_eq!(count_sql(conn, "SELECT count(*) AS count FROM variants").await, 500);
    run_sql(conn, "ALTER TABLE variants DROP CONSTRAINT broken").await;
    let steps = (0..6).map(|_| service::step(&app.app.pool, row.id, "CNY", now));
    assert!(join_all(steps).await.into_iter().all(|step| step.is_ok()));
    let done = service::step(&app.app.pool, row.id, "CNY", now).await.unwrap();
    assert_eq!((done.lines_done, done.created, done.lines_failed, done.is_over()), (1_300, 1_300, 0, true));
    assert_eq!(count_sql(conn, "SELECT count(*) AS count FROM variants").await, 1_300);
    assert_eq!(count_sql(conn, "SELECT count(*) AS count FROM import_parts").await, 0);

    // Given up and taken up again, as an operator does with a dead job.
    let again = accept(app, &many(60, 10), false).await;
    kindred::db::transaction(&app.app.pool, async |conn| service::give_up(conn, again.id, now).await)
        .await
        .unwrap();
    let stopped = service::step(&app.app.pool, again.id, "CNY", now).await.unwrap();
    assert_eq!((stopped.lines_done, stopped.is_over()), (0, true));
    kindred::db::transaction(&app.app.pool, async |conn| service::take_up(conn, again.id).await)
        .await
        .unwrap();
    let steps = [(); 2].map(|()| service::step(&app.app.pool, again.id, "CNY", now));
    join_all(steps).await;
    let done = service::step(&app.app.pool, again.id, "CNY", now).await.unwrap();
    assert_eq!((done.lines_done, done.created, done.changed), (600, 0, 0));
    mall.finish().await;
}

/// Two who hand the same file in at once: each line is there once, and neither fails.
#[tokio::test(flavor = "multi_thread")]
async fn two_files_with_the_same_lines_make_each_thing_once() {
    let mall = Mall::open().await;
    let (app, owner) = (&mall.shop.app, &mall.owner);
    let text = many(40, 10);
    let both = join_all((0..2).map(|_| send(app, owner, "", "text/csv", text.clone()))).await;
    // The loser of a race is tried again in a moment.
    mall.shop.advance(TimeDelta::minutes(1)).await;
    let mut created = 0;
    for taken in both {
        let path = taken.header("location").to_owned();
        let owner = app.sign_in(&owner.email).await;
        created += counts(&app.get(&path).bearer(&owner.token).send().await.ok(200))[2];
    }
    assert_eq!(created, 400);
    assert_eq!(count_sql(&mut *app.conn().await, "SELECT count(*) AS count FROM variants").await, 400);
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_lines_are_entered_and_a_dry_run_tells_what_is_wrong_with_them() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let conn = &mut *app.conn().await;
    run_sql(conn, "ANALYZE").await;
    let mut text = many(10_000, 10);
    // A bundle of things that the file itself makes, far above, and a line that is wrong in what they are.
    text = text.replacen("p-9998,SKU-9998-0,goods", "p-9998,SKU-9998-0,bundle", 1);
    text = text.replacen("p-9999,SKU-9999-9,goods", "p-9999,SKU-0-0,goods", 1);
    let mut found = BTreeSet::new();
    for is_dry_run in [true, false] {
        let row = accept(app, &text, is_dry_run).await;
        let mut done = if is_dry_run {
            service::rehearse(&app.app.pool, row.id, "CNY", app.now(), &|_| ()).await.unwrap()
        } else {
            service::step(&app.app.pool, row.id, "CNY", app.now()).await.unwrap()
        };
        while !done.is_over() {
            done = service::step(&app.app.pool, row.id, "CNY", app.now()).await.unwrap();
        }
        assert_eq!((done.lines, done.lines_failed), (100_000, 2));
        let errors = kindred::imports::model::errors(conn, row.id, 0, 10).await.unwrap();
        let told: Vec<_> =
            errors.iter().map(|error| (error.line, error.column_name.clone(), error.code.clone())).collect();
        found.insert(told);
        let made = if is_dry_run { 0 } else { 99_998 };
        assert_eq!(count_sql(conn, "SELECT count(*) AS count FROM variants").await, made);
    }
    let expected = vec![
        (99_982, "parts".to_owned(), "invalid_field".to_owned()),
        (100_001, "sku".to_owned(), "code_taken".to_owned()),
    ];
    assert_eq!(found, BTreeSet::from([expected]));
    mall.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_does_the_same_and_exits_by_it() {
    let mall = Mall::open().await;
    let app = &mall.shop.app;
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("products-{}.csv", std::process::id()));
    let text = format!("{HEADER}tea,TEA,goods,茶,Tea,1,,,\nbad slug,X,goods,x,x,1,,,\n");
    std::fs::write(&file, text).unwrap();
    let run = async |more: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_kindred"));
        let command = command.arg("import-products").arg(&file).args(more).env_clear();
        let output = command.env("DATABASE_URL", app.database_url()).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, said, summary) = run(&["--dry-run"]).await;
    assert_eq!((code, said.lines().count()), (1, 1), "{said}{summary}");
    assert!(said.starts_with("line 3, slug: ") && said.contains("(invalid_field)"), "{said}");
    assert!(summary.contains("2 lines: 1 to make, 0 to change, 1 wrong"), "{summary}");
    app.get("/v1/products/tea").send().await.refused(404, "not_found");
    let (code, _, summary) = run(&[]).await;
    assert!(code == 1 && summary.contains("1 made"), "{summary}");
    app.get("/v1/products/tea").send().await.ok(200);
    std::fs::write(&file, format!("{HEADER}tea,TEA,goods,茶,Tea,2,,,\n")).unwrap();
    let (code, said, summary) = run(&[]).await;
    assert_eq!((code, said.as_str()), (0, ""), "{summary}");
    std::fs::write(&file, "colour\nred\n").unwrap();
    let (code, _, summary) = run(&[]).await;
    assert!(code == 1 && summary.contains("csv_columns"), "{summary}");
    std::fs::remove_file(&file).unwrap();
    mall.finish().await;
}

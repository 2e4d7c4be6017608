//! Operators: who may what, roles, API keys, terms, the audit log.

use chrono::TimeDelta;
use kindred::config::PasswordSettings;
use kindred::people::operators::rules::Role;
use kindred::people::operators::service::{self, Created, NewOperator};
use kindred::people::passwords::Password;
use serde_json::{Value, json};

use crate::support::http::Answer;
use crate::support::people::PASSWORD;
use crate::support::{Person, Request, TestApp};

/// A route under `/v1/admin` and the roles that may call it, as docs/OPERATORS.md tells.
struct Row {
    method: String,
    path: String,
    roles: Vec<Role>,
}

fn table() -> Vec<Row> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/OPERATORS.md");
    let text = std::fs::read_to_string(file).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    rows.filter_map(|(route, cells)| {
        let (method, path) = route.split_once(' ')?;
        let cells = cells.trim_end().trim_end_matches('|').split('|');
        let roles =
            Role::ALL.into_iter().zip(cells).filter(|(_, cell)| cell.trim() == "yes").map(|(role, _)| role);
        Some(Row { method: method.to_owned(), path: path.to_owned(), roles: roles.collect() })
    })
    .collect()
}

fn request<'a>(app: &'a TestApp, row: &Row) -> Request<'a> {
    let mut path = row.path.clone();
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, "unknown");
    }
    match row.method.as_str() {
        "GET" => app.get(&path),
        "POST" => app.post(&path),
        "PUT" => app.put(&path),
        "PATCH" => app.patch(&path),
        _ => app.delete(&path),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_names_every_route_of_operators() {
    let app = TestApp::spawn().await;
    let document = app.get("/openapi.json").send().await.ok(200);
    let methods = ["get", "post", "put", "patch", "delete"];
    let mut described = Vec::new();
    for (path, item) in
        document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/admin"))
    {
        let here = item.as_object().unwrap().keys().filter(|key| methods.contains(&key.as_str()));
        described.extend(here.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut named: Vec<String> = table().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    described.sort();
    named.sort();
    assert_eq!(named, described);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_route_is_open_to_its_roles_and_closed_to_all_others() {
    let app = TestApp::spawn().await;
    let member = app.member("member@example.org").await;
    let mut operators = Vec::new();
    for role in Role::ALL {
        operators.push((role, app.operator(role).await));
    }
    for row in table() {
        request(&app, &row).send().await.refused(401, "unauthenticated");
        request(&app, &row).bearer("nonsense").send().await.refused(401, "unauthenticated");
        request(&app, &row).bearer(&member.token).send().await.refused(403, "forbidden");
        for (role, operator) in &operators {
            let answer = request(&app, &row).bearer(&operator.token).send().await;
            let (method, path) = (&row.method, &row.path);
            if row.roles.contains(role) {
                assert!(
                    answer.status < 500 && ![401, 403, 405].contains(&answer.status),
                    "{method} {path} as {role:?}: {}",
                    answer.text
                );
            } else {
                assert_eq!(
                    (answer.status, &answer.json["code"]),
                    (403, &json!("forbidden")),
                    "{method} {path} as {role:?}"
                );
            }
        }
    }
    app.get("/v1/admin/nothing").send().await.refused(401, "unauthenticated");
    app.get("/v1/admin/nothing").bearer(&member.token).send().await.refused(403, "forbidden");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_needs_a_verified_address() {
    let app = TestApp::spawn().await;
    app.seed("owner@example.org", false, &[Role::Owner]).await;
    let owner = app.sign_in("owner@example.org").await;
    let answer = app.get("/v1/admin/accounts").bearer(&owner.token).send().await;
    answer.refused(403, "email_not_verified");
    app.finish().await;
}

async fn set_roles(app: &TestApp, by: &Person, of: &Person, version: &str, roles: Value) -> Answer {
    let path = format!("/v1/admin/accounts/{}", of.id);
    let body = json!({ "roles": roles, "reason": "new colleague" });
    app.patch(&path).bearer(&by.token).header("If-Match", version).json(&body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_given_and_taken_at_once_and_leave_an_entry() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let person = app.member("li@example.org").await;
    let path = format!("/v1/admin/accounts/{}", person.id);
    let shown = app.get(&path).bearer(&owner.token).send().await;
    let version = shown.header("etag").to_owned();
    assert_eq!(shown.ok(200)["email"], "li@example.org");
    let changed = set_roles(&app, &owner, &person, &version, json!(["support", "support"])).await;
    let next = changed.header("etag").to_owned();
    assert_eq!(changed.ok(200)["roles"], json!(["support"]));
    app.get("/v1/admin/accounts").bearer(&person.token).send().await.ok(200);
    set_roles(&app, &owner, &person, &version, json!([])).await.refused(412, "version_mismatch");
    set_roles(&app, &owner, &person, &next, json!(["king"])).await.refused(422, "invalid_field");
    let missing = app.patch(&path).bearer(&owner.token).json(&json!({ "roles": [] })).send().await;
    missing.refused(428, "precondition_required");
    set_roles(&app, &owner, &person, &next, json!([])).await.ok(200);
    app.get("/v1/admin/accounts").bearer(&person.token).send().await.refused(403, "forbidden");
    let query = format!("/v1/admin/audit?action=account.roles&subject={}", person.id);
    let log = app.get(&query).bearer(&owner.token).send().await.ok(200);
    let entries = log["data"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[1]["detail"], json!({ "from": [], "to": ["support"] }));
    assert_eq!((&entries[1]["actor"], &entries[1]["reason"]), (&json!(owner.id), &json!("new colleague")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_keeps_an_owner_even_when_two_demote_each_other_at_once() {
    let app = TestApp::spawn().await;
    let one = app.operator(Role::Owner).await;
    set_roles(&app, &one, &one, "\"v1\"", json!(["manager"])).await.refused(409, "last_owner");
    app.seed("two@shop.test", true, &[Role::Owner]).await;
    let two = app.sign_in("two@shop.test").await;
    let (first, second) = futures::join!(
        set_roles(&app, &one, &two, "\"v1\"", json!([])),
        set_roles(&app, &two, &one, "\"v1\"", json!([])),
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    // The later one is refused by the rule, or was no owner any more when it asked.
    assert!(statuses == [200, 409] || statuses == [200, 403], "{statuses:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_found_by_address_and_listed_in_pages() {
    let app = TestApp::spawn().await;
    let support = app.operator(Role::Support).await;
    for n in 0..5 {
        app.seed(&format!("person{n}@example.org"), true, &[]).await;
    }
    let get = async |query: &str| {
        app.get(&format!("/v1/admin/accounts{query}")).bearer(&support.token).send().await
    };
    let found = get("?email=PERSON3@example.org").await.ok(200);
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(get("?email=nobody@example.org").await.ok(200)["data"], json!([]));
    let staff = get("?role=support").await.ok(200);
    assert_eq!(staff["data"][0]["id"], json!(support.id));
    get("?email=nonsense").await.refused(422, "invalid_field");
    let first = get("?limit=4").await.ok(200);
    let rest = get(&format!("?limit=4&cursor={}", first["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!((first["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (4, 2));
    assert_eq!(rest["next_cursor"], Value::Null);
    get("/acc_00000000000070008000000000000000").await.refused(404, "not_found");
    get("/nonsense").await.refused(404, "not_found");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_signs_somebody_out_everywhere() {
    let app = TestApp::spawn().await;
    let support = app.operator(Role::Support).await;
    let person = app.member("li@example.org").await;
    let path = format!("/v1/admin/accounts/{}/sessions", person.id);
    app.delete(&path).bearer(&support.token).send().await.ok(204);
    app.get("/v1/me").bearer(&person.token).send().await.refused(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_has_its_roles_until_it_expires_or_is_revoked() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let make =
        async |body: Value| app.post("/v1/admin/api-keys").bearer(&owner.token).json(&body).send().await;
    make(json!({ "name": "x", "roles": [] })).await.refused(422, "invalid_field");
    make(json!({ "name": "", "roles": ["owner"] })).await.refused(422, "invalid_field");
    make(json!({ "name": "x", "roles": ["owner"], "expires_at": "2020-01-01T00:00:00Z" }))
        .await
        .refused(422, "invalid_field");
    let made = make(json!({ "name": "storefront", "roles": ["support"] })).await;
    assert_eq!(made.header("cache-control"), "no-store");
    let made = made.ok(201);
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("kd_"));
    app.get("/v1/admin/accounts").bearer(&key).send().await.ok(200);
    app.get("/v1/admin/api-keys").bearer(&key).send().await.refused(403, "forbidden");
    // A key is nobody's account.
    app.get("/v1/me").bearer(&key).send().await.refused(401, "unauthenticated");
    let list = app.get("/v1/admin/api-keys").bearer(&owner.token).send().await;
    assert!(!list.text.contains(&key) && !list.text.contains("hash"));
    assert_eq!(list.ok(200)["data"][0]["name"], "storefront");
    let path = format!("/v1/admin/api-keys/{}", made["id"].as_str().unwrap());
    app.delete(&path).bearer(&owner.token).send().await.ok(204);
    app.delete(&path).bearer(&owner.token).send().await.ok(204);
    app.get("/v1/admin/accounts").bearer(&key).send().await.refused(401, "unauthenticated");
    let log = app.get("/v1/admin/audit?subject_kind=api_key").bearer(&owner.token).send().await.ok(200);
    assert_eq!(log["data"].as_array().unwrap().len(), 2);
    let until = app.app.clock.now() + TimeDelta::minutes(5);
    let short = make(json!({ "name": "short", "roles": ["owner"], "expires_at": until })).await.ok(201);
    let key = short["key"].as_str().unwrap();
    let second =
        app.post("/v1/admin/api-keys").bearer(key).json(&json!({ "name": "child", "roles": ["analyst"] }));
    assert_eq!(second.send().await.ok(201)["created_by"], json!(owner.id));
    app.advance(TimeDelta::minutes(5)).await;
    app.get("/v1/admin/accounts").bearer(key).send().await.refused(401, "unauthenticated");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_published_version_by_version() {
    let app = TestApp::spawn().await;
    let manager = app.operator(Role::Manager).await;
    app.get("/v1/terms").send().await.refused(404, "not_found");
    let publish = async |version: &str| {
        let body = json!({ "version": version, "url": "https://shop.test/terms" });
        app.post("/v1/admin/terms").bearer(&manager.token).json(&body).send().await
    };
    publish("2026-01").await.ok(201);
    publish("2026-01").await.refused(409, "code_taken");
    publish("2026-02").await.ok(201);
    publish("a b").await.refused(422, "invalid_field");
    assert_eq!(app.get("/v1/terms").send().await.ok(200)["version"], "2026-02");
    let all = app.get("/v1/admin/terms").bearer(&manager.token).send().await.ok(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 2);
    let log =
        app.get("/v1/admin/audit?action=terms.publish&limit=1").bearer(&manager.token).send().await.ok(200);
    assert_eq!(log["data"][0]["subject"], "2026-02");
    let cursor = log["next_cursor"].as_str().unwrap();
    let query = format!("/v1/admin/audit?action=terms.publish&limit=1&cursor={cursor}");
    let log = app.get(&query).bearer(&manager.token).send().await.ok(200);
    assert_eq!((&log["data"][0]["subject"], &log["next_cursor"]), (&json!("2026-01"), &json!(null)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_an_operator_or_promotes_one() {
    let app = TestApp::spawn().await;
    let create = async |role: Role, password: Option<&str>| {
        let operator = NewOperator {
            email: "boss@shop.test".parse().unwrap(),
            role,
            password: password.map(Password::new),
        };
        let cost = PasswordSettings::lowest();
        service::create(&app.app.pool, &cost, operator, app.app.clock.now()).await
    };
    assert_eq!(create(Role::Owner, None).await.unwrap_err().errors[0].field, "password");
    assert_eq!(create(Role::Owner, Some("password")).await.unwrap_err().code.as_str(), "weak_password");
    let Created::New(id) = create(Role::Owner, Some(PASSWORD)).await.unwrap() else { panic!("not new") };
    let boss = app.sign_in("boss@shop.test").await;
    app.get("/v1/admin/api-keys").bearer(&boss.token).send().await.ok(200);
    assert_eq!(create(Role::Analyst, None).await.unwrap(), Created::Promoted(id));
    let shown = app.get("/v1/me").bearer(&boss.token).send().await.ok(200);
    assert_eq!(shown["roles"], json!(["owner", "analyst"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_takes_the_password_from_standard_input_alone() {
    use secrecy::ExposeSecret;
    use std::io::Write;
    use std::process::{Command, Stdio};
    let app = TestApp::spawn().await;
    let url = app.app.settings.database.url.as_ref().unwrap().expose_secret().to_owned();
    let run = |arguments: &[&str], input: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kindred"));
        command.args(["operator", "create", "--email", "boss@shop.test"]).args(arguments);
        command.env_clear().env("DATABASE_URL", &url).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let without = run(&["--role", "owner"], "");
    assert!(!without.status.success());
    assert!(String::from_utf8_lossy(&without.stderr).contains("--password-stdin"));
    assert!(!run(&["--role", "king", "--password-stdin"], PASSWORD).status.success());
    let made = run(&["--role", "owner", "--password-stdin"], &format!("{PASSWORD}\n"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(String::from_utf8_lossy(&made.stdout).starts_with("made acc_"));
    let boss = app.sign_in("boss@shop.test").await;
    app.get("/v1/admin/api-keys").bearer(&boss.token).send().await.ok(200);
    app.finish().await;
}

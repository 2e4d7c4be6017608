//! Invitations to a drive: codes, and places reserved for addresses.

use std::collections::HashSet;

use chrono::TimeDelta;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use crate::support::TestApp;
use crate::support::catalog::count_sql;

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_made_listed_and_withdrawn() {
    let app = TestApp::spawn().await;
    let manager = app.operator(Role::Manager).await;
    let drive = app.drive_with(&manager, "friends", json!({ "admission": "invitation" })).await;
    let path = format!("/v1/admin/drives/{}/invitations", drive["id"].as_str().unwrap());
    let ends = app.now() + TimeDelta::hours(5);
    let made = app.make(&manager, &path, &json!({ "codes": 30, "uses": 3, "expires_at": ends })).await;
    let made = made["data"].as_array().unwrap();
    let codes: HashSet<_> = made.iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect();
    assert_eq!(codes.len(), 30);
    assert!(codes.iter().all(|code| code.len() == 11 && code.as_bytes()[5] == b'-'), "{codes:?}");
    assert_eq!((&made[0]["uses"], &made[0]["email"]), (&json!(3), &Value::Null));
    let mut seen = HashSet::new();
    let mut cursor = String::new();
    for _ in 0..3 {
        let page = app.get(&format!("{path}?limit=10{cursor}")).bearer(&manager.token).send().await.ok(200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].to_string()));
        cursor = page["next_cursor"].as_str().map_or_else(String::new, |next| format!("&cursor={next}"));
    }
    assert_eq!((seen.len(), cursor.as_str()), (30, ""));
    let revoke = format!("/v1/admin/invitations/{}/revoke", made[0]["id"].as_str().unwrap());
    let first = app.post(&revoke).bearer(&manager.token).send().await.ok(200);
    assert!(first["revoked_at"].is_string());
    assert_eq!(app.post(&revoke).bearer(&manager.token).send().await.ok(200), first);
    let unknown = "/v1/admin/invitations/inv_00000000000000000000000000000000/revoke";
    app.post(unknown).bearer(&manager.token).send().await.refused(404, "not_found");
    let support = app.operator(Role::Support).await;
    app.get(&path).bearer(&support.token).send().await.refused(403, "forbidden");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_one_place_however_often_it_is_invited() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let drive = app.drive_with(&owner, "hundred", json!({ "admission": "invitation" })).await;
    let path = format!("/v1/admin/drives/{}/invitations", drive["id"].as_str().unwrap());
    let list = json!({ "emails": ["Anna@Example.org", "anna@example.org", "bao@example.org"] });
    let made = app.make(&owner, &path, &list).await;
    let mut addresses: Vec<_> =
        made["data"].as_array().unwrap().iter().map(|row| row["email"].as_str().unwrap()).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["anna@example.org", "bao@example.org"]);
    let anna =
        made["data"].as_array().unwrap().iter().find(|row| row["email"] == "anna@example.org").unwrap();
    let revoke = format!("/v1/admin/invitations/{}/revoke", anna["id"].as_str().unwrap());
    app.post(&revoke).bearer(&owner.token).send().await.ok(200);
    // Invited again, with others, by many operators at once: the same invitation, good again, and no pool left over.
    let more = json!({ "emails": ["anna@example.org", "cui@example.org"] });
    let again = futures::future::join_all((0..6).map(|_| app.make(&owner, &path, &more))).await;
    for answer in &again {
        assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    }
    let all = app.get(&path).bearer(&owner.token).send().await.ok(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 3);
    let renewed = all["data"].as_array().unwrap().iter().find(|row| row["id"] == anna["id"]).unwrap();
    assert_eq!((&renewed["revoked_at"], &renewed["code"]), (&Value::Null, &anna["code"]));
    let orphans = "SELECT count(*) AS count FROM pools WHERE kind = 'invitation'";
    assert_eq!(count_sql(&mut *app.conn().await, orphans).await, 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_an_invitation_is_refused() {
    let app = TestApp::spawn().await;
    let owner = app.operator(Role::Owner).await;
    let open = app.drive_with(&owner, "open", json!({})).await;
    let friends = app.drive_with(&owner, "friends", json!({ "admission": "invitation" })).await;
    let post = |drive: &Value, body: Value| {
        let path = format!("/v1/admin/drives/{}/invitations", drive["id"].as_str().unwrap());
        app.post(&path).bearer(&owner.token).json(&body).send()
    };
    post(&open, json!({ "codes": 1 })).await.refused(409, "wrong_admission");
    for (body, field) in [
        (json!({}), "codes"),
        (json!({ "codes": 1, "emails": ["a@b.org"] }), "codes"),
        (json!({ "codes": 0 }), "codes"),
        (json!({ "codes": 1_001 }), "codes"),
        (json!({ "codes": 1, "uses": 0 }), "uses"),
        (json!({ "emails": ["a@b.org"], "uses": 2 }), "uses"),
        (json!({ "emails": [] }), "emails"),
        (json!({ "emails": ["nobody"] }), "emails[0]"),
        (json!({ "codes": 1, "expires_at": app.now() }), "expires_at"),
    ] {
        let problem = post(&friends, body.clone()).await.refused(422, "invalid_field").clone();
        assert_eq!(problem["errors"][0]["field"], field, "{body}");
    }
    app.advance(TimeDelta::days(1)).await;
    let owner = app.sign_in(&owner.email).await;
    let path = format!("/v1/admin/drives/{}/invitations", friends["id"].as_str().unwrap());
    let late = app.post(&path).bearer(&owner.token).json(&json!({ "codes": 1 })).send().await;
    late.refused(409, "closed");
    app.finish().await;
}

//! Signing in, staying signed in, signing out; access tokens good and bad.

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_is_listed_and_signs_out() {
    let app = TestApp::spawn().await;
    let person = app.member("zhang@example.org").await;
    let list = app.get("/v1/me/sessions").bearer(&person.token).send().await.ok(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!(list["data"][0]["current"], true);
    app.delete("/v1/me/sessions/current").bearer(&person.token).send().await.ok(204);
    app.get("/v1/me/sessions").bearer(&person.token).send().await.refused(401, "unauthenticated");
    app.finish().await;
}

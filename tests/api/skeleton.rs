//! The application as a whole: it starts, answers, runs jobs and ends.

use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_problem() {
    let app = TestApp::spawn().await;
    app.get("/v1/nothing").send().await.refused(404, "not_found");
    app.finish().await;
}

//! What operators see of the queue.

use kindred::jobs::{self, Job};
use kindred::people::operators::rules::Role;
use kindred::types::id::{DropId, JobId, MailId};

use crate::support::TestApp;
use crate::support::catalog::count_sql;

#[tokio::test(flavor = "multi_thread")]
async fn operators_list_filter_and_page_through_jobs() {
    let app = TestApp::spawn().await;
    let now = app.app.clock.now();
    let later = now + chrono::TimeDelta::days(300);
    let batch: Vec<_> = (0..5).map(|_| (Job::SendMail { mail: MailId::new() }, later)).collect();
    let ids = jobs::enqueue_all(&mut *app.conn().await, &batch, now).await.unwrap();
    let analyst = app.operator(Role::Analyst).await;
    let get = async |path: &str| app.get(path).bearer(&analyst.token).send().await;
    let path = "/v1/admin/jobs?kind=send_mail&lane=mail&state=queued&limit=3";
    let first = get(path).await.ok(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = get(&format!("{path}&cursor={cursor}")).await.ok(200);
    assert!(second["next_cursor"].is_null());
    let pages = [&first, &second];
    let seen = pages.iter().flat_map(|page| page["data"].as_array().unwrap());
    let seen: Vec<_> = seen.map(|job| job["id"].as_str().unwrap().to_owned()).collect();
    let newest_first: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!(seen, newest_first);

    let one = get(&format!("/v1/admin/jobs/{}", ids[0])).await.ok(200);
    assert_eq!((one["kind"].as_str(), one["attempts"].as_i64()), (Some("send_mail"), Some(0)));
    get(&format!("/v1/admin/jobs/{}", JobId::new())).await.refused(404, "not_found");
    get("/v1/admin/jobs/nonsense").await.refused(404, "not_found");
    for query in ["state=lost", "lane=fast"] {
        get(&format!("/v1/admin/jobs?{query}")).await.refused(422, "invalid_field");
    }
    get("/v1/admin/jobs?cursor=x").await.refused(400, "invalid_cursor");
    get("/v1/admin/jobs?limit=many").await.refused(400, "malformed_request");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_dead_job_is_put_back_and_only_by_who_manages_the_shop() {
    let app = TestApp::spawn().await;
    let now = app.app.clock.now();
    let job = Job::SendMail { mail: MailId::new() };
    let later = now + chrono::TimeDelta::days(300);
    let id = jobs::enqueue(&mut *app.conn().await, &job, later, now).await.unwrap();
    let path = format!("/v1/admin/jobs/{id}/retry");
    let support = app.operator(Role::Support).await;
    app.post(&path).bearer(&support.token).send().await.refused(403, "forbidden");
    let manager = app.operator(Role::Manager).await;
    app.post(&path).bearer(&manager.token).send().await.refused(409, "job_not_dead");
    let unknown = format!("/v1/admin/jobs/{}/retry", JobId::new());
    app.post(&unknown).bearer(&manager.token).send().await.refused(404, "not_found");
    app.finish().await;
}

/// Fifty units that come back at once don't ask for fifty looks at who waits; each is seen all the same.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_do_the_same_are_merged_into_one_that_runs_after_all_were_queued() {
    let app = TestApp::spawn().await;
    let now = app.app.clock.now();
    let batch: Vec<_> = (0..50).map(|_| (Job::OfferFreed {}, now)).collect();
    let mut conn = app.conn().await;
    jobs::enqueue_all(&mut conn, &batch, now).await.unwrap();
    app.drain().await;
    let count = async |conn: &mut _, what: &str| {
        count_sql(conn, &format!("SELECT {what} AS count FROM jobs WHERE kind = 'offer_freed'")).await
    };
    assert!(count(&mut conn, "count(*) FILTER (WHERE state = 'done')").await >= 50);
    // One of them, and what the schedule has queued meanwhile.
    let runs = count(&mut conn, "sum(attempts)").await;
    assert!((1..=3).contains(&runs), "{runs}");
    // Each drop's goal is concluded for itself, and what differs is merged with nothing.
    let drops = [DropId::new(), DropId::new()];
    let batch: Vec<_> = (0..6).map(|n| (Job::MovePromises { drop: drops[n % 2] }, now)).collect();
    jobs::enqueue_all(&mut conn, &batch, now).await.unwrap();
    app.drain().await;
    let ran = "SELECT sum(attempts) AS count FROM jobs WHERE kind = 'move_promises'";
    assert_eq!(count_sql(&mut conn, ran).await, 6);
    drop(conn);
    app.finish().await;
}

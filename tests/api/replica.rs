//! A streaming replica, on two real servers: what is read from it, what never is, and what happens when it is gone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel_async::SimpleAsyncConnection;
use kindred::db::private::{self, Cluster, Options};
use kindred::db::{self, Conn};
use serde_json::{Value, json};

use crate::private_postgres::{Folder, kill_hard};
use crate::reports::{figure, report};
use crate::support::TestApp;
use crate::support::catalog::text_sql;
use crate::support::database::TestDatabase;
use crate::support::mall::Mall;
use crate::support::shop::{DriveSeed, Shop};

/// A primary and its replica. The folders stop the servers.
struct Pair {
    primary: Cluster,
    replica: Cluster,
    replica_folder: Folder,
    _primary_folder: Folder,
}

impl Pair {
    async fn start() -> Self {
        let primary_folder = Folder::new("primary");
        // One that nobody will miss writes no log that could be streamed.
        let primary = private::open(&primary_folder.path, Options::default()).await.unwrap();
        let rules = primary.home().join("cluster/pg_hba.conf");
        let mut rules = OpenOptions::new().append(true).open(rules).unwrap();
        rules.write_all(b"local replication all peer map=kindred\n").unwrap();
        connect(&primary).await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let replica_folder = Folder::new("replica");
        copy(&primary, &replica_folder).await;
        let replica = private::open(&replica_folder.path, Options::default()).await.unwrap();
        Self { primary, replica, replica_folder, _primary_folder: primary_folder }
    }

    /// Until the replica has all that the primary has now.
    async fn catch_up(&self) {
        let sql = "SELECT pg_current_wal_lsn()::text AS text";
        let position = text_sql(&mut connect(&self.primary).await, sql).await;
        let sql = format!("SELECT (pg_last_wal_replay_lsn() >= '{position}')::text AS text");
        let mut conn = connect(&self.replica).await;
        until(async || text_sql(&mut conn, &sql).await == "true").await;
    }

    async fn pause(&self) {
        let mut conn = connect(&self.replica).await;
        conn.batch_execute("SELECT pg_wal_replay_pause()").await.unwrap();
        let sql = "SELECT pg_get_wal_replay_pause_state() AS text";
        until(async || text_sql(&mut conn, sql).await == "paused").await;
    }

    async fn resume(&self) {
        connect(&self.replica).await.batch_execute("SELECT pg_wal_replay_resume()").await.unwrap();
    }
}

async fn connect(cluster: &Cluster) -> Conn {
    db::establish(&cluster.url()).await.unwrap()
}

/// The primary's files where a cluster of that folder lies, so that the folder is opened like any other.
async fn copy(primary: &Cluster, folder: &Folder) {
    let owner = fs::metadata(primary.home()).unwrap();
    fs::create_dir(&folder.path).unwrap();
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o711)).unwrap();
    let home = folder.path.join("postgres");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    chown(&home, Some(owner.uid()), Some(owner.gid())).unwrap();
    let mut command = Command::new(primary.bin("pg_basebackup"));
    command.args(["--username=kindred", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
    command.arg("--host").arg(primary.home()).arg("--pgdata").arg(home.join("cluster"));
    command.current_dir("/").uid(owner.uid()).gid(owner.gid());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn until(mut look: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !look().await {
        assert!(Instant::now() < deadline, "it never came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn standing(app: &TestApp) -> Value {
    app.get("/readyz").send().await.ok(200)["replica"].clone()
}

async fn is_told(app: &TestApp, line: &str) -> bool {
    app.get("/metrics").send().await.text.contains(line)
}

/// Orders of the one drive, as the report tells.
async fn ordered(mall: &Mall) -> i64 {
    figure(&report(mall, "drives").await["data"][0], "orders")
}

async fn slugs(app: &TestApp, token: Option<&str>) -> Vec<String> {
    let request = app.get("/v1/products");
    let request = match token {
        Some(token) => request.bearer(token),
        None => request,
    };
    let list = request.send().await.ok(200);
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|product| product["slug"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_old_is_read_from_the_replica_and_nothing_else() {
    let pair = Pair::start().await;
    let database = Arc::new(TestDatabase::at(pair.primary.url()));
    let replica = pair.replica.url();
    let mall = Mall::furnish(Shop::open_on(database, &[("DATABASE_URL_REPLICA", &replica)]).await).await;
    let (shop, app) = (&mall.shop, &mall.shop.app);
    until(async || standing(app).await == "used").await;
    assert!(is_told(app, "kindred_replica_used 1").await);
    let sale = shop.drive(DriveSeed::default()).await;
    shop.join("anna@b.test", sale).await;
    mall.goods("OLD-TEA", 68, 0).await;
    pair.catch_up().await;
    assert_eq!((ordered(&mall).await, slugs(app, None).await), (1, vec!["old-tea".to_owned()]));

    pair.pause().await;
    let (bao, order) = shop.join("bao@b.test", sale).await;
    mall.goods("NEW-TEA", 68, 0).await;
    // Reports, and the list for who isn't signed in, are as old as the replica.
    assert_eq!((ordered(&mall).await, slugs(app, None).await), (1, vec!["old-tea".to_owned()]));
    // Who is signed in sees what he did, and everybody the catalog as it is now.
    assert_eq!(shop.show(&bao, &order).await["state"], "fulfilled");
    assert!(shop.membership(&bao).await.is_some());
    assert_eq!(slugs(app, Some(&bao.token)).await, ["new-tea", "old-tea"]);
    let tier = json!({ "code": "newest", "names": { "zh-CN": "新", "en": "New" }, "rank": 30 });
    app.make(&mall.owner, "/v1/admin/tiers", &tier).await;
    let tiers = app.get("/v1/tiers").send().await.ok(200);
    assert!(tiers["data"].as_array().unwrap().iter().any(|tier| tier["code"] == "newest"), "{tiers}");
    assert_eq!(standing(app).await, "used");
    pair.resume().await;
    pair.catch_up().await;
    assert_eq!(ordered(&mall).await, 2);

    // Killed: the very next reads are answered by the primary.
    pair.pause().await;
    shop.join("chen@b.test", sale).await;
    kill_hard(&pair.replica_folder.pid().unwrap());
    let begun = Instant::now();
    assert_eq!((ordered(&mall).await, slugs(app, None).await.len()), (3, 2));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    until(async || standing(app).await == "away").await;
    assert!(is_told(app, "kindred_replica_used 0").await);

    // Back: it is found by itself.
    let back = private::open(&pair.replica_folder.path, Options::default()).await.unwrap();
    until(async || standing(app).await == "used").await;
    assert_eq!(ordered(&mall).await, 3);
    drop(back);
    mall.finish().await;
}

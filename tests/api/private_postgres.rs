//! The private PostgreSQL, on real servers: start, attach, every kind of kill, and the refusals.
//!
//! Waiting here is for real processes, so these tests poll with a deadline; the shop's own tests never do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use kindred::db::private::{self, BackupError, Cluster, DataFolderLock, Onto, Options, PrivateError};
use tokio_postgres::{Client, NoTls};

/// A data folder that leaves nothing behind: no server, no folder, also where the test fails.
pub struct Folder {
    pub path: PathBuf,
    parent: PathBuf,
}

impl Folder {
    pub fn new(name: &str) -> Self {
        Self::within(&std::env::temp_dir(), name)
    }

    fn within(folder: &Path, name: &str) -> Self {
        let parent = folder.join(format!("kindred-test-{}", uuid::Uuid::now_v7()));
        fs::create_dir(&parent).unwrap();
        // Like a clone in somebody's folder that others may enter; the data folder itself is made by `open`.
        fs::set_permissions(&parent, fs::Permissions::from_mode(0o755)).unwrap();
        Self { path: parent.join(name), parent }
    }

    pub fn home(&self) -> PathBuf {
        match fs::read_to_string(self.path.join("postgres.location")) {
            Ok(note) => PathBuf::from(note.lines().next().unwrap()),
            Err(_) => self.path.join("postgres"),
        }
    }

    pub fn pid(&self) -> Option<String> {
        let file = fs::read_to_string(self.home().join("cluster/postmaster.pid")).ok()?;
        Some(file.lines().next()?.trim().to_owned())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let mut elsewhere = vec![self.home()];
        if let Some(pid) = self.pid() {
            let pid_file = fs::read_to_string(self.home().join("cluster/postmaster.pid")).unwrap_or_default();
            elsewhere.extend(pid_file.lines().nth(4).map(PathBuf::from));
            // Immediate shutdown: nobody will miss the data.
            signal("QUIT", &pid);
            wait_until(|| self.pid().is_none() || !Path::new("/proc").join(&pid).exists());
        }
        for folder in elsewhere.iter().filter(|folder| folder.to_string_lossy().contains("kindred")) {
            let _ = fs::remove_dir_all(folder);
        }
        let _ = fs::remove_dir_all(&self.parent);
    }
}

fn wait_until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn open(folder: &Folder) -> Cluster {
    private::open(&folder.path, Options::throw_away()).await.unwrap()
}

async fn connect(url: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn text(cluster: &Cluster, query: &str) -> String {
    connect(&cluster.url()).await.unwrap().query_one(query, &[]).await.unwrap().get(0)
}

/// By the shell, since not every system has a program of that name.
fn signal(name: &str, pid: &str) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", "kill -$0 $1", name, pid]).stderr(Stdio::null()).status().unwrap().success()
}

pub fn kill_hard(pid: &str) {
    assert!(signal("KILL", pid));
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[tokio::test]
async fn it_is_made_once_attached_to_and_stopped_by_the_last_user() {
    let folder = Folder::new("data");
    let first = open(&folder).await;
    assert!(first.started_here());
    assert_eq!(fs::metadata(first.home()).unwrap().mode() & 0o777, 0o700);
    if is_root() {
        assert_ne!(fs::metadata(first.home()).unwrap().uid(), 0, "the server runs as an ordinary user");
    }
    let settings = "SELECT concat_ws(' ', current_setting('server_encoding'), datcollate, datctype,
        current_setting('data_checksums'), current_setting('listen_addresses') || '.', current_database(), current_user)
        FROM pg_database WHERE datname = current_database()";
    assert_eq!(text(&first, settings).await, "UTF8 C.UTF-8 C.UTF-8 on . kindred kindred");
    let client = connect(&first.url()).await.unwrap();
    client.batch_execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('同好')").await.unwrap();

    let second = open(&folder).await;
    assert!(!second.started_here());
    first.stop().await;
    assert_eq!(text(&second, "SELECT word FROM kept").await, "同好", "another one uses it");
    second.stop().await;
    assert!(folder.pid().is_none(), "the last one stops it");
    assert!(connect(&second.url()).await.is_err());

    let third = open(&folder).await;
    assert!(third.started_here());
    assert_eq!(text(&third, "SELECT word FROM kept").await, "同好");
    third.stop().await;
}

#[tokio::test]
async fn many_that_open_at_once_share_one_server() {
    let folder = Folder::new("with space, comma and 'quote'");
    let opened = futures::future::join_all((0..6).map(|_| open(&folder))).await;
    assert_eq!(opened.iter().filter(|cluster| cluster.started_here()).count(), 1);
    for cluster in &opened {
        assert_eq!(text(cluster, "SELECT 'here'").await, "here");
    }
    futures::future::join_all(opened.iter().map(Cluster::stop)).await;
    assert!(folder.pid().is_none());
}

#[tokio::test]
async fn a_killed_server_is_recovered_by_the_next_open() {
    let folder = Folder::new("data");
    let cluster = open(&folder).await;
    let client = connect(&cluster.url()).await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 'kept' AS word").await.unwrap();
    let pid = folder.pid().unwrap();
    kill_hard(&pid);
    let again = open(&folder).await;
    assert!(again.started_here());
    assert_ne!(folder.pid().unwrap(), pid);
    assert_eq!(text(&again, "SELECT word FROM kept").await, "kept");
}

#[tokio::test]
async fn a_supervised_server_comes_back_and_loses_no_committed_row() {
    let folder = Folder::new("data");
    // Made without waiting for the disk; run as a shop's is.
    open(&folder).await.stop().await;
    let cluster = private::open(&folder.path, Options::default()).await.unwrap();
    let attached = private::open(&folder.path, Options::default()).await.unwrap();
    // The one watches its child, the other somebody else's process; both start it again, once.
    let _guards = (cluster.supervise(), attached.supervise());
    let client = connect(&cluster.url()).await.unwrap();
    client.batch_execute("CREATE TABLE rows (writer int8, n int8)").await.unwrap();

    let done = Arc::new(AtomicBool::new(false));
    let (acknowledged, mut writers) = (Arc::new(AtomicI64::new(0)), Vec::new());
    for writer in 0..4_i64 {
        let (done, url, acknowledged) = (Arc::clone(&done), cluster.url(), Arc::clone(&acknowledged));
        writers.push(tokio::spawn(async move {
            let mut last = 0_i64;
            while !done.load(Ordering::Acquire) {
                let Ok(client) = connect(&url).await else {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                };
                while !done.load(Ordering::Acquire)
                    && client
                        .execute("INSERT INTO rows VALUES ($1, $2)", &[&writer, &(last + 1)])
                        .await
                        .is_ok()
                {
                    last += 1;
                    acknowledged.fetch_add(1, Ordering::AcqRel);
                }
            }
            last
        }));
    }
    for _ in 0..2 {
        let pid = folder.pid().unwrap();
        kill_hard(&pid);
        let before = acknowledged.load(Ordering::Acquire);
        let begun = Instant::now();
        while folder.pid().is_none_or(|now| now == pid) || acknowledged.load(Ordering::Acquire) < before + 30
        {
            assert!(begun.elapsed() < Duration::from_secs(60), "it didn't come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    done.store(true, Ordering::Release);
    let client = connect(&cluster.url()).await.unwrap();
    for (writer, task) in (0_i64..).zip(writers) {
        let last = task.await.unwrap();
        let query = "SELECT count(DISTINCT n) FROM rows WHERE writer = $1 AND n <= $2";
        let kept: i64 = client.query_one(query, &[&writer, &last]).await.unwrap().get(0);
        assert_eq!(kept, last, "writer {writer}");
    }
    drop(client);
    attached.stop().await;
    cluster.stop().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(folder.pid().is_none(), "a supervisor doesn't undo a stop");
}

/// Not a test of its own: the program that the next test kills.
#[tokio::test]
#[ignore = "run by a_server_outlives_its_killed_program"]
async fn program_to_be_killed() {
    let Some(folder) = std::env::var_os("KINDRED_TEST_FOLDER") else { return };
    let cluster = private::open(Path::new(&folder), Options::throw_away()).await.unwrap();
    fs::write(Path::new(&folder).join("opened"), cluster.url()).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_server_outlives_its_killed_program() {
    let folder = Folder::new("data");
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "private_postgres::program_to_be_killed", "--ignored"]);
    let mut program = program.env("KINDRED_TEST_FOLDER", &folder.path).stdout(Stdio::null()).spawn().unwrap();
    wait_until(|| folder.path.join("opened").exists());
    program.kill().unwrap();
    program.wait().unwrap();
    let pid = folder.pid();
    assert!(pid.is_some());

    let cluster = open(&folder).await;
    assert!(!cluster.started_here());
    assert_eq!(folder.pid(), pid);
    assert_eq!(text(&cluster, "SELECT 'alive'").await, "alive");
    cluster.stop().await;
    assert!(folder.pid().is_none(), "whoever started it is dead, so the last user stops it");
}

#[tokio::test]
async fn a_pid_file_that_names_another_program_is_no_obstacle() {
    let folder = Folder::new("data");
    let cluster = open(&folder).await;
    cluster.stop().await;
    // As after a reboot: a program of the same user has the dead server's number.
    let mut other = Command::new("sleep").arg("60").current_dir("/").spawn().unwrap();
    let pid_file = folder.home().join("cluster/postmaster.pid");
    fs::write(&pid_file, format!("{}\n{}\n1\n5432\n", other.id(), folder.home().display())).unwrap();
    let opened = private::open(&folder.path, Options::throw_away()).await;
    other.kill().unwrap();
    other.wait().unwrap();
    opened.unwrap().stop().await;
}

#[tokio::test]
async fn where_the_servers_user_cannot_enter_it_lies_elsewhere() {
    if !is_root() {
        println!("skipped: only root runs the server as another user");
        return;
    }
    let folder = Folder::within(Path::new("/root"), "data");
    let before = fs::metadata("/root").unwrap().mode();
    let cluster = open(&folder).await;
    assert!(cluster.home().starts_with("/var/lib/kindred"), "{}", cluster.home().display());
    assert!(fs::read_to_string(folder.path.join("postgres.location")).unwrap().contains("/var/lib/kindred"));
    assert_eq!(fs::metadata("/root").unwrap().mode(), before, "folders that aren't ours stay as they are");
    let client = connect(&cluster.url()).await.unwrap();
    client.batch_execute("CREATE TABLE kept AS SELECT 'kept' AS word").await.unwrap();
    cluster.stop().await;
    let again = open(&folder).await;
    assert_eq!(text(&again, "SELECT word FROM kept").await, "kept");
    again.stop().await;

    fs::rename(again.home(), folder.parent.join("moved")).unwrap();
    let refused = private::open(&folder.path, Options::throw_away()).await.unwrap_err();
    assert!(
        matches!(refused, PrivateError::LocationGone { .. }),
        "an empty shop isn't made silently: {refused}"
    );
}

#[tokio::test]
async fn root_follows_no_link_that_the_servers_user_has_laid() {
    if !is_root() {
        println!("skipped: only root runs the server as another user");
        return;
    }
    let folder = Folder::new("data");
    open(&folder).await.stop().await;
    let secret = folder.parent.join("secret");
    for trap in ["start.log", "cluster/kindred.conf", "cluster/pg_hba.conf"] {
        fs::write(&secret, "root's").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let trap = folder.home().join(trap);
        fs::remove_file(&trap).unwrap();
        std::os::unix::fs::symlink(&secret, &trap).unwrap();
        private::open(&folder.path, Options::throw_away()).await.unwrap_err();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "root's");
        assert_eq!(fs::metadata(&secret).unwrap().uid(), 0);
        fs::remove_file(&trap).unwrap();
    }
    open(&folder).await.stop().await;
}

#[tokio::test]
async fn a_long_path_gets_a_short_socket() {
    let folder = Folder::new(&"long".repeat(30));
    let cluster = open(&folder).await;
    assert!(cluster.home().starts_with(&folder.path));
    let socket_dir = cluster.url().split(['@', '/']).nth(3).unwrap().replace("%2F", "/").replace("%2D", "-");
    assert_eq!(fs::metadata(&socket_dir).unwrap().mode() & 0o777, 0o700);
    assert_eq!(text(&cluster, "SELECT 'here'").await, "here");
    cluster.stop().await;
    assert!(!Path::new(&socket_dir).exists());
}

#[tokio::test]
async fn another_major_version_and_an_interrupted_first_start() {
    let folder = Folder::new("data");
    let cluster = open(&folder).await;
    cluster.stop().await;
    let version = folder.home().join("cluster/PG_VERSION");
    let made_by = fs::read(&version).unwrap();
    fs::write(&version, "9\n").unwrap();
    let refused = private::open(&folder.path, Options::throw_away()).await.unwrap_err();
    assert!(matches!(&refused, PrivateError::OtherMajor { made, .. } if made == "9"), "{refused}");
    fs::write(&version, made_by).unwrap();

    // As if the very first initdb had been killed: the rest of it is in the way of the next one.
    fs::rename(folder.home().join("cluster"), folder.home().join("cluster.making")).unwrap();
    let cluster = open(&folder).await;
    assert_eq!(text(&cluster, "SELECT 'whole'").await, "whole");
    cluster.stop().await;
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() {
    let folder = Folder::new("data");
    open(&folder).await.stop().await;
    fs::write(folder.home().join("cluster/local.conf"), "shared_buffers = 'much'\n").unwrap();
    let refused = private::open(&folder.path, Options::throw_away()).await.unwrap_err().to_string();
    assert!(refused.contains("doesn't start") && refused.contains("shared_buffers"), "{refused}");
}

#[tokio::test]
async fn missing_programs_are_one_clear_error() {
    let folder = Folder::new("data");
    let options = Options { bin: Some(PathBuf::from("/nowhere")), ..Options::throw_away() };
    let refused = private::open(&folder.path, options).await.unwrap_err();
    assert!(matches!(refused, PrivateError::ProgramsMissing), "{refused}");
}

#[tokio::test]
async fn a_data_folder_has_one_user() {
    let folder = Folder::new("data");
    let lock = DataFolderLock::take(&folder.path).unwrap();
    let refused = DataFolderLock::take(&folder.path).unwrap_err().to_string();
    let holder = format!("another kindred (process {}) already runs", std::process::id());
    assert!(refused.starts_with(&holder), "{refused}");
    drop(lock);
    DataFolderLock::take(&folder.path).unwrap();
}

#[tokio::test]
async fn a_backup_is_restored_whole_or_not_at_all() {
    let folder = Folder::new("data");
    let cluster = open(&folder).await;
    let client = connect(&cluster.url()).await.unwrap();
    let filled = "CREATE EXTENSION pg_trgm; CREATE TYPE mood AS ENUM ('glad'); CREATE DOMAIN word AS text;
        CREATE TABLE kept (id int PRIMARY KEY, mood mood, word word);
        INSERT INTO kept SELECT n, 'glad', '同好' || n FROM generate_series(1, 20000) n;
        CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE DATABASE other";
    for statement in filled.split(';') {
        client.batch_execute(statement).await.unwrap();
    }
    let file = folder.parent.join("shop.backup");
    private::backup(&cluster.url(), &file).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder.parent).unwrap().count(), 2, "no partial file is left");

    let other = cluster.url_for("other");
    private::restore(&other, &file, Onto::Empty).await.unwrap();
    let restored = connect(&other).await.unwrap();
    let sum = "SELECT sum(id)::int8 + one() FROM kept WHERE word = '同好' || id";
    let count = async |client: &Client| -> i64 { client.query_one(sum, &[]).await.unwrap().get(0) };
    assert_eq!(count(&restored).await, 200_010_001);

    let refused = private::restore(&other, &file, Onto::Empty).await.unwrap_err();
    assert!(matches!(refused, BackupError::NotEmpty), "{refused}");
    restored
        .batch_execute("CREATE TABLE newer (kept int REFERENCES kept); DELETE FROM kept WHERE id > 5")
        .await
        .ok();
    private::restore(&other, &file, Onto::Replace).await.unwrap();
    assert_eq!(count(&restored).await, 200_010_001);
    assert!(restored.execute("SELECT FROM newer", &[]).await.is_err());

    // A file that breaks off changes nothing, however far it is read.
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() * 3 / 4]).unwrap();
    let refused = private::restore(&other, &file, Onto::Replace).await.unwrap_err();
    assert!(matches!(refused, BackupError::ProgramFailed { program: "pg_restore", .. }), "{refused}");
    assert_eq!(count(&restored).await, 200_010_001);
    let refused = private::backup(&cluster.url_for("missing"), &file).await.unwrap_err().to_string();
    assert!(refused.contains("\"missing\" does not exist"), "{refused}");
    assert_eq!(fs::read(&file).unwrap().len(), whole.len() * 3 / 4, "an older backup stays");
}

//! Makes the cluster, starts its server, waits for it and stops it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::error::{PrivateError, io_error};
use super::place::Place;
use super::programs::Programs;
use super::settings;

/// The one role and the one database of the shop.
pub(super) const ROLE: &str = "kindred";

/// A server that is alive but still recovers gets this long: after a crash it replays up to `max_wal_size`.
const RECOVERY: Duration = Duration::from_secs(900);

/// How often a server that ends at once is started again before that is an error.
const ATTEMPTS: u32 = 3;

/// A server that is our child. A thread of its own waits for its end, so that it never stays as a zombie, whose number
/// PostgreSQL would take for a living server's.
#[derive(Clone, Debug)]
pub(super) struct Child {
    ended: Arc<OnceLock<Option<ExitStatus>>>,
}

impl Child {
    /// Whether it has not ended yet.
    pub fn lives(&self) -> bool {
        self.ended.get().is_none()
    }
}

/// What a look at the server says.
pub(super) enum Probe {
    /// It takes connections.
    Ready(Client),
    /// It is alive, but is starting, recovering, ending or too busy to answer.
    Busy(String),
    /// Nobody listens.
    Down,
    /// It runs and refuses us.
    Refused(String),
}

/// Connects to a database of the server at the socket.
pub(super) async fn probe(place: &Place, database: &str) -> Probe {
    let mut config = Config::new();
    config.host_path(socket_dir(place)).user(ROLE).dbname(database).connect_timeout(Duration::from_secs(5));
    match timeout(Duration::from_secs(5), config.connect(NoTls)).await {
        Ok(Ok((client, connection))) => {
            tokio::spawn(connection);
            Probe::Ready(client)
        }
        Ok(Err(error)) => match error.as_db_error() {
            Some(db)
                if [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS].contains(db.code()) =>
            {
                Probe::Busy(db.message().to_owned())
            }
            Some(db) => Probe::Refused(db.message().to_owned()),
            // Refused or no such socket: nobody is there. A connection that breaks off: it is about to end.
            None => Probe::Down,
        },
        Err(_) => Probe::Busy("it doesn't answer".to_owned()),
    }
}

/// The socket's folder of the server that runs, which may have been started by another user or with another rule; the
/// fifth line of its pid file tells.
pub(super) fn socket_dir(place: &Place) -> std::path::PathBuf {
    let pid_file = fs::read_to_string(place.cluster().join("postmaster.pid")).unwrap_or_default();
    match pid_file.lines().nth(4) {
        Some(folder) if folder.starts_with('/') => folder.into(),
        _ => place.socket_dir.clone(),
    }
}

/// Makes the cluster beside its place and moves it there when it is whole, so that an interrupted first start leaves
/// nothing half done.
pub(super) async fn make_cluster(
    place: &Place,
    programs: &Programs,
    durable: bool,
) -> Result<(), PrivateError> {
    let making = place.home.join("cluster.making");
    place.shell("rm -rf -- \"$0\"", &[&making], "")?;
    let mut refusal = String::new();
    // Systems without C.UTF-8 have the other one.
    for locale in ["C.UTF-8", "en_US.UTF-8"] {
        let mut initdb = place.command(&programs.path("initdb"));
        initdb.arg(format!("--username={ROLE}")).args([
            "--encoding=UTF8",
            "--data-checksums",
            "--no-instructions",
        ]);
        initdb.arg(format!("--locale={locale}")).args(["--auth-local=peer", "--auth-host=reject"]);
        if !durable {
            initdb.arg("--no-sync");
        }
        initdb.arg("-D").arg(&making);
        match run("initdb", initdb).await {
            Ok(()) => {
                let conf = making.join("postgresql.conf");
                place.shell("cat >>\"$0\"", &[&conf], "\ninclude 'kindred.conf'\n")?;
                let cluster = place.cluster();
                return fs::rename(&making, &cluster).map_err(io_error("cannot make", &cluster));
            }
            Err(PrivateError::ProgramFailed { output, .. }) if output.contains("locale") => refusal = output,
            Err(error) => return Err(error),
        }
    }
    Err(PrivateError::ProgramFailed { program: "initdb", output: refusal })
}

/// Runs a program to its end; what it printed is the error.
pub(super) async fn run(program: &'static str, command: Command) -> Result<(), PrivateError> {
    let path = command.get_program().to_owned();
    let output = tokio::process::Command::from(command).output().await;
    let output = output.map_err(io_error("cannot run", Path::new(&path)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let output = settings::last_lines(&String::from_utf8_lossy(&text), 15);
    Err(PrivateError::ProgramFailed { program, output })
}

/// Attaches to the running server, or starts it; either way it takes connections afterwards. The child is there if it
/// was started here. The caller holds the lock of the data folder's database.
pub(super) async fn ensure(
    place: &Place,
    programs: &Programs,
    durable: bool,
    wait: Duration,
) -> Result<Option<Child>, PrivateError> {
    let failed = |reason: String| PrivateError::StartFailed {
        path: place.home.clone(),
        reason,
        log: settings::log_tail(place),
    };
    let (begun, mut child, mut failures) = (Instant::now(), None::<Child>, 0);
    loop {
        let patience = match probe(place, "postgres").await {
            Probe::Ready(_) => return Ok(child),
            Probe::Busy(_) => RECOVERY.max(wait),
            Probe::Refused(cause) => return Err(PrivateError::Refused { path: place.home.clone(), cause }),
            Probe::Down => wait,
        };
        if let Some(status) = child.as_ref().and_then(|child| child.ended.get().copied()) {
            child = None;
            // A killed server's children hold its shared memory, or a stopping one its pid file, for moments more.
            let log = settings::log_tail(place);
            if !log.contains("is still in use") && !log.contains("\"postmaster.pid\" already exists") {
                failures += 1;
            }
            if failures >= ATTEMPTS {
                let status =
                    status.map_or_else(|| "an unknown status".to_owned(), |status| status.to_string());
                return Err(failed(format!("it ended with {status}")));
            }
            sleep(Duration::from_millis(300)).await;
        }
        if begun.elapsed() > patience {
            return Err(failed(format!("it was not ready after {} s", begun.elapsed().as_secs())));
        }
        if child.is_none() && patience == wait {
            remove_foreign_pid_file(place);
            settings::write(place, durable)?;
            child = Some(spawn(place, programs)?);
        }
        sleep(Duration::from_millis(40)).await;
    }
}

/// Starts the server in a process group of its own, so that Ctrl-C in our terminal doesn't reach it and it outlives us.
fn spawn(place: &Place, programs: &Programs) -> Result<Child, PrivateError> {
    // The shell opens the log as the server's user, and becomes the server.
    let mut command = place.command(Path::new("/bin/sh"));
    command.args(["-c", "exec \"$0\" -D \"$1\" >\"$2\" 2>&1"]).arg(programs.path("postgres"));
    command.arg(place.cluster()).arg(place.home.join("start.log")).process_group(0);
    let mut process = command.spawn().map_err(io_error("cannot run", &programs.path("postgres")))?;
    let ended = Arc::new(OnceLock::new());
    let child = Child { ended: Arc::clone(&ended) };
    std::thread::spawn(move || ended.set(process.wait().ok()));
    Ok(child)
}

/// After a reboot (or in a container) the pid in a dead server's file may be some other program's, and PostgreSQL
/// would refuse to start because of it. A server works in its cluster's folder, so one that works elsewhere isn't it.
/// Only Linux tells; elsewhere PostgreSQL's own message remains.
fn remove_foreign_pid_file(place: &Place) {
    let file = place.cluster().join("postmaster.pid");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else { return };
    let Ok(works_in) = fs::read_link(format!("/proc/{pid}/cwd")) else { return };
    if Ok(works_in) != place.cluster().canonicalize().map_err(|_| ()) {
        tracing::info!(pid, "the database's pid file names another program: removed");
        let _ = fs::remove_file(&file);
    }
}

/// Makes the shop's database where it isn't there.
pub(super) async fn make_database(place: &Place) -> Result<(), PrivateError> {
    let refused = |cause: String| PrivateError::Refused { path: place.home.clone(), cause };
    match probe(place, "postgres").await {
        Probe::Ready(client) => {
            let there = client.query("SELECT 1 FROM pg_database WHERE datname = $1", &[&ROLE]).await;
            if there.map_err(|error| refused(error.to_string()))?.is_empty() {
                let made = client.batch_execute(&format!("CREATE DATABASE {ROLE}")).await;
                made.map_err(|error| refused(error.to_string()))?;
            }
            Ok(())
        }
        Probe::Busy(cause) | Probe::Refused(cause) => Err(refused(cause)),
        Probe::Down => Err(refused("it has just ended".to_owned())),
    }
}

/// Asks the server to end: open transactions are rolled back, everything is written down.
pub(super) async fn shut_down(place: &Place, programs: &Programs) -> Result<(), PrivateError> {
    let mut command = place.command(&programs.path("pg_ctl"));
    command.args(["stop", "-m", "fast", "-w", "-t", "60", "-D"]).arg(place.cluster());
    let stopped = run("pg_ctl", command).await;
    if stopped.is_err() && matches!(probe(place, "postgres").await, Probe::Down) {
        return Ok(());
    }
    stopped.map(|()| {
        if place.socket_dir != place.home {
            let _ = fs::remove_dir(&place.socket_dir);
        }
    })
}

/// Whether somebody listens at the socket, without a connection of the database's own.
pub(super) async fn listens(place: &Place) -> bool {
    let socket = socket_dir(place).join(".s.PGSQL.5432");
    matches!(
        timeout(Duration::from_secs(5), tokio::net::UnixStream::connect(socket)).await,
        Ok(Ok(_)) | Err(_)
    )
}

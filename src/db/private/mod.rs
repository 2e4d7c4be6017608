//! The private PostgreSQL: a server of our own, made of the machine's installed programs.
//!
//! With no `DATABASE_URL` the program runs its database itself. [`open`] makes the cluster on first start, attaches to
//! its server where it runs, and else starts it (which recovers it after a crash). The server listens on a Unix socket
//! only and admits root, the server's user and whoever started it, by the system's word for who they are (peer).
//!
//! The server is in a process group of its own and outlives us: after `kill -9` of the program the next one attaches,
//! after `kill -9` of the server [`Cluster::supervise`] or the next [`open`] recovers it. PostgreSQL refuses to run as
//! root, so root runs it as the user postgres (or another one of the system).
//!
//! What lies where:
//!
//! ```text
//! DATA/kindred.lock        held by serve and demo
//! DATA/postgres.lock       held while the server is made, started or stopped
//! DATA/postgres.users      held (shared) by every process that uses the server: the last one stops it
//! DATA/postgres.location   only where the cluster lies elsewhere: its home's path
//! HOME = DATA/postgres, or /var/lib/kindred/<hash of DATA> where the server's user can't enter DATA
//! HOME/cluster             PostgreSQL's data directory, with kindred.conf and (an operator's own) local.conf
//! HOME/start.log, HOME/log what the server says: at most some 60 MB
//! HOME/.s.PGSQL.5432       the socket (in /tmp/kindred-<uid>-<hash> where this path would be too long)
//! ```

mod backup;
mod error;
mod place;
mod programs;
mod server;
mod settings;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use backup::{BackupError, Onto, backup, restore};
pub use error::PrivateError;
pub use place::DataFolderLock;

use place::{Lock, Place};
use programs::Programs;
use server::Child;

/// How the private server runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether a commit survives a crash of the machine (a crash of the server it always survives). Tests and rehearsals
    /// don't need it and are faster without. It counts at the start of the server, not on attaching.
    pub durable: bool,
    /// How long to wait for a server that starts or ends, and for our turn.
    pub wait: Duration,
    /// The folder of the programs, where not the machine's newest are wanted.
    pub bin: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true, wait: Duration::from_secs(120), bin: None }
    }
}

impl Options {
    /// For data that nobody will miss.
    pub fn throw_away() -> Self {
        Self { durable: false, ..Self::default() }
    }
}

/// A private PostgreSQL that runs. Clones are the same one. Dropping it leaves the server running: see
/// [`Cluster::stop`].
#[derive(Clone, Debug)]
pub struct Cluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    place: Place,
    programs: Programs,
    options: Options,
    started_here: bool,
    /// The server's process, if it is our child.
    child: Mutex<Option<Child>>,
    /// The shared lock that says that this process uses the server.
    in_use: Mutex<Option<Lock>>,
    stopping: AtomicBool,
}

/// Opens the private PostgreSQL of a data folder: makes the folder and the cluster where they aren't there, attaches to
/// the server where it runs, else starts it. Safe to be called by several processes at once.
///
/// # Errors
/// See [`PrivateError`]; each says in one message what to do.
pub async fn open(data_dir: &Path, options: Options) -> Result<Cluster, PrivateError> {
    let data_dir = place::make_data_folder(data_dir)?;
    let turn = Lock::turn(&data_dir, Instant::now() + options.wait).await?;
    let found = match &options.bin {
        Some(bin) => programs::search(programs::SERVER, bin.as_os_str(), &[]),
        None => programs::installed(programs::SERVER),
    };
    let place = Place::settle(&data_dir, &found)?;
    let made_by = place.made_by();
    let programs = programs::for_cluster(made_by.as_deref(), &place.cluster(), found)?;
    place.make_folders()?;
    if made_by.is_none() {
        server::make_cluster(&place, &programs, options.durable).await?;
    }
    let in_use = Lock::share(&data_dir.join("postgres.users"))?;
    settings::prune_logs(&place);
    let child = server::ensure(&place, &programs, options.durable, options.wait).await?;
    server::make_database(&place).await?;
    drop(turn);
    let inner = Inner {
        place,
        programs,
        options,
        started_here: child.is_some(),
        child: Mutex::new(child),
        in_use: Mutex::new(Some(in_use)),
        stopping: AtomicBool::new(false),
    };
    Ok(Cluster { inner: Arc::new(inner) })
}

impl Cluster {
    /// The URL of the shop's database.
    pub fn url(&self) -> String {
        self.url_for(server::ROLE)
    }

    /// The URL of any database of this server. Neither URL holds a secret.
    pub fn url_for(&self, database: &str) -> String {
        let folder = server::socket_dir(&self.inner.place);
        let host = percent_encode(folder.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        let database = percent_encode(database.as_bytes(), NON_ALPHANUMERIC);
        format!("postgres://{}@{host}/{database}", server::ROLE)
    }

    /// Whether [`open`] started the server (else it ran already).
    pub fn started_here(&self) -> bool {
        self.inner.started_here
    }

    /// The path of one of PostgreSQL's programs of the server's version.
    pub fn bin(&self, program: &str) -> PathBuf {
        self.inner.programs.path(program)
    }

    /// The folder that holds the cluster and its logs.
    pub fn home(&self) -> &Path {
        &self.inner.place.home
    }

    /// Ends our use of the server. The last process that used it stops it: whoever started it may have been killed,
    /// and a short command may have started it for a shop that came later.
    pub async fn stop(&self) {
        if let Err(error) = self.try_stop().await {
            tracing::warn!(%error, "the private PostgreSQL was not stopped");
        }
    }

    async fn try_stop(&self) -> Result<(), PrivateError> {
        let inner = &*self.inner;
        inner.stopping.store(true, Ordering::Release);
        let _turn = Lock::turn(&inner.place.data_dir, Instant::now() + inner.options.wait).await?;
        let Some(in_use) = take(&inner.in_use) else { return Ok(()) };
        drop(in_use);
        match Lock::attempt(&inner.place.data_dir.join("postgres.users"))? {
            Some(_alone) => server::shut_down(&inner.place, &inner.programs).await,
            None => Ok(()),
        }
    }

    /// Starts the server again whenever it ends, as long as the guard lives and [`Cluster::stop`] wasn't called.
    pub fn supervise(&self) -> Supervisor {
        Supervisor(tokio::spawn(watch(Arc::clone(&self.inner))))
    }
}

/// Keeps the server running until it is dropped. See [`Cluster::supervise`].
#[derive(Debug)]
#[must_use = "the server is watched as long as this lives"]
pub struct Supervisor(JoinHandle<()>);

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(inner: Arc<Inner>) {
    let mut pruned = Instant::now();
    loop {
        sleep(Duration::from_millis(250)).await;
        if pruned.elapsed() > Duration::from_secs(3600) {
            settings::prune_logs(&inner.place);
            pruned = Instant::now();
        }
        let child_lives = {
            let child = inner.child.lock().unwrap_or_else(PoisonError::into_inner);
            child.as_ref().map(Child::lives)
        };
        let alive = match child_lives {
            Some(lives) => lives,
            None => server::listens(&inner.place).await,
        };
        if alive || inner.stopping.load(Ordering::Acquire) {
            continue;
        }
        if let Err(error) = revive(&inner).await {
            tracing::error!(%error, "the private PostgreSQL can't be started again; trying on");
            sleep(Duration::from_secs(5)).await;
        }
    }
}

/// Starts the server again under the lock, unless another process has done so or we are stopping.
async fn revive(inner: &Inner) -> Result<(), PrivateError> {
    let _turn = Lock::turn(&inner.place.data_dir, Instant::now() + inner.options.wait).await?;
    if inner.stopping.load(Ordering::Acquire) {
        return Ok(());
    }
    tracing::warn!("the private PostgreSQL has ended: starting it again");
    let child =
        server::ensure(&inner.place, &inner.programs, inner.options.durable, inner.options.wait).await?;
    *inner.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
    Ok(())
}

fn take<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

//! The rehearsal's own database, in a folder that goes when it is over.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RehearsalError, impossible};
use crate::db::private::{self, Cluster, Options, Supervisor};

/// What the folders' names begin with; the process follows.
const PREFIX: &str = "kindred-rehearsal-";

/// What a commit survives, beside a crash of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endurance {
    None,
    /// A crash of the machine, as in a shop: what a bench measures.
    Machine,
}

/// A private PostgreSQL for one rehearsal, watched, so that it comes back when it is killed.
pub struct Place {
    folder: PathBuf,
    url: String,
    cluster: Cluster,
    /// None where somebody else looks after the server.
    _supervisor: Option<Supervisor>,
}

impl Place {
    /// # Errors
    /// When no folder or no database can be made.
    pub async fn open(endurance: Endurance) -> Result<Self, RehearsalError> {
        clear_up_after_the_killed().await;
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let options = match endurance {
            Endurance::None => Options::throw_away(),
            Endurance::Machine => Options::default(),
        };
        match private::open(&folder, options).await {
            Ok(cluster) => {
                let (url, supervisor) = (cluster.url(), cluster.supervise());
                Ok(Self { folder, url, cluster, _supervisor: Some(supervisor) })
            }
            Err(error) => {
                remove(&folder);
                Err(error.into())
            }
        }
    }

    /// A database of a server that stays, and a folder for what runs on it.
    pub fn of(cluster: &Cluster, database: &str, folder: PathBuf) -> Self {
        Self { folder, url: cluster.url_for(database), cluster: cluster.clone(), _supervisor: None }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Kills the database server where it stands; its supervisor starts it again.
    ///
    /// # Errors
    /// When its process is not known.
    pub fn kill_database(&self) -> Result<(), RehearsalError> {
        let killed = Command::new("kill").args(["-9", &self.server()?.to_string()]).status()?;
        if killed.success() { Ok(()) } else { Err(impossible("the database server can't be killed")) }
    }

    /// The server's first process.
    ///
    /// # Errors
    /// When it isn't known.
    pub fn server(&self) -> Result<u32, RehearsalError> {
        let text = std::fs::read_to_string(self.cluster.home().join("cluster/postmaster.pid"))?;
        let id = text.lines().next().and_then(|line| line.trim().parse().ok());
        id.ok_or_else(|| impossible("the database's process is not known"))
    }

    /// Stops the database and removes everything.
    pub async fn close(self) {
        let home = self.cluster.home().to_owned();
        self.cluster.stop().await;
        remove(&home);
        remove(&self.folder);
    }
}

/// A rehearsal that was killed leaves its folder, and in it a server that runs on: both go before the next one. Only Linux
/// tells which process is gone.
async fn clear_up_after_the_killed() {
    let processes = Path::new("/proc");
    let Ok(files) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for folder in files.flatten().map(|file| file.path()).filter(|_| processes.join("self").exists()) {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let Some(process) = name.strip_prefix(PREFIX).filter(|id| id.parse::<u32>().is_ok()) else {
            continue;
        };
        if processes.join(process).exists() {
            continue;
        }
        // Attaching to its server is the way to stop it in order.
        if let Ok(cluster) = private::open(&folder, Options::throw_away()).await {
            let home = cluster.home().to_owned();
            cluster.stop().await;
            remove(&home);
        }
        remove(&folder);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "the rehearsal's folder can't be removed");
    }
}

//! The rehearsal's own database, in a folder that goes when it is over.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{RehearsalError, impossible};
use crate::db::private::{self, Cluster, Options, Supervisor};

/// A private PostgreSQL for one rehearsal, watched, so that it comes back when it is killed.
pub struct Place {
    folder: PathBuf,
    url: String,
    cluster: Cluster,
    _supervisor: Supervisor,
}

impl Place {
    /// # Errors
    /// When no folder or no database can be made.
    pub async fn open() -> Result<Self, RehearsalError> {
        let folder = std::env::temp_dir().join(format!("kindred-rehearsal-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        match private::open(&folder, Options::throw_away()).await {
            Ok(cluster) => {
                let (url, supervisor) = (cluster.url(), cluster.supervise());
                Ok(Self { folder, url, cluster, _supervisor: supervisor })
            }
            Err(error) => {
                remove(&folder);
                Err(error.into())
            }
        }
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
        let file = self.cluster.home().join("cluster/postmaster.pid");
        let text = std::fs::read_to_string(file)?;
        let pid = text.lines().next().unwrap_or_default();
        let killed = Command::new("kill").args(["-9", pid]).status()?;
        if killed.success() { Ok(()) } else { Err(impossible("the database server can't be killed")) }
    }

    /// Stops the database and removes everything.
    pub async fn close(self) {
        let home = self.cluster.home().to_owned();
        self.cluster.stop().await;
        remove(&home);
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    if let Err(error) = std::fs::remove_dir_all(folder)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(folder = %folder.display(), %error, "the rehearsal's folder can't be removed");
    }
}

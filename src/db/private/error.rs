//! What can go wrong with the private PostgreSQL, each as one message that says what to do.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private PostgreSQL can't be had. Every message stands alone: it is shown as it is at start.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// No folder with all of PostgreSQL's server programs was found.
    #[error(
        "PostgreSQL's server programs were not found (looked for postgres, initdb, pg_ctl, pg_dump and pg_restore in \
         PATH, /usr/lib/postgresql/*/bin and Homebrew's folders). Install them with `apt-get install postgresql` \
         (macOS: `brew install postgresql@17`), or set DATABASE_URL to a PostgreSQL server of yours"
    )]
    ProgramsMissing,

    /// The cluster was made by a major version that isn't installed. Clusters can't be read by another major.
    #[error(
        "the database in {} was made by PostgreSQL {made}, but only PostgreSQL {found} is installed, which can't read \
         it. Install the old one too (`apt-get install postgresql-{made}`), or move the data: on a machine with \
         PostgreSQL {made} run `kindred backup FILE`, then set the old data folder aside, and run `kindred restore \
         FILE` here", path.display()
    )]
    OtherMajor {
        /// The cluster's folder.
        path: PathBuf,
        /// The major version that made it.
        made: String,
        /// The installed major versions, comma-separated.
        found: String,
    },

    /// Somebody else's account owns the cluster, so its server can't be run or reached from here.
    #[error(
        "the database in {} belongs to the user {owner}, and this is the user {invoker}: run kindred as root or as \
         {owner}, or use another KINDRED_DATA_DIR", path.display()
    )]
    NotOurs {
        /// The cluster's home.
        path: PathBuf,
        /// Who owns it.
        owner: String,
        /// Who runs this program.
        invoker: String,
    },

    /// The data folder says that its cluster lies elsewhere, and there is nothing.
    #[error(
        "{} says that the database lies in {}, but there is nothing: put the folder back, or delete that file to \
         begin with an empty database (and `kindred restore FILE` if there is a backup)", note.display(), path.display()
    )]
    LocationGone {
        /// The note in the data folder.
        note: PathBuf,
        /// Where the note points.
        path: PathBuf,
    },

    /// Started as root, and the machine has no account to run the server as.
    #[error(
        "PostgreSQL doesn't run as root, and this machine has no user to run it as: install Debian's package \
             `postgresql` (it makes the user postgres), or run kindred as an ordinary user"
    )]
    NoServerAccount,

    /// A folder that must be private is somebody else's.
    #[error("{} exists, but is not a private folder of the user {owner}: remove it or choose another \
             KINDRED_DATA_DIR", path.display())]
    NotPrivate {
        /// The folder.
        path: PathBuf,
        /// Whose it should be.
        owner: String,
    },

    /// Another program runs on the data folder.
    #[error("another kindred{holder} already runs on the data folder {}: stop it first, or set another \
             KINDRED_DATA_DIR", path.display())]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// ` (process 123)` where it is known, else empty.
        holder: String,
    },

    /// A helper program ended with an error.
    #[error("{program} failed: {output}")]
    ProgramFailed {
        /// The program's name.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },

    /// The server ended at once, several times, or didn't get ready in time.
    #[error("the private PostgreSQL in {} doesn't start ({reason}). The end of its log:\n{log}", path.display())]
    StartFailed {
        /// The cluster's home, which holds the logs.
        path: PathBuf,
        /// What was seen.
        reason: String,
        /// The end of the server's log.
        log: String,
    },

    /// The server runs and refuses us.
    #[error("the private PostgreSQL in {} runs, but refuses the connection: {cause}", path.display())]
    Refused {
        /// The cluster's home.
        path: PathBuf,
        /// The server's words.
        cause: String,
    },

    /// Another process holds the cluster's turn for too long.
    #[error("another process has been starting or stopping the database of {} for too long: see what it does, and \
             end it", path.display())]
    Busy {
        /// The data folder.
        path: PathBuf,
    },

    /// A file or folder can't be read, made or changed.
    #[error("{action} {}: {cause}", path.display())]
    Io {
        /// What was tried, as in "cannot create".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        cause: io::Error,
    },
}

/// For `map_err`: names what was tried on which path.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivateError {
    move |cause| PrivateError::Io { action, path: path.to_owned(), cause }
}

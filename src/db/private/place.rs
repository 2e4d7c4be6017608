//! Where the private cluster lies, whose it is, and the locks of the data folder.
//!
//! Permissions of folders that aren't ours are never changed: where the server's user can't enter the data folder, the
//! cluster lies in [`STATE_FOLDER`] instead.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::error::{PrivateError, io_error};
use super::programs::Programs;

/// Holds the clusters of root whose data folder the server's user can't enter, by the hash of the folder's path.
const STATE_FOLDER: &str = "/var/lib/kindred";

/// The file in the data folder that says where the cluster lies, if not in the folder itself.
const NOTE: &str = "postgres.location";

/// Accounts that may run the server where kindred runs as root, best first.
const SERVER_ACCOUNTS: &[&str] = &["postgres", "_postgres", "nobody", "daemon"];

/// `sun_path` holds 108 bytes on Linux and 104 on macOS, with a closing zero byte.
const SOCKET_PATH_MAX_BYTES: usize = 103;

/// The socket's name for PostgreSQL's usual port.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
}

impl Account {
    /// The user who runs this program.
    pub fn invoker() -> Result<Self, PrivateError> {
        Self::ask(None)
    }

    /// A user by name or number. `id` is asked, since the library of safe calls has none for it and users may come
    /// from elsewhere than /etc/passwd.
    fn ask(user: Option<&str>) -> Result<Self, PrivateError> {
        let id = |flag: &str| {
            let output = Command::new("id").arg(flag).args(user).stdin(Stdio::null()).output();
            let output = output.map_err(io_error("cannot run", Path::new("id")))?;
            if !output.status.success() {
                let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(PrivateError::ProgramFailed { program: "id", output });
            }
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let number = |flag: &str| {
            let text = id(flag)?;
            text.parse().map_err(|_| PrivateError::ProgramFailed { program: "id", output: text })
        };
        Ok(Self { uid: number("-u")?, gid: number("-g")?, name: id("-un")? })
    }

    fn is_root(&self) -> bool {
        self.uid == 0
    }
}

/// Where a cluster lies and who runs it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The data folder, absolute and without links.
    pub data_dir: PathBuf,
    /// The folder that holds the cluster, its logs and (mostly) its socket; 0700, of the server's user.
    pub home: PathBuf,
    /// The folder of the Unix socket.
    pub socket_dir: PathBuf,
    /// Who runs the server.
    pub owner: Account,
    /// Who runs this program.
    pub invoker: Account,
}

impl Place {
    /// Finds or chooses the place for a data folder that exists (see [`make_data_folder`]).
    pub fn settle(data_dir: &Path, programs: &[Programs]) -> Result<Self, PrivateError> {
        let invoker = Account::invoker()?;
        let inside = data_dir.join("postgres");
        let note = data_dir.join(NOTE);
        let (home, owner) = match fs::read_to_string(&note) {
            Ok(text) => {
                let path = PathBuf::from(text.lines().next().unwrap_or_default());
                let owner =
                    owner_of(&path)?.ok_or(PrivateError::LocationGone { note, path: path.clone() })?;
                (path, owner)
            }
            Err(_) => match owner_of(&inside)? {
                Some(owner) if !owner.is_root() => (inside, owner),
                // None yet, or a first start as root that ended before the folder was handed over.
                _ => choose(data_dir, inside, &invoker, programs)?,
            },
        };
        if owner.is_root() || (!invoker.is_root() && owner.uid != invoker.uid) {
            return Err(PrivateError::NotOurs { path: home, owner: owner.name, invoker: invoker.name });
        }
        let socket_dir = socket_folder(&home, data_dir, &owner, &invoker);
        Ok(Self { data_dir: data_dir.to_owned(), home, socket_dir, owner, invoker })
    }

    /// The folder that PostgreSQL calls its data directory.
    pub fn cluster(&self) -> PathBuf {
        self.home.join("cluster")
    }

    /// The major version that made the cluster, if there is one already.
    pub fn made_by(&self) -> Option<String> {
        fs::read_to_string(self.cluster().join("PG_VERSION")).ok().map(|text| text.trim().to_owned())
    }

    /// Makes the home and the socket's folder where they aren't there.
    pub fn make_folders(&self) -> Result<(), PrivateError> {
        if self.invoker.is_root()
            && [&self.home, &self.socket_dir].iter().any(|f| f.starts_with(STATE_FOLDER))
        {
            let state = Path::new(STATE_FOLDER);
            make_folder(state, 0o755)?;
        }
        if !self.home.starts_with(&self.data_dir) {
            let note = self.data_dir.join(NOTE);
            let text =
                "The line above is where the database of this folder lies: its user can't enter this folder.";
            let text = format!("{}\n{text}\n", self.home.display());
            fs::write(&note, text).map_err(io_error("cannot write", &note))?;
        }
        self.make_private(&self.home)?;
        self.make_private(&self.socket_dir)
    }

    /// A folder that only the server's user can enter. One that is there must be so already.
    fn make_private(&self, folder: &Path) -> Result<(), PrivateError> {
        make_folder(folder, 0o700)?;
        let meta = fs::symlink_metadata(folder).map_err(io_error("cannot read", folder))?;
        if meta.is_dir() && meta.uid() == 0 && self.invoker.is_root() {
            // Never through a link: it would hand over what the link points to.
            lchown(folder, Some(self.owner.uid), Some(self.owner.gid))
                .map_err(io_error("cannot hand over", folder))?;
        } else if !meta.is_dir() || meta.uid() != self.owner.uid || meta.mode() & 0o077 != 0 {
            let (path, owner) = (folder.to_owned(), self.owner.name.clone());
            return Err(PrivateError::NotPrivate { path, owner });
        }
        Ok(())
    }

    /// A command that runs as the server's user, away from our folder, our terminal and our environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        run_as(&mut command, &self.owner, &self.invoker);
        command
    }

    /// Runs a few words of shell as the server's user. All that is written in its folders is written so: as root we
    /// would follow a link that somebody who got hold of the server has put there, and overwrite any file.
    pub fn shell(&self, script: &str, arguments: &[&Path], input: &str) -> Result<(), PrivateError> {
        let mut command = self.command(Path::new("/bin/sh"));
        command.args(["-c", script]).args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped());
        let failed = || io_error("cannot write", arguments.first().copied().unwrap_or(&self.home));
        let mut shell = command.spawn().map_err(failed())?;
        if let Some(mut stdin) = shell.stdin.take() {
            // Where the shell has ended already, its own message says more.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = shell.wait_with_output().map_err(failed())?;
        if output.status.success() {
            return Ok(());
        }
        let output = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(PrivateError::ProgramFailed { program: "sh", output })
    }
}

fn run_as(command: &mut Command, user: &Account, invoker: &Account) {
    if invoker.is_root() {
        command.uid(user.uid).gid(user.gid);
    }
}

fn owner_of(path: &Path) -> Result<Option<Account>, PrivateError> {
    match fs::metadata(path) {
        Ok(meta) => Account::ask(Some(&meta.uid().to_string())).map(Some),
        Err(_) => Ok(None),
    }
}

/// A place for a new cluster: the data folder if the server's user can enter it, else the state folder.
fn choose(
    data_dir: &Path,
    inside: PathBuf,
    invoker: &Account,
    programs: &[Programs],
) -> Result<(PathBuf, Account), PrivateError> {
    if !invoker.is_root() {
        return Ok((inside, invoker.clone()));
    }
    let elsewhere = state_folder(data_dir);
    if let Some(owner) = owner_of(&elsewhere)?.filter(|owner| !owner.is_root()) {
        tracing::warn!(home = %elsewhere.display(), "the data folder is new, and its database of earlier is taken up");
        return Ok((elsewhere, owner));
    }
    let mut accounts = SERVER_ACCOUNTS.iter().filter_map(|name| Account::ask(Some(name)).ok());
    let owner = accounts.next().ok_or(PrivateError::NoServerAccount)?;
    let enters = programs.iter().any(|programs| {
        // Trying is better than computing from the mode bits: access lists and mounts count too.
        let mut command = Command::new(programs.path("postgres"));
        command.arg("--version").current_dir(data_dir).stdin(Stdio::null()).stdout(Stdio::null());
        run_as(&mut command, &owner, invoker);
        command.status().is_ok_and(|status| status.success())
    });
    let home = if enters { inside } else { elsewhere };
    Ok((home, owner))
}

fn state_folder(data_dir: &Path) -> PathBuf {
    Path::new(STATE_FOLDER).join(path_hash(data_dir))
}

/// The first 16 hexadecimal digits of SHA-256 over the path.
fn path_hash(path: &Path) -> String {
    let hash = Sha256::digest(path.as_os_str().as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The home, or a short private folder where the socket's path would be too long there. /run/user is not used: it
/// goes away when its user signs out, and the server may outlive that.
fn socket_folder(home: &Path, data_dir: &Path, owner: &Account, invoker: &Account) -> PathBuf {
    if home.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_MAX_BYTES {
        home.to_owned()
    } else if invoker.is_root() {
        state_folder(data_dir)
    } else {
        PathBuf::from(format!("/tmp/kindred-{}-{}", owner.uid, path_hash(data_dir)))
    }
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), PrivateError> {
    match DirBuilder::new().mode(mode).create(folder) {
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(io_error("cannot create", folder)),
    }
}

/// Makes the data folder where it isn't there, and returns its absolute path without links. A new one can be entered,
/// not listed, by the server's user if we are root, else by nobody else: files in it keep their own permissions.
pub(super) fn make_data_folder(data_dir: &Path) -> Result<PathBuf, PrivateError> {
    if !data_dir.is_dir() {
        let mode = if Account::invoker()?.is_root() { 0o711 } else { 0o700 };
        let made = DirBuilder::new().recursive(true).mode(mode).create(data_dir);
        made.map_err(io_error("cannot create the data folder", data_dir))?;
    }
    data_dir.canonicalize().map_err(io_error("cannot enter the data folder", data_dir))
}

/// A lock on a file, given back when it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the exclusive lock if nobody has it.
    pub fn attempt(path: &Path) -> Result<Option<Self>, PrivateError> {
        let file = Self::file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(io_error("cannot lock", path)(cause)),
        }
    }

    /// Takes a lock that others may share; waits for an exclusive one.
    pub fn share(path: &Path) -> Result<Self, PrivateError> {
        let file = Self::file(path)?;
        file.lock_shared().map_err(io_error("cannot lock", path))?;
        Ok(Self { file })
    }

    /// Waits for the turn to make, start or stop a data folder's database, until the deadline.
    pub async fn turn(data_dir: &Path, deadline: Instant) -> Result<Self, PrivateError> {
        loop {
            match Self::attempt(&data_dir.join("postgres.lock"))? {
                Some(lock) => return Ok(lock),
                None if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(50)).await,
                None => return Err(PrivateError::Busy { path: data_dir.to_owned() }),
            }
        }
    }

    fn file(path: &Path) -> Result<File, PrivateError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.open(path).map_err(io_error("cannot open the lock file", path))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing would do, were it not for a child that another thread is just starting: until it becomes its program
        // it holds a copy of the file, and the lock with it.
        let _ = self.file.unlock();
    }
}

/// The exclusive lock of a data folder: `serve` and `demo` hold it while they run, so that a second one says so instead
/// of working on the same keys, journal and ports. The system gives it back when the process ends, however it ends.
#[derive(Debug)]
pub struct DataFolderLock {
    _lock: Lock,
}

impl DataFolderLock {
    /// Takes the lock, making the folder where it isn't there.
    ///
    /// # Errors
    /// [`PrivateError::InUse`] where another process holds it.
    pub fn take(data_dir: &Path) -> Result<Self, PrivateError> {
        let path = make_data_folder(data_dir)?;
        let file = path.join("kindred.lock");
        let Some(mut lock) = Lock::attempt(&file)? else {
            let pid = fs::read_to_string(file).unwrap_or_default();
            let holder = match pid.trim() {
                "" => String::new(),
                pid => format!(" (process {pid})"),
            };
            return Err(PrivateError::InUse { path, holder });
        };
        // The number is only for the message, so a failure to write it is none of the lock.
        let _ = lock.file.set_len(0).and_then(|()| writeln!(lock.file, "{}", std::process::id()));
        Ok(Self { _lock: lock })
    }
}

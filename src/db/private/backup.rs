//! Backup and restore of any PostgreSQL database, by pg_dump and pg_restore of its own version.
//!
//! Both take a URL, so they work for the private server and for one that `DATABASE_URL` names. A password in it goes to
//! the programs by their environment, never by their command line, which every user of the machine can read.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use percent_encoding::percent_decode_str;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};

use super::programs::{self, Programs};
use super::settings::last_lines;

/// Why a backup or a restore didn't happen. The database and an older file are as they were.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The URL isn't one of PostgreSQL's.
    #[error("DATABASE_URL must look like postgres://user:password@host:5432/database")]
    NotAUrl,
    /// No pg_dump is installed that can read the server.
    #[error(
        "PostgreSQL's client programs of version {0} or newer were not found: `apt-get install postgresql-client-{0}`"
    )]
    ProgramsMissing(u32),
    /// No client programs at all.
    #[error("pg_dump, pg_restore and psql were not found: `apt-get install postgresql-client`")]
    NoPrograms,
    /// One of the programs failed.
    #[error("{program} failed: {output}")]
    ProgramFailed {
        /// The program's name.
        program: &'static str,
        /// The end of what it said.
        output: String,
    },
    /// The database has tables already.
    #[error("the database isn't empty: restore into a new one, or say --force to replace all that it holds")]
    NotEmpty,
    /// A file can't be read or written.
    #[error("{action} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        cause: std::io::Error,
    },
}

/// What a restore may find in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onto {
    /// Nothing: else [`BackupError::NotEmpty`].
    Empty,
    /// Anything: the tables, views, types and functions of the schema public are dropped first, in the same
    /// transaction. Extensions stay.
    Replace,
}

/// Counts tables, views and sequences outside the system's schemas that no extension brought along.
const COUNT_RELATIONS: &str = "\
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r','p','v','m','S','f')
AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')";

/// See the file.
const DROP_ALL: &str = include_str!("drop_all.sql");

/// Writes the whole database into a file of pg_dump's custom format, which only its owner can read. The file appears
/// when it is whole; an older one is replaced only then.
///
/// # Errors
/// See [`BackupError`].
pub async fn backup(url: &str, file: &Path) -> Result<(), BackupError> {
    let server = Server::reach(url).await?;
    let partial = beside(file);
    let made = write_backup(&server, file, &partial).await;
    if made.is_err() {
        let _ = fs::remove_file(&partial);
    }
    made
}

async fn write_backup(server: &Server, file: &Path, partial: &Path) -> Result<(), BackupError> {
    let mut private = OpenOptions::new();
    private.write(true).create_new(true).mode(0o600);
    drop(private.open(partial).map_err(io_error("cannot write", partial))?);
    let mut dump = server.command("pg_dump");
    dump.args(["--format=custom", "--no-owner", "--no-privileges"]).arg("--file").arg(partial);
    dump.arg("--dbname").arg(&server.url);
    succeed("pg_dump", dump.output().await)?;
    let written = File::open(partial).and_then(|partial| partial.sync_all());
    written.map_err(io_error("cannot write", partial))?;
    fs::rename(partial, file).map_err(io_error("cannot write", file))?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error("cannot write", folder))
}

/// Restores a backup's tables and rows, in one transaction: all of it or nothing.
///
/// # Errors
/// See [`BackupError`].
pub async fn restore(url: &str, file: &Path, onto: Onto) -> Result<(), BackupError> {
    drop(File::open(file).map_err(io_error("cannot read", file))?);
    let server = Server::reach(url).await?;
    let mut list = server.command("pg_restore");
    list.arg("--list").arg(file);
    succeed("pg_restore", list.output().await)?;
    if onto == Onto::Empty && server.ask(COUNT_RELATIONS).await? != "0" {
        return Err(BackupError::NotEmpty);
    }

    let mut psql = server.psql();
    psql.args(["--file", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut psql = psql.spawn().map_err(io_error("cannot run", Path::new("psql")))?;
    let mut dump = server.command("pg_restore");
    dump.args(["--file", "-", "--no-owner", "--no-privileges"]).arg(file);
    let dump = dump.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let dump = dump.map_err(io_error("cannot run", Path::new("pg_restore")))?;
    let Some(stdin) = psql.stdin.take() else { return Err(BackupError::NoPrograms) };
    // COMMIT is sent only after pg_restore has read the whole file: a broken one changes nothing.
    let (fed, written) = tokio::join!(feed(dump, stdin, onto), psql.wait_with_output());
    let (read, all_taken) = fed.map_err(io_error("cannot run", Path::new("pg_restore")))?;
    // Where psql took all that there was, a failure of pg_restore came first: psql's is about what was missing.
    if all_taken {
        succeed("pg_restore", Ok(read))?;
    }
    succeed("psql", written)?;
    server.ask("ANALYZE").await.map(drop)
}

/// Gives pg_restore's statements to psql, within one transaction; returns how pg_restore ended, and whether psql took all
/// that it had to say.
async fn feed(mut dump: Child, mut psql: ChildStdin, onto: Onto) -> std::io::Result<(Output, bool)> {
    let mut begin = String::from("BEGIN;\n");
    if onto == Onto::Replace {
        begin.push_str(DROP_ALL);
    }
    let mut copied = psql.write_all(begin.as_bytes()).await;
    if let Some(mut statements) = dump.stdout.take()
        && copied.is_ok()
    {
        copied = tokio::io::copy(&mut statements, &mut psql).await.map(drop);
    }
    let read = dump.wait_with_output().await?;
    if read.status.success() && copied.is_ok() {
        let _ = psql.write_all(b"\nCOMMIT;\n").await;
    }
    let _ = psql.shutdown().await;
    Ok((read, copied.is_ok()))
}

/// A server that answers, and the programs that fit it.
struct Server {
    url: OsString,
    password: Option<String>,
    programs: Programs,
}

impl Server {
    async fn reach(url: &str) -> Result<Self, BackupError> {
        let (url, password) = without_password(url).ok_or(BackupError::NotAUrl)?;
        let found = programs::installed(programs::CLIENT);
        let newest = found.first().cloned().ok_or(BackupError::NoPrograms)?;
        let mut server = Self { url: url.into(), password, programs: newest };
        let version = server.ask("SHOW server_version_num").await?;
        // 150014 is 15.14.
        let major = version.parse::<u32>().unwrap_or_default() / 10_000;
        // The same version writes what the server itself can read back; a newer one reads every older server.
        let same = found.iter().find(|programs| programs.major == major);
        let fitting = same.or(found.first().filter(|programs| programs.major > major));
        server.programs = fitting.ok_or(BackupError::ProgramsMissing(major))?.clone();
        Ok(server)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.path(program));
        command.env("LC_ALL", "C.UTF-8").env("PGCONNECT_TIMEOUT", "10").env("PGAPPNAME", "kindred");
        command.env_remove("PGOPTIONS").stdin(Stdio::null()).kill_on_drop(true);
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        command
    }

    /// psql that reads no file of its user, asks nothing and ends at the first error.
    fn psql(&self) -> Command {
        let mut command = self.command("psql");
        command.args(["--no-psqlrc", "--quiet", "--no-password", "--set", "ON_ERROR_STOP=1"]);
        command.arg("--dbname").arg(&self.url);
        command
    }

    async fn ask(&self, query: &str) -> Result<String, BackupError> {
        let mut psql = self.psql();
        psql.args(["--tuples-only", "--no-align", "--command", query]);
        let output = succeed("psql", psql.output().await)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn succeed(program: &'static str, output: std::io::Result<Output>) -> Result<Output, BackupError> {
    let output = output.map_err(io_error("cannot run", Path::new(program)))?;
    if output.status.success() {
        return Ok(output);
    }
    let output = last_lines(&String::from_utf8_lossy(&output.stderr), 5);
    Err(BackupError::ProgramFailed { program, output })
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    move |cause| BackupError::Io { action, path: path.to_owned(), cause }
}

/// A name of our own in the file's folder, so that the finished file can take its place in one step.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".partial-{}", std::process::id()));
    file.with_file_name(name)
}

/// Takes the password out of a URL: `postgres://user:password@host/…`, or `…?password=…`. None if it is no such URL.
fn without_password(url: &str) -> Option<(String, Option<String>)> {
    let (scheme, rest) = url.split_once("://")?;
    if !["postgres", "postgresql"].contains(&scheme) {
        return None;
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user_info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, mut password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (user_info, None),
    };
    let mut kept = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.strip_prefix("password=") {
            Some(value) => password = Some(value),
            None => kept.push(parameter),
        }
    }
    let at = if user.is_empty() { "" } else { "@" };
    let question = if kept.is_empty() { "" } else { "?" };
    let password = password.map(|value| percent_decode_str(value).decode_utf8_lossy().into_owned());
    Some((format!("{scheme}://{user}{at}{hosts}{path}{question}{}", kept.join("&")), password))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(url: &str) -> (String, String) {
        let (url, password) = without_password(url).unwrap();
        (url, password.unwrap_or_default())
    }

    #[test]
    fn passwords_leave_the_url() {
        let plain = ("postgres://me@db.test:5433/shop?sslmode=require".to_owned(), "a/b:c@".to_owned());
        assert_eq!(split("postgres://me:a%2Fb%3Ac%40@db.test:5433/shop?sslmode=require"), plain);
        assert_eq!(split("postgres://me@db.test:5433/shop?password=a%2Fb%3Ac%40&sslmode=require"), plain);
        let several = ("postgresql://me@one:1,two:2/shop".to_owned(), "x".to_owned());
        assert_eq!(split("postgresql://me:x@one:1,two:2/shop"), several);
        let socket = ("postgres://kindred@%2Fdata%2Fpostgres/kindred".to_owned(), String::new());
        assert_eq!(split("postgres://kindred@%2Fdata%2Fpostgres/kindred"), socket);
        assert_eq!(split("postgres:///shop"), ("postgres:///shop".to_owned(), String::new()));
        assert!(without_password("mysql://me@db/shop").is_none());
        assert!(without_password("host=db password=x").is_none());
    }
}

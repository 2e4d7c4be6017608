//! The files that tell the private server how to run. They are ours, and written anew at every start; an operator's own
//! settings go into `local.conf` beside them or through ALTER SYSTEM.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::PrivateError;
use super::place::Place;

/// How many closed log files are kept; each has at most 10 MB.
const LOGS_KEPT: usize = 5;

/// Settings of a shop on a small machine.
///
/// The log holds no statement and no detail of an error, since both can hold addresses and secrets.
const COMMON: &str = "\
listen_addresses = ''
port = 5432
unix_socket_permissions = 0700
max_connections = 200
shared_buffers = 128MB
wal_compression = on
max_wal_size = 1GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = on
log_filename = 'postgres-%Y%m%d-%H%M%S.log'
log_file_mode = 0600
log_rotation_age = 7d
log_rotation_size = 10MB
log_line_prefix = '%m [%p] %d '
log_checkpoints = off
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
";

/// Settings for data that nobody will miss: tests and rehearsals. Nothing is written through to the disk, so a crash of
/// the machine may leave a broken cluster. A crash of the server alone still loses no commit: the log of each is handed
/// to the system before it is acknowledged (synchronous_commit stays on).
const THROW_AWAY: &str = "\
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
autovacuum = off
";

/// What the operator's own file begins with.
const LOCAL: &str =
    "# Settings of your own, such as shared_buffers = 1GB; kindred never changes this file.\n";

/// Writes the settings, who may connect, and the map of users.
pub(super) fn write(place: &Place, durable: bool) -> Result<(), PrivateError> {
    let quoted = |path: &Path| path.display().to_string().replace('\'', "''");
    let mut settings =
        String::from("# Written by kindred at every start; your own settings belong in local.conf.\n");
    settings.push_str(COMMON);
    // The list of folders is split at commas unless each is in double quotes.
    let socket_dir = quoted(&place.socket_dir).replace('"', "\"\"");
    settings.push_str(&format!("unix_socket_directories = '\"{socket_dir}\"'\n"));
    settings.push_str(&format!("log_directory = '{}'\n", quoted(&place.home.join("log"))));
    if !durable {
        settings.push_str(THROW_AWAY);
    }
    settings.push_str("include_if_exists = 'local.conf'\n");

    let hba = "# Written by kindred: only the users of pg_ident.conf, only by the Unix socket.\n\
               local all all peer map=kindred\n";
    let mut users = vec!["root", place.owner.name.as_str(), place.invoker.name.as_str()];
    users.sort_unstable();
    users.dedup();
    let ident: String = users.iter().map(|user| format!("kindred \"{user}\" kindred\n")).collect();

    let cluster = place.cluster();
    let files = [("kindred.conf", settings.as_str()), ("pg_hba.conf", hba), ("pg_ident.conf", &ident)];
    for (name, text) in files {
        place.shell("umask 077 && cat >\"$0\"", &[&cluster.join(name)], text)?;
    }
    place.shell("umask 077 && { [ -e \"$0\" ] || cat >\"$0\"; }", &[&cluster.join("local.conf")], LOCAL)
}

/// Deletes all but the newest of the server's log files. Failures are left to the next time.
pub(super) fn prune_logs(place: &Place) {
    let files = fs::read_dir(place.home.join("log")).into_iter().flatten().flatten();
    let mut logs: Vec<_> = files.map(|file| file.path()).collect();
    // The names hold the time, so they sort by age.
    logs.sort_unstable();
    let old: Vec<_> = logs.iter().rev().skip(LOGS_KEPT).map(PathBuf::as_path).collect();
    if !old.is_empty() {
        let _ = place.shell("rm -f -- \"$0\" \"$@\"", &old, "");
    }
}

/// The end of what the server has said: at its start on stderr, later in its log files.
pub(super) fn log_tail(place: &Place) -> String {
    let mut text = fs::read_to_string(place.home.join("start.log")).unwrap_or_default();
    let files = fs::read_dir(place.home.join("log")).into_iter().flatten().flatten();
    if let Some(newest) = files.map(|file| file.path()).max() {
        text.push_str(&String::from_utf8_lossy(&fs::read(newest).unwrap_or_default()));
    }
    last_lines(&text, 15)
}

/// The last `count` lines.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines.iter().skip(lines.len().saturating_sub(count)).copied().collect::<Vec<_>>().join("\n")
}

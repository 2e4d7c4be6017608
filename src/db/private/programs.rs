//! Finds PostgreSQL's installed programs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::error::PrivateError;

/// What the private server needs.
pub(super) const SERVER: &[&str] = &["postgres", "initdb", "pg_ctl", "pg_dump", "pg_restore", "psql"];

/// What backups of any server need; Debian's `postgresql-client-NN` holds them.
pub(super) const CLIENT: &[&str] = &["pg_dump", "pg_restore", "psql"];

/// Folders whose children `<version>/bin` or `<name>/bin` hold the programs: Debian, Homebrew on ARM and on Intel.
const ROOTS: &[&str] = &["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt", "/usr/local/pgsql"];

/// The programs of one installed major version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Programs {
    /// The folder that holds them all.
    pub bin: PathBuf,
    /// The major version, such as 15.
    pub major: u32,
}

impl Programs {
    /// The path of one program.
    pub fn path(&self, program: &str) -> PathBuf {
        self.bin.join(program)
    }
}

/// All installed versions that have every one of `needed`, newest first; one of each major, PATH's before others.
pub(super) fn installed(needed: &[&str]) -> Vec<Programs> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    search(needed, &path, &ROOTS.iter().map(PathBuf::from).collect::<Vec<_>>())
}

/// The same, looking in `path` (as PATH is written) and under `roots`.
pub(super) fn search(needed: &[&str], path: &OsStr, roots: &[PathBuf]) -> Vec<Programs> {
    let in_path = std::env::split_paths(path).filter_map(|folder| {
        // PATH often has links to single programs: the others lie where the link points.
        let program = folder.join(needed.first()?);
        Some(program.canonicalize().ok()?.parent()?.to_owned())
    });
    let in_roots = roots.iter().flat_map(|root| {
        let children = std::fs::read_dir(root).into_iter().flatten().flatten();
        children.map(|child| child.path().join("bin")).chain([root.join("bin")])
    });
    let mut by_major = BTreeMap::new();
    for bin in in_path.chain(in_roots) {
        if needed.iter().all(|program| bin.join(program).is_file())
            && let Some(major) = needed.first().and_then(|program| major_of(&bin.join(program)))
        {
            by_major.entry(major).or_insert(Programs { bin, major });
        }
    }
    by_major.into_values().rev().collect()
}

/// The installed programs that fit a cluster made by `made`, or the newest where there is no cluster yet.
pub(super) fn for_cluster(
    made: Option<&str>,
    cluster: &Path,
    found: Vec<Programs>,
) -> Result<Programs, PrivateError> {
    let names = found.iter().map(|programs| programs.major.to_string()).collect::<Vec<_>>();
    let fitting = found.into_iter().find(|p| made.is_none_or(|made| p.major.to_string() == made));
    match (fitting, made) {
        (Some(programs), _) => Ok(programs),
        (None, Some(made)) if !names.is_empty() => Err(PrivateError::OtherMajor {
            path: cluster.to_owned(),
            made: made.to_owned(),
            found: names.join(", "),
        }),
        (None, _) => Err(PrivateError::ProgramsMissing),
    }
}

/// The major version that a program says it has: `postgres (PostgreSQL) 15.14 (Debian …)` has 15.
fn major_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text.split_once("(PostgreSQL)")?.1.trim_start();
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn install(bin: &Path, version: &str) {
        fs::create_dir_all(bin).unwrap();
        for program in SERVER {
            let file = bin.join(program);
            fs::write(&file, format!("#!/bin/sh\necho '{program} (PostgreSQL) {version} (Debian)'\n"))
                .unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    #[test]
    fn the_newest_is_found_and_links_in_path_are_followed() {
        let folder = std::env::temp_dir().join(format!("kindred-programs-{}", uuid::Uuid::now_v7()));
        install(&folder.join("roots/15/bin"), "15.14");
        install(&folder.join("roots/9/bin"), "9.6.24");
        fs::create_dir_all(folder.join("roots/17/bin")).unwrap();
        install(&folder.join("linked"), "16rc1");
        fs::create_dir_all(folder.join("path")).unwrap();
        std::os::unix::fs::symlink(folder.join("linked/postgres"), folder.join("path/postgres")).unwrap();

        let found = search(SERVER, folder.join("path").as_os_str(), &[folder.join("roots")]);
        assert_eq!(found.iter().map(|p| p.major).collect::<Vec<_>>(), [16, 15, 9]);
        let cluster = Path::new("/data");
        assert_eq!(for_cluster(None, cluster, found.clone()).unwrap().major, 16);
        assert_eq!(for_cluster(Some("15"), cluster, found.clone()).unwrap().major, 15);
        let refused = for_cluster(Some("14"), cluster, found).unwrap_err().to_string();
        assert!(refused.contains("made by PostgreSQL 14, but only PostgreSQL 16, 15, 9"), "{refused}");
        assert!(refused.contains("kindred backup") && refused.contains("kindred restore"), "{refused}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn missing_programs_say_what_to_install() {
        let found = search(SERVER, OsStr::new("/nowhere"), &[]);
        let refused = for_cluster(None, Path::new("/data"), found).unwrap_err().to_string();
        assert!(
            refused.contains("apt-get install postgresql") && refused.contains("DATABASE_URL"),
            "{refused}"
        );
    }
}

//! The machine: what it is, what processes take of it.

use std::fs;

use serde::Serialize;

/// The kernel counts processors' time in these: 100 a second on Linux, whatever its own timer does (proc(5)).
const TICKS_A_SECOND: f64 = 100.0;

/// What it is, as told with the figures.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_mb: u64,
    pub system: String,
}

impl Machine {
    pub fn here() -> Self {
        let after = |file: &str, name: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        let memory = after("/proc/meminfo", "MemTotal");
        Self {
            processor: after("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mb: memory.split(' ').next().and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default()
                / 1024,
            system: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        }
    }
}

/// Who takes the cores' time.
#[derive(Clone, Debug)]
pub struct Processes {
    pub app: Vec<u32>,
    /// PostgreSQL's first process; its children are counted with it.
    pub database: u32,
}

/// Cores taken, on average, while something was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cores {
    pub app: f64,
    pub database: f64,
    /// The load's thread, and with it Stripe's simulator.
    pub driver: f64,
}

/// Seconds of the cores, so far.
#[derive(Clone, Copy, Debug)]
pub struct Clockwork {
    at: std::time::Instant,
    spent: Cores,
}

impl Processes {
    pub fn look(&self) -> Clockwork {
        let all = all_processes();
        let seconds = |wanted: &dyn Fn(&Process) -> bool| {
            all.iter().filter(|one| wanted(one)).map(|one| one.own_seconds + one.ended_seconds).sum()
        };
        // The instances that it has ended were counted while they ran.
        let driver = all.iter().find(|one| one.id == std::process::id()).map(|one| one.own_seconds);
        let spent = Cores {
            app: seconds(&|one| self.app.contains(&one.id)),
            database: seconds(&|one| one.id == self.database || one.parent == self.database),
            driver: driver.unwrap_or_default(),
        };
        Clockwork { at: std::time::Instant::now(), spent }
    }

    /// Resident memory of the app, in MB.
    pub fn rss_mb(&self) -> f64 {
        let of = |id: &u32| {
            let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
            line.trim().split(' ').next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
        };
        self.app.iter().map(of).sum()
    }
}

impl Clockwork {
    /// Cores taken from that look to this one.
    pub fn since(&self, earlier: &Self) -> Cores {
        let seconds = self.at.duration_since(earlier.at).as_secs_f64().max(f64::EPSILON);
        let taken = |now: f64, then: f64| ((now - then) / seconds * 100.0).round() / 100.0;
        Cores {
            app: taken(self.spent.app, earlier.spent.app),
            database: taken(self.spent.database, earlier.spent.database),
            driver: taken(self.spent.driver, earlier.spent.driver),
        }
    }
}

struct Process {
    id: u32,
    parent: u32,
    own_seconds: f64,
    /// Of its children that have ended.
    ended_seconds: f64,
}

fn all_processes() -> Vec<Process> {
    let folders = fs::read_dir("/proc").into_iter().flatten().flatten();
    folders
        .filter_map(|folder| {
            let id = folder.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(folder.path().join("stat")).ok()?;
            read_stat(id, &stat)
        })
        .collect()
}

/// The name, in brackets, may hold anything; the fields after it are numbers (proc(5): 4 is the parent, 14 to 17 are times,
/// the last two of children that have ended, as PostgreSQL's do).
fn read_stat(id: u32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let seconds = |fields: &[&str]| {
        fields.iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_A_SECOND
    };
    Some(Process {
        id,
        parent: fields.get(1)?.parse().ok()?,
        own_seconds: seconds(fields.get(11..13)?),
        ended_seconds: seconds(fields.get(13..15)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_it_is_called() {
        let stat = "77 (a (name) ) S 5 77 77 0 -1 4194560 1 2 3 4 100 50 25 25 20 0 1 0 1 1 1";
        let process = read_stat(77, stat).unwrap();
        assert_eq!((process.id, process.parent), (77, 5));
        assert_eq!((process.own_seconds, process.ended_seconds), (1.5, 0.5));
        assert!(read_stat(1, "nothing").is_none());
    }

    #[test]
    fn this_process_takes_time_and_memory() {
        let own = Processes { app: vec![std::process::id()], database: 0 };
        assert!(own.rss_mb() > 1.0);
        let before = own.look();
        let taken = || own.look().since(&before).driver;
        let begun = std::time::Instant::now();
        while taken() == 0.0 && begun.elapsed().as_secs() < 60 {}
        assert!(taken() > 0.0);
    }
}

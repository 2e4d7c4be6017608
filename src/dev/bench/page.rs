//! The report as people read it: a table at the terminal, and files.

use std::fmt;
use std::path::Path;

use super::Report;
use super::figures::{Compared, Goal, readable};
use crate::dev::rehearse::RehearsalError;
use crate::error::AppError;

/// Writes report.json and table.md into a folder.
///
/// # Errors
/// When it can't be written to.
pub fn write(report: &Report, folder: &Path) -> Result<(), RehearsalError> {
    std::fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(report).map_err(AppError::internal)?;
    std::fs::write(folder.join("report.json"), json)?;
    std::fs::write(folder.join("table.md"), report.to_string())?;
    Ok(())
}

impl Compared {
    fn row(&self) -> String {
        let (ratio, ours, limit) = (self.ratio(), self.ours(), self.limit());
        let goal = match self.goal {
            Goal::AtLeast(goal) => format!("≥ {goal}"),
            Goal::AtMost(goal) => format!("≤ {goal}"),
        };
        let reached = if self.goal.is_reached_by(ratio.median) { "yes" } else { "no" };
        let cores = self.rounds.first().map(|round| round.cores).unwrap_or_default();
        format!(
            "| `{}` | {} | {} | {} | {} ({} – {}) | {goal} | {reached} | {} / {} / {} |",
            self.name,
            readable(ours.median),
            self.of,
            readable(limit.median),
            readable(ratio.median),
            readable(ratio.least),
            readable(ratio.most),
            cores.app,
            cores.database,
            cores.driver,
        )
    }
}

/// A table in Markdown.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "{}; {}, {} cores, {} MB, Linux {}; {:.0} s in all.",
            self.at.format("%Y-%m-%d"),
            machine.processor,
            machine.cores,
            machine.memory_mb,
            machine.system,
            self.seconds
        )?;
        let settings: Vec<_> = self.database.iter().map(|(name, value)| format!("{name} {value}")).collect();
        writeln!(f, "PostgreSQL: {}.\n", settings.join(", "))?;
        writeln!(
            f,
            "| measured | ours | against | limit | ratio (of the rounds) | goal | reached | cores: app / database / driver |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        for compared in &self.rounds {
            writeln!(f, "{}", compared.row())?;
        }
        let latency = self.latency_ms;
        writeln!(
            f,
            "\nPlacing at {} orders a second (open loop): p50 {} ms, p90 {} ms, p99 {} ms, max {} ms.",
            readable(self.open_rate),
            latency.p50,
            latency.p90,
            latency.p99,
            latency.max
        )?;
        writeln!(
            f,
            "Resident memory: {} MB idle, {} MB after all of it.",
            readable(self.rss_mb.idle),
            readable(self.rss_mb.after)
        )?;
        write!(
            f,
            "Sold beyond capacity: {}; failed checks: {}.",
            self.oversold,
            self.checks_failed.join(", ")
        )
    }
}

//! The report as people read it: a table at the terminal, and files.

use std::fmt;
use std::path::Path;

use super::figures::{Compared, Goal, readable};
use super::overload::Overload;
use super::{Report, plots};
use crate::dev::rehearse::{RehearsalError, impossible};
use crate::error::AppError;

/// Between these lines a page has what was measured last.
const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// Writes report.json, table.md and the plots into a folder.
///
/// # Errors
/// When it can't be written to.
pub fn write(report: &Report, folder: &Path) -> Result<(), RehearsalError> {
    std::fs::create_dir_all(folder)?;
    let json = serde_json::to_string_pretty(report).map_err(AppError::internal)?;
    std::fs::write(folder.join("report.json"), json)?;
    std::fs::write(folder.join("table.md"), report.to_string())?;
    draw(report, folder)
}

/// Puts the table into a page of the documentation, and the plots into the folder `plots` beside it.
///
/// # Errors
/// When the page has no place for it, or can't be written to.
pub fn put_into(report: &Report, page: &Path) -> Result<(), RehearsalError> {
    let text = std::fs::read_to_string(page)?;
    let images = plots::all(report).map(|(name, _)| format!("\n\n![{name}](plots/{name})")).concat();
    let text = between(&text, &format!("{report}{images}"))
        .ok_or_else(|| impossible(format!("{} has no lines {BEGIN} and {END}", page.display())))?;
    let folder = page.parent().unwrap_or(Path::new(".")).join("plots");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(page, text)?;
    draw(report, &folder)
}

fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n\n{END}{after}"))
}

fn draw(report: &Report, folder: &Path) -> Result<(), RehearsalError> {
    for (name, svg) in plots::all(report) {
        std::fs::write(folder.join(name), svg)?;
    }
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

impl fmt::Display for Overload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "At {} orders a second (three times the top rate) {} a second were accepted, p50 {} ms, p99 {} ms; {} were \
             refused, p50 {} ms, p99 {} ms.",
            readable(self.came_per_s),
            readable(self.accepted_per_s),
            self.accepted_ms.p50,
            self.accepted_ms.p99,
            self.refused,
            self.refused_ms.p50,
            self.refused_ms.p99
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
        writeln!(f, "{}", self.overload)?;
        writeln!(
            f,
            "Resident memory: {} MB idle, {} MB after all of it.",
            readable(self.rss_mb.idle),
            readable(self.rss_mb.after)
        )?;
        writeln!(f, "On disk: {} bytes an order.", self.bytes_per_order)?;
        write!(
            f,
            "Sold beyond capacity: {}; failed checks: {}.",
            self.oversold,
            self.checks_failed.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_what_stands_around_the_table() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let fresh = between(&page, "new").unwrap();
        assert_eq!(fresh, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(between(&fresh, "new").unwrap(), fresh);
        assert!(between("nothing", "new").is_none() && between(&format!("{END}{BEGIN}"), "new").is_none());
    }
}

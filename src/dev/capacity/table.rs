//! The answer as people read it.

use std::fmt;

use super::rules::Plan;
use super::{Answer, Planned};
use crate::dev::bench::readable;

/// A table in Markdown.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = &self.measured;
        writeln!(
            f,
            "By what was measured: {} orders of one article placed a second, {} settled, {} ms of a core of the app and {} ms \
             of the database an order, on {} cores.\n",
            readable(measured.placed_per_s),
            readable(measured.settled_per_s),
            readable(measured.app_seconds * 1_000.0),
            readable(measured.database_seconds * 1_000.0),
            measured.cores
        )?;
        writeln!(
            f,
            "| sale | orders a second: mean, peak | instances, their cores | database: cores, connections | payment pages: \
             longest wait | mails a second | disk | in use at the peak |"
        )?;
        write!(f, "| --- | --- | --- | --- | --- | --- | --- | --- |")?;
        self.sales.iter().try_for_each(|planned| write!(f, "\n{}", planned.row()))
    }
}

impl Planned {
    fn row(&self) -> String {
        let plan = &self.plan;
        let used: Vec<_> = plan
            .needs
            .iter()
            .map(|need| format!("{} {} %", need.name, readable(need.load() * 100.0)))
            .collect();
        format!(
            "| {} | {}, {} | {}, {} | {}, {}{} | {} | {} | {} GB | {} |",
            self.name,
            readable(plan.mean_per_s),
            readable(plan.peak_per_s),
            plan.instances,
            plan.app_cores,
            plan.database_cores,
            plan.connections,
            if plan.needs_pooler { " (a pooler)" } else { "" },
            pages(plan, self.sale.is_paid),
            readable(plan.mails_per_s),
            readable(plan.disk_gb),
            used.join(", ")
        )
    }
}

fn pages(plan: &Plan, is_paid: bool) -> String {
    let seconds = plan.page_wait_seconds;
    let wait = match () {
        () if !is_paid => return "none are made".to_owned(),
        () if seconds <= 0.0 => "none".to_owned(),
        () if seconds < 120.0 => format!("{} s", readable(seconds)),
        () => format!("{} minutes", readable(seconds / 60.0)),
    };
    if plan.pages_come_in_time { wait } else { format!("{wait}: longer than the hold") }
}

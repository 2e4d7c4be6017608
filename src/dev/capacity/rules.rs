//! What a sale asks for, from its size alone. No machine is looked at.

use serde::Serialize;

/// How demand is shaped: of Xiaomi's 2.08 billion yuan in 23 hours (2015) the first 100 million came in 8 minutes 30 seconds.
/// So 4.8 % of a sale comes in the first 0.6 % of its time, eight times as fast as on average; the rest comes evenly.
const FIRST_SHARE: f64 = 0.048;
const FIRST_TIME: f64 = 0.006;
/// A machine that is busier than that answers late.
const BUSY_AT_MOST: f64 = 0.6;
/// Of the rows that an order of one line writes, half belong to the line: itself, its claims, its part of a drop's cap.
const SHARE_OF_A_LINE: f64 = 0.5;
/// One that dies must not be the last.
const INSTANCES_AT_LEAST: u32 = 2;
/// `max_connections` as PostgreSQL comes, less those it keeps for its superuser.
const DATABASE_CONNECTIONS: u32 = 97;
/// A receipt, and a welcome or word of the parcel.
const MAILS: f64 = 2.0;

/// What one instance and its database were seen to do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Orders of one hot article a second, at most.
    pub placed_per_s: f64,
    /// Orders settled a second.
    pub settled_per_s: f64,
    /// Seconds of a core that one order takes of the app, and of the database.
    pub app_seconds: f64,
    pub database_seconds: f64,
    /// Of the machine.
    pub cores: u32,
    /// That an order which was placed takes on the database's disk.
    pub bytes_per_order: f64,
}

/// What is planned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sale {
    /// Orders that are to be placed: units, one each.
    pub units: f64,
    pub seconds: f64,
    /// Who tries, whether he gets one or not; never fewer than the units.
    pub buyers: f64,
    pub lines: f64,
    /// Something is due, so Stripe makes a payment page.
    pub is_paid: bool,
    pub hold_minutes: f64,
}

/// What the shop may use.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Allowed {
    /// Calls of Stripe a second, of reads and of writes each.
    pub stripe_per_s: f64,
    /// Of an instance to the database.
    pub connections: u32,
}

/// One thing that may run short, in units a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Need {
    pub name: &'static str,
    pub needed: f64,
    pub there_is: f64,
}

impl Need {
    /// Above one it is too little.
    pub fn load(&self) -> f64 {
        self.needed / self.there_is.max(f64::MIN_POSITIVE)
    }
}

/// What a sale needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub mean_per_s: f64,
    pub peak_per_s: f64,
    pub instances: u32,
    pub app_cores: u32,
    pub database_cores: u32,
    pub connections: u32,
    pub needs_pooler: bool,
    /// From the order that waits longest for its payment page to the page.
    pub page_wait_seconds: f64,
    /// Whether that is shorter than the hold, as buyers expect it to be.
    pub pages_come_in_time: bool,
    pub mails_per_s: f64,
    pub disk_gb: f64,
    /// What is used most comes first: it is the next bottleneck.
    pub needs: Vec<Need>,
}

/// What this sale needs of shops that do what was measured.
pub fn plan(sale: &Sale, measured: &Measured, allowed: &Allowed) -> Plan {
    let of_lines = 1.0 + SHARE_OF_A_LINE * (sale.lines - 1.0).max(0.0);
    let tries = sale.buyers.max(sale.units);
    let peak = |count: f64| count * FIRST_SHARE / (sale.seconds * FIRST_TIME);
    let (peak_per_s, tried_per_s) = (peak(sale.units), peak(tries));
    let cores = |seconds: f64| whole(tried_per_s * of_lines * seconds / BUSY_AT_MOST);
    let (app_cores, database_cores) = (cores(measured.app_seconds), cores(measured.database_seconds));
    let instances = app_cores.div_ceil(measured.cores.max(1)).max(INSTANCES_AT_LEAST);
    let connections = instances.saturating_mul(allowed.connections);
    let placed = Need { name: "placing", needed: tried_per_s, there_is: measured.placed_per_s / of_lines };
    let settled = Need { name: "settling", needed: peak_per_s, there_is: measured.settled_per_s };
    let pages = Need { name: "Stripe", needed: peak_per_s, there_is: allowed.stripe_per_s };
    let mut needs = if sale.is_paid { vec![placed, settled, pages] } else { vec![placed] };
    needs.sort_by(|a, b| b.load().total_cmp(&a.load()));
    let page_wait_seconds = if sale.is_paid { longest_wait(sale, allowed.stripe_per_s) } else { 0.0 };
    Plan {
        mean_per_s: sale.units / sale.seconds,
        peak_per_s,
        instances,
        app_cores,
        database_cores,
        connections,
        needs_pooler: connections > DATABASE_CONNECTIONS,
        page_wait_seconds,
        pages_come_in_time: page_wait_seconds < sale.hold_minutes * 60.0,
        mails_per_s: if sale.is_paid { peak_per_s * MAILS } else { 0.0 },
        disk_gb: sale.units * of_lines * measured.bytes_per_order / 1e9,
        needs,
    }
}

/// How long the line is at its longest, in seconds, where so many are served a second: at the end of the first rush, or at
/// the end of the sale.
fn longest_wait(sale: &Sale, per_s: f64) -> f64 {
    let first = (sale.units * FIRST_SHARE - per_s * sale.seconds * FIRST_TIME).max(0.0);
    let rest = sale.units * (1.0 - FIRST_SHARE) - per_s * sale.seconds * (1.0 - FIRST_TIME);
    first.max(first + rest) / per_s.max(f64::MIN_POSITIVE)
}

/// Rounded up; of what no machine has, the most that can be said.
fn whole(count: f64) -> u32 {
    format!("{:.0}", count.ceil()).parse().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEASURED: Measured = Measured {
        placed_per_s: 1_000.0,
        settled_per_s: 100.0,
        app_seconds: 0.0006,
        database_seconds: 0.0012,
        cores: 2,
        bytes_per_order: 5_000.0,
    };
    const ALLOWED: Allowed = Allowed { stripe_per_s: 90.0, connections: 16 };

    /// Which has its peak at so many orders a second.
    fn sale(peak_per_s: f64) -> Sale {
        let units = peak_per_s / 8.0 * 1_000.0;
        Sale { units, seconds: 1_000.0, buyers: 0.0, lines: 1.0, is_paid: true, hold_minutes: 15.0 }
    }

    fn of(sale: &Sale) -> Plan {
        plan(sale, &MEASURED, &ALLOWED)
    }

    fn load(plan: &Plan, name: &str) -> f64 {
        plan.needs.iter().find(|need| need.name == name).unwrap().load()
    }

    fn is_near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-6 * expected.abs().max(1.0)
    }

    #[test]
    fn the_first_rush_is_eight_times_the_mean() {
        let plan = of(&sale(80.0));
        assert!(is_near(plan.mean_per_s, 10.0) && is_near(plan.peak_per_s, 80.0), "{plan:?}");
        assert!(is_near(plan.mails_per_s, 160.0));
        assert!(is_near(plan.disk_gb, 0.05));
    }

    #[test]
    fn cores_are_enough_to_be_three_fifths_busy() {
        // 2,000 a second at 0.6 ms are 1.2 cores: two are 60 % busy.
        let plan = of(&sale(1_999.0));
        assert_eq!((plan.app_cores, plan.database_cores, plan.instances), (2, 4, 2));
        let plan = of(&sale(2_001.0));
        assert_eq!((plan.app_cores, plan.database_cores, plan.instances), (3, 5, 2));
        let plan = of(&sale(4_001.0));
        assert_eq!((plan.app_cores, plan.instances), (5, 3));
    }

    #[test]
    fn a_pooler_is_needed_where_postgresql_has_too_few_connections() {
        // Six instances of two cores each: 96 connections.
        let plan = of(&sale(11_999.0));
        assert_eq!((plan.instances, plan.connections, plan.needs_pooler), (6, 96, false));
        let plan = of(&sale(12_001.0));
        assert_eq!((plan.instances, plan.connections, plan.needs_pooler), (7, 112, true));
    }

    #[test]
    fn pages_come_at_once_up_to_stripes_rate_and_then_later() {
        assert_eq!(of(&sale(89.9)).page_wait_seconds, 0.0);
        let plan = of(&sale(90.1));
        assert!(plan.page_wait_seconds > 0.0 && plan.pages_come_in_time);
        // On average more than Stripe takes: the last order waits longest.
        let crowded = Sale { units: 180_000.0, ..sale(0.0) };
        assert!(is_near(of(&crowded).page_wait_seconds, 1_000.0));
        assert!(!of(&crowded).pages_come_in_time);
        let patient = Sale { hold_minutes: 17.0, ..crowded };
        assert!(of(&patient).pages_come_in_time);
    }

    #[test]
    fn what_is_used_most_is_the_next_bottleneck() {
        assert_eq!(of(&sale(80.0)).needs[0].name, "Stripe");
        let slow = Measured { settled_per_s: 89.0, ..MEASURED };
        assert_eq!(plan(&sale(80.0), &slow, &ALLOWED).needs[0].name, "settling");
        // A thousand try for each unit: the place is what runs short.
        let wanted = Sale { buyers: 100_000.0, ..sale(8.0) };
        let plan = of(&wanted);
        assert_eq!(plan.needs[0].name, "placing");
        assert!(is_near(load(&plan, "placing"), 0.8) && is_near(load(&plan, "Stripe"), 8.0 / 90.0));
    }

    #[test]
    fn what_costs_nothing_needs_no_stripe_and_each_line_costs_half_an_order() {
        let free = of(&Sale { is_paid: false, ..sale(1_000.0) });
        assert_eq!((free.needs.len(), free.page_wait_seconds, free.mails_per_s), (1, 0.0, 0.0));
        assert!(is_near(load(&free, "placing"), 1.0));
        let cart = of(&Sale { lines: 3.0, is_paid: false, ..sale(1_000.0) });
        assert!(is_near(load(&cart, "placing"), 2.0) && is_near(cart.disk_gb, 2.0 * free.disk_gb));
    }

    #[test]
    fn what_no_machine_has_is_said_as_the_most() {
        assert_eq!(whole(1e12), u32::MAX);
        assert_eq!((whole(0.0), whole(1.0), whole(1.01)), (0, 1, 2));
    }
}

//! The eye on the pools: five times a second it counts, from the rows, what is held and what is sold.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval};
use tokio_postgres::Client;

use super::scenario::{Scenario, connect};
use crate::ports::clock::Clock;

const EVERY: Duration = Duration::from_millis(200);
/// Where the clock may be moved: when nothing has happened for that long.
const STILL_FOR: Duration = Duration::from_secs(3);
const LAPSE: TimeDelta = TimeDelta::seconds(10);

/// What is counted, by drive, drop or give-out: the counters of its pools, and the claims on them. The units of F-codes lie in pools
/// of their own.
const COUNT: &str = "WITH wares AS MATERIALIZED (SELECT code, pool_id FROM drives
          UNION ALL SELECT d.code, i.pool_id FROM drops d JOIN drop_items i ON i.drop_id = d.id
          UNION ALL SELECT d.code, f.pool_id FROM drops d JOIN f_codes f ON f.drop_id = d.id
          UNION ALL SELECT g.code, k.pool_id FROM give_outs g JOIN coupon_campaigns k ON k.id = g.campaign_id)
    SELECT w.code, sum(p.held + p.taken)::bigint, sum(coalesce(c.held, 0))::bigint,
        sum(coalesce(c.taken, 0))::bigint
    FROM wares w JOIN pools p ON p.id = w.pool_id
        LEFT JOIN (SELECT pool_id, sum(quantity) FILTER (WHERE state = 'held') AS held,
                       sum(quantity) FILTER (WHERE state = 'taken') AS taken
                   FROM claims WHERE state IN ('held', 'taken') AND pool_id IN (SELECT pool_id FROM wares)
                   GROUP BY pool_id) c ON c.pool_id = p.id
    GROUP BY w.code";

/// How far the sale has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub places: i64,
    pub held: i64,
    pub taken: i64,
    /// Everything is sold and nothing held, or the doors are closed.
    pub ended: bool,
}

pub struct Watch {
    progress: watch::Sender<Progress>,
    oversold: Arc<AtomicI64>,
    task: JoinHandle<()>,
}

impl Watch {
    pub fn start(url: &str, scenario: &Scenario, clock: &Clock) -> Self {
        let first = Progress { places: scenario.units(), ..Progress::default() };
        let (progress, oversold) = (watch::Sender::new(first), Arc::new(AtomicI64::new(0)));
        let eye = Eye {
            url: url.to_owned(),
            scenario: scenario.clone(),
            clock: clock.clone(),
            progress: progress.clone(),
            oversold: Arc::clone(&oversold),
            bar: bar(scenario),
        };
        Self { progress, oversold, task: tokio::spawn(eye.watch()) }
    }

    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The doors close, whatever is left.
    pub fn close(&self) {
        self.progress.send_modify(|now| now.ended = true);
    }

    /// The most places that were ever held or sold beyond the quotas.
    pub fn stop(self) -> i64 {
        self.task.abort();
        self.oversold.load(Ordering::Acquire)
    }
}

fn bar(scenario: &Scenario) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(scenario.units()).unwrap_or(0));
    // Drawn on stderr, where that is a terminal.
    let style = "{elapsed_precise} {bar:40} {pos}/{len} sold, {msg}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

struct Eye {
    url: String,
    scenario: Scenario,
    clock: Clock,
    progress: watch::Sender<Progress>,
    oversold: Arc<AtomicI64>,
    bar: ProgressBar,
}

impl Eye {
    async fn watch(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut client, mut last, mut changed_at) = (None, Progress::default(), Instant::now());
        loop {
            ticks.tick().await;
            match self.look(&mut client).await {
                Ok(now) => {
                    if (now.held, now.taken) != (last.held, last.taken) {
                        (last, changed_at) = (now, Instant::now());
                    }
                    if self.scenario.moves_clock && now.held > 0 && changed_at.elapsed() > STILL_FOR {
                        self.move_clock(client.as_ref()).await;
                        changed_at = Instant::now();
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "the rehearsal's database doesn't answer");
                    client = None;
                }
            }
        }
    }

    async fn look(&self, client: &mut Option<Client>) -> Result<Progress, tokio_postgres::Error> {
        if client.is_none() {
            *client = Some(connect(&self.url).await?);
        }
        let rows = match client {
            Some(client) => client.query(COUNT, &[]).await?,
            None => Vec::new(),
        };
        let mut now = Progress { places: self.scenario.units(), ..Progress::default() };
        let (mut beyond, mut sold_out) = (0, !rows.is_empty());
        for row in &rows {
            let (code, counted): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
            let (held, taken): (i64, i64) = (row.try_get(2)?, row.try_get(3)?);
            // The quota as it was meant, not as the row may say by now.
            let quota =
                self.scenario.wares.iter().find(|ware| ware.code == code).map_or(0, |ware| ware.quota);
            beyond += counted.max(held + taken).saturating_sub(quota).max(0);
            sold_out &= taken >= quota && held == 0;
            now.held += held;
            now.taken += taken;
        }
        self.oversold.fetch_max(beyond, Ordering::AcqRel);
        self.bar.set_position(u64::try_from(now.taken).unwrap_or(0));
        self.bar.set_message(format!("{} held", now.held));
        self.progress.send_if_modified(|known| {
            let next = Progress { ended: known.ended || sold_out, ..now };
            let moved = *known != next;
            *known = next;
            moved
        });
        Ok(now)
    }

    /// Nothing moves but the time until holds end: moves the shop's clock, and the simulator's with it.
    async fn move_clock(&self, client: Option<&Client>) {
        let micros = LAPSE.num_microseconds().unwrap_or(0);
        let sql = format!("UPDATE shop_clock SET offset_micros = offset_micros + {micros}");
        let Some(client) = client else { return };
        match client.batch_execute(&sql).await {
            Ok(()) => self.clock.raise_offset(self.clock.offset() + LAPSE),
            Err(error) => tracing::warn!(%error, "the clock can't be moved"),
        }
    }
}

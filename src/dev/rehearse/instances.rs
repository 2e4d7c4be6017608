//! Instances of the program under test, as processes of their own.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::place::Place;
use super::{RehearsalError, SECRET_KEY, SHOP, WEBHOOK_SECRET, impossible};

/// The hidden subcommand that [`super::instance::serve`] is behind.
pub const SUBCOMMAND: &str = "rehearsal-instance";
const READY_MAX: Duration = Duration::from_secs(60);
/// Lines of an instance's log that are told when a rehearsal fails.
const TOLD_LINES: usize = 20;

/// All instances.
pub struct Fleet(Vec<Instance>);

struct Instance {
    address: SocketAddr,
    environment: Vec<(&'static str, String)>,
    log: PathBuf,
    /// Killed when it is dropped.
    child: Mutex<Child>,
}

impl Fleet {
    /// Starts them and waits until each answers. They keep to so many calls of Stripe a second together. `more` are
    /// settings beside those that any of them needs.
    ///
    /// # Errors
    /// When one can't be started.
    pub async fn start(
        count: usize,
        place: &Place,
        stripe: (&str, u32),
        more: &[(&'static str, &str)],
    ) -> Result<Self, RehearsalError> {
        let mut instances = Vec::with_capacity(count);
        for number in 0..count {
            let address = free_address()?;
            let mut environment = environment(number, address, place, stripe);
            environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
            let log = place.folder().join(format!("instance-{number}.log"));
            let child = Mutex::new(spawn(&environment, &log)?);
            instances.push(Instance { address, environment, log, child });
        }
        for instance in &instances {
            instance.wait_until_ready().await?;
        }
        Ok(Self(instances))
    }

    pub fn urls(&self) -> Vec<String> {
        self.addresses().iter().map(|address| format!("http://{address}")).collect()
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|instance| instance.address).collect()
    }

    /// The processes that run now.
    pub async fn processes(&self) -> Vec<u32> {
        let mut ids = Vec::with_capacity(self.0.len());
        for instance in &self.0 {
            ids.extend(instance.child.lock().await.id());
        }
        ids
    }

    /// The first instance's URL, where Stripe's events go; also the one that is killed.
    pub fn front(&self) -> String {
        self.urls().into_iter().next().unwrap_or_default()
    }

    /// Kills the first instance where it stands, and starts it again at the same address after `away`.
    ///
    /// # Errors
    /// When it doesn't come back.
    pub async fn crash_front(&self, away: Duration) -> Result<(), RehearsalError> {
        let front = self.0.first().ok_or_else(|| impossible("there is no instance"))?;
        {
            let mut child = front.child.lock().await;
            // SIGKILL: nothing is finished, nothing is said.
            child.kill().await?;
            sleep(away).await;
            *child = spawn(&front.environment, &front.log)?;
        }
        front.wait_until_ready().await
    }

    /// Tells the end of what the instances logged.
    pub fn tell(&self) {
        for instance in &self.0 {
            let log = std::fs::read_to_string(&instance.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(TOLD_LINES)) {
                tracing::warn!(instance = %instance.address, said = line);
            }
        }
    }
}

impl Instance {
    async fn wait_until_ready(&self) -> Result<(), RehearsalError> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let url = format!("http://{}/v1/drives", self.address);
        let begun = Instant::now();
        while begun.elapsed() < READY_MAX {
            if client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            let mut child = self.child.lock().await;
            if let Some(status) = child.try_wait()? {
                // A port that was taken meanwhile, or a database that was just killed.
                tracing::warn!(%status, "an instance ended at its start and is started again");
                sleep(Duration::from_millis(500)).await;
                *child = spawn(&self.environment, &self.log)?;
            }
            drop(child);
            sleep(Duration::from_millis(50)).await;
        }
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = said.lines().next_back().unwrap_or_default();
        Err(impossible(format!("an instance doesn't answer; it said: {last}")))
    }
}

/// A port that is free now and will be asked for by name, so that an instance comes back where it was.
fn free_address() -> Result<SocketAddr, RehearsalError> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn environment(
    number: usize,
    address: SocketAddr,
    place: &Place,
    (stripe_url, stripe_rate): (&str, u32),
) -> Vec<(&'static str, String)> {
    let folder = place.folder();
    vec![
        ("DATABASE_URL", place.url().to_owned()),
        ("KINDRED_LISTEN", address.to_string()),
        ("KINDRED_PUBLIC_URL", SHOP.to_owned()),
        ("KINDRED_DATA_DIR", folder.join(format!("instance-{number}")).display().to_string()),
        ("KINDRED_STRIPE_URL", stripe_url.to_owned()),
        ("KINDRED_STRIPE_RATE", stripe_rate.to_string()),
        ("STRIPE_SECRET_KEY", SECRET_KEY.to_owned()),
        ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
        ("KINDRED_SMTP_URL", format!("file://{}", folder.join("mails").display())),
        ("KINDRED_LOG", "warn".to_owned()),
    ]
}

/// Starts an instance without any setting of the shop in whose environment the rehearsal may run.
fn spawn(environment: &[(&'static str, String)], log: &PathBuf) -> Result<Child, RehearsalError> {
    let log: File = OpenOptions::new().create(true).append(true).open(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["KINDRED_", "DATABASE_URL", "STRIPE_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
        .arg(SUBCOMMAND)
        .envs(environment.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    Ok(command.spawn()?)
}

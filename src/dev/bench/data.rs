//! Shops with many members, made once and kept: one member buys as anybody does, and all he has is copied by SQL.

use std::path::{Path, PathBuf};

use diesel_async::SimpleAsyncConnection;
use tokio::time::Instant;

use super::shop::Shop;
use super::{Bench, UNPACED, count, issuing, settling, start};
use crate::check;
use crate::db::{self, private};
use crate::dev::rehearse::place::Place;
use crate::dev::rehearse::{RehearsalError, impossible, start_stripe};
use crate::error::AppError;
use crate::ports::clock::Clock;

const GROW: &str = include_str!("grow.sql");
const COUPONS_A_MEMBER: i64 = 10;
/// The folder for logs and mails of instances.
const INSTANCES: &str = "instances";

/// The server on which they are.
pub struct Data {
    cluster: private::Cluster,
    folder: PathBuf,
}

impl Data {
    /// # Errors
    /// When there is no folder or no server to be had.
    pub async fn open(folder: &Path) -> Result<Self, RehearsalError> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        Ok(Self { cluster: private::open(&folder, private::Options::default()).await?, folder })
    }

    /// The shop with so many members, made where it isn't there.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn shop(&self, members: i64) -> Result<Place, RehearsalError> {
        let name = format!("members_{members}");
        let mut admin = db::establish(&self.cluster.url_for("postgres")).await.map_err(AppError::internal)?;
        let known = "SELECT count(*) AS count FROM pg_database
             WHERE datname = '$name' AND shobj_description(oid, 'pg_database') = 'whole'";
        if count(&mut admin, &known.replace("$name", &name)).await? == 0 {
            let begun = Instant::now();
            for sql in ["DROP DATABASE IF EXISTS $name WITH (FORCE)", "CREATE DATABASE $name"] {
                admin.batch_execute(&sql.replace("$name", &name)).await.map_err(AppError::from)?;
            }
            make(&self.place(&name)?, members).await?;
            let whole = format!("COMMENT ON DATABASE {name} IS 'whole'");
            admin.batch_execute(&whole).await.map_err(AppError::from)?;
            tracing::warn!(members, seconds = begun.elapsed().as_secs(), "a shop to be measured was made");
        }
        self.place(&name)
    }

    fn place(&self, database: &str) -> Result<Place, RehearsalError> {
        let folder = self.folder.join(INSTANCES).join(database);
        std::fs::create_dir_all(&folder)?;
        Ok(Place::of(&self.cluster, database, folder))
    }

    /// Stops the server; the shops stay, and what their instances wrote beside them goes.
    pub async fn close(self) {
        self.cluster.stop().await;
        if let Err(error) = std::fs::remove_dir_all(self.folder.join(INSTANCES)) {
            tracing::debug!(%error, "no instance has written anything");
        }
    }
}

/// A member who has bought a membership and goods, as often as there are to be members.
async fn make(place: &Place, members: i64) -> Result<(), RehearsalError> {
    let (clock, stripe) = (Clock::real(), start_stripe(&Clock::real(), None)?);
    db::migrate(place.url()).await?;
    let mut conn = db::establish(place.url()).await.map_err(AppError::internal)?;
    let shop = Shop::seed(&mut conn, clock.now()).await?;
    let fleet = start(1, place, (&stripe.url, UNPACED)).await?;
    let bench = Bench::of(place, &fleet, shop, 1.0).await?;
    let buyers = bench.buyers(1).await?;
    let [member] = buyers.as_slice() else { return Err(impossible("nobody buys")) };
    for line in [bench.shop.drive_line(), bench.shop.spread_line(0)] {
        let bought = settling::buy(&bench, &stripe.url, &buyers, line).await?;
        settling::settle(&bench, bought).await?;
    }
    drop(fleet);
    let issue = issuing::ended(&bench, "issued", members * COUPONS_A_MEMBER).await?;
    // No foreign key is looked at: a copy refers to what was copied with it.
    let alone = "SET session_replication_role = replica";
    for sql in [
        GROW,
        alone,
        &format!("SELECT pg_temp.grow('{}', {})", member.account.0, members - 1),
        &format!("SELECT pg_temp.issue('{}')", issue.id.0),
    ] {
        conn.batch_execute(sql).await.map_err(AppError::from)?;
    }
    conn.batch_execute("VACUUM (FREEZE, ANALYZE)").await.map_err(AppError::from)?;
    match check::run(&mut conn, &clock).await?.failed().as_slice() {
        [] => Ok(()),
        failed => Err(impossible(format!("what was made doesn't hold: {}", failed.join(", ")))),
    }
}

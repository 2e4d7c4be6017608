//! `kindred coupons …`: campaigns and codes without writing HTTP by hand. Who runs it has the machine, so it needs no rights
//! of the shop's; what it does is audited as the system's.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures::TryStreamExt as _;

use super::campaigns::dto::NewCampaign;
use super::campaigns::model::Campaign;
use super::campaigns::{figures, model as campaigns, service as campaign_service};
use super::coupons::dto::{NewGrants, NewIssue, NewRevocation};
use super::coupons::{issue, model, service};
use super::mailings;
use super::mailings::dto::NewMailing;
use crate::audit::Actor;
use crate::db::{self, Pool};
use crate::error::{AppError, Code, Result};
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model as accounts;
use crate::types::email::Email;
use crate::types::id::{CouponId, CouponIssueId};
use crate::types::money::display;

#[derive(Clone, Debug, Subcommand)]
pub enum CouponsCommand {
    /// Makes a campaign from a JSON file, the body of `POST /v1/admin/coupon-campaigns`.
    Create { file: PathBuf },
    /// Makes codes that are good for one use each.
    Issue(IssueArgs),
    /// Puts a coupon each into the wallets of these addresses, or of everybody in a segment, who is told by mail.
    Give {
        /// The campaign's code.
        campaign: String,
        /// Addresses of accounts.
        #[arg(required_unless_present = "segment", conflicts_with = "segment")]
        to: Vec<Email>,
        /// The segment's code.
        #[arg(long)]
        segment: Option<String>,
        /// Why: it goes into the audit log.
        #[arg(long)]
        reason: String,
    },
    /// What a campaign came to, by day.
    Stats {
        /// The campaign's code.
        campaign: String,
    },
    /// Revokes one code, those of an issue, or all of the campaign.
    Revoke(RevokeArgs),
}

#[derive(Clone, Debug, Args)]
pub struct IssueArgs {
    /// The campaign's code.
    campaign: String,
    /// 1 to 10,000,000.
    #[arg(long)]
    quantity: i64,
    /// What all of them begin with.
    #[arg(long)]
    prefix: Option<String>,
    /// Random letters of a code: 10 to 24.
    #[arg(long)]
    length: Option<i32>,
    /// Writes the codes there, as CSV; standard output otherwise.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub struct RevokeArgs {
    /// The campaign's code.
    campaign: String,
    /// One code.
    #[arg(long, group = "which")]
    code: Option<String>,
    /// The codes of one issue.
    #[arg(long, group = "which")]
    issue: Option<CouponIssueId>,
    /// Every code of the campaign.
    #[arg(long, group = "which")]
    all: bool,
    /// Why: it goes into the audit log.
    #[arg(long)]
    reason: String,
}

/// How far long work is: so many are done of so many.
pub type Progress<'a> = &'a (dyn Fn(i64, i64) + Sync);

/// Runs the command and says in a line what came of it. `progress` is told how far long work is.
///
/// # Errors
/// As the routes refuse.
pub async fn run(
    command: CouponsCommand,
    pool: &Pool,
    currency: &str,
    progress: Progress<'_>,
) -> Result<String> {
    match command {
        CouponsCommand::Create { file } => create(pool, &file, currency).await,
        CouponsCommand::Issue(asked) => make(pool, asked, progress).await,
        CouponsCommand::Give { campaign, segment: Some(segment), reason, .. } => {
            mail(pool, &campaign, NewMailing { segment, reason }, progress).await
        }
        CouponsCommand::Give { campaign, to, reason, .. } => give(pool, &campaign, &to, reason).await,
        CouponsCommand::Stats { campaign } => stats(pool, &campaign, currency).await,
        CouponsCommand::Revoke(asked) => revoke(pool, asked).await,
    }
}

async fn named(pool: &Pool, code: &str) -> Result<Campaign> {
    let found = campaigns::find_code(&mut *db::connect(pool).await?, code).await?;
    found.ok_or_else(|| Code::NotFound.because(format!("There is no campaign `{code}`.")))
}

async fn create(pool: &Pool, file: &std::path::Path, currency: &str) -> Result<String> {
    let unreadable =
        |error: &dyn std::fmt::Display| AppError::internal(format!("{}: {error}", file.display()));
    let bytes = tokio::fs::read(file).await.map_err(|error| unreadable(&error))?;
    let new: NewCampaign = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
    let now = db::shop_clock(pool).await?.now();
    let made = campaign_service::create(pool, Actor::System, &new, currency, now).await?;
    let warned =
        if made.warnings.is_empty() { String::new() } else { format!(" ({})", made.warnings.join(", ")) };
    Ok(format!("made {} {}{warned}", made.id, made.code))
}

async fn make(pool: &Pool, asked: IssueArgs, progress: Progress<'_>) -> Result<String> {
    let campaign = named(pool, &asked.campaign).await?;
    let clock = db::shop_clock(pool).await?;
    let new =
        NewIssue { quantity: asked.quantity, prefix: asked.prefix, length: asked.length, expires_at: None };
    let (mut issue, _) = service::issue(pool, Actor::System, campaign.id, &new, None, clock.now()).await?;
    // A running shop may help: each part is done once. Cut off, a running shop, or the next one that starts, finishes it.
    while issue.ended_at.is_none() {
        issue = issue::step(pool, issue.id, clock.now()).await?;
        progress(issue.made, issue.quantity);
    }
    let mut out: Box<dyn Write> = match &asked.out {
        Some(file) => Box::new(std::fs::File::create(file).map_err(AppError::internal)?),
        None => Box::new(std::io::stdout()),
    };
    let mut pages = std::pin::pin!(issue::csv(pool.clone(), campaign.id, Some(issue.id)));
    while let Some(page) = pages.try_next().await? {
        out.write_all(&page).map_err(AppError::internal)?;
    }
    out.flush().map_err(AppError::internal)?;
    Ok(format!("made {} codes: {}", issue.made, issue.id))
}

async fn give(pool: &Pool, campaign: &str, to: &[Email], reason: String) -> Result<String> {
    let campaign = named(pool, campaign).await?;
    let now = db::shop_clock(pool).await?.now();
    let mut accounts = Vec::with_capacity(to.len());
    for email in to {
        let found = accounts::find_by_email(&mut *db::connect(pool).await?, email).await?;
        let missing = || Code::NotFound.because(format!("There is no account of {}.", email.as_str()));
        accounts.push(found.ok_or_else(missing)?.id);
    }
    let given =
        service::grant(pool, Actor::System, campaign.id, &NewGrants { accounts, reason }, None, now).await?;
    Ok(format!("gave {given} coupons"))
}

async fn mail(pool: &Pool, campaign: &str, new: NewMailing, progress: Progress<'_>) -> Result<String> {
    let campaign = named(pool, campaign).await?;
    let clock = db::shop_clock(pool).await?;
    let (mut of, _) =
        mailings::service::begin(pool, Actor::System, campaign.id, &new, None, clock.now()).await?;
    // As with codes that are made: a running shop may help, or finish it. It sends the mails.
    while of.ended_at.is_none() {
        let rests = || Code::Closed.because("The campaign is paused: the rest is given once it goes on.");
        of = mailings::service::step(pool, of.id, clock.now()).await?.ok_or_else(rests)?;
        progress(of.given, of.accounts);
    }
    Ok(format!("gave {} coupons, {} of them are told by mail: {}", of.given, of.mailed, of.id))
}

async fn stats(pool: &Pool, campaign: &str, currency: &str) -> Result<String> {
    let campaign = named(pool, campaign).await?;
    let seen = figures::of(&mut *db::connect(pool).await?, &campaign, currency).await?;
    let money = |minor: i64| display(minor, currency);
    let budget = seen.budget.map_or_else(|| "no budget".to_owned(), |budget| money(budget.amount));
    let mut told = format!(
        "{}: {} codes, {} held, {} redeemed, {} released; {} off of {budget}, orders of {}",
        campaign.code,
        seen.issued,
        seen.held,
        seen.redeemed,
        seen.released,
        money(seen.discount.amount),
        money(seen.revenue.amount)
    );
    for day in seen.days {
        told.push_str(&format!(
            "\n{}: {} held, {} redeemed, {} released; {} off, orders of {}",
            day.day,
            day.held,
            day.redeemed,
            day.released,
            money(day.discount.amount),
            money(day.revenue.amount)
        ));
    }
    Ok(told)
}

async fn revoke(pool: &Pool, asked: RevokeArgs) -> Result<String> {
    let campaign = named(pool, &asked.campaign).await?;
    let now = db::shop_clock(pool).await?.now();
    let coupon: Option<CouponId> = match &asked.code {
        None => None,
        Some(code) => {
            let found = model::find(&*db::connect(pool).await?, &[normal_code(code)]).await?.pop();
            Some(found.ok_or_else(|| Code::NotFound.because("There is no such code."))?.id)
        }
    };
    let new =
        NewRevocation { coupon, issue: asked.issue, all: asked.all.then_some(true), reason: asked.reason };
    let revoked = service::revoke(pool, Actor::System, campaign.id, &new, now).await?;
    Ok(format!("revoked {revoked} codes"))
}

//! Jobs: work outside the transaction that caused it. A job's row is written in that transaction ([`enqueue`]), its body
//! lives in its feature, and [`run`] is the table of which is which. A body may run twice (a lost lease, a crash after
//! its work): each is idempotent. Of those in [`Job::MERGED`] one run serves all that are queued.

pub mod housekeeping;
pub mod model;
pub mod queue;
pub mod routes;
pub mod schedule;
pub mod service;
pub mod shift;
pub mod worker;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::app::App;
use crate::checkout::{
    earned, gift_cards, gifts, invited, invoices, payments, pledges, portal, refunds, renewals,
};
use crate::db::Conn;
use crate::error::Result;
use crate::imports;
use crate::loyalty;
use crate::membership;
use crate::messages::{mails, notices};
use crate::people;
use crate::promotion;
use crate::promotion::occasions::rules::OccasionEvent;
use crate::shop;
use crate::types::id::{
    AccountId, AssociateId, CouponIssueId, DropId, FreezeId, GiftCardId, GiftId, ImportId, LevelId, MailId,
    MailingId, MeasureId, MembershipId, NoticeId, OrderId, PacketId, PaymentId, PortalVisitId, RefundId,
    TrialId,
};

pub use queue::{enqueue, enqueue_all};

/// Every kind of job with its payload. A kind's name is stored: rename none while rows of it may be queued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "payload", rename_all = "snake_case")]
pub enum Job {
    /// Sends one mail of the outbox.
    SendMail { mail: MailId },
    /// Makes a payment page at Stripe.
    OpenCheckout { payment: PaymentId },
    /// Expires a session that must not be paid any more.
    CloseCheckout { payment: PaymentId },
    /// Asks Stripe how a payment stands.
    CheckPayment { payment: PaymentId },
    /// Gives back what an unpaid order held, or honours it.
    EndHold { order: OrderId },
    /// A delayed method has had its time.
    EndProcessing { payment: PaymentId },
    /// Mails that a hold is about to run out.
    WarnHold { payment: PaymentId },
    /// Applies an event of Stripe's.
    ApplyEvent { event: String },
    /// Asks Stripe to send money back.
    SendRefund { refund: RefundId },
    /// Delivers an order of which nothing is due.
    SettleFree { order: OrderId },
    /// Walks Stripe's recent events and sessions.
    Reconcile {},
    /// Closes a membership whose grace is over.
    ExpireMembership { membership: MembershipId },
    /// Does what is due before and at the end of a membership: notices, reminders, the charge of the saved card.
    Renew { membership: MembershipId, ends_at: DateTime<Utc> },
    /// Takes a payment from a saved card.
    ChargeCard { payment: PaymentId },
    /// Asks Stripe for a page on which somebody looks after his saved cards.
    OpenPortal { visit: PortalVisitId },
    /// Resumes a membership that its member has let rest until now.
    EndFreeze { freeze: FreezeId },
    /// The days of a suspension have passed.
    EndSuspension { measure: MeasureId },
    /// Refunds what an expulsion gives back.
    RefundExpelled { measure: MeasureId },
    /// Invitations of associates that nobody answered, and seats that a membership no longer gives.
    TendAssociates {},
    /// Mails somebody that he is an associate no more.
    TellAssociate { associate: AssociateId },
    /// Removes what is kept for a time only: finished jobs, old idempotency keys, forgotten baskets,
    /// expired tokens, stale attempts.
    Purge {},
    /// Mails a token that sets a new password; for nobody where the address isn't known.
    SendPasswordReset { account: Option<AccountId>, request: Uuid },
    /// Makes the next key of the access tokens when the newest one is old.
    RotateSigningKeys {},
    /// F-codes whose time is over give their units back.
    EndFCodes {},
    /// Decides the goal of a crowdfunded drop when it is time.
    DecideGoal { drop: DropId },
    /// Refunds or tells the backers of a goal that is decided.
    ConcludeGoal { drop: DropId },
    /// The window of a crowdfunded drop was moved, and with it the time at which its parcels can be sent.
    MovePromises { drop: DropId },
    /// What came back is offered to those who wait for it.
    OfferFreed {},
    /// Mails who asked to hear when an announced product can be bought.
    SendReminders {},
    /// Tells operators of stock that has become low.
    WatchStock {},
    /// Does the lines of a file.
    RunImport { import: ImportId },
    /// Issues the invoices and credit notes that are due, all of them.
    IssueInvoices {},
    /// Makes the codes of a coupon campaign.
    IssueCoupons { issue: CouponIssueId },
    /// Gives an account what there is for something that happened to it.
    GiveOnOccasion { event: OccasionEvent, account: AccountId },
    /// Gives what there is for birthdays.
    GiveBirthdays {},
    /// Gives back what nobody opened of a red packet.
    EndPacket { packet: PacketId },
    /// Gives coupons to everybody in a segment.
    MailCoupons { mailing: MailingId },
    /// Fixes whom a notice is for, and queues its mails at the shop's pace.
    SendNotice { notice: NoticeId },
    /// Something happened to an order that somebody was invited to.
    FollowInvite { order: OrderId },
    /// Looks after the invitation of an order until it is decided.
    WatchInvite { order: OrderId },
    /// Looks after what an order has earned, until it can be spent.
    FollowPoints { order: OrderId },
    /// Writes off points whose time is over.
    ExpirePoints {},
    /// Mails who has points that expire soon.
    WarnOfPoints {},
    /// Looks at accounts that may have reached a level or a stage, or of whom something went back.
    FollowLevels {},
    /// Holds the reviews of levels that are due.
    ReviewLevels {},
    /// Looks at everybody by the rules of levels and of the ladder.
    WalkLoyalty {},
    /// Mails members who have become entitled to an upgrade offer.
    OfferUpgrades {},
    /// Sends back an order whose coupon its card had used up elsewhere.
    RefundRepeatCard { order: OrderId },
    /// Makes a gift card's code and mails it.
    DeliverGiftCard { card: GiftCardId },
    /// Makes a gift membership's code and mails it.
    DeliverGift { gift: GiftId },
    /// Tells the buyer of a gift membership that nobody has redeemed it.
    RemindGift { gift: GiftId },
    /// Tells who tries a plan that the trial ends.
    RemindTrial { trial: TrialId },
    /// Ends a trial behind which nothing was bought.
    EndTrial { trial: TrialId },
    /// Takes back coupons that were claimed since then under a membership whose money went back.
    TakeBackPerks { membership: MembershipId, since: DateTime<Utc> },
    /// Takes back coupons that somebody claimed since then of a level that he had not earned after all.
    TakeBackLevelPerks { account: AccountId, level: LevelId, since: DateTime<Utc> },
}

/// Kinds that wait for the same outside don't keep the others waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    Stripe,
    Mail,
    /// Mails of notices: however many, an order's mail doesn't wait for them.
    Notice,
    Local,
}

impl Lane {
    pub const ALL: [Self; 4] = [Self::Stripe, Self::Mail, Self::Notice, Self::Local];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Mail => "mail",
            Self::Notice => "notice",
            Self::Local => "local",
        }
    }

    /// Jobs of the lane that one instance runs at a time.
    pub fn concurrency(self) -> usize {
        match self {
            Self::Stripe => 48,
            Self::Mail => 4,
            Self::Notice => 2,
            Self::Local => 4,
        }
    }
}

impl Job {
    pub fn lane(&self) -> Lane {
        match self {
            Self::SendMail { .. } => Lane::Mail,
            Self::OpenCheckout { .. }
            | Self::CloseCheckout { .. }
            | Self::CheckPayment { .. }
            | Self::EndHold { .. }
            | Self::EndProcessing { .. }
            | Self::ApplyEvent { .. }
            | Self::SendRefund { .. }
            | Self::Renew { .. }
            | Self::ChargeCard { .. }
            | Self::OpenPortal { .. }
            | Self::Reconcile {} => Lane::Stripe,
            Self::WarnHold { .. } | Self::SettleFree { .. } => Lane::Local,
            Self::ExpireMembership { .. } | Self::EndFreeze { .. } | Self::Purge {} => Lane::Local,
            Self::EndSuspension { .. } | Self::RefundExpelled { .. } => Lane::Local,
            Self::TendAssociates {} | Self::TellAssociate { .. } => Lane::Local,
            Self::EndFCodes {} | Self::OfferFreed {} => Lane::Local,
            Self::DecideGoal { .. } | Self::ConcludeGoal { .. } | Self::MovePromises { .. } => Lane::Local,
            Self::RotateSigningKeys {} | Self::SendPasswordReset { .. } | Self::IssueInvoices {} => {
                Lane::Local
            }
            Self::SendReminders {} | Self::WatchStock {} | Self::RunImport { .. } => Lane::Local,
            Self::IssueCoupons { .. } | Self::MailCoupons { .. } | Self::SendNotice { .. } => Lane::Local,
            Self::GiveOnOccasion { .. } | Self::GiveBirthdays {} | Self::EndPacket { .. } => Lane::Local,
            Self::FollowInvite { .. } | Self::WatchInvite { .. } => Lane::Local,
            Self::FollowPoints { .. } | Self::ExpirePoints {} | Self::WarnOfPoints {} => Lane::Local,
            Self::FollowLevels {} | Self::ReviewLevels {} | Self::WalkLoyalty {} => Lane::Local,
            Self::DeliverGiftCard { .. } | Self::RefundRepeatCard { .. } | Self::OfferUpgrades {} => {
                Lane::Local
            }
            Self::DeliverGift { .. } | Self::RemindGift { .. } => Lane::Local,
            Self::RemindTrial { .. } | Self::EndTrial { .. } => Lane::Local,
            Self::TakeBackPerks { .. } | Self::TakeBackLevelPerks { .. } => Lane::Local,
        }
    }

    /// One run does the work of all that are queued: they look for what there is to do, whoever queued them.
    pub const MERGED: [&str; 8] = [
        "offer_freed",
        "end_f_codes",
        "conclude_goal",
        "renew",
        "follow_points",
        "follow_levels",
        "walk_loyalty",
        "issue_invoices",
    ];

    /// After that many failures the job is dead and an operator sees it.
    pub fn max_attempts(&self) -> i32 {
        match self {
            Self::SendMail { .. } => 12,
            Self::ExpireMembership { .. } | Self::EndFreeze { .. } | Self::EndSuspension { .. } => 12,
            Self::TellAssociate { .. } => 12,
            Self::TendAssociates {} => 5,
            // With pauses up to an hour: about a day, Stripe's keys' life.
            Self::OpenCheckout { .. } | Self::SendRefund { .. } => 34,
            // What holds a place or a person's money is tried for a week.
            Self::EndHold { .. }
            | Self::EndProcessing { .. }
            | Self::CloseCheckout { .. }
            | Self::ApplyEvent { .. }
            | Self::DecideGoal { .. }
            | Self::ConcludeGoal { .. }
            | Self::MovePromises { .. }
            | Self::EndPacket { .. }
            | Self::FollowInvite { .. }
            | Self::WatchInvite { .. }
            | Self::FollowPoints { .. }
            | Self::FollowLevels {}
            | Self::DeliverGiftCard { .. }
            | Self::DeliverGift { .. }
            | Self::RefundRepeatCard { .. }
            | Self::Renew { .. }
            | Self::ChargeCard { .. }
            | Self::RefundExpelled { .. }
            | Self::SendNotice { .. }
            | Self::SettleFree { .. } => 180,
            Self::OpenPortal { .. } => 3,
            Self::CheckPayment { .. } | Self::WarnHold { .. } | Self::Reconcile {} => 3,
            Self::Purge {} | Self::EndFCodes {} | Self::OfferFreed {} => 5,
            Self::RotateSigningKeys {} | Self::SendPasswordReset { .. } => 5,
            Self::SendReminders {} | Self::WatchStock {} | Self::RunImport { .. } => 5,
            Self::IssueCoupons { .. } | Self::MailCoupons { .. } | Self::GiveOnOccasion { .. } => 12,
            Self::GiveBirthdays {} | Self::ExpirePoints {} | Self::WarnOfPoints {} => 5,
            Self::ReviewLevels {} | Self::WalkLoyalty {} | Self::OfferUpgrades {} => 12,
            Self::RemindGift { .. } | Self::RemindTrial { .. } | Self::EndTrial { .. } => 12,
            Self::TakeBackPerks { .. } | Self::TakeBackLevelPerks { .. } => 12,
            // Another one comes with the next order, and every few minutes.
            Self::IssueInvoices {} => 12,
        }
    }
}

/// How a job ended when it didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Not yet: run it again at that time (the shop's). Doesn't count as a failure.
    Again(DateTime<Utc>),
}

/// The pause before the next try: 2 s, 4 s, 8 s … at most an hour.
pub fn backoff(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 12)).unwrap_or(12);
    Duration::from_secs(2_u64.pow(doublings).min(3_600))
}

/// The table of kinds and bodies.
///
/// # Errors
/// The body's: the job is tried again after [`backoff`].
pub async fn run(job: Job, app: &App) -> Result<Outcome> {
    match job {
        Job::SendMail { mail } => mails::send::run(app, mail).await,
        Job::OpenCheckout { payment } => payments::jobs::open_checkout(app, payment).await,
        Job::CloseCheckout { payment } => payments::jobs::close_checkout(app, payment).await,
        Job::CheckPayment { payment } => payments::jobs::check_payment(app, payment).await,
        Job::EndHold { order } => payments::jobs::end_hold(app, order).await,
        Job::EndProcessing { payment } => payments::jobs::end_processing(app, payment).await,
        Job::WarnHold { payment } => payments::jobs::warn_hold(app, payment).await,
        Job::ApplyEvent { event } => payments::webhooks::apply_event(app, &event).await,
        Job::SendRefund { refund } => refunds::jobs::send(app, refund).await,
        Job::SettleFree { order } => payments::jobs::settle_free(app, order).await,
        Job::IssueCoupons { issue } => promotion::coupons::issue::run(app, issue).await,
        Job::GiveOnOccasion { event, account } => {
            promotion::occasions::service::give_on(app, event, account).await
        }
        Job::GiveBirthdays {} => promotion::occasions::service::give_birthdays(app).await,
        Job::EndPacket { packet } => promotion::packets::service::run_end(app, packet).await,
        Job::SendNotice { notice } => notices::sending::run(app, notice).await,
        Job::MailCoupons { mailing } => promotion::mailings::service::run(app, mailing).await,
        Job::FollowInvite { order } => invited::service::follow(app, order).await,
        Job::WatchInvite { order } => invited::service::watch(app, order).await,
        Job::FollowPoints { order } => earned::service::follow(app, order).await,
        Job::ExpirePoints {} => loyalty::points::jobs::expire(app).await,
        Job::WarnOfPoints {} => loyalty::points::jobs::warn(app).await,
        Job::FollowLevels {} => loyalty::walks::service::follow(app).await,
        Job::WalkLoyalty {} => loyalty::walks::service::walk(app).await,
        Job::ReviewLevels {} => loyalty::levels::reviews::run(app).await,
        Job::OfferUpgrades {} => loyalty::offers::jobs::run(app).await,
        Job::RefundRepeatCard { order } => promotion::repeat_cards::service::refund(app, order).await,
        Job::DeliverGiftCard { card } => gift_cards::jobs::deliver(app, card).await,
        Job::DeliverGift { gift } => gifts::jobs::deliver(app, gift).await,
        Job::RemindGift { gift } => gifts::jobs::remind(app, gift).await,
        Job::RemindTrial { trial } => membership::trials::jobs::remind(app, trial).await,
        Job::EndTrial { trial } => membership::trials::jobs::end(app, trial).await,
        Job::TakeBackPerks { membership, since } => {
            promotion::perks::service::take_back(app, membership, since).await
        }
        Job::TakeBackLevelPerks { account, level, since } => {
            promotion::perks::service::take_back_of_level(app, account, level, since).await
        }
        Job::IssueInvoices {} => invoices::service::issue_due(app).await,
        Job::EndFCodes {} => shop::drops::service::end_expired(app).await,
        Job::DecideGoal { drop } => pledges::jobs::decide(app, drop).await,
        Job::ConcludeGoal { drop } => pledges::jobs::conclude(app, drop).await,
        Job::MovePromises { drop } => pledges::jobs::move_promises(app, drop).await,
        Job::OfferFreed {} => shop::waiting_list::service::offer_freed(app).await,
        Job::SendReminders {} => shop::reminders::service::send_due(app).await,
        Job::WatchStock {} => shop::stock::service::watch(app).await,
        Job::RunImport { import } => imports::service::run(app, import).await,
        Job::Reconcile {} => payments::reconcile::run(app).await,
        Job::ExpireMembership { membership } => {
            membership::memberships::service::expire(app, membership).await
        }
        Job::Renew { membership, ends_at } => renewals::jobs::run(app, membership, ends_at).await,
        Job::ChargeCard { payment } => payments::charges::run(app, payment).await,
        Job::OpenPortal { visit } => portal::service::open(app, visit).await,
        Job::TendAssociates {} => membership::associates::jobs::tend_all(app).await,
        Job::TellAssociate { associate } => membership::associates::jobs::tell(app, associate).await,
        Job::EndFreeze { freeze } => membership::freezes::service::end(app, freeze).await,
        Job::EndSuspension { measure } => membership::measures::service::end_suspension(app, measure).await,
        Job::RefundExpelled { measure } => refunds::expelled::pay_back(app, measure).await,
        Job::Purge {} => housekeeping::run(app).await,
        Job::RotateSigningKeys {} => people::tokens::keys::rotate(app).await,
        Job::SendPasswordReset { account, request } => {
            people::resets::service::send(app, account, request).await
        }
    }
}

/// Called when a job has failed for the last time, in the transaction that marks it dead.
///
/// # Errors
/// The database's.
pub async fn on_dead(job: &Job, conn: &mut Conn, now: DateTime<Utc>, why: &str) -> Result<()> {
    match job {
        Job::SendMail { mail } => mails::model::give_up(conn, *mail, why).await,
        Job::OpenCheckout { payment } => payments::jobs::give_up(conn, now, *payment).await,
        Job::ChargeCard { payment } => payments::charges::give_up(conn, now, *payment).await,
        Job::OpenPortal { visit } => portal::model::fail(conn, *visit, "unavailable").await,
        Job::RunImport { import } => imports::service::give_up(conn, *import, now).await,
        _ => Ok(()),
    }
}

/// Called when an operator puts a dead job back into the queue, in the same transaction: undoes [`on_dead`] where that can
/// be undone.
///
/// # Errors
/// The database's.
pub async fn on_retry(job: &Job, conn: &mut Conn) -> Result<()> {
    match job {
        Job::SendMail { mail } => mails::model::requeue(conn, *mail).await,
        Job::RunImport { import } => imports::service::take_up(conn, *import).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_reads_back() {
        let job = Job::SendMail { mail: MailId::new() };
        let (kind, payload) = queue::to_columns(&job).unwrap();
        assert_eq!(kind, "send_mail");
        assert_eq!(queue::from_columns(&kind, payload).unwrap(), job);
    }

    #[test]
    fn kinds_that_are_merged_are_called_so() {
        let renew = Job::Renew { membership: MembershipId::new(), ends_at: DateTime::UNIX_EPOCH };
        let (conclude, follow) =
            (Job::ConcludeGoal { drop: DropId::new() }, Job::FollowPoints { order: OrderId::new() });
        let (levels, walk) = (Job::FollowLevels {}, Job::WalkLoyalty {});
        let invoices = Job::IssueInvoices {};
        let jobs = [Job::OfferFreed {}, Job::EndFCodes {}, conclude, renew, follow, levels, walk, invoices];
        assert_eq!(jobs.map(|job| queue::to_columns(&job).unwrap().0), Job::MERGED);
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        assert_eq!(backoff(1), Duration::from_secs(2));
        assert_eq!(backoff(5), Duration::from_secs(32));
        assert_eq!(backoff(1000), Duration::from_secs(3_600));
    }
}

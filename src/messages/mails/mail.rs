//! Every mail that the shop sends, with what its template needs.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{AppError, Result};
use crate::messages::notices::model::Notice;
use crate::types::id::NoticeId;
use crate::types::locale::Locale;

/// A mail's kind and data, as they lie in the outbox. A kind's name is stored: rename none, and give a new field a
/// default, while rows of it may be queued. Amounts are minor units of their `currency`, times are UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "snake_case")]
pub enum Mail {
    /// Sign-up: proves that the address is the account's.
    VerifyEmail {
        token: String,
    },
    ResetPassword {
        token: String,
    },
    /// To the new address, before it replaces the old one.
    ChangeEmail {
        token: String,
    },
    /// A membership began: the member's number and card. `ends_at` (exclusive) is none for life.
    Welcome {
        number: String,
        tier_zh: String,
        tier_en: String,
        starts_at: DateTime<Utc>,
        ends_at: Option<DateTime<Utc>>,
    },
    /// A membership is of a higher tier from now on. `ends_at` (exclusive) is none for life.
    Upgraded {
        number: String,
        tier_zh: String,
        tier_en: String,
        ends_at: Option<DateTime<Utc>>,
    },
    /// A membership goes on for one more term. `ends_at` (exclusive) is none for life.
    Renewed {
        number: String,
        tier_zh: String,
        tier_en: String,
        ends_at: Option<DateTime<Utc>>,
    },
    /// 5 to 7 days ahead: the saved card will be charged, and how to stop that. `card`: its last four digits.
    RenewalNotice {
        token: String,
        tier_zh: String,
        tier_en: String,
        amount_minor: i64,
        currency: String,
        charge_at: DateTime<Utc>,
        card: String,
    },
    /// To whom no card is charged: the term ends, or is over (`is_over`). `can_pay` where the link works by now.
    RenewalReminder {
        token: String,
        tier_zh: String,
        tier_en: String,
        amount_minor: i64,
        currency: String,
        ends_at: DateTime<Utc>,
        grace_ends_at: DateTime<Utc>,
        is_over: bool,
        can_pay: bool,
    },
    /// The saved card wasn't charged, for Stripe's or our short `reason`; it is tried again at `retry_at`, or no more.
    RenewalFailed {
        token: String,
        reason: String,
        amount_minor: i64,
        currency: String,
        retry_at: Option<DateTime<Utc>>,
        grace_ends_at: DateTime<Utc>,
    },
    /// The plan costs something else from the next term on.
    PriceChange {
        tier_zh: String,
        tier_en: String,
        was_minor: i64,
        amount_minor: i64,
        currency: String,
        from: DateTime<Utc>,
    },
    /// The saved card will have expired by the time at which it is to be charged. `card`: its last four digits.
    CardExpiring {
        token: String,
        card: String,
        month: i64,
        year: i64,
        charge_at: DateTime<Utc>,
    },
    /// Grace is over.
    MembershipExpired {
        tier_zh: String,
        tier_en: String,
        ended_at: DateTime<Utc>,
    },
    /// The member lets it end with its term.
    MembershipCancelled {
        ends_at: DateTime<Utc>,
    },
    /// The member has planned what his membership becomes at its end.
    ChangePlanned {
        tier_zh: String,
        tier_en: String,
        amount_minor: i64,
        currency: String,
        from: DateTime<Utc>,
        by_card: bool,
    },
    /// Somebody is invited to a seat of a member's, whose name may be empty.
    AssociateInvitation {
        token: String,
        #[serde(default)]
        from_name: String,
        #[serde(default)]
        tier_zh: String,
        #[serde(default)]
        tier_en: String,
        #[serde(default)]
        expires_at: DateTime<Utc>,
    },
    /// He took it: his number. `ends_at` (exclusive), the head's, is none for life.
    AssociateJoined {
        number: String,
        tier_zh: String,
        tier_en: String,
        ends_at: Option<DateTime<Utc>>,
    },
    /// An associate is one no more. `tier` is the head's; `cause` is `head`, `operator`, `head_over` or `fewer_seats`.
    AssociateEnded {
        cause: String,
        tier_zh: String,
        tier_en: String,
    },
    /// An order was paid.
    Receipt {
        order_number: String,
        lines: Vec<ReceiptLine>,
        #[serde(default)]
        shipping_minor: i64,
        total_minor: i64,
        due_minor: i64,
        currency: String,
        paid_at: DateTime<Utc>,
    },
    /// A parcel is on its way.
    Shipped {
        order_number: String,
        carrier: String,
        tracking_number: Option<String>,
        lines: Vec<ReceiptLine>,
    },
    /// Money went back. `reason` is for the buyer, in the buyer's language, and may be empty.
    Refunded {
        order_number: String,
        amount_minor: i64,
        /// Goes into store credit, beside it.
        #[serde(default)]
        credit_minor: i64,
        /// Come back, beside it.
        #[serde(default)]
        points: i64,
        currency: String,
        reason: String,
    },
    /// A crowdfunded drop has its goal: what was ordered in it will be sent.
    GoalReached {
        drop_zh: String,
        drop_en: String,
        order_number: String,
    },
    /// The buyer has cancelled a paid order. `amount_minor` goes back; 0 where nothing had been paid.
    OrderCancelled {
        order_number: String,
        amount_minor: i64,
        /// Goes into store credit, beside it.
        #[serde(default)]
        credit_minor: i64,
        /// Come back, beside it.
        #[serde(default)]
        points: i64,
        currency: String,
    },
    /// Goods may be sent back; `instructions` tell how, in the operator's words.
    ReturnApproved {
        order_number: String,
        instructions: String,
    },
    ReturnRejected {
        order_number: String,
        reason: String,
    },
    /// A return that was approved ended without money.
    ReturnClosed {
        order_number: String,
        reason: String,
    },
    ApplicationReceived {
        drive_zh: String,
        drive_en: String,
    },
    /// An application to join was approved: the right to buy lasts until `buy_until`.
    ApplicationApproved {
        drive_zh: String,
        drive_en: String,
        buy_until: DateTime<Utc>,
    },
    ApplicationRefused {
        drive_zh: String,
        drive_en: String,
        reason: String,
    },
    /// An application to organise a chapter was approved.
    OrganiserApproved {
        chapter: String,
    },
    OrganiserRefused {
        chapter: String,
        reason: String,
    },
    /// An organiser's office was ended.
    OrganiserEnded {
        chapter: String,
        reason: String,
    },
    /// A measure against a member: `warning`, `suspension` until `ends_at`, or `expulsion`, where `money` (`none`, `rest`, `all`)
    /// is the rule by which `back_minor` of what was paid goes back.
    MeasureTaken {
        measure: String,
        rule: String,
        reason: String,
        ends_at: Option<DateTime<Utc>>,
        money: Option<String>,
        back_minor: i64,
        currency: String,
        appeal_until: DateTime<Utc>,
    },
    /// An appeal was decided, or a measure lifted without one.
    MeasureDecided {
        measure: String,
        lifted: bool,
        rule: String,
        reason: String,
    },
    /// An announcement. In the outbox it has no words: they lie with the notice.
    Notice {
        notice: NoticeId,
        #[serde(default)]
        subject: String,
        #[serde(default)]
        body: String,
    },
    /// A held place is about to be given back; `url` is the payment page.
    HoldEnding {
        order_number: String,
        url: String,
        expires_at: DateTime<Utc>,
    },
    /// An operator gives somebody a code that guarantees him one unit, until `expires_at`.
    FCode {
        drop_zh: String,
        drop_en: String,
        article_zh: String,
        article_en: String,
        f_code: String,
        expires_at: DateTime<Utc>,
    },
    /// A unit came back and is set aside for who was next in the waiting list, until `expires_at`.
    WaitingListOffer {
        drop_zh: String,
        drop_en: String,
        article_zh: String,
        article_en: String,
        f_code: String,
        expires_at: DateTime<Utc>,
    },
    /// A coupon was put into somebody's wallet. `why` is `sign_up`, `birthday`, `nth_order`, or `chosen` by an operator.
    CouponGiven {
        campaign_zh: String,
        campaign_en: String,
        coupon: String,
        why: String,
        expires_at: Option<DateTime<Utc>>,
    },
    /// Of a product that was announced, to who asked for it: it can be bought now.
    NowAvailable {
        product_zh: String,
        product_en: String,
        slug: String,
    },
    /// To operators: no more of these are left than they want to be told of.
    LowStock {
        items: Vec<LowItem>,
    },
    /// To operators: a cardholder disputes a payment. `reason` is Stripe's word for it.
    DisputeOpened {
        order_number: String,
        amount_minor: i64,
        currency: String,
        reason: String,
    },
    /// To who is given a gift card: its code is the `token`. Names and message may be empty.
    GiftCard {
        token: String,
        #[serde(default)]
        amount_minor: i64,
        #[serde(default)]
        currency: String,
        #[serde(default)]
        to_name: String,
        #[serde(default)]
        from_name: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// To who is given a membership: its code is the `token`, its `term` as in `P1Y`. Names and message may be empty.
    Gift {
        token: String,
        #[serde(default)]
        tier_zh: String,
        #[serde(default)]
        tier_en: String,
        #[serde(default)]
        term: String,
        #[serde(default)]
        to_name: String,
        #[serde(default)]
        from_name: String,
        #[serde(default)]
        message: String,
        #[serde(default)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// To who bought a membership for nobody yet: its code, to be handed on.
    GiftCode {
        token: String,
        #[serde(default)]
        tier_zh: String,
        #[serde(default)]
        tier_en: String,
        #[serde(default)]
        term: String,
        #[serde(default)]
        order_number: String,
        #[serde(default)]
        expires_at: Option<DateTime<Utc>>,
    },
    /// To who gave a membership: its mail has gone out.
    GiftDelivered {
        tier_zh: String,
        tier_en: String,
        order_number: String,
        expires_at: Option<DateTime<Utc>>,
    },
    /// To who gave a membership: somebody has redeemed it.
    GiftRedeemed {
        tier_zh: String,
        tier_en: String,
        order_number: String,
    },
    /// To who gave a membership: nobody has redeemed it, and soon nobody can.
    GiftExpiring {
        tier_zh: String,
        tier_en: String,
        order_number: String,
        expires_at: DateTime<Utc>,
    },
    /// To who has reached a tier: a gift of it waits to be ordered.
    WelcomeGift {
        gifts_zh: String,
        gifts_en: String,
    },
    /// Points can be spent until then; some may last a little longer.
    PointsExpiring {
        points: i64,
        expires_at: DateTime<Utc>,
        /// What they pay at checkout, where they can pay.
        worth_minor: Option<i64>,
        currency: String,
    },
    /// A level was earned: points and gifts of welcome, where it has some.
    LevelReached {
        level_zh: String,
        level_en: String,
        points: i64,
        gifts_zh: String,
        gifts_en: String,
    },
    /// A level is reviewed then, and what is missing to keep it; any one of it where `is_any`.
    LevelReview {
        level_zh: String,
        level_en: String,
        review_at: DateTime<Utc>,
        missing: Vec<MissingFigure>,
        is_any: bool,
        currency: String,
    },
    /// A level wasn't kept, or what it was reached by went back. `to` is empty where none is left.
    LevelDropped {
        from_zh: String,
        from_en: String,
        to_zh: String,
        to_en: String,
        is_correction: bool,
    },
    /// To a member who has become entitled to a plan of a higher tier at another price; `usual_minor` is the plan's own.
    UpgradeOffer {
        offer_zh: String,
        offer_en: String,
        tier_zh: String,
        tier_en: String,
        plan_code: String,
        price_minor: i64,
        usual_minor: i64,
        currency: String,
        ends_at: DateTime<Utc>,
    },
    /// To who has started a trial: it costs nothing and ends by itself.
    TrialStarted {
        number: String,
        tier_zh: String,
        tier_en: String,
        ends_at: DateTime<Utc>,
    },
    /// To who tries a plan: it ends soon; what it costs to go on. `plan_code` is none where it can't be bought openly.
    TrialEnding {
        tier_zh: String,
        tier_en: String,
        term: String,
        price_minor: i64,
        currency: String,
        plan_code: Option<String>,
        ends_at: DateTime<Utc>,
    },
    /// To who tried a plan: it is over, and nothing was charged.
    TrialEnded {
        tier_zh: String,
        tier_en: String,
        plan_code: Option<String>,
    },
    /// A buyer withdraws from an order: what was declared and when, and the link that stops it.
    WithdrawalReceived {
        token: String,
        #[serde(default)]
        order_number: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        declared_at: DateTime<Utc>,
    },
    /// To both whom a referral names: what it has brought. `side` is whose mail it is (`inviter`, `friend`), `reward` the kind:
    /// `credit` (an amount), `coupon` (of a campaign, by its names), `membership_days`, `points`. `friend` is the first letter of
    /// his name, for the inviter.
    ReferralReward {
        side: String,
        friend: Option<String>,
        reward: String,
        amount_minor: i64,
        currency: String,
        days: i32,
        #[serde(default)]
        points: i64,
        coupon_zh: String,
        coupon_en: String,
    },
    WithdrawalAccepted {
        order_number: String,
    },
    WithdrawalRejected {
        order_number: String,
        reason: String,
    },
}

/// A line of a receipt, as it was sold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLine {
    pub title: String,
    pub quantity: i64,
    pub total_minor: i64,
}

/// A variant of which few are left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LowItem {
    pub sku: String,
    pub name_zh: String,
    pub name_en: String,
    pub left: i64,
}

/// What somebody lacks: of `spend` in minor units, over the last `window`, such as `P1Y`, or ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFigure {
    pub metric: String,
    pub missing: i64,
    pub window: Option<String>,
}

/// What stands in `data` where a secret was: the mail can't be rendered again.
pub const SCRUBBED: &str = "scrubbed";

impl Mail {
    /// A notice's, as it lies in the outbox.
    pub fn notice(notice: NoticeId) -> Self {
        Self::Notice { notice, subject: String::new(), body: String::new() }
    }

    /// A notice's, with its words.
    pub fn notice_of(notice: &Notice, locale: Locale) -> Self {
        let (subject, body) = notice.words(locale);
        Self::Notice { notice: notice.id, subject: subject.to_owned(), body: body.to_owned() }
    }

    /// Names of all kinds, as they are stored; each has a folder in `templates/email/`.
    pub const KINDS: [&str; 60] = [
        "verify_email",
        "reset_password",
        "change_email",
        "welcome",
        "upgraded",
        "renewed",
        "renewal_notice",
        "renewal_reminder",
        "renewal_failed",
        "price_change",
        "card_expiring",
        "membership_expired",
        "membership_cancelled",
        "change_planned",
        "associate_invitation",
        "associate_joined",
        "associate_ended",
        "receipt",
        "shipped",
        "refunded",
        "goal_reached",
        "order_cancelled",
        "return_approved",
        "return_rejected",
        "return_closed",
        "application_received",
        "application_approved",
        "application_refused",
        "organiser_approved",
        "organiser_refused",
        "organiser_ended",
        "measure_taken",
        "measure_decided",
        "notice",
        "hold_ending",
        "f_code",
        "waiting_list_offer",
        "coupon_given",
        "now_available",
        "low_stock",
        "dispute_opened",
        "referral_reward",
        "gift_card",
        "gift",
        "gift_code",
        "gift_delivered",
        "gift_redeemed",
        "gift_expiring",
        "welcome_gift",
        "points_expiring",
        "level_reached",
        "level_review",
        "level_dropped",
        "upgrade_offer",
        "trial_started",
        "trial_ending",
        "trial_ended",
        "withdrawal_received",
        "withdrawal_accepted",
        "withdrawal_rejected",
    ];

    /// Those with a one-time token, as `{"token"}`.
    pub const SECRET_KINDS: [&str; 12] = [
        "verify_email",
        "reset_password",
        "change_email",
        "withdrawal_received",
        "gift_card",
        "renewal_notice",
        "renewal_reminder",
        "renewal_failed",
        "card_expiring",
        "gift",
        "gift_code",
        "associate_invitation",
    ];

    /// The columns `kind` and `data` of the outbox.
    ///
    /// # Errors
    /// Never in practice: every mail is JSON.
    pub fn to_columns(&self) -> Result<(String, Value)> {
        let mut value = serde_json::to_value(self).map_err(AppError::internal)?;
        let data = value.get_mut("data").map_or_else(|| json!({}), Value::take);
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok((kind, data))
    }

    /// # Errors
    /// When this program knows no such kind or data (a newer one wrote it).
    pub fn from_columns(kind: &str, data: Value) -> Result<Self> {
        serde_json::from_value(json!({ "kind": kind, "data": data })).map_err(AppError::internal)
    }

    /// Without its secrets: what is kept once it was sent. None where it has none.
    pub fn scrubbed(&self) -> Option<Self> {
        let token = SCRUBBED.to_owned();
        match self {
            Self::VerifyEmail { .. } => Some(Self::VerifyEmail { token }),
            Self::ResetPassword { .. } => Some(Self::ResetPassword { token }),
            Self::ChangeEmail { .. } => Some(Self::ChangeEmail { token }),
            // Who is given what stands in the card, for as long as that may be kept.
            Self::GiftCard { amount_minor, currency, expires_at, .. } => Some(Self::GiftCard {
                token,
                amount_minor: *amount_minor,
                currency: currency.clone(),
                to_name: String::new(),
                from_name: String::new(),
                message: String::new(),
                expires_at: *expires_at,
            }),
            Self::Gift { tier_zh, tier_en, term, expires_at, .. } => Some(Self::Gift {
                token,
                tier_zh: tier_zh.clone(),
                tier_en: tier_en.clone(),
                term: term.clone(),
                to_name: String::new(),
                from_name: String::new(),
                message: String::new(),
                expires_at: *expires_at,
            }),
            Self::GiftCode { tier_zh, tier_en, term, order_number, expires_at, .. } => Some(Self::GiftCode {
                token,
                tier_zh: tier_zh.clone(),
                tier_en: tier_en.clone(),
                term: term.clone(),
                order_number: order_number.clone(),
                expires_at: *expires_at,
            }),
            Self::AssociateInvitation { tier_zh, tier_en, expires_at, .. } => {
                Some(Self::AssociateInvitation {
                    token,
                    from_name: String::new(),
                    tier_zh: tier_zh.clone(),
                    tier_en: tier_en.clone(),
                    expires_at: *expires_at,
                })
            }
            // Who declared stands in the case, for as long as that may be kept.
            Self::WithdrawalReceived { .. } => Some(Self::WithdrawalReceived {
                token,
                order_number: String::new(),
                name: String::new(),
                declared_at: DateTime::default(),
            }),
            Self::RenewalNotice { .. }
            | Self::RenewalReminder { .. }
            | Self::RenewalFailed { .. }
            | Self::CardExpiring { .. } => {
                let mut kept = self.clone();
                if let Self::RenewalNotice { token: its, .. }
                | Self::RenewalReminder { token: its, .. }
                | Self::RenewalFailed { token: its, .. }
                | Self::CardExpiring { token: its, .. } = &mut kept
                {
                    *its = token;
                }
                Some(kept)
            }
            Self::Welcome { .. }
            | Self::Upgraded { .. }
            | Self::Renewed { .. }
            | Self::PriceChange { .. }
            | Self::MembershipExpired { .. }
            | Self::MembershipCancelled { .. }
            | Self::ChangePlanned { .. }
            | Self::AssociateJoined { .. }
            | Self::AssociateEnded { .. }
            | Self::Receipt { .. }
            | Self::Shipped { .. }
            | Self::Refunded { .. }
            | Self::GoalReached { .. }
            | Self::OrderCancelled { .. }
            | Self::ReturnApproved { .. }
            | Self::ReturnRejected { .. }
            | Self::ReturnClosed { .. }
            | Self::ApplicationReceived { .. }
            | Self::ApplicationApproved { .. }
            | Self::ApplicationRefused { .. }
            | Self::OrganiserApproved { .. }
            | Self::OrganiserRefused { .. }
            | Self::OrganiserEnded { .. }
            | Self::MeasureTaken { .. }
            | Self::MeasureDecided { .. }
            | Self::Notice { .. }
            | Self::HoldEnding { .. }
            | Self::FCode { .. }
            | Self::WaitingListOffer { .. }
            | Self::CouponGiven { .. }
            | Self::NowAvailable { .. }
            | Self::LowStock { .. }
            | Self::DisputeOpened { .. }
            | Self::ReferralReward { .. }
            | Self::GiftDelivered { .. }
            | Self::GiftRedeemed { .. }
            | Self::GiftExpiring { .. }
            | Self::WelcomeGift { .. }
            | Self::PointsExpiring { .. }
            | Self::LevelReached { .. }
            | Self::LevelReview { .. }
            | Self::LevelDropped { .. }
            | Self::UpgradeOffer { .. }
            | Self::TrialStarted { .. }
            | Self::TrialEnding { .. }
            | Self::TrialEnded { .. }
            | Self::WithdrawalAccepted { .. }
            | Self::WithdrawalRejected { .. } => None,
        }
    }

    /// True when its secret was removed: it can't be sent again.
    pub fn is_scrubbed(&self) -> bool {
        self.scrubbed().is_some_and(|scrubbed| scrubbed == *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_reads_back() {
        let mail = Mail::VerifyEmail { token: "t".to_owned() };
        let (kind, data) = mail.to_columns().unwrap();
        assert_eq!((kind.as_str(), &data), ("verify_email", &json!({"token": "t"})));
        assert_eq!(Mail::from_columns(&kind, data).unwrap(), mail);
        assert!(Mail::from_columns("of_the_future", json!({})).is_err());
    }

    #[test]
    fn a_secret_goes_and_the_mail_says_so() {
        let mail = Mail::ResetPassword { token: "secret".to_owned() };
        assert!(!mail.is_scrubbed());
        let kept = mail.scrubbed().unwrap();
        assert!(kept.is_scrubbed());
        assert!(!format!("{:?}", kept.to_columns().unwrap()).contains("secret"));
        let (kind, _) = kept.to_columns().unwrap();
        assert!(Mail::SECRET_KINDS.contains(&kind.as_str()));
        let without = Mail::ApplicationReceived { drive_zh: String::new(), drive_en: String::new() };
        assert!(!without.is_scrubbed());
    }
}

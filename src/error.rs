//! The one error of the house. Every refusal has a stable code; its cause is for the log alone.
//!
//! A service returns `Err(Code::SoldOut.into())` or `Err(Code::InvalidField.at("email", "…"))`. Rendering as
//! `application/problem+json` (RFC 9457) is in `http::problem`.

use std::borrow::Cow;

use diesel::result::{DatabaseErrorKind, Error as DbError};

pub type Result<T, E = AppError> = std::result::Result<T, E>;

/// What is wrong with one field of the body; `field` is a path such as `lines[0].plan`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    pub field: String,
    pub detail: String,
}

#[derive(Debug)]
pub struct AppError {
    pub code: Code,
    /// For the caller: never holds a secret or a cause.
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldError>,
    /// Seconds after which it may be tried again (429, 503).
    pub retry_after_seconds: Option<u64>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

macro_rules! codes {
    ($($variant:ident $status:literal $code:literal $detail:literal;)*) => {
        /// The stable codes of all refusals. Storefronts branch on them: never rename one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($variant),* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// What it means, in general.
            pub fn default_detail(self) -> &'static str {
                match self { $(Self::$variant => $detail),* }
            }
        }
    };
}

codes! {
    // 400: can't be read at all
    MalformedJson 400 "malformed_json" "The body is not JSON.";
    MalformedRequest 400 "malformed_request" "The request can't be read.";
    InvalidCursor 400 "invalid_cursor" "The cursor is not one that this list gave out.";
    IdempotencyKeyMissing 400 "idempotency_key_missing" "This call needs an Idempotency-Key of 1 to 255 visible characters.";
    SignatureInvalid 400 "signature_invalid" "The webhook's signature is missing, wrong or too old.";
    // 401, 403, 404, 405, 406: who and what
    Unauthenticated 401 "unauthenticated" "Sign in first: the access token is missing, expired or ended.";
    InvalidCredentials 401 "invalid_credentials" "The address or the password is wrong.";
    InvalidRefreshToken 401 "invalid_refresh_token" "The refresh token is unknown, used or expired.";
    Forbidden 403 "forbidden" "Your role doesn't allow this.";
    EmailNotVerified 403 "email_not_verified" "Verify your e-mail address first.";
    WrongPassword 403 "wrong_password" "The password is wrong.";
    InvitationRequired 403 "invitation_required" "This drive takes invited people only.";
    InvitationNotYours 403 "invitation_not_yours" "This invitation is not for you or not for this drive.";
    ApplicationRequired 403 "application_required" "Joining this drive needs an approved application.";
    MembersOnly 403 "members_only" "This is for members.";
    SegmentRequired 403 "segment_required" "This is for chosen people.";
    LevelRequired 403 "level_required" "This is for a higher level.";
    BenefitOutranked 409 "benefit_outranked" "A better benefit of the same kind is yours.";
    TierRequired 403 "tier_required" "This is for members of a higher tier.";
    OrganisersOnly 403 "organisers_only" "This is for the organisers of the chapter.";
    Expelled 403 "expelled" "You were expelled from the community: appeal, or ask the shop.";
    NotEntitled 403 "not_entitled" "You haven't done yet what this offer asks for: `errors` says what is missing.";
    FCodeNotYours 403 "f_code_not_yours" "This code belongs to somebody else.";
    OrderNotYours 403 "order_not_yours" "This order was placed with another address than that of your account.";
    NotFound 404 "not_found" "There is no such thing, or it is not yours to see.";
    NoInvoice 404 "no_invoice" "This order has no invoice: it isn't paid, or cost nothing.";
    NoMembership 404 "no_membership" "This account has no membership.";
    MethodNotAllowed 405 "method_not_allowed" "This path doesn't take this method.";
    NotAcceptable 406 "not_acceptable" "It can be had as text/html or application/pdf.";
    PdfFontMissing 406 "pdf_font_missing" "The shop can't make PDF files now: ask for text/html.";
    // 409: what the state of the shop or the buyer's past forbids now
    EmailTaken 409 "email_taken" "An account with this address exists.";
    CodeTaken 409 "code_taken" "This code is in use.";
    RankTaken 409 "rank_taken" "Another one has this rank.";
    SoldOut 409 "sold_out" "No place is left. One may come back while others have yet to pay.";
    PartSoldOut 409 "part_sold_out" "This part's places are gone; more are let out later.";
    NotOpen 409 "not_open" "It has not opened yet.";
    Closed 409 "closed" "It is closed.";
    OnePerPerson 409 "one_per_person" "You already have a place in this drive or its series.";
    MembershipOrderPending 409 "membership_order_pending" "You have an unpaid membership order. Pay or cancel it first.";
    UseUpgradeQuote 409 "use_upgrade_quote" "You are a member of another tier. Ask for an upgrade quote.";
    NotAnUpgrade 409 "not_an_upgrade" "This tier isn't higher than yours.";
    NotADowngrade 409 "not_a_downgrade" "At its end a membership can become one of a lower tier, or another plan of its own.";
    RenewalNotOffered 409 "renewal_not_offered" "This membership doesn't renew that way.";
    NoSavedCard 409 "no_saved_card" "No card of yours is saved: pay the next term by card.";
    UpgradeNotSold 409 "upgrade_not_sold" "This plan isn't sold to members of other tiers.";
    QuoteExpired 409 "quote_expired" "This quote is no longer good: ask for a new one.";
    FreezeLimit 409 "freeze_limit" "That is more than the days of a year for which a membership may rest.";
    MembershipFrozen 409 "membership_frozen" "Your membership is frozen.";
    NoSeatLeft 409 "no_seat_left" "Your membership has no seat left for another associate.";
    AlreadyInvited 409 "already_invited" "This person is an associate of yours already, or invited.";
    IsAssociate 409 "is_associate" "An associate has no seats to give, and one head at a time.";
    HasMembership 409 "has_membership" "You have a membership of your own, which runs.";
    AlreadyForLife 409 "already_for_life" "Your membership has no end.";
    AudienceSoldOut 409 "audience_sold_out" "What was set aside for you at this time is gone; more is sold later.";
    GivenOut 409 "given_out" "All coupons of this round are given out.";
    VoucherRedeemed 409 "voucher_redeemed" "This voucher was taken before: `errors` says when and where.";
    VoucherExpired 409 "voucher_expired" "This voucher has ended.";
    NoRightLeft 409 "no_right_left" "Who opens a packet of this chain may start the next one, once: open one first.";
    BirthdaySet 409 "birthday_set" "Your birthday is known and can't be changed.";
    CampaignInUse 409 "campaign_in_use" "There are codes or uses of it: what was promised can't be taken back. Copy the campaign instead.";
    LimitBelowUses 409 "limit_below_uses" "More is held or used than that.";
    AlreadyOnSale 409 "already_on_sale" "It can be bought already.";
    OutOfStock 409 "out_of_stock" "There is not so much of it left.";
    CapReached 409 "cap_reached" "One person may not have more of it.";
    StillOnSale 409 "still_on_sale" "It is on sale: order it instead of waiting.";
    AlreadyWaiting 409 "already_waiting" "You are in this waiting list, or were offered a unit, already.";
    FCodeUsed 409 "f_code_used" "This code has been used.";
    FCodeExpired 409 "f_code_expired" "This code has expired.";
    StockNotFree 409 "stock_not_free" "Not so much of it is free: the rest is sold or held.";
    AllocationSoldOut 409 "allocation_sold_out" "The channel has not so many left of what was set aside for it.";
    OwnChannel 409 "own_channel" "The own mall sells by orders, from open stock.";
    ReferenceUsed 409 "reference_used" "A sale was reported under this reference before.";
    AlreadyReversed 409 "already_reversed" "This was taken back, or takes something back itself.";
    GoalNotReached 409 "goal_not_reached" "This is crowdfunded: parcels wait until the goal is reached.";
    NotArrived 409 "not_arrived" "It was sold before it was there, and hasn't come yet.";
    NothingToPick 409 "nothing_to_pick" "No such order is waiting to be picked.";
    NothingToShip 409 "nothing_to_ship" "That is more than is still to be sent.";
    AlreadyShipped 409 "already_shipped" "Something of this order has been handed to a carrier: ask to send it back instead.";
    NotCancellable 409 "not_cancellable" "This order can't be cancelled any more, or sells what is delivered at once: a membership, a course.";
    NotReturnable 409 "not_returnable" "So many of it can't be sent back: only what was sent to you, isn't refunded and isn't in another return.";
    ReturnWindowOver 409 "return_window_over" "The time to send it back is over.";
    WrongReturnState 409 "wrong_return_state" "The return has gone another way already.";
    InvitationUsedUp 409 "invitation_used_up" "This invitation has been used up.";
    InvitationExpired 409 "invitation_expired" "This invitation has expired or was withdrawn.";
    WrongAdmission 409 "wrong_admission" "This drive takes people in in another way.";
    ApplicationExists 409 "application_exists" "You have applied for this already.";
    ChapterArchived 409 "chapter_archived" "This chapter takes nobody in any more.";
    MovedRecently 409 "moved_recently" "You have moved to another chapter not long ago.";
    IsOrganiser 409 "is_organiser" "You organise your chapter: give up that office before you move.";
    OtherChapter 409 "other_chapter" "That is for the members of this chapter.";
    NumberGiven 409 "number_given" "This account has a number of this series.";
    RoleMissing 409 "role_missing" "Numbers of this series are for accounts with its role: tag the account first.";
    AreaCycle 409 "area_cycle" "An area can't lie in itself, or in an area that lies in it.";
    AreaTooDeep 409 "area_too_deep" "Areas lie in one another six deep at most.";
    CommunityRulesChanged 409 "community_rules_changed" "These rules of the community are not the ones in force: read them again.";
    NoticeNotDraft 409 "notice_not_draft" "This notice is no draft any more: cancel it and draft another one.";
    NoticeNotTested 409 "notice_not_tested" "Send these words to a test address first, and wait until they have gone.";
    NoticeEnded 409 "notice_ended" "This notice was sent or cancelled already.";
    NoCommunityRules 409 "no_community_rules" "Publish rules of the community first: a measure cites one.";
    AlreadySuspended 409 "already_suspended" "This member is suspended already.";
    AlreadyAppealed 409 "already_appealed" "One appeals once.";
    NoAppeal 409 "no_appeal" "There is no open appeal against this measure.";
    AppealTooLate 409 "appeal_too_late" "The time to appeal against this measure is over.";
    MeasureEnded 409 "measure_ended" "This measure is over or was lifted.";
    ApplicationDecided 409 "application_decided" "This application has been decided already.";
    RightToBuyExpired 409 "right_to_buy_expired" "The time to use your approved application is over.";
    BasketEnded 409 "basket_ended" "This basket was ordered, or merged into another one. Make a new one.";
    StaleQuote 409 "stale_quote" "It has changed since you were shown it: look again before you order.";
    GiftCardRedeemed 409 "gift_card_redeemed" "This gift card has been redeemed.";
    GiftCardVoid 409 "gift_card_void" "This gift card is void.";
    GiftCardHeld 409 "gift_card_held" "The payment of this gift card is disputed.";
    GiftCardExpired 409 "gift_card_expired" "This gift card has expired.";
    GiftRedeemed 409 "gift_redeemed" "This gift has been redeemed.";
    GiftVoid 409 "gift_void" "This gift is void.";
    GiftHeld 409 "gift_held" "The payment of this gift is disputed.";
    GiftExpired 409 "gift_expired" "This gift has expired.";
    PlanNotGiven 409 "plan_not_given" "This plan isn't on open sale, so it can't be given away.";
    BenefitUsedUp 409 "benefit_used_up" "You have had it as often as its period allows.";
    BenefitNotInTrial 409 "benefit_not_in_trial" "This benefit is for members who have joined: it isn't given in a trial.";
    BenefitNotClaimable 409 "benefit_not_claimable" "This benefit isn't claimed: it comes with an order, or where it is given.";
    NoTrial 409 "no_trial" "This plan can't be tried.";
    TrialUsed 409 "trial_used" "You have had your trial.";
    NotNew 409 "not_new" "Trials are for who has never been a member.";
    OtherTierRuns 409 "other_tier_runs" "You are a member of another tier: redeem it when that is over.";
    MembershipRevoked 409 "membership_revoked" "Your membership was revoked: ask the shop.";
    CreditLeft 409 "credit_left" "The account has store credit left; say `forfeit` to give it up.";
    PointsInsufficient 409 "points_insufficient" "There are fewer points than that to spend.";
    AlreadyCheckedIn 409 "already_checked_in" "You have checked in today.";
    CreditInsufficient 409 "credit_insufficient" "There is less store credit than that.";
    OrderNotPending 409 "order_not_pending" "The order no longer waits for payment.";
    OrderAdopted 409 "order_adopted" "An account has this order already.";
    PaymentInProgress 409 "payment_in_progress" "An attempt to pay this order is still open.";
    RequestInProgress 409 "request_in_progress" "A request with this Idempotency-Key is still running.";
    RefundExceedsCaptured 409 "refund_exceeds_captured" "That is more than can still be refunded.";
    InvoiceNotIssued 409 "invoice_not_issued" "The invoice is about to be issued: ask again in a moment.";
    WithdrawalEnded 409 "withdrawal_ended" "This withdrawal was decided or stopped already.";
    RefundLaterFirst 409 "refund_later_first" "A later order builds on this membership: refund that one first.";
    NothingToRefund 409 "nothing_to_refund" "Nothing was captured for this order, or all of it is refunded.";
    MembershipNotFrozen 409 "membership_not_frozen" "The membership isn't frozen by an operator.";
    MembershipNotOpen 409 "membership_not_open" "The membership is over.";
    QuotaBelowClaims 409 "quota_below_claims" "More places are held or taken than that.";
    InUse 409 "in_use" "It is in use.";
    OrderPending 409 "order_pending" "An order still waits for payment, or goods for their parcel, or a return is under way. Wait or cancel it, or send `forfeit: true` to give it up.";
    MembershipRunning 409 "membership_running" "A membership still runs. Send `forfeit: true` to give it up.";
    LastOwner 409 "last_owner" "The shop needs an owner: this is the last one.";
    TooManyAddresses 409 "too_many_addresses" "The address book is full: delete an address first.";
    MailQueued 409 "mail_queued" "The mail is waiting to be sent already.";
    SecretGone 409 "secret_gone" "The one-time link in this mail was removed after it went out: have a new one made.";
    NothingPayable 409 "nothing_payable" "Nothing of this partner's can be paid out now.";
    ReferralDecided 409 "referral_decided" "There is nothing to decide about this referral any more.";
    JobNotDead 409 "job_not_dead" "Only a dead job can be put back into the queue.";
    // 408, 410, 412, 413, 415
    RequestTimeout 408 "request_timeout" "The body took too long to arrive.";
    TokenInvalid 410 "token_invalid" "This link has been used, has expired or was never valid.";
    VersionMismatch 412 "version_mismatch" "It has changed since you read it: read it again.";
    BodyTooLarge 413 "body_too_large" "The body is larger than allowed.";
    UnsupportedMediaType 415 "unsupported_media_type" "Send the body as application/json.";
    // 422: what this body could never do
    CsvEncoding 422 "csv_encoding" "The file can't be read in the encoding that it should have.";
    CsvColumns 422 "csv_columns" "The columns are not those that they should be.";
    CsvEmpty 422 "csv_empty" "There is no line below the header.";
    CsvTooLong 422 "csv_too_long" "The file has too many lines: cut it.";
    InvalidField 422 "invalid_field" "A field of the body is wrong.";
    WeakPassword 422 "weak_password" "Choose a longer or less common password.";
    UnknownBenefit 422 "unknown_benefit" "There is no such benefit for members of your tier.";
    UnknownChapter 422 "unknown_chapter" "There is no such chapter.";
    UnknownArea 422 "unknown_area" "There is no such area.";
    CommunityRulesRequired 422 "community_rules_required" "Accept the rules of the community with the order: `consents.community_rules`.";
    UnknownPlan 422 "unknown_plan" "There is no such plan, or it is no longer sold.";
    UnknownUpgradeQuote 422 "unknown_upgrade_quote" "You have no such quote for an upgrade.";
    UnknownUpgradeOffer 422 "unknown_upgrade_offer" "There is no such offer for this upgrade.";
    UnknownRenewal 422 "unknown_renewal" "You have no such renewal.";
    UnknownDrive 422 "unknown_drive" "There is no such drive for this plan.";
    DriveRequired 422 "drive_required" "This plan is sold in drives: name one.";
    UnknownArticle 422 "unknown_article" "There is no such thing to buy.";
    UnknownOffer 422 "unknown_offer" "There is no such offer of one thing instead of another.";
    UnknownDrop 422 "unknown_drop" "There is no such drop, or it doesn't sell this.";
    UnknownFCode 422 "unknown_f_code" "There is no such code for this.";
    DropRequired 422 "drop_required" "This is sold in drops: name one.";
    StandsAlone 422 "stands_alone" "What is crowdfunded is ordered by itself, one line an order.";
    PledgeNeedsPrice 422 "pledge_needs_price" "What is crowdfunded is paid for at once: this costs nothing.";
    ShippingRequired 422 "shipping_required" "This is sent by parcel: choose a method and an address.";
    NotShippedThere 422 "not_shipped_there" "This method doesn't go there.";
    UnknownInvitation 422 "unknown_invitation" "There is no such invitation.";
    UrlNotAllowed 422 "url_not_allowed" "The URL is not on an allowed origin.";
    CouponRefused 422 "coupon_refused" "A coupon can't be used for this: `errors` says which and why.";
    UnknownCoupon 422 "unknown_coupon" "There is no such coupon code.";
    UnknownGift 422 "unknown_gift" "There is no such gift.";
    GiftToOneself 422 "gift_to_oneself" "A gift is for somebody else: buy the membership itself.";
    UnknownGiftCard 422 "unknown_gift_card" "There is no such gift card.";
    AmountTooSmall 422 "amount_too_small" "So little can't be charged.";
    MethodNotOffered 422 "method_not_offered" "This plan can't be paid that way.";
    AmountOutOfRange 422 "amount_out_of_range" "The amount is out of range.";
    UnknownTerms 422 "unknown_terms" "These terms are not the ones in force.";
    IdempotencyKeyReused 422 "idempotency_key_reused" "This Idempotency-Key was used with another body.";
    PreconditionRequired 428 "precondition_required" "Send If-Match with the ETag that you read.";
    // try again
    TooManyRequests 429 "too_many_requests" "Too many requests: wait a little.";
    TooManyAttempts 429 "too_many_attempts" "Too many attempts: wait a little.";
    Busy 503 "busy" "The shop is very busy: try again with the same Idempotency-Key.";
    Internal 500 "internal" "Something went wrong on our side. Nothing was changed, or a repeat with the same Idempotency-Key tells what was.";
}

impl Code {
    pub fn error(self) -> AppError {
        AppError {
            code: self,
            detail: Cow::Borrowed(self.default_detail()),
            errors: Vec::new(),
            retry_after_seconds: None,
            cause: None,
        }
    }

    /// With a detail of this case.
    pub fn because(self, detail: impl Into<Cow<'static, str>>) -> AppError {
        AppError { detail: detail.into(), ..self.error() }
    }

    /// About one field of the body.
    pub fn at(self, field: impl Into<String>, detail: impl Into<String>) -> AppError {
        let errors = vec![FieldError { field: field.into(), detail: detail.into() }];
        AppError { errors, ..self.error() }
    }
}

impl From<Code> for AppError {
    fn from(code: Code) -> Self {
        code.error()
    }
}

impl AppError {
    /// A fault of ours: the caller sees `internal`, the log sees the cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Code::Internal.error() }
    }

    /// Too much is asked just now. All who are told so at once come back at different moments, or they would only be
    /// refused together again.
    pub fn busy() -> Self {
        Code::Busy.error().retry_after(rand::random_range(1..=3))
    }

    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    pub fn with_cause(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    fn database(&self) -> Option<&DbError> {
        self.cause()?.downcast_ref()
    }

    /// A transaction that lost to another one and may simply run again: serialization failure (40001) or deadlock
    /// (40P01, which diesel-async hands on without its SQLSTATE, so its message must do).
    pub fn is_retryable_conflict(&self) -> bool {
        match self.database() {
            Some(DbError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
            Some(DbError::DatabaseError(DatabaseErrorKind::Unknown, info)) => {
                info.message() == "deadlock detected"
            }
            _ => false,
        }
    }

    /// The wait for another transaction's lock was given up (`lock_timeout`, 55P03).
    pub fn is_lock_timeout(&self) -> bool {
        matches!(self.database(), Some(DbError::DatabaseError(_, info))
            if info.message() == "canceling statement due to lock timeout")
    }

    /// The name of the constraint that refused a write.
    pub fn constraint(&self) -> Option<&str> {
        match self.database()? {
            DbError::DatabaseError(_, info) => info.constraint_name(),
            _ => None,
        }
    }
}

/// Constraints that are a rule of the shop towards the caller; all others are alarms.
const CONSTRAINT_CODES: [(&str, Code); 47] = [
    ("accounts_email_key", Code::EmailTaken),
    ("tiers_code", Code::CodeTaken),
    ("benefits_kind_of_tier", Code::CodeTaken),
    ("benefits_kind_of_level", Code::CodeTaken),
    ("levels_code", Code::CodeTaken),
    ("levels_rank", Code::RankTaken),
    ("stages_code", Code::CodeTaken),
    ("stages_rank", Code::RankTaken),
    ("benefit_uses_a_period", Code::BenefitUsedUp),
    ("benefit_uses_once", Code::BenefitUsedUp),
    ("plans_code", Code::CodeTaken),
    ("points_rules_code", Code::CodeTaken),
    ("upgrade_offers_code", Code::CodeTaken),
    ("chapters_code", Code::CodeTaken),
    ("chapters_prefix", Code::CodeTaken),
    ("community_rules_pkey", Code::CodeTaken),
    ("community_measures_suspended", Code::AlreadySuspended),
    ("number_prefixes_pkey", Code::CodeTaken),
    ("number_series_code", Code::CodeTaken),
    ("series_numbers_once", Code::NumberGiven),
    ("areas_code", Code::CodeTaken),
    // Something was put into it while it was deleted.
    ("areas_parent", Code::InUse),
    ("chapters_area", Code::InUse),
    ("chapter_organisers_once", Code::ApplicationExists),
    ("drives_code", Code::CodeTaken),
    ("drive_invitations_code", Code::CodeTaken),
    ("drive_applications_once", Code::ApplicationExists),
    ("orders_one_pending_membership", Code::MembershipOrderPending),
    ("terms_versions_pkey", Code::CodeTaken),
    ("products_slug", Code::CodeTaken),
    ("variants_sku", Code::CodeTaken),
    ("drops_code", Code::CodeTaken),
    ("offers_code", Code::CodeTaken),
    ("shipping_methods_code", Code::CodeTaken),
    ("channels_code", Code::CodeTaken),
    ("segments_code", Code::CodeTaken),
    ("coupon_campaigns_code", Code::CodeTaken),
    ("coupons_code", Code::CodeTaken),
    ("claim_codes_pkey", Code::CodeTaken),
    ("merchants_code", Code::CodeTaken),
    ("treats_code", Code::CodeTaken),
    // Of a member, or of another partner.
    ("invite_codes_pkey", Code::CodeTaken),
    // Two accounts of one person, at the border of two rounds.
    ("give_out_claims_nth", Code::CapReached),
    ("give_out_claims_round", Code::CapReached),
    ("give_out_claims_account", Code::CapReached),
    ("packet_parts_person", Code::CapReached),
    ("packet_parts_account", Code::CapReached),
];

impl From<DbError> for AppError {
    fn from(error: DbError) -> Self {
        let constraint = match &error {
            DbError::DatabaseError(_, info) => info.constraint_name(),
            _ => None,
        };
        let code = constraint
            .and_then(|name| CONSTRAINT_CODES.iter().find(|(known, _)| *known == name))
            .map_or(Code::Internal, |(_, code)| *code);
        code.error().with_cause(error)
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.detail)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for AppError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let cause: &(dyn std::error::Error + 'static) = self.cause.as_deref()?;
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Code::ALL.len());
    }
}

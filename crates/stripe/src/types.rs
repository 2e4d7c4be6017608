//! What goes in and what comes out, in kindred's words.

use std::fmt;

/// A way of paying that a plan may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Cards, and wallets that carry a card.
    Card,
    /// WeChat Pay: one-time payments only, by QR code on the web.
    WechatPay,
    /// Alipay: one-time payments only here.
    Alipay,
}

impl Method {
    /// Every method, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Card, Self::WechatPay, Self::Alipay];

    /// Stripe's name of the method, which is kindred's too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::WechatPay => "wechat_pay",
            Self::Alipay => "alipay",
        }
    }

    /// The method of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// A payment page to open. Everything here must be the same on a repeat with the same key.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCheckout {
    /// Our order, in the metadata of session and payment intent, and as the session's reference.
    pub order_id: String,
    /// Our payment attempt, in the metadata.
    pub payment_id: String,
    /// The number that people see, in the metadata.
    pub order_number: String,
    /// What is charged, in minor units.
    pub amount_minor: i64,
    /// Upper-case ISO code.
    pub currency: String,
    /// The line's name on Stripe's page.
    pub description: String,
    /// A filter over what the Stripe account has enabled; empty means no filter. A method that isn't enabled is
    /// dropped silently: [`Checkout::methods`] says what the page really offers.
    pub methods: Vec<Method>,
    /// Where the browser goes after paying. Proves nothing.
    pub success_url: String,
    /// Where the browser goes from the back link.
    pub cancel_url: String,
    /// UNIX seconds, 30 minutes to 24 hours ahead. Stored by the caller, never recomputed for a repeat.
    pub expires_at: i64,
    /// A Stripe customer (`cus_…`). With one, `customer_email` isn't sent: Stripe takes only one of them.
    pub customer: Option<String>,
    /// Prefills the page.
    pub customer_email: Option<String>,
    /// Save the card for later charges without the buyer. Concerns the card only, so that wallets stay on offer.
    pub save_card: bool,
    /// The page's language, such as `zh` or `en`; anything that Stripe doesn't speak leaves it to the browser.
    pub locale: Option<String>,
}

/// Without the buyer's address.
impl fmt::Debug for NewCheckout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCheckout")
            .field("order_id", &self.order_id)
            .field("payment_id", &self.payment_id)
            .field("amount_minor", &self.amount_minor)
            .field("currency", &self.currency)
            .finish_non_exhaustive()
    }
}

/// Where a payment page stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckoutStatus {
    /// The buyer may still pay.
    Open,
    /// The buyer went through it; whether money came is the payment status's matter.
    Complete,
    /// Nobody can pay on it any more.
    Expired,
    /// A word that we don't know.
    Unknown,
}

/// Whether the page's money has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentStatus {
    /// Not yet: on a complete page it means that a delayed method is under way.
    Unpaid,
    /// The money is there.
    Paid,
    /// Nothing was due.
    NoPaymentRequired,
    /// A word that we don't know.
    Unknown,
}

/// A Checkout Session as Stripe has it now.
///
/// What belongs to the charge (`charge_…`, `method_used`, `card_fingerprint`) comes only from [`crate::Stripe::checkout`],
/// which asks for it; elsewhere it is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// `cs_…`
    pub id: String,
    /// The page's address; `None` once nobody can pay on it.
    pub url: Option<String>,
    /// Where the page stands.
    pub status: CheckoutStatus,
    /// Whether the money has come.
    pub payment_status: PaymentStatus,
    /// To be compared with the order.
    pub amount_total_minor: Option<i64>,
    /// Upper case, to be compared with the order.
    pub currency: Option<String>,
    /// UNIX seconds.
    pub expires_at: i64,
    /// UNIX seconds.
    pub created: i64,
    /// The methods that the page really offers.
    pub methods: Vec<String>,
    /// From our metadata; `None` on somebody else's session.
    pub order_id: Option<String>,
    /// From our metadata; `None` on somebody else's session.
    pub payment_id: Option<String>,
    /// `pi_…`; null until the buyer starts to pay.
    pub payment_intent: Option<String>,
    /// The payment intent's status, such as `succeeded` or `processing`.
    pub intent_status: Option<String>,
    /// `ch_…` or `py_…`
    pub latest_charge: Option<String>,
    /// `succeeded`, `pending` or `failed`.
    pub charge_status: Option<String>,
    /// What has been sent back of the charge, also by somebody in Stripe's dashboard.
    pub charge_refunded_minor: Option<i64>,
    /// Whether the charge has been disputed.
    pub charge_disputed: Option<bool>,
    /// The method that the buyer took, by the charge.
    pub method_used: Option<String>,
    /// The same card gives the same fingerprint; `None` for other methods.
    pub card_fingerprint: Option<String>,
    /// Why the last attempt on the page failed.
    pub failure_code: Option<String>,
    /// `cus_…`
    pub customer: Option<String>,
    /// `pm_…`
    pub payment_method: Option<String>,
}

/// Money to take from a saved card without its owner being there. Everything here must be the same on a repeat with the
/// same key.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCharge {
    /// Our order, in the metadata of the payment intent and of its charge.
    pub order_id: String,
    /// Our payment attempt, in the metadata: by it an intent is found whose answer was lost.
    pub payment_id: String,
    /// The number that people see, in the metadata.
    pub order_number: String,
    /// What is charged, in minor units.
    pub amount_minor: i64,
    /// Upper-case ISO code.
    pub currency: String,
    /// For Stripe's records and its receipts.
    pub description: String,
    /// Whose card it is (`cus_…`).
    pub customer: String,
    /// The card (`pm_…`).
    pub payment_method: String,
}

/// Without the description, which may name people.
impl fmt::Debug for NewCharge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCharge")
            .field("order_id", &self.order_id)
            .field("payment_id", &self.payment_id)
            .field("amount_minor", &self.amount_minor)
            .field("currency", &self.currency)
            .finish_non_exhaustive()
    }
}

/// Where a payment intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentStatus {
    /// The money is there.
    Succeeded,
    /// Under way.
    Processing,
    /// The card's owner must do something, which nobody can without him.
    RequiresAction,
    /// The card was refused, also where its owner's authentication was missing; nothing was taken.
    RequiresPaymentMethod,
    /// Called off: nothing will be taken.
    Canceled,
    /// A word that we don't know, or one that our intents never have (`requires_confirmation`, `requires_capture`).
    Unknown,
}

/// A payment intent as Stripe has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// `pi_…`
    pub id: String,
    /// Where it stands.
    pub status: IntentStatus,
    /// What it charges, in minor units; to be compared with the order.
    pub amount_minor: i64,
    /// Upper case, to be compared with the order.
    pub currency: String,
    /// `cus_…`
    pub customer: Option<String>,
    /// `pm_…`; after a refusal, the one that was refused.
    pub payment_method: Option<String>,
    /// `ch_…` or `py_…`, also of a refusal.
    pub latest_charge: Option<String>,
    /// The same card gives the same fingerprint.
    pub card_fingerprint: Option<String>,
    /// The method, by the charge.
    pub method_used: Option<String>,
    /// Why the last attempt failed: the bank's word where there is one (`insufficient_funds`, `generic_decline`), else
    /// Stripe's (`authentication_required`, `expired_card`, `processing_error`). `None` after a success.
    pub failure_code: Option<String>,
    /// From our metadata; `None` on somebody else's intent.
    pub order_id: Option<String>,
    /// From our metadata; `None` on somebody else's intent.
    pub payment_id: Option<String>,
    /// UNIX seconds.
    pub created: i64,
}

/// A card that a customer has saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// `pm_…`
    pub id: String,
    /// Stripe's word, such as `visa`.
    pub brand: String,
    /// The number's last four digits.
    pub last4: String,
    /// 1 to 12; 0 where Stripe doesn't tell.
    pub exp_month: i64,
    /// Four digits; 0 where Stripe doesn't tell.
    pub exp_year: i64,
    /// The same card gives the same fingerprint.
    pub fingerprint: Option<String>,
    /// UNIX seconds.
    pub created: i64,
    /// Whether it is the customer's default, which he sets on Stripe's portal.
    pub is_default: bool,
}

/// Why money goes back, for Stripe's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundReason {
    /// Paid twice.
    Duplicate,
    /// Puts card and address on Stripe's block lists.
    Fraudulent,
    /// The ordinary case.
    RequestedByCustomer,
}

/// Money to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRefund {
    /// `pi_…` of the payment.
    pub payment_intent: String,
    /// Part or all of it, in minor units.
    pub amount_minor: i64,
    /// Our refund, in the metadata.
    pub refund_id: String,
    /// Our order, in the metadata.
    pub order_id: String,
    /// For Stripe's records.
    pub reason: Option<RefundReason>,
}

/// Where a refund stands. WeChat Pay and Alipay refunds stay pending for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// Under way.
    Pending,
    /// The buyer must tell where to send it.
    RequiresAction,
    /// Sent.
    Succeeded,
    /// Didn't reach the buyer: the money is back with us.
    Failed,
    /// Called off.
    Canceled,
    /// A word that we don't know.
    Unknown,
}

/// A refund as Stripe has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// `re_…` or `pyr_…`
    pub id: String,
    /// Where it stands.
    pub status: RefundStatus,
    /// Minor units.
    pub amount_minor: i64,
    /// Upper case.
    pub currency: String,
    /// `pi_…`
    pub payment_intent: Option<String>,
    /// `ch_…` or `py_…`
    pub charge: Option<String>,
    /// From our metadata; `None` when it was made by somebody in Stripe's dashboard.
    pub refund_id: Option<String>,
    /// Stripe's short word, such as `expired_or_canceled_card`.
    pub failure_reason: Option<String>,
    /// UNIX seconds.
    pub created: i64,
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisputeStatus {
    /// Undecided: `needs_response`, `under_review` and the `warning_…` ones.
    Open,
    /// The money is ours again.
    Won,
    /// The money is gone.
    Lost,
    /// An early warning that came to nothing.
    WarningClosed,
    /// A word that we don't know, `prevented` among them.
    Unknown,
}

/// A dispute as Stripe has it now. It carries none of our metadata: find its order by payment intent or charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// `du_…` or `dp_…`
    pub id: String,
    /// Where it stands.
    pub status: DisputeStatus,
    /// What is disputed, in minor units.
    pub amount_minor: i64,
    /// Upper case.
    pub currency: String,
    /// `pi_…`
    pub payment_intent: Option<String>,
    /// `ch_…` or `py_…`
    pub charge: Option<String>,
    /// Stripe's word, such as `fraudulent`.
    pub reason: String,
    /// UNIX seconds.
    pub created: i64,
}

/// Somebody whose card may be saved.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCustomer {
    /// Our account, in the metadata.
    pub account_id: String,
    /// For Stripe's page and records.
    pub email: Option<String>,
    /// For Stripe's page and records.
    pub name: Option<String>,
}

/// Without the person's name and address.
impl fmt::Debug for NewCustomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCustomer").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

/// That something happened to an object. Says nothing about the object's state now: fetch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`, unique.
    pub id: String,
    /// Such as `checkout.session.completed`; empty where an event names none.
    pub kind: String,
    /// UNIX seconds; 0 where an event gives none.
    pub created: i64,
    /// What it happened to.
    pub object: ObjectRef,
}

/// What is needed to find an event's object again, here and at Stripe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectRef {
    /// `checkout.session`, `refund`, `charge`, `dispute`, `payment_intent` or anything else; empty if unknown.
    pub kind: String,
    /// Empty where the object has none.
    pub id: String,
    /// `pi_…`; a payment intent's own id.
    pub payment_intent: Option<String>,
    /// From our metadata.
    pub order_id: Option<String>,
    /// From our metadata.
    pub payment_id: Option<String>,
    /// From our metadata.
    pub refund_id: Option<String>,
}

/// A page of a list, newest first. The next one starts after the id of the last of `data`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// At most 100.
    pub data: Vec<T>,
    /// Whether a further page is worth asking for.
    pub has_more: bool,
}

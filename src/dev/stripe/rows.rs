//! What the simulator remembers: plain rows, rendered into Stripe's objects only at the edge (`view`).

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A row of one kind; the kind is also its name in the journal.
pub trait Row: Clone + Serialize + DeserializeOwned {
    const KIND: &'static str;

    fn id(&self) -> &str;
}

macro_rules! rows {
    ($($row:ident = $kind:literal),* $(,)?) => {
        $(impl Row for $row {
            const KIND: &'static str = $kind;

            fn id(&self) -> &str {
                &self.id
            }
        })*
    };
}

rows! {
    Session = "session", Intent = "intent", Charge = "charge", Refund = "refund", Dispute = "dispute",
    Customer = "customer", PaymentMethod = "payment_method", Portal = "portal", Event = "event", Key = "key",
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Card,
    WechatPay,
    Alipay,
}

impl Method {
    pub const ALL: [Method; 3] = [Method::Card, Method::WechatPay, Method::Alipay];

    pub fn name(self) -> &'static str {
        match self {
            Method::Card => "card",
            Method::WechatPay => "wechat_pay",
            Method::Alipay => "alipay",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Method::Card => "Card",
            Method::WechatPay => "WeChat Pay 微信支付",
            Method::Alipay => "Alipay 支付宝",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    /// Whether money refunded goes back at once (`pending` first for wallets, as Stripe tells).
    pub fn refunds_at_once(self) -> bool {
        self == Method::Card
    }

    /// How long after the payment Stripe refunds it: 180 days for WeChat Pay, 90 for Alipay.
    pub fn refund_window_days(self) -> Option<i64> {
        match self {
            Method::Card => None,
            Method::WechatPay => Some(180),
            Method::Alipay => Some(90),
        }
    }

    /// The presentment currencies that Stripe documents for the method.
    pub fn takes(self, currency: &str) -> bool {
        let currencies: &[&str] = match self {
            Method::Card => return true,
            Method::WechatPay => {
                &["aud", "cad", "chf", "cny", "dkk", "eur", "gbp", "hkd", "jpy", "nok", "sek", "sgd", "usd"]
            }
            Method::Alipay => &["aud", "cad", "cny", "eur", "gbp", "hkd", "jpy", "myr", "nzd", "sgd", "usd"],
        };
        currencies.contains(&currency)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    Open,
    Complete,
    Expired,
}

impl SessionStatus {
    pub fn name(self) -> &'static str {
        match self {
            SessionStatus::Open => "open",
            SessionStatus::Complete => "complete",
            SessionStatus::Expired => "expired",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    pub id: String,
    pub price: String,
    pub product: String,
    pub name: String,
    pub unit_amount: i64,
    pub quantity: i64,
    pub metadata: BTreeMap<String, String>,
}

/// A payment that a delayed method will finish.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Late {
    pub at: DateTime<Utc>,
    pub succeeds: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    pub id: String,
    pub created: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub status: SessionStatus,
    pub paid: bool,
    pub amount: i64,
    pub currency: String,
    pub methods: Vec<Method>,
    pub allowed: Option<Vec<String>>,
    pub lines: Vec<Line>,
    pub customer: Option<String>,
    pub customer_email: Option<String>,
    pub customer_creation: Option<String>,
    /// Who paid, known once the session is complete.
    pub payer_email: Option<String>,
    pub client_reference_id: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub success_url: String,
    pub cancel_url: Option<String>,
    /// `setup_future_usage` of the card alone, and of the whole intent.
    pub card_setup: Option<String>,
    pub intent_setup: Option<String>,
    pub intent_description: Option<String>,
    pub intent_metadata: BTreeMap<String, String>,
    pub receipt_email: Option<String>,
    /// Parameters that only change how Stripe's page looks: shown again as they came.
    pub echoes: Map<String, Value>,
    pub intent: Option<String>,
    pub late: Option<Late>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntentStatus {
    RequiresPaymentMethod,
    Processing,
    Succeeded,
    Canceled,
}

impl IntentStatus {
    pub fn name(self) -> &'static str {
        match self {
            IntentStatus::RequiresPaymentMethod => "requires_payment_method",
            IntentStatus::Processing => "processing",
            IntentStatus::Succeeded => "succeeded",
            IntentStatus::Canceled => "canceled",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Intent {
    pub id: String,
    pub created: DateTime<Utc>,
    /// None for a charge of a saved card.
    #[serde(default)]
    pub session: Option<String>,
    pub amount: i64,
    pub currency: String,
    pub methods: Vec<Method>,
    /// The filter that a charge of a saved card asked for.
    #[serde(default)]
    pub allowed: Option<Vec<String>>,
    pub status: IntentStatus,
    pub customer: Option<String>,
    pub description: Option<String>,
    pub receipt_email: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub setup: Option<String>,
    pub payment_method: Option<String>,
    pub latest_charge: Option<String>,
    /// The last failure, rendered; none after a success.
    pub last_error: Option<Value>,
    pub canceled_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub cancellation_reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Pending,
    Succeeded,
    Failed,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Succeeded => "succeeded",
            Status::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Charge {
    pub id: String,
    pub created: DateTime<Utc>,
    pub intent: String,
    pub amount: i64,
    pub currency: String,
    pub status: Status,
    pub method: Method,
    pub payment_method: String,
    pub fingerprint: String,
    pub customer: Option<String>,
    pub description: Option<String>,
    pub receipt_email: Option<String>,
    pub email: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub failure_message: Option<String>,
    /// Stripe's code of the failure, and the bank's where it gives one.
    #[serde(default)]
    pub failure_code: Option<String>,
    #[serde(default)]
    pub decline_code: Option<String>,
    /// The card as it was.
    #[serde(default)]
    pub card: CardFace,
    /// What went back or is on its way; a failed refund no longer counts.
    pub refunded: i64,
    pub refunds: Vec<String>,
    pub dispute: Option<String>,
}

/// What is shown of a card; meaningless for wallets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardFace {
    pub brand: String,
    pub last4: String,
    pub exp_month: i64,
    pub exp_year: i64,
}

impl Default for CardFace {
    fn default() -> Self {
        Self { brand: "visa".to_owned(), last4: "4242".to_owned(), exp_month: 12, exp_year: 2034 }
    }
}

/// What becomes of a charge of a saved card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[default]
    Ok,
    Decline,
    InsufficientFunds,
    ExpiredCard,
    AuthenticationRequired,
    ProcessingError,
}

impl Outcome {
    const ALL: [(&str, Self); 6] = [
        ("ok", Self::Ok),
        ("decline", Self::Decline),
        ("insufficient_funds", Self::InsufficientFunds),
        ("expired_card", Self::ExpiredCard),
        ("authentication_required", Self::AuthenticationRequired),
        ("processing_error", Self::ProcessingError),
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, outcome)| outcome)
    }
}

/// How a saved card behaves while its owner is away.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Behaviour {
    pub outcome: Outcome,
    /// For how many charges more, after which it is `ok`; none: until told otherwise.
    pub times: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PaymentMethod {
    pub id: String,
    pub created: DateTime<Utc>,
    pub method: Method,
    pub fingerprint: String,
    /// Whose it is: only what is saved has an owner, and what was taken off him is never used again.
    pub customer: Option<String>,
    pub email: Option<String>,
    #[serde(default)]
    pub card: CardFace,
    #[serde(default)]
    pub behaviour: Behaviour,
}

/// A visit to the page on which a customer looks after his cards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Portal {
    pub id: String,
    pub created: DateTime<Utc>,
    pub customer: String,
    pub return_url: Option<String>,
    pub locale: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refund {
    pub id: String,
    pub created: DateTime<Utc>,
    pub charge: String,
    pub intent: String,
    pub payment_method: String,
    pub customer: Option<String>,
    pub method: Method,
    pub amount: i64,
    pub currency: String,
    pub status: Status,
    pub reason: Option<String>,
    pub failure_reason: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// When a pending refund succeeds by itself.
    pub settles_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dispute {
    pub id: String,
    pub created: DateTime<Utc>,
    pub charge: String,
    pub intent: String,
    pub method: Method,
    pub amount: i64,
    pub currency: String,
    pub reason: String,
    pub status: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Customer {
    pub id: String,
    pub created: DateTime<Utc>,
    pub email: Option<String>,
    pub name: Option<String>,
    pub phone: Option<String>,
    pub description: Option<String>,
    pub locales: Vec<String>,
    pub metadata: BTreeMap<String, String>,
    /// `invoice_settings.default_payment_method`.
    #[serde(default)]
    pub default_method: Option<String>,
    #[serde(default)]
    pub deleted: bool,
}

/// An object as it was at one moment; cheap, because rows are copied on write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    Session(Arc<Session>),
    Intent(Arc<Intent>),
    Charge(Arc<Charge>),
    Refund(Arc<Refund>),
    Dispute(Arc<Dispute>),
    Customer(Arc<Customer>),
    PaymentMethod(Arc<PaymentMethod>),
}

/// The API call that caused an event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cause {
    pub request: String,
    pub key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Nobody asked for this type of event.
    NotWanted,
    Pending,
    Delivered,
    /// Never sent (an injected loss): it stays undelivered in the list of events.
    Withheld,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub id: String,
    pub created: DateTime<Utc>,
    pub kind: String,
    pub object: Snapshot,
    pub previous: Option<Value>,
    pub cause: Option<Cause>,
    pub delivery: Delivery,
    /// A late delivery's time; none: at once.
    pub deliver_at: Option<DateTime<Utc>>,
}

/// The kept result of a POST under its idempotency key (which is the id).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Key {
    pub id: String,
    pub created: DateTime<Utc>,
    pub endpoint: String,
    pub parameters: String,
    pub status: u16,
    pub body: String,
    pub request: String,
}

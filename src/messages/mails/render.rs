//! Turns a mail into words, at the time it is sent: templates of `templates/email/<kind>/<locale>/`, inside the program.

use std::sync::Arc;

use chrono::{DateTime, Offset, Utc};
use chrono_tz::Tz;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, Value};
use serde_json::json;
use url::Url;

use super::Mail;
use crate::config::Settings;
use crate::error::{AppError, Result};
use crate::types::locale::Locale;
use crate::types::money;
use crate::types::period::Term;

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Where the links of a mail lead to, and what the shop calls itself.
#[derive(Clone, Debug)]
struct Shop {
    name: String,
    /// Without a slash at the end.
    home_url: String,
    /// A storefront of its own has pages of orders; kindred has none.
    has_storefront: bool,
}

pub struct Renderer {
    templates: Environment<'static>,
    shop: Shop,
}

/// The three files of a kind in both languages, by the names that the environment knows them by.
macro_rules! embedded {
    ($($kind:literal)*) => {
        [$(
            embedded!(@file $kind, "zh-CN", "subject.txt"),
            embedded!(@file $kind, "zh-CN", "body.txt"),
            embedded!(@file $kind, "zh-CN", "body.html"),
            embedded!(@file $kind, "en", "subject.txt"),
            embedded!(@file $kind, "en", "body.txt"),
            embedded!(@file $kind, "en", "body.html"),
        )*]
    };
    (@file $kind:literal, $locale:literal, $file:literal) => {(
        concat!($kind, "/", $locale, "/", $file),
        include_str!(concat!("../../../templates/email/", $kind, "/", $locale, "/", $file)),
    )};
}

const TEMPLATES: [(&str, &str); 360] = embedded!(
    "verify_email" "reset_password" "change_email" "welcome" "upgraded"
    "renewed" "renewal_notice" "renewal_reminder" "renewal_failed" "price_change" "card_expiring"
    "membership_expired" "membership_cancelled" "change_planned"
    "associate_invitation" "associate_joined" "associate_ended" "receipt" "refunded" "goal_reached" "order_cancelled"
    "return_approved" "return_rejected" "return_closed" "application_received" "application_approved"
    "application_refused" "organiser_approved" "organiser_refused" "organiser_ended"
    "measure_taken" "measure_decided" "notice"
    "hold_ending" "f_code" "waiting_list_offer" "coupon_given" "now_available" "low_stock" "shipped"
    "dispute_opened" "referral_reward" "gift_card" "gift" "gift_code" "gift_delivered" "gift_redeemed" "gift_expiring" "welcome_gift" "points_expiring"
    "level_reached" "level_review" "level_dropped" "upgrade_offer"
    "trial_started" "trial_ending" "trial_ended" "withdrawal_received" "withdrawal_accepted" "withdrawal_rejected"
);

const SHARED: [(&str, &str); 3] = [
    ("layout.html", include_str!("../../../templates/email/layout.html")),
    ("layout.txt", include_str!("../../../templates/email/layout.txt")),
    ("macros.html", include_str!("../../../templates/email/macros.html")),
];

impl Renderer {
    /// `shop_name` is how the sender calls itself; links lead to the storefront of the settings.
    ///
    /// # Errors
    /// When a template can't be parsed: a test reads them all.
    pub fn new(settings: &Settings, shop_name: &str) -> Result<Self> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // Never the values of variables in an error: some are secrets.
        templates.set_debug(false);
        for (name, source) in TEMPLATES.iter().chain(&SHARED) {
            templates.add_template(name, source).map_err(AppError::internal)?;
        }
        let zone = Arc::new(settings.timezone);
        let (for_time, for_date) = (Arc::clone(&zone), zone);
        templates.add_filter("time", move |state: &State<'_, '_>, at: String| {
            Ok::<_, Error>(show_time(parse_time(&at)?, *for_time, locale_of(state)))
        });
        templates.add_filter("date", move |state: &State<'_, '_>, at: String| {
            Ok::<_, Error>(show_date(parse_time(&at)?, *for_date, locale_of(state)))
        });
        templates.add_filter("money", |amount_minor: i64, currency: String| {
            money::display(amount_minor, &currency)
        });
        templates.add_filter("term", |state: &State<'_, '_>, term: String| {
            Ok::<_, Error>(show_term(parse_term(&term)?, locale_of(state)))
        });
        let shop = Shop {
            name: shop_name.to_owned(),
            home_url: settings.storefront_url.as_str().trim_end_matches('/').to_owned(),
            has_storefront: !same_place(&settings.storefront_url, &settings.public_url),
        };
        Ok(Self { templates, shop })
    }

    /// # Errors
    /// When a template and the mail's data don't fit.
    pub fn render(&self, mail: &Mail, locale: Locale) -> Result<Rendered> {
        self.render_with(mail, locale, None)
    }

    /// [`Renderer::render`] with the way out of the mail's list.
    ///
    /// # Errors
    /// When a template and the mail's data don't fit.
    pub fn render_with(
        &self,
        mail: &Mail,
        locale: Locale,
        unsubscribe_url: Option<&str>,
    ) -> Result<Rendered> {
        let (kind, data) = mail.to_columns()?;
        let mut context = data;
        if let Some(fields) = context.as_object_mut() {
            fields.insert("locale".to_owned(), json!(locale.as_str()));
            fields.insert("shop".to_owned(), json!(self.shop.name));
            fields.insert("home_url".to_owned(), json!(self.shop.home_url));
            fields.insert("unsubscribe_url".to_owned(), json!(unsubscribe_url));
            fields.insert("link".to_owned(), json!(self.link(mail)));
            fields.insert("stop_link".to_owned(), json!(self.stop_link(mail)));
            fields.insert("order_url".to_owned(), json!(self.order_url(mail)));
            fields.insert("product_url".to_owned(), json!(self.product_url(mail)));
            fields.insert("plan_url".to_owned(), json!(self.plan_url(mail)));
        }
        let subject = self.fill(&kind, locale, "subject.txt", &context)?;
        // A name may hold a line break; a header must not.
        let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(fields) = context.as_object_mut() {
            fields.insert("subject".to_owned(), json!(subject));
        }
        let text = self.fill(&kind, locale, "body.txt", &context)?;
        let html = self.fill(&kind, locale, "body.html", &context)?;
        Ok(Rendered { subject, text, html })
    }

    fn fill(&self, kind: &str, locale: Locale, file: &str, context: &serde_json::Value) -> Result<String> {
        let name = format!("{kind}/{}/{file}", locale.as_str());
        let template = self.templates.get_template(&name).map_err(AppError::internal)?;
        template.render(Value::from(Serde(context))).map_err(AppError::internal)
    }

    /// The one-time link of a mail that has one.
    fn link(&self, mail: &Mail) -> Option<String> {
        let (page, token) = match mail {
            Mail::VerifyEmail { token } | Mail::ChangeEmail { token } => ("verify-email", token),
            Mail::ResetPassword { token } => ("reset-password", token),
            Mail::WithdrawalReceived { token, .. } => ("stop-withdrawal", token),
            Mail::RenewalNotice { token, .. }
            | Mail::RenewalReminder { token, .. }
            | Mail::RenewalFailed { token, .. }
            | Mail::CardExpiring { token, .. } => ("renew", token),
            // To accept, one signs in: that takes a storefront. Without one the token stands in the mail alone.
            Mail::AssociateInvitation { token, .. } if self.shop.has_storefront => {
                ("associate-invitation", token)
            }
            _ => return None,
        };
        Some(self.page_url(page, token))
    }

    /// The link by which the saved card isn't charged.
    fn stop_link(&self, mail: &Mail) -> Option<String> {
        match mail {
            Mail::RenewalNotice { token, .. } => Some(self.page_url("stop-renewal", token)),
            _ => None,
        }
    }

    fn page_url(&self, page: &str, token: &str) -> String {
        let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        format!("{}/{page}?token={token}", self.shop.home_url)
    }

    fn order_url(&self, mail: &Mail) -> Option<String> {
        match mail {
            Mail::Receipt { order_number, .. }
            | Mail::Shipped { order_number, .. }
            | Mail::GoalReached { order_number, .. }
            | Mail::GiftCode { order_number, .. }
            | Mail::GiftDelivered { order_number, .. }
            | Mail::GiftRedeemed { order_number, .. }
            | Mail::GiftExpiring { order_number, .. }
            | Mail::ReturnApproved { order_number, .. }
                if self.shop.has_storefront =>
            {
                Some(format!("{}/orders/{order_number}", self.shop.home_url))
            }
            _ => None,
        }
    }

    fn product_url(&self, mail: &Mail) -> Option<String> {
        match mail {
            Mail::NowAvailable { slug, .. } if self.shop.has_storefront => {
                Some(format!("{}/products/{slug}", self.shop.home_url))
            }
            _ => None,
        }
    }

    fn plan_url(&self, mail: &Mail) -> Option<String> {
        match mail {
            Mail::TrialEnding { plan_code: Some(code), .. }
            | Mail::TrialEnded { plan_code: Some(code), .. }
            | Mail::UpgradeOffer { plan_code: code, .. }
                if self.shop.has_storefront =>
            {
                Some(format!("{}/plans/{code}", self.shop.home_url))
            }
            _ => None,
        }
    }
}

fn same_place(a: &Url, b: &Url) -> bool {
    a.as_str().trim_end_matches('/') == b.as_str().trim_end_matches('/')
}

fn locale_of(state: &State<'_, '_>) -> Locale {
    let locale = state.lookup("locale");
    Locale::from_stored(locale.as_ref().and_then(Value::as_str).unwrap_or_default())
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, Error> {
    text.parse().map_err(|_| Error::new(ErrorKind::InvalidOperation, "expected a time in RFC 3339"))
}

fn parse_term(text: &str) -> Result<Term, Error> {
    text.parse().map_err(|_| Error::new(ErrorKind::InvalidOperation, "expected a term such as P1Y"))
}

/// `1 年`, `3 months`, for people.
fn show_term(term: Term, locale: Locale) -> String {
    let counted = |count: u32, zh: &str, en: &str| match locale {
        Locale::ZhCn => format!("{count} {zh}"),
        Locale::En if count == 1 => format!("1 {en}"),
        Locale::En => format!("{count} {en}s"),
    };
    match term {
        Term::Months(months) if months % 12 == 0 => counted(months / 12, "年", "year"),
        Term::Months(months) => counted(months, "个月", "month"),
        Term::Days(days) => counted(days, "天", "day"),
        Term::Lifetime => locale.pick("终身", "lifetime").to_owned(),
    }
}

/// To the minute, in the shop's zone, with its distance from UTC: `2013年8月9日 14:00（UTC+8）`.
fn show_time(at: DateTime<Utc>, zone: Tz, locale: Locale) -> String {
    let local = at.with_timezone(&zone);
    let minutes = local.offset().fix().local_minus_utc() / 60;
    let sign = if minutes < 0 { '−' } else { '+' };
    let offset = match (minutes.abs() / 60, minutes.abs() % 60) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{sign}{hours}"),
        (hours, rest) => format!("UTC{sign}{hours}:{rest:02}"),
    };
    let (date, clock) = (show_date(at, zone, locale), local.format("%H:%M"));
    match locale {
        Locale::ZhCn => format!("{date} {clock}（{offset}）"),
        Locale::En => format!("{date}, {clock} ({offset})"),
    }
}

/// A day of the shop's zone: `2013年8月9日`, `9 August 2013`.
pub fn show_date(at: DateTime<Utc>, zone: Tz, locale: Locale) -> String {
    let local = at.with_timezone(&zone);
    local.format(locale.pick("%Y年%-m月%-d日", "%-d %B %Y")).to_string()
}

#[cfg(test)]
mod tests;

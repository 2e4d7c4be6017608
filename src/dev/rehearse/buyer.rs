//! One buyer's evening: sign in, choose, order, pay or not, see the membership; or be refused and come back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::mood::Mood;
use super::sale::Sale;
use super::scenario::{Crowd, DriveSpec, email};
use super::visit::{Answer, Call, PageAnswer, Trouble, Visit, trouble};
use super::{PASSWORD, SHOP};

/// In hundredths: who wants the dearest tier, and of them, who takes a cheaper one when it is sold out.
const WANTS_DEAREST: u32 = 10;
const FALLS_BACK: u32 = 70;
/// In hundredths: who clicks twice at once, and who sends an order again that stands; each with one key.
const IMPATIENT: u32 = 4;
const FORGETFUL: u32 = 3;
/// Who has come back that often pays when a place is to be had at last.
const EAGER_AFTER: u32 = 2;
/// How long a page, or the end of an order that was paid, may take with everything that is killed on the way.
const ORDER_MAX: Duration = Duration::from_secs(240);

pub struct Buyer {
    index: u32,
    is_stranger: bool,
    is_impatient: bool,
    is_forgetful: bool,
    /// The drives wanted, the dearest first.
    wishes: Vec<String>,
    mood: Mood,
    /// How long after the hold's end one is who comes too late; negative: just before.
    tardiness: TimeDelta,
    visits: u32,
    orders: u32,
    token: String,
}

/// How a visit ended.
enum Ending {
    /// Bought, or has had enough.
    Left,
    /// Nothing to be had: comes back.
    Refused,
}

/// A drive on the shop's board.
struct Offer {
    id: String,
    plan: String,
    tier: String,
    remaining: i64,
}

/// A payment page.
struct Page {
    url: String,
    /// The end of the hold.
    expires_at: DateTime<Utc>,
}

impl Buyer {
    pub fn new(index: u32, crowd: &Crowd, seed: u64, drives: &[DriveSpec]) -> Self {
        let mut dice = StdRng::seed_from_u64(seed ^ (u64::from(index) << 24));
        let mut wishes: Vec<_> = drives.iter().map(|drive| (drive.price_minor, drive.code.clone())).collect();
        wishes.sort_unstable();
        wishes.reverse();
        if dice.random_range(0..100) >= WANTS_DEAREST {
            wishes.drain(..1);
        } else if dice.random_range(0..100) >= FALLS_BACK {
            wishes.truncate(1);
        }
        Self {
            index,
            is_stranger: crowd.is_stranger(index),
            is_impatient: dice.random_range(0..100) < IMPATIENT,
            is_forgetful: dice.random_range(0..100) < FORGETFUL,
            wishes: wishes.into_iter().map(|(_, code)| code).collect(),
            mood: Mood::draw(&mut dice),
            tardiness: TimeDelta::milliseconds(dice.random_range(-300..2_000)),
            visits: 0,
            orders: 0,
            token: String::new(),
        }
    }

    /// Comes, and comes back, until served or the sale is over. What should not happen is a complaint.
    pub async fn attend(mut self, sale: &Sale) {
        if let Err(Trouble(what)) = self.try_to_attend(sale).await {
            sale.seen.complain(&format!("buyer {}: {what}", self.index));
        }
    }

    async fn try_to_attend(&mut self, sale: &Sale) -> Result<(), Trouble> {
        let mut visit = self.enter(sale).await?;
        if self.is_stranger {
            self.sign_up(&visit).await?;
        }
        self.sign_in(&visit).await?;
        loop {
            self.visits += 1;
            match self.look_around(sale, visit).await? {
                Ending::Left => return Ok(()),
                Ending::Refused if !sale.pause().await => return Ok(()),
                Ending::Refused => visit = self.enter(sale).await?,
            }
        }
    }

    async fn enter<'s>(&self, sale: &'s Sale) -> Result<Visit<'s>, Trouble> {
        sale.enter(self.index).await.map_err(|error| trouble(error.to_string()))
    }

    async fn sign_up(&self, visit: &Visit<'_>) -> Result<(), Trouble> {
        let body = json!({ "email": email(self.index), "password": PASSWORD });
        let answer = visit.call(&Call::post("/v1/accounts", &body)).await?;
        // Where the answer to the first try was lost, the address is taken: by us.
        match (answer.status, answer.code()) {
            (201, _) | (409, "email_taken") => Ok(()),
            (status, code) => Err(trouble(format!("signing up: {status} {code}"))),
        }
    }

    async fn sign_in(&mut self, visit: &Visit<'_>) -> Result<(), Trouble> {
        let body = json!({ "email": email(self.index), "password": PASSWORD });
        let answer = visit.call(&Call::post("/v1/sessions", &body)).await?;
        if answer.status != 201 {
            return Err(trouble(format!("signing in: {} {}", answer.status, answer.code())));
        }
        answer.text("/access_token").clone_into(&mut self.token);
        Ok(())
    }

    /// A call as who is signed in; signs in again when the token is over.
    async fn ask(&mut self, visit: &Visit<'_>, call: Call<'_>) -> Result<Answer, Trouble> {
        let token = self.token.clone();
        let answer = visit.call(&Call { token: Some(&token), ..call_again(&call) }).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.sign_in(visit).await?;
        let token = self.token.clone();
        visit.call(&Call { token: Some(&token), ..call }).await
    }

    /// Tries what is wanted, best first. Who comes for the first time tries whatever the board says.
    async fn look_around(&mut self, sale: &Sale, visit: Visit<'_>) -> Result<Ending, Trouble> {
        let board = visit.call(&Call::get("/v1/drives")).await?;
        for wish in self.wishes.clone() {
            let offer =
                offer_of(&board, &wish).ok_or_else(|| trouble(format!("{wish} isn't on the board")))?;
            if offer.remaining <= 0 && self.visits > 1 {
                continue;
            }
            if let Some(order) = self.order(sale, &visit, &wish, &offer).await? {
                return self.see_through(sale, visit, &order, &offer).await;
            }
        }
        Ok(Ending::Refused)
    }

    /// The order's id, or none where all is sold. The key stays the same until an order stands: a refusal changes
    /// nothing, and the next visit may use it again.
    async fn order(
        &mut self,
        sale: &Sale,
        visit: &Visit<'_>,
        code: &str,
        offer: &Offer,
    ) -> Result<Option<String>, Trouble> {
        let key = format!("rehearsal-{}-{code}-{}", self.index, self.orders);
        let body = json!({
            "lines": [{ "plan": offer.plan, "drive": offer.id }],
            "success_url": format!("{SHOP}/welcome"),
            "cancel_url": format!("{SHOP}/"),
            "consents": { "terms": true },
        });
        let mut answers = self.clicks(sale, visit, &key, &body).await?;
        if answers.iter().any(|answer| answer.status == 401) {
            self.sign_in(visit).await?;
            answers = self.clicks(sale, visit, &key, &body).await?;
        }
        let mut placed = None;
        for answer in answers {
            match (answer.status, answer.code()) {
                (201, _) => {
                    sale.seen.placed(&key, answer.text("/id"));
                    placed = Some(answer.text("/id").to_owned());
                }
                (409, "sold_out") => sale.seen.refused("sold_out"),
                (status, code) => return Err(trouble(format!("ordering: {status} {code}"))),
            }
        }
        if placed.is_some() && self.is_forgetful {
            let again = self.click(sale, visit, &key, &body).await?;
            if again.status != 201 {
                let (status, code) = (again.status, again.code());
                return Err(trouble(format!("an order that stands, asked for again: {status} {code}")));
            }
            sale.seen.placed(&key, again.text("/id"));
        }
        self.orders += u32::from(placed.is_some());
        Ok(placed)
    }

    /// Sends the order, the impatient twice at once.
    async fn clicks(
        &self,
        sale: &Sale,
        visit: &Visit<'_>,
        key: &str,
        body: &Value,
    ) -> Result<Vec<Answer>, Trouble> {
        let click = || self.click(sale, visit, key, body);
        if self.is_impatient {
            let (one, other) = tokio::try_join!(click(), click())?;
            Ok(vec![one, other])
        } else {
            Ok(vec![click().await?])
        }
    }

    async fn click(
        &self,
        sale: &Sale,
        visit: &Visit<'_>,
        key: &str,
        body: &Value,
    ) -> Result<Answer, Trouble> {
        let asked_at = Instant::now();
        let call = Call { token: Some(&self.token), ..Call::post("/v1/orders", body).key(key) };
        let answer = visit.call(&call).await?;
        sale.seen.answered(asked_at);
        Ok(answer)
    }

    /// From the order to its end, as the mood wants.
    async fn see_through(
        &mut self,
        sale: &Sale,
        visit: Visit<'_>,
        order: &str,
        offer: &Offer,
    ) -> Result<Ending, Trouble> {
        let Some(page) = self.page(&visit, order).await? else { return Ok(Ending::Refused) };
        let mood = if self.visits > EAGER_AFTER { Mood::Pays } else { self.mood };
        // Later orders of the same person are plain ones.
        self.mood = Mood::Pays;
        let form = "action=pay&method=wechat_pay";
        let paid = match mood {
            Mood::Pays => visit.pay(&page.url, form).await?,
            Mood::PaysUnseen => visit.pay(&page.url, "action=pay_unseen&method=wechat_pay").await?,
            Mood::PaysLate(seconds) => {
                let form = format!("action=pay_late&method=wechat_pay&delay={seconds}");
                visit.pay(&page.url, &form).await?
            }
            Mood::PaysAfterDecline => {
                visit.pay(&page.url, "action=fail&method=wechat_pay").await?;
                visit.pay(&page.url, form).await?
            }
            Mood::PaysByNewAttempt => {
                visit.pay(&page.url, "action=fail&method=wechat_pay").await?;
                self.pay_again(&visit, order).await?
            }
            Mood::FailsLate => {
                visit.pay(&page.url, "action=fail_late&method=wechat_pay&delay=2").await?;
                self.wait_for_failure(&visit, order).await?;
                self.pay_again(&visit, order).await?
            }
            Mood::GivesUp => return Ok(Ending::Left),
            Mood::Cancels | Mood::CancelsAndPays => {
                self.cancel(&visit, order).await?;
                if mood == Mood::CancelsAndPays {
                    // Whatever the page says: money that comes is sent back, and the judge looks for it.
                    visit.pay(&page.url, form).await?;
                }
                return Ok(Ending::Left);
            }
            Mood::PaysAfterHold => {
                drop(visit);
                return self.come_late(sale, &page, order, offer).await;
            }
        };
        if paid == PageAnswer::Accepted {
            self.collect(sale, &visit, order, offer).await?;
            return Ok(Ending::Left);
        }
        // The hold ended before the page was paid: as good as refused.
        Ok(Ending::Refused)
    }

    /// The payment page, once it is ready; none where the order ended before.
    async fn page(&mut self, visit: &Visit<'_>, order: &str) -> Result<Option<Page>, Trouble> {
        let begun = Instant::now();
        let path = format!("/v1/orders/{order}?wait=payment");
        while begun.elapsed() < ORDER_MAX {
            let answer = self.ask(visit, Call::get(&path)).await?;
            match (answer.status, answer.text("/payment/state")) {
                (200, "preparing") => {}
                (200, "ready") => {
                    let expires_at = answer.text("/payment/expires_at").parse();
                    return match (answer.text("/payment/url"), expires_at) {
                        ("", _) | (_, Err(_)) => {
                            Err(trouble(format!("{order}: a ready page without its data")))
                        }
                        (url, Ok(expires_at)) => Ok(Some(Page { url: url.to_owned(), expires_at })),
                    };
                }
                (200, _) => return Ok(None),
                (status, _) => return Err(trouble(format!("{order}: {status} {}", answer.code()))),
            }
        }
        Err(trouble(format!("{order}: its payment page never came")))
    }

    async fn pay_again(&mut self, visit: &Visit<'_>, order: &str) -> Result<PageAnswer, Trouble> {
        let (path, key) = (format!("/v1/orders/{order}/payments"), format!("{order}-again"));
        let body = json!({ "method": "wechat_pay" });
        let answer = self.ask(visit, Call::post(&path, &body).key(&key)).await?;
        match (answer.status, answer.code()) {
            (201, _) => {}
            (409, "order_not_pending") => return Ok(PageAnswer::Over),
            (status, code) => return Err(trouble(format!("{order}: a new attempt: {status} {code}"))),
        }
        match self.page(visit, order).await? {
            Some(page) => visit.pay(&page.url, "action=pay&method=wechat_pay").await,
            None => Ok(PageAnswer::Over),
        }
    }

    /// Until the shop knows that a delayed payment failed.
    async fn wait_for_failure(&mut self, visit: &Visit<'_>, order: &str) -> Result<(), Trouble> {
        let begun = Instant::now();
        let (look, wait) = (format!("/v1/orders/{order}"), format!("/v1/orders/{order}?wait=settled"));
        while begun.elapsed() < ORDER_MAX {
            // Waiting makes the shop ask Stripe itself: for events that are lost.
            let path = if begun.elapsed() < Duration::from_secs(6) { &look } else { &wait };
            let answer = self.ask(visit, Call::get(path)).await?;
            if matches!(answer.text("/payment/state"), "failed" | "expired") {
                return Ok(());
            }
            sleep(Duration::from_millis(500)).await;
        }
        Err(trouble(format!("{order}: a failed payment never failed here")))
    }

    async fn cancel(&mut self, visit: &Visit<'_>, order: &str) -> Result<(), Trouble> {
        let (path, key, body) = (format!("/v1/orders/{order}/cancel"), format!("{order}-cancel"), json!({}));
        let answer = self.ask(visit, Call::post(&path, &body).key(&key)).await?;
        match (answer.status, answer.text("/state"), answer.code()) {
            (200, "cancelled", _) | (409, _, "order_not_pending") => Ok(()),
            (status, state, code) => Err(trouble(format!("{order}: cancelling: {status} {state} {code}"))),
        }
    }

    /// Pays at or after the end of the hold: honoured, refused by the page, or sent back.
    async fn come_late(
        &mut self,
        sale: &Sale,
        page: &Page,
        order: &str,
        offer: &Offer,
    ) -> Result<Ending, Trouble> {
        while sale.clock.now() < page.expires_at + self.tardiness {
            sleep(Duration::from_millis(50)).await;
        }
        let visit = self.enter(sale).await?;
        if visit.pay(&page.url, "action=pay&method=wechat_pay").await? == PageAnswer::Accepted {
            let state = self.settled(&visit, order).await?;
            if state == "fulfilled" {
                self.check_membership(sale, &visit, order, offer).await?;
            }
        }
        Ok(Ending::Left)
    }

    /// Waits for what was paid for, and looks at it.
    async fn collect(
        &mut self,
        sale: &Sale,
        visit: &Visit<'_>,
        order: &str,
        offer: &Offer,
    ) -> Result<(), Trouble> {
        let state = self.settled(visit, order).await?;
        if state != "fulfilled" {
            return Err(trouble(format!("{order}: paid in time, and it is {state}")));
        }
        self.check_membership(sale, visit, order, offer).await
    }

    /// The state of an order that is no longer pending.
    async fn settled(&mut self, visit: &Visit<'_>, order: &str) -> Result<String, Trouble> {
        let begun = Instant::now();
        let path = format!("/v1/orders/{order}?wait=settled");
        while begun.elapsed() < ORDER_MAX {
            let answer = self.ask(visit, Call::get(&path)).await?;
            match (answer.status, answer.text("/state")) {
                (200, "pending_payment" | "paid") => {}
                (200, state) => return Ok(state.to_owned()),
                (status, _) => return Err(trouble(format!("{order}: {status} {}", answer.code()))),
            }
        }
        Err(trouble(format!("{order}: paid and never settled")))
    }

    async fn check_membership(
        &mut self,
        sale: &Sale,
        visit: &Visit<'_>,
        order: &str,
        offer: &Offer,
    ) -> Result<(), Trouble> {
        let answer = self.ask(visit, Call::get("/v1/me/membership")).await?;
        let (state, tier, number) = (answer.text("/state"), answer.text("/tier"), answer.text("/number"));
        if answer.status != 200 || state != "active" || tier != offer.tier || number.is_empty() {
            let (status, code) = (answer.status, answer.code());
            return Err(trouble(format!("{order}: the membership: {status} {code} {state} {tier} {number}")));
        }
        sale.seen.became_member(order, number);
        Ok(())
    }
}

/// The same call, to be sent once more.
fn call_again<'a>(call: &Call<'a>) -> Call<'a> {
    Call { method: call.method.clone(), path: call.path, token: call.token, key: call.key, body: call.body }
}

fn offer_of(board: &Answer, code: &str) -> Option<Offer> {
    let drives = board.body.pointer("/data")?.as_array()?;
    let drive = drives.iter().find(|drive| drive.get("code").and_then(Value::as_str) == Some(code))?;
    let text = |pointer: &str| drive.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Some(Offer {
        id: text("/id")?,
        plan: text("/plan/id")?,
        tier: text("/plan/tier")?,
        remaining: drive.get("remaining")?.as_i64()?,
    })
}

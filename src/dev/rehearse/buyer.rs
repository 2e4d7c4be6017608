//! One buyer's evening: sign in, choose, order, pay or not, see what was bought; or be refused and come back.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::SHOP;
use super::board::{self, Offer};
use super::coupons;
use super::mood::Mood;
use super::person::Person;
use super::sale::Sale;
use super::scenario::{Crowd, FCodeHeld, Kind, Scenario, email};
use super::visit::{Answer, Call, PageAnswer, Trouble, Visit, trouble};

/// In hundredths: of those who want the dearest ware, who takes a cheaper one when it is sold out.
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
    /// Comes to a sale for members without being one.
    is_visitor: bool,
    is_diehard: bool,
    /// Guarantees a unit: its holder is refused nothing, and pays.
    f_code: Option<FCodeHeld>,
    /// What he got of those that are given out.
    coupon: Option<String>,
    kind: Kind,
    /// The wares wanted, the dearest first.
    wishes: Vec<String>,
    mood: Mood,
    /// How long after the hold's end one is who comes too late; negative: just before.
    tardiness: TimeDelta,
    visits: u32,
    orders: u32,
    person: Person,
}

/// How a visit ended.
enum Ending {
    /// Bought, or has had enough.
    Left,
    /// Nothing to be had: comes back.
    Refused,
}

/// What the shop said to an order.
enum Said {
    Placed(String),
    /// All is sold, or the doors aren't open yet.
    NotNow,
    NotForYou,
}

/// A payment page.
struct Page {
    url: String,
    /// The end of the hold.
    expires_at: DateTime<Utc>,
}

impl Buyer {
    pub fn new(index: u32, crowd: &Crowd, seed: u64, scenario: &Scenario) -> Self {
        let mut dice = StdRng::seed_from_u64(seed ^ (u64::from(index) << 24));
        let wares = scenario.wares.iter();
        let mut wishes: Vec<_> = wares.map(|ware| (ware.price_minor, ware.code.clone())).collect();
        wishes.sort_unstable();
        wishes.reverse();
        let f_code = crowd.f_code(index).cloned();
        if let Some(held) = &f_code {
            wishes.retain(|(_, code)| *code == held.ware);
        } else if dice.random_range(0..100) >= scenario.wants_dearest && wishes.len() > 1 {
            wishes.drain(..1);
        } else if dice.random_range(0..100) >= FALLS_BACK {
            wishes.truncate(1);
        }
        let mood = Mood::draw(&mut dice);
        Self {
            index,
            is_stranger: crowd.is_stranger(index),
            is_visitor: crowd.is_visitor(index),
            is_diehard: Crowd::is_diehard(index),
            kind: scenario.kind,
            is_impatient: dice.random_range(0..100) < IMPATIENT,
            is_forgetful: dice.random_range(0..100) < FORGETFUL,
            wishes: wishes.into_iter().map(|(_, code)| code).collect(),
            mood: if f_code.is_some() { mood.in_earnest() } else { mood },
            f_code,
            coupon: None,
            tardiness: TimeDelta::milliseconds(dice.random_range(-300..2_000)),
            visits: 0,
            orders: 0,
            person: Person::new(email(index)),
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
            self.person.sign_up(&visit).await?;
        }
        self.person.sign_in(&visit).await?;
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

    /// Tries what is wanted, best first. Who comes for the first time tries whatever the board says.
    async fn look_around(&mut self, sale: &Sale, visit: Visit<'_>) -> Result<Ending, Trouble> {
        if let Kind::Coupons { .. } = self.kind
            && self.coupon.is_none()
            && !self.claim(sale, &visit).await?
        {
            return Ok(Ending::Left);
        }
        let board = visit.call(&Call::get(board::path(self.kind))).await?;
        for wish in self.wishes.clone() {
            let offer = board::offer_of(&board, self.kind, &wish, self.f_code.as_ref());
            let offer = offer.ok_or_else(|| trouble(format!("{wish} isn't on the board")))?;
            if offer.remaining <= 0 && self.visits > 1 && self.f_code.is_none() {
                continue;
            }
            match self.order(sale, &visit, &wish, &offer).await? {
                Said::Placed(order) => return self.see_through(sale, visit, &order, &offer).await,
                Said::NotForYou => return Ok(Ending::Left),
                Said::NotNow => {}
            }
        }
        Ok(Ending::Refused)
    }

    /// Takes one of the coupons that are given out; false where none is left. The impatient ask twice at once, the forgetful
    /// once more: it is one coupon.
    async fn claim(&mut self, sale: &Sale, visit: &Visit<'_>) -> Result<bool, Trouble> {
        let (key, body) = (format!("claim-{}", self.index), json!({}));
        let call = Call { token: Some(self.person.token()), ..Call::post(coupons::CLAIM, &body).key(&key) };
        let mut answers = vec![];
        if self.is_impatient {
            let (one, other) = tokio::try_join!(visit.call(&call), visit.call(&call))?;
            answers.extend([one, other]);
        } else {
            answers.push(visit.call(&call).await?);
        }
        if self.is_forgetful {
            answers.push(visit.call(&call).await?);
        }
        let mut codes = BTreeSet::new();
        for answer in &answers {
            match (answer.status, answer.code()) {
                (201, _) => drop(codes.insert(answer.text("/code").to_owned())),
                (409, code @ "given_out") => sale.seen.refused(code),
                (status, code) => return Err(trouble(format!("claiming: {status} {code}"))),
            }
        }
        if codes.len() > 1 || (!codes.is_empty() && answers.iter().any(|answer| answer.status != 201)) {
            return Err(trouble(format!("one claim, answered by {codes:?} and refusals")));
        }
        self.coupon = codes.pop_first();
        Ok(self.coupon.is_some())
    }

    /// What the shop says to an order. The key stays the same until an order stands: a refusal changes
    /// nothing, and the next visit may use it again.
    async fn order(
        &mut self,
        sale: &Sale,
        visit: &Visit<'_>,
        code: &str,
        offer: &Offer,
    ) -> Result<Said, Trouble> {
        let key = format!("rehearsal-{}-{code}-{}", self.index, self.orders);
        let mut body = sale.scenario.body(&offer.line, SHOP);
        if let (Some(coupon), Some(fields)) = (&self.coupon, body.as_object_mut()) {
            fields.insert("coupon_codes".to_owned(), json!([coupon]));
        }
        let mut answers = self.clicks(sale, visit, &key, &body).await?;
        if answers.iter().any(|answer| answer.status == 401) {
            self.person.sign_in(visit).await?;
            answers = self.clicks(sale, visit, &key, &body).await?;
        }
        let (mut placed, mut for_others) = (None, false);
        for answer in answers {
            let (status, code) = (answer.status, answer.code());
            match status {
                201 if !self.is_visitor => {
                    sale.seen.placed(&key, answer.text("/id"));
                    placed = Some(answer.text("/id").to_owned());
                }
                _ if self.may_be_told(status, code) => {
                    sale.seen.refused(code);
                    for_others |= code == "members_only";
                }
                _ => return Err(trouble(format!("ordering: {status} {code}"))),
            }
        }
        let Some(placed) = placed else {
            return Ok(if for_others { Said::NotForYou } else { Said::NotNow });
        };
        if self.is_forgetful {
            let again = self.click(sale, visit, &key, &body).await?;
            if again.status != 201 {
                let (status, code) = (again.status, again.code());
                return Err(trouble(format!("an order that stands, asked for again: {status} {code}")));
            }
            sale.seen.placed(&key, again.text("/id"));
        }
        self.orders += 1;
        Ok(Said::Placed(placed))
    }

    /// Refusals that this buyer has to expect.
    fn may_be_told(&self, status: u16, code: &str) -> bool {
        match (status, code) {
            (409, "sold_out") => self.f_code.is_none(),
            (409, "not_open") => self.kind != Kind::Drives && !self.is_diehard && self.f_code.is_none(),
            // An order that was given up counts until its hold has ended.
            (409, "cap_reached" | "f_code_used") => self.orders > 0,
            (403, "members_only") => self.is_visitor,
            // The budget is spent, or the order that holds it was given up and its hold runs.
            (422, "coupon_refused") => self.coupon.is_some(),
            _ => false,
        }
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
        let call = Call { token: Some(self.person.token()), ..Call::post("/v1/orders", body).key(key) };
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
            let answer = self.person.ask(visit, Call::get(&path)).await?;
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
        let answer = self.person.ask(visit, Call::post(&path, &body).key(&key)).await?;
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
            let answer = self.person.ask(visit, Call::get(path)).await?;
            if matches!(answer.text("/payment/state"), "failed" | "expired") {
                return Ok(());
            }
            sleep(Duration::from_millis(500)).await;
        }
        Err(trouble(format!("{order}: a failed payment never failed here")))
    }

    async fn cancel(&mut self, visit: &Visit<'_>, order: &str) -> Result<(), Trouble> {
        let (path, key, body) = (format!("/v1/orders/{order}/cancel"), format!("{order}-cancel"), json!({}));
        let answer = self.person.ask(visit, Call::post(&path, &body).key(&key)).await?;
        match (answer.status, answer.text("/state"), answer.code()) {
            (200, "cancelled", _) | (409, _, "order_not_pending" | "not_cancellable") => Ok(()),
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
            if state == self.delivered() {
                self.check_delivery(sale, &visit, order, offer).await?;
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
        if state != self.delivered() {
            return Err(trouble(format!("{order}: paid in time, and it is {state}")));
        }
        self.check_delivery(sale, visit, order, offer).await
    }

    /// What an order is once its buyer has what is his, or has it coming by parcel.
    fn delivered(&self) -> &'static str {
        if self.kind == Kind::Drives { "fulfilled" } else { "paid" }
    }

    /// The state of an order that is no longer pending.
    async fn settled(&mut self, visit: &Visit<'_>, order: &str) -> Result<String, Trouble> {
        let begun = Instant::now();
        let path = format!("/v1/orders/{order}?wait=settled");
        while begun.elapsed() < ORDER_MAX {
            let answer = self.person.ask(visit, Call::get(&path)).await?;
            match (answer.status, answer.text("/state")) {
                (200, "pending_payment") => {}
                (200, "paid") if self.kind == Kind::Drives => {}
                (200, state) => return Ok(state.to_owned()),
                (status, _) => return Err(trouble(format!("{order}: {status} {}", answer.code()))),
            }
        }
        Err(trouble(format!("{order}: paid and never settled")))
    }

    async fn check_delivery(
        &mut self,
        sale: &Sale,
        visit: &Visit<'_>,
        order: &str,
        offer: &Offer,
    ) -> Result<(), Trouble> {
        let Some(wanted) = &offer.tier else {
            sale.seen.has_goods_coming(order, self.index);
            return Ok(());
        };
        let answer = self.person.ask(visit, Call::get("/v1/me/membership")).await?;
        let (state, tier, number) = (answer.text("/state"), answer.text("/tier"), answer.text("/number"));
        if answer.status != 200 || state != "active" || tier != wanted || number.is_empty() {
            let (status, code) = (answer.status, answer.code());
            return Err(trouble(format!("{order}: the membership: {status} {code} {state} {tier} {number}")));
        }
        sale.seen.became_member(order, number);
        Ok(())
    }
}

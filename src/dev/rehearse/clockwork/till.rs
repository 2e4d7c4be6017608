//! What a member does in the shop and at the till, over HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::super::SHOP;
use super::super::person::Person;
use super::super::visit::{Answer, Call, PageAnswer, Trouble, Visit, trouble};
use super::world::World;
use super::{asker::Asker, post};

/// How long a page may take with everything that is killed on the way.
const PAGE_MAX: Duration = Duration::from_secs(120);

/// Somebody in the shop.
pub struct Till<'w> {
    pub world: &'w World,
    pub visit: Visit<'w>,
    pub person: Person,
    pub email: String,
}

/// An order that was paid on its page.
#[derive(Clone, Debug)]
pub struct Paid {
    pub order: String,
    pub due_minor: i64,
}

impl<'w> Till<'w> {
    /// Comes in; signs in with the first thing that asks for it.
    ///
    /// # Errors
    /// When no client can be made.
    pub async fn enter(world: &'w World, address: u32, email: String) -> Result<Self, Trouble> {
        let visit = world.enter(address).await?;
        let person = Person::new(email.clone());
        Ok(Self { world, visit, person, email })
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, Trouble> {
        self.person.demand(&self.visit, Call::get(path), 200).await
    }

    pub async fn post(
        &mut self,
        path: &str,
        key: &str,
        body: &Value,
        status: u16,
    ) -> Result<Answer, Trouble> {
        self.person.demand(&self.visit, Call::post(path, body).key(key), status).await
    }

    /// Chooses a chapter, before joining or later.
    ///
    /// # Errors
    /// When the shop refuses.
    pub async fn choose_chapter(&mut self, code: &str) -> Result<(), Trouble> {
        let body = json!({ "chapter": code });
        let call = Call { method: Method::PUT, ..Call::post("/v1/me/chapter", &body) };
        self.person.demand(&self.visit, call, 200).await.map(drop)
    }

    /// The membership, as its member sees it.
    ///
    /// # Errors
    /// When he has none.
    pub async fn membership(&mut self) -> Result<Answer, Trouble> {
        self.get("/v1/me/membership").await
    }

    /// Orders one line and pays for it.
    ///
    /// # Errors
    /// When that doesn't work, which it should.
    pub async fn buy(&mut self, key: &str, line: Value, method: &str) -> Result<Paid, Trouble> {
        let placed = self.post("/v1/orders", key, &order_of(line), 201).await?;
        self.pay_for(key, &placed, method).await
    }

    /// Pays for an order that was placed.
    ///
    /// # Errors
    /// When that doesn't work, which it should.
    pub async fn pay_for(&mut self, key: &str, placed: &Answer, method: &str) -> Result<Paid, Trouble> {
        let order = placed.text("/id").to_owned();
        self.world.seen.placed(&format!("{}:{key}", self.email), &order);
        let due_minor = minor(placed, "/totals/due")?;
        let url = self.page(&order).await?;
        self.pay(&url, &order, method).await?;
        Ok(Paid { order, due_minor })
    }

    async fn page(&mut self, order: &str) -> Result<String, Trouble> {
        let begun = Instant::now();
        let path = format!("/v1/orders/{order}?wait=payment");
        while begun.elapsed() < PAGE_MAX {
            let answer = self.get(&path).await?;
            match (answer.text("/payment/state"), answer.text("/payment/url")) {
                ("preparing", _) => {}
                ("ready", url) if !url.is_empty() => return Ok(url.to_owned()),
                (state, _) => return Err(trouble(format!("{order}: its payment is {state}"))),
            }
        }
        Err(trouble(format!("{order}: its payment page never came")))
    }

    async fn pay(&self, url: &str, order: &str, method: &str) -> Result<(), Trouble> {
        match self.visit.pay(url, &format!("action=pay&method={method}")).await? {
            PageAnswer::Accepted => Ok(()),
            other => Err(trouble(format!("{order}: its page says {other:?}"))),
        }
    }

    /// Pays the next term by the link of the newest mail that has one.
    ///
    /// # Errors
    /// When there is no such mail, or its link doesn't work.
    pub async fn pay_by_link(&mut self, method: &str) -> Result<Paid, Trouble> {
        let words = self.mail(&["renewal_reminder", "renewal_failed"]).await?;
        let token = post::token_of(&words, "renew").ok_or_else(|| trouble("a mail without its link"))?;
        let body = json!({ "token": token });
        let begun = Instant::now();
        while begun.elapsed() < PAGE_MAX {
            let answer = self.visit.call(&Call::post("/v1/renewal-links", &body)).await?;
            if answer.status != 201 {
                return Err(trouble(format!("a link of a mail: {} {}", answer.status, answer.code())));
            }
            let (order, url) = (answer.text("/id").to_owned(), answer.text("/url"));
            match answer.text("/payment_state") {
                "preparing" => continue,
                "ready" if !url.is_empty() => {}
                state => return Err(trouble(format!("{order}: its payment by link is {state}"))),
            }
            self.pay(url, &order, method).await?;
            return Ok(Paid { order, due_minor: minor(&answer, "/due")? });
        }
        Err(trouble("the page of a link never came"))
    }

    /// The newest mail of one of these kinds.
    ///
    /// # Errors
    /// When there is none.
    pub async fn mail(&self, kinds: &[&'static str]) -> Result<String, Trouble> {
        post::newest(&self.world.asker, &self.world.mails, &self.email, kinds).await
    }

    /// Saves another card on Stripe's page.
    ///
    /// # Errors
    /// When there is no page, or it doesn't take the card.
    pub async fn save_card(&mut self) -> Result<(), Trouble> {
        let body = json!({ "return_url": format!("{SHOP}/") });
        let ask = Call::post("/v1/me/billing-portal", &body);
        let begun = Instant::now();
        let mut answer = self.person.demand(&self.visit, ask.clone(), 201).await?;
        while answer.text("/url").is_empty() {
            if begun.elapsed() > PAGE_MAX {
                return Err(trouble("the page for saved cards never came"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            answer = match answer.text("/failure") {
                "" => self.get(&format!("/v1/me/billing-portal/{}", answer.text("/id"))).await?,
                _ => self.person.demand(&self.visit, ask.clone(), 201).await?,
            };
        }
        match self.visit.pay(answer.text("/url"), "action=add&last4=1881&exp_month=12&exp_year=2040").await? {
            PageAnswer::Accepted => Ok(()),
            other => Err(trouble(format!("the page for saved cards says {other:?}"))),
        }
    }

    /// Who he is at Stripe.
    ///
    /// # Errors
    /// When Stripe doesn't know him.
    pub async fn customer(&self) -> Result<String, Trouble> {
        customer_of(&self.world.asker, &self.email).await
    }
}

async fn customer_of(asker: &Asker, email: &str) -> Result<String, Trouble> {
    let sql = "SELECT stripe_customer_id FROM accounts WHERE email = $1";
    let found = asker.text(sql, email).await.map_err(|error| trouble(error.to_string()))?;
    found.ok_or_else(|| trouble(format!("{email} is no customer at Stripe")))
}

/// An order of one line.
pub fn order_of(line: Value) -> Value {
    json!({
        "lines": [line], "success_url": format!("{SHOP}/welcome"), "cancel_url": format!("{SHOP}/"),
        "consents": { "terms": true },
    })
}

/// An amount of money in an answer, in minor units.
///
/// # Errors
/// When it isn't there.
pub fn minor(answer: &Answer, pointer: &str) -> Result<i64, Trouble> {
    let amount = answer.body.pointer(&format!("{pointer}/amount")).and_then(Value::as_i64);
    amount.ok_or_else(|| trouble(format!("an answer without {pointer}")))
}

/// A time in an answer; none where it is null.
///
/// # Errors
/// When it isn't one.
pub fn time(answer: &Answer, pointer: &str) -> Result<Option<DateTime<Utc>>, Trouble> {
    match answer.text(pointer) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| trouble(format!("{pointer} is no time: {text}"))),
    }
}

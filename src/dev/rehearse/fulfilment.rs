//! After a sale of goods: a few cancel, operators send all that is left, and a few send it back and get their money.

use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::chaos;
use super::desk::{Desk, OPERATORS};
use super::instances::Fleet;
use super::person::Person;
use super::sale::Sale;
use super::scenario::email;
use super::visit::{Answer, Call, Trouble, trouble};
use super::{Options, RehearsalError};

/// In thousandths of the orders that were paid: who cancels before the picking, and who sends back what came. One at least.
const CANCELS: usize = 10;
const RETURNS: usize = 20;
/// When a fulfilment that doesn't end is given up.
const FULFILMENT_MAX: Duration = Duration::from_secs(150);

/// An order that was paid before its buyer's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Bought {
    order: String,
    buyer: u32,
}

/// Who doesn't keep what he bought.
#[derive(Debug, PartialEq, Eq)]
struct Regrets {
    cancels: Vec<Bought>,
    returns: Vec<Bought>,
}

impl Regrets {
    /// Decided by the seed and by who bought, not by the ids of the orders.
    fn draw(paid: Vec<(String, u32)>, seed: u64) -> Self {
        let mut bought: Vec<_> = paid.into_iter().map(|(order, buyer)| Bought { order, buyer }).collect();
        bought.sort_by(|one, other| (one.buyer, &one.order).cmp(&(other.buyer, &other.order)));
        bought.shuffle(&mut StdRng::seed_from_u64(seed));
        let (cancels, returns) = (share(bought.len(), CANCELS), share(bought.len(), RETURNS));
        bought.truncate(cancels + returns);
        let returns = bought.split_off(cancels.min(bought.len()));
        Self { cancels: bought, returns }
    }
}

fn share(all: usize, thousandths: usize) -> usize {
    (all * thousandths).div_ceil(1_000)
}

/// Everything between the last payment and the last refund; what was killed meanwhile. What should not happen is a
/// complaint.
///
/// # Errors
/// When an instance can't be killed or doesn't come back.
pub async fn fulfil(
    options: &Options,
    buyers: u32,
    sale: &Arc<Sale>,
    fleet: &Fleet,
) -> Result<(Duration, Option<&'static str>), RehearsalError> {
    let begun = Instant::now();
    let paid = sale.seen.goods();
    let parcels = paid.len();
    let regrets = Regrets::draw(paid, options.seed);
    let parcels = u32::try_from(parcels.saturating_sub(regrets.cancels.len())).unwrap_or(u32::MAX);
    let desk = Arc::new(Desk::new(Arc::clone(sale), buyers, parcels));
    let working = async {
        let working = work(sale, &desk, regrets);
        if tokio::time::timeout(FULFILMENT_MAX, working).await.is_err() {
            sale.seen.complain("the fulfilment did not end in time");
        }
        desk.close();
    };
    let striking = chaos::strike_at_the_desk_if(options.chaos, fleet, desk.packed(), desk.lists());
    let ((), killed) = tokio::join!(working, striking);
    Ok((begun.elapsed(), killed?))
}

async fn work(sale: &Arc<Sale>, desk: &Arc<Desk>, regrets: Regrets) {
    all(sale, regrets.cancels, |sale, bought| async move { cancel(&sale, &bought).await }).await;
    let at_desk = |desk: &Arc<Desk>| (0..OPERATORS).map(|who| (Arc::clone(desk), who)).collect();
    all(sale, at_desk(desk), |_, (desk, who)| async move { desk.pack(who).await }).await;
    desk.close();
    all(sale, regrets.returns, |sale, bought| async move { send_back(&sale, &bought).await }).await;
    all(sale, at_desk(desk), |_, (desk, who)| async move { desk.take_back(who).await }).await;
}

/// All do theirs at once; waits for the last.
async fn all<T, F>(sale: &Arc<Sale>, each: Vec<T>, act: impl Fn(Arc<Sale>, T) -> F)
where
    F: Future<Output = Result<(), Trouble>> + Send + 'static,
{
    let mut acting = JoinSet::new();
    for one in each {
        acting.spawn(act(Arc::clone(sale), one));
    }
    while let Some(ended) = acting.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(Trouble(what))) => sale.seen.complain(&format!("after the sale: {what}")),
            Err(error) => sale.seen.complain(&format!("a task after the sale failed: {error}")),
        }
    }
}

fn minor(answer: &Answer, pointer: &str) -> Result<i64, Trouble> {
    let amount = answer.body.pointer(pointer).and_then(Value::as_i64);
    amount.ok_or_else(|| trouble(format!("an order without {pointer}")))
}

/// The buyer cancels what he has paid, before it is picked.
async fn cancel(sale: &Sale, bought: &Bought) -> Result<(), Trouble> {
    let order = &bought.order;
    let visit = sale.enter(bought.buyer).await.map_err(|error| trouble(error.to_string()))?;
    let mut person = Person::new(email(bought.buyer));
    person.sign_in(&visit).await?;
    let (path, key, body) = (format!("/v1/orders/{order}/cancel"), format!("{order}-cancel"), json!({}));
    let answer = person.demand(&visit, Call::post(&path, &body).key(&key), 200).await?;
    if answer.text("/cancelled_at").is_empty() {
        return Err(trouble(format!("{order}: cancelled, and it doesn't say so")));
    }
    sale.seen.cancelled(order, minor(&answer, "/totals/due/amount")?);
    Ok(())
}

/// The buyer has his parcel, and asks to send it back.
async fn send_back(sale: &Sale, bought: &Bought) -> Result<(), Trouble> {
    let order = &bought.order;
    let visit = sale.enter(bought.buyer).await.map_err(|error| trouble(error.to_string()))?;
    let mut person = Person::new(email(bought.buyer));
    person.sign_in(&visit).await?;
    let path = format!("/v1/orders/{order}");
    let seen = person.demand(&visit, Call::get(&path), 200).await?;
    let parcels = seen.body.pointer("/shipments").and_then(Value::as_array).map_or(0, Vec::len);
    let tracking_number = format!("SF{}", seen.text("/number"));
    if parcels != 1
        || seen.text("/state") != "fulfilled"
        || seen.text("/shipments/0/tracking_number") != tracking_number
    {
        return Err(trouble(format!("{order}: all was sent, and it says {}", seen.body)));
    }
    let line =
        json!({ "line": seen.text("/lines/0/id"), "quantity": seen.body.pointer("/lines/0/quantity") });
    let body = json!({ "lines": [line], "reason": "changed_mind" });
    let (path, key) = (format!("{path}/returns"), format!("{order}-return"));
    person.demand(&visit, Call::post(&path, &body).key(&key), 201).await?;
    sale.seen.sent_back(order, minor(&seen, "/totals/due/amount")?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(count: u32, first: &str) -> Vec<(String, u32)> {
        (0..count).map(|buyer| (format!("ord_{first}{}", count - buyer), buyer)).collect()
    }

    fn buyers(bought: &[Bought]) -> Vec<u32> {
        bought.iter().map(|bought| bought.buyer).collect()
    }

    #[test]
    fn a_few_cancel_and_others_send_back() {
        let regrets = Regrets::draw(paid(8_000, "a"), 2013);
        assert_eq!((regrets.cancels.len(), regrets.returns.len()), (80, 160));
        assert!(!regrets.returns.iter().any(|bought| regrets.cancels.contains(bought)));
        let again = Regrets::draw(paid(8_000, "b"), 2013);
        assert_eq!(buyers(&again.returns), buyers(&regrets.returns));
        assert_ne!(buyers(&Regrets::draw(paid(8_000, "a"), 1).returns), buyers(&regrets.returns));
    }

    #[test]
    fn even_of_few_one_does_each() {
        let regrets = Regrets::draw(paid(3, "a"), 1);
        assert_eq!((regrets.cancels.len(), regrets.returns.len()), (1, 1));
        assert_eq!(Regrets::draw(paid(1, "a"), 1).returns, []);
        assert_eq!(Regrets::draw(Vec::new(), 1), Regrets { cancels: Vec::new(), returns: Vec::new() });
    }
}

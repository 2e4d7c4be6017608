//! Upgrade offers in orders: a line whose quote is by one holds a use of it, once a person.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::db::Conn;
use crate::error::{Code, Result};
use crate::loyalty::offers::model::{self as offers, UpgradeOffer};
use crate::loyalty::offers::rules::{Left, check_open};
use crate::loyalty::offers::uses::{self, Counted};
use crate::membership::upgrades::model::UpgradeQuote;
use crate::people::accounts::model::Buyer;
use crate::types::id::{PoolId, UpgradeOfferId};

/// What is used of upgrade offers, counting what this batch has used so far.
#[derive(Debug, Default)]
pub struct OfferLedger {
    offers: HashMap<UpgradeOfferId, UpgradeOffer>,
    used: Vec<Counted>,
}

impl OfferLedger {
    /// Reads these offers as they stand, and who has used them: final while their pools are locked.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(conn: &Conn, named: &[UpgradeOffer], buyers: &[Buyer]) -> Result<Self> {
        if named.is_empty() {
            return Ok(Self::default());
        }
        let ids: Vec<_> = named.iter().map(|offer| offer.id).collect();
        let accounts: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
        let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
        let used = uses::standing(conn, &ids, &accounts, &people).await?;
        let found = offers::load(conn, &ids).await?;
        Ok(Self { offers: found.into_iter().map(|offer| (offer.id, offer)).collect(), used })
    }

    /// What a line with this quote claims: a use of its offer, and of the budget by how much less is due. Who
    /// was entitled when he was quoted stays so; `left` says how much of a pool there is.
    ///
    /// # Errors
    /// `closed` for an offer that was ended since, `one_per_person`, `sold_out`.
    pub fn admit(
        &self,
        quote: &UpgradeQuote,
        buyer: &Buyer,
        left: impl Fn(PoolId) -> i64,
        now: DateTime<Utc>,
    ) -> Result<BTreeMap<PoolId, i64>> {
        let Some(id) = quote.offer_id else { return Ok(BTreeMap::new()) };
        let offer = self.offers.get(&id).ok_or(Code::Closed)?;
        check_open(offer, now)?;
        let is_his = |one: &Counted| one.offer_id == id && one.is_of(buyer.id, buyer.person_key.as_deref());
        if self.used.iter().any(is_his) {
            return Err(
                Code::OnePerPerson.because("You have used this offer, or an order of yours holds it.")
            );
        }
        let left = Left { uses: left(offer.pool), budget_minor: left(offer.budget_pool) };
        left.has_room(quote.discount_minor)?;
        Ok(BTreeMap::from([(offer.pool, 1), (offer.budget_pool, quote.discount_minor)]))
    }

    /// Enters what an admitted line uses, so that the batch's later orders see it.
    pub fn enter(&mut self, quote: &UpgradeQuote, buyer: &Buyer) {
        self.used.extend(quote.offer_id.map(|offer_id| Counted {
            offer_id,
            account_id: buyer.id,
            person_key: buyer.person_key.clone().unwrap_or_default(),
        }));
    }
}

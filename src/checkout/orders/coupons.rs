//! The coupons of a cart: which might be used, by whom and how often, and what using them claims and leaves in rows.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use super::service::Cart;
use crate::checkout::pricing::coupons::{Applied, Candidate};
use crate::db::Conn;
use crate::error::{AppError, Code, FieldError, Result};
use crate::membership::invitations::rules::normal_code;
use crate::people::accounts::model::Buyer;
use crate::promotion::campaigns::model::{self as campaigns, Campaign, day_pool};
use crate::promotion::campaigns::reason::Reason;
use crate::promotion::campaigns::rules::{self, History, Person, Sold};
use crate::promotion::coupons::model::{self as coupons, Coupon};
use crate::promotion::coupons::service::is_good;
use crate::promotion::coupons::uses::{self, Counted};
use crate::promotion::treats::model as treats;
use crate::shop::audience::Audience;
use crate::types::id::{AccountId, CampaignId, CouponId, PoolId, ProductId};
use crate::types::locale::Locale;

/// Merchants' codes that are looked up for one batch; more are as good as unknown.
const HELD_MAX: i64 = 1_000;

/// What the carts of a batch might use.
#[derive(Default)]
pub struct Offered {
    codes: Vec<Coupon>,
    /// Codes that name no coupon, are merchants', and belong to who named them: to others they are unknown.
    elsewhere: HashSet<(AccountId, String)>,
    campaigns: BTreeMap<CampaignId, Campaign>,
    /// Those whose pools are locked.
    running: BTreeSet<CampaignId>,
    /// The shop's.
    day: NaiveDate,
    /// Tried as if it needed no code.
    tried: Option<CampaignId>,
}

/// What may be offered, whatever is bought.
pub struct Found {
    codes: Vec<Coupon>,
    elsewhere: HashSet<(AccountId, String)>,
    of_codes: Vec<Campaign>,
    automatic: Vec<Campaign>,
}

impl Found {
    /// Reads the codes that the carts name, their campaigns, and the automatic campaigns.
    ///
    /// # Errors
    /// The database's.
    pub async fn read(conn: &Conn, carts: &[&Cart]) -> Result<Self> {
        let named: BTreeSet<_> = carts.iter().flat_map(|cart| cart.coupon_codes.iter().cloned()).collect();
        let named: Vec<_> = named.into_iter().collect();
        let (codes, automatic) = tokio::try_join!(coupons::find(conn, &named), campaigns::automatic(conn))?;
        let elsewhere = elsewhere(conn, carts, &codes).await?;
        let of_codes: BTreeSet<_> = codes.iter().map(|coupon| coupon.campaign_id).collect();
        let of_codes = campaigns::load(conn, &of_codes.into_iter().collect::<Vec<_>>()).await?;
        Ok(Self { codes, elsewhere, of_codes, automatic })
    }

    /// With those automatic campaigns alone that touch something of the carts.
    pub fn touching(self, sold: &[Sold<'_>], (day, now): (NaiveDate, DateTime<Utc>)) -> Offered {
        let touches = |one: &Campaign| sold.iter().any(|sold| one.scope.covers(one.class, *sold));
        let found = || self.of_codes.iter().chain(self.automatic.iter().filter(|one| touches(one)));
        // What doesn't run keeps nobody waiting for its pools.
        let running = found().filter(|one| rules::runs(one, now).is_ok()).map(|one| one.id).collect();
        let campaigns = found().map(|one| (one.id, one.clone())).collect();
        Offered { codes: self.codes, elsewhere: self.elsewhere, campaigns, running, day, tried: None }
    }
}

impl Offered {
    /// Tries a campaign as if it needed no code and weren't paused.
    pub fn try_out(&mut self, campaign: Campaign) {
        self.tried = Some(campaign.id);
        self.campaigns.insert(campaign.id, Campaign { paused_at: None, ..campaign });
    }

    /// Makes today's pools where they aren't there yet.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_day(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        let running: Vec<_> = self.campaigns.values().filter(|one| rules::runs(one, now).is_ok()).collect();
        campaigns::open_day(conn, &running, self.day).await
    }

    pub fn pools(&self) -> impl Iterator<Item = PoolId> {
        let running = self.campaigns.values().filter(|one| self.running.contains(&one.id));
        running.flat_map(|one| self.pools_of(one))
    }

    fn pools_of(&self, campaign: &Campaign) -> impl Iterator<Item = PoolId> + use<> {
        let of_day = campaign.per_day.map(|_| day_pool(campaign.id, self.day));
        campaign.pool.into_iter().chain(campaign.budget_pool).chain(of_day)
    }

    /// For whom something of it is.
    pub fn audiences(&self) -> impl Iterator<Item = &Audience> {
        self.campaigns.values().filter_map(|one| one.conditions.audience.as_ref())
    }

    fn singles(&self) -> Vec<CouponId> {
        self.codes.iter().filter(|coupon| !coupon.is_shared).map(|coupon| coupon.id).collect()
    }

    /// Locks the codes that are used once, after the pools, and reads them and the campaigns again: one that was paused while
    /// the pools were waited for isn't used any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn lock(&mut self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        let ids: Vec<_> = self.running.iter().copied().collect();
        for campaign in campaigns::load(conn, &ids).await? {
            if rules::runs(&campaign, now).is_err() {
                self.running.remove(&campaign.id);
            }
            self.campaigns.insert(campaign.id, campaign);
        }
        for locked in coupons::lock(conn, &self.singles()).await? {
            if let Some(known) = self.codes.iter_mut().find(|known| known.id == locked.id) {
                *known = locked;
            }
        }
        Ok(())
    }

    /// Reads what may change unless pools and codes are locked.
    ///
    /// # Errors
    /// The database's.
    pub async fn past(&self, conn: &Conn, buyers: &[Buyer]) -> Result<Past> {
        if self.campaigns.is_empty() {
            return Ok(Past::default());
        }
        let limited: Vec<_> =
            self.campaigns.values().filter(|one| one.per_person.is_some()).map(|one| one.id).collect();
        let accounts: Vec<_> = buyers.iter().map(|buyer| buyer.id).collect();
        let people: Vec<_> = buyers.iter().filter_map(|buyer| buyer.person_key.clone()).collect();
        let conditions = || self.campaigns.values().map(|one| &one.conditions);
        let products: BTreeSet<ProductId> = conditions().filter_map(|asked| asked.has_bought).collect();
        let histories = if !products.is_empty() || conditions().any(|asked| asked.asks_for_history()) {
            let keys: Vec<_> = buyers.iter().map(|buyer| (buyer.id, buyer.person_key.clone())).collect();
            uses::histories(conn, &keys, &products).await?
        } else {
            HashMap::new()
        };
        Ok(Past {
            counted: uses::counted(conn, &limited, &accounts, &people).await?,
            taken: uses::taken(conn, &self.singles()).await?,
            histories,
            ordered: HashSet::new(),
        })
    }
}

/// Of the codes that name no coupon those that their buyer holds of merchants: no more than were named.
async fn elsewhere(conn: &Conn, carts: &[&Cart], codes: &[Coupon]) -> Result<HashSet<(AccountId, String)>> {
    let known = |code: &str| codes.iter().any(|coupon| coupon.code == code);
    let mut unknown = HashSet::new();
    for cart in carts {
        let strange = cart.coupon_codes.iter().filter(|code| !known(code));
        unknown.extend(strange.map(|code| (cart.customer.account(), code.clone())));
    }
    if unknown.is_empty() {
        return Ok(unknown);
    }
    let accounts: Vec<_> = unknown.iter().map(|(account, _)| *account).collect();
    let named: Vec<_> = unknown.iter().map(|(_, code)| code.clone()).collect();
    let held = treats::codes_held(conn, &accounts, &named, HELD_MAX).await?;
    let held = held.into_iter().map(|(account, code)| (account, normal_code(&code)));
    Ok(held.filter(|one| unknown.contains(one)).collect())
}

/// What was used before, counting what this batch has used so far.
#[derive(Debug, Default)]
pub struct Past {
    counted: Vec<Counted>,
    /// True where it was paid.
    taken: HashMap<CouponId, bool>,
    histories: HashMap<AccountId, History>,
    /// Accounts and people with an order in this batch.
    ordered: HashSet<String>,
}

impl Past {
    /// What conditions ask for.
    pub fn history(&self, buyer: &Buyer) -> History {
        let mut history = self.histories.get(&buyer.id).cloned().unwrap_or_default();
        history.has_ordered |= names_of(buyer).any(|name| self.ordered.contains(&name));
        history
    }

    fn uses_of(&self, campaign: CampaignId, buyer: &Buyer) -> i64 {
        let is_his = |one: &&Counted| {
            one.campaign == campaign
                && (one.account == buyer.id || Some(&one.person) == buyer.person_key.as_ref())
        };
        i64::try_from(self.counted.iter().filter(is_his).count()).unwrap_or(i64::MAX)
    }

    /// Enters an accepted order, so that the batch's later orders see it.
    pub fn enter(&mut self, buyer: &Buyer, candidates: &[Candidate<'_>], applied: &Applied) {
        self.ordered.extend(names_of(buyer));
        for used in applied.uses.iter().filter_map(|used| candidates.get(used.candidate)) {
            let person = buyer.person_key.clone().unwrap_or_default();
            self.counted.push(Counted { campaign: used.campaign.id, account: buyer.id, person });
            if let Some(coupon) = used.coupon.filter(|_| used.is_single) {
                self.taken.insert(coupon, false);
            }
        }
    }
}

fn names_of(buyer: &Buyer) -> impl Iterator<Item = String> + '_ {
    std::iter::once(buyer.id.to_string()).chain(buyer.person_key.clone())
}

/// Who asks, and what is left of the limits.
pub struct Asker<'a> {
    pub buyer: &'a Buyer,
    pub person: Person<'a>,
    pub past: &'a Past,
    pub zone: Tz,
    pub now: DateTime<Utc>,
}

/// The coupons of one cart.
pub struct Candidates<'a> {
    pub might: Vec<Candidate<'a>>,
    /// Codes that name nothing, or name again what another one names: (position, why).
    pub strange: Vec<(usize, Reason)>,
    /// What an operator tries.
    tried: Option<CampaignId>,
}

impl Offered {
    /// Judges every code of the cart, and every automatic campaign, for this buyer. `open` says how much of a pool is left.
    pub fn candidates<'a>(
        &'a self,
        cart: &Cart,
        asker: &Asker<'_>,
        open: impl Fn(PoolId) -> Option<i64>,
    ) -> Candidates<'a> {
        let mut found = Candidates { might: Vec::new(), strange: Vec::new(), tried: self.tried };
        let mut seen = HashSet::new();
        for (index, code) in cart.coupon_codes.iter().enumerate() {
            let known = self.codes.iter().find(|coupon| coupon.code == *code);
            let campaign = known.and_then(|coupon| self.campaigns.get(&coupon.campaign_id));
            match known.zip(campaign) {
                None => found.strange.push((index, self.stranger(asker.buyer, code))),
                Some((coupon, _)) if !seen.insert(coupon.id) => found.strange.push((index, Reason::Repeated)),
                Some((coupon, campaign)) => {
                    found.might.push(self.judge(campaign, Some((index, coupon)), asker, &open));
                }
            }
        }
        // One that needs no code isn't used twice because somebody knows a code of it.
        let automatic = self.campaigns.values().filter(|one| one.automatic || self.tried == Some(one.id));
        let coded: HashSet<_> = found.might.iter().map(|one| one.campaign.id).collect();
        found.might.extend(
            automatic.filter(|one| !coded.contains(&one.id)).map(|one| self.judge(one, None, asker, &open)),
        );
        found
    }

    /// What a code is that names no coupon.
    fn stranger(&self, buyer: &Buyer, code: &str) -> Reason {
        match self.elsewhere.contains(&(buyer.id, code.to_owned())) {
            true => Reason::GoodElsewhere,
            false => Reason::Unknown,
        }
    }

    fn judge<'a>(
        &'a self,
        campaign: &'a Campaign,
        code: Option<(usize, &'a Coupon)>,
        asker: &Asker<'_>,
        open: &impl Fn(PoolId) -> Option<i64>,
    ) -> Candidate<'a> {
        let (limits, uses_left) = self.limits(campaign, asker, open);
        let is_running = self.running.contains(&campaign.id) || self.tried == Some(campaign.id);
        let refusal = rules::runs(campaign, asker.now)
            .and(if is_running { Ok(()) } else { Err(Reason::NotStarted) })
            .and_then(|()| {
                let taken = |coupon: &Coupon| asker.past.taken.get(&coupon.id).copied();
                code.map_or(Ok(()), |(_, coupon)| {
                    is_good(coupon, Some(asker.buyer.id), taken(coupon), asker.now)
                })
            })
            .and_then(|()| rules::is_meant(&campaign.conditions, asker.person, asker.zone, asker.now))
            .and(limits)
            .err();
        Candidate {
            campaign,
            asked: code.map(|(index, _)| index),
            coupon: code.map(|(_, coupon)| coupon.id),
            is_single: code.is_some_and(|(_, coupon)| !coupon.is_shared),
            refusal,
            uses_left,
            budget_left_minor: campaign.budget_pool.and_then(open),
        }
    }

    /// Which limit is reached, and how often the campaign can be used by this order.
    fn limits(
        &self,
        campaign: &Campaign,
        asker: &Asker<'_>,
        open: &impl Fn(PoolId) -> Option<i64>,
    ) -> (Result<(), Reason>, i64) {
        let of_person = campaign
            .per_person
            .map_or(i64::MAX, |limit| i64::from(limit) - asker.past.uses_of(campaign.id, asker.buyer));
        let of_day = campaign
            .per_day
            .map_or(i64::MAX, |limit| open(day_pool(campaign.id, self.day)).unwrap_or(i64::from(limit)));
        let in_all = campaign.pool.and_then(open).unwrap_or(i64::MAX);
        let reached = if of_person < 1 {
            Err(Reason::PersonLimit)
        } else if in_all < 1 {
            Err(Reason::UsedUp)
        } else if of_day < 1 {
            Err(Reason::DayUsedUp)
        } else {
            Ok(())
        };
        (reached, of_person.min(of_day).min(in_all).min(i64::from(campaign.per_order)))
    }

    /// What an order claims by its coupons, by pool.
    pub fn claims(&self, candidates: &[Candidate<'_>], applied: &Applied) -> BTreeMap<PoolId, i64> {
        let mut claims = BTreeMap::new();
        for used in &applied.uses {
            let Some(campaign) = candidates.get(used.candidate).map(|one| one.campaign) else { continue };
            let one_use =
                campaign.pool.into_iter().chain(campaign.per_day.map(|_| day_pool(campaign.id, self.day)));
            let money = campaign.budget_pool.map(|pool| (pool, used.total_minor()));
            for (pool, quantity) in one_use.map(|pool| (pool, 1)).chain(money) {
                *claims.entry(pool).or_insert(0) += quantity;
            }
        }
        claims
    }

    pub fn day(&self) -> NaiveDate {
        self.day
    }
}

/// What became of one coupon of a cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Position among the codes that were sent; none: it needs no code.
    pub asked: Option<usize>,
    /// What its campaign is called; none for a code that names nothing.
    pub campaign: Option<String>,
    /// An operator tries it.
    pub is_tried: bool,
    /// What it took off; or why it wasn't used.
    pub result: Result<i64, Reason>,
}

/// All codes that were sent, in their order, then what applied without one.
pub fn outcomes(found: &Candidates<'_>, applied: &Applied, locale: Locale) -> Vec<Outcome> {
    let strange = found.strange.iter().map(|(index, reason)| Outcome {
        asked: Some(*index),
        campaign: None,
        is_tried: false,
        result: Err(*reason),
    });
    let known = |candidate: usize, result| {
        let one = found.might.get(candidate)?;
        let campaign = Some(one.campaign.names.pick(locale).to_owned());
        let is_tried = found.tried == Some(one.campaign.id);
        Some(Outcome { asked: one.asked, campaign, is_tried, result })
    };
    let used = applied.uses.iter().filter_map(|used| known(used.candidate, Ok(used.total_minor())));
    let refused = applied.refused.iter().filter_map(|(candidate, reason)| known(*candidate, Err(*reason)));
    let is_told = |outcome: &Outcome| outcome.asked.is_some() || outcome.is_tried || outcome.result.is_ok();
    let mut outcomes: Vec<_> = strange.chain(used).chain(refused).filter(is_told).collect();
    outcomes.sort_by_key(|outcome| (outcome.asked.is_none(), outcome.asked));
    outcomes
}

/// An order is placed only where every code that was sent is used, or would make nothing cheaper.
///
/// # Errors
/// `coupon_refused`, with the reason of each code.
pub fn all_good(outcomes: &[Outcome], locale: Locale) -> Result<()> {
    let wrong: Vec<FieldError> = outcomes
        .iter()
        .filter_map(|outcome| {
            Some((outcome.asked?, outcome.result.err().filter(|reason| !reason.is_harmless())?))
        })
        .map(|(index, reason)| FieldError {
            field: format!("coupon_codes[{index}]"),
            detail: format!("{}: {}", reason.as_str(), reason.message(locale)),
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let mut refused: AppError = Code::CouponRefused.error();
    refused.errors = wrong;
    Err(refused)
}

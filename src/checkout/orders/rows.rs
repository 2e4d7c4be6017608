//! The rows that a batch leaves: gathered order by order, written column by column.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use kindred_stripe::Method;
use uuid::Uuid;

use super::benefits::Entered;
use super::model::{
    GIFT, GIFT_CARD, LineRow, NewKey, NewLine, NewOrder, NewSeriesPlace, NewToken, OrderRow, OrderState,
    RENEWAL, UPGRADE,
};
use super::prices::{SWAP_OFFER, saved_minor};
use super::reader::OrderRows;
use super::rules::{
    self, Admitted, ArticleFacts, Facts, GiftFacts, LineFacts, PlanFacts, RenewalFacts, UpgradeFacts,
};
use super::service::{Customer, PlaceOrder, ROUTE, Shop};
use crate::checkout::baskets::model as baskets;
use crate::checkout::claims::{self, NewClaim};
use crate::checkout::credit::{self, model::NewEntry};
use crate::checkout::gift_cards::model::NewGiftCard;
use crate::checkout::gift_cards::service as gift_cards;
use crate::checkout::gifts::model::NewGiftRow;
use crate::checkout::gifts::service as gifts;
use crate::checkout::payments::model::{NewCharge, NewPayment, PaymentRow, PaymentState};
use crate::checkout::pricing::coupons::Candidate;
use crate::checkout::pricing::rules::{Explained, Priced};
use crate::db::Conn;
use crate::error::{AppError, Code, Result};
use crate::jobs::{self, Job};
use crate::loyalty::offers::uses::NewUse as NewOfferUse;
use crate::loyalty::points::model::Writes;
use crate::loyalty::points::rules::Purse;
use crate::loyalty::points::service as points;
use crate::membership::benefits::uses::NewUse as NewBenefitUse;
use crate::membership::community::model::{self as community, Acceptance};
use crate::membership::plans::model::Renews;
use crate::people::accounts::model::NewGuest;
use crate::promotion::campaigns::model::Campaign;
use crate::promotion::coupons::uses::{NewLineCoupon, NewUse};
use crate::shop::crowdfunding::model::NewPledge;
use crate::shop::drops::model::{Drop, NewPurchase};
use crate::shop::offers::model::NewLineOffer;
use crate::types::id::{
    AccountId, BasketId, ClaimId, CouponUseId, LineId, OrderId, PaymentId, PoolId, UpgradeOfferUseId,
};

/// The rows of a batch, column by column when they are written.
#[derive(Default)]
pub struct Rows {
    guests: Vec<NewGuest>,
    tokens: Vec<NewToken>,
    orders: Vec<NewOrder>,
    lines: Vec<NewLine>,
    claims: Vec<NewClaim>,
    places: Vec<NewSeriesPlace>,
    purchases: Vec<NewPurchase>,
    pledges: Vec<NewPledge>,
    offers: Vec<NewLineOffer>,
    uses: Vec<NewUse>,
    line_coupons: Vec<NewLineCoupon>,
    payments: Vec<NewPayment>,
    charges: Vec<NewCharge>,
    keys: Vec<NewKey>,
    baskets: Vec<(BasketId, OrderId)>,
    jobs: Vec<(Job, DateTime<Utc>)>,
    credit: Vec<NewEntry>,
    points: Writes,
    gift_cards: Vec<NewGiftCard>,
    acceptances: Vec<Acceptance>,
    gifts: Vec<NewGiftRow>,
    benefit_uses: Vec<NewBenefitUse>,
    offer_uses: Vec<NewOfferUse>,
}

impl Rows {
    /// The rows of one accepted order; as it stands once they are written.
    ///
    /// # Errors
    /// `method_not_offered` where nothing pays all of its lines; `unauthenticated` for an erased account.
    pub fn add(
        &mut self,
        order: &PlaceOrder,
        facts: &Facts<'_>,
        admitted: &Admitted,
        worded: Worded<'_>,
        shop: &Shop,
        now: DateTime<Utc>,
    ) -> Result<OrderRows> {
        let id = OrderId::new();
        let totals = worded.priced.totals;
        let terms = Terms::of(facts, worded.campaigns())?;
        self.add_guest(id, order, facts, now)?;
        let shipping = order.cart.shipping.as_ref().filter(|_| is_shipped(facts));
        let row = NewOrder {
            id,
            number: rules::order_number(now, shop.zone, rand::random()),
            account_id: facts.buyer.id,
            state: OrderState::PendingPayment,
            currency: shop.currency.clone(),
            subtotal_minor: totals.subtotal_minor,
            discount_minor: totals.discount_minor,
            shipping_minor: totals.shipping_minor,
            tax_included_minor: totals.tax_included_minor,
            total_minor: totals.total_minor,
            points: totals.points,
            points_minor: totals.points_minor,
            credit_minor: totals.credit_minor,
            due_minor: totals.due_minor,
            explanation: serde_json::to_value(explained(order, worded.priced)).map_err(AppError::internal)?,
            email: facts.buyer.email.clone().ok_or(Code::Unauthenticated)?,
            locale: facts.buyer.locale.as_str().to_owned(),
            invite_code: order.invite.as_ref().and_then(|typed| typed.code.clone()),
            terms_version: worded.terms_version.clone(),
            consents: order.consents.clone(),
            success_url: order.success_url.clone(),
            cancel_url: order.cancel_url.clone(),
            hold_minutes: terms.hold_minutes,
            has_membership: facts.lines.iter().any(LineFacts::is_membership),
            ship_to: shipping
                .map(|choice| serde_json::to_value(&choice.address))
                .transpose()
                .map_err(AppError::internal)?,
            shipping_method_id: shipping.map(|choice| choice.method),
            created_at: now,
        };
        let backer_name = order.backer_name.as_deref();
        let accepted = Accepted { id, facts, admitted, worded: &worded, backer_name, now };
        let first_line = self.lines.len();
        let mut lines = Vec::with_capacity(facts.lines.len());
        for (position, line) in facts.lines.iter().enumerate() {
            lines.push(self.add_line(&accepted, position, line)?);
        }
        self.add_coupons(&accepted, &lines)?;
        self.add_benefits(id, &worded.benefits, &lines);
        self.baskets.extend(order.basket.map(|basket| (basket.id, id)));
        self.add_payment(id, totals.due_minor, &terms, order.cart.charges_card, shop, now);
        if totals.credit_minor > 0 {
            self.credit.push(credit::service::paid_by(id, facts.buyer.id, totals.credit_minor, now));
        }
        if let Some(version) = order.community_rules.clone() {
            let account_id = facts.buyer.id;
            self.acceptances.push(Acceptance { account_id, version, order_id: Some(id), accepted_at: now });
        }
        self.keys.push(NewKey {
            account_id: facts.buyer.id,
            route: ROUTE,
            key: order.key.clone(),
            body_hash: order.body_hash.clone(),
            status: 201,
            resource: id.0,
            created_at: now,
        });
        let written = OrderRows {
            order: OrderRow::from(&row),
            lines: self.lines.iter().skip(first_line).map(LineRow::from).collect(),
            payment: self.payments.last().map(PaymentRow::from),
            refunds: Vec::new(),
            backer_name: order.backer_name.clone(),
        };
        self.orders.push(row);
        Ok(written)
    }

    /// An order that was added pays with points: its buyer's purse has them.
    pub fn pay_with_points(
        &mut self,
        order: OrderId,
        account: AccountId,
        purse: &mut Purse,
        points: i64,
        now: DateTime<Utc>,
    ) {
        points::pay(&mut self.points, purse, (order, account), points, now);
    }

    /// A guest's order stands under an account of its own, and is seen with a token.
    fn add_guest(
        &mut self,
        id: OrderId,
        order: &PlaceOrder,
        facts: &Facts<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let Customer::Guest(buyer) = &order.cart.customer else { return Ok(()) };
        let known = buyer.email.clone().zip(buyer.person_key.clone()).zip(order.token_hash.clone());
        let ((email, person_key), hash) = known.ok_or(Code::Unauthenticated)?;
        self.guests.push(NewGuest {
            id: buyer.id,
            email,
            person_key,
            locale: facts.buyer.locale.as_str(),
            is_guest: true,
            created_at: now,
        });
        self.tokens.push(NewToken { order_id: id, hash });
        Ok(())
    }

    fn add_line(&mut self, of: &Accepted<'_>, position: usize, line: &LineFacts<'_>) -> Result<LineId> {
        let Accepted { id: order, facts, admitted, worded, backer_name, now } = *of;
        let id = LineId::new();
        let short = || AppError::internal("a line without its price");
        let priced = worded.priced.lines.get(position).ok_or_else(short)?;
        let row = NewLine {
            id,
            order_id: order,
            position: i32::try_from(position).map_err(AppError::internal)?,
            kind: "plan",
            plan_id: None,
            drive_id: None,
            invitation_id: None,
            variant_id: None,
            drop_id: None,
            f_code_id: None,
            upgrade_quote_id: None,
            renewal_id: None,
            benefit_id: None,
            saved_minor: saved_minor(line, given_units(worded.priced, position), facts, now),
            points_minor: priced.points_minor,
            points_rate_bp: priced.points_rate_bp,
            level_rate_bp: priced.level_rate_bp,
            title: worded.titles.get(position).cloned().ok_or_else(short)?,
            quantity: priced.quantity,
            unit_price_minor: priced.unit_price_minor,
            discount_minor: priced.discount_minor,
            total_minor: priced.total_minor,
            tax_included_minor: priced.tax_included_minor,
            ships_from: None,
            tax_rate_bp: priced.tax_rate_bp,
        };
        let row = self.add_sold(of, row, line)?;
        self.lines.push(row);
        self.add_offers(id, position, worded.priced, line);
        let claims = admitted.claims.get(position).into_iter().flatten();
        self.claims.extend(claims.map(|(pool, quantity)| NewClaim {
            id: ClaimId::new(),
            pool_id: *pool,
            order_id: order,
            line_id: Some(id),
            quantity: *quantity,
            state: "held",
            created_at: now,
        }));
        if let LineFacts::Article(ArticleFacts {
            drop: Some(Drop { id: drop_id, goal: Some(_), .. }), ..
        }) = line
        {
            self.pledges.push(NewPledge {
                line_id: id,
                drop_id: *drop_id,
                account_id: facts.buyer.id,
                backer_name: backer_name.map(str::to_owned),
            });
        }
        if let Some(Some((drop, units))) = admitted.capped.get(position) {
            self.purchases.push(NewPurchase {
                line_id: id,
                drop_id: *drop,
                account_id: facts.buyer.id,
                person_key: person_of(facts)?,
                quantity: *units,
            });
        }
        Ok(id)
    }

    /// What a line sells, in its row and beside it: a place in a series, a gift.
    fn add_sold(&mut self, of: &Accepted<'_>, row: NewLine, line: &LineFacts<'_>) -> Result<NewLine> {
        let Accepted { id: order, facts, now, .. } = *of;
        Ok(match line {
            LineFacts::Plan(line) => {
                if let Some(drive) = line.drive {
                    self.places.push(NewSeriesPlace {
                        id: Uuid::now_v7(),
                        series: drive.series.clone(),
                        account_id: facts.buyer.id,
                        person_key: person_of(facts)?,
                        order_id: order,
                    });
                }
                NewLine {
                    plan_id: Some(line.plan.id),
                    drive_id: line.drive.map(|drive| drive.id),
                    invitation_id: rules::invitation_used(line).map(|invitation| invitation.id),
                    ..row
                }
            }
            LineFacts::Upgrade(UpgradeFacts { quote, plan }) => {
                if let Some(offer_id) = quote.offer_id {
                    self.offer_uses.push(NewOfferUse {
                        id: UpgradeOfferUseId::new(),
                        offer_id,
                        account_id: facts.buyer.id,
                        person_key: person_of(facts)?,
                        order_id: order,
                        line_id: row.id,
                        discount_minor: quote.discount_minor,
                        created_at: now,
                    });
                }
                NewLine { kind: UPGRADE, plan_id: Some(plan.id), upgrade_quote_id: Some(quote.id), ..row }
            }
            LineFacts::Renewal(RenewalFacts { renewal, plan }) => {
                NewLine { kind: RENEWAL, plan_id: Some(plan.id), renewal_id: Some(renewal.id), ..row }
            }
            LineFacts::Article(line) => NewLine {
                kind: if line.article.is_bundle() { "bundle" } else { "variant" },
                variant_id: Some(line.article.id),
                drop_id: line.drop.map(|drop| drop.id),
                f_code_id: line.f_code.map(|code| code.id),
                benefit_id: line.benefit.map(|benefit| benefit.id),
                ships_from: line.article.ships_from(now),
                ..row
            },
            LineFacts::GiftCard(card) => {
                let (money, to) = (&card.amount, card.to.as_ref());
                let ordered =
                    gift_cards::ordered(row.id, facts.buyer, money.amount, &money.currency, to, now)?;
                self.gift_cards.push(ordered);
                NewLine { kind: GIFT_CARD, ..row }
            }
            LineFacts::Gift(GiftFacts { plan, line }) => {
                self.gifts.push(gifts::ordered(row.id, facts.buyer, plan, line.to.as_ref(), now)?);
                NewLine { kind: GIFT, plan_id: Some(plan.id), ..row }
            }
        })
    }

    /// Uses of coupons, what they took off which line, and what they claim.
    fn add_coupons(&mut self, of: &Accepted<'_>, lines: &[LineId]) -> Result<()> {
        let Accepted { id: order, facts, worded, now, .. } = *of;
        for used in &worded.priced.coupons.uses {
            let Some(one) = worded.coupons.get(used.candidate) else { continue };
            let id = CouponUseId::new();
            self.uses.push(NewUse {
                id,
                campaign_id: one.campaign.id,
                coupon_id: one.coupon,
                is_single: one.is_single,
                order_id: order,
                account_id: facts.buyer.id,
                person_key: person_of(facts)?,
                day: worded.day,
                discount_minor: used.lines_minor.iter().sum(),
                shipping_minor: used.shipping_minor,
                created_at: now,
            });
            let shares = lines.iter().zip(&used.lines_minor).filter(|(_, minor)| **minor > 0);
            self.line_coupons.extend(shares.map(|(line, minor)| NewLineCoupon {
                line_id: *line,
                use_id: id,
                discount_minor: *minor,
            }));
        }
        self.claims.extend(worded.claims.iter().map(|(pool, quantity)| NewClaim {
            id: ClaimId::new(),
            pool_id: *pool,
            order_id: order,
            line_id: None,
            quantity: *quantity,
            state: "held",
            created_at: now,
        }));
        Ok(())
    }

    /// Uses of benefits, by lines and by the parcel.
    fn add_benefits(&mut self, order: OrderId, entered: &Entered, lines: &[LineId]) {
        let of_lines = lines.iter().zip(&entered.lines);
        let of_lines = of_lines.flat_map(|(line, uses)| uses.iter().map(|one| (Some(*line), one)));
        let all = of_lines.chain(entered.parcel.iter().map(|one| (None, one)));
        self.benefit_uses.extend(all.map(|(line_id, one)| NewBenefitUse {
            order_id: Some(order),
            line_id,
            ..one.clone()
        }));
    }

    /// What offers gave on a line, and the one by which it is taken instead of something else.
    fn add_offers(&mut self, id: LineId, position: usize, priced: &Priced, line: &LineFacts<'_>) {
        let given = priced.given.iter().filter(|given| given.line == position);
        self.offers.extend(given.map(|given| NewLineOffer {
            line_id: id,
            offer_id: given.offer,
            quantity: given.quantity,
            discount_minor: given.discount_minor,
        }));
        let LineFacts::Article(ArticleFacts { swap: Some(swap), quantity, .. }) = line else { return };
        let is_swapped =
            |explained: &&Explained| explained.line == Some(position) && explained.reason == SWAP_OFFER;
        if priced.explanation.iter().any(|explained| is_swapped(&explained)) {
            self.offers.push(NewLineOffer {
                line_id: id,
                offer_id: swap.offer.id,
                quantity: *quantity,
                discount_minor: 0,
            });
        }
    }

    fn add_payment(
        &mut self,
        order: OrderId,
        due_minor: i64,
        terms: &Terms,
        charges_card: bool,
        shop: &Shop,
        now: DateTime<Utc>,
    ) {
        let payment = PaymentId::new();
        let is_needed = due_minor > 0;
        let state = if is_needed { PaymentState::Preparing } else { PaymentState::NotNeeded };
        self.payments.push(NewPayment {
            id: payment,
            order_id: order,
            attempt: 1,
            state,
            amount_minor: due_minor,
            currency: shop.currency.clone(),
            methods: method_names(&terms.methods),
            saves_card: terms.saves_card,
            expires_at: None,
            created_at: now,
        });
        let job = match (is_needed, charges_card) {
            (false, _) => Job::SettleFree { order },
            (true, false) => Job::OpenCheckout { payment },
            (true, true) => {
                self.charges.push(NewCharge { payment_id: payment });
                Job::ChargeCard { payment }
            }
        };
        self.jobs.push((job, now));
    }

    /// Writes everything, and moves the pools' counters.
    ///
    /// # Errors
    /// The database's.
    pub async fn write(self, conn: &mut Conn, now: DateTime<Utc>) -> Result<()> {
        if self.orders.is_empty() {
            return Ok(());
        }
        let mut held = BTreeMap::new();
        for claim in &self.claims {
            held.entry(claim.pool_id).or_insert((0, 0)).0 += claim.quantity;
        }
        // Rows that refer to others go out after them; those that don't go out together, pipelined.
        let (mut one, mut two, mut three) = (&*conn, &*conn, &*conn);
        let (mut four, mut five, mut six) = (&*conn, &*conn, &*conn);
        NewGuest::insert(&mut one, self.guests).await?;
        let orders = NewOrder::insert(&mut one, self.orders);
        let keys = NewKey::insert(&mut two, self.keys);
        tokio::try_join!(orders, keys, claims::shift(&mut three, &held))?;
        let lines = async {
            NewLine::insert(&mut one, self.lines).await?;
            NewGiftCard::insert(&mut one, self.gift_cards).await?;
            NewGiftRow::insert(&mut one, self.gifts).await?;
            NewUse::insert(&mut one, self.uses).await?;
            NewBenefitUse::insert(&mut one, self.benefit_uses).await?;
            NewOfferUse::insert(&mut one, self.offer_uses).await?;
            NewLineCoupon::insert(&mut one, self.line_coupons).await
        };
        let places = NewSeriesPlace::insert(&mut two, self.places);
        let payments = async {
            NewPayment::insert(&mut three, self.payments).await?;
            NewCharge::insert(&mut three, self.charges).await
        };
        let baskets = async {
            NewToken::insert(&mut four, self.tokens).await?;
            baskets::end_ordered(&mut four, self.baskets, now).await
        };
        tokio::try_join!(lines, places, payments, baskets)?;
        let claims = async { NewClaim::insert(&mut one, self.claims).await.map_err(AppError::from) };
        let purchases = async { NewPurchase::insert(&mut two, self.purchases).await.map_err(AppError::from) };
        let pledges = async { NewPledge::insert(&mut five, self.pledges).await.map_err(AppError::from) };
        let offers = async { NewLineOffer::insert(&mut six, self.offers).await.map_err(AppError::from) };
        let jobs = jobs::queue::enqueue_pipelined(&mut four, &self.jobs, now);
        tokio::try_join!(claims, purchases, pledges, offers, jobs)?;
        community::accept(conn, self.acceptances).await?;
        credit::model::write(conn, self.credit).await?;
        self.points.write(conn).await
    }
}

/// Units of a line that offers give.
fn given_units(priced: &Priced, position: usize) -> i64 {
    priced.given.iter().filter(|given| given.line == position).map(|given| given.quantity).sum()
}

/// The buyer's person, by whom limits count.
fn person_of(facts: &Facts<'_>) -> Result<String> {
    facts.buyer.person_key.clone().ok_or_else(|| Code::Unauthenticated.error())
}

/// An order that was accepted, as its lines see it.
#[derive(Clone, Copy)]
struct Accepted<'a> {
    id: OrderId,
    facts: &'a Facts<'a>,
    admitted: &'a Admitted,
    worded: &'a Worded<'a>,
    backer_name: Option<&'a str>,
    now: DateTime<Utc>,
}

/// What an order's lines are called and cost.
pub struct Worded<'a> {
    pub titles: Vec<String>,
    /// Of the terms of sale that the buyer accepted.
    pub terms_version: Option<String>,
    pub priced: &'a Priced,
    /// Coupons that might have been used.
    pub coupons: &'a [Candidate<'a>],
    /// What those that are used claim, by pool.
    pub claims: &'a BTreeMap<PoolId, i64>,
    /// The shop's.
    pub day: NaiveDate,
    /// What it uses of benefits.
    pub benefits: Entered,
}

impl Worded<'_> {
    /// Whose coupons are used.
    fn campaigns(&self) -> impl Iterator<Item = &Campaign> {
        self.priced.coupons.uses.iter().filter_map(|used| Some(self.coupons.get(used.candidate)?.campaign))
    }
}

/// A gift card holds nothing that others could want.
const GIFT_CARD_HOLD_MINUTES: i32 = 15;

/// What the lines allow together.
struct Terms {
    hold_minutes: i32,
    methods: Vec<Method>,
    saves_card: bool,
}

impl Terms {
    fn of<'a>(facts: &Facts<'_>, coupons: impl Iterator<Item = &'a Campaign>) -> Result<Self> {
        let mut methods = methods_of(facts)?;
        for campaign in coupons {
            methods.retain(|method| campaign.conditions.allows(*method));
        }
        if methods.is_empty() {
            return Err(Code::MethodNotOffered.at("coupon_codes", "no payment method suits all of these"));
        }
        let mut terms = Self { hold_minutes: i32::MAX, methods, saves_card: false };
        for line in &facts.lines {
            let hold_minutes = match line {
                LineFacts::Plan(PlanFacts { plan, .. })
                | LineFacts::Upgrade(UpgradeFacts { plan, .. })
                | LineFacts::Renewal(RenewalFacts { plan, .. }) => {
                    terms.saves_card |= plan.renews == Renews::Card;
                    plan.hold_minutes
                }
                LineFacts::Article(line) => line.article.product.hold_minutes,
                LineFacts::GiftCard(_) => GIFT_CARD_HOLD_MINUTES,
                // Who gets it never renews by the card of who gave it.
                LineFacts::Gift(line) => line.plan.hold_minutes,
            };
            terms.hold_minutes = terms.hold_minutes.min(hold_minutes);
        }
        Ok(terms)
    }
}

/// Methods that all lines can be paid with.
///
/// # Errors
/// `method_not_offered` where there is none.
pub fn methods_of(facts: &Facts<'_>) -> Result<Vec<Method>> {
    let of_line = |line: &LineFacts<'_>| match line {
        LineFacts::Plan(PlanFacts { plan, .. })
        | LineFacts::Upgrade(UpgradeFacts { plan, .. })
        | LineFacts::Renewal(RenewalFacts { plan, .. }) => plan.payment_methods.clone(),
        LineFacts::Article(line) => line.article.product.payment_methods.clone(),
        LineFacts::Gift(line) => line.plan.payment_methods.clone(),
        LineFacts::GiftCard(_) => Method::ALL.to_vec(),
    };
    let mut methods = facts.lines.first().map(of_line).unwrap_or_default();
    for line in facts.lines.iter().skip(1) {
        let others = of_line(line);
        methods.retain(|method| others.contains(method));
    }
    if methods.is_empty() {
        return Err(Code::MethodNotOffered.at("lines", "no payment method takes all of these"));
    }
    Ok(methods)
}

/// Why the order costs what it does, and what became of its invite code.
fn explained(order: &PlaceOrder, priced: &Priced) -> Vec<Explained> {
    let typed = order.invite.as_ref().map(|typed| typed.explained(priced.basis_minor()));
    priced.explanation.iter().cloned().chain(typed).collect()
}

fn is_shipped(facts: &Facts<'_>) -> bool {
    facts.lines.iter().any(|line| matches!(line, LineFacts::Article(line) if line.article.is_shipped()))
}

/// How methods are written into the row.
pub fn method_names(methods: &[Method]) -> String {
    methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(",")
}

//! How each thing is done, and what has to come of it.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use serde_json::json;

use super::super::clockwork::post;
use super::super::clockwork::till::{Paid, Till, minor, time};
use super::super::clockwork::world::{CHAPTER, Offer, World};
use super::super::scenario::email;
use super::super::visit::{Answer, Call, Trouble, trouble};
use super::life::{Act, DELIVERED_AFTER, Life, Look, REST, Standing, Way, YEAR};
use super::roles::{Present, Role};

/// Of those that could: each so manieth joins in the other chapter.
const ELSEWHERE: u32 = 7;
/// Time that passes while something is done.
const MEANWHILE: TimeDelta = TimeDelta::hours(1);
/// A rest ends when the shop next looks: a day of the rehearsal later, or some.
const DAYS_LATE: TimeDelta = TimeDelta::days(4);

impl Life {
    async fn enter<'w>(&self, world: &'w World) -> Result<Till<'w>, Trouble> {
        Till::enter(world, self.index, self.email.clone()).await
    }

    /// # Errors
    /// What doesn't work, and should.
    pub async fn try_to(&mut self, act: &Act, world: &World) -> Result<(), Trouble> {
        match act {
            Act::Join => self.join(world).await,
            Act::PayByLink { mends } => self.pay_by_link(world, *mends).await,
            Act::Card { .. } | Act::CardEnds | Act::RemoveCard => self.change_card(world, act).await,
            Act::SaveCard => self.enter(world).await?.save_card().await,
            Act::Upgrade { restart } => self.upgrade(world, *restart).await,
            Act::Downgrade => self.downgrade(world).await,
            Act::Cancel => self.cancel(world).await,
            Act::Freeze | Act::Resume | Act::SeeRest => self.rest(world, act).await,
            Act::Give => self.give(world).await,
            Act::Redeem => self.redeem(world).await,
            Act::LoseGift => {
                self.standing = None;
                Ok(())
            }
            Act::TakeBackGift => {
                let order = self.gift_order.clone().ok_or_else(|| trouble("there is no gift"))?;
                self.deeds.gifts_refunded += 1;
                self.get_back(world, &order, world.catalogue.regular.price_minor).await
            }
            Act::Invite => {
                let body = json!({ "email": email(self.index + 1) });
                self.enter(world).await?.post("/v1/me/associates", "invite", &body, 201).await.map(drop)
            }
            Act::Accept => self.accept(world).await,
            Act::Move => {
                self.deeds.moved += 1;
                self.enter(world).await?.choose_chapter(CHAPTER).await
            }
            Act::AskForMoney => {
                let order = self.join_order.clone().ok_or_else(|| trouble("he never joined"))?;
                self.standing = None;
                self.get_back(world, &order, world.catalogue.regular.price_minor).await
            }
        }
    }

    fn offer<'w>(&self, world: &'w World) -> &'w Offer {
        match self.role {
            Role::Downgrades | Role::Head | Role::LeavingHead => &world.catalogue.diehard,
            Role::ForLife => &world.catalogue.for_life,
            _ => &world.catalogue.regular,
        }
    }

    fn paid(&mut self, paid: &Paid, price_minor: i64) -> Result<(), Trouble> {
        self.paid_minor += paid.due_minor;
        self.deeds.orders += 1;
        if paid.due_minor == price_minor {
            return Ok(());
        }
        Err(trouble(format!("{}: {} was due, and {price_minor} is the price", paid.order, paid.due_minor)))
    }

    async fn join(&mut self, world: &World) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        if matches!(self.role, Role::Steady | Role::Wallet) && self.index % ELSEWHERE == 1 {
            till.choose_chapter(CHAPTER).await?;
        }
        let offer = self.offer(world).clone();
        let paid = till.buy("join", json!({ "plan": offer.id }), self.method()).await?;
        self.deeds.joined += 1;
        self.join_order = Some(paid.order.clone());
        self.looks.push(Look::Joined { order: paid.order.clone() });
        self.paid(&paid, offer.price_minor)
    }

    async fn pay_by_link(&mut self, world: &World, mends: bool) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let paid = till.pay_by_link("alipay").await?;
        if mends {
            world.simulator.set_card(&till.customer().await?, "ok", None).map_err(trouble)?;
            self.deeds.recovered += 1;
        }
        self.deeds.renewed_by_link += 1;
        self.looks.push(Look::Extended { order: Some(paid.order.clone()) });
        let price_minor = self.standing.as_ref().map_or(0, |standing| standing.price_minor);
        self.paid(&paid, price_minor)
    }

    async fn change_card(&mut self, world: &World, act: &Act) -> Result<(), Trouble> {
        let customer = self.enter(world).await?.customer().await?;
        let standing = self.standing.as_mut().ok_or_else(|| trouble("he is no member"))?;
        let ends_at = standing.ends_at.unwrap_or_else(|| world.clock.now());
        match act {
            Act::Card { says, times } => {
                if times.is_none() {
                    standing.way = if self.role == Role::Gone { Way::Ends } else { Way::Link };
                }
                world.simulator.set_card(&customer, says, *times).map_err(trouble)
            }
            Act::CardEnds => {
                let before = ends_at - TimeDelta::days(40);
                let (month, year) = (i64::from(before.month()), i64::from(before.year()));
                world.simulator.set_card_expiry(&customer, month, year).map_err(trouble)
            }
            _ => {
                standing.way = Way::Link;
                world.simulator.detach_cards(&customer);
                Ok(())
            }
        }
    }

    async fn upgrade(&mut self, world: &World, restart: bool) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let mode = if restart { "restart" } else { "prorate" };
        let body = json!({ "plan": world.catalogue.diehard.id, "mode": mode });
        let quote = till.post("/v1/upgrade-quotes", "quote", &body, 201).await?;
        let due_minor = minor(&quote, "/due")?;
        let at = world.clock.now();
        let paid = till.buy("upgrade", json!({ "upgrade_quote": quote.text("/id") }), "card").await?;
        self.deeds.upgraded += 1;
        self.looks.push(Look::Upgraded { order: paid.order.clone(), restart, at });
        self.paid(&paid, due_minor)
    }

    async fn downgrade(&mut self, world: &World) -> Result<(), Trouble> {
        let next = world.catalogue.regular.clone();
        let body = json!({ "plan": next.id });
        self.enter(world).await?.post("/v1/me/membership/downgrade", "downgrade", &body, 200).await?;
        self.deeds.downgrades += 1;
        if let Some(standing) = &mut self.standing {
            standing.planned = Some(next);
        }
        Ok(())
    }

    async fn cancel(&mut self, world: &World) -> Result<(), Trouble> {
        let body = json!({ "reason": "Moving abroad." });
        self.enter(world).await?.post("/v1/me/membership/cancel", "cancel", &body, 200).await?;
        self.deeds.cancelled += 1;
        if let Some(standing) = &mut self.standing {
            standing.way = Way::Ends;
        }
        Ok(())
    }

    async fn rest(&mut self, world: &World, act: &Act) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        match act {
            Act::Freeze => {
                let body = json!({ "until": world.clock.now() + REST });
                self.deeds.rested += 1;
                return till.post("/v1/me/membership/freeze", "freeze", &body, 200).await.map(drop);
            }
            Act::Resume => {
                return till.post("/v1/me/membership/resume", "resume", &json!({}), 200).await.map(drop);
            }
            _ => {}
        }
        let seen = till.membership().await?;
        let least = if self.role == Role::Freezes { REST } else { REST / 2 };
        let standing = self.standing.as_mut().ok_or_else(|| trouble("he is no member"))?;
        let (was, is) = (standing.ends_at, time(&seen, "/ends_at")?);
        let moved = was.zip(is).map(|(was, is)| is - was).unwrap_or_default();
        standing.ends_at = is;
        if seen.text("/state") == "active" && (least - MEANWHILE..least + DAYS_LATE).contains(&moved) {
            return Ok(());
        }
        Err(trouble(format!("after a rest it is {}, and its end moved by {moved}", seen.text("/state"))))
    }

    async fn give(&mut self, world: &World) -> Result<(), Trouble> {
        let regular = world.catalogue.regular.clone();
        let to = json!({
            "email": email(self.index + 1), "name": "小林", "message": "生日快乐",
            "deliver_at": world.clock.now() + DELIVERED_AFTER,
        });
        let line = json!({ "gift": { "plan": regular.id, "to": to } });
        let paid = self.enter(world).await?.buy("gift", line, "card").await?;
        self.deeds.given += 1;
        self.gift_order = Some(paid.order.clone());
        self.looks.push(Look::Given { order: paid.order.clone() });
        self.paid(&paid, regular.price_minor)
    }

    async fn redeem(&mut self, world: &World) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let words = till.mail(&["gift"]).await?;
        let code = post::code_of(&words).ok_or_else(|| trouble("a gift without its code"))?;
        let body = json!({ "code": code });
        if self.role == Role::Friend(Present::Void) {
            let answer = till.post("/v1/gifts/redeem", "redeem", &body, 409).await?;
            return if answer.code() == "gift_void" { Ok(()) } else { Err(trouble(answer.code())) };
        }
        till.post("/v1/gifts/redeem", "redeem", &body, 200).await?;
        self.deeds.redeemed += 1;
        let adds = self.role == Role::Friend(Present::Adds);
        self.looks.push(if adds { Look::Extended { order: None } } else { Look::Began });
        Ok(())
    }

    async fn get_back(&mut self, world: &World, order: &str, amount_minor: i64) -> Result<(), Trouble> {
        self.back_minor += amount_minor;
        self.deeds.refunds += 1;
        world.refund(order).await
    }

    async fn accept(&mut self, world: &World) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let words = till.mail(&["associate_invitation"]).await?;
        let token = post::code_of(&words).ok_or_else(|| trouble("an invitation without its token"))?;
        let body = json!({ "token": token });
        let call = Call::post("/v1/associate-invitations/accept", &body);
        let answer = till.person.demand(&till.visit, call, 200).await?;
        self.deeds.associates += 1;
        if answer.text("/state") == "active" && answer.text("/tier") == world.catalogue.diehard.tier {
            return Ok(());
        }
        Err(trouble(format!("an associate is {} of {}", answer.text("/state"), answer.text("/tier"))))
    }

    /// Looks at what came of it.
    ///
    /// # Errors
    /// What isn't as it should be.
    pub async fn see(&mut self, look: &Look, world: &World) -> Result<(), Trouble> {
        let mut till = self.enter(world).await?;
        let order = match look {
            Look::Joined { order } | Look::Upgraded { order, .. } | Look::Given { order } => Some(order),
            Look::Extended { order } => order.as_ref(),
            Look::Began | Look::Changed { .. } => None,
        };
        if let Some(order) = order {
            let seen = till.get(&format!("/v1/orders/{order}")).await?;
            if seen.text("/state") != "fulfilled" {
                return Err(trouble(format!("it was paid, and is {}", seen.text("/state"))));
            }
        }
        if matches!(look, Look::Given { .. }) {
            return Ok(());
        }
        let seen = till.membership().await?;
        let standing = self.standing_after(look, &seen, world)?;
        let as_told = seen.text("/state") == "active"
            && seen.text("/tier") == standing.tier
            && time(&seen, "/ends_at")? == standing.ends_at;
        let told = format!("the membership is {}, and should be {standing:?}", seen.body);
        self.standing = Some(standing);
        self.look_ahead();
        if as_told { Ok(()) } else { Err(trouble(told)) }
    }

    /// What has to be the membership, by what was bought.
    fn standing_after(&self, look: &Look, seen: &Answer, world: &World) -> Result<Standing, Trouble> {
        let said = time(seen, "/ends_at")?;
        let near = |at: DateTime<Utc>| {
            said.filter(|said| (*said - at).abs() < MEANWHILE)
                .ok_or_else(|| trouble(format!("it ends at {said:?}, and should about {at}")))
        };
        let before = self.standing.clone().ok_or_else(|| trouble("he was no member"));
        match look {
            Look::Joined { .. } | Look::Began => {
                let offer = self.offer(world);
                let is_for_life = self.role == Role::ForLife;
                let begins = time(seen, "/starts_at")?.ok_or_else(|| trouble("it never began"))?;
                near(world.clock.now() + if is_for_life { TimeDelta::zero() } else { YEAR })
                    .map(drop)
                    .or_else(|error| if is_for_life { Ok(()) } else { Err(error) })?;
                let by_card = matches!(look, Look::Joined { .. }) && !self.role.has_wallet();
                Ok(Standing {
                    tier: offer.tier,
                    ends_at: (!is_for_life).then_some(begins + YEAR),
                    way: if by_card { Way::Card } else { Way::Link },
                    price_minor: offer.price_minor,
                    planned: None,
                    ends: 1,
                })
            }
            Look::Extended { order } => {
                let before = before?;
                let by_card = matches!(self.role, Role::Declined | Role::Confirms);
                // A gift that is added doesn't count as an end that was decided.
                let ends = before.ends + u32::from(order.is_some());
                Ok(Standing {
                    ends_at: before.ends_at.map(|at| at + YEAR),
                    way: if by_card { Way::Card } else { Way::Link },
                    ends,
                    ..before
                })
            }
            Look::Upgraded { restart, at, .. } => {
                let diehard = &world.catalogue.diehard;
                let before = before?;
                let ends_at = if *restart { Some(near(*at + YEAR)?) } else { before.ends_at };
                Ok(Standing { tier: diehard.tier, price_minor: diehard.price_minor, ends_at, ..before })
            }
            Look::Changed { from } => {
                let late = said.map(|said| said - (*from + YEAR)).unwrap_or_default();
                if late < TimeDelta::zero() || late > DAYS_LATE {
                    return Err(trouble(format!("it ends at {said:?}, {late} after the year that was paid")));
                }
                Ok(Standing { ends_at: said, ..before? })
            }
            Look::Given { .. } => before,
        }
    }
}

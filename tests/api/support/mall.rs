//! A shop that sells goods: tiers, a way to send them, and who runs it.

use chrono::TimeDelta;
use futures::future::join_all;
use kindred::people::operators::rules::Role;
use serde_json::{Value, json};

use super::http::Answer;
use super::people::Person;
use super::shop::Shop;

pub fn yuan(amount: i64) -> Value {
    json!({ "amount": amount * 100, "currency": "CNY" })
}

/// A shop with two tiers, a way to send goods, and who runs it.
pub struct Mall {
    pub shop: Shop,
    pub owner: Person,
    pub regular: Value,
    pub diehard: Value,
    pub express: Value,
}

impl Mall {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// With settings by name.
    pub async fn open_with(values: &[(&str, &str)]) -> Self {
        Self::of(Shop::open_with(values).await).await
    }

    pub async fn of(shop: Shop) -> Self {
        let owner = shop.app.operator(Role::Owner).await;
        let mut plans = Vec::new();
        for (code, rank) in [("regular", 10), ("diehard", 20)] {
            let tier = json!({ "code": code, "names": { "zh-CN": code, "en": code }, "rank": rank });
            let tier = shop.app.make(&owner, "/v1/admin/tiers", &tier).await;
            let plan = json!({
                "code": format!("{code}-year"), "tier": tier["id"], "term": "P1Y", "price": yuan(200),
                "renews": "never", "payment_methods": ["card", "wechat_pay"], "open_sale": true,
            });
            plans.push(shop.app.make(&owner, "/v1/admin/plans", &plan).await);
        }
        let method = json!({
            "code": "express", "names": { "zh-CN": "快递", "en": "Express" }, "countries": ["CN"], "fee": yuan(12),
            "fee_per_kg": yuan(5), "free_for": { "who": "tier", "at_least": "diehard" },
        });
        let express = shop.app.make(&owner, "/v1/admin/shipping-methods", &method).await;
        let (diehard, regular) = (plans.pop().unwrap(), plans.pop().unwrap());
        Self { shop, owner, regular, diehard, express }
    }

    pub async fn product(&self, slug: &str, kind: &str, variants: Value, more: Value) -> Value {
        let mut body = json!({
            "slug": slug, "kind": kind, "names": { "zh-CN": slug, "en": slug }, "variants": variants,
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.shop.app.make(&self.owner, "/v1/admin/products", &body).await
    }

    /// Goods of one variant with so many in stock; the variant's id.
    pub async fn goods(&self, sku: &str, price_yuan: i64, stock: i64) -> Value {
        let variants = json!([{ "sku": sku, "price": yuan(price_yuan), "weight_grams": 500 }]);
        let product = self.product(&sku.to_lowercase(), "goods", variants, json!({})).await;
        let variant = product["variants"][0]["id"].clone();
        if stock != 0 {
            self.stock(&variant, stock, "received").await.ok(201);
        }
        variant
    }

    pub async fn stock(&self, variant: &Value, quantity: i64, reason: &str) -> Answer {
        let body = json!({ "variant": variant, "quantity": quantity, "reason": reason });
        let key = format!("{variant}{quantity}{reason}");
        let request = self.shop.app.post("/v1/admin/stock-moves").bearer(&self.owner.token);
        request.key(&key.replace('"', "")).json(&body).send().await
    }

    /// The book box: six books, a notebook and a tin of tea; (bundle, [book, notebook, tea]).
    pub async fn book_box(&self, boxes: i64) -> (Value, [Value; 3]) {
        let book = self.goods("BOOK", 40, 6 * boxes).await;
        let notebook = self.goods("NOTEBOOK", 60, boxes).await;
        let tea = self.goods("TEA", 90, boxes).await;
        let parts = json!([
            { "variant": book, "quantity": 6 },
            { "variant": notebook, "quantity": 1 },
            { "variant": tea, "quantity": 1 },
        ]);
        let variants = json!([{ "sku": "BOX", "price": yuan(499), "parts": parts, "open_sale": false, "max_per_order": 2 }]);
        let more = json!({ "buys": { "who": "members" }, "tax_rate_bp": 900 });
        let product = self.product("book-box", "bundle", variants, more).await;
        (product["variants"][0].clone(), [book, notebook, tea])
    }

    pub async fn drop(&self, variant: &Value, quantity: i64, more: Value) -> Value {
        let now = self.shop.app.now();
        let mut body = json!({
            "code": "drop", "names": { "zh-CN": "书盒", "en": "Book box" }, "opens_at": now,
            "closes_at": now + TimeDelta::days(3), "items": [{ "variant": variant, "quantity": quantity }],
        });
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        self.shop.app.make(&self.owner, "/v1/admin/drops", &body).await
    }

    /// Somebody who was let in on this plan.
    pub async fn member(&self, email: &str, plan: &Value) -> Person {
        let person = self.shop.app.member(email).await;
        let path = format!("/v1/admin/accounts/{}/memberships", person.id);
        let body = json!({ "plan": plan["id"], "reason": "Invited." });
        let owner = self.shop.app.sign_in(&self.owner.email).await;
        let request = self.shop.app.post(&path).bearer(&owner.token).key(email);
        request.json(&body).send().await.ok(201);
        person
    }

    pub async fn members(&self, count: usize) -> Vec<Person> {
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            members.push(self.member(&format!("m{index}@rush.test"), &self.regular).await);
        }
        members
    }

    pub fn body(&self, lines: Value) -> Value {
        json!({
            "lines": lines, "success_url": "http://shop.test/", "cancel_url": "http://shop.test/",
            "shipping": { "method": self.express["id"], "address": {
                "name": "罗小姐", "phone": "13800000000", "country": "CN", "city": "北京", "line1": "朝阳门外大街 1 号",
            } },
        })
    }

    pub async fn order(&self, person: &Person, key: &str, lines: Value) -> Answer {
        let request = self.shop.app.post("/v1/orders?wait=payment").bearer(&person.token).key(key);
        request.json(&self.body(lines)).send().await
    }

    pub async fn quote(&self, person: &Person, lines: Value) -> Answer {
        let request = self.shop.app.post("/v1/quotes").bearer(&person.token);
        request.json(&self.body(lines)).send().await
    }

    /// Orders, pays, and the order as it then is.
    pub async fn buy(&self, person: &Person, key: &str, lines: Value) -> Value {
        let order = self.order(person, key, lines).await.ok(201);
        self.shop.pay(&order).await;
        self.shop.settled(person, &order).await
    }

    /// Everybody orders the same at once: how many got it; the rest are refused with this code.
    pub async fn rush(&self, people: &[Person], lines: &Value, refusal: &str) -> usize {
        let answers = join_all(people.iter().map(|person| self.order(person, "rush", lines.clone()))).await;
        let (placed, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        for answer in refused {
            answer.refused(409, refusal);
        }
        placed.len()
    }

    /// (total, held, sold) of a variant.
    pub async fn stands(&self, variant: &Value) -> (i64, i64, i64) {
        let id = variant.as_str().unwrap();
        let owner = self.shop.app.sign_in(&self.owner.email).await;
        let products = self.shop.app.get("/v1/admin/products?limit=100").bearer(&owner.token);
        let products = products.send().await.ok(200);
        let variants =
            products["data"].as_array().unwrap().iter().flat_map(|p| p["variants"].as_array().unwrap());
        let stock = variants.into_iter().find(|found| found["id"] == id).unwrap()["stock"].clone();
        let of = |field: &str| stock[field].as_i64().unwrap();
        (of("total"), of("held"), of("sold"))
    }

    pub async fn finish(self) {
        self.shop.finish().await;
    }

    /// A bundle of one tea, for who wants to confuse it with a variant.
    pub async fn book_box_of(&self, tea: &Value) -> (Value, ()) {
        let variants =
            json!([{ "sku": "PACK", "price": yuan(80), "parts": [{ "variant": tea, "quantity": 1 }] }]);
        let product = self.product("pack", "bundle", variants, json!({})).await;
        (product["variants"][0].clone(), ())
    }

    pub async fn members_named(&self, prefix: &str, count: usize) -> Vec<Person> {
        let mut members = Vec::with_capacity(count);
        for index in 0..count {
            members.push(self.member(&format!("{prefix}{index}@b.test"), &self.regular).await);
        }
        members
    }
}

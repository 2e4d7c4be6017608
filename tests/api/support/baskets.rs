//! Baskets as a storefront holds them: of a guest with a secret, or of an account.

use serde_json::{Value, json};

use super::http::{Answer, Request};
use super::mall::Mall;
use super::people::Person;

/// A basket and what opens it.
#[derive(Clone, Debug)]
pub struct Basket {
    pub id: String,
    pub secret: Option<String>,
    pub token: Option<String>,
}

impl Basket {
    pub async fn of_guest(mall: &Mall) -> Self {
        let made = mall.shop.app.post("/v1/baskets").send().await.ok(201);
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Self { id: text("id"), secret: Some(text("secret")), token: None }
    }

    pub async fn of(mall: &Mall, person: &Person) -> Self {
        let made = mall.shop.app.post("/v1/baskets").bearer(&person.token).send().await.ok(201);
        assert_eq!(made["secret"], Value::Null);
        let id = made["id"].as_str().unwrap().to_owned();
        Self { id, secret: None, token: Some(person.token.clone()) }
    }

    /// The same, in the hands of who has signed in meanwhile.
    pub fn held_by(&self, person: &Person) -> Self {
        Self { token: Some(person.token.clone()), ..self.clone() }
    }

    pub fn path(&self) -> String {
        format!("/v1/baskets/{}", self.id)
    }

    /// Shows what opens it.
    pub fn on<'a>(&self, mut request: Request<'a>) -> Request<'a> {
        if let Some(secret) = &self.secret {
            request = request.header("Basket-Secret", secret);
        }
        match &self.token {
            Some(token) => request.bearer(token),
            None => request,
        }
    }

    pub async fn look(&self, mall: &Mall) -> Value {
        self.on(mall.shop.app.get(&self.path())).send().await.ok(200)
    }

    pub async fn put(&self, mall: &Mall, lines: Value) -> Answer {
        let request = mall.shop.app.put(&format!("{}/lines", self.path()));
        self.on(request).json(&json!({ "lines": lines })).send().await
    }

    pub async fn merge(&self, mall: &Mall) -> Answer {
        self.on(mall.shop.app.post(&format!("{}/merge", self.path()))).send().await
    }

    /// What an order of it asks for, with `more`.
    pub fn body(&self, mall: &Mall, more: Value) -> Value {
        let mut body = mall.body(json!([]));
        body.as_object_mut().unwrap().remove("lines");
        body["basket"] = json!(self.id);
        for (field, value) in more.as_object().unwrap() {
            body[field] = value.clone();
        }
        body
    }

    pub async fn quote(&self, mall: &Mall) -> Answer {
        let body = self.body(mall, json!({}));
        self.on(mall.shop.app.post("/v1/quotes")).json(&body).send().await
    }

    pub async fn order(&self, mall: &Mall, key: &str, more: Value) -> Answer {
        let body = self.body(mall, more);
        self.on(mall.shop.app.post("/v1/orders?wait=payment")).key(key).json(&body).send().await
    }
}

//! Who is calling, and may they: extractors, so that a handler's signature says who may call it.

use std::future::ready;
use std::marker::PhantomData;
use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures::future::LocalBoxFuture;

use crate::app::App;
use crate::audit::Actor;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::http::middleware::SignedIn;
use crate::people::accounts;
use crate::people::api_keys;
use crate::people::operators::rules::{Right, Role};
use crate::people::tokens::Bearer;
use crate::types::id::{AccountId, ApiKeyId, MerchantId, SessionId};

pub use crate::people::operators::rules::{ManageShop, OwnShop, ReadShop, RedeemVouchers, ServeMembers};

/// Somebody who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: AccountId,
    pub session: SessionId,
}

/// Somebody who may be signed in. A token that is there but not good is refused all the same: silently serving a
/// stranger would surprise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaybeCaller(pub Option<Caller>);

/// An operator, or an API key, that has the right `R`. Roles are read from the database each time, so that one that is
/// taken away is gone at once.
pub struct Staff<R> {
    pub actor: Actor,
    /// The operator's account; for an API key that of the operator who made it.
    pub account: AccountId,
    pub roles: Vec<Role>,
    /// Of a counter's key.
    pub counter: Option<Counter>,
    right: PhantomData<R>,
}

/// Where vouchers are taken: the place that a key is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub key: ApiKeyId,
    pub merchant: MerchantId,
    pub outlet: String,
}

/// The token of `Authorization: Bearer …` (RFC 6750 §2.1).
fn bearer_token(request: &HttpRequest) -> Result<Option<String>> {
    let Some(header) = request.headers().get(AUTHORIZATION) else { return Ok(None) };
    let token = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned());
    token.map(Some).ok_or_else(|| Code::Unauthenticated.error())
}

fn app_of(request: &HttpRequest) -> Result<web::Data<App>> {
    let app = request.app_data::<web::Data<App>>().cloned();
    app.ok_or_else(|| AppError::internal("the application's data is not mounted"))
}

async fn caller(app: &App, token: &str) -> Result<Caller> {
    let Bearer { account, session } = app.tokens.verify(&app.pool, token, app.clock.now()).await?;
    Ok(Caller { account, session })
}

async fn maybe_caller(request: HttpRequest) -> Result<Option<Caller>> {
    let Some(token) = bearer_token(&request)? else { return Ok(None) };
    let caller = caller(&*app_of(&request)?, &token).await?;
    request.extensions_mut().insert(SignedIn(caller.account));
    Ok(Some(caller))
}

/// Who calls an operators' route, before it is asked what for.
struct Identity {
    actor: Actor,
    account: AccountId,
    roles: Vec<Role>,
    counter: Option<Counter>,
}

async fn identify(request: &HttpRequest) -> Result<Identity> {
    let token = bearer_token(request)?.ok_or(Code::Unauthenticated)?;
    let app = app_of(request)?;
    let identity = if token.starts_with(api_keys::rules::PREFIX) {
        let mut conn = db::connect(&app.pool).await?;
        let key = api_keys::model::find_live(&mut conn, &token, app.clock.now()).await?;
        let key = key.ok_or(Code::Unauthenticated)?;
        let (actor, account, roles) = (Actor::ApiKey(key.id), key.created_by, key.roles());
        let place = key.merchant_id.zip(key.outlet);
        let counter = place.map(|(merchant, outlet)| Counter { key: key.id, merchant, outlet });
        Identity { actor, account, roles, counter }
    } else {
        let Caller { account, .. } = caller(&app, &token).await?;
        request.extensions_mut().insert(SignedIn(account));
        let mut conn = db::connect(&app.pool).await?;
        let (roles, is_verified) = accounts::model::roles(&mut conn, account).await?;
        if !roles.is_empty() && !is_verified {
            return Err(Code::EmailNotVerified.error());
        }
        Identity { actor: Actor::Operator(account), account, roles, counter: None }
    };
    if identity.roles.is_empty() { Err(Code::Forbidden.error()) } else { Ok(identity) }
}

/// Middleware before the operators' routes: who isn't an operator gets no further, whatever a handler asks for. It also
/// lets [`Staff`] refuse before a body is looked at, so that nobody learns from an error what a body should be.
///
/// # Errors
/// What the request ends with.
pub async fn identify_staff<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> std::result::Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    if request.path().starts_with("/v1/admin/") {
        match identify(request.request()).await {
            Ok(identity) => {
                request.extensions_mut().insert(Rc::new(identity));
            }
            Err(error) => return Ok(request.error_response(error).map_into_right_body()),
        }
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn staff<R: Right>(identity: &Identity) -> Result<Staff<R>> {
    if identity.roles.iter().any(|role| R::is_given_to(*role)) {
        let Identity { actor, account, roles, counter } = identity;
        let (roles, counter) = (roles.clone(), counter.clone());
        Ok(Staff { actor: *actor, account: *account, roles, counter, right: PhantomData })
    } else {
        Err(Code::Forbidden.error())
    }
}

impl FromRequest for Caller {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { maybe_caller(request).await?.ok_or_else(|| Code::Unauthenticated.error()) })
    }
}

impl FromRequest for MaybeCaller {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { maybe_caller(request).await.map(Self) })
    }
}

impl<R: Right> FromRequest for Staff<R> {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Rc<Identity>>().map(|identity| staff(identity));
        if let Some(staff) = known {
            return Box::pin(ready(staff));
        }
        let request = request.clone();
        Box::pin(async move { staff(&identify(&request).await?) })
    }
}

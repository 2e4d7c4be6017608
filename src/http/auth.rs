//! Who is calling, and may they: extractors, so that a handler's signature says who may call it.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::LocalBoxFuture;

use crate::app::App;
use crate::audit::Actor;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::people::accounts;
use crate::people::api_keys;
use crate::people::operators::rules::{Right, Role};
use crate::people::tokens::Bearer;
use crate::types::id::{AccountId, SessionId};

pub use crate::people::operators::rules::{ManageShop, OwnShop, ReadShop, ServeMembers};

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
    right: PhantomData<R>,
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
    caller(&*app_of(&request)?, &token).await.map(Some)
}

async fn staff<R: Right>(request: HttpRequest) -> Result<Staff<R>> {
    let token = bearer_token(&request)?.ok_or(Code::Unauthenticated)?;
    let app = app_of(&request)?;
    let (actor, account, roles) = if token.starts_with(api_keys::rules::PREFIX) {
        let mut conn = db::connect(&app.pool).await?;
        let key = api_keys::model::find_live(&mut conn, &token, app.clock.now()).await?;
        let key = key.ok_or(Code::Unauthenticated)?;
        (Actor::ApiKey(key.id), key.created_by, key.roles())
    } else {
        let caller = caller(&app, &token).await?;
        let mut conn = db::connect(&app.pool).await?;
        let (roles, is_verified) = accounts::model::roles(&mut conn, caller.account).await?;
        if !roles.is_empty() && !is_verified {
            return Err(Code::EmailNotVerified.error());
        }
        (Actor::Operator(caller.account), caller.account, roles)
    };
    if roles.iter().any(|role| R::is_given_to(*role)) {
        Ok(Staff { actor, account, roles, right: PhantomData })
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
        Box::pin(staff(request.clone()))
    }
}

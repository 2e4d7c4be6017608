//! Who asks about one order: somebody signed in, or a guest with the order's token.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures::future::LocalBoxFuture;

use super::model::{self, OrderRow};
use crate::app::App;
use crate::db;
use crate::error::{AppError, Code, Result};
use crate::http::auth::{Caller, MaybeCaller};
use crate::http::guest::OrderToken;
use crate::types::id::{AccountId, OrderId};

/// What a request shows that is about one order: who is signed in, a token, or both. Who shows nothing gets no further.
pub struct OrderCaller {
    caller: Option<Caller>,
    token: OrderToken,
}

/// An order's buyer as far as was shown: whether the order is his is decided where it is read, by [`Self::owns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderBuyer {
    account: AccountId,
    /// The order whose token was shown: his whichever account it stands under, and it may be adopted at any moment.
    order: Option<OrderId>,
    /// Under which the keys of his requests are kept: a guest's, whose order was adopted meanwhile, stay the guest's.
    pub keys: AccountId,
}

impl OrderBuyer {
    /// Somebody who is signed in.
    pub fn signed_in(account: AccountId) -> Self {
        Self { account, order: None, keys: account }
    }

    /// Who shows the token of an order that was placed under this guest's account.
    pub fn with_token(order: OrderId, guest: AccountId) -> Self {
        Self { account: guest, order: Some(order), keys: guest }
    }

    /// Is this order his?
    pub fn owns(&self, order: &OrderRow) -> bool {
        order.account_id == self.account || self.order == Some(order.id)
    }
}

impl OrderCaller {
    /// As whom the caller may look at this order: as who is signed in, or with its token as its buyer.
    ///
    /// # Errors
    /// `not_found` for another order's token.
    pub async fn on(&self, app: &App, id: OrderId) -> Result<OrderBuyer> {
        if let Some(hash) = self.token.hash() {
            let mut conn = db::connect(&app.pool).await?;
            if let Some(buyer) = model::buyer_of_token(&mut conn, id, &hash).await? {
                return Ok(buyer);
            }
        }
        let caller = self.caller.ok_or(Code::NotFound)?;
        Ok(OrderBuyer::signed_in(caller.account))
    }
}

impl FromRequest for OrderCaller {
    type Error = AppError;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = MaybeCaller::from_request(request, payload);
        let token = OrderToken::from_request(request, payload);
        Box::pin(async move {
            let (MaybeCaller(caller), token) = (caller.await?, token.await?);
            if caller.is_none() && token.0.is_none() {
                return Err(Code::Unauthenticated.error());
            }
            Ok(Self { caller, token })
        })
    }
}

//! Quotes and orders.

use std::collections::HashSet;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::access::OrderCaller;
use super::dto::{AttemptRequest, Consents, OrderRequest, OrderView, WaitQuery, order_id};
use super::gifts;
use super::model::{self, OrderRow, OrderState};
use super::placer::Room;
use super::quote_dto::QuoteView;
use super::quotes;
use super::reader::{self, OrderRows};
use super::rules::check_return_url;
use super::search::{self, Filter, OrderFilter};
use super::service::{self, Customer, PlaceOrder, Placed, Shop};
use super::waiting::{WAIT_MAX, WaitFor};
use crate::app::App;
use crate::checkout::adoptions::service as adoptions;
use crate::checkout::baskets::service::{self as baskets, Asker, ToOrder};
use crate::checkout::cancellations::model as cancelled;
use crate::checkout::cancellations::service as cancellations;
use crate::checkout::invited;
use crate::checkout::invited::rules::{InviteCode, Typed};
use crate::checkout::payments::attempts as paying;
use crate::checkout::returns::dto::views as return_views;
use crate::checkout::returns::model as returns;
use crate::checkout::shipments::dto::ShipmentView;
use crate::checkout::shipments::model as shipments;
use crate::checkout::shipments::promises;
use crate::db::page::{List, PageQuery};
use crate::db::{self, Conn};
use crate::error::{Code, Result};
use crate::http::auth::{Caller, MaybeCaller, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::guest::{BasketSecret, OrderToken};
use crate::http::idempotency::IdempotencyKey;
use crate::http::language::locale_of;
use crate::people::addresses::model as addresses;
use crate::people::operators::rules::Right;
use crate::people::person;
use crate::promotion::coupons::attempts::guard;
use crate::shop::shipping::rules::Address;
use crate::types::id::{AccountId, OrderId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(quote, place, list, show, cancel, adopt, pay_again, admin_list, admin_late, admin_show))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/v1/quotes", web::post().to(quote))
        .route("/v1/orders", web::post().to(place))
        .route("/v1/orders", web::get().to(list))
        .route("/v1/orders/{id}", web::get().to(show))
        .route("/v1/orders/{id}/cancel", web::post().to(cancel))
        .route("/v1/orders/{id}/adopt", web::post().to(adopt))
        .route("/v1/orders/{id}/payments", web::post().to(pay_again))
        .route("/v1/admin/orders", web::get().to(admin_list))
        .route("/v1/admin/orders/late", web::get().to(admin_late))
        .route("/v1/admin/orders/{id}", web::get().to(admin_show));
}

/// What would this cost, and why?
#[utoipa::path(post, path = "/v1/quotes", tag = "Orders", request_body = OrderRequest,
    responses((status = 200, body = QuoteView), (status = 409, description = "As an order would be refused"),
        (status = 422, description = "A body that no order can have")),
    params(("Basket-Secret" = Option<String>, Header, description = "of a guest's basket")),
    security((), ("bearer" = [])))]
pub async fn quote(
    app: web::Data<App>,
    request: HttpRequest,
    (caller, secret): (MaybeCaller, BasketSecret),
    Body(mut body): Body<OrderRequest>,
) -> Result<HttpResponse> {
    let asker = Asker { account: caller.0.map(|caller| caller.account), secret, locale: locale_of(&request) };
    unpack(&app, &asker, &mut body).await?;
    let kept = kept_address(&app, asker.account, &body).await?;
    let cart = body.cart(customer_of(&app, &asker, &body).await?, kept)?;
    let code = body.invite();
    let now = app.clock.now();
    let mut conn = db::connect(&app.pool).await?;
    guard(&app, &mut conn, asker.account, &request, &cart.coupon_codes).await?;
    let mut quoted = quotes::quote(&mut conn, &Shop::of(&app.settings), now, &cart).await?;
    if let Some(code) = code {
        let typed = invited::service::typed(&mut conn, &cart.customer, code, now).await?;
        quoted.priced.explanation.push(typed.explained(quoted.priced.basis_minor()));
    }
    let currency = &app.settings.currency;
    Ok(HttpResponse::Ok().json(QuoteView::new(quoted, &body.coupon_codes, currency, now)))
}

/// Places an order: what it needs is held from now on, or it is refused and nothing has changed. The payment page follows;
/// `?wait=payment` waits for it. A guest sends `email` and `basket`, and is told the `order_token` that the order is seen with.
#[utoipa::path(post, path = "/v1/orders", tag = "Orders", request_body = OrderRequest,
    params(("Idempotency-Key" = String, Header, description = "A repeat answers the same order"), WaitQuery,
        ("Basket-Secret" = Option<String>, Header, description = "of a guest's basket")),
    responses((status = 201, body = OrderView), (status = 403, description = "Not admitted: the code says why"),
        (status = 409, description = "sold_out, not_open, closed, one_per_person, membership_order_pending, stale_quote, basket_ended, …"),
        (status = 422, description = "A body that no order can have"), (status = 503, description = "busy")),
    security((), ("bearer" = [])))]
pub async fn place(
    app: web::Data<App>,
    _room: Room,
    request: HttpRequest,
    (caller, secret): (MaybeCaller, BasketSecret),
    key: IdempotencyKey,
    query: web::Query<WaitQuery>,
    Body(mut body): Body<OrderRequest>,
) -> Result<HttpResponse> {
    let body_hash = body.hash()?;
    let seat = app.placer.seat()?;
    let asker = Asker { account: caller.0.map(|caller| caller.account), secret, locale: locale_of(&request) };
    let customer = customer_of(&app, &asker, &body).await?;
    check_email(&customer, &body)?;
    let from = unpack(&app, &asker, &mut body).await?;
    let (account, token) = (customer.account(), token_of(&customer, &asker));
    let kept = kept_address(&app, asker.account, &body).await?;
    if body.address_id().is_some() && kept.is_none() {
        // It may have been deleted since: a repeat is answered all the same.
        let mut conn = db::connect(&app.pool).await?;
        if let Some(order) = service::placed_before(&mut conn, account, &key.0, &body_hash).await? {
            drop(conn);
            let placed = Placed { order, written: None };
            return answer_placed(&app, placed, query.wait, &token).await;
        }
    }
    let invite = match body.invite() {
        Some(code) => Some(invited(&app, &customer, code).await?),
        None => None,
    };
    let order = PlaceOrder {
        cart: body.cart(customer, kept)?,
        shown: body.shown(&app.settings.currency, from.as_ref().map(|from| &*from.units_minor))?,
        basket: from.map(|from| from.basket),
        token_hash: token.hash(),
        key: key.0,
        body_hash,
        invite,
        backer_name: body.backer_name()?,
        terms: body.consents.as_ref().and_then(|consents| consents.terms.clone()),
        community_rules: body.consents.as_ref().and_then(|consents| consents.community_rules.clone()),
        // The name lies with the pledge, from where it can be taken back.
        consents: json!(Consents { backer_name: None, ..body.consents.clone().unwrap_or_default() }),
        success_url: return_url(&app, "success_url", body.success_url.as_deref())?,
        cancel_url: return_url(&app, "cancel_url", body.cancel_url.as_deref())?,
    };
    if !order.cart.coupon_codes.is_empty() {
        let mut conn = db::connect(&app.pool).await?;
        // A repeat is answered whatever else its buyer has tried since.
        if service::placed_before(&mut conn, account, &order.key, &order.body_hash).await?.is_none() {
            guard(&app, &mut conn, asker.account, &request, &order.cart.coupon_codes).await?;
        }
    }
    let placed = seat.place(order).await?;
    answer_placed(&app, placed, query.wait, &token).await
}

/// What an invite code would count for.
async fn invited(app: &App, customer: &Customer, code: InviteCode) -> Result<Typed> {
    let mut conn = db::connect(&app.pool).await?;
    invited::service::typed(&mut conn, customer, code, app.clock.now()).await
}

/// A guest's mails need an address; an account's orders go to its own.
fn check_email(customer: &Customer, body: &OrderRequest) -> Result<()> {
    match (customer, &body.email) {
        (Customer::Guest(_), None) => Err(Code::InvalidField.at("email", "missing field")),
        (Customer::Account(_), Some(_)) => {
            Err(Code::InvalidField.at("email", "signed in, the order goes to your account's address"))
        }
        _ => Ok(()),
    }
}

/// What a guest will see the order with.
fn token_of(customer: &Customer, asker: &Asker) -> OrderToken {
    match customer {
        Customer::Account(_) => OrderToken::default(),
        Customer::Guest(_) => OrderToken::of(&asker.secret).unwrap_or_default(),
    }
}

async fn answer_placed(
    app: &App,
    placed: Placed,
    wanted: Option<WaitFor>,
    token: &OrderToken,
) -> Result<HttpResponse> {
    wait(app, placed.order, wanted).await?;
    let mut view = match placed.written.filter(|_| wanted.is_none()) {
        Some(written) => view_of(app, *written).await?,
        None => view(app, placed.order).await?,
    };
    view.order_token = token.shown();
    let location = format!("/v1/orders/{}", placed.order);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view))
}

/// Puts what the basket holds, where one is named, in the place of the body's lines.
async fn unpack(app: &App, asker: &Asker, body: &mut OrderRequest) -> Result<Option<ToOrder>> {
    let Some(id) = body.basket else { return Ok(None) };
    if !body.lines.is_empty() {
        return Err(Code::InvalidField.at("basket", "expected one of lines, basket"));
    }
    let mut from = baskets::to_order(&mut *db::connect(&app.pool).await?, id, asker).await?;
    body.lines = std::mem::take(&mut from.lines);
    Ok(Some(from))
}

/// Who isn't signed in is known by a basket alone.
async fn customer_of(app: &App, asker: &Asker, body: &OrderRequest) -> Result<Customer> {
    let basket = match (asker.account, body.basket) {
        (Some(account), _) => return Ok(Customer::Account(account)),
        (None, Some(basket)) => basket,
        (None, None) => return Err(Code::Unauthenticated.error()),
    };
    let email = match &body.email {
        Some(email) => Some((email, person::key(&mut *db::connect(&app.pool).await?, email).await?)),
        None => None,
    };
    Ok(asker.customer(basket, email))
}

/// The address of the buyer's book that the body asks for, as it is now.
async fn kept_address(app: &App, account: Option<AccountId>, body: &OrderRequest) -> Result<Option<Address>> {
    let (Some(account), Some(id)) = (account, body.address_id()) else { return Ok(None) };
    let saved = addresses::find(&mut *db::connect(&app.pool).await?, account, id).await?;
    Ok(saved.map(|saved| saved.address))
}

fn return_url(app: &App, field: &str, url: Option<&str>) -> Result<String> {
    let url = url.ok_or_else(|| Code::InvalidField.at(field, "missing field"))?;
    check_return_url(field, url, &app.settings.allowed_origins)?;
    Ok(url.to_owned())
}

/// Own orders, newest first.
#[utoipa::path(get, path = "/v1/orders", tag = "Orders", params(PageQuery),
    responses((status = 200, body = List<OrderView>)), security(("bearer" = [])))]
pub async fn list(app: web::Data<App>, caller: Caller, query: web::Query<PageQuery>) -> Result<HttpResponse> {
    let filter = Filter { account: Some(caller.account), ..Filter::default() };
    let list = views(&app, &filter, &query, false).await?;
    Ok(HttpResponse::Ok().json(list))
}

/// One order. `?wait=settled` waits until it is paid or never will be; a buyer who comes back from Stripe's page should.
#[utoipa::path(get, path = "/v1/orders/{id}", tag = "Orders",
    params(("id" = OrderId, Path), WaitQuery,
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    responses((status = 200, body = OrderView), (status = 404, description = "not_found")),
    security((), ("bearer" = [])))]
pub async fn show(
    app: web::Data<App>,
    caller: OrderCaller,
    path: web::Path<String>,
    query: web::Query<WaitQuery>,
) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    let buyer = caller.on(&app, id).await?;
    let rows = app.orders.load(id).await?.filter(|rows| buyer.owns(&rows.order)).ok_or(Code::NotFound)?;
    if query.wait.is_none() {
        return Ok(HttpResponse::Ok().json(view_of(&app, rows).await?));
    }
    wait(&app, id, query.wait).await?;
    let view = view(&app, id).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Gives an order up: an unpaid one, or a paid one of goods of which nothing has been handed to a carrier yet. Then all that
/// was paid goes back and the order ends `refunded`.
#[utoipa::path(post, path = "/v1/orders/{id}/cancel", tag = "Orders",
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header),
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    responses((status = 200, body = OrderView), (status = 409,
        description = "order_not_pending, payment_in_progress, already_shipped, not_cancellable")),
    security((), ("bearer" = [])))]
pub async fn cancel(
    app: web::Data<App>,
    caller: OrderCaller,
    key: IdempotencyKey,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    let buyer = caller.on(&app, id).await?;
    cancellations::cancel(&app, buyer, id, &key.0).await?;
    let view = view(&app, id).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// Makes an order that you placed as a guest your account's: it stands in its lists and is exported and erased with it. Your
/// address is verified and the one that the order was placed with. Who verifies an address after ordering needn't ask.
#[utoipa::path(post, path = "/v1/orders/{id}/adopt", tag = "Orders",
    params(("id" = OrderId, Path), ("Order-Token" = String, Header, description = "of the guest's order")),
    responses((status = 200, body = OrderView), (status = 403, description = "email_not_verified, order_not_yours"),
        (status = 404, description = "not_found"), (status = 409, description = "order_adopted, by another account")),
    security(("bearer" = [])))]
pub async fn adopt(
    app: web::Data<App>,
    caller: Caller,
    token: OrderToken,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    adoptions::adopt(&app, caller.account, id, &token).await?;
    let view = view(&app, id).await?;
    Ok(HttpResponse::Ok().json(view))
}

/// A new attempt to pay a pending order: its last one failed, or another method is wanted. The hold stays as it is.
#[utoipa::path(post, path = "/v1/orders/{id}/payments", tag = "Orders", request_body = AttemptRequest,
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header), WaitQuery,
        ("Order-Token" = Option<String>, Header, description = "of a guest's order")),
    responses((status = 201, body = OrderView), (status = 409, description = "order_not_pending, payment_in_progress"),
        (status = 422, description = "method_not_offered")),
    security((), ("bearer" = [])))]
pub async fn pay_again(
    app: web::Data<App>,
    caller: OrderCaller,
    key: IdempotencyKey,
    path: web::Path<String>,
    query: web::Query<WaitQuery>,
    Body(body): Body<AttemptRequest>,
) -> Result<HttpResponse> {
    let id = order_id(&path)?;
    let buyer = caller.on(&app, id).await?;
    paying::try_again(&app, buyer, id, &key.0, body.method.as_deref()).await?;
    wait(&app, id, query.wait).await?;
    let view = view(&app, id).await?;
    let location = format!("/v1/orders/{id}");
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(view))
}

/// All orders.
#[utoipa::path(get, path = "/v1/admin/orders", tag = "Operators", params(OrderFilter, PageQuery),
    responses((status = 200, body = List<OrderView>)), security(("bearer" = [])))]
pub async fn admin_list(
    app: web::Data<App>,
    staff: Staff<ReadShop>,
    filter: web::Query<OrderFilter>,
    page: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    if filter.email.is_some() && !serves_members(&staff) {
        return Err(Code::Forbidden.because("Your role doesn't look for people."));
    }
    let mut list = views(&app, &filter.into_inner().checked()?, &page, true).await?;
    list.data.iter_mut().for_each(|view| mask(view, &staff));
    Ok(HttpResponse::Ok().json(list))
}

/// Orders of which something should have been sent by now, the one that waits longest first.
#[utoipa::path(get, path = "/v1/admin/orders/late", tag = "Operators", params(PageQuery),
    responses((status = 200, body = List<OrderView>)), security(("bearer" = [])))]
pub async fn admin_late(
    app: web::Data<App>,
    staff: Staff<ReadShop>,
    page: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = page.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let late = promises::late(&mut conn, app.clock.now(), page).await?;
    let mut list = shown(&app, &mut conn, List::cut(late, page, |order| order.id.0), true).await?;
    list.data.iter_mut().for_each(|view| mask(view, &staff));
    Ok(HttpResponse::Ok().json(list))
}

/// Any order.
#[utoipa::path(get, path = "/v1/admin/orders/{id}", tag = "Operators", params(("id" = OrderId, Path)),
    responses((status = 200, body = OrderView)), security(("bearer" = [])))]
pub async fn admin_show(
    app: web::Data<App>,
    staff: Staff<ReadShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let mut conn = db::connect(&app.pool).await?;
    let order = model::load(&mut conn, order_id(&path)?).await?;
    let mut view = view(&app, order.id).await?;
    let guests = model::of_guests(&mut conn, &[order.id]).await?;
    show_buyer(&mut view, order, &guests);
    mask(&mut view, &staff);
    Ok(HttpResponse::Ok().json(view))
}

/// Who bought. A guest has no account that anybody could look at.
fn show_buyer(view: &mut OrderView, order: OrderRow, guests: &HashSet<OrderId>) {
    view.account = Some(order.account_id).filter(|_| !guests.contains(&order.id));
    view.email = Some(order.email);
}

/// Where a parcel and the mails go, and what the buyer wrote about it, is for those who serve members.
fn mask(view: &mut OrderView, staff: &Staff<ReadShop>) {
    if !serves_members(staff) {
        view.ship_to = None;
        view.email = None;
        view.lines.iter_mut().for_each(|line| (line.gift_card, line.gift) = (None, None));
        view.returns.iter_mut().for_each(|of_it| (of_it.note, of_it.answer) = (None, None));
    }
}

fn serves_members(staff: &Staff<ReadShop>) -> bool {
    staff.roles.iter().any(|role| ServeMembers::is_given_to(*role))
}

async fn wait(app: &App, id: OrderId, wanted: Option<WaitFor>) -> Result<()> {
    let Some(wanted) = wanted else { return Ok(()) };
    let first = if wanted == WaitFor::Settled { std::time::Duration::from_millis(1_500) } else { WAIT_MAX };
    if app.waiting.wait(id, wanted, first).await || wanted == WaitFor::Payment {
        return Ok(());
    }
    // The webhook is late or lost: ask Stripe, as the buyer's return is a reason to.
    paying::ask_soon(app, id).await?;
    app.waiting.wait(id, wanted, WAIT_MAX.saturating_sub(first)).await;
    Ok(())
}

/// An order as its buyer sees it, for who was let in already.
async fn view(app: &App, id: OrderId) -> Result<OrderView> {
    view_of(app, app.orders.load(id).await?.ok_or(Code::NotFound)?).await
}

async fn view_of(app: &App, rows: OrderRows) -> Result<OrderView> {
    let OrderRows { order, lines, payment, refunds, backer_name } = rows;
    let refunds = refunds.into_iter().map(Into::into).collect();
    let is_given = lines.iter().any(|line| line.is_gift() || line.is_gift_card());
    let is_sent = order.ship_to.is_some() && order.state != OrderState::PendingPayment;
    let (id, currency) = (order.id, order.currency.clone());
    let is_shipped = lines.iter().any(|line| line.shipped > 0);
    let mut view = OrderView { backer_name, ..OrderView::of(order, lines, payment, refunds)? };
    if !is_given && !is_sent {
        return Ok(view);
    }
    let mut conn = db::connect(&app.pool).await?;
    gifts::show(&mut conn, &mut view.lines, app.clock.now()).await?;
    if is_sent {
        if is_shipped {
            let shipments = shipments::of_order(&mut conn, id).await?;
            view.shipments = shipments.into_iter().map(ShipmentView::of).collect();
            let sent_back = returns::of_order(&mut conn, id).await?;
            view.returns = return_views(&mut conn, sent_back, &currency).await?;
        }
        view.ship_by = promises::of_order(&mut conn, id).await?;
        view.cancelled_at = cancelled::find(&mut conn, id).await?;
    }
    Ok(view)
}

async fn views(app: &App, filter: &Filter, query: &PageQuery, shows_buyer: bool) -> Result<List<OrderView>> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let orders = List::cut(search::list(&mut conn, filter, page).await?, page, |order| order.id.0);
    shown(app, &mut conn, orders, shows_buyer).await
}

async fn shown(
    app: &App,
    conn: &mut Conn,
    orders: List<OrderRow>,
    shows_buyer: bool,
) -> Result<List<OrderView>> {
    let ids: Vec<_> = orders.data.iter().map(|order| order.id).collect();
    let guests = if shows_buyer { model::of_guests(conn, &ids).await? } else { HashSet::new() };
    let mut rows = reader::read(conn, &ids).await?;
    let mut data = Vec::with_capacity(orders.data.len());
    for order in orders.data {
        let Some(rows) = rows.remove(&order.id) else { continue };
        let mut view = view_of(app, rows).await?;
        if shows_buyer {
            show_buyer(&mut view, order, &guests);
        }
        data.push(view);
    }
    Ok(List { data, next_cursor: orders.next_cursor })
}

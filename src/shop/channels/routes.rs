//! `/v1/admin/channels`, what is set aside for them, and what they report to have sold.

use std::collections::HashMap;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, patch, post, web};

use super::dto::{
    AllocationView, ChannelChange, ChannelView, NewAllocation, NewChannel, NewSale, Reversal, SaleView,
};
use super::model::{Allocation, Channel};
use super::{model, service};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::http::auth::{ManageShop, ReadShop, ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::precondition::{IfMatch, etag};
use crate::http::problem::Problem;
use crate::types::id::{ChannelId, ChannelSaleId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list, show, change, archive, allocate, report, sales, reverse))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(create)
        .service(list)
        .service(show)
        .service(change)
        .service(archive)
        .service(allocate)
        .service(report)
        .service(sales)
        .service(reverse);
}

fn channel_id(path: &str) -> Result<ChannelId> {
    path.parse().map_err(|_| Code::NotFound.error())
}

async fn answer(app: &App, channel: Channel) -> Result<HttpResponse> {
    let allocations = model::allocations(&mut *db::connect(&app.pool).await?, &[channel.id]).await?;
    let version = channel.version;
    Ok(HttpResponse::Ok().insert_header(etag(version)).json(ChannelView::new(channel, allocations)))
}

/// Make a channel
#[utoipa::path(
    tag = "admin: channels",
    request_body = NewChannel,
    security(("bearer" = [])),
    responses(
        (status = 201, body = ChannelView),
        (status = 409, body = Problem, description = "code_taken"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/channels")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    Body(body): Body<NewChannel>,
) -> Result<HttpResponse> {
    let channel = service::create(&app, staff.actor, &body).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/channels/{}", channel.id)))
        .insert_header(etag(channel.version))
        .json(ChannelView::new(channel, Vec::new())))
}

/// All channels, archived ones too
#[utoipa::path(
    tag = "admin: channels",
    params(PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<ChannelView>))
)]
#[get("/v1/admin/channels")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let mut conn = db::connect(&app.pool).await?;
    let channels = List::cut(model::list(&mut conn, page).await?, page, |channel| channel.id.0);
    let ids: Vec<_> = channels.data.iter().map(|channel| channel.id).collect();
    let mut of: HashMap<ChannelId, Vec<Allocation>> = HashMap::new();
    for allocation in model::allocations(&mut conn, &ids).await? {
        of.entry(allocation.channel).or_default().push(allocation);
    }
    Ok(HttpResponse::Ok().json(channels.map(|channel| {
        let allocations = of.remove(&channel.id).unwrap_or_default();
        ChannelView::new(channel, allocations)
    })))
}

/// A channel
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path)),
    security(("bearer" = [])),
    responses((status = 200, body = ChannelView), (status = 404, body = Problem, description = "not_found"))
)]
#[get("/v1/admin/channels/{id}")]
async fn show(app: web::Data<App>, _staff: Staff<ReadShop>, path: web::Path<String>) -> Result<HttpResponse> {
    let id = channel_id(&path)?;
    let channel = model::find(&mut *db::connect(&app.pool).await?, id).await?;
    answer(&app, channel.ok_or(Code::NotFound)?).await
}

/// Change a channel
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path), ("If-Match" = String, Header, description = "the ETag that you read")),
    request_body = ChannelChange,
    security(("bearer" = [])),
    responses(
        (status = 200, body = ChannelView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 412, body = Problem, description = "version_mismatch"),
        (status = 422, body = Problem, description = "invalid_field"),
        (status = 428, body = Problem, description = "precondition_required"),
    )
)]
#[patch("/v1/admin/channels/{id}")]
async fn change(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    seen: IfMatch,
    path: web::Path<String>,
    Body(body): Body<ChannelChange>,
) -> Result<HttpResponse> {
    let channel = service::change(&app, staff.actor, channel_id(&path)?, seen, body).await?;
    answer(&app, channel).await
}

/// End a channel for good
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = ChannelView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "own_channel, in_use"),
    )
)]
#[post("/v1/admin/channels/{id}/archive")]
async fn archive(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let channel = service::archive(&app, staff.actor, channel_id(&path)?).await?;
    answer(&app, channel).await
}

/// Set units aside for a channel, or give them back
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewAllocation,
    security(("bearer" = [])),
    responses(
        (status = 201, body = AllocationView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "stock_not_free, allocation_sold_out, own_channel, closed"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/channels/{id}/allocations")]
async fn allocate(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewAllocation>,
) -> Result<HttpResponse> {
    let id = channel_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/channels/{id}/allocations",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let allocation = service::allocate(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Created().json(AllocationView::from(allocation)))
}

/// Report what a channel sold
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewSale,
    security(("bearer" = [])),
    responses(
        (status = 201, body = SaleView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem,
            description = "allocation_sold_out, out_of_stock, reference_used, own_channel, closed"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/channels/{id}/sales")]
async fn report(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewSale>,
) -> Result<HttpResponse> {
    let id = channel_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/channels/{id}/sales",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let sale = service::report(&app, staff.actor, id, &body, &request).await?;
    Ok(HttpResponse::Created().json(SaleView::from(sale)))
}

/// What a channel reported, newest first
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelId, Path), PageQuery),
    security(("bearer" = [])),
    responses((status = 200, body = List<SaleView>))
)]
#[get("/v1/admin/channels/{id}/sales")]
async fn sales(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    path: web::Path<String>,
    query: web::Query<PageQuery>,
) -> Result<HttpResponse> {
    let (id, page) = (channel_id(&path)?, query.page()?);
    let rows = model::list_sales(&mut *db::connect(&app.pool).await?, id, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |sale| sale.row.id.0).map(SaleView::from)))
}

/// Take a report back, by a counter-entry
#[utoipa::path(
    tag = "admin: channels",
    params(("id" = ChannelSaleId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Reversal,
    security(("bearer" = [])),
    responses(
        (status = 201, body = SaleView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "already_reversed"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/channel-sales/{id}/reverse")]
async fn reverse(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<Reversal>,
) -> Result<HttpResponse> {
    let id: ChannelSaleId = path.parse().map_err(|_| Code::NotFound)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/channel-sales/{id}/reverse",
        key: key.0,
        body_hash: idempotency::hash(&(id, &body))?,
    };
    let counter = service::reverse(&app, staff.actor, id, &body.reason, &request).await?;
    Ok(HttpResponse::Created().json(SaleView::from(counter)))
}

//! `POST /v1/admin/orders/{id}/shipments`, and the word that a parcel has arrived.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, post, web};

use super::dto::{DeliveryBody, NewShipmentBody, ShipmentView};
use super::model;
use super::service::{self, NewShipment};
use crate::app::App;
use crate::checkout::orders::dto::order_id;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::List;
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{OrderId, ShipmentId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(ship, deliver))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(ship).service(deliver);
}

/// Send a parcel of an order
#[utoipa::path(
    tag = "Operators",
    params(("id" = OrderId, Path), ("Idempotency-Key" = String, Header)),
    request_body = NewShipmentBody,
    security(("bearer" = [])),
    responses(
        (status = 201, body = List<ShipmentView>, description = "All parcels of the order"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "nothing_to_ship, goal_not_reached"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/orders/{id}/shipments")]
async fn ship(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    key: IdempotencyKey,
    Body(body): Body<NewShipmentBody>,
) -> Result<HttpResponse> {
    let order = order_id(&path)?;
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/orders/{id}/shipments",
        key: key.0,
        body_hash: idempotency::hash(&(order, &body))?,
    };
    let tracking = body.tracking_number.as_deref();
    let new = NewShipment {
        order,
        carrier: fields::line("carrier", &body.carrier, 100)?,
        tracking_number: tracking.map(|typed| fields::line("tracking_number", typed, 100)).transpose()?,
        lines: body.lines.map(|lines| lines.iter().map(|line| (line.line, line.quantity)).collect()),
    };
    service::ship(&app, staff.actor, &new, &request).await?;
    let parcels = model::of_order(&mut *db::connect(&app.pool).await?, order).await?;
    let parcels: Vec<_> = parcels.into_iter().map(ShipmentView::of).collect();
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/admin/orders/{order}")))
        .json(List::whole(parcels)))
}

/// Tell that a parcel has arrived
///
/// The time to send things back counts from it; without it, from the dispatch. Told again, the last word counts.
#[utoipa::path(
    tag = "Operators",
    params(("id" = ShipmentId, Path)),
    request_body = DeliveryBody,
    security(("bearer" = [])),
    responses(
        (status = 200, body = List<ShipmentView>, description = "All parcels of the order"),
        (status = 404, body = Problem, description = "not_found"),
        (status = 422, body = Problem, description = "invalid_field"),
    )
)]
#[post("/v1/admin/shipments/{id}/deliver")]
async fn deliver(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    path: web::Path<String>,
    Body(body): Body<DeliveryBody>,
) -> Result<HttpResponse> {
    let id: ShipmentId = path.parse().map_err(|_| Code::NotFound)?;
    let order = service::deliver(&app, staff.actor, id, body.delivered_at).await?;
    let parcels = model::of_order(&mut *db::connect(&app.pool).await?, order).await?;
    Ok(HttpResponse::Ok().json(List::whole(parcels.into_iter().map(ShipmentView::of).collect())))
}

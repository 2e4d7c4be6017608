//! `/v1/admin/stock-moves`: the ledger of stock.

use actix_web::{HttpResponse, get, post, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::model::{self, Move, Reason};
use super::service::{self, NewMove};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ManageShop, ReadShop, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::types::id::{MoveId, VariantId};

/// More of one thing is a slip of the keyboard.
const QUANTITY_MAX: i64 = 1_000_000_000;

/// A move of stock.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStockMove {
    pub variant: VariantId,
    /// What came in; negative for what went out otherwise than by a sale.
    #[schema(example = 8000)]
    pub quantity: i64,
    /// `received`, `corrected`, `damaged` or `written_off`; `announced` for what isn't there yet and is sold already.
    pub reason: Reason,
    /// With `received`: it was announced, and takes the place of that. Two entries, and no more is free than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_announced: bool,
    pub note: Option<String>,
}

/// An entry of the ledger.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StockMoveView {
    pub id: MoveId,
    pub variant: VariantId,
    pub quantity: i64,
    pub reason: Reason,
    pub note: Option<String>,
    pub moved_by: String,
    pub moved_at: DateTime<Utc>,
}

impl From<Move> for StockMoveView {
    fn from(row: Move) -> Self {
        Self {
            id: row.id,
            variant: row.variant_id,
            quantity: row.quantity,
            reason: row.reason,
            note: row.note,
            moved_by: row.moved_by,
            moved_at: row.moved_at,
        }
    }
}

/// Which moves.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StockMoveFilter {
    pub variant: Option<VariantId>,
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(create, list))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(create).service(list);
}

/// Move stock
#[utoipa::path(
    tag = "admin: stock",
    params(("Idempotency-Key" = String, Header)),
    request_body = NewStockMove,
    security(("bearer" = [])),
    responses(
        (status = 201, body = StockMoveView),
        (status = 409, body = Problem, description = "stock_not_free"),
        (status = 422, body = Problem, description = "invalid_field, unknown_article"),
    )
)]
#[post("/v1/admin/stock-moves")]
async fn create(
    app: web::Data<App>,
    staff: Staff<ManageShop>,
    key: IdempotencyKey,
    Body(body): Body<NewStockMove>,
) -> Result<HttpResponse> {
    let quantity = fields::within("quantity", body.quantity, -QUANTITY_MAX, QUANTITY_MAX)?;
    if quantity == 0 {
        return Err(Code::InvalidField.at("quantity", "expected other than 0"));
    }
    if matches!(body.reason, Reason::SetAside | Reason::ReturnedToSale | Reason::Returned) {
        return Err(Code::InvalidField.at("reason", "that is for F-codes, channels and returns"));
    }
    if body.of_announced && (body.reason != Reason::Received || quantity < 0) {
        return Err(Code::InvalidField.at("of_announced", "goes with what is received"));
    }
    let note = body.note.as_deref().map(|note| fields::line("note", note, 200)).transpose()?;
    let new = NewMove {
        variant: body.variant,
        quantity,
        reason: body.reason,
        of_announced: body.of_announced,
        note,
    };
    let request = Request {
        account: staff.account,
        route: "POST /v1/admin/stock-moves",
        key: key.0,
        body_hash: idempotency::hash(&body)?,
    };
    let entry = service::enter(&app, staff.actor, &new, &request).await?;
    Ok(HttpResponse::Created().json(StockMoveView::from(entry)))
}

/// The ledger, newest first
#[utoipa::path(
    tag = "admin: stock",
    params(PageQuery, StockMoveFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<StockMoveView>))
)]
#[get("/v1/admin/stock-moves")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ReadShop>,
    query: web::Query<PageQuery>,
    filter: web::Query<StockMoveFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let rows = model::list(&mut *db::connect(&app.pool).await?, filter.variant, page).await?;
    Ok(HttpResponse::Ok().json(List::cut(rows, page, |row| row.id.0).map(StockMoveView::from)))
}

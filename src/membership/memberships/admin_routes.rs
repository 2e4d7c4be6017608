//! `/v1/admin/members`, `/v1/admin/memberships`: operators' view of members, and what they do to memberships.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;

use super::dto::{ExtendRequest, GrantRequest, MemberDetailView, MemberFilter, MemberView, Reasoned};
use super::operators::{self, Action, Asked, Target};
use super::service;
use super::views::{self, Wanted};
use crate::app::App;
use crate::db;
use crate::db::idempotency::{self, Request};
use crate::db::page::{List, PageQuery};
use crate::error::{Code, Result};
use crate::fields;
use crate::http::auth::{ServeMembers, Staff};
use crate::http::body::Body;
use crate::http::idempotency::IdempotencyKey;
use crate::http::problem::Problem;
use crate::membership::{associates, benefits, plans};
use crate::types::id::{AccountId, MembershipId};

#[derive(utoipa::OpenApi)]
#[openapi(paths(list, show, grant_to_account, grant, extend, freeze, resume, revoke))]
pub struct Api;

pub fn configure(config: &mut web::ServiceConfig) {
    config.service(list).service(show);
    config.service(grant_to_account).service(grant).service(extend);
    config.service(freeze).service(resume).service(revoke);
}

/// Members
///
/// An account or a number of an associate finds the head's membership.
#[utoipa::path(
    tag = "admin: members",
    params(PageQuery, MemberFilter),
    security(("bearer" = [])),
    responses((status = 200, body = List<MemberView>))
)]
#[get("/v1/admin/members")]
async fn list(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    query: web::Query<PageQuery>,
    filter: web::Query<MemberFilter>,
) -> Result<HttpResponse> {
    let page = query.page()?;
    let filter = filter.into_inner();
    let number = filter.number.map(|number| number.trim().to_ascii_uppercase());
    let MemberFilter { state: life, tier, account, chapter, .. } = filter;
    let wanted = Wanted { life, tier, account, number, chapter };
    let now = app.clock.now();
    let rows = views::list(&mut *db::connect(&app.pool).await?, &wanted, now, page).await?;
    let list = List::cut(rows, page, |member| member.row.id.0).map(|member| MemberView::new(member, now));
    Ok(HttpResponse::Ok().json(list))
}

/// A member, with all terms
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
    )
)]
#[get("/v1/admin/members/{id}")]
async fn show(
    app: web::Data<App>,
    _staff: Staff<ServeMembers>,
    path: web::Path<String>,
) -> Result<HttpResponse> {
    let id = path.parse().map_err(|_| Code::NotFound)?;
    Ok(HttpResponse::Ok().json(detail(&app, id).await?))
}

/// Give a term to an account
///
/// Without payment, so it is worth nothing in an upgrade. A new member gets a number and the welcome mail.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = AccountId, Path), ("Idempotency-Key" = String, Header)),
    request_body = GrantRequest,
    security(("bearer" = [])),
    responses(
        (status = 201, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "use_upgrade_quote, already_for_life, membership_frozen"),
        (status = 422, body = Problem, description = "invalid_field, unknown_plan, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/accounts/{id}/memberships")]
async fn grant_to_account(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<GrantRequest>,
) -> Result<HttpResponse> {
    let account = path.parse().map_err(|_| Code::NotFound)?;
    let call = Call { staff: &staff, key, route: "/v1/admin/accounts/{id}/memberships", path: &path };
    let asked = call.asked(Target::Account(account), Action::Grant(body.plan), &body.reason, &body, 201)?;
    let id = operators::act(&app, &asked).await?;
    let location = format!("/v1/admin/members/{id}");
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(detail(&app, id).await?))
}

/// Give a term
///
/// To an account (`acc_…`), or to the account of a membership (`mem_…`).
#[utoipa::path(
    tag = "admin: members",
    params(("id" = String, Path, description = "acc_… or mem_…"), ("Idempotency-Key" = String, Header)),
    request_body = GrantRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "use_upgrade_quote, already_for_life, membership_frozen"),
        (status = 422, body = Problem, description = "invalid_field, unknown_plan, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/grant")]
async fn grant(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<GrantRequest>,
) -> Result<HttpResponse> {
    let target = match path.parse::<AccountId>() {
        Ok(account) => Target::Account(account),
        Err(_) => Target::Membership(path.parse().map_err(|_| Code::NotFound)?),
    };
    let call = Call { staff: &staff, key, route: "/v1/admin/memberships/{id}/grant", path: &path };
    let asked = call.asked(target, Action::Grant(body.plan), &body.reason, &body, 200)?;
    done(&app, &asked).await
}

/// Lengthen a membership
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path), ("Idempotency-Key" = String, Header)),
    request_body = ExtendRequest,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "membership_not_open, membership_frozen, already_for_life"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/extend")]
async fn extend(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<ExtendRequest>,
) -> Result<HttpResponse> {
    let action = Action::Extend(plans::rules::term(&body.term)?);
    let call = Call { staff: &staff, key, route: "/v1/admin/memberships/{id}/extend", path: &path };
    done(&app, &call.asked(membership(&path)?, action, &body.reason, &body, 200)?).await
}

/// Freeze a membership
///
/// It gives no access until it is resumed; the time is given back then.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Reasoned,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "membership_not_open, membership_frozen"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/freeze")]
async fn freeze(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<Reasoned>,
) -> Result<HttpResponse> {
    let call = Call { staff: &staff, key, route: "/v1/admin/memberships/{id}/freeze", path: &path };
    done(&app, &call.asked(membership(&path)?, Action::Freeze, &body.reason, &body, 200)?).await
}

/// Resume a membership
///
/// It stays frozen while another cause holds, such as an open dispute.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Reasoned,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "membership_not_open, membership_not_frozen"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/resume")]
async fn resume(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<Reasoned>,
) -> Result<HttpResponse> {
    let call = Call { staff: &staff, key, route: "/v1/admin/memberships/{id}/resume", path: &path };
    done(&app, &call.asked(membership(&path)?, Action::Resume, &body.reason, &body, 200)?).await
}

/// Revoke a membership
///
/// It ends now and for good; the account keeps its number and may join again.
#[utoipa::path(
    tag = "admin: members",
    params(("id" = MembershipId, Path), ("Idempotency-Key" = String, Header)),
    request_body = Reasoned,
    security(("bearer" = [])),
    responses(
        (status = 200, body = MemberDetailView),
        (status = 404, body = Problem, description = "not_found"),
        (status = 409, body = Problem, description = "membership_not_open"),
        (status = 422, body = Problem, description = "invalid_field, idempotency_key_reused"),
    )
)]
#[post("/v1/admin/memberships/{id}/revoke")]
async fn revoke(
    app: web::Data<App>,
    staff: Staff<ServeMembers>,
    key: IdempotencyKey,
    path: web::Path<String>,
    Body(body): Body<Reasoned>,
) -> Result<HttpResponse> {
    let call = Call { staff: &staff, key, route: "/v1/admin/memberships/{id}/revoke", path: &path };
    done(&app, &call.asked(membership(&path)?, Action::Revoke, &body.reason, &body, 200)?).await
}

fn membership(path: &str) -> Result<Target> {
    path.parse().map(Target::Membership).map_err(|_| Code::NotFound.error())
}

/// Who calls what, under which key.
struct Call<'a> {
    staff: &'a Staff<ServeMembers>,
    key: IdempotencyKey,
    route: &'static str,
    path: &'a str,
}

impl Call<'_> {
    fn asked(
        self,
        target: Target,
        action: Action,
        reason: &str,
        body: &impl Serialize,
        status: u16,
    ) -> Result<Asked> {
        let request = Request {
            account: self.staff.account,
            route: self.route,
            key: self.key.0,
            body_hash: idempotency::hash(&(self.path, body))?,
        };
        let reason = fields::reason(reason)?;
        Ok(Asked { actor: self.staff.actor, target, action, reason, request, status })
    }
}

async fn done(app: &App, asked: &Asked) -> Result<HttpResponse> {
    let id = operators::act(app, asked).await?;
    Ok(HttpResponse::Ok().json(detail(app, id).await?))
}

async fn detail(app: &App, id: MembershipId) -> Result<MemberDetailView> {
    let mut conn = db::connect(&app.pool).await?;
    let member = views::find(&conn, id).await?.ok_or(Code::NotFound)?;
    let terms = service::all_valued_terms(&conn, id).await?;
    let seats = associates::service::of_membership(&mut conn, id).await?;
    let now = app.clock.now();
    let account = member.row.account_id;
    let since = benefits::own::counts_since(&member.row, &terms, now).map(|since| (account, since));
    let had = benefits::uses::had_since(&conn, since.as_slice()).await?.remove(&account).unwrap_or_default();
    MemberDetailView::new(member, &terms, had, seats, &app.settings.currency, now)
}

//! HTTP: extractors, middleware, problem rendering, and the routes that belong to no wing.

pub mod auth;
pub mod body;
pub mod client;
pub mod connections;
pub mod csv;
pub mod docs;
pub mod front;
pub mod guest;
pub mod health;
pub mod idempotency;
pub mod language;
pub mod limits;
pub mod metrics;
pub mod middleware;
pub mod openapi;
pub mod page;
pub mod pages;
pub mod precondition;
pub mod problem;
pub mod ready;
pub mod shelf;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::{Compress, from_fn};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app::App;
use crate::error::{AppError, Code};

/// The whole service of one worker: routes, and around them, from the inside out, what each request passes.
pub fn application(
    data: web::Data<App>,
) -> actix_web::App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    let cors = middleware::cors(&data.settings);
    actix_web::App::new()
        .app_data(data.clone())
        .configure(|config| configure(config, &data))
        .wrap(from_fn(auth::identify_staff))
        .wrap(from_fn(middleware::catch))
        .wrap(from_fn(limits::check))
        .wrap(from_fn(middleware::render))
        .wrap(from_fn(middleware::spare_small))
        .wrap(Compress::default())
        .wrap(cors)
        .wrap(from_fn(middleware::observe))
}

/// Mounts everything. A wing's rooms mount themselves in their own `configure`.
pub fn configure(config: &mut web::ServiceConfig, app: &web::Data<App>) {
    config
        .app_data(web::PathConfig::default().error_handler(|error, _| {
            // A path that doesn't fit the pattern's types names nothing.
            Code::NotFound.error().with_cause(error.to_string()).into()
        }))
        .app_data(web::QueryConfig::default().error_handler(|error, _| bad_query(&error).into()))
        // A path is compared with one route after another: what is asked most comes first.
        .configure(crate::checkout::configure)
        .configure(crate::shop::configure)
        .configure(crate::membership::configure)
        .configure(health::configure)
        .configure(openapi::configure)
        .configure(docs::configure)
        .configure(pages::configure)
        .configure(crate::people::configure)
        .configure(crate::promotion::configure)
        .configure(crate::loyalty::configure)
        .configure(crate::messages::configure)
        .configure(crate::jobs::routes::configure);
    if !app.settings.demo {
        config.configure(pages::configure_home);
    }
    config.default_service(web::to(nowhere));
}

fn bad_query(error: &actix_web::error::QueryPayloadError) -> AppError {
    use actix_web::error::QueryPayloadError::Deserialize;
    let why = match error {
        Deserialize(error) => error.to_string(),
        _ => "can't be read".to_owned(),
    };
    Code::MalformedRequest.at("query", why)
}

/// Answers what no route takes: 405 where the path is known with other methods, else 404.
async fn nowhere(request: HttpRequest) -> HttpResponse {
    let methods = openapi::methods_of(request.path());
    if methods.is_empty() {
        return HttpResponse::from_error(Code::NotFound.error());
    }
    let mut response = HttpResponse::from_error(Code::MethodNotAllowed.error());
    if let Ok(allow) = HeaderValue::from_str(&methods.join(", ")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

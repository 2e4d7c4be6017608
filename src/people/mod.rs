//! People: accounts and where they are signed in, operators and their keys, the terms that buyers accept.

pub mod accounts;
pub mod api_keys;
pub mod attempts;
pub mod operators;
pub mod passwords;
pub mod secrets;
pub mod sessions;
pub mod tokens;

use actix_web::web;

/// Where passwords, addresses and one-time tokens are tried: these have a stricter limit by address of the caller.
pub const CREDENTIAL_ROUTES: [&str; 5] = [
    "/v1/accounts",
    "/v1/sessions",
    "/v1/sessions/refresh",
    "/v1/password-resets",
    "/v1/email-verifications",
];

pub fn configure(config: &mut web::ServiceConfig) {
    config.configure(tokens::configure).configure(sessions::routes::configure);
}

//! People: accounts, where they are signed in and have parcels sent, operators and their keys, the terms that buyers accept.

pub mod accounts;
pub mod addresses;
pub mod api_keys;
pub mod attempts;
pub mod audit_trail;
pub mod one_time;
pub mod operators;
pub mod passwords;
pub mod person;
pub mod personal_data;
pub mod resets;
pub mod secrets;
pub mod segments;
pub mod sessions;
pub mod terms;
pub mod tokens;
pub mod verifications;

use actix_web::web;

pub fn configure(config: &mut web::ServiceConfig) {
    config
        .configure(tokens::configure)
        .configure(accounts::routes::configure)
        .configure(verifications::routes::configure)
        .configure(resets::routes::configure)
        .configure(sessions::routes::configure)
        .configure(addresses::routes::configure)
        .configure(personal_data::routes::configure)
        .configure(operators::routes::configure)
        .configure(segments::routes::configure)
        .configure(api_keys::routes::configure)
        .configure(terms::routes::configure)
        .configure(audit_trail::routes::configure);
}

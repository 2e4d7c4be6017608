//! What the shop says to people: mails, the lists of those that one may do without, and notices.

pub mod lists;
pub mod mails;
pub mod notices;

use actix_web::web;

pub fn configure(config: &mut web::ServiceConfig) {
    mails::routes::configure(config);
    lists::routes::configure(config);
    notices::routes::configure(config);
}

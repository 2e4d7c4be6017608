//! What makes people come and come back: coupon campaigns, their codes, and give-outs of them.

pub mod campaigns;
pub mod command;
pub mod coupons;
pub mod games;
pub mod giveouts;
pub mod mailings;
pub mod occasions;
pub mod packets;

use actix_web::web;

/// The routes of the wing.
pub fn configure(config: &mut web::ServiceConfig) {
    campaigns::routes::configure(config);
    coupons::routes::configure(config);
    giveouts::routes::configure(config);
    games::routes::configure(config);
    mailings::routes::configure(config);
    occasions::routes::configure(config);
    packets::routes::configure(config);
}

//! The shop: goods, digital goods and bundles, their stock, drops, and the way to the door.

pub mod audience;
pub mod board;
pub mod channels;
pub mod crowdfunding;
pub mod drops;
pub mod live;
pub mod offers;
pub mod products;
pub mod reminders;
pub mod rights;
pub mod seed;
pub mod shipping;
pub mod stock;
pub mod variants;
pub mod visitors;
pub mod waiting_list;

use actix_web::web;

/// Mounts the rooms of this wing.
pub fn configure(config: &mut web::ServiceConfig) {
    products::routes::configure(config);
    drops::routes::configure(config);
    products::admin_routes::configure(config);
    products::import::routes::configure(config);
    variants::routes::configure(config);
    offers::routes::configure(config);
    reminders::routes::configure(config);
    stock::routes::configure(config);
    drops::admin_routes::configure(config);
    crowdfunding::routes::configure(config);
    channels::routes::configure(config);
    shipping::routes::configure(config);
    rights::routes::configure(config);
    waiting_list::routes::configure(config);
    live::routes::configure(config);
}

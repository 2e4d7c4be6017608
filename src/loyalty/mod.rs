//! Loyalty: points, the days on which somebody came by, levels that are earned, how close somebody is to the shop, and
//! what members of a lower tier are offered.

pub mod check_ins;
pub mod ladder;
pub mod levels;
pub mod metrics;
pub mod offers;
pub mod points;
pub mod walks;

/// Mounts the wing's rooms.
pub fn configure(config: &mut actix_web::web::ServiceConfig) {
    config
        .configure(check_ins::routes::configure)
        .configure(offers::routes::configure)
        .configure(offers::admin_routes::configure)
        .configure(points::routes::configure)
        .configure(points::admin_routes::configure)
        .configure(levels::routes::configure)
        .configure(levels::admin_routes::configure)
        .configure(ladder::admin_routes::configure);
}

//! Loyalty: points, the days on which somebody came by, levels that are earned, and how close somebody is to the shop.

pub mod check_ins;
pub mod ladder;
pub mod levels;
pub mod metrics;
pub mod points;
pub mod walks;

/// Mounts the wing's rooms.
pub fn configure(config: &mut actix_web::web::ServiceConfig) {
    config
        .configure(check_ins::routes::configure)
        .configure(points::routes::configure)
        .configure(points::admin_routes::configure)
        .configure(levels::routes::configure)
        .configure(levels::admin_routes::configure)
        .configure(ladder::admin_routes::configure);
}

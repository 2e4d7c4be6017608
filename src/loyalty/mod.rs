//! Loyalty: points, and the days on which somebody came by.

pub mod check_ins;
pub mod points;

/// Mounts the wing's rooms.
pub fn configure(config: &mut actix_web::web::ServiceConfig) {
    config
        .configure(check_ins::routes::configure)
        .configure(points::routes::configure)
        .configure(points::admin_routes::configure);
}

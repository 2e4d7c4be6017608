//! What reading is compared with: actix-web with nothing around it. One route answers ready bytes, another one reads one row
//! by its primary key, with a prepared statement, on a pool as large as the app's.

use std::net::{SocketAddr, TcpListener};

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::{self, Pool};
use crate::dev::rehearse::RehearsalError;
use crate::schema::orders;
use crate::types::id::OrderId;

/// The path of the ready bytes.
pub const BYTES: &str = "/bytes";
/// The path of a row, before its id.
pub const ROW: &str = "/row/";

/// A server that runs until it is stopped.
pub struct Bare {
    pub address: SocketAddr,
    handle: ServerHandle,
}

impl Bare {
    /// # Errors
    /// When no port is free.
    pub fn start(bytes: web::Bytes, pool: Pool) -> Result<Self, RehearsalError> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let data = web::Data::new((bytes, pool));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route(BYTES, web::get().to(ready))
                .route("/row/{id}", web::get().to(row))
        })
        .workers(std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { address, handle })
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn ready(data: web::Data<(web::Bytes, Pool)>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(data.0.clone())
}

async fn row(data: web::Data<(web::Bytes, Pool)>, id: web::Path<OrderId>) -> HttpResponse {
    let found = async {
        let mut conn = db::connect(&data.1).await.ok()?;
        orders::table.find(id.into_inner()).select(orders::number).first::<String>(&mut conn).await.ok()
    };
    match found.await {
        Some(number) => HttpResponse::Ok().body(number),
        None => HttpResponse::NotFound().finish(),
    }
}

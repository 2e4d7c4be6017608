//! A server of its own for a simulator, on a thread of its own.

use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, rt};

use super::{Error, Settings, Simulator};

const WORKERS: usize = 2;

/// A running simulator; dropping it stops its server.
pub struct Running {
    pub simulator: Simulator,
    /// `http://127.0.0.1:port`: the base of the API and of the payment pages.
    pub url: String,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn listen(mut settings: Settings, listener: TcpListener) -> Result<Running, Error> {
    let url = format!("http://{}", listener.local_addr()?);
    if settings.public_base.is_empty() {
        settings.public_base.clone_from(&url);
    }
    let (started, wait) = channel();
    let thread = std::thread::Builder::new().name("stripe-simulator".to_owned()).spawn(move || {
        rt::System::new().block_on(async move {
            let serving = serve(settings, listener);
            match serving {
                Err(error) => drop(started.send(Err(error))),
                Ok((simulator, server)) => {
                    let _ = started.send(Ok((simulator, server.handle())));
                    if let Err(error) = server.await {
                        tracing::error!(%error, "the Stripe simulator's server ended");
                    }
                }
            }
        });
    })?;
    let (simulator, handle) = wait.recv().map_err(|_| Error::NoRuntime)??;
    Ok(Running { simulator, url, handle, thread: Some(thread) })
}

fn serve(settings: Settings, listener: TcpListener) -> Result<(Simulator, actix_web::dev::Server), Error> {
    let simulator = Simulator::start(settings)?;
    let mounted = simulator.clone();
    let server = HttpServer::new(move || {
        let mounted = mounted.clone();
        App::new().configure(move |service| mounted.configure(service))
    })
    .workers(WORKERS)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok((simulator, server))
}

impl Drop for Running {
    fn drop(&mut self) {
        // The command is sent at once; the future would only wait for its end, which joining the thread does.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

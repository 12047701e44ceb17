//! Listening and serving: one bound port, HTTP/1.1 and HTTP/2 without TLS, graceful stop.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::lenient::Lenient;
use crate::service::{Host, Running, StartError};

/// How long open requests may take to finish once a stop was asked for.
pub const GRACE: Duration = Duration::from_millis(1200);

/// How long a client may take to send its request head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections of one port at a time; Prometheus' `--web.max-connections`.
pub const CONNECTIONS_MAX: usize = 512;

/// A bound port that nobody serves yet.
pub struct Door {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Binds `address` (`host:port`, `:port` for all interfaces).
    pub async fn bind(name: &'static str, address: &str) -> Result<Door, StartError> {
        let fail =
            |e: &dyn std::fmt::Display| StartError::new(name, format!("cannot listen on {address}: {e}"));
        let full = if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
        let resolved: Vec<SocketAddr> = full.to_socket_addrs().map_err(|e| fail(&e))?.collect();
        let listener = TcpListener::bind(&resolved[..]).await.map_err(|e| fail(&e))?;
        let address = listener.local_addr().map_err(|e| fail(&e))?;
        Ok(Door { name, listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until the host or the returned service is stopped.
    pub fn serve(self, router: Router, host: &Host) -> Running {
        let shutdown = host.shutdown.child_token();
        let Door { name, listener, address } = self;
        let router = router
            .layer(axum::middleware::from_fn(crate::compress::compress))
            .layer(axum::middleware::from_fn(crate::instrument::catch_panic));
        let open = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let counted = open.clone();
        let port = address.port().to_string();
        host.registry.collector(move |out| {
            let help = "Connections that are open now; from 512 on new ones wait.";
            let taken = CONNECTIONS_MAX - counted.available_permits();
            let family = expfmt::Family::gauge("cloudos_monitor_open_connections", help);
            out.push(family.with(&[("port", &port)], taken as f64));
        });
        let task = tokio::spawn(accept(name, listener, open, router, shutdown.clone()));
        tracing::info!(service = name, %address, "listening");
        Running { name, addresses: vec![address], reload: None, shutdown, tasks: vec![task] }
    }
}

async fn accept(
    name: &'static str,
    listener: TcpListener,
    open: Arc<Semaphore>,
    router: Router,
    shutdown: tokio_util::sync::CancellationToken,
) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    server.http2().timer(TokioTimer::new());
    let graceful = GracefulShutdown::new();
    loop {
        // At the limit the next connection waits in the kernel's queue, as with the original.
        let permit = tokio::select! {
            () = shutdown.cancelled() => break,
            permit = open.clone().acquire_owned() => permit,
        };
        let (stream, peer) = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(pair) => pair,
                Err(e) => {
                    // Out of file descriptors, most likely: serving goes on when some are free again.
                    tracing::warn!(service = name, "cannot accept a connection: {e}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let service =
            TowerToHyperService::new(router.clone().layer(axum::Extension(axum::extract::ConnectInfo(peer))));
        let connection =
            server.serve_connection_with_upgrades(TokioIo::new(Lenient::new(stream)), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            let _permit = permit;
            if let Err(e) = connection.await {
                tracing::debug!(service = name, "connection ended early: {e}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::info!(service = name, "open requests were cut after {} ms", GRACE.as_millis());
    }
}

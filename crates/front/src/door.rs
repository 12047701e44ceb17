//! Listening and serving: bound ports, HTTP/1.1 and HTTP/2 with and without TLS, graceful stop.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::lenient::Lenient;
use crate::service::{Host, Running, StartError};
use crate::web::Web;

/// How long open requests may take to finish once a stop was asked for.
pub const GRACE: Duration = Duration::from_millis(1200);

/// How long a client may take for its TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// What one door takes.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections of all its ports at a time; Prometheus' `--web.max-connections`.
    pub connections_max: usize,
    /// How long a client may take to send its request head.
    pub header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { connections_max: 512, header_timeout: Duration::from_secs(30) }
    }
}

/// Bound ports that nobody serves yet.
pub struct Door {
    name: &'static str,
    listeners: Vec<(TcpListener, SocketAddr)>,
    limits: Limits,
}

impl Door {
    /// Binds `address` (`host:port`, `:port` for all interfaces).
    pub async fn bind(name: &'static str, address: &str) -> Result<Door, StartError> {
        Door::bind_all(name, std::slice::from_ref(&address)).await
    }

    /// Binds all of `addresses`, or none.
    pub async fn bind_all<A: AsRef<str>>(name: &'static str, addresses: &[A]) -> Result<Door, StartError> {
        let mut listeners = Vec::new();
        for address in addresses {
            let address = address.as_ref();
            let fail =
                |e: &dyn std::fmt::Display| StartError::new(name, format!("cannot listen on {address}: {e}"));
            let full =
                if address.starts_with(':') { format!("0.0.0.0{address}") } else { address.to_owned() };
            let resolved: Vec<SocketAddr> = full.to_socket_addrs().map_err(|e| fail(&e))?.collect();
            let listener = TcpListener::bind(&resolved[..]).await.map_err(|e| fail(&e))?;
            let bound = listener.local_addr().map_err(|e| fail(&e))?;
            listeners.push((listener, bound));
        }
        Ok(Door { name, listeners, limits: Limits::default() })
    }

    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Door {
        self.limits = limits;
        self
    }

    /// Where it listens; the first of several.
    pub fn address(&self) -> SocketAddr {
        self.listeners.first().map_or(SocketAddr::from(([0, 0, 0, 0], 0)), |(_, address)| *address)
    }

    /// Serves `router` until the host or the returned service is stopped. What guards the host's doors
    /// ([`Host::web`]) guards this one.
    pub fn serve(self, router: Router, host: &Host) -> Running {
        let shutdown = host.shutdown.child_token();
        let Door { name, listeners, limits } = self;
        let mut router = router.layer(from_fn(crate::compress::compress));
        if let Some(web) = &host.web {
            router = router.layer(from_fn_with_state(web.clone(), crate::web::guard));
        }
        let router = router.layer(from_fn(crate::instrument::catch_panic));
        let traffic = Arc::new(Traffic::new(limits.connections_max));
        let addresses: Vec<SocketAddr> = listeners.iter().map(|(_, address)| *address).collect();
        traffic.register(host, addresses.first().map_or(0, SocketAddr::port), limits.connections_max);
        let tls = host.web.as_ref().is_some_and(|web| web.is_tls());
        let tasks = listeners.into_iter().map(|(listener, address)| {
            tracing::info!(service = name, %address, tls, "listening");
            let accepting = Accepting {
                name,
                listener,
                traffic: traffic.clone(),
                router: router.clone(),
                web: host.web.clone(),
                limits,
            };
            tokio::spawn(accepting.run(shutdown.clone()))
        });
        let tasks = tasks.collect();
        Running { name, addresses, reload: None, shutdown, tasks }
    }
}

/// Connections of a door, open and over.
struct Traffic {
    open: Arc<Semaphore>,
    accepted: AtomicU64,
    closed: Arc<AtomicU64>,
}

impl Traffic {
    fn new(connections_max: usize) -> Traffic {
        let open = Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS)));
        Traffic { open, accepted: AtomicU64::new(0), closed: Arc::default() }
    }

    /// Shows them, also under the names of the connection tracker the originals use.
    fn register(self: &Arc<Traffic>, host: &Host, port: u16, connections_max: usize) {
        let (this, port) = (self.clone(), port.to_string());
        host.registry.collector(move |out| {
            let help = "Connections that are open now; at the limit new ones wait.";
            let taken = connections_max.saturating_sub(this.open.available_permits());
            let family = expfmt::Family::gauge("cloudos_monitor_open_connections", help);
            out.push(family.with(&[("port", &port)], taken as f64));
            let mut count = |name: &str, help: &str, value: u64| {
                let family = expfmt::Family::counter(name, help);
                out.push(family.with(&[("listener_name", "http"), ("port", &port)], value as f64));
            };
            let (accepted, closed) = (&this.accepted, &this.closed);
            count(
                "net_conntrack_listener_conn_accepted_total",
                "Total number of connections opened to the listener of a given name.",
                accepted.load(Ordering::Relaxed),
            );
            count(
                "net_conntrack_listener_conn_closed_total",
                "Total number of connections closed that were made to the listener of a given name.",
                closed.load(Ordering::Relaxed),
            );
        });
    }
}

/// Counts a connection as over, whatever ends it.
struct Closing(Arc<AtomicU64>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One listener at work.
struct Accepting {
    name: &'static str,
    listener: TcpListener,
    traffic: Arc<Traffic>,
    router: Router,
    web: Option<Arc<Web>>,
    limits: Limits,
}

impl Accepting {
    async fn run(self, shutdown: tokio_util::sync::CancellationToken) {
        let Accepting { name, listener, traffic, router, web, limits } = self;
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
        server.http2().timer(TokioTimer::new());
        let server = Arc::new(server);
        let graceful = GracefulShutdown::new();
        loop {
            // At the limit the next connection waits in the kernel's queue, as with the original.
            let permit = tokio::select! {
                () = shutdown.cancelled() => break,
                permit = traffic.open.clone().acquire_owned() => permit,
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
            traffic.accepted.fetch_add(1, Ordering::Relaxed);
            let closing = Closing(traffic.closed.clone());
            let connection = Connection {
                name,
                server: server.clone(),
                router: router.clone().layer(axum::Extension(axum::extract::ConnectInfo(peer))),
                watcher: graceful.watcher(),
            };
            let web = web.clone();
            tokio::spawn(async move {
                let (_permit, _closing) = (permit, closing);
                match web.and_then(|web| web.current().tls.clone()) {
                    Some(tls) => {
                        if let Some(stream) = handshake(name, stream, tls).await {
                            connection.serve(stream).await;
                        }
                    }
                    None => connection.serve(stream).await,
                }
            });
        }
        drop(listener);
        if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
            tracing::info!(service = name, "open requests were cut after {} ms", GRACE.as_millis());
        }
    }
}

struct Connection {
    name: &'static str,
    server: Arc<auto::Builder<TokioExecutor>>,
    router: Router,
    watcher: Watcher,
}

impl Connection {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: S) {
        let service = TowerToHyperService::new(self.router);
        let io = TokioIo::new(Lenient::new(stream));
        let connection = self.server.serve_connection_with_upgrades(io, service).into_owned();
        if let Err(e) = self.watcher.watch(connection).await {
            tracing::debug!(service = self.name, "connection ended early: {e}");
        }
    }
}

/// `None` when the client did not manage.
async fn handshake(
    name: &'static str,
    mut stream: TcpStream,
    tls: Arc<rustls::ServerConfig>,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let talk = async {
        // A handshake begins with 0x16; a letter is someone who speaks plain HTTP, and is told so.
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 1 && first[0].is_ascii_uppercase() {
            let answer = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            return None;
        }
        match TlsAcceptor::from(tls).accept(stream).await {
            Ok(stream) => Some(stream),
            Err(e) => {
                tracing::debug!(service = name, "TLS handshake failed: {e}");
                None
            }
        }
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, talk).await.ok().flatten()
}

//! The Jaeger front door: spans arrive by OTLP over gRPC (4317) and HTTP (4318); the query API and the trace
//! pages answer on 16686.

mod api;
mod config;
mod flags;
mod grpc;
mod handlers;
mod ingest;
mod model;
mod reply;
mod routes;
mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use front::{Door, Host, Pool, Running, StartError};
use storage::TraceStore;

pub use config::Config;
pub use flags::{FLAGS, Settings};

pub(crate) const NAME: &str = "jaeger";

/// Queries and pushes at a time, and how many of each may wait.
const QUERIES_MAX: usize = 4;
const PUSHES_MAX: usize = 4;
const WAITING_MAX: usize = 512;

/// What the binary injects.
pub struct Parts {
    pub store: Arc<dyn TraceStore>,
}

/// Starts the service on its three ports.
pub async fn start(settings: Settings, parts: Parts, host: &Host) -> Result<Running, StartError> {
    let query = Door::bind(NAME, &settings.query_address).await?;
    let grpc = Door::bind(NAME, &settings.grpc_address).await?;
    let http = Door::bind(NAME, &settings.http_address).await?;
    front::metrics::register_process(&host.registry, NAME, host.version);
    let (queries, pushes) = (
        Pool::new("jaeger_query", QUERIES_MAX, WAITING_MAX),
        Pool::new("jaeger_push", PUSHES_MAX, WAITING_MAX),
    );
    queries.register(&host.registry);
    pushes.register(&host.registry);
    let ingest = ingest::Ingest::new(parts.store.clone(), pushes, &host.registry);
    let api = api::Api { store: parts.store, queries, host: host.clone() };
    let running = query.serve(routes::query(api), host);
    let running = running.join(grpc.serve(grpc::router(ingest.clone()), host));
    Ok(running.join(http.serve(routes::otlp(ingest), host)))
}

//! The Loki front door: Loki's configuration file, flags and HTTP API over a log store.
//!
//! ```text
//! push  → decode (wire) → ingest: limits, service_name, detected_level → store (push pool) → 204
//! query → parse and limits → logql (query pool) → JSON as Loki writes it
//! tail  → websocket ← the store's subscription, filtered by the query's pipeline
//! ```
//!
//! Errors are plain text bodies with Loki's statuses and words. One tenant: `auth_enabled` is refused.

mod config;
mod error;
mod flags;
mod handlers;
mod ingest;
mod levels;
mod metrics;
mod params;
mod render;
mod routes;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use front::{Door, Host, Reload, Running, StartError};
use storage::LogStore;

pub use config::{Config, RetentionRule, StorageNeeds};
pub use flags::{FLAGS, Settings};

const NAME: &str = "loki";

/// What the binary injects.
pub struct Parts {
    pub store: Arc<dyn LogStore>,
    /// Told what a reload changes about the store: retention.
    pub reconfigure_store: Arc<dyn Fn(&StorageNeeds) + Send + Sync>,
}

/// Starts the service.
pub async fn start(settings: Settings, parts: Parts, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen_address()).await?;
    front::metrics::register_process(&host.registry, NAME, host.version);
    let app = state::App::new(settings, parts.store, host);
    let reload = reload(app.clone(), parts.reconfigure_store);
    Ok(door.serve(routes::router(app), host).with_reload(reload))
}

/// Reads the file again; limits and retention change, the port and the pools stay as they are.
fn reload(app: state::Shared, reconfigure_store: Arc<dyn Fn(&StorageNeeds) + Send + Sync>) -> Reload {
    Arc::new(move || {
        let (app, reconfigure_store) = (app.clone(), reconfigure_store.clone());
        Box::pin(async move {
            let given = app.flags.clone();
            let read = tokio::task::spawn_blocking(move || Settings::from_flags(&given));
            match read.await.map_err(|e| e.to_string())? {
                Ok(settings) => {
                    reconfigure_store(&settings.config.storage_needs());
                    app.apply(settings.config);
                    Ok(())
                }
                Err(e) => {
                    tracing::error!("configuration refused, the running one stays: {e}");
                    Err(e.to_string())
                }
            }
        })
    })
}

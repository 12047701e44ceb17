//! The Promtail front door: its configuration file, flags and HTTP pages over the engine that follows logs.
//!
//! ```text
//! flags + file ──► Settings ──► tail::Tailer (a thread of its own) ──► Loki
//!                                   ▲ stopped and started by a reload
//! /ready /targets /metrics … ───────┘ status
//! ```
//!
//! Invariant: nothing here reads logs or talks to Loki; `tail` does.

mod flags;
mod handlers;
mod redact;
mod routes;
mod service;
#[cfg(test)]
mod tests;

use front::{Door, Host, Running, StartError};

pub use crate::flags::{FLAGS, Settings};

const NAME: &str = "promtail";

/// Binds the port, starts following, serves.
pub async fn start(settings: Settings, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen_address()).await?;
    let service = service::Service::start(settings, host).map_err(|e| StartError::new(NAME, e))?;
    let running = door.serve(routes::router(service.clone()), host);
    let reloader = service.clone();
    let reload: front::Reload = std::sync::Arc::new(move || {
        let service = reloader.clone();
        Box::pin(async move { service.reload().await })
    });
    let token = running.token();
    let stopper = tokio::spawn(async move {
        token.cancelled().await;
        // Waits for the last push, so not on this thread.
        let stopped = tokio::task::spawn_blocking(move || service.stop()).await;
        if stopped.is_err() {
            tracing::error!("stopping the reader of logs panicked");
        }
    });
    Ok(running.with_reload(reload).with_task(stopper))
}

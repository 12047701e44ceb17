//! The front doors of the three host exporters: node-exporter (9100), cadvisor (8080), cloudos-exporter
//! (9200). Each is a module of the same shape: `flags.rs` the flag table and what it means, `routes.rs`
//! paths and handlers, `mod.rs` the start.
//!
//! Shared by all three: `scrape` runs a collection on a bounded pool of blocking threads and renders it
//! together with the service's own metrics, `page` writes the small HTML pages, `peers` asks the other
//! services of the stack how they are.

pub mod cadvisor;
pub mod cloudos_exporter;
pub mod node_exporter;

mod page;
mod peers;
mod scrape;

pub use peers::default_peers;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What every path without a handler answers.
async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// A plain text answer with the headers of Go's `http.Error`.
fn plain(status: StatusCode, text: impl Into<String>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, text.into()).into_response()
}

/// A path from a flag, with the slash it may lack.
fn telemetry_path(flag: &str) -> String {
    if flag.starts_with('/') { flag.to_owned() } else { format!("/{flag}") }
}

#[cfg(test)]
mod tests;

//! The answers. The original has HTML pages for targets and discovery and no JSON; these are JSON, in the
//! words of its pages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tail::Status;

use crate::service::Service;

/// Dropped targets shown for each job.
const DROPPED_TARGETS_MAX: usize = 100;

/// Ready when anything is followed; the check can be switched off.
pub(crate) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let checks = service.settings().config.server.health_check_target;
    if !checks || service.status().ready() {
        return "Ready\n".into_response();
    }
    let text = "Not ready: Unable to find any logs to tail. Please verify permissions, volumes, \
                scrape_config, etc.\n";
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

pub(crate) async fn metrics(State(service): State<Arc<Service>>, headers: HeaderMap) -> Response {
    front::metrics::render(&service.host.registry, &headers)
}

#[derive(Serialize)]
struct Answer<T> {
    status: &'static str,
    data: T,
}

pub(crate) async fn targets(State(service): State<Arc<Service>>) -> Response {
    let Status { targets, .. } = service.status();
    json(&Answer { status: "success", data: serde_json::json!({ "activeTargets": targets }) })
}

pub(crate) async fn service_discovery(State(service): State<Arc<Service>>) -> Response {
    let mut status = service.status();
    let mut shown = std::collections::BTreeMap::<String, usize>::new();
    status.dropped.retain(|dropped| {
        let count = shown.entry(dropped.job.clone()).or_default();
        *count += 1;
        *count <= DROPPED_TARGETS_MAX
    });
    let data = serde_json::json!({ "activeTargets": status.targets, "droppedTargets": status.dropped });
    json(&Answer { status: "success", data })
}

fn json<T: Serialize>(answer: &T) -> Response {
    match serde_json::to_string(answer) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

pub(crate) async fn config(State(service): State<Arc<Service>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], service.settings().shown).into_response()
}

pub(crate) async fn reload(State(service): State<Arc<Service>>) -> Response {
    match service.reload().await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => {
            let text = format!("failed to reload config: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

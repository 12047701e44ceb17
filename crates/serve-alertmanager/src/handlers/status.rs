//! Status and receivers, and what is left of API v1.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use front::Params;
use serde_json::{Value as Json, json};

use crate::handlers::query::receivers as wanted_receivers;
use crate::model::{receiver, reply, time};
use crate::state::Api;

pub async fn v2(State(api): State<Api>) -> Response {
    let json = json!({
        "cluster": cluster(&api),
        "config": {"original": api.shown().original},
        "uptime": time(started_ns(&api)),
        "versionInfo": version(&api),
    });
    reply(StatusCode::OK, &json)
}

/// The one v1 resource that still answers, in its old shape.
pub async fn v1(State(api): State<Api>) -> Response {
    let shown = api.shown();
    let json = json!({
        "status": "success",
        "data": {
            "configYAML": shown.original,
            "configJSON": shown.json,
            "versionInfo": version(&api),
            "uptime": time(started_ns(&api)),
            "clusterStatus": cluster(&api),
        },
    });
    reply(StatusCode::OK, &json)
}

pub async fn gone() -> Response {
    let error = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version \
                 0.27.0 - please use the equivalent route in the v2 API";
    reply(StatusCode::GONE, &json!({"status": "deprecated", "error": error}))
}

pub async fn receivers(State(api): State<Api>, params: Params) -> Response {
    let wanted = match wanted_receivers(&params, &api) {
        Ok(wanted) => wanted,
        Err(refused) => return *refused,
    };
    let shown = api.shown();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|names| names.contains(name));
    let receivers = shown.receivers.iter().filter(|r| is_wanted(&r.name));
    let list: Json = receivers.map(|r| receiver(&r.name, &shown)).collect();
    reply(StatusCode::OK, &list)
}

fn cluster(api: &Api) -> Json {
    let Some(member) = &api.cluster else { return json!({"peers": [], "status": "disabled"}) };
    let peers = member.peers();
    let peers: Vec<Json> =
        peers.iter().map(|peer| json!({"address": peer.address.to_string(), "name": peer.name})).collect();
    json!({
        "name": member.name(),
        "peers": peers,
        "status": if member.is_settled() { "ready" } else { "settling" },
    })
}

fn version(api: &Api) -> Json {
    json!({
        "branch": "main",
        "buildDate": "",
        "buildUser": "",
        "goVersion": "",
        "revision": "",
        "version": api.host.version,
    })
}

fn started_ns(api: &Api) -> i64 {
    let since = api.host.started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

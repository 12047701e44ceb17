//! Paths and handlers: metrics, health, the machine as JSON, and a page with all cgroups.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use collect_container::{ContainerCollector, Snapshot, families};
use front::Host;
use serde_json::json;

use super::Settings;
use crate::scrape::{Formats, Scrapes};
use crate::{page, plain};

struct Advisor {
    settings: Settings,
    collector: Arc<ContainerCollector>,
    scrapes: Scrapes,
    version: &'static str,
}

/// Pages are looked at by people: one at a time is enough, and a few may wait.
const PAGES_RUNNING_MAX: usize = 1;
const PAGES_WAITING_MAX: usize = 16;

pub fn router(settings: &Settings, collector: Arc<ContainerCollector>, host: &Host) -> Router {
    let scrapes = Scrapes::new(host, settings.max_requests, true, Formats::TextOnly);
    let pages = front::Pool::new("page", PAGES_RUNNING_MAX, PAGES_WAITING_MAX);
    let advisor = Advisor { settings: settings.clone(), collector, scrapes, version: host.version };
    let state = (Arc::new(advisor), pages);
    Router::new()
        .route(&settings.telemetry_path, any(metrics))
        .route("/healthz", any(|| async { plain(StatusCode::OK, "ok") }))
        .route("/", any(start_page))
        .route("/containers", any(start_page))
        .route("/containers/", get(containers))
        .route("/api/v1.0/machine", get(machine))
        .route("/api/v1.1/machine", get(machine))
        .route("/api/v1.2/machine", get(machine))
        .route("/api/v1.3/machine", get(machine))
        .route("/api/v2.0/machine", get(machine))
        .fallback(crate::not_found)
        .with_state(state)
}

type Shared = State<(Arc<Advisor>, front::Pool)>;

async fn metrics(State((advisor, _)): Shared, headers: HeaderMap) -> Response {
    let collecting = advisor.clone();
    let collect = move || {
        let advisor = collecting;
        let snapshot = advisor.collector.collect();
        let mut all = families(&snapshot, advisor.collector.settings(), advisor.version);
        all.retain(|f| advisor.settings.shows(&f.name));
        all
    };
    advisor.scrapes.answer(&headers, collect).await
}

/// The original's first page is its list of containers.
async fn start_page() -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/containers/")]).into_response()
}

async fn containers(State((advisor, pages)): Shared) -> Response {
    let path = advisor.settings.telemetry_path.clone();
    match pages.run(move || advisor.collector.collect()).await {
        Ok(snapshot) => page::document("Containers", &table(&snapshot, &path)),
        Err(e) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{e}\n")),
    }
}

fn table(snapshot: &Snapshot, metrics: &str) -> String {
    let mut out = format!("<p><a href=\"{}\">Metrics</a></p>", page::escape(metrics));
    out.push_str("<table><tr><th>cgroup<th>name<th>image<th>CPU seconds<th>memory MiB<th>processes</tr>");
    for cgroup in &snapshot.cgroups {
        let (name, image) =
            cgroup.container.as_ref().map_or(("", ""), |c| (c.name.as_str(), c.image.as_str()));
        let cpu = cgroup.stats.cpu.as_ref().map_or(String::new(), |c| format!("{:.1}", c.usage));
        let memory = cgroup.stats.memory.as_ref();
        let memory = memory.map_or(String::new(), |m| format!("{:.1}", m.working_set() / (1 << 20) as f64));
        let processes = cgroup.stats.processes.map_or(String::new(), |p| p.to_string());
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td class=n>{cpu}<td class=n>{memory}<td class=n>{processes}</tr>",
            page::escape(&cgroup.id),
            page::escape(name),
            page::escape(image)
        );
    }
    out.push_str("</table>");
    out
}

async fn machine(State((advisor, pages)): Shared) -> Response {
    let settings = advisor.collector.settings().clone();
    match pages.run(move || collect_container::Machine::read(&settings)).await {
        Ok(m) => axum::Json(json!({
            "num_cores": m.cores,
            "num_physical_cores": m.physical_cores,
            "num_sockets": m.sockets,
            "memory_capacity": m.memory_bytes as u64,
            "swap_capacity": m.swap_bytes as u64,
            "machine_id": m.machine_id,
            "system_uuid": m.system_uuid,
            "boot_id": m.boot_id,
        }))
        .into_response(),
        Err(e) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{e}\n")),
    }
}

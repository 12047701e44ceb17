//! Node Exporter: host metrics on port 9100.

mod flags;
mod routes;

use std::sync::Arc;

use collect_node::NodeCollector;
use front::{Door, Host, Running, StartError};

pub use self::flags::{FLAGS, Settings, UP_DEFAULTS};

const NAME: &str = "node-exporter";

/// Binds every address, then serves.
pub async fn start(settings: Settings, host: &Host) -> Result<Running, StartError> {
    let mut doors = Vec::new();
    for address in &settings.listen {
        doors.push(Door::bind(NAME, address).await?);
    }
    front::metrics::register_process(&host.registry, "node_exporter", host.version);
    let collector = Arc::new(NodeCollector::new(settings.node.clone()));
    let names: Vec<&str> = collector.enabled().collect();
    tracing::info!(service = NAME, collectors = names.len(), "enabled: {}", names.join(", "));
    let router = routes::router(&settings, collector, host);
    let mut running: Option<Running> = None;
    for door in doors {
        let next = door.serve(router.clone(), host);
        running = Some(match running {
            Some(first) => first.join(next),
            None => next,
        });
    }
    running.ok_or_else(|| StartError::new(NAME, "no address to listen on"))
}

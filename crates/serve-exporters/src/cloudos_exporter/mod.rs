//! CloudOS Exporter: the host's `cloudos_*` metrics on port 9200.

mod flags;
mod routes;

use std::sync::Arc;

use collect_cloudos::{CloudosCollector, Peers};
use collect_container::ContainerCollector;
use front::{Door, Host, Running, StartError};

pub use self::flags::{FLAGS, Settings};
use crate::peers::PeerList;

const NAME: &str = "cloudos-exporter";

/// Binds the port, begins to follow logs and to ask peers, serves.
pub async fn start(settings: Settings, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen).await?;
    front::metrics::register_process(&host.registry, "cloudos_exporter", host.version);
    let peers = Arc::new(PeerList::parse(&settings.peers).map_err(|e| StartError::new(NAME, e))?);
    let known: Option<Arc<dyn Peers>> = if peers.is_empty() { None } else { Some(peers.clone()) };
    let containers = Arc::new(ContainerCollector::new(settings.containers.clone()));
    let cloudos = settings.cloudos.clone();
    // Opening the logs touches the disk.
    let collector = tokio::task::spawn_blocking(move || CloudosCollector::new(cloudos, containers, known));
    let collector = Arc::new(collector.await.map_err(|e| StartError::new(NAME, e))?);
    let running = door.serve(routes::router(&settings, collector, host), host);
    if peers.is_empty() {
        return Ok(running);
    }
    let (interval, shutdown) = (settings.poll_interval, running.token());
    let watch = front::supervise(NAME, "peers", &host.registry, shutdown.clone(), move || {
        peers.clone().watch(interval, shutdown.clone())
    });
    Ok(running.with_task(watch))
}

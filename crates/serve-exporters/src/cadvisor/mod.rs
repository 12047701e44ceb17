//! cAdvisor: container metrics on port 8080.

mod flags;
mod routes;

use std::sync::Arc;

use collect_container::ContainerCollector;
use front::{Door, Host, Running, StartError};

pub use self::flags::{FLAGS, Settings, UP_DEFAULTS};

const NAME: &str = "cadvisor";

pub async fn start(settings: Settings, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen).await?;
    front::metrics::register_process(&host.registry, NAME, host.version);
    let collector = Arc::new(ContainerCollector::new(settings.containers.clone()));
    let router = routes::router(&settings, collector, host);
    Ok(door.serve(router, host))
}

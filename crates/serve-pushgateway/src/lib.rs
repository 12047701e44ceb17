//! The Pushgateway front door: jobs that do not live long enough to be scraped push their metrics here,
//! and a scrape of this service collects them.
//!
//! `grouping` reads a group's labels from the request path, `store` holds the groups and their index,
//! `check` refuses a push that would break the scrape, `persist` keeps the groups over restarts, `render`
//! is the scrape itself, `api` the JSON view, `handlers` the HTTP side of all of them.

mod api;
mod check;
mod flags;
mod grouping;
mod handlers;
mod own;
mod persist;
mod render;
mod routes;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use ::flags::Flags;
use front::{Door, Host, Pool, Running, StartError};

pub use crate::flags::FLAGS;
use crate::handlers::Gateway;
use crate::own::OwnMetrics;
use crate::persist::Persistence;
use crate::store::Store;

const NAME: &str = "pushgateway";

/// Pushes handled at the same time, and how many may wait behind them, as long as the original's queue.
const PUSHES_RUNNING_MAX: usize = 4;
const PUSHES_WAITING_MAX: usize = 1000;

/// Binds the port, loads what was persisted, serves.
pub async fn start(flags: Flags, host: Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, flags.get("web.listen-address")).await?;
    let fail = |message: String| StartError::new(NAME, message);
    let interval = flags.duration_ms("persistence.interval").map_err(|e| fail(e.to_string()))?;
    let file = flags.get("persistence.file");
    let persistence = (!file.is_empty()).then(|| Persistence::new(PathBuf::from(file), interval));
    let groups = match &persistence {
        Some(persistence) => persistence.load().map_err(fail)?,
        None => Vec::new(),
    };
    front::metrics::register_process(&host.registry, NAME, host.version);
    let own = OwnMetrics::new(&host.registry);
    let store = Arc::new(Store::new(own.families(&host.registry), groups));
    let pool = Pool::new("push", PUSHES_RUNNING_MAX, PUSHES_WAITING_MAX);
    pool.register(&host.registry);
    let gateway = Gateway {
        store: store.clone(),
        pool,
        own,
        check: !flags.is_on("push.disable-consistency-check"),
        lifecycle: flags.is_on("web.enable-lifecycle"),
        host: host.clone(),
    };
    let router = routes::router(Arc::new(gateway), &flags);
    let running = door.serve(router, &host);
    let shutdown = host.shutdown.child_token();
    let keeper = tokio::spawn(persist::keep(persistence, store, shutdown));
    Ok(running.with_task(keeper))
}

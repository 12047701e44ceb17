//! The Grafana front door: login, provisioned dashboards and data sources, queries in data frames, and the
//! web app.
//!
//! It knows other services only as data sources with a URL, whether they run in this process, elsewhere, or
//! are the originals.

mod api;
mod auth;
mod catalog;
mod error;
mod flags;
mod handlers;
mod provisioning;
mod proxy;
mod query;
mod routes;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use front::{Door, Host, Pool, Running, StartError};

pub use flags::{FLAGS, Settings};

const NAME: &str = "grafana";

/// Blocking jobs at a time (state and files), and how many may wait.
const JOBS_MAX: usize = 4;
const JOBS_WAITING_MAX: usize = 256;

/// How long a data source may take to answer.
const SOURCE_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts the service.
pub async fn start(settings: Settings, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen_address).await?;
    let fail = |e: String| StartError::new(NAME, e);
    let (data, base) = (settings.data_path.clone(), settings.config_dir.clone());
    let first = settings.clone();
    let opened = tokio::task::spawn_blocking(move || -> Result<_, String> {
        let db = state::Database::open(&data)?;
        seed(&db, &first)?;
        Ok((db, catalog::Catalog::open(&base)?))
    });
    let (db, catalog) = opened.await.map_err(|e| fail(e.to_string()))?.map_err(fail)?;
    let client = reqwest::Client::builder()
        .timeout(SOURCE_TIMEOUT)
        .connect_timeout(Duration::from_secs(5))
        .pool_max_idle_per_host(4)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|e| fail(e.to_string()))?;
    let pool = Pool::new("grafana", JOBS_MAX, JOBS_WAITING_MAX);
    pool.register(&host.registry);
    front::metrics::register_process(&host.registry, NAME, host.version);
    let catalog = Arc::new(catalog);
    let api = api::Api::new(api::Shared {
        db: Arc::new(db),
        catalog: catalog.clone(),
        pool: pool.clone(),
        client,
        attempts: auth::Attempts::default(),
        verified: auth::Verified::default(),
        loopback_only: door.address().ip().is_loopback(),
        host: host.clone(),
    });
    let watched = catalog.clone();
    let shutdown = host.shutdown.clone();
    let watcher = front::supervise(NAME, "dashboard files", &host.registry, shutdown.clone(), move || {
        watch(watched.clone(), pool.clone(), shutdown.clone())
    });
    let reload: front::Reload = Arc::new(move || {
        let catalog = catalog.clone();
        Box::pin(async move {
            let work = tokio::task::spawn_blocking(move || catalog.reload());
            work.await.map_err(|e| e.to_string())?
        })
    });
    Ok(door.serve(routes::router(api), host).with_task(watcher).with_reload(reload))
}

/// Makes the administrator at the first start.
fn seed(db: &state::Database, settings: &Settings) -> Result<(), String> {
    if db.has_users().map_err(|e| e.to_string())? {
        return Ok(());
    }
    let hash = state::hash_password(settings.admin_password.reveal())?;
    db.add_user(&settings.admin_user, &hash, "Admin").map_err(|e| e.to_string())?;
    Ok(())
}

async fn watch(catalog: Arc<catalog::Catalog>, pool: Pool, shutdown: front::CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(catalog.interval()) => {}
        }
        let catalog = catalog.clone();
        if let Err(e) = pool.run(move || catalog.rescan()).await {
            tracing::warn!("looking for changed dashboards failed: {e}");
        }
    }
}

//! Reading the configuration again: when asked to, and by itself when the files change.

use std::path::PathBuf;
use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use front::Reload;

use crate::config::Config;
use crate::engines::Engines;
use crate::handlers;
use crate::notifications::RELOAD_FAILED;
use crate::state::{Api, Shared};

/// What reload requests, SIGHUP and the watcher below call. `shared` is weak: it owns the result.
pub fn reload(shared: Weak<Shared>, engines: Engines) -> Reload {
    std::sync::Arc::new(move || {
        let (shared, engines) = (shared.clone(), engines.clone());
        Box::pin(async move {
            let Some(shared) = shared.upgrade() else { return Err("the service is stopping".into()) };
            // Reloads come one at a time: the second waits and sees what the first left.
            let _turn = shared.reloading.lock().await;
            let path = &shared.settings.config_file;
            let result = match Config::load(path) {
                Ok(config) => shared
                    .watch
                    .set_log_file(&config.global.query_log_file)
                    .and_then(|()| engines.apply(&config))
                    .map(|()| config),
                Err(e) => Err(e.to_string()),
            };
            shared.reload_ok.store(result.is_ok(), Ordering::Relaxed);
            match result {
                Ok(config) => {
                    shared.config.store(std::sync::Arc::new(config));
                    shared.reloaded_ms.store(handlers::now_ms(), Ordering::Relaxed);
                    shared.notifications.remove(RELOAD_FAILED);
                    Ok(())
                }
                Err(e) => {
                    tracing::error!("configuration refused, the running one stays: {e}");
                    shared.notifications.add(RELOAD_FAILED);
                    Err(e)
                }
            }
        })
    })
}

/// Reloads whenever the configuration, its rule files or its files of jobs have changed, for ever.
pub async fn watch(api: Api, every: Duration) {
    let mut seen = stamp(&api);
    loop {
        tokio::time::sleep(every).await;
        let now = stamp(&api);
        if now == seen {
            continue;
        }
        tracing::info!("Configuration file change detected, reloading the configuration.");
        // Its result is in the log and in the metrics.
        let _ = (api.reload)().await;
        // A reload may have brought other files into the list.
        seen = stamp(&api);
    }
}

/// Names and contents of all files of the configuration, as one number.
fn stamp(api: &Api) -> u64 {
    let config = api.config.load();
    let main = &api.settings.config_file;
    let directory = main.parent().map(PathBuf::from).unwrap_or_default();
    let mut files = vec![main.clone()];
    for pattern in config.rule_files.iter().chain(&config.scrape_config_files) {
        files.extend(::config::glob(&directory.join(pattern)).unwrap_or_default());
    }
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(&[0]);
        match std::fs::read(&file) {
            Ok(text) => hash.update(&text),
            Err(_) => hash.update(&[1]),
        }
        hash.update(&[0]);
    }
    hash.digest()
}

/// Whether the last reload worked, and when the last good one was.
pub fn register_metrics(api: &Api) {
    let registry = &api.host.registry;
    let (a, b) = (api.clone(), api.clone());
    registry.gauge_fn(
        "prometheus_config_last_reload_successful",
        "Whether the last configuration reload attempt was successful.",
        move || f64::from(u8::from(a.reload_ok.load(Ordering::Relaxed))),
    );
    registry.gauge_fn(
        "prometheus_config_last_reload_success_timestamp_seconds",
        "Timestamp of the last successful configuration reload.",
        move || b.reloaded_ms.load(Ordering::Relaxed) as f64 / 1000.0,
    );
}

//! The Prometheus front door: configuration, HTTP API, and the engines behind it (scraping, rules, queries),
//! over a metrics store that is injected.

mod config;
mod engine;
mod flags;
mod handlers;
mod ingest;
mod render;
mod reply;
mod routes;
mod state;
#[cfg(test)]
mod tests;
mod times;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use front::{Door, Host, Pool, Reload, Running, StartError};
use platform::Clock;
use promql::{Engine, EngineSettings};
use rules::{Notifier, NotifierSettings, RuleManager, RuleMetrics};
use scrape::ScrapeManager;
use storage::MetricsStore;

pub use config::Config;
pub use flags::{FLAGS, Settings};

const NAME: &str = "prometheus";

/// Queries that may wait for a free slot.
const QUERIES_WAITING_MAX: usize = 1024;

/// What the binary injects.
pub struct Parts {
    pub store: Arc<dyn MetricsStore>,
    pub clock: Arc<dyn Clock>,
    /// The configuration as it was read for opening the store.
    pub config: Config,
    /// Told what a reload changes about the store.
    pub reconfigure_store: Arc<dyn Fn(&Config) + Send + Sync>,
}

/// Starts the service: the port first, then the engines.
pub async fn start(settings: Settings, parts: Parts, host: &Host) -> Result<Running, StartError> {
    let door = Door::bind(NAME, &settings.listen_address).await?;
    front::metrics::register_process(&host.registry, NAME, host.version);
    let queries = Pool::new("prometheus_query", settings.query_concurrency, QUERIES_WAITING_MAX);
    queries.register(&host.registry);
    let engine = Arc::new(Engine::new(EngineSettings {
        lookback_ms: settings.lookback_ms,
        timeout: settings.query_timeout,
        max_samples: settings.query_samples_max,
        ..EngineSettings::default()
    }));
    let scrape = ScrapeManager::start(parts.store.clone(), parts.clock.clone(), &host.registry, host.version);
    let metrics = RuleMetrics::new(&host.registry);
    let notifier = Notifier::new(settings.notification_queue, metrics.clone());
    let rules = RuleManager::new(rules::Parts {
        engine: Arc::new(engine::RuleQueries { engine: engine.clone(), store: parts.store.clone() }),
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        notifier: notifier.clone(),
        metrics,
    });
    let engines = Engines {
        scrape: scrape.clone(),
        rules: rules.clone(),
        notifier: notifier.clone(),
        settings: settings.clone(),
        reconfigure_store: parts.reconfigure_store,
    };
    engines.apply(&parts.config).map_err(|e| StartError::new(NAME, e))?;
    let api = build_api(&settings, engines, parts.config, parts.store, engine, queries, host);
    register_reload_metrics(&api);
    let notify = front::supervise(NAME, "notifier", &host.registry, host.shutdown.clone(), {
        let shutdown = host.shutdown.clone();
        move || {
            let (notifier, shutdown) = (notifier.clone(), shutdown.clone());
            async move {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = notifier.run() => {}
                }
            }
        }
    });
    let ending = tokio::spawn({
        let shutdown = host.shutdown.clone();
        async move {
            shutdown.cancelled().await;
            tokio::join!(scrape.shutdown(), rules.shutdown());
        }
    });
    let reload = api.reload.clone();
    api.ready.store(true, Ordering::Release);
    let running = door.serve(routes::router(api), host);
    Ok(running.with_task(notify).with_task(ending).with_reload(reload))
}

/// What a configuration is applied to.
#[derive(Clone)]
struct Engines {
    scrape: Arc<ScrapeManager>,
    rules: Arc<RuleManager>,
    notifier: Arc<Notifier>,
    settings: Settings,
    reconfigure_store: Arc<dyn Fn(&Config) + Send + Sync>,
}

impl Engines {
    /// Applies everything or nothing.
    fn apply(&self, config: &Config) -> Result<(), String> {
        let external = &config.global.external_labels;
        let rule_settings = rules::Settings {
            files: config.rule_paths.clone(),
            interval_ms: config.global.evaluation_interval.as_ms(),
            query_offset_ms: config.global.rule_query_offset.as_ms(),
            external_labels: external.clone(),
            external_url: self.settings.external_url.clone(),
            resend_ms: self.settings.resend_ms,
            outage_tolerance_ms: self.settings.outage_tolerance_ms,
            grace_ms: self.settings.grace_ms,
        };
        // Whatever can be wrong is found out before anything changes: rule files and certificates first,
        // then scraping, which itself takes all or nothing.
        let problems = config.rule_paths.iter().filter_map(|path| rules::load_file(path).err());
        joined(problems.collect())?;
        config.alerting.alertmanagers.iter().try_for_each(rules::AlertmanagerConfig::check_client)?;
        self.scrape.apply(config.scrape_configs.clone(), &config.global)?;
        self.rules.apply(rule_settings).or_else(joined)?;
        self.notifier.apply(NotifierSettings {
            external_labels: external.clone(),
            external_url: self.settings.external_url.clone(),
            alert_relabel_configs: config.alerting.alert_relabel_configs.clone(),
            alertmanagers: config.alerting.alertmanagers.clone(),
        })?;
        (self.reconfigure_store)(config);
        Ok(())
    }
}

/// One text of all that is wrong, one problem a line.
fn joined(problems: Vec<::config::ConfigError>) -> Result<(), String> {
    match &problems[..] {
        [] => Ok(()),
        some => Err(some.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn build_api(
    settings: &Settings,
    engines: Engines,
    config: Config,
    store: Arc<dyn MetricsStore>,
    engine: Arc<Engine>,
    queries: Pool,
    host: &Host,
) -> state::Api {
    let retention = match (settings.retention_ms, config.storage.tsdb.retention.time) {
        (Some(ms), None) => model::duration::format(ms),
        (_, Some(time)) => time.to_string(),
        (None, None) => "15d".to_owned(),
    };
    let options = state::Options {
        lifecycle: settings.lifecycle,
        admin: settings.admin,
        remote_write_receiver: settings.remote_write_receiver,
        query_timeout: settings.query_timeout,
        retention,
    };
    let path = settings.config_file.clone();
    let inner = Arc::new_cyclic(|shared: &std::sync::Weak<state::Shared>| {
        let (shared, engines_again) = (shared.clone(), engines.clone());
        let reload: Reload = Arc::new(move || {
            let (shared, engines, path) = (shared.clone(), engines_again.clone(), path.clone());
            Box::pin(async move {
                let Some(shared) = shared.upgrade() else { return Err("the service is stopping".into()) };
                // Reloads come one at a time: the second waits and sees what the first left.
                let _turn = shared.reloading.lock().await;
                let result = match Config::load(&path) {
                    Ok(config) => engines.apply(&config).map(|()| config),
                    Err(e) => Err(e.to_string()),
                };
                shared.reload_ok.store(result.is_ok(), Ordering::Relaxed);
                match result {
                    Ok(config) => {
                        shared.config.store(Arc::new(config));
                        shared.reloaded_ms.store(handlers::now_ms(), Ordering::Relaxed);
                        Ok(())
                    }
                    Err(e) => {
                        tracing::error!("configuration refused, the running one stays: {e}");
                        Err(e)
                    }
                }
            })
        });
        state::Shared {
            ingest: ingest::Ingest::new(store.clone(), &host.registry),
            store,
            engine,
            queries,
            scrape: engines.scrape.clone(),
            rules: engines.rules.clone(),
            config: ArcSwap::from_pointee(config),
            host: host.clone(),
            reload,
            reloading: tokio::sync::Mutex::new(()),
            reload_ok: AtomicBool::new(true),
            reloaded_ms: AtomicI64::new(handlers::now_ms()),
            ready: AtomicBool::new(false),
            options,
        }
    });
    state::Api { inner }
}

fn register_reload_metrics(api: &state::Api) {
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

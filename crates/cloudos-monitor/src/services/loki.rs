//! Loki: the log store behind its door.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use front::StartError;
use serve_loki::{FLAGS, Parts, Settings, StorageNeeds};
use store_logs::{LogStoreSettings, Logs, RetentionRule};

use super::{Places, Service, Started, kernel_metrics, open_store};

const NAME: &str = "loki";

pub const SERVICE: Service = Service {
    name: NAME,
    aliases: &[],
    port: 3100,
    about: "logs: push, LogQL, live tail",
    flags: FLAGS,
    defaults: |flags, places: &Places| {
        flags.set_default("config.file", places.config_file("loki/loki-config.yml"));
        flags.set_default("config.expand-env", "true");
        flags.set_default("common.path-prefix", places.data_dir("loki_data"));
        flags.set_default("server.http-listen-address", places.listen_host.clone());
        flags.set_default("server.http-listen-port", (3100 + places.port_offset).to_string());
    },
    start: |flags, host| {
        Box::pin(async move {
            let fail = |e: String| StartError::new(NAME, e);
            let settings = Settings::from_flags(&flags).map_err(|e| fail(e.to_string()))?;
            if settings.verify_only {
                super::config_is_valid();
            }
            let needs = settings.config.storage_needs();
            let directory = needs.directory.clone().unwrap_or_else(|| PathBuf::from("data/loki_data"));
            let (retention, retention_rules) = kept(&needs);
            let options = LogStoreSettings { retention, retention_rules, ..LogStoreSettings::default() };
            let open = move || Logs::open(&directory, options, Arc::new(platform::SystemClock::new()));
            let store = Arc::new(open_store(NAME, open).await?);
            let (kernel, changed, closed) = (store.clone(), store.clone(), store.clone());
            kernel_metrics::register(&host.registry, NAME, move |read| read(kernel.kernel_metrics()));
            let parts = Parts {
                store,
                reconfigure_store: Arc::new(move |needs| {
                    let (period, rules) = kept(needs);
                    changed.set_retention(period, rules);
                }),
            };
            let running = serve_loki::start(settings, parts, &host).await?;
            let close = Box::new(move || {
                if let Err(e) = closed.close() {
                    tracing::error!(service = NAME, "closing the log store: {e}");
                }
            });
            Ok(Started { running, close: vec![close] })
        })
    },
};

/// How long streams are kept, and the exceptions.
fn kept(needs: &StorageNeeds) -> (Duration, Vec<RetentionRule>) {
    let period = |ms: i64| Duration::from_millis(ms.max(0) as u64);
    let rules = needs.retention_rules.iter().map(|rule| RetentionRule {
        matchers: rule.matchers.clone(),
        priority: rule.priority,
        period: period(rule.period_ms),
    });
    (period(needs.retention_ms), rules.collect())
}

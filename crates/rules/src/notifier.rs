//! Alerts on their way to the Alertmanagers: a bounded queue, batches, every Alertmanager told.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::{Client, HttpClientConfig};
use discovery::{ADDRESS_LABEL, Sources, Watch};
use model::Labels;
use relabel::RelabelConfig;
use serde_json::json;
use tokio::sync::Notify;

use crate::alert::ActiveAlert;
use crate::metrics::RuleMetrics;

/// Alerts in one request.
const BATCH_MAX: usize = 256;

/// One entry of `alerting.alertmanagers`.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerConfig {
    pub scheme: String,
    pub path_prefix: String,
    pub timeout: config::Duration,
    pub api_version: String,
    pub relabel_configs: Vec<RelabelConfig>,
    pub alert_relabel_configs: Vec<RelabelConfig>,
    pub sources: Sources,
    pub client: HttpClientConfig,
}

impl Default for AlertmanagerConfig {
    fn default() -> AlertmanagerConfig {
        AlertmanagerConfig {
            scheme: "http".into(),
            path_prefix: String::new(),
            timeout: config::Duration::from_secs(10),
            api_version: "v2".into(),
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
            sources: Sources::default(),
            client: HttpClientConfig::default(),
        }
    }
}

config::section!(AlertmanagerConfig {
    scheme,
    path_prefix,
    timeout,
    api_version,
    relabel_configs,
    alert_relabel_configs,
} inline { sources, client });

impl AlertmanagerConfig {
    pub fn validate(&self) -> Result<(), String> {
        if self.api_version != "v2" {
            return Err(format!(
                "expected Alertmanager api version to be one of [v2] but got {}",
                self.api_version
            ));
        }
        self.client.validate()
    }

    /// Whether a client can be made of it: reads the certificates it names.
    pub fn check_client(&self) -> Result<(), String> {
        Client::new(&self.client, false)?.check_certificates()
    }

    /// Takes relative paths from `directory`, the configuration file's own.
    pub fn set_directory(&mut self, directory: &Path) {
        self.client.set_directory(directory);
        self.sources.set_directory(directory);
    }
}

/// What the notifier is told by configuration and flags.
#[derive(Debug, Clone, Default)]
pub struct NotifierSettings {
    pub external_labels: BTreeMap<String, String>,
    pub external_url: String,
    pub alert_relabel_configs: Vec<RelabelConfig>,
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

/// An alert as it is queued, labels final.
#[derive(Debug, Clone)]
struct Queued {
    body: serde_json::Value,
    labels: Labels,
}

struct Endpoint {
    config: AlertmanagerConfig,
    client: Client,
    watch: Watch,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Queued>,
    settings: NotifierSettings,
    active: Vec<String>,
    dropped: Vec<String>,
    /// Set by `apply`, taken by the sending loop.
    endpoints: Option<Vec<Endpoint>>,
}

pub struct Notifier {
    state: Mutex<State>,
    wake: Notify,
    capacity: usize,
    metrics: RuleMetrics,
}

impl Notifier {
    /// `capacity` bounds the queue (`--alertmanager.notification-queue-capacity`).
    pub fn new(capacity: usize, metrics: RuleMetrics) -> Arc<Notifier> {
        metrics.queue_capacity.set(capacity as f64);
        Arc::new(Notifier { state: Mutex::default(), wake: Notify::new(), capacity, metrics })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes new settings; on an error nothing is changed. Must run within a Tokio runtime.
    pub fn apply(&self, settings: NotifierSettings) -> Result<(), String> {
        let mut endpoints = Vec::new();
        for config in &settings.alertmanagers {
            let client = Client::new(&config.client, false)?;
            endpoints.push(Endpoint {
                config: config.clone(),
                client,
                watch: discovery::watch(&config.sources),
            });
        }
        let mut state = self.lock();
        state.settings = settings;
        state.endpoints = Some(endpoints);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// URLs of the Alertmanagers that alerts go to.
    pub fn active_alertmanagers(&self) -> Vec<String> {
        self.lock().active.clone()
    }

    /// Addresses that relabelling dropped.
    pub fn dropped_alertmanagers(&self) -> Vec<String> {
        self.lock().dropped.clone()
    }

    /// Queues alerts of a rule. When the queue is full the oldest make room, and are counted.
    pub(crate) fn send(&self, alerts: Vec<ActiveAlert>, expr: &str) {
        if alerts.is_empty() {
            return;
        }
        let mut state = self.lock();
        for alert in alerts {
            let mut labels = alert.labels.to_builder();
            for (name, value) in &state.settings.external_labels {
                if labels.get(name).is_empty() {
                    labels.set(name.as_str(), value.as_str());
                }
            }
            let Some(labels) = relabel::process(labels, &state.settings.alert_relabel_configs) else {
                continue;
            };
            let labels = labels.build();
            let ends = alert.resolved_at.unwrap_or(alert.valid_until);
            let url = format!("{}{}", state.settings.external_url, crate::expand::link(expr, 1));
            let body = json!({
                "labels": labels.iter().collect::<BTreeMap<_, _>>(),
                "annotations": alert.annotations,
                "startsAt": time_text(alert.fired_at.unwrap_or(alert.active_at)),
                "endsAt": time_text(ends),
                "generatorURL": url,
            });
            state.queue.push_back(Queued { body, labels });
            if state.queue.len() > self.capacity {
                state.queue.pop_front();
                self.metrics.dropped.inc();
            }
        }
        self.metrics.queue_length.set(state.queue.len() as f64);
        drop(state);
        self.wake.notify_one();
    }

    /// Sends until dropped. One loop per notifier; started again, it goes on with the settings it had.
    pub async fn run(&self) {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        let settings = {
            let state = self.lock();
            state.endpoints.is_none().then(|| state.settings.clone())
        };
        if let Some(Err(e)) = settings.map(|settings| self.apply(settings)) {
            tracing::error!("alerts go nowhere until the configuration is reloaded: {e}");
        }
        loop {
            let batch: Vec<Queued> = {
                let mut state = self.lock();
                if let Some(new) = state.endpoints.take() {
                    endpoints = new;
                }
                let count = state.queue.len().min(BATCH_MAX);
                state.queue.drain(..count).collect()
            };
            let targets = self.targets(&mut endpoints);
            if batch.is_empty() {
                let changed = futures_util::future::select_all(
                    endpoints
                        .iter_mut()
                        .map(|e| {
                            Box::pin(e.watch.changed()) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
                        })
                        .chain([Box::pin(std::future::pending()) as _]),
                );
                tokio::select! {
                    () = self.wake.notified() => {}
                    _ = changed => {}
                }
                continue;
            }
            let sends = targets.iter().map(|(at, url)| post(&endpoints[*at], url, &batch));
            let results = futures_util::future::join_all(sends).await;
            let count = batch.len() as u64;
            let mut delivered = targets.is_empty() && endpoints.is_empty();
            for ((_, url), result) in targets.iter().zip(results) {
                self.metrics.sent.with(&[url]).add(count);
                match result {
                    Ok(()) => delivered = true,
                    Err(e) => {
                        self.metrics.errors.with(&[url]).add(count);
                        tracing::error!(alertmanager = url, "sending alerts failed: {e}");
                    }
                }
            }
            if !delivered {
                self.metrics.dropped.add(count);
            }
            self.metrics.queue_length.set(self.lock().queue.len() as f64);
        }
    }

    /// Endpoint index and URL of every Alertmanager, each URL once.
    fn targets(&self, endpoints: &mut [Endpoint]) -> Vec<(usize, String)> {
        let (mut active, mut dropped) = (Vec::<(usize, String)>::new(), Vec::new());
        for (at, endpoint) in endpoints.iter_mut().enumerate() {
            for group in endpoint.watch.groups() {
                for target in &group.targets {
                    let mut labels = group.labels.to_builder();
                    for (name, value) in target {
                        labels.set(name, value);
                    }
                    if labels.get("__scheme__").is_empty() {
                        labels.set("__scheme__", endpoint.config.scheme.as_str());
                    }
                    let path = format!("/{}", endpoint.config.path_prefix.trim_matches('/'));
                    labels.set("__alerts_path__", format!("{}/api/v2/alerts", path.trim_end_matches('/')));
                    let address = target.get(ADDRESS_LABEL).to_owned();
                    match relabel::process(labels, &endpoint.config.relabel_configs) {
                        Some(l) => {
                            let (scheme, path) = (l.get("__scheme__"), l.get("__alerts_path__"));
                            let url = format!("{scheme}://{}{path}", l.get(ADDRESS_LABEL));
                            if !active.iter().any(|(_, known)| *known == url) {
                                active.push((at, url));
                            }
                        }
                        None => dropped.push(address),
                    }
                }
            }
        }
        let mut state = self.lock();
        state.active = active.iter().map(|(_, url)| url.clone()).collect();
        state.dropped = dropped;
        self.metrics.alertmanagers.set(active.len() as f64);
        active
    }
}

async fn post(endpoint: &Endpoint, url: &str, batch: &[Queued]) -> Result<(), String> {
    let rules = &endpoint.config.alert_relabel_configs;
    let body: Vec<serde_json::Value> = batch
        .iter()
        .filter_map(|alert| {
            if rules.is_empty() {
                return Some(alert.body.clone());
            }
            let labels = relabel::process(alert.labels.to_builder(), rules)?.build();
            let mut body = alert.body.clone();
            body["labels"] = json!(labels.iter().collect::<BTreeMap<_, _>>());
            Some(body)
        })
        .collect();
    if body.is_empty() {
        return Ok(());
    }
    let timeout = Duration::from_millis(endpoint.config.timeout.as_ms().max(1) as u64);
    endpoint.client.ready().await?;
    let request = endpoint.client.request(reqwest::Method::POST, url)?.timeout(timeout).json(&body);
    let reply = request.send().await.map_err(|e| client::explain(&e))?;
    if !reply.status().is_success() {
        return Err(format!("bad response status {}", reply.status()));
    }
    Ok(())
}

fn time_text(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| "0001-01-01T00:00:00Z".into(), |t| format!("{t:.3}"))
}

//! The Alertmanager as others see it: alerts in, silences in, settings applied, state asked for.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use expfmt::Registry;
use platform::{Clock, Disk};
use tokio_util::sync::CancellationToken;

use crate::alert::Alert;
use crate::alerts::AlertStore;
use crate::cluster::{Cluster, Seat};
use crate::dispatch::Dispatcher;
use crate::inhibit::{InhibitRule, Inhibitor};
use crate::intervals::TimeInterval;
use crate::matchers::MatcherMode;
use crate::metrics::Metrics;
use crate::nflog::NotificationLog;
use crate::notification::Integration;
use crate::pipeline::Pipeline;
use crate::route::RouteTree;
use crate::silences::{Silence, SilenceError, SilenceLimits, Silences};

/// What is fixed for the life of the process.
#[derive(Clone)]
pub struct Options {
    pub storage_path: PathBuf,
    /// How long expired silences and notification log entries are kept.
    pub retention: Duration,
    pub maintenance_interval: Duration,
    pub alert_gc_interval: Duration,
    pub dispatch_maintenance_interval: Duration,
    pub limits: Limits,
    pub matcher_mode: MatcherMode,
}

/// Limits; zero means none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    pub alerts: usize,
    pub silences: usize,
    pub silence_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            storage_path: PathBuf::from("data/"),
            retention: Duration::from_secs(120 * 3600),
            maintenance_interval: Duration::from_secs(15 * 60),
            alert_gc_interval: Duration::from_secs(30 * 60),
            dispatch_maintenance_interval: Duration::from_secs(30),
            limits: Limits { alerts: 1_000_000, ..Limits::default() },
            matcher_mode: MatcherMode::default(),
        }
    }
}

/// What a configuration file decides.
pub struct Settings {
    pub routes: RouteTree,
    pub inhibit_rules: Vec<InhibitRule>,
    pub intervals: BTreeMap<String, Vec<TimeInterval>>,
    pub receivers: BTreeMap<String, Vec<Arc<dyn Integration>>>,
    pub resolve_timeout: Duration,
}

pub struct Alertmanager {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) alerts: AlertStore,
    pub(crate) silences: Arc<Silences>,
    pub(crate) nflog: Arc<NotificationLog>,
    pub(crate) applied: RwLock<Option<Arc<Applied>>>,
    seat: Seat,
    metrics: Metrics,
    options: Options,
    stop: CancellationToken,
}

/// One configuration at work.
pub(crate) struct Applied {
    pub dispatcher: Dispatcher,
    pub inhibitor: Arc<Inhibitor>,
    pub resolve_timeout: Duration,
}

impl Alertmanager {
    /// Opens the stored state. Nothing is sent before [`Alertmanager::apply`].
    pub fn open(
        options: Options,
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        registry: &Registry,
    ) -> io::Result<Arc<Alertmanager>> {
        let limits = SilenceLimits { count: options.limits.silences, bytes: options.limits.silence_bytes };
        let seat = Seat::default();
        let silences = Silences::open(
            disk.clone(),
            &options.storage_path.join("silences.journal"),
            clock.clone(),
            options.retention,
            limits,
            options.matcher_mode,
        )?;
        let silences = Arc::new(silences.seated(seat.clone()));
        let nflog = NotificationLog::open(
            disk,
            &options.storage_path.join("nflog.journal"),
            clock.clone(),
            options.retention,
        )?;
        let nflog = Arc::new(nflog.seated(seat.clone()));
        let manager = Arc::new(Alertmanager {
            clock,
            alerts: AlertStore::default(),
            silences,
            nflog,
            applied: RwLock::new(None),
            seat,
            metrics: Metrics::new(registry),
            options,
            stop: CancellationToken::new(),
        });
        manager.register_gauges(registry);
        Ok(manager)
    }

    /// Takes the engine's seat in a cluster, once, before the first [`Alertmanager::apply`]; `false` when
    /// it has one already. Until then it works alone.
    pub fn join(&self, cluster: Arc<dyn Cluster>, peer_timeout: Duration) -> bool {
        self.seat.take(cluster, peer_timeout)
    }

    /// Puts a configuration to work. Groups are formed anew; alerts, silences and the notification log
    /// stay, so nothing is told twice. Must be called within a runtime.
    pub fn apply(&self, settings: Settings) {
        let now = self.clock.now_ns();
        let inhibitor = Arc::new(Inhibitor::new(settings.inhibit_rules));
        self.metrics.receivers.set(settings.receivers.len() as f64);
        self.metrics.integrations.set(settings.receivers.values().map(Vec::len).sum::<usize>() as f64);
        self.metrics.inhibition_rules.set(inhibitor.len() as f64);
        let pipeline = Arc::new(Pipeline {
            clock: self.clock.clone(),
            inhibitor: inhibitor.clone(),
            silences: self.silences.clone(),
            nflog: self.nflog.clone(),
            intervals: settings.intervals,
            receivers: settings.receivers,
            seat: self.seat.clone(),
            metrics: self.metrics.clone(),
        });
        let dispatcher = Dispatcher::new(settings.routes, pipeline, self.stop.child_token());
        let applied = Arc::new(Applied { dispatcher, inhibitor, resolve_timeout: settings.resolve_timeout });
        let mut slot = self.applied.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = slot.take() {
            old.dispatcher.stop();
        }
        // Sources first: an inhibited alert must not slip through because it was dispatched earlier.
        let alerts = self.alerts.list();
        for alert in &alerts {
            applied.inhibitor.observe(alert);
        }
        for alert in &alerts {
            applied.dispatcher.dispatch(alert, now);
        }
        *slot = Some(applied);
    }

    /// Takes alerts in. Valid ones are kept even when others are refused; the refusals are returned.
    /// `None` for an end time means "until the resolve timeout". Must be called within a runtime.
    pub fn put(&self, alerts: Vec<(Alert, bool)>) -> Result<(), Vec<String>> {
        let now = self.clock.now_ns();
        let applied = self.applied();
        let timeout = applied.as_ref().map_or(Duration::from_secs(300), |a| a.resolve_timeout);
        let mut refused = Vec::new();
        let mut stored = Vec::with_capacity(alerts.len());
        for (mut alert, has_end) in alerts {
            alert.updated_at = now;
            if !has_end {
                alert.timeout = true;
                alert.ends_at = now.saturating_add(crate::silences::nanos(timeout));
            }
            let status = if alert.resolved_at(now) { "resolved" } else { "firing" };
            self.metrics.received.with(&[status, "v2"]).inc();
            let result = alert
                .validate(self.options.matcher_mode)
                .and_then(|()| self.alerts.put(alert, now, &self.options.limits));
            match result {
                Ok(alert) => stored.push(alert),
                Err(message) => {
                    self.metrics.invalid.with(&["v2"]).inc();
                    refused.push(message);
                }
            }
        }
        if let Some(applied) = applied {
            for alert in &stored {
                applied.inhibitor.observe(alert);
            }
            for alert in &stored {
                applied.dispatcher.dispatch(alert, now);
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    pub(crate) fn applied(&self) -> Option<Arc<Applied>> {
        self.applied.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Creates or changes a silence; blocks until it is on disk.
    pub fn set_silence(&self, silence: Silence) -> Result<String, SilenceError> {
        self.silences.set(silence)
    }

    /// Ends a silence; blocks until that is on disk.
    pub fn expire_silence(&self, id: &str) -> Result<(), SilenceError> {
        self.silences.expire(id)
    }

    pub fn silence(&self, id: &str) -> Option<Silence> {
        self.silences.get(id)
    }

    pub fn silences(&self) -> Vec<Silence> {
        self.silences.list()
    }

    /// Collects garbage until the manager is shut down.
    pub async fn maintain(self: Arc<Self>) {
        let mut groups = tokio::time::interval(self.options.dispatch_maintenance_interval);
        let mut alerts = tokio::time::interval(self.options.alert_gc_interval);
        let mut state = tokio::time::interval(self.options.maintenance_interval);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = groups.tick() => {
                    if let Some(applied) = self.applied() {
                        applied.dispatcher.maintain();
                    }
                }
                _ = alerts.tick() => {
                    let now = self.clock.now_ns();
                    self.alerts.collect(now);
                    if let Some(applied) = self.applied() {
                        applied.inhibitor.collect(now);
                    }
                }
                _ = state.tick() => {
                    let (silences, nflog) = (self.silences.clone(), self.nflog.clone());
                    let done = tokio::task::spawn_blocking(move || silences.collect().and(nflog.collect()));
                    if let Ok(Err(e)) = done.await {
                        tracing::error!("cannot tidy the stored state: {e}");
                    }
                }
            }
        }
    }

    /// Stops all timers. Everything that must survive is on disk already.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }

    fn register_gauges(self: &Arc<Self>, registry: &Registry) {
        let silences = self.silences.clone();
        registry.collector(move |out| {
            let [active, pending, expired] = silences.counts();
            let family = expfmt::Family::gauge("alertmanager_silences", "How many silences by state.")
                .with(&[("state", "active")], active as f64)
                .with(&[("state", "expired")], expired as f64)
                .with(&[("state", "pending")], pending as f64);
            out.push(family);
        });
        let silences = self.silences.clone();
        registry.gauge_fn(
            "alertmanager_silences_snapshot_size_bytes",
            "Size of the last silence snapshot in bytes.",
            move || silences.bytes() as f64,
        );
        let nflog = self.nflog.clone();
        registry.gauge_fn(
            "alertmanager_nflog_snapshot_size_bytes",
            "Size of the last notification log snapshot in bytes.",
            move || nflog.bytes() as f64,
        );
        // The registry outlives nothing: a weak reference avoids a cycle through the front door.
        let weak = Arc::downgrade(self);
        registry.collector(move |out| {
            let Some(manager) = weak.upgrade() else { return };
            let [active, suppressed, unprocessed] = manager.alert_counts();
            let family = expfmt::Family::gauge("alertmanager_alerts", "How many alerts by state.")
                .with(&[("state", "active")], active as f64)
                .with(&[("state", "suppressed")], suppressed as f64)
                .with(&[("state", "unprocessed")], unprocessed as f64);
            out.push(family);
        });
    }
}

/// A lock that a panicking holder does not poison: each critical section leaves its data whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Whole behaviours on a paused runtime: the clock is tokio's, so waiting costs nothing.

mod cluster;
mod grammar;
mod held;
mod routing;
mod sending;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::Labels;
use platform::{Clock, OsDisk};
use tokio::time::Instant;

use crate::manager::lock;
use crate::notification::{Attempt, FailureReason, Integration, Notification, NotifyError, Sending};
use crate::{Alert, Alertmanager, Options, RouteSpec, RouteTree, Settings};

/// Wall time that follows tokio's (pausable) clock.
pub(super) struct TokioClock {
    origin: Instant,
}

/// 2023-11-14T22:13:20Z, a Tuesday.
pub(super) const START_NS: i64 = 1_700_000_000_000_000_000;

impl TokioClock {
    pub fn start() -> Arc<dyn Clock> {
        Arc::new(TokioClock { origin: Instant::now() })
    }
}

impl Clock for TokioClock {
    fn now_ns(&self) -> i64 {
        START_NS + self.monotonic().as_nanos() as i64
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// Remembers what it was told; fails as often as asked.
#[derive(Default)]
pub(super) struct Sink {
    pub told: Mutex<Vec<String>>,
    pub failures: Mutex<Vec<NotifyError>>,
    pub sends_resolved: bool,
}

impl Sink {
    pub fn told(&self) -> Vec<String> {
        lock(&self.told).clone()
    }
}

impl Integration for Sink {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn sends_resolved(&self) -> bool {
        self.sends_resolved
    }

    fn notify<'a>(&'a self, notification: &'a Notification, _: &'a mut Attempt) -> Sending<'a> {
        Box::pin(async move {
            if let Some(error) = lock(&self.failures).pop() {
                return Err(error);
            }
            let alerts: Vec<String> = notification
                .alerts
                .iter()
                .map(|a| format!("{}{}", if a.resolved { "-" } else { "+" }, a.alert.labels.get("name")))
                .collect();
            let line =
                format!("{} {}: {}", notification.group_key, notification.reason.as_str(), alerts.join(" "));
            lock(&self.told).push(line);
            Ok(())
        })
    }
}

pub(super) struct Stage {
    pub manager: Arc<Alertmanager>,
    pub sink: Arc<Sink>,
    pub clock: Arc<dyn Clock>,
    pub dir: Arc<tempfile::TempDir>,
}

impl Stage {
    pub fn new(sends_resolved: bool) -> Stage {
        Stage::at(Arc::new(tempfile::tempdir().unwrap()), TokioClock::start(), sends_resolved)
    }

    pub fn at(dir: Arc<tempfile::TempDir>, clock: Arc<dyn Clock>, sends_resolved: bool) -> Stage {
        Stage::with(dir, clock, sends_resolved, |_| {})
    }

    pub fn with(
        dir: Arc<tempfile::TempDir>,
        clock: Arc<dyn Clock>,
        sends_resolved: bool,
        change: impl FnOnce(&mut Options),
    ) -> Stage {
        let mut options = Options { storage_path: dir.path().to_owned(), ..Options::default() };
        change(&mut options);
        let registry = expfmt::Registry::new();
        let manager = Alertmanager::open(options, Arc::new(OsDisk), clock.clone(), &registry).unwrap();
        let sink = Arc::new(Sink { sends_resolved, ..Sink::default() });
        let stage = Stage { manager, sink, clock, dir };
        stage.apply(|_| {});
        stage
    }

    /// Applies a configuration: group by `alertname`, wait 30 s, interval 5 min, repeat 4 h.
    pub fn apply(&self, change: impl FnOnce(&mut Settings)) {
        let spec = RouteSpec {
            receiver: Some("team".into()),
            group_by: Some(["alertname".to_owned()].into()),
            ..RouteSpec::default()
        };
        let mut settings = Settings {
            routes: RouteTree::new(&spec),
            inhibit_rules: Vec::new(),
            intervals: BTreeMap::new(),
            receivers: [("team".to_owned(), vec![self.sink.clone() as Arc<dyn Integration>])].into(),
            resolve_timeout: Duration::from_secs(300),
        };
        change(&mut settings);
        self.manager.apply(settings);
    }

    /// Fires (or, with `end` now, resolves) the alert `name` of group `group`.
    pub fn put(&self, group: &str, name: &str, extra: &[(&str, &str)], ends: Ends) {
        let now = self.clock.now_ns();
        let pairs = [("alertname", group), ("name", name)].into_iter().chain(extra.iter().copied());
        let (ends_at, has_end) = match ends {
            Ends::Timeout => (0, false),
            Ends::Now => (now, true),
            Ends::In(secs) => (now + secs * 1_000_000_000, true),
        };
        let alert = Alert {
            labels: Labels::from_pairs(pairs),
            annotations: Default::default(),
            starts_at: now,
            ends_at,
            updated_at: now,
            generator_url: String::new(),
            timeout: false,
            inherited: false,
        };
        self.manager.put(vec![(alert, has_end)]).unwrap();
    }

    pub fn views(&self) -> Vec<crate::AlertView> {
        let mut views = Vec::new();
        self.manager.query_alerts(&Default::default(), &mut |view| {
            views.push(view);
            std::ops::ControlFlow::Continue(())
        });
        views
    }

    pub async fn pass(&self, secs: u64) {
        tokio::time::sleep(Duration::from_secs(secs)).await;
    }
}

pub(super) enum Ends {
    Timeout,
    Now,
    In(i64),
}

pub(super) fn busy() -> NotifyError {
    NotifyError { retry: true, reason: FailureReason::ServerError, message: "busy".into() }
}

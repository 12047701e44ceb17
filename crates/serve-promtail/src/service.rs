//! The engine and what it was started with.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use expfmt::{Counter, Gauge};
use front::Host;
use tail::{Metrics, Status, Tailer};

use crate::flags::Settings;

pub(crate) struct Service {
    pub host: Host,
    metrics: Arc<Metrics>,
    reload_success: Counter,
    reload_fail: Counter,
    config_hash_ok: Gauge,
    state: Mutex<State>,
}

struct State {
    settings: Settings,
    /// `None` after the stop.
    tailer: Option<Tailer>,
}

impl Service {
    pub fn start(settings: Settings, host: &Host) -> Result<Arc<Service>, String> {
        let registry = &host.registry;
        front::metrics::register_process(registry, crate::NAME, host.version);
        let metrics = Arc::new(Metrics::new(registry));
        let tailer = Tailer::start(settings.config.clone(), metrics.clone())?;
        let service = Service {
            host: host.clone(),
            metrics,
            reload_success: registry
                .counter("promtail_config_reload_success_total", "Configuration reloads that succeeded."),
            reload_fail: registry
                .counter("promtail_config_reload_fail_total", "Configuration reloads that failed."),
            config_hash_ok: registry.gauge(
                "promtail_config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded.",
            ),
            state: Mutex::new(State { settings, tailer: Some(tailer) }),
        };
        service.config_hash_ok.set(1.0);
        Ok(Arc::new(service))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    pub fn status(&self) -> Status {
        self.state().tailer.as_ref().map(Tailer::status).unwrap_or_default()
    }

    /// Reads the file again and starts anew with it; on any trouble everything stays as it was.
    pub async fn reload(self: Arc<Self>) -> Result<(), String> {
        let service = self.clone();
        let reloaded = tokio::task::spawn_blocking(move || service.replace()).await;
        let reloaded = reloaded.unwrap_or_else(|_| Err("the reload panicked".into()));
        let counter = if reloaded.is_ok() { &self.reload_success } else { &self.reload_fail };
        counter.inc();
        self.config_hash_ok.set(if reloaded.is_ok() { 1.0 } else { 0.0 });
        reloaded
    }

    fn replace(&self) -> Result<(), String> {
        let mut state = self.state();
        if state.tailer.is_none() {
            return Err("the service is stopping".into());
        }
        let settings = state.settings.again()?;
        // Two engines would write one positions file.
        if let Some(tailer) = state.tailer.take() {
            tailer.stop();
        }
        match Tailer::start(settings.config.clone(), self.metrics.clone()) {
            Ok(tailer) => {
                *state = State { settings, tailer: Some(tailer) };
                Ok(())
            }
            Err(error) => {
                let old = state.settings.config.clone();
                state.tailer = Some(Tailer::start(old, self.metrics.clone())?);
                Err(error)
            }
        }
    }

    pub fn stop(&self) {
        let tailer = self.state().tailer.take();
        if let Some(tailer) = tailer {
            tailer.stop();
        }
    }
}

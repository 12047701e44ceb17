//! `alertmanager.yml`: its shape, what must hold, and what it means to the engine.

pub(crate) mod compile;
mod global;
mod print;
mod receivers;
mod route;

use std::collections::HashSet;
use std::path::Path;

use ::config::{ConfigError, Validate};
use serde::Deserialize;

pub use compile::Loaded;
pub(crate) use compile::compile;
pub use global::Global;
pub use receivers::Receiver;
pub use route::Route;
use route::{InhibitRule, NamedInterval};

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub global: Option<Global>,
    pub route: Option<Route>,
    pub inhibit_rules: Option<Vec<InhibitRule>>,
    pub receivers: Option<Vec<Receiver>>,
    pub templates: Option<Vec<String>>,
    pub mute_time_intervals: Option<Vec<NamedInterval>>,
    pub time_intervals: Option<Vec<NamedInterval>>,
    pub tracing: Option<serde_json::Value>,
    pub event_recorder: Option<serde_json::Value>,
}

impl Config {
    pub(crate) fn intervals(&self) -> impl Iterator<Item = &NamedInterval> {
        self.mute_time_intervals.iter().chain(&self.time_intervals).flatten()
    }

    pub(crate) fn receivers(&self) -> &[Receiver] {
        self.receivers.as_deref().unwrap_or_default()
    }
}

impl Validate for Config {
    fn validate(&mut self) -> Result<(), String> {
        if self.tracing.is_some() {
            return Err("tracing is not supported yet".into());
        }
        if self.event_recorder.is_some() {
            return Err("event_recorder is not supported yet".into());
        }
        if let Some(global) = &self.global {
            global.validate()?;
        }
        let mut names = HashSet::new();
        for receiver in self.receivers() {
            receiver.validate()?;
            if !names.insert(receiver.name.clone()) {
                return Err(format!("notification config name {:?} is not unique", receiver.name));
            }
        }
        let route = self.route.as_ref().ok_or("no routes provided")?;
        route.validate_root()?;
        let mut intervals = HashSet::new();
        for interval in self.intervals() {
            if interval.name.is_empty() {
                return Err("missing name in time interval".into());
            }
            if !intervals.insert(interval.name.clone()) {
                return Err(format!("time interval {:?} is not unique", interval.name));
            }
        }
        route.validate(&names, &intervals)
    }
}

/// Reads and checks a configuration file and everything it points to.
pub fn load(
    path: &Path,
    external_url: &str,
    mode: alerting::MatcherMode,
    clock: std::sync::Arc<dyn platform::Clock>,
) -> Result<Loaded, ConfigError> {
    let text = ::config::read(path)?;
    let name = path.display().to_string();
    let config: Config = ::config::parse(&name, &text)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    compile(&config, &name, &text, dir, external_url, mode, clock)
}

/// Checks a configuration text as `amtool check-config` does; relative files belong to `dir`.
pub fn check(name: &str, text: &str, dir: &Path) -> Result<(), ConfigError> {
    let config: Config = ::config::parse(name, text)?;
    let clock = std::sync::Arc::new(platform::SystemClock::new());
    compile(&config, name, text, dir, "http://localhost", alerting::MatcherMode::default(), clock).map(|_| ())
}

//! `alerting`: who hears of alerts, and how they are rewritten on the way.

use std::path::Path;

use relabel::RelabelConfig;
use rules::AlertmanagerConfig;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alerting {
    pub alert_relabel_configs: Vec<RelabelConfig>,
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

impl Alerting {
    pub fn validate(&self) -> Result<(), String> {
        self.alertmanagers.iter().try_for_each(AlertmanagerConfig::validate)
    }

    /// Takes relative paths from `directory`.
    pub fn set_directory(&mut self, directory: &Path) {
        self.alertmanagers.iter_mut().for_each(|c| c.set_directory(directory));
    }
}

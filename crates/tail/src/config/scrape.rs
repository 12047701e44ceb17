//! What is followed: file patterns, the journal.

use std::collections::BTreeMap;

use config::Duration;
use discovery::Sources;
use relabel::RelabelConfig;
use serde::Deserialize;

use super::{Refused, StageConfig};

/// One job.
#[derive(Debug, Clone, Default)]
pub struct ScrapeConfig {
    pub job_name: String,
    pub sources: Sources,
    pub journal: Option<JournalConfig>,
    pub pipeline_stages: Vec<StageConfig>,
    pub relabel_configs: Vec<RelabelConfig>,
    pub encoding: String,
    pub decompression: DecompressionConfig,
    pub syslog: Option<Refused>,
    pub loki_push_api: Option<Refused>,
    pub gelf: Option<Refused>,
    pub kafka: Option<Refused>,
    pub windows_events: Option<Refused>,
    pub cloudflare: Option<Refused>,
    pub heroku_drain: Option<Refused>,
    pub gcplog: Option<Refused>,
    pub azure_event_hubs: Option<Refused>,
}

config::section!(ScrapeConfig {
    job_name,
    journal,
    pipeline_stages,
    relabel_configs,
    encoding,
    decompression,
    syslog,
    loki_push_api,
    gelf,
    kafka,
    windows_events,
    cloudflare,
    heroku_drain,
    gcplog,
    azure_event_hubs,
} inline { sources });

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecompressionConfig {
    pub enabled: bool,
    pub format: String,
    pub initial_delay: Duration,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JournalConfig {
    /// Entries older than this are not read at the first start.
    pub max_age: Duration,
    /// Lines are the whole entry as JSON instead of its message.
    pub json: bool,
    pub labels: BTreeMap<String, String>,
    /// Directory of the journal; empty: the system's.
    pub path: String,
    /// `FIELD=value …` as journalctl takes them.
    pub matches: String,
}

impl Default for JournalConfig {
    fn default() -> JournalConfig {
        JournalConfig {
            max_age: Duration::from_secs(7 * 3600),
            json: false,
            labels: BTreeMap::new(),
            path: String::new(),
            matches: String::new(),
        }
    }
}

impl ScrapeConfig {
    pub fn validate(&self) -> Result<(), String> {
        let refused = [
            ("syslog", self.syslog.is_some()),
            ("loki_push_api", self.loki_push_api.is_some()),
            ("gelf", self.gelf.is_some()),
            ("kafka", self.kafka.is_some()),
            ("windows_events", self.windows_events.is_some()),
            ("cloudflare", self.cloudflare.is_some()),
            ("heroku_drain", self.heroku_drain.is_some()),
            ("gcplog", self.gcplog.is_some()),
            ("azure_event_hubs", self.azure_event_hubs.is_some()),
        ];
        if let Some((name, _)) = refused.iter().find(|(_, given)| *given) {
            return Err(format!("{name} is not supported: follow files with __path__, or the journal"));
        }
        if !matches!(self.encoding.to_ascii_lowercase().as_str(), "" | "utf-8" | "utf8") {
            return Err(format!("encoding {:?} is not supported: only UTF-8 is", self.encoding));
        }
        if self.decompression.enabled {
            return Err("decompression is not supported: compressed files are not followed".into());
        }
        self.sources.validate()?;
        if let Some(why) = self.sources.unavailable() {
            return Err(why);
        }
        // Here the original does not only find containers by it, it also reads their logs from the engine.
        if !self.sources.docker_sd_configs.is_empty() {
            return Err("docker_sd_configs is not supported: follow the containers' log files".into());
        }
        // Compiling finds what types alone cannot.
        crate::stages::Pipeline::check(&self.pipeline_stages)
    }
}

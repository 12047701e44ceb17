//! The `global` section.

use std::collections::BTreeMap;

use config::Duration;

use super::{ByteSize, NameEscaping, NameValidation, ScrapeProtocol, check_protocols};

/// What jobs and rules inherit. After [`Global::validate`] every duration is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Global {
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
    /// `None`: jobs choose, see [`ScrapeConfig::inherit`](super::ScrapeConfig::inherit).
    pub scrape_protocols: Option<Vec<ScrapeProtocol>>,
    pub evaluation_interval: Duration,
    pub rule_query_offset: Duration,
    pub query_log_file: String,
    pub scrape_failure_log_file: String,
    pub external_labels: BTreeMap<String, String>,
    pub body_size_limit: ByteSize,
    pub sample_limit: u64,
    pub target_limit: u64,
    pub label_limit: u64,
    pub label_name_length_limit: u64,
    pub label_value_length_limit: u64,
    pub keep_dropped_targets: u64,
    pub metric_name_validation_scheme: NameValidation,
    pub metric_name_escaping_scheme: Option<NameEscaping>,
    pub scrape_native_histograms: bool,
    pub convert_classic_histograms_to_nhcb: bool,
    pub always_scrape_classic_histograms: bool,
    pub extra_scrape_metrics: bool,
}

impl Default for Global {
    fn default() -> Global {
        Global {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_ms(0),
            scrape_protocols: None,
            evaluation_interval: Duration::from_secs(60),
            rule_query_offset: Duration::from_ms(0),
            query_log_file: String::new(),
            scrape_failure_log_file: String::new(),
            external_labels: BTreeMap::new(),
            body_size_limit: ByteSize(0),
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: NameValidation::Utf8,
            metric_name_escaping_scheme: None,
            scrape_native_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            extra_scrape_metrics: false,
        }
    }
}

config::section!(Global {
    scrape_interval,
    scrape_timeout,
    scrape_protocols,
    evaluation_interval,
    rule_query_offset,
    query_log_file,
    scrape_failure_log_file,
    external_labels,
    body_size_limit,
    sample_limit,
    target_limit,
    label_limit,
    label_name_length_limit,
    label_value_length_limit,
    keep_dropped_targets,
    metric_name_validation_scheme,
    metric_name_escaping_scheme,
    scrape_native_histograms,
    convert_classic_histograms_to_nhcb,
    always_scrape_classic_histograms,
    extra_scrape_metrics,
});

impl Global {
    /// Fills in what was left open and checks the rest.
    pub fn validate(&mut self) -> Result<(), String> {
        let defaults = Global::default();
        if let Some(name) = self.external_labels.keys().find(|name| name.is_empty()) {
            return Err(format!("{name:?} is not a valid label name"));
        }
        if self.scrape_interval.is_zero() {
            self.scrape_interval = defaults.scrape_interval;
        }
        if self.scrape_timeout > self.scrape_interval {
            return Err("global scrape timeout greater than scrape interval".into());
        }
        if self.scrape_timeout.is_zero() {
            self.scrape_timeout = Duration::from_secs(10).min(self.scrape_interval);
        }
        if self.evaluation_interval.is_zero() {
            self.evaluation_interval = defaults.evaluation_interval;
        }
        match &self.scrape_protocols {
            Some(protocols) => check_protocols(protocols).map_err(|e| format!("{e} for global config")),
            None => Ok(()),
        }
    }
}

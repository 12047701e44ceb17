//! One entry of `scrape_configs`.

use std::collections::BTreeMap;
use std::path::Path;

use client::HttpClientConfig;
use config::Duration;
use discovery::Sources;
use relabel::RelabelConfig;

use super::{ByteSize, Global, NameEscaping, NameValidation, ScrapeProtocol, check_protocols};

/// A job. Zero and `None` mean "as in `global`" until [`ScrapeConfig::inherit`] has filled them in.
#[derive(Debug, Clone, PartialEq)]
pub struct ScrapeConfig {
    pub job_name: String,
    pub honor_labels: bool,
    pub honor_timestamps: bool,
    pub track_timestamps_staleness: bool,
    pub params: BTreeMap<String, Vec<String>>,
    pub scrape_interval: Duration,
    pub scrape_timeout: Duration,
    pub scrape_protocols: Vec<ScrapeProtocol>,
    pub fallback_scrape_protocol: Option<ScrapeProtocol>,
    pub scrape_native_histograms: Option<bool>,
    pub always_scrape_classic_histograms: Option<bool>,
    pub convert_classic_histograms_to_nhcb: Option<bool>,
    pub extra_scrape_metrics: Option<bool>,
    pub metrics_path: String,
    pub scheme: String,
    pub enable_compression: bool,
    pub body_size_limit: ByteSize,
    pub sample_limit: u64,
    pub target_limit: u64,
    pub label_limit: u64,
    pub label_name_length_limit: u64,
    pub label_value_length_limit: u64,
    pub native_histogram_bucket_limit: u64,
    pub native_histogram_min_bucket_factor: f64,
    pub keep_dropped_targets: u64,
    pub metric_name_validation_scheme: Option<NameValidation>,
    pub metric_name_escaping_scheme: Option<NameEscaping>,
    pub scrape_failure_log_file: String,
    pub relabel_configs: Vec<RelabelConfig>,
    pub metric_relabel_configs: Vec<RelabelConfig>,
    pub sources: Sources,
    pub client: HttpClientConfig,
}

impl Default for ScrapeConfig {
    fn default() -> ScrapeConfig {
        ScrapeConfig {
            job_name: String::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            params: BTreeMap::new(),
            scrape_interval: Duration::from_ms(0),
            scrape_timeout: Duration::from_ms(0),
            scrape_protocols: Vec::new(),
            fallback_scrape_protocol: None,
            scrape_native_histograms: None,
            always_scrape_classic_histograms: None,
            convert_classic_histograms_to_nhcb: None,
            extra_scrape_metrics: None,
            metrics_path: "/metrics".into(),
            scheme: "http".into(),
            enable_compression: true,
            body_size_limit: ByteSize(0),
            sample_limit: 0,
            target_limit: 0,
            label_limit: 0,
            label_name_length_limit: 0,
            label_value_length_limit: 0,
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            keep_dropped_targets: 0,
            metric_name_validation_scheme: None,
            metric_name_escaping_scheme: None,
            scrape_failure_log_file: String::new(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            sources: Sources::default(),
            client: HttpClientConfig::default(),
        }
    }
}

config::section!(ScrapeConfig {
    job_name,
    honor_labels,
    honor_timestamps,
    track_timestamps_staleness,
    params,
    scrape_interval,
    scrape_timeout,
    scrape_protocols,
    fallback_scrape_protocol,
    scrape_native_histograms,
    always_scrape_classic_histograms,
    convert_classic_histograms_to_nhcb,
    extra_scrape_metrics,
    metrics_path,
    scheme,
    enable_compression,
    body_size_limit,
    sample_limit,
    target_limit,
    label_limit,
    label_name_length_limit,
    label_value_length_limit,
    native_histogram_bucket_limit,
    native_histogram_min_bucket_factor,
    keep_dropped_targets,
    metric_name_validation_scheme,
    metric_name_escaping_scheme,
    scrape_failure_log_file,
    relabel_configs,
    metric_relabel_configs,
} inline { sources, client });

impl ScrapeConfig {
    /// Fills in what `global` decides and checks the rest.
    pub fn inherit(&mut self, global: &Global) -> Result<(), String> {
        if self.job_name.is_empty() {
            return Err("job_name is empty".into());
        }
        self.client.validate()?;
        self.sources.validate()?;
        if self.scheme != "http" && self.scheme != "https" {
            return Err(format!("invalid scheme: {:?}", self.scheme));
        }
        let job = &self.job_name;
        if self.scrape_interval.is_zero() {
            self.scrape_interval = global.scrape_interval;
        }
        if self.scrape_timeout > self.scrape_interval {
            return Err(format!(
                "scrape timeout greater than scrape interval for scrape config with job name {job:?}"
            ));
        }
        if self.scrape_timeout.is_zero() {
            self.scrape_timeout = global.scrape_timeout.min(self.scrape_interval);
        }
        for (own, inherited) in [
            (&mut self.body_size_limit.0, global.body_size_limit.0),
            (&mut self.sample_limit, global.sample_limit),
            (&mut self.target_limit, global.target_limit),
            (&mut self.label_limit, global.label_limit),
            (&mut self.label_name_length_limit, global.label_name_length_limit),
            (&mut self.label_value_length_limit, global.label_value_length_limit),
            (&mut self.keep_dropped_targets, global.keep_dropped_targets),
        ] {
            if *own == 0 {
                *own = inherited;
            }
        }
        if self.scrape_failure_log_file.is_empty() {
            self.scrape_failure_log_file.clone_from(&global.scrape_failure_log_file);
        }
        self.extra_scrape_metrics.get_or_insert(global.extra_scrape_metrics);
        self.scrape_native_histograms.get_or_insert(global.scrape_native_histograms);
        self.always_scrape_classic_histograms.get_or_insert(global.always_scrape_classic_histograms);
        self.convert_classic_histograms_to_nhcb.get_or_insert(global.convert_classic_histograms_to_nhcb);
        if self.scrape_protocols.is_empty() {
            self.scrape_protocols = match (&global.scrape_protocols, self.scrape_native_histograms) {
                (Some(protocols), _) => protocols.clone(),
                (None, Some(true)) => ScrapeProtocol::PROTOBUF_FIRST.to_vec(),
                (None, _) => ScrapeProtocol::DEFAULT.to_vec(),
            };
        }
        check_protocols(&self.scrape_protocols)
            .map_err(|e| format!("{e} for scrape config with job name {job:?}"))?;
        let validation =
            *self.metric_name_validation_scheme.get_or_insert(global.metric_name_validation_scheme);
        self.metric_name_escaping_scheme =
            self.metric_name_escaping_scheme.or(global.metric_name_escaping_scheme);
        let escaping = *self.metric_name_escaping_scheme.get_or_insert(match validation {
            NameValidation::Utf8 => NameEscaping::AllowUtf8,
            NameValidation::Legacy => NameEscaping::Underscores,
        });
        if validation == NameValidation::Legacy && escaping == NameEscaping::AllowUtf8 {
            return Err(format!(
                "utf8 metric names requested but validation scheme is not set to UTF8, job {job:?}"
            ));
        }
        Ok(())
    }

    /// Takes relative paths from `directory`, the configuration file's own.
    pub fn set_directory(&mut self, directory: &Path) {
        self.sources.set_directory(directory);
        self.client.set_directory(directory);
        if !self.scrape_failure_log_file.is_empty() {
            let path = directory.join(&self.scrape_failure_log_file);
            self.scrape_failure_log_file = path.display().to_string();
        }
    }

    /// Checks a whole list: every entry, and that no name is taken twice.
    pub fn inherit_all(configs: &mut [ScrapeConfig], global: &Global) -> Result<(), String> {
        let mut names = std::collections::HashSet::new();
        for config in &mut *configs {
            config.inherit(global)?;
            if !names.insert(config.job_name.clone()) {
                return Err(format!("found multiple scrape configs with job name {:?}", config.job_name));
            }
        }
        Ok(())
    }
}

//! Where lines are pushed to.

use std::collections::BTreeMap;

use client::HttpClientConfig;
use config::Duration;
use serde::Deserialize;

/// One Loki.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    pub name: String,
    pub url: String,
    /// How long lines are collected at most.
    pub batchwait: Duration,
    /// How many bytes of lines are collected at most.
    pub batchsize: usize,
    pub timeout: Duration,
    pub backoff_config: Backoff,
    pub external_labels: BTreeMap<String, String>,
    pub tenant_id: String,
    pub drop_rate_limited_batches: bool,
    pub headers: BTreeMap<String, String>,
    pub http: HttpClientConfig,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            name: String::new(),
            url: String::new(),
            batchwait: Duration::from_secs(1),
            batchsize: 1 << 20,
            timeout: Duration::from_secs(10),
            backoff_config: Backoff::default(),
            external_labels: BTreeMap::new(),
            tenant_id: String::new(),
            drop_rate_limited_batches: false,
            headers: BTreeMap::new(),
            http: HttpClientConfig::default(),
        }
    }
}

config::section!(ClientConfig {
    name,
    url,
    batchwait,
    batchsize,
    timeout,
    backoff_config,
    external_labels,
    tenant_id,
    drop_rate_limited_batches,
    headers,
} inline { http });

/// Pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backoff {
    pub min_period: Duration,
    pub max_period: Duration,
    /// Tries before a batch is given up. Zero, and that is the default here: never. Nothing is lost while
    /// Loki is away; reading pauses.
    pub max_retries: u32,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { min_period: Duration::from_ms(500), max_period: Duration::from_secs(300), max_retries: 0 }
    }
}

impl ClientConfig {
    pub fn validate(&self) -> Result<(), String> {
        let url = self.url.trim();
        if url.is_empty() {
            return Err("client needs target URL".into());
        }
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(format!("client url {url:?} must begin with http:// or https://"));
        }
        if self.batchsize == 0 {
            return Err("client batchsize must be greater than 0".into());
        }
        self.http.validate()
    }
}

//! One entry of `remote_read`.

use std::collections::BTreeMap;
use std::path::Path;

use client::HttpClientConfig;
use config::Duration;

use super::{short_hash, validate_headers, validate_names, validate_url};

/// The largest frame of a streamed answer that is accepted, as in the original.
const CHUNKED_READ_LIMIT: u64 = 50_000_000;

#[derive(Debug, Clone)]
pub struct RemoteReadConfig {
    pub url: String,
    pub remote_timeout: Duration,
    pub chunked_read_limit: u64,
    pub headers: BTreeMap<String, String>,
    pub read_recent: bool,
    pub name: Option<String>,
    /// Equality matchers a selector must have to be asked of this remote.
    pub required_matchers: BTreeMap<String, String>,
    /// Whether the external labels are added to what is asked and removed from what is answered.
    pub filter_external_labels: bool,
    pub http: HttpClientConfig,
}

impl Default for RemoteReadConfig {
    fn default() -> RemoteReadConfig {
        RemoteReadConfig {
            url: String::new(),
            remote_timeout: Duration::from_secs(60),
            chunked_read_limit: CHUNKED_READ_LIMIT,
            headers: BTreeMap::new(),
            read_recent: false,
            name: None,
            required_matchers: BTreeMap::new(),
            filter_external_labels: true,
            http: HttpClientConfig::default(),
        }
    }
}

config::section!(RemoteReadConfig {
    url,
    remote_timeout,
    chunked_read_limit,
    headers,
    read_recent,
    name,
    required_matchers,
    filter_external_labels,
} inline { http });

impl RemoteReadConfig {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), String> {
        validate_url("remote_read", &self.url)?;
        if let Some(why) = super::unsupported_scheme(&self.url) {
            return Err(format!("remote_read: {why}"));
        }
        validate_headers(&self.headers)?;
        self.http.validate()
    }

    /// Checks the whole list.
    pub fn validate_all(list: &[RemoteReadConfig]) -> Result<(), String> {
        list.iter().try_for_each(RemoteReadConfig::validate)?;
        validate_names("read", list.iter().map(|c| c.name.as_deref()))
    }

    /// Takes relative paths from `directory`.
    pub fn set_directory(&mut self, directory: &Path) {
        self.http.set_directory(directory);
    }

    /// The entry's name in metrics and logs.
    pub fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| short_hash(&[&self.url]))
    }
}

//! HTTP discovery: an endpoint that answers with target groups as JSON.

use client::{Client, HttpClientConfig};
use config::Duration;
use model::Labels;

use crate::group::{StaticConfig, TargetGroup};

#[derive(Debug, Clone, PartialEq)]
pub struct HttpSdConfig {
    pub url: String,
    pub refresh_interval: Duration,
    pub client: HttpClientConfig,
}

impl Default for HttpSdConfig {
    fn default() -> HttpSdConfig {
        HttpSdConfig {
            url: String::new(),
            refresh_interval: Duration::from_secs(60),
            client: HttpClientConfig::default(),
        }
    }
}

config::section!(HttpSdConfig { url, refresh_interval } inline { client });

impl HttpSdConfig {
    pub fn validate(&self) -> Result<(), String> {
        if self.url.is_empty() {
            return Err("URL is missing".into());
        }
        let url = reqwest::Url::parse(&self.url).map_err(|e| format!("parse {:?}: {e}", self.url))?;
        if url.scheme() != "http" && url.scheme() != "https" {
            return Err("URL scheme must be 'http' or 'https'".into());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("host is missing in URL".into());
        }
        self.client.validate()
    }

    /// Asks once.
    pub(crate) async fn fetch(&self, client: &Client) -> Result<Vec<TargetGroup>, String> {
        let seconds = model::float::format_f(self.refresh_interval.as_ms() as f64 / 1000.0);
        client.ready().await?;
        let request = client.get(&self.url)?;
        let request = request
            .header("Accept", "application/json")
            .header("X-Prometheus-Refresh-Interval-Seconds", seconds);
        let response = request.send().await.map_err(|e| client::explain(&e))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            return Err(format!("server returned HTTP status {status}"));
        }
        let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("");
        if content_type.split(';').next().map(str::trim) != Some("application/json") {
            return Err(format!("unsupported content type {content_type:?}"));
        }
        let body = crate::reply::body(response).await?;
        self.groups(&body)
    }

    fn groups(&self, body: &[u8]) -> Result<Vec<TargetGroup>, String> {
        let groups: Vec<Option<StaticConfig>> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
        let mut out = Vec::with_capacity(groups.len());
        for (i, group) in groups.into_iter().enumerate() {
            let group = group.ok_or_else(|| format!("nil target group item found (index {i})"))?;
            let mut group = group.group(format!("{}:{i}", self.url));
            let extra = Labels::from_pairs([("__meta_url", self.url.as_str())]);
            group.labels = crate::file::merged_labels(&extra, &group.labels);
            out.push(group);
        }
        Ok(out)
    }
}

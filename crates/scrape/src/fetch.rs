//! Getting an exposition over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use client::{Client, explain};
use expfmt::Dialect;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};

use crate::config::{ScrapeConfig, ScrapeProtocol};
use crate::target::Target;

/// Even without a configured limit a body may not fill the memory.
const BODY_BYTES_MAX: u64 = 1 << 30;

/// How a job asks its targets; the same for all of them.
pub(crate) struct Fetcher {
    client: Client,
    accept: String,
    user_agent: String,
    compression: bool,
    limit: u64,
    limit_is_configured: bool,
    fallback: Option<ScrapeProtocol>,
}

/// A complete exposition.
#[derive(Debug)]
pub(crate) struct Exposition {
    pub(crate) body: Bytes,
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FetchError {
    BodySizeLimit,
    Other(String),
}

impl Fetcher {
    pub(crate) fn new(config: &ScrapeConfig, version: &str) -> Result<Fetcher, String> {
        let limit = config.body_size_limit.0;
        Ok(Fetcher {
            client: Client::new(&config.client, config.enable_compression)?,
            accept: accept_header(config),
            user_agent: format!("Prometheus/{version}"),
            compression: config.enable_compression,
            limit: if limit == 0 { BODY_BYTES_MAX } else { limit },
            limit_is_configured: limit != 0,
            fallback: config.fallback_scrape_protocol,
        })
    }

    /// Fetches within the target's timeout.
    pub(crate) async fn fetch(self: Arc<Self>, target: &Target) -> Result<Exposition, FetchError> {
        let timeout = target.timeout.to_std();
        match tokio::time::timeout(timeout, self.request(target, timeout)).await {
            Ok(result) => result,
            Err(_) => Err(FetchError::Other(format!("Get {:?}: context deadline exceeded", target.url))),
        }
    }

    async fn request(&self, target: &Target, timeout: Duration) -> Result<Exposition, FetchError> {
        let fail = |e: &reqwest::Error| FetchError::Other(explain(e));
        let mut request = self
            .client
            .get(&target.url)
            .map_err(FetchError::Other)?
            .header(ACCEPT, &self.accept)
            .header(USER_AGENT, &self.user_agent)
            .header("X-Prometheus-Scrape-Timeout-Seconds", model::float::format_f(timeout.as_secs_f64()));
        if !self.compression {
            request = request.header(ACCEPT_ENCODING, "identity");
        }
        let mut response = request.send().await.map_err(|e| fail(&e))?;
        let status = response.status();
        if status != reqwest::StatusCode::OK {
            let reason = status.canonical_reason().unwrap_or("");
            let text = format!("server returned HTTP status {} {reason}", status.as_u16());
            return Err(FetchError::Other(text.trim_end().to_owned()));
        }
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        let mut body = BytesMut::with_capacity(response.content_length().unwrap_or(0).min(1 << 20) as usize);
        while let Some(chunk) = response.chunk().await.map_err(|e| fail(&e))? {
            if body.len() as u64 + chunk.len() as u64 >= self.limit {
                return Err(if self.limit_is_configured {
                    FetchError::BodySizeLimit
                } else {
                    FetchError::Other(format!("body has more than {BODY_BYTES_MAX} bytes"))
                });
            }
            body.extend_from_slice(&chunk);
        }
        let dialect = dialect(&content_type, self.fallback).map_err(FetchError::Other)?;
        Ok(Exposition { body: body.freeze(), dialect })
    }
}

/// The formats asked for, each a little less than the one before. Protobuf is not asked for: it is not
/// read here, and every target that speaks it speaks text as well.
fn accept_header(config: &ScrapeConfig) -> String {
    let escaping = config.metric_name_escaping_scheme.map_or("allow-utf-8", |e| e.as_str());
    let mut out = String::new();
    let mut weight = 6;
    for protocol in &config.scrape_protocols {
        let media = match protocol {
            ScrapeProtocol::PrometheusProto => continue,
            ScrapeProtocol::OpenMetricsText0_0_1 => "application/openmetrics-text;version=0.0.1",
            ScrapeProtocol::OpenMetricsText1_0_0 => "application/openmetrics-text;version=1.0.0",
            ScrapeProtocol::PrometheusText0_0_4 => "text/plain;version=0.0.4",
            ScrapeProtocol::PrometheusText1_0_0 => "text/plain;version=1.0.0",
        };
        out.push_str(media);
        if matches!(protocol, ScrapeProtocol::OpenMetricsText1_0_0 | ScrapeProtocol::PrometheusText1_0_0) {
            out.push_str(&format!(";escaping={escaping}"));
        }
        out.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    out.push_str(&format!("*/*;q=0.{weight}"));
    out
}

/// Which grammar a content type announces, in the original's words when it announces none.
fn dialect(content_type: &str, fallback: Option<ScrapeProtocol>) -> Result<Dialect, String> {
    let media = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let known = ["application/openmetrics-text", "application/vnd.google.protobuf", "text/plain"];
    let media = match (known.contains(&media.as_str()), fallback) {
        (true, _) => media,
        (false, Some(protocol)) => protocol.media_type().to_owned(),
        (false, None) if content_type.is_empty() => {
            return Err("non-compliant scrape target sending blank Content-Type and no \
                        fallback_scrape_protocol specified for target"
                .into());
        }
        (false, None) => {
            return Err(format!(
                "received unsupported Content-Type {content_type:?} and no fallback_scrape_protocol \
                 specified for target"
            ));
        }
    };
    match media.as_str() {
        "text/plain" => Ok(Dialect::Text),
        "application/openmetrics-text" => Ok(Dialect::OpenMetrics),
        _ => Err("the protobuf exposition format is not supported; the target must offer text".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_header_as_prometheus_sends_it() {
        let check = |text: &str, expected: &str| {
            let mut config: ScrapeConfig = config::parse_unchecked("s.yml", text).unwrap();
            config.inherit(&crate::Global::default()).unwrap();
            assert_eq!(accept_header(&config), expected);
        };
        check(
            "job_name: j",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        );
        check(
            "{job_name: j, scrape_protocols: [PrometheusText1.0.0], metric_name_escaping_scheme: dots}",
            "text/plain;version=1.0.0;escaping=dots;q=0.6,*/*;q=0.5",
        );
    }

    #[test]
    fn content_types() {
        let check = |content_type: &str, expected: Result<Dialect, &str>| {
            let got = dialect(content_type, None);
            assert_eq!(got.as_ref().map_err(String::as_str).copied(), expected);
        };
        check("text/plain; version=0.0.4; charset=utf-8", Ok(Dialect::Text));
        check("application/openmetrics-text; version=1.0.0", Ok(Dialect::OpenMetrics));
        check(
            "",
            Err("non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol \
                 specified for target"),
        );
        check(
            "text/html",
            Err("received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified \
                 for target"),
        );
        assert_eq!(dialect("text/html", Some(ScrapeProtocol::PrometheusText0_0_4)), Ok(Dialect::Text));
    }
}

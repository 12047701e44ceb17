//! Through which proxy requests go.

use std::collections::BTreeMap;

use config::Secret;
use reqwest::header::{HeaderMap, HeaderName};

use crate::explain::explain;
use crate::http::header;

/// The keys about proxies, wherever they stand.
pub(crate) struct ProxyKeys<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) no_proxy: Option<&'a str>,
    pub(crate) from_environment: bool,
    pub(crate) connect_header: &'a BTreeMap<String, Vec<Secret>>,
}

impl ProxyKeys<'_> {
    /// Checks what types cannot, with the original's error texts.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let (url, no_proxy) = (self.url(), self.no_proxy.is_some_and(|hosts| !hosts.is_empty()));
        let text = if !self.connect_header.is_empty() && !self.from_environment && url.is_none() {
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured"
        } else if self.from_environment && url.is_some() {
            "if proxy_from_environment is configured, proxy_url must not be configured"
        } else if self.from_environment && no_proxy {
            "if proxy_from_environment is configured, no_proxy must not be configured"
        } else if no_proxy && url.is_none() {
            "if no_proxy is configured, proxy_url must also be configured"
        } else {
            return Ok(());
        };
        Err(text.to_owned())
    }

    pub(crate) fn apply(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        let Some(url) = self.url() else {
            return Ok(if self.from_environment { builder } else { builder.no_proxy() });
        };
        let mut proxy = reqwest::Proxy::all(url).map_err(|e| format!("proxy_url: {}", explain(&e)))?;
        if let Some(hosts) = self.no_proxy {
            proxy = proxy.no_proxy(reqwest::NoProxy::from_string(hosts));
        }
        let mut headers = HeaderMap::new();
        for (name, values) in self.connect_header {
            let name = HeaderName::try_from(name).map_err(|e| format!("header {name:?}: {e}"))?;
            for value in values {
                headers.append(&name, header(value.reveal())?);
            }
        }
        Ok(builder.proxy(proxy.headers(headers)))
    }

    fn url(&self) -> Option<&str> {
        self.url.filter(|url| !url.is_empty())
    }
}

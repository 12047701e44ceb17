//! The keys of an HTTP client section, their defaults, and what makes them invalid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use config::{Secret, SecretSource};
use serde::Deserialize;

use crate::http::place;
use crate::oauth2::OAuth2;
use crate::proxy::ProxyKeys;

/// One client section.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpClientConfig {
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<Authorization>,
    pub oauth2: Option<OAuth2>,
    pub bearer_token: Option<Secret>,
    pub bearer_token_file: Option<PathBuf>,
    pub tls_config: TlsConfig,
    pub follow_redirects: bool,
    pub enable_http2: bool,
    pub proxy_url: Option<String>,
    pub no_proxy: Option<String>,
    pub proxy_from_environment: bool,
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    pub http_headers: BTreeMap<String, HeaderSources>,
}

impl Default for HttpClientConfig {
    fn default() -> HttpClientConfig {
        HttpClientConfig {
            basic_auth: None,
            authorization: None,
            oauth2: None,
            bearer_token: None,
            bearer_token_file: None,
            tls_config: TlsConfig::default(),
            follow_redirects: true,
            enable_http2: true,
            proxy_url: None,
            no_proxy: None,
            proxy_from_environment: false,
            proxy_connect_header: BTreeMap::new(),
            http_headers: BTreeMap::new(),
        }
    }
}

config::section!(HttpClientConfig {
    basic_auth,
    authorization,
    oauth2,
    bearer_token,
    bearer_token_file,
    tls_config,
    follow_redirects,
    enable_http2,
    proxy_url,
    no_proxy,
    proxy_from_environment,
    proxy_connect_header,
    http_headers,
});

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BasicAuth {
    pub username: Option<String>,
    pub username_file: Option<PathBuf>,
    pub password: Option<Secret>,
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Authorization {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub credentials: Option<Secret>,
    pub credentials_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    pub ca: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub cert: Option<String>,
    pub cert_file: Option<PathBuf>,
    pub key: Option<Secret>,
    pub key_file: Option<PathBuf>,
    /// The name the certificate must have, instead of the one in the address.
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
    pub min_version: Option<TlsVersion>,
    pub max_version: Option<TlsVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl<'de> Deserialize<'de> for TlsVersion {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TlsVersion, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(match name.as_str() {
            "TLS10" => TlsVersion::Tls10,
            "TLS11" => TlsVersion::Tls11,
            "TLS12" => TlsVersion::Tls12,
            "TLS13" => TlsVersion::Tls13,
            _ => return Err(serde::de::Error::custom(format!("unknown TLS version: {name}"))),
        })
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeaderSources {
    pub values: Vec<String>,
    pub secrets: Vec<Secret>,
    pub files: Vec<PathBuf>,
}

/// Headers the client sets itself.
const RESERVED_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "transfer-encoding",
    "user-agent",
    "www-authenticate",
    "x-prometheus-scrape-timeout-seconds",
];

impl HttpClientConfig {
    /// Checks what types cannot, with the original's error texts.
    pub fn validate(&self) -> Result<(), String> {
        let fail = |text: &str| Err(text.to_owned());
        let (token, token_file) = (self.bearer_token.is_some(), self.bearer_token_file.is_some());
        if token && token_file {
            return fail("at most one of bearer_token & bearer_token_file must be configured");
        }
        if (self.basic_auth.is_some() || self.oauth2.is_some()) && (token || token_file) {
            return fail(
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            );
        }
        if let Some(basic) = &self.basic_auth {
            if basic.username.is_some() && basic.username_file.is_some() {
                return fail(
                    "at most one of basic_auth username, username_file & username_ref must be configured",
                );
            }
            if basic.password.is_some() && basic.password_file.is_some() {
                return fail(
                    "at most one of basic_auth password, password_file & password_ref must be configured",
                );
            }
        }
        if let Some(authorization) = &self.authorization {
            if token || token_file {
                return fail("authorization is not compatible with bearer_token & bearer_token_file");
            }
            if authorization.credentials.is_some() && authorization.credentials_file.is_some() {
                return fail(
                    "at most one of authorization credentials & credentials_file must be configured",
                );
            }
            if authorization.kind().eq_ignore_ascii_case("basic") {
                return fail("authorization type cannot be set to \"basic\", use \"basic_auth\" instead");
            }
            if self.basic_auth.is_some() || self.oauth2.is_some() {
                return fail("at most one of basic_auth, oauth2 & authorization must be configured");
            }
        }
        if let Some(oauth2) = &self.oauth2 {
            if self.basic_auth.is_some() {
                return fail("at most one of basic_auth, oauth2 & authorization must be configured");
            }
            oauth2.validate()?;
        }
        for name in self.http_headers.keys() {
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!("setting header {name:?} is not allowed"));
            }
        }
        self.proxy().validate()?;
        self.tls_config.validate()
    }

    /// Whether requests carry anything of this section in their headers.
    pub(crate) fn has_headers(&self) -> bool {
        self.basic_auth.is_some()
            || self.authorization.is_some()
            || self.oauth2.is_some()
            || self.bearer_token.is_some()
            || self.bearer_token_file.is_some()
            || !self.http_headers.is_empty()
    }

    pub(crate) fn proxy(&self) -> ProxyKeys<'_> {
        ProxyKeys {
            url: self.proxy_url.as_deref(),
            no_proxy: self.no_proxy.as_deref(),
            from_environment: self.proxy_from_environment,
            connect_header: &self.proxy_connect_header,
        }
    }

    /// Makes this token the only credentials.
    pub fn set_bearer(&mut self, token: SecretSource) {
        self.basic_auth = None;
        self.authorization = None;
        self.oauth2 = None;
        (self.bearer_token, self.bearer_token_file) = match token {
            SecretSource::Inline(token) => (Some(token), None),
            SecretSource::File(path) => (None, Some(path)),
        };
    }

    /// Takes relative paths from `directory`. An empty path is none.
    pub fn set_directory(&mut self, directory: &Path) {
        self.tls_config.set_directory(directory);
        place(&mut self.bearer_token_file, directory);
        if let Some(oauth2) = &mut self.oauth2 {
            oauth2.set_directory(directory);
        }
        if let Some(basic) = &mut self.basic_auth {
            place(&mut basic.username_file, directory);
            place(&mut basic.password_file, directory);
        }
        if let Some(authorization) = &mut self.authorization {
            place(&mut authorization.credentials_file, directory);
        }
        for headers in self.http_headers.values_mut() {
            headers.files.retain(|file| !file.as_os_str().is_empty());
            for file in &mut headers.files {
                *file = directory.join(&*file);
            }
        }
    }
}

impl Authorization {
    pub(crate) fn kind(&self) -> &str {
        self.kind.as_deref().map(str::trim).filter(|kind| !kind.is_empty()).unwrap_or("Bearer")
    }
}

impl TlsConfig {
    /// Takes relative paths from `directory`. An empty path is none.
    pub fn set_directory(&mut self, directory: &Path) {
        for path in [&mut self.ca_file, &mut self.cert_file, &mut self.key_file] {
            place(path, directory);
        }
    }

    /// Checks what types cannot, with the original's error texts.
    pub fn validate(&self) -> Result<(), String> {
        let fail = |text: &str| Err(text.to_owned());
        if self.ca.is_some() && self.ca_file.is_some() {
            return fail("at most one of ca, ca_file & ca_ref must be configured");
        }
        if self.cert.is_some() && self.cert_file.is_some() {
            return fail("at most one of cert, cert_file & cert_ref must be configured");
        }
        if self.key.is_some() && self.key_file.is_some() {
            return fail("at most one of key and key_file must be configured");
        }
        let cert = self.cert.is_some() || self.cert_file.is_some();
        let key = self.key.is_some() || self.key_file.is_some();
        match (cert, key) {
            (true, false) => {
                return fail(
                    "exactly one of key or key_file must be configured when a client certificate is configured",
                );
            }
            (false, true) => {
                return fail(
                    "exactly one of cert or cert_file must be configured when a client key is configured",
                );
            }
            _ => {}
        }
        if self.min_version.zip(self.max_version).is_some_and(|(min, max)| min > max) {
            return fail(
                "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified",
            );
        }
        Ok(())
    }
}

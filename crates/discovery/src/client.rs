//! The HTTP client as configuration sections describe it: credentials, TLS, proxies, extra headers.
//!
//! Secrets in files are read at each request, so rotating them needs no reload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use config::{Secret, SecretSource};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// How many hops of redirection are followed, as in Go.
const REDIRECTS_MAX: usize = 10;

/// How long connecting may take; a request's own deadline usually comes first.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq)]
pub struct HttpClientConfig {
    pub basic_auth: Option<BasicAuth>,
    pub authorization: Option<Authorization>,
    pub oauth2: Option<Unsupported>,
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

crate::section!(HttpClientConfig {
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

/// A section that is known and not built in yet; presence is what matters.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsupported;

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Unsupported, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Err(serde::de::Error::custom("this kind of authentication is not supported"))
    }
}

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
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
    pub min_version: Option<TlsVersion>,
    pub max_version: Option<TlsVersion>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TlsVersion {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
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
        if self.basic_auth.is_some() && (token || token_file) {
            return fail(
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            );
        }
        if let Some(basic) = &self.basic_auth {
            if basic.username.is_some() && basic.username_file.is_some() {
                return fail("at most one of basic_auth username & username_file must be configured");
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
            if self.basic_auth.is_some() {
                return fail("at most one of basic_auth, oauth2 & authorization must be configured");
            }
        }
        for name in self.http_headers.keys() {
            if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                return Err(format!("setting header {name:?} is not allowed"));
            }
        }
        if self.proxy_from_environment && (self.proxy_url.is_some() || self.no_proxy.is_some()) {
            return fail(
                "if proxy_from_environment is configured, proxy_url and no_proxy must not be configured",
            );
        }
        if self.no_proxy.is_some() && self.proxy_url.is_none() {
            return fail("if no_proxy is configured, proxy_url must also be configured");
        }
        self.tls_config.validate()
    }

    /// Takes relative paths from `directory`.
    pub fn set_directory(&mut self, directory: &Path) {
        let tls = &mut self.tls_config;
        let mut paths = vec![&mut self.bearer_token_file, &mut tls.ca_file, &mut tls.cert_file];
        paths.push(&mut tls.key_file);
        if let Some(basic) = &mut self.basic_auth {
            paths.extend([&mut basic.username_file, &mut basic.password_file]);
        }
        if let Some(authorization) = &mut self.authorization {
            paths.push(&mut authorization.credentials_file);
        }
        for path in paths.into_iter().flatten() {
            *path = directory.join(&path);
        }
        for file in self.http_headers.values_mut().flat_map(|h| &mut h.files) {
            *file = directory.join(&file);
        }
    }
}

impl Authorization {
    fn kind(&self) -> &str {
        self.kind.as_deref().map(str::trim).filter(|kind| !kind.is_empty()).unwrap_or("Bearer")
    }
}

impl TlsConfig {
    fn validate(&self) -> Result<(), String> {
        let fail = |text: &str| Err(text.to_owned());
        if self.ca.is_some() && self.ca_file.is_some() {
            return fail("at most one of ca and ca_file must be configured");
        }
        if self.cert.is_some() && self.cert_file.is_some() {
            return fail("at most one of cert and cert_file must be configured");
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
        if self.server_name.is_some() {
            return fail("tls_config.server_name is not supported");
        }
        if self.min_version.zip(self.max_version).is_some_and(|(min, max)| min > max) {
            return fail(
                "tls_config.max_version must be greater than or equal to tls_config.min_version if both are specified",
            );
        }
        Ok(())
    }

    fn apply(&self, mut builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|e| format!("unable to read file {}: {e}", path.display()))
        };
        let ca = match (&self.ca, &self.ca_file) {
            (Some(pem), _) => Some(pem.clone().into_bytes()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        if let Some(pem) = ca {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| explain(&e))?;
            builder = builder.tls_certs_only(certificates);
        }
        let cert = match (&self.cert, &self.cert_file) {
            (Some(pem), _) => Some(pem.clone().into_bytes()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        if let Some(mut pem) = cert {
            if let Some(key) = SecretSource::from_pair(self.key.clone(), self.key_file.clone()) {
                pem.push(b'\n');
                pem.extend_from_slice(key.read()?.reveal().as_bytes());
            }
            builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|e| explain(&e))?);
        }
        let version = |v: TlsVersion| match v {
            TlsVersion::Tls10 | TlsVersion::Tls11 | TlsVersion::Tls12 => reqwest::tls::Version::TLS_1_2,
            TlsVersion::Tls13 => reqwest::tls::Version::TLS_1_3,
        };
        if let Some(min) = self.min_version {
            builder = builder.tls_version_min(version(min));
        }
        if let Some(max) = self.max_version {
            builder = builder.tls_version_max(version(max));
        }
        Ok(builder.tls_danger_accept_invalid_certs(self.insecure_skip_verify))
    }
}

/// A ready client. Cloning shares its connections.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    config: HttpClientConfig,
    compression: bool,
    plain: reqwest::Client,
    /// Built at the first `https` request: reading the system's certificates costs memory and fails on
    /// machines that have none, and most installations never need them.
    secure: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// `compression` asks for gzip and unpacks it.
    pub fn new(config: &HttpClientConfig, compression: bool) -> Result<Client, String> {
        // Whoever comes first decides the process' provider; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let plain = builder(config, compression)?.tls_certs_only([]).build().map_err(|e| explain(&e))?;
        let (config, secure) = (config.clone(), OnceLock::new());
        Ok(Client { inner: Arc::new(Inner { config, compression, plain, secure }) })
    }

    pub fn get(&self, url: &str) -> Result<reqwest::RequestBuilder, String> {
        self.request(reqwest::Method::GET, url)
    }

    /// A request with credentials and configured headers.
    pub fn request(&self, method: reqwest::Method, url: &str) -> Result<reqwest::RequestBuilder, String> {
        let client = if url.starts_with("https:") { self.secure()? } else { &self.inner.plain };
        Ok(client.request(method, url).headers(self.headers()?))
    }

    fn secure(&self) -> Result<&reqwest::Client, String> {
        let inner = &*self.inner;
        let build = || {
            let builder = inner.config.tls_config.apply(builder(&inner.config, inner.compression)?)?;
            builder.build().map_err(|e| explain(&e))
        };
        inner.secure.get_or_init(build).as_ref().map_err(Clone::clone)
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let config = &self.inner.config;
        let mut headers = HeaderMap::new();
        if let Some(basic) = &config.basic_auth {
            let username = match (&basic.username, &basic.username_file) {
                (Some(name), _) => name.clone(),
                (None, Some(path)) => SecretSource::File(path.clone()).read()?.reveal().to_owned(),
                (None, None) => String::new(),
            };
            let password = read_pair(&basic.password, &basic.password_file)?;
            let pair = format!("{username}:{}", password.reveal());
            let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
            headers.insert(AUTHORIZATION, header(&format!("Basic {encoded}"))?);
        }
        if let Some(authorization) = &config.authorization {
            let credentials = read_pair(&authorization.credentials, &authorization.credentials_file)?;
            let value = format!("{} {}", authorization.kind(), credentials.reveal());
            headers.insert(AUTHORIZATION, header(&value)?);
        }
        if config.bearer_token.is_some() || config.bearer_token_file.is_some() {
            let token = read_pair(&config.bearer_token, &config.bearer_token_file)?;
            headers.insert(AUTHORIZATION, header(&format!("Bearer {}", token.reveal()))?);
        }
        for (name, sources) in &config.http_headers {
            let name = HeaderName::try_from(name).map_err(|e| format!("header {name:?}: {e}"))?;
            let secrets = sources.secrets.iter().map(Secret::reveal);
            for value in sources.values.iter().map(String::as_str).chain(secrets) {
                headers.append(&name, header(value)?);
            }
            for file in &sources.files {
                headers.append(&name, header(SecretSource::File(file.clone()).read()?.reveal())?);
            }
        }
        Ok(headers)
    }
}

fn builder(config: &HttpClientConfig, compression: bool) -> Result<reqwest::ClientBuilder, String> {
    let redirects = if config.follow_redirects {
        reqwest::redirect::Policy::limited(REDIRECTS_MAX)
    } else {
        reqwest::redirect::Policy::none()
    };
    let mut builder = reqwest::Client::builder()
        .redirect(redirects)
        .referer(false)
        .gzip(compression)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(std::time::Duration::from_secs(300))
        .tcp_nodelay(true);
    if !config.enable_http2 {
        builder = builder.http1_only();
    }
    if let Some(url) = &config.proxy_url {
        let mut proxy = reqwest::Proxy::all(url).map_err(|e| explain(&e))?;
        if let Some(hosts) = &config.no_proxy {
            proxy = proxy.no_proxy(reqwest::NoProxy::from_string(hosts));
        }
        let mut headers = HeaderMap::new();
        for (name, values) in &config.proxy_connect_header {
            let name = HeaderName::try_from(name).map_err(|e| format!("header {name:?}: {e}"))?;
            for value in values {
                headers.append(&name, header(value.reveal())?);
            }
        }
        builder = builder.proxy(proxy.headers(headers));
    } else if !config.proxy_from_environment {
        builder = builder.no_proxy();
    }
    Ok(builder)
}

fn read_pair(inline: &Option<Secret>, file: &Option<PathBuf>) -> Result<Secret, String> {
    match SecretSource::from_pair(inline.clone(), file.clone()) {
        Some(source) => source.read(),
        None => Ok(Secret::default()),
    }
}

fn header(value: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::from_str(value).map_err(|_| "a header value has illegal characters")?;
    value.set_sensitive(true);
    Ok(value)
}

/// What went wrong, as Go's client says it: `Get "url": dial tcp host:port: connect: connection refused`.
pub fn explain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let address = error.url().map_or_else(String::new, |url| {
        let port = url.port_or_known_default().unwrap_or(80);
        format!("{}:{port}", url.host_str().unwrap_or_default())
    });
    let io = cause.downcast_ref::<std::io::Error>();
    let reason = if error.is_timeout() {
        "context deadline exceeded".to_owned()
    } else if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused) {
        format!("dial tcp {address}: connect: connection refused")
    } else if io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionReset) {
        "read: connection reset by peer".to_owned()
    } else if error.is_connect() && cause.to_string().contains("lookup address") {
        let host = error.url().and_then(|url| url.host_str()).unwrap_or_default();
        format!("dial tcp: lookup {host}: no such host")
    } else {
        cause.to_string()
    };
    match error.url() {
        Some(url) => format!("Get {:?}: {reason}", url.as_str()),
        None => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<HttpClientConfig, String> {
        let config: HttpClientConfig = config::parse_unchecked("c.yml", text).map_err(|e| e.to_string())?;
        config.validate().map(|()| config)
    }

    #[test]
    fn credentials_become_headers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), " s3cret\n").unwrap();
        let check = |text: &str, expected: &[(&str, &str)]| {
            let mut config = parse(text).unwrap();
            config.set_directory(dir.path());
            let headers = Client::new(&config, true).unwrap().headers().unwrap();
            let got: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
            assert_eq!(got, expected, "{text}");
        };
        check("", &[]);
        check("basic_auth: {username: u, password: p}", &[("authorization", "Basic dTpw")]);
        check("basic_auth: {username: u, password_file: token}", &[("authorization", "Basic dTpzM2NyZXQ=")]);
        check("authorization: {credentials_file: token}", &[("authorization", "Bearer s3cret")]);
        check("authorization: {type: Token, credentials: x}", &[("authorization", "Token x")]);
        check("bearer_token: y", &[("authorization", "Bearer y")]);
        check(
            "http_headers: {X-A: {values: [1, b], files: [token]}}",
            &[("x-a", "1"), ("x-a", "b"), ("x-a", "s3cret")],
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("bearer_token: a\nbearer_token_file: b", "at most one of bearer_token & bearer_token_file");
        check("authorization: {type: Basic}", "use \"basic_auth\" instead");
        check("authorization: {}\nbearer_token: x", "authorization is not compatible");
        check("tls_config: {cert_file: x}", "exactly one of key or key_file");
        check(
            "http_headers: {Authorization: {values: [x]}}",
            "setting header \"Authorization\" is not allowed",
        );
        check("oauth2: {client_id: x}", "c.yml:1:");
        check("bearer_tokens: x", "unknown field `bearer_tokens`");
        check("tls_config: {min_version: SSL3}", "c.yml:1:");
    }
}

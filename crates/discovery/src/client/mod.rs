//! The HTTP client as configuration sections describe it: credentials, TLS, proxies, extra headers.
//!
//! Secrets in files are read at each request, so rotating them needs no reload.

mod config;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ::config::{Secret, SecretSource};
use base64::Engine;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

pub use self::config::{
    Authorization, BasicAuth, HeaderSources, HttpClientConfig, TlsConfig, TlsVersion, Unsupported,
};

/// How many hops of redirection are followed, as in Go.
const REDIRECTS_MAX: usize = 10;

/// How long connecting may take; a request's own deadline usually comes first.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

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
            let builder = with_tls(&inner.config.tls_config, builder(&inner.config, inner.compression)?)?;
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

fn with_tls(
    config: &TlsConfig,
    mut builder: reqwest::ClientBuilder,
) -> Result<reqwest::ClientBuilder, String> {
    let read =
        |path: &Path| std::fs::read(path).map_err(|e| format!("unable to read file {}: {e}", path.display()));
    let ca = match (&config.ca, &config.ca_file) {
        (Some(pem), _) => Some(pem.clone().into_bytes()),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => None,
    };
    if let Some(pem) = ca {
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| explain(&e))?;
        builder = builder.tls_certs_only(certificates);
    }
    let cert = match (&config.cert, &config.cert_file) {
        (Some(pem), _) => Some(pem.clone().into_bytes()),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => None,
    };
    if let Some(mut pem) = cert {
        if let Some(key) = SecretSource::from_pair(config.key.clone(), config.key_file.clone()) {
            pem.push(b'\n');
            pem.extend_from_slice(key.read()?.reveal().as_bytes());
        }
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(|e| explain(&e))?);
    }
    let version = |v: TlsVersion| match v {
        TlsVersion::Tls10 | TlsVersion::Tls11 | TlsVersion::Tls12 => reqwest::tls::Version::TLS_1_2,
        TlsVersion::Tls13 => reqwest::tls::Version::TLS_1_3,
    };
    if let Some(min) = config.min_version {
        builder = builder.tls_version_min(version(min));
    }
    if let Some(max) = config.max_version {
        builder = builder.tls_version_max(version(max));
    }
    Ok(builder.tls_danger_accept_invalid_certs(config.insecure_skip_verify))
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

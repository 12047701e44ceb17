//! The client itself: a pool of connections, and the headers of each request.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use config::{Secret, SecretSource};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::explain::explain;
use crate::settings::{HttpClientConfig, TlsConfig};
use crate::tls;

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
    /// With a `tls_config` the client is built at its first request: files it names may come later than
    /// the configuration, and until then they are the target's trouble and nobody else's.
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// `compression` asks for gzip and unpacks it.
    pub fn new(config: &HttpClientConfig, compression: bool) -> Result<Client, String> {
        let client = OnceLock::new();
        // Everything but certificates is checked at once.
        let builder = builder(config, compression)?;
        if config.tls_config == TlsConfig::default() {
            client.get_or_init(|| build(config, builder)).clone()?;
        }
        Ok(Client { inner: Arc::new(Inner { config: config.clone(), compression, client }) })
    }

    /// Reads the certificates now, for those who refuse a configuration whose files are not there.
    pub fn check_certificates(&self) -> Result<(), String> {
        self.client().map(|_| ())
    }

    pub fn get(&self, url: &str) -> Result<reqwest::RequestBuilder, String> {
        self.request(reqwest::Method::GET, url)
    }

    /// A request with credentials and configured headers.
    pub fn request(&self, method: reqwest::Method, url: &str) -> Result<reqwest::RequestBuilder, String> {
        Ok(self.client()?.request(method, url).headers(self.headers()?))
    }

    fn client(&self) -> Result<&reqwest::Client, String> {
        let inner = &*self.inner;
        let build = || build(&inner.config, builder(&inner.config, inner.compression)?);
        inner.client.get_or_init(build).as_ref().map_err(Clone::clone)
    }

    pub(crate) fn headers(&self) -> Result<HeaderMap, String> {
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
    if let Some(url) = config.proxy_url.as_deref().filter(|url| !url.is_empty()) {
        let mut proxy = reqwest::Proxy::all(url).map_err(|e| format!("proxy_url: {}", explain(&e)))?;
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

fn build(config: &HttpClientConfig, builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    let mut tls = tls::client_config(&config.tls_config)?;
    tls.alpn_protocols = match config.enable_http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    builder.tls_backend_preconfigured(tls).build().map_err(|e| explain(&e))
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

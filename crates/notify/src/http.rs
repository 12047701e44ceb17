//! One HTTP attempt: client, credentials, answer.

use std::time::Duration;

use alerting::{FailureReason, NotifyError};
use config::SecretSource;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy};

use crate::settings::HttpSettings;
use crate::tls;

/// How much of an error answer is shown.
const ANSWER_BYTES_MAX: usize = 4 << 10;

/// The original follows at most ten redirects.
const REDIRECTS_MAX: usize = 10;

/// A client for one receiver.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    client: Client,
    settings: HttpSettings,
}

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    pub is_json: bool,
    pub body: String,
}

impl HttpClient {
    /// Fails when the settings ask for something that is not there.
    pub fn new(settings: &HttpSettings) -> Result<HttpClient, String> {
        if settings.oauth2.is_some() {
            return Err("http_config: oauth2 is not supported yet".into());
        }
        if settings.proxy_connect_header.is_some() {
            return Err("http_config: proxy_connect_header is not supported yet".into());
        }
        let tls = tls::client_config(&settings.tls_config.clone().unwrap_or_default())?;
        let mut tls = (*tls).clone();
        tls.alpn_protocols = match settings.enable_http2 {
            true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        let redirects =
            if settings.follow_redirects { Policy::limited(REDIRECTS_MAX) } else { Policy::none() };
        let mut builder = Client::builder()
            .user_agent(concat!("Alertmanager/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects)
            .connect_timeout(Duration::from_secs(30))
            .tls_backend_preconfigured(tls);
        if !settings.enable_http2 {
            builder = builder.http1_only();
        }
        builder = match &settings.proxy_url {
            Some(url) if !url.is_empty() => {
                let exceptions = settings.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
                let proxy = Proxy::all(url).map_err(|e| format!("http_config: proxy_url: {e}"))?;
                builder.proxy(proxy.no_proxy(exceptions))
            }
            _ if settings.proxy_from_environment => builder,
            _ => builder.no_proxy(),
        };
        let client = builder.build().map_err(|e| format!("http_config: {e}"))?;
        Ok(HttpClient { client, settings: settings.clone() })
    }

    /// Posts JSON; any answer counts as one.
    pub async fn post_json(
        &self,
        url: &str,
        body: String,
        bearer: Option<&str>,
        timeout: Duration,
    ) -> Result<Answer, NotifyError> {
        let headers = self.headers(bearer).map_err(NotifyError::permanent)?;
        let mut request =
            self.client.post(url).header("Content-Type", "application/json").headers(headers).body(body);
        if !timeout.is_zero() {
            request = request.timeout(timeout);
        }
        // The address is a secret; the library's error would tell it.
        let mut response = request.send().await.map_err(|e| network_error(e.without_url()))?;
        let status = response.status().as_u16();
        let is_json = response
            .headers()
            .get("Content-Type")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.starts_with("application/json"));
        let mut bytes = Vec::new();
        while bytes.len() < ANSWER_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(e) => return Err(network_error(e.without_url())),
            }
        }
        bytes.truncate(ANSWER_BYTES_MAX);
        Ok(Answer { status, is_json, body: String::from_utf8_lossy(&bytes).into_owned() })
    }

    fn headers(&self, bearer: Option<&str>) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        let mut set = |name: &str, value: &str| -> Result<(), String> {
            let name: HeaderName = name.parse().map_err(|_| format!("invalid header name {name:?}"))?;
            let mut value: HeaderValue =
                value.parse().map_err(|_| format!("invalid value for header {name}"))?;
            value.set_sensitive(true);
            headers.append(name, value);
            Ok(())
        };
        for (name, values) in &self.settings.http_headers {
            for value in &values.values {
                set(name, value)?;
            }
            for secret in &values.secrets {
                set(name, secret.reveal())?;
            }
            for file in &values.files {
                set(name, SecretSource::File(file.clone()).read()?.reveal())?;
            }
        }
        if let Some(token) = bearer {
            set("Authorization", &format!("Bearer {token}"))?;
        } else if let Some(value) = self.authorization()? {
            set("Authorization", &value)?;
        }
        Ok(headers)
    }

    fn authorization(&self) -> Result<Option<String>, String> {
        use base64::Engine;
        let s = &self.settings;
        if let Some(basic) = &s.basic_auth {
            let user = match &basic.username_file {
                Some(file) => SecretSource::File(file.clone()).read()?.reveal().to_owned(),
                None => basic.username.clone(),
            };
            let password = SecretSource::from_pair(basic.password.clone(), basic.password_file.clone())
                .map(|source| source.read())
                .transpose()?
                .unwrap_or_default();
            let pair = format!("{user}:{}", password.reveal());
            return Ok(Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))));
        }
        let (kind, source) = match &s.authorization {
            Some(a) => {
                (a.kind.as_str(), SecretSource::from_pair(a.credentials.clone(), a.credentials_file.clone()))
            }
            None => ("Bearer", SecretSource::from_pair(s.bearer_token.clone(), s.bearer_token_file.clone())),
        };
        source.map(|source| Ok(format!("{kind} {}", source.read()?.reveal()))).transpose()
    }
}

fn network_error(error: reqwest::Error) -> NotifyError {
    let reason = if error.is_timeout() { FailureReason::DeadlineExceeded } else { FailureReason::Other };
    // The library's own text says little; its causes say why.
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    NotifyError { retry: true, reason, message }
}

/// Judges a status: 2xx is success, 5xx and the given codes are worth another try.
pub(crate) fn check_status(answer: &Answer, also_retry: &[u16]) -> Result<(), NotifyError> {
    let status = answer.status;
    if status / 100 == 2 {
        return Ok(());
    }
    let mut message = format!("unexpected status code {status}");
    if !answer.body.is_empty() {
        message = format!("{message}: {}", answer.body);
    }
    let retry = status / 100 == 5 || also_retry.contains(&status);
    Err(NotifyError { retry, reason: FailureReason::of_status(status), message })
}

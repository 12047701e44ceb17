//! One HTTP attempt: client, credentials, answer.

use std::time::Duration;

use alerting::{Attempt, FailureReason, NotifyError};
use client::{Client, TlsConfig};
use reqwest::Method;

use crate::settings::HttpSettings;

/// How much of an error answer is shown.
const ANSWER_BYTES_MAX: usize = 4 << 10;

const USER_AGENT: &str = concat!("Alertmanager/", env!("CARGO_PKG_VERSION"));

/// A client for one receiver.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client,
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
        let refuse = |e: String| format!("http_config: {e}");
        let client = Client::new(&settings.client, true).map_err(refuse)?;
        if settings.client.tls_config != TlsConfig::default() {
            client.check_certificates().map_err(refuse)?;
        }
        Ok(HttpClient { client })
    }

    /// Posts JSON; any answer counts as one. The attempt keeps what was sent and what came back.
    pub async fn post_json(
        &self,
        url: &str,
        body: String,
        timeout: Duration,
        attempt: &mut Attempt,
    ) -> Result<Answer, NotifyError> {
        attempt.rendered.clone_from(&body);
        self.client.ready().await.map_err(NotifyError::transient)?;
        let mut request = self
            .client
            .request(Method::POST, url)
            .map_err(NotifyError::permanent)?
            .header("User-Agent", USER_AGENT)
            .header("Content-Type", "application/json")
            .body(body);
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
        let body = String::from_utf8_lossy(&bytes).into_owned();
        attempt.answer = format!("{status} {body}");
        Ok(Answer { status, is_json, body })
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

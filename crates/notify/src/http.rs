//! One HTTP request of an attempt: client, credentials, answer.

use std::time::Duration;

use alerting::{Attempt, FailureReason, NotifyError};
use client::{Client, HttpClientConfig, TlsConfig};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Answers are read so far; nobody who takes notifications has more to say.
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How much of an answer is shown in errors and in the history.
const SHOWN_BYTES_MAX: usize = 4 << 10;

const USER_AGENT: &str = concat!("Alertmanager/", env!("CARGO_PKG_VERSION"));

pub(crate) const JSON: &str = "application/json";

/// A client for one receiver.
#[derive(Clone)]
pub(crate) struct HttpClient {
    client: Client,
}

/// What is sent.
pub(crate) struct Call {
    pub method: Method,
    pub url: String,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Zero for none but the group's.
    pub timeout: Duration,
    /// What the history shows instead of the body, when that holds secrets.
    pub shown: Option<String>,
}

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    pub is_json: bool,
    pub body: String,
}

impl Call {
    pub fn post_json(url: impl Into<String>, body: String) -> Call {
        Call {
            method: Method::POST,
            url: url.into(),
            content_type: JSON,
            headers: Vec::new(),
            body,
            timeout: Duration::ZERO,
            shown: None,
        }
    }
}

impl HttpClient {
    /// Fails when the settings ask for something that is not there.
    pub fn new(settings: &HttpClientConfig) -> Result<HttpClient, String> {
        let refuse = |e: String| format!("http_config: {e}");
        settings.validate().map_err(refuse)?;
        let client = Client::new(settings, false).map_err(refuse)?;
        if settings.tls_config != TlsConfig::default() {
            client.check_certificates().map_err(refuse)?;
        }
        Ok(HttpClient { client })
    }

    /// Makes the request; any answer counts as one. The attempt keeps what was sent and what came back.
    /// `kind` names the receiver in the error of its own timeout.
    pub async fn send(&self, call: Call, kind: &str, attempt: &mut Attempt) -> Result<Answer, NotifyError> {
        let shown = call.shown.as_deref().unwrap_or(&call.body);
        if !shown.is_empty() {
            if !attempt.rendered.is_empty() {
                attempt.rendered.push('\n');
            }
            attempt.rendered.push_str(shown);
        }
        self.client.ready().await.map_err(NotifyError::transient)?;
        let method = title_case(&call.method);
        let mut request = self
            .client
            .request(call.method, &call.url)
            .map_err(NotifyError::transient)?
            .header("User-Agent", USER_AGENT);
        if !call.content_type.is_empty() {
            request = request.header("Content-Type", call.content_type);
        }
        if call.body.is_empty() && method == "Post" {
            request = request.header("Content-Length", "0");
        } else if !call.body.is_empty() {
            request = request.body(call.body);
        }
        if !call.timeout.is_zero() {
            request = request.timeout(call.timeout);
        }
        // What the kind of receiver needs stands before what the configuration says.
        request = request.headers(own_headers(&call.headers)?);
        let failed = |error: reqwest::Error| network_error(error, &method, kind, call.timeout);
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let is_json = response
            .headers()
            .get("Content-Type")
            .and_then(|v| v.to_str().ok())
            .is_some_and(|v| v.starts_with(JSON));
        let mut bytes = Vec::new();
        while bytes.len() < ANSWER_BYTES_MAX {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        bytes.truncate(ANSWER_BYTES_MAX);
        let body = String::from_utf8_lossy(&bytes).into_owned();
        attempt.answer = format!("{status} {}", shown_part(&body));
        Ok(Answer { status, is_json, body })
    }
}

fn own_headers(headers: &[(&'static str, String)]) -> Result<HeaderMap, NotifyError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let illegal =
            |_| NotifyError::permanent(format!("the value of header {name} has illegal characters"));
        let mut value = HeaderValue::from_str(value).map_err(illegal)?;
        value.set_sensitive(true);
        map.insert(
            HeaderName::from_bytes(name.as_bytes()).map_err(|e| NotifyError::permanent(e.to_string()))?,
            value,
        );
    }
    Ok(map)
}

/// In the original's words, without the address, which may hold a secret.
fn network_error(error: reqwest::Error, method: &str, kind: &str, timeout: Duration) -> NotifyError {
    let is_timeout = error.is_timeout();
    let said = client::explain(&error);
    // `Get "address": what happened`
    let what = match error.url() {
        Some(url) => said.strip_prefix(&format!("Get {:?}: ", url.as_str())).unwrap_or("the request failed"),
        None => &said,
    };
    let mut message = format!("{method} \"<redacted>\": {what}");
    let mut reason = FailureReason::Other;
    if is_timeout {
        reason = FailureReason::DeadlineExceeded;
        if !timeout.is_zero() {
            message = format!("{message}: configured {kind} timeout reached ({timeout:?})");
        }
    }
    NotifyError { retry: true, reason, message }
}

fn title_case(method: &Method) -> String {
    let text = method.as_str();
    text.get(..1).unwrap_or_default().to_owned() + &text.get(1..).unwrap_or_default().to_ascii_lowercase()
}

/// The part of an answer that fits into messages for people.
pub(crate) fn shown_part(body: &str) -> &str {
    let mut end = body.len().min(SHOWN_BYTES_MAX);
    while !body.is_char_boundary(end) {
        end -= 1;
    }
    &body[..end]
}

/// Judges a status: 2xx is success, 5xx and the given codes are worth another try.
pub(crate) fn check_status(answer: &Answer, also_retry: &[u16]) -> Result<(), NotifyError> {
    check_status_saying(answer, also_retry, shown_part(&answer.body))
}

/// Like [`check_status`], with these details instead of the answer's body.
pub(crate) fn check_status_saying(
    answer: &Answer,
    also_retry: &[u16],
    details: &str,
) -> Result<(), NotifyError> {
    let status = answer.status;
    if status / 100 == 2 {
        return Ok(());
    }
    let mut message = format!("unexpected status code {status}");
    if !details.is_empty() {
        message = format!("{message}: {details}");
    }
    let retry = status / 100 == 5 || also_retry.contains(&status);
    Err(NotifyError { retry, reason: FailureReason::of_status(status), message })
}

/// Puts what was tried in front of an error.
pub(crate) fn said_at(what: impl std::fmt::Display) -> impl FnOnce(NotifyError) -> NotifyError {
    move |mut error| {
        error.message = format!("{what}: {}", error.message);
        error
    }
}

//! Asking a server, one question after the other.

use std::path::Path;
use std::time::Duration;

use client::{Client, HttpClientConfig};
use serde_json::Value;

use crate::command::Failure;

/// How long a server has for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers larger than this are refused.
const ANSWER_BYTES_MAX: usize = 1 << 30;

pub struct Server {
    url: String,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

pub struct Answer {
    pub status: u16,
    /// `Not Found`
    pub reason: &'static str,
    pub body: String,
}

impl Server {
    /// `client` is a file with an HTTP client section; empty: none.
    pub fn new(url: &str, client: &str) -> Result<Server, Failure> {
        // Somebody else in the process may have chosen already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut settings = HttpClientConfig::default();
        if !client.is_empty() {
            let path = Path::new(client);
            let text = config::read(path).map_err(|e| Failure::new(e.to_string()))?;
            settings = config::parse_unchecked(client, &text).map_err(|e| Failure::new(e.to_string()))?;
            settings.validate().map_err(Failure::new)?;
            settings.set_directory(path.parent().unwrap_or(Path::new("")));
        }
        let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let client = Client::new(&settings, true).map_err(Failure::new)?;
        Ok(Server { url: url.trim_end_matches('/').to_owned(), client, runtime })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn get(&self, path: &str, params: &[(&str, &str)]) -> Result<Answer, Failure> {
        self.send(reqwest::Method::GET, path, params)
    }

    fn send(&self, method: reqwest::Method, path: &str, params: &[(&str, &str)]) -> Result<Answer, Failure> {
        let form = method == reqwest::Method::POST;
        self.ask(method, path, PATIENCE, |r| if form { r.form(params) } else { r.query(params) })
    }

    /// Posts a body as it is.
    pub fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<Answer, Failure> {
        self.ask(reqwest::Method::POST, path, patience, |mut request| {
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            request.body(body)
        })
    }

    fn ask(
        &self,
        method: reqwest::Method,
        path: &str,
        patience: Duration,
        complete: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> Result<Answer, Failure> {
        let verb = if method == reqwest::Method::POST { "Post" } else { "Get" };
        let url = format!("{}{path}", self.url);
        // What the client explains names the request already, and takes it for a GET.
        let failed = |e: String| match e.strip_prefix("Get ") {
            Some(rest) => Failure::new(format!("{verb} {rest}")),
            None => Failure::new(format!("{verb} {url:?}: {e}")),
        };
        self.runtime.block_on(async {
            self.client.ready().await.map_err(failed)?;
            let request = self.client.request(method, &url).map_err(failed)?.timeout(patience);
            let mut response = complete(request).send().await.map_err(|e| failed(client::explain(&e)))?;
            let status = response.status().as_u16();
            let reason = response.status().canonical_reason().unwrap_or("");
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|e| failed(client::explain(&e)))? {
                if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                    return Err(failed(format!("the answer has more than {ANSWER_BYTES_MAX} bytes")));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Answer { status, reason, body: String::from_utf8_lossy(&body).into_owned() })
        })
    }

    /// Asks the query API; its data, or its error as text after the words `query error`.
    pub fn api(
        &self,
        method: reqwest::Method,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        self.data(method, path, params).map_err(|e| Failure::new(format!("query error: {}", e.message)))
    }

    /// Asks the query API; its data, or its error as text.
    pub fn data(
        &self,
        method: reqwest::Method,
        path: &str,
        params: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let answer = self.send(method, path, params)?;
        let parsed: Value = serde_json::from_str(&answer.body).map_err(|_| {
            Failure::new(format!("server returned HTTP status {}: {}", answer.status, answer.body.trim()))
        })?;
        let text = |name: &str| parsed.get(name).and_then(Value::as_str).unwrap_or("");
        if text("status") != "success" {
            return Err(Failure::new(format!("{}: {}", text("errorType"), text("error"))));
        }
        Ok(parsed.get("data").cloned().unwrap_or(Value::Null))
    }
}

//! Replies of the services that discovery asks.

use std::time::Duration;

use client::Client;
use serde::de::DeserializeOwned;

/// Larger replies are refused.
pub(crate) const REPLY_BYTES_MAX: usize = 64 << 20;

/// The body of a successful reply, at most [`REPLY_BYTES_MAX`] bytes of it.
pub(crate) async fn body(response: reqwest::Response) -> Result<Vec<u8>, String> {
    let status = response.status();
    let mut response = response;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| client::explain(&e))? {
        if body.len() + chunk.len() > REPLY_BYTES_MAX {
            return Err(format!("reply has more than {REPLY_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        let text = String::from_utf8_lossy(&body[..body.len().min(512)]).trim().to_owned();
        return Err(format!("server returned HTTP status {status}: {text}"));
    }
    Ok(body)
}

/// Gets `url` as JSON.
pub(crate) async fn get_json<T: DeserializeOwned>(
    client: &Client,
    url: &str,
    patience: Duration,
) -> Result<T, String> {
    client.ready().await?;
    let request = client.get(url)?.header("Accept", "application/json").timeout(patience);
    let response = request.send().await.map_err(|e| client::explain(&e))?;
    let body = body(response).await?;
    serde_json::from_slice(&body).map_err(|e| format!("{url}: {e}"))
}

/// A label name from any text: what a name cannot hold becomes an underscore.
pub(crate) fn sanitized(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub(crate) fn host_port(host: &str, port: impl std::fmt::Display) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The characters that may stand in a path segment or a query value as they are; all others are escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_escapes() {
        assert_eq!(sanitized("app.kubernetes.io/name"), "app_kubernetes_io_name");
        assert_eq!(sanitized("é-1"), "__1");
        assert_eq!(host_port("10.0.0.1", 80), "10.0.0.1:80");
        assert_eq!(host_port("::1", 80), "[::1]:80");
        assert_eq!(escaped("a b/ü"), "a%20b%2F%C3%BC");
    }
}

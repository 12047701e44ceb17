//! What went wrong, in the words users know from Go.

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

//! What went wrong, in the words users know from Go.

use std::io::{Error, ErrorKind};

use reqwest::Url;

/// What went wrong, as Go's client says it: `Get "url": dial tcp host:port: connect: connection refused`.
pub fn explain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let io = cause.downcast_ref::<Error>();
    let hyper_text = cause.to_string();
    let reason = match (error.url(), io) {
        _ if error.is_timeout() => "context deadline exceeded".to_owned(),
        _ if error.is_redirect() && hyper_text.contains("too many") => {
            "stopped after 10 redirects".to_owned()
        }
        (Some(url), Some(io)) if is_known(io) => explain_io(url, io),
        (Some(url), _) if error.is_connect() && hyper_text.contains("lookup address") => no_such_host(url),
        _ => reworded(hyper_text),
    };
    match error.url() {
        Some(url) => format!("Get {:?}: {reason}", url.as_str()),
        None => reason,
    }
}

/// An input or output error in the words of Go's `net`.
pub(crate) fn explain_io(url: &Url, error: &Error) -> String {
    let port = url.port_or_known_default().unwrap_or(80);
    let dial =
        |what: &str| format!("dial tcp {}:{port}: connect: {what}", url.host_str().unwrap_or_default());
    match error.kind() {
        ErrorKind::ConnectionRefused => dial("connection refused"),
        ErrorKind::HostUnreachable => dial("no route to host"),
        ErrorKind::NetworkUnreachable => dial("network is unreachable"),
        ErrorKind::TimedOut => dial("connection timed out"),
        ErrorKind::ConnectionReset => "read: connection reset by peer".to_owned(),
        ErrorKind::BrokenPipe => "write: broken pipe".to_owned(),
        ErrorKind::UnexpectedEof => "EOF".to_owned(),
        ErrorKind::NotFound if error.raw_os_error().is_some() => {
            "dial unix: connect: no such file or directory".to_owned()
        }
        _ if error.to_string().contains("lookup address") => no_such_host(url),
        _ => error.to_string(),
    }
}

fn is_known(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Other | ErrorKind::InvalidData)
}

fn no_such_host(url: &Url) -> String {
    format!("dial tcp: lookup {}: no such host", url.host_str().unwrap_or_default())
}

/// Texts of the libraries in between, as far as Go has its own for the same thing.
fn reworded(text: String) -> String {
    let known = [
        ("UnknownIssuer", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
        (
            "NotValidForName",
            "tls: failed to verify certificate: x509: certificate is not valid for this name",
        ),
        (
            "certificate not valid for name",
            "tls: failed to verify certificate: x509: certificate is not valid for this name",
        ),
        ("Expired", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"),
        ("InvalidContentType", "http: server gave HTTP response to HTTPS client"),
        ("connection closed before message completed", "EOF"),
        ("end of file before message length reached", "unexpected EOF"),
    ];
    known.iter().find(|(part, _)| text.contains(part)).map_or(text.clone(), |(_, go)| (*go).to_owned())
}

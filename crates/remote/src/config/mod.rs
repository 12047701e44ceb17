//! The sections `remote_write` and `remote_read`: keys, defaults, and what makes them invalid, with the
//! original's error texts.

mod read;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

pub use read::RemoteReadConfig;
pub use write::{MetadataConfig, Protocol, QueueConfig, RemoteWriteConfig};

/// Headers that requests carry anyway or that other settings decide.
const RESERVED_HEADERS: &[&str] = &[
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-content-sha256",
];

fn validate_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    for header in headers.keys() {
        let lower = header.to_ascii_lowercase();
        if lower == "authorization" {
            return Err(
                "authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread or google_iam parameter"
                    .into(),
            );
        }
        if RESERVED_HEADERS.contains(&lower.as_str()) {
            return Err(format!("{header} is a reserved header. It must not be changed"));
        }
    }
    Ok(())
}

/// `section` names the list in the error text.
fn validate_url(section: &str, url: &str) -> Result<(), String> {
    if url.is_empty() {
        return Err(format!("url for {section} is empty"));
    }
    url.parse::<reqwest::Url>().map(|_| ()).map_err(|e| format!("{section}: parse {url:?}: {e}"))
}

/// Why nothing can be sent to a URL that reads well. The original takes `localhost:9090` for a scheme and a
/// path, loads the file, and fails at every request.
fn unsupported_scheme(url: &str) -> Option<String> {
    let parsed = url.parse::<reqwest::Url>().ok()?;
    let known = matches!(parsed.scheme(), "http" | "https");
    (!known).then(|| format!("unsupported scheme {:?} in url {url:?}", parsed.scheme()))
}

/// Two entries of one name could not be told apart in metrics.
fn validate_names<'a>(kind: &str, names: impl Iterator<Item = Option<&'a str>>) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    for name in names.flatten() {
        if !seen.insert(name) {
            return Err(format!("found multiple remote {kind} configs with job name {name:?}"));
        }
    }
    Ok(())
}

/// The first characters of a hash name an entry that has no name, as in the original.
fn short_hash(parts: &[&str]) -> String {
    format!("{:016x}", fingerprint(parts)).split_off(10)
}

/// Stable across processes and versions: cursors on disk are found by it.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    let mut text = String::new();
    for part in parts {
        text.push_str(part);
        text.push('\0');
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

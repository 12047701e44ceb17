//! The keys of the file, their defaults, and what makes them invalid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use axum::http::{HeaderName, HeaderValue};
use config::{Secret, Validate};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    pub tls_server_config: TlsServer,
    pub http_server_config: HttpServer,
    pub rate_limit: RateLimit,
    /// Name to bcrypt hash.
    pub basic_auth_users: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsServer {
    pub cert: String,
    pub key: Option<Secret>,
    pub client_ca: String,
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
    pub client_auth_type: String,
    pub client_ca_file: PathBuf,
    pub cipher_suites: Vec<String>,
    pub curve_preferences: Vec<String>,
    pub min_version: Option<Version>,
    pub max_version: Option<Version>,
    /// Without meaning since servers always choose well; read and left alone, as by the original.
    pub prefer_server_cipher_suites: Option<bool>,
    pub client_allowed_sans: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    Tls10,
    Tls11,
    Tls12,
    Tls13,
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "TLS10" => Ok(Version::Tls10),
            "TLS11" => Ok(Version::Tls11),
            "TLS12" => Ok(Version::Tls12),
            "TLS13" => Ok(Version::Tls13),
            other => Err(serde::de::Error::custom(format!("unknown TLS version: {other}"))),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpServer {
    pub http2: bool,
    pub headers: BTreeMap<String, String>,
}

impl Default for HttpServer {
    fn default() -> HttpServer {
        HttpServer { http2: true, headers: BTreeMap::new() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    pub burst: u64,
    pub interval: String,
}

/// The headers a file may set, each with the values it may have; an empty list takes any.
const HEADERS: &[(&str, &[&str])] = &[
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

impl Validate for WebConfig {
    fn validate(&mut self) -> Result<(), String> {
        for (name, value) in &self.http_server_config.headers {
            let Some((_, allowed)) = HEADERS.iter().find(|(known, _)| known == name) else {
                return Err(format!("HTTP header {name:?} can not be configured"));
            };
            if !allowed.is_empty() && !allowed.contains(&value.as_str()) {
                let list = allowed.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(" ");
                return Err(format!(
                    "invalid value for {name}. Expected one of: [{list}], but got: {value:?}"
                ));
            }
        }
        for hash in self.basic_auth_users.values() {
            super::auth::check_hash(hash.reveal())?;
        }
        if !matches!(self.rate_limit.interval.as_str(), "" | "0" | "0s") {
            return Err("rate_limit is not supported: put a proxy in front that limits requests".into());
        }
        Ok(())
    }
}

impl HttpServer {
    pub fn header_pairs(&self) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let pair = |(name, value): (&String, &String)| {
            let header =
                HeaderName::from_bytes(name.as_bytes()).map_err(|e| format!("header {name}: {e}"))?;
            let value = HeaderValue::from_str(value).map_err(|e| format!("header {name}: {e}"))?;
            Ok((header, value))
        };
        self.headers.iter().map(pair).collect()
    }
}

impl TlsServer {
    /// Whether any field asks for TLS.
    pub fn is_enabled(&self) -> bool {
        self.has_certificate() || self.has_key() || self.has_client_ca() || !self.client_auth_type.is_empty()
    }

    pub fn has_certificate(&self) -> bool {
        !self.cert.is_empty() || !self.cert_file.as_os_str().is_empty()
    }

    pub fn has_key(&self) -> bool {
        self.key.as_ref().is_some_and(|k| !k.is_empty()) || !self.key_file.as_os_str().is_empty()
    }

    pub fn has_client_ca(&self) -> bool {
        !self.client_ca.is_empty() || !self.client_ca_file.as_os_str().is_empty()
    }

    /// With relative paths taken from `directory`.
    pub fn placed(&self, directory: &Path) -> TlsServer {
        let mut placed = self.clone();
        for path in [&mut placed.cert_file, &mut placed.key_file, &mut placed.client_ca_file] {
            if !path.as_os_str().is_empty() {
                *path = directory.join(&*path);
            }
        }
        placed
    }

    /// The files it names.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.cert_file, &self.key_file, &self.client_ca_file]
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
    }
}

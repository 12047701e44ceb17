//! `--cluster.tls-config`: both sides of mutual TLS between members.

use std::path::Path;
use std::sync::Arc;

use client::TlsConfig;
use config::Validate;
use front::TlsServer;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsTransportConfig {
    tls_server_config: Option<TlsServer>,
    tls_client_config: Option<TlsConfig>,
}

impl Validate for TlsTransportConfig {
    fn validate(&mut self) -> Result<(), String> {
        self.tls_client_config.as_ref().map_or(Ok(()), TlsConfig::validate)
    }
}

/// Reads the file and the certificates it names. Relative paths are taken from the file's directory.
pub fn load(path: &Path) -> Result<gossip::Tls, String> {
    let file: TlsTransportConfig = config::load(path).map_err(|e| e.to_string())?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let server = file.tls_server_config.unwrap_or_default().placed(directory);
    let server = front::tls_server_config(&server, false)
        .map_err(|e| format!("tls transport: invalid TLS server config: {e}"))?
        .ok_or("tls transport: invalid TLS server config: TLS config is not present")?;
    let mut settings = file.tls_client_config.unwrap_or_default();
    settings.set_directory(directory);
    let client = client::client_config(&settings)
        .map_err(|e| format!("tls transport: invalid TLS client config: {e}"))?;
    // HTTP is not spoken here.
    let (mut server, mut client) = (server, client);
    server.alpn_protocols.clear();
    client.alpn_protocols.clear();
    let server_name = settings.server_name.unwrap_or_default();
    Ok(gossip::Tls { server: Arc::new(server), client: Arc::new(client), server_name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tls.yml");
        let fails = |text: &str, expected: &str| {
            std::fs::write(&path, text).unwrap();
            let error = load(&path).err().expect("a mistake");
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        fails(
            "tls_client_config: {}\n",
            "tls transport: invalid TLS server config: TLS config is not present",
        );
        fails(
            "tls_server_config: {cert_file: a}\n",
            "tls transport: invalid TLS server config: missing one of key",
        );
        fails("tls_server_config: {cert_file: a, key_file: b}\n", "failed to read cert_file");
        fails("tls_server: {}\n", "tls_server");
        assert!(load(&dir.path().join("none")).is_err());
    }
}

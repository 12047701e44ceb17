//! TLS towards receivers, from `tls_config`.

use std::sync::{Arc, OnceLock};

use config::SecretSource;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::settings::TlsSettings;

/// Makes sure that a cryptography provider is there; the first one installed stays.
pub(crate) fn ensure_provider() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Losing a race against another installer is fine: it installed the same thing.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// A client configuration for these settings. Files are read now, so renewed certificates are seen.
pub(crate) fn client_config(settings: &TlsSettings) -> Result<Arc<ClientConfig>, String> {
    ensure_provider();
    let versions: Vec<&'static rustls::SupportedProtocolVersion> =
        [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)]
            .into_iter()
            .filter(|(number, _)| {
                version(&settings.min_version, 12) <= *number && *number <= version(&settings.max_version, 13)
            })
            .map(|(_, version)| version)
            .collect();
    if versions.is_empty() {
        return Err("tls_config allows neither TLS12 nor TLS13".into());
    }
    let builder = ClientConfig::builder_with_protocol_versions(&versions);
    let builder = if settings.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerification))
    } else {
        let roots = match pem(settings.ca.as_deref(), settings.ca_file.as_deref())? {
            Some(text) => {
                let mut roots = rustls::RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
                    let certificate = certificate.map_err(|e| format!("ca: {e}"))?;
                    roots.add(certificate).map_err(|e| format!("ca: {e}"))?;
                }
                Arc::new(roots)
            }
            None => system_roots(),
        };
        builder.with_root_certificates(roots)
    };
    let certificate = pem(settings.cert.as_deref(), settings.cert_file.as_deref())?;
    let key = SecretSource::from_pair(settings.key.clone(), settings.key_file.clone());
    let config = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|e| format!("cert: {e}"))?;
            let key = PrivateKeyDer::from_pem_slice(key.read()?.reveal().as_bytes())
                .map_err(|e| format!("key: {e}"))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| e.to_string())?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("tls_config needs both a certificate and its key".into()),
    };
    Ok(Arc::new(config))
}

/// The system's certificates, read once and shared: a large configuration has hundreds of receivers.
fn system_roots() -> Arc<rustls::RootCertStore> {
    static ROOTS: OnceLock<Arc<rustls::RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = rustls::RootCertStore::empty();
        // Unreadable certificates are left out; a connection that needs them fails by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    ROOTS.get_or_init(read).clone()
}

fn version(text: &Option<String>, default: u8) -> u8 {
    match text.as_deref() {
        Some("TLS13") => 13,
        Some("TLS10" | "TLS11" | "TLS12") => 12,
        _ => default,
    }
}

fn pem(inline: Option<&str>, file: Option<&std::path::Path>) -> Result<Option<String>, String> {
    match (inline, file) {
        (Some(text), _) if !text.is_empty() => Ok(Some(text.to_owned())),
        (_, Some(path)) => std::fs::read_to_string(path)
            .map(Some)
            .map_err(|e| format!("unable to read file {}: {e}", path.display())),
        _ => Ok(None),
    }
}

/// What `insecure_skip_verify` asks for.
#[derive(Debug)]
struct NoVerification;

impl rustls::client::danger::ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

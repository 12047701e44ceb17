//! `tls_config` as rustls wants it.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use config::SecretSource;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::settings::{TlsConfig, TlsVersion};

/// A configuration for these settings. Files are read now, the system's certificates when a server first
/// shows one.
pub fn client_config(settings: &TlsConfig) -> Result<ClientConfig, String> {
    let low = settings.min_version.unwrap_or(TlsVersion::Tls10);
    let high = settings.max_version.unwrap_or(TlsVersion::Tls13);
    let mut versions = Vec::new();
    // What is older than 1.2 is spoken by nobody here: allowing it means allowing 1.2.
    if low <= TlsVersion::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    if high >= TlsVersion::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions)
        .map_err(|e| format!("tls_config: {e}"))?;
    let verifier: Arc<dyn ServerCertVerifier> = if settings.insecure_skip_verify {
        Arc::new(NoVerification)
    } else {
        let ca = pem(settings.ca.as_deref(), settings.ca_file.as_deref());
        let verifier: Arc<dyn ServerCertVerifier> =
            match ca.map_err(|e| format!("unable to read CA cert: {e}"))? {
                Some(text) => {
                    let place = settings.ca_file.as_ref().filter(|_| settings.ca.is_none());
                    let place = place.map_or("inline".to_owned(), |path| format!("file {}", path.display()));
                    let refuse = |e| format!("unable to use specified CA cert {place}: {e}");
                    verifier(roots(&text).map_err(refuse)?).map_err(refuse)?
                }
                None => Arc::new(SystemVerifier),
            };
        match settings.server_name.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => {
                let name = ServerName::try_from(name.to_owned())
                    .map_err(|e| format!("tls_config: server_name {name:?}: {e}"))?;
                Arc::new(NamedVerifier { name, inner: verifier })
            }
            None => verifier,
        }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let certificate = pem(settings.cert.as_deref(), settings.cert_file.as_deref())
        .map_err(|e| format!("unable to read specified client cert: {e}"))?;
    let key = SecretSource::from_pair(settings.key.clone(), settings.key_file.clone());
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.as_bytes())
                .collect::<Result<_, _>>()
                .map_err(|e| format!("cert: {e}"))?;
            let key = key.read().map_err(|e| format!("unable to read specified client key: {e}"))?;
            let key =
                PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).map_err(|e| format!("key: {e}"))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| e.to_string())
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => Err("tls_config needs both a certificate and its key".into()),
    }
}

/// The cryptography, whatever the process has as its default.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

fn roots(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| e.to_string())?;
        roots.add(certificate).map_err(|e| e.to_string())?;
    }
    if roots.is_empty() { Err("no certificate in it".into()) } else { Ok(roots) }
}

fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, String> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|e| e.to_string())
}

fn pem(inline: Option<&str>, file: Option<&Path>) -> Result<Option<String>, String> {
    match (inline, file) {
        (Some(text), _) if !text.is_empty() => Ok(Some(text.to_owned())),
        (_, Some(path)) => std::fs::read_to_string(path)
            .map(Some)
            .map_err(|e| format!("unable to read file {}: {e}", path.display())),
        _ => Ok(None),
    }
}

/// Trusts what the system trusts. Its certificates are read at the first handshake and shared by all: they
/// cost memory, some machines have none, and most installations never need them.
#[derive(Debug)]
struct SystemVerifier;

impl SystemVerifier {
    fn verifier(&self) -> Result<&'static WebPkiServerVerifier, Error> {
        static SYSTEM: OnceLock<Result<Arc<WebPkiServerVerifier>, String>> = OnceLock::new();
        let read = || {
            let mut roots = RootCertStore::empty();
            // Unreadable certificates are left out; a connection that needs them fails by name.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            verifier(roots).map_err(|e| {
                format!("no certificate of this system can be used ({e}): install some or set ca_file")
            })
        };
        SYSTEM.get_or_init(read).as_deref().map_err(|e| Error::General(e.clone()))
    }
}

impl ServerCertVerifier for SystemVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(certificate, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Asks for the configured name, whatever the address says.
#[derive(Debug)]
struct NamedVerifier {
    name: ServerName<'static>,
    inner: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for NamedVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner.verify_server_cert(certificate, intermediates, &self.name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// What `insecure_skip_verify` asks for.
#[derive(Debug)]
struct NoVerification;

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

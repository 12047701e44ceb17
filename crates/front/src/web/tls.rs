//! `tls_server_config` as rustls wants it.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, NamedGroup, RootCertStore,
    ServerConfig, SignatureScheme,
};

use super::config::{TlsServer, Version};

/// `None` when the section does not ask for TLS. Files are read now.
pub fn server_config(settings: &TlsServer, http2: bool) -> Result<Option<ServerConfig>, String> {
    if !settings.is_enabled() {
        return Ok(None);
    }
    if !settings.has_certificate() {
        return Err("missing one of cert or cert_file".into());
    }
    if !settings.has_key() {
        return Err("missing one of key or key_file".into());
    }
    let chain = text(&settings.cert, &settings.cert_file, "cert_file")?;
    let inline = settings.key.as_ref().map_or("", |key| key.reveal());
    let key = text(inline, &settings.key_file, "key_file")?;
    let pair = |e: &dyn std::fmt::Display| format!("failed to load X509KeyPair: {e}");
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(|e| pair(&e))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| pair(&e))?;
    let provider = Arc::new(provider(settings)?);
    let verifier = verifier(settings, &provider)?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(settings)?)
        .map_err(|e| format!("tls_server_config: {e}"))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|e| pair(&e))?;
    config.alpn_protocols = match http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    };
    Ok(Some(config))
}

/// The file wins over the inline text, as in the original.
fn text(inline: &str, file: &Path, what: &str) -> Result<String, String> {
    match file.as_os_str().is_empty() {
        true => Ok(inline.to_owned()),
        false => std::fs::read_to_string(file)
            .map_err(|e| format!("failed to read {what} ({}): {e}", file.display())),
    }
}

fn versions(settings: &TlsServer) -> Result<Vec<&'static rustls::SupportedProtocolVersion>, String> {
    let low = settings.min_version.unwrap_or(Version::Tls12);
    let high = settings.max_version.unwrap_or(Version::Tls13);
    if high < Version::Tls12 {
        return Err("tls_server_config: TLS 1.1 and older are not spoken here: raise max_version".into());
    }
    let mut versions = Vec::new();
    // Allowing older versions means allowing 1.2.
    if low <= Version::Tls12 {
        versions.push(&rustls::version::TLS12);
    }
    if high >= Version::Tls13 {
        versions.push(&rustls::version::TLS13);
    }
    Ok(versions)
}

/// The cryptography, limited to the suites and curves the section lists.
fn provider(settings: &TlsServer) -> Result<CryptoProvider, String> {
    let mut provider = rustls::crypto::ring::default_provider();
    if !settings.cipher_suites.is_empty() {
        let mut suites = Vec::new();
        for name in &settings.cipher_suites {
            // Go writes the suites of 1.3 without their version.
            let known = provider.cipher_suites.iter().find(|suite| {
                let own = format!("{:?}", suite.suite());
                own == *name || own.replacen("TLS13_", "TLS_", 1) == *name
            });
            suites.push(*known.ok_or_else(|| format!("unknown cipher: {name}"))?);
        }
        // As in Go, the list is about 1.2: the suites of 1.3 are not to be chosen.
        for suite in &provider.cipher_suites {
            if suite.tls13().is_some() && !suites.contains(suite) {
                suites.push(*suite);
            }
        }
        provider.cipher_suites = suites;
    }
    if !settings.curve_preferences.is_empty() {
        let mut groups = Vec::new();
        for name in &settings.curve_preferences {
            let group = match name.as_str() {
                "X25519" => NamedGroup::X25519,
                "CurveP256" => NamedGroup::secp256r1,
                "CurveP384" => NamedGroup::secp384r1,
                "CurveP521" => return Err("curve CurveP521 is not supported: use CurveP384".into()),
                other => return Err(format!("unknown curve: {other}")),
            };
            groups.extend(provider.kx_groups.iter().copied().find(|known| known.name() == group));
        }
        provider.kx_groups = groups;
    }
    Ok(provider)
}

/// Who checks the clients' certificates; `None` when nobody asks for any.
fn verifier(
    settings: &TlsServer,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    let kind = settings.client_auth_type.as_str();
    if settings.has_client_ca() && matches!(kind, "" | "NoClientCert") {
        return Err("client CA's have been configured without a Client Auth Policy".into());
    }
    let chain = || -> Result<_, String> {
        let pem = text(&settings.client_ca, &settings.client_ca_file, "client_ca_file")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
            roots.add(certificate).map_err(|e| format!("client_ca: {e}"))?;
        }
        if roots.is_empty() {
            return Err(format!(
                "client_auth_type {kind} needs client_ca_file with at least one certificate"
            ));
        }
        Ok(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()))
    };
    let fail = |e: rustls::server::VerifierBuilderError| format!("client_ca: {e}");
    let any = |mandatory| Arc::new(AnyCertificate { provider: provider.clone(), mandatory });
    let verifier: Arc<dyn ClientCertVerifier> = match kind {
        "" | "NoClientCert" => {
            return match settings.client_allowed_sans {
                Some(_) => Err(sans_need_certificates()),
                None => Ok(None),
            };
        }
        "RequestClientCert" => any(false),
        // The second name is an older one for the first.
        "RequireAnyClientCert" | "RequireClientCert" => any(true),
        "VerifyClientCertIfGiven" => chain()?.allow_unauthenticated().build().map_err(fail)?,
        "RequireAndVerifyClientCert" => chain()?.build().map_err(fail)?,
        other => return Err(format!("invalid ClientAuth: {other}")),
    };
    let Some(names) = &settings.client_allowed_sans else { return Ok(Some(verifier)) };
    if !verifier.client_auth_mandatory() {
        return Err(sans_need_certificates());
    }
    let mut allowed = Vec::new();
    for name in names {
        let parsed = ServerName::try_from(name.clone()).map_err(|_| {
            format!("client_allowed_sans: {name:?} is neither a host name nor an IP address, the kinds that are supported")
        })?;
        allowed.push(parsed);
    }
    Ok(Some(Arc::new(AllowedNames { inner: verifier, allowed })))
}

fn sans_need_certificates() -> String {
    "client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or RequireAndVerifyClientCert"
        .into()
}

/// Takes any certificate whose key the client has.
#[derive(Debug)]
struct AnyCertificate {
    provider: Arc<CryptoProvider>,
    mandatory: bool,
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// On top of another check: the certificate must carry one of these names.
#[derive(Debug)]
struct AllowedNames {
    inner: Arc<dyn ClientCertVerifier>,
    allowed: Vec<ServerName<'static>>,
}

impl ClientCertVerifier for AllowedNames {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(certificate, intermediates, now)?;
        let parsed = ParsedCertificate::try_from(certificate)?;
        let matches = |name| rustls::client::verify_server_name(&parsed, name).is_ok();
        match self.allowed.iter().any(matches) {
            true => Ok(verified),
            false => Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        }
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

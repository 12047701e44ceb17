//! A guarded door from outside.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Web;
use crate::{Door, Host};

/// A certificate for `localhost` that signed itself, good until 2126.
const CERTIFICATE: &str = include_str!("../../testdata/localhost.pem");

fn folder(yaml: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cert.pem"), CERTIFICATE).unwrap();
    std::fs::write(dir.path().join("key.pem"), include_str!("../../testdata/localhost.key")).unwrap();
    std::fs::write(dir.path().join("web.yml"), yaml).unwrap();
    dir
}

fn load(yaml: &str) -> Result<Arc<Web>, String> {
    Web::load(&folder(yaml).path().join("web.yml"))
}

async fn serve(file: &Path) -> (Host, std::net::SocketAddr) {
    let host = Host { web: Some(Web::load(file).unwrap()), ..Host::detached() };
    let door = Door::bind("test", "127.0.0.1:0").await.unwrap();
    let address = door.address();
    std::mem::forget(door.serve(Router::new().route("/", get(|| async { "inside" })), &host));
    (host, address)
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, extra: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{extra}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut out = Vec::new();
    // A TLS peer may end without saying so; what came until then is what counts.
    let _ = stream.read_to_end(&mut out).await;
    String::from_utf8(out).unwrap()
}

#[test]
fn refusals() {
    let check = |yaml: &str, part: &str| {
        let e = load(yaml).err().unwrap_or_else(|| panic!("accepted: {yaml}"));
        assert!(e.contains("web.yml") && e.contains(part), "{yaml}: {e}");
    };
    check("basic_auth_user: {}", "basic_auth_user");
    check("basic_auth_users: {a: plain}", "too short to be a bcrypted password");
    check("tls_server_config: {cert_file: cert.pem}", "missing one of key or key_file");
    check("tls_server_config: {key_file: key.pem}", "missing one of cert or cert_file");
    check("tls_server_config: {cert_file: no.pem, key_file: key.pem}", "failed to read cert_file");
    check("tls_server_config: {cert_file: key.pem, key_file: key.pem}", "failed to load X509KeyPair");
    let tls = |more: &str| format!("tls_server_config: {{cert_file: cert.pem, key_file: key.pem, {more}}}");
    check(&tls("client_auth_type: Maybe"), "invalid ClientAuth: Maybe");
    check(&tls("client_ca_file: cert.pem"), "client CA's have been configured without a Client Auth Policy");
    check(&tls("client_allowed_sans: [a]"), "client_allowed_sans requires client_auth_type");
    check(&tls("min_version: TLS9"), "unknown TLS version: TLS9");
    check(&tls("max_version: TLS11"), "raise max_version");
    check(&tls("cipher_suites: [ROT13]"), "unknown cipher: ROT13");
    check(&tls("curve_preferences: [Flat]"), "unknown curve: Flat");
    check("http_server_config: {headers: {Server: x}}", "HTTP header \"Server\" can not be configured");
    check(
        "http_server_config: {headers: {X-Frame-Options: maybe}}",
        "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"maybe\"",
    );
    check("rate_limit: {burst: 1, interval: 1s}", "rate_limit is not supported");
    for good in [
        String::new(),
        tls(
            "client_ca_file: cert.pem, client_auth_type: RequireAndVerifyClientCert, client_allowed_sans: [localhost, 127.0.0.1]",
        ),
        tls(
            "min_version: TLS10, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], curve_preferences: [X25519, CurveP256]",
        ),
        "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}".into(),
    ] {
        load(&good).unwrap_or_else(|e| panic!("{good}: {e}"));
    }
}

#[tokio::test]
async fn passwords_and_headers() {
    let dir = folder(&format!(
        "basic_auth_users: {{alice: '{}'}}\nhttp_server_config: {{headers: {{X-Frame-Options: deny}}}}\n",
        bcrypt::hash("secret", 4).unwrap()
    ));
    let (_host, address) = serve(&dir.path().join("web.yml")).await;
    let reply = async |extra: &str| ask(&mut TcpStream::connect(address).await.unwrap(), extra).await;
    let refused = reply("").await;
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.ends_with("Unauthorized\n"), "{refused}");
    assert!(refused.contains("www-authenticate: Basic\r\n") && refused.contains("x-frame-options: deny"));
    // alice:wrong, bob:secret, alice:secret
    assert!(reply("Authorization: Basic YWxpY2U6d3Jvbmc=\r\n").await.starts_with("HTTP/1.1 401 "));
    assert!(reply("Authorization: Basic Ym9iOnNlY3JldA==\r\n").await.starts_with("HTTP/1.1 401 "));
    let welcome = reply("Authorization: Basic YWxpY2U6c2VjcmV0\r\n").await;
    assert!(welcome.starts_with("HTTP/1.1 200 ") && welcome.ends_with("inside"), "{welcome}");
    // A slip of the pen leaves the last good file in force; the next good one replaces it.
    std::fs::write(dir.path().join("web.yml"), "basic_auth_users: {alice: oops}\n").unwrap();
    assert!(reply("").await.starts_with("HTTP/1.1 401 "));
    std::fs::write(dir.path().join("web.yml"), "http_server_config: {http2: true}\n").unwrap();
    assert!(reply("").await.ends_with("inside"));
}

#[tokio::test]
async fn tls() {
    let dir = folder("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n");
    let (_host, address) = serve(&dir.path().join("web.yml")).await;
    let plain = ask(&mut TcpStream::connect(address).await.unwrap(), "").await;
    assert!(plain.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{plain}");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    assert!(ask(&mut stream, "").await.ends_with("inside"));
}

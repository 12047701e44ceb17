//! Mail over loopback: the conversation with the server, and what it is handed.

use std::sync::{Arc, Mutex};

use alerting::{Attempt, Integration};
use client::TlsConfig;
use config::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{notification, templates};
use crate::{EmailIntegration, EmailSettings};

/// An SMTP server that accepts everything (or refuses recipients) and keeps the conversation.
async fn smtp_sink(extensions: &'static str, refuse: &'static str) -> (String, Arc<Mutex<String>>) {
    smtp_sink_at("127.0.0.1:0", extensions, refuse).await
}

async fn smtp_sink_at(
    address: &str,
    extensions: &'static str,
    refuse: &'static str,
) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard: Arc<Mutex<String>> = Arc::default();
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"220 sink ready\r\n").await.unwrap();
            let (mut in_data, mut pending) = (false, String::new());
            loop {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).await.unwrap_or(0);
                if n == 0 {
                    break;
                }
                pending.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
                while let Some((line, rest)) = pending.clone().split_once("\r\n") {
                    pending = rest.to_owned();
                    log.lock().unwrap().push_str(&format!("{line}\n"));
                    let answer = match line {
                        "." if in_data => {
                            in_data = false;
                            "250 queued".to_owned()
                        }
                        _ if in_data => continue,
                        "DATA" => {
                            in_data = true;
                            "354 go on".to_owned()
                        }
                        "QUIT" => "221 bye".to_owned(),
                        "AUTH LOGIN" => "334 VXNlcm5hbWU6".to_owned(),
                        // The example of RFC 2195.
                        "AUTH CRAM-MD5" => {
                            "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+".to_owned()
                        }
                        "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw" => "235 welcome".to_owned(),
                        "dQ==" => "334 UGFzc3dvcmQ6".to_owned(),
                        line if line.starts_with("EHLO") => {
                            format!("250-sink\r\n250-{extensions}\r\n250 SIZE 1000000")
                        }
                        line if line.starts_with("AUTH PLAIN") || line == "cA==" => "235 welcome".to_owned(),
                        line if !refuse.is_empty() && line.starts_with("RCPT") => refuse.to_owned(),
                        _ => "250 ok".to_owned(),
                    };
                    stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                }
            }
        }
    });
    (address, heard)
}

fn email(smarthost: &str, change: impl FnOnce(&mut EmailSettings)) -> EmailIntegration {
    let mut settings = EmailSettings {
        to: "Ops <ops@example.org>, second@example.org".into(),
        from: "am@example.org".into(),
        smarthost: smarthost.into(),
        require_tls: Some(false),
        text: "{{ range .Alerts }}{{ .Annotations.summary }}\n.\n{{ end }}".into(),
        ..EmailSettings::default()
    };
    change(&mut settings);
    EmailIntegration::new(settings, templates()).unwrap()
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (address, heard) = smtp_sink("AUTH PLAIN LOGIN", "").await;
    let mail = email(&address, |s| {
        s.auth_username = "u".into();
        s.auth_password = Some(Secret::new("p"));
    });
    mail.notify(&notification(), &mut Attempt::default()).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    assert!(heard.starts_with("EHLO localhost\nAUTH PLAIN AHUAcA==\nMAIL FROM:<am@example.org>\nRCPT TO:<ops@example.org>\nRCPT TO:<second@example.org>\nDATA\n"), "{heard}");
    assert!(heard.contains("Subject: [FIRING:1] Down (page)\n"), "{heard}");
    assert!(heard.contains("To: Ops <ops@example.org>, second@example.org\n"));
    assert!(heard.contains("Date: Tue, 14 Nov 2023 22:14:20 +0000\n"), "{heard}");
    assert!(heard.contains("Content-Type: text/html; charset=UTF-8\n") && heard.contains("text/plain"));
    // A line with a lone dot is doubled on the way and does not end the message.
    assert!(heard.contains("a:1 is <down> & out\n..\n"), "{heard}");
    assert!(heard.contains("a:1 is &lt;down&gt; &amp; out"), "{heard}");
    assert!(heard.ends_with(".\nQUIT\n"));
}

#[tokio::test]
async fn login_is_used_where_plain_is_not_offered() {
    let (address, heard) = smtp_sink("AUTH LOGIN", "").await;
    let mail = email(&address, |s| {
        s.auth_username = "u".into();
        s.auth_password = Some(Secret::new("p"));
    });
    mail.notify(&notification(), &mut Attempt::default()).await.unwrap();
    assert!(heard.lock().unwrap().contains("AUTH LOGIN\ndQ==\ncA==\nMAIL FROM"));
}

#[tokio::test]
async fn values_cannot_add_headers_or_recipients() {
    let (address, heard) = smtp_sink("PIPELINING", "").await;
    let mail = email(&address, |s| {
        s.headers =
            [("subject".to_owned(), "{{ .Status }}\r\nBcc: evil@example.org\r\n\r\nhi é".to_owned())].into();
    });
    mail.notify(&notification(), &mut Attempt::default()).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    assert!(
        !heard.contains("\nBcc:") && heard.contains("Subject: =?utf-8?q?firing=0D=0ABcc:_evil"),
        "{heard}"
    );

    let mail = email(&address, |s| s.to = "a@b>\r\nRCPT TO:<evil@example.org".into());
    let error = mail.notify(&notification(), &mut Attempt::default()).await.unwrap_err();
    assert!(!error.retry && error.message.starts_with("parse 'to' addresses:"), "{error}");
}

#[tokio::test]
async fn mail_errors_tell_whether_to_retry() {
    let (address, _) = smtp_sink("SIZE", "").await;
    let error = email(&address, |s| s.require_tls = Some(true))
        .notify(&notification(), &mut Attempt::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.message,
        format!("'require_tls' is true (default) but {address:?} does not advertise the STARTTLS extension")
    );
    let (address, _) = smtp_sink("SIZE", "550 no such user").await;
    let error = email(&address, |_| {}).notify(&notification(), &mut Attempt::default()).await.unwrap_err();
    assert_eq!((error.retry, error.message.as_str()), (true, "send RCPT command: 550 no such user"));
}

/// An SMTP server with TLS: at once, or after STARTTLS. Tells what it heard after the handshake.
async fn tls_sink(implicit: bool) -> (u16, Arc<Mutex<String>>) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("../../testdata/localhost.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../testdata/localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: Arc<Mutex<String>> = Arc::default();
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if !implicit {
                stream.write_all(b"220 sink\r\n").await.unwrap();
                for answer in ["250-sink\r\n250 STARTTLS\r\n", "220 go\r\n"] {
                    let mut chunk = [0; 512];
                    let _ = stream.read(&mut chunk).await;
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            let Ok(mut tls) = acceptor.accept(stream).await else { continue };
            if implicit {
                tls.write_all(b"220 sink\r\n").await.unwrap();
            }
            let mut in_data = false;
            let mut chunk = [0; 8192];
            while let Ok(n @ 1..) = tls.read(&mut chunk).await {
                let text = String::from_utf8_lossy(&chunk[..n]).into_owned();
                log.lock().unwrap().push_str(&text);
                let answer = match text.as_str() {
                    "DATA\r\n" => {
                        in_data = true;
                        "354 go on\r\n"
                    }
                    text if in_data && !text.ends_with("\r\n.\r\n") => continue,
                    _ => {
                        in_data = false;
                        "250 ok\r\n"
                    }
                };
                tls.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    });
    (port, heard)
}

#[tokio::test]
async fn mail_travels_encrypted_to_a_server_that_proves_who_it_is() {
    let trusted =
        TlsConfig { ca: Some(include_str!("../../testdata/localhost.crt").into()), ..TlsConfig::default() };
    for implicit in [false, true] {
        let (port, heard) = tls_sink(implicit).await;
        let make = |tls: Option<TlsConfig>| {
            email(&format!("localhost:{port}"), |s| {
                s.require_tls = Some(true);
                s.force_implicit_tls = Some(implicit);
                s.tls_config = tls;
            })
        };
        make(Some(trusted.clone())).notify(&notification(), &mut Attempt::default()).await.unwrap();
        let said = heard.lock().unwrap().clone();
        assert!(said.starts_with("EHLO localhost\r\nMAIL FROM") && said.contains("Subject:"), "{said}");
        heard.lock().unwrap().clear();

        // A certificate nobody vouches for: nothing of the message is sent.
        let error = make(None).notify(&notification(), &mut Attempt::default()).await.unwrap_err();
        assert!(error.message.contains("certificate"), "{error}");
        let other = TlsConfig { server_name: Some("other.example".into()), ..trusted.clone() };
        assert!(make(Some(other)).notify(&notification(), &mut Attempt::default()).await.is_err());
        assert!(heard.lock().unwrap().is_empty());
        let careless = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
        make(Some(careless)).notify(&notification(), &mut Attempt::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_secret_does_not_travel_where_the_server_can_do_without() {
    let (address, heard) = smtp_sink("AUTH CRAM-MD5 PLAIN", "").await;
    let mail = email(&address, |s| {
        s.auth_username = "tim".into();
        s.auth_secret = Some(Secret::new("tanstaaftanstaaf"));
    });
    mail.notify(&notification(), &mut Attempt::default()).await.unwrap();
    let answer = "AUTH CRAM-MD5\ndGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\nMAIL";
    assert!(heard.lock().unwrap().contains(answer));

    // Without any, the server is told nothing.
    let (address, heard) = smtp_sink("AUTH CRAM-MD5 PLAIN GSSAPI", "").await;
    let mail = email(&address, |s| s.auth_username = "tim".into());
    let error = mail.notify(&notification(), &mut Attempt::default()).await.unwrap_err();
    assert_eq!(
        error.message,
        "find auth mechanism: missing secret for CRAM-MD5 auth mechanism\n\
         missing password for PLAIN auth mechanism\nunknown auth mechanism: GSSAPI"
    );
    assert_eq!(*heard.lock().unwrap(), "EHLO localhost\n");
}

#[tokio::test]
async fn a_password_is_not_told_in_the_open() {
    // Loopback as well, but not by a name that says so.
    let (address, heard) = smtp_sink_at("127.0.0.2:0", "AUTH PLAIN", "").await;
    let mail = email(&address, |s| {
        s.auth_username = "u".into();
        s.auth_password = Some(Secret::new("p"));
    });
    let error = mail.notify(&notification(), &mut Attempt::default()).await.unwrap_err();
    assert_eq!(error.message, "PLAIN auth: unencrypted connection");
    assert_eq!(*heard.lock().unwrap(), "EHLO localhost\n");
}

#[tokio::test]
async fn mails_of_a_group_are_one_thread() {
    for (by, day) in [("none", ""), ("daily", "2023-11-14")] {
        let (address, heard) = smtp_sink("SIZE", "").await;
        let mail = email(&address, |s| {
            s.threading = crate::Threading { enabled: true, thread_by_date: by.into() };
        });
        mail.notify(&notification(), &mut Attempt::default()).await.unwrap();
        let id = &crate::text::group_id(&notification().group_key)[..16];
        let heard = heard.lock().unwrap().clone();
        for name in ["References", "In-Reply-To"] {
            assert!(heard.contains(&format!("{name}: <alert-{id}-{day}@alertmanager>\n")), "{heard}");
        }
    }
}

#[test]
fn headers_and_bodies_are_encoded_as_the_original_does() {
    use crate::mail::headers::{addresses, line};
    use crate::mail::message::quoted_printable;
    let check = |value: &str, expected: &str| assert_eq!(line("X", value), format!("X: {expected}\r\n"));
    check("plain, text?", "plain, text?");
    check("gr\u{fc}n_ =?", "=?utf-8?q?gr=C3=BCn=5F_=3D=3F?=");
    check("a\r\nBcc: b", "=?utf-8?q?a=0D=0ABcc:_b?=");
    // 63 characters a word.
    let long = line("X", &"\u{e4}".repeat(12));
    assert_eq!(
        long,
        format!("X: =?utf-8?q?{}?= =?utf-8?q?{}?=\r\n", "=C3=A4".repeat(10), "=C3=A4".repeat(2))
    );

    assert_eq!(quoted_printable("a=b \n\tx\t\r\n.\r\u{e4}"), "a=3Db=20\r\n\tx=09\r\n.\r\n=C3=A4");
    assert_eq!(quoted_printable(&"x".repeat(80)), format!("{}=\r\nxxxxx", "x".repeat(75)));

    assert_eq!(addresses("Ops \"a, b\" <ops@x>, b@y,").unwrap(), ["ops@x", "b@y"]);
    assert!(addresses("nobody").is_err() && addresses("").is_err());
}

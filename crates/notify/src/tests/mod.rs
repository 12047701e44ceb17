//! Messages over loopback: what arrives is what a receiver would see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alerting::{
    Alert, Attempt, FailureReason, Integration, Notification, NotifiedAlert, NotifyError, Reason,
};
use client::TlsConfig;
use config::Secret;
use model::Labels;
use platform::ManualClock;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{
    EmailIntegration, EmailSettings, HttpSettings, SlackIntegration, SlackSettings, Templates,
    WebhookIntegration, WebhookSettings,
};

fn templates() -> Arc<Templates> {
    let clock = Arc::new(ManualClock::at_ms(1_700_000_000_000));
    Arc::new(Templates::new("http://am.example", &[], clock).unwrap())
}

fn notification() -> Notification {
    let alert = |instance: &str, resolved: bool| NotifiedAlert {
        alert: Arc::new(Alert {
            labels: Labels::from_pairs([("alertname", "Down"), ("instance", instance), ("severity", "page")]),
            annotations: [("summary".to_owned(), format!("{instance} is <down> & out"))].into(),
            starts_at: 1_700_000_000_123_456_789,
            ends_at: 1_700_000_300_000_000_000,
            updated_at: 0,
            generator_url: format!("http://prom/{instance}"),
            timeout: true,
        }),
        resolved,
    };
    Notification {
        receiver: "team x".into(),
        group_key: "{}:{alertname=\"Down\"}".into(),
        group_labels: Labels::from_pairs([("alertname", "Down")]),
        route_labels: BTreeMap::new(),
        alerts: vec![alert("a:1", false), alert("b:2", true)],
        reason: Reason::FirstNotification,
        now: 1_700_000_060_000_000_000,
    }
}

/// An HTTP server that gives each request the same answer and keeps what it was sent.
struct HttpSink {
    url: String,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

async fn http_sink(status: &'static str, kind: &'static str, body: &'static str) -> HttpSink {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let requests: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = Vec::new();
            let (head, length) = loop {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).await.unwrap();
                if n == 0 {
                    return;
                }
                text.extend_from_slice(&chunk[..n]);
                let all = String::from_utf8_lossy(&text).into_owned();
                if let Some((head, _)) = all.split_once("\r\n\r\n") {
                    let lower = head.to_ascii_lowercase();
                    let length = lower.split("content-length: ").nth(1).unwrap();
                    break (head.to_owned(), length.lines().next().unwrap().parse::<usize>().unwrap());
                }
            };
            while text.len() < head.len() + 4 + length {
                let mut chunk = [0; 4096];
                let n = stream.read(&mut chunk).await.unwrap();
                text.extend_from_slice(&chunk[..n]);
            }
            let content = String::from_utf8(text[head.len() + 4..].to_vec()).unwrap();
            seen.lock().unwrap().push((head, content));
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    HttpSink { url, requests }
}

fn webhook(yaml: &str, url: &str) -> WebhookIntegration {
    let settings: WebhookSettings = config::parse_unchecked("test", &yaml.replace("URL", url)).unwrap();
    WebhookIntegration::new(settings, templates()).unwrap()
}

#[tokio::test]
async fn a_webhook_gets_version_4_json() {
    let sink = http_sink("200 OK", "text/plain", "").await;
    webhook("url: URL", &sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let (head, body) = sink.requests.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    assert!(head.to_ascii_lowercase().contains("content-type: application/json"));
    assert!(head.to_ascii_lowercase().contains("user-agent: alertmanager/"), "{head}");
    assert!(body.ends_with("}\n") && body.contains("a:1 is \\u003cdown\\u003e \\u0026 out"), "{body}");
    let json: Json = serde_json::from_str(&body).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "receiver",
            "status",
            "alerts",
            "notification_reason",
            "groupLabels",
            "commonLabels",
            "commonAnnotations",
            "routeLabels",
            "externalURL",
            "version",
            "groupKey",
            "truncatedAlerts"
        ]
    );
    assert_eq!(
        json["alerts"][0],
        json!({
            "status": "firing",
            "labels": {"alertname": "Down", "instance": "a:1", "severity": "page"},
            "annotations": {"summary": "a:1 is <down> & out"},
            "startsAt": "2023-11-14T22:13:20.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prom/a:1",
            "fingerprint": alerting::fingerprint_text(notification().alerts[0].alert.fingerprint()),
        })
    );
    assert_eq!(json["alerts"][1]["endsAt"], "2023-11-14T22:18:20Z");
    assert_eq!(json["commonLabels"], json!({"alertname": "Down", "severity": "page"}));
    assert_eq!((json["status"].as_str(), json["truncatedAlerts"].as_u64()), (Some("firing"), Some(0)));
}

#[tokio::test]
async fn a_webhook_can_be_cut_authorized_and_addressed_by_template() {
    let sink = http_sink("200 OK", "text/plain", "").await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let yaml = format!(
        "url: URL/{{{{ .GroupLabels.alertname }}}}\nmax_alerts: 1\nhttp_config:\n  authorization:\n    credentials_file: {}\n  http_headers:\n    X-Team: {{values: [ops]}}\n",
        file.display()
    );
    webhook(&yaml, &sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let (head, body) = sink.requests.lock().unwrap()[0].clone();
    assert!(head.starts_with("POST /hook/Down HTTP/1.1"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer s3cret") && head.contains("x-team: ops"), "{head}");
    let json: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((json["alerts"].as_array().unwrap().len(), json["truncatedAlerts"].as_u64()), (1, Some(1)));
}

#[tokio::test]
async fn answers_decide_whether_to_retry() {
    let check = async |status: &'static str, retry: bool, reason: FailureReason, message: &str| {
        let sink = http_sink(status, "text/plain", "why").await;
        let error = webhook("url: URL", &sink.url)
            .notify(&notification(), &mut Attempt::default())
            .await
            .unwrap_err();
        assert_eq!((error.retry, error.reason, error.message.as_str()), (retry, reason, message));
    };
    check("500 Oops", true, FailureReason::ServerError, "unexpected status code 500: why").await;
    check("404 No", false, FailureReason::ClientError, "unexpected status code 404: why").await;
    check("401 No", false, FailureReason::AuthError, "unexpected status code 401: why").await;
    check("429 Slow", false, FailureReason::RateLimited, "unexpected status code 429: why").await;
    // Nobody listens: the address, which may hold a secret, is not in the message.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let url = format!("http://{address}/secret-token");
    let error = webhook("url: URL", &url).notify(&notification(), &mut Attempt::default()).await.unwrap_err();
    assert!(error.retry && !error.message.contains("secret-token"), "{error}");
}

fn slack(url: &str) -> SlackIntegration {
    let settings = SlackSettings {
        api_url: Some(Secret::new(url)),
        channel: "#ops".into(),
        text: "{{ range .Alerts }}{{ .Labels.instance }} {{ end }}".into(),
        fields: vec![crate::SlackField {
            title: "T".into(),
            value: "{{ .Status }}".into(),
            short: Some(true),
        }],
        ..SlackSettings::default()
    };
    SlackIntegration::new(settings, templates()).unwrap()
}

#[tokio::test]
async fn slack_gets_one_attachment() {
    let sink = http_sink("200 OK", "text/plain", "ok").await;
    slack(&sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let json: Json = serde_json::from_str(&sink.requests.lock().unwrap()[0].1).unwrap();
    assert_eq!(
        json,
        json!({
            "channel": "#ops",
            "username": "Alertmanager",
            "attachments": [{
                "title": "[FIRING:1] Down (page)",
                "title_link": "http://am.example/#/alerts?receiver=team+x",
                "text": "a:1 b:2 ",
                "fallback": "[FIRING:1] Down (page) | http://am.example/#/alerts?receiver=team+x",
                "callback_id": "",
                "fields": [{"title": "T", "value": "firing", "short": true}],
                "footer": "",
                "color": "danger",
                "mrkdwn_in": ["fallback", "pretext", "text"],
            }],
        })
    );
}

#[tokio::test]
async fn slack_mistakes_with_status_200_are_mistakes() {
    let check = async |kind: &'static str, body: &'static str, expected: Option<&str>| {
        let sink = http_sink("200 OK", kind, body).await;
        let error = slack(&sink.url).notify(&notification(), &mut Attempt::default()).await.err();
        assert_eq!(error.as_ref().map(|e: &NotifyError| e.message.as_str()), expected);
        assert!(!error.is_some_and(|e| e.retry));
    };
    check("application/json", "{\"ok\":true}", None).await;
    check(
        "application/json",
        "{\"ok\":false,\"error\":\"no_such_channel\"}",
        Some("channel \"#ops\": error response from Slack: no_such_channel"),
    )
    .await;
    check(
        "text/html",
        "invalid_payload",
        Some("channel \"#ops\": received an error response from Slack: invalid_payload"),
    )
    .await;
}

/// An SMTP server that accepts everything (or refuses recipients) and keeps the conversation.
async fn smtp_sink(extensions: &'static str, refuse: &'static str) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
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
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("../testdata/localhost.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../testdata/localhost.key")).unwrap();
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
        TlsConfig { ca: Some(include_str!("../testdata/localhost.crt").into()), ..TlsConfig::default() };
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

#[test]
fn what_cannot_be_is_refused_by_name() {
    let fails = |result: Result<(), String>, expected: &str| assert_eq!(result.unwrap_err(), expected);
    let parse = |yaml: &str| config::parse_unchecked::<WebhookSettings>("t", yaml).unwrap();
    let make = |yaml: &str| WebhookIntegration::new(parse(yaml), templates()).map(|_| ());
    fails(make("send_resolved: true"), "one of url or url_file must be configured");
    fails(make("{url: 'http://x', url_file: /y}"), "at most one of url & url_file must be configured");
    assert!(config::parse_unchecked::<HttpSettings>("t", "nonsense: 1").is_err());
}

#[test]
fn templates_see_the_notification() {
    let templates = templates();
    let data = templates.data(&notification());
    let check = |text: &str, expected: &str| {
        assert_eq!(templates.text(text, &data).map_err(|e| e.message).as_deref(), Ok(expected), "{text}");
    };
    check(
        "{{ .Receiver }} {{ .Status }} {{ len .Alerts }} {{ .Alerts.Resolved | len }}",
        "team x firing 2 1",
    );
    check("{{ .CommonLabels.SortedPairs.Names | join \",\" }}", "alertname,severity");
    check(
        "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
        "alertname=Down;severity=page;",
    );
    check("{{ (index .Alerts 0).Labels.instance | toUpper }}", "A:1");
    check("{{ .CommonLabels.Values | join \"/\" }}", "Down/page");
    check("{{ (index .Alerts 0).StartsAt.Format \"15:04\" }}", "22:13");
    check("{{ (index .Alerts 0).StartsAt | tz \"Europe/Berlin\" | date \"15:04 MST\" }}", "23:13 CET");
    check(
        "{{ title \"hello wORLD\" }} {{ reReplaceAll \"o+\" \"0\" \"foo\" }} {{ match \"^a\" \"abc\" }}",
        "Hello World f0 true",
    );
    check(
        "{{ toJson .GroupLabels }} {{ (index .Alerts 1).EndsAt.IsZero }} {{ .NotificationReason }}",
        "{\"alertname\":\"Down\"} false first notification",
    );
    check("{{ .CommonLabels.nope }}|{{ since (index .Alerts 0).StartsAt | humanizeDuration }}", "|-123.5ms");
    check(
        "{{ stringSlice \"a\" \"b\" | join \"-\" }} {{ (dict \"k\" 1).k }} {{ base64encode \"hi\" }}",
        "a-b 1 aGk=",
    );
    let error = templates.text("{{ .Nope }}", &data).unwrap_err();
    assert_eq!(
        error.message,
        "template: :1:3: executing \"\" at <.Nope>: can't evaluate field Nope in type *template.Data"
    );
    let mut resolved = notification();
    resolved.alerts.remove(0);
    let data = templates.data(&resolved);
    assert_eq!(
        templates.text("{{ template \"slack.default.title\" . }}", &data).unwrap(),
        "[RESOLVED] Down (b:2 page)"
    );
}

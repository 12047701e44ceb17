//! What is particular about webhooks and Slack.

use alerting::{Attempt, Datum, FailureReason, Integration, NotifyError};
use config::Secret;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;

use super::sink::{Sink, answers};
use super::{notification, templates};
use crate::{HttpSettings, SlackField, SlackIntegration, SlackSettings, WebhookIntegration, WebhookSettings};

fn webhook(yaml: &str, url: &str) -> WebhookIntegration {
    let settings: WebhookSettings = config::parse_unchecked("test", &yaml.replace("URL", url)).unwrap();
    WebhookIntegration::new(settings, templates()).unwrap()
}

#[tokio::test]
async fn a_webhook_gets_version_4_json() {
    let sink = Sink::start(answers("200 OK", "text/plain", "")).await;
    webhook("url: URL", &sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let sent = sink.take().remove(0);
    let (head, body) = (format!("{}\n{}", sent.line, sent.headers.join("\n")), sent.body);
    assert!(head.starts_with("POST / HTTP/1.1"), "{head}");
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
    let sink = Sink::start(answers("200 OK", "text/plain", "")).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "s3cret\n").unwrap();
    let yaml = format!(
        "url: URL/{{{{ .GroupLabels.alertname }}}}\nmax_alerts: 1\nhttp_config:\n  authorization:\n    credentials_file: {}\n  http_headers:\n    X-Team: {{values: [ops]}}\n",
        file.display()
    );
    webhook(&yaml, &sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let sent = sink.take().remove(0);
    let (head, body) = (format!("{}\n{}", sent.line, sent.headers.join("\n")), sent.body);
    assert!(head.starts_with("POST /Down HTTP/1.1"), "{head}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("authorization: bearer s3cret") && head.contains("x-team: ops"), "{head}");
    let json: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((json["alerts"].as_array().unwrap().len(), json["truncatedAlerts"].as_u64()), (1, Some(1)));
}

#[tokio::test]
async fn answers_decide_whether_to_retry() {
    let check = async |status: &'static str, retry: bool, reason: FailureReason, message: &str| {
        let sink = Sink::start(answers(status, "text/plain", "why")).await;
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
        fields: vec![SlackField { title: "T".into(), value: "{{ .Status }}".into(), short: Some(true) }],
        ..SlackSettings::default()
    };
    SlackIntegration::new(settings, templates()).unwrap()
}

#[tokio::test]
async fn slack_gets_one_attachment() {
    let sink = Sink::start(answers("200 OK", "text/plain", "ok")).await;
    slack(&sink.url).notify(&notification(), &mut Attempt::default()).await.unwrap();
    let json: Json = serde_json::from_str(&sink.take()[0].body).unwrap();
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
        let sink = Sink::start(answers("200 OK", kind, body)).await;
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

#[test]
fn what_cannot_be_is_refused_by_name() {
    let fails = |result: Result<(), String>, expected: &str| assert_eq!(result.unwrap_err(), expected);
    let parse = |yaml: &str| config::parse_unchecked::<WebhookSettings>("t", yaml).unwrap();
    let make = |yaml: &str| WebhookIntegration::new(parse(yaml), templates()).map(|_| ());
    fails(make("send_resolved: true"), "one of url or url_file must be configured");
    fails(make("{url: 'http://x', url_file: /y}"), "at most one of url & url_file must be configured");
    assert!(config::parse_unchecked::<HttpSettings>("t", "nonsense: 1").is_err());
}

#[tokio::test]
async fn a_slack_message_is_edited_where_it_was_posted() {
    let said = "{\"ok\":true,\"ts\":\"17.5\",\"channel\":\"C7\"}";
    let sink = Sink::start(answers("200 OK", "application/json", said)).await;
    let yaml = format!(
        "{{app_token: t, app_url: '{}/chat.postMessage', channel: c, update_message: true}}",
        sink.url
    );
    let settings: SlackSettings = config::parse_unchecked("test", &yaml).unwrap();
    let slack = SlackIntegration::new(settings, templates()).unwrap();
    let mut attempt = Attempt::default();
    slack.notify(&notification(), &mut attempt).await.unwrap();
    let first = sink.take().remove(0);
    assert!(
        first.line.starts_with("POST /chat.postMessage ")
            && first.body.starts_with("{\"channel\":\"c\",\"username\"")
    );
    assert!(first.headers.contains(&"authorization: Bearer t".to_owned()), "{:?}", first.headers);
    assert_eq!(attempt.memory["threadTs"], Datum::Text("17.5".into()));

    // What was remembered comes back from the notification log.
    let mut attempt = Attempt { memory: attempt.memory, ..Attempt::default() };
    slack.notify(&notification(), &mut attempt).await.unwrap();
    let second = sink.take().remove(0);
    assert!(second.line.starts_with("POST /chat.update "), "{}", second.line);
    assert!(second.body.starts_with("{\"channel\":\"C7\",\"ts\":\"17.5\","), "{}", second.body);
}

#[tokio::test]
async fn a_timeout_is_told_with_whose_it_was() {
    // Takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/s3cret", listener.local_addr().unwrap());
    let error = webhook("{url: 'URL', timeout: 50ms}", &url)
        .notify(&notification(), &mut Attempt::default())
        .await
        .unwrap_err();
    let expected =
        "Post \"<redacted>\": context deadline exceeded: configured webhook timeout reached (50ms)";
    assert_eq!((error.retry, error.message.as_str()), (true, expected));
    assert_eq!(error.reason, FailureReason::DeadlineExceeded);
}

#[tokio::test]
async fn a_token_of_oauth2_is_fetched_for_the_request() {
    let granted = "{\"access_token\":\"granted\",\"token_type\":\"Bearer\",\"expires_in\":3600}";
    let sink = Sink::start(answers("200 OK", "application/json", granted)).await;
    let oauth2 = "oauth2: {client_id: me, client_secret: s3cret, token_url: 'URL/token', scopes: [a]}";
    let integration = webhook(&format!("{{url: 'URL/hook', http_config: {{{oauth2}}}}}"), &sink.url);
    for expected in [&["POST /token ", "POST /hook "][..], &["POST /hook "]] {
        integration.notify(&notification(), &mut Attempt::default()).await.unwrap();
        let sent = sink.take();
        assert_eq!(sent.len(), expected.len());
        for (request, start) in sent.iter().zip(expected) {
            assert!(request.line.starts_with(start), "{}", request.line);
        }
        let last = &sent[sent.len() - 1];
        assert!(last.headers.contains(&"authorization: Bearer granted".to_owned()), "{:?}", last.headers);
    }
}

#[tokio::test]
async fn an_attempt_keeps_nothing_of_the_one_before() {
    let sink = Sink::start(answers("500 Oops", "text/plain", "why")).await;
    let (integration, mut attempt) = (webhook("url: URL", &sink.url), Attempt::default());
    for _ in 0..2 {
        integration.notify(&notification(), &mut attempt).await.unwrap_err();
        assert_eq!((&attempt.rendered, attempt.answer.as_str()), (&sink.take()[0].body, "500 why"));
    }
}

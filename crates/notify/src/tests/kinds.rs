//! Every kind of receiver against a server of its own.
//!
//! What is sent for a group that fires, that is partly over, and that is over, stands in `testdata/requests`, one
//! file per case; the same requests are compared with the original's by the black-box tests. `UPDATE_EXPECT=1`
//! writes the files anew.

use std::path::Path;
use std::sync::Arc;

use alerting::{Attempt, Integration, Notification, NotifyError};
use serde::de::DeserializeOwned;

use super::sink::{Answer, Request, Sink, answer, answers};
use super::{notification, templates};
use crate::*;

/// Name of the case (up to the first `-`: the kind), and its settings. URL is the server, FILE a file.
const CASES: [(&str, &str); 32] = [
    ("webhook", "url: URL/hook"),
    (
        "webhook-full",
        "{url: 'URL/{{ .GroupLabels.alertname }}?q={{ .Status | urlquery }}', max_alerts: 1, timeout: 10s,
          http_config: {basic_auth: {username: u, password: p}},
          payload: {text: 'is {{ .Status }}', n: '{{ len .Alerts }}', none: '', list: ['[1, a]', 2.0, 1e30, '<&>'],
                    '{{ .Status }}-key': {deep: '{b: true, a: {{ .Receiver | toJson }}}'}}}",
    ),
    ("slack", "{api_url: URL/slack, channel: '#ops'}"),
    (
        "slack-full",
        "{app_token: t, app_url: URL/app, channel: 'c{{ .Status }}', update_message: true, message_text: m,
          icon_url: i, image_url: i, thumb_url: t, link_names: true, short_fields: true, mrkdwn_in: [text],
          fields: [{title: a, value: '{{ .Status }}'}, {title: b, value: c, short: false}],
          actions: [{type: button, text: go, url: u, name: dropped},
                    {type: button, text: do, name: n, value: v, confirm: {text: sure, ok_text: ok}}]}",
    ),
    ("pagerduty", "{routing_key: 'k-{{ .GroupLabels.alertname }}', url: URL/enqueue}"),
    (
        "pagerduty-full",
        "{routing_key: k, url: URL/enqueue, severity: '{{ .CommonLabels.severity }}', class: c, component: co,
          group: g, source: s, client: cl, client_url: cu, description: d,
          details: {firing: 'none', extra: {list: ['{{ .Status }}', '1']}},
          images: [{src: s, alt: a}, {alt: dropped}], links: [{href: h, text: t}, {text: dropped}]}",
    ),
    ("opsgenie", "{api_key: 'key', api_url: URL/api}"),
    (
        "opsgenie-full",
        "{api_key: key, api_url: 'URL/api/?x=1', update_alerts: true, tags: ' a,,{{ .Status }} ', actions: 'x,y', note: n,
          priority: P1, entity: e, details: {extra: '{{ .Receiver }}', severity: mine},
          responders: [{name: 'a,b,,c', type: teams}, {username: u, type: USER},
                       {name: '{{ .CommonLabels.nobody }}', type: '{{ .CommonLabels.nobody }}'}]}",
    ),
    ("victorops", "{api_key: key, api_url: URL/alert, routing_key: 'team {{ .Status }}'}"),
    (
        "victorops-full",
        "{api_key: key, api_url: URL/alert/, routing_key: r, message_type: odd, custom_fields: {zone: '{{ .Status }}'}}",
    ),
    ("pushover", "{user_key: uk, token: tk}"),
    (
        "pushover-full",
        "{user_key: uk, token: tk, html: true, message: '<b>{{ .CommonLabels.severity }}</b>', url_title: ut, device: d,
          sound: s, retry: 1m30s, expire: 1.5h, ttl: 1m}",
    ),
    ("telegram", "{api_url: URL, bot_token: 'b:t', chat_id: -5}"),
    (
        "telegram-full",
        "{api_url: URL, bot_token: t, chat_id: 7, message_thread_id: 3, parse_mode: MarkdownV2,
          disable_notifications: true, message: '{{ .Status }} <&>'}",
    ),
    ("discord", "webhook_url: URL/discord"),
    (
        "discord-full",
        "{webhook_url: URL/discord, content: 'c {{ .Status }}', username: u, avatar_url: 'http://a', title: t, message: ''}",
    ),
    ("msteams", "webhook_url: URL/teams"),
    ("msteamsv2", "webhook_url: URL/teams"),
    ("webex", "{api_url: URL/webex, room_id: 'r {{ .Status }}', http_config: {authorization: {credentials: wt}}}"),
    (
        "sns",
        "{api_url: URL, sigv4: {region: eu-west-1, access_key: AK, secret_key: SK}, topic_arn: 'arn:t',
          attributes: {b: '{{ .Status }}', a: x}}",
    ),
    (
        "sns-fifo",
        "{api_url: URL/x, sigv4: {region: eu-west-1, access_key: AK, secret_key: SK}, topic_arn: 'arn:t.fifo', subject: ''}",
    ),
    ("wechat", "{api_url: URL/cgi, api_secret: 'se cret', corp_id: corp, to_user: '{{ .Status }}', agent_id: 1}"),
    (
        "wechat-markdown",
        "{api_url: URL/cgi/, api_secret: s, corp_id: c, message_type: markdown, message: '**{{ .Status }}**'}",
    ),
    ("jira", "{api_url: URL/rest/api/2, project: NEW, issue_type: Bug, labels: [z, '{{ .Status }}']}"),
    (
        "jira-open",
        "{api_url: URL/rest/api/2, project: OPEN, issue_type: Bug, summary: {template: s, enable_update: false},
          description: '', priority: '', resolve_transition: Done, reopen_transition: Reopen, reopen_duration: 30m,
          wont_fix_resolution: 'no \"way\"', fields: {customfield_1: '{{ .Status }}', customfield_2: {value: '5'}}}",
    ),
    (
        "jira-done",
        "{api_url: URL/rest/api/3/, api_type: cloud, project: DONE, issue_type: Task, reopen_transition: Reopen,
          description: '{\"type\": \"doc\", \"version\": 1, \"content\": [{\"text\": {{ .Status | toJson }}}]}'}",
    ),
    ("rocketchat", "{api_url: URL, token: t, token_id: id, channel: '#c'}"),
    (
        "rocketchat-full",
        "{api_url: URL/sub/, token: t, token_id: id, emoji: ':x:', short_fields: true,
          fields: [{title: a, value: '{{ .Status }}'}, {title: b, value: c, short: false}],
          actions: [{type: button, text: t, url: u, msg: m}]}",
    ),
    ("mattermost", "webhook_url: URL/hook"),
    (
        "mattermost-full",
        "{webhook_url: URL/hook, channel: c, pretext: p, author_name: an, icon_url: iu, icon_emoji: ie, type: custom,
          fields: [{title: a, value: '{{ .Status }}', short: true}, {title: b, value: c}], props: {card: 'c {{ .Status }}'},
          priority: {priority: URGENT, requested_ack: true, persistent_notifications: true}}",
    ),
    (
        "mattermost-attachments",
        "{webhook_url: URL/hook, text: 'above {{ .Status }}', attachments: [{text: one, fields: [{title: a, value: b}]},
          {text: two, color: red}], priority: {priority: odd, requested_ack: true, persistent_notifications: true}}",
    ),
    ("incidentio", "{url: URL/io, alert_source_token: at, max_alerts: 1}"),
];

fn parse<S: DeserializeOwned + ReceiverSettings>(yaml: &str) -> Result<S, String> {
    #[derive(serde::Deserialize)]
    struct One<S: ReceiverSettings> {
        #[serde(deserialize_with = "settings_list")]
        of: Vec<S>,
    }
    let one: One<S> = config::parse_unchecked("t", &format!("of:\n- {}\n", yaml.replace('\n', "\n  ")))
        .map_err(|e| e.to_string())?;
    one.of.into_iter().next().ok_or_else(|| "nothing".into())
}

fn build(kind: &str, yaml: &str, url: &str) -> Result<Box<dyn Integration>, String> {
    let yaml = yaml.replace("URL", url);
    let t = templates();
    Ok(match kind {
        "webhook" => Box::new(WebhookIntegration::new(parse(&yaml)?, t)?),
        "slack" => Box::new(SlackIntegration::new(parse(&yaml)?, t)?),
        "pagerduty" => Box::new(PagerDutyIntegration::new(
            parse::<PagerDutySettings>(&yaml).map(|mut s| {
                // Version 1 has an address of its own; it is not used.
                s.url.get_or_insert(Address::new(url).unwrap());
                s
            })?,
            t,
        )?),
        "opsgenie" => Box::new(OpsGenieIntegration::new(parse(&yaml)?, t)?),
        "victorops" => Box::new(VictorOpsIntegration::new(parse(&yaml)?, t)?),
        "pushover" => Box::new(PushoverIntegration::speaking_to(format!("{url}/push"), parse(&yaml)?, t)?),
        "telegram" => Box::new(TelegramIntegration::new(parse(&yaml)?, t)?),
        "discord" => Box::new(DiscordIntegration::new(parse(&yaml)?, t)?),
        "msteams" => Box::new(MsTeamsIntegration::new(parse(&yaml)?, t)?),
        "msteamsv2" => Box::new(MsTeamsV2Integration::new(parse(&yaml)?, t)?),
        "webex" => Box::new(WebexIntegration::new(parse(&yaml)?, t)?),
        "sns" => Box::new(SnsIntegration::new(parse(&yaml)?, t)?),
        "wechat" => Box::new(WeChatIntegration::new(parse(&yaml)?, t)?),
        "jira" => Box::new(JiraIntegration::new(parse(&yaml)?, t)?),
        "rocketchat" => Box::new(RocketChatIntegration::new(parse(&yaml)?, t)?),
        "mattermost" => Box::new(MattermostIntegration::new(parse(&yaml)?, t)?),
        "incidentio" => Box::new(IncidentioIntegration::new(parse(&yaml)?, t)?),
        "email" => Box::new(EmailIntegration::new(parse(&yaml)?, t)?),
        other => return Err(format!("no kind {other}")),
    })
}

fn kind_of(case: &str) -> &str {
    case.split('-').next().unwrap()
}

/// What the real services say to what they accept.
fn service() -> Answer {
    Box::new(|request: &Request| {
        let path = request.line.split(' ').nth(1).unwrap_or_default().split('?').next().unwrap_or_default();
        let json = |body: &str| answer("200 OK", "application/json; charset=utf-8", body);
        match path {
            "/slack" => answer("200 OK", "text/plain", "ok"),
            _ if path.ends_with("/search") || path.ends_with("/search/jql") => {
                let found = |category| {
                    format!(
                        "{{\"issues\":[{{\"key\":\"OPS-7\",\"fields\":{{\"status\":{{\"statusCategory\":\
                         {{\"key\":\"{category}\"}}}}}}}},{{\"key\":\"OPS-8\"}}]}}"
                    )
                };
                match &request.body {
                    body if body.contains("OPEN") => json(&found("new")),
                    body if body.contains("DONE") => json(&found("done")),
                    _ => json("{\"issues\":[]}"),
                }
            }
            _ if path.ends_with("/transitions") && request.line.starts_with("GET") => json(
                "{\"transitions\":[{\"id\":\"11\",\"name\":\"Reopen\"},{\"id\":\"12\",\"name\":\"Done\"}]}",
            ),
            // All that any of the others wants to read.
            _ => json(
                "{\"ok\":true,\"ts\":\"1.2\",\"channel\":\"C1\",\"success\":true,\"access_token\":\"granted\",\
                 \"errcode\":0}",
            ),
        }
    })
}

fn shown(request: &Request, url: &str) -> String {
    const HEADERS: [&str; 7] = [
        "authorization: ",
        "content-type: ",
        "content-length: ",
        "user-agent: ",
        "accept-language: ",
        "x-auth-token: ",
        "x-user-id: ",
    ];
    let mut text = format!("{}\n", request.line);
    let mut headers: Vec<&String> =
        request.headers.iter().filter(|h| HEADERS.iter().any(|name| h.starts_with(name))).collect();
    headers.sort();
    for header in headers {
        // The date and all that follows from it.
        let header = match header.split_once("Credential=AK/") {
            Some((before, after)) => {
                format!("{before}Credential=AK/DATE{}", &after[8..after.find("Signature=").unwrap()])
            }
            None => header.clone(),
        };
        text.push_str(&format!("{}\n", header.replace(env!("CARGO_PKG_VERSION"), "VERSION")));
    }
    format!("{text}\n{}\n", request.body.trim_end_matches('\n')).replace(url, "URL")
}

async fn send(integration: &dyn Integration, n: &Notification) -> (Result<(), NotifyError>, Attempt) {
    let mut attempt = Attempt::default();
    let result = integration.notify(n, &mut attempt).await;
    (result, attempt)
}

#[tokio::test]
async fn requests_are_the_recorded_ones() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/requests");
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut firing = notification();
    firing.alerts.truncate(1);
    let mut resolved = notification();
    resolved.alerts.remove(0);
    let mut different = Vec::new();
    for (case, yaml) in CASES {
        let sink = Sink::start(service()).await;
        let integration = build(kind_of(case), yaml, &sink.url).unwrap_or_else(|e| panic!("{case}: {e}"));
        let mut text = String::new();
        let mut attempt = Attempt::default();
        for (state, n) in [("fires", &firing), ("fires in part", &notification()), ("is over", &resolved)] {
            integration.notify(n, &mut attempt).await.unwrap_or_else(|e| panic!("{case}: {e}"));
            text.push_str(&format!("# The group {state}.\n\n"));
            for request in sink.take() {
                text.push_str(&format!("{}\n", shown(&request, &sink.url)));
            }
        }
        let path = directory.join(format!("{case}.txt"));
        if update {
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            different.push(format!("{case}:\n{text}"));
        }
    }
    assert!(different.is_empty(), "not as recorded:\n{}", different.join("\n"));
}

/// One plain case of each kind.
fn plain_cases() -> impl Iterator<Item = (&'static str, &'static str)> {
    CASES.into_iter().filter(|(case, _)| !case.contains('-'))
}

#[tokio::test]
async fn status_decides_whether_to_try_again() {
    for (kind, yaml) in plain_cases() {
        for status in [400, 401, 403, 404, 413, 429, 500, 502, 503] {
            let answer = Box::leak(format!("{status} Status").into_boxed_str());
            let sink = Sink::start(answers(answer, "text/plain", "why")).await;
            let (result, attempt) = send(&*build(kind, yaml, &sink.url).unwrap(), &notification()).await;
            let error = result.expect_err(kind);
            let expected = match kind {
                // These say how it went in their own way, or the original thinks so.
                "telegram" => true,
                // Asking for the token fails first.
                "wechat" => false,
                "opsgenie" | "pagerduty" | "jira" | "incidentio" | "slack" => status == 429 || status >= 500,
                _ => status >= 500,
            };
            assert_eq!(error.retry, expected, "{kind} {status}: {error}");
            if kind != "wechat" {
                assert_eq!(error.reason, alerting::FailureReason::of_status(status), "{kind} {status}");
                assert_eq!(attempt.answer, format!("{status} why"), "{kind}");
                assert!(error.message.contains(&status.to_string()), "{kind}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn the_first_version_of_pagerduty_is_spoken_too() {
    let settings =
        || parse::<PagerDutySettings>("{service_key: k, url: 'http://x', details: {firing: ''}}").unwrap();
    let at = |url: &str| PagerDutyIntegration::new(settings(), templates()).unwrap().speaking_to(url.into());
    let sink = Sink::start(service()).await;
    let (result, attempt) = send(&at(&sink.url), &notification()).await;
    result.unwrap();
    let body = sink.take().remove(0).body;
    assert!(body.starts_with("{\"service_key\":\"k\",\"incident_key\":\"af94c9e8"), "{body}");
    assert!(body.contains("\"event_action\":\"\",\"payload\":null,\"client\":\"Alertmanager\""), "{body}");
    assert!(
        attempt.rendered.starts_with("{\"service_key\":\"\\u003csecret\\u003e\""),
        "{}",
        attempt.rendered
    );

    for (status, retry, message) in [
        ("400 Bad", false, "unexpected status code 400: Event is invalid: no key,no text"),
        ("403 Slow", true, "unexpected status code 403"),
        ("429 Slow", false, "unexpected status code 429"),
        ("500 Oops", true, "unexpected status code 500"),
    ] {
        let said = "{\"message\":\"Event is invalid\",\"errors\":[\"no key\",\"no text\"]}";
        let sink = Sink::start(answers(status, "application/json", said)).await;
        let error = send(&at(&sink.url), &notification()).await.0.unwrap_err();
        assert_eq!((error.retry, error.message.as_str()), (retry, message));
    }
}

#[tokio::test]
async fn hostile_answers_are_survived() {
    type Bytes = fn() -> Vec<u8>;
    let hostile: [(&str, Bytes); 5] = [
        ("nothing", Vec::new),
        ("garbage", || b"\x00\xff\xfe no http at all \r\n\r\n".to_vec()),
        ("half an answer", || {
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf".to_vec()
        }),
        ("a huge answer", || {
            let mut bytes =
                b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"
                    .to_vec();
            bytes.resize(bytes.len() + 8_000_000, b'[');
            bytes
        }),
        ("JSON of another shape", || {
            answer("500 Oops", "application/json", "{\"ok\":[],\"issues\":5,\"errors\":{}}")
        }),
    ];
    for (kind, yaml) in plain_cases() {
        for (what, bytes) in &hostile {
            let bytes = bytes();
            let sink = Sink::start(Box::new(move |_| bytes.clone())).await;
            let (result, attempt) = send(&*build(kind, yaml, &sink.url).unwrap(), &notification()).await;
            let error = result.expect_err(&format!("{kind}: {what}"));
            assert!(error.message.len() < 10_000 && attempt.answer.len() < 10_000, "{kind}: {what}");
        }
    }
}

/// The same settings with every secret being `s3cret`, in a file where that can be.
const SECRETS: [(&str, &str); 17] = [
    ("webhook", "url_file: FILE"),
    ("slack", "{api_url_file: FILE, channel: c}"),
    ("slack", "{app_token_file: FILE, app_url: URL/app, channel: c}"),
    ("pagerduty", "{routing_key_file: FILE, url: URL}"),
    ("opsgenie", "{api_key_file: FILE, api_url: URL}"),
    ("victorops", "{api_key_file: FILE, api_url: URL, routing_key: r}"),
    ("pushover", "{user_key_file: FILE, token: t}"),
    ("pushover", "{user_key: u, token_file: FILE}"),
    ("telegram", "{api_url: URL, bot_token_file: FILE, chat_id: 1}"),
    ("discord", "webhook_url_file: FILE"),
    ("msteams", "webhook_url_file: FILE"),
    ("msteamsv2", "webhook_url_file: FILE"),
    ("wechat", "{api_url: URL, api_secret_file: FILE, corp_id: c}"),
    ("rocketchat", "{api_url: URL, token_file: FILE, token_id: i}"),
    ("rocketchat", "{api_url: URL, token: t, token_id_file: FILE}"),
    ("mattermost", "webhook_url_file: FILE"),
    ("incidentio", "{url: URL, alert_source_token_file: FILE}"),
];

#[tokio::test]
async fn secrets_are_read_at_each_use_and_told_to_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    for (kind, yaml) in SECRETS {
        let sink = Sink::start(service()).await;
        let is_url = yaml.contains("url_file");
        let content = |base: &str, word: &str| match is_url {
            // Slack's webhooks answer in plain text.
            true => format!("{base}/slack?x={word}\n"),
            false => format!("{word}\n"),
        };
        let yaml = yaml.replace("FILE", &file.display().to_string());
        std::fs::write(&file, content(&sink.url, "s3cret")).unwrap();
        let integration = build(kind, &yaml, &sink.url).unwrap();
        for word in ["s3cret", "changed"] {
            std::fs::write(&file, content(&sink.url, word)).unwrap();
            if kind == "wechat" && word == "changed" {
                // The token it got for the first one is still good.
                continue;
            }
            let (result, attempt) = send(&*integration, &notification()).await;
            assert!(result.is_ok() || kind == "slack", "{kind}: {result:?}");
            let text = format!("{:?}", sink.take());
            assert!(text.contains(word), "{kind}: {text}");
            assert!(!attempt.rendered.contains(word), "{kind}: {}", attempt.rendered);
        }
        // Nobody listens there any more.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gone = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        std::fs::write(&file, content(&gone, "s3cret")).unwrap();
        let error = send(&*build(kind, &yaml, &gone).unwrap(), &notification()).await.0.unwrap_err();
        assert!(error.retry && !error.message.contains("s3cret"), "{kind}: {error}");
        assert!(error.message.contains("\"<redacted>\": dial tcp"), "{kind}: {error}");
        std::fs::remove_file(&file).unwrap();
        let error = send(&*build(kind, &yaml, &gone).unwrap(), &notification()).await.0.unwrap_err();
        assert!(error.message.to_lowercase().contains("no such file or directory"), "{kind}: {error}");
    }
}

#[tokio::test]
async fn long_texts_are_cut_at_the_limit() {
    // Two bytes a character, so that counting bytes shows.
    let long = "ä".repeat(300_000);
    let template = "{{ (index .Alerts 0).Annotations.summary }}";
    let mut n = notification();
    n.alerts.truncate(1);
    let alert = Arc::make_mut(&mut n.alerts[0].alert);
    alert.annotations = [("summary", long.as_str())].into_iter().collect();
    let check = async |kind: &str, yaml: &str, key: &str, chars: usize, ends: char| {
        let yaml = yaml.replace("LONG", template);
        let sink = Sink::start(service()).await;
        let (result, _) = send(&*build(kind, &yaml, &sink.url).unwrap(), &n).await;
        result.unwrap_or_else(|e| panic!("{kind}: {e}"));
        let last = sink.take().pop().unwrap();
        let text = match last.headers.iter().any(|h| h == "content-type: application/json") {
            true => last.body.clone(),
            false => [last.line.clone(), last.body.clone()]
                .concat()
                .replace("%C3%A4", "ä")
                .replace("%E2%80%A6", "…")
                .replace('=', "\":\"")
                .replace(['&', ' '], "\""),
        };
        let (_, after) =
            text.split_once(&format!("{key}\":\"")).unwrap_or_else(|| panic!("{kind}: {text:.300}"));
        let value = after.split('"').next().unwrap();
        assert_eq!((value.chars().count(), value.chars().last()), (chars, Some(ends)), "{kind}");
    };
    check("slack", "{api_url: URL/slack, title: 'LONG'}", "title", 1024, '…').await;
    check(
        "pagerduty",
        "{routing_key: k, url: URL, details: {firing: ''}, description: 'LONG'}",
        "summary",
        1024,
        '…',
    )
    .await;
    check("opsgenie", "{api_key: k, api_url: URL, message: 'LONG'}", "message", 130, '…').await;
    check(
        "victorops",
        "{api_key: k, api_url: URL, routing_key: r, state_message: 'LONG'}",
        "state_message",
        20_480,
        '…',
    )
    .await;
    check("pushover", "{user_key: u, token: t, message: 'LONG'}", "message", 1024, '…').await;
    check("pushover", "{user_key: u, token: t, title: 'LONG'}", "title", 250, '…').await;
    check("pushover", "{user_key: u, token: t, url: 'LONG'}", "url", 512, '…').await;
    check(
        "telegram",
        "{api_url: URL, bot_token: t, chat_id: 1, parse_mode: '', message: 'LONG'}",
        "text",
        4096,
        '…',
    )
    .await;
    check("discord", "{webhook_url: URL/d, title: 'LONG'}", "title", 256, '…').await;
    check("discord", "{webhook_url: URL/d, message: 'LONG'}", "description", 4096, '…').await;
    check("discord", "{webhook_url: URL/d, content: 'LONG'}", "content", 2000, '…').await;
    // 7439 bytes: 3718 of two and one of three.
    check(
        "webex",
        "{api_url: URL, room_id: r, message: 'LONG', http_config: {authorization: {credentials: c}}}",
        "markdown",
        3719,
        '…',
    )
    .await;
    let sigv4 = "api_url: URL, sigv4: {region: r, access_key: a, secret_key: s}, subject: ''";
    check("sns", &format!("{{{sigv4}, phone_number: '1', message: 'LONG'}}"), "Message", 800, 'ä').await;
    check("sns", &format!("{{{sigv4}, target_arn: '1', message: 'LONG'}}"), "Message", 131_072, 'ä').await;
    let jira = "api_url: URL/rest/api/2, project: NEW, issue_type: t";
    check("jira", &format!("{{{jira}, description: '', summary: 'LONG'}}"), "summary", 255, '…').await;
    check("jira", &format!("{{{jira}, description: 'LONG'}}"), "description", 32_767, '…').await;
    check("rocketchat", "{api_url: URL, token: t, token_id: i, title: 'LONG'}", "title", 1024, '…').await;
    check(
        "mattermost",
        "{webhook_url: URL/m, text: 'LONG', attachments: [{text: a}]}",
        "\"text",
        16_383,
        '…',
    )
    .await;

    // Cut in the middle, markup would be none.
    let sink = Sink::start(service()).await;
    let yaml = format!("{{api_url: URL, bot_token: t, chat_id: 1, message: '{template}'}}");
    send(&*build("telegram", &yaml, &sink.url).unwrap(), &n).await.0.unwrap();
    assert!(sink.take()[0].body.contains("message length exceeds Telegram limits"));
    // An event of PagerDuty goes without its details, a message to incident.io with one alert.
    send(&*build("pagerduty", "{routing_key: k, url: URL}", &sink.url).unwrap(), &n).await.0.unwrap();
    let body = sink.take().pop().unwrap().body;
    assert!(body.len() < 512_000 && body.contains("exceeds the maximum size of 512KB"), "{body:.500}");
    n.alerts.push(n.alerts[0].clone());
    send(&*build("incidentio", "{url: URL, alert_source_token: t}", &sink.url).unwrap(), &n).await.0.unwrap();
    assert_eq!(sink.take().pop().unwrap().body.matches("fingerprint").count(), 1);
}

#[tokio::test]
async fn mistakes_with_status_200_are_mistakes() {
    let check = async |kind: &str, yaml: &str, body: &'static str, retry: bool, message: &str| {
        let sink = Sink::start(answers("200 OK", "application/json", body)).await;
        let error = send(&*build(kind, yaml, &sink.url).unwrap(), &notification()).await.0.unwrap_err();
        assert_eq!((error.retry, error.message.as_str()), (retry, message), "{kind}");
    };
    let telegram = "{api_url: URL, bot_token: t, chat_id: 1}";
    let said = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request\"}";
    check("telegram", telegram, said, true, "telegram: Bad Request (400)").await;
    let rocketchat = "{api_url: URL, token: t, token_id: i, channel: c}";
    let said = "{\"success\":false,\"error\":\"no room\"}";
    check("rocketchat", rocketchat, said, false, "channel \"c\": error response from Rocketchat: no room")
        .await;
    let wechat = "{api_url: URL, api_secret: s, corp_id: corp}";
    check("wechat", wechat, "{}", false, "invalid APISecret for CorpID: corp").await;
    let said = "{\"access_token\":\"t\",\"errcode\":42001,\"errmsg\":\"token expired\"}";
    check("wechat", wechat, said, true, "token expired").await;
    let said = "{\"access_token\":\"t\",\"errcode\":40003,\"errmsg\":\"invalid user\"}";
    check("wechat", wechat, said, false, "invalid user").await;
    let jira = "{api_url: URL, project: p, issue_type: t, resolve_transition: Gone}";
    let said =
        "{\"issues\":[{\"key\":\"A-1\",\"fields\":{\"status\":{\"statusCategory\":{\"key\":\"new\"}}}}]}";
    let mut over = notification();
    over.alerts.remove(0);
    let sink = Sink::start(answers("200 OK", "application/json", said)).await;
    let error = send(&*build("jira", jira, &sink.url).unwrap(), &over).await.0.unwrap_err();
    assert_eq!(error.message, "can't find transition Gone for issue A-1");
}

#[tokio::test]
async fn a_token_is_asked_for_once_until_it_has_expired() {
    let sink = Sink::start(Box::new(|request: &Request| {
        let expired = request.line.contains("access_token=old");
        let body = match request.line.starts_with("GET") {
            true => "{\"access_token\":\"old\"}",
            false if expired => "{\"errcode\":42001,\"errmsg\":\"expired\"}",
            false => "{}",
        };
        answer("200 OK", "application/json", body)
    }))
    .await;
    let integration = build("wechat", "{api_url: URL, api_secret: s, corp_id: c}", &sink.url).unwrap();
    for _ in 0..2 {
        let error = send(&*integration, &notification()).await.0.unwrap_err();
        assert!(error.retry);
        let lines: Vec<String> = sink.take().into_iter().map(|r| r.line).collect();
        assert!(
            lines[0].starts_with("GET /gettoken?corpid=c&corpsecret=s ") && lines.len() == 2,
            "{lines:?}"
        );
    }
    let sink = Sink::start(service()).await;
    let integration = build("wechat", "{api_url: URL, api_secret: s, corp_id: c}", &sink.url).unwrap();
    for requests in [2, 1, 1] {
        send(&*integration, &notification()).await.0.unwrap();
        assert_eq!(sink.take().len(), requests);
    }
}

#[test]
fn settings_are_refused_in_the_originals_words() {
    let check = |kind: &str, yaml: &str, expected: &str| {
        let error = build(kind, yaml, "http://x").map(|_| ()).expect_err(&format!("{kind}: {yaml}"));
        assert!(error.contains(expected), "{kind}: {yaml}: {error}");
    };
    let cases = include_str!("../../testdata/refused.txt");
    for case in cases.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kind, rest) = case.split_once(' ').unwrap();
        let (yaml, expected) = rest.split_once(" => ").unwrap();
        check(kind, yaml, expected);
    }
}

/// The pipeline's metrics are there for each of them from the start.
#[test]
fn there_are_eighteen_kinds() {
    let mut kinds: Vec<&str> = plain_cases().map(|(kind, _)| kind).chain(["email"]).collect();
    let mut expected = alerting::KINDS.to_vec();
    kinds.sort();
    expected.sort();
    assert_eq!(kinds, expected);
    for (kind, yaml) in plain_cases() {
        assert_eq!(build(kind, yaml, "http://x").unwrap().kind(), kind);
    }
}

#[test]
fn a_refusal_has_its_line() {
    #[derive(Debug, serde::Deserialize)]
    struct Two {
        #[serde(deserialize_with = "settings_list")]
        #[allow(dead_code)]
        slack_configs: Vec<SlackSettings>,
    }
    let text = "slack_configs:\n- {api_url: 'http://x'}\n- channel: c\n  api_url: 'ftp://x'\n";
    let error = config::parse_unchecked::<Two>("f", text).unwrap_err();
    assert_eq!(error.line(), Some(3), "{error}");
    assert!(error.to_string().contains("unsupported scheme \"ftp\" for URL"), "{error}");
    let error = config::parse_unchecked::<Two>("f", "slack_configs:\n-\n").unwrap_err();
    assert!(error.to_string().contains("missing slack config"), "{error}");
}

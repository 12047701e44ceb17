//! The front door over loopback HTTP, and configuration files good and bad.

mod own;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flags::Flags;
use front::{Host, Running};
use serde_json::{Value as Json, json};

use crate::config::{check, load};
use crate::{FLAGS, Parts, Settings, start};

const CONFIG: &str = r#"
global:
  slack_api_url: https://hooks.example/secret-token
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 1s
  routes:
    - matchers: [severity="critical", 'job=~"a.*"']
      receiver: chat
receivers:
  - name: hook
    webhook_configs: [{url: 'http://127.0.0.1:1/secret-hook'}]
  - name: chat
    slack_configs: [{channel: '#x'}]
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity="warning"]
    equal: [alertname]
"#;

struct Server {
    base: String,
    dir: tempfile::TempDir,
    host: Host,
    running: Option<Running>,
    client: reqwest::Client,
}

impl Server {
    async fn start() -> Server {
        Server::with(&[]).await
    }

    async fn with(extra: &[&str]) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("am.yml");
        std::fs::write(&file, CONFIG).unwrap();
        let mut args = vec![
            format!("--config.file={}", file.display()),
            format!("--storage.path={}", dir.path().join("data").display()),
            "--web.listen-address=127.0.0.1:0".to_owned(),
            "--cluster.listen-address=".to_owned(),
        ];
        args.extend(extra.iter().map(|&a| a.to_owned()));
        let flags = Flags::parse("alertmanager", FLAGS, &args).unwrap();
        let host = Host::detached();
        let running = start(Settings::from_flags(&flags).unwrap(), Parts::default(), &host).await.unwrap();
        let base = format!("http://{}", running.addresses[0]);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().build().unwrap();
        Server { base, dir, host, running: Some(running), client }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn get_json(&self, path: &str) -> Json {
        serde_json::from_str(&self.get(path).await.1).unwrap()
    }

    async fn post(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request.header("Content-Type", "application/json").body(body.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn stop(mut self) -> tempfile::TempDir {
        self.host.shutdown.cancel();
        self.running.take().unwrap().stop().await;
        self.dir
    }
}

fn soon() -> String {
    let at = std::time::SystemTime::now() + Duration::from_secs(3600);
    let ns = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as i64;
    crate::model::time(ns)
}

#[tokio::test]
async fn alerts_go_in_and_come_out() {
    let s = Server::start().await;
    let posted = json!([
        {"labels": {"alertname": "X", "severity": "warning"}, "annotations": {"s": "t", "e": ""}, "generatorURL": "http://g/"},
        {"labels": {"alertname": "X", "severity": "critical", "job": "ab", "empty": ""}, "startsAt": "2024-01-01T00:00:00.123456789+01:00"},
        {"labels": {"alertname": "Gone"}, "startsAt": "2024-01-01T00:00:00Z", "endsAt": "2024-01-01T00:01:00Z"},
    ]);
    assert_eq!(s.post("/api/v2/alerts", &posted.to_string()).await, (200, String::new()));
    let alerts = s.get_json("/api/v2/alerts").await;
    assert_eq!(alerts.as_array().unwrap().len(), 2);
    let warning = alerts.as_array().unwrap().iter().find(|a| a["labels"]["severity"] == "warning").unwrap();
    let critical = alerts.as_array().unwrap().iter().find(|a| a["labels"]["severity"] == "critical").unwrap();
    let keys: Vec<&str> = warning.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "annotations",
            "endsAt",
            "fingerprint",
            "receivers",
            "startsAt",
            "status",
            "updatedAt",
            "generatorURL",
            "labels"
        ]
    );
    // An empty annotation is still there, an empty label is none.
    assert_eq!(warning["annotations"], json!({"e": "", "s": "t"}));
    assert_eq!(
        warning["status"],
        json!({"inhibitedBy": [critical["fingerprint"]], "mutedBy": [], "silencedBy": [], "state": "suppressed"})
    );
    assert_eq!(critical["labels"], json!({"alertname": "X", "job": "ab", "severity": "critical"}));
    assert_eq!(
        (&critical["startsAt"], &critical["receivers"]),
        (&json!("2023-12-31T23:00:00.123Z"), &json!([{"name": "chat"}]))
    );

    let count =
        async |query: &str| s.get_json(&format!("/api/v2/alerts?{query}")).await.as_array().unwrap().len();
    assert_eq!(count("inhibited=false").await, 1);
    assert_eq!(count("active=false").await, 1);
    assert_eq!(count("filter=severity%3D%22warning%22").await, 1);
    assert_eq!(count("filter=job%3D%22%22").await, 1);
    assert_eq!(count("filter=job!%3D%22%22&filter=alertname%3DX").await, 1);
    assert_eq!(count("receiver=ch.*").await, 1);
    assert_eq!(count("receiver=c").await, 0);

    let groups = s.get_json("/api/v2/alerts/groups").await;
    let shape: Vec<(&str, &str)> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|g| (g["labels"]["alertname"].as_str().unwrap(), g["receiver"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(shape, [("X", "chat"), ("X", "hook")]);
    s.stop().await;
}

#[tokio::test]
async fn bad_requests_get_the_originals_answers() {
    let s = Server::start().await;
    let check = async |body: &str, status: u16, expected: &str| {
        assert_eq!(s.post("/api/v2/alerts", body).await, (status, expected.to_owned()), "{body}");
    };
    check(
        "{",
        400,
        r#"{"code":400,"message":"parsing alerts body from \"\" failed, because unexpected EOF"}"#,
    )
    .await;
    check("{}", 400, r#"{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal object into Go value of type models.PostableAlerts"}"#).await;
    check(
        r#"[{"labels":{"a":"b"}},{"annotations":{}}]"#,
        422,
        r#"{"code":602,"message":"1.labels in body is required"}"#,
    )
    .await;
    check(r#"[{"labels":{"alertname":5}}]"#, 400, r#"{"code":400,"message":"parsing alerts body from \"\" failed, because json: cannot unmarshal number into Go struct field Alert.labels.alertname of type string"}"#).await;
    check(r#"[{"labels":{"a":"b"},"startsAt":"yesterday"}]"#, 400, r#"{"code":400,"message":"parsing alerts body from \"\" failed, because parsing time \"yesterday\" as \"2006-01-02\": cannot parse \"yesterday\" as \"2006\""}"#).await;
    check(
        r#"[{"labels":{}},{"labels":{"a":""}},{"labels":{"ok":"yes"}},{"labels":{"b":"c"},"startsAt":"2030-01-01T00:00:00Z","endsAt":"2020-01-01T00:00:00Z"}]"#,
        400,
        "\"at least one label pair required\\nat least one label pair required\\nstart time must be before end time\"\n",
    )
    .await;
    // The good one of a bad batch was taken.
    assert_eq!(s.get_json("/api/v2/alerts").await[0]["labels"], json!({"ok": "yes"}));
    assert_eq!(s.get("/api/v2/alerts?filter=x").await, (400, "\"bad matcher format: x\"\n".into()));
    assert_eq!(
        s.get("/api/v2/alerts?receiver=(").await.1,
        "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\"\n"
    );
    assert_eq!(
        s.get("/api/v2/nope").await,
        (404, r#"{"code":404,"message":"path /api/v2/nope was not found"}"#.into())
    );
    let put = s.client.put(format!("{}/api/v2/alerts", s.base)).send().await.unwrap();
    assert_eq!(put.headers()["allow"], "GET,POST");
    assert_eq!(
        (put.status().as_u16(), put.text().await.unwrap()),
        (405, r#"{"code":405,"message":"method PUT is not allowed, but [GET,POST] are"}"#.into())
    );
    let plain =
        s.client.post(format!("{}/api/v2/alerts", s.base)).header("Content-Type", "text/plain").body("[]");
    assert_eq!(plain.send().await.unwrap().status().as_u16(), 415);
    assert_eq!(s.get("/api/v1/alerts").await.0, 410);
    assert_eq!(s.get("/-/reload").await, (405, "Method Not Allowed\n".into()));
    s.stop().await;
}

#[tokio::test]
async fn silences_live_through_a_restart() {
    let s = Server::start().await;
    let body = |matchers: Json| {
        json!({"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": soon(), "createdBy": "me", "comment": "why"})
            .to_string()
    };
    let matcher = json!([{"name": "a", "value": "b.*", "isRegex": true}]);
    let (status, answer) = s.post("/api/v2/silences", &body(matcher)).await;
    let answer: Json = serde_json::from_str(&answer).unwrap();
    let id = answer["silenceID"].as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    s.post("/api/v2/alerts", r#"[{"labels":{"a":"bcd"}}]"#).await;
    assert_eq!(s.get_json("/api/v2/alerts").await[0]["status"]["silencedBy"], json!([id]));
    let shown = s.get_json(&format!("/api/v2/silence/{id}")).await;
    assert_eq!(shown["matchers"], json!([{"isEqual": true, "isRegex": true, "name": "a", "value": "b.*"}]));
    assert_eq!((&shown["status"]["state"], &shown["createdBy"]), (&json!("active"), &json!("me")));

    let check = async |body: String, status: u16, expected: &str| {
        assert_eq!(s.post("/api/v2/silences", &body).await, (status, expected.to_owned()), "{body}");
    };
    check("{}".into(), 422, r#"{"code":602,"message":"comment in body is required"}"#).await;
    check(body(json!([])), 422, r#"{"code":612,"message":"matchers in body should have at least 1 items"}"#)
        .await;
    check(
        body(json!([{"name": "a", "value": "", "isRegex": false}])),
        400,
        "\"invalid silence: matcher set 0: at least one matcher must not match the empty string\"\n",
    )
    .await;
    check(body(json!([{"name": "a", "value": "(", "isRegex": true}])), 400, "\"invalid silence: invalid label matcher 0 in set 0: invalid regular expression \\\"(\\\": error parsing regexp: missing closing ): `(`\"\n").await;
    let past = body(json!([{"name": "a", "value": "b", "isRegex": false}])).replace(&soon()[..4], "2020");
    assert_eq!(s.post("/api/v2/silences", &past).await.0, 400);
    assert_eq!(
        s.get("/api/v2/silence/nope").await,
        (422, r#"{"code":601,"message":"silenceID in path must be of type uuid: \"nope\""}"#.into())
    );
    assert_eq!(s.get("/api/v2/silence/01234567-89ab-cdef-0123-456789abcdef").await, (404, String::new()));

    // No shutdown of the engine: the process is gone, the file stays.
    let path = s.dir.path().join("data");
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(path.join("silences.journal"), copy.path().join("silences.journal")).unwrap();
    let again = Server::with(&[&format!("--storage.path={}", copy.path().display())]).await;
    assert_eq!(again.get_json("/api/v2/silences").await[0]["id"], json!(id));
    let gone = again.client.delete(format!("{}/api/v2/silence/{id}", again.base)).send().await.unwrap();
    assert_eq!(gone.status().as_u16(), 200);
    assert_eq!(again.get_json("/api/v2/silences?expired=false").await, json!([]));
    again.stop().await;
    s.stop().await;
}

#[tokio::test]
async fn status_shows_the_configuration_without_secrets() {
    let s = Server::start().await;
    let status = s.get_json("/api/v2/status").await;
    let original = status["config"]["original"].as_str().unwrap();
    assert!(!original.contains("secret-token") && !original.contains("secret-hook"), "{original}");
    assert!(
        original.contains("slack_api_url: <secret>") && original.contains("resolve_timeout: 5m"),
        "{original}"
    );
    // A client reads it back.
    check("again", original, Path::new(".")).unwrap();
    assert_eq!(status["cluster"], json!({"peers": [], "status": "disabled"}));
    let v1 = s.get_json("/api/v1/status").await;
    let keys: Vec<&str> = v1["data"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["configYAML", "configJSON", "versionInfo", "uptime", "clusterStatus"]);
    assert_eq!(
        s.get_json("/api/v2/receivers").await,
        json!([{"labels": {"name": "hook"}, "name": "hook"}, {"labels": {"name": "chat"}, "name": "chat"}])
    );
    assert_eq!((s.get("/-/healthy").await, s.get("/-/ready").await.0), ((200, "OK".into()), 200));
    let metrics = s.get("/metrics").await.1;
    for line in [
        "alertmanager_config_last_reload_successful 1",
        "alertmanager_alerts{state=\"active\"} 0",
        "alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"serverError\"} 0",
        "alertmanager_receivers 2",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    s.stop().await;
}

#[tokio::test]
async fn a_broken_reload_changes_nothing() {
    let s = Server::start().await;
    let file = s.dir.path().join("am.yml");
    std::fs::write(&file, CONFIG.replace("receiver: chat", "receiver: nobody")).unwrap();
    let (status, text) = s.post("/-/reload", "").await;
    let name = file.display();
    assert_eq!(
        (status, text),
        (
            500,
            format!(
                "failed to reload config: {name}:10:7: route.routes[0].receiver: undefined receiver \"nobody\" used in route\n"
            )
        )
    );
    assert!(s.get("/metrics").await.1.contains("alertmanager_config_last_reload_successful 0"));
    assert_eq!(s.get_json("/api/v2/receivers").await.as_array().unwrap().len(), 2);
    std::fs::write(&file, CONFIG.replace("chat", "talk")).unwrap();
    assert_eq!(s.post("/-/reload", "").await.0, 200);
    assert_eq!(s.get_json("/api/v2/receivers").await[1]["name"], "talk");
    s.stop().await;
}

#[tokio::test]
async fn a_prefix_moves_everything() {
    let s = Server::with(&["--web.external-url=http://x.example/am/"]).await;
    assert_eq!(s.get("/am/-/healthy").await, (200, "OK".into()));
    assert_eq!(s.get("/-/healthy").await.0, 404);
    assert_eq!(s.get("/am/api/v2/alerts").await.0, 200);
    s.stop().await;
}

#[test]
fn flags_say_what_is_not_there() {
    let settings = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|&a| a.to_owned()).collect();
        Settings::from_flags(&Flags::parse("alertmanager", FLAGS, &args).unwrap()).map(|_| ())
    };
    assert_eq!(
        settings(&["--enable-feature=nope"]).unwrap_err(),
        "unknown option 'nope' for --enable-feature"
    );
    assert!(settings(&["--data.retention=soon"]).unwrap_err().contains("data.retention"));
    settings(&["--cluster.listen-address=", "--cluster.settle-timeout=0s", "--enable-feature=classic-mode"])
        .unwrap();
}

#[test]
fn the_shipped_configuration_loads() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let path = Path::new(root).join("alertmanager/alertmanager.yml");
    let clock = Arc::new(platform::SystemClock::new());
    let loaded = load(&path, "http://localhost:9093", alerting::MatcherMode::default(), clock).unwrap();
    assert!(loaded.receivers.len() >= 3);
    check("shown", &loaded.original, path.parent().unwrap()).unwrap();
}

#[test]
fn the_originals_configurations_load() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/alertmanager");
    let Ok(entries) = std::fs::read_dir(dir) else {
        println!("skipped: {dir} is not there");
        return;
    };
    let mut seen = 0;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(entry.path()).unwrap();
        check(&name, &text, Path::new(dir)).unwrap_or_else(|e| panic!("{e}"));
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

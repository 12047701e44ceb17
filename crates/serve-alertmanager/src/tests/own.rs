//! The interface of our own, and the gate before all of them.

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use front::{Door, Host};
use serde_json::{Value as Json, json};

use super::Server;
use crate::gate::Gate;

/// Asks until the answer is as wanted.
async fn until(server: &Server, path: &str, wanted: impl Fn(&Json) -> bool) -> Json {
    for _ in 0..600 {
        let answer = server.get_json(path).await;
        if wanted(&answer) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} did not become what was waited for");
}

#[tokio::test]
async fn what_was_told_and_what_came_back_is_shown() {
    let s = Server::start().await;
    assert_eq!(s.get_json("/api/cloudos/v1/notifications").await, json!([]));
    let idle = s.get_json("/api/cloudos/v1/receivers").await;
    assert_eq!(
        idle,
        json!([
            {"name": "hook", "integrations": [{"kind": "webhook", "index": 0, "sendResolved": true,
                "lastAttempt": null, "lastDurationMs": null, "lastError": null}]},
            {"name": "chat", "integrations": [{"kind": "slack", "index": 0, "sendResolved": false,
                "lastAttempt": null, "lastDurationMs": null, "lastError": null}]},
        ])
    );
    // Nobody listens at the webhook's port.
    s.post("/api/v2/alerts", r#"[{"labels":{"alertname":"X"}}]"#).await;
    let path = "/api/cloudos/v1/notifications?limit=5&receiver=hook";
    let told = until(&s, path, |all| all[0]["attempts"].as_u64() > Some(1)).await;
    let first = &told[0];
    let keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = "id at receiver integration groupKey groupLabels reason status attempts durationMs firing \
                    resolved rendered answer error";
    assert_eq!(keys.join(" "), expected);
    assert_eq!((told.as_array().unwrap().len(), &first["integration"]), (1, &json!("webhook[0]")));
    assert_eq!(first["groupKey"], r#"{}:{alertname="X"}"#);
    assert_eq!((&first["groupLabels"], &first["firing"]), (&json!({"alertname": "X"}), &json!(1)));
    assert_eq!((&first["reason"], &first["status"]), (&json!("first notification"), &json!("retrying")));
    assert!(first["rendered"].as_str().unwrap().contains("\"alertname\":\"X\""), "{first}");
    assert!(!first["error"].as_str().unwrap().is_empty());
    assert!(!first["error"].as_str().unwrap().contains("secret-hook"), "{first}");
    assert_eq!(s.get_json("/api/cloudos/v1/notifications?receiver=chat").await, json!([]));
    assert_eq!(s.get_json("/api/cloudos/v1/notifications?groupKey=nope").await, json!([]));
    assert_eq!(s.get("/api/cloudos/v1/notifications?limit=x").await.0, 400);
    let busy = s.get_json("/api/cloudos/v1/receivers").await;
    assert!(busy[0]["integrations"][0]["lastError"].is_string(), "{busy}");
    assert!(busy[0]["integrations"][0]["lastAttempt"].is_string(), "{busy}");
    s.stop().await;
}

#[tokio::test]
async fn routes_are_shown_and_tried() {
    let s = Server::start().await;
    let tree = s.get_json("/api/cloudos/v1/routes").await;
    let child = json!({
        "id": "1", "receiver": "chat", "matchers": ["job=~\"a.*\"", "severity=\"critical\""], "continue": false,
        "groupBy": ["alertname"], "groupWait": "1s", "groupInterval": "5m", "repeatInterval": "4h",
        "muteTimeIntervals": [], "activeTimeIntervals": [], "labels": {}, "routes": [],
    });
    assert_eq!((&tree["id"], &tree["matchers"], &tree["routes"]), (&json!("0"), &json!([]), &json!([child])));
    let check = async |query: &str, expected: Json| {
        assert_eq!(s.get_json(&format!("/api/cloudos/v1/routes/test?{query}")).await, expected, "{query}");
    };
    check("", json!({"matched": ["0"], "receivers": ["hook"]})).await;
    check("label=severity%3Dcritical", json!({"matched": ["0"], "receivers": ["hook"]})).await;
    let both = "label=severity%3Dcritical&label=job%3Dab%3Dc";
    check(both, json!({"matched": ["1"], "receivers": ["chat"]})).await;
    assert_eq!(s.get("/api/cloudos/v1/routes/test?label=x").await.0, 400);
    s.stop().await;
}

#[tokio::test]
async fn an_alert_says_why_it_is_silent() {
    let s = Server::start().await;
    let alerts = json!([
        {"labels": {"alertname": "X", "severity": "warning"}},
        {"labels": {"alertname": "X", "severity": "critical"}},
    ]);
    s.post("/api/v2/alerts", &alerts.to_string()).await;
    let silence = json!({"matchers": [{"name": "severity", "value": "warning", "isRegex": false}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": super::soon(), "createdBy": "me", "comment": "why"});
    s.post("/api/v2/silences", &silence.to_string()).await;
    let listed = s.get_json("/api/v2/alerts?filter=severity%3Dwarning").await;
    let fingerprint = listed[0]["fingerprint"].as_str().unwrap();
    let why = s.get_json(&format!("/api/cloudos/v1/alerts/{fingerprint}/why")).await;
    assert_eq!((&why["state"], &why["fingerprint"]), (&json!("suppressed"), &json!(fingerprint)));
    assert_eq!(why["silencedBy"][0]["matchers"], json!(["severity=\"warning\""]));
    assert_eq!(why["silencedBy"][0]["comment"], "why");
    assert_eq!(why["inhibitedBy"][0]["labels"], json!({"alertname": "X", "severity": "critical"}));
    assert_eq!(why["inhibitedBy"][0]["rule"]["equal"], json!(["alertname"]));
    assert_eq!(why["routes"], json!([{"id": "0", "receiver": "hook", "mutedBy": []}]));
    assert_eq!(s.get("/api/cloudos/v1/alerts/0000000000000000/why").await.0, 404);
    assert_eq!(s.get("/api/cloudos/v1/alerts/nope/why").await.0, 400);
    s.stop().await;
}

#[tokio::test]
async fn a_long_list_comes_in_pieces_and_whole() {
    let s = Server::start().await;
    let alerts: Vec<Json> = (0..2_000)
        .map(|i| json!({"labels": {"alertname": "X", "n": i.to_string()}, "annotations": {"a": "b".repeat(100)}}))
        .collect();
    assert_eq!(s.post("/api/v2/alerts", &json!(alerts).to_string()).await.0, 200);
    let listed = s.get_json("/api/v2/alerts").await;
    let groups = s.get_json("/api/v2/alerts/groups").await;
    assert_eq!(listed.as_array().unwrap().len(), 2_000);
    assert_eq!(groups[0]["alerts"].as_array().unwrap().len(), 2_000);
    s.stop().await;
}

#[tokio::test]
async fn readers_beyond_the_limit_and_slow_answers_are_refused() {
    let host = Host::detached();
    let gate = Gate::new(1, Some(Duration::from_secs(3)), &host.registry);
    let router = Router::new()
        .route("/slow", get(std::future::pending::<String>))
        .layer(from_fn_with_state(gate, Gate::pass));
    let door = Door::bind("test", "127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slow", door.address());
    let running = door.serve(router, &host);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ask = || async { reqwest::get(&url).await.unwrap().text().await.unwrap() };
    let (first, second) = tokio::join!(ask(), ask());
    let mut answers = [first, second];
    answers.sort();
    assert_eq!(
        answers,
        [
            "Exceeded configured timeout of 3s.\n",
            "Limit of concurrent GET requests reached (1), try again later.\n\n",
        ]
    );
    host.shutdown.cancel();
    running.stop().await;
}

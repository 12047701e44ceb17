//! The service over HTTP, without a socket.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use flags::Flags;
use front::Host;
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::service::Service;
use crate::{FLAGS, Settings, routes};

struct World {
    dir: tempfile::TempDir,
    service: Arc<Service>,
}

/// Nobody listens there.
const URL: &str = "http://127.0.0.1:9/loki/api/v1/push";

fn file(dir: &str, more: &str) -> String {
    format!(
        "server: {{http_listen_port: 0, enable_runtime_reload: true}}
positions: {{filename: '{dir}/positions.yaml'}}
clients: [{{url: '{URL}', basic_auth: {{username: u, password: geheim}}}}]
scrape_configs:
- job_name: test
  static_configs: [{{labels: {{job: t, __path__: '{dir}/*.log'}}}}, {{labels: {{a: b}}}}]
{more}"
    )
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("promtail.yml");
        fs::write(&path, file(&dir.path().display().to_string(), "")).unwrap();
        let args = [format!("-config.file={}", path.display())];
        let settings = Settings::from_flags(&Flags::parse("promtail", FLAGS, &args).unwrap()).unwrap();
        World { service: Service::start(settings, &Host::detached()).unwrap(), dir }
    }

    fn rewrite(&self, more: &str) {
        let dir = self.dir.path();
        fs::write(dir.join("promtail.yml"), file(&dir.display().to_string(), more)).unwrap();
    }

    async fn call(&self, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = routes::router(self.service.clone()).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn wait(&self, path: &str, condition: impl Fn(u16, &str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let (status, body) = self.call("GET", path).await;
            if condition(status, &body) {
                return body;
            }
            assert!(Instant::now() < deadline, "{path}: {status} {body}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn pages_tell_what_is_followed() {
    let world = World::new();
    let (status, body) = world.call("GET", "/ready").await;
    assert_eq!(status, 500);
    assert!(body.starts_with("Not ready: Unable to find any logs to tail."), "{body}");
    fs::write(world.dir.path().join("a.log"), "line\n").unwrap();
    assert_eq!(world.wait("/ready", |status, _| status == 200).await, "Ready\n");
    let body = world.wait("/targets", |_, body| body.contains("a.log")).await;
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    let target = &answer["data"]["activeTargets"][0];
    assert_eq!(target["job"], "test");
    assert_eq!(target["labels"], serde_json::json!({"job": "t"}));
    let (_, body) = world.call("GET", "/service-discovery").await;
    let answer: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["data"]["droppedTargets"][0]["reason"], "no path for target");
    let (_, config) = world.call("GET", "/config").await;
    assert!(config.contains("job_name: test") && !config.contains("geheim"), "{config}");
    let metrics = world.wait("/metrics", |_, body| body.contains("promtail_files_active_total 1")).await;
    assert!(metrics.contains("promtail_build_info{"), "{metrics}");
    assert_eq!(world.call("GET", "/nothing").await, (404, "404 page not found\n".into()));
    world.service.stop();
}

#[tokio::test]
async fn reloads_are_all_or_nothing() {
    let world = World::new();
    world.rewrite("  unknown: 1\n");
    let (status, body) = world.call("POST", "/reload").await;
    assert_eq!(status, 500);
    assert!(
        body.starts_with("failed to reload config: ") && body.contains("unknown field `unknown`"),
        "{body}"
    );
    world.rewrite("- job_name: second\n  static_configs: [{labels: {__path__: /nowhere/x}}]\n");
    assert_eq!(world.call("POST", "/reload").await, (200, String::new()));
    world.wait("/targets", |_, body| body.contains("\"second\"")).await;
    let (_, metrics) = world.call("GET", "/metrics").await;
    for line in ["promtail_config_reload_success_total 1", "promtail_config_reload_fail_total 1"] {
        assert!(metrics.lines().any(|found| found == line), "{line}");
    }
    world.service.stop();
    assert_eq!(world.call("POST", "/reload").await.0, 500);
}

#[test]
fn flags_win_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("promtail.yml");
    fs::write(&path, file("${CLOUDOS_DATA_DIR}", "")).unwrap();
    let settings = |more: &[&str]| {
        let mut args = vec![format!("-config.file={}", path.display())];
        args.extend(more.iter().map(|arg| arg.to_string()));
        Settings::from_flags(&Flags::parse("promtail", FLAGS, &args).unwrap())
    };
    let plain = settings(&[]).unwrap();
    assert_eq!(plain.listen_address(), "127.0.0.1:0");
    let given = settings(&[
        "-server.http-listen-port=9081",
        "-server.http-listen-address=::1",
        "-client.url=http://other:1/push",
        "-config.expand-env=true",
        "-config.data-dir=/somewhere",
    ]);
    let given = given.unwrap();
    assert_eq!(given.config.server.http_listen_port, 9081);
    assert_eq!(
        given.config.all_clients().map(|c| c.url.as_str()).collect::<Vec<_>>(),
        ["http://other:1/push"]
    );
    if std::env::var("CLOUDOS_DATA_DIR").is_err() {
        assert_eq!(given.config.positions.filename.display().to_string(), "/somewhere/positions.yaml");
    }
    let given = settings(&["-positions.file=/p"]).unwrap();
    assert_eq!(given.config.positions.filename.display().to_string(), "/p");
    fs::write(&path, "clients: []\n").unwrap();
    let error = settings(&[]).unwrap_err().to_string();
    assert_eq!(error, "at least one client config must be provided");
}

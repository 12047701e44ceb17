//! The whole service over HTTP.

use std::path::Path;

use flags::Flags;
use front::{Host, Running};
use reqwest::{Client, Method, Response};

struct Gateway {
    running: Running,
    host: Host,
    base: String,
    client: Client,
}

impl Gateway {
    async fn start(args: &[&str]) -> Gateway {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        let mut flags = Flags::parse("pushgateway", serve_pushgateway::FLAGS, &args).unwrap();
        flags.set_default("web.listen-address", "127.0.0.1:0");
        let host = Host::detached();
        let running = serve_pushgateway::start(flags, host.clone()).await.unwrap();
        let base = format!("http://{}", running.addresses[0]);
        Gateway { running, host, base, client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Response {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("{}{path}", self.base);
        self.client.request(method, url).body(body.to_owned()).send().await.unwrap()
    }

    /// Status and body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let response = self.send(method, path, body).await;
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sample lines of the scrape that start with `name`.
    async fn samples(&self, name: &str) -> Vec<String> {
        let (status, text) = self.ask("GET", "/metrics", "").await;
        assert_eq!(status, 200, "{text}");
        text.lines().filter(|l| l.starts_with(name)).map(str::to_owned).collect()
    }

    async fn stop(self) {
        self.host.shutdown.cancel();
        self.running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_replace_add_and_delete() {
    let gateway = Gateway::start(&[]).await;
    let push = |method, path, body| gateway.ask(method, path, body);
    let group = "/metrics/job/some_job/instance/some_instance";
    let body =
        "# TYPE a counter\na{label=\"val1\"} 42\n# TYPE b gauge\n# HELP b Just an example.\nb 2398.283\n";
    assert_eq!(push("POST", group, body).await, (200, String::new()));
    let a = r#"a{instance="some_instance",job="some_job",label="val1"} 42"#;
    assert_eq!(gateway.samples("a{").await, [a]);
    assert_eq!(gateway.samples("# HELP b").await, ["# HELP b Just an example."]);
    assert_eq!(
        gateway.samples("push_failure_time_seconds{").await,
        [r#"push_failure_time_seconds{instance="some_instance",job="some_job"} 0"#]
    );

    // POST leaves other names alone, PUT does not, and labels in the path win.
    push("POST", group, "b{job=\"other\"} 3\n").await;
    assert_eq!(gateway.samples("a{").await, [a]);
    assert_eq!(gateway.samples("b{").await, [r#"b{instance="some_instance",job="some_job"} 3"#]);
    push("PUT", group, "c 1\n").await;
    assert_eq!(gateway.samples("a{").await, [""; 0]);
    assert_eq!(gateway.samples("c{").await.len(), 1);
    push("PUT", group, "").await;
    assert_eq!(gateway.samples("c{").await, [""; 0]);
    assert_eq!(gateway.samples("push_time_seconds{").await.len(), 1);

    // Another group of the same names; without an instance it gets an empty one.
    push("PUT", "/metrics/job@base64/ai9r", "a 1\n").await;
    assert_eq!(gateway.samples("a{").await, [r#"a{instance="",job="j/k"} 1"#]);
    assert_eq!(push("DELETE", "/metrics/job@base64/ai9r", "").await, (202, String::new()));
    assert_eq!(push("DELETE", "/metrics/job/never_there", "").await, (202, String::new()));
    assert_eq!(gateway.samples("a{").await, [""; 0]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_pushes_end_with_the_last_value() {
    let gateway = Gateway::start(&[]).await;
    for i in 1..=1000 {
        let (status, text) =
            gateway.ask("POST", "/metrics/job/load_test", &format!("test_metric {i}\n")).await;
        assert_eq!(status, 200, "{text}");
    }
    assert_eq!(gateway.samples("test_metric{").await, [r#"test_metric{instance="",job="load_test"} 1000"#]);
    let counted = gateway.samples("pushgateway_http_requests_total{").await;
    assert_eq!(counted, [r#"pushgateway_http_requests_total{code="200",handler="push",method="post"} 1000"#]);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_have_the_status_and_text_of_the_original() {
    let gateway = Gateway::start(&[]).await;
    gateway.ask("PUT", "/metrics/job/typed", "# TYPE t gauge\nt 1\n# TYPE h histogram\nh_count 1\n").await;
    let inconsistent = "pushed metrics are invalid or inconsistent with existing metrics: ";
    let long_type = format!(
        "{inconsistent}collected metric \"t\" {{ label:{{name:\"instance\" value:\"\"}} label:{{name:\"job\" \
         value:\"j\"}} counter:{{value:2}}}} is not a GAUGE"
    );
    let twice = format!(
        "{inconsistent}collected metric \"u\" {{ label:{{name:\"instance\" value:\"\"}} label:{{name:\"job\" \
         value:\"j\"}} untyped:{{value:2}}}} was collected before with the same name and label values"
    );
    let collides = format!(
        "{inconsistent}collected metric named \"h_sum\" collides with previously collected histogram named \"h\""
    );
    let timestamps = format!("{inconsistent}pushed metrics must not have timestamps");
    let cases: &[(&str, &str, &str, u16, &str)] = &[
        (
            "PUT",
            "/metrics/job/j",
            "a 1",
            400,
            "text format parsing error in line 1: unexpected end of input stream",
        ),
        (
            "PUT",
            "/metrics/job/j",
            "a{b} 1\n",
            400,
            "text format parsing error in line 1: expected '=' after label name, found '}'",
        ),
        ("PUT", "/metrics/job/j", "a 1 1000\n", 400, &timestamps),
        ("PUT", "/metrics/job/j", "# TYPE t counter\nt 2\n", 400, &long_type),
        ("PUT", "/metrics/job/j", "u 1\nu 2\n", 400, &twice),
        ("PUT", "/metrics/job/j", "h_sum 2\n", 400, &collides),
        ("PUT", "/metrics/job/j/x", "a 1\n", 400, "odd number of components in label string \"/x\""),
        ("PUT", "/metrics/job/j/__x/y", "a 1\n", 400, "improper label name \"__x\""),
        ("PUT", "/metrics/job@base64/=", "a 1\n", 400, "job name is required"),
        ("DELETE", "/metrics/job/j/x", "", 400, "odd number of components in label string \"/x\""),
        ("GET", "/metrics/job/j", "", 405, "Method Not Allowed"),
        ("PUT", "/metrics", "", 405, "Method Not Allowed"),
        ("PUT", "/metrics/jobs/j", "", 404, "404 page not found"),
        ("PUT", "/api/v1/admin/wipe", "", 404, "404 page not found"),
        ("GET", "/nothing", "", 404, "404 page not found"),
    ];
    for (method, path, body, status, text) in cases {
        let got = gateway.ask(method, path, body).await;
        assert_eq!(got, (*status, format!("{text}\n")), "{method} {path} {body:?}");
    }
    assert_eq!(gateway.ask("POST", "/-/quit", "").await, (403, "Lifecycle API is not enabled.".into()));
    assert_eq!(gateway.ask("GET", "/-/quit", "").await, (405, "Only POST or PUT requests allowed.".into()));
    assert_eq!(gateway.ask("GET", "/-/healthy", "").await, (200, "OK".into()));
    assert_eq!(gateway.ask("GET", "/-/ready", "").await, (200, "OK".into()));

    // A refused push leaves the group's metrics, and its time.
    assert_eq!(gateway.samples("push_time_seconds{").await.iter().filter(|l| l.ends_with(" 0")).count(), 1);
    let failures = gateway.samples("push_failure_time_seconds{").await;
    assert_eq!(failures.iter().filter(|l| !l.ends_with(" 0")).count(), 1, "{failures:?}");
    // The same labels under another key: refused, and the scrape still works.
    gateway.ask("PUT", "/metrics/job/j", "a 1\n").await;
    let (status, text) = gateway.ask("PUT", "/metrics/job/j/instance/", "b 1\n").await;
    assert!(status == 400 && text.contains("2 error(s) occurred:\n* collected metric \"push_"), "{text}");
    assert_eq!(gateway.samples("a{").await.len(), 1);
    assert_eq!(gateway.samples("b{").await.len(), 0);
    // A group may change the type of what only it has.
    let (status, text) = gateway.ask("PUT", "/metrics/job/typed", "# TYPE t counter\nt 2\n").await;
    assert_eq!(status, 200, "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_view() {
    let gateway = Gateway::start(&["--web.enable-admin-api"]).await;
    let body = "# TYPE s summary\n# HELP s Help.\ns{quantile=\"0.5\"} 1.5\ns_sum 3\ns_count 2\n";
    gateway.ask("PUT", "/metrics/job/j", body).await;
    let response = gateway.send("GET", "/api/v1/metrics", "").await;
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(response.headers()["content-type"], "application/json");
    let json: serde_json::Value = response.json().await.unwrap();
    let group = &json["data"][0];
    assert_eq!((&json["status"], &group["labels"]["job"]), (&"success".into(), &"j".into()));
    assert_eq!(group["last_push_successful"], true);
    let family = &group["s"];
    assert_eq!((&family["type"], &family["help"]), (&"SUMMARY".into(), &"Help.".into()));
    let expected = serde_json::json!([{
        "count": "2", "labels": {"instance": "", "job": "j"}, "quantiles": {"0.5": "1.5"}, "sum": "3"
    }]);
    assert_eq!(family["metrics"], expected);
    gateway.ask("PUT", "/metrics/job/j", "late 1 1\n").await;
    let json: serde_json::Value = gateway.send("GET", "/api/v1/metrics", "").await.json().await.unwrap();
    assert_eq!(json["data"][0]["last_push_successful"], false);

    let json: serde_json::Value = gateway.send("GET", "/api/v1/status", "").await.json().await.unwrap();
    for key in ["build_information", "flags", "start_time"] {
        assert!(!json["data"][key].is_null(), "{key} in {json}");
    }
    assert_eq!(gateway.ask("POST", "/api/v1/admin/wipe", "").await.0, 405);
    assert_eq!(gateway.ask("PUT", "/api/v1/admin/wipe", "").await, (202, String::new()));
    let json: serde_json::Value = gateway.send("GET", "/api/v1/metrics", "").await.json().await.unwrap();
    assert_eq!(json["data"], serde_json::json!([]));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unchecked_pushes_and_compressed_bodies() {
    let gateway = Gateway::start(&["--push.disable-consistency-check", "--web.route-prefix=/pg"]).await;
    let url = format!("{}/pg/metrics/job/j", gateway.base);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, b"zipped 1\n").unwrap();
    let put = |encoding: &'static str, body: Vec<u8>| {
        gateway.client.put(&url).header("Content-Encoding", encoding).body(body).send()
    };
    assert_eq!(put("gzip", gzip.finish().unwrap()).await.unwrap().status(), 202);
    assert_eq!(put("gzip", b"not gzip".to_vec()).await.unwrap().status(), 400);
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    std::io::Write::write_all(&mut snappy, b"snapped 1\n").unwrap();
    let body = snappy.into_inner().unwrap();
    let post = gateway.client.post(&url).header("Content-Encoding", "snappy").body(body);
    assert_eq!(post.send().await.unwrap().status(), 202);
    let (_, text) = gateway.ask("GET", "/pg/metrics", "").await;
    assert!(text.contains("\nzipped{instance=\"\",job=\"j\"} 1\n"), "{text}");
    assert!(text.contains("\nsnapped{instance=\"\",job=\"j\"} 1\n"), "{text}");
    // What the check would have refused breaks the scrape, as it does in the original.
    gateway.ask("PUT", "/pg/metrics/job/k", "# TYPE zipped gauge\nzipped 1\n").await;
    assert_eq!(gateway.ask("GET", "/pg/metrics", "").await.0, 500);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", Path::new(dir.path()).join("groups").display());
    let gateway = Gateway::start(&[&file]).await;
    gateway
        .ask(
            "PUT",
            "/metrics/job/j",
            "# TYPE a gauge\na NaN\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 2\nh_sum 1\nh_count 2\n",
        )
        .await;
    let before = gateway.samples("").await;
    gateway.stop().await;
    let gateway = Gateway::start(&[&file, "--web.enable-lifecycle"]).await;
    let after = gateway.samples("").await;
    let pushed = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|l| l.contains("job=\"j\"")).cloned().collect()
    };
    assert_eq!(pushed(&after), pushed(&before));
    assert!(pushed(&after).contains(&r#"a{instance="",job="j"} NaN"#.to_owned()), "{after:?}");
    assert_eq!(gateway.ask("PUT", "/-/quit", "").await, (200, "Requesting termination... Goodbye!".into()));
    gateway.host.shutdown.cancelled().await;
    gateway.stop().await;
}

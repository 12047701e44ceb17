//! The API as clients see it: requests against the router over a store in memory.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use front::Host;
use http_body_util::BodyExt;
use logql::testing::MemoryStore;
use serde_json::{Value, json};
use storage::LogStore;
use tower::ServiceExt;

use crate::config::Config;
use crate::flags::Settings;
use crate::{routes, state};

const SECOND: i64 = 1_000_000_000;

struct Loki {
    router: Router,
    now: i64,
}

impl Loki {
    fn new(config: &str) -> Loki {
        Loki::over(Arc::new(MemoryStore::new()), config)
    }

    fn over(store: Arc<dyn LogStore>, config: &str) -> Loki {
        let app = state::App::new(settings(config), store, &Host::detached());
        let now = app.now();
        Loki { router: routes::router(app), now }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// A reply that must be JSON, without its volatile parts.
    async fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        assert!(body.ends_with('\n'), "{body}");
        let mut value: Value = serde_json::from_str(&body).unwrap();
        if let Some(data) = value.get_mut("data").and_then(Value::as_object_mut) {
            data.remove("stats");
        }
        value
    }

    async fn push(&self, body: Value) -> (StatusCode, String) {
        let request = Request::post("/loki/api/v1/push").header("Content-Type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A few lines of two streams, `seconds` ago, with plain labels.
    async fn seeded() -> Loki {
        let loki = Loki::new("limits_config: {discover_service_name: [], discover_log_levels: false}");
        let at = |seconds: i64| (loki.now - seconds * SECOND).to_string();
        let body = json!({"streams": [
            {"stream": {"app": "api", "env": "prod"}, "values": [
                [at(30), "{\"level\":\"info\",\"n\":1}"], [at(20), "{\"level\":\"error\",\"n\":2} <b>"]]},
            {"stream": {"app": "db"}, "values": [[at(10), "level=warn n=3", {"trace_id": "t1"}]]},
        ]});
        assert_eq!(loki.push(body).await, (StatusCode::NO_CONTENT, String::new()));
        loki
    }
}

fn settings(config: &str) -> Settings {
    let config: Config = config::parse("test.yml", config).unwrap();
    Settings { config, config_file: None, verify_only: false, flags: ::flags::Flags::default() }
}

fn encode(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

#[tokio::test]
async fn pushed_lines_come_back() {
    let loki = Loki::seeded().await;
    let at = |seconds: i64| (loki.now - seconds * SECOND).to_string();
    let reply = loki.json(&format!("/loki/api/v1/query_range?query={}", encode("{app=~\".+\"}"))).await;
    assert_eq!(
        reply,
        json!({"status": "success", "data": {"resultType": "streams", "result": [
            {"stream": {"app": "api", "env": "prod"}, "values": [
                [at(20), "{\"level\":\"error\",\"n\":2} <b>"], [at(30), "{\"level\":\"info\",\"n\":1}"]]},
            {"stream": {"app": "db", "trace_id": "t1"}, "values": [[at(10), "level=warn n=3"]]},
        ]}})
    );
    let (_, body) =
        loki.get(&format!("/loki/api/v1/query_range?query={}", encode("{app=\"api\"} |= `<b>`"))).await;
    assert!(body.contains("\\u003cb\\u003e"), "HTML is escaped: {body}");
    let forward =
        format!("/loki/api/v1/query_range?query={}&limit=1&direction=forward", encode("{app=\"api\"}"));
    let reply = loki.json(&forward).await;
    assert_eq!(reply["data"]["result"][0]["values"], json!([[at(30), "{\"level\":\"info\",\"n\":1}"]]));
}

#[tokio::test]
async fn categories_are_a_third_element_when_asked_for() {
    let loki = Loki::seeded().await;
    let request = Request::get(format!("/loki/api/v1/query_range?query={}", encode("{app=\"db\"} | logfmt")))
        .header("X-Loki-Response-Encoding-Flags", "categorize-labels");
    let (_, body) = loki.send(request.body(Body::empty()).unwrap()).await;
    let reply: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(reply["data"]["encodingFlags"], json!(["categorize-labels"]));
    let stream = &reply["data"]["result"][0];
    assert_eq!(stream["stream"], json!({"app": "db"}));
    assert_eq!(
        stream["values"][0][2],
        json!({"structuredMetadata": {"trace_id": "t1"}, "parsed": {"level": "warn", "n": "3"}})
    );
}

#[tokio::test]
async fn metric_queries_answer_with_vectors_and_matrices() {
    let loki = Loki::seeded().await;
    let seconds = loki.now / SECOND + 1;
    let query = encode("sum by (app) (count_over_time({app=~`.+`}[5m]))");
    let reply = loki.json(&format!("/loki/api/v1/query?query={query}&time={seconds}")).await;
    assert_eq!(
        reply["data"],
        json!({"resultType": "vector", "result": [
            {"metric": {"app": "api"}, "value": [seconds, "2"]},
            {"metric": {"app": "db"}, "value": [seconds, "1"]}]})
    );
    let reply = loki.json(&format!("/loki/api/v1/query?query={}&time=1.5", encode("1+1"))).await;
    assert_eq!(reply["data"], json!({"resultType": "scalar", "result": [1.5, "2"]}));
    let (start, end) = (seconds - 60, seconds);
    let path = format!("/loki/api/v1/query_range?query={query}&start={start}&end={end}&step=60");
    let reply = loki.json(&path).await;
    assert_eq!(
        reply["data"],
        json!({"resultType": "matrix", "result": [
            {"metric": {"app": "api"}, "values": [[seconds, "2"]]},
            {"metric": {"app": "db"}, "values": [[seconds, "1"]]}]})
    );
    let (_, body) = loki.get(&path).await;
    let reply: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(reply["data"]["stats"]["summary"]["totalLinesProcessed"], json!(3));
    // A form is as good as a query string.
    let form =
        Request::post("/loki/api/v1/query").header("Content-Type", "application/x-www-form-urlencoded");
    let (status, _) = loki.send(form.body(Body::from(format!("query={query}"))).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn labels_values_and_series() {
    let loki = Loki::seeded().await;
    let check = async |path: &str, expected: Value| assert_eq!(loki.json(path).await, expected, "{path}");
    check("/loki/api/v1/labels", json!({"status": "success", "data": ["app", "env"]})).await;
    check("/loki/api/v1/label/app/values", json!({"status": "success", "data": ["api", "db"]})).await;
    check(
        &format!("/loki/api/v1/label/app/values?query={}", encode("{env=\"prod\"}")),
        json!({"status": "success", "data": ["api"]}),
    )
    .await;
    check("/loki/api/v1/label/none/values", json!({"status": "success"})).await;
    check("/loki/api/v1/labels?start=1&end=2", json!({"status": "success"})).await;
    check(
        &format!("/loki/api/v1/series?match[]={}", encode("{app=\"db\"}")),
        json!({"status": "success", "data": [{"app": "db"}]}),
    )
    .await;
    check(
        "/loki/api/v1/series",
        json!({"status": "success", "data": [{"app": "api", "env": "prod"}, {"app": "db"}]}),
    )
    .await;
    check(
        "/loki/api/v1/detected_labels",
        json!({"detectedLabels": [{"label": "app", "cardinality": 2}, {"label": "env", "cardinality": 1}]}),
    )
    .await;
}

#[tokio::test]
async fn index_figures() {
    let loki = Loki::seeded().await;
    let reply = loki.json(&format!("/loki/api/v1/index/stats?query={}", encode("{app=\"api\"}"))).await;
    assert_eq!(reply, json!({"streams": 1, "chunks": 1, "entries": 2, "bytes": 49}));
    let path =
        |tail: &str| format!("/loki/api/v1/index/volume?query={}&end=1{tail}", encode("{app=~\".+\"}"));
    let end = loki.now / SECOND + 1;
    let path = |tail: &str| path(tail).replace("end=1", &format!("end={end}"));
    let reply = loki.json(&path("")).await;
    assert_eq!(
        reply["data"],
        json!({"resultType": "vector", "result": [
            {"metric": {"app": "api"}, "value": [end, "49"]}, {"metric": {"app": "db"}, "value": [end, "14"]}]})
    );
    let reply = loki.json(&path("&aggregateBy=labels&targetLabels=env")).await;
    assert_eq!(reply["data"]["result"], json!([{"metric": {"env": ""}, "value": [end, "49"]}]));
    let range = path("&step=3600").replace("/volume", "/volume_range");
    let reply = loki.json(&range).await;
    assert_eq!(reply["data"]["result"][0]["metric"], json!({"app": "api"}));
    assert_eq!(reply["data"]["result"][0]["values"][0][1], json!("49"));
}

#[tokio::test]
async fn bad_queries_get_loki_s_words() {
    let loki = Loki::seeded().await;
    let check = async |path: String, status: u16, text: &str| {
        let (got, body) = loki.get(&path).await;
        assert_eq!((got.as_u16(), body.trim_end()), (status, text), "{path}");
    };
    let range = |rest: &str| format!("/loki/api/v1/query_range?query={}&{rest}", encode("{app=\"a\"}"));
    check(
        "/loki/api/v1/query_range?query=%7B".into(),
        400,
        "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }",
    )
    .await;
    check("/loki/api/v1/query_range".into(), 400, "parse error : syntax error: unexpected $end").await;
    check(format!("/loki/api/v1/query?query={}", encode("{app=\"a\"}")), 400,
        "log queries are not supported as an instant query type, please change your query to a range query type").await;
    check(range("start=5&end=5"), 400, "end timestamp must not be before or equal to start time").await;
    check(
        range("step=-1"),
        400,
        "zero or negative query resolution step widths are not accepted. Try a positive integer",
    )
    .await;
    check(range("start=0&end=1000000&step=1"), 400,
        "exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter").await;
    check(range("interval=-1s"), 400, "interval must be >= 0").await;
    check(range("limit=0"), 400, "limit must be a positive value").await;
    check(range("direction=sideways"), 400, "invalid direction 'sideways'").await;
    check(
        range("limit=5001"),
        400,
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
    )
    .await;
    check(
        range("start=0&end=3000000"),
        400,
        "the query time range exceeds the limit (query length: 833h20m0s, limit: 30d1h)",
    )
    .await;
    check(
        format!("/loki/api/v1/series?match[]={}", encode("{app=\"a\"} |= `x`")),
        400,
        "only label matchers are supported",
    )
    .await;
    check(
        format!("/loki/api/v1/tail?query={}&delay_for=6", encode("{app=\"a\"}")),
        400,
        "delay_for can't be greater than 5",
    )
    .await;
    let (status, body) = loki.get("/loki/api/v1/format_query?query=%7B").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["status"], json!("invalid-query"));
    let reply = loki.json(&format!("/loki/api/v1/format_query?query={}", encode("{ a = \"b\" }|=`c`"))).await;
    assert_eq!(reply, json!({"status": "success", "data": "{a=\"b\"} |= \"c\""}));
}

#[tokio::test]
async fn bad_pushes_get_loki_s_words_and_good_entries_stay() {
    let loki = Loki::new("limits_config: {max_line_size: 10B, discover_service_name: []}");
    let now = loki.now;
    let old = now - 8 * 24 * 3600 * SECOND;
    let one = |labels: Value, ts: i64, line: &str| json!({"streams": [{"stream": labels, "values": [[ts.to_string(), line]]}]});
    let check = async |body: Value, status: u16, part: &str| {
        let (got, text) = loki.push(body.clone()).await;
        assert_eq!(got.as_u16(), status, "{body}: {text}");
        assert!(text.contains(part), "{text}");
    };
    check(json!({"streams": []}), 422, "error at least one valid stream is required for ingestion").await;
    check(one(json!({}), now, "x"), 400, "error at least one label pair is required per stream").await;
    check(one(json!({"a": "b"}), now, "a line too long"), 400,
        "max entry size '10' bytes exceeded for stream '{a=\"b\"}' while adding an entry with length '15' bytes").await;
    check(one(json!({"a": "b"}), old, "x"), 400, "entry for stream '{a=\"b\"}' has timestamp too old: ")
        .await;
    check(one(json!({"a": "b"}), now + 3600 * SECOND, "x"), 400, "has timestamp too new: ").await;
    check(one(json!({"a-b": "b"}), now, "x"), 400, "error parsing labels ").await;
    let many: serde_json::Map<String, Value> = (0..16).map(|i| (format!("l{i}"), json!("v"))).collect();
    check(one(Value::Object(many), now, "x"), 400, "has 16 label names; limit 15").await;
    check(one(json!({"a": "v".repeat(3000)}), now, "x"), 400, "has label value too long: ").await;
    check(json!({"streams": [{"stream": {"a": "b"}, "values": [[now, "x"]]}]}), 400, "").await;
    let mixed = json!({"streams": [{"stream": {"a": "kept"}, "values": [
        [now.to_string(), "good"], [now.to_string(), "a line too long"], [now.to_string(), "a line too long"]]}]});
    check(mixed, 400, "2 errors like: max entry size").await;
    let reply = loki.json("/loki/api/v1/label/a/values").await;
    assert_eq!(reply["data"], json!(["kept"]));
    let request =
        Request::post("/loki/api/v1/push").header("Content-Encoding", "br").body(Body::empty()).unwrap();
    let (status, body) = loki.send(request).await;
    assert_eq!((status.as_u16(), body.as_str()), (400, "Content-Encoding \"br\" not supported\n"));
    let (_, metrics) = loki.get("/metrics").await;
    assert!(
        metrics.contains("loki_discarded_samples_total{reason=\"line_too_long\",tenant=\"fake\"} 3"),
        "{metrics}"
    );
    assert!(metrics.contains("loki_distributor_lines_received_total{tenant=\"fake\"} 1"), "{metrics}");
}

#[tokio::test]
async fn protobuf_pushes_get_service_name_and_level() {
    let loki = Loki::new("");
    let entries = [model::LogEntry {
        ts: loki.now - SECOND,
        line: "level=ERROR boom".into(),
        structured_metadata: model::Labels::empty(),
    }];
    let body = wire::loki::encode_proto([("{container=\"web\"}".to_owned(), &entries[..])]).unwrap();
    let request = Request::post("/loki/api/v1/push").header("Content-Type", "application/x-protobuf");
    assert_eq!(loki.send(request.body(Body::from(body)).unwrap()).await.0, StatusCode::NO_CONTENT);
    let reply =
        loki.json(&format!("/loki/api/v1/query_range?query={}", encode("{service_name=\"web\"}"))).await;
    assert_eq!(
        reply["data"]["result"][0]["stream"],
        json!({"container": "web", "detected_level": "error", "service_name": "web"})
    );
    let garbage = Request::post("/loki/api/v1/push").body(Body::from("not snappy")).unwrap();
    assert_eq!(loki.send(garbage).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn limits_of_the_file_hold() {
    let loki = Loki::new("limits_config: {ingestion_rate_mb: 0.0001, ingestion_burst_size_mb: 0.0001}");
    let body =
        json!({"streams": [{"stream": {"a": "b"}, "values": [[loki.now.to_string(), "x".repeat(1000)]]}]});
    let (status, text) = loki.push(body).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(text.starts_with("ingestion rate limit exceeded for user fake (limit: 104 bytes/sec)"), "{text}");
    let loki = Loki::new("limits_config: {required_labels: [app], max_query_range: 1h}");
    let (status, text) = loki.get(&format!("/loki/api/v1/query_range?query={}", encode("{a=\"b\"}"))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("stream selector is missing required matchers [app]"), "{text}");
    let (_, text) =
        loki.get(&format!("/loki/api/v1/query?query={}", encode("count_over_time({app=\"b\"}[2h])"))).await;
    assert_eq!(text, "[interval] value exceeds limit: [2h] > [1h]\n");
}

#[tokio::test]
async fn operators_endpoints() {
    let loki = Loki::new("");
    let check = async |path: &str, status: u16, part: &str| {
        let (got, body) = loki.get(path).await;
        assert!(got.as_u16() == status && body.contains(part), "{path}: {got} {body}");
    };
    check("/ready", 200, "ready").await;
    check("/config", 200, "max_query_series: 500").await;
    check("/services", 200, "Running").await;
    check("/loki/api/v1/status/buildinfo", 200, "\"version\"").await;
    check("/log_level", 200, "Current log level is info").await;
    check("/flush", 204, "").await;
    check("/metrics", 200, "loki_request_duration_seconds_bucket").await;
    check("/loki/api/v1/unknown", 404, "404 page not found\n").await;
}

#[tokio::test]
async fn a_reload_applies_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("loki.yml");
    let write = |limits: &str| {
        let head = "server: {http_listen_address: 127.0.0.1, http_listen_port: 0}\n";
        let tail = "compactor: {retention_enabled: true, delete_request_store: filesystem}\n";
        std::fs::write(&file, format!("{head}{tail}limits_config: {limits}\n")).unwrap();
    };
    write("{max_query_series: 7, retention_period: 24h}");
    let args = vec![format!("-config.file={}", file.display())];
    let flags = ::flags::Flags::parse("loki", crate::FLAGS, &args).unwrap();
    let settings = Settings::from_flags(&flags).unwrap();
    assert_eq!(settings.config.storage_needs().retention_ms, 24 * 3_600_000);
    let told: Arc<std::sync::Mutex<Vec<i64>>> = Arc::default();
    let heard = told.clone();
    let parts = crate::Parts {
        store: Arc::new(MemoryStore::new()),
        reconfigure_store: Arc::new(move |needs| heard.lock().unwrap().push(needs.retention_ms)),
    };
    let host = Host::detached();
    let running = crate::start(settings, parts, &host).await.unwrap();
    write("{max_query_series: 8, retention_period: 48h}");
    running.reload().await.unwrap();
    write("{max_query_serie: 9}");
    let error = running.reload().await.unwrap_err();
    assert!(error.contains("loki.yml:3:") && error.contains("max_query_serie"), "{error}");
    assert_eq!(*told.lock().unwrap(), [48 * 3_600_000]);
    host.shutdown.cancel();
    running.stop().await;
}

mod tail {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// As much of a websocket client as reading text frames takes.
    struct Client {
        stream: TcpStream,
        buffer: Vec<u8>,
    }

    impl Client {
        async fn connect(address: std::net::SocketAddr, path: &str) -> Client {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut client = Client { stream, buffer: Vec::new() };
            loop {
                if let Some(at) = client.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                    assert!(
                        client.buffer.starts_with(b"HTTP/1.1 101"),
                        "{:?}",
                        String::from_utf8_lossy(&client.buffer)
                    );
                    client.buffer.drain(..at + 4);
                    return client;
                }
                client.fill().await;
            }
        }

        async fn fill(&mut self) {
            let mut chunk = [0u8; 4096];
            let n = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut chunk))
                .await
                .unwrap()
                .unwrap();
            assert!(n > 0, "the server closed the connection");
            self.buffer.extend_from_slice(&chunk[..n]);
        }

        /// Opcode and payload of the next frame that is not a ping.
        async fn frame(&mut self) -> (u8, Vec<u8>) {
            tokio::time::timeout(Duration::from_secs(20), self.next_frame()).await.expect("a frame in time")
        }

        async fn next_frame(&mut self) -> (u8, Vec<u8>) {
            loop {
                let (opcode, short) = match self.buffer.as_slice() {
                    [first, second, ..] => (first & 0x0f, usize::from(second & 0x7f)),
                    _ => {
                        self.fill().await;
                        continue;
                    }
                };
                let (head, length) = match (short, self.buffer.as_slice()) {
                    (126, [_, _, a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
                    (126, _) => (usize::MAX, 0),
                    (n, _) => (2, n),
                };
                if head == usize::MAX || self.buffer.len() < head + length {
                    self.fill().await;
                    continue;
                }
                let payload = self.buffer[head..head + length].to_vec();
                self.buffer.drain(..head + length);
                if opcode != 9 {
                    return (opcode, payload);
                }
            }
        }

        async fn json(&mut self) -> Value {
            let (opcode, payload) = self.frame().await;
            assert_eq!(opcode, 1, "{:?}", String::from_utf8_lossy(&payload));
            serde_json::from_slice(&payload).unwrap()
        }
    }

    async fn serve(config: &str) -> (Arc<MemoryStore>, front::Running, Host) {
        let store = Arc::new(MemoryStore::new());
        let config = format!("server: {{http_listen_address: 127.0.0.1, http_listen_port: 0}}\n{config}");
        let parts = crate::Parts { store: store.clone(), reconfigure_store: Arc::new(|_| {}) };
        let host = Host::detached();
        let running = crate::start(settings(&config), parts, &host).await.unwrap();
        (store, running, host)
    }

    fn now() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_nanos()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn history_then_news_through_the_pipeline() {
        let (store, running, host) = serve("").await;
        let at = now();
        store.add(&[("app", "a")], &[(at - 2 * SECOND, "n=1"), (at - SECOND, "n=2 keep")]);
        let path = format!("/loki/api/v1/tail?query={}", encode("{app=\"a\"} |= `keep` | logfmt"));
        let mut client = Client::connect(running.addresses[0], &path).await;
        let history = client.json().await;
        assert_eq!(
            history,
            json!({"streams": [{"stream": {"app": "a", "n": "2"}, "values": [[(at - SECOND).to_string(), "n=2 keep"]]}]})
        );
        store.add(&[("app", "b")], &[(at, "keep but of another stream")]);
        store.add(&[("app", "a")], &[(at, "n=3 lost"), (at, "n=4 keep")]);
        let news = client.json().await;
        assert_eq!(
            news,
            json!({"streams": [{"stream": {"app": "a", "n": "4"}, "values": [[at.to_string(), "n=4 keep"]]}]})
        );
        host.shutdown.cancel();
        let (opcode, _) = client.frame().await;
        assert_eq!(opcode, 8, "the server says goodbye");
        running.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_tail_too_many_is_closed_with_the_limit() {
        let (_store, running, host) = serve("limits_config: {max_concurrent_tail_requests: 1}").await;
        let path = format!("/loki/api/v1/tail?query={}", encode("{app=\"a\"}"));
        let mut first = Client::connect(running.addresses[0], &path).await;
        // The first is counted once it answers: its first frame is a ping, so wait for a byte.
        first.fill().await;
        let mut second = Client::connect(running.addresses[0], &path).await;
        let (opcode, payload) = second.frame().await;
        assert_eq!(opcode, 8);
        assert_eq!(payload[..2], 1011u16.to_be_bytes());
        assert_eq!(
            String::from_utf8_lossy(&payload[2..]),
            "max concurrent tail requests limit exceeded, count > limit (2 > 1)"
        );
        host.shutdown.cancel();
        running.stop().await;
    }
}

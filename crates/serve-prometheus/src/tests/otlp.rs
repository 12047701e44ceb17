//! OpenTelemetry's metrics from outside: what is sent as JSON, and the series it becomes.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::messages::{bytes, double, varint};
use super::{Fixture, T, fixture};

const ON: &[&str] = &["--web.enable-otlp-receiver"];
const NANOS: i64 = T * 1_000_000;

async fn send(f: &Fixture, kind: &str, body: Vec<u8>) -> (u16, String) {
    let request =
        Request::post("/api/v1/otlp/v1/metrics").header("content-type", kind).body(Body::from(body));
    let (status, text) = f.call(request.unwrap()).await;
    (status.as_u16(), text)
}

/// One metric of a resource `shop/cart` at `host-1`.
fn request(metric: Value) -> Vec<u8> {
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"resourceMetrics": [{
        "resource": {"attributes": [
            text("service.name", "cart"),
            text("service.namespace", "shop"),
            text("service.instance.id", "host-1"),
            text("os.type", "linux"),
        ]},
        "scopeMetrics": [{"scope": {"name": "lib", "version": "1"}, "metrics": [metric]}],
    }]})
    .to_string()
    .into_bytes()
}

/// All series of this resource but `target_info`, as text with their values.
async fn stored(f: &Fixture) -> Vec<String> {
    let query = "%7Bjob=%22shop/cart%22,__name__!=%22target_info%22%7D";
    let (_, found) = f.get(&format!("/api/v1/query?query={query}&time={}", T / 1000)).await;
    let shown = |item: &Value| {
        let labels = item["metric"].as_object().unwrap().iter();
        let labels = labels.filter(|(name, _)| !["job", "instance", "__name__"].contains(&name.as_str()));
        let labels: Vec<String> = labels.map(|(n, v)| format!("{n}={}", v.as_str().unwrap())).collect();
        let value = match &item["value"][1] {
            Value::String(v) => v.clone(),
            _ => format!("{} {}", item["histogram"][1]["count"], item["histogram"][1]["buckets"]),
        };
        format!("{}{{{}}} {value}", item["metric"]["__name__"].as_str().unwrap(), labels.join(","))
    };
    found["data"]["result"].as_array().unwrap().iter().map(shown).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_metric() {
    let t = NANOS.to_string();
    let point = |more: Value| {
        let mut point = json!({"timeUnixNano": t, "attributes": [{"key": "http.method", "value": {"stringValue": "GET"}}]});
        point.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([point])
    };
    let cases: &[(Value, &[&str])] = &[
        (
            json!({"name": "cpu.use", "unit": "1", "gauge": {"dataPoints": point(json!({"asDouble": 0.5}))}}),
            &["cpu_use_ratio{http_method=GET} 0.5"],
        ),
        (
            json!({"name": "requests", "sum": {"isMonotonic": true, "aggregationTemporality": 2, "dataPoints": point(json!({"asInt": "7"}))}}),
            &["requests_total{http_method=GET} 7"],
        ),
        (
            json!({"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                "dataPoints": point(json!({"count": "6", "sum": 4.5, "bucketCounts": ["1", "2", "3"], "explicitBounds": [0.5, 1]}))}}),
            &[
                "latency_seconds_bucket{http_method=GET,le=+Inf} 6",
                "latency_seconds_bucket{http_method=GET,le=0.5} 1",
                "latency_seconds_bucket{http_method=GET,le=1} 3",
                "latency_seconds_count{http_method=GET} 6",
                "latency_seconds_sum{http_method=GET} 4.5",
            ],
        ),
        (
            json!({"name": "sizes", "exponentialHistogram": {"aggregationTemporality": 2,
                "dataPoints": point(json!({"count": 3, "sum": 4, "scale": 0, "positive": {"offset": 0, "bucketCounts": [1, 2]}}))}}),
            &[r#"sizes{http_method=GET} "3" [[0,"1","2","1"],[0,"2","4","2"]]"#],
        ),
        (
            json!({"name": "rpc", "summary": {"dataPoints": point(json!({"count": 2, "sum": 3, "quantileValues": [{"quantile": 0.5, "value": 1.5}]}))}}),
            &[
                "rpc_count{http_method=GET} 2",
                "rpc_sum{http_method=GET} 3",
                "rpc{http_method=GET,quantile=0.5} 1.5",
            ],
        ),
        (
            json!({"name": "delta", "sum": {"aggregationTemporality": 1, "dataPoints": point(json!({"asInt": 1}))}}),
            &[],
        ),
        (json!({"name": "empty", "gauge": {"dataPoints": []}}), &[]),
        (json!({"name": "nothing"}), &[]),
    ];
    for (metric, expected) in cases {
        let f = fixture(ON).await;
        assert_eq!(send(&f, "application/json", request(metric.clone())).await, (200, String::new()));
        let mut found = stored(&f).await;
        found.sort();
        assert_eq!(found, *expected, "{metric}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resource_becomes_target_info() {
    let f = fixture(ON).await;
    let points = json!([{"timeUnixNano": NANOS, "asInt": 1}, {"timeUnixNano": NANOS + 400_000_000_000i64, "asInt": 2}]);
    let metric = json!({"name": "up_time", "gauge": {"dataPoints": points}});
    assert_eq!(send(&f, "application/json", request(metric)).await.0, 200);
    let (_, found) = f.get(&format!("/api/v1/query?query=target_info[10m]&time={}", T / 1000 + 500)).await;
    let series = &found["data"]["result"][0];
    let labels =
        json!({"__name__": "target_info", "instance": "host-1", "job": "shop/cart", "os_type": "linux"});
    assert_eq!(series["metric"], labels);
    let times: Vec<i64> =
        series["values"].as_array().unwrap().iter().map(|v| v[0].as_i64().unwrap() - T / 1000).collect();
    assert_eq!(times, [0, 150, 300, 400]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn protobuf_and_refusals() {
    let off = fixture(&[]).await;
    let disabled = "otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n";
    assert_eq!(send(&off, "application/json", b"{}".to_vec()).await, (404, disabled.to_owned()));

    let f = fixture(ON).await;
    let time = [&varint(3 << 3 | 1)[..], &NANOS.to_le_bytes()].concat();
    let point = bytes(1, [time, double(4, 2.5)].concat());
    let metric = bytes(2, [bytes(1, "plain"), bytes(5, point)].concat());
    let name = bytes(1, [bytes(1, "service.name"), bytes(2, bytes(1, "shop/cart"))].concat());
    let message = bytes(1, [bytes(1, name), bytes(2, metric)].concat());
    assert_eq!(send(&f, "application/x-protobuf", message.clone()).await, (200, String::new()));
    assert_eq!(stored(&f).await, ["plain{} 2.5"]);
    for end in 1..message.len() {
        let (status, text) = send(&f, "application/x-protobuf", message[..end].to_vec()).await;
        assert!(status == 400 && !text.is_empty(), "{end}: {status} {text}");
    }
    let unsupported =
        "unsupported content type: text/plain, supported: [application/json, application/x-protobuf]\n";
    assert_eq!(send(&f, "text/plain", message).await, (400, unsupported.to_owned()));
    for body in ["", "[]", "{", r#"{"resourceMetrics": 1}"#] {
        assert_eq!(send(&f, "application/json", body.into()).await.0, 400, "{body}");
    }
    // The whole range of time, and counts that wrap around.
    let far = json!({"name": "far", "histogram": {"aggregationTemporality": 2, "dataPoints": [
        {"timeUnixNano": "0", "count": u64::MAX.to_string(), "bucketCounts": [u64::MAX, 2], "explicitBounds": [1]},
        {"timeUnixNano": u64::MAX.to_string(), "count": 1}]}});
    assert_eq!(send(&f, "application/json", request(far)).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deltas_are_added_up_when_asked_for() {
    let f = fixture(&["--web.enable-otlp-receiver", "--enable-feature=otlp-deltatocumulative"]).await;
    for (seconds, value) in [(20, 1), (10, 2), (10, 50), (0, 4)] {
        let (start, time) = (NANOS - (seconds + 10) * 1_000_000_000, NANOS - seconds * 1_000_000_000);
        let metric = json!({"name": "jobs", "sum": {"isMonotonic": true, "aggregationTemporality": 1, "dataPoints": [
            {"startTimeUnixNano": start.to_string(), "timeUnixNano": time.to_string(), "asInt": value}
        ]}});
        assert_eq!(send(&f, "application/json", request(metric)).await, (200, String::new()));
    }
    assert_eq!(stored(&f).await, ["jobs_total{} 7"], "what came twice counts once");
}

//! Remote write 2.0 from outside.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::messages::{bytes, double, snappy, uint, varint};
use super::{Fixture, T, fixture};

const ON: &[&str] = &["--web.enable-remote-write-receiver"];
const TYPE: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const SYMBOLS: &[&str] = &["", "__name__", "m", "a", "b", "trace_id", "xyz", "help", "seconds"];

fn refs(list: &[u64]) -> Vec<u8> {
    bytes(1, list.iter().flat_map(|n| varint(*n)).collect::<Vec<u8>>())
}

fn sample(t: i64, value: f64) -> Vec<u8> {
    bytes(2, [double(1, value), uint(2, t as u64)].concat())
}

fn exemplar(t: i64) -> Vec<u8> {
    bytes(4, [refs(&[5, 6]), double(2, 0.25), uint(3, t as u64)].concat())
}

/// An integer histogram of `count` observations, all in one bucket.
fn histogram(t: i64, count: u64, in_buckets: u64) -> Vec<u8> {
    let span = bytes(11, [uint(1, 0), uint(2, 1)].concat());
    let deltas = bytes(12, varint(in_buckets << 1));
    bytes(3, [uint(1, count), double(3, 9.5), uint(4, 0), span, deltas, uint(15, t as u64)].concat())
}

fn request(series: &[Vec<u8>]) -> Vec<u8> {
    let symbols: Vec<u8> = SYMBOLS.iter().flat_map(|s| bytes(4, s)).collect();
    let series: Vec<u8> = series.iter().flat_map(|s| bytes(5, s)).collect();
    // Symbols may come last.
    [series, symbols].concat()
}

/// Status, text, and the three counts.
async fn send(f: &Fixture, message: &[u8]) -> (u16, String, [String; 3]) {
    let request =
        Request::post("/api/v1/write").header("content-type", TYPE).body(Body::from(snappy(message)));
    let reply = tower::ServiceExt::oneshot(f.router.clone(), request.unwrap()).await.unwrap();
    let counts = ["samples", "histograms", "exemplars"].map(|kind| {
        let name = format!("x-prometheus-remote-write-{kind}-written");
        reply.headers().get(&name).map_or("none", |v| v.to_str().unwrap()).to_owned()
    });
    let status = reply.status().as_u16();
    let body = axum::body::to_bytes(reply.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap(), counts)
}

async fn result(f: &Fixture, query: &str) -> serde_json::Value {
    f.get(&format!("/api/v1/query?query={query}&time={}", T / 1000 + 60)).await.1["data"]["result"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_histograms_and_exemplars_are_counted() {
    let f = fixture(ON).await;
    let metadata = bytes(5, [uint(1, 1), uint(3, 7), uint(4, 8)].concat());
    let series = [
        [refs(&[1, 2, 3, 4]), sample(T, 1.0), sample(T + 1000, 2.0), exemplar(T), metadata].concat(),
        [refs(&[1, 2, 3, 6]), histogram(T, 3, 3)].concat(),
    ];
    let (status, text, counts) = send(&f, &request(&series)).await;
    assert_eq!((status, text.as_str(), counts), (204, "", ["2", "1", "1"].map(str::to_owned)));
    assert_eq!(
        result(&f, "m[5m]").await[0],
        json!({"metric": {"__name__": "m", "a": "b"}, "values": [[T / 1000, "1"], [T / 1000 + 1, "2"]]})
    );
    assert_eq!(result(&f, "histogram_count(m)").await[0]["value"][1], "3");
    let (_, found) =
        f.get(&format!("/api/v1/query_exemplars?query=m&start={}&end={}", T / 1000 - 1, T / 1000 + 9)).await;
    assert_eq!(found["data"][0]["exemplars"][0]["labels"], json!({"trace_id": "xyz"}));
    let (_, metrics) = f.call(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let counted = "prometheus_api_remote_write_without_metadata_appended_samples_total 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_is_named_and_the_rest_is_stored() {
    let f = fixture(ON).await;
    let good = [refs(&[1, 2]), sample(T, 1.0)].concat();
    let cases: &[(Vec<u8>, &str)] = &[
        (
            [refs(&[1, 2, 3]), sample(T, 1.0)].concat(),
            "parsing labels for series [1 2 3]: invalid labelRefs length 3",
        ),
        (
            [refs(&[1, 999]), sample(T, 1.0)].concat(),
            "parsing labels for series [1 999]: labelRefs 1 (name) = 999 (value) outside of symbols table (size 9)",
        ),
        ([refs(&[3, 4]), sample(T, 1.0)].concat(), r#"invalid metric name or labels, got {a="b"}"#),
        (
            [refs(&[1, 2, 3, 4, 3, 4]), sample(T, 1.0)].concat(),
            r#"invalid labels for series, labels {__name__="m", a="b", a="b"}, duplicated label a"#,
        ),
        (
            [refs(&[1, 2]), exemplar(T)].concat(),
            r#"TimeSeries must contain at least one sample or histogram for series {__name__="m"}"#,
        ),
        (
            [refs(&[1, 2]), sample(T, 1.0), histogram(T, 1, 1)].concat(),
            r#"TimeSeries must contain either samples or histograms for series {__name__="m"} not both"#,
        ),
        (
            [refs(&[1, 4]), sample(T, 1.0), sample(T - 1, 1.0)].concat(),
            r#"out of order sample for series {__name__="b"}"#,
        ),
        (
            [refs(&[1, 6]), histogram(T, 1, 2)].concat(),
            r#"2 observations found in buckets, but the Count field is 1: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN) for series {__name__="xyz"}"#,
        ),
        (
            [refs(&[1, 8]), sample(i64::MAX, 1.0)].concat(),
            r#"out of bounds: timestamp is too far in the future for series {__name__="seconds"}"#,
        ),
    ];
    for (bad, expected) in cases {
        let (status, text, counts) = send(&f, &request(&[bad.clone(), good.clone()])).await;
        assert_eq!((status, text), (400, format!("{expected}\n")));
        let written: u64 = counts[0].parse().unwrap();
        assert!(written >= 1, "{expected}: {counts:?}");
    }
    let all: Vec<Vec<u8>> = cases.iter().map(|(bad, _)| bad.clone()).collect();
    let (_, text, _) = send(&f, &request(&all)).await;
    assert_eq!(text.lines().count(), cases.len(), "{text}");
    assert_eq!(result(&f, "m").await[0]["value"][1], "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_refused() {
    let f = fixture(ON).await;
    let message = request(&[[refs(&[1, 2, 3, 4]), sample(T, 1.0), exemplar(T), histogram(T, 1, 1)].concat()]);
    for end in 1..message.len() {
        let (status, _, counts) = send(&f, &message[..end]).await;
        assert!(status == 400 || counts[0] == "0", "{end}: {status}");
    }
    let only_v1 = [
        "--web.enable-remote-write-receiver",
        "--web.remote-write-receiver.accepted-protobuf-messages=prometheus.WriteRequest",
    ];
    let f = fixture(&only_v1).await;
    let (status, text, _) = send(&f, &message).await;
    let expected = "io.prometheus.write.v2.Request protobuf message is not accepted by this server; only accepts prometheus.WriteRequest\n";
    assert_eq!((status, text.as_str()), (415, expected));
}

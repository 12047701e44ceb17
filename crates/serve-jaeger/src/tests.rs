//! The routers from outside, over a small store in memory.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use model::TimestampNs;
use model::span::{Span, SpanKind, TraceId};
use serde_json::{Value, json};
use storage::traces::{Operation, ServiceEdge, TraceQuery};
use storage::{StoreError, TraceStore};
use tower::ServiceExt;

use crate::{api, ingest, routes};

/// Just enough of a store for the door: real search is the store's own business.
#[derive(Default)]
struct Memory(Mutex<Vec<Span>>);

impl TraceStore for Memory {
    fn push(&self, spans: Vec<Span>) -> Result<(), StoreError> {
        self.0.lock().unwrap().extend(spans);
        Ok(())
    }

    fn trace(
        &self,
        id: TraceId,
        _: Option<TimestampNs>,
        _: Option<TimestampNs>,
    ) -> Result<Vec<Span>, StoreError> {
        Ok(self.0.lock().unwrap().iter().filter(|s| s.trace_id == id).cloned().collect())
    }

    fn find(&self, query: &TraceQuery) -> Result<Vec<TraceId>, StoreError> {
        let spans = self.0.lock().unwrap();
        let wanted =
            spans.iter().filter(|s| query.service.as_ref().is_none_or(|name| *name == s.resource.service));
        let mut ids: Vec<TraceId> = wanted.map(|s| s.trace_id).collect();
        ids.dedup();
        Ok(ids)
    }

    fn services(&self) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> =
            self.0.lock().unwrap().iter().map(|s| s.resource.service.clone()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn operations(&self, service: &str, kind: Option<SpanKind>) -> Result<Vec<Operation>, StoreError> {
        let spans = self.0.lock().unwrap();
        let wanted =
            spans.iter().filter(|s| s.resource.service == service && kind.is_none_or(|k| k == s.kind));
        Ok(wanted.map(|s| Operation { name: s.name.clone(), kind_number: s.kind.number() }).collect())
    }

    fn edges(&self, _: TimestampNs, _: TimestampNs) -> Result<Vec<ServiceEdge>, StoreError> {
        Ok(vec![ServiceEdge { parent: "a".into(), child: "b".into(), calls: 3 }])
    }
}

struct Fixture {
    query: Router,
    otlp: Router,
}

fn fixture() -> Fixture {
    let store: Arc<dyn TraceStore> = Arc::new(Memory::default());
    let host = front::Host::detached();
    let pool = front::Pool::new("jaeger", 2, 16);
    let ingest = ingest::Ingest::new(store.clone(), pool.clone(), &host.registry);
    Fixture { query: routes::query(api::Api { store, queries: pool, host }), otlp: routes::otlp(ingest) }
}

async fn call(router: &Router, request: Request<Body>) -> (StatusCode, String, Vec<u8>) {
    let reply = router.clone().oneshot(request).await.unwrap();
    let kind = reply.headers().get(header::CONTENT_TYPE).map_or("", |v| v.to_str().unwrap()).to_owned();
    let status = reply.status();
    (status, kind, axum::body::to_bytes(reply.into_body(), 1 << 24).await.unwrap().to_vec())
}

impl Fixture {
    async fn get(&self, path: &str) -> (StatusCode, String, Value) {
        let (status, kind, body) = call(&self.query, Request::get(path).body(Body::empty()).unwrap()).await;
        (status, kind, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn post(&self, kind: &str, body: Vec<u8>) -> (StatusCode, String, Vec<u8>) {
        let request =
            Request::post("/v1/traces").header(header::CONTENT_TYPE, kind).body(Body::from(body)).unwrap();
        call(&self.otlp, request).await
    }
}

fn export() -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}},
                                    {"key": "host", "value": {"stringValue": "h1"}}]},
        "scopeSpans": [{"scope": {"name": "lib"}, "spans": [
            {"traceId": "000000000000000000000000000000ab", "spanId": "0000000000000001", "name": "GET /",
             "kind": 2, "startTimeUnixNano": "1000000", "endTimeUnixNano": "3500000",
             "attributes": [{"key": "big", "value": {"intValue": "9007199254740993"}},
                            {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": true}]}}}],
             "events": [{"timeUnixNano": "2000000", "name": "hit"}],
             "links": [{"traceId": "000000000000000000000000000000cd", "spanId": "0000000000000009"}],
             "status": {"code": 2, "message": "boom"}},
            {"traceId": "", "spanId": ""}]}]}]})
}

#[tokio::test]
async fn a_pushed_span_is_read_back_in_jaegers_form() {
    let f = fixture();
    let (status, kind, body) = f.post("application/json", export().to_string().into_bytes()).await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "application/json"));
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedSpans"], "1");

    let (status, _, body) = f.get("/api/traces/ab").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "traceID": "00000000000000ab", "spanID": "0000000000000001", "operationName": "GET /",
        "references": [{"refType": "FOLLOWS_FROM", "traceID": "00000000000000cd", "spanID": "0000000000000009"}],
        "startTime": 1000, "duration": 2500,
        "tags": [
            {"key": "otel.scope.name", "type": "string", "value": "lib"},
            {"key": "big", "type": "int64", "value": "9007199254740993"},
            {"key": "list", "type": "string", "value": "[true]"},
            {"key": "span.kind", "type": "string", "value": "server"},
            {"key": "otel.status_code", "type": "string", "value": "ERROR"},
            {"key": "otel.status_description", "type": "string", "value": "boom"},
            {"key": "error", "type": "bool", "value": true}],
        "logs": [{"timestamp": 2000, "fields": [{"key": "event", "type": "string", "value": "hit"}]}],
        "processID": "p1", "warnings": null,
    });
    assert_eq!(body["data"][0]["spans"][0], expected);
    let process = json!({"serviceName": "shop", "tags": [{"key": "host", "type": "string", "value": "h1"}]});
    assert_eq!(body["data"][0]["processes"], json!({"p1": process}));
    assert_eq!((&body["total"], &body["errors"]), (&json!(0), &Value::Null));

    assert_eq!(f.get("/api/services").await.2["data"], json!(["shop"]));
    assert_eq!(f.get("/api/services").await.2["total"], 1);
    assert_eq!(f.get("/api/services/shop/operations").await.2["data"], json!(["GET /"]));
    let operations = f.get("/api/operations?service=shop&spanKind=server").await.2;
    assert_eq!(operations["data"], json!([{"name": "GET /", "spanKind": "server"}]));
    assert_eq!(f.get("/api/v3/operations?service=shop").await.2["operations"][0]["spanKind"], "server");
    assert_eq!(f.get("/api/traces?service=shop").await.2["data"].as_array().unwrap().len(), 1);
    assert_eq!(f.get("/api/traces?service=none").await.2["data"], json!([]));
    assert_eq!(f.get("/api/dependencies").await.2["data"][0]["callCount"], 3);
}

#[tokio::test]
async fn refusals_have_the_originals_form() {
    let f = fixture();
    let check = async |path: &str, code: u16, message: &str| {
        let (status, kind, body) = f.get(path).await;
        assert_eq!((status.as_u16(), kind.as_str()), (code, "text/plain; charset=utf-8"), "{path}");
        let got = body["errors"][0]["msg"].as_str().unwrap();
        assert!(got.contains(message), "{path}: {got}");
    };
    check("/api/traces/ff", 404, "trace not found").await;
    check("/api/traces/xyz", 400, "unable to parse param 'traceID'").await;
    check("/api/operations", 400, "parameter 'service' is required").await;
    check("/api/traces?start=x", 400, "unable to parse param 'start'").await;
    check("/api/traces?minDuration=2s&maxDuration=1s", 400, "'maxDuration' should be greater than").await;
    check("/api/traces?tag=novalue", 400, "malformed 'tag' parameter").await;
    check("/api/traces?tags=%7B", 400, "malformed 'tags' parameter").await;
    check("/api/traces?limit=many", 400, "invalid syntax").await;
    assert_eq!(f.get("/api/nothing").await.0, StatusCode::NOT_FOUND);
    let missing = f.get("/api/traces?traceID=ff").await;
    assert_eq!((missing.0, &missing.2["errors"][0]["msg"]), (StatusCode::OK, &json!("trace not found")));
}

#[tokio::test]
async fn bad_pushes_are_refused_in_the_senders_encoding() {
    let f = fixture();
    let (status, kind, body) = f.post("application/x-protobuf", vec![0x0b]).await;
    assert_eq!((status, kind.as_str()), (StatusCode::BAD_REQUEST, "application/x-protobuf"));
    assert_eq!(&body[..2], [0x08, 3], "google.rpc.Status with INVALID_ARGUMENT");
    let (status, _, body) = f.post("application/json", b"{".to_vec()).await;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["code"]), (StatusCode::BAD_REQUEST, &json!(3)));
    assert_eq!(f.post("text/plain", vec![]).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let huge = vec![b' '; ingest::MESSAGE_BYTES_MAX + 1];
    assert_eq!(f.post("application/json", huge).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let empty = f.post("application/x-protobuf", vec![]).await;
    assert_eq!((empty.0, empty.2), (StatusCode::OK, vec![]));
}

#[test]
fn the_originals_transform_pair() {
    let dir =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/jaeger/transform");
    let read = |name: &str| std::fs::read(dir.join(name));
    let (Ok(input), Ok(output)) = (read("otlp2jaeger-in.json"), read("otlp2jaeger-out.json")) else {
        println!("skipped: {} is not there", dir.display());
        return;
    };
    let spans = wire::otlp::decode_traces_json(&input).unwrap().spans;
    let expected: Value = serde_json::from_slice(&output).unwrap();
    let got = serde_json::to_value(crate::model::trace(spans[0].trace_id, &spans)).unwrap();
    assert_eq!(got, expected["data"][0]);
}

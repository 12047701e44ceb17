//! Jaeger's own integration queries over its own traces, where they are at hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::span::{AttributeValue, Attributes, Resource, Scope, Span, SpanEvent, SpanId, SpanKind};
use model::span::{SpanLink, StatusCode, TraceId};
use serde_json::Value;
use storage::TraceStore;
use storage::traces::TraceQuery;

use super::{World, settings};

const DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/conformance/jaeger/integration");

fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// OTLP JSON writes 64-bit numbers as texts, and some writers as numbers.
fn number(value: &Value) -> i64 {
    value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0)
}

fn attribute(value: &Value) -> AttributeValue {
    let Some((kind, inner)) = value.as_object().and_then(|object| object.iter().next()) else {
        return AttributeValue::Empty;
    };
    match kind.as_str() {
        "stringValue" => AttributeValue::String(text(inner)),
        "boolValue" => AttributeValue::Bool(inner.as_bool().unwrap()),
        "intValue" => AttributeValue::Int(number(inner)),
        "doubleValue" => AttributeValue::Double(inner.as_f64().unwrap()),
        "bytesValue" => AttributeValue::Bytes(text(inner).into_bytes()),
        other => panic!("fixture has a {other}"),
    }
}

fn attributes(value: &Value) -> Attributes {
    items(value).iter().map(|pair| (text(&pair["key"]), attribute(&pair["value"]))).collect()
}

fn spans(file: &Value) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in items(&file["resourceSpans"]) {
        let mut resource = attributes(&resource_spans["resource"]["attributes"]);
        let mut service = String::new();
        resource.retain(|(key, value)| match value {
            AttributeValue::String(name) if key == "service.name" => {
                service.clone_from(name);
                false
            }
            _ => true,
        });
        let resource = Arc::new(Resource { service, attributes: resource });
        for scope_spans in items(&resource_spans["scopeSpans"]) {
            let scope = &scope_spans["scope"];
            let scope = Arc::new(Scope {
                name: text(&scope["name"]),
                version: text(&scope["version"]),
                attributes: attributes(&scope["attributes"]),
            });
            for span in items(&scope_spans["spans"]) {
                spans.push(one_span(span, resource.clone(), scope.clone()));
            }
        }
    }
    spans
}

fn one_span(span: &Value, resource: Arc<Resource>, scope: Arc<Scope>) -> Span {
    let id = |value: &Value| SpanId::from_hex(&text(value)).unwrap_or_default();
    let start = number(&span["startTimeUnixNano"]);
    let event = |event: &Value| SpanEvent {
        time: number(&event["timeUnixNano"]),
        name: text(&event["name"]),
        attributes: attributes(&event["attributes"]),
    };
    let link = |link: &Value| SpanLink {
        trace_id: TraceId::from_hex(&text(&link["traceId"])).unwrap_or_default(),
        span_id: id(&link["spanId"]),
        attributes: attributes(&link["attributes"]),
        ..SpanLink::default()
    };
    Span {
        trace_id: TraceId::from_hex(&text(&span["traceId"])).unwrap(),
        span_id: id(&span["spanId"]),
        parent_span_id: id(&span["parentSpanId"]),
        name: text(&span["name"]),
        kind: SpanKind::from_number(number(&span["kind"]) as i32),
        start,
        duration_ns: (number(&span["endTimeUnixNano"]) - start) as u64,
        status: match number(&span["status"]["code"]) {
            1 => StatusCode::Ok,
            2 => StatusCode::Error,
            _ => StatusCode::Unset,
        },
        attributes: attributes(&span["attributes"]),
        events: items(&span["events"]).iter().map(event).collect(),
        links: items(&span["links"]).iter().map(link).collect(),
        resource,
        scope,
        ..Span::default()
    }
}

/// Seconds and fraction of an RFC 3339 time in UTC on one of the fixtures' days.
fn time(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap();
    let date: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
    assert_eq!(date[..2], [2017, 1], "fixtures are from January 2017: {text}");
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let clock: Vec<i64> = clock.split(':').map(|part| part.parse().unwrap()).collect();
    let nanos: i64 = format!("{fraction:0<9}").parse().unwrap();
    // 2017-01-01 was day 17167 of the epoch.
    let seconds = (17_166 + date[2]) * 86_400 + clock[0] * 3_600 + clock[1] * 60 + clock[2];
    seconds * 1_000_000_000 + nanos
}

fn query(value: &Value) -> TraceQuery {
    let filled = |value: &Value| Some(text(value)).filter(|text| !text.is_empty());
    let duration = |value: &Value| match number(value) {
        0 => None,
        nanos => Some(Duration::from_nanos(nanos as u64)),
    };
    let tags = value["Tags"].as_object().into_iter().flatten().map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        (key.clone(), text)
    });
    TraceQuery {
        service: filled(&value["ServiceName"]),
        operation: filled(&value["OperationName"]),
        tags: tags.collect(),
        start_min: time(&value["StartTimeMin"]),
        start_max: time(&value["StartTimeMax"]),
        duration_min: duration(&value["DurationMin"]),
        duration_max: duration(&value["DurationMax"]),
        limit: number(&value["NumTraces"]) as usize,
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn jaegers_queries_find_jaegers_traces() {
    let dir = Path::new(DIR);
    if !dir.exists() {
        println!("skipped: {} is not there", dir.display());
        return;
    }
    let mut world = World::new(settings());
    let mut ids = std::collections::HashMap::new();
    for entry in std::fs::read_dir(dir.join("traces")).unwrap() {
        let path = entry.unwrap().path();
        let spans = spans(&read(&path));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        ids.insert(name, (spans[0].trace_id, spans.len()));
        world.store().push(spans).unwrap();
    }
    for state in ["in the head", "in parts", "after a restart"] {
        let mut asked = 0;
        for case in items(&read(&dir.join("queries.json"))) {
            let mut found = world.store().find(&query(&case["Query"])).unwrap();
            let fixtures = items(&case["ExpectedFixtures"]).iter();
            let mut expected: Vec<TraceId> = fixtures.map(|name| ids[name.as_str().unwrap()].0).collect();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "{state}: {}", case["Caption"]);
            asked += 1;
        }
        assert!(asked >= 20, "only {asked} queries");
        for (id, spans) in ids.values() {
            assert_eq!(world.store().trace(*id, None, None).unwrap().len(), *spans, "{state}");
        }
        if state == "in the head" { world.store().flush().unwrap() } else { world.crash() }
    }
}

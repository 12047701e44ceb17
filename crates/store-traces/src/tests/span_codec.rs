//! Log records and blocks keep every field; damaged ones give errors.

use std::sync::Arc;

use model::span::{AttributeValue, Resource, Scope, Span, SpanEvent, SpanKind, SpanLink, StatusCode};
use proptest::prelude::*;

use super::{attributes, span, span_id, trace_id};
use crate::record;

fn rich_span() -> Span {
    let nested = AttributeValue::Map(vec![
        ("list".into(), AttributeValue::Array(vec![AttributeValue::Int(-1), AttributeValue::Bool(true)])),
        ("map".into(), AttributeValue::Map(vec![("é".into(), AttributeValue::Double(0.1))])),
        ("bytes".into(), AttributeValue::Bytes(vec![0, 255])),
    ]);
    Span {
        parent_span_id: span_id(3),
        trace_state: "vendor=1".into(),
        flags: 0x0101,
        kind: SpanKind::Consumer,
        duration_ns: u64::MAX,
        status: StatusCode::Error,
        status_message: "it broke".into(),
        attributes: vec![
            ("z".into(), AttributeValue::String("text".into())),
            ("a".into(), AttributeValue::Int(i64::MIN)),
            ("z".into(), AttributeValue::String("again".into())),
            ("float".into(), AttributeValue::Double(-0.0)),
            ("empty".into(), AttributeValue::Empty),
            ("nested".into(), nested),
            ("".into(), AttributeValue::Bool(false)),
        ],
        events: vec![
            SpanEvent { time: -5, name: "early".into(), attributes: vec![] },
            SpanEvent { time: i64::MAX, name: "".into(), attributes: attributes(&[("k", "v")]) },
        ],
        links: vec![SpanLink {
            trace_id: trace_id(200),
            span_id: span_id(201),
            trace_state: "l=1".into(),
            attributes: attributes(&[("link", "yes")]),
        }],
        resource: Arc::new(Resource { service: "svc".into(), attributes: attributes(&[("host", "h1")]) }),
        scope: Arc::new(Scope {
            name: "lib".into(),
            version: "2".into(),
            attributes: attributes(&[("s", "t")]),
        }),
        ..span(7, 8, "svc", "op", 1)
    }
}

fn round_trip(spans: Vec<Span>) -> Vec<u8> {
    let spans: Vec<Arc<Span>> = spans.into_iter().map(Arc::new).collect();
    let bytes = record::encode(&spans);
    assert_eq!(record::decode(&bytes).unwrap(), spans);
    bytes
}

#[test]
fn every_field_comes_back() {
    round_trip(vec![rich_span()]);
    round_trip(vec![span(1, 1, "", "", 0), rich_span(), span(1, 2, "a", "b", 5), rich_span()]);
}

#[test]
fn large_batches_are_cut_into_blocks_and_stay_small() {
    let spans: Vec<Span> = (0..10_000)
        .map(|n| {
            let mut span = span((n % 250 + 1) as u8, (n % 10) as u8, "svc", "op", n);
            span.attributes = attributes(&[("http.method", "GET"), ("http.route", "/api/v1/items")]);
            span
        })
        .collect();
    let bytes = round_trip(spans);
    assert!(bytes.len() < 10_000 * 30, "{} bytes", bytes.len());
}

#[test]
fn damaged_records_are_errors() {
    let bytes = round_trip(vec![rich_span(), span(1, 2, "a", "b", 5)]);
    for len in 1..bytes.len() {
        // Cutting between blocks is not possible here: there is one.
        assert!(record::decode(&bytes[..len]).is_err() || len <= 1 + 1 + 2 * 16, "cut to {len}");
    }
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            // The log's checksum finds these; here they must only not panic.
            let _ = record::decode(&damaged);
        }
    }
}

proptest! {
    #[test]
    fn hostile_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        let _ = record::decode(&bytes);
    }
}

use model::span::{AttributeValue, SpanKind, StatusCode};

use super::*;

/// A protobuf message from fields; enough of an encoder to write cases with.
struct Message(Vec<u8>);

impl Message {
    fn new() -> Message {
        Message(Vec::new())
    }

    fn varint(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.0.push(n as u8 | 0x80);
            n >>= 7;
        }
        self.0.push(n as u8);
    }

    fn bytes(mut self, number: u64, bytes: &[u8]) -> Message {
        self.varint(number << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, number: u64, inner: Message) -> Message {
        self.bytes(number, &inner.0)
    }

    fn number(mut self, number: u64, n: u64) -> Message {
        self.varint(number << 3);
        self.varint(n);
        self
    }

    fn fixed(mut self, number: u64, n: u64) -> Message {
        self.varint(number << 3 | 1);
        self.0.extend_from_slice(&n.to_le_bytes());
        self
    }
}

fn text_attribute(key: &str, value: &str) -> Message {
    Message::new().bytes(1, key.as_bytes()).message(2, Message::new().bytes(1, value.as_bytes()))
}

fn request(span: Message) -> Vec<u8> {
    let resource = Message::new()
        .message(1, text_attribute("service.name", "shop"))
        .message(1, text_attribute("host", "h1"));
    let scope = Message::new().bytes(1, b"lib").bytes(2, b"1.0");
    let scope_spans = Message::new().message(1, scope).message(2, span);
    Message::new().message(1, Message::new().message(2, scope_spans).message(1, resource)).0
}

fn full_span() -> Message {
    Message::new()
        .bytes(1, &[1; 16])
        .bytes(2, &[2; 8])
        .bytes(4, &[3; 8])
        .bytes(5, b"GET /")
        .number(6, 2)
        .fixed(7, 1_000)
        .fixed(8, 4_000)
        .message(9, Message::new().bytes(1, b"n").message(2, Message::new().number(3, u64::MAX)))
        .message(9, Message::new().bytes(1, b"f").message(2, Message::new().fixed(4, 1.5f64.to_bits())))
        .message(11, Message::new().fixed(1, 2_000).bytes(2, b"event"))
        .message(13, Message::new().bytes(1, &[4; 16]).bytes(2, &[5; 8]))
        .message(15, Message::new().bytes(2, b"bad").number(3, 2))
}

const JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
  {"key":"service.name","value":{"stringValue":"shop"}},{"key":"host","value":{"stringValue":"h1"}}]},
  "scopeSpans":[{"scope":{"name":"lib","version":"1.0"},"spans":[{
  "traceId":"01010101010101010101010101010101","spanId":"0202020202020202","parentSpanId":"0303030303030303",
  "name":"GET /","kind":"SPAN_KIND_SERVER","startTimeUnixNano":"1000","endTimeUnixNano":4000,
  "attributes":[{"key":"n","value":{"intValue":"-1"}},{"key":"f","value":{"doubleValue":1.5}}],
  "events":[{"timeUnixNano":"2000","name":"event"}],
  "links":[{"traceId":"04040404040404040404040404040404","spanId":"0505050505050505"}],
  "status":{"message":"bad","code":2}}]}]}]}"#;

#[test]
fn both_encodings_read_alike() {
    let a = decode_traces(&request(full_span())).unwrap();
    let b = decode_traces_json(JSON.as_bytes()).unwrap();
    assert_eq!(a, b);
    let span = &a.spans[0];
    assert_eq!((span.resource.service.as_str(), span.scope.name.as_str()), ("shop", "lib"));
    assert_eq!(span.resource.attributes, [("host".to_owned(), AttributeValue::String("h1".into()))]);
    assert_eq!((span.kind, span.status, span.duration_ns), (SpanKind::Server, StatusCode::Error, 3_000));
    assert_eq!(span.attributes[0].1, AttributeValue::Int(-1));
}

#[test]
fn spans_without_ids_are_counted_and_the_rest_stays() {
    let nameless = Message::new().bytes(1, &[1; 16]).bytes(2, &[2; 8]).fixed(7, 5).fixed(8, 1);
    let got = decode_traces(&request(nameless)).unwrap();
    assert_eq!((got.spans[0].name.as_str(), got.spans[0].duration_ns), ("empty-span-name", 1));
    for bad in [
        Message::new(),
        Message::new().bytes(1, &[0; 16]).bytes(2, &[2; 8]),
        Message::new().bytes(1, &[1; 15]),
    ] {
        assert_eq!(decode_traces(&request(bad)).unwrap(), ExportTraces { spans: vec![], rejected: 1 });
    }
}

#[test]
fn hostile_bytes_are_errors() {
    let good = request(full_span());
    for cut in 1..good.len() {
        // Whatever the place of the cut, an answer and no panic.
        let _ = decode_traces(&good[..cut]);
    }
    assert!(decode_traces(&good[..good.len() - 1]).is_err());
    assert!(decode_traces(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).is_err());
    assert!(decode_traces(&[0x0b]).is_err(), "groups are not spoken");
    let mut nested = Message::new().bytes(1, b"x");
    for _ in 0..100 {
        nested = Message::new().message(5, Message::new().message(1, nested));
    }
    let span = full_span().message(9, Message::new().bytes(1, b"deep").message(2, nested));
    assert!(decode_traces(&request(span)).unwrap_err().0.contains("nested deeper"));
}

#[test]
fn json_errors_name_the_key() {
    let check = |json: &str, part: &str| {
        let e = decode_traces_json(json.as_bytes()).unwrap_err().to_string();
        assert!(e.contains(part), "{e}");
    };
    check("{", "malformed JSON");
    check("[]", "not a JSON object");
    check(r#"{"resourceSpans":{}}"#, "resourceSpans: expected a list");
    check(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":7}]}]}]}"#, "traceId: expected a string");
    check(
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"x"}]}]}]}"#,
        "startTimeUnixNano",
    );
}

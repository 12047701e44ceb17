//! `{"streams":[{"stream":{"app":"api"},"values":[["1700000000000000000","line",{"trace_id":"…"}]]}]}`
//!
//! Read straight into entries, without a tree in between: strings are borrowed from the body wherever
//! they hold no escapes.

use std::borrow::Cow;
use std::fmt;

use model::{Labels, LabelsBuilder, LogEntry};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{DecodeError, PushLabels, PushStream};

/// Decodes a JSON push request.
pub fn decode_json(body: &[u8]) -> Result<Vec<PushStream>, DecodeError> {
    // A struct may also be read from an array, which is no part of this protocol.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(DecodeError::Malformed("expected a JSON object".into()));
    }
    let request: Request = serde_json::from_slice(body).map_err(|e| DecodeError::Malformed(e.to_string()))?;
    Ok(request
        .streams
        .into_iter()
        .map(|s| PushStream {
            labels: PushLabels::Pairs(s.stream.0),
            entries: s.values.into_iter().map(|entry| entry.0).collect(),
        })
        .collect())
}

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    stream: Pairs,
    #[serde(default)]
    values: Vec<Entry>,
}

/// An object of strings, in the order of the message.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with string values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// A JSON string, borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Entry(LogEntry);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of a timestamp string, a line and optional structured metadata")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
                let ts: Text<'de> =
                    seq.next_element()?.ok_or_else(|| A::Error::custom("missing timestamp"))?;
                let line: Text<'de> =
                    seq.next_element()?.ok_or_else(|| A::Error::custom("missing log line"))?;
                let metadata: Option<Pairs> = seq.next_element()?;
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("an entry has at most three elements"));
                }
                let ts = ts.0.parse().map_err(|_| {
                    A::Error::custom(format!("timestamp {:?} is not an integer in a string", ts.0))
                })?;
                let structured_metadata = metadata.map_or_else(Labels::empty, |pairs| {
                    let mut builder = LabelsBuilder::default();
                    for (name, value) in pairs.0 {
                        builder.set(name, value);
                    }
                    builder.build()
                });
                Ok(Entry(LogEntry { ts, line: line.0.into_owned(), structured_metadata }))
            }
        }
        deserializer.deserialize_seq(EntryVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_with_and_without_metadata() {
        let body = br#"{"streams":[{"stream":{"app":"api"},"values":[
            ["1700000000000000000","plain"],
            ["1700000000000000001","esc\"aped \u003c",{"trace_id":"abc"}]]}]}"#;
        let streams = decode_json(body).unwrap();
        assert_eq!(streams.len(), 1);
        assert_eq!(streams[0].labels, PushLabels::Pairs(vec![("app".into(), "api".into())]));
        let entries = &streams[0].entries;
        assert_eq!((entries[0].ts, entries[0].line.as_str()), (1_700_000_000_000_000_000, "plain"));
        assert_eq!(entries[1].line, "esc\"aped <");
        assert_eq!(entries[1].structured_metadata, Labels::from_pairs([("trace_id", "abc")]));
    }

    #[test]
    fn malformed_requests_are_refused() {
        for body in [
            "",
            "{",
            "[]",
            r#"{"streams":[{"stream":{"a":1},"values":[]}]}"#,
            r#"{"streams":[{"stream":{},"values":[[1700000000000000000,"x"]]}]}"#,
            r#"{"streams":[{"stream":{},"values":[["x","x"]]}]}"#,
            r#"{"streams":[{"stream":{},"values":[["1"]]}]}"#,
            r#"{"streams":[{"stream":{},"values":[["1","x",{"a":{"b":"c"}}]]}]}"#,
            r#"{"streams":[{"stream":{},"values":[["1","x",{},4]]}]}"#,
        ] {
            assert!(matches!(decode_json(body.as_bytes()), Err(DecodeError::Malformed(_))), "{body}");
        }
    }
}

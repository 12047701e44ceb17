//! `logproto.PushRequest`, compressed as one raw snappy block.

use model::{Labels, LogEntry, TimestampNs};
use prost::Message;

use super::{DecodeError, PushLabels, PushStream};

#[derive(Clone, PartialEq, Message)]
struct PushRequest {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<StreamMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct StreamMessage {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<EntryMessage>,
    #[prost(uint64, tag = "3")]
    hash: u64,
}

/// Lines and metadata come from programs of all kinds and need not be UTF-8, whatever the schema says.
#[derive(Clone, PartialEq, Message)]
struct EntryMessage {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<TimestampMessage>,
    #[prost(bytes = "vec", tag = "2")]
    line: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    structured_metadata: Vec<LabelPair>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct TimestampMessage {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct LabelPair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Decodes a compressed push request that may not grow beyond `decompressed_max` bytes.
pub fn decode_proto(body: &[u8], decompressed_max: usize) -> Result<Vec<PushStream>, DecodeError> {
    let malformed = |e: &dyn std::fmt::Display| DecodeError::Malformed(e.to_string());
    let length = snap::raw::decompress_len(body).map_err(|e| malformed(&e))?;
    if length > decompressed_max {
        return Err(DecodeError::TooLarge { limit: decompressed_max });
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(body).map_err(|e| malformed(&e))?;
    let request = PushRequest::decode(bytes.as_slice()).map_err(|e| malformed(&e))?;
    Ok(request.streams.into_iter().map(stream).collect())
}

fn stream(message: StreamMessage) -> PushStream {
    let entries = message.entries.into_iter().map(entry).collect();
    PushStream { labels: PushLabels::Text(message.labels), entries }
}

fn entry(message: EntryMessage) -> LogEntry {
    let ts = message.timestamp.unwrap_or(TimestampMessage { seconds: 0, nanos: 0 });
    LogEntry {
        // A time that 64-bit nanoseconds cannot hold saturates, and is then refused as too old or too new.
        ts: ts.seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(ts.nanos)),
        line: text(message.line),
        structured_metadata: Labels::from_pairs(
            message.structured_metadata.into_iter().map(|pair| (pair.name, text(pair.value))),
        ),
    }
}

/// What is no UTF-8 becomes the replacement character: a line with a bad byte is better than no line.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Encodes and compresses streams given as label text and entries.
pub fn encode_proto<'a>(
    streams: impl IntoIterator<Item = (String, &'a [LogEntry])>,
) -> Result<Vec<u8>, DecodeError> {
    let request = PushRequest {
        streams: streams
            .into_iter()
            .map(|(labels, entries)| StreamMessage {
                labels,
                entries: entries.iter().map(entry_message).collect(),
                hash: 0,
            })
            .collect(),
    };
    snap::raw::Encoder::new()
        .compress_vec(&request.encode_to_vec())
        .map_err(|e| DecodeError::Malformed(e.to_string()))
}

fn entry_message(entry: &LogEntry) -> EntryMessage {
    let pair =
        |(name, value): (&str, &str)| LabelPair { name: name.into(), value: value.as_bytes().to_vec() };
    EntryMessage {
        timestamp: Some(timestamp(entry.ts)),
        line: entry.line.clone().into_bytes(),
        structured_metadata: entry.structured_metadata.iter().map(pair).collect(),
    }
}

fn timestamp(ts: TimestampNs) -> TimestampMessage {
    let nanos = i32::try_from(ts.rem_euclid(1_000_000_000)).unwrap_or(0);
    TimestampMessage { seconds: ts.div_euclid(1_000_000_000), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_with_metadata() {
        let entries = vec![
            LogEntry {
                ts: 1_500_000_000_000_000_001,
                line: "a <b>".into(),
                structured_metadata: Labels::empty(),
            },
            LogEntry {
                ts: -1,
                line: String::new(),
                structured_metadata: Labels::from_pairs([("trace_id", "abc")]),
            },
        ];
        let body = encode_proto([("{app=\"x\"}".to_owned(), entries.as_slice())]).unwrap();
        let streams = decode_proto(&body, 1 << 20).unwrap();
        assert_eq!(streams, [PushStream { labels: PushLabels::Text("{app=\"x\"}".into()), entries }]);
    }

    #[test]
    fn lines_that_are_not_utf8_are_kept() {
        let entry =
            EntryMessage { timestamp: None, line: b"caf\xe9".to_vec(), structured_metadata: Vec::new() };
        let stream = StreamMessage { labels: "{a=\"b\"}".into(), entries: vec![entry], hash: 0 };
        let bytes = PushRequest { streams: vec![stream] }.encode_to_vec();
        let body = snap::raw::Encoder::new().compress_vec(&bytes).unwrap();
        assert_eq!(decode_proto(&body, 1 << 20).unwrap()[0].entries[0].line, "caf\u{fffd}");
    }

    #[test]
    fn damage_and_size_are_errors() {
        let body = encode_proto([("{a=\"b\"}".to_owned(), &[][..])]).unwrap();
        assert_eq!(decode_proto(&body, 3), Err(DecodeError::TooLarge { limit: 3 }));
        for cut in 0..body.len() {
            assert!(
                matches!(decode_proto(&body[..cut], 100), Err(DecodeError::Malformed(_))),
                "cut at {cut}"
            );
        }
        assert!(decode_proto(b"{\"streams\":[]}", 1 << 20).is_err());
    }
}

//! Writes the answers of remote read.
//!
//! ```text
//! ReadResponse        { repeated QueryResult results = 1 }
//! QueryResult         { repeated TimeSeries timeseries = 1 }             as in write 1.0
//! ChunkedReadResponse { repeated ChunkedSeries chunked_series = 1; int64 query_index = 2 }
//! ChunkedSeries       { repeated Label labels = 1; repeated Chunk chunks = 2 }
//! Chunk               { int64 min_time_ms = 1; int64 max_time_ms = 2; Encoding type = 3; bytes data = 4 }
//! ```
//!
//! A stream is made of frames: `uvarint length, u32 big endian CRC-32C, ChunkedReadResponse`.

use model::{FloatHistogram, Labels, TimestampMs};

use crate::remote::put;

/// One encoded chunk, in the encoding and with the number Prometheus' blocks have for it.
#[derive(Debug, Clone, Copy)]
pub struct ChunkRef<'a> {
    pub min_t: TimestampMs,
    pub max_t: TimestampMs,
    pub encoding: u8,
    pub data: &'a [u8],
}

fn write_labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels {
        put::nested(out, 1, |out| {
            put::text(out, 1, name);
            put::text(out, 2, value);
        });
    }
}

/// Appends one series as field 1 of a `QueryResult`.
pub fn write_series<'a>(
    out: &mut Vec<u8>,
    labels: &Labels,
    floats: impl Iterator<Item = (TimestampMs, f64)>,
    histograms: impl Iterator<Item = (TimestampMs, &'a FloatHistogram)>,
) {
    put::nested(out, 1, |out| {
        write_labels(out, labels);
        for (t, v) in floats {
            put::nested(out, 2, |out| {
                put::double(out, 1, v);
                put::int64(out, 2, t);
            });
        }
        for (t, h) in histograms {
            put::nested(out, 4, |out| put::histogram(out, t, h));
        }
    });
}

/// Appends the series of one query as field 1 of a `ReadResponse`.
pub fn write_result(out: &mut Vec<u8>, series: &[u8]) {
    put::bytes(out, 1, series);
}

/// Appends a `ChunkedReadResponse` that holds one series, or a part of one.
pub fn write_chunked_series(out: &mut Vec<u8>, query: usize, labels: &Labels, chunks: &[ChunkRef<'_>]) {
    put::nested(out, 1, |out| {
        write_labels(out, labels);
        for chunk in chunks {
            put::nested(out, 2, |out| {
                put::int64(out, 1, chunk.min_t);
                put::int64(out, 2, chunk.max_t);
                put::uint(out, 3, u64::from(chunk.encoding));
                put::bytes(out, 4, chunk.data);
            });
        }
    });
    put::int64(out, 2, query as i64);
}

/// Puts a message into its frame.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 14);
    put::varint(&mut out, message.len() as u64);
    out.extend_from_slice(&crc32c::crc32c(message).to_be_bytes());
    out.extend_from_slice(message);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_chunks_as_drawn() {
        let labels = Labels::from_pairs([("a", "b")]);
        let chunk = ChunkRef { min_t: 1, max_t: 2, encoding: 1, data: &[7, 8] };
        let mut message = Vec::new();
        write_chunked_series(&mut message, 3, &labels, &[chunk]);
        let expected = [
            &[0x0a, 20][..],
            &[0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b'],
            &[0x12, 10, 0x08, 1, 0x10, 2, 0x18, 1, 0x22, 2, 7, 8],
            &[0x10, 3],
        ]
        .concat();
        assert_eq!(message, expected);
        let framed = frame(&message);
        assert_eq!(framed[0] as usize, message.len());
        assert_eq!(framed[1..5], crc32c::crc32c(&message).to_be_bytes());
        assert_eq!(framed[5..], message);
    }

    #[test]
    fn a_series_reads_back_as_one_of_write() {
        let labels = Labels::from_pairs([("__name__", "m")]);
        let histogram = FloatHistogram { count: 1.0, ..FloatHistogram::default() };
        let mut out = Vec::new();
        write_series(&mut out, &labels, [(5, 1.5)].into_iter(), [(6, &histogram)].into_iter());
        let series = crate::remote::v1::WriteRequest::new(&out).next_series().unwrap().unwrap();
        assert!(series.has_labels(labels.as_packed()));
        let mut items = series.items();
        assert!(matches!(items.next_item(), Ok(Some(crate::remote::v1::Item::Sample { t: 5, value: 1.5 }))));
        assert!(matches!(items.next_item(), Ok(Some(crate::remote::v1::Item::Histogram(_)))));
    }
}

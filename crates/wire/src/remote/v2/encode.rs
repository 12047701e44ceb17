//! Writes an `io.prometheus.write.v2.Request`:
//!
//! ```text
//! Request    { repeated string symbols = 4; repeated TimeSeries timeseries = 5 }
//! TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2;
//!              repeated Histogram histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5 }
//! Sample     { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3 }
//! Exemplar   { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3 }
//! Metadata   { MetricType type = 1; uint32 help_ref = 3; uint32 unit_ref = 4 }
//! ```
//!
//! Every string stands once in the table of symbols, whose first entry is the empty string. The table comes
//! before the series although it is complete only after them: series are collected beside it first.

use std::collections::HashMap;

use model::Labels;

use crate::remote::put;
use crate::remote::row::{Point, Row};

/// Appends a request. Each row becomes a series of its own, as the original sends them.
pub fn encode<'a>(rows: impl IntoIterator<Item = Row<'a>>, out: &mut Vec<u8>) {
    let (mut symbols, mut refs, mut series) = (Symbols::default(), Vec::new(), Vec::new());
    symbols.get("");
    for row in rows {
        put::nested(&mut series, 5, |out| {
            symbols.labels(row.labels, &mut refs);
            put::packed_uints(out, 1, &refs);
            match row.point {
                Point::Float(v) => put::nested(out, 2, |out| {
                    put::double(out, 1, v);
                    put::int64(out, 2, row.t);
                    put::int64(out, 3, row.start);
                }),
                Point::Histogram(h) => put::nested(out, 3, |out| {
                    put::histogram(out, row.t, h);
                    put::int64(out, 17, row.start);
                }),
                Point::Exemplar(exemplar) => put::nested(out, 4, |out| {
                    symbols.labels(&exemplar.labels, &mut refs);
                    put::packed_uints(out, 1, &refs);
                    put::double(out, 2, exemplar.value);
                    put::int64(out, 3, exemplar.timestamp.unwrap_or(row.t));
                }),
            }
            if let Some(metadata) = row.metadata {
                put::nested(out, 5, |out| {
                    put::uint(out, 1, put::metric_type(metadata.kind));
                    put::uint(out, 3, u64::from(symbols.get(&metadata.help)));
                    put::uint(out, 4, u64::from(symbols.get(&metadata.unit)));
                });
            }
        });
    }
    symbols.order.iter().for_each(|symbol| put::text_always(out, 4, symbol));
    out.extend_from_slice(&series);
}

#[derive(Default)]
struct Symbols<'a> {
    numbers: HashMap<&'a str, u32>,
    order: Vec<&'a str>,
}

impl<'a> Symbols<'a> {
    fn get(&mut self, s: &'a str) -> u32 {
        let order = &mut self.order;
        *self.numbers.entry(s).or_insert_with(|| {
            order.push(s);
            order.len() as u32 - 1
        })
    }

    /// Replaces `refs` by the symbols of names and values in turn.
    fn labels(&mut self, labels: &'a Labels, refs: &mut Vec<u32>) {
        refs.clear();
        for (name, value) in labels {
            refs.push(self.get(name));
            refs.push(self.get(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Metadata, MetricType};

    use super::*;
    use crate::protobuf::Reader;

    #[test]
    fn strings_stand_once() {
        let labels = [("a", "x"), ("b", "x")].map(|pair| Labels::from_pairs([pair]));
        let metadata = Metadata { kind: MetricType::Counter, help: "x".into(), unit: String::new() };
        let rows = labels.iter().map(|labels| Row {
            labels,
            t: 5,
            start: 3,
            point: Point::Float(1.0),
            metadata: Some(&metadata),
        });
        let mut out = Vec::new();
        encode(rows, &mut out);
        let (mut reader, mut symbols, mut series) = (Reader::new(&out), Vec::new(), Vec::new());
        while let Some(field) = reader.next_field().unwrap() {
            match field.number {
                4 => symbols.push(field.text().unwrap()),
                5 => series.push(field.bytes().unwrap()),
                other => panic!("field {other}"),
            }
        }
        assert_eq!(symbols, ["", "a", "x", "b"]);
        let mut refs = Vec::new();
        for message in series {
            let mut reader = Reader::new(message);
            let field = reader.next_field().unwrap().unwrap();
            field.each_varint(|n| refs.push(n)).unwrap();
            let sample = Reader::new(reader.next_field().unwrap().unwrap().bytes().unwrap()).rest();
            assert_eq!(sample, [&[0x09][..], &1f64.to_le_bytes(), &[0x10, 5, 0x18, 3]].concat());
            let metadata = reader.next_field().unwrap().unwrap().bytes().unwrap();
            assert_eq!(metadata, [0x08, 1, 0x18, 2]);
        }
        assert_eq!(refs, [1, 2, 3, 2]);
    }
}

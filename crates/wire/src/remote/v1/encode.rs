//! Writes a `prometheus.WriteRequest`; `decode` draws the messages.

use model::{Labels, Metadata};

use crate::remote::put;
use crate::remote::row::{Point, Row};

/// Appends a request. Each row becomes a series of its own, as the original sends them.
pub fn encode<'a>(rows: impl IntoIterator<Item = Row<'a>>, out: &mut Vec<u8>) {
    for row in rows {
        put::nested(out, 1, |out| {
            labels(out, row.labels);
            match row.point {
                Point::Float(v) => put::nested(out, 2, |out| {
                    put::double(out, 1, v);
                    put::int64(out, 2, row.t);
                }),
                Point::Exemplar(exemplar) => put::nested(out, 3, |out| {
                    labels(out, &exemplar.labels);
                    put::double(out, 2, exemplar.value);
                    put::int64(out, 3, exemplar.timestamp.unwrap_or(row.t));
                }),
                Point::Histogram(h) => put::nested(out, 4, |out| put::histogram(out, row.t, h)),
            }
        });
    }
}

/// Appends a request that only holds metadata.
pub fn encode_metadata<'a>(families: impl IntoIterator<Item = (&'a str, &'a Metadata)>, out: &mut Vec<u8>) {
    for (name, metadata) in families {
        put::nested(out, 3, |out| {
            put::uint(out, 1, put::metric_type(metadata.kind));
            put::text(out, 2, name);
            put::text(out, 4, &metadata.help);
            put::text(out, 5, &metadata.unit);
        });
    }
}

fn labels(out: &mut Vec<u8>, labels: &Labels) {
    for (name, value) in labels {
        put::nested(out, 1, |out| {
            put::text(out, 1, name);
            put::text(out, 2, value);
        });
    }
}

#[cfg(test)]
mod tests {
    use model::Exemplar;

    use super::super::{Item, WriteRequest};
    use super::*;

    #[test]
    fn the_reader_reads_what_was_written() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", &"x".repeat(300))]);
        let exemplar =
            Exemplar { labels: Labels::from_pairs([("trace_id", "abc")]), value: 2.0, timestamp: None };
        let row = |t, point| Row { labels: &labels, t, start: 0, point, metadata: None };
        let mut out = Vec::new();
        encode([row(-7, Point::Float(1.5)), row(9, Point::Exemplar(&exemplar))], &mut out);
        let mut request = WriteRequest::new(&out);
        let series = request.next_series().unwrap().unwrap();
        assert!(series.has_labels(labels.as_packed()));
        let item = series.items().next_item().unwrap();
        assert!(matches!(item, Some(Item::Sample { t: -7, value: 1.5 })));
        let series = request.next_series().unwrap().unwrap();
        assert!(matches!(series.items().next_item().unwrap(), Some(Item::Exemplar(_))));
        assert!(request.next_series().unwrap().is_none());
    }
}

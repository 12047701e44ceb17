//! A commit as one record or, when it is large, as several of bounded size.

use index::SeriesId;
use model::{Exemplar, FloatHistogram, Labels, TimestampMs, Value};

use super::Batch;

/// Bytes of a piece in memory, about. Well below what the log allows for a record.
const PIECE_BYTES: usize = 8 << 20;
/// What a float takes, with its series and a time of its own.
const FLOAT_BYTES: usize = 20;

/// Collects a commit. Definitions come before the samples of their series, floats before histograms.
#[derive(Debug, Default)]
pub struct Pieces {
    full: Vec<Batch>,
    open: Batch,
    bytes: usize,
}

impl Pieces {
    /// With room for this many floats in the first piece.
    pub fn with_room(floats: usize) -> Pieces {
        let mut pieces = Pieces::default();
        pieces.open.floats.reserve(floats.min(PIECE_BYTES / FLOAT_BYTES));
        pieces
    }

    pub fn define(&mut self, series: SeriesId, labels: &Labels) {
        self.make_room(labels.as_packed().len() + 8);
        self.open.definitions.push((series, labels.clone()));
    }

    /// `start`: since when it counts, zero when it does not say.
    pub fn add(&mut self, series: SeriesId, t: TimestampMs, value: &Value, start: TimestampMs) {
        match value {
            Value::Float(_) => self.make_room(FLOAT_BYTES),
            Value::Histogram(h) => self.make_room(histogram_bytes(h)),
        }
        if start != 0 {
            self.open.starts.push((self.open.samples(), start));
        }
        match value {
            Value::Float(value) => self.open.floats.push(series, t, *value),
            Value::Histogram(h) => self.open.histograms.push((series, t, h.clone())),
        }
    }

    pub fn add_exemplar(&mut self, series: SeriesId, exemplar: &Exemplar) {
        self.make_room(exemplar.labels.as_packed().len() + 32);
        self.open.exemplars.push((series, exemplar.clone()));
    }

    /// The records of the commit. At least one.
    pub fn encode(self) -> Vec<Vec<u8>> {
        self.full.iter().chain([&self.open]).map(Batch::encode).collect()
    }

    fn make_room(&mut self, bytes: usize) {
        if self.bytes > 0 && self.bytes + bytes > PIECE_BYTES {
            let mut full = std::mem::take(&mut self.open);
            full.continues = true;
            self.full.push(full);
            self.bytes = 0;
        }
        self.bytes += bytes;
    }
}

fn histogram_bytes(h: &FloatHistogram) -> usize {
    let spans = h.positive_spans.len() + h.negative_spans.len();
    let floats = h.positive_buckets.len() + h.negative_buckets.len() + h.custom_values.len();
    80 + 8 * (spans + floats)
}

#[cfg(test)]
mod tests {
    use super::super::{Floats, Record};
    use super::*;

    #[test]
    fn a_large_commit_is_several_records() {
        let mut pieces = Pieces::default();
        let labels = Labels::from_pairs([("a", "b")]);
        pieces.define(7, &labels);
        let samples = 1_000_000u32;
        for i in 0..samples {
            // Noise, so that nothing packs well.
            let value = f64::from_bits(u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2);
            pieces.add(i, i64::from(i), &Value::Float(value), i64::from(i % 2));
        }
        let records = pieces.encode();
        assert!(records.len() > 1 && records.iter().all(|record| record.len() < 2 * PIECE_BYTES));
        let (mut next, mut starts) = (0, 0);
        for (at, record) in records.iter().enumerate() {
            let record = Record::decode(record, Floats::default(), &mut Vec::new()).unwrap();
            let Record::Batch(batch) = record else { panic!("not a batch") };
            assert_eq!(batch.continues, at + 1 < records.len());
            assert_eq!(batch.definitions.len(), usize::from(at == 0));
            for (position, start) in batch.starts {
                assert_eq!((batch.floats.series[position] % 2, start), (1, 1));
                starts += 1;
            }
            for series in batch.floats.series {
                assert_eq!(series, next);
                next += 1;
            }
        }
        assert_eq!((next, starts), (samples, samples / 2));
    }
}

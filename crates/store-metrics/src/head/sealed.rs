//! Sealed chunks, and samples of one series taken hold of for reading.

use std::sync::Arc;

use codec::{Cursor, histograms, timestamps};
use model::{FloatHistogram, TimestampMs, Value};
use smallvec::SmallVec;
use storage::{ErrorKind, StoreError, metrics::SampleColumns};

use super::xor::XorReader;
use crate::merge_columns::merge_columns;

/// An immutable chunk.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub min_t: TimestampMs,
    pub max_t: TimestampMs,
    count: u16,
    kind: ChunkKind,
    bytes: Arc<[u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChunkKind {
    Floats,
    Histograms,
}

impl Sealed {
    pub fn floats(min_t: TimestampMs, max_t: TimestampMs, count: u16, bits: Vec<u8>) -> Sealed {
        Sealed { min_t, max_t, count, kind: ChunkKind::Floats, bytes: bits.into() }
    }

    /// `None` when there are none.
    pub fn histograms(samples: &[(TimestampMs, Arc<FloatHistogram>)]) -> Option<Sealed> {
        let (min_t, max_t) = (samples.first()?.0, samples.last()?.0);
        let mut bytes = Vec::new();
        timestamps::encode(&samples.iter().map(|(t, _)| *t).collect::<Vec<_>>(), &mut bytes);
        histograms::encode(&samples.iter().map(|(_, h)| h.clone()).collect::<Vec<_>>(), &mut bytes);
        let count = samples.len() as u16;
        Some(Sealed { min_t, max_t, count, kind: ChunkKind::Histograms, bytes: bytes.into() })
    }

    pub fn heap_bytes(&self) -> usize {
        // Sixteen bytes of reference counts.
        self.bytes.len() + size_of::<Sealed>() + 16
    }

    /// Appends the samples in `mint..=maxt`.
    pub fn decode(
        &self,
        mint: TimestampMs,
        maxt: TimestampMs,
        out: &mut SampleColumns,
    ) -> Result<(), StoreError> {
        match self.kind {
            ChunkKind::Floats => {
                for (t, v) in XorReader::new(self.min_t, self.count, &self.bytes) {
                    if (mint..=maxt).contains(&t) {
                        out.float_times.push(t);
                        out.floats.push(v);
                    }
                }
            }
            ChunkKind::Histograms => {
                let (mut times, mut histograms) = (Vec::new(), Vec::new());
                let mut cursor = Cursor::new(&self.bytes);
                let decoded = timestamps::decode(&mut cursor, &mut times)
                    .and_then(|()| histograms::decode(&mut cursor, &mut histograms));
                decoded.map_err(|e| StoreError::new(ErrorKind::Corrupt, format!("chunk in memory: {e}")))?;
                let all = times.into_iter().zip(histograms);
                out.histograms.extend(all.filter(|(t, _)| (mint..=maxt).contains(t)));
            }
        }
        Ok(())
    }
}

/// Samples of one series, held but not yet decoded.
#[derive(Debug, Default)]
pub struct Grabbed {
    mint: TimestampMs,
    maxt: TimestampMs,
    in_order_max: TimestampMs,
    pub sealed: SmallVec<[Sealed; 4]>,
    pub open: Vec<(TimestampMs, f64)>,
    pub histograms: Vec<(TimestampMs, Arc<FloatHistogram>)>,
    pub late: Vec<(TimestampMs, Value)>,
}

impl Grabbed {
    /// Nothing yet; decoding keeps to `mint..=maxt`, and for samples in time order to `in_order_max`.
    pub fn new(mint: TimestampMs, maxt: TimestampMs, in_order_max: TimestampMs) -> Grabbed {
        Grabbed { mint, maxt, in_order_max, ..Grabbed::default() }
    }

    /// Appends the samples in time order; of two with one time the one that came in order stays.
    pub fn decode(self, out: &mut SampleColumns) -> Result<(), StoreError> {
        for sealed in &self.sealed {
            sealed.decode(self.mint, self.in_order_max.min(self.maxt), out)?;
        }
        for (t, v) in self.open {
            out.float_times.push(t);
            out.floats.push(v);
        }
        out.histograms.extend(self.histograms);
        if !self.late.is_empty() {
            let mut late = SampleColumns::default();
            self.late.into_iter().for_each(|(t, value)| late.push(t, value));
            merge_columns(out, &late);
        }
        Ok(())
    }
}

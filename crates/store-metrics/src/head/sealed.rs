//! Sealed chunks, and samples of one series taken hold of for reading.

use std::sync::Arc;

use codec::{Cursor, floats, histograms, timestamps};
use model::{FloatHistogram, TimestampMs, Value};
use smallvec::SmallVec;
use storage::{ErrorKind, StoreError, metrics::SampleColumns};

use super::recent::with_columns;
use super::starts::{StartRun, expand};
use super::times_pool::TimesPool;
use super::xor::{XorChunk, XorReader};
use crate::merge_columns::merge_columns;

/// An immutable chunk.
#[derive(Debug, Clone)]
pub struct Sealed {
    pub min_t: TimestampMs,
    pub max_t: TimestampMs,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// Bits of an [`XorChunk`], kept where columns would be larger: values without any pattern.
    Xor {
        count: u16,
        bits: Arc<[u64]>,
    },
    /// Columns; that of the times is usually shared with other series.
    Floats {
        times: Arc<[u8]>,
        values: Arc<[u8]>,
    },
    Histograms {
        times: Arc<[u8]>,
        values: Arc<[u8]>,
    },
}

impl Sealed {
    /// Empties an open chunk. `None` when it has no samples.
    pub fn floats(open: &mut XorChunk, pool: &TimesPool) -> Option<Sealed> {
        if open.count() == 0 {
            return None;
        }
        let (mut times, mut values) = (Vec::with_capacity(open.count()), Vec::with_capacity(open.count()));
        open.reader().append_to(i64::MIN, i64::MAX, &mut times, &mut values);
        let (min_t, max_t) = (open.first_t(), open.last_t());
        let mut column = Vec::new();
        floats::encode(&values, &mut column);
        let (count, bits) = open.take();
        let form = if column.len() < bits.len() * size_of::<u64>() {
            Form::Floats { times: pool.column(&times), values: column.into() }
        } else {
            Form::Xor { count, bits }
        };
        Some(Sealed { min_t, max_t, form })
    }

    /// `None` when there are none.
    pub fn histograms(samples: &[(TimestampMs, Arc<FloatHistogram>)], pool: &TimesPool) -> Option<Sealed> {
        let (min_t, max_t) = (samples.first()?.0, samples.last()?.0);
        let times: Vec<TimestampMs> = samples.iter().map(|(t, _)| *t).collect();
        let mut values = Vec::new();
        histograms::encode(&samples.iter().map(|(_, h)| h.clone()).collect::<Vec<_>>(), &mut values);
        let form = Form::Histograms { times: pool.column(&times), values: values.into() };
        Some(Sealed { min_t, max_t, form })
    }

    /// Shared columns count for a sixteenth: more series than that share one, usually many more.
    pub fn heap_bytes(&self) -> usize {
        let own = match &self.form {
            Form::Xor { bits, .. } => size_of_val(&**bits),
            Form::Floats { times, values } | Form::Histograms { times, values } => {
                values.len() + times.len() / 16
            }
        };
        // Sixteen bytes of reference counts.
        own + size_of::<Sealed>() + 16
    }

    /// The newest sample not after `maxt`; `None` when only decoding everything could tell.
    pub fn newest(&self, maxt: TimestampMs) -> Option<(TimestampMs, f64)> {
        match &self.form {
            Form::Xor { count, bits } => XorReader::of_sealed(self.max_t, *count, bits).newest(maxt),
            Form::Floats { times, values } => {
                let last = with_columns(times, values, |times, values| {
                    let at = times.partition_point(|t| *t <= maxt).checked_sub(1)?;
                    times.get(at).copied().zip(values.get(at).copied())
                });
                last.ok().flatten()
            }
            Form::Histograms { .. } => None,
        }
    }

    /// Appends the samples in `mint..=maxt`.
    pub fn decode(
        &self,
        mint: TimestampMs,
        maxt: TimestampMs,
        out: &mut SampleColumns,
    ) -> Result<(), StoreError> {
        let damaged = |e| StoreError::new(ErrorKind::Corrupt, format!("chunk in memory: {e}"));
        match &self.form {
            Form::Xor { count, bits } => {
                let reader = XorReader::of_sealed(self.max_t, *count, bits);
                reader.append_to(mint, maxt, &mut out.float_times, &mut out.floats);
            }
            Form::Floats { times, values } => {
                with_columns(times, values, |times, values| {
                    let from = times.partition_point(|t| *t < mint);
                    let to = times.partition_point(|t| *t <= maxt).max(from);
                    out.float_times.extend_from_slice(times.get(from..to).unwrap_or(&[]));
                    out.floats.extend_from_slice(values.get(from..to).unwrap_or(&[]));
                })
                .map_err(damaged)?;
            }
            Form::Histograms { times: encoded, values: column } => {
                let (mut times, mut values) = (Vec::new(), Vec::new());
                timestamps::decode(&mut Cursor::new(encoded), &mut times).map_err(damaged)?;
                histograms::decode(&mut Cursor::new(column), &mut values).map_err(damaged)?;
                let all = times.into_iter().zip(values);
                out.histograms.extend(all.filter(|(t, _)| (mint..=maxt).contains(t)));
            }
        }
        Ok(())
    }
}

/// Samples of one series, held but, except for those of its open chunk, not yet decoded.
#[derive(Debug, Default)]
pub struct Grabbed {
    mint: TimestampMs,
    maxt: TimestampMs,
    in_order_max: TimestampMs,
    pub sealed: SmallVec<[Sealed; 4]>,
    pub histograms: Vec<(TimestampMs, Arc<FloatHistogram>)>,
    pub late: Vec<Late>,
    /// Of the samples in time order.
    pub starts: Vec<StartRun>,
}

/// A sample that came out of order.
#[derive(Debug, Clone)]
pub struct Late {
    pub t: TimestampMs,
    pub value: Value,
    /// Zero when it does not say since when it counts.
    pub start: TimestampMs,
}

impl Grabbed {
    /// Nothing yet; decoding keeps to `mint..=maxt`, and for samples in time order to `in_order_max`.
    pub fn new(mint: TimestampMs, maxt: TimestampMs, in_order_max: TimestampMs) -> Grabbed {
        Grabbed { mint, maxt, in_order_max, ..Grabbed::default() }
    }

    /// Fills `out`, which holds the samples of the open chunk or nothing, with the samples in time order; of
    /// two with one time the one that came in order stays.
    pub fn decode(self, out: &mut SampleColumns) -> Result<(), StoreError> {
        let open = out.floats.len();
        for sealed in &self.sealed {
            sealed.decode(self.mint, self.in_order_max.min(self.maxt), out)?;
        }
        if open > 0 && out.floats.len() > open {
            out.float_times.rotate_left(open);
            out.floats.rotate_left(open);
        }
        out.histograms.extend(self.histograms);
        expand(&self.starts, out);
        if !self.late.is_empty() {
            let mut late = SampleColumns::default();
            for Late { t, value, start } in self.late {
                late.push(t, value);
                if start != 0 {
                    late.start_times.push((t, start));
                }
            }
            merge_columns(out, &late);
        }
        Ok(())
    }
}

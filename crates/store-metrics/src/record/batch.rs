//! A committed batch: columns of samples, and the definitions of series that are new to the log.
//!
//! A batch is mostly samples with one time of series in the order of their birth, so series are told as runs
//! and times against the first one. Values have no history in the log (concurrent batches would disturb each
//! other's), but most are short decimals. What repeats inside a record, zstd finds.

use std::sync::Arc;

use codec::{Cursor, histograms, write_bytes, write_ivarint, write_uvarint};
use index::SeriesId;
use model::{Exemplar, FloatHistogram, Labels, TimestampMs};
use storage::StoreError;

use super::{corrupt, damaged, labels, value};

/// Samples of one batch: a run of series is not expanded beyond it.
const SAMPLES_MAX: usize = codec::COLUMN_VALUES_MAX;

/// One committed batch, or a piece of it.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// Series whose definition is not yet in this generation of the log.
    pub definitions: Vec<(SeriesId, Labels)>,
    pub floats: Floats,
    pub histograms: Vec<(SeriesId, TimestampMs, Arc<FloatHistogram>)>,
    pub exemplars: Vec<(SeriesId, Exemplar)>,
    /// Since when samples count: position (floats first, then histograms) and start, ascending.
    pub starts: Vec<(usize, TimestampMs)>,
    /// The next record goes on with the same commit.
    pub continues: bool,
}

/// Floats by column.
#[derive(Debug, Default, PartialEq)]
pub struct Floats {
    pub series: Vec<SeriesId>,
    /// One for all, or one each.
    pub times: Vec<TimestampMs>,
    pub values: Vec<f64>,
}

impl Floats {
    pub fn push(&mut self, series: SeriesId, t: TimestampMs, value: f64) {
        match self.times.first() {
            None => self.times.push(t),
            Some(first) if self.times.len() == 1 && *first == t => {}
            Some(first) => {
                if self.times.len() == 1 {
                    self.times = vec![*first; self.series.len()];
                }
                self.times.push(t);
            }
        }
        self.series.push(series);
        self.values.push(value);
    }

    pub fn reserve(&mut self, samples: usize) {
        self.series.reserve(samples);
        self.values.reserve(samples);
    }

    pub fn len(&self) -> usize {
        self.series.len()
    }

    pub fn clear(&mut self) {
        self.series.clear();
        self.times.clear();
        self.values.clear();
    }

    #[inline]
    pub fn time(&self, at: usize) -> TimestampMs {
        let at = if self.times.len() == 1 { 0 } else { at };
        self.times.get(at).copied().unwrap_or_default()
    }
}

impl Batch {
    pub fn samples(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64 + self.floats.len() * 6);
        let base = self.floats.times.first().or(self.histograms.first().map(|(_, t, _)| t));
        let base = base.copied().unwrap_or(0);
        write_ivarint(&mut body, base);
        write_uvarint(&mut body, self.definitions.len() as u64);
        for (id, labels) in &self.definitions {
            write_uvarint(&mut body, u64::from(*id));
            write_bytes(&mut body, labels.as_packed());
        }
        self.encode_floats(base, &mut body);
        write_uvarint(&mut body, self.histograms.len() as u64);
        if !self.histograms.is_empty() {
            for (id, t, _) in &self.histograms {
                write_uvarint(&mut body, u64::from(*id));
                write_ivarint(&mut body, t.wrapping_sub(base));
            }
            let values: Vec<_> = self.histograms.iter().map(|(_, _, h)| h.clone()).collect();
            histograms::encode(&values, &mut body);
        }
        write_uvarint(&mut body, self.exemplars.len() as u64);
        for (id, exemplar) in &self.exemplars {
            write_uvarint(&mut body, u64::from(*id));
            write_ivarint(&mut body, exemplar.timestamp.unwrap_or(base).wrapping_sub(base));
            body.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
            write_bytes(&mut body, exemplar.labels.as_packed());
        }
        write_uvarint(&mut body, self.starts.len() as u64);
        let (mut next, mut last) = (0, base);
        for (at, start) in &self.starts {
            write_uvarint(&mut body, (at - next) as u64);
            write_ivarint(&mut body, start.wrapping_sub(last));
            (next, last) = (at + 1, *start);
        }
        super::frame(if self.continues { super::CONTINUED_BATCH } else { super::BATCH }, body)
    }

    fn encode_floats(&self, base: TimestampMs, body: &mut Vec<u8>) {
        let Floats { series, times, values } = &self.floats;
        let own_times = times.len() > 1;
        write_uvarint(body, (series.len() as u64) << 1 | u64::from(own_times));
        let mut next = 0;
        for run in series.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
            let first = run.first().map_or(0, |id| i64::from(*id));
            write_ivarint(body, first - next);
            write_uvarint(body, run.len() as u64);
            next = first + run.len() as i64;
        }
        if own_times {
            times.iter().for_each(|t| write_ivarint(body, t.wrapping_sub(base)));
        }
        values.iter().for_each(|value| value::write(body, *value));
    }

    /// Reads a batch. `spare` lends its memory to the columns.
    pub fn decode(cursor: &mut Cursor<'_>, spare: Floats) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let base = cursor.ivarint().map_err(damaged)?;
        for _ in 0..cursor.count(2).map_err(damaged)? {
            let id = series_id(cursor.uvarint().map_err(damaged)?)?;
            batch.definitions.push((id, labels(cursor)?));
        }
        batch.floats = decode_floats(cursor, base, spare)?;
        let count = cursor.count(2).map_err(damaged)?;
        if count > 0 {
            let mut heads = Vec::with_capacity(count);
            for _ in 0..count {
                let id = series_id(cursor.uvarint().map_err(damaged)?)?;
                heads.push((id, base.wrapping_add(cursor.ivarint().map_err(damaged)?)));
            }
            let mut values = Vec::new();
            histograms::decode(cursor, &mut values).map_err(damaged)?;
            if values.len() != heads.len() {
                return Err(corrupt("histograms without series"));
            }
            batch.histograms.extend(heads.into_iter().zip(values).map(|((id, t), h)| (id, t, h)));
        }
        for _ in 0..cursor.count(11).map_err(damaged)? {
            let id = series_id(cursor.uvarint().map_err(damaged)?)?;
            let timestamp = Some(base.wrapping_add(cursor.ivarint().map_err(damaged)?));
            let value = cursor.f64().map_err(damaged)?;
            batch.exemplars.push((id, Exemplar { labels: labels(cursor)?, value, timestamp }));
        }
        let (mut next, mut start) = (0usize, base);
        for _ in 0..cursor.count(2).map_err(damaged)? {
            let at = next.saturating_add(cursor.usize().map_err(damaged)?);
            if at >= batch.samples() {
                return Err(corrupt("a start time without its sample"));
            }
            start = start.wrapping_add(cursor.ivarint().map_err(damaged)?);
            batch.starts.push((at, start));
            next = at + 1;
        }
        Ok(batch)
    }
}

fn decode_floats(
    cursor: &mut Cursor<'_>,
    base: TimestampMs,
    mut floats: Floats,
) -> Result<Floats, StoreError> {
    floats.clear();

    let head = cursor.uvarint().map_err(damaged)?;
    let own_times = head & 1 == 1;
    // Each value takes a byte at least.
    let count = usize::try_from(head >> 1).unwrap_or(usize::MAX);
    if count > cursor.remaining() || count > SAMPLES_MAX {
        return Err(corrupt("more samples claimed than there can be"));
    }
    floats.series.reserve(count);
    let mut next = 0i64;
    while floats.series.len() < count {
        let first = series_id(next.wrapping_add(cursor.ivarint().map_err(damaged)?) as u64)?;
        let len = cursor.usize().map_err(damaged)?;
        let last = u32::try_from(len).ok().and_then(|len| first.checked_add(len.checked_sub(1)?));
        match last {
            Some(last) if len <= count - floats.series.len() => floats.series.extend(first..=last),
            _ => return Err(corrupt("a run of series is longer than the batch")),
        }
        next = i64::from(first) + len as i64;
    }
    if own_times {
        floats.times.reserve(count);
        for _ in 0..count {
            floats.times.push(base.wrapping_add(cursor.ivarint().map_err(damaged)?));
        }
    } else if count > 0 {
        floats.times.push(base);
    }
    floats.values.reserve(count);
    for _ in 0..count {
        floats.values.push(value::read(cursor).map_err(damaged)?);
    }
    Ok(floats)
}

fn series_id(n: u64) -> Result<SeriesId, StoreError> {
    SeriesId::try_from(n).map_err(|_| corrupt("series id"))
}

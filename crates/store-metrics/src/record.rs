//! Records of the write-ahead log: what a batch or a deletion looks like there. `docs/format/metrics.md`
//! draws the bytes.
//!
//! A batch is mostly samples with one time, so times are told against the first one. Values have no
//! history in the log (concurrent batches would disturb each other's), but most are short decimals, which
//! take one to five bytes. What repeats inside a record, zstd finds.

use std::cell::RefCell;
use std::sync::Arc;

use codec::{Cursor, histograms, unzigzag, write_bytes, write_ivarint, write_uvarint, zigzag};
use index::SeriesId;
use model::{Exemplar, FloatHistogram, Labels, TimestampMs};
use storage::{ErrorKind, StoreError};

const BATCH: u8 = 1;
const DELETION: u8 = 2;
/// Set when the body is compressed.
const COMPRESSED: u8 = 0x80;

/// Smaller bodies have nothing to gain.
const COMPRESS_FROM_BYTES: usize = 256;
/// The fastest level: the log is written once and read only after a crash.
const ZSTD_LEVEL: i32 = 1;
/// Bounds what a damaged length can allocate. Larger bodies are not compressed, so that the log's own limit
/// on records, which is no higher, refuses them.
const RECORD_BYTES_MAX: usize = 32 << 20;

/// Powers of ten a value may be scaled by; the position is the tag. The last tag marks raw bits.
const SCALES: [f64; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e9];
const RAW: u64 = 7;
const TAG_BITS: u32 = 3;
/// Scaled integers must leave room for tag and sign.
const INTEGER_MAX: f64 = (1u64 << 53) as f64;

/// One committed batch.
#[derive(Debug, Default, PartialEq)]
pub struct Batch {
    /// Series whose definition is not yet in this generation of the log.
    pub definitions: Vec<(SeriesId, Labels)>,
    pub floats: Vec<(SeriesId, TimestampMs, f64)>,
    pub histograms: Vec<(SeriesId, TimestampMs, Arc<FloatHistogram>)>,
    pub exemplars: Vec<(SeriesId, Exemplar)>,
    /// Since when samples count: position (floats first, then histograms) and start, ascending.
    pub starts: Vec<(usize, TimestampMs)>,
}

/// Samples removed on request.
#[derive(Debug, PartialEq)]
pub struct Deletion {
    pub mint: TimestampMs,
    pub maxt: TimestampMs,
    pub series: Vec<Labels>,
}

#[derive(Debug, PartialEq)]
pub enum Record {
    Batch(Batch),
    Deletion(Deletion),
}

impl Batch {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(16 + self.floats.len() * 6);
        let base = self.floats.first().map(|(_, t, _)| *t).or(self.histograms.first().map(|(_, t, _)| *t));
        let base = base.unwrap_or(0);
        write_ivarint(&mut body, base);
        write_uvarint(&mut body, self.definitions.len() as u64);
        for (id, labels) in &self.definitions {
            write_uvarint(&mut body, u64::from(*id));
            write_bytes(&mut body, labels.as_packed());
        }
        let same_time = self.floats.iter().all(|(_, t, _)| *t == base);
        write_uvarint(&mut body, (self.floats.len() as u64) << 1 | u64::from(same_time));
        let mut next = 0;
        for (id, t, value) in &self.floats {
            // Scrapes name their series in the order of their birth: the usual step is zero.
            write_ivarint(&mut body, i64::from(*id) - next);
            next = i64::from(*id) + 1;
            if !same_time {
                write_ivarint(&mut body, t.wrapping_sub(base));
            }
            write_value(&mut body, *value);
        }
        write_uvarint(&mut body, self.histograms.len() as u64);
        if !self.histograms.is_empty() {
            for (id, t, _) in &self.histograms {
                write_uvarint(&mut body, u64::from(*id));
                write_ivarint(&mut body, t.wrapping_sub(base));
            }
            histograms::encode(
                &self.histograms.iter().map(|(_, _, h)| h.clone()).collect::<Vec<_>>(),
                &mut body,
            );
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
        frame(BATCH, body)
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        let base = cursor.ivarint().map_err(damaged)?;
        for _ in 0..cursor.count(2).map_err(damaged)? {
            let id = series_id(cursor.uvarint().map_err(damaged)?)?;
            batch.definitions.push((id, labels(cursor)?));
        }
        let head = cursor.uvarint().map_err(damaged)?;
        let same_time = head & 1 == 1;
        if head >> 1 > cursor.remaining() as u64 {
            return Err(corrupt("more samples claimed than there can be"));
        }
        let mut next = 0i64;
        for _ in 0..head >> 1 {
            let id = series_id(next.wrapping_add(cursor.ivarint().map_err(damaged)?) as u64)?;
            next = i64::from(id) + 1;
            let t = if same_time { base } else { base.wrapping_add(cursor.ivarint().map_err(damaged)?) };
            batch.floats.push((id, t, read_value(cursor)?));
        }
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
            if at >= batch.floats.len() + batch.histograms.len() {
                return Err(corrupt("a start time without its sample"));
            }
            start = start.wrapping_add(cursor.ivarint().map_err(damaged)?);
            batch.starts.push((at, start));
            next = at + 1;
        }
        Ok(batch)
    }
}

impl Deletion {
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        write_ivarint(&mut body, self.mint);
        write_ivarint(&mut body, self.maxt);
        write_uvarint(&mut body, self.series.len() as u64);
        self.series.iter().for_each(|labels| write_bytes(&mut body, labels.as_packed()));
        frame(DELETION, body)
    }

    fn decode(cursor: &mut Cursor<'_>) -> Result<Deletion, StoreError> {
        let (mint, maxt) = (cursor.ivarint().map_err(damaged)?, cursor.ivarint().map_err(damaged)?);
        let count = cursor.count(1).map_err(damaged)?;
        let series = (0..count).map(|_| labels(cursor)).collect::<Result<_, _>>()?;
        Ok(Deletion { mint, maxt, series })
    }
}

impl Record {
    pub fn decode(bytes: &[u8]) -> Result<Record, StoreError> {
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u8().map_err(damaged)?;
        let plain;
        if kind & COMPRESSED != 0 {
            let len = cursor.usize().map_err(damaged)?;
            if len > RECORD_BYTES_MAX {
                return Err(corrupt("record too large"));
            }
            let packed = cursor.take(cursor.remaining()).map_err(damaged)?;
            plain = zstd::bulk::decompress(packed, len).map_err(|e| corrupt(&e.to_string()))?;
            cursor = Cursor::new(&plain);
        }
        let record = match kind & !COMPRESSED {
            BATCH => Record::Batch(Batch::decode(&mut cursor)?),
            DELETION => Record::Deletion(Deletion::decode(&mut cursor)?),
            _ => return Err(corrupt("unknown kind")),
        };
        cursor.finish().map_err(damaged)?;
        Ok(record)
    }
}

fn frame(kind: u8, body: Vec<u8>) -> Vec<u8> {
    if (COMPRESS_FROM_BYTES..=RECORD_BYTES_MAX).contains(&body.len())
        && let Some(packed) = compress(&body)
        && packed.len() < body.len()
    {
        let mut record = vec![kind | COMPRESSED];
        write_uvarint(&mut record, body.len() as u64);
        record.extend_from_slice(&packed);
        return record;
    }
    let mut record = Vec::with_capacity(body.len() + 1);
    record.push(kind);
    record.extend_from_slice(&body);
    record
}

/// Making a compressor costs more than compressing a scrape, so each thread keeps one.
fn compress(body: &[u8]) -> Option<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            *compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).ok();
        }
        compressor.as_mut()?.compress(body).ok()
    })
}

fn write_value(out: &mut Vec<u8>, value: f64) {
    for (tag, scale) in SCALES.iter().enumerate() {
        let scaled = (value * scale).round();
        if scaled.abs() < INTEGER_MAX && (scaled / scale).to_bits() == value.to_bits() {
            // −0 passes for 0 as a float, but not as an integer.
            if scaled == 0.0 && value.is_sign_negative() {
                break;
            }
            return write_uvarint(out, zigzag(scaled as i64) << TAG_BITS | tag as u64);
        }
    }
    out.push(RAW as u8);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn read_value(cursor: &mut Cursor<'_>) -> Result<f64, StoreError> {
    let head = cursor.uvarint().map_err(damaged)?;
    let tag = head & ((1 << TAG_BITS) - 1);
    match SCALES.get(tag as usize) {
        Some(scale) => Ok(unzigzag(head >> TAG_BITS) as f64 / scale),
        None => cursor.f64().map_err(damaged),
    }
}

fn series_id(n: u64) -> Result<SeriesId, StoreError> {
    SeriesId::try_from(n).map_err(|_| corrupt("series id"))
}

fn labels(cursor: &mut Cursor<'_>) -> Result<Labels, StoreError> {
    Labels::from_packed(cursor.bytes().map_err(damaged)?).map_err(|e| corrupt(&e.to_string()))
}

fn damaged(error: codec::CodecError) -> StoreError {
    corrupt(error.0)
}

fn corrupt(what: &str) -> StoreError {
    StoreError::new(ErrorKind::Corrupt, format!("log record: {what}"))
}

#[cfg(test)]
mod tests {
    use model::stale_nan;
    use proptest::prelude::*;

    use super::*;

    fn labels(i: u32) -> Labels {
        Labels::from_pairs([("__name__", "m".to_owned()), ("i", i.to_string())])
    }

    #[test]
    fn everything_comes_back() {
        let histogram = Arc::new(FloatHistogram { count: 2.0, sum: 3.5, ..FloatHistogram::default() });
        let exemplar = Exemplar { labels: labels(9), value: 0.5, timestamp: Some(1_000_007) };
        let batch = Batch {
            definitions: (0..300).map(|i| (i, labels(i))).collect(),
            floats: (0..300).map(|i| (i, 1_000_000, f64::from(i) / 10.0)).collect(),
            histograms: vec![(7, 1_000_000, histogram)],
            exemplars: vec![(7, exemplar)],
            starts: vec![(0, 999_000), (1, 999_000), (7, -5), (300, 1_000_000)],
        };
        assert_eq!(Record::decode(&batch.encode()).unwrap(), Record::Batch(batch));
        let deletion = Deletion { mint: i64::MIN, maxt: i64::MAX, series: vec![labels(1), Labels::empty()] };
        assert_eq!(Record::decode(&deletion.encode()).unwrap(), Record::Deletion(deletion));
    }

    #[test]
    fn values_keep_their_bits() {
        for value in
            [0.0, -0.0, 1.5, -1.5, 1e300, 0.1 + 0.2, stale_nan(), f64::NAN, f64::INFINITY, 9e15, 1e-9]
        {
            let mut bytes = Vec::new();
            write_value(&mut bytes, value);
            assert_eq!(read_value(&mut Cursor::new(&bytes)).unwrap().to_bits(), value.to_bits(), "{value}");
        }
    }

    #[test]
    fn a_scrape_takes_few_bytes_a_sample() {
        let value = |i: u32| match i % 3 {
            0 => 0.0,
            1 => f64::from(i) * 1_000.0,
            _ => f64::from(i) * 0.37,
        };
        let floats: Vec<_> = (0..900).map(|i| (i, 1_700_000_000_000, value(i))).collect();
        let bytes = Batch { floats, ..Batch::default() }.encode().len();
        assert!(bytes <= 4 * 900, "{bytes} bytes for 900 samples");
    }

    proptest! {
        #[test]
        fn any_floats_come_back(floats in proptest::collection::vec((any::<u32>(), any::<i64>(), any::<u64>()), 0..60)) {
            let floats: Vec<_> = floats.into_iter().map(|(id, t, bits)| (id, t, f64::from_bits(bits))).collect();
            let record = Batch { floats: floats.clone(), ..Batch::default() }.encode();
            let Record::Batch(batch) = Record::decode(&record).unwrap() else { panic!("not a batch") };
            let bits = |all: &[(u32, i64, f64)]| all.iter().map(|(i, t, v)| (*i, *t, v.to_bits())).collect::<Vec<_>>();
            prop_assert_eq!(bits(&batch.floats), bits(&floats));
        }

        #[test]
        fn damage_is_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..3) {
            let _ = Record::decode(&[&[kind][..], &bytes].concat());
        }
    }
}

//! Floats of one series, bit-exact: NaN payloads (staleness markers), −0 and all.
//!
//! Most monitoring values are short decimals: counters, byte sizes, percentages, seconds with a few
//! digits. Scaled by a common power of ten they are integers whose deltas are small and repetitive, which
//! zstd then squeezes to a fraction of what XOR coding needs (0.58 against 1.48 bytes a sample on
//! node_exporter data with aligned timestamps). What is no short decimal goes into an exception list, and
//! a column with many of those is XOR-coded as in Facebook's Gorilla (Pelkonen et al., VLDB 2015).
//!
//! Layouts: *constant*; *decimal* with the integers themselves, their *delta*s or deltas of deltas
//! (*linear*); *xor*. [`encode_tight`] takes longer and knows two more, which entropy-code what their
//! predictions leave over (see [`residuals`]): *packed decimal*, and *packed bits*
//! for values that are no decimals but move little.

use crate::bits::{BitReader, BitWriter};
use crate::residuals::{self, Plan};
use crate::varint::{Cursor, uvarint_len, write_bytes, write_ivarint, write_uvarint, zigzag};
use crate::{COLUMN_VALUES_MAX, CodecError};

const CONSTANT: u8 = 0;
const DECIMAL: u8 = 1;
const DECIMAL_DELTA: u8 = 2;
const DECIMAL_LINEAR: u8 = 3;
const XOR: u8 = 4;
const PACKED_DECIMAL: u8 = 5;
const PACKED_BITS: u8 = 6;

/// Integers below 2^53 are exact in a float, and so is their quotient by an exact power of ten: rounded
/// once, the same way when encoding and decoding.
const INTEGER_MAX: f64 = (1u64 << 53) as f64;

/// 17 digits are the most that a float needs; longer scales cannot pass [`INTEGER_MAX`] for values of
/// interest, and powers of ten are exact up to 10^22.
const SCALE_MAX: usize = 15;

const POWERS: [f64; SCALE_MAX + 1] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// One value in this many may be an exception.
const EXCEPTION_SHARE: usize = 8;

/// Below this a table of codes costs more than it saves.
const TIGHT_VALUES_MIN: usize = 24;

/// Varints shrink under zstd by half and more, XOR bits hardly at all.
const DECIMAL_BONUS: usize = 2;

/// Appends the column. At most [`COLUMN_VALUES_MAX`] values.
pub fn encode(values: &[f64], out: &mut Vec<u8>) {
    assert!(values.len() <= COLUMN_VALUES_MAX, "column of {} values", values.len());
    let first = values.first().copied().unwrap_or(0.0).to_bits();
    if values.iter().all(|value| value.to_bits() == first) {
        out.push(CONSTANT);
        write_uvarint(out, values.len() as u64);
        out.extend_from_slice(&first.to_le_bytes());
        return;
    }
    let mut xor = Vec::new();
    encode_xor(values, &mut xor);
    match Decimals::of(values) {
        Some(decimals) if decimals.bytes / DECIMAL_BONUS <= xor.len() => decimals.write(values, out),
        _ => {
            out.push(XOR);
            write_uvarint(out, values.len() as u64);
            write_bytes(out, &xor);
        }
    }
}

/// As [`encode`], for columns that are written once and kept for long: smaller by a sixth and slower.
/// Nothing is left for zstd to gain.
pub fn encode_tight(values: &[f64], out: &mut Vec<u8>) {
    let start = out.len();
    let first = values.first().copied().unwrap_or(0.0).to_bits();
    if values.len() < TIGHT_VALUES_MIN || values.iter().all(|value| value.to_bits() == first) {
        return encode(values, out);
    }
    if let Some(decimals) = Decimals::of(values) {
        let (layout, residuals) = least_noise(&decimals.integers);
        let plan = Plan::of(&residuals);
        out.push(PACKED_DECIMAL);
        write_uvarint(out, values.len() as u64);
        out.push(layout);
        decimals.write_head(values, out);
        plan.write(&residuals, out);
        // Exceptions may be so many that they cost more than they save.
        if decimals.exceptions.is_empty() || out.len() - start < values.len() * 2 {
            return;
        }
        out.truncate(start);
    }
    let ordered: Vec<i64> = values.iter().map(|value| to_ordered(*value)).collect();
    let (layout, residuals) = least_noise(&ordered);
    let plan = Plan::of(&residuals);
    let mut bytes = Vec::new();
    encode(values, &mut bytes);
    if plan.bytes < bytes.len() {
        out.push(PACKED_BITS);
        write_uvarint(out, values.len() as u64);
        out.push(layout);
        plan.write(&residuals, out);
    } else {
        out.extend_from_slice(&bytes);
    }
}

/// Replaces `out` by the column's values.
pub fn decode(cursor: &mut Cursor<'_>, out: &mut Vec<f64>) -> Result<(), CodecError> {
    out.clear();
    let layout = cursor.u8()?;
    let count = cursor.count(0)?;
    match layout {
        CONSTANT => out.resize(count, cursor.f64()?),
        DECIMAL..=DECIMAL_LINEAR => decode_decimals(cursor, layout, count, out)?,
        PACKED_DECIMAL => decode_packed_decimals(cursor, count, out)?,
        PACKED_BITS => {
            let mut predictor = Predictor::new(read_predictor(cursor)?);
            residuals::read(cursor, count, |residual| {
                let ordered = predictor.next().wrapping_add(residual);
                predictor.saw(ordered);
                out.push(from_ordered(ordered));
            })?;
        }
        XOR => {
            let bits = cursor.bytes()?;
            // 64 bits for the first value and at least one for every other.
            if count > bits.len().saturating_mul(8) {
                return Err(CodecError("floats: more values claimed than there can be"));
            }
            decode_xor(bits, count, out)?;
        }
        _ => return Err(CodecError("floats: unknown layout")),
    }
    Ok(())
}

/// A column seen as integers over a common power of ten.
struct Decimals {
    layout: u8,
    scale: usize,
    /// An exception repeats the integer before it, which costs least in every layout.
    integers: Vec<i64>,
    exceptions: Vec<usize>,
    bytes: usize,
}

impl Decimals {
    /// `None` when too many values are no short decimals.
    fn of(values: &[f64]) -> Option<Decimals> {
        let exceptions_max = values.len() / EXCEPTION_SHARE + 1;
        let mut scale = 0;
        let mut misses = 0;
        for &value in values {
            // Values that fit the scale so far, which is nearly all, cost one test.
            match (scale..=SCALE_MAX).find(|scale| to_integer(value, *scale).is_some()) {
                Some(needed) => scale = needed,
                None => misses += 1,
            }
            if misses > exceptions_max {
                return None;
            }
        }
        // A scale that later values asked for may be too large for earlier ones.
        let mut integers = Vec::with_capacity(values.len());
        let mut exceptions = Vec::new();
        for (index, &value) in values.iter().enumerate() {
            let integer = to_integer(value, scale).unwrap_or_else(|| {
                exceptions.push(index);
                integers.last().copied().unwrap_or(0)
            });
            integers.push(integer);
        }
        if exceptions.len() > exceptions_max {
            return None;
        }
        let (layout, bytes) = cheapest_layout(&integers);
        let bytes = bytes + exceptions.len() * 10;
        Some(Decimals { layout, scale, integers, exceptions, bytes })
    }

    fn write(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(self.layout);
        write_uvarint(out, values.len() as u64);
        self.write_head(values, out);
        let mut predictor = Predictor::new(self.layout);
        for &integer in &self.integers {
            write_ivarint(out, integer.wrapping_sub(predictor.next()));
            predictor.saw(integer);
        }
    }

    /// Scale and exceptions.
    fn write_head(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(self.scale as u8);
        write_uvarint(out, self.exceptions.len() as u64);
        let mut previous = 0;
        for &index in &self.exceptions {
            write_uvarint(out, (index - previous) as u64);
            out.extend_from_slice(&values[index].to_bits().to_le_bytes());
            previous = index;
        }
    }
}

/// The layout whose residuals scatter least, with them. What they have in common costs nothing: a counter
/// that grows by about the same each time is best told by its deltas, though they are large.
fn least_noise(integers: &[i64]) -> (u8, Vec<i64>) {
    let mut best = (DECIMAL, Vec::new(), u64::MAX);
    for layout in [DECIMAL_DELTA, DECIMAL, DECIMAL_LINEAR] {
        let residuals = residuals_of(layout, integers);
        // The first value is not predicted by anything.
        let scattered = residuals.get(1..).unwrap_or_default();
        let sum: i128 = scattered.iter().map(|r| i128::from(*r)).sum();
        let mean = (sum / scattered.len().max(1) as i128) as i64;
        let digits = |r: &i64| u64::from(u64::BITS - r.wrapping_sub(mean).unsigned_abs().leading_zeros());
        let noise = scattered.iter().map(digits).sum();
        if noise < best.2 {
            best = (layout, residuals, noise);
        }
    }
    (best.0, best.1)
}

/// What the predictions of a layout leave over.
fn residuals_of(layout: u8, integers: &[i64]) -> Vec<i64> {
    let mut predictor = Predictor::new(layout);
    let residual = |integer: &i64| {
        let residual = integer.wrapping_sub(predictor.next());
        predictor.saw(*integer);
        residual
    };
    integers.iter().map(residual).collect()
}

/// Floats as integers of the same order, neighbours next to each other.
fn to_ordered(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

fn from_ordered(ordered: i64) -> f64 {
    f64::from_bits((ordered ^ (((ordered >> 63) as u64) >> 1) as i64) as u64)
}

/// The integer that stands for `value` at this scale, if decoding it gives the very same bits.
fn to_integer(value: f64, scale: usize) -> Option<i64> {
    let scaled = (value * POWERS[scale]).round();
    let exact = scaled.abs() < INTEGER_MAX && (scaled / POWERS[scale]).to_bits() == value.to_bits();
    // −0 passes the float test, but an integer has no sign of zero.
    (exact && !(scaled == 0.0 && value.is_sign_negative())).then_some(scaled as i64)
}

fn cheapest_layout(integers: &[i64]) -> (u8, usize) {
    let mut best = (DECIMAL, usize::MAX);
    for layout in [DECIMAL, DECIMAL_DELTA, DECIMAL_LINEAR] {
        let mut predictor = Predictor::new(layout);
        let mut bytes = 0;
        for &integer in integers {
            bytes += uvarint_len(zigzag(integer.wrapping_sub(predictor.next())));
            predictor.saw(integer);
        }
        if bytes < best.1 {
            best = (layout, bytes);
        }
    }
    best
}

/// What a layout expects the next integer to be; only the difference is stored.
struct Predictor {
    layout: u8,
    last: i64,
    delta: i64,
    seen: u8,
}

impl Predictor {
    fn new(layout: u8) -> Predictor {
        Predictor { layout, last: 0, delta: 0, seen: 0 }
    }

    fn next(&self) -> i64 {
        match self.layout {
            DECIMAL => 0,
            DECIMAL_DELTA => self.last,
            _ => self.last.wrapping_add(self.delta),
        }
    }

    fn saw(&mut self, integer: i64) {
        // The way from nothing to the first value is no trend.
        if self.seen > 0 {
            self.delta = integer.wrapping_sub(self.last);
        }
        self.seen = 1;
        self.last = integer;
    }
}

fn decode_decimals(
    cursor: &mut Cursor<'_>,
    layout: u8,
    count: usize,
    out: &mut Vec<f64>,
) -> Result<(), CodecError> {
    if count > cursor.remaining() {
        return Err(CodecError("floats: more values claimed than there can be"));
    }
    let (power, patches) = read_head(cursor)?;
    out.reserve_exact(count);
    // One loop for each way of predicting, and division as one of its own: the compiler makes several
    // divisions at a time of that.
    let (mut integer, mut delta) = (0i64, 0i64);
    for at in 0..count {
        let residual = cursor.ivarint()?;
        match layout {
            DECIMAL => integer = residual,
            DECIMAL_LINEAR if at > 1 => {
                delta = delta.wrapping_add(residual);
                integer = integer.wrapping_add(delta);
            }
            _ => {
                // The way from nothing to the first value is no trend.
                delta = residual;
                integer = integer.wrapping_add(residual);
            }
        }
        out.push(integer as f64);
    }
    if power != 1.0 {
        out.iter_mut().for_each(|value| *value /= power);
    }
    patch(out, patches)
}

fn decode_packed_decimals(
    cursor: &mut Cursor<'_>,
    count: usize,
    out: &mut Vec<f64>,
) -> Result<(), CodecError> {
    let mut predictor = Predictor::new(read_predictor(cursor)?);
    let (power, patches) = read_head(cursor)?;
    residuals::read(cursor, count, |residual| {
        let integer = predictor.next().wrapping_add(residual);
        predictor.saw(integer);
        out.push(integer as f64 / power);
    })?;
    patch(out, patches)
}

fn read_predictor(cursor: &mut Cursor<'_>) -> Result<u8, CodecError> {
    match cursor.u8()? {
        layout @ DECIMAL..=DECIMAL_LINEAR => Ok(layout),
        _ => Err(CodecError("floats: unknown prediction")),
    }
}

/// Power of ten and exceptions.
fn read_head(cursor: &mut Cursor<'_>) -> Result<(f64, Vec<(usize, f64)>), CodecError> {
    let power =
        *POWERS.get(usize::from(cursor.u8()?)).ok_or(CodecError("floats: impossible power of ten"))?;
    let exceptions = cursor.count(9)?;
    let mut patches = Vec::with_capacity(exceptions);
    let mut index = 0usize;
    for _ in 0..exceptions {
        index = index.checked_add(cursor.usize()?).ok_or(CodecError("floats: exception index"))?;
        patches.push((index, cursor.f64()?));
    }
    Ok((power, patches))
}

fn patch(out: &mut [f64], patches: Vec<(usize, f64)>) -> Result<(), CodecError> {
    for (index, value) in patches {
        *out.get_mut(index).ok_or(CodecError("floats: exception index"))? = value;
    }
    Ok(())
}

/// Leading zeros are stored in five bits.
const LEADING_MAX: u32 = 31;

fn encode_xor(values: &[f64], out: &mut Vec<u8>) {
    let mut bits = BitWriter::new(out);
    let mut previous = 0;
    let mut window: Option<(u32, u32)> = None;
    for (index, value) in values.iter().enumerate() {
        let value = value.to_bits();
        let xor = value ^ previous;
        previous = value;
        if index == 0 {
            bits.write(value, 64);
            continue;
        }
        if xor == 0 {
            bits.write(0, 1);
            continue;
        }
        let leading = xor.leading_zeros().min(LEADING_MAX);
        let trailing = xor.trailing_zeros();
        match window {
            Some((l, t)) if leading >= l && trailing >= t => {
                bits.write(0b10, 2);
                bits.write(xor >> t, 64 - l - t);
            }
            _ => {
                let width = 64 - leading - trailing;
                bits.write(0b11, 2);
                bits.write(u64::from(leading), 5);
                bits.write(u64::from(width - 1), 6);
                bits.write(xor >> trailing, width);
                window = Some((leading, trailing));
            }
        }
    }
    bits.finish();
}

fn decode_xor(bytes: &[u8], count: usize, out: &mut Vec<f64>) -> Result<(), CodecError> {
    let mut bits = BitReader::new(bytes);
    let mut value = 0;
    let mut window: Option<(u32, u32)> = None;
    out.reserve_exact(count);
    for index in 0..count {
        if index == 0 {
            value = bits.read(64)?;
        } else if bits.read(1)? == 1 {
            if bits.read(1)? == 1 {
                let leading = bits.read(5)? as u32;
                let width = bits.read(6)? as u32 + 1;
                let trailing =
                    64u32.checked_sub(leading + width).ok_or(CodecError("floats: impossible bit window"))?;
                window = Some((leading, trailing));
            }
            let (leading, trailing) = window.ok_or(CodecError("floats: bit window missing"))?;
            value ^= bits.read(64 - leading - trailing)? << trailing;
        }
        out.push(f64::from_bits(value));
    }
    Ok(())
}

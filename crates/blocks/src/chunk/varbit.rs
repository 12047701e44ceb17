//! Integers of few bits, and the other small encodings that chunks are made of.
//!
//! ```text
//! prefix       0  10  110  1110  11110  111110  1111110  11111110  11111111
//! payload bits 0   3    6     9     12      18       25        56        64
//! ```
//!
//! A signed payload of `n` bits covers `-(2^(n-1) - 1) ..= 2^(n-1)`: one more above zero than below.

use codec::{BitReader, BitWriter, CodecError, unzigzag, zigzag};

/// Payload widths by the number of ones that lead the prefix.
const WIDTHS: [u32; 9] = [0, 3, 6, 9, 12, 18, 25, 56, 64];

fn write_prefixed(out: &mut BitWriter, class: usize, payload: u64) {
    // All classes but the last end their ones with a zero.
    let (ones, end) = if class == 8 { (8, 0) } else { (class as u32, 1) };
    out.write(((1 << ones) - 1) << end, ones + end);
    out.write(payload, WIDTHS[class]);
}

/// The class of the next number and its payload.
fn read_prefixed(bits: &mut BitReader) -> Result<(u32, u64), CodecError> {
    let mut class = 0;
    while class < 8 && bits.read(1)? == 1 {
        class += 1;
    }
    let width = WIDTHS[class];
    Ok((width, bits.read(width)?))
}

pub fn write_int(out: &mut BitWriter, n: i64) {
    let class = (0..8).find(|&class| in_range(n, WIDTHS[class])).unwrap_or(8);
    write_prefixed(out, class, n as u64);
}

pub fn read_int(bits: &mut BitReader) -> Result<i64, CodecError> {
    let (width, payload) = read_prefixed(bits)?;
    Ok(extend(payload, width))
}

pub fn write_uint(out: &mut BitWriter, n: u64) {
    let class = (0..8).find(|&class| n >> WIDTHS[class] == 0).unwrap_or(8);
    write_prefixed(out, class, n);
}

pub fn read_uint(bits: &mut BitReader) -> Result<u64, CodecError> {
    read_prefixed(bits).map(|(_, payload)| payload)
}

/// Whether `width` bits hold `n`, in the lopsided range of the module header.
pub fn in_range(n: i64, width: u32) -> bool {
    match width {
        0 => n == 0,
        64 => true,
        _ => {
            let high = 1i64 << (width - 1);
            -(high - 1) <= n && n <= high
        }
    }
}

/// The signed number that [`in_range`] put into `width` bits.
pub fn extend(payload: u64, width: u32) -> i64 {
    if (1..64).contains(&width) && payload > 1 << (width - 1) {
        payload.wrapping_sub(1 << width) as i64
    } else {
        payload as i64
    }
}

/// A byte-wise varint at any bit position.
pub fn write_uvarint(out: &mut BitWriter, mut n: u64) {
    while n >= 0x80 {
        out.write(n & 0x7f | 0x80, 8);
        n >>= 7;
    }
    out.write(n, 8);
}

pub fn read_uvarint(bits: &mut BitReader) -> Result<u64, CodecError> {
    let mut n = 0u64;
    for i in 0..10 {
        let byte = bits.read(8)?;
        if i == 9 && byte > 1 {
            break;
        }
        n |= (byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(n);
        }
    }
    Err(CodecError("varint exceeds 64 bits"))
}

pub fn write_varint(out: &mut BitWriter, n: i64) {
    write_uvarint(out, zigzag(n));
}

pub fn read_varint(bits: &mut BitReader) -> Result<i64, CodecError> {
    read_uvarint(bits).map(unzigzag)
}

/// A histogram's zero threshold: one byte for zero and for the powers of two from 2^-243 to 2^10, else nine.
pub fn write_zero_threshold(out: &mut BitWriter, threshold: f64) {
    let bits = threshold.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    if threshold == 0.0 {
        out.write(0, 8);
    } else if bits << 12 == 0 && (-243..=10).contains(&exponent) {
        out.write((exponent + 244) as u64, 8);
    } else {
        out.write(255, 8);
        out.write(bits, 64);
    }
}

pub fn read_zero_threshold(bits: &mut BitReader) -> Result<f64, CodecError> {
    Ok(match bits.read(8)? {
        0 => 0.0,
        255 => f64::from_bits(bits.read(64)?),
        byte => f64::from_bits((byte + 1023 - 244) << 52),
    })
}

/// The largest number of thousandths that a custom bound is written as.
const THOUSANDTHS_MAX: f64 = 33_554_430.0;

/// The bound of a custom bucket: whole thousandths plus one as a short number, else a zero bit and all 64.
pub fn write_bound(out: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    if (0.0..=THOUSANDTHS_MAX).contains(&thousandths) && thousandths.fract() == 0.0 {
        write_uint(out, thousandths as u64 + 1);
    } else {
        out.write(0, 1);
        out.write(bound.to_bits(), 64);
    }
}

pub fn read_bound(bits: &mut BitReader) -> Result<f64, CodecError> {
    match read_uint(bits)? {
        0 => Ok(f64::from_bits(bits.read(64)?)),
        n => Ok((n - 1) as f64 / 1000.0),
    }
}

//! One float on its own, in as few bytes as its decimal form allows.
//!
//! ```text
//! value = (zigzag(m)·8 + scale) uvarint      m / SCALES[scale] is the value
//!       | 7 u8, f64                          any other bits
//! ```

use codec::{CodecError, Cursor, unzigzag, write_uvarint, zigzag};

/// Powers of ten a value may be scaled by; the position is the tag. The last tag marks raw bits.
const SCALES: [f64; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e9];
const RAW: u64 = 7;
const TAG_BITS: u32 = 3;
/// Scaled integers must leave room for tag and sign.
const INTEGER_MAX: f64 = (1u64 << 53) as f64;

#[inline]
pub fn write(out: &mut Vec<u8>, value: f64) {
    // Every second value in the world is a whole number; no division is needed to see it.
    let whole = value as i64;
    if (whole as f64).to_bits() == value.to_bits() && whole.unsigned_abs() < 1 << 53 {
        return write_uvarint(out, zigzag(whole) << TAG_BITS);
    }
    write_scaled(out, value);
}

fn write_scaled(out: &mut Vec<u8>, value: f64) {
    for (tag, scale) in SCALES.iter().enumerate().skip(1) {
        let scaled = (value * scale).round();
        // −0 passes for 0 as a float, but not as an integer; nothing else rounds to zero and back.
        if scaled.abs() < INTEGER_MAX && scaled != 0.0 && (scaled / scale).to_bits() == value.to_bits() {
            return write_uvarint(out, zigzag(scaled as i64) << TAG_BITS | tag as u64);
        }
    }
    out.push(RAW as u8);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

#[inline]
pub fn read(cursor: &mut Cursor<'_>) -> Result<f64, CodecError> {
    let head = cursor.uvarint()?;
    let integer = unzigzag(head >> TAG_BITS) as f64;
    match (head & ((1 << TAG_BITS) - 1)) as usize {
        0 => Ok(integer),
        tag => match SCALES.get(tag) {
            Some(scale) => Ok(integer / scale),
            None => cursor.f64(),
        },
    }
}

#[cfg(test)]
mod tests {
    use model::stale_nan;
    use proptest::prelude::*;

    use super::*;

    fn check(value: f64) {
        let mut bytes = Vec::new();
        write(&mut bytes, value);
        assert_eq!(read(&mut Cursor::new(&bytes)).unwrap().to_bits(), value.to_bits(), "{value}");
    }

    #[test]
    fn values_keep_their_bits() {
        for value in [0.0, -0.0, 1.5, -1.5, 1e300, 0.1 + 0.2, 9e15, -9e15, 1e-9, -1e-9, 1e-300] {
            check(value);
        }
        for value in [stale_nan(), f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN, 2f64.powi(53)] {
            check(value);
        }
    }

    proptest! {
        #[test]
        fn any_value_keeps_its_bits(bits in any::<u64>(), decimal in any::<i32>(), digits in 0..10i32) {
            check(f64::from_bits(bits));
            check(f64::from(decimal) / 10f64.powi(digits));
        }
    }
}

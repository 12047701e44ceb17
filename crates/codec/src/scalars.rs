//! Single floats without neighbours to compare with: most measured values are short decimals, which take one
//! to five bytes as scaled integers; all others keep their bits.

use crate::CodecError;
use crate::varint::{Cursor, unzigzag, write_uvarint, zigzag};

/// Powers of ten a value may be scaled by; the position is the tag. The last tag marks raw bits.
const SCALES: [f64; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e9];
const RAW: u64 = 7;
const TAG_BITS: u32 = 3;
/// Scaled integers must leave room for tag and sign.
const INTEGER_MAX: f64 = (1u64 << 53) as f64;

/// Appends one value, bit-exact.
pub fn write(value: f64, out: &mut Vec<u8>) {
    // −0 passes for 0 as a float, but not as an integer.
    if value != 0.0 || value.is_sign_positive() {
        for (tag, scale) in SCALES.iter().enumerate() {
            let scaled = (value * scale).round();
            if scaled.abs() < INTEGER_MAX && (scaled / scale).to_bits() == value.to_bits() {
                return write_uvarint(out, zigzag(scaled as i64) << TAG_BITS | tag as u64);
            }
        }
    }
    out.push(RAW as u8);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// Reads one value.
pub fn read(cursor: &mut Cursor<'_>) -> Result<f64, CodecError> {
    let head = cursor.uvarint()?;
    match SCALES.get((head & RAW) as usize) {
        Some(scale) => Ok(unzigzag(head >> TAG_BITS) as f64 / scale),
        None => cursor.f64(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn length_of(value: f64) -> usize {
        let mut bytes = Vec::new();
        write(value, &mut bytes);
        let back = read(&mut Cursor::new(&bytes)).unwrap();
        assert_eq!(back.to_bits(), value.to_bits(), "{value}");
        bytes.len()
    }

    #[test]
    fn short_decimals_are_short_and_everything_is_exact() {
        assert_eq!((length_of(0.0), length_of(7.0), length_of(0.25)), (1, 1, 2));
        let stale = f64::from_bits(0x7ff0_0000_0000_0002);
        for value in [-0.0, 0.1 + 0.2, 1e300, -1e-300, f64::NAN, stale, f64::INFINITY, f64::MIN, 9e15] {
            assert!(length_of(value) <= 10, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bits_come_back(bits in any::<u64>()) {
            length_of(f64::from_bits(bits));
        }
    }
}

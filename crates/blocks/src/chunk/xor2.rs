//! XOR2 chunks: time and value share their control bits, an unchanged sample on the grid takes one bit.
//!
//! ```text
//! chunk   = u16 count, u8 start-time header, varint t0, u64 v0, uvarint t1-t0, value, { joint }*
//! joint   = 0 (on the grid, unchanged) | 10 changed | 110 i13 value | 1110 i20 value | 11110 i64 value
//!         | 11111 (on the grid, staleness marker)
//! value   = 0 (unchanged) | 10 in the window of before | 110 window | 111 staleness marker
//! changed = 0 in the window of before | 1 window
//! ```
//!
//! Unlike XOR's, the signed payloads are plain two's complement. Staleness markers leave the value that the
//! next sample is compared with as it was.

use codec::{BitReader, CodecError};
use model::{STALE_NAN_BITS, stale_nan};
use storage::metrics::SampleColumns;

use super::start_times::StartTimes;
use super::varbit;
use super::xor::XorValue;

/// Appends a chunk's samples to `out`.
pub fn decode(data: &[u8], out: &mut SampleColumns) -> Result<(), CodecError> {
    let Some((&[high, low, header], rest)) = data.split_first_chunk::<3>() else {
        return Err(CodecError("chunk without a header"));
    };
    let count = usize::from(u16::from_be_bytes([high, low]));
    let mut starts = StartTimes::new(header);
    let mut bits = BitReader::new(rest);
    let (mut t, mut step) = (0i64, 0i64);
    let mut baseline = XorValue::reader(0);
    for i in 0..count {
        let before = t;
        let v = match i {
            0 => {
                t = varbit::read_varint(&mut bits)?;
                let first = bits.read(64)?;
                if first != STALE_NAN_BITS {
                    baseline.bits = first;
                }
                f64::from_bits(first)
            }
            1 => {
                step = varbit::read_uvarint(&mut bits)? as i64;
                t = t.wrapping_add(step);
                read_value(&mut bits, &mut baseline)?
            }
            _ => read_joint(&mut bits, &mut t, &mut step, &mut baseline)?,
        };
        let start = starts.read(&mut bits, i, t, before)?;
        if start != 0 {
            out.start_times.push((t, start));
        }
        out.float_times.push(t);
        out.floats.push(v);
    }
    Ok(())
}

fn read_joint(
    bits: &mut BitReader,
    t: &mut i64,
    step: &mut i64,
    baseline: &mut XorValue,
) -> Result<f64, CodecError> {
    let mut ones = 0;
    while ones < 5 && bits.read(1)? == 1 {
        ones += 1;
    }
    let width = match ones {
        2 => 13,
        3 => 20,
        4 => 64,
        _ => 0,
    };
    if width > 0 {
        let shift = 64 - width;
        let change = ((bits.read(width)? << shift) as i64) >> shift;
        *step = step.wrapping_add(change);
    }
    *t = t.wrapping_add(*step);
    match ones {
        0 => Ok(f64::from_bits(baseline.bits)),
        1 => {
            if bits.read(1)? == 1 {
                baseline.read_window(bits)?;
            } else {
                baseline.read_in_window(bits)?;
            }
            Ok(f64::from_bits(baseline.bits))
        }
        5 => Ok(stale_nan()),
        _ => read_value(bits, baseline),
    }
}

fn read_value(bits: &mut BitReader, baseline: &mut XorValue) -> Result<f64, CodecError> {
    if bits.read(1)? == 1 {
        if bits.read(1)? == 0 {
            baseline.read_in_window(bits)?;
        } else if bits.read(1)? == 0 {
            baseline.read_window(bits)?;
        } else {
            return Ok(stale_nan());
        }
    }
    Ok(f64::from_bits(baseline.bits))
}

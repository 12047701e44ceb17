//! Unsigned integers of any kind: ids, lengths, offsets, durations, dictionary codes.
//!
//! Layouts: *constant*; *varint*; *delta* (zigzag varints of wrapping differences, for sorted or slowly
//! moving values); *packed* (minimum, then every value's distance from it in the same number of bits).

use crate::bits::{BitReader, BitWriter};
use crate::varint::{Cursor, uvarint_len, write_ivarint, write_uvarint, zigzag};
use crate::{COLUMN_VALUES_MAX, CodecError};

const CONSTANT: u8 = 0;
const VARINT: u8 = 1;
const DELTA: u8 = 2;
const PACKED: u8 = 3;

/// Appends the column. At most [`COLUMN_VALUES_MAX`] values.
pub fn encode(values: &[u64], out: &mut Vec<u8>) {
    assert!(values.len() <= COLUMN_VALUES_MAX, "column of {} values", values.len());
    let first = values.first().copied().unwrap_or(0);
    let (mut min, mut max) = (first, first);
    let (mut varint_bytes, mut delta_bytes, mut previous) = (0, 0, 0);
    for &value in values {
        min = min.min(value);
        max = max.max(value);
        varint_bytes += uvarint_len(value);
        delta_bytes += uvarint_len(zigzag(value.wrapping_sub(previous) as i64));
        previous = value;
    }
    let width = u64::BITS - (max - min).leading_zeros();
    let packed_bytes = uvarint_len(min) + 1 + (values.len() * width as usize).div_ceil(8);
    let best = varint_bytes.min(delta_bytes).min(packed_bytes);

    let layout = match () {
        () if min == max => CONSTANT,
        () if best == varint_bytes => VARINT,
        () if best == delta_bytes => DELTA,
        () => PACKED,
    };
    out.push(layout);
    write_uvarint(out, values.len() as u64);
    match layout {
        CONSTANT => write_uvarint(out, first),
        VARINT => values.iter().for_each(|&value| write_uvarint(out, value)),
        DELTA => {
            let mut previous = 0;
            for &value in values {
                write_ivarint(out, value.wrapping_sub(previous) as i64);
                previous = value;
            }
        }
        _ => {
            write_uvarint(out, min);
            out.push(width as u8);
            let mut bits = BitWriter::new(out);
            for &value in values {
                bits.write(value - min, width);
            }
            bits.finish();
        }
    }
}

/// Replaces `out` by the column's values.
pub fn decode(cursor: &mut Cursor<'_>, out: &mut Vec<u64>) -> Result<(), CodecError> {
    out.clear();
    let layout = cursor.u8()?;
    let count = cursor.count(usize::from(layout == VARINT || layout == DELTA))?;
    match layout {
        CONSTANT => out.resize(count, cursor.uvarint()?),
        VARINT => {
            out.reserve_exact(count);
            for _ in 0..count {
                out.push(cursor.uvarint()?);
            }
        }
        DELTA => {
            out.reserve_exact(count);
            let mut value = 0u64;
            for _ in 0..count {
                value = value.wrapping_add(cursor.ivarint()? as u64);
                out.push(value);
            }
        }
        PACKED => {
            let min = cursor.uvarint()?;
            let width = u32::from(cursor.u8()?);
            if width > u64::BITS {
                return Err(CodecError("integers: impossible width"));
            }
            let packed = cursor.take((count * width as usize).div_ceil(8))?;
            let mut bits = BitReader::new(packed);
            out.reserve_exact(count);
            for _ in 0..count {
                out.push(min.wrapping_add(bits.read(width)?));
            }
        }
        _ => return Err(CodecError("integers: unknown layout")),
    }
    Ok(())
}

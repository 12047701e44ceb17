//! Timestamps: nearly regular, nearly always ascending.
//!
//! Two layouts: *regular* (first, step, count) when all steps are equal, else the first value, the first
//! delta and the deltas of deltas as zigzag varints. Arithmetic wraps, so any `i64`s survive, sorted or not.

use crate::varint::{Cursor, write_ivarint, write_uvarint};
use crate::{COLUMN_VALUES_MAX, CodecError};

const REGULAR: u8 = 0;
const DELTA_OF_DELTA: u8 = 1;

/// Appends the column. At most [`COLUMN_VALUES_MAX`] values.
pub fn encode(values: &[i64], out: &mut Vec<u8>) {
    assert!(values.len() <= COLUMN_VALUES_MAX, "column of {} values", values.len());
    let first = values.first().copied().unwrap_or(0);
    let step = values.get(1).map_or(0, |second| second.wrapping_sub(first));
    let regular = values.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    out.push(if regular { REGULAR } else { DELTA_OF_DELTA });
    write_uvarint(out, values.len() as u64);
    write_ivarint(out, first);
    write_ivarint(out, step);
    if regular {
        return;
    }
    let mut delta = step;
    for pair in values.windows(2).skip(1) {
        let next = pair[1].wrapping_sub(pair[0]);
        write_ivarint(out, next.wrapping_sub(delta));
        delta = next;
    }
}

/// Replaces `out` by the column's values.
pub fn decode(cursor: &mut Cursor<'_>, out: &mut Vec<i64>) -> Result<(), CodecError> {
    out.clear();
    let layout = cursor.u8()?;
    let count = cursor.count(0)?;
    let first = cursor.ivarint()?;
    let mut delta = cursor.ivarint()?;
    if layout > DELTA_OF_DELTA || (layout == DELTA_OF_DELTA && count.saturating_sub(2) > cursor.remaining()) {
        return Err(CodecError("timestamps: unknown layout or too many values"));
    }
    out.reserve_exact(count);
    let mut value = first;
    for i in 0..count {
        if i >= 2 && layout == DELTA_OF_DELTA {
            delta = delta.wrapping_add(cursor.ivarint()?);
        }
        if i >= 1 {
            value = value.wrapping_add(delta);
        }
        out.push(value);
    }
    Ok(())
}

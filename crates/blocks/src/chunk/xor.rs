//! XOR chunks: floats in Gorilla's way (Pelkonen et al., VLDB 2015) with wider steps for milliseconds.
//!
//! ```text
//! chunk  = u16 count, varint t0, u64 v0, uvarint t1-t0, xor v1, { dod t, xor v }*
//! dod    = 0 | 10 i14 | 110 i17 | 1110 i20 | 1111 i64
//! xor    = 0 (unchanged) | 10 bits in the window of before | 11 u5 leading, u6 length, bits
//! ```

use codec::{BitReader, BitWriter, CodecError};
use model::TimestampMs;
use storage::metrics::SampleColumns;

use super::varbit;

/// One float that is written as what changed since it was written last.
#[derive(Debug, Clone, Copy)]
pub struct XorValue {
    pub bits: u64,
    leading: u32,
    trailing: u32,
}

/// No window yet: nothing fits into it.
const NO_WINDOW: u32 = 0xff;

impl XorValue {
    /// For writing: the first change opens a window.
    pub fn writer(value: f64) -> XorValue {
        XorValue { bits: value.to_bits(), leading: NO_WINDOW, trailing: 0 }
    }

    /// For reading: a window of all 64 bits until one is announced.
    pub fn reader(bits: u64) -> XorValue {
        XorValue { bits, leading: 0, trailing: 0 }
    }

    pub fn write(&mut self, out: &mut BitWriter, value: f64) {
        let changed = self.bits ^ value.to_bits();
        self.bits = value.to_bits();
        if changed == 0 {
            out.write(0, 1);
            return;
        }
        // Five bits say how many zeros lead.
        let (leading, trailing) = (changed.leading_zeros().min(31), changed.trailing_zeros());
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            out.write(0b10, 2);
            out.write(changed >> self.trailing, 64 - self.leading - self.trailing);
            return;
        }
        (self.leading, self.trailing) = (leading, trailing);
        out.write(0b11, 2);
        self.write_window(out, changed);
    }

    fn write_window(&self, out: &mut BitWriter, changed: u64) {
        let length = 64 - self.leading - self.trailing;
        out.write(u64::from(self.leading), 5);
        // 64 does not fit into six bits and is written as 0, which is no length of a change.
        out.write(u64::from(length & 63), 6);
        out.write(changed >> self.trailing, length);
    }

    pub fn read(&mut self, bits: &mut BitReader) -> Result<f64, CodecError> {
        if bits.read(1)? == 1 {
            if bits.read(1)? == 1 {
                self.read_window(bits)?;
            } else {
                self.read_in_window(bits)?;
            }
        }
        Ok(f64::from_bits(self.bits))
    }

    /// A change in a window of its own.
    pub fn read_window(&mut self, bits: &mut BitReader) -> Result<(), CodecError> {
        let leading = bits.read(5)? as u32;
        let length = match bits.read(6)? as u32 {
            0 => 64,
            length => length,
        };
        let trailing =
            (64 - leading).checked_sub(length).ok_or(CodecError("more than 64 bits in a value"))?;
        (self.leading, self.trailing) = (leading, trailing);
        self.read_in_window(bits)
    }

    /// A change in the window of before.
    pub fn read_in_window(&mut self, bits: &mut BitReader) -> Result<(), CodecError> {
        self.bits ^= bits.read(64 - self.leading - self.trailing)? << self.trailing;
        Ok(())
    }
}

/// Payload widths of a change of the step in time, by the ones before it.
const STEP_WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];

/// Encodes samples that ascend strictly in time, at most `u16::MAX` of them.
pub fn encode(times: &[TimestampMs], values: &[f64]) -> Vec<u8> {
    debug_assert!(times.len() == values.len() && times.len() <= usize::from(u16::MAX));
    let mut data = Vec::with_capacity(16 + times.len() * 2);
    data.extend_from_slice(&(times.len() as u16).to_be_bytes());
    let mut out = BitWriter::new(&mut data);
    let (mut t, mut step) = (0i64, 0i64);
    let mut value = XorValue::writer(0.0);
    for (i, (&now, &v)) in times.iter().zip(values).enumerate() {
        match i {
            0 => {
                varbit::write_varint(&mut out, now);
                out.write(v.to_bits(), 64);
                value.bits = v.to_bits();
            }
            1 => {
                step = now.wrapping_sub(t);
                varbit::write_uvarint(&mut out, step as u64);
                value.write(&mut out, v);
            }
            _ => {
                let now_step = now.wrapping_sub(t);
                write_step_change(&mut out, now_step.wrapping_sub(step));
                step = now_step;
                value.write(&mut out, v);
            }
        }
        t = now;
    }
    out.finish();
    data
}

fn write_step_change(out: &mut BitWriter, change: i64) {
    let class = (0..4).find(|&class| varbit::in_range(change, STEP_WIDTHS[class])).unwrap_or(4);
    let (ones, end) = if class == 4 { (4, 0) } else { (class as u32, 1) };
    out.write(((1 << ones) - 1) << end, ones + end);
    out.write(change as u64, STEP_WIDTHS[class]);
}

fn read_step_change(bits: &mut BitReader) -> Result<i64, CodecError> {
    let mut class = 0;
    while class < 4 && bits.read(1)? == 1 {
        class += 1;
    }
    let width = STEP_WIDTHS[class];
    Ok(varbit::extend(bits.read(width)?, width))
}

/// Appends a chunk's samples to `out`.
pub fn decode(data: &[u8], out: &mut SampleColumns) -> Result<(), CodecError> {
    let Some((count, rest)) = data.split_first_chunk::<2>() else {
        return Err(CodecError("chunk without a header"));
    };
    let count = usize::from(u16::from_be_bytes(*count));
    let mut bits = BitReader::new(rest);
    let (mut t, mut step) = (0i64, 0i64);
    let mut value = XorValue::reader(0);
    // Two bits a sample are the least.
    let room = count.min(rest.len() * 4);
    out.float_times.reserve(room);
    out.floats.reserve(room);
    for i in 0..count {
        let v = match i {
            0 => {
                t = varbit::read_varint(&mut bits)?;
                value.bits = bits.read(64)?;
                f64::from_bits(value.bits)
            }
            1 => {
                step = varbit::read_uvarint(&mut bits)? as i64;
                t = t.wrapping_add(step);
                value.read(&mut bits)?
            }
            _ => {
                step = step.wrapping_add(read_step_change(&mut bits)?);
                t = t.wrapping_add(step);
                value.read(&mut bits)?
            }
        };
        out.float_times.push(t);
        out.floats.push(v);
    }
    Ok(())
}

//! Bit streams, most significant bit first.

use crate::CodecError;

/// Appends bits to a byte vector; the last byte is padded with zeros.
#[derive(Debug)]
pub struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits not yet in `out`, in the low `filled` bits.
    pending: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, pending: 0, filled: 0 }
    }

    /// Writes the low `width` bits of `bits`, 0 to 64.
    pub fn write(&mut self, bits: u64, width: u32) {
        debug_assert!(width <= 64);
        if width > 32 {
            self.write_short(bits >> 32, width - 32);
            self.write_short(bits, 32);
        } else {
            self.write_short(bits, width);
        }
    }

    /// At most 32 bits, so that with at most 7 waiting they fit into the accumulator.
    fn write_short(&mut self, bits: u64, width: u32) {
        let mask = (1u64 << width) - 1;
        self.pending = (self.pending << width) | (bits & mask);
        self.filled += width;
        while self.filled >= 8 {
            self.filled -= 8;
            self.out.push((self.pending >> self.filled) as u8);
        }
    }

    /// Pads and ends the stream.
    pub fn finish(mut self) {
        if self.filled > 0 {
            self.write_short(0, 8 - self.filled);
        }
    }
}

/// Reads what [`BitWriter`] wrote.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    pending: u64,
    filled: u32,
}

impl<'a> BitReader<'a> {
    pub fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, pending: 0, filled: 0 }
    }

    /// The next `width` bits, 0 to 64.
    pub fn read(&mut self, width: u32) -> Result<u64, CodecError> {
        debug_assert!(width <= 64);
        if width > 32 {
            let high = self.read_short(width - 32)?;
            Ok((high << 32) | self.read_short(32)?)
        } else {
            self.read_short(width)
        }
    }

    fn read_short(&mut self, width: u32) -> Result<u64, CodecError> {
        while self.filled < width {
            let (&byte, rest) = self.bytes.split_first().ok_or(CodecError("unexpected end of bits"))?;
            self.bytes = rest;
            self.pending = (self.pending << 8) | u64::from(byte);
            self.filled += 8;
        }
        self.filled -= width;
        Ok((self.pending >> self.filled) & ((1u64 << width) - 1))
    }
}

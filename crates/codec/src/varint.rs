//! Variable-length integers (LEB128, as in protobuf) and the cursor everything is read with.

use crate::CodecError;

/// 64 bits in groups of seven.
const UVARINT_BYTES_MAX: usize = 10;

#[inline]
pub fn write_uvarint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

#[inline]
pub fn write_ivarint(out: &mut Vec<u8>, n: i64) {
    write_uvarint(out, zigzag(n));
}

/// Length, then bytes.
#[inline]
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Small magnitudes of either sign to small numbers.
#[inline]
pub fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

#[inline]
pub fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Bytes that [`write_uvarint`] takes.
pub fn uvarint_len(n: u64) -> usize {
    (70 - (n | 1).leading_zeros() as usize) / 7
}

/// Reads front to back; every method fails at the end instead of panicking.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
}

impl<'a> Cursor<'a> {
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes }
    }

    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Fails when bytes are left over.
    pub fn finish(&self) -> Result<(), CodecError> {
        if self.is_empty() { Ok(()) } else { Err(CodecError("bytes left over")) }
    }

    #[inline]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], CodecError> {
        let (head, rest) = self.bytes.split_at_checked(n).ok_or(CodecError("unexpected end"))?;
        self.bytes = rest;
        Ok(head)
    }

    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.take(N)?.try_into().map_err(|_| CodecError("unexpected end"))
    }

    #[inline]
    pub fn u8(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    #[inline]
    pub fn u32(&mut self) -> Result<u32, CodecError> {
        self.array().map(u32::from_le_bytes)
    }

    #[inline]
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Eight bytes, bit-exact.
    #[inline]
    pub fn f64(&mut self) -> Result<f64, CodecError> {
        self.u64().map(f64::from_bits)
    }

    #[inline]
    pub fn uvarint(&mut self) -> Result<u64, CodecError> {
        match self.bytes {
            // Most numbers are small.
            [byte, rest @ ..] if *byte < 0x80 => {
                self.bytes = rest;
                Ok(u64::from(*byte))
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.bytes = rest;
                Ok(u64::from(first & 0x7f) | u64::from(*second) << 7)
            }
            _ => self.long_uvarint(),
        }
    }

    fn long_uvarint(&mut self) -> Result<u64, CodecError> {
        let mut n = 0u64;
        for (i, &byte) in self.bytes.iter().take(UVARINT_BYTES_MAX).enumerate() {
            if i == UVARINT_BYTES_MAX - 1 && byte > 1 {
                return Err(CodecError("varint exceeds 64 bits"));
            }
            n |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.bytes = &self.bytes[i + 1..];
                return Ok(n);
            }
        }
        Err(CodecError("unexpected end of a varint"))
    }

    #[inline]
    pub fn ivarint(&mut self) -> Result<i64, CodecError> {
        self.uvarint().map(unzigzag)
    }

    #[inline]
    pub fn usize(&mut self) -> Result<usize, CodecError> {
        usize::try_from(self.uvarint()?).map_err(|_| CodecError("number too large"))
    }

    /// What [`write_bytes`] wrote.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let len = self.usize()?;
        self.take(len)
    }

    pub fn str(&mut self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError("text is not UTF-8"))
    }

    /// A number of values that take at least `bytes_each` (may be 0) of what follows.
    pub fn count(&mut self, bytes_each: usize) -> Result<usize, CodecError> {
        let count = self.usize()?;
        let fits = count.checked_mul(bytes_each).is_some_and(|bytes| bytes <= self.remaining());
        if fits && count <= crate::COLUMN_VALUES_MAX {
            Ok(count)
        } else {
            Err(CodecError("more values claimed than there can be"))
        }
    }
}

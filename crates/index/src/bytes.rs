//! Varints and a checked cursor over index bytes.

use crate::IndexError;

pub fn put_uvarint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub fn put_u32(out: &mut Vec<u8>, n: u32) {
    out.extend_from_slice(&n.to_le_bytes());
}

/// Reads forward over `bytes`; every read past the end is an error naming the structure.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8], at: usize, what: &'static str) -> Cursor<'a> {
        Cursor { bytes, at, what }
    }

    pub fn error(&self) -> IndexError {
        IndexError::new(self.what, self.at)
    }

    pub fn at(&self) -> usize {
        self.at
    }

    pub fn byte(&mut self) -> Result<u8, IndexError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.error())?;
        self.at += 1;
        Ok(byte)
    }

    pub fn uvarint(&mut self) -> Result<u64, IndexError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(self.error())
    }

    pub fn uvarint32(&mut self) -> Result<u32, IndexError> {
        let at = self.at;
        u32::try_from(self.uvarint()?).map_err(|_| IndexError::new(self.what, at))
    }

    pub fn u32(&mut self) -> Result<u32, IndexError> {
        let raw = self.take(4)?;
        Ok(u32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], IndexError> {
        let end = self.at.checked_add(len).ok_or_else(|| self.error())?;
        let slice = self.bytes.get(self.at..end).ok_or_else(|| self.error())?;
        self.at = end;
        Ok(slice)
    }
}

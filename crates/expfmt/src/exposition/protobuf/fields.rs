//! The fields of one protobuf message, borrowed.

use crate::parse::ParseError;

/// Walks the fields of a message in the order they were written.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

/// A field's value as far as the wire knows it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

fn fail<T>(message: impl Into<String>) -> Result<T, ParseError> {
    Err(ParseError(message.into()))
}

impl<'a> Fields<'a> {
    pub(super) fn new(message: &'a [u8]) -> Fields<'a> {
        Fields { rest: message }
    }

    /// The next field: its number and value.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, ParseError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 {
            return fail(format!("proto: illegal tag 0 (wire type {})", key & 7));
        }
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?;
                Wire::Fixed64(u64::from_le_bytes(bytes.try_into().unwrap_or_default()))
            }
            2 => {
                let length = self.varint()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            other => return fail(format!("proto: illegal wireType {other}")),
        };
        Ok(Some((number, value)))
    }

    fn varint(&mut self) -> Result<u64, ParseError> {
        match varint(self.rest) {
            Some((value, used)) => {
                self.rest = self.rest.get(used..).unwrap_or_default();
                Ok(value)
            }
            None if self.rest.len() >= 10 => fail("proto: integer overflow"),
            None => fail("unexpected EOF"),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ParseError> {
        let split = usize::try_from(length).ok().and_then(|length| self.rest.split_at_checked(length));
        match split {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => fail("unexpected EOF"),
        }
    }
}

impl<'a> Wire<'a> {
    pub(super) fn bytes(self, field: &str) -> Result<&'a [u8], ParseError> {
        match self {
            Wire::Bytes(bytes) => Ok(bytes),
            other => other.wrong(field),
        }
    }

    pub(super) fn varint(self, field: &str) -> Result<u64, ParseError> {
        match self {
            Wire::Varint(value) => Ok(value),
            other => other.wrong(field),
        }
    }

    pub(super) fn double(self, field: &str) -> Result<f64, ParseError> {
        match self {
            Wire::Fixed64(bits) => Ok(f64::from_bits(bits)),
            other => other.wrong(field),
        }
    }

    /// A repeated number, packed or single: calls `each` with every raw value.
    pub(super) fn varints(self, field: &str, mut each: impl FnMut(u64)) -> Result<(), ParseError> {
        match self {
            Wire::Varint(value) => each(value),
            Wire::Bytes(mut packed) => {
                while !packed.is_empty() {
                    let Some((value, used)) = varint(packed) else { return fail("unexpected EOF") };
                    each(value);
                    packed = packed.get(used..).unwrap_or_default();
                }
            }
            other => return other.wrong(field),
        }
        Ok(())
    }

    /// A repeated double, packed or single.
    pub(super) fn doubles(self, field: &str, mut each: impl FnMut(f64)) -> Result<(), ParseError> {
        match self {
            Wire::Fixed64(bits) => each(f64::from_bits(bits)),
            Wire::Bytes(packed) => {
                let (whole, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return fail("unexpected EOF");
                }
                whole.iter().for_each(|bytes| each(f64::from_le_bytes(*bytes)));
            }
            other => return other.wrong(field),
        }
        Ok(())
    }

    fn wrong<T>(self, field: &str) -> Result<T, ParseError> {
        let kind = match self {
            Wire::Varint(_) => 0,
            Wire::Fixed64(_) => 1,
            Wire::Bytes(_) => 2,
            Wire::Fixed32 => 5,
        };
        fail(format!("proto: wrong wireType = {kind} for field {field}"))
    }
}

/// A number at the head of `bytes` and how many bytes it takes; `None` when it does not end or is too long.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (i, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * i as u32).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

/// A signed number in zigzag form.
pub(super) fn zigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

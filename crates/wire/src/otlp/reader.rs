//! Reading protobuf's wire format field by field, without copying.

use super::OtlpError;

/// One field: its number and its value as the wire type says.
pub struct Field<'a> {
    pub number: u32,
    pub value: Wire<'a>,
}

pub enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next field; `None` at the end.
    pub fn next(&mut self) -> Result<Option<Field<'a>>, OtlpError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| OtlpError::new("field number is too large"))?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| truncated())?;
                Wire::Bytes(self.take(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => {
                return Err(OtlpError::new(format!("wire type {other} of field {number} is not supported")));
            }
        };
        Ok(Some(Field { number, value }))
    }

    fn varint(&mut self) -> Result<u64, OtlpError> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(truncated())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], OtlpError> {
        let taken = self.rest.get(..length).ok_or_else(truncated)?;
        self.rest = &self.rest[length..];
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OtlpError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
}

fn truncated() -> OtlpError {
    OtlpError::new("the message is cut short")
}

impl<'a> Wire<'a> {
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Wire::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// Text; invalid UTF-8 becomes replacement characters, since one bad byte must not lose the span.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    pub fn number(&self) -> u64 {
        match self {
            Wire::Varint(n) | Wire::Fixed64(n) => *n,
            Wire::Fixed32(n) => u64::from(*n),
            Wire::Bytes(_) => 0,
        }
    }
}

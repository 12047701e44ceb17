//! Reading protobuf's wire format field by field, borrowing from the message.
//!
//! Made for hot paths: no allocation, no recursion, one bounds check per read. Field numbers are 29 bits,
//! groups (wire types 3 and 4) have been out of use since proto2 and are refused.

use std::fmt;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtobufError {
    /// A field reaches beyond the end of the message.
    Truncated,
    /// A number takes more than ten bytes.
    Overflow,
    /// Zero or more than 29 bits.
    FieldNumber,
    /// A wire type nobody writes.
    WireType(u8),
    /// A known field has another wire type than its schema says.
    WrongType {
        field: u32,
    },
    NotUtf8 {
        field: u32,
    },
}

impl fmt::Display for ProtobufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProtobufError::Truncated => f.write_str("proto: unexpected EOF"),
            ProtobufError::Overflow => f.write_str("proto: integer overflow"),
            ProtobufError::FieldNumber => f.write_str("proto: illegal tag"),
            ProtobufError::WireType(t) => write!(f, "proto: illegal wireType {t}"),
            ProtobufError::WrongType { field } => write!(f, "proto: wrong wireType for field {field}"),
            ProtobufError::NotUtf8 { field } => write!(f, "proto: field {field} is not valid UTF-8"),
        }
    }
}

impl std::error::Error for ProtobufError {}

type Result<T> = std::result::Result<T, ProtobufError>;

/// A value as its wire type says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// One field: its number and its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    pub number: u32,
    pub value: Wire<'a>,
}

impl<'a> Field<'a> {
    fn wrong<T>(&self) -> Result<T> {
        Err(ProtobufError::WrongType { field: self.number })
    }

    pub fn bytes(&self) -> Result<&'a [u8]> {
        if let Wire::Bytes(bytes) = self.value { Ok(bytes) } else { self.wrong() }
    }

    pub fn text(&self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| ProtobufError::NotUtf8 { field: self.number })
    }

    /// `double`
    pub fn double(&self) -> Result<f64> {
        if let Wire::Fixed64(bits) = self.value { Ok(f64::from_bits(bits)) } else { self.wrong() }
    }

    /// `fixed64`, `sfixed64`
    pub fn fixed64(&self) -> Result<u64> {
        if let Wire::Fixed64(bits) = self.value { Ok(bits) } else { self.wrong() }
    }

    /// `fixed32`
    pub fn fixed32(&self) -> Result<u32> {
        if let Wire::Fixed32(bits) = self.value { Ok(bits) } else { self.wrong() }
    }

    /// `uint64`, `uint32`, `bool` and enums. Narrower types take the low bits, as the protocol says.
    pub fn uint(&self) -> Result<u64> {
        if let Wire::Varint(n) = self.value { Ok(n) } else { self.wrong() }
    }

    /// `int64`
    pub fn int64(&self) -> Result<i64> {
        Ok(self.uint()? as i64)
    }

    /// `int32` and enums.
    pub fn int32(&self) -> Result<i32> {
        Ok(self.uint()? as i32)
    }

    /// `sint64`
    pub fn sint64(&self) -> Result<i64> {
        Ok(unzigzag(self.uint()?))
    }

    /// `sint32`
    pub fn sint32(&self) -> Result<i32> {
        Ok(unzigzag(self.uint()?) as i32)
    }

    /// Shows each number of a `repeated` scalar of varints, packed or not.
    pub fn each_varint(&self, mut visit: impl FnMut(u64)) -> Result<()> {
        match self.value {
            Wire::Varint(n) => visit(n),
            Wire::Bytes(bytes) => {
                let mut reader = Reader::new(bytes);
                while !reader.is_empty() {
                    visit(reader.varint()?);
                }
            }
            _ => return self.wrong(),
        }
        Ok(())
    }

    /// Shows each number of a `repeated` scalar of eight bytes, packed or not.
    pub fn each_fixed64(&self, mut visit: impl FnMut(u64)) -> Result<()> {
        match self.value {
            Wire::Fixed64(n) => visit(n),
            Wire::Bytes(bytes) => {
                let (chunks, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(ProtobufError::Truncated);
                }
                chunks.iter().for_each(|chunk| visit(u64::from_le_bytes(*chunk)));
            }
            _ => return self.wrong(),
        }
        Ok(())
    }
}

pub fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}

/// Walks a message. Cheap to copy, to look ahead.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next field; `None` at the end.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).ok().filter(|n| (1..1 << 29).contains(n));
        let number = number.ok_or(ProtobufError::FieldNumber)?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Wire::Bytes(self.delimited()?),
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(ProtobufError::WireType(other as u8)),
        };
        Ok(Some(Field { number, value }))
    }

    /// The bytes of a length-delimited field whose one-byte key is `key`; `None`, and nothing read, when
    /// another field is next.
    #[inline]
    pub fn take_if(&mut self, key: u8) -> Result<Option<&'a [u8]>> {
        match self.rest.split_first() {
            Some((first, rest)) if *first == key => {
                self.rest = rest;
                self.delimited().map(Some)
            }
            _ => Ok(None),
        }
    }

    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for (i, &byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                if i == 9 && byte > 1 {
                    return Err(ProtobufError::Overflow);
                }
                self.rest = &self.rest[i + 1..];
                return Ok(value);
            }
        }
        Err(if self.rest.len() < 10 { ProtobufError::Truncated } else { ProtobufError::Overflow })
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| ProtobufError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(ProtobufError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_every_wire_type() {
        let message = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, // 2: double 1.0
            0x1a, 0x02, b'h', b'i', // 3: bytes
            0x25, 7, 0, 0, 0, // 4: fixed32
        ];
        let mut reader = Reader::new(&message);
        let mut next = || reader.next_field().unwrap();
        assert_eq!(next().unwrap().uint(), Ok(150));
        assert_eq!(next().unwrap().double(), Ok(1.0));
        let third = next().unwrap();
        assert_eq!((third.number, third.text()), (3, Ok("hi")));
        assert_eq!(third.double(), Err(ProtobufError::WrongType { field: 3 }));
        assert_eq!(next().unwrap().fixed32(), Ok(7));
        assert_eq!(next(), None);
    }

    #[test]
    fn damage_is_named() {
        let check = |bytes: &[u8], expected: ProtobufError| {
            assert_eq!(Reader::new(bytes).next_field(), Err(expected), "{bytes:?}");
        };
        check(&[0x08], ProtobufError::Truncated);
        check(&[0x08, 0x80], ProtobufError::Truncated);
        check(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], ProtobufError::Overflow);
        check(&[0xff; 12], ProtobufError::Overflow);
        check(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], ProtobufError::Truncated);
        check(&[0x00, 0x01], ProtobufError::FieldNumber);
        check(&[0x0b], ProtobufError::WireType(3));
        check(&[0x0d, 1, 2], ProtobufError::Truncated);
    }

    #[test]
    fn repeated_numbers_packed_and_not() {
        let collect = |bytes: &[u8]| {
            let (mut reader, mut all) = (Reader::new(bytes), Vec::new());
            while let Some(field) = reader.next_field().unwrap() {
                field.each_varint(|n| all.push(unzigzag(n))).unwrap();
            }
            all
        };
        assert_eq!(collect(&[0x08, 0x01, 0x08, 0x02]), [-1, 1]);
        assert_eq!(collect(&[0x0a, 0x03, 0x01, 0x02, 0x00]), [-1, 1, 0]);
    }
}

//! The part of MessagePack that memberlist speaks: its first specification, as the Go library of its time
//! writes it. Text and bytes are one type ("raw") and structures are maps by field name.
//!
//! Reading accepts today's types too, borrows from the message and never trusts a length: a count only
//! bounds a loop whose every step reads at least one byte.

use std::fmt;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// The message goes on beyond its end. Of a stream: more has to be read.
    Truncated,
    /// A type byte that nobody writes, or a value of another type than its field.
    Type(u8),
    /// A number that does not fit its field.
    Range,
    /// Values within values within values.
    Depth,
    NotUtf8,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Truncated => f.write_str("message is cut short"),
            Malformed::Type(byte) => write!(f, "unexpected type byte {byte:#04x}"),
            Malformed::Range => f.write_str("number out of range"),
            Malformed::Depth => f.write_str("values are nested too deeply"),
            Malformed::NotUtf8 => f.write_str("text is not UTF-8"),
        }
    }
}

impl std::error::Error for Malformed {}

type Result<T> = std::result::Result<T, Malformed>;

/// Unknown fields may nest this deep.
const SKIP_DEPTH_MAX: u32 = 8;

/// Appends values.
pub struct Writer<'a>(pub &'a mut Vec<u8>);

impl Writer<'_> {
    /// Announces a structure of at most fifteen fields.
    pub fn map(&mut self, fields: u8) {
        debug_assert!(fields < 16, "structures here are small");
        self.0.push(0x80 | (fields & 0x0f));
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        match bytes.len() {
            len @ 0..32 => self.0.push(0xa0 | len as u8),
            len @ 32..0x1_0000 => {
                self.0.push(0xda);
                self.0.extend((len as u16).to_be_bytes());
            }
            len => {
                self.0.push(0xdb);
                self.0.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
        }
        self.0.extend(bytes);
    }

    pub fn uint(&mut self, n: u64) {
        match n {
            0..0x80 => self.0.push(n as u8),
            0x80..0x100 => self.0.extend([0xcc, n as u8]),
            0x100..0x1_0000 => {
                self.0.push(0xcd);
                self.0.extend((n as u16).to_be_bytes());
            }
            0x1_0000..0x1_0000_0000 => {
                self.0.push(0xce);
                self.0.extend((n as u32).to_be_bytes());
            }
            _ => {
                self.0.push(0xcf);
                self.0.extend(n.to_be_bytes());
            }
        }
    }

    pub fn bool(&mut self, yes: bool) {
        self.0.push(if yes { 0xc3 } else { 0xc2 });
    }

    pub fn raw_field(&mut self, name: &str, bytes: &[u8]) {
        self.raw(name.as_bytes());
        self.raw(bytes);
    }

    pub fn uint_field(&mut self, name: &str, n: u64) {
        self.raw(name.as_bytes());
        self.uint(n);
    }

    pub fn bool_field(&mut self, name: &str, yes: bool) {
        self.raw(name.as_bytes());
        self.bool(yes);
    }
}

/// Reads values one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// What a type byte announces.
enum Head {
    Nil,
    Bool(bool),
    Uint(u64),
    Negative,
    Raw(usize),
    Array(usize),
    Map(usize),
    /// Floats and extensions: of this many bytes, of no use here.
    Other(usize),
}

impl<'a> Reader<'a> {
    pub fn new(message: &'a [u8]) -> Reader<'a> {
        Reader { rest: message }
    }

    /// What has not been read.
    #[cfg(test)]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn be(&mut self, bytes: usize) -> Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn len(&mut self, bytes: usize) -> Result<usize> {
        usize::try_from(self.be(bytes)?).map_err(|_| Malformed::Range)
    }

    fn head(&mut self) -> Result<Head> {
        let byte = self.be(1)? as u8;
        Ok(match byte {
            0x00..=0x7f => Head::Uint(u64::from(byte)),
            0x80..=0x8f => Head::Map(usize::from(byte & 0x0f)),
            0x90..=0x9f => Head::Array(usize::from(byte & 0x0f)),
            0xa0..=0xbf => Head::Raw(usize::from(byte & 0x1f)),
            0xc0 => Head::Nil,
            0xc2 | 0xc3 => Head::Bool(byte == 0xc3),
            0xc4 | 0xd9 => Head::Raw(self.len(1)?),
            0xc5 | 0xda => Head::Raw(self.len(2)?),
            0xc6 | 0xdb => Head::Raw(self.len(4)?),
            0xc7..=0xc9 => Head::Other(self.len(1 << (byte - 0xc7))?.saturating_add(1)),
            0xca => Head::Other(4),
            0xcb => Head::Other(8),
            0xcc..=0xcf => Head::Uint(self.be(1 << (byte - 0xcc))?),
            0xd0..=0xd3 => {
                let size = 1usize << (byte - 0xd0);
                let n = self.be(size)?;
                let is_negative = n >> (size * 8 - 1) == 1;
                if is_negative { Head::Negative } else { Head::Uint(n) }
            }
            0xd4..=0xd8 => Head::Other((1 << (byte - 0xd4)) + 1),
            0xdc => Head::Array(self.len(2)?),
            0xdd => Head::Array(self.len(4)?),
            0xde => Head::Map(self.len(2)?),
            0xdf => Head::Map(self.len(4)?),
            0xe0..=0xff => Head::Negative,
            0xc1 => return Err(Malformed::Type(byte)),
        })
    }

    /// A number of a narrower type, such as `u16` for a port. Nothing at all is zero.
    pub fn uint<T: TryFrom<u64>>(&mut self) -> Result<T> {
        let first = self.rest.first().copied().unwrap_or(0);
        match self.head()? {
            Head::Uint(n) => T::try_from(n).map_err(|_| Malformed::Range),
            Head::Nil => T::try_from(0).map_err(|_| Malformed::Range),
            Head::Negative => Err(Malformed::Range),
            _ => Err(Malformed::Type(first)),
        }
    }

    pub fn bool(&mut self) -> Result<bool> {
        let first = self.rest.first().copied().unwrap_or(0);
        match self.head()? {
            Head::Bool(yes) => Ok(yes),
            Head::Nil => Ok(false),
            _ => Err(Malformed::Type(first)),
        }
    }

    /// Text or bytes. Nothing at all is empty.
    pub fn raw(&mut self) -> Result<&'a [u8]> {
        let first = self.rest.first().copied().unwrap_or(0);
        match self.head()? {
            Head::Raw(len) => self.take(len),
            Head::Nil => Ok(&[]),
            _ => Err(Malformed::Type(first)),
        }
    }

    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.raw()?).map_err(|_| Malformed::NotUtf8)
    }

    /// Shows each field of a structure. `visit` reads the value and says `true`, or leaves it and says
    /// `false`.
    pub fn fields(&mut self, mut visit: impl FnMut(&str, &mut Reader<'a>) -> Result<bool>) -> Result<()> {
        let first = self.rest.first().copied().unwrap_or(0);
        let Head::Map(count) = self.head()? else { return Err(Malformed::Type(first)) };
        for _ in 0..count {
            let name = self.text()?;
            if !visit(name, self)? {
                self.skip(SKIP_DEPTH_MAX)?;
            }
        }
        Ok(())
    }

    fn skip(&mut self, depth: u32) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or(Malformed::Depth)?;
        match self.head()? {
            Head::Nil | Head::Bool(_) | Head::Uint(_) => {}
            // The bytes of a negative number in its type byte, or read with it.
            Head::Negative => {}
            Head::Raw(len) | Head::Other(len) => {
                self.take(len)?;
            }
            Head::Array(count) => {
                for _ in 0..count {
                    self.skip(depth)?;
                }
            }
            Head::Map(count) => {
                for _ in 0..count {
                    self.skip(depth)?;
                    self.skip(depth)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Writer(&mut out));
        out
    }

    #[test]
    fn numbers_take_the_least_bytes() {
        let check = |n: u64, expected: &[u8]| {
            let bytes = written(|w| w.uint(n));
            assert_eq!(bytes, expected, "{n}");
            assert_eq!(Reader::new(&bytes).uint::<u64>(), Ok(n));
        };
        check(0, &[0]);
        check(127, &[0x7f]);
        check(128, &[0xcc, 0x80]);
        check(9094, &[0xcd, 0x23, 0x86]);
        check(0x1_0000, &[0xce, 0, 1, 0, 0]);
        check(1 << 40, &[0xcf, 0, 0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn raw_values_of_every_length() {
        for len in [0, 1, 31, 32, 255, 256, 65_535, 65_536] {
            let value = vec![7u8; len];
            let bytes = written(|w| w.raw(&value));
            assert_eq!(Reader::new(&bytes).raw(), Ok(&value[..]));
        }
        // Today's types for text and bytes.
        assert_eq!(Reader::new(&[0xd9, 2, b'h', b'i']).text(), Ok("hi"));
        assert_eq!(Reader::new(&[0xc4, 1, 9]).raw(), Ok(&[9u8][..]));
        assert_eq!(Reader::new(&[0xc0]).raw(), Ok(&[][..]));
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let mut bytes = written(|w| {
            w.map(3);
            w.raw(b"Strange");
        });
        // [1, -1, 2.0, {"a": nil}, ext]
        bytes.extend([0x95, 1, 0xff, 0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x81, 0xa1, b'a', 0xc0]);
        bytes.extend([0xd4, 1, 2]);
        let mut w = Writer(&mut bytes);
        w.raw_field("Other", b"x");
        w.uint_field("SeqNo", 300);
        let mut seq = 0u32;
        let read = Reader::new(&bytes).fields(|name, value| {
            Ok(match name {
                "SeqNo" => {
                    seq = value.uint()?;
                    true
                }
                _ => false,
            })
        });
        assert_eq!((read, seq), (Ok(()), 300));
    }

    #[test]
    fn damage_is_named() {
        let uint = |bytes: &[u8]| Reader::new(bytes).uint::<u16>().unwrap_err();
        assert_eq!(uint(&[]), Malformed::Truncated);
        assert_eq!(uint(&[0xce, 0, 1, 0, 0]), Malformed::Range);
        assert_eq!(uint(&[0xff]), Malformed::Range);
        assert_eq!(uint(&[0xa0]), Malformed::Type(0xa0));
        assert_eq!(Reader::new(&[0xdb, 0xff, 0xff, 0xff, 0xff]).raw(), Err(Malformed::Truncated));
        let deep = [&[0x81, 0xa1, b'a'][..], &[0x91; 100]].concat();
        assert_eq!(Reader::new(&deep).fields(|_, _| Ok(false)), Err(Malformed::Depth));
        let many = [0xdf, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Reader::new(&many).fields(|_, _| Ok(false)), Err(Malformed::Truncated));
    }
}

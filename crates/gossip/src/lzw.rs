//! Unpacking LZW as members compress their messages: least significant bit first, eight-bit literals, codes
//! of nine to twelve bits, with a code to clear the table and one to end.
//!
//! Only reading: nothing obliges a member to compress, and what it sends here rarely shrinks.

/// Clears the table.
const CLEAR: u16 = 256;
const END: u16 = 257;
const WIDTH_MIN: u32 = 9;
const WIDTH_MAX: u32 = 12;
const TABLE: usize = 1 << WIDTH_MAX;

/// Why packed bytes are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LzwError {
    /// A code that does not exist yet, or no end.
    Corrupt,
    /// More than the reader wants to hold.
    TooLarge,
}

/// Unpacks at most `limit` bytes.
pub fn unpack(packed: &[u8], limit: usize) -> Result<Vec<u8>, LzwError> {
    let mut out = Vec::with_capacity(packed.len().saturating_mul(2).min(limit));
    let mut bits = Bits { rest: packed, value: 0, count: 0 };
    // A string of the table is the string of its prefix and one more byte.
    let mut prefix = [0u16; TABLE];
    let mut suffix = [0u8; TABLE];
    let mut width = WIDTH_MIN;
    // The last code in the table; the one that the next code read will define.
    let mut high = END;
    let mut last: Option<u16> = None;
    let mut string = Vec::new();
    loop {
        let code = bits.take(width).ok_or(LzwError::Corrupt)?;
        match code {
            CLEAR => {
                (width, high, last) = (WIDTH_MIN, END, None);
                continue;
            }
            END => return Ok(out),
            _ if code > high => return Err(LzwError::Corrupt),
            _ => {}
        }
        // Walk from the end of the string to its beginning.
        string.clear();
        let mut at = code;
        // The string being defined now is the previous one and its own first byte.
        let previous = last.filter(|_| code == high);
        if let Some(previous) = previous {
            at = previous;
            string.push(0);
        }
        while at >= CLEAR {
            let index = usize::from(at);
            string.push(suffix[index]);
            at = prefix[index];
            if string.len() > TABLE {
                return Err(LzwError::Corrupt);
            }
        }
        // Below 256 every code is a byte.
        let first = at as u8;
        string.push(first);
        if previous.is_some() {
            string[0] = first;
        }
        if out.len() + string.len() > limit {
            return Err(LzwError::TooLarge);
        }
        out.extend(string.iter().rev());
        if let Some(last) = last {
            prefix[usize::from(high)] = last;
            suffix[usize::from(high)] = first;
        }
        last = Some(code);
        high += 1;
        if u32::from(high) >= 1 << width {
            if width == WIDTH_MAX {
                // The table is full: it stays as it is until it is cleared.
                last = None;
                high -= 1;
            } else {
                width += 1;
            }
        }
    }
}

struct Bits<'a> {
    rest: &'a [u8],
    value: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, width: u32) -> Option<u16> {
        while self.count < width {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            self.value |= u32::from(*byte) << self.count;
            self.count += 8;
        }
        let code = self.value & ((1 << width) - 1);
        self.value >>= width;
        self.count -= width;
        Some(code as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of growing width, packed.
    fn packed(codes: &[u16]) -> Vec<u8> {
        let (mut out, mut value, mut count) = (Vec::new(), 0u32, 0);
        let (mut width, mut high) = (WIDTH_MIN, END);
        for code in codes {
            value |= u32::from(*code) << count;
            count += width;
            while count >= 8 {
                out.push(value as u8);
                value >>= 8;
                count -= 8;
            }
            if *code == CLEAR {
                (width, high) = (WIDTH_MIN, END);
            } else {
                high += 1;
                if u32::from(high) >= 1 << width && width < WIDTH_MAX {
                    width += 1;
                }
            }
        }
        out.push(value as u8);
        out
    }

    #[test]
    fn strings_grow() {
        let check = |codes: &[u16], expected: &[u8]| {
            assert_eq!(unpack(&packed(codes), 1 << 20).unwrap(), expected, "{codes:?}");
        };
        check(&[END], b"");
        check(&[CLEAR, u16::from(b'a'), END], b"a");
        // 258 = "ab", 259 = "ba", 260 = "aba"
        check(&[CLEAR, 97, 98, 258, 260, END], b"abababa");
        // The string that is being defined.
        check(&[97, 258, 259, END], b"aaaaaa");
    }

    #[test]
    fn the_table_fills_and_stays() {
        // 300 distinct literals move on to ten bits; 5,000 fill the table.
        for count in [300usize, 5_000] {
            let codes: Vec<u16> = (0..count).map(|i| (i % 251) as u16).chain([END]).collect();
            let expected: Vec<u8> = (0..count).map(|i| (i % 251) as u8).collect();
            assert_eq!(unpack(&packed_with_full_table(&codes), 1 << 20).unwrap(), expected);
        }
    }

    /// Like `packed`, but a full table does not count on.
    fn packed_with_full_table(codes: &[u16]) -> Vec<u8> {
        let (mut out, mut value, mut count) = (Vec::new(), 0u64, 0);
        let (mut width, mut high) = (WIDTH_MIN, END);
        for code in codes {
            value |= u64::from(*code) << count;
            count += width;
            while count >= 8 {
                out.push(value as u8);
                value >>= 8;
                count -= 8;
            }
            high = high.saturating_add(1);
            if u32::from(high) >= 1 << width && width < WIDTH_MAX {
                width += 1;
            }
        }
        out.push(value as u8);
        out
    }

    #[test]
    fn damage_and_size_are_refused() {
        assert_eq!(unpack(&[], 10), Err(LzwError::Corrupt));
        assert_eq!(unpack(&packed(&[300, END]), 10), Err(LzwError::Corrupt));
        assert_eq!(unpack(&packed(&[258, END]), 10), Err(LzwError::Corrupt));
        assert_eq!(unpack(&packed(&[97; 20]), 10), Err(LzwError::TooLarge));
        assert_eq!(unpack(&packed(&[97, 98]), 10), Err(LzwError::Corrupt), "no end");
    }
}

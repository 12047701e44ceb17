//! Texts: names, values, lines.
//!
//! Layouts: *plain* (a length column and all bytes in a row) and *dictionary* (distinct texts in order of
//! first use, then a column of codes), chosen by size. Decoding gives one buffer with offsets, not one
//! allocation a text.

use std::collections::HashMap;

use crate::varint::{Cursor, uvarint_len, write_uvarint};
use crate::{COLUMN_VALUES_MAX, CodecError, u64s};

const PLAIN: u8 = 0;
const DICTIONARY: u8 = 1;

/// A decoded column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StringColumn {
    text: String,
    /// Where the n-th distinct text ends; always on a character boundary.
    ends: Vec<u32>,
    /// The text of each value; empty when it is the n-th for the n-th.
    codes: Vec<u32>,
}

impl StringColumn {
    pub fn len(&self) -> usize {
        if self.codes.is_empty() { self.ends.len() } else { self.codes.len() }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        if self.codes.is_empty() { self.text(index) } else { self.text(*self.codes.get(index)? as usize) }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    fn text(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? as usize };
        self.text.get(start..end)
    }
}

/// Appends the column. At most [`COLUMN_VALUES_MAX`] values and 4 GiB of text.
pub fn encode<S: AsRef<str>>(values: &[S], out: &mut Vec<u8>) {
    assert!(values.len() <= COLUMN_VALUES_MAX, "column of {} values", values.len());
    let mut codes_by_text: HashMap<&str, u64> = HashMap::new();
    let mut distinct: Vec<&str> = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    let (mut plain_bytes, mut dictionary_bytes) = (0, 0);
    for value in values {
        let text = value.as_ref();
        let cost = text.len() + uvarint_len(text.len() as u64);
        plain_bytes += cost;
        let code = *codes_by_text.entry(text).or_insert_with(|| {
            dictionary_bytes += cost;
            distinct.push(text);
            distinct.len() as u64 - 1
        });
        dictionary_bytes += uvarint_len(code);
        codes.push(code);
    }
    if dictionary_bytes < plain_bytes {
        out.push(DICTIONARY);
        encode_texts(&distinct, out);
        u64s::encode(&codes, out);
    } else {
        out.push(PLAIN);
        let texts: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
        encode_texts(&texts, out);
    }
}

fn encode_texts(texts: &[&str], out: &mut Vec<u8>) {
    let lengths: Vec<u64> = texts.iter().map(|text| text.len() as u64).collect();
    u64s::encode(&lengths, out);
    write_uvarint(out, lengths.iter().sum());
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

pub fn decode(cursor: &mut Cursor<'_>) -> Result<StringColumn, CodecError> {
    let layout = cursor.u8()?;
    if layout > DICTIONARY {
        return Err(CodecError("strings: unknown layout"));
    }
    let mut column = decode_texts(cursor)?;
    if layout == DICTIONARY {
        let mut codes = Vec::new();
        u64s::decode(cursor, &mut codes)?;
        column.codes.reserve_exact(codes.len());
        for code in codes {
            let known = u32::try_from(code).ok().filter(|code| (*code as usize) < column.ends.len());
            column.codes.push(known.ok_or(CodecError("strings: code outside of the dictionary"))?);
        }
        if column.codes.is_empty() && !column.ends.is_empty() {
            return Err(CodecError("strings: dictionary without values"));
        }
    }
    Ok(column)
}

fn decode_texts(cursor: &mut Cursor<'_>) -> Result<StringColumn, CodecError> {
    let mut lengths = Vec::new();
    u64s::decode(cursor, &mut lengths)?;
    let text = std::str::from_utf8(cursor.bytes()?).map_err(|_| CodecError("strings: not UTF-8"))?;
    let mut ends = Vec::with_capacity(lengths.len());
    let mut end = 0usize;
    for length in lengths {
        let length = usize::try_from(length).map_err(|_| CodecError("strings: length too large"))?;
        end = end.checked_add(length).ok_or(CodecError("strings: length too large"))?;
        if !text.is_char_boundary(end) {
            return Err(CodecError("strings: lengths do not fit the text"));
        }
        ends.push(u32::try_from(end).map_err(|_| CodecError("strings: column exceeds 4 GiB"))?);
    }
    if end != text.len() {
        return Err(CodecError("strings: text left over"));
    }
    Ok(StringColumn { text: text.to_string(), ends, codes: Vec::new() })
}

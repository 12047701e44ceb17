//! Attributes of many rows (spans, events, links, resources, scopes) as typed columns, one a key.
//!
//! Which keys a row has, and in which order, is its *shape*. Rows of one program have few shapes, so each
//! is stored once and a row names its shape. A key's column holds its values in row order, by type: texts
//! with texts, integers with integers. Looking for one key decodes that key's column and no other.

use std::collections::HashMap;

use codec::{CodecError, Cursor, StringColumn, floats, strings, u64s};
use codec::{unzigzag, write_bytes, write_uvarint, zigzag};
use model::span::{AttributeValue, Attributes};
use storage::traces::attribute_text;

use crate::limits::ATTRIBUTE_DEPTH_MAX;

const STRING: u64 = 0;
const BOOL: u64 = 1;
const INT: u64 = 2;
const DOUBLE: u64 = 3;
/// Bytes, arrays and maps are rare and stored one by one.
const OTHER: u64 = 4;
const EMPTY: u64 = 5;

/// Tags of [`OTHER`] values.
const TAG_STRING: u8 = 0;
const TAG_BOOL: u8 = 1;
const TAG_INT: u8 = 2;
const TAG_DOUBLE: u8 = 3;
const TAG_BYTES: u8 = 4;
const TAG_ARRAY: u8 = 5;
const TAG_MAP: u8 = 6;
const TAG_EMPTY: u8 = 7;

/// Appends the table of `rows`.
pub(crate) fn encode<'a>(rows: impl ExactSizeIterator<Item = &'a Attributes>, out: &mut Vec<u8>) {
    let mut keys: Vec<&str> = Vec::new();
    let mut key_codes: HashMap<&str, u32> = HashMap::new();
    let mut columns: Vec<Vec<&AttributeValue>> = Vec::new();
    let mut shapes: Vec<Vec<u32>> = Vec::new();
    let mut shape_codes: HashMap<Vec<u32>, u64> = HashMap::new();
    let mut row_shapes = Vec::with_capacity(rows.len());
    let mut shape = Vec::new();
    for row in rows {
        shape.clear();
        for (key, value) in row {
            let code = *key_codes.entry(key).or_insert_with(|| {
                keys.push(key);
                columns.push(Vec::new());
                keys.len() as u32 - 1
            });
            columns[code as usize].push(value);
            shape.push(code);
        }
        let code = match shape_codes.get(&shape) {
            Some(code) => *code,
            None => {
                shapes.push(shape.clone());
                shape_codes.insert(shape.clone(), shapes.len() as u64 - 1);
                shapes.len() as u64 - 1
            }
        };
        row_shapes.push(code);
    }
    strings::encode(&keys, out);
    write_uvarint(out, shapes.len() as u64);
    for shape in &shapes {
        write_uvarint(out, shape.len() as u64);
        shape.iter().for_each(|code| write_uvarint(out, u64::from(*code)));
    }
    u64s::encode(&row_shapes, out);
    let mut bytes = Vec::new();
    for column in &columns {
        bytes.clear();
        encode_column(column, &mut bytes);
        write_bytes(out, &bytes);
    }
}

fn encode_column(values: &[&AttributeValue], out: &mut Vec<u8>) {
    let (mut types, mut texts, mut bools) = (Vec::with_capacity(values.len()), Vec::new(), Vec::new());
    let (mut ints, mut doubles, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for value in values {
        types.push(match value {
            AttributeValue::String(text) => {
                texts.push(text.as_str());
                STRING
            }
            AttributeValue::Bool(bool) => {
                bools.push(u64::from(*bool));
                BOOL
            }
            AttributeValue::Int(int) => {
                ints.push(zigzag(*int));
                INT
            }
            AttributeValue::Double(double) => {
                doubles.push(*double);
                DOUBLE
            }
            AttributeValue::Empty => EMPTY,
            other => {
                encode_value(other, &mut others);
                OTHER
            }
        });
    }
    u64s::encode(&types, out);
    // Most columns have one type; the others then cost nothing.
    for type_code in [STRING, BOOL, INT, DOUBLE, OTHER] {
        if !types.contains(&type_code) {
            continue;
        }
        match type_code {
            STRING => strings::encode(&texts, out),
            BOOL => u64s::encode(&bools, out),
            INT => u64s::encode(&ints, out),
            DOUBLE => floats::encode(&doubles, out),
            _ => out.extend_from_slice(&others),
        }
    }
}

/// A table as stored: columns are decoded when asked for.
pub(crate) struct AttributeTable<'a> {
    keys: StringColumn,
    shapes: Vec<Vec<u32>>,
    row_shapes: Vec<u64>,
    columns: Vec<&'a [u8]>,
}

impl<'a> AttributeTable<'a> {
    pub fn decode(cursor: &mut Cursor<'a>) -> Result<AttributeTable<'a>, CodecError> {
        let keys = strings::decode(cursor)?;
        let count = cursor.count(1)?;
        let mut shapes = Vec::with_capacity(count);
        for _ in 0..count {
            let len = cursor.count(1)?;
            let mut shape = Vec::with_capacity(len);
            for _ in 0..len {
                let code = cursor.usize()?;
                if code >= keys.len() {
                    return Err(CodecError("attributes: unknown key"));
                }
                shape.push(code as u32);
            }
            shapes.push(shape);
        }
        let mut row_shapes = Vec::new();
        u64s::decode(cursor, &mut row_shapes)?;
        if row_shapes.iter().any(|code| *code >= shapes.len() as u64) {
            return Err(CodecError("attributes: unknown shape"));
        }
        let columns = (0..keys.len()).map(|_| cursor.bytes()).collect::<Result<_, _>>()?;
        Ok(AttributeTable { keys, shapes, row_shapes, columns })
    }

    pub fn rows(&self) -> usize {
        self.row_shapes.len()
    }

    /// Marks the rows where `key` has a value with this text.
    pub fn find(&self, key: &str, text: &str, mut hit: impl FnMut(usize)) -> Result<(), CodecError> {
        let Some(code) = self.keys.iter().position(|candidate| candidate == key) else { return Ok(()) };
        let occurrences: Vec<usize> = self
            .shapes
            .iter()
            .map(|shape| shape.iter().filter(|key| **key as usize == code).count())
            .collect();
        let mut column = Column::decode(self.columns[code])?;
        for row in 0..self.rows() {
            for _ in 0..occurrences[self.row_shapes[row] as usize] {
                if column.next_is(text)? {
                    hit(row);
                }
            }
        }
        Ok(())
    }

    /// The attributes of the rows that `wanted` picks, in row order.
    pub fn read(&self, wanted: impl Fn(usize) -> bool) -> Result<Vec<Attributes>, CodecError> {
        let mut columns =
            self.columns.iter().map(|bytes| Column::decode(bytes)).collect::<Result<Vec<_>, _>>()?;
        let mut found = Vec::new();
        for row in 0..self.rows() {
            let shape = &self.shapes[self.row_shapes[row] as usize];
            if wanted(row) {
                let mut attributes = Vec::with_capacity(shape.len());
                for code in shape {
                    let key = self.keys.get(*code as usize).unwrap_or_default();
                    attributes.push((key.to_string(), columns[*code as usize].next()?));
                }
                found.push(attributes);
            } else {
                for code in shape {
                    columns[*code as usize].skip()?;
                }
            }
        }
        Ok(found)
    }
}

/// One key's values, read front to back.
#[derive(Default)]
struct Column<'a> {
    types: Vec<u64>,
    texts: StringColumn,
    bools: Vec<u64>,
    ints: Vec<u64>,
    doubles: Vec<f64>,
    others: Option<Cursor<'a>>,
    /// How many values of each type were read.
    read: [usize; EMPTY as usize + 1],
    next: usize,
}

const TOO_SHORT: CodecError = CodecError("attributes: column ends early");

impl<'a> Column<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Column<'a>, CodecError> {
        let mut column = Column::default();
        let mut cursor = Cursor::new(bytes);
        u64s::decode(&mut cursor, &mut column.types)?;
        let mut present = [false; EMPTY as usize + 1];
        for type_code in &column.types {
            *present.get_mut(*type_code as usize).ok_or(CodecError("attributes: unknown type"))? = true;
        }
        if present[STRING as usize] {
            column.texts = strings::decode(&mut cursor)?;
        }
        if present[BOOL as usize] {
            u64s::decode(&mut cursor, &mut column.bools)?;
        }
        if present[INT as usize] {
            u64s::decode(&mut cursor, &mut column.ints)?;
        }
        if present[DOUBLE as usize] {
            floats::decode(&mut cursor, &mut column.doubles)?;
        }
        if present[OTHER as usize] {
            column.others = Some(cursor);
        }
        Ok(column)
    }

    /// The type of the next value and its number among those of that type.
    fn step(&mut self) -> Result<(u64, usize), CodecError> {
        let type_code = *self.types.get(self.next).ok_or(TOO_SHORT)?;
        self.next += 1;
        let read = &mut self.read[type_code as usize];
        *read += 1;
        Ok((type_code, *read - 1))
    }

    fn value(&mut self, type_code: u64, index: usize) -> Result<AttributeValue, CodecError> {
        Ok(match type_code {
            STRING => AttributeValue::String(self.texts.get(index).ok_or(TOO_SHORT)?.to_string()),
            BOOL => AttributeValue::Bool(*self.bools.get(index).ok_or(TOO_SHORT)? != 0),
            INT => AttributeValue::Int(unzigzag(*self.ints.get(index).ok_or(TOO_SHORT)?)),
            DOUBLE => AttributeValue::Double(*self.doubles.get(index).ok_or(TOO_SHORT)?),
            EMPTY => AttributeValue::Empty,
            _ => decode_value(self.others.as_mut().ok_or(TOO_SHORT)?, ATTRIBUTE_DEPTH_MAX)?,
        })
    }

    fn next(&mut self) -> Result<AttributeValue, CodecError> {
        let (type_code, index) = self.step()?;
        self.value(type_code, index)
    }

    fn skip(&mut self) -> Result<(), CodecError> {
        let (type_code, index) = self.step()?;
        if type_code == OTHER { self.value(type_code, index).map(drop) } else { Ok(()) }
    }

    fn next_is(&mut self, text: &str) -> Result<bool, CodecError> {
        let (type_code, index) = self.step()?;
        if type_code == STRING {
            return Ok(self.texts.get(index).ok_or(TOO_SHORT)? == text);
        }
        Ok(attribute_text(&self.value(type_code, index)?) == text)
    }
}

fn encode_value(value: &AttributeValue, out: &mut Vec<u8>) {
    match value {
        AttributeValue::String(text) => {
            out.push(TAG_STRING);
            write_bytes(out, text.as_bytes());
        }
        AttributeValue::Bool(bool) => out.extend_from_slice(&[TAG_BOOL, u8::from(*bool)]),
        AttributeValue::Int(int) => {
            out.push(TAG_INT);
            write_uvarint(out, zigzag(*int));
        }
        AttributeValue::Double(double) => {
            out.push(TAG_DOUBLE);
            out.extend_from_slice(&double.to_bits().to_le_bytes());
        }
        AttributeValue::Bytes(bytes) => {
            out.push(TAG_BYTES);
            write_bytes(out, bytes);
        }
        AttributeValue::Array(items) => {
            out.push(TAG_ARRAY);
            write_uvarint(out, items.len() as u64);
            items.iter().for_each(|item| encode_value(item, out));
        }
        AttributeValue::Map(pairs) => {
            out.push(TAG_MAP);
            write_uvarint(out, pairs.len() as u64);
            for (key, value) in pairs {
                write_bytes(out, key.as_bytes());
                encode_value(value, out);
            }
        }
        AttributeValue::Empty => out.push(TAG_EMPTY),
    }
}

/// `depth` is how many more levels are allowed.
fn decode_value(cursor: &mut Cursor<'_>, depth: usize) -> Result<AttributeValue, CodecError> {
    let deeper = depth.checked_sub(1).ok_or(CodecError("attributes: nested too deeply"))?;
    Ok(match cursor.u8()? {
        TAG_STRING => AttributeValue::String(cursor.str()?.to_string()),
        TAG_BOOL => AttributeValue::Bool(cursor.u8()? != 0),
        TAG_INT => AttributeValue::Int(cursor.ivarint()?),
        TAG_DOUBLE => AttributeValue::Double(cursor.f64()?),
        TAG_BYTES => AttributeValue::Bytes(cursor.bytes()?.to_vec()),
        TAG_ARRAY => {
            let count = cursor.count(1)?;
            AttributeValue::Array((0..count).map(|_| decode_value(cursor, deeper)).collect::<Result<_, _>>()?)
        }
        TAG_MAP => {
            let count = cursor.count(2)?;
            let mut pairs = Vec::with_capacity(count);
            for _ in 0..count {
                let key = cursor.str()?.to_string();
                pairs.push((key, decode_value(cursor, deeper)?));
            }
            AttributeValue::Map(pairs)
        }
        TAG_EMPTY => AttributeValue::Empty,
        _ => return Err(CodecError("attributes: unknown tag")),
    })
}

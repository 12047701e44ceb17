//! Postings of every label pair.
//!
//! ```text
//! pairs    = u32 names, name{names}, value*, list*
//! name     = u32 name_symbol, u32 first_value, u32 values       ascending by symbol
//! value    = u32 value_symbol, u32 list_offset                  ascending by symbol within its name
//! list     = uvarint count*2,   { uvarint gap }{count}                  gaps between single ids
//!          | uvarint count*2+1, { uvarint gap, uvarint run-1 }{count}   gaps between runs of ids
//! ```
//!
//! A gap is the distance from one past the previous id (or run). Because ids follow label order, the
//! series of one metric name are one run: three or four bytes however many there are.

use crate::IndexError;
use crate::bytes::{Cursor, put_u32, put_uvarint};

const NAME_LEN: usize = 12;
const VALUE_LEN: usize = 8;

/// Serialises `(name, value) → ids`, ascending by symbol numbers.
pub fn write<'a>(pairs: impl Iterator<Item = (u32, u32, &'a [u32])>) -> Vec<u8> {
    let (mut names, mut values, mut lists) = (Vec::<(u32, u32, u32)>::new(), Vec::new(), Vec::new());
    for (name, value, ids) in pairs {
        match names.last_mut() {
            Some((last, _, count)) if *last == name => *count += 1,
            _ => names.push((name, values.len() as u32, 1)),
        }
        values.push((value, lists.len() as u32));
        write_list(&mut lists, ids);
    }
    let mut out = Vec::with_capacity(4 + names.len() * NAME_LEN + values.len() * VALUE_LEN + lists.len());
    put_u32(&mut out, names.len() as u32);
    for (name, first, count) in names {
        [name, first, count].iter().for_each(|n| put_u32(&mut out, *n));
    }
    for (value, offset) in values {
        put_u32(&mut out, value);
        put_u32(&mut out, offset);
    }
    out.extend_from_slice(&lists);
    out
}

fn write_list(out: &mut Vec<u8>, ids: &[u32]) {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == id => *len += 1,
            _ => runs.push((id, 1)),
        }
    }
    let mut next = 0;
    if runs.len() * 2 <= ids.len() {
        put_uvarint(out, runs.len() as u64 * 2 + 1);
        for (start, len) in runs {
            put_uvarint(out, u64::from(start - next));
            put_uvarint(out, u64::from(len - 1));
            next = start + len;
        }
    } else {
        put_uvarint(out, ids.len() as u64 * 2);
        for &id in ids {
            put_uvarint(out, u64::from(id - next));
            next = id + 1;
        }
    }
}

#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    names: &'a [u8],
    /// Value entries followed by the lists.
    rest: &'a [u8],
    lists: &'a [u8],
    series_count: u32,
}

/// The value entries of one name.
#[derive(Clone, Copy)]
pub struct Values {
    first: u32,
    pub count: u32,
}

impl<'a> Pairs<'a> {
    pub fn read(section: &'a [u8], series_count: u32) -> Result<Pairs<'a>, IndexError> {
        let mut cursor = Cursor::new(section, 0, "label pairs");
        let count = cursor.u32()? as usize;
        let names = cursor.take(count.checked_mul(NAME_LEN).ok_or_else(|| cursor.error())?)?;
        let rest = &section[cursor.at()..];
        let values = match names.len().checked_sub(NAME_LEN) {
            Some(last) => {
                let mut cursor = Cursor::new(names, last + 4, "label name");
                cursor.u32()? as usize + cursor.u32()? as usize
            }
            None => 0,
        };
        let lists = rest.get(values * VALUE_LEN..).ok_or_else(|| cursor.error())?;
        Ok(Pairs { names, rest, lists, series_count })
    }

    pub fn name_count(&self) -> usize {
        self.names.len() / NAME_LEN
    }

    /// Symbol and values of the `at`th name.
    pub fn name(&self, at: usize) -> Result<(u32, Values), IndexError> {
        let mut cursor = Cursor::new(self.names, at * NAME_LEN, "label name");
        Ok((cursor.u32()?, Values { first: cursor.u32()?, count: cursor.u32()? }))
    }

    pub fn values_of(&self, name: u32) -> Result<Option<Values>, IndexError> {
        let (mut low, mut high) = (0, self.name_count());
        while low < high {
            let middle = low + (high - low) / 2;
            let (symbol, values) = self.name(middle)?;
            match symbol.cmp(&name) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Ok(Some(values)),
            }
        }
        Ok(None)
    }

    /// Symbol and list offset of the `at`th value.
    pub fn value(&self, values: Values, at: u32) -> Result<(u32, u32), IndexError> {
        let entry = values.first as usize + at as usize;
        let mut cursor = Cursor::new(self.rest, entry * VALUE_LEN, "label value");
        Ok((cursor.u32()?, cursor.u32()?))
    }

    /// The first position in `values` whose symbol is not below `symbol`.
    pub fn lower_bound(&self, values: Values, symbol: u32) -> Result<u32, IndexError> {
        let (mut low, mut high) = (0, values.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.value(values, middle)?.0 < symbol {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Appends the ids of the list at `offset`.
    pub fn list(&self, offset: u32, out: &mut Vec<u32>) -> Result<(), IndexError> {
        let mut cursor = Cursor::new(self.lists, offset as usize, "postings list");
        let head = cursor.uvarint()?;
        let mut next = 0u64;
        for _ in 0..head / 2 {
            let start = next.checked_add(cursor.uvarint()?).ok_or_else(|| cursor.error())?;
            let more = if head % 2 == 1 { cursor.uvarint()? } else { 0 };
            next = start.checked_add(more).and_then(|n| n.checked_add(1)).ok_or_else(|| cursor.error())?;
            if next > u64::from(self.series_count) {
                return Err(cursor.error());
            }
            out.extend(start as u32..next as u32);
        }
        Ok(())
    }
}

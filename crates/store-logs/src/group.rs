//! A group: the rows that are stored and read at once, column by column, in three pages.

use std::borrow::Cow;
use std::collections::HashMap;

use bytes::Bytes;
use codec::{CodecError, Cursor, StringColumn, strings, timestamps, u64s, write_bytes, write_uvarint};
use model::{Labels, TimestampNs};

use crate::record::read_labels;
use crate::sweep::Row;

/// A group ends when its lines take this much: large enough to compress well and small enough that the
/// newest hundred lines of a stream come at once.
pub(crate) const GROUP_TEXT_BYTES: usize = 1 << 20;

/// Lines may be short and metadata long.
pub(crate) const GROUP_ROWS_MAX: usize = 1 << 16;
pub(crate) const GROUP_METADATA_BYTES: usize = 4 << 20;

/// Metadata layouts.
const SETS: u8 = 0;
const COLUMNS: u8 = 1;

/// Metadata is kept as whole sets when rows share them at least this often.
const ROWS_PER_SET_MIN: usize = 4;

/// A group that is being filled.
#[derive(Default)]
pub(crate) struct GroupBuilder {
    times: Vec<i64>,
    lengths: Vec<u64>,
    generations: Vec<u64>,
    text: Vec<u8>,
    set_numbers: HashMap<Labels, u32>,
    sets: Vec<Labels>,
    metadata: Vec<u32>,
    metadata_bytes: usize,
}

/// The pages of a group, uncompressed.
pub(crate) struct GroupPages {
    pub core: Vec<u8>,
    pub text: Vec<u8>,
    pub metadata: Vec<u8>,
}

impl GroupBuilder {
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn is_full(&self) -> bool {
        self.text.len() >= GROUP_TEXT_BYTES
            || self.rows() >= GROUP_ROWS_MAX
            || self.metadata_bytes >= GROUP_METADATA_BYTES
    }

    pub fn add(&mut self, row: &Row<'_>) {
        self.times.push(row.ts);
        self.lengths.push(row.line.len() as u64);
        self.generations.push(row.generation);
        self.text.extend_from_slice(row.line.as_bytes());
        let number = match self.set_numbers.get(row.metadata) {
            Some(number) => *number,
            None => {
                let number = self.sets.len() as u32;
                self.metadata_bytes += row.metadata.as_packed().len();
                self.set_numbers.insert(row.metadata.clone(), number);
                self.sets.push(row.metadata.clone());
                number
            }
        };
        self.metadata.push(number);
    }

    pub fn finish(self) -> GroupPages {
        let mut core = Vec::new();
        timestamps::encode(&self.times, &mut core);
        u64s::encode(&self.lengths, &mut core);
        u64s::encode(&self.generations, &mut core);
        let mut metadata = Vec::new();
        if self.sets.len() * ROWS_PER_SET_MIN <= self.rows() || self.sets.len() == 1 {
            metadata.push(SETS);
            write_uvarint(&mut metadata, self.sets.len() as u64);
            self.sets.iter().for_each(|set| write_bytes(&mut metadata, set.as_packed()));
            let codes: Vec<u64> = self.metadata.iter().map(|number| u64::from(*number)).collect();
            u64s::encode(&codes, &mut metadata);
        } else {
            metadata.push(COLUMNS);
            self.encode_columns(&mut metadata);
        }
        GroupPages { core, text: self.text, metadata }
    }

    fn encode_columns(&self, out: &mut Vec<u8>) {
        let mut keys: Vec<&str> = self.sets.iter().flat_map(|set| set.iter().map(|(name, _)| name)).collect();
        keys.sort_unstable();
        keys.dedup();
        write_uvarint(out, self.rows() as u64);
        strings::encode(&keys, out);
        for key in keys {
            // No stored value is empty, so the empty text says that the key is absent.
            let values: Vec<&str> = self.sets.iter().map(|set| set.get(key)).collect();
            let values: Vec<&str> = self.metadata.iter().map(|number| values[*number as usize]).collect();
            strings::encode(&values, out);
        }
    }
}

/// A group that was read. Metadata is decoded when a row's is asked for.
#[derive(Debug)]
pub(crate) struct Group {
    times: Vec<i64>,
    generations: Vec<u64>,
    /// Where the n-th line ends in `text`.
    ends: Vec<u32>,
    text: Bytes,
    metadata: Metadata,
}

#[derive(Debug)]
enum Metadata {
    Sets { sets: Vec<Labels>, codes: Vec<u64> },
    Columns { keys: StringColumn, values: Vec<StringColumn> },
}

impl Group {
    pub fn decode(core: &[u8], text: Bytes, metadata: &[u8]) -> Result<Group, CodecError> {
        let mut cursor = Cursor::new(core);
        let (mut times, mut lengths, mut generations) = (Vec::new(), Vec::new(), Vec::new());
        timestamps::decode(&mut cursor, &mut times)?;
        u64s::decode(&mut cursor, &mut lengths)?;
        u64s::decode(&mut cursor, &mut generations)?;
        cursor.finish()?;
        if lengths.len() != times.len() || generations.len() != times.len() {
            return Err(CodecError("group: columns differ in length"));
        }
        let all = std::str::from_utf8(&text).map_err(|_| CodecError("group: lines are not UTF-8"))?;
        let mut ends = Vec::with_capacity(lengths.len());
        let mut end = 0u64;
        for length in lengths {
            end = end.saturating_add(length);
            let at = u32::try_from(end).map_err(|_| CodecError("group: line length"))?;
            if !all.is_char_boundary(at as usize) {
                return Err(CodecError("group: line lengths do not fit the text"));
            }
            ends.push(at);
        }
        if end != text.len() as u64 {
            return Err(CodecError("group: text left over"));
        }
        let metadata = Metadata::decode(metadata, times.len())?;
        Ok(Group { times, generations, ends, text, metadata })
    }

    pub fn rows(&self) -> usize {
        self.times.len()
    }

    pub fn time(&self, row: usize) -> TimestampNs {
        self.times.get(row).copied().unwrap_or_default()
    }

    pub fn generation(&self, row: usize) -> u64 {
        self.generations.get(row).copied().unwrap_or_default()
    }

    pub fn line(&self, row: usize) -> &str {
        let bytes = self.text.get(self.start(row)..self.end(row)).unwrap_or_default();
        // All of the text and every end was checked when it was decoded.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn start(&self, row: usize) -> usize {
        row.checked_sub(1).map_or(0, |before| self.end(before))
    }

    fn end(&self, row: usize) -> usize {
        self.ends.get(row).copied().unwrap_or_default() as usize
    }

    pub fn metadata(&self, row: usize) -> Cow<'_, Labels> {
        match &self.metadata {
            Metadata::Sets { sets, codes } => Cow::Borrowed(&sets[codes[row] as usize]),
            Metadata::Columns { keys, values } => {
                let values = values.iter().map(|column| column.get(row).unwrap_or_default());
                Cow::Owned(Labels::from_sorted(keys.iter().zip(values)))
            }
        }
    }

    /// Rows of `first..last` in the time range whose line contains all needles, ascending.
    pub fn find(
        &self,
        first: usize,
        last: usize,
        start: TimestampNs,
        end: TimestampNs,
        needles: &[&[u8]],
    ) -> Vec<u32> {
        let last = last.min(self.rows());
        let times = self.times.get(first..last).unwrap_or_default();
        let from = first + times.partition_point(|ts| *ts < start);
        let to = first + times.partition_point(|ts| *ts < end);
        if from >= to {
            return Vec::new();
        }
        // The longest needle is the rarest.
        let Some(longest) = needles.iter().max_by_key(|needle| needle.len()).filter(|n| !n.is_empty()) else {
            return (from as u32..to as u32).collect();
        };
        let mut rows = Vec::new();
        let finder = memchr::memmem::Finder::new(longest);
        let mut at = self.start(from);
        let stop = self.end(to - 1);
        let mut row = from;
        while let Some(found) = self.text.get(at..stop).and_then(|text| finder.find(text)) {
            let found = at + found;
            row += self.ends[row..to].partition_point(|end| *end as usize <= found);
            // What lies across the end of a line is none of it.
            let line = self.text.get(self.start(row)..self.end(row)).unwrap_or_default();
            let whole = found + longest.len() <= self.end(row);
            if whole && needles.iter().all(|needle| memchr::memmem::find(line, needle).is_some()) {
                rows.push(row as u32);
            }
            at = if whole { self.end(row) } else { found + 1 };
        }
        rows
    }
}

impl Metadata {
    fn decode(bytes: &[u8], rows: usize) -> Result<Metadata, CodecError> {
        let mut cursor = Cursor::new(bytes);
        match cursor.u8()? {
            SETS => {
                let count = cursor.count(1)?;
                let sets = (0..count).map(|_| read_labels(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
                let mut codes = Vec::new();
                u64s::decode(&mut cursor, &mut codes)?;
                if codes.len() != rows || codes.iter().any(|code| *code >= sets.len() as u64) {
                    return Err(CodecError("group: metadata of unknown sets"));
                }
                Ok(Metadata::Sets { sets, codes })
            }
            COLUMNS => {
                let claimed = cursor.count(0)?;
                let keys = strings::decode(&mut cursor)?;
                let sorted = keys.iter().zip(keys.iter().skip(1)).all(|(a, b)| a < b);
                let values =
                    (0..keys.len()).map(|_| strings::decode(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
                if !sorted || claimed != rows || values.iter().any(|column| column.len() != rows) {
                    return Err(CodecError("group: metadata columns"));
                }
                Ok(Metadata::Columns { keys, values })
            }
            _ => Err(CodecError("group: unknown metadata layout")),
        }
    }
}

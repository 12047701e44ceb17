//! What a part's meta says: read when the part is opened, kept in memory.

use codec::{CodecError, Cursor, StringColumn, strings, u64s};
use kernel::PageRef;
use model::TimestampNs;
use model::span::TraceId;

use crate::criteria::Criteria;
use crate::part_builder::META_VERSION;

pub(crate) struct Meta {
    /// When the newest of the part's spans came.
    pub arrived_ms: i64,
    /// Sorted.
    pub services: StringColumn,
    /// First id and page of each page of the trace index.
    pub fences: Vec<(TraceId, PageRef)>,
    pub blocks: Vec<Block>,
}

/// What is known of a block without reading it.
pub(crate) struct Block {
    pub first_page: u32,
    pub start_min: TimestampNs,
    pub start_max: TimestampNs,
    duration_max: u64,
    first: (String, String),
    last: (String, String),
}

impl Block {
    /// Whether a block can hold a match, by what the meta says.
    pub fn may_match(&self, criteria: &Criteria) -> bool {
        if self.start_max < criteria.start_min
            || self.start_min > criteria.start_max
            || self.duration_max < criteria.duration_min
        {
            return false;
        }
        let Some(service) = &criteria.service else { return true };
        if *service < self.first.0 || *service > self.last.0 {
            return false;
        }
        let Some(operation) = &criteria.operation else { return true };
        let wanted = (service, operation);
        wanted >= (&self.first.0, &self.first.1) && wanted <= (&self.last.0, &self.last.1)
    }
}

impl Meta {
    pub fn parse(meta: &[u8]) -> Result<Meta, CodecError> {
        let mut cursor = Cursor::new(meta);
        if cursor.u8()? != META_VERSION {
            return Err(CodecError("trace part: unknown version"));
        }
        let arrived_ms = cursor.u64()? as i64;
        // Spans and traces: for people and tools.
        cursor.uvarint()?;
        cursor.uvarint()?;
        let services = strings::decode(&mut cursor)?;
        let count = cursor.count(20)?;
        let mut fences = Vec::with_capacity(count);
        for _ in 0..count {
            fences.push((TraceId(cursor.array()?), PageRef(cursor.u32()?)));
        }
        let mut columns = Cursor::new(cursor.bytes()?);
        let column = |columns: &mut Cursor<'_>| {
            let mut values = Vec::new();
            u64s::decode(columns, &mut values).map(|()| values)
        };
        let first_pages = column(&mut columns)?;
        let rows = column(&mut columns)?;
        let start_mins = column(&mut columns)?;
        let start_spreads = column(&mut columns)?;
        let duration_maxes = column(&mut columns)?;
        let texts = [
            strings::decode(&mut columns)?,
            strings::decode(&mut columns)?,
            strings::decode(&mut columns)?,
            strings::decode(&mut columns)?,
        ];
        let count = first_pages.len();
        if [&rows, &start_mins, &start_spreads, &duration_maxes].iter().any(|column| column.len() != count)
            || texts.iter().any(|column| column.len() != count)
        {
            return Err(CodecError("trace part: columns differ in length"));
        }
        let text = |column: usize, row: usize| texts[column].get(row).unwrap_or_default().to_string();
        let mut blocks = Vec::with_capacity(count);
        for row in 0..count {
            let start_min = start_mins[row] as i64;
            blocks.push(Block {
                first_page: u32::try_from(first_pages[row])
                    .map_err(|_| CodecError("trace part: page number"))?,
                start_min,
                start_max: start_min.wrapping_add(start_spreads[row] as i64),
                duration_max: duration_maxes[row],
                first: (text(0, row), text(1, row)),
                last: (text(2, row), text(3, row)),
            });
        }
        Ok(Meta { arrived_ms, services, fences, blocks })
    }
}

//! What a part holds where: blocks by stream, groups by number.

use codec::{CodecError, Cursor, u64s};
use index::SeriesId;
use model::TimestampNs;

/// Columns have a limit; a directory of more blocks takes several pages.
const BLOCKS_PER_PAGE: usize = 1 << 20;

/// A piece of one stream within a group, sorted by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub stream: SeriesId,
    pub group: u32,
    pub first_row: u32,
    pub rows: u32,
    pub min: TimestampNs,
    /// Inclusive.
    pub max: TimestampNs,
    /// Of lines and metadata.
    pub bytes: u64,
}

impl Block {
    pub fn overlaps(&self, start: TimestampNs, end: TimestampNs) -> bool {
        self.min < end && start <= self.max
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupPlace {
    /// Core; lines and metadata follow.
    pub first_page: u32,
    pub filter_page: u32,
    pub filter_offset: u32,
    pub filter_len: u32,
}

/// Sorted by stream, then by time.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    blocks: Vec<Block>,
    groups: Vec<GroupPlace>,
}

impl Directory {
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub fn of_stream(&self, stream: SeriesId) -> &[Block] {
        let start = self.blocks.partition_point(|block| block.stream < stream);
        let end = start + self.blocks[start..].partition_point(|block| block.stream == stream);
        &self.blocks[start..end]
    }

    /// Whether the stream has a block that overlaps the range.
    pub fn reaches(&self, stream: SeriesId, start: TimestampNs, end: TimestampNs) -> bool {
        self.of_stream(stream).iter().any(|block| block.overlaps(start, end))
    }

    pub fn group(&self, group: u32) -> Option<&GroupPlace> {
        self.groups.get(group as usize)
    }

    pub fn add_page(&mut self, page: &[u8]) -> Result<(), CodecError> {
        let mut cursor = Cursor::new(page);
        let [streams, groups, rows, mins, spreads, bytes] = columns(&mut cursor)?;
        for at in 0..streams.len() {
            let first_row = match self.blocks.last() {
                Some(last) if u64::from(last.group) == groups[at] => last.first_row + last.rows,
                _ => 0,
            };
            let min = mins[at] as i64;
            let block = Block {
                stream: narrow(streams[at])?,
                group: narrow(groups[at])?,
                first_row,
                rows: narrow(rows[at])?,
                min,
                max: min.wrapping_add(spreads[at] as i64),
                bytes: bytes[at],
            };
            let sorted = self.blocks.last().is_none_or(|last| last.stream <= block.stream);
            if !sorted || first_row.checked_add(block.rows).is_none() {
                return Err(CodecError("directory: blocks out of order"));
            }
            self.blocks.push(block);
        }
        cursor.finish()
    }

    pub fn add_groups(&mut self, page: &[u8]) -> Result<(), CodecError> {
        let mut cursor = Cursor::new(page);
        let [first_pages, filter_pages, filter_lens] = columns(&mut cursor)?;
        for at in 0..first_pages.len() {
            let filter_page = narrow(filter_pages[at])?;
            let filter_offset = match self.groups.last() {
                Some(last) if last.filter_page == filter_page => {
                    last.filter_offset.saturating_add(last.filter_len)
                }
                _ => 0,
            };
            self.groups.push(GroupPlace {
                first_page: narrow(first_pages[at])?,
                filter_page,
                filter_offset,
                filter_len: narrow(filter_lens[at])?,
            });
        }
        cursor.finish()
    }
}

/// Blocks of one group must be neighbours and complete; then their first rows need not be stored.
pub(crate) fn encode_blocks(blocks: &[Block]) -> Vec<Vec<u8>> {
    let page = |blocks: &[Block]| {
        let mut out = Vec::new();
        let mut column = |value: fn(&Block) -> u64| {
            u64s::encode(&blocks.iter().map(value).collect::<Vec<_>>(), &mut out);
        };
        column(|block| u64::from(block.stream));
        column(|block| u64::from(block.group));
        column(|block| u64::from(block.rows));
        column(|block| block.min as u64);
        column(|block| block.max.wrapping_sub(block.min) as u64);
        column(|block| block.bytes);
        out
    };
    blocks.chunks(BLOCKS_PER_PAGE).map(page).collect()
}

/// Filters of one page must be neighbours; then their offsets need not be stored.
pub(crate) fn encode_groups(groups: &[GroupPlace]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut column = |value: fn(&GroupPlace) -> u32| {
        u64s::encode(&groups.iter().map(|group| u64::from(value(group))).collect::<Vec<_>>(), &mut out);
    };
    column(|group| group.first_page);
    column(|group| group.filter_page);
    column(|group| group.filter_len);
    out
}

fn columns<const N: usize>(cursor: &mut Cursor<'_>) -> Result<[Vec<u64>; N], CodecError> {
    let mut columns: [Vec<u64>; N] = std::array::from_fn(|_| Vec::new());
    for column in &mut columns {
        u64s::decode(cursor, column)?;
    }
    if columns.iter().any(|column| column.len() != columns[0].len()) {
        return Err(CodecError("directory: columns differ in length"));
    }
    Ok(columns)
}

fn narrow(n: u64) -> Result<u32, CodecError> {
    u32::try_from(n).map_err(|_| CodecError("directory: number too large"))
}

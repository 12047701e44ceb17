//! Merging parts: stream by stream in label order, each stream's blocks in a sweep.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use index::{IndexReader, IndexView, SeriesId};
use kernel::{PartInfo, PartWriter};
use model::{Labels, TimestampNs};
use storage::StoreError;
use storage::logs::Direction;

use crate::directory::{Block, Directory};
use crate::part::{Cache, GroupCache, LogPart, Wanted};
use crate::part_builder::PartBuilder;
use crate::sweep::sweep;

/// Decides on the blocks of a stream.
pub(crate) type Keep<'a> = dyn Fn(&Labels, &Block) -> bool + 'a;

/// Writes the blocks of `parts` (in order of age) that `keep` accepts into one part; `None` when nothing
/// is left.
pub(crate) fn merge(
    parts: &[Arc<LogPart>],
    writer: PartWriter,
    keep: &Keep<'_>,
) -> Result<Option<PartInfo>, StoreError> {
    let pages = parts.iter().map(|part| part.index_page(Cache::Spare)).collect::<Result<Vec<_>, _>>()?;
    let mut sources = Vec::with_capacity(parts.len());
    for (part, page) in parts.iter().zip(&pages) {
        sources.push(Source::open(part, page)?);
    }
    // One decoded group of each part at a time.
    let groups = GroupCache::new(Cache::Spare, parts.len());
    let mut builder = PartBuilder::new(writer);
    while let Some(stream) = sources.iter().filter_map(|source| source.stream.as_ref()).min().cloned() {
        merge_stream(&stream, &sources, &groups, keep, &mut builder)?;
        for source in sources.iter_mut().filter(|source| source.stream.as_ref() == Some(&stream)) {
            source.advance()?;
        }
    }
    if builder.is_empty() { Ok(None) } else { builder.finish().map(Some) }
}

fn merge_stream(
    stream: &Labels,
    sources: &[Source<'_>],
    groups: &GroupCache,
    keep: &Keep<'_>,
    builder: &mut PartBuilder,
) -> Result<(), StoreError> {
    let wanted = Wanted { start: TimestampNs::MIN, end: TimestampNs::MAX, needles: &[] };
    let mut pieces = Vec::new();
    for source in sources.iter().filter(|source| source.stream.as_ref() == Some(stream)) {
        for block in source.directory.of_stream(source.id).iter().filter(|block| keep(stream, block)) {
            pieces.push(source.part.piece(&source.directory, block, wanted, groups));
        }
    }
    let mut failed = None;
    sweep(pieces, Direction::Forward, &mut |row| match builder.add(stream, &row) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// A part and the stream that it has next.
struct Source<'a> {
    part: &'a LogPart,
    index: IndexReader<'a>,
    directory: Directory,
    id: SeriesId,
    stream: Option<Labels>,
}

impl<'a> Source<'a> {
    fn open(part: &'a Arc<LogPart>, page: &'a Bytes) -> Result<Source<'a>, StoreError> {
        let (index, directory) = (part.reader(page)?, part.directory(Cache::Spare)?);
        let mut source = Source { part, index, directory, id: 0, stream: None };
        source.read()?;
        Ok(source)
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        self.id += 1;
        self.read()
    }

    fn read(&mut self) -> Result<(), StoreError> {
        let there = (self.id as usize) < self.index.len();
        let labels = there.then(|| self.index.labels(self.id)).transpose();
        self.stream = labels.map_err(|error| self.part.index_error(error))?;
        Ok(())
    }
}

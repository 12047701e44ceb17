//! A block for reading.

use std::path::{Path, PathBuf};

use model::TimestampMs;
use storage::metrics::SampleColumns;

use crate::BlockError;
use crate::chunk;
use crate::columns::{keep, merge};
use crate::index_reader::{ChunkMeta, IndexReader, SeriesEntry};
use crate::meta::Meta;
use crate::segments::{CHUNKS_DIR, SegmentReader};
use crate::tombstones::{self, Tombstones};
use crate::ulid::is_ulid;

/// One immutable folder of series and their samples.
#[derive(Debug)]
pub struct Block {
    dir: PathBuf,
    meta: Meta,
    index: IndexReader,
    segments: SegmentReader,
    tombstones: Tombstones,
}

impl Block {
    pub fn open(dir: &Path) -> Result<Block, BlockError> {
        Ok(Block {
            meta: Meta::read(dir)?,
            index: IndexReader::open(&dir.join("index"))?,
            segments: SegmentReader::open(&dir.join(CHUNKS_DIR))?,
            tombstones: tombstones::read(dir)?,
            dir: dir.to_owned(),
        })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    pub fn index(&self) -> &IndexReader {
        &self.index
    }

    /// Series in the order of their labels.
    pub fn series(&self) -> impl Iterator<Item = Result<SeriesEntry, BlockError>> {
        (0..self.index.len()).map(|i| self.index.series(i))
    }

    /// Adds the samples of a series in `mint..=maxt` that are not deleted to `out`. Overlapping chunks, which
    /// only a damaged or hand-made block has, are an error.
    pub fn read(
        &self,
        series: &SeriesEntry,
        mint: TimestampMs,
        maxt: TimestampMs,
        out: &mut SampleColumns,
    ) -> Result<(), BlockError> {
        let mut own = SampleColumns::default();
        let mut last = None;
        for chunk in series.chunks.iter().filter(|chunk| chunk.min_t <= maxt && chunk.max_t >= mint) {
            if last.is_some_and(|last| chunk.min_t <= last) {
                return Err(BlockError::new(format!("chunks of {} overlap", series.labels)));
            }
            last = Some(chunk.max_t);
            self.read_chunk(chunk, &mut own)?;
        }
        let deleted = self.tombstones.get(&series.reference).map_or(&[][..], |ranges| ranges);
        keep(&mut own, |t| {
            (mint..=maxt).contains(&t) && !deleted.iter().any(|(min, max)| (*min..=*max).contains(&t))
        });
        merge(out, own);
        Ok(())
    }

    fn read_chunk(&self, meta: &ChunkMeta, out: &mut SampleColumns) -> Result<(), BlockError> {
        let (encoding, data) = self.segments.chunk(meta.reference)?;
        let before = (out.float_times.len(), out.histograms.len());
        chunk::decode(encoding, data, out).map_err(|e| e.at(self.dir.display()))?;
        // Order between chunks rests on the times that the index gives.
        let times = out.float_times[before.0..].iter().chain(out.histograms[before.1..].iter().map(|h| &h.0));
        if times.clone().any(|t| !(meta.min_t..=meta.max_t).contains(t)) {
            return Err(BlockError::new("times in a chunk disagree with the index").at(self.dir.display()));
        }
        Ok(())
    }

    /// The samples of one chunk, deleted ones too.
    pub fn chunk(&self, meta: &ChunkMeta) -> Result<SampleColumns, BlockError> {
        let mut columns = SampleColumns::default();
        self.read_chunk(meta, &mut columns)?;
        Ok(columns)
    }

    /// Encoding, number of samples and bytes of a chunk.
    pub fn chunk_size(&self, meta: &ChunkMeta) -> Result<(chunk::Encoding, usize, usize), BlockError> {
        let (encoding, data) = self.segments.chunk(meta.reference)?;
        Ok((encoding, chunk::count(encoding, data)?, data.len()))
    }
}

/// The blocks of a data directory by time. Folders that are no complete block (a compaction that was
/// interrupted) are left out.
pub fn blocks_in(dir: &Path) -> Result<Vec<(PathBuf, Meta)>, BlockError> {
    let failed = |error: std::io::Error| BlockError::io(dir, &error);
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let named = path.file_name().and_then(|name| name.to_str()).is_some_and(is_ulid);
        if named && path.join(crate::meta::META_FILE).is_file() {
            blocks.push((path.clone(), Meta::read(&path)?));
        }
    }
    blocks.sort_by(|a, b| (a.1.min_time, &a.1.ulid).cmp(&(b.1.min_time, &b.1.ulid)));
    Ok(blocks)
}

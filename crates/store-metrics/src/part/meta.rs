//! The figures of a part, kept in its footer so that status pages need not read any page.
//!
//! ```text
//! meta = series uvarint, chunks uvarint, samples uvarint, histograms uvarint, level uvarint,
//!        n uvarint, n × { part uvarint, max time ivarint }        sources
//! ```

use codec::{CodecError, Cursor, write_ivarint, write_uvarint};
use kernel::PartId;
use model::TimestampMs;

/// More sources are not remembered: a part of a day rarely has more than a dozen.
pub const SOURCES_MAX: usize = 1024;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PartMeta {
    pub series: u64,
    pub chunks: u64,
    pub samples: u64,
    /// Of the samples, the native histograms.
    pub histograms: u64,
    pub lineage: Lineage,
}

/// How a part came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// 1 for a part written from memory, one more with each merge.
    pub level: u32,
    /// The parts written from memory that are in it, oldest first, with their newest times; empty for a
    /// part that is such a one itself.
    pub sources: Vec<(PartId, TimestampMs)>,
}

impl Default for Lineage {
    fn default() -> Lineage {
        Lineage { level: 1, sources: Vec::new() }
    }
}

impl Lineage {
    /// That of a part merged from parts with these names, newest times and lineages.
    pub fn merged<'l>(from: impl Iterator<Item = (PartId, TimestampMs, &'l Lineage)>) -> Lineage {
        let mut merged = Lineage { level: 0, sources: Vec::new() };
        let mut parts = 0;
        for (id, max_t, lineage) in from {
            parts += 1;
            merged.level = merged.level.max(lineage.level);
            if lineage.sources.is_empty() {
                merged.sources.push((id, max_t));
            }
            merged.sources.extend(&lineage.sources);
        }
        // Writing one part anew is no merge.
        merged.level = merged.level.saturating_add(u32::from(parts > 1));
        merged.sources.sort_unstable();
        merged.sources.dedup();
        merged.sources.truncate(SOURCES_MAX);
        merged
    }
}

impl PartMeta {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for n in [self.series, self.chunks, self.samples, self.histograms, u64::from(self.lineage.level)] {
            write_uvarint(&mut out, n);
        }
        write_uvarint(&mut out, self.lineage.sources.len() as u64);
        for (part, max_t) in &self.lineage.sources {
            write_uvarint(&mut out, part.0);
            write_ivarint(&mut out, *max_t);
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<PartMeta, CodecError> {
        let mut cursor = Cursor::new(bytes);
        let mut meta = PartMeta {
            series: cursor.uvarint()?,
            chunks: cursor.uvarint()?,
            samples: cursor.uvarint()?,
            histograms: cursor.uvarint()?,
            lineage: Lineage::default(),
        };
        meta.lineage.level = u32::try_from(cursor.uvarint()?).map_err(|_| CodecError("level"))?;
        for _ in 0..cursor.count(2)? {
            meta.lineage.sources.push((PartId(cursor.uvarint()?), cursor.ivarint()?));
        }
        Ok(meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_and_lineages_add_up() {
        let first = Lineage::default();
        let second = Lineage { level: 2, sources: vec![(PartId(3), -7), (PartId(4), 9)] };
        let merged = Lineage::merged(
            [(PartId(4), 9, &first), (PartId(6), 20, &second), (PartId(5), 8, &first)].into_iter(),
        );
        assert_eq!(merged.level, 3);
        assert_eq!(merged.sources, [(PartId(3), -7), (PartId(4), 9), (PartId(5), 8)]);
        let rewritten = Lineage::merged([(PartId(7), 5, &first)].into_iter());
        assert_eq!(rewritten, Lineage { level: 1, sources: vec![(PartId(7), 5)] });
        let meta = PartMeta { series: 1, chunks: 300, samples: 70_000, histograms: 9, lineage: merged };
        let bytes = meta.encode();
        assert_eq!(PartMeta::decode(&bytes), Ok(meta));
        for len in 0..bytes.len() {
            assert!(PartMeta::decode(&bytes[..len]).is_err(), "cut to {len}");
        }
    }
}

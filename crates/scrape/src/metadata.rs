//! Type, help and unit of the families a target exposes.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Metadata, MetricType};

/// Families by name, sorted, as shown to others.
pub(crate) type Families = Arc<Vec<(String, Metadata)>>;

/// Families not announced for this many scrapes are forgotten, as in the original.
const SCRAPES_KEPT: u64 = 10;

/// Texts longer than this are cut, so that a target cannot fill the memory with them.
const HELP_BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct MetadataCache {
    families: HashMap<String, (Metadata, u64)>,
    scrape: u64,
    /// Something is different since the last [`MetadataCache::publish`].
    changed: bool,
}

impl MetadataCache {
    pub(crate) fn begin(&mut self) {
        self.scrape += 1;
    }

    pub(crate) fn end(&mut self) {
        if self.scrape > SCRAPES_KEPT {
            let (oldest, before) = (self.scrape - SCRAPES_KEPT, self.families.len());
            self.families.retain(|_, (_, seen)| *seen >= oldest);
            self.changed |= self.families.len() != before;
        }
    }

    pub(crate) fn set_kind(&mut self, family: &str, kind: MetricType) {
        self.update(family, |metadata| {
            let same = metadata.kind == kind;
            metadata.kind = kind;
            same
        });
    }

    pub(crate) fn set_help(&mut self, family: &str, help: &str) {
        let mut end = help.len().min(HELP_BYTES_MAX);
        while !help.is_char_boundary(end) {
            end -= 1;
        }
        self.update(family, |metadata| replace(&mut metadata.help, &help[..end]));
    }

    pub(crate) fn set_unit(&mut self, family: &str, unit: &str) {
        self.update(family, |metadata| replace(&mut metadata.unit, unit));
    }

    /// Applies `set`, which says whether everything stayed the same. Allocates for new families only.
    fn update(&mut self, family: &str, set: impl FnOnce(&mut Metadata) -> bool) {
        let is_new = !self.families.contains_key(family);
        let (metadata, seen) = self.families.entry_ref(family).or_default();
        *seen = self.scrape;
        let same = set(metadata);
        self.changed |= is_new || !same;
    }

    /// All families, sorted by name, if anything is different since the last call.
    pub(crate) fn publish(&mut self) -> Option<Families> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let mut all: Vec<_> = self.families.iter().map(|(n, (m, _))| (n.clone(), m.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Some(Arc::new(all))
    }
}

/// Writes only what is different; says whether nothing was.
fn replace(field: &mut String, text: &str) -> bool {
    let same = field == text;
    if !same {
        text.clone_into(field);
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_changes_only() {
        let mut cache = MetadataCache::default();
        let mut scrape = |help: &str| {
            cache.begin();
            if !help.is_empty() {
                cache.set_help("a", help);
                cache.set_kind("a", MetricType::Gauge);
            }
            cache.end();
            cache.publish().map(|f| f.iter().map(|(n, m)| format!("{n} {} {}", m.kind, m.help)).collect())
        };
        assert_eq!(scrape("x"), Some(vec!["a gauge x".to_owned()]));
        assert_eq!(scrape("x"), None);
        assert_eq!(scrape("y"), Some(vec!["a gauge y".to_owned()]));
        let gone: Vec<_> = (0..=SCRAPES_KEPT + 1).filter_map(|_| scrape("")).collect();
        assert_eq!(gone, [Vec::<String>::new()]);
    }
}

//! Label sets as a remote sees them: external labels added, relabelled, once per series.

use std::sync::Arc;

use hashbrown::HashMap;
use model::{Labels, LabelsBuilder};
use relabel::RelabelConfig;

/// A series as it is sent.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub labels: Labels,
    /// Decides the shard.
    pub hash: u64,
}

/// The series of one generation by number; `None` for those that relabelling drops.
pub(crate) struct SeriesMap {
    external: Vec<(String, String)>,
    rules: Vec<RelabelConfig>,
    by_number: HashMap<u64, Option<Arc<Prepared>>, foldhash::fast::RandomState>,
}

impl SeriesMap {
    pub fn new(external: &Labels, rules: Vec<RelabelConfig>) -> SeriesMap {
        let external = external.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        SeriesMap { external, rules, by_number: HashMap::default() }
    }

    pub fn clear(&mut self) {
        self.by_number.clear();
    }

    pub fn define(&mut self, number: u64, labels: Labels) {
        let prepared = self.prepare(labels).map(|labels| {
            let hash = labels.hash64();
            Arc::new(Prepared { labels, hash })
        });
        self.by_number.insert(number, prepared);
    }

    /// `None` for a number nobody defined.
    pub fn get(&self, number: u64) -> Option<&Option<Arc<Prepared>>> {
        self.by_number.get(&number)
    }

    /// What a series has itself wins over external labels.
    fn prepare(&self, labels: Labels) -> Option<Labels> {
        if self.external.is_empty() && self.rules.is_empty() {
            return Some(labels);
        }
        let mut builder: LabelsBuilder = labels.to_builder();
        for (name, value) in self.external.iter().filter(|(name, _)| !labels.has(name)) {
            builder.set(name, value);
        }
        let labels = relabel::process(builder, &self.rules)?.build();
        (!labels.is_empty()).then_some(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_labels_fill_gaps_and_rules_have_the_last_word() {
        let rules: Vec<RelabelConfig> = config::parse_unchecked(
            "c.yml",
            "- {source_labels: [__name__], regex: secret.*, action: drop}\n- {regex: pod, action: labeldrop}",
        )
        .unwrap();
        let external = Labels::from_pairs([("cluster", "a"), ("job", "external")]);
        let mut map = SeriesMap::new(&external, rules);
        let mut check = |pairs: &[(&str, &str)], expected: Option<&[(&str, &str)]>| {
            map.define(1, Labels::from_pairs(pairs.iter().copied()));
            let got = map.get(1).unwrap().as_ref().map(|p| p.labels.clone());
            assert_eq!(got, expected.map(|pairs| Labels::from_pairs(pairs.iter().copied())), "{pairs:?}");
        };
        check(
            &[("__name__", "up"), ("job", "own"), ("pod", "x")],
            Some(&[("__name__", "up"), ("cluster", "a"), ("job", "own")]),
        );
        check(&[("__name__", "secret_total")], None);
        assert!(map.get(2).is_none());
    }
}

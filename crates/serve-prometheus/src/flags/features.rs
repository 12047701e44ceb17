//! `--enable-feature`: what is behind a switch, what needs none any more, and what nobody knows.

use std::collections::BTreeSet;

use flags::Flags;

/// Features that change something here.
const KNOWN: &[&str] = &[
    "promql-per-step-stats",
    "promql-experimental-functions",
    "promql-delayed-name-removal",
    "promql-extended-range-selectors",
    "promql-binop-fill-modifiers",
    "promql-duration-expr",
    "use-start-timestamps",
    "created-timestamp-zero-ingestion",
    "extra-scrape-metrics",
    "native-histograms",
    "type-and-unit-labels",
    "otlp-deltatocumulative",
    "otlp-native-delta-ingestion",
    "concurrent-rule-eval",
    "search-api",
    "auto-reload-config",
    "agent",
    "remote-write-receiver",
    "otlp-write-receiver",
];

/// Features of the original that need no switch here: always on, or about machinery that does not exist.
const WITHOUT_EFFECT: &[&str] = &[
    "exemplar-storage",
    "expand-external-labels",
    "memory-snapshot-on-shutdown",
    "metadata-wal-records",
    "new-service-discovery-manager",
    "no-default-scrape-port",
    "ooo-native-histograms",
    "promql-at-modifier",
    "promql-negative-offset",
    "utf8-names",
    "auto-gomaxprocs",
    "auto-gomemlimit",
    "delayed-compaction",
    "st-storage",
    "st-synthesis",
    "histograms-st-encoding",
    "xor2-encoding",
    "use-uncached-io",
    "fast-startup",
    "old-ui",
];

/// The features that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    on: BTreeSet<&'static str>,
}

impl Features {
    /// Reads the flag; unknown names are a warning, as in the original, not an error.
    pub fn from_flags(flags: &Flags) -> Features {
        let mut on = BTreeSet::new();
        for name in flags.all("enable-feature").iter().flat_map(|list| list.split(',')) {
            match name.trim() {
                "" => {}
                name => match KNOWN.iter().find(|known| **known == name) {
                    Some(known) => {
                        tracing::info!(feature = name, "feature enabled");
                        on.insert(*known);
                    }
                    None if WITHOUT_EFFECT.contains(&name) => {
                        tracing::info!(option = name, "this option for --enable-feature is now a no-op");
                    }
                    None => tracing::warn!(option = name, "Unknown option for --enable-feature"),
                },
            }
        }
        Features { on }
    }

    pub fn is_on(&self, name: &str) -> bool {
        self.on.contains(name)
    }

    /// All that are on, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.on.iter().copied()
    }
}
